"""`Number`: an element of an abelian number field, exactly; and `number`, which reads one from what a user wrote.

Every number of the grammar (rationals, square roots of rationals, cosines and sines of rational multiples of pi, roots
of unity, and what field operations make of them) lies in a cyclotomic field Q(zeta_n), zeta_n = exp(2 pi i/n), so one
scalar type serves. It is canonical: the conductor n is least, and the coordinates in the basis 1, zeta_n, ...,
zeta_n^(phi(n)-1) are unique, so equality and hashing are exact. Rational numbers (n = 1) are plain Fractions inside.

Reference: L. C. Washington, Introduction to Cyclotomic Fields, chapters 2 and 4 (conductors, Gauss sums).
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Sequence
from fractions import Fraction
from math import gcd
from typing import Any, NoReturn, final

from flint import fmpq, fmpq_poly, fmpz

from repcore.errors import NumberError
from repcore.exact import cyclotomic as cyc
from repcore.exact.grammar import MAX_DIGITS, MAX_LENGTH, shorten

__all__ = ["ONE", "ZERO", "Number", "make_number", "number", "residue", "short", "zeta"]

_DENSE_INVERSE = 1000  # above this degree the extended gcd is slow: 0.6 s for dense one-digit coordinates at 1,000
_NORM_INVERSE = 64  # above that, the largest degree of Q(x) for which 1/x is a product of conjugates over the norm


@final
class Number:
    """The element sum_j coords[j] * zeta(conductor)**j of an abelian number field; immutable and hashable.

    ``Number(n, coords)`` takes any n >= 1 and phi(n) coordinates, and keeps the canonical form. Operators
    ``+ - * / **`` (integer exponents) mix with int, Fraction and NumPy integers; floats are refused. ``==`` and
    ``hash`` agree with those of Fraction when the number is rational. Division by zero raises `NumberError`, as does a
    conductor above 5,000. A sum or product costs 3 microseconds for rationals, 10 to 100 for conductors below 100, and
    some milliseconds near 5,000.

    >>> x = number("sqrt(2)/2")
    >>> x * x, x.conductor, complex(number("zeta(8)"))
    (number('1/2'), 8, (0.7071067811865476+0.7071067811865476j))
    >>> number("zeta(8)") + number("zeta(8)") ** -1 == number("sqrt(2)")
    True
    """

    __slots__ = ("_hash", "_value", "conductor")

    conductor: int
    _value: Fraction | fmpq_poly  # a Fraction if and only if the conductor is 1
    _hash: int | None

    def __init__(self, conductor: int, coords: Sequence[Fraction | int]) -> None:
        if not 1 <= conductor <= cyc.MAX_CONDUCTOR:
            raise NumberError(f"conductor: expected 1 to {cyc.MAX_CONDUCTOR}, got {conductor}; use a smaller order")
        degree = cyc.cyclotomic(conductor).degree()
        if len(coords) != degree:
            raise NumberError(f"coords: expected phi({conductor}) = {degree} coordinates, got {len(coords)}")
        exact = [c for c in map(_fraction, coords) if c is not None]
        if len(exact) != degree:
            raise NumberError("coords: expected int or Fraction coordinates; convert them with fractions.Fraction")
        if conductor % 4 == 2:
            value = sum((zeta(conductor, j) * c for j, c in enumerate(exact)), ZERO)
        else:
            poly = fmpq_poly([fmpq(c.numerator, c.denominator) for c in exact])
            value = _canonical(conductor, poly, cyc.prime_factors(conductor))
        _set(self, value.conductor, value._value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Number is immutable; cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Number is immutable; cannot delete {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return Number, (self.conductor, self.coords)

    def __copy__(self) -> Number:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Number:
        return self

    # ------------------------------------------------------------------------------------------------ what it is

    @property
    def coords(self) -> tuple[Fraction, ...]:
        """The phi(conductor) coordinates in the basis 1, zeta, ..., zeta^(phi-1)."""
        if isinstance(self._value, Fraction):
            return (self._value,)
        return self.lift(self.conductor)

    def lift(self, conductor: int) -> tuple[Fraction, ...]:
        """Return the coordinates in the power basis of Q(zeta(conductor)), for a multiple of the own conductor.

        >>> number("I").lift(12)                       # zeta(12)**3
        (Fraction(0, 1), Fraction(0, 1), Fraction(0, 1), Fraction(1, 1))
        """
        if conductor % self.conductor:
            raise NumberError(f"conductor: {conductor} is not a multiple of {self.conductor}, the conductor of {self}")
        poly = cyc.lift(residue(self), self.conductor, conductor)
        denominator = int(poly.denom())
        out = [Fraction(int(c), denominator) for c in poly.numer().coeffs()]
        out.extend([Fraction(0)] * (cyc.cyclotomic(conductor).degree() - len(out)))
        return tuple(out)

    @property
    def is_rational(self) -> bool:
        """Whether the number is in Q."""
        return self.conductor == 1

    @property
    def is_real(self) -> bool:
        """Whether the number equals its complex conjugate."""
        return self.conductor == 1 or self.conjugate() == self

    def as_fraction(self) -> Fraction:
        """Return the value as a Fraction; `NumberError` if it is irrational."""
        if isinstance(self._value, Fraction):
            return self._value
        raise NumberError(f"{self} is irrational and has no exact fraction; use float() or complex() to round it")

    def conjugate(self) -> Number:
        """Return the complex conjugate."""
        return self if self.conductor <= 1 else self.galois(self.conductor - 1)

    def galois(self, k: int) -> Number:
        """Return the image under zeta_n -> zeta_n^k, n the conductor; `NumberError` unless k is prime to n.

        >>> number("sqrt(2)").galois(3), number("zeta(5)").galois(2)
        (number('-sqrt(2)'), number('zeta(5)**2'))
        """
        n = self.conductor
        if gcd(k, n) != 1:
            raise NumberError(f"k: expected a residue prime to the conductor {n}, got {k}")
        if isinstance(self._value, Fraction) or k % n == 1:
            return self
        return make_number(n, cyc.substitute(self._value, n, k % n))

    # ------------------------------------------------------------------------------------------------ equality

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Number):
            return self.conductor == other.conductor and self._value == other._value
        if isinstance(other, (int, Fraction, numbers.Rational)):
            return self.conductor == 1 and self._value == other
        return NotImplemented

    def __hash__(self) -> int:
        known = self._hash
        if known is None:
            if isinstance(self._value, Fraction):
                known = hash(self._value)
            else:
                numerators = tuple(int(c) for c in self._value.numer().coeffs())
                known = hash((self.conductor, numerators, int(self._value.denom())))
            object.__setattr__(self, "_hash", known)
        return known

    def __bool__(self) -> bool:
        return self.conductor != 1 or bool(self._value)

    # ------------------------------------------------------------------------------------------------ arithmetic

    def __pos__(self) -> Number:
        return self

    def __neg__(self) -> Number:
        return make_number(self.conductor, -self._value)

    def __add__(self, other: object) -> Number:
        right = _operand(other)
        if right is None:
            return NotImplemented
        a, b = self._value, right._value
        if isinstance(a, Fraction):
            if isinstance(b, Fraction):
                return make_number(1, a + b)
            return make_number(right.conductor, b + fmpq(a.numerator, a.denominator))
        if isinstance(b, Fraction):
            return make_number(self.conductor, a + fmpq(b.numerator, b.denominator))
        n, f, g, primes = _common(self, right)
        return _canonical(n, f + g, primes)

    __radd__ = __add__

    def __sub__(self, other: object) -> Number:
        right = _operand(other)
        return NotImplemented if right is None else self + -right

    def __rsub__(self, other: object) -> Number:
        left = _operand(other)
        return NotImplemented if left is None else left + -self

    def __mul__(self, other: object) -> Number:
        right = _operand(other)
        if right is None:
            return NotImplemented
        a, b = self._value, right._value
        if isinstance(a, Fraction):
            if isinstance(b, Fraction):
                return make_number(1, a * b)
            return make_number(right.conductor, b * fmpq(a.numerator, a.denominator)) if a else self
        if isinstance(b, Fraction):
            return make_number(self.conductor, a * fmpq(b.numerator, b.denominator)) if b else right
        n, f, g, primes = _common(self, right)
        return _canonical(n, _product(f, g, n), primes)

    __rmul__ = __mul__

    def inverse(self) -> Number:
        """Return 1/x; `NumberError` for zero.

        Extended gcd with the cyclotomic polynomial; above degree 1,000 the product of the other conjugates over the
        norm, and a `NumberError` if there are more than 64 of them.
        """
        if isinstance(self._value, Fraction):
            if not self._value:
                raise NumberError("division by zero; check the denominator")
            return make_number(1, 1 / self._value)
        n = self.conductor
        if cyc.cyclotomic(n).degree() <= _DENSE_INVERSE:
            _, inverse, _ = self._value.xgcd(fmpq_poly(cyc.cyclotomic(n)))
            return make_number(n, inverse)
        from repcore.exact.special import stabilizer  # built on this module

        fixed = frozenset(stabilizer(self))
        degree = cyc.cyclotomic(n).degree() // len(fixed)
        if degree > _NORM_INVERSE:
            raise NumberError(
                f"the inverse of a number of conductor {n} and degree {degree} is not supported; write it as a "
                f"polynomial in zeta({n}), or stay below degree {_NORM_INVERSE} or phi(conductor) = {_DENSE_INVERSE}"
            )
        others = ONE
        for k in cyc.cosets(n, fixed)[1:]:
            others = others * self.galois(k)
        return others * (1 / (self * others).as_fraction())

    def __truediv__(self, other: object) -> Number:
        right = _operand(other)
        return NotImplemented if right is None else self * right.inverse()

    def __rtruediv__(self, other: object) -> Number:
        left = _operand(other)
        return NotImplemented if left is None else left * self.inverse()

    def __pow__(self, exponent: object) -> Number:
        if isinstance(exponent, bool) or not isinstance(exponent, numbers.Integral):
            return NotImplemented
        e = int(exponent)
        if e < 0:
            return self.inverse() ** -e
        value, n = self._value, self.conductor
        if isinstance(value, Fraction):
            return make_number(1, value**e)
        if e <= 1:
            return self if e else ONE
        monomial = cyc.monomial(value)
        if monomial is not None:
            coefficient, k = monomial
            return zeta(n, k * e) * coefficient**e
        result = fmpq_poly([1])
        for bit in bin(e)[2:]:
            result = _product(result, result, n)
            if bit == "1":
                result = _product(result, value, n)
        return _canonical(n, result, cyc.prime_factors(n))

    # ------------------------------------------------------------------------------------------------ rounding

    def __complex__(self) -> complex:
        """Return the value under zeta_n = exp(2 pi i/n), both parts correctly rounded to float64."""
        if isinstance(self._value, Fraction):
            return complex(float(self._value))
        if self.is_real:
            return complex(_round(self, 0))
        return complex(_round(self, 0), _round(self, 1))

    def __float__(self) -> float:
        """Return the correctly rounded float64 of a real number; `NumberError` if it is not real."""
        if isinstance(self._value, Fraction):
            return float(self._value)
        if not self.is_real:
            raise NumberError(f"{self} is not real; use complex() instead of float()")
        return _round(self, 0)

    # ------------------------------------------------------------------------------------------------ notation

    def __str__(self) -> str:
        """Return a text that `number` reads back to an equal number (as long as the caps of the grammar allow it)."""
        from repcore.exact import notation

        return notation.write(self)

    def __repr__(self) -> str:
        text = str(self)
        # a text beyond the caps of the grammar would not read back; the coordinates do
        if len(text) <= MAX_LENGTH and max(map(len, re.findall("[0-9]+", text)), default=0) <= MAX_DIGITS:
            return f"number('{text}')"
        return f"Number({self.conductor}, {self.coords!r})"

    def to_sympy(self) -> Any:
        """Return an equal sympy number: Rational, a + b*sqrt(d), a sum of cosines if real, else of exp(2*I*pi*k/n).

        >>> number("1/2 + sqrt(5)/2").to_sympy()
        1/2 + sqrt(5)/2
        """
        from repcore.exact import notation

        return notation.to_sympy(self)


# ---------------------------------------------------------------------------------------------------- building blocks


def _set(x: Number, conductor: int, value: Fraction | fmpq_poly) -> None:
    object.__setattr__(x, "conductor", conductor)
    object.__setattr__(x, "_value", value)
    object.__setattr__(x, "_hash", None)


def make_number(conductor: int, value: Fraction | fmpq_poly) -> Number:
    """Wrap a value whose conductor is known to be least."""
    x = object.__new__(Number)
    _set(x, conductor, value)
    return x


def _rational(value: Fraction) -> Number:
    return make_number(1, value)


ONE = _rational(Fraction(1))
ZERO = _rational(Fraction(0))


def _canonical(n: int, poly: fmpq_poly, primes: Sequence[int]) -> Number:
    """Wrap f(zeta_n), where only ``primes`` can be superfluous in the conductor."""
    m, reduced = cyc.descend(poly, n, primes)
    if m > 1:
        return make_number(m, reduced)
    constant = reduced[0]
    return make_number(1, Fraction(int(constant.p), int(constant.q)))


def residue(x: Number) -> fmpq_poly:
    """Return the polynomial f of degree below phi(n) with x = f(zeta_n), n the conductor."""
    value = x._value  # pyright: ignore[reportPrivateUsage]
    return fmpq_poly([fmpq(value.numerator, value.denominator)]) if isinstance(value, Fraction) else value


def _common(x: Number, y: Number) -> tuple[int, fmpq_poly, fmpq_poly, tuple[int, ...]]:
    """Return both numbers over the joint conductor, and the primes that the conductor of x + y or x * y can lose.

    Let d be the conductor of z = x + y (or xy, x nonzero). Then y = z - x (or z/x) lies in Q(zeta_lcm(d, cond x)), so a
    prime at which y has the larger conductor keeps its power in d: only primes with equal powers in both can be lost.
    """
    a, b = x.conductor, y.conductor
    if a == b:
        return a, residue(x), residue(y), cyc.prime_factors(a)
    n = cyc.joint(a, b)
    common = gcd(a, b)
    # p has equal powers in a and b if and only if it divides gcd(a, b) and neither cofactor
    primes = tuple(p for p in cyc.prime_factors(common) if (a // common) % p and (b // common) % p)
    return n, cyc.lift(residue(x), a, n), cyc.lift(residue(y), b, n), primes


def _product(f: fmpq_poly, g: fmpq_poly, n: int) -> fmpq_poly:
    # modulo Phi_n over the integers, which spares the gcds of rational coefficients
    return fmpq_poly(f.numer() * g.numer() % cyc.cyclotomic(n), f.denom() * g.denom())


def _fraction(value: object) -> Fraction | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, Fraction)):
        return Fraction(value)
    if isinstance(value, numbers.Rational):  # NumPy integers, gmpy2.mpq, ...
        return Fraction(int(value.numerator), int(value.denominator))
    return None


def _operand(value: object) -> Number | None:
    if isinstance(value, Number):
        return value
    exact = _fraction(value)
    return None if exact is None else _rational(exact)


def _round(x: Number, part: int) -> float:
    """Return the real (0) or imaginary (1) part of an irrational number, correctly rounded.

    Ziv's loop: enclose the part between two rationals, until both round to the same float. It ends because a part that
    is irrational is no midpoint of floats; a rational one is found out exactly on the way.
    """
    poly, n = residue(x), x.conductor
    denominator = int(poly.denom())
    bits = 192
    while True:
        *parts, error = cyc.evaluate(poly, n, bits)
        scale = denominator << bits
        low, high = (parts[part] - error) / scale, (parts[part] + error) / scale
        if low == high:
            return low
        if bits == 192:
            if part == 0:
                exact = (x + x.conjugate()) / 2
                if exact.is_rational:
                    return float(exact.as_fraction())
            else:
                exact = (x - x.conjugate()) / 2
                if exact.conductor in (1, 4):  # a rational multiple of I
                    return float(exact.lift(4)[1])
        bits *= 2


# ---------------------------------------------------------------------------------------------------- named numbers


def short(q: Fraction | int) -> str:
    """A rational for a message, shortened."""
    return shorten(str(_rational(Fraction(q))))  # str of a huge int raises


def zeta(n: int, k: int = 1) -> Number:
    """Return exp(2 pi i k/n) for n >= 1; `NumberError` if its conductor is above 5,000.

    >>> zeta(4), zeta(6), zeta(3) + zeta(3, 2)
    (number('I'), number('1/2 + sqrt(-3)/2'), number('-1'))
    """
    if n < 1:
        raise NumberError(f"zeta(n) needs a positive integer n, got {short(n)}")
    order = n // gcd(k, n)
    if order > cyc.MAX_CONDUCTOR and (order % 4 != 2 or order // 2 > cyc.MAX_CONDUCTOR):
        raise NumberError(
            f"a root of unity of order {short(order)} is too large, conductors above {cyc.MAX_CONDUCTOR} are not "
            "supported; use a smaller order"
        )
    conductor, poly = cyc.root(k % n // gcd(k, n), order)
    return make_number(conductor, poly) if conductor > 1 else _canonical(1, poly, ())


# ---------------------------------------------------------------------------------------------------- reading


def number(value: object, where: str = "value", *, allow_floats: bool = False) -> Number:
    """Return the exact number that ``value`` says.

    Taken are int, Fraction, NumPy integers, `Number`, sympy numbers, and strings of the grammar: integers, ``a/b``,
    exact decimals, ``+ - * /``, ``**`` with an integer exponent, parentheses, ``sqrt(rational)``,
    ``cos(rational*pi)``, ``sin(rational*pi)``, ``I``, and ``zeta(n)`` for exp(2 pi i/n). A float, or both parts of a
    complex, is taken only with ``allow_floats`` and only if it is exactly what it prints, as 0.5 is and 0.1 is not.
    ``where`` names the place of the value and begins each message.

    Raises `NumberError` for everything else, with the repair. Texts are cached; hostile ones end in milliseconds to a
    second, by caps on length, nesting, exponent (10,000), size (200,000 bits) and conductor (5,000).

    >>> number("1/2 + sqrt(5)/2") ** 2 - number("1/2 + sqrt(5)/2")
    number('1')
    >>> number(0.5)
    Traceback (most recent call last):
        ...
    repcore.errors.NumberError: value: the float 0.5 is not taken as exact; write the string "1/2"
    """
    if isinstance(value, Number):
        return value
    exact = _fraction(value)
    if exact is not None:
        return _rational(exact)
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_", "BooleanTrue", "BooleanFalse"):
        raise NumberError(f"{where}: the truth value {value} is not a number; write 0 or 1")
    if isinstance(value, str):
        from repcore.exact import notation

        return notation.read(str(value), where)
    if isinstance(value, (fmpz, fmpq)):
        return _rational(Fraction(int(value.numerator), int(value.denominator)))
    if type(value).__module__.partition(".")[0] == "sympy":
        from repcore.exact import notation

        return notation.from_sympy(value, where)
    if isinstance(value, numbers.Complex):  # float and complex, of Python and NumPy
        from repcore.exact import notation

        rounded = complex(value)
        if rounded == rounded and rounded != value:  # np.longdouble, mpmath.mpf
            raise NumberError(f"{where}: {value} has more digits than a float64; write what it stands for, as a string")
        real, imaginary = (notation.from_float(x, where, allow_floats) for x in (rounded.real, rounded.imag))
        return _rational(real) + _rational(imaginary) * zeta(4)
    raise NumberError(
        f"{where}: {shorten(repr(value))} of type {type(value).__name__} is not an exact number; write an int, a "
        'Fraction, or a string such as "1/10" or "sqrt(2)/2"'
    )
