"""A store of its own for every test, and spaces that have every node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import repcore as rc
from repcore.store import cached


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("REPCORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REPCORE_SHARED_CACHE", raising=False)
    monkeypatch.delenv("REPCORE_PUBLISH", raising=False)
    forget()
    yield
    forget()


def forget() -> None:
    """What a fresh process would not know."""
    cached._BASES.clear()
    cached._PLANS.clear()


@pytest.fixture
def forgetful() -> Callable[[], None]:
    return forget


def spaces() -> dict[str, rc.Hom]:
    """One space for each kind of node and of field."""
    D4, S4, C8, SO3 = rc.dihedral(4), rc.symmetric(4), rc.cyclic(8), rc.SO(3)
    G = SO3 @ rc.symmetric(3)
    V, W = rc.lift(SO3.rep, G), rc.lift(rc.symmetric(3).rep, G)
    sign = rc.Rep(D4, discrete=[[[-1]], [[1]]], name="sign")
    rational = rc.Group([[["1/2", "3/4"], ["-1", "1/2"]]], name="tall")
    Q, H = rc.SU(2).rep, rc.octahedral()
    return {
        "defining": D4.rep >> D4.rep,
        "sums": 4 * rc.trivial(D4) + 2 * D4.rep >> D4.rep + 3 * (D4.rep + rc.trivial(D4)),
        "custom": sign * D4.rep >> D4.rep + 2 * sign,
        "cosets": rc.regular(D4) >> rc.quotient(D4, rc.Group([[[0, -1], [1, 0]]])),
        "permutations": S4.rep**2 >> S4.rep,
        "powers": SO3.rep.sym(2) >> SO3.rep.alt(2) + SO3.rep.sym(2),
        "lie": SO3.rep**3 >> SO3.rep**2,
        "irrational": C8.rep**2 >> C8.rep**2,
        "complex": Q.dual >> Q.conj,
        "realified": Q.realify() >> Q.realify(),
        "restricted": SO3.rep.restrict(H) ** 2 >> H.rep,
        "lifted": V * W >> V + W,
        "not orthogonal": rational.rep**2 >> rational.rep.dual * rational.rep,
        "grid": rc.grid(D4, 3) >> rc.grid(D4, 3),
        "no maps": SO3.rep >> rc.trivial(SO3),
        "no generators": rc.Group(dim=2).rep >> rc.Group(dim=2).rep,
    }


@pytest.fixture(params=spaces())
def space(request: pytest.FixtureRequest) -> rc.Hom:
    return spaces()[request.param]
