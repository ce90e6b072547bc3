"""Saving and loading: the basis behind a projector, or the parameters of a model; the same files in every framework."""

from __future__ import annotations

import os
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import repcore as rc
from repcore import IncompatibleError
from repcore_jax.projector import Projector, projector
from repcore_jax.slots import leaves_of

__all__ = ["load", "save"]


@overload
def save(obj: Projector, params: str | os.PathLike[str], /) -> None: ...
@overload
def save(obj: Any, params: Any, path: str | os.PathLike[str], /) -> None: ...
def save(obj: Any, params: Any, path: str | os.PathLike[str] | None = None, /) -> None:
    """``save(symmetry, params, path)``: the parameters of a model; ``save(projector, path)``: the exact basis of a projector.

    Both go to a ``.safetensors`` file that ``repcore.load``, ``repcore_torch.load`` and ``repcore_jax.load`` read, and NumPy
    alone can read (see the page on the file format).

    Parameters are written with the coefficients of each weight that a rule means, their bases, the declared symmetry, and every
    other leaf as it is. A weight is given dense, and then stored as its projection, or by its coefficients; where both have the
    same shape it is dense. Values that are not finite are kept.

    Args:
        obj: a symmetry (``symmetry_of(params, rules)``), or any iterable of :class:`repcore.Site`; or a :class:`Projector`.
        params: the pytree of parameters, or of coefficients; paths are joined by ``/``.
        path: of the file.

    Raises:
        IncompatibleError: the projector was made of a bare plan, which does not know its exact basis; another suffix; a parameter
            that is missing, or neither a weight nor coefficients of a site; a leaf of a dtype that files do not hold.
        StoreError: the file cannot be written.
    """
    if path is None:
        if not isinstance(obj, Projector):
            raise IncompatibleError("path: is missing; write save(symmetry, params, path), or save(projector, path)")
        _check_suffix(params)
        _save_basis(obj, params)
        return
    _check_suffix(path)
    leaves = {name: np.asarray(leaf) for name, leaf in leaves_of(params)}
    weights: dict[str, rc.Coefficients] = {}
    bfloat16 = {name for name, leaf in leaves.items() if leaf.dtype == jnp.bfloat16}
    for site in getattr(obj, "sites", obj):
        if site.plan is None or site.view is None:
            continue
        if site.path not in leaves:
            raise IncompatibleError(f"params: there is no {site.path!r}; the symmetry was made for other parameters")
        weights[site.path] = _coefficients(site, leaves.pop(site.path))
    tensors = {name: _plain(leaf) for name, leaf in leaves.items()}
    rc.dump(rc.ModelFile(weights, tensors, bfloat16=bfloat16, separator="/"), path)


def load(path: str | os.PathLike[str], like: Any = None) -> Any:
    """What is in a ``.safetensors`` file, whoever wrote it: a projector, or the dense weights of a model.

    Args:
        path: a basis file or a model file.
        like: for a model file, a pytree of parameters (or of their shapes): the result gets its structure.

    Returns:
        For a basis file its :class:`Projector`. For a model file a dictionary of dense arrays by name, with ``/`` between the
        parts of names; with ``like``, a pytree. Without ``jax_enable_x64``, 64 bits become 32, as everywhere in JAX.

    Raises:
        IncompatibleError: another suffix; names, shapes or dtypes other than those of ``like``.
        StoreError: the file cannot be read.
        MemoryLimitError: the dense weights would take more than half of the memory of this machine.
    """
    _check_suffix(path)
    found = rc.load(path)
    if not isinstance(found, rc.ModelFile):
        if like is not None:
            raise IncompatibleError(f"path: {os.fspath(path)!r} is a basis file, and holds no parameters")
        return projector(found)
    found = found.named("/")
    if like is not None:
        _check_like(found, like)
    arrays = {name: _array(array, name in found.bfloat16) for name, array in found.dense().items()}
    if like is None:
        return arrays
    return jax.tree_util.tree_structure(like).unflatten([arrays[name] for name, _ in leaves_of(like)])


def _save_basis(project: Projector, path: str | os.PathLike[str]) -> None:
    source = project.source
    if isinstance(source, rc.Plan):
        raise IncompatibleError(
            f"the projector was made of a plan (digest {source.digest}), which holds float arrays and no exact basis; "
            "make it of the space or of the solved basis to save it"
        )
    rc.dump(source if isinstance(source, rc.EquivariantBasis) else rc.solve(source), path)


def _coefficients(site: Any, leaf: Any) -> rc.Coefficients:
    theta = (*site.view.batch, site.plan.dim)
    if leaf.shape not in (site.view.shape, theta):
        raise IncompatibleError(
            f"params: {site.path!r} has shape {leaf.shape}; expected the weight, {site.view.shape}, or its coefficients, {theta}"
        )
    if leaf.shape == site.view.shape:
        values = site.plan.coefficients(site.view.read(_plain(leaf)))
        leaf = values if np.iscomplexobj(values) and not np.iscomplexobj(leaf) else values.astype(leaf.dtype)
    return rc.Coefficients(_plain(leaf), site.plan, site.view, site.space, site.label)


def _plain(leaf: Any) -> Any:
    """A NumPy array of a dtype that NumPy has: bfloat16 as float32."""
    return leaf.astype(np.float32) if leaf.dtype == jnp.bfloat16 else leaf


def _array(array: Any, bfloat16: bool) -> Array:
    return jnp.asarray(array, jnp.bfloat16) if bfloat16 else jnp.asarray(array)


def _check_like(file: rc.ModelFile, like: Any) -> None:
    leaves = dict(leaves_of(like))
    for side, names in (("like", leaves.keys() - set(file)), ("the file", set(file) - leaves.keys())):
        if names:
            some = ", ".join(map(repr, sorted(names)[:5]))
            raise IncompatibleError(f"like: only {side} has {some}; give the parameters that were saved")
    for name, leaf in leaves.items():
        held = file.weights.get(name)
        shape = file.tensors[name].shape if held is None else held.view.shape
        if tuple(leaf.shape) != tuple(shape):
            raise IncompatibleError(f"like: {name!r} has shape {tuple(leaf.shape)}, and the file has shape {tuple(shape)}")
        numbers = file.tensors[name] if held is None else held.theta
        wanted = np.result_type(numbers, np.complex64) if held is not None and held.plan.is_complex else numbers.dtype
        dtype = "bfloat16" if name in file.bfloat16 else wanted.name
        if str(leaf.dtype) != dtype:
            raise IncompatibleError(f"like: {name!r} has dtype {leaf.dtype}, and the file has {dtype}; convert one of them")


def _check_suffix(path: str | os.PathLike[str]) -> None:
    if not os.fspath(path).endswith(".safetensors"):
        raise IncompatibleError(f"path is {os.fspath(path)!r}; a basis file or a model file ends in .safetensors")
