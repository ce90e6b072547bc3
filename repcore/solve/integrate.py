"""Reduction ``integrate``: exact group elements from Lie generators.

Three kinds, all of them exact matrices; where they are monomial they feed ``orbits``, because a map that commutes with the Lie
algebra commutes with them.

- A^3 = -A (a rotation): exp(t A) = 1 + sin(t) A + (1 - cos t) A^2, at t = pi/2 the quarter turn 1 + A + A^2.
- A^3 = A (a boost): i A is a rotation, and exp(i pi/2 A) = 1 + i A - A^2. It is no element of the real group, but a linear map
  that commutes with A commutes with every power series in A (Weyl's unitary trick). The representation must be complex
  linear in A, so conjugates and realified representations are left out.
- A nilpotent: exp(A) = 1 + A + ... + A^(n-1) / (n-1)!. Alone it is never monomial, but for a triple e, f, h = [e, f] with
  [h, e] = 2 e, [h, f] = -2 f the product exp(e) exp(-f) exp(e) often is: the Weyl element that reflects the root of e.
  SL(n), GL(n) and Sp(2m) get their Weyl groups from it, as signed permutations.

Source of the last: Carter, Simple Groups of Lie Type (1972), lemma 6.4.4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import lcm

import numpy as np
import numpy.typing as npt

from repcore.exact.field import QQ, compositum
from repcore.exact.matrix import Matrix, identity
from repcore.exact.number import zeta
from repcore.groups.components import components
from repcore.reps.cosets import Quotient
from repcore.reps.custom import Custom
from repcore.reps.irreps import Irrep
from repcore.reps.tree import Conjugate, Realified, Rep

__all__ = [
    "exponential",
    "imaginary_turn",
    "is_complex_linear",
    "is_functorial",
    "opposites",
    "quarter_turn",
    "quarter_turns",
    "weyl_element",
]

Ints = npt.NDArray[np.int64]


def quarter_turn(a: Matrix) -> Matrix | None:
    """exp(pi/2 A) = 1 + A + A^2 if A^3 = -A and the result is monomial, else None."""
    square = a @ a
    if a.is_zero or square @ a != -a:
        return None
    turn = identity(a.shape[0]) + a + square
    return turn if turn.is_monomial else None


def imaginary_turn(a: Matrix) -> Matrix | None:
    """exp(i pi/2 A) = 1 + i A - A^2 if A^3 = A, and it is monomial, else None.

    >>> from repcore.exact.matrix import matrix
    >>> imaginary_turn(matrix([[0, 1], [1, 0]]))
    matrix([[0, 'I'], ['I', 0]])
    """
    square = a @ a
    if a.is_zero or square @ a != a:
        return None
    turn = identity(a.shape[0]) + a * zeta(4) - square
    return turn if turn.is_monomial else None


def exponential(a: Matrix) -> Matrix | None:
    """exp(A) = sum_k A^k / k!, a finite sum of exact matrices, if A is nilpotent; else None.

    >>> from repcore.exact.matrix import matrix
    >>> exponential(matrix([[0, 1, 0], [0, 0, 1], [0, 0, 0]]))
    matrix([[1, 1, '1/2'], [0, 1, 1], [0, 0, 1]])
    """
    out, term = identity(a.shape[0]), identity(a.shape[0])
    for k in range(1, a.shape[0] + 1):
        term = (term @ a) * Fraction(1, k)
        if term.is_zero:
            return out
        out = out + term
    return None


def weyl_element(e: Matrix, f: Matrix) -> Matrix | None:
    """exp(e) exp(-c f) exp(e), c such that e and c f are the raising and the lowering operator of an sl(2); None if that fails.

    It fails if e or f is not nilpotent, if [[e, f], e] is no multiple of e, or if the product is not monomial.

    >>> from repcore.exact.matrix import matrix
    >>> weyl_element(matrix([[0, 1], [0, 0]]), matrix([[0, 0], [2, 0]]))
    matrix([[0, 1], [-1, 0]])
    """
    h = _bracket(e, f)
    raised = _bracket(h, e)
    if e.is_zero or raised.is_zero:
        return None
    at = (int(e.rows[0]), int(e.cols[0]))
    scale = 2 * e[at] / raised[at] if raised[at] else None
    if scale is None or raised * scale != 2 * e:
        return None
    lowering = f * -scale
    outer, inner = exponential(e), exponential(lowering)
    if outer is None or inner is None:
        return None
    turn = outer @ inner @ outer
    return turn if turn.is_monomial else None


def _bracket(a: Matrix, b: Matrix) -> Matrix:
    return a @ b - b @ a


def is_functorial(rep: Rep) -> bool:
    """Whether the expression is built from the defining representation alone, so that any element of the group acts."""
    if isinstance(rep, Custom | Quotient):
        return False
    inner = [getattr(rep, "rep", None), *getattr(rep, "factors", ()), *(v for _, v in getattr(rep, "terms", ()))]
    return all(is_functorial(v) for v in inner if isinstance(v, Rep))


def is_complex_linear(rep: Rep) -> bool:
    """Whether the action of the Lie algebra extends to complex combinations of its elements by the same formula."""
    if isinstance(rep, Conjugate | Realified | Irrep):
        return False
    inner = [getattr(rep, "rep", None), *getattr(rep, "factors", ()), *(v for _, v in getattr(rep, "terms", ()))]
    return is_functorial(rep) and all(is_complex_linear(v) for v in inner if isinstance(v, Rep))


def quarter_turns(
    lie: tuple[Matrix, ...], given: list[Matrix], usable: Callable[[Matrix], bool]
) -> tuple[list[Matrix], list[int]]:
    """Enough exact elements to generate all of them together with ``given``, and one Lie generator from each class.

    A class holds the generators that are conjugate, B = +-g A g^-1, by signed permutations g among ``given`` and the elements.
    A map that commutes with every g and with A commutes with B, so one generator of a class is enough; and what comes from B is
    then a product of known elements, so one element for a class is enough. ``usable`` says whether an element is wanted.

    A class is found by fingerprints of the generators. A collision could only drop a generator that is needed, which the exact
    check of the solution finds out.
    """
    count = len(lie)
    prints = _Fingerprints(lie)
    opposite: dict[int, int] | None = None
    sources: list[Ints] = []
    targets: list[Ints] = []
    label = np.arange(count)

    def join(g: Matrix) -> Ints:
        to = prints.conjugated(g)
        known = np.flatnonzero(to >= 0)
        sources.append(known)
        targets.append(to[known])
        return components(count, np.concatenate(sources), np.concatenate(targets))

    for g in given:
        label = join(g)
    turned: list[int] = []
    turns: list[Matrix] = []
    for i, a in enumerate(lie):
        if any(label[i] == label[j] for j in turned):
            continue
        g = quarter_turn(a)
        if g is None:
            opposite = opposites(lie) if opposite is None else opposite
            g = weyl_element(a, lie[opposite[i]]) if i in opposite else None
        if g is not None and usable(g):
            turned.append(i)
            turns.append(g)
            label = join(g)
    first: dict[int, int] = {}
    for i, k in enumerate(label.tolist()):
        first.setdefault(k, i)
    return turns, sorted(first.values())


def opposites(lie: Sequence[Matrix]) -> dict[int, int]:
    """For a generator with no place (i, j) beside (j, i), the first one whose places are the transposed ones."""
    places: dict[bytes, int] = {}
    transposed: list[bytes] = []
    for i, a in enumerate(lie):
        n = a.shape[0]
        own, other = a.rows * n + a.cols, np.sort(a.cols * n + a.rows)
        places.setdefault(own.tobytes(), i)
        transposed.append(other.tobytes() if a.nnz and not np.isin(own, other).any() else b"")
    found = ((i, places.get(key)) for i, key in enumerate(transposed) if key)
    return {i: j for i, j in found if j is not None}


class _Fingerprints:
    """One 64-bit number for each generator, sum h[row, col] * coefficient, quick to follow through a relabelling of the basis."""

    def __init__(self, lie: tuple[Matrix, ...]) -> None:
        n = lie[0].shape[0] if lie else 0
        field = compositum(*{a.field for a in lie}) if lie else QQ
        lie = tuple(a.over(field) for a in lie)
        rng = np.random.default_rng(n)
        self._h = rng.integers(1, 2**62, (n, n, field.degree))
        self._rows = np.concatenate([a.rows for a in lie]) if lie else np.zeros(0, np.int64)
        self._cols = np.concatenate([a.cols for a in lie]) if lie else np.zeros(0, np.int64)
        # Everything is modulo 2**64, where negation is still negation.
        den = lcm(*(a.den for a in lie))
        parts = [((a.nums.astype(object) * (den // a.den) + 2**63) % 2**64 - 2**63).astype(np.int64) for a in lie]
        self._nums = np.concatenate(parts) if lie else np.zeros((0, field.degree), np.int64)
        self._of = np.repeat(np.arange(len(lie)), [a.nnz for a in lie])
        self._count = len(lie)
        ones = np.ones(n, np.int64)
        self._index: dict[int, int] = {}
        # Own fingerprints last, earliest generator last: they win over those of opposites and of repetitions.
        for factor in (-1, 1):
            values: list[int] = self._sums(np.arange(n), ones, factor).tolist()
            for i in reversed(range(self._count)):
                self._index[values[i]] = i

    def _sums(self, images: Ints, signs: Ints, factor: int = 1) -> Ints:
        # Multiplication wraps around modulo 2**64, on both sides alike.
        weight = self._h[images[self._rows], images[self._cols]]
        sign = factor * signs[self._rows] * signs[self._cols]
        out = np.zeros(self._count, np.int64)
        np.add.at(out, self._of, (weight * self._nums * sign[:, None]).sum(axis=1))
        return out

    def conjugated(self, g: Matrix) -> Ints:
        """For each generator A the number of +-g A g^-1, -1 where that is no generator or g is no signed permutation."""
        if not (g.is_integral and g.is_monomial and bool(np.all(np.abs(g.nums[:, 0]) == 1))):
            return np.full(self._count, -1, np.int64)
        columns = g.T
        return np.array([self._index.get(v, -1) for v in self._sums(columns.cols, columns.nums[:, 0]).tolist()], np.int64)
