"""Two molecules of water: that the example runs on physics, what its table claims, and that its check can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import repcore as rc

pytest.importorskip("jax")
pytest.importorskip("optax")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "points" / "water.py"
ROW = re.compile(
    r"^(dense|augmentation|penalty|soft|strict) {2,}([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)", re.MULTILINE
)


def test_a_strict_network_turns_with_the_atoms(example: ModuleType) -> None:
    import jax

    random = np.random.default_rng(0)
    place, R = example.draw(4, random).place, example.rotations(4, random)
    energy = jax.jit(jax.vmap(example.network, (None, 0)))
    for way, bound in (("strict", example.TERMS * np.finfo(np.float32).eps), ("dense", None)):
        params = jax.jit(example.start, static_argnums=0)(way, jax.random.key(0))
        change = np.abs(energy(params, place) - energy(params, place @ R)).max()
        assert change > 1e-2 if bound is None else change < bound


@pytest.mark.slow  # for what JAX compiles
def test_the_example_runs(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "EVERY", 2)
    example.main(["--steps", "2", "--seeds", "0", "--ways", "strict", "--out", str(tmp_path)])
    text = capsys.readouterr().out
    assert re.search(r"^strict +[\d.]+ +[\d.]+ +[\d.]+e-0[67] +[\d.]+e-0[67] +3,729 ", text, re.MULTILINE)
    assert re.search(r"^  truth  ( +-?\d+\.\d+){7}$", text, re.MULTILINE)
    assert (tmp_path / "water.png").read_bytes().startswith(b"\x89PNG")


def test_forces_are_minus_the_slopes_of_the_energy_and_turn_with_the_atoms(example: ModuleType) -> None:
    random = np.random.default_rng(0)
    data, step = example.draw(20, random), 1e-5
    assert np.abs(data.place.mean(1)).max() < 1e-14
    along = random.normal(size=data.place.shape)
    slope = (example.physics(data.place + step * along)[0] - example.physics(data.place - step * along)[0]) / (2 * step)
    # Central differences: the third derivative times step^2, and rounding of energies of some hundred kcal/mol by step.
    assert np.abs(slope + (data.force * along).sum((1, 2))).max() < 1e-5
    R = example.rotations(20, random)
    energy, force = example.physics(data.place @ R)
    # Charges cancel: terms of some hundred make energies of some ones.
    assert np.abs(energy - data.energy).max() < 1e4 * np.finfo(float).eps
    assert np.abs(force - data.force @ R).max() < 1e4 * np.finfo(float).eps
    assert {round(float(d)) for d in np.linalg.det(R)} == {-1, 1}


def test_the_layers_have_as_many_maps_as_are_counted_by_hand(example: ModuleType) -> None:
    dims = {name: rc.solve(space).dim for name, space in example.SPEC.maps.items()}
    # Vectors to vectors: one each. V*V = 0e + 1e + 2e. 2e*2e has one scalar.
    assert dims == {"first": 6 * 32, "second": 16 * (48 + 8), "third": (48 + 4) * 48, "last": 48}


def test_a_network_that_does_not_turn_with_the_atoms_is_refused(example: ModuleType) -> None:
    names = example.Result._fields
    fine = example.Result(0.0, (1.0, 1.0), (1e-6, 1e-6), (1e-5, 1e-5), 3729, 0.0, lambda x: x)
    assert names[2:4] == ("changes", "allowed")
    example.check(fine)
    with pytest.raises(SystemExit, match=r"energies change by 1\.0e-03"):
        example.check(fine._replace(changes=(1e-3, 1e-6)))
    with pytest.raises(SystemExit, match="forces change by nan"):
        example.check(fine._replace(changes=(1e-6, float("nan"))))
    with pytest.raises(SystemExit, match="3730 parameters, and 3729 equivariant maps"):
        example.check(fine._replace(count=3730))


@pytest.mark.slow
def test_a_dense_network_is_refused(example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example, "EVERY", 2)
    found = example.run("dense", 0, 2)
    assert all(1e-5 < allowed < 1e-2 < change for allowed, change in zip(found.allowed, found.changes, strict=True))
    with pytest.raises(SystemExit, match="energies change"):
        example.check(found._replace(count=3729))


@pytest.mark.slow
def test_what_the_table_says() -> None:
    done = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {way: [float(x) for x in cells] for way, *cells in ROW.findall(done.stdout)}
    energy, force = ({way: np.median(cells[k : k + 3]) for way, cells in found.items()} for k in (0, 3))
    assert energy["strict"] < 0.6 * energy["dense"]
    assert force["strict"] < 0.6 * force["dense"]
    assert energy["strict"] < energy["augmentation"]
