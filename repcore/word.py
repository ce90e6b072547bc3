"""`Word`: a group element as a product of generators, which moves vectors of any representation without its matrix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError
from repcore.exact.matrix import inverse
from repcore.groups.group import Group
from repcore.reps.atoms import atoms, is_one_summand
from repcore.reps.scales import scales
from repcore.reps.tree import Product, Rep, Sum, Trivial

__all__ = ["Letter", "Word"]

Array = npt.NDArray[Any]
Letter = tuple[tuple[int, float], ...]

_DENSE = 64  # Up to this dimension the image of a whole word is a small dense matrix, kept for the next batch.


@dataclass(frozen=True, init=False)
class Word:
    """A product of generators and exponentials of generators, left to right; in floating point.

    A letter is a list of pairs (number of a generator, amount). One pair with a discrete generator g stands for g^amount, a whole
    power; pairs with Lie generators A, B, ... stand for exp(a A + b B + ...). Numbers are those of ``group.generators``, the
    discrete ones first. :func:`repcore.sample` draws such elements; ``repcore.testing.Element`` has exact ones.

    Args:
        group: the group.
        letters: the letters.

    Raises:
        IncompatibleError: a generator that the group does not have, a power that is not whole, a discrete generator that shares
            its letter, an amount that is not finite.

    >>> import repcore as rc
    >>> g = Word(rc.O(2), [[(0, 1)], [(1, 0.5)]])
    >>> print(g)
    g0 exp(0.5 g1)
    >>> g.act(rc.O(2).rep, [1.0, 0.0]).round(3).tolist()
    [-0.878, 0.479]
    """

    group: Group
    letters: tuple[Letter, ...]

    def __init__(self, group: Group, letters: Iterable[Iterable[tuple[int, float]]] = ()) -> None:
        object.__setattr__(self, "group", group)
        object.__setattr__(self, "letters", tuple(_letter(group, place, x) for place, x in enumerate(letters)))

    @property
    def is_identity(self) -> bool:
        """Whether the word is empty."""
        return not self.letters

    @property
    def is_product(self) -> bool:
        """Whether it is neither empty nor a single generator: one letter, one pair, and of a discrete one the first power."""
        if len(self.letters) != 1:
            return bool(self.letters)
        (first, amount), *more = self.letters[0]
        return bool(more) or (first < len(self.group.discrete) and amount != 1)

    def act(self, rep: Rep, x: npt.ArrayLike) -> Array:
        """rho(g) x along the last axis, (..., dim) -> (..., dim), float64 or complex128.

        Coordinates are those of plans and layers: labelled irreps are orthonormal. Sums are moved term by term and tensor
        products factor by factor, so that no matrix of the whole is formed; of what is left, generators act as sparse
        matrices, exponentials by ``scipy.sparse.linalg.expm_multiply`` (up to dimension 64 by ``scipy.linalg.expm``).

        Raises:
            IncompatibleError: a representation of another group, or an array of another size.

        Cost: letters times the non-zero entries of the image of a generator on each factor, for each vector.
        """
        if not isinstance(rep, Rep):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise IncompatibleError(f"rep: expected a representation, got {type(rep).__name__}; write g.act(V, x)")
        if rep.group != self.group:
            raise IncompatibleError(f"rep: a representation of {rep.group}, and this is an element of {self.group}")
        given = np.asarray(x)
        if given.dtype.kind not in "fciub":
            raise IncompatibleError(f"x: has dtype {given.dtype}; give an array of numbers")
        if not given.ndim or given.shape[-1] != rep.dim:
            raise IncompatibleError(f"x: has shape {given.shape}, expected (..., {rep.dim}), the dimension of {rep}")
        wide = given.astype(np.result_type(given.dtype, np.float64), copy=False)
        return _act(self, rep, wide) if self.letters and wide.size else wide.copy()

    def __str__(self) -> str:
        return " ".join(_shown(self.group, letter) for letter in self.letters) or "identity"

    def __repr__(self) -> str:
        shown = [[(i, a) for i, a in letter] for letter in self.letters]
        return f"Word({self.group!r}, {shown})" if shown else f"Word({self.group!r})"


def _letter(group: Group, place: int, pairs: Iterable[tuple[int, float]]) -> Letter:
    where, finite, count = f"letters[{place}]", len(group.discrete), len(group.generators)
    try:
        read = [(int(i.__index__()), a) for i, a in pairs]
        letter = tuple((i, int(a) if i < finite and a == int(a) else float(a)) for i, a in read)
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise IncompatibleError(f"{where}: expected pairs (number of a generator, amount), got {pairs!r}") from None
    if not letter:
        raise IncompatibleError(f"{where}: is empty; leave it out")
    for i, amount in letter:
        if not 0 <= i < count:
            raise IncompatibleError(f"{where}: generator {i} of a group with {count} generators, counted from 0")
        if not isfinite(amount):
            raise IncompatibleError(f"{where}: the amount {amount} of generator {i} is not finite")
        if i < finite and (len(letter) > 1 or not isinstance(amount, int)):
            raise IncompatibleError(f"{where}: generator {i} is discrete: it has a letter of its own and a whole power")
    return letter


def _shown(group: Group, letter: Letter) -> str:
    (first, amount), *_ = letter
    if first < len(group.discrete):
        return f"g{first}" + (f"^{amount}" if amount != 1 else "")
    terms = " ".join(f"{'-' if a < 0 else '+'} {abs(a):.4g} g{i}" for i, a in letter)
    return f"exp({terms[2:] if terms.startswith('+') else '-' + terms[2:]})"


def _act(word: Word, rep: Rep, x: Array) -> Array:
    """rho(g) x, by the shape of the expression."""
    match rep:
        case Trivial():
            return x
        case Sum():
            parts: list[Array] = []
            start = 0
            for copies, v in rep.terms:
                stop = start + copies * v.dim
                part = x[..., start:stop].reshape(*x.shape[:-1], copies, v.dim)
                parts.append(_act(word, v, part).reshape(*x.shape[:-1], copies * v.dim))
                start = stop
            return np.concatenate(parts, axis=-1)
        case Product():
            # rho(g) is a Kronecker product: one factor along one axis at a time.
            out = x.reshape(*x.shape[:-1], *(v.dim for v in rep.factors))
            for axis, v in enumerate(rep.factors, start=x.ndim - 1):
                out = np.moveaxis(_act(word, v, np.moveaxis(out, axis, -1)), -1, axis)
            return out.reshape(x.shape)
        case _:
            return _leaf(word, rep, x) if is_one_summand(rep) else _summands(word, rep, x)


def _summands(word: Word, rep: Rep, x: Array) -> Array:
    """Sums that stand deeper in the expression, such as the dual of a sum."""
    found = atoms(rep)
    if len(found) == 1 and found[0].rep == rep:
        return _leaf(word, rep, x)
    moved = [(a.positions, _act(word, a.rep, x[..., a.positions])) for a in found]
    out = np.zeros(x.shape, np.result_type(x.dtype, *(part.dtype for _, part in moved)))
    for positions, part in moved:
        out[..., positions] = part
    return out


def _leaf(word: Word, rep: Rep, x: Array) -> Array:
    if rep.dim <= _DENSE:
        return x @ _dense(word, rep).T
    columns = x.reshape(-1, rep.dim).T
    for letter in reversed(word.letters):
        columns = _moved(word.group, rep, letter, columns)
    return np.ascontiguousarray(columns.T).reshape(x.shape)


@lru_cache(maxsize=2048)
def _dense(word: Word, rep: Rep) -> Array:
    """The image of a whole word on a small summand."""
    from scipy import linalg

    expm: Any = linalg.expm

    out: Array = np.eye(rep.dim)
    for letter in word.letters:
        first, amount = letter[0]
        if first < len(word.group.discrete):
            out = out @ np.linalg.matrix_power(_image(rep, first, amount < 0).toarray(), abs(int(amount)))
        else:
            out = out @ expm(_combined(rep, letter).toarray())
    out.flags.writeable = False
    return out


def _moved(group: Group, rep: Rep, letter: Letter, columns: Array) -> Array:
    """One letter on the columns of an array (dim, count)."""
    from scipy.sparse.linalg import expm_multiply

    first, amount = letter[0]
    if first < len(group.discrete):
        image = _image(rep, first, amount < 0)
        for _ in range(abs(int(amount))):
            columns = image @ columns
        return columns
    a = _combined(rep, letter)
    return expm_multiply(a, columns, traceA=a.trace()) if a.nnz else columns


def _combined(rep: Rep, letter: Letter) -> Any:
    return sum((amount * _image(rep, i, False) for i, amount in letter[1:]), letter[0][1] * _image(rep, letter[0][0], False))


@lru_cache(maxsize=256)
def _image(rep: Rep, generator: int, inverted: bool) -> Any:
    """The image of a generator, or of its inverse, as a sparse array in the orthonormal coordinates of labelled irreps."""
    from scipy.sparse import csr_array

    m = rep.matrix(generator)
    if inverted:
        m = inverse(m)
    s = scales(rep)
    return csr_array((m.values() * (s[m.rows] / s[m.cols]), (m.rows, m.cols)), shape=m.shape)
