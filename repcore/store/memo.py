"""A small memory of recent answers, bounded by the bytes that they hold."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

__all__ = ["Memo"]

V = TypeVar("V")


class Memo(Generic[V]):
    """The values used last, by key, as long as they take at most ``max_bytes`` together; safe to use from many threads.

    >>> memo = Memo(max_bytes=10)
    >>> for key in "abc":
    ...     memo.put(key, key.upper(), size=4)
    >>> memo.get("a"), memo.get("c")
    (None, 'C')
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._items: OrderedDict[object, tuple[V, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: object) -> V | None:
        """The value of a key, or None."""
        with self._lock:
            found = self._items.get(key)
            if found is None:
                return None
            self._items.move_to_end(key)
            return found[0]

    def put(self, key: object, value: V, size: int) -> None:
        """Remember a value of ``size`` bytes; what has not been used for longest makes room. Too large a value is let go."""
        with self._lock:
            self._drop(key)
            if size > self._max_bytes:
                return
            self._items[key] = (value, size)
            self._bytes += size
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._items)))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
            self._bytes = 0

    def _drop(self, key: object) -> None:
        found = self._items.pop(key, None)
        if found is not None:
            self._bytes -= found[1]
