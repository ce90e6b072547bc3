"""The demo on handwritten digits: that it runs and says what is true, and that each of its checks can fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import repcore as rc

DEMO = Path(__file__).resolve().parents[2] / "examples" / "digits" / "demo.py"
NETWORKS = ("unconstrained", "penalty", "strict", "projected (JAX)")
DIMS = {
    # 64 cells, 32 features of 8 numbers, 10 scores. Hom(X, regular) has dimension dim X; only constants map to a score.
    "first.weight": 64 * 32,
    "first.bias": 32,
    "second.weight": 32 * 32 * 8,
    "second.bias": 32,
    "head.weight": 32 * 10,
    "head.bias": 10,
}


@dataclass(frozen=True)
class Run:
    """What a run of the demo printed and wrote."""

    text: str
    out: Path
    cache: Path

    def row(self, network: str) -> list[str]:
        """The cells of a network's row in the table of results, without spreads."""
        line = next(line for line in self.text.splitlines() if re.match(re.escape(network) + " +[0-9]", line))
        return re.sub(r" ± [0-9.]+", "", line.removeprefix(network)).split()

    def accuracies(self, network: str) -> list[float]:
        """Upright, turned, mirrored, in percent."""
        return [float(cell) for cell in self.row(network)[:3]]


@pytest.fixture(scope="module")
def demo(loaded: Callable[[Path], ModuleType]) -> ModuleType:
    return loaded(DEMO)


def run_demo(folder: Path, *arguments: str) -> Run:
    # A process of its own: the demo turns on float64 for all of JAX.
    run = Run("", folder / "demo", folder / "cache")
    done = subprocess.run(
        [sys.executable, str(DEMO), "--out", str(run.out), *arguments],
        env=os.environ | {"REPCORE_CACHE": str(run.cache), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Run(done.stdout, run.out, run.cache)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The demo from an empty cache, with one epoch and one seed."""
    return run_demo(tmp_path_factory.mktemp("digits"), "--epochs", "1", "--seeds", "1")


def test_the_first_run_solves_and_writes_every_map(quick: Run) -> None:
    assert "5 solved, 0 from the cache" in quick.text
    found = {path.stem: rc.load(path) for path in (quick.out / "bases").iterdir()}
    assert {name: basis.dim for name, basis in found.items()} == DIMS
    assert all(basis.certificate.status == "proved" for basis in found.values())


def test_a_later_run_finds_everything_in_the_cache(
    quick: Run, demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REPCORE_CACHE", str(quick.cache))
    demo.solve(DEMO.parent / "symmetry.toml", tmp_path)
    shown = capsys.readouterr().out
    assert "everything from the cache" in shown
    assert " solved " not in shown
    for path in (quick.out / "bases").iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_the_command_line_writes_the_same_files(quick: Run, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "repcore", "solve", str(DEMO.parent / "symmetry.toml"), "--out", str(tmp_path / "bases")],
        env=os.environ | {"REPCORE_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        check=True,
    )
    for path in (quick.out / "bases").iterdir():
        assert (tmp_path / "bases" / path.name).read_bytes() == path.read_bytes()


def test_the_strict_networks_are_invariant_and_the_others_are_not(quick: Run) -> None:
    for network in NETWORKS:
        upright, turned, mirrored = quick.accuracies(network)
        error = float(quick.row(network)[3])
        if network in ("strict", "projected (JAX)"):
            assert upright == turned == mirrored
            assert error < 1e-13
        else:
            assert error > 1e-3


def test_the_free_parameters_are_counted(quick: Run) -> None:
    entries = 64 * 256 + 256 + 256 * 256 + 256 + 256 * 10 + 10
    counts = {network: quick.row(network)[4] for network in NETWORKS}
    assert counts["unconstrained"] == counts["penalty"] == f"{entries:,}"
    assert counts["strict"] == counts["projected (JAX)"] == f"{sum(DIMS.values()):,}"


def test_the_pictures_are_written(quick: Run) -> None:
    from matplotlib import image

    for name in ("basis.png", "accuracies.png"):
        picture = image.imread(quick.out / name)
        assert min(picture.shape[:2]) > 500
        assert len(np.unique(picture[..., :3].reshape(-1, 3), axis=0)) > 20  # drawn on


@pytest.mark.slow
def test_the_figures_of_the_whole_demo(tmp_path: Path) -> None:
    run = run_demo(tmp_path)
    upright, turned, mirrored = run.accuracies("unconstrained")
    assert upright > 96
    assert max(turned, mirrored) < 40
    strict = run.accuracies("strict")
    assert strict == run.accuracies("projected (JAX)")
    assert min(strict) > 94
    # In between: better than strict upright, nearly as good turned.
    penalty = run.accuracies("penalty")
    assert strict[0] < penalty[0] < upright
    assert 90 < penalty[1] < strict[1]
    assert int(re.findall(r"(\d+) s in all", run.text)[0]) < 180


# -- the checks of the demo fail where they must -----------------------------------------------------------------------


def test_the_turns_are_the_declared_group(demo: ModuleType) -> None:
    image = rc.grid(rc.dihedral(4), 8)
    cells = np.arange(64)
    orbit, fresh = {cells.tobytes()}, [cells]
    while fresh:
        moved = [(on.to_numpy() @ x).astype(np.int64) for on in image.matrices for x in fresh]
        fresh = list({x.tobytes(): x for x in moved if x.tobytes() not in orbit}.values())
        orbit |= {x.tobytes() for x in fresh}
    assert {x.tobytes() for x in demo.all_turns(cells[None]).values()} == orbit
    assert len(orbit) == 8


@pytest.mark.parametrize(
    ("generators", "name"),
    [([[[0, 1], [-1, 0]], [[1, 0], [0, -1]]], "rot90"), ([[[0, -1], [1, 0]], [[-1, 0], [0, 1]]], "flipud")],
)
def test_another_action_is_refused(demo: ModuleType, generators: list[list[list[int]]], name: str) -> None:
    with pytest.raises(SystemExit, match=name):
        demo.check_action(rc.grid(rc.Group(generators), 8))
    demo.check_action(rc.grid(rc.dihedral(4), 8))


def test_a_basis_that_is_wrong_is_refused(demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solve = rc.solve

    def wrong(space: rc.Hom, **given: object) -> rc.EquivariantBasis:
        basis = solve(space, store=None)
        return replace(basis, blocks=tuple(replace(b, cols=np.roll(b.cols, 1, axis=1)) for b in basis.blocks))

    monkeypatch.setenv("REPCORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(rc, "solve", wrong)
    with pytest.raises(SystemExit, match=r"first\.weight, solved now, is NOT verified"):
        demo.solve(DEMO.parent / "symmetry.toml", tmp_path / "bases")


def test_a_projection_in_single_precision_is_refused(demo: ModuleType, quick: Run) -> None:
    import jax

    files = {"first.weight": quick.out / "bases" / "first.weight.safetensors"}
    with jax.enable_x64(True):
        largest, allowed = demo.check_projections(files, 8)
        assert largest <= allowed
    with jax.enable_x64(False), pytest.raises(SystemExit, match=r"differ by .* for first\.weight"):
        demo.check_projections(files, 8)


@pytest.fixture
def strict(demo: ModuleType, quick: Run) -> dict[str, np.ndarray]:
    """Equivariant parameters that were not trained."""
    return demo.initial({name: quick.out / "bases" / f"{name}.safetensors" for name in DIMS}, 0, True)


def test_one_last_bit_is_no_longer_equivariant(demo: ModuleType, strict: dict[str, np.ndarray]) -> None:
    spec, images = rc.load(DEMO.parent / "symmetry.toml"), np.ones((1, 64))
    demo.check_invariance("whole", 0.0, strict, images, spec)
    W = strict["second.weight"].copy()
    W[3, 5] = np.nextafter(W[3, 5], 1)
    with pytest.raises(SystemExit, match="layer second of the planted network"):
        demo.check_invariance("planted", 0.0, strict | {"second.weight": W}, images, spec)


def test_an_error_beyond_rounding_is_refused(demo: ModuleType, strict: dict[str, np.ndarray]) -> None:
    spec, images = rc.load(DEMO.parent / "symmetry.toml"), np.ones((1, 64))
    bound = demo.rounding(strict, images)
    assert 0 < bound < 1e-9
    with pytest.raises(SystemExit, match="rounding explains only"):
        demo.check_invariance("planted", 2 * bound, strict, images, spec)
    with pytest.raises(SystemExit, match="rounding explains only"):
        demo.check_invariance("planted", float("nan"), strict, images, spec)


def test_the_bound_for_rounding_holds(demo: ModuleType, strict: dict[str, np.ndarray]) -> None:
    images = np.random.default_rng(1).random((50, 64))

    def scores(h: np.ndarray) -> np.ndarray:
        for layer in demo.LAYERS:
            h = h @ strict[f"{layer}.weight"].T + strict[f"{layer}.bias"]
            h = h if layer == "head" else np.maximum(h, 0)
        return h

    measured = demo.measure(scores, images, np.zeros(50))
    # The sums run in another order, so that something is lost; the bound covers it.
    assert 0 < measured["error"] <= demo.rounding(strict, images)
