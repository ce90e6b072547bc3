"""The basis file: one solved space in one ``.safetensors`` file, byte for byte the same whoever solved it.

The layout is that of safetensors (an 8-byte header length, a JSON header, one buffer), so other programs can read it. For
block number i the tensors are

==================  =====================  ==========================================================================
``i.rows``          I64 (n, dim W)         positions in Y of the n copies of the summand W
``i.cols``          I64 (m, dim V)         positions in X of the m copies of the summand V
``i.element``       I64 (nnz,)             which element of the block an entry belongs to, ascending
``i.place``         I64 (nnz,)             where: row-major place in the (dim W, dim V) array, ascending in each element
``i.nums``          I64 (nnz, degree)      integer coordinates of the entry in the powers of the field's theta, times den;
                    or U8 (bytes,)         the same as decimal text, one number a line, where a machine word is too small
==================  =====================  ==========================================================================

The only metadata entry, ``repcore``, is one JSON text: format, digests, field, certificate, each block's denominator, and the
declaration of the space (see ``encode.py``), so that a file can be verified by itself. safetensors' own writer orders several
metadata entries at random; hence one entry, and a writer of our own.

The declaration is the canonical form of ``canonical.py``: names and the order of generators are no part of a space, and
so no part of its file.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.basis import EquivariantBasis, assemble
from repcore.errors import NumberError, StoreError
from repcore.exact.coefficients import SAFE, largest
from repcore.exact.field import Field, compositum
from repcore.exact.grammar import shorten
from repcore.exact.matrix import Matrix, from_coo
from repcore.reps.hom import FORMAT, Hom
from repcore.solve.certificate import Certificate
from repcore.store.atomic import write_atomically
from repcore.store.canonical import canonical
from repcore.store.container import Part, check_format, checksum, document_of, pack, read_file, views_of
from repcore.store.encode import decode_space, encode_space
from repcore.store.fields import LARGEST, take_dict, take_int, take_list, take_text

__all__ = ["Summary", "basis_from_bytes", "basis_to_bytes", "read_basis", "read_summary", "write_basis"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

_FILE = 8 * 2**30  # bytes
_COEFFICIENTS = 2**30  # of one basis: its order array takes 8 bytes for each
_DIGITS = 4000  # of one integer: Python's own limit for reading one is 4,300


@dataclass(frozen=True)
class Summary:
    """What the header of a basis file says of it, unchecked: enough for a list of files, read in one small piece.

    Attributes:
        space: the expression, without names.
        shape: (dim Y, dim X).
        dim: number of elements.
        field: e.g. ``"QQ"``.
        status: of the certificate.
        space_digest, basis_digest: SHA-256.
    """

    space: str
    shape: tuple[int, int]
    dim: int
    field: str
    status: str
    space_digest: str
    basis_digest: str


# -- writing -----------------------------------------------------------------------------------------------------------


def write_basis(basis: EquivariantBasis, path: str | os.PathLike[str]) -> None:
    """Write a basis to a file, all of it or nothing.

    Raises:
        StoreError: the file cannot be written, or a node of the expression has no stored form.
    """
    write_atomically(path, basis_to_bytes(basis))


def basis_to_bytes(basis: EquivariantBasis) -> bytes:
    """The bytes of the basis file: a function of the space and of the format version alone.

    Not in them: names, the order of generators, the steps of the solver, time, machine. Cost: one pass, two SHA-256.
    """
    tensors: list[Part] = []
    blocks: list[dict[str, Any]] = []
    for i, b in enumerate(basis.blocks):
        parts = {"rows": b.rows, "cols": b.cols, "element": b.basis.rows, "place": b.basis.cols, "nums": b.basis.nums}
        for name, array in parts.items():
            if array.dtype == object:
                data = "\n".join(map(str, array.ravel())).encode()
                tensors.append(Part(f"{i}.{name}", "U8", (len(data),), data))
            else:
                words = np.ascontiguousarray(array, "<i8").tobytes()
                tensors.append(Part(f"{i}.{name}", "I64", array.shape, words))
        blocks.append({"den": str(b.basis.den), "shape": list(b.basis.shape)})
    # Words before bytes, so that words stay aligned; Python's sort keeps the order of blocks.
    tensors.sort(key=lambda t: t.dtype != "I64")
    space = canonical(basis.space)
    how = basis.certificate
    document = {
        "format": FORMAT,
        "shape": list(basis.shape),
        "dim": basis.dim,
        "field": {"conductor": basis.field.conductor, "fixed": list(basis.field.fixed), "name": str(basis.field)},
        "certificate": {"status": how.status, "completeness": list(how.completeness), "primes": list(how.primes)},
        "basis_digest": basis.digest,
        "space_digest": space.digest,
        "space": shorten(str(space), 400),
        "declaration": encode_space(space),
        "blocks": blocks,
    }
    return b"".join(pack(document, tensors, str(basis.space), _FILE, "keep the space, not the basis"))


# -- reading -----------------------------------------------------------------------------------------------------------


def read_basis(path: str | os.PathLike[str], *, space: Hom | None = None) -> EquivariantBasis:
    """Read a basis from a file; see :func:`basis_from_bytes`.

    Raises:
        StoreError: no such file, not a basis file, damaged, or written by a newer repcore.
    """
    return basis_from_bytes(read_file(path, _FILE), space=space, where=repr(os.fspath(path)))


def read_summary(path: str | os.PathLike[str]) -> Summary:
    """What the header of a basis file says, without reading the arrays or checking anything.

    Raises:
        StoreError: no such file, or not a basis file.
    """
    where = repr(os.fspath(path))
    document, _, _ = _document(memoryview(read_file(path, _FILE, header_only=True)), where)
    table = take_dict(document, where, "space", "shape", "dim", "field", "certificate", "space_digest", "basis_digest")
    texts = {k: take_text(table[k], f"{where}: {k}") for k in ("space", "space_digest", "basis_digest")}
    return Summary(
        shape=_shape(table["shape"], f"{where}: shape"),
        dim=take_int(table["dim"], f"{where}: dim"),
        field=take_text(take_dict(table["field"], where, "name")["name"], f"{where}: field"),
        status=take_text(take_dict(table["certificate"], where, "status")["status"], f"{where}: certificate"),
        **texts,
    )


def basis_from_bytes(data: bytes, *, space: Hom | None = None, where: str = "data") -> EquivariantBasis:
    """The basis in the bytes of a basis file.

    Checked before anything is allocated: sizes against the length of the data. Checked after: the checksum, the canonical
    form and the digest of the basis, and the digest of the declared space. This shows that the file is what somebody wrote;
    that it is right is for :func:`repcore.verify` to show.

    Args:
        data: the whole file.
        space: the space that it must be the basis of; it becomes ``basis.space``. Left out, the space is built from the
            declaration in the file, its generators in canonical order.
        where: what to call the data in messages.

    Raises:
        StoreError: anything else than an undamaged basis file of this format or an older one.
    """
    try:
        return _basis(memoryview(data), space, where)
    except (RecursionError, MemoryError, OverflowError) as error:
        raise StoreError(f"{where}: no basis file, or a damaged one: {type(error).__name__}") from None


def _basis(data: memoryview, space: Hom | None, where: str) -> EquivariantBasis:
    document, header, buffer = _document(data, where)
    keys = ("shape", "dim", "field", "certificate", "basis_digest", "space_digest", "declaration", "blocks", "checksum")
    table = take_dict(document, where, *keys)
    if table["checksum"] != checksum(table, [buffer]):
        raise StoreError(f"{where}: the checksum does not match, the file is damaged; write it again")
    if space is None:
        space = decode_space(table["declaration"], f"{where}: declaration")
    if space.digest != table["space_digest"]:
        raise StoreError(f"{where}: it holds the basis of another space than {space}")
    shape = _shape(table["shape"], f"{where}: shape")
    if shape != space.shape or prod(shape) > LARGEST:
        raise StoreError(f"{where}: maps of shape {shape}, but the space has shape {space.shape}")
    over = _field(table["field"], f"{where}: field")
    tensors = views_of(header, buffer, where, {"I64": "<i8", "U8": "u1"}, axes=2, empty=False)
    given = take_list(table["blocks"], f"{where}: blocks")
    blocks = [_block(b, i, tensors, over, shape, f"{where}: block {i}") for i, b in enumerate(given)]
    if tensors:
        raise StoreError(f"{where}: the tensor {next(iter(tensors))[:40]!r} belongs to no block")
    _check_grid(blocks, shape, where)
    dim = sum(len(rows) * len(cols) * basis.shape[0] for rows, cols, basis in blocks)
    if dim != take_int(table["dim"], f"{where}: dim", 0, _COEFFICIENTS):
        raise StoreError(f"{where}: says that it has {table['dim']} elements, and its blocks have {dim}")
    out = assemble(space, over, blocks, _certificate(table["certificate"], f"{where}: certificate"))
    if out.digest != table["basis_digest"]:
        raise StoreError(f"{where}: the digest of the basis does not match, the file is damaged; write it again")
    return out


def _document(data: memoryview, where: str) -> tuple[dict[str, Any], dict[str, Any], memoryview]:
    """The JSON document of the metadata, the header of the tensors, and the buffer behind it."""
    document, header, buffer = document_of(data, where)
    check_format(document["format"], FORMAT, where)
    return document, header, buffer


def _shape(value: object, where: str) -> tuple[int, int]:
    rows, cols = take_list(value, where, 2)
    return take_int(rows, where), take_int(cols, where)


def _field(value: object, where: str) -> Field:
    table = take_dict(value, where, "conductor", "fixed")
    fixed = tuple(take_int(k, where) for k in take_list(table["fixed"], where))
    try:
        # The compositum of one field is that field, found again where it is known already.
        return compositum(Field(take_int(table["conductor"], where), fixed))
    except NumberError as error:
        raise StoreError(f"{where}: {error}") from None


def _certificate(value: object, where: str) -> Certificate:
    table = take_dict(value, where, "status", "completeness", "primes")
    how = tuple(take_text(x, where) for x in take_list(table["completeness"], where))
    primes = tuple(take_int(p, where, 2) for p in take_list(table["primes"], where))
    return Certificate(take_text(table["status"], where), how, primes)


def _block(
    data: object, i: int, tensors: dict[str, Array], over: Field, shape: tuple[int, int], where: str
) -> tuple[Ints, Ints, Matrix]:
    table = take_dict(data, where, "den", "shape")
    k, size = _shape(table["shape"], where)
    rows, cols, element, place = (_words(tensors, f"{i}.{name}", where) for name in ("rows", "cols", "element", "place"))
    nums = _numerators(tensors, f"{i}.nums", over, where)
    den = _integer(table["den"], where)
    if not (
        rows.ndim == cols.ndim == 2
        and element.ndim == place.ndim == 1
        and rows.size
        and cols.size
        and rows.shape[1] * cols.shape[1] == size
        and 1 <= k <= len(element)
        and len(element) == len(place) == len(nums)
        and k * size < LARGEST
        and den >= 1
    ):
        raise StoreError(f"{where}: the sizes of its arrays do not fit each other")
    if len(rows) * len(cols) * k > _COEFFICIENTS:
        raise StoreError(f"{where}: it would have more than {_COEFFICIENTS} elements, which is more than is read")
    if not (_within(rows, shape[0]) and _within(cols, shape[1]) and _within(element, k) and _within(place, size)):
        raise StoreError(f"{where}: an index is out of range")
    keys = element * size + place
    if not bool(np.all(keys[1:] > keys[:-1])) or len(np.unique(element)) != k or not bool(np.all(nums.any(axis=1))):
        raise StoreError(f"{where}: its entries are not in canonical order")
    basis = from_coo((k, size), over, element, place, nums, den)
    if basis.den != den or basis.nums.dtype != nums.dtype:
        raise StoreError(f"{where}: its entries are not in lowest terms")
    return rows, cols, basis


def _words(tensors: dict[str, Array], name: str, where: str) -> Ints:
    array = tensors.pop(name, None)
    if array is None or array.dtype.itemsize != 8:
        raise StoreError(f"{where}: the tensor {name!r} is missing; the file is damaged, write it again")
    # The same memory on a little-endian machine; read-only, as it belongs to the bytes of the file.
    return array.astype(np.int64, copy=False)


def _numerators(tensors: dict[str, Array], name: str, over: Field, where: str) -> Array:
    array = tensors.get(name)
    if array is not None and array.dtype == np.uint8:
        lines = tensors.pop(name).tobytes().decode("ascii", "replace").split("\n")
        nums = np.empty(len(lines), object)
        nums[:] = [_integer(x, where) for x in lines]
    else:
        nums = _words(tensors, name, where)
    degree = over.degree
    if nums.size % degree or nums.shape[1:] not in ((), (degree,)):
        raise StoreError(f"{where}: its entries have another number of coordinates than the field")
    nums: Array = nums.reshape(-1, degree)
    if (nums.dtype == object) != (largest(nums) >= SAFE):
        raise StoreError(f"{where}: its entries are not in canonical form")
    nums.flags.writeable = False
    return nums


def _integer(text: object, where: str) -> int:
    if not isinstance(text, str) or not re.fullmatch(f"-?[0-9]{{1,{_DIGITS}}}", text, re.ASCII):
        raise StoreError(f"{where}: expected an integer as text, of at most {_DIGITS} digits; the file is damaged")
    return int(text)


def _within(array: Ints, size: int) -> bool:
    return not array.size or (int(array.min()) >= 0 and int(array.max()) < size)


def _check_grid(blocks: list[tuple[Ints, Ints, Matrix]], shape: tuple[int, int], where: str) -> None:
    """Blocks belong to pairs of summands: the position sets of Y are disjoint, those of X as well, no pair comes twice."""
    for axis, sets in enumerate(([rows for rows, _, _ in blocks], [cols for _, cols, _ in blocks])):
        distinct = {a.tobytes(): a for a in sets}
        places = np.concatenate([a.ravel() for a in distinct.values()] or [np.zeros(0, np.int64)])
        if len(np.unique(places)) != len(places):
            raise StoreError(f"{where}: two blocks share positions along axis {axis} of shape {shape}")
    if len({(rows.tobytes(), cols.tobytes()) for rows, cols, _ in blocks}) != len(blocks):
        raise StoreError(f"{where}: two blocks belong to the same pair of summands")
