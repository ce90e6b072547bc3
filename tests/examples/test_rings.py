"""Rings under SO(2): that the example runs, what its table claims, and that what it measures can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.linalg import expm

torch = pytest.importorskip("torch")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "rings" / "experiment.py"
# Three sums of at most 28 products, each off by at most 28 roundings; what stands between has slopes of at most 1.
ROUNDING = 3 * 28 * 2.0**-23


def rows(text: str) -> dict[tuple[str, str], list[float]]:
    """The figures of each way: the errors of the seeds, unseen, exception, defect, distance, ms."""
    found, task = {}, ""
    for line in text.splitlines():
        if match := re.match(r"(symmetric|broken): ", line):
            task = match[1]
        elif match := re.match(r"(dense|augmentation|penalty \S+(?: 1\))?|strict) {2,}([\d.e+\- ]+)$", line):
            found[task, match[1]] = [float(cell) for cell in match[2].split()]
    return found


def test_the_example_runs(tmp_path: Path) -> None:
    ways = ("dense", "penalty fro", "penalty (2, 1)", "strict")
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--steps", "3", "--seeds", "0", "--ways", *ways, "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the audit finds tanh on 28*1 + 4*irrep(1) + 4*irrep(2) + 4*irrep(3): pointwise" in done.stdout
    assert set(rows(done.stdout)) == {(task, way) for task in ("symmetric", "broken") for way in ways}
    assert all(rows(done.stdout)[task, "strict"][-2] < ROUNDING for task in ("symmetric", "broken"))
    assert (tmp_path / "rings.png").read_bytes().startswith(b"\x89PNG")


def test_a_penalised_network_is_far_less_defective_than_a_free_one(example: ModuleType) -> None:
    dense, penalised, strict = (example.run(way, "symmetric", 0, 100) for way in ("dense", "penalty fro", "strict"))
    assert 10 * penalised.defect < dense.defect
    assert 10 * penalised.distance < dense.distance
    assert strict.defect < ROUNDING
    assert strict.distance < ROUNDING


def test_a_weak_penalty_leaves_the_start_as_it_is(example: ModuleType) -> None:
    weak = example.run("penalty fro", "symmetric", 0, 50, 1e-6)
    assert weak.distance > 0.1  # the share that it begins with; training adds to it


def test_the_lift_is_equivariant(example: ModuleType) -> None:
    points = torch.rand(20, 2, dtype=torch.float64) - 0.5
    small, large = (np.array(rep.matrix(0).to_numpy(), dtype=float) for rep in (example.WAVES[0], example.LIFT))
    for angle in (0.3, 1.0, 3.0):
        turned = torch.tensor(points.numpy() @ expm(angle * small).T)
        moved = example.lift(points).numpy() @ expm(angle * large).T
        # Exponentials of matrices of norm 9 at most, products of numbers below 1.
        assert np.abs(example.lift(turned).numpy() - moved).max() < 64 * 9 * np.finfo(float).eps


def test_the_tasks_are_what_their_names_say(example: ModuleType) -> None:
    random = np.random.default_rng(0)
    points = example.draw(2000, random, "symmetric", everywhere=True)[0].double().numpy()
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    changes = {task: example.classes(points, task) != example.classes(points @ turn.T, task) for task in example.TASKS}
    assert not changes["symmetric"].any()
    # A sixth of the disc is turned into the exception, and a sixth out of it.
    assert 0.28 < changes["broken"].mean() < 0.39
    seen = example.draw(2000, random, "broken", everywhere=False)[0].numpy()
    assert np.abs(np.arctan2(seen[:, 1], seen[:, 0])).min() > np.pi / 3 - 1e-6


@pytest.mark.slow
def test_what_the_table_says() -> None:
    done = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(done.stdout)
    errors = {key: float(np.median(cells[:3])) for key, cells in found.items()}
    assert errors["symmetric", "dense"] > 5 * errors["symmetric", "penalty fro"]
    assert errors["symmetric", "penalty fro"] < 1.5 * errors["symmetric", "strict"]
    assert errors["broken", "penalty nuclear"] < 0.75 * min(errors["broken", "dense"], errors["broken", "strict"])
    assert (
        errors["symmetric", "penalty inf"] > 5 * errors["symmetric", "penalty fro"]
    )  # it does not help here, and the page says so
