"""Plans of the strict maps from images: equivariant maps of the coefficients of functions, after the analysis of the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.basis import EquivariantBasis
from repcore.plan.kernels import sampled_on
from repcore.plan.plan import Block, Plan
from repcore.plan.structures import Factor, frozen
from repcore.reps.atoms import atoms
from repcore.reps.function_maps import FunctionMaps
from repcore.reps.hom import Hom
from repcore.reps.tree import trivial

__all__ = ["make_function_plan"]

Array = npt.NDArray[Any]


def make_function_plan(maps: FunctionMaps, solve: Callable[[Hom], EquivariantBasis]) -> Plan:
    """The plan of the maps W = M S^+ with M equivariant, a factor block for each pair of distinct summands of values and of Y.

    Theta runs over the pairs, summands of Y first, then over copies in Y, copies in the values, and an orthonormal basis for one
    pair of copies: that of the canonical basis of coefficients, in its order, made orthonormal on the cells by Gram and Schmidt.
    Tokens come after the values.

    Args:
        maps: from images to Y.
        solve: gives the basis of a space.
    """
    f = maps.functions
    blocks: list[Block] = []
    start = 0
    for w in atoms(maps.codomain):
        for v in atoms(f.values):
            basis = solve(v.rep * f.scalars >> w.rep)
            if not basis.dim:
                continue
            maps_of = basis.to_numpy(np.float64 if basis.field.is_real else np.complex128, orthonormal=True)
            columns = (maps_of.reshape(basis.dim, -1, f.dim) @ f.analysis).reshape(basis.dim, -1).T
            found = np.linalg.qr(columns)
            q: Array = found[0] * np.where(np.real(np.diag(found[1])) < 0, -1.0, 1.0)
            n, m, k = len(w.positions), len(v.positions), basis.dim
            order = np.arange(start, start + n * m * k, dtype=np.int64).reshape(n, m, k)
            start += n * m * k
            cols = f.tokens + (v.positions[:, :, None] * f.cells + np.arange(f.cells)).reshape(m, -1)
            blocks.append(Block(w.positions, frozen(cols), frozen(order), Factor(frozen(np.ascontiguousarray(q)))))
        invariants = solve(trivial(maps.group) >> w.rep) if f.tokens else None
        if invariants is not None and invariants.dim:
            kind = np.float64 if invariants.field.is_real else np.complex128
            q = invariants.to_numpy(kind, orthonormal=True).reshape(invariants.dim, -1).T
            n, k = len(w.positions), invariants.dim
            order = np.arange(start, start + n * f.tokens * k, dtype=np.int64).reshape(n, f.tokens, k)
            start += n * f.tokens * k
            cols = np.arange(f.tokens, dtype=np.int64).reshape(-1, 1)
            blocks.append(Block(w.positions, frozen(cols), frozen(order), Factor(frozen(np.ascontiguousarray(q)))))
    is_complex = any(not m.field.is_real for x in (f.values, maps.codomain) for a in atoms(x) for m in a.rep.matrices)
    return Plan(
        maps.shape, start, tuple(blocks), maps.digest, is_complex, approximate=sampled_on(f.sizes) if f.sampling_error else ""
    )
