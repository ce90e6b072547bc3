"""Which coordinate is which: copies before components, first factor slowest, sorted index tuples."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.exact.matrix import Matrix, block_diag, identity, kron, matrix
from repcore.reps.action import discrete_image, lie_image
from repcore.reps.atoms import atoms

D4 = rc.dihedral(4)
V, ONE = D4.rep, rc.trivial(D4)
S4 = rc.symmetric(4)


def positions(rep: Any) -> list[tuple[str, list[list[int]]]]:
    return [(str(a.rep), a.positions.tolist()) for a in atoms(rep)]


def test_copies_come_before_components() -> None:
    assert positions(4 * ONE + 2 * V) == [("1", [[0], [1], [2], [3]]), ("V", [[4, 5], [6, 7]])]
    assert (4 * ONE + 2 * V).matrix(0) == block_diag([identity(4), V.matrix(0), V.matrix(0)])


def test_equal_summands_are_collected_wherever_they_stand() -> None:
    assert positions(V + ONE + V) == [("V", [[0, 1], [3, 4]]), ("1", [[2]])]
    assert positions(2 * (V + 2 * ONE) + V) == [("V", [[0, 1], [4, 5], [8, 9]]), ("1", [[2], [3], [6], [7]])]
    assert positions(2 * (2 * (ONE + V))) == [
        ("1", [[0], [3], [6], [9]]),
        ("V", [[1, 2], [4, 5], [7, 8], [10, 11]]),
    ]


def test_products_of_sums_distribute() -> None:
    # (1 + V) (x) (V + 1): entry (i, j) at 3 i + j.
    assert positions((ONE + V) * (V + ONE)) == [
        ("V", [[0, 1], [5, 8]]),
        ("1", [[2]]),
        ("V**2", [[3, 4, 6, 7]]),
    ]
    assert positions((2 * V) * (2 * V)) == [
        ("V**2", [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]),
    ]


def test_duals_and_conjugates_of_sums_keep_the_places() -> None:
    assert positions((V + 2 * ONE).dual) == [("dual(V)", [[0, 1]]), ("1", [[2], [3]])]
    assert positions((V + 2 * ONE).conj) == [("conj(V)", [[0, 1]]), ("1", [[2], [3]])]


def test_realified_sums_interleave() -> None:
    assert positions((V + ONE).realify()) == [("realify(V)", [[0, 1, 3, 4]]), ("realify(1)", [[2, 5]])]


def test_restrictions_and_lifts_of_sums_open() -> None:
    C2 = rc.cyclic(2)
    assert positions((V + 2 * ONE).restrict(C2)) == [("restrict(V)", [[0, 1]]), ("1", [[2], [3]])]
    both = D4 @ C2
    assert positions(rc.lift(V + 2 * ONE, both)) == [("V@0", [[0, 1]]), ("1", [[2], [3]])]


def test_nothing_has_no_atoms() -> None:
    assert atoms(0 * V) == ()
    assert atoms((0 * V) * V) == ()
    assert (0 * V).dim == 0
    assert (0 * V).matrix(0).shape == (0, 0)


def test_atoms_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        atoms(2 * V)[0].positions[0, 0] = 9


def test_first_factor_is_slowest() -> None:
    g, p = V.matrix(0), S4.rep.matrix(1)
    both = D4 @ S4
    X = rc.lift(V, both) * rc.lift(S4.rep, both)
    assert X.matrix(0) == kron(g, identity(4))
    assert X.matrix(len(D4.discrete) + 1) == kron(identity(2), p)


def test_leibniz_by_hand() -> None:
    G = rc.SO(2)
    a = G.lie[0]
    assert (G.rep**2).matrix(0) == kron(a, identity(2)) + kron(identity(2), a)
    assert G.rep.dual.matrix(0) == -a.T


@pytest.mark.parametrize(("n", "k"), [(2, 2), (2, 3), (3, 2), (3, 3), (4, 2), (2, 5)])
def test_symmetric_power_acts_on_monomials(n: int, k: int) -> None:
    """g x_i1 ... g x_ik expanded: the coefficient of each sorted monomial."""
    g = matrix([[(i + 2) * (j + 1) - 3 * (i == j) for j in range(n)] for i in range(n)])
    basis = list(combinations_with_replacement(range(n), k))
    out = [[0] * len(basis) for _ in basis]
    table = g.tolist()
    for col, source in enumerate(basis):
        terms: dict[tuple[int, ...], Any] = {(): 1}
        for i in source:
            fresh: dict[tuple[int, ...], Any] = {}
            for t, c in terms.items():
                for r in range(n):
                    key = tuple(sorted((*t, r)))
                    fresh[key] = fresh.get(key, 0) + c * table[r][i]
            terms = fresh
        for t, c in terms.items():
            out[basis.index(t)][col] = c
    rep = rc.GL(n).rep.sym(k)
    assert rep.dim == len(basis)
    assert discrete_image(rep, g) == matrix(out)


@pytest.mark.parametrize(("n", "k"), [(2, 2), (3, 2), (3, 3), (4, 2), (4, 3)])
def test_exterior_power_acts_by_minors(n: int, k: int) -> None:
    g = matrix([[(i + 1) ** j + (i == j) for j in range(n)] for i in range(n)])
    basis = list(combinations(range(n), k))
    minors = [[round(np.linalg.det(g.to_numpy()[np.ix_(rows, cols)])) for cols in basis] for rows in basis]
    rep = rc.GL(n).rep.alt(k)
    assert discrete_image(rep, g) == matrix(minors)


def test_top_exterior_power_is_determinant_and_trace() -> None:
    rep = rc.GL(3).rep.alt(3)
    g = matrix([[1, 2, 0], [0, 3, 1], [4, 0, 1]])
    assert discrete_image(rep, g).tolist() == [[11]]
    assert lie_image(rep, g).tolist() == [[5]]
    assert rc.GL(3).rep.alt(4).dim == 0


def test_powers_of_an_irreducible_of_sl2_have_weights_in_steps_of_two() -> None:
    G = rc.SL(2)
    h = next(a for a in G.lie if a.tolist() == [[1, 0], [0, -1]])
    for k in range(6):
        weights = lie_image(G.rep.sym(k), h)
        assert weights == matrix([[k - 2 * i if i == j else 0 for j in range(k + 1)] for i in range(k + 1)])


def test_realified_matrix() -> None:
    G = rc.Group([[["1/2 + sqrt(3)*I/2", 0], [0, "I"]]])
    real = G.rep.realify()
    half, root = "1/2", "sqrt(3)/2"
    assert real.matrix(0) == matrix(
        [[half, 0, f"-{root}", 0], [0, 0, 0, -1], [root, 0, half, 0], [0, 1, 0, 0]],
    )
    assert real.matrix(0).field.is_real


def test_image_index() -> None:
    G = rc.O(2)
    assert G.rep.matrix(0) == G.discrete[0]
    assert G.rep.matrix(1) == G.lie[0] == G.rep.matrix(-1)
    for i in (2, -3):
        with pytest.raises(IndexError, match="2 generators"):
            G.rep.matrix(i)


def as_permutation(m: Matrix) -> list[int]:
    assert m.is_permutation
    return [int(np.flatnonzero(col)[0]) for col in np.array(m.tolist()).T]


def test_grid_turns_like_numpy() -> None:
    """A quarter turn in the plane turns the picture counter-clockwise, as `numpy.rot90` does; y points up."""
    for k in (1, 2, 3, 4, 5):
        picture = np.arange(k * k).reshape(k, k)
        turn, flip = (m.to_numpy().astype(int) for m in rc.grid(D4, k).matrices)
        assert np.array_equal((turn @ picture.ravel()).reshape(k, k), np.rot90(picture))
        # (x, y) -> (x, -y) turns the picture upside down.
        assert np.array_equal((flip @ picture.ravel()).reshape(k, k), np.flipud(picture))


def test_grid_by_its_definition() -> None:
    k = 4
    G = rc.hyperoctahedral(2)
    centres = [(j - (k - 1) / 2, (k - 1) / 2 - i) for i in range(k) for j in range(k)]
    for g, shown in zip(G.discrete, rc.grid(G, k).matrices, strict=True):
        images = as_permutation(shown)
        for cell, (x, y) in enumerate(centres):
            assert np.array_equal(g.to_numpy() @ [x, y], centres[images[cell]])


@pytest.mark.parametrize(
    ("group", "k", "error"),
    [
        (rc.cyclic(3), 3, rc.RepresentationError),
        (rc.cyclic(8), 3, rc.RepresentationError),
        (rc.SO(2), 3, rc.RepresentationError),
        (rc.O(2), 3, rc.RepresentationError),
        (rc.icosahedral(), 3, rc.RepresentationError),
        (rc.cyclic(4), (3, 5), rc.RepresentationError),
        (rc.cyclic(4), (3, 3, 3), rc.DeclarationError),
        (rc.cyclic(4), (), rc.DeclarationError),
        (rc.cyclic(4), (3, 0), rc.DeclarationError),
        (rc.cyclic(4), "33", rc.DeclarationError),
        (rc.cyclic(4), 2**17, rc.DeclarationError),
        (rc.symmetric(40), 2, rc.DeclarationError),
        (rc.Group([[[2, 0], [0, 1]]]), 3, rc.RepresentationError),
        (rc.Group([[["I", 0], [0, 1]]]), 3, rc.RepresentationError),
        (rc.cyclic(4), 0, rc.DeclarationError),
        (rc.cyclic(4), -1, rc.DeclarationError),
        (rc.cyclic(4), 2.0, rc.DeclarationError),
        (rc.cyclic(4), True, rc.DeclarationError),
    ],
    ids=str,
)
def test_grids_that_do_not_exist(group: Any, k: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^(group|k): "):
        rc.grid(group, k)
