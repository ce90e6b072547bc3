"""The laws hold for what is right, say what is wrong, and can be extended."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.testing import Element, laws
from repcore.testing.exact import Span, dense, entries_of, eye, inverse

GROUPS: dict[str, rc.Group] = {
    "one point": rc.Group(dim=1),
    "no generators": rc.Group(dim=2),
    "C5": rc.cyclic(5),
    "D4": rc.dihedral(4),
    "S4": rc.symmetric(4),
    "Q8": rc.quaternion(),
    "icosahedral": rc.icosahedral(),
    "complex": rc.Group([[["zeta(3)", 0], [0, 1]], [[0, 1], [1, 0]]]),
    "in a lattice": rc.Group([[[0, -1], [1, -1]], [[0, 1], [1, 0]]]),
    "infinite": rc.Group([[[1, 1], [0, 1]], [[1, 0], [0, -1]]]),
    "SO(3)": rc.SO(3),
    "O(3)": rc.O(3),
    "U(2)": rc.U(2),
    "Sp(4)": rc.Sp(4),
    "GL(2)": rc.GL(2),
    "Lorentz": rc.lorentz(full=True),
    "E(2)": rc.E(2),
    "product": rc.dihedral(3) @ rc.SO(2),
    # Two rotations that generate a third: a Lie algebra need not be given by a basis.
    "two axes": rc.Group(lie=rc.SO(3).lie[:2]),
}


@pytest.mark.parametrize("law", laws.for_group.values(), ids=laws.for_group)
@pytest.mark.parametrize("name", GROUPS)
def test_laws_of_groups(name: str, law: laws.Law) -> None:
    law(GROUPS[name])


@pytest.mark.parametrize("law", laws.for_rep.values(), ids=laws.for_rep)
@pytest.mark.parametrize("name", GROUPS)
def test_laws_of_representations(name: str, law: laws.Law) -> None:
    V = GROUPS[name].rep
    for rep in (V, V.dual * V + 2 * rc.trivial(V.group), 0 * V):
        law(rep)


# Solving takes longer than asking: one group of each sort.
SORTS = ["no generators", "D4", "icosahedral", "complex", "in a lattice", "O(3)", "U(2)", "GL(2)", "E(2)", "product"]


@pytest.mark.parametrize("law", laws.for_basis.values(), ids=laws.for_basis)
@pytest.mark.parametrize("name", SORTS)
def test_laws_of_bases(name: str, law: laws.Law) -> None:
    V = GROUPS[name].rep
    for space in (V >> 2 * V + rc.trivial(V.group), V >> V.dual, 0 * V >> V):
        law(rc.solve(space, store=None))


@pytest.mark.parametrize("law", laws.for_projector.values(), ids=laws.for_projector)
@pytest.mark.parametrize("name", SORTS)
def test_laws_of_projectors(name: str, law: laws.Law) -> None:
    V = GROUPS[name].rep
    for space in (V * V >> V * V, V >> 0 * V, 3 * V >> 2 * V):
        law(rc.plan(space), space)
        law(rc.plan(space), space, dtype=np.float32)


@pytest.mark.parametrize("law", laws.for_decomposition.values(), ids=laws.for_decomposition)
@pytest.mark.parametrize("name", ["C5", "D4", "S4", "Q8", "icosahedral", "complex", "in a lattice", "SO(3)", "O(3)", "U(2)"])
def test_laws_of_decompositions(name: str, law: laws.Law) -> None:
    V = GROUPS[name].rep
    for rep in (V, V * V, 2 * V + rc.trivial(V.group)):
        law(rc.decompose(rep))


def changed(found: Any, number: int, irrep: dict[str, Any] | None = None, **fields: Any) -> Any:
    """A decomposition with something else in one component."""
    parts = list(found.components)
    parts[number] = replace(parts[number], irrep=replace(parts[number].irrep, **(irrep or {})), **fields)
    return replace(found, components=tuple(parts))


def test_laws_of_decompositions_reject_what_is_none() -> None:
    V = rc.symmetric(4).rep
    found = rc.decompose(V * V)
    one, three = found[0], found[2]
    assert (one.multiplicity, three.multiplicity, three.irrep.dim) == (2, 3, 3)

    with pytest.raises(AssertionError, match="trivial_components_are_the_invariants"):
        laws.check_decomposition(changed(found, 0, {"is_trivial": False}))
    with pytest.raises(AssertionError, match="trivial_components_are_the_invariants"):
        laws.check_decomposition(changed(found, 1, {"is_trivial": True}))

    # Two components of one irrep, and a representation that calls itself an irrep: every other law holds for U.
    law = laws.for_decomposition["the_commutant_is_as_large_as_counted"]
    halves = [replace(one, multiplicity=1, basis=one.basis[:, [i]], dual_basis=one.basis[:, [i]]) for i in range(2)]
    with pytest.raises(AssertionError, match=rf"commutant = {found.dim_commutant}\n.*counted = {found.dim_commutant - 2}"):
        law(replace(found, components=(*halves, *found.components[1:])))
    whole = replace(rc.decompose(V)[0].irrep, dim=4, endomorphisms=np.eye(4)[None])
    only = replace(rc.decompose(V)[0], irrep=whole, multiplicity=1, basis=np.eye(4), dual_basis=np.eye(4))
    with pytest.raises(AssertionError, match=r"commutant = 2\n.*counted = 1"):
        law(replace(rc.decompose(V), components=(only,)))


def test_laws_of_labelled_irreps() -> None:
    O3 = rc.O(3)
    V = rc.irreps_from("1x0e + 2x1o + 1x2e", O3)
    laws.check_rep(V)
    laws.check_basis(V >> rc.irrep(O3, "2e"))
    laws.check_projector(V >> V)
    laws.check_decomposition(rc.decompose(V))


@pytest.mark.parametrize("law", laws.for_store.values(), ids=laws.for_store)
@pytest.mark.parametrize("name", ["D4", "C5", "complex", "SO(3)"])
def test_laws_of_stores(name: str, law: laws.Law, tmp_path: Path) -> None:
    V = GROUPS[name].rep
    law(rc.Store(tmp_path), 2 * V >> V * V)


def test_a_backend_of_torch() -> None:
    torch = pytest.importorskip("torch")
    rct = pytest.importorskip("repcore_torch")
    space = 2 * rc.SO(3).rep >> rc.SO(3).rep ** 2
    executor = rct.Projector(space)
    executor.project = executor.__call__
    for dtype in (torch.float64, torch.float32):
        laws.check_backend(executor, space, like=torch.zeros((), dtype=dtype))


def test_checks_return_the_names_of_their_laws() -> None:
    D4 = rc.dihedral(4)
    assert laws.check_group(D4, order=8, lie_dim=0)[: len(laws.for_group)] == tuple(laws.for_group)
    assert laws.check_rep(D4.rep) == tuple(laws.for_rep)
    assert laws.check_basis(D4.rep >> D4.rep) == tuple(laws.for_basis)
    assert laws.check_basis(rc.solve(D4.rep >> D4.rep)) == tuple(laws.for_basis)
    assert laws.check_projector(rc.plan(D4.rep >> D4.rep), D4.rep >> D4.rep) == tuple(laws.for_projector)
    with pytest.raises(TypeError, match=r"space: .*check_projector\(plan, X >> Y\)"):
        laws.check_projector(rc.plan(D4.rep >> D4.rep))


# ---------------------------------------------------------------------------------------------------------- claims


@pytest.mark.parametrize(
    ("group", "claims", "counted"),
    [
        (rc.symmetric(4), {"order": 12}, "counted = 24"),
        (rc.symmetric(6), {"order": 721}, "counted = 720"),
        (rc.Group([[[1, 1], [0, 1]]]), {"order": 5}, "counted = 'more than 200'"),
        (rc.SO(2), {"order": 1}, "infinite"),
        (rc.SO(3), {"lie_dim": 2}, "counted = 3"),
        (rc.Group(lie=rc.SO(3).lie[:2]), {"lie_dim": 2}, "counted = 3"),
        (rc.SU(2), {"lie_dim": 4}, "counted = 3"),
    ],
    ids=str,
)
def test_a_wrong_claim_is_refuted(group: rc.Group, claims: dict[str, Any], counted: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(counted)):
        laws.check_group(group, **claims)


def test_right_claims_hold() -> None:
    laws.check_group(rc.symmetric(6), order=720)
    laws.check_group(rc.O(3), lie_dim=3)
    laws.check_group(rc.GL(2), lie_dim=4)
    laws.check_group(rc.SU(3), lie_dim=8)


def test_a_counterexample_can_be_pasted() -> None:
    class Liar(rc.Rep):
        group = rc.dihedral(3)
        dim = 1
        _tree = ("liar",)

        def matrix(self, generator: int) -> rc.Matrix:
            return rc.matrix([[-1]])

        def __repr__(self) -> str:
            return "Liar()"

    with pytest.raises(AssertionError) as caught:
        laws.for_rep["relations_hold"](Liar())
    lines = str(caught.value).splitlines()
    assert lines[0] == "law relations_hold is broken: g = h implies rho(g) = rho(h)"
    assert lines[1].strip() == "from repcore import *; from repcore.testing import Element"
    names = {name: getattr(rc, name) for name in rc.__all__} | {"Element": Element, "Liar": Liar}
    found = {}
    for line in lines[2:]:
        name, _, code = line.strip().partition(" = ")
        found[name] = eval(code, names)  # noqa: S307  # our own message
    # r^3 = 1 in the group, and (-1)^3 is not: the shortest relation that is broken.
    g, h, V = found["g"], found["h"], found["V"].group.rep
    assert g.matrix(V) == h.matrix(V)
    assert sum(abs(k) for _, k in h.word) == 3 - sum(abs(k) for _, k in g.word)
    assert found["rho_g"] != found["rho_h"]


# -------------------------------------------------------------------------------------------------------- registries


def test_a_law_can_be_added_and_is_run() -> None:
    own = laws.Laws("thing")

    @own.register
    def is_even(n: int) -> None:
        """n = 2 m."""
        if n % 2:
            raise laws.broken("is_even", "n = 2 m", n=n)

    assert list(own) == ["is_even"]
    assert own["is_even"] is is_even
    assert len(own) == 1
    assert repr(own) == "<Laws of a thing: is_even>"
    assert own.check(4) == ("is_even",)
    with pytest.raises(AssertionError, match=r"law is_even is broken: n = 2 m\n.*import \*\n    n = 3"):
        own.check(3)


def test_a_law_needs_a_name_of_its_own_and_an_equation() -> None:
    own = laws.Laws("thing")

    def law(n: int) -> None:
        """n = n."""

    def silent(n: int) -> None: ...

    own.register(law)
    with pytest.raises(rc.DeclarationError, match="'law' is a law of a thing already"):
        own.register(law)
    with pytest.raises(rc.DeclarationError, match="'silent' has no docstring"):
        own.register(silent)


REGISTRIES = [getattr(laws, name) for name in laws.__all__ if name.startswith("for_")]


def test_there_is_a_registry_and_a_check_for_everything() -> None:
    kinds = {"group", "rep", "basis", "projector", "decomposition", "store", "backend"}
    assert {name for name in laws.__all__ if name.startswith("for_")} == {f"for_{kind}" for kind in kinds}
    assert {name for name in laws.__all__ if name.startswith("check_")} == {f"check_{kind}" for kind in kinds}
    assert all(len(registry) >= 3 for registry in REGISTRIES)


@pytest.mark.parametrize("law", [law for registry in REGISTRIES for law in registry.values()], ids=lambda law: law.__name__)
def test_laws_are_plain_functions_that_name_themselves(law: Callable[..., None]) -> None:
    assert type(law) is type(lambda: None)
    assert (law.__doc__ or "").splitlines()[0].endswith(".") or "=" in (law.__doc__ or "")
    # The name in the message is the name of the function: a renamed law would lie.
    assert law.__name__ in law.__code__.co_consts or law.__name__ in str(law.__code__.co_consts)


# ------------------------------------------------------------------------------------------------ what laws are made of


INVERTIBLE: list[list[list[Any]]] = [
    [[1]],
    [[2, 1], [1, 1]],
    [[0, "I"], [1, 0]],
    [["sqrt(2)", 1], [1, "sqrt(2)"]],
    [[0, 2, 0], [0, 0, 1], [3, 0, 0]],
]


@pytest.mark.parametrize("m", INVERTIBLE, ids=str)
def test_inverse(m: list[list[Any]]) -> None:
    given = rc.matrix(m)
    back = inverse(given)
    assert back is not None
    assert (given @ back).is_identity
    assert (back @ given).is_identity


def test_inverse_of_a_singular_matrix() -> None:
    assert inverse(rc.matrix([[1, 2], [2, 4]])) is None


def test_entries_and_back() -> None:
    m = rc.matrix([[0, "1/2"], ["I", 0], [0, 3]])
    assert dense(m.shape, entries_of(m)) == m
    assert eye(0).shape == (0, 0)
    assert eye(2).is_identity


def test_a_span_is_real() -> None:
    span: Span[str] = Span()
    one, i = rc.matrix([[1]]), rc.matrix([["I"]])
    assert span.add(one, "1")
    assert not span.add(2 * one, "2")
    assert span.coordinates(i) is None
    assert span.add(i, "i")
    assert span.coordinates(rc.matrix([["3 - 2*I"]])) == [rc.number(3), rc.number(-2)]
    assert [name for _, name in span.vectors] == ["1", "i"]
