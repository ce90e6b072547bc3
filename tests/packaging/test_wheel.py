"""What a user gets: the wheel, and an editable install that shows no more than the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import repcore

PACKAGES = ("repcore", "repcore_torch", "repcore_jax", "repcore_hypothesis")


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (path,) = target.glob("repcore-*.whl")
    return zipfile.ZipFile(path)


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = [path for path in wheel.namelist() if path.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


@pytest.mark.slow
def test_the_wheel_holds_the_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_holds_every_file_of_a_package(wheel: zipfile.ZipFile, root: Path, package: str) -> None:
    folder = root / package if package == "repcore" else root / "backends" / package
    expected = {
        path.relative_to(folder.parent).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in {".py", ".typed"}
    }
    assert f"{package}/py.typed" in expected
    assert {name for name in wheel.namelist() if name.startswith(f"{package}/")} == expected


@pytest.mark.slow
def test_the_metadata_is_complete(wheel: zipfile.ZipFile) -> None:
    fields = Parser().parsestr(metadata(wheel, "METADATA"))
    assert fields["Version"] == repcore.__version__
    assert fields["License-Expression"] == "MIT"
    assert set(fields.get_all("Provides-Extra", [])) == {"torch", "jax", "plot", "cluster", "test", "docs", "dev"}
    assert "repcore = repcore.cli:main" in metadata(wheel, "entry_points.txt")
    assert "[hypothesis]\nrepcore = repcore_hypothesis:register" in metadata(wheel, "entry_points.txt")
    assert "The repcore authors" in metadata(wheel, "licenses/LICENSE")


@pytest.mark.parametrize("name", ["backends", "tests", "docs", "examples", *PACKAGES])
def test_the_install_shows_the_packages_only(root: Path, tmp_path: Path, name: str) -> None:
    # Asked from a folder outside the tree: the current one is always on the path of `python -c`.
    program = f"import importlib.util; print(getattr(importlib.util.find_spec({name!r}), 'origin', None))"
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert (str(root) in found) == (name in PACKAGES)
