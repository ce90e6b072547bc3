"""The table: spaces that a peer was seen to need seconds or minutes for, with the dimension and the time to reach.

Dimensions come from outside the solver: Riordan and Bell numbers, counts of permutations without long increasing subsequences,
or the mean of |tr g|^(2k) over all elements g of a finite group (``test_figures.py`` computes those means again).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import groups

import repcore as rc

Terms = tuple[tuple[int, int, int], ...]
"""A sum of copies of tensors: (multiplicity, p, q) is that many copies of V^p V*^q."""


@dataclass(frozen=True)
class Case:
    """One space X >> Y: its name in the table, how EMLP names the group (None: it is given our matrices), and the target."""

    name: str
    group: Callable[[], rc.Group]
    x: Terms
    y: Terms
    dim: int
    target: float
    emlp: tuple[Any, ...] | None = None


def tensor(p: int, q: int = 0) -> Terms:
    return ((1, p, q),)


def _powers(name: str, group: Callable[[], rc.Group], rows: dict[tuple[int, int], tuple[int, float]], *emlp: Any) -> list[Case]:
    return [
        Case(f"{name}, V^{a} -> V^{b}".replace("V^1", "V"), group, tensor(a), tensor(b), dim, target, emlp or None)
        for (a, b), (dim, target) in rows.items()
    ]


_S6 = ((100, 0, 0), (100, 1, 0), (20, 2, 0))

CASES: list[Case] = [
    *_powers(
        "SO(3)",
        lambda: rc.SO(3),
        {(3, 3): (15, 0.05), (4, 3): (36, 0.15), (4, 4): (91, 0.3), (5, 5): (603, 15)},
        "SO",
        3,
    ),
    *_powers("S_10", lambda: rc.symmetric(10), {(2, 2): (15, 0.05)}, "S", 10),
    *_powers("S_40", lambda: rc.symmetric(40), {(2, 2): (15, 4)}, "S", 40),
    *_powers("Z_100", lambda: groups.shifts(100), {(1, 1): (100, 0.05)}, "Z", 100),
    *_powers("SO(20)", lambda: rc.SO(20), {(1, 1): (1, 0.2)}, "SO", 20),
    Case("U(3), T(2,1) -> T(2,1)", lambda: rc.U(3), tensor(2, 1), tensor(2, 1), 6, 0.2, ("U", 3)),
    *_powers("Sp(4)", lambda: rc.Sp(4), {(3, 3): (14, 0.2)}, "Sp", 2),
    # EMLP gets the true moves here: the ones of its own RubiksCube are wrong.
    *_powers("Rubik's cube", groups.rubik, {(1, 1): (9, 0.05), (2, 2): (350, 10)}),
    Case("S_6, 100 V^0 + 100 V + 20 V^2 -> same", lambda: rc.symmetric(6), _S6, _S6, 84_000, 1, ("S", 6)),
    *_powers("Lorentz", lambda: rc.lorentz(), {(3, 3): (25, 1)}, "SO13p"),
    Case("SU(3), V^2 V*^2 -> same", lambda: rc.SU(3), tensor(2, 2), tensor(2, 2), 23, 1, ("SU", 3)),
    *_powers("SO(5)", lambda: rc.SO(5), {(3, 3): (15, 1)}, "SO", 5),
    # 24 ways to send three of four factors on and to drop one, and one relation, as an alternating 4-form on R^3 is zero.
    *_powers("affine(2)", lambda: rc.affine(2), {(4, 3): (23, 1)}),
    *_powers("S_5 standard", lambda: groups.coxeter("A4"), {(3, 4): (147, 6), (4, 4): (568, 30)}),
    *_powers("W(E6)", lambda: groups.coxeter("E6"), {(3, 3): (16, 6)}),
    *_powers("W(F4)", lambda: groups.coxeter("F4"), {(4, 4): (148, 20)}),
    *_powers("C_15", lambda: rc.cyclic(15), {(2, 2): (6, 3), (3, 3): (20, 3)}, "C", 15),
    *_powers("D_12", lambda: rc.dihedral(12), {(2, 2): (3, 3), (3, 3): (10, 3)}, "D", 12),
    *_powers("H_3", lambda: rc.icosahedral(full=True), {(2, 2): (3, 3), (3, 3): (16, 3)}),
    *_powers("H_4", lambda: groups.coxeter("H4"), {(2, 2): (3, 3), (3, 3): (15, 3)}),
    *_powers("A_5, icosahedral", lambda: rc.icosahedral(), {(2, 2): (3, 3), (3, 3): (16, 3)}),
    *_powers("PSL(2,7)", groups.klein, {(2, 2): (2, 3), (3, 3): (7, 3)}),
    *_powers("Clifford group", groups.clifford, {(2, 2): (2, 3), (3, 3): (5, 3)}),
]


def rep(group: rc.Group, terms: Terms) -> rc.Rep:
    """The representation that a sum of tensors names."""
    V = group.rep
    out: rc.Rep | None = None
    for count, p, q in terms:
        term = rc.trivial(group) if p + q == 0 else V**p if q == 0 else V.dual**q if p == 0 else V**p * V.dual**q
        term = count * term
        out = term if out is None else out + term
    if out is None:
        raise ValueError("terms: a sum needs a term")
    return out
