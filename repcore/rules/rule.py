"""`Rule`: what the weights of a layer map, and how; read from what a user wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import PurePath
from typing import Any, cast

from repcore.basis import EquivariantBasis
from repcore.errors import IncompatibleError, SpecError
from repcore.groups.group import Group
from repcore.plan import Plan
from repcore.reps.function_maps import FunctionMaps
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep
from repcore.rules.pattern import Key, shown
from repcore.spec import Spec, Table
from repcore.spec.reading import read_expression, read_rule

__all__ = ["Maps", "Rule", "read_rules"]

Maps = Hom | FunctionMaps | EquivariantBasis | Plan | Rep


@dataclass(frozen=True)
class Rule:
    """What the weights of the layers that a pattern or a type means map.

    A bare space, text or representation in its place is a rule without options.

    Attributes:
        maps: ``X >> Y``, from the features that go in to the features that come out; the text of one; its basis; a plan. For a
            convolution X and Y are what a cell holds; or maps of a whole patch, ``rc.functions(...) >> Y``, which a table with a
            row for each cell takes as well. For norms, single tensors such as class tokens, and embeddings of tokens
            that no element moves: the representation X itself.
        spatial: how the group acts on the axes of a kernel: a representation by matrices of that size, or its text. By default
            the defining representation.
        heads: heads of the attention that the features which come out are split into: each must hold whole copies of an
            orthogonal representation, so that scores are invariant. Of ``nn.MultiheadAttention`` it is known.
        inner: the representation of query, key and value, in the rule of a packed attention; by default Y.
        axes: a letter for each axis of the weight, such as ``"i o"`` for (in, out), where it is not known: o out, i in, s cells
            of a kernel, b a batch of maps.
        degree, rings: of sampled kernels, see :func:`repcore.kernels`.

    >>> import repcore as rc
    >>> Rule("3*1 >> 8*regular", spatial="V")
    Rule('3*1 >> 8*regular', spatial='V')
    """

    maps: Maps | str
    spatial: Rep | str | None = None
    heads: int | None = None
    inner: Rep | str | None = None
    axes: str | None = None
    degree: int | None = None
    rings: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.maps, Maps | str):
            raise IncompatibleError(
                f"maps: expected a space X >> Y, its text, a basis, a plan or a representation, got {type(self.maps).__name__}"
            )
        if self.rings is not None:
            object.__setattr__(self, "rings", tuple(self.rings))
        if self.heads is not None and (not isinstance(self.heads, int) or self.heads < 1):
            raise IncompatibleError(f"heads: is {self.heads!r}; give the number of heads, at least 1")
        if self.axes is not None and (not isinstance(self.axes, str) or not set(self.axes) <= set("oisb ,")):
            raise IncompatibleError(f"axes: is {self.axes!r}; give a letter for each axis, such as 'o i s s': o, i, s or b")

    def __repr__(self) -> str:
        options = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self)[1:] if getattr(self, f.name) is not None)
        return f"Rule({', '.join([repr(self.maps), *options])})"

    @property
    def letters(self) -> tuple[str, ...] | None:
        """The letters of ``axes``."""
        return None if self.axes is None else tuple(self.axes.replace(",", "").replace(" ", ""))


def read_rules(rules: Any, symmetry: Spec | Group | None = None) -> list[tuple[Key, Rule]]:
    """The rules that a user wrote, their texts read.

    Args:
        rules: a mapping of patterns or classes to what the weights map; or a :class:`repcore.Spec` with rules.
        symmetry: what the names in texts mean: a spec, or a group for texts with no names but those that every file knows.

    Raises:
        IncompatibleError: no mapping, an empty one, a key or a value that is none, a text without a ``symmetry``.
        SpecError: a text that cannot be read.
    """
    if isinstance(rules, Spec):
        rules, symmetry = dict(rules.rules), symmetry or rules
    if not isinstance(rules, Mapping):
        raise IncompatibleError(
            f"rules: expected a mapping such as {{'layer1.*': X >> Y}}, or a spec with [rules], got {type(rules).__name__}"
            + ("; rc.load(path) reads the spec of a file" if isinstance(rules, str | PurePath) else "")
        )
    if not rules:
        raise IncompatibleError("rules: there are none; write {'layer1': X >> Y}, or [rules] in the file of the symmetry")
    if symmetry is not None and not isinstance(symmetry, Spec | Group):
        raise IncompatibleError(f"symmetry: expected a spec (rc.load) or a group, got {type(symmetry).__name__}")
    spec = Spec(symmetry) if isinstance(symmetry, Group) else symmetry
    found: list[tuple[Key, Rule]] = []
    for key, value in cast(Mapping[Any, Any], rules).items():
        if not isinstance(key, str | type):
            raise IncompatibleError(f"rules: the key {key!r} is neither a pattern of names nor a class")
        where = f"rules[{shown(key)}]"
        try:
            rule = (
                value
                if isinstance(value, Rule)
                else Rule(**dict(cast(Table[Any], value)))
                if isinstance(value, Table)
                else Rule(value)
            )
        except IncompatibleError as error:
            raise IncompatibleError(f"{where}: {error}") from None
        found.append((key, _resolved(rule, spec, where)))
    return found


def _resolved(rule: Rule, spec: Spec | None, where: str) -> Rule:
    maps: Any = rule.maps
    if isinstance(maps, str):
        known = spec.maps.get(maps) if spec is not None else None
        reader = read_rule if ">>" in maps else read_expression
        maps = known if known is not None else reader(maps, _need(spec, maps, where), where)
    return replace(
        rule, maps=maps, spatial=_rep(rule.spatial, spec, f"{where}: spatial"), inner=_rep(rule.inner, spec, f"{where}: inner")
    )


def _rep(value: Rep | str | None, spec: Spec | None, where: str) -> Rep | None:
    if isinstance(value, str):
        return read_expression(value, _need(spec, value, where), where)
    if value is not None and not isinstance(value, Rep):
        raise IncompatibleError(f"{where}: expected a representation or its text, got {type(value).__name__}")
    return value


def _need(spec: Spec | None, text: str, where: str) -> Spec:
    if spec is None:
        raise SpecError(
            f"{where}: {text!r} is a text, whose names mean nothing without a symmetry; pass symmetry=rc.load('symmetry.toml') "
            "or symmetry=group, or give the space itself"
        )
    return spec
