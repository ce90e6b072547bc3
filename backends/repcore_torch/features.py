"""The feature fields of a representation as torch constants, and the verbs by which layers act on each copy of a summand.

Like the tables of a plan, the constants are neither parameters nor buffers: one set per (dtype, device), cast from float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.tables import working_dtype

__all__ = ["Constants", "Features", "FieldTable", "along", "copies_mean", "times", "working"]


@dataclass(frozen=True, eq=False)
class FieldTable:
    """One field where its copies lie side by side: ``copies`` copies of ``dim`` features.

    ``invariants`` of the vectors of a copy are invariant; they are the columns of a basis whose entries have mean square 1, so
    that for a transitive permutation representation (``is_uniform``) the only one is the vector of ones. ``copy`` and
    ``invariant`` count the copies and invariants before this field. ``orbits`` are the (number, size) of orbits of equal size, by
    size, where the group permutes the components.
    """

    copies: int
    dim: int
    invariants: int
    copy: int
    invariant: int
    is_permutation: bool
    is_trivial: bool
    orbits: tuple[tuple[int, int], ...]

    @property
    def is_uniform(self) -> bool:
        """Whether the components of a copy are one orbit."""
        return self.is_permutation and self.invariants == 1

    @property
    def size(self) -> int:
        """The number of features of all copies."""
        return self.copies * self.dim


@dataclass(frozen=True, eq=False)
class Constants:
    """The constants in one dtype on one device.

    ``order`` (dim X,) sorts the features field by field, ``inverse`` back; None where they are sorted. ``owner`` (dim X,) is the
    copy that a feature belongs to. ``bases`` are (d, t) for each field. ``mean`` (dim X,) is the direction u of the mean.
    ``orbits``, for each field that has several, sort the components of a copy by orbits and the orbits, which then stand by size,
    by number.
    """

    order: Tensor | None
    inverse: Tensor | None
    owner: Tensor
    bases: tuple[Tensor, ...]
    mean: Tensor
    orbits: tuple[tuple[Tensor, Tensor] | None, ...]


class Features:
    """The fields of a representation with their constants; immutable as far as a caller can see, a pickle is the representation.

    Attributes:
        rep: X.
        fields: one table for each field of ``rc.fields(X)``.
        dim: dim X.
        copies: the number of copies of all fields.
        invariants: the number of invariants of all copies.
        is_uniform: whether X is a permutation representation, so that the mean is that of all features.
        has_mean: whether there is a direction u of the mean.
        mean_square: <u, u>.
    """

    def __init__(self, rep: Any, who: str, orthogonal: bool = True) -> None:
        if not isinstance(rep, rc.Rep):
            raise IncompatibleError(f"X: expected a representation, got {type(rep).__name__}; write {who}(X)")
        found = rc.fields(rep)
        for field in found:
            if not field.is_real:
                raise IncompatibleError(f"X: {field.rep} is complex, and {who} acts on real features; give X.realify()")
            if orthogonal and not field.is_orthogonal:
                raise IncompatibleError(
                    f"X: {field.rep} is not orthogonal, so that {who}, which measures lengths, does not commute with it; "
                    "rc.orthogonalised(X) has the coordinates in which it would"
                )
        self.rep, self.who, self.orthogonal = rep, who, orthogonal
        self.dim: int = rep.dim
        tables: list[FieldTable] = []
        copy = invariant = 0
        for field in found:
            t = field.invariants.shape[1]
            kinds = (field.is_permutation, field.is_trivial, _orbit_sizes(field))
            table = FieldTable(field.copies, field.dim, t, copy, invariant, *kinds)
            tables.append(table)
            copy, invariant = copy + field.copies, invariant + field.copies * t
        self.fields = tuple(tables)
        self.copies, self.invariants = copy, invariant
        self.is_uniform = all(field.is_permutation for field in found)
        self._master = _master(rep.dim, found, self.fields)
        self.mean_square = float(self._master.mean.square().sum())
        self.has_mean = self.mean_square > 0
        self._casts: dict[tuple[torch.dtype, torch.device], Constants] = {}

    def on(self, dtype: torch.dtype, device: torch.device) -> Constants:
        """The constants in a dtype on a device."""
        found = self._casts.get((dtype, device))
        if found is None:
            # inference_mode(False): constants that were first needed under inference_mode must serve autograd later.
            with torch.inference_mode(False):
                found = _cast(self._master, dtype, device)
            if not torch.compiler.is_compiling() and _is_plain(found):
                self._casts[dtype, device] = found
        return found

    def prepare(self, dtype: torch.dtype, device: torch.device) -> None:
        """Have the constants ready where a module is, so that a compiled forward finds them."""
        self.on(working_dtype(dtype, False), device)

    def axis(self, x: Tensor, axis: int) -> int:
        """The axis of the features, counted from the front; raises IncompatibleError unless x has dim X of them there."""
        if not -x.ndim <= axis < x.ndim or x.shape[axis] != self.dim:
            raise IncompatibleError(f"x has shape {tuple(x.shape)}; {self.who} needs {self.dim} features along axis {axis}")
        return axis % x.ndim

    def split(self, x: Tensor, axis: int, constants: Constants) -> list[Tensor]:
        """x with (copies, dim) in place of its features, for each field."""
        if constants.order is not None:
            x = x.index_select(axis, constants.order)
        parts = x.split([field.size for field in self.fields], axis)
        return [p.unflatten(axis, (field.copies, field.dim)) for p, field in zip(parts, self.fields, strict=True)]

    def join(self, parts: Sequence[Tensor], axis: int, constants: Constants, like: Tensor) -> Tensor:
        """The inverse of :meth:`split`."""
        if not parts:
            return like
        flat = [p.flatten(axis, axis + 1) for p in parts]
        y = flat[0] if len(flat) == 1 else torch.cat(flat, axis)
        return y if constants.inverse is None else y.index_select(axis, constants.inverse)

    def shift(self, bias: Tensor, constants: Constants) -> Tensor:
        """The invariant vector (dim X,) with given coordinates (invariants,)."""
        parts = []
        for field, basis in zip(self.fields, constants.bases, strict=True):
            own = bias[field.invariant : field.invariant + field.copies * field.invariants]
            parts.append(times(own.view(field.copies, field.invariants), basis.mT, 1))
        return self.join(parts, 0, constants, bias)

    def means(self, vector: Tensor, constants: Constants) -> Tensor:
        """The coordinates (invariants,) of the invariant part of a vector (dim X,), the inverse of :meth:`shift`."""
        parts = self.split(vector, 0, constants)
        pairs = zip(parts, constants.bases, strict=True)
        flat = [(times(p, basis, 1) / len(basis)).flatten() for p, basis in pairs]
        return torch.cat(flat) if flat else vector

    def __copy__(self) -> Features:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Features:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Features, (self.rep, self.who, self.orthogonal)


def working(x: Tensor, who: str) -> torch.dtype:
    """The dtype that statistics are taken in, at least float32; raises IncompatibleError for integers and complex numbers."""
    if x.is_complex():
        raise IncompatibleError(f"x has dtype {x.dtype}; {who} acts on real features, (Re, Im) stacked as X.realify() has them")
    return working_dtype(x.dtype, False)


def along(vector: Tensor, axis: int, ndim: int) -> Tensor:
    """A vector along one of ``ndim`` axes; a matrix along that one and the next."""
    return vector.reshape(*vector.shape, *(1,) * (ndim - axis - vector.ndim))


def times(x: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """The product of the vectors along an axis of x with a matrix (d, t), in their own precision also under autocast."""
    moved = x.movedim(axis, -1)
    if x.device.type == "meta":  # there is no autocast for it
        return (moved @ matrix).movedim(-1, axis)
    with torch.autocast(x.device.type, enabled=False):
        return (moved @ matrix).movedim(-1, axis)


def copies_mean(values: Tensor, features: Features, constants: Constants) -> Tensor:
    """The mean of a vector (dim X,) over each copy, (copies,)."""
    parts = [p.mean(1) for p in features.split(values, 0, constants)]
    return torch.cat(parts) if parts else values


def _master(dim: int, found: Sequence[Any], tables: Sequence[FieldTable]) -> Constants:
    order = np.concatenate([np.arange(0), *(field.positions.ravel() for field in found)])
    owner, mean = np.zeros(dim, np.int64), np.zeros(dim)
    bases: list[np.ndarray] = []
    pairs = list(zip(found, tables, strict=True))
    for field, table in pairs:
        owner[field.positions] = table.copy + np.arange(field.copies)[:, None]
        mean[field.positions] = field.mean
        bases.append(np.ones((field.dim, 1)) if table.is_uniform else field.invariants * field.dim**0.5)
    is_sorted = bool(np.array_equal(order, np.arange(dim)))
    return Constants(
        None if is_sorted else _tensor(order),
        None if is_sorted else _tensor(np.argsort(order)),
        _tensor(owner),
        tuple(_tensor(basis) for basis in bases),
        _tensor(mean),
        tuple(_orbit_order(field) if len(table.orbits) and not table.is_uniform else None for field, table in pairs),
    )


def _orbit_sizes(field: Any) -> tuple[tuple[int, int], ...]:
    if field.orbits is None:
        return ()
    sizes, counts = np.unique(np.bincount(field.orbits), return_counts=True)
    return tuple(zip(counts.tolist(), sizes.tolist(), strict=True))


def _orbit_order(field: Any) -> tuple[Tensor, Tensor]:
    sizes = np.bincount(field.orbits)
    by_size = np.argsort(sizes, kind="stable")
    return _tensor(np.lexsort((field.orbits, sizes[field.orbits]))), _tensor(np.argsort(by_size))


def _tensor(array: np.ndarray) -> Tensor:
    return torch.tensor(array, device="cpu")


def _cast(master: Constants, dtype: torch.dtype, device: torch.device) -> Constants:
    order, inverse = (None if t is None else t.to(device) for t in (master.order, master.inverse))
    bases = tuple(basis.to(device, dtype) for basis in master.bases)
    orbits = tuple(None if pair is None else (pair[0].to(device), pair[1].to(device)) for pair in master.orbits)
    return Constants(order, inverse, master.owner.to(device), bases, master.mean.to(device, dtype), orbits)


def _is_plain(constants: Constants) -> bool:
    """False for fake tensors and for the wrappers of torch.func: those must not outlive the call that made them."""
    is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor  # pyright: ignore[reportAttributeAccessIssue]
    return type(constants.mean) is Tensor and not is_wrapped(constants.mean)
