"""`soft_projector`: a filter between strict and free, as a pure function of the weight and of its gains."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

import repcore as rc
from repcore import IncompatibleError
from repcore_jax.projector import Projector, as_matrix, projector, working_dtype
from repcore_jax.slots import leaves_of
from repcore_jax.surgery import Symmetry

__all__ = ["SoftProjector", "SoftSymmetry", "soft_projector", "soften"]

_CHOICES = ("softness", "cutoff", "keep", "gain")


@jax.tree_util.register_static
@dataclass(frozen=True, eq=False)
class SoftProjector:
    """F W = sum_l gain_l P_l W, a pure function of W and of the gains; made by :func:`soft_projector`.

    Works under ``jit``, ``grad`` and ``vmap``, in W and in the gains. F F is another filter unless all gains are 0 or 1: keep the
    free weight as the parameter, and filter it where it is used. A pytree without leaves; equal and hashed by its digest.

    Attributes:
        source: the space, or a plan, of which two levels are known: the equivariant maps and all others.
        plan: the ``repcore.SpectralPlan``; None for a plan.
        gains: (levels,) float64, NumPy.
    """

    source: Any
    plan: Any
    gains: np.ndarray

    def __call__(self, W: ArrayLike, gains: ArrayLike | None = None) -> Array:
        """F W, (..., dim Y, dim X) -> the same shape and dtype; complex where the space is.

        Args:
            W: the weight; with one column also (dim Y,).
            gains: (levels,) other gains, such as learned ones; they may be traced.

        Raises:
            IncompatibleError: a weight or gains of another shape, or an integer dtype.
        """
        W = jnp.asarray(W)
        matrix = as_matrix(W, self.shape, "W")
        if gains is None:
            if bool((self.gains == 1).all()):
                return W
            g: Any = self.gains
        else:
            g = jnp.asarray(gains)
            if g.shape != self.gains.shape:
                raise IncompatibleError(f"gains: have shape {g.shape}, expected one for each of {len(self.gains)} levels")
        work = working_dtype(matrix.dtype, self.is_complex)
        g = g.astype(jnp.zeros((), work).real.dtype)
        x = matrix.astype(work)
        if self.plan is None:
            found = g[1] * x + (g[0] - g[1]) * self.projector(x)
        else:
            found = _filtered(x, g, self.plan)
        keep = self.is_complex and not jnp.issubdtype(W.dtype, jnp.complexfloating)
        return (found if keep else found.astype(W.dtype)).reshape(W.shape)

    def at(self, softness: float, profile: str = "heat") -> SoftProjector:
        """The same levels at another softness, see ``repcore.gains_at``: for schedules, without solving anything again."""
        gains = rc.gains_at(self.values, self.multiplicities, softness, profile)
        return SoftProjector(self.source, self.plan, gains)

    @property
    def projector(self) -> Projector:
        """The projector onto the equivariant maps."""
        return projector(self.source)

    @property
    def shape(self) -> tuple[int, int]:
        """(dim Y, dim X)."""
        return (self.plan or self.source).shape

    @property
    def is_complex(self) -> bool:
        """Whether the scalars are complex."""
        return (self.plan or self.source).is_complex

    @property
    def values(self) -> np.ndarray:
        """(levels,) singular values of the constraint; [0, 1] where only a plan is known."""
        return self.plan.values if self.plan is not None else np.array([0.0, 1.0])

    @property
    def multiplicities(self) -> np.ndarray:
        """(levels,) dimensions."""
        if self.plan is not None:
            return self.plan.multiplicities
        rows, cols = self.source.shape
        return np.array([self.source.dim, rows * cols - self.source.dim])

    @property
    def softness(self) -> float:
        """The mean gain over all maps that are not equivariant: 0 strict, 1 free."""
        m = self.multiplicities[1:]
        return float(self.gains[1:] @ m / m.sum()) if m.sum() else 1.0

    @cached_property
    def digest(self) -> str:
        """Names the levels and the gains, to ten digits."""
        held = self.plan.digest if self.plan is not None else f"two levels, {self.source.digest}"
        return hashlib.sha256(repr((held, [f"{x:.10e}" for x in self.gains.tolist()])).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SoftProjector) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<SoftProjector {self.shape}, {len(self.gains)} levels, softness {self.softness:.4g}>"


def soft_projector(
    space: Any,
    *,
    softness: float | None = None,
    cutoff: float | None = None,
    keep: float | None = None,
    gain: Any = None,
    profile: str = "heat",
    construction: str = "auto",
) -> SoftProjector:
    """A filter on the maps X -> Y between strict and free, as a pure function of the weight.

    Args:
        space: a space, its basis, a ``repcore.Soft``, whose gains are taken if none are given here; or a plan.
        softness: the mean gain of what is not equivariant, 0 to 1, in the form that ``profile`` says, see ``repcore.gains_at``.
        cutoff: b; gain 1 for singular values up to b, 0 above.
        keep: the share of the complement that is kept, in whole levels.
        gain: a function of a ``repcore.Level``, or one number for each level. Exactly one of these four is given.
        construction: of the levels, see ``repcore.soften``.
        profile: ``"heat"``, ``"tikhonov"``, ``"cutoff"`` or ``"blend"``.

    Returns:
        A callable W -> F W, :class:`SoftProjector`. With softness 1 it returns W itself, with 0 the projection.

    Raises:
        IncompatibleError: not exactly one choice, or a value out of range.

    Learn the gains with the weights by passing them as an argument: ``soft(W, jax.nn.sigmoid(raw))``.

    >>> import numpy as np, repcore as rc
    >>> V = rc.SO(3).rep
    >>> soft = soft_projector(V >> V, cutoff=1.5)
    >>> np.diagonal(soft(np.diag([1.0, 2.0, 6.0]).astype(np.float32))).round(4).tolist()
    [3.0, 3.0, 3.0]
    >>> W = np.eye(3)[[1, 2, 0]]
    >>> soft.at(1.0)(W) is not W and bool((soft.at(1.0)(W) == W).all())
    True
    """
    choice = {"softness": softness, "cutoff": cutoff, "keep": keep, "gain": gain}
    given = {name: value for name, value in choice.items() if value is not None}
    if isinstance(space, Projector):
        space = space.source
    if isinstance(space, rc.Soft) and not given:
        return SoftProjector(space.space, space.plan, space.gains)
    if len(given) != 1:
        raise IncompatibleError(
            f"{', '.join(_CHOICES)}: give exactly one, got {' and '.join(given) or 'none'}; softness=0 is strict"
        )
    ((name, value),) = given.items()
    free = _free(space, construction)
    if name == "softness":
        return free.at(value, profile)
    if free.plan is None:
        if name == "keep" and 0 <= value <= 1:
            return free.at(value, "cutoff")
        raise IncompatibleError(f"{name}: of a plan only the equivariant maps are known, not how far others are; give softness=")
    made = rc.Soft(free.source, free.plan, free.gains, "")
    return SoftProjector(free.source, free.plan, rc.soften(made, **{name: value}).gains)


@lru_cache(maxsize=64)
def _free(space: Any, construction: str) -> SoftProjector:
    if isinstance(space, rc.Plan):
        return SoftProjector(space, None, np.ones(2))
    soft = space if isinstance(space, rc.Soft) else rc.soften(space, keep=1, construction=construction)
    return SoftProjector(soft.space, soft.plan, np.ones(len(soft.plan)))


@jax.tree_util.register_static
@dataclass(frozen=True, eq=False)
class SoftSymmetry:
    """The filters of a whole model, as pure functions of its parameters; made by :func:`soften`.

    Attributes:
        symmetry: the weights and what they map.
        filters: one :class:`SoftProjector` for each site, in order.
    """

    symmetry: Symmetry
    filters: tuple[SoftProjector, ...]

    def __call__(self, params: Any, gains: Mapping[str, Any] | None = None) -> Any:
        """The parameters with each weight that a rule means filtered: apply the model to these, and learn the ones given.

        Args:
            params: the free parameters, as the symmetry was made for.
            gains: by path, (levels,) each, such as those of :attr:`gains` or learned ones; a path that is missing keeps its own.
        """
        found = dict(leaves_of(params))
        gains = dict(gains or {})
        unknown = sorted(set(gains) - {site.path for site in self.symmetry.sites})
        if unknown:
            raise IncompatibleError(f"gains: {unknown[0]!r} is no softened weight")
        done: dict[str, Any] = {}
        for site, soft in self.pairs:
            leaf = self.symmetry.checked(site, found.get(site.path))
            done[site.path] = site.view.write(soft(site.view.read(leaf), gains.get(site.path)))
        names = [name for name, _ in leaves_of(params)]
        values, structure = jax.tree_util.tree_flatten(params)
        return jax.tree_util.tree_unflatten(structure, [done.get(n, v) for n, v in zip(names, values, strict=True)])

    @property
    def pairs(self) -> tuple[tuple[Any, SoftProjector], ...]:
        """Each site with its filter."""
        return tuple(zip(self.symmetry.sites, self.filters, strict=True))

    @property
    def gains(self) -> dict[str, Array]:
        """The gains by path: a pytree, to be learned or scheduled."""
        return {site.path: jnp.asarray(soft.gains) for site, soft in self.pairs}

    @property
    def digests(self) -> dict[str, str]:
        """What the filters are, by path: store them beside the parameters, and compare when these are loaded."""
        return {site.path: soft.digest for site, soft in self.pairs}

    def at(self, softness: float, profile: str = "heat") -> SoftSymmetry:
        """The same levels at another softness."""
        return SoftSymmetry(self.symmetry, tuple(soft.at(softness, profile) for soft in self.filters))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SoftSymmetry) and self.symmetry == other.symmetry and self.filters == other.filters

    def __hash__(self) -> int:
        return hash((self.symmetry, self.filters))

    def __repr__(self) -> str:
        return f"<SoftSymmetry of {len(self.filters)} weights>"


def soften(symmetry: Symmetry, *, profile: str = "heat", construction: str = "auto", **choice: Any) -> SoftSymmetry:
    """The filters of all weights of a symmetry, between strict and free.

    Args:
        symmetry: of :func:`symmetry_of`.
        profile: as for :func:`soft_projector`.
        construction: likewise.
        choice: exactly one of ``softness=``, ``cutoff=``, ``keep=``, ``gain=``: a value, or a mapping from patterns to values, of
            which the first that means a weight counts.

    Returns:
        A pure function, ``soft(params)``.

    Raises:
        IncompatibleError: not exactly one choice, a value out of range; weights without a space, such as those of norms.

    >>> import numpy as np, repcore as rc
    >>> from repcore_jax import symmetry_of
    >>> V = rc.dihedral(4).rep
    >>> params = {"dense": {"kernel": np.array([[1.0, 2.0], [3.0, 5.0]], np.float32)}}
    >>> soft = soften(symmetry_of(params, {"dense": V >> V}), softness=0.5, profile="blend")
    >>> soft(params)["dense"]["kernel"].round(4).tolist()
    [[2.0, 1.0], [1.5, 4.0]]
    """
    if not isinstance(symmetry, Symmetry):
        raise IncompatibleError(f"symmetry: expected that of symmetry_of(params, rules), got {type(symmetry).__name__}")
    given = [name for name in _CHOICES if choice.get(name) is not None]
    if len(given) != 1 or set(choice) - set(_CHOICES):
        raise IncompatibleError(f"{', '.join(_CHOICES)}: give exactly one, got {' and '.join(choice) or 'none'}")
    values = rc.site_weights(choice[given[0]], symmetry.sites, given[0])
    filters: list[SoftProjector] = []
    for site, value in zip(symmetry.sites, values, strict=True):
        if site.plan is None:
            raise IncompatibleError(f"{site.path!r} belongs to a norm that has no space of maps; leave it out of the rules")
        one: dict[str, Any] = {given[0]: value}
        filters.append(soft_projector(rc.space_of(site) or site.plan, profile=profile, construction=construction, **one))
    return SoftSymmetry(symmetry, tuple(filters))


def _filtered(w: Array, gains: Any, plan: Any) -> Array:
    """sum_l gain_l P_l W, block by block; see :class:`repcore.SpectralPlan`."""
    done: list[Array] = []
    places: list[np.ndarray] = []
    for b in plan.blocks:
        (n, down), (m, across) = b.rows.shape, b.cols.shape
        if whole := _is_whole(b, plan.shape):
            tiles = w.reshape(*w.shape[:-2], n, down, m, across).swapaxes(-3, -2)
        else:
            tiles = w[..., b.rows[:, None, :, None], b.cols[None, :, None, :]]
        left, right = (None if x is None else x.astype(w.dtype) for x in (b.left, b.right))
        t = tiles if right is None else _einsum("...ij,jk->...ik", tiles, right)
        t = t if left is None else _einsum("ji,...jk->...ik", left.conj(), t)
        flat = t.reshape(*t.shape[:-2], down * across)
        ids = b.ids.ravel()
        live = np.flatnonzero(ids >= 0)
        parts, order = [flat[..., live] * gains[ids[live]]], [live]
        for c in b.cells:
            q = c.q.astype(w.dtype)
            x = _einsum("...cmn,cnk->...cmk", flat[..., c.at], np.broadcast_to(q, (len(c.at), *q.shape[1:])))
            x = _einsum("...cmk,cnk->...cmn", x * gains[c.ids][:, None, :], np.broadcast_to(q, (len(c.at), *q.shape[1:])).conj())
            parts.append(x.reshape(*flat.shape[:-1], c.at.size))
            order.append(c.at.ravel())
        t = jnp.concatenate(parts, -1)[..., np.argsort(np.concatenate(order))].reshape(t.shape)
        t = t if right is None else _einsum("...ik,jk->...ij", t, right.conj())
        t = t if left is None else _einsum("ij,...jk->...ik", left, t)
        if whole:
            return t.swapaxes(-3, -2).reshape(w.shape)
        done.append(t.reshape(*w.shape[:-2], n * m * down * across))
        places.append((b.rows[:, None, :, None] * w.shape[-1] + b.cols[None, :, None, :]).ravel())
    if not done:
        return w
    inverse = np.argsort(np.concatenate(places))
    return jnp.concatenate(done, -1)[..., inverse].reshape(w.shape)


def _is_whole(b: Any, shape: tuple[int, int]) -> bool:
    """Whether a block is the weight, so that a reshape reads it: no indices, which would be constants of its size."""
    return all(np.array_equal(at.ravel(), np.arange(size)) for at, size in zip((b.rows, b.cols), shape, strict=True))


def _einsum(formula: str, a: Any, b: Any) -> Array:
    # The default precision of an accelerator is below that of the dtype.
    return jnp.einsum(formula, a, b, precision=jax.lax.Precision.HIGHEST)
