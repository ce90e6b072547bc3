"""Figures of matplotlib, which is imported when one is asked for: new axes, a file, a window."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from repcore.errors import IncompatibleError
from repcore.store.atomic import write_atomically

__all__ = ["check_format", "has_display", "headless", "library", "new_axes", "save", "show"]

# What would make two pictures of one thing differ: the date, and the release of matplotlib.
_METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


def library() -> Any:
    """``matplotlib.pyplot``.

    Raises:
        ImportError: matplotlib is not installed.
        IncompatibleError: the environment variable MPLBACKEND names no backend of it.
    """
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        raise ImportError("pictures need matplotlib: pip install 'repcore[plot]'") from error
    except ValueError as error:
        raise IncompatibleError(f"MPLBACKEND: {error}; unset it") from error
    return plt


def headless() -> None:
    """Draw for files from here on: no window is opened, whatever the environment says of windows.

    Raises:
        ImportError: matplotlib is not installed.
    """
    library().switch_backend("agg")


def new_axes(width: float, height: float, rows: int = 1) -> list[Any]:
    """The axes of a new figure of so many inches, from top to bottom.

    Raises:
        ImportError: matplotlib is not installed.
    """
    _, grid = library().subplots(rows, 1, figsize=(width, height), sharex=True, squeeze=False, layout="constrained")
    return list(grid[:, 0])


def has_display() -> bool:
    """Whether matplotlib can open a window here.

    Raises:
        ImportError: matplotlib is not installed.
    """
    plt = library()
    from matplotlib.backends.registry import BackendFilter, backend_registry

    return plt.get_backend().lower() in backend_registry.list_builtin(BackendFilter.INTERACTIVE)


def check_format(path: str | os.PathLike[str]) -> str:
    """The format that the suffix of a path names.

    Raises:
        IncompatibleError: it names none.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    suffix = Path(path).suffix.lower().removeprefix(".")
    known = sorted(FigureCanvasBase.get_supported_filetypes())
    if suffix not in known:
        raise IncompatibleError(f"{os.fspath(path)!r}: ends in no format of pictures; choose one of {', '.join(known)}")
    return suffix


def save(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write a figure to a file, all of it or nothing, the same bytes for the same figure; the figure is closed.

    Raises:
        IncompatibleError: a suffix that names no format.
        StoreError: the file cannot be written.
    """
    kind = check_format(path)
    buffer = io.BytesIO()
    plt = library()
    try:
        # One salt for the names within an SVG, which are random otherwise.
        with plt.rc_context({"svg.hashsalt": "repcore"}):
            figure.savefig(buffer, format=kind, dpi=150, metadata=_METADATA.get(kind))
    finally:
        plt.close(figure)
    write_atomically(path, buffer.getvalue())


def show(figure: Any) -> None:
    """Show a figure in a window, and wait until it is closed."""
    plt = library()
    try:
        plt.show()
    finally:
        plt.close(figure)
