"""Sparse matrices over an abelian number field, exactly.

An entry is ``sum_i nums[e, i] * theta**i / den`` with integers ``nums`` (int64 where they fit, Python integers where they
do not), so that a rational matrix is an integer matrix with one common denominator and every operation is a few
vectorised passes over its non-zero entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm
from typing import Any, cast

import flint
import numpy as np
import numpy.typing as npt

from repcore.errors import DeclarationError
from repcore.exact.coefficients import coalesce, narrowed, products, times
from repcore.exact.field import QQ, Field, compositum, field_of
from repcore.exact.number import Number, number

__all__ = [
    "Matrix",
    "block_diag",
    "from_coo",
    "identity",
    "inverse",
    "kron",
    "matrix",
    "monomial",
    "permutation_matrix",
    "zeros",
]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Matrix:
    """A sparse matrix over a number field; immutable, compared exactly.

    ``M[rows[e], cols[e]] = sum_i nums[e, i] theta**i / den`` with entries in row-major order, none of them zero and
    ``gcd(nums, den) = 1``: the form is canonical. Build one with :func:`matrix`, :func:`identity`,
    :func:`permutation_matrix` or :func:`from_coo`.

    >>> m = matrix([[0, "-1/2"], [1, 0]])
    >>> m @ m
    matrix([['-1/2', 0], [0, '-1/2']])
    >>> m[0, 1]
    number('-1/2')
    """

    shape: tuple[int, int]
    field: Field
    rows: Ints
    cols: Ints
    nums: Array
    den: int

    # -- reading ---------------------------------------------------------------------------------------------------

    @property
    def nnz(self) -> int:
        """Number of non-zero entries."""
        return len(self.rows)

    @cached_property
    def _values(self) -> tuple[list[Number], Ints]:
        """The distinct entries, and which of them each entry is."""
        if self.nnz == 0:
            return [], np.zeros(0, np.int64)
        seen: dict[tuple[int, ...], int] = {}
        which = np.empty(self.nnz, np.int64)
        table: list[list[int]] = self.nums.tolist()
        for e, row in enumerate(table):
            which[e] = seen.setdefault(tuple(row), len(seen))
        return [self.field.number([Fraction(c, self.den) for c in key]) for key in seen], which

    def entries(self) -> Iterable[tuple[int, int, Number]]:
        """The non-zero entries as (row, column, value), row by row."""
        values, which = self._values
        places: Iterable[tuple[int, int, int]] = zip(self.rows.tolist(), self.cols.tolist(), which.tolist(), strict=True)
        return ((r, c, values[w]) for r, c, w in places)

    def __getitem__(self, at: tuple[int, int]) -> Number:
        row, col = (int(i) + (n if i < 0 else 0) for i, n in zip(at, self.shape, strict=True))
        if not (0 <= row < self.shape[0] and 0 <= col < self.shape[1]):
            raise IndexError(f"entry {at} of a matrix of shape {self.shape}")
        hit = np.flatnonzero((self.rows == row) & (self.cols == col))
        values, which = self._values
        return values[which[hit[0]]] if len(hit) else number(0)

    def tolist(self) -> list[list[int | Fraction | Number]]:
        """Nested lists of int where the entry is an integer, Fraction where it is rational, Number otherwise."""
        out: list[list[int | Fraction | Number]] = [[0] * self.shape[1] for _ in range(self.shape[0])]
        for r, c, v in self.entries():
            out[r][c] = _plain(v)
        return out

    def to_numpy(self, dtype: npt.DTypeLike | None = None) -> Array:
        """The dense array, rounded once to ``dtype`` (float64, or complex128 for a field that is not real)."""
        if dtype is not None and np.dtype(dtype).kind in "iu" and self.is_integral:
            values = self.nums[:, 0]
        else:
            values = self.values()
        out = np.zeros(self.shape, dtype or values.dtype)
        out[self.rows, self.cols] = values if values.dtype == object else values.astype(out.dtype, casting="same_kind")
        return out

    def values(self) -> Array:
        """The non-zero entries rounded once to float64 (complex128 for a field that is not real), row by row."""
        kind = np.float64 if self.field.is_real else np.complex128
        numbers, which = self._values
        return np.array([float(v) if v.is_real else complex(v) for v in numbers], kind)[which]

    def to_sympy(self) -> Any:
        """The same matrix as an immutable ``sympy`` matrix with exact entries."""
        import sympy

        entries = {(r, c): v.to_sympy() for r, c, v in self.entries()}
        return sympy.ImmutableSparseMatrix(self.shape[0], self.shape[1], entries)

    def _sympy_(self) -> Any:
        return self.to_sympy()

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return self.to_numpy(dtype)

    def __repr__(self) -> str:
        rows = [[x if isinstance(x, int) else str(x) for x in row] for row in self.tolist()]
        return f"matrix({rows})"

    # -- comparing -------------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Matrix):
            return NotImplemented
        if self.shape != other.shape or self.nnz != other.nnz:
            return False
        if not (np.array_equal(self.rows, other.rows) and np.array_equal(self.cols, other.cols)):
            return False
        a, b = _common(self, other)
        return a.den == b.den and bool(np.all(a.nums == b.nums))

    def __hash__(self) -> int:
        return hash((self.shape, self.rows.tobytes(), self.cols.tobytes()))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the exact content, the same whichever field the entries are written in."""
        values, which = self._values
        texts = [str(v) for v in values]
        h = hashlib.sha256(repr(self.shape).encode())
        h.update(self.rows.astype("<i8").tobytes() + self.cols.astype("<i8").tobytes())
        h.update("\n".join(texts[int(w)] for w in which).encode())
        return h.hexdigest()

    @property
    def is_zero(self) -> bool:
        """Whether every entry is zero."""
        return self.nnz == 0

    @cached_property
    def is_identity(self) -> bool:
        """Whether this is an identity matrix."""
        n = self.shape[0]
        return self.shape == (n, n) and self == identity(n)

    @cached_property
    def is_monomial(self) -> bool:
        """Whether each row and each column holds exactly one non-zero entry."""
        n = self.shape[0]
        return (
            self.shape == (n, n) and self.nnz == n and bool(np.all(self.rows == np.arange(n))) and len(np.unique(self.cols)) == n
        )

    @cached_property
    def is_permutation(self) -> bool:
        """Whether this is a matrix of zeros and ones that permutes the basis."""
        return self.is_monomial and self.den == 1 and self._is_constant(1)

    def _is_constant(self, value: int) -> bool:
        return bool(np.all(self.nums[:, 0] == value)) and not bool(np.any(self.nums[:, 1:]))

    @cached_property
    def is_integral(self) -> bool:
        """Whether every entry is a rational integer."""
        return self.den == 1 and not bool(np.any(self.nums[:, 1:]))

    # -- arithmetic ------------------------------------------------------------------------------------------------

    @cached_property
    def T(self) -> Matrix:
        """The transpose."""
        order = np.lexsort((self.rows, self.cols))
        shape = (self.shape[1], self.shape[0])
        return _frozen(shape, self.field, self.cols[order], self.rows[order], self.nums[order], self.den)

    def conjugate(self) -> Matrix:
        """The entrywise complex conjugate."""
        if self.field.is_real:
            return self
        return _linear(self, self.field.conjugation, self.field)

    def over(self, field: Field) -> Matrix:
        """The same matrix with entries written in a larger field."""
        if field == self.field:
            return self
        return _linear(self, self.field.conductor_embedding(field), field)

    def reduced(self) -> Matrix:
        """The same matrix with entries written in the smallest field that holds them."""
        if self.field == QQ:
            return self
        field = field_of(self._values[0])
        if field == self.field:
            return self
        values, which = self._values
        return _from_values(self.shape, field, self.rows, self.cols, values, which)

    def __neg__(self) -> Matrix:
        return _frozen(self.shape, self.field, self.rows, self.cols, -self.nums, self.den)

    def __add__(self, other: Matrix) -> Matrix:
        _same_shape(self, other)
        a, b = _common(self, other)
        den = lcm(a.den, b.den)
        nums = np.concatenate([times(a.nums, den // a.den), times(b.nums, den // b.den)])
        rows, cols = np.concatenate([a.rows, b.rows]), np.concatenate([a.cols, b.cols])
        return from_coo(a.shape, a.field, rows, cols, nums, den)

    def __sub__(self, other: Matrix) -> Matrix:
        return self + (-other)

    def __mul__(self, scalar: int | Fraction | Number) -> Matrix:
        """The entrywise product with an exact scalar."""
        s = number(scalar)
        if not s:
            return zeros(self.shape)
        return kron(self, _from_values((1, 1), field_of([s]), _ZERO, _ZERO, [s], _ZERO))

    __rmul__ = __mul__

    def __matmul__(self, other: Matrix) -> Matrix:
        if self.shape[1] != other.shape[0]:
            raise ValueError(f"shapes {self.shape} and {other.shape} do not fit in a product")
        a, b = _common(self, other)
        # Join on the inner index: entry e of `a` meets the `count[e]` entries in row cols[e] of `b`.
        start = np.searchsorted(b.rows, np.arange(b.shape[0] + 1))
        count = start[a.cols + 1] - start[a.cols]
        left = np.repeat(np.arange(a.nnz), count)
        right = np.arange(len(left)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start[a.cols], count)
        nums = products(a.nums[left], b.nums[right], a.field, repeat=a.shape[1])
        shape = (a.shape[0], b.shape[1])
        return from_coo(shape, a.field, a.rows[left], b.cols[right], nums, a.den * b.den)

    # -- reduction modulo a prime ----------------------------------------------------------------------------------

    def residues(self, p: int, root: int) -> Ints:
        """The non-zero entries modulo ``p`` under the embedding theta -> root, aligned with ``rows`` and ``cols``.

        Raises ZeroDivisionError where ``p`` divides the denominator: take another prime.
        """
        if self.den % p == 0:
            raise ZeroDivisionError(f"{p} divides a denominator")
        out = np.zeros(self.nnz, np.int64)
        scale = pow(self.den, -1, p)
        for i in range(self.field.degree):
            out = (out + (self.nums[:, i] % p).astype(np.int64) * (pow(root, i, p) * scale % p)) % p
        return out


_ZERO = np.zeros(1, np.int64)


# -- building ------------------------------------------------------------------------------------------------------


def matrix(entries: Any, where: str = "matrix", *, allow_floats: bool = False) -> Matrix:
    """A matrix from nested sequences, a NumPy integer array, a SciPy sparse integer array or a SymPy matrix.

    Entries follow the grammar of :func:`repcore.exact.number.number`: integers, fractions, strings such as
    ``"sqrt(2)/2"``, SymPy numbers; a float is refused unless ``allow_floats``.

    Raises:
        DeclarationError: ragged rows, no rows, or not two-dimensional; the message gives the place.
        NumberError: an entry outside the grammar, with its place ``where[i][j]``.

    >>> matrix([["1/2", 0], [0, 2]])
    matrix([['1/2', 0], [0, 2]])
    """
    if isinstance(entries, Matrix):
        return entries
    if hasattr(entries, "tocoo"):
        coo = entries.tocoo()
        if np.issubdtype(coo.data.dtype, np.integer):
            shape = cast(tuple[int, int], tuple(int(n) for n in coo.shape))
            return from_coo(shape, QQ, coo.row, coo.col, _integers(coo.data), 1)
        entries = coo.toarray()
    if getattr(getattr(entries, "dtype", None), "kind", "") in ("i", "u") and entries.ndim == 2:  # tensors have no kind
        rows, cols = np.nonzero(entries)
        return from_coo(entries.shape, QQ, rows, cols, _integers(entries[rows, cols]), 1)
    given: object = entries.tolist() if hasattr(entries, "tolist") else entries
    if isinstance(given, str | bytes) or not isinstance(given, Sequence) or not cast(Sequence[Any], given):
        raise DeclarationError(f"{where}: expected a matrix as a list of rows, got {_short(cast(object, given))}")
    table = cast(Sequence[Any], given)
    triples: list[tuple[int, int, Number]] = []
    width: int | None = None
    for i, row in enumerate(table):
        row = row.tolist() if hasattr(row, "tolist") else row
        if isinstance(row, str | bytes) or not isinstance(row, Sequence):
            raise DeclarationError(f"{where}[{i}]: expected a row as a list of numbers, got {_short(row)}")
        cells = cast(Sequence[Any], row)
        width = len(cells) if width is None else width
        if len(cells) != width:
            raise DeclarationError(
                f"{where}[{i}]: this row has {len(cells)} entries and row 0 has {width}; give every row the same length"
            )
        for j, cell in enumerate(cells):
            # The common case of a literal 0 costs nothing.
            if type(cell) is int and cell == 0:
                continue
            if isinstance(cell, list | tuple):
                raise DeclarationError(f"{where}[{i}][{j}]: expected a number, got a list; a matrix has rows and columns only")
            value = number(cell, f"{where}[{i}][{j}]", allow_floats=allow_floats)
            if value:
                triples.append((i, j, value))
    shape = (len(table), width or 0)
    if not triples:
        return zeros(shape)
    values = [v for _, _, v in triples]
    rows, cols = np.array([t[0] for t in triples]), np.array([t[1] for t in triples])
    return _from_values(shape, field_of(values), rows, cols, values, np.arange(len(values)))


def from_coo(shape: tuple[int, int], field: Field, rows: Any, cols: Any, nums: Array, den: int) -> Matrix:
    """The matrix with given coordinates; entries at one place are added, zeros dropped, the fraction cancelled."""
    rows, cols = np.asarray(rows, np.int64), np.asarray(cols, np.int64)
    keys, nums = coalesce(rows * shape[1] + cols, nums)
    keep = np.any(nums != 0, axis=1)
    if not keep.all():
        keys, nums = keys[keep], nums[keep]
    if den != 1 and len(nums):
        of_nums = gcd(*nums.ravel().tolist()) if nums.dtype == object else int(np.gcd.reduce(nums, axis=None))
        common = gcd(den, of_nums)
        if common > 1:
            nums, den = nums // common, den // common
    if not len(nums):
        den = 1
    nums = narrowed(nums)
    width = max(shape[1], 1)
    return _frozen((int(shape[0]), int(shape[1])), field, keys // width, keys % width, nums, den)


def identity(n: int) -> Matrix:
    """The identity matrix of size n."""
    i = np.arange(n)
    return _frozen((n, n), QQ, i, i, np.ones((n, 1), np.int64), 1)


def zeros(shape: tuple[int, int]) -> Matrix:
    """The zero matrix."""
    none = np.zeros(0, np.int64)
    return _frozen(shape, QQ, none, none, np.zeros((0, 1), np.int64), 1)


def permutation_matrix(images: Sequence[int] | Ints) -> Matrix:
    """The matrix of e_i -> e_{images[i]}, so that products of matrices are products of permutations.

    >>> permutation_matrix([1, 2, 0])
    matrix([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    """
    images = np.asarray(images, np.int64)
    n = len(images)
    back = np.empty(n, np.int64)
    back[images] = np.arange(n)
    return _frozen((n, n), QQ, np.arange(n), back, np.ones((n, 1), np.int64), 1)


def monomial(images: Sequence[int] | Ints, signs: Sequence[int] | Ints) -> Matrix:
    """The matrix of e_i -> signs[i] e_{images[i]}."""
    i = np.arange(len(images))
    return from_coo((len(i), len(i)), QQ, np.asarray(images), i, np.asarray(signs, np.int64).reshape(-1, 1), 1)


def kron(a: Matrix, b: Matrix) -> Matrix:
    """The Kronecker product, entry ((i, k), (j, l)) = a[i, j] b[k, l]; cost: the number of non-zero entries."""
    a, b = _common(a, b)
    left, right = np.repeat(np.arange(a.nnz), b.nnz), np.tile(np.arange(b.nnz), a.nnz)
    shape = (a.shape[0] * b.shape[0], a.shape[1] * b.shape[1])
    rows = a.rows[left] * b.shape[0] + b.rows[right]
    cols = a.cols[left] * b.shape[1] + b.cols[right]
    return from_coo(shape, a.field, rows, cols, products(a.nums[left], b.nums[right], a.field, 1), a.den * b.den)


def block_diag(blocks: Sequence[Matrix]) -> Matrix:
    """The block diagonal matrix."""
    field = compositum(*(b.field for b in blocks)) if blocks else QQ
    blocks = [b.over(field) for b in blocks]
    den = lcm(*(b.den for b in blocks)) if blocks else 1
    tops = np.cumsum([0, *(b.shape[0] for b in blocks)])
    lefts = np.cumsum([0, *(b.shape[1] for b in blocks)])
    shape = (int(tops[-1]), int(lefts[-1]))
    if not blocks:
        return zeros(shape)
    rows = np.concatenate([b.rows + t for b, t in zip(blocks, tops, strict=False)])
    cols = np.concatenate([b.cols + t for b, t in zip(blocks, lefts, strict=False)])
    return from_coo(shape, field, rows, cols, np.concatenate([times(b.nums, den // b.den) for b in blocks]), den)


def inverse(a: Matrix) -> Matrix:
    """The exact inverse; ZeroDivisionError if the matrix is singular.

    Monomial and orthogonal matrices are inverted by transposing; the rest by FLINT over the rationals, an extension of
    degree d as the (n d) x (n d) matrix of multiplication on the coordinates.
    """
    n = a.shape[0]
    if a.shape != (n, n):
        raise ValueError(f"a matrix of shape {a.shape} has no inverse")
    if a.is_monomial:
        values, which = a._values  # pyright: ignore[reportPrivateUsage]
        flipped = [1 / v for v in values]
        order = np.argsort(a.cols)
        return _from_values(a.shape, a.field, a.cols[order], a.rows[order], flipped, which[order])
    if (a @ a.T).is_identity:
        return a.T
    d = a.field.degree
    over_q = np.zeros((n * d, n * d), object)
    table = a.field.table
    for r, c, coords in zip(a.rows.tolist(), a.cols.tolist(), a.nums.tolist(), strict=True):
        # Column j of the d x d block holds the coordinates of entry * theta**j.
        over_q[r * d : r * d + d, c * d : c * d + d] = sum(int(x) * table[i].T.astype(object) for i, x in enumerate(coords))
    flat = flint.fmpq_mat(n * d, n * d, [flint.fmpq(int(x), a.den) for x in over_q.ravel()])
    back: list[list[Any]] = flat.inv().tolist()
    firsts = [[Fraction(int(back[r][c * d].p), int(back[r][c * d].q)) for c in range(n)] for r in range(n * d)]
    den = lcm(*(x.denominator for row in firsts for x in row))
    nums = np.array([[[int(firsts[r * d + i][c] * den) for i in range(d)] for c in range(n)] for r in range(n)], object)
    rows, cols = np.divmod(np.arange(n * n), n)
    return from_coo(a.shape, a.field, rows, cols, narrowed(nums.reshape(n * n, d)), den)


# -- internals -----------------------------------------------------------------------------------------------------


def _frozen(shape: tuple[int, int], field: Field, rows: Ints, cols: Ints, nums: Array, den: int) -> Matrix:
    for array in (rows, cols, nums):
        array.flags.writeable = False
    return Matrix(shape, field, rows, cols, nums, den)


def _from_values(shape: tuple[int, int], field: Field, rows: Ints, cols: Ints, values: Sequence[Number], which: Ints) -> Matrix:
    """The matrix whose entry e is values[which[e]]."""
    coords = [field.coordinates(v) for v in values]
    den = lcm(*(x.denominator for row in coords for x in row))
    nums = np.array([[int(x * den) for x in row] for row in coords], object).reshape(len(values), field.degree)
    return from_coo(shape, field, rows, cols, narrowed(nums)[which], den)


def _linear(a: Matrix, table: Sequence[Sequence[Fraction]], field: Field) -> Matrix:
    """Apply a Q-linear map of the coordinates, given by the images of theta**i, to every entry."""
    den = lcm(*(x.denominator for row in table for x in row))
    ints = np.array([[int(x * den) for x in row] for row in table], object)
    nums = narrowed(np.dot(a.nums.astype(object), ints).reshape(a.nnz, field.degree))
    return from_coo(a.shape, field, a.rows, a.cols, nums, a.den * den)


def _common(a: Matrix, b: Matrix) -> tuple[Matrix, Matrix]:
    """Both matrices over one field."""
    if a.field == b.field:
        return a, b
    field = compositum(a.field, b.field)
    return a.over(field), b.over(field)


def _same_shape(a: Matrix, b: Matrix) -> None:
    if a.shape != b.shape:
        raise ValueError(f"shapes {a.shape} and {b.shape} differ")


def _plain(v: Number) -> int | Fraction | Number:
    if not v.is_rational:
        return v
    q = v.as_fraction()
    return int(q) if q.denominator == 1 else q


def _integers(values: Array) -> Array:
    """A column of coefficients from an integer array of any width."""
    return narrowed(values.astype(object).reshape(-1, 1))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
