"""Several representations decomposed in one frame of reference: equal irreducibles are one object with one set of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.basis import EquivariantBasis, compute
from repcore.decompose.decomposition import Component, Decomposition, Irrep
from repcore.decompose.draws import draw
from repcore.decompose.form import Solver, invariant_form
from repcore.decompose.frame import Frame, make_frame
from repcore.decompose.obstruction import explain_failure, is_completely_reducible
from repcore.decompose.pieces import Piece, pieces
from repcore.decompose.projector import FieldProjector, field_projectors
from repcore.decompose.residue import UNIT, norm, residue
from repcore.decompose.skew import skew_frame
from repcore.decompose.span import Span, make_span
from repcore.decompose.split import Kind, Split, polar, split
from repcore.errors import IncompatibleError, SolveError
from repcore.exact.field import QQ, compositum
from repcore.exact.matrix import Matrix, from_coo, zeros
from repcore.reps.tree import Rep

__all__ = ["decompose_reps"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

_TYPES = {1: "real", 2: "complex", 4: "quaternionic"}


@dataclass(eq=False)
class _Part:
    """A distinct piece with its split; ``types[k]`` is the irreducible of kind k, ``apart[k]`` bounds how its matrices differ."""

    rep: Rep
    frame: Frame
    basis: Matrix
    split: Split
    types: list[int]
    apart: list[float]
    projectors: tuple[FieldProjector, ...] | None = None

    def field_projectors(self) -> tuple[FieldProjector, ...]:
        if self.projectors is None:
            self.projectors = field_projectors(self.rep, self.basis, self.frame, self.split)
        return self.projectors


def decompose_reps(reps: Sequence[Rep], solve: Solver = compute) -> tuple[Decomposition, ...]:
    """The decompositions of several representations of one group, with shared irreducibles; see :func:`repcore.decompose`."""
    _check(reps)
    is_complex = any(not compositum(QQ, *{m.field for m in v.matrices}).is_real for v in reps)
    distinct, places = pieces(reps)
    parts = [_part(v, solve, is_complex) for v in distinct]
    references: list[tuple[int, int]] = []
    for b, part in enumerate(parts):
        _identify(parts, b, references, solve)
        for k, known in enumerate(part.types):
            if known < 0:
                part.types[k] = len(references)
                references.append((b, k))
    irreps = [_irrep(parts[b], parts[b].split.kinds[k], is_complex) for b, k in references]
    order = sorted(range(len(irreps)), key=lambda i: (not irreps[i].is_trivial, irreps[i].dim, len(irreps[i].endomorphisms), i))
    return tuple(_assembled(v, at, parts, irreps, order, is_complex) for v, at in zip(reps, places, strict=True))


def _check(reps: Sequence[Rep]) -> None:
    for i, v in enumerate(reps):
        if not isinstance(v, Rep):
            raise IncompatibleError(f"reps[{i}]: expected a representation, got {type(v).__name__}")
        if v.group != reps[0].group:
            raise IncompatibleError(
                f"reps[{i}]: a representation of {v.group}, and reps[0] is one of {reps[0].group}; only representations of one "
                "group have irreducibles in common"
            )


def _part(rep: Rep, solve: Solver, is_complex: bool) -> _Part:
    form = invariant_form(rep, solve)
    if form is None and not is_completely_reducible(rep):
        raise explain_failure(rep, solve)
    basis = _rows(solve(rep >> rep))
    if form is None:
        frame = skew_frame(rep, basis, is_complex=is_complex)
    else:
        frame = make_frame(rep, form.gram, is_compact=form.is_compact)
    found = split(make_span(basis, frame, frame), str(rep), is_complex=is_complex)
    count = len(found.kinds)
    return _Part(rep, frame, basis, found, [-1] * count, [0.0] * count)


def _rows(basis: EquivariantBasis) -> Matrix:
    """The exact elements as the rows of one matrix, for two representations of one summand each."""
    m, n = basis.shape
    if not basis.blocks:
        return zeros((0, m * n))
    return basis.blocks[0].basis


# -- which kinds are the same --------------------------------------------------------------------------------------


def _identify(parts: list[_Part], b: int, references: list[tuple[int, int]], solve: Solver) -> None:
    """Find the kinds of part b among those known before, and turn them into the same matrices.

    For each earlier part that could share one, Hom(a, b) is solved; its exact dimension is the sum of m_a m_b t over the common
    kinds, and this equality, with a proven invertible map for each of them, is the proof that no other is shared.
    """
    part = parts[b]

    def open_shapes() -> set[tuple[int, int]]:
        return {(k.dim, len(k.units)) for k, known in zip(part.split.kinds, part.types, strict=True) if known < 0}

    for a, other in enumerate(parts[:b]):
        mine = [(i, k) for i, (at, k) in enumerate(references) if at == a and i not in part.types]
        shapes = {(other.split.kinds[k].dim, len(other.split.kinds[k].units)) for _, k in mine}
        if not shapes & open_shapes():
            continue
        span = make_span(_rows(solve(other.rep >> part.rep)), other.frame, part.frame)
        if not span.count:
            continue
        back = make_span(_rows(solve(part.rep >> other.rep)), part.frame, other.frame)
        _align(parts[a], part, span, back, mine)


def _align(a: _Part, b: _Part, span: Span, back: Span, candidates: list[tuple[int, int]]) -> None:
    is_complex = any(np.iscomplexobj(k.columns) for k in (*a.split.kinds, *b.split.kinds))
    elements = [span.combine(draw(span.count, f"between-{i}", is_complex=is_complex) / span.lengths).array for i in range(3)]
    # Blocks that vanish do so up to rounding.
    limit = 1e-5 * max(float(np.linalg.norm(c)) / np.sqrt(max(c.shape)) for c in elements)
    kinds = list(b.split.kinds)
    pairs: list[tuple[int, int]] = []
    for number, k in candidates:
        kind = a.split.kinds[k]
        head = kind.columns[0]
        moved = [c @ head for c in elements]
        blocks = {
            (j, copy): np.array([np.linalg.norm(kinds[j].columns[copy].conj().T @ v) for v in moved])
            for j, known in enumerate(b.types)
            if known < 0 and (kinds[j].dim, len(kinds[j].units)) == (kind.dim, len(kind.units))
            for copy in range(kinds[j].multiplicity)
        }
        if not blocks:
            continue
        at = max(blocks, key=lambda key: float(blocks[key].max()))
        if blocks[at].max() <= limit:
            continue
        j, copy = at
        turn = polar(kinds[j].columns[copy].conj().T @ moved[int(np.argmax(blocks[at]))])
        kinds[j] = Kind(kinds[j].columns @ turn, kind.units)
        b.types[j] = number
        pairs.append((k, j))
    b.split = Split(tuple(kinds), b.split.residual, b.split.skew)
    shared = [(k, j) for k, ka in enumerate(a.types) for j, kb in enumerate(b.types) if ka == kb >= 0]
    counted = sum(a.split.kinds[k].multiplicity * kinds[j].multiplicity * len(kinds[j].units) for k, j in shared)
    if counted != span.count:
        raise SolveError(
            f"rep: the maps between {a.rep} and {b.rep} have dimension {span.count}, and the irreducibles that float64 finds in "
            f"both account for {counted}; the bases of these representations are too ill-conditioned, choose others"
        )
    if pairs:
        _straighten(a, b, span, back, pairs)


def _straighten(a: _Part, b: _Part, span: Span, back: Span, pairs: list[tuple[int, int]]) -> None:
    """Align with an exact map near to the sum of the isometries between first copies, and bound what is left."""
    kinds = list(b.split.kinds)
    domain = _whole(a.split)

    def targets() -> tuple[Array, Array]:
        whole = np.zeros((b.rep.dim, domain.shape[1]), domain.dtype)
        total = np.zeros((b.rep.dim, a.rep.dim), domain.dtype)
        for k, j in pairs:
            start = _start(a.split, k)
            head, image = a.split.kinds[k].columns[0], kinds[j].columns[0]
            whole[:, start : start + head.shape[1]] = image
            total += image @ head.conj().T
        return whole, total

    element = span.combine(span.project(back, targets()[1]))
    for k, j in pairs:
        head, image = a.split.kinds[k].columns[0], kinds[j].columns[0]
        kinds[j] = Kind(kinds[j].columns @ polar(image.conj().T @ (element.array @ head)), kinds[j].units)
    found, error = residue(element.array, domain, [(targets()[0], np.ones(domain.shape[1]))])
    distance = norm(found) + error + 2 * element.rounding
    if distance > 2.0**-10:
        raise SolveError(
            f"rep: the common irreducibles of {a.rep} and {b.rep} could not be aligned in float64, the residual is "
            f"{distance:.1e}; choose better conditioned bases"
        )
    for k, j in pairs:
        # As for the star within a part: |R_b - R_a| on first copies, then on all of them; and what part a is off itself.
        b.apart[j] = a.apart[k] + 3 * distance * float(np.sqrt(kinds[j].multiplicity))
    b.split = Split(tuple(kinds), b.split.residual, b.split.skew)


def _whole(found: Split) -> Array:
    n = found.kinds[0].columns.shape[1]
    return np.concatenate([k.columns.transpose(1, 0, 2).reshape(n, -1) for k in found.kinds], axis=1)


def _start(found: Split, k: int) -> int:
    return sum(kind.multiplicity * kind.dim for kind in found.kinds[:k])


# -- assembling ----------------------------------------------------------------------------------------------------


def _irrep(part: _Part, kind: Kind, is_complex: bool) -> Irrep:
    units = kind.units.copy()
    units.flags.writeable = False
    name = "complex" if is_complex else _TYPES[len(units)]
    return Irrep(kind.dim, name, units, kind.dim == 1 and _acts_trivially(part, kind.columns[0][:, 0]))


def _acts_trivially(part: _Part, vector: Array) -> bool:
    """Whether a vector that spans a one-dimensional invariant space is fixed.

    Eigenvalues are compared with 1 up to the accuracy of the vector; it decides nothing but the order of the components.
    """
    x = part.frame.columns(vector[:, None])[:, 0] / part.frame.scale
    y = part.frame.dual_columns(vector[:, None])[:, 0] * part.frame.scale
    finite = len(part.rep.group.discrete)
    for i, m in enumerate(part.rep.matrices):
        value = np.sum(y.conj()[m.rows] * m.values() * x[m.cols])
        if abs(value - (i < finite)) > 2.0**-20:
            return False
    return True


def _assembled(
    rep: Rep, places: tuple[Piece, ...], parts: list[_Part], irreps: list[Irrep], order: list[int], is_complex: bool
) -> Decomposition:
    residual = 0.0
    for piece in places:
        part = parts[piece.number]
        inner = part.split.residual + max(part.apart, default=0.0)
        frame = part.frame
        if not frame.is_orthogonal:
            # What rounding leaves of the change of coordinates and back.
            inner = frame.growth * frame.stretch * (inner + 8 * frame.slip + 16 * part.rep.dim * UNIT)
        residual = max(residual, inner)
    components: list[Component] = []
    for number in order:
        blocks = [(p, parts[p.number], k) for p in places for k, t in enumerate(parts[p.number].types) if t == number]
        if not blocks:
            continue
        multiplicity = sum(len(p.positions) * part.split.kinds[k].multiplicity for p, part, k in blocks)
        basis = _columns(rep, blocks, dual=False)
        orthogonal = all(part.frame.is_orthogonal for _, part, _ in blocks)
        dual = basis if orthogonal else _columns(rep, blocks, dual=True)
        exact = partial(_exact_projector, rep, places, parts, irreps, number)
        components.append(Component(irreps[number], multiplicity, basis, dual, exact))
    straight = all(parts[p.number].frame.is_orthogonal for p in places)
    return Decomposition(rep, tuple(components), residual, is_complex, straight)


def _columns(rep: Rep, blocks: list[tuple[Piece, _Part, int]], *, dual: bool) -> Any:
    """The basis of a component, (dim V, m d), copies before components; sparse where it is a sum."""
    tiles: list[tuple[Ints, Array]] = []
    for piece, part, k in blocks:
        change = part.frame.dual_columns if dual else part.frame.columns
        copies = [change(b) for b in part.split.kinds[k].columns]
        tiles += [(where, b) for where in piece.positions for b in copies]
    d = tiles[0][1].shape[1]
    width = len(tiles) * d
    if len(tiles[0][0]) == rep.dim:
        dense = np.zeros((rep.dim, width), tiles[0][1].dtype)
        for i, (where, b) in enumerate(tiles):
            dense[where, i * d : (i + 1) * d] = b
        dense.flags.writeable = False
        return dense
    from scipy.sparse import coo_array

    rows = np.concatenate([np.repeat(where, d) for where, _ in tiles])
    places: list[Ints] = [np.tile(np.arange(i * d, i * d + d, dtype=np.int64), len(at)) for i, (at, _) in enumerate(tiles)]
    cols = np.concatenate(places)
    values = np.concatenate([b.ravel() for _, b in tiles])
    return coo_array((values, (rows, cols)), shape=(rep.dim, width)).tocsc()


def _exact_projector(
    rep: Rep, places: tuple[Piece, ...], parts: list[_Part], irreps: list[Irrep], number: int
) -> tuple[Matrix, tuple[Irrep, ...]]:
    """The sum of the exact idempotents, piece by piece, that belong to an irreducible and to its conjugates over the field."""
    groups = [(p, e, {parts[p.number].types[k] for k in e.kinds}) for p in places for e in parts[p.number].field_projectors()]
    wanted = {number}
    while True:
        larger = wanted.union(*(types for _, _, types in groups if types & wanted))
        if larger == wanted:
            break
        wanted = larger
    taken = [(p, e.matrix) for p, e, types in groups if types & wanted]
    field = compositum(QQ, *{m.field for _, m in taken})
    out = zeros((rep.dim, rep.dim))
    for p, m in taken:
        m = m.over(field)
        rows = p.positions[:, m.rows].ravel()
        cols = p.positions[:, m.cols].ravel()
        out = out + from_coo(out.shape, field, rows, cols, np.tile(m.nums, (len(p.positions), 1)), m.den)
    return out.reduced(), tuple(irreps[i] for i in sorted(wanted))
