"""How it is known that a basis is right and complete."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Certificate", "Step"]


@dataclass(frozen=True)
class Step:
    """One reduction: its name, the number of unknowns before and after, and a remark."""

    name: str
    before: int
    after: int
    remark: str = ""


@dataclass(frozen=True)
class Certificate:
    """Why a basis is known to be a basis of the whole solution space.

    Soundness: every element was checked to satisfy every constraint exactly. Completeness: ``completeness`` names the
    argument, ``"orbits"`` (the dimension is the number of orbits that carry a map), ``"weights"`` (it is the number of entries
    between equal weights) or ``"nullity"`` (the nullity of the
    constraints modulo each of ``primes`` is an upper bound for the dimension, and equals the number of elements).

    ``status`` is ``"proved"``; a basis that is not proved is not returned.
    """

    status: str
    completeness: tuple[str, ...]
    primes: tuple[int, ...]

    def __str__(self) -> str:
        how = " and ".join(self.completeness) or "no unknowns"
        at = f" modulo {', '.join(map(str, self.primes))}" if self.primes else ""
        return f"{self.status}: every element checked exactly; complete by {how}{at}"
