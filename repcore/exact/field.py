"""`Field`: an abelian number field, and the smallest one that holds given numbers.

By Galois theory a subfield of Q(zeta_n) is the fixed field of a subgroup of (Z/n)^*, the automorphisms
zeta_n -> zeta_n^k. With n least this description is unique, so fields are compared exactly. A field comes with a
canonical primitive element theta, an algebraic integer, in whose powers its numbers are written; theta is part of the
file format of bases and is fixed by the rules of `Field.theta`.

Modulo a prime p = 1 (mod n) the field splits completely: theta becomes a residue in ``degree`` ways, so exact linear
algebra over the field runs modulo p in machine words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import combinations
from math import lcm
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat, fmpz_poly, nmod, nmod_mat, nmod_poly
from numpy.typing import NDArray

from repcore.errors import NumberError
from repcore.exact import cyclotomic as cyc
from repcore.exact.number import ONE, ZERO, Number, residue, zeta
from repcore.exact.special import sqrt_squarefree, stabilizer

__all__ = ["QQ", "Field", "compositum", "field_of"]


@lru_cache(maxsize=1024)
def _validate(n: int, fixed: tuple[int, ...]) -> None:
    """Raise `NumberError` unless the pair is canonical."""
    if not 1 <= n <= cyc.MAX_CONDUCTOR or n % 4 == 2:
        raise NumberError(f"conductor: expected 1 to {cyc.MAX_CONDUCTOR} and not 2 modulo 4, got {n}; use field_of([...])")
    members = frozenset(fixed)
    if tuple(sorted(members)) != fixed or not members <= set(cyc.units(n)) or cyc.generate(n, fixed) != members:
        raise NumberError(f"fixed: expected a sorted subgroup of the units modulo {n}; use field_of([...])")
    for p in cyc.prime_factors(n):
        m = n // p
        if all(k in members for k in cyc.units(n) if (k - 1) % m == 0):
            raise NumberError(f"conductor: {n} is not least, the field lies in Q(zeta({m})); use field_of([...])")


@dataclass(frozen=True)
class Field:
    """The subfield of Q(zeta(conductor)) that the automorphisms zeta -> zeta**k, k in ``fixed``, leave fixed.

    Canonical: the conductor is least and ``fixed``, a sorted subgroup of (Z/conductor)^*, is whole; `NumberError`
    otherwise. Get one from `field_of` or `compositum`.

    >>> field_of([zeta(8) + zeta(8).conjugate()])
    Field(conductor=8, fixed=(1, 7))
    >>> str(_), _.degree, _.modulus                    # QQ<theta>, x**2 - 2
    ('QQ<sqrt(2)>', 2, (-2, 0, 1))
    """

    conductor: int
    fixed: tuple[int, ...]

    def __post_init__(self) -> None:
        _validate(self.conductor, self.fixed)

    def __reduce__(self) -> tuple[Any, ...]:
        return Field, (self.conductor, self.fixed)

    def __str__(self) -> str:
        return self.name

    @cached_property
    def name(self) -> str:
        """``"QQ"``, or ``"QQ<theta>"`` with the text of theta."""
        return "QQ" if self.degree == 1 else f"QQ<{self.theta}>"

    @cached_property
    def degree(self) -> int:
        """The dimension over Q: phi(conductor)/len(fixed)."""
        return cyc.cyclotomic(self.conductor).degree() // len(self.fixed)

    @cached_property
    def is_real(self) -> bool:
        """Whether every number of the field is real."""
        return self.conductor == 1 or self.conductor - 1 in self.fixed

    @cached_property
    def theta(self) -> Number:
        """The canonical primitive element, an algebraic integer: the first of these rules that applies.

        1. QQ: 1.
        2. Quadratic: sqrt(d), d squarefree (I for d = -1).
        3. Q(zeta(n)): zeta(n). (Q(zeta(3)) is quadratic.)
        4. Multiquadratic: the sum of sqrt(d) over the generators d of the group of squarefree d with sqrt(d) in the
           field, picked greedily in the order -1, 2, -2, 3, -3, ... (independent ones only).
        5. The maximal real subfield of Q(zeta(n)): 2*cos(2*pi/n).
        6. Gaussian periods e(a) = sum of zeta(n)**(a*k) over k in ``fixed``, each distinct one once, a = 1, 2, ...: the
           first primitive one; else the first primitive e(a) + c*e(b), c = 1, 2, 3 outermost, then a < b; else the
           first primitive sum_i t**i e_i over the distinct periods e_0, e_1, ..., t = 1, 2, 3, ... (the periods span
           the field, so this search ends).
        """
        n, fixed = self.conductor, self.fixed
        if n == 1:
            return ONE
        if self.degree == 2:
            return sqrt_squarefree(_radicands(self)[0])
        if self._is_cyclotomic:
            return zeta(n)
        if self._is_multiquadratic:
            return sum((sqrt_squarefree(d) for d in _independent(_radicands(self))), ZERO)
        if self._is_maximal_real:
            return zeta(n) + zeta(n).conjugate()
        return next(x for x in _periods(n, fixed) if x.conductor == n and len(stabilizer(x)) == len(fixed))

    @cached_property
    def _is_cyclotomic(self) -> bool:
        """Whether theta is zeta(n), so that coordinates are those of the power basis of Q(zeta(n))."""
        return len(self.fixed) == 1 and self.conductor not in (1, 3)

    @cached_property
    def _is_multiquadratic(self) -> bool:
        members = frozenset(self.fixed)
        return all(k * k % self.conductor in members for k in cyc.unit_generators(self.conductor))

    @cached_property
    def _is_maximal_real(self) -> bool:
        """Whether rule 5 of `theta` applies."""
        return self.fixed == (1, self.conductor - 1) and not self._is_multiquadratic

    @cached_property
    def modulus(self) -> tuple[int, ...]:
        """The minimal polynomial of theta over Z: degree+1 coefficients, constant term first, the last is 1."""
        n, d = self.conductor, self.degree
        if d == 1:
            return (-1, 1)
        if self._is_cyclotomic:
            return tuple(int(c) for c in cyc.cyclotomic(n).coeffs())
        if self._is_maximal_real:
            return tuple(int(c) for c in fmpz_poly.cos_minpoly(n).coeffs())
        # Newton's identities on the power sums of the conjugates, which are traces
        sums = [_integer(cyc.mean(residue(x), x.conductor) * d) for x in (*self._powers, self._powers[-1] * self.theta)]
        elementary = [1]
        for k in range(1, d + 1):
            total = sum((-1) ** (i - 1) * elementary[k - i] * sums[i] for i in range(1, k + 1))
            elementary.append(total // k)
        return tuple((-1) ** (d - i) * elementary[d - i] for i in range(d + 1))

    @cached_property
    def _powers(self) -> tuple[Number, ...]:
        """theta**i for i < degree."""
        out = [ONE]
        for _ in range(1, self.degree):
            out.append(out[-1] * self.theta)
        return tuple(out)

    # ------------------------------------------------------------------------------------------------ coordinates

    def __contains__(self, x: Number) -> bool:
        if self.conductor % x.conductor:
            return False
        if x.is_rational:
            return True
        own = frozenset(stabilizer(x))
        return all(k % x.conductor in own for k in self.fixed)

    def coordinates(self, x: Number) -> tuple[Fraction, ...]:
        """Return the coordinates of x in the basis 1, theta, ..., theta^(degree-1); `NumberError` if x is not in it.

        Costs one product of a vector with a cached degree x degree matrix, whose first use costs about degree^3.

        >>> field_of([zeta(5)]).coordinates(zeta(5, 4))
        (Fraction(-1, 1), Fraction(-1, 1), Fraction(-1, 1), Fraction(-1, 1))
        """
        d = self.degree
        if x.is_rational:
            return (x.as_fraction(),) + (Fraction(0),) * (d - 1)
        if self.conductor % x.conductor:
            raise self._foreign(x)
        if self._is_cyclotomic:
            return x.lift(self.conductor)
        frame = _frame(self)
        poly = cyc.lift(residue(x), x.conductor, self.conductor)
        found = fmpq_mat(1, d, [poly[j] for j in frame.pivots]) * frame.inverse
        back = found * frame.rows
        if any(back[0, j] != poly[j] for j in range(back.ncols())):
            raise self._foreign(x)
        return tuple(Fraction(int(c.p), int(c.q)) for c in found.entries())

    def _foreign(self, x: Number) -> NumberError:
        return NumberError(f"{x} is not in the field {self}; take the compositum with field_of([...]) first")

    def number(self, coords: Sequence[Fraction | int]) -> Number:
        """Return sum_i coords[i] theta^i, the inverse of `coordinates`; `NumberError` for another number of them."""
        if len(coords) != self.degree:
            raise NumberError(f"coords: expected {self.degree} coordinates for {self}, got {len(coords)}")
        if not any(coords[1:]):
            return ONE * coords[0]
        if self._is_cyclotomic:
            return Number(self.conductor, coords)
        row = fmpq_mat(1, self.degree, [fmpq(int(c.numerator), int(c.denominator)) for c in coords])
        product = row * _frame(self).rows
        return Number(self.conductor, [Fraction(int(c.p), int(c.q)) for c in product.entries()])

    @cached_property
    def table(self) -> NDArray[Any]:
        """The structure constants: theta^i theta^j = sum_k table[i, j, k] theta^k; shape (degree,)*3, read-only.

        int64, or Python integers (object) where one does not fit. A view of 2*degree - 1 rows: only i + j matters.
        """
        d = self.degree
        row = [1] + [0] * (d - 1)
        rows = [row]
        for _ in range(2 * d - 2):
            top = row[-1]
            row = [c - top * m for c, m in zip([0, *row[:-1]], self.modulus, strict=False)]
            rows.append(row)
        small = all(-(2**63) <= c < 2**63 for row in rows for c in row)
        reduced = np.array(rows, dtype=np.int64 if small else object).reshape(2 * d - 1, d)
        step, item = reduced.strides
        return np.lib.stride_tricks.as_strided(reduced, (d, d, d), (step, step, item), writeable=False)

    @cached_property
    def conjugation(self) -> tuple[tuple[Fraction, ...], ...]:
        """Complex conjugation: row j holds the coordinates of the conjugate of theta^j (the identity if real)."""
        return tuple(self.coordinates(x.conjugate()) for x in self._powers)

    @cached_property
    def complex_powers(self) -> NDArray[np.complex128]:
        """theta^i under zeta_n = exp(2 pi i/n), complex128 (degree,), read-only, each part correctly rounded.

        The imaginary parts are exactly 0 when the field is real.
        """
        out = np.array([complex(x) for x in self._powers], dtype=np.complex128)
        out.flags.writeable = False
        return out

    def conductor_embedding(self, other: Field) -> tuple[tuple[Fraction, ...], ...]:
        """Return the inclusion into a larger field: row i holds the coordinates in ``other`` of theta^i of this field.

        `NumberError` if this field is not a subfield of ``other``.

        >>> field_of([zeta(4)]).conductor_embedding(field_of([zeta(8)]))[1]         # I = zeta(8)**2
        (Fraction(0, 1), Fraction(0, 1), Fraction(1, 1), Fraction(0, 1))
        """
        return _embedding(self, other)

    # ------------------------------------------------------------------------------------------------ modulo primes

    def roots(self, p: int) -> tuple[int, ...]:
        """Return the residues of theta modulo a prime p = 1 (mod conductor) under all ``degree`` embeddings.

        The i-th is theta(w^k), where w is the smallest primitive root of unity of order ``conductor`` modulo p, and k
        the i-th of the smallest representatives of the cosets of ``fixed`` in (Z/conductor)^*. So each root gives a
        ring homomorphism sum_i c_i theta^i -> sum_i c_i root^i mod p. `NumberError` if p is no such prime, or if the
        residues are not distinct (p divides the discriminant of the modulus). Cached.

        >>> field_of([zeta(4)]).roots(13)
        (5, 8)
        """
        return _roots(self, p)

    def primes(self, below: int = 2**31) -> Iterator[int]:
        """Yield the primes p < below with p = 1 (mod conductor) and distinct `roots`, descending; 2 is left out.

        >>> from itertools import islice
        >>> list(islice(field_of([zeta(7)]).primes(below=100), 3))
        [71, 43, 29]
        """
        step = lcm(2, self.conductor)
        for p in range((below - 2) // step * step + 1, 2, -step):
            if fmpz(p).is_prime():
                try:
                    self.roots(p)
                except NumberError:
                    continue
                yield p


# ---------------------------------------------------------------------------------------------------- construction

QQ = Field(1, (1,))
"""The field of rational numbers."""


def field_of(numbers: Iterable[Number]) -> Field:
    """Return the smallest field that holds the numbers.

    The automorphisms that fix it are those that fix every number; its conductor is the least common multiple of theirs
    (`NumberError` above 5,000). Immediate for rationals.

    >>> str(field_of([zeta(3), zeta(4)])), field_of([]) == QQ
    ('QQ<zeta(12)>', True)
    """
    irrational = frozenset(x for x in numbers if x.conductor != 1)
    return _join(frozenset((x.conductor, stabilizer(x)) for x in irrational))


def compositum(*fields: Field) -> Field:
    """Return the smallest field that holds the given fields; `QQ` for none.

    >>> str(compositum(field_of([zeta(8) + zeta(8, 7)]), field_of([zeta(4)])))
    'QQ<zeta(8)>'
    """
    return _join(frozenset((field.conductor, field.fixed) for field in fields))


@lru_cache(maxsize=1024)
def _join(parts: frozenset[tuple[int, tuple[int, ...]]]) -> Field:
    if not parts:
        return QQ
    n = 1
    for conductor, _ in parts:
        n = cyc.joint(n, conductor)
    fixed = set(cyc.units(n))
    for conductor, group in parts:
        members = frozenset(group) if conductor > 1 else frozenset({0})
        fixed = {k for k in fixed if k % conductor in members}
    return _interned(n, tuple(sorted(fixed)))


@lru_cache(maxsize=1024)
def _interned(conductor: int, fixed: tuple[int, ...]) -> Field:
    # one object for each field, so that what is computed once is found again
    return Field(conductor, fixed)


# --------------------------------------------------------------------------------------------------- primitive elements


def _radicands(field: Field) -> list[int]:
    """Return the squarefree d != 1 with sqrt(d) in the field, in the order -1, 2, -2, 3, ...

    sqrt(d) is in it if and only if the quadratic character of d is trivial on the group that fixes the field.
    """
    out: list[int] = []
    for discriminant in cyc.discriminants(field.conductor)[1:]:
        if all(cyc.kronecker(discriminant, k) == 1 for k in field.fixed):
            out.append(discriminant if discriminant % 4 == 1 else discriminant // 4)
    return sorted(out, key=lambda d: (abs(d), d < 0))


def _independent(radicands: Sequence[int]) -> list[int]:
    """Return those that are not a product, up to squares, of earlier ones."""
    span = {1}
    out: list[int] = []
    for d in radicands:
        if d not in span:
            out.append(d)
            span |= {_squarefree(d * e) for e in span}
    return out


def _squarefree(d: int) -> int:
    for p in cyc.prime_factors(abs(d)):
        while d % (p * p) == 0:
            d //= p * p
    return d


def _periods(n: int, fixed: tuple[int, ...]) -> Iterator[Number]:
    """Yield the candidates of rule 6 of `Field.theta`."""
    periods: list[Number] = []
    for a in range(1, n):
        exponents = [0] * n
        for k in fixed:
            exponents[a * k % n] += 1
        poly = fmpz_poly(exponents) % cyc.cyclotomic(n)
        x = Number(n, [int(poly[j]) for j in range(cyc.cyclotomic(n).degree())])
        if x not in periods:
            periods.append(x)
            yield x
    for c in (1, 2, 3):
        for x, y in combinations(periods, 2):
            yield x + c * y
    t = 1
    while True:
        yield sum((t**i * x for i, x in enumerate(periods)), ZERO)
        t += 1


def _integer(q: fmpq) -> int:
    return int(q.p)  # a trace of an algebraic integer


# ---------------------------------------------------------------------------------------------------- cached tables


@dataclass(frozen=True, eq=False)
class _Frame:
    """The powers of theta in the power basis of Q(zeta_n), and how to read coordinates off."""

    rows: fmpq_mat  # (degree, phi(n)): row i is theta^i
    pivots: tuple[int, ...]  # columns in which the rows are independent
    inverse: fmpq_mat  # of rows[:, pivots]


@lru_cache(maxsize=256)
def _frame(field: Field) -> _Frame:
    n, d = field.conductor, field.degree
    width = cyc.cyclotomic(n).degree()
    entries: list[int] = []
    for x in field._powers:  # pyright: ignore[reportPrivateUsage]
        entries.extend(c.numerator for c in x.lift(n))
    rows = fmpz_mat(d, width, entries)
    p = 2**61 - 1
    while True:
        # independent modulo p implies independent
        echelon, rank = nmod_mat(rows, p).rref()
        if rank == d:
            break
        p -= 2
        while not fmpz(p).is_prime():
            p -= 2
    pivots: list[int] = []
    for i in range(d):
        pivots.append(next(j for j in range(pivots[-1] + 1 if pivots else 0, width) if echelon[i, j] != 0))
    square = fmpz_mat(d, d, [rows[i, j] for i in range(d) for j in pivots])
    return _Frame(fmpq_mat(rows), tuple(pivots), fmpq_mat(square).inv())


@lru_cache(maxsize=1024)
def _embedding(small: Field, large: Field) -> tuple[tuple[Fraction, ...], ...]:
    return tuple(large.coordinates(x) for x in small._powers)  # pyright: ignore[reportPrivateUsage]


@lru_cache(maxsize=8192)
def _roots(field: Field, p: int) -> tuple[int, ...]:
    n = field.conductor
    if p < 2 or (p - 1) % n or not fmpz(p).is_prime():
        raise NumberError(f"p: expected a prime p = 1 (mod {n}), got {p}; take one from field.primes()")
    if field.degree == 1:
        return (1 % p,)
    w = cyc.primitive_root(n, p)
    w = min(pow(w, k, p) for k in cyc.units(n))
    modular = nmod_poly([int(c) % p for c in residue(field.theta).numer().coeffs()], p)
    roots = tuple(int(modular(nmod(pow(w, k, p), p))) for k in cyc.cosets(n, frozenset(field.fixed)))
    if len(set(roots)) != len(roots):
        raise NumberError(f"p: {p} divides the discriminant of {field}; take another prime from field.primes()")
    return roots
