"""Feature fields: where copies lie, which functions of one component commute, and the invariants of a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import repcore as rc

D4, S4, C4 = rc.dihedral(4), rc.symmetric(4), rc.cyclic(4)
V, one, R = D4.rep, rc.trivial(D4), rc.regular(D4)
B3 = rc.hyperoctahedral(3).rep


def test_every_position_belongs_to_one_copy() -> None:
    X = (V + one) * V + R + one + 2 * V
    found = rc.fields(X)
    assert [(str(f.rep), f.copies, f.dim) for f in found] == [("V**2", 1, 4), ("V", 3, 2), (str(R), 1, 8), ("1", 1, 1)]
    assert sorted(np.concatenate([f.positions.ravel() for f in found]).tolist()) == list(range(X.dim))
    for g in range(len(D4.generators)):
        whole = X.matrix(g).to_numpy()
        for f in found:
            for copy in f.positions:
                assert np.array_equal(whole[np.ix_(copy, copy)], f.rep.matrix(g).to_numpy())
                assert np.count_nonzero(whole[copy]) == np.count_nonzero(whole[np.ix_(copy, copy)])


@pytest.mark.parametrize(
    ("rep", "answer"),
    [
        (R, "any"),
        (3 * R + 2 * one, "any"),
        (V, "odd"),
        (V * V, "odd"),
        (R + V, "odd"),
        (V.sym(2), "odd"),
        (S4.rep, "any"),
        (S4.rep**2, "any"),
        (S4.rep.dual, "any"),
        (S4.rep.alt(2), "odd"),
        (rc.quotient(S4, rc.PermutationGroup(["(0 1 2 3)"])), "any"),
        (B3, "odd"),
        (C4.rep, "odd"),
        (rc.cyclic(8).rep, "none"),
        (rc.regular(rc.cyclic(8)), "any"),
        (rc.SO(3).rep, "none"),
        (rc.trivial(rc.SO(3)), "any"),
        (2 * rc.trivial(rc.SO(3)) + rc.SO(3).rep, "none"),
        (rc.irrep(rc.O(3), "0o"), "odd"),
        (rc.irrep(rc.O(3), "0e"), "any"),
        (rc.scaling(2).rep, "none"),
        (0 * V, "any"),
    ],
    ids=str,
)
def test_pointwise_functions_that_commute(rep: Any, answer: str) -> None:
    assert rc.pointwise(rep) == answer
    discrete = [rep.matrix(i).to_numpy() for i in range(len(rep.group.discrete))]
    x = np.random.default_rng(0).standard_normal(rep.dim)
    functions = {"any": [lambda t: np.maximum(t, 0), np.exp, np.tanh], "odd": [np.tanh, lambda t: t**3], "none": []}
    for f in functions[answer]:
        for g in discrete:
            assert np.array_equal(f(g @ x), g @ f(x))
    if answer == "odd":
        assert any(np.any(np.maximum(g @ x, 0) != g @ np.maximum(x, 0)) for g in discrete)


def test_labelled_irreps_are_in_their_orthonormal_convention() -> None:
    # Of degree 2 under the rotations of a square: monomial in both conventions, and orthonormal only in one.
    square = rc.Group(discrete=[[[0, -1, 0], [1, 0, 0], [0, 0, 1]]], name="square")
    rep = rc.irrep(rc.SO(3), "2").restrict(square)
    (found,) = rc.fields(rep)
    images = [rc.to_orthonormal(m.to_numpy(), rep, rep) for m in rep.matrices]
    assert all(np.abs(m @ m.T - np.eye(5)).max() <= 8 * np.finfo(float).eps for m in images)
    assert found.is_orthogonal
    is_signed = all(np.isin(np.abs(m.round(12)), (0, 1)).all() for m in images)
    assert (found.pointwise == "none") == (not is_signed)


@pytest.mark.parametrize("rep", [R, V, V * V, S4.rep**2, S4.rep**3, B3, B3 * B3, rc.SO(3).rep ** 2, 3 * V + 2 * one], ids=str)
def test_invariants_are_orthonormal_and_invariant(rep: Any) -> None:
    for f in rc.fields(rep):
        q, eps = f.invariants, float(np.finfo(float).eps)
        assert q.shape == (f.dim, rc.invariants(f.rep).dim)
        assert np.abs(q.T @ q - np.eye(q.shape[1])).max(initial=0) <= 8 * q.size * eps
        for i in range(len(f.rep.group.discrete)):
            assert np.abs(f.rep.matrix(i).to_numpy() @ q - q).max(initial=0) <= 8 * q.size * eps
        solved = rc.invariants(f.rep).to_numpy(np.float64, orthonormal=True)[:, :, 0]
        assert np.abs(q @ q.T - solved.T @ solved).max(initial=0) <= 16 * q.size * eps


def test_orbits_are_those_of_pairs_and_triples() -> None:
    # S_4 on pairs: equal or not; on triples: the Bell number 5.
    (pairs,), (triples,) = rc.fields(S4.rep**2), rc.fields(S4.rep**3)
    assert pairs.orbits is not None
    assert triples.orbits is not None
    assert np.bincount(pairs.orbits).tolist() == [4, 12]
    assert sorted(np.bincount(triples.orbits).tolist()) == [4, 12, 12, 12, 24]
    assert np.flatnonzero(pairs.orbits == 0).tolist() == [0, 5, 10, 15]
    assert rc.fields(V)[0].orbits is None
    for f in (pairs, triples):
        assert all(len(np.unique(column[column > 0])) == 1 for column in f.invariants.T)
        assert [f.orbits[np.flatnonzero(column)[0]] for column in f.invariants.T] == list(range(f.invariants.shape[1]))


def test_the_direction_of_the_mean() -> None:
    assert rc.fields(S4.rep**2)[0].mean.tolist() == [1.0] * 16
    # x y is invariant up to sign under D4, x^2 + y^2 is invariant: nearest to the ones is the identity matrix.
    assert np.abs(rc.fields(V * V)[0].mean - [1, 0, 0, 1]).max() <= 8 * np.finfo(float).eps
    assert rc.fields(V)[0].mean.tolist() == [0.0, 0.0]
    # Invariant under exchange with a sign: e_1 - e_2, whose components sum to zero, exactly in algebra and here.
    swap = rc.Rep(rc.symmetric(2), discrete=[[[0, -1], [-1, 0]]], name="U")
    (found,) = rc.fields(swap)
    assert found.invariants.shape == (2, 1)
    assert found.mean.tolist() == [0.0, 0.0]


def test_rounding_does_not_make_a_direction() -> None:
    # Three components that are permuted in a cycle, times a fixed vector of sum zero in coordinates that are not round numbers.
    reflection = rc.matrix([["1/3", "-2/3", "-2/3"], ["-2/3", "1/3", "-2/3"], ["-2/3", "-2/3", "1/3"]])
    rep = rc.Rep(rc.cyclic(2), discrete=[reflection], name="H")
    (found,) = rc.fields(rep)
    assert found.invariants.shape == (3, 2)
    assert found.is_orthogonal
    assert found.pointwise == "none"
    assert found.mean.tolist() == [0.0, 0.0, 0.0]


def test_orthogonal_and_real_are_decided() -> None:
    assert [f.is_orthogonal for f in rc.fields(rc.scaling(2).rep + rc.trivial(rc.scaling(2)))] == [False, True]
    (spinor,) = rc.fields(rc.SU(2).rep)
    assert (spinor.is_orthogonal, spinor.is_real) == (True, False)
    (real,) = rc.fields(rc.SU(2).rep.realify())
    assert (real.is_orthogonal, real.is_real) == (True, True)
    assert [(f.is_permutation, f.is_trivial) for f in rc.fields(R + one + V)] == [(True, False), (True, True), (False, False)]
    assert "3 x V, dim=2, pointwise='odd', invariants=0" in repr(rc.fields(3 * V)[0])


@pytest.mark.parametrize("verb", [rc.fields, rc.pointwise])
def test_only_representations_are_taken(verb: Any) -> None:
    with pytest.raises(rc.IncompatibleError, match=r"rep: expected a representation, got Group; write"):
        verb(D4)
