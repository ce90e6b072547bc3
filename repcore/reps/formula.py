"""Index symmetries written as formulas: ``"ijkl=-jikl=klij"``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

from repcore.errors import IncompatibleError, RepresentationError
from repcore.exact.grammar import MAX_LENGTH, shorten

__all__ = ["Formula", "parse_formula"]

# The index permutations of a formula are listed, up to those of eight indices.
_PERMUTATIONS = 40_320
_Move = tuple[tuple[int, ...], int]
_LETTERS = "ijklmnopqrstuvwxyzabcdefgh"


@dataclass(frozen=True, eq=False)
class Formula:
    """Signed permutations of the indices of a tensor: T[i_0, i_1, ...] = sign T[i_q(0), i_q(1), ...] for each move.

    Attributes:
        text: the formula as it was written.
        letters: the indices, in the order of the axes.
        moves: (sign, q, position in the text), one for each term after the first.
    """

    text: str
    letters: str
    moves: tuple[tuple[int, tuple[int, ...], int], ...]

    @cached_property
    def signs(self) -> dict[tuple[int, ...], int] | None:
        """The sign of each permutation that the formula implies; None if one has both signs, so that only T = 0 obeys it.

        Raises:
            RepresentationError: more than 40,320 permutations.
        """
        found, _ = _generated(len(self.letters), [(q, sign) for sign, q, _ in self.moves])
        if found is not None and len(found) > _PERMUTATIONS:
            raise RepresentationError(
                f"formula: {shorten(self.text)!r} implies more than {_PERMUTATIONS} permutations; "
                "use V.sym(k) or V.alt(k) for the indices that are all exchanged"
            )
        return found

    @cached_property
    def canonical(self) -> str:
        """One text for all formulas that say the same: indices i, j, k, ..., the first permutations that imply the rest.

        >>> parse_formula("abc=bca=bac").canonical, parse_formula("ij=ji=-ij").canonical
        ('ijk=ikj=jik', 'ij=-ij')
        """
        k = len(self.letters)
        first = _LETTERS[:k]
        if self.signs is None:
            return f"{first}=-{first}"
        _, chosen = _generated(k, sorted(self.signs.items()))
        return "=".join([first, *("-" * (sign < 0) + "".join(first[a] for a in q) for q, sign in chosen)])

    def count(self, dims: tuple[int, ...]) -> int:
        """The dimension of the space of tensors of this shape that obey the formula: the mean of the signed fixed tuples."""
        if self.signs is None:
            return 0
        return sum(sign * prod(dims[c[0]] for c in _cycles(q)) for q, sign in self.signs.items()) // len(self.signs)


def parse_formula(text: str) -> Formula:
    """Read a formula: terms joined by ``=``, each the same indices in some order, with a sign or without.

    Raises:
        RepresentationError: with the 0-based position, an index that is no letter, stands twice, is missing or is new.

    >>> parse_formula("ijk=-jik").moves
    ((-1, (1, 0, 2), 5),)
    >>> parse_formula("ij=jk")
    Traceback (most recent call last):
        ...
    repcore.errors.RepresentationError: formula: cannot read 'ij=jk': at position 4, the index 'k' is not in the first term 'ij'
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # users pass what they have
        raise IncompatibleError(f"formula: expected a text such as 'ijk=jik=-ikj', got {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        raise RepresentationError(
            f"formula: {shorten(text)!r} has {len(text)} characters, more than {MAX_LENGTH}; write it shorter"
        )
    terms: list[tuple[int, str, int]] = []
    start = 0
    for part in text.split("="):
        terms.append(_term(text, part, start))
        start += len(part) + 1
    first, letters, _ = terms[0]
    if len(letters) > len(_LETTERS):
        raise _failure(text, 0, f"there are more than {len(_LETTERS)} indices")
    for _, word, at in terms[1:]:
        for offset, letter in enumerate(word):
            if letter not in letters:
                raise _failure(text, at + offset, f"the index {letter!r} is not in the first term {letters!r}")
        for letter in letters:
            if letter not in word:
                raise _failure(text, at + len(word), f"the index {letter!r} of the first term is missing; each term has them all")
    moves = tuple((first * sign, tuple(map(letters.index, word)), at) for sign, word, at in terms[1:])
    return Formula(text, letters, moves)


def _cycles(q: tuple[int, ...]) -> list[list[int]]:
    """The cycles of a permutation, those of length one as well."""
    out: list[list[int]] = []
    left = set(range(len(q)))
    for start in range(len(q)):
        cycle: list[int] = []
        a = start
        while a in left:
            left.remove(a)
            cycle.append(a)
            a = q[a]
        if cycle:
            out.append(cycle)
    return out


def _term(text: str, part: str, start: int) -> tuple[int, str, int]:
    """The sign of a term, its letters, and where they begin."""
    body = part.lstrip()
    sign = -1 if body.startswith("-") else 1
    if body[:1] in ("-", "+"):
        body = body[1:].lstrip()
    at = start + len(part) - len(body)
    word = body.rstrip()
    if not word:
        raise _failure(text, at, "indices must stand here, as in 'ijk=jik=-ikj'")
    for offset, letter in enumerate(word):
        if not (letter.isascii() and letter.isalpha()):
            raise _failure(text, at + offset, f"{letter!r} is no index; an index is one letter, terms are joined by '='")
        if letter in word[:offset]:
            raise _failure(text, at + offset, f"the index {letter!r} stands twice; a term names each index once")
    return sign, word, at


def _failure(text: str, position: int, problem: str) -> RepresentationError:
    return RepresentationError(f"formula: cannot read {shorten(text)!r}: at position {position}, {problem}")


def _generated(k: int, moves: Iterable[_Move]) -> tuple[dict[tuple[int, ...], int] | None, list[_Move]]:
    """All products of signed permutations, and those of them that are no products of the ones before.

    None if a permutation comes with both signs, and a few too many if there are too many.
    """
    known: dict[tuple[int, ...], int] | None = {tuple(range(k)): 1}
    chosen: list[_Move] = []
    for q, sign in moves:
        if known.get(q) != sign:
            chosen.append((q, sign))
            known = _closure(k, chosen)
            if known is None or len(known) > _PERMUTATIONS:
                break
    return known, chosen


def _closure(k: int, moves: list[_Move]) -> dict[tuple[int, ...], int] | None:
    start = tuple(range(k))
    found = {start: 1}
    reached = [start]
    while reached and len(found) <= _PERMUTATIONS:
        p = reached.pop()
        for q, sign in moves:
            # T[t] = s T[t p] and T[t] = s' T[t q] give T[t] = s s' T[t p q].
            product = tuple(p[a] for a in q)
            if product not in found:
                found[product] = found[p] * sign
                reached.append(product)
            elif found[product] != found[p] * sign:
                return None
    return found
