"""`resolve`: rules and the weights of a model to sites; everything is checked before anything is touched."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from repcore.errors import IncompatibleError, RepcoreError
from repcore.groups.group import Group
from repcore.rules.maps import read_slot
from repcore.rules.pattern import Key, matches, near_misses, shown
from repcore.rules.rule import Rule, read_rules
from repcore.rules.site import Site, Sites
from repcore.rules.slot import Slot
from repcore.spec import Spec

__all__ = ["resolve"]


def resolve(rules: Any, slots: Iterable[Slot], symmetry: Spec | Group | None = None, *, replaced: Collection[str] = ()) -> Sites:
    """Which weights the rules mean, and how each is projected and parametrised. For authors of adapters.

    Args:
        rules: a mapping of patterns (see :class:`Rule`) or classes to what the weights map, or a spec with ``[rules]``.
        slots: the weights of the model.
        symmetry: what names in texts mean: a spec or a group.
        replaced: kinds of norms that the adapter replaces by layers of its own.

    Raises:
        IncompatibleError: a rule that means no weight, with near misses; two rules for one weight; a weight that cannot be taken;
            a shape that does not fit.
        SpecError: a text that cannot be read.
        SolveError, MemoryLimitError: as :func:`repcore.solve`.

    Cost: one solve for each distinct space, cached.

    >>> import repcore as rc
    >>> D4 = rc.dihedral(4)
    >>> slots = [Slot("fc.weight", "fc", "weight", "linear", (8, 4), ("o", "i")),
    ...          Slot("fc.bias", "fc", "bias", "linear", (8,), ("o",))]
    >>> print(resolve({"fc": "2*V >> regular"}, slots, D4))
    weight     shape  layer   rule  maps            before  after
    fc.weight  8 x 4  linear  fc    2*V >> regular      32      4
    fc.bias    8      linear  fc    1 >> regular         8      1
    40 parameters become 5
    """
    slots = list(slots)
    found = read_rules(rules, symmetry)
    taken: dict[str, tuple[Key, Rule]] = {}
    for key, rule in found:
        meant = [s for s in slots if matches(key, s)]
        if not meant:
            raise IncompatibleError(f"rules: {shown(key)} means no weight of the model{near_misses(key, slots)}")
        for slot in meant:
            if slot.path in taken:
                raise IncompatibleError(
                    f"rules: {shown(taken[slot.path][0])} and {shown(key)} both mean {slot.path!r}; a weight takes one rule, so "
                    "make one of them narrower"
                )
            if slot.blocked:
                raise IncompatibleError(f"rules: {shown(key)} means {slot.path!r}, which {slot.blocked}")
            taken[slot.path] = (key, rule)
    kinds = frozenset(replaced)
    sites = tuple(_site(slot, *taken[slot.path], kinds) for slot in slots if slot.path in taken)
    return Sites(sites, tuple(slot for slot in slots if slot.path not in taken))


def _site(slot: Slot, key: Key, rule: Rule, replaced: frozenset[str]) -> Site:
    try:
        plan, view, label, rep, space = read_slot(slot, rule, replaced)
    except IncompatibleError as error:
        raise IncompatibleError(f"rules[{shown(key)}]: {slot.path!r}: {error}") from None
    except RepcoreError as error:
        error.add_note(f"rules[{shown(key)}]: {slot.path!r}")
        raise
    return Site(slot, key, rule, plan, view, label, rep, space)
