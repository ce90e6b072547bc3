"""Surgery on norms of PyTorch: those without parameters, frozen or hooked ones, and those that do more than their class says."""

import pytest

import repcore as rc

torch = pytest.importorskip("torch")
import repcore_torch as rct  # noqa: E402  (the import that is to be skipped stands before)

nn = torch.nn
D4 = rc.dihedral(4)
V, R = D4.rep, rc.regular(D4)


class Activated(nn.BatchNorm2d):
    """A batch norm that does more."""

    def forward(self, x):
        return torch.relu(super().forward(x))


class ChannelsFirst(nn.LayerNorm):
    """A layer norm along another axis."""

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def names(model):
    return [name for name, _ in model.named_parameters()]


@pytest.mark.parametrize(
    ("norm", "wanted"),
    [
        (nn.LayerNorm(8, bias=False), ["0.weight"]),
        (nn.LayerNorm(8, elementwise_affine=False), []),
        (nn.RMSNorm(8, elementwise_affine=False), []),
        (nn.BatchNorm2d(8, affine=False), []),
    ],
    ids=str,
)
def test_a_replaced_norm_learns_what_the_plain_one_did(norm, wanted):
    model = nn.Sequential(norm)
    rct.symmetrize(model, {"0": R})
    assert isinstance(model[0], rct.LayerNorm | rct.RMSNorm | rct.BatchNorm)
    folded = rct.fold(model.eval())
    assert names(model) == names(folded) == wanted
    assert type(folded[0]) is type(norm)


def test_a_norm_without_parameters_stands_nowhere_unless_a_rule_means_it():
    model = nn.Sequential(nn.Linear(2, 8), nn.LayerNorm(8, elementwise_affine=False))
    assert rct.symmetrize(model, {"0": V >> R}, dry_run=True).free == ()
    found = rct.symmetrize(model, {"0": V >> R, nn.LayerNorm: R}, dry_run=True)
    assert [(site.path, site.after) for site in found] == [("0.weight", 2), ("0.bias", 1), ("1", None)]


def test_a_norm_without_parameters_is_made_equivariant_on_irreps():
    torch.manual_seed(0)
    x, V2 = torch.randn(20, 4, dtype=torch.float64), 2 * V
    model = nn.Sequential(nn.LayerNorm(4, elementwise_affine=False))
    assert rct.measure(model, V2, V2, x).error > 0.1
    rct.symmetrize(model, {"0": V2})
    # Four squares are summed, a root and a quotient taken.
    assert rct.measure(model, V2, V2, x).error < 16 * torch.finfo(torch.float64).eps


def test_frozen_parameters_stay_frozen():
    model = nn.Sequential(nn.Linear(2, 8), nn.LayerNorm(8), nn.BatchNorm1d(8))
    frozen = ("0.bias", "1.weight", "2.bias")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in frozen)
    before = {name: p.requires_grad for name, p in model.named_parameters()}
    rct.symmetrize(model, {"0": V >> R, "1": R, "2": R})
    assert sum(not p.requires_grad for p in model.parameters()) == 3
    assert {name: p.requires_grad for name, p in rct.fold(model.eval()).named_parameters()} == before


def test_hooks_stay_and_their_handles_too():
    model, seen = nn.Sequential(nn.Linear(2, 8), nn.LayerNorm(8)), []
    first = model[1].register_forward_hook(lambda *_: seen.append("after"))
    second = model[1].register_forward_pre_hook(lambda *_, **__: seen.append("before"), with_kwargs=True)
    rct.symmetrize(model, {"0": V >> R, "1": R})
    model(torch.randn(3, 2))
    assert seen == ["before", "after"]
    rct.fold(model)(torch.randn(3, 2))
    assert seen == ["before", "after"] * 2
    first.remove()
    second.remove()
    model(torch.randn(3, 2))
    assert len(seen) == 4


def test_a_norm_of_several_groups_keeps_whole_fields_together():
    with pytest.raises(rc.IncompatibleError, match="2 groups that do not mix, and regular is not written as 2 copies"):
        rct.symmetrize(nn.Sequential(nn.GroupNorm(2, 8)), {"0": R})
    with pytest.raises(rc.IncompatibleError, match="does not permute the features"):
        rct.symmetrize(nn.Sequential(nn.GroupNorm(1, 2)), {"0": V})
    for groups in (1, 2, 16):
        model = rct.symmetrize(nn.Sequential(nn.GroupNorm(groups, 16)), {"0": 2 * R})
        with torch.no_grad():
            model[0].parametrizations.weight.original.normal_()
        x = torch.randn(5, 16, dtype=torch.float64)
        if groups < 16:  # one feature alone is its own mean
            assert rct.measure(model.double(), 2 * R, 2 * R, x).error < 64 * torch.finfo(torch.float64).eps


@pytest.mark.parametrize(
    ("norm", "message"),
    [
        (Activated(8), "class Activated, which does more than normalise: put rct.BatchNorm"),
        (Activated(8, affine=False), "class Activated, which does more than normalise: put rct.BatchNorm"),
        (nn.InstanceNorm2d(8, affine=True, track_running_stats=True), "keeps statistics of each feature; put rct.BatchNorm"),
        (nn.LayerNorm((2, 4)), "over 2 axes, 2 x 4, and the form for regular over one; flatten"),
        (nn.LayerNorm((2, 4), elementwise_affine=False), "over 2 axes, 2 x 4"),
    ],
    ids=str,
)
def test_norms_that_no_form_replaces(norm, message):
    model = nn.Sequential(norm)
    for dry_run in (True, False):
        with pytest.raises(rc.IncompatibleError, match=message):
            rct.symmetrize(model, {"0": R}, dry_run=dry_run)
    assert model[0] is norm
    assert type(norm) in (Activated, nn.InstanceNorm2d, nn.LayerNorm)


def test_a_layer_norm_with_a_forward_of_its_own_keeps_it():
    torch.manual_seed(0)
    model = nn.Sequential(ChannelsFirst(8)).double()
    with torch.no_grad():
        model[0].weight.normal_()
    rct.symmetrize(model, {"0": R})
    assert isinstance(model[0], ChannelsFirst)
    grid = R * rc.grid(D4, 3)
    assert rct.measure(model, grid, grid, torch.randn(4, 8, 3, 3, dtype=torch.float64)).error < 64 * 2.0**-52
    with pytest.raises(rc.IncompatibleError, match="is not equivariant, whatever its parameters are"):
        rct.symmetrize(nn.Sequential(ChannelsFirst(2)), {"0": V})
