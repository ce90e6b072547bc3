"""A prime that splits a cyclotomic field: exact class functions as words of one machine word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import lcm

import flint
import numpy as np
import numpy.typing as npt

from repcore.errors import GroupTooLargeError, NumberError
from repcore.exact import cyclotomic as cyc
from repcore.exact.matrix import Matrix
from repcore.exact.number import Number, residue

__all__ = ["Modulus", "crt", "modulus", "times_modulo"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Modulus:
    """The ring homomorphism Z[zeta_order] -> F_prime that sends zeta_order to ``root``, a root of that exact order.

    It extends to every number whose denominator the prime does not divide. Integers below ``prime`` / 2 in absolute value, and
    so degrees, multiplicities and indicators, are read back from their residue.
    """

    prime: int
    order: int
    root: int

    @cached_property
    def _powers(self) -> Ints:
        out = np.ones(1, np.int64)
        step = self.root
        while len(out) < self.order:
            # Doubling: root^(i + len) = root^i root^len.
            out = np.concatenate([out, out * step % self.prime])
            step = step * step % self.prime
        return out[: self.order]

    def roots(self, o: int) -> Ints:
        """The images of zeta_o^i, i = 0 .. o - 1, for a divisor o of the order."""
        return self._powers[:: self.order // o]

    def number(self, x: Number) -> int:
        """The image of a number whose conductor divides the order.

        Raises:
            NumberError: its conductor does not.
            ZeroDivisionError: the prime divides its denominator.
        """
        if self.order % x.conductor:
            raise NumberError(f"{x} is not in the field of the roots of unity of order {self.order}")
        poly = residue(x)
        p, roots = self.prime, self.roots(x.conductor)
        total = sum(int(c) % p * int(roots[i]) for i, c in enumerate(poly.numer().coeffs()))
        return total * pow(int(poly.denom()), -1, p) % p

    def matrix(self, m: Matrix) -> Ints:
        """The image of a matrix over a field whose conductor divides the order, dense."""
        out = np.zeros(m.shape, np.int64)
        out[m.rows, m.cols] = m.residues(self.prime, self.number(m.field.theta) if m.field.degree > 1 else 1)
        return out

    def times(self, a: Ints, b: Ints) -> Ints:
        """The product of two arrays of residues as matrices."""
        return times_modulo(a, b, self.prime)

    def spectra(self, values: Ints) -> Ints:
        """The multiplicities of the eigenvalues zeta_o^k of an element of order o, from the traces of its powers.

            m_k = (1/o) sum_l values[..., l] zeta_o^(-k l),

        along the last axis, of length o. Exact where the multiplicities are below the prime.
        """
        o = values.shape[-1]
        at = np.arange(o, dtype=np.int64)
        fourier = self.roots(o)[-at[:, None] * at % o]
        return self.times(values.reshape(-1, o), fourier).reshape(values.shape) * pow(o, -1, self.prime) % self.prime


@lru_cache(maxsize=512)
def modulus(order: int, index: int = 0) -> Modulus:
    """The modulus of roots of unity of some order for the prime number ``index`` below 2^31, counted downwards.

    Raises:
        GroupTooLargeError: the order is so large that there is no such prime.
    """
    start = 2**31 if index == 0 else modulus(order, index - 1).prime
    step = lcm(2, order)
    for p in range((start - 2) // step * step + 1, max(step, 2**24), -step):
        if flint.fmpz(p).is_prime():
            return Modulus(p, order, cyc.primitive_root(order, p) if order > 1 else 1)
    raise GroupTooLargeError(
        f"group: its exponent, or the numbers of its matrices, need roots of unity of order {order}, which is more than machine "
        "words can hold; write the group by permutations, or solve V >> W from generators, which needs no characters"
    )


def times_modulo(a: Ints, b: Ints, p: int) -> Ints:
    """The product of two matrices of residues modulo p < 2^31, by BLAS on halves of 16 bits (inner length below 2^20)."""
    a1, a0 = (a >> 16).astype(np.float64), (a & 0xFFFF).astype(np.float64)
    b1, b0 = (b >> 16).astype(np.float64), (b & 0xFFFF).astype(np.float64)
    # Each sum is below 2^20 * 2^33 = 2^53, so float64 holds it exactly.
    high = (a1 @ b1).astype(np.int64) % p
    middle = (a1 @ b0 + a0 @ b1).astype(np.int64) % p
    low = (a0 @ b0).astype(np.int64) % p
    return ((high * (2**32 % p) % p) + (middle << 16) % p + low) % p


def crt(residues: Sequence[Ints], primes: Sequence[int]) -> list[int]:
    """The integers in [0, product of primes) with given residues modulo each prime, entry by entry."""
    out = [int(x) for x in residues[0].ravel().tolist()]
    whole = primes[0]
    for values, p in zip(residues[1:], primes[1:], strict=True):
        back = pow(whole, -1, p)
        out = [x + whole * ((int(y) - x) * back % p) for x, y in zip(out, values.ravel().tolist(), strict=True)]
        whole *= p
    return out
