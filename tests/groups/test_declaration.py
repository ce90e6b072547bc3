"""What a group may be declared by, and what the messages say about the rest."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sympy

import repcore as rc

TURN = [[0, -1], [1, 0]]
FLIP = [[1, 0], [0, -1]]
NAN = float("nan")

# arguments, error, place in the message, word of the repair
BAD: list[tuple[dict[str, Any], type[Exception], str, str]] = [
    # entries
    ({"discrete": [TURN, [[1, 0], [0, NAN]]]}, rc.NumberError, "discrete[1][1][1]", "nan"),
    ({"discrete": [TURN, [[1, 0.1], [0, 1]]]}, rc.NumberError, "discrete[1][0][1]", "write the string"),
    ({"discrete": [[[0.5, 0], [0, 2]]]}, rc.NumberError, "discrete[0][0][0]", '"1/2"'),
    ({"discrete": [np.array([[0.0, -1.0], [1.0, 0.0]])]}, rc.NumberError, "discrete[0][0]", "write"),
    ({"lie": [[[0, float("inf")], [1, 0]]]}, rc.NumberError, "lie[0][0][1]", "inf"),
    ({"discrete": [TURN, [[1, "x"], [0, 1]]]}, rc.NumberError, "discrete[1][0][1]", "'x'"),
    ({"discrete": [[["__import__('os')", 0], [0, 1]]]}, rc.NumberError, "discrete[0][0][0]", "__import__"),
    ({"discrete": [[["exp(1)", 0], [0, 1]]]}, rc.NumberError, "discrete[0][0][0]", "exp"),
    ({"discrete": [[["1/0", 0], [0, 1]]]}, rc.NumberError, "discrete[0][0][0]", "zero"),
    ({"discrete": [[["sqrt(sqrt(2))", 0], [0, 1]]]}, rc.NumberError, "discrete[0][0][0]", "sqrt"),
    ({"discrete": [[["", 0], [0, 1]]]}, rc.NumberError, "discrete[0][0][0]", ""),
    ({"discrete": [[[None, 0], [0, 1]]]}, rc.NumberError, "discrete[0][0][0]", "None"),
    ({"discrete": [[[True, 0], [0, 1]]]}, rc.NumberError, "discrete[0][0][0]", "truth"),
    ({"discrete": [sympy.Matrix([[sympy.Symbol("t")]])]}, rc.NumberError, "discrete[0][0][0]", "t"),
    ({"discrete": [[[0.1]]], "allow_floats": True}, rc.NumberError, "discrete[0][0][0]", "0.1"),
    ({"discrete": [[[NAN]]], "allow_floats": True}, rc.NumberError, "discrete[0][0][0]", "nan"),
    # shapes
    ({"discrete": [TURN, [[1, 0], [0]]]}, rc.DeclarationError, "discrete[1][1]", "same length"),
    ({"discrete": [[[1, 0, 0], [0, 1, 0]]]}, rc.DeclarationError, "discrete[0]", "square"),
    ({"lie": [[[0, 1]]]}, rc.DeclarationError, "lie[0]", "square"),
    ({"discrete": [TURN, [[1]]]}, rc.DeclarationError, "discrete[1]", "same space"),
    ({"discrete": [TURN], "lie": [[[0]]]}, rc.DeclarationError, "lie[0]", "same space"),
    ({"discrete": [TURN], "dim": 3}, rc.DeclarationError, "discrete[0]", "dim"),
    ({"discrete": [[0, 1, 1, 0]]}, rc.DeclarationError, "discrete[0]", "flat list"),
    ({"discrete": TURN}, rc.DeclarationError, "discrete[0]", "discrete=[matrix]"),
    ({"discrete": np.array(TURN)}, rc.DeclarationError, "discrete", "list of matrices"),
    ({"lie": TURN}, rc.DeclarationError, "lie[0]", "lie=[matrix]"),
    ({"discrete": [1, 2]}, rc.DeclarationError, "discrete[0]", "list"),
    ({"discrete": [[]]}, rc.DeclarationError, "discrete[0]", ""),
    ({"discrete": [[[]]]}, rc.DeclarationError, "discrete[0]", ""),
    ({"discrete": [np.zeros((0, 0), int)]}, rc.DeclarationError, "discrete[0]", ""),
    ({"discrete": ["1 0; 0 1"]}, rc.DeclarationError, "discrete[0]", "list of rows"),
    ({"discrete": "C4"}, rc.DeclarationError, "discrete", "list of square matrices"),
    ({"discrete": 4}, rc.DeclarationError, "discrete", "list of square matrices"),
    ({"discrete": None}, rc.DeclarationError, "discrete", "list of square matrices"),
    ({"discrete": [None]}, rc.DeclarationError, "discrete[0]", ""),
    ({}, rc.DeclarationError, "discrete, lie", "dim=n"),
    ({"dim": 0}, rc.DeclarationError, "dim", "at least 1"),
    ({"dim": -1}, rc.DeclarationError, "dim", "at least 1"),
    ({"dim": 2.5}, rc.DeclarationError, "dim", ""),
    ({"dim": "2"}, rc.DeclarationError, "dim", ""),
    # invertibility
    ({"discrete": [TURN, [[1, 2], [2, 4]]]}, rc.DeclarationError, "discrete[1]", "lie=[...]"),
    ({"discrete": [[[0, 0], [0, 0]]]}, rc.DeclarationError, "discrete[0]", "singular"),
    ({"discrete": [[["sqrt(2)", 2], [1, "sqrt(2)"]]]}, rc.DeclarationError, "discrete[0]", "singular"),
    ({"discrete": [[[1, "I"], ["-I", 1]]]}, rc.DeclarationError, "discrete[0]", "singular"),
]


@pytest.mark.parametrize(("arguments", "error", "place", "repair"), BAD, ids=[str(row[0])[:50] for row in BAD])
def test_messages_name_the_place_and_the_repair(
    arguments: dict[str, Any], error: type[Exception], place: str, repair: str
) -> None:
    with pytest.raises(error) as caught:
        rc.Group(**arguments)
    message = str(caught.value)
    assert message.startswith(place), message
    assert repair in message, message
    assert isinstance(caught.value, rc.RepcoreError)


def test_one_group_in_every_notation() -> None:
    expected = rc.Group(discrete=[TURN, FLIP])
    half = "1/2"
    notations: list[list[Any]] = [
        [((0, -1), (1, 0)), ((1, 0), (0, -1))],
        [[["0", "-1"], ["1", "0"]], [["1", "0"], ["0", "-1"]]],
        [np.array(TURN), np.array(FLIP, np.int8)],
        [scipy.sparse.csr_array(np.array(TURN)), rc.matrix(FLIP)],
        [sympy.Matrix(TURN), sympy.ImmutableMatrix(FLIP)],
        [[[0, -Fraction(1)], [rc.number(1), 0]], [["2 - 1", 0], [0, "cos(pi)"]]],
    ]
    for given in notations:
        group = rc.Group(discrete=given)
        assert group == expected
        assert group.digest == expected.digest
    assert rc.Group([TURN, FLIP]) == rc.Group(np.array([TURN, FLIP])) == expected
    assert rc.Group([[[0.5]]], allow_floats=True) == rc.Group([[[half]]])


def test_the_declared_parts() -> None:
    group = rc.Group(discrete=[FLIP], lie=[TURN], name="mine")
    assert group.dim == 2
    assert group.generators == group.discrete + group.lie
    assert [m.tolist() for m in group.generators] == [FLIP, TURN]
    assert group.name == str(group) == "mine"
    assert not group.is_permutation
    assert group.rep.dim == 2
    assert rc.Group(dim=3).generators == ()
    assert rc.Group(dim=3).dim == 3
    assert rc.order(rc.Group(dim=3)) == 1


def test_a_lie_generator_may_be_singular_or_zero() -> None:
    assert rc.Group(lie=[[[0, 1], [0, 0]]]).dim == 2
    assert rc.Group(lie=[[[0, 0], [0, 0]]]).dim == 2


def test_is_permutation() -> None:
    assert rc.Group([[[0, 1], [1, 0]]]).is_permutation
    assert not rc.Group([[[0, -1], [1, 0]]]).is_permutation
    assert not rc.Group([[[0, 1], [1, 0]]], [TURN]).is_permutation
    assert rc.symmetric(4).is_permutation
    assert not rc.cyclic(3).is_permutation


def test_a_positional_third_argument_is_the_name() -> None:
    assert rc.Group([TURN], [], "quarter").name == "quarter"
