"""Character tables against books, and by the laws that define them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.exact.number import ZERO
from repcore.groups.finite import elements


def test_there_are_more_than_two_hundred_groups(books: list[Any]) -> None:
    assert len(books) >= 200
    assert len({c.name for c in books}) == len(books)


def test_degrees_and_indicators_are_those_of_the_books(book: Any) -> None:
    table = rc.character_table(book.make())
    assert table.classes.table.order == book.order
    assert tuple(sorted(zip(table.degrees, table.indicators, strict=True))) == book.pairs


def test_rows_and_columns_are_orthogonal_modulo_the_prime(book: Any) -> None:
    # As integers below the prime these relations hold exactly: row products are |G| or 0, column products centralisers.
    table = rc.character_table(book.make())
    m, x = table.modulus, table.residues
    conjugate = np.ascontiguousarray(x[:, table.classes.inverse])
    weighted = x * table.classes.sizes % m.prime
    assert np.array_equal(m.times(weighted, conjugate.T), table.classes.table.order * np.eye(len(x), dtype=np.int64))
    assert np.array_equal(m.times(x.T, conjugate), np.diag(table.classes.centralizers))
    # The number of solutions of g^2 = 1, after Frobenius and Schur.
    involutions = int(table.classes.sizes[table.classes.orders <= 2].sum())
    assert sum(d * s for d, s in zip(table.degrees, table.indicators, strict=True)) == involutions


def test_exact_values_are_orthogonal(small_book: Any) -> None:
    table = rc.character_table(small_book.make())
    values, sizes = table.values, table.classes.sizes.tolist()
    for i, row in enumerate(values):
        for j, other in enumerate(values):
            total = sum((x * y.conjugate() * n for x, y, n in zip(row, other, sizes, strict=True)), ZERO)
            assert total == (table.classes.table.order if i == j else 0)
    columns = list(zip(*values, strict=True))
    for i, column in enumerate(columns):
        for j, other in enumerate(columns):
            total = sum((x * y.conjugate() for x, y in zip(column, other, strict=True)), ZERO)
            assert total == (int(table.classes.centralizers[i]) if i == j else 0)


def test_products_of_characters_are_sums_of_characters(small_book: Any) -> None:
    # Orthogonality alone is also obeyed by tables that mix conjugate columns; closure under products is not.
    table = rc.character_table(small_book.make())
    values = np.array(table.values, dtype=object)
    for i in range(len(table)):
        for j in range(i, len(table)):
            found = table.inner_products(table.residues[i] * table.residues[j] % table.modulus.prime)
            assert sum(int(m) * d for m, d in zip(found, table.degrees, strict=True)) == table.degrees[i] * table.degrees[j]
            assert np.array_equal(values[i] * values[j], np.dot(found.astype(object), values))


def test_classes_are_those_of_the_definition(small_book: Any) -> None:
    group = small_book.make()
    table, found = elements(group), rc.character_table(group).classes
    every = np.arange(table.order)
    for e in range(table.order):
        conjugates = table.products(table.products(table.inverses, np.array(e)), every)
        assert np.array_equal(np.unique(conjugates), np.flatnonzero(found.of == found.of[e]))
    for k in (-2, -1, 0, 2, 3, 5):
        for j, e in enumerate(found.representatives.tolist()):
            x = 0
            for _ in range(abs(k)):
                x = int(table.products(np.array(x), np.array(e)))
            x = int(table.inverses[x]) if k < 0 else x
            assert found.of[x] == found.power(k)[j]


def test_printed_tables_of_the_quaternions_and_of_the_icosahedron() -> None:
    assert str(rc.character_table(rc.quaternion())).splitlines() == [
        "         1a  2a  4a  4b  4c",
        "size      1   1   2   2   2",
        "0     +   1   1   1   1   1",
        "1     +   1   1   1  -1  -1",
        "2     +   1   1  -1   1  -1",
        "3     +   1   1  -1  -1   1",
        "4     -   2  -2   0   0   0",
    ]
    table = rc.character_table(rc.icosahedral())
    golden = rc.number("(1 + sqrt(5))/2")
    assert {table.value(1, 3), table.value(1, 4)} == {golden, 1 - golden}
    assert table.values[4] == (5, 1, -1, 0, 0)
    assert [[int(x.real) for x in row] for row in rc.character_table(rc.symmetric(4)).to_numpy()] == [
        [1, 1, 1, 1, 1],
        [1, 1, -1, 1, -1],
        [2, 2, 0, -1, 0],
        [3, -1, 1, 0, -1],
        [3, -1, -1, 0, 1],
    ]


def test_the_order_does_not_depend_on_the_generators() -> None:
    s, t = rc.dihedral(10).discrete
    one = rc.character_table(rc.dihedral(10))
    two = rc.character_table(rc.Group([t @ s, t, s @ s @ s, t]))
    assert one.values == two.values
    assert one.classes.of.tolist() == two.classes.of.tolist()


def test_rows_are_sorted_as_documented() -> None:
    table = rc.character_table(rc.PermutationGroup(["(0 1 2 3 4 5 6)", "(1 2)(3 6)"]))
    assert table.degrees == (1, 3, 3, 6, 7, 8)
    assert table.galois_orbits == ((0,), (1, 2), (3,), (4,), (5,))
    assert table.conjugates.tolist() == [0, 2, 1, 3, 4, 5]
    assert set(table.values[0]) == {rc.number(1)}
    m11 = rc.character_table(rc.PermutationGroup(["(0 1 2 3 4 5 6 7 8 9 10)", "(2 6 10 7)(3 9 4 5)"]))
    # Rational before irrational, complex conjugates next to each other.
    assert m11.degrees == (1, 10, 10, 10, 11, 16, 16, 44, 45, 55)
    assert m11.indicators == (1, 1, 0, 0, 1, 0, 0, 1, 1, 1)
    assert [len(rows) for rows in m11.galois_orbits] == [1, 1, 2, 1, 2, 1, 1, 1]


def test_real_and_rational_representations() -> None:
    table = rc.character_table(rc.quaternion())
    assert [(r.type, r.dim) for r in table.real] == [("real", 1)] * 4 + [("quaternionic", 4)]
    assert [(r.schur_index, r.dim) for r in table.rational] == [(1, 1)] * 4 + [(2, 4)]
    five = rc.character_table(rc.PermutationGroup(["(0 1 2 3 4)"]))
    assert [(r.type, r.dim) for r in five.real] == [("real", 1), ("complex", 2), ("complex", 2)]
    assert [(r.rows, r.dim) for r in five.rational] == [((0,), 1), ((1, 2, 3, 4), 4)]
    for group in (rc.symmetric(6), rc.hyperoctahedral(4), rc.alternating(5), rc.alternating(6)):
        assert {r.schur_index for r in rc.character_table(group).rational} == {1}
    # Over the rationals dimensions of irreps of a cyclic group are Euler's function of the divisors.
    twelve = rc.character_table(rc.PermutationGroup(["(0 1 2 3 4 5 6 7 8 9 10 11)"]))
    assert sorted(r.dim or 0 for r in twelve.rational) == [1, 1, 2, 2, 2, 4]


def test_galois_conjugation_is_a_permutation_of_rows() -> None:
    table = rc.character_table(rc.PermutationGroup(["(0 1 2 3 4)"]))
    moved = table.galois(2)
    for row, other in enumerate(moved.tolist()):
        assert [x.galois(2) if x.conductor > 1 else x for x in table.values[row]] == list(table.values[other])
    with pytest.raises(rc.DeclarationError, match="prime to the exponent"):
        table.galois(5)


def test_large_and_infinite_groups_are_refused() -> None:
    with pytest.raises(rc.GroupTooLargeError, match=r"3,628,800 elements.*solve"):
        rc.character_table(rc.symmetric(10))
    with pytest.raises(rc.GroupTooLargeError, match="Lie"):
        rc.character_table(rc.SO(3))
    with pytest.raises(rc.GroupTooLargeError, match="infinite"):
        rc.character_table(rc.Group([[[1, 1], [0, 1]]]))
    with pytest.raises(rc.GroupTooLargeError, match="4,096 conjugacy classes"):
        rc.character_table(rc.PermutationGroup([f"({2 * i} {2 * i + 1})" for i in range(12)]))
    with pytest.raises(rc.IncompatibleError, match="expected a group"):
        rc.character_table(rc.symmetric(3).rep)  # type: ignore[arg-type]


def test_a_planted_error_in_a_table_is_found() -> None:
    # The laws above can fail: exchanging two columns of equal size breaks the closure under powers.
    table = rc.character_table(rc.icosahedral())
    broken: Any = table.residues.copy()
    broken[1, [3, 4]] = broken[1, [4, 3]]
    p = table.modulus.prime
    products = (broken * table.classes.sizes) @ broken[:, table.classes.inverse].T.astype(object) % p
    assert not np.array_equal(products, table.classes.table.order * np.eye(5, dtype=object))
