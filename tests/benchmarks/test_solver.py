"""What solving costs: dimensions and sizes in the default run, times in `make bench`, each line of a table in a fresh process.

A new case is one line in ``FIGURES``.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import repcore as rc

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Figure:
    """One space, written as it would be in Python, and what is known about it.

    Attributes:
        dim: the dimension, from the literature or by counting.
        cap: seconds for declaring and solving in a fresh process, nothing cached; several times what an idle core needs.
        left: unknowns that may be left for elimination, a number that no machine changes.
        quick: also solved in the default run.
    """

    name: str
    group: str
    x: str
    y: str
    dim: int
    cap: float
    left: int = 0
    quick: bool = True


FIGURES = [
    Figure("SO(3), V^2 -> V^2", "SO(3)", "V**2", "V**2", 3, 1, 6),
    Figure("SO(3), V^3 -> V^3", "SO(3)", "V**3", "V**3", 15, 1, 31),
    Figure("SO(3), V^4 -> V^3", "SO(3)", "V**4", "V**3", 36, 1, 91),
    Figure("SO(3), V^4 -> V^4", "SO(3)", "V**4", "V**4", 91, 2, 274),
    Figure("SO(3), V^5 -> V^4", "SO(3)", "V**5", "V**4", 232, 4, 820),
    Figure("SO(3), V^5 -> V^5", "SO(3)", "V**5", "V**5", 603, 30, 2461, quick=False),
    Figure("S_10, V^2 -> V^2", "symmetric(10)", "V**2", "V**2", 15, 1),
    Figure("S_20, V^2 -> V^2", "symmetric(20)", "V**2", "V**2", 15, 1),
    Figure("S_40, V^2 -> V^2", "symmetric(40)", "V**2", "V**2", 15, 8, quick=False),
    Figure("Z_100, V -> V", "PermutationGroup([[*range(1, 100), 0]])", "V", "V", 100, 1),
    Figure("B_4, V^4 -> V^4", "hyperoctahedral(4)", "V**4", "V**4", 379, 2),
    Figure("SO(20), V -> V", "SO(20)", "V", "V", 1, 1, 2),
    Figure("SO(60), 1 -> V", "SO(60)", "one", "V", 0, 5, 0, quick=False),
    Figure("SU(3), V^3 -> V^3", "SU(3)", "V**3", "V**3", 6, 2, 20),
    Figure("U(3), T(2,1) -> T(2,1)", "U(3)", "V**2 * V.dual", "V**2 * V.dual", 6, 2, 20),
    Figure("Sp(4), V^3 -> V^3", "Sp(4)", "V**3", "V**3", 14, 2, 300),
    Figure("Lorentz, V^3 -> V^3", "lorentz()", "V**3", "V**3", 25, 2, 300),
    Figure("affine(2), V^4 -> V^2", "affine(2)", "V**4", "V**2", 12, 1, 60),
    Figure("so(5), V^3 -> V^3", "SO(5)", "V**3", "V**3", 15, 2, 60),
    Figure("so(6), V^3 -> V^3", "SO(6)", "V**3", "V**3", 16, 3, 70),
    Figure("gl(3), V^4 -> V^4", "GL(3)", "V**4", "V**4", 23, 3, 591),
    Figure("D_8, V^4 -> V^4", "dihedral(8)", "V**4", "V**4", 36, 1, 128),
    Figure("icosahedral, V^3 -> V^3", "icosahedral()", "V**3", "V**3", 16, 2, 243),
]


def left_for_elimination(basis: Any) -> int:
    return max((s.after for s in basis.steps if s.name == "presolve"), default=0)


@pytest.mark.parametrize("figure", [f for f in FIGURES if f.quick], ids=lambda f: f.name)
def test_dimensions_and_sizes(figure: Figure) -> None:
    G = eval(figure.group, dict(vars(rc)))  # noqa: S307  # the table above
    names = {"V": G.rep, "one": rc.trivial(G)}
    basis = rc.solve(eval(figure.x, names) >> eval(figure.y, names), store=None)  # noqa: S307  # the table above
    assert basis.dim == figure.dim
    assert basis.certificate.status == "proved"
    assert left_for_elimination(basis) <= figure.left


# ------------------------------------------------------------------------------------------------------------- by the clock


class Table:
    """Lines that are printed when the last benchmark of this file is done."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, ...]] = [("figure", "dim", "seen", "cap", "of the cap", "")]

    def add(self, name: str, dim: str, seen: float, cap: float, remark: str = "") -> None:
        self.lines.append((name, dim, f"{seen:.3f} s", f"{cap:g} s", f"{seen / cap:.0%}", remark))

    def show(self) -> str:
        widths = [max(len(line[i]) for line in self.lines) for i in range(len(self.lines[0]))]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in self.lines)


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    out = Table()
    yield out
    if len(out.lines) > 1:
        print("\n\n" + out.show())


def fresh(script: str, *arguments: str) -> dict[str, Any]:
    """Run a script in a process of its own; what it prints last is JSON."""
    done = subprocess.run([sys.executable, "-c", script, *arguments], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


SOLVE = """
import json, resource, sys, time
import repcore as rc
group, x, y = sys.argv[1:]
start = time.perf_counter()
G = eval(group, dict(vars(rc)))
names = {"V": G.rep, "one": rc.trivial(G)}
basis = rc.solve(eval(x, names) >> eval(y, names), store=None)
took = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": took, "dim": basis.dim, "status": basis.certificate.status, "peak": peak}))
"""


@pytest.mark.bench
@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_cold_solve(figure: Figure, table: Table) -> None:
    found = fresh(SOLVE, figure.group, figure.x, figure.y)
    table.add(figure.name, str(found["dim"]), found["seconds"], figure.cap, f"{found['peak']:.0f} MB")
    assert found["dim"] == figure.dim
    assert found["status"] == "proved"
    assert found["seconds"] <= figure.cap


IMPORT = """
import json, time
import numpy
start = time.perf_counter()
import repcore
print(json.dumps({"seconds": time.perf_counter() - start}))
"""


@pytest.mark.bench
def test_import(table: Table) -> None:
    """On top of numpy, median of five fresh processes."""
    seen = statistics.median(fresh(IMPORT)["seconds"] for _ in range(5))
    table.add("import repcore, after numpy", "", seen, 0.3)
    assert seen <= 0.3


LOAD = """
import json, sys, time
import repcore as rc
V = rc.SO(3).rep
space = V ** 4 >> V ** 4
start = time.perf_counter()
basis = rc.solve(space, store=sys.argv[1])
took = time.perf_counter() - start
print(json.dumps({"seconds": took, "dim": basis.dim, "digest": basis.digest}))
"""


@pytest.mark.bench
def test_load_from_the_store(table: Table, tmp_path: Path) -> None:
    """SO(3), V^4 -> V^4 again: in a process that has loaded before, and in a fresh one."""
    V = rc.SO(3).rep
    space = V**4 >> V**4
    solved = rc.solve(space, store=tmp_path)
    store = rc.Store(tmp_path)
    times: list[float] = []
    for _ in range(20):
        start = time.perf_counter()
        found = store.get(space)
        times.append(time.perf_counter() - start)
        assert found == solved
    seen = statistics.median(times)
    table.add("load SO(3) V^4 -> V^4 from the store", str(solved.dim), seen, 0.01)
    again = [fresh(LOAD, str(tmp_path)) for _ in range(3)]
    first = statistics.median(a["seconds"] for a in again)
    table.add("the same, first call of a fresh process", str(solved.dim), first, 0.5)
    assert {a["digest"] for a in again} == {solved.digest}
    assert seen <= 0.01
    assert first <= 0.5


DUMP = """
import json, sys
import repcore as rc
order = int(sys.argv[1])
for name in ("symmetric(6)", "O(3)", "SU(2)", "icosahedral()", "affine(2)"):
    G = eval(name, dict(vars(rc)))
    discrete, lie = list(G.discrete)[::order], list(G.lie)[::order]
    if order < 0:
        discrete += discrete[:1]
    V = rc.Group(discrete, lie).rep
    rc.dump(rc.solve(V ** 2 + V >> V ** 2, store=None), sys.argv[2] + name + ".safetensors")
print(json.dumps({}))
"""


def test_two_processes_write_the_same_files(tmp_path: Path) -> None:
    """Generators the other way round and repeated, another hash seed: not a byte differs."""
    for folder, order in (("one", "1"), ("two", "-1")):
        (tmp_path / folder).mkdir()
        fresh(DUMP, order, f"{tmp_path / folder}{os.sep}")
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert len(files) == 5
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.bench
def test_multiplicities_are_free(table: Table) -> None:
    """64 V -> 128 V takes as long as V -> V, within a factor of three and 20 ms."""
    V = rc.SO(3).rep ** 2

    def seconds(m: int, n: int) -> float:
        times: list[float] = []
        for _ in range(5):
            start = time.perf_counter()
            rc.solve(m * V >> n * V, store=None)
            times.append(time.perf_counter() - start)
        return min(times)

    seconds(1, 1)
    one, many = seconds(1, 1), seconds(64, 128)
    table.add("64 V^2 -> 128 V^2 of SO(3)", "", many, 3 * one + 0.02, f"once: {one:.4f} s")
    assert many <= 3 * one + 0.02


@pytest.mark.bench
def test_verify_costs_no_more_than_a_few_solves(table: Table) -> None:
    V = rc.SO(3).rep
    basis = rc.solve(V**4 >> V**4, store=None)
    start = time.perf_counter()
    assert rc.verify(basis)
    seen = time.perf_counter() - start
    table.add("verify SO(3) V^4 -> V^4", "91", seen, 2)
    assert seen <= 2
