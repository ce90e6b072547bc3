"""Streaks in tomography under D4: that the example runs, that its symmetry is one, and what its table claims."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("skimage")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "tomography" / "experiment.py"
# Four sums of at most 16 * 9 products, each off by at most as many roundings; relu has a slope of at most 1.
ROUNDING = 4 * 144 * 2.0**-23


def rows(text: str) -> dict[tuple[str, str], list[float]]:
    """The figures of each way: the PSNR of the seeds, its median, SSIM, defect, ms."""
    found, task = {}, ""
    for line in text.splitlines():
        if match := re.match(r"(symmetric|broken): ", line):
            task = match[1]
        elif match := re.match(r"(as it is seen|dense|augmentation|penalty \S+(?: 1\))?|strict) {2,}([\d.e+\- ]+)$", line):
            found[task, match[1]] = [float(cell) for cell in match[2].split()]
    return found


def test_the_example_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--steps", "2", "--seeds", "0", "--tasks", "broken", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(done.stdout)
    assert len(found) == 6
    assert found["broken", "strict"][-2] < ROUNDING < 1e-2 < found["broken", "dense"][-2]
    assert (tmp_path / "broken.png").read_bytes().startswith(b"\x89PNG")


def test_tomography_commutes_with_d4_for_these_angles_and_not_for_others(example: ModuleType) -> None:
    # Sums of 12 * 49 products with interpolated entries.
    rounding = 12 * 49 * np.finfo(float).eps
    assert example.asymmetry(example.ANGLES["symmetric"]) < rounding
    assert example.asymmetry(example.ANGLES["broken"]) > 0.1
    # Equal distances are not enough: a quarter turn keeps even numbers of angles only.
    assert example.asymmetry(np.arange(14) * 180 / 14) < rounding
    assert example.asymmetry(np.arange(15) * 180 / 15) > 0.1


def test_half_a_turn_is_what_is_left_of_the_broken_task(example: ModuleType) -> None:
    image = np.random.default_rng(1).random((example.SIDE, example.SIDE)) * example.DISC
    seen, turned = (example.backproject(x, example.ANGLES["broken"]) for x in (image, image[::-1, ::-1]))
    assert np.abs(turned - seen[::-1, ::-1]).max() < 12 * 49 * np.finfo(float).eps * np.abs(seen).max()


def test_an_even_number_of_pixels_would_break_the_symmetry(example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example, "SIDE", 48)
    monkeypatch.setattr(example, "DISC", np.hypot(*np.mgrid[:48, :48] - 23.5) <= 23)
    assert example.asymmetry(example.ANGLES["symmetric"]) > 0.01


def test_no_picture_is_downloaded_and_none_is_used_twice(example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **keywords: Any) -> NoReturn:
        raise AssertionError("a picture was looked for on the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    names = example.TRAIN + example.VALIDATION + example.TEST
    assert len(set(names)) == 14
    for name in names:
        picture = example.picture.__wrapped__(name)
        assert picture.ndim == 2
        assert 0 <= picture.min() < picture.max() <= 1


def test_a_penalised_network_is_less_defective_than_a_free_one(example: ModuleType) -> None:
    dense, penalised, strict = (
        example.run(way, "symmetric", 0, 40, weight) for way, weight in (("dense", 0), ("penalty fro", 0.1), ("strict", 0))
    )
    assert 5 * penalised.defect < dense.defect
    assert strict.defect < ROUNDING
    assert penalised.psnr > example.quality(*(getattr(example.held_out("symmetric")[1], x) for x in ("seen", "true")))[0]


def test_the_defect_is_that_of_the_whole_network(example: ModuleType) -> None:
    """Of a network that adds one image to all: it is known in closed form."""
    ramp = torch.linspace(-1, 1, example.SIDE).expand(example.SIDE, example.SIDE)
    # Over D4 the ramp goes to each of itself, its negative, its transpose and its negative transpose twice: 0, 4, 2, 2.
    found = example.measure(lambda x: x + ramp, "symmetric", 0.0).defect
    assert found == pytest.approx(2**0.5, rel=example.SIDE**2 * 2.0**-23)


@pytest.mark.slow
def test_what_the_table_says() -> None:
    done = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # What is seen has no seeds, no defect and no time.
    psnr = {key: cells[-4] if len(cells) > 2 else cells[0] for key, cells in rows(done.stdout).items()}
    assert psnr["symmetric", "penalty fro"] > psnr["symmetric", "dense"] + 0.5
    assert psnr["symmetric", "strict"] > psnr["symmetric", "dense"] + 0.5
    assert psnr["symmetric", "dense"] > psnr["symmetric", "as it is seen"] + 1
