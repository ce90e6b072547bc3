"""Groups as values: repr, equality, digests, products."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from itertools import permutations, product
from typing import Any

import pytest

import repcore as rc
from repcore.exact.matrix import block_diag, identity, zeros

TURN = [[0, -1], [1, 0]]
FLIP = [[1, 0], [0, -1]]

GROUPS: list[Any] = [
    *(f"cyclic({n})" for n in (1, 2, 3, 4, 5, 7, 8)),
    *(f"dihedral({n})" for n in (1, 2, 3, 8)),
    *(f"symmetric({n})" for n in (1, 2, 3, 5)),
    *(f"alternating({n})" for n in (1, 2, 3, 5)),
    *(f"hyperoctahedral({n})" for n in (1, 2, 3)),
    *("quaternion()", "quaternion(12)", "tetrahedral()", "tetrahedral(full=True)", "octahedral()"),
    *("octahedral(full=True)", "icosahedral()", "icosahedral(full=True)", "lorentz()", "lorentz(full=True)"),
    *("SO(2)", "SO(4)", "O(1)", "O(3)", "SU(2)", "SU(3)", "U(1)", "U(2)", "Sp(2)", "Sp(4)", "SL(2)", "GL(1)", "GL(2)"),
    *("SE(1)", "SE(2)", "E(2)", "translations(2)", "affine(1)", "affine(2)", "scaling(2)"),
    "Group(dim=2)",
    "Group(dim=2, name='nothing')",
    f"Group({[TURN]})",
    f"Group({[FLIP]}, {[TURN]}, 'it\\'s \"mine\"')",
    f"Group(lie={[TURN]}, name='\\n')",
    "Group([[['sqrt(2)/2', '-sqrt(2)/2'], ['sqrt(2)/2', 'sqrt(2)/2']]])",
    "Group([[['zeta(7)', 0], [0, '1/2 + I']]])",
    "Group(lie=[[[0, 3**80], ['-1/7', 0]]])",
    "PermutationGroup([[1, 2, 0, 3], '(0 1)'])",
    "PermutationGroup([], degree=3)",
    "PermutationGroup(['(0 1)(2 3)'], name='swap')",
    "symmetric(3) @ cyclic(4)",
    "symmetric(3) @ cyclic(4) @ SO(2)",
    "SO(3) @ SO(3)",
    "Group(dim=1) @ cyclic(2)",
    "Group([[[-1]]], name='sign') @ PermutationGroup(['(0 1)'])",
    "direct_product(cyclic(2), cyclic(3), cyclic(5))",
    "direct_product(cyclic(4))",
]


@pytest.mark.parametrize("text", GROUPS)
def test_repr_evaluates_back(text: str) -> None:
    group = build(text)
    back = build(repr(group))
    assert type(back) is rc.Group
    assert back == group
    assert hash(back) == hash(group)
    assert back.digest == group.digest
    assert repr(back) == repr(group)
    assert (back.name, back.factors, back.dim) == (group.name, group.factors, group.dim)


@pytest.mark.parametrize("text", GROUPS)
def test_groups_survive_pickling(text: str) -> None:
    group = build(text)
    back = pickle.loads(pickle.dumps(group))  # noqa: S301  # made a line ago
    assert back == group
    assert back.digest == group.digest
    assert repr(back) == repr(group)


def test_different_groups_differ() -> None:
    groups = [build(text) for text in GROUPS]
    ordered = [(g.dim, *(str([m.tolist() for m in part]) for part in (g.discrete, g.lie)), g.factors) for g in groups]
    as_sets = [(g.dim, *(sorted({str(m.tolist()) for m in part}) for part in (g.discrete, g.lie)), g.factors) for g in groups]
    for i, j in product(range(len(groups)), repeat=2):
        assert (groups[i] == groups[j]) == (ordered[i] == ordered[j])
        assert (groups[i].digest == groups[j].digest) == (as_sets[i] == as_sets[j])
    assert len(set(groups)) < len(groups)  # Group([TURN]) is cyclic(4)


def test_digest_ignores_order_repetition_and_name() -> None:
    third = [[0, 1], [1, 0]]
    expected = rc.Group([TURN, FLIP, third], [TURN, FLIP]).digest
    for shuffled in permutations([TURN, FLIP, third]):
        assert rc.Group(list(shuffled), [FLIP, TURN], "other").digest == expected
    assert rc.Group([TURN, TURN, FLIP, third, FLIP], [FLIP, TURN, TURN]).digest == expected
    assert rc.Group([TURN, FLIP], [TURN, FLIP]).digest != expected
    assert rc.Group([TURN, FLIP, third], [TURN]).digest != expected


def test_digest_tells_discrete_from_lie() -> None:
    assert rc.Group([TURN]).digest != rc.Group(lie=[TURN]).digest
    assert rc.Group(dim=2).digest != rc.Group(dim=3).digest


def test_equality_is_by_generators_in_order() -> None:
    assert rc.Group([TURN, FLIP]) == rc.Group([TURN, FLIP], name="D4") == rc.dihedral(4)
    assert rc.Group([TURN, FLIP]) != rc.Group([FLIP, TURN])
    assert rc.Group([TURN, TURN]) != rc.Group([TURN])
    assert rc.cyclic(4) != "cyclic(4)"
    assert rc.cyclic(4) != 4
    assert len({rc.cyclic(4), rc.Group([TURN]), rc.dihedral(4)}) == 2


def test_groups_are_frozen() -> None:
    group = rc.cyclic(4)
    with pytest.raises(FrozenInstanceError):
        group.name = "other"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        group.discrete = ()  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        group.discrete[0].nums[0] = 5


def test_the_declaration_is_copied() -> None:
    source = [[[0, -1], [1, 0]]]
    group = rc.Group(source)
    source[0][0][0] = 7
    assert group == rc.Group([TURN])


# ------------------------------------------------------------------------------------------------------------- products


def test_product_generators_are_block_diagonal() -> None:
    G, H = rc.dihedral(4), rc.O(3)
    both = G @ H
    assert both.dim == 5
    assert both.factors == (G, H)
    assert both.name == "D4 x O(3)"
    expected = [block_diag([g, identity(3)]) for g in G.discrete] + [block_diag([identity(2), h]) for h in H.discrete]
    assert list(both.discrete) == expected
    assert list(both.lie) == [block_diag([zeros((2, 2)), a]) for a in H.lie]


def test_products_are_associative() -> None:
    G, H, K = rc.cyclic(3), rc.SO(2), rc.symmetric(3)
    left, right = (G @ H) @ K, G @ (H @ K)
    assert left == right == rc.direct_product(G, H, K)
    assert left.digest == right.digest
    assert repr(left) == repr(right)
    assert left.factors == (G, H, K)
    assert G @ H != H @ G
    assert (G @ H).digest != (H @ G).digest


def test_orders_multiply() -> None:
    assert rc.order(rc.dihedral(3) @ rc.cyclic(4)) == 24
    assert rc.order(rc.symmetric(5) @ rc.symmetric(5)) == 14400
    assert rc.order(rc.icosahedral() @ rc.quaternion()) == 480
    assert rc.order(rc.Group(dim=2) @ rc.Group(dim=1)) == 1


def test_a_product_of_one_group_is_the_group() -> None:
    assert rc.direct_product(rc.cyclic(4)) == rc.cyclic(4)


def test_a_product_of_no_groups_is_refused() -> None:
    with pytest.raises(rc.DeclarationError, match="group"):
        rc.direct_product()


@pytest.mark.parametrize("other", [3, "C4", None, rc.cyclic(4).rep])
def test_only_groups_multiply(other: Any) -> None:
    with pytest.raises((TypeError, rc.IncompatibleError, rc.DeclarationError)):
        rc.cyclic(4) @ other


def build(text: str) -> Any:
    return eval(text, dict(vars(rc)))  # noqa: S307  # our own repr, and expressions of this file
