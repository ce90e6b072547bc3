"""Orbits of permutation groups on tuples, multisets and subsets: Stirling, Bell and partition numbers."""

from __future__ import annotations

from functools import cache
from itertools import product
from math import comb
from typing import Any

import pytest

import repcore as rc

BELL = [1, 1, 2, 5, 15, 52, 203, 877, 4140, 21147, 115975, 678570, 4213597]  # OEIS A000110


@cache
def blocks(m: int, k: int) -> int:
    """Stirling's numbers of the second kind: partitions of m things into k blocks."""
    if m == k:
        return 1
    return 0 if k == 0 or k > m else k * blocks(m - 1, k) + blocks(m - 1, k - 1)


def at_most(m: int, n: int) -> int:
    """Partitions of m things into at most n blocks."""
    return sum(blocks(m, k) for k in range(min(m, n) + 1))


def fixed(rep: Any) -> int:
    """The dimension of the invariants, solved for exactly."""
    basis = rc.invariants(rep, store=None)
    assert basis.certificate.status == "proved"
    return basis.dim


@pytest.mark.parametrize("n", range(1, 8))
def test_bell_numbers_and_where_they_end(n: int) -> None:
    """V^k has as many invariants as there are partitions of k things into at most n blocks: Bell's number for k <= n."""
    V = rc.symmetric(n).rep
    found = [rc.character(V**k).multiplicities[0] for k in range(13)]
    assert found[: n + 1] == BELL[: n + 1]
    assert found == [at_most(k, n) for k in range(13)]
    assert found[n + 1] == BELL[n + 1] - 1
    for k in range(13):
        assert rc.hom_dimension(V ** (k // 2), V ** (k - k // 2)) == found[k]


@pytest.mark.parametrize(("n", "k"), [(n, k) for n in range(1, 8) for k in range(9) if n**k <= 20_000])
def test_the_solver_finds_as_many(n: int, k: int) -> None:
    assert fixed(rc.symmetric(n).rep ** k) == at_most(k, n)


@pytest.mark.parametrize("n", range(2, 7))
def test_other_constituents_are_counted_by_associated_stirling_numbers(n: int) -> None:
    """V = 1 + U, so that U^k has sum_j (-1)^(k-j) C(k, j) B(j) invariants: partitions without singletons for n >= k (A000296)."""
    U = next(W for W in rc.irreps(rc.symmetric(n)) if rc.character(W + rc.trivial(W.group)) == rc.character(rc.symmetric(n).rep))
    found = [rc.character(U**k).multiplicities[0] for k in range(9)]
    assert found == [sum((-1) ** (k - j) * comb(k, j) * at_most(j, n) for j in range(k + 1)) for k in range(9)]
    assert found[: n + 1] == [1, 0, 1, 1, 4, 11, 41][: n + 1]


def vector_partitions(target: tuple[int, ...], n: int) -> int:
    """Multisets of n vectors of non-negative integers, zero allowed, that sum to ``target``."""
    ways = {(0, *(0 for _ in target)): 1}
    for step in product(*(range(t + 1) for t in target)):
        if not any(step):
            continue
        fresh = dict(ways)
        for (used, *at), w in ways.items():
            for copies in range(1, n - used + 1):
                there = tuple(a + copies * s for a, s in zip(at, step, strict=True))
                if any(a > t for a, t in zip(there, target, strict=True)):
                    break
                key = (used + copies, *there)
                fresh[key] = fresh.get(key, 0) + w
        ways = fresh
    return sum(w for (_, *at), w in ways.items() if tuple(at) == target)


@pytest.mark.parametrize("n", range(1, 7))
def test_partition_numbers(n: int) -> None:
    """Sym^k V has one invariant for each partition of k into at most n parts, Sym^a V (x) Sym^b V for each of (a, b)."""
    V = rc.symmetric(n).rep
    found = [rc.character(V.sym(k)).multiplicities[0] for k in range(13)]
    assert found == [vector_partitions((k,), n) for k in range(13)] == list(rc.molien(V, 13))
    assert found[: n + 1] == [1, 1, 2, 3, 5, 7, 11][: n + 1]
    for a, b in [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 4)]:
        wanted = vector_partitions((a, b), n)
        assert rc.hom_dimension(V.sym(a), V.sym(b)) == wanted
        if n <= 4 and a + b <= 6:
            assert fixed(V.sym(a) * V.sym(b)) == wanted
            assert rc.solve(V.sym(a) >> V.sym(b), store=None).dim == wanted


def test_bipartite_partitions() -> None:
    # MacMahon: partitions of (k, k), OEIS A002774.
    V = rc.symmetric(6).rep
    assert [rc.hom_dimension(V.sym(k), V.sym(k)) for k in range(4)] == [1, 2, 9, 31]
    # Partitions of the multiset {1^k, 2, 3}: sums over three factors, and of k distinct things: Bell again.
    assert rc.character(V.sym(2) * V * V).multiplicities[0] == vector_partitions((2, 1, 1), 6) == 11
    assert vector_partitions((1, 1, 1, 1), 6) == BELL[4]


@pytest.mark.parametrize("n", range(1, 9))
def test_subsets_and_graphs(n: int) -> None:
    """Alt^k V has no invariant but for k = 0, 1; the orbits on pairs of k-subsets are the sizes of intersections."""
    V = rc.symmetric(n).rep
    alt = [rc.character(V.alt(k)).multiplicities[0] for k in range(n + 1)]
    assert alt == [1, 1] + [0] * (n - 1)
    # 0-1 symmetric matrices with zero diagonal: graphs on n nodes with k edges, from the permutations of the pairs.
    pairs = [(i, j) for i in range(n) for j in range(i)]
    if 2 <= n <= 6:
        where = {frozenset(p): i for i, p in enumerate(pairs)}
        moves = [[int(x) for x in g.to_numpy().argmax(axis=0)] for g in V.group.discrete]
        P = rc.permutation(V.group, [[where[frozenset((m[i], m[j]))] for i, j in pairs] for m in moves])
        # Polya: multigraphs with k edges are counted by Sym^k, OEIS A007717 for n >= 2 k.
        multigraphs = [rc.character(P.sym(k)).multiplicities[0] for k in range(4)]
        assert multigraphs[: n // 2 + 1] == [1, 1, 3, 8][: n // 2 + 1]
        assert list(rc.molien(P, 4)) == multigraphs
        # Degrees of freedom of Alt^2 V and of the pairs: V.sym(2) is pairs and points.
        assert rc.character(V.sym(2)) == rc.character(P + V)


@pytest.mark.parametrize("n", range(3, 8))
def test_alternating_groups_have_half_the_symmetry_on_long_tuples(n: int) -> None:
    V = rc.alternating(n).rep
    for k in range(11):
        wanted = sum(blocks(k, j) * (1 if j <= n - 2 else 2) for j in range(min(n, k) + 1))
        assert rc.character(V**k).multiplicities[0] == wanted


@pytest.mark.parametrize(("m", "n"), [(2, 2), (2, 3), (2, 4), (3, 2), (3, 3), (4, 2)])
def test_wreath_products_fix_partitions_with_weights_zero_modulo_m(m: int, n: int) -> None:
    """C_m wr S_n on C^n: the invariants of V^k are partitions of k into at most n blocks of sizes divisible by m."""
    root = {2: "-1", 3: "zeta(3)", 4: "I"}[m]
    turn = [[root if i == j == 0 else int(i == j) for j in range(n)] for i in range(n)]
    swaps = [
        [[int(j == p(i)) for j in range(n)] for i in range(n)] for p in (lambda i: (i + 1) % n, lambda i: (1, 0, *range(2, n))[i])
    ]
    V = rc.Group([turn, *swaps]).rep

    @cache
    def divisible(k: int, parts: int) -> int:
        """Partitions of k things into at most ``parts`` blocks: the block of the first thing, then the rest."""
        if k == 0:
            return 1
        return 0 if parts == 0 else sum(comb(k - 1, s - 1) * divisible(k - s, parts - 1) for s in range(m, k + 1, m))

    assert [rc.character(V**k).multiplicities[0] for k in range(11)] == [divisible(k, n) for k in range(11)]
    # Invariant polynomials are symmetric functions of the m-th powers.
    assert list(rc.molien(V, 13)) == [vector_partitions((k // m,), n) if k % m == 0 else 0 for k in range(13)]
