"""The constants of a plan as torch tensors, one table per (dtype, device), each cast once from the float64 plan.

A table is never a parameter and never a buffer: ``module.to(torch.float32).to(torch.float64)`` looks up another table
instead of casting a cast, so no digit is lost, and a ``state_dict`` does not carry constants that the space implies.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor

import repcore as rc
from repcore import IncompatibleError

__all__ = ["BlockTable", "Table", "Tables", "tables_of", "working_dtype"]


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
class BlockTable:
    """One block of a plan: where it lies in the weight, and its orthonormal basis in one dtype on one device.

    ``rows`` and ``cols`` are slices where the positions are consecutive (a view then replaces a gather). ``sizes`` is
    (n, dY, m, dX) and ``dim`` the number k of coefficients of a pair of copies. With ``ids`` (N,) the block is an orbit
    block and ``values`` is (N,); without, it is a factor block and ``values`` is Q (N, k), N = dY * dX.
    """

    rows: slice | Tensor
    cols: slice | Tensor
    sizes: tuple[int, int, int, int]
    dim: int
    ids: Tensor | None
    values: Tensor

    @property
    def count(self) -> int:
        """The number of coefficients of the block, n * m * k."""
        return self.sizes[0] * self.sizes[2] * self.dim

    def to(self, dtype: torch.dtype, device: torch.device) -> BlockTable:
        """The same block with its values in ``dtype``, everything on ``device``."""
        return BlockTable(
            self.rows if isinstance(self.rows, slice) else self.rows.to(device),
            self.cols if isinstance(self.cols, slice) else self.cols.to(device),
            self.sizes,
            self.dim,
            None if self.ids is None else self.ids.to(device),
            self.values.to(device=device, dtype=dtype),
        )


@dataclass(frozen=True, eq=False)
class Table:
    """All blocks of a plan in one dtype on one device.

    ``order`` is the position in theta of each coefficient in block order, ``inverse`` the inverse permutation; both are
    None where block order is the order of theta. ``whole`` says that one block is the whole weight.
    """

    shape: tuple[int, int]
    dim: int
    blocks: tuple[BlockTable, ...]
    order: Tensor | None
    inverse: Tensor | None
    whole: bool

    def to(self, dtype: torch.dtype, device: torch.device) -> Table:
        """The same table with its values in ``dtype``, everything on ``device``."""
        return Table(
            self.shape,
            self.dim,
            tuple(block.to(dtype, device) for block in self.blocks),
            None if self.order is None else self.order.to(device),
            None if self.inverse is None else self.inverse.to(device),
            self.whole,
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
    """The tables of a plan, shared by everyone who holds them: equal plans (by digest) have one copy in the process."""
    found = _SHARED.get(plan.digest)
    if found is None:
        found = _SHARED[plan.digest] = Tables(plan)
    return found


_SHARED: WeakValueDictionary[str, Tables] = WeakValueDictionary()


def _is_plain(table: Table) -> bool:
    """False for fake tensors and for the wrappers of torch.func: those must not outlive the call that made them."""
    is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor  # pyright: ignore[reportAttributeAccessIssue]
    return not any(type(block.values) is not Tensor or is_wrapped(block.values) for block in table.blocks)


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
    )


def _block(block: Any) -> BlockTable:
    n, rows = block.rows.shape
    m, cols = block.cols.shape
    structure = block.structure
    if isinstance(structure, rc.Orbit):
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
