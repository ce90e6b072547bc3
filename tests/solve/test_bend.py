"""Bending: another cut of the tensor factors, the same entries in the same order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import repcore as rc
from repcore.basis import compute
from repcore.solve import chain
from repcore.solve.bend import bend


def _cartan(rank: int) -> rc.Group:
    """The Weyl group of A_rank on its root lattice: integer matrices in a basis that is not orthogonal."""
    generators = []
    for i in range(rank):
        rows = [[int(r == c) for c in range(rank)] for r in range(rank)]
        for j in range(rank):
            rows[i][j] -= 2 if i == j else -1 if abs(i - j) == 1 else 0
        generators.append(rows)
    return rc.Group(generators)


A4, AFF, SU2, ICO, SO3, S4 = _cartan(4), rc.affine(1), rc.SU(2), rc.icosahedral(), rc.SO(3), rc.symmetric(4)

CASES: dict[str, tuple[Callable[[], rc.Hom], int]] = {
    "A4: 1 >> V**5": (lambda: rc.trivial(A4) >> A4.rep**5, 11),
    "A4: V**5 >> 1": (lambda: A4.rep**5 >> rc.trivial(A4), 11),
    "A4: V**4*V* >> V": (lambda: A4.rep**4 * A4.rep.dual >> A4.rep, 40),
    "A4: V >> V**4": (lambda: A4.rep >> A4.rep**4, 11),
    "Aff(1): V**5 >> V": (lambda: AFF.rep**5 >> AFF.rep, 5),
    "Aff(1): V >> V**5": (lambda: AFF.rep >> AFF.rep**5, 0),
    "Aff(1): 1 >> V**2*V***3": (lambda: rc.trivial(AFF) >> AFF.rep**2 * AFF.rep.dual**3, 5),
    "SU(2): V**4*V* >> V": (lambda: SU2.rep**4 * SU2.rep.dual >> SU2.rep, 5),
    "SU(2): 1 >> V**4": (lambda: rc.trivial(SU2) >> SU2.rep**4, 2),
    "I: 1 >> V**5": (lambda: rc.trivial(ICO) >> ICO.rep**5, 6),
    "SO(3): V >> V**5": (lambda: SO3.rep >> SO3.rep**5, 15),
    "S4: V**3 >> 1": (lambda: S4.rep**3 >> rc.trivial(S4), 5),
}


@pytest.mark.parametrize("name", CASES)
def test_every_cut_has_the_same_basis(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    make, dim = CASES[name]
    space = make()
    bent = compute(space)
    assert [s.name for s in bent.steps][:2] == ["split", "bend"]
    monkeypatch.setattr(chain, "bend", lambda v, w: (v, w))
    straight = compute(space)
    assert "bend" not in [s.name for s in straight.steps]
    assert bent.dim == dim
    assert bent == straight
    assert rc.verify(bent)


def test_balanced_spaces_are_left_alone() -> None:
    V = SO3.rep
    for v, w in ((V**2, V**2), (V, V**2), (V.sym(2), V), (rc.trivial(SO3), V)):
        assert bend(v, w) == (v, w)


def test_a_wrong_dual_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors that cross over without being dualised make another space, where V and V* differ."""
    space = rc.trivial(A4) >> A4.rep**4
    right = compute(space)
    monkeypatch.setattr(chain, "bend", lambda v, w: (A4.rep**2, A4.rep**2))
    assert compute(space) != right
    assert not rc.verify(compute(space))
