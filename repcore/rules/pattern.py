"""Patterns of names: which weights a rule means, and which it nearly means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

from repcore.errors import IncompatibleError
from repcore.rules.slot import Slot

__all__ = ["Key", "matches", "near_misses", "shown"]

Key = str | type
_TYPE = "type:"


def matches(key: Key, slot: Slot) -> bool:
    """Whether a rule with this key means the slot.

    A name or pattern means the weights of the layers with such a name, and the weights with such a name. ``*`` and ``?`` stand
    for characters within one part of a name, ``[ab]`` for one of these, ``**`` for any number of whole parts; parts are separated
    by ``.`` or ``/``. A class means the layers of this class, and ``"type:Name"`` those of a class or base class of that name.

    >>> slot = Slot("layers.0.mlp.weight", "layers.0.mlp", "weight", "linear", (4, 4))
    >>> [matches(key, slot) for key in ("layers.0.mlp", "layers.*.mlp", "layers.*", "**.mlp", "layers/0/mlp/weight", "type:A")]
    [True, True, False, True, True, False]
    """
    if isinstance(key, type):
        return slot.type is not None and issubclass(slot.type, key)
    if key.startswith(_TYPE):
        wanted = key.removeprefix(_TYPE).strip()
        return slot.type is not None and any(c.__name__ == wanted for c in slot.type.__mro__)
    pattern = _compiled(key)
    return any(pattern.fullmatch(_slashed(name)) is not None for name in (slot.owner, slot.path))


def shown(key: Key) -> str:
    """The key as it stands in messages.

    >>> shown("head"), shown(dict)
    ("'head'", 'dict')
    """
    return key.__name__ if isinstance(key, type) else repr(key)


def near_misses(key: Key, slots: Iterable[Slot]) -> str:
    """What a rule that means nothing might have meant, as the end of a message."""
    slots = list(slots)
    types = sorted({s.type.__name__ for s in slots if s.type is not None})
    if isinstance(key, type) or key.startswith(_TYPE):
        return f"; the layers with weights are of the types {', '.join(types)}" if types else "; the model has no weights"
    within = [s.owner for s in slots if _slashed(s.owner).startswith(_slashed(key).rstrip("/") + "/")]
    if within:
        return f"; it holds other layers: write {key + '.**'!r} for all of them, or name {_listed(within)}"
    if key in types:
        return f"; for the layers of the class {key} write {_TYPE + key!r}"
    if not slots:
        return "; it has no weights at all"
    names = list(dict.fromkeys(name for s in slots for name in (s.owner, s.path) if name))
    tail = re.split("[./]", key)[-1]
    close = get_close_matches(key, names, n=3, cutoff=0.6) or [n for n in names if re.split("[./]", n)[-1] == tail]
    return f"; close to it are {_listed(close)}" if close else f"; the model has {_listed(s.owner or s.path for s in slots)}"


def _listed(names: Iterable[str]) -> str:
    unique = list(dict.fromkeys(names))
    return ", ".join(map(repr, unique[:6])) + (f" and {len(unique) - 6} more" if len(unique) > 6 else "")


def _slashed(name: str) -> str:
    return name.replace(".", "/")


@lru_cache(maxsize=1024)
def _compiled(key: str) -> re.Pattern[str]:
    parts = _slashed(key).split("/")
    if not key or "" in parts:
        raise IncompatibleError(f"rules: {key!r} is no pattern; write names of layers such as 'layer1.0.conv' or 'blocks.*.mlp'")
    pieces = [
        ".+" if part == "**" and last else "(?:[^/]+/)*" if part == "**" else _TOKEN.sub(_regex, part) + ("" if last else "/")
        for part, last in zip(parts, [False] * (len(parts) - 1) + [True], strict=True)
    ]
    return re.compile("".join(pieces), re.DOTALL)


_TOKEN = re.compile(r"\*|\?|\[!?[^\]]+\]|.", re.DOTALL)


def _regex(token: re.Match[str]) -> str:
    match text := token[0]:
        case "*" | "?":
            return "[^/]" + text.replace("?", "")
        case _ if len(text) > 1:
            # Of a class of characters only ! has a meaning of its own; backslashes and ^ stand for themselves.
            negated = text[1] == "!"
            return "[" + "^" * negated + text[1 + negated : -1].replace("\\", r"\\").replace("^", r"\^").replace("[", r"\[") + "]"
        case _:
            return re.escape(text)
