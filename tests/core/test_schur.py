"""Schur plans and their layers in NumPy: against the canonical plan, the group and the irreps."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.plan import choose, make_plan

EPS = np.finfo(np.float64).eps


def regular(group: Any) -> Any:
    return rc.regular(group)


def mixed(group: Any) -> Any:
    V, one = group.rep, rc.trivial(group)
    return 4 * one + 2 * V + 3 * rc.regular(group) >> V * V + 3 * one + 2 * V


def degrees(*numbers: int) -> Any:
    return sum((rc.irrep(rc.SO(3), str(n)) for n in numbers[1:]), rc.irrep(rc.SO(3), str(numbers[0])))


SPACES: dict[str, Callable[[], Any]] = {
    "D4 regular": lambda: 3 * regular(rc.dihedral(4)) >> 2 * regular(rc.dihedral(4)),
    "D4 mixed": lambda: mixed(rc.dihedral(4)),
    "D4 alternating copies": lambda: (lambda v, one: 3 * (one + v) >> 2 * (v + one) + v * v)(*pair(rc.dihedral(4))),
    "D4 scattered copies": lambda: (lambda v, one: (one + v) * (v + one) >> (v + one) * regular(rc.dihedral(4)))(
        *pair(rc.dihedral(4))
    ),
    "C4 complex type": lambda: 2 * rc.cyclic(4).rep >> 3 * rc.cyclic(4).rep,
    "C8 regular": lambda: 2 * regular(rc.cyclic(8)) >> 3 * regular(rc.cyclic(8)),
    "Q8 quaternionic type": lambda: 2 * regular(rc.quaternion()) >> 3 * regular(rc.quaternion()),
    "S4 regular": lambda: regular(rc.symmetric(4)) >> regular(rc.symmetric(4)),
    "SO(3) 0 + 1 + 2": lambda: 3 * degrees(0, 1, 2) >> 2 * degrees(0, 1, 2),
    "SO(3) tensors": lambda: rc.SO(3).rep ** 2 + 2 * degrees(2) >> rc.SO(3).rep ** 2 + rc.trivial(rc.SO(3)) + degrees(2),
    "O(2)": lambda: (lambda v, one: 2 * (one + v) >> (one + v) * (v + one))(*pair(rc.O(2))),
    "SU(2) complex": lambda: rc.SU(2).rep ** 2 + 2 * rc.SU(2).rep >> rc.SU(2).rep ** 3 + rc.SU(2).rep,
    "SU(2) realified": lambda: 2 * rc.SU(2).rep.realify() >> 3 * rc.SU(2).rep.realify(),
    "invariants only": lambda: rc.dihedral(4).rep >> 3 * rc.trivial(rc.dihedral(4)),
    "no invariant": lambda: 2 * rc.SO(3).rep >> 3 * rc.SO(3).rep,
    "nothing": lambda: rc.SO(3).rep >> 2 * degrees(2),
    "everything": lambda: 2 * rc.trivial(rc.SO(3)) >> 3 * rc.trivial(rc.SO(3)),
}


def pair(group: Any) -> tuple[Any, Any]:
    return group.rep, rc.trivial(group)


class Case:
    def __init__(self, name: str) -> None:
        self.space = SPACES[name]()
        self.plan = rc.plan(self.space, structure="schur")
        self.canonical = make_plan(rc.solve(self.space, store=None))
        y, x = self.plan.shape
        # A change of basis is a sum of dim products, its columns are within 16 dim eps of orthonormal ones (test_columns), and
        # there are four of them in a projection; the canonical plan has its own 16 N k eps (test_plan.py).
        blocks = [(b.rows.shape[1] * b.cols.shape[1], b.structure.dim) for b in self.canonical.blocks]
        self.bound = 64 * (y + x) * EPS * np.sqrt(y + x) + 16 * max((n * k for n, k in blocks), default=0) * EPS
        self.rng = np.random.default_rng(y + x)

    def draw(self, *shape: int) -> Any:
        real = self.rng.standard_normal(shape)
        return real + 1j * self.rng.standard_normal(shape) if self.plan.is_complex else real

    def close(self, a: Any, b: Any, scale: float = 1.0) -> None:
        assert np.shape(a) == np.shape(b)
        assert np.abs(np.asarray(a) - b).max(initial=0) <= self.bound * max(float(scale), 1.0)


@cache
def build(name: str) -> Case:
    return Case(name)


@pytest.fixture(params=SPACES)
def case(request: pytest.FixtureRequest) -> Case:
    return build(request.param)


norm = np.linalg.norm


def test_dimension_is_that_of_the_exact_solution(case: Case) -> None:
    assert case.plan.dim == rc.solve(case.space, store=None).dim
    assert case.plan.dim == sum(g.size for g in case.plan.layer.groups) == case.plan.layer.dim


def test_projection_is_that_of_the_canonical_plan(case: Case) -> None:
    W = case.draw(2, *case.plan.shape)
    case.close(case.plan.project(W), case.canonical.project(W), norm(W))


def test_coefficients_and_expand_are_inverse_and_orthonormal(case: Case) -> None:
    theta, W = case.draw(3, case.plan.dim), case.draw(*case.plan.shape)
    case.close(case.plan.coefficients(case.plan.expand(theta)), theta, norm(theta))
    case.close(case.plan.expand(case.plan.coefficients(W)), case.plan.project(W), norm(W))
    case.close(norm(case.plan.expand(theta)), norm(theta), norm(theta))
    basis = case.plan.expand(np.eye(case.plan.dim)).reshape(case.plan.dim, np.prod(case.plan.shape))
    case.close(basis.conj() @ basis.T, np.eye(case.plan.dim))
    case.close(case.plan.coefficients(W), basis.conj() @ W.ravel(), norm(W))


def test_columns_are_orthonormal_and_order_is_a_permutation(case: Case) -> None:
    places = [b.order.ravel() for b in case.plan.blocks]
    assert sorted(np.concatenate([np.zeros(0, int), *places]).tolist()) == list(range(case.plan.dim))
    for b in case.plan.blocks:
        s = b.structure
        assert isinstance(s, rc.Schur)
        assert b.order.shape == (len(b.rows), len(b.cols), s.dim)
        for u, count in ((s.rows, sum(p[0] * p[2] for p in s.parts)), (s.cols, sum(p[1] * p[2] for p in s.parts))):
            assert u.shape[1] == count <= u.shape[0]
            assert np.abs(u.conj().T @ u - np.eye(count)).max() <= 16 * len(u) * EPS
        for array in (b.rows, b.cols, b.order, s.rows, s.cols, *s.turned):
            assert not array.flags.writeable


def test_maps_commute_with_the_generators(case: Case) -> None:
    W = case.plan.project(case.draw(*case.plan.shape))
    for on_y, on_x in zip(case.space.codomain.matrices, case.space.domain.matrices, strict=True):
        y = rc.to_orthonormal(on_y.to_numpy(), case.space.codomain, case.space.codomain)
        x = rc.to_orthonormal(on_x.to_numpy(), case.space.domain, case.space.domain)
        case.close(y @ W, W @ x, (norm(y) + norm(x)) * norm(W))


# ---------------------------------------------------------------------------------------------------------------- the layer


def test_apply_is_the_dense_product(case: Case) -> None:
    theta, x = case.draw(case.plan.dim), case.draw(2, 3, case.plan.shape[1])
    case.close(case.plan.apply(theta, x), x @ case.plan.expand(theta).T, norm(theta) * norm(x))
    many = case.draw(2, 1, case.plan.dim)
    wanted = np.einsum("bcyx,bcx->bcy", np.broadcast_to(case.plan.expand(many), (2, 3, *case.plan.shape)), x)
    case.close(case.plan.apply(many, x), wanted, norm(many) * norm(x))
    assert case.plan.apply(theta, x[:0]).shape == (0, 3, case.plan.shape[0])


def test_bias_spans_the_invariants(case: Case) -> None:
    layer = case.plan.layer
    basis = rc.invariants(case.space.codomain, store=None)
    assert layer.bias == basis.dim
    zero = case.draw(case.plan.dim) * 0
    mine = layer.apply(zero, np.zeros(case.plan.shape[1]), np.eye(layer.bias))
    wanted = basis.to_numpy(np.complex128 if case.plan.is_complex else np.float64, orthonormal=True)[:, :, 0]
    case.close(mine.conj() @ mine.T, np.eye(layer.bias))
    case.close(mine.T @ mine.conj(), wanted.T @ wanted.conj())


def test_weight_is_never_formed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = build("D4 regular")
    monkeypatch.setattr(rc.Plan, "expand", lambda *_: pytest.fail("formed"))
    assert case.plan.apply(case.draw(case.plan.dim), case.draw(4, case.plan.shape[1])).shape == (4, 16)


def test_groups_of_the_regular_representation_of_d4() -> None:
    groups = build("D4 regular").plan.layer.groups
    # Four irreps of dimension 1, the trivial one alone, and one of dimension 2 that comes twice: 4 * 2 * 3 + 4 * 6 = 48.
    assert [(g.dim, g.biased, g.shape) for g in groups] == [
        (1, True, (1, 2, 1, 3)),
        (1, False, (3, 2, 1, 3)),
        (2, False, (1, 4, 1, 6)),
    ]


def test_types_over_the_reals() -> None:
    assert {g.endomorphisms for g in build("C8 regular").plan.layer.groups} == {1, 2}
    assert {g.endomorphisms for g in build("Q8 quaternionic type").plan.layer.groups} == {1, 4}
    assert [g.endomorphisms for g in build("SU(2) realified").plan.layer.groups] == [4]
    assert [(g.endomorphisms, g.dim) for g in build("SU(2) complex").plan.layer.groups] == [(1, 2)]


def test_alternating_copies_are_one_panel() -> None:
    layer = build("SO(3) 0 + 1 + 2").plan.layer
    assert [p.positions.shape for p in layer.inputs] == [(3, 9)]
    assert layer.order is None
    assert len(build("D4 scattered copies").plan.layer.inputs) > 1
    assert build("O(2)").plan.layer.order is not None


@pytest.mark.parametrize(
    "group",
    [rc.cyclic(96), rc.cyclic(97), rc.cyclic(10) @ rc.cyclic(10)],
    ids=str,
)
def test_large_abelian_groups_have_a_transform(group: Any) -> None:
    plan = rc.plan(2 * rc.regular(group) >> rc.regular(group), structure="schur")
    fourier = plan.layer.fourier
    n = rc.order(group)
    assert np.prod(fourier.grid) == n
    assert sorted(fourier.order.tolist()) == list(range(n))
    # One map: frequency by frequency a product with theta_0 + i sign theta_1.
    rng = np.random.default_rng(0)
    theta, x = rng.standard_normal(plan.dim), rng.standard_normal(2 * n)
    spectrum = np.fft.rfftn(x.reshape(2, n)[:, fourier.order].reshape(2, *fourier.grid), axes=range(1, 1 + len(fourier.grid)))
    weights = [
        (w[0, 0] + (1j * w[0, 1] if g.dim == 2 else 0)) / g.dim**0.5
        for g in plan.layer.groups
        for w in theta[g.start : g.start + g.size].reshape(g.shape)
    ]
    signed = [
        weights[i].real + 1j * s * weights[i].imag for i, s in zip(fourier.irreps.tolist(), fourier.signs.tolist(), strict=True)
    ]
    product = (np.array(signed).T * spectrum.reshape(2, -1)).sum(0).reshape(spectrum.shape[1:])
    y = np.fft.irfftn(product, s=fourier.grid, axes=range(len(fourier.grid)))
    wanted = plan.apply(theta, x)[fourier.order].reshape(fourier.grid)
    assert np.abs(y - wanted).max() <= 64 * n * EPS * norm(theta) * norm(x)


@pytest.mark.parametrize("group", [rc.cyclic(8), rc.dihedral(50)], ids=str)
def test_other_groups_have_none(group: Any) -> None:
    assert rc.plan(rc.regular(group) >> rc.regular(group), structure="schur").layer.fourier is None


# --------------------------------------------------------------------------------------------------------------- the choice


def test_coordinates_and_digests_tell_plans_apart() -> None:
    space = SPACES["D4 mixed"]()
    schur, canonical, factor = (rc.plan(space, structure=s) for s in ("schur", "auto", "factor"))
    assert (schur.coordinates, canonical.coordinates) == ("irrep", "canonical")
    assert schur != canonical
    assert factor == canonical  # the same maps and the same coefficients
    assert {type(b.structure) for b in factor.blocks} == {rc.Factor}
    assert {type(b.structure) for b in canonical.blocks} == {rc.Orbit}
    assert rc.plan(space, structure="orbit") is canonical
    assert rc.plan(space, structure="schur") is schur
    assert rc.plan(schur, structure="schur") is rc.plan(schur) is schur
    W = np.random.default_rng(0).standard_normal(factor.shape)
    assert np.abs(factor.coefficients(W) - canonical.coefficients(W)).max() <= 64 * W.size * EPS


def test_the_digest_does_not_depend_on_the_order_of_generators() -> None:
    r, s = [[0, -1], [1, 0]], [[1, 0], [0, -1]]
    plans = []
    for generators in ([r, s], [s, r]):
        V = rc.Group(discrete=generators).rep
        plans.append(rc.plan(2 * V * V >> V * V + V, structure="schur"))
    assert plans[0] == plans[1]
    theta = np.random.default_rng(0).standard_normal(plans[0].dim)
    assert np.abs(plans[0].expand(theta) - plans[1].expand(theta)).max() <= 64 * EPS


def test_the_choice_by_size() -> None:
    S4, SO3 = rc.symmetric(4).rep, rc.SO(3).rep
    assert choose(S4**3 >> S4**3).structure == "orbit"
    assert choose(SO3**2 >> SO3**2).structure == "factor"
    assert choose(SO3**4 >> SO3**4).structure == "schur"
    assert rc.plan(SO3**4 >> SO3**4).coordinates == "irrep"
    basis = rc.solve(SO3**4 >> SO3**4)
    assert rc.plan(basis) == rc.plan(SO3**4 >> SO3**4)
    # Not completely reducible: as explain says, factor.
    V = rc.affine(2).rep
    assert choose(V**4 >> V**4).structure == "schur"
    assert rc.plan(V**4 >> V**4).coordinates == "canonical"
    for space in (S4**3 >> S4**3, SO3**2 >> SO3**2, SO3**4 >> SO3**4):
        assert f"plan: {choose(space).structure}, " in str(rc.explain(space, store=None))
        assert rc.explain(space, store=None).plan == choose(space)


def test_structures_that_a_space_does_not_have_are_refused() -> None:
    V = rc.affine(2).rep
    with pytest.raises(rc.NotCompletelyReducibleError):
        rc.plan(V >> V, structure="schur")
    with pytest.raises(rc.RepresentationError, match="supports overlap"):
        rc.plan(rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2, structure="orbit")
    with pytest.raises(rc.IncompatibleError, match=r"'dense'; choose one of 'auto', 'orbit', 'factor', 'schur'"):
        rc.plan(V >> V, structure="dense")
    with pytest.raises(rc.IncompatibleError, match="canonical coordinates, and structure='schur'"):
        rc.plan(rc.plan(V >> V), structure="schur")


LATTICE = rc.Group([[[0, -1], [1, -1]]]).rep
A5, S5 = rc.alternating(5), rc.symmetric(5)
SKEW: dict[str, Callable[[], tuple[rc.Rep, rc.Rep]]] = {
    "hexagonal lattice": lambda: (LATTICE, LATTICE),
    "its dual, with copies": lambda: (3 * LATTICE.dual + rc.trivial(LATTICE.group), 2 * LATTICE + LATTICE**2),
    "irreps of S5": lambda: (2 * rc.irreps(S5)[2] + rc.irreps(S5)[4], rc.irreps(S5)[4] + 2 * rc.irreps(S5)[2]),
    "irreps of A5 and the natural one": lambda: (rc.irreps(A5)[1] + A5.rep, 2 * A5.rep + rc.irreps(A5)[1]),
    "quaternionic": lambda: (rc.irreps(rc.quaternion())[4], 2 * rc.irreps(rc.quaternion())[4]),
}


@pytest.mark.parametrize("case", SKEW)
def test_plans_of_representations_that_are_not_orthogonal_expand_and_apply(case: str) -> None:
    X, Y = SKEW[case]()
    plan, basis = rc.plan(X >> Y, structure="schur"), rc.solve(X >> Y)
    assert plan.dim == basis.dim > 0
    rng = np.random.default_rng(0)
    theta, x = rng.standard_normal((3, plan.dim)), rng.standard_normal((3, X.dim))
    W = plan.expand(theta)
    images = [[rc.to_orthonormal(V.matrix(i).to_numpy(), V, V) for i in range(len(V.group.generators))] for V in (X, Y)]
    # Every product and basis change loses a few units of the largest thing that it touches, times the condition of the bases.
    condition = float(np.prod([np.linalg.cond(rc.decompose(V).U) for V in (X, Y)]))
    size = max(1.0, *(float(np.linalg.norm(m, 2)) for side in images for m in side)) ** 2
    rounding = 100 * (X.dim + Y.dim) * np.finfo(float).eps * condition * size * float(np.abs(W).max() * np.abs(x).max())
    assert np.abs(np.einsum("kyx,kx->ky", W, x) - plan.apply(theta, x)).max() < rounding
    for rho_x, rho_y in zip(*images, strict=True):
        assert np.abs(rho_y @ W - W @ rho_x).max() < rounding
    # Theta runs over the whole space.
    assert np.linalg.matrix_rank(plan.expand(np.eye(plan.dim)).reshape(plan.dim, -1)) == plan.dim
    if plan.is_orthonormal:
        assert np.abs(plan.coefficients(W) - theta).max() < rounding
        return
    with pytest.raises(rc.RepresentationError, match=r"not orthogonal .*haar_projector"):
        plan.project(W)
    # What projects never takes such a plan by itself.
    assert rc.plan(X >> Y).is_orthonormal


def test_the_lattice_is_one_of_them() -> None:
    assert not rc.plan(LATTICE >> LATTICE, structure="schur").is_orthonormal
