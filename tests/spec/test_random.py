"""Any expression over any group comes back from a file as it was, and no node of the expression tree is forgotten."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import repcore as rc
from repcore.reps.cosets import Quotient
from repcore.reps.custom import Custom
from repcore.reps.induced import Induced
from repcore.reps.irreps import Irrep
from repcore.reps.lifted import Lifted
from repcore.reps.stencils import Stencils
from repcore.reps.tensors import Tensors
from repcore.reps.tree import Alt, Conjugate, Defining, Dual, Product, Realified, Rep, Restriction, Sum, Sym, Trivial

# -- what a tree is made of: every node stands in one of the two tables ------------------------------------------------

_LARGEST = 10**6  # dimension: nothing is solved here, but powers of powers of powers leave what a file takes


def _leaves() -> dict[str, list[Rep]]:
    """Representations with nothing inside that the strategies below would make, by the kind of group."""
    D4, C4, S3, Q = rc.dihedral(4), rc.cyclic(4), rc.symmetric(3), rc.quaternion()
    half = rc.Group([[[-1, 0], [0, -1]]])
    swap = rc.PermutationGroup(["(0 1)"], degree=3)
    own = rc.Group([[["1/2", "3/4"], ["-1", "1/2"]]], name="own")
    turns = rc.Group([[["sqrt(2)/2", "-sqrt(2)/2"], ["sqrt(2)/2", "sqrt(2)/2"]]])
    mixed = rc.Group([[[1, 0], [0, -1]]], [[[0, -1], [1, 0]]])
    SO3, O3, SU2 = rc.SO(3), rc.O(3), rc.SU(2)
    sign = rc.Rep(D4, [[[-1]], [[1]]], name="sign")
    phase = rc.Rep(C4, [[["I"]]], name="phase")
    odd = rc.Rep(swap, [[[-1]]])
    alternating = rc.Rep(S3, [[[-1]], [[1]]], name="odd")
    finite, mixed_product = D4 @ S3, SO3 @ C4
    return {
        "named": [
            D4.rep,
            rc.trivial(D4),
            sign,
            rc.regular(D4),
            rc.grid(D4, 2),
            rc.quotient(D4, half),
            rc.induced(phase, D4),
            rc.induced(C4.rep * phase + rc.trivial(C4), D4),
            rc.induced(sign.restrict(half), D4),
            rc.GL(2).rep.sym(2).restrict(D4),
            rc.tensors(D4.rep + sign, "ijk=kji=-jik"),
        ],
        "permutations": [
            S3.rep,
            rc.trivial(S3),
            alternating,
            rc.quotient(S3, swap),
            rc.induced(odd, S3),
            rc.induced(odd + S3.rep.restrict(swap), S3),
            rc.hyperoctahedral(3).rep.restrict(S3),
        ],
        "quaternion": [Q.rep, rc.trivial(Q), rc.regular(Q), rc.induced(rc.Group(dim=Q.dim).rep, Q)],
        "rational": [own.rep, rc.trivial(own), rc.Rep(own, [[["zeta(3)"]]]), rc.GL(2).rep.dual.restrict(own)],
        "irrational": [turns.rep, rc.trivial(turns), rc.Rep(turns, [[["zeta(8)"]]]), rc.regular(turns)],
        "mixed": [mixed.rep, rc.trivial(mixed), rc.Rep(mixed, [[[1, 0], [0, -1]]], [[[0, -3], [3, 0]]])],
        "rotations": [SO3.rep, rc.trivial(SO3), rc.irrep(SO3, "2"), O3.rep.restrict(SO3), rc.irrep(O3, "1e").restrict(SO3)],
        "reflections": [O3.rep, rc.irrep(O3, "1o"), rc.irrep(O3, "0o"), rc.irreps_from("2x0e + 1x2e", O3)],
        "spins": [SU2.rep, rc.trivial(SU2), rc.irrep(SU2, "1/2"), rc.irrep(SU2, "1")],
        "finite product": [
            finite.rep,
            rc.trivial(finite),
            rc.lift(D4.rep, finite),
            rc.lift(sign * D4.rep, finite),
            rc.lift(rc.induced(phase, D4), finite),
            rc.lift(rc.regular(S3), finite),
            rc.lift(rc.tensors(S3.rep + alternating, "ijkl=klij"), finite),
            rc.lift(alternating, finite) * rc.lift(sign, finite),
        ],
        "product": [
            mixed_product.rep,
            rc.lift(SO3.rep, mixed_product),
            rc.lift(rc.irrep(SO3, "2"), mixed_product),
            rc.lift(phase, mixed_product),
        ],
        "points": [rc.permutation(rc.alternating(4)), rc.quotient(rc.alternating(4), rc.PermutationGroup(["(0 1 2)"], degree=4))],
        "nothing": [rc.Group(dim=2).rep, rc.trivial(rc.Group(dim=2))],
    }


LEAVES = _leaves()

# A node, and how it is made of others; v is what it is made of, w another of the same group, k a small number.
NODES: dict[type[Rep], Callable[[Rep, Rep, int], Rep]] = {
    Sum: lambda v, w, k: v + k * w,
    Product: lambda v, w, k: v * w if k else v**2,
    Dual: lambda v, w, k: v.dual,
    Conjugate: lambda v, w, k: v.conj,
    Realified: lambda v, w, k: v.realify(),
    Sym: lambda v, w, k: v.sym(k),
    Alt: lambda v, w, k: v.alt(k),
    Tensors: lambda v, w, k: (
        rc.tensors({"i": v, "j": w, "k": v}, "ijk=-kji") if k % 2 else rc.tensors(v, "ijk=jki" if k else "ijk=jik=-ikj")
    ),
}
ATOMS: dict[type[Rep], Rep] = {
    Defining: LEAVES["named"][0],
    Trivial: LEAVES["named"][1],
    Custom: LEAVES["named"][2],
    Quotient: LEAVES["named"][3],
    Induced: LEAVES["named"][6],
    Restriction: LEAVES["named"][9],
    Irrep: LEAVES["rotations"][2],
    Lifted: LEAVES["finite product"][2],
}
# Nodes that no file can say: `dump` must refuse them, as it does `Unwritten` below.
REFUSED: dict[type[Rep], Rep] = {Stencils: rc.grid(rc.SO(2), 3, approximate=True)}


@st.composite
def trees(draw: st.DrawFn, leaves: list[Rep], depth: int = 3) -> Rep:
    """An expression over the group of ``leaves``."""
    make = draw(st.sampled_from([None, *NODES.values()])) if depth else None
    if make is None:
        return draw(st.sampled_from(leaves))
    v = draw(trees(leaves, depth - 1))
    w = draw(trees(leaves, depth - 1) | st.just(v))
    made = make(v, w, draw(st.integers(0, 3)))
    return made if made.dim <= _LARGEST else v


@st.composite
def specs(draw: st.DrawFn) -> rc.Spec:
    """Some named representations of one group and maps between them, between parts of them and others."""
    leaves = LEAVES[draw(st.sampled_from(sorted(LEAVES)))]
    reps = draw(st.dictionaries(st.sampled_from(["X", "Y", "Z", "tensors", "ij"]), trees(leaves), max_size=3))
    ends = trees(leaves) if not reps else st.sampled_from(list(reps.values())) | trees(leaves)
    maps = draw(st.dictionaries(st.sampled_from(["a", "b.c"]), st.builds(rc.Hom, ends, ends), min_size=1, max_size=2))
    return rc.Spec(leaves[0].group, reps, maps)


def _check_round_trip(spec: rc.Spec) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for suffix in ("toml", "json"):
            path = Path(directory, f"a.{suffix}")
            rc.dump(spec, path)
            found = rc.load(path)
            assert isinstance(found, rc.Spec)
            assert found == spec
            assert list(found.reps) == list(spec.reps)
            assert [v.digest for v in found.reps.values()] == [v.digest for v in spec.reps.values()]
            assert [(n, s.digest) for n, s in found.maps.items()] == [(n, s.digest) for n, s in spec.maps.items()]
            assert [v.dim for v in found.reps.values()] == [v.dim for v in spec.reps.values()]
            text = path.read_bytes()
            rc.dump(found, path)
            assert path.read_bytes() == text


@settings(max_examples=60)
@given(specs())
def test_any_expression_comes_back(spec: rc.Spec) -> None:
    _check_round_trip(spec)


# -- nothing is forgotten ----------------------------------------------------------------------------------------------


def _nodes(base: type[Rep] = Rep) -> Iterator[type[Rep]]:
    """Every class of repcore that a representation can have: those without subclasses, and Custom."""
    for cls in base.__subclasses__():
        if cls.__module__.startswith("repcore."):
            found = list(_nodes(cls))
            yield from [*found, *([cls] if not found or cls is Custom else [])]


def test_every_node_is_in_a_table() -> None:
    listed = [*NODES, *ATOMS, *REFUSED]
    assert sorted(c.__name__ for c in listed) == sorted(c.__name__ for c in _nodes())


@pytest.mark.parametrize("node", [*NODES, *ATOMS], ids=lambda c: c.__name__)
@pytest.mark.parametrize("kind", ["named", "finite product", "rotations"])
def test_every_node_comes_back(node: type[Rep], kind: str) -> None:
    v, w = LEAVES[kind][0], LEAVES[kind][2]
    rep = NODES[node](v, w, 2) if node in NODES else ATOMS[node]
    assert type(rep) is node
    one = rc.trivial(rep.group)
    _check_round_trip(rc.Spec(rep.group, {"X": rep}, {"m": rep >> one, "n": 2 * rep * rep + rep.dual >> rep.sym(2)}))
    _check_round_trip(rc.Spec(rep.group, {}, {"m": rep.dual >> rep}))


@dataclass(frozen=True, eq=False, repr=False)
class Unwritten(Rep):
    """A node that somebody adds without a written form."""

    group: rc.Group

    @property
    def dim(self) -> int:
        return 1

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("unwritten",)

    def __str__(self) -> str:
        return "unwritten"


def _inside(rep: Rep) -> list[Rep]:
    """Where a node can stand within others."""
    group = rep.group
    made = [rep] if isinstance(rep, Tensors) else [rep + group.rep, rep * group.rep, rep.dual, rep.sym(2)]
    return [rep, *made, rc.tensors(rep, "ij=-ij"), rep.restrict(rc.cyclic(4)), rc.lift(rep, group @ rc.cyclic(4))]


@pytest.mark.parametrize("rep", [*_inside(Unwritten(rc.dihedral(4))), *REFUSED.values()], ids=str)
@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_what_has_no_written_form_is_refused(rep: Rep, suffix: str, tmp_path: Path) -> None:
    for spec in (rc.Spec(rep.group, {"X": rep}), rc.Spec(rep.group, {}, {"m": rep >> rc.trivial(rep.group)})):
        with pytest.raises(rc.SpecError, match=r"a \w+ cannot be written to a file; declare it by its images"):
            rc.dump(spec, tmp_path / f"a.{suffix}")
    assert list(tmp_path.iterdir()) == []
