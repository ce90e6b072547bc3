"""`repcore decompose`: the isotypic components of the representations of a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from repcore.cli.cache import Json
from repcore.cli.output import reported, show_json, show_table
from repcore.errors import SpecError
from repcore.reps.tree import Rep
from repcore.spec import Spec, load
from repcore.spec.table import hint
from repcore.store.decomposed import decompose

__all__ = ["decompose_command"]


@reported
def decompose_command(
    file: Annotated[Path, typer.Argument(help="A declarative file, .toml or .json.", show_default=False)],
    name: Annotated[
        str | None, typer.Argument(metavar="[REP]", help="One representation; all of them by default.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Split representations into irreducible ones: multiplicities, dimensions and types.

    Multiplicities, dimensions and types are proved; "residual" bounds how far the float64 change of basis is from exact.
    """
    rows = [row for n, rep in _chosen(file, name).items() for row in _rows(n, rep)]
    if as_json:
        show_json({"file": os.fspath(file), "components": rows})
        return
    headers = ("rep", "dim", "multiplicity", "irrep dim", "type", "residual")
    show_table(headers, [(*(r[h] for h in headers[:5]), f"{r['residual']:.1e}") for r in rows])


def _chosen(file: Path, name: str | None) -> dict[str, Rep]:
    spec = load(file)
    if not isinstance(spec, Spec):
        raise SpecError(f"{file}: is a basis file; this command takes the .toml or .json file that declares the symmetry")
    known = {"V": spec.group.rep, **spec.reps}
    if name is None:
        return dict(spec.reps) or {"V": spec.group.rep}
    if name not in known:
        raise SpecError(f"{file}: there is no representation {name!r}{hint(name, known)}")
    return {name: known[name]}


def _rows(name: str, rep: Rep) -> list[dict[str, Any]]:
    found = decompose(rep)
    return [
        {
            "rep": name,
            "dim": rep.dim,
            "multiplicity": c.multiplicity,
            "irrep dim": c.irrep.dim,
            "type": c.irrep.type,
            "residual": float(found.residual),
        }
        for c in found
    ]
