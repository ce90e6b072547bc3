"""Groups on a grid by finite differences: exact entries, the right generator, and no claim to be a representation."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from scipy.linalg import expm

import repcore as rc


def test_a_rotation_on_nine_cells_entry_by_entry() -> None:
    A = rc.grid(rc.SO(2), 3, approximate=True).matrix(0)
    # SO(2) is declared by (x, y) -> (-y, x), so that f moves by y df/dx - x df/dy. At the middle of the top row, y = 1 and x = 0.
    row = A.tolist()[1]
    assert row == [Fraction(-1, 2), 0, Fraction(1, 2), 0, 0, 0, 0, 0, 0]
    # At the middle of the right column, x = 1 and y = 0; rows count downwards.
    assert A.tolist()[5] == [0, 0, Fraction(-1, 2), 0, 0, 0, 0, 0, Fraction(1, 2)]
    assert A.T == -A


@pytest.mark.parametrize(
    ("group", "vector"),
    [
        (rc.SO(2), lambda x, y: (-y, x)),
        (rc.scaling(2), lambda x, y: (x, y)),
        (rc.translations(2), lambda x, y: (np.ones_like(x), 0 * y)),
    ],
    ids=["rotation", "scaling", "translation"],
)
def test_the_stencil_is_the_derivative_of_the_motion(group: rc.Group, vector: object) -> None:
    k = 31
    y, x = -(np.indices((k, k)) - (k - 1) / 2)
    x = -x
    # The first generator moves points by (u, v), so that f moves by -(u df/dx + v df/dy).
    u, v = vector(x, y)  # type: ignore[operator]
    f = np.exp(-((x - 2) ** 2 + (y + 1) ** 2) / 32)
    exact = -(u * -(x - 2) / 16 + v * -(y + 1) / 16) * f
    found = (rc.grid(group, k, approximate=True).matrix(0).to_numpy().astype(float) @ f.ravel()).reshape(k, k)
    # A central difference is off by a sixth of the third derivative, at most (3 a + a^3) / 6 of f with a cell of a = 1/4 widths.
    assert np.abs(found - exact).max() <= 15 * (3 / 4**3 + 1 / 4**3) / 6


def test_reflections_are_exact_beside_a_rotation_and_unequal_sizes_work() -> None:
    V = rc.grid(rc.O(2), 4, approximate=True)
    many = len(V.group.discrete)
    g, A = V.matrix(0), V.matrix(many)
    assert g.is_permutation
    assert g @ A @ g == -A
    assert rc.grid(rc.SO(2), (3, 5), approximate=True).dim == 15
    assert rc.grid(rc.SE(2), 3, approximate=True).dim == 9
    assert rc.grid(rc.affine(2), 3, approximate=True).dim == 9
    assert rc.grid(rc.SO(3), 3, approximate=True).dim == 27


def test_it_says_that_it_is_approximate_and_is() -> None:
    V = rc.grid(rc.SO(2), 5, approximate=True)
    assert V.checked.startswith("approximate")
    assert repr(V) == "grid(SO(2), 5, approximate=True)"
    assert str(V) == "grid5~"
    A = V.matrix(0).to_numpy().astype(float)
    assert np.linalg.norm(expm(2 * np.pi * A) - np.eye(25), 2) > 1.9
    assert rc.solve(V >> rc.trivial(V.group)).dim == 5


def test_where_cells_go_to_cells_nothing_is_approximate() -> None:
    assert rc.grid(rc.cyclic(4), 3, approximate=True) == rc.grid(rc.cyclic(4), 3)


def test_what_has_no_stencil_is_refused() -> None:
    with pytest.raises(rc.RepresentationError, match="approximate=True"):
        rc.grid(rc.SO(2), 3)
    eighth = [["sqrt(2)/2", "-sqrt(2)/2"], ["sqrt(2)/2", "sqrt(2)/2"]]
    turn = rc.Group(discrete=[eighth], lie=[[[0, -1], [1, 0]]])
    with pytest.raises(rc.RepresentationError, match="does not send grid cells"):
        rc.grid(turn, 3, approximate=True)
    shift = rc.Group(discrete=[[[1, 0, 1], [0, 1, 0], [0, 0, 1]]], lie=[[[0, -1, 0], [1, 0, 0], [0, 0, 0]]])
    with pytest.raises(rc.RepresentationError, match="discrete translation"):
        rc.grid(shift, 3, approximate=True)
    with pytest.raises(rc.DeclarationError):
        rc.grid(rc.SO(2), (3, 3, 3), approximate=True)


@pytest.mark.parametrize("group", [rc.SO(2), rc.O(2), rc.scaling(2), rc.translations(2)], ids=str)
def test_filters_on_approximate_grids_open_from_strict_to_free(group: rc.Group) -> None:
    space = rc.grid(group, 4, approximate=True) >> 2 * rc.trivial(group)
    W = np.random.default_rng(0).standard_normal(space.shape)
    strict, free = rc.soften(space, cutoff=0), rc.soften(space, keep=1)
    assert np.linalg.norm(strict.project(W) - rc.plan(space).project(W)) <= 1e-12
    assert np.array_equal(free.project(W), W)
    defects = []
    for softness in np.linspace(0, 1, 11):
        gains = rc.gains_at(free.plan.values, free.plan.multiplicities, softness)
        M = rc.soften(space, gain=gains).project(W)
        images = [a.to_numpy().astype(float) for a in space.domain.matrices[len(group.discrete) :]]
        defects.append(sum(np.linalg.norm(M @ a) ** 2 for a in images))
    assert all(a <= b + 1e-12 for a, b in pairwise(defects))
