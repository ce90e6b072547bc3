"""`import repcore` is light. Asked of a fresh interpreter, since this one has loaded everything already."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "jax", "matplotlib", "sympy", "networkx", "fsspec", "distributed")
FRAMEWORKS = ("torch", "jax", "matplotlib")

WALK = """
import importlib, pkgutil, repcore
for module in pkgutil.walk_packages(repcore.__path__, "repcore."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def loaded_by(code: str, names: tuple[str, ...]) -> set[str]:
    """Those of ``names`` that a fresh interpreter has in ``sys.modules`` after it ran ``code``."""
    program = f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(names).intersection(done.stdout.splitlines())


def test_import_repcore_is_light() -> None:
    assert loaded_by("import repcore", HEAVY) == set()


def test_no_module_of_repcore_loads_a_framework() -> None:
    assert loaded_by(WALK, FRAMEWORKS) == set()


@pytest.mark.parametrize("name", HEAVY)
def test_the_check_can_fail(name: str) -> None:
    # A stand-in of the same name: the real import of torch costs seconds and shows no more.
    plant = f"import sys, types\nsys.modules[{name!r}] = types.ModuleType({name!r})"
    assert loaded_by(f"import repcore\n{plant}", HEAVY) == {name}


def test_a_real_import_is_seen() -> None:
    assert "networkx" in loaded_by("import networkx", HEAVY)
