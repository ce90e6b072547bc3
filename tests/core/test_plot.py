"""Pictures: what is drawn is what is there, says what it leaves out, and can be read without colour."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import repcore as rc
from repcore.plot import canvas, tiles

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

D4 = rc.dihedral(4)
V, one = D4.rep, rc.trivial(D4)
SO3 = rc.SO(3).rep


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    pyplot.close("all")


def lightness(colour: np.ndarray) -> np.ndarray:
    return colour @ np.array([0.299, 0.587, 0.114])


def pictures(ax: Any) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for image in ax.images]


def moment(step: int, layers: int) -> rc.Moment:
    names = [f"layer{k}" for k in range(layers)]
    return rc.Moment(step, {n: 0.1 * k for k, n in enumerate(names)}, {}, {}, dict.fromkeys(names, 1.0), {}, {})


HISTORY = rc.History([moment(5, 30), moment(10, 30)])
CURVE = rc.softness_curve([(0, 0, 80), (0.5, 0.1, 91), (0.5, 0.1, 93), (1, 0.4, 90)], title="digits")


# -- the verb ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("thing", "part"),
    [
        (rc.solve(V >> V * V, store=None), "the only equivariant map is 0"),
        (V * V >> V * V, "all 4 elements"),
        (SO3 * SO3 >> SO3, "one equivariant map"),
        (rc.decompose(V * V), "V**2 = "),
        (rc.soften(V * V >> V * V, cutoff=1.0), "16 maps in"),
        (CURVE, "digits: 3 softnesses, 4 runs"),
        (HISTORY, "the 12 of 30 layers with the largest |gamma|"),
    ],
    ids=["no basis", "space", "one", "decomposition", "soft", "curve", "history"],
)
def test_every_picture_has_a_title_and_labels(thing: object, part: str) -> None:
    drawn = rc.plot(thing)
    axes = drawn if isinstance(drawn, list) else [drawn]
    legend = axes[0].get_legend()
    assert part in axes[0].get_title(loc="left") + legend.get_title().get_text()
    assert all(ax.get_ylabel() for ax in axes)
    assert axes[-1].get_xlabel()
    axes[0].figure.canvas.draw()  # what cannot be laid out warns, which is an error here


def test_what_has_no_picture_says_what_has() -> None:
    with pytest.raises(rc.IncompatibleError, match=r"picture of a str; it draws Decomposition, EquivariantBasis, .*Soft"):
        rc.plot("basis")
    with pytest.raises(rc.IncompatibleError, match=r"write rc.plot\(rc.decompose\(V\)\)"):
        rc.plot(V)


def test_a_type_of_ones_own_joins() -> None:
    @dataclass
    class Mine:
        value: float

    @rc.plot.register(Mine)
    def _(mine: Mine, ax: Any = None) -> Any:
        ax.axhline(mine.value)
        return ax

    _, ax = pyplot.subplots()
    assert rc.plot(Mine(2.0), ax) is ax
    assert list(ax.lines[0].get_ydata()) == [2.0, 2.0]


@pytest.mark.parametrize("thing", [V * V >> V * V, rc.decompose(V * V), rc.soften(V >> V, keep=1.0), CURVE])
def test_axes_that_are_given_are_drawn_on(thing: object) -> None:
    figure, (left, right) = pyplot.subplots(1, 2)
    assert rc.plot(thing, right) is right
    assert not left.has_data()
    assert pyplot.get_fignums() == [figure.number]


def test_methods_are_the_same_verb() -> None:
    assert CURVE.plot().get_ylabel() == rc.plot(CURVE).get_ylabel()
    assert [ax.get_ylabel() for ax in HISTORY.plot()] == [ax.get_ylabel() for ax in rc.plot(HISTORY)]


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'repcore\[plot\]'"):
        rc.plot(V >> V)


# -- shades ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_signs_are_told_apart_by_lightness_alone(values: list[float]) -> None:
    array = np.array(values)
    colours = tiles.shades(array, float(np.abs(array).max()))
    assert np.all(colours[array == 0] == 1.0)
    negative, positive = (lightness(colours[chosen]) for chosen in (array < 0, array > 0))
    # A grey copy keeps at least eight of a hundred steps between the bands.
    assert negative.max(initial=0.92) < 0.95
    assert negative.min(initial=1.0) - positive.max(initial=0.0) > 0.08
    # Within a band, what is larger is darker.
    for sign, band in ((-1, negative), (1, positive)):
        order = np.argsort(sign * array[sign * array > 0])
        assert np.all(np.diff(band[order]) <= 1e-12)


# -- bases -------------------------------------------------------------------------------------------------------------


def test_a_cell_is_an_entry() -> None:
    basis = rc.solve(4 * one + 2 * V >> V * V + V, store=None)
    ax = rc.plot(basis)
    dense = basis.to_numpy()
    largest = float(np.abs(dense).max())
    assert len(ax.images) == basis.dim
    for element, picture in zip(dense, pictures(ax), strict=True):
        np.testing.assert_array_equal(picture, tiles.shades(element.ravel(), largest).reshape(*basis.shape, 3))


def test_exact_entries_are_written_where_there_is_room() -> None:
    turn = rc.Group([[["1/2", "-sqrt(3)/2"], ["sqrt(3)/2", "1/2"]], [[1, 0], [0, -1]]])
    skew = rc.Group([[[1, -1], [1, 0]]]).rep
    for space in (turn.rep**2 >> turn.rep**2, skew * skew >> skew * skew):
        basis = rc.solve(space, store=None)
        written = [t.get_text() for t in rc.plot(basis).texts if not t.get_text().startswith("$")]
        assert written == [str(value) for element in basis for _, _, value in element.entries()]


def test_negative_entries_have_a_bar_where_there_is_none() -> None:
    basis = rc.solve(SO3**3 >> SO3**3, store=None)
    ax = rc.plot(basis)
    assert len(ax.texts) == basis.dim  # the titles
    (bars,) = ax.collections
    assert len(bars.get_offsets()) == int((basis.to_numpy() < 0).sum()) > 0


def test_the_title_counts_what_is_left_out() -> None:
    basis = rc.solve(SO3**3 >> SO3**3, store=None)
    ax = rc.plot(basis)
    assert "the first 15 of 15" not in ax.get_title(loc="left")
    assert len(ax.images) == 15
    ax = rc.plot(basis, most=4)
    assert "the first 4 of 15 elements of the basis" in ax.get_title(loc="left")
    titles = [t.get_text() for t in ax.texts if t.get_text().startswith("$")]
    assert titles == [f"$B_{{{k}}}$" for k in range(1, 5)]
    for most in (0, -1, True, 2.5):
        with pytest.raises(rc.IncompatibleError, match="most"):
            rc.plot(basis, most=most)


def test_a_large_matrix_loses_no_entry() -> None:
    X = rc.grid(D4, 20)
    basis = rc.solve(X >> X, store=None)
    ax = rc.plot(basis, most=9)
    down, across = tiles.reduction(basis.shape, 9, None)
    assert down > 1
    assert f"a cell shows the largest of {down} x {across} entries" in ax.get_title(loc="left")
    for k, picture in enumerate(pictures(ax)):
        element = basis[k]
        wanted = {(r // down, c // across) for r, c in zip(element.rows.tolist(), element.cols.tolist(), strict=True)}
        assert set(zip(*np.nonzero(lightness(picture) < 0.99), strict=True)) == wanted


def test_complex_elements_have_two_tiles_and_real_ones_of_a_complex_space_one() -> None:
    C3 = rc.Group([[["zeta(3)"]]])
    X = C3.rep
    mixed = 2 * rc.Rep(C3, discrete=[[[0, 0, 1], [1, 0, 0], [0, 1, 0]]])
    basis = rc.solve(X >> mixed, store=None)
    ax = rc.plot(basis)
    assert len(ax.images) == 2 * basis.dim
    dense = basis.to_numpy(np.complex128)
    found = pictures(ax)
    for k, element in enumerate(dense):
        for part, picture in zip((element.real, element.imag), found[2 * k : 2 * k + 2], strict=True):
            np.testing.assert_array_equal(lightness(picture) < 0.99, part != 0)
    assert len(rc.plot(rc.SU(2).rep >> rc.SU(2).rep).images) == 1


def test_labelled_irreps_are_drawn_in_their_orthonormal_convention() -> None:
    basis = rc.solve(rc.irrep(rc.O(3), "2e") * rc.irrep(rc.O(3), "1o") >> rc.irrep(rc.O(3), "1o"), store=None)
    written = [t.get_text() for t in rc.plot(basis).texts][1:]
    dense = basis.to_numpy()[0]
    assert sorted(written) == sorted(f"{v:.3g}" for v in dense[dense != 0])


# -- the others --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rep", [SO3**3, rc.symmetric(4).rep ** 2, rc.SU(2).rep ** 2], ids=str)
def test_the_second_matrix_is_zero_outside_the_blocks(rep: rc.Rep) -> None:
    found = rc.decompose(rep)
    given, blocks = pictures(rc.plot(found))
    inside = np.zeros((rep.dim, rep.dim), bool)
    at = 0
    for component in found:
        for _ in range(component.multiplicity):
            inside[at : at + component.irrep.dim, at : at + component.irrep.dim] = True
            at += component.irrep.dim
    assert np.all(blocks[~inside] == 1.0)
    assert np.any(given[~inside] < 1.0)
    # Every copy is the same block, and none of them vanishes.
    at = 0
    for component in found:
        d, m = component.irrep.dim, component.multiplicity
        copies = [blocks[at + k * d : at + (k + 1) * d, at + k * d : at + (k + 1) * d] for k in range(m)]
        assert all(np.allclose(copy, copies[0], atol=1e-6) for copy in copies)
        assert np.any(copies[0] < 1.0)
        at += m * d


def test_a_component_without_room_for_its_label_is_counted() -> None:
    ax = rc.plot(rc.decompose(rc.regular(rc.symmetric(4)) + 60 * rc.trivial(rc.symmetric(4))))
    assert " components are too small for a label" in ax.get_title(loc="left")


def test_the_levels_have_their_dimensions_and_gains() -> None:
    soft = rc.soften(SO3 * SO3 >> SO3 * SO3, cutoff=2.5)
    ax = rc.plot(soft)
    kept, out = (next(line for line in ax.lines if name in line.get_label()) for name in ("kept", "taken out"))
    assert list(kept.get_ydata()) == [x.multiplicity for x in soft.levels if x.gain]
    assert list(out.get_xdata()) == [x.value for x in soft.levels if not x.gain]
    threshold = next(line for line in ax.lines if "threshold" in line.get_label())
    assert list(threshold.get_xdata()) == [soft.cutoff, soft.cutoff]
    (right,) = [other for other in ax.figure.axes if other is not ax]
    assert list(right.lines[0].get_ydata()) == soft.gains.tolist()
    # A filter that takes nothing out has no threshold.
    free = rc.plot(rc.soften(SO3 >> SO3, gain=rc.Heat(0.5)))
    assert not [line for line in free.lines if "threshold" in str(line.get_label())]


def test_many_layers_are_cut_to_the_worst() -> None:
    axes = rc.plot(HISTORY)
    assert [line.get_label() for line in axes[0].lines] == [f"layer{k}" for k in range(18, 30)]
    assert [line.get_label() for line in rc.plot(HISTORY, most=2)[0].lines] == ["layer28", "layer29"]
    assert "30 layers" in rc.plot(HISTORY, most=30)[0].get_legend().get_title().get_text()
    for wrong in ({"most": 0}, {"ax": axes[:1]}):
        with pytest.raises(rc.IncompatibleError):
            rc.plot(HISTORY, **wrong)


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    canvas.save(rc.plot(V >> V).figure, tmp_path / "a.svg")
    canvas.save(rc.plot(V >> V).figure, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert pyplot.get_fignums() == []
    with pytest.raises(rc.IncompatibleError, match=r"choose one of .*png"):
        canvas.save(rc.plot(V >> V).figure, tmp_path / "c.txt")
    with pytest.raises(rc.StoreError, match="cannot be written"):
        canvas.save(rc.plot(V >> V).figure, tmp_path / "no" / "c.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.svg", "b.svg"]
