"""Not completely reducible: an error with the reason."""

from __future__ import annotations

import copy
import pickle

import pytest

import repcore as rc

SERIES = {
    "affine": (rc.affine(2).rep, (2, 3)),
    "affine 2": (rc.affine(2).rep ** 2, (4, 8, 9)),
    "translations": (rc.translations(2).rep, (2, 3)),
    "translations, dual": (rc.translations(2).rep.dual, (1, 3)),
    "SE(2)": (rc.SE(2).rep, (2, 3)),
    "E(2), dual": (rc.E(2).rep.dual, (1, 3)),
    "shear": (rc.Group(discrete=[[[1, 1], [0, 1]]]).rep, (1, 2)),
    "shear, Lie": (rc.Group(lie=[[[2, 1], [0, 2]]]).rep ** 2, (2, 3, 4)),
}


@pytest.mark.parametrize("name", SERIES)
def test_the_socle_series(name: str) -> None:
    rep, series = SERIES[name]
    with pytest.raises(rc.NotCompletelyReducibleError, match="is not completely reducible") as caught:
        rc.decompose(rep)
    assert caught.value.socle_series == series
    assert str(series[0]) in str(caught.value)


@pytest.mark.parametrize("rep", [rc.SE(3).rep ** 2, rc.affine(3).rep ** 2, rc.affine(3).rep.dual ** 2], ids=str)
def test_fixed_vectors_without_a_partner(rep: rc.Rep) -> None:
    """Too large for the generated algebra: the fixed vectors and functionals do not pair."""
    with pytest.raises(rc.NotCompletelyReducibleError, match="fixed vectors"):
        rc.decompose(rep)


def test_the_commutant_shows_nilpotent_maps() -> None:
    """exp(tA) on R^2 tensored with the standard representation of S_4: no fixed vector, but a nilpotent equivariant map."""
    shear = rc.Group(discrete=[[[2, 1], [0, 2]]])
    both = shear @ rc.symmetric(6)
    rep = rc.lift(shear.rep, both) * rc.lift(rc.symmetric(6).rep, both)
    with pytest.raises(rc.NotCompletelyReducibleError, match="trace form"):
        rc.decompose(rep)


def test_the_error_survives_copying() -> None:
    error = rc.NotCompletelyReducibleError("why", (1, 2))
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - its own bytes
        assert str(other) == "why"
        assert other.socle_series == (1, 2)
    assert isinstance(error, rc.RepresentationError)


def test_completely_reducible_parts_of_such_groups_decompose() -> None:
    """The linear part of the affine group, as a representation of its own."""
    group = rc.translations(2)
    found = rc.decompose(3 * rc.trivial(group))
    assert [(c.multiplicity, c.irrep.dim) for c in found] == [(3, 1)]


def test_images_that_break_a_relation_are_refused_when_declared() -> None:
    with pytest.raises(rc.RepresentationError):
        rc.Rep(rc.cyclic(4), discrete=[[[1, 1], [0, 1]]])


def test_arguments_are_checked() -> None:
    with pytest.raises(rc.IncompatibleError, match="rep"):
        rc.decompose(rc.SO(3).rep >> rc.SO(3).rep)  # type: ignore[arg-type]
    with pytest.raises(rc.IncompatibleError, match=r"reps\[1\]"):
        rc.decompose_together((rc.SO(3).rep, rc.SO(2).rep))
    with pytest.raises(rc.IncompatibleError, match=r"reps\[0\]"):
        rc.decompose_together((3,))  # type: ignore[arg-type]
    assert rc.decompose_together(()) == ()
    assert len(rc.decompose(0 * rc.SO(3).rep)) == 0
