"""What a newcomer meets first: a file to start from, what is in a file, help, completion, and how the program ends."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

import repcore as rc
from repcore.cli.new import STARTER

Call = Callable[..., Result]
Json = Callable[..., Any]
Program = Callable[..., subprocess.CompletedProcess[str]]


def commands(text: str) -> list[str]:
    """The names in a help text."""
    return [line.split()[0] for line in text.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()]


# -- new ---------------------------------------------------------------------------------------------------------------


def test_new_writes_a_file_that_solves(call: Call, as_json: Json) -> None:
    assert call("new").stdout == "symmetry.toml: written; next: repcore solve symmetry.toml --out bases\n"
    found = as_json("solve", "symmetry.toml", "--out", "bases")["maps"]
    assert [(r["map"], r["dim"], r["certificate"]) for r in found] == [("encode", 14, "proved"), ("decode", 6, "proved")]
    assert as_json("new", "b.toml") == {"file": "b.toml"}
    assert Path("b.toml").read_text() == STARTER.format(name="b.toml")


def test_every_group_that_the_starter_names_can_be_declared(place: Path) -> None:
    commented = re.sub(r"^builtin = .*\n", "", STARTER.format(name="a.toml"), flags=re.MULTILINE)
    names = re.search(r"by name: (.*), \.\.\.", STARTER)
    assert names is not None
    for name in re.findall(r'"([^"]+)"', names[1]):
        Path("a.toml").write_text(f'[group]\nbuiltin = "{name}"\n')
        assert isinstance(rc.load("a.toml"), rc.Spec)
    for key, end in (("discrete", "# ]"), ("lie", ""), ("permutations", "")):
        start = commented.index(f"# {key} = ")
        stop = commented.index(end, start) + len(end) if end else commented.index("\n", start)
        table = commented[start:stop].replace("\n# ", "\n").removeprefix("# ")
        Path("a.toml").write_text(f"[group]\n{table}\n")
        spec = rc.load("a.toml")
        assert isinstance(spec, rc.Spec)
        assert len(spec.group.generators) > 0


def test_new_overwrites_nothing(call: Call) -> None:
    before = Path("a.toml").read_text()
    assert "'a.toml': exists; give another name" in call("new", "a.toml", status=1).stderr
    # A name with bytes that are no UTF-8 has no place in the comments: there is no file then, not an empty one.
    assert "cannot be written" in call("new", "b\udcff.toml", status=1).stderr
    assert not Path("b\udcff.toml").exists()
    assert Path("a.toml").read_text() == before
    assert "ends in .toml" in call("new", "a.json", status=1).stderr
    assert "cannot be written: No such file or directory" in call("new", "no/b.toml", status=1).stderr
    assert not Path("a.json").exists()


# -- info --------------------------------------------------------------------------------------------------------------


def test_info_of_a_declarative_file(call: Call, as_json: Json) -> None:
    text = call("info", "a.toml").stdout
    assert text.startswith("a.toml: a declarative file\ngroup       D4, 2 x 2 matrices\n")
    assert "layer1   4 x 8  32        4*1 + 2*V >> V**2\n" in text
    found = as_json("info", "a.toml")
    assert (found["kind"], found["group"]) == ("spec", {"group": "D4", "dim": 2, "discrete": 2, "lie": 0, "order": 8})
    assert found["reps"] == [{"rep": "X", "dim": 8, "is": "4*1 + 2*V"}]
    assert [m["shape"] for m in found["maps"]] == [[4, 8], [2, 2]]


def test_info_of_a_basis_file_is_what_it_holds(call: Call, as_json: Json) -> None:
    call("solve", "a.toml", "--out", "bases")
    basis = rc.load("bases/layer1.safetensors")
    assert isinstance(basis, rc.EquivariantBasis)
    found = as_json("info", "bases/layer1.safetensors")
    assert (found["kind"], found["digest"], found["space digest"]) == ("basis", basis.digest, basis.space.digest)
    assert (found["dim"], tuple(found["shape"]), found["unknowns"]) == (basis.dim, basis.shape, 32)
    assert (found["field"], found["certificate"]) == (str(basis.field), basis.certificate.status)
    assert found["bytes"] == Path("bases/layer1.safetensors").stat().st_size
    assert f"digest        {basis.digest}\n" in call("info", "bases/layer1.safetensors").stdout


def test_info_of_a_model_file(call: Call, as_json: Json) -> None:
    V = rc.dihedral(4).rep
    weight = rc.Coefficients(np.ones(1), rc.plan(V >> V), rc.view_of((2, 2), "oi", rows="o", cols="i"), V >> V)
    rc.dump(rc.ModelFile({"fc.weight": weight}, {"fc.bias": np.zeros(2)}), "m.safetensors")
    found = as_json("info", "m.safetensors")
    assert (found["kind"], found["others"]) == ("model", [{"weight": "fc.bias", "shape": [2]}])
    (row,) = found["weights"]
    assert (row["weight"], row["shape"], row["dim"], row["digest"]) == ("fc.weight", [2, 2], 1, weight.digest)
    assert weight.digest[:12] in call("info", "m.safetensors").stdout


@pytest.mark.parametrize("name", ["no.toml", "no.safetensors", "a.yaml", "cut.safetensors", "."])
def test_info_of_what_cannot_be_read(name: str, call: Call) -> None:
    Path("cut.safetensors").write_bytes(b"x" * 7)
    call("info", name, status=1)


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_jobs_write_the_same_bytes(program: Program, as_json: Json, call: Call) -> None:
    call("solve", "a.toml", "--out", "one", "--no-cache")
    done = program("solve", "a.toml", "--out", "two", "--jobs", "2", "--no-cache", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(done.stdout)["maps"]
    assert [(r["map"], r["source"], r["seconds"], r["route"]) for r in rows] == [
        ("layer1", "solved", None, "-"),
        ("layer.2", "solved", None, "-"),
    ]
    for name in ("layer1", "layer.2"):
        assert Path(f"one/{name}.safetensors").read_bytes() == Path(f"two/{name}.safetensors").read_bytes()
    # What is known is looked up, and no process is started for it.
    call("solve", "a.toml", "--out", "three")
    assert [r["source"] for r in as_json("solve", "a.toml", "--out", "four", "--jobs", "8")["maps"]] == ["cached", "cached"]
    assert "greater than or equal to 1" in call("solve", "a.toml", "--out", "b", "--jobs", "0", status=2).stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_ends_the_workers_too(place: Path) -> None:
    Path("a.toml").write_text('[group]\nbuiltin = "SO(3)"\n[maps]\na = "V**5 >> V**5"\nb = "V**5 >> V**5 + V"\n')
    code = [sys.executable, "-m", "repcore", "solve", "a.toml", "--out", "b", "--jobs", "2", "--no-cache"]
    process = subprocess.Popen(code, stdout=-1, stderr=-1, text=True)
    workers: list[str] = []
    until = time.monotonic() + 60
    while len(workers) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
        listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not listed.exists():
            process.kill()
            process.communicate()
            pytest.skip("children are not listed here")
        workers = listed.read_text().split()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert os.listdir("b") == []
    while [w for w in workers if Path(f"/proc/{w}").exists()]:
        assert time.monotonic() < until, "a worker is left"
        time.sleep(0.05)


# -- help, completion --------------------------------------------------------------------------------------------------


def test_the_example_of_every_command_runs(call: Call) -> None:
    pytest.importorskip("matplotlib")
    top = call("--help").stdout
    assert top.rstrip().endswith("Begin with: repcore new symmetry.toml")
    names = [*([n] for n in commands(top) if n != "cache"), *(["cache", n] for n in commands(call("cache", "-h").stdout))]
    assert len(names) == 12
    for name in names:
        text = call(*name, "--help").stdout
        assert "--json" in text
        example = " ".join(text.partition("Example: ")[2].split())
        program, *args = shlex.split(example)
        assert program == "repcore"
        assert args[: len(name)] == name
        call(*args)
    assert Path("encode.png").exists()
    assert Path("encode.npz").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_in_a_shell(shell: str, program: Program) -> None:
    env = {"_REPCORE_COMPLETE": f"complete_{shell}", "COMP_WORDS": "repcore so", "COMP_CWORD": "1"}
    env |= {"_TYPER_COMPLETE_ARGS": "repcore so", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = program(**env)
    assert done.stderr == ""
    assert "solve" in done.stdout
    assert "export" not in done.stdout


def test_help_loads_nothing_heavy(program: Program) -> None:
    heavy = ("matplotlib", "sympy", "networkx", "scipy", "rich", "torch", "jax")
    after = f"import atexit, sys; atexit.register(lambda: print([m for m in {heavy} if m in sys.modules]))"
    done = program("--help", before=after)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]")


# -- how it ends -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
@pytest.mark.parametrize("args", [("explain", "a.toml"), ("info", "a.toml", "--json"), ("solve", "a.toml", "--out", "b")])
def test_a_reader_that_leaves_is_no_error_to_talk_about(args: tuple[str, ...], place: Path) -> None:
    # The reading end is closed before anything is written.
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen([sys.executable, "-m", "repcore", *args], stdout=write, stderr=-1, text=True)
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, "")
    if args[0] == "solve":
        assert sorted(os.listdir("b")) == ["layer.2.safetensors", "layer1.safetensors"]


def test_an_extra_that_is_missing_is_named(program: Program) -> None:
    absent = "import sys; sys.modules['fsspec'] = None"
    done = program("solve", "a.toml", "--out", "b", before=absent, REPCORE_SHARED_CACHE="memory://x")
    assert "Traceback" not in done.stderr
    assert "fsspec" in done.stderr


@pytest.mark.parametrize("text", ["a = [", "[group]\nbuiltin = 'SO(3)'\nbuiltin = 'SO(3)'", "\x00", "group = 1"])
def test_a_file_that_is_not_well_formed(text: str, call: Call) -> None:
    Path("bad.toml").write_text(text)
    for command in (("explain",), ("info",), ("decompose",), ("plot",)):
        assert "bad.toml" in call(*command, "bad.toml", status=1).stderr
