"""Decay, threshold and projection in the step of the optimiser, in both frameworks."""

from __future__ import annotations

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
V = rc.dihedral(4).rep
SPACE = 3 * V >> 2 * V + rc.trivial(rc.dihedral(4))


def model_of() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Linear(5, 1)).double()


def still(optimizer: Any, model: Any) -> None:
    """A step whose gradients are zero."""
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()


def parts_of(model: Any) -> tuple[Any, Any]:
    W = model[0].weight.detach().clone()
    PW = rct.project(W, SPACE)
    return PW, W - PW


def allowed(*parts: Any) -> float:
    return 64 * 11 * EPS * sum(float(p.norm()) for p in parts)


@pytest.mark.parametrize("mode", ["decay", "proximal", "project"])
@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.AdamW], ids=lambda make: make.__name__)
def test_each_mode_is_its_formula_at_the_rate_of_the_group(mode: Any, make: Any) -> None:
    model = model_of()
    groups = [{"params": [model[0].weight], "lr": 0.25}, {"params": [model[0].bias, *model[1].parameters()], "lr": 0.125}]
    optimizer = make(groups, lr=1.0, weight_decay=0.0)
    rct.EquivarianceDecay(optimizer, model, {"0": SPACE}, weight=2.0, mode=mode)
    PW, R = parts_of(model)
    bias, free = model[0].bias.detach().clone(), model[1].weight.detach().clone()
    still(optimizer, model)
    share = {"decay": 0.5, "proximal": max(0.0, 1 - 0.5 / float(R.norm())), "project": 0.0}[mode]
    assert float((model[0].weight - PW - share * R).detach().norm()) <= allowed(PW, R)
    inside = rct.project(bias, rc.trivial(V.group) >> SPACE.codomain)
    rest = bias - inside
    share = {"decay": 0.75, "proximal": max(0.0, 1 - 0.25 / float(rest.norm())), "project": 0.0}[mode]
    assert float((model[0].bias - inside - share * rest).detach().norm()) <= allowed(bias)
    assert torch.equal(model[1].weight, free)


def test_a_threshold_reaches_zero_and_a_decay_is_cut_at_one() -> None:
    for mode in ("proximal", "decay"):
        model = model_of()
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        rct.EquivarianceDecay(optimizer, model, {"0": SPACE}, weight=1e6, mode=mode)
        PW, R = parts_of(model)
        still(optimizer, model)
        assert float((model[0].weight - PW).detach().norm()) <= allowed(PW, R)


def test_it_follows_a_scheduler_and_leaves_frozen_weights_alone() -> None:
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    rct.EquivarianceDecay(optimizer, model, {"0": SPACE}, weight=1.0)
    PW, R = parts_of(model)
    for _ in range(3):
        still(optimizer, model)
        scheduler.step()
    # Rates 1/2, 1/4, 1/8.
    assert float((model[0].weight - PW - 0.5 * 0.75 * 0.875 * R).detach().norm()) <= allowed(PW, R)
    frozen = model[0].weight.requires_grad_(False).clone()
    still(optimizer, model)
    assert torch.equal(model[0].weight, frozen)


def test_a_step_that_the_scaler_leaves_out_does_not_decay() -> None:
    model = model_of().float()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    decay = rct.EquivarianceDecay(optimizer, model, {"0": SPACE})
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    before = model[0].weight.detach().clone()
    scaler.scale(model(torch.full((1, 6), float("inf"))).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert decay.step_count == 0
    assert torch.equal(model[0].weight, before)
    optimizer.zero_grad()
    scaler.scale(model(torch.ones(1, 6)).sum()).backward()
    scaler.step(optimizer)
    assert decay.step_count == 1


def test_every_the_state_and_removal() -> None:
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    decay = rct.EquivarianceDecay(optimizer, model, {"0": SPACE}, every=3, weight=lambda step: 1.0 if step >= 2 else 0.0)
    PW, R = parts_of(model)
    for k in range(1, 4):
        still(optimizer, model)
        moved = float((model[0].weight - PW - R).detach().norm()) > allowed(PW, R)
        assert moved == (k == 3)
    assert float((model[0].weight - PW - 0.25 * R).detach().norm()) <= allowed(PW, R)
    state = decay.state_dict()
    assert state == {"step": 3}
    decay.remove()
    other = rct.EquivarianceDecay(optimizer, model, {"0": SPACE}, every=3)
    other.load_state_dict({"step": 5})
    still(optimizer, model)
    assert other.step_count == 6
    for bad in ({}, {"step": -1}, 3):
        with pytest.raises(rc.IncompatibleError, match="state"):
            other.load_state_dict(bad)


def test_several_groups_decay_at_once() -> None:
    model = model_of()
    C = rc.cyclic(4)
    other = 3 * C.rep >> 2 * C.rep + rc.trivial(C)
    penalty = rct.Penalty(model, [({"0": SPACE}, 1.0), ({"0": other}, 2.0)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.125)
    rct.EquivarianceDecay(optimizer, penalty)
    W = model[0].weight.detach().clone()
    expected = W - 0.125 * (W - rct.project(W, SPACE)) - 0.25 * (W - rct.project(W, other))
    still(optimizer, model)
    assert float((model[0].weight - expected).detach().norm()) <= allowed(W, W)
    with pytest.raises(rc.IncompatibleError, match="one group"):
        rct.EquivarianceDecay(optimizer, penalty, mode="project")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"mode": "shrink"}, "mode"), ({"every": 0}, "every"), ({"rules": None}, "rules"), ({"weight": -1.0}, "weight")],
)
def test_what_means_nothing_is_refused(options: dict[str, Any], message: str) -> None:
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    with pytest.raises(rc.IncompatibleError, match=message):
        rct.EquivarianceDecay(optimizer, model, **{"rules": {"0": SPACE}, **options})
    assert not optimizer._optimizer_step_post_hooks
    with pytest.raises(rc.IncompatibleError, match="does not hold"):
        rct.EquivarianceDecay(torch.optim.SGD(model[1].parameters(), lr=1.0), model, {"0": SPACE})
    with pytest.raises(rc.IncompatibleError, match="rules already"):
        rct.EquivarianceDecay(optimizer, rct.Penalty(model, {"0": SPACE}), {"0": SPACE})
    with pytest.raises(rc.IncompatibleError, match="optimizer"):
        rct.EquivarianceDecay(model, model, {"0": SPACE})


@pytest.mark.parametrize("mode", ["decay", "proximal", "project"])
def test_the_link_of_optax_takes_the_same_steps(mode: str) -> None:
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    rct.EquivarianceDecay(optimizer, model, {"0": SPACE}, weight=0.5, mode=mode, every=2)
    with jax.enable_x64(True):
        params = {"0": {name: jax.numpy.asarray(p.detach().numpy()) for name, p in model[0].named_parameters()}}
        symmetry = rcj.symmetry_of(params, {"0": SPACE})
        link = rcj.equivariance_decay(symmetry, 0.5, mode, learning_rate=optax.constant_schedule(0.25), every=2)
        tx = optax.chain(optax.sgd(0.25), link)
        state = tx.init(params)
        grads = jax.tree.map(jax.numpy.ones_like, params)
        step = jax.jit(tx.update)
        for _ in range(4):
            for p in model.parameters():
                p.grad = torch.ones_like(p)
            optimizer.step()
            updates, state = step(grads, state, params)
            params = optax.apply_updates(params, updates)
            for name, p in model[0].named_parameters():
                assert np.abs(params["0"][name] - p.detach().numpy()).max() <= 64 * 11 * EPS * 8
        with pytest.raises(ValueError, match="params"):
            tx.update(grads, state)
        with pytest.raises(rc.IncompatibleError, match="mode"):
            rcj.equivariance_decay(symmetry, mode="shrink")
        with pytest.raises(rc.IncompatibleError, match="every"):
            rcj.equivariance_decay(symmetry, every=0)
