"""The program: what it prints, what it writes, and how it exits."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import repcore as rc
from repcore.cli import app
from repcore.store import cached

pytestmark = pytest.mark.usefixtures("place")

ROW = ["map", "space", "file", "shape", "unknowns", "dim", "route", "seconds", "certificate", "source", "digest"]


def _forget() -> None:
    cached._BASES.clear()
    cached._PLANS.clear()


def call(*args: str, status: int = 0) -> Result:
    """Run a command in this process. A user's error is one line on stderr, and nothing ever has escape sequences."""
    result = CliRunner().invoke(app, args, prog_name="repcore")
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "\x1b" not in result.output
    assert "Traceback" not in result.output
    if status == 1:
        assert result.stdout == ""
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
    return result


def as_json(*args: str, status: int = 0) -> Any:
    return json.loads(call(*args, "--json", status=status).stdout)


def program(*args: str) -> subprocess.CompletedProcess[str]:
    code = [sys.executable, "-c", "from repcore.cli import main; main()"]
    return subprocess.run([*code, *args], capture_output=True, text=True, check=False, timeout=120)


# -- solve -------------------------------------------------------------------------------------------------------------


def test_solve_prints_a_table_and_writes_the_bases() -> None:
    header, *rows = call("solve", "a.toml", "--out", "b/c").stdout.splitlines()
    assert header.split() == ["map", "unknowns", "dim", "route", "time", "certificate", "source"]
    assert [r.split()[:3] for r in rows] == [["layer1", "32", "4"], ["layer.2", "4", "1"]]
    assert all(r.endswith("proved       solved") for r in rows)
    assert sorted(os.listdir("b/c")) == ["layer.2.safetensors", "layer1.safetensors"]
    spec = rc.load("a.toml")
    assert isinstance(spec, rc.Spec)
    for name, space in spec.maps.items():
        assert rc.load(f"b/c/{name}.safetensors") == rc.solve(space, store=None)


def test_index_symmetries_and_induced_representations_of_a_file() -> None:
    Path("a.toml").write_text("""
[group]
builtin = "octahedral()"
[reps]
C = { tensors = "ijkl=jikl=ijlk=klij", of = "V" }
T = { tensors = "ijk=-kji", of = { i = "V", j = "s", k = "V" } }
s = { quotient = [[[0, -1, 0], [1, 0, 0], [0, 0, 1]]] }
[reps.F]
induced = "turn"
of = { discrete = [[[0, -1, 0], [1, 0, 0], [0, 0, 1]]] }
reps.turn = { discrete = [[["I"]]] }
[maps]
cubic = "1 >> C"
wave = "F >> V + V*V"
odd = "V >> T"
""")
    rows = {r["map"]: r for r in as_json("solve", "a.toml", "--out", "b")["maps"]}
    # A cubic crystal has three elastic constants. Frobenius: V is 1 + i + 1/i for the quarter turns, so i is in V once, and in
    # V*V twice.
    assert rows["cubic"]["dim"] == 3
    assert rows["cubic"]["shape"] == [21, 1]
    assert {r["certificate"] for r in rows.values()} == {"proved"}
    spec = rc.load("a.toml")
    assert isinstance(spec, rc.Spec)
    assert {n: r["dim"] for n, r in rows.items()} == {n: rc.solve(s, store=None).dim for n, s in spec.maps.items()}
    assert rows["wave"]["dim"] == 3
    call("verify", "b")
    assert [m["map"] for m in as_json("explain", "a.toml")["maps"]] == ["cubic", "wave", "odd"]


def test_the_second_run_is_read_from_the_cache() -> None:
    first = as_json("solve", "a.toml", "--out", "b")
    _forget()
    second = as_json("solve", "a.toml", "--out", "c")
    assert [r["source"] for r in first["maps"]] == ["solved", "solved"]
    assert [r["source"] for r in second["maps"]] == ["cached", "cached"]
    assert [r["route"] for r in second["maps"]] == ["-", "-"]
    for r, s in zip(first["maps"], second["maps"], strict=True):
        assert r["digest"] == s["digest"]
        assert Path(r["file"]).read_bytes() == Path(s["file"]).read_bytes()


def test_no_cache_stores_nothing() -> None:
    for _ in range(2):
        assert [r["source"] for r in as_json("solve", "a.toml", "--out", "b", "--no-cache")["maps"]] == ["solved", "solved"]
    assert not Path("cache").exists()


def test_solve_json() -> None:
    found = as_json("solve", "a.toml", "--out", "b")
    assert list(found) == ["file", "out", "maps"]
    assert (found["file"], found["out"]) == ("a.toml", "b")
    assert all(list(r) == ROW for r in found["maps"])
    row = found["maps"][0]
    assert row["space"] == "4*1 + 2*V >> V**2"
    assert row["shape"] == [4, 8]
    assert row["unknowns"] == 32
    assert row["file"] == os.path.join("b", "layer1.safetensors")
    assert row["seconds"] >= 0


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (("solve", "no.toml", "--out", "b"), "no.toml: cannot be read: No such file"),
        (("solve", "bad.toml", "--out", "b"), "bad.toml: reps.X: cannot read 'duel(V)': at position 0"),
        (("solve", "escape.json", "--out", "b"), "escape.json: reps: the key"),
        (("solve", "nomaps.toml", "--out", "b"), "declares no maps; add a table [maps]"),
        (("solve", "a.toml", "--out", "a.toml"), "cannot be made a directory"),
        (("solve", "a.yaml", "--out", "b"), "ends in '.yaml'"),
        (("explain", "a.toml", "layer"), "there is no map 'layer'; did you mean 'layer1'"),
        (("explain", "bad.toml"), "did you mean 'dual'?"),
        (("verify", "b"), "'b': there is no such file"),
        (("verify", "empty"), "'empty': there is no basis file in it"),
        (("export", "a.toml", "--to", "npz", "--out", "x.npz"), "basis file"),
        (("export", "b.safetensors", "--to", "npz", "--out", "x.npz"), "No such file"),
    ],
)
def test_an_error_of_the_user_is_one_line(args: tuple[str, ...], part: str) -> None:
    Path("bad.toml").write_text('[group]\nbuiltin = "SO(3)"\n[reps]\nX = "duel(V)"\n[maps]\nm = "X >> V"\n')
    Path("escape.json").write_text('{"group": {"dim": 2}, "reps": {"\\u001b[31m\\n": "V"}}')
    Path("nomaps.toml").write_text('[group]\nbuiltin = "SO(3)"\n')
    Path("empty").mkdir()
    assert part in call(*args, status=1).stderr
    assert "error: " in call(*args, "--json", status=1).stderr
    assert not Path("x.npz").exists()
    assert not Path("b").exists()


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (("solve", "a.toml"), "--out"),
        (("solve",), "Missing argument"),
        (("soften", "a.toml"), "No such command 'soften'"),
        (("plott",), "No such command 'plott'"),
        (("solve", "a.toml", "--out", "b", "--fast"), "No such option"),
        (("export", "b.safetensors", "--to", "pickle", "--out", "x"), "pickle"),
        (("cache", "gc"), "--max-bytes, --older-than, or both"),
        (("cache", "gc", "--max-bytes", "-1"), "greater than or equal to 0"),
    ],
)
def test_a_call_that_is_not_understood(args: tuple[str, ...], part: str) -> None:
    assert part in call(*args, status=2).stderr


def test_shuffled_generators_give_the_same_bytes_in_fresh_processes() -> None:
    generators = [
        "[[0, -1, 0], [1, 0, 0], [0, 0, 1]]",
        "[[0, 0, 1], [1, 0, 0], [0, 1, 0]]",
        "[[-1, 0, 0], [0, -1, 0], [0, 0, -1]]",
    ]
    for place, order in (("p", (0, 1, 2)), ("q", (2, 0, 1))):
        text = f"[group]\ndiscrete = [{', '.join(generators[i] for i in order)}]\n[maps]\nm = 'V*V >> 1 + V + V*V'\n"
        Path(f"{place}.toml").write_text(text)
        done = program("solve", f"{place}.toml", "--out", place, "--no-cache")
        assert (done.returncode, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout
    assert Path("p/m.safetensors").read_bytes() == Path("q/m.safetensors").read_bytes()


def test_the_process_has_the_exit_status_and_no_traceback() -> None:
    done = program("solve", "no.toml", "--out", "b")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "error: no.toml: cannot be read: No such file or directory\n"


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "interrupted"])
def test_a_failed_write_leaves_nothing_behind(failure: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    call("solve", "a.toml", "--out", "b")
    before = {p.name: p.read_bytes() for p in Path("b").iterdir()}
    text = Path("a.toml").read_text()
    Path("a.toml").write_text(text.replace("X >> V*V", "X >> V*V*V*V"))

    def fail(*_: object) -> None:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        result = CliRunner().invoke(app, ["solve", "a.toml", "--out", "b"])
        assert result.exit_code != 0
    assert {p.name: p.read_bytes() for p in Path("b").iterdir()} == before


# -- explain, verify, export -------------------------------------------------------------------------------------------


def test_explain_solves_nothing() -> None:
    text = call("explain", "a.toml").stdout
    assert text.startswith("layer1: 4*1 + 2*V >> V**2 over D4: maps of shape 4 x 8, 32 unknowns\n")
    assert "\nlayer.2: V >> V over D4" in text
    assert "layer.2" not in call("explain", "a.toml", "layer1").stdout
    assert as_json("cache", "ls")["entries"] == []
    found = as_json("explain", "a.toml", "layer1")
    assert found["file"] == "a.toml"
    (row,) = found["maps"]
    assert row["map"] == "layer1"
    assert row["cached"] is None
    assert row["dim"] is None
    assert [(b["pair"], b["unknowns"]) for b in row["blocks"]] == [("1 >> V**2", 4), ("V >> V**2", 8)]
    call("solve", "a.toml", "--out", "b")
    assert as_json("explain", "a.toml", "layer1")["maps"][0]["dim"] == 4
    assert "cached: the basis, of dimension 4" in call("explain", "a.toml", "layer1").stdout


def test_decompose() -> None:
    assert call("decompose", "a.toml").stdout.split("\n")[1].split()[:5] == ["X", "8", "4", "1", "real"]
    rows = json.loads(call("decompose", "a.toml", "V", "--json").stdout)["components"]
    assert [(r["rep"], r["dim"], r["multiplicity"], r["irrep dim"], r["type"]) for r in rows] == [("V", 2, 1, 2, "real")]
    assert 0 <= rows[0]["residual"] < 1e-14
    assert "there is no representation 'Y'" in call("decompose", "a.toml", "Y", status=1).stderr
    Path("shear.toml").write_text("[group]\nlie = [[[0, 1], [0, 0]]]\n")
    assert "completely reducible" in call("decompose", "shear.toml", status=1).stderr


def test_verify() -> None:
    call("solve", "a.toml", "--out", "b")
    header, *rows = call("verify", "b").stdout.splitlines()
    assert header.split() == ["file", "space", "dim", "result"]
    assert [r.split()[-1] for r in rows] == ["verified", "verified"]
    found = as_json("verify", "b/layer1.safetensors")["files"]
    assert [list(f) for f in found] == [["file", "space", "dim", "ok", "result", "notes"]]
    assert found[0]["ok"] is True
    assert found[0]["dim"] == 4


@pytest.mark.parametrize("byte", [300, -1])
def test_a_damaged_file_does_not_pass(byte: int) -> None:
    call("solve", "a.toml", "--out", "b")
    path = Path("b/layer1.safetensors")
    data = bytearray(path.read_bytes())
    data[byte] ^= 0x15
    path.write_bytes(data)
    result = call("verify", "b", status=3)
    assert "cannot be read" in result.stdout
    assert "verified" in result.stdout
    rows = as_json("verify", "b", status=3)["files"]
    assert {r["file"]: r["ok"] for r in rows} == {"b/layer1.safetensors": False, "b/layer.2.safetensors": True}
    assert all(r["notes"] for r in rows if not r["ok"])
    call("export", str(path), "--to", "npy", "--out", "x.npy", status=1)
    assert not Path("x.npy").exists()


def test_a_wrong_basis_in_an_undamaged_file_does_not_pass() -> None:
    # A file whose checksums agree, but which claims the maps of SO(2) for those of O(2).
    flip, turn = [[1, 0], [0, -1]], [[0, -1], [1, 0]]
    larger, smaller = rc.Group([flip], [turn]), rc.Group([], [turn])
    wrong = dataclasses.replace(rc.solve(smaller.rep >> smaller.rep, store=None), space=larger.rep >> larger.rep)
    rc.dump(wrong, "wrong.safetensors")
    result = call("verify", "wrong.safetensors", status=3)
    assert "NOT verified" in result.stdout
    assert as_json("verify", "wrong.safetensors", status=3)["files"][0]["result"] == "NOT verified"


@pytest.mark.parametrize("orthonormal", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_export_of_arrays(orthonormal: bool, dtype: str) -> None:
    call("solve", "a.toml", "--out", "b")
    basis = rc.load("b/layer1.safetensors")
    assert isinstance(basis, rc.EquivariantBasis)
    expected = basis.to_numpy(dtype, orthonormal=orthonormal)
    options = ["--dtype", dtype, *(["--orthonormal"] if orthonormal else [])]
    text = call("export", "b/layer1.safetensors", "--to", "npy", "--out", "x.npy", *options).stdout
    assert text == "x.npy: 4 elements of shape 4 x 8, 4*1 + 2*V >> V**2\n"
    call("export", "b/layer1.safetensors", "--to", "npz", "--out", "x.npz", *options)
    array = np.load("x.npy", allow_pickle=False)
    assert array.dtype == expected.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(array, expected)
    with np.load("x.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["basis"], expected)
        assert str(archive["digest"]) == basis.digest
        assert str(archive["space"]) == str(basis.space)
        assert str(archive["field"]) == str(basis.field)


@pytest.mark.parametrize("orthonormal", [False, True])
def test_export_of_json(orthonormal: bool) -> None:
    Path("a.toml").write_text('[group]\nbuiltin = "cyclic(8)"\n[maps]\nm = "V*V >> V*V"\n')
    call("solve", "a.toml", "--out", "b")
    basis = rc.load("b/m.safetensors")
    assert isinstance(basis, rc.EquivariantBasis)
    report = as_json("export", "b/m.safetensors", "--to", "json", "--out", "x.json", *(["--orthonormal"] if orthonormal else []))
    assert report["out"] == "x.json"
    found = json.loads(Path("x.json").read_text())
    assert (found["dim"], tuple(found["shape"]), found["digest"]) == (basis.dim, basis.shape, basis.digest)
    array = np.zeros((basis.dim, *basis.shape))
    for k, element in enumerate(found["elements"]):
        for row, col, value in element:
            array[k, row, col] = value if orthonormal else float(rc.number(value))
    np.testing.assert_allclose(array, basis.to_numpy(orthonormal=orthonormal), rtol=0, atol=0 if orthonormal else 1e-15)


def test_export_leaves_the_old_file_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    call("solve", "a.toml", "--out", "b")
    Path("out").mkdir()
    Path("out/x.npy").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        message = call("export", "b/layer1.safetensors", "--to", "npy", "--out", "out/x.npy", status=1).stderr
    assert "No space left on device" in message
    assert os.listdir("out") == ["x.npy"]
    assert Path("out/x.npy").read_text() == "old"


# -- cache -------------------------------------------------------------------------------------------------------------


def test_cache(tmp_path: Path) -> None:
    assert call("cache", "path").stdout.strip() == str(tmp_path / "cache")
    assert as_json("cache", "path") == {"path": str(tmp_path / "cache"), "shared": None}
    assert call("cache", "ls").stdout.startswith("0 bases, 0 B, in ")
    call("solve", "a.toml", "--out", "b")
    header, *rows, total = call("cache", "ls").stdout.splitlines()
    assert header.split()[:4] == ["digest", "space", "dim", "size"]
    assert len(rows) == 2
    assert total.startswith("2 bases, ")
    entries = as_json("cache", "ls")["entries"]
    assert all(list(e) == ["digest", "space", "dim", "bytes", "used", "path"] for e in entries)
    assert {e["space"]: e["dim"] for e in entries} == {"4*1 + 2*V >> V**2": 4, "V >> V": 1}
    assert all(Path(e["path"]).stat().st_size == e["bytes"] for e in entries)


def test_gc_and_clear() -> None:
    call("solve", "a.toml", "--out", "b")
    old, new = as_json("cache", "ls")["entries"]
    past = old["used"] - 10 * 86_400
    os.utime(old["path"], (past, past))
    assert "removed 0 bases" in call("cache", "gc", "--older-than", "20").stdout
    assert as_json("cache", "gc", "--older-than", "5")["digests"] == [old["digest"]]
    assert as_json("cache", "gc", "--max-bytes", str(new["bytes"]))["removed"] == 0
    assert as_json("cache", "gc", "--max-bytes", str(new["bytes"] - 1))["bytes"] == new["bytes"]
    _forget()
    call("solve", "a.toml", "--out", "b")
    assert as_json("cache", "clear")["removed"] == 2
    assert as_json("cache", "ls")["entries"] == []
    assert sorted(os.listdir("b")) == ["layer.2.safetensors", "layer1.safetensors"]


def test_a_damaged_cache_entry_costs_a_warning() -> None:
    first = as_json("solve", "a.toml", "--out", "b")
    place = Path(as_json("cache", "ls")["entries"][0]["path"])
    place.write_bytes(b"x" * 100)
    assert "(cannot be read)" in call("cache", "ls").stdout
    _forget()
    result = call("solve", "a.toml", "--out", "c", "--json")
    assert result.stderr.startswith("warning: cache: ")
    assert result.stderr.count("\n") == 1
    assert [r["digest"] for r in json.loads(result.stdout)["maps"]] == [r["digest"] for r in first["maps"]]


# -- the program itself ------------------------------------------------------------------------------------------------


def test_version() -> None:
    assert call("--version").stdout == f"repcore {rc.__version__}\n"


def test_help_lists_every_command() -> None:
    def listed(text: str) -> list[str]:
        return [line.split()[0] for line in text.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()]

    commands = listed(call("--help").stdout)
    assert commands == ["new", "info", "explain", "solve", "verify", "plot", "decompose", "export", "cache"]
    assert listed(call("cache", "-h").stdout) == ["ls", "gc", "clear", "path"]
    for command in commands:
        if command != "cache":
            assert "--json" in call(command, "--help").stdout


def test_the_library_does_not_load_the_program() -> None:
    code = "import sys, repcore; print([m for m in ('typer', 'rich', 'repcore.cli') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "[]\n"
