"""``repcore cache``: what the store holds, and removing from it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from repcore.cli.files import Json, example
from repcore.cli.output import reported, show_json, show_table, show_text, size_text
from repcore.errors import StoreError
from repcore.store.disk import Entry, Store
from repcore.store.files import read_summary

__all__ = ["cache"]

cache = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The solved bases on this machine. $REPCORE_CACHE names another directory, $REPCORE_SHARED_CACHE one that is only "
    "read, or its address; $REPCORE_PUBLISH=1 writes what is solved there as well.",
    epilog=example("cache ls"),
)


@cache.command("ls", epilog=example("cache ls --json"))
@reported
def list_entries(as_json: Json = False) -> None:
    """List the stored bases, the one that was not used for longest first."""
    store = Store()
    rows: list[tuple[Entry, str, int | None]] = []
    for e in store.entries():
        try:
            summary = read_summary(e.path)
            rows.append((e, summary.space, summary.dim))
        except StoreError:
            rows.append((e, "(cannot be read)", None))
    if as_json:
        entries = [
            {"digest": e.digest, "space": space, "dim": dim, "bytes": e.size, "used": e.used, "path": os.fspath(e.path)}
            for e, space, dim in rows
        ]
        show_json({"path": os.fspath(store.path), "entries": entries})
        return
    shown = [(e.digest[:12], space, "-" if dim is None else dim, size_text(e.size), _ago(e.used)) for e, space, dim in rows]
    if shown:
        show_table(("digest", "space", "dim", "size", "last used"), shown)
    show_text(f"{len(rows)} bases, {size_text(sum(e.size for e, *_ in rows))}, in {store.path}")


@cache.command("gc", epilog=example("cache gc --older-than 30"))
@reported
def gc(
    max_bytes: Annotated[
        int | None, typer.Option(min=0, help="Remove the longest unused until at most this many bytes are left.")
    ] = None,
    older_than: Annotated[float | None, typer.Option(min=0, help="Remove what was not used for this many days.")] = None,
    as_json: Json = False,
) -> None:
    """Remove bases that were not used lately."""
    if max_bytes is None and older_than is None:
        raise typer.BadParameter("say what to remove: --max-bytes, --older-than, or both")
    store = Store()
    days = None if older_than is None else older_than * 86_400
    _removed(store, store.gc(max_bytes=max_bytes, older_than=days), as_json)


@cache.command("clear", epilog=example("cache clear"))
@reported
def clear(as_json: Json = False) -> None:
    """Remove all bases."""
    store = Store()
    _removed(store, store.clear(), as_json)


@cache.command("path", epilog=example("cache path"))
@reported
def show_path(as_json: Json = False) -> None:
    """Print the directory."""
    store = Store()
    if as_json:
        show_json({"path": os.fspath(store.path), "shared": None if store.shared is None else str(store.shared)})
    else:
        show_text(os.fspath(store.path))


def _removed(store: Store, entries: Sequence[Entry], as_json: bool) -> None:
    size = sum(e.size for e in entries)
    if as_json:
        digests = [e.digest for e in entries]
        show_json({"path": os.fspath(store.path), "removed": len(entries), "bytes": size, "digests": digests})
    else:
        show_text(f"removed {len(entries)} bases, {size_text(size)}, from {store.path}")


def _ago(used: float) -> str:
    seconds = max(0.0, time.time() - used)
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit} ago"
    return "just now"
