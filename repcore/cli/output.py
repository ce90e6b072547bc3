"""What the program says, and to whom: tables for people, plain text for pipes, JSON for programs, errors in one message."""

from __future__ import annotations

import functools
import json
import os
import sys
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import typer

from repcore.errors import RepcoreError, RepcoreWarning
from repcore.solve.budget import size_text
from repcore.solve.progress import Progress, Report

__all__ = ["FAILED", "counted", "progress", "reported", "show_json", "show_table", "show_text", "size_text"]

P = ParamSpec("P")
R = TypeVar("R")

USER_ERROR = 1
FAILED = 3
"""The exit status when a basis did not pass verification; 1 is an error of the user's, 2 a call that is not understood."""
CLOSED = 141
"""The exit status when the reader of the output is gone, as of any program in a shell: 128 and the number of SIGPIPE."""


def reported(command: Callable[P, R]) -> Callable[P, R]:
    """The command with errors of repcore as one message on stderr and exit status 1, and its warnings as one line each."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with warnings.catch_warnings():
            warnings.simplefilter("always", RepcoreWarning)
            warnings.showwarning = _show_warning
            try:
                return command(*args, **kwargs)
            except RepcoreError as error:
                typer.echo(f"error: {error}", err=True)
            except MemoryError as error:
                typer.echo(f"error: not enough memory: {error}; declare smaller representations", err=True)
            except ImportError as error:
                # An extra that is not installed; the message says which.
                typer.echo(f"error: {error}", err=True)
            except BrokenPipeError:
                # What is left in the buffer goes nowhere: Python would complain of it as it ends.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(CLOSED) from None
            raise typer.Exit(USER_ERROR)

    return run


def show_json(data: object) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(data, indent=2))


def show_text(text: str) -> None:
    """Text on stdout."""
    typer.echo(text)


def show_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table: drawn by rich on a terminal; in a pipe columns of plain text, never cut."""
    cells = [[str(x) for x in row] for row in rows]
    if sys.stdout.isatty():
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD)
        for header in headers:
            # A path that is cut cannot be copied.
            table.add_column(header, overflow="fold")
        for row in cells:
            # Text, not str: what stands in brackets is no markup here.
            table.add_row(*map(Text, row))
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    for row in (headers, *cells):
        typer.echo("  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip())


@contextmanager
def progress(items: Iterable[tuple[str, Any]], quiet: bool) -> Generator[tuple[Iterable[tuple[str, Any]], Report | bool]]:
    """The same pairs of name and item, and what their work reports to: with a bar on stderr if that is a terminal.

    The bar names the item in work, and the stage of its solve. Without a bar the second is False: nobody listens.
    """
    listed = list(items)
    if quiet or not sys.stderr.isatty():
        yield listed, False
        return
    with _bar() as bar:
        task = bar.add_task("", total=len(listed))
        at = ""

        def walk() -> Generator[tuple[str, Any]]:
            nonlocal at
            for name, item in listed:
                at = name
                bar.update(task, description=name)
                yield name, item
                bar.advance(task)

        def report(stage: Progress) -> None:
            bar.update(task, description=f"{at}: {stage}")

        yield walk(), report


@contextmanager
def counted(title: str, *, quiet: bool) -> Generator[Callable[[int, int], object]]:
    """A function of how many are done and how many there are: a bar on stderr if that is a terminal, else it says nothing."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with _bar() as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _bar() -> Any:
    from rich import progress as rich
    from rich.console import Console

    # The name and the stage are the user's and ours; what stands in brackets is no markup.
    columns = (
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.TaskProgressColumn(),
        rich.TimeElapsedColumn(),
    )
    return rich.Progress(*columns, console=Console(stderr=True), transient=True)


def _show_warning(message: Warning | str, category: type[Warning], *_: object) -> None:
    name = "warning" if issubclass(category, RepcoreWarning) else category.__name__
    typer.echo(f"{name}: {message}", err=True)
