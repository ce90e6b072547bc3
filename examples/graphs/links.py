"""Who meets whom in Les Misérables? Hidden links of a real graph, found from eight people at a time.

    python examples/graphs/links.py             # five ways, seeds 0, 1, 2: about a minute on one thread
    python examples/graphs/links.py --ways dense strict

Networkx has the graph of the 77 characters of the novel; two are linked if they meet in a chapter. Of all 2,926 pairs 60 % are
seen, 20 % are hidden to choose by and 20 % to measure on. The question is always one pair: do these two meet? A network looks at
eight people, the two and others who are met on walks from them, and is told of each pair of these whether it is seen to meet,
seen not to meet, or hidden. As many pairs that meet are asked as pairs that do not.

The eight have no names and no order, so the symmetry is S_8, exactly. ``symmetry.toml`` declares what is known of pairs as
``sym(V, 2)``, symmetric 8 x 8 matrices. Of the 15 maps V*V >> V*V (the ways in which four places can be equal or not) those of
symmetric matrices leave 9; both numbers are counted by hand and checked. Relu acts on single entries, which S_8 only permutes.

The network is 72 -> 288 -> 288 -> 36 with relu, and the ways differ in nothing but what is done about its three layers:

    dense          nothing
    augmentation   the eight in another order at each step
    penalty        rct.Penalty: loss + weight * ||W - P W||^2 / 2 of each layer
    soft           rct.soften: what is not equivariant is damped, to a mean gain that is the softness
    strict         rct.symmetrize: the coefficients of equivariant maps are learned

Same questions, steps and optimiser (Adam, cosine). All but ``dense`` begin with ``rct.init_``: equivariant, with a tenth of
something else (strict: without). The step that is kept is the best of the questions to choose by; so are rate, weight and
softness, for seed 10, which is not reported (``--tune``). ``common friends`` is no network: it counts them, among the eight.

What is checked, and ends the run if it fails: the numbers above, and that the answers of a strict network whose weights are
rounded to multiples of 1/1024, so that all sums are exact, go with the people bit for bit.
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from pathlib import Path
from typing import NamedTuple

import networkx as nx
import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

SPEC = rc.load(Path(__file__).resolve().parent / "symmetry.toml")
WAYS = ("dense", "augmentation", "penalty", "soft", "strict")
PEOPLE, COUNT, STEPS, EVERY = 8, 300, 150, 15
I, J = np.triu_indices(PEOPLE)  # the pairs, in the order of the basis of sym(V, 2)
AMOUNTS = {"penalty": (0.1, 1.0, 10.0), "soft": (0.03, 0.1, 0.3)}  # to choose from: weights, softnesses
RATES = (1e-3, 3e-3)
# Rate, and weight or softness, chosen with --tune.
CHOSEN = {
    "dense": (1e-3, 0.0),
    "augmentation": (1e-3, 0.0),
    "penalty": (1e-3, 1.0),
    "soft": (1e-3, 0.1),
    "strict": (3e-3, 0.0),
}


class Data(NamedTuple):
    """Questions: what is seen (count, 2 * 36), whether the two meet (count,), which of the 36 pairs they are (count,)."""

    seen: Tensor
    meet: Tensor
    asked: Tensor


class Result(NamedTuple):
    """Loss on the questions to choose by, the area under the ROC curve in percent, parameters, seconds, the network."""

    validation: float
    area: float
    count: int
    seconds: float
    model: nn.Module


def people(graph: nx.Graph, pair: list[int], random: np.random.Generator) -> np.ndarray:
    """Both, and whom one meets on walks from them, in a random order; strangers if there is nobody left to meet."""
    found, here = list(pair), list(pair)
    while len(found) < PEOPLE:
        k, chance = int(random.integers(2)), random.random()
        near = sorted(graph[here[k]]) if chance < 0.75 else [pair[k]] if chance < 0.97 else sorted(graph)
        here[k] = int(random.choice(near or [pair[k]]))
        found += [here[k]] * (here[k] not in found)
    return random.permutation(found)


def make_task(seed: int) -> list[Data]:
    """Questions to learn from, to choose by and to measure on."""
    random = np.random.default_rng(seed)
    graph = nx.convert_node_labels_to_integers(nx.les_miserables_graph())
    pairs = np.array([(i, j) for i in graph for j in graph if i < j])
    meet = np.array([graph.has_edge(i, j) for i, j in pairs])
    part = random.choice(3, len(pairs), p=(0.6, 0.2, 0.2))
    known = np.zeros((2, len(graph), len(graph)), np.float32)  # seen to meet; seen not to meet
    for (i, j), met in zip(pairs[part == 0], meet[part == 0], strict=True):
        known[int(not met), [i, j], [j, i]] = 1
    found = []
    for number in range(3):
        kinds = [np.flatnonzero((part == number) & (meet == met)) for met in (True, False)]
        size = min(COUNT // 2, *map(len, kinds))
        chosen = np.concatenate([random.choice(kind, size, replace=False) for kind in kinds])
        rows = []
        for index in np.repeat(chosen, 1 if number == 0 else 4):
            seen = nx.from_numpy_array(known[0])
            seen.remove_edges_from([pairs[index]])  # a link that is asked for is not walked along
            who = people(seen, pairs[index].tolist(), random)
            i, j = sorted(int(np.flatnonzero(who == person)[0]) for person in pairs[index])
            asked = (i == I) & (j == J)
            rows.append(((known[:, who][:, :, who][:, I, J] * ~asked).ravel(), meet[index].astype(np.float32), asked.argmax()))
        found.append(Data(*(torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True))))
    return found


def moved(order: np.ndarray) -> np.ndarray:
    """For each pair of places the pair of people that come there: place i is taken by who was at order[i]."""
    number = np.zeros((PEOPLE, PEOPLE), int)
    number[I, J] = number[J, I] = np.arange(len(I))
    return number[order[I], order[J]]


def reordered(data: Data, order: np.ndarray) -> Data:
    """The same questions about people in another order."""
    pairs = torch.from_numpy(moved(order))
    return Data(data.seen.view(-1, 2, len(I))[:, :, pairs].flatten(1), data.meet, pairs.argsort()[data.asked])


def friends(data: Data) -> Tensor:
    """How many of the eight are seen to meet both."""
    seen = torch.zeros(len(data.seen), PEOPLE, PEOPLE)
    seen[:, I, J] = seen[:, J, I] = data.seen[:, : len(I)]
    return (seen @ seen)[torch.arange(len(seen)), torch.from_numpy(I)[data.asked], torch.from_numpy(J)[data.asked]]


def area(data: Data, scores: Tensor) -> float:
    """In percent: how often a pair that meets has a larger score than one that does not."""
    from sklearn.metrics import roc_auc_score

    return 100 * float(roc_auc_score(data.meet.numpy(), scores.numpy()))


def network() -> nn.Sequential:
    model = nn.Sequential()
    for name, space in SPEC.maps.items():
        model.add_module(name, nn.Linear(space.domain.dim, space.codomain.dim))
        if name != "last":
            model.add_module(f"relu after {name}", nn.ReLU())
    return model


def answers(model: nn.Module, data: Data) -> Tensor:
    """The score of the pair that is asked for, (count,)."""
    return model(data.seen).gather(1, data.asked[:, None])[:, 0]


def run(way: str, seed: int, steps: int, setting: tuple[float, float] | None = None) -> Result:
    """One way, one seed; the setting is the rate, and the weight of the penalty or the softness."""
    rate, amount = setting or CHOSEN[way]
    train, chosen, test = make_task(seed)
    torch.manual_seed(seed)
    random, model = np.random.default_rng(seed), network()
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
        data = reordered(train, random.permutation(PEOPLE)) if way == "augmentation" else train
        loss = nn.functional.binary_cross_entropy_with_logits(answers(model, data), data.meet)
        optimiser.zero_grad()
        (loss if penalty is None else loss + penalty()).backward()
        optimiser.step()
        schedule.step()
        if step % EVERY == 0 or step == steps:
            with torch.no_grad():
                error = float(nn.functional.binary_cross_entropy_with_logits(answers(model, chosen), chosen.meet))
            if error < best:
                best, kept = error, {name: value.clone() for name, value in model.state_dict().items()}
    seconds = time.process_time() - begin
    model.load_state_dict(kept)
    with torch.no_grad():
        return Result(best, area(test, answers(model, test)), sum(p.numel() for p in model.parameters()), seconds, model)


def check_counts() -> None:
    """dim V*V >> V*V and dim sym(V, 2) >> sym(V, 2) are the numbers of patterns of four places."""

    def pattern(places: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(places.index(place) for place in places)

    V, pairs = SPEC.group.rep, SPEC.reps["pairs"]
    four = set(map(pattern, product(range(4), repeat=4)))
    unordered = {min(pattern(p) for p in ((i, j, k, m), (j, i, k, m), (i, j, m, k), (j, i, m, k))) for i, j, k, m in four}
    for space, by_hand in ((V * V >> V * V, four), (pairs >> pairs, unordered)):
        basis = rc.solve(space)
        if basis.dim != len(by_hand) or basis.certificate.status != "proved":
            raise SystemExit(f"links: {basis}, and {len(by_hand)} by hand")
        print(
            f"{space}: {basis.shape[0]} x {basis.shape[1]}, {basis.dim} maps, {basis.certificate.status}; by hand {len(by_hand)}"
        )


def check(model: nn.Module, data: Data) -> None:
    """A strict network is equivariant bit for bit where sums are exact."""
    model = rct.fold(model).double()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_((p * 1024).round() / 1024)
        # Layer by layer multiples of 2^-10, 2^-20 and 2^-30. Numbers below 2^23 of that kind fit the 53 bits of a float64.
        largest = data.seen.double()
        for layer in (model.get_submodule(name) for name in SPEC.maps):
            largest = largest @ layer.weight.abs().T + layer.bias.abs()
        if not largest.max() < 2**23:
            raise SystemExit("links: weights so large that the check would round")
        for g in SPEC.group.rep.matrices:
            order = (g.to_numpy() @ np.arange(PEOPLE)).astype(int)
            if not torch.equal(model(reordered(data, order).seen.double()), model(data.seen.double())[:, moved(order)]):
                raise SystemExit("links: the answers of a strict network do not go with the people")


def tune(steps: int) -> None:
    """Print the loss of seed 10 on the questions to choose by, for rates and amounts."""
    for way in WAYS:
        choices = [(rate, amount) for rate in RATES for amount in AMOUNTS.get(way, (0.0,))]
        losses = {setting: run(way, 10, steps, setting).validation for setting in choices}
        best = min(losses, key=lambda setting: losses[setting])
        print(f"{way}: best {best} of", "  ".join(f"{s}: {loss:.3f}" for s, loss in losses.items()), flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description="Hidden links of a real graph; see the top of this file.")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--tune", action="store_true", help="print what rates, weights and softnesses were chosen by")
    given = parser.parse_args(arguments)
    if given.steps < 1:
        parser.error("--steps takes 1 or more")
    torch.set_num_threads(1)  # small matrices: more threads would wait for each other
    if given.tune:
        tune(given.steps)
        return
    check_counts()
    print(f"\nseeds {', '.join(map(str, given.seeds))}; guessing has an area of 50 %")
    print(f"{'':16}{'area under the ROC curve in %':32}{'parameters':>10}{'CPU s':>9}")
    tests = [make_task(seed)[2] for seed in given.seeds]
    print(f"{'common friends':16}" + "  ".join(f"{area(data, friends(data)):4.1f}" for data in tests))
    for way in given.ways:
        results = [run(way, seed, given.steps) for seed in given.seeds]
        figures = "  ".join(f"{r.area:4.1f}" for r in results)
        print(f"{way:16}{figures:32}{results[0].count:10,}{np.median([r.seconds for r in results]):9.1f}", flush=True)
        if way == "strict":
            for result, data in zip(results, tests, strict=True):
                check(result.model, data)


if __name__ == "__main__":
    main()
