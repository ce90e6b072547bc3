"""Saving and loading: the basis behind a projector, or a whole model; the same files in every framework."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.contents import contents_of
from repcore_torch.projector import Projector
from repcore_torch.sharded import is_sharded

__all__ = ["load", "save"]


def save(obj: Projector | nn.Module, path: str | os.PathLike[str]) -> None:
    """Write a symmetrised model, or the exact basis of a projector, to a ``.safetensors`` file.

    A model is written with the coefficients of each constrained weight, of each :class:`Linear` and of norms, their bases, the
    declared symmetry, and every other parameter and buffer as it is. NumPy alone can read it (see the page on the file format),
    and ``repcore.load``, ``repcore_torch.load`` and ``repcore_jax.load`` do; the bytes are the same for the same model, on
    whatever device it is. Values that are not finite are kept. Optimiser states are no part of it.

    The file of a projector (see :func:`repcore.dump`) does not depend on a framework, dtype or device either.

    Raises:
        IncompatibleError: the projector was made of a bare plan, which does not know its exact basis; another suffix; a tensor
            that is lazy, sharded, or of a dtype that files do not hold; a constraint with other parametrisations upon it.
        StoreError: the file cannot be written.

    >>> import pathlib, tempfile, repcore as rc, torch
    >>> from repcore_torch import symmetrize
    >>> V = rc.dihedral(4).rep
    >>> model = symmetrize(torch.nn.Sequential(torch.nn.Linear(2, 2)), {"0": V >> V})
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = pathlib.Path(directory, "model.safetensors")
    ...     save(model, path)
    ...     weights = load(path)
    >>> {name: tuple(w.shape) for name, w in weights.items()}, torch.equal(weights["0.weight"], model[0].weight)
    ({'0.bias': (2,), '0.weight': (2, 2)}, True)
    """
    _check_suffix(path)
    if isinstance(obj, Projector):
        source = obj.source
        if isinstance(source, rc.Plan):
            raise IncompatibleError(
                f"the projector was made of a plan (digest {source.digest}), which holds float arrays and no exact basis; "
                "make it of the space or of the solved basis to save it"
            )
        rc.dump(source if isinstance(source, rc.EquivariantBasis) else rc.solve(source), path)
    elif isinstance(obj, nn.Module):
        rc.dump(_file(obj), path)
    else:
        raise IncompatibleError(f"obj: expected a model or a Projector, got {type(obj).__name__}; save(model, path)")


@overload
def load(path: str | os.PathLike[str]) -> Projector | dict[str, Tensor]: ...
@overload
def load(path: str | os.PathLike[str], model: nn.Module) -> nn.Module: ...
def load(path: str | os.PathLike[str], model: nn.Module | None = None) -> Projector | dict[str, Tensor] | nn.Module:
    """What is in a ``.safetensors`` file, whoever wrote it: a projector, the dense weights of a model, or the model itself.

    Args:
        path: a basis file or a model file.
        model: a model that was symmetrised as the one that was saved, for a model file: its coefficients, parameters and buffers
            are set in place.

    Returns:
        For a basis file its :class:`Projector`. For a model file without ``model`` a plain ``state_dict``: dense tensors by name,
        for the ``load_state_dict`` of the plain model (of ``fold(model)``) or for any other use; names have the separator ``.``.
        With ``model``, the model.

    Raises:
        IncompatibleError: another suffix; a model for a basis file; or the model does not fit the file. All names, digests,
            shapes and dtypes are compared before anything is set: the model is then as it was.
        StoreError: the file cannot be read.
        MemoryLimitError: the dense weights would take more than half of the memory of this machine.
    """
    _check_suffix(path)
    found = rc.load(path)
    if not isinstance(found, rc.ModelFile):
        if model is not None:
            raise IncompatibleError(f"path: {os.fspath(path)!r} is a basis file, and no model can be loaded from it")
        return Projector(found)
    found = found.named(".")
    if model is None:
        return {name: _tensor(array, name in found.bfloat16) for name, array in found.dense().items()}
    if not isinstance(model, nn.Module):
        raise IncompatibleError(f"model: expected a torch module, got {type(model).__name__}")
    _restore(found, model)
    return model


# -- saving ------------------------------------------------------------------------------------------------------------


def _file(model: nn.Module) -> rc.ModelFile:
    held = contents_of(model)
    weights: dict[str, rc.Coefficients] = {}
    bfloat16: set[str] = set()
    for name, w in held.weights.items():
        arrays = [_array(part, name) for part in w.parts]
        if any(part.dtype == torch.bfloat16 for part in w.parts):
            bfloat16.add(name)
        # A layer without coefficients has no parts, and then any dtype will do.
        flat = arrays[0] if len(arrays) == 1 else np.concatenate([a.ravel() for a in arrays] or [np.zeros(0, np.float32)])
        weights[name] = rc.Coefficients(flat.reshape(w.theta), w.plan, w.view, w.space, w.label)
    tensors: dict[str, Any] = {}
    for name, tensor in held.tensors.items():
        tensors[name] = _array(tensor, name)
        if tensor.dtype == torch.bfloat16:
            bfloat16.add(name)
    return rc.ModelFile(weights, tensors, held.layers, bfloat16=bfloat16)


def _array(tensor: Any, name: str) -> Any:
    if not isinstance(tensor, Tensor) or nn.parameter.is_lazy(tensor) or tensor.is_meta:
        raise IncompatibleError(f"model: {name!r} has no values yet; run the lazy module once, or materialise it, before saving")
    if is_sharded(tensor):
        raise IncompatibleError(f"model: {name!r} is sharded; gather the model first (full_tensor()), and save it in one process")
    tensor = tensor.detach()
    try:
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).cpu().resolve_conj().resolve_neg().numpy()
    except (TypeError, RuntimeError) as error:
        raise IncompatibleError(f"model: {name!r} of dtype {tensor.dtype} cannot be an array: {str(error)[:100]}") from None


# -- loading -----------------------------------------------------------------------------------------------------------


def _tensor(array: Any, bfloat16: bool) -> Tensor:
    # A copy: what is in a file is read-only, and keeps the whole of it in memory.
    tensor = torch.from_numpy(np.array(array))
    return tensor.bfloat16() if bfloat16 else tensor


@torch.no_grad()
def _restore(file: rc.ModelFile, model: nn.Module) -> None:
    held = contents_of(model)
    _check_names("coefficients", file.weights, held.weights, "symmetrise the model by the same rules as the one that was saved")
    _check_names("tensors", file.tensors, held.tensors, "build the model as the one that was saved")
    _check_names("layers of representations", file.layers, held.layers, "build the model as the one that was saved")
    steps: list[Callable[[], Any]] = []
    for name, digest in held.layers.items():
        if file.layers[name] != digest:
            raise IncompatibleError(f"model: the layer {name!r} is of another representation than in the file")
    for name, w in held.weights.items():
        given = file.weights[name]
        if given.digest != w.plan.digest:
            raise IncompatibleError(
                f"model: {name!r} has the space of digest {w.plan.digest}, and the file has coefficients for the one of digest "
                f"{given.digest} ({given.label}): they would mean other maps. Build the model with the space it was saved with"
            )
        if given.view != w.view:
            raise IncompatibleError(f"model: {name!r} is read as maps in another way ({w.view}) than in the file ({given.view})")
        for part in w.parts:
            _check(name, given.theta.shape, _name(given.theta, name in file.bfloat16), w.theta, part)
        pieces = np.split(given.theta.ravel(), np.cumsum([part.numel() for part in w.parts]))
        # Behind the last part nothing is left.
        for part, piece in zip(w.parts, pieces[:-1], strict=True):
            steps.append(_setter(part, piece.reshape(tuple(part.shape)), name in file.bfloat16))
    for name, tensor in held.tensors.items():
        array = file.tensors[name]
        _check(name, array.shape, _name(array, name in file.bfloat16), tuple(tensor.shape), tensor)
        steps.append(_setter(tensor, array, name in file.bfloat16))
    for step in steps:
        step()


def _setter(target: Tensor, array: Any, bfloat16: bool) -> Callable[[], Any]:
    return lambda: target.copy_(_tensor(array, bfloat16))


def _check_names(what: str, given: Any, wanted: Any, repair: str) -> None:
    missing, more = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or more:
        sides = (("model", "file", missing), ("file", "model", more))
        lists = [f"the {has} has {what} for {_some(names)} and the {lacks} has none" for has, lacks, names in sides if names]
        raise IncompatibleError(f"model: {'; '.join(lists)}: {repair}")


def _check(name: str, shape: tuple[int, ...], dtype: str, wanted: tuple[int, ...], tensor: Tensor) -> None:
    if is_sharded(tensor) or nn.parameter.is_lazy(tensor) or tensor.is_meta:
        raise IncompatibleError(f"model: {name!r} is sharded, lazy or has no memory; load the file before that")
    if tuple(shape) != tuple(wanted):
        raise IncompatibleError(f"model: {name!r} has shape {tuple(wanted)}, and the file has shape {tuple(shape)}")
    if f"torch.{dtype}" != str(tensor.dtype):
        raise IncompatibleError(
            f"model: {name!r} has dtype {tensor.dtype}, and the file has {dtype}; convert the model, model.to(torch.{dtype})"
        )


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")


def _name(array: Any, bfloat16: bool) -> str:
    return "bfloat16" if bfloat16 else array.dtype.name


def _check_suffix(path: str | os.PathLike[str]) -> None:
    if not os.fspath(path).endswith(".safetensors"):
        raise IncompatibleError(f"path is {os.fspath(path)!r}; a basis file or a model file ends in .safetensors")
