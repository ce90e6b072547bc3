"""Representations induced from a subgroup of a finite group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repcore.errors import IncompatibleError, RepresentationError
from repcore.exact.matrix import Matrix, block_diag, identity, kron, permutation_matrix, zeros
from repcore.groups.group import Group
from repcore.reps.action import discrete_image, lie_image
from repcore.reps.atoms import Atom, _pieces, atoms  # pyright: ignore[reportPrivateUsage]
from repcore.reps.cosets import Quotient, cosets
from repcore.reps.tree import Rep, Trivial

__all__ = ["Induced", "induced"]


@dataclass(frozen=True, eq=False, repr=False)
class Induced(Rep):
    """The representation of ``group`` induced from ``rep``, a representation of a subgroup; made by :func:`induced`."""

    group: Group
    rep: Rep

    @property
    def dim(self) -> int:
        """The index of the subgroup times the dimension of ``rep``."""
        return cosets(self.group, self.rep.group).count * self.rep.dim

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("induced", self.rep.digest)

    def __str__(self) -> str:
        return f"induced({self.rep})"

    def __repr__(self) -> str:
        return f"induced({self.rep!r}, {self.group!r})"


def induced(rep: Rep, group: Group) -> Rep:
    """The representation Ind W of a finite group G that is induced from a representation W of a subgroup H.

    The space has a copy of W for each left coset, r_c (x) W, where r_c is the least element of coset c in the canonical order of
    the elements of G, cosets ordered by it. With g r_c = r_d h, h in H,

        g (r_c (x) w) = r_d (x) h w.

    The basis is r_c (x) e_i at c * dim W + i, so nothing depends on the generators of G or H. Inducing the trivial representation
    gives :func:`quotient`, and H = G gives W. Frobenius reciprocity: dim Hom_G(Ind W, V) = dim Hom_H(W, V.restrict(H)).

    Args:
        rep: W; its group H is given by generators in the defining representation of ``group``.
        group: the finite group G.

    Raises:
        RepresentationError: a generator of H is not an element of G.
        GroupTooLargeError: the elements of G cannot be listed.

    Cost: the order of G, once; then for each generator the index of H, and an image of W for each h that occurs.

    >>> from repcore import Rep, cyclic, dihedral, solve
    >>> D4, C4 = dihedral(4), cyclic(4)
    >>> W = Rep(C4, [[["I"]]])                       # the character i of the rotations
    >>> X = induced(W, D4)                           # the two-dimensional irrep of D4
    >>> X.matrix(0)
    matrix([['I', 0], [0, '-I']])
    >>> solve(X >> D4.rep, store=None).dim
    1
    >>> from repcore import quotient, trivial
    >>> induced(trivial(C4), D4) == quotient(D4, C4)
    True
    """
    if not isinstance(rep, Rep):  # pyright: ignore[reportUnnecessaryIsInstance]  # users swap the arguments
        raise IncompatibleError(
            f"rep: expected a representation of a subgroup, got {type(rep).__name__}; write induced(W, G), with W first"
        )
    if not isinstance(group, Group):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"group: expected the finite group to induce to, got {type(group).__name__}; write induced(W, G)")
    cosets(group, rep.group)
    if rep.group == group:
        return rep
    return Quotient(group, rep.group) if isinstance(rep, Trivial) else Induced(group, rep)


@discrete_image.register
def _(rep: Induced, g: Matrix) -> Matrix:
    classes = cosets(rep.group, rep.rep.group)
    table = classes.table
    e = table.find(g)
    if e is None:
        raise RepresentationError(f"g: this matrix is not an element of {rep.group}, so it does not act on {rep}")
    first, target = classes.first, classes.action(e)
    # h = s^-1 g r
    inner = table.products(table.inverses[first[target]], table.products(np.array(e), first))
    # The subgroup may be written over a smaller field than the group: matrix() is over the smallest.
    known = {h: discrete_image(rep.rep, table.matrix(h)) for h in np.unique(inner).tolist()}
    blocks = [known[h] for h in inner.tolist()]
    moved = kron(permutation_matrix(target), identity(rep.rep.dim))
    return (moved @ block_diag(blocks)).reduced()


@lie_image.register
def _(rep: Induced, a: Matrix) -> Matrix:
    # Only a zero Lie generator can belong to a finite group.
    return zeros((rep.dim, rep.dim))


@_pieces.register
def _(rep: Induced) -> list[Atom]:
    n = rep.rep.dim
    starts = n * np.arange(cosets(rep.group, rep.rep.group).count, dtype=np.int64)
    # A copy of a summand stands at its own places within each coset.
    return [
        Atom(induced(a.rep, rep.group), (a.positions[:, None, :] + starts[None, :, None]).reshape(len(a.positions), -1))
        for a in atoms(rep.rep)
    ]
