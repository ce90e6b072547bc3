"""Every public name stands on a reference page."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

PACKAGES = ("repcore", "repcore.testing", "repcore.testing.laws", "repcore_torch", "repcore_jax")


@pytest.fixture(scope="module")
def extension(root: Path) -> ModuleType:
    """The Sphinx extension of this project, which is no installed module."""
    path = root / "docs" / "_ext" / "public_names.py"
    spec = importlib.util.spec_from_file_location("public_names", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def public_names(package: str) -> set[str]:
    return set(getattr(importlib.import_module(package), "__all__", ()))


def missing_from(text: str, package: str, names: set[str]) -> set[str]:
    described = {line.split(":: ", 1)[1] for line in text.splitlines() if line.startswith(".. auto")}
    return {name for name in names if f"{package}.{name}" not in described}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_on_a_reference_page(root: Path, extension: ModuleType, package: str) -> None:
    expand: Callable[[str], str] = extension.expand
    pages = [page.read_text(encoding="utf-8") for page in sorted((root / "docs" / "reference").glob("*.md"))]
    text = "\n".join(expand(page) for page in pages)
    assert missing_from(text, package, public_names(package)) == set()


def test_a_missing_name_is_found(extension: ModuleType) -> None:
    text = extension.expand("<!-- public names of repcore -->")
    assert missing_from(text, "repcore", {"RepcoreErorr"}) == {"RepcoreErorr"}


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_exist_and_occur_once(package: str) -> None:
    module = importlib.import_module(package)
    names = list(getattr(module, "__all__", ()))
    assert [name for name in names if not hasattr(module, name)] == []
    assert len(names) == len(set(names))  # their order is ruff's business (RUF022)


@pytest.mark.slow
def test_the_built_pages_describe_every_public_name(root: Path, tmp_path: Path) -> None:
    # Without execution: `make docs` executes the pages, this asks what the reference holds.
    # A page that is not executed does not know the language of its cells, hence the one warning that is let through.
    settings = ["-D", "nb_execution_mode=off", "-D", "suppress_warnings=myst-nb.lexer"]
    options = ["-q", "-W", "-b", "html", *settings, "-d", str(tmp_path / "trees")]
    command = [sys.executable, "-m", "sphinx", *options, str(root / "docs"), str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = [page.read_text(encoding="utf-8") for page in (tmp_path / "html" / "reference").glob("*.html")]
    names = {f"{package}.{name}" for package in PACKAGES for name in public_names(package)}
    assert {name for name in names if not any(f'id="{name}"' in page for page in pages)} == set()
