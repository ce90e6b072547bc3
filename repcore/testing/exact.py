"""Exact linear algebra of the test kit, written anew from public names.

Laws that borrowed the products, inverses and spans of the core would repeat its mistakes. Here a matrix is the dictionary of
its non-zero entries, and every operation is the definition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import Generic, TypeVar

from repcore import Matrix, Number, cyclic, matrix, number, trivial

__all__ = ["Entries", "Span", "block_sum", "dense", "entries_of", "exterior_power", "eye", "inverse", "kronecker", "trace"]

Place = tuple[int, int]
Entries = dict[Place, Number]
_Key = tuple[int, int, int]
_Payload = TypeVar("_Payload")
_HALF = number("1/2")


def entries_of(m: Matrix) -> Entries:
    """The non-zero entries by place."""
    return {(r, c): v for r, c, v in m.entries()}


def dense(shape: tuple[int, int], entries: Mapping[Place, Number]) -> Matrix:
    """The matrix of a shape (both sides at least 1) with the given entries."""
    rows: list[list[int | Number]] = [[0] * shape[1] for _ in range(shape[0])]
    for (r, c), v in entries.items():
        rows[r][c] = v
    return matrix(rows)


def eye(n: int) -> Matrix:
    """The identity matrix of size n."""
    if not n:
        return (0 * trivial(cyclic(1))).matrix(0)
    return dense((n, n), {(i, i): number(1) for i in range(n)})


def inverse(m: Matrix) -> Matrix | None:
    """The inverse by Gauss-Jordan elimination; None if the matrix is singular. Cost: n^3 operations on numbers."""
    n = m.shape[0]
    rows: list[dict[int, Number]] = [{n + i: number(1)} for i in range(n)]
    for r, c, v in m.entries():
        rows[r][c] = v
    for c in range(n):
        pivot = next((r for r in range(c, n) if c in rows[r]), None)
        if pivot is None:
            return None
        rows[c], rows[pivot] = rows[pivot], rows[c]
        scale = 1 / rows[c][c]
        rows[c] = {j: scale * v for j, v in rows[c].items()}
        for r in range(n):
            if r != c and c in rows[r]:
                rows[r] = _minus(rows[r], rows[r][c], rows[c])
    return dense((n, n), {(r, c - n): v for r in range(n) for c, v in rows[r].items() if c >= n})


def kronecker(a: Entries, b: Entries, shape: tuple[int, int]) -> Entries:
    """The entries of a (x) b: a[i, j] b[k, l] at (i m + k, j n + l), where (m, n) = ``shape`` is that of b."""
    m, n = shape
    return {(i * m + k, j * n + l): x * y for (i, j), x in a.items() for (k, l), y in b.items()}


def block_sum(blocks: Iterable[tuple[Entries, int]]) -> Entries:
    """The entries of a block diagonal matrix, from (entries, size) of each block."""
    out: Entries = {}
    at = 0
    for block, size in blocks:
        out |= {(at + r, at + c): v for (r, c), v in block.items()}
        at += size
    return out


def exterior_power(m: Entries, dim: int, k: int, *, signed: bool, derivative: bool) -> Entries:
    """How g acts on Alt^k (``signed``) or Sym^k, or a Lie element (``derivative``), on sorted index tuples.

    From the definition: g(e_i1 ... e_ik) = (g e_i1) ... (g e_ik), a(e_i1 ... e_ik) = sum_j e_i1 ... (a e_ij) ... e_ik; products
    are sorted, with the sign of the sorting and zero for repeated indices if ``signed``.
    """
    columns: list[dict[int, Number]] = [{} for _ in range(dim)]
    for (r, c), v in m.items():
        columns[c][r] = v
    still: list[dict[int, Number]] = [{i: number(1)} for i in range(dim)]
    tuples = [t for t in product(range(dim), repeat=k) if _is_sorted(t, strict=signed)]
    place = {t: i for i, t in enumerate(tuples)}
    out: Entries = {}
    for t, c in place.items():
        if derivative:
            terms = [[columns[i] if a == b else still[i] for b, i in enumerate(t)] for a in range(k)]
        else:
            terms = [[columns[i] for i in t]]
        for factors in terms:
            for choice in product(*(f.items() for f in factors)):
                indices = [i for i, _ in choice]
                if signed and len(set(indices)) < k:
                    continue
                value = number(_sign(indices) if signed else 1)
                for _, v in choice:
                    value = value * v
                at = (place[tuple(sorted(indices))], c)
                out[at] = out.get(at, number(0)) + value
    return {at: v for at, v in out.items() if v}


def trace(m: Matrix) -> Number:
    """The sum of the diagonal."""
    out = number(0)
    for r, c, v in m.entries():
        if r == c:
            out = out + v
    return out


@dataclass
class Span(Generic[_Payload]):
    """A real vector space of matrices, spanned one by one; each spanning matrix carries a payload.

    Complex matrices count as pairs of real ones, since a Lie algebra such as su(n) is real.
    """

    vectors: list[tuple[Matrix, _Payload]] = field(default_factory=list[tuple[Matrix, _Payload]])
    _rows: list[tuple[_Key, dict[_Key, Number], dict[int, Number]]] = field(
        default_factory=list[tuple[_Key, dict[_Key, Number], dict[int, Number]]]
    )

    def coordinates(self, m: Matrix) -> list[Number] | None:
        """The coefficients of ``m`` in the spanning matrices; None if it is not in the span."""
        rest, weights = self._reduce(m)
        return None if rest else [weights.get(i, number(0)) for i in range(len(self.vectors))]

    def add(self, m: Matrix, payload: _Payload) -> bool:
        """Take another spanning matrix; false if it was in the span already."""
        rest, weights = self._reduce(m)
        if not rest:
            return False
        new = len(self.vectors)
        self.vectors.append((m, payload))
        pivot = min(rest)
        scale = 1 / rest[pivot]
        combination = {i: -scale * w for i, w in weights.items()} | {new: scale}
        self._rows.append((pivot, {k: scale * v for k, v in rest.items()}, combination))
        return True

    def _reduce(self, m: Matrix) -> tuple[dict[_Key, Number], dict[int, Number]]:
        rest = _real_parts(m)
        weights: dict[int, Number] = {}
        for pivot, row, combination in self._rows:
            if pivot in rest:
                factor = rest[pivot]
                rest = _minus(rest, factor, row)
                weights = _minus(weights, -factor, combination)
        return rest, weights


_T = TypeVar("_T")


def _minus(a: dict[_T, Number], factor: Number, b: dict[_T, Number]) -> dict[_T, Number]:
    out = dict(a)
    for k, v in b.items():
        new = out.get(k, number(0)) - factor * v
        if new:
            out[k] = new
        else:
            out.pop(k, None)
    return out


def _real_parts(m: Matrix) -> dict[_Key, Number]:
    out: dict[_Key, Number] = {}
    for r, c, v in m.entries():
        if v.is_real:
            out[0, r, c] = v
            continue
        bar = v.conjugate()
        re, im = (v + bar) * _HALF, (bar - v) * _HALF * number("I")
        out |= {key: x for key, x in (((0, r, c), re), ((1, r, c), im)) if x}
    return out


def _is_sorted(t: Sequence[int], *, strict: bool) -> bool:
    return all(a < b or (a == b and not strict) for a, b in pairwise(t))


def _sign(indices: Sequence[int]) -> int:
    inversions = sum(a > b for i, b in enumerate(indices) for a in indices[:i])
    return -1 if inversions % 2 else 1
