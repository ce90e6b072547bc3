"""Every kind of representation obeys the laws of representations, exactly."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from math import factorial
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.exact.matrix import Matrix, block_diag, from_coo, identity, inverse, kron, zeros
from repcore.reps.action import discrete_image, lie_image
from repcore.reps.action import discrete_image as image_of
from repcore.reps.atoms import atoms

# Each expression is evaluated with the public names; V is the defining representation of the group, one the trivial one.
Case = tuple[str, str]

FINITE: list[Case] = [
    *((g, "V") for g in ("cyclic(5)", "dihedral(3)", "symmetric(4)", "quaternion()", "icosahedral()", "hyperoctahedral(2)")),
    ("dihedral(4)", "one"),
    ("dihedral(4)", "0 * V"),
    ("dihedral(4)", "4 * one + 2 * V"),
    ("dihedral(3)", "2 * (V + 3 * one) + V"),
    ("dihedral(4)", "V * V"),
    ("dihedral(3)", "V ** 3"),
    ("dihedral(3)", "(one + V) * (V + 2 * one)"),
    ("dihedral(3)", "V.dual"),
    ("dihedral(3)", "(V + V * V).dual * V"),
    ("Group([[[1, 2], [0, -1]], [[-1, 0], [0, 1]]][:1])", "V.dual * V + V.sym(2).dual"),
    ("Group([[[0, -1], [1, -1]], [[0, 1], [1, 0]]])", "V.dual + V * V.dual + V.alt(2)"),
    ("symmetric(3)", "V.sym(2)"),
    ("dihedral(4)", "V.sym(3)"),
    ("dihedral(4)", "(V + one).sym(2).alt(2)"),
    ("symmetric(4)", "V.alt(2)"),
    ("symmetric(4)", "V.alt(3)"),
    ("symmetric(3)", "V.alt(4)"),
    ("symmetric(3)", "V.sym(0) + V.alt(0) + V.sym(1) + V.alt(1)"),
    ("Group([[['I', 0], [0, '-I']], [[0, 1], [-1, 0]]])", "V"),
    ("Group([[['I', 0], [0, '-I']], [[0, 1], [-1, 0]]])", "V.conj * V + V.dual"),
    ("Group([[['I', 0], [0, '-I']], [[0, 1], [-1, 0]]])", "V.realify() * V.realify().dual"),
    ("Group([[['zeta(3)', 0], [0, 1]], [[0, 1], [1, 0]]])", "(V + one).conj.realify() + V.conj.sym(2)"),
    ("Group([[['zeta(3)', 0], [0, 1]], [[0, 1], [1, 0]]])", "V.conj.dual * V.dual.conj"),
    ("dihedral(3)", "regular(G)"),
    ("alternating(4)", "regular(G) + V"),
    ("dihedral(4)", "quotient(G, cyclic(4)) * quotient(G, Group([[[1, 0], [0, -1]]]))"),
    ("symmetric(4)", "quotient(G, PermutationGroup(['(0 1 2)', '(0 1)'], degree=4)).dual"),
    ("symmetric(4)", "permutation(G)"),
    ("cyclic(4)", "permutation(G, ['(0 1 2 3)(4 5)']) + grid(G, 3)"),
    ("dihedral(4)", "grid(G, 2) * V + grid(G, 1)"),
    ("cyclic(4)", "Rep(G, [[['I']]]) * V"),
    ("symmetric(3)", "Rep(G, [[[-1]], [[1]]], name='sign') * V + V.sym(2)"),
    ("dihedral(4)", "V.restrict(cyclic(2)) * V.sym(2).restrict(cyclic(2))"),
    ("dihedral(4)", "(V + 2 * one).restrict(cyclic(2)) + regular(G).restrict(cyclic(2))"),
    ("symmetric(3)", "Rep(G, [[[-1]], [[1]]]).restrict(PermutationGroup(['(0 2)']))"),
    ("dihedral(3) @ symmetric(3)", "V"),
    ("dihedral(3) @ symmetric(3)", "lift(dihedral(3).rep, G) * lift(symmetric(3).rep, G)"),
    ("dihedral(3) @ symmetric(3)", "lift((dihedral(3).rep + trivial(dihedral(3))).dual, G) + 2 * V"),
    ("symmetric(3)", "induced(Rep(PermutationGroup(['(0 1 2)']), [[['zeta(3)']]]), G) * V + V.sym(2)"),
    ("dihedral(4)", "induced(cyclic(4).rep, G).dual + induced(trivial(cyclic(2)), G)"),
    ("dihedral(3)", "tensors(V, 'ijk=jik=-ikj') + tensors(V, 'ij=-ji')"),
    ("symmetric(3)", "tensors(V + one, 'ijk=jki')"),
    ("dihedral(4)", "tensors({'i': V, 'j': V, 'k': V.dual}, 'ijk=jik')"),
    ("cyclic(2) @ cyclic(2)", "lift(cyclic(2).rep, G, factor=1) * lift(regular(cyclic(2)), G, factor=0)"),
]

CONTINUOUS: list[Case] = [
    *((g, "V") for g in ("SO(3)", "O(3)", "SU(2)", "U(2)", "Sp(4)", "SL(2)", "GL(2)", "lorentz(full=True)", "SE(2)", "E(2)")),
    *((g, "V") for g in ("affine(1)", "translations(2)", "scaling(2)", "Group([[[0, 1], [1, 0]]], [[[1, 0], [0, 2]]])")),
    ("SO(3)", "one + 0 * V"),
    ("SO(3)", "3 * one + 2 * V * V"),
    ("GL(2)", "V ** 3 + V.dual * V"),
    ("GL(2)", "(V * V).dual + (V + one).dual"),
    ("O(3)", "V.sym(2) + V.alt(2)"),
    ("GL(2)", "V.sym(3) * V.dual.sym(2) + V.alt(2)"),
    ("affine(1)", "V.sym(2).dual + V.sym(3).alt(2)"),
    ("SU(2)", "V.conj * V + V.dual"),
    ("SU(2)", "V.realify() + (V * V.conj).realify()"),
    ("U(2)", "(V + one).realify().dual"),
    ("O(3)", "V.restrict(SO(3)) * (V + one).restrict(SO(3))"),
    ("O(3) @ symmetric(3)", "lift(O(3).rep, G) * lift(symmetric(3).rep, G) + V"),
    ("SO(2) @ SO(2)", "lift(SO(2).rep, G, 0) * lift(SO(2).rep, G, 1).dual"),
    ("SO(2)", "Rep(G, lie=[[[0, -3], [3, 0]]], name='spin3') * V"),
    ("O(2)", "Rep(G, [[[-1]]], [[[0]]], name='sign') * V + V"),
    ("SL(2)", "Rep(G, lie=[[[0, 1], [0, 0]], [[0, 0], [1, 0]], [[1, 0], [0, -1]]])"),
    ("SO(3)", "Rep(G, lie=[[[0]], [[0]], [[0]]]) + V"),
    ("SO(3)", "irrep(G, '2') * V + irrep(G, '3')"),
    ("O(3)", "irreps_from('2x0e + 1x1o + 2e', G)"),
    ("SO(2)", "irrep(G, '3') + V"),
    ("O(2)", "irrep(G, '2') * irrep(G, '0o')"),
    ("GL(2)", "tensors(V, 'ijk=jik') + V"),
    ("SL(2)", "tensors({'i': V, 'j': V, 'k': V.dual}, 'ijk=-jik')"),
]

ALL = FINITE + CONTINUOUS


def group_of(case: Case) -> Any:
    return eval(case[0], dict(vars(rc)))  # noqa: S307  # expressions of this file


def build(case: Case) -> Any:
    G = group_of(case)
    return eval(case[1], {**vars(rc), "G": G, "V": G.rep, "one": rc.trivial(G)})  # noqa: S307  # expressions of this file


def names(cases: list[Case]) -> list[str]:
    return [f"{g}: {v}" for g, v in cases]


# -------------------------------------------------------------------------------------------------- laws of the group


def homomorphism(rep: Any, rng: random.Random) -> None:
    for _ in range(3):
        g, h = word(rep.group, rng), word(rep.group, rng)
        assert discrete_image(rep, g @ h) == discrete_image(rep, g) @ discrete_image(rep, h)


def identity_acts_as_identity(rep: Any, rng: random.Random) -> None:
    assert discrete_image(rep, identity(rep.group.dim)) == identity(rep.dim)


def inverse_acts_as_inverse(rep: Any, rng: random.Random) -> None:
    g = word(rep.group, rng)
    assert discrete_image(rep, inverse(g)) @ discrete_image(rep, g) == identity(rep.dim)


def generators_act_as_declared(rep: Any, rng: random.Random) -> None:
    images = [discrete_image(rep, g) for g in rep.group.discrete] + [lie_image(rep, a) for a in rep.group.lie]
    assert list(rep.matrices) == images
    assert [rep.matrix(i) for i in range(len(images))] == images
    assert all(m.shape == (rep.dim, rep.dim) for m in images)


def dual_pairing_is_invariant(rep: Any, rng: random.Random) -> None:
    # <g phi, g v> = <phi, v>
    g = word(rep.group, rng)
    assert discrete_image(rep.dual, g).T @ discrete_image(rep, g) == identity(rep.dim)


def square_splits_into_sym_and_alt(rep: Any, rng: random.Random) -> None:
    if rep.dim > 8:
        return
    g = word(rep.group, rng)
    chi, chi2 = trace(discrete_image(rep, g)), trace(discrete_image(rep, g @ g))
    chi3 = trace(discrete_image(rep, g @ g @ g))
    assert trace(discrete_image(rep.sym(2), g)) == (chi * chi + chi2) / 2
    assert trace(discrete_image(rep.alt(2), g)) == (chi * chi - chi2) / 2
    assert trace(discrete_image(rep * rep, g)) == chi * chi
    if rep.dim <= 4:
        assert trace(discrete_image(rep.sym(3), g)) == (chi * chi * chi + 3 * chi * chi2 + 2 * chi3) / 6
        assert trace(discrete_image(rep.alt(3), g)) == (chi * chi * chi - 3 * chi * chi2 + 2 * chi3) / 6


def characters_of_constructions(rep: Any, rng: random.Random) -> None:
    g = word(rep.group, rng)
    chi = trace(discrete_image(rep, g))
    assert trace(discrete_image(rep.dual, g)) == trace(discrete_image(rep, inverse(g)))
    assert trace(discrete_image(rep.conj, g)) == chi.conjugate()
    assert trace(discrete_image(rep.realify(), g)) == chi + chi.conjugate()
    assert trace(discrete_image(3 * rep + rep, g)) == 4 * chi


GROUP_LAWS: dict[str, Callable[[Any, random.Random], None]] = {
    law.__name__: law
    for law in (
        homomorphism,
        identity_acts_as_identity,
        inverse_acts_as_inverse,
        generators_act_as_declared,
        dual_pairing_is_invariant,
        square_splits_into_sym_and_alt,
        characters_of_constructions,
    )
}


@pytest.mark.parametrize("law", GROUP_LAWS)
@pytest.mark.parametrize("case", FINITE, ids=names(FINITE))
def test_group_law(case: Case, law: str) -> None:
    GROUP_LAWS[law](build(case), seeded(1))


# --------------------------------------------------------------------------------------------- laws of the Lie algebra


def bracket(rep: Any, rng: random.Random) -> None:
    lie = rep.group.lie
    for a, b in product(lie, lie[:3]):
        x, y = lie_image(rep, a), lie_image(rep, b)
        assert lie_image(rep, a @ b - b @ a) == x @ y - y @ x


def linear(rep: Any, rng: random.Random) -> None:
    lie = rep.group.lie
    a, b = rng.choice(lie), rng.choice(lie)
    combined = lie_image(rep, 2 * a - b * Fraction(3, 5))
    assert combined == 2 * lie_image(rep, a) - lie_image(rep, b) * Fraction(3, 5)
    assert lie_image(rep, zeros(a.shape)) == zeros((rep.dim, rep.dim))


def dual_is_minus_transpose(rep: Any, rng: random.Random) -> None:
    # <a phi, v> + <phi, a v> = 0
    for a in rep.group.lie:
        assert (lie_image(rep.dual, a).T + lie_image(rep, a)).is_zero


def leibniz(rep: Any, rng: random.Random) -> None:
    a = rng.choice(rep.group.lie)
    x, one = lie_image(rep, a), identity(rep.dim)
    assert lie_image(rep * rep, a) == kron(x, one) + kron(one, x)


def discrete_generators_normalise(rep: Any, rng: random.Random) -> None:
    # rho(g) d rho(a) rho(g)^-1 = d rho(g a g^-1)
    for g, a in product(rep.group.discrete, rep.group.lie):
        on_g = discrete_image(rep, g)
        assert on_g @ lie_image(rep, a) @ inverse(on_g) == lie_image(rep, g @ a @ inverse(g))


def traces_of_constructions(rep: Any, rng: random.Random) -> None:
    a = rng.choice(rep.group.lie)
    n, t = rep.dim, trace(lie_image(rep, a))
    assert trace(lie_image(rep.dual, a)) == -t
    assert trace(lie_image(rep.conj, a)) == t.conjugate()
    assert trace(lie_image(rep.realify(), a)) == t + t.conjugate()
    assert trace(lie_image(rep * rep, a)) == 2 * n * t
    if n <= 9:
        # The derivatives at 1 of the characters of the powers.
        assert trace(lie_image(rep.sym(2), a)) == (n + 1) * t
        assert trace(lie_image(rep.alt(2), a)) == (n - 1) * t


LIE_LAWS: dict[str, Callable[[Any, random.Random], None]] = {
    law.__name__: law
    for law in (
        bracket,
        linear,
        dual_is_minus_transpose,
        leibniz,
        discrete_generators_normalise,
        traces_of_constructions,
        generators_act_as_declared,
    )
}


@pytest.mark.parametrize("law", LIE_LAWS)
@pytest.mark.parametrize("case", CONTINUOUS, ids=names(CONTINUOUS))
def test_lie_law(case: Case, law: str) -> None:
    LIE_LAWS[law](build(case), seeded(1))


NILPOTENT = [case for case in CONTINUOUS if case[0] in ("SL(2)", "GL(2)", "affine(1)", "translations(2)", "Sp(4)", "SE(2)")]


@pytest.mark.parametrize("case", NILPOTENT, ids=names(NILPOTENT))
def test_the_group_acts_by_the_exponential_of_the_algebra(case: Case) -> None:
    """rho(exp a) = exp(d rho(a)) for nilpotent a, where both sides are polynomials."""
    rep = build(case)
    if "Rep(" in case[1]:
        return  # declared images say nothing of other elements
    nilpotent = [a for a in rep.group.lie if power(a, rep.group.dim).is_zero]
    assert nilpotent
    for a in nilpotent:
        assert discrete_image(rep, exponential(a)) == exponential(lie_image(rep, a))


# -------------------------------------------------------------------------------------------------------- laws for all


@pytest.mark.parametrize("case", ALL, ids=names(ALL))
def test_atoms_reconstruct_the_matrix(case: Case) -> None:
    rep = build(case)
    found = atoms(rep)
    places = np.concatenate([a.positions.ravel() for a in found]) if found else np.zeros(0, int)
    assert sorted(places.tolist()) == list(range(rep.dim))
    assert len({a.rep for a in found}) == len(found)
    for atom in found:
        assert atom.positions.shape[1] == atom.rep.dim
        assert np.all(np.diff(atom.positions, axis=1) > 0)
        assert atom.rep.group == rep.group
    for i in range(len(rep.group.generators)):
        total = zeros((rep.dim, rep.dim))
        for atom in found:
            block = atom.rep.matrix(i)
            for p in atom.positions:
                total = total + from_coo(total.shape, block.field, p[block.rows], p[block.cols], block.nums, block.den)
        assert total == rep.matrix(i)


@pytest.mark.parametrize("case", ALL, ids=names(ALL))
def test_repr_evaluates_back(case: Case) -> None:
    rep = build(case)
    back = eval(repr(rep), dict(vars(rc)))  # noqa: S307  # our own repr
    assert back == rep
    assert hash(back) == hash(rep)
    assert back.digest == rep.digest
    assert repr(back) == repr(rep)
    assert str(back) == str(rep)
    assert back.matrices == rep.matrices
    assert isinstance(back, rc.Rep)


@pytest.mark.parametrize("case", ALL, ids=names(ALL))
def test_representations_survive_pickling(case: Case) -> None:
    rep = build(case)
    back = pickle.loads(pickle.dumps(rep))  # noqa: S301  # made a line ago
    assert back == rep
    assert back.digest == rep.digest
    assert back.matrices == rep.matrices


@pytest.mark.parametrize("case", ALL, ids=names(ALL))
def test_operations_have_the_dimension_of_the_book(case: Case) -> None:
    v = build(case)
    n = v.dim
    one = rc.trivial(v.group)
    assert (v + v).dim == 2 * n
    assert (5 * v).dim == 5 * n
    assert (v * v).dim == n * n
    assert (v**3).dim == n**3
    assert (v**0) == one
    assert (v**1) == v
    assert v.dual.dim == v.conj.dim == n
    assert v.realify().dim == 2 * n
    assert v.sym(2).dim == n * (n + 1) // 2
    assert v.alt(2).dim == n * (n - 1) // 2
    assert v.sym(3).dim == n * (n + 1) * (n + 2) // 6
    assert v.alt(3).dim == n * (n - 1) * (n - 2) // 6
    assert v.sym(0) == v.alt(0) == one
    assert v.sym(1) == v.alt(1) == v
    assert v.dual.dual == v
    assert v.conj.conj == v
    assert v * one == one * v == v
    assert 1 * v == v
    assert 2 * (3 * v) == 6 * v or n == 0
    assert (v + v).matrices == (2 * v).matrices


def test_distinct_expressions_differ() -> None:
    built = {}
    for case in ALL:
        rep = build(case)
        built.setdefault(rep.digest, set()).add((repr(rep.group), repr(rep)))
    # permutation(G) of a permutation group is its defining representation, and nothing else coincides.
    assert all(len(texts) == 1 for texts in built.values())
    assert len(built) == len(ALL) - 1


PLANTED: dict[str, tuple[Case, str, Callable[[Any, Matrix], Matrix]]] = {
    # A dual that forgets to invert, and one that forgets to transpose.
    "dual without inverse": (
        ("dihedral(3)", "V.dual"),
        "homomorphism",
        lambda rep, g: discrete_image(rep.rep, g).T,
    ),
    "dual without transpose": (
        ("dihedral(3)", "V.dual"),
        "homomorphism",
        lambda rep, g: inverse(discrete_image(rep.rep, g)),
    ),
    # A Kronecker product with one factor transposed, and a power that forgets a factor.
    "transposed Kronecker product": (
        ("dihedral(3)", "V * V"),
        "homomorphism",
        lambda rep, g: kron(discrete_image(rep.factors[0], g), discrete_image(rep.factors[1], g).T),
    ),
    "exterior power without signs": (
        ("symmetric(3)", "V.alt(2)"),
        "characters_of_constructions",
        lambda rep, g: rc.matrix([[abs(x) for x in row] for row in image_of(rep, g).tolist()]),
    ),
    "symmetric power in another basis": (
        ("Group([[[0, -1], [1, -1]]])", "V.sym(2)"),
        "generators_act_as_declared",
        lambda rep, g: image_of(rep, g).T,
    ),
    "conjugate of one side only": (
        ("Group([[['zeta(3)', 0], [0, 1]], [[0, 'I'], [1, 0]]])", "V.conj"),
        "homomorphism",
        lambda rep, g: g @ rc.matrix([[1, 0], [0, "I"]]),
    ),
    "dropped generator": (
        ("dihedral(3)", "V"),
        "generators_act_as_declared",
        lambda rep, g: g if g == rep.group.discrete[0] else identity(2),
    ),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_the_laws_find_planted_bugs(monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    case, law, wrong = PLANTED[bug]
    rep = build(case)

    def hold() -> None:
        for seed in range(5):
            GROUP_LAWS[law](rep, seeded(seed))

    hold()
    honest = discrete_image
    monkeypatch.setitem(globals(), "discrete_image", lambda v, g: wrong(v, g) if v == rep else honest(v, g))
    with pytest.raises(AssertionError):
        hold()


PLANTED_LIE: dict[str, tuple[Case, str, Callable[[Any, Matrix], Matrix]]] = {
    "dual without the sign": (("SL(2)", "V.dual"), "bracket", lambda rep, a: a.T),
    "dual without transpose": (("SL(2)", "V.dual"), "bracket", lambda rep, a: -a),
    "Leibniz rule with one term": (("SL(2)", "V"), "leibniz", lambda rep, a: a + identity(2)),
    "dropped generator": (
        ("SO(3)", "V"),
        "bracket",
        lambda rep, a: zeros((3, 3)) if a == rep.group.lie[0] else a,
    ),
}


@pytest.mark.parametrize("bug", PLANTED_LIE)
def test_the_lie_laws_find_planted_bugs(monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    case, law, wrong = PLANTED_LIE[bug]
    rep = build(case)
    LIE_LAWS[law](rep, seeded(1))
    honest = lie_image
    monkeypatch.setitem(globals(), "lie_image", lambda v, a: wrong(v, a) if v == rep else honest(v, a))
    with pytest.raises(AssertionError):
        LIE_LAWS[law](rep, seeded(1))


# ------------------------------------------------------------------------------------------------------------- helpers


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  # picks words in the generators


def word(group: Any, rng: random.Random) -> Matrix:
    out = identity(group.dim)
    for _ in range(rng.randint(1, 4) if group.discrete else 0):
        out = out @ rng.choice(group.discrete)
    return out


def trace(m: Matrix) -> Any:
    return sum((m[i, i] for i in range(m.shape[0])), rc.number(0))


def power(m: Matrix, k: int) -> Matrix:
    out = identity(m.shape[0])
    for _ in range(k):
        out = out @ m
    return out


def exponential(a: Matrix) -> Matrix:
    out, term, k = identity(a.shape[0]), identity(a.shape[0]), 0
    while not term.is_zero:
        k += 1
        term = term @ a
        out = out + term * Fraction(1, factorial(k))
        assert k <= a.shape[0], "not nilpotent"
    return out


def test_block_diag_is_the_layout_of_sums() -> None:
    G = rc.dihedral(3)
    V, one = G.rep, rc.trivial(G)
    X = 4 * one + 2 * V + V * V
    for i in range(2):
        assert X.matrix(i) == block_diag([identity(4), V.matrix(i), V.matrix(i), kron(V.matrix(i), V.matrix(i))])
