"""How a representation falls into summands: the first reduction, and a free one.

``atoms(X)`` lists the distinct summands of X with the positions of their copies. Positions within a copy increase, so that
the natural order of the entries of a block is the order they have in the whole map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, reduce, singledispatch

import numpy as np
import numpy.typing as npt

from repcore.reps.lifted import Lifted
from repcore.reps.tree import Conjugate, Dual, Product, Realified, Rep, Restriction, Sum, Trivial

__all__ = ["Atom", "atoms"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Atom:
    """A summand and where its copies are: component i of copy c stands at ``positions[c, i]``, shape (copies, dim)."""

    rep: Rep
    positions: Ints


@lru_cache(maxsize=256)
def atoms(rep: Rep) -> tuple[Atom, ...]:
    """The distinct summands of a representation, in order of first appearance.

    Sums are opened, also inside tensor products, duals, conjugates, restrictions and lifts; equal summands are collected.

    >>> from repcore import dihedral, trivial
    >>> V, one = dihedral(4).rep, trivial(dihedral(4))
    >>> [(str(a.rep), a.positions.tolist()) for a in atoms(V + one + V)]
    [('V', [[0, 1], [3, 4]]), ('1', [[2]])]
    """
    found: dict[Rep, list[Ints]] = {}
    for atom in _pieces(rep):
        if atom.positions.size:
            found.setdefault(atom.rep, []).append(atom.positions)
    return tuple(Atom(v, _frozen(np.concatenate(places))) for v, places in found.items())


@singledispatch
def _pieces(rep: Rep) -> list[Atom]:
    return [Atom(rep, np.arange(rep.dim, dtype=np.int64).reshape(1, -1))]


@_pieces.register
def _(rep: Sum) -> list[Atom]:
    out: list[Atom] = []
    offset = 0
    for m, v in rep.terms:
        starts = offset + v.dim * np.arange(m, dtype=np.int64)
        for a in atoms(v):
            # Copies of the term come first, then the copies of the summand inside it.
            places = (starts[:, None, None] + a.positions[None]).reshape(-1, a.rep.dim)
            out.append(Atom(a.rep, places))
        offset += m * v.dim
    return out


@_pieces.register
def _(rep: Product) -> list[Atom]:
    unit: list[Atom] = [Atom(Trivial(rep.group), np.zeros((1, 1), np.int64))]

    def times(left: list[Atom], v: Rep) -> list[Atom]:
        return [
            Atom(
                a.rep * b.rep,
                (a.positions[:, None, :, None] * v.dim + b.positions[None, :, None, :]).reshape(
                    len(a.positions) * len(b.positions), -1
                ),
            )
            for a in left
            for b in atoms(v)
        ]

    return reduce(times, rep.factors, unit)


@_pieces.register
def _(rep: Dual) -> list[Atom]:
    return _inside(rep.rep, lambda v: v.dual)


@_pieces.register
def _(rep: Conjugate) -> list[Atom]:
    return _inside(rep.rep, lambda v: v.conj)


@_pieces.register
def _(rep: Restriction) -> list[Atom]:
    return _inside(rep.rep, lambda v: Trivial(rep.group) if isinstance(v, Trivial) else Restriction(rep.group, v))


@_pieces.register
def _(rep: Lifted) -> list[Atom]:
    def up(v: Rep) -> Rep:
        return Trivial(rep.group) if isinstance(v, Trivial) else Lifted(rep.group, v, rep.factor)

    return _inside(rep.rep, up)


@_pieces.register
def _(rep: Realified) -> list[Atom]:
    n = rep.rep.dim
    # (Re, Im) of the whole are stacked, so a copy of a summand stands at its own places and again n further on.
    return [Atom(a.rep.realify(), np.concatenate([a.positions, a.positions + n], axis=1)) for a in atoms(rep.rep)]


def _inside(inner: Rep, wrap: Callable[[Rep], Rep]) -> list[Atom]:
    return [Atom(wrap(a.rep), a.positions) for a in atoms(inner)]


def _frozen(positions: Ints) -> Ints:
    positions.flags.writeable = False
    return positions
