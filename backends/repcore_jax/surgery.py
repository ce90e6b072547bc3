"""`symmetrize`: the parameters of a whole model by rules, as pure functions of the pytree."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, overload

import jax
import jax.numpy as jnp
from jax import Array

import repcore as rc
from repcore import IncompatibleError, RepcoreWarning
from repcore_jax.penalty import penalty
from repcore_jax.projector import Projector, projector, working_dtype
from repcore_jax.slots import leaves_of, slots_of

__all__ = ["Symmetry", "replaced", "symmetrize", "symmetry_of"]

Start = Literal["project", "rescale"]

_Verb = Callable[[Any, Projector, Array], Array]


@jax.tree_util.register_static
@dataclass(frozen=True, eq=False)
class Symmetry:
    """What the weights of a model map, as pure functions of its parameters; made by :func:`symmetry_of`.

    With P the projector of each weight that a rule means, leaving all others as they are:

        project(params)         W -> P W
        coefficients(params)    W -> theta, the coefficients of P W: what a strictly equivariant model learns
        expand(thetas)          theta -> W = sum_a theta_a B_a: what ``model.apply`` takes

    All three keep the structure of the pytree, and work under ``jit``, ``grad`` and ``vmap``. Immutable; equal and hashed by
    digests and paths; a pytree without leaves, so that it can be closed over or passed to ``jit``.

    Attributes:
        sites: the weights, a :class:`repcore.Sites`; print it.
    """

    sites: rc.Sites

    def project(self, params: Any, *, start: Start = "project") -> Any:
        """Each weight replaced by its projection; with ``start="rescale"`` as long as it was, see :func:`symmetrize`."""
        if start not in _VERBS:
            raise IncompatibleError(f"start is {start!r}; choose one of {', '.join(map(repr, _VERBS))}")
        return self._mapped(params, _VERBS[start])

    def coefficients(self, params: Any) -> Any:
        """Each weight replaced by its coefficients (..., dim)."""
        return self._mapped(params, _coefficients)

    def expand(self, thetas: Any) -> Any:
        """Coefficients replaced by the weights that they mean, the inverse of :meth:`coefficients` on equivariant parameters."""
        return self._mapped(thetas, _expanded)

    def penalty(self, params: Any, norm: str | tuple[float, float] = "fro2", **options: Any) -> Array:
        """The sum over all weights and their maps of :func:`repcore_jax.penalty`, with its options; biases count."""
        found = dict(leaves_of(params))
        total = jnp.zeros(())
        for site, P in self.projectors:
            total = total + penalty(site.view.read(self.checked(site, found.get(site.path))), P, norm, **options).sum()
        return total

    def keep_equivariant(self) -> Any:
        """Updates u -> P (p + u) - p as the last link of a chain of optax: see :func:`repcore_jax.keep_equivariant`."""
        import optax

        def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
            if params is None:
                raise ValueError("keep_equivariant projects params + updates: call update(updates, state, params)")
            steps, found = dict(leaves_of(updates)), dict(leaves_of(params))

            def moved(site: Any, P: Projector) -> Array:
                leaf, step = self.checked(site, found.get(site.path)), jnp.asarray(steps[site.path])
                work = working_dtype(leaf.dtype, False)
                p, u = leaf.astype(work), step.astype(work)
                return (site.view.write(P(site.view.read(p + u))) - p).astype(step.dtype)

            return replaced(updates, {site.path: moved(site, P) for site, P in self.projectors}), state

        return optax.GradientTransformation(lambda params: (self.check(params), optax.EmptyState())[1], update)

    @cached_property
    def projectors(self) -> tuple[tuple[Any, Projector], ...]:
        """Each site with its projector."""
        return tuple((site, projector(site.plan)) for site in self.sites)

    def check(self, params: Any) -> None:
        """Raise IncompatibleError if these are not parameters of this symmetry."""
        found = dict(leaves_of(params))
        for site in self.sites:
            self.checked(site, found.get(site.path))

    def checked(self, site: Any, leaf: Any, *, is_theta: bool = False) -> Array:
        """The weight of a site, or its coefficients; raises IncompatibleError if there is none, or one of another shape."""
        wanted = (*site.view.batch, site.plan.dim) if is_theta else site.view.shape
        if leaf is None:
            raise IncompatibleError(f"params: there is no {site.path!r}; the symmetry was made for other parameters")
        array = jnp.asarray(leaf)
        if array.shape != wanted:
            other = "coefficients" if is_theta else "a weight"
            raise IncompatibleError(f"params: {site.path!r} has shape {array.shape}; {other} of shape {wanted} is needed here")
        return array

    @cached_property
    def _key(self) -> tuple[Any, ...]:
        return tuple((site.path, site.view, site.plan and site.plan.digest) for site in self.sites)

    def _mapped(self, tree: Any, verb: _Verb) -> Any:
        found = dict(leaves_of(tree))
        leaves = {s.path: self.checked(s, found.get(s.path), is_theta=verb is _expanded) for s in self.sites}
        return replaced(tree, _run(self, verb, leaves))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Symmetry) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"<Symmetry of {len(self.sites)} weights>"


@partial(jax.jit, static_argnums=(0, 1))
def _run(symmetry: Symmetry, verb: _Verb, leaves: dict[str, Array]) -> dict[str, Array]:
    # Compiled as one: operation by operation, each shape would be compiled for itself.
    return {site.path: verb(site, P, leaves[site.path]) for site, P in symmetry.projectors}


def _projected(site: Any, P: Projector, leaf: Array) -> Array:
    return site.view.write(P(site.view.read(leaf)))


def _rescaled(site: Any, P: Projector, leaf: Array) -> Array:
    W = _projected(site, P, leaf)
    if site.slot.role == "bias":
        return W
    before, after = jnp.linalg.norm(leaf.ravel()), jnp.linalg.norm(W.ravel())
    return (W * jnp.where(after > 0, before / jnp.where(after > 0, after, 1), 1)).astype(W.dtype)


def _coefficients(site: Any, P: Projector, leaf: Array) -> Array:
    return P.coefficients(site.view.read(leaf))


def _expanded(site: Any, P: Projector, theta: Array) -> Array:
    return site.view.write(P.expand(theta))


_VERBS: dict[str, _Verb] = {"project": _projected, "rescale": _rescaled}


def symmetry_of(params: Any, rules: Any, *, symmetry: rc.Spec | rc.Group | None = None) -> Symmetry:
    """What the weights of a pytree of parameters map, by rules: the pure functions of :class:`Symmetry`.

    Args:
        params: any pytree: of flax linen or nnx, of Equinox, plain dictionaries; arrays, or their shapes (``jax.eval_shape``).
        rules: a mapping from patterns of paths, ``"params/Dense_*"`` for layers or ``"params/Dense_0/kernel"`` for one weight,
            to what they map, as for ``repcore_torch.symmetrize``; or a ``repcore.Spec`` with ``[rules]``. Axes are those of the
            frameworks, see below; others are told by ``rc.Rule(space, axes="b i o")``.
        symmetry: the spec or the group that gives texts their meaning.

    A leaf ``kernel`` is (in, out) or (cells..., in, out), ``weight`` (out, in) or (out, in, cells...), ``embedding`` (token,
    out). The scale and bias of a norm take X, if the group permutes its features; else use :func:`layer_norm` and its like. So do
    running statistics, which a rule must mean as well: ``"*/BatchNorm_0"`` stands for those of ``params`` and ``batch_stats``.

    Raises:
        IncompatibleError: a rule that means nothing, with near misses; two rules for one weight; a shape that does not fit.
        SpecError: a text that cannot be read.

    >>> import jax, numpy as np, repcore as rc
    >>> params = {"Dense_0": {"kernel": np.ones((2, 8)), "bias": np.ones(8)}}
    >>> found = symmetry_of(params, {"Dense_0": "V >> regular"}, symmetry=rc.dihedral(4))
    >>> found.sites
    weight          shape  layer   rule     maps          before  after
    Dense_0/bias    8      linear  Dense_0  1 >> regular       8      1
    Dense_0/kernel  2 x 8  linear  Dense_0  V >> regular      16      2
    24 parameters become 3
    >>> jax.tree.map(lambda x: x.shape, found.coefficients(params))
    {'Dense_0': {'bias': (1,), 'kernel': (2,)}}
    """
    made = Symmetry(rc.resolve(rules, slots_of(params), symmetry))
    found = dict(leaves_of(params))
    for site in made.sites:
        if site.plan is not None and site.plan.is_complex and not jnp.issubdtype(found[site.path].dtype, jnp.complexfloating):
            raise IncompatibleError(
                f"{site.path!r} is real ({found[site.path].dtype}) and its space is complex: use the realified representations "
                "(V.realify()), or a complex weight"
            )
    return made


@overload
def symmetrize(
    params: Any, rules: Any, *, symmetry: rc.Spec | rc.Group | None = None, start: Start = "project", dry_run: Literal[True]
) -> rc.Sites: ...
@overload
def symmetrize(
    params: Any,
    rules: Any,
    *,
    symmetry: rc.Spec | rc.Group | None = None,
    start: Start = "project",
    dry_run: Literal[False] = False,
) -> Any: ...
def symmetrize(
    params: Any,
    rules: Any,
    *,
    symmetry: rc.Spec | rc.Group | None = None,
    start: Start = "project",
    dry_run: bool = False,
) -> Any:
    """The parameters with each weight that a rule means replaced by its projection.

    The same as ``symmetry_of(params, rules).project(params)``. What keeps them there in training is a :class:`Symmetry`: its
    coefficients as what is learned, or its ``keep_equivariant()`` as the last link of the optimiser's chain.

    Args:
        params: any pytree; it is not changed.
        rules: see :func:`symmetry_of`.
        symmetry: likewise.
        start: ``"project"``: W -> P W, which keeps what trained weights have learned. ``"rescale"``: W -> P W ||W|| / ||P W||,
            for fresh parameters: nearly nothing of a random weight is equivariant, and its projection alone would let hardly
            any signal through. Biases are projected.
        dry_run: compute nothing, and return the table of what would be done; print it.

    Returns:
        A pytree of the same structure; for a dry run :class:`repcore.Sites`.

    Raises:
        IncompatibleError, SpecError: as :func:`symmetry_of`.

    Warns:
        RepcoreWarning: a weight whose space has dimension 0, so that the layer is zero.

    >>> import numpy as np, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> params = symmetrize({"dense": {"kernel": np.array([[1.0, 2.0], [3.0, 5.0]])}}, {"dense": V >> V})
    >>> params["dense"]["kernel"].round(5).tolist()
    [[3.0, 0.0], [0.0, 3.0]]
    """
    found = symmetry_of(params, rules, symmetry=symmetry)
    if dry_run:
        return found.sites
    for site in found.sites:
        if site.after == 0 and site.before and site.slot.role != "bias":
            warnings.warn(
                f"the space of {site.path!r}, {site.label}, has dimension 0: no map but zero is equivariant, so it becomes zero",
                RepcoreWarning,
                stacklevel=2,
            )
    return found.project(params, start=start)


def replaced(tree: Any, leaves: dict[str, Any]) -> Any:
    """The pytree with other leaves at these paths."""
    names = [name for name, _ in leaves_of(tree)]
    values, structure = jax.tree_util.tree_flatten(tree)
    return jax.tree_util.tree_unflatten(structure, [leaves.get(n, v) for n, v in zip(names, values, strict=True)])
