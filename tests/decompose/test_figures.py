"""Large cases, with the CPU time that they may take."""

from __future__ import annotations

import itertools
import time

import pytest

import repcore as rc

pytestmark = pytest.mark.slow


def timed(rep: rc.Rep, seconds: float) -> rc.Decomposition:
    assert rep.dim
    start = time.process_time()
    found = rc.decompose(rep)
    assert time.process_time() - start < seconds
    return found


def test_the_regular_representation_of_a_group_of_order_1000() -> None:
    n = 500
    group = rc.PermutationGroup([[(i + 1) % n for i in range(n)], [-i % n for i in range(n)]])
    found = timed(rc.regular(group), 10)
    assert found.residual < 1e-11
    assert sorted((c.multiplicity, c.irrep.dim) for c in found) == [(1, 1)] * 4 + [(2, 2)] * 249


def test_a_permutation_module_with_five_components() -> None:
    """Subsets of four out of sixteen (1,820 of them): multiplicity-free of rank 5, dimensions C(n, k) - C(n, k - 1)."""
    n = 16
    subsets = list(itertools.combinations(range(n), 4))
    at = {s: i for i, s in enumerate(subsets)}

    def moved(p: list[int]) -> list[int]:
        return [at[tuple(sorted(p[i] for i in s))] for s in subsets]

    group = rc.PermutationGroup([moved([(i + 1) % n for i in range(n)]), moved([1, 0, *range(2, n)])])
    found = timed(group.rep, 30)
    assert [(c.multiplicity, c.irrep.dim) for c in found] == [(1, 1), (1, 15), (1, 104), (1, 440), (1, 1260)]
    assert found.residual < 1e-11


def test_four_vectors_of_so5() -> None:
    """Young diagrams with at most two rows after folding: dimension 625, commutant of dimension 105."""
    found = timed(rc.SO(5).rep ** 4, 5)
    assert sorted((c.multiplicity, c.irrep.dim) for c in found) == [
        (1, 5),
        (1, 55),
        (2, 35),
        (3, 1),
        (3, 35),
        (3, 81),
        (6, 10),
        (6, 14),
    ]
    assert found.dim_commutant == 105
    assert found.residual < 1e-10
