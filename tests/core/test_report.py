"""Reports: as text, as plain data, as a picture; and what has no mean over the group says so."""

from __future__ import annotations

import json

import numpy as np
import pytest

import repcore as rc

V = rc.dihedral(4).rep


def probe_of(path: str, W: np.ndarray, space: rc.Hom) -> rc.Probe:
    slot = rc.Slot(path, path, "weight", "linear", W.shape, ("o", "i"))
    (site,) = rc.resolve({path: space}, [slot])
    found = rc.probe(site, W, float(np.finfo(float).eps))
    assert found is not None
    return found


def report(space: rc.Hom = V >> V) -> rc.Report:
    rng = np.random.default_rng(0)
    weights = {"first": rng.standard_normal(space.shape), "second": rc.plan(space).project(rng.standard_normal(space.shape))}
    probes = [probe_of(path, W, space) for path, W in weights.items()]

    def net(maps: dict[str, np.ndarray]):
        return lambda x: x @ (weights | maps)["first"].T @ (weights | maps)["second"].T

    data = rng.standard_normal((10, space.shape[1]))
    return rc.measure(net({}), space.domain, space.domain, data, probes=probes, replaced=net)


def test_the_text_has_a_line_for_each_layer() -> None:
    found = report()
    lines = str(found).splitlines()
    assert sum(line.startswith(("first ", "second ")) for line in lines) == 2
    assert "all 8 elements" in lines[1]
    assert lines[-1].startswith("most of it comes from first")
    assert repr(found) == str(found)


def test_a_layer_is_found_by_its_path() -> None:
    assert report()["second"].is_equivariant
    with pytest.raises(KeyError, match="there are first, second"):
        report()["third"]


def test_plain_data_goes_through_json() -> None:
    found = report()
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["culprit"] == "first"
    assert plain["error"] == found.error
    assert plain["layers"][0]["worst"] == {"lower": found["first"].worst.lower, "upper": found["first"].worst.upper}
    assert plain["layers"][1]["without"] is None
    assert rc.Word(V.group, plain["worst_element"]["letters"]) == found.worst_element
    assert plain["samples"]["count"] == 8


def test_where_the_group_does_not_act_orthogonally_there_is_no_mean() -> None:
    shear = rc.translations(1).rep
    found = report(shear >> shear)
    assert (found["first"].mean, found["first"].worst, found["first"].worst_spectral) == (None, None, None)
    assert found["first"].distance > found["first"].rounding
    assert "bounded" in found.samples.how
    skew = rc.Group([[[1, -1], [1, 0]]]).rep  # finite, in a basis of a lattice
    assert report(skew >> skew)["first"].mean is None


def test_a_plan_does_not_tell_whether_the_group_acts_orthogonally() -> None:
    W = np.eye(2)
    slot = rc.Slot("w", "w", "weight", "linear", W.shape, ("o", "i"))
    (site,) = rc.resolve({"w": rc.plan(V >> V)}, [slot])
    found = rc.probe(site, W, 1e-16)
    assert found is not None
    assert found.is_orthogonal is None
    known = rc.probe(site, W, 1e-16, V >> V)
    assert known is not None
    assert known.is_orthogonal is True


def test_sampled_kernels_of_a_group_that_moves_no_cells_to_cells_have_no_mean() -> None:
    G = rc.SO(2)
    W = np.zeros((2, 2, 5, 5))
    slot = rc.Slot("w", "w", "weight", "conv", W.shape, ("o", "i", "s", "s"))
    (site,) = rc.resolve({"w": G.rep >> G.rep}, [slot])
    found = rc.probe(site, W, 1e-16)
    assert found is not None
    assert found.is_orthogonal is None


def test_the_picture_has_a_bar_for_each_broken_layer(tmp_path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    ax = report().plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]
    assert len(ax.patches) == 2  # the defect, and the error without it
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == ("relative error", "weight", "log")
    assert [text.get_text() for text in ax.texts] == ["equivariant, to rounding"]
    ax.figure.savefig(tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 5000
    _, mine = pyplot.subplots()
    assert rc.plot(report(), mine) is mine
    ax = rc.plot(report(), most=1)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first"]
    assert "the 1 of 2 weights with the largest relative defect" in ax.get_legend().get_title().get_text()
    pyplot.close("all")
    with pytest.raises(rc.IncompatibleError, match="most"):
        rc.plot(report(), most=0)


def test_complex_vectors_need_complex_data() -> None:
    W = rc.SU(2).rep
    with pytest.raises(rc.IncompatibleError, match="rep_in = V is complex"):
        rc.measure(lambda x: x, W, W, np.ones((3, 2)))
    x = np.random.default_rng(0).standard_normal((3, 2)) + 1j
    # Two chains of nine products of 2 x 2 matrices, with exponents of norm 10 or so.
    assert rc.measure(lambda x: 2j * x, W, W, x).error <= 64 * 9 * 10 * np.finfo(float).eps
    assert rc.measure(lambda x: x.conj(), W, W, x).error > 0.1
