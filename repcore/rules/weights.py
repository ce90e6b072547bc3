"""`site_weights`: a number, a schedule, or one for each pattern, as one for each weight of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, cast

from repcore.errors import IncompatibleError
from repcore.rules.pattern import Key, matches, near_misses, shown
from repcore.rules.site import Site

__all__ = ["Weight", "site_weights"]

Weight = float | Callable[[Any], Any]


def site_weights(value: Any, sites: Iterable[Site], name: str = "weight") -> tuple[Weight, ...]:
    """The weight of each site in a loss. For authors of adapters.

    Args:
        value: a number >= 0; a schedule, which is a function of the number of the step; or a mapping from patterns or classes, as
            in rules, to one of these. The first pattern that means a weight counts, so that ``"**"`` at the end means all others.
        sites: the weights.
        name: of the argument, for messages.

    Raises:
        IncompatibleError: a number below zero, infinite or not a number; a pattern that means no weight; a weight that no pattern
            means.

    >>> import repcore as rc
    >>> from repcore.rules.slot import Slot
    >>> V = rc.dihedral(4).rep
    >>> slots = [Slot(f"{x}.weight", x, "weight", "linear", (2, 2), ("o", "i")) for x in "ab"]
    >>> sites = rc.resolve({"a": V >> V, "b": V >> V}, slots)
    >>> site_weights({"a": 0.1, "**": 1}, sites)
    (0.1, 1.0)
    """
    sites = list(sites)
    if not isinstance(value, Mapping):
        one = _checked(value, name)
        return tuple(one for _ in sites)
    table = [(key, _checked(each, f"{name}[{shown(key)}]")) for key, each in cast(Mapping[Key, Any], value).items()]
    for key, _ in table:
        if not any(matches(key, site.slot) for site in sites):
            raise IncompatibleError(f"{name}: {shown(key)} means no penalised weight{near_misses(key, [s.slot for s in sites])}")
    found: list[Weight] = []
    for site in sites:
        first = next((each for key, each in table if matches(key, site.slot)), None)
        if first is None:
            raise IncompatibleError(f"{name}: no pattern means {site.path!r}; add one, or '**' at the end for all others")
        found.append(first)
    return tuple(found)


def _checked(value: Any, name: str) -> Weight:
    if callable(value):
        return cast(Weight, value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not (value >= 0 and isfinite(value)):
        raise IncompatibleError(f"{name}: is {value!r}; give a number >= 0, or a function of the step")
    return float(value)
