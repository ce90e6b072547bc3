"""Reduction ``nullspace``: what presolve leaves, eliminated modulo a prime by FLINT, block by block."""

from __future__ import annotations

from dataclasses import dataclass

import flint
import numpy as np
import numpy.typing as npt

from repcore.groups.components import components
from repcore.solve.budget import Budget
from repcore.solve.memory import elimination_bytes
from repcore.solve.presolve import Presolved, System

__all__ = ["Kernel", "dense_seconds", "kernel"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Kernel:
    """The reduced row echelon form of a solution space modulo p: entry (rows[e], cols[e]) = values[e].

    Attributes:
        width: number of unknowns.
        pivots: (dim,) the leading unknown of each row, increasing; its entry is 1 and no other row has that unknown.
        largest: unknowns of the largest block that had to be eliminated densely.
    """

    p: int
    width: int
    pivots: Ints
    rows: Ints
    cols: Ints
    values: Ints
    largest: int

    @property
    def dim(self) -> int:
        """The nullity modulo p: an upper bound for the true dimension."""
        return len(self.pivots)


def dense_seconds(width: int) -> float:
    """Seconds predicted for a dense block of so many unknowns; fitted to the cases in tests/benchmarks."""
    return 3e-10 * width**3


def kernel(pre: Presolved, budget: Budget | None = None) -> Kernel:
    """The echelon form of the solutions of a presolved system.

    Eliminating from the last unknown to the first makes every free unknown the first of its row and zero in all others:
    the reduced row echelon form of the solution space, without a second elimination.

    Raises:
        MemoryLimitError: the largest block is too large for the budget.
    """
    system, budget = pre.system, budget or Budget()
    p, n = system.p, system.width
    roots = np.flatnonzero(pre.rep == np.arange(n))
    free: list[Ints] = [np.setdiff1d(roots, system.cols)]
    heads: list[Ints] = [free[0]]  # echelon rows named by their free unknown
    tails: list[Ints] = [free[0]]
    values: list[Ints] = [np.ones(len(free[0]), np.int64)]
    blocks = _blocks(system)
    largest = max((len(cols) for cols, _ in blocks), default=0)
    shapes = ((_height(entries[3], len(cols)), len(cols)) for cols, entries in blocks)
    need = elimination_bytes(system.width, len(system.rows), shapes)
    advice = "change to a basis in which the generators are sparse"
    budget.admit(need, f"a dense block of {largest} unknowns", advice)
    done, total = 0, sum(len(cols) for cols, _ in blocks)
    for cols, dense in blocks:
        budget.tell("nullspace", done, total, dense_seconds(len(cols)))
        done += len(cols)
        frees, pivots, table = _dense_kernel(dense, p)
        free.append(cols[frees])
        heads += [cols[frees], np.repeat(cols[frees], len(pivots))]
        tails += [cols[frees], np.tile(cols[pivots], len(frees))]
        values += [np.ones(len(frees), np.int64), table.ravel()]
    pivots = np.sort(np.concatenate(free))
    head, tail, value = np.concatenate(heads), np.concatenate(tails), np.concatenate(values)
    live = value != 0
    head, tail, value = head[live], tail[live], value[live]
    # Spread the representatives over the unknowns that hang on them.
    order = np.argsort(tail, kind="stable")
    head, tail, value = head[order], tail[order], value[order]
    hanging = np.flatnonzero(pre.rep >= 0)
    start = np.searchsorted(tail, pre.rep[hanging], "left")
    count = np.searchsorted(tail, pre.rep[hanging], "right") - start
    which = np.repeat(hanging, count)
    at = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start, count)
    rows = np.searchsorted(pivots, head[at])
    return Kernel(p, n, pivots, rows, which, value[at] * pre.ratio[which] % p, largest)


def _blocks(system: System) -> list[tuple[Ints, tuple[Ints, Ints, Ints, int]]]:
    """Connected components: the unknowns of each, and its entries (row, column from the end, value, number of rows)."""
    if not len(system.rows):
        return []
    used, local = np.unique(system.cols, return_inverse=True)
    same = system.rows[1:] == system.rows[:-1]
    label = components(len(used), local[:-1][same], local[1:][same])
    count = int(label.max()) + 1
    order = np.argsort(label[local], kind="stable")
    cut = np.searchsorted(label[local][order], np.arange(count + 1))
    members = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[members], np.arange(count + 1))
    out: list[tuple[Ints, tuple[Ints, Ints, Ints, int]]] = []
    for k in range(count):
        cols = used[members[bounds[k] : bounds[k + 1]]]
        part = order[cut[k] : cut[k + 1]]
        names, rows = np.unique(system.rows[part], return_inverse=True)
        place = len(cols) - 1 - np.searchsorted(cols, system.cols[part])
        out.append((cols, (rows, place, system.values[part], len(names))))
    return out


def _dense_kernel(entries: tuple[Ints, Ints, Ints, int], p: int) -> tuple[Ints, Ints, Ints]:
    """Free and pivot columns (as places in increasing order of unknowns) and table[f, q]: x[pivot q] for free unknown f."""
    dense = _compressed(entries, p)
    width = dense.shape[1]
    # The list, the largest of the copies, is gone before the elimination.
    reduced, rank = flint.nmod_mat(dense.shape[0], width, dense.ravel().tolist(), p).rref()
    pivots: list[int] = []
    j = 0
    for i in range(rank):
        while int(reduced[i, j]) == 0:
            j += 1
        pivots.append(j)
        j += 1
    bound = np.zeros(width, bool)
    bound[pivots] = True
    frees = np.flatnonzero(~bound)
    table = np.array([[-int(reduced[i, f]) % p for i in range(rank)] for f in frees.tolist()], np.int64)
    back = width - 1
    return back - frees, back - np.array(pivots, np.int64), table.reshape(len(frees), rank)


def _height(height: int, width: int) -> int:
    """The rows of a block as it is eliminated: all of them, or random combinations of many."""
    wanted = width + 20
    return height if height <= wanted + wanted // 2 else wanted


def _compressed(entries: tuple[Ints, Ints, Ints, int], p: int) -> Ints:
    """The block as a dense array; of many rows, random combinations only.

    As many combinations as there are columns, and twenty more, span the same space almost surely. Should they not, the kernel
    comes out too large and the exact check of the lifted solution fails: nothing is lost but time.
    """
    rows, place, value, height = entries
    width = int(place.max()) + 1
    wanted = _height(height, width)
    if height == wanted:
        dense = np.zeros((height, width), np.int64)
        dense[rows, place] = value
        return dense
    rng = np.random.default_rng(width)
    out = np.zeros((wanted, width), np.int64)
    # Every row goes into four buckets with random weights. A bucket adds up fewer than 2**31 residues, so int64 holds the sum.
    for _ in range(4):
        bucket = rng.permutation(np.arange(height) % wanted)
        weight = rng.integers(1, p, height)
        np.add.at(out, (bucket[rows], place), value * weight[rows] % p)
    return out % p
