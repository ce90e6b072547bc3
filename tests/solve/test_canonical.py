"""One space, one basis: no order of generators, no redundancy, no route and no process changes a byte of it."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import repcore as rc
from repcore.solve import chain

SPACES: dict[str, Any] = {
    "S5": (rc.symmetric(5), lambda v, one: v**2 >> v**2),
    "B3": (rc.hyperoctahedral(3), lambda v, one: v**2 >> v**2),
    "D7": (rc.dihedral(7), lambda v, one: v**2 + one >> v**2 + v),
    "O(3)": (rc.O(3), lambda v, one: v**3 >> v**2 + v),
    "SO(4)": (rc.SO(4), lambda v, one: v**2 >> v**2),
    "SU(2)": (rc.SU(2), lambda v, one: v**2 >> v.conj * v),
    "SL(3)": (rc.SL(3), lambda v, one: v**3 >> one + v),
    "O(1,3)": (rc.lorentz(full=True), lambda v, one: v**2 >> v**2),
    "SE(2)": (rc.SE(2), lambda v, one: v**2 >> v),
    "aff(2)": (rc.affine(2), lambda v, one: v**2 >> v),
    "icosahedral": (rc.icosahedral(), lambda v, one: v**3 >> v**2),
    "Q8": (rc.Group([[["I", 0], [0, "-I"]], [[0, 1], [-1, 0]]]), lambda v, one: v * v.conj >> v**2),
}


def solve(name: str, discrete: list[Any], lie: list[Any]) -> Any:
    V = rc.Group(discrete, lie, dim=SPACES[name][0].dim).rep
    return rc.solve(SPACES[name][1](V, rc.trivial(V.group)), store=None)


@pytest.mark.parametrize("name", SPACES)
def test_order_and_repetition_of_generators(name: str) -> None:
    group = SPACES[name][0]
    discrete, lie = list(group.discrete), list(group.lie)
    plain = solve(name, discrete, lie)
    rng = np.random.default_rng(0)
    for _ in range(3):
        some = [discrete[i] for i in rng.permutation(len(discrete))] + [g for g in discrete if rng.random() < 0.5]
        more = [lie[i] for i in rng.permutation(len(lie))] + [a for a in lie if rng.random() < 0.5]
        again = solve(name, some, more)
        assert again.digest == plain.digest
        assert again == plain
        assert hash(again) == hash(plain)
        assert again.to_numpy(complex).tobytes() == plain.to_numpy(complex).tobytes()
        assert again.to_numpy(complex, orthonormal=True).tobytes() == plain.to_numpy(complex, orthonormal=True).tobytes()
        assert [b.digest for b in again] == [b.digest for b in plain]


@pytest.mark.parametrize("name", SPACES)
def test_products_and_brackets_as_extra_generators(name: str) -> None:
    group = SPACES[name][0]
    discrete, lie = list(group.discrete), list(group.lie)
    plain = solve(name, discrete, lie)
    more = [g @ h for g in discrete for h in discrete]
    brackets = [a @ b - b @ a for a in lie for b in lie][:6]
    assert solve(name, more + discrete, lie + brackets).digest == plain.digest
    assert solve(name, [*discrete, *more], [*brackets, *lie]).digest == plain.digest


@settings(max_examples=25)
@given(data=st.data())
def test_any_words_that_generate_the_same_group(data: st.DataObject) -> None:
    group = rc.dihedral(6)
    a, b = group.discrete
    words = [a, b]
    for _ in range(data.draw(st.integers(1, 4))):
        words.append(data.draw(st.sampled_from(words)) @ data.draw(st.sampled_from(words)))
    order = data.draw(st.permutations(words))
    V, W = group.rep, rc.Group(order).rep
    assert rc.solve(W**2 >> W**2, store=None).digest == rc.solve(V**2 >> V**2, store=None).digest


@pytest.mark.parametrize("name", SPACES)
def test_reduced_row_echelon_form(name: str) -> None:
    group, make = SPACES[name]
    basis = rc.solve(make(group.rep, rc.trivial(group)), store=None)
    flat = basis.to_numpy(complex).reshape(basis.dim, -1)
    pivots = [int(np.flatnonzero(row)[0]) for row in flat]
    assert pivots == sorted(set(pivots))
    assert np.array_equal(flat[:, pivots], np.eye(basis.dim))


# -------------------------------------------------------------------------------------------------------------------- routes


def without_orbits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "monomial_action", lambda a: None)


def without_integration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "quarter_turns", lambda lie, given, usable: ([], list(range(len(lie)))))


def without_conjugacy(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = chain.quarter_turns
    monkeypatch.setattr(chain, "quarter_turns", lambda lie, *rest: (honest(lie, *rest)[0], list(range(len(lie)))))


ROUTES = {f.__name__: [f] for f in (without_orbits, without_integration, without_conjugacy)}
ROUTES["nullspace alone"] = [without_orbits, without_integration]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", SPACES)
def test_every_route_ends_in_the_same_basis(monkeypatch: pytest.MonkeyPatch, name: str, route: str) -> None:
    group, make = SPACES[name]
    space = make(group.rep, rc.trivial(group))
    plain = rc.solve(space, store=None)
    for skip in ROUTES[route]:
        skip(monkeypatch)
    again = rc.solve(space, store=None)
    assert again.certificate.status == "proved"
    assert again.digest == plain.digest


def test_the_routes_of_this_file_do_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skipping a reduction must show in the steps, or the test above compares a route with itself."""
    space = rc.O(3).rep ** 2 >> rc.O(3).rep ** 2
    names = [s.name for s in rc.solve(space, store=None).steps]
    assert "orbits" in names
    assert "integrate" in names
    without_integration(monkeypatch)
    assert "integrate" not in [s.name for s in rc.solve(space, store=None).steps]
    monkeypatch.undo()
    without_orbits(monkeypatch)
    assert "orbits" not in [s.name for s in rc.solve(space, store=None).steps]


@pytest.mark.parametrize("entry", [2**30, 2**45, 2**57, 2**58, 2**59, 2**60, 2**61])
def test_routes_agree_on_large_entries(monkeypatch: pytest.MonkeyPatch, entry: int) -> None:
    """Where one route needs Python integers and another does not, the digest is the same."""
    twice = [[0, 1, 0, 0], [entry, 1, 0, 0], [0, 0, 0, 1], [0, 0, entry, 1]]
    swap = [[0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
    G = rc.Group([twice, swap])
    plain = rc.solve(G.rep >> G.rep, store=None)
    without_orbits(monkeypatch)
    again = rc.solve(G.rep >> G.rep, store=None)
    assert again.digest == plain.digest
    assert list(again) == list(plain)


# --------------------------------------------------------------------------------------------------------------- other sessions

SCRIPT = """
import repcore as rc
for group in (rc.symmetric(4), rc.dihedral(5), rc.O(3), rc.SU(2), rc.affine(2)):
    generators = list(group.discrete), list(group.lie)
    if {reverse}:
        generators = generators[0][::-1], generators[1][::-1]
    V = rc.Group(*generators).rep
    basis = rc.solve(V ** 2 + rc.trivial(V.group) >> V ** 2, store=None)
    print(basis.digest, rc.plan(basis).digest, basis.to_numpy(complex, orthonormal=True).tobytes().hex()[:4000])
"""


def test_two_processes_agree_to_the_byte() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT.format(reverse=reverse)],
            env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, reverse in (("1", False), ("2", True))
    ]
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == 5


def test_pinned_bases() -> None:
    """The first bases by value: the order, the sign and the normalisation that stored weights rely on."""
    V = rc.dihedral(4).rep
    assert [b.tolist() for b in rc.solve(V**2 >> V, store=None)] == []
    assert [b.tolist() for b in rc.solve(V >> V, store=None)] == [[[1, 0], [0, 1]]]
    S = rc.symmetric(3).rep
    assert [b.tolist() for b in rc.solve(S >> S, store=None)] == [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 1, 1], [1, 0, 1], [1, 1, 0]],
    ]
    R = rc.SO(3).rep
    assert [b.tolist() for b in rc.solve(R**2 >> R, store=None)] == [
        [[0, 0, 0, 0, 0, 1, 0, -1, 0], [0, 0, -1, 0, 0, 0, 1, 0, 0], [0, 1, 0, -1, 0, 0, 0, 0, 0]]
    ]
    C = rc.cyclic(3).rep
    assert [b.tolist() for b in rc.solve(C**2 >> C, store=None)] == [
        [[1, 0, 0, -1], [0, -1, -1, 0]],
        [[0, 1, 1, 0], [1, 0, 0, -1]],
    ]
    A = rc.affine(1).rep
    assert [b.tolist() for b in rc.solve(A**2 >> A, store=None)] == [
        [[0, 1, 0, 0], [0, 0, 0, 1]],
        [[0, 0, 1, 0], [0, 0, 0, 1]],
    ]


@pytest.mark.parametrize("shuffled", list(permutations(range(3))))
def test_shuffled_lie_generators_of_so3(shuffled: tuple[int, ...]) -> None:
    lie = rc.SO(3).lie
    V = rc.Group(lie=[lie[i] for i in shuffled]).rep
    assert rc.solve(V**3 >> V**2, store=None).digest == rc.solve(rc.SO(3).rep ** 3 >> rc.SO(3).rep ** 2, store=None).digest
