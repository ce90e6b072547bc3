"""Grids in the declarative file: sizes, the spatial representation, and limits."""

from __future__ import annotations

from pathlib import Path

import pytest

import repcore as rc
from repcore.spec.reading import read


def reps(table: object, group: object) -> rc.spec.Table[rc.Rep]:
    return read({"group": group, "reps": table}, "a.toml").reps


def test_grids_with_sizes_and_a_spatial_representation() -> None:
    half = rc.cyclic(2)
    entries = {"X": {"grid": [3, 5]}, "Y": {"grid": [3, 5], "spatial": "W"}, "W": {"discrete": [[[1, 0], [0, -1]]]}}
    found = reps(entries, {"builtin": "cyclic(2)"})
    W = rc.Rep(half, discrete=[[[1, 0], [0, -1]]])
    assert found["X"] == rc.grid(half, (3, 5))
    assert found["Y"] == rc.grid(half, (3, 5), spatial=W)
    assert reps({"X": "grid(2)"}, {"builtin": "octahedral()"})["X"] == rc.grid(rc.octahedral(), (2, 2, 2))
    product = reps(
        {"X": {"factor": 0, "grid": 3}, "Y": {"grid": 3, "spatial": "lift(V, 0)"}}, {"product": ["cyclic(4)", "SO(2)"]}
    )
    G = rc.cyclic(4) @ rc.SO(2)
    assert product["X"] == rc.lift(rc.grid(rc.cyclic(4), 3), G)
    assert product["Y"] == rc.grid(G, 3, spatial=rc.cyclic(4).rep)


def test_grids_survive_a_file(tmp_path: Path) -> None:
    G = rc.octahedral()
    spec = rc.Spec(G, {"volume": rc.grid(G, 3), "half": rc.grid(G, (2, 2, 2))}, {})
    rc.dump(spec, tmp_path / "a.toml")
    assert rc.load(tmp_path / "a.toml") == spec


@pytest.mark.parametrize(
    ("entry", "group", "words"),
    [
        ({"grid": []}, "cyclic(2)", "a.toml: reps.X.grid: expected sizes, integers from 1 to 1000, got []"),
        ({"grid": [3, 0]}, "cyclic(2)", "a.toml: reps.X.grid: expected sizes"),
        ({"grid": [3, "5"]}, "cyclic(2)", "a.toml: reps.X.grid: expected sizes"),
        ({"grid": [3]}, "cyclic(2)", "a.toml: reps.X.grid: k: 1 sizes"),
        ({"grid": 101}, "octahedral()", "a.toml: reps.X.grid: a grid of more than 1000000 cells"),
        ({"grid": [1000, 1000, 2]}, "octahedral()", "a.toml: reps.X.grid: a grid of more than 1000000 cells"),
        ("grid(101)", "octahedral()", "a.toml: reps.X: cannot read 'grid(101)': at position 0, a grid of more than"),
        ({"quotient": [], "spatial": "V"}, "cyclic(2)", "a.toml: reps.X.spatial: goes with grid"),
        ({"grid": 3, "spatial": "X"}, "cyclic(2)", "circle"),
        ({"grid": 3, "spatial": 3}, "cyclic(2)", "a.toml: reps.X.spatial"),
    ],
)
def test_grids_that_a_file_cannot_have(entry: object, group: str, words: str) -> None:
    with pytest.raises(rc.SpecError) as caught:
        reps({"X": entry}, {"builtin": group})
    assert words in str(caught.value)
