"""Surgery on PyTorch models: whole layers by rules, all or nothing."""

import copy
import re
import warnings

import pytest

import repcore as rc

torch = pytest.importorskip("torch")
import repcore_torch as rct  # noqa: E402  (the import that is to be skipped stands before)

nn = torch.nn
D4 = rc.dihedral(4)
V, ONE, R = D4.rep, rc.trivial(D4), rc.regular(D4)
EPS = torch.finfo(torch.float64).eps


class Net(nn.Module):
    """Every kind of layer that rules know, on images (B, 3, 9, 9)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.each = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.parts = nn.Conv2d(16, 16, 3, stride=2, padding=1, groups=2)
        self.up = nn.ConvTranspose2d(16, 16, 3)
        self.token = nn.Parameter(torch.randn(1, 1, 16) / 10)
        self.places = nn.Parameter(torch.randn(1, 50, 16) / 10)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.layer_norm = nn.LayerNorm(16)
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.relu(self.up(torch.relu(self.parts(torch.relu(self.each(x))))))
        x = torch.cat([self.token.expand(len(x), 1, -1), x.flatten(2).transpose(1, 2)], 1) + self.places
        y = self.layer_norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return self.head(torch.relu(x + self.mlp(x)).mean(1))


RULES = {
    "stem": "3*1 >> 2*regular",
    "norm": "2*regular",
    "each": "2*regular >> 2*regular",
    nn.ConvTranspose2d: "2*regular >> 2*regular",
    "parts": "2*regular >> 2*regular",
    "token": "2*regular",
    "places": "1 + grid(7) >> 2*regular",
    "attention": "2*regular >> 2*regular",
    "layer_norm": "2*regular",
    "mlp.0": "2*regular >> 4*regular",
    "mlp.2": "4*regular >> 2*regular",
    "type:Linear": "2*regular >> 5*1",
}
RULES["head"] = RULES.pop("type:Linear")


def net(seed=0):
    torch.manual_seed(seed)
    model = Net().double()
    with torch.no_grad():
        for name in ("each", "parts", "up"):
            # torch begins with weights under which an image fades in a few layers.
            model.get_submodule(name).weight.mul_(3)
    # Running statistics and gains that are not those of a fresh layer.
    model(torch.randn(8, 3, 9, 9, dtype=torch.float64))
    return model


def turned(x):
    """All images of x under D4 but itself; most are under elements that no layer was built from."""
    return [torch.rot90(x if k < 4 else x.flip(3), k, (2, 3)) for k in range(1, 8)]


def state(model):
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items() if isinstance(tensor, torch.Tensor)}


@torch.no_grad()
def error(model, x):
    """The largest relative change of the scores; the model must see the image at all."""
    y = model(x)
    assert (y - model(torch.randn_like(x))).norm() > 1e-3 * y.norm()
    return max(float((model(z) - y).norm() / y.norm()) for z in turned(x))


@pytest.fixture
def images():
    torch.manual_seed(1)
    return torch.randn(6, 3, 9, 9, dtype=torch.float64)


# A bound for rounding: each score is a sum of at most so many products along the deepest path, each relative to norms that the
# layers keep within a factor of 100 (measured 2e-15).
ROUNDING = 100 * 16 * 9 * EPS


def test_one_call_makes_a_whole_model_equivariant(images):
    model = net()
    assert error(model.eval(), images) > 0.01
    assert rct.symmetrize(model, RULES, symmetry=D4, start="rescale") is model
    assert error(model, images) < ROUNDING
    model.train()
    assert error(model, images) < ROUNDING


def test_it_stays_equivariant_in_training(images):
    model = rct.symmetrize(net(), RULES, symmetry=D4, start="rescale")
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        model(images).square().mean().backward()
        optimizer.step()
    assert error(model, images) < ROUNDING
    assert error(model.eval(), images) < ROUNDING


def test_projecting_leaves_a_plain_model(images):
    model = net().eval()
    before = sum(p.numel() for p in model.parameters())
    rct.symmetrize(model, RULES, symmetry=D4, method="project", start="rescale")
    assert error(model, images) < ROUNDING
    assert sum(p.numel() for p in model.parameters()) == before
    assert not any(type(m).__module__.startswith("repcore") for m in model.modules())
    assert type(model.norm) is nn.BatchNorm2d


def test_projecting_and_constraining_give_the_same_model(images):
    constrained = rct.symmetrize(net().eval(), RULES, symmetry=D4)
    projected = rct.symmetrize(net().eval(), RULES, symmetry=D4, method="project")
    for name in ("stem", "each", "parts", "up", "mlp.0", "head"):
        a, b = constrained.get_submodule(name), projected.get_submodule(name)
        assert torch.allclose(a.weight, b.weight, rtol=0, atol=50 * EPS * float(b.weight.detach().norm()))


@pytest.mark.parametrize("method", ["constrain", "project"])
def test_a_fresh_model_keeps_the_lengths_of_its_weights(method):
    model = rct.symmetrize(net(), RULES, symmetry=D4, method=method, start="rescale")
    fresh, faint = net(), rct.symmetrize(net(), RULES, symmetry=D4, method=method)
    for name in ("stem", "each", "parts", "mlp.0", "mlp.2", "head"):
        wanted, got, less = (float(m.get_submodule(name).weight.detach().norm()) for m in (fresh, model, faint))
        assert abs(got - wanted) <= 50 * EPS * wanted
        assert less < 0.8 * wanted
        assert torch.allclose(model.get_submodule(name).bias, faint.get_submodule(name).bias, rtol=0, atol=50 * EPS)


def test_folding_gives_back_the_classes_of_torch(images):
    model = rct.symmetrize(net(), RULES, symmetry=D4).eval()
    folded = rct.fold(model)
    assert [type(m) for m in folded.modules()] == [type(m) for m in net().modules()]
    assert [n for n, _ in folded.named_parameters()] == [n for n, _ in net().named_parameters()]
    y = model(images)
    assert (folded(images) - y).norm() <= ROUNDING * y.norm()
    assert rct.sites(model)["stem.weight"].after == 54
    assert isinstance(model.norm, rct.BatchNorm)


def test_a_dry_run_changes_nothing():
    model = net()
    before, classes = state(model), [type(m) for m in model.modules()]
    found = rct.symmetrize(model, RULES, symmetry=D4, dry_run=True)
    assert [type(m) for m in model.modules()] == classes
    assert all(torch.equal(v, before[k]) for k, v in state(model).items())
    constrained = rct.symmetrize(model, RULES, symmetry=D4)
    counted = {s.path: s.after for s in found if s.after is not None}
    assert counted == {s.path: s.after for s in rct.sites(constrained)}
    assert "3*1 >> 2*regular on 3 x 3" in str(found)
    own = {n: p.numel() for n, p in constrained.named_parameters() if n.endswith("original")}
    assert {n.replace(".original", "").replace("parametrizations.", ""): k for n, k in own.items()} == counted


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"steam": "3*1 >> 2*regular"}, "close to it are 'stem'"),
        ({"stem": "3*1 >> regular"}, "maps 3 to 16 features"),
        ({"mlp": "V >> V"}, "write 'mlp.**'"),
        ({"stem": "3*1 >> 2*regular", nn.Conv2d: "3*1 >> 2*regular"}, "both mean 'stem.weight'"),
        ({"stem": "3*1 >> 2*regular", "norm": "V"}, "has 16 features, and V has dimension 2"),
        ({"stem": "3*1 >> 2*regular", "head": "2*regular >> 5*W"}, "the name 'W' is unknown"),
        ({nn.GRU: "V >> V"}, "the layers with weights are of the types"),
        ({"attention": "regular + 4*V >> regular + 4*V"}, "not written as 2 copies"),
    ],
)
@pytest.mark.parametrize("method", ["constrain", "project"])
def test_what_is_refused_leaves_the_model_as_it_was(rules, message, method):
    model = net()
    before, parameters = state(model), dict(model.named_parameters())
    with pytest.raises(rc.RepcoreError, match=re.escape(message)):
        rct.symmetrize(model, rules, symmetry=D4, method=method)
    assert all(torch.equal(v, before[k]) for k, v in state(model).items())
    assert all(p is parameters[n] for n, p in model.named_parameters())


@pytest.mark.parametrize("method", ["constrain", "project"])
@pytest.mark.parametrize("place", [0, 3, 9])
def test_a_failure_on_the_way_is_undone(monkeypatch, place, method):
    model = net()
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    before, parameters, classes = state(model), dict(model.named_parameters()), [type(m) for m in model.modules()]
    name = {"constrain": "coefficients", "project": "forward"}[method]
    run, calls = getattr(rct.Projector, name), []

    def failing(self, W):
        calls.append(1)
        if len(calls) > place:
            raise MemoryError("no more")
        return run(self, W)

    monkeypatch.setattr(rct.Projector, name, failing)
    with pytest.raises(MemoryError, match="no more"):
        rct.symmetrize(model, RULES, symmetry=D4, method=method)
    assert len(calls) == place + 1
    assert [type(m) for m in model.modules()] == classes
    assert list(dict(model.named_parameters())) == list(parameters)  # an optimiser counts them
    assert all(p.grad is not None and p.grad.shape == p.shape for p in model.parameters())
    assert all(torch.equal(v, before[k]) for k, v in state(model).items())
    assert all(p is parameters[n] for n, p in model.named_parameters())


def test_a_model_is_symmetrised_once():
    model = rct.symmetrize(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), {"0": V >> V})
    with pytest.raises(rc.IncompatibleError, match="symmetrised already"):
        rct.symmetrize(model, {"**": V >> V})
    rct.symmetrize(model, {"1": V >> V})
    assert [s.path for s in rct.sites(model)] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    again = rct.symmetrize(rct.fold(model), {nn.Linear: V >> V})
    assert torch.equal(again[0].weight, model[0].weight)


def test_weights_that_no_rule_may_take():
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    with pytest.raises(rc.IncompatibleError, match=re.escape("is one tensor with '1.weight'")):
        rct.symmetrize(tied, {"0": V >> V})
    with pytest.raises(rc.IncompatibleError, match="use cells"):
        rct.symmetrize(nn.LSTM(2, 2), {"**": V >> V})
    with pytest.raises(rc.IncompatibleError, match="run the lazy module once"):
        rct.symmetrize(nn.LazyLinear(2), {"weight": V >> V})
    half = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    with pytest.raises(rc.IncompatibleError, match="parametrised already"):
        rct.symmetrize(half, {"weight": V >> V})
    with pytest.raises(rc.IncompatibleError, match="equivariant by construction"):
        rct.symmetrize(nn.Sequential(rct.Linear(V, V)), {"**": V >> V})
    with pytest.raises(rc.IncompatibleError, match="expected a torch module"):
        rct.symmetrize({"weight": 3}, {"weight": V >> V})
    with pytest.raises(rc.IncompatibleError, match="method is 'force'"):
        rct.symmetrize(nn.Linear(2, 2), {"weight": V >> V}, method="force")


def test_a_complex_space_on_a_real_weight_is_refused_before_anything_is_done():
    U = rc.Rep(D4, discrete=[[["I", 0], [0, "-I"]], [[0, 1], [1, 0]]], name="U")
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with pytest.raises(rc.IncompatibleError, match="realify"):
        rct.symmetrize(model, {"0": V >> V, "1.weight": U >> U})
    assert not len(rct.sites(model))


def test_a_layer_that_is_used_twice_is_constrained_once():
    layer = nn.Linear(2, 2)
    model = rct.symmetrize(nn.Sequential(layer, nn.Tanh(), layer), {nn.Linear: V >> V})
    assert [s.path for s in rct.sites(model)] == ["0.weight", "0.bias"]


def test_a_norm_that_is_used_twice_is_replaced_in_both_places():
    norm = nn.LayerNorm(8)
    model = rct.symmetrize(nn.Sequential(norm, nn.ReLU(), norm), {nn.LayerNorm: R})
    assert model[0] is model[2]
    assert isinstance(model[0], rct.LayerNorm)


def test_cells_of_recurrent_networks_stack_their_gates():
    model = nn.LSTMCell(2, 16).double()
    rct.symmetrize(model, {"weight_ih": V >> 2 * R, "weight_hh": 2 * R >> 2 * R, "bias_*": 2 * R})
    torch.manual_seed(0)
    x, h, c = (torch.randn(4, n, dtype=torch.float64) for n in (2, 16, 16))
    g, G = (torch.tensor(rep.matrix(0).to_numpy(), dtype=torch.float64) for rep in (V, 2 * R))
    plain, moved = model(x, (h, c)), model(x @ g.T, (h @ G.T, c @ G.T))
    assert all((a @ G.T - b).norm() <= 200 * EPS * a.norm() for a, b in zip(plain, moved, strict=True))


def test_a_zero_space_is_said():
    with pytest.warns(rc.RepcoreWarning, match=re.escape("'weight', 1 >> V, has dimension 0")):
        rct.symmetrize(nn.Linear(1, 2), {"weight": ONE >> V})


def test_a_warning_that_is_an_error_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(1, 2))
    before = state(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(rc.RepcoreWarning):
            rct.symmetrize(model, {"0": V >> V, "1": ONE >> V})
    assert state(model).keys() == before.keys()
    assert all(torch.equal(v, before[k]) for k, v in state(model).items())


def test_one_more_key_and_value_are_invariant_as_well():
    torch.manual_seed(0)
    model = nn.Sequential(nn.MultiheadAttention(16, 2, add_bias_kv=True))
    found = rct.symmetrize(model, {"0": rc.Rule(2 * R >> 2 * R, inner=8 * V)}, dry_run=True)
    assert [found[f"0.bias_{x}"].label for x in "kv"] == ["1 >> 8*V"] * 2
    rct.symmetrize(model, {"0": 2 * R >> 2 * R})
    # As regular representations of D4 the features of each head are constant where they are invariant.
    assert torch.allclose(model[0].bias_k.view(2, 8), model[0].bias_k.view(2, 8)[:, :1].expand(2, 8))


@pytest.mark.parametrize("options", [{"max_norm": 1.0}, {"sparse": True}], ids=str)
@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_embeddings_that_want_their_table_are_refused(kind, options):
    with pytest.raises(rc.IncompatibleError, match="max_norm or sparse gradients"):
        rct.symmetrize(nn.Sequential(kind(5, 8, **options)), {"0": R >> R})


def test_a_model_without_weights_says_so():
    with pytest.raises(rc.IncompatibleError, match="it has no weights at all"):
        rct.symmetrize(nn.Sequential(nn.ReLU()), {"0": V >> V})


def test_deepcopy_and_state_dict_of_a_symmetrised_model(images):
    model = rct.symmetrize(net(), RULES, symmetry=D4).eval()
    twin = rct.symmetrize(net(3), RULES, symmetry=D4).eval()
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin(images), model(images))
    assert torch.equal(copy.deepcopy(model)(images), model(images))


def test_three_dimensions_and_one():
    cube = rc.hyperoctahedral(3)
    model = rct.symmetrize(nn.Conv3d(1, 6, 3, padding=1).double(), {"weight": rc.trivial(cube) >> 6 * rc.trivial(cube)})
    x = torch.randn(2, 1, 5, 5, 5, dtype=torch.float64)
    assert torch.allclose(model(x.transpose(2, 4).flip(3)), model(x).transpose(2, 4).flip(3), rtol=0, atol=27 * 10 * EPS)
    flip = rc.Group(discrete=[[[-1]]], name="flip")
    line = rct.symmetrize(nn.Conv1d(1, 2, 5, padding=2).double(), {nn.Conv1d: rc.trivial(flip) >> rc.regular(flip)})
    x = torch.randn(2, 1, 11, dtype=torch.float64)
    assert torch.allclose(line(x.flip(2)), line(x).flip(1, 2), rtol=0, atol=5 * 10 * EPS)


def test_rotations_by_every_angle_have_sampled_kernels():
    SO2 = rc.SO(2)
    model = nn.Conv2d(1, 2, 7, padding=3, bias=False).double()
    rct.symmetrize(model, {"weight": rc.trivial(SO2) >> SO2.rep})
    assert rct.sites(model)["weight"].after > 0
    x = torch.randn(1, 1, 9, 9, dtype=torch.float64)
    y, z = model(x), model(torch.rot90(x, 1, (2, 3)))
    turned = torch.rot90(y, 1, (2, 3))
    assert torch.allclose(z, torch.stack([-turned[:, 1], turned[:, 0]], 1), rtol=0, atol=49 * 10 * EPS * float(x.norm()))
