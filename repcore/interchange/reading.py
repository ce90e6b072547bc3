"""The model file: a model in one ``.safetensors`` file, its equivariant weights by coefficients and bases.

The layout is that of safetensors, see :mod:`repcore.store.container`. The tensors are

==================================  ==================================================================================
``NAME``                            a weight or buffer that no rule means, as it is
``repcore/theta/NAME``              (*batch, dim), the coefficients of a weight, in the dtype of the model
``repcore/plan/i/b/rows``           I64 (n, dim W), block b of plan i: positions in Y of the n copies of the summand W
``repcore/plan/i/b/cols``           I64 (m, dim V), positions in X of the m copies of the summand V
``repcore/plan/i/b/order``          I64 (n, m, k), where the coefficients of a pair of copies are in theta
``repcore/plan/i/b/ids, values``    orbit: I64 (N,), the element of each entry of the (dim W, dim V) array, -1 for none; F64 (N,)
``repcore/plan/i/b/q``              factor: F64 (N, k), the elements as columns
``repcore/plan/i/b/left, right``    schur: F64 (dim W, r), (dim V, r'), the irreps of W and V, see :class:`repcore.Schur`
``repcore/plan/i/b/e0, e1, ...``    F64 (t, d, d), the endomorphisms of each irrep
==================================  ==================================================================================

with N = dim W * dim V. Complex arrays are pairs of real and imaginary part along a last axis of 2. The one metadata entry,
``repcore``, is a JSON text: format, the views of the weights, the digests of their plans, the declared symmetry, a checksum.
"""

from __future__ import annotations

import os
from math import prod
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError, StoreError
from repcore.interchange.model import OWN, Coefficients, ModelFile
from repcore.interchange.symmetry import Declared, Entry
from repcore.interchange.writing import DTYPES, FILE, FORMAT
from repcore.plan import Block, Factor, Orbit, Plan, Schur
from repcore.rules.view import View
from repcore.store.container import check_format, checksum, document_of, read_file, views_of
from repcore.store.fields import LARGEST, take_dict, take_int, take_list, take_text

__all__ = ["is_model", "model_from_bytes", "read_model"]

Array = npt.NDArray[Any]

_STEM = FORMAT.rpartition("-")[0]
_AXES = 32  # what every release of NumPy takes
_KINDS = {kind: np.dtype(name).newbyteorder("<").str for name, kind in DTYPES.items()} | {"BF16": "<u2", "BOOL": "u1"}
_NAMES = {kind: name for name, kind in DTYPES.items()} | {"BF16": "bfloat16"}
_PAIRS = {"complex64": "F32", "complex128": "F64"}


def is_model(path: str | os.PathLike[str]) -> bool:
    """Whether a file says that it is a model file, of whatever version.

    Raises:
        StoreError: no such file, or none of repcore.
    """
    document, _, _ = document_of(memoryview(read_file(path, FILE, header_only=True)), repr(os.fspath(path)))
    return str(document["format"])[:100].startswith(_STEM)


def read_model(path: str | os.PathLike[str]) -> ModelFile:
    """Read a model file; see :func:`model_from_bytes`.

    Raises:
        StoreError: no such file, not a model file, damaged, or written by a newer repcore.
    """
    return model_from_bytes(read_file(path, FILE), repr(os.fspath(path)))


def model_from_bytes(data: bytes, where: str = "data") -> ModelFile:
    """The model in the bytes of a model file.

    Checked before anything is allocated: sizes against the length of the data. Then the checksum, and that every index is in
    range and every coefficient has one place. This shows that the file is what somebody wrote; that the bases are those of the
    declared spaces is shown by loading the coefficients into a model that has solved them.

    Raises:
        StoreError: anything else than an undamaged model file of this format or an older one.
    """
    try:
        return _model(memoryview(data), where)
    except (RecursionError, MemoryError, OverflowError) as error:
        raise StoreError(f"{where}: no model file, or a damaged one: {type(error).__name__}") from None


def _model(data: memoryview, where: str) -> ModelFile:
    document, header, buffer = document_of(data, where)
    check_format(document["format"], FORMAT, where)
    keys = ("separator", "weights", "plans", "spaces", "declarations", "layers", "tensors", "checksum")
    table = take_dict(document, where, *keys)
    if table["checksum"] != checksum(table, [buffer]):
        raise StoreError(f"{where}: the checksum does not match, the file is damaged; save the model again")
    arrays = views_of(header, buffer, where, _KINDS, axes=_AXES, empty=True)
    kinds: dict[str, str] = {name: entry["dtype"] for name, entry in header.items()}
    given = take_list(table["plans"], f"{where}: plans")
    plans = [_plan(p, i, arrays, f"{where}: plan {i}", table["checksum"]) for i, p in enumerate(given)]
    weights: dict[str, Coefficients] = {}
    bfloat16: set[str] = set()
    spaces: dict[str, int] = {}
    for name, entry in take_dict(table["weights"], f"{where}: weights").items():
        at = f"{where}: weight {name[:60]!r}"
        keys = take_dict(entry, at, "plan", "dtype", "view", "label", "space")
        dtype = take_text(keys["dtype"], f"{at}: dtype")
        theta = _numbers(_taken(arrays, f"{OWN}theta/{name}", at), kinds[f"{OWN}theta/{name}"], dtype, at)
        plan, digest, coordinates = plans[take_int(keys["plan"], f"{at}: plan", 0, len(plans) - 1)]
        try:
            weights[name] = Coefficients(
                theta, plan, _view(keys["view"], f"{at}: view"), None, take_text(keys["label"], at), digest, coordinates
            )
        except IncompatibleError as error:
            raise StoreError(f"{at}: {error}; the file is damaged") from None
        if dtype == "bfloat16":
            bfloat16.add(name)
        if keys["space"] is not None:
            spaces[name] = take_int(keys["space"], f"{at}: space")
    declared = _declared(table, spaces, where)
    tensors: dict[str, Array] = {}
    for name, entry in take_dict(table["tensors"], f"{where}: tensors").items():
        at = f"{where}: tensor {name[:60]!r}"
        keys = take_dict(entry, at, "dtype", "shape")
        dtype = take_text(keys["dtype"], f"{at}: dtype")
        tensors[name] = _numbers(_taken(arrays, name, at), kinds[name], dtype, at)
        if list(tensors[name].shape) != keys["shape"]:
            raise StoreError(f"{at}: has another shape than the document says; the file is damaged, save the model again")
        if dtype == "bfloat16":
            bfloat16.add(name)
    if arrays:
        raise StoreError(f"{where}: the tensor {next(iter(arrays))[:60]!r} belongs to no weight and no plan")
    layers = {n: take_text(d, f"{where}: layers") for n, d in take_dict(table["layers"], f"{where}: layers").items()}
    separator = take_text(table["separator"], f"{where}: separator")
    if len(separator) != 1:
        raise StoreError(f"{where}: a separator is one character; the file is damaged, save the model again")
    try:
        return ModelFile(weights, tensors, layers, bfloat16=bfloat16, separator=separator, declared=declared)
    except IncompatibleError as error:
        raise StoreError(f"{where}: {error}; the file is damaged") from None


def _declared(table: dict[str, Any], names: dict[str, int], where: str) -> Declared:
    documents = tuple(take_dict(d, f"{where}: declarations") for d in take_list(table["declarations"], f"{where}: declarations"))
    entries: list[Entry] = []
    for i, entry in enumerate(take_list(table["spaces"], f"{where}: spaces")):
        at = f"{where}: space {i}"
        keys = take_dict(entry, at, "digest", "text", "declaration")
        number = keys["declaration"]
        number = None if number is None else take_int(number, at, 0, len(documents) - 1)
        entries.append(Entry(take_text(keys["digest"], at), take_text(keys["text"], at), number))
    if any(i >= len(entries) for i in names.values()):
        raise StoreError(f"{where}: a weight has a space that the file does not have; the file is damaged")
    return Declared(documents, tuple(entries), names)


def _plan(data: object, i: int, arrays: dict[str, Array], where: str, name: str) -> tuple[Plan, str, str]:
    keys = take_dict(data, where, "digest", "coordinates", "shape", "dim", "complex", "blocks")
    rows, cols = (take_int(n, f"{where}: shape") for n in take_list(keys["shape"], where, 2))
    if rows * cols > LARGEST or not isinstance(keys["complex"], bool):
        raise StoreError(f"{where}: maps of shape {rows, cols} are none; the file is damaged")
    dim, is_complex = take_int(keys["dim"], f"{where}: dim"), keys["complex"]
    given = take_list(keys["blocks"], f"{where}: blocks")
    blocks = tuple(_block(b, f"{OWN}plan/{i}/{k}/", (rows, cols), is_complex, arrays, where) for k, b in enumerate(given))
    order = np.concatenate([np.zeros(0, np.int64), *(b.order.ravel() for b in blocks)])
    if len(order) != dim or not np.array_equal(np.sort(order), np.arange(dim)):
        raise StoreError(f"{where}: its blocks do not hold each of {dim} coefficients once; the file is damaged")
    # Not the digest that the file claims: whoever looks for the plan of that digest must not find arrays out of a file.
    plan = Plan((rows, cols), dim, blocks, f"unverified-{name}-{i}", is_complex)
    return plan, take_text(keys["digest"], where), take_text(keys["coordinates"], where)


def _block(data: object, at: str, shape: tuple[int, int], is_complex: bool, arrays: dict[str, Array], where: str) -> Block:
    keys = take_dict(data, where, "structure")
    rows, cols, order = (_words(arrays, at + name, axes, where) for name, axes in (("rows", 2), ("cols", 2), ("order", 3)))
    size = rows.shape[1] * cols.shape[1]
    k = order.shape[2]
    if not (_distinct(rows, shape[0]) and _distinct(cols, shape[1]) and order.shape[:2] == (len(rows), len(cols)) and order.size):
        raise StoreError(f"{where}: the positions of a block do not fit; the file is damaged")

    def floats(name: str, axes: int) -> Array:
        found = _numbers(_taken(arrays, at + name, where), "F64", "complex128" if is_complex else "float64", where)
        if found.ndim != axes or not np.isfinite(found).all():
            raise StoreError(f"{where}: {name} is no array of numbers with {axes} axes; the file is damaged")
        return found

    match keys["structure"]:
        case "orbit":
            ids, values = _words(arrays, at + "ids", 1, where), floats("values", 1)
            fits = ids.shape == values.shape == (size,) and int(ids.min()) >= -1 and int(ids.max()) < k
            structure = Orbit(ids, values, k)
        case "factor":
            structure = Factor(floats("q", 2))
            fits = structure.q.shape == (size, k)
        case "schur":
            structure = _schur(keys, floats, where)
            used = [sum(p[side] * p[2] for p in structure.parts) for side in (0, 1)]
            tops = (rows.shape[1], cols.shape[1])
            # A basis has no more vectors than the space has dimensions: that bounds what it takes to expand it.
            fits = structure.dim == k and all(n <= top for n, top in zip(used, tops, strict=True))
            fits = fits and (structure.rows.shape, structure.cols.shape) == ((tops[0], used[0]), (tops[1], used[1]))
        case _:
            raise StoreError(f"{where}: a block has a structure that this release does not know; update repcore")
    if not fits:
        raise StoreError(f"{where}: the sizes of a block do not fit each other; the file is damaged")
    return Block(rows, cols, order, structure)


def _schur(keys: dict[str, Any], floats: Any, where: str) -> Schur:
    parts: list[tuple[int, int, int, Array]] = []
    for p, entry in enumerate(take_list(take_dict(keys, where, "parts")["parts"], f"{where}: parts")):
        m_w, m_v, d, t = (take_int(n, f"{where}: parts", 1, 2**31) for n in take_list(entry, where, 4))
        endomorphisms = floats(f"e{p}", 3)
        if endomorphisms.shape != (t, d, d) or t not in (1, 2, 4):
            raise StoreError(f"{where}: the endomorphisms of an irrep do not fit; the file is damaged")
        parts.append((m_w, m_v, d, endomorphisms))
    return Schur(floats("left", 2), floats("right", 2), tuple(parts))


def _view(data: object, where: str) -> View:
    keys = take_dict(data, where, "shape", "split", "order", "batch", "rows", "cols")
    lists = {name: take_list(keys[name], f"{where}: {name}") for name in ("shape", "split", "order", "batch")}
    if any(len(values) > _AXES for values in lists.values()):
        raise StoreError(f"{where}: more than {_AXES} axes; the file is damaged")
    shape, split, order, batch = (tuple(take_int(n, f"{where}: {name}") for n in values) for name, values in lists.items())
    rows, cols = (take_int(keys[name], f"{where}: {name}") for name in ("rows", "cols"))
    sizes = (prod(shape), prod(split), prod(batch) * rows * cols)
    if len(set(sizes)) != 1 or sizes[0] > LARGEST or sorted(order) != list(range(len(split))):
        raise StoreError(f"{where}: its shapes have different numbers of entries; the file is damaged")
    return View(shape, split, order, batch, rows, cols)


def _taken(arrays: dict[str, Array], name: str, where: str) -> Array:
    array = arrays.pop(name, None)
    if array is None:
        raise StoreError(f"{where}: the tensor {name[:80]!r} is missing; the file is damaged, save the model again")
    return array


def _words(arrays: dict[str, Array], name: str, axes: int, where: str) -> npt.NDArray[np.int64]:
    array = _taken(arrays, name, where)
    if array.dtype != np.dtype("<i8") or array.ndim != axes:
        raise StoreError(f"{where}: the tensor {name[:80]!r} is no array of integers with {axes} axes; the file is damaged")
    return cast(Any, array.astype(np.int64, copy=False))


def _numbers(array: Array, kind: str, wanted: str, where: str) -> Array:
    """The tensor as the dtype that the file says; bfloat16 as float32."""
    if wanted in _PAIRS:
        if kind != _PAIRS[wanted] or array.dtype != np.dtype(_KINDS[kind]) or array.ndim < 1 or array.shape[-1] != 2:
            raise StoreError(f"{where}: is no tensor of pairs of real and imaginary part; the file is damaged")
        real = array.astype(array.dtype.newbyteorder("="), copy=False)
        return real.view(wanted)[..., 0] if array.size else np.zeros(array.shape[:-1], wanted)
    if _NAMES.get(kind) != wanted or array.dtype != np.dtype(_KINDS[kind]):
        raise StoreError(f"{where}: its tensor has type {kind}, expected {wanted[:20]}; the file is damaged")
    if wanted == "bfloat16":
        return (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if wanted == "bool":
        return array != 0
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _distinct(positions: Array, size: int) -> bool:
    """Whether positions are in range and none comes twice; then there are no more than fit."""
    if not positions.size or int(positions.min()) < 0 or int(positions.max()) >= size:
        return False
    return len(np.unique(positions)) == positions.size
