"""Maps of 3-D vectors whose symmetry under rotations is nearly right, from strict to free, and how far from it they can be.

    python examples/softness/vectors.py                       # two networks, three seeds, five softnesses: a minute on one thread
    python examples/softness/vectors.py --networks linear --seeds 1 --steps 100 --out vectors.png

Five unit vectors v0 ... v4 of any direction go in, as in the SO(3) example of the public code of Rahman et al.; one vector goes
out. Their layers are drawn at random and not trained, so the target is ours: one that turns with its inputs, and DELTA times one
that knows which way is up,

    y = (v0.v1) v2 + |v3 + v4| v3 + DELTA (e_z + 2 (v0.e_z) v1),      with noise in the training data.

The networks are a linear layer, and three with 16 vectors between them, each shortened to the tanh of its length. All weights
and biases are softened for SO(3) in one call: maps from vectors to vectors have three levels, the multiples of 1, the
antisymmetric and the symmetric rest, and of a bias there is nothing left at softness 0. What comes out is a vector and not a
scalar: a readout of scalars would be zero when strict, unless it is built from dot products, as in `regression.py`.

For each softness: what part of the target is explained; the error, the largest |f(g x) - g f(x)| over test inputs and rotations
g that are drawn; and the bound, which the trained weights give for every rotation and every such input. What is checked, and ends
the run if it fails: no error is above its bound; at softness 0 the bound, and so the error, is rounding; the plain model that
comes out in the end gives the same vectors. The last table holds one random layer against rotations up to an angle, where the
bound is smaller.

Source: Rahman et al., Tunable soft equivariance (CVPR 2026), and the notebook of vectors in its code.
"""

from __future__ import annotations

import argparse
import copy
import time
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

DELTA = 0.3
NOISE = 0.05
VECTORS = 5
SOFTNESS = (0.0, 0.1, 0.3, 0.6, 1.0)
HIDDEN = {"linear": (), "deep": (16, 16)}
COUNTS = (300, 1000, 2000)  # training, validation, test
STEPS, BATCH, RATE, DECAY = 600, 100, 2e-2, 0.03
ANGLES = (5, 30, 90, 180)  # degrees
ROTATIONS = 40
SO3 = rc.SO(3)
V = SO3.rep
RADIUS = VECTORS**0.5  # the length of an input

Data = tuple[Tensor, Tensor]


def draw(random: np.random.Generator, count: int, noise: float = 0.0) -> Data:
    """Inputs (count, 15) and targets (count, 3), in float64."""
    v = random.normal(size=(count, VECTORS, 3))
    v /= np.linalg.norm(v, axis=-1, keepdims=True)
    v0, v1, v2, v3, v4 = v.swapaxes(0, 1)
    turns = (v0 * v1).sum(-1, keepdims=True) * v2 + np.linalg.norm(v3 + v4, axis=-1, keepdims=True) * v3
    up = np.array([0.0, 0.0, 1.0]) + 2 * v0[:, 2:] * v1
    y = turns + DELTA * up + noise * random.normal(size=turns.shape)
    return torch.tensor(v.reshape(count, -1)), torch.tensor(y)


def network(name: str) -> tuple[nn.Sequential, dict[str, rc.Hom]]:
    """The layers, and what they map."""
    sizes = (VECTORS, *HIDDEN[name], 1)
    layers: list[nn.Module] = []
    rules: dict[str, rc.Hom] = {}
    for into, out in pairwise(sizes):
        rules[str(len(layers))] = into * V >> out * V
        layers += [nn.Linear(3 * into, 3 * out), rct.NormNonlinearity(out * V, torch.tanh, bias=False)]
    return nn.Sequential(*layers[:-1]), rules


def explained(model: nn.Module, data: Data) -> float:
    """In percent: 100 (1 - mean |f(x) - y|^2 / variance of y)."""
    with torch.no_grad():
        return 100 * float(1 - (model(data[0]) - data[1]).square().sum() / (data[1] - data[1].mean(0)).square().sum())


def train(name: str, softness: float, seed: int, steps: int, parts: list[Data]) -> nn.Sequential:
    """The softened network of the least validation error."""
    torch.manual_seed(seed)
    model, rules = network(name)
    rct.soften(model, rules, softness=softness, start="rescale")
    (x, y), validation = ((a.float(), b.float()) for a, b in parts[:2])
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    random = np.random.default_rng(seed)
    best, kept = -float("inf"), copy.deepcopy(model.state_dict())
    for step in range(steps):
        batch = torch.tensor(random.choice(len(x), BATCH, replace=False))
        loss = (model(x[batch]) - y[batch]).square().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 25 == 24 or step == steps - 1:
            found = explained(model, validation)
            if found > best:
                best, kept = found, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return model.double()


def turned(x: Tensor, g: rc.Word) -> Tensor:
    """Each of the vectors of each row, turned by g."""
    return torch.tensor(g.act(V, x.reshape(-1, 3).numpy())).reshape(x.shape)


@torch.no_grad()
def largest(model: nn.Module, x: Tensor, seed: int) -> float:
    """max |f(g x) - g f(x)| over inputs and rotations that are drawn."""
    y = model(x)
    errors = [(model(turned(x, g)) - turned(y, g)).norm(dim=1).max() for g in rc.sample(SO3, ROTATIONS, seed=seed)]
    return float(torch.stack(errors).max())


def rounding(model: nn.Module) -> float:
    """What float64 makes of the longest input: an eps for each product that is summed, through layers of these norms."""
    weights = [layer.weight.detach() for layer in model if isinstance(layer, nn.Linear)]
    gain = np.prod([1 + float(torch.linalg.matrix_norm(w, 2)) for w in weights])
    return float(4 * np.finfo(np.float64).eps * sum(w.shape[1] for w in weights) * gain * RADIUS)


def check(what: str, error: float, bound: float) -> None:
    if not error <= bound:
        raise SystemExit(f"{what}: {error:.3e} is above {bound:.3e}")


def run(name: str, softness: float, seed: int, steps: int, parts: list[Data]) -> tuple[float, float, float, float]:
    """Train and measure: the part explained on validation and on test data, the largest error, and its bound."""
    model = train(name, softness, seed, steps, parts)
    plain, x, what = rct.fold(model), parts[2][0], f"{name}, softness {softness}, seed {seed}, "
    bound = float(rct.network_bound(model, radius=RADIUS, lipschitz={rct.NormNonlinearity: 1.0}))
    error, exact = largest(plain, x, seed), rounding(plain)
    check(what + "the error", error, bound + exact)
    if softness == 0:
        check(what + "strict, the bound", bound, exact)
    with torch.no_grad():
        check(what + "folded", float((plain(x) - model(x)).norm(dim=1).max()), exact)
    return explained(plain, parts[1]), explained(plain, parts[2]), error, bound


def by_angle(seed: int) -> None:
    """One random layer at softness 0.5 against rotations up to an angle: ||D(g)||, D(g) = g W - W g, and what bounds it."""
    W = np.random.default_rng(seed).normal(size=(3, 3 * VECTORS)) / (3 * VECTORS) ** 0.5
    soft = rc.soften(VECTORS * V >> V, gain=rc.gains_at(*_levels(), 0.5))
    F = soft.project(W)
    axes = [k / np.linalg.norm(k) for k in np.random.default_rng(seed).normal(size=(200, 3))]
    print("one random layer at softness 0.5\nangle  largest |g W - W g|  bound  |W|")
    for degrees in ANGLES:
        angle, seen = np.deg2rad(degrees), 0.0
        for x, y, z in axes:
            K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
            g = np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K
            seen = max(seen, float(np.linalg.norm(g @ F - F @ np.kron(np.eye(VECTORS), g))))
        bound = float(soft.bound(W, reach=angle))
        print(f"{degrees:5}  {seen:19.3f}  {bound:5.3f}  {np.linalg.norm(F):.3f}")
        check(f"a layer and {degrees} degrees", seen, bound * (1 + 1e-12))


def _levels() -> tuple[np.ndarray, np.ndarray]:
    plan = rc.soften(VECTORS * V >> V, cutoff=0).plan
    return plan.values, plan.multiplicities


def main(arguments: list[str] | None = None) -> list[rc.SoftnessCurve]:
    parser = argparse.ArgumentParser(description="Maps of vectors from strict to free; see the top of this file.")
    parser.add_argument("--networks", nargs="+", default=list(HIDDEN), choices=list(HIDDEN))
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first-seed", type=int, default=0, help="for other data and other first weights")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--softness", nargs="+", type=float, default=list(SOFTNESS))
    parser.add_argument("--out", help="write the picture of the last network there")
    given = parser.parse_args(arguments)
    if given.seeds < 1 or given.steps < 1:
        parser.error("--seeds and --steps take 1 or more")
    torch.set_num_threads(1)  # small matrices: more threads would wait for each other
    curves: list[rc.SoftnessCurve] = []
    for name in given.networks:
        print("network  softness  seed  explained     error     bound  training")
        found: list[tuple[float, float, float, float]] = []
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            random = np.random.default_rng(seed)
            parts = [draw(random, count, NOISE if k == 0 else 0.0) for k, count in enumerate(COUNTS)]
            chosen: dict[float, tuple[float, float]] = {}
            for softness in given.softness:
                begin = time.process_time()
                validation, test, error, bound = run(name, softness, seed, given.steps, parts)
                seconds = time.process_time() - begin
                row = f"{name:7}  {softness:8}  {seed:4}  {test:7.2f} %  {error:8.2e}  {bound:8.2e}  {seconds:6.1f} s"
                print(row, flush=True)
                found.append((softness, error, test, bound))
                chosen[softness] = (validation, test)
            best = max(chosen, key=lambda s: chosen[s][0])
            print(f"{name}, seed {seed}: validation chooses softness {best:g}, {chosen[best][1]:.2f} % explained", flush=True)
        curve = rc.softness_curve(found, title=f"{name}, percent explained")
        print(curve, end="\n\n")
        curves.append(curve)
    by_angle(given.first_seed)
    if given.out:
        curves[-1].plot().figure.savefig(given.out)
    return curves


if __name__ == "__main__":
    main()
