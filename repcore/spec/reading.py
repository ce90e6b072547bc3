"""From plain data, as TOML and JSON give it, to a `Spec`."""

from __future__ import annotations

from repcore.errors import SpecError
from repcore.exact.grammar import shorten
from repcore.reps.hom import Hom
from repcore.spec.expression import Scope, evaluate
from repcore.spec.groups import read_group, read_names, read_table
from repcore.spec.plain import check_plain
from repcore.spec.reps import read_reps
from repcore.spec.spec import Spec, check_map_name

__all__ = ["read"]


def read(document: object, file: str) -> Spec:
    """The spec that a document says; ``file`` begins each message.

    Raises:
        SpecError: file, key, place, what is wrong and what to do.
    """
    check_plain(document, file)
    table = read_table(document, file, ("group", "reps", "maps"))
    if "group" not in table:
        raise SpecError(f'{file}: there is no table [group]; begin with [group] and builtin = "SO(3)", or generators')
    group = read_group(table["group"], f"{file}: group")
    scope = read_reps(table.get("reps", {}), group, f"{file}: reps")
    maps: dict[str, Hom] = {}
    for name, text in read_names(table.get("maps", {}), f"{file}: maps").items():
        where = f"{file}: maps.{shorten(name)}"
        check_map_name(name, where)
        maps[name] = _map(text, scope, where)
    return Spec(group, {n: v.rep for n, v in scope.names.items() if not n.startswith("_")}, maps)


def _map(text: object, scope: Scope, where: str) -> Hom:
    if not isinstance(text, str):
        raise SpecError(f'{where}: expected a text such as "X >> Y", got {shorten(repr(text))}')
    sides = text.split(">>")
    if len(sides) != 2:
        raise SpecError(f'{where}: {shorten(text)!r} has {len(sides) - 1} ">>"; write "X >> Y" for the maps from X to Y')
    domain, codomain = (
        evaluate(side, scope, f"{where}, {place} of >>").rep for side, place in zip(sides, ("left", "right"), strict=True)
    )
    return Hom(domain, codomain)
