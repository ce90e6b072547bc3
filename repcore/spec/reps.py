"""The table ``[reps]``: from plain data to representations. A text is an expression; a table says what no expression can."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, cast

from repcore.errors import SpecError
from repcore.exact.grammar import shorten
from repcore.groups.group import Group, PermutationGroup
from repcore.reps.cosets import quotient
from repcore.reps.custom import Custom
from repcore.reps.induced import induced
from repcore.reps.irreps import irreps_from
from repcore.reps.lifted import lift
from repcore.reps.permutation import grid, permutation
from repcore.reps.tensors import tensors
from repcore.reps.tree import Rep
from repcore.spec.expression import (
    TABLES,
    Scope,
    Value,
    check_name,
    check_size,
    check_value,
    evaluate,
    names_in,
    placed,
    too_many_cells,
)
from repcore.spec.groups import read_group, read_label, read_list, read_names, read_permutations, read_table, read_text

__all__ = ["read_reps"]

_KINDS = ("permutations", "discrete", "lie", "grid", "irreps", "quotient", "tensors", "restrict", "induced")
_OF = ("tensors", "restrict", "induced")  # made of something else
_ELSEWHERE = ("restrict", "induced")  # namely of a representation of another group


def read_reps(data: object, group: Group, where: str) -> Scope:
    """All representations of a table, each after those that it names; the scope lists them in the order of the table.

    Raises:
        SpecError: with the place ``where.name``.
    """
    table = read_names(data, where)
    uses: dict[str, set[str]] = {}
    for name, entry in table.items():
        place = f"{where}.{shorten(name)}"
        check_name(name, place)
        uses[name] = _uses(entry, place) & table.keys()
    try:
        order = list(TopologicalSorter(uses).static_order())
    except CycleError as error:
        circle = cast(list[str], error.args[1])
        raise SpecError(
            f"{where}.{circle[0]}: the definitions go round in a circle, {' <- '.join(circle)}; "
            "define one of them without the others"
        ) from None
    names: dict[str, Value] = {}
    factors: dict[int, dict[str, Value]] = {}
    scope = Scope(group, names, factors)
    for name in order:
        entry = table[name]
        if isinstance(entry, dict):
            names[name] = _entry(cast(dict[str, Any], entry), name, scope, factors, f"{where}.{name}")
        else:
            names[name] = evaluate(entry, scope, f"{where}.{name}")
    return Scope(group, {name: names[name] for name in table}, factors)


def _uses(entry: object, where: str) -> set[str]:
    """The names that an entry uses; those inside ``restrict`` and ``induced`` are of another group."""
    if not isinstance(entry, dict):
        return names_in(entry, where)
    table = cast(dict[str, Any], entry)
    if "grid" in table and "spatial" in table:
        return names_in(table["spatial"], f"{where}.spatial")
    if "of" not in table or [k for k in _KINDS if k in table] != ["tensors"]:
        return set()
    of = table["of"]
    if not isinstance(of, dict):
        return names_in(of, f"{where}.of")
    return {n for key, text in cast(dict[str, Any], of).items() for n in names_in(text, f"{where}.of.{shorten(key)}")}


def _entry(entry: dict[str, Any], name: str, scope: Scope, factors: dict[int, dict[str, Value]], where: str) -> Value:
    table = read_table(entry, where, (*_KINDS, "of", "reps", "spatial", "factor", "name"))
    group, factor = scope.group, table.get("factor")
    if factor is None:
        return _value(table, name, scope, where)
    count = len(group.factors)
    if not isinstance(factor, int) or isinstance(factor, bool) or not 0 <= factor < count:
        known = f"factors 0 to {count - 1}" if count else "no factors, it is no product"
        raise SpecError(f"{where}.factor: the group has {known}; got {shorten(repr(factor))}")
    known_there = factors.setdefault(factor, {})
    inner = _value(table, name, Scope(group.factors[factor], known_there), where)
    known_there[name] = inner
    with placed(where):
        return check_value(Value(lift(inner.rep, group, factor), inner.size + 1, inner.depth + 1), where)


def _value(table: dict[str, Any], name: str, scope: Scope, where: str) -> Value:
    kinds = [k for k in _KINDS if k in table]
    if not kinds or (len(kinds) > 1 and kinds != ["discrete", "lie"]):
        found = f"both {kinds[0]} and {kinds[1]}" if kinds else "none of them"
        raise SpecError(
            f"{where}: give discrete and lie (images of the generators), or one of {', '.join(_KINDS[3:-1])}, {_KINDS[-1]} and "
            f"{_KINDS[0]}; found {found}"
        )
    kind = kinds[0]
    if kind in _OF and "of" not in table:
        raise SpecError(f"{where}: {kind} and of go together, as in {TABLES[kind]}")
    for key, owners in (("of", _OF), ("reps", _ELSEWHERE), ("spatial", ("grid",))):
        if key in table and kind not in owners:
            raise SpecError(f"{where}.{key}: goes with {' or '.join(owners)}, not with {kind}; leave it out")
    label = read_label(table.get("name", name), f"{where}.name")
    if kind == "tensors":
        return _tensors(table, scope, where)
    if kind in _ELSEWHERE:
        return _elsewhere(kind, table, scope.group, where)
    return Value(_images(kind, table, label, scope, where))


def _tensors(table: dict[str, Any], scope: Scope, where: str) -> Value:
    """``{ tensors = "ijk=jik", of = "V" }``, or ``of = { i = "V", j = "V", k = "W" }``."""
    formula, of = read_text(table["tensors"], f"{where}.tensors"), table["of"]
    given: Rep | Mapping[str, Rep]
    if isinstance(of, dict):
        indices = sorted(set(filter(str.isalpha, formula)))
        texts = read_table(cast(object, of), f"{where}.of", indices)
        parts = {i: evaluate(text, scope, f"{where}.of.{i}") for i, text in texts.items()}
        given = {i: v.rep for i, v in parts.items()}
        values = list(parts.values())
    else:
        value = evaluate(of, scope, f"{where}.of")
        given = value.rep
        values = [value] * sum(map(str.isalpha, formula.partition("=")[0]))
    # A product of powers is two levels.
    size, depth = 1 + sum(v.size for v in values), 2 + max((v.depth for v in values), default=0)
    check_size(size, depth, where)
    with placed(f"{where}.tensors"):
        return check_value(Value(tensors(given, formula), size, depth), where)


def _elsewhere(kind: str, table: dict[str, Any], group: Group, where: str) -> Value:
    """``{ restrict = "W", of = {group}, reps = {names for W} }``, and ``induced`` likewise."""
    of: Any = table["of"]
    if isinstance(of, dict) and "permutations" in of:
        # The two groups act on the same points, so their number need not be said.
        of = {"dim": group.dim, **cast(dict[str, Any], of)}
    other = read_group(cast(object, of), f"{where}.of")
    inner = evaluate(table[kind], read_reps(table.get("reps", {}), other, f"{where}.reps"), f"{where}.{kind}")
    with placed(where):
        rep = inner.rep.restrict(group) if kind == "restrict" else induced(inner.rep, group)
        return check_value(Value(rep, inner.size + 1, inner.depth + 1), where)


def _grid(table: dict[str, Any], scope: Scope, where: str) -> Rep:
    """``{ grid = 8 }``, or ``{ grid = [3, 5], spatial = "V" }``."""
    given: Any = table["grid"]
    sizes: list[Any] = cast(list[Any], given) if isinstance(given, list) else [given]
    if not sizes or not all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= 1000 for n in sizes):
        what = "sizes, integers from 1 to 1000" if isinstance(given, list) else "an integer from 1 to 1000"
        raise SpecError(f"{where}.grid: expected {what}, got {shorten(repr(cast(object, given)))}")
    spatial = evaluate(table["spatial"], scope, f"{where}.spatial").rep if "spatial" in table else scope.group.rep
    if problem := too_many_cells(sizes * (1 if isinstance(given, list) else spatial.dim)):
        raise SpecError(f"{where}.grid: {problem}")
    with placed(f"{where}.grid"):
        return grid(scope.group, sizes if isinstance(given, list) else given, spatial=spatial)


def _images(kind: str, table: dict[str, Any], label: str, scope: Scope, where: str) -> Rep:
    group = scope.group
    if kind == "grid":
        return _grid(table, scope, where)
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
