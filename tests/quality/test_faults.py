"""Faults of processes and disks: killed, interrupted, many at a time, full, read-only. A right answer or a clear error."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.basis import compute
from repcore.store import atomic, disk
from repcore.store.atomic import TEMPORARY
from repcore.store.disk import Store

V = rc.SO(3).rep
SPACE = V * V >> V * V

Start = Callable[..., subprocess.Popen[str]]
Run = Callable[..., str]
Check = Callable[..., int]

# -- many processes ----------------------------------------------------------------------------------------------------

TOGETHER = """
import sys, time, warnings
import repcore as rc
warnings.simplefilter("error")
V = rc.SO(3).rep
space = V ** 4 >> V ** 4
time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
print(rc.solve(space, store=sys.argv[1]).digest)
"""


def test_eight_processes_on_one_key(tmp_path: Path, start: Start, check_cache: Check) -> None:
    """All are ready before the first begins, and each solves for some tenths of a second: all of them write."""
    begin = time.time() + 8
    running = [start(TOGETHER, tmp_path, begin) for _ in range(8)]
    ends = [p.communicate(timeout=120) for p in running]
    assert [p.returncode for p in running] == [0] * 8, ends
    assert {out.strip() for out, _ in ends} == {compute(V**4 >> V**4).digest}
    assert check_cache(tmp_path) == 1


# Forked, to kill many in little time. Whole solves, not only writes: whatever a process does when it dies.
KILLS = """
import os, random, signal, sys, time, warnings
import repcore as rc
from repcore.store import cached
V, path, rounds, processes = rc.SO(3).rep, sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
spaces = [V ** k >> V ** 4 for k in (1, 2, 3)]
right = [rc.solve(s, store=None).digest for s in spaces]
warnings.simplefilter("error")
rng = random.Random(7)
for _ in range(rounds):
    children = []
    for i in range(processes):
        child = os.fork()
        if child == 0:
            while True:
                for j, s in enumerate(spaces):
                    cached._BASES.clear()
                    if rc.solve(s, store=path).digest != right[j]:
                        os._exit(9)
                if i == 0:
                    rc.Store(path).clear()
        children.append(child)
    for child in children:
        time.sleep(rng.random() * 0.1)
        os.kill(child, signal.SIGKILL)
        if os.waitpid(child, 0)[1] != signal.SIGKILL:
            sys.exit("a process ended before it was killed: a wrong answer, or a warning")
unfinished = sum(len([n for n in names if n.startswith(".writing-")]) for _, _, names in os.walk(path))
begin = time.perf_counter()
for j, s in enumerate(spaces):
    cached._BASES.clear()
    assert rc.solve(s, store=path).digest == right[j]
print(unfinished, time.perf_counter() - begin)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
@pytest.mark.parametrize("rounds", [10, pytest.param(250, marks=pytest.mark.slow)])
def test_eight_processes_killed_in_a_loop(rounds: int, tmp_path: Path, run: Run, check_cache: Check) -> None:
    """Seven solve and write, one also clears; each is killed at a random moment. The next run is right, and at once."""
    _, seconds = run(KILLS, tmp_path, rounds, 8, timeout=600).split()
    assert float(seconds) < 5  # no lock of a killed process is waited for: that would take ten
    check_cache(tmp_path, unfinished=True)
    Store(tmp_path).gc()
    assert check_cache(tmp_path) == 3


def test_the_next_write_sweeps_up_what_a_killed_one_left(tmp_path: Path, check_cache: Check) -> None:
    store, basis = Store(tmp_path), compute(SPACE)
    path = store.put(basis)
    for name in ("1-aa", "2-bb"):
        (path.parent / f"{TEMPORARY}{name}").write_bytes(b"half")
    store.put(basis)
    assert check_cache(tmp_path) == 1


# -- interrupts --------------------------------------------------------------------------------------------------------

SOLVE = """
import sys, warnings
import repcore as rc
warnings.simplefilter("error")
V = rc.SO(3).rep
print("ready", flush=True)
for k in (2, 3, 4):
    print(rc.solve(V ** k >> V ** 4, store=sys.argv[1]).dim, flush=True)
"""
SPEC = '[group]\nbuiltin = "SO(3)"\n[maps]\n' + "".join(f'm{k} = "V**{k} >> V**4"\n' for k in (2, 3, 4))
PROGRAM = "from repcore.cli import main; main()"


@pytest.mark.parametrize("tries", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_an_interrupted_solve_leaves_nothing(tries: int, tmp_path: Path, start: Start, check_cache: Check) -> None:
    rng = np.random.default_rng(3)
    interrupted = 0
    for i in range(tries):
        path = tmp_path / str(i)
        process = start(SOLVE, path)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.random() * 0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        if process.returncode != 0:
            assert process.returncode == -signal.SIGINT
            # Without a word only when it had done everything, and Python was on its way out.
            assert err.rstrip().endswith("KeyboardInterrupt") or out.split() == ["15", "36", "91"]
            interrupted += bool(err)
        check_cache(path)
        again = start(SOLVE, path)
        out, err = again.communicate(timeout=60)
        assert (again.returncode, out.split()[1:]) == (0, ["15", "36", "91"]), err
    # Otherwise none was hit while it worked, and this test has tested nothing.
    assert interrupted > 0


@pytest.mark.parametrize("tries", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_an_interrupted_program_leaves_nothing(
    tries: int, tmp_path: Path, start: Start, check_cache: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.toml").write_text(SPEC)
    rng = np.random.default_rng(5)
    ends: list[int] = []
    for i in range(tries):
        cache, out = tmp_path / f"cache{i}", tmp_path / f"out{i}"
        monkeypatch.setenv("REPCORE_CACHE", str(cache))
        process = start(PROGRAM, "solve", tmp_path / "a.toml", "--out", out)
        # Not before it has begun: whoever is interrupted while Python imports it dies as any program of Python does.
        while not out.exists() and process.poll() is None:
            time.sleep(0.001)
        # The first one at once, so that one at least is met at work.
        time.sleep(rng.random() * 0.2 * (i > 0))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        ends.append(process.returncode)
        # Past the end of the program what Python prints while it shuts down is not ours.
        assert process.returncode != 130 or "Traceback" not in err
        check_cache(cache)
        # Killed by the signal only when it had done everything, and Python was on its way out.
        assert check_cache_of_files(out) == 3 or process.returncode == 130
        again = start(PROGRAM, "solve", tmp_path / "a.toml", "--out", out)
        _, err = again.communicate(timeout=60)
        assert (again.returncode, err) == (0, "")
        assert check_cache(cache) == check_cache_of_files(out) == 3
    assert set(ends) <= {0, 130, -signal.SIGINT}
    assert ends.count(130) > 0


def check_cache_of_files(out: Path) -> int:
    """Every file in a directory of results is a whole basis; how many there are."""
    found = sorted(out.iterdir())
    assert all(isinstance(rc.load(path), rc.EquivariantBasis) for path in found)
    return len(found)


class _Interrupt:
    """Raises KeyboardInterrupt at the n-th line that the modules of the store execute."""

    def __init__(self, n: int) -> None:
        self.left = n
        self.where = ""

    def __call__(self, frame: FrameType, event: str, _: Any) -> _Interrupt | None:
        if frame.f_code.co_filename not in (atomic.__file__, disk.__file__):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self


# What is interrupted between the body of a "with" and its end leaves the closing of its file to Python, which complains.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_line_of_a_write_leaves_nothing(tmp_path: Path, check_cache: Check) -> None:
    """Not at random: at every line that a write executes, from the first to the last, once."""
    store, basis = Store(tmp_path), compute(SPACE)
    places: set[str] = set()
    for n in range(1, 1000):
        fault, before = _Interrupt(n), sys.gettrace()
        sys.settrace(fault)
        try:
            store.put(basis)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        if not fault.where:
            break
        places.add(fault.where)
        check_cache(tmp_path)
        begin = time.perf_counter()
        store.put(basis)
        assert time.perf_counter() - begin < 5, f"the lock was kept at {fault.where}"
        store.clear()
    assert len(places) > 25, places


# -- full disks --------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB and 24 files."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or sys.platform != "linux":
        pytest.skip("a small tmpfs is made with mount, on Linux")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=256k,nr_inodes=24", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"mounting a small tmpfs takes privileges: {done.stderr.strip()}")
    yield place
    subprocess.run([shutil.which("umount") or "umount", "-l", place], check=True)


def solved(space: rc.Hom, store: Path) -> tuple[rc.EquivariantBasis, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        basis = rc.solve(space, store=store)
    assert all(issubclass(w.category, rc.RepcoreWarning) for w in caught)
    return basis, [str(w.message) for w in caught]


def test_a_disk_that_fills_up(small_disk: Path, forgetful: Callable[[], None], check_cache: Check) -> None:
    """Every number of free pages, from none to enough; the same disk is emptied and serves again."""
    right = compute(SPACE)
    store = small_disk / "cache"
    kept: list[bool] = []
    for free in range(12):
        ballast = small_disk / "ballast"
        with open(ballast, "wb") as stream:
            room = shutil.disk_usage(small_disk).free
            stream.write(b"x" * max(0, room - free * 4096))
        forgetful()
        basis, messages = solved(SPACE, store)
        assert basis == right
        kept.append(not messages)
        assert all("No space left on device" in m and "not kept" in m for m in messages), messages
        assert check_cache(store) == len(kept[-1:]) * kept[-1]
        ballast.unlink()
        shutil.rmtree(store, ignore_errors=True)
    assert kept == sorted(kept)
    assert (kept[0], kept[-1]) == (False, True)


def test_a_disk_without_room_for_files(small_disk: Path, forgetful: Callable[[], None], check_cache: Check) -> None:
    """Room for bytes, none for names: the directory, the lock, two directories and the file need one each."""
    right, store = compute(SPACE), small_disk / "cache"
    kept: list[bool] = []
    for free in range(7):
        names = [small_disk / f"n{i}" for i in range(64)]
        made = 0
        try:
            for name in names:
                name.touch()
                made += 1
        except OSError:
            pass
        for name in names[made - free : made]:
            name.unlink()
        forgetful()
        basis, messages = solved(SPACE, store)
        assert basis == right
        kept.append(not messages)
        check_cache(store)
        for name in names:
            name.unlink(missing_ok=True)
        shutil.rmtree(store, ignore_errors=True)
    assert kept == sorted(kept)
    assert (kept[0], kept[-1]) == (False, True)


def test_the_program_on_a_full_disk(small_disk: Path, tmp_path: Path, start: Start) -> None:
    """What it was asked to write and cannot is an error; what it only wanted to keep is a warning."""
    (tmp_path / "a.toml").write_text(SPEC)
    (small_disk / "old").mkdir()
    (small_disk / "old" / "m2.safetensors").write_bytes(b"what was there before")
    (small_disk / "ballast").write_bytes(b"x" * (shutil.disk_usage(small_disk).free))
    process = start(PROGRAM, "solve", tmp_path / "a.toml", "--out", small_disk / "old")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("error: ")
    assert "No space left on device" in err
    assert (small_disk / "old" / "m2.safetensors").read_bytes() == b"what was there before"
    assert sorted(os.listdir(small_disk / "old")) == ["m2.safetensors"]


def test_a_read_only_disk(small_disk: Path, forgetful: Callable[[], None], start: Start) -> None:
    """What is in the cache is read without a word; what is not costs a warning each time."""
    store = small_disk / "cache"
    right, _ = solved(SPACE, store)
    subprocess.run([shutil.which("mount") or "mount", "-o", "remount,ro", small_disk], check=True)
    forgetful()
    found, messages = solved(SPACE, store)
    assert (found, found.steps, messages) == (right, (), [])
    new, messages = solved(V >> V * V, store)
    assert new == compute(V >> V * V)
    assert [m for m in messages if "Read-only file system" in m and "not kept" in m] == messages
    assert len(messages) == 1
    with pytest.raises(rc.StoreError, match=r"cannot be removed|cannot be written to"):
        Store(store).clear()
    with pytest.raises(rc.StoreError, match="Read-only file system"):
        rc.dump(new, small_disk / "b.safetensors")


def test_a_write_that_stops_after_any_number_of_bytes(tmp_path: Path, check_cache: Check) -> None:
    """A limit of the kernel at every 100 bytes of the file."""
    store, basis = Store(tmp_path), compute(V >> V * V)
    size = store.put(basis).stat().st_size
    store.clear()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (*range(0, size, 100), size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(rc.StoreError, match="File too large"):
                store.put(basis)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert check_cache(tmp_path) == 0
    assert store.put(basis).stat().st_size == size


# An audit hook sees every call of the interpreter that opens, makes, renames, removes or touches something, and can make it
# fail; it can never be taken off again, hence a process of its own.
REFUSED = """
import errno, os, sys, warnings
import repcore as rc
from repcore.basis import compute
from repcore.store import cached
path, V = sys.argv[1], rc.SO(3).rep
space = V >> V * V
right = compute(space)
rc.solve(V >> V, store=path + "-warm-up")          # whatever is imported on first use
events, left, code = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.utime", "os.listdir", "os.scandir"}, 0, 0

def hook(event, args):
    global left
    if left and event in events and any(path in os.fsdecode(a) for a in args if isinstance(a, (str, bytes, os.PathLike))):
        left -= 1
        if left == 0:
            raise OSError(code, os.strerror(code))

sys.addaudithook(hook)
refused = 0
for code in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EMFILE, errno.EDQUOT):
    for present in (False, True):
        for n in range(1, 100):
            rc.Store(path).clear()
            if present:
                rc.Store(path).put(right)
            cached._BASES.clear()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                left = n
                found = rc.solve(space, store=path)
                hit, left = left == 0, 0
            assert found == right
            assert all(issubclass(w.category, rc.RepcoreWarning) for w in caught), [str(w.message) for w in caught]
            names = [name for _, _, files in os.walk(path) for name in files]
            assert not [x for x in names if x.startswith(".writing-")], names
            # What was there is still there: no error of the disk is taken for a damaged file.
            assert not present or rc.Store(path).get(space) == right
            if not hit:
                break
            refused += 1
        assert n > 1 and not hit
print(refused)
"""


def test_every_call_of_the_system_that_fails(tmp_path: Path, run: Run) -> None:
    """The n-th call on the cache fails, for every n, with every likely error, with and without an entry to be read."""
    assert int(run(REFUSED, tmp_path / "cache")) >= 40
