"""`repcore decompose`: the isotypic components of the representations of a file."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from repcore.cli.files import File, Json, reps_of, spec_of
from repcore.cli.output import reported, show_json, show_table
from repcore.reps.tree import Rep
from repcore.store.decomposed import decompose

__all__ = ["decompose_command"]


@reported
def decompose_command(
    file: File,
    name: Annotated[
        str | None, typer.Argument(metavar="REP", help="One representation; all of them by default.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Split representations into irreducible ones.

    Multiplicities, dimensions and types are proved; "residual" bounds how far the float64 change of basis is from exact.
    """
    rows = [row for n, rep in reps_of(file, spec_of(file), name).items() for row in _rows(n, rep)]
    if as_json:
        show_json({"file": os.fspath(file), "components": rows})
        return
    headers = ("rep", "dim", "multiplicity", "irrep dim", "type", "residual")
    show_table(headers, [(*(r[h] for h in headers[:5]), f"{r['residual']:.1e}") for r in rows])


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
