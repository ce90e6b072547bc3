"""Arithmetic of Q(zeta_n) below `Number`: residues modulo cyclotomic polynomials, units modulo n, embeddings.

An element f(zeta_n) of Q(zeta_n), zeta_n = exp(2 pi i/n), is a ``flint.fmpq_poly`` f of degree below phi(n).
By Kronecker and Weber every abelian number field lies in some Q(zeta_n); the least n that does for an element is its
*conductor*, never 2 modulo 4. Functions here are pure; those that return tables are cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from math import gcd

from flint import arb, ctx, fmpq, fmpq_poly, fmpz_poly

from repcore.errors import NumberError

__all__ = [
    "MAX_CONDUCTOR",
    "cosets",
    "cyclotomic",
    "descend",
    "discriminants",
    "evaluate",
    "generate",
    "joint",
    "kronecker",
    "lift",
    "mean",
    "moebius",
    "monomial",
    "prime_factors",
    "primitive_root",
    "root",
    "substitute",
    "trig",
    "unit_generators",
    "units",
]

MAX_CONDUCTOR = 5000
"""Largest conductor. A product costs 3 ms there; a rotation by a tenth of a degree (3600) fits."""


def joint(a: int, b: int) -> int:
    """Return lcm(a, b), the conductor of the compositum; `NumberError` above `MAX_CONDUCTOR`."""
    n = a * b // gcd(a, b)
    if n > MAX_CONDUCTOR:
        raise NumberError(
            f"numbers of Q(zeta({a})) and Q(zeta({b})) need Q(zeta({n})), and conductors above {MAX_CONDUCTOR} are not "
            "supported; use roots of unity of smaller order, or fewer different square roots, together"
        )
    return n


@cache
def prime_factors(n: int) -> tuple[int, ...]:
    """Return the primes that divide n >= 1, ascending (trial division: n is at most a small multiple of the cap)."""
    primes: list[int] = []
    p = 2
    while p * p <= n:
        if n % p == 0:
            primes.append(p)
            while n % p == 0:
                n //= p
        p += 1
    return (*primes, n) if n > 1 else tuple(primes)


@cache
def cyclotomic(n: int) -> fmpz_poly:
    """Return the cyclotomic polynomial Phi_n, the minimal polynomial of zeta_n; its degree is phi(n)."""
    return fmpz_poly.cyclotomic(n)


@lru_cache(maxsize=256)
def units(n: int) -> tuple[int, ...]:
    """Return the residues modulo n that are prime to n, ascending, ``(1,)`` for n = 1: the group of Q(zeta_n)."""
    return (1,) if n == 1 else tuple(k for k in range(1, n) if gcd(k, n) == 1)


@lru_cache(maxsize=256)
def unit_generators(n: int) -> tuple[int, ...]:
    """Return generators of the group (Z/n)^*: one for each odd prime power, 3 or (-1, 5) for 4 or 8, 16, ..."""
    found: list[int] = []
    for p in prime_factors(n):
        power = p
        while n % (power * p) == 0:
            power *= p
        if p == 2:
            local = [] if power == 2 else [3] if power == 4 else [power - 1, 5]
        else:
            order = power // p * (p - 1)
            tests = [order // q for q in prime_factors(order)]
            local = [next(g for g in range(2, power + 1) if g % p and all(pow(g, t, power) != 1 for t in tests))]
        rest = n // power
        # the residue that is g modulo the prime power and 1 modulo the rest
        found.extend((1 + rest * ((g - 1) * pow(rest, -1, power) % power)) % n for g in local)
    return tuple(found)


def generate(n: int, generators: Iterable[int]) -> frozenset[int]:
    """Return the subgroup of (Z/n)^* that ``generators`` generate; time proportional to its order."""
    one = 1 % n if n > 1 else 1
    group = {one}
    for g in generators:
        if g in group:
            continue
        # the group so far has index m in the larger one, whose cosets are those of g, g^2, ..., g^(m-1)
        step, old = g % n, tuple(group)
        while step not in group:
            group.update(step * h % n for h in old)
            step = step * g % n
    return frozenset(group)


def cosets(n: int, subgroup: frozenset[int]) -> list[int]:
    """Return the smallest representatives of (Z/n)^* modulo a subgroup, ascending."""
    seen: set[int] = set()
    out: list[int] = []
    for k in units(n):
        if k not in seen:
            out.append(k)
            seen.update(k * h % n for h in subgroup)
    return out


@lru_cache(maxsize=4096)
def primitive_root(n: int, p: int) -> int:
    """Return some primitive n-th root of unity modulo a prime p = 1 (mod n): the first power that is one."""
    factors = prime_factors(n)
    for g in range(1, p):
        w = pow(g, (p - 1) // n, p)
        if all(pow(w, n // q, p) != 1 for q in factors):
            return w
    raise NumberError(f"p: there is no primitive root of unity of order {n} modulo {p}; use a prime p = 1 (mod {n})")


def kronecker(d: int, k: int) -> int:
    """Return the Kronecker symbol (d/k) for k >= 0: for a fundamental discriminant d, its quadratic character at k."""
    if k == 0:
        return 1 if abs(d) == 1 else 0
    if d % 2 == 0 and k % 2 == 0:
        return 0
    sign = 1
    while k % 2 == 0:
        k //= 2
        if d % 8 in (3, 5):
            sign = -sign
    d %= k  # from here the Jacobi symbol, by reciprocity
    while d:
        while d % 2 == 0:
            d //= 2
            if k % 8 in (3, 5):
                sign = -sign
        d, k = k, d
        if d % 4 == 3 and k % 4 == 3:
            sign = -sign
        d %= k
    return sign if k == 1 else 0


@lru_cache(maxsize=256)
def discriminants(n: int) -> tuple[int, ...]:
    """Return the fundamental discriminants that divide n, and 1: the quadratic characters modulo n.

    >>> discriminants(24)
    (1, -3, -4, 8, -8, 12, 24, -24)
    """
    found = [1]
    for p in prime_factors(n):
        if p == 2:
            local = [] if n % 4 else [-4] if n % 8 else [-4, 8, -8]
        else:
            local = [p if p % 4 == 1 else -p]
        found.extend([d * e for d in found for e in local])
    return tuple(sorted(found, key=lambda d: (abs(d), d < 0)))


def _reduced(coefficients: Sequence[int], n: int) -> fmpz_poly:
    return fmpz_poly(coefficients) % cyclotomic(n)


@lru_cache(maxsize=4096)
def root(k: int, n: int) -> tuple[int, fmpq_poly]:
    """Return zeta_n^k as (conductor, residue).

    >>> root(1, 6)                                   # -zeta_3^2 = 1 + zeta_3
    (3, x + 1)
    """
    k %= n
    common = gcd(k, n)
    k, n = k // common, n // common
    sign = 1
    if n % 4 == 2:  # zeta_2m = -zeta_m^((m+1)/2) for odd m, and k is odd
        n //= 2
        k, sign = k * (n + 1) // 2 % n, -1
    return n, fmpq_poly(_reduced([0] * k + [sign], n))


def lift(poly: fmpq_poly, m: int, n: int) -> fmpq_poly:
    """Return the residue modulo Phi_n of an element of Q(zeta_m), m dividing n, by zeta_m = zeta_n^(n/m)."""
    if m == n or poly.degree() <= 0:
        return poly
    return fmpq_poly(poly.numer().inflate(n // m) % cyclotomic(n), poly.denom())


def substitute(poly: fmpq_poly, n: int, k: int) -> fmpq_poly:
    """Return the image under the automorphism zeta_n -> zeta_n^k, for k prime to n."""
    out = [0] * n
    for j, c in enumerate(poly.numer().coeffs()):
        out[j * k % n] = int(c)
    return fmpq_poly(_reduced(out, n), poly.denom())


def descend(poly: fmpq_poly, n: int, primes: Iterable[int]) -> tuple[int, fmpq_poly]:
    """Return the element f(zeta_n) in the least Q(zeta_m), where n/m is a product of the given primes.

    If p^2 divides n, zeta_n has degree p over Q(zeta_{n/p}) with minimal polynomial x^p - zeta_{n/p}: the element
    descends if and only if f has no exponent prime to p. If p divides n once, write f as sum_i c_i zeta_p^i with c_i in
    Q(zeta_{n/p}), i = 0..p-1: it descends if and only if c_1 = ... = c_{p-1}, to c_0 - c_1. Linear in n for each step.
    """
    if poly.degree() <= 0:
        return 1, poly
    for p in primes:
        while n % p == 0:
            smaller = _step(poly, n, p)
            if smaller is None:
                break
            n, poly = n // p, smaller
            if n % 4 == 2:
                # zeta_2m = -zeta_m^((m+1)/2)
                m = n // 2
                out = [0] * m
                for j, c in enumerate(poly.numer().coeffs()):
                    out[j * (m + 1) // 2 % m] += int(c) * (-1) ** j
                n, poly = m, fmpq_poly(_reduced(out, m), poly.denom())
            if poly.degree() <= 0:
                return 1, poly
    return n, poly


def _step(poly: fmpq_poly, n: int, p: int) -> fmpq_poly | None:
    """Return the residue over Q(zeta_{n/p}), in the basis of powers of zeta_{n/p}, or None if there is none."""
    coefficients = poly.numer().coeffs()
    if n % (p * p) == 0:
        if any(c != 0 for j, c in enumerate(coefficients) if j % p):
            return None
        return fmpq_poly(fmpz_poly(coefficients[::p]), poly.denom())
    m = n // p
    # 1/n = u/p + v/m modulo 1, so zeta_n = zeta_p^u zeta_m^v
    u, v = pow(m, -1, p), pow(p, -1, m) if m > 1 else 0
    parts: list[list[int]] = [[0] * m for _ in range(p)]
    for j, c in enumerate(coefficients):
        parts[j * u % p][j * v % m] += int(c)
    first = _reduced(parts[1], m)
    if any(_reduced(part, m) != first for part in parts[2:]):
        return None
    return fmpq_poly(_reduced(parts[0], m) - first, poly.denom())


def monomial(poly: fmpq_poly) -> tuple[Fraction, int] | None:
    """Return (c, k) if f = c x^k."""
    degree = poly.degree()
    if any(c != 0 for c in poly.numer().coeffs()[:degree]):
        return None
    lead = poly[degree]
    return Fraction(int(lead.p), int(lead.q)), degree


@lru_cache(maxsize=64)
def _mean_weights(n: int) -> tuple[fmpq, ...]:
    weights: list[fmpq] = []
    for j in range(cyclotomic(n).degree()):
        order = n // gcd(j, n)
        # the sum of the primitive roots of unity of an order is the Moebius function of it
        weights.append(fmpq(moebius(order), cyclotomic(order).degree()))
    return tuple(weights)


def moebius(n: int) -> int:
    """Return the Moebius function of n."""
    primes = prime_factors(n)
    return 0 if any(n % (p * p) == 0 for p in primes) else (-1) ** len(primes)


def mean(poly: fmpq_poly, n: int) -> fmpq:
    """Return the mean of the conjugates of f(zeta_n): its trace down to Q, divided by the degree."""
    weights = _mean_weights(n)
    return sum((c * w for c, w in zip(poly.coeffs(), weights, strict=False)), fmpq(0))


@lru_cache(maxsize=128)
def trig(n: int, bits: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return cos(2 pi k/n) and sin(2 pi k/n), k = 0..phi(n)-1, as integers over 2^bits, each less than 1 off.

    Arb encloses the value in a ball of radius below 2^-(bits+8); its midpoint is then rounded down.
    """
    cosines: list[int] = []
    sines: list[int] = []
    with ctx.workprec(bits + 32):
        for k in range(cyclotomic(n).degree()):
            sine, cosine = arb.sin_cos_pi_fmpq(fmpq(2 * k, n))
            for value, out in ((sine, sines), (cosine, cosines)):
                mantissa, exponent = (int(x) for x in value.mid().man_exp())
                shift = exponent + bits
                out.append(mantissa << shift if shift >= 0 else mantissa >> -shift)
    return tuple(cosines), tuple(sines)


def evaluate(poly: fmpq_poly, n: int, bits: int) -> tuple[int, int, int]:
    """Return (real, imaginary, error), integers over denominator(f) * 2^bits, that enclose f(zeta_n)."""
    cosines, sines = trig(n, bits)
    numerators = [int(c) for c in poly.numer().coeffs()]
    real = sum(c * t for c, t in zip(numerators, cosines, strict=False))
    imaginary = sum(c * t for c, t in zip(numerators, sines, strict=False))
    return real, imaginary, sum(abs(c) for c in numerators)
