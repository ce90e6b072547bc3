"""init: an equivariant He or Glorot start, with a stated share of what is not equivariant."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

import repcore as rc
from repcore import IncompatibleError
from repcore_jax.projector import Projector, projector, working_dtype

__all__ = ["init"]

_GAINS = {"he": 2**0.5, "glorot": 1.0}


def init(
    key: Array,
    space: Any,
    complement: float = 0.1,
    *,
    mode: str = "he",
    gain: float | None = None,
    dtype: Any = None,
) -> Array:
    """Draw W = sqrt(1 - c^2) E + c (||E||_F / ||N||_F) N, (dim Y, dim X), with E equivariant and N of the complement.

    A Gaussian start has almost no equivariant part, and a penalty then first removes nearly all of it. Here ``complement`` = c is
    exactly the relative penalty ||W - P W||_F / ||W||_F at the start, and ||W||_F = ||E||_F.

    E has He's variance in each irrep, as :class:`repcore_jax.Linear` has: for an input of independent components of variance 1,
    each component of each irrep of Y (that X has too) gets variance gain^2. With M channels in X and N in Y of an irrep of
    dimension d with t endomorphisms, the coefficients are drawn from a normal distribution of variance

        he: gain^2 d / (t M),        glorot: gain^2 2 d / (t (M + N)).

    (He et al., 2015; Glorot and Bengio, 2010.) N is a Gaussian matrix without its equivariant part. Where no map but zero is
    equivariant, ||E||_F is replaced by the length of a dense draw of the same gain; where every map is, W = E.

    Args:
        key: a PRNG key. Map it for a batch.
        space: a space ``X >> Y``, its basis, a plan in irrep coordinates, or a projector of one of these.
        complement: the share c, from 0 (equivariant) to 1.
        mode: ``"he"`` or ``"glorot"``.
        gain: by default sqrt(2) for he, which suits ReLU-like nonlinearities, and 1 for glorot.
        dtype: by default JAX's default float; made complex where the space is.

    Raises:
        IncompatibleError: a share outside of [0, 1], an unknown mode, a plan without irreps.
        RepresentationError: X or Y is not completely reducible or not orthogonal, so that it has no irrep basis.

    >>> import jax, jax.numpy as jnp, repcore as rc
    >>> R = rc.regular(rc.dihedral(4))
    >>> W = init(jax.random.key(0), 4 * R >> 4 * R, complement=0.1)
    >>> round(float(jnp.linalg.norm(W - rc.plan(4 * R >> 4 * R).project(W)) / jnp.linalg.norm(W)), 3)
    0.1
    """
    if not 0 <= complement <= 1:
        raise IncompatibleError(f"complement is {complement}; give a share of the norm from 0 to 1")
    if mode not in _GAINS:
        raise IncompatibleError(f"mode is {mode!r}; choose one of {', '.join(map(repr, _GAINS))}")
    gain = _GAINS[mode] if gain is None else gain
    plan = _irrep_plan(projector(space))
    project = projector(plan)
    kind = jnp.dtype(dtype) if dtype is not None else jnp.zeros(0).dtype
    work = working_dtype(kind, plan.is_complex)
    of_theta, of_noise = jax.random.split(key)
    groups = [g for g in plan.layer.groups if g.inputs]
    deviations = jnp.concatenate([jnp.zeros(0), *(jnp.full(g.size, _deviation(g, mode)) for g in groups)])
    inside = project.expand(jax.random.normal(of_theta, (plan.dim,), work) * (gain * deviations).astype(work))
    noise = jax.random.normal(of_noise, project.shape, work)
    found = _mixed(inside, noise, project, complement, gain)
    return found if plan.is_complex and not jnp.issubdtype(kind, jnp.complexfloating) else found.astype(kind)


def _mixed(inside: Array, noise: Array, project: Projector, share: float, gain: float) -> Array:
    outside = noise - project(noise)
    size, length = jnp.linalg.norm(inside), jnp.linalg.norm(outside)
    # Where everything is equivariant, what is left of the noise is rounding.
    rows, cols = project.shape
    live = length > (rows * cols) ** 0.5 * (rows + cols) * jnp.finfo(size.dtype).eps
    size = jnp.where(size > 0, size, gain * rows**0.5)
    part = jnp.where(live, share * size / jnp.where(live, length, 1), 0) * outside
    return jnp.where(live, (1 - share * share) ** 0.5 * inside, inside) + part


def _irrep_plan(project: Projector) -> Any:
    if project.plan.layer is not None:
        return project.plan
    space = getattr(project.source, "space", project.source)
    if not isinstance(space, rc.Hom):
        raise IncompatibleError(
            "space: a plan in canonical coordinates does not tell the irreps; give the space X >> Y, its basis, or "
            'rc.plan(space, structure="schur")'
        )
    return rc.plan(space, structure="schur")


def _deviation(group: Any, mode: str) -> float:
    """The standard deviation for gain 1 of the coefficients of a group of irreps."""
    channels = group.inputs if mode == "he" else (group.inputs + group.outputs) / 2
    return (group.dim / (group.endomorphisms * channels)) ** 0.5
