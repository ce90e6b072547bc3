"""What the library computes with are values: no attribute of a dataclass can be set once it is made."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from types import ModuleType
from typing import Any

import pytest

import repcore as rc

PACKAGES = ("exact", "groups", "reps", "solve", "plan", "store", "spec")


def modules(package: str) -> Iterator[ModuleType]:
    whole = importlib.import_module(f"repcore.{package}")
    yield whole
    for found in pkgutil.walk_packages(whole.__path__, f"repcore.{package}."):
        yield importlib.import_module(found.name)


def thawed(candidates: dict[str, Any]) -> list[str]:
    """Those of some classes, by name, whose instances can be changed."""
    return [name for name, x in candidates.items() if is_dataclass(x) and not x.__dataclass_params__.frozen]  # type: ignore[attr-defined]


@pytest.mark.parametrize("package", PACKAGES)
def test_dataclasses_are_frozen(package: str) -> None:
    seen = 0
    for module in modules(package):
        own = {n: x for n, x in vars(module).items() if isinstance(x, type) and x.__module__ == module.__name__}
        seen += sum(map(is_dataclass, own.values()))
        assert thawed(own) == [], module.__name__
    assert seen


def test_a_class_that_is_not_frozen_is_seen() -> None:
    @dataclass
    class Thawed:
        x: int = 0

    assert thawed({"Thawed": Thawed, "Group": rc.Group}) == ["Thawed"]
