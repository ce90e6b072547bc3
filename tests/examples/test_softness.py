"""From strict to soft: that the examples run, what they claim, and that their checks can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "softness"
ROW = re.compile(r"^(resnet|vit|o5|lorentz) +([\d.]+) +(\d+) +([\d.e+-]+) +([\d.e+-]+)", re.MULTILINE)

CHOSEN = re.compile(r"seed (\d+): strict .*; soft ([\d.]+) .*; free .*; forward after export ([\d.]+) x")


def run_example(name: str, *arguments: str) -> tuple[str, dict[tuple[str, float, int], tuple[float, float]]]:
    done = subprocess.run(
        [sys.executable, str(FOLDER / name), *arguments], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {(a, float(b), int(c)): (float(d), float(e)) for a, b, c, d, e in ROW.findall(done.stdout)}
    return done.stdout, rows


def test_the_digits_run(tmp_path: Path) -> None:
    out = tmp_path / "softness.png"
    arguments = ("--networks", "resnet", "--seeds", "1", "--steps", "30", "--softness", "0", "0.3", "1")
    text, rows = run_example("digits.py", *arguments, "--out", str(out))
    assert len(rows) == 3
    assert rows["resnet", 0.0, 0][0] < 1e-5 < rows["resnet", 0.3, 0][0] < rows["resnet", 1.0, 0][0]
    assert CHOSEN.findall(text)[0][1] == "0.3"
    assert "softness  runs  error     accuracy" in text
    assert out.stat().st_size > 5_000


@pytest.mark.slow
@pytest.mark.parametrize("network", ["resnet", "vit"])
def test_softened_networks_read_turned_digits(network: str) -> None:
    text, rows = run_example("digits.py", "--networks", network)
    chosen = {int(seed): float(softness) for seed, softness, _ in CHOSEN.findall(text)}
    assert sorted(chosen) == [0, 1, 2], text
    strict, free = ([rows[network, end, seed] for seed in range(3)] for end in (0.0, 1.0))
    soft = [rows[network, chosen[seed], seed] for seed in range(3)]
    assert all(s[1] > e[1] for s, e in zip(soft, strict, strict=True)), text
    if network == "vit":
        assert all(s[1] > e[1] and s[0] < e[0] for s, e in zip(soft, free, strict=True)), text
    else:
        # The ResNet is level with the free one, for two seeds of three below it: what it gains is the lower error.
        assert sum(s[1] - e[1] for s, e in zip(soft, free, strict=True)) / 3 > -0.7, text  # one standard error of 700 digits
        assert sum(s[0] for s in soft) < 0.8 * sum(e[0] for e in free), text
    dial = sorted({softness for _, softness, _ in rows})
    errors = [sum(rows[network, softness, seed][0] for seed in range(3)) for softness in dial]
    assert len(dial) == 6
    assert errors == sorted(errors), text
    for *_, ratio in CHOSEN.findall(text):
        assert 0.8 < float(ratio) < 1.25, text  # the same layers: what differs is the load of the machine


def test_the_regression_runs() -> None:
    _, rows = run_example("regression.py", "--tasks", "o5", "--seeds", "1", "--steps", "50")
    assert rows["o5", 0.0, 0][1] < 1e-9 < 1e-4 < rows["o5", 0.7, 0][1]


@pytest.mark.slow
def test_the_errors_of_the_regression() -> None:
    _, rows = run_example("regression.py")
    most = {("o5", 0.0): 0.050, ("o5", 0.7): 0.035, ("lorentz", 0.0): 0.155, ("lorentz", 0.7): 0.13}
    assert set(rows) == {(task, softness, seed) for task, softness in most for seed in range(3)}
    for (task, softness, seed), (found, moved) in rows.items():
        assert found <= most[task, softness], (task, softness, seed)
        assert (moved < 1e-9) == (softness == 0), (task, softness, seed)


def test_a_network_that_is_not_invariant_is_seen(loaded: Callable[[Path], ModuleType]) -> None:
    import torch

    digits = loaded(FOLDER / "digits.py")
    torch.manual_seed(0)
    data = digits.Data(torch.randn(4, 1, 8, 8), torch.zeros(4, dtype=torch.long))
    error = digits.measure(digits.ResNet().eval(), data)[0]
    with pytest.raises(SystemExit, match="strict: scores differ"):
        digits.check("strict", error)


def test_a_regression_that_is_not_invariant_is_seen(loaded: Callable[[Path], ModuleType]) -> None:
    regression = loaded(FOLDER / "regression.py")
    moved = regression.invariance(regression.Net(regression.TASKS["lorentz"]), 0)
    with pytest.raises(SystemExit, match="a moved input changes"):
        regression.check("a moved input", moved)
