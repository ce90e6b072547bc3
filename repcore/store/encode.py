"""Groups, representations and spaces as plain JSON data, and back.

A node is a mapping with a tag ``node`` and its fields; nothing in it is ever executed. A new node of the expression tree needs
a function in each half of this file, and one in ``canonical.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import singledispatch
from math import lcm
from typing import Any

import numpy as np

from repcore.errors import NumberError, RepcoreError, StoreError
from repcore.exact.coefficients import narrowed
from repcore.exact.field import field_of
from repcore.exact.matrix import Matrix, from_coo, zeros
from repcore.exact.number import Number, number
from repcore.groups.group import Group, PermutationGroup, direct_product
from repcore.reps.cosets import Quotient
from repcore.reps.custom import Custom
from repcore.reps.hom import Hom
from repcore.reps.induced import Induced
from repcore.reps.irreps import Irrep
from repcore.reps.lifted import Lifted
from repcore.reps.tensors import Tensors, tensors
from repcore.reps.tree import (
    Alt,
    Conjugate,
    Defining,
    Dual,
    Product,
    Realified,
    Rep,
    Restriction,
    Sum,
    Sym,
    Trivial,
)
from repcore.store.fields import LARGEST, take_dict, take_int, take_list, take_text

__all__ = ["decode_group", "decode_matrix", "decode_rep", "decode_space", "encode_group", "encode_matrix", "encode_rep",
           "encode_space"]  # fmt: skip

_DEPTH = 100  # of nested nodes: bounds the recursion of everything that walks a tree
_POWER = 1000  # of a symmetric or exterior power: their dimensions are binomials
_SIZE = 10_000_000  # rows or columns of a matrix
_FACTORS = 1000  # of one tensor product
_FRACTION = re.compile("-?[0-9]{1,4000}(/[0-9]{1,4000})?", re.ASCII)


# -- writing -----------------------------------------------------------------------------------------------------------


def encode_space(space: Hom) -> dict[str, Any]:
    """The declaration of a space: its group and both expressions.

    Raises:
        StoreError: a node has no stored form, or the expression is nested deeper than 100.
    """
    group = encode_group(space.group)
    return {"group": group, "domain": encode_rep(space.domain), "codomain": encode_rep(space.codomain)}


def encode_group(group: Group) -> dict[str, Any]:
    """A group by its generators: permutations as lists of images, matrices as sparse triples, products by their factors."""
    name = {"name": group.name} if group.name else {}
    if group.factors:
        return {"factors": [encode_group(f) for f in group.factors], **name}
    if group.is_permutation:
        return {"dim": group.dim, "permutations": [g.T.cols.tolist() for g in group.discrete], **name}
    discrete, lie = ([encode_matrix(m) for m in part] for part in (group.discrete, group.lie))
    return {"dim": group.dim, "discrete": discrete, "lie": lie, **name}


def encode_matrix(matrix: Matrix) -> dict[str, Any]:
    """The shape, and (row, column, value) of the non-zero entries, row by row; a value is a text of the number grammar."""
    texts: dict[Number, str | list[Any]] = {}
    entries: list[list[Any]] = []
    for row, col, value in matrix.entries():
        if value not in texts:
            texts[value] = _encode_number(value)
        entries.append([row, col, texts[value]])
    return {"shape": list(matrix.shape), "entries": entries}


def _encode_number(value: Number) -> str | list[Any]:
    try:
        text = str(value)
        if number(text) == value:
            return text
    except NumberError:
        # Too long for the grammar: its coordinates, which have no bound.
        pass
    return [value.conductor, [str(c) for c in value.coords]]


def encode_rep(rep: Rep, depth: int = 0) -> dict[str, Any]:
    """A representation as nested nodes; its group is written elsewhere."""
    if depth > _DEPTH:
        raise StoreError(f"the expression is nested deeper than {_DEPTH}, which is not stored; solve it with store=None")
    return _encode(rep, depth + 1)


@singledispatch
def _encode(rep: Rep, depth: int) -> dict[str, Any]:
    raise StoreError(f"{rep}: a {type(rep).__name__} has no stored form; solve spaces of it with store=None")


@_encode.register(Defining)
@_encode.register(Trivial)
def _(rep: Defining | Trivial, depth: int) -> dict[str, Any]:
    return {"node": _tag(rep)}


@_encode.register
def _(rep: Irrep, depth: int) -> dict[str, Any]:
    return {"node": "irrep", "label": rep.label}


@_encode.register
def _(rep: Sum, depth: int) -> dict[str, Any]:
    return {"node": "sum", "terms": [[m, encode_rep(v, depth)] for m, v in rep.terms]}


@_encode.register
def _(rep: Product, depth: int) -> dict[str, Any]:
    return {"node": "product", "factors": [encode_rep(v, depth) for v in rep.factors]}


@_encode.register(Dual)
@_encode.register(Conjugate)
@_encode.register(Realified)
def _(rep: Dual | Conjugate | Realified, depth: int) -> dict[str, Any]:
    return {"node": _tag(rep), "rep": encode_rep(rep.rep, depth)}


@_encode.register(Sym)
@_encode.register(Alt)
def _(rep: Sym | Alt, depth: int) -> dict[str, Any]:
    return {"node": _tag(rep), "k": rep.k, "rep": encode_rep(rep.rep, depth)}


@_encode.register
def _(rep: Restriction, depth: int) -> dict[str, Any]:
    return {"node": "restriction", "group": encode_group(rep.rep.group), "rep": encode_rep(rep.rep, depth)}


@_encode.register
def _(rep: Lifted, depth: int) -> dict[str, Any]:
    return {"node": "lifted", "factor": rep.factor, "rep": encode_rep(rep.rep, depth)}


@_encode.register
def _(rep: Quotient, depth: int) -> dict[str, Any]:
    return {"node": "quotient", "subgroup": encode_group(rep.subgroup)}


@_encode.register
def _(rep: Induced, depth: int) -> dict[str, Any]:
    return {"node": "induced", "group": encode_group(rep.rep.group), "rep": encode_rep(rep.rep, depth)}


@_encode.register
def _(rep: Tensors, depth: int) -> dict[str, Any]:
    return {"node": "tensors", "formula": rep.formula, "factors": [encode_rep(v, depth) for v in rep.factors]}


@_encode.register
def _(rep: Custom, depth: int) -> dict[str, Any]:
    discrete, lie = ([encode_matrix(m) for m in part] for part in (rep.discrete, rep.lie))
    return {"node": "custom", "discrete": discrete, "lie": lie, **({"name": rep.name} if rep.name else {})}


def _tag(rep: Rep) -> str:
    return type(rep).__name__.lower()


# -- reading -----------------------------------------------------------------------------------------------------------


def decode_space(data: object, where: str) -> Hom:
    """The space of :func:`encode_space`; ``where`` begins each message.

    Raises:
        StoreError: the data is of another shape, or declares no group or no representation.
    """
    table = take_dict(data, where, "group", "domain", "codomain")
    group = decode_group(table["group"], f"{where}.group")
    domain, codomain = (decode_rep(table[k], group, f"{where}.{k}") for k in ("domain", "codomain"))
    return Hom(domain, codomain)


def decode_group(data: object, where: str, depth: int = 0) -> Group:
    """The group of :func:`encode_group`."""
    table = take_dict(data, where)
    name = take_text(table.get("name", ""), f"{where}.name")
    if depth > _DEPTH:
        raise StoreError(f"{where}: the product is nested deeper than {_DEPTH}")
    if "factors" in table:
        given = take_list(table["factors"], f"{where}.factors")
        if not given:
            raise StoreError(f"{where}.factors: a product has at least one factor")
        return direct_product(*(decode_group(f, f"{where}.factors[{i}]", depth + 1) for i, f in enumerate(given)))
    dim = take_int(take_dict(table, where, "dim")["dim"], f"{where}.dim", 1, _SIZE)
    try:
        if "permutations" in table:
            images = take_list(table["permutations"], f"{where}.permutations")
            lists = [_images(x, f"{where}.permutations[{i}]", dim) for i, x in enumerate(images)]
            return PermutationGroup(lists, name, degree=dim)
        discrete, lie = (_matrices(table.get(k, []), f"{where}.{k}") for k in ("discrete", "lie"))
        return Group(discrete, lie, name, dim=dim)
    except StoreError:
        raise
    except RepcoreError as error:
        raise StoreError(f"{where}: {error}") from None


def _images(data: object, where: str, dim: int) -> list[int]:
    return [take_int(x, f"{where}[{i}]", 0, dim - 1) for i, x in enumerate(take_list(data, where, dim))]


def _matrices(data: object, where: str) -> list[Matrix]:
    return [decode_matrix(m, f"{where}[{i}]") for i, m in enumerate(take_list(data, where))]


def decode_matrix(data: object, where: str) -> Matrix:
    """The matrix of :func:`encode_matrix`."""
    table = take_dict(data, where, "shape", "entries")
    m, n = (take_int(x, f"{where}.shape", 1, _SIZE) for x in take_list(table["shape"], f"{where}.shape", 2))
    places: list[int] = []
    values: list[Number] = []
    for i, entry in enumerate(take_list(table["entries"], f"{where}.entries")):
        row, col, value = take_list(entry, f"{where}.entries[{i}]", 3)
        row, col = take_int(row, f"{where}.entries[{i}]", 0, m - 1), take_int(col, f"{where}.entries[{i}]", 0, n - 1)
        places.append(row * n + col)
        values.append(_decode_number(value, f"{where}.entries[{i}]"))
        if not values[-1] or (i and places[-1] <= places[-2]):
            raise StoreError(f"{where}.entries[{i}]: entries are not zero and stand in row-major order, each once")
    if not values:
        return zeros((m, n))
    field = field_of(values)
    coords = [field.coordinates(v) for v in values]
    den = lcm(*(c.denominator for row in coords for c in row))
    nums = np.array([[int(c * den) for c in row] for row in coords], object).reshape(len(values), field.degree)
    rows, cols = np.divmod(np.array(places, np.int64), n)
    return from_coo((m, n), field, rows, cols, narrowed(nums), den)


def _decode_number(data: object, where: str) -> Number:
    try:
        if isinstance(data, str):
            return number(data, where)
        conductor, coords = take_list(data, where, 2)
        texts = [take_text(c, where) for c in take_list(coords, where)]
        if not all(map(_FRACTION.fullmatch, texts)):
            # Fraction would also take "1e999999999", and hang.
            raise StoreError(f"{where}: expected coordinates such as '-3/4'")
        return Number(take_int(conductor, where, 1), [Fraction(c) for c in texts])
    except (NumberError, ZeroDivisionError) as error:
        raise StoreError(f"{where}: {error}") from None


def decode_rep(data: object, group: Group, where: str, depth: int = 0) -> Rep:
    """The representation of :func:`encode_rep`, of the given group."""
    tag = take_text(take_dict(data, where, "node")["node"], f"{where}.node")
    if depth > _DEPTH:
        raise StoreError(f"{where}: the expression is nested deeper than {_DEPTH}")
    if tag not in _DECODERS:
        raise StoreError(f"{where}.node: {tag[:40]!r} is unknown; the file was written by a newer repcore, or is damaged")
    try:
        rep = _DECODERS[tag](_Node(take_dict(data, where), group, where, depth))
        dim = rep.dim
    except StoreError:
        raise
    except RepcoreError as error:
        raise StoreError(f"{where}: {error}") from None
    if dim > LARGEST:
        raise StoreError(f"{where}: the representation has a dimension beyond {LARGEST}")
    return rep


class _Node:
    """The fields of one node, taken one by one."""

    def __init__(self, table: dict[str, Any], group: Group, where: str, depth: int) -> None:
        self.table, self.group, self.where, self.depth = table, group, where, depth

    def get(self, key: str) -> Any:
        return take_dict(self.table, self.where, key)[key]

    def at(self, key: str) -> str:
        return f"{self.where}.{key}"

    def integer(self, key: str, high: int) -> int:
        return take_int(self.get(key), self.at(key), 0, high)

    def list(self, key: str) -> list[Any]:
        return take_list(self.get(key), self.at(key))

    def rep(self, group: Group | None = None) -> Rep:
        return self.child(self.get("rep"), self.at("rep"), group)

    def child(self, data: object, where: str, group: Group | None = None) -> Rep:
        return decode_rep(data, group or self.group, where, self.depth + 1)

    def subgroup(self, key: str) -> Group:
        return decode_group(self.get(key), self.at(key))


def _decode_sum(node: _Node) -> Rep:
    terms: list[tuple[int, Rep]] = []
    for i, term in enumerate(node.list("terms")):
        where = f"{node.at('terms')}[{i}]"
        copies, inner = take_list(term, where, 2)
        terms.append((take_int(copies, where, 1), node.child(inner, where)))
    return Sum(node.group, tuple(terms))


def _decode_product(node: _Node) -> Rep:
    given = node.list("factors")
    if len(given) > _FACTORS:
        raise StoreError(f"{node.where}: a product of more than {_FACTORS} factors")
    factors = [node.child(v, f"{node.at('factors')}[{i}]") for i, v in enumerate(given)]
    return Product(node.group, tuple(factors))


def _decode_restriction(node: _Node) -> Rep:
    larger = node.subgroup("group")
    if larger.dim != node.group.dim:
        raise StoreError(f"{node.where}: restricted from a group of matrices of another size")
    return Restriction(node.group, node.rep(larger))


def _decode_lifted(node: _Node) -> Rep:
    factor = node.integer("factor", len(node.group.factors) - 1)
    return Lifted(node.group, node.rep(node.group.factors[factor]), factor)


def _decode_induced(node: _Node) -> Rep:
    return Induced(node.group, node.rep(node.subgroup("group")))


def _decode_tensors(node: _Node) -> Rep:
    factors = [node.child(v, f"{node.at('factors')}[{i}]") for i, v in enumerate(node.list("factors"))]
    formula = take_text(node.get("formula"), node.at("formula"))
    # The indices of a canonical formula are those of its first term, in the order of the axes.
    letters = formula.partition("=")[0]
    if len(letters) != len(factors):
        raise StoreError(f"{node.where}: {len(factors)} factors for the {len(letters)} indices of the formula")
    return tensors(dict(zip(letters, factors, strict=True)), formula)


def _decode_custom(node: _Node) -> Rep:
    discrete, lie = (_matrices(node.get(k), node.at(k)) for k in ("discrete", "lie"))
    return Custom(node.group, discrete, lie, take_text(node.table.get("name", ""), node.at("name")))


_DECODERS: dict[str, Callable[[_Node], Rep]] = {
    "defining": lambda node: Defining(node.group),
    "trivial": lambda node: Trivial(node.group),
    "irrep": lambda node: Irrep(node.group, take_text(node.get("label"), node.at("label"))),
    "sum": _decode_sum,
    "product": _decode_product,
    "dual": lambda node: Dual(node.group, node.rep()),
    "conjugate": lambda node: Conjugate(node.group, node.rep()),
    "realified": lambda node: Realified(node.group, node.rep()),
    "sym": lambda node: Sym(node.group, node.rep(), node.integer("k", _POWER)),
    "alt": lambda node: Alt(node.group, node.rep(), node.integer("k", _POWER)),
    "restriction": _decode_restriction,
    "lifted": _decode_lifted,
    "quotient": lambda node: Quotient(node.group, node.subgroup("subgroup")),
    "induced": _decode_induced,
    "tensors": _decode_tensors,
    "custom": _decode_custom,
}
