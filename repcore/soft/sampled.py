"""The levels of maps from images: those of maps of coefficients, and the remainder, which no function sees, as the last one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.reps.atoms import Atom, atoms
from repcore.reps.function_maps import FunctionMaps
from repcore.reps.hom import Hom
from repcore.reps.tree import trivial
from repcore.soft.spectral import Cells, SpectralBlock, SpectralPlan
from repcore.soft.stacked import Piece

__all__ = ["on_cells", "pieces_on", "reduced"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# How fast elements move the remainder: unknown, so that every bound on it is the trivial one, 2. Finite, so that 0 times it is 0.
_FAST = 1e300


def reduced(maps: FunctionMaps) -> Hom:
    """The maps of coefficients between one copy of each distinct summand: all that levels depend on."""
    f = maps.functions
    xs = [a.rep * f.scalars for a in atoms(f.values)] + [trivial(maps.group)] * bool(f.tokens)
    ys = [a.rep for a in atoms(maps.codomain)]
    return Hom(reduce(add, xs), reduce(add, ys))


def pieces_on(maps: FunctionMaps) -> list[Piece]:
    """The domain of :func:`reduced`, a piece for each summand of the values, in coordinates that are orthonormal on cells."""
    f = maps.functions
    out: list[Piece] = []
    start = 0
    for a in atoms(f.values):
        rep = a.rep * f.scalars
        out.append(Piece(rep, start + np.arange(rep.dim).reshape(1, -1), np.kron(np.eye(a.rep.dim), f.change)))
        start += rep.dim
    if f.tokens:
        out.append(Piece(trivial(maps.group), np.array([[start]])))
    return out


@dataclass(frozen=True, eq=False)
class _Side:
    """Copies (number, entries) of a part of an image; what functions reach of one copy, as orthonormal columns, and the rest."""

    cols: Ints
    frame: Array
    rest: Array


@dataclass(eq=False)
class _Block:
    """A block under construction: columns of the change of basis, and where they go."""

    right: Array
    ids: Ints
    groups: dict[tuple[int, ...], list[tuple[Ints, Array, Ints]]]
    done: int = 0


def on_cells(maps: FunctionMaps, plan: SpectralPlan) -> SpectralPlan:
    """The plan of maps from images.

    In the basis of ``functions.basis`` the first coordinates of an image are those of a function, on which the levels are known,
    and the others make the remainder. Its value is that of the last level plus 1: it comes last, and is dropped first.

    Args:
        maps: from images to Y.
        plan: of the space of :func:`reduced`, in coordinates that are orthonormal on cells.
    """
    ys, sides = atoms(maps.codomain), _sides(maps)
    last = len(plan)
    counts = np.zeros(last + 1, np.int64)
    blocks: list[SpectralBlock] = []
    row = 0
    for y in ys:
        col = 0
        for side in sides:
            block = _block([b for b in plan.blocks if b.rows[0, 0] == row], y, side, col, last)
            copies = len(block.rows) * len(block.cols)
            for ids in (block.ids[block.ids >= 0], *(np.repeat(c.ids[:, None], c.at.shape[1], 1).ravel() for c in block.cells)):
                counts += copies * np.bincount(ids, minlength=last + 1)
            blocks.append(block)
            col += side.frame.shape[1]
        row += y.rep.dim
    levels = last + 1 if counts[last] else last
    growth = replace(
        plan.growth,
        lie=_frozen(np.r_[plan.growth.lie, _FAST if plan.growth.has_lie else 0.0][:levels]),
        steps=_frozen(np.r_[plan.growth.steps, 2.0][:levels]),
    )
    return SpectralPlan(
        maps.shape,
        _frozen(np.r_[plan.values, plan.values[-1] + 1][:levels]),
        _frozen(np.r_[plan.errors, 0.0][:levels]),
        _frozen(counts[:levels]),
        tuple(blocks),
        plan.construction,
        growth,
        maps.digest,
        plan.is_complex,
    )


def _sides(maps: FunctionMaps) -> list[_Side]:
    """The distinct summands of the values, and the tokens."""
    f = maps.functions
    out: list[_Side] = []
    for x in atoms(f.values):
        cols = (x.positions[:, :, None] * f.cells + np.arange(f.cells)).reshape(len(x.positions), -1)
        one = np.eye(x.rep.dim)
        out.append(_Side(f.tokens + cols, np.kron(one, f.basis[:, : f.dim]), np.kron(one, f.basis[:, f.dim :])))
    if f.tokens:
        out.append(_Side(np.arange(f.tokens).reshape(-1, 1), np.ones((1, 1)), np.zeros((1, 0))))
    return out


def _block(mine: Sequence[SpectralBlock], y: Atom, side: _Side, start: int, last: int) -> SpectralBlock:
    down, (width, many) = y.rep.dim, side.frame.shape
    kind = np.result_type(np.float64, *(b.right for b in mine if b.right is not None))
    made = _Block(np.zeros((width, width), kind), np.full((down, width), last, np.int64), {})
    left = None
    for b in mine:
        left = b.left
        for positions in b.cols:
            local = positions - start
            if 0 <= local[0] < many:
                _place(b, local, side.frame, made)
    made.right[:, many:] = side.rest
    cells = tuple(
        Cells(_frozen(np.concatenate(places)), _frozen(np.concatenate(q)), _frozen(np.concatenate(ids)))
        for places, q, ids in (zip(*parts, strict=True) for parts in made.groups.values())
    )
    return SpectralBlock(y.positions, _frozen(side.cols), left, _frozen(made.right), _frozen(made.ids), cells)


def _place(b: SpectralBlock, local: Ints, frame: Array, made: _Block) -> None:
    """One copy of a block of coefficients as the next columns."""
    here = slice(made.done, made.done + len(local))
    made.right[:, here] = frame[:, local] if b.right is None else frame[:, local] @ b.right
    made.ids[:, here] = b.ids
    for c in b.cells:
        rows, cols = np.divmod(c.at, len(local))
        q = np.broadcast_to(c.q, (len(c.at), *c.q.shape[1:]))
        made.groups.setdefault(c.at.shape[1:], []).append((rows * made.ids.shape[1] + made.done + cols, q, c.ids))
    made.done = here.stop


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array
