"""The comparison of ways: its tasks have the symmetries that it says, all ways run on all tasks, and training pays."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "compare.py"
EPS = float(np.finfo(np.float32).eps)


@pytest.fixture(scope="module")
def compare(loaded: Callable[[Path], ModuleType]) -> ModuleType:
    return loaded(EXAMPLE)


def test_charges_move_as_rotations_and_reflections_say_unless_there_is_a_field(compare: ModuleType) -> None:
    random = np.random.default_rng(0)
    charge, (place, speed) = random.choice([-1.0, 1.0], size=(50, 3)), random.normal(size=(2, 50, 3, 3))
    mirrored = set()
    for g in rc.sample(rc.O(3), 8, seed=0):
        R = g.act(rc.O(3).rep, np.eye(3))
        mirrored.add(np.linalg.det(R) < 0)
        # 50 steps of some dozen operations on numbers below ten, of a matrix that is orthogonal so far:
        error = 1e5 * np.finfo(float).eps + 1e3 * np.abs(R @ R.T - np.eye(3)).max()
        for strength in (0.0, 0.3):
            field = np.array([0.0, 0.0, strength])
            there = compare.displacement(charge, place @ R, speed @ R, field)
            apart = np.abs(there - compare.displacement(charge, place, speed, field) @ R).max()
            assert (apart < error < 1e-9) if strength == 0 else (apart > 0.01)
    assert mirrored == {True, False}


@pytest.mark.parametrize("name", ["rotations", "digits", "particles"])
def test_strict_networks_commute_and_a_free_one_does_not(compare: ModuleType, name: str) -> None:
    import repcore_torch as rct

    task = compare.TASKS[name](True, 0)
    torch.manual_seed(0)
    strict, free = task.make(), task.make()
    rct.symmetrize(strict, task.spaces)
    X, Y = task.moves
    x = task.train[0][:20]
    for g in rc.sample(X.group, 4, seed=1):
        apart = []
        for model in (strict, free):
            with torch.no_grad():
                here, there = model(x).numpy(), model(torch.from_numpy(g.act(X, x.numpy()).astype(np.float32))).numpy()
            apart.append(np.abs(there - g.act(Y, here)).max() / np.abs(here).max())
        # float32, three layers of sums of up to 192 terms; an element may be the identity, and for a digit stands still.
        assert apart[0] < 1e4 * EPS
        assert apart[1] > 0.01 or np.abs(g.act(X, x.numpy()) - x.numpy()).max() < 0.01


def test_splits_are_apart(compare: ModuleType) -> None:
    task = compare.rotations(False, 0)
    rows = [{tuple(row) for row in pair[0].tolist()} for pair in (task.train, task.validation, task.test)]
    assert [len(each) for each in rows] == [compare.TRAIN, compare.VALIDATION, compare.TEST]
    assert len(set.union(*rows)) == sum(map(len, rows))


def test_one_word_is_all_that_changes(compare: ModuleType) -> None:
    task = compare.particles(True, 0)
    found = {way: compare.run(task, way, 8, 0) for way in ("strict", "penalty", "dense")}
    again = compare.run(task, "strict", 8, 0)
    assert again == found["strict"]
    assert len({result.test for result in found.values()}) == 3
    assert all(0 < result.validation < 2 and 0 < result.test < 2 for result in found.values())


def rows(*arguments: str) -> dict[str, list[float]]:
    done = subprocess.run([sys.executable, str(EXAMPLE), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"^(\w+(?:, broken)?)((?: +\d+\.\d+)+)$", done.stdout, re.MULTILINE)
    return {name: [float(number) for number in numbers.split()] for name, numbers in found}


@pytest.mark.slow
def test_every_way_runs_on_every_task() -> None:
    found = rows("--steps", "6")
    assert len(found) == 6
    assert all(len(errors) == 6 and all(0 < e < 100 for e in errors) for errors in found.values())


@pytest.mark.slow
def test_training_pays_and_strictness_where_it_is_right() -> None:
    ways = ("strict", "penalty", "dense")
    short, long = (rows("--tasks", "particles", "--ways", *ways, "--steps", n) for n in ("2", "300"))
    for name in ("particles", "particles, broken"):
        assert all(b < a for a, b in zip(short[name], long[name], strict=True))
    strict, penalty, dense = long["particles"]
    assert max(strict, penalty) < dense
    strict, penalty, dense = long["particles, broken"]
    assert max(penalty, dense) < strict
