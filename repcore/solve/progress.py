"""What a solve is doing, told while it works: a value for programs, one line on stderr for people."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from repcore.errors import IncompatibleError

__all__ = ["Progress", "Report", "check_progress", "reporting"]

# Seconds before the first line, and between two lines where lines cannot be overwritten.
_PATIENCE = 2.0
# Seconds between two reports of one stage.
_PAUSE = 0.1


@dataclass(frozen=True)
class Progress:
    """Where a solve is. ``rc.solve(space, progress=f)`` calls ``f`` with one of these as it goes on.

    Attributes:
        stage: ``"reduce"``: exact reductions; ``"presolve"``: sparse constraints modulo a prime; ``"nullspace"`` or ``"spin"``:
            elimination modulo a prime; ``"check"``: the exact proof. A stage may come again, with another prime. ``"spaces"``:
            ``rc.solve_many`` counts the spaces that its workers have sent back.
        block: the pair of distinct summands in work, from 1.
        blocks: how many there are.
        done: how much of the stage is done, in unknowns, basis vectors or basis elements; None where that is not known.
        total: all that there is to do in it; None where that is not known.
        seconds: predicted until the next report, where that may be long: one elimination cannot be looked into; else 0.

    >>> print(Progress("nullspace", 2, 3, 500, 2461))
    block 2 of 3: nullspace, 500 of 2461
    """

    stage: str
    block: int = 1
    blocks: int = 1
    done: int | None = None
    total: int | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        where = f"block {self.block} of {self.blocks}: " if self.blocks > 1 else ""
        return f"{where}{self.stage}{'' if self.total is None else f', {self.done or 0} of {self.total}'}"


Report = Callable[[Progress], object]


@contextmanager
def reporting(progress: bool | Report | None, title: object) -> Generator[Report | None]:
    """What a solve should report to; None where nobody listens.

    Args:
        progress: None writes one line on stderr, overwritten as the solve goes on and erased at its end, if stderr is a
            terminal or the output of a notebook, once the solve takes longer than two seconds; False never writes; True
            does the same as None on any stderr, where it is no terminal in lines of their own, one in two seconds; a function
            is called with each :class:`Progress`, at least once for each stage and at most ten times a second within one.
            What it raises ends the solve.
        title: what is solved, in the words that open the line.

    Raises:
        IncompatibleError: ``progress`` is nothing of these.
    """
    check_progress(progress)
    if progress is None or isinstance(progress, bool):
        stream = sys.stderr
        alive = _is_terminal(stream) or _in_notebook()
        # A program without a console (pythonw) has no stderr.
        if progress is False or not (progress or alive) or stream is None:  # pyright: ignore[reportUnnecessaryComparison]
            yield None
            return
        line = _Line(stream, str(title), alive)
        try:
            yield _Paced(line.show)
        finally:
            line.erase()
    else:
        yield _Paced(progress)


def check_progress(progress: object) -> None:
    """Refuse what :func:`reporting` does not take.

    Raises:
        IncompatibleError: neither None, nor a bool, nor a function.
    """
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise IncompatibleError(
            f"progress: expected None, True, False or a function of one rc.Progress, got {progress!r}; "
            "write progress=print to see what it is called with"
        )


class _Paced:
    """Passes on the first report of every stage, and within a stage one in a tenth of a second."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._stage: tuple[str, int] | None = None
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        stage = (progress.stage, progress.block)
        if stage != self._stage or now >= self._next or progress.seconds > _PATIENCE:
            self._stage, self._next = stage, now + _PAUSE
            self._report(progress)


class _Line:
    """One line of a stream, written over again; whole lines where the stream cannot go back."""

    def __init__(self, stream: TextIO, title: str, alive: bool) -> None:
        self._stream = stream
        # Names are the user's; a line must not move the cursor.
        self._title = "".join(c if c.isprintable() else "?" for c in title)
        self._alive = alive
        self._start = time.monotonic()
        self._next = self._start + _PATIENCE
        self._width = 0

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        # What is known to take long is said at once: within it there is no turn to say anything.
        if now + progress.seconds < self._next:
            return
        ends = f": {progress}, {now - self._start:.0f} s"
        if not self._alive:
            self._next = now + _PATIENCE
            self._write(f"{self._title}{ends}\n")
            return
        # The last column stays empty: some terminals break the line there.
        room = shutil.get_terminal_size().columns - 1
        title = self._title
        if len(title) + len(ends) > room:
            title = title[: max(0, room - len(ends) - 3)] + "..."
        text = (title + ends)[: max(room, 0)]
        self._write("\r" + text.ljust(self._width))
        self._width = len(text)

    def erase(self) -> None:
        if self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError, UnicodeError):
            # A terminal that has gone, or one that cannot show a sign of the title, is no reason to lose the answer.
            self._width = 0


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False  # no stream, or a closed one


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process: its stderr is no terminal, but someone looks at it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None
