"""Rubik's cube: that the example runs, that its files are the cube, what its table claims, and that its checks can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "rubik" / "cube.py"
ROW = re.compile(
    r"^(dense|augmentation|penalty|soft|strict) {2,}([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)", re.MULTILINE
)


@pytest.fixture(scope="module")
def cubes(example: ModuleType) -> tuple[object, np.ndarray]:
    turns = example.quarter_turns()
    return example.near_solved(turns), turns


def test_the_example_runs(example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example.main(["--maps", "pairs", "--ways", "strict", "--seeds", "0", "--steps", "3", "--out", str(tmp_path)])
    text = capsys.readouterr().out
    assert "Rubik's cube: 43,252,003,274,489,856,000 elements, as counted by hand" in text
    assert "V >> V: 2,304 entries, 9 maps, proved; by hand 9" in text
    assert "V = 2 x 1 real + 1 x 7 real + 1 x 11 real + 1 x 12 real + 1 x 16 complex" in text
    assert re.search(r"^strict .* 2,409 ", text, re.MULTILINE)
    assert (tmp_path / "rubik.png").read_bytes().startswith(b"\x89PNG")


def test_the_files_are_what_one_holds_in_the_hand(example: ModuleType, cubes: tuple[object, np.ndarray]) -> None:
    """Well-known words: their orders, and that a corner has three stickers and an edge two."""
    turn = dict(zip(example.NAMES, cubes[1], strict=True))

    def order(word: str) -> int:
        images, power = np.arange(48), 0
        while power == 0 or not np.array_equal(images, np.arange(48)):
            for name in word.split():
                images = images[turn[name]]
            power += 1
        return power

    assert (order("U"), order("R U"), order("R U R' U'"), order("R U U D' B D'")) == (4, 105, 6, 1260)
    moving = {place: [name for name in "ULFRBD" if turn[name][place] != place] for place in range(48)}
    assert sorted(map(len, moving.values())) == [2] * 24 + [3] * 24
    assert all("ULFRBD"[place // 8] in faces for place, faces in moving.items())
    assert rc.order(example.SPEC.group) == 48


def test_two_turns_are_undone_by_two_turns(example: ModuleType, cubes: tuple[object, np.ndarray]) -> None:
    found, turns = cubes

    class Oracle(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            colours = x.view(-1, 48, 6).argmax(2).numpy().astype(np.int8)
            return torch.tensor([[float(b) for b in nearer[c.tobytes()]] for c in colours])

    some = np.flatnonzero(found.depth == 2)
    nearer = {c.tobytes(): near for c, near in zip(found.colours, found.nearer, strict=True)}
    nearer[(np.arange(48, dtype=np.int8) // 8).tobytes()] = np.zeros(12)
    solved, made = example.solve(Oracle(), found.colours[some], turns)
    assert solved.all()
    assert ((made >= 0).sum(1) == 2).all()
    assert not example.solve(torch.nn.Linear(288, 12), found.colours[some], turns)[0].all()


def test_a_wrong_turn_is_refused(example: ModuleType, cubes: tuple[object, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    from repcore import PermutationGroup, Spec

    with pytest.raises(SystemExit, match="cubes are 0, 1, 2"):
        example.near_solved(cubes[1][:-2])
    five = PermutationGroup([g.to_numpy().argmax(0).tolist() for g in example.CUBE.group.rep.matrices[:-1]], degree=48)
    monkeypatch.setattr(example, "CUBE", Spec(five, {}, {"pairs": five.rep >> five.rep}))
    # Five faces generate all; without a second one they do not.
    assert rc.order(five) == 43_252_003_274_489_856_000
    four = PermutationGroup([g.to_numpy().argmax(0).tolist() for g in five.rep.matrices[:-1]], degree=48)
    monkeypatch.setattr(example, "CUBE", Spec(four, {}, {"pairs": four.rep >> four.rep}))
    with pytest.raises(SystemExit, match=r"elements, and 43,252,003,274,489,856,000 by hand"):
        example.check_group(["pairs"])


def test_turns_that_go_elsewhere_are_refused(example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = example.SPEC
    same = rc.Spec(spec.group, dict(spec.reps) | {"moves": 12 * rc.trivial(spec.group)}, {})
    monkeypatch.setattr(example, "SPEC", same)
    with pytest.raises(SystemExit, match="does not take turns to turns"):
        example.quarter_turns()


def test_a_network_that_is_not_equivariant_is_refused(example: ModuleType, cubes: tuple[object, np.ndarray]) -> None:
    found, turns = cubes
    strict, dense = (example.run(way, found, turns, 0, 1) for way in ("strict", "dense"))
    some = found.colours[:50]
    example.check(strict, some)
    with pytest.raises(SystemExit, match="115596 parameters, and 2409 equivariant maps"):
        example.check(dense, some)
    with pytest.raises(SystemExit, match="do not turn and mirror with the cube"):
        example.check(dense._replace(count=2409), some)
    with torch.no_grad():
        dense.model.last.weight *= 2**40
    with pytest.raises(SystemExit, match="would round"):
        example.check(dense._replace(count=2409), some)


@pytest.mark.slow
def test_what_the_table_says() -> None:
    done = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "V**2 >> V**2: 5,308,416 entries, 350 maps, proved; by hand 350" in done.stdout
    found = {way: [float(x) for x in cells] for way, *cells in ROW.findall(done.stdout)}
    solved = {way: np.median(cells[3:6]) for way, cells in found.items()}
    assert solved["strict"] > solved["dense"] + 20
    assert "- solved" in done.stdout
