"""Representations declared by the images of the generators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from repcore.exact.matrix import Matrix
from repcore.groups.group import Group, nested
from repcore.reps.check import checked_images
from repcore.reps.tree import Rep

__all__ = ["Custom"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Custom(Rep):
    """A representation declared by the images of the generators; made by ``Rep(G, discrete=[...], lie=[...])``.

    Args:
        group: the group G.
        discrete: the image of each generator in ``G.discrete``, in order.
        lie: the image of each generator in ``G.lie``, in order.
        name: a label.

    Attributes:
        checked: what is known. ``"proved"``: the images satisfy every relation of the generators (for Lie generators: it is
            a representation of the Lie algebra, hence of the simply connected group). Otherwise the sentence says what could
            not be decided.

    Raises:
        RepresentationError: a missing image, a singular one, images of different sizes, or a relation of the generators
            that the images break (a product or commutator is named).

    >>> from repcore import Rep, cyclic
    >>> sign = Rep(cyclic(4), discrete=[[[-1]]], name="sign")
    >>> sign.dim, sign.checked
    (1, 'proved')
    """

    group: Group
    discrete: tuple[Matrix, ...]
    lie: tuple[Matrix, ...]
    name: str
    checked: str = field(default="proved")

    def __init__(
        self,
        group: Group,
        discrete: Sequence[Any] = (),
        lie: Sequence[Any] = (),
        name: str = "",
        *,
        allow_floats: bool = False,
    ) -> None:
        finite, algebra, words = checked_images(group, discrete, lie, allow_floats=allow_floats)
        for key, value in {"group": group, "discrete": finite, "lie": algebra, "name": name, "checked": words}.items():
            object.__setattr__(self, key, value)

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        return (self.discrete + self.lie)[0].shape[0]

    @property
    def _tree(self) -> tuple[object, ...]:
        # Sorted by generator: the digest must not depend on the order in which generators were written.
        pairs = zip(self.group.generators, self.discrete + self.lie, strict=True)
        return ("custom", tuple(sorted({(g.digest, m.digest) for g, m in pairs})))

    def __str__(self) -> str:
        return self.name or "U"

    def __repr__(self) -> str:
        name = f", name={self.name!r}" if self.name else ""
        return f"Rep({self.group!r}, discrete={nested(self.discrete)}, lie={nested(self.lie)}{name})"
