"""Levels: their values and multiplicities, which are known from books, and what they must not depend on."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import repcore as rc

EPS = float(np.finfo(np.float64).eps)


def table(space: rc.Hom, **options: str) -> list[tuple[float, int]]:
    """Eigenvalues to nine digits, with their multiplicities."""
    return [(round(x.eigenvalue, 9), x.multiplicity) for x in rc.soften(space, cutoff=0, **options).levels]


@pytest.mark.parametrize(("k", "dim"), [(3, 3), (5, 7), (7, 13), (14, 49), (16, 64)])
def test_invariant_images_of_a_grid_under_quarter_turns(k: int, dim: int) -> None:
    G = rc.cyclic(4)
    assert rc.soften(rc.trivial(G) >> rc.grid(G, k), cutoff=0).plan.strict == dim


@pytest.mark.parametrize("l", [0, 1, 2, 3, 4])
def test_casimir_of_SO3_is_l_times_l_plus_one(l: int) -> None:
    """Between the irreps of degree j and k there is one of each degree from the difference to the sum: Clebsch and Gordan."""
    G = rc.SO(3)
    for k in range(3):
        space = rc.irrep(G, str(l)) >> rc.irrep(G, str(k))
        wanted = [(float(j * (j + 1)), 2 * j + 1) for j in range(abs(l - k), l + k + 1)]
        assert table(space) == ([] if wanted[0][0] == 0 else [(0.0, 0)]) + wanted


def test_casimir_of_SU2_on_spinors() -> None:
    """With |A|^2 = tr(A^H A) / 2 the eigenvalue for spin j is 4 j (j + 1)."""
    V = rc.SU(2).rep
    assert table(rc.trivial(rc.SU(2)) >> V) == [(0.0, 0), (3.0, 2)]
    assert table(V >> V) == [(0.0, 1), (8.0, 3)]


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_casimir_of_vectors_and_of_their_pairs_under_SO_n(n: int) -> None:
    """n - 1 on vectors; 2 (n - 2) on antisymmetric and 2 n on symmetric traceless matrices."""
    V = rc.SO(n).rep
    assert table(rc.trivial(rc.SO(n)) >> V) == [(0.0, 0), (float(n - 1), n)]
    assert table(V >> V) == [(0.0, 1), (2.0 * (n - 2), n * (n - 1) // 2), (2.0 * n, n * (n + 1) // 2 - 1)]


def test_transpositions_of_S4_have_the_contents_of_young_diagrams() -> None:
    """A class sum of transpositions is the sum of the contents of the diagram: 6, 2, 0, -2, -6 of 6 for n = 4."""
    G = rc.Group(discrete=[m.to_numpy(int) for m in rc.PermutationGroup(["(0 1)", "(1 2)", "(2 3)"], degree=4).generators])
    X = rc.regular(G)
    content = {1: [6, -6], 2: [0], 3: [2, -2]}
    wanted: dict[float, int] = {}
    for d, sums in content.items():
        for c in sums:
            value = round(2 * (1 - c / 6), 9)
            wanted[value] = wanted.get(value, 0) + d * d
    assert table(rc.trivial(G) >> X) == sorted(wanted.items())


def test_O3_tells_parities_apart() -> None:
    """The reflection adds 2 (1 - p (-1)^l / (2 l + 1)), from its character, to the Casimir."""
    G = rc.O(3)
    for l, (sign, parity) in product(range(4), ((1, "e"), (-1, "o"))):
        wanted = l * (l + 1) + 2 * (1 - sign * (-1) ** l / (2 * l + 1))
        found = rc.soften(rc.irrep(G, "0e") >> rc.irrep(G, f"{l}{parity}"), cutoff=0).levels
        assert abs(found[-1].eigenvalue - wanted) <= 1e3 * EPS * max(wanted, 1)
        assert found[-1].multiplicity == 2 * l + 1


def test_levels_do_not_depend_on_the_basis_of_the_lie_algebra() -> None:
    x, y, z = rc.SO(3).lie
    for lie in ([x + y, y * 3 - z, z], [x, y], [x * 2, y, z, x + y + z]):
        G = rc.Group(lie=lie)
        assert table(G.rep >> G.rep) == table(rc.SO(3).rep >> rc.SO(3).rep)


def test_levels_do_not_depend_on_conjugate_generators() -> None:
    """Three reflections of D3, or one of them and a turn in its other direction."""
    D3 = rc.dihedral(3)
    turn, flip = D3.discrete
    more = rc.Group(discrete=[turn @ turn, flip, turn @ flip, flip])
    assert table(more.rep >> more.rep) == table(D3.rep >> D3.rep)


def test_levels_do_not_depend_on_the_coordinates() -> None:
    """A turned orthonormal basis changes the maps, and neither the values nor the multiplicities."""
    turned = rc.Group(discrete=[[["3/5", "4/5"], ["4/5", "-3/5"]], [[0, -1], [1, 0]]])
    assert table(turned.rep**2 >> turned.rep) == table(rc.dihedral(4).rep ** 2 >> rc.dihedral(4).rep)


def test_multiplicities_add_up_and_the_first_is_the_exact_dimension(compact: rc.Hom) -> None:
    plan = rc.soften(compact, cutoff=0).plan
    assert int(plan.multiplicities.sum()) == plan.size == compact.shape[0] * compact.shape[1]
    assert plan.strict == rc.solve(compact).dim
    assert plan.values[0] == 0
    assert bool(np.all(np.diff(plan.values) > plan.errors[1:] + plan.errors[:-1]))


def test_copies_are_factored() -> None:
    """64 copies make no larger arrays than one, and as many times the multiplicities."""
    V = rc.SO(3).rep ** 2
    one, many = (rc.soften(n * V >> n * V, cutoff=0).plan for n in (1, 64))
    assert (many.multiplicities == 64**2 * one.multiplicities).all()
    assert [b.ids.shape for b in many.blocks] == [b.ids.shape for b in one.blocks] == [(9, 9)]
    assert many.values.tolist() == one.values.tolist()


def test_every_entry_is_in_one_place(compact: rc.Hom) -> None:
    """The contract with the backends: an entry of the transformed map has a level of its own, or one place in one cell."""
    for b in rc.soften(compact, cutoff=0).plan.blocks:
        count = (b.ids.ravel() >= 0).astype(int)
        for c in b.cells:
            np.add.at(count, c.at.ravel(), 1)
            assert c.q.shape[1:] == (c.at.shape[2],) * 2
            assert c.ids.shape[1] == c.at.shape[2]
            assert len(c.q) in (1, len(c.at))
            assert len(c.ids) in (1, len(c.at))
        assert (count == 1).all()


def test_arrays_are_read_only(compact: rc.Hom) -> None:
    soft = rc.soften(compact, cutoff=0)
    arrays = [soft.gains, soft.plan.values, soft.plan.errors, soft.plan.multiplicities]
    for b in soft.plan.blocks:
        arrays += [b.rows, b.cols, b.ids, *(x for x in (b.left, b.right) if x is not None)]
        arrays += [x for c in b.cells for x in (c.at, c.q, c.ids)]
    assert not any(a.flags.writeable for a in arrays)
