"""Softness on vectors and on pedestrians: that the examples run, what they claim, and that their checks can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import repcore as rc
import repcore_torch as rct

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "softness"
VECTORS = re.compile(r"^(linear|deep) +([\d.]+) +(\d+) +(-?[\d.]+) % +([\d.e+-]+) +([\d.e+-]+)", re.MULTILINE)
TRAJECTORIES = re.compile(r"^ *([\d.]+) +(\d+)" + r" +([\d.e+-]+)" * 6, re.MULTILINE)


def run_example(name: str) -> str:
    done = subprocess.run([sys.executable, str(FOLDER / name)], capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def vectors(text: str) -> dict[tuple[str, float, int], tuple[float, float, float]]:
    """Part explained, error, bound, by network, softness and seed."""
    return {(a, float(b), int(c)): (float(d), float(e), float(f)) for a, b, c, d, e, f in VECTORS.findall(text)}


def trajectories(text: str) -> dict[tuple[float, int], dict[str, float]]:
    names = ("ade", "fde", "error", "largest", "bound", "validation")
    return {(float(s), int(k)): dict(zip(names, map(float, v), strict=True)) for s, k, *v in TRAJECTORIES.findall(text)}


def test_the_vectors_run(loaded: Callable[[Path], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "vectors.png"
    main = loaded(FOLDER / "vectors.py").main
    (curve,) = main(["--networks", "linear", "--seeds", "1", "--steps", "5", "--softness", "0", "1", "--out", str(out)])
    text = capsys.readouterr().out
    rows = vectors(text)
    assert set(rows) == {("linear", 0.0, 0), ("linear", 1.0, 0)}
    assert max(rows["linear", 0.0, 0][1:]) < 1e-13
    assert 0.1 < rows["linear", 1.0, 0][1] < rows["linear", 1.0, 0][2]
    assert [point.bound for point in curve.points] == pytest.approx([rows["linear", s, 0][2] for s in (0.0, 1.0)], rel=0.01)
    assert "one random layer at softness 0.5" in text
    assert out.stat().st_size > 5_000


def test_the_pedestrians_run(loaded: Callable[[Path], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "trajectories.png"
    loaded(FOLDER / "trajectories.py").main(["--seeds", "1", "--steps", "5", "--softness", "0", "1", "--out", str(out)])
    text = capsys.readouterr().out
    rows = trajectories(text)
    assert set(rows) == {(0.0, 0), (1.0, 0)}
    assert rows[0.0, 0]["largest"] < 1e-10
    assert 0.01 < rows[1.0, 0]["error"] < rows[1.0, 0]["largest"] < rows[1.0, 0]["bound"]
    assert "validation chooses softness" in text
    assert out.stat().st_size > 5_000


@pytest.mark.slow
def test_soft_maps_of_vectors_explain_more() -> None:
    rows = vectors(run_example("vectors.py"))
    assert len(rows) == 30
    for seed in range(3):
        strict, soft, free = (rows["deep", s, seed][0] for s in (0.0, 0.1, 1.0))
        assert soft > max(strict, free) + 5
    # One layer meets its bound almost.
    assert all(error <= bound < 2 * error for (name, s, _), (_, error, bound) in rows.items() if name == "linear" and s > 0)


@pytest.mark.slow
def test_soft_forecasts_are_nearer_than_strict_and_free_ones() -> None:
    text = run_example("trajectories.py")
    rows = trajectories(text)
    chosen = re.findall(r"^seed (\d+): validation chooses softness ([\d.]+), ADE ([\d.]+)", text, re.MULTILINE)
    assert [int(seed) for seed, _, _ in chosen] == [0, 1, 2]
    for seed, softness, ade in chosen:
        strict, free = (rows[s, int(seed)] for s in (0.0, 1.0))
        assert 0 < float(softness) < 1
        assert float(ade) < min(strict["ade"], free["ade"])
        assert strict["largest"] < 1e-10 < rows[float(softness), int(seed)]["error"] < free["error"]


def test_what_is_not_equivariant_is_seen(loaded: Callable[[Path], ModuleType]) -> None:
    of_vectors, of_walks = (loaded(FOLDER / f"{name}.py") for name in ("vectors", "trajectories"))
    torch.manual_seed(0)
    model, rules = of_vectors.network("deep")
    model = model.double()
    x = of_vectors.draw(np.random.default_rng(0), 50)[0]
    error = of_vectors.largest(model, x, 0)
    assert error > 0.1
    with pytest.raises(SystemExit, match="strict: "):
        of_vectors.check("strict", error, of_vectors.rounding(model))
    strict = rct.soften(model, rules, softness=0)
    assert of_vectors.largest(strict, x, 0) <= of_vectors.rounding(strict)
    walker, _ = of_walks.network()
    walks = of_walks.walks(np.random.default_rng(0), 3)
    with pytest.raises(SystemExit, match="is above"):
        of_walks.check("strict", of_walks.errors(walker.double(), walks.x, 0)[1], of_walks.rounding(walker, 10.0))


def test_the_target_is_broken_by_delta_alone(loaded: Callable[[Path], ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    example = loaded(FOLDER / "vectors.py")
    (g,) = rc.sample(rc.SO(3), 1, seed=3)
    turn = torch.tensor(g.act(example.V, np.eye(3))).T.numpy()

    class Turned(np.random.Generator):
        """Draws of the same seed, all turned by g."""

        def normal(self, *arguments: float, size: tuple[int, ...] = ()) -> np.ndarray:  # type: ignore[override]
            return super().normal(*arguments, size=size) @ turn.T

    for delta, holds in ((0.0, True), (0.3, False)):
        monkeypatch.setattr(example, "DELTA", delta)
        x, y = example.draw(np.random.default_rng(1), 20)
        moved_x, moved_y = example.draw(Turned(np.random.default_rng(1).bit_generator), 20)
        assert torch.allclose(moved_x, example.turned(x, g), atol=1e-13)
        assert torch.allclose(moved_y, example.turned(y, g), atol=1e-13) == holds


def test_the_walks_are_read_as_vectors(loaded: Callable[[Path], ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    example = loaded(FOLDER / "trajectories.py")
    at = example.simulate(np.random.default_rng(0), 4)
    assert at.shape == (4, example.SEEN + example.AHEAD, example.WALKERS, 2)
    monkeypatch.setattr(example, "simulate", lambda random, scenes: at)
    straight = example.walks(None, 4)
    (g,) = rc.sample(example.O2, 1, seed=1)
    monkeypatch.setattr(example, "simulate", lambda random, scenes: example.turned(torch.tensor(at), g).numpy())
    moved = example.walks(None, 4)
    for a, b in zip(straight, moved, strict=True):
        assert torch.allclose(example.turned(a, g), b, atol=1e-12)
    # Who goes straight on is where constant velocity says.
    line = np.arange(example.SEEN + example.AHEAD)[None, :, None, None] * (at[:, 1:2] - at[:, :1]) + at[:, :1]
    monkeypatch.setattr(example, "simulate", lambda random, scenes: line)
    assert max(example.ade_fde(None, example.walks(None, 4))) < 1e-12
    assert min(example.ade_fde(None, straight)) > 0.1


def test_only_the_slope_breaks_the_symmetry(loaded: Callable[[Path], ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    example = loaded(FOLDER / "trajectories.py")

    def sideways() -> float:
        """The mean square of y over that of x, halfway."""
        half = example.simulate(np.random.default_rng(0), 400)[:, 10]
        return float((half[..., 1] ** 2).mean() / (half[..., 0] ** 2).mean())

    on_the_slope = sideways()
    monkeypatch.setattr(example, "PUSH", 0.0)
    # 2,400 walkers: the ratio of two means of squares is within some percent of 1.
    assert 0.85 < sideways() < 1.15 < 1.5 < on_the_slope
