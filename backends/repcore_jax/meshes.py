"""Running a function on arrays whose sharding is part of their type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
from jax import Array

__all__ = ["on_mesh", "spec_of"]


def on_mesh(run: Callable[..., Array], arrays: Sequence[Any], shape: Sequence[int], spec: Sequence[Any]) -> Array:
    """run(*arrays), with the partition ``spec`` of its result, of the given shape, where a mesh has explicit axes.

    There each operation must say how its result is sharded, and a reshape of a sharded axis is refused. Inside of ``run``
    these axes are left to the compiler, as they are on a mesh of automatic axes, where this is a plain call. A dimension that
    the mesh does not divide is replicated.
    """
    meshes = [mesh for mesh in map(_mesh, jax.tree_util.tree_leaves(arrays)) if mesh is not None]
    if not meshes:
        return run(*arrays)
    mesh = meshes[0]
    kept = [name if size % _parts(mesh, name) == 0 else None for size, name in zip(shape, spec, strict=True)]
    result = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*kept))
    automatic: Any = jax.sharding.auto_axes(run, axes=mesh.explicit_axes, out_sharding=result)
    return automatic(*arrays)


def spec_of(array: Array) -> tuple[Any, ...]:
    """The mesh axes of each dimension, None where it is not sharded or the compiler decides."""
    if _mesh(array) is None:
        return (None,) * array.ndim
    spec = tuple(jax.typeof(array).sharding.spec)
    return spec + (None,) * (array.ndim - len(spec))


def _mesh(array: Array) -> Any:
    """The mesh of an array if it has explicit axes; JAX below 0.7 has none."""
    if not hasattr(jax, "typeof") or not hasattr(jax.sharding, "auto_axes"):
        return None
    sharding = getattr(jax.typeof(array), "sharding", None)
    mesh = getattr(sharding, "mesh", None)
    return mesh if mesh is not None and not mesh.empty and mesh.explicit_axes else None


def _parts(mesh: Any, names: Any) -> int:
    return prod(mesh.shape[name] for name in ((names,) if isinstance(names, str) else names or ()))
