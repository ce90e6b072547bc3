"""Rubik's cube: a group of 43,252,003,274,489,856,000 elements in a file, and a network that sees 600 cubes and solves others.

    python examples/rubik/cube.py                   # the group, five ways, seeds 0, 1, 2: about a minute on one thread
    python examples/rubik/cube.py --out pictures    # also the five parts of which the stickers consist

``moves.toml`` declares the six quarter turns as permutations of the 48 stickers that move. From them alone come the order of the
group, all maps between tensors of stickers that commute with it, proved complete, and the isotypic parts of the stickers. What is
counted by hand beside it: the order is 8! 3^8 12! 2^12 / 12. Maps are orbits of tuples of stickers; in a tuple of up to four the
corners and edges can be moved and twisted freely, as those that are not in it make up for it. So a tuple is told by which of its
places are corners, which stickers share a piece, and how these lie on it: on a corner in 3 ways, on an edge in 2.

This group is no symmetry of a *solver*: a move makes another problem of a cube. What is one is to turn or mirror the whole cube:
the best move turns and mirrors with it. ``symmetry.toml`` declares these 48, on stickers, on colours and on the 12 quarter turns.
The network 288 -> 384 -> 12 with relu reads which colour is in which place, and gives each turn a score. It sees 600 cubes, up to
four turns from solved, with all turns that lead nearer, and is measured on the others, some 10,200. The ways differ in nothing
but what is done about its two layers:

    dense          nothing
    augmentation   all cubes turned or mirrored by a random element at each step
    penalty        rct.Penalty: loss + weight * ||W - P W||^2 / 2 of each layer
    soft           rct.soften: what is not equivariant is damped, to a mean gain that is the softness
    strict         rct.symmetrize: the coefficients of equivariant maps are learned

Same cubes, steps and optimiser (Adam, cosine). All but ``dense`` begin with ``rct.init_``: equivariant, with a tenth of something
else (strict: without). The step that is kept is the best of 400 cubes to choose by; so are rate, weight and softness, for
seed 10, which is not reported (``--tune``).

What is checked, and ends the run if it fails: all counts, those of the cubes 0, 1, 2, 3 and 4 turns from solved among them (1,
12, 114, 1068, 10011), that the 48 elements take turns to turns as is declared, and that the scores of a strict network whose
weights are rounded to multiples of 1/1024, so that all sums are exact, turn and mirror with the cube bit for bit.
"""

from __future__ import annotations

import argparse
import time
from functools import cache
from math import comb, factorial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

HERE = Path(__file__).resolve().parent
CUBE, SPEC = rc.load(HERE / "moves.toml"), rc.load(HERE / "symmetry.toml")
WAYS = ("dense", "augmentation", "penalty", "soft", "strict")
NAMES = ("U", "U'", "L", "L'", "F", "F'", "R", "R'", "B", "B'", "D", "D'")
COUNT, STEPS, EVERY, DEPTH = 600, 200, 20, 4
AMOUNTS = {"penalty": (0.1, 1.0, 10.0), "soft": (0.03, 0.1, 0.3)}  # to choose from: weights, softnesses
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
# Rate, and weight or softness, chosen with --tune.
CHOSEN = {"dense": (1e-3, 0.0), "augmentation": (3e-2, 0.0), "penalty": (3e-2, 0.1), "soft": (1e-2, 0.03), "strict": (3e-2, 0.0)}


class Cubes(NamedTuple):
    """Colours of the places (count, 48), turns from solved (count,), and which of the 12 turns lead nearer (count, 12)."""

    colours: np.ndarray
    depth: np.ndarray
    nearer: np.ndarray


class Result(NamedTuple):
    """Loss on the cubes to choose by; in percent wrong turns, and cubes solved in four; parameters, seconds, the network."""

    validation: float
    wrong: float
    solved: float
    count: int
    seconds: float
    model: nn.Module


def by_hand(m: int) -> int:
    """Orbits of m-tuples of stickers, m up to 4: which places are corners, which share a piece, how they lie on it."""

    @cache
    def one_kind(k: int, sides: int) -> int:
        # The piece of the first place has j more of the k places, each on one of its sides.
        return sum(comb(k - 1, j) * sides**j * one_kind(k - 1 - j, sides) for j in range(k)) if k else 1

    return sum(comb(m, k) * one_kind(k, 3) * one_kind(m - k, 2) for k in range(m + 1))


def check_group(names: list[str]) -> None:
    """Count the elements and the maps of ``moves.toml``."""
    order, counted = rc.order(CUBE.group), factorial(8) * 3**8 * factorial(12) * 2**12 // 12
    if order != counted:
        raise SystemExit(f"rubik: {order:,} elements, and {counted:,} by hand")
    print(f"{CUBE.group.name}: {order:,} elements, as counted by hand")
    for name in names:
        space = CUBE.maps[name]
        basis = rc.solve(space)
        tuples = by_hand({"pairs": 2, "triples": 3, "quadruples": 4}[name])
        if basis.dim != tuples or basis.certificate.status != "proved":
            raise SystemExit(f"rubik: {basis}, and {tuples} by hand")
        entries = space.shape[0] * space.shape[1]
        print(f"{space}: {entries:,} entries, {basis.dim} maps, {basis.certificate.status}; by hand {tuples}")
    print("the stickers are", rc.decompose(CUBE.group.rep))


def places(rep: rc.Rep, k: int) -> np.ndarray:
    """Where each component takes its value from under generator k of a permutation representation."""
    return (rep.matrix(k).to_numpy() @ np.arange(rep.dim)).astype(int)


def quarter_turns() -> np.ndarray:
    """For each of the 12 turns, (12, 48): a place takes its colour from which place? Checked against ``symmetry.toml``."""
    moves = [g for move in CUBE.group.rep.matrices for g in (move.to_numpy(), move.to_numpy().T)]
    for h, on_moves in zip(SPEC.group.rep.matrices, SPEC.reps["moves"].matrices, strict=True):
        whole, goes = h.to_numpy(), on_moves.to_numpy().argmax(0)
        if any(not np.array_equal(whole @ move @ whole.T, moves[goes[k]]) for k, move in enumerate(moves)):
            raise SystemExit("rubik: the cube as a whole does not take turns to turns as symmetry.toml says")
    return np.array([(move @ np.arange(48)).astype(int) for move in moves])


def near_solved(turns: np.ndarray) -> Cubes:
    """All cubes that are up to DEPTH turns from solved, breadth first."""
    solved = np.arange(48, dtype=np.int8) // 8
    depth, layers = {solved.tobytes(): 0}, [solved[None]]
    for d in range(1, DEPTH + 1):
        found = {x.tobytes(): x for x in layers[-1][:, turns].reshape(-1, 48)}
        layers.append(np.array([x for key, x in found.items() if key not in depth]))
        depth |= dict.fromkeys((x.tobytes() for x in layers[-1]), d)
    if [len(layer) for layer in layers] != [1, 12, 114, 1068, 10011][: DEPTH + 1]:
        raise SystemExit(f"rubik: {[len(layer) for layer in layers]} cubes are 0, 1, 2, ... turns from solved")
    colours, depths = np.concatenate(layers[1:]), np.repeat(np.arange(1, DEPTH + 1), [len(layer) for layer in layers[1:]])
    after = np.array([[depth.get(y.tobytes(), DEPTH + 1) for y in x[turns]] for x in colours])
    return Cubes(colours, depths, after < depths[:, None])


def encoded(colours: np.ndarray) -> Tensor:
    """(count, 48 * 6): 1 where a place has a colour."""
    return torch.from_numpy(np.eye(6, dtype=np.float32)[colours].reshape(len(colours), -1))


def loss_of(model: nn.Module, x: Tensor, nearer: Tensor) -> Tensor:
    """Cross entropy, all turns that lead nearer being as good."""
    return -(model(x).log_softmax(1) * nearer / nearer.sum(1, keepdim=True)).sum(1).mean()


def solve(model: nn.Module, colours: np.ndarray, turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make the turn with the largest score, DEPTH times or until solved: which are solved, and the turns made, -1 for none."""
    solved, made = np.arange(48) // 8, []
    for _ in range(DEPTH):
        done = (colours == solved).all(1)
        with torch.no_grad():
            best = model(encoded(colours)).argmax(1).numpy()
        made.append(np.where(done, -1, best))
        colours = np.where(done[:, None], colours, np.take_along_axis(colours, turns[best], 1))
    return (colours == solved).all(1), np.stack(made, 1)


def run(way: str, cubes: Cubes, turns: np.ndarray, seed: int, steps: int, setting: tuple[float, float] | None = None) -> Result:
    """One way, one seed; the setting is the rate, and the weight of the penalty or the softness."""
    rate, amount = setting or CHOSEN[way]
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    train, chosen, test = np.split(random.permutation(len(cubes.depth)), [COUNT, COUNT + 400])
    x, y, cx, cy = (t for rows in (train, chosen) for t in (encoded(cubes.colours[rows]), torch.from_numpy(cubes.nearer[rows])))
    model = nn.Sequential()
    for name, space in SPEC.maps.items():
        model.add_module(name, nn.Linear(space.domain.dim, space.codomain.dim))
        if way != "dense":
            rct.init_(model.get_submodule(name).weight, space, 0.0 if way == "strict" else 0.1)
            nn.init.zeros_(model.get_submodule(name).bias)
        if name == "first":
            model.add_module("relu", nn.ReLU())
    if way == "strict":
        rct.symmetrize(model, SPEC)
    if way == "soft":
        rct.soften(model, SPEC, softness=amount)
    penalty = rct.Penalty(model, SPEC, weight=amount) if way == "penalty" else None
    generators = [(places(SPEC.reps["state"], k), places(SPEC.reps["moves"], k)) for k in range(len(SPEC.group.rep.matrices))]
    optimiser = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    best, kept, begin = float("inf"), {}, time.process_time()
    for step in range(1, steps + 1):
        bx, by = x, y
        for k in random.integers(1 + len(generators), size=12) if way == "augmentation" else ():
            if k:  # a walk of up to 12 steps through the group; 0 stays
                on_x, on_y = generators[k - 1]
                bx, by = bx[:, on_x], by[:, on_y]
        loss = loss_of(model, bx, by)
        optimiser.zero_grad()
        (loss if penalty is None else loss + penalty()).backward()
        optimiser.step()
        schedule.step()
        if step % EVERY == 0 or step == steps:
            with torch.no_grad():
                error = float(loss_of(model, cx, cy))
            if error < best:
                best, kept = error, {name: value.clone() for name, value in model.state_dict().items()}
    seconds = time.process_time() - begin
    model.load_state_dict(kept)
    with torch.no_grad():
        said = model(encoded(cubes.colours[test])).argmax(1).numpy()
    wrong = 100 * float(1 - cubes.nearer[test, said].mean())
    solved = 100 * float(solve(model, cubes.colours[test], turns)[0].mean())
    return Result(best, wrong, solved, sum(p.numel() for p in model.parameters()), seconds, model)


def check(result: Result, colours: np.ndarray) -> None:
    """A strict network has no more parameters than maps, and is equivariant bit for bit where sums are exact."""
    maps = sum(rc.solve(hom).dim for space in SPEC.maps.values() for hom in (space, rc.trivial(SPEC.group) >> space.codomain))
    if result.count != maps:
        raise SystemExit(f"rubik: {result.count} parameters, and {maps} equivariant maps")
    model, x = rct.fold(result.model).double(), encoded(colours).double()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_((p * 1024).round() / 1024)
        # Layer by layer multiples of 2^-10 and 2^-20. Numbers below 2^33 of that kind fit the 53 bits of a float64.
        first, last = model.get_submodule("first"), model.get_submodule("last")
        largest = (x @ first.weight.abs().T + first.bias.abs()) @ last.weight.abs().T + last.bias.abs()
        if not largest.max() < 2**33:
            raise SystemExit("rubik: weights so large that the check would round")
        for k in range(len(SPEC.group.rep.matrices)):
            on_x, on_y = places(SPEC.reps["state"], k), places(SPEC.reps["moves"], k)
            if not torch.equal(model(x[:, on_x]), model(x)[:, on_y]):
                raise SystemExit("rubik: the scores of a strict network do not turn and mirror with the cube")


def tune(cubes: Cubes, turns: np.ndarray, steps: int) -> None:
    """Print the loss of seed 10 on the cubes to choose by, for rates and amounts."""
    for way in WAYS:
        choices = [(rate, amount) for rate in RATES for amount in AMOUNTS.get(way, (0.0,))]
        losses = {setting: run(way, cubes, turns, 10, steps, setting).validation for setting in choices}
        best = min(losses, key=lambda setting: losses[setting])
        print(f"{way}: best {best} of", "  ".join(f"{s}: {loss:.3f}" for s, loss in losses.items()), flush=True)


def unfolded(values: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """The 48 stickers and six middles as one looks at an unfolded cube, (9, 12), NaN where there is nothing."""
    net = np.full((9, 12), np.nan)
    for face, (row, column) in enumerate(((0, 3), (3, 0), (3, 3), (3, 6), (3, 9), (6, 3))):
        square = np.insert(values[8 * face : 8 * face + 8].astype(float), 4, middles[face])
        net[row : row + 3, column : column + 3] = square.reshape(3, 3)
    return net


def show(model: nn.Module, cubes: Cubes, turns: np.ndarray) -> None:
    """Print a cube that is as far as can be, and what the network does to it."""
    colours = cubes.colours[cubes.depth == DEPTH][-1]
    for line in unfolded(colours, np.arange(6)):
        print(("    " + " ".join(" " if np.isnan(c) else "ULFRBD"[int(c)] for c in line)).rstrip())
    solved, made = solve(model, colours[None], turns)
    print("    turns of the strict network:", *(NAMES[k] for k in made[0] if k >= 0), "- solved" if solved[0] else "- not solved")


def draw(path: Path) -> None:
    """A sticker of a corner and one of an edge, split into their isotypic parts."""
    from matplotlib.figure import Figure

    parts = list(rc.decompose(CUBE.group.rep))
    figure = Figure(figsize=(3 * len(parts), 5), layout="constrained")
    for sticker, axes in zip((0, 1), figure.subplots(2, len(parts)), strict=True):
        for ax, part in zip(axes, parts, strict=True):
            ax.imshow(unfolded(part.projector.to_numpy()[:, sticker], np.zeros(6)), cmap="RdBu_r", vmin=-0.5, vmax=0.5)
            ax.set_title(f"sticker {sticker} in {part.multiplicity} x {part.irrep.dim} {part.irrep.type}", fontsize=9)
            ax.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description="Rubik's cube, its group and a small solver; see the top of this file.")
    parser.add_argument("--maps", nargs="+", choices=CUBE.maps, default=list(CUBE.maps), help="of moves.toml")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, help="a folder for rubik.png")
    parser.add_argument("--tune", action="store_true", help="print what rates, weights and softnesses were chosen by")
    given = parser.parse_args(arguments)
    if given.steps < 1:
        parser.error("--steps takes 1 or more")
    torch.set_num_threads(1)  # small matrices: more threads would wait for each other
    turns = quarter_turns()
    cubes = near_solved(turns)
    if given.tune:
        tune(cubes, turns, given.steps)
        return
    check_group(given.maps)
    print(f"\n{COUNT} of {len(cubes.depth):,} cubes to learn from, seeds {', '.join(map(str, given.seeds))}, in percent")
    print(f"{'':14}{'wrong turns':20}{'solved in four':24}{'parameters':>10}{'CPU s':>7}")
    for way in given.ways:
        results = [run(way, cubes, turns, seed, given.steps) for seed in given.seeds]
        wrong, solved = ("  ".join(f"{getattr(r, name):4.1f}" for r in results) for name in ("wrong", "solved"))
        seconds = float(np.median([r.seconds for r in results]))
        print(f"{way:14}{wrong:20}{solved:24}{results[0].count:10,}{seconds:7.1f}", flush=True)
        if way == "strict":
            for result in results:
                check(result, cubes.colours[:1000])
            show(results[0].model, cubes, turns)
    if given.out is not None:
        draw(given.out / "rubik.png")
        print("wrote", given.out / "rubik.png")


if __name__ == "__main__":
    main()
