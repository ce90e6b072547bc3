"""Spinning and sparse elimination compute the same echelon form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.basis import compute
from repcore.solve import chain
from repcore.solve.budget import Budget
from repcore.solve.modular import echelon, inverse_mod, prime_bound, times_mod
from repcore.solve.spin import _polynomial, spin_kernel

SPACES: dict[str, Any] = {
    "S4 on V + sym": lambda: (lambda v: v.sym(2) >> v + v.alt(2))(rc.symmetric(4).rep),
    "S5 standard": lambda: (lambda v: v**2 >> v**2)(standard(5)),
    "icosahedral": lambda: (lambda v: v**2 >> v**2)(rc.icosahedral().rep),
    "D5 regular": lambda: rc.regular(rc.dihedral(5)) >> rc.regular(rc.dihedral(5)),
    "Q8 over Q(i)": lambda: (lambda v: v * v.conj >> v**2)(rc.Group([[["I", 0], [0, "-I"]], [[0, 1], [-1, 0]]]).rep),
    "W(B3)": lambda: (lambda v: v**2 >> v.dual**2)(
        rc.Group([[[-1, 1, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [1, -1, 2], [0, 0, 1]], [[1, 0, 0], [0, 1, 0], [0, 1, -1]]]).rep
    ),
    "SO(3)": lambda: (lambda v: v**2 >> v**2)(rc.SO(3).rep),
    "SL(2)": lambda: (lambda v: v**3 >> v.sym(3) + v)(rc.SL(2).rep),
    "U(2)": lambda: (lambda v: v * v.dual >> v * v.conj)(rc.U(2).rep),
    "affine": lambda: (lambda v: v**2 >> v)(rc.affine(2).rep),
    "affine, the other way": lambda: (lambda v: v >> v**2)(rc.affine(2).rep),
    "translations": lambda: (lambda v: v**2 >> v**2)(rc.translations(1).rep),
    "nothing": lambda: rc.SO(3).rep >> rc.SO(3).rep.sym(3).alt(1) + rc.trivial(rc.SO(3)),
    "one matrix": lambda: (lambda v: v**2 >> v)(rc.Group([[[2, 1], [1, 1]]]).rep),
    "Jordan block": lambda: (lambda v: v**2 >> v**2)(rc.Group([[[1, 1, 0], [0, 1, 1], [0, 0, 1]]]).rep),
    "mixed": lambda: (lambda v: v**2 >> v**2)(rc.O(2).rep),
}


def standard(n: int) -> Any:
    """The standard representation of S_n in the basis e_i - e_n."""
    group = rc.symmetric(n)
    basis = rc.matrix([[int(r == c) - int(r == n - 1) for c in range(n - 1)] for r in range(n)])
    left = rc.matrix([[int(r == c) for c in range(n)] for r in range(n - 1)])
    return rc.Rep(group, [left @ g @ basis for g in group.discrete], name="standard")


@pytest.mark.parametrize("name", SPACES)
def test_spinning_changes_no_byte(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    space = SPACES[name]()
    monkeypatch.setattr(chain, "_spin_cost", lambda shape: 1.0)
    monkeypatch.setattr(chain, "dense_seconds", lambda left: 0.0)
    eliminated = compute(space)
    assert "spin" not in [s.name for s in eliminated.steps]
    monkeypatch.setattr(chain, "dense_seconds", lambda left: 2.0)
    spun = compute(space)
    assert spun.certificate.status == "proved"
    assert spun.digest == eliminated.digest
    assert list(spun) == list(eliminated)
    if spun.dim and "orbits" not in spun.certificate.completeness:
        assert "spin" in [s.name for s in spun.steps]


@pytest.mark.parametrize("name", ["S5 standard", "icosahedral", "SL(2)", "affine"])
def test_spinning_by_the_definition(name: str) -> None:
    """The kernel modulo p, multiplied out."""
    space = SPACES[name]()
    p = 2**20 - 3 if name != "icosahedral" else 1048391
    root = 1
    if name == "icosahedral":
        field = space.domain.matrix(1).field
        p = next(field.primes(below=2**20))
        root = field.roots(p)[0]
    on_v, on_w = ([dense(m, p, root) for m in rep.matrices] for rep in (space.domain, space.codomain))
    found = spin_kernel(on_v, on_w, p)
    assert found is not None
    maps = np.zeros((found.dim, found.width), np.int64)
    maps[found.rows, found.cols] = found.values
    assert np.array_equal(maps[:, found.pivots], np.eye(found.dim))
    assert found.dim == rc.solve(space, store=None).dim
    for b in maps.reshape(-1, *space.shape):
        assert all(np.array_equal(w @ b % p, b @ v % p) for v, w in zip(on_v, on_w, strict=True))


def test_a_budget_that_is_too_small_says_so() -> None:
    space = SPACES["S5 standard"]()
    p = 2**20 - 3
    on_v, on_w = ([dense(m, p, 1) for m in rep.matrices] for rep in (space.domain, space.codomain))
    assert spin_kernel(on_v, on_w, p, Budget(10)) is None


def dense(m: Any, p: int, root: int) -> Any:
    out = np.zeros(m.shape)
    out[m.rows, m.cols] = m.residues(p, root)
    return out


# ------------------------------------------------------------------------------------------- dense arithmetic modulo a prime


@pytest.mark.parametrize("length", [1, 3, 64, 500])
def test_products_modulo_a_prime_are_exact(length: int) -> None:
    import flint

    p = prime_bound(length) - 1
    while not flint.fmpz(p).is_prime():
        p -= 1
    rng = np.random.default_rng(length)
    a, b = rng.integers(0, p, (4, length)), rng.integers(0, p, (length, 5))
    a[0], b[:, 0] = p - 1, p - 1
    exact = a.astype(object) @ b.astype(object) % p
    assert times_mod(a.astype(float), b.astype(float), p).astype(np.int64).tolist() == exact.tolist()


def test_inverse_modulo_a_prime() -> None:
    p = 10007
    a = np.random.default_rng(0).integers(0, p, (6, 6)).astype(float)
    assert np.array_equal(times_mod(inverse_mod(a, p), a, p), np.eye(6))
    with pytest.raises(ZeroDivisionError):
        inverse_mod(np.ones((2, 2)), p)


@pytest.mark.parametrize(("r", "width", "chunk"), [(1, 1, 1), (3, 10, 4), (5, 9, 2), (8, 40, 1024), (4, 30, 7)])
def test_echelon_in_chunks(r: int, width: int, chunk: int) -> None:
    import flint

    p = 997
    rng = np.random.default_rng(r)
    a = rng.integers(0, p, (r, width)) * (rng.random((r, width)) < 0.4)
    a[:, -r:] = np.eye(r, dtype=int)  # full row rank, pivots late
    form, pivots = echelon(a.astype(float), p, chunk=chunk)
    expected, rank = flint.nmod_mat(r, width, a.ravel().tolist(), p).rref()
    assert rank == r
    assert form.astype(int).tolist() == [[int(x) for x in row] for row in expected.tolist()]
    assert pivots.tolist() == [int(np.flatnonzero(row)[0]) for row in form]


@pytest.mark.parametrize("coefficients", [[5], [3, 1], [1, 2, 4], [7, 0, 5, 1], [2, 6, 0, 3, 1]])
def test_polynomials_of_a_matrix(coefficients: list[int]) -> None:
    p = 997
    a = np.random.default_rng(1).integers(0, p, (3, 3)).astype(float)
    power, expected = np.eye(3), np.zeros((3, 3))
    for c in coefficients:
        expected = (expected + c * power) % p
        power = times_mod(power, a, p)
    assert np.array_equal(_polynomial(coefficients, a, p), expected)


def test_dependent_rows_have_no_echelon_form() -> None:
    with pytest.raises(ValueError, match="linearly dependent"):
        echelon(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]), 997)
