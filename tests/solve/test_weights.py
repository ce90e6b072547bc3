"""Weights: diagonal generators leave only entries between equal weights, in the declared basis or in another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.basis import compute
from repcore.exact.field import QQ, field_of
from repcore.exact.matrix import Matrix, identity, inverse, matrix
from repcore.groups.span import coordinates_in_span
from repcore.solve import chain
from repcore.solve.chain import reduce_block
from repcore.solve.integrate import exponential, imaginary_turn, opposites, weyl_element
from repcore.solve.orbits import monomial_action, orbits
from repcore.solve.weights import eigenvalues, equal_weights, generating, is_diagonal, projectors, weight_frame, weights


def skew(group: rc.Group) -> rc.Group:
    """The same group in another basis: conjugation with a unimodular matrix that mixes all coordinates."""
    n = group.dim
    t = matrix([[min(i, j) + 1 for j in range(n)] for i in range(n)])
    back = inverse(t)
    return rc.Group([t @ g @ back for g in group.discrete], [t @ a @ back for a in group.lie])


def units(n: int, *entries: Any) -> list[list[Any]]:
    table = [[0] * n for _ in range(n)]
    for i, j, x in entries:
        table[i][j] = x
    return table


BOOST = rc.Group(lie=[[[0, 1], [1, 0]]])
TORUS = rc.Group(lie=[units(3, (0, 0, 1), (1, 1, -1)), units(3, (1, 1, 1), (2, 2, -1))])
BOREL = rc.Group(lie=[[[-1, 0], [0, 0]], [[0, 1], [0, 0]]])
CARTAN = rc.Group([[[-1, 1], [0, 1]], [[1, 0], [1, -1]]])  # the Weyl group of A2 in simple roots
MIXED = rc.Group([[[0, 1], [1, 0]]], [[[2, 0], [0, 2]]])
FIFTHS = rc.Group(discrete=[[["zeta(5)", 0], [0, "zeta(5)**2"]]])
SQUEEZE = rc.Group(discrete=[[[2, 0], [0, "1/2"]]])
JORDAN = rc.Group(lie=[[[1, 1], [0, 1]], [[0, 1], [0, 0]]])
OUTSIDE = rc.Group(lie=[[[0, 2], [1, 0]]])
ROOT2 = rc.Group(lie=[[[0, 2], [1, 0]]], discrete=[[["sqrt(2)", 0], [0, "sqrt(2)"]]])


# ------------------------------------------------------------------------------------------------------------ equal weights


def test_labels_of_any_number_of_spaces() -> None:
    a, b, c = matrix([[1, 0], [0, 2]]), matrix([[3]]), matrix([[2, 0, 0], [0, 3, 0], [0, 0, 1]])
    x, y, z = (w.tolist() for w in weights([(a, b, c)]))
    assert x == [z[2], z[0]]
    assert y == [z[1]]
    assert len({*x, *y, *z}) == 3


def test_labels_are_joint_eigenvalues() -> None:
    h = matrix([[1, 0, 0], [0, "1/2", 0], [0, 0, 0]])
    k = matrix([["sqrt(2)", 0, 0], [0, 0, 0], [0, 0, 0]])
    on_w, on_v = weights([(h, h), (k, 2 * k)])
    pairs = {(y, x) for y in range(3) for x in range(3) if on_w[y] == on_v[x]}
    assert pairs == {(1, 1), (2, 2)}
    assert equal_weights([(h, h), (k, 2 * k)]).reshape(3, 3).tolist() == [[(y, x) in pairs for x in range(3)] for y in range(3)]
    # Of one generator alone, a zero that is stored nowhere is an eigenvalue like any other.
    assert np.flatnonzero(equal_weights([(k, k)])).tolist() == [0, 4, 5, 7, 8]


@pytest.mark.parametrize(
    ("group", "x", "y", "left"),
    [
        (rc.SL(2), 4, 4, 70),  # binomial(8, 4) words of weight zero
        (rc.SL(3), 3, 3, 93),  # sum of squared trinomials
        (rc.GL(3), 4, 4, 639),
        (rc.Sp(4), 3, 3, 400),  # binomial(6, 3)^2 closed walks on the square grid
        (rc.scaling(2), 2, 3, 0),
        (TORUS, 2, 2, 15),
        (SQUEEZE, 2, 2, 6),
    ],
    ids=str,
)
def test_sizes(group: rc.Group, x: int, y: int, left: int) -> None:
    steps = {s.name: s for s in reduce_block(group.rep**x, group.rep**y).steps}
    assert (steps["weights"].before, steps["weights"].after) == (group.dim ** (x + y), left)


def test_a_torus_needs_nothing_else(oracles: Any) -> None:
    basis = oracles.check(TORUS.rep**2 >> TORUS.rep**2)
    assert basis.certificate.completeness == ("weights",)
    assert [s.name for s in basis.steps] == ["split", "weights"]
    oracles.check(SQUEEZE.rep**2 >> SQUEEZE.rep**2)


def test_orbits_that_meet_a_dead_entry_die() -> None:
    """A permutation that does not keep the weight spaces: what it moves out of them vanishes as well."""
    swap = monomial_action(matrix([[0, 1], [1, 0]]))
    assert swap is not None
    found = orbits((2, 2), [(swap, swap)], np.array([True, True, False, True]))
    assert found.of.tolist() == [0, -1, -1, 0]
    assert found.count == 1
    nothing = orbits((2, 2), [(swap, swap)], np.zeros(4, bool))
    assert (nothing.count, nothing.of.tolist()) == (0, [-1] * 4)


# ------------------------------------------------------------------------------------------------- eigenvalues and projectors


def test_projectors_are_a_resolution_of_the_identity() -> None:
    half = Fraction(1, 2)
    for a, field, count in (
        (matrix([[0, 1], [1, 0]]), QQ, 2),
        (matrix([[2, 1, 0], [0, 3, 0], [0, 0, 2]]), QQ, 2),
        (matrix([[half, half], [half, half]]), QQ, 2),
        (matrix([[0, 2], [1, 0]]), field_of([rc.number("sqrt(2)")]), 2),
        (matrix([[0, -1], [1, 0]]), field_of([rc.number("I")]), 2),
        (matrix([[0, 0, 1], [1, 0, 0], [0, 1, 0]]), field_of([rc.number("zeta(3)")]), 3),
        (matrix([["zeta(5)", 1], [0, "zeta(5)**2"]]), field_of([rc.number("zeta(5)")]), 2),
    ):
        found = projectors(a, field)
        assert found is not None
        assert len(found) == count
        assert sum(found[1:], found[0]) == identity(a.shape[0])
        for i, p in enumerate(found):
            assert p @ a == a @ p
            assert all((p @ q == p) if i == j else (p @ q).is_zero for j, q in enumerate(found))


@pytest.mark.parametrize(
    "a",
    [
        [[1, 1], [0, 1]],  # a Jordan block
        [[0, 1], [0, 0]],
        [[0, -1], [1, 0]],  # eigenvalues +-i
        [[0, 2], [1, 0]],  # +-sqrt(2)
        [[0, 0, 2], [1, 0, 0], [0, 1, 0]],  # the cube roots of 2: no field here holds them
        [[2, 0, 0], [0, 2, 1], [0, 0, 2]],  # one eigenvalue, a block of size 2
    ],
    ids=str,
)
def test_what_is_not_diagonalisable_over_the_field_is_refused(a: Any) -> None:
    assert projectors(matrix(a), QQ) is None


def test_eigenvalues_in_a_field() -> None:
    a = matrix([[0, 2], [1, 0]])
    assert eigenvalues(a, QQ) == []
    assert eigenvalues(a, field_of([rc.number("sqrt(2)")])) == [-rc.number("sqrt(2)"), rc.number("sqrt(2)")]
    assert eigenvalues(a, field_of([rc.number("sqrt(3)")])) == []


# --------------------------------------------------------------------------------------------------------------------- frames


def frame_of(v: rc.Rep, w: rc.Rep) -> Any:
    images = [(w.matrix(i), v.matrix(i)) for i in range(len(v.group.generators))]
    field = field_of([x for pair in images for m in pair for _, _, x in m.entries()])
    return weight_frame(v, w, images, field)


@pytest.mark.parametrize("group", [rc.Sp(4), rc.SL(3), rc.GL(2), rc.affine(2), TORUS, rc.lorentz()], ids=str)
def test_root_vectors_of_a_skew_basis_are_found(group: rc.Group) -> None:
    """In weight coordinates the elements are those of the standard basis up to order and scale: sparse, entries 0 and +-1."""
    other = skew(group)
    V = other.rep
    frame = frame_of(V, V.dual)
    assert frame is not None
    assert frame.on_v @ frame.back_v == identity(V.dim)
    rank = {"GL(2)": 3, "SO(1,3)": 1}.get(str(group), 2)  # GL(2): with the reflection
    assert len(frame.diagonal) == rank
    for i in frame.diagonal:
        moved = frame.back_v @ V.matrix(i) @ frame.on_v
        assert np.array_equal(moved.rows, moved.cols)
    if group.dim == 4 and rank == 2:
        assert all(a.nnz <= 2 and set(map(str, (x for *_, x in a.entries()))) <= {"1", "-1"} for a in frame.elements)


def test_what_is_diagonal_already_has_no_frame() -> None:
    for group in (rc.SL(3), rc.Sp(4), TORUS, rc.scaling(3), rc.SO(3), rc.SE(2), rc.affine(2)):
        assert frame_of(group.rep, group.rep**2) is None


CASES: dict[str, Callable[[], rc.Hom]] = {
    "boost": lambda: BOOST.rep**3 >> BOOST.rep**3,
    "torus in a skew basis": lambda: skew(TORUS).rep ** 2 >> skew(TORUS).rep ** 2,
    "Sp(4) in a skew basis": lambda: skew(rc.Sp(4)).rep ** 2 >> skew(rc.Sp(4)).rep ** 2,
    "SL(3), dual": lambda: skew(rc.SL(3)).rep * skew(rc.SL(3)).rep.dual >> skew(rc.SL(3)).rep.dual * skew(rc.SL(3)).rep,
    "SL(2), powers": lambda: skew(rc.SL(2)).rep.sym(3) >> skew(rc.SL(2)).rep ** 3,
    "affine(2)": lambda: skew(rc.affine(2)).rep ** 2 >> skew(rc.affine(2)).rep,
    "Lorentz": lambda: rc.lorentz().rep ** 2 >> rc.lorentz().rep ** 2,
    "reflections of a hexagon": lambda: CARTAN.rep**2 >> CARTAN.rep**2,
    "discrete and Lie": lambda: skew(MIXED).rep ** 2 >> skew(MIXED).rep ** 2,
    "complex, repeated weights": lambda: skew(FIFTHS).rep ** 2 >> skew(FIFTHS).rep ** 2,
    "complex, conjugate": lambda: skew(rc.SU(2)).rep.conj * skew(rc.SU(2)).rep >> skew(rc.SU(2)).rep.conj ** 2,
    "over Q(sqrt 2)": lambda: ROOT2.rep**2 >> ROOT2.rep**2,
    "given by matrices": lambda: given_by_matrices() >> skew(rc.SL(2)).rep ** 2,
    "a Jordan block": lambda: JORDAN.rep**2 >> JORDAN.rep**2,
    "eigenvalues outside the field": lambda: OUTSIDE.rep**2 >> OUTSIDE.rep**2,
    "alternating squares": lambda: skew(rc.lorentz()).rep.alt(2) >> skew(rc.lorentz()).rep.alt(2),
    "a product": lambda: (BOOST @ rc.cyclic(2)).rep ** 2 >> (BOOST @ rc.cyclic(2)).rep ** 2,
    "nothing but zero": lambda: BOOST.rep**2 >> BOOST.rep,
    "nothing but zero, and unknowns": lambda: rc.trivial(skew(BOREL)) >> skew(BOREL).rep,
}

# Where no generator becomes diagonal that is not yet.
WITHOUT = {"a Jordan block", "eigenvalues outside the field"}


def given_by_matrices() -> rc.Rep:
    """The adjoint representation of sl(2) in a basis that is not one of weight vectors."""
    G = skew(rc.SL(2))
    t = matrix([[1, 1, 0], [0, 1, 1], [1, 0, 1]])
    shown = [(G.rep.sym(2)).matrix(i) for i in range(3)]
    return rc.Rep(G, lie=[t @ a @ inverse(t) for a in shown])


@pytest.mark.parametrize("name", CASES)
def test_the_canonical_basis_is_the_same_with_and_without(monkeypatch: pytest.MonkeyPatch, oracles: Any, name: str) -> None:
    space = CASES[name]()
    seen: list[bool] = []
    honest = chain.weight_frame

    def watched(*args: Any) -> Any:
        found = honest(*args)
        seen.append(found is not None)
        return found

    # Taken wherever there is one, whatever is predicted.
    monkeypatch.setattr(chain, "weight_frame", watched)
    monkeypatch.setattr(chain, "_cost", lambda reduced: 0.0 if reduced.frame is not None else 1.0)
    framed = compute(space)
    assert any(seen) == (name not in WITHOUT)
    monkeypatch.setattr(chain, "weight_frame", lambda *args: None)
    plain = compute(space)
    monkeypatch.setattr(chain, "is_diagonal", lambda a: False)
    bare = compute(space)
    assert framed.digest == plain.digest == bare.digest
    assert framed.certificate.status == plain.certificate.status == "proved"
    if space.shape[0] * space.shape[1] <= 81 and framed.field == QQ:
        oracles.check(space)


def of_matrices(power: int, name: str) -> rc.Rep:
    """A power of the defining representation, declared by its matrices."""
    G = skew(rc.SU(2))
    shown = G.rep.sym(power)
    return rc.Rep(G, lie=[shown.matrix(i) for i in range(3)], name=name)


BUILT: dict[str, Callable[[rc.Rep, rc.Rep], rc.Rep]] = {
    "sum": lambda x, y: 2 * x + y + rc.trivial(x.group),
    "product": lambda x, y: x * y * rc.trivial(x.group),
    "dual": lambda x, y: x.dual + y,
    "conjugate": lambda x, y: x.conj * y,
    "dual of a conjugate": lambda x, y: (x * y).conj.dual,
    "symmetric": lambda x, y: x.sym(3) * y,
    "alternating": lambda x, y: y.alt(2) + x.alt(2),
    "of a sum": lambda x, y: (x + y).alt(2),
}


@pytest.mark.parametrize("name", BUILT)
def test_representations_by_matrices_get_weight_coordinates(name: str) -> None:
    """In the coordinates of the frame the chosen generator is diagonal on whatever is built from two such representations."""
    x, y = of_matrices(1, "x"), of_matrices(2, "y")
    v, w = BUILT[name](x, y), y * x
    images = [(w.matrix(i), v.matrix(i)) for i in range(3)]
    field = field_of([rc.number("I")])
    assert not any(is_diagonal(a) for pair in images for a in pair)
    frame = weight_frame(v, w, images, field)
    assert frame is not None
    assert len(frame.diagonal) == 1
    assert frame.elements == ()
    assert (inverse(frame.on_v) @ frame.on_v).is_identity
    assert frame.back_v == inverse(frame.on_v)
    for i, (on_w, on_v) in enumerate(frame.images):
        assert frame.on_w @ on_w == images[i][0] @ frame.on_w
        assert frame.on_v @ on_v == images[i][1] @ frame.on_v
        assert (is_diagonal(on_w) and is_diagonal(on_v)) == (i in frame.diagonal)


def test_an_eigenvalue_out_of_reach_is_no_eigenvalue() -> None:
    """The square root of a number whose conductor is too large to be looked for."""
    far = 2 * (10**9 + 7) * (10**9 + 9)
    assert eigenvalues(matrix([[0, far], [1, 0]]), QQ) == []
    assert projectors(matrix([[0, far], [1, 0]]), QQ) is None


def test_it_is_taken_where_it_wins() -> None:
    V = skew(rc.Sp(4)).rep
    basis = compute(V**3 >> V**3)
    steps = {s.name: s for s in basis.steps}
    assert (steps["weights"].before, steps["weights"].after) == (4096, 400)
    assert (steps["orbits"].before, steps["orbits"].after) == (400, 55)
    assert basis.dim == 14
    assert "weights" in str(rc.explain(V**3 >> V**3))
    # A generic basis of a small space is solved as it is.
    assert "weights" not in [s.name for s in compute(V >> V).steps]


def test_a_wrong_frame_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A way back that is not the inverse of the way there: no candidate passes the exact check, the declared basis is used."""
    V = skew(rc.SL(2)).rep
    right = compute(V**2 >> V**2)
    honest = chain.weight_frame
    monkeypatch.setattr(chain, "weight_frame", lambda *args: replace(honest(*args), back_v=identity(4)))
    monkeypatch.setattr(chain, "_cost", lambda reduced: 0.0 if reduced.frame is not None else 1.0)
    assert compute(V**2 >> V**2) == right


# ------------------------------------------------------------------------------------------- elements from nilpotent generators


def test_exponentials() -> None:
    assert exponential(matrix([[0, 1], [0, 0]])) == matrix([[1, 1], [0, 1]])
    assert exponential(matrix([[0, 2, 0], [0, 0, 2], [0, 0, 0]])) == matrix([[1, 2, 2], [0, 1, 2], [0, 0, 1]])
    assert exponential(matrix([[1, 0], [0, 0]])) is None
    assert exponential(matrix([[0, 1], [-1, 0]])) is None


@pytest.mark.parametrize("group", [rc.SL(2), rc.SL(4), rc.GL(3), rc.Sp(4), rc.Sp(6), rc.affine(3)], ids=str)
def test_weyl_elements(group: rc.Group) -> None:
    """They are signed permutations that normalise the torus and keep the Lie algebra."""
    pairs = opposites(group.lie)
    assert pairs
    for i, j in pairs.items():
        w = weyl_element(group.lie[i], group.lie[j])
        assert w is not None
        assert (w.T @ w).is_identity
        assert w.is_integral
        for a in group.lie:
            assert coordinates_in_span(w @ a @ inverse(w), group.lie) is not None


def test_pairs_that_are_no_raising_and_lowering_operators() -> None:
    e = matrix([[0, 1, 0], [0, 0, 1], [0, 0, 0]])
    assert weyl_element(e, matrix([[0, 0, 0], [1, 0, 0], [0, 3, 0]])) is None
    assert weyl_element(e, e) is None
    assert weyl_element(identity(2), identity(2)) is None
    # [[e, f], e] is a multiple of e, but e is not nilpotent.
    assert weyl_element(matrix([[1, 0], [0, -1]]), matrix([[0, 1], [1, 0]])) is None
    assert weyl_element(e, 7 * e.T) == weyl_element(e, e.T)


def test_imaginary_turns() -> None:
    for a in rc.lorentz().lie[:3]:
        g = imaginary_turn(a)
        assert g is not None
        assert g @ a == a @ g
        assert (g @ g @ g @ g).is_identity
        # With the metric: g preserves it, as every element of the complex group does.
        metric = matrix([[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 0], [0, 0, 0, -1]])
        assert g.T @ metric @ g == metric
    for other in ([[0, -1], [1, 0]], [[0, 2], [2, 0]], [[0, 0], [0, 0]], [[0, 1], [0, 0]]):
        assert imaginary_turn(matrix(other)) is None


def test_imaginary_turns_change_nothing_but_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    for group in (rc.lorentz(), rc.lorentz(full=True), BOOST):
        V = group.rep
        for space in (V**2 >> V**2, V * V.dual >> V.dual**2, V**2 >> V):
            monkeypatch.setattr(chain, "_COMPLEXIFIED", 1)
            turned = compute(space)
            monkeypatch.setattr(chain, "_COMPLEXIFIED", 10**9)
            assert turned.digest == compute(space).digest
    # A conjugate is not complex linear: no imaginary turn may be used there.
    monkeypatch.setattr(chain, "_COMPLEXIFIED", 1)
    G = rc.Group(lie=[[[0, "I"], ["I", 0]], [[0, 1], [1, 0]]])
    turned = compute(G.rep.conj * G.rep >> G.rep.conj * G.rep)
    monkeypatch.setattr(chain, "_COMPLEXIFIED", 10**9)
    assert turned.digest == compute(G.rep.conj * G.rep >> G.rep.conj * G.rep).digest


def test_generating_sets() -> None:
    for group, size in ((rc.SL(3), 4), (rc.SO(4), 3), (rc.Sp(4), 5), (rc.SE(2), 2), (TORUS, 2), (rc.lorentz(), 3)):
        kept = generating(group.lie)
        assert len(kept) == size
        span = [group.lie[i] for i in kept]
        for _ in range(4):
            span += [c for a in span[: len(kept)] for b in list(span) if coordinates_in_span(c := a @ b - b @ a, span) is None]
        assert all(coordinates_in_span(a, span) is not None for a in group.lie)
    assert generating([]) == ()
    twice: list[Matrix] = [rc.SO(2).lie[0], 2 * rc.SO(2).lie[0]]
    assert generating(twice) == (0,)
