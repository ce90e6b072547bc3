"""Filters on maps from images: the levels of maps of coefficients, and the remainder, which no function sees."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

import repcore as rc

EPS = float(np.finfo(np.float64).eps)


def patch() -> rc.FunctionMaps:
    G = rc.SO(2)
    return 3 * rc.functions(G, 8) >> 4 * rc.trivial(G)


def mixed() -> rc.FunctionMaps:
    G = rc.SO(2)
    values = 2 * rc.trivial(G) + rc.irrep(G, "1")
    return rc.functions(G, 6, values=values) >> rc.irrep(G, "1") + 2 * rc.trivial(G) + rc.irrep(G, "2")


def simple(group: rc.Group, size: int = 6) -> rc.FunctionMaps:
    return rc.functions(group, size) >> rc.trivial(group) + 2 * group.rep


def positions(group: rc.Group, size: int = 6) -> rc.FunctionMaps:
    """A table with a row for a class token, transposed."""
    return rc.functions(group, size, tokens=2) >> 3 * rc.trivial(group) + group.rep


MAPS: dict[str, Callable[[], rc.FunctionMaps]] = {
    "SO(2), patch": patch,
    "SO(2), fields": mixed,
    "O(2)": lambda: simple(rc.O(2)),
    "C8": lambda: rc.functions(rc.cyclic(8), 6) >> rc.regular(rc.cyclic(8)),
    "D6": lambda: simple(rc.dihedral(6), 7),
    "SO(2), tokens": lambda: positions(rc.SO(2)),
    "O(2), tokens": lambda: positions(rc.O(2)),
    "GL, tokens": lambda: positions(rc.GL(2)),
    "SO(3)": lambda: simple(rc.SO(3), 4),
    "scaling": lambda: simple(rc.scaling(2), 8),
    "GL": lambda: simple(rc.GL(2), 8),
    "affine": lambda: 2 * rc.functions(rc.affine(2), 8) >> rc.trivial(rc.affine(2)) + rc.affine(2).rep.dual,
    "SE(2), fields": lambda: rc.functions(rc.SE(2), 8, values=rc.trivial(rc.SE(2)) + rc.SE(2).rep) >> rc.trivial(rc.SE(2)),
    "Lorentz": lambda: rc.functions(rc.lorentz(), 4, degree=1) >> rc.lorentz().rep,
}
COMPACT = ("SO(2), patch", "SO(2), fields", "O(2)", "C8", "D6", "SO(3)", "SO(2), tokens", "O(2), tokens")


def on_images(
    maps: rc.FunctionMaps, values: npt.NDArray[np.float64], functions: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """How an element moves whole images: tokens, and values at cells."""
    f = maps.functions
    out = np.eye(f.size)
    out[f.tokens :, f.tokens :] = np.kron(values, f.act(functions))
    return out


@pytest.fixture(params=MAPS)
def maps(request: pytest.FixtureRequest) -> rc.FunctionMaps:
    return MAPS[request.param]()


def weight(maps: rc.FunctionMaps, seed: int = 0) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(maps.shape)


def rounding(w: npt.NDArray[np.float64]) -> float:
    """Changes of basis there and back."""
    return 64 * sum(w.shape[-2:]) * EPS * float(np.linalg.norm(w))


def test_strict_is_equivariant_on_coefficients_and_has_no_remainder(maps: rc.FunctionMaps) -> None:
    w = weight(maps)
    soft = rc.soften(maps, cutoff=0)
    assert soft.plan.strict == rc.solve(maps.coefficients).dim == rc.plan(maps).dim
    strict = soft.project(w)
    assert np.abs(strict - rc.plan(maps).project(w)).max() <= rounding(w) * maps.functions.condition
    m, r = maps.split(strict)
    size = max(1.0, float(np.abs(maps.functions.samples).max())) * maps.functions.condition
    assert np.abs(r).max() <= rounding(w) * size
    x, y = maps.coefficients.domain, maps.coefficients.codomain
    for i in range(len(maps.group.generators)):
        a, b = (np.asarray(rc.to_orthonormal(v.matrix(i).to_numpy(), v, v), float) for v in (x, y))
        scale = 1 + np.abs(a).max() + np.abs(b).max()
        assert np.abs(b @ m - m @ a).max() <= rounding(w) * size * scale


def test_levels_are_orthogonal_and_the_last_one_is_the_remainder(maps: rc.FunctionMaps) -> None:
    w = weight(maps)
    plan = rc.soften(maps, keep=1).plan
    parts = plan.components(w)
    assert np.abs(parts.sum(0) - w).max() <= rounding(w)
    gram = np.einsum("aij,bij->ab", parts, parts)
    assert np.abs(gram - np.diag(gram.diagonal())).max() <= rounding(w) * float(np.linalg.norm(w))
    assert np.abs(plan.energies(w) - gram.diagonal()).max() <= rounding(w) * float(np.linalg.norm(w))
    _, r = maps.split(w)
    assert np.abs(parts[-1] - r).max() <= rounding(w) * maps.functions.condition
    f = maps.functions
    assert plan.multiplicities[-1] == maps.codomain.dim * f.values.dim * (f.cells - f.dim)
    assert plan.multiplicities.sum() == maps.shape[0] * maps.shape[1]
    assert plan.values[-1] == plan.values[-2] + 1
    again = plan.project(parts[1], np.eye(len(plan))[1])
    assert np.abs(again - parts[1]).max() <= rounding(w)


def test_free_changes_no_bit_and_the_dial_runs_from_strict_to_free(maps: rc.FunctionMaps) -> None:
    w = weight(maps)
    assert (rc.soften(maps, keep=1).project(w) == w).all()
    found = [rc.soften(maps, gain=rc.Heat(t)) for t in (4.0, 1.0, 0.25)]
    assert [s.softness for s in found] == sorted(s.softness for s in found)
    no_rest = rc.soften(maps, gain=np.arange(len(found[0].plan)) < len(found[0].plan) - 1)
    assert np.abs(no_rest.project(w) - maps.join(maps.split(w)[0])).max() <= rounding(w) * maps.functions.condition
    assert "the last level is the remainder" in no_rest.explain()
    assert rc.soften(no_rest, cutoff=0).plan is no_rest.plan


def test_levels_are_those_of_the_invariant_laplacian_of_coefficients() -> None:
    maps = patch()
    on_coefficients, on_cells = rc.soften(maps.coefficients, cutoff=0).plan, rc.soften(maps, cutoff=0).plan
    assert on_coefficients.values.round(9).tolist() == on_cells.values[:-1].round(9).tolist() == list(range(7))
    assert on_coefficients.multiplicities.tolist() == on_cells.multiplicities[:-1].tolist()
    w = weight(maps)
    m, _ = maps.split(w)
    found = rc.soften(on := maps.coefficients, gain=rc.Heat(0.1)).project(m)
    assert on.shape == m.shape
    assert np.abs(maps.split(rc.soften(maps, gain=rc.Heat(0.1)).project(w))[0] - found).max() <= rounding(w)


@pytest.mark.parametrize("name", COMPACT)
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.7, 1.0])
def test_the_bound_is_never_violated(name: str, keep: float) -> None:
    """For every g, acting on images by ``functions.act``: also with a remainder, on which g does nothing."""
    maps = MAPS[name]()
    f, w = maps.functions, weight(maps)
    soft = rc.soften(maps, keep=keep)
    filtered, bound = soft.project(w), soft.bound(w)
    total, words = 0.0, list(rc.sample(maps.group, 60))
    for g in words:
        on_values, on_y = (g.act(v, np.eye(v.dim)).T for v in (f.values, maps.codomain))
        apart = np.linalg.norm(on_y @ filtered - filtered @ on_images(maps, on_values, g.act(f.scalars, np.eye(f.dim)).T))
        assert apart <= bound.value + rounding(w)
        total += float(apart) ** 2
    if not keep:
        assert bound.value <= rounding(w)
    remainder = np.linalg.norm(maps.split(filtered)[1])
    assert (bound.mean is None) == (remainder > rounding(w))
    if bound.mean is not None:
        # Of 60 elements, or all of a finite group.
        assert bound.mean / 1.5 <= np.sqrt(total / len(words)) <= 1.5 * bound.mean or not keep


@pytest.mark.parametrize("name", [*COMPACT[:3], "scaling", "affine", "GL", "SE(2), fields", "GL, tokens", *COMPACT[-2:]])
@pytest.mark.parametrize("keep", [0.0, 0.4, 1.0])
def test_the_bound_of_a_ball_holds(name: str, keep: float) -> None:
    from scipy.linalg import expm

    maps = MAPS[name]()
    f, w, rng = maps.functions, weight(maps), np.random.default_rng(5)
    soft = rc.soften(maps, keep=keep)
    filtered = soft.project(w)
    first = len(maps.group.discrete)
    algebra = np.stack([a.to_numpy().astype(float) for a in maps.group.lie])
    scalars = rc.trivial(maps.group) * f.scalars
    on_v, on_f, on_y = (
        np.stack([np.asarray(rc.to_orthonormal(m.to_numpy(), v, v), float) for m in v.matrices[first:]])
        for v in (f.values, scalars, maps.codomain)
    )
    for reach in (0.01, 0.3):
        bound = soft.bound(w, reach=reach)
        for _ in range(8):
            t = rng.standard_normal(len(algebra))
            t *= reach / (np.linalg.norm(np.tensordot(t, algebra, 1)) / np.sqrt(2))
            gv, gf, gy = (expm(np.tensordot(t, a, 1)) for a in (on_v, on_f, on_y))
            apart = np.linalg.norm(gy @ filtered - filtered @ on_images(maps, gv, gf))
            assert apart <= bound.value + rounding(w) * f.condition


def test_position_embeddings_are_such_maps_transposed() -> None:
    """A table with a row for each token: strict ones are radial functions, and quarter turns leave them."""
    G = rc.SO(2)
    maps = rc.functions(G, 14) >> 8 * rc.trivial(G)
    table = np.random.default_rng(0).standard_normal((196, 8))
    strict = rc.soften(maps, cutoff=0).project(table.T).T.reshape(14, 14, 8)
    assert np.abs(np.rot90(strict) - strict).max() <= 64 * 196 * EPS
    assert np.linalg.matrix_rank(strict.reshape(196, 8), tol=1e-9) == 5  # radial profiles


def test_digests_tell_bands_and_values_apart() -> None:
    G = rc.SO(2)
    one = rc.trivial(G)
    found = [rc.soften(f >> one, cutoff=0) for f in (rc.functions(G, 6), rc.functions(G, 6, band=0.7), 2 * rc.functions(G, 6))]
    assert len({s.digest for s in found}) == 3
    assert len({rc.functions(G, 6, tokens=k).digest for k in (0, 1, 2)}) == 3
    assert found[0] == rc.soften(rc.functions(rc.SO(2), 6) >> one, cutoff=0)


def test_only_stacked_levels_apply_to_polynomials() -> None:
    with pytest.raises(rc.IncompatibleError, match="polynomials are not orthogonal"):
        rc.soften(simple(rc.GL(2), 8), cutoff=0, construction="isotypic")
