"""The list of elements of a finite group."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.exact.matrix import Matrix, identity, inverse, permutation_matrix
from repcore.groups.finite import elements

GROUPS = [
    rc.cyclic(5),
    rc.dihedral(6),
    rc.symmetric(4),
    rc.alternating(4),
    rc.quaternion(12),
    rc.hyperoctahedral(3),
    rc.tetrahedral(full=True),
    rc.dihedral(3) @ rc.cyclic(2),
    rc.Group([[["I", 0], [0, "-I"]], [[0, 1], [-1, 0]]], name="Q8 on C2"),
    rc.Group([[["zeta(3)"]]], name="mu3"),
    rc.Group([[[0, -1], [1, -1]], [[0, 1], [1, 0]]], name="p31m"),
    rc.Group([[[1, 3], [0, -1]]], name="oblique reflection"),
    rc.Group(dim=2, name="trivial"),
    rc.Group([identity(2)], name="identity"),
]
IDS = [str(g) for g in GROUPS]


@pytest.mark.parametrize("group", GROUPS, ids=IDS)
def test_elements_are_a_group_of_distinct_permutations(group: Any) -> None:
    table = elements(group)
    images = table.images
    assert table.order == len(images) == rc.order(group)
    assert len(np.unique(images, axis=0)) == table.order
    assert images[0].tolist() == list(range(images.shape[1]))
    assert np.array_equal(np.sort(images, axis=1), np.broadcast_to(np.arange(images.shape[1]), images.shape))
    # In lexicographic order, and closed.
    assert images.tolist() == sorted(images.tolist())
    known = {row.tobytes() for row in images}
    assert all(a[b].tobytes() in known for a in images for b in images[:10])


@pytest.mark.parametrize("group", GROUPS, ids=IDS)
def test_words_multiply_to_their_element(group: Any) -> None:
    table = elements(group)
    for e in range(table.order):
        product = word(group, table.word(e))
        assert table.find(product) == e
        # The permutation is what the matrix does to the points.
        assert product @ table.points == table.points @ permutation_matrix(table.images[e].tolist())
        assert table.find_permutation(table.images[e]) == e


@pytest.mark.parametrize("group", GROUPS, ids=IDS)
def test_products_and_inverses_are_found(group: Any) -> None:
    table = elements(group)
    rng = random.Random(0)  # noqa: S311  # picks elements, seeded
    for _ in range(10):
        e, f = rng.randrange(table.order), rng.randrange(table.order)
        g, h = word(group, table.word(e)), word(group, table.word(f))
        assert table.find(g @ h) == table.find_permutation(table.images[e][table.images[f]])
        back = table.find(inverse(g))
        assert back is not None
        assert table.images[back][table.images[e]].tolist() == table.images[0].tolist()


def test_what_is_not_an_element_is_not_found() -> None:
    table = elements(rc.cyclic(4))
    assert table.find(rc.matrix([[1, 0], [0, -1]])) is None
    assert table.find(rc.matrix([[2, 0], [0, 2]])) is None
    assert table.find_permutation(np.array([1, 0, 2, 3])) is None
    # The columns are points, but the matrix is another one.
    assert elements(rc.alternating(4)).find(permutation_matrix([1, 0, 2, 3])) is None


def test_numbering_does_not_depend_on_the_generators() -> None:
    s, t = rc.dihedral(6).discrete
    one = elements(rc.dihedral(6))
    two = elements(rc.Group([t @ s, t, s @ s @ s, t]))
    assert one.points == two.points
    assert np.array_equal(one.images, two.images)


def test_large_groups_are_refused_by_their_number() -> None:
    with pytest.raises(rc.GroupTooLargeError, match="more than 100 elements"):
        elements(rc.symmetric(6), 100)
    with pytest.raises(rc.GroupTooLargeError, match="more than"):
        rc.regular(rc.symmetric(12))
    with pytest.raises(rc.GroupTooLargeError, match="Lie"):
        elements(rc.O(2))
    assert elements(rc.Group([[[0, 1], [1, 0]]], [[[0, 0], [0, 0]]])).order == 2


@pytest.mark.parametrize(
    "generator",
    [[[1, 1], [0, 1]], [[2, 1], [1, 1]], [[2]], [["1/2"]], [["3/5", "-4/5"], ["4/5", "3/5"]], [["1 + sqrt(2)"]]],
    ids=str,
)
def test_an_infinite_group_is_recognised_soon(generator: Any) -> None:
    group = rc.Group([generator])
    began = time.process_time()
    with pytest.raises(rc.GroupTooLargeError, match="infinite"):
        rc.order(group)
    with pytest.raises(rc.GroupTooLargeError, match="infinite"):
        rc.regular(group)
    # Listing vectors up to the budget takes this machine 8 s and more; an exact test of one generator takes milliseconds.
    assert time.process_time() - began < 5


def test_two_finite_generators_of_an_infinite_group() -> None:
    # The infinite dihedral group, by two reflections.
    group = rc.Group([[[-1, 0], [0, 1]], [[-1, 1], [0, 1]]])
    with pytest.raises(rc.GroupTooLargeError, match="infinite"):
        elements(group, 1000)


def word(group: Any, letters: tuple[int, ...]) -> Matrix:
    out = identity(group.dim)
    for letter in letters:
        out = out @ group.discrete[letter]
    return out


def test_order_names_what_is_no_group() -> None:
    with pytest.raises(rc.IncompatibleError, match=r"group: expected a group, got Defining; write order\(G\)"):
        rc.order(rc.cyclic(3).rep)  # type: ignore[arg-type]
