"""What symmetrised models cost, as ratios within one run: one thread, float32. `make bench` runs this.

Times are processor time, medians of runs that take turns. The plain and the symmetrised model have the same layers; what a
training step costs more is forming each weight from its coefficients, and its adjoint, once a step whatever the batch.
"""

from __future__ import annotations

import runpy
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import repcore as rc

pytestmark = pytest.mark.bench

MODELS = str(Path(__file__).resolve().parents[1] / "backends" / "models.py")

# A training step takes at most so much of the plain model's.
STEP = 1.3
# The folded model is the plain model with other numbers, which is tested; two medians of one model differ by some hundredths.
FOLDED = 1.05


def interleaved(*calls: Callable[[], Any], runs: int) -> list[float]:
    """Median seconds of processor time of each, in turns, after two rounds that do not count."""
    times: list[list[float]] = [[] for _ in calls]
    for i in range(runs + 2):
        for call, mine in zip(calls, times, strict=True):
            start = time.process_time()
            call()
            if i >= 2:
                mine.append(time.process_time() - start)
    return [statistics.median(mine) for mine in times]


def measure(name: str, batch: int, side: int) -> list[float]:
    """Seconds of a step of the plain and the symmetrised model, of a forward of the plain and of the folded one."""
    import torch

    import repcore_torch as rct

    torch.set_num_threads(1)
    torch.manual_seed(0)
    models = runpy.run_path(MODELS)
    plain, model = (models["ResNet"]() if name == "ResNet-18" else models["vit"](image=side) for _ in range(2))
    rules = models["resnet_rules"]() if name == "ResNet-18" else models["vit_rules"](model)
    rct.symmetrize(model, rules, symmetry=rc.dihedral(4))
    x, labels = torch.randn(batch, 3, side, side), torch.arange(batch)

    def step(model: Any) -> Callable[[], None]:
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)

        def call() -> None:
            y = model(x)
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(getattr(y, "logits", y), labels).backward()
            optimiser.step()

        return call

    steps = interleaved(step(plain), step(model), runs=9)
    plain.eval()
    folded = rct.fold(model.eval())
    assert [type(m) for m in folded.modules()] == [type(m) for m in plain.modules()]

    def forward(model: Any) -> Callable[[], None]:
        def call() -> None:
            with torch.no_grad():
                model(x)

        return call

    return [*steps, *interleaved(forward(plain), forward(folded), runs=25)]


@pytest.mark.parametrize(("name", "batch", "side"), [("ResNet-18", 8, 225), ("ViT-Tiny", 8, 224)])
def test_models_against_plain_ones(fresh: Callable[..., Any], name: str, batch: int, side: int) -> None:
    a, b, c, d = fresh("measure", name, batch, side)
    print(f"\n{name}, batch {batch}, {side} x {side}: step {b * 1e3:.0f} / {a * 1e3:.0f} ms = {b / a:.2f} of plain", end="")
    print(f", folded forward {d * 1e3:.0f} / {c * 1e3:.0f} ms = {d / c:.2f}")
    assert b <= STEP * a
    assert d <= FOLDED * c
