"""The Haar mean of a linear map, also where it is not the orthogonal projection."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.decompose.form import Solver
from repcore.decompose.frame import Frame
from repcore.decompose.residue import UNIT
from repcore.decompose.span import Span, make_span
from repcore.errors import IncompatibleError, RepresentationError
from repcore.exact.matrix import Matrix, zeros
from repcore.reps.atoms import atoms
from repcore.reps.hom import Hom
from repcore.reps.scales import scales
from repcore.reps.tree import Rep

__all__ = ["HaarProjector", "make_haar_projector"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class HaarBlock:
    """One pair of distinct summands: positions (n, dim W) and (m, dim V) of their copies, Hom(V, W) and Hom(W, V)."""

    rows: Ints
    cols: Ints
    maps: Span
    duals: Span


@dataclass(frozen=True, eq=False)
class HaarProjector:
    """P W = the mean of rho_Y(g) W rho_X(g)^-1 over a compact group; call it with an array (..., dim Y, dim X).

    It is the projector onto Hom(X, Y) that commutes with the group. For orthogonal (unitary) representations it is the orthogonal
    projector in the Frobenius product, ``rc.plan(X >> Y).project``; otherwise the two differ, and the Frobenius projector is the
    nearest point and not a mean.
    """

    space: Hom
    blocks: tuple[HaarBlock, ...]
    is_complex: bool

    def __call__(self, weight: npt.ArrayLike) -> Array:
        """The mean of a map, or of a batch of maps, in the coordinates of ``EquivariantBasis.to_numpy``."""
        w = np.asarray(weight)
        if w.shape[-2:] != self.space.shape:
            raise IncompatibleError(
                f"weight: has shape {w.shape}, expected (..., {self.space.shape[0]}, {self.space.shape[1]}) for maps {self.space}"
            )
        kind = np.result_type(w.dtype, np.complex64 if self.is_complex else np.float32)
        # Not -1, which a space of no entries leaves open.
        flat = w.reshape(prod(w.shape[:-2]), *self.space.shape)
        out = np.zeros(flat.shape, kind)
        for one, mean in zip(flat, out, strict=True):
            for b in self.blocks:
                for rows in b.rows:
                    for cols in b.cols:
                        at = np.ix_(rows, cols)
                        mean[at] = b.maps.combine(b.maps.project(b.duals, one[at])).array
        return out.reshape(w.shape)


def make_haar_projector(space: Hom, solve: Solver) -> HaarProjector:
    """The Haar mean on a space of maps, from exact bases of Hom(X, Y) and Hom(Y, X).

    For N in Hom(Y, X) the traces tr(N W) and tr(N P W) agree, and they determine P W.

    Raises:
        RepresentationError: the two spaces do not pair: the representations are not completely reducible, and there is no mean.
    """
    blocks: list[HaarBlock] = []
    for w in atoms(space.codomain):
        for v in atoms(space.domain):
            there, back = _rows(solve, v.rep, w.rep), _rows(solve, w.rep, v.rep)
            if there.shape[0] != back.shape[0]:
                raise RepresentationError(
                    f"space: the maps {v.rep} >> {w.rep} have dimension {there.shape[0]} and the maps back {back.shape[0]}, so "
                    "there is no mean that commutes with the group; rc.plan(space).project is the nearest equivariant map"
                )
            if there.shape[0]:
                frames = _frame(v.rep), _frame(w.rep)
                maps, duals = make_span(there, *frames), make_span(back, *frames[::-1])
                blocks.append(HaarBlock(w.positions, v.positions, maps, duals))
    is_complex = any(not m.field.is_real for x in (space.domain, space.codomain) for m in x.matrices)
    return HaarProjector(space, tuple(blocks), is_complex)


def _rows(solve: Solver, domain: Rep, codomain: Rep) -> Matrix:
    found = solve(domain >> codomain)
    return found.blocks[0].basis if found.blocks else zeros((0, domain.dim * codomain.dim))


def _frame(rep: Rep) -> Frame:
    """The coordinates of ``to_numpy``, without any inner product."""
    s = scales(rep)
    return Frame(s, 1 / s, s, False, True, True, 0.0, 2 * UNIT, 1.0, 1.0)
