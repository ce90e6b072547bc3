"""A decomposition as a value: irreducible representations, their copies, and how well all of it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.exact.matrix import Matrix
from repcore.reps.tree import Rep

__all__ = ["Component", "Decomposition", "Irrep"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Irrep:
    """An irreducible representation in fixed orthonormal coordinates, as it occurs in a decomposition.

    The same object stands for equal irreducibles in everything that was decomposed together; it is compared by identity.

    Attributes:
        dim: its dimension, over R for a real representation and over C for a complex one.
        type: the algebra of its endomorphisms over R: "real" (R), "complex" (C) or "quaternionic" (H). Over the complex
            numbers every irreducible has the endomorphisms C, and the type is "complex".
        endomorphisms: (t, dim, dim), orthogonal matrices that span the endomorphisms in the coordinates of ``Component.basis``:
            the identity and t - 1 antisymmetric ones, t = 1, 2 or 4; they are orthogonal to each other. For H the four are
            1, I, J, IJ. For a complex representation t = 1.
        is_trivial: whether every group element acts as 1.
    """

    dim: int
    type: str
    endomorphisms: Array
    is_trivial: bool

    def __repr__(self) -> str:
        return f"<Irrep: dim {self.dim}, {'trivial' if self.is_trivial else self.type}>"


@dataclass(frozen=True, eq=False)
class Component:
    """An isotypic component: all copies of one irreducible representation.

    Attributes:
        irrep: the irreducible representation.
        multiplicity: m, the number of copies.
        basis: (dim V, m d) with d = irrep.dim: column a d + p is basis vector p of copy a. All copies act by the same matrices.
            A SciPy sparse array where the representation is a sum, else a NumPy array.
        dual_basis: (dim V, m d) with dual_basis^H basis = 1, zero on the other components. It is ``basis`` where V is orthogonal
            (unitary).
    """

    irrep: Irrep
    multiplicity: int
    basis: Any
    dual_basis: Any = field(repr=False)
    _exact: Callable[[], tuple[Matrix, tuple[Irrep, ...]]] = field(repr=False)

    @property
    def dim(self) -> int:
        """The dimension of the component, m d."""
        return self.multiplicity * self.irrep.dim

    @cached_property
    def _projector(self) -> tuple[Matrix, tuple[Irrep, ...]]:
        return self._exact()

    @property
    def projector(self) -> Matrix:
        """The exact projector onto the component, along all others, over the field of the representation.

        Irreducibles that the field cannot tell apart (Galois conjugates, such as the two 3-dimensional ones of the icosahedral
        group where only rational numbers are at hand) have one projector in common, onto the sum of their components; see
        :attr:`conjugates`. It refers to the coordinates of the exact matrices ``V.matrix(i)``.

        Computed when it is first asked for: the centre of the commutant, by exact elimination in c unknowns, c = dim End(V).
        """
        return self._projector[0]

    @property
    def conjugates(self) -> tuple[Irrep, ...]:
        """All irreducibles whose components the exact projector covers: this one, and those that share it."""
        return self._projector[1]

    def __repr__(self) -> str:
        return f"<Component: {self.multiplicity} x {self.irrep!r}>"


@dataclass(frozen=True, eq=False)
class Decomposition:
    """A representation as the direct sum of its isotypic components; iterable.

    Order: the trivial component first, then by dimension, by type (real, complex, quaternionic) and by first appearance.

    Attributes:
        rep: the representation V.
        components: the isotypic components.
        residual: a proven bound on the spectral norm of rho(g) U - U D(g) for all g, D(g) the block form with identical
            copies. For a group that is not compact it is relative to the norm of rho(g).
        is_complex: whether the scalars are complex.
        is_orthogonal: whether V is orthogonal (unitary), and so is U up to rounding. Otherwise U is orthonormal for an
            invariant inner product, and ``U_inverse`` and ``Component.dual_basis`` stand for the transpose.

    U refers to the coordinates of ``EquivariantBasis.to_numpy``: labelled irreps in their orthonormal convention.

    >>> import repcore as rc
    >>> V = rc.symmetric(4).rep
    >>> found = rc.decompose(V * V)
    >>> [(c.multiplicity, c.irrep.dim, c.irrep.type) for c in found]
    [(2, 1, 'real'), (1, 2, 'real'), (3, 3, 'real'), (1, 3, 'real')]
    >>> found.residual < 1e-12
    True
    """

    rep: Rep
    components: tuple[Component, ...]
    residual: float
    is_complex: bool
    is_orthogonal: bool

    def __iter__(self) -> Iterator[Component]:
        return iter(self.components)

    def __len__(self) -> int:
        return len(self.components)

    def __getitem__(self, i: int) -> Component:
        return self.components[i]

    @property
    def dim_commutant(self) -> int:
        """dim End(V), the sum of m^2 t."""
        return sum(c.multiplicity**2 * len(c.irrep.endomorphisms) for c in self.components)

    @cached_property
    def U(self) -> Array:
        """(n, n): the bases of the components side by side, dense."""
        return self._side_by_side("basis")

    @cached_property
    def U_inverse(self) -> Array:
        """(n, n): the inverse of U, which is U^H where V is orthogonal (unitary)."""
        return self._side_by_side("dual_basis").conj().T

    def _side_by_side(self, name: str) -> Array:
        n = self.rep.dim
        kind = np.complex128 if self.is_complex else np.float64
        parts = [getattr(c, name) for c in self.components]
        dense = [p.toarray() if hasattr(p, "toarray") else p for p in parts]
        out = np.concatenate([np.zeros((n, 0), kind), *dense], axis=1)
        out.flags.writeable = False
        return out

    def __str__(self) -> str:
        shown = [f"{c.multiplicity} x {c.irrep.dim}{'' if self.is_complex else ' ' + c.irrep.type}" for c in self.components]
        return f"{self.rep} = " + (" + ".join(shown) or "0")

    def __repr__(self) -> str:
        return f"<Decomposition {self}; residual {self.residual:.1e}>"
