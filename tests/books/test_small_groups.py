"""All 93 groups of order below 32: degrees and indicators from tables, and every law against a count in the Cayley table.

The numbers of groups are those of Besche, Eick and O'Brien (OEIS A000001); that no two of the list are isomorphic is proved here
by invariants, so the list is complete. Presentations, abelianisations and types are those of Hall and Senior, Thomas and Wood.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from math import gcd, lcm, prod
from typing import Any

import numpy as np
import pytest
from sympy import factorint
from sympy.combinatorics.fp_groups import FpGroup
from sympy.combinatorics.free_groups import free_group
from sympy.utilities.iterables import partitions

import repcore as rc
from repcore.exact.number import ZERO

COUNTS = [1, 1, 1, 2, 1, 2, 1, 5, 2, 2, 1, 5, 1, 2, 1, 14, 1, 5, 1, 5, 2, 2, 1, 15, 2, 2, 5, 4, 1, 4, 1]


@dataclass(frozen=True)
class Book:
    """A group by relations of its factors, and its characters: ``linear`` are the invariants of the group made abelian, then
    the signs of the characters of degree 2, 3 and 4: ``+`` real, ``o`` complex, ``-`` quaternionic."""

    name: str
    order: int
    factors: tuple[str, ...]
    linear: tuple[int, ...]
    two: str = ""
    three: str = ""
    four: str = ""

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(degree, indicator) of each character, sorted."""
        ones = [(1, int(all(2 * k % n == 0 for k, n in zip(x, self.linear, strict=True)))) for x in points(self.linear)]
        sign = {"+": 1, "o": 0, "-": -1}
        return sorted(ones + [(d, sign[s]) for d, signs in ((2, self.two), (3, self.three), (4, self.four)) for s in signs])


def points(sizes: tuple[int, ...]) -> Any:
    return product(*map(range, sizes))


def dihedral(n: int) -> str:
    return f"a{n}, b2, baB=A"


def dicyclic(m: int) -> str:
    return f"a{2 * m}, b2=a{m}, baB=A"


S3, D4, Q8, D5, DIC3, A4 = dihedral(3), dihedral(4), dicyclic(2), dihedral(5), dicyclic(3), "a3, b2, ababab"

NONABELIAN = [
    Book("S3", 6, (S3,), (2,), "+"),
    Book("D4", 8, (D4,), (2, 2), "+"),
    Book("Q8", 8, (Q8,), (2, 2), "-"),
    Book("D5", 10, (D5,), (2,), "++"),
    Book("D6", 12, (dihedral(6),), (2, 2), "++"),
    Book("Dic3", 12, (DIC3,), (4,), "+-"),
    Book("A4", 12, (A4,), (3,), "", "+"),
    Book("D7", 14, (dihedral(7),), (2,), "+++"),
    Book("C2^2:C4", 16, ("a4, b2, c2, ab=ba, bc=cb, caC=ab",), (4, 2), "++"),
    Book("C4:C4", 16, ("a4, b4, baB=A",), (4, 2), "+-"),
    Book("M16", 16, ("a8, b2, baB=a5",), (4, 2), "oo"),
    Book("D8", 16, (dihedral(8),), (2, 2), "+++"),
    Book("SD16", 16, ("a8, b2, baB=a3",), (2, 2), "+oo"),
    Book("Q16", 16, (dicyclic(4),), (2, 2), "+--"),
    Book("C2 x D4", 16, ("a2", D4), (2, 2, 2), "++"),
    Book("C2 x Q8", 16, ("a2", Q8), (2, 2, 2), "--"),
    Book("C4 o D4", 16, ("a4, b2, c2=a2, ab=ba, ac=ca, bcB=C",), (2, 2, 2), "oo"),
    Book("D9", 18, (dihedral(9),), (2,), "++++"),
    Book("C3 x S3", 18, ("a3", S3), (6,), "+oo"),
    Book("C3^2:C2", 18, ("a3, b3, c2, ab=ba, caC=A, cbC=B",), (2,), "++++"),
    Book("D10", 20, (dihedral(10),), (2, 2), "++++"),
    Book("Dic5", 20, (dicyclic(5),), (4,), "++--"),
    Book("F20", 20, ("a5, b4, baB=a2",), (4,), "", "", "+"),
    Book("F21", 21, ("a7, b3, baB=a2",), (3,), "", "oo"),
    Book("D11", 22, (dihedral(11),), (2,), "+++++"),
    Book("C3:C8", 24, ("a3, b8, baB=A",), (8,), "+-oo"),
    Book("SL(2,3)", 24, ("a4, b2=a2, baB=A, c3, caC=b, cbC=ab",), (3,), "-oo", "+"),
    Book("Dic6", 24, (dicyclic(6),), (2, 2), "++---"),
    Book("C4 x S3", 24, ("a4", S3), (4, 2), "++oo"),
    Book("D12", 24, (dihedral(12),), (2, 2), "+++++"),
    Book("C2 x Dic3", 24, ("a2", DIC3), (2, 4), "++--"),
    Book("C3:D4", 24, ("a3, b4, c2, baB=A, ac=ca, cbC=B",), (2, 2), "+++oo"),
    Book("C3 x D4", 24, ("a3", D4), (3, 2, 2), "+oo"),
    Book("C3 x Q8", 24, ("a3", Q8), (3, 2, 2), "-oo"),
    Book("S4", 24, ("a4, b2, ababab",), (2,), "+", "++"),
    Book("C2 x A4", 24, ("a2", A4), (2, 3), "", "++"),
    Book("C2^2 x S3", 24, ("a2", "a2", S3), (2, 2, 2), "++++"),
    Book("D13", 26, (dihedral(13),), (2,), "++++++"),
    Book("3^(1+2)+", 27, ("a3, b3, c3, ac=ca, bc=cb, abAB=c",), (3, 3), "", "oo"),
    Book("3^(1+2)-", 27, ("a9, b3, baB=a4",), (3, 3), "", "oo"),
    Book("D14", 28, (dihedral(14),), (2, 2), "++++++"),
    Book("Dic7", 28, (dicyclic(7),), (4,), "+++---"),
    Book("C5 x S3", 30, ("a5", S3), (5, 2), "+oooo"),
    Book("C3 x D5", 30, ("a3", D5), (3, 2), "++oooo"),
    Book("D15", 30, (dihedral(15),), (2,), "+++++++"),
]


def abelian(n: int) -> list[Book]:
    """One group for each choice of a partition of each exponent of n."""
    choices = [
        [tuple(p**k for k, count in shape.items() for _ in range(count)) for shape in partitions(e)]
        for p, e in factorint(n).items()
    ]
    out: list[Book] = []
    for chosen in product(*choices):
        sizes = tuple(sorted((q for part in chosen for q in part), reverse=True))
        name = " x ".join(f"C{q}" for q in sizes) or "1"
        out.append(Book(name, n, tuple(f"a{q}" for q in sizes), sizes))
    return out


BOOKS = [b for n in range(1, 32) for b in (*abelian(n), *(b for b in NONABELIAN if b.order == n))]


# -- from relations to permutations -------------------------------------------------------------------------------------


@cache
def regular(relations: str) -> list[list[int]]:
    """The generators a, b, ... as permutations of the elements, by Todd and Coxeter's enumeration (SymPy)."""
    letters = sorted(set(re.findall("[a-z]", relations.lower())))
    free, *gens = free_group(",".join(letters))
    where = dict(zip(letters, gens, strict=True))

    def word(text: str) -> Any:
        out = free.identity
        for letter, power in re.findall(r"([a-zA-Z])(\d*)", text):
            out = out * where[letter.lower()] ** ((-1 if letter.isupper() else 1) * int(power or 1))
        return out

    sides = [(*r.split("="), "")[:2] for r in relations.split(",")]
    table = FpGroup(free, [word(left) * word(right) ** -1 for left, right in sides]).coset_enumeration([])
    table.compress()
    return [[row[2 * i] for row in table.table] for i in range(len(gens))]


@cache
def made(book: Book) -> Any:
    """The group, the factors acting on separate points."""
    out: list[list[int]] = []
    parts = [regular(f) for f in book.factors]
    sizes = [len(p[0]) for p in parts]
    whole = sum(sizes) or 1
    for i, part in enumerate(parts):
        start = sum(sizes[:i])
        for g in part:
            images = list(range(whole))
            images[start : start + sizes[i]] = [start + x for x in g]
            out.append(images)
    return rc.PermutationGroup(out, name=book.name, degree=whole)


@dataclass(frozen=True, eq=False)
class Cayley:
    """A group as a multiplication table, made here from the generators alone; element 0 is the identity."""

    images: list[tuple[int, ...]]
    times: Any

    @property
    def order(self) -> int:
        return len(self.images)

    def power(self, x: int, k: int) -> int:
        out = 0
        for _ in range(k):
            out = int(self.times[out, x])
        return out

    @cached_property
    def orders(self) -> list[int]:
        return [next(k for k in range(1, self.order + 1) if self.power(x, k) == 0) for x in range(self.order)]

    @cached_property
    def inverses(self) -> list[int]:
        return [int(np.flatnonzero(row == 0)[0]) for row in self.times]

    @cached_property
    def classes(self) -> list[frozenset[int]]:
        inv = self.inverses
        found = {frozenset(int(self.times[self.times[g, x], inv[g]]) for g in range(self.order)) for x in range(self.order)}
        return sorted(found, key=min)

    def generated(self, members: set[int]) -> set[int]:
        out = {0} | members
        while (more := {int(self.times[x, y]) for x in out for y in members} | out) != out:
            out = more
        return out

    @cached_property
    def derived(self) -> set[int]:
        inv, every = self.inverses, range(self.order)
        return self.generated({int(self.times[self.times[x, y], self.times[inv[x], inv[y]]]) for x in every for y in every})

    @cached_property
    def centre(self) -> set[int]:
        return set(np.flatnonzero((self.times == self.times.T).all(axis=1)).tolist())


@cache
def cayley(book: Book) -> Cayley:
    group = made(book)
    gens = [tuple(int(np.argmax(column)) for column in g.to_numpy().T) for g in group.discrete]
    images = [tuple(range(group.dim))]
    for x in images:
        for g in gens:
            if (moved := tuple(g[i] for i in x)) not in images:
                images.append(moved)
    where = {x: i for i, x in enumerate(images)}
    return Cayley(images, np.array([[where[tuple(x[i] for i in y)] for y in images] for x in images]))


@cache
def located(book: Book) -> Any:
    """(order,) the class that repcore gives to each element of the Cayley table."""
    found = rc.character_table(made(book)).classes
    points = {tuple(int(x) for x in np.argmax(found.table.matrix(e).to_numpy(), axis=0)): e for e in range(found.table.order)}
    return np.array([found.of[points[x]] for x in cayley(book).images])


every_group = pytest.mark.parametrize("book", BOOKS, ids=[f"{b.order}: {b.name}" for b in BOOKS])


# -- the list -----------------------------------------------------------------------------------------------------------


def quotient_orders(c: Cayley) -> tuple[int, ...]:
    """Orders of the elements of the group made abelian, each as often as it has cosets of the derived group."""
    kernel = c.derived
    return tuple(sorted(next(k for k in range(1, c.order + 1) if c.power(x, k) in kernel) for x in range(c.order)))


def fingerprint(book: Book) -> tuple[Any, ...]:
    """Invariants of the abstract group, from the Cayley table alone."""
    c = cayley(book)
    orders = c.orders
    roots = Counter(int(c.times[x, x]) for x in range(c.order))
    return (
        c.order,
        tuple(sorted(orders)),
        tuple(sorted(len(k) for k in c.classes)),
        quotient_orders(c),
        tuple(sorted(orders[x] for x in c.centre)),
        tuple(sorted((orders[x], roots[x]) for x in range(c.order))),
    )


def table_fingerprint(book: Book) -> tuple[Any, ...]:
    """Invariants from the character table: types, and how power maps join classes of given order and size."""
    table = rc.character_table(made(book))
    k = table.classes
    kind = list(zip(k.orders.tolist(), k.sizes.tolist(), strict=True))
    maps = [tuple((j, kind[k.power(j)[i]]) for j in range(2, k.exponent)) for i in range(k.count)]
    return tuple(sorted(zip(table.degrees, table.indicators, strict=True))), tuple(sorted(zip(kind, maps, strict=True)))


def test_the_list_is_complete_and_without_repetition() -> None:
    assert [sum(b.order == n for b in BOOKS) for n in range(1, 32)] == COUNTS
    assert len(BOOKS) == sum(COUNTS) == 93
    assert all(cayley(b).order == b.order for b in BOOKS)
    assert len({fingerprint(b) for b in BOOKS}) == 93


def test_character_tables_with_power_maps_tell_all_of_them_apart() -> None:
    # The first two groups that agree in all of this have order 256 (Dade).
    assert len({table_fingerprint(b) for b in BOOKS}) == 93
    plain = Counter(tuple(sorted(rc.character_table(made(b)).degrees)) for b in BOOKS)
    assert plain[(1, 1, 1, 1, 2)] == 2
    assert plain[(1,) * 8 + (2, 2)] == 6


# -- the characters -----------------------------------------------------------------------------------------------------


@every_group
def test_degrees_and_indicators_are_those_of_the_book(book: Book) -> None:
    table, c = rc.character_table(made(book)), cayley(book)
    assert sorted(zip(table.degrees, table.indicators, strict=True)) == book.pairs
    assert sum(d * d for d in table.degrees) == book.order == rc.order(made(book))
    assert len(table) == len(c.classes) == len(book.pairs)
    assert table.degrees.count(1) == book.order // len(c.derived) == prod(book.linear)
    # The book's invariants are right as well: C_m1 x C_m2 x ... has these orders.
    orders = [lcm(*(n // gcd(n, k) for k, n in zip(x, book.linear, strict=True))) for x in points(book.linear)]
    assert Counter(quotient_orders(c)) == {o: n * len(c.derived) for o, n in Counter(orders).items()}


@every_group
def test_classes_and_power_maps_are_those_of_the_cayley_table(book: Book) -> None:
    found, c, of = rc.character_table(made(book)).classes, cayley(book), located(book)
    assert {frozenset(np.flatnonzero(of == k).tolist()) for k in range(found.count)} == set(c.classes)
    assert found.orders[of].tolist() == c.orders
    assert found.inverse[of].tolist() == of[c.inverses].tolist()
    for k in range(found.exponent):
        assert found.power(k)[of].tolist() == [of[c.power(x, k)] for x in range(c.order)]


@every_group
def test_square_roots_are_counted_by_the_indicators(book: Book) -> None:
    """Frobenius and Schur: sum_chi nu(chi) chi(g) is the number of square roots of g, at every g."""
    table, c, of = rc.character_table(made(book)), cayley(book), located(book)
    roots = Counter(int(c.times[x, x]) for x in range(c.order))
    for x in range(c.order):
        column = table.column(int(of[x]))
        assert sum((nu * value for nu, value in zip(table.indicators, column, strict=True)), ZERO) == roots[x]
    assert sum(d * nu for d, nu in zip(table.degrees, table.indicators, strict=True)) == sum(o <= 2 for o in c.orders)


@every_group
def test_class_sums_multiply_as_the_characters_say(book: Book) -> None:
    """Burnside: of the pairs in C_i x C_j, |C_i| |C_j| / |G| sum_chi chi(i) chi(j) conj(chi(k)) / chi(1) have product z in C_k.

    These numbers are the structure constants of the centre of the group ring, and they determine the table.
    """
    table, c, of = rc.character_table(made(book)), cayley(book), located(book)
    k, p, x = table.classes, table.modulus.prime, table.residues
    direct = np.zeros((k.count, k.count, k.count), np.int64)
    np.add.at(direct, (of[:, None], of[None, :], of[c.times]), 1)
    direct //= k.sizes
    shares = np.array([pow(d, -1, p) for d in table.degrees])[:, None] * x[:, k.inverse] % p
    pairs = x[:, :, None] * x[:, None, :] % p
    total = np.array([[(pairs[:, i, j, None] * shares % p).sum(axis=0) % p for j in range(k.count)] for i in range(k.count)])
    scale = k.sizes[:, None] * k.sizes % p * pow(c.order, -1, p) % p
    assert np.array_equal(total * scale[:, :, None] % p, direct)


@every_group
def test_words_are_counted_by_characters(book: Book) -> None:
    """Frobenius: [x, y] = z has |G| sum chi(z)/chi(1) solutions; and x^2 y^2 = z has |G| sum nu^2 chi(z)/chi(1), so that the
    torus and the Klein bottle have |G| homomorphisms for each character, and for each real one."""
    table, c, of = rc.character_table(made(book)), cayley(book), located(book)
    inv, squares = np.array(c.inverses), np.diag(c.times)
    commutators = c.times[c.times, c.times[np.ix_(inv, inv)]]
    products = c.times[squares[:, None], squares[None, :]]
    p, degrees = table.modulus.prime, np.array(table.degrees)
    real = np.array(table.indicators) ** 2
    for found, weights in ((commutators, np.ones_like(degrees)), (products, real)):
        shares = np.array([c.order * pow(int(d), -1, p) % p for d in degrees]) * weights
        wanted = (shares[:, None] * table.residues % p).sum(axis=0) % p
        assert np.array_equal(np.bincount(found.ravel(), minlength=c.order), wanted[of])
    assert int((commutators == 0).sum()) == c.order * len(c.classes)
    # Frobenius: the solutions of x^n = 1 are a multiple of n, for every n that divides the order.
    for n in range(1, c.order + 1):
        if c.order % n == 0:
            assert int(table.classes.sizes[n % table.classes.orders == 0].sum()) % n == 0


@every_group
def test_real_and_rational_irreps_are_counted_by_classes(book: Book) -> None:
    """As many over R as pairs of inverse classes, over Q as classes of cyclic subgroups."""
    table, c = rc.character_table(made(book)), cayley(book)
    found = c.classes
    where = {x: i for i, k in enumerate(found) for x in k}
    inv = c.inverses
    assert len(table.real) == len({frozenset((where[x], where[inv[x]])) for x in range(c.order)})
    cyclic = {frozenset(where[y] for y in c.generated({x}) if c.orders[y] == c.orders[x]) for x in range(c.order)}
    assert len(table.rational) == len(cyclic)
    assert sum(table.indicators.count(s) for s in (1, -1)) == sum(where[min(k)] == where[inv[min(k)]] for k in found)


@every_group
def test_kernels_and_centre_are_read_off(book: Book) -> None:
    table, c, of = rc.character_table(made(book)), cayley(book), located(book)
    absolute = table.residues * table.residues[:, table.classes.inverse] % table.modulus.prime
    central = np.all(absolute == np.array(table.degrees)[:, None] ** 2, axis=0)
    assert set(np.flatnonzero(central[of]).tolist()) == c.centre
    linear = table.residues[np.array(table.degrees) == 1]
    assert set(np.flatnonzero(np.all(linear == 1, axis=0)[of]).tolist()) == c.derived


@every_group
def test_regular_and_conjugation_representations(book: Book) -> None:
    """Each irreducible stands in the regular representation as often as its degree; the fixed vectors under conjugation are the
    class functions."""
    group, c = made(book), cayley(book)
    table = rc.character_table(group)
    V = rc.regular(group)
    assert rc.character(V).multiplicities == table.degrees
    assert rc.hom_dimension(V, V) == c.order
    inv = c.inverses
    gens = [c.images.index(tuple(int(i) for i in np.argmax(g.to_numpy(), axis=0))) for g in group.discrete]
    W = rc.permutation(group, [[int(c.times[c.times[g, x], inv[g]]) for x in range(c.order)] for g in gens]) if gens else V
    assert rc.invariants(W, store=None).dim == len(table) == rc.character(W).multiplicities[0]
    # The character of conjugation is |C(g)|, so that its constituents are the row sums of the table.
    assert list(rc.character(W).multiplicities) == [sum(row, ZERO) for row in table.values]


@every_group
def test_real_irreps_have_the_endomorphisms_of_their_type(book: Book) -> None:
    table, irreps = rc.character_table(made(book)), rc.irreps(made(book))
    assert [U.dim for U in irreps] == [r.dim for r in table.real]
    ends = {"real": 1, "complex": 2, "quaternionic": 4}
    for U, r in zip(irreps, table.real, strict=True):
        found = rc.character(U).multiplicities
        times = 2 if r.type == "quaternionic" else 1
        assert found == tuple(times * int(row in r.rows) for row in range(len(table)))
        assert rc.hom_dimension(U, U) == ends[r.type]
