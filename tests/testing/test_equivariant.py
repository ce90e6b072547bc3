"""assert_equivariant: passes what is equivariant in any framework and dtype, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import repcore as rc
from repcore.testing import Element, groups, homs, laws
from repcore.testing.laws.rounding import unit

SO3, D4, S4 = rc.SO(3), rc.dihedral(4), rc.symmetric(4)
V = SO3.rep
check = laws.assert_equivariant


def norm_gate(x: np.ndarray) -> np.ndarray:
    return x * np.tanh(np.linalg.norm(x, axis=-1, keepdims=True))


def cross(x: np.ndarray) -> np.ndarray:
    return np.cross(x[..., :3], x[..., 3:])


HOLDS: dict[str, tuple[Callable[[Any], Any], rc.Rep, rc.Rep]] = {
    "the identity": (lambda x: x, V, V),
    "a norm gate": (norm_gate, V, V),
    "a normalisation": (lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True), V, V),
    "an inner product": (lambda x: np.sum(x * x, axis=-1, keepdims=True), V, rc.trivial(SO3)),
    "a cross product": (cross, 2 * V, V),
    "an outer product": (lambda x: (x[..., :, None] * x[..., None, :]).reshape(*x.shape[:-1], 9), V, V * V),
    "zero": (lambda x: 0 * x, V, V),
    "a constant on invariants": (lambda x: 0 * x[..., :1] + 7.0, V, rc.trivial(SO3)),
    "relu on points": (lambda x: np.maximum(x, 0), S4.rep, S4.rep),
    "sorting on points": (lambda x: np.sort(x, axis=-1), S4.rep, 4 * rc.trivial(S4)),
    "softmax on points": (lambda x: np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True), S4.rep, S4.rep),
    "a boost": (lambda x: x * (x @ np.diag([1.0, -1, -1, -1]) * x).sum(-1, keepdims=True), rc.lorentz().rep, rc.lorentz().rep),
    "homogeneous coordinates": (lambda x: 3 * x, rc.translations(2).rep, rc.translations(2).rep),
    "labelled irreps": (lambda x: x * np.sum(x * x, axis=-1, keepdims=True), rc.irrep(SO3, "2"), rc.irrep(SO3, "2")),
    "nothing to nothing": (lambda x: x, 0 * V, 0 * V),
    "a complex phase": (lambda x: x * np.abs(x) ** 2, rc.U(1).rep, rc.U(1).rep),
}


@pytest.mark.parametrize("name", HOLDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch", [(), (2, 3)], ids=["alone", "batch"])
def test_what_is_equivariant_passes(name: str, dtype: str, batch: tuple[int, ...]) -> None:
    f, X, Y = HOLDS[name]
    check(f, X, Y, dtype=dtype, batch=batch)


BREAKS: dict[str, tuple[Callable[[Any], Any], rc.Rep, rc.Rep]] = {
    "relu on vectors": (lambda x: np.maximum(x, 0), V, V),
    "a bias": (lambda x: x + 1e-9, V, V),
    "a weight that is a little off": (lambda x: x * np.array([1, 1, 1 + 1e-9]), V, V),
    "a transposed outer product": (lambda x: np.concatenate([x, x[:3] * 0 + x[3:]])[:6][::-1], 2 * V, 2 * V),
    "components before copies": (lambda x: x.reshape(3, 2).T.reshape(6), 2 * V, 2 * V),
    "a pseudovector": (cross, 2 * rc.O(3).rep, rc.O(3).rep),
    "the square of the time": (lambda x: x[..., :1], rc.lorentz().rep, rc.trivial(rc.lorentz())),
    "not a number": (lambda x: x * np.nan, V, V),
    "another irrep convention": (lambda x: x * np.array([1, 2, 1, 1, 1.0]), rc.irrep(SO3, "2"), rc.irrep(SO3, "2")),
    "the conjugate": (lambda x: x.conj(), rc.U(1).rep, rc.U(1).rep),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_not_equivariant_fails(name: str) -> None:
    f, X, Y = BREAKS[name]
    with pytest.raises(AssertionError, match="law assert_equivariant is broken"):
        check(f, X, Y)


def test_every_generator_is_asked() -> None:
    """A function that respects all but the last of several generators, without a random product."""
    P = rc.PermutationGroup(["(0 1)", "(2 3)", "(4 5)"], degree=6)
    f = lambda x: x * np.array([1, 1, 1, 1, 1, 2.0])  # noqa: E731
    with pytest.raises(AssertionError, match=re.escape("[(2, 1)]")):
        check(f, P.rep, P.rep, samples=0)


def test_the_message_is_a_counterexample() -> None:
    with pytest.raises(AssertionError) as caught:
        check(lambda x: np.maximum(x, 0), V, V)
    found: dict[str, Any] = {}
    names = {name: getattr(rc, name) for name in rc.__all__} | {"Element": Element, "array": np.array}
    for line in str(caught.value).splitlines()[2:]:
        name, _, code = line.strip().partition(" = ")
        found[name] = eval(code, names)  # noqa: S307  # our own message
    X, Y, g, x = (found[name] for name in "XYgx")
    assert len(g.word) == 1
    assert sorted(x.tolist()) == [0.0, 0.0, 1.0]
    defect = np.maximum(g.array(X) @ x, 0) - g.array(Y) @ np.maximum(x, 0)
    assert np.linalg.norm(defect) == pytest.approx(found["defect"], rel=1e-12)
    assert found["bound"] < 1e-10 < found["defect"]
    assert set(found["bound_from"]) == {"u", "operations", "scale", "noise"}


@settings(max_examples=30)
@given(homs(groups(max_dim=3), max_dim=4))
def test_equivariant_maps_pass_and_a_changed_entry_fails(space: rc.Hom) -> None:
    X, Y = space.domain, space.codomain
    basis = rc.solve(space, store=None).to_numpy(np.float64, orthonormal=True)
    W = basis.sum(axis=0)
    check(lambda x: x @ W.T, X, Y, samples=3)
    if len(basis) == W.size:  # every map is equivariant
        return
    # A map that is orthogonal to the space, unless the first unit is in it.
    outside = np.eye(W.size)[0].reshape(W.shape)
    outside = outside - rc.plan(space).project(outside)
    if np.linalg.norm(outside) < 1e-3:
        return
    moved = W + 1e-6 * outside / np.linalg.norm(outside)
    with pytest.raises(AssertionError):
        check(lambda x: x @ moved.T, X, Y, samples=3)


# ---------------------------------------------------------------------------------------------------- the tolerance


def test_deep_networks_pass_in_single_precision() -> None:
    """A hundred layers of norm gates and mixing copies, 16 copies of a vector."""
    rng = np.random.default_rng(0)
    mixes = [np.kron(rng.standard_normal((16, 16)) / 4, np.eye(3)).astype(np.float32) for _ in range(100)]

    def network(x: np.ndarray) -> np.ndarray:
        for mix in mixes:
            copies = (x @ mix.T).reshape(*x.shape[:-1], 16, 3)
            size = np.sqrt((copies * copies).sum(-1, keepdims=True) + np.float32(1e-3))
            x = (copies * np.tanh(size) / size).reshape(x.shape)
        return x

    check(network, 16 * V, 16 * V, dtype=np.float32)
    with pytest.raises(AssertionError):
        check(lambda x: network(x) + np.float32(0.05), 16 * V, 16 * V, dtype=np.float32)


@pytest.mark.parametrize("scale", [1e-150, 1e-6, 1e6, 1e150])
def test_the_bound_follows_the_size_of_the_values(scale: float) -> None:
    check(lambda x: scale * norm_gate(x), V, V)
    with pytest.raises(AssertionError):
        check(lambda x: scale * (norm_gate(x) + 1e-8), V, V)


def test_a_rounded_function_is_judged_by_its_noise() -> None:
    """Errors of 1e-10, as a long computation in double precision may have: measured, since neither dtype nor shape says so."""

    def rounded(x: np.ndarray) -> np.ndarray:
        size = np.linalg.norm(x, axis=-1, keepdims=True)
        return x * size + 1e-10 * np.sin(1e18 * x)

    check(rounded, V, V)
    with pytest.raises(AssertionError):
        check(lambda x: rounded(x) + 1e-6, V, V)


def test_more_operations_allow_more() -> None:
    def off(x: np.ndarray) -> np.ndarray:
        return x * np.array([1, 1, 1 + 1e-12])

    with pytest.raises(AssertionError):
        check(off, V, V)
    check(off, V, V, operations=10**5)


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(rc.IncompatibleError, match="bound is as large as the values"):
        check(lambda x: x, 16 * V, 16 * V, dtype=np.float16)
    rng = np.random.default_rng(0)
    with pytest.raises(rc.IncompatibleError, match="two calls with the same argument differ"):
        check(lambda x: x * (rng.random(3) > 0.5), V, V)
    with pytest.raises(rc.IncompatibleError, match=r"shape \(2,\), expected \(\*batch, dim Y\) = \(3,\)"):
        check(lambda x: x[:2], V, V)
    with pytest.raises(rc.IncompatibleError, match="different groups"):
        check(lambda x: x, V, D4.rep)
    with pytest.raises(rc.IncompatibleError, match="no array"):
        check(lambda x: {"y": x}, V, V)
    with pytest.raises(rc.IncompatibleError, match="samples"):
        check(lambda x: x, V, V, samples=-1)
    with pytest.raises(rc.IncompatibleError, match=r"like: .*got str"):
        check(lambda x: x, V, V, like="torch")


def test_errors_of_the_function_are_not_hidden() -> None:
    def broken(x: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        check(broken, V, V)


def test_units_of_rounding() -> None:
    assert [unit(d) for d in ("float16", "float32", "float64", "complex64")] == [2.0**-11, 2.0**-24, 2.0**-53, 2.0**-24]
    assert unit("int64") == 0
    with pytest.raises(rc.IncompatibleError, match="dtype"):
        unit("M8[s]")


# ------------------------------------------------------------------------------------------------------- frameworks


def test_modules_of_torch() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)

    class Gate(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = torch.nn.Linear(4, 4, bias=False)

        def forward(self, x: Any) -> Any:
            copies = x.reshape(*x.shape[:-1], 4, 3)
            copies = self.mix(copies.transpose(-1, -2)).transpose(-1, -2)
            return (copies * torch.sigmoid(copies.norm(dim=-1, keepdim=True))).reshape(x.shape)

    for dtype in (torch.float32, torch.float64):
        check(Gate().to(dtype), 4 * V, 4 * V, batch=(2,))
    check(torch.nn.ReLU(), S4.rep, S4.rep)
    check(torch.nn.functional.relu, S4.rep, S4.rep, dtype=torch.float64)
    check(torch.nn.functional.relu, S4.rep, S4.rep, like=torch.zeros((), dtype=torch.bfloat16), operations=8)
    check(lambda x: x * x.abs(), rc.U(1).rep, rc.U(1).rep, like=torch.zeros(()))
    with pytest.raises(AssertionError, match=r"Element\(SO\(3\)"):
        check(torch.nn.Linear(3, 3), V, V)
    with pytest.raises(AssertionError):
        check(torch.nn.ReLU(), V, V)


def test_dropout_of_torch_is_refused_until_it_is_switched_off() -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Dropout(0.5)
    with pytest.raises(rc.IncompatibleError, match="dropout"):
        check(layer, S4.rep, S4.rep, batch=(50,))
    check(layer.eval(), S4.rep, S4.rep)


def test_layers_of_repcore_torch() -> None:
    torch = pytest.importorskip("torch")
    rct = pytest.importorskip("repcore_torch")
    X, Y = 2 * V + 3 * rc.trivial(SO3), V * V + 2 * V
    layer = torch.nn.Linear(X.dim, Y.dim, bias=False)
    with pytest.raises(AssertionError):
        check(layer, X, Y)
    rct.constrain(layer, "weight", X >> Y)
    check(layer, X, Y)


def test_functions_of_jax() -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    gate = jax.jit(lambda x: x * jnp.tanh(jnp.linalg.norm(x, axis=-1, keepdims=True)))
    check(gate, V, V)
    check(gate, V, V, like=jnp.zeros(3), batch=(2,))
    with pytest.raises(AssertionError):
        check(jax.nn.relu, V, V, like=jnp.zeros(3))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((3, V, V), "f: expected a function, got int"),
        ((np.sin, V >> V, V), "X: expected a representation, got Hom"),
        ((np.sin, V, SO3), "Y: expected a representation, got Group"),
    ],
)
def test_wrong_arguments_are_named(arguments: Any, words: str) -> None:
    with pytest.raises(rc.IncompatibleError, match=words):
        check(*arguments)
