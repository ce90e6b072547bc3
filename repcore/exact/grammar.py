"""The one expression grammar of repcore: text in, a small frozen tree out, no semantics and no ``eval``.

::

    sum     := product (("+" | "-") product)*
    product := signed (("*" | "/") signed)*
    signed  := ("+" | "-") signed | power
    power   := atom ("**" signed)?                 # right associative: a**b**c = a**(b**c), -a**b = -(a**b)
    atom    := 12 | 0.25 | name | name "(" sum ("," sum)* ")" | "(" sum ")"

The same tree serves numbers (``"sqrt(2)/2"``) and representations (``"4*1 + 2*V**3 + sym(V, 2)"``); what a name or an
operator means is decided by whoever walks the tree. The caps below make every walk of a tree safe for hostile text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from repcore.errors import NumberError, RepcoreError

__all__ = ["Binary", "Call", "Decimal", "Integer", "Name", "Node", "Unary", "parse", "shorten"]

MAX_LENGTH = 1000
"""Longest text, in characters."""
MAX_NESTING = 50
"""Deepest nesting of parentheses, signs and powers (bounds the recursion of the parser)."""
MAX_HEIGHT = 200
"""Tallest tree, so at most about 200 operands in one chain (bounds the recursion of whoever walks the tree)."""
MAX_DIGITS = 200
"""Most digits of one literal."""


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer literal; ``position`` is its 0-based offset in the text, as for every node."""

    value: int
    position: int = 0


@dataclass(frozen=True, slots=True)
class Decimal:
    """A literal with a decimal point, kept exactly: ``0.1`` is one tenth."""

    value: Fraction
    position: int = 0


@dataclass(frozen=True, slots=True)
class Name:
    """A bare identifier."""

    id: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Unary:
    """A sign, ``op`` is ``"+"`` or ``"-"``."""

    op: str
    operand: Node
    position: int = 0


@dataclass(frozen=True, slots=True)
class Binary:
    """``left op right``, ``op`` is one of ``+ - * / **``; ``position`` is that of the operator."""

    op: str
    left: Node
    right: Node
    position: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """``name(args)`` with at least one argument."""

    name: str
    args: tuple[Node, ...]
    position: int = 0


Node = Integer | Decimal | Name | Unary | Binary | Call

_TOKEN = re.compile(
    r"[ \t\r\n]*(?:(?P<number>[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<op>\*\*|[-+*/(),])|(?P<end>\Z))"
)
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}
_SIGN = 3  # a sign binds tighter than * and looser than **


def shorten(text: str, limit: int = 60) -> str:
    """Return ``text`` for an error message: as it is, or its beginning and its end when it is long.

    >>> shorten("abc"), len(shorten("x" * 2000))
    ('abc', 60)
    """
    if len(text) <= limit:
        return text
    half = (limit - 5) // 2
    return f"{text[: limit - 5 - half]} ... {text[-half:]}"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # "number", "name", "op" or "end"
    text: str
    position: int


class _Parser:
    """A Pratt parser; every method returns a node together with the height of its tree."""

    def __init__(self, text: str, where: str, error: type[RepcoreError]) -> None:
        self.text = text
        self.where = where
        self.error = error
        self.index = 0
        self.tokens = self._tokenize()

    def fail(self, position: int, problem: str) -> RepcoreError:
        return self.error(f"{self.where}: cannot read {shorten(self.text)!r}: at position {position}, {problem}")

    def _tokenize(self) -> list[_Token]:
        tokens: list[_Token] = []
        offset = 0
        while True:
            match = _TOKEN.match(self.text, offset)
            if match is None:
                position = offset + len(self.text[offset:]) - len(self.text[offset:].lstrip(" \t\r\n"))
                problem = f"the character {self.text[position]!r} is not part of the grammar"
                if self.text[position] == "^":
                    problem += "; write ** for a power"
                elif self.text[position] == ">":
                    problem += "; between the two sides of a space stands >>, X >> Y"
                else:
                    problem += "; use digits, names, + - * / ** ( ) and ,"
                raise self.fail(position, problem)
            kind = match.lastgroup or "end"
            tokens.append(_Token(kind, match[kind], match.start(kind)))
            if kind == "end":
                return tokens
            offset = match.end()

    @property
    def token(self) -> _Token:
        return self.tokens[self.index]

    def take(self) -> _Token:
        token = self.token
        self.index += 1
        return token

    def expect(self, op: str, problem: str) -> None:
        if self.token.kind != "op" or self.token.text != op:
            raise self.fail(self.token.position, problem)
        self.index += 1

    def expression(self, binding: int, nesting: int) -> tuple[Node, int]:
        left, height = self.prefix(nesting)
        while True:
            token = self.token
            strength = _BINDING.get(token.text, 0) if token.kind == "op" else 0
            if strength == 0 or strength < binding:
                return left, height
            self.take()
            # ** is right associative, the others are left associative
            right, other = self.expression(strength if token.text == "**" else strength + 1, nesting + 1)
            left, height = Binary(token.text, left, right, token.position), 1 + max(height, other)
            if height > MAX_HEIGHT:
                raise self.fail(token.position, f"there are more than {MAX_HEIGHT} operands in a row; split the text")

    def prefix(self, nesting: int) -> tuple[Node, int]:
        token = self.take()
        if nesting > MAX_NESTING:
            raise self.fail(token.position, f"the nesting is deeper than {MAX_NESTING}; simplify the text")
        if token.kind == "number":
            return self.literal(token), 1
        if token.kind == "name":
            if self.token.kind == "op" and self.token.text == "(":
                return self.call(token, nesting)
            return Name(token.text, token.position), 1
        if token.kind == "op" and token.text in "+-":
            operand, height = self.expression(_SIGN, nesting + 1)
            return Unary(token.text, operand, token.position), height + 1
        if token.kind == "op" and token.text == "(":
            inner, height = self.expression(0, nesting + 1)
            self.expect(")", f"the '(' of position {token.position} needs a ')' or an operator before this")
            return inner, height
        found = "the text ends" if token.kind == "end" else f"{token.text!r} stands"
        raise self.fail(token.position, f"{found} where a number, a name or '(' must")

    def call(self, name: _Token, nesting: int) -> tuple[Node, int]:
        self.take()
        args: list[Node] = []
        tallest = 0
        while True:
            argument, height = self.expression(0, nesting + 1)
            args.append(argument)
            tallest = max(tallest, height)
            if self.token.kind == "op" and self.token.text == ",":
                self.take()
                continue
            self.expect(")", f"the arguments of {shorten(name.text)}(...) need a ',' or a ')' before this")
            return Call(name.text, tuple(args), name.position), tallest + 1

    def literal(self, token: _Token) -> Node:
        if len(token.text) > MAX_DIGITS:
            raise self.fail(token.position, f"the number has more than {MAX_DIGITS} digits; write a shorter one")
        if "." in token.text:
            return Decimal(Fraction(token.text), token.position)
        return Integer(int(token.text), token.position)


def parse(text: str, where: str = "text", *, error: type[RepcoreError] = NumberError) -> Node:
    """Return the tree of ``text``.

    ``where`` names the place of the text in the caller's input (``"discrete[1][0][2]"``) and begins each message.

    Raises ``error`` (default `NumberError`), with the offending text, the 0-based position and the repair, when the
    text is not a string, is empty, is not of the grammar of this module, or exceeds one of its caps (1,000 characters,
    nesting 50, 200 operands in a row, 200 digits a literal). Linear in the length of the text.

    >>> parse("2*V")
    Binary(op='*', left=Integer(value=2, position=0), right=Name(id='V', position=2), position=1)
    >>> parse("1 +* 2", "a[0]")
    Traceback (most recent call last):
        ...
    repcore.errors.NumberError: a[0]: cannot read '1 +* 2': at position 3, '*' stands where a number, a name or '(' must
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers pass what users wrote
        raise error(f"{where}: expected a text, got {type(text).__name__}; write the expression as a string")
    if len(text) > MAX_LENGTH:
        raise error(f"{where}: the text {shorten(text)!r} has {len(text)} characters, more than {MAX_LENGTH}; write it shorter")
    if not text.strip():
        raise error(f"{where}: the text {text!r} is empty; write an expression such as '1/2'")
    parser = _Parser(text, where, error)
    node, _ = parser.expression(0, 0)
    if parser.token.kind != "end":
        token = parser.token
        hint = "there is no '(' for it" if token.text == ")" else "write an operator such as * before it"
        raise parser.fail(token.position, f"{shorten(token.text)!r} does not continue the expression; {hint}")
    return node
