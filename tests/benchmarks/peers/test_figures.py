from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc

HERE = Path(__file__).resolve().parent


def _sibling(name: str) -> Any:
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


cases, groups, process, emlp_tests = map(_sibling, ("cases", "groups", "process", "emlp_tests"))


@pytest.mark.bench
@pytest.mark.parametrize("case", cases.CASES, ids=lambda c: c.name)
def test_solved_and_proved_in_a_fresh_process(case: Any) -> None:
    job = {"case": case.name, "again_below": 0.0}
    got: dict[str, Any] = {}
    for line in process.answers(sys.executable, process.REPCORE, job, limit=300, memory_mb=8192):
        got.update(line)
    reached = "reached" if got.get("wall", 1e9) <= case.target else "MISSED"
    print(f"\n{case.name}: {got.get('wall')} s by the clock, {got.get('first')} s CPU, to reach {case.target} s: {reached}")
    assert (got.get("dim"), got.get("certificate")) == (case.dim, "proved"), got


def test_the_cube_has_its_order() -> None:
    assert rc.order(groups.rubik()) == 43_252_003_274_489_856_000


def _traces(generators: list[np.ndarray]) -> np.ndarray:
    """The traces of all elements of a finite group, listed in floating point by other code than the library's."""
    n = len(generators[0])
    # Elements are told apart by two projections on fixed random directions.
    directions = np.random.default_rng(0).standard_normal((n * n, 2))

    def keys(m: np.ndarray) -> np.ndarray:
        at = m.reshape(-1, n * n) @ directions
        return np.round(np.concatenate([at.real, at.imag], axis=1) * 1e6).astype(np.int64)

    found = np.eye(n)[None].astype(complex)
    newest = found
    while len(newest):
        made = np.concatenate([g @ newest for g in generators])
        everything = np.concatenate([found, made])
        _, first = np.unique(keys(everything), axis=0, return_index=True)
        newest = everything[first[first >= len(found)]]
        found = np.concatenate([found, newest])
    return np.trace(found, axis1=1, axis2=2)


FINITE = {
    "S_5 standard": 120,
    "W(E6)": 51_840,
    "W(F4)": 1_152,
    "C_15": 15,
    "D_12": 24,
    "H_3": 120,
    "H_4": 14_400,
    "A_5, icosahedral": 60,
    "PSL(2,7)": 168,
    "Clifford group": 192,
}


@pytest.mark.parametrize("name", FINITE)
def test_dimensions_of_the_table_are_means_of_characters(name: str) -> None:
    rows = [c for c in cases.CASES if c.name.startswith(f"{name}, V")]
    assert rows
    traces = _traces([g.to_numpy().astype(complex) for g in rows[0].group().discrete])
    assert len(traces) == FINITE[name]
    for case in rows:
        (_, a, _), (_, b, _) = case.x[0], case.y[0]
        mean = np.mean(traces**b * traces.conj() ** a)
        # A sum of some 10^4 numbers below 10^6 with rounding errors of 10^-10 at most.
        assert abs(mean - case.dim) < 1e-3


def test_the_rebuilt_instances_are_as_many_as_its_suite_has() -> None:
    # 42 groups; 35 of matrices below 5 x 5 get the product as well.
    assert len(emlp_tests.NAMED) == 42
    assert len(emlp_tests.MAPS) + 2 * len(emlp_tests.PRODUCTS) == 7 + 8
