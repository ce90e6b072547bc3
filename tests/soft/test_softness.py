"""The dial: two units and the map between them, monotone, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import repcore as rc

from .conftest import random_map, rounding

V = rc.SO(3).rep
SPACE = V**2 >> V


def test_the_two_units_name_the_same_filters() -> None:
    plan = rc.soften(SPACE, cutoff=0).plan
    for k, (value, share) in enumerate(zip(plan.values.tolist(), plan.shares.tolist(), strict=True)):
        by_value, by_share = rc.soften(SPACE, cutoff=value), rc.soften(SPACE, keep=share)
        assert by_value == by_share
        assert by_value.digest == by_share.digest
        assert by_value.gains.tolist() == [1.0] * (k + 1) + [0.0] * (len(plan) - k - 1)
        assert by_value.softness == share
        assert by_share.cutoff == value
        assert plan.level_of(value) == plan.level_at(share) == k
        again = rc.soften(SPACE, keep=by_value.softness), rc.soften(SPACE, cutoff=by_share.cutoff)
        assert again == (by_value, by_value)


def test_a_cutoff_at_a_level_keeps_it_in_spite_of_rounding() -> None:
    """sqrt 2 is the first value of SO(3), on whichever side it is rounded to."""
    for b in (np.sqrt(2.0), np.nextafter(np.sqrt(2.0), 0), np.nextafter(np.sqrt(2.0), 2)):
        assert rc.soften(V >> V, cutoff=float(b)).softness == 0.375


@given(st.floats(0, 1), st.floats(0, 1))
def test_softness_is_monotone_and_never_more_than_asked(a: float, b: float) -> None:
    a, b = sorted((a, b))
    less, more = rc.soften(SPACE, keep=a), rc.soften(SPACE, keep=b)
    assert less.softness <= a
    assert less.softness <= more.softness
    assert bool(np.all(less.gains <= more.gains))
    w = random_map(SPACE)
    assert float(less.bound(w)) <= float(more.bound(w)) * (1 + 1e-12)
    assert np.linalg.norm(w - more.project(w)) <= np.linalg.norm(w - less.project(w)) + rounding(w)


@given(st.floats(0, 20), st.floats(0, 20))
def test_profiles_are_monotone(a: float, b: float) -> None:
    a, b = sorted((a, b))
    assert bool(np.all(rc.soften(SPACE, gain=rc.Heat(b)).gains <= rc.soften(SPACE, gain=rc.Heat(a)).gains))
    assert bool(np.all(rc.soften(SPACE, gain=rc.Tikhonov(a)).gains <= rc.soften(SPACE, gain=rc.Tikhonov(b)).gains))
    assert bool(np.all(rc.soften(SPACE, cutoff=a).gains <= rc.soften(SPACE, cutoff=b).gains))


def test_ends_of_the_profiles() -> None:
    w = random_map(SPACE)
    strict = rc.soften(SPACE, cutoff=0)
    assert rc.soften(SPACE, gain=rc.Tikhonov(0)) == strict
    for free in (rc.Heat(0), rc.Cutoff(float("inf"))):
        soft = rc.soften(SPACE, gain=free)
        assert np.array_equal(soft.project(w), w)
        assert soft.softness == 1
        assert soft.is_idempotent
    assert rc.soften(SPACE, gain=rc.Heat(1e6)) == strict


def test_a_space_without_complement() -> None:
    """Everything is equivariant under the trivial group: strict and free are one."""
    one = rc.trivial(rc.cyclic(1))
    soft = rc.soften(3 * one >> 2 * one, cutoff=0)
    assert len(soft.plan) == 1
    assert soft.softness == 1
    assert soft.plan.shares.tolist() == [1.0]
    w = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(soft.project(w), w)
    assert float(soft.bound(w)) == 0


def test_levels_are_used_again() -> None:
    soft = rc.soften(SPACE, cutoff=0)
    other = rc.soften(soft, gain=rc.Heat(0.5))
    assert other.plan is soft.plan
    assert other.space == SPACE
    assert rc.soften(rc.solve(SPACE), cutoff=0) == soft


def test_values_compare_and_hash_by_digest() -> None:
    a, b = rc.soften(SPACE, gain=rc.Heat(0.5)), rc.soften(SPACE, gain=rc.Heat(0.5))
    assert a == b
    assert hash(a) == hash(b)
    assert a.plan == b.plan
    assert hash(a.plan) == hash(b.plan)
    assert a != rc.soften(SPACE, gain=rc.Heat(0.6))
    assert a != "soft"
    assert a.plan != "plan"
    assert a.digest != rc.soften(V >> V, gain=rc.Heat(0.5)).digest
    assert a.plan != rc.soften(SPACE, cutoff=0, construction="stacked").plan


def test_the_digest_forgives_rounding_and_nothing_else() -> None:
    """Ten digits of a gain: an ulp more is the same filter, 1e-9 more another."""
    gains = rc.soften(SPACE, gain=rc.Heat(0.5)).gains
    same, other = (rc.soften(SPACE, gain=gains * (1 + d)) for d in (2.0**-52, 1e-9))
    assert same == rc.soften(SPACE, gain=gains)
    assert other != same


def test_spectrum_and_words() -> None:
    soft = rc.soften(SPACE, gain=rc.Tikhonov(2.0))
    assert soft.spectrum["multiplicity"].tolist() == soft.plan.multiplicities.tolist()
    assert soft.spectrum["share"][-1] == 1
    assert soft.spectrum["gain"].tolist() == soft.gains.tolist()
    text = soft.explain()
    assert "Tikhonov(tau=2.0)" in text
    assert "isotypic" in text
    assert len(text.splitlines()) == 4 + len(soft.plan)
    assert "Tikhonov" in repr(soft)
    assert "profile" in repr(rc.soften(SPACE, gain=lambda level: 1.0))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "exactly one"),
        ({"cutoff": 1, "keep": 0.5}, "exactly one"),
        ({"cutoff": -1.0}, "cutoff"),
        ({"cutoff": float("nan")}, "cutoff"),
        ({"keep": 1.5}, "keep"),
        ({"keep": float("nan")}, "keep"),
        ({"gain": [1.0, 2.0]}, "one finite number for each"),
        ({"gain": lambda level: float("nan")}, "not finite"),
        ({"cutoff": 0, "construction": "magic"}, "construction is 'magic'"),
        ({"cutoff": 0, "construction": "generator"}, "no single generator"),
    ],
)
def test_refuses(options: Any, match: str) -> None:
    with pytest.raises(rc.IncompatibleError, match=match):
        rc.soften(SPACE, **options)


def test_refuses_what_is_no_space() -> None:
    with pytest.raises(rc.IncompatibleError, match="X >> Y"):
        rc.soften(V, cutoff=0)  # type: ignore[arg-type]
    with pytest.raises(rc.IncompatibleError, match="give the space"):
        rc.soften(rc.soften(SPACE, cutoff=0), cutoff=0, construction="stacked")


@pytest.mark.parametrize("make", [rc.Heat, rc.Tikhonov, rc.Cutoff])
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_profiles_refuse(make: Any, value: float) -> None:
    with pytest.raises(rc.IncompatibleError, match=">= 0"):
        make(value)


def test_refuses_arrays_of_another_shape() -> None:
    plan = rc.soften(SPACE, cutoff=0).plan
    with pytest.raises(rc.IncompatibleError, match=r"weight: has shape \(3, 3\)"):
        plan.project(np.zeros((3, 3)), np.zeros(len(plan)))
    with pytest.raises(rc.IncompatibleError, match="gains"):
        plan.project(np.zeros((3, 9)), np.zeros(2))
