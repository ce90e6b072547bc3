"""Field: the canonical primitive element, coordinates, structure constants, reductions modulo primes."""

from __future__ import annotations

import pickle
import time
from fractions import Fraction
from itertools import combinations, islice

import flint
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repcore.errors import NumberError
from repcore.exact import cyclotomic as cyc
from repcore.exact.field import QQ, Field, _periods, _squarefree, compositum, field_of
from repcore.exact.number import Number, number, zeta
from repcore.exact.special import stabilizer

# generators, name, degree, minimal polynomial of theta (constant term first)
NAMED = [
    ([], "QQ", 1, (-1, 1)),
    (["1/2", "-3"], "QQ", 1, (-1, 1)),
    (["sqrt(2)/2"], "QQ<sqrt(2)>", 2, (-2, 0, 1)),
    (["1 + 3*sqrt(18)"], "QQ<sqrt(2)>", 2, (-2, 0, 1)),
    (["cos(2*pi/5)"], "QQ<sqrt(5)>", 2, (-5, 0, 1)),
    (["I"], "QQ<I>", 2, (1, 0, 1)),
    (["zeta(3)"], "QQ<sqrt(-3)>", 2, (3, 0, 1)),
    (["sqrt(-21)"], "QQ<sqrt(-21)>", 2, (21, 0, 1)),
    (["zeta(7) + zeta(7)**2 + zeta(7)**4"], "QQ<sqrt(-7)>", 2, (7, 0, 1)),
    (["zeta(5)"], "QQ<zeta(5)>", 4, (1, 1, 1, 1, 1)),
    (["zeta(7)"], "QQ<zeta(7)>", 6, (1,) * 7),
    (["zeta(8)"], "QQ<zeta(8)>", 4, (1, 0, 0, 0, 1)),
    (["sqrt(2)", "I"], "QQ<zeta(8)>", 4, (1, 0, 0, 0, 1)),
    (["I + sqrt(3)"], "QQ<zeta(12)>", 4, (1, 0, -1, 0, 1)),
    (["cos(2*pi/7)"], "QQ<2*cos(2*pi/7)>", 3, (-1, -2, 1, 1)),
    (["cos(4*pi/9)"], "QQ<2*cos(2*pi/9)>", 3, (1, -3, 0, 1)),
    (["cos(pi/8)"], "QQ<2*cos(pi/8)>", 4, (2, 0, -4, 0, 1)),
    (["sqrt(2)", "sqrt(3)"], "QQ<sqrt(2) + sqrt(3)>", 4, (1, 0, -10, 0, 1)),
    (["cos(pi/12)", "sqrt(6)"], "QQ<sqrt(2) + sqrt(3)>", 4, (1, 0, -10, 0, 1)),
    (["sqrt(2) + I*sqrt(3)"], "QQ<sqrt(2) + sqrt(-3)>", 4, (25, 0, 2, 0, 1)),
    (["sqrt(2)", "sqrt(3)", "sqrt(5)"], "QQ<sqrt(2) + sqrt(3) + sqrt(5)>", 8, (576, 0, -960, 0, 352, 0, -40, 0, 1)),
    (["zeta(13) + zeta(13)**3 + zeta(13)**9"], "QQ<zeta(13) + zeta(13)**3 + zeta(13)**9>", 4, (3, -4, 2, 1, 1)),
]


def build(texts: list[str]) -> Field:
    return field_of([number(text) for text in texts])


@pytest.mark.parametrize(("texts", "name", "degree", "modulus"), NAMED, ids=[row[1] for row in NAMED])
def test_named_fields(texts: list[str], name: str, degree: int, modulus: tuple[int, ...]) -> None:
    field = build(texts)
    assert str(field) == field.name == name
    assert field.degree == degree
    assert field.modulus == modulus
    assert all(number(text) in field for text in texts)
    assert eval(repr(field), {"Field": Field}) == field  # noqa: S307  # our own repr


def subfields(n: int) -> list[Field]:
    """The fields of conductor n that one or two automorphisms fix."""
    out: set[Field] = set()
    for pair in combinations((1, *cyc.units(n)), 2):
        try:
            out.add(Field(n, tuple(sorted(cyc.generate(n, pair)))))
        except NumberError:
            continue  # it lies in a smaller cyclotomic field
    return sorted(out, key=lambda field: field.fixed)


SUBFIELDS = [f for n in (5, 7, 8, 9, 12, 13, 15, 16, 20, 21, 24, 27, 28, 32, 36, 45, 48, 63, 72) for f in subfields(n)]


def test_theta_generates_every_small_field() -> None:
    assert len(SUBFIELDS) > 90
    # for a prime p, one field for each divisor of p - 1 but the first, which is QQ
    assert [len(subfields(p)) for p in (3, 7, 13, 37)] == [1, 3, 5, 8]
    for field in SUBFIELDS:
        theta = field.theta
        assert theta.conductor == field.conductor
        assert stabilizer(theta) == field.fixed
        assert field_of([theta]) == field
        assert all(c.denominator == 1 for c in theta.coords)
        assert theta.is_real == field.is_real


def test_modulus_is_the_minimal_polynomial() -> None:
    for field in SUBFIELDS:
        modulus = field.modulus
        assert len(modulus) == field.degree + 1
        assert modulus[-1] == 1
        value = number(0)
        for c in reversed(modulus):
            value = value * field.theta + c
        assert value == 0
        _, factors = flint.fmpz_poly(list(modulus)).factor()
        assert [e for _, e in factors] == [1]


FIELDS = [build(row[0]) for row in NAMED[2:]] + [build(["cos(2*pi/100)", "sin(2*pi/100)"])]
EXTRA = [f for f in SUBFIELDS if f.name.count("zeta") > 1 or f.name.count("cos") > 1][::6]


@st.composite
def elements(draw: st.DrawFn, count: int = 1) -> tuple[Field, list[list[Fraction]]]:
    field = draw(st.sampled_from(FIELDS + EXTRA))
    entry = st.fractions(min_value=-5, max_value=5, max_denominator=6)
    return field, [draw(st.lists(entry, min_size=field.degree, max_size=field.degree)) for _ in range(count)]


@given(elements())
@settings(deadline=None)
def test_coordinates_and_number_are_inverse(data: tuple[Field, list[list[Fraction]]]) -> None:
    field, (coords,) = data
    x = field.number(coords)
    assert x in field
    assert field.coordinates(x) == tuple(coords)
    value = number(0)
    for c in reversed(coords):  # by the definition: a polynomial in theta
        value = value * field.theta + c
    assert x == value


@given(elements(2))
@settings(deadline=None)
def test_table_multiplies(data: tuple[Field, list[list[Fraction]]]) -> None:
    field, (a, b) = data
    product = np.einsum("i,j,ijk->k", np.array(a, object), np.array(b, object), field.table.astype(object))
    assert field.coordinates(field.number(a) * field.number(b)) == tuple(product)


@given(elements())
@settings(deadline=None)
def test_conjugation_conjugates(data: tuple[Field, list[list[Fraction]]]) -> None:
    field, (a,) = data
    expected = field.coordinates(field.number(a).conjugate())
    assert tuple(sum(a[j] * field.conjugation[j][i] for j in range(field.degree)) for i in range(field.degree)) == expected


@pytest.mark.parametrize("field", FIELDS + EXTRA, ids=str)
def test_arrays_are_read_only_and_typed(field: Field) -> None:
    d = field.degree
    assert field.table.shape == (d, d, d)
    assert field.table.dtype == np.int64
    assert field.complex_powers.shape == (d,)
    assert field.complex_powers.dtype == np.complex128
    for array in (field.table, field.complex_powers):
        with pytest.raises(ValueError, match="read-only"):
            array[(0,) * array.ndim] = 2
    identity = tuple(tuple(Fraction(i == j) for i in range(d)) for j in range(d))
    assert (field.conjugation == identity) == field.is_real


@pytest.mark.parametrize("field", FIELDS + EXTRA, ids=str)
def test_complex_powers_are_correctly_rounded(field: Field) -> None:
    mpmath.mp.dps = 60
    n = field.conductor
    theta = mpmath.mpc(0)
    for j, c in enumerate(field.theta.coords):
        theta += mpmath.mpf(c.numerator) * mpmath.exp(2j * mpmath.pi * j / n)
    for i, value in enumerate(field.complex_powers):
        power = theta**i
        assert abs(value - power) <= 2**-52 * abs(power)
        if field.is_real:
            assert value.imag == 0


def test_table_holds_python_integers_where_they_do_not_fit() -> None:
    field = build(["cos(2*pi/331)"])
    assert field.degree == 165
    assert field.table.dtype == object
    assert field.table[1, 0, 1] == 1
    top = field.theta ** (field.degree - 1) * field.theta
    assert sum(c * field.theta**i for i, c in enumerate(field.table[1, -1])) == top


# ---------------------------------------------------------------------------------------------- membership, inclusion


def test_membership_and_foreign_numbers() -> None:
    field = build(["sqrt(2)", "sqrt(3)"])
    assert number("sqrt(6)/5 - 1") in field
    assert number(7) in QQ
    for text in ("I", "sqrt(5)", "zeta(24)", "zeta(3)"):
        assert number(text) not in field
        with pytest.raises(NumberError, match=r"not in the field QQ<sqrt\(2\) \+ sqrt\(3\)>"):
            field.coordinates(number(text))
    with pytest.raises(NumberError, match="not in the field QQ;"):
        QQ.coordinates(number("I"))
    with pytest.raises(NumberError, match="expected 4 coordinates"):
        field.number([1, 2])
    assert QQ.coordinates(number("3/2")) == (Fraction(3, 2),)
    assert QQ.number([Fraction(3, 2)]) == Fraction(3, 2)


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ([], ["sqrt(2)"]),
        (["sqrt(2)"], ["zeta(8)"]),
        (["sqrt(6)"], ["sqrt(2)", "sqrt(3)"]),
        (["cos(2*pi/7)"], ["zeta(7)"]),
        (["sqrt(5)"], ["cos(2*pi/100)", "sin(2*pi/100)"]),
        (["zeta(3)", "I"], ["zeta(24)"]),
    ],
)
def test_embeddings(small: list[str], large: list[str]) -> None:
    a, b = build(small), build(large)
    rows = a.conductor_embedding(b)
    assert len(rows) == a.degree
    for i, row in enumerate(rows):
        assert b.number(row) == a.theta**i
    assert compositum(a, b) == b
    with pytest.raises(NumberError, match="not in the field"):
        b.conductor_embedding(a)


def test_compositum() -> None:
    r2, r3, i = build(["sqrt(2)"]), build(["sqrt(3)"]), build(["I"])
    assert compositum() == QQ
    assert compositum(r2) == compositum(r2, QQ) == r2
    assert compositum(r2, r3) == build(["sqrt(2)", "sqrt(3)"])
    assert compositum(compositum(r2, r3), i) == compositum(i, r3, r2) == build(["zeta(24)"])
    assert compositum(build(["sqrt(6)"]), build(["sqrt(2)"])) == compositum(r2, r3)
    with pytest.raises(NumberError, match="5000"):
        compositum(build(["sqrt(1009)"]), build(["sqrt(1013)"]))


@given(st.lists(st.sampled_from(["1/2", "sqrt(2)", "sqrt(-6)", "I", "zeta(5)", "cos(pi/7)", "zeta(9)"]), max_size=3))
@settings(deadline=None)
def test_field_of_is_least(texts: list[str]) -> None:
    values = [number(text) for text in texts]
    field = field_of(values)
    assert field == compositum(*(field_of([x]) for x in values))
    assert all(x in field for x in values)
    # Galois: what fixes all numbers fixes the field, and nothing else does
    n = field.conductor
    assert field.fixed == tuple(
        k for k in cyc.units(n) if all(x.galois(k % x.conductor) == x for x in values if not x.is_rational)
    )


@pytest.mark.parametrize(
    ("conductor", "fixed", "fragment"),
    [
        (0, (1,), "conductor"),
        (6, (1,), "2 modulo 4"),
        (5001, (1,), "5000"),
        (8, (1, 3, 5, 7), "not least"),
        (12, (1, 7), "not least"),
        (15, (1, 11), "not least"),
        (8, (7, 1), "sorted"),
        (8, (1, 2), "units"),
        (8, (), "units"),
        (7, (1, 2), "subgroup"),
    ],
)
def test_only_canonical_fields_are_built(conductor: int, fixed: tuple[int, ...], fragment: str) -> None:
    with pytest.raises(NumberError, match=r"use field_of") as caught:
        Field(conductor, fixed)
    assert fragment in str(caught.value)


def test_fields_are_values() -> None:
    a, b = build(["sqrt(2)"]), Field(8, (1, 7))
    assert a == b
    assert hash(a) == hash(b)
    assert a != build(["sqrt(-2)"])
    assert pickle.loads(pickle.dumps(a)) == a  # noqa: S301  # our own bytes
    with pytest.raises(AttributeError):
        a.conductor = 5  # type: ignore[misc]


# ---------------------------------------------------------------------------------------------- modulo primes


@pytest.mark.parametrize("field", FIELDS + EXTRA, ids=str)
def test_roots_satisfy_the_modulus(field: Field) -> None:
    for p in [*islice(field.primes(), 2), *islice(field.primes(below=5000), 1)]:
        roots = field.roots(p)
        assert (p - 1) % field.conductor == 0
        assert len(set(roots)) == field.degree
        for r in roots:
            assert sum(c * pow(r, i, p) for i, c in enumerate(field.modulus)) % p == 0


@given(elements(2), st.sampled_from([2**31, 10**6, 2**61]))
@settings(deadline=None)
def test_evaluation_at_roots_is_a_ring_homomorphism(data: tuple[Field, list[list[Fraction]]], below: int) -> None:
    field, (a, b) = data
    p = next(field.primes(below=below))
    x, y = field.number(a), field.number(b)

    def image(z: Number, root: int) -> int:
        coords = field.coordinates(z)
        return sum(c.numerator * pow(c.denominator, -1, p) * pow(root, i, p) for i, c in enumerate(coords)) % p

    for root in field.roots(p):
        assert image(x + y, root) == (image(x, root) + image(y, root)) % p
        assert image(x * y, root) == image(x, root) * image(y, root) % p


def test_order_of_roots() -> None:
    # theta = zeta(5): w, w^2, w^3, w^4 with w the smallest primitive fifth root of unity modulo 11
    assert build(["zeta(5)"]).roots(11) == (3, 9, 5, 4)
    assert build(["I"]).roots(13) == (5, 8)
    # sqrt(5) = 1 + 2(w + w^4), and cosets of {1, 4} begin with 1 and 2
    assert build(["sqrt(5)"]).roots(11) == (1 + 2 * (3 + 4) - 11, (1 + 2 * (9 + 5)) % 11)
    assert QQ.roots(7) == (1,)


def test_roots_refuse_other_moduli() -> None:
    field = build(["sqrt(2)"])
    for p in (7, 11, 1, 0, -7, 33):
        with pytest.raises(NumberError, match="p = 1"):
            field.roots(p)
    # disc((x^2 - 2 - 3)^2 - 24) = 2^14 3^4 ..., and 97 = 1 mod 24 is fine
    assert len(build(["sqrt(2)", "sqrt(3)"]).roots(97)) == 4


def test_primes_that_divide_the_discriminant_are_refused_and_skipped() -> None:
    skipped = 0
    for field in SUBFIELDS:
        good = set(field.primes(below=400))
        step = field.conductor
        for p in range(step + 1, 400, step):
            if flint.fmpz(p).is_prime():
                modular = flint.nmod_poly([c % p for c in field.modulus], p)
                squarefree = modular.gcd(modular.derivative()).degree() == 0
                assert (p in good) == squarefree
                if not squarefree:
                    skipped += 1
                    with pytest.raises(NumberError, match="divides the discriminant"):
                        field.roots(p)
    assert skipped > 0


def test_primes_descend_and_are_deterministic() -> None:
    assert list(islice(QQ.primes(), 3)) == [2**31 - 1, 2147483629, 2147483587]
    assert list(QQ.primes(below=12)) == [11, 7, 5, 3]
    assert list(build(["I"]).primes(below=30)) == [29, 17, 13, 5]
    assert next(build(["zeta(5)"]).primes(below=11), None) is None
    assert next(build(["zeta(5)"]).primes(below=12), None) == 11


def test_rotation_by_a_hundredth_turn_is_fast() -> None:
    started = time.perf_counter()
    field = build(["cos(2*pi/100)", "sin(2*pi/100)"])
    assert field.degree == 20
    next(field.primes())
    field.coordinates(number("sin(2*pi/100)"))
    assert time.perf_counter() - started < 0.5
    started = time.perf_counter()
    assert zeta(997) in field_of([zeta(997)])
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(("n", "fixed"), [(5, (1,)), (7, (1, 6)), (15, (1, 4)), (8, (1,))])
def test_candidates_for_a_generator_come_in_a_fixed_order(n: int, fixed: tuple[int, ...]) -> None:
    """Periods first, then sums of two of them, then combinations of all; each lies in the field, and the first is the trace."""
    found = list(islice(_periods(n, fixed), 200))
    field = Field(n, fixed)
    assert all(x in field for x in found)
    assert found == list(islice(_periods(n, fixed), 200))
    assert found[0] == sum((zeta(n, k) for k in fixed), number(0))
    periods = {sum((zeta(n, a * k) for k in fixed), number(0)) for a in range(1, n)}
    assert set(found[: len(periods)]) == periods
    assert found[len(periods)] == found[0] + found[1]


@pytest.mark.parametrize(("d", "expected"), [(1, 1), (12, 3), (-8, -2), (72, 2), (-1, -1), (49, 1), (30, 30)])
def test_squarefree_parts(d: int, expected: int) -> None:
    assert _squarefree(d) == expected
