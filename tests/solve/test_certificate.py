"""What the certificate guards against, by sabotage of the chain.

Constraints that get lost, bad primes, collisions, wrong residues: the answer is right or there is none. Constraints that do
not belong leave a sound basis that is too small; `verify` counts again and finds that.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.basis import compute
from repcore.exact.matrix import Matrix, from_coo
from repcore.solve import chain
from repcore.solve.certificate import Certificate
from repcore.solve.nullspace import Kernel
from repcore.solve.orbits import Orbits
from repcore.solve.presolve import System

# A space that passes through every reduction, with maps left and unknowns that must vanish.
SPACES = {
    "O(3)": lambda: rc.O(3).rep ** 2 >> rc.O(3).rep ** 2,
    "SL(2)": lambda: rc.SL(2).rep ** 3 >> rc.SL(2).rep,
    "D5": lambda: rc.dihedral(5).rep ** 2 >> rc.dihedral(5).rep ** 2,
    "SU(2)": lambda: rc.SU(2).rep ** 2 >> rc.SU(2).rep ** 2,
    "aff(1)": lambda: rc.affine(1).rep ** 2 >> rc.affine(1).rep,
}
MONOMIAL = {
    "B2": lambda: rc.hyperoctahedral(2).rep ** 2 >> rc.hyperoctahedral(2).rep ** 2,
    "S4": lambda: rc.symmetric(4).rep >> rc.symmetric(4).rep ** 2,
    "mu3": lambda: (lambda v: v**2 >> v.dual)(rc.Group([[["zeta(3)", 0], [0, 1]], [[0, 1], [1, 0]]]).rep),
}


def right_or_none(space: Any, expected: list[Matrix]) -> str:
    """Solve under sabotage: the right basis, or an error that says so; never a wrong answer."""
    try:
        basis = compute(space)
    except rc.SolveError:
        return "refused"
    assert list(basis) == expected, "a wrong basis was returned, and called " + basis.certificate.status
    return "repaired"


def expected_of(space: Any) -> list[Matrix]:
    return list(compute(space))


def drop_rows(system: System, wanted: Any) -> System:
    keep = wanted(system.rows)
    return replace(system, rows=system.rows[keep], cols=system.cols[keep], values=system.values[keep])


def noticed_by_verify(space: Any, expected: list[Matrix]) -> None:
    """Too many constraints: a bound on the nullity cannot tell, what is left is sound. The second opinion counts again."""
    try:
        basis = compute(space)
    except rc.SolveError:
        return
    assert list(basis) != expected, "the sabotage did nothing"
    found = rc.verify(basis)
    assert found.sound
    assert found.complete is False
    assert not found


@pytest.mark.parametrize("name", SPACES)
def test_a_dropped_constraint_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    space = SPACES[name]()
    expected = expected_of(space)
    honest = chain.presolve
    for part in (lambda rows: rows > np.median(rows), lambda rows: rows < np.median(rows), lambda rows: rows % 7 != 0):
        monkeypatch.setattr(chain, "presolve", lambda s, part=part: honest(drop_rows(s, part)))
        right_or_none(space, expected)


@pytest.mark.parametrize("name", SPACES)
def test_no_constraint_at_all_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    space = SPACES[name]()
    expected = expected_of(space)
    honest = chain.presolve
    monkeypatch.setattr(chain, "presolve", lambda s: honest(drop_rows(s, lambda rows: rows < 0)))
    assert right_or_none(space, expected) == "refused"


@pytest.mark.parametrize("name", SPACES)
def test_a_constraint_that_does_not_belong_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """One unknown of the answer is set to zero: the answer shrinks and stays sound, so only counting again can notice."""
    space = SPACES[name]()
    expected = expected_of(space)
    honest = chain.presolve

    def sabotaged(s: System) -> Any:
        pivot = int(np.flatnonzero(honest(s).rep == np.arange(s.width))[0])
        row = int(s.rows.max(initial=0)) + 1
        more = replace(s, rows=np.append(s.rows, row), cols=np.append(s.cols, pivot), values=np.append(s.values, 1))
        return honest(more)

    monkeypatch.setattr(chain, "presolve", sabotaged)
    noticed_by_verify(space, expected)


@pytest.mark.parametrize("name", SPACES)
def test_a_forgotten_generator_is_repaired(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    space = SPACES[name]()
    expected = expected_of(space)
    honest = chain.quarter_turns
    monkeypatch.setattr(chain, "quarter_turns", lambda lie, *rest: (honest(lie, *rest)[0], list(range(len(lie)))[:-1]))
    assert right_or_none(space, expected) == "repaired"
    monkeypatch.setattr(chain, "quarter_turns", lambda lie, *rest: (honest(lie, *rest)[0], []))
    right_or_none(space, expected)


@pytest.mark.parametrize("name", SPACES)
def test_a_wrong_entry_in_the_kernel_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    space = SPACES[name]()
    expected = expected_of(space)
    honest = chain.kernel

    def sabotaged(*args: Any) -> Kernel:
        found = honest(*args)
        values = found.values.copy()
        values[-1] = (values[-1] + 1) % found.p
        return replace(found, values=values)

    monkeypatch.setattr(chain, "kernel", sabotaged)
    assert right_or_none(space, expected) == "refused"


@pytest.mark.parametrize("name", SPACES)
def test_one_bad_prime_is_survived(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """At the first prime everything goes wrong; the next ones are enough."""
    space = SPACES[name]()
    expected = expected_of(space)
    honest = chain.kernel
    seen: list[int] = []

    def sabotaged(*args: Any) -> Kernel:
        found = honest(*args)
        seen.append(found.p)
        if found.p != seen[0]:
            return found
        return replace(found, values=found.values * 3 % found.p)

    monkeypatch.setattr(chain, "kernel", sabotaged)
    right_or_none(space, expected)


@pytest.mark.parametrize("name", SPACES)
def test_a_prime_of_larger_nullity_is_survived(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    space = SPACES[name]()
    expected = expected_of(space)
    honest = chain.presolve
    seen: list[int] = []

    def sabotaged(s: System) -> Any:
        seen.append(s.p)
        return honest(drop_rows(s, lambda rows: rows < 0) if s.p == seen[0] else s)

    monkeypatch.setattr(chain, "presolve", sabotaged)
    assert right_or_none(space, expected) == "repaired"


@pytest.mark.parametrize("name", SPACES)
def test_a_wrong_lift_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    space = SPACES[name]()
    expected = expected_of(space)
    honest = chain.lift

    def sabotaged(*args: Any) -> Any:
        found = honest(*args)
        if found is None:
            return None
        nums = found.nums.copy()
        nums[-1, 0] += 1
        return from_coo(found.shape, found.field, found.rows, found.cols, nums, found.den)

    monkeypatch.setattr(chain, "lift", sabotaged)
    assert right_or_none(space, expected) == "refused"


def test_a_quarter_turn_outside_the_group_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reflection passed off as a rotation: the orbits are too large, so maps are lost and the rest stays sound."""
    space = rc.SO(2).rep >> rc.SO(2).rep
    expected = expected_of(space)

    def sabotaged(lie: Any, given: Any, usable: Any) -> Any:
        wrong = rc.matrix([[0, 1], [1, 0]])
        assert usable(wrong)
        return [wrong], [0]

    monkeypatch.setattr(chain, "quarter_turns", sabotaged)
    noticed_by_verify(space, expected)


# -------------------------------------------------------------------------------------------------------------------- orbits


@pytest.mark.parametrize("name", MONOMIAL)
def test_split_orbits_are_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    space = MONOMIAL[name]()
    expected = expected_of(space)
    honest = chain.orbits

    def sabotaged(*args: Any) -> Orbits:
        found = honest(*args)
        of = found.of.copy()
        last = np.flatnonzero(of == found.count - 1)
        if len(last) < 2:
            return found
        of[last[-1]] = found.count
        return replace(found, of=of, count=found.count + 1)

    monkeypatch.setattr(chain, "orbits", sabotaged)
    assert right_or_none(space, expected) == "refused"


@pytest.mark.parametrize("name", MONOMIAL)
def test_wrong_phases_are_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    space = MONOMIAL[name]()
    expected = expected_of(space)
    honest = chain.orbits

    def sabotaged(*args: Any) -> Orbits:
        found = honest(*args)
        exponents = found.exponents.copy()
        live = np.flatnonzero(found.of >= 0)
        if found.m > 1 and len(live):
            exponents[live[-1]] = (exponents[live[-1]] + 1) % found.m
        return replace(found, exponents=exponents)

    monkeypatch.setattr(chain, "orbits", sabotaged)
    outcome = right_or_none(space, expected)
    assert outcome == ("repaired" if name == "S4" else "refused")


@pytest.mark.parametrize("name", ["B2", "S4"])
def test_merged_orbits_are_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Two orbits taken for one: what is left is invariant, and one element is missing."""
    space = MONOMIAL[name]()
    expected = expected_of(space)
    honest = chain.orbits

    def sabotaged(*args: Any) -> Orbits:
        found = honest(*args)
        if found.count < 2:
            return found
        of = np.where(found.of == found.count - 1, found.count - 2, found.of)
        return replace(found, of=of, count=found.count - 1)

    monkeypatch.setattr(chain, "orbits", sabotaged)
    noticed_by_verify(space, expected)


# ----------------------------------------------------------------------------------------------------------------- reading it


def test_the_certificate_says_how() -> None:
    by_orbits = rc.solve(rc.symmetric(4).rep >> rc.symmetric(4).rep, store=None).certificate
    assert by_orbits == Certificate("proved", ("orbits",), ())
    assert str(by_orbits) == "proved: every element checked exactly; complete by orbits"
    by_weights = rc.solve(rc.Group(lie=[[[1, 0], [0, -1]]]).rep ** 2 >> rc.trivial(rc.Group(lie=[[[1, 0], [0, -1]]])), store=None)
    assert by_weights.certificate == Certificate("proved", ("weights",), ())
    by_nullity = rc.solve(rc.SL(2).rep ** 2 >> rc.SL(2).rep ** 2, store=None).certificate
    assert by_nullity.completeness == ("nullity",)
    assert by_nullity.primes
    assert str(by_nullity.primes[0]) in str(by_nullity)
    assert str(by_nullity).startswith("proved: every element checked exactly; complete by nullity modulo ")


def test_the_steps_tell_the_sizes() -> None:
    basis = rc.solve(rc.SO(3).rep ** 4 >> rc.SO(3).rep ** 4, store=None)
    steps = {s.name: s for s in basis.steps}
    # The figures of the design: 6,561 unknowns, 274 after the rotations of the cube, 91 in the end.
    assert steps["split"].before == 6561
    assert (steps["orbits"].before, steps["orbits"].after) == (6561, 274)
    assert basis.steps[-1].after == basis.dim == 91


@pytest.mark.parametrize("name", SPACES | {"bent": lambda: rc.trivial(rc.SL(2)) >> rc.SL(2).rep ** 4})
def test_each_step_begins_where_the_last_one_ended(name: str) -> None:
    space = (SPACES | {"bent": lambda: rc.trivial(rc.SL(2)) >> rc.SL(2).rep ** 4})[name]()
    steps = compute(space).steps
    assert steps[0].before == space.shape[0] * space.shape[1]
    for a, b in pairwise(steps):
        assert b.before == a.after
    # Only a count of unknowns that is known to be smaller is smaller.
    assert all(s.after == s.before for s in steps if s.name in ("bend", "integrate"))
    assert ("bend" in {s.name for s in steps}) == (name in ("SL(2)", "bent"))


def test_the_certificate_is_frozen() -> None:
    certificate = rc.solve(rc.cyclic(4).rep >> rc.cyclic(4).rep, store=None).certificate
    with pytest.raises(AttributeError):
        certificate.status = "proved"  # type: ignore[misc]
