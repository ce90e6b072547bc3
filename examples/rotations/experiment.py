"""Seven ways to tell a network that a task is symmetric under rotations, or nearly so; in PyTorch and in JAX.

    python examples/rotations/experiment.py                   # all of it, seeds 0, 1, 2
    python examples/rotations/experiment.py --framework jax --deltas 0.3
    python examples/rotations/experiment.py --ways strict ACE dense --seeds 10 11 12 --split validation

From two scalars s and four vectors v, standard normal, a vector is to be found:

    y = tanh(v0.v1) v2 + 0.5 (v0 x v3) sigmoid(s0) + 0.5 sin(s1 + v2.v3 / 2) v1 + delta ((1 + s0 / 2) e_z + 0.5 v0*e_z)

For delta = 0 it turns with its input: the symmetry is SO(3), and the product with a cross makes it SO(3) and not O(3). For
delta = 0.3 the direction e_z is special, and the symmetry is broken. 512 noisy examples (0.05) to learn from, 1,000 to choose
the step that is kept, 4,000 to measure: the mean squared error of a component of y. ``v0*e_z`` is taken component by component.

The network has three blocks of 16 scalars and 16 vectors. Each is a linear map to scalars, gates and two lists of vectors a, b,
and then what commutes with rotations: tanh(s + a.b / sqrt 3), and a sigmoid(gate) + a x b / (2 sqrt(1 + |b|^2)). So it is
equivariant if its four linear maps are, and the seven ways differ in nothing but what is done about these:

    strict         rct.symmetrize: the coefficients of equivariant maps are learned
    penalty        rct.Penalty: loss + WEIGHT ||W - P W||^2 / 2 of each map
    operator K=4   the same penalty on the operator by four random rotations a step, ||g W - W g||^2
    sampled K=4    the defect of the network on the batch, ||f(g x) - g f(x)||^2, by four random rotations a step
    augmentation   each example turned at random, with its answer
    ACE            rct.ACE: E + gamma N, and training decides about gamma, by 64 examples that are kept from the rest for it;
                   for the last three tenths of the steps gamma stays where it is, and the 64 join the others
    dense          nothing

Same data, batches, steps, optimiser (Adam, 3e-3, cosine) and selection. All but ``dense`` begin with ``rct.init_``:
equivariant, with a tenth of something else (ACE: a fiftieth, strict: without). ACE learns that rest at twice the rate. The
weights of the penalties were chosen among powers of ten by the validation error of seed 10, with ``--tune``, and the settings
of ACE by those of seeds 10, 11 and 12, with the weights that either framework begins with. None of these seeds is reported.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import repcore as rc

HERE = Path(__file__).resolve().parent
WAYS = ("strict", "penalty", "operator K=4", "sampled K=4", "augmentation", "ACE", "dense")
WEIGHTS = {"penalty": 1.0, "operator K=4": 1.0, "sampled K=4": 1.0}  # the best for either delta: see --tune
STEPS, BATCH, RATE, EVERY, GAIN = 1500, 256, 3e-3, 25, 0.7
# Of ACE: examples that decide about gamma, steps from one decision to the next, the part of the training without any in the end.
# The controller is the default.
HELD, MOVES, FREEZE = 64, 10, 0.3
START = {"strict": 0.0, "ACE": 0.02}  # the share that is not equivariant in the beginning; else 0.1
NAMES = ("first", "second", "third", "last")


@dataclass(frozen=True)
class Task:
    """Inputs (count, 14) and answers (count, 3) to learn from, to choose by and to measure on."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def answer(x: np.ndarray, delta: float) -> np.ndarray:
    """y (count, 3) of inputs (count, 14): two scalars and four vectors."""
    s0, s1, v = x[:, :1], x[:, 1:2], x[:, 2:].reshape(-1, 4, 3)
    v0, v1, v2, v3 = v.transpose(1, 0, 2)
    dot01, dot23 = (v0 * v1).sum(1, keepdims=True), (v2 * v3).sum(1, keepdims=True)
    y = np.tanh(dot01) * v2 + 0.5 * np.cross(v0, v3) / (1 + np.exp(-s0)) + 0.5 * np.sin(s1 + dot23 / 2) * v1
    e_z = np.array([0.0, 0.0, 1.0])
    return y + delta * ((1 + s0 / 2) * e_z + 0.5 * v0 * e_z)


def make_task(delta: float, seed: int) -> Task:
    """The data of a seed."""
    random = np.random.default_rng(seed)

    def draw(count: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
        x = np.concatenate([random.normal(size=(count, 2)), random.normal(size=(count, 12))], 1)
        return x.astype(np.float32), (answer(x, delta) + noise * random.normal(size=(count, 3))).astype(np.float32)

    return Task(draw(512, 0.05), draw(1000, 0.0), draw(4000, 0.0))


def batches(seed: int, steps: int, count: int = 512) -> np.ndarray:
    """Which of the first examples each step sees, (steps, BATCH), the same for all ways that see all of them."""
    random = np.random.default_rng(seed + 1000)
    epochs = -(-steps * BATCH // count)
    return np.concatenate([random.permutation(count) for _ in range(epochs)])[: steps * BATCH].reshape(steps, BATCH)


def order(way: str, seed: int, steps: int) -> np.ndarray:
    """Which examples each step of a way sees: all of them, but of ACE those that decide about gamma only when it is frozen."""
    if way != "ACE":
        return batches(seed, steps)
    deciding = round(steps * (1 - FREEZE))
    return np.concatenate([batches(seed, deciding, 512 - HELD), batches(seed, steps - deciding)])


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        validation, test: mean squared errors of the weights that were kept.
        defect: relative root mean square of f(gx) - g f(x) over 64 rotations, of the same weights.
        seconds: for a step, all of it.
        gamma: of ACE, of the same weights, the largest of all layers.
    """

    validation: float
    test: float
    defect: float
    seconds: float
    gamma: float = 0.0


def defect(f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, spec: Any) -> float:
    """The relative root mean square of f(g x) - g f(x) over 64 random rotations g."""
    y = f(x)
    moves = rc.sample(spec.group, 64, seed=1)
    total = np.mean([np.sum((f(g.act(spec.reps["input"], x).astype(x.dtype)) - g.act(spec.group.rep, y)) ** 2) for g in moves])
    return float(np.sqrt(total / np.sum(y**2)))


# -- PyTorch -------------------------------------------------------------------------------------------------------


def torch_network() -> Any:
    """The network, with the weights that torch begins with."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = torch.nn.Linear(14, 128), torch.nn.Linear(64, 3)
            self.second, self.third = torch.nn.Linear(64, 128), torch.nn.Linear(64, 128)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in (self.first, self.second, self.third):
                h = layer(x)
                s, gates, a, b = h[:, :16], h[:, 16:32], h[:, 32:80].view(-1, 16, 3), h[:, 80:].view(-1, 16, 3)
                s = torch.tanh(s + (a * b).sum(2) / 3**0.5)
                b = b / (1 + b.square().sum(2, keepdim=True)).sqrt()
                v = a * torch.sigmoid(gates)[:, :, None] + torch.linalg.cross(a, b) / 2
                x = torch.cat([s, v.flatten(1)], 1)
            return self.last(x)

    return Network()


def run_torch(way: str, delta: float, seed: int, steps: int, weight: float | None = None) -> Result:
    """One way, one seed, in PyTorch."""
    import torch

    import repcore_torch as rct

    torch.manual_seed(seed)
    spec, task = rc.load(HERE / "symmetry.toml"), make_task(delta, seed)
    model = torch_network()
    spaces = {name: spec.maps[spec.rules[name]] for name in NAMES}
    if way != "dense":
        for name, space in spaces.items():
            rct.init_(model.get_submodule(name).weight, space, START.get(way, 0.1), gain=GAIN)
            torch.nn.init.zeros_(model.get_submodule(name).bias)
    if way == "strict":
        rct.symmetrize(model, spec)
    ace = rct.ACE(model, spec, every=MOVES, steps=steps, freeze=FREEZE) if way == "ACE" else None
    weight = WEIGHTS.get(way, 0.0) if weight is None else weight
    moves = rct.Moves(spec.reps["input"], spec.group.rep, count=64, seed=seed)
    operators = {name: rct.Moves(space.domain, space.codomain, count=64, seed=seed) for name, space in spaces.items()}
    penalty = rct.Penalty(model, spec, weight=weight) if way == "penalty" else None

    def extra(x: torch.Tensor) -> Any:
        match way:
            case "penalty":
                return penalty()
            case "operator K=4":
                return weight / 4 * sum(rct.operator_penalty(model.get_submodule(n).weight, m, 4) for n, m in operators.items())
            case "sampled K=4":
                return weight * rct.sampled_penalty(model, x, moves, samples=4)
            case _:
                return 0.0

    free = [p for name, p in model.named_parameters() if name.endswith(".free")]
    rest = [p for name, p in model.named_parameters() if not name.endswith(".free")]
    groups = [{"params": rest}, {"params": free, "lr": 2 * RATE}] if free else rest
    optimizer = torch.optim.Adam(groups, RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    x, y, vx, vy = (torch.from_numpy(array) for array in (*task.train, *task.validation))
    best, kept, spent = float("inf"), {}, 0.0

    def held_out() -> torch.Tensor:
        return torch.nn.functional.mse_loss(model(x[-HELD:]), y[-HELD:])

    for step, rows in enumerate(order(way, seed, steps)):
        begin = time.perf_counter()
        bx, by = x[rows], y[rows]
        if way == "augmentation":
            bx, by = rct.augment(bx, by, moves)
        optimizer.zero_grad()
        (torch.nn.functional.mse_loss(model(bx), by) + extra(bx)).backward()
        optimizer.step()
        schedule.step()
        if ace is not None:
            ace.step(held_out)
        spent += time.perf_counter() - begin
        if step % EVERY == EVERY - 1 or step == steps - 1:
            with torch.no_grad():
                error = float(torch.nn.functional.mse_loss(model(vx), vy))
            if error < best:
                best, kept = error, {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)

    @torch.no_grad()
    def f(array: np.ndarray) -> np.ndarray:
        return model(torch.from_numpy(array)).numpy()

    error = float(np.mean((f(task.test[0]) - task.test[1]) ** 2))
    largest = 0.0 if ace is None else max(float(gamma.abs().max()) for gamma in ace.gamma.values())
    return Result(best, error, defect(f, task.validation[0], spec), spent / steps, largest)


# -- JAX -----------------------------------------------------------------------------------------------------------


def run_jax(way: str, delta: float, seed: int, steps: int, weight: float | None = None) -> Result:
    """The same in JAX: parameters are a dictionary, everything else pure functions of it."""
    import jax
    import jax.numpy as jnp
    import optax

    import repcore_jax as rcj

    spec, task = rc.load(HERE / "symmetry.toml"), make_task(delta, seed)
    spaces = {name: spec.maps[spec.rules[name]] for name in NAMES}
    weight = WEIGHTS.get(way, 0.0) if weight is None else weight

    def f(params: Any, x: Any) -> Any:
        for name in NAMES[:3]:
            h = x @ params[name]["kernel"] + params[name]["bias"]
            s, gates, a, b = h[:, :16], h[:, 16:32], h[:, 32:80].reshape(-1, 16, 3), h[:, 80:].reshape(-1, 16, 3)
            s = jnp.tanh(s + (a * b).sum(2) / 3**0.5)
            b = b / jnp.sqrt(1 + (b**2).sum(2, keepdims=True))
            v = a * jax.nn.sigmoid(gates)[:, :, None] + jnp.cross(a, b) / 2
            x = jnp.concatenate([s, v.reshape(len(v), 48)], 1)
        return x @ params["last"]["kernel"] + params["last"]["bias"]

    params = {}
    for name, key in zip(NAMES, jax.random.split(jax.random.key(seed), 4), strict=True):
        rows, cols = spaces[name].shape
        if way == "dense":
            # As torch begins: uniform within 1 / sqrt(inputs).
            kernel, bias = (
                jax.random.uniform(k, s, minval=-1, maxval=1) / cols**0.5
                for k, s in zip(jax.random.split(key), ((cols, rows), (rows,)), strict=True)
            )
        else:
            kernel = rcj.init(key, spaces[name], START.get(way, 0.1), gain=GAIN).T
            bias = jnp.zeros(rows)
        params[name] = {"kernel": kernel, "bias": bias}
    symmetry = rcj.symmetry_of(params, spec)
    method = rcj.ace(params, spec, every=MOVES, steps=steps, freeze=FREEZE)
    words = rc.sample(spec.group, 64, seed=seed)
    turns = {
        rep: jnp.asarray(np.stack([g.act(rep, np.eye(rep.dim)) for g in words]).swapaxes(1, 2), jnp.float32)
        for rep in {
            spec.reps["input"],
            spec.group.rep,
            *(s.domain for s in spaces.values()),
            *(s.codomain for s in spaces.values()),
        }
    }
    gx, gy = turns[spec.reps["input"]], turns[spec.group.rep]

    def weights(p: Any, gamma: Any) -> Any:
        match way:
            case "strict":
                return symmetry.expand(p)
            case "ACE":
                return method.expand(p, gamma)
            case _:
                return p

    def loss(p: Any, gamma: Any, x: Any, y: Any, key: Any) -> Any:
        p = weights(p, gamma)
        if way == "augmentation":
            which = jax.random.randint(key, (len(x),), 0, 64)
            x, y = jnp.einsum("bij,bj->bi", gx[which], x), jnp.einsum("bij,bj->bi", gy[which], y)
        out = f(p, x)
        value = ((out - y) ** 2).mean()
        if way == "penalty":
            value += weight * symmetry.penalty(p, "fro2")
        if way in ("operator K=4", "sampled K=4"):
            for which in jax.random.randint(key, (4,), 0, 64):
                if way == "sampled K=4":
                    value += weight * ((f(p, x @ gx[which].T) - out @ gy[which].T) ** 2).sum(1).mean() / 4
                else:
                    for name, space in spaces.items():
                        W = p[name]["kernel"].T
                        D = turns[space.codomain][which] @ W - W @ turns[space.domain][which]
                        value += weight / 4 * (D**2).sum() / 4
        return value

    split, ace = method.init(params)
    thetas = {"strict": symmetry.coefficients(params), "ACE": split}.get(way, params)
    rates = {"free": optax.cosine_decay_schedule(2 * RATE, steps), "rest": optax.cosine_decay_schedule(RATE, steps)}
    labels = jax.tree_util.tree_map_with_path(lambda path, _: "free" if "free" in str(path[-1]) else "rest", thetas)
    tx = optax.multi_transform({name: optax.adam(rate) for name, rate in rates.items()}, labels)
    x, y, vx, vy = (jnp.asarray(array) for array in (*task.train, *task.validation))

    @jax.jit
    def advance(p: Any, ace: Any, state: Any, rows: Any, key: Any) -> Any:
        updates, state = tx.update(jax.grad(loss)(p, ace.gamma, x[rows], y[rows], key), state, p)
        return optax.apply_updates(p, updates), state

    @jax.jit
    def decide(p: Any, ace: Any) -> Any:
        return method.update(jax.grad(loss, argnums=1)(p, ace.gamma, x[-HELD:], y[-HELD:], keys[0]), ace)

    dense = jax.jit(weights)
    measured = jax.jit(lambda p, gamma: ((f(weights(p, gamma), vx) - vy) ** 2).mean())
    state, keys = tx.init(thetas), jax.random.split(jax.random.key(seed + 1), steps)
    best, kept, spent = float("inf"), (thetas, ace.gamma), 0.0
    for step, rows in enumerate(order(way, seed, steps)):
        begin = time.perf_counter()
        thetas, state = advance(thetas, ace, state, rows, keys[step])
        if way == "ACE":
            ace = decide(thetas, ace) if step % MOVES == MOVES - 1 else method.skip(ace)
        jax.block_until_ready(thetas)
        spent += (time.perf_counter() - begin) * (step > 0)  # the first compiles
        if (step % EVERY == EVERY - 1 or step == steps - 1) and (error := float(measured(thetas, ace.gamma))) < best:
            best, kept = error, (thetas, ace.gamma)
    final = dense(*kept)
    g = jax.jit(lambda x: f(final, x))
    test = float(np.mean((np.asarray(g(task.test[0])) - task.test[1]) ** 2))
    largest = max(float(abs(gamma).max()) for gamma in kept[1].values()) if way == "ACE" else 0.0
    return Result(best, test, defect(lambda a: np.asarray(g(a)), task.validation[0], spec), spent / max(steps - 1, 1), largest)


# -- the table -----------------------------------------------------------------------------------------------------

RUN = {"torch": run_torch, "jax": run_jax}


def table(
    framework: str, delta: float, seeds: list[int], steps: int, ways: Sequence[str] = WAYS, split: str = "test"
) -> dict[str, list[Result]]:
    """Run these ways, and print a row for each."""
    print(f"\n{framework}, delta = {delta}: {split} error of seeds {', '.join(map(str, seeds))}")
    print(f"{'':14}{split + ' error':28}{'defect':10}{'ms a step':>10}")
    found: dict[str, list[Result]] = {}
    for way in ways:
        found[way] = results = [RUN[framework](way, delta, seed, steps) for seed in seeds]
        errors = "  ".join(f"{getattr(r, split):.4f}" for r in results)
        middle, seconds = np.median([r.defect for r in results]), np.median([r.seconds for r in results])
        print(f"{way:14}{errors:28}{middle:<10.1e}{seconds * 1e3:10.2f}", flush=True)
        if way == "ACE":
            print(f"{'':14}largest gamma " + "  ".join(f"{r.gamma:.4f}" for r in results))
    return found


def ratios(found: dict[str, list[Result]], way: str = "penalty", split: str = "test") -> dict[str, list[float]]:
    """The errors of a way by those of the others, of each seed."""
    return {
        other: [getattr(a, split) / getattr(b, split) for a, b in zip(found[way], results, strict=True)]
        for other, results in found.items()
        if other != way
    }


def separation(symmetric: list[Result], broken: list[Result]) -> float:
    """The least gamma where the symmetry is broken by the largest where it is not."""
    largest = max(r.gamma for r in symmetric)
    return min(r.gamma for r in broken) / largest if largest else float("inf")


def tune(framework: str, delta: float, steps: int) -> None:
    """Print the validation error of seed 10 for weights of the penalties."""
    for way in ("penalty", "operator K=4", "sampled K=4"):
        errors = {w: RUN[framework](way, delta, 10, steps, w).validation for w in (1e-2, 1e-1, 1.0, 10.0)}
        print(f"{framework}, delta = {delta}, {way}:", "  ".join(f"{w:g}: {e:.4f}" for w, e in errors.items()))


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description="Seven ways to a symmetric network.")
    parser.add_argument("--framework", choices=(*RUN, "both"), default="both")
    parser.add_argument("--deltas", type=float, nargs="+", default=[0.0, 0.3])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=WAYS)
    parser.add_argument("--split", choices=("validation", "test"), default="test", help="the data of the errors that are printed")
    parser.add_argument("--tune", action="store_true", help="print what the weights were chosen by")
    given = parser.parse_args()
    for framework in RUN if given.framework == "both" else (given.framework,):
        gammas: list[list[Result]] = []
        for delta in given.deltas:
            if given.tune:
                tune(framework, delta, given.steps)
                continue
            found = table(framework, delta, given.seeds, given.steps, given.ways, given.split)
            for way in [way for way in ("penalty", "ACE") if way in found]:
                for other, each in ratios(found, way, given.split).items():
                    print(f"{way + ' / ' + other:26}{np.median(each):.2f}   of each seed " + " ".join(f"{r:.2f}" for r in each))
            gammas += [found["ACE"]] if "ACE" in found else []
        if len(gammas) == 2:
            print(f"least gamma of the second / largest gamma of the first: {separation(*gammas):.1f}")


if __name__ == "__main__":
    main()
