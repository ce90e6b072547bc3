"""`ace`: adaptive constrained equivariance as pure functions: training decides layer by layer how much symmetry to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import repcore as rc
from repcore import IncompatibleError
from repcore_jax.projector import working_dtype
from repcore_jax.slots import leaves_of
from repcore_jax.surgery import Symmetry, replaced, symmetry_of

__all__ = ["ACE", "ACEState", "ace"]


class ACEState(NamedTuple):
    """What goes from step to step beside the parameters; a pytree.

    Attributes:
        gamma: of each layer, (k,).
        controller: the state of the controller, by name, over all gammas.
        last: the gradient of the last move, over all gammas.
        step: the number of steps so far.
        moves: the number of moves of gamma.
    """

    gamma: dict[str, Array]
    controller: dict[str, Array]
    last: Array
    step: Array
    moves: Array


@jax.tree_util.register_static
@dataclass(frozen=True, eq=False)
class ACE:
    """Pure functions that split weights into what is equivariant and the rest; made by :func:`ace`.

        params, state = ace.init(weights)
        weights = ace.expand(params, state.gamma)
        state = ace.update(gradient, state)

    ``params`` has ``{"theta": coefficients, "free": M}`` in the place of each weight that is split; it is what the optimiser
    learns. ``gradient`` is dJ/dgamma, a dictionary as ``state.gamma``, on examples that the optimiser does not see. All work
    under ``jit``, ``grad``, ``vmap`` and ``scan``. A pytree without leaves.

    Attributes:
        symmetry: what the weights map; its ``sites`` can be printed.
        controller: a ``repcore.Controller``.
    """

    symmetry: Symmetry
    controller: Any
    per: str
    scale: float | None
    gamma: float | None
    every: int
    until: int | None

    def init(self, params: Any, key: Array | None = None) -> tuple[Any, ACEState]:
        """The split parameters and the state, so that ``expand`` gives the weights back.

        Args:
            params: weights, as the model takes them.
            key: for N where a weight is equivariant as it is; by default ``jax.random.key(0)``.
        """
        leaves = dict(leaves_of(params))
        key = jax.random.key(0) if key is None else key
        split: dict[str, Any] = {}
        gamma: dict[str, Array] = {}
        for name, layer in self._layers.items():
            Ws = [_maps(site, self.symmetry.checked(site, leaves.get(site.path))) for site, _ in layer.members]
            thetas = [P.coefficients(W) for W, (_, P) in zip(Ws, layer.members, strict=True)]
            size = layer.size(thetas, self.scale)
            outside = [layer.turned(W - P(W)) for W, (_, P) in zip(Ws, layer.members, strict=True)]
            squares = layer.squares(outside)
            eps = jnp.finfo(size.dtype).eps
            whole = jnp.sqrt(sum((W.conj() * W).real.sum() for W in Ws))
            held = layer.live & (jnp.sqrt(squares) > eps * max(sum(P.shape) for _, P in layer.members) * whole)
            keys = jax.random.split(key, len(Ws) + 1)
            key, length = keys[0], jnp.sqrt(jnp.where(held, squares, 0).sum())
            entries = sum(W.size for W in Ws) ** 0.5
            for (site, P), W, N, theta, k in zip(layer.members, Ws, outside, thetas, keys[1:], strict=True):
                draw = jax.random.normal(k, W.shape, W.dtype) / entries
                drawn = layer.turned(draw - P(draw))
                mine = held[layer.index][:, None]
                mixed = jnp.where(mine, N / jnp.where(length > 0, length, 1), drawn) * jnp.where(size > 0, size, 1)
                M = site.view.write(layer.turned(mixed, back=True)).astype(leaves[site.path].dtype)
                split[site.path] = {"theta": theta.astype(M.dtype), "free": M}
            ratio = jnp.where(held & (size > 0), jnp.sqrt(squares * layer.count) / jnp.where(size > 0, size, 1), 0)
            gamma[name] = ratio if self.gamma is None else jnp.full_like(ratio, self.gamma)
        if self.per == "shared" and self.gamma is None:
            gamma = {"shared": jnp.stack(list(gamma.values())).mean(0)}
        elif self.per == "shared":
            gamma = {"shared": next(iter(gamma.values()))}
        flat = _flat(gamma)
        zero = jnp.zeros((), jnp.int32)
        return replaced(params, split), ACEState(gamma, self.controller.init(flat), jnp.zeros_like(flat), zero, zero)

    def expand(self, params: Any, gamma: Mapping[str, Array], *, branch: bool = True) -> Any:
        """The weights E + gamma s N / ||N||, as the model takes them; with ``branch=False`` E alone: strict.

        Where gamma is 0 the weight is E, bit by bit, compiled or not.
        """
        found = dict(leaves_of(params))
        out: dict[str, Array] = {}
        for name, layer in self._layers.items():
            held = [self._held(site, found) for site, _ in layer.members]
            inside = [P.expand(theta) for (theta, _), (_, P) in zip(held, layer.members, strict=True)]
            if branch:
                inside = self._added(layer, inside, held, gamma["shared" if self.per == "shared" else name])
            for (site, _), E, (_, M) in zip(layer.members, inside, held, strict=True):
                out[site.path] = site.view.write(E).astype(M.dtype)
        return _joined(params, out)

    def _added(self, layer: _Layer, inside: list[Array], held: list[tuple[Array, Array]], gamma: Array) -> list[Array]:
        outside, squares, size = self._parts(layer, held)
        share = gamma.astype(size.dtype) * size / jnp.sqrt(squares)
        rows = share[layer.index][:, None]
        out = []
        for E, N in zip(inside, outside, strict=True):
            more = layer.turned(rows * N, back=True)
            out.append(_sum(E, more, rows == 0 if layer.basis is None else (rows == 0).all()))
        return out

    def _parts(self, layer: _Layer, held: list[tuple[Array, Array]]) -> tuple[list[Array], Array, Array]:
        """Turned N of each weight, ||N||^2 of each gamma, infinite where there is nothing, and s / sqrt(k)."""
        outside = []
        for (_, M), (site, P) in zip(held, layer.members, strict=True):
            W = _maps(site, M)
            outside.append(layer.turned(W - P(W)))
        squares = layer.squares(outside)
        squares = jnp.where(layer.live & (squares > 0), squares, jnp.inf)
        return outside, squares, layer.size([theta for theta, _ in held], self.scale) / layer.count**0.5

    def update(self, gradient: Mapping[str, Array], state: ACEState) -> ACEState:
        """After each step of the optimiser: moves gamma where it is time to, once in ``every`` steps.

        Where a gradient costs an evaluation, look at :meth:`is_due` first and give :meth:`skip` the other steps.
        """
        flat, grad = _flat(state.gamma), _flat(gradient)
        new, controller = self.controller.update(flat, grad.astype(flat.dtype), state.controller, state.moves, jnp)
        due = self.is_due(state)

        def chosen(after: Any, before: Any) -> Any:
            return jnp.where(due, after, before).astype(before.dtype)

        kept = {name: chosen(value, state.controller[name]) for name, value in controller.items()}
        gamma = _cut(chosen(new, flat), state.gamma)
        last = chosen(grad, state.last)
        return ACEState(gamma, kept, last, state.step + 1, state.moves + due.astype(jnp.int32))

    def skip(self, state: ACEState) -> ACEState:
        """A step in which gamma does not move."""
        return state._replace(step=state.step + 1)

    def is_due(self, state: ACEState) -> Array:
        """Whether gamma moves in the step after this state."""
        following = state.step + 1
        due = following % self.every == 0
        return due if self.until is None else due & (following <= self.until)

    def defects(self, params: Any, state: ACEState) -> dict[str, tuple[Array, Array]]:
        """Of each layer: sqrt(2) ||W - P W||_F, the exact mean of its defect, and ||W - P W|| / ||P W||."""
        found = dict(leaves_of(params))
        out = {}
        for name, layer in self._layers.items():
            held = [self._held(site, found) for site, _ in layer.members]
            _, squares, size = self._parts(layer, held)
            gamma = state.gamma["shared" if self.per == "shared" else name]
            outside = size * jnp.sqrt((jnp.where(jnp.isinf(squares), 0, gamma) ** 2).sum())
            inside = layer.size([theta for theta, _ in held], None, True)
            out[name] = (2**0.5 * outside, jnp.where(inside > 0, outside / jnp.where(inside > 0, inside, 1), jnp.inf))
        return out

    def residuals(self, state: ACEState) -> dict[str, Array]:
        """How far the conditions of Karush, Kuhn and Tucker are from being met: name -> all gammas."""
        return self.controller.residuals(_flat(state.gamma), state.last, state.controller, jnp)

    def bounds(self, params: Any, state: ACEState) -> rc.BranchBounds:
        """:func:`repcore.branch_bounds` of the layers, in the order of the parameters; biases are left out. Not under ``jit``.

        A convolution counts with the norm of its kernel on a patch times the root of the number of cells.
        """
        found, rows = dict(leaves_of(params)), []
        for name, layer in self._layers.items():
            held = [self._held(site, found) for site, _ in layer.members]
            outside, squares, size = self._parts(layer, held)
            share = (size / jnp.sqrt(squares))[layer.index][:, None]
            gamma = state.gamma["shared" if self.per == "shared" else name]
            for (site, P), (theta, _), N in zip(layer.members, held, outside, strict=True):
                axes = site.rule.letters or site.slot.axes
                if P.shape[1] == 1 and "i" not in axes:
                    continue
                cells = np.prod([n for n, a in zip(site.slot.shape, axes, strict=True) if a == "s"]) ** 0.5
                pair = (P.expand(theta), layer.turned(share * N, back=True))
                norms = [float(cells * np.linalg.norm(np.asarray(M, complex), 2, axis=(-2, -1)).max()) for M in pair]
                rows.append((*norms, float(abs(gamma).max())))
        return rc.branch_bounds(*zip(*rows, strict=True)) if rows else rc.branch_bounds([0.0], [0.0], [0.0])

    def moment(self, params: Any, state: ACEState, *, bounds: bool = False) -> rc.Moment:
        """Where everything stands, as plain numbers, for a :class:`repcore.History`. Not under ``jit``."""

        def by_layer(values: Mapping[str, Array]) -> dict[str, float]:
            return {name: float(abs(v).max()) for name, v in values.items()}

        controller = {k: by_layer(_cut(v, state.gamma)) for k, v in state.controller.items() if k in ("multiplier", "slack")}
        defects = self.defects(params, state)
        found = self.bounds(params, state) if bounds else None
        return rc.Moment(
            int(state.step),
            by_layer(state.gamma),
            controller.get("multiplier", {}),
            controller.get("slack", {}),
            {name: float(mean) for name, (mean, _) in defects.items()},
            {name: float(relative) for name, (_, relative) in defects.items()},
            {name: float(value.max()) for name, value in self.residuals(state).items()} if int(state.moves) else {},
            None if found is None else found.dropping,
            None if found is None else found.equivariance,
        )

    def _held(self, site: Any, found: dict[str, Any]) -> tuple[Array, Array]:
        pair = [found.get(f"{site.path}/{name}") for name in ("theta", "free")]
        if pair[0] is None or pair[1] is None:
            raise IncompatibleError(f"params: {site.path!r} is not split; give what init returned, not the weights")
        return jnp.asarray(pair[0]), jnp.asarray(pair[1])

    @cached_property
    def _layers(self) -> dict[str, _Layer]:
        groups: dict[Any, list[Any]] = {}
        for site, P in self.symmetry.projectors:
            space = site.space.codomain if self.per in ("channel", "irrep") and site.space is not None else None
            groups.setdefault((site.slot.owner, space), []).append((site, P))
        layers: dict[str, _Layer] = {}
        for (owner, _), members in groups.items():
            name, number = owner or "model", 0
            while name in layers:
                number += 1
                name = f"{owner or 'model'}[{number}]"
            index, count, basis = rc.gamma_rows(members[0][0], self.per)
            live = np.logical_or.reduce([rc.live_rows(P.plan, index, count, basis) for _, P in members])
            layers[name] = _Layer(tuple(members), index, count, basis, live)
        return layers

    def __repr__(self) -> str:
        return f"<ACE of {len(self._layers)} layers: {self.controller!r}>"


@jax.custom_jvp
def _sum(E: Array, more: Array, is_zero: Array) -> Array:
    """E + more, and E itself, bit by bit, where more is 0; there too the derivative is that of the sum, so that 0 is no trap."""
    return jnp.where(is_zero, E, E + more)


@_sum.defjvp
def _sum_jvp(primals: Any, tangents: Any) -> Any:
    return _sum(*primals), tangents[0] + tangents[1]


class _Layer(NamedTuple):
    """Weights with one norm and ``count`` gammas, see :func:`repcore.gamma_rows`."""

    members: tuple[Any, ...]
    index: np.ndarray
    count: int
    basis: np.ndarray | None
    live: np.ndarray

    def turned(self, W: Array, back: bool = False) -> Array:
        if self.basis is None:
            return W
        return jnp.asarray(self.basis if back else self.basis.conj().T, W.dtype) @ W

    def squares(self, outside: list[Array]) -> Array:
        rows = sum((N.conj() * N).real.sum(-1).reshape(-1, N.shape[-2]).sum(0) for N in outside)
        return jax.ops.segment_sum(rows, jnp.asarray(self.index), self.count)

    def size(self, thetas: list[Array], scale: float | None, plain: bool = False) -> Array:
        """s: the scale, by default ||E||, which is ||theta||; 1 where every equivariant weight is 0."""
        total = sum((t.conj() * t).real.sum() for t in thetas)
        if not plain and (scale is not None or not any(P.plan.dim for _, P in self.members)):
            return jnp.full_like(total, 1.0 if scale is None else scale)
        # The derivative of a root at 0 is infinite.
        return jnp.where(total > 0, jnp.sqrt(jnp.where(total > 0, total, 1)), 0)


def ace(
    params: Any,
    rules: Any,
    *,
    symmetry: rc.Spec | rc.Group | None = None,
    controller: rc.Controller | None = None,
    per: str = "layer",
    scale: str | float = "equivariant",
    gamma: float | None = None,
    every: int = 10,
    steps: int | None = None,
    freeze: float = 0.2,
) -> ACE:
    """Split each weight that rules mean into what is equivariant and the rest, and let a controller weigh the rest.

        W = E + gamma s N / ||N||_F,    E = sum_a theta_a B_a,    N = (I - P) M

    theta and M are learned by the optimiser, gamma by the controller. N is orthogonal to every equivariant map and its length is
    divided out: with s = ||E||_F gamma is ||W - P W|| / ||P W||, and the mean over the group of the squared defect
    of a layer is exactly 2 (gamma s)^2. A weight and its bias are one layer. At gamma = 0 the weights are
    strict, bit by bit. (Manolache, Chamon and Niepert, NeurIPS 2025, arXiv 2505.13631, with a free f_neq.)

    Args:
        params: any pytree of parameters, or of their shapes.
        rules: as for :func:`symmetry_of`.
        symmetry: the spec or the group that gives texts their meaning.
        controller: a ``repcore.Controller``; by default ``repcore.Resilient.default()``.
        per: ``"layer"``, ``"shared"``, ``"channel"`` (one gamma for each copy of a summand of the outputs) or ``"irrep"``; s is
            divided by the root of the number of gammas of a layer.
        scale: s: ``"equivariant"``, the norm ||E||_F of the layer (1 where no map but zero is equivariant); or a number.
        gamma: to begin with, in place of what the weights say.
        every: steps from one move of gamma to the next.
        steps: of the whole training; gamma does not move in the last part of it. None: it always does.
        freeze: the last part, from 0 to 1.

    Returns:
        An :class:`ACE`: ``init``, ``expand``, ``update``.

    Raises:
        IncompatibleError: rules that do not fit, as :func:`symmetry_of`; options that are not as above. SpecError: a text that
            cannot be read.

    >>> import jax, jax.numpy as jnp, optax, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> weights = {"dense": {"kernel": jnp.array([[2.0, 1.0], [1.0, 2.0]])}}
    >>> method = ace(weights, {"dense": V >> V}, every=1)
    >>> params, state = method.init(weights)
    >>> round(float(state.gamma["dense"][0]), 4)
    0.5
    >>> def loss(params, gamma):
    ...     return (method.expand(params, gamma)["dense"]["kernel"][0, 1] - 1) ** 2
    >>> tx = optax.adam(1e-2)
    >>> updates, _ = tx.update(jax.grad(loss)(params, state.gamma), tx.init(params))
    >>> params = optax.apply_updates(params, updates)
    >>> state = method.update(jax.grad(loss, argnums=1)(params, state.gamma), state)
    >>> int(state.step), method.expand(params, state.gamma, branch=False)["dense"]["kernel"].shape
    (1, (2, 2))
    """
    for name, count in (("every", every), ("steps", 1 if steps is None else steps)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise IncompatibleError(f"{name}: is {count!r}; give a whole number, at least 1")
    if not 0 <= freeze <= 1:
        raise IncompatibleError(f"freeze is {freeze!r}; give a part of the training, from 0 to 1")
    controller = rc.Resilient.default() if controller is None else controller
    if not isinstance(controller, rc.Controller):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"controller: is {type(controller).__name__}; give a repcore.Controller, such as rc.Resilient()")
    if gamma is not None and (isinstance(gamma, bool) or not isfinite(gamma)):
        raise IncompatibleError(f"gamma is {gamma!r}; give a number, or None for what the weights say")
    if scale != "equivariant" and (isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < float("inf")):
        raise IncompatibleError(f"scale is {scale!r}; give 'equivariant' or a positive number")
    found = symmetry_of(params, rules, symmetry=symmetry)
    for site in found.sites:
        rc.gamma_rows(site, per)
    until = None if steps is None else round(steps * (1 - freeze))
    return ACE(found, controller, per, None if isinstance(scale, str) else float(scale), gamma, every, until)


def _maps(site: Any, leaf: Array) -> Array:
    return site.view.read(leaf).astype(working_dtype(leaf.dtype, False))


def _flat(gamma: Mapping[str, Array]) -> Array:
    return jnp.concatenate(list(gamma.values()))


def _cut(flat: Array, like: Mapping[str, Array]) -> dict[str, Array]:
    ends = np.cumsum([len(g) for g in like.values()])[:-1]
    return dict(zip(like, jnp.split(flat, ends), strict=True))


def _joined(params: Any, weights: dict[str, Array]) -> Any:
    """The pytree with a weight in the place of each split pair."""

    def is_pair(x: Any) -> bool:
        return isinstance(x, Mapping) and x.keys() == {"theta", "free"}

    names = [name for name, _ in leaves_of(params, is_pair)]
    values, structure = jax.tree_util.tree_flatten(params, is_pair)
    return jax.tree_util.tree_unflatten(structure, [weights.get(n, v) for n, v in zip(names, values, strict=True)])
