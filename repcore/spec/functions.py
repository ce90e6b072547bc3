"""Maps from images in the texts of rules: ``"3*functions(16, band=0.8) >> 768*1"``."""

from __future__ import annotations

import re
from typing import Any

from repcore.errors import DeclarationError, IncompatibleError, RepresentationError, SpecError
from repcore.exact.grammar import shorten
from repcore.groups.group import Group
from repcore.reps.function_maps import FunctionMaps
from repcore.reps.functions import functions
from repcore.spec.expression import Scope, evaluate

__all__ = ["read_function_maps"]

_LEFT = re.compile(r"(?:(?P<values>.*\S)\s*\*\s*)?functions\s*\((?P<given>[^()]*)\)\s*", re.DOTALL)
_OPTIONS = {"band": r"\d{0,3}\.?\d{1,9}", "degree": r"\d{1,4}", "tokens": r"\d{1,6}"}


def read_function_maps(text: str, group: Group, scope: Scope, where: str) -> FunctionMaps | None:
    """The maps that a text says whose left side is, or ends in, ``functions(size, band=..., degree=..., tokens=...)``; else None.

    Raises:
        SpecError: with place and repair.
    """
    left, arrow, right = text.partition(">>")
    found = _LEFT.fullmatch(left.strip())
    if found is None or not arrow or ">>" in right:
        return None
    size, *rest = (part.strip() for part in found["given"].split(","))
    if not re.fullmatch(r"\d{1,6}", size):
        raise SpecError(
            f"{where}: functions({shorten(found['given'])}) begins with no size; write functions(16), or functions(16, band=0.8)"
        )
    options: dict[str, Any] = {}
    for part in rest:
        name, _, value = (x.strip() for x in part.partition("="))
        if name not in _OPTIONS or name in options or not re.fullmatch(_OPTIONS[name], value):
            raise SpecError(
                f"{where}: {shorten(part)!r} is no option of functions(...), or stands twice; write band=0.8, degree=4, tokens=1"
            )
        options[name] = float(value) if name == "band" else int(value)
    values = evaluate(found["values"], scope, f"{where}, left of >>").rep if found["values"] else None
    codomain = evaluate(right, scope, f"{where}, right of >>").rep
    try:
        return functions(group, int(size), values=values, **options).maps(codomain)
    except (DeclarationError, RepresentationError, IncompatibleError) as error:
        raise SpecError(f"{where}: {error}") from None
