"""The levels of a compact group: the invariant Laplacian of Hom(X, Y), from the decompositions of X and Y into irreducibles.

On maps g acts by M -> rho_Y(g) M rho_X(g)^-1. The Laplacian

    Delta = - sum_a A_a A_a  +  sum_s (2 - mean of (c + c^-1) over the conjugates c of s),

over an orthonormal basis A_a of the Lie algebra and the discrete generators s up to conjugation, commutes with the group. So it
is a number on each irreducible part of Hom(X, Y), 0 on the equivariant maps and nowhere else. With V_i and W_j irreducible the
maps V_i -> W_j have dimension d_i d_j, and their small Laplacian is diagonalised once for all copies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.decompose.decomposition import Decomposition, Irrep
from repcore.defect import is_orthogonal
from repcore.errors import MemoryLimitError, SolveError
from repcore.groups.group import Group
from repcore.reps.atoms import Atom, atoms
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep
from repcore.soft.algebra import EPS, Algebra, images, make_algebra, spanned
from repcore.soft.assemble import Raw, assemble
from repcore.soft.average import Discrete, commuting_mean, discrete_of
from repcore.soft.growth import Growth
from repcore.soft.spectral import Cells, SpectralBlock, SpectralPlan

__all__ = ["make_isotypic"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# The largest product of the dimensions of two irreducibles whose Laplacian is diagonalised: 0.3 GB and about a minute.
LIMIT = 4096


@dataclass(frozen=True, eq=False)
class _Images:
    """How the group acts on one irreducible.

    Attributes:
        lie: (rank, d, d) an orthonormal basis of the Lie algebra.
        discrete: all discrete generators.
        classes: the chosen classes of a finite group, (size, d, d) each.
        casimir: sum_a A_a A_a.
    """

    lie: Array
    discrete: list[Array]
    classes: tuple[Array, ...]
    casimir: Array


@dataclass(frozen=True, eq=False)
class _Pair:
    """The Laplacian of Hom(V_i, W_j): columns of q with the raw level of each."""

    q: Array
    ids: Ints


@dataclass(frozen=True, eq=False)
class _Side:
    """The change of basis of a distinct summand, and where each irreducible begins in it: (irrep, start, multiplicity)."""

    change: Array
    parts: list[tuple[Irrep, int, int]]


def make_isotypic(space: Hom, decompose: Callable[[Sequence[Rep]], Sequence[Decomposition]]) -> SpectralPlan:
    """The plan of a space of maps between orthogonal (unitary) representations.

    Args:
        space: ``X >> Y``.
        decompose: what decomposes the distinct summands together.

    Raises:
        MemoryLimitError: two irreducibles whose dimensions multiply to more than ``LIMIT``.
        SolveError: the exact number of equivariant maps is not what float64 finds.

    Cost: that of decomposing, and (d_i d_j)^3 for each pair of irreducibles.
    """
    ys, xs = atoms(space.codomain), atoms(space.domain)
    distinct = list(dict.fromkeys(a.rep for a in (*ys, *xs)))
    found = dict(zip(distinct, decompose(distinct), strict=True))
    group = space.group
    discrete = discrete_of(group)
    acting, algebra = _images(group, found, discrete)
    residual = max((d.residual for d in found.values()), default=0.0)
    panels = {rep: _side(d) for rep, d in found.items()}
    raw = Raw()
    pairs: dict[tuple[Irrep, Irrep], _Pair] = {}
    blocks: list[SpectralBlock] = []
    for y in ys:
        for x in xs:
            left, right = panels[y.rep], panels[x.rep]
            for w, _, _ in left.parts:
                for v, _, _ in right.parts:
                    if (w, v) not in pairs:
                        pairs[w, v] = _pair(w, v, acting[w], acting[v], discrete, raw, residual)
            blocks.append(_block(y, x, left, right, pairs))
    is_complex = any(d.is_complex for d in found.values())
    has_lie = len(algebra.mix) > 0
    none = np.zeros(0)
    growth = Growth(
        True,
        True,
        has_lie,
        bool(discrete.numbers),
        none,
        none,
        farthest=discrete.farthest if not has_lie else 2.0,
        longest=discrete.longest if not has_lie else None,
    )
    return assemble(space, raw, blocks, "isotypic", growth, is_complex=is_complex)


def _side(d: Decomposition) -> _Side:
    parts: list[tuple[Irrep, int, int]] = []
    start = 0
    for c in d.components:
        parts.append((c.irrep, start, c.multiplicity))
        start += c.dim
    return _Side(d.U, parts)


def _images(group: Group, found: dict[Rep, Decomposition], discrete: Discrete) -> tuple[dict[Irrep, _Images], Algebra]:
    """The images of the generators on every irreducible, on its first copy in the first representation that has it."""
    plain: dict[Irrep, list[Array]] = {}
    for rep, d in found.items():
        fresh = [c for c in d.components if c.irrep not in plain]
        if not fresh:
            continue
        shown = images(rep)
        for c in fresh:
            basis = c.basis[:, : c.irrep.dim]
            b = np.asarray(basis.toarray() if hasattr(basis, "toarray") else basis)
            plain[c.irrep] = [b.conj().T @ (m @ b) for m in shown]
    first = len(group.discrete)
    if is_orthogonal(group.rep):
        carriers = [m.toarray() for m in images(group.rep)[first:]]
    else:
        # The group is not given by orthogonal matrices, but acts by such: the inner product is that of the irreducibles here.
        carriers = [_diagonal([shown[first + k] for shown in plain.values()]) for k in range(len(group.lie))]
    algebra = make_algebra(carriers)
    out: dict[Irrep, _Images] = {}
    for irrep, shown in plain.items():
        d = irrep.dim
        lie = algebra.act(shown[first:]) if len(algebra.mix) else np.zeros((0, d, d))
        out[irrep] = _Images(
            lie,
            shown[:first],
            tuple(c.act(shown[:first]) for c in discrete.classes or ()),
            np.einsum("aij,ajk->ik", lie, lie),
        )
    return out, algebra


def _diagonal(blocks: Sequence[Array]) -> Array:
    from scipy.linalg import block_diag

    return np.asarray(block_diag(*blocks))


def _pair(w: Irrep, v: Irrep, on_w: _Images, on_v: _Images, discrete: Discrete, raw: Raw, residual: float) -> _Pair:
    """The Laplacian on the maps V_i -> W_j as vectors, row-major (d_w, d_v): M -> A M - M B is A (x) 1 - 1 (x) B^T."""
    n = w.dim * v.dim
    if n > LIMIT:
        raise MemoryLimitError(
            f"space: irreducibles of dimensions {w.dim} and {v.dim} have {n} maps between them, and the Laplacian is "
            f"diagonalised on at most {LIMIT}; use smaller representations"
        )
    size = sqrt(spanned(on_w.casimir)) + sqrt(spanned(on_v.casimir))
    scale = size**2 + 4 * len(discrete.numbers)
    # Rounding of the operator and of its eigenvalues, and how far the irreducible matrices are off.
    error = (64 * EPS * n + 16 * residual) * max(scale, 1.0)
    kind = np.result_type(*(x for side in (on_w, on_v) for x in (side.casimir, *side.discrete)))
    laplacian = np.zeros((n, n), kind)
    if len(on_w.lie):
        cross = on_w.lie.reshape(len(on_w.lie), -1).T @ on_v.lie.swapaxes(1, 2).reshape(len(on_v.lie), -1)
        cross = cross.reshape(w.dim, w.dim, v.dim, v.dim).swapaxes(1, 2).reshape(n, n)
        laplacian = 2 * cross - np.kron(on_w.casimir, np.eye(v.dim)) - np.kron(np.eye(w.dim), on_v.casimir.T)
    lie, q = (
        np.linalg.eigh((laplacian + laplacian.conj().T) / 2) if len(on_w.lie) else (np.zeros(n), np.eye(n, dtype=laplacian.dtype))
    )
    values = lie.copy()
    if discrete.numbers:
        values, q = _with_discrete(lie, q, error, on_w, on_v, discrete)
    zero = len(w.endomorphisms) if w is v else 0
    order = np.argsort(values, kind="stable")
    values, lie, q = values[order], lie[order], q[:, order]
    if int(np.sum(values <= error)) != zero:
        raise SolveError(
            f"space: {zero} equivariant maps between two irreducibles, and {int(np.sum(values <= error))} in float64; the "
            "representations are too ill-conditioned"
        )
    q = _exact_zero(q, w, zero)
    ids = np.empty(n, np.int64)
    cuts = np.union1d(1 + np.flatnonzero(np.diff(values) > 2 * error), [zero] if 0 < zero < n else [])
    for part in np.split(np.arange(n), cuts.astype(np.int64)):
        if part[0] < zero:
            ids[part] = raw.add(0.0, 0.0, 0.0, 0.0)
            continue
        moved = [_moved(on_w.discrete[s], on_v.discrete[s], q[:, part]) for s in discrete.numbers]
        step = max((spanned(m - q[:, part]) for m in moved), default=0.0)
        value = float(np.mean(values[part]))
        ids[part] = raw.add(sqrt(value), error / sqrt(value), float(lie[part].max()) + error, step * (1 + 64 * EPS * n))
    return _Pair(q, ids)


def _with_discrete(lie: Array, q: Array, error: float, on_w: _Images, on_v: _Images, discrete: Discrete) -> tuple[Array, Array]:
    """Add 2 - c - c^-1, averaged, to the Casimir, one eigenspace of it after the other."""
    values, out = lie.copy(), q.copy()
    n = len(lie)
    for part in np.split(np.arange(n), 1 + np.flatnonzero(np.diff(lie) > 2 * error)):
        columns = q[:, part]
        total = np.zeros((len(part), len(part)), q.dtype)
        if len(part) == n and discrete.classes is not None:
            for a, b in zip(on_w.classes, on_v.classes, strict=True):
                total = total + _mean_of_class(a, b)
            total = columns.conj().T @ total @ columns
        elif discrete.numbers:
            restricted = [columns.conj().T @ _moved(a, b, columns) for a, b in zip(on_w.discrete, on_v.discrete, strict=True)]
            for s in discrete.numbers:
                total = total + restricted[s]
            generators = [columns.conj().T @ _tangent(a, b, columns) for a, b in zip(on_w.lie, on_v.lie, strict=True)]
            total = (total + total.conj().T) / 2
            if len(part) > 1:
                total = commuting_mean(total, restricted, generators)
        found, turn = np.linalg.eigh(2 * len(discrete.numbers) * np.eye(len(part)) - total - total.conj().T)
        values[part] = lie[part].mean() + found
        out[:, part] = columns @ turn
    return values, out


def _mean_of_class(a: Array, b: Array) -> Array:
    """The mean of rho_W(c) (x) conj rho_V(c) over a class."""
    n, m = a.shape[1], b.shape[1]
    total = a.reshape(len(a), -1).T @ b.conj().reshape(len(b), -1) / len(a)
    return total.reshape(n, n, m, m).swapaxes(1, 2).reshape(n * m, n * m)


def _moved(a: Array, b: Array, columns: Array) -> Array:
    """a M b^-1 for unitary a and b, for the columns as maps M."""
    maps = columns.T.reshape(-1, len(a), len(b))
    return (a @ maps @ b.conj().T).reshape(len(maps), -1).T


def _tangent(a: Array, b: Array, columns: Array) -> Array:
    """a M - M b for the columns as maps M."""
    maps = columns.T.reshape(-1, len(a), len(b))
    return (a @ maps - maps @ b).reshape(len(maps), -1).T


def _exact_zero(q: Array, irrep: Irrep, zero: int) -> Array:
    """Put the endomorphisms in the place of the first columns, and keep the rest orthogonal to them."""
    if not zero:
        return q
    known = irrep.endomorphisms.reshape(zero, -1).T / sqrt(irrep.dim)
    rest = q[:, zero:]
    for _ in range(2):
        rest = rest - known @ (known.conj().T @ rest)
    return np.concatenate([known, rest], axis=1)


def _block(y: Atom, x: Atom, left: _Side, right: _Side, pairs: dict[tuple[Irrep, Irrep], _Pair]) -> SpectralBlock:
    rows, cols = len(left.change), len(right.change)
    ids = np.full((rows, cols), -1, np.int64)
    groups: dict[tuple[int, int], tuple[list[Ints], list[_Pair]]] = {}
    for w, start_w, m_w in left.parts:
        for v, start_v, m_v in right.parts:
            n = w.dim * v.dim
            inside = start_w + np.arange(m_w * w.dim).reshape(m_w, 1, w.dim, 1)
            across = start_v + np.arange(m_v * v.dim).reshape(1, m_v, 1, v.dim)
            found = groups.setdefault((m_w * m_v, n), ([], []))
            found[0].append((inside * cols + across).reshape(m_w * m_v, n))
            found[1].append(pairs[w, v])
    cells = tuple(
        Cells(np.stack(at), np.stack([p.q for p in found]), np.stack([p.ids for p in found])) for at, found in groups.values()
    )
    return SpectralBlock(y.positions, x.positions, left.change, right.change, ids, cells)
