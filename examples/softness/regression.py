"""Two regressions whose symmetry is nearly right: O(5) and the Lorentz group, from strict to soft.

    python examples/softness/regression.py              # both tasks, strict and soft, three seeds: two minutes on one thread
    python examples/softness/regression.py --tasks o5 --seeds 1 --softness 0 0.3 0.7 1 --out o5.png

The targets are an invariant function plus 0.3 times one that singles out directions. The network reads

- products of the input vectors in the invariant form of the group, which are exactly invariant, and
- a linear layer from the vectors to 32 scalars, whose weight is softened,

and its hidden layers multiply two linear maps of what they read, so that it is a polynomial, of degree 4.

No linear map but zero takes vectors to invariant scalars: the strict space has dimension 0, so that at softness 0 that layer is
exactly zero and the network exactly invariant. A network of vectors without the products could then only be a constant. The norm
of the Lorentz group is the Minkowski one; a Euclidean norm of a four-momentum is not invariant, and no layer after it could
repair that.

The data are 1,000 samples each for training, validation and test, the same for every seed. Loss, width, layers, rate, steps,
weight decay and softness were chosen by the validation error of first weights from seeds 10 and 11; what is used in the end are
averaged weights, at the step of the least validation error. The error of the papers, relative to |p| + |y|, is the loss for the
Lorentz group alone: for O(5) it is the absolute error, which does not let the few targets near zero outweigh all others.

What is checked, and ends the run if it fails: at softness 0 the prediction for a moved input is the prediction for the input, up
to the rounding of the moved input; the plain model that comes out in the end gives the same predictions.

Tasks: Finzi, Welling and Wilson, arXiv 2104.09459; with broken symmetry Rahman et al., Tunable soft equivariance (CVPR 2026).
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

SIGMA = 0.3
SOFT = 0.7
SCALARS = 32
WIDTH = 64
STEPS, BATCH, RATE = 3000, 250, 5e-3
AVERAGED = 0.99  # of the average of weights, what is kept in a step
COUNT = 1000  # each for training, validation and test
# Of predictions in float64: a boost moves entries up to e times away, squares them, and polynomials of degree 4 grow.
PROMISED = 1e-9


class Task(NamedTuple):
    """Inputs are ``copies`` vectors of the group; ``form`` is its invariant form; ``features`` makes invariants of products."""

    group: rc.Group
    copies: int
    form: Tensor
    draw: Callable[[np.random.RandomState], tuple[np.ndarray, np.ndarray]]
    features: Callable[[Tensor], Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
    decay: float


def o5(random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """r1, r2 and sin|r1| - |r2|^3 / 2 + cos(r1, r2), plus what prefers the first two axes to the other three."""
    r = random.randn(3 * COUNT, 2, 5)
    (a, b), (na, nb) = r.swapaxes(0, 1), np.linalg.norm(r, axis=-1).T
    size = np.abs(r)
    broken = size[..., :2].sum((1, 2)) / (size[..., 2:4].sum((1, 2)) + 1)
    return r, np.sin(na) - nb**3 / 2 + (a * b).sum(-1) / (na * nb) + SIGMA * broken


def lorentz(random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Four momenta and the matrix element of electron-muon scattering, plus what prefers the x axis."""
    p = random.randn(3 * COUNT, 4, 4) / 4
    eta = np.diag([1.0, -1.0, -1.0, -1.0])
    p1, p2, p3, p4 = p.swapaxes(0, 1)

    def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return ((a @ eta) * b).sum(-1)

    electron = p1[:, :, None] * p3[:, None] - (dot(p1, p3) - dot(p1, p1))[:, None, None] * eta
    muon = (p2 @ eta)[:, :, None] * (p4 @ eta)[:, None] - (dot(p2, p4) - dot(p2, p2))[:, None, None] * eta
    broken = (p[..., 1] ** 2 / (p[..., 2] ** 2 + p[..., 3] ** 2 + 1)).sum(-1)
    return p, 4 * (electron * muon).sum((-1, -2)) + SIGMA * broken


def lengths_and_angles(gram: Tensor) -> Tensor:
    """|r_i| and the cosines, of products r_i . r_j."""
    n = gram.shape[-1]
    lengths = gram.diagonal(dim1=-2, dim2=-1).sqrt()
    i, j = torch.triu_indices(n, n, 1)
    return torch.cat([lengths, gram[..., i, j] / (lengths[..., i] * lengths[..., j])], -1)


def products(gram: Tensor) -> Tensor:
    """The products p_i . p_j."""
    i, j = torch.triu_indices(gram.shape[-1], gram.shape[-1])
    return gram[..., i, j]


def error(p: Tensor, y: Tensor) -> Tensor:
    """mean |p - y| / (|p| + |y| + 1e-6)."""
    return ((p - y).abs() / (p.abs() + y.abs() + 1e-6)).mean()


TASKS = {
    "o5": Task(rc.O(5), 2, torch.eye(5), o5, lengths_and_angles, nn.functional.l1_loss, 0.3),
    "lorentz": Task(rc.lorentz(), 4, torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0])), lorentz, products, error, 0.5),
}


class Product(nn.Module):
    """(A x + a) (B x + b), entry by entry."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(into, out), nn.Linear(into, out)

    def forward(self, x: Tensor) -> Tensor:
        """(..., into) -> (..., out)."""
        return self.a(x) * self.b(x)


class Net(nn.Module):
    """Layers of products on invariants and on the scalars of a linear layer."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        n = len(task.form)
        self.raw = nn.Linear(task.copies * n, SCALARS, bias=False)
        invariants = task.features(torch.ones(task.copies, task.copies)).numel()
        self.products = nn.Sequential(Product(invariants + SCALARS, WIDTH), Product(WIDTH, WIDTH), nn.Linear(WIDTH, 1))
        self.register_buffer("mean", torch.zeros(invariants))
        self.register_buffer("spread", torch.ones(invariants))
        self.unit, self.scale, self.shift = 1.0, 1.0, 0.0

    def invariants(self, x: Tensor) -> Tensor:
        """(B, copies, n) -> (B, invariants)."""
        return self.task.features(x @ self.task.form.to(x.dtype) @ x.mT)

    def standardise(self, x: Tensor, y: Tensor) -> None:
        """Centre and scale invariants and target by the training data; numbers that do not depend on the vectors of one input."""
        found = self.invariants(x)
        self.mean, self.spread = found.mean(0), found.std(0)
        self.unit, self.scale, self.shift = float(x.std()), float(y.std()), float(y.mean())

    def forward(self, x: Tensor) -> Tensor:
        """(B, copies, n) -> (B,)."""
        inside = (self.invariants(x) - self.mean) / self.spread
        return self.shift + self.scale * self.products(torch.cat([inside, self.raw(x.flatten(1) / self.unit)], -1))[:, 0]


def train(task: Task, softness: float, seed: int, steps: int) -> tuple[Net, float]:
    """The network of the best validation error, and its test error."""
    x, y = (torch.tensor(a, dtype=torch.float32) for a in task.draw(np.random.RandomState(42)))
    parts = [(x[k * COUNT : (k + 1) * COUNT], y[k * COUNT : (k + 1) * COUNT]) for k in range(3)]
    torch.manual_seed(seed)
    model = Net(task)
    model.standardise(*parts[0])
    V, one = task.group.rep, rc.trivial(task.group)
    rct.soften(model, {"raw": task.copies * V >> SCALARS * one}, softness=softness, profile="blend")
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=task.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    random, averaged = np.random.default_rng(seed), copy.deepcopy(model)
    best, kept = float("inf"), copy.deepcopy(model.state_dict())
    for step in range(steps):
        batch = torch.tensor(random.choice(COUNT, BATCH, replace=False))
        loss = task.loss(model(parts[0][0][batch]), parts[0][1][batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            for mean, now in zip(averaged.parameters(), model.parameters(), strict=True):
                mean.lerp_(now, 1 - AVERAGED)
            found = float(error(averaged(parts[1][0]), parts[1][1])) if step % 25 == 24 else float("inf")
        if found < best:
            best, kept = found, copy.deepcopy(averaged.state_dict())
    model.load_state_dict(kept)
    with torch.no_grad():
        return model, float(error(model(parts[2][0]), parts[2][1]))


@torch.no_grad()
def invariance(model: Net, seed: int) -> float:
    """The largest |f(g x) - f(x)| / max|f| over moved inputs, in float64."""
    task, model = model.task, rct.fold(model).double()
    x = torch.tensor(task.draw(np.random.RandomState(seed))[0][:500])
    moves = rc.sample(task.group, 20, seed=seed, reach=0.5)
    worst, y = 0.0, model(x)
    for g in moves:
        moved = torch.tensor(g.act(task.group.rep, x.numpy()))
        worst = max(worst, float((model(moved) - y).abs().max() / y.abs().max()))
    return worst


@torch.no_grad()
def folding(model: Net, seed: int) -> float:
    """The largest change of a prediction, relative to max|f|, when the filter is folded into the weight, in float64."""
    model = copy.deepcopy(model).double()
    x = torch.tensor(model.task.draw(np.random.RandomState(seed))[0][:500])
    y = model(x)
    return float((rct.fold(model)(x) - y).abs().max() / y.abs().max())


def check(what: str, change: float) -> None:
    if not change < PROMISED:
        raise SystemExit(f"{what} changes the prediction by {change:.1e}, and rounding explains {PROMISED:.0e}")


def main(arguments: list[str] | None = None) -> rc.SoftnessCurve:
    parser = argparse.ArgumentParser(description="Strict and soft regression; see the top of this file.")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--softness", nargs="+", type=float, default=[0.0, SOFT])
    parser.add_argument("--out", help="write the picture of the last task there")
    given = parser.parse_args(arguments)
    if given.seeds < 1 or given.steps < 25:
        parser.error("--seeds takes 1 or more, --steps 25 or more")
    torch.set_num_threads(1)
    for name in given.tasks:
        print("task     softness  seed  test error  change when moved  training")
        found: list[tuple[float, float, float]] = []
        for softness in given.softness:
            for seed in range(given.seeds):
                begin = time.process_time()
                model, wrong = train(TASKS[name], softness, seed, given.steps)
                seconds, moved = time.process_time() - begin, invariance(model, seed)
                print(f"{name:7}  {softness:8}  {seed:4}  {wrong:10.4f}  {moved:17.1e}  {seconds:6.1f} s", flush=True)
                if softness == 0:
                    check(f"{name}, strict: a moved input", moved)
                check(f"{name}, softness {softness}: fold", folding(model, seed))
                found.append((softness, moved, -wrong))
        curve = rc.softness_curve(found, title=f"{name}; accuracy is minus the test error")
        print(curve, end="\n\n")
    if given.out:
        curve.plot().figure.savefig(given.out)
    return curve


if __name__ == "__main__":
    main()
