"""Streaks in computed tomography: a network that takes them away, and what knowing the symmetry of the square is worth.

    python examples/tomography/experiment.py                  # both tasks, seeds 0, 1, 2: some two minutes on one thread
    python examples/tomography/experiment.py --out pictures   # also test images, before and after

From few projections, filtered backprojection makes images with streaks. A small network learns to take them away. The images are
49 x 49 pieces of the pictures inside scikit-image, shown in a disc; nothing is downloaded. Projections and backprojection are
``skimage.transform.radon`` and ``iradon``, from twelve angles.

In the task ``symmetric`` these are 0, 15, ..., 165 degrees. A quarter turn adds 90 degrees to the angle of a projection, and a
reflection changes its sign; 180 degrees more is the same projection backwards. So D4 maps these angles to themselves, which takes
an even number of them; and the images have an odd number of pixels a side, so that the axis is the centre of one. What tomography
does to an image then commutes with D4, to rounding. That pictures have an up and a down is another matter, and part of what is
measured.

In the task ``broken`` the angles are 0, 10, ..., 110 degrees, and of D4 only the half turn maps them to themselves. Streaks then
have directions of their own, which a network that is strictly equivariant cannot tell from those across. The script says how far
each task is from symmetric.

The network adds to the image what four convolutions of 3 x 3 make of it, with 16 channels, dilations 1, 2, 4, 1 and relu between
them. Read as two regular fields of D4, channels are permuted by the group, so that relu commutes with it, and the network is
equivariant if its kernels are. The ways differ in nothing but what is done about these:

    dense          nothing
    augmentation   each image turned and reflected at random
    penalty N      rct.Penalty: loss + weight * N(W - P W) of each kernel, for a norm N
    strict         rct.symmetrize: the coefficients of equivariant kernels are learned

Same pieces, batches, steps, optimiser (Adam, cosine). All but ``dense`` begin with ``rct.init_``: equivariant, with a tenth of
something else (strict: without). Three pictures to learn from; three others to choose the weights of the penalties by, among
powers of ten (``--tune``, seeds 10 and 11, which are not reported); eight others to measure on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage import color, data, metrics, transform, util
from torch import Tensor, nn

import repcore as rc
import repcore_torch as rct

D4 = rc.dihedral(4)
ONE, FIELDS = rc.trivial(D4), 2 * rc.regular(D4)
RULES = {"0": ONE >> FIELDS, "2": FIELDS >> FIELDS, "4": FIELDS >> FIELDS, "6": FIELDS >> ONE}
DILATIONS = (1, 2, 4, 1)
NORMS: dict[str, Any] = {n: n for n in ("fro", "fro2", "spectral", "nuclear")} | {"(2, 1)": (2, 1), "inf": "inf"}
WAYS = ("dense", "augmentation", *(f"penalty {name}" for name in NORMS), "strict")
SHOWN = ("dense", "augmentation", "penalty fro", "strict")  # in the pictures
TASKS = {"symmetric": WAYS, "broken": ("dense", "augmentation", "penalty fro", "penalty fro2", "strict")}
ANGLES = {"symmetric": 15.0 * np.arange(12), "broken": 10.0 * np.arange(12)}
WEIGHTS = {  # of the penalties: see --tune
    "symmetric": {"fro": 1e-3, "fro2": 1e-2, "spectral": 1e-2, "nuclear": 1e-3, "(2, 1)": 1e-4, "inf": 1e-2},
    "broken": {"fro": 1e-3, "fro2": 1e-1},
}
CHOICES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
TRAIN = ("brick", "camera", "page")
VALIDATION = ("coffee", "rocket", "gravel")
TEST = ("astronaut", "cell", "chelsea", "coins", "immunohistochemistry", "moon", "retina", "shepp_logan_phantom")
SIDE, PIECES, STEPS, BATCH, RATE = 49, 4, 400, 4, 5e-3
DISC = np.hypot(*np.mgrid[:SIDE, :SIDE] - SIDE // 2) <= SIDE // 2


# -- tomography ----------------------------------------------------------------------------------------------------


def backproject(image: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """What is seen of an image (SIDE, SIDE), zero outside of the disc, from angles in degrees."""
    sinogram = transform.radon(image, angles, circle=True)
    return transform.iradon(sinogram, angles, circle=True, filter_name="ramp") * DISC


def asymmetry(angles: np.ndarray) -> float:
    """The largest change, over D4, if an image of noise is moved after instead of before; relative to the largest entry."""
    image = np.random.default_rng(0).random((SIDE, SIDE)) * DISC
    seen = backproject(image, angles)
    gaps = [
        np.abs(backproject(np.rot90(start, k), angles) - np.rot90(after, k)).max()
        for start, after in ((image, seen), (image.T, seen.T))
        for k in range(4)
    ]
    return float(max(gaps) / np.abs(seen).max())


# -- the data ------------------------------------------------------------------------------------------------------


@cache
def picture(name: str) -> np.ndarray:
    """A picture of scikit-image in grey, from 0 to 1, (rows, columns)."""
    found = util.img_as_float(getattr(data, name)())
    return color.rgb2gray(found) if found.ndim == 3 else found


def pieces(names: tuple[str, ...], count: int, random: np.random.Generator) -> np.ndarray:
    """So many pieces of each picture, of random place and size, as discs of SIDE pixels: (pieces, SIDE, SIDE)."""
    found = []
    for name in names:
        whole = picture(name)
        for _ in range(count):
            side = int(min(whole.shape) * random.uniform(0.5, 1))
            row, column = (random.integers(size - side + 1) for size in whole.shape)
            piece = whole[row : row + side, column : column + side]
            found.append(transform.resize(piece, (SIDE, SIDE), anti_aliasing=True) * DISC)
    return np.stack(found)


@dataclass(frozen=True)
class Data:
    """Images with streaks and without, each (count, 1, SIDE, SIDE)."""

    seen: Tensor
    true: Tensor


def make_data(names: tuple[str, ...], count: int, seed: int, task: str) -> Data:
    """Pieces of pictures, and what is seen of them."""
    true = pieces(names, count, np.random.default_rng(seed))
    seen = np.stack([backproject(image, ANGLES[task]) for image in true])
    return Data(*(torch.tensor(array[:, None], dtype=torch.float32) for array in (seen, true)))


def quality(images: Tensor, true: Tensor) -> tuple[float, float]:
    """PSNR in decibels and SSIM, both within the disc, means over the images."""
    ratios, similarities = [], []
    for image, target in zip(images[:, 0].double().numpy(), true[:, 0].double().numpy(), strict=True):
        ratios.append(metrics.peak_signal_noise_ratio(target[DISC], image[DISC], data_range=1))
        similarities.append(metrics.structural_similarity(target, image, data_range=1, full=True)[1][DISC].mean())
    return float(np.mean(ratios)), float(np.mean(similarities))


# -- one run -------------------------------------------------------------------------------------------------------


class Network(nn.Sequential):
    """The image, plus what convolutions make of it. It knows nothing of symmetry."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        channels = (1, *[FIELDS.dim] * (len(DILATIONS) - 1), 1)
        for inside, outside, dilation in zip(channels, channels[1:], DILATIONS, strict=False):
            layers += [nn.Conv2d(inside, outside, 3, padding=dilation, dilation=dilation), nn.ReLU()]
        super().__init__(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 1, SIDE, SIDE) without streaks, from those with."""
        return x + super().forward(x)


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        validation: mean squared error on the pictures to choose by.
        psnr, ssim: on the pictures to measure on.
        defect: root mean square of f(g x) - g f(x) over D4, relative to what f adds to the image, f(x) - x.
        seconds: of processor time, for a step.
        images: the test images without streaks, (count, 1, SIDE, SIDE).
    """

    validation: float
    psnr: float
    ssim: float
    defect: float
    seconds: float
    images: Tensor


def moved(x: Tensor, k: int) -> Tensor:
    """The images (..., SIDE, SIDE) under the element k of D4, from 0 to 7."""
    return (x.mT if k > 3 else x).rot90(k % 4, (-2, -1))


def make_model(way: str, seed: int) -> Network:
    """The network at its start."""
    torch.manual_seed(seed)
    model = Network()
    if way != "dense":
        patch = rc.grid(D4, 3)
        for name, space in RULES.items():
            conv: Any = model.get_submodule(name)
            share = 0.0 if way == "strict" else 0.1
            rct.init_(conv.weight.flatten(1), space.domain * patch >> space.codomain, share, gain=2**0.5)
            nn.init.zeros_(conv.bias)
    nn.init.zeros_(model.get_submodule("6").weight)  # it begins with the image as it is
    return rct.symmetrize(model, RULES) if way == "strict" else model


def run(way: str, task: str, seed: int, steps: int, weight: float | None = None) -> Result:
    """Train one network in one way."""
    train = make_data(TRAIN, PIECES, seed, task)
    model = make_model(way, seed)
    norm = way.removeprefix("penalty ")
    if weight is None:
        weight = WEIGHTS[task][norm] if norm in NORMS else 0.0
    penalty = rct.Penalty(model, RULES, norm=NORMS[norm], weight=weight) if norm in NORMS else None
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    random, mask = np.random.default_rng(seed + 1000), torch.tensor(DISC)
    begin = time.process_time()
    for _ in range(steps):
        rows, turns = random.choice(len(train.seen), BATCH, replace=False), random.integers(8, size=BATCH)
        x, y = train.seen[rows], train.true[rows]
        if way == "augmentation":
            x, y = (torch.stack([moved(image, int(k)) for image, k in zip(images, turns, strict=True)]) for images in (x, y))
        loss = ((model(x) - y) * mask).square().mean()
        if penalty is not None:
            loss = loss + penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    seconds = (time.process_time() - begin) / steps
    with torch.no_grad():
        return measure(lambda x: model(x) * mask, task, seconds)


@cache
def held_out(task: str) -> tuple[Data, Data]:
    """To choose by and to measure on, the same for all seeds: four pieces of each picture."""
    return make_data(VALIDATION, 4, 100, task), make_data(TEST, 4, 101, task)


def measure(f: Callable[[Tensor], Tensor], task: str, seconds: float) -> Result:
    """Errors and the defect of a trained network."""
    validation, test = held_out(task)
    images = f(test.seen)
    gaps = torch.stack([f(moved(test.seen, k)) - moved(images, k) for k in range(8)])
    defect = float((gaps.square().mean() / (images - test.seen).square().mean()).sqrt())
    error = float((f(validation.seen) - validation.true).square().mean())
    return Result(error, *quality(images, test.true), defect, seconds, images)


# -- the table -----------------------------------------------------------------------------------------------------


def table(task: str, ways: Sequence[str], seeds: list[int], steps: int) -> dict[str, list[Result]]:
    """Run the ways, and print a row for each: medians over the seeds."""
    print(f"\n{task}: held-out pictures, medians of seeds {', '.join(map(str, seeds))}")
    print(f"moved after instead of before tomography, an image differs by {asymmetry(ANGLES[task]):.1e}")
    print(f"{'':18}{'PSNR (each seed)':24}{'PSNR':>6}{'SSIM':>8}{'defect':>10}{'ms a step':>11}")
    ratio, similarity = quality(held_out(task)[1].seen, held_out(task)[1].true)
    print(f"{'as it is seen':42}{ratio:6.2f}{similarity:8.4f}")
    found: dict[str, list[Result]] = {}
    for way in ways:
        found[way] = results = [run(way, task, seed, steps) for seed in seeds]
        each = "  ".join(f"{r.psnr:.2f}" for r in results)
        psnr, ssim, gap, seconds = (
            float(np.median([getattr(r, name) for r in results])) for name in ("psnr", "ssim", "defect", "seconds")
        )
        print(f"{way:18}{each:24}{psnr:6.2f}{ssim:8.4f}{gap:10.1e}{seconds * 1e3:11.1f}", flush=True)
    return found


def tune(task: str, steps: int) -> None:
    """Print the mean validation error of seeds 10 and 11 for weights of each norm."""
    for name in WEIGHTS[task]:
        errors = {w: float(np.mean([run(f"penalty {name}", task, s, steps, w).validation for s in (10, 11)])) for w in CHOICES}
        best = min(errors, key=lambda w: errors[w])
        print(f"{task}, {name}: best {best:g} of", "  ".join(f"{w:g}: {1e4 * e:.3f}e-4" for w, e in errors.items()), flush=True)


def draw(task: str, found: dict[str, list[Result]], path: Path) -> None:
    """Test images: the truth, what is seen, and what networks of the first seed make of it."""
    from matplotlib.figure import Figure

    test = held_out(task)[1]
    shown = {"true": test.true, "seen": test.seen}
    shown |= {way: found[way][0].images for way in SHOWN if way in found}
    rows = [4 * TEST.index(name) for name in ("cell", "coins", "retina", "shepp_logan_phantom")]
    figure = Figure(figsize=(11, 2 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(shown))
    for line, i in zip(axes, rows, strict=True):
        for ax, (title, images) in zip(line, shown.items(), strict=True):
            ax.imshow(np.ma.array(images[i, 0].numpy(), mask=~DISC), cmap="gray", vmin=0, vmax=1)
            score = "" if title == "true" else f" {quality(images[i : i + 1], test.true[i : i + 1])[0]:.1f} dB"
            ax.set_title(title + score, fontsize=8)
            ax.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description="Streaks in tomography under D4; see the top of this file.")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, metavar="WAY", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, help="a folder for symmetric.png and broken.png")
    parser.add_argument("--tune", action="store_true", help="print what the weights were chosen by")
    given = parser.parse_args(arguments)
    if given.steps < 1:
        parser.error("--steps takes 1 or more")
    torch.set_num_threads(1)  # two threads beside another load wait for each other
    for task in given.tasks:
        if given.tune:
            tune(task, given.steps)
            continue
        ways = [way for way in TASKS[task] if given.ways is None or way in given.ways]
        found = table(task, ways, given.seeds, given.steps)
        if given.out is not None:
            draw(task, found, given.out / f"{task}.png")
            print(f"wrote {given.out / task}.png")


if __name__ == "__main__":
    main()
