"""Permutation representations of finite groups: regular, on cosets, on points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.exact.matrix import Matrix, identity
from repcore.groups.finite import elements
from repcore.reps.action import discrete_image

S4 = rc.symmetric(4)
D6 = rc.dihedral(6)

FINITE = [
    rc.cyclic(6),
    rc.dihedral(5),
    rc.symmetric(4),
    rc.alternating(4),
    rc.quaternion(),
    rc.octahedral(),
    rc.cyclic(2) @ rc.dihedral(3),
    rc.Group(dim=2),
    rc.Group([[["zeta(5)"]]]),
]


def all_matrices(group: Any) -> list[Matrix]:
    table = elements(group)
    out = []
    for e in range(table.order):
        m = identity(group.dim)
        for letter in table.word(e):
            m = m @ group.discrete[letter]
        out.append(m)
    return out


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_regular_representation(group: Any) -> None:
    rep = rc.regular(group)
    n = rc.order(group)
    assert rep.dim == n
    members = all_matrices(group)
    for g in members[:12]:
        shown = discrete_image(rep, g)
        assert shown.is_permutation
        # The character is n at the identity and 0 elsewhere.
        assert sum((shown[i, i] for i in range(n)), rc.number(0)) == (n if g.is_identity else 0)
        # g e_h = e_gh in the numbering of the elements.
        for h in range(n):
            assert shown[elements(group).find(g @ members[h]) or 0, h] == 1


SUBGROUPS: list[tuple[Any, Any]] = [
    (D6, rc.cyclic(6)),
    (D6, rc.cyclic(3)),
    (D6, rc.cyclic(2)),
    (D6, rc.dihedral(2)),
    (D6, rc.Group([[[1, 0], [0, -1]]])),
    (D6, D6),
    (D6, rc.Group(dim=2)),
    (S4, rc.alternating(4)),
    (S4, rc.PermutationGroup(["(0 1 2)", "(0 1)"], degree=4)),
    (S4, rc.PermutationGroup(["(0 1)(2 3)"])),
    (S4, rc.PermutationGroup([[0, 1, 2, 3]])),
    (rc.icosahedral(), rc.tetrahedral()),
    (rc.octahedral(full=True), rc.tetrahedral(full=True)),
]


@pytest.mark.parametrize(("group", "subgroup"), SUBGROUPS, ids=[f"{g} / {h}" for g, h in SUBGROUPS])
def test_quotient_is_the_permutation_of_cosets(group: Any, subgroup: Any) -> None:
    """Against the definition, with cosets as sets of matrices."""
    rep = rc.quotient(group, subgroup)
    assert rep.dim * rc.order(subgroup) == rc.order(group)
    members = [str(m.tolist()) for m in all_matrices(group)]
    inside = all_matrices(subgroup)
    cosets: list[frozenset[str]] = []
    for g in all_matrices(group):  # in the canonical order of the elements
        coset = frozenset(str((g @ h).tolist()) for h in inside)
        if coset not in cosets:
            cosets.append(coset)
    assert set().union(*cosets) == set(members)
    assert len(cosets) == rep.dim
    firsts = {c: next(g for g in all_matrices(group) if str(g.tolist()) in c) for c in cosets}
    for s, shown in zip(group.discrete, rep.matrices, strict=True):
        assert shown.is_permutation
        for i, c in enumerate(cosets):
            moved = str((s @ firsts[c]).tolist())
            target = next(j for j, d in enumerate(cosets) if moved in d)
            assert shown[target, i] == 1


def test_quotients_of_the_book() -> None:
    assert rc.quotient(S4, S4).matrices == (identity(1), identity(1))
    point = rc.PermutationGroup(["(0 1)", "(0 1 2)"], degree=4)  # the stabiliser of point 3
    action = rc.quotient(S4, point)
    assert action.dim == 4
    # Same character as on points: the representations are equivalent.
    for g in all_matrices(S4):
        shown = discrete_image(action, g)
        assert sum((shown[i, i] - g[i, i] for i in range(4)), rc.number(0)) == 0


def test_order_of_cosets_does_not_depend_on_generators() -> None:
    a, b = D6.discrete
    other = rc.Group([b, a @ b, a, a])
    one, two = rc.quotient(D6, rc.cyclic(2)), rc.quotient(other, rc.Group([rc.cyclic(2).discrete[0], identity(2)]))
    assert discrete_image(one, a) == discrete_image(two, a)
    assert discrete_image(one, b) == discrete_image(two, b)
    assert discrete_image(rc.regular(D6), a) == discrete_image(rc.regular(other), a)


@pytest.mark.parametrize(
    ("group", "subgroup", "error"),
    [
        (rc.cyclic(4), rc.cyclic(3), rc.RepresentationError),
        (rc.cyclic(4), rc.dihedral(4), rc.RepresentationError),
        (rc.cyclic(4), rc.octahedral(), rc.RepresentationError),
        (rc.alternating(4), rc.symmetric(4), rc.RepresentationError),
        (rc.dihedral(4), rc.SO(2), rc.RepresentationError),
        (rc.dihedral(4), rc.Group(dim=3), rc.RepresentationError),
        (rc.SO(2), rc.cyclic(4), rc.GroupTooLargeError),
        (rc.O(2), rc.Group(dim=2), rc.GroupTooLargeError),
    ],
    ids=str,
)
def test_what_is_no_subgroup_is_refused(group: Any, subgroup: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="group"):
        rc.quotient(group, subgroup)


def test_action_of_a_foreign_element_is_refused() -> None:
    with pytest.raises(rc.RepresentationError, match="not an element"):
        discrete_image(rc.regular(rc.cyclic(4)), rc.matrix([[1, 0], [0, -1]]))


# ------------------------------------------------------------------------------------------------------------- on points


def test_points_of_a_permutation_group() -> None:
    assert rc.permutation(S4) == S4.rep
    with pytest.raises(rc.RepresentationError, match="images"):
        rc.permutation(D6)
    with pytest.raises(rc.RepresentationError):
        rc.permutation(rc.SO(2))


def test_given_points() -> None:
    rep = rc.permutation(rc.dihedral(4), ["(0 1 2 3)", "(0 3)(1 2)"], name="corners")
    assert rep.checked == "proved"  # type: ignore[attr-defined]
    assert str(rep) == "corners"
    assert [m.is_permutation for m in rep.matrices] == [True, True]
    assert rep.matrix(0)[1, 0] == 1
    images = rc.permutation(rc.dihedral(4), [[1, 2, 3, 0], np.array([3, 2, 1, 0])])
    assert images.matrices == rep.matrices


@pytest.mark.parametrize(
    ("group", "images"),
    [
        (rc.cyclic(4), ["(0 1 2)"]),  # an element of order 4 moved like one of order 3
        (rc.dihedral(4), ["(0 1 2 3)", "(0 1)"]),  # the relation s r s = r^-1 is broken
        (rc.dihedral(4), ["(0 1 2 3)"]),  # one image for two generators
        (rc.SO(2), []),
        (rc.O(2), ["(0 1)"]),
        (rc.Group(dim=2), []),
    ],
    ids=str,
)
def test_points_that_break_a_relation_are_refused(group: Any, images: Any) -> None:
    with pytest.raises(rc.RepresentationError):
        rc.permutation(group, images)


def test_points_that_are_no_permutation_are_refused() -> None:
    with pytest.raises(rc.DeclarationError, match=r"images\[0\]"):
        rc.permutation(rc.cyclic(4), ["(0 1"])


def test_a_zero_lie_generator_moves_no_point() -> None:
    group = rc.Group([[[0, 1], [1, 0]]], [[[0, 0], [0, 0]]])
    rep = rc.permutation(group, ["(0 1)(2 3)"])
    assert rep.matrix(1).is_zero
    assert rep.matrix(1).shape == (4, 4)
    assert rc.solve(rep >> rep, store=None).dim == 8
