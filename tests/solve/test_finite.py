"""Finite groups by character inner products, computed here from all their elements."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import repcore as rc


def check(space: Any, dim: int) -> Any:
    basis = rc.solve(space, store=None)
    assert basis.dim == dim
    assert basis.certificate.status == "proved"
    return basis


# ------------------------------------------------------------------------------------------- groups of integer matrices

HEX = [[0, -1], [1, 1]]  # a sixth of a turn in the basis of a hexagonal lattice
SWAP = [[0, 1], [1, 0]]


def weyl(cartan: list[list[int]]) -> list[list[list[int]]]:
    """The simple reflections in the basis of simple roots: s_i(a_j) = a_j - C_ij a_i, with the convention C_ij = <a_j, a_i^v>."""
    n = len(cartan)
    return [[[int(r == c) - (cartan[i][c] if r == i else 0) for c in range(n)] for r in range(n)] for i in range(n)]


INTEGER: dict[str, tuple[Any, int]] = {
    "S3": (rc.symmetric(3), 6),
    "S4": (rc.symmetric(4), 24),
    "A4": (rc.alternating(4), 12),
    "B3": (rc.hyperoctahedral(3), 48),
    "T": (rc.tetrahedral(), 12),
    "Td": (rc.tetrahedral(full=True), 24),
    "O": (rc.octahedral(), 24),
    "Oh": (rc.octahedral(full=True), 48),
    "Q8": (rc.quaternion(), 8),
    "D4": (rc.dihedral(4), 8),
    "p6 hexagonal": (rc.Group([HEX]), 6),
    "p6m hexagonal": (rc.Group([HEX, SWAP]), 12),
    "p3m1": (rc.Group([[[0, -1], [1, -1]], [[0, -1], [-1, 0]]]), 6),
    "p31m": (rc.Group([[[0, -1], [1, -1]], SWAP]), 6),
    "cm rhombic": (rc.Group([SWAP]), 2),
    "oblique reflection": (rc.Group([[[1, 3], [0, -1]]]), 2),
    "W(A2)": (rc.Group(weyl([[2, -1], [-1, 2]])), 6),
    "W(A3)": (rc.Group(weyl([[2, -1, 0], [-1, 2, -1], [0, -1, 2]])), 24),
    "W(B3)": (rc.Group(weyl([[2, -1, 0], [-1, 2, -2], [0, -1, 2]])), 48),
    "W(G2)": (rc.Group(weyl([[2, -1], [-3, 2]])), 12),
    "W(D4)": (rc.Group(weyl([[2, -1, 0, 0], [-1, 2, -1, -1], [0, -1, 2, 0], [0, -1, 0, 2]])), 192),
    "C6 of order 6 in dimension 3": (rc.Group([[[0, 0, -1], [-1, 0, 0], [0, -1, 0]]]), 6),
    "two orbits and fixed points": (rc.PermutationGroup(["(0 1 2)(3 4)"], degree=7), 6),
    "intransitive": (rc.PermutationGroup(["(0 1 2)", "(3 4 5 6)", "(0 1)(3 4)"], degree=8), 144),
    "regular Z6": (rc.PermutationGroup(["(0 1 2 3 4 5)"]), 6),
    "signed and unsigned": (rc.Group([[[0, -1, 0], [1, 0, 0], [0, 0, 1]], [[0, 1, 0], [1, 0, 0], [0, 0, -1]]]), 8),
    "trivial": (rc.Group(dim=3), 1),
    "identity": (rc.Group([[[1, 0], [0, 1]]]), 1),
    "minus one": (rc.Group([[[-1, 0], [0, -1]]]), 2),
}


@pytest.mark.parametrize("name", INTEGER)
def test_tensor_powers_by_characters(oracles: Any, name: str) -> None:
    group, order = INTEGER[name]
    members = oracles.closure([g.tolist() for g in group.discrete]) if group.discrete else [np.eye(group.dim, dtype=int)]
    assert len(members) == order == rc.order(group)
    chi = [int(np.trace(g)) for g in members]
    V, one = group.rep, rc.trivial(group)
    # chi is real, so Hom(V^p, V^q) has the mean of chi^(p+q); |chi(g)| <= dim.
    top = 6 if group.dim == 2 else 5 if group.dim == 3 else 4 if group.dim == 4 else 2
    for m in range(top + 1):
        p = m // 2
        wanted = oracles.mean((c**m for c in chi), order)
        check(V**p >> V ** (m - p), wanted)
        check(V.dual**p >> V ** (m - p), wanted)
        check(one >> V**m, wanted)
    squares = [int(np.trace(g @ g)) for g in members]
    sym = [(c * c + s) // 2 for c, s in zip(chi, squares, strict=True)]
    alt = [(c * c - s) // 2 for c, s in zip(chi, squares, strict=True)]
    check(V.sym(2) >> V.sym(2), oracles.mean((s * s for s in sym), order))
    check(V.alt(2) >> V.sym(2), oracles.mean((s * a for s, a in zip(sym, alt, strict=True)), order))
    check(V.alt(2) >> V * V, oracles.mean((a * c * c for a, c in zip(alt, chi, strict=True)), order))
    mixed = 2 * one + 3 * V + V.sym(2)
    total = [2 + 3 * c + s for c, s in zip(chi, sym, strict=True)]
    check(mixed >> mixed, oracles.mean((t * t for t in total), order))


@settings(max_examples=40)
@given(data=st.data())
def test_random_permutation_groups_by_burnside(oracles: Any, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 6))
    gens = data.draw(st.lists(st.permutations(range(n)), min_size=0, max_size=3))
    group = rc.PermutationGroup(gens, degree=n)
    matrices = [[[int(g[j] == i) for j in range(n)] for i in range(n)] for g in gens] or [np.eye(n, dtype=int)]
    chi = [int(np.trace(g)) for g in oracles.closure(matrices)]
    V = group.rep
    for p, q in ((1, 0), (1, 1), (2, 1)):
        basis = check(V**p >> V**q, oracles.mean((c ** (p + q) for c in chi), len(chi)))
        # Orbitals: zeros and ones of disjoint support that add up to the matrix of ones.
        assert np.array_equal(basis.to_numpy().sum(axis=0), np.ones(basis.shape))


# ---------------------------------------------------------------------------------------------- characters in Q(sqrt(5)) etc.


@pytest.mark.parametrize(("p", "q"), [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 2), (3, 3), (4, 3)])
def test_icosahedral_by_the_character_table_of_a5(p: int, q: int) -> None:
    # Classes 1, 15, 20, 12, 12 with traces 3, -1, 0, phi, 1 - phi, written a + b sqrt(5).
    half = Fraction(1, 2)
    classes = [(1, (3, 0)), (15, (-1, 0)), (20, (0, 0)), (12, (half, half)), (12, (half, -half))]

    def power(x: tuple[Any, Any], m: int) -> tuple[Any, Any]:
        out: tuple[Any, Any] = (Fraction(1), Fraction(0))
        for _ in range(m):
            out = (out[0] * x[0] + 5 * out[1] * x[1], out[0] * x[1] + out[1] * x[0])
        return out

    sums = [tuple(size * c for c in power(x, p + q)) for size, x in classes]
    rational, irrational = (sum(s[i] for s in sums) for i in range(2))
    assert irrational == 0
    wanted = rational / 60
    assert wanted.denominator == 1
    check(rc.icosahedral().rep ** p >> rc.icosahedral().rep ** q, int(wanted))
    # The inversion keeps even tensors and kills odd ones.
    full = rc.icosahedral(full=True).rep
    check(full**p >> full**q, int(wanted) if (p + q) % 2 == 0 else 0)


@pytest.mark.parametrize("t", range(6))
def test_clifford_group_moments(t: int) -> None:
    """V^t -> V^t for the one-qubit Clifford group: a unitary 3-design, so 1, 1, 2, 5 as for U(2), and then more."""
    h = [["sqrt(2)/2", "sqrt(2)/2"], ["sqrt(2)/2", "-sqrt(2)/2"]]
    group = rc.Group([h, [[1, 0], [0, "I"]]], name="Clifford")
    if t == 0:
        assert rc.order(group) == 192
    # |chi|^2 on the rotation group of the cube: 4, 0 (9 half turns), 1 (8 third turns), 2 (6 quarter turns).
    wanted = Fraction(4**t + 9 * 0**t + 8 + 6 * 2**t, 24)
    assert wanted == [1, 1, 2, 5, 15, 51][t]
    basis = check(group.rep**t >> group.rep**t, int(wanted))
    assert t == 0 or str(basis.field) == "QQ<zeta(8)>"


def klein() -> Any:
    """PSL(2, 7) in its three-dimensional representation (Klein 1879)."""
    z = [f"zeta(7)**{k}" for k in range(7)]
    a, b, c = f"({z[1]} - {z[6]})", f"({z[2]} - {z[5]})", f"({z[4]} - {z[3]})"
    involution = [[f"-{x}/sqrt(-7)" for x in row] for row in ((a, b, c), (b, c, a), (c, a, b))]
    return rc.Group(
        [[[z[4], 0, 0], [0, z[2], 0], [0, 0, z[1]]], [[0, 1, 0], [0, 0, 1], [1, 0, 0]], involution],
        name="PSL(2, 7)",
    )


def test_klein_group() -> None:
    group = klein()
    assert rc.order(group) == 168
    V, one = group.rep, rc.trivial(group)

    # Classes 1, 21, 56, 42, 24, 24 with traces 3, -1, 0, 1, a, conj(a), a = (-1 + sqrt(-7))/2, a^2 = -a - 2.
    def mean(p: int, q: int) -> int:
        def power(k: int) -> tuple[Fraction, Fraction]:  # a^k = x + y a
            x, y = Fraction(1), Fraction(0)
            for _ in range(k):
                x, y = -2 * y, x - y
            return x, y

        def trace_of_product(k: int, m: int) -> Fraction:  # a^k conj(a)^m + its conjugate; a conj(a) = 2, a + conj(a) = -1
            low = min(k, m)
            x, y = power(abs(k - m))
            return 2**low * (2 * x - y)

        total = Fraction(3 ** (p + q) + 21 * (-1) ** (p + q) + 56 * 0 ** (p + q) + 42) + 24 * trace_of_product(p, q)
        assert (total / 168).denominator == 1
        return int(total / 168)

    assert [mean(k, k) for k in range(5)] == [1, 1, 2, 7, 44]
    for p, q in product(range(4), range(3)):
        check(V**p >> V**q, mean(p, q))
    check(one >> V**4, mean(4, 0))
    # The first invariants are Klein's quartic and his sextic; none of lower degree, nor in between.
    for k, wanted in {2: 0, 3: 0, 4: 1, 5: 0}.items():
        check(one >> V.dual.sym(k), wanted)
    check(V >> V.dual, 0)
    check(V * V >> V, 0)
    check(V * V >> V.dual, 1)
    check(V.alt(2) >> V.dual, 1)
    check(V.sym(2) >> V.dual, 0)


def test_kleins_quartic_itself() -> None:
    group = klein()
    (form,) = rc.solve(rc.trivial(group) >> group.rep.dual.sym(4), store=None)
    monomials = [t for t in product(range(3), repeat=4) if list(t) == sorted(t)]
    found = {monomials[r] for r, _, _ in form.entries()}
    # x^3 y + y^3 z + z^3 x, up to the order of the coordinates.
    assert found in ({(0, 0, 0, 1), (1, 1, 1, 2), (0, 2, 2, 2)}, {(0, 0, 0, 2), (0, 1, 1, 1), (1, 2, 2, 2)})
    assert len({str(v) for _, _, v in form.entries()}) == 1


# ------------------------------------------------------------------------------------------ real, complex, quaternionic type

Q8C = [[["I", 0], [0, "-I"]], [[0, 1], [-1, 0]]]


def test_quaternionic_type() -> None:
    group = rc.Group(Q8C)
    V = group.rep
    assert rc.order(group) == 8
    check(V >> V, 1)
    check(V >> V.conj, 1)
    check(V.realify() >> V.realify(), 4)
    check(rc.quaternion().rep >> rc.quaternion().rep, 4)
    assert rc.solve(V.realify() >> V.realify(), store=None).field.is_real
    # V^p: chi = 2, -2, and six times 0.
    for p, q in ((2, 0), (2, 2), (3, 1), (3, 3)):
        check(V**p >> V**q, 2 * 2 ** (p + q) // 8)
    both = rc.quaternion() @ rc.quaternion()
    H = rc.lift(rc.quaternion().rep, both, factor=0) * rc.lift(rc.quaternion().rep, both, factor=1)
    # H (x) H is four copies of a representation of real type: 16 endomorphisms.
    check(H >> H, 16)


def test_commutant_of_the_quaternions_is_the_right_multiplication() -> None:
    basis = rc.solve(rc.quaternion().rep >> rc.quaternion().rep, store=None)
    for a, b in product(basis, basis):
        assert all(g @ (a @ b) == (a @ b) @ g for g in rc.quaternion().discrete)
    assert any(a @ b != b @ a for a, b in product(basis, basis))


def test_complex_type() -> None:
    for n in (3, 4, 5, 8):
        check(rc.cyclic(n).rep >> rc.cyclic(n).rep, 2)
        L = rc.Group([[[f"zeta({n})"]]]).rep
        check(L >> L, 1)
        check(L >> L.conj, 0)
        check(L.conj >> L.dual, 1)
        check(L.realify() >> L.realify(), 2)
        check(L.realify() >> L.conj.realify(), 2)
        check(rc.trivial(L.group) >> L**n, 1)
        check(L ** (n - 1) >> L.dual, 1)


def test_real_type() -> None:
    for group in (rc.dihedral(5), rc.octahedral(), rc.icosahedral(), rc.symmetric(4)):
        V, one = group.rep, rc.trivial(group)
        irreducible = 1 if not group.is_permutation else 2
        check(V >> V, irreducible)
        check(V >> V.dual, irreducible)
        check(V.realify() >> V.realify(), 4 * irreducible)
        check(one >> V, irreducible - 1)


# --------------------------------------------------------------------------------------------------- induced representations

LISTED = [rc.cyclic(6), rc.dihedral(5), rc.symmetric(4), rc.alternating(4), rc.quaternion(), rc.octahedral()]


@pytest.mark.parametrize("group", LISTED, ids=str)
def test_regular_representation_holds_everything(group: Any) -> None:
    """Hom(C[G], X) = X, and End C[G] has dimension |G|."""
    reg, V = rc.regular(group), group.rep
    for X in (rc.trivial(group), V, V * V, 2 * V + rc.trivial(group)):
        check(reg >> X, X.dim)
        check(X >> reg, X.dim)
    check(reg >> reg, rc.order(group))


FROBENIUS: list[tuple[Any, Any]] = [
    (rc.dihedral(6), rc.cyclic(6)),
    (rc.dihedral(6), rc.cyclic(2)),
    (rc.dihedral(6), rc.dihedral(2)),
    (rc.symmetric(4), rc.alternating(4)),
    (rc.symmetric(4), rc.PermutationGroup(["(0 1)", "(2 3)"])),
    (rc.octahedral(), rc.tetrahedral()),
    (rc.octahedral(), rc.cyclic(2) @ rc.Group(dim=1)),
]


@pytest.mark.parametrize(("group", "subgroup"), FROBENIUS, ids=[f"{g} / {h}" for g, h in FROBENIUS])
def test_frobenius_reciprocity(group: Any, subgroup: Any) -> None:
    """Hom_G(Ind 1, X) = Hom_H(1, X)."""
    coset = rc.quotient(group, subgroup)
    inner = rc.Group(subgroup.discrete)
    for X in (rc.trivial(group), group.rep, group.rep**2, group.rep.sym(3)):
        wanted = rc.solve(rc.trivial(inner) >> X.restrict(inner), store=None).dim
        check(coset >> X, wanted)
        check(X >> coset, wanted)


def test_endomorphisms_of_a_coset_space_are_double_cosets(oracles: Any) -> None:
    group, subgroup = rc.symmetric(4), rc.PermutationGroup(["(0 1)", "(2 3)"])
    members = oracles.closure([g.tolist() for g in group.discrete])
    inside = oracles.closure([g.tolist() for g in subgroup.discrete])
    double = {frozenset((h @ g @ k).tobytes() for h in inside for k in inside) for g in members}
    check(rc.quotient(group, subgroup) >> rc.quotient(group, subgroup), len(double))


# -------------------------------------------------------------------------------------------------------------- number fields


@pytest.mark.parametrize(
    ("generators", "like", "field"),
    [
        ([rc.cyclic(8).discrete[0], rc.cyclic(12).discrete[0]], rc.cyclic(24), "QQ<sqrt(2) + sqrt(3)>"),
        ([rc.cyclic(24).discrete[0]], rc.cyclic(8), "QQ<sqrt(2) + sqrt(3)>"),
        ([rc.cyclic(8).discrete[0], rc.cyclic(5).discrete[0]], rc.cyclic(40), None),
        ([rc.dihedral(8).discrete[0], rc.dihedral(12).discrete[0], rc.dihedral(8).discrete[1]], rc.dihedral(24), None),
    ],
)
def test_extended_fields(generators: list[Any], like: Any, field: str | None) -> None:
    V, W = rc.Group(generators).rep, like.rep
    for p, q in ((1, 1), (2, 2), (2, 1), (3, 1)):
        basis = check(V**p >> V**q, rc.solve(W**p >> W**q, store=None).dim)
        assert field is None or str(basis.field) == field


def test_two_quadratic_fields_in_a_product() -> None:
    G, H = rc.dihedral(8), rc.dihedral(12)
    both = G @ H
    X = rc.lift(G.rep, both) * rc.lift(H.rep, both)
    basis = check(X >> X, 1)
    assert str(basis.field) == "QQ<sqrt(2) + sqrt(3)>"
    check(X * X >> rc.trivial(both), 1)
    check(X * X >> X * X, 3 * 3)
    check(both.rep >> both.rep, 2)


# ------------------------------------------------------------------------------------------------------------------- products

FACTORS: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
    (lambda: rc.symmetric(3), lambda v: v),
    (lambda: rc.cyclic(4), lambda v: v),
    (lambda: rc.SO(3), lambda v: v),
    (lambda: rc.SO(2), lambda v: v * v),
    (lambda: rc.translations(1), lambda v: v),
]


@pytest.mark.parametrize(("i", "j"), [(i, j) for i in range(len(FACTORS)) for j in range(i)])
def test_maps_of_outer_products_multiply(i: int, j: int) -> None:
    """Hom(X (x) Y, X (x) Y) = Hom(X, X) (x) Hom(Y, Y) for representations of two factors."""
    (make_g, of_g), (make_h, of_h) = FACTORS[i], FACTORS[j]
    G, H = make_g(), make_h()
    both = G @ H
    X, Y = of_g(G.rep), of_h(H.rep)
    outer = rc.lift(X, both) * rc.lift(Y, both)
    wanted = rc.solve(X >> X, store=None).dim * rc.solve(Y >> Y, store=None).dim
    basis = check(outer >> outer, wanted)
    lifted = rc.solve(X >> X, store=None)
    # The first factor alone.
    assert rc.solve(rc.lift(X, both) >> rc.lift(X, both), store=None).dim == lifted.dim
    assert list(rc.solve(rc.lift(X, both) >> rc.lift(X, both), store=None)) == list(lifted)
    assert basis.shape == (X.dim * Y.dim,) * 2


# --------------------------------------------------------------------------------------------------- Nye's tables of crystals

# In the hexagonal basis (two axes at 120 degrees, and c) rotations and mirrors are integer matrices, not orthogonal ones.
SIXTH = [[1, -1, 0], [1, 0, 0], [0, 0, 1]]
THIRD = [[0, -1, 0], [1, -1, 0], [0, 0, 1]]
TWO_X = [[1, -1, 0], [0, -1, 0], [0, 0, -1]]
MIRROR_X = [[-1, 1, 0], [0, 1, 0], [0, 0, 1]]


def minus(m: list[list[int]]) -> list[list[int]]:
    return [[-x for x in row] for row in m]


FOURTH = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
TWO_Z = [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]
TWO_XC = [[1, 0, 0], [0, -1, 0], [0, 0, -1]]
MIRROR_XC = [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]
MIRROR_Z = [[1, 0, 0], [0, 1, 0], [0, 0, -1]]
CYCLE = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
INVERSION = minus([[1, 0, 0], [0, 1, 0], [0, 0, 1]])

# class: generators, order, and the numbers of independent piezoelectric and elastic constants (Nye 1957, appendix E and table 9)
CRYSTALS: dict[str, tuple[list[Any], int, int, int]] = {
    "1": ([[[1, 0, 0], [0, 1, 0], [0, 0, 1]]], 1, 18, 21),
    "-1": ([INVERSION], 2, 0, 21),
    "2": ([TWO_Z], 2, 8, 13),
    "m": ([MIRROR_Z], 2, 10, 13),
    "222": ([TWO_Z, TWO_XC], 4, 3, 9),
    "mm2": ([TWO_Z, MIRROR_XC], 4, 5, 9),
    "mmm": ([TWO_Z, TWO_XC, INVERSION], 8, 0, 9),
    "4": ([FOURTH], 4, 4, 7),
    "-4": ([minus(FOURTH)], 4, 4, 7),
    "4/m": ([FOURTH, INVERSION], 8, 0, 7),
    "422": ([FOURTH, TWO_XC], 8, 1, 6),
    "4mm": ([FOURTH, MIRROR_XC], 8, 3, 6),
    "-42m": ([minus(FOURTH), TWO_XC], 8, 2, 6),
    "3": ([THIRD], 3, 6, 7),
    "-3": ([THIRD, INVERSION], 6, 0, 7),
    "32": ([THIRD, TWO_X], 6, 2, 6),
    "3m": ([THIRD, MIRROR_X], 6, 4, 6),
    "-3m": ([THIRD, TWO_X, INVERSION], 12, 0, 6),
    "6": ([SIXTH], 6, 4, 5),
    "-6": ([THIRD, MIRROR_Z], 6, 2, 5),
    "6/m": ([SIXTH, INVERSION], 12, 0, 5),
    "622": ([SIXTH, TWO_X], 12, 1, 5),
    "6mm": ([SIXTH, MIRROR_X], 12, 3, 5),
    "-6m2": ([THIRD, MIRROR_Z, MIRROR_X], 12, 1, 5),
    "6/mmm": ([SIXTH, TWO_X, INVERSION], 24, 0, 5),
    "23": ([CYCLE, TWO_Z], 12, 1, 3),
    "m-3": ([CYCLE, TWO_Z, INVERSION], 24, 0, 3),
    "432": ([CYCLE, FOURTH], 24, 0, 3),
    "-43m": ([CYCLE, minus(FOURTH)], 24, 1, 3),
    "m-3m": ([CYCLE, FOURTH, INVERSION], 48, 0, 3),
}


@pytest.mark.parametrize("name", CRYSTALS)
def test_constants_of_crystals(name: str) -> None:
    generators, order, piezoelectric, elastic = CRYSTALS[name]
    group = rc.Group(generators)
    assert rc.order(group) == order
    V, one = group.rep, rc.trivial(group)
    check(V.sym(2) >> V, piezoelectric)
    check(one >> V.dual.sym(2).sym(2), elastic)
    check(one >> V.sym(2).sym(2), elastic)


def test_isotropic_elasticity_has_the_constants_of_lame() -> None:
    for group in (rc.SO(3), rc.O(3), rc.icosahedral()):
        check(rc.trivial(group) >> group.rep.sym(2).sym(2), 2)
    check(rc.trivial(rc.SO(3)) >> rc.SO(3).rep * rc.SO(3).rep.sym(2), 0)
