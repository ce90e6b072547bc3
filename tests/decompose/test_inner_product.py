"""Representations that are not orthogonal: the exact Gram matrix, and the two projectors onto the equivariant maps."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

import repcore as rc

Check = Callable[..., rc.Decomposition]

TURNS = rc.Group(discrete=[[[1, -1], [1, 0]]], name="6")
HEXAGON = rc.Group(discrete=[[[1, -1], [1, 0]], [[0, 1], [1, 0]]], name="6mm")


def simple_roots(cartan: list[list[int]]) -> rc.Group:
    """A Weyl group by its reflections s_i(a_j) = a_j - A_ij a_i, as integer matrices in the basis of simple roots."""
    n = len(cartan)
    mirrors = []
    for i in range(n):
        m = [[int(r == c) for c in range(n)] for r in range(n)]
        for j in range(n):
            m[i][j] -= cartan[i][j]
        mirrors.append(m)
    return rc.Group(discrete=mirrors)


B3 = simple_roots([[2, -1, 0], [-1, 2, -2], [0, -1, 2]])
A3 = simple_roots([[2, -1, 0], [-1, 2, -1], [0, -1, 2]])
F4 = simple_roots([[2, -1, 0, 0], [-1, 2, -2, 0], [0, -1, 2, -1], [0, 0, -1, 2]])

REPS = {
    "hexagon": HEXAGON.rep,
    "hexagon 2": HEXAGON.rep**2,
    "hexagon sum": 2 * HEXAGON.rep + HEXAGON.rep.dual,
    "A3 2": A3.rep**2,
    "B3 2": B3.rep**2,
    "F4": F4.rep,
    "Sym": rc.cyclic(3).rep.sym(2),
    "mixed tensors": rc.SO(3).rep.sym(2) * rc.SO(3).rep,
    "custom": rc.Rep(rc.cyclic(4), discrete=[[[1, -1], [2, -1]]]),
    "custom complex": rc.Rep(rc.quaternion(), discrete=[[["I", "-2*I"], [0, "-I"]], [[-1, 2], [-1, 1]]]),
    "SO(2), skew": rc.Group(lie=[[[1, -2], [1, -1]]]).rep ** 2,
    "spinor powers": rc.SU(2).rep.sym(3),
}


@pytest.mark.parametrize("name", REPS)
def test_the_gram_matrix_is_invariant_and_positive(name: str) -> None:
    rep = REPS[name]
    g = rc.gram(rep)
    assert g.T.conjugate() == g
    count = len(rep.group.discrete)
    for i, m in enumerate(rep.matrices):
        turned = m.T.conjugate() @ g
        assert turned @ m == g if i < count else turned == -(g @ m)
    assert np.linalg.eigvalsh(g.to_numpy()).min() > 0


@pytest.mark.parametrize("name", ["hexagon 2", "A3 2", "Sym", "custom", "custom complex"])
def test_the_gram_matrix_is_the_mean_over_the_group(name: str) -> None:
    """By the definition, element by element."""
    rep = REPS[name]
    elements = [rep.matrix(0) @ rc.matrix(np.linalg.matrix_power(np.eye(rep.dim, dtype=int), 1))]
    seen = {elements[0].digest}
    for x in elements:
        for m in rep.matrices:
            y = x @ m
            if y.digest not in seen:
                seen.add(y.digest)
                elements.append(y)
    mean = elements[0].T.conjugate() @ elements[0]
    for x in elements[1:]:
        mean = mean + x.T.conjugate() @ x
    assert mean * Fraction(1, len(elements)) == rc.gram(rep)


def test_an_orthogonal_representation_has_the_identity() -> None:
    assert rc.gram(rc.SO(3).rep ** 2 + rc.trivial(rc.SO(3))).is_identity
    assert rc.gram(rc.regular(rc.quaternion())).is_identity


@pytest.mark.parametrize("name", REPS)
def test_decompositions_in_skew_bases(name: str, check: Check) -> None:
    rep = REPS[name]
    found = check(rep)
    assert not found.is_orthogonal
    assert found.residual < 1e-9
    g = rc.gram(rep).to_numpy()
    # Components are orthogonal for every invariant form, so also for the mean.
    for a in found:
        for b in found:
            if a is not b:
                x, y = (c.basis.toarray() if hasattr(c.basis, "toarray") else c.basis for c in (a, b))
                assert np.abs(x.conj().T @ g @ y).max() < 1e-10


def test_weyl_group_squares_have_the_components_of_the_orthogonal_form() -> None:
    orthogonal = rc.decompose(rc.hyperoctahedral(3).rep ** 2)
    skew = rc.decompose(B3.rep**2)
    assert sorted((c.multiplicity, c.irrep.dim, c.irrep.type) for c in skew) == sorted(
        (c.multiplicity, c.irrep.dim, c.irrep.type) for c in orthogonal
    )


@pytest.mark.parametrize("name", REPS)
def test_orthogonalised(name: str) -> None:
    rep = REPS[name]
    turned = rc.orthogonalised(rep)
    assert np.abs(turned.change @ turned.back - np.eye(rep.dim)).max() < 64 * rep.dim * 2.0**-53 * turned.condition
    count = len(rep.group.discrete)
    for i in range(len(rep.group.generators)):
        q = turned.matrix(i)
        defect = q.conj().T @ q - np.eye(rep.dim) if i < count else q.conj().T + q
        assert np.linalg.norm(defect, 2) <= 2 * turned.defect + 64 * rep.dim * 2.0**-53 * turned.condition
    with pytest.raises(ValueError, match="read-only"):
        turned.change[0, 0] = 1


SPACES = {
    "orthogonal": (rc.SO(3).rep >> rc.SO(3).rep ** 2, True),
    "permutations": (rc.symmetric(4).rep >> rc.symmetric(4).rep ** 2, True),
    "labelled": (rc.irreps_from("1x0e+1x1o", rc.O(3)) >> rc.irrep(rc.O(3), "1o") ** 2, True),
    "unitary": (rc.U(2).rep >> rc.U(2).rep + rc.U(2).rep, True),
    "turns of a hexagon": (TURNS.rep >> TURNS.rep, False),
    "hexagon 3": (HEXAGON.rep**3 >> HEXAGON.rep + HEXAGON.rep.dual, False),
    "Weyl": (A3.rep >> A3.rep**2, False),
    "Sym of permutations": (rc.symmetric(3).rep.sym(2) >> rc.symmetric(3).rep, True),
    "Sym of rotations": (rc.SO(3).rep.sym(2) >> rc.SO(3).rep ** 2, False),
}


@pytest.mark.parametrize("name", SPACES)
def test_the_haar_projector(name: str) -> None:
    """A projector onto the same space as the Frobenius one, and the same one for orthogonal representations only."""
    space, same = SPACES[name]
    rng = np.random.default_rng(2)
    w = rng.normal(size=(3, *space.shape))
    if not rc.solve(space).field.is_real or name == "unitary":
        w = w + 1j * rng.normal(size=w.shape)
    haar, plan = rc.haar_projector(space), rc.plan(space)
    mean = haar(w)
    assert mean.shape == w.shape
    assert np.abs(haar(mean) - mean).max() < 1e-12
    assert np.abs(plan.project(mean) - mean).max() < 1e-12
    nearest = plan.project(w)
    assert bool(np.abs(mean - nearest).max() < 1e-12) is same


def test_the_haar_projector_is_the_mean_over_the_group() -> None:
    V = HEXAGON.rep
    w = np.array([[1.0, 2.0], [-3.0, 5.0]])
    found = [np.eye(2)]
    for x in found:
        for m in V.matrices:
            y = m.to_numpy() @ x
            if not any(np.array_equal(y, z) for z in found):
                found.append(y)
    assert len(found) == 12
    mean = sum(g @ w @ np.linalg.inv(g) for g in found) / 12
    assert np.abs(rc.haar_projector(V >> V)(w) - mean).max() < 1e-14


def test_the_haar_projector_of_no_entries() -> None:
    V = HEXAGON.rep
    assert rc.haar_projector(0 * V >> V)(np.zeros((2, 0))).shape == (2, 0)
    assert rc.haar_projector(V >> 0 * V)(np.zeros((3, 0, 2))).shape == (3, 0, 2)


def test_haar_projector_refuses_what_has_no_mean() -> None:
    V = rc.affine(2).rep
    with pytest.raises(rc.RepresentationError, match="no mean"):
        rc.haar_projector(rc.trivial(V.group) >> V)
    with pytest.raises(rc.IncompatibleError, match="weight"):
        rc.haar_projector(HEXAGON.rep >> HEXAGON.rep)(np.zeros((3, 2)))


def hilbert(n: int) -> list[list[Fraction]]:
    return [[Fraction(1, i + j + 1) for j in range(n)] for i in range(n)]


def skewed(n: int) -> rc.Rep:
    """The permutations of n points in the basis of a Hilbert matrix, of condition e^3.5n."""
    group = rc.symmetric(n)
    change = rc.matrix(hilbert(n))
    back = rc.matrix(np.array(change.to_sympy().inv().tolist(), dtype=object))
    return rc.Rep(group, discrete=[change @ m @ back for m in group.discrete])


def test_an_ill_conditioned_basis_is_reported_and_then_refused(check: Check) -> None:
    """The bound grows with the condition number and holds; past what float64 can prove there is an error."""
    bounds = []
    for n in (3, 4):
        found = check(skewed(n))
        assert [(c.multiplicity, c.irrep.dim) for c in found] == [(1, 1), (1, n - 1)]
        bounds.append(found.residual)
    assert bounds[0] < bounds[1]
    assert bounds[0] > 1e-13
    with pytest.raises(rc.RepcoreError, match="condition"):
        rc.decompose(skewed(9))


def test_the_methods_are_the_functions() -> None:
    V = rc.Group([[[-1, 1], [0, 1]], [[1, 0], [1, -1]]]).rep
    assert V.gram() == rc.gram(V)
    assert not V.gram().is_identity
    one, two = V.orthogonalised(), rc.orthogonalised(V)
    assert np.array_equal(one.matrix(0), two.matrix(0))
