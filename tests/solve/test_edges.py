"""The corners: nothing to solve, nothing to constrain, entries that tease the arithmetic, spaces that nobody would draw."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.exact.field import QQ, field_of
from repcore.solve.chain import solve_block


def dim(space: Any) -> int:
    basis = rc.solve(space, store=None)
    assert basis.certificate.status == "proved"
    assert basis.to_numpy().shape == (basis.dim, *space.shape)
    assert rc.verify(basis)
    return basis.dim


# -------------------------------------------------------------------------------------------------------------- dimension 0


@pytest.mark.parametrize("group", [rc.cyclic(3), rc.SO(3), rc.symmetric(3), rc.Group(dim=2)], ids=str)
def test_spaces_of_dimension_zero(group: Any) -> None:
    V, none = group.rep, 0 * group.rep
    for X, Y in ((none, V), (V, none), (none, none), (none * V, V), (V.alt(5), V), (V, none + none)):
        basis = rc.solve(X >> Y, store=None)
        assert basis.dim == 0
        assert basis.shape == (Y.dim, X.dim)
        assert basis.to_numpy().shape == (0, Y.dim, X.dim)
        assert basis.to_scipy().shape == (Y.dim * X.dim, 0)
        assert basis.to_sympy() == []
        assert list(basis) == []
        assert rc.verify(basis)
        plan = rc.plan(basis)
        assert np.array_equal(plan.project(np.ones((Y.dim, X.dim))), np.zeros((Y.dim, X.dim)))
        assert plan.coefficients(np.ones((5, Y.dim, X.dim))).shape == (5, 0)


def test_no_equivariant_maps() -> None:
    assert dim(rc.SO(3).rep >> rc.trivial(rc.SO(3))) == 0
    assert dim(rc.scaling(2).rep >> rc.trivial(rc.scaling(2))) == 0
    assert dim(rc.Group([[[-1]]]).rep >> rc.trivial(rc.Group([[[-1]]]))) == 0
    assert dim(rc.Group([[[2]]]).rep >> rc.Group([[[2]]]).rep.dual) == 0


@pytest.mark.parametrize("group", [rc.O(3), rc.scaling(2), rc.Group([[[-1, 0], [0, -1]]])], ids=str)
def test_a_block_without_maps_has_its_width(group: Any) -> None:
    found = solve_block(group.rep, group.rep**2)
    assert found.basis.shape == (0, group.dim**3)
    assert found.basis.nnz == 0
    assert found.primes == ()
    assert found.completeness in ("orbits", "weights")


# ------------------------------------------------------------------------------------------------------------ no constraints


@pytest.mark.parametrize(
    "group",
    [
        rc.Group(dim=2),
        rc.Group([[[1, 0], [0, 1]]]),
        rc.Group([[[1, 0], [0, 1]]] * 3, [[[0, 0], [0, 0]]]),
        rc.Group(lie=[[[0, 0], [0, 0]]]),
        rc.PermutationGroup([], degree=2),
        rc.PermutationGroup(["()"], degree=2),
        rc.symmetric(1) @ rc.symmetric(1),
        rc.cyclic(1),
    ],
    ids=repr,
)
def test_trivial_groups_constrain_nothing(group: Any) -> None:
    V, one = group.rep, rc.trivial(group)
    for X, Y in ((V, V), (V * V, V), (one, V + one), (2 * V, one)):
        assert dim(X >> Y) == X.dim * Y.dim
    basis = rc.solve(V >> V, store=None)
    assert [b.tolist() for b in basis] == [
        [[int((i, j) == (r, c)) for c in range(2)] for r in range(2)] for i in range(2) for j in range(2)
    ]


def test_trivial_representations_constrain_nothing() -> None:
    for group in (rc.SO(3), rc.dihedral(5), rc.affine(2)):
        one = rc.trivial(group)
        assert dim(3 * one >> 4 * one) == 12


# ----------------------------------------------------------------------------------------------------- redundant generators


def test_redundant_generators_change_nothing() -> None:
    a, b = rc.dihedral(6).discrete
    plain = rc.solve(rc.dihedral(6).rep ** 2 >> rc.dihedral(6).rep ** 2, store=None)
    for more in ([a, b, a @ b, a @ a, a @ a @ a, b @ a @ b], [b, b, b, a], [a @ b, b]):
        V = rc.Group(more).rep
        again = rc.solve(V**2 >> V**2, store=None)
        assert again.digest == plain.digest
        assert list(again) == list(plain)


def test_redundant_lie_generators_change_nothing() -> None:
    lie = rc.SO(3).lie
    plain = rc.solve(rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2, store=None)
    zero = rc.matrix([[0] * 3] * 3)
    for more in (
        [*lie, *lie],
        [lie[0], lie[1]],
        [lie[0] * 7, lie[1] * 1000003 + lie[0], lie[2]],
        [zero, *lie, zero],
        [lie[0] + lie[1], lie[1] - lie[2], lie[0] + lie[1] + lie[2]],
        [lie[0] * rc.number("1/97"), lie[2]],
    ):
        V = rc.Group(lie=more).rep
        again = rc.solve(V**2 >> V**2, store=None)
        assert again.digest == plain.digest
        assert list(again) == list(plain)


def test_generators_of_both_kinds() -> None:
    # Elements of the identity component beside it.
    V = rc.Group(rc.octahedral().discrete, rc.SO(3).lie).rep
    plain = rc.solve(rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2, store=None)
    assert list(rc.solve(V**2 >> V**2, store=None)) == list(plain)
    # A rotation by an angle that is no fraction of a turn generates a dense subgroup of SO(2).
    odd = rc.Group([[["3/5", "-4/5"], ["4/5", "3/5"]]]).rep
    circle = rc.SO(2).rep
    for p, q in ((1, 1), (2, 2), (3, 1)):
        assert list(rc.solve(odd**p >> odd**q, store=None)) == list(rc.solve(circle**p >> circle**q, store=None))


# ---------------------------------------------------------------------------------------------------- signs, phases, supports


def test_signed_and_unsigned_permutations_with_equal_support() -> None:
    plain, signed = rc.Group([[[0, 1], [1, 0]]]), rc.Group([[[0, 1], [-1, 0]]])
    table = {(1, 0): (1, 0), (1, 1): (2, 2), (2, 0): (2, 2), (2, 1): (4, 0), (2, 2): (8, 8), (3, 1): (8, 8)}
    for (p, q), (unsigned_dim, signed_dim) in table.items():
        assert dim(plain.rep**p >> plain.rep**q) == unsigned_dim
        assert dim(signed.rep**p >> signed.rep**q) == signed_dim
    one = [b.tolist() for b in rc.solve(plain.rep >> plain.rep, store=None)]
    two = [b.tolist() for b in rc.solve(signed.rep >> signed.rep, store=None)]
    assert one == [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]
    assert two == [[[1, 0], [0, 1]], [[0, 1], [-1, 0]]]


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 8, 12])
def test_phases_that_clash_kill_an_orbit(n: int) -> None:
    z = f"zeta({n})"
    cycle = rc.Group([[["0", z], ["1", "0"]]])  # its square is z
    V, one = cycle.rep, rc.trivial(cycle)
    assert dim(one >> V) == 0
    assert dim(one >> V ** (2 * n)) > 0 if n <= 3 else dim(V >> V) == 2
    assert dim(V >> V * V) == 0
    diagonal = rc.Group([[[z, 0], [0, f"{z}**-1"]]]).rep
    # Characters z and 1/z: patterns of signs with sum 0 modulo n.
    assert dim(diagonal >> diagonal) == (4 if n == 2 else 2)
    assert dim(diagonal * diagonal >> diagonal) == {3: 2}.get(n, 0)


def test_permutations_with_fixed_points_and_several_orbits() -> None:
    group = rc.PermutationGroup(["(1 2)(4 5 6)"], degree=8)
    # Orbits {0}, {1 2}, {3}, {4 5 6}, {7}: one invariant each; orbitals by gcd of lengths.
    lengths = [1, 2, 1, 3, 1]
    assert dim(rc.trivial(group) >> group.rep) == 5
    assert dim(group.rep >> group.rep) == sum(int(np.gcd(a, b)) for a in lengths for b in lengths)
    basis = rc.solve(rc.trivial(group) >> group.rep, store=None)
    assert [[i for i, _, _ in b.entries()] for b in basis] == [[0], [1, 2], [3], [4, 5, 6], [7]]


# ---------------------------------------------------------------------------------------------------- entries that tease


def test_eigenvalues_that_coincide_modulo_the_first_primes() -> None:
    """diag(0, p): modulo p everything commutes with it. The answer has dimension 2 whichever prime is tried first."""
    first = list(islice(QQ.primes(), 8))
    for bad in (first[:1], first[:2], first[:3], first):
        product = 1
        for p in bad:
            product *= p
        for a in ([[0, 0], [0, product]], [[product, 1], [0, 0]]):
            V = rc.Group(lie=[a]).rep
            assert dim(V >> V) == 2
        V = rc.Group([[[1, 0], [0, 1 + product]]]).rep
        assert dim(V >> V) == 2


def test_eigenvalues_that_coincide_modulo_a_prime_over_a_number_field() -> None:
    field = field_of([rc.number("sqrt(2)")])
    p = next(field.primes())
    V = rc.Group(lie=[[["sqrt(2)", 0], [0, f"sqrt(2) + {p}"]]]).rep
    assert dim(V >> V) == 2
    assert dim(V * V >> V * V) == 6


@pytest.mark.parametrize("count", [1, 2, 5])
def test_pivots_that_move_modulo_a_prime(count: int) -> None:
    """(p, 1) starts at its second entry modulo p: the nullity is right and the echelon form is not."""
    product = 1
    for p in islice(QQ.primes(), count):
        product *= p
    V = rc.Group(lie=[[[0, product], [1, 0]]]).rep
    basis = rc.solve(V >> V, store=None)
    assert [b.tolist() for b in basis] == [[[1, 0], [0, 1]], [[0, 1], [Fraction(1, product), 0]]]


def test_pivots_that_move_under_one_embedding() -> None:
    field = field_of([rc.number("sqrt(2)")])
    p = next(field.primes())
    for root in field.roots(p):
        corner = rc.number("sqrt(2)") - root
        V = rc.Group(lie=[[[0, corner], [1, 0]]]).rep
        basis = rc.solve(V >> V, store=None)
        assert [b.tolist() for b in basis] == [[[1, 0], [0, 1]], [[0, 1], [1 / corner, 0]]]


def test_denominators_divisible_by_the_first_prime() -> None:
    p = next(QQ.primes())
    V = rc.Group([[[0, f"-1/{p}"], [p, 0]]]).rep
    assert dim(V >> V) == 2
    assert rc.solve(V >> V, store=None)[1].tolist() == [[0, 1], [-(p**2), 0]]


@pytest.mark.parametrize("b", [2**31, 2**40, 2**62, 2**63, 3**60, 3**200])
def test_basis_with_large_entries(b: int) -> None:
    V = rc.Group([[[0, 1], [b, 1]]]).rep
    basis = rc.solve(V >> V, store=None)
    assert [x.tolist() for x in basis] == [[[1, 0], [0, 1]], [[0, 1], [b, 1]]]
    assert rc.verify(basis)


@pytest.mark.parametrize("entry", [f"{2**62} + {3**50}*sqrt(2)", f"{2**62}*zeta(7) + {3**50}/7", f"{3**80}*I"])
def test_basis_with_large_entries_over_a_number_field(entry: str) -> None:
    V = rc.Group([[[0, 1], [entry, 1]]]).rep
    basis = rc.solve(V >> V, store=None)
    assert [x.tolist() for x in basis] == [[[1, 0], [0, 1]], [[0, 1], [rc.number(entry), 1]]]
    assert rc.verify(basis)


def test_basis_with_large_denominators() -> None:
    V = rc.Group(lie=[[[f"{7**30}/{11**30}", 1], [0, f"1/{13**20}"]]]).rep
    basis = rc.solve(V >> V, store=None)
    assert basis.dim == 2
    assert rc.verify(basis)
    slope = rc.number(f"{7**30}/{11**30}") - rc.number(f"1/{13**20}")
    assert basis[0][0, 1] == 0
    assert basis[1][0, 1] == 1 or basis[0][1, 1] * slope == slope


def test_scale_of_a_generator_does_not_matter() -> None:
    expected = list(rc.solve(rc.SL(2).rep ** 2 >> rc.SL(2).rep ** 2, store=None))
    for scale in ("1/1000000007", "10**30", "sqrt(2)", "sqrt(2)*10**-20"):
        V = rc.Group(lie=[a * rc.number(scale) for a in rc.SL(2).lie]).rep
        assert [m.tolist() for m in rc.solve(V**2 >> V**2, store=None)] == [m.tolist() for m in expected]


def test_close_scalings_are_different() -> None:
    # A threshold on singular values would merge 1 and 1 + 10^-30.
    V = rc.Group(lie=[[[1, 0], [0, f"1 + 1/{10**30}"]]]).rep
    assert dim(V >> V) == 2


def test_a_shear_is_not_the_identity() -> None:
    V = rc.Group([[[1, f"1/{10**40}"], [0, 1]]]).rep
    assert dim(V >> V) == 2
    assert dim(rc.trivial(V.group) >> V) == 1
    assert dim(V >> rc.trivial(V.group)) == 1


def test_generators_without_finite_order() -> None:
    assert dim(rc.Group([[[2, 1], [1, 1]]]).rep >> rc.Group([[[2, 1], [1, 1]]]).rep) == 2
    V = rc.Group([[[2, 0], [0, 3]]]).rep
    assert dim(V >> V) == 2
    assert dim(V * V >> V * V) == 6
    assert dim(V.dual >> V) == 0
    W = rc.Group([[[2, 0], [0, "1/2"]]]).rep
    assert dim(W.dual >> W) == 2


# ------------------------------------------------------------------------------------------------------------------- dual sides


@pytest.mark.parametrize("group", [rc.GL(2), rc.affine(1), rc.SE(2), rc.Group([[[1, 3], [0, -1]]])], ids=str)
def test_adjunction_of_tensor_and_dual(group: Any) -> None:
    """Hom(X (x) Y, Z) = Hom(X, Y* (x) Z), and transposing turns Hom(X, Y) into Hom(Y*, X*)."""
    V = group.rep
    X, Y, Z = V, V + rc.trivial(group), V * V
    assert dim(X * Y >> Z) == dim(X >> Y.dual * Z)
    assert dim(X >> Z) == dim(Z.dual >> X.dual)
    for b in rc.solve(X >> Z, store=None):
        on_x, on_z = X.dual.matrices, Z.dual.matrices
        assert all(b.T @ z == x @ b.T for x, z in zip(on_x, on_z, strict=True))


def test_multiplicities_multiply() -> None:
    G = rc.dihedral(5)
    V, one = G.rep, rc.trivial(G)
    assert dim(3 * V + 2 * one >> 5 * V + 7 * one) == 3 * 5 + 2 * 7
    big = rc.solve(64 * V + 32 * one >> 128 * V + one, store=None)
    assert big.dim == 64 * 128 + 32
    assert big.shape == (257, 160)


def test_composition_stays_in_the_space() -> None:
    V = rc.octahedral().rep
    ab, bc, ac = (rc.solve(s, store=None) for s in (V**2 >> V, V >> V**2, V**2 >> V**2))
    flat = ac.to_numpy(np.float64).reshape(ac.dim, -1)
    for f in ab:
        for g in bc:
            both = (g @ f).to_numpy().reshape(-1)
            # Echelon form: the coefficients are the entries at the pivots, exactly.
            pivots = [next(iter(b.entries()))[:2] for b in ac]
            found = sum(((g @ f)[at] * b for at, b in zip(pivots, ac, strict=True)), (g @ f) * 0)
            assert found == g @ f
            assert both @ both == pytest.approx(both @ flat.T @ np.linalg.pinv(flat @ flat.T) @ flat @ both)
