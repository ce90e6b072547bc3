"""`regulariser`: the penalty on what is not equivariant in all weights of a model, as a pure function with an explicit state."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

import repcore as rc
from repcore import IncompatibleError
from repcore_jax.norms import dual_of
from repcore_jax.penalty import combined, measured, spectral_state
from repcore_jax.slots import leaves_of
from repcore_jax.spectral import SpectralState
from repcore_jax.surgery import Symmetry, symmetry_of

__all__ = ["Regulariser", "RegulariserState", "regulariser"]

_REDUCTIONS = ("none", "mean")


class RegulariserState(NamedTuple):
    """What goes from step to step; a pytree.

    Attributes:
        step: the number of steps so far.
        spectral: by group and path, the singular vectors of weights whose norm is spectral, with ``value``, ``error`` and
            ``upper`` of :class:`SpectralState`.
    """

    step: Array
    spectral: tuple[dict[str, Any], ...]


@jax.tree_util.register_static
@dataclass(frozen=True, eq=False)
class Regulariser:
    """Over the weights W that rules mean, sum of weight * N(W - P W) + equivariant * N(P W); made by :func:`regulariser`.

    ``value, state = reg(params, state)`` is pure: it works under ``jit``, ``grad`` (``has_aux=True``), ``vmap`` and ``scan``. A
    pytree without leaves.

    Attributes:
        symmetries: what the weights map, one :class:`Symmetry` for each group; their ``sites`` can be printed.
    """

    symmetries: tuple[Symmetry, ...]
    shares: tuple[float, ...]
    norm: Any
    outer: tuple[tuple[Any, ...], ...]
    inner: tuple[tuple[Any, ...], ...]
    relative: bool
    reduction: str
    every: int
    scaled: bool
    biases: bool
    steps: int

    def init(self, params: Any) -> RegulariserState:
        """The state before the first step."""
        leaves = dict(leaves_of(params))
        spectral: list[dict[str, SpectralState]] = []
        for number, symmetry in enumerate(self.symmetries):
            mine: dict[str, SpectralState] = {}
            for site, P in self._penalised[number] if self.norm in ("spectral", "auto") else ():
                leaf = symmetry.checked(site, leaves.get(site.path))
                both = 1.0 if self._both[number] else 0.0
                mine[site.path] = spectral_state(site.view.read(leaf), P, relative=self.relative, equivariant=both)
            spectral.append(mine)
        return RegulariserState(jnp.zeros((), jnp.int32), tuple(spectral))

    def __call__(self, params: Any, state: RegulariserState) -> tuple[Array, RegulariserState]:
        """The value at the step of the state, and the next state."""
        if self.every == 1:
            value, spectral = self._value(params, state)
        else:
            factor = self.every if self.scaled else 1

            def due() -> tuple[Array, tuple[dict[str, SpectralState], ...]]:
                value, spectral = self._value(params, state)
                return value * factor, spectral

            like = jax.eval_shape(due)[0]
            value, spectral = jax.lax.cond(
                state.step % self.every == 0, due, lambda: (jnp.zeros(like.shape, like.dtype), state.spectral)
            )
        return value, RegulariserState(state.step + 1, spectral)

    def parts(self, params: Any, state: RegulariserState) -> dict[str, Array]:
        """What each weight adds to the value at the step of the state, whatever ``every`` says: path -> scalar."""
        return self._parts(params, state)[0]

    def _value(self, params: Any, state: RegulariserState) -> tuple[Array, tuple[dict[str, SpectralState], ...]]:
        parts, spectral = self._parts(params, state)
        return sum(parts.values(), jnp.zeros(())), spectral

    def _parts(self, params: Any, state: RegulariserState) -> tuple[dict[str, Array], tuple[dict[str, SpectralState], ...]]:
        leaves = dict(leaves_of(params))
        parts: dict[str, Array] = {}
        spectral: list[dict[str, SpectralState]] = []
        for number, symmetry in enumerate(self.symmetries):
            kept: dict[str, SpectralState] = {}
            share = self.shares[number]
            for k, (site, P) in enumerate(self._penalised[number]):
                W = site.view.read(symmetry.checked(site, leaves.get(site.path)))
                pair: list[Any] = [self.outer[number][k], self.inner[number][k]]
                weights = [share * _at(w, state.step) for w in pair[: 1 + self._both[number]]]
                value, following = self._one(W, P, weights, self._both[number], state.spectral[number].get(site.path))
                parts[site.path] = parts.get(site.path, jnp.zeros(())) + value.sum()
                if following is not None:
                    kept[site.path] = following
            spectral.append(kept)
        return parts, tuple(spectral)

    def _one(
        self, W: Array, P: Any, weights: list[Any], both: bool, state: SpectralState | None
    ) -> tuple[Array, SpectralState | None]:
        norm = "spectral" if self.norm == "auto" else self.norm
        values, scale, following = measured(W, P, norm, both, self.relative, state, self.steps)
        value = combined(weights, values, scale, norm, self.reduction, P.shape)
        if self.norm != "auto":
            return value, following
        plain, size, _ = measured(W, P, "fro", both, self.relative, None, 1)
        other = combined(weights, plain, size, "fro", self.reduction, P.shape)
        # The stable rank ||R||_F^2 / ||R||_2^2 is at most 2.
        narrow = jax.lax.stop_gradient(plain[0] ** 2 <= 2 * values[0] ** 2)
        return jnp.where(narrow, value, other), following

    @cached_property
    def _both(self) -> tuple[bool, ...]:
        return tuple(any(callable(w) or w for w in each) for each in self.inner)

    @cached_property
    def _penalised(self) -> tuple[list[tuple[Any, Any]], ...]:
        return tuple(_kept(symmetry, self.biases) for symmetry in self.symmetries)

    def __repr__(self) -> str:
        return f"<Regulariser {self.norm!r} on {sum(map(len, self._penalised))} weights>"


def regulariser(
    params: Any,
    rules: Any,
    *,
    symmetry: rc.Spec | rc.Group | None = None,
    norm: str | tuple[float, float] = "fro2",
    weight: Any = 1.0,
    equivariant: Any = 0.0,
    relative: bool = False,
    reduction: str = "none",
    every: int = 1,
    scaled: bool = True,
    biases: bool = True,
    steps: int = 1,
) -> Regulariser:
    """The penalty of a whole model: sum over its weights of weight * N(W - P W) + equivariant * N(P W).

    P projects each weight onto the equivariant maps that its rule says, over the whole group and exactly; N is one of the norms
    of :func:`penalty`, taken of each map. (Berndt and Stuehmer, arXiv 2601.05028.)

    Args:
        params: any pytree of parameters, or of their shapes.
        rules: as for :func:`symmetry_of`; or a sequence of pairs (rules, weight), one for each of several groups.
        symmetry: the spec or the group that gives texts their meaning.
        norm: as for :func:`penalty`; or ``"auto"``: at each step ``"spectral"`` for a weight whose residual R has a stable rank
            ||R||_F^2 / ||R||_2^2 of at most 2, else ``"fro"``.
        weight: lambda_perp: a number; a schedule of optax or any function of the step, which may be traced; or a mapping from
            patterns to one of these, of which the first that means a weight counts (``"**"`` at the end means all others).
        equivariant: lambda_G, likewise.
        relative: divide N(W - P W) by N(W).
        reduction: ``"mean"``: per entry, see :func:`penalty`. The weights are summed in any case.
        every: measure at each so many steps only; the steps between give zero.
        scaled: multiply by ``every`` then, so that the mean over the steps is that of ``every=1``.
        biases: whether biases count.
        steps: of power iteration, for ``"spectral"`` and ``"auto"``.

    Returns:
        A :class:`Regulariser`: ``state = reg.init(params)``, then ``value, state = reg(params, state)``.

    Raises:
        IncompatibleError: rules that do not fit, as :func:`symmetry_of`; a negative weight; an unknown norm. SpecError: a text
            that cannot be read.

    >>> import jax, numpy as np, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> params = {"dense": {"kernel": np.array([[1.0, 2.0], [2.0, 1.0]], np.float32)}}
    >>> reg = regulariser(params, {"dense": V >> V}, weight=0.5)
    >>> (value, state), grad = jax.value_and_grad(reg, has_aux=True)(params, reg.init(params))
    >>> round(float(value), 5), grad["dense"]["kernel"].round(5).tolist(), int(state.step)
    (2.0, [[0.0, 1.0], [1.0, 0.0]], 1)
    """
    for name, count in (("every", every), ("steps", steps)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise IncompatibleError(f"{name}: is {count!r}; give a whole number, at least 1")
    if norm not in ("fro", "fro2", "auto"):
        dual_of(norm)
    if reduction not in _REDUCTIONS:
        raise IncompatibleError(f"reduction is {reduction!r}; choose one of {', '.join(map(repr, _REDUCTIONS))}")
    if relative and reduction == "mean":
        raise IncompatibleError("relative=True and reduction='mean' both divide by the size of the weight; choose one")
    pairs = _pairs(rules)
    symmetries = tuple(symmetry_of(params, each, symmetry=symmetry) for each, _ in pairs)
    sites = [[site for site, _ in _kept(one, biases)] for one in symmetries]
    if not all(sites):
        raise IncompatibleError("rules: mean biases only, and biases=False leaves these out")
    return Regulariser(
        symmetries,
        tuple(share for _, share in pairs),
        norm,
        tuple(rc.site_weights(weight, each, "weight") for each in sites),
        tuple(rc.site_weights(equivariant, each, "equivariant") for each in sites),
        relative,
        reduction,
        every,
        scaled,
        biases,
        steps,
    )


def _at(weight: Any, step: Array) -> Any:
    return weight(step) if callable(weight) else weight


def _kept(symmetry: Symmetry, biases: bool) -> list[tuple[Any, Any]]:
    return [(site, P) for site, P in symmetry.projectors if biases or site.slot.role not in ("bias", "shift")]


def _pairs(rules: Any) -> list[tuple[Any, float]]:
    if not isinstance(rules, list | tuple):
        return [(rules, 1.0)]
    pairs = [pair for pair in rules if isinstance(pair, tuple) and len(pair) == 2]
    if not pairs or len(pairs) < len(rules):
        raise IncompatibleError("rules: a sequence must hold pairs (rules, weight), one for each group, and at least one")
    for _, share in pairs:
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < float("inf"):
            raise IncompatibleError(f"rules: a pair has the weight {share!r}; give a number >= 0")
    return [(each, float(share)) for each, share in pairs]
