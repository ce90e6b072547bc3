"""Strategies for group elements, vectors, numbers, matrices and equivariant maps."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

import repcore as rc
from repcore.testing.element import Element
from repcore.testing.exact import dense
from repcore.testing.strategies.arguments import as_strategy, count, flag
from repcore.testing.strategies.reps import homs, reps

__all__ = ["elements", "equivariant_maps", "matrices", "numbers", "vectors"]

# Of each field a few numbers, the simplest first.
_REAL = ["0", "1", "-1", "2", "1/2", "-2/3", "sqrt(2)", "sqrt(5)/2 + 1/2", "cos(2*pi/7)"]
_COMPLEX = ["I", "-I", "1 + I", "zeta(3)", "zeta(8)"]


def elements(group: rc.Group | st.SearchStrategy[rc.Group], *, max_length: int = 4) -> st.SearchStrategy[Element]:
    """Group elements, as words in the generators; shrinks to the identity, the empty word.

    ``g.matrix(V)`` is rho(g), exactly; a Lie generator A stands for exp(k t A) with t such that this is exact, see
    :class:`Element`.

    Args:
        group: the group, or a strategy for it.
        max_length: the largest number of letters.

    Raises:
        InvalidArgument: an argument of another type or out of range.

    >>> from hypothesis import find
    >>> find(elements(rc.dihedral(4)), lambda g: not g.matrix(g.group.rep).is_identity)
    Element(dihedral(4), [(0, 1)])
    """
    length = count(max_length, "max_length", 0)

    def words(of: rc.Group) -> st.SearchStrategy[Element]:
        if not of.generators:
            return st.just(Element(of))
        letters = st.tuples(st.integers(0, len(of.generators) - 1), st.sampled_from([1, -1, 2]))
        return st.lists(letters, max_size=length).map(lambda word: Element(of, word))

    return as_strategy(group, "group", rc.Group).flatmap(words)


def numbers(*, real: bool = False) -> st.SearchStrategy[rc.Number]:
    """Exact numbers: rational ones, square roots, values of the cosine and, unless ``real``, roots of unity; shrinks to 0.

    Raises:
        InvalidArgument: ``real`` that is no truth value.

    >>> from hypothesis import find
    >>> find(numbers(), lambda x: not x.is_rational and x.is_real)
    number('sqrt(2)')
    """
    whole = st.integers(-3, 3).map(rc.number)
    return whole | st.sampled_from(_REAL if flag(real, "real") else _REAL + _COMPLEX).map(rc.number)


def matrices(*, max_rows: int = 3, max_cols: int = 3) -> st.SearchStrategy[rc.Matrix]:
    """Exact matrices of at least one row and column; shrinks to ``matrix([[0]])``.

    Raises:
        InvalidArgument: a limit that is no positive integer.
    """
    rows, cols = count(max_rows, "max_rows", 1), count(max_cols, "max_cols", 1)

    def of_width(n: int) -> st.SearchStrategy[rc.Matrix]:
        return st.lists(st.lists(numbers(), min_size=n, max_size=n), min_size=1, max_size=rows).map(rc.matrix)

    return st.integers(1, cols).flatmap(of_width)


def vectors(rep: rc.Rep | st.SearchStrategy[rc.Rep], *, exact: bool = True) -> st.SearchStrategy[Any]:
    """Vectors of a representation; shrinks to zero.

    Args:
        rep: the representation, or a strategy for it; of dimension at least 1 if ``exact``.
        exact: draw exact columns, ``matrix([[...], ...])`` of shape (dim, 1), so that ``V.matrix(i) @ v`` moves them; otherwise
            arrays of shape (dim,), float64 or, for a complex representation, complex128, with entries of modulus at most 1,000.

    Raises:
        InvalidArgument: an argument of another type.

    >>> from hypothesis import find
    >>> V = rc.symmetric(3).rep
    >>> find(vectors(V), lambda v: V.matrix(0) @ v != v)
    matrix([[0], [1], [0]])
    """
    make = _exact_vectors if flag(exact, "exact") else _float_vectors
    return as_strategy(rep, "rep", rc.Rep).flatmap(make)


def equivariant_maps(space: rc.Hom | st.SearchStrategy[rc.Hom] | None = None) -> st.SearchStrategy[rc.Matrix]:
    """Exact equivariant maps X -> Y, as matrices of shape (dim Y, dim X): combinations of the basis; shrinks to zero.

    Args:
        space: the space ``X >> Y``, or a strategy for it; any of :func:`homs` if left out. Dimensions are at least 1.

    Raises:
        InvalidArgument: an argument of another type.

    >>> from hypothesis import find
    >>> V = rc.dihedral(4).rep
    >>> find(equivariant_maps(V >> V + V), lambda M: not M.is_zero)
    matrix([[0, 0], [0, 0], [1, 0], [0, 1]])
    """
    return (homs() if space is None else as_strategy(space, "space", rc.Hom)).flatmap(_combinations)


def _combinations(space: rc.Hom) -> st.SearchStrategy[rc.Matrix]:
    basis = rc.solve(space, store=None)
    zero = dense(basis.shape, {})
    elements = list(basis)
    weights = _coefficients(basis.field.is_real)

    def combine(theta: list[rc.Number]) -> rc.Matrix:
        out = zero
        for t, b in zip(theta, elements, strict=True):
            out = out + b * t
        return out.reduced()

    return st.lists(weights, min_size=len(elements), max_size=len(elements)).map(combine)


def _coefficients(real: bool) -> st.SearchStrategy[rc.Number]:
    rational = st.integers(-3, 3) | st.sampled_from([Fraction(1, 2), Fraction(-2, 3)])
    found = rational.map(rc.number)
    return found if real else found | st.sampled_from(["I", "1 - I"]).map(rc.number)


def _exact_vectors(rep: rc.Rep) -> st.SearchStrategy[rc.Matrix]:
    entry = _coefficients(_is_real(rep))
    return st.lists(entry, min_size=rep.dim, max_size=rep.dim).map(lambda column: rc.matrix([[x] for x in column]))


def _float_vectors(rep: rc.Rep) -> st.SearchStrategy[npt.NDArray[Any]]:
    entry: st.SearchStrategy[Any] = st.floats(-1000, 1000, allow_subnormal=False)
    if not _is_real(rep):
        entry = st.complex_numbers(max_magnitude=1000, allow_subnormal=False)
    dtype = np.float64 if _is_real(rep) else np.complex128
    return st.lists(entry, min_size=rep.dim, max_size=rep.dim).map(lambda values: np.array(values, dtype))


def _is_real(rep: rc.Rep) -> bool:
    return all(m.field.is_real for m in rep.matrices)


def registered() -> dict[type[Any], st.SearchStrategy[Any]]:
    """What ``st.from_type`` gives for a type of repcore."""
    from repcore.testing.strategies.groups import groups

    return {rc.Group: groups(), rc.Rep: reps(), rc.Hom: homs(), rc.Matrix: matrices(), rc.Number: numbers()}
