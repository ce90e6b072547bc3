"""Two lines of surgery on an ordinary network: digits that were learned upright are read however they are turned.

    python examples/surgery/digits.py                   # both networks, three seeds: some three minutes on one thread
    python examples/surgery/digits.py --seeds 1 --epochs 2 --networks cnn

The data are the 1,797 real 8 x 8 images inside scikit-learn, trained on upright. Each network is trained twice from one seed,
with the same data, batches, optimiser and steps: as it is, and after the surgery below. Pixels are doubled less one, to
15 x 15: convolutions with stride 2 keep turns on grids with an odd number of cells only, and 15 -> 8 would be the last.

What is checked, and ends the run if it fails: the symmetrised networks, the plain networks that they fold to and the programs
that torch.export makes of those give a turned digit the scores of the upright one, to rounding.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

C4 = rc.cyclic(4)  # quarter turns; mirrored digits are other signs
BATCH = 64
EPOCHS = {"cnn": 30, "vit": 50}
PROMISED = 1e-5  # relative error of float32 sums


class CNN(nn.Module):
    """Convolutions with batch norm, one of stride 2, the mean over cells, a linear head. It knows nothing of symmetry."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3, padding=1, stride=2), nn.BatchNorm2d(64)
        self.conv3, self.bn3 = nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64)
        self.conv4, self.bn4 = nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B, 10) of images (B, 1, n, n)."""
        for conv, bn in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3), (self.conv4, self.bn4)):
            x = torch.relu(bn(conv(x)))
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
    "cnn": (
        CNN,
        {
            "conv1": "1 >> 8*regular",
            "conv2": "8*regular >> 16*regular",
            "conv[34]": "16*regular >> 16*regular",
            "bn1": "8*regular",
            "bn[234]": "16*regular",
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


def load_digits() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """1,347 digits to train on and 450 to measure on, (count, 1, 15, 15), with mean 0."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    x, y = datasets.load_digits(return_X_y=True)
    small = torch.tensor(x / 8 - 0.6, dtype=torch.float32).reshape(-1, 1, 8, 8)
    images = nn.functional.interpolate(small, size=15, mode="bilinear", align_corners=True).numpy()
    parts = train_test_split(images, y, test_size=450, stratify=y, random_state=0)
    train, test, train_y, test_y = (torch.tensor(part) for part in parts)
    return (train, train_y), (test, test_y)


def train(model: nn.Module, data: tuple[Tensor, Tensor], epochs: int, seed: int) -> float:
    """Train with AdamW and a one-cycle schedule; seconds."""
    images, labels = data
    per_epoch = len(images) // BATCH
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=epochs * per_epoch)
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
def measure(model: Any, data: tuple[Tensor, Tensor]) -> tuple[float, float, float]:
    """Accuracies upright and turned, in percent, and the largest relative change of the scores under a turn."""
    images, labels = data
    scores = [model(images.rot90(k, (2, 3))) for k in range(4)]
    hits = [100 * float((s.argmax(1) == labels).float().mean()) for s in scores]
    error = max(float((s - scores[0]).norm() / scores[0].norm()) for s in scores)
    return hits[0], sum(hits[1:]) / 3, error


def check(what: str, error: float) -> None:
    if not error < PROMISED:
        raise SystemExit(f"{what}: scores differ by {error:.1e}, and rounding explains {PROMISED:.0e}")


def run(name: str, epochs: int, seed: int, data: Any) -> dict[str, tuple[Any, ...]]:
    """Train one network as it is and symmetrised, from one seed."""
    make, rules = NETWORKS[name]
    rows = {}
    for kind in ("plain", "symmetrised"):
        torch.manual_seed(seed)
        model = make()
        if kind == "symmetrised":
            # The surgery: rules, which are above, and this call; "rescale" because projected random weights are small.
            model = rct.symmetrize(model, rules, symmetry=C4, start="rescale")
        seconds = train(model, data[0], epochs, seed)
        rows[kind] = (*measure(model, data[1]), sum(p.numel() for p in model.parameters()), seconds)
    check(f"{name}, symmetrised", rows["symmetrised"][2])

    folded = rct.fold(model)
    check(f"{name}, folded", measure(folded, data[1])[2])
    program = torch.export.export(folded, (data[1][0],)).module()
    check(f"{name}, exported", measure(program, data[1])[2])
    with torch.no_grad():
        check(f"{name}, exported against trained", float((program(data[1][0]) - model(data[1][0])).norm()) / 450)
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Plain and symmetrised networks on turned digits; see the top of this file.")
    parser.add_argument("--epochs", type=int, help=f"default: {EPOCHS}")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    given = parser.parse_args(arguments)
    if given.seeds < 1 or (given.epochs is not None and given.epochs < 1):
        parser.error("--epochs and --seeds take 1 or more")
    torch.set_num_threads(1)  # small matrices: more threads would wait for each other
    data = load_digits()
    for name in given.networks:
        make, rules = NETWORKS[name]
        print(rct.symmetrize(make(), rules, symmetry=C4, dry_run=True), end="\n\n")
    print("network  weights      seed  upright %  turned %  change of scores  learned  training")
    for name in given.networks:
        for seed in range(given.seeds):
            for kind, (upright, turned, error, count, seconds) in run(name, given.epochs or EPOCHS[name], seed, data).items():
                figures = f"{upright:9.1f}  {turned:8.1f}  {error:16.1e}  {count:7,}  {seconds:6.1f} s"
                print(f"{name:7}  {kind:11}  {seed:4}  {figures}", flush=True)
    print("folded and exported: plain layers, the same scores")


if __name__ == "__main__":
    main()
