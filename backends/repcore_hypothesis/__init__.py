"""The plugin of hypothesis: ``strategies.from_type`` for the types of repcore.

hypothesis loads its plugins when it is imported, and ``import repcore`` takes longer than that of hypothesis itself. So this is a
package of its own: importing it imports nothing, and the types are registered once repcore has been imported by somebody else.
The strategies, too, are built only when one is asked for.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__all__ = ["register"]

_TYPES = ("Group", "Hom", "Matrix", "Number", "Rep")


def register() -> None:
    """Register the types of repcore with hypothesis, now or when repcore is imported. Called by hypothesis."""
    if "repcore" in sys.modules:
        _register_types(sys.modules["repcore"])
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())


class _AfterImport:
    """A finder that finds nothing itself, and registers the types when the import of repcore is done."""

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec that the other finders have for repcore, with the registration at the end of its execution."""
        if name != "repcore":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                del loader.exec_module  # the loader is as it was from here on
                execute(module)
                _register_types(module)

            loader.exec_module = execute_and_register
        return spec


def _register_types(repcore: ModuleType) -> None:
    from hypothesis import strategies as st

    def resolve(kind: type[Any]) -> Any:
        from repcore.testing import strategies

        return strategies.registered()[kind]

    for name in _TYPES:
        # Absent while repcore is being imported, by something that imports hypothesis: it is then too early to register.
        if hasattr(repcore, name):
            st.register_type_strategy(getattr(repcore, name), resolve)
