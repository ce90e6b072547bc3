"""`Site`: a weight with what it maps: its plan, and the view that reads it; `Sites`: all of a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import overload

from repcore.plan import Plan
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep
from repcore.rules.pattern import Key, shown
from repcore.rules.rule import Rule
from repcore.rules.slot import Slot
from repcore.rules.view import View

__all__ = ["Site", "Sites"]


@dataclass(frozen=True)
class Site:
    """One weight that a rule means.

    Attributes:
        slot: the weight.
        key: the pattern or class of the rule.
        rule: the rule.
        plan: how to project onto and parametrise the equivariant maps. None for the parameters of a norm, which an adapter
            replaces by the equivariant form of the layer.
        view: how the weight is read as maps (..., dim Y, dim X).
        label: the space, as text.
        rep: of a norm, the representation of its features.
        space: the space of these maps; of a kernel, that of the features; None where only a plan was given.
    """

    slot: Slot
    key: Key
    rule: Rule
    plan: Plan | None
    view: View | None
    label: str
    rep: Rep | None = None
    space: Hom | None = None

    @property
    def path(self) -> str:
        """The name of the weight in the model."""
        return self.slot.path

    @property
    def before(self) -> int:
        """The number of entries of the weight."""
        return prod(self.slot.shape)

    @property
    def after(self) -> int | None:
        """The number of coefficients in its place; None where the layer is replaced."""
        return None if self.plan is None or self.view is None else prod(self.view.batch) * self.plan.dim


@dataclass(frozen=True)
class Sites:
    """The weights of a model that rules mean, in the order of the model; a sequence of :class:`Site`. Print it.

    Attributes:
        sites: these weights.
        free: the weights that no rule means, which stay as they are.
    """

    sites: tuple[Site, ...]
    free: tuple[Slot, ...]

    def __iter__(self) -> Iterator[Site]:
        return iter(self.sites)

    def __len__(self) -> int:
        return len(self.sites)

    @overload
    def __getitem__(self, key: int) -> Site: ...
    @overload
    def __getitem__(self, key: str) -> Site: ...
    def __getitem__(self, key: int | str) -> Site:
        """The site of a number, or of the path of a weight."""
        if isinstance(key, int):
            return self.sites[key]
        found = next((s for s in self.sites if s.path == key), None)
        if found is None:
            raise KeyError(f"no rule means {key!r}")
        return found

    def __str__(self) -> str:
        rows = [("weight", "shape", "layer", "rule", "maps", "before", "after")]
        for s in self.sites:
            after = "replaced" if s.after is None else f"{s.after:,}"
            rows.append((s.path, _size(s.slot), s.slot.kind, shown(s.key).strip("'"), s.label, f"{s.before:,}", after))
        widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
        lines = [
            "  ".join(x.rjust(w) if c > 4 else x.ljust(w) for c, (x, w) in enumerate(zip(r, widths, strict=True))) for r in rows
        ]
        counted = [s for s in self.sites if s.after is not None]
        lines.append(f"{sum(s.before for s in counted):,} parameters become {sum(s.after or 0 for s in counted):,}")
        if self.free:
            names = ", ".join(slot.path for slot in self.free[:8]) + (", ..." if len(self.free) > 8 else "")
            lines.append(f"{sum(prod(slot.shape) for slot in self.free):,} in {len(self.free)} weights stay free: {names}")
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__


def _size(slot: Slot) -> str:
    return " x ".join(map(str, slot.shape)) or "scalar"
