"""What the tests of faults share: a cache for every test, programs in processes of their own, and what a cache may hold."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repcore.store import cached
from repcore.store.atomic import TEMPORARY
from repcore.store.files import read_basis


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("REPCORE_CACHE", str(tmp_path / "default-cache"))
    monkeypatch.delenv("REPCORE_SHARED_CACHE", raising=False)
    _forget()
    yield
    _forget()


def _forget() -> None:
    cached._BASES.clear()
    cached._PLANS.clear()


@pytest.fixture
def forgetful() -> Callable[[], None]:
    """What a fresh process would not know."""
    return _forget


def _start(script: str, *args: object) -> subprocess.Popen[str]:
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    # A shell starts what runs in the background, as tests may, deaf to interrupts, and its children are born so.
    hearing = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    command = [sys.executable, "-c", hearing + script, *map(str, args)]
    # In a group of its own, so that an interrupt for it is none for the tests.
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, start_new_session=True)


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """Start a Python program with arguments."""
    return _start


def _run(script: str, *args: object, timeout: float = 300) -> str:
    process = _start(script, *args)
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err
    return out


@pytest.fixture
def run() -> Callable[..., str]:
    """Run a Python program to its end, which must be a good one; its output."""
    return _run


def _check_cache(path: Path, *, unfinished: bool = False) -> int:
    """Every file of a cache is a whole basis, and there is nothing else but the lock; the number of bases."""
    count = 0
    for file in path.rglob("*"):
        if file.is_dir() or file.name == ".lock":
            continue
        if file.name.startswith(TEMPORARY):
            assert unfinished, f"{file.name} was left behind"
            continue
        assert file.suffix == ".safetensors", file
        assert file.name.startswith(read_basis(file).space.digest)
        count += 1
    return count


@pytest.fixture
def check_cache() -> Callable[..., int]:
    """Every file of a cache is a whole basis, and there is nothing else but the lock; returns the number of bases."""
    return _check_cache
