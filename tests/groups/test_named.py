"""The groups that have names: their defining equations, orders from the book, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from math import comb, factorial
from typing import Any

import flint
import numpy as np
import pytest

import repcore as rc
from repcore.exact.matrix import Matrix, identity, inverse, zeros
from repcore.groups.finite import elements

# ------------------------------------------------------------------------------------------------------- finite groups

# expression, order, number of elements of order two
FINITE: list[tuple[str, int, int]] = [
    *((f"cyclic({n})", n, (n + 1) % 2) for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 24)),
    *((f"dihedral({n})", 2 * n, n + (n + 1) % 2) for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)),
    ("symmetric(1)", 1, 0),
    ("symmetric(2)", 2, 1),
    ("symmetric(3)", 6, 3),
    ("symmetric(4)", 24, 9),
    ("symmetric(5)", 120, 25),
    ("symmetric(6)", 720, 75),
    ("alternating(1)", 1, 0),
    ("alternating(2)", 1, 0),
    ("alternating(3)", 3, 0),
    ("alternating(4)", 12, 3),
    ("alternating(5)", 60, 15),
    ("alternating(6)", 360, 45),
    ("hyperoctahedral(1)", 2, 1),
    ("hyperoctahedral(2)", 8, 5),
    ("hyperoctahedral(3)", 48, 19),
    ("hyperoctahedral(4)", 384, 75),
    ("quaternion()", 8, 1),
    ("quaternion(12)", 12, 1),
    ("quaternion(16)", 16, 1),
    ("quaternion(20)", 20, 1),
    ("quaternion(24)", 24, 1),
    ("tetrahedral()", 12, 3),
    ("tetrahedral(full=True)", 24, 9),
    ("octahedral()", 24, 9),
    ("octahedral(full=True)", 48, 19),
    ("icosahedral()", 60, 15),
    ("icosahedral(full=True)", 120, 31),
]


@pytest.mark.parametrize(("text", "order", "involutions"), FINITE, ids=[row[0] for row in FINITE])
def test_orders_from_the_book(text: str, order: int, involutions: int) -> None:
    group = build(text)
    assert rc.order(group) == order
    table = elements(group)
    assert table.order == order
    points = np.arange(table.images.shape[1])
    squares = np.take_along_axis(table.images, table.images, axis=1)
    of_order_two = (squares == points).all(axis=1) & (table.images != points).any(axis=1)
    assert of_order_two.sum() == involutions


@pytest.mark.parametrize("n", range(7, 21))
def test_orders_of_symmetric_and_alternating_groups(n: int) -> None:
    assert rc.order(rc.symmetric(n)) == factorial(n)
    assert rc.order(rc.alternating(n)) == factorial(n) // 2


def test_order_of_a_larger_hyperoctahedral_group() -> None:
    assert rc.order(rc.hyperoctahedral(7)) == 2**7 * factorial(7)


@pytest.mark.parametrize("text", [row[0] for row in FINITE], ids=[row[0] for row in FINITE])
def test_finite_groups_are_orthogonal(text: str) -> None:
    group = build(text)
    assert not group.lie
    for g in group.discrete:
        assert g.T @ g == identity(group.dim)
        assert g.field.is_real


ROTATIONS = ["tetrahedral()", "octahedral()", "icosahedral()", "cyclic(5)", "cyclic(12)", "quaternion()", "quaternion(12)"]


@pytest.mark.parametrize("text", ROTATIONS)
def test_rotations_have_determinant_one(text: str) -> None:
    assert all(determinant(g) == 1 for g in build(text).discrete)


@pytest.mark.parametrize("text", ["tetrahedral(full=True)", "octahedral(full=True)", "icosahedral(full=True)", "dihedral(5)"])
def test_full_groups_hold_reflections(text: str) -> None:
    assert {determinant(g) for g in build(text).discrete} == {rc.number(1), rc.number(-1)}


@pytest.mark.parametrize("n", [*range(1, 17), 18, 20, 24, 30])
def test_rotations_by_a_full_turn_over_n(n: int) -> None:
    turn = rc.cyclic(n).discrete[0]
    flip = rc.dihedral(n).discrete[1]
    powers = [power(turn, k) for k in range(1, n + 1)]
    assert powers[-1] == identity(2)
    assert identity(2) not in powers[:-1]
    assert turn[0, 0] == rc.number(f"cos(2*pi/{n})")
    assert turn[1, 0] == rc.number(f"sin(2*pi/{n})")
    assert rc.dihedral(n).discrete[0] == turn
    assert flip @ flip == identity(2)
    assert flip @ turn @ flip == inverse(turn)


@pytest.mark.parametrize("order", [8, 12, 16, 20, 24, 40])
def test_quaternion_relations(order: int) -> None:
    m = order // 4
    a, j = rc.quaternion(order).discrete
    minus = -identity(4)
    assert power(a, m) == minus
    assert j @ j == minus
    assert inverse(j) @ a @ j == inverse(a)


def test_alternating_groups_hold_even_permutations_only() -> None:
    assert all(determinant(g) == 1 for n in range(3, 7) for g in rc.alternating(n).discrete)


def test_the_icosahedron_is_kept() -> None:
    phi = rc.number("(1 + sqrt(5))/2")
    vertices = {
        tuple(v)
        for shift in range(3)
        for s in (1, -1)
        for t in (1, -1)
        for v in [np.roll(np.array([0, s * phi, t], object), shift)]
    }
    assert len(vertices) == 12
    for full in (False, True):
        for g in rc.icosahedral(full=full).discrete:
            table = g.tolist()
            moved = {tuple(sum((a * x for a, x in zip(row, v, strict=True)), rc.number(0)) for row in table) for v in vertices}
            assert moved == vertices


# ---------------------------------------------------------------------------------------------------------- Lie groups

Check = Callable[[Matrix], bool]


def keeps(form: Matrix) -> Check:
    return lambda a: (a.T @ form + form @ a).is_zero


def J(m: int) -> Matrix:
    return rc.matrix([[(j == i + m) - (i == j + m) for j in range(2 * m)] for i in range(2 * m)])


def diagonal(*entries: int) -> Matrix:
    return rc.matrix([[x if i == j else 0 for j in range(len(entries))] for i, x in enumerate(entries)])


ETA = diagonal(1, -1, -1, -1)


def antihermitian(a: Matrix) -> bool:
    return (a.T.conjugate() + a).is_zero


def traceless(a: Matrix) -> bool:
    return sum((a[i, i] for i in range(a.shape[0])), rc.number(0)) == 0


def keeps_last_coordinate(a: Matrix) -> bool:
    return not np.any(a.rows == a.shape[0] - 1)


def euclidean(a: Matrix) -> bool:
    n = a.shape[0] - 1
    linear = rc.matrix([row[:n] for row in a.tolist()[:n]])
    return keeps_last_coordinate(a) and (linear + linear.T).is_zero


# expression, dimension of the matrices, real dimension of the algebra, number of discrete generators, equation
LIE: list[tuple[str, int, int, int, Check]] = [
    *((f"SO({n})", n, comb(n, 2), 0, keeps(identity(n))) for n in range(2, 7)),
    *((f"O({n})", n, comb(n, 2), 1, keeps(identity(n))) for n in range(1, 6)),
    *((f"U({n})", n, n * n, 0, antihermitian) for n in range(1, 5)),
    *((f"SU({n})", n, n * n - 1, 0, lambda a: antihermitian(a) and traceless(a)) for n in range(2, 5)),
    *((f"Sp({2 * m})", 2 * m, m * (2 * m + 1), 0, keeps(J(m))) for m in range(1, 4)),
    *((f"SL({n})", n, n * n - 1, 0, traceless) for n in range(2, 5)),
    *((f"GL({n})", n, n * n, 1, lambda a: True) for n in range(1, 4)),
    ("lorentz()", 4, 6, 0, keeps(ETA)),
    ("lorentz(full=True)", 4, 6, 2, keeps(ETA)),
    *((f"translations({n})", n + 1, n, 0, lambda a: keeps_last_coordinate(a) and (a @ a).is_zero) for n in range(1, 4)),
    *((f"SE({n})", n + 1, comb(n + 1, 2), 0, euclidean) for n in range(1, 4)),
    *((f"E({n})", n + 1, comb(n + 1, 2), 1, euclidean) for n in range(1, 4)),
    *((f"affine({n})", n + 1, n * n + n, 0, keeps_last_coordinate) for n in range(1, 4)),
    *((f"scaling({n})", n, 1, 0, lambda a: a.is_identity) for n in range(1, 4)),
]
IDS = [row[0] for row in LIE]


@pytest.mark.parametrize(("text", "dim", "size", "discrete", "equation"), LIE, ids=IDS)
def test_lie_algebras_by_their_equation(text: str, dim: int, size: int, discrete: int, equation: Check) -> None:
    group = build(text)
    assert group.dim == dim
    assert len(group.discrete) == discrete
    assert all(equation(a) for a in group.lie)
    # The equation cuts out a space of dimension `size`; so many independent generators are all of it.
    assert rank(group.lie) == size == len(group.lie)


@pytest.mark.parametrize("text", IDS)
def test_lie_algebras_are_closed_under_the_bracket(text: str) -> None:
    lie = build(text).lie
    brackets = [a @ b - b @ a for i, a in enumerate(lie) for b in lie[:i]]
    assert rank(lie) == rank((*lie, *brackets))


@pytest.mark.parametrize(
    ("text", "form"),
    [(f"O({n})", identity(n)) for n in range(1, 6)] + [("lorentz(full=True)", ETA)] + [(f"E({n})", None) for n in (1, 2, 3)],
)
def test_reflections_keep_the_form_and_reverse_orientation(text: str, form: Matrix | None) -> None:
    group = build(text)
    for g in group.discrete:
        assert g @ g == identity(group.dim)
        assert determinant(g) == -1
        if form is not None:
            assert g.T @ form @ g == form
        else:
            assert g.tolist()[-1] == [0] * (group.dim - 1) + [1]
        # Conjugation by a reflection keeps the identity component.
        moved = [g @ a @ inverse(g) for a in group.lie]
        assert rank((*group.lie, *moved)) == len(group.lie)


def test_lorentz_reflections_of_time_and_of_space() -> None:
    assert [g.tolist() for g in rc.lorentz(full=True).discrete] == [
        diagonal(-1, 1, 1, 1).tolist(),
        diagonal(1, -1, -1, -1).tolist(),
    ]


def test_rotation_generators_have_the_usual_sign() -> None:
    # Positive angles turn the first axis towards the second.
    assert rc.SO(2).lie[0].tolist() == [[0, -1], [1, 0]]
    assert rc.SE(2).lie[0].tolist() == [[0, -1, 0], [1, 0, 0], [0, 0, 0]]
    assert rc.translations(2).lie[1].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize("text", ["SO(3)", "O(3)", "SU(2)", "GL(2)", "translations(2)", "scaling(1)", "lorentz(full=True)"])
def test_infinite_groups_have_no_order(text: str) -> None:
    with pytest.raises(rc.GroupTooLargeError, match="Lie"):
        rc.order(build(text))
    with pytest.raises(rc.GroupTooLargeError, match="Lie"):
        rc.regular(build(text))


# -------------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "text",
    [
        *(f"{name}({n})" for name in ("cyclic", "dihedral", "symmetric", "alternating", "hyperoctahedral") for n in (0, -1)),
        *(f"{name}({n})" for name in ("SO", "SU", "SL") for n in (1, 0, -3)),
        *(f"{name}(0)" for name in ("O", "U", "GL", "SE", "E", "translations", "affine", "scaling", "Sp")),
        *("cyclic(2.0)", "SO(3.0)", "symmetric('3')", "dihedral(True)", "cyclic(None)", "SE([2])"),
        *("Sp(3)", "Sp(-2)", "quaternion(4)", "quaternion(10)", "quaternion(0)", "quaternion(-8)"),
        *("Sp(2.0)", "Sp('4')", "quaternion(8.0)", "quaternion('8')", "quaternion(True)"),
    ],
)
def test_sizes_that_make_no_group_are_refused(text: str) -> None:
    with pytest.raises(rc.DeclarationError, match=r"^(n|dim|order): .*got"):
        build(text)


def test_numpy_integers_are_integers() -> None:
    assert rc.cyclic(np.int64(4)) == rc.cyclic(4)
    assert rc.SO(np.int32(3)) == rc.SO(3)
    assert eval(repr(rc.cyclic(np.int64(4))), dict(vars(rc))) == rc.cyclic(4)  # noqa: S307  # our own repr


# --------------------------------------------------------------------------------------------------------------- helpers


def build(text: str) -> Any:
    return eval(text, dict(vars(rc)))  # noqa: S307  # expressions of this file


def power(m: Matrix, k: int) -> Matrix:
    out = identity(m.shape[0])
    for _ in range(k):
        out = out @ m
    return out


def determinant(m: Matrix) -> Any:
    """By elimination in exact numbers."""
    rows = [[rc.number(x) for x in row] for row in m.tolist()]
    out = rc.number(1)
    for i in range(len(rows)):
        pivot = next((r for r in range(i, len(rows)) if rows[r][i] != 0), None)
        if pivot is None:
            return rc.number(0)
        if pivot != i:
            rows[i], rows[pivot] = rows[pivot], rows[i]
            out = -out
        out = out * rows[i][i]
        for r in range(i + 1, len(rows)):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [x - factor * y for x, y in zip(rows[r], rows[i], strict=True)]
    return out


def rank(matrices: Any) -> int:
    """The dimension over the reals of the span of matrices with Gaussian integers as entries."""
    rows = [np.concatenate([dense.real.ravel(), dense.imag.ravel()]) for dense in (m.to_numpy(complex) for m in matrices)]
    if not rows:
        return 0
    table = np.array(rows)
    assert np.array_equal(table, table.astype(int))
    return int(flint.fmpz_mat(table.astype(int).tolist()).rank())


def test_the_helpers_of_this_file_can_fail() -> None:
    assert rank([identity(2), 2 * identity(2)]) == 1
    assert rank([identity(2), rc.matrix([["I", 0], [0, "I"]])]) == 2
    assert rank([zeros((2, 2))]) == 0
    assert determinant(rc.matrix([[0, 1], [1, 0]])) == -1
    assert determinant(rc.matrix([[1, 2], [2, 4]])) == 0
    assert not euclidean(rc.affine(2).lie[0])
    assert not keeps(J(2))(identity(4))
