"""Permutation groups: images, cycles, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import repcore as rc
from repcore.groups.permutations import cycles, parse_permutation


def test_images_and_cycles_say_the_same() -> None:
    expected = rc.PermutationGroup([[1, 2, 0, 3], [1, 0, 2, 3]])
    assert rc.PermutationGroup(["(0 1 2)", "(0 1)"], degree=4) == expected
    assert rc.PermutationGroup([[1, 2, 0, 3], "(0 1)"]) == expected
    assert rc.PermutationGroup([(1, 2, 0, 3), np.array([1, 0, 2, 3])]) == expected
    assert rc.PermutationGroup(["(0, 1, 2)(3)", " ( 0 1 ) (2)(3)"]) == expected
    assert rc.PermutationGroup([[np.int64(1), 2, 0, 3], "(1 0)"]) == expected


def test_image_i_is_where_point_i_goes() -> None:
    g = rc.PermutationGroup([[1, 2, 0]]).discrete[0]
    assert g.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    # e_0 -> e_1
    assert [row[0] for row in g.tolist()] == [0, 1, 0]
    assert rc.PermutationGroup(["(0 1 2)"]).discrete[0] == g


@given(st.integers(1, 8).flatmap(lambda n: st.permutations(range(n))))
def test_cycle_notation_round_trip(images: list[int]) -> None:
    text = cycles(images)
    back = rc.PermutationGroup([text], degree=len(images))
    assert back == rc.PermutationGroup([images])
    moved = [i for i, x in enumerate(images) if i != x]
    assert parse_permutation(text, "g") == tuple(images[: max(moved, default=-1) + 1])


def test_cycles_of_the_identity() -> None:
    assert cycles([0, 1, 2]) == "()"
    assert rc.PermutationGroup(["()"], degree=3) == rc.PermutationGroup([[0, 1, 2]])
    assert rc.order(rc.PermutationGroup(["()"], degree=3)) == 1


def test_degree() -> None:
    assert rc.PermutationGroup(["(0 1)"]).dim == 2
    assert rc.PermutationGroup(["(0 1)"], degree=5).dim == 5
    assert rc.PermutationGroup(["(0 1)", "(2 6)"]).dim == 7
    assert rc.PermutationGroup([], degree=4).dim == 4
    assert rc.order(rc.PermutationGroup([], degree=4)) == 1
    assert rc.PermutationGroup([[0]]).dim == 1


def test_it_is_a_group_of_matrices() -> None:
    as_matrices = rc.Group([[[0, 0, 1], [1, 0, 0], [0, 1, 0]]])
    assert rc.PermutationGroup([[1, 2, 0]]) == as_matrices
    assert rc.PermutationGroup([[1, 2, 0]]).is_permutation
    assert rc.PermutationGroup([[1, 2, 0]], name="C3").name == "C3"


BAD: list[tuple[Any, dict[str, Any], str, str]] = [
    ([[0, 0, 1]], {}, "generators[0]", "2 is the image of nothing"),
    ([[1, 2, 3]], {}, "generators[0]", "counted from 0"),
    ([[1, 0], [0, 1, 2]], {}, "generators[0]", "names every point"),
    ([[0, -1]], {}, "generators[0][1]", "out of range"),
    ([[0, 10**9]], {}, "generators[0][1]", "out of range"),
    ([[0, 1.0]], {}, "generators[0][1]", "integers"),
    ([[True, False]], {}, "generators[0][0]", "integers"),
    ([["0", "1"]], {}, "generators[0][0]", "integers"),
    ([5], {}, "generators[0]", "list of images"),
    ([None], {}, "generators[0]", "list of images"),
    ([[[0, 1], [1, 0]]], {}, "generators[0][0]", "integers"),
    (["(0 1)(1 2)"], {}, "generators[0]", "disjoint"),
    (["(0 0)"], {}, "generators[0]", "twice"),
    (["0 1 2"], {}, "generators[0]", "cycles"),
    (["(0 1"], {}, "generators[0]", "cycles"),
    (["(0 1) x"], {}, "generators[0]", "cycles"),
    (["(0 -1)"], {}, "generators[0]", "cycles"),
    (["(a b)"], {}, "generators[0]", "cycles"),
    ([""], {}, "generators[0]", "cycles"),
    (["(0 99999999999)"], {}, "generators[0]", "out of range"),
    ("(0 1)", {}, "generators", "['(0 1)']"),
    (7, {}, "generators", "list of permutations"),
    ([1, 2, 0], {}, "generators[0]", "a single permutation is a list of one, [[1, 2, 0]]"),
    (["(0 1 2)"], {"degree": 2}, "generators", "degree=2"),
    ([[1, 0]], {"degree": 3}, "generators[0]", "acts on 3"),
    ([], {}, "degree", "at least one point"),
    ([[]], {}, "", "at least one point"),
    ([], {"degree": 0}, "degree", "at least one point"),
    ([], {"degree": -2}, "degree", "at least one point"),
    ([], {"degree": 2.5}, "degree", ""),
    (["(0 1)"], {"degree": "3"}, "degree", ""),
]


@pytest.mark.parametrize(("generators", "more", "place", "repair"), BAD, ids=[repr(row[:2])[:40] for row in BAD])
def test_what_is_no_permutation_is_refused(generators: Any, more: dict[str, Any], place: str, repair: str) -> None:
    with pytest.raises(rc.DeclarationError) as caught:
        rc.PermutationGroup(generators, **more)
    message = str(caught.value)
    assert message.startswith(place), message
    assert repair in message, message
