"""What a solve may use: memory, and workers to share independent parts with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TypeVar

from repcore.errors import MemoryLimitError

__all__ = ["Budget", "physical_memory"]

T = TypeVar("T")
A = TypeVar("A")


def physical_memory() -> int:
    """Bytes of memory of this machine; 8 GiB where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 * 2**30


@dataclass(frozen=True)
class Budget:
    """Limits of one solve.

    Attributes:
        memory_limit: bytes; a step that is estimated to need more is refused before it allocates.
        executor: any ``concurrent.futures.Executor`` (processes share best) for independent blocks, primes and embeddings;
            None works in the calling thread.
    """

    memory_limit: int = field(default_factory=physical_memory)
    executor: Executor | None = None

    def admit(self, need: int, what: str, advice: str) -> None:
        """Refuse a step that needs more memory than allowed.

        Raises:
            MemoryLimitError: with the size and what to do instead.
        """
        if need > self.memory_limit:
            raise MemoryLimitError(
                f"memory_limit: {what} would need about {need / 2**30:.1f} GiB, more than "
                f"{self.memory_limit / 2**30:.1f} GiB; {advice}, or raise memory_limit"
            )

    def map(self, verb: Callable[[A], T], items: Iterable[A]) -> list[T]:
        """``[verb(x) for x in items]``, shared among the workers."""
        if self.executor is None:
            return [verb(x) for x in items]
        return list(self.executor.map(verb, items))
