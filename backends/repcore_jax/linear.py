"""linear: an equivariant layer that applies its coefficients in the irrep basis, as pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

import repcore as rc
from repcore import IncompatibleError
from repcore_jax.meshes import on_mesh, spec_of
from repcore_jax.projector import projector, working_dtype

__all__ = ["Linear", "linear"]

Params = dict[str, Any]


@jax.tree_util.register_static
@dataclass(frozen=True, eq=False)
class Linear:
    """y = W x + b for the equivariant maps W: X -> Y and the invariant vectors b of Y, without forming W; all pure functions.

    Made by :func:`linear`. Immutable, equal and hashed by the digest of the plan and the bias; a pytree without leaves.

    Parameters are a dict: ``"coefficients"``, a tuple of arrays (irreps, outputs, endomorphisms, inputs), one for each group of
    irreps with equal sizes that X and Y share, and ``"bias"``, (number of invariants of Y,), if there is one. They mean what they
    mean in ``repcore_torch.Linear``: coordinates in orthonormal bases, in the order of the plan.

    Attributes:
        plan: ``rc.plan(X >> Y, structure="schur")``.
        has_bias: whether there is a bias.
    """

    plan: Any
    has_bias: bool

    def init(self, key: Array, dtype: Any = None, gain: float = 2**0.5) -> Params:
        """Equivariant He parameters, the bias zero.

        For an input of independent components of variance 1, each component of each irrep of Y (that X has too) gets variance
        gain^2, as each entry of y does from a dense layer with He's init: theta ~ N(0, gain^2 d / (t M)) for M channels in X of
        an irrep of dimension d with t endomorphisms. (He et al., 2015.)

        Args:
            key: a PRNG key.
            dtype: by default JAX's default float; made complex where the space is.
            gain: sqrt(2) for ReLU-like nonlinearities, 1 for none.
        """
        dtype = jnp.dtype(dtype) if dtype is not None else jnp.zeros(0).dtype
        dtype = working_dtype(dtype, True) if self.plan.is_complex else dtype
        groups = self._mixing
        params: Params = {
            "coefficients": tuple(
                gain * (g.dim / (g.endomorphisms * g.inputs)) ** 0.5 * jax.random.normal(k, g.shape, dtype)
                for g, k in zip(groups, jax.random.split(key, max(len(groups), 1)), strict=False)
            )
        }
        if self.has_bias:
            params["bias"] = jnp.zeros(self.plan.layer.bias, dtype)
        return params

    def apply(self, params: Params, x: ArrayLike) -> Array:
        """y = W x + b, (..., dim X) -> (..., dim Y)."""
        layer = self.plan.layer
        x = jnp.asarray(x)
        if x.ndim < 1 or x.shape[-1] != self.shape[1]:
            raise IncompatibleError(f"x has shape {x.shape}; the layer needs (..., {self.shape[1]})")
        weights = self._checked(params)
        dtype = jnp.result_type(x, *(w for w in weights if w is not None), *((params["bias"],) if self.has_bias else ()))
        dtype = working_dtype(dtype, True) if self.plan.is_complex else dtype
        bias = params["bias"].astype(dtype) if self.has_bias else None
        shape = (*x.shape[:-1], self.shape[0])

        def run(x: Array, weights: list[Array | None], bias: Array | None) -> Array:
            # Batch dims are carried along as they are: merging two sharded ones would gather them.
            x = x.astype(dtype)
            if layer.fourier is not None and dtype in (jnp.float32, jnp.float64):
                return _transformed(layer, weights, bias, x)
            parts = [_read(layer, g, x) for g in range(len(layer.groups))]
            products = [_multiply(*each, bias, x) for each in zip(layer.groups, parts, weights, strict=True)]
            return _write(layer, products, x)

        return on_mesh(run, (x, weights, bias), shape, (*spec_of(x)[:-1], None))

    def params(self, theta: ArrayLike, bias: ArrayLike | None = None) -> Params:
        """The parameters with given coefficients (dim,) in the order of the plan, and bias; the inverse of :meth:`theta`."""
        theta = jnp.asarray(theta)
        if theta.shape != (self.dim,):
            raise IncompatibleError(f"theta has shape {theta.shape}; the layer needs ({self.dim},)")
        found: Params = {"coefficients": tuple(theta[g.start : g.start + g.size].reshape(g.shape) for g in self._mixing)}
        if self.has_bias:
            found["bias"] = jnp.zeros(self.plan.layer.bias, theta.dtype) if bias is None else jnp.asarray(bias)
        return found

    def theta(self, params: Params) -> Array:
        """All coefficients as one vector (dim,), in the order of the plan."""
        flat = [w.ravel() for w in self._checked(params) if w is not None]
        return jnp.concatenate(flat) if flat else jnp.zeros(0)

    def weight(self, params: Params) -> Array:
        """The dense weight W (dim Y, dim X)."""
        return projector(self.plan).expand(self.theta(params))

    def dense_bias(self, params: Params) -> Array:
        """The bias as a vector (dim Y,); zero if there is none."""
        layer = self.plan.layer
        if not self.has_bias:
            return jnp.zeros(self.shape[0])
        basis = layer.apply(np.zeros(layer.dim), np.zeros(self.shape[1]), np.eye(layer.bias))
        return params["bias"] @ basis.astype(params["bias"].dtype)

    @property
    def dim(self) -> int:
        """The number of coefficients, ``rc.solve(X >> Y).dim``."""
        return self.plan.dim

    @property
    def shape(self) -> tuple[int, int]:
        """(dim Y, dim X)."""
        return self.plan.shape

    @property
    def digest(self) -> str:
        """The name of the plan, that of ``repcore_torch.Linear`` for the same space."""
        return self.plan.digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Linear) and (self.digest, self.has_bias) == (other.digest, other.has_bias)

    def __hash__(self) -> int:
        return hash((self.digest, self.has_bias))

    def __repr__(self) -> str:
        y, x = self.shape
        return f"<Linear {x} -> {y}, dim={self.dim}, bias={self.plan.layer.bias * self.has_bias}, digest={self.digest[:12]}>"

    @property
    def _mixing(self) -> list[Any]:
        return [g for g in self.plan.layer.groups if g.inputs]

    def _checked(self, params: Params) -> list[Array | None]:
        """The coefficients of each group; None for invariants of Y that X does not have."""
        shapes = [g.shape for g in self._mixing]
        found = [w.shape for w in params["coefficients"]]
        if found != shapes:
            raise IncompatibleError(f"params has coefficients of shapes {found}; the layer needs {shapes}, see init")
        own = iter(params["coefficients"])
        return [next(own) if g.inputs else None for g in self.plan.layer.groups]


def linear(X: rc.Rep, Y: rc.Rep, *, bias: bool = True) -> Linear:
    """An equivariant layer X -> Y as pure functions: ``init(key) -> params`` and ``apply(params, x) -> y``.

    Works under ``jit``, ``grad``, ``vmap`` and forward mode. See :class:`Linear`, and ``repcore_torch.Linear`` for the method.

    Args:
        X: the representation of the input.
        Y: the representation of the output.
        bias: have a bias on the trivial part of Y. If Y has no invariant vector there is none.

    Raises:
        IncompatibleError: X and Y are not representations of one group; in a call, a wrong shape.
        RepresentationError: X or Y is not completely reducible, so that it has no irrep basis.

    >>> import jax, repcore as rc
    >>> R = rc.regular(rc.dihedral(4))
    >>> layer = linear(16 * R, 32 * R)
    >>> params = layer.init(jax.random.key(0))
    >>> layer.apply(params, jax.numpy.ones((2, 128))).shape, layer.dim
    ((2, 256), 4096)
    """
    for name, rep in (("X", X), ("Y", Y)):
        if not isinstance(rep, rc.Rep):
            raise IncompatibleError(f"{name}: expected a representation, got {type(rep).__name__}; write linear(X, Y)")
    plan: Any = rc.plan(X >> Y, structure="schur")
    return Linear(plan, bias and plan.layer.bias > 0)


def _read(layer: Any, g: int, x: Array) -> Array | None:
    """x in the irrep basis: (..., d, irreps, endomorphisms, channels) for one group; None where X does not have it."""
    group, parts = layer.groups[g], []
    for panel in layer.inputs:
        a, (m, n) = panel.multiplicities[g], panel.positions.shape
        if a:
            copies = _gather(x, panel.positions).reshape(*x.shape[:-1], m, n)
            z = jnp.einsum("rn,...mn->...rm", panel.changes[g].astype(x.dtype), copies, precision=jax.lax.Precision.HIGHEST)
            parts.append(z.reshape(*x.shape[:-1], group.dim, group.irreps, group.endomorphisms, a * m))
    return jnp.concatenate(parts, -1) if parts else None


def _multiply(group: Any, z: Array | None, weight: Array | None, bias: Array | None, x: Array) -> Array:
    """The product of one group: (..., d, irreps, outputs)."""
    if z is None or weight is None:
        y = jnp.zeros((*x.shape[:-1], group.dim, group.irreps, group.outputs), x.dtype)
    else:
        y = jnp.einsum("...dksi,kosi->...dko", z, weight.astype(x.dtype))
    return y if bias is None or not group.biased else y + bias


def _write(layer: Any, products: list[Array], x: Array) -> Array:
    """The products in the basis of Y: (..., dim Y)."""
    batch = x.shape[:-1]
    starts = [0] * len(products)
    written = []
    for panel in layer.outputs:
        m, n = panel.positions.shape
        parts, changes = [], []
        for g, (product, change, a) in enumerate(zip(products, panel.changes, panel.multiplicities, strict=True)):
            if a:
                part = product[..., starts[g] : starts[g] + a * m]
                parts.append(part.reshape(*batch, len(change), m))
                changes.append(change)
                starts[g] += a * m
        z, change = jnp.concatenate(parts, -2), np.concatenate(changes).astype(x.dtype)
        y = jnp.einsum("...rm,rn->...mn", z, change, precision=jax.lax.Precision.HIGHEST)
        written.append(y.reshape(*batch, m * n))
    if layer.order is not None:
        written.append(jnp.zeros((*batch, 1), x.dtype))
    if not written:
        return jnp.zeros((*batch, 0), x.dtype)
    y = written[0] if len(written) == 1 else jnp.concatenate(written, -1)
    return y if layer.order is None else y.at[..., layer.order.astype(np.int32)].get(mode="promise_in_bounds")


def _transformed(layer: Any, weights: list[Array | None], bias: Array | None, x: Array) -> Array:
    """y (..., dim Y) through a real Fourier transform: one complex product a frequency, see :class:`repcore.Fourier`."""
    fourier = layer.fourier
    batch, dims = x.shape[:-1], tuple(range(-len(fourier.grid), 0))
    m, n = layer.inputs[0].positions.shape
    half = (*fourier.grid[:-1], fourier.grid[-1] // 2 + 1)
    x = x.reshape(*batch, m, n)[..., fourier.order.astype(np.int32)].reshape(*batch, m, *fourier.grid)
    spectrum = jnp.fft.rfftn(x, axes=dims, norm="ortho").reshape(*batch, m, prod(half))
    pairs = [(g, w.astype(x.dtype) / g.dim**0.5) for g, w in zip(layer.groups, weights, strict=True) if w is not None]
    real = jnp.concatenate([w[:, :, 0] for _, w in pairs])
    imaginary = jnp.concatenate([w[:, :, 1] if g.dim == 2 else jnp.zeros_like(w[:, :, 0]) for g, w in pairs])
    irreps = fourier.irreps.astype(np.int32)
    weight = jax.lax.complex(real[irreps], imaginary[irreps] * fourier.signs.astype(x.dtype)[:, None, None])
    product = jnp.einsum("...if,foi->...of", spectrum, weight, precision=jax.lax.Precision.HIGHEST)
    outputs = product.shape[-2]
    y = jnp.fft.irfftn(product.reshape(*batch, outputs, *half), s=fourier.grid, axes=dims, norm="ortho")
    y = y.reshape(*batch, outputs, n)[..., np.argsort(fourier.order).astype(np.int32)]
    if bias is not None:
        y += bias.astype(x.dtype)[:, None] * (fourier.bias / n**0.5)
    return y.reshape(*batch, outputs * n)


def _gather(x: Array, positions: np.ndarray) -> Array:
    flat = positions.ravel()
    start = int(flat[0])
    if np.array_equal(flat, np.arange(start, start + flat.size)):
        return x[..., start : start + flat.size]
    return x.at[..., flat.astype(np.int32)].get(mode="promise_in_bounds")
