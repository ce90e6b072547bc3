"""The comparison of ways: that all of them run on all tasks, and that a longer training is worth it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "compare.py"


def rows(*arguments: str) -> dict[str, list[float]]:
    done = subprocess.run([sys.executable, str(EXAMPLE), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"^(\w+(?:, broken)?)((?: +\d+\.\d+)+)$", done.stdout, re.MULTILINE)
    return {name: [float(number) for number in numbers.split()] for name, numbers in found}


@pytest.mark.slow
def test_every_way_runs_on_every_task() -> None:
    found = rows("--steps", "6")
    assert len(found) == 6
    assert all(len(errors) == 6 and all(0 < e < 100 for e in errors) for errors in found.values())


@pytest.mark.slow
def test_training_pays() -> None:
    short, long = (rows("--tasks", "particles", "--ways", "strict", "ACE", "--steps", n) for n in ("2", "120"))
    for name in ("particles", "particles, broken"):
        assert all(b < a for a, b in zip(short[name], long[name], strict=True))
