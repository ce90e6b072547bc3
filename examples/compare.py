"""One table: strict, penalty, soft projection, ACE, augmentation and nothing at all, on three tasks, symmetric or broken.

    python examples/compare.py                                  # all of it: about two minutes on one thread
    python examples/compare.py --tasks particles --ways strict ACE --steps 1000

The rules that say what the layers of a network map are the same for all ways; one word says what is made of them.

    rotations   two scalars and four vectors make a vector, as in examples/rotations; broken: one direction is special
    digits      real 8 x 8 digits of scikit-learn, turned and mirrored at random; broken: upright, to learn and to test
    particles   five charges in space that attract and repel each other: where is each a little later? broken: a constant field

The error is the mean squared error over the variance of the answers; of digits the share that is read wrongly.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

WAYS = ("strict", "penalty", "soft", "ACE", "augmentation", "dense")
HELD = 48  # examples that decide about gamma in ACE
COUNT, HIDDEN = 5, 16  # particles; scalars and vectors of a block


@dataclass(frozen=True)
class Task:
    """Data to learn from and to test on, a fresh network, what its layers map, and how the group acts on data.

    Attributes:
        train, test: inputs and answers.
        make: a network.
        spaces: layer -> what it maps.
        moves: the representations of inputs and answers.
        loss: of answers and network outputs, to learn by.
        error: likewise, to report.
    """

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    make: Callable[[], nn.Module]
    spaces: dict[str, rc.Hom]
    moves: tuple[rc.Rep, rc.Rep]
    loss: Callable[[Tensor, Tensor], Tensor]
    error: Callable[[Tensor, Tensor], Tensor]


class Products(nn.Module):
    """Blocks of scalars s and vectors, with what commutes with rotations between linear maps: gates, a.b and a x b."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        n = HIDDEN
        self.first, self.second, self.last = nn.Linear(inputs, 8 * n), nn.Linear(4 * n, 8 * n), nn.Linear(4 * n, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) -> (B, outputs)."""
        for layer in (self.first, self.second):
            s, gates, a, b = layer(x).split([HIDDEN, HIDDEN, 3 * HIDDEN, 3 * HIDDEN], 1)
            a, b = a.unflatten(1, (HIDDEN, 3)), b.unflatten(1, (HIDDEN, 3))
            b = b / (1 + b.square().sum(2, keepdim=True)).sqrt()
            s = torch.tanh(s + (a * b).sum(2) / 3**0.5)
            x = torch.cat([s, (a * gates.sigmoid()[:, :, None] + torch.linalg.cross(a, b) / 2).flatten(1)], 1)
        return self.last(x)


def _products(X: rc.Rep, Y: rc.Rep) -> dict[str, rc.Hom]:
    one, V = rc.trivial(X.group), X.group.rep
    hidden, mixed = HIDDEN * one + HIDDEN * V, 2 * HIDDEN * one + 2 * HIDDEN * V
    return {"first": X >> mixed, "second": hidden >> mixed, "last": hidden >> Y}


def _regression(x: np.ndarray, y: np.ndarray, count: int, X: rc.Rep, Y: rc.Rep) -> Task:
    x, y = (torch.from_numpy(a.astype(np.float32)) for a in (x, y))  # type: ignore[assignment]
    y = y / y[:count].std()  # type: ignore[operator]
    error = nn.functional.mse_loss

    make = partial(Products, X.dim, Y.dim)
    pairs: Any = (x[:count], y[:count]), (x[count:], y[count:])
    return Task(*pairs, make, _products(X, Y), (X, Y), error, error)


def rotations(broken: bool, seed: int) -> Task:
    """A vector of two scalars and four vectors."""
    random = np.random.default_rng(seed)
    G = rc.SO(3)
    s, v = random.normal(size=(1536, 2)), random.normal(size=(4, 1536, 3))
    y = np.tanh((v[0] * v[1]).sum(1, keepdims=True)) * v[2] + 0.5 * np.cross(v[0], v[3]) / (1 + np.exp(-s[:, :1]))
    if broken:
        y = y + 0.5 * (1 + s[:, :1] / 2) * np.array([0.0, 0.0, 1.0])
    x = np.concatenate([s, v.transpose(1, 0, 2).reshape(-1, 12)], 1)
    return _regression(x, y, 512, 2 * rc.trivial(G) + 4 * G.rep, G.rep)


def particles(broken: bool, seed: int) -> Task:
    """By how much each of five charges leaves its straight way in half a unit of time, found by small steps in time."""
    random = np.random.default_rng(seed)
    G = rc.SO(3)
    charge = random.choice([-1.0, 1.0], size=(1536, COUNT))
    place, speed = random.normal(size=(2, 1536, COUNT, 3))
    place -= place.mean(1, keepdims=True)  # where the origin is says nothing
    start, first = place.copy(), speed.copy()
    field = np.array([0.0, 0.0, 4.0 if broken else 0.0])
    for _ in range(50):
        apart = place[:, :, None] - place[:, None]
        cube = ((apart**2).sum(-1, keepdims=True) + 1.0) ** 1.5
        force = (charge[:, :, None, None] * charge[:, None, :, None] * apart / cube).sum(2) + charge[:, :, None] * field
        speed = speed + 0.01 * force
        place = place + 0.01 * speed
    y = (place - start - 0.5 * first).reshape(-1, 3 * COUNT)
    x = np.concatenate([charge, start.reshape(-1, 3 * COUNT), first.reshape(-1, 3 * COUNT)], 1)
    return _regression(x, y, 512, COUNT * rc.trivial(G) + 2 * COUNT * G.rep, COUNT * G.rep)


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

    return Task((x[:768], y[:768]), (x[768:], y[768:]), make, spaces, (X, Y), nn.functional.cross_entropy, wrong)


TASKS = {"rotations": rotations, "digits": digits, "particles": particles}


def run(task: Task, way: str, steps: int, seed: int) -> float:
    """The error on the test data after training in one way."""
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
            penalty = rct.Penalty(model, task.spaces, weight=0.03)
        case "soft":
            rct.soften(model, task.spaces, softness=0.5)
        case "ACE":
            ace = rct.ACE(model, task.spaces, steps=steps, every=5)
    moves = rct.Moves(*task.moves, count=64, seed=seed) if way == "augmentation" else None
    x, y = task.train
    seen = len(x) - (HELD if ace is not None else 0)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    random = np.random.default_rng(seed)
    for _ in range(steps):
        rows = random.integers(0, seen, 128)
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
            ace.step(lambda: task.loss(model(x[seen:]), y[seen:]))
    model.eval()
    with torch.no_grad():
        return float(task.error(model(task.test[0]), task.test[1]))


def main() -> None:
    """Read the command line, and print the table."""
    parser = argparse.ArgumentParser(description="Strict, penalty, soft projection, ACE, augmentation, dense: one table.")
    parser.add_argument("--tasks", choices=TASKS, nargs="+", default=list(TASKS))
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=list(WAYS))
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(f"{'error on test data':22}" + "".join(f"{way:>14}" for way in given.ways))
    for name in given.tasks:
        for broken in (False, True):
            task = TASKS[name](broken, given.seed)
            errors = [run(task, way, given.steps, given.seed) for way in given.ways]
            print(f"{name + (', broken' if broken else ''):22}" + "".join(f"{error:14.3f}" for error in errors), flush=True)


if __name__ == "__main__":
    main()
