"""One table: strict, penalty, soft projection, ACE, augmentation and nothing at all, on three tasks, symmetric or broken.

    python examples/compare.py                                  # all of it: some minutes on one thread
    python examples/compare.py --tasks particles --ways strict ACE --steps 200
    python examples/compare.py --seeds 10 --split validation    # what the settings below were chosen by

The rules that say what the layers of a network map are the same for all ways; one word says what is made of them.

    rotations   SO(3): two scalars and four vectors make a vector, as in examples/rotations; broken: one direction is special
    digits      D4: real 8 x 8 digits of scikit-learn, turned and mirrored at random; broken: upright, to learn and to test
    particles   O(3): three charges attract and repel each other: where is each a little later? broken: in a constant field

The error is the mean squared error over the variance of the answers; of digits the share that is read wrongly. Of each training
the weights with the least validation error are kept. One weight of the penalty and one softness serve all tasks.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

WAYS = ("strict", "penalty", "soft", "ACE", "augmentation", "dense")
WEIGHT, SOFTNESS = 0.1, 0.3
TRAIN, VALIDATION, TEST = 512, 285, 1000
HELD, FREEZE = 64, 0.3  # of ACE: examples that decide about gamma, and the last part of training, in which they join the others
COUNT, HIDDEN = 3, 16  # particles; scalars and vectors of a block

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Task:
    """Data, a fresh network, what its layers map, and how the group acts on data.

    Attributes:
        train, validation, test: inputs and answers.
        make: a network.
        spaces: layer -> what it maps.
        moves: the representations of inputs and answers.
        loss: of network outputs and answers, to learn by.
        error: likewise, to report.
    """

    train: Pair
    validation: Pair
    test: Pair
    make: Callable[[], nn.Module]
    spaces: dict[str, rc.Hom]
    moves: tuple[rc.Rep, rc.Rep]
    loss: Callable[[Tensor, Tensor], Tensor]
    error: Callable[[Tensor, Tensor], Tensor]


class Products(nn.Module):
    """Blocks of scalars s and vectors, with what commutes with rotations between linear maps: gates, a.b and, if wished, a x b.

    Without a x b it commutes with reflections too.
    """

    def __init__(self, inputs: int, outputs: int, depth: int, cross: bool) -> None:
        super().__init__()
        n, self.cross = HIDDEN, cross
        self.layers = nn.ModuleList(nn.Linear(4 * n if k else inputs, 8 * n) for k in range(depth))
        self.last = nn.Linear(4 * n, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) -> (B, outputs)."""
        for layer in self.layers:
            s, gates, a, b = layer(x).split([HIDDEN, HIDDEN, 3 * HIDDEN, 3 * HIDDEN], 1)
            a, b = a.unflatten(1, (HIDDEN, 3)), b.unflatten(1, (HIDDEN, 3))
            b = b / (1 + b.square().sum(2, keepdim=True)).sqrt()
            s = torch.tanh(s + (a * b).sum(2) / 3**0.5)
            v = a * gates.sigmoid()[:, :, None]
            x = torch.cat([s, (v + torch.linalg.cross(a, b) / 2 if self.cross else v).flatten(1)], 1)
        return self.last(x)


def _cut(x: Tensor, y: Tensor) -> tuple[Pair, Pair, Pair]:
    ends = TRAIN, TRAIN + VALIDATION
    return (x[: ends[0]], y[: ends[0]]), (x[ends[0] : ends[1]], y[ends[0] : ends[1]]), (x[ends[1] :], y[ends[1] :])


def _regression(x: np.ndarray, y: np.ndarray, X: rc.Rep, Y: rc.Rep, depth: int, cross: bool) -> Task:
    one, V = rc.trivial(X.group), X.group.rep
    hidden, mixed = HIDDEN * one + HIDDEN * V, 2 * HIDDEN * one + 2 * HIDDEN * V
    spaces = {f"layers.{k}": (hidden if k else X) >> mixed for k in range(depth)}
    y = y / y[:TRAIN].std()
    data = _cut(*(torch.from_numpy(a.astype(np.float32)) for a in (x, y)))
    make, error = partial(Products, X.dim, Y.dim, depth, cross), nn.functional.mse_loss
    return Task(*data, make, {**spaces, "last": hidden >> Y}, (X, Y), error, error)


def rotations(broken: bool, seed: int) -> Task:
    """A vector of two scalars and four vectors. A cross product among them: rotations, and not reflections."""
    random = np.random.default_rng(seed)
    G, count = rc.SO(3), TRAIN + VALIDATION + TEST
    s, v = random.normal(size=(count, 2)), random.normal(size=(4, count, 3))
    dot01, dot23 = (v[0] * v[1]).sum(1, keepdims=True), (v[2] * v[3]).sum(1, keepdims=True)
    y = np.tanh(dot01) * v[2] + 0.5 * np.cross(v[0], v[3]) / (1 + np.exp(-s[:, :1])) + 0.5 * np.sin(s[:, 1:] + dot23 / 2) * v[1]
    if broken:
        e_z = np.array([0.0, 0.0, 1.0])
        y = y + 0.3 * ((1 + s[:, :1] / 2) * e_z + 0.5 * v[0] * e_z)
    x = np.concatenate([s, v.transpose(1, 0, 2).reshape(-1, 12)], 1)
    return _regression(x, y, 2 * rc.trivial(G) + 4 * G.rep, G.rep, 2, True)


def displacement(charge: np.ndarray, start: np.ndarray, first: np.ndarray, field: np.ndarray) -> np.ndarray:
    """By how much each of (B, n) charges leaves its straight way in a unit of time, (B, n, 3), found by small steps in time."""
    place, speed, step = start, first, 0.02
    for _ in range(50):
        apart = place[:, :, None] - place[:, None]
        cube = ((apart**2).sum(-1, keepdims=True) + 1.0) ** 1.5
        force = (charge[:, :, None, None] * charge[:, None, :, None] * apart / cube).sum(2) + charge[:, :, None] * field
        speed = speed + step * force
        place = place + step * speed
    return place - start - first


def particles(broken: bool, seed: int) -> Task:
    """Where three charges will be. Seen are they, their products in pairs, which say who attracts whom, places and speeds."""
    random = np.random.default_rng(seed)
    G, count = rc.O(3), TRAIN + VALIDATION + TEST
    charge = random.choice([-1.0, 1.0], size=(count, COUNT))
    place, speed = random.normal(size=(2, count, COUNT, 3))
    place, speed = place - place.mean(1, keepdims=True), speed / 2  # where the origin is says nothing
    y = displacement(charge, place, speed, np.array([0.0, 0.0, 0.3 if broken else 0.0])).reshape(count, -1)
    pairs = np.stack([charge[:, i] * charge[:, j] for i, j in combinations(range(COUNT), 2)], 1)
    x = np.concatenate([charge, pairs, place.reshape(count, -1), speed.reshape(count, -1)], 1)
    scalars = charge.shape[1] + pairs.shape[1]
    return _regression(x, y, scalars * rc.trivial(G) + 2 * COUNT * G.rep, COUNT * G.rep, 3, False)


def digits(broken: bool, seed: int) -> Task:
    """Which digit it is."""
    from sklearn import datasets

    D4 = rc.dihedral(4)
    X, hidden, Y = rc.grid(D4, 8), 8 * rc.regular(D4), 10 * rc.trivial(D4)
    data = datasets.load_digits()
    order = np.random.default_rng(seed).permutation(len(data.target))
    x, y = torch.from_numpy((data.data[order] / 8 - 1).astype(np.float32)), torch.from_numpy(data.target[order])
    if not broken:
        x = rct.augment(x, torch.zeros(len(x), 1), rct.Moves(X, rc.trivial(D4), count=64, seed=seed))[0]
    spaces = {"0": X >> hidden, "2": hidden >> hidden, "4": hidden >> Y}

    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))

    def wrong(found: Tensor, right: Tensor) -> Tensor:
        return (found.argmax(1) != right).float().mean()

    return Task(*_cut(x, y), make, spaces, (X, Y), nn.functional.cross_entropy, wrong)


TASKS = {"rotations": rotations, "digits": digits, "particles": particles}


@dataclass(frozen=True)
class Result:
    """The errors of the weights that were kept."""

    validation: float
    test: float


def run(task: Task, way: str, steps: int, seed: int, weight: float = WEIGHT, softness: float = SOFTNESS) -> Result:
    """Train in one way."""
    torch.manual_seed(seed)
    model = task.make()
    if way != "dense":
        for name, space in task.spaces.items():
            rct.init_(model.get_submodule(name).weight, space, 0.0 if way == "strict" else 0.1)  # type: ignore[arg-type]
            nn.init.zeros_(model.get_submodule(name).bias)  # type: ignore[arg-type]
    penalty: Any = None
    ace: rct.ACE | None = None
    match way:
        case "strict":
            rct.symmetrize(model, task.spaces)
        case "penalty":
            penalty = rct.Penalty(model, task.spaces, weight=weight)
        case "soft":
            rct.soften(model, task.spaces, softness=softness)
        case "ACE":
            ace = rct.ACE(model, task.spaces, steps=steps, freeze=FREEZE)
    moves = rct.Moves(*task.moves, count=64, seed=seed) if way == "augmentation" else None
    x, y = task.train
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    random = np.random.default_rng(seed)
    best, kept = float("inf"), model.state_dict()
    for step in range(steps):
        decides = ace is not None and step < round(steps * (1 - FREEZE))
        rows = random.integers(0, TRAIN - HELD if decides else TRAIN, 128)
        bx, by = x[rows], y[rows]
        if moves is not None:
            # A digit stays what it is; its class is no vector that the group could act on.
            turned = by if by.is_floating_point() else torch.zeros(len(by), task.moves[1].dim)
            bx, turned = rct.augment(bx, turned, moves)
            by = turned if by.is_floating_point() else by
        optimizer.zero_grad()
        loss = task.loss(model(bx), by)
        (loss if penalty is None else loss + penalty()).backward()
        optimizer.step()
        schedule.step()
        if ace is not None:
            ace.step(lambda: task.loss(model(x[-HELD:]), y[-HELD:]))
        if (step % 50 == 49 or step == steps - 1) and (error := _error(task, model, task.validation)) < best:
            best, kept = error, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return Result(best, _error(task, model, task.test))


@torch.no_grad()
def _error(task: Task, model: nn.Module, data: Pair) -> float:
    return float(task.error(model(data[0]), data[1]))


def main() -> None:
    """Read the command line, and print the table."""
    parser = argparse.ArgumentParser(description="Strict, penalty, soft projection, ACE, augmentation, dense: one table.")
    parser.add_argument("--tasks", choices=TASKS, nargs="+", default=list(TASKS))
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=list(WAYS))
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="the median of these is printed")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--weight", type=float, default=WEIGHT, help="of the penalty")
    parser.add_argument("--softness", type=float, default=SOFTNESS, help="of the soft projection: 0 is strict, 1 is dense")
    given = parser.parse_args()
    print(f"{f'{given.split} error':22}" + "".join(f"{way:>14}" for way in given.ways))
    for name in given.tasks:
        for broken in (False, True):
            print(f"{name + (', broken' if broken else ''):22}", end="", flush=True)
            tasks = {seed: TASKS[name](broken, seed) for seed in given.seeds}
            for way in given.ways:
                found = [run(task, way, given.steps, seed, given.weight, given.softness) for seed, task in tasks.items()]
                print(f"{np.median([getattr(r, given.split) for r in found]):14.3f}", end="", flush=True)
            print()


if __name__ == "__main__":
    main()
