"""`init_`: an equivariant He or Glorot start, with a stated share of what is not equivariant."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import repcore as rc
from repcore import IncompatibleError
from repcore_torch import maps
from repcore_torch.projector import Projector, as_matrix, projector_of
from repcore_torch.tables import Table, tables_of, working_dtype

__all__ = ["init_"]

_GAINS = {"he": 2**0.5, "glorot": 1.0}


@torch.no_grad()
def init_(
    weight: Tensor,
    space: Any,
    complement: float = 0.1,
    *,
    mode: str = "he",
    gain: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw W = sqrt(1 - c^2) E + c (||E||_F / ||N||_F) N in place, E equivariant and N of the complement; returns the tensor.

    A Gaussian start has almost no equivariant part, and a penalty then first removes nearly all of it. Here ``complement`` = c is
    exactly the relative penalty ||W - P W||_F / ||W||_F at the start, and ||W||_F = ||E||_F.

    E has He's variance in each irrep, as :class:`repcore_torch.Linear` has: for an input of independent components of variance
    1, each component of each irrep of Y (that X has too) gets variance gain^2. With M channels in X and N in Y of an irrep of
    dimension d with t endomorphisms, the coefficients are drawn from a normal distribution of variance

        he: gain^2 d / (t M),        glorot: gain^2 2 d / (t (M + N)).

    (He et al., 2015; Glorot and Bengio, 2010.) N is a Gaussian matrix without its equivariant part. Where no map but zero is
    equivariant, ||E||_F is replaced by the length of a dense draw of the same gain; where every map is, W = E.

    Args:
        weight: (..., dim Y, dim X), or (dim Y,) where dim X is 1; each matrix of a batch is a draw of its own.
        space: a space ``X >> Y``, its basis, a plan in irrep coordinates, or a projector of one of these.
        complement: the share c, from 0 (equivariant) to 1.
        mode: ``"he"`` or ``"glorot"``.
        gain: by default sqrt(2) for he, which suits ReLU-like nonlinearities, and 1 for glorot.
        generator: where random numbers come from; by default torch's.

    Raises:
        IncompatibleError: a shape that does not fit, a share outside of [0, 1], an unknown mode, a plan without irreps, a complex
            space on a real weight.
        RepresentationError: X or Y is not completely reducible or not orthogonal, so that it has no irrep basis.

    >>> import repcore as rc, torch
    >>> from repcore_torch import project
    >>> R = rc.regular(rc.dihedral(4))
    >>> W = init_(torch.empty(32, 32), 4 * R >> 4 * R, complement=0.1)
    >>> round(float((W - project(W, 4 * R >> 4 * R)).norm() / W.norm()), 3)
    0.1
    """
    if not 0 <= complement <= 1:
        raise IncompatibleError(f"complement is {complement}; give a share of the norm from 0 to 1")
    if mode not in _GAINS:
        raise IncompatibleError(f"mode is {mode!r}; choose one of {', '.join(map(repr, _GAINS))}")
    gain = _GAINS[mode] if gain is None else gain
    projector = projector_of(space)
    matrix = as_matrix(weight, projector.shape, "weight")
    plan = _irrep_plan(projector)
    plan.check_orthonormal()
    work = working_dtype(weight.dtype, plan.is_complex)
    if plan.is_complex and not weight.is_complex():
        raise IncompatibleError(f"weight is real ({weight.dtype}) and the space is complex: give a complex weight")
    table = tables_of(plan).on(work, weight.device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=work, device=weight.device, generator=generator)

    batch = matrix.shape[:-2]
    theta = normal(*batch, plan.dim) * gain * _deviations(plan, mode, weight.device, work)
    inside = maps.expand(theta, table)
    weight.copy_(_mixed(inside, normal(*matrix.shape), table, complement, gain).reshape(weight.shape))
    return weight


def _mixed(inside: Tensor, noise: Tensor, table: Table, share: float, gain: float) -> Tensor:
    outside = noise - maps.project(noise, table)
    size, length = _length(inside), _length(outside)
    # Where everything is equivariant, what is left of the noise is rounding.
    entries = noise.shape[-2] * noise.shape[-1]
    live = length > entries**0.5 * sum(noise.shape[-2:]) * torch.finfo(size.dtype).eps
    size = torch.where(size > 0, size, gain * noise.shape[-2] ** 0.5)
    part = torch.where(live, share * size / torch.where(live, length, 1), 0) * outside
    # A where of two numbers would be float32, whatever the weight is.
    return torch.where(live, (1 - share * share) ** 0.5 * inside, inside) + part


def _length(W: Tensor) -> Tensor:
    return torch.linalg.vector_norm(W, dim=(-2, -1), keepdim=True)


def _irrep_plan(projector: Projector) -> Any:
    plan, source = projector.plan, projector.source
    if plan.layer is not None:
        return plan
    space = getattr(source, "space", source)
    if not isinstance(space, rc.Hom):
        raise IncompatibleError(
            "space: a plan in canonical coordinates does not tell the irreps; give the space X >> Y, its basis, or "
            'rc.plan(space, structure="schur")'
        )
    return rc.plan(space, structure="schur")


def _deviations(plan: Any, mode: str, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The standard deviation of each coefficient for gain 1."""
    parts = [torch.full((g.size,), _deviation(g, mode), device=device) for g in plan.layer.groups if g.inputs]
    return torch.cat(parts).to(dtype) if parts else torch.zeros(0, device=device, dtype=dtype)


def _deviation(group: Any, mode: str) -> float:
    """The standard deviation for gain 1 of the coefficients of a group of irreps."""
    channels = group.inputs if mode == "he" else (group.inputs + group.outputs) / 2
    return (group.dim / (group.endomorphisms * channels)) ** 0.5
