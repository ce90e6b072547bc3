"""Filters: the definition by a dense singular value decomposition, the two ends of the dial, and the traps between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import repcore as rc
from repcore.testing import homs

from .conftest import COMPACT, constraint, element, images, random_map, rounding

EPS = float(np.finfo(np.float64).eps)


def conjugate_constraint(space: rc.Hom) -> np.ndarray:
    """L^H L of a finite group, from the definition: over all elements h and the generators of different classes."""
    group = space.group
    words = [element(h, space.codomain) for h in rc.sample(group, rc.order(group))]
    others = [element(h, space.domain) for h in rc.sample(group, rc.order(group))]
    n = space.shape[0] * space.shape[1]
    total = np.zeros((n, n), complex)
    for s, t in zip(images(space.codomain), images(space.domain), strict=True):
        for a, b in zip(words, others, strict=True):
            c, d = a @ s @ a.conj().T, b @ t @ b.conj().T
            row = np.kron(c, np.eye(len(d))) - np.kron(np.eye(len(c)), d.T)
            total += row.conj().T @ row / len(words)
    return total


@pytest.mark.parametrize("name", ["C3", "C4", "D4", "S4", "Q8"])
def test_equals_the_filter_of_the_dense_laplacian_of_a_finite_group(name: str) -> None:
    X = COMPACT[name]()
    space = X >> X
    values, q = np.linalg.eigh(conjugate_constraint(space))
    w = random_map(space)
    for t in (0.1, 1.0):
        dense = (q * np.exp(-t * values)) @ (q.conj().T @ w.ravel())
        found = rc.soften(space, gain=rc.Heat(t)).project(w)
        assert np.abs(found.ravel() - dense).max() <= 1e-12


@pytest.mark.parametrize("name", ["SO(2)", "SO(3)", "SU(2)", "U(2)"])
def test_equals_the_filter_of_the_dense_svd_for_an_orthonormal_lie_basis(name: str) -> None:
    """The generators of SO(n) are orthonormal as they are declared; those of SU(2) and U(2) are made so here."""
    X = COMPACT[name]()
    space = X >> X
    lie = [m.to_numpy() for m in X.group.lie]
    gram = np.array([[np.vdot(a, b).real / 2 for b in lie] for a in lie])
    mix = np.linalg.inv(np.linalg.cholesky(gram))
    size = space.shape[0] * space.shape[1]
    blocks = np.tensordot(mix, constraint(space).reshape(len(lie), size, size), 1)
    _, s, vh = np.linalg.svd(blocks.reshape(-1, size))
    w = random_map(space)
    for b in (0.0, 1.0, 1.5, 2.5, 100.0):
        kept = vh[s <= b + 1e-9]
        dense = kept.conj().T @ (kept @ w.ravel())
        assert np.abs(rc.soften(space, cutoff=b).project(w).ravel() - dense).max() <= 1e-12


def test_strict_is_the_projector_and_free_is_the_weight_itself(compact: rc.Hom) -> None:
    w = random_map(compact)
    strict, free = rc.soften(compact, cutoff=0), rc.soften(compact, keep=1)
    assert strict.is_strict
    assert strict.softness == 0
    assert np.abs(strict.project(w) - rc.plan(compact).project(w)).max() <= rounding(w)
    assert np.array_equal(free.project(w), w)
    assert free.softness == 1


@settings(max_examples=40)
@given(homs(max_dim=4), st.integers(0, 2**32 - 1))
def test_strict_is_the_projector_for_every_space(space: rc.Hom, seed: int) -> None:
    """Compact or not, orthogonal or not: a singular vector is off by the rounding of the decomposition over the gap."""
    soft = rc.soften(space, cutoff=0)
    w = random_map(space, seed)
    plan = soft.plan
    gap = (plan.errors.max() / plan.values[1]) if len(plan) > 1 else 0.0
    assert np.abs(soft.project(w) - rc.plan(space).project(w)).max() <= rounding(w) + 4 * gap * float(np.linalg.norm(w))
    energies = soft.energies(w)
    assert abs(energies.sum() - np.linalg.norm(w) ** 2) <= rounding(w) * float(np.linalg.norm(w))
    assert np.array_equal(rc.soften(space, keep=1).project(w), w)


def test_filters_commute_with_the_group(compact: rc.Hom) -> None:
    w = random_map(compact)
    soft = rc.soften(compact, gain=rc.Heat(0.2))
    for g in rc.sample(compact.group, 6, seed=2):
        y, x = element(g, compact.codomain), element(g, compact.domain)
        limit = 64 * rounding(w)  # exponentials of long letters round, too
        assert np.abs(soft.project(y @ w @ x.conj().T) - y @ soft.project(w) @ x.conj().T).max() <= limit


def test_part_of_a_level_would_keep_arbitrary_directions() -> None:
    """The trap: of the singular vectors of C4 the lower half is no union of levels, and its filter does not commute."""
    G = rc.cyclic(4)
    X = rc.grid(G, 3)
    space = rc.trivial(G) >> X
    _, s, vh = np.linalg.svd(constraint(space))
    turn = images(X)[0]
    lowest = vh[np.argsort(s)][: len(s) // 2]
    naive = lowest.T @ lowest
    assert np.linalg.norm(turn @ naive @ turn.T - naive) > 0.5
    soft = rc.soften(space, keep=(len(s) // 2 - 3) / (len(s) - 3))
    ours = np.stack([soft.project(e[:, None])[:, 0] for e in np.eye(9)], axis=1)
    assert np.abs(turn @ ours @ turn.T - ours).max() <= 1e-14
    assert soft.softness < (len(s) // 2 - 3) / (len(s) - 3)
    assert "in whole levels" in soft.asked
    assert "in whole levels" in soft.explain()


def test_gains_between_are_not_idempotent_and_hard_ones_are() -> None:
    V = rc.SO(3).rep
    w = random_map(V >> V)
    hard, heat = rc.soften(V >> V, cutoff=1.5), rc.soften(V >> V, gain=rc.Heat(0.1))
    assert hard.is_idempotent
    assert not heat.is_idempotent
    assert np.abs(hard.project(hard.project(w)) - hard.project(w)).max() <= rounding(w)
    once, twice = heat.project(w), heat.project(heat.project(w))
    assert np.abs(once - twice).max() > 0.01
    assert np.abs(twice - rc.soften(V >> V, gain=rc.Heat(0.2)).project(w)).max() <= rounding(w)


def test_strict_means_zero_where_there_is_no_equivariant_map() -> None:
    """O(5) has no invariant vector: the nearest to one is not kept in its place."""
    G = rc.O(5)
    soft = rc.soften(G.rep >> rc.trivial(G), cutoff=0)
    assert soft.plan.strict == 0
    assert soft.levels[0].multiplicity == 0
    assert np.array_equal(soft.project(np.ones((1, 5))), np.zeros((1, 5)))
    assert "no equivariant map" in soft.explain()
    assert "no equivariant map" not in rc.soften(G.rep >> G.rep, cutoff=0).explain()


def test_components_are_orthogonal_and_add_up(compact: rc.Hom) -> None:
    plan = rc.soften(compact, cutoff=0).plan
    w = random_map(compact)
    parts = plan.components(w)
    assert np.abs(parts.sum(0) - w).max() <= rounding(w)
    flat = parts.reshape(len(plan), -1)
    gram = flat.conj() @ flat.T
    assert np.abs(gram - np.diag(plan.energies(w))).max() <= rounding(w) * float(np.linalg.norm(w))


def test_profiles_are_evaluated_once_a_level() -> None:
    V = rc.SO(3).rep
    seen: list[float] = []

    def profile(level: rc.Level) -> float:
        seen.append(level.value)
        return 0.5

    soft = rc.soften(V**2 >> V, gain=profile)
    assert seen == soft.plan.values.tolist()
    assert len(seen) == len(set(seen))
    assert soft.gains.tolist() == [0.5] * len(seen)


def test_tikhonov_minimises_its_functional() -> None:
    """F M = argmin |N - M|^2 + |L N|^2 / tau, by the normal equations."""
    V = rc.SO(3).rep
    space = V >> V
    w, ell, tau = random_map(space), constraint(space), 0.7
    exact = np.linalg.solve(np.eye(9) + ell.T @ ell / tau, w.ravel())
    assert np.abs(rc.soften(space, gain=rc.Tikhonov(tau)).project(w).ravel() - exact).max() <= rounding(w)


def test_batches_and_dtypes() -> None:
    V = rc.dihedral(4).rep
    space = 2 * V >> 3 * V
    soft = rc.soften(space, gain=rc.Heat(0.3))
    w = np.random.default_rng(0).standard_normal((2, 5, 6, 4))
    found = soft.project(w)
    assert found.shape == w.shape
    assert found.dtype == np.float64
    assert np.abs(found[1, 3] - soft.project(w[1, 3])).max() <= rounding(w)
    assert soft.energies(w).shape == (2, 5, len(soft.plan))
    single = w.astype(np.float32)
    assert soft.project(single).dtype == np.float32
    assert np.abs(soft.project(single) - found).max() <= rounding(single)
    assert soft.project(w[0, 0] + 1j * w[1, 1]).dtype == np.complex128
    assert rc.soften(space, keep=1).project(single).dtype == np.float32


def test_summands_that_lie_apart() -> None:
    """Copies of one summand between others: the same as with the summands in another order."""
    G = rc.O(3)
    V, one = G.rep, rc.trivial(G)
    X, sorted_x = V + one + V, 2 * V + one
    order = [0, 1, 2, 4, 5, 6, 3]
    w = random_map(X >> V)
    for gain in (rc.Heat(0.2), rc.Cutoff(2.0)):
        found = rc.soften(X >> V, gain=gain).project(w)
        assert np.abs(found[:, order] - rc.soften(sorted_x >> V, gain=gain).project(w[:, order])).max() <= rounding(w)


def test_fourteen_by_fourteen_images() -> None:
    """Maps between images of 14 x 14 under quarter turns: 38,416 unknowns, from the definition with one generator."""
    X = rc.grid(rc.cyclic(4), 14)
    w = random_map(X >> X)
    soft = rc.soften(X >> X, gain=rc.Heat(0.5))
    turn = images(X)[0]
    powers = [np.linalg.matrix_power(turn, k) for k in range(4)]
    # exp(-t |1 - zeta|^2) as a polynomial in the turn, zeta = i^k.
    gains = np.exp(-0.5 * np.abs(1 - 1j ** np.arange(4)) ** 2)
    weights = np.fft.ifft(gains).real
    dense = sum(c * p @ w @ p.T for c, p in zip(weights, powers, strict=True))
    assert np.abs(soft.project(w) - dense).max() <= 1e-12
    assert [x.multiplicity for x in soft.levels] == [9604, 19208, 9604]


def test_patch_embedding_of_a_vision_transformer() -> None:
    """16 x 16 patches of three colours to 768 invariant outputs: arrays of the size of one summand, 256 x 256."""
    G = rc.dihedral(4)
    space = 3 * rc.grid(G, 16) >> 768 * rc.trivial(G)
    soft = rc.soften(space, cutoff=0)
    w = np.random.default_rng(1).standard_normal(space.shape)
    assert np.abs(soft.project(w) - rc.plan(space).project(w)).max() <= rounding(w[:1]) * 4
    biggest = max(max(b.ids.size, *(x.size for x in (b.left, b.right) if x is not None)) for b in soft.plan.blocks)
    assert biggest == 256**2
