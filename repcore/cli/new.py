"""``repcore new``: a declarative file to start from, with comments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from repcore.cli.files import Json
from repcore.cli.output import reported, show_json, show_text
from repcore.errors import SpecError, StoreError
from repcore.store.atomic import reason

__all__ = ["STARTER", "new_command"]

STARTER = """\
# A symmetry, its representations, and the equivariant maps between them. Change it, then
#     repcore solve {name} --out bases
# repcore info {name} shows what it declares, docs/reference/spec-file.md all that can stand here.

[group]                       # one way to say which group:
builtin = "dihedral(4)"       #   by name: "cyclic(8)", "SO(3)", "octahedral()", "symmetric(5)", "SU(2)", ...
# discrete = [                #   by matrices that generate it; entries are exact: 1, "1/2", "sqrt(2)/2", "cos(2*pi/5)"
#     [[0, -1], [1, 0]],
#     [[1, 0], [0, -1]],
# ]
# lie = [[[0, -1], [1, 0]]]   #   and, or, by matrices of its Lie algebra, for continuous groups
# permutations = ["(0 1 2 3)", "(0 2)"]     # by permutations, in cycles that count from 0

[reps]                        # V is the defining representation, 1 the trivial one: a number that nothing changes
image = {{ grid = 4 }}          # the cells of a 4 x 4 image, which the group permutes
hidden = "2*1 + 2*V"          # two numbers and two vectors; + is the direct sum, * the tensor product
label = "3*1"

[maps]                        # one line for each weight of a network
encode = "image >> hidden"
decode = "hidden >> label"
"""


@reported
def new_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, .toml.")] = Path("symmetry.toml"),
    as_json: Json = False,
) -> None:
    """Write a declarative file to start from, with comments.

    A file that exists is not overwritten.
    """
    if file.suffix.lower() != ".toml":
        raise SpecError(f"{os.fspath(file)!r}: a file with comments ends in .toml")
    try:
        # Before the file is there: a name may have no form in UTF-8.
        text = STARTER.format(name=file.name).encode()
        # "x": refused if it exists, without a moment between asking and writing.
        with open(file, "xb") as stream:
            stream.write(text)
    except FileExistsError:
        raise StoreError(f"{os.fspath(file)!r}: exists; give another name, or remove it first") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{os.fspath(file)!r}: cannot be written: {reason(error)}") from None
    if as_json:
        show_json({"file": os.fspath(file)})
    else:
        show_text(f"{file}: written; next: repcore solve {file} --out bases")
