"""``repcore info``: what is in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from repcore.cli.files import Json
from repcore.cli.output import reported, show_json, show_table, show_text, size_text
from repcore.errors import GroupTooLargeError
from repcore.groups.finite import order
from repcore.groups.group import Group
from repcore.interchange.model import ModelFile
from repcore.interchange.reading import is_model, read_model
from repcore.reps.hom import Hom
from repcore.spec import Spec, load
from repcore.store.files import read_summary

__all__ = ["info_command"]


@reported
def info_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of repcore.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Say what is in a file.

    Of a declarative file the group, the representations and the maps; of a model file the weights. Of a basis file
    the header, which is believed here: repcore verify checks it.
    """
    if file.suffix.lower() != ".safetensors":
        _show_spec(file, load(file), as_json)
    elif is_model(file):
        _show_model(file, read_model(file), as_json)
    else:
        _show_basis(file, as_json)


def _show_basis(file: Path, as_json: bool) -> None:
    found = read_summary(file)
    facts: dict[str, Any] = {
        "space": found.space,
        "shape": list(found.shape),
        "unknowns": found.shape[0] * found.shape[1],
        "dim": found.dim,
        "field": found.field,
        "certificate": found.status,
        "digest": found.basis_digest,
        "space digest": found.space_digest,
        "bytes": file.stat().st_size,
    }
    if as_json:
        show_json({"file": os.fspath(file), "kind": "basis", **facts})
        return
    shown = facts | {"shape": f"{found.shape[0]} x {found.shape[1]}", "size": size_text(facts["bytes"])}
    del shown["bytes"]
    _show_facts(f"{file}: a basis file", shown)


def _show_spec(file: Path, spec: Any, as_json: bool) -> None:
    if not isinstance(spec, Spec):
        return
    G = spec.group
    elements = _order(G)
    facts: dict[str, Any] = {"group": str(G), "dim": G.dim, "discrete": len(G.discrete), "lie": len(G.lie), "order": elements}
    reps: list[dict[str, Any]] = [{"rep": name, "dim": rep.dim, "is": str(rep)} for name, rep in spec.reps.items()]
    maps: list[dict[str, Any]] = [{"map": name, **_space(space)} for name, space in spec.maps.items()]
    if as_json:
        rules = {k: v if isinstance(v, str) else dict(v) for k, v in spec.rules.items()}
        show_json({"file": os.fspath(file), "kind": "spec", "group": facts, "reps": reps, "maps": maps, "rules": rules})
        return
    generators = f"{len(G.discrete)} discrete, {len(G.lie)} of the Lie algebra"
    counted = f"{elements:,}" if elements is not None else "infinite" if G.lie else "infinite, or too large to count"
    shown = {
        "group": f"{G}, {G.dim} x {G.dim} matrices",
        "order": counted,
        "generators": generators,
        "rules": len(spec.rules),
    }
    _show_facts(f"{file}: a declarative file", shown)
    for rows in (reps, maps):
        if rows:
            show_text("")
            show_table(list(rows[0]), [[_cell(v) for v in row.values()] for row in rows])


def _order(group: Group) -> int | None:
    """The number of elements, where it is finite and can be counted: what tells a wrong generator from the one that was meant."""
    try:
        return None if group.lie else order(group)
    except GroupTooLargeError:
        return None


def _show_model(file: Path, model: ModelFile, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [
        {"weight": name, "maps": w.label, "shape": list(w.view.shape), "dim": w.plan.dim, "digest": w.digest}
        for name, w in model.weights.items()
    ]
    others = [{"weight": name, "shape": list(t.shape)} for name, t in model.tensors.items()]
    if as_json:
        show_json({"file": os.fspath(file), "kind": "model", "weights": rows, "others": others})
        return
    _show_facts(f"{file}: a model file", {"by coefficients": len(rows), "others": len(others)})
    if rows:
        show_text("")
        cut: list[dict[str, Any]] = [row | {"digest": row["digest"][:12]} for row in rows]
        show_table(list(rows[0]), [[_cell(v) for v in row.values()] for row in cut])


def _space(space: Hom) -> dict[str, Any]:
    return {"shape": list(space.shape), "unknowns": space.shape[0] * space.shape[1], "space": str(space)}


def _show_facts(title: str, facts: dict[str, Any]) -> None:
    width = max(map(len, facts))
    show_text("\n".join([title, *(f"{name:{width}}  {value}" for name, value in facts.items())]))


def _cell(value: Any) -> str:
    return " x ".join(map(str, cast("list[int]", value))) if isinstance(value, list) else str(value)
