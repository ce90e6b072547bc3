"""The strategies: what they draw, what it shrinks to, that it prints as code, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

import repcore as rc
from repcore import testing
from repcore.testing import (
    Element,
    elements,
    equivariant_maps,
    finite_matrix_groups,
    groups,
    homs,
    laws,
    lie_groups,
    matrices,
    numbers,
    permutation_groups,
    reps,
    vectors,
)

D4, SO3 = rc.dihedral(4), rc.SO(3)
PUBLIC = {name: getattr(rc, name) for name in rc.__all__} | {"Element": Element}
few = settings(max_examples=60)
# Without the explanation of what could vary, which takes most of the time.
SEARCH = settings(phases=[Phase.generate, Phase.shrink], derandomize=True, database=None, max_examples=1000)


def pasted(value: Any) -> Any:
    """What the printed code of a value evaluates to, with the public names of repcore alone."""
    return eval(repr(value), dict(PUBLIC))  # noqa: S307  # our own repr


# ---------------------------------------------------------------------------------------------------------- shrinking

SMALLEST: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "groups": (groups(), rc.PermutationGroup([], degree=1)),
    "groups, finite": (groups(kinds=["finite"]), rc.Group(dim=1)),
    "groups, Lie": (groups(kinds=["lie"]), rc.Group(lie=[[[0]]])),
    "permutation_groups": (permutation_groups(), rc.PermutationGroup([], degree=1)),
    "finite_matrix_groups": (finite_matrix_groups(), rc.Group(dim=1)),
    "lie_groups": (lie_groups(), rc.Group(lie=[[[0]]])),
    "elements": (elements(D4), Element(D4)),
    "elements, Lie": (elements(SO3), Element(SO3)),
    "reps": (reps(), rc.trivial(rc.PermutationGroup([], degree=1))),
    "reps of a group": (reps(D4), rc.trivial(D4)),
    "homs": (homs(D4), rc.trivial(D4) >> rc.trivial(D4)),
    "vectors": (vectors(D4.rep), rc.matrix([[0], [0]])),
    "equivariant_maps": (equivariant_maps(D4.rep >> 2 * D4.rep), rc.matrix([[0, 0]] * 4)),
    "numbers": (numbers(), rc.number(0)),
    "matrices": (matrices(), rc.matrix([[0]])),
}


@pytest.mark.parametrize("name", SMALLEST)
def test_everything_shrinks_to_the_simplest(name: str) -> None:
    strategy, expected = SMALLEST[name]
    assert find(strategy, lambda value: True) == expected


CONDITIONS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], bool], Callable[[Any], bool]]] = {
    # What is wanted, and what the smallest example is, where it is known.
    "a permutation group with an element of order 3": (
        permutation_groups(),
        lambda G: rc.order(G) % 3 == 0,
        lambda G: rc.PermutationGroup([[2, 0, 1]]) == G,
    ),
    "a permutation group that is not commutative": (
        permutation_groups(),
        lambda G: any(a @ b != b @ a for a in G.discrete for b in G.discrete),
        lambda G: G.dim == 3 and rc.order(G) == 6 and len(G.discrete) == 2,
    ),
    "a matrix group that is not orthogonal": (
        finite_matrix_groups(),
        lambda G: any(not (g.T @ g).is_identity and g.field.is_real for g in G.discrete),
        lambda G: G.dim == 2 and rc.order(G) <= 4,
    ),
    "a field that is not real": (
        finite_matrix_groups(),
        lambda G: any(not g.field.is_real for g in G.discrete),
        lambda G: rc.Group([[["zeta(3)"]]]) == G,
    ),
    "an algebra that is not commutative": (
        lie_groups(),
        lambda G: any(a @ b != b @ a for a in G.lie for b in G.lie),
        lambda G: len(G.lie) == 2 and G.dim == 2,
    ),
    "an element that moves something": (
        elements(D4),
        lambda g: not g.matrix(D4.rep).is_identity,
        lambda g: g == Element(D4, [(0, 1)]),
    ),
    "an element that no generator is": (
        elements(D4),
        lambda g: all(g.matrix(D4.rep) != m for m in (*D4.discrete, D4.discrete[0].T)) and not g.matrix(D4.rep).is_identity,
        lambda g: sum(abs(k) for _, k in g.word) == 2,
    ),
    "a representation of dimension 2": (
        reps(rc.SO(2)),
        lambda V: V.dim >= 2,
        lambda V: V.dim == 2,
    ),
    "a vector that moves": (
        vectors(D4.rep),
        lambda v: D4.rep.matrix(1) @ v != v,
        lambda v: v == rc.matrix([[0], [1]]),
    ),
    "a map that is not zero": (
        equivariant_maps(D4.rep >> D4.rep),
        lambda M: not M.is_zero,
        lambda M: M.is_identity,
    ),
    "a number that is not rational": (numbers(real=True), lambda x: not x.is_rational, lambda x: x == rc.number("sqrt(2)")),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions_shrink_to_the_example_of_the_book(name: str) -> None:
    strategy, wanted, is_smallest = CONDITIONS[name]
    found = find(strategy, wanted, settings=SEARCH)
    assert is_smallest(found), repr(found)


# ------------------------------------------------------------------------------------------- what is drawn, is printed


@few
@given(st.data())
def test_every_drawn_value_prints_as_code(data: st.DataObject) -> None:
    group = data.draw(groups())
    rep = data.draw(reps(group))
    drawn = [group, rep, data.draw(homs(group)), data.draw(elements(group)), data.draw(vectors(rep)), data.draw(numbers())]
    for value in drawn:
        back = pasted(value)
        assert back == value
        assert repr(back) == repr(value)
        assert type(back) is type(value)


@few
@given(homs().flatmap(lambda space: st.tuples(st.just(space), equivariant_maps(space))))
def test_equivariant_maps_are_equivariant_and_print_as_code(drawn: tuple[rc.Hom, rc.Matrix]) -> None:
    space, M = drawn
    assert M.shape == space.shape
    for on_y, on_x in zip(space.codomain.matrices, space.domain.matrices, strict=True):
        assert on_y @ M == M @ on_x
    assert pasted(M) == M


@few
@given(st.data())
def test_limits_are_kept(data: st.DataObject) -> None:
    group = data.draw(groups(max_dim=3, max_order=12))
    assert group.dim <= 3
    if not any(not a.is_zero for a in group.lie):
        assert rc.order(group) <= 12
    assert data.draw(permutation_groups(max_degree=4, max_generators=1, max_order=6)).dim <= 4
    assert 1 <= data.draw(reps(group, max_dim=5)).dim <= 5
    assert 2 <= data.draw(reps(group, min_dim=2, max_dim=5, max_depth=1)).dim <= 5
    assert max(data.draw(homs(group, max_dim=3)).shape) <= 3
    assert len(data.draw(elements(group, max_length=2)).word) <= 2
    v = data.draw(vectors(data.draw(reps(group)), exact=False))
    assert isinstance(v, np.ndarray)
    assert np.abs(v).max() <= 1000
    assert max(data.draw(matrices(max_rows=2, max_cols=2)).shape) <= 2


@pytest.mark.parametrize("kind", ["permutation", "finite", "lie"])
def test_a_kind_is_a_kind(kind: str) -> None:
    @few
    @given(groups(kinds=[kind]))
    def check(group: rc.Group) -> None:
        assert group.is_permutation or kind != "permutation"
        assert bool(group.lie) == (kind == "lie")

    check()


def test_compact_groups_have_imaginary_weights() -> None:
    @few
    @given(groups(kinds=["lie"], compact=True))
    def check(group: rc.Group) -> None:
        for a in group.lie:
            # Up to a change of coordinates antisymmetric: the trace of a^2 is negative unless a = 0.
            trace = sum(complex(x) for r, c, x in (a @ a).entries() if r == c)
            assert a.is_zero or trace.real < 0

    check()


@few
@given(reps(st.sampled_from([rc.SO(2), D4]), min_dim=0, max_dim=6))
def test_a_strategy_may_stand_for_the_group(V: rc.Rep) -> None:
    assert V.group in (rc.SO(2), D4)
    assert 0 <= V.dim <= 6


def test_zero_dimensional_representations_are_drawn_when_asked_for() -> None:
    assert find(reps(D4, min_dim=0), lambda V: V.dim == 0).dim == 0


@pytest.mark.parametrize("law", [*laws.for_group.values(), *laws.for_rep.values()], ids=[*laws.for_group, *laws.for_rep])
def test_what_is_drawn_obeys_the_laws(law: laws.Law) -> None:
    @settings(max_examples=15)
    @given(reps())
    def check(V: rc.Rep) -> None:
        law(V.group if law.__name__ in laws.for_group else V)

    check()


@pytest.mark.parametrize("law", laws.for_basis.values(), ids=laws.for_basis)
def test_solved_spaces_obey_the_laws(law: laws.Law) -> None:
    @settings(max_examples=20)
    @given(homs())
    def check(space: rc.Hom) -> None:
        law(rc.solve(space, store=None))

    check()


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_plans_obey_the_laws(dtype: Any) -> None:
    @settings(max_examples=40)
    @given(homs(max_dim=6))
    def check(space: rc.Hom) -> None:
        laws.check_projector(space, dtype=dtype)
        laws.check_backend(rc.plan(space), space, dtype=dtype)

    check()


def test_decompositions_obey_the_laws() -> None:
    @settings(max_examples=40)
    @given(reps(groups(compact=True, max_dim=3)))
    def check(V: rc.Rep) -> None:
        laws.check_decomposition(rc.decompose(V))

    check()


# ------------------------------------------------------------------------------------------------- what is refused

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a kind that is none": (lambda: groups(kinds=["finite", "big"]), "kinds="),
    "no kind": (lambda: groups(kinds=[]), "kinds="),
    "a text for kinds": (lambda: groups(kinds="finite"), "kinds='finite'"),
    "a limit of zero": (lambda: groups(max_dim=0), "max_dim=0: must be at least 1"),
    "a truth value": (lambda: permutation_groups(max_degree=True), "max_degree=True"),
    "a float": (lambda: finite_matrix_groups(max_order=8.0), r"max_order=8.0"),
    "a negative length": (lambda: elements(D4, max_length=-1), "max_length=-1"),
    "a representation for a group": (lambda: elements(D4.rep), "group=.*expected a Group"),
    "a group for a representation": (lambda: vectors(D4), "rep=.*expected a Rep"),
    "a class for a group": (lambda: reps(rc.Group), "group=.*expected a Group"),
    "limits that cross": (lambda: reps(D4, min_dim=5, max_dim=4), "max_dim=4: must be at least 5"),
    "a basis for a space": (lambda: equivariant_maps(rc.solve(D4.rep >> D4.rep)), "space=.*expected a Hom"),
    "no rows": (lambda: matrices(max_rows=0), "max_rows=0"),
    "dimension zero in a space": (lambda: homs(max_dim=0), "max_dim=0"),
    "no truth value": (lambda: lie_groups(compact="yes"), "compact='yes': expected True or False"),
    "a number for a truth value": (lambda: numbers(real=1), "real=1"),
    "a dtype for a truth value": (lambda: vectors(D4.rep, exact=float), "exact="),
    "no dimension": (lambda: lie_groups(max_dim=0), "max_dim=0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_says_which_argument(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(InvalidArgument, match=message):
        make()


@pytest.mark.parametrize("name", ["groups", "permutation_groups", "finite_matrix_groups", "lie_groups", "numbers", "matrices"])
def test_options_are_named(name: str) -> None:
    with pytest.raises(TypeError, match="positional"):
        getattr(testing, name)(3)


def test_an_unknown_name_is_no_strategy() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'grups'"):
        _ = testing.grups
    assert set(testing.__all__) <= set(dir(testing))
