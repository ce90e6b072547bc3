"""How a `Number` is written and read: the text of the grammar, and sympy. No ``eval``, no ``sympify``."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

from flint import fmpz

from repcore.errors import NumberError
from repcore.exact import cyclotomic as cyc
from repcore.exact.grammar import Binary, Call, Decimal, Integer, Name, Node, Unary, parse, shorten
from repcore.exact.number import ONE, ZERO, Number, number, residue, zeta
from repcore.exact.special import cos_pi, sin_pi, sqrt, sqrt_squarefree

__all__ = ["from_float", "from_sympy", "read", "terms", "to_sympy", "write"]

MAX_EXPONENT = 10_000
"""Largest absolute value of an exponent in a text."""
MAX_BITS = 200_000
"""Largest size, in bits over all coordinates, of any value that occurs while a text is read."""

Atom = tuple[str, int, int]
"""(kind, a, b): ``"1"``, ``"sqrt"`` of a, ``"cos"`` of a/b pi, or ``"zeta"`` of a to the power b."""
_UNIT: Atom = ("1", 0, 0)


def terms(x: Number) -> list[tuple[Fraction, Atom]]:
    """Return x as a sum of rational multiples of atoms; the empty sum is 0.

    Quadratic numbers, and real numbers of multiquadratic fields, become square roots; other real numbers cosines; other
    numbers the power basis of Q(zeta_n), unless there are fewer square roots.
    """
    if x.is_rational:
        return [(x.as_fraction(), _UNIT)] if x else []
    roots = _root_terms(x)
    if x.is_real:
        return _cosine_terms(x) if roots is None else roots
    powers = [(c, ("zeta", x.conductor, j) if j else _UNIT) for j, c in enumerate(x.coords) if c]
    if roots is None:
        return powers
    irrational = sum(atom != _UNIT for _, atom in roots)
    return roots if irrational == 1 or len(roots) <= len(powers) else powers


def _root_terms(x: Number) -> list[tuple[Fraction, Atom]] | None:
    """Return x as a combination of square roots of squarefree integers, or None if Q(x) is not multiquadratic."""
    n = x.conductor
    if any(x.galois(k * k % n) != x for k in cyc.unit_generators(n)):
        return None
    out: list[tuple[Fraction, Atom]] = []
    for discriminant in cyc.discriminants(n):
        d = discriminant if discriminant % 4 == 1 else discriminant // 4
        y = x * sqrt_squarefree(d)
        average = cyc.mean(residue(y), y.conductor) / d
        if average != 0:
            out.append((Fraction(int(average.p), int(average.q)), _UNIT if d == 1 else ("sqrt", d, 0)))
    out.sort(key=lambda term: (abs(term[1][1]), term[1][1] < 0))
    return out


def _cosine_terms(x: Number) -> list[tuple[Fraction, Atom]]:
    """Return a real x in the basis 1, 2 cos(2 pi j/n), 1 <= j < phi(n)/2, of the maximal real subfield of Q(zeta_n).

    With h = phi(n)/2 - 1, x zeta^h = sum_j a_j (zeta^(h+j) + zeta^(h-j)) has degree below phi(n): read the a_j off.
    """
    n = x.conductor
    h = cyc.cyclotomic(n).degree() // 2 - 1
    shifted = (x * zeta(n, h)).lift(n)
    out = [(shifted[h], _UNIT)] if shifted[h] else []
    for j in range(1, h + 1):
        if shifted[h + j]:
            r = Fraction(2 * j, n)
            out.append((2 * shifted[h + j], ("cos", r.numerator, r.denominator)))
    return out


def _magnitude(c: Fraction, atom: Atom) -> str:
    kind, a, b = atom
    # flint writes integers of any size, where int refuses more than 4,300 digits
    numerator, denominator = str(fmpz(c.numerator)), str(fmpz(c.denominator))
    if kind == "1":
        text = numerator
    else:
        if kind == "sqrt":
            text = "I" if a == -1 else f"sqrt({a})"
        elif kind == "cos":
            text = f"cos({'' if a == 1 else f'{a}*'}pi{'' if b == 1 else f'/{b}'})"
        else:
            text = f"zeta({a})" + (f"**{b}" if b > 1 else "")
        if c.numerator != 1:
            text = f"{numerator}*{text}"
    return text if c.denominator == 1 else f"{text}/{denominator}"


def write(x: Number) -> str:
    """Return the text of a number, e.g. ``"1/2 + sqrt(5)/2"``; `read` gives an equal number back."""
    out = ""
    for coefficient, atom in terms(x):
        sign = "-" if coefficient < 0 else "+"
        text = _magnitude(abs(coefficient), atom)
        if out:
            out += f" {sign} {text}"
        else:
            out = text if sign == "+" else f"-{text}"
    return out or "0"


def to_sympy(x: Number) -> Any:
    """Return the equal sympy number; sympy is imported here."""
    sympy: Any = importlib.import_module("sympy")
    total = sympy.Integer(0)
    for coefficient, (kind, a, b) in terms(x):
        factor = sympy.Rational(coefficient.numerator, coefficient.denominator)
        if kind == "sqrt":
            factor *= sympy.sqrt(sympy.Integer(a))
        elif kind == "cos":
            factor *= sympy.cos(sympy.Rational(a, b) * sympy.pi)
        elif kind == "zeta":
            factor *= sympy.exp(sympy.Rational(2 * b, a) * sympy.I * sympy.pi)
        total += factor
    return total


def read(text: str, where: str) -> Number:
    """Return the number that a text of the grammar says; `NumberError`, beginning with ``where``, if it says none."""
    try:
        return _cached(text)
    except NumberError:
        return _Reader(text, where).read()  # once more, for the message with the right place


@lru_cache(maxsize=8192)
def _cached(text: str) -> Number:
    return _Reader(text, "value").read()


class _Reader:
    """Walks the tree of one text; every failure names the place, the text, the position and the repair."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where

    def read(self) -> Number:
        return self.number(parse(self.text, self.where))

    def fail(self, node: Node, problem: str) -> NumberError:
        return NumberError(f"{self.where}: cannot read {shorten(self.text)!r}: at position {node.position}, {problem}")

    def number(self, node: Node) -> Number:
        if isinstance(node, (Integer, Decimal)):
            return number(Fraction(node.value))
        if isinstance(node, Unary):
            x = self.number(node.operand)
            return -x if node.op == "-" else x
        if isinstance(node, Binary):
            left = self.number(node.left)
            right = self.number(node.right)
            return self.checked(node, lambda: self.operate(node, left, right))
        if isinstance(node, Call):
            return self.call(node)
        if node.id == "I":
            return zeta(4)
        if node.id == "pi":
            raise self.fail(node, "pi stands outside cos(...) and sin(...); pi itself is in no number field")
        raise self.unknown(node, node.id)

    def unknown(self, node: Node, name: str) -> NumberError:
        return self.fail(
            node,
            f"the name {shorten(name)!r} is unknown; numbers know I, sqrt(a), zeta(n), cos(a*pi) and sin(a*pi)",
        )

    def checked(self, node: Node, build: Callable[[], Number]) -> Number:
        try:
            x = build()
        except NumberError as error:
            if str(error).startswith(f"{self.where}: "):
                raise
            raise self.fail(node, str(error)) from None
        if _bits(x) > MAX_BITS:
            raise self.fail(node, f"the value has more than {MAX_BITS} bits; write smaller numbers")
        return x

    def operate(self, node: Binary, left: Number, right: Number) -> Number:
        if node.op == "+":
            return left + right
        if node.op == "-":
            return left - right
        if node.op == "*":
            return left * right
        if node.op == "/":
            return left / right
        exponent = self.integer(node.right, right, "an exponent")
        if abs(exponent) > MAX_EXPONENT:
            raise self.fail(node, f"the exponent is beyond {MAX_EXPONENT}; write a smaller one")
        if exponent < 0:
            left, exponent = left.inverse(), -exponent
        large = _bits(left) * exponent > MAX_BITS  # for a power of a root of unity this is no bound
        if large and left not in (0, 1, -1) and (left.is_rational or cyc.monomial(residue(left)) is None):
            raise self.fail(node, f"the power may have more than {MAX_BITS} bits; write smaller numbers")
        return left**exponent

    def integer(self, node: Node, x: Number, what: str) -> int:
        if not x.is_rational or x.as_fraction().denominator != 1:
            raise self.fail(node, f"{what} must be an integer, got {shorten(str(x))}")
        return x.as_fraction().numerator

    def call(self, node: Call) -> Number:
        if node.name not in ("sqrt", "cos", "sin", "zeta"):
            raise self.unknown(node, node.name)
        if len(node.args) != 1:
            raise self.fail(node, f"{node.name}(...) takes one argument, got {len(node.args)}")
        argument = node.args[0]
        if node.name in ("cos", "sin"):
            r = self.angle(argument)
            return self.checked(node, lambda: cos_pi(r) if node.name == "cos" else sin_pi(r))
        x = self.number(argument)
        if node.name == "zeta":
            n = self.integer(argument, x, "the argument of zeta")
            return self.checked(node, lambda: zeta(n))
        if not x.is_rational:
            raise self.fail(
                argument, "sqrt takes a rational number; write nested roots with cos(a*pi), sin(a*pi) or sums of sqrt"
            )
        return self.checked(node, lambda: sqrt(x.as_fraction()))

    def angle(self, node: Node) -> Fraction:
        """Return the rational r with node = r * pi."""
        if isinstance(node, Name) and node.id == "pi":
            return Fraction(1)
        if isinstance(node, Unary) and _mentions_pi(node):
            r = self.angle(node.operand)
            return -r if node.op == "-" else r
        if isinstance(node, Binary) and _mentions_pi(node):
            if node.op in "+-":
                left, right = self.angle(node.left), self.angle(node.right)
                return left + right if node.op == "+" else left - right
            if node.op == "*" and not _mentions_pi(node.left):
                return self.rational(node.left) * self.angle(node.right)
            if node.op in "*/" and not _mentions_pi(node.right):
                factor = self.rational(node.right)
                if node.op == "*":
                    return self.angle(node.left) * factor
                if factor:
                    return self.angle(node.left) / factor
                raise self.fail(node, "division by zero; check the denominator")
        if not _mentions_pi(node) and not self.rational(node):
            return Fraction(0)
        raise self.fail(node, "the argument of cos and sin must be a rational multiple of pi, such as 2*pi/5")

    def rational(self, node: Node) -> Fraction:
        x = self.number(node)
        if not x.is_rational:
            raise self.fail(node, "the argument of cos and sin must be a rational multiple of pi, such as 2*pi/5")
        return x.as_fraction()


def _mentions_pi(node: Node) -> bool:
    if isinstance(node, Name):
        return node.id == "pi"
    if isinstance(node, Unary):
        return _mentions_pi(node.operand)
    if isinstance(node, Binary):
        return _mentions_pi(node.left) or _mentions_pi(node.right)
    return False  # in a call, pi belongs to the call


def _bits(x: Number) -> int:
    """Return about the number of bits that all coordinates take."""
    if x.is_rational:
        value = x.as_fraction()
        return value.numerator.bit_length() + value.denominator.bit_length()
    poly = residue(x)
    return (poly.numer().height_bits() + int(poly.denom()).bit_length()) * cyc.cyclotomic(x.conductor).degree()


def from_float(value: float, where: str, allow_floats: bool) -> Fraction:
    """Return the rational that a float says, if that is allowed and is exactly what the float prints."""
    if not math.isfinite(value):
        raise NumberError(f"{where}: {value} is no number; check where it comes from (0/0, overflow, ...)")
    text = repr(value)
    said, meant = Fraction(value), Fraction(text)
    repair = f'write the string "{meant}"' if len(str(meant)) <= 12 else f'write what it stands for, such as "{text}"'
    if len(text) > 12:
        repair += ' or "sqrt(2)/2", as a string'
    if not allow_floats:
        raise NumberError(f"{where}: the float {text} is not taken as exact; {repair}")
    if said != meant:
        raise NumberError(f"{where}: the float {text} is not exactly what it prints; {repair}")
    return said


def from_sympy(value: Any, where: str, depth: int = 0) -> Number:
    """Return the number of a sympy tree; the caller has seen that it comes from sympy, so sympy is imported already."""
    sympy: Any = importlib.import_module("sympy")

    def fail(problem: str) -> NumberError:
        return NumberError(f"{where}: the sympy value {shorten(str(value))} {problem}")

    if depth > 50:
        raise fail("is nested deeper than 50; simplify it")
    if isinstance(value, sympy.Rational):
        return number(Fraction(int(value.p), int(value.q)))
    if isinstance(value, sympy.Float):
        raise fail('is a float; write the string "1/10", or sympy.Rational(1, 10)')
    if value in (sympy.nan, sympy.oo, -sympy.oo, sympy.zoo):
        raise fail("is no number; check where it comes from (0/0, overflow, ...)")
    if value == sympy.I:
        return zeta(4)
    try:
        if isinstance(value, (sympy.Add, sympy.Mul)):
            total = ZERO if isinstance(value, sympy.Add) else ONE
            for argument in value.args:
                x = from_sympy(argument, where, depth + 1)
                total = total + x if isinstance(value, sympy.Add) else total * x
            return total
        if isinstance(value, (sympy.cos, sympy.sin)):
            r = value.args[0] / sympy.pi
            if not isinstance(r, sympy.Rational):
                raise fail("is not of a rational multiple of pi; use arguments such as 2*pi/5")
            return (cos_pi if isinstance(value, sympy.cos) else sin_pi)(Fraction(int(r.p), int(r.q)))
        if isinstance(value, sympy.exp):
            r = value.args[0] / (2 * sympy.I * sympy.pi)
            if not isinstance(r, sympy.Rational):
                raise fail("is not of a rational multiple of I*pi; use arguments such as 2*I*pi/5")
            return zeta(int(r.q), int(r.p))
        if isinstance(value, sympy.Pow) and isinstance(value.exp, sympy.Rational):
            base = from_sympy(value.base, where, depth + 1)
            p, q = int(value.exp.p), int(value.exp.q)
            if abs(p) > MAX_EXPONENT:
                raise fail(f"has an exponent beyond {MAX_EXPONENT}; write a smaller one")
            if q == 1:
                return base**p
            if base == -1:
                return zeta(2 * q, p)
            root = _square_root(base) if q == 2 else None
            if root is not None:
                return root**p
            raise fail("is a root outside the grammar; write it with sqrt of rationals, cos(a*pi) or sin(a*pi)")
    except NumberError as error:
        if str(error).startswith(f"{where}: "):
            raise
        raise NumberError(f"{where}: {error}") from None
    raise fail("is outside the grammar; use rationals, sqrt of rationals, I, cos and sin of rational multiples of pi")


def _square_root(x: Number) -> Number | None:
    """Return the principal square root of a rational, or of a half-angle form q (1 + cos t)/2, which sympy writes.

    The angle is guessed from floats and then checked exactly, so a wrong guess gives None and never a wrong root.
    """
    if x.is_rational:
        return sqrt(x.as_fraction())
    if not x.is_real:
        return None
    if float(x) < 0:
        positive = _square_root(-x)
        return None if positive is None else positive * zeta(4)
    average = cyc.mean(residue(x), x.conductor)
    for q in (Fraction(1), Fraction(4), 2 * Fraction(int(average.p), int(average.q))):
        if q <= 0:
            continue
        cosine = x * (2 / q) - 1
        approximation = float(cosine)
        if abs(approximation) < 1:
            angle = Fraction(math.acos(approximation) / math.pi).limit_denominator(cyc.MAX_CONDUCTOR // 8)
            if cos_pi(angle) == cosine:
                return sqrt(q) * cos_pi(angle / 2)
    return None
