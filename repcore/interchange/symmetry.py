"""`Declared`: the spaces of a model in declarations, one for each group, so that a file alone tells its symmetry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from repcore.errors import RepcoreError, SpecError, StoreError
from repcore.exact.grammar import shorten
from repcore.groups.group import Group
from repcore.reps.hom import Hom
from repcore.spec import Spec
from repcore.spec.reading import read
from repcore.spec.writing import document
from repcore.store.canonical import canonical

__all__ = ["Declared", "Entry", "declare"]


@dataclass(frozen=True)
class Entry:
    """One space: its digest, its expression for people, and the number of the declaration that has it, None if none has."""

    digest: str
    text: str
    declaration: int | None


@dataclass(frozen=True, eq=False)
class Declared:
    """Distinct spaces, and plain declarations of them in canonical form: no names, generators sorted.

    Attributes:
        documents: the tables of a declarative file, one for each group; the map named ``"i"`` is space number i.
        entries: the distinct spaces.
        names: for each weight the number of its space.
    """

    documents: tuple[dict[str, Any], ...]
    entries: tuple[Entry, ...]
    names: Mapping[str, int]

    @cached_property
    def specs(self) -> tuple[Spec, ...]:
        """The declarations, read; nothing in them is executed.

        Raises:
            StoreError: they are damaged, or declare another space than the digest names.
        """
        try:
            found = tuple(read(d, f"declarations[{i}]") for i, d in enumerate(self.documents))
        except RepcoreError as error:
            raise StoreError(f"the declaration of the symmetry cannot be read: {error}; save the model again") from None
        for i, entry in enumerate(self.entries):
            if entry.declaration is not None:
                space = found[entry.declaration].maps.get(str(i))
                if space is None or space.digest != entry.digest:
                    raise StoreError(
                        f"the declaration of the symmetry says {space}, and the digest of space {i} is that of another one; "
                        "save the model again"
                    )
        return found

    @cached_property
    def spaces(self) -> dict[str, Hom | None]:
        """The space of each weight; None where no declaration has it."""
        out: dict[str, Hom | None] = {}
        for name, i in self.names.items():
            where = self.entries[i].declaration
            out[name] = None if where is None else self.specs[where].maps[str(i)]
        return out


def declare(spaces: Mapping[str, Hom | None]) -> Declared:
    """The declarations of the spaces of weights, in the order of their names.

    A space that no file can say keeps its digest and its text. Cost: writing each space once, and reading it back.
    """
    distinct: dict[str, Hom] = {}
    names: dict[str, int] = {}
    for name in sorted(spaces):
        space = spaces[name]
        if space is not None:
            distinct.setdefault(space.digest, space)
            names[name] = list(distinct).index(space.digest)
    groups: dict[Group, dict[str, Hom]] = {}
    entries: list[Entry] = []
    for i, (digest, space) in enumerate(distinct.items()):
        plain = _writable(space)
        where = None
        if plain is not None:
            groups.setdefault(plain.group, {})[str(i)] = plain
            where = list(groups).index(plain.group)
        entries.append(Entry(digest, shorten(str(plain or space), 400), where))
    return Declared(tuple(document(Spec(group, maps=maps)) for group, maps in groups.items()), tuple(entries), names)


def _writable(space: Hom) -> Hom | None:
    """The canonical form of a space that a declarative file says and gives back; None if there is none."""
    try:
        plain = canonical(space)
        again = read(document(Spec(plain.group, maps={"0": plain})), "space").maps["0"]
    except (StoreError, SpecError):
        return None
    return plain if again.digest == space.digest else None
