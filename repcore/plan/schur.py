"""`make_schur_plan`: from the decompositions of X and Y into irreps to a plan and its native layer; nothing is solved."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.decompose.decomposition import Component, Decomposition, Irrep
from repcore.plan.fourier import Fourier, find_fourier
from repcore.plan.layer import IrrepGroup, Layer, Panel
from repcore.plan.plan import Block, Plan
from repcore.plan.structures import Schur, frozen
from repcore.reps.atoms import atoms
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep

__all__ = ["make_schur_plan"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# Part of the digest: the meaning of theta in irrep coordinates (order of irreps and channels, normalisation).
FORMAT = "repcore-schur-1"


@dataclass(frozen=True, eq=False)
class _Summand:
    """A distinct summand with its copies, and its irreps: irrep -> columns (n, a * d), and the dual ones.

    The columns are orthonormal where the summand is orthogonal (unitary), and then their own dual.
    """

    positions: Ints
    bases: dict[Irrep, Array]
    duals: dict[Irrep, Array]

    def copies_of(self, irrep: Irrep) -> int:
        """How often one copy of the summand holds the irrep."""
        return self.bases[irrep].shape[1] // irrep.dim if irrep in self.bases else 0

    def channels(self, irrep: Irrep) -> int:
        """How often all copies of the summand together hold it."""
        return self.copies_of(irrep) * len(self.positions)


def make_schur_plan(space: Hom, decompose: Callable[[Sequence[Rep]], Sequence[Decomposition]]) -> Plan:
    """The plan of a space in irrep coordinates, from the decompositions of X and Y; nothing else is solved.

    Where X or Y is not orthogonal (unitary) the plan expands and applies all the same, by W = U_Y M U_X^-1; its basis is then not
    orthonormal, ``is_orthonormal`` says so, and coefficients of a dense weight are refused.

    Args:
        space: ``X >> Y``.
        decompose: what decomposes the distinct summands together.

    Raises:
        RepresentationError: a summand is not completely reducible.

    Cost: that of decomposing each distinct summand of X and Y.
    """
    ys, xs = atoms(space.codomain), atoms(space.domain)
    distinct = list(dict.fromkeys(a.rep for a in (*ys, *xs)))
    found = dict(zip(distinct, decompose(distinct), strict=True))
    is_complex = any(d.is_complex for d in found.values())
    of_y, of_x = ([_summand(a.positions, found[a.rep].components) for a in side] for side in (ys, xs))
    irreps = _shared(of_y, of_x)
    groups, members = _groups(irreps, of_y, of_x)
    inputs, outputs = (_panels(of_x, groups, members, incoming=True), _panels(of_y, groups, members, incoming=False))
    order = _order(outputs, space.shape[0])
    dim, bias = sum(g.size for g in groups), sum(g.outputs for g in groups if g.biased)
    transform = _fourier(xs[0].rep, of_x[0], members) if len(xs) == 1 == len(ys) and xs[0].rep == ys[0].rep else None
    layer = Layer(space.shape, dim, bias, inputs, outputs, groups, order, is_complex, transform)
    digest = hashlib.sha256(repr((FORMAT, space.digest)).encode()).hexdigest()
    orthonormal = all(d.is_orthogonal for d in found.values())
    return Plan(space.shape, dim, _blocks(of_y, of_x, groups, members), digest, is_complex, layer, orthonormal)


def _summand(positions: Ints, components: tuple[Component, ...]) -> _Summand:
    return _Summand(
        positions, {c.irrep: _dense(c.basis) for c in components}, {c.irrep: _dense(c.dual_basis) for c in components}
    )


def _dense(basis: Any) -> Array:
    return np.asarray(basis.toarray() if hasattr(basis, "toarray") else basis)


def _shared(of_y: list[_Summand], of_x: list[_Summand]) -> list[Irrep]:
    """The irreps of Y that X has too, and the trivial one where Y has it; in order of appearance in Y, the trivial one first."""
    in_x = {irrep for s in of_x for irrep in s.bases}
    seen = dict.fromkeys(irrep for s in of_y for irrep in s.bases if irrep in in_x or irrep.is_trivial)
    return sorted(seen, key=lambda irrep: not irrep.is_trivial)


def _groups(irreps: list[Irrep], of_y: list[_Summand], of_x: list[_Summand]) -> tuple[tuple[IrrepGroup, ...], list[list[Irrep]]]:
    """Irreps that make products of equal sizes out of equal panels, together; the trivial one, which takes the bias, alone."""
    kinds: dict[Any, list[Irrep]] = {}
    for irrep in irreps:
        counts = tuple(s.copies_of(irrep) for s in (*of_y, *of_x))
        kinds.setdefault((irrep.is_trivial, irrep.dim, len(irrep.endomorphisms), counts), []).append(irrep)
    groups: list[IrrepGroup] = []
    start = 0
    for (biased, d, t, _), alike in kinds.items():
        outputs, inputs = (sum(s.channels(alike[0]) for s in side) for side in (of_y, of_x))
        groups.append(IrrepGroup(d, len(alike), t, outputs, inputs, start, biased))
        start += groups[-1].size
    return tuple(groups), list(kinds.values())


def _panels(
    summands: list[_Summand], groups: tuple[IrrepGroup, ...], members: list[list[Irrep]], *, incoming: bool
) -> tuple[Panel, ...]:
    out: list[Panel] = []
    for pack in _packs(summands):
        wide = np.concatenate([s.positions for s in pack], axis=1)
        order = np.argsort(wide[0], kind="stable")
        changes: list[Array] = []
        counts: list[int] = []
        for group, irreps in zip(groups, members, strict=True):
            # (d, irreps, [s,] a of all summands of the pack, entries of all summands of the pack)
            count = sum(s.copies_of(irreps[0]) for s in pack)
            t = group.endomorphisms if incoming else 1
            rows = np.zeros((group.dim, len(irreps), t, count, wide.shape[1]), _dtype(pack))
            a0 = x0 = 0
            for s in pack:
                a, n = s.copies_of(irreps[0]), s.positions.shape[1]
                for i, irrep in enumerate(irreps if a else []):
                    u = (s.duals if incoming else s.bases)[irrep].T.reshape(a, group.dim, n)
                    e = irrep.endomorphisms / np.sqrt(group.dim) if incoming else np.eye(group.dim)[None]
                    rows[:, i, :, a0 : a0 + a, x0 : x0 + n] = np.einsum("spq,aqx->psax", e, u.conj() if incoming else u)
                a0, x0 = a0 + a, x0 + n
            counts.append(count)
            changes.append(frozen(rows.reshape(group.dim * len(irreps) * t * count, wide.shape[1])[:, order]))
        if any(counts):
            out.append(Panel(frozen(wide[:, order]), tuple(changes), tuple(counts)))
    return tuple(out)


def _fourier(rep: Rep, summand: _Summand, members: list[list[Irrep]]) -> Fourier | None:
    irreps = [irrep for group in members for irrep in group if irrep in summand.bases]
    return find_fourier(rep, [summand.bases[irrep] for irrep in irreps], [irrep.endomorphisms for irrep in irreps])


def _dtype(pack: list[_Summand]) -> Any:
    return np.result_type(np.float64, *(u.dtype for s in pack for u in s.bases.values()))


def _packs(summands: list[_Summand]) -> list[list[_Summand]]:
    """Summands whose copies alternate, as in c * (V + W), together: their copies then lie in one piece.

    Channels of a pack come before those of the next, so packs must follow the order of the summands: a pack that would
    not is left apart.
    """
    out: list[list[_Summand]] = []
    for s in summands:
        if out and _is_one_piece([*out[-1], s], partial=True):
            out[-1].append(s)
        else:
            out.append([s])
    return [pack for group in out for pack in ([group] if _is_one_piece(group, partial=False) else [[s] for s in group])]


def _is_one_piece(pack: list[_Summand], *, partial: bool) -> bool:
    """Whether copy c of the whole pack occupies start + c * step + (0 ... step - 1), or is on the way to it."""
    m = len(pack[0].positions)
    if m < 2 or any(len(s.positions) != m for s in pack):
        return False
    wide = np.sort(np.concatenate([s.positions for s in pack], axis=1), axis=1)
    step = int(wide[1, 0] - wide[0, 0])
    same = bool(np.array_equal(wide, wide[0] + step * np.arange(m)[:, None]))
    consecutive = bool((np.diff(wide[0]) == 1).all())
    return same and consecutive and (wide.shape[1] <= step if partial else wide.shape[1] == step)


def _order(outputs: tuple[Panel, ...], size: int) -> Ints | None:
    """Where each entry of y stands in the flat outputs of the panels; what no panel writes is at the end."""
    flat: Ints = np.concatenate([np.zeros(0, np.int64), *(p.positions.ravel() for p in outputs)])
    if flat.tolist() == list(range(size)):
        return None
    order = np.full(size, len(flat), np.int64)
    order[flat] = np.arange(len(flat))
    return frozen(order)


def _blocks(
    of_y: list[_Summand], of_x: list[_Summand], groups: tuple[IrrepGroup, ...], members: list[list[Irrep]]
) -> tuple[Block, ...]:
    place = {irrep: (g, i) for g, irreps in zip(groups, members, strict=True) for i, irrep in enumerate(irreps) if g.inputs}
    first_y, first_x = (_first_channels(side, place) for side in (of_y, of_x))
    out: list[Block] = []
    for y, start_y in zip(of_y, first_y, strict=True):
        for x, start_x in zip(of_x, first_x, strict=True):
            common = [irrep for irrep in place if irrep in y.bases and irrep in x.bases]
            if not common:
                continue
            n, m = len(y.positions), len(x.positions)
            orders: list[Ints] = []
            for irrep in common:
                g, i = place[irrep]
                t = g.endomorphisms
                channel_y = start_y[irrep] + np.arange(y.channels(irrep)).reshape(-1, n).T
                channel_x = start_x[irrep] + np.arange(x.channels(irrep)).reshape(-1, m).T
                rows = (i * g.outputs + channel_y)[:, None, :, None, None] * t + np.arange(t)
                at = g.start + rows * g.inputs + channel_x[None, :, None, :, None]
                orders.append(at.reshape(n, m, -1))
            # W = U_Y M U_X^-1, whose right factor is the conjugate transpose of the dual basis.
            rows, cols = (np.concatenate([columns[irrep] for irrep in common], axis=1) for columns in (y.bases, x.duals))
            parts = tuple((y.copies_of(e), x.copies_of(e), e.dim, e.endomorphisms) for e in common)
            order = frozen(np.concatenate(orders, axis=-1).astype(np.int64))
            out.append(Block(y.positions, x.positions, order, Schur(frozen(rows), frozen(cols), parts)))
    return tuple(out)


def _first_channels(side: list[_Summand], irreps: Any) -> list[dict[Irrep, int]]:
    """For each summand the first of its channels, irrep by irrep."""
    count = dict.fromkeys(irreps, 0)
    out: list[dict[Irrep, int]] = []
    for s in side:
        out.append(dict(count))
        for irrep in count:
            count[irrep] += s.channels(irrep)
    return out
