"""Reading permutations: lists of images and cycle notation, 0-based."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from repcore.errors import DeclarationError

__all__ = ["cycles", "parse_permutation", "parse_permutations", "whole"]

_MAX_POINT = 10_000_000


def parse_permutations(generators: Sequence[Sequence[int] | str], degree: int | None, where: str) -> tuple[tuple[int, ...], ...]:
    """All generators as tuples of images on one common number of points.

    Raises:
        DeclarationError: with the place, if one of them is not a permutation or the degrees differ.
    """
    if isinstance(generators, str) or not hasattr(generators, "__len__"):
        raise DeclarationError(f"{where}: expected a list of permutations, got {generators!r}; write [{generators!r}]")
    degree = None if degree is None else whole(degree, "degree: PermutationGroup")
    parsed = [parse_permutation(g, f"{where}[{i}]") for i, g in enumerate(generators)]
    size = max([degree or 0, *(len(p) for p in parsed)])
    for i, (p, g) in enumerate(zip(parsed, generators, strict=True)):
        if len(p) > size or (not isinstance(g, str) and len(p) != size):
            raise DeclarationError(
                f"{where}[{i}]: lists the images of {len(p)} points, but the group acts on {size}; "
                "a list of images names every point, use cycles such as '(0 1)' to name only those that move"
            )
    if degree is not None and size > degree:
        raise DeclarationError(f"{where}: names point {size - 1}, but degree={degree} allows 0 to {degree - 1}")
    return tuple(p + tuple(range(len(p), size)) for p in parsed)


def parse_permutation(value: Sequence[int] | str, where: str) -> tuple[int, ...]:
    """One permutation as the tuple of its images.

    >>> parse_permutation("(0 1 2)(4 5)", "g")
    (1, 2, 0, 3, 5, 4)
    """
    if isinstance(value, str):
        return _from_cycles(value, where)
    try:
        images = tuple(_point(x, f"{where}[{i}]") for i, x in enumerate(cast(Sequence[Any], value)))
    except TypeError:
        raise DeclarationError(
            f"{where}: expected a list of images or a string of cycles, got {value!r}; a single permutation is a list of one, "
            "[[1, 2, 0]]"
        ) from None
    if sorted(images) != list(range(len(images))):
        missing = sorted(set(range(len(images))) - set(images))
        raise DeclarationError(
            f"{where}: {list(images)!r:.80} is no permutation of 0..{len(images) - 1}"
            + (f" ({missing[0]} is the image of nothing); points are counted from 0" if missing else "")
        )
    return images


def cycles(images: Sequence[int]) -> str:
    """The cycle notation of a permutation; the identity is ``"()"``.

    >>> cycles([1, 2, 0, 3, 5, 4])
    '(0 1 2)(4 5)'
    """
    seen: set[int] = set()
    out: list[str] = []
    for start in range(len(images)):
        if start in seen or images[start] == start:
            continue
        cycle, x = [start], images[start]
        while x != start:
            cycle.append(x)
            x = images[x]
        seen.update(cycle)
        out.append(f"({' '.join(map(str, cycle))})")
    return "".join(out) or "()"


def _from_cycles(text: str, where: str) -> tuple[int, ...]:
    bodies = re.findall(r"\(([^()]*)\)", text)
    if re.sub(r"\([\d\s,]*\)", "", text).strip() or not bodies:
        raise DeclarationError(f"{where}: {text[:60]!r} is not a product of cycles such as '(0 1 2)(3 4)'")
    points = [[_point(int(x), where) for x in re.findall(r"\d+", body)] for body in bodies]
    flat = [x for cycle in points for x in cycle]
    if len(set(flat)) != len(flat):
        twice = next(x for x in flat if flat.count(x) > 1)
        raise DeclarationError(f"{where}: point {twice} stands twice in {text[:60]!r}; write disjoint cycles")
    images = list(range(max(flat, default=-1) + 1))
    for cycle in points:
        for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True):
            images[a] = b
    return tuple(images)


def whole(x: object, what: str) -> int:
    """An integer argument as an int, NumPy integers too.

    Raises:
        DeclarationError: anything else, floats and truth values among it.
    """
    if isinstance(x, bool) or not hasattr(x, "__index__"):
        raise DeclarationError(f"{what} takes an integer, got {x!r}")
    return int(cast(Any, x).__index__())


def _point(x: object, where: str) -> int:
    value = whole(x, f"{where}: points are the integers 0, 1, 2, ...; a point")
    if not 0 <= value < _MAX_POINT:
        raise DeclarationError(f"{where}: point {value} is out of range 0..{_MAX_POINT - 1}")
    return value
