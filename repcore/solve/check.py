"""The exact check of a candidate basis against the constraints it should satisfy.

Everything is integers after clearing denominators. The defect of a basis element has coordinates below a bound computed from
the sizes of the entries; if it vanishes modulo primes whose product exceeds twice that bound, it is zero. So arithmetic modulo
primes proves an exact statement, for number fields too: theta is an algebraic integer and p does not divide the discriminant
of its minimal polynomial, hence a defect that vanishes under all embeddings modulo p has coordinates divisible by p.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.exact.coefficients import largest
from repcore.exact.field import Field
from repcore.exact.matrix import Matrix
from repcore.exact.residues import dense_residues
from repcore.solve.budget import Budget
from repcore.solve.memory import CHECKED, check_bytes
from repcore.solve.modular import prime_bound, times_mod
from repcore.solve.orbits import Monomial, Orbits

__all__ = ["is_echelon", "orbits_are_invariant", "solves_exactly"]

Ints = npt.NDArray[np.int64]

# Up to so many multiplications a check is done densely: in BLAS that takes less than a tenth of a second, which is what
# importing scipy.sparse would.
_SMALL = 2 * 10**8


def orbits_are_invariant(shape: tuple[int, int], found: Orbits, pairs: Sequence[tuple[Monomial, Monomial]]) -> bool:
    """Whether M[s(y), t(x)] v_x = w_y M[y, x] holds for every orbit element and every pair, in exponents modulo m."""
    of, log, m = found.of.reshape(shape), found.exponents.reshape(shape), found.m
    for on_w, on_v in pairs:
        at = np.ix_(on_w.images, on_v.images)
        shift = (on_w.exponents * (m // on_w.m))[:, None] - (on_v.exponents * (m // on_v.m))[None, :]
        if not np.array_equal(of[at], of):
            return False
        if np.any((log[at] - log - shift)[of >= 0] % m):
            return False
    return True


def is_echelon(basis: Matrix) -> bool:
    """Whether the rows are in reduced row echelon form: independent, and the one such form of their span."""
    starts = np.searchsorted(basis.rows, np.arange(basis.shape[0] + 1))
    if np.any(starts[1:] == starts[:-1]):
        return False
    pivots = basis.cols[starts[:-1]]
    one = np.zeros(basis.field.degree, basis.nums.dtype)
    one[0] = basis.den
    alone = np.bincount(basis.cols, minlength=basis.shape[1])[pivots] == 1
    return bool(np.all(alone) and np.all(pivots[1:] > pivots[:-1]) and np.all(basis.nums[starts[:-1]] == one))


def solves_exactly(basis: Matrix, images: Sequence[tuple[Matrix, Matrix]], field: Field, budget: Budget | None = None) -> bool:
    """Whether rho_W B = B rho_V exactly, for every row B of ``basis`` (as a dim W x dim V array) and every pair of images.

    Cost: a few sparse products modulo one or two primes for each embedding.

    Raises:
        MemoryLimitError: it does not fit into the budget.
    """
    budget = budget or Budget()
    need = max((_bytes(basis, *pair) for pair in images), default=0)
    budget.admit(need, f"the proof for {basis.shape[0]} elements", "use fewer tensor factors, or split the representations")
    for i, (on_w, on_v) in enumerate(images):
        budget.tell("check", i, len(images))
        if not _commutes(basis, on_w, on_v, field):
            return False
    return True


def _bytes(basis: Matrix, on_w: Matrix, on_v: Matrix) -> int:
    m, n = on_w.shape[0], on_v.shape[0]
    if _is_dense(basis, m, n):
        return check_bytes(basis.nnz, m, n, on_w.nnz + on_v.nnz)
    products = np.diff(_products(basis, on_w, on_v))
    return check_bytes(basis.nnz, 0, 0, on_w.nnz + on_v.nnz, min(int(products.sum()), CHECKED + int(products.max(initial=0))))


def _is_dense(basis: Matrix, m: int, n: int) -> bool:
    """Whether the check is cheaper with dense matrices."""
    filled = basis.nnz > basis.shape[0] * basis.shape[1] // 50
    return basis.shape[0] * m * n * (m + n) <= _SMALL or (filled and basis.nnz > 10**6 and max(m, n) <= 2000)


def _products(basis: Matrix, on_w: Matrix, on_v: Matrix) -> Ints:
    """(dim + 1,) what the elements before each one cost, in products of two numbers.

    An element has m rows one above the other even if they are empty; four of them take the memory of a product.
    """
    m, n = on_w.shape[0], on_v.shape[0]
    y, x = np.divmod(basis.cols, n)
    each = np.bincount(on_w.cols, minlength=m)[y] + np.bincount(on_v.rows, minlength=n)[x]
    total = np.concatenate([[0], np.cumsum(each)])
    elements = np.arange(basis.shape[0] + 1)
    return total[np.searchsorted(basis.rows, elements)] + (m + 3) // 4 * elements


def _commutes(basis: Matrix, on_w: Matrix, on_v: Matrix, field: Field) -> bool:
    m, n = on_w.shape[0], on_v.shape[0]
    basis, on_w, on_v = basis.over(field), on_w.over(field), on_v.over(field)
    terms = max(_widest(on_w), _widest(on_v.T), 1)
    size = (
        largest(basis.nums)
        * max(largest(on_w.nums) * on_v.den, largest(on_v.nums) * on_w.den)
        * terms
        * field.degree**2
        * largest(field.table)
    )
    # Residues are below the prime, and int64 must hold the sum of `terms` products.
    below = min(2**31, isqrt(2**62 // terms))
    defect = _defect_mod
    if _is_dense(basis, m, n):
        below, defect = prime_bound(max(m, n)), _dense_defect_mod
    product = 1
    for p in field.primes(below=below):
        if any(a.den % p == 0 for a in (basis, on_w, on_v)):
            continue
        if any(defect(basis, on_w, on_v, m, n, p, r) for r in field.roots(p)):
            return False
        product *= p
        if product > 4 * size:
            return True
    return False


def _dense_defect_mod(basis: Matrix, on_w: Matrix, on_v: Matrix, m: int, n: int, p: int, root: int) -> bool:
    """The same for a basis with many non-zero entries, in BLAS; p is below ``prime_bound(max(m, n))``."""
    w, v = (dense_residues(a, p, root, np.float64) for a in (on_w, on_v))
    value = basis.residues(p, root)
    starts = np.searchsorted(basis.rows, np.arange(basis.shape[0] + 1))
    for a, b in pairwise(starts.tolist()):
        element = np.zeros(m * n)
        element[basis.cols[a:b]] = value[a:b]
        element = element.reshape(m, n)
        if not np.array_equal(times_mod(w, element, p), times_mod(element, v, p)):
            return True
    return False


def _defect_mod(basis: Matrix, on_w: Matrix, on_v: Matrix, m: int, n: int, p: int, root: int) -> bool:
    """Whether some entry of rho_W B - B rho_V is not zero modulo p."""
    value = basis.residues(p, root)
    w, v = _csr(on_w, p, root), _csr(on_v, p, root)
    # So many elements at a time that memory is bounded, whatever the size of the basis.
    starts = np.searchsorted(basis.rows, np.arange(basis.shape[0] + 1))
    opens = np.flatnonzero(np.diff(_products(basis, on_w, on_v)[:-1] // CHECKED, prepend=-1))
    for first, last in pairwise([*opens.tolist(), basis.shape[0]]):
        a, b = starts[first], starts[last]
        y, x = np.divmod(basis.cols[a:b], n)
        if _part_defect(last - first, basis.rows[a:b] - first, y, x, value[a:b], w, v, p):
            return True
    return False


def _part_defect(k: int, rows: Ints, y: Ints, x: Ints, value: Ints, on_w: Any, on_v: Any, p: int) -> bool:
    """The same for k elements, the entries (y, x) of element ``rows``."""
    from scipy.sparse import csr_array

    m, n = on_w.shape[0], on_v.shape[0]
    # All basis elements side by side for rho_W, one above the other for rho_V.
    side = csr_array((value, (y, rows * n + x)), shape=(m, k * n))
    stack = csr_array((value, (rows * m + y, x)), shape=(k * m, n))
    left: Any = (on_w @ side).tocoo()
    right: Any = (stack @ on_v).tocoo()
    where_l = ((left.col.astype(np.int64) // n) * m + left.row) * n + left.col % n
    where_r = right.row.astype(np.int64) * n + right.col
    keys = np.concatenate([where_l, where_r])
    values = np.concatenate([left.data % p, -(right.data % p)])
    if not len(keys):
        return False
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return bool(np.any(np.add.reduceat(values, starts) % p))


def _csr(a: Matrix, p: int, root: int) -> Any:
    from scipy.sparse import csr_array

    return csr_array((a.residues(p, root), (a.rows, a.cols)), shape=a.shape)


def _widest(a: Matrix) -> int:
    return int(np.bincount(a.rows).max(initial=0)) if a.nnz else 0
