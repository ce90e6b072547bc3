"""The commands of the program."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

import repcore
from repcore.basis import EquivariantBasis
from repcore.cli.cache import Json, cache
from repcore.cli.decompose import decompose_command
from repcore.cli.export import Dtype, Target, exported
from repcore.cli.output import FAILED, progress, reported, show_json, show_table, show_text
from repcore.errors import SpecError, StoreError
from repcore.reps.hom import Hom
from repcore.spec import Spec, dump, load
from repcore.spec.table import hint
from repcore.store.atomic import reason, write_atomically
from repcore.store.cached import DEFAULT, explain, find, solve
from repcore.store.files import read_basis
from repcore.verify import verify

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help in a pipe
    help="Exact spaces of equivariant linear maps. Exit status: 0 done, 1 an error in what was given, 2 a call that is not "
    "understood, 3 verification failed.",
)
app.add_typer(cache, name="cache")
app.command("decompose")(decompose_command)

File = Annotated[Path, typer.Argument(help="A declarative file, .toml or .json.", show_default=False)]


def main() -> None:
    """Run the program on the arguments of the process."""
    app(prog_name="repcore")


def _version(wanted: bool) -> None:
    if wanted:
        show_text(f"repcore {repcore.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command("solve")
@reported
def solve_command(
    file: File,
    out: Annotated[Path, typer.Option(help="The directory for one .safetensors file a map; made if needed.", show_default=False)],
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Solve from scratch, and store nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Solve every map of a file, and write one basis file for each."""
    spec = _spec(file)
    _directory(out)
    store = None if no_cache else DEFAULT
    rows: list[dict[str, Any]] = []
    with progress(spec.maps.items(), quiet=as_json) as (maps, report):
        for name, space in maps:
            start = time.perf_counter()
            known = find(space, store=store)
            basis = known if known is not None else solve(space, store=store, progress=report)
            target = out / f"{name}.safetensors"
            dump(basis, target)
            rows.append(_row(name, space, basis, target, known is not None, time.perf_counter() - start))
    if as_json:
        show_json({"file": os.fspath(file), "out": os.fspath(out), "maps": rows})
        return
    headers = ("map", "unknowns", "dim", "route", "time", "certificate", "source")
    show_table(headers, [(*(r[h] for h in headers[:4]), f"{r['seconds']:.3f} s", r["certificate"], r["source"]) for r in rows])


def _row(name: str, space: Hom, basis: EquivariantBasis, target: Path, known: bool, seconds: float) -> dict[str, Any]:
    steps = dict.fromkeys(s.name for s in basis.steps if s.name != "split")
    return {
        "map": name,
        "space": str(space),
        "file": os.fspath(target),
        "shape": list(basis.shape),
        "unknowns": basis.shape[0] * basis.shape[1],
        "dim": basis.dim,
        "route": "+".join(steps) or "-",
        "seconds": round(seconds, 6),
        "certificate": basis.certificate.status,
        "source": "cached" if known else "solved",
        "digest": basis.digest,
    }


@app.command("explain")
@reported
def explain_command(
    file: File,
    name: Annotated[
        str | None, typer.Argument(metavar="[MAP]", help="One map; all of them by default.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Say how each map will be solved, and what is left to eliminate after each reduction."""
    spec = _spec(file)
    if name is not None and name not in spec.maps:
        raise SpecError(f"{file}: there is no map {name!r}{hint(name, spec.maps)}")
    chosen = [name] if name is not None else list(spec.maps)
    found = {n: explain(spec.maps[n]) for n in chosen}
    if as_json:
        show_json({"file": os.fspath(file), "maps": [{"map": n, **asdict(e)} for n, e in found.items()]})
    else:
        show_text("\n\n".join(f"{n}: {e}" for n, e in found.items()))


@app.command("verify")
@reported
def verify_command(
    paths: Annotated[list[Path], typer.Argument(help="Basis files, or directories of them.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Check basis files from the definition, by other code than the solver's. Exit status 3 if one does not pass."""
    rows: list[dict[str, Any]] = []
    with progress([(os.fspath(p), p) for p in _basis_files(paths)], quiet=as_json) as (files, _):
        for name, path in files:
            rows.append(_verified(name, path))
    if as_json:
        show_json({"files": rows})
    else:
        show_table(_VERIFIED, [[r[h] if r[h] is not None else "-" for h in _VERIFIED] for r in rows])
        for r in rows:
            if not r["ok"]:
                show_text("\n".join((f"\n{r['file']}:", *(f"  {note}" for note in r["notes"]))))
    if not all(r["ok"] for r in rows):
        raise typer.Exit(FAILED)


_VERIFIED = ("file", "space", "dim", "result")


def _verified(name: str, path: Path) -> dict[str, Any]:
    try:
        basis = read_basis(path)
    except StoreError as error:
        return {"file": name, "space": None, "dim": None, "ok": False, "result": "cannot be read", "notes": [str(error)]}
    found = verify(basis)
    result = "verified" if found else "NOT verified"
    notes = str(found).splitlines()[1:]
    return {"file": name, "space": str(basis.space), "dim": basis.dim, "ok": bool(found), "result": result, "notes": notes}


@app.command("export")
@reported
def export_command(
    file: Annotated[Path, typer.Argument(help="A basis file, .safetensors.", show_default=False)],
    to: Annotated[Target, typer.Option(help="npz and npy: dense floats; json: exact entries.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The file to write.", show_default=False)],
    orthonormal: Annotated[bool, typer.Option("--orthonormal", help="The orthonormal form instead of the echelon form.")] = False,
    dtype: Annotated[Dtype, typer.Option(help="Of the floats; complex where the field asks for it.")] = Dtype.float64,
    as_json: Json = False,
) -> None:
    """Write a basis in a form that other programs read."""
    basis = read_basis(file)
    write_atomically(out, exported(basis, to, dtype, orthonormal=orthonormal))
    if as_json:
        row = {"space": str(basis.space), "dim": basis.dim, "shape": list(basis.shape), "digest": basis.digest}
        show_json({"file": os.fspath(file), "out": os.fspath(out), "to": to.value, "orthonormal": orthonormal, **row})
    else:
        show_text(f"{out}: {basis.dim} elements of shape {basis.shape[0]} x {basis.shape[1]}, {basis.space}")


def _spec(file: Path) -> Spec:
    spec = load(file)
    if not isinstance(spec, Spec):
        raise SpecError(f"{file}: is a basis file; this command takes the .toml or .json file that declares the symmetry")
    if not spec.maps:
        raise SpecError(f'{file}: declares no maps; add a table [maps] with lines such as layer1 = "X >> Y"')
    return spec


def _directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise StoreError(f"{os.fspath(path)!r}: cannot be made a directory: {reason(error)}") from None


def _basis_files(paths: list[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        found = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
        if not found or not (path.is_dir() or path.exists()):
            raise StoreError(f"{os.fspath(path)!r}: there is no {'basis file in it' if path.is_dir() else 'such file'}")
        files += found
    return files
