"""Representations of a factor, seen by a direct product."""

from __future__ import annotations

from dataclasses import dataclass

from repcore.errors import IncompatibleError
from repcore.groups.group import Group
from repcore.reps.tree import Rep, Trivial, wrapped

__all__ = ["Lifted", "lift"]


@dataclass(frozen=True, eq=False, repr=False)
class Lifted(Rep):
    """A representation of factor number ``factor`` of a direct product; the other factors act trivially."""

    group: Group
    rep: Rep
    factor: int

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        return self.rep.dim

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("lifted", self.factor, self.rep.digest)

    def __str__(self) -> str:
        return f"{wrapped(self.rep)}@{self.factor}"

    def __repr__(self) -> str:
        return f"lift({self.rep!r}, {self.group!r}, factor={self.factor})"


def lift(rep: Rep, product: Group, factor: int | None = None) -> Rep:
    """A representation of a factor as a representation of a direct product, the other factors acting trivially.

    Args:
        rep: a representation of one of ``product.factors``.
        product: a direct product ``G @ H``.
        factor: which factor, needed only where the same group occurs twice.

    Raises:
        IncompatibleError: the group of ``rep`` is no factor of ``product``, or occurs more than once.

    Expressions lift by themselves where there is no doubt: ``X + Y`` with X of ``G @ H`` and Y of G.

    >>> from repcore import cyclic, symmetric
    >>> G, H = cyclic(4), symmetric(3)
    >>> V = lift(G.rep, G @ H) * lift(H.rep, G @ H)
    >>> V.dim
    6
    """
    if rep.group == product:
        return rep
    places = [i for i, f in enumerate(product.factors) if f == rep.group]
    if factor is not None and factor in places:
        return Trivial(product) if isinstance(rep, Trivial) else Lifted(product, rep, factor)
    if factor is not None or len(places) != 1:
        why = f"is factor {places} of" if places else "is no factor of"
        raise IncompatibleError(f"rep: its group {rep.group} {why} {product}; give factor=i with one of its places")
    return Trivial(product) if isinstance(rep, Trivial) else Lifted(product, rep, places[0])
