"""What the commands are given: declarative files, their maps and representations, and files of bases."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from repcore.errors import SpecError, StoreError
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep
from repcore.spec import Spec, load
from repcore.spec.table import hint
from repcore.store.atomic import reason

__all__ = ["File", "Json", "basis_files", "directory", "example", "map_of", "reps_of", "spec_of", "spec_with_maps"]

File = Annotated[Path, typer.Argument(metavar="FILE", help="A declarative file, .toml or .json.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def example(call: str) -> str:
    """The last line of a help text."""
    return f"Example: repcore {call}"


def spec_of(file: Path) -> Spec:
    """The spec of a declarative file.

    Raises:
        SpecError: it is none, or a basis file.
    """
    spec = load(file)
    if not isinstance(spec, Spec):
        raise SpecError(f"{file}: is a basis file; this command takes the .toml or .json file that declares the symmetry")
    return spec


def spec_with_maps(file: Path) -> Spec:
    """The same, with one map at least.

    Raises:
        SpecError: as above, or a file without maps.
    """
    spec = spec_of(file)
    if not spec.maps:
        raise SpecError(f'{file}: declares no maps; add a table [maps] with lines such as layer1 = "X >> Y"')
    return spec


def map_of(file: Path, spec: Spec, name: str) -> Hom:
    """A map by its name.

    Raises:
        SpecError: there is none of that name.
    """
    if name not in spec.maps:
        raise SpecError(f"{file}: there is no map {name!r}{hint(name, spec.maps)}")
    return spec.maps[name]


def reps_of(file: Path, spec: Spec, name: str | None) -> Mapping[str, Rep]:
    """The representation of a name, V if the file does not say otherwise; all that are declared for None.

    Raises:
        SpecError: there is none of that name.
    """
    known = {"V": spec.group.rep, **spec.reps}
    if name is None:
        return dict(spec.reps) or {"V": spec.group.rep}
    if name not in known:
        raise SpecError(f"{file}: there is no representation {name!r}{hint(name, known)}")
    return {name: known[name]}


def directory(path: Path) -> None:
    """Make a directory, if there is none.

    Raises:
        StoreError: that is not possible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise StoreError(f"{os.fspath(path)!r}: cannot be made a directory: {reason(error)}") from None


def basis_files(paths: list[Path]) -> list[Path]:
    """Files as they are, and of directories all basis files in them.

    Raises:
        StoreError: there is no such file, or none in a directory.
    """
    files: list[Path] = []
    for path in paths:
        found = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
        if not found or not (path.is_dir() or path.exists()):
            raise StoreError(f"{os.fspath(path)!r}: there is no {'basis file in it' if path.is_dir() else 'such file'}")
        files += found
    return files
