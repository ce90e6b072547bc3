"""The other two constructions: one normal generator, and a singular value decomposition of whatever there is."""

from __future__ import annotations

import numpy as np
import pytest

import repcore as rc
from repcore.soft.generator import exact_dimension

from .conftest import COMPACT, constraint, random_map, rounding

SPIRAL = rc.Group(lie=[[[1, -2], [2, 1]]])
BOOST = rc.Group(lie=[[[0, 1], [1, 0]]])
GENERATORS: dict[str, rc.Rep] = {
    "spiral": SPIRAL.rep**2 + rc.trivial(SPIRAL),
    "boost": BOOST.rep**2 + BOOST.rep,
    "scaling": rc.scaling(2).rep + rc.trivial(rc.scaling(2)),
    "C5": rc.regular(rc.cyclic(5)),
    "C6": rc.cyclic(6).rep ** 2 + rc.trivial(rc.cyclic(6)),
    "SO(2)": rc.SO(2).rep ** 2 + rc.SO(2).rep,
    "U(1)": rc.U(1).rep ** 2 + rc.U(1).rep,
    "C3 over C": rc.Group(discrete=[[["zeta(3)"]]]).rep + rc.trivial(rc.Group(discrete=[[["zeta(3)"]]])),
}


def length(group: rc.Group) -> float:
    """|A| of the Lie generator, or 1."""
    return float(np.linalg.norm(group.lie[0].to_numpy()) / np.sqrt(2)) if group.lie else 1.0


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("construction", ["generator", "stacked"])
def test_equals_the_filter_of_the_dense_svd(name: str, construction: str) -> None:
    X = GENERATORS[name]
    space = X >> X
    _, s, vh = np.linalg.svd(constraint(space, length(X.group)))
    w = random_map(space)
    soft = rc.soften(space, gain=rc.Heat(0.2), construction=construction)
    dense = (vh.conj().T * np.exp(-0.2 * s**2)) @ (vh @ w.ravel())
    assert np.abs(soft.project(w).ravel() - dense).max() <= 1e-12
    assert soft.plan.construction == construction
    assert np.abs(np.repeat(soft.plan.values, soft.plan.multiplicities) - np.sort(s)).max() <= 1e-12


@pytest.mark.parametrize("name", ["C5", "C6", "SO(2)", "U(1)"])
def test_agrees_with_the_isotypic_construction(name: str) -> None:
    """For one generator there is nothing to average, and the levels are the same."""
    space = GENERATORS[name] >> GENERATORS[name]
    one, other = (rc.soften(space, gain=rc.Heat(0.3), construction=c) for c in ("generator", "isotypic"))
    w = random_map(space)
    assert np.abs(one.project(w) - other.project(w)).max() <= rounding(w)
    assert one.plan.multiplicities.tolist() == other.plan.multiplicities.tolist()
    assert float(one.bound(w)) == pytest.approx(float(other.bound(w)), rel=1e-12)


def test_singular_values_are_differences_of_eigenvalues() -> None:
    """A spiral with eigenvalues 1 +- 2i, of length sqrt 5: differences 0 and 4i."""
    V = SPIRAL.rep
    found = rc.soften(V >> V, cutoff=0)
    assert [(x.value, x.multiplicity) for x in found.levels] == [(0.0, 2), (pytest.approx(4 / np.sqrt(5)), 2)]


def test_a_nilpotent_generator_has_other_singular_values_than_differences() -> None:
    """[[0, 1], [0, 0]]: all eigenvalues vanish, but two singular values are sqrt 2 in units of the entry."""
    V = rc.translations(1).rep
    found = rc.soften(V >> V, cutoff=0)
    assert found.plan.construction == "stacked"
    assert [(x.multiplicity, round(x.value * np.sqrt(0.5), 12)) for x in found.levels] == [(2, 0.0), (2, round(np.sqrt(2), 12))]


def test_weights_and_data_have_different_null_vectors() -> None:
    """A shear: invariant vectors are null vectors of the generator, invariant functionals those of its transpose."""
    T = rc.translations(1)
    V, one = T.rep, rc.trivial(T)
    data, weight = rc.soften(one >> V, cutoff=0), rc.soften(V >> one, cutoff=0)
    assert data.project(np.array([[3.0], [4.0]])).round(12).tolist() == [[3.0], [0.0]]
    assert weight.project(np.array([[3.0, 4.0]])).round(12).tolist() == [[0.0, 4.0]]


def test_auto_takes_what_applies() -> None:
    assert rc.soften(GENERATORS["C5"] >> GENERATORS["C5"], cutoff=0).plan.construction == "isotypic"
    assert rc.soften(GENERATORS["boost"] >> GENERATORS["boost"], cutoff=0).plan.construction == "generator"
    assert rc.soften(rc.SE(2).rep >> rc.SE(2).rep, cutoff=0).plan.construction == "stacked"
    many = rc.regular(rc.cyclic(90))
    found = rc.soften(many >> many, cutoff=0)
    assert found.plan.construction == "generator"
    assert found.plan.strict == 90
    assert found.plan.multiplicities.tolist() == [90] + 44 * [180] + [90]
    w = random_map(many >> many)
    assert np.abs(found.project(w) - rc.plan(many >> many).project(w)).max() <= rounding(w)


def test_real_spaces_stay_real() -> None:
    for name in ("spiral", "C5", "SO(2)"):
        plan = rc.soften(GENERATORS[name] >> GENERATORS[name], cutoff=0, construction="generator").plan
        assert not plan.is_complex
        assert not any(np.iscomplexobj(b.left) or np.iscomplexobj(b.right) for b in plan.blocks)


def test_an_orthonormal_frame_of_generators_does_not_matter_to_stacked_levels() -> None:
    """Only the span of the Lie generators enters, not their basis."""
    boosts = rc.lorentz().lie
    mixed = rc.Group(lie=[boosts[0] + boosts[1], boosts[1] * 2, boosts[2] - boosts[3], *boosts[3:], boosts[0]])
    one, other = (rc.soften(G.rep >> G.rep, cutoff=0).plan for G in (rc.lorentz(), mixed))
    assert one.multiplicities.tolist() == other.multiplicities.tolist() == [1, 6, 9]
    assert np.abs(one.values - other.values).max() <= 1e-12


def test_groups_that_act_orthogonally_without_being_orthogonal() -> None:
    """The rotation group in skew coordinates, acting by rotations: the inner product is that of the action."""
    skew = rc.Group(lie=[[[0, "-1/2"], [2, 0]]])
    V = rc.Rep(skew, lie=[[[0, -1], [1, 0]]])
    soft = rc.soften(V >> V, cutoff=0)
    assert soft.plan.construction == "isotypic"
    assert [x.multiplicity for x in soft.levels] == [2, 2]


def test_discrete_groups_that_are_not_listed() -> None:
    """A turn by an angle that is no part of the circle, and a reflection: dense in O(2), so that the mean is one over O(2)."""
    turn, flip = [["3/5", "-4/5"], ["4/5", "3/5"]], [[1, 0], [0, -1]]
    V = rc.Group(discrete=[turn, flip]).rep
    space = V**2 >> V**2
    soft = rc.soften(space, cutoff=0)
    w = random_map(space)
    assert np.abs(soft.project(w) - rc.plan(space).project(w)).max() <= rounding(w)
    assert soft.plan.strict == rc.solve(space).dim


def test_permutation_groups_that_are_too_large_to_list() -> None:
    """S12 on points, with the characters of a transposition and a 12-cycle on the irreps of pairs of points, in closed form."""
    G = rc.symmetric(12)
    found = rc.soften(G.rep >> G.rep, cutoff=0).levels
    # (11, 1), (10, 2), (10, 1, 1): dimension 11, 54, 55; transposition 9, 36, 35; 12-cycle -1, 0, 1.
    values = {11 * 3: (9 / 11, -1 / 11), 54: (36 / 54, 0.0), 55: (35 / 55, 1 / 55)}
    wanted = sorted((2 * (2 - a - b), m) for m, (a, b) in values.items())
    assert [x.multiplicity for x in found] == [2, *(m for _, m in wanted)]
    assert np.abs(np.array([x.eigenvalue for x in found[1:]]) - [v for v, _ in wanted]).max() <= 1e-12


def test_refuses_isotypic_levels_without_an_invariant_inner_product() -> None:
    with pytest.raises(rc.IncompatibleError, match="not orthogonal"):
        rc.soften(rc.SE(2).rep >> rc.SE(2).rep, cutoff=0, construction="isotypic")


def test_refuses_what_is_too_large() -> None:
    V = rc.SE(2).rep.sym(9)
    with pytest.raises(rc.MemoryLimitError, match="3025 maps"):
        rc.soften(V >> V, cutoff=0)
    with pytest.raises(rc.MemoryLimitError, match="irreducibles of dimensions 67"):
        rc.soften(rc.irrep(rc.SO(3), "33") >> rc.irrep(rc.SO(3), "33"), cutoff=0)


def test_copies_lift_the_limit() -> None:
    """2,000 counts the maps between distinct summands; copies do not enter."""
    V = rc.SE(2).rep
    soft = rc.soften(200 * V >> 300 * V, cutoff=0)
    assert soft.plan.size == 540_000
    assert soft.plan.strict == rc.solve(V >> V).dim * 60_000


def test_stacked_levels_of_a_compact_group_have_the_same_null_space() -> None:
    for name in ("D4", "O(2)", "S4"):
        X = COMPACT[name]()
        space = X >> X
        w = random_map(space)
        found = rc.soften(space, cutoff=0, construction="stacked")
        assert np.abs(found.project(w) - rc.plan(space).project(w)).max() <= rounding(w)


@pytest.mark.parametrize("name", GENERATORS)
def test_the_dimension_by_characteristic_polynomials_is_that_of_the_basis(name: str) -> None:
    X = GENERATORS[name]
    for space in (X >> X, 2 * X >> 3 * X + rc.trivial(X.group), rc.trivial(X.group) >> X):
        found = exact_dimension(space, 0)
        is_rational = all(str(m.field) == "QQ" for m in X.matrices)
        assert found == (rc.solve(space).dim if is_rational else None)


def test_a_rotation_by_finite_differences_on_many_cells() -> None:
    """Its equivariant maps are counted exactly, and found by two decompositions; solving for them would take hours."""
    turn = rc.grid(rc.SO(2), 14, approximate=True)
    soft = rc.soften(turn >> turn, cutoff=0)
    assert soft.plan.construction == "generator"
    # Eigenvalues: 98 that are simple, 42 pairs of equal ones, and 0 on 14 patterns.
    assert soft.plan.strict == 98 + 42 * 2**2 + 14**2 == 462
    a = turn.matrix(0).to_numpy().astype(float)
    w = np.random.default_rng(0).standard_normal((196, 196))
    strict = soft.project(w)
    assert np.abs(a @ strict - strict @ a).max() <= rounding(w)
    small = rc.grid(rc.SO(2), 5, approximate=True)
    for space in (small >> small, small >> 3 * rc.trivial(rc.SO(2)) + rc.SO(2).rep):
        assert exact_dimension(space, 0) == rc.solve(space).dim
