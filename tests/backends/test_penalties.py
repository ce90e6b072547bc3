"""The penalty of a whole model and the decay in the optimiser, in both frameworks: against sums over single weights."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")
rct = pytest.importorskip("repcore_torch")
jax = pytest.importorskip("jax")
rcj = pytest.importorskip("repcore_jax")
optax = pytest.importorskip("optax")

EPS = float(np.finfo(np.float64).eps)


def of_quaternions() -> Any:
    (four,) = [V for V in rc.irreps(rc.quaternion()) if V.dim == 4]
    return 2 * four >> rc.regular(rc.quaternion())


def of_a_product() -> Any:
    G = rc.cyclic(4) @ rc.dihedral(3)
    return 2 * G.rep >> G.rep + rc.trivial(G)


SPACES: dict[str, Callable[[], Any]] = {
    "C4": lambda: 2 * rc.cyclic(4).rep >> 3 * rc.cyclic(4).rep + rc.trivial(rc.cyclic(4)),
    "D4": lambda: 2 * rc.regular(rc.dihedral(4)) >> rc.regular(rc.dihedral(4)) + 2 * rc.dihedral(4).rep,
    "SO(2)": lambda: 2 * rc.SO(2).rep >> rc.SO(2).rep ** 2,
    "SO(3)": lambda: 2 * rc.SO(3).rep + rc.trivial(rc.SO(3)) >> rc.SO(3).rep ** 2,
    "S5": lambda: rc.symmetric(5).rep >> 2 * rc.symmetric(5).rep,
    "Q8": of_quaternions,
    "C4 x D3": of_a_product,
}
GROUPS = pytest.mark.parametrize("space", [pytest.param(f, id=name) for name, f in SPACES.items()])
OPTIONS: list[dict[str, Any]] = [
    {},
    {"relative": True},
    {"equivariant": 0.25},
    {"equivariant": 0.25, "relative": True},
    {"reduction": "mean"},
    {"biases": False},
]


def model_of(space: Any, seed: int = 0, dtype: Any = None) -> Any:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(space.shape[1], space.shape[0])).to(dtype or torch.float64)


def params_of(model: Any) -> Any:
    return {"0": {name: p.detach().numpy() for name, p in model[0].named_parameters()}}


def invariant(space: Any) -> Any:
    return rc.trivial(space.group) >> space.codomain


def slack(*weights: Any) -> float:
    """Projections, norms and quotients of them, each some dim eps, for what is of the size of the weights or of 1."""
    return float(sum(64 * max(sum(W.shape), 8) ** 2 * EPS * (1 + float(W.detach().square().sum())) for W in weights))


def by_hand(model: Any, space: Any, norm: Any, weight: float = 1.0, biases: bool = True, **options: Any) -> Any:
    """The sum over the weights, one after the other, by ``rct.penalty``."""
    equivariant = options.pop("equivariant", 0.0) / weight
    total = rct.penalty(model[0].weight, space, norm, equivariant=equivariant, **options)
    if biases:
        total = total + rct.penalty(model[0].bias, invariant(space), norm, equivariant=equivariant, **options)
    return weight * total


@GROUPS
@pytest.mark.parametrize("norm", ["fro", "fro2", "nuclear", (2, 1)], ids=str)
def test_the_penalty_of_a_model_is_the_sum_over_its_weights(space: Any, norm: Any) -> None:
    space, model = space(), model_of(space())
    allowed = slack(*model.parameters())
    for options in OPTIONS:
        penalty = rct.Penalty(model, {"0": space}, norm=norm, weight=0.5, **options)
        expected = torch.autograd.grad(by_hand(model, space, norm, 0.5, **options), list(model.parameters()), allow_unused=True)
        value = penalty()
        found = torch.autograd.grad(value, list(model.parameters()), allow_unused=True)
        assert abs(float(value.detach() - by_hand(model, space, norm, 0.5, **options).detach())) <= allowed
        assert abs(float(sum(penalty.parts().values())) - float(value.detach())) <= allowed
        for f, e in zip(found, expected, strict=True):
            assert (f is None) == (e is None)
            assert f is None or float((f - e).abs().max()) <= allowed


@pytest.mark.parametrize("norm", ["fro", "fro2", pytest.param("auto", marks=pytest.mark.slow)])
@pytest.mark.parametrize("space", [SPACES["D4"], SPACES["Q8"]], ids=["D4", "Q8"])
def test_jax_and_torch_agree(space: Any, norm: Any) -> None:
    space, model = space(), model_of(space())
    allowed = slack(*model.parameters())
    with jax.enable_x64(True):
        params = params_of(model)
        for options in ({"equivariant": 0.25, "relative": True},):
            penalty = rct.Penalty(model, {"0": space}, norm=norm, steps=500, **options)
            reg = rcj.regulariser(params, {"0": space}, norm=norm, steps=500, **options)
            (value, state), grad = jax.jit(jax.value_and_grad(reg, has_aux=True))(params, reg.init(params))
            model.zero_grad()
            expected = penalty()
            expected.backward()
            # 500 steps of power iteration are converged: the ratio of the first two singular values is above 1.02 here.
            near = allowed if norm != "auto" else 1e-6
            assert abs(float(value) - float(expected.detach())) <= near
            assert int(state.step) == 1
            for name, p in model[0].named_parameters():
                assert np.abs(grad["0"][name] - p.grad.numpy()).max() <= near


@GROUPS
@pytest.mark.parametrize("norm", ["fro", "fro2", "spectral", "nuclear", "auto"])
@pytest.mark.parametrize("relative", [False, True])
def test_at_zero_and_in_the_space_nothing_is_nan(space: Any, norm: Any, relative: bool) -> None:
    space = space()
    for scale in (0.0, 1.0):
        model = model_of(space)
        penalty = rct.Penalty(model, {"0": space}, norm=norm, relative=relative, equivariant=0.5 * (1 - scale))
        penalty.project_()
        with torch.no_grad():
            for p in model.parameters():
                p.mul_(scale)
        penalty().backward()
        for p in model.parameters():
            assert torch.isfinite(p.grad).all()
            assert scale or not p.grad.any()


@pytest.mark.parametrize("norm", ["fro", "spectral", "auto"])
@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_at_zero_and_in_the_space_nothing_is_nan_in_jax(norm: str, scale: float) -> None:
    space = SPACES["D4"]()
    with jax.enable_x64(True):
        params = rcj.symmetrize(jax.tree.map(lambda p: scale * p, params_of(model_of(space))), {"0": space})
        reg = rcj.regulariser(params, {"0": space}, norm=norm, relative=True, equivariant=0.5 * (1 - scale))
        grad = jax.jit(jax.grad(reg, has_aux=True))(params, reg.init(params))[0]
    for p in grad["0"].values():
        assert np.isfinite(p).all()
        assert scale or not p.any()


@GROUPS
def test_the_gradient_is_that_of_differences(space: Any) -> None:
    space, model = space(), model_of(space())
    for options in ({"norm": "fro"}, {"norm": "fro", "relative": True, "equivariant": 0.5}, {"norm": "fro2", "equivariant": 0.5}):
        penalty = rct.Penalty(model, {"0": space}, **options)
        model.zero_grad()
        penalty().backward()
        torch.manual_seed(1)
        for p in model.parameters():
            along = torch.randn_like(p)
            h = 1e-4
            values = []
            with torch.no_grad():
                for sign in (1, -2, 1):
                    p.add_(sign * h * along)
                    values.append(float(penalty()))
            slope = (values[0] - values[1]) / (2 * h)
            # The third derivative of a norm of size r is of order |d|^3 / r^2; values are exact to eps |W|.
            size = max(float(rct.penalty(p, space if p.ndim == 2 else invariant(space)).detach()), 1e-3)
            allowed = h * h * float(along.norm()) ** 3 / size**2 + slack(*model.parameters()) / h
            assert abs(slope - float((p.grad * along).sum())) <= allowed


@GROUPS
def test_both_domains_are_equal(space: Any) -> None:
    space, model = space(), model_of(space())
    found = []
    for structure in ("canonical", "schur"):
        plan = rc.plan(rc.solve(space)) if structure == "canonical" else rc.plan(space, structure="schur")
        penalty = rct.Penalty(model, {"0.weight": plan}, norm="fro")
        model.zero_grad()
        value = penalty()
        value.backward()
        found.append((float(value.detach()), model[0].weight.grad.clone()))
    (v, g), (v2, g2) = found
    assert abs(v - v2) <= slack(model[0].weight)
    assert float((g - g2).abs().max()) <= slack(model[0].weight)


@GROUPS
def test_pooled_and_single_projections_are_equal(space: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    space, model = space(), model_of(space())
    found = []
    for most in (2**16, 0):
        monkeypatch.setattr("repcore_torch.residuals._MOST", most)
        for norm in ("fro", "fro2", "spectral"):
            for options in ({}, {"weight": {"0.weight": 0.5, "**": 2.0}}):
                penalty = rct.Penalty(model, {"0": space}, norm=norm, **options)
                model.zero_grad()
                value = penalty()
                value.backward()
                found.append([float(value.detach()), *(p.grad.clone() for p in model.parameters())])
    half = len(found) // 2
    for first, second in zip(found[:half], found[half:], strict=True):
        for a, b in zip(first, second, strict=True):
            assert float(torch.as_tensor(a - b).abs().max()) <= 1e3 * slack(*model.parameters())  # 32 steps of an iteration


@GROUPS
def test_the_report_is_the_defect(space: Any) -> None:
    space, model = space(), model_of(space())
    found = rct.Penalty(model, {"0": space}).report()["0.weight"]
    exact = rc.defect(model[0].weight.detach().numpy(), space)
    assert abs(found.distance - exact.distance) <= slack(model[0].weight)
    assert found.mean is None or abs(found.mean - exact.mean) <= slack(model[0].weight)


# ------------------------------------------------------------------------------------------------- baselines


@GROUPS
def test_residual_pathways_are_this_penalty(space: Any) -> None:
    # The prior (a |A|^2 + b |B|^2) / 2 at the best split of W = A + B is fro2 with weight b and equivariant ab / (a + b).
    space, a, b = space(), 3.0, 0.5
    model = model_of(space)
    W = model[0].weight.detach().clone()
    expected = float(rct.Penalty(model, {"0.weight": space}, norm="fro2", weight=b, equivariant=a * b / (a + b))().detach())
    prior = rct.residual(model[0], "weight", space)
    chain = model[0].parametrizations["weight"]
    P = rct.Projector(space)
    assert float((model[0].weight - W).detach().abs().max()) <= slack(W)
    with torch.no_grad():
        A = b / (a + b) * P(W)
        chain.original0.copy_(P.coefficients(A))
        chain.original1.copy_(W - A)
    assert float((model[0].weight - W).detach().abs().max()) <= slack(W)
    assert abs(float(prior(a, b).detach()) - expected) <= 8 * slack(W)
    torch.manual_seed(2)
    for _ in range(5):
        with torch.no_grad():
            other = chain.original0.clone().normal_()
            split = (a * P.expand(other).square().sum() + b * (W - P.expand(other)).square().sum()) / 2
        assert float(split) >= expected - 8 * slack(W)


@GROUPS
def test_the_sampled_operator_penalty_has_the_exact_mean(space: Any) -> None:
    space = space()
    W = model_of(space)[0].weight.detach()
    moves = rct.Moves(space.domain, space.codomain, count=400)
    exact = 4 * float(rct.penalty(W, space, "fro2"))
    if moves.is_exhaustive:
        assert abs(float(rct.operator_penalty(W, moves, len(moves))) - exact) <= 16 * slack(W)
        return
    each = [float(rct.operator_penalty(W, rct.Moves(space.domain, space.codomain, count=1, seed=s), 1)) for s in range(200)]
    error = np.std(each, ddof=1) / np.sqrt(len(each))
    assert 0 < abs(np.mean(each) - exact) <= 5 * error


def test_the_sampled_data_penalty_of_a_linear_model_is_that_of_its_operator() -> None:
    space = SPACES["D4"]()
    W = model_of(space)[0].weight.detach()
    moves = rct.Moves(space.domain, space.codomain)
    x = torch.eye(space.shape[1], dtype=torch.float64)
    found = rct.sampled_penalty(lambda x: x @ W.mT, x, moves, len(moves))
    assert abs(float(found) * len(x) - 4 * float(rct.penalty(W, space, "fro2"))) <= 16 * slack(W)
    equivariant = rct.project(W, space)
    assert float(rct.sampled_penalty(lambda x: x @ equivariant.mT, x, moves, 3)) <= slack(W) ** 2


def test_augmentation_moves_both_alike() -> None:
    G = rc.dihedral(4)
    X, Y = 2 * G.rep + rc.trivial(G), G.rep
    moves = rct.Moves(X, Y)
    x = torch.randn(500, 5, dtype=torch.float64)
    y = x[:, :2] * x[:, 4:] + x[:, 2:4]  # equivariant
    gx, gy = rct.augment(x, y, moves)
    assert float((gx[:, :2] * gx[:, 4:] + gx[:, 2:4] - gy).abs().max()) <= 64 * EPS * float(x.abs().max()) ** 2
    assert not torch.equal(gx, x)
    # Each of 8 elements for about an eighth of 500 rows: five standard deviations of a binomial are 37.
    kept = (gx == x).all(-1).sum()
    assert abs(int(kept) - 500 / 8) <= 37
    for bad in ((x, y[:3]), (x[0], y[0])):
        with pytest.raises(rc.IncompatibleError, match="have shapes"):
            rct.augment(*bad, moves)


def test_moves_of_other_groups_and_counts_are_refused() -> None:
    with pytest.raises(rc.IncompatibleError, match="rep_out"):
        rct.Moves(rc.cyclic(4).rep, rc.cyclic(8).rep)
    moves = rct.Moves(rc.cyclic(4).rep, rc.cyclic(4).rep)
    with pytest.raises(rc.IncompatibleError, match="samples"):
        rct.operator_penalty(torch.eye(2), moves, 0)
    with pytest.raises(rc.IncompatibleError, match="x has shape"):
        moves.act("in", 0, torch.ones(3))


# --------------------------------------------------------------------------------------------- spectral and auto


def wide_space() -> Any:
    V = rc.dihedral(4).rep
    return 8 * V >> 6 * V


def test_spectral_converges_and_says_how_far_it_is() -> None:
    space = wide_space()
    model = model_of(space)
    penalty = rct.Penalty(model, {"0": space}, norm="spectral")
    exact = float(by_hand(model, space, "spectral").detach())
    for _ in range(200):
        value = penalty()
    assert -slack(model[0].weight) <= exact - float(value.detach()) <= 1e-9 * exact
    value, error, upper = penalty.estimates()["0.weight"]
    single = float(rct.penalty(model[0].weight, space, "spectral").detach())
    assert abs(single - float(value)) <= float(error) + slack(model[0].weight)
    assert single <= float(upper) * (1 + slack(model[0].weight))


@pytest.mark.parametrize("norm", ["spectral", "auto", "fro"])
def test_a_resumed_run_goes_on_as_it_would_have(norm: str) -> None:
    space = wide_space()
    runs = []
    for pause in (None, 7):
        model = model_of(space)
        penalty = rct.Penalty(model, {"0": space}, norm=norm, weight=rct.Ramp(0.0, 1.0, 10), every=2, revise=3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        values = []
        for step in range(15):
            if step == pause:
                saved = copy.deepcopy(penalty.state_dict())
                penalty = rct.Penalty(model, {"0": space}, norm=norm, weight=rct.Ramp(0.0, 1.0, 10), every=2, revise=3)
                penalty.load_state_dict(saved)
            optimizer.zero_grad()
            loss = model(torch.ones(1, 16, dtype=torch.float64)).square().sum() + penalty()
            loss.backward()
            optimizer.step()
            values.append(float(loss.detach()))
        runs.append(values)
    assert runs[0] == runs[1]


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    space = wide_space()
    model = model_of(space)
    penalty = rct.Penalty(model, {"0": space}, norm="spectral")
    penalty()
    before = penalty.state_dict()
    other = rct.Penalty(model_of(SPACES["D4"]()), {"0": SPACES["D4"]()}, norm="spectral")
    for state in (other.state_dict(), {}, {**before, "step": -1}, {**before, "terms": []}):
        with pytest.raises(rc.IncompatibleError, match="state"):
            penalty.load_state_dict(state)
    after = penalty.state_dict()
    assert after["step"] == before["step"] == 1
    assert all(torch.equal(v, after["terms"][0]["vectors"][k]) for k, v in before["terms"][0]["vectors"].items())


@pytest.mark.parametrize("relative", [False, True])
def test_auto_takes_the_spectral_norm_of_a_residual_with_one_direction(relative: bool) -> None:
    G = rc.dihedral(4)
    space = 8 * G.rep >> 8 * rc.trivial(G)  # no map but zero: the residual is the weight
    for rank, chosen in ((1, "spectral"), (8, "fro")):
        model = model_of(space)
        torch.manual_seed(0)
        with torch.no_grad():
            model[0].weight.copy_(torch.randn(8, rank, dtype=torch.float64) @ torch.randn(rank, 16, dtype=torch.float64))
        penalty = rct.Penalty(model, {"0.weight": space}, norm="auto", relative=relative)
        value = float(penalty().detach())
        assert penalty.state_dict()["terms"][0]["norms"] == {"0.weight": chosen}
        exact = float(rct.penalty(model[0].weight, space, chosen, relative=relative).detach())
        assert abs(value - exact) <= slack(model[0].weight)


# ------------------------------------------------------------------------------------------------ weights, steps


def test_weights_by_layer_by_schedule_and_every_so_many_steps() -> None:
    V = rc.dihedral(4).rep
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)).double()
    rules = {"*": V >> V}
    parts = rct.Penalty(model, rules).parts()
    penalty = rct.Penalty(model, rules, weight={"0": 2.0, "**.bias": lambda step: 10.0 * step, "**": 0.5}, every=3)
    scale = {"0.weight": 2.0, "0.bias": 2.0, "1.weight": 0.5}
    for step in range(7):
        expected = sum(scale.get(path, 10.0 * step) * value for path, value in parts.items())
        with torch.no_grad():
            assert abs(float(penalty() - expected)) <= slack(*model.parameters()) * 60
        found = penalty()
        assert abs(float(found.detach() - (0 if step % 3 else 3 * expected))) <= slack(*model.parameters()) * 180
    assert penalty.step_count == 7
    plain = rct.Penalty(model, rules, every=2, scaled=False)
    first, second = plain(), plain()
    assert abs(float(first.detach() - sum(parts.values()))) <= slack(*model.parameters())
    assert second.item() == 0.0


def test_several_groups_are_a_weighted_sum() -> None:
    C4, D4 = rc.cyclic(4).rep, rc.dihedral(4).rep
    model = torch.nn.Sequential(torch.nn.Linear(2, 2)).double()
    both = rct.Penalty(model, [({"0": C4 >> C4}, 2.0), ({"0": D4 >> D4}, 0.5)])
    one, other = rct.Penalty(model, {"0": C4 >> C4}), rct.Penalty(model, {"0": D4 >> D4})
    assert abs(float((both() - 2 * one() - 0.5 * other()).detach())) <= slack(*model.parameters())
    with pytest.raises(rc.IncompatibleError, match="generate together"):
        both.project_()
    assert len(both.sites) == 2
    with jax.enable_x64(True):
        params = params_of(model)
        reg = rcj.regulariser(params, [({"0": C4 >> C4}, 2.0), ({"0": D4 >> D4}, 0.5)])
        assert abs(float(reg(params, reg.init(params))[0]) - float(both().detach())) <= slack(*model.parameters())


def test_jax_schedules_are_traced_and_steps_between_are_zero() -> None:
    space = SPACES["C4"]()
    with jax.enable_x64(True):
        params = params_of(model_of(space))
        full = rcj.regulariser(params, {"0": space})
        whole = float(full(params, full.init(params))[0])
        reg = rcj.regulariser(params, {"0": space}, weight=optax.linear_schedule(0.0, 1.0, 4), every=2)
        state, run, values = reg.init(params), jax.jit(reg), []
        for _ in range(6):
            value, state = run(params, state)
            values.append(float(value))
    assert values[1::2] == [0.0] * 3
    assert np.abs(np.array(values[::2]) - [0, whole, 2 * whole]).max() <= 64 * EPS * whole


def test_a_ramp_is_monotone_and_ends() -> None:
    for shape in ("linear", "cosine"):
        ramp = rct.Ramp(2.0, 0.5, 40, shape=shape, delay=10)
        values = [ramp(step) for step in range(60)]
        assert values[:11] == [2.0] * 11
        assert values[50:] == [0.5] * 10
        assert all(a >= b for a, b in pairwise(values))
        assert abs(ramp(30) - 1.25) <= 4 * EPS
    for bad in ((-1.0, 1.0, 1), (0.0, float("inf"), 1), (0.0, 1.0, 0)):
        with pytest.raises(rc.IncompatibleError):
            rct.Ramp(*bad)
    with pytest.raises(rc.IncompatibleError, match="shape"):
        rct.Ramp(0.0, 1.0, 1, shape="square")
    with pytest.raises(rc.IncompatibleError, match="delay"):
        rct.Ramp(0.0, 1.0, 1, delay=-1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": -1.0}, "weight: is -1"),
        ({"weight": {"1": 1.0}}, "means no penalised weight"),
        ({"weight": {"0.bias": 1.0}}, r"no pattern means '0\.weight'"),
        ({"equivariant": float("nan")}, "equivariant"),
        ({"norm": "schatten"}, "norm is"),
        ({"reduction": "max"}, "reduction"),
        ({"reduction": "mean", "relative": True}, "choose one"),
        ({"every": 0}, "every"),
        ({"steps": True}, "steps"),
        ({"rules": []}, "pairs"),
        ({"rules": "negative"}, "weight -1"),
        ({"rules": "nothing"}, "means no weight"),
        ({"rules": "bias", "biases": False}, "biases only"),
    ],
)
def test_what_means_nothing_is_refused_in_both(options: dict[str, Any], message: str) -> None:
    space = SPACES["C4"]()
    model = model_of(space)
    named = {
        "negative": [({"0": space}, -1.0)],
        "nothing": {"1": space},
        "bias": {"0.bias": invariant(space)},
    }
    options = dict(options)
    rules = options.pop("rules", {"0": space})
    rules = named[rules] if isinstance(rules, str) else rules
    with pytest.raises(rc.IncompatibleError, match=message):
        rct.Penalty(model, rules, **options)
    if isinstance(rules, dict):  # paths of a pytree are joined by /
        rules = {key.replace(".", "/"): value for key, value in rules.items()}
    if isinstance(options.get("weight"), dict):
        options["weight"] = {key.replace(".", "/"): value for key, value in options["weight"].items()}
    with pytest.raises(rc.IncompatibleError, match=message.replace(r"\.", "/")):
        rcj.regulariser(params_of(model), rules, **options)


# ------------------------------------------------------------------------------------------------ kinds of models


def test_frozen_and_shared_weights_count_once() -> None:
    V = rc.dihedral(4).rep
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)).double()
    free = rct.Penalty(model, {"*": V >> V})
    value = float(free().detach())
    model[0].weight.requires_grad_(False)
    free().backward()
    assert model[0].weight.grad is None
    assert model[1].weight.grad is not None
    assert float(free().detach()) == value
    for p in model.parameters():
        p.requires_grad_(False)
    assert not free().requires_grad
    for p in model.parameters():
        p.requires_grad_(True)
    model[1].weight = model[0].weight
    shared = rct.Penalty(model, {"*": V >> V})
    assert [site.path for site in shared.sites] == ["0.weight", "0.bias", "1.bias"]
    with pytest.raises(rc.IncompatibleError, match="one tensor"):
        rct.Penalty(model, {"0": V >> V, "1": rc.cyclic(4).rep >> rc.cyclic(4).rep})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_single(dtype: Any) -> None:
    space = SPACES["D4"]()
    model = model_of(space, dtype=dtype)
    penalty = rct.Penalty(model, {"0": space}, norm="fro")
    value = penalty()
    value.backward()
    wide = model_of(space, dtype=dtype).double()
    expected = by_hand(wide, space, "fro")
    expected.backward()
    single = float(np.finfo(np.float32).eps)
    assert value.dtype == torch.float32
    assert abs(float((value - expected).detach())) <= 64 * sum(space.shape) * single * float(expected.detach())
    for p, q in zip(model.parameters(), wide.parameters(), strict=True):
        assert p.grad.dtype == dtype
        assert float((p.grad.double() - q.grad).abs().max()) <= 2 * torch.finfo(dtype).eps


def test_it_follows_a_model_that_is_cast_and_one_without_data() -> None:
    space = SPACES["C4"]()
    model = model_of(space)
    for norm in ("fro", "spectral"):
        penalty = rct.Penalty(model.double(), {"0": space}, norm=norm)
        exact = float(penalty().detach())
        single = penalty if norm == "fro" else rct.Penalty(model.float(), {"0": space}, norm=norm)
        model.float()
        assert abs(float(single().detach()) - exact) <= 64 * sum(space.shape) * float(np.finfo(np.float32).eps) * exact
    meta = rct.Penalty(model.to("meta"), {"0": space}, norm="fro")
    value = meta()
    value.backward()
    assert value.device.type == "meta"
    assert model[0].weight.grad.device.type == "meta"


def test_autocast_does_not_round_the_projection() -> None:
    space = SPACES["SO(3)"]()
    model = model_of(space, dtype=torch.float32)
    penalty = rct.Penalty(model, {"0": space}, norm="fro")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = penalty()
    assert rounded.item() == penalty().item()


def test_kernels_attentions_and_turned_layers_are_read_as_their_rules_say() -> None:
    G = rc.cyclic(4)
    V, R = G.rep, rc.regular(G)
    model = torch.nn.ModuleDict(
        {
            "conv": torch.nn.Conv2d(4, 8, 3),
            "turned": torch.nn.ConvTranspose2d(4, 8, 3),
            "grouped": torch.nn.Conv2d(8, 8, 1, groups=2),
            "attention": torch.nn.MultiheadAttention(8, 2),
        }
    ).double()
    rules = {
        "conv": rc.Rule(R >> 2 * R, spatial=V),
        "turned": rc.Rule(R >> 2 * R, spatial=V),
        "grouped": R >> R,
        "attention": 2 * R >> 2 * R,
    }
    sites = rct.sites(model, rules)
    for norm in ("fro", "fro2", "spectral"):
        penalty = rct.Penalty(model, rules, norm=norm, weight={"conv": 2.0, "**": 1.0})
        for _ in range(60 if norm == "spectral" else 1):
            value = penalty()
        model.zero_grad()
        value.backward()
        expected = 0
        for site in sites:
            part = rct.penalty(site.view.read(model.get_parameter(site.path)), site.plan, norm).sum()
            expected = expected + (2.0 if site.path.startswith("conv") else 1.0) * part
        found = [p.grad.clone() for p in model.parameters()]
        model.zero_grad()
        expected.backward()
        near = 1e-6 if norm == "spectral" else slack(*model.parameters())
        assert abs(float((value - expected).detach())) <= near
        if norm != "spectral":
            for f, p in zip(found, model.parameters(), strict=True):
                assert float((f - p.grad).abs().max()) <= near


def test_second_derivatives_of_fro2_are_the_complement() -> None:
    space = SPACES["C4"]()
    model = model_of(space)
    W = model[0].weight
    penalty = rct.Penalty(model, {"0.weight": space}, norm="fro2", equivariant=0.25)
    (grad,) = torch.autograd.grad(penalty(), W, create_graph=True)
    along = torch.randn_like(W)
    (found,) = torch.autograd.grad(grad, W, along)
    P = rct.Projector(space)
    assert float((found - (along - 0.75 * P(along))).abs().max()) <= slack(along)


def test_complex_weights() -> None:
    V = rc.Group(discrete=[[["I", 0], [0, "-I"]]]).rep
    space = 2 * V >> V * V + V
    model = model_of(space)
    model[0].weight = torch.nn.Parameter(torch.randn(*space.shape, dtype=torch.complex128))
    for norm in ("fro", "fro2"):
        penalty = rct.Penalty(model, {"0.weight": space}, norm=norm, equivariant=0.5)
        model.zero_grad()
        value = penalty()
        value.backward()
        found = model[0].weight.grad.clone()
        model.zero_grad()
        expected = rct.penalty(model[0].weight, space, norm, equivariant=0.5)
        expected.backward()
        allowed = 64 * sum(space.shape) ** 2 * EPS * 64
        assert value.dtype == torch.float64
        assert abs(float((value - expected).detach())) <= allowed
        assert float((found - model[0].weight.grad).abs().max()) <= allowed
    with pytest.raises(rc.IncompatibleError, match="is complex"):
        rct.Penalty(model_of(space), {"0.weight": space})


@pytest.mark.slow
def test_a_large_layer_takes_no_more_than_some_copies_of_its_weight() -> None:
    # 42 copies of the regular representation of D4: Q would be 112,896 x 14,112 numbers of 4 bytes, 6.4 GB.
    code = """
import resource, torch, repcore as rc, repcore_torch as rct
torch.set_num_threads(1)
R = rc.regular(rc.dihedral(4))
layer = torch.nn.Linear(42 * 8, 42 * 8)
other = torch.nn.Linear(8, 8)
for model, X in ((other, R), (layer, 42 * R)):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for norm in ("fro", "spectral"):
        rct.Penalty(model, {"weight": X >> X}, norm=norm)().backward()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 200
