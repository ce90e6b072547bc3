"""The irreducible real representations of a finite group, as exact matrices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from repcore.errors import RepresentationError
from repcore.exact import cyclotomic as cyc
from repcore.exact.matrix import Matrix, matrix, zeros
from repcore.groups.characters import CharacterTable, character_table
from repcore.groups.group import Group
from repcore.groups.linear import generating, linear_characters
from repcore.reps.action import _realified  # pyright: ignore[reportPrivateUsage]
from repcore.reps.constituents import in_product
from repcore.reps.custom import Custom
from repcore.reps.monomial_vectors import Line, images, line_of
from repcore.reps.tree import Rep, Trivial

__all__ = ["irreps"]

Ints = npt.NDArray[np.int64]

# How many subgroups are drawn at random before an irreducible representation is given up.
_DRAWS = 300


@lru_cache(maxsize=16)
def irreps(group: Group) -> tuple[Rep, ...]:
    """All irreducible real representations of a finite group, with exact real matrices, up to isomorphism.

    They stand in the order of ``character_table(group).real``, whose entry i says the type (real, complex, quaternionic), the
    dimension and the complex constituents of number i; the trivial one is first. They print as ``irreps[i]`` and are used in
    expressions like any representation.

    The matrices are real, over a field that holds the values of the character; they are in general not orthogonal, but sparse:
    the basis consists of vectors that the generators permute, up to signs, as far as possible. Representations of complex and
    quaternionic type are the real forms (Re, Im) of complex matrices.

    Method: Dixon's, from the character and a subgroup with a linear character of multiplicity one (see
    ``repcore.reps.monomial_vectors``), for real type with values 1 and -1, so that no imaginary number arises. What is not
    found in this way is cut out of tensor products of what is, by class sums.

    Cost: the character table, and for each representation of degree d an exact solution of d equations; W(E6), with degrees up
    to 90, takes half a minute.

    Raises:
        GroupTooLargeError: the group is infinite or has more than 200,000 elements.
        RepresentationError: neither finds one of them, which is named.

    >>> from repcore import icosahedral, solve
    >>> V = icosahedral().rep
    >>> found = irreps(icosahedral())
    >>> [U.dim for U in found]
    [1, 3, 3, 4, 5]
    >>> X = 2 * found[3] + V
    >>> str(X), solve(X >> X, store=None).dim
    ('2*irreps[3] + V', 5)
    """
    table = character_table(group)
    generators = table.classes.table.generators
    made: dict[int, tuple[Matrix, ...]] = {}
    rows = [real.rows[0] for real in table.real]
    for row in rows:
        if table.degrees[row] == 1:
            values = [table.value(row, int(table.classes.of[g])) for g in generators]
            made[row] = tuple(matrix([[x]]) for x in values)
    lines = _lines(table, [row for row in rows if row not in made])
    made |= {row: images(table, row, line, generators) for row, line in lines.items()}
    for row in sorted(set(rows) - set(made), key=lambda row: table.degrees[row]):
        if (found := in_product(table, row, made)) is not None:
            made[row] = found
    out: list[Rep] = []
    for i, real in enumerate(table.real):
        row = real.rows[0]
        if row not in made:
            raise RepresentationError(
                f"group: no subgroup of {group} was found that gives real matrices for irreducible representation {i} "
                f"(dimension {real.dim}, row {row} of the character table); decompose(regular(G)) has it in floating point"
            )
        shown = made[row] if real.type == "real" else tuple(_realified(a) for a in made[row])
        out.append(Trivial(group) if i == 0 else _declared(group, shown, f"irreps[{i}]"))
    return tuple(out)


def _declared(group: Group, shown: tuple[Matrix, ...], name: str) -> Rep:
    """The representation with these images, which are known to be those of a representation."""
    out = object.__new__(Custom)
    n = shown[0].shape[0]
    lie = tuple(zeros((n, n)) for _ in group.lie)
    for key, value in {"group": group, "discrete": shown, "lie": lie, "name": name, "checked": "proved"}.items():
        object.__setattr__(out, key, value)
    return out


# -- finding lines -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Merit:
    """How good a line is for a row: the degree of its field first, then how many vectors its orbit has."""

    degree: int
    vectors: int

    def beats(self, other: _Merit | None) -> bool:
        return other is None or (self.degree, self.vectors) < (other.degree, other.vectors)


def _lines(table: CharacterTable, rows: list[int]) -> dict[int, Line]:
    """For each row a line of multiplicity one, with values +-1 where the character is of real type."""
    best: dict[int, Line] = {}
    merits: dict[int, _Merit] = {}

    def offer(lines: Iterable[Line], wanted: list[int]) -> None:
        for line in lines:
            found = _multiplicities(table, line)
            for row in wanted:
                if found[row] != 1 or (line.order > 2 and table.indicators[row] == 1):
                    continue
                merit = _Merit(_degree(table, row, line.order), table.classes.table.order // len(line.members))
                if merit.beats(merits.get(row)):
                    best[row], merits[row] = line, merit

    offer(_cyclic_lines(table), rows)
    seen: set[bytes] = set()
    for members in _natural_subgroups(table):
        if (key := members.tobytes()) not in seen:
            seen.add(key)
            offer(_lines_of(table, members, rows), rows)
    draws = _random_subgroups(table)
    for _ in range(_DRAWS):
        left = [row for row in rows if row not in best]
        if not left:
            break
        members = next(draws)
        if (key := members.tobytes()) not in seen:
            seen.add(key)
            offer(_lines_of(table, members, left), left)
    return best


def _multiplicities(table: CharacterTable, line: Line) -> Ints:
    """<chi|_H, lambda> for every row chi."""
    m, found = table.modulus, table.classes
    weights = m.roots(line.order)[-line.exponents % line.order]
    sums = np.zeros(found.count, np.int64)
    np.add.at(sums, found.of[line.members], weights)
    total = m.times(table.residues, (sums % m.prime)[:, None])[:, 0]
    return total * pow(len(line.members), -1, m.prime) % m.prime


def _degree(table: CharacterTable, row: int, order: int) -> int:
    """The degree of Q(chi, zeta_order): the number of automorphisms over the number of those that fix both."""
    units = cyc.units(table.classes.exponent)
    fixing = _fixing(table, row)
    return len(units) // sum(1 for k in fixing if k % order == 1 % order)


@lru_cache(maxsize=4096)
def _fixing(table: CharacterTable, row: int) -> tuple[int, ...]:
    values = table.residues[row]
    units = cyc.units(table.classes.exponent)
    return tuple(k for k in units if np.array_equal(values[table.classes.power(k)], values))


def _cyclic_lines(table: CharacterTable) -> Iterator[Line]:
    elements = table.classes.table
    for g, o in zip(table.classes.representatives.tolist(), table.classes.orders.tolist(), strict=True):
        members = np.zeros(o, np.int64)
        for i in range(1, o):
            members[i] = int(elements.products(members[i - 1], np.array(g)))
        for k in range(o):
            exponents: Ints = np.arange(o, dtype=np.int64) * k % o
            yield line_of(members, (g,), exponents, o)


def _lines_of(table: CharacterTable, members: Ints, rows: list[int]) -> Iterator[Line]:
    """The linear characters of a subgroup: all of them where a row is not of real type, otherwise those to +1 and -1."""
    elements = table.classes.table
    generators = generating(elements, members)
    order = 2 if all(table.indicators[row] == 1 for row in rows) else table.classes.exponent
    values = linear_characters(elements, generators, order)[1]
    steps: tuple[int, ...] = tuple(generators.tolist())
    for row in values[:256].tolist():
        yield line_of(members, steps, np.array(row, np.int64), order)


def _natural_subgroups(table: CharacterTable) -> Iterator[Ints]:
    """Subgroups that a group brings along: stabilisers of points, parts of the generators, centralisers."""
    elements = table.classes.table
    n = elements.order
    images_ = elements.images
    points = [int(x) for x in np.unique(np.min(images_, axis=0))] if images_.shape[1] else []
    fixed = np.ones(n, bool)
    for point in elements.base.tolist():
        fixed &= images_[:, point] == point
        yield np.flatnonzero(fixed)
    for point in points[:20]:
        yield np.flatnonzero(images_[:, point] == point)
    gens = list(dict.fromkeys(elements.generators))
    if len(gens) <= 7:
        for size in range(1, len(gens) + 1):
            for part in combinations(gens, size):
                yield elements.generated(np.array(part, np.int64))
    if table.classes.count <= 60:
        for g in table.classes.representatives.tolist()[1:]:
            yield np.flatnonzero(elements.right(g) == elements.left(g))


def _random_subgroups(table: CharacterTable) -> Iterator[Ints]:
    """Subgroups generated by two to four random elements, small classes first, without an end."""
    elements, rng = table.classes.table, np.random.default_rng(0)
    while True:
        count = int(rng.integers(2, 5))
        # Elements of a random class, so that small classes are drawn as often as large ones.
        chosen = rng.integers(1, table.classes.count, count)
        yield elements.generated(np.array([rng.choice(np.flatnonzero(table.classes.of == j)) for j in chosen], np.int64))
