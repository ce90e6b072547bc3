"""What the program draws: tables on terminals of any width, and a bar."""

from __future__ import annotations

import io
import re
import sys

import pytest

from repcore.cli import output
from repcore.solve.progress import Progress


class Terminal(io.StringIO):
    """A text stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


PATH = "/home/somebody/a/rather/long/directory/bases/layer1-with-a-long-name.safetensors"


@pytest.mark.parametrize("columns", [30, 40, 60, 200])
def test_a_narrow_terminal_folds_long_cells_and_cuts_nothing(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    output.show_table(("file", "dim"), [(PATH, 91), ("[b]x[/b]", 3)])
    text = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    lines = text.splitlines()
    assert all(len(line) <= columns for line in lines)
    assert "…" not in text
    # The cells of the first column, put together again.
    assert PATH in "".join(line.split()[0] for line in lines if line.strip())
    assert "91" in text
    assert "[b]x[/b]" in text


def test_a_bar_names_the_item_and_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    with output.progress([("[b]one[/b]", 1), ("two", 2)], quiet=False) as (items, report):
        assert callable(report)
        seen = []
        for name, item in items:
            seen.append((name, item))
            report(Progress("nullspace", done=3, total=9))
    assert seen == [("[b]one[/b]", 1), ("two", 2)]
    # The last picture before the bar is taken away.
    assert "two: nullspace, 3 of 9" in screen.getvalue()


@pytest.mark.parametrize(("quiet", "terminal"), [(True, True), (True, False), (False, False)])
def test_nobody_is_told_in_a_pipe(quiet: bool, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    with output.progress([("one", 1)], quiet=quiet) as (items, report):
        assert report is False
        assert list(items) == [("one", 1)]
    assert screen.getvalue() == ""
