"""The penalty on what is not equivariant in a weight."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from repcore import IncompatibleError
from repcore_torch import maps
from repcore_torch.projector import as_matrix, projector_of
from repcore_torch.tables import Table, working_dtype

__all__ = ["penalty"]

_NORMS = ("fro", "fro2")


def penalty(W: Tensor, space: Any, norm: str = "fro", *, relative: bool = False) -> Tensor:
    """The norm of R = W - P W, how far a weight is from the equivariant maps.

        "fro"    ||R||_F, a group lasso: its gradient R / ||R||_F keeps its length, so that R can reach zero;
        "fro2"   ||R||_F^2 / 2 (half the square), a ridge: its gradient is R.

    The mean defect over a compact group G is E_g ||rho_Y(g) W - W rho_X(g)||_F^2 = 2 ||R||_F^2 for orthogonal
    representations. ``relative=True`` divides by ||W||_F ("fro") or ||W||_F^2 ("fro2"): the penalty then does not change
    when W is scaled, and training cannot lower it by shrinking one layer and growing the next. Gradients are zero where
    the norm is zero (R = 0; W = 0).

    Args:
        W: (..., dim Y, dim X), or (dim Y,) where dim X is 1.
        space: a space, a basis, a plan or a :class:`Projector`; under ``fullgraph=True`` a Projector.
        norm: ``"fro"`` or ``"fro2"``.
        relative: divide by the norm of W.

    Returns:
        (...): one value a matrix, a scalar for one matrix. Real, at least float32.

    Raises:
        IncompatibleError: a shape that is not the plan's, or an unknown norm.

    Differentiable in reverse mode to any order (also under ``torch.func``); forward mode raises.

    Cost: one projection forward; backward one pass over W, the closed form instead of the adjoint of a projection.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> W = torch.tensor([[1.0, 2.0], [2.0, 1.0]], requires_grad=True)
    >>> value = penalty(W, V >> V, norm="fro2")
    >>> value.backward()
    >>> round(value.item(), 5), W.grad.round(decimals=5).tolist()
    (4.0, [[0.0, 2.0], [2.0, 0.0]])
    """
    if norm not in _NORMS:
        raise IncompatibleError(f"norm is {norm!r}; choose one of {', '.join(map(repr, _NORMS))}")
    projector = projector_of(space)
    W = as_matrix(W, projector.shape, "W")
    W = W.to(working_dtype(W.dtype, projector.plan.is_complex))
    half = half_square(W, projector.tables.on(W.dtype, W.device))
    if norm == "fro2":
        return _quotient(half, _square(W)) if relative else half
    value = _root(2 * half)
    return _quotient(value, _root(_square(W))) if relative else value


def half_square(W: Tensor, table: Table) -> Tensor:
    """||W - P W||_F^2 / 2 for each matrix, (..., dim Y, dim X) -> (...); its gradient is W - P W."""
    if torch.compiler.is_compiling():
        # The compiler differentiates and fuses these itself.
        return _square(W - maps.project(W, table)) / 2
    return _HalfSquare.apply(W, table)[0]


class _HalfSquare(Function):
    """h(W) = ||R||^2 / 2, R = (I - P) W. dh = Re <R, dW>: since (I - P) R = R, no adjoint has to be applied.

    It has no ``jvp``: torch drops the second derivative of forward over forward through a function that saves its
    argument, without a word (2.13). Forward mode raises instead.
    """

    @staticmethod
    def forward(W: Tensor, table: Table) -> tuple[Tensor, Tensor]:
        R = W - maps.project(W, table)
        return _square(R) / 2, R

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Table], output: tuple[Tensor, Tensor]) -> None:
        W, ctx.table = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(W, output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor, None]:
        W, R = ctx.saved_tensors
        if torch.is_grad_enabled():
            # A second derivative is wanted: R must depend on W.
            R = W - maps.project(W, ctx.table)
        return grad[..., None, None] * R, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], W: Tensor, table: Table) -> tuple[tuple[Tensor, Tensor], tuple[int, ...]]:
        return _HalfSquare.apply(W.movedim(in_dims[0], 0), table), (0, 0)


def _square(W: Tensor) -> Tensor:
    return torch.linalg.vecdot(W.flatten(-2), W.flatten(-2)).real if W.is_complex() else (W * W).sum((-2, -1))


def _root(square: Tensor) -> Tensor:
    # The square root of a replaced 1 has a finite derivative, which the outer where multiplies by 0.
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1).sqrt(), 0)


def _quotient(value: Tensor, scale: Tensor) -> Tensor:
    positive = scale > 0
    return torch.where(positive, value / torch.where(positive, scale, 1), 0)
