"""Random changes of an input: of its bytes, with the words of the grammars, and of its structure where it is JSON."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from typing import Any

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    3,
    7,
    63,
    64,
    255,
    10**6,
    2**31,
    2**53,
    2**62,
    2**63,
    2**64,
    -(2**63),
    10**30,
    0.5,
    1e308,
    float("inf"),
    float("nan"),
    "",
    "1",
    "0",
    "-1/2",
    "1/0",
    "sqrt(2)",
    "zeta(60)",
    "V",
    "1e9",
    "I",
    "sum",
    "defining",
    "../../x",
    "\x00",
    "\ud800",
    "x" * 300,
    [],
    {},
    [[]],
    [0],
    [[0]],
    [[1, 0], [0, 1]],
    {"node": "defining"},
    {"node": "dual"},
]


def mutated(data: bytes, rng: random.Random, words: list[str], others: list[bytes], limit: int = 100_000) -> bytes:
    """The input with one to six changes; ``others`` are inputs to take pieces from."""
    if rng.random() < 0.7:
        try:
            tree: Any = json.loads(data)
        except (ValueError, RecursionError):
            tree = None
        if isinstance(tree, dict | list):
            for _ in range(rng.choice((1, 1, 2, 3, 6))):
                tree = _changed(tree, rng, others)
            try:
                return json.dumps(tree).encode("utf-8", "replace")[:limit]
            except (ValueError, RecursionError):
                return data
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        at, length = rng.randint(0, len(out)), rng.choice((1, 2, 4, 16, 64))
        match rng.randrange(7):
            case 0:
                out[at:at] = rng.choice(words).encode()
            case 1:
                del out[at : at + length]
            case 2:
                out[at : at + length] = rng.choice(words).encode()
            case 3 if out:
                out[at % len(out)] ^= 1 << rng.randrange(8)
            case 4:
                out[at:at] = out[at : at + length] * rng.choice((1, 2, 30))
            case 5:
                out[at : at + length] = rng.randbytes(length)
            case _:
                other = rng.choice(others)
                start = rng.randint(0, len(other))
                out[at:at] = other[start : start + 4 * length]
    return bytes(out[:limit])


def _changed(tree: Any, rng: random.Random, others: list[bytes]) -> Any:
    """A JSON tree with one node replaced, left out, doubled, wrapped, or taken from elsewhere."""
    paths = list(_paths(tree))
    path = rng.choice(paths)
    if not path:
        return tree
    parent = tree
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    match rng.randrange(8):
        case 0 | 1:
            parent[key] = rng.choice(VALUES)
        case 2:
            del parent[key]
        case 3:
            parent[key] = deepcopy(_at(tree, rng.choice(paths)))
        case 4:
            parent[key] = rng.choice(([parent[key]], [parent[key], parent[key]], {"node": "dual", "rep": parent[key]}))
        case 5:
            value = parent[key]
            if type(value) is int:
                parent[key] = value + rng.choice((-1, 1, 7, 2**32, -(2**32)))
            elif isinstance(value, str) and value:
                i = rng.randrange(len(value))
                parent[key] = value[:i] + rng.choice(("", "0", "9", "f", "*V", "-", value)) + value[i + 1 :]
            elif isinstance(value, list):
                rng.shuffle(value)
            else:
                parent[key] = rng.choice(VALUES)
        case 6 if isinstance(parent, dict):
            parent[rng.choice([str(p[-1]) for p in paths if p])] = deepcopy(parent[key])
        case 6:
            parent.insert(key, deepcopy(parent[key]))
        case _:
            try:
                other = json.loads(rng.choice(others))
                parent[key] = _at(other, rng.choice(list(_paths(other))))
            except (ValueError, RecursionError):
                parent[key] = rng.choice(VALUES)
    # Values of VALUES may now stand in several places, and be changed in all: a copy has none in common.
    return json.loads(json.dumps(tree))


def _paths(tree: Any) -> list[tuple[Any, ...]]:
    """The way to every node. Long lists of plain integers, and texts, are one node each."""
    out: list[tuple[Any, ...]] = [()]
    stack: list[tuple[tuple[Any, ...], Any]] = [((), tree)]
    while stack and len(out) < 3000:
        path, node = stack.pop()
        items = node.items() if isinstance(node, dict) else enumerate(node[:50]) if isinstance(node, list) else ()
        for key, child in items:
            out.append((*path, key))
            stack.append((out[-1], child))
    return out


def _at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree
