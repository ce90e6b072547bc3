"""A node that the store does not know is solved, and not stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import repcore as rc
from repcore.reps.tree import Dual, Sym
from repcore.store.canonical import canonical
from repcore.store.disk import Store


@dataclass(frozen=True, eq=False, repr=False)
class Twisted(Dual):
    """A subclass of a node that means something else than its parent."""

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("twisted", self.rep.digest)


@dataclass(frozen=True, eq=False, repr=False)
class Renamed(Sym):
    """A subclass that means the same."""

    @property
    def _tree(self) -> tuple[object, ...]:
        return Sym(self.group, self.rep, self.k)._tree


def shapes(node: Any, V: rc.Rep) -> list[rc.Hom]:
    return [node >> V, V >> node, V >> 2 * V + node * V, (node * V).dual >> V, rc.Rep.sym(node, 2) >> V]


def test_a_subclass_with_another_digest_has_no_stored_form() -> None:
    V = rc.dihedral(4).rep
    node = Twisted(V.group, V)
    for space in shapes(node, V):
        with pytest.raises(rc.StoreError, match="a Twisted has no stored form; solve spaces of it with store=None"):
            canonical(space)


def test_it_is_solved_nevertheless(tmp_path: Any) -> None:
    V = rc.dihedral(4).rep
    node = Twisted(V.group, V)
    assert rc.solve(V >> node, store=None).dim == 1
    with pytest.warns(rc.RepcoreWarning, match="has no stored form.*the answer is not kept"):
        assert rc.solve(V >> node, store=tmp_path).dim == 1
    assert Store(tmp_path).entries() == ()


def test_a_subclass_with_the_same_digest_is_stored_as_its_parent() -> None:
    V = rc.dihedral(4).rep
    space = Renamed(V.group, V, 2) >> V
    assert canonical(space) == canonical(V.sym(2) >> V)
    assert repr(canonical(space)) == repr(canonical(V.sym(2) >> V))
