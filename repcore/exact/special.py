"""Square roots, cosines and sines as exact numbers; and which automorphisms fix a number."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from flint import fmpq_poly, fmpz, fmpz_poly, nmod, nmod_poly

from repcore.errors import NumberError
from repcore.exact import cyclotomic as cyc
from repcore.exact.number import ONE, ZERO, Number, make_number, residue, short, zeta

__all__ = ["cos_pi", "sin_pi", "sqrt", "sqrt_squarefree", "stabilizer"]


@lru_cache(maxsize=4096)
def stabilizer(x: Number) -> tuple[int, ...]:
    """Return the residues k modulo the conductor n with x.galois(k) == x, ascending: the group that fixes Q(x).

    The values of x at all primitive n-th roots of unity modulo one prime leave few candidates, each checked exactly.

    >>> from repcore.exact.number import number
    >>> stabilizer(number("sqrt(5)")), stabilizer(number("zeta(5)"))
    ((1, 4), (1,))
    """
    n = x.conductor
    if n == 1:
        return (1,)
    p = 2**62 // n * n + 1
    while not fmpz(p).is_prime():
        p -= n
    # the denominator does not matter for equality
    modular = nmod_poly([int(c) % p for c in residue(x).numer().coeffs()], p)
    w = cyc.primitive_root(n, p)
    values = {k: int(modular(nmod(pow(w, k, p), p))) for k in cyc.units(n)}
    group = frozenset({1})
    for k, value in values.items():
        if value == values[1] and k not in group and x.galois(k) == x:
            group = cyc.generate(n, (*group, k))
    return tuple(sorted(group))


def cos_pi(r: Fraction | int) -> Number:
    """Return cos(r pi) = (zeta_2q^p + zeta_2q^-p)/2 for r = p/q."""
    r = Fraction(r)
    w = zeta(2 * r.denominator, r.numerator)
    return (w + w.conjugate()) / 2


def sin_pi(r: Fraction | int) -> Number:
    """Return sin(r pi) = cos((1/2 - r) pi)."""
    return cos_pi(Fraction(1, 2) - Fraction(r))


def sqrt(q: Fraction | int) -> Number:
    """Return the principal square root of a rational: positive, or a positive multiple of I.

    The Gauss sum g = sum_k (D/k) zeta_|D|^k of a fundamental discriminant D equals sqrt(D), with the principal sign
    (Gauss 1811). `NumberError` if |D| is above 5,000. The argument is never factored beyond primes up to 5,000.

    >>> sqrt(8), sqrt(Fraction(1, 3)), sqrt(-4)
    (number('2*sqrt(2)'), number('sqrt(3)/3'), number('2*I'))
    """
    q = Fraction(q)
    rest, free, square = abs(q.numerator * q.denominator), 1, 1
    if rest == 0:
        return ZERO
    p = 2
    while p <= cyc.MAX_CONDUCTOR and p * p <= rest:
        while rest % (p * p) == 0:
            rest //= p * p
            square *= p
        if rest % p == 0:
            rest //= p
            free *= p
        p += 1 if p == 2 else 2
    whole = math.isqrt(rest)
    if whole * whole == rest:
        square *= whole
    else:
        free *= rest
    if q < 0:
        free = -free
    size = abs(free) if free % 4 == 1 else 4 * abs(free)
    if size > cyc.MAX_CONDUCTOR:
        raise NumberError(
            f"the square root of {short(q)} has conductor {short(size)}, and conductors above "
            f"{cyc.MAX_CONDUCTOR} are not supported; use a smaller radicand"
        )
    return sqrt_squarefree(free) * Fraction(square, q.denominator)


@lru_cache(maxsize=1024)
def sqrt_squarefree(d: int) -> Number:
    """Return the principal square root of a squarefree integer d of discriminant at most 5,000."""
    if d == 1:
        return ONE
    discriminant = d if d % 4 == 1 else 4 * d
    n = abs(discriminant)
    gauss = fmpz_poly([cyc.kronecker(discriminant, k) for k in range(n)]) % cyc.cyclotomic(n)
    return make_number(n, fmpq_poly(gauss, 1 if d % 4 == 1 else 2))
