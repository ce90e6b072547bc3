"""Between NumPy and the arrays of other frameworks, by what the arrays can do and without importing any framework."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore import IncompatibleError

__all__ = ["Array", "converter", "to_numpy"]

Array = npt.NDArray[Any]


def to_numpy(x: Any) -> Array:
    """A NumPy array of the values of an array of any framework, on any device, with or without a gradient."""
    for step in ("detach", "cpu", "resolve_conj"):
        if hasattr(x, step):
            x = getattr(x, step)()
    if "bfloat16" in str(getattr(x, "dtype", "")) and hasattr(x, "float"):
        x = x.float()
    try:
        found = np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise IncompatibleError(f"f: returned {type(x).__name__}, which is no array; return one array") from error
    if found.dtype == object:
        raise IncompatibleError(f"f: returned {type(x).__name__}, which is no array of numbers; return one array")
    return found


def converter(f: Any, like: Any, dtype: Any) -> Callable[[Array], Any]:
    """How f wants its argument: a function from NumPy arrays to arrays of one framework, dtype and device.

    ``like`` is an array of these. Without it: the parameters of f if it has any (a module of torch), torch if ``dtype`` is one of
    torch's, and otherwise NumPy, which functions of JAX take as well. A complex array stays complex.

    Raises:
        IncompatibleError: ``like`` is no array of NumPy, torch or JAX.
    """
    if like is None:
        like = _parameter(f, dtype)
    if like is None or isinstance(like, np.ndarray | np.generic):
        short = np.dtype(dtype or ("float64" if like is None else f"{like.dtype}"))
        return lambda x: x.astype(_as_complex(short, x))
    wanted: Any = dtype or getattr(like, "dtype", None)
    if hasattr(like, "new_tensor"):

        def to_torch(x: Array) -> Any:
            keep = not np.iscomplexobj(x) or wanted.is_complex
            return like.new_tensor(x, dtype=wanted if keep else wanted.to_complex())

        return to_torch
    if hasattr(like, "__array_namespace__"):
        space: Any = like.__array_namespace__()
        return lambda x: space.asarray(x, dtype=_as_complex(np.dtype(wanted), x))
    raise IncompatibleError(f"like: expected an array of NumPy, torch or JAX, got {type(like).__name__}")


def _parameter(f: Any, dtype: Any) -> Any:
    """A tensor of torch if f or dtype belong to torch, whatever has loaded it; else None."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return None
    if isinstance(f, torch.nn.Module):
        floating = (p.detach() for p in f.parameters() if p.is_floating_point() or p.is_complex())
        return next(floating, torch.zeros(()))
    return torch.zeros((), dtype=dtype) if isinstance(dtype, torch.dtype) else None


def _as_complex(dtype: np.dtype[Any], x: Array) -> np.dtype[Any]:
    return np.result_type(dtype, np.complex64) if np.iscomplexobj(x) and dtype.kind != "c" else dtype
