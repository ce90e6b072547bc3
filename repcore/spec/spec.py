"""`Spec`: what a declarative file says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from repcore.errors import IncompatibleError, SpecError
from repcore.groups.group import Group
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep
from repcore.spec.expression import check_name
from repcore.spec.table import Table

__all__ = ["RULE_OPTIONS", "Spec", "check_map_name"]

RULE_OPTIONS: dict[str, type] = {
    "maps": str,
    "spatial": str,
    "inner": str,
    "axes": str,
    "heads": int,
    "degree": int,
}
"""What a rule can say, and as what; see :class:`repcore.Rule`."""


@dataclass(frozen=True, init=False, repr=False)
class Spec:
    """A group, named representations of it, and named spaces of maps between those.

    Args:
        group: the group.
        reps: representations by name; names are identifiers.
        maps: spaces ``X >> Y`` by name; a name is also that of the file which ``repcore solve`` writes.
        rules: what the weights of a model map, by patterns of their names: texts, or tables of the options of
            :class:`repcore.Rule`, as they are written in a file.

    Immutable and hashable; ``spec.reps`` and ``spec.maps`` are mappings in the order of the file. :func:`load` reads one,
    :func:`dump` writes one.

    Raises:
        SpecError: a name that is not allowed.
        IncompatibleError: a representation or a space of another group.

    >>> import repcore as rc
    >>> G = rc.dihedral(4)
    >>> spec = Spec(G, {"X": 2 * G.rep}, {"layer": G.rep >> 2 * G.rep})
    >>> spec.reps["X"].dim, list(spec.maps)
    (4, ['layer'])
    >>> print(spec)
    group D4
    X = 2*V, dimension 4
    layer: V >> 2*V, 4 x 2
    >>> spec
    Spec(dihedral(4), reps={'X': 2 * dihedral(4).rep}, maps={'layer': Hom(dihedral(4).rep, 2 * dihedral(4).rep)})
    """

    group: Group
    reps: Table[Rep]
    maps: Table[Hom]
    rules: Table[str | Table[str | int]]

    def __init__(
        self,
        group: Group,
        reps: Mapping[str, Rep] | None = None,
        maps: Mapping[str, Hom] | None = None,
        rules: Mapping[str, str | Mapping[str, str | int]] | None = None,
    ) -> None:
        if not isinstance(group, Group):
            raise IncompatibleError(f"group: expected a Group, got {type(group).__name__}")
        for name, rep in (reps or {}).items():
            check_name(name, f"reps[{name!r}]")
            if name.startswith("_"):
                raise SpecError(f"reps[{name!r}]: names that begin with _ are for parts within a file; choose another")
            if not isinstance(rep, Rep) or rep.group != group:
                raise IncompatibleError(f"reps[{name!r}]: expected a representation of {group}")
        for name, space in (maps or {}).items():
            check_map_name(name, f"maps[{name!r}]")
            if not isinstance(space, Hom) or space.group != group:
                raise IncompatibleError(f"maps[{name!r}]: expected a space X >> Y over {group}")
        object.__setattr__(self, "group", group)
        object.__setattr__(self, "reps", Table(reps))
        object.__setattr__(self, "maps", Table(maps))
        kept = {key: rule if isinstance(rule, str) else Table(rule) for key, rule in (rules or {}).items()}
        object.__setattr__(self, "rules", Table[str | Table[str | int]](kept))

    def __repr__(self) -> str:
        rules = f", rules={self.rules!r}" if self.rules else ""
        return f"Spec({self.group!r}, reps={self.reps!r}, maps={self.maps!r}{rules})"

    def __str__(self) -> str:
        lines = [f"group {self.group}"]
        lines += [f"{name} = {rep}, dimension {rep.dim}" for name, rep in self.reps.items()]
        lines += [f"{name}: {space}, {space.shape[0]} x {space.shape[1]}" for name, space in self.maps.items()]
        lines += [f"rule {name!r}: {rule if isinstance(rule, str) else dict(rule)}" for name, rule in self.rules.items()]
        return "\n".join(lines)


_MAP_NAME = re.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def check_map_name(name: object, where: str) -> None:
    """SpecError unless the name of a map can safely be the name of a file."""
    if not isinstance(name, str) or not _MAP_NAME.fullmatch(name):
        raise SpecError(
            f"{where}: the name of a map becomes the name of a file; use up to 100 letters, digits, '_', '-' and '.', and do not "
            "begin with '-' or '.'"
        )
