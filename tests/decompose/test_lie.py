"""Lie groups: Clebsch-Gordan rules, and groups that are not compact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

import repcore as rc

Check = Callable[..., rc.Decomposition]


def shown(found: rc.Decomposition) -> list[tuple[int, int, str]]:
    return sorted((c.multiplicity, c.irrep.dim, c.irrep.type) for c in found)


def spins(k: int, twice: int) -> Counter[int]:
    """Multiplicity of each dimension in the k-th tensor power of the representation of SU(2) of dimension twice + 1."""
    found = Counter({0: 1})
    for _ in range(k):
        step: Counter[int] = Counter()
        for j, m in found.items():
            for total in range(abs(j - twice), j + twice + 1, 2):
                step[total] += m
        found = step
    return Counter({j + 1: m for j, m in found.items()})


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_powers_of_the_vector_of_so3(k: int, check: Check) -> None:
    """Riordan numbers and their neighbours: 3 (x) d = (d - 2) + d + (d + 2)."""
    found = check(rc.SO(3).rep ** k)
    assert Counter({c.irrep.dim: c.multiplicity for c in found}) == spins(k, 2)
    assert {c.irrep.type for c in found} == {"real"}


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_powers_of_the_spinor(k: int, check: Check) -> None:
    found = check(rc.SU(2).rep ** k)
    assert Counter({c.irrep.dim: c.multiplicity for c in found}) == spins(k, 1)
    assert {c.irrep.type for c in found} == {"complex"}


def test_the_realified_spinor_is_quaternionic(check: Check) -> None:
    assert shown(check(rc.SU(2).rep.realify())) == [(1, 4, "quaternionic")]


CASES = {
    "SO(5) 2": (rc.SO(5).rep ** 2, [(1, 1), (1, 10), (1, 14)]),
    "SO(5) 3": (rc.SO(5).rep ** 3, [(1, 10), (1, 30), (2, 35), (3, 5)]),
    "SO(4) 2": (rc.SO(4).rep ** 2, [(1, 1), (1, 3), (1, 3), (1, 9)]),
    "O(4) 2": (rc.O(4).rep ** 2, [(1, 1), (1, 6), (1, 9)]),
    "SU(3) 2": (rc.SU(3).rep ** 2, [(1, 3), (1, 6)]),
    "SU(3) mixed": (rc.SU(3).rep * rc.SU(3).rep.conj, [(1, 1), (1, 8)]),
    "SU(3) 3": (rc.SU(3).rep ** 3, [(1, 1), (1, 10), (2, 8)]),
    "U(2) mixed": (rc.U(2).rep ** 2 * rc.U(2).rep.conj, [(1, 4), (2, 2)]),
    "Sp(4) 2": (rc.Sp(4).rep ** 2, [(1, 1), (1, 5), (1, 10)]),
    "SL(3) 3": (rc.SL(3).rep ** 3, [(1, 1), (1, 10), (2, 8)]),
    "GL(2) 2": (rc.GL(2).rep ** 2, [(1, 1), (1, 3)]),
    "SL(2) mixed": (rc.SL(2).rep ** 2 * rc.SL(2).rep.dual, [(1, 4), (2, 2)]),
    "scaling": (rc.scaling(2).rep ** 2 + rc.trivial(rc.scaling(2)), [(1, 1), (4, 1)]),
    "Lorentz 2": (rc.lorentz().rep ** 2, [(1, 1), (1, 6), (1, 9)]),
    "full Lorentz 2": (rc.lorentz(full=True).rep ** 2, [(1, 1), (1, 6), (1, 9)]),
}


@pytest.mark.parametrize("name", CASES)
def test_tensor_products(name: str, check: Check) -> None:
    rep, expected = CASES[name]
    assert sorted((c.multiplicity, c.irrep.dim) for c in check(rep)) == expected


def test_the_field_strength_is_of_complex_type(check: Check) -> None:
    """Alt^2 of a four-vector is irreducible over R, with the Hodge dual as its complex structure."""
    found = check(rc.lorentz().rep.alt(2))
    assert shown(found) == [(1, 6, "complex")]


def test_rotations_of_the_plane(check: Check) -> None:
    found = check(rc.SO(2).rep ** 3)
    assert shown(found) == [(1, 2, "complex"), (3, 2, "complex")]


def test_labelled_irreps_and_their_products_share_irreducibles(check: Check) -> None:
    group = rc.O(3)
    rep = rc.irreps_from("3x0e+2x1o+1x2e", group) + rc.irrep(group, "1o") ** 2
    found = check(rep)
    assert [(c.multiplicity, c.irrep.dim) for c in found] == [(4, 1), (2, 3), (1, 3), (2, 5)]
    assert found.is_orthogonal
    assert found[0].irrep.is_trivial


def test_a_direct_product_of_groups(check: Check) -> None:
    G, H = rc.SO(3), rc.symmetric(3)
    both = G @ H
    found = check(rc.lift(G.rep, both) * rc.lift(H.rep, both))
    assert sorted((c.multiplicity, c.irrep.dim) for c in found) == [(1, 3), (1, 6)]
