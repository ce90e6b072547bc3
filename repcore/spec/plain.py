"""Plain data, as TOML and JSON give it: bounds that hold for a whole file, so that whatever reads it next can rely on them."""

from __future__ import annotations

from typing import Any, cast

from repcore.errors import SpecError
from repcore.exact.grammar import shorten

__all__ = ["NESTING", "check_plain"]

NESTING = 64  # tables and lists within each other; a product of products of matrices needs 23
_DIGITS = 1000  # of an integer; in hexadecimal TOML sets no limit of its own, and Python refuses to print 4,300
_BITS = int(_DIGITS / 0.30103)


def check_plain(document: object, file: str) -> None:
    r"""SpecError unless nesting, integers and texts stay within bounds. Not recursive; linear in the size of the data.

    >>> check_plain({"group": {"name": "a\x1b[31m"}}, "a.toml")
    Traceback (most recent call last):
        ...
    repcore.errors.SpecError: a.toml: group.name: the text 'a\x1b[31m' has characters that cannot be printed; remove them
    """
    level: list[tuple[str, Any]] = [(file, document)]
    for depth in range(NESTING):
        deeper: list[tuple[str, Any]] = []
        for where, data in level:
            if isinstance(data, dict):
                items = [(_key(k, where, depth), x) for k, x in cast(dict[str, Any], data).items()]
            elif isinstance(data, list):
                items = [
                    (f"{'' if depth else ': '}[{i}]", x)
                    for i, x in enumerate(cast(list[Any], data))
                    if type(x) is not int or abs(x) >= 2**62
                ]
            else:
                items = [("", data)]
            for key, x in items:
                if isinstance(x, int) and x.bit_length() > _BITS:
                    raise SpecError(f"{where}{key}: the integer has more than {_DIGITS} digits; write a smaller one")
                if isinstance(x, str):
                    _check_text(x, f"{where}{key}")
                if isinstance(x, dict | list):
                    deeper.append((f"{where}{key}", cast(Any, x)))
        if not deeper:
            return
        level = deeper
    raise SpecError(f"{level[0][0]}: is nested deeper than {NESTING}; a list of matrices has three levels")


def _key(key: str, where: str, depth: int) -> str:
    if not key.isprintable():
        raise SpecError(f"{where}: the key {shorten(ascii(key))} has characters that cannot be printed; rename it")
    return f"{'.' if depth else ': '}{shorten(key)}"


def _check_text(text: str, where: str) -> None:
    # Expressions may run over lines.
    if not text.isprintable() and not all(c.isprintable() or c in "\t\r\n" for c in text):
        raise SpecError(f"{where}: the text {shorten(ascii(text))} has characters that cannot be printed; remove them")
