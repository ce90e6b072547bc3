"""Reading values out of plain JSON data that may be anything."""

from __future__ import annotations

from typing import Any, cast

from repcore.errors import StoreError

__all__ = ["LARGEST", "take_dict", "take_int", "take_list", "take_text", "unique"]

LARGEST = 2**62
"""The largest size that is believed, so that sums of two still fit a machine word."""


def take_int(value: object, where: str, low: int = 0, high: int = LARGEST) -> int:
    """``value`` as an integer from low to high; StoreError if it is none."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise StoreError(f"{where}: expected an integer from {low} to {high}, found {_shown(value)}; {_REPAIR}")
    return value


def take_text(value: object, where: str) -> str:
    """``value`` as a text; StoreError if it is none."""
    if not isinstance(value, str):
        raise StoreError(f"{where}: expected a text, found {_shown(value)}; {_REPAIR}")
    return value


def take_list(value: object, where: str, length: int | None = None) -> list[Any]:
    """``value`` as a list, of the given length if there is one; StoreError if it is none."""
    items = cast(list[Any], value) if isinstance(value, list) else None
    if items is None or (length is not None and len(items) != length):
        size = "" if length is None else f" of {length} items"
        raise StoreError(f"{where}: expected a list{size}, found {_shown(cast(object, value))}; {_REPAIR}")
    return items


def take_dict(value: object, where: str, *keys: str) -> dict[str, Any]:
    """``value`` as a mapping that has all ``keys``; StoreError if it is none."""
    if not isinstance(value, dict):
        raise StoreError(f"{where}: expected a mapping, found {_shown(value)}; {_REPAIR}")
    table = cast(dict[str, Any], value)
    missing = [k for k in keys if k not in table]
    if missing:
        raise StoreError(f"{where}: the key {missing[0]!r} is missing; {_REPAIR}")
    return table


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, for ``object_pairs_hook``: readers differ in which of two equal keys they keep, so none is allowed.

    Raises:
        ValueError: a key stands twice.
    """
    out = dict(pairs)
    if len(out) != len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))
        raise ValueError(f"the key {twice[:60]!r} stands twice in one object")
    return out


_REPAIR = "the file is damaged or none of repcore, write it again with rc.dump"


def _shown(value: object) -> str:
    # Nothing hostile is formatted whole: its repr may be huge, or too deep.
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:37] + "...")
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int) and value.bit_length() < 64:
        return str(value)
    return f"a value of type {type(value).__name__}"
