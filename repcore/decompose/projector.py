"""Exact isotypic projectors over the field of a representation, and which irreducible copies each of them covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repcore.decompose.centre import Algebra, central_idempotents
from repcore.decompose.frame import Frame
from repcore.decompose.split import Split
from repcore.errors import SolveError
from repcore.exact.matrix import Matrix, identity
from repcore.reps.tree import Rep

__all__ = ["FieldProjector", "field_projectors"]


@dataclass(frozen=True, eq=False)
class FieldProjector:
    """An exact idempotent (n, n) of the commutant, and the numbers of the kinds whose copies span its image."""

    matrix: Matrix
    kinds: frozenset[int]


def field_projectors(rep: Rep, basis: Matrix, frame: Frame, split: Split) -> tuple[FieldProjector, ...]:
    """The isotypic projectors of one piece over its field.

    An element e of the commutant with e e = e exactly that is within 1/2 of the projector P onto some of the isotypic components
    is P: on each component it is an idempotent near 1, so invertible and 1, or near 0 and 0. So the exact idempotents need
    no other proof than this, and the float projectors say which components they cover.

    Raises:
        SolveError: an idempotent is not near a sum of float projectors.
    """
    n = rep.dim
    if len(split.kinds) == 1:
        return (FieldProjector(identity(n), frozenset({0})),)
    algebra = Algebra(basis, n)
    out: list[FieldProjector] = []
    for e in central_idempotents(algebra):
        dense = e.to_numpy()
        kinds: list[int] = []
        rest = dense.astype(np.result_type(dense.dtype, split.kinds[0].columns.dtype), copy=True)
        for k, kind in enumerate(split.kinds):
            whole = kind.columns.transpose(1, 0, 2).reshape(n, -1)
            right, left = frame.columns(whole) / frame.scale[:, None], frame.dual_columns(whole) * frame.scale[:, None]
            share = float(np.sum(left.conj() * (dense @ right)).real) / whole.shape[1]
            if share > 0.5:
                kinds.append(k)
                rest = rest - right @ left.conj().T
        idempotent = e @ e == e
        if not idempotent or float(np.linalg.norm(rest)) > 0.25 / frame.stretch:
            raise SolveError(f"projector: an idempotent of the commutant of {rep} was not recognised; please report the group")
        out.append(FieldProjector(e, frozenset(kinds)))
    return tuple(out)
