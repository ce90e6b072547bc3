"""The table [reps]: expressions and tables, in any order."""

from __future__ import annotations

from typing import Any

import pytest

import repcore as rc
from repcore.spec.reading import read

D4 = {"builtin": "dihedral(4)"}
G = rc.dihedral(4)
V = G.rep
ONE = rc.trivial(G)


def reps(table: object, group: object = None) -> rc.spec.Table[rc.Rep]:
    return read({"group": group or D4, "reps": table}, "a.toml").reps


EXPRESSIONS: list[tuple[str, rc.Rep]] = [
    ("V", V),
    ("1", ONE),
    ("trivial", ONE),
    ("trivial()", ONE),
    ("4", 4 * ONE),
    ("4*1", 4 * ONE),
    ("2 + 2*1", 4 * ONE),
    ("0", 0 * ONE),
    ("0*V", 0 * V),
    ("2*V", 2 * V),
    ("V*2", 2 * V),
    ("2*3*V", 6 * V),
    ("2**3*V", 8 * V),
    ("(5 - 3)*V", 2 * V),
    ("-(-2)*V", 2 * V),
    ("+V", V),
    ("4*1 + 2*V", 4 * ONE + 2 * V),
    ("V + 1", V + ONE),
    ("1 + V*V", ONE + V * V),
    ("(1 + V)*V", (ONE + V) * V),
    ("V*V**2", V * V * V),
    ("2*V**2", 2 * (V**2)),
    ("(2*V)**2", (2 * V) ** 2),
    ("V**2**2", V**4),
    ("V**0", ONE),
    ("V + V*V + V", V + V * V + V),
    ("dual(V)", V.dual),
    ("conj(V)", V.conj),
    ("realify(V)", V.realify()),
    ("sym(V, 2)", V.sym(2)),
    ("alt(V, 2)", V.alt(2)),
    ("alt(V, 3)", V.alt(3)),
    ("sym(V, 1 + 1)", V.sym(2)),
    ("dual(sym(V + 1, 2))*V", (V + ONE).sym(2).dual * V),
    ("regular", rc.regular(G)),
    ("regular()", rc.regular(G)),
    ("grid(3)", rc.grid(G, 3)),
    (" V\n + V\t", V + V),
]


@pytest.mark.parametrize(("text", "expected"), EXPRESSIONS, ids=[repr(t) for t, _ in EXPRESSIONS])
def test_expression(text: str, expected: rc.Rep) -> None:
    found = reps({"X": text})["X"]
    assert found == expected
    assert found.dim == expected.dim


def test_the_order_of_definitions_does_not_matter() -> None:
    table = {"Z": "X*Y", "Y": "X + V", "X": "2*1 + V"}
    found = reps(table)
    assert list(found) == ["Z", "Y", "X"]
    assert found == reps(dict(reversed(table.items())))
    X = 2 * ONE + V
    assert found["Z"] == X * (X + V)


def test_hidden_names_are_used_and_not_kept() -> None:
    found = reps({"Y": "_part + V", "_part": {"discrete": [[[-1]], [[1]]]}})
    assert list(found) == ["Y"]
    assert found["Y"].dim == 3


def test_explicit_images() -> None:
    found = reps({"U": {"discrete": [[[-1]], [["1"]]]}, "W": {"discrete": [[[-1]], [[1]]], "name": "sign"}})
    assert found["U"] == rc.Rep(G, discrete=[[[-1]], [[1]]])
    assert [str(v) for v in found.values()] == ["U", "sign"]
    turned = reps({"U": {"lie": [[[0, -2], [2, 0]]]}}, {"builtin": "SO(2)"})["U"]
    assert turned == rc.Rep(rc.SO(2), lie=[[[0, -2], [2, 0]]])
    both = {"discrete": [[[1, 0], [0, -1]]], "lie": [[[0, -2], [2, 0]]]}
    mixed = reps({"U": both}, {"discrete": [[[1, 0], [0, -1]]], "lie": [[[0, -1], [1, 0]]]})["U"]
    assert mixed == rc.Rep(rc.Group([[[1, 0], [0, -1]]], [[[0, -1], [1, 0]]]), **both)


def test_tables_of_other_kinds() -> None:
    found = reps({"P": {"permutations": ["(0 1 2 3)", "(1 3)"]}, "Q": {"grid": 4}, "R": {"quotient": [[[1, 0], [0, -1]]]}})
    assert found["P"] == rc.permutation(G, ["(0 1 2 3)", "(1 3)"])
    assert found["Q"] == rc.grid(G, 4)
    assert found["R"] == rc.quotient(G, rc.Group([[[1, 0], [0, -1]]]))
    assert [v.dim for v in found.values()] == [4, 16, 4]
    assert reps({"R": {"quotient": []}})["R"] == rc.regular(G)


def test_permutation_groups() -> None:
    S3 = rc.symmetric(3)
    found = reps({"X": "permutation", "Y": "V + permutation()", "H": {"quotient": ["(0 1)"]}}, {"builtin": "symmetric(3)"})
    assert found["X"] == rc.permutation(S3)
    assert found["Y"] == S3.rep + rc.permutation(S3)
    assert found["H"] == rc.quotient(S3, rc.PermutationGroup(["(0 1)"], degree=3))
    assert found["H"].dim == 3


@pytest.mark.parametrize(
    ("name", "text"),
    [("SO(3)", "2x0 + 1x2"), ("O(3)", "2x0e + 1x1o + 2e"), ("SO(2)", "1x3"), ("SU(2)", "1/2 + 1")],
)
def test_irreps(name: str, text: str) -> None:
    found = reps({"X": {"irreps": text}}, {"builtin": name})["X"]
    assert found == rc.irreps_from(text, read({"group": {"builtin": name}}, "a").group)


def test_restriction() -> None:
    found = reps({"X": {"restrict": "sym(V, 2) + 1", "of": {"builtin": "GL(2)"}}})["X"]
    GL = rc.GL(2)
    assert found == (GL.rep.sym(2) + rc.trivial(GL)).restrict(G)


def test_tensors() -> None:
    found = reps(
        {
            "C": {"tensors": "ijkl=jikl=ijlk=klij", "of": "V"},
            "S": {"tensors": "ab=ba", "of": "V"},
            "M": {"tensors": "ijk=jik", "of": {"i": "W", "j": "W", "k": "V"}},
            "Z": {"tensors": "ijk=jik=-ikj", "of": "W"},
            "W": "V + 1",
            "T": "C*W + V",
        }
    )
    C = rc.tensors(V, "ijkl=jikl=ijlk=klij")
    W = V + ONE
    assert found["C"] == C
    assert found["S"] == V.sym(2)
    assert found["M"] == W.sym(2) * V
    assert found["Z"] == rc.tensors(W, "ijk=jik=-ikj")
    assert found["T"] == C * W + V
    assert [v.dim for v in found.values()] == [6, 3, 12, 0, 3, 20]


def test_tensors_of_a_factor() -> None:
    S3 = rc.symmetric(3)
    P = G @ S3
    found = reps(
        {
            "W": {"factor": 1, "tensors": "ijkl=klij", "of": "s + V"},
            "s": {"factor": 1, "discrete": [[[-1]], [[1]]]},
            "M": {"tensors": "ijk=-kji", "of": {"i": "lift(V, 0)", "j": "lift(V, 1)", "k": "lift(V, 0)"}},
        },
        {"product": ["dihedral(4)", "symmetric(3)"]},
    )
    s = rc.Rep(S3, discrete=[[[-1]], [[1]]])
    assert found["W"] == rc.lift(rc.tensors(s + S3.rep, "ijkl=klij"), P)
    x, y = rc.lift(V, P), rc.lift(S3.rep, P)
    assert found["M"] == rc.tensors({"i": x, "j": y, "k": x}, "ijk=-kji")
    assert found["M"].dim == 3


def test_induced() -> None:
    C4 = rc.cyclic(4)
    i = {"discrete": [[["I"]]]}
    found = reps(
        {
            "A": {"induced": "V + 1", "of": {"builtin": "cyclic(4)"}},
            "B": {"induced": "W*W2", "of": {"builtin": "cyclic(4)"}, "reps": {"W2": "W*W", "W": i}},
            "Q": {"induced": "1", "of": {"builtin": "cyclic(4)"}},
            "W": "B + A",
        }
    )
    W = rc.Rep(C4, [[["I"]]])
    assert found["A"] == rc.induced(C4.rep + rc.trivial(C4), G)
    assert found["B"] == rc.induced(W * W * W, G)
    assert found["Q"] == rc.quotient(G, C4)
    assert found["W"] == found["B"] + found["A"]
    # Frobenius reciprocity: the rotation of the plane is i + (-i), and B is induced from -i.
    assert rc.solve(found["B"] >> V, store=None).dim == 1


def test_induced_from_points() -> None:
    S4 = rc.symmetric(4)
    H = rc.PermutationGroup(["(0 1 2)"], degree=4)
    table = {"induced": "w", "of": {"permutations": ["(0 1 2)"]}, "reps": {"w": {"discrete": [[["zeta(3)"]]]}}}
    X = reps({"X": table}, {"builtin": "symmetric(4)"})["X"]
    assert rc.induced(rc.Rep(H, [[["zeta(3)"]]]), S4) == X
    assert X.dim == 8


def test_in_and_out_of_other_groups() -> None:
    """An induced representation inside a restricted one inside an induced one, each with names of its own."""
    inner = {"induced": "V", "of": {"builtin": "cyclic(4)"}}
    table = {
        "induced": "R + s",
        "of": {"discrete": [[[-1, 0], [0, -1]]]},
        "reps": {
            "s": {"discrete": [[[-1]]]},
            "R": {"restrict": "X", "of": {"builtin": "dihedral(4)"}, "reps": {"X": inner}},
        },
    }
    C2 = rc.Group([[[-1, 0], [0, -1]]])
    found = reps({"X": table})["X"]
    R = rc.induced(rc.cyclic(4).rep, G).restrict(C2)
    assert found == rc.induced(R + rc.Rep(C2, [[[-1]]]), G)


def test_factors_of_a_product() -> None:
    group = {"product": ["dihedral(4)", "symmetric(3)"]}
    found = reps(
        {
            "a": "lift(V, 0)*lift(V + 1, 1)",
            "sign": {"factor": 0, "discrete": [[[-1]], [[1]]]},
            "b": "lift(sign*V, 0)",
            "c": {"factor": 1, "permutations": [[1, 0, 2], [1, 2, 0]]},
        },
        group,
    )
    S3 = rc.symmetric(3)
    P = G @ S3
    sign = rc.Rep(G, discrete=[[[-1]], [[1]]])
    assert found["a"] == rc.lift(V, P, 0) * rc.lift(S3.rep + rc.trivial(S3), P, 1)
    assert found["sign"] == rc.lift(sign, P, 0)
    assert found["b"] == rc.lift(sign * V, P, 0)
    assert found["c"].dim == 3


def test_maps() -> None:
    spec = read(
        {"group": D4, "reps": {"X": "V + 1"}, "maps": {"a.weight": "X >> V*V", "b": "1>>X", "2": "0 >> V", "_c-d": "X >> X"}}, "a"
    )
    assert list(spec.maps) == ["a.weight", "b", "2", "_c-d"]
    assert spec.maps["a.weight"] == (V + ONE >> V * V)
    assert spec.maps["b"] == (ONE >> V + ONE)
    assert spec.maps["2"].shape == (2, 0)


CASES: list[tuple[Any, list[str]]] = [
    (3, ["a.toml: reps: expected a table of names, got 3"]),
    ({"X": 1}, ["a.toml: reps.X: expected an expression as a text, got int"]),
    ({"X": 1.5}, ["a.toml: reps.X: expected an expression as a text, got float"]),
    ({"X": ["V"]}, ["a.toml: reps.X: expected an expression as a text, got list"]),
    ({"X": None}, ["a.toml: reps.X: expected an expression"]),
    ({"X": ""}, ["a.toml: reps.X:", "empty"]),
    ({"X": "1.0*V"}, ["a.toml: reps.X:", "position 0, a decimal"]),
    ({"X": "V^2"}, ["a.toml: reps.X:", "position 1", "write ** for a power"]),
    ({"X": "V - V"}, ["a.toml: reps.X:", "position 2, representations know + * and **, not -"]),
    ({"X": "V/2"}, ["a.toml: reps.X:", "not /"]),
    ({"X": "-V"}, ["a.toml: reps.X:", "no negative", "dual(V)"]),
    ({"X": "-1*V"}, ["a.toml: reps.X:", "-1 times"]),
    ({"X": "1/2*V"}, ["a.toml: reps.X:", "no integer"]),
    ({"X": "2**V"}, ["a.toml: reps.X:", "a power is a representation ** an integer"]),
    ({"X": "V**V"}, ["a.toml: reps.X:", "a power is a representation ** an integer"]),
    ({"X": "V**-1"}, ["a.toml: reps.X:", "position 1"]),
    ({"X": "V V"}, ["a.toml: reps.X:", "position 2", "write an operator"]),
    ({"X": "V()"}, ["a.toml: reps.X:", "position 2"]),
    ({"X": "V(1)"}, ["a.toml: reps.X:", "V takes no arguments"]),
    ({"vector": "V", "Y": "vectr"}, ["a.toml: reps.Y:", "the name 'vectr' is unknown; did you mean 'vector'?"]),
    ({"X": "duel(V)"}, ["a.toml: reps.X:", "the function 'duel' is unknown; did you mean 'dual'?"]),
    ({"X": "dual"}, ["a.toml: reps.X:", "dual is a function; write dual(V)"]),
    ({"X": "sym"}, ["a.toml: reps.X:", "sym is a function; write sym(V, 2)"]),
    ({"X": "sym(V)"}, ["a.toml: reps.X:", "sym takes 2 arguments, got 1; write sym(V, 2)"]),
    ({"X": "dual(V, 2)"}, ["a.toml: reps.X:", "dual takes 1 argument, got 2"]),
    ({"X": "sym(V, V)"}, ["a.toml: reps.X:", "position 7, expected an integer from 0 to 1000"]),
    ({"X": "sym(V, 1001)"}, ["a.toml: reps.X:", "expected an integer from 0 to 1000"]),
    ({"X": "grid(0)"}, ["a.toml: reps.X:", "grid", "0"]),
    ({"X": "lift(V, 0)"}, ["a.toml: reps.X:", "there is no factor 0; the group has no factors"]),
    ({"X": "permutation"}, ["a.toml: reps.X:", "not given by permutations"]),
    ({"X": "10000000000*V"}, ["a.toml: reps.X:", "beyond 1000000000"]),
    ({"X": "9**99999*V"}, ["a.toml: reps.X:", "beyond 1000000000"]),
    ({"X": "V**1000000"}, ["a.toml: reps.X:", "more than 10000 parts"]),
    ({"X": "V**70"}, ["a.toml: reps.X:", "dimension beyond"]),
    ({"X": "__import__"}, ["a.toml: reps.X:", "the name '__import__' is unknown"]),
    ({"X": "__import__('os').system('x')"}, ["a.toml: reps.X:", "position 11"]),
    ({"X": "V.__class__"}, ["a.toml: reps.X:", "position 1"]),
    ({"X": "X"}, ["a.toml: reps.X: the definitions go round in a circle, X <- X"]),
    (
        {"X": "Y + 1", "Y": "dual(Z)", "Z": "2*X"},
        ["a.toml: reps.", "in a circle", " <- ", "define one of them without the others"],
    ),
    ({"V": "1"}, ["a.toml: reps.V: the name V has a meaning already"]),
    ({"sym": "V"}, ["a.toml: reps.sym: the name sym has a meaning already"]),
    ({"regular": "V"}, ["a.toml: reps.regular: the name regular has a meaning already"]),
    ({"a b": "V"}, ["a.toml: reps.a b: a name is up to 100 letters"]),
    ({"1": "V"}, ["a.toml: reps.1: a name is", "begins with a letter"]),
    ({"x" * 101: "V"}, ["a.toml: reps.xxx", "a name is up to 100"]),
    ({"a\nb": "V"}, ["a.toml: reps: the key 'a\\nb' has characters that cannot be printed"]),
    ({"X": {}}, ["a.toml: reps.X: give discrete and lie", "found none of them"]),
    ({"X": {"name": "U"}}, ["a.toml: reps.X:", "found none of them"]),
    ({"X": {"discret": []}}, ["a.toml: reps.X: the key 'discret' is unknown; did you mean 'discrete'?"]),
    ({"X": {"discrete": [], "grid": 3}}, ["a.toml: reps.X:", "found both discrete and grid"]),
    ({"X": {"discrete": [[[1]]]}}, ["a.toml: reps.X: discrete: 1 images for 2 generators"]),
    ({"X": {"discrete": [[[1]], [[0.5]]]}}, ["a.toml: reps.X: discrete[1][0][0]:", '"1/2"']),
    ({"X": {"discrete": [[[1, 0], [0, 1]], [[1, "I +"], [0, 1]]]}}, ["a.toml: reps.X: discrete[1][0][1]: cannot read 'I +'"]),
    ({"X": {"discrete": [[[1]], [[1, 2]]]}}, ["a.toml: reps.X: discrete[1]"]),
    ({"X": {"discrete": [[[1]], [[0]]]}}, ["a.toml: reps.X: discrete[1]"]),
    ({"X": {"discrete": [[[1]], [[2]]]}}, ["a.toml: reps.X: discrete[1]:"]),
    ({"X": {"discrete": [[[2]], [[1]]]}}, ["a.toml: reps.X: discrete[0]:"]),
    ({"X": {"discrete": [[[1]], [[1]]], "lie": [[[0]]]}}, ["a.toml: reps.X: lie: 1 images for 0 generators"]),
    ({"X": {"permutations": ["(0 1)"]}}, ["a.toml: reps.X.permutations:", "1 images for 2 generators"]),
    ({"X": {"permutations": [[1, 0], [0, "a"]]}}, ["a.toml: reps.X.permutations[1][1]: points are", "'a'"]),
    ({"X": {"permutations": ["(0 1)", 5]}}, ["a.toml: reps.X.permutations[1]: expected cycles"]),
    ({"X": {"grid": 2.0}}, ["a.toml: reps.X.grid: expected an integer from 1 to 1000, got 2.0"]),
    ({"X": {"grid": True}}, ["a.toml: reps.X.grid:", "got True"]),
    ({"X": {"grid": 1001}}, ["a.toml: reps.X.grid:", "got 1001"]),
    ({"X": {"irreps": "1"}}, ["a.toml: reps.X.irreps:", "not for D4"]),
    ({"X": {"irreps": 1}}, ["a.toml: reps.X.irreps: expected a text"]),
    ({"X": {"quotient": "(0 1)"}}, ["a.toml: reps.X.quotient: expected a list"]),
    ({"X": {"quotient": [[[2, 0], [0, 1]]]}}, ["a.toml: reps.X.quotient:", "not an element of D4"]),
    ({"X": {"quotient": [[[1, 0], [0, 0.5]]]}}, ["a.toml: reps.X.quotient: discrete[0][1][1]:"]),
    ({"X": {"restrict": "V"}}, ["a.toml: reps.X: restrict and of go together"]),
    ({"X": {"grid": 2, "of": D4}}, ["a.toml: reps.X.of: goes with tensors or restrict or induced, not with grid; leave it out"]),
    ({"X": {"grid": 2, "reps": {}}}, ["a.toml: reps.X.reps: goes with restrict or induced, not with grid"]),
    (
        {"X": {"tensors": "ij=ji", "of": "V", "reps": {}}},
        ["a.toml: reps.X.reps: goes with restrict or induced, not with tensors"],
    ),
    ({"X": {"tensors": "ij=ji"}}, ["a.toml: reps.X: tensors and of go together, as in { tensors ="]),
    ({"X": {"tensors": "ij=ji", "grid": 2}}, ["a.toml: reps.X: give discrete", "found both grid and tensors"]),
    ({"X": {"tensors": 2, "of": "V"}}, ["a.toml: reps.X.tensors: expected a text"]),
    ({"X": {"tensors": "ij" * 600, "of": "V"}}, ["a.toml: reps.X.tensors: expected a text of up to 1000 characters"]),
    ({"X": {"tensors": "", "of": "V"}}, ["a.toml: reps.X.tensors: formula: cannot read '': at position 0, indices must stand"]),
    (
        {"X": {"tensors": "ij=jk", "of": "V"}},
        ["a.toml: reps.X.tensors: formula:", "at position 4, the index 'k' is not in the first"],
    ),
    ({"X": {"tensors": "ij=ji", "of": 2}}, ["a.toml: reps.X.of: expected an expression as a text, got int"]),
    ({"X": {"tensors": "ij=ji", "of": "W"}}, ["a.toml: reps.X.of:", "the name 'W' is unknown"]),
    ({"X": {"tensors": "ij=ji", "of": "X"}}, ["a.toml: reps.X: the definitions go round in a circle, X <- X"]),
    ({"X": {"tensors": "ij=ji", "of": {"i": "X", "j": "V"}}}, ["a.toml: reps.X: the definitions go round in a circle, X <- X"]),
    ({"X": {"tensors": "ij=ji", "of": {"i": "V", "k": "V"}}}, ["a.toml: reps.X.of: the key 'k' is unknown; known are i, j"]),
    ({"X": {"tensors": "ij=ji", "of": {"i": "V"}}}, ["a.toml: reps.X.tensors: reps: the index 'j' of the formula has no"]),
    ({"X": {"tensors": "ij=ji", "of": {"i": "V", "j": 1}}}, ["a.toml: reps.X.of.j: expected an expression as a text, got int"]),
    (
        {"X": {"tensors": "ij=ji", "of": {"i": "V", "j": "1"}}},
        ["a.toml: reps.X.tensors:", "only indices of one representation can"],
    ),
    ({"X": {"tensors": "ijklmnopq=qponmlkji=jiklmnopq=jklmnopqi", "of": "V"}}, ["a.toml: reps.X.tensors:", "more than 40320"]),
    ({"X": {"tensors": "abcdefghijklmnopqrstuvwxyzA", "of": "V"}}, ["a.toml: reps.X.tensors:", "more than 26 indices"]),
    ({"X": {"tensors": "abcdefgh", "of": "V**10"}}, ["a.toml: reps.X:", "dimension beyond"]),
    (
        {"X": {"tensors": "abcdefghij", "of": "V**9 + V**8 + V"}, "Y": {"tensors": "klmn=lkmn", "of": "X"}},
        ["a.toml: reps.X: the rep"],
    ),
    ({"X": {"induced": "V"}}, ["a.toml: reps.X: induced and of go together, as in { induced ="]),
    ({"X": {"induced": {"discrete": []}, "of": D4}}, ["a.toml: reps.X.induced: expected an expression as a text, got dict"]),
    ({"X": {"induced": "V", "of": "cyclic(4)"}}, ["a.toml: reps.X.of: expected a table, got 'cyclic(4)'"]),
    (
        {"X": {"induced": "V", "of": {"builtin": "cyclic(5)"}}},
        ["a.toml: reps.X: subgroup: its generator 0 is not an element of D4"],
    ),
    ({"X": {"induced": "V", "of": {"builtin": "SO(2)"}}}, ["a.toml: reps.X: subgroup:", "Lie generators"]),
    ({"X": {"induced": "V", "of": {"builtin": "SO(3)"}}}, ["a.toml: reps.X: subgroup:"]),
    ({"X": {"induced": "W", "of": {"builtin": "cyclic(4)"}}, "W": "V"}, ["a.toml: reps.X.induced:", "the name 'W' is unknown"]),
    (
        {"X": {"induced": "V", "of": {"builtin": "cyclic(4)"}, "reps": 1}},
        ["a.toml: reps.X.reps: expected a table of names, got 1"],
    ),
    (
        {"X": {"induced": "V", "of": {"builtin": "cyclic(4)"}, "reps": {"W": "U"}}},
        ["a.toml: reps.X.reps.W:", "the name 'U' is unkn"],
    ),
    (
        {"X": {"induced": "V", "of": {"builtin": "cyclic(4)"}, "reps": {"W": "W"}}},
        ["a.toml: reps.X.reps.W: the definitions go round"],
    ),
    ({"X": {"restrict": "V", "of": D4, "reps": {"W": {"grid": 0}}}}, ["a.toml: reps.X.reps.W.grid: expected an integer"]),
    (
        {"X": "tensors(V, 'ij=ji')"},
        ["a.toml: reps.X:", "position 0, tensors is no function", 'as a table: { tensors = "ijk=jik", of'],
    ),
    ({"X": "V + induced(V, C4)"}, ["a.toml: reps.X:", "position 4, induced is no function of expressions", "{ induced ="]),
    ({"X": {"restrict": "V", "of": {"builtin": "S0(2)"}}}, ["a.toml: reps.X.of.builtin: no group is called 'S0'"]),
    ({"X": {"restrict": "W", "of": D4}}, ["a.toml: reps.X.restrict:", "the name 'W' is unknown"]),
    ({"X": {"restrict": "V", "of": {"builtin": "SO(3)"}}}, ["a.toml: reps.X:"]),
    ({"X": {"factor": 0, "grid": 2}}, ["a.toml: reps.X.factor: the group has no factors"]),
    ({"X": {"grid": 2, "name": 3}}, ["a.toml: reps.X.name: expected a text"]),
    ({"X": {"grid": 2, "name": "\x1b[2J"}}, ["a.toml: reps.X.name:", "cannot be printed"]),
    ({"X": "V" * 10**6}, ["a.toml: reps.X:", "1000000 characters, more than 1000"]),
    ({"X": "(" * 400 + "V" + ")" * 400}, ["a.toml: reps.X:", "nesting is deeper than"]),
    ({"X": "+".join("V" * 300)}, ["a.toml: reps.X:", "more than 200 operands"]),
    ({"X": 16**4000}, ["a.toml: reps.X: the integer has more than 1000 digits"]),
]


@pytest.mark.parametrize(("table", "parts"), CASES, ids=[f"{i}" for i in range(len(CASES))])
def test_a_mistake_is_named_with_its_place(table: object, parts: list[str]) -> None:
    with pytest.raises(rc.SpecError) as caught:
        reps(table if table != {} else None)
    message = str(caught.value)
    assert message.startswith(parts[0])
    for part in parts:
        assert part in message
    assert "\n" not in message
    assert len(message) < 400


def test_a_factor_that_is_not_there() -> None:
    with pytest.raises(rc.SpecError, match=r"reps\.X\.factor: the group has factors 0 to 1; got 2"):
        reps({"X": {"factor": 2, "grid": 2}}, {"product": ["SO(2)", "SO(3)"]})
    with pytest.raises(rc.SpecError, match=r"reps\.X:.*there is no factor 2; the group has 2 factors, counted from 0"):
        reps({"X": "lift(V, 2)"}, {"product": ["SO(2)", "SO(3)"]})


def test_doubling_at_every_name_is_bounded() -> None:
    table = {f"X{i}": f"X{i - 1}*X{i - 1}" if i else "1" for i in range(64)}
    with pytest.raises(rc.SpecError, match=r"reps\.X14: .*more than 10000 parts"):
        reps(table)
    table = {f"X{i}": f"dual(X{i - 1} + V)" if i else "V" for i in range(200)}
    with pytest.raises(rc.SpecError, match="nested deeper than 90"):
        reps(table)


def test_nesting_within_tables_is_bounded() -> None:
    def nested(depth: int, inner: str) -> dict[str, Any]:
        table: Any = inner
        for _ in range(depth):
            table = {"restrict": "X", "of": D4, "reps": {"X": table}} if table != inner else {"restrict": inner, "of": D4}
        return {"X": table}

    assert reps(nested(20, "V"))["X"].dim == 2
    with pytest.raises(rc.SpecError, match="is nested deeper than 64"):
        reps(nested(40, "V"))
    # A level of tables adds to the depth of the tree as one of an expression does.
    C4 = {"builtin": "cyclic(4)"}
    deep = {f"X{i}": f"dual(X{i - 1} + V)" if i else "V" for i in range(44)}
    table = {"restrict": "X43", "of": {"discrete": [[[0, -1], [1, 0]]]}, "reps": deep}
    assert reps({"X": table}, C4)["X"].dim == 88
    with pytest.raises(rc.SpecError, match=r"^a\.toml: reps\.Y: the representation is nested deeper than 90; simplify it$"):
        reps({"X": table, "Y": {"tensors": "ij=ji", "of": "conj(X)"}}, C4)
    doubled: dict[str, Any] = {f"X{i}": {"tensors": "ijkl=klij", "of": f"X{i - 1}"} for i in range(1, 20)}
    with pytest.raises(rc.SpecError, match=r"^a\.toml: reps\.X7: the representation has more than 10000 parts"):
        reps({"X0": "1", **doubled})
    with pytest.raises(rc.SpecError, match=r"^a\.toml: reps\.X4: the representation has a dimension beyond"):
        reps({"X0": "V", **doubled})


def test_two_thousand_names_in_a_chain() -> None:
    found = reps({f"X{i}": f"X{i + 1} + V" if i < 1999 else "V" for i in range(2000)})
    assert found["X0"] == 2000 * V
    with pytest.raises(rc.SpecError, match=r"^a\.toml: reps: has 2001 names, more than 2000; split the file"):
        reps({f"X{i}": "V" for i in range(2001)})


MAPS: list[tuple[Any, str, list[str]]] = [
    ("X", "m", ['a.toml: maps.m: \'X\' has 0 ">>"; write "X >> Y"']),
    ("X >> V >> V", "m", ["a.toml: maps.m:", 'has 2 ">>"']),
    (3, "m", ['a.toml: maps.m: expected a text such as "X >> Y", got 3']),
    (None, "m", ["a.toml: maps.m: expected a text"]),
    ({}, "m", ["a.toml: maps.m: expected a text"]),
    ({"weight": "V >> V"}, "m", ["a.toml: maps.m: expected a text", 'a name with a dot is quoted, "first.weight"']),
    ("vector >> vecto", "m", ["a.toml: maps.m, right of >>:", "the name 'vecto' is unknown; did you mean 'vector'?"]),
    ("vecto >> vector", "m", ["a.toml: maps.m, left of >>:", "did you mean 'vector'?"]),
    (" >> V", "m", ["a.toml: maps.m, left of >>:", "empty"]),
    ("x" * 10**6, "m", ["a.toml: maps.m:", 'has 0 ">>"']),
    ("V >> V", "../m", ["a.toml: maps.../m: the name of a map becomes the name of a file"]),
    ("V >> V", "..", ["a.toml: maps...: the name of a map"]),
    ("V >> V", ".m", ["a.toml: maps..m: the name of a map"]),
    ("V >> V", "-m", ["a.toml: maps.-m: the name of a map"]),
    ("V >> V", "a/b", ["a.toml: maps.a/b: the name of a map"]),
    ("V >> V", "a\\b", ["a.toml: maps.a\\b: the name of a map"]),
    ("V >> V", "", ["a.toml: maps.: the name of a map"]),
    ("V >> V", "x" * 101, ["a.toml: maps.xxx", "up to 100"]),
    ("V >> V", "a\0", ["a.toml: maps: the key 'a\\x00' has characters that cannot be printed"]),
]


@pytest.mark.parametrize(("text", "name", "parts"), MAPS, ids=[f"{i}" for i in range(len(MAPS))])
def test_a_mistake_in_maps(text: object, name: str, parts: list[str]) -> None:
    with pytest.raises(rc.SpecError) as caught:
        read({"group": D4, "reps": {"X": "V", "vector": "V"}, "maps": {name: text}}, "a.toml")
    message = str(caught.value)
    assert message.startswith(parts[0])
    assert all(part in message for part in parts)
    assert "\n" not in message
    assert len(message) < 400
