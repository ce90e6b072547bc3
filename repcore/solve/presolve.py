"""Reduction ``presolve``: sparse constraints modulo a prime, made small before any elimination.

A row with one entry says that an unknown is zero. A row with two says that one unknown is a multiple of the other: a weighted
union-find, done here for all rows at once by hooking each unknown to the smallest partner and doubling pointers. Substitute,
drop equal rows, repeat. Tori and scalings (weights that must match) need nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from repcore.exact.coefficients import coalesce

__all__ = ["Presolved", "System", "presolve"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class System:
    """sum_e values[e] x[cols[e]] = 0 for each row, modulo p < 2**31."""

    p: int
    width: int
    rows: Ints
    cols: Ints
    values: Ints


@dataclass(frozen=True, eq=False)
class Presolved:
    """x[u] = ratio[u] * x[rep[u]] with rep[u] <= u; x[u] = 0 where rep[u] = -1; and what remains between representatives."""

    rep: Ints
    ratio: Ints
    system: System


def presolve(system: System) -> Presolved:
    """Resolve one- and two-entry rows until there are none left; cost: a sort of the entries for each round."""
    p, n = system.p, system.width
    rep, ratio = np.arange(n), np.ones(n, np.int64)
    dead = np.zeros(n, bool)
    system = _tidy(system)
    while len(system.rows):
        starts = np.flatnonzero(np.concatenate([[True], system.rows[1:] != system.rows[:-1]]))
        sizes = np.diff(np.append(starts, len(system.rows)))
        single, double = starts[sizes == 1], starts[sizes == 2]
        if not len(single) and not len(double):
            break
        parent, factor = _hooked(system, double)
        gone = np.zeros(n, bool)
        gone[parent[system.cols[single]]] = True
        ratio = ratio * factor[rep] % p
        rep = parent[rep]
        dead |= gone
        keep = ~gone[parent[system.cols]]
        cols = system.cols[keep]
        values = system.values[keep] * factor[cols] % p
        system = _tidy(System(p, n, system.rows[keep], parent[cols], values))
    rep = np.where(dead[rep], -1, rep)
    return Presolved(rep, ratio, system)


def _hooked(system: System, double: Ints) -> tuple[Ints, Ints]:
    """For every unknown the root it hangs on after following two-entry rows once, and x = factor * x[root]."""
    p, n = system.p, system.width
    parent, factor = np.arange(n), np.ones(n, np.int64)
    # Columns increase within a row: v_a x_a + v_b x_b = 0 with a < b, so x_b = -(v_a / v_b) x_a.
    a, b = system.cols[double], system.cols[double + 1]
    r = -system.values[double] * _inverse(system.values[double + 1], p) % p
    order = np.lexsort((a, b))
    first = order[np.concatenate([[True], b[order][1:] != b[order][:-1]])] if len(order) else order
    parent[b[first]] = a[first]
    factor[b[first]] = r[first]
    while True:
        further = parent[parent]
        if np.array_equal(further, parent):
            return parent, factor
        factor = factor * factor[parent] % p
        parent = further


def _tidy(system: System) -> System:
    """Add entries at one place, drop zeros and rows that are multiples of another row."""
    p, n = system.p, system.width
    keys, sums = coalesce(system.rows * n + system.cols, system.values.reshape(-1, 1))
    values = sums[:, 0] % p
    live = values != 0
    keys, values = keys[live], values[live]
    rows, cols = keys // n, keys % n
    if not len(rows):
        return System(p, n, rows, cols, values)
    starts = np.flatnonzero(np.concatenate([[True], rows[1:] != rows[:-1]]))
    sizes = np.diff(np.append(starts, len(rows)))
    number = np.repeat(np.arange(len(starts)), sizes)
    scaled = values * _inverse(values[starts], p)[number] % p
    # Two random functionals make a 62-bit fingerprint. A collision could only drop a constraint that is needed; the exact
    # check of the lifted solution would then fail, and nothing wrong is returned.
    rng = np.random.default_rng(n)
    high, low = (rng.integers(1, p, n) for _ in range(2))
    prints = [np.add.reduceat(scaled * h[cols] % p, starts) % p for h in (high, low)]
    _, chosen = np.unique(prints[0] << 31 | prints[1], return_index=True)
    wanted = np.zeros(len(starts), bool)
    wanted[chosen] = True
    keep = wanted[number]
    return System(p, n, number[keep], cols[keep], scaled[keep])


def _inverse(x: Ints, p: int) -> Ints:
    """x^(p-2) modulo p, elementwise."""
    out, power, k = np.ones_like(x), x % p, p - 2
    while k:
        if k & 1:
            out = out * power % p
        power = power * power % p
        k >>= 1
    return out
