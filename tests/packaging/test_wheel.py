"""What a user gets: the wheel, and an editable install that shows no more than the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
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


@pytest.mark.slow
@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_an_empty_environment_installs_it_and_solves(root: Path, tmp_path: Path, target: str) -> None:
    """What a user does: a new environment, one install of the core alone, the program, a space that is solved and verified."""
    dist, env = tmp_path / "dist", tmp_path / "env"
    build = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(dist)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    (path,) = dist.iterdir()
    venv.create(env, with_pip=True)
    binaries = env / ("Scripts" if sys.platform == "win32" else "bin")
    install = [str(binaries / "python"), "-m", "pip", "install", "-q", "-c", str(root / "constraints.txt"), str(path)]
    subprocess.run(install, cwd=tmp_path, check=True, capture_output=True)

    def run(*command: str) -> str:
        clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"REPCORE_CACHE": str(tmp_path / "cache")}
        done = subprocess.run(
            [str(binaries / command[0]), *command[1:]], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("repcore", "--version") == f"repcore {repcore.__version__}\n"
    (tmp_path / "symmetry.toml").write_text('[group]\ndiscrete = [[[0, -1], [1, 0]]]\n[maps]\nm = "V >> V"\n', encoding="utf-8")
    assert "proved" in run("repcore", "solve", "symmetry.toml", "--out", "bases")
    program = "import repcore, sys; print(repcore.load('bases/m.safetensors').dim, repcore.__file__, 'torch' in sys.modules)"
    dim, origin, torch = run("python", "-c", program).split()
    assert (dim, torch) == ("2", "False")
    assert Path(origin).is_relative_to(env)


def test_the_sdist_holds_what_the_tests_need(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (path,) = tmp_path.glob("repcore-*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "constraints.txt", "Makefile", "README.md", "CHANGELOG.md", "LICENSE", "CITATION.cff"} <= names
    for folder in ("tests", "docs", "examples"):
        kept = {p.relative_to(root).as_posix() for p in (root / folder).rglob("*.py") if "_build" not in p.parts}
        assert kept <= names
