"""Irreps by label: closed forms, figures from books, and e3nn where it is installed.

Exact statements are compared with ``==``. Floats are compared with bounds in units of the rounding error ``EPS``: an entry of
an orthonormal array is an exact rational times the root of one, a handful of roundings; Gram-Schmidt over k columns and sums
of n products add about k and n more.
"""

from __future__ import annotations

import warnings
from fractions import Fraction
from itertools import combinations, product
from math import comb, factorial, prod, sqrt
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.exact.matrix import Matrix, block_diag, identity, inverse, matrix
from repcore.reps.action import discrete_image, lie_image
from repcore.reps.atoms import atoms
from repcore.reps.harmonics import harmonic_derivative, harmonic_image, harmonic_squares
from repcore.reps.irreps import Irrep
from repcore.reps.powers import index_tuples, places, power_derivative, power_image
from repcore.reps.scales import scale_squares, scales

EPS = float(np.finfo(np.float64).eps)
O2, O3, SO2, SO3, SU2 = rc.O(2), rc.O(3), rc.SO(2), rc.SO(3), rc.SU(2)
ABOUT = [  # infinitesimal rotations about x, y, z
    matrix([[0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    matrix([[0, 0, 1], [0, 0, 0], [-1, 0, 0]]),
    matrix([[0, -1, 0], [1, 0, 0], [0, 0, 0]]),
]
TILTED = matrix([["3/5", "-4/5", 0], ["4/5", "3/5", 0], [0, 0, 1]]) @ matrix(
    [[1, 0, 0], [0, "5/13", "-12/13"], [0, "12/13", "5/13"]]
)
FIFTH = rc.icosahedral().discrete[1]
MIRROR = matrix([[-1, 0, 0], [0, 1, 0], [0, 0, 1]])


def solved(domain: Any, codomain: Any) -> Any:
    return rc.solve(domain >> codomain, store=None)


def quarter(a: Matrix) -> Matrix:
    return identity(a.shape[0]) + a + a @ a


def orthonormal(rep: Any, image: Matrix) -> Any:
    return rc.to_orthonormal(image.to_numpy(), rep, rep)


def e3nn_harmonics(p: Any) -> list[list[float]]:
    """Y of degree 0 to 3, norm 1 on the unit sphere for each l: the closed forms of e3nn's source."""
    x, y, z = p
    return [
        [1.0],
        [x, y, z],
        [sqrt(3) * x * z, sqrt(3) * x * y, y * y - (x * x + z * z) / 2, sqrt(3) * y * z, sqrt(3) / 2 * (z * z - x * x)],
        [
            sqrt(5 / 8) * x * (3 * z * z - x * x),
            sqrt(15) * x * y * z,
            sqrt(3 / 8) * x * (4 * y * y - x * x - z * z),
            y * (2 * y * y - 3 * x * x - 3 * z * z) / 2,
            sqrt(3 / 8) * z * (4 * y * y - x * x - z * z),
            sqrt(15) / 2 * y * (z * z - x * x),
            sqrt(5 / 8) * z * (z * z - 3 * x * x),
        ],
    ]


# -- how elements act --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", range(7))
def test_rotations_act_by_a_homomorphism(degree: int) -> None:
    known = {g: harmonic_image(degree, g) for g in (TILTED, FIFTH, MIRROR, *map(quarter, ABOUT))}
    for (g, on_g), (h, on_h) in product(known.items(), repeat=2):
        assert harmonic_image(degree, g @ h) == on_g @ on_h
    for a in ABOUT:
        for g in (TILTED, FIFTH):
            moved = known[g] @ harmonic_derivative(degree, a) @ inverse(known[g])
            assert harmonic_derivative(degree, g @ a @ inverse(g)) == moved


@pytest.mark.parametrize("degree", range(9))
def test_infinitesimal_rotations_are_rational_and_exponentiate(degree: int) -> None:
    x, y, z = (harmonic_derivative(degree, a) for a in ABOUT)
    assert x @ y - y @ x == z
    assert y @ z - z @ y == x
    assert z @ x - x @ z == y
    casimir = x @ x + y @ y + z @ z
    assert casimir == identity(2 * degree + 1) * (-degree * (degree + 1))
    assert {str(m.field) for m in (x, y, z)} == {"QQ"}
    for a, on in zip(ABOUT, (x, y, z), strict=True):
        turn = harmonic_image(degree, quarter(a))
        assert turn @ on == on @ turn
        power = identity(2 * degree + 1)
        for _ in range(4):
            power = power @ turn
        assert power.is_identity
        # tr exp(t A) = 1 + 2 sum cos(m t), at t = pi / 2.
        assert sum((turn[i, i] for i in range(2 * degree + 1)), rc.number(0)) == (1, 1, -1, -1)[degree % 4]


@pytest.mark.parametrize("g", [TILTED, FIFTH, MIRROR @ TILTED, *map(quarter, ABOUT)], ids=str)
def test_closed_forms_of_e3nn(g: Matrix) -> None:
    points = np.random.default_rng(0).normal(size=(7, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    moved = points @ g.to_numpy().T
    for degree in range(4):
        rep = rc.irrep(O3, f"{degree}{'eo'[degree % 2]}")
        before, after = (np.array([e3nn_harmonics(p)[degree] for p in at]) for at in (points, moved))
        assert np.allclose(after, before @ orthonormal(rep, discrete_image(rep, g)).T, rtol=0, atol=40 * (degree + 1) * EPS)


@pytest.mark.parametrize("label", ["0o", "1e", "1o", "2e", "2o", "3o", "4e"])
def test_orthonormal_images_are_orthogonal_and_parity_is_the_inversion(label: str) -> None:
    rep = rc.irrep(O3, label)
    inversion = identity(3) * -1
    assert discrete_image(rep, inversion) == identity(rep.dim) * (1 if label[-1] == "e" else -1)
    for g in (TILTED, MIRROR, FIFTH):
        d = orthonormal(rep, discrete_image(rep, g))
        assert np.abs(d @ d.T - np.eye(rep.dim)).max() <= 20 * rep.dim * EPS
    for i in range(1, 4):
        a = orthonormal(rep, rep.matrix(i))
        assert np.abs(a + a.T).max() <= 8 * rep.dim * EPS


def test_scales_are_binomials() -> None:
    for degree in range(1, 8):
        squares = harmonic_squares(degree)
        assert squares == squares[::-1]
        assert squares[0] == 1
        assert 2 * squares[degree] == comb(2 * degree, degree)
        # rho(g) keeps the form diag(s^2): D^T S^2 D = S^2, exactly.
        form = matrix([[s if i == j else 0 for j in range(2 * degree + 1)] for i, s in enumerate(squares)])
        d = harmonic_image(degree, TILTED)
        assert d.T @ form @ d == form


def test_degree_one_is_the_defining_representation() -> None:
    for group, label in ((O3, "1o"), (SO3, "1"), (SO2, "1"), (O2, "1"), (SU2, "1/2")):
        rep = rc.irrep(group, label)
        assert rep.matrices == group.rep.matrices
        basis = solved(rep, group.rep)
        assert basis.dim == (2 if group == SO2 else 1)  # End of the plane under rotations is C
        assert basis[0].is_identity or group == SO2
        assert rep != group.rep


def test_planar_frequencies() -> None:
    turn = matrix([["3/5", "-4/5"], ["4/5", "3/5"]])
    assert discrete_image(rc.irrep(SO2, "2"), turn) == turn @ turn
    assert rc.irrep(SO2, "3").matrix(0).tolist() == [[0, -3], [3, 0]]
    flip = matrix([[1, 0], [0, -1]])
    for m in (1, 2, 3):
        rep = rc.irrep(O2, str(m))
        assert discrete_image(rep, flip) == flip
        assert discrete_image(rep, turn @ flip @ turn) == discrete_image(rep, turn) @ flip @ discrete_image(rep, turn)
        # End is R over O(2) and C over SO(2).
        assert solved(rep, rep).dim == 1
        assert solved(rc.irrep(SO2, str(m)), rc.irrep(SO2, str(m))).dim == 2
    assert rc.irrep(O2, "0o").matrix(0).tolist() == [[-1]]
    assert rc.irrep(O2, "0o").matrix(1).is_zero
    # R^2 (x) R^2 = 1 + det + frequency 2.
    assert [solved(O2.rep**2, rc.irrep(O2, label)).dim for label in ("0e", "0o", "1", "2", "3")] == [1, 1, 0, 1, 0]


# -- known figures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("l1", range(6))
def test_triangle_rule(l1: int) -> None:
    for l2, l3 in product(range(6), repeat=2):
        basis = solved(rc.irrep(SO3, str(l1)) * rc.irrep(SO3, str(l2)), rc.irrep(SO3, str(l3)))
        assert basis.dim == (abs(l1 - l2) <= l3 <= l1 + l2)
        assert basis.certificate.status == "proved"


def test_parity_multiplies() -> None:
    for a, b, c in product(("1o", "1e", "2e", "2o"), repeat=3):
        even = sum(label.endswith("o") for label in (a, b, c)) % 2 == 0
        found = solved(rc.irrep(O3, a) * rc.irrep(O3, b), rc.irrep(O3, c)).dim
        assert found == (even and triangle(a, b, c))


def triangle(*labels: str) -> bool:
    a, b, c = (int(label[0]) for label in labels)
    return abs(a - b) <= c <= a + b


@pytest.mark.parametrize("degrees", [(10, 10, 10), (10, 9, 8), (10, 1, 10), (7, 6, 10)])
def test_clebsch_gordan_of_high_degree(degrees: tuple[int, int, int]) -> None:
    a, b, c = (rc.irrep(SO3, str(n)) for n in degrees)
    basis = solved(a * b, c)
    assert basis.dim == 1
    assert str(basis.field) == "QQ"
    assert basis.certificate.status == "proved"
    # Schur: C C^T is a multiple of 1, with trace 1 in the orthonormal form.
    c_map = basis.to_numpy(orthonormal=True)[0]
    assert np.abs(c_map @ c_map.T - np.eye(c.dim) / c.dim).max() <= 8 * EPS


@pytest.mark.parametrize(("k", "dims"), [(1, (1, 1, 1, 1)), (2, (4, 3, 5, 3)), (3, (8, 12, 14, 15))])
def test_symmetric_powers_of_mace(k: int, dims: tuple[int, ...]) -> None:
    power = rc.irreps_from("0e + 1o + 2e + 3o", O3).sym(k)
    for label, dim in zip(("0e", "1o", "2e", "3o"), dims, strict=True):
        basis = solved(power, rc.irrep(O3, label))
        assert basis.dim == dim
        assert basis.certificate.status == "proved"
    assert power.dim == comb(15 + k, k)


@pytest.mark.parametrize(
    ("group", "counts"),
    [
        # H. Bethe (1929) for the cube, l = 0 .. 6: A1, T1, E + T2, A2 + T1 + T2, A1 + E + T1 + T2, E + 2 T1 + T2,
        # A1 + A2 + E + T1 + 2 T2; all real, so that the dimension of End is the sum of squared multiplicities.
        (rc.octahedral(), [1, 1, 2, 3, 4, 6, 8]),
        # A, T1, H, T2 + G, G + H, T1 + T2 + H, A + T1 + G + H.
        (rc.icosahedral(), [1, 1, 1, 2, 2, 3, 4]),
    ],
    ids=["octahedral", "icosahedral"],
)
def test_splitting_in_a_crystal_field(group: Any, counts: list[int]) -> None:
    reps = [rc.irrep(SO3, str(degree)).restrict(group) for degree in range(7)]
    assert [solved(v, v).dim for v in reps] == counts
    invariants = [solved(rc.trivial(group), v).dim for v in reps]
    assert invariants == ([1, 0, 0, 0, 1, 0, 1] if group == rc.octahedral() else [1, 0, 0, 0, 0, 0, 1])


def test_clebsch_gordan_of_vectors_in_closed_form() -> None:
    v = rc.irrep(O3, "1o")
    tensors = {label: solved(v * v, rc.irrep(O3, label)).to_numpy(orthonormal=True)[0] for label in ("0e", "1e", "2e")}
    assert np.abs(tensors["0e"].reshape(3, 3) - np.eye(3) / sqrt(3)).max() <= 4 * EPS
    levi_civita = np.zeros((3, 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        levi_civita[i, j, k], levi_civita[i, k, j] = 1, -1
    assert np.abs(tensors["1e"].reshape(3, 3, 3) - levi_civita / sqrt(6)).max() <= 4 * EPS
    # Y_2 as quadratic forms, x^T M_k x, of total norm sqrt(15/2).
    xz, xy, yz = (np.zeros((3, 3)) for _ in range(3))
    for form, (i, j) in ((xz, (0, 2)), (xy, (0, 1)), (yz, (1, 2))):
        form[i, j] = form[j, i] = sqrt(3) / 2
    forms = [xz, xy, np.diag([-0.5, 1, -0.5]), yz, np.diag([-sqrt(3) / 2, 0, sqrt(3) / 2])]
    assert np.abs(tensors["2e"].reshape(5, 3, 3) - np.array(forms) / sqrt(7.5)).max() <= 4 * EPS


@pytest.mark.parametrize(
    "spins", [("1/2", "1/2", "1"), ("1/2", "1/2", "0"), ("1", "1/2", "3/2"), ("3/2", "1", "1/2"), ("2", "3/2", "5/2")]
)
def test_spins_agree_with_condon_and_shortley(spins: tuple[str, str, str]) -> None:
    from sympy import Rational
    from sympy.physics.wigner import clebsch_gordan

    a, b, c = (rc.irrep(SU2, j) for j in spins)
    basis = solved(a * b, c)
    assert basis.dim == 1
    found = basis.to_numpy(np.complex128, orthonormal=True)[0].reshape(c.dim, a.dim, b.dim)
    j1, j2, j3 = map(Rational, spins)
    wanted = np.array(
        [
            [[float(clebsch_gordan(j1, j2, j3, j1 - p, j2 - q, j3 - r)) for q in range(b.dim)] for p in range(a.dim)]
            for r in range(c.dim)
        ]
    ) / sqrt(c.dim)
    assert min(np.abs(found - wanted).max(), np.abs(found + wanted).max()) <= 20 * EPS


def test_spins_are_real_or_quaternionic() -> None:
    for twice, label in enumerate(["0", "1/2", "1", "3/2", "2"]):
        rep = rc.irrep(SU2, label)
        assert rep.dim == twice + 1
        assert solved(rep, rep).dim == 1
        # The realified spin: H, of real dimension 4, for half-integer spin, and two copies of a real irrep otherwise.
        assert solved(rep.realify(), rep.realify()).dim == 4
        assert solved(rep.conj, rep).dim == 1


# -- exact inside, orthonormal at the boundary -------------------------------------------------------------------------


def test_floats_are_orthonormal_and_equivariant() -> None:
    x, y = rc.irreps_from("0e + 2x1o + 2e", O3), rc.irreps_from("1o + 2e + 2x3o", O3)
    space = x * x >> y
    basis, plan = rc.solve(space, store=None), rc.plan(rc.solve(space, store=None))
    dense = basis.to_numpy(orthonormal=True)
    flat = dense.reshape(basis.dim, -1)
    assert np.abs(flat @ flat.T - np.eye(basis.dim)).max() <= 50 * EPS
    assert np.abs(plan.expand(np.eye(basis.dim)) - dense).max() <= 8 * EPS
    echelon = basis.to_numpy()
    assert np.array_equal(basis.to_scipy().toarray().T.reshape(echelon.shape), echelon)
    exact = np.array([b.to_numpy() for b in basis])
    assert np.abs(rc.to_orthonormal(exact, space.domain, space.codomain) - echelon).max() <= 8 * EPS * np.abs(echelon).max()
    weight = np.random.default_rng(1).normal(size=space.shape)
    projected = plan.project(weight)
    assert np.abs(projected - np.einsum("i,iyx->yx", flat @ weight.ravel(), dense)).max() <= 200 * EPS
    on_x, on_y = (orthonormal(v, discrete_image(v, TILTED @ MIRROR)) for v in (x, y))
    assert np.abs(on_y @ projected - projected @ np.kron(on_x, on_x)).max() <= 200 * EPS
    # The projector is the mean over the group, so it commutes with both actions: P(D_Y W D_XX^T) = P(W).
    assert np.abs(plan.project(on_y @ weight @ np.kron(on_x, on_x).T) - projected).max() <= 500 * EPS


def test_scales_of_expressions() -> None:
    d, e = rc.irrep(O3, "2e"), rc.irrep(O3, "3o")
    s, t = scales(d), scales(e)
    pairs = list(combinations(range(5), 2))
    for rep, wanted in (
        (2 * d + O3.rep, np.concatenate([s, s, np.ones(3)])),
        (d * e, np.outer(s, t).ravel()),
        ((d * e).dual, 1 / np.outer(s, t).ravel()),
        (d.conj, s),
        (d.realify(), np.concatenate([s, s])),
        (d.sym(2), np.array([s[i] * s[j] for i in range(5) for j in range(i, 5)])),
        (d.alt(2), np.array([s[i] * s[j] for i, j in pairs])),
        (rc.tensors(d, "ijk=jki"), np.array([s[list(t)].prod() for t in cyclic_tuples(5)])),
        (rc.induced(rc.irrep(SO3, "2").restrict(rc.tetrahedral()), rc.octahedral()), np.concatenate([s, s])),
        (rc.lift(d, O3 @ rc.cyclic(2)), s),
    ):
        assert scales(rep).shape == (rep.dim,)
        assert np.abs(scales(rep) - wanted).max() <= 8 * EPS * np.abs(wanted).max(), rep
    assert scale_squares(O3.rep * O3.rep) is None
    assert scale_squares(rc.irrep(O3, "1o")) is None
    assert scale_squares(d) is not None
    assert scale_squares(d)[2] == Fraction(3)


def cyclic_tuples(n: int) -> list[tuple[int, int, int]]:
    return [t for t in product(range(n), repeat=3) if t == min(t, t[1:] + t[:1], t[2:] + t[:2])]


def test_digest_tells_conventions_apart() -> None:
    # The invariant form of 2e and of a copy of its rational matrices without scales: equal exact entries, other floats.
    d = rc.irrep(O3, "2e")
    bare: Any = rc.Rep(O3, [d.matrix(0)], [d.matrix(i) for i in (1, 2, 3)])
    one = rc.trivial(O3)
    scaled, plain = solved(d * d, one), solved(bare * bare, one)
    assert [b == c for b, c in zip(scaled, plain, strict=True)] == [True]
    assert scaled.digest != plain.digest
    assert rc.plan(scaled) != rc.plan(plain)
    assert np.abs(rc.plan(scaled).expand([1.0]).reshape(5, 5) - np.eye(5) / sqrt(5)).max() <= 4 * EPS


def test_store_and_file_keep_irreps(tmp_path: Any) -> None:
    x = rc.irreps_from("2x0e + 1o", O3) * rc.irrep(O3, "2e").dual
    basis = rc.solve(x >> rc.irrep(O3, "1o"), store=tmp_path)
    rc.dump(basis, tmp_path / "basis.safetensors")
    loaded: Any = rc.load(tmp_path / "basis.safetensors")
    assert loaded == basis
    assert np.array_equal(loaded.to_numpy(), basis.to_numpy())
    spec = rc.Spec(O3, {"X": x, "W": rc.irrep(O3, "0o")}, {"m": x >> x})
    rc.dump(spec, tmp_path / "spec.toml")
    assert rc.load(tmp_path / "spec.toml") == spec
    (tmp_path / "own.toml").write_text('[group]\nbuiltin = "O(3)"\n[reps]\nX = { irreps = "2x0e + 1o" }\n')
    own: Any = rc.load(tmp_path / "own.toml")
    assert own.reps["X"] == rc.irreps_from("2x0e+1o", O3)


def test_the_group_is_recognised_whatever_the_order_of_generators() -> None:
    shuffled = rc.Group(O3.discrete, O3.lie[::-1], "mine")
    rep = rc.irrep(shuffled, "2e")
    assert [rep.matrix(3), rep.matrix(1)] == [rc.irrep(O3, "2e").matrix(i) for i in (1, 3)]
    assert rep.digest == rc.irrep(O3, "2e").digest


# -- powers ------------------------------------------------------------------------------------------------------------

SQUARE = matrix([[1, 2, 0, -1], [0, 3, 1, 1], [2, -1, 1, 0], [1, 1, -2, 1]])


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_symmetric_power_of_a_vector(k: int) -> None:
    # v^k = sum over sorted tuples t of (multinomial coefficient of t) v_t e_t, and Sym^k(g) v^k = (g v)^k.
    def power(v: list[int]) -> list[int]:
        tuples = index_tuples(4, k, signed=False).tolist()
        return [factorial(k) // prod(factorial(t.count(i)) for i in range(4)) * prod(v[i] for i in t) for t in tuples]

    g = np.array(SQUARE.tolist())
    image, derivative = (np.array(f(SQUARE, k, signed=False).tolist()) for f in (power_image, power_derivative))
    for v in ([1, 2, -1, 3], [0, 1, 1, -2], [5, -3, 2, 1]):
        assert (image @ power(v)).tolist() == power((g @ v).tolist())
    # Derivations of commuting matrices commute, and the trace counts how often an index occurs in all tuples: N k / n.
    b = SQUARE @ SQUARE
    other = np.array(power_derivative(b, k, signed=False).tolist())
    assert (derivative @ other == other @ derivative).all()
    total = sum(SQUARE[i, i].as_fraction() for i in range(4))
    assert np.trace(derivative) == total * comb(4 + k - 1, k - 1)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_exterior_power_is_the_minors(k: int) -> None:
    g = np.array(SQUARE.tolist(), float)
    sets = list(combinations(range(4), k))
    minors = [[round(float(np.linalg.det(g[np.ix_(s, t)]))) for t in sets] for s in sets]
    assert power_image(SQUARE, k, signed=True).tolist() == minors
    assert places(index_tuples(4, k, signed=True), 4, signed=True).tolist() == list(range(comb(4, k)))


@pytest.mark.parametrize("rep", ["(V + 2*V.dual + one).sym(3)", "(one + V + V*V).alt(3)", "(2*one + V).sym(2).alt(2)"])
def test_powers_of_sums_split(rep: str) -> None:
    V, one = rc.GL(2).rep, rc.trivial(rc.GL(2))
    power: Any = {
        "(V + 2*V.dual + one).sym(3)": (V + 2 * V.dual + one).sym(3),
        "(one + V + V*V).alt(3)": (one + V + V * V).alt(3),
        "(2*one + V).sym(2).alt(2)": (2 * one + V).sym(2).alt(2),
    }[rep]
    found = atoms(power)
    assert len(found) > 2
    order = np.concatenate([a.positions.ravel() for a in found])
    assert sorted(order.tolist()) == list(range(power.dim))
    assert all(np.all(np.diff(a.positions, axis=1) > 0) for a in found)
    for g, verb in ((matrix([[1, 2], [-1, 3]]), discrete_image), (matrix([[0, 5], [1, -2]]), lie_image)):
        whole = verb(power, g).to_numpy(object)[np.ix_(order, order)]
        pieces = block_diag([verb(a.rep, g) for a in found for _ in a.positions])
        assert (whole == pieces.to_numpy(object)).all()


def test_powers_of_interleaved_summands_stay_whole() -> None:
    v = rc.dihedral(4).rep
    power = (v + rc.trivial(rc.dihedral(4))).realify().sym(2)
    assert [a.rep for a in atoms(power)] == [power]


# -- labels and texts --------------------------------------------------------------------------------------------------


def test_labels_and_their_names() -> None:
    for group, labels in ((O3, ["0o", "1o", "2e"]), (SO3, ["1", "2"]), (SO2, ["1"]), (O2, ["0o", "2"]), (SU2, ["1/2", "1"])):
        for label in labels:
            rep = rc.irrep(group, label)
            assert isinstance(rep, Irrep)
            assert rep.label == label
            assert eval(repr(rep), dict(vars(rc))) == rep  # noqa: S307  # our own repr
            assert str(rep) == f"irrep({label})"
    assert rc.irrep(O3, "02e") == rc.irrep(O3, "2e")
    for group, label in ((O3, "0e"), (SO3, "0"), (SO2, "0"), (O2, "0e"), (SU2, "0")):
        assert rc.irrep(group, label) == rc.trivial(group)
    everything = {rc.irrep(O3, f"{n}{p}").digest for n in range(4) for p in "eo"}
    assert len(everything) == 8


def test_layout_is_that_of_e3nn() -> None:
    x = rc.irreps_from("2x0e+1x1o+3x2e", O3)
    assert x == 2 * rc.trivial(O3) + rc.irrep(O3, "1o") + 3 * rc.irrep(O3, "2e")
    assert x == rc.irreps_from("  2 x 0e +1x1o\n+ 3x2e ", O3)
    assert [(a.rep.dim, a.positions.tolist()) for a in atoms(x)][2] == (5, [[*range(5, 10)], [*range(10, 15)], [*range(15, 20)]])
    assert rc.irreps_from("0x1o", O3).dim == 0
    assert rc.irreps_from("1/2 + 2x1", SU2).dim == 8


@pytest.mark.parametrize(
    ("group", "label", "words"),
    [
        (SO3, "1e", "SO(3) knows no parity"),
        (O3, "1", "a parity"),
        (O3, "-1e", "no such label"),
        (O3, 1, "no such label"),
        (O3, "1o ", "no such label"),
        (O3, "1000e", "no such label"),
        (O3, "\u0661e", "no such label"),
        (O2, "0", "determinant"),
        (O2, "1e", "frequency"),
        (SO2, "-1", "frequency"),
        (SU2, "2/2", "write 1 for 2/2"),
        (SU2, "1/3", "a spin"),
        (rc.SO(4), "1", "SO(3), O(3), SO(2), O(2), SU(2)"),
        (rc.octahedral(), "1", "restrict"),
        ("O(3)", "1o", "expected a group"),
    ],
)
def test_refused_labels(group: Any, label: Any, words: str) -> None:
    with pytest.raises(rc.RepresentationError) as refused:
        rc.irrep(group, label)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "position 0"),
        ("2x0e +", "position 6"),
        ("2x0e + 1x", "position 7"),
        ("2x0e + x1o", "position 7"),
        ("2x0e + 1q", "position 7"),
        ("-2x0e", "position 0"),
        ("2x0e, 1o", "position 0"),
        ("10000000000x0e", "copies"),
        (7, "expected irreps as a text"),
    ],
)
def test_refused_texts(text: Any, words: str) -> None:
    with pytest.raises(rc.RepresentationError) as refused:
        rc.irreps_from(text, O3)
    assert words in str(refused.value)


def test_only_elements_of_the_group_act() -> None:
    shear = matrix([[1, 1, 0], [0, 1, 0], [0, 0, 1]])
    for group, label, g in (
        (O3, "2e", shear),
        (SO3, "2", MIRROR),
        (SO2, "1", matrix([[1, 0], [0, -1]])),
        (SU2, "1", matrix([[2, 0], [0, "1/2"]])),
    ):
        with pytest.raises(rc.RepresentationError, match="not an element"):
            discrete_image(rc.irrep(group, label), g)
    for group, label, a in ((O3, "2e", shear), (SO2, "1", identity(2)), (SU2, "1", matrix([["I", 0], [0, "I"]]))):
        with pytest.raises(rc.RepresentationError, match="not in the Lie algebra"):
            lie_image(rc.irrep(group, label), a)


# -- e3nn, where it is installed ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def e3nn() -> Any:
    """(torch, e3nn.o3) in double precision."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = pytest.importorskip("torch")
        o3 = pytest.importorskip("e3nn.o3")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch, o3
    torch.set_default_dtype(before)


@pytest.mark.filterwarnings("ignore")
def test_matrices_of_e3nn(e3nn: Any) -> None:
    torch, o3 = e3nn
    for g, degree in product((TILTED, FIFTH, MIRROR @ TILTED), range(11)):
        for p in "eo":
            rep = rc.irrep(O3, f"{degree}{p}")
            wanted = o3.Irrep(f"{degree}{p}").D_from_matrix(torch.tensor(g.to_numpy())).numpy()
            # e3nn goes through Euler angles, which lose a few units; a turn by t moves D by l t.
            assert np.abs(orthonormal(rep, discrete_image(rep, g)) - wanted).max() <= 30 * (degree + 1) * EPS


@pytest.mark.filterwarnings("ignore")
def test_clebsch_gordan_of_e3nn(e3nn: Any) -> None:
    _, o3 = e3nn
    triples = [t for t in product(range(6), repeat=3) if abs(t[0] - t[1]) <= t[2] <= t[0] + t[1]]
    for degrees in (*triples, (10, 10, 10), (10, 9, 8), (7, 4, 10)):
        a, b, c = (rc.irrep(SO3, str(n)) for n in degrees)
        found = solved(a * b, c).to_numpy(orthonormal=True)[0].reshape(c.dim, a.dim, b.dim).transpose(1, 2, 0)
        wanted = o3.wigner_3j(*degrees).numpy()
        assert min(np.abs(found - wanted).max(), np.abs(found + wanted).max()) <= 1e-14


@pytest.mark.filterwarnings("ignore")
def test_linear_layers_of_e3nn_are_in_the_space(e3nn: Any) -> None:
    torch, o3 = e3nn
    text = "2x0e + 3x1o + 2x2e"
    x = rc.irreps_from(text, O3)
    layer = o3.Linear(text, text)
    weight = layer(torch.eye(x.dim)).detach().numpy().T
    plan = rc.plan(rc.solve(x >> x, store=None))
    assert plan.dim == layer.weight_numel
    assert np.abs(plan.project(weight) - weight).max() <= 20 * EPS * np.abs(weight).max()


@pytest.mark.parametrize("family", ["SO(2)", "O(2)", "SO(3)", "O(3)", "SU(2)"])
def test_degree_zero_is_one_dimensional_and_lie_elements_act_by_zero(family: str) -> None:
    G = {str(g): g for g in (rc.SO(2), rc.O(2), rc.SO(3), rc.O(3), rc.SU(2))}[family]
    for label in ("0e", "0o") if family.startswith("O") else ("0",):
        rep = rc.irrep(G, label)
        for i in range(len(G.generators)):
            m = rep.matrix(i)
            assert m.shape == (1, 1)
            assert m.is_zero == (i >= len(G.discrete))
    if family == "SU(2)":
        assert discrete_image(rc.irrep(G, "0"), matrix([[0, 1], [-1, 0]])) == identity(1)


@pytest.mark.parametrize("wrong", ["x", "1", "-1o", "1e2"])
def test_a_wrong_label_is_named(wrong: str) -> None:
    with pytest.raises(rc.RepresentationError, match=r"^label: "):
        rc.irrep(rc.O(3), wrong)


def test_a_number_is_told_to_be_a_text() -> None:
    with pytest.raises(rc.RepresentationError, match='labels are text, write "2"'):
        rc.irrep(rc.SO(3), 2)  # type: ignore[arg-type]
