"""How a representation falls into summands: the first reduction, and a free one.

``atoms(X)`` lists the distinct summands of X with the positions of their copies. Positions within a copy increase, so that
the natural order of the entries of a block is the order they have in the whole map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, reduce, singledispatch
from itertools import combinations_with_replacement
from operator import mul

import numpy as np
import numpy.typing as npt

from repcore.reps.lifted import Lifted
from repcore.reps.powers import index_tuples, places
from repcore.reps.tree import Alt, Conjugate, Dual, Product, Realified, Rep, Restriction, Sum, Sym, Trivial

__all__ = ["Atom", "atoms", "is_one_summand"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Atom:
    """A summand and where its copies are: component i of copy c stands at ``positions[c, i]``, shape (copies, dim)."""

    rep: Rep
    positions: Ints


@lru_cache(maxsize=256)
def atoms(rep: Rep) -> tuple[Atom, ...]:
    """The distinct summands of a representation, in order of first appearance.

    Sums are opened, also inside tensor products, powers, duals, conjugates, restrictions and lifts; equal summands are
    collected.

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


def is_one_summand(rep: Rep) -> bool:
    """Whether no sum stands anywhere in the expression, known without listing positions."""
    inner = [getattr(rep, "rep", None), *getattr(rep, "factors", ())]
    return not isinstance(rep, Sum) and all(is_one_summand(v) for v in inner if isinstance(v, Rep))


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


@_pieces.register
def _(rep: Sym) -> list[Atom]:
    return _power_pieces(rep, signed=False)


@_pieces.register
def _(rep: Alt) -> list[Atom]:
    return _power_pieces(rep, signed=True)


def _power_pieces(rep: Sym | Alt, *, signed: bool) -> list[Atom]:
    """Sym^k(A + B) = sum of Sym^i(A) (x) Sym^(k-i)(B), and Alt^k likewise.

    With all of A before all of B an index tuple is one of A followed by one of B, and their order is the lexicographic one: the
    places of a piece increase. Where summands are interleaved they would not, and the power stays whole.
    """
    n, k = rep.rep.dim, rep.k
    parts = sorted(((int(at[0]), a.rep) for a in atoms(rep.rep) for at in a.positions), key=lambda part: part[0])
    interleaved = any(np.any(np.diff(a.positions, axis=1) != 1) for a in atoms(rep.rep))
    if interleaved or (len(parts) < 2 and not isinstance(rep.rep, Trivial)):
        return [Atom(rep, np.arange(rep.dim, dtype=np.int64).reshape(1, -1))]
    out: list[Atom] = []
    for chosen in combinations_with_replacement(range(len(parts)), k):
        factors: list[Rep] = []
        tuples = np.zeros((1, 0), np.int64)
        for i in dict.fromkeys(chosen):
            start, v = parts[i]
            degree = chosen.count(i)
            inner = index_tuples(v.dim, degree, signed=signed) + start
            tuples = np.concatenate([np.repeat(tuples, len(inner), axis=0), np.tile(inner, (len(tuples), 1))], axis=1)
            # Every power of the trivial representation that is not zero is trivial.
            factors.append(v if isinstance(v, Trivial) else v.alt(degree) if signed else v.sym(degree))
        at = places(tuples, n, signed=signed)
        if len(at):
            out += [Atom(a.rep, at[a.positions]) for a in atoms(reduce(mul, factors))]
    return out


def _inside(inner: Rep, wrap: Callable[[Rep], Rep]) -> list[Atom]:
    return [Atom(wrap(a.rep), a.positions) for a in atoms(inner)]


def _frozen(positions: Ints) -> Ints:
    positions.flags.writeable = False
    return positions
