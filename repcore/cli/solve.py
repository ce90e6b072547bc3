"""``repcore solve``: every map of a file, one after another or in several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer

from repcore.basis import EquivariantBasis
from repcore.cli.files import File, Json, directory, spec_with_maps
from repcore.cli.output import counted, progress, reported, show_json, show_table
from repcore.reps.hom import Hom
from repcore.solve.progress import Progress
from repcore.spec import dump
from repcore.store.cached import DEFAULT, StoreLike, find, solve
from repcore.store.many import solve_many

__all__ = ["solve_command"]


@reported
def solve_command(
    file: File,
    out: Annotated[Path, typer.Option(help="The directory for one .safetensors file a map; made if needed.", show_default=False)],
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Solve from scratch, and store nothing.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="How many maps to solve at a time, each in a process of its own.")] = 1,
    as_json: Json = False,
) -> None:
    """Solve every map of a file, a basis file for each.

    With --jobs how long each took, and by which route, is known to its process alone.
    """
    spec = spec_with_maps(file)
    directory(out)
    store = None if no_cache else DEFAULT
    if jobs > 1:
        rows = _at_once(spec.maps, out, store, jobs, quiet=as_json)
    else:
        rows = _in_turn(spec.maps, out, store, quiet=as_json)
    if as_json:
        show_json({"file": os.fspath(file), "out": os.fspath(out), "maps": rows})
        return
    headers = ("map", "unknowns", "dim", "route", "time", "certificate", "source")
    shown = [
        (*(r[h] for h in headers[:4]), "-" if r["seconds"] is None else f"{r['seconds']:.3f} s", r["certificate"], r["source"])
        for r in rows
    ]
    show_table(headers, shown)


def _in_turn(maps: Mapping[str, Hom], out: Path, store: StoreLike, *, quiet: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with progress(maps.items(), quiet=quiet) as (each, report):
        for name, space in each:
            start = time.perf_counter()
            known = find(space, store=store)
            basis = known if known is not None else solve(space, store=store, progress=report)
            target = out / f"{name}.safetensors"
            dump(basis, target)
            rows.append(_row(name, space, basis, target, known is not None, time.perf_counter() - start))
    return rows


def _at_once(maps: Mapping[str, Hom], out: Path, store: StoreLike, jobs: int, *, quiet: bool) -> list[dict[str, Any]]:
    """What is not known, by the workers of a pool; how long each took and by which route is known to them alone."""
    bases: dict[str, EquivariantBasis] = {}
    for name, space in maps.items():
        known = find(space, store=store)
        if known is not None:
            bases[name] = known
    cached = set(bases)
    wanted = {name: space for name, space in maps.items() if name not in bases}
    if wanted:
        workers = min(jobs, len({space.digest for space in wanted.values()}))
        # Spawned: a bar has a thread of its own, and a process with threads is not to be forked.
        context = multiprocessing.get_context("spawn")
        with (
            ProcessPoolExecutor(workers, mp_context=context, initializer=_die_silently) as pool,
            counted(f"{len(wanted)} maps, {workers} at a time", quiet=quiet) as count,
        ):

            def told(stage: Progress) -> None:
                count(stage.done or 0, stage.total or 0)

            try:
                bases |= solve_many(wanted, pool, store=store, progress=told)
            except KeyboardInterrupt:
                # The pool would wait for what its workers have begun.
                for worker in multiprocessing.active_children():
                    worker.terminate()
                raise
    rows: list[dict[str, Any]] = []
    for name, space in maps.items():
        target = out / f"{name}.safetensors"
        dump(bases[name], target)
        rows.append(_row(name, space, bases[name], target, name in cached, None))
    return rows


def _die_silently() -> None:
    """Ctrl-C reaches the workers as well; what is to be said of it the program says."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _row(name: str, space: Hom, basis: EquivariantBasis, target: Path, known: bool, seconds: float | None) -> dict[str, Any]:
    steps = dict.fromkeys(s.name for s in basis.steps if s.name != "split")
    return {
        "map": name,
        "space": str(space),
        "file": os.fspath(target),
        "shape": list(basis.shape),
        "unknowns": basis.shape[0] * basis.shape[1],
        "dim": basis.dim,
        "route": "+".join(steps) or "-",
        "seconds": None if seconds is None else round(seconds, 6),
        "certificate": basis.certificate.status,
        "source": "cached" if known else "solved",
        "digest": basis.digest,
    }
