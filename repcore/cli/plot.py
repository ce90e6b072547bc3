"""``repcore plot``: a picture of a basis, of a decomposition, or of the levels of a filter."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from repcore.basis import EquivariantBasis
from repcore.cli.files import Json, map_of, reps_of, spec_with_maps
from repcore.cli.output import progress, reported, show_json, show_text
from repcore.errors import IncompatibleError, SpecError
from repcore.plot.canvas import check_format, has_display, headless, save, show
from repcore.plot.verb import plot
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep
from repcore.solve.progress import Report
from repcore.spec import load
from repcore.store.cached import solve
from repcore.store.decomposed import decompose
from repcore.store.softened import soften

__all__ = ["plot_command"]


@reported
def plot_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A declarative file, or a basis file.", show_default=False)],
    name: Annotated[
        str | None,
        typer.Argument(metavar="MAP", help="A map of the file, where it declares several.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The picture to write: .png, .svg, .pdf; a window by default.", show_default=False)
    ] = None,
    rep: Annotated[
        str | None,
        typer.Option("--decompose", metavar="REP", help="The blocks of a representation instead of a basis.", show_default=False),
    ] = None,
    cutoff: Annotated[
        float | None,
        typer.Option(
            "--soften",
            metavar="CUTOFF",
            min=0,
            help="The levels of a space of maps, kept up to this distance from equivariant.",
            show_default=False,
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="How many elements of a basis to draw.")] = 16,
    as_json: Json = False,
) -> None:
    """Draw a basis, the blocks of a representation, or levels.

    By default the basis of a map, a tile for each element. With --decompose an element of the group as a matrix, before and after
    the change of basis that splits a representation; with --soften the levels of a map's space, from equivariant to free.
    Without --out a window shows the picture. Needs matplotlib: pip install 'repcore[plot]'.
    """
    if rep is not None and (name is not None or cutoff is not None):
        raise typer.BadParameter("--decompose is about a representation: leave MAP and --soften out")
    chosen = _chosen(file, name, rep)
    if out is not None:
        # Asked before anything is solved.
        headless()
        check_format(out)
    elif not has_display():
        raise IncompatibleError(f"out: there is no display to show the picture on; write it to a file, --out {file.stem}.png")
    with progress([(file.name, chosen)], quiet=as_json) as (each, report):
        (axes,) = [_drawn(x, cutoff, most, report) for _, x in each]
    title = axes.get_title(loc="left") or axes.get_legend().get_title().get_text()
    if out is None:
        show(axes.figure)
    else:
        save(axes.figure, out)
    if as_json:
        place = None if out is None else os.fspath(out)
        picture = "blocks" if rep is not None else "basis" if cutoff is None else "levels"
        show_json({"file": os.fspath(file), "out": place, "picture": picture, "title": title.splitlines()})
    elif out is not None:
        show_text(f"{out}: {'; '.join(title.splitlines())}")


def _chosen(file: Path, name: str | None, rep: str | None) -> Rep | Hom | EquivariantBasis:
    """What is to be drawn, not solved yet.

    Raises:
        SpecError: the file does not have it, or has several.
    """
    source = load(file)
    if isinstance(source, EquivariantBasis):
        if rep is not None or name is not None:
            raise SpecError(f"{file}: is the basis file of one space; leave MAP and --decompose out")
        return source
    if rep is not None:
        ((_, found),) = reps_of(file, source, rep).items()
        return found
    maps = spec_with_maps(file).maps
    if name is None and len(maps) > 1:
        raise SpecError(f"{file}: which map? It declares {', '.join(maps)}; write one of them after the file")
    return map_of(file, source, name if name is not None else next(iter(maps)))


def _drawn(chosen: Rep | Hom | EquivariantBasis, cutoff: float | None, most: int, report: Report | bool) -> Any:
    if isinstance(chosen, Rep):
        return plot(decompose(chosen))
    if cutoff is not None:
        return plot(soften(chosen, cutoff=cutoff))
    return plot(solve(chosen, progress=report) if isinstance(chosen, Hom) else chosen, most=most)
