"""Projector: the orthogonal projection onto the equivariant maps, as a module; ``project`` and ``project_`` as verbs."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._compile import _disable_dynamo
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

import repcore as rc
from repcore import IncompatibleError
from repcore_torch import maps
from repcore_torch.digest import Digested
from repcore_torch.tables import Table, Tables, tables_of, working_dtype

__all__ = ["Projector", "as_matrix", "check_tensor", "project", "project_", "projector_of", "tensor_of"]


class Projector(Digested):
    """P, the Frobenius-orthogonal projector onto the equivariant maps X -> Y, with its two halves.

    With B_1, ..., B_dim the orthonormal basis of the plan, for canonical plans that of ``basis.to_numpy(orthonormal=True)``,

        coefficients(W)_a = <B_a, W>,    expand(theta) = sum_a theta_a B_a,    P W = expand(coefficients(W)).

    Args:
        space: a space ``X >> Y``, its solved basis, its plan, or another Projector.

    Shapes: W (..., dim Y, dim X), theta (..., dim); a matrix of one column may be given as a vector (dim Y,). The result
    has the dtype and device of the argument, complex where the space is; the arithmetic is at least float32, also under
    autocast. Constants are cast from float64 once per (dtype, device) and shared by all projectors of the same plan;
    they are neither parameters nor buffers. ``state_dict`` holds the digest of the plan, and loading another one raises.

    Works under autograd (to any order, forward mode included), ``torch.func``, ``deepcopy`` and
    ``torch.compile(fullgraph=True)``. A DTensor stays sharded, and where its shards are whole copies no rank communicates (see
    :mod:`repcore_torch.sharded`). On CUDA, orbit sums use atomic adds unless
    ``torch.use_deterministic_algorithms(True)`` is set.

    Raises:
        IncompatibleError: a shape that is not the plan's, an integer dtype, a ``state_dict`` of another space.

    Theta is in the coordinates of the plan, canonical or irrep (``plan.coordinates``); the projection does not depend on them.

    Cost: O(size of W) for orbit blocks, O(size of W * k) for factor blocks of k maps, O(size of W * (dY + dX)) for Schur
    blocks of dY x dX entries; the backward pass costs the same.

    >>> import numpy as np, repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> P = Projector(V >> V)
    >>> P(torch.tensor([[1.0, 2.0], [3.0, 5.0]])).round(decimals=5)
    tensor([[3., 0.],
            [0., 3.]])
    """

    def __init__(self, space: Any) -> None:
        super().__init__()
        if isinstance(space, Projector):
            self._source, self._tables = space._source, space._tables
        else:
            self._source, self._tables = space, tables_of(rc.plan(space))
            self.plan.check_orthonormal()
        self._tables.on(working_dtype(torch.get_default_dtype(), self.plan.is_complex), torch.get_default_device())

    @property
    def source(self) -> Any:
        """What the projector was made of: a space, a basis or a plan."""
        return self._source

    @property
    def plan(self) -> Any:
        """The plan that is executed."""
        return self._tables.plan

    @property
    def tables(self) -> Tables:
        """The constants of the plan, per dtype and device."""
        return self._tables

    @property
    def dim(self) -> int:
        """The number of coefficients."""
        return self.plan.dim

    @property
    def shape(self) -> tuple[int, int]:
        """(dim Y, dim X)."""
        return self.plan.shape

    @property
    def digest(self) -> str:
        """The name of the plan: equal for equal spaces, whoever solved them."""
        return self.plan.digest

    def forward(self, W: Tensor) -> Tensor:
        """P W, (..., dim Y, dim X) -> the same shape."""
        PW = self._run(maps.project, as_matrix(W, self.shape, "W"))
        return PW if PW.shape == W.shape else PW.reshape(W.shape)

    def coefficients(self, W: Tensor) -> Tensor:
        """<B_a, W> for each a, (..., dim Y, dim X) -> (..., dim): the coefficients of P W."""
        return self._run(maps.coefficients, as_matrix(W, self.shape, "W"))

    def expand(self, theta: Tensor) -> Tensor:
        """sum_a theta_a B_a, (..., dim) -> (..., dim Y, dim X): the equivariant map with these coefficients."""
        check_tensor(theta, "theta")
        if theta.ndim < 1 or theta.shape[-1] != self.dim:
            raise IncompatibleError(f"theta has shape {tuple(theta.shape)}; the space needs (..., {self.dim})")
        return self._run(maps.expand, theta)

    def matvec(self, theta: Tensor, x: Tensor) -> Tensor:
        """expand(theta) x, (..., dim) and (..., dim X) -> (..., dim Y). Forms the weight."""
        if x.ndim < 1 or x.shape[-1] != self.shape[1]:
            raise IncompatibleError(f"x has shape {tuple(x.shape)}; the space needs (..., {self.shape[1]})")
        return torch.einsum("...yx,...x->...y", self.expand(theta), x)

    def extra_repr(self) -> str:
        """What ``repr`` shows: the sizes and the beginning of the digest."""
        return f"dim={self.dim}, shape={self.shape}, digest={self.digest[:12]}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Projector:
        # .to(), .double(), .cuda(): have the tables ready where the module goes, so that a compiled forward finds them.
        super()._apply(fn, recurse)
        for dtype, device in self._tables.ready:
            # What has no data can go nowhere but to meta, while the parameters beside it may long have got theirs.
            probe = fn(torch.empty(0, dtype=dtype, device="cpu" if device.type == "meta" else device))
            self._tables.on(working_dtype(probe.dtype, self.plan.is_complex), probe.device)
        return self

    def _run(self, run: Callable[[Tensor, Table], Tensor], tensor: Tensor) -> Tensor:
        dtype = working_dtype(tensor.dtype, self.plan.is_complex)
        result = run(tensor.to(dtype), self._tables.on(dtype, tensor.device))
        return result if self.plan.is_complex and not tensor.is_complex() else result.to(tensor.dtype)


def project(W: Tensor, space: Any) -> Tensor:
    """P W for one tensor: ``Projector(space)(W)``, with the projectors of the last 64 spaces kept.

    Args:
        W: (..., dim Y, dim X), or (dim Y,) where dim X is 1.
        space: a space, a basis, a plan or a :class:`Projector`; under ``fullgraph=True`` a Projector.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> project(torch.tensor([[1.0, 2.0], [3.0, 5.0]]), V >> V).round(decimals=5)
    tensor([[3., 0.],
            [0., 3.]])
    """
    return projector_of(space)(W)


def project_(module: nn.Module, name: str, space: Any) -> nn.Module:
    """Replace a parameter or buffer of ``module`` by its projection, once and in place; returns the module.

    The tensor keeps its identity, so optimisers that hold it go on. Nothing keeps the weight in the space afterwards:
    see :func:`repcore_torch.constrain` for that.

    Raises:
        IncompatibleError: no such tensor, one that is parametrised, a shape that is not (..., dim Y, dim X), or a complex
            space on a real tensor. The module is then as it was.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> layer = project_(torch.nn.Linear(2, 2), "weight", V >> V)
    >>> bool(layer.weight[0, 0] == layer.weight[1, 1])
    True
    """
    projector = projector_of(space)
    tensor = tensor_of(module, name, projector.plan)
    with torch.no_grad():
        tensor.copy_(projector(tensor))
    return module


def projector_of(space: Any) -> Projector:
    """The argument if it is a projector, else the projector of the space, kept for the last 64 spaces."""
    if isinstance(space, Projector):
        return space
    return _uncompiled(space) if torch.compiler.is_compiling() else _cached(space)


@_disable_dynamo  # torch.compiler.disable, but without importing the compiler (1 s) before there is one
def _uncompiled(space: Any) -> Projector:
    # Solving a space is no tensor operation: torch.compile breaks the graph here, and says so under fullgraph=True.
    return _cached(space)


@lru_cache(maxsize=64)
def _cached(space: Any) -> Projector:
    return Projector(space)


def as_matrix(W: Tensor, shape: tuple[int, int], name: str) -> Tensor:
    """W as (..., dim Y, dim X); a vector (dim Y,) becomes a column where dim X is 1.

    Raises IncompatibleError with the name, the shape and the expected shape if it is neither, or no tensor.
    """
    check_tensor(W, name)
    if W.ndim >= 2 and tuple(W.shape[-2:]) == shape:
        return W
    if shape[1] == 1 and tuple(W.shape) == shape[:1]:
        return W[:, None]
    rule = f"(..., {shape[0]}, {shape[1]})" + (f" or ({shape[0]},)" if shape[1] == 1 else "")
    raise IncompatibleError(
        f"{name} has shape {tuple(W.shape)}; a map of this space has shape (dim Y, dim X) = {shape}, so give {rule}"
    )


def check_tensor(value: object, name: str) -> None:
    """IncompatibleError unless a value is a tensor."""
    if not isinstance(value, Tensor):
        raise IncompatibleError(f"{name}: expected a tensor, got {type(value).__name__}; torch.as_tensor makes one of an array")


def tensor_of(module: nn.Module, name: str, maps: Any) -> Tensor:
    """The parameter or buffer ``module.name``, if it can hold a map of the space; raises IncompatibleError if not.

    Args:
        module: the module that owns it.
        name: of the attribute.
        maps: what has a ``shape`` and says whether it ``is_complex``, such as a plan.
    """
    if parametrize.is_parametrized(module, name):
        raise IncompatibleError(
            f"{name!r} of {type(module).__name__} is parametrised already; a second constraint would stack silently. "
            f"Undo the first with torch.nn.utils.parametrize.remove_parametrizations(module, {name!r})"
        )
    own = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
    if name not in own:
        has = ", ".join(own) or "none"
        raise IncompatibleError(f"{type(module).__name__} has no parameter or buffer {name!r}; it has: {has}")
    tensor = own[name]
    if is_lazy(tensor):
        raise IncompatibleError(f"{name!r} has no shape yet: run the lazy module once before")
    as_matrix(tensor, maps.shape, repr(name))
    working_dtype(tensor.dtype, maps.is_complex)
    if maps.is_complex and not tensor.is_complex():
        raise IncompatibleError(
            f"{name!r} is real ({tensor.dtype}) and the space is complex: use the realified representations "
            "(V.realify()), or a complex weight"
        )
    return tensor
