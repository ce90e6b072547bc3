"""Vectors on which a subgroup acts by a linear character, and the irreducible representation that one of them spans.

Let chi be irreducible, H a subgroup and lambda a linear character of H with <chi|_H, lambda> = 1. Then there is a vector v,
unique up to a scalar, with h v = lambda(h) v, and

    phi(g) = <v, g v> = (1/|H|) sum_h conj(lambda(h)) chi(g h),        phi(g h) = lambda(h) phi(g),

is known from the character alone. The group permutes the lines of g v, one for each coset g H, up to phases; d = chi(1) of these
vectors g_i v are a basis, with Gram matrix M_ij = phi(g_i^-1 g_j), and x g_j v has the coordinates
M^-1 (phi(g_i^-1 x g_j))_i in it.

Reference: J. D. Dixon, Constructing representations of finite groups, DIMACS Ser. Discrete Math. 11 (1993). Taking the basis
along the generators, breadth first, is what keeps the matrices sparse: most columns are a single root of unity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd, lcm
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from repcore.errors import SolveError
from repcore.exact.coefficients import narrowed
from repcore.exact.field import QQ, Field, field_of
from repcore.exact.matrix import Matrix, from_coo
from repcore.exact.number import Number, zeta
from repcore.groups.characters import CharacterTable
from repcore.groups.components import by_least, components

__all__ = ["Line", "images", "line_of"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Line:
    """A subgroup H, by its members and generators, and a linear character of it: zeta_order to the power ``exponents``.

    Where it occurs once in an irreducible character, it names a line in that representation.
    """

    members: Ints
    generators: tuple[int, ...]
    exponents: Ints
    order: int


def line_of(members: Ints, generators: tuple[int, ...], exponents: Ints, order: int) -> Line:
    """The linear character with values zeta_order^exponents, with the least order that holds them."""
    common = gcd(order, *exponents.tolist())
    return Line(members, generators, exponents // common, order // common)


def images(table: CharacterTable, row: int, line: Line, generators: tuple[int, ...]) -> tuple[Matrix, ...]:
    """The matrices of some elements in the irreducible representation with a character of the table, over Q(chi, lambda).

    ``line`` has multiplicity 1 in the character. Cost: the order of the group, and d^2 products of elements for each element, and
    one exact solution of a d x d system.
    """
    orbit = _Orbit(table, row, line)
    chosen, targets = orbit.spun(generators)
    where = {c: i for i, c in enumerate(chosen)}
    rest = list(dict.fromkeys(c for found in targets for c, _ in found if c not in where))
    where |= {c: len(chosen) + i for i, c in enumerate(rest)}
    frame = orbit.frame(chosen, rest)
    out: list[Matrix] = []
    for found in targets:
        phases = np.array([a for _, a in found], np.int64)
        rows = np.array([where[c] for c, _ in found], np.int64)
        coordinates = orbit.phases[phases]
        d = len(chosen)
        moved = from_coo((d + len(rest), d), orbit.field, rows, np.arange(d), coordinates, orbit.phase_den)
        out.append((frame @ moved).reduced())
    return tuple(out)


@dataclass(frozen=True, eq=False)
class _Orbit:
    """The vectors g v, one for each coset of H."""

    table: CharacterTable
    row: int
    line: Line

    @cached_property
    def _cosets(self) -> tuple[Ints, Ints, Ints]:
        """For each element x its coset and the exponent of lambda(r^-1 x), r the least element of the coset; and the r."""
        elements, line = self.table.classes.table, self.line
        n = elements.order
        whence = np.tile(np.arange(n), len(line.generators))
        onto = np.concatenate([elements.right(h) for h in line.generators])
        heads, coset = by_least(components(n, whence, onto))
        values = np.zeros(n, np.int64)
        values[line.members] = line.exponents
        return coset, values[elements.products(elements.inverses[heads[coset]], np.arange(n))], heads

    @cached_property
    def field(self) -> Field:
        """Q(chi, lambda)."""
        distinct = set(self._values)
        return field_of([*distinct, zeta(self.line.order)] if self.line.order > 2 else distinct)

    @cached_property
    def _values(self) -> tuple[Number, ...]:
        return tuple(self.table.value(self.row, j) for j in range(len(self.table)))

    @cached_property
    def phases(self) -> npt.NDArray[np.int64]:
        """(order, degree) the coordinates of zeta_order^a times ``phase_den``."""
        return self._phase_table[0]

    @property
    def phase_den(self) -> int:
        """The common denominator of the phases."""
        return self._phase_table[1]

    @cached_property
    def _phase_table(self) -> tuple[Ints, int]:
        return _coordinates(self.field, [zeta(self.line.order, a) for a in range(self.line.order)])

    @cached_property
    def _sums(self) -> npt.NDArray[np.int64]:
        """(cosets, order, degree) zeta^a sum_h conj(lambda(h)) chi(r h), with a common denominator, which does not matter."""
        coset, exponent, heads = self._cosets
        order, k = self.line.order, len(self.table)
        products = [zeta(order, -a) * x for a in range(order) for x in self._values]
        nums, _ = _coordinates(self.field, products)
        sums = np.zeros((len(heads), self.field.degree), nums.dtype)
        np.add.at(sums, coset, nums[exponent * k + self.table.classes.of])
        # zeta^a times each of the basis of the field.
        basis = [self.field.number([int(i == j) for j in range(self.field.degree)]) for i in range(self.field.degree)]
        scaled = [zeta(order, a) * x for a in range(order) for x in basis]
        by, _ = _coordinates(self.field, scaled)
        return narrowed(np.einsum("ci,aij->caj", sums.astype(object), by.reshape(order, self.field.degree, -1).astype(object)))

    def _phi(self, x: Ints) -> npt.NDArray[np.int64]:
        """|H| phi(x) up to a common factor, as coordinates, for elements x."""
        coset, exponent, _ = self._cosets
        return self._sums[coset[x], exponent[x]]

    @cached_property
    def _residues(self) -> Ints:
        """phi(x) for every element up to a common factor, modulo the prime of the table."""
        coset, exponent, heads = self._cosets
        m = self.table.modulus
        roots = m.roots(self.line.order)
        sums = np.zeros(len(heads), np.int64)
        terms = roots[-exponent % self.line.order] * self.table.residues[self.row, self.table.classes.of] % m.prime
        np.add.at(sums, coset, terms)
        return sums[coset] % m.prime * roots[exponent] % m.prime

    def spun(self, generators: tuple[int, ...]) -> tuple[list[int], list[list[tuple[int, int]]]]:
        """Cosets g_i H whose vectors are a basis, and for each generator where it sends each: (coset, exponent of the phase)."""
        elements = self.table.classes.table
        coset, exponent, heads = self._cosets
        p, phi, d = self.table.modulus.prime, self._residues, self.table.degrees[self.row]
        chosen, seen = [int(coset[0])], {int(coset[0])}
        inverse = np.array([[pow(int(phi[0]), -1, p)]], np.int64)
        targets: list[list[tuple[int, int]]] = [[] for _ in generators]
        # The generators must generate the group, so that the vectors reached span the representation.
        steps = dict.fromkeys((*generators, *elements.generators))
        head = 0
        while head < len(chosen):
            for s in steps:
                y = int(elements.products(np.array(s), heads[chosen[head]]))
                c = int(coset[y])
                if s in generators:
                    targets[generators.index(s)].append((c, int(exponent[y])))
                if c in seen or len(chosen) == d:
                    continue
                seen.add(c)
                mine = heads[np.array(chosen)]
                column = phi[elements.products(elements.inverses[mine], heads[c])]
                across = phi[elements.products(elements.inverses[heads[c]], mine)]
                left = self.table.modulus.times(inverse, column[:, None])[:, 0]
                rest = (int(phi[0]) - sum((across * left % p).tolist())) % p
                if rest == 0:
                    continue
                # The inverse of the Gram matrix with one more row and column.
                back, right = pow(rest, -1, p), self.table.modulus.times(across[None], inverse)[0]
                corner = (inverse + left[:, None] * right[None] % p * back) % p
                inverse = np.block([[corner, -left[:, None] * back % p], [-right[None] * back % p, np.array([[back]])]])
                chosen.append(c)
            head += 1
        if len(chosen) != d:
            raise SolveError(
                f"group: {len(chosen)} of {d} basis vectors of an irreducible representation of {self.table.group} were found; "
                "this is a defect, report it"
            )
        return chosen, targets

    def frame(self, chosen: list[int], rest: list[int]) -> Matrix:
        """(d, d + len(rest)) the coordinates of the chosen vectors, and of the rest, in the basis of the chosen ones."""
        elements = self.table.classes.table
        heads, d, f = self._cosets[2], len(chosen), self.field.degree
        back = elements.inverses[heads[np.array(chosen)]]
        one = from_coo((d, d + len(rest)), QQ, np.arange(d), np.arange(d), np.ones((d, 1), np.int64), 1)
        if not rest:
            return one.over(self.field)
        gram = self._phi(elements.products(back[:, None], heads[np.array(chosen)][None]))
        right = self._phi(elements.products(back[:, None], heads[np.array(rest)][None]))
        # Multiplication by an entry as an f x f block over Q.
        table = self.field.table.astype(object)
        blocks = np.einsum("xyi,ijk->xkyj", gram.astype(object), table).reshape(d * f, d * f)
        columns = right.transpose(0, 2, 1).reshape(d * f, len(rest))
        system: Any = flint.fmpz_mat(d * f, d * f, blocks.ravel().tolist())
        solved = system.solve(flint.fmpz_mat(d * f, len(rest), columns.ravel().tolist()))
        numerator, den = solved.numer_denom()
        entries = np.array([int(x) for x in numerator.entries()], object)
        nums = entries.reshape(d, f, len(rest)).transpose(0, 2, 1).reshape(-1, f)
        rows, cols = np.divmod(np.arange(d * len(rest)), len(rest))
        return one.over(self.field) + from_coo((d, d + len(rest)), self.field, rows, cols + d, narrowed(nums), int(den))


def _coordinates(field: Field, numbers: list[Number]) -> tuple[npt.NDArray[np.int64], int]:
    """(count, degree) the coordinates of numbers, times their common denominator."""
    known = {x: field.coordinates(x) for x in set(numbers)}
    den = lcm(*(c.denominator for row in known.values() for c in row))
    ints = {x: [int(c * den) for c in row] for x, row in known.items()}
    return narrowed(np.array([ints[x] for x in numbers], object).reshape(len(numbers), field.degree)), den
