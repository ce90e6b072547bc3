"""Where will they walk? Forecasts for pedestrians whose symmetry under rotations a slope breaks, from strict to free.

    python examples/softness/trajectories.py                  # three seeds, six softnesses: under three minutes on one thread
    python examples/softness/trajectories.py --seeds 1 --steps 100 --out trajectories.png

The pedestrians are simulated, in the manner of the social forces of Helbing and Molnar: they cross a round square, each towards a
goal of its own at a speed of its own, keep their distance from others, and sway. All of this turns and mirrors with the scene.
The ground does not: it is flat in a lane along x, three metres to either side, and slopes down to the lane beyond. As with the
ETH and UCY recordings, 8 positions are seen, 0.4 s apart, and the next 12 are to be told.

The network reads 12 vectors: 7 steps, the place in the scene, the two nearest others with their velocities; and returns 12, what
is to be added if each goes on as in the last step. Between three linear layers it shortens each vector to the tanh of its length.
The layers are softened for O(2): at softness 0 a forecast turns and mirrors with the scene, so that it cannot know the lane; at 1
nothing is known of rotations.

For each softness: ADE and FDE, the mean distance to the truth over 12 positions, and at the last one, in metres, on walkers that
training has not seen; the error, the mean distance between the forecast for a turned scene and the turned forecast, in metres;
and the largest one, as the norm of all 12, beside the bound that the trained weights give for every rotation. The softness is
chosen by the ADE on validation walkers. What is checked, and ends the run if it fails: no error is above its bound; at softness
0 the error is rounding; the plain model that comes out in the end gives the same forecasts.

Source: Rahman et al., Tunable soft equivariance (CVPR 2026), who soften a transformer on the ETH and UCY recordings; Helbing and
Molnar, Social force model for pedestrian dynamics (1995).
"""

from __future__ import annotations

import argparse
import copy
import time
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

SEEN, AHEAD, WALKERS, NEAREST = 8, 12, 6, 2
SCENES = (100, 200, 500)  # training, validation, test
RADIUS, LANE = 5.0, 3.0  # metres from the middle: where they start, and how far the ground is flat
PUSH = 2.0  # metres per second squared, of the slope
SOFTNESS = (0.0, 0.05, 0.1, 0.3, 0.6, 1.0)
VECTORS = SEEN + 2 * NEAREST
HIDDEN = 32
STEPS, BATCH, RATE, DECAY = 1000, 128, 5e-3, 0.1
SPAN, PLACE = 0.5, 3.0  # metres that count as 1, of steps and velocities, and of places
TURNS = 24
O2 = rc.O(2)
V = O2.rep


class Walks(NamedTuple):
    """Inputs (N, 12 * 2), what constant velocity says and the truth, (N, 12, 2) in metres from the last position seen."""

    x: Tensor
    plain: Tensor
    truth: Tensor


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


def simulate(random: np.random.Generator, scenes: int) -> np.ndarray:
    """Positions (scenes, frames, walkers, 2), a frame each 0.4 s."""
    angle = random.uniform(0, 2 * np.pi, (scenes, WALKERS))
    at = RADIUS * np.stack([np.cos(angle), np.sin(angle)], -1) + random.normal(0, 0.3, (scenes, WALKERS, 2))
    goal = random.normal(0, 1, at.shape) - 1.3 * at
    speed = random.normal(1.3, 0.2, (scenes, WALKERS, 1))
    velocity, frames = speed * _unit(goal - at), []
    dt, settle = 0.1, 4
    for step in range(settle + 4 * (SEEN + AHEAD - 1) + 1):
        if step >= settle and (step - settle) % 4 == 0:
            frames.append(at.copy())
        apart = at[:, :, None] - at[:, None]
        distance = np.linalg.norm(apart, axis=-1, keepdims=True)
        others = 3 * np.exp((0.6 - distance) / 0.4) * apart / np.maximum(distance, 1e-9)  # zero for the walker itself
        slope = np.zeros_like(at)
        slope[..., 1] = PUSH * (np.exp((-LANE - at[..., 1]) / 0.6) - np.exp((at[..., 1] - LANE) / 0.6)).clip(-1, 1)
        sways = random.normal(0, 0.15, at.shape) / dt**0.5
        velocity += dt * ((speed * _unit(goal - at) - velocity) / 0.5 + others.sum(2) + slope + sways)
        at = at + dt * velocity
    return np.stack(frames, 1)


def walks(random: np.random.Generator, scenes: int) -> Walks:
    """Each walker of each scene, once."""
    at = simulate(random, scenes).swapaxes(1, 2)  # (scenes, walkers, frames, 2)
    now, steps = at[:, :, SEEN - 1], np.diff(at, axis=2)
    apart = now[:, None] - now[:, :, None]
    nearest = np.argsort(np.linalg.norm(apart, axis=-1), axis=2)[:, :, 1 : NEAREST + 1]
    scene, walker = np.ogrid[: len(at), :WALKERS]
    others = apart[scene[..., None], walker[..., None], nearest] / PLACE
    last = steps[:, :, SEEN - 2]
    their = last[scene[..., None], nearest] / SPAN
    x = np.concatenate([steps[:, :, : SEEN - 1] / SPAN, now[:, :, None] / PLACE, others, their], 2)
    truth = at[:, :, SEEN:] - now[:, :, None]
    plain = np.arange(1, AHEAD + 1)[:, None] * last[:, :, None]
    return Walks(*(torch.tensor(a.reshape(-1, *a.shape[2:])) for a in (x.reshape(*x.shape[:2], -1), plain, truth)))


def network() -> tuple[nn.Sequential, dict[str, rc.Hom]]:
    """The layers, and what they map."""
    hidden = HIDDEN * V
    model = nn.Sequential(
        nn.Linear(2 * VECTORS, 2 * HIDDEN),
        rct.NormNonlinearity(hidden, torch.tanh, bias=False),
        nn.Linear(2 * HIDDEN, 2 * HIDDEN),
        rct.NormNonlinearity(hidden, torch.tanh, bias=False),
        nn.Linear(2 * HIDDEN, 2 * AHEAD),
    )
    return model, {"0": VECTORS * V >> hidden, "2": hidden >> hidden, "4": hidden >> AHEAD * V}


def distances(model: nn.Module | None, data: Walks) -> Tensor:
    """(N, 12), from forecast to truth in metres; without a model those of constant velocity."""
    ahead = data.plain if model is None else data.plain + model(data.x).reshape(data.plain.shape)
    return (ahead - data.truth).norm(dim=-1)


@torch.no_grad()
def ade_fde(model: nn.Module | None, data: Walks) -> tuple[float, float]:
    """The mean distance of all positions, and of the last."""
    found = distances(model, data)
    return float(found.mean()), float(found[:, -1].mean())


def train(softness: float, seed: int, steps: int, parts: list[Walks]) -> nn.Sequential:
    """The softened network of the least ADE on validation walkers."""
    torch.manual_seed(seed)
    model, rules = network()
    rct.soften(model, rules, softness=softness, start="rescale")
    data, validation = (Walks(*(a.float() for a in part)) for part in parts[:2])
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    random = np.random.default_rng(seed)
    best, kept = float("inf"), copy.deepcopy(model.state_dict())
    for step in range(steps):
        batch = torch.tensor(random.choice(len(data.x), BATCH, replace=False))
        loss = distances(model, Walks(*(a[batch] for a in data))).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 50 == 49 or step == steps - 1:
            found = ade_fde(model, validation)[0]
            if found < best:
                best, kept = found, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return model.double()


def turned(x: Tensor, g: rc.Word) -> Tensor:
    """Each of the vectors of each row, moved by g."""
    return torch.tensor(g.act(V, x.reshape(-1, 2).numpy())).reshape(x.shape)


@torch.no_grad()
def errors(model: nn.Module, x: Tensor, seed: int) -> tuple[float, float]:
    """|f(g x) - g f(x)| over walkers, rotations and mirrors: the mean for one position, and the largest for all 12."""
    y = model(x)
    change = torch.stack([model(turned(x, g)) - turned(y, g) for g in rc.sample(O2, TURNS, seed=seed)])
    return float(change.unflatten(-1, (AHEAD, 2)).norm(dim=-1).mean()), float(change.norm(dim=-1).max())


def rounding(model: nn.Module, radius: float) -> float:
    """What float64 makes of the longest input: an eps for each product that is summed, through layers of these norms."""
    weights = [layer.weight.detach() for layer in model if isinstance(layer, nn.Linear)]
    gain = np.prod([1 + float(torch.linalg.matrix_norm(w, 2)) for w in weights])
    return float(4 * np.finfo(np.float64).eps * sum(w.shape[1] for w in weights) * gain * radius)


def check(what: str, error: float, bound: float) -> None:
    if not error <= bound:
        raise SystemExit(f"{what}: {error:.3e} is above {bound:.3e}")


def main(arguments: list[str] | None = None) -> rc.SoftnessCurve:
    parser = argparse.ArgumentParser(description="Forecasts of pedestrians from strict to free; see the top of this file.")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first-seed", type=int, default=0, help="for other walkers and other first weights")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--softness", nargs="+", type=float, default=list(SOFTNESS))
    parser.add_argument("--out", help="write the picture there")
    given = parser.parse_args(arguments)
    if given.seeds < 1 or given.steps < 1:
        parser.error("--seeds and --steps take 1 or more")
    torch.set_num_threads(1)  # small matrices: more threads would wait for each other
    found: list[tuple[float, float, float]] = []
    print("softness  seed     ADE     FDE  error     largest   bound     validation  training")
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        random = np.random.default_rng(seed)
        parts = [walks(random, scenes) for scenes in SCENES]
        test = parts[2]
        radius = float(test.x.norm(dim=1).max())
        ade, fde = ade_fde(None, test)
        print(f"constant  {seed:4}  {ade:.4f}  {fde:.4f}", flush=True)
        chosen: dict[float, tuple[float, float]] = {}
        for softness in given.softness:
            begin = time.process_time()
            model = train(softness, seed, given.steps, parts)
            plain = rct.fold(model)
            (ade, fde), (error, most) = ade_fde(plain, test), errors(plain, test.x, seed)
            bound = float(rct.network_bound(model, radius=radius, lipschitz={rct.NormNonlinearity: 1.0}))
            validation = ade_fde(plain, parts[1])[0]
            what, exact = f"softness {softness}, seed {seed}, ", rounding(plain, radius)
            check(what + "the error", most, bound + exact)
            if softness == 0:
                check(what + "strict, the error", most, exact)
            with torch.no_grad():
                check(what + "folded", float((plain(test.x) - model(test.x)).norm(dim=1).max()), exact)
            numbers = f"{ade:.4f}  {fde:.4f}  {error:.1e}   {most:.1e}   {bound:.1e}   {validation:10.4f}"
            print(f"{softness:8}  {seed:4}  {numbers}  {time.process_time() - begin:6.1f} s", flush=True)
            found.append((softness, error, -ade))
            chosen[softness] = (validation, ade)
        best = min(chosen, key=lambda s: chosen[s][0])
        print(f"seed {seed}: validation chooses softness {best:g}, ADE {chosen[best][1]:.4f}", flush=True)
    curve = rc.softness_curve(found, title="pedestrians; accuracy is minus the ADE in metres")
    print(curve)
    if given.out:
        curve.plot().figure.savefig(given.out)
    return curve


if __name__ == "__main__":
    main()
