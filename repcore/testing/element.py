"""A group element as a word in the generators, which acts on every representation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import atan2, log
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore import Group, IncompatibleError, Matrix, Number, Rep, RepresentationError, number
from repcore.testing.exact import eye, inverse

__all__ = ["Element", "step"]

# A turn is by the angle of ((3 + 4i)/5)^2, a boost by a factor 4: rational, and so are their square roots, which is what
# weights that are halves of integers need.
_TURN, _BOOST = 2 * atan2(4, 3), log(4)
_FACTORS = {"turn": number("3/5 + 4*I/5"), "boost": number(2)}


@dataclass(frozen=True, init=False)
class Element:
    """A product of powers of generators, left to right.

    A letter (i, k) stands for the k-th power of the discrete generator number i, or, if that generator is a Lie generator A,
    for exp(k t A) with a fixed t, the :func:`step` of A, which is chosen such that the exponential is exact wherever it can be.
    Adjacent letters of the same generator are merged. Two elements are equal when their words are; whether different words are
    the same element of the group is asked with ``a.matrix(G.rep) == b.matrix(G.rep)``.

    Args:
        group: the group.
        word: pairs (number of a generator, power).

    Raises:
        IncompatibleError: a letter that is no pair of integers, or names a generator that the group does not have.

    >>> import repcore as rc
    >>> g = Element(rc.dihedral(4), [(0, 1), (1, 1)])
    >>> g.matrix(rc.dihedral(4).rep).tolist()
    [[0, 1], [1, 0]]
    >>> g @ g.inverse
    Element(dihedral(4))
    >>> Element(rc.SO(2), [(0, 1)]).matrix(rc.SO(2).rep)
    matrix([['-7/25', '-24/25'], ['24/25', '-7/25']])
    """

    group: Group
    word: tuple[tuple[int, int], ...]

    def __init__(self, group: Group, word: Iterable[tuple[int, int]] = ()) -> None:
        count = len(group.generators)
        letters: list[tuple[int, int]] = []
        for place, letter in enumerate(word):
            i, k = _pair(letter, place)
            if not 0 <= i < count:
                raise IncompatibleError(f"word[{place}]: generator {i} of a group with {count} generators, counted from 0")
            if letters and letters[-1][0] == i:
                k += letters.pop()[1]
            if k:
                letters.append((i, k))
        object.__setattr__(self, "group", group)
        object.__setattr__(self, "word", tuple(letters))

    @property
    def inverse(self) -> Element:
        """The inverse element: the word backwards with negative powers."""
        return Element(self.group, [(i, -k) for i, k in reversed(self.word)])

    def __matmul__(self, other: Element) -> Element:
        """The product g h, which acts by rho(g) rho(h)."""
        if self.group != other.group:
            raise IncompatibleError(f"@: elements of different groups, {self.group} and {other.group}")
        return Element(self.group, self.word + other.word)

    def matrix(self, rep: Rep) -> Matrix:
        """rho(g), exactly.

        Raises:
            RepresentationError: a Lie generator acts neither nilpotently nor as a turn or a boost (diagonalisable, all
                eigenvalues in i Z/2, or all in Z/2), so that its exponential is not known to be exact; use :meth:`array`.
            IncompatibleError: ``rep`` is a representation of another group.
        """
        self._check(rep)
        out = eye(rep.dim)
        for i, k in self.word:
            out = out @ (_power(rep.matrix(i), k) if i < len(self.group.discrete) else _exponential(rep, i, k))
        return out.reduced()

    def array(self, rep: Rep) -> npt.NDArray[Any]:
        """rho(g) as an array of shape (dim, dim), float64 or complex128, for any generators.

        Relative error: about (dim + 2) 2^-53 for each letter, times the product of their norms over the norm of rho(g).
        """
        from scipy.linalg import expm

        self._check(rep)
        out: npt.NDArray[Any] = np.eye(rep.dim)
        for i, k in self.word:
            m = rep.matrix(i).to_numpy()
            if i < len(self.group.discrete):
                out = out @ np.linalg.matrix_power(m, k)
            else:
                out = out @ np.asarray(expm(k * step(self.group, i)[0] * m))
        return out

    def _check(self, rep: Rep) -> None:
        if rep.group != self.group:
            raise IncompatibleError(f"rep: a representation of {rep.group}, but this is an element of {self.group}")

    def __repr__(self) -> str:
        return f"Element({self.group!r}, {list(self.word)})" if self.word else f"Element({self.group!r})"


@lru_cache(maxsize=1024)
def step(group: Group, i: int) -> tuple[float, str]:
    """t and the kind of the Lie generator number ``i``: exp(t A) is the element that a letter (i, 1) stands for.

    ============  ========================================  =====================================
    kind          A, in the defining representation         t
    ============  ========================================  =====================================
    nilpotent     A^n = 0                                   1
    turn          diagonalisable, eigenvalues in i Z/2      1.854..., the angle of (-7 + 24i)/25
    boost         diagonalisable, eigenvalues in Z/2        log 4
    other         any other                                 1
    ============  ========================================  =====================================
    """
    a = group.generators[i]
    if nilpotent_exponential(a) is not None:
        return 1.0, "nilpotent"
    for kind, t in (("turn", _TURN), ("boost", _BOOST)):
        if _weights(a, kind) is not None:
            return t, kind
    return 1.0, "other"


def nilpotent_exponential(a: Matrix) -> Matrix | None:
    """exp(a) = sum_k a^k / k! of a nilpotent matrix; None if it is not nilpotent.

    >>> from repcore import matrix
    >>> nilpotent_exponential(matrix([[0, 1], [0, 0]]))
    matrix([[1, 1], [0, 1]])
    """
    n = a.shape[0]
    out = term = eye(n)
    for k in range(1, n + 1):
        term = term @ a * Fraction(1, k)
        if term.is_zero:
            return out
        out = out + term
    return None if n else out


@lru_cache(maxsize=1024)
def _exponential(rep: Rep, i: int, k: int) -> Matrix:
    """The exact exp(k t d rho(A)) for the Lie generator A number i."""
    a = rep.matrix(i)
    kind = step(rep.group, i)[1]
    found = nilpotent_exponential(k * a) if kind == "nilpotent" else _semisimple_exponential(a, kind, k)
    if found is None:
        raise RepresentationError(
            f"rep: the exponential of generator {i} of {rep.group} is not known to be exact on {rep}; use array(rep)"
        )
    return found


def _semisimple_exponential(a: Matrix, kind: str, k: int) -> Matrix | None:
    """sum over the eigenvalues w of z^w times the product over the others v of (a - v) / (w - v)."""
    doubled = _weights(a, kind)
    if doubled is None:
        return None
    unit = number("I/2") if kind == "turn" else number("1/2")
    one = eye(a.shape[0])
    out: Matrix | None = None
    for w in doubled:
        term = one * _FACTORS[kind] ** (k * w)
        for v in doubled:
            if v != w:
                term = term @ (a - one * (v * unit)) * (1 / ((w - v) * unit))
        out = term if out is None else out + term
    return one if out is None else out


def _weights(a: Matrix, kind: str) -> list[int] | None:
    """The doubled eigenvalues (over i for a turn) if a is diagonalisable with these and they are integers.

    Eigenvalues are guessed in floating point; that the product over them of (a - w) is zero is checked exactly.
    """
    n = a.shape[0]
    if kind not in _FACTORS:
        return None
    if not n:
        return []
    unit: Number = number("I/2") if kind == "turn" else number("1/2")
    values = np.linalg.eigvals(a.to_numpy()) / complex(unit)
    guessed = sorted({round(float(x)) for x in values.real})
    left = one = eye(n)
    for w in guessed:
        left = left @ (a - one * (w * unit))
        if left.is_zero:
            return guessed
    return None


def _power(m: Matrix, k: int) -> Matrix:
    base = m
    if k < 0:
        back = inverse(m)
        if back is None:
            raise RepresentationError("rep: a discrete generator acts by a singular matrix")
        base = back
    out = base
    for _ in range(abs(k) - 1):
        out = out @ base
    return out


def _pair(letter: Any, place: int) -> tuple[int, int]:
    try:
        i, k = letter
        return int(i.__index__()), int(k.__index__())
    except (AttributeError, TypeError, ValueError):
        raise IncompatibleError(f"word[{place}]: a letter is a pair of integers (generator, power), got {letter!r}") from None
