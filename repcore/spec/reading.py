"""From plain data, as TOML and JSON give it, to a `Spec`."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, cast

from repcore.errors import SpecError
from repcore.exact.grammar import shorten
from repcore.groups.group import Group, PermutationGroup
from repcore.reps.cosets import quotient
from repcore.reps.custom import Custom
from repcore.reps.hom import Hom
from repcore.reps.irreps import irreps_from
from repcore.reps.lifted import lift
from repcore.reps.permutation import grid, permutation
from repcore.reps.tree import Rep
from repcore.spec.expression import Scope, Value, check_name, evaluate, names_in, placed
from repcore.spec.groups import read_group, read_label, read_list, read_permutations, read_table, read_text
from repcore.spec.plain import check_plain
from repcore.spec.spec import Spec, check_map_name

__all__ = ["read"]

_NAMES = 2000
_KINDS = ("permutations", "discrete", "lie", "grid", "irreps", "quotient", "restrict")


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
    scope = _reps(_named(table.get("reps", {}), f"{file}: reps"), group, file)
    maps: dict[str, Hom] = {}
    for name, text in _named(table.get("maps", {}), f"{file}: maps").items():
        where = f"{file}: maps.{shorten(name)}"
        check_map_name(name, where)
        maps[name] = _map(text, scope, where)
    return Spec(group, {n: v.rep for n, v in scope.names.items() if not n.startswith("_")}, maps)


def _named(data: object, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise SpecError(f"{where}: expected a table of names, got {shorten(repr(data))}")
    table = cast(dict[str, Any], data)
    if len(table) > _NAMES:
        raise SpecError(f"{where}: has {len(table)} names, more than {_NAMES}; split the file")
    return table


def _reps(table: Mapping[str, Any], group: Group, file: str) -> Scope:
    """All representations, each after those that it names; the scope lists them in the order of the file."""
    uses: dict[str, set[str]] = {}
    for name, entry in table.items():
        where = f"{file}: reps.{shorten(name)}"
        check_name(name, where)
        found = names_in(entry, where) if not isinstance(entry, dict) else set[str]()
        uses[name] = found & table.keys()
    try:
        order = list(TopologicalSorter(uses).static_order())
    except CycleError as error:
        circle = cast(list[str], error.args[1])
        raise SpecError(
            f"{file}: reps.{circle[0]}: the definitions go round in a circle, {' <- '.join(circle)}; "
            "define one of them without the others"
        ) from None
    names: dict[str, Value] = {}
    factors: dict[int, dict[str, Value]] = {}
    scope = Scope(group, names, factors)
    for name in order:
        where = f"{file}: reps.{name}"
        entry = table[name]
        if isinstance(entry, dict):
            names[name] = _explicit(cast(dict[str, Any], entry), name, scope, factors, where)
        else:
            names[name] = evaluate(entry, scope, where)
    return Scope(group, {name: names[name] for name in table}, factors)


def _explicit(entry: dict[str, Any], name: str, scope: Scope, factors: dict[int, dict[str, Value]], where: str) -> Value:
    table = read_table(entry, where, (*_KINDS, "of", "factor", "name"))
    group, factor = scope.group, table.get("factor")
    if factor is not None:
        count = len(group.factors)
        if not isinstance(factor, int) or isinstance(factor, bool) or not 0 <= factor < count:
            known = f"factors 0 to {count - 1}" if count else "no factors, it is no product"
            raise SpecError(f"{where}.factor: the group has {known}; got {shorten(repr(factor))}")
        inner = _value(table, name, group.factors[factor], where)
        factors.setdefault(factor, {})[name] = inner
        with placed(where):
            return Value(lift(inner.rep, group, factor), inner.size + 1, inner.depth + 1)
    return _value(table, name, group, where)


def _value(table: dict[str, Any], name: str, group: Group, where: str) -> Value:
    kinds = [k for k in _KINDS if k in table]
    if not kinds or (len(kinds) > 1 and kinds != ["discrete", "lie"]):
        found = f"both {kinds[0]} and {kinds[1]}" if kinds else "none of them"
        raise SpecError(
            f"{where}: give discrete and lie (images of the generators), or one of permutations, grid, irreps, quotient and "
            f"restrict; found {found}"
        )
    kind = kinds[0]
    if ("of" in table) != (kind == "restrict"):
        raise SpecError(f'{where}: restrict and of go together, as in {{ restrict = "V*V", of = {{ builtin = "SO(3)" }} }}')
    label = read_label(table.get("name", name), f"{where}.name")
    if kind == "restrict":
        larger = read_group(table["of"], f"{where}.of")
        inner = evaluate(table[kind], Scope(larger), f"{where}.restrict")
        with placed(where):
            return Value(inner.rep.restrict(group), inner.size + 1, inner.depth + 1)
    return Value(_images(kind, table, label, group, where))


def _images(kind: str, table: dict[str, Any], label: str, group: Group, where: str) -> Rep:
    if kind == "grid":
        size = table[kind]
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= 1000:
            raise SpecError(f"{where}.grid: expected an integer from 1 to 1000, got {shorten(repr(size))}")
        with placed(f"{where}.grid"):
            return grid(group, size)
    if kind == "permutations":
        images = read_permutations(table[kind], f"{where}.permutations")
        with placed(f"{where}.permutations"):
            return permutation(group, images, name=label)
    if kind == "irreps":
        text = read_text(table[kind], f"{where}.irreps")
        with placed(f"{where}.irreps"):
            return irreps_from(text, group)
    if kind == "quotient":
        generators = read_list(table[kind], f"{where}.quotient")
        with placed(f"{where}.quotient"):
            return quotient(group, _subgroup(generators, group, f"{where}.quotient"))
    discrete, lie = (read_list(table.get(k, []), f"{where}.{k}") for k in ("discrete", "lie"))
    with placed(where):
        return Custom(group, discrete, lie, label)


def _subgroup(generators: list[Any], group: Group, where: str) -> Group:
    """Generators in the defining representation; permutations may be written as such."""

    def is_permutation(g: Any) -> bool:
        return isinstance(g, str) or (isinstance(g, list) and all(isinstance(x, int) for x in cast(list[Any], g)))

    if group.is_permutation and all(map(is_permutation, generators)):
        return PermutationGroup(read_permutations(generators, where), degree=group.dim)
    return Group(generators, dim=group.dim)


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
