"""The commands of the program."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

import repcore
from repcore.cli.cache import cache
from repcore.cli.decompose import decompose_command
from repcore.cli.export import Dtype, Target, exported
from repcore.cli.files import File, Json, basis_files, example, map_of, spec_with_maps
from repcore.cli.info import info_command
from repcore.cli.new import new_command
from repcore.cli.output import FAILED, progress, reported, show_json, show_table, show_text
from repcore.cli.plot import plot_command
from repcore.cli.solve import solve_command
from repcore.errors import StoreError
from repcore.store.atomic import write_atomically
from repcore.store.cached import explain
from repcore.store.files import read_basis
from repcore.verify import verify

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help in a pipe
    help="Exact spaces of equivariant linear maps. Exit status: 0 done, 1 an error in what was given, 2 a call that is not "
    "understood, 3 verification failed, 130 interrupted, 141 nobody reads the output.",
    epilog="Begin with: repcore new symmetry.toml",
)


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


@reported
def explain_command(
    file: File,
    name: Annotated[
        str | None, typer.Argument(metavar="MAP", help="One map; all of them by default.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Say how each map will be solved.

    With what is left to eliminate after each reduction. Nothing is solved.
    """
    spec = spec_with_maps(file)
    chosen = spec.maps if name is None else {name: map_of(file, spec, name)}
    found = {n: explain(space) for n, space in chosen.items()}
    if as_json:
        show_json({"file": os.fspath(file), "maps": [{"map": n, **asdict(e)} for n, e in found.items()]})
    else:
        show_text("\n\n".join(f"{n}: {e}" for n, e in found.items()))


@reported
def verify_command(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Basis files, or directories of them.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Check basis files from the definition.

    By other code than the solver's. Exit status 3 if one does not pass.
    """
    rows: list[dict[str, Any]] = []
    with progress([(os.fspath(p), p) for p in basis_files(paths)], quiet=as_json) as (files, _):
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


@reported
def export_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A basis file, .safetensors.", show_default=False)],
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


# In the order of the help: from a file of one's own to bases, what is in them, and where they are kept.
app.command("new", epilog=example("new symmetry.toml"))(new_command)
app.command("info", epilog=example("info symmetry.toml"))(info_command)
app.command("explain", epilog=example("explain symmetry.toml encode"))(explain_command)
app.command("solve", epilog=example("solve symmetry.toml --out bases"))(solve_command)
app.command("verify", epilog=example("verify bases"))(verify_command)
app.command("plot", epilog=example("plot symmetry.toml encode --out encode.png"))(plot_command)
app.command("decompose", epilog=example("decompose symmetry.toml hidden"))(decompose_command)
app.command("export", epilog=example("export bases/encode.safetensors --to npz --out encode.npz"))(export_command)
app.add_typer(cache, name="cache")
