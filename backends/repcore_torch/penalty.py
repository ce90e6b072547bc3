"""The penalty on what is not equivariant in a weight."""

from __future__ import annotations

from math import isfinite
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from repcore import IncompatibleError
from repcore_torch import maps
from repcore_torch.norms import dual_of, norm_of_ones, square, with_gradient
from repcore_torch.projector import Projector, as_matrix, projector_of
from repcore_torch.spectral import SpectralState
from repcore_torch.tables import Table, working_dtype

__all__ = ["combined", "measured", "penalty"]

_REDUCTIONS = ("none", "mean")


def penalty(
    W: Tensor,
    space: Any,
    norm: str | tuple[float, float] = "fro",
    *,
    relative: bool = False,
    equivariant: float | Tensor = 0.0,
    reduction: str = "none",
    state: SpectralState | None = None,
) -> Tensor:
    """N(W - P W) + equivariant * N(P W), for a norm N: how far a weight is from the equivariant maps, and how large it is there.

    With R = W - P W, and likewise for P W:

    ==============  ==================================  ===================================================================
    norm            N(R)                                what it does
    ==============  ==================================  ===================================================================
    ``"fro"``       ||R||_F                             a group lasso: the gradient R / ||R||_F keeps its length, and R
                                                        reaches zero as a whole
    ``"fro2"``      ||R||_F^2 / 2 (half the square)     a ridge: the gradient is R, a spring that never quite gets there
    ``"spectral"``  the largest singular value of R     gradient (1 - P) u v^H; bounds the worst case over inputs
    ``"nuclear"``   the sum of the singular values      gradient (1 - P) U V^H; makes R of low rank, then zero
    ``(p, q)``      (sum_j (sum_i abs(R_ij)^p)^(q/p))   p within columns, q over them; (2, 1) makes columns zero,
                    ^(1/q), p, q >= 1 or inf            (1, 1) entries
    ``"inf"``       max abs(R_ij)                       levels the largest entries; converges slowly
    ==============  ==================================  ===================================================================

    The mean defect over a compact group G is E_g ||rho_Y(g) W - W rho_X(g)||_F^2 = 2 ||R||_F^2 for orthogonal representations;
    see ``rc.defect``. (Berndt and Stuehmer, arXiv 2601.05028.)

    Args:
        W: (..., dim Y, dim X), or (dim Y,) where dim X is 1: a bias, with the space ``one >> Y``.
        space: a space, a basis, a plan or a :class:`Projector`; under ``fullgraph=True`` a Projector. Or a sequence of pairs
            (space, weight), for several groups that act on the same layer: the penalty is the weighted sum.
        norm: see the table.
        relative: divide by N(W). The penalty then does not change when W is scaled, and training cannot lower it by shrinking
            one layer and growing the next.
        equivariant: the weight of the part in the space, against that of the rest; 0 leaves it out.
        reduction: ``"mean"`` divides by N of the matrix of ones (fro2: by the number of entries), so that a weight whose entries
            have a certain size is penalised alike at any shape; ``"none"`` does not.
        state: for ``"spectral"``: a :class:`SpectralState` that keeps singular vectors between calls. Without it an exact
            singular value decomposition is taken at each call, O(n^3), which suits small matrices.

    Returns:
        (...): one value a matrix, a scalar for one matrix. Real, at least float32.

    Raises:
        IncompatibleError: a shape that is not the plan's, an unknown norm or reduction, a negative weight, ``relative`` together
            with ``reduction="mean"``, a state where the norm is not spectral.

    Gradients are subgradients of the least length, zero where the norm is zero (R = 0; W = 0), never NaN. Differentiable in
    reverse mode (also under ``torch.func``): fro and fro2 to any order, the others once. Forward mode raises.

    Cost: one projection forward. Backward fro and fro2 take one pass over W, the closed form instead of the adjoint of a
    projection; the others one projection. spectral and nuclear add the singular value decomposition, with a state two products
    of a matrix and a vector.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> W = torch.tensor([[1.0, 2.0], [2.0, 1.0]], requires_grad=True)
    >>> value = penalty(W, V >> V, norm="fro2")
    >>> value.backward()
    >>> round(value.item(), 5), W.grad.round(decimals=5).tolist()
    (4.0, [[0.0, 2.0], [2.0, 0.0]])
    >>> [round(penalty(W, V >> V, norm).item(), 5) for norm in ("fro", "spectral", "nuclear", (1, 1), "inf")]
    [2.82843, 2.0, 4.0, 4.0, 2.0]
    """
    _check(norm, relative, equivariant, reduction, state)
    terms = _terms(space)
    W = as_matrix(W, terms[0][0].shape, "W")
    for projector, _ in terms[1:]:
        as_matrix(W, projector.shape, "W")
    W = W.to(working_dtype(W.dtype, any(projector.plan.is_complex for projector, _ in terms)))
    both = not (_is_number(equivariant) and equivariant == 0)
    values, scale = (_smooth if norm in ("fro", "fro2") else _general)(W, terms, norm, both, relative, state)
    weights = [weight for _, weight in terms]
    weights = weights + [equivariant * weight for weight in weights] if both else weights
    return combined(weights, values, scale, norm, reduction, terms[0][0].shape)


def measured(
    W: Tensor, projector: Projector, norm: Any, both: bool, relative: bool, state: SpectralState | None
) -> tuple[list[Tensor], Tensor | None]:
    """N(W - P W) and, if both are wanted, N(P W); and N(W) where it is relative (fro2: its square)."""
    W = W.to(working_dtype(W.dtype, projector.plan.is_complex))
    return (_smooth if norm in ("fro", "fro2") else _general)(W, [(projector, 1)], norm, both, relative, state)


def combined(
    weights: list[Any], values: list[Tensor], scale: Tensor | None, norm: Any, reduction: str, shape: tuple[int, int]
) -> Tensor:
    """The weighted sum, over the norm of the weight or of ones."""
    total = _combined(weights, values)
    if scale is not None:
        return _quotient(total, scale)
    return total / norm_of_ones(norm, shape) if reduction == "mean" else total


def _check(norm: Any, relative: bool, equivariant: Any, reduction: str, state: Any) -> None:
    if norm not in ("fro", "fro2"):
        dual_of(norm)
    if _is_number(equivariant) and not 0 <= equivariant < float("inf"):
        raise IncompatibleError(f"equivariant is {equivariant}; give a weight >= 0")
    if reduction not in _REDUCTIONS:
        raise IncompatibleError(f"reduction is {reduction!r}; choose one of {', '.join(map(repr, _REDUCTIONS))}")
    if relative and reduction == "mean":
        raise IncompatibleError("relative=True and reduction='mean' both divide by the size of the weight; choose one")
    if state is not None and norm != "spectral":
        raise IncompatibleError(f"state: keeps singular vectors for norm='spectral'; norm is {norm!r}")


def _terms(space: Any) -> list[tuple[Projector, Any]]:
    if not isinstance(space, list | tuple):
        return [(projector_of(space), 1)]
    pairs = [pair for pair in space if isinstance(pair, tuple) and len(pair) == 2]
    if not pairs or len(pairs) < len(space):
        raise IncompatibleError("space: a sequence must hold pairs (space, weight), one for each group, and at least one")
    for _, weight in pairs:
        if _is_number(weight) and not (weight >= 0 and isfinite(weight)):
            raise IncompatibleError(f"space: a pair has the weight {weight}; give a weight >= 0")
    return [(projector_of(one), weight) for one, weight in pairs]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _combined(weights: list[Any], values: list[Tensor]) -> Tensor:
    total, *rest = (
        value if _is_number(weight) and weight == 1 else weight * value for weight, value in zip(weights, values, strict=True)
    )
    for value in rest:
        total = total + value
    return total


Terms = list[tuple[Projector, Any]]


def _smooth(W: Tensor, terms: Terms, norm: Any, both: bool, relative: bool, state: Any) -> tuple[list[Tensor], Tensor | None]:
    """fro and fro2 of each W - P W, then of each P W; and of W where it is relative (fro2: the square)."""
    halves = [half_squares(W, projector.tables.on(W.dtype, W.device), both) for projector, _ in terms]
    values = [half[i] for i in range(1 + both) for half in halves]
    if norm == "fro2":
        return values, square(W) if relative else None
    return [_root(2 * value) for value in values], _root(square(W)) if relative else None


def _general(W: Tensor, terms: Terms, norm: Any, both: bool, relative: bool, state: Any) -> tuple[list[Tensor], Tensor | None]:
    """The same of any other norm, all matrices in one stack."""
    inside = [maps.project(W, projector.tables.on(W.dtype, W.device)) for projector, _ in terms]
    parts = [W - PW for PW in inside] + (inside if both else []) + ([W] if relative else [])
    M = torch.stack(parts) if len(parts) > 1 else parts[0][None]
    measured = with_gradient(M, (state or dual_of(norm))(M.detach()))
    values = list(measured.unbind(0))
    return (values[:-1], values[-1]) if relative else (values, None)


def half_squares(W: Tensor, table: Table, both: bool) -> tuple[Tensor, ...]:
    """||W - P W||_F^2 / 2 and, if both are wanted, ||P W||_F^2 / 2; their gradients are W - P W and P W."""
    if torch.compiler.is_compiling():
        # The compiler differentiates and fuses these itself.
        PW = maps.project(W, table)
        return (square(W - PW) / 2, square(PW) / 2) if both else (square(W - PW) / 2,)
    return _HalfSquares.apply(W, table, both)[:-1]


class _HalfSquares(Function):
    """h(W) = ||R||^2 / 2, R = (I - P) W. dh = Re <R, dW>: since (I - P) R = R, no adjoint has to be applied; and so for P W.

    It has no ``jvp``: torch drops the second derivative of forward over forward through a function that saves its
    argument, without a word (2.13). Forward mode raises instead.
    """

    @staticmethod
    def forward(W: Tensor, table: Table, both: bool) -> tuple[Tensor, ...]:
        PW = maps.project(W, table)
        if both:
            R = W - PW
            return square(R) / 2, square(PW) / 2, R
        # In the memory of P W: fresh memory costs more than the subtraction.
        R = PW.neg_().add_(W)
        return square(R) / 2, R

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Table, bool], output: tuple[Tensor, ...]) -> None:
        W, ctx.table, ctx.both = inputs
        ctx.mark_non_differentiable(output[-1])
        ctx.save_for_backward(W, output[-1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        W, R = ctx.saved_tensors
        if torch.is_grad_enabled():
            # A second derivative is wanted: R must depend on W.
            R = W - maps.project(W, ctx.table)
        found = grads[0][..., None, None] * R
        return found + grads[1][..., None, None] * (W - R) if ctx.both else found, None, None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[Any, ...], W: Tensor, table: Table, both: bool
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        found = _HalfSquares.apply(W.movedim(in_dims[0], 0), table, both)
        return found, (0,) * len(found)


def _root(square: Tensor) -> Tensor:
    # The square root of a replaced 1 has a finite derivative, which the outer where multiplies by 0.
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1).sqrt(), 0)


def _quotient(value: Tensor, scale: Tensor) -> Tensor:
    positive = scale > 0
    return torch.where(positive, value / torch.where(positive, scale, 1), 0)
