"""The bytes of a model file; see :mod:`repcore.interchange.reading` for its layout."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError
from repcore.interchange.model import OWN, Coefficients, ModelFile
from repcore.plan import Factor, Orbit, Plan
from repcore.rules.view import View
from repcore.store.container import Bytes, Part, pack

__all__ = ["DTYPES", "FILE", "FORMAT", "model_to_bytes", "model_to_pieces"]

Array = npt.NDArray[Any]

FORMAT = "repcore-model-1"
"""The version of the layout."""

FILE = 2**40  # bytes; what is read is bounded by the memory of the machine as well

DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
"""The types of tensors, by their names in NumPy; BF16 and pairs for complex numbers come in addition."""

_REAL = {"complex64": "float32", "complex128": "float64"}


def model_to_bytes(model: ModelFile) -> bytes:
    """The bytes of the file of a model: a function of the model and the format version alone."""
    return b"".join(model_to_pieces(model))


def model_to_pieces(model: ModelFile) -> list[Bytes]:
    """The same in pieces, which share memory with the model.

    Raises:
        IncompatibleError: a tensor of a dtype that the file has no type for.
        StoreError: more than is read back.
    """
    parts: list[Part] = []
    weights: dict[str, Any] = {}
    plans: dict[str, tuple[int, Plan, str]] = {}
    for name in sorted(model.weights):
        w = model.weights[name]
        number, *_ = plans.setdefault(w.digest, (len(plans), w.plan, w.coordinates))
        parts.append(_part(f"{OWN}theta/{name}", w.theta, name in model.bfloat16))
        weights[name] = _weight(w, number, "bfloat16" if name in model.bfloat16 else w.theta.dtype.name)
    tables = [_plan(plan, digest, coordinates, i, parts) for digest, (i, plan, coordinates) in plans.items()]
    for name in sorted(model.tensors):
        parts.append(_part(name, model.tensors[name], name in model.bfloat16))
    # Large numbers first, so that all stay aligned.
    parts.sort(key=lambda p: (-_width(p.dtype), p.name))
    declared = model.declared
    for name, i in declared.names.items():
        weights[name]["space"] = i
    document = {
        "format": FORMAT,
        "separator": model.separator,
        "weights": weights,
        "plans": tables,
        "spaces": [{"digest": e.digest, "text": e.text, "declaration": e.declaration} for e in declared.entries],
        "declarations": list(declared.documents),
        "layers": dict(model.layers),
        "tensors": {n: _tensor(t, n in model.bfloat16) for n, t in model.tensors.items()},
    }
    return pack(document, parts, "the model", FILE, "save parts of it")


def _tensor(array: Array, bfloat16: bool) -> dict[str, Any]:
    # Said once more, since the checksum is one of this document and of the numbers, and not of their names.
    return {"dtype": "bfloat16" if bfloat16 else array.dtype.name, "shape": [int(n) for n in array.shape]}


def _weight(w: Coefficients, plan: int, dtype: str) -> dict[str, Any]:
    return {"plan": plan, "dtype": dtype, "view": _view(w.view), "label": w.label, "space": None}


def _view(view: View) -> dict[str, Any]:
    lists = {"shape": view.shape, "split": view.split, "order": view.order, "batch": view.batch}
    return {**{key: [int(n) for n in value] for key, value in lists.items()}, "rows": int(view.rows), "cols": int(view.cols)}


def _plan(plan: Plan, digest: str, coordinates: str, i: int, parts: list[Part]) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    for b in plan.blocks:
        if not b.order.size:
            continue
        arrays: dict[str, Array] = {"rows": b.rows, "cols": b.cols, "order": b.order}
        table: dict[str, Any] = {}
        match b.structure:
            case Orbit(ids, values):
                table["structure"] = "orbit"
                arrays |= {"ids": ids, "values": _wide(values, plan.is_complex)}
            case Factor(q):
                table["structure"] = "factor"
                arrays["q"] = _wide(q, plan.is_complex)
            case schur:
                table |= {"structure": "schur", "parts": [[int(a), int(c), int(d), len(e)] for a, c, d, e in schur.parts]}
                arrays |= {"left": _wide(schur.rows, plan.is_complex), "right": _wide(schur.cols, plan.is_complex)}
                arrays |= {f"e{p}": _wide(e, plan.is_complex) for p, (*_, e) in enumerate(schur.parts)}
        parts += [_part(f"{OWN}plan/{i}/{len(blocks)}/{key}", array, bfloat16=False) for key, array in arrays.items()]
        blocks.append(table)
    return {
        "digest": digest,
        "coordinates": coordinates,
        "shape": [int(n) for n in plan.shape],
        "dim": int(plan.dim),
        "complex": plan.is_complex,
        "blocks": blocks,
    }


def _wide(array: Array, is_complex: bool) -> Array:
    return np.asarray(array, np.complex128 if is_complex else np.float64)


def _part(name: str, array: Array, bfloat16: bool) -> Part:
    if bfloat16:
        bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
        if (bits & np.uint32(0xFFFF)).any():
            raise IncompatibleError(f"{name!r}: is said to be bfloat16, and has values that bfloat16 does not have")
        return _bytes(name, "BF16", array.shape, (bits >> np.uint32(16)).astype("<u2"))
    kind = array.dtype.name
    if kind in _REAL:
        # safetensors has no complex numbers of both precisions: pairs of real and imaginary part.
        array = np.ascontiguousarray(array).view(_REAL[kind]).reshape(*array.shape, 2)
        kind = _REAL[kind]
    if kind not in DTYPES:
        raise IncompatibleError(
            f"{name!r}: has dtype {kind}, which a model file does not hold; convert it to one of " + ", ".join(DTYPES)
        )
    return _bytes(name, DTYPES[kind], array.shape, np.ascontiguousarray(array, array.dtype.newbyteorder("<")))


def _bytes(name: str, dtype: str, shape: tuple[int, ...], array: Array) -> Part:
    return Part(name, dtype, tuple(int(n) for n in shape), memoryview(cast(Any, array.reshape(-1).view(np.uint8))))


def _width(dtype: str) -> int:
    return 1 if dtype == "BOOL" else int("".join(c for c in dtype if c.isdigit())) // 8
