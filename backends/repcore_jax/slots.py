"""The arrays of a pytree of parameters, as slots that rules can mean; axes by the names that the frameworks give."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

import repcore as rc

__all__ = ["leaves_of", "slots_of"]

_SHIFTS = ("b", "beta", "bias", "offset", "shift")
_PROJECTIONS = ("query", "key", "value")


def leaves_of(params: Any, is_leaf: Any = None) -> list[tuple[str, Any]]:
    """The path and the value of each leaf; keys are joined by ``/``, and the ``value`` of a flax variable is left out.

    ``is_leaf`` as for ``jax.tree_util``: what counts as a leaf although it has parts.

    >>> import numpy as np
    >>> [name for name, _ in leaves_of({"params": {"Dense_0": {"kernel": np.ones((2, 3)), "bias": np.ones(3)}}})]
    ['params/Dense_0/bias', 'params/Dense_0/kernel']
    """
    return [(_name(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(params, is_leaf=is_leaf)]


def slots_of(params: Any) -> list[rc.Slot]:
    """Every floating point or complex array of a pytree.

    ============  ==================  ====================================================================
    leaf          framework           axes
    ============  ==================  ====================================================================
    ``kernel``    flax linen, nnx     (in, out); (cells..., in, out); of an attention (in, heads, out) and
                                      (heads, in, out)
    ``embedding`` flax linen, nnx     (token, out)
    ``scale``     flax linen, nnx     of a norm
    ``weight``    Equinox             (out, in); (out, in, cells...); of a norm
    ``bias``      both                (out,); (out, 1, ...) in Equinox; (heads, out)
    ============  ==================  ====================================================================

    Any other leaf is a tensor, which is read as its space says where that is one way only.
    """
    leaves = [(name, leaf) for name, leaf in leaves_of(params) if _is_weight(leaf)]
    siblings: dict[str, dict[str, Any]] = {}
    for name, leaf in leaves:
        owner, _, last = name.rpartition("/")
        siblings.setdefault(owner, {})[last] = leaf
    return [_slot(name, leaf, siblings) for name, leaf in leaves]


def _is_weight(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and hasattr(leaf, "shape") and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _slot(name: str, leaf: Any, siblings: dict[str, dict[str, Any]]) -> rc.Slot:
    owner, _, last = name.rpartition("/")
    others, shape = siblings[owner], tuple(leaf.shape)
    parent, _, layer = owner.rpartition("/")
    in_attention = {f"{parent}/{p}".lstrip("/") for p in _PROJECTIONS} <= siblings.keys()

    def slot(role: str, kind: str, axes: str, **more: Any) -> rc.Slot:
        return rc.Slot(name, owner, role, kind, shape, tuple(axes), **more)

    if last == "kernel" and len(shape) == 3 and in_attention and layer in (*_PROJECTIONS, "out"):
        is_out = layer == "out"
        return slot("weight", "linear", "iio" if is_out else "ioo", heads=shape[0 if is_out else 1])
    if last == "kernel" and len(shape) > 1:
        kind = "linear" if len(shape) == 2 else "conv"
        return slot("weight", kind, "s" * (len(shape) - 2) + "io", groups=0 if kind == "conv" else 1)
    if last == "embedding" and len(shape) == 2:
        return slot("weight", "embedding", "io")
    if last == "scale" and "kernel" not in others:
        return slot("scale", _norm(layer), "o" * len(shape))
    if last == "weight" and len(shape) > 1:
        kind = "linear" if len(shape) == 2 else "conv"
        return slot("weight", kind, "oi" + "s" * (len(shape) - 2), groups=0 if kind == "conv" else 1)
    if last == "weight" and len(shape) == 1:
        return slot("scale", _norm(layer), "o")
    if last in _SHIFTS:
        if _is_norm(others):
            return slot("shift", _norm(layer), "o" * len(shape))
        # In Equinox the bias of a convolution is (out, 1, 1); in flax that of an attention is (heads, out).
        return slot("bias", "linear", "".join("o" if k == 0 or n > 1 else "b" for k, n in enumerate(shape)))
    return slot("weight", "tensor", "")


def _is_norm(others: dict[str, Any]) -> bool:
    if "kernel" in others:
        return False
    return "scale" in others or (hasattr(others.get("weight"), "shape") and len(others["weight"].shape) == 1)


def _norm(layer: str) -> str:
    plain = layer.lower().replace("_", "")
    return next(
        (k for k, word in (("batch_norm", "batch"), ("rms_norm", "rms"), ("layer_norm", "layer")) if word in plain), "norm"
    )


def _name(path: Any) -> str:
    # The array of a variable of flax is its attribute ``value``; a layer named so is a key.
    if len(path) > 1 and isinstance(path[-1], jax.tree_util.GetAttrKey) and path[-1].name == "value":
        path = path[:-1]
    return jax.tree_util.keystr(path, simple=True, separator="/")
