"""The table ``[group]``: from plain data to a `Group`, and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from repcore.errors import SpecError
from repcore.exact.grammar import Call, Integer, Name, Node, parse, shorten
from repcore.exact.matrix import Matrix
from repcore.groups import named as constructors
from repcore.groups.group import Group, PermutationGroup, direct_product, named
from repcore.spec.expression import placed
from repcore.spec.table import hint

__all__ = [
    "plain_matrices",
    "read_group",
    "read_label",
    "read_list",
    "read_names",
    "read_permutations",
    "read_table",
    "read_text",
    "write_group",
]

# Constructors and the largest argument that is taken: Lie groups of n x n matrices have of the order of n^2 generators.
_BUILTINS: dict[str, int] = {
    **dict.fromkeys(("GL", "O", "SL", "SO", "SU", "Sp", "U", "affine", "alternating"), 64),
    **dict.fromkeys(("E", "SE", "translations"), 64),
    **dict.fromkeys(("hyperoctahedral", "scaling", "symmetric"), 10_000),
    **dict.fromkeys(("cyclic", "dihedral", "quaternion"), 1_000),
    **dict.fromkeys(("icosahedral", "lorentz", "octahedral", "tetrahedral"), 0),
}
_SHORT = {"A": "alternating", "C": "cyclic", "D": "dihedral", "S": "symmetric"}  # as in books: D4
_FULL = ("icosahedral", "lorentz", "octahedral", "tetrahedral")
_KINDS = ("builtin", "permutations", "discrete", "lie", "product")
_NAMES = 2000
_POINTS = 100_000
_CELLS = 20_000_000


# -- reading -----------------------------------------------------------------------------------------------------------


def read_group(data: object, where: str, depth: int = 0) -> Group:
    """The group that a table declares.

    Raises:
        SpecError: with the place ``where.key``.
    """
    table = read_table(data, where, (*_KINDS, "name", "dim"))
    name = read_label(table.get("name", ""), f"{where}.name")
    dim = table.get("dim")
    if dim is not None and (not isinstance(dim, int) or isinstance(dim, bool) or not 1 <= dim <= _POINTS):
        raise SpecError(f"{where}.dim: expected an integer from 1 to {_POINTS}, got {shorten(repr(dim))}")
    kinds = [k for k in _KINDS if k in table]
    if len(kinds) > 1 and kinds != ["discrete", "lie"]:
        raise SpecError(f"{where}: has both {kinds[0]} and {kinds[1]}; a group is declared in one way, keep one of them")
    if not kinds:
        if dim is None:
            ways = 'builtin = "SO(3)", permutations = [...], discrete = [...], lie = [...], product = [...]'
            raise SpecError(f"{where}: does not say which group; give one of {ways}, or dim = n for the trivial group")
        return Group(name=name, dim=dim)
    kind = kinds[0]
    if kind in ("discrete", "lie"):
        with placed(where):
            discrete, lie = (read_list(table.get(k, []), f"{where}.{k}") for k in ("discrete", "lie"))
            return Group(discrete, lie, name, dim=dim)
    if kind == "permutations":
        generators = read_permutations(table[kind], f"{where}.{kind}")
        with placed(f"{where}.{kind}"):
            return PermutationGroup(generators, name, degree=dim)
    group = _builtin(table[kind], f"{where}.{kind}") if kind == "builtin" else _product(table[kind], f"{where}.{kind}", depth)
    if dim is not None and dim != group.dim:
        raise SpecError(f"{where}.dim: is {dim}, but {kind} gives matrices of size {group.dim}; leave dim out")
    return named(group, name, "" if group.factors else repr(group)) if name else group


def _builtin(value: object, where: str) -> Group:
    text = read_text(value, where)
    # The grammar knows neither keywords nor empty parentheses.
    plain = re.sub(r"\bfull\s*=\s*(true|True)\b", "full", text)
    node = parse(re.sub(r"\(\s*\)\s*$", "", plain), where, error=SpecError)
    if not isinstance(node, Name | Call):
        raise SpecError(f'{where}: {shorten(text)!r} is not the name of a group; write it as in "SO(3)" or "lorentz(full)"')
    name = node.id if isinstance(node, Name) else node.name
    if name not in _BUILTINS:
        short = re.fullmatch("([ACDS])_?([1-9][0-9]{0,4})", name)
        meant = f"; did you mean '{_SHORT[short[1]]}({short[2]})'?" if short else hint(name, sorted(_BUILTINS))
        raise SpecError(f"{where}: no group is called {shorten(name)!r}{meant}")
    make: Callable[..., Group] = getattr(constructors, name)
    args: tuple[Node, ...] = node.args if isinstance(node, Call) else ()
    if name in _FULL:
        if args and not (len(args) == 1 and isinstance(args[0], Name) and args[0].id == "full"):
            raise SpecError(f'{where}: write "{name}" or "{name}(full)", not {shorten(text)!r}')
        return make(full=True) if args else make()
    if name == "quaternion" and not args:
        return make()
    if len(args) != 1 or not isinstance(args[0], Integer):
        raise SpecError(f'{where}: {name} takes one integer, as in "{name}(4)"; got {shorten(text)!r}')
    if args[0].value > _BUILTINS[name]:
        raise SpecError(
            f"{where}: a file takes {name}(n) up to n = {_BUILTINS[name]}, got {args[0].value}; larger groups are made in Python"
        )
    with placed(where):
        return make(args[0].value)


def _product(value: object, where: str, depth: int) -> Group:
    if depth > 8:
        raise SpecError(f"{where}: products are nested too deeply; a product of products is one product, list all factors")
    items = read_list(value, where)
    if not items:
        raise SpecError(f'{where}: a product has factors; write product = ["SO(3)", "symmetric(4)"]')
    factors = [
        _builtin(x, f"{where}[{i}]") if isinstance(x, str) else read_group(x, f"{where}[{i}]", depth + 1)
        for i, x in enumerate(items)
    ]
    if sum(g.dim for g in factors) > _POINTS:
        raise SpecError(f"{where}: the matrices of the product would be larger than {_POINTS}")
    return direct_product(*factors)


def read_permutations(value: object, where: str) -> list[Any]:
    """A list of permutations, small enough to be written out."""
    items = read_list(value, where)
    largest = 0
    for i, x in enumerate(items):
        if isinstance(x, str):
            points = [int(n) if len(n) < 10 else 10 * _POINTS for n in re.findall("[0-9]+", x)]
            largest = max(largest, 1 + max(points, default=0))
        elif isinstance(x, list):
            images = cast(list[Any], x)
            largest = max(largest, len(images))
            for j, point in enumerate(images):
                if type(point) is not int:
                    raise SpecError(f"{where}[{i}][{j}]: points are the integers 0, 1, 2, ...; got {_kind(point)}")
        else:
            raise SpecError(f'{where}[{i}]: expected cycles such as "(0 1 2)" or a list of images, got {shorten(repr(x))}')
    if largest > _POINTS or largest * len(items) > _CELLS:
        raise SpecError(
            f"{where}: {len(items)} permutations of {largest} points; a file takes up to {_POINTS} points and "
            f"{_CELLS} images in all"
        )
    return items


def read_table(data: object, where: str, keys: Sequence[str]) -> dict[str, Any]:
    """A table that has no other keys than these."""
    if not isinstance(data, dict):
        raise SpecError(f"{where}: expected a table, got {shorten(repr(data)) if not isinstance(data, list) else 'a list'}")
    table = cast(dict[str, Any], data)
    for key in table:
        if key not in keys:
            raise SpecError(f"{where}: the key {shorten(key)!r} is unknown{hint(key, keys)}")
    return table


def read_names(data: object, where: str) -> dict[str, Any]:
    """A table of names, up to 2,000."""
    if not isinstance(data, dict):
        raise SpecError(f"{where}: expected a table of names, got {shorten(repr(data))}")
    table = cast(dict[str, Any], data)
    if len(table) > _NAMES:
        raise SpecError(f"{where}: has {len(table)} names, more than {_NAMES}; split the file")
    return table


def read_list(value: object, where: str) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise SpecError(f"{where}: expected a list, got {_kind(value)}")
    return cast(list[Any], value)


def read_text(value: object, where: str) -> str:
    """A text of up to 1,000 characters."""
    if not isinstance(value, str) or len(value) > 1000:
        found = _kind(value) if not isinstance(value, str) else f"{len(value)} characters"
        raise SpecError(f"{where}: expected a text of up to 1000 characters, got {found}")
    return value


def read_label(value: object, where: str) -> str:
    """A text of one line: it stands in tables and messages."""
    text = read_text(value, where)
    if not text.isprintable():
        raise SpecError(f"{where}: expected a text of one line, got {shorten(ascii(text))}")
    return text


def _kind(value: object) -> str:
    if isinstance(value, dict | list):
        return f"a {'table' if isinstance(value, dict) else 'list'}"
    return shorten(repr(value))


# -- writing -----------------------------------------------------------------------------------------------------------


def write_group(group: Group) -> dict[str, Any]:
    """The table of a group: ``builtin`` where it was made by a named constructor, else its generators."""
    name = {"name": group.name} if group.name else {}
    if group.factors:
        items = [_short(write_group(f)) for f in group.factors]
        # The name that a product gives itself is no news.
        return {"product": items, **(name if group.name != direct_product(*group.factors).name else {})}
    match = re.fullmatch(r"([A-Za-z]+)\(((?:full=True|[0-9]*))\)", repr(group))
    if match and match[1] in _BUILTINS:
        builtin = match[1] + ("(full)" if match[2] == "full=True" else f"({match[2]})")
        return {"builtin": builtin, **(name if group.name != _builtin(builtin, "builtin").name else {})}
    if not group.generators:
        return {"dim": group.dim, **name}
    if group.is_permutation:
        return {"permutations": [g.T.cols.tolist() for g in group.discrete], **name}
    parts = {"discrete": plain_matrices(group.discrete), "lie": plain_matrices(group.lie)}
    return {**{k: v for k, v in parts.items() if v}, **name}


def plain_matrices(matrices: Sequence[Matrix]) -> list[list[list[int | str]]]:
    """Matrices as nested lists: integers as such, other numbers as texts of the grammar."""
    return [[[x if isinstance(x, int) else str(x) for x in row] for row in m.tolist()] for m in matrices]


def _short(table: dict[str, Any]) -> str | dict[str, Any]:
    return table["builtin"] if list(table) == ["builtin"] else table
