"""Functions on cells: an exact representation, samples that elements move as it says, and an error of sampling that holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

import repcore as rc

EPS = float(np.finfo(np.float64).eps)

HARMONIC: dict[str, Callable[[], rc.FunctionSpace]] = {
    "SO(2)": lambda: rc.functions(rc.SO(2), 8),
    "SO(2), odd": lambda: rc.functions(rc.SO(2), 7, band=0.9),
    "SO(2), a rectangle": lambda: rc.functions(rc.SO(2), (6, 9)),
    "O(2)": lambda: rc.functions(rc.O(2), 8),
    "C8": lambda: rc.functions(rc.cyclic(8), 8),
    "D8": lambda: rc.functions(rc.dihedral(8), 6),
    "SO(3)": lambda: rc.functions(rc.SO(3), 6),
    "O(3)": lambda: rc.functions(rc.O(3), 5),
    "octahedral": lambda: rc.functions(rc.octahedral(), 5),
}
SPACES = HARMONIC | {
    "SO(2), polynomials": lambda: rc.functions(rc.SO(2), 8, degree=3),
    "scaling": lambda: rc.functions(rc.scaling(2), 8, degree=3),
    "GL": lambda: rc.functions(rc.GL(2), 8, degree=3),
    "SE(2)": lambda: rc.functions(rc.SE(2), 8, degree=3),
    "affine": lambda: rc.functions(rc.affine(2), 8),
    "translations, a line": lambda: rc.functions(rc.translations(1), 9, degree=4),
    "constants": lambda: rc.functions(rc.affine(2), 4, degree=0),
}


@pytest.fixture(params=SPACES)
def f(request: pytest.FixtureRequest) -> rc.FunctionSpace:
    return SPACES[request.param]()


def centres(f: rc.FunctionSpace) -> npt.NDArray[np.float64]:
    """Places of the cells, x along columns and y up, from the middle."""
    at = np.indices(f.sizes).reshape(len(f.sizes), -1)[::-1] - (np.array(f.sizes[::-1])[:, None] - 1) / 2
    if len(f.sizes) > 1:
        at[1] *= -1
    return at


def moved(g: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """g^-1 q, on homogeneous columns where g has one row more."""
    more = np.ones((len(g) - len(q), q.shape[1]))
    return np.linalg.solve(g, np.concatenate([q, more]))[: len(q)]


def pairs(f: rc.FunctionSpace, count: int = 5) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Elements near the identity or far, as their matrices in space and on coefficients."""
    if f.group.lie and f.degree is not None:
        from scipy.linalg import expm

        rng = np.random.default_rng(0)
        first = len(f.group.discrete)
        weights = 0.3 * rng.standard_normal((count, len(f.group.lie)))
        on_space, on_f = (
            np.stack([m.to_numpy().astype(float) for m in rep.matrices[first:]]) for rep in (f.group.rep, f.scalars)
        )
        found = [(expm(np.tensordot(t, on_space, 1)), expm(np.tensordot(t, on_f, 1))) for t in weights]
        plain = [(f.group.rep.matrix(i), f.scalars.matrix(i)) for i in range(first)]
        return found + [(a.to_numpy().astype(float), b.to_numpy().astype(float)) for a, b in plain]
    words = rc.sample(f.group, count)
    return [(g.act(f.group.rep, np.eye(f.group.dim)).T, g.act(f.scalars, np.eye(f.dim)).T) for g in words]


def test_the_images_of_the_generators_satisfy_their_relations_exactly(f: rc.FunctionSpace) -> None:
    first = len(f.group.discrete)
    images = f.scalars.matrices
    declared = rc.Rep(f.group, discrete=images[:first], lie=images[first:])
    assert declared.matrices == images
    assert not declared.checked.startswith("unchecked: some")
    for a in images if f.group == rc.SO(2) and f.degree is None else ():
        # Whole frequencies: a whole turn is 1.
        m = [int(-x) for x in (a @ a).to_numpy().diagonal()]
        assert a @ a == rc.matrix(np.diag([-k for k in m]).tolist())
        assert all(int(k**0.5) ** 2 == k for k in m)


def test_functions_that_are_moved_are_functions_of_the_space(f: rc.FunctionSpace) -> None:
    """(g f)(q) = f(g^-1 q) at every place, not at cells only."""
    rng = np.random.default_rng(1)
    q = rng.uniform(-1, 1, (len(f.sizes), 40)) * (min(f.sizes) / 2 - 1) / np.sqrt(len(f.sizes))
    values = f.at(q)
    for g, d in pairs(f):
        scale = np.abs(values) @ np.abs(d) + np.abs(values).max()
        assert (np.abs(f.at(moved(g, q)) - values @ d) <= 1024 * f.dim * EPS * scale.max()).all()


def test_images_of_exchanges_of_cells_are_exact() -> None:
    """A quarter turn moves cells, and the samples as the exact representation says, up to rounding."""
    for sizes in (8, 7):
        f, grid = rc.functions(rc.dihedral(4), sizes), rc.grid(rc.dihedral(4), sizes)
        assert np.array_equal(f.samples, rc.functions(rc.SO(2), sizes).samples)
        for i in range(2):
            p, d = grid.matrix(i).to_numpy().astype(float), f.scalars.matrix(i).to_numpy().astype(float)
            assert np.linalg.norm(p @ f.samples - f.samples @ d, 2) <= 64 * f.cells * EPS
            assert np.linalg.norm(f.analysis @ p - d @ f.analysis, 2) <= 64 * f.cells * EPS
    box, grid = rc.functions(rc.octahedral(), 4), rc.grid(rc.octahedral(), 4)
    for i in range(len(box.group.discrete)):
        p = grid.matrix(i).to_numpy().astype(float)
        d = rc.to_orthonormal(box.scalars.matrix(i).to_numpy(), box.scalars, box.scalars)
        assert np.linalg.norm(p @ box.samples - box.samples @ d, 2) <= 64 * box.cells * EPS


def test_analysis_and_basis(f: rc.FunctionSpace) -> None:
    n, slack = f.dim, 64 * f.cells * EPS * f.condition * max(1.0, float(np.abs(f.samples).max()))
    assert f.samples.shape == (f.cells, n)
    assert f.analysis.shape == (n, f.cells)
    assert np.abs(f.analysis @ f.samples - np.eye(n)).max() <= slack * f.condition
    assert np.abs(f.basis.T @ f.basis - np.eye(f.cells)).max() <= 64 * f.cells * EPS
    assert np.abs(f.basis[:, :n] @ f.change - f.samples).max() <= slack
    assert np.abs(f.basis[:, n:].T @ f.samples).max(initial=0) <= slack
    assert not f.samples.flags.writeable
    assert not f.basis.flags.writeable


def test_the_error_of_sampling_is_what_it_says(f: rc.FunctionSpace) -> None:
    exact = f.at(centres(f))
    assert abs(np.linalg.norm(exact - f.samples, 2) - f.sampling_error) <= 64 * f.cells * EPS * max(
        1.0, float(np.abs(exact).max())
    )
    outside = ~f.mask.ravel()
    assert not exact[outside].any()
    assert exact[f.mask.ravel()].any(axis=1).all()


@pytest.mark.parametrize("name", HARMONIC)
def test_the_bound_of_the_error_holds_for_images_that_are_moved_exactly(name: str) -> None:
    """|W x_g - rho_Y(g) W x| <= 2 error |W| |c| for strict W: to trivial and to the defining representation."""
    f = SPACES[name]()
    Y = rc.trivial(f.group) + f.group.rep
    maps = f >> Y
    rng = np.random.default_rng(2)
    w = rc.plan(maps).project(rng.standard_normal(maps.shape))
    q, c = centres(f), rng.standard_normal(f.dim)
    x = f.at(q) @ c
    worst = 0.0
    for g, _ in pairs(f, 12):
        on_y = np.block([[np.ones((1, 1)), np.zeros((1, len(g)))], [np.zeros((len(g), 1)), g]])
        apart = float(np.linalg.norm(w @ (f.at(moved(g, q)) @ c) - on_y @ (w @ x)))
        worst = max(worst, apart / float(np.linalg.norm(w, 2) * np.linalg.norm(c)))
    assert worst <= 2 * f.sampling_error + 64 * f.cells * EPS
    # No empty promise: what is not strict is far above it.
    free = rng.standard_normal(maps.shape)
    g, _ = next(p for p in pairs(f, 12) if np.linalg.norm(p[0] - np.eye(len(p[0]))) > 0.5)
    apart = np.linalg.norm((free @ (f.at(moved(g, q)) @ c) - free @ x)[0])
    assert apart > 2 * f.sampling_error * np.linalg.norm(free, 2) * np.linalg.norm(c) / 4


@pytest.mark.parametrize("name", HARMONIC)
def test_elements_act_on_images_by_orthogonal_matrices(name: str) -> None:
    f = SPACES[name]()
    (_, a), (_, b) = pairs(f, 2)
    slack = 64 * f.cells * EPS
    assert np.abs(f.act(a) @ f.act(a).T - np.eye(f.cells)).max() <= slack
    assert np.abs(f.act(a) @ f.act(b) - f.act(a @ b)).max() <= slack
    assert np.abs(f.act(a) @ f.samples - f.samples @ a).max() <= slack


def test_strict_maps_are_as_many_as_theory_says() -> None:
    """Invariant functions: the radial profiles of degree 0; to frequency m two for each profile of degree m."""
    G = rc.SO(2)
    f = rc.functions(G, 16)
    profiles = [6, 6, 5, 5, 4, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1, 1]
    assert f.dim == profiles[0] + 2 * sum(profiles[1:]) == 92
    for m, many in enumerate(profiles):
        basis = rc.solve((f >> rc.irrep(G, str(m))).coefficients)
        assert basis.dim == (2 * many if m else many)
        assert basis.certificate.status == "proved"
    assert rc.solve((3 * f >> 768 * rc.trivial(G)).coefficients).dim == 3 * 768 * 6
    space = rc.functions(rc.SO(3), 8)
    assert rc.solve((space >> rc.trivial(space.group)).coefficients).dim == 3  # sin(kr)/r with k R = pi, 2 pi, 3 pi <= 0.8 * 4 pi
    polynomials = rc.functions(G, 8, degree=4)
    assert rc.solve((polynomials >> rc.trivial(G)).coefficients).dim == 3  # 1, r^2, r^4
    assert rc.solve((rc.functions(rc.GL(2), 8, degree=4) >> rc.trivial(rc.GL(2))).coefficients).dim == 1  # the value at 0


def test_a_wider_band_has_more_functions_and_a_larger_error() -> None:
    found = [rc.functions(rc.SO(2), 16, band=b) for b in (0.5, 0.7, 0.8, 0.9)]
    assert [f.dim for f in found] == [34, 67, 92, 117]
    errors = [f.sampling_error for f in found]
    assert errors == sorted(errors)
    assert np.allclose(errors, [0.0022, 0.0082, 0.0214, 0.0443], rtol=0.05)


def test_weights_split_into_coefficients_and_remainder() -> None:
    G = rc.SO(2)
    maps = rc.functions(G, 6, values=2 * rc.trivial(G) + G.rep) >> 3 * rc.trivial(G)
    w = np.random.default_rng(0).standard_normal((2, *maps.shape))
    m, r = maps.split(w)
    assert m.shape == (2, *maps.coefficients.shape)
    assert maps.shape == (3, 4 * 36)
    assert np.abs(maps.join(m, r) - w).max() <= 64 * maps.shape[1] * EPS
    again, rest = maps.split(maps.join(m))
    assert np.abs(again - m).max() <= 64 * maps.shape[1] * EPS
    assert np.abs(rest).max() <= 64 * maps.shape[1] * EPS
    for wrong in (w[..., :-1], w[..., :2, :], w[0, 0]):
        with pytest.raises(rc.IncompatibleError, match="weights: expected an array of shape"):
            maps.split(wrong)
    with pytest.raises(rc.IncompatibleError, match="coefficients: expected"):
        maps.join(w)
    with pytest.raises(rc.IncompatibleError, match="remainder: expected"):
        maps.join(m, m)
    assert maps.group == G
    assert maps.features == (2 * rc.trivial(G) + G.rep >> 3 * rc.trivial(G))


def test_equal_spaces_are_equal_and_shown_by_what_makes_them(f: rc.FunctionSpace) -> None:
    names = {name: getattr(rc, name) for name in rc.__all__}
    for x in (f, 3 * f, rc.functions(f.group, f.sizes, tokens=2, degree=1), f.of(2 * rc.trivial(f.group) + f.group.rep)):
        again = eval(repr(x), names)  # noqa: S307 (our own repr)
        assert again == x
        assert hash(again) == hash(x)
        assert again.rep == x.rep
    maps = f >> f.group.rep
    assert eval(repr(maps), names) == maps  # noqa: S307
    assert len({f, 3 * f, rc.functions(f.group, f.sizes, degree=1)}) == 3
    assert f != 3
    assert maps != f
    assert f"{f} >> V" == str(maps)
    assert str(f.dim) in f.explain()
    assert f"{f.sampling_error:.2g}" in f.explain()


def test_values_of_a_product_with_the_group() -> None:
    G = rc.SO(2) @ rc.symmetric(3)
    points = rc.lift(rc.symmetric(3).rep, G)
    f = rc.functions(rc.SO(2), 6).of(points)
    assert f.rep.dim == 3 * f.dim
    assert f.rep.group == G
    assert rc.solve((f >> points).coefficients).dim == 2 * 2  # two radial profiles, and 1 and J on points


def test_what_makes_no_sense_is_refused() -> None:
    G = rc.SO(2)
    f = rc.functions(G, 4)
    for call, error, message in (
        (lambda: rc.functions(G, 8, band=0.5, degree=2), rc.DeclarationError, "give one of them"),
        (lambda: rc.functions(G, 8, band=1.5), rc.DeclarationError, "band: expected a share"),
        (lambda: rc.functions(G, 8, band=True), rc.DeclarationError, "band: expected a share"),
        (lambda: rc.functions(G, 2, band=0.1), rc.DeclarationError, "leaves no function"),
        (lambda: rc.functions(G, 8, degree=8), rc.DeclarationError, "degree: expected an integer from 0 to 7"),
        (lambda: rc.functions(G, 8, degree=1.5), rc.DeclarationError, "degree: expected an integer"),  # pyright: ignore[reportArgumentType]
        (lambda: rc.functions(G, 0), rc.DeclarationError, "size: a grid has"),
        (lambda: rc.functions(rc.GL(2), 8, band=0.5), rc.RepresentationError, "give degree="),
        (lambda: rc.functions(rc.SO(4), 3, band=0.5), rc.RepresentationError, "give degree="),
        (lambda: rc.functions(rc.U(2), 8), rc.RepresentationError, "is complex"),
        (lambda: rc.functions("SO(2)", 8), rc.RepresentationError, "expected a group"),  # pyright: ignore[reportArgumentType]
        (lambda: f.of(rc.cyclic(3).rep), rc.IncompatibleError, "different groups"),
        (lambda: rc.functions(G, 4, tokens=-1), rc.DeclarationError, "tokens: expected"),
        (lambda: 3 * rc.functions(G, 4, tokens=1), rc.IncompatibleError, "tokens stand before"),
        (lambda: f.of(3), rc.IncompatibleError, "values: expected"),  # pyright: ignore[reportArgumentType]
        (lambda: f >> rc.cyclic(3).rep, rc.IncompatibleError, "different groups"),
        (lambda: f.at(np.zeros((3, 4))), rc.IncompatibleError, "points: have shape"),
        (lambda: f.act(np.eye(2)), rc.IncompatibleError, "matrix: has shape"),
        (lambda: rc.solve(f >> rc.trivial(G)), rc.IncompatibleError, "its maps of coefficients are"),  # pyright: ignore[reportArgumentType]
        (lambda: rc.plan(f >> rc.trivial(G), structure="orbit"), rc.RepresentationError, "factor plans"),
    ):
        with pytest.raises(error, match=message):
            call()
