"""Every error that repcore raises, in one tree.

A message names the argument, says what was wrong with it and what to do. ``except RepcoreError`` catches them all; the
leaves also derive from the built-in class that a caller would expect (``ValueError``, ``TypeError``, ``OSError``).
"""

from __future__ import annotations

__all__ = [
    "DeclarationError",
    "GroupTooLargeError",
    "IncompatibleError",
    "MemoryLimitError",
    "NotCompletelyReducibleError",
    "NumberError",
    "RepcoreError",
    "RepcoreWarning",
    "RepresentationError",
    "SolveError",
    "SpecError",
    "StoreError",
]


class RepcoreError(Exception):
    """Base class of all errors of repcore."""


class NumberError(RepcoreError, ValueError):
    """A value is not an exact number of the grammar (a float, NaN, an unknown name, a division by zero, ...)."""


class DeclarationError(RepcoreError, ValueError):
    """A declared group is not one: a ragged, non-square or singular generator, sizes that differ, a bad permutation."""


class RepresentationError(RepcoreError, ValueError):
    """Given images of the generators do not make a representation, or a construction does not apply to this one."""


class NotCompletelyReducibleError(RepresentationError):
    """An invariant subspace has no invariant complement, so the representation is no direct sum of irreducible ones.

    Attributes:
        socle_series: the dimensions of the socle series, 0 < dim soc < dim soc^2 < ... = dim V, where it is known; () otherwise.
            The socle is the sum of all irreducible subspaces.
    """

    socle_series: tuple[int, ...]

    def __init__(self, message: str, socle_series: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.socle_series = socle_series

    def __reduce__(self) -> tuple[type[NotCompletelyReducibleError], tuple[str, tuple[int, ...]]]:
        return type(self), (str(self), self.socle_series)


class IncompatibleError(RepcoreError, ValueError):
    """Two objects do not fit: representations of different groups, a weight of another shape, a stale digest."""


class GroupTooLargeError(RepcoreError, ValueError):
    """A construction needs the elements of the group, and there are more of them than the stated budget (or infinitely many)."""


class SolveError(RepcoreError, RuntimeError):
    """An exact solution could not be certified. It is raised instead of returning an answer that is not proved."""


class MemoryLimitError(RepcoreError, MemoryError):
    """The request would need more memory than allowed. It is raised before anything is allocated, with the size needed."""


class SpecError(RepcoreError, ValueError):
    """A declarative file is not well formed; the message gives the key and the place."""


class StoreError(RepcoreError, OSError):
    """A basis file or the cache cannot be read or written."""


class RepcoreWarning(UserWarning):
    """Something was repaired or could not be checked, and the result is still right."""
