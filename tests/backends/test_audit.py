"""The audit: what between the layers breaks the symmetry is found, with its place, and nothing else is."""

import pytest

import repcore as rc

torch = pytest.importorskip("torch")
import repcore_torch as rct  # noqa: E402  (the import that is to be skipped stands before)

nn, F = torch.nn, torch.nn.functional
D4 = rc.dihedral(4)
V, ONE, R = D4.rep, rc.trivial(D4), rc.regular(D4)


class Between(nn.Module):
    """Two convolutions and what is between them."""

    def __init__(self, middle, channels=8):
        super().__init__()
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.middle = middle if isinstance(middle, nn.Module) else None
        self.function = middle
        self.second = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, x):
        return self.second(self.function(self.first(x)))


def found(middle, space="regular", side=9, channels=8):
    model = Between(middle, channels)
    rct.symmetrize(model, {"first": f"1 >> {space}", "second": f"{space} >> 1"}, symmetry=D4)
    return rct.audit(model, torch.randn(2, 1, side, side))


def problem(middle, space="regular", side=9, channels=8):
    (one,) = found(middle, space, side, channels)
    return one


FINE = {
    "relu on permuted features": (nn.ReLU(), "regular"),
    "gelu": (F.gelu, "regular"),
    "a method": (lambda x: x.relu(), "regular"),
    "an odd function on signed permutations": (torch.tanh, "4*V"),
    "anything on scalars": (F.silu, "8*1"),
    "dropout in evaluation": (nn.Dropout(0.5), "4*V"),
    "a residual": (lambda x: x + 0.5 * x, "4*V"),
    "a sum of equal features": (lambda x: x.clone() + x, "4*V"),
    "a product of permuted features": (lambda x: x * torch.relu(x), "regular"),
    "mean pooling": (lambda x: F.avg_pool2d(x, 3, 3), "4*V"),
    "max pooling of permuted features": (lambda x: F.max_pool2d(x, 3, 2, 1), "regular"),
    "group norm of whole fields": (nn.GroupNorm(2, 8), "8*1"),
    "instance norm": (nn.InstanceNorm2d(8), "regular"),
    "an equivariant norm": (rct.BatchNorm(4 * V), "4*V"),
    "an equivariant nonlinearity": (rct.NormNonlinearity(4 * V, axis=1), "4*V"),
    "axes that come back": (lambda x: x.permute(0, 2, 3, 1).relu().permute(0, 3, 1, 2), "regular"),
    "batch norm of scalars": (nn.BatchNorm2d(8), "8*1"),
}


@pytest.mark.parametrize("case", FINE)
def test_what_is_fine(case):
    assert found(*FINE[case]), found(*FINE[case])
    assert found(*FINE[case]).watched >= 1


BROKEN = {
    "relu on vectors": (nn.ReLU(), "4*V", "middle", "relu"),
    "a function": (F.gelu, "4*V", "", "gelu"),
    "a method": (lambda x: x.sigmoid(), "4*V", "", "sigmoid"),
    "after a sum": (lambda x: torch.relu(x + x), "4*V", "", "relu"),
    "after axes have moved": (lambda x: x.permute(0, 2, 3, 1).relu().permute(0, 3, 1, 2), "4*V", "", "relu"),
    "max pooling": (nn.MaxPool2d(3, 2, 1), "4*V", "middle", "max_pool2d"),
    "group norm across fields": (nn.GroupNorm(2, 8), "regular", "middle", "group_norm"),
    "batch norm": (nn.BatchNorm2d(8), "regular", "middle", "batch_norm"),
    "layer norm of vectors": (lambda x: F.layer_norm(x.transpose(1, 3), (8,)).transpose(1, 3), "4*V", "", "layer_norm"),
    "a product": (lambda x: x * x, "4*V", "", "mul"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_found_where_it_is(case):
    middle, space, place, operation = BROKEN[case]
    one = problem(middle, space)
    assert (one.place, one.operation, one.rep) == (place, operation, space)


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_found_breaks_the_symmetry_indeed(case):
    middle, space, *_ = BROKEN[case]
    torch.manual_seed(0)
    model = Between(middle).double()
    if isinstance(middle, nn.BatchNorm2d | nn.GroupNorm):
        nn.init.normal_(middle.weight)
    rct.symmetrize(model, {"first": f"1 >> {space}", "second": f"{space} >> 1"}, symmetry=D4, start="rescale")
    x = torch.randn(2, 1, 9, 9, dtype=torch.float64)
    y, z = model(x), model(torch.rot90(x, 1, (2, 3)))
    assert (torch.rot90(y, 1, (2, 3)) - z).norm() > 1e-3 * (y - y.mean()).norm()


def test_strides_on_even_and_odd_sides():
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1))
    rct.symmetrize(model, {"0": "1 >> regular", "2": "regular >> regular"}, symmetry=D4)
    assert rct.audit(model, torch.randn(1, 1, 9, 9))
    (one,) = rct.audit(model, torch.randn(1, 1, 8, 8))
    assert (one.place, one.operation) == ("2", "Conv2d")
    assert "8 cells, kernel 3, stride 2 and padding 1 leave 1 over" in one.problem
    assert problem(nn.MaxPool2d(2), side=9).operation == "max_pool2d"


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1, output_padding=1), "output_padding (1, 1) adds cells at one side"),
        (nn.Conv2d(8, 8, 4, padding="same"), "padding 'same' is uneven for a kernel over [4, 4] cells"),
        (nn.Conv2d(8, 8, 2, stride=2, padding="valid"), "9 cells, kernel 2, stride 2 and padding 0 leave 1 over"),
        (nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1), ""),
        (nn.Conv2d(8, 8, 3, padding="same"), ""),
        (nn.Conv2d(8, 8, 3, stride=2, padding="valid"), ""),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")  # torch's, and the reason for ours
def test_cells_at_one_side_only(layer, message):
    model = rct.symmetrize(nn.Sequential(layer), {"0": "regular >> regular"}, symmetry=D4).double()
    found = rct.audit(model, torch.randn(1, 8, 9, 9, dtype=torch.float64), rep_in=rc.regular(D4))
    x = torch.randn(2, 8, 9, 9, dtype=torch.float64)
    fields, out = rc.regular(D4) * rc.grid(D4, 9), rc.regular(D4) * rc.grid(D4, model(x).shape[-1])
    error = rct.measure(model, fields, out, x).error
    assert [message in finding.problem for finding in found] == [True] * bool(message)
    # Sums of at most 8 * 16 products, each off by that many roundings.
    assert error > 0.1 if message else error < 128 * 2.0**-52


def test_layers_that_do_not_meet():
    model = nn.Sequential(nn.Linear(2, 8), nn.Linear(8, 2))
    rct.symmetrize(model, {"0": "V >> regular", "1": "4*V >> V"}, symmetry=D4)
    (one,) = rct.audit(model, torch.randn(3, 2))
    assert (one.place, one.rep) == ("1", "regular")
    assert "takes 4*V" in one.problem


def test_a_sum_of_different_features():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(2, 8), nn.Linear(2, 8)

        def forward(self, x):
            return self.a(x) + self.b(x)

    model = rct.symmetrize(Branches(), {"a": "V >> regular", "b": "V >> 4*V"}, symmetry=D4)
    (one,) = rct.audit(model, torch.randn(3, 2))
    assert "together with features of 4*V" in one.problem


def test_the_input_can_be_declared():
    model = nn.Sequential(nn.ReLU(), nn.Linear(2, 2))
    rct.symmetrize(model, {"1": V >> V})
    assert rct.audit(model, torch.randn(3, 2))
    (one,) = rct.audit(model, torch.randn(3, 2), rep_in=V)
    assert (one.place, one.operation) == ("0", "relu")
    with pytest.raises(rc.IncompatibleError, match="has dimension 2, and the input has shape"):
        rct.audit(model, torch.randn(3, 4), rep_in=V)


def test_the_model_is_as_it_was():
    model = Between(nn.ReLU()).train()
    model.middle.eval()
    rct.symmetrize(model, {"first": "1 >> regular", "second": "regular >> 1"}, symmetry=D4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rct.audit(model, torch.randn(2, 1, 9, 9))
    with pytest.raises(RuntimeError):
        rct.audit(model, torch.randn(2, 3, 9, 9))
    assert model.training
    assert not model.middle.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(p.grad is None for p in model.parameters())


def test_an_audit_can_be_printed():
    assert str(found(nn.ReLU(), "4*V")).startswith("middle: relu on 4*V: pointwise")
    assert "nothing found" in str(found(nn.ReLU()))
