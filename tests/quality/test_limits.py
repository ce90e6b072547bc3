"""Limits of time and memory are kept and leave nothing behind; mutated inputs are taken or refused."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

import repcore as rc

FUZZ = Path(__file__).parent / "fuzz" / "run.py"
V = rc.SO(3).rep

Check = Callable[..., int]


def test_a_request_beyond_the_limit_leaves_nothing(tmp_path: Path, check_cache: Check) -> None:
    space = V**4 >> V**4
    begin = time.process_time()
    with pytest.raises(rc.MemoryLimitError, match="memory_limit"):
        rc.solve(space, store=tmp_path / "cache", memory_limit=10_000)
    assert time.process_time() - begin < 5
    assert not (tmp_path / "cache").exists()
    assert rc.solve(space, store=tmp_path / "cache").dim == 91
    assert check_cache(tmp_path / "cache") == 1


def test_a_request_that_no_machine_meets_is_one_message(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    (tmp_path / "a.toml").write_text('[group]\nbuiltin = "symmetric(1000)"\n[maps]\nm = "V**4 >> V**4"\n')
    process = start("from repcore.cli import main; main()", "solve", tmp_path / "a.toml", "--out", tmp_path / "out")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, os.listdir(tmp_path / "out")) == (1, "", [])
    assert err.startswith("error: memory_limit: ")
    assert err.count("\n") == 1


class OutOfTimeError(Exception):
    """What a caller's progress function raises."""


def test_a_limit_of_time_is_a_progress_function_that_raises(tmp_path: Path) -> None:
    """It ends the solve at the first report after the limit, in every stage, and nothing is kept."""
    space = V**4 >> V**4
    stages: list[str] = []
    rc.solve(space, store=None, progress=lambda p: stages.append(p.stage))
    assert {"reduce", "presolve", "nullspace", "check"} <= set(stages)
    for stop in range(len(set(stages))):
        seen: list[str] = []

        def report(p: rc.Progress, seen: list[str] = seen, stop: int = stop) -> None:
            seen.append(p.stage)
            if len(set(seen)) > stop:
                raise OutOfTimeError

        with pytest.raises(OutOfTimeError):
            rc.solve(space, store=tmp_path / "cache", progress=report)
        assert len(set(seen)) == stop + 1
        assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_reports_come_often_enough_for_a_limit_of_time() -> None:
    """A solve of some twenty seconds of CPU: no step between two reports takes nearly all of it."""
    times = [time.process_time()]
    rc.solve(V**5 >> V**5, store=None, progress=lambda _: times.append(time.process_time()))
    times.append(time.process_time())
    assert max(b - a for a, b in pairwise(times)) < 0.8 * (times[-1] - times[0])


HUNGRY = """
import resource, sys
import scipy.sparse.csgraph                       # an import without memory is no MemoryError
import repcore as rc
from repcore.basis import compute
V = rc.SO(3).rep
compute(V * V >> V * V)
with open("/proc/self/statm") as stream:
    used = int(stream.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 24 * 2**20, -1))
try:
    rc.solve(V ** 5 >> V ** 5, store=sys.argv[1])
except MemoryError as error:
    print("MemoryError")
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
print(rc.solve(V ** 4 >> V ** 4, store=sys.argv[1]).dim)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a process is read from /proc")
def test_memory_that_the_machine_does_not_have(tmp_path: Path, run: Callable[..., str], check_cache: Check) -> None:
    """A limit that only the kernel knows of: the solve ends with a MemoryError of Python's, and leaves nothing half-written."""
    assert run(HUNGRY, tmp_path).split() == ["MemoryError", "91"]
    assert check_cache(tmp_path) == 1


# -- fuzzing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runs", [250, pytest.param(20_000, marks=pytest.mark.slow)])
def test_mutated_inputs_are_taken_or_refused(runs: int, tmp_path: Path) -> None:
    """The targets of ``make fuzz``, by random mutation with a fixed seed; there coverage guides the search."""
    command = [sys.executable, os.fspath(FUZZ), "--engine=random", f"--runs={runs}", "--seconds=600", f"--crashes={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("no crash") == 6
    assert os.listdir(tmp_path) == []
