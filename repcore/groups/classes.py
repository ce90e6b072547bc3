"""Conjugacy classes of a finite group, and the power maps between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import lcm

import numpy as np
import numpy.typing as npt

from repcore.errors import GroupTooLargeError
from repcore.groups.components import components
from repcore.groups.finite import LIMIT, Elements, elements, order
from repcore.groups.group import Group
from repcore.groups.orbit import check_finite

__all__ = ["Classes", "classes"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Classes:
    """The conjugacy classes of a finite group.

    Class 0 is that of the identity; classes are sorted by the order of their elements, then by size, then by their least
    element in the canonical numbering, so that the order depends on the declared matrices and not on the generators chosen.

    Attributes:
        table: the elements of the group.
        of: (order,) the class of each element.
        sizes: (count,) how many elements each class has.
        orders: (count,) the order of the elements of each class.
        representatives: (count,) the least element of each class.
    """

    table: Elements
    of: Ints
    sizes: Ints
    orders: Ints
    representatives: Ints
    _walk: Ints

    @property
    def group(self) -> Group:
        """The group whose classes these are."""
        return self.table.group

    @property
    def count(self) -> int:
        """The number of classes."""
        return len(self.sizes)

    def __len__(self) -> int:
        return self.count

    @cached_property
    def exponent(self) -> int:
        """The least common multiple of the orders of the elements."""
        return lcm(*self.orders.tolist())

    @property
    def centralizers(self) -> Ints:
        """(count,) the order of the centraliser of an element of each class."""
        return self.table.order // self.sizes

    def power(self, k: int) -> Ints:
        """(count,) the class of g^k for g in each class; k may be negative."""
        return self._walk[np.arange(self.count), k % self.orders]

    @cached_property
    def inverse(self) -> Ints:
        """(count,) the class of the inverses of each class."""
        return self.power(-1)

    def powers(self, j: int) -> Ints:
        """(order of class j,) the classes of 1, g, g^2, ... for g in class j."""
        return self._walk[j, : self.orders[j]]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each class: the order of its elements and a letter, ``1a``, ``2a``, ``2b``, ..., in their order.

        >>> from repcore import symmetric
        >>> classes(symmetric(4)).names
        ('1a', '2a', '2b', '3a', '4a')
        """
        seen: dict[int, int] = {}
        out: list[str] = []
        for o in self.orders.tolist():
            i = seen[o] = seen.get(o, -1) + 1
            letters = chr(ord("a") + i % 26)
            while i >= 26:
                i = i // 26 - 1
                letters = chr(ord("a") + i % 26) + letters
            out.append(f"{o}{letters}")
        return tuple(out)


@lru_cache(maxsize=64)
def classes(group: Group) -> Classes:
    """The conjugacy classes of a finite group, as the components of x -> g^-1 x g over the generators g.

    Cost: a binary search for each element and generator, and one for each power of a representative.

    Raises:
        GroupTooLargeError: the group is infinite or has more than 200,000 elements; the message says how many, where that is
            known.

    >>> from repcore import dihedral
    >>> classes(dihedral(4)).sizes.tolist()
    [1, 1, 2, 2, 2]
    """
    table = _listed(group)
    n = table.order
    whence = np.tile(np.arange(n), len(table.generators))
    there = [table.right(g)[table.left(int(table.inverses[g]))] for g in table.generators]
    onto = np.concatenate(there) if there else whence
    label = components(n, whence, onto)
    _, first, sizes = np.unique(label, return_index=True, return_counts=True)
    walk, orders = _powers(table, first)
    ranks = np.lexsort((first, sizes, orders))
    back = np.empty(len(ranks), np.int64)
    back[ranks] = np.arange(len(ranks))
    of = back[label]
    of.flags.writeable = False
    return Classes(table, of, sizes[ranks].astype(np.int64), orders[ranks], first[ranks].astype(np.int64), of[walk[ranks]])


def _powers(table: Elements, representatives: Ints) -> tuple[Ints, Ints]:
    """(count, largest order) the powers 1, x, x^2, ... of some elements, by number, and the orders (count,)."""
    orders = np.zeros(len(representatives), np.int64)
    walk = [np.zeros(len(representatives), np.int64)]
    current, step = representatives, 1
    while np.any(orders == 0):
        orders[(current == 0) & (orders == 0)] = step
        walk.append(current)
        current, step = table.products(current, representatives), step + 1
    return np.stack(walk[:-1], axis=1), orders


def _listed(group: Group) -> Elements:
    """The elements, or a refusal that says how many there are and what does without them."""
    try:
        return elements(group)
    except GroupTooLargeError as error:
        check_finite(group)
        if not group.is_permutation:
            raise
        raise GroupTooLargeError(
            f"group: {group} has {order(group):,} elements, and classes and characters are computed from a list of at most "
            f"{LIMIT:,}; solve(V >> W) works from the generators alone, and so does everything that is built on it"
        ) from error
