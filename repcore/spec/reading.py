"""From plain data, as TOML and JSON give it, to a `Spec`."""

from __future__ import annotations

from typing import Any, cast

from repcore.errors import SpecError
from repcore.exact.grammar import shorten
from repcore.groups.group import Group
from repcore.reps.function_maps import FunctionMaps
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep
from repcore.spec.expression import Scope, Value, evaluate
from repcore.spec.functions import read_function_maps
from repcore.spec.groups import read_group, read_names, read_table
from repcore.spec.plain import check_plain
from repcore.spec.reps import read_reps
from repcore.spec.spec import RULE_OPTIONS, Spec, check_map_name
from repcore.spec.table import Table, hint

__all__ = ["read", "read_expression", "read_map", "read_rule"]


def read(document: object, file: str) -> Spec:
    """The spec that a document says; ``file`` begins each message.

    Raises:
        SpecError: file, key, place, what is wrong and what to do.
    """
    check_plain(document, file)
    table = read_table(document, file, ("group", "reps", "maps", "rules"))
    if "group" not in table:
        raise SpecError(f'{file}: there is no table [group]; begin with [group] and builtin = "SO(3)", or generators')
    group = read_group(table["group"], f"{file}: group")
    scope = read_reps(table.get("reps", {}), group, f"{file}: reps")
    maps: dict[str, Hom] = {}
    for name, text in read_names(table.get("maps", {}), f"{file}: maps").items():
        where = f"{file}: maps.{shorten(name)}"
        check_map_name(name, where)
        maps[name] = _map(text, scope, where)
    rules = _rules(table.get("rules", {}), group, scope, maps, f"{file}: rules")
    return Spec(group, {n: v.rep for n, v in scope.names.items() if not n.startswith("_")}, maps, rules)


def read_map(text: str, spec: Spec, where: str) -> Hom:
    """The space that a text such as ``"X >> Y"`` says, with the names of a spec.

    Raises:
        SpecError: with place, position and repair.
    """
    return _map(text, _scope(spec), where)


def read_rule(text: str, spec: Spec, where: str) -> Hom | FunctionMaps:
    """The space that a text in a rule says, with the names of a spec: as :func:`read_map`, or maps from images.

    Raises:
        SpecError: with place, position and repair.
    """
    return _maps(text, spec.group, _scope(spec), where)


def read_expression(text: str, spec: Spec, where: str) -> Rep:
    """The representation that a text such as ``"4*1 + V"`` says, with the names of a spec.

    Raises:
        SpecError: with place, position and repair.
    """
    return evaluate(text, _scope(spec), where).rep


def _scope(spec: Spec) -> Scope:
    return Scope(spec.group, {name: Value(rep) for name, rep in spec.reps.items()})


def _rules(data: object, group: Group, scope: Scope, maps: dict[str, Hom], where: str) -> dict[str, str | Table[str | int]]:
    """What rules say, as it is written; it is read here too, so that a file with a mistake is refused when it is loaded."""
    if not isinstance(data, dict):
        raise SpecError(f'{where}: expected a table of patterns, such as "layer1.*" = "X >> Y"')
    rules: dict[str, str | Table[str | int]] = {}
    for pattern, entry in cast(dict[str, Any], data).items():
        place = f"{where}.{shorten(repr(pattern))}"
        options = cast(dict[str, Any], entry) if isinstance(entry, dict) else {"maps": entry}
        for name, value in options.items():
            if name not in RULE_OPTIONS:
                is_map = isinstance(value, str) and ">>" in value
                dotted = f'; a pattern with dots is quoted, "{shorten(pattern)}.{shorten(name)}" = ...' if is_map else ""
                raise SpecError(f"{place}: there is no option {shorten(name)!r}{dotted or hint(name, RULE_OPTIONS)}")
            if not isinstance(value, RULE_OPTIONS[name]) or isinstance(value, bool):
                kind = "a whole number" if RULE_OPTIONS[name] is int else "a text"
                raise SpecError(f"{place}.{name}: expected {kind}, got {shorten(repr(value))}")
        if "maps" not in options:
            raise SpecError(f'{place}: does not say what the weights map; write "X >> Y", or {{ maps = "X >> Y", ... }}')
        text = options["maps"]
        if ">>" in text:
            _maps(text, group, scope, place)
        elif text not in maps:
            evaluate(text, scope, place)
        for name in ("spatial", "inner"):
            if name in options:
                evaluate(options[name], scope, f"{place}.{name}")
        rules[pattern] = text if len(options) == 1 else Table(options)
    return rules


def _maps(text: str, group: Group, scope: Scope, where: str) -> Hom | FunctionMaps:
    return read_function_maps(text, group, scope, where) or _map(text, scope, where)


def _map(text: object, scope: Scope, where: str) -> Hom:
    if not isinstance(text, str):
        given = repr(text)
        dotted = '; a name with a dot is quoted, "first.weight" = "X >> Y"' if given.startswith("{'") else ""
        raise SpecError(f'{where}: expected a text such as "X >> Y", got {shorten(given)}{dotted}')
    sides = text.split(">>")
    if len(sides) != 2:
        raise SpecError(f'{where}: {shorten(text)!r} has {len(sides) - 1} ">>"; write "X >> Y" for the maps from X to Y')
    domain, codomain = (
        evaluate(side, scope, f"{where}, {place} of >>").rep for side, place in zip(sides, ("left", "right"), strict=True)
    )
    return Hom(domain, codomain)
