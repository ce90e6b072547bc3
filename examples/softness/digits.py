"""One dial from strict to free on pretrained networks: digits that were learned upright are fine-tuned on turned ones.

    python examples/softness/digits.py                  # both networks, three seeds, six softnesses: some minutes on one thread
    python examples/softness/digits.py --networks resnet --seeds 1 --epochs 2 --out softness.png

The data are the 1,797 real 8 x 8 images inside scikit-learn. A network is pretrained on upright digits; then its weights are
softened for the quarter turns, in one call, and it is fine-tuned on digits of which some are turned, by 90, 180 or 270 degrees:
half of them for the ResNet, one in five for the transformer. So the symmetry is nearly right, and what way up is likely is
worth knowing too. At softness 0 every layer is exactly equivariant, and next to nothing of the pretrained weights is; at 1
fine-tuning is what it always was.

For each softness: the accuracy on turned test digits, and the error, the root mean square change of the scores under a quarter
turn relative to their size. What is checked, and ends the run if it fails: at softness 0 that error is rounding; at softness 1
the model is bit by bit the pretrained one before fine-tuning; and the plain model that comes out in the end gives the same
scores.
"""

from __future__ import annotations

import argparse
import copy
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

C4 = rc.cyclic(4)
BATCH = 64
EPOCHS = {"resnet": (12, 12), "vit": (30, 20)}  # pretraining, fine-tuning
SOFTNESS = (0.0, 0.05, 0.15, 0.3, 0.6, 1.0)
UPRIGHT = {"resnet": 0.5, "vit": 0.8}  # the share of digits that are not turned
PROMISED = 1e-4  # relative error of float32 sums through a network


class ResNet(nn.Module):
    """Two residual blocks with group norms, the mean over cells, a linear head. It knows nothing of symmetry."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.n0 = nn.Conv2d(1, 32, 3, padding=1), nn.GroupNorm(8, 32)
        self.a1, self.n1 = nn.Conv2d(32, 32, 3, padding=1), nn.GroupNorm(8, 32)
        self.a2, self.n2 = nn.Conv2d(32, 32, 3, padding=1), nn.GroupNorm(8, 32)
        self.down, self.m0 = nn.Conv2d(32, 64, 3, padding=1, stride=2), nn.GroupNorm(16, 64)
        self.b1, self.m1 = nn.Conv2d(64, 64, 3, padding=1), nn.GroupNorm(16, 64)
        self.b2, self.m2 = nn.Conv2d(64, 64, 3, padding=1), nn.GroupNorm(16, 64)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B, 10) of images (B, 1, n, n)."""
        x = torch.relu(self.n0(self.stem(x)))
        x = torch.relu(x + self.n2(self.a2(torch.relu(self.n1(self.a1(x))))))
        x = torch.relu(self.m0(self.down(x)))
        x = torch.relu(x + self.m2(self.b2(torch.relu(self.m1(self.b1(x))))))
        return self.head(x.mean((2, 3)))


class ViT(nn.Module):
    """Patches of 3 x 3, positions that are learned, blocks of attention and gelu, the mean over tokens, a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 64, 3, stride=3)
        self.positions = nn.Parameter(0.2 * torch.randn(1, 25, 64))
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(64, 4, 128, 0.0, "gelu", batch_first=True) for _ in range(2))
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B, 10) of images (B, 1, 15, 15)."""
        x = self.patches(x).flatten(2).mT + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(1))


NETWORKS: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "resnet": (
        ResNet,
        {
            "stem": "1 >> 8*regular",
            "a?": "8*regular >> 8*regular",
            "down": "8*regular >> 16*regular",
            "b?": "16*regular >> 16*regular",
            "n?": "8*regular",
            "m?": "16*regular",
            "head": "16*regular >> 10*1",
        },
    ),
    "vit": (
        ViT,
        {
            "patches": "1 >> 16*regular",
            "positions": "grid(5) >> 16*regular",
            "blocks.*.self_attn": "16*regular >> 16*regular",
            "blocks.*.linear1": "16*regular >> 32*regular",
            "blocks.*.linear2": "32*regular >> 16*regular",
            "blocks.*.norm?": "16*regular",
            "head": "16*regular >> 10*1",
        },
    ),
}

Data = tuple[Tensor, Tensor]


def load_digits() -> tuple[Data, Data]:
    """1,347 digits to train on and 450 to measure on, (count, 1, 15, 15), with mean 0."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    x, y = datasets.load_digits(return_X_y=True)
    small = torch.tensor(x / 8 - 0.6, dtype=torch.float32).reshape(-1, 1, 8, 8)
    images = nn.functional.interpolate(small, size=15, mode="bilinear", align_corners=True).numpy()
    parts = train_test_split(images, y, test_size=450, stratify=y, random_state=0)
    train, test, train_y, test_y = (torch.tensor(part) for part in parts)
    return (train, train_y), (test, test_y)


def turned(data: Data, upright: float, seed: int) -> Data:
    """Each image turned once and for all, by a quarter turn, two or three, but for a share that stays upright."""
    images, labels = data
    turns = torch.tensor(np.random.default_rng(seed).choice(4, len(images), p=[upright, *[(1 - upright) / 3] * 3]))
    rotated = torch.stack([images.rot90(k, (2, 3)) for k in range(4)])
    return rotated[turns, torch.arange(len(images))], labels


def train(model: nn.Module, data: Data, epochs: int, rate: float, seed: int) -> float:
    """Train with AdamW and a one-cycle schedule; seconds."""
    images, labels = data
    per_epoch = len(images) // BATCH
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * per_epoch)
    random, begin = np.random.default_rng(seed), time.perf_counter()
    model.train()
    for _ in range(epochs):
        for batch in torch.tensor(random.permutation(len(images))[: per_epoch * BATCH]).view(per_epoch, BATCH):
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    model.eval()
    return time.perf_counter() - begin


@torch.no_grad()
def measure(model: nn.Module, data: Data) -> tuple[float, float]:
    """The error, and the accuracy in percent."""
    images, labels = data
    scores = [model(images.rot90(k, (2, 3))) for k in range(4)]
    change = torch.stack([(s - scores[0]).norm() for s in scores[1:]]).square().mean().sqrt() / scores[0].norm()
    return float(change), 100 * float((scores[0].argmax(1) == labels).float().mean())


def check(what: str, error: float) -> None:
    if not error < PROMISED:
        raise SystemExit(f"{what}: scores differ by {error:.1e}, and rounding explains {PROMISED:.0e}")


def run(
    name: str, pretrained: nn.Module, softness: float, profile: str, epochs: int, seed: int, data: tuple[Data, Data]
) -> tuple[float, float]:
    """Soften a pretrained network, fine-tune it, and measure it: error and accuracy."""
    model = copy.deepcopy(pretrained)
    rct.soften(model, NETWORKS[name][1], symmetry=C4, softness=softness, profile=profile, start="rescale")
    if softness == 1:
        with torch.no_grad():
            if not torch.equal(model(data[1][0]), pretrained(data[1][0])):
                raise SystemExit(f"{name}: at softness 1 the softened model is not the model that it was")
    train(model, data[0], epochs, 2e-3, seed)
    found = measure(model, data[1])
    if softness == 0:
        check(f"{name}, strict", found[0])
    with torch.no_grad():
        scores = model(data[1][0])
        check(f"{name}, folded", float((rct.fold(model)(data[1][0]) - scores).norm() / scores.norm()))
    return found


def main(arguments: list[str] | None = None) -> list[rc.SoftnessCurve]:
    parser = argparse.ArgumentParser(description="From strict to free on digits that are turned; see the top of this file.")
    parser.add_argument("--epochs", type=int, help=f"of pretraining and of fine-tuning; default: {EPOCHS}")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--softness", nargs="+", type=float, default=list(SOFTNESS))
    parser.add_argument("--profile", default="heat", choices=("heat", "tikhonov", "cutoff", "blend"))
    parser.add_argument("--out", help="write the picture of the last network there")
    given = parser.parse_args(arguments)
    if given.seeds < 1 or (given.epochs is not None and given.epochs < 1):
        parser.error("--epochs and --seeds take 1 or more")
    torch.set_num_threads(1)  # small matrices: more threads would wait for each other
    train_data, test_data = load_digits()
    curves: list[rc.SoftnessCurve] = []
    for name in given.networks:
        first, second = EPOCHS[name] if given.epochs is None else (given.epochs, given.epochs)
        found: list[tuple[float, float, float]] = []
        for seed in range(given.seeds):
            torch.manual_seed(seed)
            pretrained = NETWORKS[name][0]()
            train(pretrained, train_data, first, 3e-3, seed)
            upright = measure(pretrained, test_data)
            data = turned(train_data, UPRIGHT[name], seed), turned(test_data, UPRIGHT[name], 100 + seed)
            before = measure(pretrained, data[1])
            print(f"{name}, seed {seed}: pretrained {upright[1]:.1f} % upright, {before[1]:.1f} % turned", flush=True)
            for softness in given.softness:
                begin = time.perf_counter()
                error, accuracy = run(name, pretrained, softness, given.profile, second, seed, data)
                seconds = time.perf_counter() - begin
                print(f"{name:6}  {softness:8}  {seed:4}  {error:8.1e}  {accuracy:6.1f} %  {seconds:5.1f} s", flush=True)
                found.append((softness, error, accuracy))
        curve = rc.softness_curve(found, title=name)
        print(curve, end="\n\n")
        curves.append(curve)
    if given.out:
        curves[-1].plot().figure.savefig(given.out)
    return curves


if __name__ == "__main__":
    main()
