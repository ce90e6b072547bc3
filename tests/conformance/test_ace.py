"""ACE in PyTorch and JAX: the same gammas, weights, gradients and moves from the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

import repcore_jax as rcj  # noqa: E402
import repcore_torch as rct  # noqa: E402

D4 = rc.dihedral(4)
RULES = {"a": "V >> 2*regular + V", "b": "2*regular + V >> V"}
PERS = ["layer", "channel", "irrep", "shared"]
CONTROLLERS = {
    # The default but for its wait of 20 moves, which no test here is long enough for.
    "resilient": rc.Resilient(0.1, 0.1, rc.Stepper(0.1, clip=0.3, schedule=lambda move: move >= 2), rc.Stepper(0.1)),
    "Algorithm 1": rc.Equality.paper(0.1, 0.05),
    "Algorithm 2": rc.Resilient.paper(0.5, 0.1, 0.1),
    "augmented": rc.AugmentedLagrangian(0.5),
    "inequality": rc.Inequality(0.05, rc.Stepper(0.1, "adam"), rc.Stepper(0.1, "adam")),
    "proximal": rc.Proximal(0.2),
    "schedule": rc.Schedule(lambda step: 0.5 / (1 + step)),
    "fixed": rc.Fixed(),
}
# Some hundred operations on numbers below 10, of sums of up to 18 terms.
BOUND = 1e4 * float(np.finfo(np.float32).eps)


def weights() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "a": {"weight": rng.standard_normal((18, 2)), "bias": rng.standard_normal(18)},
        "b": {"weight": rng.standard_normal((2, 18)), "bias": rng.standard_normal(2)},
    }


class Both:
    """The same two layers in both frameworks, and a loss that depends on their weights."""

    def __init__(self, **options: Any) -> None:
        held = weights()
        self.model = torch.nn.ModuleDict({name: torch.nn.Linear(*w["weight"].shape[::-1]) for name, w in held.items()})
        self.model.forward = lambda x: self.model["b"](torch.tanh(self.model["a"](x)))
        with torch.no_grad():
            for name, layer in held.items():
                for key, value in layer.items():
                    getattr(self.model[name], key).copy_(torch.from_numpy(value))
        self.params = {n: {k: jnp.asarray(v, jnp.float32) for k, v in w.items()} for n, w in held.items()}
        self.ace = rct.ACE(self.model, RULES, symmetry=D4, **options)
        self.method = rcj.ace(self.params, RULES, symmetry=D4, **options)
        self.split, self.state = self.method.init(self.params)
        self.x = np.random.default_rng(1).standard_normal((9, 2)).astype(np.float32)

    def torch_loss(self) -> Any:
        return self.model(torch.from_numpy(self.x)).square().sum() / 9

    def jax_loss(self, split: Any, gamma: Any) -> Any:
        W = self.method.expand(split, gamma)
        h = jnp.tanh(self.x @ W["a"]["weight"].T + W["a"]["bias"])
        return ((h @ W["b"]["weight"].T + W["b"]["bias"]) ** 2).sum() / 9

    def gammas(self) -> tuple[np.ndarray, np.ndarray]:
        ours, theirs = self.ace.gamma, self.state.gamma
        assert "shared" in theirs or list(ours) == list(theirs)
        first = [next(iter(ours.values()))] if "shared" in theirs else list(ours.values())
        return torch.cat(first).numpy(), np.concatenate([np.asarray(g) for g in theirs.values()])


@pytest.mark.parametrize("scale", ["equivariant", 2.0])
@pytest.mark.parametrize("per", PERS)
def test_the_same_split(per: str, scale: Any) -> None:
    both = Both(per=per, scale=scale)
    one, other = both.gammas()
    assert np.allclose(one, other, rtol=BOUND, atol=0)
    back = both.method.expand(both.split, both.state.gamma)
    for name, layer in weights().items():
        for key, value in layer.items():
            if per != "shared":
                assert np.allclose(np.asarray(back[name][key]), value, rtol=0, atol=BOUND)
            assert np.allclose(np.asarray(back[name][key]), getattr(both.model[name], key).detach(), rtol=0, atol=BOUND)
    ours, theirs = both.ace.defects(), both.method.defects(both.split, both.state)
    assert np.allclose(list(ours.values()), np.array(list(theirs.values())), rtol=BOUND)
    one, other = both.ace.bounds(), both.method.bounds(both.split, both.state)
    assert np.allclose([one.dropping, one.equivariance], [other.dropping, other.equivariance], rtol=BOUND)


@pytest.mark.parametrize("per", PERS)
def test_the_same_gradients(per: str) -> None:
    both = Both(per=per)
    both.torch_loss().backward()
    of_split, of_gamma = jax.grad(both.jax_loss, argnums=(0, 1))(both.split, both.state.gamma)
    flat = np.concatenate([np.asarray(g) for g in of_gamma.values()])
    assert np.allclose(both.ace._family.gradient.numpy(), flat, rtol=0, atol=BOUND * max(1, abs(flat).max()))
    for name in weights():
        for key in ("weight", "bias"):
            pair = of_split[name][key]
            chain = both.model[name].parametrizations[key]
            for ours, theirs in ((chain.original.grad, pair["theta"]), (chain[0].free.grad, pair["free"])):
                assert np.allclose(ours.numpy(), np.asarray(theirs), rtol=0, atol=BOUND * max(1.0, float(abs(flat).max())))


@pytest.mark.parametrize("controller", CONTROLLERS.values(), ids=CONTROLLERS)
def test_the_same_moves(controller: rc.Controller) -> None:
    both = Both(controller=controller, every=2, steps=20)
    update = jax.jit(lambda state, split: both.method.update(jax.grad(both.jax_loss, argnums=1)(split, state.gamma), state))
    for _ in range(20):
        both.ace.step(both.torch_loss)
        both.state = update(both.state, both.split)
    one, other = both.gammas()
    assert np.allclose(one, other, rtol=0, atol=BOUND)
    if not isinstance(controller, rc.Fixed):
        assert int(both.state.moves) == 8  # frozen after 16 steps
        assert not np.allclose(one, Both().gammas()[0], rtol=0, atol=1e-3)
    for name, value in both.ace._state.items():
        assert np.allclose(value.numpy(), np.asarray(both.state.controller[name]), rtol=0, atol=BOUND)
    ours, theirs = both.ace.moment(), both.method.moment(both.split, both.state)
    assert ours.step == theirs.step
    assert np.allclose([*ours.defect.values()], [*theirs.defect.values()], rtol=BOUND, atol=BOUND)
    assert ours.residuals.keys() == theirs.residuals.keys()


@pytest.mark.parametrize("per", PERS)
def test_at_zero_weights_are_strict_bit_by_bit_in_jax(per: str) -> None:
    both = Both(per=per)
    zero = {name: 0 * gamma for name, gamma in both.state.gamma.items()}
    strict = both.method.symmetry.expand(both.method.symmetry.coefficients(both.params))
    for expand in (both.method.expand, jax.jit(both.method.expand)):
        found = jax.tree.leaves(expand(both.split, zero))
        off = jax.tree.leaves(both.method.expand(both.split, both.state.gamma, branch=False))
        assert all((a == b).all() for a, b in zip(found, off, strict=True))
    assert all((a == b).all() for a, b in zip(off, jax.tree.leaves(strict), strict=True))


def test_a_resumed_run_of_jax_is_the_same() -> None:
    import optax

    both = Both(every=2, controller=rc.Resilient(primal=rc.Stepper(0.1, "adam")))
    tx = optax.adam(1e-2)

    @jax.jit
    def advance(split: Any, state: Any, moments: Any) -> Any:
        updates, moments = tx.update(jax.grad(both.jax_loss)(split, state.gamma), moments)
        split = optax.apply_updates(split, updates)
        return split, both.method.update(jax.grad(both.jax_loss, argnums=1)(split, state.gamma), state), moments

    at = both.split, both.state, tx.init(both.split)
    for _ in range(5):
        at = advance(*at)
    leaves, structure = jax.tree.flatten(at)
    kept = jax.tree.unflatten(structure, [jnp.asarray(np.asarray(leaf).copy()) for leaf in leaves])
    for _ in range(5):
        at, kept = advance(*at), advance(*kept)
    assert all((a == b).all() for a, b in zip(jax.tree.leaves(at), jax.tree.leaves(kept), strict=True))
    assert int(at[1].moves) == 5


@pytest.mark.parametrize(
    "options",
    [
        {"per": "row"},
        {"scale": 0},
        {"every": 0},
        {"steps": 0},
        {"freeze": -1},
        {"gamma": float("inf")},
        {"controller": 1.0},
    ],
)
def test_options_that_make_no_sense_are_refused_in_jax(options: dict[str, Any]) -> None:
    with pytest.raises(rc.IncompatibleError):
        rcj.ace(weights(), RULES, symmetry=D4, **options)
    with pytest.raises(rc.IncompatibleError):
        rcj.ace(weights(), RULES, symmetry=D4).expand(weights(), {})


@pytest.mark.parametrize("per", PERS)
def test_gamma_has_a_gradient_at_zero(per: str) -> None:
    both = Both(per=per)
    zero = {name: 0 * gamma for name, gamma in both.state.gamma.items()}
    both.ace.gamma = 0.0
    both.torch_loss().backward()
    for of_gamma in (jax.grad(both.jax_loss, argnums=1), jax.jit(jax.grad(both.jax_loss, argnums=1))):
        flat = np.concatenate([np.asarray(g) for g in of_gamma(both.split, zero).values()])
        assert abs(flat).max() > 1e-3
        assert np.allclose(both.ace._family.gradient.numpy(), flat, rtol=0, atol=BOUND * max(1, abs(flat).max()))
