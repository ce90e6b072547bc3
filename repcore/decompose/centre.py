"""The centre of a commutant and its primitive idempotents, exactly (kernel C: by the minimal polynomial of one element).

An element of the commutant is its row of coordinates (1, c) in the echelon basis, and these can be read off at the pivots: a
product of two elements is never formed beyond the rows in which pivots stand. The centre of End_F(V) is a product of fields,
finite over Q; its primitive idempotents are the projectors onto the isotypic components over F.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from repcore.decompose.draws import draw
from repcore.errors import SolveError
from repcore.exact.field import Field
from repcore.exact.matrix import Matrix, from_coo, zeros

__all__ = ["Algebra", "central_idempotents"]

Ints = npt.NDArray[np.int64]

# Random central elements that are tried until one generates the centre.
_TRIES = 12


@dataclass(frozen=True, eq=False)
class Algebra:
    """End(V) by the reduced row echelon form (c, n * n) of its elements."""

    basis: Matrix
    n: int

    @property
    def count(self) -> int:
        """c, the dimension over the field."""
        return self.basis.shape[0]

    @property
    def field(self) -> Field:
        """The field of the entries."""
        return self.basis.field

    @cached_property
    def pivots(self) -> tuple[Ints, Ints]:
        """Row and column, in V, of the pivot of each element."""
        first = np.searchsorted(self.basis.rows, np.arange(self.count))
        return np.divmod(self.basis.cols[first], self.n)

    def element(self, coordinates: Matrix) -> Matrix:
        """The matrix (n, n) with given coordinates (1, c)."""
        flat = coordinates @ self.basis
        return from_coo((self.n, self.n), flat.field, flat.cols // self.n, flat.cols % self.n, flat.nums, flat.den)

    def product(self, left: Matrix, right: Matrix) -> Matrix:
        """The coordinates (1, c) of the product of two elements given as matrices."""
        ys, xs = self.pivots
        kept = np.unique(ys)
        inside = np.full(self.n, -1, np.int64)
        inside[kept] = np.arange(len(kept))
        live = inside[left.rows] >= 0
        top = from_coo((len(kept), self.n), left.field, inside[left.rows[live]], left.cols[live], left.nums[live], left.den)
        found = top @ right
        keys = inside[ys] * self.n + xs
        order = np.argsort(keys)
        flat = found.rows * self.n + found.cols
        at = np.searchsorted(keys[order], flat)
        hit = (at < len(keys)) & (keys[order][np.minimum(at, len(keys) - 1)] == flat)
        return from_coo((1, self.count), found.field, np.zeros(int(hit.sum())), order[at[hit]], found.nums[hit], found.den)

    @cached_property
    def one(self) -> Matrix:
        """The coordinates of the identity."""
        ys, xs = self.pivots
        at = np.flatnonzero(ys == xs)
        return from_coo((1, self.count), self.field, np.zeros(len(at)), at, _units(len(at), self.field), 1)

    def commutators(self, r: Matrix) -> Matrix:
        """(c, c): entry (i, k) is coordinate k of C_i R - R C_i, for an element R given as a matrix."""
        ys, xs = self.pivots
        u, v = np.divmod(self.basis.cols, self.n)
        out = zeros((self.count, self.count))
        for side, other, lines, ends in ((u, v, ys, xs), (v, u, xs, ys)):
            turned = r if side is u else r.T
            order = np.argsort(side, kind="stable")
            for line in np.unique(lines).tolist():
                low, high = np.searchsorted(side[order], [line, line + 1])
                at = order[low:high]
                part = from_coo(
                    (self.count, self.n), self.field, self.basis.rows[at], other[at], self.basis.nums[at], self.basis.den
                )
                k = np.flatnonzero(lines == line)
                moved = part @ _columns(turned, ends[k])
                spread = from_coo(out.shape, moved.field, moved.rows, k[moved.cols], moved.nums, moved.den)
                out = out + spread if side is u else out - spread
        return out


def central_idempotents(algebra: Algebra) -> list[Matrix]:
    """The primitive idempotents of the centre as matrices (n, n), in the order of the factors of a polynomial.

    Cost: an exact nullspace in c [F : Q] unknowns, a characteristic polynomial of the size of the centre.

    Raises:
        SolveError: no element was found that generates the centre.
    """
    c, d = algebra.count, algebra.field.degree
    system = _stacked([algebra.commutators(algebra.element(_random(algebra, f"commute-{i}"))).T for i in range(2)])
    flat, nullity = flint.fmpz_mat(*system).nullspace()
    kernel = flint.fmpq_mat(nullity, c * d, [flat[i, j] for j in range(nullity) for i in range(c * d)])
    centre, _ = kernel.rref()
    lead = [next(j for j in range(c * d) if centre[i, j] != 0) for i in range(nullity)]
    basis = [_row(algebra, [centre[i, j] for j in range(c * d)]) for i in range(nullity)]
    matrices = [algebra.element(z) for z in basis]
    one = _rational(algebra.one, algebra.field)
    start = flint.fmpq_mat(1, nullity, [one[j] for j in lead])
    for attempt in range(_TRIES):
        weights = np.round(8 * draw(nullity, f"centre-{attempt}")).astype(np.int64).tolist()
        z = zeros((algebra.n, algebra.n))
        for w, m in zip(weights, matrices, strict=True):
            z = z + m * w if w else z
        rows: list[Any] = []
        for m in matrices:
            image = _rational(algebra.product(m, z), algebra.field)
            rows += [image[j] for j in lead]
        acting = flint.fmpq_mat(nullity, nullity, rows)
        polynomial = acting.charpoly()
        factors = polynomial.factor()[1]
        if any(power > 1 for _, power in factors):
            continue
        out: list[Matrix] = []
        for f, _ in factors:
            rest = polynomial // f
            one_mod_f = rest * _inverse_modulo(rest, f)
            out.append(_evaluated(one_mod_f % polynomial, acting, start, matrices))
        return out
    raise SolveError("projector: no element of the centre was found that generates it; please report the group")


def _evaluated(polynomial: Any, acting: Any, start: Any, matrices: list[Matrix]) -> Matrix:
    """p(z) 1 as a matrix, by Horner's rule on coordinates in the centre."""
    n = len(matrices)
    row = flint.fmpq_mat(1, n)
    for coefficient in reversed(polynomial.coeffs()):
        row = row * acting + start * coefficient
    out = zeros(matrices[0].shape)
    for j, m in enumerate(matrices):
        if row[0, j] != 0:
            out = out + m * _fraction(row[0, j])
    return out.reduced()


def _inverse_modulo(a: Any, f: Any) -> Any:
    g, s, _ = a.xgcd(f)
    return s / g[0]


def _random(algebra: Algebra, label: str) -> Matrix:
    values = np.round(8 * draw(algebra.count, label)).astype(np.int64)
    nums = np.zeros((algebra.count, algebra.field.degree), np.int64)
    nums[:, 0] = values
    return from_coo((1, algebra.count), algebra.field, np.zeros(algebra.count), np.arange(algebra.count), nums, 1)


def _stacked(systems: list[Matrix]) -> tuple[int, int, list[int]]:
    """Linear systems over the field as one of integers: each entry becomes the block by which it multiplies coordinates."""
    height, width = systems[0].shape
    field = next((m.field for m in systems if m.field.degree > 1), systems[0].field)
    d = field.degree
    out = np.zeros((len(systems) * height * d, width * d), object)
    table = field.table.astype(object)
    for k, m in enumerate(systems):
        m = m.over(field)
        for r, c, coords in zip(m.rows.tolist(), m.cols.tolist(), m.nums.tolist(), strict=True):
            top = (k * height + r) * d
            out[top : top + d, c * d : c * d + d] = sum(int(x) * table[i].T for i, x in enumerate(coords))
    return out.shape[0], out.shape[1], [int(x) for x in out.ravel().tolist()]


def _columns(m: Matrix, wanted: Ints) -> Matrix:
    """The columns ``wanted`` of a matrix, which may repeat."""
    k = np.arange(len(wanted))
    pick = from_coo((m.shape[1], len(wanted)), m.field, wanted, k, _units(len(k), m.field), 1)
    return m @ pick


def _units(count: int, field: Field) -> Ints:
    out = np.zeros((count, field.degree), np.int64)
    out[:, 0] = 1
    return out


def _row(algebra: Algebra, values: list[Any]) -> Matrix:
    """Coordinates over Q, (c d,), as a row (1, c) over the field."""
    c, d = algebra.count, algebra.field.degree
    den = int(np.lcm.reduce(np.array([int(v.q) for v in values], object)))
    nums = np.array([int(v.p) * (den // int(v.q)) for v in values], object).reshape(c, d)
    return from_coo((1, c), algebra.field, np.zeros(c), np.arange(c), nums, den)


def _rational(row: Matrix, field: Field) -> list[Any]:
    """A row (1, c) over the field as coordinates over Q, (c d,)."""
    row = row.over(field)
    d = field.degree
    out = [flint.fmpq(0)] * (row.shape[1] * d)
    for c, coords in zip(row.cols.tolist(), row.nums.tolist(), strict=True):
        out[c * d : c * d + d] = [flint.fmpq(int(x), row.den) for x in coords]
    return out


def _fraction(q: Any) -> Any:
    from fractions import Fraction

    return Fraction(int(q.p), int(q.q))
