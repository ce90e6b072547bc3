"""Estimates of memory: above the measured peak, not far above it, and asked for before anything is allocated."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import repcore as rc
from repcore.basis import compute
from repcore.reps.hom import Hom
from repcore.solve import budget as budget_module
from repcore.solve.budget import Budget, physical_memory, size_text
from repcore.solve.memory import answer_bytes, constraint_bytes, map_bytes, orbit_bytes, spin_bytes
from repcore.solve.orbits import orbits

MIB = 2**20

# The peak of resident memory that a solve adds to a fresh process, and the largest number it asked its budget for.
MEASURE = """
import json
from pathlib import Path
import scipy.sparse, scipy.sparse.csgraph
import repcore as rc
from repcore.basis import compute
from repcore.solve.budget import Budget

asked = [0]

class Watched(Budget):
    def fits(self, need):
        asked.append(need)
        return super().fits(need)

{declare}
compute(rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2)  # what is imported on first use

def high_water():
    # Not ru_maxrss: a process inherits that from the one that started it.
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024

before = high_water()
basis = compute(space, Watched())
peak = high_water() - before
print(json.dumps([peak, max(asked), basis.dim, [s.name for s in basis.steps][-1]]))
"""

STANDARD = """
def standard(*p):
    columns = []
    for j in range(len(p) - 1):
        v = [(i == p[j]) - (i == p[j + 1]) for i in range(len(p))]
        columns.append([sum(v[: i + 1]) for i in range(len(p) - 1)])
    return [list(row) for row in zip(*columns)]

V = rc.Group([standard(1, 0, 2, 3, 4), standard(1, 2, 3, 4, 0)]).rep
space = V ** 3 >> V ** 4
"""
CASES = {
    "orbits": ("V = rc.symmetric(30).rep; space = V ** 2 >> V ** 2", 15, "orbits"),
    "signed orbits": ("V = rc.hyperoctahedral(5).rep; space = V ** 4 >> V ** 4", 379, "orbits"),
    "nullspace": ("V = rc.SO(3).rep; space = V ** 4 >> V ** 5", 232, "nullspace"),
    "nullspace over a field": ("V = rc.icosahedral().rep; space = V ** 3 >> V ** 4", 42, "nullspace"),
    "spin": (STANDARD, 147, "spin"),
    "check": ("V = rc.scaling(2).rep; space = V ** 8 >> V ** 8", 2**16, "weights"),
    "lorentz": ("V = rc.lorentz().rep; space = V ** 4 >> V ** 4", 196, "nullspace"),
}


@pytest.mark.parametrize("name", [n if n in ("orbits", "spin") else pytest.param(n, marks=pytest.mark.slow) for n in CASES])
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks of memory are read from Linux")
def test_an_estimate_bounds_the_measured_peak(name: str) -> None:
    declare, dim, last = CASES[name]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE.replace("{declare}", declare)], capture_output=True, text=True, check=True, timeout=300
    )
    peak, asked, *found = json.loads(done.stdout)
    assert found == [dim, last]
    assert peak > 16 * MIB  # else it says nothing
    assert peak <= asked <= 3 * peak


def asked_by(space: Hom) -> list[int]:
    """What a solve asks of its budget, in this order."""
    seen: list[int] = []

    class Watched(Budget):
        def fits(self, need: int) -> bool:
            seen.append(need)
            return super().fits(need)

    compute(space, Watched())
    return seen


SPACES: dict[str, Callable[[], Hom]] = {
    "orbits": lambda: rc.symmetric(6).rep ** 2 >> rc.symmetric(6).rep ** 2,
    "nullspace": lambda: rc.SO(3).rep ** 3 >> rc.SO(3).rep ** 3,
    "field": lambda: rc.cyclic(5).rep ** 2 >> rc.cyclic(5).rep ** 3,
    "sum": lambda: 2 * rc.SO(3).rep + rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 3,
}


@pytest.mark.parametrize("name", SPACES)
def test_the_largest_estimate_is_the_limit(name: str) -> None:
    space = SPACES[name]()
    need = max(asked_by(space))
    assert rc.solve(space, store=None, memory_limit=need) == compute(space)
    with pytest.raises(
        rc.MemoryLimitError, match=r"memory_limit: .* would need about .*, more than .*; .*, or raise memory_limit"
    ):
        rc.solve(space, store=None, memory_limit=need - 1)
    with pytest.raises(rc.MemoryLimitError):
        rc.solve(space, store=None, memory_limit=0)


def test_what_does_not_fit_is_refused_before_it_is_allocated() -> None:
    """Each step of a solve at a limit just below its own estimate: no more than the steps before it has been allocated."""
    space = rc.SO(3).rep ** 4 >> rc.SO(3).rep ** 4
    compute(space)
    steps = asked_by(space)
    growing = [(need, max(steps[:i], default=0)) for i, need in enumerate(steps) if need > max(steps[:i], default=0)]
    assert len(growing) > 2
    for need, before in growing:
        tracemalloc.start()
        with pytest.raises(rc.MemoryLimitError):
            compute(space, Budget(need - 1))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak <= before + MIB


def test_a_huge_space_is_refused_at_once() -> None:
    V = rc.symmetric(1000).rep
    tracemalloc.start()
    with pytest.raises(rc.MemoryLimitError, match=r"V\*\*3 >> V\*\*3 would need about [0-9.]+ TiB, more than 1.0 GiB; split"):
        rc.solve(V**3 >> V**3, store=None, memory_limit=2**30)
    assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    tracemalloc.stop()


def test_many_copies_are_refused_before_their_order_is_made() -> None:
    # One unknown each way, and 10^10 elements.
    V = rc.dihedral(4).rep
    with pytest.raises(rc.MemoryLimitError, match=r"the order of 10,000,000,000 elements would need about 447.0 GiB"):
        rc.solve(100_000 * V >> 100_000 * V, store=None, memory_limit=2**32)


def test_a_limit_holds_in_worker_processes() -> None:
    space = 2 * rc.SO(3).rep + rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 3
    need = max(asked_by(space))
    # Not forked: other tests of this process may have started threads.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert rc.solve(space, store=None, memory_limit=need, executor=pool) == compute(space)
        with pytest.raises(rc.MemoryLimitError, match="memory_limit"):
            rc.solve(space, store=None, memory_limit=need - 1, executor=pool)


def test_estimates_grow_with_what_they_count() -> None:
    assert orbit_bytes(100, 50) < orbit_bytes(100, 100) < orbit_bytes(100, 100, 2) < orbit_bytes(100, 100, 24)
    V = rc.SO(3).rep
    images = [(m, m) for m in V.matrices]
    free = orbits((3, 3), ())
    # One generator has four entries: each row and column that it has one in meets three unknowns.
    per_generator = constraint_bytes((3, 3), free, images[:1]) - constraint_bytes((3, 3), free, [])
    assert per_generator > 0
    assert constraint_bytes((3, 3), free, images) - constraint_bytes((3, 3), free, []) == 3 * per_generator


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (2**10, "1.0 KiB"), (3 * 2**29, "1.5 GiB"), (2**52, "4096.0 TiB")]
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert size_text(size) == text


def test_a_machine_that_does_not_say_how_much_memory_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert physical_memory() >= 2**28

    def silent(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(budget_module.os, "sysconf", silent)
    assert physical_memory() == 8 * 2**30


def test_estimates_of_spinning_and_lifting_are_linear() -> None:
    by_generators = [spin_bytes(5, 7, k, 3) for k in range(4)]
    assert len({b - a for a, b in pairwise(by_generators)}) == 1
    # Each generator has a dense matrix on either side.
    assert by_generators[1] - by_generators[0] == 8 * (25 + 49)
    assert len({spin_bytes(5, 7, 2, q + 1) - spin_bytes(5, 7, 2, q) for q in range(4)}) == 1
    found = orbits((3, 3), ())
    by_degree = [answer_bytes(found, np.arange(9), degree, 2) for degree in (1, 2, 3, 4)]
    assert len({b - a for a, b in pairwise(by_degree)}) == 1
    assert by_degree[0] < by_degree[1]
    assert answer_bytes(found, np.arange(4), 2, 2) < answer_bytes(found, np.arange(9), 2, 2)


def test_estimates_of_dense_maps_are_proportional() -> None:
    once = map_bytes(3, 5, 7)
    assert map_bytes(6, 5, 7) == map_bytes(3, 10, 7) == map_bytes(3, 5, 14) == 2 * once
    # More than the float64 array itself.
    assert once > 8 * 3 * 5 * 7
