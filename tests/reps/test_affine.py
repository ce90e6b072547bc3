"""Affine maps: linear part and bias in one space."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import repcore as rc

D4, S4 = rc.dihedral(4), rc.symmetric(4)

PAIRS: dict[str, tuple[Any, Any]] = {
    "points": (S4.rep, S4.rep),
    "sums": (3 * S4.rep + 2 * rc.trivial(S4), S4.rep + rc.trivial(S4)),
    "no bias": (D4.rep, D4.rep),
    "bias only": (D4.rep, rc.trivial(D4)),
    "tensors": (D4.rep, D4.rep * D4.rep),
    "rotations": (rc.SO(3).rep, rc.SO(3).rep ** 2 + rc.SO(3).rep),
    "homogeneous coordinates": (rc.SE(2).rep, rc.SE(2).rep),
    "elasticity": (rc.tensors(rc.SO(3).rep, "ij=ji"), rc.tensors(rc.SO(3).rep, "ijkl=jikl=ijlk=klij")),
    "from constants": (2 * rc.trivial(D4), D4.rep + rc.trivial(D4)),
    "from nothing": (0 * D4.rep, D4.rep + rc.trivial(D4)),
    "complex": (rc.U(2).rep, rc.U(2).rep * rc.U(2).rep.dual),
}


@pytest.mark.parametrize("case", PAIRS)
def test_dimensions_add(case: str) -> None:
    X, Y = PAIRS[case]
    maps = rc.affine_maps(X, Y)
    basis = rc.solve(maps.space, store=None)
    linear, bias = rc.solve(X >> Y, store=None), rc.invariants(Y, store=None)
    assert basis.dim == linear.dim + bias.dim
    assert maps.shape == basis.shape == (Y.dim, X.dim + 1)
    # Each element has a linear part or a bias, and these are the two bases.
    W, b = maps.split(basis.to_numpy())
    assert W.shape == (basis.dim, Y.dim, X.dim)
    assert b.shape == (basis.dim, Y.dim)
    is_linear = np.any(W.reshape(basis.dim, -1) != 0, axis=1)
    is_bias = np.any(b != 0, axis=1)
    assert np.array_equal(is_linear, ~is_bias)
    assert np.array_equal(W[is_linear], linear.to_numpy())
    assert np.array_equal(b[is_bias], bias.to_numpy()[:, :, 0])


@pytest.mark.parametrize("case", ["points", "sums", "tensors", "bias only", "from constants"])
def test_maps_are_equivariant(case: str) -> None:
    """f(g x) = g f(x), exactly: the generators are permutations or have integer entries."""
    X, Y = PAIRS[case]
    maps = rc.affine_maps(X, Y)
    basis = rc.solve(maps.space, store=None).to_numpy()
    rng = np.random.default_rng(0)
    weight = np.einsum("k,kyx->yx", rng.integers(1, 6, len(basis)).astype(float), basis)
    x = rng.integers(-9, 10, (7, X.dim)).astype(float)
    W, b = maps.split(weight)
    y = x @ W.T + b
    assert np.array_equal(y, maps.extend(x) @ weight.T)
    assert np.any(b != 0)
    for on_x, on_y in zip(X.matrices, Y.matrices, strict=True):
        g, h = on_x.to_numpy(), on_y.to_numpy()
        assert np.array_equal((x @ g.T) @ W.T + b, y @ h.T)
    # A bias that is not invariant breaks it, so the check can fail.
    spoiled = b + np.arange(1, Y.dim + 1)
    if Y.dim > 1:
        assert any(not np.array_equal(spoiled, h.to_numpy() @ spoiled) for h in Y.matrices)


def test_projection_of_a_layer() -> None:
    maps = rc.affine_maps(S4.rep, S4.rep)
    plan = rc.plan(maps.space)
    rng = np.random.default_rng(3)
    layer = maps.join(rng.normal(size=(4, 4)), rng.normal(size=4))
    W, b = maps.split(plan.project(layer))
    before_w, before_b = maps.split(layer)
    eps = 64 * np.finfo(float).eps
    assert np.abs(W - rc.plan(maps.linear).project(before_w)).max() <= eps
    assert np.abs(b - before_b.mean()).max() <= eps


def test_split_and_join_are_inverse() -> None:
    maps = rc.affine_maps(D4.rep, D4.rep.sym(2))
    weights = np.arange(5 * 3 * 3).reshape(5, 3, 3)
    assert np.array_equal(maps.join(*maps.split(weights)), weights)
    assert maps.split(weights)[1][2].tolist() == [20, 23, 26]
    assert maps.extend(np.zeros((4, 2))).tolist() == [[0, 0, 1]] * 4


def test_values() -> None:
    for X, Y in PAIRS.values():
        maps = rc.affine_maps(X, Y)
        assert maps.linear == (X >> Y)
        assert maps.space == (X + rc.trivial(X.group) >> Y)
        back: Any = eval(repr(maps), dict(vars(rc)))  # noqa: S307  # our own repr
        assert back == maps
        assert hash(back) == hash(maps)
        assert pickle.loads(pickle.dumps(maps)) == maps  # noqa: S301  # made a line ago
    assert str(rc.affine_maps(*PAIRS["points"])) == "V -> V, affine"


def test_representations_of_factors_are_lifted() -> None:
    GH = D4 @ S4
    maps = rc.affine_maps(rc.lift(D4.rep, GH) * S4.rep, S4.rep)
    assert maps.space.group == GH
    assert rc.solve(maps.space, store=None).dim == 1
    assert maps.shape == (4, 9)


def test_what_does_not_fit_is_refused() -> None:
    V, bad = D4.rep, rc.affine_maps
    call: Any = bad
    with pytest.raises(rc.IncompatibleError, match="domain: expected a representation, got Group"):
        call(D4, V)
    with pytest.raises(rc.IncompatibleError, match="codomain: expected a representation, got int"):
        call(V, 1)
    with pytest.raises(rc.IncompatibleError, match="different groups"):
        bad(V, S4.rep)
    maps = rc.affine_maps(V, V.sym(2))
    with pytest.raises(rc.IncompatibleError, match=r"shape \(..., 3, 3\), got \(3, 2\)"):
        maps.split(np.zeros((3, 2)))
    with pytest.raises(rc.IncompatibleError, match=r"linear, bias: .*\(..., 3, 2\) and \(..., 3\)"):
        maps.join(np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(rc.IncompatibleError, match=r"linear, bias"):
        maps.join(np.zeros((2, 3)), np.zeros(3))
    with pytest.raises(rc.IncompatibleError, match=r"x: expected an array of shape \(..., 2\)"):
        maps.extend(np.zeros(3))
