"""layer_norm, rms_norm, batch_norm: normalisation with statistics that the group does not change, as pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from repcore import IncompatibleError
from repcore_jax.features import Features, FieldTable, along, features_of, times, working

__all__ = ["BatchNorm", "LayerNorm", "batch_norm", "layer_norm", "rms_norm"]

Params = dict[str, Array]


@jax.tree_util.register_static
@dataclass(frozen=True)
class LayerNorm:
    """Normalisation of the features at each place, with or without a mean; made by :func:`layer_norm` and :func:`rms_norm`.

    Immutable; a pytree without leaves. Parameters are a dict: ``"weight"``, (copies,), and ``"bias"``, (number of invariants,) if
    there are any and a mean is taken. They mean what they mean in ``repcore_torch.LayerNorm``.

    Attributes:
        features: the fields of X.
        eps: added to the mean square; None for the machine epsilon of the dtype of x.
        affine: whether there are parameters.
        axis: the axis of x that holds the features.
        centred: whether the mean is subtracted.
    """

    features: Features
    eps: float | None
    affine: bool
    axis: int
    centred: bool

    def init(self, key: Array | None = None, dtype: Any = None) -> Params:
        """Gains of one, biases of zero; ``key`` is not needed."""
        return _first(self._sizes, dtype)

    def apply(self, params: Params, x: ArrayLike) -> Array:
        """y, of the shape and dtype of x."""
        x, features = jnp.asarray(x), self.features
        axis, work = features.axis(x, self.axis), working(x, features.who)
        params = features.checked(params, self._sizes)
        z = x.astype(work)
        if self.centred and features.mean.any():
            u = along(features.mean.astype(work), axis, x.ndim)
            z = z - u * (jnp.sum(z * u, axis, keepdims=True) / float((features.mean**2).sum()))
        eps = float(jnp.finfo(x.dtype).eps) if self.eps is None else self.eps
        y = z * jax.lax.rsqrt(jnp.mean(z * z, axis, keepdims=True) + eps)
        if "weight" in params:
            y = y * along(params["weight"].astype(work)[features.owner], axis, x.ndim)
        if "bias" in params:
            y = y + along(features.shift(params["bias"].astype(work)), axis, x.ndim)
        return y.astype(x.dtype)

    def __repr__(self) -> str:
        return f"<{self.features.who} {_shown(self.features)}, eps={self.eps}, affine={self.affine}, axis={self.axis}>"

    @property
    def _sizes(self) -> dict[str, int]:
        return _sizes(self.features, self.affine, self.centred)


def layer_norm(X: Any, *, eps: float = 1e-5, affine: bool = True, axis: int = -1) -> LayerNorm:
    """Layer normalisation that commutes with X, as pure functions: ``init() -> params`` and ``apply(params, x) -> y``.

    With u the invariant vector nearest to (1, ..., 1)::

        z = x - u <u, x> / <u, u>,        y = g z / sqrt(|z|^2 / dim X + eps) + b,

    one gain g for each copy of a summand, b an invariant vector. Where the group permutes the features, u is the vector of ones.
    See ``repcore_torch.LayerNorm``, with the same parameters.

    Args:
        X: an orthogonal, real representation.
        eps: added to the mean square.
        affine: have parameters.
        axis: the axis of x that holds the features.

    Raises:
        IncompatibleError: X is not orthogonal or not real; in a call, an x or parameters of another size.

    >>> import jax, repcore as rc
    >>> D4 = rc.dihedral(4)
    >>> norm = layer_norm(3 * rc.regular(D4) + 2 * D4.rep)
    >>> params = norm.init()
    >>> params["weight"].shape, params["bias"].shape, norm.apply(params, jax.numpy.ones((7, 28))).shape
    ((5,), (3,), (7, 28))
    """
    return LayerNorm(features_of(X, "layer_norm", axis), eps, affine, axis, True)


def rms_norm(X: Any, *, eps: float | None = 1e-5, affine: bool = True, axis: int = -1) -> LayerNorm:
    """Normalisation by the root of the mean square, ``y = g x / sqrt(|x|^2 / dim X + eps)``, as pure functions.

    See ``repcore_torch.RMSNorm``, with the same parameters, and :func:`layer_norm`.

    Args:
        X: an orthogonal, real representation.
        eps: added to the mean square; None for the machine epsilon of the dtype of x.
        affine: have a gain for each copy.
        axis: the axis of x that holds the features.

    Raises:
        IncompatibleError: as :func:`layer_norm`.

    >>> import jax, repcore as rc
    >>> norm = rms_norm(rc.irreps_from("2x0e+1x1o", rc.O(3)))
    >>> norm.apply(norm.init(), jax.numpy.array([0.0, 0.0, 0.0, 3.0, 4.0])).round(3).tolist()[:3]
    [0.0, 0.0, 0.0]
    """
    return LayerNorm(features_of(X, "rms_norm", axis), eps, affine, axis, False)


@jax.tree_util.register_static
@dataclass(frozen=True)
class BatchNorm:
    """Normalisation of each copy of a summand by its statistics in the batch; made by :func:`batch_norm`.

    Immutable; a pytree without leaves. Parameters are as in :class:`LayerNorm`; the state is a dict ``"mean"``, (number of
    invariants,), ``"var"``, (copies,), and ``"count"``, the number of batches. They mean what they mean in
    ``repcore_torch.BatchNorm``.

    Attributes:
        features: the fields of X.
        eps: added to the variance.
        momentum: the weight of the new batch in the running statistics; None for the average of all batches.
        affine: whether there are parameters.
        axis: the axis of x that holds the features.
    """

    features: Features
    eps: float
    momentum: float | None
    affine: bool
    axis: int

    def init(self, key: Array | None = None, dtype: Any = None) -> Params:
        """Gains of one, biases of zero; ``key`` is not needed."""
        return _first(_sizes(self.features, self.affine, True), dtype)

    def init_state(self, dtype: Any = None) -> Params:
        """Mean zero, variance one, no batch counted."""
        mean, var = jnp.zeros(self.features.invariants, dtype), jnp.ones(self.features.copies, dtype)
        return {"mean": mean, "var": var, "count": jnp.zeros((), jnp.int32)}

    def apply(self, params: Params, state: Params, x: ArrayLike, *, train: bool = True) -> tuple[Array, Params]:
        """(y, state): y of the shape and dtype of x, and the state that has taken note of x.

        Args:
            params: see :meth:`init`.
            state: see :meth:`init_state`.
            x: (B, dim X, ...), the features along ``axis``.
            train: take the statistics of x; otherwise those of the state, which then comes back as it is.
        """
        x, features = jnp.asarray(x), self.features
        axis, work = features.axis(x, self.axis), working(x, features.who)
        params = features.checked(params, _sizes(features, self.affine, True))
        kept = features.checked(
            {name: value for name, value in state.items() if name != "count"},
            {"mean": features.invariants, "var": features.copies},
        )
        if x.ndim < 2:
            raise IncompatibleError(f"x has shape {x.shape}; batch_norm needs a batch, (B, {features.rep.dim}, ...)")
        moved = jnp.moveaxis(x, axis, 1)
        # (B, dim X, places): all axes but that of the batch and of the features are one.
        flat = moved.reshape(*moved.shape[:2], prod(moved.shape[2:])).astype(work)
        found = [
            _normalised(part, field, params, kept, self.eps, train)
            for part, field in zip(features.split(flat, 1), features.fields, strict=True)
        ]
        y = features.join([part for part, _, _ in found], 1, flat).reshape(moved.shape)
        y = jnp.moveaxis(y, 1, axis).astype(x.dtype)
        if not train:
            return y, state
        count = state["count"] + 1
        new = {"mean": [mean for _, mean, _ in found], "var": [var for _, _, var in found]}
        for name, parts in new.items():
            seen = jax.lax.stop_gradient(jnp.concatenate(parts)) if parts else kept[name]
            factor = 1 / count.astype(work) if self.momentum is None else self.momentum
            kept[name] = (kept[name] + factor * (seen - kept[name])).astype(kept[name].dtype)
        return y, {**kept, "count": count}

    def __repr__(self) -> str:
        options = f"eps={self.eps}, momentum={self.momentum}, affine={self.affine}, axis={self.axis}"
        return f"<batch_norm {_shown(self.features)}, {options}>"


def batch_norm(X: Any, *, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True, axis: int = 1) -> BatchNorm:
    """Batch normalisation that commutes with X, as pure functions.

    ``init() -> params``, ``init_state() -> state``, ``apply(params, state, x, train=True) -> (y, state)``. With E the mean over
    the batch and all axes but that of the features, and P the projector onto the invariants, a copy of a summand becomes::

        mu = P E[x],    var = E |x - mu|^2 / d,    y = g (x - mu) / sqrt(var + eps) + b.

    See ``repcore_torch.BatchNorm``, with the same parameters and statistics: the running variance is unbiased. A mean over
    devices (``jax.lax.pmean``) is not taken.

    Args:
        X: an orthogonal, real representation.
        eps: added to the variance.
        momentum: the weight of the new batch in the running statistics; None for the average of all batches.
        affine: have parameters.
        axis: the axis of x that holds the features; -1 for channels last.

    Raises:
        IncompatibleError: X is not orthogonal or not real; in a call, an x, parameters or a state of another size, or in training
            so few numbers that a copy is all mean.

    >>> import jax, repcore as rc
    >>> norm = batch_norm(16 * rc.regular(rc.dihedral(4)), axis=-1)
    >>> y, state = norm.apply(norm.init(), norm.init_state(), jax.numpy.ones((2, 5, 5, 128)))
    >>> y.shape, state["mean"].shape, state["var"].shape, int(state["count"])
    ((2, 5, 5, 128), (16,), (16,), 1)
    """
    return BatchNorm(features_of(X, "batch_norm", axis), eps, momentum, affine, axis)


def _normalised(
    x: Array, field: FieldTable, params: Params, state: Params, eps: float, train: bool
) -> tuple[Array, Array, Array]:
    """One field, x (B, copies, dim, places): y, the mean and the unbiased variance of the batch."""
    t, count = field.invariants, x.shape[0] * field.dim * x.shape[-1]
    if train and count <= t:
        raise IncompatibleError(
            f"x has {count} numbers for the statistics of a copy of dimension {field.dim} with {t} invariants, so that all of it "
            "is mean; in training give a larger batch"
        )
    copies, places = slice(field.copy, field.copy + field.copies), slice(field.invariant, field.invariant + field.copies * t)
    if train:
        mean = times(jnp.mean(x, (0, 3)), field.basis, 1) / field.dim
    else:
        mean = state["mean"][places].reshape(field.copies, t).astype(x.dtype)
    if t:
        x = x - times(mean, field.basis.T, 1)[:, :, None]
    var = jnp.mean(x * x, (0, 2, 3)) if train else state["var"][copies].astype(x.dtype)
    scale = jax.lax.rsqrt(var + eps)
    if "weight" in params:
        scale = scale * params["weight"][copies].astype(x.dtype)
    y = x * scale[:, None, None]
    if "bias" in params and t:
        bias = params["bias"][places].reshape(field.copies, t).astype(x.dtype)
        y = y + times(bias, field.basis.T, 1)[:, :, None]
    return y, mean.ravel(), var * (count / max(count - t, 1))


def _sizes(features: Features, affine: bool, has_bias: bool) -> dict[str, int]:
    if not affine:
        return {}
    return {"weight": features.copies} | ({"bias": features.invariants} if has_bias and features.invariants else {})


def _first(sizes: dict[str, int], dtype: Any) -> Params:
    return {name: (jnp.ones if name == "weight" else jnp.zeros)(size, dtype) for name, size in sizes.items()}


def _shown(features: Features) -> str:
    name = str(features.rep)
    return name if len(name) <= 60 else f"dimension {features.rep.dim}"
