"""The basis is, entry by entry, the reduced echelon form of the solutions of the definition."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import repcore as rc

# group, X, Y
SPACES: list[tuple[str, str, str]] = [
    ("cyclic(4)", "V ** 2", "V ** 2"),
    ("cyclic(3)", "V ** 2", "V + one"),
    ("cyclic(5)", "V ** 2", "V ** 2"),
    ("cyclic(7)", "V ** 2", "V"),
    ("dihedral(8)", "V ** 2", "V ** 2"),
    ("dihedral(5)", "V + 2 * one", "2 * V + one"),
    ("symmetric(3)", "V ** 2", "V ** 2"),
    ("symmetric(4)", "V", "V.sym(2) + V.alt(2)"),
    ("hyperoctahedral(3)", "V ** 2", "V ** 2"),
    ("quaternion()", "V", "V + V.dual"),
    ("octahedral()", "V ** 2", "V ** 2"),
    ("icosahedral()", "V ** 2", "V ** 2"),
    ("tetrahedral()", "V.sym(2)", "V + V ** 2"),
    ("SO(2)", "V ** 2", "V ** 2"),
    ("SO(3)", "V ** 2", "V ** 2"),
    ("SO(3)", "V ** 3", "V"),
    ("SO(3)", "V.sym(3)", "V + V.alt(2)"),
    ("O(3)", "V ** 2", "V ** 2 + one"),
    ("SO(4)", "V.alt(2)", "V.alt(2)"),
    ("SU(2)", "V ** 2", "V ** 2"),
    ("SU(2)", "V.conj * V", "one + V * V"),
    ("SU(2)", "V.realify()", "V.realify()"),
    ("U(2)", "V * V.dual", "V.conj * V"),
    ("SL(2)", "V.sym(2) * V", "V.sym(3) + V"),
    ("GL(2)", "V * V.dual", "V * V.dual"),
    ("GL(2)", "V ** 2", "V ** 2 + V"),
    ("Sp(4)", "V.alt(2)", "V.alt(2)"),
    ("lorentz()", "V.alt(2)", "V.alt(2)"),
    ("lorentz(full=True)", "V ** 2", "V ** 2"),
    ("translations(1)", "V ** 2", "V ** 2"),
    ("translations(2)", "V", "V + one"),
    ("translations(2)", "V.dual", "V * V"),
    ("SE(2)", "V ** 2", "V + one"),
    ("SE(2)", "V", "V ** 2"),
    ("E(2)", "V ** 2", "V"),
    ("affine(1)", "V ** 3", "V ** 2"),
    ("affine(2)", "V ** 2", "V"),
    ("scaling(2)", "V + one", "V + one"),
    ("Group([[['I', 0], [0, '-I']], [[0, 1], [-1, 0]]])", "V", "V + one"),
    ("Group([[['I', 0], [0, '-I']], [[0, 1], [-1, 0]]])", "V.realify()", "V.realify()"),
    ("Group([[['I', 0], [0, '-I']], [[0, 1], [-1, 0]]])", "V ** 2", "V.conj ** 2"),
    ("Group([[[0, -1], [1, -1]], [[0, 1], [1, 0]]])", "V * V.dual", "V * V"),
    ("Group([[[1, 3], [0, -1]]])", "V ** 2", "V.dual + one"),
    ("Group([[[2, 1], [1, 1]]])", "V", "V"),
    ("Group([[['sqrt(2)', 1], [1, 0]]])", "V * V", "V * V"),
    ("Group([[['zeta(3)', 0, 0], [0, 1, 0], [0, 0, '-I']]])", "V", "V * V"),
    ("Group(lie=[[[1, 0], [0, 3]], [[0, 0], [0, 0]]])", "V ** 3 + one", "V"),
    ("Group(lie=[[['sqrt(2)', 0], [0, '-sqrt(2)']]])", "V ** 2", "V ** 2"),
    ("Group([[[0, 1], [1, 0]]], [[[1, 0], [0, -1]]])", "V ** 2", "V ** 2"),
    ("dihedral(3) @ cyclic(2)", "lift(dihedral(3).rep, G) * lift(cyclic(2).rep, G)", "V ** 2"),
    ("SO(3) @ symmetric(2)", "lift(SO(3).rep, G) * lift(symmetric(2).rep, G)", "lift(SO(3).rep, G)"),
    ("dihedral(3)", "regular(G)", "V + regular(G)"),
    ("dihedral(4)", "quotient(G, cyclic(2))", "regular(G) + V"),
    ("symmetric(3)", "Rep(G, [[[-1]], [[1]]]) * V", "V + one"),
    ("Group(dim=2)", "V", "V + one"),
    ("Group(dim=1) @ cyclic(4)", "V", "V"),
]


@pytest.mark.parametrize(("group", "x", "y"), SPACES, ids=[f"{g}: {x} >> {y}" for g, x, y in SPACES])
def test_the_basis_is_the_echelon_form_of_the_definition(oracles: Any, group: str, x: str, y: str) -> None:
    G = eval(group, dict(vars(rc)))  # noqa: S307  # expressions of this file
    names = {**vars(rc), "G": G, "V": G.rep, "one": rc.trivial(G)}
    X, Y = eval(x, names), eval(y, names)  # noqa: S307  # expressions of this file
    basis = oracles.check(X >> Y)
    assert rc.verify(basis)


# ----------------------------------------------------------------------------------------------- groups that nobody named

ROOTS = ["1", "-1", "I", "zeta(3)", "-zeta(3)", "zeta(8)"]
SIZES = st.integers(1, 3)


@st.composite
def monomials(draw: st.DrawFn, n: int, roots: list[str]) -> list[list[str]]:
    images = draw(st.permutations(range(n)))
    return [[draw(st.sampled_from(roots)) if images[j] == i else "0" for j in range(n)] for i in range(n)]


@st.composite
def unimodular(draw: st.DrawFn, n: int) -> list[list[int]]:
    """A product of elementary matrices: invertible over the integers."""
    out = [[int(i == j) for j in range(n)] for i in range(n)]
    for _ in range(draw(st.integers(0, 3))):
        i, j = draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))
        c = draw(st.integers(-2, 2))
        if i != j:
            out[i] = [a + c * b for a, b in zip(out[i], out[j], strict=True)]
        else:
            out[i] = [-a for a in out[i]]
    return out


@st.composite
def algebra_elements(draw: st.DrawFn, n: int) -> list[list[Any]]:
    kind = draw(st.sampled_from(["skew", "diagonal", "any", "zero"]))
    entry = st.integers(-2, 2) if kind != "diagonal" else st.sampled_from([0, 1, 1, -1, 2, Fraction(1, 2)])
    table = [[draw(entry) for _ in range(n)] for _ in range(n)]
    if kind == "skew":
        return [[table[i][j] if i < j else -table[j][i] if j < i else 0 for j in range(n)] for i in range(n)]
    if kind == "diagonal":
        return [[table[i][i] if i == j else 0 for j in range(n)] for i in range(n)]
    return table if kind == "any" else [[0] * n for _ in range(n)]


@st.composite
def groups(draw: st.DrawFn) -> Any:
    n = draw(SIZES)
    kind = draw(st.sampled_from(["permutations", "signed", "roots", "unimodular", "mixed"]))
    discrete: list[Any] = []
    for _ in range(draw(st.integers(0, 2))):
        if kind == "unimodular" or (kind == "mixed" and draw(st.booleans())):
            discrete.append(draw(unimodular(n)))
        else:
            roots = {"permutations": ["1"], "signed": ["1", "-1"]}.get(kind, ROOTS)
            discrete.append(draw(monomials(n, roots)))
    lie = [draw(algebra_elements(n)) for _ in range(draw(st.integers(0, 2)))]
    return rc.Group(discrete, lie, dim=n)


@st.composite
def representations(draw: st.DrawFn, group: Any, limit: int) -> Any:
    V, one = group.rep, rc.trivial(group)
    pool = [V, one, V.dual, V * V, 2 * V, V + one, V.sym(2), V.alt(2), V.conj, V.dual * V, (V + one).dual, V * (one + V)]
    return draw(st.sampled_from([v for v in pool if v.dim <= limit]))


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_random_groups(oracles: Any, data: st.DataObject) -> None:
    group = data.draw(groups())
    X, Y = data.draw(representations(group, 6)), data.draw(representations(group, 6))
    basis = oracles.check(X >> Y)
    found = rc.verify(basis)
    assert found
    assert found.complete


def test_the_oracle_on_a_system_solved_by_hand(oracles: Any) -> None:
    # x0 + 2 x1 - x3 = 0, x2 = 3 x3
    rows = [{0: Fraction(1), 1: Fraction(2), 3: Fraction(-1)}, {2: Fraction(1), 3: Fraction(-3)}]
    third, half = Fraction(1, 3), Fraction(1, 2)
    assert oracles.nullspace(rows, 4) == [{0: 1, 2: 3, 3: 1}, {1: 1, 2: 6, 3: 2}]
    assert oracles.echelon([{0: Fraction(2), 1: Fraction(1)}, {0: Fraction(1), 1: half}]) == [{0: 1, 1: half}]
    assert oracles.nullspace([{0: Fraction(3), 1: Fraction(-1)}], 2) == [{0: 1, 1: 1 / third}]
