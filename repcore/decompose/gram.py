"""The invariant inner product of a representation of a compact group, and coordinates in which it is the standard one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.decompose.form import Solver, invariant_form, solved, trace_of_product
from repcore.decompose.frame import Frame, make_frame
from repcore.decompose.obstruction import explain_failure
from repcore.errors import RepresentationError, SolveError
from repcore.exact.field import QQ, compositum
from repcore.exact.matrix import Matrix, from_coo, identity, inverse, zeros
from repcore.reps.atoms import atoms
from repcore.reps.scales import to_orthonormal
from repcore.reps.tree import Rep

__all__ = ["Orthonormal", "haar_gram", "make_orthonormal"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Orthonormal:
    """A representation of a compact group in coordinates x' = L x in which its images are orthogonal (unitary); floats.

    The square roots that L wants are in general not in the field of the representation, so this is where exact numbers end, as
    with ``rc.to_orthonormal`` for labelled irreps. x are the coordinates of ``EquivariantBasis.to_numpy``.

    Attributes:
        rep: the representation.
        gram: G, (n, n), exact, with L^H L = G up to the labelled irreps' scales and to rounding.
        change: L, (n, n) float64 or complex128, upper triangular on each summand.
        back: its inverse.
        defect: how far the images are from orthogonal: a bound on the spectral norm of L rho(g) L^-1 - Q, for some orthogonal Q.
        condition: the condition number of L in the spectral norm.
    """

    rep: Rep
    gram: Matrix
    change: Array
    back: Array
    defect: float
    condition: float

    def matrix(self, generator: int) -> Array:
        """The image of generator number ``generator``, L rho L^-1, (n, n)."""
        shown = to_orthonormal(self.rep.matrix(generator).to_numpy(), self.rep, self.rep)
        return self.change @ shown @ self.back

    def __repr__(self) -> str:
        return f"<Orthonormal: {self.rep}, dimension {self.rep.dim}, condition {self.condition:.1e}, defect {self.defect:.1e}>"


def haar_gram(rep: Rep, solve: Solver) -> Matrix:
    """G = the mean of rho(g)^H rho(g) over a compact group, exactly, summand by summand.

    With an invariant form G_0 at hand every other is G_0 X, X in the commutant, and tr(C_j X) = tr(C_j G_0^-1) determines X.

    Raises:
        RepresentationError: the representation has no invariant inner product.
    """
    parts = [(a.positions, _of_summand(a.rep, solve)) for a in atoms(rep)]
    field = compositum(QQ, *{g.field for _, g in parts})
    out = zeros((rep.dim, rep.dim))
    for positions, g in parts:
        g = g.over(field)
        rows, cols = positions[:, g.rows].ravel(), positions[:, g.cols].ravel()
        out = out + from_coo(out.shape, field, rows, cols, np.tile(g.nums, (len(positions), 1)), g.den)
    return out.reduced()


def _of_summand(rep: Rep, solve: Solver) -> Matrix:
    form = invariant_form(rep, solve)
    if form is None:
        raise explain_failure(rep, solve)
    if not form.is_compact:
        raise RepresentationError(
            f"rep: {rep} has no invariant inner product, the group is not compact on it; decompose(V) needs none where "
            "the set of images is closed under transposing"
        )
    if form.gram.is_identity:
        return identity(rep.dim)
    elements, back = list(solve(rep >> rep)), inverse(form.gram)
    pairs = [[trace_of_product(a, b) for b in elements] for a in elements]
    weights = solved(pairs, [trace_of_product(c, back) for c in elements])
    if weights is None:
        raise SolveError(
            f"rep: the trace form on the commutant of {rep} is degenerate; this is a bug in repcore, please report it"
        )
    mean = zeros(form.gram.shape)
    for c, w in zip(elements, weights, strict=True):
        mean = mean + c * w if w else mean
    return (form.gram @ mean).reduced()


def make_orthonormal(rep: Rep, gram: Matrix) -> Orthonormal:
    """Coordinates from the Cholesky factor of an invariant Gram matrix, summand by summand.

    Raises:
        RepresentationError: the form is too ill-conditioned for float64.
    """
    frames: list[tuple[npt.NDArray[np.int64], Frame]] = []
    for a in atoms(rep):
        first = a.positions[0]
        inner = np.full(rep.dim, -1, np.int64)
        inner[first] = np.arange(len(first))
        live = inner[gram.rows] >= 0
        size = (len(first), len(first))
        block = from_coo(size, gram.field, inner[gram.rows[live]], inner[gram.cols[live]], gram.nums[live], gram.den)
        frames.append((a.positions, make_frame(a.rep, block, is_compact=True)))
    kind = np.result_type(np.float64, *(f.to for _, f in frames))
    change, back = np.zeros((rep.dim, rep.dim), kind), np.zeros((rep.dim, rep.dim), kind)
    for positions, f in frames:
        to, fro = (np.diag(x) if f.is_diagonal else x for x in (f.to, f.back))
        for where in positions:
            change[np.ix_(where, where)] = to / f.scale[None, :]
            back[np.ix_(where, where)] = f.scale[:, None] * fro
    change.flags.writeable = back.flags.writeable = False
    stretch = max((f.stretch for _, f in frames), default=1.0)
    defect = max((2 * f.defect + 2 * f.slip for _, f in frames), default=0.0)
    return Orthonormal(rep, gram, change, back, defect, stretch)
