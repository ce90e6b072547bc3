"""A mapping that keeps its order and never changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Generic, TypeVar

__all__ = ["Table", "hint"]

V = TypeVar("V")


class Table(Mapping[str, V], Generic[V]):
    """An immutable, hashable mapping of names, in the order in which they were written.

    Equality is that of mappings: the order does not count.

    >>> table = Table({"layer1": 1, "layer2": 2})
    >>> table["layer1"], list(table), table == {"layer2": 2, "layer1": 1}
    (1, ['layer1', 'layer2'], True)
    >>> table["layer"]
    Traceback (most recent call last):
        ...
    KeyError: "'layer' is not one of the names; did you mean 'layer2' or 'layer1'?"
    """

    __slots__ = ("_items",)

    _items: dict[str, V]

    def __init__(self, items: Mapping[str, V] | None = None) -> None:
        object.__setattr__(self, "_items", dict(items or {}))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Table is immutable; cannot set {name}")

    def __getitem__(self, key: str) -> V:
        try:
            return self._items[key]
        except KeyError:
            raise KeyError(f"{key!r} is not one of the names{hint(key, self._items)}") from None

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def hint(name: object, known: Iterable[str]) -> str:
    """``"; did you mean 'X'?"`` for a name that is nearly one of the ``known``, else the list of those, if it is short."""
    names = list(known)
    close = get_close_matches(str(name)[:60], names, n=2, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    if 0 < len(names) <= 30:
        return f"; known are {', '.join(names)}"
    return ""
