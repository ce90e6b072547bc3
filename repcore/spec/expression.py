"""The value of an expression such as ``"4*1 + dual(V)**2"``: a walk over the tree that the common grammar gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from repcore.errors import RepcoreError, SpecError
from repcore.exact.grammar import Binary, Call, Decimal, Integer, Name, Node, Unary, parse, shorten
from repcore.groups.group import Group
from repcore.reps.cosets import regular
from repcore.reps.lifted import lift
from repcore.reps.permutation import grid, permutation
from repcore.reps.tree import Product, Rep, Sum, trivial
from repcore.spec.table import hint

__all__ = [
    "TABLES",
    "Scope",
    "Value",
    "check_name",
    "check_size",
    "check_value",
    "evaluate",
    "names_in",
    "placed",
    "too_many_cells",
]

_INTEGER = 10**9  # of copies and exponents
_SIZE = 10_000  # nodes of an expression, everything that names stand for written out
_DEPTH = 90  # of nested nodes; the store takes 100
_DIM = 2**62
_CELLS = 10**6  # of a grid

TABLES = {
    "irrep": '{ irreps = "1x1o" }',
    "irreps_from": '{ irreps = "2x0e + 1x1o" }',
    "quotient": "{ quotient = [generators] }",
    "tensors": '{ tensors = "ijk=jik", of = "V" }',
    "restrict": '{ restrict = "V*V", of = { builtin = "SO(3)" } }',
    "induced": '{ induced = "V", of = { builtin = "cyclic(4)" } }',
}
"""What a table says and an expression cannot, with an example."""


@dataclass(frozen=True)
class Value:
    """A representation, and the size and depth of its tree, which are bounded: names can double a tree at every step."""

    rep: Rep
    size: int = 1
    depth: int = 1


@dataclass(frozen=True)
class Scope:
    """What names mean: ``names`` those of the file, ``factors[i]`` those of the file that belong to factor i of a product."""

    group: Group
    names: Mapping[str, Value] = field(default_factory=dict[str, Value])
    factors: Mapping[int, Mapping[str, Value]] = field(default_factory=dict[int, Mapping[str, Value]])


@contextmanager
def placed(where: str) -> Generator[None]:
    """Errors of the constructors, raised again as SpecError with the place in the file."""
    try:
        yield
    except SpecError:
        raise
    except RepcoreError as error:
        raise SpecError(f"{where}: {error}") from None


def evaluate(text: object, scope: Scope, where: str) -> Value:
    """The representation that a text says.

    Raises:
        SpecError: with place, position and repair.

    >>> from repcore import dihedral
    >>> str(evaluate("4*1 + 2*V**2", Scope(dihedral(4)), "X").rep)
    '4*1 + 2*V**2'
    """
    walk = _Walk(_text(text, where), scope, where)
    node = parse(walk.text, where, error=SpecError)
    return walk.as_rep(walk.value(node), node)


def names_in(text: object, where: str) -> set[str]:
    """The names that a text uses, those of functions not among them."""
    found: set[str] = set()
    stack: list[Node] = [parse(_text(text, where), where, error=SpecError)]
    while stack:
        match stack.pop():
            case Name(id):
                found.add(id)
            case Unary(_, operand):
                stack.append(operand)
            case Binary(_, left, right):
                stack += [left, right]
            case Call(_, args):
                stack += args
            case _:
                pass
    return found


def check_name(name: object, where: str) -> None:
    """SpecError unless a text can be the name of a representation."""
    if not isinstance(name, str) or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,99}", name):
        raise SpecError(f"{where}: a name is up to 100 letters, digits and '_', and begins with a letter or '_'")
    if name in _CONSTANTS or name in _FUNCTIONS:
        raise SpecError(f"{where}: the name {name} has a meaning already ({_MEANING}); choose another")


def check_size(size: int, depth: int, where: str) -> None:
    """SpecError unless a tree of this size and depth is taken."""
    if problem := _excess(size, depth):
        raise SpecError(f"{where}: {problem}")


def too_many_cells(sizes: Sequence[int]) -> str:
    """What is wrong with the sizes of a grid, which a short file could make as large as it likes; empty where nothing is."""
    cells = 1
    for n in sizes:
        cells *= n
        if cells > _CELLS:
            return f"a grid of more than {_CELLS} cells; use a smaller one"
    return ""


def check_value(value: Value, where: str) -> Value:
    """The value itself; SpecError unless its tree and its dimension stay within bounds."""
    if problem := _excess(value.size, value.depth, value.rep.dim):
        raise SpecError(f"{where}: {problem}")
    return value


def _excess(size: int, depth: int, dim: int = 0) -> str:
    if size > _SIZE:
        return f"the representation has more than {_SIZE} parts; write n*V for copies"
    if depth > _DEPTH:
        return f"the representation is nested deeper than {_DEPTH}; simplify it"
    return f"the representation has a dimension beyond {_DIM}; write a smaller one" if dim > _DIM else ""


_MEANING = "V is the defining representation; dual, sym, regular, ... are functions"
_CONSTANTS: dict[str, Callable[[Group], Rep]] = {
    "V": lambda group: group.rep,
    "permutation": permutation,
    "regular": regular,
    "trivial": trivial,
}
_UNARY: dict[str, Callable[[Rep], Rep]] = {
    "conj": lambda v: v.conj,
    "dual": lambda v: v.dual,
    "realify": lambda v: v.realify(),
}
_POWERS: dict[str, Callable[[Rep, int], Rep]] = {"alt": lambda v, k: v.alt(k), "sym": lambda v, k: v.sym(k)}
_FUNCTIONS = (*_UNARY, *_POWERS, "grid", "lift")

# The grammar knows no call without arguments; blanks keep the positions in messages right.
_EMPTY_CALL = re.compile(r"\b(permutation|regular|trivial)(\s*\(\s*\))")
_TABLE_CALL = re.compile(rf"\b({'|'.join(TABLES)})\s*\(")


def _text(text: object, where: str) -> str:
    if not isinstance(text, str):
        raise SpecError(f"{where}: expected an expression as a text, got {type(text).__name__}; write it in quotes")
    if found := _TABLE_CALL.search(text):
        raise SpecError(
            f"{where}: cannot read {shorten(text)!r}: at position {found.start()}, {found[1]} is no function of expressions; "
            f"give it a name of its own, as a table: {TABLES[found[1]]}"
        )
    return _EMPTY_CALL.sub(lambda m: m[1] + " " * len(m[2]), text)


class _Walk:
    """The walk over one text. A value is an integer or a representation; an integer n stands for n*1 where one is needed."""

    def __init__(self, text: str, scope: Scope, where: str) -> None:
        self.text, self.scope, self.where = text, scope, where

    def fail(self, node: Node, problem: str) -> SpecError:
        return SpecError(f"{self.where}: cannot read {shorten(self.text)!r}: at position {node.position}, {problem}")

    def value(self, node: Node) -> int | Value:
        match node:
            case Integer(value):
                return self.bounded(node, value)
            case Decimal():
                raise self.fail(node, "a decimal stands where an integer or a representation must")
            case Name(id):
                return self.name(node, id)
            case Call(name, args):
                return self.call(node, name, args)
            case Unary(op, operand):
                value = self.value(operand)
                if op == "+":
                    return value
                if isinstance(value, int):
                    return -value
                raise self.fail(node, "a representation has no negative; dual(V) is the dual")
            case Binary(op, left, right):
                return self.operate(node, op, self.value(left), self.value(right))

    def name(self, node: Node, name: str) -> Value:
        if name in _CONSTANTS:
            return self.checked(node, 1, 1, lambda: _CONSTANTS[name](self.scope.group))
        if name in self.scope.names:
            return self.scope.names[name]
        if name in _FUNCTIONS:
            raise self.fail(node, f"{name} is a function; write {name}({'V, 2' if name in _POWERS else 'V'})")
        raise self.fail(node, f"the name {shorten(name)!r} is unknown{hint(name, [*self.scope.names, *_CONSTANTS])}")

    def operate(self, node: Binary, op: str, a: int | Value, b: int | Value) -> int | Value:
        if isinstance(a, int) and isinstance(b, int):
            return self.integers(node, op, a, b)
        if op == "**":
            if isinstance(a, int) or not isinstance(b, int):
                raise self.fail(node, "a power is a representation ** an integer, such as V**2")
            return self.power(node, a, b)
        if op == "*" and isinstance(a, int) and isinstance(b, Value):
            return self.copies(node, a, b)
        if op == "*" and isinstance(a, Value) and isinstance(b, int):
            return self.copies(node, b, a)
        x, y = self.as_rep(a, node.left), self.as_rep(b, node.right)
        if op == "+":
            depth = max(_inner_depth(x, Sum), _inner_depth(y, Sum)) + 1
            return self.checked(node, x.size + y.size, depth, lambda: x.rep + y.rep)
        if op == "*":
            depth = max(_inner_depth(x, Product), _inner_depth(y, Product)) + 1
            return self.checked(node, x.size + y.size, depth, lambda: x.rep * y.rep)
        raise self.fail(node, f"representations know + * and **, not {op}")

    def integers(self, node: Binary, op: str, a: int, b: int) -> int:
        if op == "+":
            return self.bounded(node, a + b)
        if op == "-":
            return self.bounded(node, a - b)
        if op == "*":
            return self.bounded(node, a * b)
        if op == "**" and b >= 0:
            # 2**30 is beyond the bound already.
            return self.bounded(node, a**b if abs(a) < 2 or b < 30 else 2 * _INTEGER)
        raise self.fail(node, "the result is no integer; copies and powers are counted with integers")

    def bounded(self, node: Node, value: int) -> int:
        if abs(value) > _INTEGER:
            raise self.fail(node, f"the integer is beyond {_INTEGER}; write a smaller one")
        return value

    def power(self, node: Node, v: Value, k: int) -> Value:
        self.check_size(node, v.size * max(k, 1))
        return self.checked(node, v.size * max(k, 1), _inner_depth(v, Product) + 1, lambda: v.rep**k)

    def copies(self, node: Node, m: int, v: Value) -> Value:
        return self.checked(node, v.size + 1, v.depth + 1, lambda: m * v.rep)

    def call(self, node: Call, name: str, args: tuple[Node, ...]) -> Value:
        if name in _UNARY:
            (inner,) = self.arguments(node, args, 1, "V")
            v = self.as_rep(self.value(inner), inner)
            return self.checked(node, v.size + 1, v.depth + 1, lambda: _UNARY[name](v.rep))
        if name in _POWERS:
            inner, exponent = self.arguments(node, args, 2, "V, 2")
            v, k = self.as_rep(self.value(inner), inner), self.integer(exponent, 1000)
            return self.checked(node, v.size + 1, v.depth + 1, lambda: _POWERS[name](v.rep, k))
        if name == "grid":
            (size,) = self.arguments(node, args, 1, "8")
            k = self.integer(size, 1000)
            if problem := too_many_cells([k] * self.scope.group.dim):
                raise self.fail(node, problem)
            return self.checked(node, 1, 1, lambda: grid(self.scope.group, k))
        if name == "lift":
            inner, factor = self.arguments(node, args, 2, "V, 0")
            return self.lifted(node, inner, self.integer(factor, _INTEGER))
        if name in _CONSTANTS:
            raise self.fail(node, f"{name} takes no arguments")
        known = [*_FUNCTIONS, *_CONSTANTS]
        raise self.fail(node, f"the function {shorten(name)!r} is unknown{hint(name, known)}")

    def lifted(self, node: Node, inner: Node, factor: int) -> Value:
        group = self.scope.group
        if factor >= len(group.factors):
            found = f"{len(group.factors)} factors, counted from 0" if group.factors else "no factors: it is no product"
            raise self.fail(node, f"there is no factor {factor}; the group has {found}")
        scope = Scope(group.factors[factor], self.scope.factors.get(factor, {}))
        walk = _Walk(self.text, scope, self.where)
        v = walk.as_rep(walk.value(inner), inner)
        return self.checked(node, v.size + 1, v.depth + 1, lambda: lift(v.rep, group, factor))

    def arguments(self, node: Call, args: tuple[Node, ...], count: int, example: str) -> tuple[Node, ...]:
        if len(args) != count:
            what = f"{count} argument{'s' * (count != 1)}"
            raise self.fail(node, f"{node.name} takes {what}, got {len(args)}; write {node.name}({example})")
        return args

    def integer(self, node: Node, high: int) -> int:
        value = self.value(node)
        if not isinstance(value, int) or not 0 <= value <= high:
            raise self.fail(node, f"expected an integer from 0 to {high}")
        return value

    def as_rep(self, value: int | Value, node: Node) -> Value:
        if isinstance(value, Value):
            return value
        return self.checked(node, 1, 2, lambda: value * trivial(self.scope.group))

    def checked(self, node: Node, size: int, depth: int, build: Callable[[], Rep]) -> Value:
        self.check_size(node, size, depth)
        try:
            rep = build()
            dim = rep.dim
        except RepcoreError as error:
            raise self.fail(node, str(error)) from None
        self.check_size(node, size, depth, dim)
        return Value(rep, size, depth)

    def check_size(self, node: Node, size: int, depth: int = 0, dim: int = 0) -> None:
        if problem := _excess(size, depth, dim):
            raise self.fail(node, problem)


def _inner_depth(v: Value, kind: type[Sum] | type[Product]) -> int:
    """The depth below a node of this kind: sums within sums, and products within products, become one."""
    return v.depth - 1 if isinstance(v.rep, kind) else v.depth
