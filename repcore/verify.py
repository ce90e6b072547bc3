"""Re-checking a basis from the definition, by other code than the solver's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from repcore.basis import BasisBlock, EquivariantBasis
from repcore.errors import IncompatibleError
from repcore.exact.field import compositum
from repcore.exact.matrix import Matrix, from_coo, identity, kron
from repcore.reps.atoms import Atom, atoms
from repcore.reps.tree import Rep

__all__ = ["Verification", "verify"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Verification:
    """What :func:`verify` found; true in a boolean context if nothing is wrong.

    Attributes:
        sound: every element satisfies every constraint exactly.
        canonical: the elements are a reduced row echelon form, hence linearly independent.
        complete: the dimension was counted again and agrees; None if the space was too large to count again.
        notes: what was done, and what is wrong if something is.
    """

    sound: bool
    canonical: bool
    complete: bool | None
    notes: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.sound and self.canonical and self.complete is not False

    def __str__(self) -> str:
        return "\n".join(("verified" if self else "NOT verified", *self.notes))


def verify(basis: EquivariantBasis, *, count_limit: int = 1500) -> Verification:
    """Check a basis against the definition.

    Soundness: rho_Y(g) B = B rho_X(g) for every generator and element, in exact sparse arithmetic over the field. Canonical
    form: read off the columns. Completeness: for spaces acted on by permutations the orbits of index pairs are counted by
    walking; otherwise, up to ``count_limit`` unknowns a block, the rank of the whole dense constraint matrix is computed by FLINT
    modulo a prime that the solver did not use. Larger blocks rely on the certificate, and the notes say so.

    Cost: products of sparse matrices; counting costs ``count_limit**3``.

    >>> import repcore as rc
    >>> V = rc.symmetric(4).rep
    >>> bool(rc.verify(rc.solve(V >> V, store=None)))
    True

    Raises:
        IncompatibleError: ``basis`` is no solved basis.
    """
    if not isinstance(basis, EquivariantBasis):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"basis: expected a solved basis, got {type(basis).__name__}; write verify(solve(X >> Y))")
    notes: list[str] = []
    sound, canonical = True, True
    complete: bool | None = True
    found = {(b.rows.tobytes(), b.cols.tobytes()): b for b in basis.blocks}
    for w in atoms(basis.space.codomain):
        for v in atoms(basis.space.domain):
            name = f"{v.rep} >> {w.rep}"
            block = found.pop((w.positions.tobytes(), v.positions.tobytes()), None)
            elements = block.basis if block is not None else None
            if elements is not None and not _is_sound(elements, v.rep, w.rep):
                sound = False
                notes.append(f"{name}: an element is not equivariant")
            if elements is not None and not _is_echelon(elements):
                canonical = False
                notes.append(f"{name}: the elements are not in reduced row echelon form")
            dim = 0 if elements is None else elements.shape[0]
            counted, how = _count(v, w, count_limit, basis.certificate.primes)
            if counted is None:
                complete = None if complete else complete
                notes.append(f"{name}: dimension {dim} not counted again ({how}), certificate: {basis.certificate}")
            elif counted != dim:
                complete = False
                notes.append(f"{name}: {dim} elements, but the dimension is {counted} ({how})")
            else:
                notes.append(f"{name}: dimension {dim} counted again ({how})")
    if found:
        sound = False
        notes.append("the basis has blocks that are no pair of summands of its space")
    if not _is_ordered(basis):
        canonical = False
        notes.append("the elements are not in canonical order")
    return Verification(sound, canonical, complete, tuple(notes))


def _is_sound(basis: Matrix, v: Rep, w: Rep) -> bool:
    m, n, k = w.dim, v.dim, basis.shape[0]
    y, x = np.divmod(basis.cols, n)
    # Elements side by side, (m, k n), and one above the other, (k m, n).
    side = from_coo((m, k * n), basis.field, y, basis.rows * n + x, basis.nums, basis.den)
    stack = from_coo((k * m, n), basis.field, basis.rows * m + y, x, basis.nums, basis.den)
    for on_w, on_v in zip(w.matrices, v.matrices, strict=True):
        left, right = on_w @ side, stack @ on_v
        k_of, x_of = np.divmod(left.cols, n)
        moved = from_coo((k * m, n), left.field, k_of * m + left.rows, x_of, left.nums, left.den)
        if moved != right:
            return False
    return True


def _is_echelon(basis: Matrix) -> bool:
    if len(np.unique(basis.rows)) != basis.shape[0]:
        return False
    starts = np.searchsorted(basis.rows, np.arange(basis.shape[0]))
    pivots = basis.cols[starts]
    one = np.zeros(basis.field.degree, object)
    one[0] = basis.den
    leading = bool(np.all(basis.nums[starts] == one))
    # A pivot column holds its pivot and nothing else.
    alone = bool(np.all(np.bincount(basis.cols, minlength=basis.shape[1])[pivots] == 1))
    return leading and alone and bool(np.all(pivots[1:] > pivots[:-1]))


def _is_ordered(basis: EquivariantBasis) -> bool:
    first = np.full(basis.dim, -1, np.int64)
    places = np.concatenate([b.order.ravel() for b in basis.blocks]) if basis.blocks else np.zeros(0, np.int64)
    if not np.array_equal(np.sort(places), np.arange(basis.dim)):
        return False
    for b in basis.blocks:
        if len(np.unique(b.basis.rows)) != b.basis.shape[0]:
            return False
        first[b.order.ravel()] = _pivots(b, basis.shape[1]).ravel()
    return bool(np.all(first >= 0)) and bool(np.all(first[1:] > first[:-1]))


def _pivots(b: BasisBlock, width: int) -> Ints:
    starts = np.searchsorted(b.basis.rows, np.arange(b.basis.shape[0]))
    y, x = np.divmod(b.basis.cols[starts], b.cols.shape[1])
    return b.rows[:, y][:, None, :] * width + b.cols[:, x][None, :, :]


def _count(v: Atom, w: Atom, limit: int, used: tuple[int, ...]) -> tuple[int | None, str]:
    """The dimension of Hom(V, W) by other means, or None with the reason.

    Written from the definition and on its own: nothing here is shared with the solver, the writing out of residues included.
    """
    pairs = list(zip(w.rep.matrices, v.rep.matrices, strict=True))
    moving = [(a, b) for a, b in pairs if not (a.is_zero and b.is_zero)]
    size = v.rep.dim * w.rep.dim
    if not v.rep.group.lie and all(a.is_permutation and b.is_permutation for a, b in moving) and size <= 2_000_000:
        return _walk(moving, w.rep.dim, v.rep.dim), "orbits of index pairs, by walking"
    if size > limit:
        return None, f"{size} unknowns, more than count_limit = {limit}"
    if not moving:
        return size, "no constraints"
    field = compositum(*{m.field for pair in moving for m in pair})
    dens = [m.den for pair in moving for m in pair]
    p = next(q for q in field.primes(below=2**30) if q not in used and all(d % q for d in dens))
    root = field.roots(p)[0]
    rows: list[list[int]] = []
    for a, b in moving:
        # vec(rho_W M - M rho_V) = (rho_W (x) 1 - 1 (x) rho_V^T) vec(M), row-major.
        full = kron(a, identity(v.rep.dim)) - kron(identity(w.rep.dim), b.T)
        dense = np.zeros((size, size), np.int64)
        dense[full.rows, full.cols] = full.over(field).residues(p, root)
        rows += dense.tolist()
    table: Any = flint.nmod_mat(len(rows), size, [x for row in rows for x in row], p)
    return size - int(table.rank()), f"rank of all constraints modulo {p}"


def _walk(pairs: list[tuple[Matrix, Matrix]], m: int, n: int) -> int:
    """Count orbits of pairs (y, x) under permutations, by flood fill."""
    moves = [(a.T.cols, b.T.cols) for a, b in pairs]
    targets = [(s[:, None] * n + t[None, :]).ravel().tolist() for s, t in moves]
    seen = bytearray(m * n)
    count = 0
    for start in range(m * n):
        if seen[start]:
            continue
        count += 1
        seen[start] = 1
        stack = [start]
        while stack:
            u = stack.pop()
            for target in targets:
                z = target[u]
                if not seen[z]:
                    seen[z] = 1
                    stack.append(z)
    return count
