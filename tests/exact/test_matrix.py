"""Exact matrices, against dense arithmetic in Q[x]/(m) written out here on lists of fractions."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from fractions import Fraction
from itertools import islice, product
from math import gcd
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from repcore.errors import DeclarationError, NumberError
from repcore.exact.field import QQ, field_of
from repcore.exact.matrix import (
    Matrix,
    block_diag,
    from_coo,
    identity,
    inverse,
    kron,
    matrix,
    monomial,
    permutation_matrix,
    zeros,
)
from repcore.exact.number import number

# ------------------------------------------------------------------------------------------------------- the oracle

Element = tuple[Fraction, ...]
Table = list[list[Element]]


@dataclass(frozen=True)
class Algebra:
    """Q[theta] with minimal polynomial ``modulus`` (constant term first, monic), and the conjugate of theta."""

    theta: str
    modulus: tuple[int, ...]
    conjugate_of_theta: tuple[int, ...]

    @property
    def degree(self) -> int:
        return len(self.modulus) - 1

    def times(self, a: Element, b: Element) -> Element:
        out = [Fraction(0)] * (2 * self.degree - 1)
        for (i, x), (j, y) in product(enumerate(a), enumerate(b)):
            out[i + j] += x * y
        for top in range(len(out) - 1, self.degree - 1, -1):
            for k, m in enumerate(self.modulus[:-1]):
                out[top - self.degree + k] -= m * out[top]
        return tuple(out[: self.degree])

    def plus(self, a: Element, b: Element) -> Element:
        return tuple(x + y for x, y in zip(a, b, strict=True))

    def zero(self) -> Element:
        return (Fraction(0),) * self.degree

    def conj(self, a: Element) -> Element:
        power: Element = (Fraction(1), *self.zero()[1:])
        bar = tuple(map(Fraction, self.conjugate_of_theta))
        out = self.zero()
        for c in a:
            out = self.plus(out, tuple(c * x for x in power))
            power = self.times(power, bar)
        return out

    def text(self, a: Element) -> str:
        return " + ".join(f"({c})*({self.theta})**{i}" for i, c in enumerate(a))

    def matrix(self, table: Table) -> Matrix:
        return matrix([[self.text(x) for x in row] for row in table])

    def dot(self, a: Table, b: Table) -> Table:
        out: Table = []
        for row in a:
            line: list[Element] = []
            for j in range(len(b[0])):
                total = self.zero()
                for x, other in zip(row, b, strict=True):
                    total = self.plus(total, self.times(x, other[j]))
                line.append(total)
            out.append(line)
        return out


ALGEBRAS = {
    "QQ": Algebra("1", (0, 1), (0,)),
    "sqrt2": Algebra("sqrt(2)", (-2, 0, 1), (0, 1)),
    "I": Algebra("I", (1, 0, 1), (0, -1)),
    "zeta7": Algebra("zeta(7)", (1,) * 7, (-1,) * 6),
}
IDS = list(ALGEBRAS)

SMALL = st.fractions(min_value=-4, max_value=4, max_denominator=3)
HUGE = st.integers(-(2**70), 2**70).map(Fraction)
EDGE = st.sampled_from([2**31, 2**62 - 1, 2**62, 2**63 - 1, -(2**63), 2**64 + 1]).map(Fraction)


@st.composite
def tables(draw: st.DrawFn, algebra: Algebra, rows: int, cols: int) -> Table:
    coordinate = st.one_of(SMALL, SMALL, SMALL, HUGE, EDGE)
    element = st.one_of(
        st.just(algebra.zero()),
        st.tuples(*([coordinate] * algebra.degree)),
    )
    return draw(st.lists(st.lists(element, min_size=cols, max_size=cols), min_size=rows, max_size=rows))


@st.composite
def pairs(draw: st.DrawFn, *, square: bool = False) -> tuple[Algebra, Table, Table, Table]:
    """(a, b) that can be multiplied, and a third of the shape of b."""
    algebra = ALGEBRAS[draw(st.sampled_from(IDS))]
    m, k, n = (draw(st.integers(1, 3)) for _ in range(3))
    if square:
        m = n = k
    return algebra, *(draw(tables(algebra, *shape)) for shape in ((m, k), (k, n), (k, n)))


# ------------------------------------------------------------------------------------------------------------- laws


@settings(max_examples=60)
@given(pairs())
def test_ring_operations_agree_with_dense_arithmetic(data: tuple[Algebra, Table, Table, Table]) -> None:
    algebra, a, b, c = data
    A, B, C = map(algebra.matrix, (a, b, c))
    assert algebra.matrix(algebra.dot(a, b)) == A @ B
    added = [[algebra.plus(x, y) for x, y in zip(r, s, strict=True)] for r, s in zip(b, c, strict=True)]
    assert algebra.matrix(added) == B + C
    assert (B + C) - C == B
    opposite = -B
    assert -opposite == B
    assert zeros(B.shape) == B + (-B)
    assert algebra.matrix([list(col) for col in zip(*a, strict=True)]) == A.T
    assert A.conjugate() == algebra.matrix([[algebra.conj(x) for x in row] for row in a])


@settings(max_examples=40)
@given(pairs())
def test_ring_laws(data: tuple[Algebra, Table, Table, Table]) -> None:
    algebra, *abc = data
    A, B, C = map(algebra.matrix, abc)
    assert A @ (B + C) == A @ B + A @ C
    assert A @ (B - C) == A @ B - A @ C
    assert (A @ B) @ C.T == A @ (B @ C.T)
    assert (A @ B).T == B.T @ A.T
    assert (A @ B).conjugate() == A.conjugate() @ B.conjugate()
    assert identity(A.shape[0]) @ A == A == A @ identity(A.shape[1])
    assert 3 * B == B + B + B == B * 3
    assert B * Fraction(1, 2) + B * Fraction(1, 2) == B
    assert zeros(B.shape) == B * 0
    for m in (A @ B, A + A, A.conjugate(), A.T):
        assert_canonical(m)


@settings(max_examples=40)
@given(pairs(square=True), pairs(square=True))
def test_kron_mixed_product(one: tuple[Algebra, Table, Table, Table], two: tuple[Algebra, Table, Table, Table]) -> None:
    A, C = one[0].matrix(one[1]), one[0].matrix(one[2])
    B, D = two[0].matrix(two[1]), two[0].matrix(two[2])
    assert kron(A, B) @ kron(C, D) == kron(A @ C, B @ D)
    assert kron(A.T, B.T) == kron(A, B).T
    assert kron(A + C, B) == kron(A, B) + kron(C, B)
    assert kron(kron(A, B), C) == kron(A, kron(B, C))


@settings(max_examples=30)
@given(pairs())
def test_kron_by_definition(data: tuple[Algebra, Table, Table, Table]) -> None:
    algebra, a, b, _ = data
    full = [[algebra.times(x, y) for x in row for y in line] for row in a for line in b]
    assert kron(algebra.matrix(a), algebra.matrix(b)) == algebra.matrix(full)


@settings(max_examples=60)
@given(pairs(square=True))
def test_inverse(data: tuple[Algebra, Table, Table, Table]) -> None:
    algebra, a, b, _ = data
    A, B = algebra.matrix(a), algebra.matrix(b)
    n = A.shape[0]
    if determinant_is_zero(A):
        with pytest.raises(ZeroDivisionError):
            inverse(A)
        return
    back = inverse(A)
    assert back @ A == identity(n) == A @ back
    assert inverse(back) == A
    assert inverse(A.T) == back.T
    assert_canonical(back)
    assume(not determinant_is_zero(B))
    assert inverse(A @ B) == inverse(B) @ back


def determinant_is_zero(m: Matrix) -> bool:
    """Leibniz expansion in exact numbers (n <= 3)."""
    n = m.shape[0]
    x = m.tolist()
    if n == 1:
        return x[0][0] == 0
    if n == 2:
        return x[0][0] * x[1][1] == x[0][1] * x[1][0]
    positive = x[0][0] * x[1][1] * x[2][2] + x[0][1] * x[1][2] * x[2][0] + x[0][2] * x[1][0] * x[2][1]
    return positive == x[0][2] * x[1][1] * x[2][0] + x[0][1] * x[1][0] * x[2][2] + x[0][0] * x[1][2] * x[2][1]


def assert_canonical(m: Matrix) -> None:
    flat = m.rows * max(m.shape[1], 1) + m.cols
    assert np.all(flat[1:] > flat[:-1])
    assert m.nums.shape == (m.nnz, m.field.degree)
    assert m.den >= 1
    assert np.all(np.any(m.nums != 0, axis=1))
    assert gcd(*m.nums.ravel().tolist(), m.den) == 1
    assert m.nnz or m.den == 1


@settings(max_examples=40)
@given(pairs())
def test_reduction_modulo_a_prime_is_a_ring_homomorphism(data: tuple[Algebra, Table, Table, Table]) -> None:
    algebra, a, b, c = data
    A, B, C = map(algebra.matrix, (a, b, c))
    field = field_of([number(algebra.theta)])
    for p in islice(field.primes(below=2**20), 2):
        for root in field.roots(p):
            ra, rb, rc_ = (dense_residues(m.over(field), p, root) for m in (A, B, C))
            assert np.array_equal(dense_residues((A @ B).over(field), p, root), ra @ rb % p)
            assert np.array_equal(dense_residues((B + C).over(field), p, root), (rb + rc_) % p)
            assert np.array_equal(dense_residues(kron(A, B).over(field), p, root), np.kron(ra, rb) % p)


def dense_residues(m: Matrix, p: int, root: int) -> np.ndarray[Any, Any]:
    out = np.zeros(m.shape, np.int64)
    out[m.rows, m.cols] = m.residues(p, root)
    return out


def test_reduction_refuses_a_prime_in_the_denominator() -> None:
    with pytest.raises(ZeroDivisionError, match="7"):
        matrix([["3/14"]]).residues(7, 1)


# ------------------------------------------------------------------------------------------- one matrix, many fields


@settings(max_examples=40)
@given(pairs(), st.sampled_from(["sqrt(2)", "zeta(7)", "I", "zeta(5)", "sqrt(-3)"]))
def test_equality_and_digest_do_not_see_the_field_of_writing(data: tuple[Algebra, Table, Table, Table], more: str) -> None:
    algebra, a, _, _ = data
    m = algebra.matrix(a)
    big = field_of([number(algebra.theta), number(more)])
    wide = m.over(big)
    assert wide.field == big
    assert wide == m
    assert m == wide
    assert hash(wide) == hash(m)
    assert wide.digest == m.digest
    assert wide.reduced().field == m.field == field_of([v for _, _, v in m.entries()])
    assert wide.reduced().digest == m.digest
    assert (wide @ wide.T).digest == (m @ m.T).digest
    assert np.array_equal(wide.to_numpy(complex), m.to_numpy(complex))


def test_sum_over_different_fields() -> None:
    total = matrix([["sqrt(2)", 1]]) + matrix([["I", "-1"]])
    assert total == matrix([["sqrt(2) + I", 0]])
    assert total.field == field_of([number("sqrt(2)"), number("I")])


def test_different_matrices_have_different_digests() -> None:
    some = [
        matrix([[1, 0]]),
        matrix([[0, 1]]),
        matrix([[1], [0]]),
        matrix([[2, 0]]),
        matrix([["1/2", 0]]),
        matrix([["sqrt(2)", 0]]),
        matrix([["-sqrt(2)", 0]]),
        matrix([["I", 0]]),
        matrix([["-I", 0]]),
        zeros((1, 2)),
        zeros((2, 1)),
        zeros((0, 3)),
    ]
    assert len({m.digest for m in some}) == len(some)
    assert all((a == b) == (a is b) for a in some for b in some)


def test_a_detour_over_huge_entries_leaves_no_trace() -> None:
    small = matrix([[3, 0], ["sqrt(2)/5", -4]])
    back = (small * 2**80) * Fraction(1, 2**80)
    assert back == small
    assert back.digest == small.digest
    assert hash(back) == hash(small)
    assert back.nums.dtype == small.nums.dtype
    wide = from_coo((2, 2), QQ, [0, 1], [0, 1], np.array([[3], [-4]], object), 1)
    assert wide == matrix([[3, 0], [0, -4]])
    assert wide.digest == matrix([[3, 0], [0, -4]]).digest


# --------------------------------------------------------------------------------------------------- beyond 64 bits


@pytest.mark.parametrize("top", [2**30, 2**31, 2**32, 2**61, 2**62, 2**63 - 1, 2**63, 2**64, 3**60])
def test_integers_of_any_size(top: int) -> None:
    rows = [[top, -top, 1], [-top + 1, top - 1, 7], [0, top, -top]]
    m = matrix(rows)
    assert m.tolist() == rows
    exact = np.array(rows, object)
    assert (m @ m).tolist() == (exact @ exact).tolist()
    assert (m @ m @ m).tolist() == (exact @ exact @ exact).tolist()
    assert (m + m).tolist() == (exact + exact).tolist()
    assert (m - m @ m).tolist() == (exact - exact @ exact).tolist()
    assert (-m).tolist() == (-exact).tolist()
    assert (m * top).tolist() == (exact * top).tolist()
    assert kron(m, m).tolist() == np.kron(exact, exact).tolist()
    assert inverse(m) @ m == identity(3)


@pytest.mark.parametrize("value", [-(2**63), -(2**63) + 1, 2**63 - 1])
def test_the_ends_of_int64_from_numpy(value: int) -> None:
    m = matrix(np.array([[value, 1]], np.int64))
    assert m.tolist() == [[value, 1]]
    assert (-m).tolist() == [[-value, -1]]
    assert (zeros((1, 2)) - m).tolist() == [[-value, -1]]
    assert (m + m).tolist() == [[2 * value, 2]]
    assert (m * Fraction(1, 2)).tolist() == [[Fraction(value, 2), Fraction(1, 2)]]


def test_unsigned_integers_above_int64() -> None:
    values = np.array([[2**63 + 5, 0], [0, 2**64 - 1]], np.uint64)
    assert matrix(values).tolist() == [[2**63 + 5, 0], [0, 2**64 - 1]]
    assert matrix(scipy.sparse.coo_array(values)).tolist() == [[2**63 + 5, 0], [0, 2**64 - 1]]


def test_long_products_do_not_overflow() -> None:
    a, b = [3**60, 2**100], [[1], [5**40]]
    m = matrix([[f"{a[0]}/7", a[1]]]) @ matrix(b)
    assert m.tolist() == [[Fraction(a[0], 7) + a[1] * b[1][0]]]


# ---------------------------------------------------------------------------------------------------------- reading


def test_every_notation_of_one_matrix() -> None:
    expected = [[0, -1], [2, 0]]
    m = matrix(expected)
    same: list[Any] = [
        ((0, -1), (2, 0)),
        [["0", "-1"], ["2", "0"]],
        [[Fraction(0), Fraction(-1)], [number("2"), 0]],
        [np.array([0, -1]), np.array([2, 0])],
        sympy.Matrix(expected),
        sympy.ImmutableSparseMatrix(expected),
        sympy.SparseMatrix(expected),
        scipy.sparse.coo_array(np.array(expected)),
        scipy.sparse.csr_array(np.array(expected)),
        scipy.sparse.csc_matrix(np.array(expected)),
        m,
    ] + [np.array(expected, t) for t in (np.int8, np.int16, np.int32, np.int64, object)]
    for given_ in same:
        assert matrix(given_) == m
        assert matrix(given_).digest == m.digest
    assert matrix(m) is m


def test_coordinates_that_repeat_are_added() -> None:
    coo = scipy.sparse.coo_array((np.array([1, 2, -3, 5]), (np.array([0, 0, 0, 1]), np.array([1, 1, 1, 0]))), (2, 2))
    assert matrix(coo) == matrix([[0, 0], [5, 0]])


def test_sparse_floats_follow_the_rule_for_floats() -> None:
    with pytest.raises(NumberError, match=r"matrix\[0\]\[0\]"):
        matrix(scipy.sparse.coo_array(np.array([[0.5]])))
    assert matrix(scipy.sparse.coo_array(np.array([[0.5]])), allow_floats=True) == matrix([["1/2"]])


def test_the_source_is_copied() -> None:
    source = np.array([[1, 2], [3, 4]])
    m = matrix(source)
    source[0, 0] = 99
    assert source.flags.writeable
    assert m[0, 0] == 1


class Foreign:
    """A tensor: it has ndim, a dtype without a kind, and tolist."""

    dtype, ndim = object(), 2

    def __init__(self, rows: list[list[Any]]) -> None:
        self.rows = rows

    def tolist(self) -> list[list[Any]]:
        return self.rows


BAD = [
    (5, DeclarationError, "here"),
    ("1 0; 0 1", DeclarationError, "here"),
    ([], DeclarationError, "here"),
    ([1, 2], DeclarationError, r"here\[0\]"),
    (np.array([1, 2]), DeclarationError, r"here\[0\]"),
    (["10", "01"], DeclarationError, r"here\[0\]"),
    ([[1, 2], [3]], DeclarationError, r"here\[1\].*1 entries.*2"),
    ([[1, 2], 3], DeclarationError, r"here\[1\]"),
    ([[[1]]], DeclarationError, r"here\[0\]\[0\]|here"),
    (np.zeros((2, 2, 2), int), DeclarationError, "here"),
    ([[1, 0.5]], NumberError, r"here\[0\]\[1\].*1/2"),
    ([[1, 0.0]], NumberError, r"here\[0\]\[1\]"),
    ([[0, 0], [0, float("nan")]], NumberError, r"here\[1\]\[1\]"),
    ([[float("inf")]], NumberError, r"here\[0\]\[0\]"),
    ([[1], ["exp(1)"]], NumberError, r"here\[1\]\[0\]"),
    ([[1], ["x"]], NumberError, r"here\[1\]\[0\]"),
    ([["1/0"]], NumberError, r"here\[0\]\[0\]"),
    ([[None]], NumberError, r"here\[0\]\[0\]"),
    ([[True]], NumberError, r"here\[0\]\[0\]"),
    (np.array([[1.5]]), NumberError, r"here\[0\]\[0\]"),
    (np.array([[True]]), NumberError, r"here\[0\]\[0\]"),
    (Foreign([[0, 1.5]]), NumberError, r"here\[0\]\[1\].*3/2"),
    (sympy.Matrix([[sympy.Symbol("x")]]), NumberError, r"here\[0\]\[0\]"),
    (sympy.Matrix([[sympy.pi]]), NumberError, r"here\[0\]\[0\]"),
]


def test_integers_of_a_framework_whose_dtypes_have_no_kind_are_taken() -> None:
    assert matrix(Foreign([[0, -1], [1, 0]])) == matrix([[0, -1], [1, 0]])


@pytest.mark.parametrize(("entries", "error", "place"), BAD, ids=[repr(row[0])[:30] for row in BAD])
def test_what_is_no_matrix_is_refused_with_its_place(entries: Any, error: type[Exception], place: str) -> None:
    with pytest.raises(error, match=place):
        matrix(entries, "here")


def test_floats_that_are_exact_are_taken_when_allowed() -> None:
    assert matrix([[0.5, -2.0]], allow_floats=True) == matrix([["1/2", -2]])
    with pytest.raises(NumberError, match=r"m\[0\]\[0\]"):
        matrix([[float("nan")]], "m", allow_floats=True)


# ---------------------------------------------------------------------------------------------------------- showing


@settings(max_examples=40)
@given(pairs())
def test_repr_reads_back(data: tuple[Algebra, Table, Table, Table]) -> None:
    algebra, a, _, _ = data
    m = algebra.matrix(a)
    back = eval(repr(m), {"matrix": matrix})  # noqa: S307  # our own repr
    assert back == m
    assert back.digest == m.digest
    assert matrix(m.tolist()) == m
    assert matrix(m.to_sympy()) == m


def test_tolist_gives_the_plainest_type() -> None:
    rows = matrix([[1, "1/2"], ["sqrt(2)", 0]]).tolist()
    assert [[type(x).__name__ for x in row] for row in rows] == [["int", "Fraction"], ["Number", "int"]]


def test_to_numpy_rounds_each_entry_once() -> None:
    texts = [["1/3", "sqrt(2)/2"], ["cos(pi/5)", "-7"]]
    m = matrix(texts)
    expected = [[float(number(t)) for t in row] for row in texts]
    assert m.to_numpy().tolist() == expected
    assert m.to_numpy().dtype == np.float64
    assert np.asarray(m).tolist() == expected
    assert m.to_numpy(np.float32).tolist() == np.array(expected).astype(np.float32).tolist()
    turn = matrix([["I", 0], [0, "1 - I"]])
    assert turn.to_numpy().tolist() == [[1j, 0], [0, 1 - 1j]]
    with pytest.raises(TypeError):
        turn.to_numpy(np.float64)


def test_an_integral_matrix_gives_integers() -> None:
    out = matrix([[2, 0], [-1, 3]]).to_numpy(np.int64)
    assert out.dtype == np.int64
    assert out.tolist() == [[2, 0], [-1, 3]]


def test_sympy_arithmetic_agrees() -> None:
    a = sympy.Matrix([[sympy.sqrt(2), 1], [sympy.Rational(1, 3), -sympy.sqrt(2)]])
    b = sympy.Matrix([[sympy.I, 0], [2, 1 - sympy.I]])
    A, B = matrix(a), matrix(b)
    assert matrix((a * b).expand()) == A @ B
    assert kron(A, B) == matrix(sympy.kronecker_product(a, b).expand())
    assert inverse(A) == matrix(a.inv().applyfunc(sympy.radsimp))
    assert A.to_sympy() == sympy.ImmutableSparseMatrix(a)


def test_entries_are_read_by_index() -> None:
    m = matrix([["sqrt(2)", 0, 3], [0, "1/2", 0]])
    assert m[0, 0] == number("sqrt(2)")
    assert m[0, 1] == 0
    assert m[-1, -2] == Fraction(1, 2)
    assert [(r, c, str(v)) for r, c, v in m.entries()] == [(0, 0, "sqrt(2)"), (0, 2, "3"), (1, 1, "1/2")]
    for at in ((2, 0), (0, 3), (-3, 0), (0, -4)):
        with pytest.raises(IndexError):
            m[at]


def test_matrices_are_frozen() -> None:
    m = matrix([[1, 2]])
    with pytest.raises(FrozenInstanceError):
        m.den = 2  # type: ignore[misc]
    for array in (m.rows, m.cols, m.nums):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


# --------------------------------------------------------------------------------------------------------- building


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2\).*\(1, 2\)"):
        matrix([[1, 2]]) @ matrix([[1, 2]])
    with pytest.raises(ValueError, match=r"\(1, 2\).*\(2, 1\)"):
        matrix([[1, 2]]) + matrix([[1], [2]])
    with pytest.raises(ValueError, match=r"\(1, 2\)"):
        inverse(matrix([[1, 2]]))


def test_empty_shapes() -> None:
    none = zeros((0, 3))
    assert none.T.shape == (3, 0)
    assert (none.T @ none) == zeros((3, 3))
    assert (none @ none.T) == zeros((0, 0))
    assert kron(none, identity(2)).shape == (0, 6)
    assert block_diag([none, identity(1)]) == matrix([[0, 0, 0, 1]])
    assert block_diag([]).shape == (0, 0)
    assert none.to_numpy().shape == (0, 3)
    assert inverse(zeros((0, 0))).shape == (0, 0)


@given(st.permutations(range(5)), st.permutations(range(5)))
def test_permutation_matrices_multiply_like_permutations(s: list[int], t: list[int]) -> None:
    S, T = permutation_matrix(s), permutation_matrix(t)
    assert permutation_matrix([s[t[i]] for i in range(5)]) == S @ T
    assert inverse(S) == S.T
    assert S.is_permutation
    assert S.is_monomial
    assert all(S[s[i], i] == 1 for i in range(5))


@given(st.permutations(range(4)), st.lists(st.sampled_from([1, -1]), min_size=4, max_size=4))
def test_monomial_sends_each_basis_vector_to_a_signed_one(images: list[int], signs: list[int]) -> None:
    m = monomial(images, signs)
    assert m.tolist() == [[signs[i] if images[i] == r else 0 for i in range(4)] for r in range(4)]
    assert m.is_monomial
    assert m.is_permutation == (signs == [1] * 4)
    assert inverse(m) == m.T


def test_predicates() -> None:
    assert identity(3).is_identity
    assert not matrix([[1, 0, 0], [0, 1, 0]]).is_identity
    assert not (2 * identity(2)).is_identity
    assert matrix([[0, "I"], ["zeta(3)", 0]]).is_monomial
    assert not matrix([[1, 1], [0, 1]]).is_monomial
    assert not matrix([[1, 1], [0, 0]]).is_monomial
    assert not matrix([[1, 0], [1, 0]]).is_monomial
    assert not matrix([[0, 2], [1, 0]]).is_permutation
    assert not matrix([[0, "1/2"], [1, 0]]).is_permutation
    assert matrix([[0, 2], [1, 0]]).is_integral
    assert not matrix([["1/2"]]).is_integral
    assert not matrix([["sqrt(2)"]]).is_integral
    assert zeros((2, 2)).is_zero
    assert not identity(1).is_zero
    # In a larger field the same answers hold.
    wide = identity(2).over(field_of([number("zeta(7)")]))
    assert wide.is_identity
    assert wide.is_permutation
    assert wide.is_integral


def test_block_diag_by_definition() -> None:
    m = block_diag([matrix([["sqrt(2)", 1]]), matrix([["1/3"]]), matrix([["I"], [5]])])
    assert m == matrix(
        [["sqrt(2)", 1, 0, 0], [0, 0, "1/3", 0], [0, 0, 0, "I"], [0, 0, 0, 5]],
    )


def test_inverse_of_a_vandermonde_matrix_over_cyclotomic_numbers() -> None:
    n = 7
    fourier = matrix([[f"zeta({n})**{i * j}" for j in range(n)] for i in range(n)])
    assert inverse(fourier) == fourier.conjugate() * Fraction(1, n)
    shear = matrix([["zeta(7)", 1, 0], [0, "zeta(7)**2", 1], [1, 0, "sqrt(2)"]])
    assert inverse(shear) @ shear == identity(3)
