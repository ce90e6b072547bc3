"""Finite groups: character theory gives every answer."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

import repcore as rc

Check = Callable[..., rc.Decomposition]


def shown(found: rc.Decomposition) -> list[tuple[int, int, str]]:
    return sorted((c.multiplicity, c.irrep.dim, c.irrep.type) for c in found)


def binary(*generators: str) -> rc.Group:
    """A group of unit quaternions "a b c d", acting on the quaternions from the left."""
    out = []
    for text in generators:
        a, b, c, d = (rc.number(x) for x in text.split())
        out.append([[a, -b, -c, -d], [b, a, -d, c], [c, d, a, -b], [d, -c, b, a]])
    return rc.Group(discrete=out)


SL23 = binary("0 1 0 0", "1/2 1/2 1/2 1/2")
BINARY_OCTAHEDRAL = binary("sqrt(2)/2 sqrt(2)/2 0 0", "1/2 1/2 1/2 1/2")
SL25 = binary("(1+sqrt(5))/4 (sqrt(5)-1)/4 1/2 0", "1/2 1/2 1/2 1/2")

# Degrees of the complex irreducible representations with their Frobenius-Schur indicators: (degree, indicator): how many; pairs
# of conjugate characters, indicator 0, are counted together as one real representation.
TABLES: dict[str, tuple[rc.Group, dict[tuple[int, int], int]]] = {
    "C2": (rc.cyclic(2), {(1, 1): 2}),
    "C3": (rc.PermutationGroup(["(0 1 2)"]), {(1, 1): 1, (1, 0): 1}),
    "C4": (rc.cyclic(4), {(1, 1): 2, (1, 0): 1}),
    "C5": (rc.PermutationGroup(["(0 1 2 3 4)"]), {(1, 1): 1, (1, 0): 2}),
    "C7": (rc.PermutationGroup(["(0 1 2 3 4 5 6)"]), {(1, 1): 1, (1, 0): 3}),
    "C2xC4": (rc.PermutationGroup(["(0 1)", "(2 3 4 5)"]), {(1, 1): 4, (1, 0): 2}),
    "D3": (rc.symmetric(3), {(1, 1): 2, (2, 1): 1}),
    "D4": (rc.dihedral(4), {(1, 1): 4, (2, 1): 1}),
    "D5": (rc.PermutationGroup(["(0 1 2 3 4)", "(1 4)(2 3)"]), {(1, 1): 2, (2, 1): 2}),
    "D6": (rc.PermutationGroup(["(0 1 2 3 4 5)", "(1 5)(2 4)"]), {(1, 1): 4, (2, 1): 2}),
    "Q8": (rc.quaternion(), {(1, 1): 4, (2, -1): 1}),
    "A4": (rc.alternating(4), {(1, 1): 1, (1, 0): 1, (3, 1): 1}),
    "S4": (rc.symmetric(4), {(1, 1): 2, (2, 1): 1, (3, 1): 2}),
    "O as matrices": (rc.octahedral(), {(1, 1): 2, (2, 1): 1, (3, 1): 2}),
    "A5": (rc.alternating(5), {(1, 1): 1, (3, 1): 2, (4, 1): 1, (5, 1): 1}),
    "S5": (rc.symmetric(5), {(1, 1): 2, (4, 1): 2, (5, 1): 2, (6, 1): 1}),
    "SL(2,3)": (SL23, {(1, 1): 1, (1, 0): 1, (2, -1): 1, (2, 0): 1, (3, 1): 1}),
    "binary octahedral": (BINARY_OCTAHEDRAL, {(1, 1): 2, (2, 1): 1, (2, -1): 2, (3, 1): 2, (4, -1): 1}),
    "SL(2,5)": (SL25, {(1, 1): 1, (2, -1): 2, (3, 1): 2, (4, 1): 1, (4, -1): 1, (5, 1): 1, (6, -1): 1}),
    "7:3": (rc.PermutationGroup(["(0 1 2 3 4 5 6)", "(1 2 4)(3 6 5)"]), {(1, 1): 1, (1, 0): 1, (3, 0): 1}),
    "5:4": (rc.PermutationGroup(["(0 1 2 3 4)", "(1 2 4 3)"]), {(1, 1): 2, (1, 0): 1, (4, 1): 1}),
    "PSL(2,7)": (
        rc.PermutationGroup(["(0 1 2 3 4 5 6)", "(1 2)(3 6)"]),
        {(1, 1): 1, (3, 0): 1, (6, 1): 1, (7, 1): 1, (8, 1): 1},
    ),
}


def regular_components(table: dict[tuple[int, int], int]) -> Counter[tuple[int, int, str]]:
    """Multiplicity, dimension and type of the real irreducibles in the regular representation."""
    out: Counter[tuple[int, int, str]] = Counter()
    for (d, indicator), count in table.items():
        key = {1: (d, d, "real"), 0: (d, 2 * d, "complex"), -1: (d // 2, 2 * d, "quaternionic")}[indicator]
        out[key] += count
    return out


@pytest.mark.parametrize("name", TABLES)
def test_regular_representation(name: str, check: Check) -> None:
    group, table = TABLES[name]
    found = check(rc.regular(group))
    assert Counter(shown(found)) == regular_components(table)
    assert found[0].irrep.is_trivial
    assert found.is_orthogonal
    assert found.residual < 1e-12
    assert not any(c.irrep.is_trivial for c in found.components[1:])


@pytest.mark.parametrize("k", [1, 2, 3])
def test_powers_of_the_permutation_representation_of_s4(k: int, check: Check) -> None:
    """The traces are the numbers of fixed points; the character table of S_4 does the rest."""
    classes = {(0, 1, 2, 3): 1, (1, 0, 2, 3): 6, (1, 0, 3, 2): 3, (1, 2, 0, 3): 8, (1, 2, 3, 0): 6}
    table = {
        (1, "trivial"): [1, 1, 1, 1, 1],
        (1, "sign"): [1, -1, 1, 1, -1],
        (2, ""): [2, 0, 2, -1, 0],
        (3, "standard"): [3, 1, -1, 0, -1],
        (3, "twisted"): [3, -1, -1, 0, 1],
    }
    chi = [sum(i == j for i, j in enumerate(g)) ** k for g in classes]
    inner = {key: sum(n * a * b for n, a, b in zip(classes.values(), chi, row, strict=True)) // 24 for key, row in table.items()}
    expected = sorted((m, d, "real") for (d, _), m in inner.items() if m)
    assert shown(check(rc.symmetric(4).rep ** k)) == expected


def test_quaternions_over_the_complex_numbers_and_as_a_real_form(check: Check) -> None:
    matrices = [[["I", 0], [0, "-I"]], [[0, 1], [-1, 0]]]
    q8 = rc.Group(discrete=matrices)
    assert shown(check(q8.rep)) == [(1, 2, "complex")]
    assert len(rc.decompose(q8.rep)[0].irrep.endomorphisms) == 1
    real = check(q8.rep.realify())
    assert shown(real) == [(1, 4, "quaternionic")]
    assert real[0].irrep.endomorphisms.shape == (4, 4, 4)


@pytest.mark.parametrize("n", [3, 5, 6, 7, 8, 12])
def test_cyclic_groups_have_rotations_of_complex_type(n: int, check: Check) -> None:
    cycle = rc.PermutationGroup([[(i + 1) % n for i in range(n)]])
    found = check(cycle.rep)
    assert sum(c.irrep.type == "complex" for c in found) == (n - 1) // 2
    assert all(c.multiplicity == 1 for c in found)


def test_over_the_complex_numbers_a_cyclic_group_splits_into_characters(check: Check) -> None:
    group = rc.Group(discrete=[[["zeta(5)"]]])
    found = check(rc.regular(group) + group.rep)
    assert shown(found) == [(1, 1, "complex")] * 4 + [(2, 1, "complex")]


@pytest.mark.parametrize(("group", "dim"), [(rc.icosahedral(), 3), (rc.hyperoctahedral(4), 4), (rc.dihedral(5), 2)])
def test_squares_of_reflection_representations(group: rc.Group, dim: int, check: Check) -> None:
    """V (x) V is Sym^2 + Alt^2, and Sym^2 has one invariant."""
    V = group.rep
    square, sym, alt = check(V * V), check(V.sym(2)), check(V.alt(2))
    assert sum(c.multiplicity for c in square if c.irrep.is_trivial) == 1
    parts = Counter[int]()
    for found in (sym, alt):
        parts.update({c.irrep.dim: c.multiplicity for c in found})
    whole = Counter[int]()
    for c in square:
        whole[c.irrep.dim] += c.multiplicity
    assert sum(d * m for d, m in whole.items()) == dim * dim == sum(d * m for d, m in parts.items())


def test_the_four_dimensional_reflection_group_h4() -> None:
    """In simple roots, over Q(sqrt(5)): V (x) V is the scalars, Alt^2 and the traceless part of Sym^2."""
    a = "(1+sqrt(5))/4"
    gram = [[1, f"-{a}", 0, 0], [f"-{a}", 1, "-1/2", 0], [0, "-1/2", 1, "-1/2"], [0, 0, "-1/2", 1]]
    mirrors = []
    for i in range(4):
        m = [[rc.number(int(r == c)) for c in range(4)] for r in range(4)]
        for j in range(4):
            m[i][j] = m[i][j] - 2 * rc.number(gram[i][j])
        mirrors.append(m)
    V = rc.Group(discrete=mirrors, name="H4").rep
    found = rc.decompose(V * V)
    assert sorted((c.multiplicity, c.irrep.dim) for c in found) == [(1, 1), (1, 6), (1, 9)]
    assert not found.is_orthogonal


def test_orbits_of_a_permutation_module_are_split_before_anything_else() -> None:
    """Two orbits of 5 points and one fixed point: the matrix of each component is sparse."""
    group = rc.PermutationGroup(["(0 1 2 3 4)(5 6 7 8 9)", "(0 1)(5 6)"], degree=11)
    found = rc.decompose(group.rep)
    assert [(c.multiplicity, c.irrep.dim) for c in found] == [(3, 1), (2, 4)]
    assert all(c.basis.nnz <= 11 * 5 for c in found)


def test_conjugate_components_share_their_exact_projector() -> None:
    """The two representations of degree 3 of the icosahedral group need sqrt(5)."""
    group = rc.alternating(5)
    found = rc.decompose(rc.regular(group))
    sizes = [(c.irrep.dim, len(c.conjugates)) for c in found]
    assert sizes == [(1, 1), (3, 2), (3, 2), (4, 1), (5, 1)]
    three, other = found[1], found[2]
    assert three.projector == other.projector
    assert set(three.conjugates) == {three.irrep, other.irrep}


@pytest.mark.parametrize(
    "rep",
    [
        rc.symmetric(4).rep ** 2,
        rc.regular(rc.quaternion()),
        rc.icosahedral().rep ** 2,
        2 * rc.permutation(rc.cyclic(5), ["(0 1 2 3 4)"]),
        rc.SO(3).rep ** 2 + rc.SO(3).rep,
        rc.U(2).rep * rc.U(2).rep.conj,
        rc.lorentz().rep ** 2,
    ],
    ids=str,
)
def test_exact_projectors(rep: rc.Rep) -> None:
    """Idempotent, equivariant, orthogonal to each other, complete: with ==; and the float bases span their images."""
    found = rc.decompose(rep)
    distinct = list({c.projector.digest: c.projector for c in found}.values())
    total = distinct[0]
    for p in distinct[1:]:
        total = total + p
    assert total.is_identity
    for p, q in itertools.product(distinct, distinct):
        assert p @ q == (p if p is q else p - p)
    for p in distinct:
        assert all(p @ m == m @ p for m in rep.matrices)
    for c in found:
        basis = c.basis.toarray() if hasattr(c.basis, "toarray") else c.basis
        assert np.abs(c.projector.to_numpy() @ basis - basis).max() < 1e-12


def test_the_order_of_generators_changes_nothing() -> None:
    images = [[1, 2, 3, 4, 0], [1, 0, 2, 3, 4], [0, 2, 1, 3, 4]]
    first = rc.decompose(rc.PermutationGroup(images).rep ** 2)
    for order in itertools.permutations(images):
        other = rc.decompose(rc.PermutationGroup(list(order)).rep ** 2)
        assert [(c.multiplicity, c.irrep.dim, c.irrep.type) for c in other] == [
            (c.multiplicity, c.irrep.dim, c.irrep.type) for c in first
        ]
        assert np.abs(other.U - first.U).max() < 1e-12
