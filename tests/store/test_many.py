"""solve_many: each distinct space once, whoever solves it; errors name the space, and nothing that was solved is lost."""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import repcore as rc
from repcore.basis import compute
from repcore.reps.action import discrete_image
from repcore.store import cached, many
from repcore.store.canonical import canonical
from repcore.store.disk import Store
from repcore.store.files import basis_to_bytes
from repcore.store.many import solved_task

from .conftest import spaces

V = rc.SO(3).rep
GOOD = [V**j >> V**k for j in (1, 2) for k in (1, 2, 3)]
# Needs more than 200,000 bytes, which are enough for all of the others.
BAD = V**4 >> V**3


class Inline(Executor):
    """Carries each task out as it is submitted, through bytes as a far machine would get them, and counts them."""

    def __init__(self, *, refuse: BaseException | None = None) -> None:
        self.tasks: list[bytes] = []
        self.refuse = refuse

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.refuse is not None:
            raise self.refuse
        (task,) = args
        assert (type(task), kwargs, fn) == (bytes, {}, solved_task)
        self.tasks.append(task)
        future: Future[Any] = Future()
        try:
            future.set_result(fn(task))
        except Exception as error:
            future.set_exception(error)
        return future


class Waiting(Executor):
    """Hands out futures that the test ends itself."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.futures.append(Future())
        return self.futures[-1]


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@contextmanager
def dask_executor(*, processes: bool) -> Iterator[Executor]:
    distributed = pytest.importorskip("distributed")
    with (
        # Port 0: any that is free, since other tests run beside this one.
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=processes, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
        client.get_executor() as executor,
    ):
        yield executor


@pytest.fixture(scope="module")
def dask() -> Iterator[Executor]:
    with dask_executor(processes=False) as executor:
        yield executor


@pytest.mark.parametrize("kind", ["none", "inline", "threads", "processes", "dask"])
def test_what_comes_back_is_what_solve_says(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    executor = None if kind == "none" else Inline() if kind == "inline" else request.getfixturevalue(kind)
    given = spaces()
    solved = rc.solve_many(given, executor, store=tmp_path)
    assert list(solved) == list(given)
    for name, space in given.items():
        basis = compute(canonical(space))
        assert (solved[name].digest, solved[name].certificate) == (basis.digest, basis.certificate)
        assert solved[name].space is space
        # Byte for byte what one process would have written.
        assert Store(tmp_path).file_of(space).read_bytes() == basis_to_bytes(basis)
        assert basis_to_bytes(solved[name]) == basis_to_bytes(basis)


@pytest.mark.slow
def test_workers_of_dask_in_processes_of_their_own(tmp_path: Path) -> None:
    given = spaces()
    with dask_executor(processes=True) as executor:
        solved = rc.solve_many(given, executor, store=tmp_path)
        with pytest.raises(rc.MemoryLimitError, match=r"^spaces\[0\], "):
            rc.solve_many([BAD], executor, memory_limit=200_000)
    assert [solved[name] for name in given] == [compute(space) for space in given.values()]


def test_a_list_is_answered_in_its_order_and_equal_spaces_are_solved_once() -> None:
    a, b = rc.dihedral(4).discrete
    W, U = rc.Group([a, b]).rep, rc.Group([b, a, b], name="other").rep
    executor = Inline()
    given = (W * W >> W, W >> W, U >> U, W >> W)
    solved = rc.solve_many(given, executor)
    assert isinstance(solved, tuple)
    assert [s.space for s in solved] == list(given)
    assert all(s.space is g for s, g in zip(solved, given, strict=True))
    assert solved[1] == solved[2] == solved[3] == compute(W >> W)
    assert len(executor.tasks) == 2
    assert rc.solve_many([], executor) == ()
    assert rc.solve_many({}, executor) == {}


def test_what_is_stored_is_not_solved_again(forgetful: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    first = [rc.solve(s) for s in GOOD[:2]]
    forgetful()
    executor = Inline()
    assert rc.solve_many(GOOD, executor)[:2] == tuple(first)
    assert len(executor.tasks) == len(GOOD) - 2
    forgetful()
    monkeypatch.setattr(cached, "compute", lambda *_: pytest.fail("solved again"))
    assert rc.solve_many(GOOD, Inline(refuse=RuntimeError()))[:2] == tuple(first)
    assert rc.solve_many(GOOD)[:2] == tuple(first)


def test_without_a_store_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    rc.solve(GOOD[0])
    monkeypatch.setattr(Store, "get", lambda *_: pytest.fail("looked up"))
    monkeypatch.setattr(Store, "put", lambda *_: pytest.fail("kept"))
    executor = Inline()
    assert rc.solve_many([GOOD[0], GOOD[0]], executor, store=None)[0].dim == 1
    assert len(executor.tasks) == 1


def test_tasks_are_plain_data() -> None:
    executor = Inline()
    rc.solve_many([GOOD[3]], executor, memory_limit=2**80)
    (task,) = executor.tasks
    table = json.loads(task)
    assert set(table) == {"format", "space", "declaration", "memory_limit"}
    assert table["space"] == GOOD[3].digest
    for change, words in [({"format": "repcore-basis-0"}, "same version"), ({"space": GOOD[0].digest}, "another space")]:
        kind, message = solved_task(json.dumps(table | change).encode())
        assert kind == "StoreError"
        assert words in message.decode()


def test_a_space_of_somebody_elses_class_is_solved_here() -> None:
    group = rc.dihedral(4)

    class Own(rc.Rep):
        @property
        def group(self) -> rc.Group:
            return group

        @property
        def dim(self) -> int:
            return 2

        @property
        def _tree(self) -> tuple[object, ...]:
            return ("own, of a class that no worker has",)

    discrete_image.register(Own, lambda rep, g: g)
    executor = Inline()
    own = Own()
    with pytest.warns(rc.RepcoreWarning, match="no stored form"):
        solved = rc.solve_many([own >> own, group.rep >> group.rep], executor)
    assert [s.dim for s in solved] == [1, 1]
    assert len(executor.tasks) == 1


def test_progress_counts_the_spaces() -> None:
    told: list[rc.Progress] = []
    rc.solve_many(GOOD, Inline(), progress=told.append)
    assert {(p.stage, p.total) for p in told} == {("spaces", len(GOOD))}
    assert told[0].done == 0
    # None: what a solve tells itself.
    told.clear()
    rc.solve_many(GOOD, store=None, progress=told.append)
    assert "spaces" not in {p.stage for p in told}
    assert told


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["none", "inline", "threads", "processes", "dask"])
def test_a_failing_space_is_named_and_the_others_are_kept(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, forgetful: Callable[[], None]
) -> None:
    executor = None if kind == "none" else Inline() if kind == "inline" else request.getfixturevalue(kind)
    for space in GOOD[:2]:
        rc.solve(space, store=tmp_path)
    given = {f"good {i}": space for i, space in enumerate(GOOD)} | {"bad": BAD}
    with pytest.raises(rc.MemoryLimitError, match=r"^spaces\['bad'\], V\*\*4 >> V\*\*3: memory_limit: .* would need") as caught:
        rc.solve_many(given, executor, store=tmp_path, memory_limit=200_000)
    assert str(caught.value).count("spaces[") == 1
    stored = {e.digest for e in Store(tmp_path).entries()}
    assert {s.digest for s in GOOD[:2]} <= stored <= {s.digest for s in GOOD}
    if kind in ("none", "inline"):
        assert len(stored) == len(GOOD)
    forgetful()
    assert [b.dim for b in rc.solve_many(GOOD, store=tmp_path)] == [compute(s).dim for s in GOOD]


def test_what_came_back_beside_an_error_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first to come is an error; the second is there already, the third has not begun, the fourth is at work."""
    executor = Waiting()

    def in_this_order(futures: list[Future[Any]]) -> Iterator[Future[Any]]:
        failing, done, _, working = futures
        failing.set_result(("SolveError", b"no proof"))
        done.set_result(("", basis_to_bytes(compute(GOOD[1]))))
        working.set_running_or_notify_cancel()
        yield failing

    monkeypatch.setattr(many, "as_completed", in_this_order)
    with pytest.raises(rc.SolveError, match=r"^spaces\[0\], V >> V: no proof$"):
        rc.solve_many(GOOD[:4], executor, store=tmp_path)
    assert [f.cancelled() for f in executor.futures] == [False, False, True, False]
    assert [e.digest for e in Store(tmp_path).entries()] == [GOOD[1].digest]


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (MemoryError(), rc.SolveError, "failed with MemoryError"),
        (BrokenExecutor("died"), rc.SolveError, "worker was lost.*BrokenExecutor: died"),
        (ZeroDivisionError("by 0"), rc.SolveError, "ZeroDivisionError: by 0"),
        (ModuleNotFoundError("No module named 'repcore'"), rc.SolveError, "No module named 'repcore'"),
        (rc.StoreError("cannot be carried"), rc.SolveError, "cannot be carried"),
    ],
)
def test_what_a_worker_raises_is_an_error_of_ours(error: Exception, kind: type[rc.RepcoreError], words: str) -> None:
    class Failing(Inline):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(error)
            return future

    with pytest.raises(kind, match=rf"^spaces\[0\], V >> V: .*{words}"):
        rc.solve_many([V >> V], Failing())


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), rc.MemoryLimitError),
        (rc.MemoryLimitError("too small"), rc.MemoryLimitError),
        (rc.NotCompletelyReducibleError("no complement", (1, 2)), rc.NotCompletelyReducibleError),
        (rc.StoreError("other"), rc.StoreError),
    ],
)
def test_errors_travel_as_plain_data(error: Exception, kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    executor = Inline()
    monkeypatch.setattr(many, "compute", fail)
    with pytest.raises(kind, match=rf"^spaces\[0\], V >> V: .*{error}"):
        rc.solve_many([V >> V], executor)
    name, message = solved_task(executor.tasks[0])
    assert (name, type(message)) == (kind.__name__, bytes)


def test_what_a_worker_sends_is_checked() -> None:
    class Lying(Inline):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future = super().submit(fn, *args, **kwargs)
            kind, data = future.result()
            out: Future[Any] = Future()
            out.set_result((kind, data[:-1] + bytes([data[-1] ^ 1])))
            return out

    with pytest.raises(rc.StoreError, match=r"^spaces\['a'\], V >> V: what its worker sent: the checksum does not match"):
        rc.solve_many({"a": V >> V}, Lying())
    assert Store().entries() == ()


def test_a_worker_that_dies_costs_no_more_than_its_task(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert len(rc.solve_many(GOOD[:2], pool, store=tmp_path)) == 2
        (worker,) = pool._processes.values()
        worker.kill()
        worker.join()
        with pytest.raises(rc.SolveError, match="lost"):
            rc.solve_many(GOOD, pool, store=tmp_path)
        # The pool is broken now, and says so.
        with pytest.raises(rc.SolveError, match="lost a worker before"):
            rc.solve_many(GOOD, pool, store=tmp_path)
    assert len(Store(tmp_path).entries()) == 2
    assert len(rc.solve_many(GOOD, store=tmp_path)) == len(GOOD)


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError])
def test_an_interrupt_cancels_what_has_not_begun(error: type[BaseException], tmp_path: Path) -> None:
    """Raised while results are awaited, as Ctrl-C is; or by the progress function, which ends a run on purpose."""
    executor = Waiting()

    def stop(_: rc.Progress) -> None:
        raise error

    def deliver() -> None:
        while len(executor.futures) < 3:
            time.sleep(0.01)
        executor.futures[0].set_result(("", basis_to_bytes(compute(GOOD[0]))))

    thread = threading.Thread(target=deliver)
    thread.start()
    with pytest.raises(error):
        rc.solve_many(GOOD[:3], executor, store=tmp_path, progress=stop)
    thread.join()
    assert [f.cancelled() for f in executor.futures] == [False, True, True]


def test_ctrl_c_while_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = Waiting()

    def interrupted(futures: list[Future[Any]]) -> Iterator[Future[Any]]:
        first = futures[0]
        first.set_result(("", basis_to_bytes(compute(GOOD[0]))))
        yield first
        raise KeyboardInterrupt

    monkeypatch.setattr(many, "as_completed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rc.solve_many(GOOD[:3], executor, store=tmp_path)
    assert [f.cancelled() for f in executor.futures] == [False, True, True]
    # What came before is stored.
    assert [e.digest for e in Store(tmp_path).entries()] == [GOOD[0].digest]


def test_an_executor_that_is_shut_down_is_named() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(rc.IncompatibleError, match=r"executor: takes no work: .*shut down"):
        rc.solve_many([V >> V], pool)


class _Client:
    def map(self) -> None: ...

    def get_executor(self) -> None: ...


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rc.solve_many(V >> V), ["spaces: expected a list", "got Hom", "[X >> Y]"]),
        (lambda: rc.solve_many("ab"), ["spaces: expected a list", "str"]),
        (lambda: rc.solve_many(s for s in GOOD), ["spaces: expected a list", "generator"]),
        (lambda: rc.solve_many([V >> V, V]), ["spaces[1]: expected a space", "Defining"]),
        (lambda: rc.solve_many({"a": V}), ["spaces['a']: expected a space"]),
        (lambda: rc.solve_many([V >> V], 3), ["executor: expected a concurrent.futures.Executor", "int"]),
        (lambda: rc.solve_many([V >> V], _Client()), ["executor", "write client.get_executor()"]),
        (lambda: rc.solve_many([V >> V], memory_limit=-1), ["memory_limit"]),
        (lambda: rc.solve_many([V >> V], progress=3), ["progress"]),
        (lambda: rc.solve_many([V >> V], store=3), ["store: expected"]),
    ],
)
def test_a_wrong_argument_is_named(call: Callable[[], object], words: list[str]) -> None:
    with pytest.raises(rc.IncompatibleError) as caught:
        call()
    assert [w for w in words if w not in str(caught.value)] == []


def test_what_a_worker_solved_says_how_it_is_known() -> None:
    (basis,) = rc.solve_many([V * V >> V], Inline(), store=None)
    assert basis.certificate == compute(V * V >> V).certificate
    assert basis.steps == ()
