"""Reduction ``orbits``: generators that permute the basis up to roots of unity.

If rho_V(g) e_x = v_x e_{t(x)} and rho_W(g) e_y = w_y e_{s(y)}, then equivariance reads

    M[s(y), t(x)] = (w_y / v_x) M[y, x],

so M is known on an orbit of index pairs from one entry. With all weights in the group of m-th roots of unity this is a graph:
the m-fold cover of the index pairs, whose node (u, k) stands for zeta_m^k M[u], has an edge for each relation. An orbit
carries a map unless two sheets over it are joined (then M[u] = zeta M[u] = 0). Integer arithmetic, no tolerance.
"""

from __future__ import annotations

from cmath import phase
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd, lcm, tau

import numpy as np
import numpy.typing as npt

from repcore.exact.matrix import Matrix
from repcore.exact.number import Number, zeta
from repcore.groups.components import components

__all__ = ["Monomial", "Orbits", "monomial_action", "orbits", "roots_of_unity"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Monomial:
    """e_i -> zeta_m^{exponents[i]} e_{images[i]}."""

    images: Ints
    exponents: Ints
    m: int


@dataclass(frozen=True, eq=False)
class Orbits:
    """The index pairs, grouped.

    Attributes:
        of: (N,) which orbit an entry belongs to, -1 where it must vanish; orbits are numbered by their first entry.
        exponents: (N,) M[u] = zeta_m^{exponents[u]} M[first entry of its orbit].
        m: the weights are m-th roots of unity.
        count: the number of orbits that carry a map.
    """

    of: Ints
    exponents: Ints
    m: int
    count: int


def monomial_action(a: Matrix) -> Monomial | None:
    """The matrix as a permutation with roots of unity as weights; None if it is something else."""
    if not a.is_monomial:
        return None
    back = a.T  # row i of the transpose is the image of e_i
    if back.is_permutation:
        return Monomial(back.cols, np.zeros(len(back.cols), np.int64), 1)
    values, which = back._values  # pyright: ignore[reportPrivateUsage]
    logs = [_log(v) for v in values]
    if any(x is None for x in logs):
        return None
    known = [x for x in logs if x is not None]
    m = lcm(*(order for _, order in known))
    table = np.array([k * (m // order) for k, order in known], np.int64)
    return Monomial(back.cols, table[which], m)


def roots_of_unity(m: int) -> list[Number]:
    """1, zeta_m, ..., zeta_m^(m-1)."""
    return [zeta(m, k) for k in range(m)]


def orbits(shape: tuple[int, int], pairs: Sequence[tuple[Monomial, Monomial]], alive: Bools | None = None) -> Orbits:
    """Orbits of the entries of a (dim W, dim V) array under pairs (action on W, action on V).

    ``alive``, (dim W * dim V,), says which entries are not known to vanish; with an entry its orbit vanishes.
    Cost: a connected-components run over m nodes for each entry that is alive, and each pair.
    """
    size = shape[0] * shape[1]
    m = lcm(1, *(a.m for pair in pairs for a in pair))
    if alive is None or bool(alive.all()):
        return _orbits(size, m, ((_moved(*pair, shape[1]), _shift(*pair, m)) for pair in pairs))
    live = _closed(np.flatnonzero(alive), shape, pairs)
    at = np.full(size, -1, np.int64)
    at[live] = np.arange(len(live))
    y, x = np.divmod(live, shape[1])
    moves = ((at[w.images[y] * shape[1] + v.images[x]], _shift(w, v, m)[y, x]) for w, v in pairs)
    inside = _orbits(len(live), m, moves)
    of, exponents = np.full(size, -1, np.int64), np.zeros(size, np.int64)
    of[live], exponents[live] = inside.of, inside.exponents
    return Orbits(of, exponents, m, inside.count)


def _orbits(size: int, m: int, moves: Iterable[tuple[Ints, Ints]]) -> Orbits:
    """Orbits of entries 0 .. size - 1, for which M[moved[u]] = zeta_m^shift[u] M[u]."""
    if m == 1:
        of = np.arange(size, dtype=np.int64)
        for moved, _ in moves:
            of = _joined(of, moved)
        count = int(of.max(initial=-1)) + 1
        return Orbits(_first_seen(of), np.zeros(size, np.int64), 1, count)
    sheets = np.arange(size * m, dtype=np.int64)
    k = np.arange(m)
    for moved, shift in moves:
        # Sheet k over u is sheet k - shift over the image.
        shift = shift.ravel()
        target = moved[:, None] * m + (k[None, :] - shift[:, None]) % m
        sheets = _joined(sheets, target.ravel())
    over = sheets.reshape(size, m)
    ordered = np.sort(over, axis=1)
    dead = np.any(ordered[:, 1:] == ordered[:, :-1], axis=1)
    base = _first_seen(ordered[:, 0])
    base[dead] = -1
    base, count = _renumbered(base)
    live = np.flatnonzero(base >= 0)
    first = np.full(count, -1, np.int64)
    first[base[live][::-1]] = live[::-1]
    exponents = np.zeros(size, np.int64)
    # Sheet 0 over the first entry meets exactly one sheet j over u: zeta^j M[u] = M[first].
    same = over[live] == over[first[base[live]], 0][:, None]
    exponents[live] = -np.argmax(same, axis=1) % m
    return Orbits(base, exponents, m, count)


def _closed(live: Ints, shape: tuple[int, int], pairs: Sequence[tuple[Monomial, Monomial]]) -> Ints:
    """The live entries whose whole orbit is alive."""
    while True:
        alive = np.zeros(shape[0] * shape[1], bool)
        alive[live] = True
        y, x = np.divmod(live, shape[1])
        stays = np.ones(len(live), bool)
        for on_w, on_v in pairs:
            stays &= alive[on_w.images[y] * shape[1] + on_v.images[x]]
        if stays.all():
            return live
        live = live[stays]


def _shift(on_w: Monomial, on_v: Monomial, m: int) -> Ints:
    """The exponents of w_y / v_x as m-th roots of unity, (dim W, dim V); zero for m = 1, whatever its size."""
    if m == 1:
        return np.broadcast_to(np.int64(0), (len(on_w.images), len(on_v.images)))
    return (on_w.exponents * (m // on_w.m))[:, None] - (on_v.exponents * (m // on_v.m))[None, :]


def _moved(on_w: Monomial, on_v: Monomial, width: int) -> Ints:
    return (on_w.images[:, None] * width + on_v.images[None, :]).ravel()


def _joined(labels: Ints, target: Ints) -> Ints:
    """Merge labels along u -> target[u]; new labels are 0 .. count-1."""
    other = labels[target]
    differ = labels != other
    if not differ.any():
        return labels
    return components(int(labels.max()) + 1, labels[differ], other[differ])[labels]


def _first_seen(labels: Ints) -> Ints:
    """Renumber labels in the order in which they first appear."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[inverse]


def _renumbered(labels: Ints) -> tuple[Ints, int]:
    """Close the gaps in labels that keep their order; -1 stays."""
    used = np.unique(labels[labels >= 0])
    out = np.where(labels >= 0, np.searchsorted(used, labels), -1)
    return out, len(used)


def _log(v: Number) -> tuple[int, int] | None:
    """(k, order) with v = zeta_order^k in lowest terms, None if v is no root of unity."""
    # The roots of unity of Q(zeta_n) have orders that divide 2n. The angle guesses which one, equality decides.
    bound = 2 * v.conductor
    k = round(phase(complex(v)) * bound / tau) % bound
    if v != zeta(bound, k):
        return None
    return k // gcd(k, bound), bound // gcd(k, bound)
