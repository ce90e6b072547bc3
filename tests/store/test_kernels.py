"""Convolution kernels: exact ones on grids, sampled ones for all other groups."""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import Any

import numpy as np
import pytest

import repcore as rc

EPS = float(np.finfo(float).eps)
SO2, O2, SO3 = rc.SO(2), rc.O(2), rc.SO(3)


def centres(*sizes: int) -> np.ndarray:
    """(directions, cells), written down from the definition: x along columns, y up, z along the depth."""
    at = np.indices(sizes).reshape(len(sizes), -1)
    q = np.array([i - (k - 1) / 2 for i, k in zip(at, sizes, strict=True)])[::-1]
    if len(sizes) > 1:
        q[1] *= -1
    return q


def elements(plan: rc.Plan, x: int) -> np.ndarray:
    """The basis as (dim, dim Y, dim X, cells)."""
    return plan.expand(np.eye(plan.dim)).reshape(plan.dim, plan.shape[0], x, -1)


def rounding(plan: rc.Plan) -> float:
    """Of an orthonormal basis after Gram and Schmidt, whose columns keep at least sqrt(eps) of their size: see plan/kernels.py.

    The plans of these tests are far from that limit; their columns keep a tenth and more, which costs one digit.
    """
    return 10 * plan.shape[0] * plan.shape[1] * EPS


def frequencies(m: int) -> list[int]:
    return [m, -m] if m else [0]


def default_rings(k: int) -> list[float]:
    return [(k - 1) / 2 - j for j in range((k - 1) // 2 + 1)]


# ---------------------------------------------------------------------------------------------------- exact


@pytest.mark.parametrize(
    ("group", "size"),
    [(rc.cyclic(4), 3), (rc.dihedral(4), 5), (rc.cyclic(2), (3, 5)), (rc.octahedral(), 3), (rc.Group([[[-1]]]), 5)],
    ids=str,
)
def test_point_groups_are_exact(group: rc.Group, size: Any) -> None:
    X, Y = 2 * group.rep + rc.trivial(group), rc.regular(group)
    found = rc.kernels(X >> Y, size)
    assert found == rc.plan(X * rc.grid(group, size) >> Y)
    assert found.shape == (Y.dim, X.dim * rc.grid(group, size).dim)


def test_regular_fields_are_group_convolutions() -> None:
    """Lifting and regular kernels of D4 (Cohen and Welling 2016): one free kernel for each pair, of k^2 and 8 k^2 weights."""
    G = rc.dihedral(4)
    one, R = rc.trivial(G), rc.regular(G)
    assert rc.kernels(3 * one >> 5 * R, 3).dim == 3 * 5 * 9
    assert rc.kernels(5 * R >> 2 * R, 3).dim == 5 * 2 * 8 * 9
    assert rc.kernels(one >> one, 3).dim == 3  # centre, edges, corners
    assert rc.kernels(one >> one, 5).dim == 6


def test_a_spatial_representation_of_a_factor() -> None:
    G = rc.cyclic(4) @ rc.SO(3)
    V = rc.lift(rc.SO(3).rep, G)
    found = rc.kernels(V >> V, 3, spatial=rc.cyclic(4).rep)
    assert found == rc.plan(V * rc.grid(G, 3, spatial=rc.cyclic(4).rep) >> V)
    # Isotropic in space (centre, edges, corners), scalar in the fibre.
    assert found.dim == 3


def test_degree_asks_for_sampled_kernels_of_a_point_group() -> None:
    G = rc.cyclic(4)
    space = rc.trivial(G) >> G.rep
    exact, sampled = rc.kernels(space, 5), rc.kernels(space, 5, degree=1)
    assert sampled != exact
    assert 0 < sampled.dim < exact.dim
    basis = sampled.expand(np.eye(sampled.dim))
    assert np.linalg.norm(exact.project(basis) - basis) <= rounding(sampled)


# -------------------------------------------------------------------------------------- sampled: how many


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 7])
def test_circular_harmonics_are_counted_as_in_the_book(k: int) -> None:
    """Weiler and Cesa 2019, table 8: frequency m to n takes those frequencies f with m + f = n over the signs, in each ring."""
    irreps = [rc.irrep(SO2, str(m)) for m in range(4)]
    for m, X in enumerate(irreps):
        for n, Y in enumerate(irreps):
            expected = sum(
                a + b == c
                for r in default_rings(k)
                for f in range(floor(2 * r) + 1)
                for a in frequencies(m)
                for b in frequencies(f)
                for c in frequencies(n)
            )
            assert rc.kernels(X >> Y, k).dim == expected


def test_scalar_kernels_are_isotropic() -> None:
    for group, k in ((SO2, 5), (O2, 7), (rc.cyclic(8), 3)):
        one = rc.trivial(group)
        plan = rc.kernels(one >> one, k, degree=7)
        assert plan.dim == (k + 1) // 2
        radius = np.round(4 * np.sum(centres(k, k) ** 2, axis=0))
        for kernel in elements(plan, 1)[:, 0, 0]:
            for r in np.unique(radius):
                values = kernel[radius == r]
                assert np.ptp(values) <= rounding(plan)
                assert r < k**2 or not np.any(values)


@pytest.mark.parametrize("k", [3, 5])
def test_spherical_harmonics_are_counted_as_in_the_book(k: int) -> None:
    """Weiler et al. 2018: l to n takes the degrees |l - n| to l + n, once each, in each ring."""
    for m in range(3):
        for n in range(3):
            expected = sum(abs(m - n) <= d <= m + n for r in default_rings(k) for d in range(floor(2 * r) + 1))
            plan = rc.kernels(rc.irrep(SO3, str(m)) >> rc.irrep(SO3, str(n)), k)
            assert plan.dim == expected
            assert plan.shape == (2 * n + 1, (2 * m + 1) * k**3)


def test_parity_of_O3() -> None:
    """1o to 1e takes odd parity (-1)^(d + 1) of degrees 0 to 2: degree 1 only, the cross product with q."""
    G = rc.O(3)
    polar, axial = rc.irrep(G, "1o"), rc.irrep(G, "1e")
    plan = rc.kernels(polar >> axial, 3)
    assert plan.dim == 1
    (kernel,) = elements(plan, 3)
    q = centres(3, 3, 3)
    for cell in range(27):
        # Antisymmetric, and it takes q to zero.
        assert np.linalg.norm(kernel[:, :, cell] + kernel[:, :, cell].T) <= rounding(plan)
        assert np.linalg.norm(kernel[:, :, cell] @ q[:, cell]) <= rounding(plan)


# ------------------------------------------------------------------------------------- sampled: what they are


def test_the_first_kernel_by_its_formula() -> None:
    plan = rc.kernels(rc.trivial(SO2) >> rc.trivial(SO2), 5)
    r = np.sqrt(np.sum(centres(5, 5) ** 2, axis=0))
    window = np.maximum(1 - r**2 / 2.5**2, 0) * np.exp(-(r**2) / (2 * 0.6**2))
    assert np.linalg.norm(elements(plan, 1)[0, 0, 0] - window / np.linalg.norm(window)) <= rounding(plan)


def test_vectors_from_scalars_are_radial_and_tangential() -> None:
    plan = rc.kernels(rc.trivial(SO2) >> SO2.rep, 3)
    assert plan.dim == 2
    q = centres(3, 3)
    radius = np.sqrt(np.sum(q**2, axis=0))
    radial = elements(plan, 1)[:, :, 0]
    along = np.einsum("byq,yq->bq", radial, q)
    across = np.einsum("byq,yq->bq", radial, np.stack([-q[1], q[0]]))
    for r in (1.0, np.sqrt(2)):
        at = np.abs(radius - r) < 0.1  # radii of cells are 0, 1 and 1.41
        assert np.ptp(along[:, at], axis=1).max() <= rounding(plan)
        assert np.ptp(across[:, at], axis=1).max() <= rounding(plan)
    assert np.linalg.matrix_rank(np.concatenate([along, across], axis=1)) == 2


CASES: dict[str, Callable[[], tuple[rc.Hom, rc.Group, int]]] = {
    "SO(2), 5": lambda: (rc.irrep(SO2, "1") + rc.irrep(SO2, "3") >> 2 * rc.irrep(SO2, "2") + rc.trivial(SO2), rc.cyclic(4), 5),
    "SO(2), 7": lambda: (rc.irrep(SO2, "1") >> rc.irrep(SO2, "2"), rc.cyclic(4), 7),
    "SO(2), even": lambda: (rc.irrep(SO2, "1") >> rc.irrep(SO2, "2"), rc.cyclic(4), 4),
    "O(2)": lambda: (rc.irrep(O2, "0o") + rc.irrep(O2, "1") >> rc.irrep(O2, "2"), rc.dihedral(4), 5),
    "C8, regular": lambda: (rc.regular(rc.cyclic(8)) >> rc.cyclic(8).rep, rc.cyclic(4), 3),
    "SO(3), scales": lambda: (rc.irrep(SO3, "2") + rc.irrep(SO3, "1") >> rc.irrep(SO3, "2"), rc.octahedral(), 3),
    "O(3)": lambda: (rc.irrep(rc.O(3), "1o") >> rc.irrep(rc.O(3), "2e"), rc.octahedral(full=True), 3),
}


@pytest.mark.parametrize("case", CASES)
def test_exactly_equivariant_under_the_symmetries_of_the_grid(case: str) -> None:
    space, point_group, k = CASES[case]()
    plan = rc.kernels(space, k)
    assert plan.dim > 0
    if space.group == rc.cyclic(8):
        # Its square is the quarter turn, on either side.
        turn = rc.grid(point_group, k).matrix(0).to_numpy()
        x, y = (np.linalg.matrix_power(v.matrix(0).to_numpy(), 2) for v in (space.domain, space.codomain))
        basis = plan.expand(np.eye(plan.dim))
        assert np.linalg.norm(basis @ np.kron(x, turn) - y @ basis) <= rounding(plan)
        return
    X, Y = (v.restrict(point_group) for v in (space.domain, space.codomain))
    exact = rc.plan(X * rc.grid(point_group, k) >> Y)
    basis = plan.expand(np.eye(plan.dim))
    assert np.linalg.norm(exact.project(basis) - basis) <= rounding(plan)


@pytest.mark.parametrize("case", CASES)
def test_the_basis_is_orthonormal(case: str) -> None:
    space, _, k = CASES[case]()
    plan = rc.kernels(space, k)
    assert np.linalg.norm(plan.coefficients(plan.expand(np.eye(plan.dim))) - np.eye(plan.dim)) <= rounding(plan)
    assert all(isinstance(b.structure, rc.Factor) for b in plan.blocks)
    assert sorted(i for b in plan.blocks for i in b.order.ravel().tolist()) == list(range(plan.dim))


def test_other_angles_up_to_an_error_that_falls_with_the_cells() -> None:
    """The same kernels and the same smooth images on n times the cells: the error falls at least with the square of n.

    Images are random waves of half a radian a cell, n = 1, which are rotated as functions, so that no pixel is interpolated.
    """

    def turn(m: int, a: float) -> np.ndarray:
        return np.array([[np.cos(m * a), -np.sin(m * a)], [np.sin(m * a), np.cos(m * a)]]) if m else np.eye(1)

    def error(m: int, n: int, fine: int) -> float:
        X, Y = rc.irrep(SO2, str(m)), rc.irrep(SO2, str(n))
        k = 5 * fine
        plan = rc.kernels(X >> Y, k, rings=[2 * fine, fine, 0], degree=[4, 2, 0])
        K, q = elements(plan, X.dim), centres(k, k)
        rng = np.random.default_rng(0)
        off = size = 0.0
        for _ in range(50):
            waves, phases = rng.standard_normal((2, 8)) / (2 * fine), rng.uniform(0, 2 * np.pi, (8, 1))
            amplitudes, a = rng.standard_normal((X.dim, 8)), rng.uniform(0, 2 * np.pi)
            image = [amplitudes @ np.cos(waves.T @ p + phases) for p in (q, turn(1, -a) @ q)]
            y = np.einsum("byxq,xq->by", K, image[0]) @ turn(n, a).T
            moved = np.einsum("byxq,xq->by", K, turn(m, a) @ image[1])
            off += np.sum((moved - y) ** 2)
            size += np.sum(y**2)
        return float(np.sqrt(off / size))

    for m, n in ((0, 0), (0, 1), (1, 1), (1, 2), (0, 2)):
        coarse, half, quarter = (error(m, n, fine) for fine in (1, 2, 4))
        assert coarse > 1e-4  # there is something to fall
        assert half <= coarse / 4
        assert quarter <= half / 4


def test_scaled_coordinates_of_space() -> None:
    """A labelled irrep as space: centres are in its orthonormal convention. A vector from q is q itself, times a window."""
    space = rc.irrep(SO3, "2")
    plan = rc.kernels(rc.trivial(SO3) >> space, 3, spatial=space, degree=1)
    assert plan.dim == 1
    (kernel,) = elements(plan, 1)
    q = centres(3, 3, 3, 3, 3)
    squares = np.sum(q**2, axis=0)
    window = np.maximum(1 - squares / 1.5**2, 0) * np.exp(-((np.sqrt(squares) - 1) ** 2) / (2 * 0.6**2))
    expected = window * q / np.linalg.norm(window * q)
    sign = np.sign(np.sum(kernel[:, 0] * expected))
    assert np.linalg.norm(kernel[:, 0] - sign * expected) <= rounding(plan)


def test_copies_come_before_components_before_cells() -> None:
    V, one = SO2.rep, rc.trivial(SO2)
    plan = rc.kernels(3 * V + 2 * one >> one + 2 * V, 3)
    single = {(x, y): rc.kernels(x >> y, 3) for x in (V, one) for y in (V, one)}
    weight = plan.expand(np.random.default_rng(1).standard_normal(plan.dim)).reshape(5, 8, 3, 3)
    at_x = [(V, slice(2 * i, 2 * i + 2)) for i in range(3)] + [(one, slice(6, 7)), (one, slice(7, 8))]
    at_y = [(one, slice(0, 1)), (V, slice(1, 3)), (V, slice(3, 5))]
    for x, i in at_x:
        for y, o in at_y:
            tile = weight[o, i].reshape(y.dim, -1)
            assert np.linalg.norm(tile) > 0
            assert np.linalg.norm(single[x, y].project(tile) - tile) <= rounding(plan) * np.linalg.norm(weight)
    assert plan.dim == sum(single[x, y].dim for x, _ in at_x for y, _ in at_y)
    assert len(plan.blocks) == 4


def test_kernels_that_depend_on_others_are_left_out() -> None:
    one = rc.trivial(SO2)
    assert rc.kernels(one >> one, 5, rings=[1, 1]).dim == 1
    # Nine cells, whatever the degree: all functions on them that can be told apart.
    V = SO2.rep
    many = rc.kernels(one >> 4 * V, 3, degree=[40, 40])
    assert many.dim <= 4 * 2 * 9
    gram = many.coefficients(many.expand(np.eye(many.dim)))
    assert np.linalg.norm(gram - np.eye(many.dim)) <= np.sqrt(EPS)
    # On the axes and diagonals the imaginary part of z^4 is zero.
    assert rc.kernels(one >> rc.irrep(SO2, "4"), 3, rings=[1], degree=[4]).dim == 2
    turned = elements(rc.kernels(one >> rc.irrep(SO2, "4"), 3, rings=[1], degree=[4]), 1)
    assert not np.any(turned[:, :, :, 4])


# ------------------------------------------------------------------------------- groups that keep no lengths


def test_scalings_give_homogeneous_polynomials() -> None:
    G = rc.scaling(2)
    one = rc.trivial(G)
    q = centres(5, 5)
    for weight in (0, 1, 2, 3):
        Y = rc.Rep(G, lie=[[[weight]]])
        plan = rc.kernels(one >> Y, 5)
        assert plan.dim == weight + 1  # monomials of that degree in two variables
        found = elements(plan, 1)[:, 0, 0]
        for monomial in (q[0] ** i * q[1] ** (weight - i) for i in range(weight + 1)):
            rest = monomial - found.T @ (found @ monomial)
            assert np.linalg.norm(rest) <= rounding(plan) * np.linalg.norm(monomial)
    assert rc.kernels(one >> rc.Rep(G, lie=[[[-1]]]), 5).dim == 0
    assert rc.kernels(one >> rc.Rep(G, lie=[[[5]]]), 5).dim == 0  # beyond the default, 4
    # Of degree 5 on five cells x^5 is a sum of x^3 and x, but those have another weight.
    assert rc.kernels(one >> rc.Rep(G, lie=[[[5]]]), 5, degree=5).dim == 6


def test_the_general_linear_group() -> None:
    G = rc.GL(2)
    V, one = G.rep, rc.trivial(G)
    plan = rc.kernels(one >> V, 3)
    assert plan.dim == 1
    (kernel,) = elements(plan, 1)
    q = centres(3, 3)
    assert np.linalg.norm(kernel[:, 0] - q / np.linalg.norm(q)) <= rounding(plan)
    assert rc.kernels(V >> one, 3).dim == 0
    assert rc.kernels(one >> one, 3).dim == 1
    assert rc.kernels(one >> V.sym(2), 3).dim == 1


# -------------------------------------------------------------------------------------- complex, products


def test_complex_fields() -> None:
    G = rc.cyclic(8)
    chi = rc.Rep(G, discrete=[[["zeta(8)"]]])
    plan = rc.kernels(rc.trivial(G) >> chi, 5)
    assert plan.is_complex
    basis = elements(plan, 1)[:, 0, 0]
    turn = rc.grid(rc.cyclic(4), 5).matrix(0).to_numpy()
    # K(g q) = zeta^2 K(q) for the quarter turn, and each is a function times x + i y.
    assert np.linalg.norm(basis @ turn - 1j * basis) <= rounding(plan)
    assert plan.dim == 2
    assert np.linalg.norm(plan.coefficients(plan.expand(np.eye(plan.dim))) - np.eye(plan.dim)) <= rounding(plan)


def test_a_product_with_sampled_space() -> None:
    G = SO2 @ rc.symmetric(3)
    P = rc.lift(rc.symmetric(3).rep, G)
    plan = rc.kernels(P >> P, 5, spatial=SO2.rep)
    assert plan.dim == 2 * 3  # equal and unequal points, three rings


# ---------------------------------------------------------------------------------------- names and mistakes


def test_digests_tell_plans_apart() -> None:
    V = SO2.rep
    one = rc.trivial(SO2)
    double = rc.irrep(SO2, "2")
    plans = [
        rc.kernels(one >> V, 3),
        rc.kernels(one >> V, 5),
        rc.kernels(one >> V, (5, 3)),
        rc.kernels(one >> V, (3, 5)),
        rc.kernels(one >> V, 5, degree=1),
        rc.kernels(one >> V, 5, rings=[2.0, 1.0]),
        rc.kernels(one >> V, 5, spatial=double),
        rc.kernels(one >> 2 * V, 5),
    ]
    assert len({p.digest for p in plans}) == len(plans)
    assert rc.kernels(one >> V, 5) == rc.kernels(one >> V, (5, 5)) == plans[1]
    assert rc.kernels(one >> V, 5, rings=[0, 1, 2], degree=[0, 2, 4]) == plans[1]
    assert rc.kernels(one >> V, 5, rings=[0, 1, np.float64(2)]) == plans[1]
    assert rc.kernels(one >> V, 5, degree=4) == plans[1]
    assert all(p.coordinates == "canonical" and p.is_orthonormal for p in plans)


def test_the_order_of_generators_does_not_matter() -> None:
    turn, flip = [["1/2", "-sqrt(3)/2"], ["sqrt(3)/2", "1/2"]], [[1, 0], [0, -1]]
    A, B = rc.Group([turn, flip]), rc.Group([flip, turn])
    a, b = (rc.kernels(G.rep >> 2 * rc.trivial(G) + G.rep, 5) for G in (A, B))
    assert a == b
    assert np.array_equal(a.expand(np.eye(a.dim)), b.expand(np.eye(b.dim)))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda one, V: rc.kernels(V, 3), rc.IncompatibleError, "space: expected a space X >> Y, got"),
        (lambda one, V: rc.kernels(one >> V, 0), rc.DeclarationError, "size: "),
        (lambda one, V: rc.kernels(one >> V, (3, 3, 3)), rc.DeclarationError, "size: 3 sizes"),
        (lambda one, V: rc.kernels(one >> V, 3, degree=-1), rc.DeclarationError, "degree: "),
        (lambda one, V: rc.kernels(one >> V, 3, degree=1.0), rc.DeclarationError, "degree: "),
        (lambda one, V: rc.kernels(one >> V, 3, degree=True), rc.DeclarationError, "degree: "),
        (lambda one, V: rc.kernels(one >> V, 3, degree=[1]), rc.DeclarationError, "degree: 1 degrees for 2 rings"),
        (lambda one, V: rc.kernels(one >> V, 3, rings=[]), rc.DeclarationError, "rings: "),
        (lambda one, V: rc.kernels(one >> V, 3, rings=[2.0]), rc.DeclarationError, "rings: "),
        (lambda one, V: rc.kernels(one >> V, 3, rings=[-1.0]), rc.DeclarationError, "rings: "),
        (lambda one, V: rc.kernels(one >> V, 3, rings=[float("nan")]), rc.DeclarationError, "rings: "),
        (lambda one, V: rc.kernels(one >> V, 3, rings=2.0), rc.DeclarationError, "rings: "),
        (lambda one, V: rc.kernels(one >> V, 3, spatial=SO3.rep), rc.RepresentationError, "spatial: "),
    ],
)
def test_mistakes(call: Callable[[rc.Rep, rc.Rep], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        call(rc.trivial(SO2), SO2.rep)
    assert words in str(caught.value)


def test_mistakes_of_the_spatial_representation() -> None:
    S = rc.scaling(2)
    with pytest.raises(rc.IncompatibleError, match=r"rings: .* does not keep lengths"):
        rc.kernels(rc.trivial(S) >> rc.trivial(S), 3, rings=[1.0])
    U = rc.SU(2)
    with pytest.raises(rc.RepresentationError, match=r"spatial: .* is complex"):
        rc.kernels(rc.trivial(U) >> rc.trivial(U), 3)
    C4 = rc.cyclic(4)
    with pytest.raises(rc.RepresentationError, match="equal sizes"):
        rc.kernels(rc.trivial(C4) >> rc.trivial(C4), (3, 5))
    assert rc.kernels(rc.trivial(C4) >> rc.trivial(C4), (3, 5), degree=0).dim == 2
