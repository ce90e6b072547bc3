"""The constants of a plan as NumPy arrays in the layout that the maps execute: float64, cast where they are used.

A traced function closes over them as constants, in the dtype of its argument, so nothing is ever cast twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import repcore as rc
from repcore import IncompatibleError

__all__ = ["BlockTable", "Table", "table_of"]


@dataclass(frozen=True, eq=False)
class BlockTable:
    """One block of a plan: where it lies in the weight, and its orthonormal basis.

    ``rows`` and ``cols`` are slices where the positions are consecutive (a slice then replaces a gather). ``sizes`` is
    (n, dY, m, dX) and ``dim`` the number k of coefficients of a pair of copies. With ``ids`` (N,) the block is an orbit
    block and ``values`` is (N,), N = dY * dX; with ``schur`` it is a Schur block and ``values`` is U_Y (dY, r); with neither it
    is a factor block and ``values`` is Q (N, k). ``schur`` has for each irrep (mY, d, T), T (mX * t, d, dX): the map (a, b, s) is
    sum_p U_Y[:, a * d + p] T[(b, s), p], see :class:`repcore.Schur`.
    """

    rows: slice | np.ndarray
    cols: slice | np.ndarray
    sizes: tuple[int, int, int, int]
    dim: int
    ids: np.ndarray | None
    values: np.ndarray
    schur: tuple[tuple[int, int, np.ndarray], ...] | None = None

    @property
    def count(self) -> int:
        """The number of coefficients of the block, n * m * k."""
        return self.sizes[0] * self.sizes[2] * self.dim


@dataclass(frozen=True, eq=False)
class Table:
    """All blocks of a plan.

    ``order`` is the position in theta of each coefficient in block order, ``inverse`` the inverse permutation; both are
    None where block order is the order of theta. ``whole`` says that one block is the whole weight.
    """

    shape: tuple[int, int]
    blocks: tuple[BlockTable, ...]
    order: np.ndarray | None
    inverse: np.ndarray | None
    whole: bool


def table_of(plan: Any) -> Table:
    """The table of a plan."""
    blocks = [block for block in plan.blocks if block.order.size]
    order = np.concatenate([block.order.ravel() for block in blocks]) if blocks else np.arange(0)
    in_order = bool(np.array_equal(order, np.arange(order.size)))
    shape = (int(plan.shape[0]), int(plan.shape[1]))
    tables = tuple(_block(block) for block in blocks)
    return Table(
        shape,
        tables,
        None if in_order else _index(order),
        None if in_order else _index(np.argsort(order)),
        len(tables) == 1 and _is_all(tables[0].rows, shape[0]) and _is_all(tables[0].cols, shape[1]),
    )


def _block(block: Any) -> BlockTable:
    n, rows = block.rows.shape
    m, cols = block.cols.shape
    structure = block.structure
    schur = None
    if isinstance(structure, rc.Schur):
        ids, values = None, structure.rows
        schur = tuple((m_y, d, t) for (m_y, _, d, _), t in zip(structure.parts, structure.turned, strict=True))
    elif isinstance(structure, rc.Orbit):
        # An entry where every map vanishes has value 0: it may join any orbit.
        ids, values = np.where(structure.ids < 0, 0, structure.ids), np.where(structure.ids < 0, 0, structure.values)
    else:
        ids, values = None, structure.q
    return BlockTable(
        _positions(block.rows),
        _positions(block.cols),
        (n, rows, m, cols),
        int(structure.dim),
        None if ids is None else _index(ids),
        values,
        schur,
    )


def _positions(index: np.ndarray) -> slice | np.ndarray:
    flat = index.ravel()
    start = int(flat[0])
    if np.array_equal(flat, np.arange(start, start + flat.size)):
        return slice(start, start + flat.size)
    return _index(flat)


def _is_all(where: slice | np.ndarray, size: int) -> bool:
    return isinstance(where, slice) and where == slice(0, size)


def _index(array: np.ndarray) -> np.ndarray:
    # int32 is what JAX indexes with unless x64 is on.
    if array.size and int(array.max()) > np.iinfo(np.int32).max:
        raise IncompatibleError(f"the plan has index {int(array.max())}; repcore_jax takes indices below 2**31")
    return array.astype(np.int32)
