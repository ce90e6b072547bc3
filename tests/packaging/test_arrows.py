"""Imports run one way. Each is read from the source, so that a lazy import within a function counts as well."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import repcore

# The rooms of repcore/, one step a line. A room imports from its own files and from what stands before it, on the lines
# above or to its left. `__init__` is the public face; what stands after it may use that face.
LAYERS = (
    ("errors", "typing"),
    ("exact",),
    ("groups",),
    ("reps",),
    ("solve",),
    ("basis", "decompose"),
    ("plan", "defect", "soft", "verify"),
    ("store",),
    ("spec",),
    ("rules",),
    ("adaptive",),
    ("interchange",),
    ("word", "sample", "report", "curve", "bounds", "measure"),
    ("plot",),
    ("__init__",),
    ("testing",),
    ("cli", "__main__"),
)
RANK = {room: rank for rank, room in enumerate(room for step in LAYERS for room in step)}

# Arrows that run back all the same: a file, the room that it reaches up to, and the public name that needs it.
SHORTHANDS = {
    ("repcore/groups/group.py", "reps"): "G.rep, the defining representation",
    ("repcore/adaptive/history.py", "plot"): "history.plot(), its picture",
    ("repcore/report.py", "plot"): "report.plot(), its picture",
    ("repcore/curve.py", "plot"): "curve.plot(), its picture",
    ("repcore/bounds.py", "plot"): "bound.plot(), its picture",
    ("repcore/reps/tree.py", "decompose"): "V.orthogonalised(), its type",
    ("repcore/reps/tree.py", "store"): "V.gram(), V.orthogonalised()",
}

CORE = "repcore"
BACKENDS = ("repcore_torch", "repcore_jax", "repcore_hypothesis")
# Modules of the core that are public themselves; all others are reached through their names in `repcore`.
PUBLIC_MODULES = {"repcore.testing"}
FRAMEWORKS = {"hypothesis", "torch", "torchvision", "jax", "jaxlib", "flax", "optax", "equinox", "matplotlib"}
OWN_FRAMEWORKS = {
    "repcore_torch": {"torch", "torchvision"},
    "repcore_jax": {"jax", "jaxlib", "flax", "optax"},
    "repcore_hypothesis": {"hypothesis"},
}
# What a part may import beside the core dependencies: an extra of pyproject.toml.
EXTRAS = {
    "repcore.plot": "plot",
    "repcore.store": "cluster",
    "repcore.testing": "test",
    "repcore_torch": "torch",
    "repcore_jax": "jax",
    "repcore_hypothesis": "test",
}


@dataclass(frozen=True)
class Import:
    """One imported module, or one name that may be a module: ``from a import b`` gives ``Import("a", "b")``."""

    module: str
    name: str | None
    line: int
    within_function: bool


@dataclass(frozen=True)
class Source:
    """A parsed file and its dotted name, ``repcore.exact.number`` or, for a package, ``repcore.exact``."""

    path: Path
    dotted: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.dotted.partition(".")[0]

    @property
    def room(self) -> str:
        return [*self.dotted.split("."), "__init__"][1]

    @property
    def part(self) -> str:
        """``repcore.<room>`` in the core, the package in a backend."""
        return f"{CORE}.{self.room}" if self.package == CORE else self.package


def read_sources(root: Path) -> Iterator[Source]:
    for folder in (root / CORE, *(root / "backends" / name for name in BACKENDS)):
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            dotted = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield Source(path, dotted, ast.parse(path.read_text(encoding="utf-8"), str(path)))


def read_imports(source: Source) -> Iterator[Import]:
    is_package = source.path.name == "__init__.py"
    in_functions = {
        id(inner)
        for outer in ast.walk(source.tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(source.tree):
        lazy = id(node) in in_functions
        match node:
            case ast.Import(names=names):
                yield from (Import(alias.name, None, node.lineno, lazy) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = source.dotted.split(".")
                base = base[: len(base) - level + is_package] if level else []
                target = ".".join([*base, *([module] if module else [])])
                yield from (Import(target, alias.name, node.lineno, lazy) for alias in names)
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield Import(module, None, node.lineno, lazy)
            case _:
                pass


def room_of(imported: Import, rooms: Collection[str]) -> str:
    parts = imported.module.split(".")
    if len(parts) > 1:
        return parts[1]
    return imported.name if imported.name in rooms else "__init__"


def public_only(source: Source, imported: Import, public: Collection[str]) -> str | None:
    """The complaint about an import of repcore by a part that may use its public names only."""
    if imported.module == CORE:
        if imported.name is None or imported.name in public:
            return None
        return f"{CORE}.{imported.name} is not a public name"
    if (
        imported.module in PUBLIC_MODULES
        or imported.module.split(".")[1] in public
        or f"{imported.module}.".startswith(f"{source.part}.")
    ):
        return None
    return f"{imported.module} is not public: import the name from {CORE}"


def attributes_of_core(source: Source) -> Iterator[tuple[str, int]]:
    """Names used through ``import repcore as rc``."""
    aliases = {
        alias.asname or alias.name
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == CORE
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            yield node.attr, node.lineno


def complaints(root: Path, public: Collection[str], shorthands: Collection[tuple[str, str]] = ()) -> Iterator[str]:
    sources = list(read_sources(root))
    unused = set(shorthands)
    rooms = {source.room for source in sources if source.package == CORE}
    for room in sorted(rooms - RANK.keys()):
        yield f"repcore/{room}: a room without a place in LAYERS"
    for source in sources:
        at = source.path.relative_to(root)
        in_core = source.package == CORE
        uses_face = not in_core or source.room == "testing"
        for imported in read_imports(source):
            target = imported.module.partition(".")[0]
            where = f"{at}:{imported.line}"
            if target == CORE and uses_face:
                if complaint := public_only(source, imported, public):
                    yield f"{where}: {complaint}"
            elif target == CORE:
                room = room_of(imported, rooms)
                if room != source.room and RANK.get(room, -1) > RANK.get(source.room, len(RANK)):
                    if (at.as_posix(), room) in shorthands:
                        unused.discard((at.as_posix(), room))
                    else:
                        yield f"{where}: {source.room} imports {room}, which comes after it"
            elif target in BACKENDS and target != source.package:
                yield f"{where}: {source.package} imports {target}"
            elif (
                target in FRAMEWORKS - OWN_FRAMEWORKS.get(source.package, set())
                and not (source.part == "repcore.plot" and target == "matplotlib" and imported.within_function)
                and not (source.part == "repcore.testing" and target == "hypothesis")
            ):
                yield f"{where}: {source.part} imports {target}"
        if uses_face:
            for name, line in attributes_of_core(source):
                if name not in public and not (name.startswith("__") and name.endswith("__")):
                    yield f"{at}:{line}: {CORE}.{name} is not a public name"
    for name, room in sorted(unused):
        yield f"{name}: does not import {room} any more; take it off SHORTHANDS"


def test_imports_run_one_way(root: Path) -> None:
    found = list(complaints(root, repcore.__all__, SHORTHANDS))
    assert not found, "\n".join(found)


def test_every_import_is_a_declared_dependency(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = packages_distributions()

    def normalise(name: str) -> str:
        return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", name, maxsplit=1)[0]).lower()

    undeclared: list[str] = []
    for source in read_sources(root):
        extra = project["optional-dependencies"][EXTRAS[source.part]] if source.part in EXTRAS else []
        declared = {normalise(requirement) for requirement in project["dependencies"] + extra}
        for imported in read_imports(source):
            target = imported.module.partition(".")[0]
            if target in sys.stdlib_module_names or target in (CORE, *BACKENDS):
                continue
            if declared.isdisjoint(normalise(name) for name in installed.get(target, [target])):
                undeclared.append(f"{source.path.relative_to(root)}:{imported.line}: {target}")
    assert not undeclared, "\n".join(undeclared)


GOOD = {
    "repcore/__init__.py": "from repcore.exact.number import Number\n__all__ = ['Number']\n",
    "repcore/errors.py": "class RepcoreError(Exception): ...\n",
    "repcore/exact/__init__.py": "from .number import numpy\n",
    "repcore/exact/number.py": "import numpy\nfrom ..errors import RepcoreError\nfrom . import field\n",
    "repcore/exact/field.py": "from repcore import errors\n",
    "repcore/plot.py": "def draw():\n    import matplotlib.pyplot\n",
    "repcore/testing/__init__.py": "from repcore import Number\nfrom repcore.testing.laws import law\n",
    "repcore/testing/laws.py": "import repcore as rc\nlaw = rc.Number, rc.__version__\n",
    "repcore/testing/strategies.py": "import hypothesis\n",
    "repcore/cli.py": "import repcore as rc\nfrom repcore.exact.number import Number\n",
    "backends/repcore_torch/__init__.py": "import torch\nimport repcore as rc\nfrom .linear import Linear\n",
    "backends/repcore_torch/linear.py": "from repcore import Number\nLinear = Number\n",
    "backends/repcore_jax/__init__.py": "import jax, optax\n",
    "backends/repcore_hypothesis/__init__.py": "import hypothesis\nfrom repcore.testing import laws\n",
}

PLANTED = {
    "up": ("repcore/exact/bad.py", "import repcore.groups.group\n"),
    "up, lazily": ("repcore/exact/bad.py", "def f():\n    from repcore.solve import solve\n"),
    "up, relatively": ("repcore/exact/bad.py", "from ..store import disk\n"),
    "up, by the name of a module": ("repcore/exact/bad.py", "from repcore import store\n"),
    "up, by a string": ("repcore/exact/bad.py", "import importlib\nimportlib.import_module('repcore.spec')\n"),
    "up, within a step": ("repcore/basis.py", "from repcore.decompose import decompose\n"),
    "up, for typing": ("repcore/reps/a.py", "import typing\nif typing.TYPE_CHECKING:\n    import repcore.plan\n"),
    "the public face, from inside": ("repcore/exact/bad.py", "from repcore import Number\n"),
    "a room without a place": ("repcore/shed.py", ""),
    "torch in the core": ("repcore/plan.py", "def f():\n    import torch\n"),
    "jax in the core": ("repcore/plan.py", "from jax import numpy\n"),
    "hypothesis in the core": ("repcore/plan.py", "import hypothesis\n"),
    "hypothesis in a backend": ("backends/repcore_jax/bad.py", "import hypothesis\n"),
    "matplotlib outside plot": ("repcore/cli.py", "def f():\n    import matplotlib\n"),
    "matplotlib at the top of plot": ("repcore/plot.py", "import matplotlib\n"),
    "a backend in the core": ("repcore/cli.py", "import repcore_torch\n"),
    "a backend in the other": ("backends/repcore_jax/bad.py", "from repcore_torch import Linear\n"),
    "the other framework": ("backends/repcore_jax/bad.py", "import torch.nn\n"),
    "a private module in a backend": ("backends/repcore_torch/bad.py", "from repcore.exact.number import Number\n"),
    "a private name in a backend": ("backends/repcore_torch/bad.py", "from repcore import Hidden\n"),
    "a private attribute in a backend": ("backends/repcore_torch/bad.py", "import repcore as rc\nrc.Hidden\n"),
    "a private name in testing": ("repcore/testing/bad.py", "from repcore.exact import number\n"),
}


def build(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_a_clean_tree_passes(tmp_path: Path) -> None:
    assert list(complaints(build(tmp_path, GOOD), ["Number"])) == []


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_arrow_is_found(tmp_path: Path, case: str) -> None:
    path, text = PLANTED[case]
    found = list(complaints(build(tmp_path, GOOD | {path: text}), ["Number"]))
    assert len(found) == 1
    assert found[0].startswith(path.removesuffix(".py"))


def test_a_shorthand_is_one_file_and_one_room_and_is_used(tmp_path: Path) -> None:
    shorthand = {("repcore/groups/group.py", "reps")}
    lazily = "def f():\n    from repcore.reps.tree import Rep\n"
    used = build(tmp_path / "used", GOOD | {"repcore/groups/group.py": lazily})
    assert list(complaints(used, ["Number"], shorthand)) == []
    beside = build(tmp_path / "beside", GOOD | {"repcore/groups/finite.py": lazily})
    assert len(list(complaints(beside, ["Number"], shorthand))) == 2  # the arrow, and the shorthand that nobody uses
