"""The constants of a plan in the layout that the maps execute: NumPy arrays, or arrays of a device.

NumPy constants are literals of a traced function. A table is a pytree of its arrays, so that they can be arguments instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import gcd
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import repcore as rc
from repcore import IncompatibleError

__all__ = ["AxisTable", "BlockTable", "Table", "cast", "on_device", "table_of"]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["ids", "values", "left", "right"],
    meta_fields=["rows", "cols", "sizes", "dim"],
)
@dataclass(frozen=True, eq=False)
class BlockTable:
    """One block of a plan: where it lies in a weight whose rows and columns are in block order, and its orthonormal basis.

    ``rows`` and ``cols`` are (start, stop) in one period of the axis, see :class:`AxisTable`; ``sizes`` is (n, dY, m, dX) over
    all periods and ``dim`` the number k of coefficients of a pair of copies. With ``ids`` (N,) the block is an orbit block and
    ``values`` is (N,), N = dY * dX; a factor block has ``values`` = Q (N, k) alone. A Schur block has for each irrep
    U (dY, mY, d) in ``left`` and T (mX * t, d, dX) in ``right``: the map (a, b, s) is sum_p U[:, a, p] T[(b, s), p], see
    :class:`repcore.Schur`.
    """

    rows: tuple[int, int]
    cols: tuple[int, int]
    sizes: tuple[int, int, int, int]
    dim: int
    ids: Any
    values: Any
    left: tuple[Any, ...] = ()
    right: tuple[Any, ...] = ()


@partial(jax.tree_util.register_dataclass, data_fields=["order", "inverse"], meta_fields=["copies", "period"])
@dataclass(frozen=True, eq=False)
class AxisTable:
    """An axis as (copies, period): the same permutation within each period sorts it to block order.

    Only the second of the two is ever indexed. Where the axis is sharded by copies, no entry then leaves its device.
    ``order[i]`` is where entry i of block order comes from, ``inverse`` the inverse permutation; None where nothing moves.
    """

    copies: int
    period: int
    order: Any
    inverse: Any


@partial(jax.tree_util.register_dataclass, data_fields=["rows", "cols", "theta", "blocks"], meta_fields=["shape"])
@dataclass(frozen=True, eq=False)
class Table:
    """All blocks of a plan, which form a grid: two blocks have the same rows or no row in common, and so for columns."""

    shape: tuple[int, int]
    rows: AxisTable
    cols: AxisTable
    theta: AxisTable
    blocks: tuple[BlockTable, ...]


def table_of(plan: Any) -> Table:
    """The table of a plan, as NumPy arrays.

    Raises:
        IncompatibleError: a plan that was put together by hand, whose blocks are no grid; one with indices beyond int32.
    """
    blocks = [block for block in plan.blocks if block.order.size]
    shape = (int(plan.shape[0]), int(plan.shape[1]))
    rows, row_spans = _axis([block.rows for block in blocks], shape[0])
    cols, col_spans = _axis([block.cols for block in blocks], shape[1])
    tables = tuple(
        _block(block, row_spans[_key(block.rows)], col_spans[_key(block.cols)]) for block in sorted(blocks, key=_corner)
    )
    theta = _theta([block.order for block in sorted(blocks, key=_corner)], rows.copies)
    return Table(shape, rows, cols, theta, tables)


def cast(table: Table, dtype: jnp.dtype) -> Table:
    """The table with its float64 arrays in another dtype."""
    return jax.tree_util.tree_map(lambda array: array if array.dtype.kind == "i" else array.astype(dtype), table)


def on_device(table: Table) -> Table:
    """The table with its arrays on the default device."""
    return jax.tree_util.tree_map(jnp.asarray, table)


def _axis(classes: Sequence[np.ndarray], size: int) -> tuple[AxisTable, dict[bytes, tuple[int, int]]]:
    """The axis, and where each class of copies (n, d) lies in a period of it."""
    distinct = sorted({_key(c): c.ravel() for c in classes}.values(), key=lambda c: int(c[0]))
    copies = _periods(distinct, [size] * len(distinct), gcd(size, *(len(c) for c in classes)))
    period, spans, start = size // copies, {}, 0
    for c in distinct:
        spans[c.tobytes()] = (start, start + c.size // copies)
        start += c.size // copies
    inner = np.concatenate([np.zeros(0, np.int64), *(c[: c.size // copies] for c in distinct)])
    if len(np.unique(inner)) < len(inner):
        raise IncompatibleError("plan: its blocks are no grid: rows or columns of two blocks overlap and are not the same")
    rest = np.setdiff1d(np.arange(period), inner)
    return _axis_table(copies, period, np.concatenate([inner, rest])), spans


def _theta(orders: Sequence[np.ndarray], copies: int) -> AxisTable:
    """Theta likewise: where each coefficient goes, in the order of the blocks."""
    size = sum(order.size for order in orders)
    flat = [order.ravel() for order in orders]
    copies = _periods(flat, [size] * len(flat), gcd(copies, size))
    inner = [order[: order.size // copies] for order in flat]
    return _axis_table(copies, size // copies, np.concatenate([np.zeros(0, np.int64), *inner]))


def _periods(classes: Sequence[np.ndarray], sizes: Sequence[int], most: int) -> int:
    """The largest divisor c of ``most`` for which all classes repeat c times along their axes."""

    def repeats(flat: np.ndarray, size: int, c: int) -> bool:
        inner = flat.reshape(c, -1)
        shifts = size // c * np.arange(c)[:, None]
        return bool(np.array_equal(inner, inner[0] + shifts) and (inner[0] < size // c).all())

    divisors = (c for c in range(max(most, 1), 0, -1) if most % c == 0)
    return next((c for c in divisors if all(repeats(flat, size, c) for flat, size in zip(classes, sizes, strict=True))), 1)


def _axis_table(copies: int, period: int, order: np.ndarray) -> AxisTable:
    if np.array_equal(order, np.arange(period)):
        return AxisTable(copies, period, None, None)
    return AxisTable(copies, period, _index(order), _index(np.argsort(order)))


def _block(block: Any, rows: tuple[int, int], cols: tuple[int, int]) -> BlockTable:
    sizes = (*block.rows.shape, *block.cols.shape)
    structure = block.structure
    k = int(structure.dim)
    if isinstance(structure, rc.Schur):
        left, start = [], 0
        for copies, _, d, _ in structure.parts:
            left.append(structure.rows[:, start : start + copies * d].reshape(-1, copies, d))
            start += copies * d
        return BlockTable(rows, cols, sizes, k, None, None, tuple(left), tuple(structure.turned))
    if isinstance(structure, rc.Orbit):
        # An entry where every map vanishes has value 0: it may join any orbit.
        ids, values = np.where(structure.ids < 0, 0, structure.ids), np.where(structure.ids < 0, 0, structure.values)
        return BlockTable(rows, cols, sizes, k, _index(ids), values)
    return BlockTable(rows, cols, sizes, k, None, structure.q)


def _key(positions: np.ndarray) -> bytes:
    return positions.tobytes()


def _corner(block: Any) -> tuple[int, int]:
    return int(block.rows.flat[0]), int(block.cols.flat[0])


def _index(array: np.ndarray) -> np.ndarray:
    # int32 is what JAX indexes with unless x64 is on.
    if array.size and int(array.max()) > np.iinfo(np.int32).max:
        raise IncompatibleError(f"the plan has index {int(array.max())}; repcore_jax takes indices below 2**31")
    return array.astype(np.int32)
