"""Sphinx extension: the reference page of a package is made from its ``__all__``.

A line ``<!-- public names of PACKAGE -->`` in a page becomes one section for each module of the package that defines
public names, with one autodoc directive a name. Nothing is written to disk, so a page cannot be out of date.
"""

from __future__ import annotations

import importlib
import inspect
import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PLACEHOLDER = re.compile(r"^<!-- public names of ([\w.]+) -->$", re.MULTILINE)


def room_of(package: str, name: str, value: object) -> str:
    """The module below ``package`` where ``value`` is defined, or ``""`` for a plain value."""
    module = f"{package}.{name}" if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    if not isinstance(module, str) or not module.startswith(f"{package}."):
        return ""
    return module.removeprefix(f"{package}.").partition(".")[0]


def directive_for(package: str, name: str, value: object) -> list[str]:
    """The autodoc directive that describes one public name."""
    match value:
        case ModuleType():
            kind, options = "automodule", []  # its own names have a line `public names of` of their own
        case type() if issubclass(value, BaseException):
            kind, options = "autoexception", [":show-inheritance:"]
        case type():
            kind, options = "autoclass", [":members:"]
        case _ if callable(value) and inspect.isroutine(inspect.unwrap(value)):
            kind, options = "autofunction", []
        case _:
            kind, options = "autodata", []
    return ["", f".. {kind}:: {package}.{name}", *(f"   {option}" for option in options)]


def reference(package: str) -> str:
    """The MyST text of the reference of ``package``, one section for each room."""
    module = importlib.import_module(package)
    names: list[str] = sorted(getattr(module, "__all__", ()))
    if not names:
        return f"`{package}` has no public names yet."
    rooms: dict[str, list[str]] = {}
    for name in names:
        rooms.setdefault(room_of(package, name, getattr(module, name)), []).append(name)
    lines: list[str] = []
    for room in sorted(rooms):
        document = inspect.getdoc(importlib.import_module(f"{package}.{room}")) if room else None
        lines += [f"## {room or 'values'}", "", "```{eval-rst}"]
        if document:
            lines += ["", document.splitlines()[0]]
        for name in rooms[room]:
            lines += directive_for(package, name, getattr(module, name))
        lines += ["```", ""]
    return "\n".join(lines)


def expand(text: str) -> str:
    """The text of a page with every placeholder replaced."""
    return PLACEHOLDER.sub(lambda found: reference(found[1]), text)


def on_source_read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the text of a page as Sphinx reads it, and read such pages again at every build."""
    if PLACEHOLDER.search(source[0]):
        app.env.note_reread()
        source[0] = expand(source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", on_source_read)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
