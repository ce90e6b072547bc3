"""What is fuzzed: functions of arbitrary bytes that read them as what users and files give, and check what comes back.

Each returns whether the input was taken, and raises nothing unless there is a bug: only errors of repcore are caught.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import re
import shutil
import struct
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import repcore as rc
from repcore.spec.expression import Scope, evaluate
from repcore.spec.files import dump, load
from repcore.store.files import basis_from_bytes, basis_to_bytes

Target = Callable[[bytes], bool]

GROUPS = [
    rc.dihedral(4),
    rc.SO(3),
    rc.symmetric(4),
    rc.quaternion(),
    rc.SO(3) @ rc.symmetric(3),
    rc.cyclic(8),
    rc.Group(dim=2),
    rc.GL(2),
]


def numbers(data: bytes) -> bool:
    """An exact number in words; what is printed must be read as the same number."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        x = rc.number(text)
        again = str(x)
    except rc.RepcoreError as error:
        _check_message(error)
        return False
    # The grammar takes 200 digits a literal, 200 operands, 1,000 characters; what is printed may have more.
    if len(again) <= 900 and again.count(" ") <= 390 and max(map(len, re.findall("[0-9]+", again)), default=0) <= 200:
        assert rc.number(again) == x
    assert (x - x) == 0
    assert x.conjugate().conjugate() == x
    return True


def expressions(data: bytes) -> bool:
    """An expression of representations over one of the groups, which the first byte chooses."""
    scope = Scope(GROUPS[(data[0] if data else 0) % len(GROUPS)])
    text = data[1:].decode("utf-8", "replace")
    try:
        rep = evaluate(text, scope, "X").rep
        assert 0 <= rep.dim <= 2**62
        space = rep >> rep
        assert len(space.digest) == 64
        assert isinstance(str(rep), str)
    except rc.RepcoreError as error:
        _check_message(error)
        return False
    assert hash(rep) == hash(evaluate(text, scope, "X").rep)
    return True


def spec_toml(data: bytes) -> bool:
    """A declarative file in TOML."""
    return _spec(data, ".toml")


def spec_json(data: bytes) -> bool:
    """A declarative file in JSON."""
    return _spec(data, ".json")


def basis_file(data: bytes) -> bool:
    """A basis file as ``text()`` writes it: with a right checksum, so that what is behind the checksum is met as well."""
    whole = untext(data)
    try:
        basis = basis_from_bytes(whole)
    except rc.StoreError as error:
        _check_message(error)
        return False
    # What is taken is canonical: written again, it means the same.
    again = basis_to_bytes(basis)
    found = basis_from_bytes(again)
    assert found == basis
    assert basis_to_bytes(found) == again
    return True


def basis_bytes(data: bytes) -> bool:
    """A basis file as it is, on a disk, read as the cache reads it."""
    path = _PLACE / "bytes.safetensors"
    path.write_bytes(data)
    try:
        load(path)
    except rc.StoreError as error:
        _check_message(error)
        return False
    return True


TARGETS: dict[str, Target] = {
    "numbers": numbers,
    "expressions": expressions,
    "spec_toml": spec_toml,
    "spec_json": spec_json,
    "basis_file": basis_file,
    "basis_bytes": basis_bytes,
}

# libFuzzer ends without saying goodbye: then who started the process removes the temporary directory around this one.
_PLACE = Path(tempfile.mkdtemp(prefix="repcore-fuzz-"))
atexit.register(shutil.rmtree, _PLACE, ignore_errors=True)


def _spec(data: bytes, suffix: str) -> bool:
    path = _PLACE / f"a{suffix}"
    path.write_bytes(data)
    try:
        spec = load(path)
    except rc.SpecError as error:
        _check_message(error)
        return False
    assert isinstance(spec, rc.Spec)
    try:
        dump(spec, path)
    except rc.SpecError as error:
        # A name, or a representation, that a file cannot say.
        _check_message(error)
        return True
    assert load(path) == spec
    return True


def _check_message(error: BaseException) -> None:
    # Messages of the standard parsers within ours are cut at 200; a path may be long.
    text = str(error)
    assert text, repr(error)
    assert len(text) < 3000, text


def text(whole: bytes) -> bytes:
    """A basis file for the mutator: one JSON document with the declaration, the tensors, and the buffer in hexadecimal."""
    size = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8 : 8 + size])
    document = json.loads(header.pop("__metadata__")["repcore"])
    return json.dumps({"document": document, "header": header, "buffer": whole[8 + size :].hex()}).encode()


def untext(data: bytes) -> bytes:
    """The basis file of such a document, with a right checksum; data of another kind is what it is."""
    try:
        parts: Any = json.loads(data)
        document, header, buffer = parts["document"], dict(parts["header"]), bytes.fromhex(parts["buffer"])
        document.pop("checksum", None)
        plain = json.dumps(document, sort_keys=True, separators=(",", ":"))
        document["checksum"] = hashlib.sha256(plain.encode() + buffer).hexdigest()
        header["__metadata__"] = {"repcore": json.dumps(document, sort_keys=True, separators=(",", ":"))}
        whole = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return data
    return struct.pack("<Q", len(whole)) + whole + buffer


def prepare() -> None:
    """The settings of a process that fuzzes: every warning but ours is a bug."""
    os.environ["REPCORE_CACHE"] = str(_PLACE / "cache")
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", rc.RepcoreWarning)
