"""What a representation is cut into before any arithmetic: distinct summands, and blocks of coordinates that never mix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from repcore.exact.matrix import Matrix, from_coo, zeros
from repcore.groups.components import components
from repcore.reps.atoms import atoms
from repcore.reps.custom import Custom
from repcore.reps.scales import scale_squares
from repcore.reps.tree import Rep

__all__ = ["Piece", "pieces"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Piece:
    """Copies of a distinct piece: component i of copy c stands at ``positions[c, i]``; ``number`` says which piece."""

    number: int
    positions: Ints


def pieces(reps: Sequence[Rep]) -> tuple[tuple[Rep, ...], tuple[tuple[Piece, ...], ...]]:
    """The distinct pieces of several representations, and for each representation where it has them; by first appearance.

    Pieces with the same matrices are one.

    Sums are opened by ``reps.atoms``. For discrete groups a summand whose matrices are block diagonal up to the order of the
    coordinates, for example a permutation module with several orbits, is cut further.
    """
    distinct: list[Rep] = []
    known: dict[tuple[object, ...], int] = {}
    out: list[tuple[Piece, ...]] = []
    for rep in reps:
        found: dict[int, list[Ints]] = {}
        for atom in atoms(rep):
            for part, where in _blocks(atom.rep):
                scale = scale_squares(part)
                key = (part.dim, *(m.digest for m in part.matrices), None if scale is None else tuple(scale.tolist()))
                at = known.setdefault(key, len(distinct))
                if at == len(distinct):
                    distinct.append(part)
                found.setdefault(at, []).append(atom.positions[:, where])
        out.append(tuple(Piece(at, np.concatenate(positions)) for at, positions in found.items()))
    return tuple(distinct), tuple(out)


def _blocks(rep: Rep) -> list[tuple[Rep, Ints]]:
    """The blocks of coordinates that the generators of a discrete group keep, as representations, with their coordinates."""
    n = rep.dim
    everything = np.arange(n, dtype=np.int64)
    if any(not a.is_zero for a in rep.group.lie) or not rep.group.discrete or scale_squares(rep) is not None:
        return [(rep, everything)]
    images = rep.matrices
    rows, cols = (np.concatenate([getattr(m, side) for m in images]) for side in ("rows", "cols"))
    label = components(n, rows, cols)
    count = int(label.max(initial=-1)) + 1
    if count <= 1:
        return [(rep, everything)]
    first = np.full(count, n, np.int64)
    np.minimum.at(first, label, everything)
    out: list[tuple[Rep, Ints]] = []
    for block in np.argsort(first, kind="stable").tolist():
        where = np.flatnonzero(label == block)
        inner = np.full(n, -1, np.int64)
        inner[where] = np.arange(len(where))
        shown = [_restricted(m, inner, len(where)) for m in images]
        finite = len(rep.group.discrete)
        out.append((_declared(rep, tuple(shown[:finite]), tuple(shown[finite:]), f"block {len(out)} of {rep}"), where))
    return out


def _restricted(m: Matrix, inner: Ints, size: int) -> Matrix:
    live = inner[m.rows] >= 0
    if not live.any():
        return zeros((size, size))
    return from_coo((size, size), m.field, inner[m.rows[live]], inner[m.cols[live]], m.nums[live], m.den).reduced()


def _declared(rep: Rep, discrete: tuple[Matrix, ...], lie: tuple[Matrix, ...], name: str) -> Rep:
    """A representation by its images, which need no check: they are blocks of one."""
    out = object.__new__(Custom)
    for key, value in {"group": rep.group, "discrete": discrete, "lie": lie, "name": name, "checked": "proved"}.items():
        object.__setattr__(out, key, value)
    return out
