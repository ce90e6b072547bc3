"""Multilinear maps: the space, and the axes of its weights."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import repcore as rc

D3, S3 = rc.dihedral(3), rc.symmetric(3)

CASES: dict[str, Any] = {
    "cross product": rc.multilinear([rc.SO(3).rep] * 2, rc.SO(3).rep),
    "one argument": rc.multilinear([D3.rep], D3.rep + rc.trivial(D3)),
    "three arguments": rc.multilinear([D3.rep, D3.rep.sym(2), rc.trivial(D3)], D3.rep),
    "sums": rc.multilinear([2 * D3.rep + rc.trivial(D3), D3.rep + 3 * rc.trivial(D3)], rc.trivial(D3) + D3.rep),
    "determinant": rc.multilinear([rc.SL(3).rep] * 3, rc.trivial(rc.SL(3))),
    "duality": rc.multilinear([rc.GL(2).rep.dual, rc.GL(2).rep], rc.trivial(rc.GL(2))),
    "products": rc.multilinear([S3.rep * S3.rep, S3.rep], S3.rep),
    "two groups": rc.multilinear([rc.lift(D3.rep, D3 @ S3), S3.rep], rc.lift(D3.rep, D3 @ S3) * S3.rep),
    "symmetric inputs": rc.multilinear([rc.tensors(D3.rep, "ijk=kji"), D3.rep], D3.rep),
}


@pytest.mark.parametrize("case", CASES)
def test_maps_are_equivariant_in_all_arguments_together(case: str) -> None:
    """f(g x_1, ..., g x_k) = g f(x_1, ..., x_k); for a Lie element the sum over the arguments."""
    maps = CASES[case]
    basis = rc.solve(maps.space, store=None)
    assert basis.dim > 0
    weights = maps.reshape(basis.to_numpy())
    assert weights.shape == (basis.dim, *maps.shape)
    rng = np.random.default_rng(0)
    # Small integers: every product below is exact in float64 for rational generators.
    xs = [rng.integers(-4, 5, (6, n)).astype(float) for n in maps.shape[1:]]
    group = maps.space.group
    lifted = [rc.lift(v, group) for v in (*maps.inputs, maps.output)]
    for i in range(len(group.generators)):
        *on_x, on_y = (v.matrix(i).to_numpy() for v in lifted)
        moved = [x @ g.T for x, g in zip(xs, on_x, strict=True)]
        for w in weights:
            right = maps.apply(w, *xs) @ on_y.T
            if i < len(group.discrete):
                left = maps.apply(w, *moved)
            else:
                left = sum(maps.apply(w, *xs[:k], moved[k], *xs[k + 1 :]) for k in range(len(xs)))
            bound = 64 * np.finfo(float).eps * np.prod(maps.shape) * max(1.0, float(np.abs(right).max()))
            assert np.abs(left - right).max() <= bound * max(float(np.abs(x).max()) for x in xs) ** len(xs)


@pytest.mark.parametrize("case", CASES)
def test_axes_are_those_of_the_tensor_product(case: str) -> None:
    maps = CASES[case]
    assert maps.space.shape == (maps.shape[0], int(np.prod(maps.shape[1:])))
    rng = np.random.default_rng(1)
    flat = rng.integers(-9, 10, (2, *maps.space.shape))
    shaped = maps.reshape(flat)
    xs = [rng.integers(-9, 10, n) for n in maps.shape[1:]]
    tensor = np.array(1)
    for x in xs:
        tensor = np.kron(tensor, x)
    for w, full in zip(flat, shaped, strict=True):
        assert np.array_equal(maps.apply(w, *xs), w @ tensor)
        assert np.array_equal(maps.apply(full, *xs), w @ tensor)
    assert np.array_equal(shaped.reshape(-1, *maps.space.shape), flat)


def test_batches() -> None:
    maps = CASES["sums"]
    rng = np.random.default_rng(2)
    w = rng.integers(-9, 10, maps.shape)
    a, b = rng.integers(-9, 10, (4, 1, maps.shape[1])), rng.integers(-9, 10, (5, maps.shape[2]))
    y = maps.apply(w, a, b)
    assert y.shape == (4, 5, maps.shape[0])
    assert np.array_equal(y, np.einsum("yij,pqi,qj->pqy", w, a, b))


def test_numbers_of_the_book() -> None:
    # The only bilinear product of vectors in space is the cross product, the only trilinear form of SL(3) the determinant.
    cross = CASES["cross product"]
    (only,) = cross.reshape(rc.solve(cross.space, store=None).to_numpy())
    assert np.array_equal(cross.apply(only, [1, 2, 3], [4, 5, 6]), np.cross([1, 2, 3], [4, 5, 6]))
    det = CASES["determinant"]
    (only,) = det.reshape(rc.solve(det.space, store=None).to_numpy())
    assert det.apply(only, *np.array([[2, 1, 0], [0, 3, 1], [1, 0, 1]]))[0] == 7
    # Set partitions of four points in at most three blocks.
    three = rc.multilinear([S3.rep] * 3, S3.rep)
    assert rc.solve(three.space, store=None).dim == 14
    # The symmetric and the alternating bilinear maps make up all of them.
    V = S3.rep
    both = rc.solve(V.sym(2) >> V, store=None).dim + rc.solve(V.alt(2) >> V, store=None).dim
    assert both == rc.solve(rc.multilinear([V, V], V).space, store=None).dim


def test_values() -> None:
    for maps in CASES.values():
        back: Any = eval(repr(maps), dict(vars(rc)))  # noqa: S307  # our own repr
        assert back == maps
        assert hash(back) == hash(maps)
        assert pickle.loads(pickle.dumps(maps)) == maps  # noqa: S301  # made a line ago
    assert str(CASES["duality"]) == "dual(V) x V -> 1"
    assert len(set(CASES.values())) == len(CASES)


def test_what_does_not_fit_is_refused() -> None:
    V, call = D3.rep, rc.multilinear
    bad: Any = call
    with pytest.raises(rc.IncompatibleError, match="at least one"):
        call([], V)
    with pytest.raises(rc.IncompatibleError, match=r"write \[X1, X2\]"):
        bad(V, V)
    with pytest.raises(rc.IncompatibleError, match=r"inputs\[1\]: expected a representation, got int"):
        bad([V, 2], V)
    with pytest.raises(rc.IncompatibleError, match="output: expected a representation, got Group"):
        bad([V, V], D3)
    with pytest.raises(rc.IncompatibleError, match="different groups"):
        call([V, S3.rep], V)
    with pytest.raises(rc.IncompatibleError, match="different groups"):
        call([V, V], S3.rep)
    maps = call([V, V.sym(2)], V)
    with pytest.raises(rc.IncompatibleError, match=r"shape \(..., 2, 6\), got \(2, 5\)"):
        maps.reshape(np.zeros((2, 5)))
    with pytest.raises(rc.IncompatibleError, match="one map of shape"):
        maps.apply(np.zeros((3, 2, 6)), np.zeros(2), np.zeros(3))
    with pytest.raises(rc.IncompatibleError, match="expected 2 arrays"):
        maps.apply(np.zeros((2, 6)), np.zeros(2))
    with pytest.raises(rc.IncompatibleError, match=r"last axes \(2, 3\)"):
        maps.apply(np.zeros((2, 6)), np.zeros(3), np.zeros(2))
    with pytest.raises(rc.IncompatibleError, match=r"last axes \(2, 3\)"):
        maps.apply(np.zeros((2, 6)), 1.0, np.zeros(3))
