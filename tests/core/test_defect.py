"""rc.defect: the exact mean and the bracket of the worst case, against all elements of a group, or many of a compact one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import repcore as rc

# elements of a finite group as words, by exact arithmetic
from repcore.groups.finite import elements
from repcore.reps.scales import to_orthonormal

EPS = float(np.finfo(np.float64).eps)


def of_quaternions() -> Any:
    Q8 = rc.quaternion()
    (four,) = [V for V in rc.irreps(Q8) if V.dim == 4]
    return 2 * four + rc.trivial(Q8) >> four + rc.regular(Q8)


def of_a_product() -> Any:
    G = rc.cyclic(4) @ rc.dihedral(3)
    return 2 * G.rep >> G.rep + rc.trivial(G)


def of_vectors(group: Any) -> Any:
    V, one = group.rep, rc.trivial(group)
    return 2 * V + one >> V * V + V + 2 * one


FINITE: dict[str, Callable[[], Any]] = {
    "C4": lambda: of_vectors(rc.cyclic(4)),
    "D4": lambda: of_vectors(rc.dihedral(4)),
    "S5": lambda: rc.symmetric(5).rep + rc.trivial(rc.symmetric(5)) >> 2 * rc.symmetric(5).rep,
    "Q8, quaternionic type": of_quaternions,
    "C4 x D3": of_a_product,
    "complex": lambda: (lambda V: 2 * V >> V * V + V)(rc.Group(discrete=[[["I", 0], [0, "-I"]], [[0, 1], [1, 0]]]).rep),
}
LIE: dict[str, Callable[[], Any]] = {
    "SO(2)": lambda: of_vectors(rc.SO(2)),
    "SO(3)": lambda: of_vectors(rc.SO(3)),
    "O(3), labels": lambda: rc.irrep(rc.O(3), "1o") + rc.irrep(rc.O(3), "2e") >> 2 * rc.irrep(rc.O(3), "2e"),
}


def drawn(space: Any, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    W = rng.standard_normal(space.shape)
    return W + 1j * rng.standard_normal(space.shape) if rc.plan(space).is_complex else W


def floats(rep: Any, i: int) -> np.ndarray[Any, Any]:
    return to_orthonormal(rep.matrix(i).to_numpy(), rep, rep)


def images(rep: Any) -> list[np.ndarray[Any, Any]]:
    """rho(g) for all elements of a finite group, in the order of ``elements``."""
    listed = elements(rep.group)
    steps = [floats(rep, i) for i in range(len(rep.group.discrete))]
    out: list[np.ndarray[Any, Any]] = []
    for e in range(listed.order):
        g = np.eye(rep.dim)
        for i in listed.word(e):
            g = g @ steps[i]
        out.append(g)
    return out


def defects(space: Any, W: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    for gx, gy in zip(images(space.domain), images(space.codomain), strict=True):
        yield gy @ W - W @ gx


def slack(space: Any, W: np.ndarray[Any, Any], letters: int = 16) -> float:
    """Words of so many letters, one projection and one norm, each of relative error dim eps or so a step."""
    return (letters + 8) * sum(space.shape) ** 1.5 * EPS * float(np.linalg.norm(W))


@pytest.mark.parametrize("name", FINITE)
def test_the_mean_and_the_bracket_hold_over_all_elements(name: str) -> None:
    space = FINITE[name]()
    W = drawn(space)
    found = rc.defect(W, space)
    all_of_them = list(defects(space, W))
    fro = [float(np.linalg.norm(D)) for D in all_of_them]
    spectral = [float(np.linalg.norm(D, 2)) for D in all_of_them]
    allowed = slack(space, W)
    assert abs(found.mean - np.sqrt(np.mean(np.square(fro)))) <= allowed
    for worst, bracket in ((max(fro), found.worst), (max(spectral), found.worst_spectral)):
        assert bracket.lower - allowed <= worst <= bracket.upper + allowed
        assert bracket.lower > allowed  # a bracket that says something
    assert found.worst.upper / found.worst.lower <= np.sqrt(2) + 8 * EPS


@pytest.mark.parametrize("name", LIE)
def test_no_element_of_a_lie_group_exceeds_the_bounds_and_samples_approach_the_mean(name: str) -> None:
    from scipy.linalg import expm

    space = LIE[name]()
    W = drawn(space)
    found = rc.defect(W, space)
    rng = np.random.default_rng(1)
    count, finite = len(space.group.generators), len(space.group.discrete)
    squares: list[float] = []
    for _ in range(400):
        gx, gy = np.eye(space.shape[1]), np.eye(space.shape[0])
        for i in [*range(count), *range(count)]:
            if i < finite:
                if rng.integers(2):
                    gx, gy = gx @ floats(space.domain, i), gy @ floats(space.codomain, i)
            else:
                t = rng.uniform(-np.pi, np.pi)
                gx, gy = gx @ expm(t * floats(space.domain, i)), gy @ expm(t * floats(space.codomain, i))
        D = gy @ W - W @ gx
        squares.append(float(np.linalg.norm(D)) ** 2)
        assert np.linalg.norm(D) <= found.worst.upper + slack(space, W, 64)
        assert np.linalg.norm(D, 2) <= found.worst_spectral.upper + slack(space, W, 64)
    # Three standard errors of a mean that is wanted within some percent; angles are uniform, rotations in space nearly so.
    error = 3 * np.std(squares) / np.sqrt(len(squares))
    if name == "SO(2)":
        assert abs(np.mean(squares) - found.mean**2) <= error
    assert max(squares) ** 0.5 >= found.mean - slack(space, W, 64)


def test_the_mean_over_a_circle_is_an_integral() -> None:
    # Trigonometric polynomials of degree at most 6 in the square: 16 equal angles integrate them exactly.
    V = rc.SO(2).rep
    space = V * V + V >> V * V * V
    W = drawn(space)
    found, squares = rc.defect(W, space), []
    for k in range(16):
        c, s = np.cos(2 * np.pi * k / 16), np.sin(2 * np.pi * k / 16)
        r = np.array([[c, -s], [s, c]])
        gx = np.zeros((6, 6))
        gx[:4, :4], gx[4:, 4:] = np.kron(r, r), r
        squares.append(np.linalg.norm(np.kron(np.kron(r, r), r) @ W - W @ gx) ** 2)
    assert abs(np.sqrt(np.mean(squares)) - found.mean) <= slack(space, W)


@pytest.mark.parametrize("name", [*FINITE, *LIE])
def test_parts_add_up(name: str) -> None:
    space = (FINITE | LIE)[name]()
    W = drawn(space)
    found = rc.defect(W, space.domain, space.codomain, components=True)
    allowed = 64 * sum(space.shape) ** 1.5 * EPS * float(np.linalg.norm(W)) ** 2
    assert abs(found.equivariant**2 + found.distance**2 - found.norm**2) <= allowed
    assert abs(sum(e.total for e in found.components) - found.norm**2) <= allowed
    assert abs(sum(e.complement for e in found.components) - found.distance**2) <= allowed
    for e in found.components:
        assert e.row is e.col or e.complement == e.total
        assert -allowed <= e.complement <= e.total + allowed
    assert any(e.row is e.col for e in found.components)
    assert 0 < found.relative <= 1
    assert found.relative_mean == found.mean / found.norm
    assert found.relative_worst.upper == found.worst.upper / found.norm
    assert found.relative_worst_spectral.upper <= 2 + 8 * EPS


@pytest.mark.parametrize("name", [*FINITE, *LIE])
def test_an_equivariant_map_has_no_defect(name: str) -> None:
    space = (FINITE | LIE)[name]()
    W = rc.plan(space).project(drawn(space))
    found = rc.defect(W, rc.solve(space))
    assert found.norm > 0
    assert found.worst.upper <= slack(space, W)
    assert found.worst_spectral.upper <= slack(space, W)


def test_the_zero_map_has_no_relative_defect() -> None:
    V = rc.dihedral(4).rep
    found = rc.defect(np.zeros((2, 2)), V, V)
    assert (found.mean, found.relative, found.relative_mean, found.relative_worst) == (0, 0, 0, rc.Bracket(0, 0))
    assert 0 in found.relative_worst_spectral


def test_a_bias_is_a_vector() -> None:
    V, one = rc.symmetric(4).rep, rc.trivial(rc.symmetric(4))
    b = np.array([1.0, 2.0, 3.0, 6.0])
    assert rc.defect(b, one >> V) == rc.defect(b[:, None], one >> V)
    assert rc.defect(b, one, V).distance == pytest.approx(np.linalg.norm(b - 3), rel=16 * EPS)


def test_a_lattice_basis_is_measured_in_its_invariant_norm() -> None:
    # The turn by 60 degrees in a basis of the lattice: all six elements, in the coordinates that rc.orthogonalised gives.
    V = rc.Group(discrete=[[[1, -1], [1, 0]]]).rep
    W = np.array([[1.0, 2.0], [-0.5, 3.0]])
    found = rc.defect(W, V, V)
    made = rc.orthogonalised(V)
    turned, g = made.change @ W @ made.back, made.matrix(0)
    all_of_them = [np.linalg.matrix_power(g, k) @ turned - turned @ np.linalg.matrix_power(g, k) for k in range(6)]
    assert found.inner_product == "invariant"
    assert found.mean == pytest.approx(np.sqrt(np.mean([np.linalg.norm(D) ** 2 for D in all_of_them])), rel=64 * EPS)
    worst = max(np.linalg.norm(D) for D in all_of_them)
    assert found.worst.lower * (1 - 64 * EPS) <= worst <= found.worst.upper * (1 + 64 * EPS)
    # The given coordinates would have told another mean: the identity is one of orthogonal representations.
    raw = [np.linalg.matrix_power(V.matrix(0).to_numpy(), k) for k in range(6)]
    other = np.sqrt(np.mean([np.linalg.norm(h @ W - W @ h) ** 2 for h in raw]))
    assert abs(other - np.sqrt(2) * np.linalg.norm(W - rc.plan(V >> V).project(W))) > 0.01
    with pytest.raises(rc.IncompatibleError, match=r"components.*not orthogonal"):
        rc.defect(W, V, V, components=True)


@pytest.mark.parametrize("group", [rc.lorentz(), rc.affine(2), rc.scaling(2)], ids=str)
def test_a_group_that_is_not_compact_is_refused_and_told_what_holds(group: Any) -> None:
    V = group.rep
    with pytest.raises(rc.IncompatibleError, match=r"(?s)invariant inner product.*is zero exactly where W is equivariant"):
        rc.defect(np.ones((V.dim, V.dim)), V, V)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda V: rc.defect(np.ones((3, 2)), V, V), r"W: has shape \(3, 2\), expected \(dim Y, dim X\) = \(2, 2\)"),
        (lambda V: rc.defect(np.ones((5, 2, 2)), V, V), "one map at a time"),
        (lambda V: rc.defect(np.full((2, 2), np.nan), V, V), "not finite"),
        (lambda V: rc.defect(np.array([["a", "b"], ["c", "d"]]), V, V), "dtype"),
        (lambda V: rc.defect(np.ones((2, 2)), V), r"defect\(W, X, Y\)"),
        (lambda V: rc.defect(np.ones((2, 2)), V >> V, V), r"defect\(W, X, Y\)"),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(rc.IncompatibleError, match=message):
        call(rc.dihedral(4).rep)


def test_it_prints() -> None:
    V = rc.dihedral(4).rep
    found = rc.defect(np.array([[1.0, 2.0], [2.0, 1.0]]), V, V, components=True)
    lines = str(found).splitlines()
    assert lines[0].split()[-6:] == ["0.8944", "(2.828", "of", "3.162,", "standard", "norms)"]
    assert len(lines) == 5
