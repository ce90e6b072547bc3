"""A basis in every notation: exact, sparse, dense, orthonormal."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

import repcore as rc

EPS = np.finfo(np.float64).eps

SPACES: dict[str, Any] = {
    "S4": lambda: (lambda v: v**2 >> v)(rc.symmetric(4).rep),
    "D4": lambda: (lambda v: v**2 >> v**2)(rc.dihedral(4).rep),
    "D5": lambda: (lambda v: v**2 >> v**2)(rc.dihedral(5).rep),
    "B2 signed": lambda: (lambda v: v**2 + v >> v**2 + 2 * v)(rc.hyperoctahedral(2).rep),
    "icosahedral": lambda: (lambda v: v**2 >> v**3)(rc.icosahedral().rep),
    "SO(3)": lambda: (lambda v: v**3 >> v**2)(rc.SO(3).rep),
    "O(2) copies": lambda: (lambda v, one: 2 * one + 3 * v >> 2 * v + one + v)(rc.O(2).rep, rc.trivial(rc.O(2))),
    "SU(2)": lambda: (lambda v: v**2 >> v * v.conj)(rc.SU(2).rep),
    "Q8 over Q(i)": lambda: (lambda v: 2 * v >> v + v.conj)(rc.Group([[["I", 0], [0, "-I"]], [[0, 1], [-1, 0]]]).rep),
    "mu5": lambda: (lambda v: v >> v**6 + v)(rc.Group([[["zeta(5)"]]]).rep),
    "affine": lambda: (lambda v: v**2 >> v)(rc.affine(2).rep),
    "hexagonal": lambda: (lambda v: v * v.dual >> v**2)(rc.Group([[[0, -1], [1, -1]]]).rep),
    "halves": lambda: (lambda v: v >> v)(rc.Group(lie=[[[0, 3], [2, 1]]]).rep),
    "nothing": lambda: rc.SO(3).rep >> rc.trivial(rc.SO(3)),
    "everything": lambda: 2 * rc.trivial(rc.SO(3)) >> 3 * rc.trivial(rc.SO(3)),
}


@pytest.fixture(params=SPACES)
def basis(request: pytest.FixtureRequest) -> Any:
    return rc.solve(SPACES[request.param](), store=None)


def test_all_notations_agree_exactly(basis: Any) -> None:
    kind = np.float64 if basis.field.is_real else np.complex128
    dense = basis.to_numpy()
    assert dense.shape == (basis.dim, *basis.shape) == (len(basis), *basis.shape)
    assert dense.dtype == kind
    exact = list(basis)
    assert len(exact) == basis.dim
    for i, element in enumerate(exact):
        assert element == basis[i]
        assert element.shape == basis.shape
        # Each entry is rounded once, whichever way it is read.
        assert np.array_equal(dense[i], element.to_numpy(kind))
        as_sympy = basis.to_sympy()[i]
        assert isinstance(as_sympy, sympy.MatrixBase)
        assert rc.matrix(as_sympy) == element
    columns = basis.to_scipy()
    assert columns.shape == (basis.shape[0] * basis.shape[1], basis.dim)
    assert np.array_equal(columns.toarray().T.reshape(dense.shape), dense)
    assert columns.nnz == sum(e.nnz for e in exact)


def test_elements_solve_the_definition(basis: Any) -> None:
    x, y = basis.space.domain, basis.space.codomain
    for b in basis:
        assert all(on_y @ b == b @ on_x for on_y, on_x in zip(y.matrices, x.matrices, strict=True))


def test_elements_start_with_a_one_where_the_others_vanish(basis: Any) -> None:
    exact = list(basis)
    pivots = [next(iter(b.entries())) for b in exact]
    assert all(value == 1 for _, _, value in pivots)
    flat = [r * basis.shape[1] + c for r, c, _ in pivots]
    assert flat == sorted(set(flat))
    for i, (r, c, _) in enumerate(pivots):
        assert all(b[r, c] == int(i == j) for j, b in enumerate(exact))


def test_indexing(basis: Any) -> None:
    for i in range(basis.dim):
        assert basis[i] == basis[np.int64(i)] == basis[i - basis.dim]
    for i in (basis.dim, -basis.dim - 1, basis.dim + 100):
        with pytest.raises(IndexError, match=f"dimension {basis.dim}"):
            basis[i]


def test_orthonormal_form(basis: Any) -> None:
    """Q^H Q = 1, and Q^H B is upper triangular with a positive diagonal: Gram-Schmidt in the order of the elements."""
    n, k = basis.shape[0] * basis.shape[1], basis.dim
    q = basis.to_numpy(orthonormal=True).reshape(k, n)
    b = basis.to_numpy().reshape(k, n)
    # Householder QR: |Q^H Q - 1| <= k gamma(c n k) with a small c (Higham 2002, theorem 19.4), gamma(m) about m eps.
    bound = 8 * max(n, 1) * max(k, 1) * EPS
    assert np.abs(q.conj() @ q.T - np.eye(k)).max(initial=0) <= bound
    r = q.conj() @ b.T
    scale = np.linalg.norm(b, axis=1)[None, :] if k else 1
    assert np.abs(np.tril(r, -1) / scale).max(initial=0) <= bound
    assert np.all(np.diag(r).real > 0)
    assert np.abs(np.diag(r).imag).max(initial=0) <= bound * np.abs(np.diag(r)).max(initial=0)
    # The two forms span the same space.
    assert np.abs(q.T @ r - b.T).max(initial=0) <= bound * np.abs(b).max(initial=0) * max(k, 1)


def test_orthonormal_form_against_exact_gram_schmidt() -> None:
    basis = rc.solve(rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2, store=None)
    found: list[Any] = []
    for b in basis.to_sympy():
        v = sympy.Matrix(b).reshape(81, 1)
        for u in found:
            v = v - u * (u.T @ v)[0]
        found.append(v / sympy.sqrt((v.T @ v)[0]))
    exact = np.array([np.array(v.evalf(30).tolist(), float).reshape(9, 9) for v in found])
    got = basis.to_numpy(orthonormal=True)
    # Backward error of QR times the condition number of the echelon rows.
    bound = 8 * 81 * 3 * EPS * np.linalg.cond(basis.to_numpy().reshape(3, 81))
    assert np.abs(got - exact).max() <= bound


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_types(basis: Any, dtype: Any) -> None:
    wanted = np.dtype(dtype)
    if not basis.field.is_real and wanted.kind == "f":
        wanted = np.dtype({4: np.complex64, 8: np.complex128}[wanted.itemsize])
    assert basis.to_numpy(dtype).dtype == wanted
    assert np.array_equal(basis.to_numpy(dtype), basis.to_numpy().astype(wanted))
    assert basis.to_numpy(dtype, orthonormal=True).dtype == wanted
    sparse = basis.to_scipy(wanted)
    assert sparse.dtype == wanted
    assert np.array_equal(sparse.toarray(), basis.to_scipy().toarray().astype(wanted))


def test_types_that_would_lose_the_entries_are_refused() -> None:
    halves = rc.solve((lambda v: v >> v)(rc.Group(lie=[[[0, 3], [2, 1]]]).rep), store=None)
    assert halves[1].tolist() == [[0, 1], [Fraction(2, 3), Fraction(1, 3)]]
    with pytest.raises((TypeError, ValueError)):
        halves.to_numpy(np.int64)
    with pytest.raises((TypeError, ValueError)):
        halves.to_scipy(np.int64)
    with pytest.raises((TypeError, ValueError)):
        rc.solve(SPACES["Q8 over Q(i)"](), store=None).to_scipy(np.float64)


def test_copies_are_not_solved_twice_and_not_expanded() -> None:
    V = rc.SO(3).rep
    one = rc.trivial(V.group)
    basis = rc.solve(40 * V + 10 * one >> 30 * V + 20 * one, store=None)
    assert basis.dim == 40 * 30 + 10 * 20
    assert basis.shape == (110, 130)
    stored = sum(b.rows.size + b.cols.size + b.basis.nnz for b in basis.blocks)
    assert stored < 300
    dense = basis.to_numpy(np.float32)
    assert dense.shape == (1400, 110, 130)
    # Each copy of V to each copy of V is the identity matrix in its place.
    first = dense[0]
    assert np.array_equal(np.argwhere(first), [[0, 0], [1, 1], [2, 2]])
    assert np.array_equal(np.argwhere(dense.sum(axis=0)), np.argwhere(dense.any(axis=0)))


def test_order_within_copies() -> None:
    """theta runs by the first entry of each element in the whole map, row by row."""
    V = rc.O(2).rep
    one = rc.trivial(V.group)
    basis = rc.solve(one + 2 * V >> V + one + V, store=None)
    assert [[int(x) for x in next(iter(b.entries()))[:2]] for b in basis] == [[0, 1], [0, 3], [2, 0], [3, 1], [3, 3]]


def test_memory_is_refused_before_it_is_taken() -> None:
    V = rc.SO(3).rep
    basis = rc.solve(300 * V >> 400 * V, store=None)
    assert basis.dim == 120_000
    # 120,000 x 1,200 x 900 numbers of 8 bytes: 1 TB.
    with pytest.raises(rc.MemoryLimitError, match=r"to_numpy.*120000 x 1200 x 900.*GiB.*to_scipy") as caught:
        basis.to_numpy()
    assert isinstance(caught.value, MemoryError)
    assert basis.to_scipy().shape == (1200 * 900, 120_000)
    small = rc.solve(V >> V, store=None)
    with pytest.raises(rc.MemoryLimitError):
        small.to_numpy(memory_limit=71)
    assert small.to_numpy(memory_limit=72).nbytes == 72
    with pytest.raises(rc.MemoryLimitError):
        small.to_numpy(np.float32, memory_limit=35)


def test_reading() -> None:
    V = rc.SO(3).rep
    space = V**2 >> V
    basis = rc.solve(space, store=None)
    assert basis.space == space
    assert basis.shape == (3, 9)
    assert str(basis.field) == "QQ"
    assert repr(basis) == "<EquivariantBasis V**2 >> V: dim 1, shape (3, 9), over QQ, proved>"
    assert str(rc.solve(SPACES["icosahedral"](), store=None).field) == "QQ<sqrt(5)>"


def test_equality_is_by_content() -> None:
    V, W = rc.SO(3).rep, rc.O(3).rep
    one, two = rc.solve(V >> V, store=None), rc.solve(W >> W, store=None)
    assert one == two
    assert hash(one) == hash(two)
    assert one.digest == two.digest
    assert one != rc.solve(V**2 >> V**2, store=None)
    assert one != rc.solve(2 * V >> V, store=None)
    assert one != "basis"
    assert rc.solve(V >> rc.trivial(V.group), store=None) != rc.solve(rc.trivial(V.group) >> V, store=None)


def test_bases_are_frozen() -> None:
    basis = rc.solve(rc.SO(3).rep >> rc.SO(3).rep, store=None)
    with pytest.raises(AttributeError):
        basis.field = None
    with pytest.raises(ValueError, match="read-only"):
        basis.blocks[0].order[0] = 5
    with pytest.raises(ValueError, match="read-only"):
        basis.blocks[0].basis.nums[0] = 5


def test_invariants() -> None:
    V = rc.SO(3).rep
    (delta,) = rc.invariants(V**2, store=None)
    assert delta.tolist() == [[int(i % 4 == 0)] for i in range(9)]
    (epsilon,) = rc.invariants(V**3, store=None)
    cube = np.array(epsilon.tolist(), float).reshape(3, 3, 3)
    assert cube[0, 1, 2] == 1
    for axes in ((1, 0, 2), (0, 2, 1)):
        assert np.array_equal(cube.transpose(axes), -cube)
    with pytest.raises(rc.IncompatibleError):
        rc.invariants(V >> V, store=None)
    with pytest.raises(rc.IncompatibleError):
        rc.solve(V, store=None)
