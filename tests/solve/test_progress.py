"""Progress: what is told, to whom, and when nothing is said."""

from __future__ import annotations

import io
import os
import sys
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import repcore as rc
from repcore.reps.hom import Hom
from repcore.solve import progress as module
from repcore.solve.progress import Progress, reporting

STAGES = ["reduce", "presolve", "nullspace", "spin", "check"]


class Screen(io.StringIO):
    """A stream that says whether it is a terminal, and what stands in its last line."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    @property
    def shown(self) -> list[str]:
        """The texts that were written over one another."""
        return [part.rstrip() for part in self.getvalue().split("\r") if part.strip()]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes on by one second whenever it is read; ``clock[1]`` is the step."""
    times = [0.0, 1.0]

    def read() -> float:
        times[0] += times[1]
        return times[0]

    monkeypatch.setattr(module.time, "monotonic", read)
    return times


def screen(monkeypatch: pytest.MonkeyPatch, terminal: bool, columns: int = 80) -> Screen:
    found = Screen(terminal)
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setattr(module.shutil, "get_terminal_size", lambda: os.terminal_size((columns, 24)))
    return found


def cube() -> Hom:
    V = rc.SO(3).rep
    return V**3 >> V**3


# -- a function ------------------------------------------------------------------------------------------------------


def test_a_function_is_told_every_stage_in_order() -> None:
    seen: list[Progress] = []
    basis = rc.solve(cube(), store=None, progress=seen.append)
    assert [p.stage for p in seen] == ["reduce", "presolve", "nullspace", "check"]
    assert {(p.block, p.blocks) for p in seen} == {(1, 1)}
    assert seen[-1].total == len(basis.space.group.generators)
    assert basis == rc.solve(cube(), store=None, progress=False)


def test_spinning_counts_basis_vectors(clock: list[float]) -> None:
    seen: list[Progress] = []
    space = spun()
    basis = rc.solve(space, store=None, progress=seen.append)
    assert "spin" in [s.name for s in basis.steps]
    vectors = [p for p in seen if p.stage == "spin" and p.total is not None]
    assert {p.total for p in vectors} == {space.domain.dim}
    done = [p.done or 0 for p in vectors]
    assert done == sorted(done)
    assert len(set(done)) > 10


def spun() -> Hom:
    columns = (
        [[-1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        [[0, 0, 0, -1], [1, 0, 0, -1], [0, 1, 0, -1], [0, 0, 1, -1]],
    )
    V = rc.Group(list(columns)).rep
    return V**3 >> V**3


def test_blocks_are_numbered_and_each_is_solved_once() -> None:
    V = rc.SO(3).rep
    one = rc.trivial(V.group)
    seen: list[Progress] = []
    rc.solve(one + V**2 >> V + V**2, store=None, progress=seen.append)
    assert [p.block for p in seen if p.stage == "reduce"] == [1, 2, 3, 4]
    assert {p.blocks for p in seen} == {4}


def test_workers_tell_when_a_block_has_come_back(clock: list[float]) -> None:
    V = rc.SO(3).rep
    space = rc.trivial(V.group) + V**2 >> V + V**2
    seen: list[Progress] = []
    with ThreadPoolExecutor(2) as pool:
        basis = rc.solve(space, store=None, progress=seen.append, executor=pool)
    assert [(p.stage, p.done, p.total) for p in seen] == [("check", i, 4) for i in (1, 2, 3, 4)]
    assert basis == rc.solve(space, store=None)


def test_what_a_function_raises_ends_the_solve() -> None:
    class BrokenError(Exception):
        pass

    def broken(p: Progress) -> None:
        if p.stage == "check":
            raise BrokenError

    with pytest.raises(BrokenError):
        rc.solve(cube(), store=None, progress=broken)
    assert rc.solve(cube(), store=None).dim == 15


def test_a_stage_is_told_at_most_ten_times_a_second(clock: list[float]) -> None:
    seen: list[Progress] = []
    clock[1] = 0.03
    with reporting(seen.append, "x") as report:
        assert report is not None
        for i in range(100):
            report(Progress("spin", done=i, total=100))
        report(Progress("check"))
        report(Progress("check", block=2))
    assert [p.stage for p in seen[-2:]] == ["check", "check"]
    assert seen[0].done == 0
    assert 20 < len(seen) < 36


@pytest.mark.parametrize("wrong", [1, "yes", [print]])
def test_anything_else_is_refused_even_if_the_answer_is_known(wrong: Any, tmp_path: Any) -> None:
    rc.solve(cube(), store=tmp_path)
    with pytest.raises(rc.IncompatibleError, match="progress: expected None, True, False or a function"):
        rc.solve(cube(), store=tmp_path, progress=wrong)


def test_nobody_is_told_about_what_is_known_already(tmp_path: Any) -> None:
    rc.solve(cube(), store=tmp_path)
    seen: list[Progress] = []
    rc.solve(cube(), store=tmp_path, progress=seen.append)
    assert seen == []


# -- a line ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("progress", [None, True])
def test_a_terminal_has_one_line_which_is_erased(
    progress: bool | None, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = screen(monkeypatch, terminal=True)
    rc.solve(cube(), store=None, progress=progress)
    assert stderr.shown
    assert all(s.startswith("V**3 >> V**3: ") for s in stderr.shown)
    assert any("check" in s for s in stderr.shown)
    text = stderr.getvalue()
    assert "\n" not in text
    assert text.endswith("\r" + " " * len(stderr.shown[-1]) + "\r")


@pytest.mark.parametrize("progress", [None, True, False])
def test_nothing_is_said_within_two_seconds(progress: bool | None, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    clock[1] = 0.01
    for terminal in (True, False):
        stderr = screen(monkeypatch, terminal)
        rc.solve(cube(), store=None, progress=progress)
        assert stderr.getvalue() == ""


def test_what_is_predicted_to_take_long_is_said_at_once(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    clock[1] = 0.01
    stderr = screen(monkeypatch, terminal=True)
    with reporting(None, "x") as report:
        assert report is not None
        report(Progress("nullspace"))
        report(Progress("nullspace", done=0, total=9, seconds=0.5))
        assert stderr.shown == []
        report(Progress("nullspace", done=0, total=9, seconds=5.0))
        assert stderr.shown == ["x: nullspace, 0 of 9, 0 s"]


@pytest.mark.parametrize(("progress", "terminal"), [(None, False), (False, False), (False, True)])
def test_a_pipe_stays_empty(progress: bool | None, terminal: bool, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = screen(monkeypatch, terminal)
    rc.solve(cube(), store=None, progress=progress)
    assert stderr.getvalue() == ""


def test_true_writes_whole_lines_into_a_pipe(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = screen(monkeypatch, terminal=False)
    rc.solve(cube(), store=None, progress=True)
    lines = stderr.getvalue().splitlines()
    assert lines
    assert "\r" not in stderr.getvalue()
    assert all(line.startswith("V**3 >> V**3: ") and line.endswith(" s") for line in lines)


def test_a_notebook_is_looked_at(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))  # type: ignore[arg-type]
    stderr = screen(monkeypatch, terminal=False)
    rc.solve(cube(), store=None)
    assert stderr.shown
    del shell.kernel  # IPython in a pipe
    stderr = screen(monkeypatch, terminal=False)
    rc.solve(cube(), store=None)
    assert stderr.getvalue() == ""


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_line_is_gone_after_an_interrupt(
    error: type[BaseException], clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = screen(monkeypatch, terminal=True)

    def interrupted() -> None:
        with reporting(None, "X >> Y") as report:
            assert report is not None
            report(Progress("spin", done=5, total=9))
            raise error

    with pytest.raises(error):
        interrupted()
    assert "X >> Y: spin, 5 of 9, " in stderr.getvalue()
    assert stderr.getvalue().rpartition("\r")[0].rpartition("\r")[2].strip() == ""


@pytest.mark.parametrize("columns", [0, 1, 10, 40, 200])
def test_a_line_fits_the_terminal(columns: int, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = screen(monkeypatch, terminal=True, columns=columns)
    with reporting(None, "V" * 100) as report:
        assert report is not None
        for stage in STAGES:
            report(Progress(stage, done=1, total=2))
    assert all(len(part) <= max(0, columns - 1) for part in stderr.getvalue().split("\r"))
    if columns == 200:
        assert "V" * 100 + ": check, 1 of 2" in stderr.getvalue()


def test_a_name_does_not_move_the_cursor(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = screen(monkeypatch, terminal=True)
    with reporting(None, "a\n\x1b[2Jb") as report:
        assert report is not None
        report(Progress("reduce"))
        report(Progress("check"))
    assert "a??[2Jb: " in stderr.getvalue()
    assert "\x1b" not in stderr.getvalue()


def broken_write(self: Any, text: str) -> int:
    raise OSError("gone")


@pytest.mark.parametrize("stderr", ["none", "closed", "gone"])
def test_a_broken_stderr_costs_the_line_only(stderr: str, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    stream: Any = Screen(terminal=True)
    if stderr == "closed":
        stream.close()
    if stderr == "gone":
        monkeypatch.setattr(Screen, "write", broken_write)
    monkeypatch.setattr(sys, "stderr", None if stderr == "none" else stream)
    for progress in (None, True):
        assert rc.solve(cube(), store=None, progress=progress).dim == 15


WORDS: list[tuple[Progress, str]] = [
    (Progress("reduce"), "reduce"),
    (Progress("spin", done=0, total=7), "spin, 0 of 7"),
    (Progress("spin", total=7), "spin, 0 of 7"),
    (Progress("check", 2, 3), "block 2 of 3: check"),
]


@pytest.mark.parametrize(("value", "words"), WORDS)
def test_a_progress_in_words(value: Progress, words: str) -> None:
    assert str(value) == words
    same: Callable[..., Progress] = type(value)
    assert value == same(value.stage, value.block, value.blocks, value.done, value.total)
    with pytest.raises(AttributeError):
        value.stage = "x"  # type: ignore[misc]
