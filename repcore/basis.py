"""A basis of Hom(X, Y): exact, canonical, never expanded over multiplicities."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError, MemoryLimitError
from repcore.exact.field import QQ, Field, compositum
from repcore.exact.matrix import Matrix, from_coo
from repcore.reps.atoms import atoms, is_one_summand
from repcore.reps.hom import FORMAT, Hom
from repcore.reps.scales import scale_squares, scales
from repcore.reps.tree import Rep
from repcore.solve.budget import Budget
from repcore.solve.certificate import Certificate, Step
from repcore.solve.chain import Solution, solve_block
from repcore.solve.memory import orbit_bytes, order_bytes

__all__ = ["BasisBlock", "EquivariantBasis", "compute", "orthonormal_columns"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class BasisBlock:
    """All maps between the copies of one summand of X and the copies of one summand of Y.

    Attributes:
        rows: (n, dim W) positions in Y of the n copies of the summand W.
        cols: (m, dim V) positions in X of the m copies of the summand V.
        basis: (k, dim W * dim V), the reduced row echelon form of Hom(V, W), exact.
        order: (n, m, k) place of each element in the basis of the whole.
    """

    rows: Ints
    cols: Ints
    basis: Matrix
    order: Ints


@dataclass(frozen=True, eq=False)
class EquivariantBasis:
    """The canonical basis of a space of equivariant maps: its reduced row echelon form.

    The elements B_1, ..., B_dim are the rows of the reduced row echelon form of the solution space, unknowns in row-major order
    of the (dim Y, dim X) array: each starts with a 1 where all others have a 0. No other basis has this form, so no solver,
    seed, order of generators, machine or release can change it.

    Attributes:
        space: the space ``X >> Y``.
        dim: number of elements.
        shape: ``(dim Y, dim X)``.
        field: the smallest field that holds the images of the generators, e.g. ``QQ`` or ``QQ<sqrt(2)>``.
        certificate: how it is known to be complete.
        digest: SHA-256 of the exact content.

    >>> import repcore as rc
    >>> basis = rc.solve(rc.dihedral(4).rep ** 2 >> rc.dihedral(4).rep ** 2, store=None)
    >>> basis.dim, basis.shape, str(basis.field), basis.certificate.status
    (4, (4, 4), 'QQ', 'proved')
    >>> basis[0]
    matrix([[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    """

    space: Hom
    field: Field
    blocks: tuple[BasisBlock, ...]
    certificate: Certificate
    steps: tuple[Step, ...] = ()

    @property
    def dim(self) -> int:
        """The number of elements."""
        return sum(b.order.size for b in self.blocks)

    @property
    def shape(self) -> tuple[int, int]:
        """``(dim Y, dim X)``."""
        return self.space.shape

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the exact content, of the version of the canonical form, and of the scales if there are any."""
        h = hashlib.sha256(repr((FORMAT, self.shape, str(self.field))).encode())
        for b in self.blocks:
            h.update(repr((b.rows.shape, b.cols.shape, b.basis.shape, b.basis.nnz, b.basis.den)).encode())
            for array in (b.rows, b.cols, b.basis.rows, b.basis.cols, b.basis.nums):
                h.update(_bytes(array))
        for rep in (self.space.codomain, self.space.domain):
            squares = scale_squares(rep)
            if squares is not None:
                h.update(repr(list(map(str, squares))).encode())
        return h.hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EquivariantBasis):
            return NotImplemented
        return self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __len__(self) -> int:
        return self.dim

    def __getitem__(self, i: int) -> Matrix:
        """Element i as an exact (dim Y, dim X) matrix."""
        if not -self.dim <= i < self.dim:
            raise IndexError(f"element {i} of a basis of dimension {self.dim}")
        for b in self.blocks:
            hit = np.argwhere(b.order == i % self.dim)
            if len(hit):
                n, m, k = hit[0]
                inside = b.basis.rows == k
                y, x = np.divmod(b.basis.cols[inside], b.cols.shape[1])
                return from_coo(self.shape, self.field, b.rows[n, y], b.cols[m, x], b.basis.nums[inside], b.basis.den)
        raise IndexError(i)

    def __iter__(self) -> Iterator[Matrix]:
        return (self[i] for i in range(self.dim))

    def to_sympy(self) -> list[Any]:
        """The elements as exact sympy matrices of shape (dim Y, dim X), in canonical order."""
        return [b.to_sympy() for b in self]

    def scaling_of(self, block: BasisBlock) -> npt.NDArray[np.float64] | None:
        """What turns the exact entries of a block into floats in the orthonormal convention, (dim W * dim V,); None for 1.

        S_Y[y] / S_X[x] at entry (y, x), see ``repcore.reps.scales``; only labelled irreps (``rc.irrep``) have S other than 1.
        """
        x, y = self.space.domain, self.space.codomain
        if scale_squares(x) is None and scale_squares(y) is None:
            return None
        return (scales(y)[block.rows[0]][:, None] / scales(x)[block.cols[0]]).ravel()

    def to_scipy(self, dtype: npt.DTypeLike | None = None) -> Any:
        """The elements as columns of a sparse array of shape (dim Y * dim X, dim), each entry rounded once.

        Labelled irreps are in their orthonormal convention, as in :meth:`to_numpy`. By default float64, or complex128 over a
        field that is not real.

        Raises:
            IncompatibleError: a ``dtype`` that cannot hold the entries.
        """
        from scipy.sparse import coo_array

        if dtype is not None:
            self._check_dtype(np.dtype(dtype))
            if np.dtype(dtype).kind == "f" and not self.field.is_real:
                raise IncompatibleError(f"dtype: {np.dtype(dtype)} would lose the imaginary parts of entries over {self.field}")
        parts = [_spread(b, self.shape[1], self.scaling_of(b)) for b in self.blocks]
        at, element = (np.concatenate([p[i] for p in parts] or [np.zeros(0, np.int64)]) for i in (0, 1))
        values = np.concatenate([p[2] for p in parts] or [np.zeros(0)])
        shape = (self.shape[0] * self.shape[1], self.dim)
        return coo_array((values.astype(dtype or values.dtype), (at, element)), shape=shape).tocsc()

    def to_numpy(self, dtype: npt.DTypeLike = np.float64, *, orthonormal: bool = False, memory_limit: int = 8 * 2**30) -> Array:
        """The elements as a dense array of shape (dim, dim Y, dim X).

        Where X or Y has labelled irreps (``rc.irrep``), exact matrices are in their rational model and this array is in their
        orthonormal convention, which for SO(3) and O(3) is e3nn's: S_Y B S_X^-1 in place of B, with the S of
        ``repcore.reps.scales``. In all other spaces S is 1.

        Args:
            dtype: float or complex type; a basis over a field that is not real needs a complex one.
            orthonormal: the orthonormal form of :func:`orthonormal_columns` instead of the echelon form.
            memory_limit: bytes; a larger array is refused before it is allocated.

        Raises:
            IncompatibleError: an integer ``dtype`` for entries that are not integers.
            MemoryLimitError: the array would be larger than ``memory_limit``; use :meth:`to_scipy` or a plan.
        """
        dtype = np.dtype(dtype)
        self._check_dtype(dtype)
        if not self.field.is_real and dtype.kind != "c":
            dtype = np.result_type(dtype, np.complex64 if dtype.itemsize <= 4 else np.complex128)
        size = self.dim * self.shape[0] * self.shape[1] * dtype.itemsize
        if size > memory_limit:
            raise MemoryLimitError(
                f"to_numpy: {self.dim} x {self.shape[0]} x {self.shape[1]} of {dtype} is {size / 2**30:.1f} GiB, more than "
                f"memory_limit = {memory_limit / 2**30:.1f} GiB; use to_scipy(), or rc.plan(basis), which never expands"
            )
        out = np.zeros((self.dim, *self.shape), dtype)
        for b in self.blocks:
            dense = self._dense(b, orthonormal)
            tiles = dense.reshape(-1, b.rows.shape[1], b.cols.shape[1])
            element = b.order[:, :, :, None, None]
            out[element, b.rows[:, None, None, :, None], b.cols[None, :, None, None, :]] = tiles[None, None]
        return out

    def _check_dtype(self, dtype: np.dtype[Any]) -> None:
        """Refuse a type of integers for entries that are none."""
        if dtype.kind in "fc":
            return
        whole = all(b.basis.is_integral and self.scaling_of(b) is None for b in self.blocks)
        if dtype.kind not in "iu" or not whole:
            raise IncompatibleError(
                f"dtype: {dtype} cannot hold the entries, which are not all integers; use a float or complex type, or basis[i] "
                "for exact entries"
            )

    def _dense(self, b: BasisBlock, orthonormal: bool) -> Array:
        scaling = self.scaling_of(b)
        if orthonormal:
            return orthonormal_columns(b.basis, scaling).T
        return b.basis.to_numpy() if scaling is None else b.basis.to_numpy() * scaling

    def __repr__(self) -> str:
        known = self.certificate.status
        return f"<EquivariantBasis {self.space}: dim {self.dim}, shape {self.shape}, over {self.field}, {known}>"


def compute(space: Hom, budget: Budget | None = None) -> EquivariantBasis:
    """Solve a space from scratch, block by block; each distinct pair of summands once.

    Raises:
        MemoryLimitError: a step would need more memory than the budget allows.
        SolveError: a block could not be certified.
    """
    budget = budget or Budget()
    if is_one_summand(space.domain) and is_one_summand(space.codomain):
        # Refused before even the positions of the copies are listed.
        unknowns = space.shape[0] * space.shape[1]
        budget.admit(orbit_bytes(unknowns, unknowns), f"{space}", "split the representations into smaller summands first")
    rows, cols = atoms(space.codomain), atoms(space.domain)
    steps = [Step("split", space.shape[0] * space.shape[1], sum(w.rep.dim * v.rep.dim for w in rows for v in cols), "")]
    pairs = [(w, v) for w in rows for v in cols]
    if len(pairs) > 1:
        # Summands with the same matrices (V and V* of an orthogonal V, say) make the same block: each is solved once. Workers
        # take whole blocks; inside a block there is then nobody left to share with.
        keys = [(w.rep.dim, v.rep.dim, *(m.digest for x in (w.rep, v.rep) for m in x.matrices)) for w, v in pairs]
        first = {key: i for i, key in reversed(list(enumerate(keys)))}
        distinct = sorted(set(first.values()))
        numbered = [(k, pairs[i][1].rep, pairs[i][0].rep) for k, i in enumerate(distinct, 1)]
        told = budget.at_block(len(distinct), len(distinct))
        solved = budget.map(
            partial(_solved, budget.own, len(distinct)), numbered, lambda done: told.tell("check", done, len(distinct))
        )
        solutions = [solved[distinct.index(first[key])] for key in keys]
    else:
        solutions = [solve_block(v.rep, w.rep, budget) for w, v in pairs]
    for solution in solutions:
        steps += solution.steps
    blocks = [(w.positions, v.positions, s.basis) for (w, v), s in zip(pairs, solutions, strict=True) if s.basis.shape[0]]
    images = [m.field for w in (*rows, *cols) for m in w.rep.matrices]
    over = compositum(*set(images)) if images else QQ
    how = tuple(sorted({s.completeness for s in solutions}))
    primes = tuple(sorted({p for s in solutions for p in s.primes}))
    count = sum(rows.shape[0] * cols.shape[0] * basis.shape[0] for rows, cols, basis in blocks)
    budget.admit(order_bytes(count), f"{space}: the order of {count:,} elements", "give each summand fewer copies")
    return assemble(space, over, blocks, Certificate("proved", how, primes), tuple(steps))


def _solved(budget: Budget, blocks: int, numbered: tuple[int, Rep, Rep]) -> Solution:
    block, v, w = numbered
    return solve_block(v, w, budget.at_block(block, blocks))


def assemble(
    space: Hom,
    over: Field,
    blocks: list[tuple[Ints, Ints, Matrix]],
    certificate: Certificate,
    steps: tuple[Step, ...] = (),
) -> EquivariantBasis:
    """Blocks (rows, cols, echelon form) put in canonical order: by the first entry of each element in the whole map."""
    pivots: list[Ints] = []
    for rows, cols, basis in blocks:
        first = basis.cols[np.searchsorted(basis.rows, np.arange(basis.shape[0]))]
        y, x = np.divmod(first, cols.shape[1])
        pivots.append((rows[:, y][:, None, :] * space.shape[1] + cols[:, x][None, :, :]).astype(np.int64))
    flat = np.concatenate([p.ravel() for p in pivots]) if pivots else np.zeros(0, np.int64)
    rank = np.empty(len(flat), np.int64)
    rank[np.argsort(flat, kind="stable")] = np.arange(len(flat))
    out: list[BasisBlock] = []
    start = 0
    for (rows, cols, basis), p in zip(blocks, pivots, strict=True):
        order = rank[start : start + p.size].reshape(p.shape)
        order.flags.writeable = False
        out.append(BasisBlock(rows, cols, basis.over(over), order))
        start += p.size
    return EquivariantBasis(space, over, tuple(out), certificate, steps)


def orthonormal_columns(basis: Matrix, scaling: npt.NDArray[np.float64] | None = None) -> Array:
    """The orthonormal form, version 1: (N, k), Gram-Schmidt of the echelon rows in their order, positive on the diagonal.

    Column j lies in the span of echelon elements 0 to j and has a positive inner product with element j. Echelon elements of
    disjoint support are only scaled. With ``scaling`` (N,) every echelon row is multiplied by them first, see
    :meth:`EquivariantBasis.scaling_of`. Cost: N k^2 floating point operations.
    """
    k, size = basis.shape
    lengths = np.bincount(basis.cols, minlength=size) if basis.nnz else np.zeros(size, np.int64)
    dense = basis.to_numpy().T
    if scaling is not None:
        dense = dense * scaling[:, None]
    if lengths.max(initial=0) <= 1:
        norms = np.sqrt(np.sum(np.abs(dense) ** 2, axis=0))
        return dense / norms
    q, r = np.linalg.qr(dense)
    diagonal = np.diagonal(r)
    return q * (diagonal / np.abs(diagonal)).reshape(1, k)


def _spread(b: BasisBlock, width: int, scaling: npt.NDArray[np.float64] | None) -> tuple[Ints, Ints, Array]:
    """Coordinates (entry, element, value) of a block in the whole map, copies expanded."""
    y, x = np.divmod(b.basis.cols, b.cols.shape[1])
    at = b.rows[:, y][:, None, :] * width + b.cols[:, x][None, :, :]
    element = b.order[:, :, b.basis.rows]
    values = b.basis.values() if scaling is None else b.basis.values() * scaling[b.basis.cols]
    return at.ravel(), element.ravel(), np.broadcast_to(values, at.shape).ravel()


def _bytes(array: Array) -> bytes:
    if array.dtype == object:
        return "\n".join(map(str, array.ravel())).encode()
    return np.ascontiguousarray(array, "<i8").tobytes()
