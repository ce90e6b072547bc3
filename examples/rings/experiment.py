"""Rings in the plane, few examples, none in one sector: which norm of the penalty, and what if a sector is an exception?

    python examples/rings/experiment.py                       # both tasks, seeds 0, 1, 2: some two minutes on one thread
    python examples/rings/experiment.py --out pictures        # also the decisions of four networks, as a picture

Points of the unit disc are in one of two classes, and the classes take turns in four rings of equal width. Of the 120 examples
none lies in the sector from -60 to 60 degrees: what the rings are there can only be known from the symmetry, which is SO(2). In
the second task it is broken: from 150 to 210 degrees, where there are examples, the classes are exchanged.

A point z, as a complex number, enters as (|z|^2, z, z^2, z^3): a scalar and the irreps 1, 2 and 3 of SO(2). The hidden features
are 16 scalars and 4 copies of each of these irreps. Between the linear maps stand gates (``rct.Gate``): each copy times the
sigmoid of a scalar of its own. Tanh on each component would break the symmetry however the weights are chosen; ``rct.audit``
finds that, and its line is printed first. So the network is invariant if its three linear maps are equivariant, and the ways
differ in nothing but what is done about these:

    dense          nothing
    augmentation   each example turned at random
    penalty N      rct.Penalty: loss + weight * N(W - P W) of each map, for a norm N
    strict         rct.symmetrize: the coefficients of equivariant maps are learned

Same data, steps, batches (all examples) and optimiser (Adam, cosine). All but ``dense`` begin with ``rct.init_``: equivariant,
with a tenth of something else (strict: without). The weights were chosen among powers of ten, 0.001 to 10, with ``--tune``: by
the cross entropy of 1,000 points from the whole disc, for seeds 10 and 11, which are not reported.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

SO2 = rc.SO(2)
ONE, *WAVES = (rc.irrep(SO2, str(k)) for k in range(4))
LIFT = ONE + WAVES[0] + WAVES[1] + WAVES[2]
HIDDEN = 16 * ONE + 4 * WAVES[0] + 4 * WAVES[1] + 4 * WAVES[2]
GATED = rct.Gate(HIDDEN).domain
RULES = {"first": LIFT >> GATED, "second": HIDDEN >> GATED, "last": HIDDEN >> ONE}
NORMS: dict[str, Any] = {n: n for n in ("fro", "fro2", "spectral", "nuclear")} | {"(2, 1)": (2, 1), "inf": "inf"}
WAYS = ("dense", "augmentation", *(f"penalty {name}" for name in NORMS), "strict")
SHOWN = ("dense", "augmentation", "penalty nuclear", "strict")  # in the picture
TASKS = ("symmetric", "broken")
WEIGHTS = {  # of the penalties: see --tune
    "symmetric": {"fro": 10.0, "fro2": 10.0, "spectral": 10.0, "nuclear": 10.0, "(2, 1)": 10.0, "inf": 10.0},
    "broken": {"fro": 1.0, "fro2": 10.0, "spectral": 1.0, "nuclear": 0.1, "(2, 1)": 1.0, "inf": 10.0},
}
CHOICES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
STEPS, RATE, COUNT, RINGS = 800, 1e-2, 120, 4

Data = tuple[Tensor, Tensor]  # points (count, 2), classes 0 or 1 (count,)


class Network(nn.Module):
    """Three linear maps with gates between them, or with tanh on each component, which SO(2) does not allow."""

    def __init__(self, pointwise: bool = False) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(LIFT.dim, GATED.dim), nn.Linear(HIDDEN.dim, GATED.dim)
        self.last = nn.Linear(HIDDEN.dim, 1)
        self.gate = rct.Gate(HIDDEN, scalars=torch.tanh)
        self.pointwise = pointwise

    def forward(self, points: Tensor) -> Tensor:
        """Scores (N,) of points (N, 2); above zero for class 1."""
        x = lift(points)
        for layer in (self.first, self.second):
            x = layer(x)
            x = torch.tanh(x)[:, -HIDDEN.dim :] if self.pointwise else self.gate(x)
        return self.last(x)[:, 0]


def lift(points: Tensor) -> Tensor:
    """(|z|^2, z, z^2, z^3) of z = x + iy as real numbers, (N, 7)."""
    x, y = points.unbind(1)
    parts, u, v = [x * x + y * y], x, y
    for _ in range(3):
        parts += [u, v]
        u, v = u * x - v * y, u * y + v * x
    return torch.stack(parts, 1)


# -- the data ------------------------------------------------------------------------------------------------------


def classes(points: np.ndarray, task: str) -> np.ndarray:
    """The class of each point, (N,)."""
    radius, angle = np.hypot(*points.T), np.arctan2(points[:, 1], points[:, 0])
    found = np.floor(radius * RINGS).astype(int) % 2
    return np.where(is_exception(angle), 1 - found, found) if task == "broken" else found


def is_exception(angle: np.ndarray) -> np.ndarray:
    """From 150 to 210 degrees."""
    return np.abs(angle) > np.pi * 5 / 6


def draw(count: int, random: np.random.Generator, task: str, everywhere: bool) -> Data:
    """Points uniform in the disc, or without the sector from -60 to 60 degrees."""
    radius, third = np.sqrt(random.random(count)), np.pi / 3
    angle = random.uniform(-np.pi, np.pi, count) if everywhere else random.uniform(third, 2 * np.pi - third, count)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return torch.tensor(points, dtype=torch.float32), torch.tensor(classes(points, task), dtype=torch.float32)


# -- one run -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        validation: the cross entropy of 1,000 points from the whole disc.
        error: of 10,000 points from the whole disc, in percent.
        unseen, exception: the same in the sector without examples, and in the one that is the exception in the broken task.
        defect: relative root mean square of f(g z) - f(z) over 64 rotations.
        distance: ||W - P W|| / ||W||, all maps together.
        seconds: of processor time, for a step.
        score: the network.
    """

    validation: float
    error: float
    unseen: float
    exception: float
    defect: float
    distance: float
    seconds: float
    score: Callable[[Tensor], Tensor]


def run(way: str, task: str, seed: int, steps: int, weight: float | None = None) -> Result:
    """Train one network in one way."""
    random = np.random.default_rng(seed)
    x, y = draw(COUNT, random, task, everywhere=False)
    validation, test = draw(1000, random, task, everywhere=True), draw(10000, random, task, everywhere=True)
    torch.manual_seed(seed)
    model = Network()
    if way != "dense":
        for name, space in RULES.items():
            layer: Any = model.get_submodule(name)
            rct.init_(layer.weight, space, 0.0 if way == "strict" else 0.1, gain=1.0)
            nn.init.zeros_(layer.bias)
    if way == "strict":
        rct.symmetrize(model, RULES)
    norm = way.removeprefix("penalty ")
    if weight is None:
        weight = WEIGHTS[task][norm] if norm in NORMS else 0.0
    penalty = rct.Penalty(model, RULES, norm=NORMS[norm], weight=weight) if norm in NORMS else None
    moves = rct.Moves(WAVES[0], ONE, count=256, seed=seed)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    begin = time.process_time()
    for _ in range(steps):
        points = rct.augment(x, y[:, None], moves)[0] if way == "augmentation" else x
        loss = nn.functional.binary_cross_entropy_with_logits(model(points), y)
        if penalty is not None:
            loss = loss + penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    seconds = (time.process_time() - begin) / steps
    return measure(model, validation, test, seconds)


@torch.no_grad()
def measure(model: nn.Module, validation: Data, test: Data, seconds: float) -> Result:
    """Errors and defects of a trained network."""
    points, labels = test
    scores = model(points)
    wrong = 100.0 * ((scores > 0) != (labels > 0.5)).double()
    angle = torch.atan2(points[:, 1], points[:, 0]).numpy()
    unseen, exception = (torch.tensor(sector) for sector in (np.abs(angle) < np.pi / 3, is_exception(angle)))
    entropy = float(nn.functional.binary_cross_entropy_with_logits(model(validation[0]), validation[1]))
    distance = penalty_distance(rct.fold(model))
    return Result(
        entropy,
        float(wrong.mean()),
        float(wrong[unseen].mean()),
        float(wrong[exception].mean()),
        defect(model, points[:1000]),
        distance,
        seconds,
        model,
    )


def defect(model: Callable[[Tensor], Tensor], points: Tensor) -> float:
    """The relative root mean square of f(g z) - f(z) over 64 random rotations g."""
    scores = model(points)
    turned = [torch.tensor(g.act(WAVES[0], points.numpy()), dtype=points.dtype) for g in rc.sample(SO2, 64, seed=1)]
    return float((torch.stack([model(p) - scores for p in turned]).square().mean() / scores.square().mean()).sqrt())


def penalty_distance(model: nn.Module) -> float:
    """||W - P W|| / ||W|| of all maps together, from 0 to 1."""
    weights = [(model.get_parameter(f"{name}.weight"), space) for name, space in RULES.items()]
    outside = sum(float((W - rct.project(W, space)).square().sum()) for W, space in weights)
    return (outside / sum(float(W.square().sum()) for W, _ in weights)) ** 0.5


# -- the table -----------------------------------------------------------------------------------------------------


def finding() -> str:
    """What the audit says of tanh on each component."""
    model = rct.symmetrize(Network(pointwise=True), RULES)
    found = next(iter(rct.audit(model, torch.rand(3, 2))))
    return f"{found.operation} on {found.rep}: {found.problem}"


def table(task: str, ways: Sequence[str], seeds: list[int], steps: int) -> dict[str, list[Result]]:
    """Run the ways, and print a row for each: medians over the seeds."""
    print(f"\n{task}: medians of seeds {', '.join(map(str, seeds))}; errors in percent")
    print(f"{'':18}{'error (each seed)':22}{'unseen':>8}{'exception':>11}{'defect':>10}{'distance':>10}{'ms a step':>11}")
    found: dict[str, list[Result]] = {}
    for way in ways:
        found[way] = results = [run(way, task, seed, steps) for seed in seeds]
        errors = "  ".join(f"{r.error:4.1f}" for r in results)
        unseen, exception, gap, distance, seconds = (
            float(np.median([getattr(r, name) for r in results]))
            for name in ("unseen", "exception", "defect", "distance", "seconds")
        )
        print(f"{way:18}{errors:22}{unseen:8.1f}{exception:11.1f}{gap:10.1e}{distance:10.1e}{seconds * 1e3:11.2f}", flush=True)
    return found


def tune(task: str, steps: int) -> None:
    """Print the mean validation error of seeds 10 and 11 for weights of each norm."""
    for name in NORMS:
        errors = {w: float(np.mean([run(f"penalty {name}", task, s, steps, w).validation for s in (10, 11)])) for w in CHOICES}
        best = min(errors, key=lambda w: errors[w])
        print(f"{task}, {name}: best {best:g} of", "  ".join(f"{w:g}: {e:.4f}" for w, e in errors.items()), flush=True)


def draw_decisions(found: dict[str, dict[str, list[Result]]], seed: int, path: Path) -> None:
    """What networks of the first seed decide, white or grey, and the examples: one row a task."""
    from matplotlib.figure import Figure

    ways = [way for way in SHOWN if all(way in results for results in found.values())]
    side = np.linspace(-1, 1, 301)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    outside = np.hypot(*grid.T).reshape(301, 301) > 1
    figure = Figure(figsize=(11, 2.5 * len(found)), layout="constrained")
    axes = figure.subplots(len(found), 1 + len(ways), squeeze=False)
    for row, (task, results) in zip(axes, found.items(), strict=True):
        x, y = draw(COUNT, np.random.default_rng(seed), task, everywhere=False)
        pictures = {f"{task}: truth": classes(grid, task)}
        for way in ways:
            with torch.no_grad():
                scores = results[way][0].score(torch.tensor(grid, dtype=torch.float32))
            pictures[f"{way}: {results[way][0].error:.1f} % wrong"] = (scores > 0).numpy()
        for ax, (title, decided) in zip(row, pictures.items(), strict=True):
            image = np.ma.array(decided.reshape(301, 301), mask=outside)
            ax.imshow(image, origin="lower", extent=(-1, 1, -1, 1), cmap="gray_r", vmin=0, vmax=2)
            for kind, marker, face in ((0, "o", "white"), (1, "s", "black")):
                ax.scatter(*x[y == kind].T, s=7, marker=marker, facecolors=face, edgecolors="black", linewidths=0.5)
            ax.set_title(title, fontsize=8)
            ax.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description="Rings under SO(2): norms of the penalty; see the top of this file.")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, metavar="WAY", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, help="a folder for rings.png")
    parser.add_argument("--tune", action="store_true", help="print what the weights were chosen by")
    given = parser.parse_args(arguments)
    if given.steps < 1:
        parser.error("--steps takes 1 or more")
    torch.set_num_threads(1)  # small matrices: more threads would wait for each other
    if given.tune:
        for task in given.tasks:
            tune(task, given.steps)
        return
    print("with tanh on each component, the audit finds", finding())
    found = {task: table(task, given.ways or WAYS, given.seeds, given.steps) for task in given.tasks}
    if given.out is not None:
        draw_decisions(found, given.seeds[0], given.out / "rings.png")
        print(f"\nwrote {given.out / 'rings.png'}")


if __name__ == "__main__":
    main()
