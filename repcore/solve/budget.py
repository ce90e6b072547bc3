"""What a solve may use: memory, and workers to share independent parts with; and whom it tells how far it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import TypeVar

from repcore.errors import IncompatibleError, MemoryLimitError
from repcore.solve.progress import Progress, Report

__all__ = ["Budget", "check_budget", "physical_memory", "size_text"]

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
            None works in the calling thread. The limit then holds for each worker by itself.
        report: is called with a :class:`Progress` now and then; None tells nobody.
        block: the number of the block that is solved, from 1.
        blocks: how many there are.
    """

    memory_limit: int = field(default_factory=physical_memory)
    executor: Executor | None = None
    report: Report | None = None
    block: int = 1
    blocks: int = 1

    def fits(self, need: int) -> bool:
        """Whether a step that needs so many bytes is allowed: for a choice between two ways."""
        return need <= self.memory_limit

    def admit(self, need: int, what: str, advice: str) -> None:
        """Refuse a step that needs more memory than allowed.

        Raises:
            MemoryLimitError: with the size and what to do instead.
        """
        if not self.fits(need):
            raise MemoryLimitError(
                f"memory_limit: {what} would need about {size_text(need)}, more than "
                f"{size_text(self.memory_limit)}; {advice}, or raise memory_limit"
            )

    def map(self, verb: Callable[[A], T], items: Iterable[A], finished: Callable[[int], object] | None = None) -> list[T]:
        """``[verb(x) for x in items]``, shared among the workers; ``finished`` is told how many of theirs have come back."""
        if self.executor is None:
            return [verb(x) for x in items]
        out: list[T] = []
        for value in self.executor.map(verb, items):
            out.append(value)
            if finished is not None:
                finished(len(out))
        return out

    def at_block(self, block: int, blocks: int) -> Budget:
        """The same budget for one block of many."""
        return replace(self, block=block, blocks=blocks)

    @property
    def own(self) -> Budget:
        """What is handed to a verb that ``map`` carries out: with workers of its own nobody to tell, and no workers."""
        return self if self.executor is None else Budget(self.memory_limit)

    def tell(self, stage: str, done: int | None = None, total: int | None = None, seconds: float = 0.0) -> None:
        """Report progress; free if nobody listens."""
        if self.report is not None:
            self.report(Progress(stage, self.block, self.blocks, done, total, seconds))


def check_budget(memory_limit: object, executor: object) -> None:
    """Refuse limits that no solve can keep, before anything is looked up.

    Raises:
        IncompatibleError: the limit is no number of bytes, or the executor has no ``map``.
    """
    is_size: bool = isinstance(memory_limit, Integral) and not isinstance(memory_limit, bool) and int(memory_limit) >= 0
    if memory_limit is not None and not is_size:
        raise IncompatibleError(f"memory_limit: expected a number of bytes, an integer >= 0, got {memory_limit!r}; write 2**30")
    if executor is not None and not callable(getattr(executor, "map", None)):
        raise IncompatibleError(
            f"executor: expected a concurrent.futures.Executor, got {type(executor).__name__}; write ProcessPoolExecutor(4)"
        )


def size_text(count: int) -> str:
    """A number of bytes for people.

    >>> size_text(512), size_text(3 * 2**20)
    ('512 B', '3.0 MiB')
    """
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
