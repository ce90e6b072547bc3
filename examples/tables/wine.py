"""Six bottles of wine, five of one cultivar and one of another: which is the stranger?

    python examples/tables/wine.py                   # both tasks, five ways, seeds 0, 1, 2: about a minute on one thread
    python examples/tables/wine.py --out pictures    # also a case, and what two networks say of it in two orders

The table inside scikit-learn has 178 bottles and the cultivar of each, one of three. A case is six rows of it, of which the first
five measurements are known: alcohol, malic acid, ash, its alcalinity, magnesium. The *columns* are different things, and nothing
may exchange them. The *rows* of a case have no order: lay the bottles out otherwise, and the answer is the same bottle, wherever
it lies now. So the symmetry is S_6, all 720 orders, and it is exact. ``symmetry.toml`` declares it: a case is ``5*V``, the scores
are ``V``. By hand: two places are equal or not, so dim V >> V is 2, and a layer has two numbers for each pair of features, one
from a bottle to itself and one from the sum of all. Relu acts on single numbers, which S_6 only permutes.

In the task ``broken`` the stranger lies in the last place in half of the cases, which a network without places cannot know.

The network is 30 -> 192 -> 192 -> 6 with relu. The ways differ in nothing but what is done about its three layers:

    dense          nothing
    augmentation   each case laid out in a new order at each step
    penalty        rct.Penalty: loss + weight * ||W - P W||^2 / 2 of each layer
    soft           rct.soften: what is not equivariant is damped, to a mean gain that is the softness
    strict         rct.symmetrize: the coefficients of equivariant maps are learned

Same cases, steps and optimiser (Adam, cosine). All but ``dense`` begin with ``rct.init_``: equivariant, with a tenth of something
else (strict: without). The bottles are split before cases are made of them: 90 to learn from, 30 to choose by, 58 to measure on.
The step that is kept is the best of 500 cases to choose by. So are rate, weight and softness, for seed 10, which is not reported
(``--tune``).

What is checked, and ends the run if it fails: the parameters are as many as counted by hand, and the scores of a strict network
whose weights are rounded to multiples of 1/1024, so that all sums are exact, go with the bottles bit for bit.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

SPEC = rc.load(Path(__file__).resolve().parent / "symmetry.toml")
WAYS = ("dense", "augmentation", "penalty", "soft", "strict")
TASKS = ("symmetric", "broken")
BOTTLES, COLUMNS, FEATURES, CASES, STEPS, EVERY = 6, 5, 32, 200, 300, 20
BY_HAND = (2 * COLUMNS * FEATURES + FEATURES) + (2 * FEATURES**2 + FEATURES) + (2 * FEATURES + 1)
AMOUNTS = {"penalty": (0.01, 0.1, 1.0, 10.0), "soft": (0.03, 0.1, 0.3)}  # to choose from: weights, softnesses
RATES = (1e-3, 3e-3)
# Rate, and weight or softness; without an entry the rate is 3e-3. Chosen with --tune.
CHOSEN = {
    ("symmetric", "dense"): (1e-3, 0.0),
    ("symmetric", "penalty"): (3e-3, 1.0),
    ("symmetric", "soft"): (1e-3, 0.03),
    ("broken", "dense"): (1e-3, 0.0),
    ("broken", "penalty"): (3e-3, 1.0),
    ("broken", "soft"): (3e-3, 0.03),
}

Data = tuple[Tensor, Tensor]  # cases (count, COLUMNS * BOTTLES), column by column; the place of the stranger (count,)


class Result(NamedTuple):
    """Loss on the cases to choose by, wrong answers and answers that change with the order in percent, and the network."""

    validation: float
    wrong: float
    changed: float
    count: int
    seconds: float
    model: nn.Module


def draw(rows: np.ndarray, kinds: np.ndarray, count: int, task: str, random: np.random.Generator) -> Data:
    """Cases made of these bottles."""
    cases, places = np.empty((count, BOTTLES, COLUMNS), np.float32), random.integers(BOTTLES, size=count)
    if task == "broken":
        places[random.random(count) < 0.5] = BOTTLES - 1
    for case, place in zip(cases, places, strict=True):
        most, other = random.choice(3, 2, replace=False)
        case[:] = rows[random.choice(np.flatnonzero(kinds == most), BOTTLES, replace=False)]
        case[place] = rows[random.choice(np.flatnonzero(kinds == other))]
    return torch.from_numpy(cases.swapaxes(1, 2).reshape(count, -1)), torch.from_numpy(places)


def make_task(task: str, seed: int) -> list[Data]:
    """Cases to learn from, to choose by and to measure on; no bottle is in two of these."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    x, y = datasets.load_wine(return_X_y=True)
    x, rest, y, rest_y = train_test_split(x[:, :COLUMNS], y, train_size=90, stratify=y, random_state=seed)
    chosen, test, chosen_y, test_y = train_test_split(rest, rest_y, train_size=30, stratify=rest_y, random_state=seed)
    random, mean, spread = np.random.default_rng(seed), x.mean(0), x.std(0)
    parts = ((x, y, CASES), (chosen, chosen_y, 500), (test, test_y, 2000))
    return [draw((a - mean) / spread, kinds, count, task, random) for a, kinds, count in parts]


def reordered(x: Tensor, places: Tensor, seed: int) -> Data:
    """Each case in an order of its own, and where the bottles at these places are then."""
    order = torch.rand(len(x), BOTTLES, generator=torch.Generator().manual_seed(seed)).argsort(1)  # from order[i] to i
    moved = x.view(len(x), -1, BOTTLES).gather(2, order[:, None].expand(-1, x.shape[1] // BOTTLES, -1))
    return moved.flatten(1), (order == places[:, None]).int().argmax(1)


def network() -> nn.Sequential:
    model = nn.Sequential()
    for name, space in SPEC.maps.items():
        model.add_module(name, nn.Linear(space.domain.dim, space.codomain.dim))
        if name != "last":
            model.add_module(f"relu after {name}", nn.ReLU())
    return model


def run(way: str, task: str, seed: int, steps: int, setting: tuple[float, float] | None = None) -> Result:
    """One way, one seed; the setting is the rate, and the weight of the penalty or the softness."""
    rate, amount = setting or CHOSEN.get((task, way), (3e-3, 0.0))
    (x, y), (cx, cy), (tx, ty) = make_task(task, seed)
    torch.manual_seed(seed)
    model = network()
    if way != "dense":
        for name, space in SPEC.maps.items():
            rct.init_(model.get_submodule(name).weight, space, 0.0 if way == "strict" else 0.1)
            nn.init.zeros_(model.get_submodule(name).bias)
    if way == "strict":
        rct.symmetrize(model, SPEC)
    if way == "soft":
        rct.soften(model, SPEC, softness=amount)
    penalty = rct.Penalty(model, SPEC, weight=amount) if way == "penalty" else None
    optimiser = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    best, kept, begin = float("inf"), {}, time.process_time()
    for step in range(1, steps + 1):
        bx, by = reordered(x, y, step) if way == "augmentation" else (x, y)
        loss = nn.functional.cross_entropy(model(bx), by)
        optimiser.zero_grad()
        (loss if penalty is None else loss + penalty()).backward()
        optimiser.step()
        schedule.step()
        if step % EVERY == 0 or step == steps:
            with torch.no_grad():
                error = float(nn.functional.cross_entropy(model(cx), cy))
            if error < best:
                best, kept = error, {name: value.clone() for name, value in model.state_dict().items()}
    seconds = time.process_time() - begin
    model.load_state_dict(kept)
    with torch.no_grad():
        said = model(tx).argmax(1)
        moved, expected = reordered(tx, said, 0)
        wrong, changed = ((a != b).float().mean() for a, b in ((said, ty), (model(moved).argmax(1), expected)))
    count = sum(p.numel() for p in model.parameters())
    return Result(best, 100 * float(wrong), 100 * float(changed), count, seconds, model)


def check(result: Result, x: Tensor) -> None:
    """A strict network has as many parameters as it must, and is equivariant bit for bit where sums are exact."""
    if result.count != BY_HAND:
        raise SystemExit(f"wine: {result.count} parameters, and {BY_HAND} by hand")
    model = rct.fold(result.model).double()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_((p * 1024).round() / 1024)
        x = (x.double() * 64).round() / 64
        # Layer by layer multiples of 2^-16, 2^-26 and 2^-36. Numbers below 2^17 of that kind fit the 53 bits of a float64.
        largest = x.abs()
        for layer in (model.get_submodule(name) for name in SPEC.maps):
            largest = largest @ layer.weight.abs().T + layer.bias.abs()
        if not largest.max() < 2**17:
            raise SystemExit("wine: weights so large that the check would round")
        for g in SPEC.group.rep.matrices:
            order = torch.from_numpy(g.to_numpy()).double()
            moved = (x.view(-1, COLUMNS, BOTTLES) @ order.T).flatten(1)
            if not torch.equal(model(moved), model(x) @ order.T):
                raise SystemExit("wine: the scores of a strict network do not go with the bottles")


def table(task: str, ways: list[str], seeds: list[int], steps: int) -> dict[str, list[Result]]:
    """Run these ways, and print a row for each: medians over the seeds."""
    print(f"\n{task}, seeds {', '.join(map(str, seeds))}; guessing is wrong in 83.3 %")
    print(f"{'':14}{'wrong answers in %':22}{'change with the order':>22}{'parameters':>12}{'CPU s':>9}")
    found: dict[str, list[Result]] = {}
    for way in ways:
        found[way] = results = [run(way, task, seed, steps) for seed in seeds]
        changed, seconds = (float(np.median([getattr(r, name) for r in results])) for name in ("changed", "seconds"))
        errors = "  ".join(f"{r.wrong:4.1f}" for r in results)
        print(f"{way:14}{errors:22}{changed:20.1f} %{results[0].count:12,}{seconds:9.1f}", flush=True)
        if way == "strict":
            for seed, result in zip(seeds, results, strict=True):
                check(result, make_task(task, seed)[2][0])
    return found


def tune(task: str, steps: int) -> None:
    """Print the loss of seed 10 on the cases to choose by, for rates and amounts."""
    for way in WAYS:
        choices = [(rate, amount) for rate in RATES for amount in AMOUNTS.get(way, (0.0,))]
        losses = {setting: run(way, task, 10, steps, setting).validation for setting in choices}
        best = min(losses, key=lambda setting: losses[setting])
        print(f"{task}, {way}: best {best} of", "  ".join(f"{s}: {loss:.3f}" for s, loss in losses.items()), flush=True)


def probabilities(found: dict[str, list[Result]], task: str, seed: int) -> dict[str, list[np.ndarray]]:
    """Of the first test case, and of the same from right to left: the case, and who is the stranger to each network."""
    case = make_task(task, seed)[2][0][:1].view(COLUMNS, BOTTLES)
    orders = [case, case.flip(1)]
    with torch.no_grad():
        said = {way: [results[0].model(x.reshape(1, -1)).softmax(1)[0].numpy() for x in orders] for way, results in found.items()}
    return {"case": [x.numpy() for x in orders], **said}


def draw_case(shown: dict[str, list[np.ndarray]], path: Path) -> None:
    """The case and the probabilities, one row an order."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.4 * len(shown), 4), layout="constrained")
    for row, axes in enumerate(figure.subplots(2, len(shown))):
        for ax, (name, values) in zip(axes, shown.items(), strict=True):
            if name == "case":
                ax.imshow(values[row], cmap="RdBu", vmin=-3, vmax=3, aspect="auto")
                ax.set_yticks(range(COLUMNS), ("alcohol", "malic acid", "ash", "alcalinity", "magnesium"), fontsize=7)
            else:
                ax.bar(range(BOTTLES), values[row], color="tab:red")
                ax.set_ylim(0, 1)
            ax.set_title(f"{name}, {('as it lies', 'from right to left')[row]}", fontsize=8)
            ax.set_xticks([])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description="The stranger in a case of wine; see the top of this file.")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, help="a folder for pictures")
    parser.add_argument("--tune", action="store_true", help="print what rates, weights and softnesses were chosen by")
    given = parser.parse_args(arguments)
    if given.steps < 1:
        parser.error("--steps takes 1 or more")
    torch.set_num_threads(1)  # small matrices: more threads would wait for each other
    for task in given.tasks:
        if given.tune:
            tune(task, given.steps)
            continue
        found = table(task, given.ways, given.seeds, given.steps)
        shown = probabilities(found, task, given.seeds[0])
        print("who is the stranger? one case, and the same from right to left, in percent")
        for way in found:
            print(f"  {way:12}", "   ".join(" ".join(f"{100 * p:3.0f}" for p in row) for row in shown[way]))
        if given.out is not None:
            draw_case(shown, given.out / f"wine, {task}.png")
            print("wrote", given.out / f"wine, {task}.png")


if __name__ == "__main__":
    main()
