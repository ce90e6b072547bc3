"""Examples as modules: `loaded(path)` runs one without its `main`; `example` is the one that `EXAMPLE` of the test names."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def loaded() -> Iterator[Callable[[Path], ModuleType]]:
    names: list[str] = []

    def load(path: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"example_{path.parent.name}_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        names.append(spec.name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def example(request: pytest.FixtureRequest, loaded: Callable[[Path], ModuleType]) -> ModuleType:
    """The program that the constant ``EXAMPLE`` of the test's file names."""
    return loaded(request.module.EXAMPLE)
