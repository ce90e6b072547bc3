"""What the penalty adds to a training step, as a ratio within one run: one thread, float32, Adam. `make bench` runs this.

Two networks, a penalty on each layer: that of examples/rotations, three blocks of 16 scalars and 16 vectors, where the time of a
step is that of some hundred small operations; and a wide one, three layers of 512 to 512 channels. Times are
processor time of the process, medians of interleaved steps, so that other load on the machine enters as little as can be.
"""

from __future__ import annotations

import random
import runpy
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import repcore as rc

pytestmark = pytest.mark.bench

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "rotations"


def medians(calls: list[Callable[[], None]], runs: int) -> list[float]:
    """The median time of each call, interleaved in random order: what ran before a step decides what is in the cache."""
    times: list[list[float]] = [[] for _ in calls]
    order = random.Random(0)  # noqa: S311 (no secret)
    for i in range(runs + 5):
        for k in order.sample(range(len(calls)), len(calls)):
            start = time.process_time()
            calls[k]()
            if i >= 5:
                times[k].append(time.process_time() - start)
    return [statistics.median(mine) for mine in times]


def measure(batch: int, runs: int) -> list[float]:
    """Seconds of a step without penalty, with fro and with spectral."""
    import torch

    import repcore_torch as rct

    torch.set_num_threads(1)
    torch.manual_seed(0)
    example = runpy.run_path(str(EXAMPLE / "experiment.py"))
    spec = rc.load(EXAMPLE / "symmetry.toml")
    ends = rct.Moves(spec.reps["input"], spec.group.rep)
    x, y = torch.randn(batch, 14), torch.randn(batch, 3)

    def trained(norm: str | None, sampled: str = "", **options: Any) -> Callable[[], None]:
        model = example["torch_network"]()
        layers = [model.get_submodule(name) for name in example["NAMES"]]
        spaces = [spec.maps[spec.rules[name]] for name in example["NAMES"]]
        optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
        penalty = None if norm is None else rct.Penalty(model, spec, norm=norm, weight=1e-3, **options)
        if sampled == "decay":
            rct.EquivarianceDecay(optimiser, model, spec, weight=1.0)
        moves = [rct.Moves(space.domain, space.codomain) for space in spaces]

        def step() -> None:
            loss = (model(x) - y).square().mean()
            if penalty is not None:
                loss = loss + penalty()
            if sampled == "operator":
                for layer, each in zip(layers, moves, strict=True):
                    loss = loss + 1e-3 * rct.operator_penalty(layer.weight, each, 4)
            if sampled == "data":
                loss = loss + 1e-3 * rct.sampled_penalty(model, x, ends, 4)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

        return step

    calls = [trained(norm) for norm in (None, "fro", "spectral", "fro2")]
    calls += [trained("fro", every=4), *(trained(None, sampled) for sampled in ("decay", "operator", "data"))]
    return medians(calls, runs)


def measure_wide(batch: int, runs: int) -> list[float]:
    """The same for three wide layers, 64 copies of the regular representation of D4 to 64."""
    import torch

    import repcore_torch as rct

    torch.set_num_threads(1)
    torch.manual_seed(0)
    X = 64 * rc.regular(rc.dihedral(4))
    x = torch.randn(batch, X.dim)

    def trained(norm: str | None) -> Callable[[], None]:
        layers = torch.nn.Sequential(*(torch.nn.Linear(X.dim, X.dim) for _ in range(3)))
        optimiser = torch.optim.Adam(layers.parameters(), lr=3e-3)
        penalty = None if norm is None else rct.Penalty(layers, {"*": X >> X}, norm=norm, weight=1e-3)

        def step() -> None:
            loss = layers(x).square().mean()
            if penalty is not None:
                loss = loss + penalty()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

        return step

    calls = [trained(norm) for norm in (None, "fro", "spectral")]
    return medians(calls, runs)


# network, batch, the most that fro may add to a step without penalty, and the most that spectral may take of a step with fro.
# Measured on a quiet machine: small 0.15 and 1.12, 0.07 and 1.05. The aim was 0.15 and 0.05 with 1.15 for spectral; what is
# asserted leaves room for the noise of a busy one.
LIMITS = [
    ("measure", 256, 0.25, 1.25),
    ("measure", 1024, 0.12, 1.15),
    ("measure_wide", 256, 0.45, 1.4),
    ("measure_wide", 1024, 0.15, 1.15),
]
# What a sampled penalty of four elements adds, in multiples of what fro adds: operator-level, data-level. Measured 10 and 33, 8
# and 72.
SAMPLED = {256: (5.0, 15.0), 1024: (5.0, 30.0)}


@pytest.mark.parametrize(("network", "batch", "added", "spectral"), LIMITS)
def test_what_the_penalty_adds_to_a_step(
    fresh: Callable[..., Any], network: str, batch: int, added: float, spectral: float
) -> None:
    plain, fro, warm, *others = fresh(network, batch, 200 if network == "measure" else 21)
    print(
        f"\n{network}, batch {batch}: plain {plain * 1e3:.2f} ms, fro {fro * 1e3:.2f} ms = {100 * (fro / plain - 1):+.0f} %, "
        f"spectral {warm * 1e3:.2f} ms = {warm / fro:.2f} of fro"
    )
    if others:
        names = ("fro2", "fro every 4", "decay", "operator K=4", "data K=4")
        shown = (f"{name} {100 * (t / plain - 1):+.0f} %" for name, t in zip(names, others, strict=True))
        print(", ".join(shown))
        operator, data = others[-2:]
        assert operator - plain >= SAMPLED[batch][0] * (fro - plain)
        assert data - plain >= SAMPLED[batch][1] * (fro - plain)
    assert fro / plain - 1 <= added
    assert warm / fro <= spectral
