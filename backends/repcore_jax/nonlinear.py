"""norm_nonlinearity, gate: nonlinear functions that commute with a representation, as pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

import repcore as rc
from repcore import IncompatibleError
from repcore_jax.features import Features, along, features_of, working

__all__ = ["Gate", "NormNonlinearity", "gate", "length", "norm_nonlinearity"]

Function = Callable[[Array], Array]
Params = dict[str, Array]


@jax.tree_util.register_static
@dataclass(frozen=True)
class NormNonlinearity:
    """A function of the length of each copy; made by :func:`norm_nonlinearity`. Immutable; a pytree without leaves.

    Attributes:
        features: the fields of X.
        function: the function.
        bias: whether there is a bias, (copies,), the only parameter.
        axis: the axis of x that holds the features.
    """

    features: Features
    function: Function
    bias: bool
    axis: int

    def init(self, key: Array | None = None, dtype: Any = None) -> Params:
        """Biases of zero; ``key`` is not needed."""
        return {"bias": jnp.zeros(self.features.copies, dtype)} if self.bias else {}

    def apply(self, params: Params, x: ArrayLike) -> Array:
        """y, of the shape and dtype of x."""
        x, features = jnp.asarray(x), self.features
        axis, work = features.axis(x, self.axis), working(x, features.who)
        params = features.checked(params, {"bias": features.copies} if self.bias else {})
        parts: list[Array] = []
        for field, part in zip(features.fields, features.split(x.astype(work), axis), strict=True):
            shift = jnp.zeros((), work)
            if self.bias:
                own = params["bias"][field.copy : field.copy + field.copies].astype(work)
                shift = along(own[:, None], axis, part.ndim)
            if field.is_permutation:
                parts.append(self.function(part + shift))
                continue
            size, is_zero = length(part, axis + 1)
            factor = self.function(size + shift) / jnp.where(is_zero, 1, size)
            parts.append(part * jnp.where(is_zero, 0, factor))
        return features.join(parts, axis, x).astype(x.dtype)

    def __repr__(self) -> str:
        return f"<norm_nonlinearity {self.features.rep}, bias={self.bias}, axis={self.axis}>"


def norm_nonlinearity(X: Any, function: Function = jax.nn.relu, *, bias: bool = True, axis: int = -1) -> NormNonlinearity:
    """``y = f(|x| + b) x / |x|`` for each copy, y = f(x + b) where the group permutes the components, as pure functions.

    ``init() -> params`` and ``apply(params, x) -> y``. Values and gradients are finite; at x = 0 both are 0. See
    ``repcore_torch.NormNonlinearity``, with the same bias.

    Args:
        X: an orthogonal, real representation.
        function: f, a function of each entry of an array, which can be hashed (any plain function).
        bias: have a bias for each copy of a summand.
        axis: the axis of x that holds the features.

    Raises:
        IncompatibleError: X is not orthogonal or not real, ``function`` cannot be called; in a call, an x or parameters of
            another size.

    >>> import jax, repcore as rc
    >>> act = norm_nonlinearity(rc.SO(2).rep, jax.numpy.tanh)
    >>> act.apply(act.init(), jax.numpy.array([[0.0, 100.0], [0.0, 0.0]])).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    _check_function(function, "function")
    return NormNonlinearity(features_of(X, "norm_nonlinearity", axis), function, bias, axis)


@jax.tree_util.register_static
@dataclass(frozen=True)
class Gate:
    """Each copy times a function of a scalar of its own; made by :func:`gate`. Immutable; a pytree without leaves.

    Attributes:
        features: the fields of X.
        function: the function of the gates.
        scalars: the function of the scalars of X; None for the identity.
        axis: the axis of the features.
    """

    features: Features
    function: Function
    scalars: Function | None
    axis: int

    @property
    def gates(self) -> int:
        """The number of gates."""
        return sum(field.copies for field in self.features.fields if not field.is_trivial)

    @property
    def domain(self) -> rc.Rep:
        """``gates * one + X``."""
        return self.gates * rc.trivial(self.features.rep.group) + self.features.rep

    @property
    def codomain(self) -> rc.Rep:
        """X."""
        return self.features.rep

    def init(self, key: Array | None = None, dtype: Any = None) -> Params:
        """There are no parameters."""
        return {}

    def apply(self, params: Params, x: ArrayLike) -> Array:
        """y (..., dim X) from the gates and features, (..., gates + dim X)."""
        x, features, gates = jnp.asarray(x), self.features, self.gates
        size = gates + features.rep.dim
        features.checked(params, {})
        if not -x.ndim <= self.axis < x.ndim or x.shape[self.axis] != size:
            raise IncompatibleError(
                f"x has shape {x.shape}; gate needs {gates} gates and {features.rep.dim} features, {size} in all, along axis "
                f"{self.axis}; see Gate.domain"
            )
        axis, work = self.axis % x.ndim, working(x, features.who)
        first, rest = jnp.split(x.astype(work), [gates], axis)
        first = jnp.expand_dims(self.function(first), axis + 1)
        parts: list[Array] = []
        start = 0
        for field, part in zip(features.fields, features.split(rest, axis), strict=True):
            if field.is_trivial:
                parts.append(part if self.scalars is None else self.scalars(part))
            else:
                parts.append(part * jax.lax.slice_in_dim(first, start, start + field.copies, axis=axis))
                start += field.copies
        return features.join(parts, axis, rest).astype(x.dtype)

    def __call__(self, x: ArrayLike) -> Array:
        """``apply({}, x)``."""
        return self.apply({}, x)

    def __repr__(self) -> str:
        return f"<gate {self.features.rep}, gates={self.gates}, axis={self.axis}>"


def gate(X: Any, function: Function = jax.nn.sigmoid, *, scalars: Function | None = None, axis: int = -1) -> Gate:
    """y_c = f(s_c) x_c for each copy that is not trivial, with a scalar s_c of its own, as a pure function.

    The argument is in ``gates * one + X``: the scalars s_c in the order of ``rc.fields(X)``, then X in its own layout. See
    ``repcore_torch.Gate``. There are no parameters: ``gate(X)(x)`` is ``gate(X).apply({}, x)``.

    Args:
        X: a real representation.
        function: f, a function of each entry of an array, which can be hashed.
        scalars: the function of the scalars of X, by default the identity.
        axis: the axis of the features.

    Raises:
        IncompatibleError: X is not real, a function cannot be called; in a call, an argument of another size.

    >>> import jax, repcore as rc
    >>> act = gate(rc.irreps_from("2x0e+3x1o", rc.O(3)), scalars=jax.nn.relu)
    >>> str(act.domain), act(jax.numpy.ones((5, act.domain.dim))).shape
    ('5*1 + 3*irrep(1o)', (5, 11))
    """
    _check_function(function, "function")
    if scalars is not None:
        _check_function(scalars, "scalars")
    return Gate(features_of(X, "gate", axis, orthogonal=False), function, scalars, axis)


def length(x: Array, axis: int, whole: Array | None = None) -> tuple[Array, Array]:
    """|x| along an axis, which is kept, with gradient 0 at 0; and where it counts as zero: the squares below tiny / eps.

    Where x is what is left of ``whole`` after the subtraction of its invariant part, it counts as zero up to the rounding of
    that, 2 d eps of its length.
    """
    square = jnp.sum(x * x, axis, keepdims=True)
    kind = jnp.finfo(x.dtype)
    is_zero = square < float(kind.tiny) / float(kind.eps)
    if whole is not None:
        is_zero |= square <= (2 * x.shape[axis] * float(kind.eps)) ** 2 * jnp.sum(whole * whole, axis, keepdims=True)
    # Both branches are differentiated: the root must not see a zero.
    return jnp.where(is_zero, 0, jnp.sqrt(jnp.where(is_zero, 1, square))), is_zero


def _check_function(function: object, name: str) -> None:
    if not callable(function):
        raise IncompatibleError(f"{name}: expected a function of an array, got {type(function).__name__}; give e.g. jax.nn.relu")
