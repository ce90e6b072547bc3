"""`fields`: a representation as copies of summands; their invariant vectors are solved on the way, through the cache."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from repcore.defect import is_orthogonal
from repcore.errors import IncompatibleError
from repcore.reps.atoms import Atom, atoms
from repcore.reps.features import FeatureField, is_real, orbits_of, pointwise_of
from repcore.reps.tree import Rep
from repcore.store.cached import invariants

__all__ = ["fields"]


def fields(rep: Rep) -> tuple[FeatureField, ...]:
    """A representation as feature fields: its distinct summands in order of first appearance, each with all of its copies.

    Sums are opened wherever they stand in the expression, also inside tensor products, so that
    ``(V + one) * V`` has a field V * V and a field V. Every position belongs to exactly one copy.

    Raises:
        IncompatibleError: ``rep`` is no representation.

    Cost: the invariant vectors of each distinct summand, solved or looked up; none where generators act by permutations. The last
    256 answers are kept.

    >>> import repcore as rc
    >>> D4 = rc.dihedral(4)
    >>> for field in fields(2 * rc.regular(D4) + D4.rep + rc.trivial(D4)):
    ...     print(field.copies, field.dim, field.pointwise, field.invariants.shape[1], field.positions[0].tolist())
    2 8 any 1 [0, 1, 2, 3, 4, 5, 6, 7]
    1 2 odd 0 [16, 17]
    1 1 any 1 [18]
    """
    if not isinstance(rep, Rep):
        raise IncompatibleError(f"rep: expected a representation, got {type(rep).__name__}; write fields(X)")
    return _fields(rep)


@lru_cache(maxsize=256)
def _fields(rep: Rep) -> tuple[FeatureField, ...]:
    return tuple(_field(atom) for atom in atoms(rep))


def _field(atom: Atom) -> FeatureField:
    rep, answer = atom.rep, pointwise_of(atom.rep)
    orbits = orbits_of(rep) if answer == "any" else None
    if orbits is not None:
        sizes = np.bincount(orbits)
        basis = np.zeros((rep.dim, len(sizes)))
        basis[np.arange(rep.dim), orbits] = 1 / np.sqrt(sizes[orbits])
        orbits.flags.writeable = False
    else:
        basis = np.ascontiguousarray(invariants(rep).to_numpy(np.float64, orthonormal=True)[:, :, 0].T)
    basis.flags.writeable = False
    orthogonal = answer != "none" or is_orthogonal(rep)
    return FeatureField(rep, atom.positions, answer, orthogonal, is_real(rep), basis, orbits)
