"""The real irreducible representations of finite groups, as matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.exact.matrix import block_diag, identity
from repcore.groups.finite import elements


def test_irreps_are_representations_with_their_characters(medium_book: Any) -> None:
    group = medium_book.make()
    table, found = rc.character_table(group), rc.irreps(group)
    assert len(found) == len(table.real)
    assert found[0] == rc.trivial(group)
    for rep, real in zip(found, table.real, strict=True):
        assert rep.dim == real.dim
        assert all(m.field.is_real for m in rep.matrices)
        # Equal to the row, or the sum of two rows: so it is irreducible over the reals, and no two are equivalent.
        copies = 2 if real.type == "quaternionic" else 1
        assert rc.character(rep).multiplicities == tuple(copies * (i in real.rows) for i in range(len(table)))


@pytest.mark.parametrize(
    "group",
    [
        rc.symmetric(4),
        rc.quaternion(12),
        rc.alternating(5),
        rc.icosahedral(full=True),
        rc.hyperoctahedral(3),
        rc.tetrahedral(),
        rc.cyclic(7),
        rc.dihedral(5) @ rc.cyclic(3),
        rc.Group([[["I", 0], [0, "-I"]], [[0, 1], [-1, 0]]], name="Q8 on C2"),
        rc.PermutationGroup(["(0 1 2 3 4 5 6)", "(1 2)(3 6)"]),
        rc.alternating(6),
    ],
    ids=str,
)
def test_the_matrices_obey_every_relation_of_the_generators(group: Any) -> None:
    # The group of pairs (g, rho(g)) is no larger than the group; for all irreps at once.
    found = rc.irreps(group)
    sums = [block_diag([g, *(rep.matrix(i) for rep in found)]) for i, g in enumerate(group.discrete)]
    assert elements(rc.Group(sums)).order == rc.order(group)
    # Declaring them anew has every relation checked.
    for rep in found[1:3]:
        assert rc.Rep(group, rep.matrices).checked == "proved"


def test_the_regular_representation_holds_each_as_often_as_it_should() -> None:
    group = rc.symmetric(4)
    found = rc.irreps(group)
    for rep in found:
        assert rc.solve(rep >> rc.regular(group), store=None).dim == rep.dim
        assert rc.solve(rep >> rep, store=None).dim == 1
    for rep in rc.irreps(rc.quaternion())[4:]:
        assert rc.solve(rep >> rep, store=None).dim == 4


def test_irreps_are_used_in_expressions() -> None:
    group = rc.icosahedral()
    found, V = rc.irreps(group), group.rep
    X = 2 * found[3] + V
    assert str(X) == "2*irreps[3] + V"
    assert X.dim == 11
    assert rc.solve(X >> X, store=None).dim == 5 == rc.hom_dimension(X, X)
    assert rc.hom_dimension(V.sym(2), found[4]) == 1
    assert str(rc.trivial(group) * found[1]) == "irreps[1]"


def test_they_do_not_depend_on_the_generators_written_first() -> None:
    s, t = rc.dihedral(4).discrete
    one = rc.character_table(rc.Group([s, t]))
    two = rc.character_table(rc.Group([t, s]))
    assert [r.rows for r in one.real] == [r.rows for r in two.real]
    for a, b in zip(rc.irreps(rc.Group([s, t])), rc.irreps(rc.Group([t, s])), strict=True):
        assert rc.character(a).values == rc.character(b).values


def test_fields_are_small() -> None:
    # Representations of symmetric groups are rational, those of H3 live over Q(sqrt 5).
    assert {m.field.name for rep in rc.irreps(rc.symmetric(6)) for m in rep.matrices} == {"QQ"}
    assert {m.field.name for rep in rc.irreps(rc.icosahedral(full=True)) for m in rep.matrices} == {"QQ", "QQ<sqrt(5)>"}
    assert max(abs(int(x)) for rep in rc.irreps(rc.symmetric(6)) for m in rep.matrices for x in m.nums.ravel()) <= 2


def test_the_trivial_group_and_a_zero_lie_generator() -> None:
    assert [rep.dim for rep in rc.irreps(rc.Group(dim=2))] == [1]
    group = rc.Group([[[0, 1], [1, 0]]], [[[0, 0], [0, 0]]])
    found = rc.irreps(group)
    assert [rep.matrix(0) for rep in found] == [identity(1), -identity(1)]
    assert all(rep.matrix(1).is_zero for rep in found)


def test_infinite_groups_are_refused() -> None:
    with pytest.raises(rc.GroupTooLargeError, match="Lie"):
        rc.irreps(rc.SO(3))
    with pytest.raises(rc.IncompatibleError, match="expected a group"):
        rc.irreps("S4")  # type: ignore[arg-type]


def test_large_degrees_come_from_tensor_products() -> None:
    # The 4-dimensional irrep of S5, cut out of the product of the 5- and the 6-dimensional one.
    from repcore.reps.constituents import in_product

    group = rc.symmetric(5)
    table, found = rc.character_table(group), rc.irreps(group)
    made = {real.rows[0]: rep.matrices for rep, real in zip(found, table.real, strict=True) if rep.dim > 4}
    target = next(row for row, d in enumerate(table.degrees) if d == 4)
    shown = in_product(table, target, made)
    assert shown is not None
    rep = rc.Rep(group, shown)
    assert rep.checked == "proved"
    assert rc.character(rep).multiplicities == tuple(int(i == target) for i in range(len(table)))
    assert np.all([m.field.degree == 1 for m in shown])


def test_matrices_of_real_type_come_from_real_matrices() -> None:
    from repcore.reps.constituents import in_product

    group = rc.alternating(4)
    table = rc.character_table(group)
    lines = [row for row, d in enumerate(table.degrees) if d == 1 and table.indicators[row] == 0]
    shown = {
        row: tuple(rc.matrix([[table.value(row, int(table.classes.of[g]))]]) for g in table.classes.table.generators)
        for row in lines
    }
    one, other = lines
    # The product of the two is trivial, and that of one with itself is the other.
    assert in_product(table, 0, shown) is None
    assert in_product(table, other, {one: shown[one]}) == shown[other]
    assert in_product(table, one, {}) is None


def test_what_takes_too_long_to_cut_out_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    from repcore.reps import constituents

    group = rc.symmetric(5)
    table, found = rc.character_table(group), rc.irreps(group)
    made = {real.rows[0]: rep.matrices for rep, real in zip(found, table.real, strict=True) if rep.dim != 4}
    target = next(row for row, d in enumerate(table.degrees) if d == 4)
    assert constituents.in_product(table, target, made) is not None
    # Products of lines are too small, and the sign times a 6-dimensional one does not hold it.
    assert constituents.in_product(table, target, {row: m for row, m in made.items() if m[0].shape[0] == 1}) is None
    monkeypatch.setattr(constituents, "_TERMS", 0)
    assert constituents.in_product(table, target, made) is None
