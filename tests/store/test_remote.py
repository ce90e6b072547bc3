"""The shared layer behind an address: read through, published on request, and never more than a warning when it fails."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import repcore as rc
from repcore.basis import compute
from repcore.store import cached
from repcore.store.atomic import TEMPORARY
from repcore.store.disk import Store
from repcore.store.files import basis_to_bytes
from repcore.store.remote import Remote, is_address

V = rc.SO(3).rep
SPACE = V * V >> V * V
DATA = basis_to_bytes(compute(SPACE))
NAME = f"{SPACE.digest[:2]}/{SPACE.digest[2:4]}/{SPACE.digest}.1.safetensors"


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The spaces that are solved from scratch."""
    found: list[str] = []
    monkeypatch.setattr(cached, "compute", lambda space, budget: found.append(space.digest) or compute(space, budget))
    return found


@pytest.fixture(autouse=True)
def _empty_memory() -> Iterator[None]:
    yield
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://bases" if request.param == "memory" else f"file://{tmp_path}/bucket"


def objects(url: str) -> dict[str, bytes]:
    files, root = fsspec.core.url_to_fs(url)
    return {path.removeprefix(root).lstrip("/"): files.cat_file(path) for path in files.find(root)}


def publish(url: str, data: bytes) -> None:
    files, root = fsspec.core.url_to_fs(url)
    files.makedirs(f"{root}/{NAME}".rpartition("/")[0], exist_ok=True)
    files.pipe_file(f"{root}/{NAME}", data)


def test_machines_that_share_an_address_solve_once(url: str, tmp_path: Path, computed: list[str]) -> None:
    one = Store(tmp_path / "one", shared=url, publish=True)
    two = Store(tmp_path / "two", shared=url, publish=True)
    first = rc.solve(SPACE, store=one)
    assert computed == [SPACE.digest]
    assert objects(url) == {NAME: DATA}
    second = rc.solve(SPACE, store=two)
    assert computed == [SPACE.digest]
    assert (second, second.certificate, second.space) == (first, first.certificate, SPACE)
    assert one.file_of(SPACE).read_bytes() == two.file_of(SPACE).read_bytes() == DATA
    # The copy serves when the address is gone.
    assert Store(tmp_path / "two").get(SPACE) == first
    assert rc.solve(V >> V, store=two).dim == 1
    assert rc.solve(V >> V, store=one).dim == 1
    assert len(computed) == 2


def test_machines_that_share_a_directory_solve_once(tmp_path: Path, computed: list[str]) -> None:
    stores = [Store(tmp_path / name, shared=tmp_path / "shared", publish=True) for name in ("one", "two")]
    assert {rc.solve(SPACE, store=s).digest for s in stores} == {compute(SPACE).digest}
    assert len(computed) == 1
    assert (tmp_path / "shared" / NAME).read_bytes() == DATA
    assert [len(s.entries()) for s in stores] == [1, 0]


def test_solve_many_publishes_and_reads_through(url: str, tmp_path: Path, computed: list[str]) -> None:
    given = [V >> V, V * V >> V, SPACE]
    solved = rc.solve_many(given, store=Store(tmp_path / "one", shared=url, publish=True))
    assert len(objects(url)) == len(computed) == 3
    assert rc.solve_many(given, store=Store(tmp_path / "two", shared=url)) == solved
    assert len(computed) == 3


def test_nothing_is_published_unless_asked(url: str, tmp_path: Path) -> None:
    if url.startswith("file"):
        (tmp_path / "bucket").mkdir()
    store = Store(tmp_path / "one", shared=url)
    assert not store.publish
    rc.solve(SPACE, store=store)
    assert objects(url) == {}
    store = Store(tmp_path / "one", shared=url, publish=True)
    store.put(rc.solve(SPACE, store=store))
    assert objects(url) == {NAME: DATA}


def test_find_copies_first_and_explain_sees_it(url: str, tmp_path: Path) -> None:
    publish(url, DATA)
    store = Store(tmp_path / "own", shared=url)
    assert store.find(V >> V) is None
    assert rc.explain(SPACE, store=store).cached == str(store.file_of(SPACE))
    assert store.find(SPACE) == store.file_of(SPACE)
    assert [e.digest for e in store.entries()] == [SPACE.digest]


MACHINE = """
import sys, warnings
import repcore as rc
warnings.simplefilter("error")
V = rc.SO(3).rep
store = rc.Store(sys.argv[1], shared=sys.argv[2], publish=True)
for k in (1, 2, 3):
    print(rc.solve(V ** k >> V ** k, store=store).digest)
"""


def test_three_processes_publish_at_once(tmp_path: Path) -> None:
    commands = [[sys.executable, "-c", MACHINE, str(tmp_path / f"own {i}"), f"file://{tmp_path}/bucket"] for i in range(3)]
    running = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for c in commands]
    ends = [p.communicate(timeout=60) for p in running]
    assert {out for out, _ in ends} == {"".join(f"{compute(V**k >> V**k).digest}\n" for k in (1, 2, 3))}, ends
    assert len(objects(f"file://{tmp_path}/bucket")) == 3


# -- what goes wrong ---------------------------------------------------------------------------------------------------

DAMAGED = {
    "cut short": DATA[: len(DATA) // 2],
    "empty": b"",
    "a flipped bit": DATA[:-3] + bytes([DATA[-3] ^ 4]) + DATA[-2:],
    "of a newer format": DATA.replace(b"basis-1", b"basis-7"),
    "of another space": basis_to_bytes(compute(V >> V)),
    "a page of a web server": b"<!doctype html><title>not found</title>" * 50,
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_object_is_passed_over(
    url: str, tmp_path: Path, kind: str, computed: list[str], forgetful: Callable[[], None]
) -> None:
    publish(url, DAMAGED[kind])
    reader = Store(tmp_path / "reader", shared=url)
    with pytest.warns(rc.RepcoreWarning, match=rf"^shared cache: '{url}/{NAME}': .*; it is passed over$"):
        assert rc.solve(SPACE, store=reader) == compute(SPACE)
    assert objects(url) == {NAME: DAMAGED[kind]}
    assert reader.file_of(SPACE).read_bytes() == DATA
    with pytest.warns(rc.RepcoreWarning, match="passed over"):
        rc.solve(SPACE, store=Store(tmp_path / "writer", shared=url, publish=True))
    # Mended by whoever may write.
    assert objects(url) == {NAME: DATA}
    assert len(computed) == 2
    rc.solve(SPACE, store=Store(tmp_path / "third", shared=url))
    assert len(computed) == 2


@pytest.mark.parametrize(
    "error", [PermissionError("no"), TimeoutError(), ConnectionResetError("reset"), ValueError("odd"), MemoryError()]
)
@pytest.mark.parametrize("call", ["cat_file", "pipe_file"])
def test_a_backend_that_fails_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(MemoryFileSystem, call, fail)
    store = Store(tmp_path, shared="memory://bases", publish=True)
    words = "it is passed over" if call == "cat_file" else "the answer is not published"
    with pytest.warns(rc.RepcoreWarning, match=rf"^shared cache: 'memory://bases/.*{type(error).__name__}.*; {words}$") as caught:
        assert rc.solve(SPACE, store=store) == compute(SPACE)
    assert len(caught) == 1
    assert store.file_of(SPACE).read_bytes() == DATA


def test_an_interrupt_is_no_failure_of_the_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MemoryFileSystem, "cat_file", stop)
    with pytest.raises(KeyboardInterrupt):
        rc.solve(SPACE, store=Store(tmp_path, shared="memory://bases"))


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_directory_that_may_not_be_written_costs_a_warning(tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir(mode=0o500)
    for shared in (tmp_path / "bucket", f"file://{tmp_path}/bucket"):
        with pytest.warns(rc.RepcoreWarning, match="^shared cache: .*; the answer is not published$"):
            rc.solve(SPACE, store=Store(tmp_path / str(type(shared)), shared=shared, publish=True))


def test_a_place_that_cannot_be_a_directory_is_not_published_to(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for i, shared in enumerate((tmp_path / "taken", f"file://{tmp_path}/taken")):
        store = Store(tmp_path / f"own {i}", shared=shared, publish=True)
        with pytest.warns(rc.RepcoreWarning, match="^shared cache: .*; the answer is not published$"):
            store.put(compute(SPACE))
        assert store.get(SPACE) == compute(SPACE)


def test_an_own_disk_that_fails_is_no_loss_for_the_others(tmp_path: Path, url: str) -> None:
    (tmp_path / "taken").write_text("")
    store = Store(tmp_path / "taken", shared=url, publish=True)
    with pytest.warns(rc.RepcoreWarning, match="^cache: .*; the answer is not kept$"):
        rc.solve(SPACE, store=store)
    assert objects(url) == {NAME: DATA}
    with pytest.warns(rc.RepcoreWarning, match="^cache: .*; the copy is not kept$"):
        assert store.get(SPACE) == compute(SPACE)


def test_on_a_local_disk_no_half_object_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace

    def killed(source: Any, target: Any) -> None:
        assert Path(source).read_bytes() == DATA
        if "bucket" in str(target):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.warns(rc.RepcoreWarning, match="No space left on device; the answer is not published"):
        rc.solve(SPACE, store=Store(tmp_path / "own", shared=f"file://{tmp_path}/bucket", publish=True))
    assert [p for p in (tmp_path / "bucket").rglob("*") if p.is_file()] == []
    assert list(tmp_path.rglob(f"{TEMPORARY}*")) == []


def test_directories_are_made_where_a_backend_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """As sftp and hdfs do; object stores are never asked to make one."""
    made: list[str] = []
    real = MemoryFileSystem.pipe_file

    def pipe_file(self: MemoryFileSystem, path: str, value: bytes, **_: object) -> None:
        if path.rpartition("/")[0] not in made:
            raise FileNotFoundError(path)
        real(self, path, value)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", pipe_file)
    monkeypatch.setattr(MemoryFileSystem, "makedirs", lambda self, path, exist_ok: made.append(path))
    Remote("memory://bases").send("ab/cd/x", b"1")
    assert made == ["/bases/ab/cd"]
    assert Remote("memory://bases").fetch("ab/cd/x") == b"1"


def test_a_web_server_is_a_shared_cache(tmp_path: Path, computed: list[str]) -> None:
    pytest.importorskip("aiohttp", reason="what fsspec reads http with")
    (tmp_path / "served" / NAME).parent.mkdir(parents=True)
    (tmp_path / "served" / NAME).write_bytes(DATA)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            store = Store(tmp_path / "own", shared=f"http://127.0.0.1:{server.server_port}/")
            assert rc.solve(SPACE, store=store) == compute(SPACE)
            assert rc.solve(V >> V, store=store).dim == 1
        finally:
            server.shutdown()
            thread.join()
    assert computed == [(V >> V).digest]


# -- arguments and environment -----------------------------------------------------------------------------------------


def test_the_environment_names_the_address(monkeypatch: pytest.MonkeyPatch, computed: list[str], tmp_path: Path) -> None:
    monkeypatch.setenv("REPCORE_SHARED_CACHE", "memory://bases")
    monkeypatch.setenv("REPCORE_PUBLISH", "1")
    assert Store() == Store(tmp_path / "cache", shared="memory://bases", publish=True)
    rc.solve(SPACE)
    monkeypatch.setenv("REPCORE_CACHE", str(tmp_path / "second"))
    monkeypatch.setenv("REPCORE_PUBLISH", "0")
    rc.solve(SPACE)
    assert len(computed) == 1
    assert not Store().publish
    assert Store(publish=True).publish
    monkeypatch.setenv("REPCORE_PUBLISH", "yes")
    with pytest.raises(rc.StoreError, match=r"\$REPCORE_PUBLISH is 'yes'; write 1"):
        Store()
    monkeypatch.delenv("REPCORE_SHARED_CACHE")
    assert not Store().publish


def test_without_fsspec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "fsspec":
            raise ModuleNotFoundError("No module named 'fsspec'", name="fsspec")
        return real(name, *args, **kwargs)

    for name in [n for n in sys.modules if n.partition(".")[0] == "fsspec"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", missing)
    # Asked for by name: an error. From the environment of all programs: a warning, and the answer.
    with pytest.raises(ImportError, match=r"needs fsspec: pip install fsspec \(or repcore\[cluster\]\)"):
        Store(tmp_path, shared="s3://bucket/x")
    monkeypatch.setenv("REPCORE_SHARED_CACHE", "s3://bucket/x")
    with pytest.warns(rc.RepcoreWarning, match=r"shared cache: 's3://bucket/x/.*pip install fsspec"):
        assert rc.solve(SPACE).dim == 3


def test_an_unknown_protocol_costs_a_warning(tmp_path: Path) -> None:
    with pytest.warns(rc.RepcoreWarning, match="Protocol not known: nonesuch; it is passed over"):
        assert rc.solve(SPACE, store=Store(tmp_path, shared="nonesuch://x")).dim == 3


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    store = Store(tmp_path, shared="nonesuch://me:secret@host/x")
    with pytest.warns(rc.RepcoreWarning, match=r"me:\*\*\*@host/x") as caught:
        store.get(SPACE)
    assert all("secret" not in text for text in (repr(store), str(store.shared), repr(store.shared), str(caught[0].message)))


def test_addresses_and_paths(tmp_path: Path) -> None:
    texts = ["s3://b/x", "memory://", "simplecache::s3://b/x", "file:///x", "/x", "x", "C:\\x", "C:/x", "~/x", "a/b://c", ""]
    assert [t for t in texts if is_address(t)] == texts[:4]
    assert not is_address(Path("s3://b"))
    store = Store(tmp_path, shared="memory://bases", publish=True)
    assert repr(store) == f"Store({str(tmp_path)!r}, shared='memory://bases', publish=True)"
    assert Store(tmp_path, shared=store.shared, publish=True) == store
    for call in (lambda: Store("s3://me:secret@b/x"), lambda: rc.solve(SPACE, store="s3://me:secret@b/x")):
        with pytest.raises(rc.StoreError, match=r"path: 's3://me:\*\*\*@b/x' is an address; .* shared="):
            call()


def test_publishing_needs_a_place(tmp_path: Path) -> None:
    with pytest.raises(rc.StoreError, match="publish: there is no shared directory"):
        Store(tmp_path, publish=True)
    with pytest.raises(rc.IncompatibleError, match="publish: expected True or False, got 'yes'"):
        Store(tmp_path, shared=tmp_path / "x", publish="yes")  # pyright: ignore[reportArgumentType]


def test_fsspec_is_not_imported_before_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPCORE_SHARED_CACHE", "memory://bases")
    for name in [n for n in sys.modules if n.partition(".")[0] == "fsspec"]:
        monkeypatch.delitem(sys.modules, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Store(tmp_path)
    assert "fsspec" not in sys.modules
