"""The words of an explanation: the route that is announced is the one that is taken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import repcore as rc
from repcore.reps.hom import Hom

ONE_QUARTER_TURN = [[0, -1], [1, 0]]


def _oblique() -> rc.Rep:
    """S_3 on simple roots: neither reflection permutes the basis."""
    return rc.Group([[[-1, 1], [0, 1]], [[1, 0], [1, -1]]]).rep


ROUTES: dict[str, tuple[Callable[[], Hom], str, str]] = {
    "free": (
        lambda: rc.Group(dim=3).rep >> rc.Group(dim=3).rep,
        "free",
        "no generator moves anything, every map is equivariant: the dimension is 9",
    ),
    "orbits": (
        lambda: rc.symmetric(4).rep >> rc.symmetric(4).rep ** 2,
        "orbits",
        "solved by orbits: every generator permutes the basis up to phases, the dimension is 5",
    ),
    "no orbit": (
        lambda: rc.dihedral(4).rep >> rc.trivial(rc.dihedral(4)),
        "orbits",
        "solved by orbits: no orbit carries a map, the dimension is 0",
    ),
    "weights": (
        lambda: rc.scaling(2).rep >> rc.scaling(2).rep,
        "weights",
        "solved by weights: every generator is diagonal, the dimension is 4",
    ),
    "no weight": (
        lambda: rc.scaling(2).rep >> rc.trivial(rc.scaling(2)),
        "weights",
        "solved by weights: no weight of one side is one of the other, the dimension is 0",
    ),
    "one element": (
        lambda: rc.Group([ONE_QUARTER_TURN, [[1, 1], [-1, 0]]]).rep >> rc.Group([ONE_QUARTER_TURN, [[1, 1], [-1, 0]]]).rep,
        "elimination",
        "1 monomial element of the group leaves 2 unknowns under 1 more generator: "
        "presolve, then a nullspace or spin modulo primes, lifted and checked exactly",
    ),
    "several elements": (
        lambda: rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2,
        "elimination",
        "2 monomial elements of the group leave 4 unknowns under 1 more generator: "
        "presolve, then a nullspace or spin modulo primes, lifted and checked exactly",
    ),
    "none": (
        lambda: _oblique() >> _oblique(),
        "elimination",
        "no generator permutes the basis up to phases, which leaves 4 unknowns under 2 more generators: "
        "presolve, then a nullspace or spin modulo primes, lifted and checked exactly",
    ),
}


@pytest.mark.parametrize("name", ROUTES)
def test_the_route_in_words(name: str) -> None:
    space, route, words = ROUTES[name]
    found = rc.explain(space(), store=None)
    (block,) = found.blocks
    assert (block.route, block.why) == (route, words)
    assert str(found).endswith(f": {words}")
    basis = rc.solve(space(), store=None)
    eliminated = {"nullspace", "spin"} & {s.name for s in basis.steps}
    assert bool(eliminated) == (route == "elimination")
    if route != "elimination":
        assert block.left == basis.dim
        assert words.endswith(f" {basis.dim}")


def test_the_row_of_what_is_not_done_yet_names_both_ways() -> None:
    assert "presolve, nullspace or spin  4 -> ?" in str(rc.explain(_oblique() >> _oblique(), store=None))


def test_bending_is_said() -> None:
    V = rc.SO(3).rep
    found = rc.explain(rc.trivial(V.group) >> V**4, store=None)
    assert found.blocks[0].steps[0].name == "bend"
    assert "as dual(V)**2 >> V**2" in str(found)
    assert "bend" not in str(rc.explain(V**2 >> V**2, store=None))
