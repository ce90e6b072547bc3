"""Random elements: they act as products of the images of their generators, and are spread as is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

import repcore as rc

UNIT = float(np.finfo(float).eps)

GROUPS: dict[str, rc.Group] = {
    "D4": rc.dihedral(4),
    "S5": rc.symmetric(5),
    "O(3)": rc.O(3),
    "SU(2)": rc.SU(2),
    "SE(2)": rc.SE(2),
    "O(1,3)": rc.lorentz(full=True),
    "GL(2)": rc.GL(2),
    "D4 x SO(2)": rc.dihedral(4) @ rc.SO(2),
    "Z": rc.Group([[[1, 1], [0, 1]]]),
    "no generator": rc.Group(dim=2),
}


def dense(g: rc.Word, rep: rc.Rep) -> np.ndarray:
    out: Any = np.eye(rep.dim)
    for letter in g.letters:
        first, amount = letter[0]
        if first < len(g.group.discrete):
            out = out @ np.linalg.matrix_power(rep.matrix(first).to_numpy(), int(amount))
        else:
            out = out @ expm(sum(a * rep.matrix(i).to_numpy() for i, a in letter))
    return rc.to_orthonormal(out, rep, rep)


@pytest.mark.parametrize("name", GROUPS)
def test_a_word_acts_as_the_product_of_its_letters(name: str) -> None:
    G = GROUPS[name]
    V, one = G.rep, rc.trivial(G)
    X = (2 * V + one) * V + V.dual + (V + one).dual + V.sym(2)
    x = np.random.default_rng(0).standard_normal((2, 3, X.dim))
    for g in rc.sample(G, 5, seed=1):
        y, m = g.act(X, x), dense(g, X)
        # One exponential is off by about its dimension times its norm, in units; products multiply the norms of their factors.
        norm = max((abs(a) for letter in g.letters for _, a in letter), default=0.0) + 1
        allowed = 16 * UNIT * X.dim * norm * (len(g.letters) + 1) * np.linalg.norm(m, 2) ** 2
        assert np.linalg.norm(y - x @ m.T) <= allowed * np.linalg.norm(x)
        assert eval(repr(g), {**vars(rc)}) == g  # noqa: S307


def test_large_summands_are_moved_by_sparse_images() -> None:
    image = rc.grid(rc.dihedral(4), 28)
    x = np.random.default_rng(0).standard_normal((3, 28, 28))
    turned = rc.Word(rc.dihedral(4), [[(0, 1)]]).act(image, x.reshape(3, -1))
    assert np.array_equal(turned.reshape(x.shape), np.rot90(x, axes=(1, 2)))
    V = rc.SO(3).rep
    power = rc.SO(3).rep.sym(12)  # of dimension 91: the exponential acts on vectors
    g = rc.sample(rc.SO(3), 1)[0]
    v = np.random.default_rng(1).standard_normal(3)
    monomials = [np.prod(v[list(at)]) for at in _tuples(3, 12)]
    moved = [np.prod(g.act(V, v)[list(at)]) for at in _tuples(3, 12)]
    # In Sym^k the monomial e_i1 ... e_ik of v^k has the multinomial coefficient.
    weights = np.array([_multinomial(at) for at in _tuples(3, 12)])
    norm = float(np.sum(np.abs(power.matrix(0).to_numpy()))) * 10
    assert np.linalg.norm(g.act(power, weights * monomials) - weights * moved) <= 64 * UNIT * norm * np.linalg.norm(
        weights * monomials
    )


def _tuples(n: int, k: int) -> list[tuple[int, ...]]:
    from itertools import combinations_with_replacement

    return list(combinations_with_replacement(range(n), k))


def _multinomial(at: tuple[int, ...]) -> float:
    from math import factorial, prod

    return factorial(len(at)) / prod(factorial(at.count(i)) for i in set(at))


def test_an_inverse_power_undoes_a_power() -> None:
    G = rc.Group([[[2, 1], [1, 1]]])
    g, back = rc.Word(G, [[(0, 3)]]), rc.Word(G, [[(0, -3)]])
    assert back.act(G.rep, g.act(G.rep, [1.0, 2.0])).tolist() == [1.0, 2.0]


def test_a_small_group_is_taken_whole_and_a_mean_is_exact() -> None:
    found = rc.sample(rc.dihedral(4), 8)
    assert (found.is_exhaustive, len(found), found.identities, found.products) == (True, 8, 1, 5)
    matrices = {tuple(g.act(rc.dihedral(4).rep, np.eye(2)).ravel().tolist()) for g in found}
    assert len(matrices) == 8
    assert not rc.sample(rc.dihedral(4), 7).is_exhaustive


def test_words_tell_products_from_generators() -> None:
    G = rc.O(3)
    kinds = [[], [[(0, 1)]], [[(1, 0.5)]], [[(0, 2)]], [[(1, 0.5), (2, 0.5)]], [[(0, 1)], [(1, 0.5)]]]
    words = [rc.Word(G, letters) for letters in kinds]
    assert [(g.is_identity, g.is_product) for g in words] == [
        (True, False),
        (False, False),
        (False, False),
        (False, True),
        (False, True),
        (False, True),
    ]
    assert [str(g) for g in words[-2:]] == ["exp(0.5 g1 + 0.5 g2)", "g0 exp(0.5 g1)"]
    assert str(rc.Word(G, [[(1, -0.5), (2, -1)]])) == "exp(-0.5 g1 - 1 g2)"


@pytest.mark.parametrize(
    "rep",
    [
        rc.SO(3).rep,
        rc.irrep(rc.SO(3), "2"),
        rc.irrep(rc.O(3), "2o"),
        rc.SU(2).rep,
        rc.SU(3).rep,
        rc.SO(5).rep,
        rc.U(2).rep,
        rc.symmetric(5).rep.alt(2),
    ],
    ids=str,
)
def test_compact_groups_are_sampled_near_the_haar_measure(rep: rc.Rep) -> None:
    # The Haar mean of an irrep that is not trivial is zero; the mean of n unitary matrices has the variance dim / n.
    n = 250
    mean = sum(g.act(rep, np.eye(rep.dim)) for g in rc.sample(rep.group, n, seed=3)) / n
    assert np.linalg.norm(mean) <= 3 * np.sqrt(rep.dim / n)


def test_one_factor_on_so3_has_the_coefficients_that_are_said() -> None:
    # The angle of exp(c . A) with normal c is the length of c: the density of Maxwell, r^2 exp(-r^2 / 6).
    r = np.linspace(0, 40, 20_001)
    density = r**2 * np.exp(-(r**2) / 6)
    density /= density.sum()
    for degree in range(1, 30):
        chi = 1 + 2 * sum(np.cos(m * r) for m in range(1, degree + 1))
        assert abs((chi * density).sum()) / (2 * degree + 1) <= 0.04


def test_a_group_that_is_not_compact_is_sampled_on_a_bounded_piece() -> None:
    G = rc.SE(2)
    for g in rc.sample(G, 50, reach=0.25):
        m = g.act(G.rep, np.eye(3)).T
        # The rotation comes first, so that the translation has its own length.
        assert np.linalg.norm(m[:2, 2]) <= 0.25 * (1 + 64 * UNIT)
        assert abs(np.linalg.det(m[:2, :2]) - 1) <= 64 * UNIT * 10
    assert "bounded" in rc.sample(G, 2).how


def test_the_order_of_a_product_is_that_of_all_of_it() -> None:
    S4 = rc.symmetric(4)
    assert rc.sample(S4 @ S4).how == "uniform over the 576 elements"
    assert rc.sample(S4 @ rc.SO(3) @ S4).how == "nearly Haar; uniform over the 576 elements of the finite factors"


def test_seeds_decide() -> None:
    assert rc.sample(rc.SO(3), 3) == rc.sample(rc.SO(3), 3, seed=0) != rc.sample(rc.SO(3), 3, seed=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rc.sample("D4"), "group: expected a group"),  # pyright: ignore[reportArgumentType]
        (lambda: rc.sample(rc.dihedral(4), 0), "count: expected an integer >= 1"),
        (lambda: rc.sample(rc.SE(2), 3, reach=0), "reach: expected a positive"),
        (lambda: rc.Word(rc.dihedral(4), [[(2, 1)]]), "generator 2 of a group with 2"),
        (lambda: rc.Word(rc.dihedral(4), [[(0, 0.5)]]), "a whole power"),
        (lambda: rc.Word(rc.O(3), [[(0, 1), (1, 0.5)]]), "a letter of its own"),
        (lambda: rc.Word(rc.SO(3), [[(0, float("nan"))]]), "not finite"),
        (lambda: rc.Word(rc.SO(3), [[]]), "is empty"),
        (lambda: rc.Word(rc.SO(3), [3]), "expected pairs"),  # pyright: ignore[reportArgumentType]
        (lambda: rc.Word(rc.SO(3)).act(rc.O(3).rep, [1.0, 0, 0]), "a representation of O"),
        (lambda: rc.Word(rc.SO(3)).act(rc.SO(3).rep, [1.0, 0]), "expected \\(..., 3\\)"),
        (lambda: rc.Word(rc.SO(3)).act(rc.SO(3).rep, ["a", "b", "c"]), "array of numbers"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, message: str) -> None:
    with pytest.raises(rc.IncompatibleError, match=message):
        call()
