"""Left cosets of a subgroup, and how the group permutes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from repcore.errors import RepresentationError
from repcore.groups.components import by_least, components
from repcore.groups.finite import Elements, elements
from repcore.groups.group import Group
from repcore.reps.tree import Rep

__all__ = ["Cosets", "Quotient", "cosets", "quotient", "regular"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cosets:
    """The cosets gH, ordered by least element.

    Attributes:
        table: the elements of G.
        first: (count,) the least element of each coset.
        of: (order,) the coset of each element.
    """

    table: Elements
    first: Ints
    of: Ints

    @property
    def count(self) -> int:
        """The index of H in G."""
        return len(self.first)

    def action(self, e: int) -> Ints:
        """The permutation of the cosets by element number ``e``: gH -> egH."""
        return self.of[self.table.products(np.array(e), self.first)]


@lru_cache(maxsize=64)
def cosets(group: Group, subgroup: Group) -> Cosets:
    """The left cosets of ``subgroup`` in a finite ``group``; cost: the order of the group.

    Raises:
        GroupTooLargeError: the group is infinite or has too many elements to list.
        RepresentationError: a generator of ``subgroup`` is not in the group.
    """
    table = elements(group)
    if any(not a.is_zero for a in subgroup.lie):
        raise RepresentationError(f"subgroup: {subgroup} has Lie generators, so it is no subgroup of the finite group {group}")
    if subgroup.dim != group.dim:
        raise RepresentationError(
            f"subgroup: its matrices have size {subgroup.dim}, those of {group} have size {group.dim}; "
            "give the subgroup by generators in the defining representation of the group"
        )
    generators: list[int] = []
    for i, h in enumerate(subgroup.discrete):
        e = table.find(h)
        if e is None:
            raise RepresentationError(f"subgroup: its generator {i} is not an element of {group}")
        generators.append(e)
    # A coset is an orbit under right multiplication by the generators of H.
    moves = [table.right(h) for h in generators] or [np.arange(table.order)]
    starts = np.tile(np.arange(table.order), len(moves))
    first, of = by_least(components(table.order, starts, np.concatenate(moves)))
    return Cosets(table, first, of)


@dataclass(frozen=True, eq=False, repr=False)
class Quotient(Rep):
    """The permutation representation on the left cosets gH of a subgroup of a finite group.

    Cosets are ordered by their least element in the canonical order of the group's elements, so that the coset of the
    identity is first and the order does not depend on the generators.
    """

    group: Group
    subgroup: Group

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        return cosets(self.group, self.subgroup).count

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("quotient", self.subgroup.digest)

    @property
    def _is_regular(self) -> bool:
        return not self.subgroup.generators

    def __str__(self) -> str:
        return "regular" if self._is_regular else f"quotient({self.subgroup})"

    def __repr__(self) -> str:
        return f"regular({self.group!r})" if self._is_regular else f"quotient({self.group!r}, {self.subgroup!r})"


def quotient(group: Group, subgroup: Group) -> Rep:
    """The permutation representation of a finite group on the left cosets gH of a subgroup.

    Args:
        group: a finite group.
        subgroup: given by generators in the defining representation of ``group``.

    Raises:
        RepresentationError: a generator of ``subgroup`` is not an element of ``group``.
        GroupTooLargeError: the group cannot be listed.

    >>> from repcore import cyclic, dihedral
    >>> quotient(dihedral(4), cyclic(4)).dim
    2
    """
    cosets(group, subgroup)
    return Quotient(group, subgroup)


def regular(group: Group) -> Rep:
    """The regular representation of a finite group: g e_h = e_gh, basis in the canonical order of the elements.

    Raises:
        GroupTooLargeError: the group cannot be listed.

    >>> from repcore import symmetric
    >>> regular(symmetric(3)).dim
    6
    """
    return quotient(group, Group(dim=group.dim))
