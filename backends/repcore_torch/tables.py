"""The constants of a plan as torch tensors, one table per (dtype, device), each cast once from the float64 plan.

A table is never a parameter and never a buffer: ``module.to(torch.float32).to(torch.float64)`` looks up another table
instead of casting a cast, so no digit is lost, and a ``state_dict`` does not carry constants that the space implies.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor

import repcore as rc
from repcore import IncompatibleError

__all__ = [
    "BlockTable",
    "FourierTable",
    "LayerTable",
    "PanelTable",
    "SchurTable",
    "Table",
    "Tables",
    "cut",
    "is_cut_between_copies",
    "tables_of",
    "working_dtype",
]


def working_dtype(dtype: torch.dtype, is_complex: bool) -> torch.dtype:
    """The dtype that the arithmetic runs in: at least float32, and complex where the plan is.

    Raises :class:`repcore.IncompatibleError` for an integer or boolean dtype.

    >>> working_dtype(torch.bfloat16, False), working_dtype(torch.float64, True)
    (torch.float32, torch.complex128)
    """
    if not (dtype.is_floating_point or dtype.is_complex):
        raise IncompatibleError(f"the tensor has dtype {dtype}; give a floating point or complex one, e.g. W.float()")
    wide = torch.promote_types(dtype, torch.float32)
    return torch.promote_types(wide, torch.complex64) if is_complex else wide


@dataclass(frozen=True, eq=False)
class SchurTable:
    """What a Schur block has beside ``values``, its U_Y (dY, r): for each irrep (mY, d, T), T (mX * t, d, dX).

    The map (a, b, s) is sum_p U_Y[:, a * d + p] T[(b, s), p], see :class:`repcore.Schur`.
    """

    parts: tuple[tuple[int, int, Tensor], ...]

    def to(self, dtype: torch.dtype, device: torch.device) -> SchurTable:
        """The same constants in ``dtype`` on ``device``."""
        return SchurTable(tuple((m, d, t.to(device=device, dtype=dtype)) for m, d, t in self.parts))


@dataclass(frozen=True, eq=False)
class BlockTable:
    """One block of a plan: where it lies in the weight, and its orthonormal basis in one dtype on one device.

    ``rows`` and ``cols`` are slices where the positions are consecutive (a view then replaces a gather). ``sizes`` is
    (n, dY, m, dX) and ``dim`` the number k of coefficients of a pair of copies. With ``ids`` (N,) the block is an orbit
    block and ``values`` is (N,), N = dY * dX; with ``schur`` it is a Schur block and ``values`` is U_Y (dY, r); with neither it
    is a factor block and ``values`` is Q (N, k).
    """

    rows: slice | Tensor
    cols: slice | Tensor
    sizes: tuple[int, int, int, int]
    dim: int
    ids: Tensor | None
    values: Tensor
    schur: SchurTable | None = None

    @property
    def count(self) -> int:
        """The number of coefficients of the block, n * m * k."""
        return self.sizes[0] * self.sizes[2] * self.dim

    @cached_property
    def places(self) -> Tensor:
        """Of an orbit block: where in the (m * k) coefficients of one copy of Y each entry of (dY, m, dX) comes from."""
        if self.ids is None:
            raise TypeError("only orbit blocks have places")
        _, rows, m, cols = self.sizes
        # 64 bits, with which index_add_ is ten times faster than with 32 (torch 2.13, CPU).
        with torch.inference_mode(False):
            steps = torch.arange(m, device=self.ids.device).view(1, m, 1) * self.dim
            return (self.ids.view(rows, 1, cols) + steps).flatten()

    def to(self, dtype: torch.dtype, device: torch.device) -> BlockTable:
        """The same block with its values in ``dtype``, everything on ``device``."""
        return BlockTable(
            self.rows if isinstance(self.rows, slice) else self.rows.to(device),
            self.cols if isinstance(self.cols, slice) else self.cols.to(device),
            self.sizes,
            self.dim,
            None if self.ids is None else self.ids.to(device),
            self.values.to(device=device, dtype=dtype),
            None if self.schur is None else self.schur.to(dtype, device),
        )


@dataclass(frozen=True, eq=False)
class PanelTable:
    """The changes of basis of one panel of a layer, for m copies of n components.

    ``where`` is a slice where the positions are consecutive. ``reads`` are pairs of a matrix T (rows, n) and the (group, rows)
    that it holds one below the other: groups of one-dimensional irreps share one product. T is None where it is the
    number 1. A panel of outputs has one read.
    """

    where: slice | Tensor
    copies: int
    size: int
    reads: tuple[tuple[Tensor | None, tuple[tuple[int, int], ...]], ...]

    def to(self, dtype: torch.dtype, device: torch.device) -> PanelTable:
        """The same panel with its matrices in ``dtype``, everything on ``device``."""
        return PanelTable(
            self.where if isinstance(self.where, slice) else self.where.to(device),
            self.copies,
            self.size,
            tuple((None if t is None else t.to(device=device, dtype=dtype), held) for t, held in self.reads),
        )


@dataclass(frozen=True, eq=False)
class FourierTable:
    """The changes of basis of a layer as a real transform over ``grid``, see :class:`repcore.Fourier`.

    ``order`` takes the components of a copy to the grid and ``inverse`` back; both are None where they lie on it already.
    """

    grid: tuple[int, ...]
    order: Tensor | None
    inverse: Tensor | None
    irreps: Tensor
    signs: Tensor
    bias: float

    def to(self, dtype: torch.dtype, device: torch.device) -> FourierTable:
        """The same transform with its signs in ``dtype``, everything on ``device``."""
        return FourierTable(
            self.grid,
            None if self.order is None else self.order.to(device),
            None if self.inverse is None else self.inverse.to(device),
            self.irreps.to(device),
            self.signs.to(device=device, dtype=dtype),
            self.bias,
        )


@dataclass(frozen=True, eq=False)
class LayerTable:
    """The panels of a layer, and where each entry of y stands in the outputs of its panels (None: there).

    Where each side is one panel of several copies, ``whole`` has all of its reads in one matrix, and ``starts`` the row at which
    each group begins in it.
    """

    inputs: tuple[PanelTable, ...]
    outputs: tuple[PanelTable, ...]
    order: Tensor | None
    whole: Tensor | None
    starts: dict[int, int]
    fourier: FourierTable | None = None

    def to(self, dtype: torch.dtype, device: torch.device) -> LayerTable:
        """The same layer with its matrices in ``dtype``, everything on ``device``."""
        return LayerTable(
            tuple(panel.to(dtype, device) for panel in self.inputs),
            tuple(panel.to(dtype, device) for panel in self.outputs),
            None if self.order is None else self.order.to(device),
            None if self.whole is None else self.whole.to(device=device, dtype=dtype),
            self.starts,
            None if self.fourier is None else self.fourier.to(dtype, device),
        )


@dataclass(frozen=True, eq=False)
class Table:
    """All blocks of a plan in one dtype on one device.

    ``order`` is the position in theta of each coefficient in block order, ``inverse`` the inverse permutation; both are
    None where block order is the order of theta. ``whole`` says that one block is the whole weight. ``layer`` is there for plans
    in irrep coordinates. ``cuts`` keeps what :mod:`repcore_torch.sharded` derives from the table.
    """

    shape: tuple[int, int]
    dim: int
    blocks: tuple[BlockTable, ...]
    order: Tensor | None
    inverse: Tensor | None
    whole: bool
    layer: LayerTable | None = None
    cuts: dict[Any, Any] = field(default_factory=dict)

    def to(self, dtype: torch.dtype, device: torch.device) -> Table:
        """The same table with its values in ``dtype``, everything on ``device``."""
        return Table(
            self.shape,
            self.dim,
            tuple(block.to(dtype, device) for block in self.blocks),
            None if self.order is None else self.order.to(device),
            None if self.inverse is None else self.inverse.to(device),
            self.whole,
            None if self.layer is None else self.layer.to(dtype, device),
        )


class Tables:
    """A plan with its tables: ``tables.on(dtype, device)`` is computed once per key, from the float64 plan.

    An immutable value as far as a caller can see: copies and deep copies are the object itself, a pickle is the plan.
    """

    def __init__(self, plan: Any) -> None:
        self.plan = plan
        self._master = _master(plan)
        self._casts: dict[tuple[torch.dtype, torch.device], Table] = {}

    def on(self, dtype: torch.dtype, device: torch.device) -> Table:
        """The table for a working dtype (see :func:`working_dtype`) and a device."""
        found = self._casts.get((dtype, device))
        if found is None:
            # inference_mode(False): constants that were first needed under inference_mode must serve autograd later.
            with torch.inference_mode(False):
                found = self._master.to(dtype, device)
            if not torch.compiler.is_compiling() and _is_plain(found):
                self._casts[dtype, device] = found
        return found

    @property
    def ready(self) -> tuple[tuple[torch.dtype, torch.device], ...]:
        """The (dtype, device) pairs that have a table."""
        return tuple(self._casts)

    def __copy__(self) -> Tables:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Tables:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return tables_of, (self.plan,)


def tables_of(plan: Any) -> Tables:
    """The tables of a plan, shared by everyone who holds them: equal plans of equal structures have one copy in the process."""
    # Equal digests mean the same maps and coefficients; orbit and factor blocks still are different arrays.
    key = (plan.digest, *(type(block.structure) for block in plan.blocks))
    found = _SHARED.get(key)
    if found is None:
        found = _SHARED[key] = Tables(plan)
    return found


_SHARED: WeakValueDictionary[tuple[Any, ...], Tables] = WeakValueDictionary()


def is_cut_between_copies(table: Table, axis: int, bounds: tuple[int, ...]) -> bool:
    """Whether the rows (axis 0) or columns (axis 1), cut at these bounds, leave every copy of every block whole."""
    edges = np.asarray(bounds[1:])
    for block in table.blocks:
        part = np.searchsorted(edges, _copies(block, axis), side="right")
        if part.size and (part != part[:, :1]).any():
            return False
    return True


def cut(table: Table, rows: tuple[int, int], cols: tuple[int, int]) -> tuple[Table, Tensor]:
    """The table of W[rows[0]:rows[1], cols[0]:cols[1]], which must hold whole copies, see :func:`is_cut_between_copies`.

    Returns:
        The table, whose coefficients are in block order, and the position of each in theta of the whole weight.
    """
    blocks: list[BlockTable] = []
    numbers: list[np.ndarray] = [np.zeros(0, np.int64)]
    shape, start = (rows[1] - rows[0], cols[1] - cols[0]), 0
    for block in table.blocks:
        kept, where = [], []
        for axis, (low, high) in enumerate((rows, cols)):
            copies = _copies(block, axis)
            inside = np.flatnonzero((copies[:, 0] >= low) & (copies[:, 0] < high))
            kept.append(inside)
            where.append(copies[inside] - low)
        (n, dy, m, dx), device = block.sizes, block.values.device
        number = start + np.arange(block.count).reshape(n, m, block.dim)
        start += block.count
        if len(kept[0]) and len(kept[1]):
            down, across = (w if isinstance(w, slice) else w.to(device) for w in map(_positions, where))
            blocks.append(replace(block, rows=down, cols=across, sizes=(len(kept[0]), dy, len(kept[1]), dx)))
            numbers.append(number[np.ix_(*kept)].ravel())
    flat = _tensor(np.concatenate(numbers))
    whole = len(blocks) == 1 and _is_all(blocks[0].rows, shape[0]) and _is_all(blocks[0].cols, shape[1])
    if table.order is not None:
        flat = table.order[flat.to(table.order.device)]
    flat = flat.to(table.blocks[0].values.device) if table.blocks else flat
    return Table(shape, len(flat), tuple(blocks), None, None, whole), flat


def _copies(block: BlockTable, axis: int) -> np.ndarray:
    """The positions of each copy along an axis, (number of copies, size of a copy)."""
    where = block.rows if axis == 0 else block.cols
    flat = np.arange(where.start, where.stop) if isinstance(where, slice) else where.cpu().numpy()
    return flat.reshape(block.sizes[2 * axis], block.sizes[2 * axis + 1])


def _is_plain(table: Table) -> bool:
    """False for fake tensors and for the wrappers of torch.func: those must not outlive the call that made them."""
    is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor  # pyright: ignore[reportAttributeAccessIssue]
    constants = [block.values for block in table.blocks]
    if table.layer is not None:
        constants += [t for panel in (*table.layer.inputs, *table.layer.outputs) for t, _ in panel.reads if t is not None]
    return not any(type(constant) is not Tensor or is_wrapped(constant) for constant in constants)


def _master(plan: Any) -> Table:
    blocks = [block for block in plan.blocks if block.order.size]
    order = np.concatenate([block.order.ravel() for block in blocks]) if blocks else np.arange(0)
    in_order = bool(np.array_equal(order, np.arange(order.size)))
    shape = (int(plan.shape[0]), int(plan.shape[1]))
    tables = tuple(_block(block) for block in blocks)
    return Table(
        shape,
        int(plan.dim),
        tables,
        None if in_order else _tensor(order),
        None if in_order else _tensor(np.argsort(order)),
        len(tables) == 1 and _is_all(tables[0].rows, shape[0]) and _is_all(tables[0].cols, shape[1]),
        None if plan.layer is None else _layer(plan.layer),
    )


def _layer(layer: Any) -> LayerTable:
    inputs, outputs = (
        tuple(_panel(panel, layer.groups, incoming=incoming) for panel in side)
        for side, incoming in ((layer.inputs, True), (layer.outputs, False))
    )
    order = None if layer.order is None else _tensor(layer.order)
    sides = (*inputs, *outputs)
    single = len(inputs) == len(outputs) == 1 and order is None and all(panel.copies > 1 for panel in sides)
    matrices = [t for panel in sides for t, _ in panel.reads]
    if not single or any(t is None for t in matrices):
        return LayerTable(inputs, outputs, order, None, {})
    held = [group for _, groups in inputs[0].reads for group in groups]
    ends = np.cumsum([rows for _, rows in held]).tolist()
    starts = {g: end - rows for (g, rows), end in zip(held, ends, strict=True)}
    whole = torch.cat([t for t, _ in inputs[0].reads if t is not None])
    return LayerTable(inputs, outputs, order, whole, starts, None if layer.fourier is None else _fourier(layer.fourier))


def _fourier(fourier: Any) -> FourierTable:
    n = len(fourier.order)
    on_grid = np.array_equal(fourier.order, np.arange(n))
    return FourierTable(
        fourier.grid,
        None if on_grid else _tensor(fourier.order),
        None if on_grid else _tensor(np.argsort(fourier.order)),
        _tensor(fourier.irreps),
        _tensor(fourier.signs.astype(np.float64)),
        fourier.bias / n**0.5,
    )


def _panel(panel: Any, groups: Any, *, incoming: bool) -> PanelTable:
    m, n = panel.positions.shape
    here = [g for g, a in enumerate(panel.multiplicities) if a]
    if incoming:
        # Rows of one-dimensional irreps are used as they come; others must lie together, so each group has its own product.
        flat = [g for g in here if groups[g].dim == 1]
        packs = [flat] * bool(flat) + [[g] for g in here if groups[g].dim > 1]
        changes = [np.concatenate([panel.changes[g] for g in pack]) for pack in packs]
    else:
        packs = [here]
        # (p, irrep, a) -> (irrep, p, a): a product of several irreps comes irrep by irrep.
        changes = [np.concatenate([_by_irrep(panel.changes[g], groups[g]) for g in here])]
    reads = [
        (None if np.array_equal(t, [[1]]) else _tensor(t), tuple((g, len(panel.changes[g])) for g in pack))
        for pack, t in zip(packs, changes, strict=True)
    ]
    return PanelTable(_positions(panel.positions), m, n, tuple(reads))


def _by_irrep(change: np.ndarray, group: Any) -> np.ndarray:
    return change.reshape(group.dim, group.irreps, -1, change.shape[1]).swapaxes(0, 1).reshape(change.shape)


def _block(block: Any) -> BlockTable:
    n, rows = block.rows.shape
    m, cols = block.cols.shape
    structure = block.structure
    schur = None
    if isinstance(structure, rc.Schur):
        ids, values = None, structure.rows
        split = zip(structure.parts, structure.turned, strict=True)
        schur = SchurTable(tuple((m_y, d, _tensor(t)) for (m_y, _, d, _), t in split))
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
        None if ids is None else _tensor(ids),
        _tensor(values),
        schur,
    )


def _positions(index: np.ndarray) -> slice | Tensor:
    flat = index.ravel()
    start = int(flat[0])
    if np.array_equal(flat, np.arange(start, start + flat.size)):
        return slice(start, start + flat.size)
    return _tensor(flat)


def _is_all(where: slice | Tensor, size: int) -> bool:
    return isinstance(where, slice) and where == slice(0, size)


def _tensor(array: np.ndarray) -> Tensor:
    with warnings.catch_warnings():
        # The arrays of a plan are read-only, which torch cannot express; nothing here writes to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(array))
