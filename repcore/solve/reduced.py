"""`Reduced`: a block after the exact reductions, its constraints modulo a prime, and the way back to entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np
import numpy.typing as npt

from repcore.exact.field import Field
from repcore.exact.matrix import Matrix, from_coo
from repcore.exact.number import Number, zeta
from repcore.solve.certificate import Step
from repcore.solve.orbits import Monomial, Orbits
from repcore.solve.presolve import System
from repcore.solve.weights import Frame

__all__ = ["Reduced", "constraints", "entries", "phases", "spread"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Reduced:
    """A block after the exact reductions: what is left is an orbit basis and constraints between orbits.

    Attributes:
        field: the smallest field that holds the images.
        images: (rho_W, rho_V) for every declared generator, for the final check.
        acting: the same in the coordinates of the unknowns; with a frame, of the elements that replace the generators.
        pairs: monomial actions that made the orbits.
        rest: which of ``acting`` still have to be imposed on the orbits.
        diagonal: which of ``acting`` left only entries between equal weights.
        frame: the basis of weight vectors that the unknowns belong to; None for the declared basis.
    """

    shape: tuple[int, int]
    field: Field
    images: tuple[tuple[Matrix, Matrix], ...]
    acting: tuple[tuple[Matrix, Matrix], ...]
    pairs: tuple[tuple[Monomial, Monomial], ...]
    orbits: Orbits
    rest: tuple[int, ...]
    diagonal: tuple[int, ...]
    steps: tuple[Step, ...]
    frame: Frame | None = None


def entries(reduced: Reduced, rest: tuple[int, ...]) -> int:
    """How many entries the constraints of the elements ``rest`` have, before equal places are added up."""
    m, n = reduced.shape
    return sum(reduced.acting[i][0].nnz * n + reduced.acting[i][1].nnz * m for i in rest)


def constraints(reduced: Reduced, rest: Sequence[int], p: int, root: int) -> System:
    """rho_W M - M rho_V = 0 (for discrete and Lie generators alike) modulo p, with orbits as unknowns.

    Row (y, x) of a generator reads sum_z W[y, z] M[z, x] - sum_z M[y, z] V[z, x] = 0.
    """
    m, n = reduced.shape
    found = reduced.orbits
    phase = phases(found, reduced.field, p, root)
    rows: list[Ints] = []
    cols: list[Ints] = []
    values: list[Ints] = []
    # Only entries that are not known to vanish: those in row z, and those in column z.
    live = np.flatnonzero(found.of >= 0)
    in_row = _Lists(live // n, live % n, m)
    in_col = _Lists(live % n, live // n, n)
    for k, i in enumerate(rest):
        on_w, on_v = (a.over(reduced.field) for a in reduced.acting[i])
        top = k * m * n
        e, x = in_row.of(on_w.cols)
        rows.append(top + on_w.rows[e] * n + x)
        cols.append(on_w.cols[e] * n + x)
        values.append(on_w.residues(p, root)[e])
        e, y = in_col.of(on_v.rows)
        rows.append(top + y * n + on_v.cols[e])
        cols.append(y * n + on_v.rows[e])
        values.append(-on_v.residues(p, root)[e] % p)
    if not rest:
        none = np.zeros(0, np.int64)
        return System(p, found.count, none, none, none)
    row, entry, value = np.concatenate(rows), np.concatenate(cols), np.concatenate(values)
    return System(p, found.count, row, found.of[entry], value * phase[entry] % p)


class _Lists:
    """Lists of numbers, one for each of ``count`` keys."""

    def __init__(self, keys: Ints, members: Ints, count: int) -> None:
        self._members = members[np.argsort(keys, kind="stable")]
        self._sizes = np.bincount(keys, minlength=count)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def of(self, keys: Ints) -> tuple[Ints, Ints]:
        """(e, member) for every member of the list of ``keys[e]``, for all e."""
        sizes = self._sizes[keys]
        e = np.repeat(np.arange(len(keys)), sizes)
        at = np.arange(len(e)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + self._starts[keys][e]
        return e, self._members[at]


def phases(found: Orbits, field: Field, p: int, root: int) -> Ints:
    """zeta^exponent modulo p for every entry that may be non-zero."""
    table = np.zeros(found.m, np.int64)
    for k in np.unique(found.exponents).tolist():
        table[k] = _residue(zeta(found.m, k), field, p, root)
    return table[found.exponents]


def _residue(z: Number, field: Field, p: int, root: int) -> int:
    out = 0
    for i, c in enumerate(field.coordinates(z)):
        out += c.numerator * pow(c.denominator, -1, p) * pow(root, i, p)
    return out % p


def spread(reduced: Reduced, on_orbits: Matrix | None) -> Matrix:
    """A basis on orbits as a basis on entries: M[u] = zeta^exponent[u] y[orbit of u].

    Orbits are numbered by their first entries, where the weight is 1, so the echelon form on orbits is the echelon form.
    """
    found, field = reduced.orbits, reduced.field
    live = np.flatnonzero(found.of >= 0)
    powers = {k: field.coordinates(zeta(found.m, k)) for k in np.unique(found.exponents[live]).tolist()}
    den = lcm(1, *(c.denominator for row in powers.values() for c in row))
    table = np.zeros((found.m, field.degree), np.int64)
    for k, row in powers.items():
        table[k] = [int(c * den) for c in row]
    size = reduced.shape[0] * reduced.shape[1]
    nums = table[found.exponents[live]]
    orbit_basis = from_coo((found.count, size), field, found.of[live], live, nums, den)
    return orbit_basis if on_orbits is None else on_orbits @ orbit_basis
