"""Hom(X, Y): the space of equivariant linear maps, as a question that has not been answered yet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from repcore.groups.group import Group
from repcore.reps.tree import Rep, _same_group  # pyright: ignore[reportPrivateUsage]

__all__ = ["FORMAT", "Hom"]

# Part of every digest: the version of the canonical form (order of unknowns, echelon form, normalisation).
FORMAT = "repcore-basis-1"


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Hom:
    """The space of linear maps M: X -> Y with rho_Y(g) M = M rho_X(g) for every g; written ``X >> Y``.

    A map is an array of shape ``(dim Y, dim X)``, so that ``y = M @ x``. ``rc.solve(space)`` gives its basis,
    ``rc.explain(space)`` says how it will be found.

    Raises:
        IncompatibleError: X and Y are representations of different groups.

    >>> from repcore import dihedral, trivial
    >>> D4 = dihedral(4)
    >>> space = D4.rep >> 2 * D4.rep
    >>> space.shape, str(space)
    ((4, 2), 'V >> 2*V')
    """

    domain: Rep
    codomain: Rep

    def __init__(self, domain: Rep, codomain: Rep) -> None:
        x, y = _same_group(domain, codomain, ">>")
        object.__setattr__(self, "domain", x)
        object.__setattr__(self, "codomain", y)

    @property
    def group(self) -> Group:
        """The group whose maps these are."""
        return self.domain.group

    @property
    def shape(self) -> tuple[int, int]:
        """``(dim Y, dim X)``."""
        return (self.codomain.dim, self.domain.dim)

    @cached_property
    def digest(self) -> str:
        """SHA-256 that names the space: group, both expressions and the version of the canonical form.

        It does not depend on the order in which generators were declared.
        """
        return hashlib.sha256(repr((FORMAT, self.domain.digest, self.codomain.digest)).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hom):
            return NotImplemented
        return self.domain == other.domain and self.codomain == other.codomain

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return f"{self.domain} >> {self.codomain}"

    def __repr__(self) -> str:
        return f"Hom({self.domain!r}, {self.codomain!r})"
