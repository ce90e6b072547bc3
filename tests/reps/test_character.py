"""Characters of expressions: equal to traces of matrices, and to numbers from books."""

from __future__ import annotations

from math import comb, factorial
from typing import Any

import pytest

import repcore as rc
from repcore.exact.matrix import Matrix
from repcore.exact.number import ZERO, Number
from repcore.groups.characters import modulus_of
from repcore.groups.classes import classes
from repcore.groups.finite import elements
from repcore.reps.action import discrete_image
from repcore.reps.character import Frame, values

EXPRESSIONS = [
    ("cyclic(5)", "V"),
    ("dihedral(4)", "4 * one + 2 * V"),
    ("dihedral(4)", "0 * V"),
    ("dihedral(5)", "V ** 3 * (V + one)"),
    ("dihedral(3)", "(V + V * V).dual * V"),
    ("symmetric(4)", "V.sym(2) + V.alt(2)"),
    ("symmetric(4)", "V.sym(3).alt(2)"),
    ("symmetric(3)", "V.alt(4) + V.sym(0) + V.alt(3)"),
    ("Group([[['I', 0], [0, '-I']], [[0, 1], [-1, 0]]])", "V.conj * V + V.dual + V.realify() + V.sym(3)"),
    ("Group([[['zeta(3)', 0], [0, 1]], [[0, 1], [1, 0]]])", "(V + one).conj.realify() + V.conj.sym(2)"),
    ("Group([[[1, 2], [0, -1]], [[-1, 0], [0, 1]]][:1])", "V.dual * V + V.sym(2).dual"),
    ("alternating(4)", "regular(G) + V"),
    ("dihedral(4)", "quotient(G, cyclic(4)) * quotient(G, Group([[[1, 0], [0, -1]]])) + quotient(G, G)"),
    ("symmetric(4)", "quotient(G, PermutationGroup(['(0 1 2)', '(0 1)'], degree=4)).dual"),
    ("cyclic(4)", "permutation(G, ['(0 1 2 3)(4 5)']) + grid(G, 3)"),
    ("cyclic(4)", "Rep(G, [[['I']]]) * V"),
    ("cyclic(3)", "Rep(G, [[[0, -1], [1, -1]]]) + Rep(G, [[['zeta(3)']]])"),
    # An image over a field that the group's own roots of unity do not hold.
    ("cyclic(2)", "Rep(G, [[['sqrt(5)', -2], [2, '-sqrt(5)']]])"),
    ("symmetric(3)", "Rep(G, [[[-1]], [[1]]], name='sign') * V + V.sym(2)"),
    ("dihedral(4)", "V.restrict(cyclic(2)) * V.sym(2).restrict(cyclic(2))"),
    ("dihedral(4)", "(V + 2 * one).restrict(cyclic(2)) + regular(G).restrict(cyclic(2))"),
    ("dihedral(4)", "induced(cyclic(4).rep, G).restrict(cyclic(2)) + quotient(G, cyclic(2)).restrict(cyclic(2))"),
    ("symmetric(3)", "Rep(G, [[[-1]], [[1]]]).restrict(PermutationGroup(['(0 2)']))"),
    ("dihedral(3) @ symmetric(3)", "V"),
    ("dihedral(3) @ symmetric(3)", "lift(dihedral(3).rep, G) * lift(symmetric(3).rep, G)"),
    ("dihedral(3) @ cyclic(4)", "lift((dihedral(3).rep + trivial(dihedral(3))).dual, G) + 2 * V"),
    ("dihedral(3) @ cyclic(4)", "lift(regular(dihedral(3)), G) + lift(Rep(cyclic(4), [[['I']]]), G)"),
    ("symmetric(3)", "induced(Rep(PermutationGroup(['(0 1 2)']), [[['zeta(3)']]]), G) * V + V.sym(2)"),
    ("symmetric(4)", "induced(symmetric(4).rep.restrict(PermutationGroup(['(0 1 2 3)'])), G)"),
    ("symmetric(3)", "tensors(V + one, 'ijk=jki')"),
    ("dihedral(3)", "tensors(V, 'ijk=jik=-ikj') + tensors(V, 'ijkl=-jikl=klij')"),
    ("dihedral(4)", "tensors({'i': V, 'j': V, 'k': V.dual}, 'ijk=-jik')"),
    ("octahedral(full=True)", "irrep(O(3), '3e').restrict(G) + irrep(O(3), '2o').restrict(G) + irrep(O(3), '0o').restrict(G)"),
    ("icosahedral()", "irrep(SO(3), '6').restrict(G) * irrep(SO(3), '1').restrict(G)"),
    ("dihedral(5)", "irrep(O(2), '3').restrict(G) + irrep(O(2), '0o').restrict(G)"),
    ("cyclic(6)", "irrep(SO(2), '4').restrict(G)"),
    ("Group([[['I', 0], [0, '-I']], [[0, 1], [-1, 0]]])", "irrep(SU(2), '3/2').restrict(G) + irrep(SU(2), '2').restrict(G)"),
]


def build(source: str, text: str) -> Any:
    names = dict(vars(rc))
    group = eval(source, names)  # noqa: S307  # the texts above
    return eval(text, names | {"G": group, "V": group.rep, "one": rc.trivial(group)})  # noqa: S307


def trace(m: Matrix) -> Number:
    return sum((x for i, j, x in m.entries() if i == j), ZERO)


@pytest.mark.parametrize(("group", "text"), EXPRESSIONS, ids=[f"{g}: {t}" for g, t in EXPRESSIONS])
def test_characters_are_traces_of_matrices(group: str, text: str) -> None:
    rep = build(group, text)
    chi = rc.character(rep)
    table = elements(rep.group)
    assert chi.values[0] == rep.dim
    for e in range(table.order):
        assert chi[int(chi.classes.of[e])] == trace(discrete_image(rep, table.matrix(e)))


@pytest.mark.parametrize(("group", "text"), EXPRESSIONS, ids=[f"{g}: {t}" for g, t in EXPRESSIONS])
def test_dimensions_of_hom_are_those_of_the_solver(group: str, text: str) -> None:
    rep = build(group, text)
    if rep.dim > 40:
        pytest.skip("a small space will do")
    other = rep.group.rep + rc.trivial(rep.group)
    assert rc.hom_dimension(rep, other) == rc.solve(rep >> other, store=None).dim
    chi, table = rc.character(rep), rc.character_table(rep.group)
    assert sum(m * d for m, d in zip(chi.multiplicities, table.degrees, strict=True)) == rep.dim
    assert sum(m * m for m in chi.multiplicities) == chi.inner(chi)


@pytest.mark.parametrize(("group", "text"), EXPRESSIONS)
def test_the_rules_of_the_nodes_agree_with_the_one_for_any_node(group: str, text: str) -> None:
    """A node without a rule of its own has its matrices formed; the others could do without a rule."""
    rep = build(group, text)
    m = modulus_of(classes(rep.group), 0)
    if any(m.order % a.field.conductor or a.den % m.prime == 0 for a in rep.matrices):
        pytest.skip("the matrices need a finer modulus")
    frame = Frame(classes(rep.group), rep.group)
    assert values.dispatch(object)(rep, frame, m).tolist() == values(rep, frame, m).tolist()


def test_powers_of_any_size_are_exact() -> None:
    # Orbits of S_n on k-tuples: sums of Stirling numbers of the second kind, the Bell numbers for n >= k.
    V = rc.symmetric(6).rep
    assert [rc.character(V**k).multiplicities[0] for k in range(7)] == [1, 1, 2, 5, 15, 52, 203]
    stirling = [sum((-1) ** (j - i) * comb(j, i) * i**40 for i in range(j + 1)) // factorial(j) for j in range(7)]
    assert rc.character(V**40).multiplicities[0] == sum(stirling)
    assert rc.hom_dimension(V**20, V**20) == sum(stirling)
    assert rc.character(V**40)[0] == 6**40
    one = rc.PermutationGroup(["(0 1 2)"])
    assert rc.character(one.rep**50).multiplicities == (3**49,) * 3


def test_equal_characters_are_isomorphic_representations() -> None:
    V = rc.dihedral(4).rep
    assert rc.character(V * V) == rc.character(V.sym(2) + V.alt(2))
    assert hash(rc.character(V)) == hash(rc.character(V.dual))
    assert rc.character(V) != rc.character(2 * rc.trivial(V.group))
    assert rc.character(V) != rc.character(rc.dihedral(3).rep)
    assert rc.character(V).is_irreducible
    assert not rc.character(V * V).is_irreducible
    assert str(rc.character(rc.symmetric(3).rep)) == "1a: 3  2a: 1  3a: 0"
    # Modulo the first prime 2 p and p are equal, and so are x and x + p; the dimension settles it.
    assert rc.character(2**31 * rc.trivial(V.group)) != rc.character(2**32 * rc.trivial(V.group))


def test_a_wrong_group_is_refused() -> None:
    V, W = rc.dihedral(4).rep, rc.dihedral(3).rep
    with pytest.raises(rc.IncompatibleError, match="different groups"):
        rc.hom_dimension(V, W)
    with pytest.raises(rc.IncompatibleError, match="this is one of"):
        rc.character(V).inner(rc.character(W))
    with pytest.raises(rc.IncompatibleError, match=r"solve\(V >> W\)"):
        rc.hom_dimension(rc.SO(3).rep, rc.SO(3).rep)
    with pytest.raises(rc.GroupTooLargeError, match="479,001,600 elements"):
        rc.character(rc.symmetric(12).rep)
    with pytest.raises(rc.IncompatibleError, match="expected a representation"):
        rc.character(rc.dihedral(4))  # type: ignore[arg-type]


# -- Molien series: products of 1/(1 - t^d) over the degrees of the basic invariants, times the secondary ones ----------


def series(degrees: list[int], secondary: list[int], terms: int) -> list[int]:
    out = [sum(s == k for s in secondary) for k in range(terms)]
    for d in degrees:
        for k in range(d, terms):
            out[k] += out[k - d]
    return out


MOLIEN = [
    (lambda: rc.symmetric(5), [1, 2, 3, 4, 5], [0]),
    (lambda: rc.alternating(4), [1, 2, 3, 4], [0, 6]),
    (lambda: rc.dihedral(7), [2, 7], [0]),
    (lambda: rc.cyclic(7), [2, 7], [0, 7]),
    (lambda: rc.hyperoctahedral(4), [2, 4, 6, 8], [0]),
    (lambda: rc.icosahedral(full=True), [2, 6, 10], [0]),
    (lambda: rc.icosahedral(), [2, 6, 10], [0, 15]),
    (lambda: rc.octahedral(), [2, 4, 6], [0, 9]),
    (lambda: rc.tetrahedral(), [2, 3, 4], [0, 6]),
    # The binary octahedral group on C^2 (Klein), and the Clifford group of order 192 (Gleason: self-dual codes).
    (
        lambda: rc.Group([[["zeta(8)", 0], [0, "zeta(8)**7"]], [["(1+I)/2", "(1+I)/2"], ["(-1+I)/2", "(1-I)/2"]]]),
        [8, 12],
        [0, 18],
    ),
    (lambda: rc.Group([[["sqrt(2)/2", "sqrt(2)/2"], ["sqrt(2)/2", "-sqrt(2)/2"]], [[1, 0], [0, "I"]]]), [8, 24], [0]),
]


@pytest.mark.parametrize(("make", "degrees", "secondary"), MOLIEN)
def test_molien_series_of_the_books(make: Any, degrees: list[int], secondary: list[int]) -> None:
    assert list(rc.molien(make().rep, 40)) == series(degrees, secondary, 40)


def test_molien_counts_the_invariants_of_symmetric_powers() -> None:
    V = rc.dihedral(3).rep + rc.trivial(rc.dihedral(3))
    assert rc.molien(V, 5) == tuple(rc.invariants(V.sym(k)).dim for k in range(5))
    assert rc.molien(0 * V, 3) == (1, 0, 0)
    # Beyond one prime: polynomials in 200 variables.
    trivial = 200 * rc.trivial(rc.cyclic(2))
    assert rc.molien(trivial, 12) == tuple(comb(199 + k, k) for k in range(12))


def test_molien_refuses_what_it_cannot_do() -> None:
    V = rc.dihedral(3).rep
    with pytest.raises(rc.RepcoreError, match="at least one term"):
        rc.molien(V, 0)
    with pytest.raises(rc.DeclarationError, match="terms"):
        rc.molien(V, 2.5)  # type: ignore[arg-type]
    with pytest.raises(rc.IncompatibleError, match="invariants"):
        rc.molien(rc.SO(3).rep, 4)
