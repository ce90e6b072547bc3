"""One dial from strict to free on pretrained networks: digits that were learned upright are fine-tuned on turned ones.

    python examples/softness/digits.py                  # both networks, seeds 0, 1, 2: some ten minutes on one thread
    python examples/softness/digits.py --networks resnet --seeds 1 --steps 20 --out softness.png
    python examples/softness/digits.py --tune           # how rates between the ends were chosen; looks at no test data

The data are the 1,797 real 8 x 8 images inside scikit-learn: 800 to learn from, 297 to choose by, 700 to test on. A network
is pretrained on the upright digits; then its weights are softened for the quarter turns, in one call, and it is fine-tuned on
400 of them as they come in, three in ten turned to the left. So the symmetry is nearly right and there is little to learn it
from, and yet what is never seen is worth knowing: no digit stands on its head, so that a 6 is no 9. At softness 0 every layer
is exactly equivariant; at 1 fine-tuning is what it always was.

For each seed strict, free and what lies between have four attempts each, of which accuracy on validation data takes one: strict
and free at four rates, soft at four softnesses. Those three are measured on the test data. Every image is read in
all four turns, and each turn counts with its probability, so that an accuracy is the expected one and not that of one draw.
The error is the root mean square distance of the scores of an image in its four turns from their mean, relative to the size of
the scores.

What is checked, and ends the run if it fails: at softness 0 that error is rounding; at softness 1 the model is bit by bit the
pretrained one before fine-tuning; and the plain model that comes out in the end gives the same scores. How long its forward
pass takes is printed, beside that of the pretrained model.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

C4 = rc.cyclic(4)
PRETRAINING = 200, 64, 5e-3  # steps, images a step, rate
CHANCES = np.array([0.7, 0.3, 0.0, 0.0])  # of no turn, and of one, two and three quarter turns to the left
SAMPLES, STEPS, BATCH = 400, 400, 32  # of fine-tuning
RATES = (5e-3, 1e-2, 2e-2, 4e-2)
DEVELOPMENT = (10, 11)  # the seeds of --tune; they are not reported
PROMISED = 1e-4  # relative error of float32 sums through a network


class ResNet(nn.Module):
    """Two residual blocks with group norms, the mean over cells, a linear head. It knows nothing of symmetry."""

    rules: ClassVar = {
        "stem": "1 >> 4*regular",
        "a?": "4*regular >> 4*regular",
        "down": "4*regular >> 8*regular",
        "b?": "8*regular >> 8*regular",
        "n?": "4*regular",
        "m?": "8*regular",
        "head": "8*regular >> 10*1",
    }

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.n0 = nn.Conv2d(1, 16, 3, padding=1), nn.GroupNorm(4, 16)
        self.a1, self.n1 = nn.Conv2d(16, 16, 3, padding=1), nn.GroupNorm(4, 16)
        self.a2, self.n2 = nn.Conv2d(16, 16, 3, padding=1), nn.GroupNorm(4, 16)
        self.down, self.m0 = nn.Conv2d(16, 32, 3, padding=1), nn.GroupNorm(4, 32)
        self.b1, self.m1 = nn.Conv2d(32, 32, 3, padding=1), nn.GroupNorm(4, 32)
        self.b2, self.m2 = nn.Conv2d(32, 32, 3, padding=1), nn.GroupNorm(4, 32)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B, 10) of images (B, 1, n, n), n even."""
        x = torch.relu(self.n0(self.stem(x)))
        x = torch.relu(x + self.n2(self.a2(torch.relu(self.n1(self.a1(x))))))
        x = torch.relu(self.m0(self.down(nn.functional.avg_pool2d(x, 2))))
        x = torch.relu(x + self.m2(self.b2(torch.relu(self.m1(self.b1(x))))))
        return self.head(x.mean((2, 3)))


class ViT(nn.Module):
    """Patches of 2 x 2, positions that are learned, blocks of attention and gelu, the mean over tokens, a linear head."""

    rules: ClassVar = {
        "patches": "1 >> 8*regular",
        "positions": "grid(4) >> 8*regular",
        "blocks.*.self_attn": "8*regular >> 8*regular",
        "blocks.*.linear1": "8*regular >> 16*regular",
        "blocks.*.linear2": "16*regular >> 8*regular",
        "blocks.*.norm?": "8*regular",
        "head": "8*regular >> 10*1",
    }

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 32, 2, stride=2)
        self.positions = nn.Parameter(0.2 * torch.randn(1, 16, 32))
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(32, 4, 64, 0.0, "gelu", batch_first=True) for _ in range(2))
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B, 10) of images (B, 1, 8, 8)."""
        x = self.patches(x).flatten(2).mT + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(1))


@dataclass(frozen=True)
class Setting:
    """What was chosen for a network, on validation data and development seeds.

    Attributes:
        network: the class, with its ``rules``.
        rates: for each softness of the dial the rates of fine-tuning that are tried.
    """

    network: Any
    rates: dict[float, tuple[float, ...]]


SETTINGS = {
    "resnet": Setting(ResNet, {0.0: RATES, 0.03: (1e-2,), 0.06: (2e-2,), 0.12: (1e-2,), 0.3: (1e-2,), 1.0: RATES}),
    "vit": Setting(ViT, {0.0: RATES, 0.03: (2e-2,), 0.06: (2e-2,), 0.12: (2e-2,), 0.3: (2e-2,), 1.0: RATES}),
}


class Data(NamedTuple):
    """Images and what they show."""

    images: Tensor  # (count, 1, 8, 8)
    labels: Tensor


class Digits(NamedTuple):
    """To train on, to choose by, and to report."""

    learn: Data
    choose: Data
    test: Data


class Found(NamedTuple):
    """What was measured."""

    error: float
    accuracy: float  # percent


def load_digits() -> Digits:
    """800, 297 and 700 digits, with mean about 0; the same ones for every seed."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    x, y = datasets.load_digits(return_X_y=True)
    images = (x / 8 - 0.6).astype(np.float32).reshape(-1, 1, 8, 8)
    rest, test, rest_y, test_y = train_test_split(images, y, test_size=700, stratify=y, random_state=0)
    learn, choose, learn_y, choose_y = train_test_split(rest, rest_y, test_size=297, stratify=rest_y, random_state=0)
    parts = ((learn, learn_y), (choose, choose_y), (test, test_y))
    return Digits(*(Data(torch.tensor(a), torch.tensor(b)) for a, b in parts))


def incoming(data: Data, seed: int) -> Data:
    """Some of the images, each turned once and for all."""
    some = torch.tensor(np.random.default_rng(1000 + seed).permutation(len(data.images))[:SAMPLES])
    turns = torch.tensor(np.random.default_rng(seed).choice(4, SAMPLES, p=CHANCES))
    rotated = torch.stack([data.images[some].rot90(k, (2, 3)) for k in range(4)])
    return Data(rotated[turns, torch.arange(SAMPLES)], data.labels[some])


def train(model: nn.Module, data: Data, steps: int, batch: int, rate: float, seed: int) -> None:
    """Train with AdamW and a one-cycle schedule."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, cycle_momentum=False)
    random, left = np.random.default_rng(seed), np.array([], int)
    model.train()
    for _ in range(steps):
        if len(left) < batch:
            left = random.permutation(len(data.images))
        now, left = torch.tensor(left[:batch]), left[batch:]
        loss = nn.functional.cross_entropy(model(data.images[now]), data.labels[now])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    model.eval()


@torch.no_grad()
def measure(model: nn.Module, data: Data) -> Found:
    """The error, and the expected accuracy in percent."""
    scores = torch.stack([model(data.images.rot90(k, (2, 3))) for k in range(4)])
    error = ((scores - scores.mean(0)).square().sum() / scores.square().sum()).sqrt()
    accuracy = (scores.argmax(2) == data.labels).double().mean(1).numpy() @ CHANCES
    return Found(float(error), 100 * float(accuracy))


def check(what: str, error: float) -> None:
    if not error < PROMISED:
        raise SystemExit(f"{what}: scores differ by {error:.1e}, and rounding explains {PROMISED:.0e}")


def pretrain(setting: Setting, data: Data, seed: int) -> nn.Module:
    """A network that has learned the upright digits."""
    torch.manual_seed(seed)
    model = setting.network()
    train(model, data, *PRETRAINING, seed)
    return model


def fine_tune(rules: Any, pretrained: nn.Module, softness: float, rate: float, steps: int, data: Data, seed: int) -> nn.Module:
    """A softened copy of a pretrained network, trained on digits as they come in."""
    model = copy.deepcopy(pretrained)
    rct.soften(model, rules, symmetry=C4, softness=softness, start="rescale")
    few = data.images[:64]
    with torch.no_grad():
        if softness == 1 and not torch.equal(model(few), pretrained(few)):
            raise SystemExit("at softness 1 the softened model is not the model that it was")
    train(model, incoming(data, seed), steps, BATCH, rate, seed)
    return model


@torch.no_grad()
def exported(model: nn.Module, pretrained: nn.Module, images: Tensor) -> tuple[nn.Module, float]:
    """The plain model, after a check, and its forward time over that of the pretrained one: least of many, taken in turns."""
    plain, scores = rct.fold(model).eval(), model(images)
    check("folded", float((plain(images) - scores).norm() / scores.norm()))
    least = {"plain": float("inf"), "pretrained": float("inf")}
    for _ in range(30):
        for name, each in (("plain", plain), ("pretrained", pretrained)):
            begin = time.perf_counter()
            each(images)
            least[name] = min(least[name], time.perf_counter() - begin)
    return plain, least["plain"] / least["pretrained"]


def rank(found: Found) -> tuple[float, float]:
    """What decides between attempts, on validation data: the accuracy; of several that have it, the least error."""
    return found.accuracy, -found.error


def report(name: str, dial: Sequence[float], seeds: int, steps: int, digits: Digits) -> rc.SoftnessCurve:
    """Fine-tune at every softness and seed; print a table and the chosen points, and give the curve of the test figures."""
    setting = SETTINGS[name]
    runs: list[tuple[float, float, float]] = []
    lines: list[str] = []
    for seed in range(seeds):
        pretrained = pretrain(setting, digits.learn, seed)
        tested: dict[float, Found] = {}
        soft: tuple[float, Found] | None = None
        ratios: list[float] = []
        for softness in dial:
            begin = time.perf_counter()
            attempts: list[tuple[Found, float, nn.Module]] = []
            for rate in setting.rates[min(setting.rates, key=lambda s: abs(s - softness))]:
                model = fine_tune(setting.network.rules, pretrained, softness, rate, steps, digits.learn, seed)
                plain, ratio = exported(model, pretrained, digits.choose.images[:64])
                ratios.append(ratio)
                attempts.append((measure(plain, digits.choose), rate, plain))
            validated, rate, plain = max(attempts, key=lambda attempt: rank(attempt[0]))
            error, accuracy = tested[softness] = measure(plain, digits.test)
            if softness == 0:
                check(f"{name}, strict", error)
            if 0 < softness < 1 and (soft is None or rank(validated) > rank(soft[1])):
                soft = softness, validated
            runs.append((softness, error, accuracy))
            print(
                f"{name:6}  {softness:8}  {seed:4}  {error:8.1e}  {accuracy:6.2f} %  validation {validated.accuracy:6.2f} % "
                f"at rate {rate:g}  {time.perf_counter() - begin:5.1f} s",
                flush=True,
            )
        named = [("strict", 0.0), *([(f"soft {soft[0]:g}", soft[0])] if soft else []), ("free", 1.0)]
        texts = [f"{what} {tested[s].accuracy:.2f} % at error {tested[s].error:.3f}" for what, s in named if s in tested]
        lines.append(f"{name}, seed {seed}: {'; '.join(texts)}; forward after export {np.median(ratios):.2f} x")
    curve = rc.softness_curve(runs, title=f"{name}, turned digits")
    print(curve, *lines, sep="\n", end="\n\n", flush=True)
    return curve


def tune(name: str, dial: Sequence[float], steps: int, digits: Digits) -> None:
    """Print the mean validation accuracy over the development seeds for each softness and rate."""
    setting = SETTINGS[name]
    print(f"{name}: validation accuracy in percent, mean of seeds {list(DEVELOPMENT)}\nsoftness  " + "  ".join(map(str, RATES)))
    pretrained = {seed: pretrain(setting, digits.learn, seed) for seed in DEVELOPMENT}
    for softness in dial:
        means: list[str] = []
        for rate in RATES:
            found: list[float] = []
            for seed, begun in pretrained.items():
                model = fine_tune(setting.network.rules, begun, softness, rate, steps, digits.learn, seed)
                found.append(measure(model, digits.choose).accuracy)
            means.append(f"{np.mean(found):.2f}")
        print(f"{softness:<8}  " + "  ".join(means), flush=True)


def main(arguments: list[str] | None = None) -> list[rc.SoftnessCurve]:
    parser = argparse.ArgumentParser(description="From strict to free on digits that are turned; see the top of this file.")
    parser.add_argument("--steps", type=int, default=STEPS, help="of fine-tuning")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--networks", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--softness", nargs="+", type=float, help="the points of the dial; default: those that were tuned")
    parser.add_argument("--tune", action="store_true", help="compare rates on validation data instead")
    parser.add_argument("--out", help="write the picture of the last network there")
    given = parser.parse_args(arguments)
    if given.seeds < 1 or given.steps < 10:
        parser.error("--seeds takes 1 or more, --steps 10 or more")
    torch.set_num_threads(1)  # small matrices: more threads would wait for each other
    digits = load_digits()
    curves: list[rc.SoftnessCurve] = []
    for name in given.networks:
        dial = sorted(given.softness or SETTINGS[name].rates)
        if given.tune:
            tune(name, dial, given.steps, digits)
        else:
            curves.append(report(name, dial, given.seeds, given.steps, digits))
    if given.out and curves:
        curves[-1].plot().figure.savefig(given.out)
    return curves


if __name__ == "__main__":
    main()
