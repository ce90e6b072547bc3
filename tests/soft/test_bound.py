"""The bound: a theorem, so never exceeded; near to what happens; and refused where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

import repcore as rc
from repcore.testing import groups, homs

from .conftest import COMPACT, Array, constraint, element, images, random_map, rounding

SQRT2 = float(np.sqrt(2))


def worst(w: Array, space: rc.Hom, words: Any) -> float:
    """max ||rho_Y(g) W - W rho_X(g)||_F over some elements."""
    return max(
        float(np.linalg.norm(element(g, space.codomain) @ w - w @ element(g, space.domain))) for g in words if not g.is_identity
    )


def first_level(space: rc.Hom, w: Array) -> Array:
    """The part of w in the first level above the equivariant maps."""
    plan = rc.soften(space, cutoff=0).plan
    return plan.project(w, (np.arange(len(plan)) == 1).astype(float))


def balls(space: rc.Hom, reach: float, count: int, seed: int = 0) -> list[tuple[Array, Array]]:
    """exp(A) on Y and X for random A of norm ``reach``, tr(A^H A) / 2 = reach^2, in the span of the Lie generators."""
    rng = np.random.default_rng(seed)
    first = len(space.group.discrete)
    lie = np.stack([m.to_numpy() for m in space.group.lie])
    gram = np.array([[np.vdot(a, b).real / 2 for b in lie] for a in lie])
    out: list[tuple[Array, Array]] = []
    sides = [np.stack(images(rep)[first:]) for rep in (space.codomain, space.domain)]
    for _ in range(count):
        t = rng.standard_normal(len(lie))
        t *= reach / np.sqrt(t @ gram @ t)
        y, x = (expm(np.tensordot(t, side, 1)) for side in sides)
        out.append((y, x))
    return out


def test_no_element_exceeds_it(compact: rc.Hom) -> None:
    w = random_map(compact)
    soft = rc.soften(compact, gain=rc.Heat(0.1))
    words = rc.sample(compact.group, 64, seed=3)
    slack = rounding(w) * 64
    assert worst(soft.project(w), compact, words) <= soft.bound(w).value + slack
    assert worst(w, compact, words) <= soft.bound(w, filtered=False).value + slack


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPACT)
def test_none_of_ten_thousand_elements_exceeds_it(name: str) -> None:
    X = COMPACT[name]()
    space = X >> X
    w = random_map(space)
    soft = rc.soften(space, keep=1)
    low = first_level(space, w)
    words = rc.sample(space.group, 10_000, seed=5)
    pairs = [(m, float(soft.bound(m)), float(np.linalg.norm(m))) for m in (w, low)]
    for g in words:
        if not g.is_identity:
            y = element(g, X)
            for m, bound, norm in pairs:
                assert np.linalg.norm(y @ m - m @ y) <= bound + 1e-11 * norm


def test_at_the_first_level_it_is_at_most_three_times_what_is_seen(compact: rc.Hom) -> None:
    """At most sqrt 2 times the worst case, since the root mean square is sqrt(2) ||M - P M||; sampling misses some of that."""
    w = first_level(compact, random_map(compact))
    bound = rc.soften(compact, keep=1).bound(w)
    seen = worst(w, compact, rc.sample(compact.group, 100, seed=7))
    assert seen <= bound.value + 64 * rounding(w)
    assert bound.value <= 3 * seen
    assert bound.mean is not None
    assert bound.mean <= bound.value <= SQRT2 * bound.mean * (1 + 1e-12)


def test_mean_and_worst_case_agree_with_the_measured_defect(compact: rc.Hom) -> None:
    w = random_map(compact)
    bound, measured = rc.soften(compact, keep=1).bound(w), rc.defect(w, compact)
    slack = rounding(w)
    assert bound.mean == pytest.approx(measured.mean, abs=slack)
    assert bound.distance == pytest.approx(measured.distance, abs=slack)
    assert bound.norm == pytest.approx(measured.norm, abs=slack)
    assert bound.value <= measured.worst.upper + slack


def test_it_is_attained_where_every_level_can_be_turned_over() -> None:
    """A vector under SO(2): the turn by pi. Quarter turns: their square, or one of them. Thirds: sqrt 3, and not 2."""
    for G, factor in ((rc.SO(2), 2.0), (rc.cyclic(2), 2.0), (rc.cyclic(4), 2.0), (rc.cyclic(3), float(np.sqrt(3)))):
        V = G.rep if G.dim == 2 else rc.regular(G)
        space = rc.trivial(G) >> V
        w = first_level(space, np.arange(1.0, V.dim + 1)[:, None])
        if np.linalg.norm(w):
            assert float(rc.soften(space, keep=1).bound(w)) == pytest.approx(factor * np.linalg.norm(w), rel=1e-12)


@pytest.mark.parametrize("name", ["SO(2)", "SO(3)", "O(3)", "SU(2)", "U(2)", "SO(2) x S3"])
@pytest.mark.parametrize("reach", [0.01, 0.5, 2.0])
def test_in_a_ball(name: str, reach: float) -> None:
    X = COMPACT[name]()
    space = X >> X
    w = random_map(space)
    soft = rc.soften(space, keep=1)
    bound = soft.bound(w, reach=reach)
    seen = max(float(np.linalg.norm(y @ w - w @ x)) for y, x in balls(space, reach, 60))
    assert seen <= bound.value + rounding(w)
    assert bound.value <= 6 * seen
    # The published form without its remainder: b |t| ||M||.
    lie = np.sqrt(soft.plan.growth.lie.max())
    assert bound.value <= lie * reach * np.linalg.norm(w) * (1 + 1e-12)
    assert bound.value <= soft.bound(w).value * (1 + 1e-12)


def test_letters_add_up() -> None:
    """Products of k discrete generators, times a ball."""
    X = COMPACT["O(3)"]()
    space = X >> X
    w = random_map(space)
    soft = rc.soften(space, keep=1)
    flip = images(X)[0]
    one, both = (float(soft.bound(w, word=1, reach=r)) for r in (0.0, 0.5))
    assert np.linalg.norm(flip @ w - w @ flip) <= one + rounding(w)
    assert one <= 1.5 * np.linalg.norm(flip @ w - w @ flip)
    assert max(float(np.linalg.norm(flip @ y @ w - w @ flip @ x)) for y, x in balls(space, 0.5, 40)) <= both + rounding(w)
    D4 = COMPACT["D4"]()
    w = random_map(D4 >> D4)
    soft = rc.soften(D4 >> D4, keep=1)
    found = [float(soft.bound(w, word=k)) for k in range(4)]
    assert found[0] == 0
    assert found == sorted(found)
    assert found[-1] <= float(soft.bound(w)) * (1 + 1e-12)


OTHERS: dict[str, rc.Rep] = {
    "spiral": rc.Group(lie=[[[1, -2], [2, 1]]]).rep ** 2 + rc.trivial(rc.Group(lie=[[[1, -2], [2, 1]]])),
    "boost": rc.Group(lie=[[[0, 1], [1, 0]]]).rep ** 2,
    "scaling": rc.Group(lie=[[[1, 0], [0, 2]]]).rep.sym(2) + rc.Group(lie=[[[1, 0], [0, 2]]]).rep,
    "affine": rc.affine(1).rep ** 2,
    "SE(2)": rc.SE(2).rep,
    "GL(2)": rc.GL(2).rep + rc.GL(2).rep.sym(2),
    "Lorentz": rc.lorentz().rep,
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("reach", [0.05, 0.5, 1.5])
def test_of_groups_that_are_not_compact_on_a_stated_range(name: str, reach: float) -> None:
    X = OTHERS[name]
    space = X >> X
    w = random_map(space)
    soft = rc.soften(space, gain=rc.Heat(0.3))
    m = soft.project(w)
    for weight, bound in ((m, soft.bound(w, reach=reach)), (w, soft.bound(w, reach=reach, filtered=False))):
        seen = max(float(np.linalg.norm(y @ weight - weight @ x)) for y, x in balls(space, reach, 60))
        assert seen <= bound.value * (1 + 1e-12) + rounding(w)
        assert bound.mean is None
        assert "|A| <=" in bound.elements
        if reach == 0.05:
            assert bound.value <= 4 * seen
    with pytest.raises(rc.IncompatibleError, match="state a range"):
        soft.bound(w)


def test_of_discrete_generators_that_are_not_orthogonal() -> None:
    hexagon = rc.Group(discrete=[[[1, -1], [1, 0]]]).rep
    space = hexagon >> hexagon
    w = random_map(space)
    soft = rc.soften(space, keep=1)
    turn = images(hexagon)[0]
    for k in range(1, 4):
        for p in (np.linalg.matrix_power(turn, k), np.linalg.matrix_power(np.linalg.inv(turn), k)):
            assert np.linalg.norm(p @ w - w @ p) <= float(soft.bound(w, word=k))


@settings(max_examples=30)
@given(homs(groups(compact=True), max_dim=4), st.integers(0, 2**32 - 1))
def test_of_any_space(space: rc.Hom, seed: int) -> None:
    """Drawn groups: compact ones, but not always in orthonormal coordinates."""
    w = random_map(space, seed)
    soft = rc.soften(space, keep=1)
    if not soft.plan.growth.is_orthogonal:
        with pytest.raises(rc.IncompatibleError, match="state a range"):
            soft.bound(w)
        return
    words = [g for g in rc.sample(space.group, 8, seed=seed) if not g.is_identity]
    limit = float(soft.bound(w)) + 1e4 * rounding(w)
    assert not words or worst(w, space, words) <= limit


def test_stacked_levels_of_a_compact_group_are_bounded_as_well() -> None:
    """D4 by its two generators as they stand: the group mixes these levels, and the bound does not ask."""
    V = rc.dihedral(4).rep
    space = V >> V
    w = random_map(space)
    soft = rc.soften(space, keep=1, construction="stacked")
    words = rc.sample(space.group, 8)
    assert worst(w, space, words) <= float(soft.bound(w)) + rounding(w)
    assert worst(w, space, [g for g in words if not g.is_product]) <= float(soft.bound(w, word=1)) + rounding(w)


def test_levels_of_the_bound_and_its_text() -> None:
    V = rc.SO(3).rep
    w = random_map(V >> V)
    bound = rc.soften(V >> V, cutoff=1.5).bound(w)
    assert len(bound.levels) == 3
    assert bound.levels[0] == 0 == bound.levels[2]
    assert sum(bound.levels) == pytest.approx(bound.value**2)
    assert "every g" in str(bound)
    assert bound.relative == bound.value / bound.norm
    zero = rc.soften(V >> V, cutoff=0).bound(0 * w)
    assert zero.value == zero.relative == zero.norm == 0.0


@pytest.mark.parametrize(
    ("options", "match"),
    [({"reach": -1.0}, "reach"), ({"reach": float("nan")}, "reach"), ({"word": 1}, "no discrete generator")],
)
def test_refuses_a_range_that_is_none(options: Any, match: str) -> None:
    V = rc.SO(3).rep
    with pytest.raises(rc.IncompatibleError, match=match):
        rc.soften(V >> V, cutoff=0).bound(np.eye(3), **options)


@pytest.mark.parametrize(
    ("options", "match"), [({"reach": 1.0}, "no Lie generator"), ({"word": -1}, "word"), ({"word": 0.5}, "word")]
)
def test_refuses_a_range_of_a_finite_group(options: Any, match: str) -> None:
    V = rc.dihedral(4).rep
    with pytest.raises(rc.IncompatibleError, match=match):
        rc.soften(V >> V, cutoff=0).bound(np.eye(2), **options)


def test_refuses_weights_that_have_none() -> None:
    V = rc.SO(3).rep
    soft = rc.soften(V >> V, cutoff=0)
    with pytest.raises(rc.IncompatibleError, match="one map at a time"):
        soft.bound(np.zeros((2, 3, 3)))
    with pytest.raises(rc.IncompatibleError, match="entries that are not finite"):
        soft.bound(np.full((3, 3), np.inf))
    with pytest.raises(rc.IncompatibleError, match="array of numbers"):
        soft.bound(np.full((3, 3), "one"))


def test_the_dirichlet_energy_is_that_of_the_constraint() -> None:
    """sum_l lambda_l ||M_l||^2 = ||L M||^2, which the bounds of groups that are not compact start from."""
    X = OTHERS["affine"]
    w = random_map(X >> X)
    lie = np.stack([m.to_numpy() for m in X.group.lie])
    gram = np.array([[np.vdot(a, b) / 2 for b in lie] for a in lie])
    assert np.array_equal(gram, np.eye(2) / 2)
    plan = rc.soften(X >> X, cutoff=0).plan
    direct = np.linalg.norm(constraint(X >> X, scale=float(np.sqrt(0.5))) @ w.ravel()) ** 2
    assert plan.values**2 @ plan.energies(w) == pytest.approx(direct, rel=1e-12)
