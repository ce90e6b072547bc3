"""Elements: exact in every representation, and the same as in floating point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import repcore as rc
from repcore.testing import Element, elements, groups, reps
from repcore.testing.element import step

few = settings(max_examples=80)
COMPACT = groups(compact=True, max_dim=3)


@few
@given(groups(max_dim=3).flatmap(lambda G: st.tuples(reps(G, max_dim=5), elements(G), elements(G))))
def test_elements_act_by_a_homomorphism(drawn: tuple[rc.Rep, Element, Element]) -> None:
    V, g, h = drawn
    assert (g @ h).matrix(V) == (g.matrix(V) @ h.matrix(V)).reduced()
    assert (g.matrix(V) @ g.inverse.matrix(V)).is_identity
    assert Element(V.group).matrix(V).is_identity
    # Another way to the dual: the inverse element, transposed.
    assert g.matrix(V.dual) == g.inverse.matrix(V).T


@few
@given(COMPACT.flatmap(lambda G: st.tuples(reps(G, max_dim=5), elements(G))))
def test_the_array_is_the_matrix(drawn: tuple[rc.Rep, Element]) -> None:
    V, g = drawn
    exact = g.matrix(V).to_numpy()
    # A product of at most 8 factors, each of the norm of its own rounding; exp rounds some tens of times.
    size = max([1.0, *(float(np.linalg.norm(m.to_numpy(), 2)) for m in V.matrices)])
    bound = 100 * (V.dim + 2) ** 2 * np.finfo(float).eps * np.linalg.norm(exact) * size**8
    assert np.linalg.norm(g.array(V) - exact) <= bound


STEPS: dict[str, tuple[rc.Group, int, str]] = {
    "a turn": (rc.SO(3), 0, "turn"),
    "a boost": (rc.lorentz(), 0, "boost"),
    "a rotation of space": (rc.lorentz(), 3, "turn"),
    "a translation": (rc.SE(2), 1, "nilpotent"),
    "a scaling": (rc.scaling(2), 0, "boost"),
    "nothing": (rc.Group(lie=[[[0]]]), 0, "nilpotent"),
    "a phase": (rc.U(2), 2, "turn"),
    "a spiral": (rc.Group(lie=[[[1, -1], [1, 1]]]), 0, "other"),
    "an irrational speed": (rc.Group(lie=[[["sqrt(2)"]]]), 0, "other"),
    "a Jordan block": (rc.Group(lie=[[[1, 1], [0, 1]]]), 0, "other"),
}


@pytest.mark.parametrize("case", STEPS)
def test_kinds_of_lie_generators(case: str) -> None:
    group, i, kind = STEPS[case]
    assert step(group, i)[1] == kind
    g = Element(group, [(i, 1)])
    if kind == "other":
        with pytest.raises(rc.RepresentationError, match=r"not known to be exact .*; use array\(rep\)"):
            g.matrix(group.rep)
    else:
        rounding = 100 * group.dim**2 * np.finfo(float).eps * np.linalg.norm(g.array(group.rep)) ** 2
        assert np.linalg.norm(g.matrix(group.rep).to_numpy() - g.array(group.rep)) <= rounding


def test_half_integral_weights_are_exact() -> None:
    spin = rc.Rep(rc.SO(2), lie=[[[0, "-1/2"], ["1/2", 0]]])
    turn = Element(rc.SO(2), [(0, 1)])
    assert turn.matrix(spin) == rc.matrix([["3/5", "-4/5"], ["4/5", "3/5"]])
    assert turn.matrix(spin) @ turn.matrix(spin) == turn.matrix(rc.SO(2).rep)
    third = rc.Rep(rc.SO(2), lie=[[[0, "-1/3"], ["1/3", 0]]])
    with pytest.raises(rc.RepresentationError, match="use array"):
        turn.matrix(third)


def test_words_are_reduced_and_printed() -> None:
    D4 = rc.dihedral(4)
    g = Element(D4, [(0, 1), (0, 2), (1, 1), (1, -1), (0, -3)])
    assert g == Element(D4)
    assert repr(g) == "Element(dihedral(4))"
    assert repr(Element(D4, [(1, 2)])) == "Element(dihedral(4), [(1, 2)])"
    assert Element(D4, [(0, 1)]) != Element(rc.cyclic(4), [(0, 1)])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ([(2, 1)], r"word\[0\]: generator 2 of a group with 2 generators"),
        ([(0, 1), (-1, 1)], r"word\[1\]: generator -1"),
        ([(0, 0.5)], r"word\[0\]: a letter is a pair of integers"),
        ([0], r"word\[0\]: a letter is a pair"),
        ([(0, 1, 1)], r"word\[0\]: a letter is a pair"),
    ],
)
def test_a_wrong_word_is_refused(word: Any, message: str) -> None:
    with pytest.raises(rc.IncompatibleError, match=message):
        Element(rc.dihedral(4), word)


def test_elements_of_other_groups_do_not_mix() -> None:
    g = Element(rc.dihedral(4))
    with pytest.raises(rc.IncompatibleError, match="different groups"):
        g @ Element(rc.cyclic(4))
    with pytest.raises(rc.IncompatibleError, match="rep: a representation of C4"):
        g.matrix(rc.cyclic(4).rep)
    with pytest.raises(rc.IncompatibleError, match="rep: a representation of C4"):
        g.array(rc.cyclic(4).rep)
