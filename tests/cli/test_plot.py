"""``repcore plot``: pictures in files, and what is said where there can be none."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

import repcore as rc

Call = Callable[..., Result]
Program = Callable[..., subprocess.CompletedProcess[str]]

pytest.importorskip("matplotlib")

BEGINNINGS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("kind", BEGINNINGS)
def test_the_suffix_says_the_format_and_the_bytes_are_the_same_again(kind: str, call: Call) -> None:
    texts = [call("plot", "a.toml", "layer1", "--out", f"{name}.{kind}").stdout for name in ("a", "b")]
    assert texts[0] == f"a.{kind}: 4*1 + 2*V >> V**2 over D4; all 4 elements of the basis\n"
    found = [Path(f"{name}.{kind}").read_bytes() for name in ("a", "b")]
    assert found[0] == found[1]
    assert found[0].startswith(BEGINNINGS[kind])


def test_what_is_drawn(call: Call, as_json: Callable[..., Any]) -> None:
    call("solve", "a.toml", "--out", "bases")
    space = "4*1 + 2*V >> V**2 over D4"
    basis = as_json("plot", "a.toml", "layer1", "--out", "x.png", "--most", "3")
    assert basis == {
        "file": "a.toml",
        "out": "x.png",
        "picture": "basis",
        "title": [space, "the first 3 of 4 elements of the basis"],
    }
    blocks = as_json("plot", "a.toml", "--decompose", "X", "--out", "x.png")
    assert blocks["picture"] == "blocks"
    assert blocks["title"][0] == "4*1 + 2*V = 4 x 1 real + 2 x 2 real, over D4"
    levels = as_json("plot", "a.toml", "layer1", "--soften", "0", "--out", "x.png")
    assert levels["picture"] == "levels"
    spec = rc.load("a.toml")
    assert isinstance(spec, rc.Spec)
    count = len(rc.soften(spec.maps["layer1"], cutoff=0).levels)
    assert levels["title"] == [f"{space}: 32 maps in {count} levels", "asked: cutoff 0; softness 0"]
    # A basis file holds the same space, in its canonical words.
    file = as_json("plot", "bases/layer1.safetensors", "--out", "x.png")
    assert file["title"][1] == "all 4 elements of the basis"
    assert as_json("plot", "bases/layer1.safetensors", "--soften", "0", "--out", "x.png")["picture"] == "levels"


def test_a_file_with_one_map_needs_no_name(call: Call) -> None:
    Path("one.toml").write_text('[group]\nbuiltin = "SO(3)"\n[maps]\nonly = "V*V >> V"\n')
    assert "one equivariant map" in call("plot", "one.toml", "--out", "x.png").stdout


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (("a.toml",), "which map? It declares layer1, layer.2"),
        (("a.toml", "layer"), "there is no map 'layer'; did you mean 'layer1'"),
        (("a.toml", "layer1"), "there is no display to show the picture on; write it to a file, --out a.png"),
        (("a.toml", "layer1", "--out", "x.pong"), "'x.pong': ends in no format of pictures; choose one of"),
        (("a.toml", "layer1", "--out", "x"), "ends in no format"),
        (("a.toml", "layer1", "--out", "no/x.png"), "'no/x.png': cannot be written: No such file or directory"),
        (("a.toml", "--decompose", "Y", "--out", "x.png"), "there is no representation 'Y'"),
        (("no.toml", "--out", "x.png"), "no.toml: cannot be read"),
        (("no.safetensors", "--out", "x.png"), "cannot be read"),
        (("bases/layer1.safetensors", "layer1", "--out", "x.png"), "is the basis file of one space"),
    ],
)
def test_an_error_of_the_user_is_one_line(args: tuple[str, ...], part: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    if args[0].startswith("bases"):
        call("solve", "a.toml", "--out", "bases")
    monkeypatch.setenv("MPLBACKEND", "agg")  # no display, also where the tests have one
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "backend", "agg")
    assert part in call("plot", *args, status=1).stderr
    assert not list(Path().glob("x*"))


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (("a.toml", "layer1", "--decompose", "X"), "leave MAP and --soften out"),
        (("a.toml", "--soften", "1", "--decompose", "X"), "leave MAP and --soften out"),
        (("a.toml", "layer1", "--soften", "-1"), "greater than or equal to 0"),
        (("a.toml", "layer1", "--most", "0"), "greater than or equal to 1"),
        ((), "Missing argument"),
    ],
)
def test_a_call_that_is_not_understood(args: tuple[str, ...], part: str, call: Call) -> None:
    assert part in call("plot", *args, status=2).stderr


def test_with_a_display_a_window_shows_it(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import pyplot

    from repcore.cli import plot as command

    shown: list[int] = []
    monkeypatch.setattr(command, "has_display", lambda: True)
    monkeypatch.setattr(pyplot, "show", lambda: shown.extend(pyplot.get_fignums()))
    pyplot.switch_backend("agg")
    assert call("plot", "a.toml", "layer1").stdout == ""
    assert len(shown) == 1
    assert pyplot.get_fignums() == []


def test_without_matplotlib_the_message_says_what_to_install(program: Program) -> None:
    absent = "import sys; sys.modules['matplotlib'] = None"
    done = program("plot", "a.toml", "layer1", "--out", "x.png", before=absent)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: pictures need matplotlib: pip install 'repcore[plot]'\n"


def test_out_needs_no_display_whatever_the_environment_says(program: Program) -> None:
    done = program("plot", "a.toml", "layer1", "--out", "x.png", MPLBACKEND="tkagg")
    assert (done.returncode, done.stderr) == (0, "")
    assert Path("x.png").stat().st_size > 5000
    done = program("plot", "a.toml", "layer1", "--out", "y.png", MPLBACKEND="gtk1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("error: MPLBACKEND: ")
