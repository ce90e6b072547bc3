"""Number: exact laws with ==, rounding against mpmath, notation there and back, refusals."""

from __future__ import annotations

import copy
import math
import pickle
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from repcore.errors import NumberError
from repcore.exact import cyclotomic as cyc
from repcore.exact.number import Number, number, zeta
from repcore.exact.special import cos_pi, sin_pi, sqrt, stabilizer

CONDUCTORS = [1, 3, 4, 5, 7, 8, 9, 12, 13, 15, 16, 20, 21, 24, 28, 36, 40]
SQUAREFREE = [d for d in range(-110, 111) if d and all(d % (p * p) for p in (2, 3, 5, 7))]

fractions = st.fractions(min_value=-9, max_value=9, max_denominator=12)


@st.composite
def numbers(draw: st.DrawFn, conductors: list[int] = CONDUCTORS) -> Number:
    n = draw(st.sampled_from(conductors))
    degree = cyc.cyclotomic(n).degree()
    coords = draw(st.lists(st.one_of(st.just(Fraction(0)), fractions), min_size=degree, max_size=degree))
    return Number(n, coords)


small = numbers([1, 3, 4, 5, 8, 12])


# ---------------------------------------------------------------------------------------------- canonical form


@pytest.mark.parametrize(
    ("text", "conductor"),
    [
        ("1/2", 1),
        ("zeta(1)", 1),
        ("zeta(2)", 1),
        ("zeta(6)", 3),
        ("zeta(10)", 5),
        ("I", 4),
        ("sqrt(-3)", 3),
        ("sqrt(3)", 12),
        ("sqrt(2)", 8),
        ("sqrt(5)", 5),
        ("sqrt(-5)", 20),
        ("sqrt(6)", 24),
        ("sqrt(-15)", 15),
        ("cos(2*pi/7)", 7),
        ("cos(pi/7)", 7),
        ("sin(2*pi/7)", 28),
        ("cos(pi/5)", 5),
        ("zeta(12)**4", 3),
        ("zeta(9)**3", 3),
        ("sqrt(2)*sqrt(3)*sqrt(6)", 1),
        ("zeta(15)**5", 3),
        ("zeta(15)**3", 5),
        ("zeta(8) + zeta(8)**3", 8),
        ("zeta(7) + zeta(7)**2 + zeta(7)**4", 7),
        ("(zeta(5) + zeta(3)) - zeta(3)", 5),
        ("zeta(45)**9 + zeta(45)**5 - zeta(9)", 5),
    ],
)
def test_conductor_is_least(text: str, conductor: int) -> None:
    x = number(text)
    assert x.conductor == conductor
    assert len(x.coords) == cyc.cyclotomic(conductor).degree()


@given(numbers(), st.sampled_from([1, 2, 3, 4, 5, 6, 7, 12]))
def test_coordinates_over_any_larger_field_give_the_same_number(x: Number, factor: int) -> None:
    n = x.conductor * factor
    lifted = sum((zeta(n, j) * c for j, c in enumerate(x.lift(n))), number(0))
    assert lifted == x
    assert Number(n, x.lift(n)) == x
    assert hash(Number(n, x.lift(n))) == hash(x)


@given(numbers())
def test_conductor_is_least_by_the_definition(x: Number) -> None:
    # the residues that fix x contain the kernel of no smaller modulus
    n, fixed = x.conductor, set(stabilizer(x))
    assert n % 4 != 2
    assert fixed == {k for k in cyc.units(n) if x.galois(k) == x}
    for p in cyc.prime_factors(n):
        assert any(k not in fixed for k in cyc.units(n) if k % (n // p) == 1 % (n // p))


def test_known_identities() -> None:
    assert number("zeta(8)") + number("zeta(8)") ** -1 == number("sqrt(2)")
    assert number("cos(2*pi/5)") == number("(sqrt(5) - 1)/4")
    assert number("cos(pi/12)") == number("(sqrt(6) + sqrt(2))/4")
    assert number("sin(pi/6)") == Fraction(1, 2)
    assert number("cos(2*pi/7) + cos(4*pi/7) + cos(6*pi/7)") == Fraction(-1, 2)
    assert number("8*cos(pi/9)*cos(2*pi/9)*cos(4*pi/9)") == 1
    assert number("zeta(17)") ** 17 == 1
    # Gauss 1796: the 17-gon is constructible, with this quadratic step
    assert number(
        "zeta(17) + zeta(17)**2 + zeta(17)**4 + zeta(17)**8 + zeta(17)**9 + zeta(17)**13 + zeta(17)**15 + zeta(17)**16"
    ) == number("(sqrt(17) - 1)/2")


@pytest.mark.parametrize("d", SQUAREFREE)
def test_gauss_sum_is_the_principal_square_root(d: int) -> None:
    root = sqrt(d)
    assert root * root == d
    value = complex(root)
    assert value == (complex(math.sqrt(d)) if d > 0 else complex(0, math.sqrt(-d)))
    assert root.conductor == (1 if d == 1 else abs(d) if d % 4 == 1 else 4 * abs(d))


@pytest.mark.parametrize("q", [Fraction(1, 2), Fraction(-8, 27), Fraction(49, 12), Fraction(10**40), Fraction(-3, 4)])
def test_square_root_of_a_rational(q: Fraction) -> None:
    root = sqrt(q)
    assert root**2 == q
    value = complex(root)
    assert value.real > 0 if q > 0 else (value.real == 0 and value.imag > 0)


def test_kronecker_symbol() -> None:
    for d in [-4, 8, -8, 5, -3, 12, 21, -20, 24, 60, -84]:
        for k in range(1, 200):
            factors = flint.fmpz(k).factor()
            expected = 1
            for p, e in factors:
                if p == 2:
                    local = 0 if d % 2 == 0 else (1 if d % 8 in (1, 7) else -1)
                else:
                    local = flint.fmpz(d % int(p)).jacobi(p)
                expected *= int(local) ** int(e)
            assert cyc.kronecker(d, k) == expected


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 9, 12, 15, 16, 24, 35, 60, 72, 100, 105, 128, 360])
def test_unit_generators_generate(n: int) -> None:
    assert sorted(cyc.generate(n, cyc.unit_generators(n))) == list(cyc.units(n))


# ---------------------------------------------------------------------------------------------- field laws


@given(numbers(), numbers(), small)
@settings(deadline=None)
def test_ring_laws(x: Number, y: Number, z: Number) -> None:
    assume(math.lcm(x.conductor, y.conductor, z.conductor) <= 2000)
    assert x + y == y + x
    assert x * y == y * x
    assert (x + y) + z == x + (y + z)
    assert (x * y) * z == x * (y * z)
    assert x * (y + z) == x * y + x * z
    assert x - x == 0
    assert x + 0 == x
    assert x * 1 == x
    assert -x == x * -1
    assert (x - y) + y == x


@given(numbers(), numbers())
def test_inverse(x: Number, y: Number) -> None:
    assume(bool(x))
    assert x * x.inverse() == 1
    assert (y / x) * x == y
    assert 1 / x == x**-1


@given(small, st.integers(0, 9))
def test_powers(x: Number, e: int) -> None:
    product = number(1)
    for _ in range(e):
        product = product * x
    assert x**e == product
    if x:
        assert x**-e * product == 1


@given(numbers([5, 8, 12, 15]), numbers([5, 8, 12, 15]), st.sampled_from([7, 11, 13, 17, 23, 119]))
def test_galois_is_a_field_automorphism(x: Number, y: Number, k: int) -> None:
    assert (x + y).galois(k) == x.galois(k) + y.galois(k)
    assert (x * y).galois(k) == x.galois(k) * y.galois(k)
    assert x.galois(k).galois(11) == x.galois(k * 11)
    assert zeta(15).galois(k) == zeta(15, k)


@given(numbers())
def test_conjugation(x: Number) -> None:
    value = complex(x)
    assert complex(x.conjugate()) == value.conjugate()
    assert (x * x.conjugate()).is_real
    assert x.is_real == (value.imag == 0)


def test_galois_refuses_non_units() -> None:
    with pytest.raises(NumberError, match="prime to the conductor 12"):
        number("sqrt(3)").galois(2)


def test_large_conductors_are_inverted_by_norms_or_refused() -> None:
    x = sqrt(1009) + 3
    assert x * x.inverse() == 1
    with pytest.raises(NumberError, match="inverse"):
        (zeta(4999) + 3).inverse()


# ---------------------------------------------------------------------------------------------- a citizen of Python


def test_equality_and_hash_agree_with_rationals() -> None:
    assert number("1/2") == Fraction(1, 2)
    assert number(3) == 3 == number("3")
    assert number(np.int64(3)) == np.int64(3)
    assert hash(number("1/2")) == hash(Fraction(1, 2))
    assert {number("sqrt(4)"): "two"}[2] == "two"
    assert number("sqrt(2)") != 1
    assert number("sqrt(2)") != "sqrt(2)"
    assert not number(0)
    assert number("sqrt(2) - sqrt(2)") == 0
    assert bool(number("I"))


def test_operators_mix_with_exact_python_numbers_only() -> None:
    x = number("sqrt(2)")
    assert 1 + x == x + 1 == Fraction(1) + x
    assert 1 - x == -(x - 1)
    assert 2 / x == x
    assert np.int64(2) * x == x * 2 == x * np.int64(2)
    for bad in (0.5, "1", None, True):
        with pytest.raises(TypeError):
            x + bad  # type: ignore[operator]
        with pytest.raises(TypeError):
            bad * x  # type: ignore[operator]
    for bad in (0.5, True, Fraction(1, 2)):
        with pytest.raises(TypeError):
            x**bad  # type: ignore[operator]


def test_object_arrays_of_numbers() -> None:
    c, s = number("cos(2*pi/5)"), number("sin(2*pi/5)")
    rotation = np.array([[c, -s], [s, c]], dtype=object)
    power = rotation @ rotation @ rotation @ rotation @ rotation
    assert (power == np.eye(2, dtype=int)).all()


def test_immutable_and_copied_by_value() -> None:
    x = number("1/2 + sqrt(5)/2")
    with pytest.raises(AttributeError):
        x.conductor = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del x.conductor
    assert not hasattr(x, "__dict__")
    for other in (copy.copy(x), copy.deepcopy([x])[0], pickle.loads(pickle.dumps(x))):  # noqa: S301  # our own bytes
        assert other == x
        assert hash(other) == hash(x)


def test_as_fraction_and_float_refuse() -> None:
    assert number("0.125").as_fraction() == Fraction(1, 8)
    with pytest.raises(NumberError, match=r"sqrt\(2\) is irrational"):
        number("sqrt(2)").as_fraction()
    with pytest.raises(NumberError, match="not real"):
        float(number("I"))
    with pytest.raises(NumberError, match="division by zero"):
        number(1) / 0
    with pytest.raises(NumberError, match="division by zero"):
        number(0) ** -1
    with pytest.raises(NumberError, match="coordinates"):
        Number(5, [1, 2])
    with pytest.raises(NumberError, match="Fraction"):
        Number(3, [1, 0.5])  # type: ignore[list-item]
    with pytest.raises(NumberError, match="5000"):
        Number(5001, [1])


# ---------------------------------------------------------------------------------------------- rounding


@st.composite
def expressions(draw: st.DrawFn) -> tuple[str, Any]:
    """A text of the grammar, and its value by mpmath, evaluated along with it."""
    mpmath.mp.dps = 80
    leaf = draw(st.integers(0, 5))
    a = draw(st.integers(1, 12))
    b = draw(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8]))
    return [
        (f"{a}/{b}", mpmath.mpf(a) / b),
        (f"sqrt(-{a}/{b})", mpmath.sqrt(-mpmath.mpf(a) / b)),
        (f"sqrt({a}/{b})", mpmath.sqrt(mpmath.mpf(a) / b)),
        (f"cos({a}*pi/{b})", mpmath.cos(a * mpmath.pi / b)),
        (f"sin(-{a}*pi/{b})", mpmath.sin(-a * mpmath.pi / b)),
        (f"zeta({b})**{a}", mpmath.exp(2j * mpmath.pi * a / b)),
    ][leaf]


@given(st.lists(st.tuples(expressions(), st.sampled_from(["+", "-", "*", "/"])), min_size=1, max_size=4))
@settings(deadline=None, max_examples=150)
def test_complex_agrees_with_mpmath(parts: list[tuple[tuple[str, Any], str]]) -> None:
    mpmath.mp.dps = 80
    text, value = "1", mpmath.mpf(1)
    for (inner, x), op in parts:
        if op == "/" and abs(x) < mpmath.mpf(10) ** -40:
            op = "+"
        text = f"({text}) {op} ({inner})"
        value = {"+": value + x, "-": value - x, "*": value * x, "/": value / x if op == "/" else 0}[op]
    try:
        exact = number(text)
    except NumberError:
        with pytest.raises(NumberError, match="conductors above 5000"):
            number(text)
        return
    if abs(value) < mpmath.mpf(10) ** -40:
        assert exact == 0
    else:
        assert abs(complex(exact) - value) <= 1e-15 * abs(value)
        # each part is rounded correctly, also where it is much smaller than the other, and is 0 only if it is zero
        expected = [float(part) if abs(part) > mpmath.mpf(10) ** -40 else 0.0 for part in (value.real, value.imag)]
        assert [complex(exact).real, complex(exact).imag] == expected


def test_rounding_survives_cancellation() -> None:
    tiny = (number("sqrt(2)") - 1) ** 300
    mpmath.mp.dps = 300
    assert float(tiny) == float((mpmath.sqrt(2) - 1) ** 300)
    assert 0 < float(tiny) < 1e-100
    assert complex(number("1/3") + tiny * zeta(4)) == complex(1 / 3, float(tiny))
    assert complex(number("zeta(3)")).real == -0.5


def test_rational_parts_of_irrational_numbers_are_rounded_exactly() -> None:
    # halfway between two floats, where no enclosure decides: ties go to even
    halfway = 1 + Fraction(1, 2**53)
    assert complex(sqrt(-2) + halfway) == complex(1.0, math.sqrt(2))
    assert complex(sqrt(2) + zeta(4) * halfway) == complex(math.sqrt(2), 1.0)
    assert math.copysign(1, complex(sqrt(-2)).real) == 1


# ---------------------------------------------------------------------------------------------- notation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"),
        ("-3/6", "-1/2"),
        ("0.1", "1/10"),
        ("-sqrt(3)/2", "-sqrt(3)/2"),
        ("sqrt(1/2)", "sqrt(2)/2"),
        ("I", "I"),
        ("-I/2 + 1", "1 - I/2"),
        ("(1 + sqrt(5))/2", "1/2 + sqrt(5)/2"),
        ("1/2 + 3*sqrt(5)/2", "1/2 + 3*sqrt(5)/2"),
        ("zeta(3)", "-1/2 + sqrt(-3)/2"),
        ("sqrt(3) + sqrt(2)", "sqrt(2) + sqrt(3)"),
        ("sqrt(2) + I", "I + sqrt(2)"),
        ("zeta(8)", "zeta(8)"),
        ("2*cos(2*pi/7)", "2*cos(2*pi/7)"),
        ("cos(6*pi/9)", "-1/2"),
        ("cos(4*pi/7)/3 - 1", "-1 + cos(4*pi/7)/3"),
        ("zeta(5)**3/2 - 1", "-1 + zeta(5)**3/2"),
        ("cos(pi/50)", "cos(pi/50)"),
        ("sin(pi/5)", "cos(3*pi/10)"),
    ],
)
def test_text(text: str, expected: str) -> None:
    assert str(number(text)) == expected
    assert number(expected) == number(text)


@given(numbers())
@example(number("sin(pi/5)"))
@example(number("cos(2*pi/16)"))
def test_text_and_repr_read_back(x: Number) -> None:
    assert number(str(x)) == x
    assert eval(repr(x), {"number": number}) == x  # noqa: S307  # our own repr


def test_repr_beyond_the_caps_of_the_grammar_still_evaluates() -> None:
    for x in (number(7) ** 1000, zeta(997) ** 996 / 3 + number(2) ** 700):
        text = repr(x)
        assert text.startswith("Number(")
        assert eval(text, {"Number": Number, "Fraction": Fraction}) == x  # noqa: S307  # our own repr
    assert len(str(number(7) ** 10000)) == 8451


@given(numbers([1, 3, 4, 5, 7, 8, 12, 16]))
@settings(deadline=None, max_examples=40)
def test_sympy_there_and_back(x: Number) -> None:
    expression = x.to_sympy()
    assert number(expression) == x
    assert abs(complex(expression.evalf(30)) - complex(x)) <= 1e-12 * (1 + abs(complex(x)))


def test_sympy_forms() -> None:
    assert number("1/2").to_sympy() == sympy.Rational(1, 2)
    assert number("sqrt(2)/2").to_sympy() == sympy.sqrt(2) / 2
    assert number("I").to_sympy() == sympy.I
    assert number("1/2 - sqrt(5)").to_sympy() == sympy.Rational(1, 2) - sympy.sqrt(5)
    assert number("cos(2*pi/7)").to_sympy() == sympy.cos(2 * sympy.pi / 7)
    assert number("zeta(7)").to_sympy() == sympy.exp(2 * sympy.I * sympy.pi / 7)


SYMPY: list[tuple[Any, str]] = [
    (sympy.Integer(3), "3"),
    (sympy.Rational(-1, 3), "-1/3"),
    (sympy.sqrt(2) / 2, "sqrt(2)/2"),
    (sympy.sqrt(-3), "sqrt(-3)"),
    (1 / sympy.sqrt(3), "sqrt(3)/3"),
    (sympy.sqrt(2) ** 3, "2*sqrt(2)"),
    (sympy.cos(2 * sympy.pi / 7), "cos(2*pi/7)"),
    (sympy.sin(2 * sympy.pi / 9), "sin(2*pi/9)"),
    (sympy.cos(sympy.pi / 5), "cos(pi/5)"),
    (sympy.sin(sympy.pi / 5), "sin(pi/5)"),  # sympy writes sqrt(5/8 - sqrt(5)/8)
    (sympy.cos(sympy.pi / 8), "cos(pi/8)"),
    (sympy.cos(sympy.pi / 16), "cos(pi/16)"),
    (sympy.sin(7 * sympy.pi / 16), "sin(7*pi/16)"),
    (-sympy.sin(sympy.pi / 8), "-sin(pi/8)"),
    (sympy.sqrt(2 + sympy.sqrt(2)), "2*cos(pi/8)"),
    (sympy.sqrt(-2 - sympy.sqrt(2)), "2*I*cos(pi/8)"),
    (sympy.GoldenRatio.rewrite(sympy.sqrt), "(1 + sqrt(5))/2"),
    (sympy.exp(2 * sympy.I * sympy.pi / 7), "zeta(7)"),
    (sympy.exp(sympy.I * sympy.pi / 4), "zeta(8)"),
    ((-1) ** sympy.Rational(1, 3), "zeta(6)"),
    ((-1) ** sympy.Rational(-2, 5), "zeta(5)**-1"),
    ((1 + sympy.I) ** 3 / 2, "(1 + I)**3/2"),
    (sympy.UnevaluatedExpr(2).args[0] * sympy.I, "2*I"),
]


@pytest.mark.parametrize(("value", "text"), SYMPY, ids=[text for _, text in SYMPY])
def test_sympy_values(value: Any, text: str) -> None:
    assert number(value) == number(text)


@pytest.mark.parametrize(
    ("value", "fragment"),
    [
        (sympy.Float("0.1"), "Rational"),
        (sympy.pi, "grammar"),
        (sympy.Symbol("x"), "grammar"),
        (sympy.Symbol("x") + 1, "grammar"),
        (sympy.cos(1), "multiple of pi"),
        (sympy.exp(2), "multiple of I"),
        (sympy.cbrt(2), "root"),
        (sympy.sqrt(1 + sympy.sqrt(2)), "root"),
        (sympy.nan, "no number"),
        (sympy.zoo, "no number"),
        (sympy.true, "truth value"),
        (sympy.Pow(2, 20000, evaluate=False), "exponent"),
        (sympy.sqrt(5003), "5000"),
        (sympy.Matrix([[1]]), "grammar"),
    ],
)
def test_sympy_values_outside(value: Any, fragment: str) -> None:
    with pytest.raises(NumberError, match=r"^entry\[1\]: ") as caught:
        number(value, "entry[1]")
    assert fragment in str(caught.value)


# ---------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, Fraction(3)),
        (np.int8(-3), Fraction(-3)),
        (np.uint64(2**63), Fraction(2**63)),
        (Fraction(2, 6), Fraction(1, 3)),
        (flint.fmpz(5), Fraction(5)),
        (flint.fmpq(5, 2), Fraction(5, 2)),
        ("0.10", Fraction(1, 10)),
        (np.str_("1/3"), Fraction(1, 3)),
        ("2**-3 + 2**3", Fraction(65, 8)),
        ("2**(6/3)", Fraction(4)),
        ("-2**2", Fraction(-4)),
        ("sqrt(9/4)", Fraction(3, 2)),
        ("cos(0)", Fraction(1)),
        ("cos(pi) + sin(-pi/2)", Fraction(-2)),
        ("cos((1/2 + 1/6)*pi - pi/3)", Fraction(1, 2)),
        ("cos(pi*(2 - 1)/3)", Fraction(1, 2)),
        ("sin(+pi/6 + 0)", Fraction(1, 2)),
        ("zeta(2*2)**2", Fraction(-1)),
        ("I*I", Fraction(-1)),
        ("zeta(4999)**4999", Fraction(1)),
    ],
)
def test_read_rationals(value: object, expected: Fraction) -> None:
    assert number(value) == expected


def test_number_is_returned_as_it_is() -> None:
    x = number("sqrt(2)")
    assert number(x) is x


@pytest.mark.parametrize("value", [0.5, -0.75, 0.0, 1e22, np.float32(0.25), np.float64(3.0), 2.0**-20])
def test_floats_that_are_what_they_print(value: float) -> None:
    assert number(value, allow_floats=True) == Fraction(float(value))
    with pytest.raises(NumberError, match=r"^W\[0\]: the float .* write "):
        number(value, "W[0]")


def test_complex_values() -> None:
    assert number(0.5 - 2j, allow_floats=True) == number("1/2 - 2*I")
    assert number(np.complex64(1j), allow_floats=True) == number("I")
    with pytest.raises(NumberError, match="float"):
        number(1j)
    with pytest.raises(NumberError, match="not exactly"):
        number(0.1 + 1j, allow_floats=True)


@pytest.mark.parametrize(
    ("value", "allow_floats", "fragments"),
    [
        (0.1, False, ["float 0.1", '"1/10"']),
        (0.1, True, ["not exactly", '"1/10"']),
        (np.float32(0.1), True, ["not exactly"]),
        (math.sqrt(2) / 2, False, ["0.7071067811865476", '"sqrt(2)/2"']),
        (float("nan"), True, ["nan", "no number"]),
        (float("inf"), False, ["inf", "no number"]),
        (complex("nanj"), True, ["nan", "no number"]),
        (True, False, ["truth value", "0 or 1"]),
        (np.bool_(True), False, ["truth value"]),
        (None, False, ["NoneType", "Fraction"]),
        ([1], False, ["list"]),
        (np.longdouble(1) / 3, True, ["more digits"]),
        (sympy.Float("0.5000000000000000000001", 30), True, ["float"]),
        (Decimal("0.1"), False, ["Decimal", "string"]),
        (b"1", False, ["bytes"]),
        (np.array([1, 2]), False, ["ndarray"]),
    ],
)
def test_refused_values(value: object, allow_floats: bool, fragments: list[str]) -> None:
    with pytest.raises(NumberError, match=r"^discrete\[1\]\[0\]\[2\]: ") as caught:
        number(value, "discrete[1][0][2]", allow_floats=allow_floats)
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("1/0", ["'1/0'", "position 1", "division by zero"]),
        ("0**-1", ["division by zero"]),
        ("cos(pi/0)", ["division by zero"]),
        ("1/(sqrt(2)-sqrt(2))", ["division by zero"]),
        ("sqrt(x)", ["position 5", "'x'", "unknown"]),
        ("tan(pi/3)", ["'tan'", "unknown"]),
        ("__import__('os')", ["position 11", "grammar"]),
        ("exec(1)", ["'exec'", "unknown"]),
        ("pi", ["cos(...)"]),
        ("cos(1)", ["multiple of pi"]),
        ("cos(pi*pi)", ["multiple of pi"]),
        ("cos(pi/pi)", ["multiple of pi"]),
        ("cos(sqrt(2)*pi)", ["multiple of pi"]),
        ("cos(pi**2)", ["multiple of pi"]),
        ("sqrt(1, 2)", ["one argument", "2"]),
        ("sqrt(sqrt(2))", ["rational"]),
        ("sqrt(5003)", ["5000"]),
        ("sqrt(2)**(1/2)", ["integer", "1/2"]),
        ("2**sqrt(2)", ["integer", "sqrt(2)"]),
        ("zeta(0)", ["positive"]),
        ("zeta(-10**9999)", ["positive"]),
        ("zeta(1/2)", ["integer"]),
        ("zeta(5001)", ["5000"]),
        ("cos(pi/10**200)", ["5000"]),
        ("zeta(4999)*zeta(4997)", ["Q(zeta(24980003))", "5000"]),
        ("sqrt(" + "7" * 199 + ")", ["5000"]),
        ("sqrt(10**9998 + 1)", ["5000"]),
        ("2**100000", ["10000"]),
        ("2**2**2**2**2**2", ["10000"]),
        ("(2**9999)**9999", ["200000 bits"]),
        ("(1 + zeta(4999))**999", ["200000 bits"]),
        ("*".join(["3**9000/7**3000"] * 40), ["200000 bits"]),
        ("1/(1 + 3*zeta(4999) + zeta(4999)**5)", ["inverse"]),
        ("/".join(["(zeta(997)+2)"] * 60), ["200000 bits"]),
        ("(" * 2000, ["2000 characters"]),
        ("1" * 300, ["200 digits"]),
    ],
)
def test_refused_texts_in_little_time(text: str, fragments: list[str]) -> None:
    started = time.perf_counter()
    with pytest.raises(NumberError, match=r"^discrete\[1\]\[0\]\[2\]: ") as caught:
        number(text, "discrete[1][0][2]")
    assert time.perf_counter() - started < 5
    message = str(caught.value)
    assert message.count("discrete[1][0][2]") == 1
    assert len(message) < 600
    for fragment in fragments:
        assert fragment in message


def test_the_place_is_that_of_this_call_although_texts_are_cached() -> None:
    for where in ("a", "b"):
        with pytest.raises(NumberError, match=f"^{where}: "):
            number("1 + y", where)
    assert number("1 + 1", "a") == number("1 + 1", "b") == 2


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 30, 84, 360, 997])
def test_roots_of_unity_on_the_circle(n: int) -> None:
    z = zeta(n)
    assert z**n == 1
    assert all(z ** (n // p) != 1 for p in cyc.prime_factors(n))
    mpmath.mp.dps = 40
    w = mpmath.exp(2j * mpmath.pi / n)
    assert abs(complex(z) - w) <= 2**-52
    assert cos_pi(Fraction(2, n)) == (z + z.conjugate()) / 2
    assert sin_pi(Fraction(2, n)) * zeta(4) == (z - z.conjugate()) / 2
