"""A place with a file of one's own, and the program in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from repcore.cli import app
from repcore.store import cached

SPEC = """
[group]
builtin = "dihedral(4)"
[reps]
X = "4*1 + 2*V"
[maps]
layer1 = "X >> V*V"
"layer.2" = "V >> V"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory but for ``a.toml``, with a cache of its own and without a display."""
    monkeypatch.setenv("REPCORE_CACHE", str(tmp_path / "cache"))
    for name in ("REPCORE_SHARED_CACHE", "DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text(SPEC)
    for memo in (cached._BASES, cached._PLANS):
        memo.clear()
    yield tmp_path
    for memo in (cached._BASES, cached._PLANS):
        memo.clear()


@pytest.fixture
def call(place: Path) -> Callable[..., Result]:
    """Run a command in this process. A user's error is one line on stderr, and nothing ever has escape sequences."""

    def run(*args: str, status: int = 0) -> Result:
        result = CliRunner().invoke(app, args, prog_name="repcore")
        assert result.exit_code == status, result.output
        assert "\x1b" not in result.output
        assert "Traceback" not in result.output
        if status == 1:
            assert result.stdout == ""
            assert result.stderr.startswith("error: ")
            assert result.stderr.count("\n") == 1
        return result

    return run


@pytest.fixture
def as_json(call: Callable[..., Result]) -> Callable[..., Any]:
    """What a command prints with ``--json``."""

    def run(*args: str, status: int = 0) -> Any:
        return json.loads(call(*args, "--json", status=status).stdout)

    return run


@pytest.fixture
def program(place: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the program in a process of its own."""

    def run(*args: str, before: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        code = f"{before}\nfrom repcore.cli import main\nif __name__ == '__main__': main()"
        Path("program.py").write_text(code)
        command = [sys.executable, "program.py", *args]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=os.environ | env)

    return run
