"""Damaged and hostile files, as the cache and the declarative files meet them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.basis import compute
from repcore.exact.field import QQ
from repcore.exact.matrix import from_coo
from repcore.solve import budget
from repcore.store import container, disk
from repcore.store.disk import Store
from repcore.store.files import basis_to_bytes, read_basis, read_summary

V = rc.SO(3).rep
SPACE = V * V >> V * V

Entry = tuple[Store, Path, bytes]


def parts(data: bytes) -> tuple[bytes, bytes]:
    """The header and the buffer of a basis file."""
    size = struct.unpack("<Q", data[:8])[0]
    return data[8 : 8 + size], data[8 + size :]


def whole(header: bytes, buffer: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + buffer


# -- damaged entries of a cache ----------------------------------------------------------------------------------------


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    store = Store(tmp_path / "cache")
    path = store.put(compute(SPACE))
    return store, path, path.read_bytes()


@pytest.mark.parametrize("count", [150, pytest.param(None, marks=pytest.mark.slow)])
def test_a_flipped_bit_anywhere_is_found(entry: Entry, count: int | None) -> None:
    """Random bits of the entry; all of them in the slow tests. The padding of the header is the one place that means nothing."""
    store, path, data = entry
    right = compute(SPACE)
    size = 8 * len(data)
    bits = range(size) if count is None else np.random.default_rng(1).choice(size, count, replace=False).tolist()
    for bit in bits:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = store.get(SPACE)
        assert found is None or found == right
        if found is None:
            assert [w.category for w in caught] == [rc.RepcoreWarning]
            assert not path.exists()


def test_every_truncation_of_an_entry_is_found(entry: Entry) -> None:
    store, path, data = entry
    for end in (*range(40), *range(40, len(data), 61), len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.warns(rc.RepcoreWarning, match="it is dropped, and the space solved again"):
            assert store.get(SPACE) is None
        assert not path.exists()


def test_a_newer_schema_says_what_to_do_and_is_left_alone(entry: Entry, forgetful: Callable[[], None]) -> None:
    store, path, data = entry
    newer = path.with_name(path.name.replace(".1.", ".2."))
    newer.write_bytes(data.replace(b"repcore-basis-1", b"repcore-basis-2"))
    before = newer.read_bytes()
    with pytest.raises(rc.StoreError, match=r"written by a newer repcore, in format repcore-basis-2; .* update it"):
        rc.load(newer)
    forgetful()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rc.solve(SPACE, store=store).steps == ()
    assert newer.read_bytes() == before
    assert {e.path for e in store.entries()} == {path, newer}  # gc and clear know it


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE, errno.EACCES])
def test_an_entry_that_cannot_be_read_now_is_kept(entry: Entry, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many open files, or a permission, are no damage."""
    store, path, data = entry

    def refuse(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(container, "open", refuse, raising=False)
    with pytest.warns(rc.RepcoreWarning, match="cannot be read: .*; it is passed over"):
        assert store.get(SPACE) is None
    monkeypatch.undo()
    assert path.read_bytes() == data
    assert store.get(SPACE) == compute(SPACE)


def test_symlinks_for_entries(entry: Entry, tmp_path: Path, forgetful: Callable[[], None]) -> None:
    """One to a good file is followed. Of others the link is dropped, never what it points to."""
    store, path, data = entry
    (tmp_path / "good").write_bytes(data)
    (tmp_path / "bad").write_bytes(b"precious")
    path.unlink()
    path.symlink_to(tmp_path / "good")
    assert store.get(SPACE) == compute(SPACE)
    path.unlink()
    path.symlink_to(tmp_path / "bad")
    with pytest.warns(rc.RepcoreWarning, match="dropped"):
        assert rc.solve(SPACE, store=store) == compute(SPACE)
    assert not path.is_symlink()
    assert (tmp_path / "bad").read_bytes() == b"precious"
    for target in ("/dev/zero", "/dev/null", str(tmp_path), str(path), "/nowhere"):
        path.unlink()
        path.symlink_to(target)
        forgetful()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rc.RepcoreWarning)
            assert rc.solve(SPACE, store=store) == compute(SPACE)
        assert path.read_bytes() == data
    path.unlink()
    path.symlink_to(tmp_path / "bad")
    assert len(store.clear()) == 1
    assert (tmp_path / "bad").read_bytes() == b"precious"


@pytest.mark.parametrize("kind", ["directory", "pipe", "symlink to itself", "symlink to a file"])
def test_something_else_for_a_lock(kind: str, tmp_path: Path, forgetful: Callable[[], None]) -> None:
    lock, precious = tmp_path / "cache" / ".lock", tmp_path / "precious"
    lock.parent.mkdir()
    precious.write_text("mine")
    match kind:
        case "directory":
            lock.mkdir()
        case "pipe":
            os.mkfifo(lock)
        case "symlink to itself":
            lock.symlink_to(lock)
        case _:
            lock.symlink_to(precious)
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.RepcoreWarning)
        assert rc.solve(SPACE, store=lock.parent) == compute(SPACE)
    assert time.process_time() - begin < 8
    assert precious.read_text() == "mine"


def test_only_files_of_the_store_are_entries(entry: Entry) -> None:
    store, path, data = entry
    others = [path.with_name(n) for n in ("model.safetensors", "x" * 64 + ".1.safetensors", "0" * 64 + ".1.safetensors")]
    for other in others:
        other.write_bytes(data)
    assert [e.path for e in store.clear()] == [path]
    assert all(other.exists() for other in others)


def test_the_lock_is_for_everybody_who_may_write(tmp_path: Path) -> None:
    for i, mode in enumerate((0o700, 0o770, 0o777, 0o2775, 0o500)):
        path = tmp_path / str(i)
        path.mkdir()
        path.chmod(mode)
        Store(path).put(compute(V >> V))
        assert (path / ".lock").stat().st_mode & 0o777 == mode & 0o666 | 0o600


@pytest.mark.parametrize(
    "place",
    ["x" * 300, "d" + "/x" * 3000, "a\ud800b", "~nobody-at-all/x", "", "a\0b", b"bytes", "/dev/full", "/proc/self/fd", "a\nb"],
)
def test_a_place_that_is_none(place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every verb of the store, of solve and of explain on a path that can be no directory: an error of repcore, or a warning."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(disk, "_PATIENCE", 0.2)  # in some directories of /proc a lock is waited for in vain
    right = compute(V >> V)
    verbs: list[Callable[[], object]] = [
        lambda: rc.solve(V >> V, store=place),
        lambda: rc.explain(V >> V, store=place),
        lambda: Store(place).put(right),
        lambda: Store(place).get(V >> V),
        lambda: Store(place).find(V >> V),
        lambda: Store(place).entries(),
        lambda: Store(place).clear(),
        lambda: Store(tmp_path, shared=place).get(V >> V),
    ]
    outcomes: list[str] = []
    for verb in verbs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rc.RepcoreWarning)
            try:
                verb()
                outcomes.append("done")
            except rc.RepcoreError as error:
                outcomes.append(str(error))
    assert outcomes.count("done") == len(verbs) or any("path" in x or "cannot be" in x for x in outcomes)


# -- hostile basis files -----------------------------------------------------------------------------------------------


def doubled(header: bytes, place: bytes) -> bytes:
    """The header with one key of it written twice."""
    return header.replace(place, place + b'"0.rows":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},', 1)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """Readers differ in which they keep, and the checksum is of what was read."""
    header, buffer = parts(basis_to_bytes(compute(SPACE)))
    for text in (
        doubled(header, b"{"),
        header.replace(b'\\"dim\\":', b'\\"dim\\":3,\\"dim\\":', 1),
        header.replace(b"}", b',"dtype":"I64"}', 1),
    ):
        assert text != header
        (tmp_path / "a.safetensors").write_bytes(whole(text, buffer))
        with pytest.raises(rc.StoreError, match="ValueError in its header"):
            rc.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("depth", [100, 900, 960, 990, 1000, 5000, 10**6])
@pytest.mark.parametrize(("left", "right"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_in_a_header(depth: int, left: bytes, right: bytes, tmp_path: Path) -> None:
    """Reading, writing and hashing are recursive: each must stop in time, wherever in the header it is deep."""
    header, buffer = parts(basis_to_bytes(compute(V >> V)))
    deep = left * depth + b"1" + right * depth
    outside = b'{"x":' + deep + b"," + header[1:]
    document = json.loads(header)["__metadata__"]["repcore"]
    inside = header.replace(b'\\"blocks\\":', b'\\"a\\":' + deep.replace(b'"', b'\\"') + b',\\"blocks\\":', 1)
    assert len(inside) > len(header) > len(document)
    for text in (deep, outside, inside):
        (tmp_path / "a.safetensors").write_bytes(whole(text, buffer))
        for reader in (rc.load, read_basis, read_summary):
            try:
                reader(tmp_path / "a.safetensors")
            except rc.StoreError as error:
                assert len(str(error)) < 500  # noqa: PT017 (the summary may be read: it asks for less)


@pytest.mark.parametrize("size", [0, 7, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
def test_a_header_of_any_announced_length(size: int, tmp_path: Path) -> None:
    data = basis_to_bytes(compute(V >> V))
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", size) + data[8:])
    for reader in (read_basis, read_summary):
        with pytest.raises(rc.StoreError):
            reader(tmp_path / "a.safetensors")


def test_a_sparse_file_beyond_the_memory_is_not_read(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    store, path, _ = entry
    with open(path, "r+b") as stream:
        stream.truncate(2**32)
    monkeypatch.setattr(container, "physical_memory", lambda: 2**32)
    begin = time.process_time()
    with pytest.warns(rc.RepcoreWarning, match="more than half of the memory"):
        assert store.get(SPACE) is None
    assert time.process_time() - begin < 1
    assert budget.physical_memory() > 2**28


TALL = {"dim": 30_000, "discrete": [{"shape": [30_000, 30_000], "entries": [[0, 0, "1"], [0, 1, "1"]]}], "lie": []}
SLOW = {
    "dim": 2,
    "discrete": [{"shape": [2, 2], "entries": [[0, 0, "2"], [0, 1, "zeta(5000)"], [1, 0, "1"], [1, 1, "2"]]}],
    "lie": [],
}


@pytest.mark.parametrize("group", [TALL, SLOW], ids=["tall", "a field of degree 2000"])
def test_a_generator_that_would_take_days_to_invert(group: dict[str, Any], tmp_path: Path) -> None:
    """A file of some hundred bytes: the inverse would be a dense matrix of gigabytes."""
    header, buffer = parts(basis_to_bytes(compute(V >> V)))
    document = json.loads(json.loads(header)["__metadata__"]["repcore"]) | {
        "declaration": {"group": group, "domain": {}, "codomain": {}}
    }
    del document["checksum"]
    plain = json.dumps(document, sort_keys=True, separators=(",", ":"))
    document["checksum"] = hashlib.sha256(plain.encode() + buffer).hexdigest()
    header = json.dumps(json.loads(header) | {"__metadata__": {"repcore": json.dumps(document)}}).encode()
    (tmp_path / "a.safetensors").write_bytes(whole(header, buffer))
    begin = time.process_time()
    with pytest.raises(rc.StoreError, match=r"singular|'node' is missing"):
        rc.load(tmp_path / "a.safetensors")
    assert time.process_time() - begin < 10


def test_singular_generators_are_found_block_by_block() -> None:
    """Rank modulo primes, by connected blocks of rows and columns: the same verdict as the determinant."""
    rng = np.random.default_rng(3)
    verdicts: set[bool] = set()
    for _ in range(120):
        n = int(rng.integers(1, 6))
        a = rng.integers(-1, 2, (n, n)) * (rng.random((n, n)) < 0.6)
        singular = round(float(np.linalg.det(a))) == 0  # integers below 6! are exact in float64
        verdicts.add(singular)
        if singular:
            with pytest.raises(rc.DeclarationError, match="singular"):
                rc.Group([a.tolist()])
        else:
            assert rc.Group([a.tolist()]).dim == n
    assert verdicts == {False, True}
    # Modulo the first primes that are tried it is singular, exactly it is not.
    p = int(np.prod([int(x) for x in islice(QQ.primes(), 3)], dtype=object))
    assert rc.Group([[[p, 0, 1], [0, 1, 1], [0, 0, 1]]]).dim == 3
    n = 5000
    chain = from_coo((n, n), QQ, np.r_[0:n, 0 : n - 1], np.r_[0:n, 1:n], np.ones((2 * n - 1, 1), np.int64), 1)
    with pytest.raises(rc.DeclarationError, match="a part of 5000 coordinates does not fall into smaller blocks"):
        rc.Group([chain])


# -- hostile declarative files -----------------------------------------------------------------------------------------

DOTS = {
    "a key": b"a" + b".a" * 500_000 + b" = 1",
    "a quoted key": b'"a"' + b'.","' * 500_000 + b" = 1",
    "a header": b"[a" + b".','" * 500_000 + b"]",
    "a header that others repeat": b"[a" + b".a" * 3000 + b"]\n" + b"".join(b"k%d = 1\n" % i for i in range(100_000)),
    "an inline table": b"x = {y = '''it\"s ''', a" + b".a" * 500_000 + b" = 1}",
    "many inline tables": b"".join(b"x%d = {a" % i + b".a" * 2000 + b" = 1}\n" for i in range(500)),
}


@pytest.mark.parametrize("case", DOTS)
def test_dotted_keys_that_would_take_hours(case: str, tmp_path: Path) -> None:
    """The time of the standard reader of TOML is quadratic in the parts of a key."""
    (tmp_path / "a.toml").write_bytes(DOTS[case])
    begin = time.process_time()
    with pytest.raises(rc.SpecError, match=r"is nested deeper than 64|too many dots"):
        rc.load(tmp_path / "a.toml")
    assert time.process_time() - begin < 5


def test_dots_that_are_no_keys_are_read(tmp_path: Path) -> None:
    row = ", ".join(["0.5"] + ["0"] * 199).replace("0.5", '"0.5"')
    rows = ",\n".join(f"[{', '.join(repr('1.0') if i == j else repr('0.0') for j in range(80))}]" for i in range(80))
    (tmp_path / "a.toml").write_text(f"# {'.' * 500}\n[group] # {'.' * 500}\nlie = [[\n{rows}\n]]\n# {row}\n")
    spec = rc.load(tmp_path / "a.toml")
    assert isinstance(spec, rc.Spec)
    assert spec.group.dim == 80


def test_many_keys_of_which_one_stands_twice(tmp_path: Path) -> None:
    text = "{" + ",".join(f'"k{i}": 1' for i in range(100_000)) + ', "k99999": 2}'
    (tmp_path / "a.json").write_text(text)
    begin = time.process_time()
    with pytest.raises(rc.SpecError, match="the key 'k99999' stands twice"):
        rc.load(tmp_path / "a.json")
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    "name",
    [
        "../up",
        "/absolute",
        "a/b",
        "a\\b",
        "..",
        ".",
        "",
        "nul\x00",
        "C:x",
        "-rf",
        "~",
        ".writing-x",
        "x" * 300,
        "a\nb",
        "fine-1.2",
    ],
)
def test_a_name_is_no_path(name: str, tmp_path: Path) -> None:
    """Names of maps become names of files: what is taken is written into the directory, and nowhere else."""
    out = tmp_path / "in" / "out"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_text(json.dumps({"group": {"dim": 1}, "maps": {name: "V >> V"}}))
    code = [sys.executable, "-m", "repcore", "solve", "in/a.json", "--out", os.fspath(out)]
    if taken := _is_taken(tmp_path / "in" / "a.json"):
        done = subprocess.run(code, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
        assert done.returncode == 0, done.stderr
        assert os.listdir(out) == [f"{name}.safetensors"]
    assert taken == (name == "fine-1.2")
    assert set(os.listdir(tmp_path)) <= {"in", "default-cache"}
    assert set(os.listdir(tmp_path / "in")) <= {"a.json", "out"}


def _is_taken(path: Path) -> bool:
    try:
        return isinstance(rc.load(path), rc.Spec)
    except rc.SpecError:
        return False
