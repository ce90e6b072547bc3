"""The README is executed: its Python blocks print what it says they print, and so does its program call."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
README = Path(__file__).parents[2] / "README.md"
BLOCKS: list[tuple[str, str]] = BLOCK.findall(README.read_text(encoding="utf-8"))
# Every Python block with the text block that follows it. The first one declares what the others use.
EXAMPLES = [(code, BLOCKS[i + 1]) for i, (kind, code) in enumerate(BLOCKS) if kind == "python"]
NEEDS = {"torch": "torch", "jax": "optax"}


def missing(code: str) -> list[str]:
    """The frameworks that a block imports and this environment does not have."""
    used = [name for name in NEEDS if re.search(rf"^import {name}\b", code, re.MULTILINE)]
    return [name for name in used if any(importlib.util.find_spec(m) is None for m in (name, NEEDS[name]))]


def printed(code: str, names: dict[str, Any]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "README.md", "exec"), names)  # noqa: S102 (our own README)
    return out.getvalue()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPCORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REPCORE_SHARED_CACHE", raising=False)


def test_there_is_something_to_execute() -> None:
    assert [kind for kind, _ in BLOCKS] == [
        "python",
        "text",
        "toml",
        "console",
        "python",
        "text",
        "python",
        "text",
    ]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_a_block_prints_what_the_readme_says(number: int) -> None:
    code, (kind, expected) = EXAMPLES[number]
    if missing(code):
        pytest.skip(f"not installed here: {', '.join(missing(code))}")
    assert kind == "text"
    names: dict[str, Any] = {"__name__": "readme"}
    found = printed(EXAMPLES[0][0], names)
    if number:
        found = printed(code, names)
    assert found == expected


def test_the_program_prints_what_the_readme_says(tmp_path: Path) -> None:
    (toml,) = (text for kind, text in BLOCKS if kind == "toml")
    (console,) = (text for kind, text in BLOCKS if kind == "console")
    call, _, expected = console.partition("\n")
    (tmp_path / "symmetry.toml").write_text(toml, encoding="utf-8")
    command = call.removeprefix("$ repcore").split()
    done = subprocess.run(
        [sys.executable, "-m", "repcore", *command],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert timeless(done.stdout) == timeless(expected)
    assert sorted(p.name for p in (tmp_path / "bases").iterdir()) == ["decode.safetensors", "encode.safetensors"]


def timeless(table: str) -> list[list[str]]:
    """The words of a table without its times, which differ from run to run."""
    return [re.sub(r"\d+\.\d+ s\b", "time", line).split() for line in table.splitlines()]


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if "://" not in link and not (README.parent / link).exists()] == []
