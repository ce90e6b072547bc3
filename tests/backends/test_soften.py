"""Softened weights of torch: the ends of the dial, filters that are not idempotent, checkpoints, rules, schedules, bounds."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")
rct = pytest.importorskip("repcore_torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

D4, C4 = rc.dihedral(4), rc.cyclic(4)
EPS = float(np.finfo(np.float64).eps)

SPACES = {
    "D4, kernel": lambda: rc.regular(D4) * rc.grid(D4, 3) >> 2 * rc.regular(D4),
    "SO(3), two summands": lambda: rc.SO(3).rep ** 2 + 2 * rc.trivial(rc.SO(3)) >> 2 * rc.SO(3).rep + rc.trivial(rc.SO(3)),
    "zero": lambda: 2 * rc.O(5).rep >> 3 * rc.trivial(rc.O(5)),
    "not orthogonal": lambda: rc.lorentz().rep >> rc.lorentz().rep,
}


def linear(space: rc.Hom, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return nn.Linear(space.shape[1], space.shape[0], bias=False, dtype=torch.float64)


def allowed(space: rc.Hom, weight: Any) -> float:
    """Four products with orthogonal matrices of these sizes, twice: once on each side that is compared."""
    return 16 * sum(space.shape) * EPS * float(weight.detach().norm())


@pytest.mark.parametrize("name", SPACES)
def test_the_ends_of_the_dial(name: str) -> None:
    space = SPACES[name]()
    layer = linear(space)
    free = layer.weight.detach().clone()
    rct.soften(layer, "weight", space, softness=1.0)
    assert torch.equal(layer.weight, free)
    rct.set_softness(layer, 0.0)
    assert float((layer.weight - rct.project(free, space)).detach().norm()) <= allowed(space, free)
    rct.set_softness(layer, 1.0)
    assert torch.equal(layer.weight, free)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("gain", [rc.Heat(0.3), rc.Tikhonov(2.0), rc.Cutoff(1.5)], ids=repr)
def test_the_filter_is_that_of_the_core_and_its_own_gradient(name: str, gain: Any) -> None:
    space = SPACES[name]()
    layer = linear(space)
    free = layer.weight.detach().clone()
    soft = rc.soften(space, gain=gain)
    rct.soften(layer, "weight", soft)
    assert np.linalg.norm(layer.weight.detach().numpy() - soft.project(free.numpy())) <= allowed(space, free)
    direction = torch.randn_like(free)
    (layer.weight * direction).sum().backward()
    found = layer.parametrizations.weight.original.grad
    assert np.linalg.norm(found.numpy() - soft.project(direction.numpy())) <= allowed(space, direction)


def test_gradients_to_second_order_and_under_vmap() -> None:
    space = SPACES["SO(3), two summands"]()
    layer = rct.soften(linear(space), "weight", space, softness=0.4)
    softening = layer.parametrizations.weight[0]
    W = torch.randn(3, *space.shape, dtype=torch.float64, requires_grad=True)
    one = rct.soften(linear(space), "weight", space, softness=0.4).parametrizations.weight[0].levels

    def cube(w: Any) -> Any:
        return one.filtered(w, softening.gains) ** 3

    assert torch.autograd.gradcheck(cube, (W,))
    assert torch.autograd.gradgradcheck(cube, (W[:1].detach().requires_grad_(),))
    mapped = torch.func.vmap(lambda w: one.filtered(w, softening.gains))(W)
    assert torch.allclose(mapped, one.filtered(W, softening.gains), rtol=0, atol=1e-13)


def test_thirty_forwards_do_not_turn_half_soft_into_strict() -> None:
    space = SPACES["D4, kernel"]()
    layer = linear(space)
    free = layer.weight.detach().clone()
    rct.soften(layer, "weight", space, softness=0.5)
    once = layer.weight.detach().clone()
    x = torch.randn(4, space.shape[1], dtype=torch.float64)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.0)
    for _ in range(30):
        optimiser.zero_grad()
        layer(x).square().mean().backward()
        optimiser.step()
    assert torch.equal(layer.weight, once)
    assert torch.equal(layer.parametrizations.weight.original, free)
    # What would be lost in place: the filter thirty times is next to the projector.
    again = once
    for _ in range(29):
        again = layer.parametrizations.weight[0](again)
    P = rct.project(free, space)
    assert float((again - P).norm()) < 0.05 * float((once - P).norm())


@pytest.mark.parametrize("profile", ["heat", "tikhonov", "cutoff", "blend"])
@pytest.mark.parametrize("name", ["D4, kernel", "SO(3), two summands"])
def test_the_error_grows_and_the_reachable_fit_improves_as_the_dial_opens(name: str, profile: str) -> None:
    space = SPACES[name]()
    layer = rct.soften(linear(space), "weight", space, softness=0.0, profile=profile)
    free = layer.parametrizations.weight.original.detach()
    defects, misfits = [], []
    for softness in np.linspace(0, 1, 21):
        rct.set_softness(layer, float(softness))
        defects.append(float((layer.weight - rct.project(layer.weight, space)).detach().norm()))
        # Of all weights that the filter can give, the nearest to W takes what is in levels with gain > 0: for a fixed size of
        # the free weight it is F W that comes nearest.
        misfits.append(float((layer.weight - free).detach().norm()))
    slack = allowed(space, free)
    assert all(a <= b + slack for a, b in pairwise(defects))
    assert all(a + slack >= b for a, b in pairwise(misfits))
    assert defects[0] <= slack < defects[-1]
    assert misfits[-1] == 0


@pytest.mark.parametrize("name", ["D4, kernel", "SO(3), two summands", "zero"])
def test_the_bound_of_the_core_holds_for_the_weights_of_torch(name: str) -> None:
    space = SPACES[name]()
    layer = linear(space)
    free = layer.weight.detach().numpy().copy()
    rct.soften(layer, "weight", space, softness=1.0)
    for softness in (0.0, 0.2, 0.6, 1.0):
        rct.set_softness(layer, softness)
        soft = rc.soften(space, gain=layer.parametrizations.weight[0].gains.numpy())
        bound, M = soft.bound(free).value, layer.weight.detach().numpy()
        for g in rc.sample(space.group, 60, seed=1):
            # ||rho(g) M - M rho(g)||_F, on the columns of M and on rows of the transpose: both are orthogonal.
            left = g.act(space.codomain, M.T).T
            right = M @ g.act(space.domain, np.eye(space.shape[1])).T
            assert np.linalg.norm(left - right) <= bound + 4 * allowed(space, layer.weight)


def test_learned_gains_are_parameters_between_0_and_1() -> None:
    space = rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2
    layer = rct.soften(linear(space), "weight", space, softness=0.5, learnable=True)
    softening = layer.parametrizations.weight[0]
    names = [name for name, _ in layer.named_parameters()]
    assert names == ["parametrizations.weight.original", "parametrizations.weight.0.raw"]
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.1)
    target = rct.project(torch.randn(9, 9, dtype=torch.float64), space)
    x = torch.randn(200, 9, dtype=torch.float64)
    first = softening.softness
    for _ in range(60):
        optimiser.zero_grad()
        (layer(x) - x @ target.T).square().mean().backward()
        optimiser.step()
    gains = softening.gains.detach().numpy()
    assert gains[0] == 1
    assert (gains[1:] > 0).all()
    assert (gains[1:] < 1).all()
    assert softening.softness < first  # the target is equivariant
    with pytest.raises(rc.IncompatibleError, match="learned"):
        softening.set_softness(0.1)
    with pytest.raises(rc.IncompatibleError, match="no softened weight"):
        rct.set_softness(layer, 0.1)
    other = rct.soften(linear(space, 1), "weight", space, softness=0.9, learnable=True)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.weight, layer.weight)


def test_a_checkpoint_of_another_softness_or_space_is_refused_and_changes_nothing() -> None:
    space = SPACES["D4, kernel"]()

    def model(softness: float, over: rc.Hom = space) -> Any:
        return rct.soften(linear(over, int(100 * softness)), "weight", over, softness=softness)

    one, other = model(0.5), model(0.25)
    before = one.parametrizations.weight.original.detach().clone()
    with pytest.raises(rc.IncompatibleError, match=r"softness 0\.25.*softness 0\.5.*set_softness"):
        one.load_state_dict(other.state_dict())
    assert torch.equal(one.parametrizations.weight.original, before)
    rct.set_softness(one, 0.25)
    one.load_state_dict(other.state_dict())
    assert torch.equal(one.weight, other.weight)
    trivial = space.domain.dim * rc.trivial(D4) >> space.codomain
    with pytest.raises(rc.IncompatibleError, match="another space"):
        one.load_state_dict(model(0.25, trivial).state_dict())


def test_a_copy_and_other_dtypes_have_the_same_filter() -> None:
    space = SPACES["SO(3), two summands"]()
    layer = rct.soften(linear(space), "weight", space, softness=0.3)
    expected = layer.weight.detach().clone()
    twin = copy.deepcopy(layer)
    rct.set_softness(twin, 0.9)
    assert torch.equal(layer.weight, expected)
    twin = copy.deepcopy(layer).float().double()
    # The weight went through float32, gains and levels did not.
    free = layer.parametrizations.weight.original.detach().float().double()
    filtered = layer.parametrizations.weight[0](free)
    assert torch.equal(twin.weight, filtered)
    half = copy.deepcopy(layer).to(torch.bfloat16)
    assert half.weight.dtype == torch.bfloat16


def test_folding_leaves_a_plain_model_with_the_same_weights() -> None:
    space = SPACES["D4, kernel"]()
    model = nn.Sequential(linear(space))
    rct.soften(model, {"0": space}, softness=0.5)
    plain = rct.fold(model)
    assert type(plain[0]) is nn.Linear
    assert not parametrize.is_parametrized(plain[0])
    assert torch.equal(plain[0].weight, model[0].weight)
    assert not any("extra" in key for key in plain.state_dict())
    with pytest.raises(rc.IncompatibleError, match="softened"):
        rct.save(model, "nowhere.safetensors")


class Every(nn.Module):
    """A layer of every kind that rules know."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 3, stride=3)
        self.depth = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.up = nn.ConvTranspose2d(8, 8, 3)
        self.positions = nn.Parameter(torch.randn(1, 25, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.tokens = nn.Embedding(5, 8)
        self.head = nn.Linear(8, 3)


EVERY = {
    "patches": "1 >> 2*regular",
    "depth": "2*regular >> 2*regular",
    "up": "2*regular >> 2*regular",
    "positions": "grid(5) >> 2*regular",
    "attention": "2*regular >> 2*regular",
    "norm": "2*regular",
    "tokens": "2*regular",
    "head": "2*regular >> 3*1",
}


def test_every_kind_of_layer_is_softened_by_rules() -> None:
    torch.manual_seed(0)
    model = Every()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    strict = copy.deepcopy(model)
    rct.soften(model, EVERY, symmetry=C4, softness=1.0)
    assert len(list(rct.softenings(model))) == len(before)
    for name, value in before.items():
        owner, _, last = name.rpartition(".")
        assert torch.equal(getattr(model.get_submodule(owner), last), value), name
    rct.symmetrize(strict, EVERY, symmetry=C4, method="project")
    rct.set_softness(model, 0.0)
    for name, value in strict.named_parameters():
        owner, _, last = name.rpartition(".")
        found = getattr(model.get_submodule(owner), last)
        assert float((found - value).detach().norm()) <= 100 * 1.2e-7 * float(before[name].norm()), name


def test_rules_with_a_softness_each_and_sampled_kernels() -> None:
    torch.manual_seed(0)
    G = rc.SO(2)
    model = nn.Sequential(nn.Conv2d(1, 4, 5), nn.Conv2d(4, 4, 5))
    V = rc.irrep(G, "1")
    rules = {"0": rc.trivial(G) >> 2 * V, "1": 2 * V >> 2 * V}
    rct.soften(model, rules, softness={"0": 0.0, "**": 0.5})
    found = dict(rct.softenings(model))
    assert found["0.weight"].softness == 0.0
    assert found["1.weight"].softness == 0.5
    assert len(found["1.weight"].gains) == 2  # kernels are sampled: equivariant or not is all that is known
    free = model[1].parametrizations.weight.original
    P = rct.sites(model)["1.weight"].plan
    expected = 0.5 * (free.reshape(4, -1) + rct.project(free.reshape(4, -1), P))
    assert torch.allclose(model[1].weight.reshape(4, -1), expected, rtol=0, atol=1e-6)
    fresh = nn.Sequential(nn.Conv2d(1, 4, 5), nn.Conv2d(4, 4, 5))
    with pytest.raises(rc.IncompatibleError, match="only the equivariant maps are known"):
        rct.soften(fresh, rules, cutoff=0.5)
    assert not any(parametrize.is_parametrized(m) for m in fresh.modules())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one"),
        ({"softness": 0.5, "cutoff": 1.0}, "exactly one"),
        ({"softness": 1.5}, "between 0"),
        ({"keep": -1.0}, "share"),
        ({"softness": 0.5, "profile": "linear"}, "profile"),
        ({"cutoff": 1.0, "profile": "linear"}, "profile"),
        ({"gain": [2.0, 0.0, 0.0]}, "between 0 and 1"),
        ({"softness": 0.5, "start": "zero"}, "start"),
        ({"softness": 0.5, "symmetry": C4}, "symmetry"),
    ],
)
def test_what_is_refused_leaves_the_layer_as_it_was(options: dict[str, Any], message: str) -> None:
    space = rc.SO(3).rep >> rc.SO(3).rep
    layer = linear(space)
    with pytest.raises(rc.IncompatibleError, match=message):
        rct.soften(layer, "weight", space, **options)
    assert type(layer) is nn.Linear


def test_a_batch_norm_and_a_second_filter_are_refused() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4))
    with pytest.raises(rc.IncompatibleError, match="running statistics"):
        rct.soften(model, {"0": "1 >> regular", "1": "regular"}, symmetry=C4, softness=0.5)
    assert not parametrize.is_parametrized(model[0])
    rct.soften(model, {"0": "1 >> regular"}, symmetry=C4, softness=0.5)
    with pytest.raises(rc.IncompatibleError, match="already"):
        rct.soften(model, {"0": "1 >> regular"}, symmetry=C4, softness=0.5)


def test_rescaling_keeps_the_length_of_weights_and_the_free_end() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    lengths = [float(m.weight.detach().norm()) for m in model]
    R = rc.regular(D4)
    same = rct.soften(copy.deepcopy(model), {"*": R >> R}, softness=1.0, start="rescale")
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(same, model, strict=True))
    rct.soften(model, {"*": R >> R}, softness=0.0, start="rescale")
    assert [float(m.weight.detach().norm()) for m in model] == pytest.approx(lengths, rel=1e-5)


def test_the_filter_runs_once_where_it_is_cached() -> None:
    space = SPACES["D4, kernel"]()
    layer = rct.soften(linear(space), "weight", space, softness=0.5)
    calls = []
    handle = layer.parametrizations.weight[0].register_forward_hook(lambda *_: calls.append(1))
    x = torch.randn(2, space.shape[1], dtype=torch.float64)
    with parametrize.cached():
        for _ in range(5):
            layer(x)
    assert len(calls) == 1
    handle.remove()


# ------------------------------------------------------------------------------------------------ schedules


def softened() -> Any:
    space = rc.SO(3).rep >> rc.SO(3).rep
    return rct.soften(linear(space), "weight", space, softness=1.0)


def test_schedules_by_the_step() -> None:
    layer = softened()
    schedule = rct.SoftnessSchedule(layer, rct.Ramp(1.0, 0.0, 4, "cosine"))
    assert schedule.softness == 1.0
    found = [schedule.step() for _ in range(5)]
    assert found == sorted(found, reverse=True)
    assert found[-1] == 0
    assert layer.parametrizations.weight[0].softness == 0
    with pytest.raises(rc.IncompatibleError, match="measured"):
        schedule.step(1.0)


def test_a_schedule_resumes_and_lets_the_checkpoint_in() -> None:
    layer = softened()
    schedule = rct.SoftnessSchedule(layer, rct.Ramp(1.0, 0.0, 10))
    for _ in range(3):
        schedule.step()
    saved, weights = schedule.state_dict(), layer.state_dict()
    other = softened()
    again = rct.SoftnessSchedule(other, rct.Ramp(1.0, 0.0, 10))
    with pytest.raises(rc.IncompatibleError, match="another softness"):
        other.load_state_dict(weights)
    again.load_state_dict(saved)
    other.load_state_dict(weights)
    assert again.step() == schedule.step()
    assert torch.equal(other.weight, layer.weight)
    with pytest.raises(rc.IncompatibleError, match="state"):
        rct.SoftnessSchedule(softened(), rct.Plateau(0.0, 1.0)).load_state_dict(saved)


def test_a_plateau_moves_only_when_the_loss_stalls() -> None:
    layer = softened()
    schedule = rct.SoftnessSchedule(layer, rct.Plateau(0.0, 0.5, step=0.3, patience=2))
    assert [schedule.step(loss) for loss in (1.0, 0.9, 0.8, 0.7)] == [0.0] * 4
    assert [schedule.step(0.7) for _ in range(6)] == [0.0, 0.3, 0.3, 0.3, 0.5, 0.5]
    with pytest.raises(rc.IncompatibleError, match="validation loss"):
        schedule.step()
    with pytest.raises(rc.IncompatibleError, match="finite"):
        schedule.step(float("nan"))


def test_an_adaptive_schedule_finds_the_softness_of_a_defect() -> None:
    layer = softened()
    schedule = rct.SoftnessSchedule(layer, rct.Adaptive(1.0, target=0.3, rate=0.1))
    assert rct.weight_defect(layer) > 0.6
    for _ in range(60):
        schedule.step()
    assert rct.weight_defect(layer) == pytest.approx(0.3, rel=1e-2)
    assert 0 < schedule.softness < 1


# ------------------------------------------------------------------------------------------- measure, bound


def test_measure_sees_the_filtered_weights() -> None:
    torch.manual_seed(0)
    R = rc.regular(C4)
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)).double()
    rct.soften(model, {"*": R >> R}, softness=0.3)
    report = rct.measure(model, R, R, torch.randn(50, 4, dtype=torch.float64))
    assert 0 < report.error < 1
    assert next(x for x in report.layers if x.path == "0.weight").relative > 0
    assert report.culprit is not None
    assert report.projected < 1e-12
    rct.set_softness(model, 0.0)
    assert rct.measure(model, R, R, torch.randn(50, 4, dtype=torch.float64)).error < 1e-12


@pytest.mark.parametrize("softness", [0.0, 0.1, 0.5, 1.0])
def test_the_bound_of_a_network_is_never_exceeded(softness: float) -> None:
    torch.manual_seed(1)
    R = rc.regular(D4)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Sequential(nn.Linear(16, 16), nn.Tanh()), nn.Linear(16, 8)).double()
    rules = {"0": R >> 2 * R, "2.0": 2 * R >> 2 * R, "3": 2 * R >> R}
    rct.soften(model, rules, softness=softness)
    x = torch.nn.functional.normalize(torch.randn(500, 8, dtype=torch.float64), dim=1)
    worst = 0.0
    with torch.no_grad():
        y = model(x)
        for g in rc.sample(D4, 8):
            moved = model(torch.tensor(g.act(R, x.numpy())))
            worst = max(worst, float((moved - torch.tensor(g.act(R, y.numpy()))).norm(dim=1).max()))
    bound = rct.network_bound(model, measured=worst)
    assert worst <= bound.value + 1e-13
    assert sum(layer.share for layer in bound.layers) == pytest.approx(bound.value)
    assert f"measured {worst:.3g}" in str(bound)
    if softness == 0:
        assert bound.value < 1e-12
    # Without rules the weights of a model that is not softened are unknown.
    with pytest.raises(rc.IncompatibleError, match="no rule"):
        rct.network_bound(rct.fold(model))
    assert rct.network_bound(rct.fold(model), rules).value == pytest.approx(bound.value, rel=1e-9, abs=1e-12)


def test_the_bound_of_convolutions_holds_for_whole_images() -> None:
    torch.manual_seed(2)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(4, 8, 3, padding=1, bias=False),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    ).double()  # fmt: skip
    rules = {"0": "1 >> regular", "2": "regular >> 2*regular", "5": "2*regular >> 3*1"}
    rct.soften(model, rules, symmetry=C4, softness=0.4)
    x = torch.randn(200, 1, 7, 7, dtype=torch.float64)
    x = x / x.flatten(1).norm(dim=1)[:, None, None, None]
    with torch.no_grad():
        worst = max(float((model(x.rot90(k, (2, 3))) - model(x)).norm(dim=1).max()) for k in (1, 2, 3))
    assert 0 < worst <= rct.network_bound(model).value
