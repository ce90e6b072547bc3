"""The character table of a finite group, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import gcd, lcm

import flint
import numpy as np
import numpy.typing as npt

from repcore.errors import DeclarationError, IncompatibleError
from repcore.exact import cyclotomic as cyc
from repcore.exact.number import Number
from repcore.groups.classes import Classes, classes
from repcore.groups.dixon import irreducible_residues
from repcore.groups.finite import lexicographic
from repcore.groups.group import Group
from repcore.groups.modulus import Modulus, modulus

__all__ = ["CharacterTable", "RationalCharacter", "RealCharacter", "character_table", "modulus_of", "number_of_spectrum"]

Ints = npt.NDArray[np.int64]

# Products of characters are searched for Schur indices in tables of this size at most.
_PRODUCTS = 60


@dataclass(frozen=True)
class RealCharacter:
    """An irreducible representation over the real numbers, by its complex constituents.

    Attributes:
        rows: the rows of the character table whose sum (twice the row, for quaternionic type) is its character.
        type: ``"real"``, ``"complex"`` or ``"quaternionic"``: its endomorphism algebra.
        dim: its dimension: the degree of the complex constituent for real type, twice that otherwise.
    """

    rows: tuple[int, ...]
    type: str
    dim: int


@dataclass(frozen=True)
class RationalCharacter:
    """An irreducible representation over the rational numbers, by its complex constituents.

    Attributes:
        rows: one orbit of rows of the character table under the Galois group.
        schur_index: m, where the character of the representation is m times the sum of these rows; None where the bounds that are
            known here (type over the real numbers, restrictions to cyclic subgroups) do not decide it.
        dim: its dimension, or None likewise.
    """

    rows: tuple[int, ...]
    schur_index: int | None
    dim: int | None


@dataclass(frozen=True, eq=False)
class CharacterTable:
    """The irreducible complex characters of a finite group: rows are characters, columns conjugacy classes.

    Rows are sorted by degree; the trivial character is first; then rational characters come before irrational real ones, and
    those before the rest; conjugates under the Galois group stand together, complex conjugates next to each other; then by
    values, class by class, larger integers first and irrational values by their residue modulo ``modulus.prime``. That order
    depends on the declared matrices of the group alone, not on its choice of generators.

    Values are kept as residues modulo a prime, which determine them: each is a sum of chi(1) roots of unity. Exact numbers are
    made when they are asked for.

    Attributes:
        classes: the conjugacy classes.
        modulus: the prime, and the root of unity that stands for zeta.
        residues: (count, count) the characters modulo the prime.

    >>> from repcore import symmetric
    >>> print(character_table(symmetric(3)))
            1a  2a  3a
    size     1   3   2
    0   +    1   1   1
    1   +    1  -1   1
    2   +    2   0  -1
    """

    classes: Classes
    modulus: Modulus
    residues: Ints

    @property
    def group(self) -> Group:
        """The group."""
        return self.classes.group

    def __len__(self) -> int:
        return len(self.residues)

    @cached_property
    def degrees(self) -> tuple[int, ...]:
        """The degrees chi(1), row by row."""
        return tuple(self.residues[:, 0].tolist())

    @cached_property
    def indicators(self) -> tuple[int, ...]:
        """Frobenius and Schur: sum_g chi(g^2) / #G, 1 for real type, 0 for complex, -1 for quaternionic, row by row."""
        found = self._mean(self.residues[:, self.classes.power(2)])
        return tuple(int(x) if x < 2 else -1 for x in found.tolist())

    def _mean(self, values: Ints) -> Ints:
        """(1/#G) sum over the group of class functions, along the last axis, as residues."""
        p = self.modulus.prime
        total = np.sum(values * self.classes.sizes % p, axis=-1) % p
        return total * pow(self.classes.table.order, -1, p) % p

    def inner_products(self, values: Ints) -> Ints:
        """<chi, values> with every row chi, as residues, for a class function (count,) or several (..., count)."""
        p = self.modulus.prime
        weighted = np.atleast_2d(values * self.classes.sizes % p)
        found = self.modulus.times(weighted, self.residues[:, self.classes.inverse].T)
        return (found * pow(self.classes.table.order, -1, p) % p).reshape(*values.shape[:-1], len(self))

    # -- exact values ----------------------------------------------------------------------------------------------

    def spectra(self, j: int) -> Ints:
        """(rows, o) how often zeta_o^k, k = 0 .. o - 1, is an eigenvalue of an element of class j, of order o, in each row."""
        at = self.classes.powers(j)
        o, out = len(at), np.zeros((len(self), len(at)), np.int64)
        linear = self.residues[:, 0] == 1
        if np.any(linear):
            roots = self.modulus.roots(o)
            ranks = np.argsort(roots)
            values: Ints = self.residues[linear, j]
            out[np.flatnonzero(linear), ranks[np.searchsorted(roots[ranks], values)]] = 1
        if not np.all(linear):
            out[~linear] = self.modulus.spectra(self.residues[np.ix_(~linear, at)])
        return out

    @cached_property
    def _columns(self) -> dict[int, tuple[Number, ...]]:
        return {}

    def column(self, j: int) -> tuple[Number, ...]:
        """The exact values of all characters at class j."""
        if j not in self._columns:
            found = map(tuple, self.spectra(j).tolist())
            self._columns[j] = tuple(number_of_spectrum(m) for m in found)
        return self._columns[j]

    def value(self, row: int, j: int) -> Number:
        """The exact value of a character at class j."""
        return self.column(range(len(self))[j])[row]

    @cached_property
    def values(self) -> tuple[tuple[Number, ...], ...]:
        """All exact values, a tuple for each character; this makes count^2 numbers."""
        return tuple(zip(*(self.column(j) for j in range(len(self))), strict=True))

    def to_numpy(self) -> npt.NDArray[np.complex128]:
        """All values, each part correctly rounded, complex128 (count, count)."""
        known = {x: complex(x) for row in self.values for x in set(row)}
        return np.array([[known[x] for x in row] for row in self.values], np.complex128)

    # -- over smaller fields ---------------------------------------------------------------------------------------

    def galois(self, k: int) -> Ints:
        """The row of the character with values chi(g^k), for each row; k prime to the exponent. k = -1 is the conjugate."""
        if gcd(k, self.classes.exponent) != 1:
            raise DeclarationError(f"k: expected an integer prime to the exponent {self.classes.exponent}, got {k}")
        return _matched(self.residues, self.residues[:, self.classes.power(k)])

    @cached_property
    def conjugates(self) -> Ints:
        """The row of the complex conjugate of each row."""
        return self.galois(-1)

    @cached_property
    def galois_orbits(self) -> tuple[tuple[int, ...], ...]:
        """The rows in orbits under the Galois group; the length of an orbit is the degree of the field of its values."""
        labels = _orbits([self.galois(k) for k in cyc.unit_generators(self.classes.exponent)], len(self))
        return tuple(tuple(np.flatnonzero(labels == x).tolist()) for x in dict.fromkeys(labels.tolist()))

    @cached_property
    def real(self) -> tuple[RealCharacter, ...]:
        """The irreducible representations over the real numbers, by their first row: complex pairs become one."""
        out: list[RealCharacter] = []
        for i, (d, indicator, j) in enumerate(zip(self.degrees, self.indicators, self.conjugates.tolist(), strict=True)):
            if indicator == 1:
                out.append(RealCharacter((i,), "real", d))
            elif indicator == -1:
                out.append(RealCharacter((i,), "quaternionic", 2 * d))
            elif i < j:
                out.append(RealCharacter((i, j), "complex", 2 * d))
        return tuple(out)

    @cached_property
    def rational(self) -> tuple[RationalCharacter, ...]:
        """The irreducible representations over the rational numbers, by Galois orbits.

        The Schur index m of chi divides <chi, R> for every rational representation R. Induced from a cyclic subgroup of order o
        and all conjugates of zeta_o^k, that is the multiplicity of zeta_o^k times [Q(chi, zeta_o^k) : Q(chi)]. The permutations
        of points are rational, and products of representations that are known to be. And m is at least 2 where chi is of
        quaternionic type.
        """
        bounds = self._schur_bounds()
        out: list[RationalCharacter] = []
        for rows in self.galois_orbits:
            upper, lower = bounds[rows[0]], 2 if self.indicators[rows[0]] == -1 else 1
            index = upper if upper == lower else None
            out.append(RationalCharacter(rows, index, None if index is None else index * len(rows) * self.degrees[rows[0]]))
        return tuple(out)

    def _schur_bounds(self) -> list[int]:
        table = self.classes.table
        moved: Ints = table.images[self.classes.representatives, :]
        fixed: Ints = np.asarray(moved == moved[0]).astype(np.int64).sum(axis=1)
        found = self.inner_products(fixed).tolist()
        bounds = [gcd(d, x) for d, x in zip(self.degrees, found, strict=True)]
        fixing = {rows[0]: self._stabilizer(rows[0]) for rows in self.galois_orbits if self.degrees[rows[0]] > 1}
        for j in range(1, len(self)):
            o = int(self.classes.orders[j])
            if all(bounds[row] == 1 for row in fixing):
                break
            spectra = self.spectra(j)
            for row, units in fixing.items():
                # [Q(chi, zeta_o^k) : Q(chi)] = number of images of zeta_o^k under the automorphisms that fix chi.
                for k in np.flatnonzero(spectra[row]).tolist():
                    images = len({u * k % o for u in units})
                    bounds[row] = gcd(bounds[row], int(spectra[row, k]) * images)
        return self._bounds_by_products(bounds) if len(self) <= _PRODUCTS else bounds

    def _bounds_by_products(self, bounds: list[int]) -> list[int]:
        """The bounds improved by the multiplicities in products of two rational representations, until nothing changes."""
        p, done = self.modulus.prime, 0
        while True:
            known = [rows for rows in self.galois_orbits if bounds[rows[0]] == 1]
            if len(known) == done or len(known) == len(self.galois_orbits):
                return bounds
            done = len(known)
            rational = np.stack([np.sum(self.residues[list(rows)], axis=0) % p for rows in known])
            for one in rational:
                found = self.inner_products(one * rational % p)
                bounds = [gcd(b, *map(int, column)) for b, column in zip(bounds, found.T, strict=True)]

    def _stabilizer(self, row: int) -> list[int]:
        """The units k modulo the exponent with chi(g^k) = chi(g) for every g."""
        values = self.residues[row]
        return [k for k in cyc.units(self.classes.exponent) if np.array_equal(values[self.classes.power(k)], values)]

    # -- printing --------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        sign = {1: "+", 0: "o", -1: "-"}
        head = ["", "", *self.classes.names]
        sizes = ["size", "", *map(str, self.classes.sizes.tolist())]
        body = [[str(i), sign[self.indicators[i]], *map(str, row)] for i, row in enumerate(self.values)]
        lines = [head, sizes, *body]
        widths = [max(len(line[c]) for line in lines) for c in range(len(head))]
        shown = [
            "  ".join(x.ljust(w) if c < 2 else x.rjust(w) for c, (x, w) in enumerate(zip(line, widths, strict=True)))
            for line in lines
        ]
        return "\n".join(line.rstrip() for line in shown)

    def __repr__(self) -> str:
        return f"character_table({self.group!r})"


@lru_cache(maxsize=64)
def character_table(group: Group) -> CharacterTable:
    """The character table of a finite group, exactly, by Dixon's and Schneider's method (see ``repcore.groups.dixon``).

    Args:
        group: a finite group with at most 200,000 elements and 3,000 conjugacy classes.

    Raises:
        GroupTooLargeError: the group is infinite, or larger than that.

    Proof: the residues are those of the irreducible characters, because they are the eigenvectors of an element of the centre of
    the group ring that has as many eigenvalues as there are classes; and a character is determined by its residues, because the
    multiplicities of its eigenvalues are below the prime. Nothing is rounded.

    >>> from repcore import quaternion
    >>> table = character_table(quaternion())
    >>> table.degrees, table.indicators
    ((1, 1, 1, 1, 2), (1, 1, 1, 1, -1))
    >>> [irrep.type for irrep in table.real][-1]
    'quaternionic'
    """
    if not isinstance(group, Group):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"group: expected a group, got {type(group).__name__}")
    found = classes(group)
    m = modulus_of(found)
    return CharacterTable(found, m, _sorted(irreducible_residues(found, m), found, m.prime))


def modulus_of(found: Classes, index: int = 0) -> Modulus:
    """The moduli in which characters of a group are kept: they split its roots of unity and the entries of its matrices."""
    return modulus(lcm(found.exponent, *(g.field.conductor for g in found.group.discrete)), index)


def number_of_spectrum(multiplicities: tuple[int, ...]) -> Number:
    """sum_k multiplicities[k] zeta_o^k, o the number of them."""
    return _sum_of_roots(multiplicities)


@lru_cache(maxsize=65536)
def _sum_of_roots(multiplicities: tuple[int, ...]) -> Number:
    o = len(multiplicities)
    phi = cyc.cyclotomic(o)
    coefficients = [int(c) for c in (flint.fmpz_poly(list(multiplicities)) % phi).coeffs()]
    return Number(o, coefficients + [0] * (phi.degree() - len(coefficients)))


def _matched(rows: Ints, moved: Ints) -> Ints:
    """For each row of ``moved`` its number among ``rows``; both hold the same rows."""
    out = np.empty(len(rows), np.int64)
    out[lexicographic(moved)] = lexicographic(rows)
    return out


def _orbits(moves: list[Ints], count: int) -> Ints:
    """The least member of the orbit of each number under some permutations."""
    label = np.arange(count)
    while True:
        finer = label
        for move in moves:
            lower = np.minimum(finer, finer[move])
            np.minimum.at(lower, move, finer)
            finer = lower
        if np.array_equal(finer, label):
            return label
        label = finer


def _sorted(rows: Ints, found: Classes, p: int) -> Ints:
    """The rows in the order that `CharacterTable` documents."""
    # Larger integers first.
    rows = rows[lexicographic((p // 2 - rows) % p)]
    moves = [_matched(rows, rows[:, found.power(k)]) for k in cyc.unit_generators(found.exponent)]
    conjugate = _matched(rows, rows[:, found.inverse])
    at = np.arange(len(rows))
    orbit = _orbits(moves, len(rows))
    _, inverse, lengths = np.unique(orbit, return_inverse=True, return_counts=True)
    kind = np.where(lengths[inverse.reshape(-1)] == 1, 0, np.where(conjugate == at, 1, 2))
    nontrivial = np.any(rows != 1, axis=1)
    out = rows[np.lexsort((at, np.minimum(at, conjugate), orbit, kind, nontrivial, rows[:, 0]))]
    out.flags.writeable = False
    return out
