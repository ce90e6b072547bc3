"""The NumPy executor of plans against the dense projector."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import repcore as rc
from repcore.groups.finite import elements
from repcore.reps.action import discrete_image

EPS = np.finfo(np.float64).eps

# space, the structures of its blocks
SPACES: dict[str, tuple[Any, set[type]]] = {
    "S4": (lambda: (lambda v: v**2 >> v**2)(rc.symmetric(4).rep), {rc.Orbit}),
    "B2 signed": (lambda: (lambda v: v**2 + v >> v**2 + 2 * v)(rc.hyperoctahedral(2).rep), {rc.Orbit}),
    "C4 unsigned": (lambda: (lambda v: v >> v)(rc.permutation(rc.cyclic(4), ["(0 1 2 3)"])), {rc.Orbit}),
    "mu3": (lambda: (lambda v: v**2 >> v.dual)(rc.Group([[["zeta(3)", 0], [0, 1]], [[0, 1], [1, 0]]]).rep), {rc.Orbit}),
    "scaling": (lambda: (lambda v: v**2 >> v**2)(rc.scaling(2).rep), {rc.Orbit}),
    "D5": (lambda: (lambda v: v**2 >> v**2)(rc.dihedral(5).rep), {rc.Factor}),
    "SO(3)": (lambda: (lambda v: v**3 >> v**2)(rc.SO(3).rep), {rc.Factor}),
    "SO(3) copies": (
        lambda: (lambda v, one: 3 * one + 2 * v + v**2 >> one + 3 * v + v**2)(rc.SO(3).rep, rc.trivial(rc.SO(3))),
        {rc.Orbit, rc.Factor},
    ),
    "interleaved copies": (
        lambda: (lambda v, one: 2 * (one + v) >> (one + v) * (v + one))(rc.O(2).rep, rc.trivial(rc.O(2))),
        {rc.Orbit},
    ),
    "SU(2)": (lambda: (lambda v: v**3 >> v + 2 * v**3)(rc.SU(2).rep), {rc.Factor}),
    "realified": (lambda: (lambda v: v >> 2 * v)(rc.SU(2).rep.realify()), {rc.Orbit}),
    "affine": (lambda: (lambda v: v**3 >> v + v**2)(rc.affine(2).rep), {rc.Factor}),
    "hexagonal": (lambda: (lambda v: v * v.dual >> v**2)(rc.Group([[[0, -1], [1, -1]]]).rep), {rc.Factor}),
    "nothing": (lambda: rc.SO(3).rep >> rc.trivial(rc.SO(3)), set()),
    "everything": (lambda: 2 * rc.trivial(rc.SO(3)) >> 3 * rc.trivial(rc.SO(3)), {rc.Orbit}),
}


class Case:
    def __init__(self, name: str) -> None:
        space, self.structures = SPACES[name]
        self.space = space()
        self.basis = rc.solve(self.space, store=None)
        self.plan = rc.plan(self.basis)
        self.dense = self.basis.to_numpy(orthonormal=True)
        n, k = self.plan.shape[0] * self.plan.shape[1], self.plan.dim
        # Inner products of length n, k of them, each within n eps of the exact one (Higham 2002, section 3.1), and the
        # loss of orthogonality of the columns, 8 n k eps.
        self.bound = 16 * max(n, 1) * max(k, 1) * EPS
        self.rng = np.random.default_rng(n + k)

    def weights(self, *batch: int) -> Any:
        real = self.rng.standard_normal((*batch, *self.plan.shape))
        return real + 1j * self.rng.standard_normal(real.shape) if self.plan.is_complex else real

    def coefficients(self, *batch: int) -> Any:
        real = self.rng.standard_normal((*batch, self.plan.dim))
        return real + 1j * self.rng.standard_normal(real.shape) if self.plan.is_complex else real

    def close(self, a: Any, b: Any, scale: float) -> None:
        assert np.shape(a) == np.shape(b)
        assert np.abs(np.asarray(a) - b).max(initial=0) <= self.bound * max(scale, 1)


@pytest.fixture(params=SPACES)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def test_coefficients_are_inner_products(case: Case) -> None:
    w = case.weights(4)
    wanted = np.einsum("kyx,byx->bk", case.dense.conj(), w)
    case.close(case.plan.coefficients(w), wanted, np.linalg.norm(w))


def test_expand_is_the_sum_of_elements(case: Case) -> None:
    theta = case.coefficients(4)
    case.close(case.plan.expand(theta), np.einsum("kyx,bk->byx", case.dense, theta), np.linalg.norm(theta))


def test_theta_is_in_the_order_of_the_basis(case: Case) -> None:
    for i, unit in enumerate(np.eye(case.plan.dim)):
        case.close(case.plan.expand(unit), case.dense[i] + 0j if case.plan.is_complex else case.dense[i], 1)


def test_project_is_the_dense_projector(case: Case) -> None:
    w = case.weights(3)
    n = case.plan.shape[0] * case.plan.shape[1]
    q = case.dense.reshape(case.plan.dim, n)
    wanted = (w.reshape(3, n) @ (q.T @ q.conj()).T).reshape(w.shape)
    case.close(case.plan.project(w), wanted, np.linalg.norm(w))


def test_project_against_the_exact_projector() -> None:
    """B^T (B B^T)^-1 B in fractions."""
    import flint

    basis = rc.solve(rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2, store=None)
    rows = [[int(x) for row in b.tolist() for x in row] for b in basis]
    b = flint.fmpq_mat(len(rows), 81, [x for row in rows for x in row])
    exact = b.transpose() * (b * b.transpose()).inv() * b
    wanted = np.array([[float(x.p) / float(x.q) for x in row] for row in exact.tolist()])
    got = rc.plan(basis).project(np.eye(81).reshape(81, 9, 9)).reshape(81, 81)
    bound = 16 * 81 * 3 * EPS * np.linalg.cond(np.array(rows, float))
    assert np.abs(got - wanted).max() <= bound


def test_projection_laws(case: Case) -> None:
    w = case.weights()
    p = case.plan.project(w)
    scale = float(np.linalg.norm(w))
    case.close(case.plan.project(p), p, scale)
    # The rest is orthogonal to the space, so Pythagoras holds and nothing in the space is nearer.
    case.close(case.plan.coefficients(w - p), np.zeros(case.plan.dim), scale)
    assert abs(np.linalg.norm(w) ** 2 - np.linalg.norm(p) ** 2 - np.linalg.norm(w - p) ** 2) <= case.bound * scale**2
    theta = case.coefficients()
    other = case.plan.expand(theta)
    assert np.linalg.norm(w - p) <= np.linalg.norm(w - other) + case.bound * scale
    case.close(case.plan.coefficients(other), theta, float(np.linalg.norm(theta)))
    assert abs(np.linalg.norm(other) - np.linalg.norm(theta)) <= case.bound * max(1, np.linalg.norm(theta))


def test_what_is_projected_is_equivariant(case: Case) -> None:
    p = case.plan.project(case.weights())
    for on_y, on_x in zip(case.space.codomain.matrices, case.space.domain.matrices, strict=True):
        y, x = on_y.to_numpy(), on_x.to_numpy()
        defect = y @ p - p @ x
        size = (np.linalg.norm(y, 2) + np.linalg.norm(x, 2)) * max(np.linalg.norm(p), 1)
        assert np.abs(defect).max(initial=0) <= case.bound * size


def test_exact_elements_stay(case: Case) -> None:
    b = case.basis.to_numpy()
    case.close(case.plan.project(b), b, float(np.abs(b).max(initial=0) * b.size))


@pytest.mark.parametrize("group", [rc.dihedral(5), rc.symmetric(4), rc.quaternion(), rc.icosahedral()], ids=str)
def test_project_is_the_mean_over_the_group(group: Any) -> None:
    """For orthogonal representations the nearest equivariant map is the Haar mean of rho_Y(g) W rho_X(g)^-1."""
    V = group.rep
    X, Y = V + rc.trivial(group), V * V
    w = np.random.default_rng(0).standard_normal((Y.dim, X.dim))
    table = elements(group)
    total = np.zeros_like(w)
    for e in range(table.order):
        g = rc.matrix([[int(i == j) for j in range(group.dim)] for i in range(group.dim)])
        for letter in table.word(e):
            g = g @ group.discrete[letter]
        total += discrete_image(Y, g).to_numpy() @ w @ discrete_image(X, g).to_numpy().T
    got = rc.plan(rc.solve(X >> Y, store=None)).project(w)
    assert np.abs(got - total / table.order).max() <= 64 * Y.dim * X.dim * EPS * np.abs(w).max()


# ------------------------------------------------------------------------------------------------------------ structures


def test_structures(case: Case) -> None:
    assert {type(b.structure) for b in case.plan.blocks} == case.structures


def test_blocks_tile_the_map(case: Case) -> None:
    covered = np.zeros(case.plan.shape, int)
    places: list[int] = []
    for b in case.plan.blocks:
        covered[b.rows[:, None, :, None], b.cols[None, :, None, :]] += 1
        places += b.order.ravel().tolist()
        n, m, k = b.order.shape
        assert (n, m) == (len(b.rows), len(b.cols))
        assert k == b.structure.dim
        size = b.rows.shape[1] * b.cols.shape[1]
        if isinstance(b.structure, rc.Orbit):
            ids, values = b.structure.ids, b.structure.values
            assert ids.shape == values.shape == (size,)
            assert set(ids.tolist()) - {-1} == set(range(k))
            assert np.array_equal(values == 0, ids < 0)
        else:
            assert b.structure.q.shape == (size, k)
    assert covered.max(initial=0) <= 1
    assert sorted(places) == list(range(case.plan.dim))


def test_copies_stay_factored() -> None:
    V = rc.SO(3).rep
    plan = rc.plan(rc.solve(64 * V >> 128 * V**2, store=None))
    assert plan.dim == 64 * 128
    (block,) = plan.blocks
    assert block.order.shape == (128, 64, 1)
    assert block.rows.shape == (128, 9)
    assert block.cols.shape == (64, 3)
    assert block.structure.dim == 1
    w = np.random.default_rng(0).standard_normal((128 * 9, 64 * 3))
    one = rc.plan(rc.solve(V >> V**2, store=None))
    tiles = w.reshape(128, 9, 64, 3).transpose(0, 2, 1, 3)
    wanted = one.project(tiles).transpose(0, 2, 1, 3).reshape(w.shape)
    assert np.abs(plan.project(w) - wanted).max() <= 32 * 27 * EPS * np.abs(w).max()
    # theta[(i, j)] belongs to copy j of X and copy i of Y, by first entries: row by row of the whole map.
    assert block.order[:, :, 0].argsort(axis=None).tolist() == np.arange(64 * 128).tolist()


def test_arrays_are_read_only(case: Case) -> None:
    for b in case.plan.blocks:
        s = b.structure
        for array in (b.rows, b.cols, b.order, *((s.ids, s.values) if isinstance(s, rc.Orbit) else (s.q,))):
            assert not array.flags.writeable


def test_identity_of_plans(case: Case) -> None:
    assert case.plan.digest == case.basis.digest
    assert rc.plan(case.plan) is case.plan
    again = rc.plan(rc.solve(case.space, store=None))
    assert again == case.plan
    assert hash(again) == hash(case.plan)
    assert again != "plan"
    assert case.plan.is_complex == (not case.basis.field.is_real)


def test_different_spaces_have_different_plans() -> None:
    plans = [rc.plan(Case(name).basis) for name in SPACES]
    assert len(set(plans)) == len(plans)


# ------------------------------------------------------------------------------------------------------------------ shapes


def test_batch_axes(case: Case) -> None:
    w = case.weights(2, 3)
    for verb in (case.plan.project, case.plan.coefficients):
        whole = verb(w)
        assert whole.shape[:2] == (2, 3)
        for i in range(2):
            for j in range(3):
                case.close(whole[i, j], verb(w[i, j]), float(np.linalg.norm(w)))
    theta = case.coefficients(2, 3)
    case.close(case.plan.expand(theta)[1, 2], case.plan.expand(theta[1, 2]), float(np.linalg.norm(theta)))
    assert case.plan.project(case.weights(0)).shape == (0, *case.plan.shape)
    assert case.plan.expand(case.coefficients(0, 5)).shape == (0, 5, *case.plan.shape)


def test_apply(case: Case) -> None:
    theta, x = case.coefficients(), case.rng.standard_normal((5, case.plan.shape[1]))
    y = case.plan.apply(theta, x)
    wanted = x @ case.plan.expand(theta).T
    case.close(y, wanted, float(np.linalg.norm(theta) * np.linalg.norm(x)))
    many = case.coefficients(2, 1)
    both = case.plan.apply(many, x)
    assert both.shape == (2, 5, case.plan.shape[0])
    case.close(both[1], case.plan.apply(many[1, 0], x), float(np.linalg.norm(many) * np.linalg.norm(x)))
    case.close(case.plan.apply(theta, x[0]), y[0], float(np.linalg.norm(theta) * np.linalg.norm(x)))


def test_lists_and_integers_are_taken() -> None:
    plan = rc.plan(rc.solve(rc.cyclic(4).rep >> rc.cyclic(4).rep, store=None))
    assert plan.project([[1, 2], [3, 5]]).dtype == np.float64
    assert plan.project([[1, 2], [3, 5]]) == pytest.approx(np.array([[3, -0.5], [0.5, 3]]), abs=8 * EPS)
    assert plan.expand([1, 0]) == pytest.approx(np.eye(2) / np.sqrt(2), abs=2 * EPS)


@pytest.mark.parametrize(
    ("given_type", "real", "complex_"),
    [
        (np.float16, np.float32, np.complex64),
        (np.float32, np.float32, np.complex64),
        (np.float64, np.float64, np.complex128),
        (np.int64, np.float64, np.complex128),
        (np.int8, np.float32, np.complex64),
        (np.bool_, np.float32, np.complex64),
        (np.complex64, np.complex64, np.complex64),
        (np.complex128, np.complex128, np.complex128),
    ],
)
@pytest.mark.parametrize("name", ["S4", "SO(3) copies", "SU(2)", "nothing", "mu3"])
def test_types_are_kept(name: str, given_type: Any, real: Any, complex_: Any) -> None:
    case = Case(name)
    wanted = complex_ if case.plan.is_complex else real
    w = np.ones(case.plan.shape, given_type)
    x = np.ones(case.plan.shape[1], given_type)
    theta = case.plan.coefficients(w)
    assert theta.dtype == wanted
    assert case.plan.project(w).dtype == wanted
    assert case.plan.expand(np.ones(case.plan.dim, given_type)).dtype == wanted
    assert case.plan.apply(theta, x).dtype == wanted
    single = np.finfo(wanted).eps / EPS
    assert np.abs(case.plan.project(w) - case.plan.project(w.astype(complex))).max(initial=0) <= case.bound * single


def test_complex_weights_on_a_real_plan_are_projected_by_parts() -> None:
    case = Case("SO(3)")
    w = case.weights() + 1j * case.weights()
    case.close(case.plan.project(w), case.plan.project(w.real) + 1j * case.plan.project(w.imag), float(np.linalg.norm(w)))


@pytest.mark.parametrize("verb", ["project", "coefficients", "expand", "apply"])
def test_wrong_shapes_are_named(verb: str) -> None:
    plan = rc.plan(rc.solve(rc.SO(3).rep ** 3 >> rc.SO(3).rep ** 2, store=None))
    assert (plan.shape, plan.dim) == ((9, 27), 6)
    name = "theta" if verb in ("expand", "apply") else "weight"
    for bad in (np.ones((27, 9)), np.ones(243), np.ones((9, 27, 1)), np.float64(1)):
        with pytest.raises(rc.IncompatibleError, match=rf"^{name}: has shape"):
            getattr(plan, verb)(*((bad, np.ones(27)) if verb == "apply" else (bad,)))
    with pytest.raises(rc.IncompatibleError, match=r"^x: has shape \(9,\)"):
        plan.apply(np.ones(6), np.ones(9))
    for bad in ("weight", None, [[1, 2], [3]], [["a"] * 27] * 9):
        with pytest.raises((rc.IncompatibleError, TypeError, ValueError)):
            plan.project(bad)


@settings(max_examples=30)
@given(data=st.data())
def test_linear_in_both_arguments(data: st.DataObject) -> None:
    case = Case("interleaved copies")
    seed, a, b = data.draw(st.integers(0, 2**16)), data.draw(st.integers(-3, 3)), data.draw(st.integers(-3, 3))
    rng = np.random.default_rng(seed)
    v, w = rng.standard_normal((2, *case.plan.shape))
    case.close(case.plan.project(a * v + b * w), a * case.plan.project(v) + b * case.plan.project(w), 6 * 30)
    s, t = rng.standard_normal((2, case.plan.dim))
    case.close(case.plan.expand(a * s + b * t), a * case.plan.expand(s) + b * case.plan.expand(t), 6 * 30)
