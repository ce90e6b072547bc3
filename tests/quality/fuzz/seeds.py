"""Inputs to begin with, and the words that the grammars know."""

from __future__ import annotations

import json
import tomllib

import targets

import repcore as rc
from repcore.basis import compute
from repcore.store.files import basis_to_bytes

NUMBERS = [
    "1",
    "-1/2",
    "0.25",
    "sqrt(2)/2",
    "1/2 + sqrt(5)/2",
    "cos(2*pi/7)",
    "sin(-pi/12)",
    "I*zeta(8)**3",
    "2**-3",
    "sqrt(3/4)",
    "(1 + I)**4/4",
    "zeta(24)",
    "1e3",
    "sqrt(-2)",
    "cos(pi)",
]
EXPRESSIONS = [
    "V",
    "1",
    "4*1 + 2*V",
    "V*V + dual(V)",
    "sym(V, 2)*alt(V, 2)",
    "V**3",
    "conj(realify(V))",
    "regular",
    "permutation",
    "grid(3)",
    "lift(V, 0)*lift(V, 1)",
    "(V + 1)**2",
    "0*V + trivial",
    "2*(V + V*V)",
]
SPECS = [
    '[group]\nbuiltin = "dihedral(4)"\n[reps]\nX = "4*1 + 2*V"\n_y = "dual(X)"\n[maps]\nlayer1 = "X >> _y*V"\n',
    '[group]\ndiscrete = [[["1/2", "3/4"], ["-1", "1/2"]]]\nlie = [[[0, -1], [1, 0]]]\nname = "tall"\n[reps]\nX = "sym(V, 2)"\n',
    '[group]\npermutations = ["(0 1 2)", [1, 0, 2]]\n[reps]\nU = { discrete = [[[1]], [[-1]]] }\nP = { grid = 2 }\n'
    'Q = { quotient = ["(0 1)"] }\nR = { permutations = ["(0 1 2)", "(0 1)"] }\n[maps]\nm = "U*R >> Q"\n',
    '[group]\nproduct = ["SO(3)", { permutations = ["(0 1 2)", "(0 1)"] }]\n[reps]\nplace = "lift(V, 0)"\n'
    'S = { factor = 0, tensors = "ijkl=jikl=ijlk=klij", of = "V" }\nN = { factor = 0, irreps = "2x0 + 1x2" }\n'
    '[maps]\nm = "place >> S"\n',
    '[group]\nbuiltin = "octahedral(full)"\n[reps]\nT = { tensors = "ij=-ji", of = { i = "V", j = "V" } }\n'
    'W = { restrict = "V*V", of = { builtin = "O(3)" } }\n[maps]\nm = "T >> W"\n',
    '[group]\nbuiltin = "dihedral(4)"\n[reps]\nC = { induced = "W + 1", of = { builtin = "cyclic(4)" }, '
    'reps = { W = { discrete = [[["I"]]] } } }\n[maps]\nm = "C >> V"\n',
    '[group]\ndim = 3\n[maps]\nm = "V >> 0"\n',
]
WORDS = [
    "sqrt(",
    "cos(",
    "sin(",
    "zeta(",
    "pi",
    "I",
    "**",
    "(",
    ")",
    "/",
    "-",
    "+",
    "*",
    ",",
    "0",
    "1",
    "2",
    "9999",
    "10000",
    "1e9",
    "5000",
    "4611686018427387904",
    "dual(",
    "sym(V, ",
    "alt(V, ",
    "regular",
    "lift(",
    "grid(",
    "V",
    ">>",
    "[group]",
    "[reps]",
    "[maps]",
    "builtin = ",
    "permutations = ",
    "discrete = ",
    "lie = ",
    "product = ",
    "dim = ",
    "SO(",
    "cyclic(",
    "factor = ",
    "tensors = ",
    "of = ",
    "quotient = ",
    "induced = ",
    "irreps = ",
    '"',
    "'",
    "{",
    "}",
    "[",
    "]",
    "\n",
    "nan",
    "inf",
    "\\u0000",
    "\u00e9",
    "\U0001f600",
    "0x",
    "1_0",
    "2020-01-01",
    "true",
    "null",
    ".",
    "#",
    "=",
    "-ji",
    "(0 1)",
]


def seeds() -> dict[str, list[bytes]]:
    """For each target the inputs to begin with."""
    bases = [basis_to_bytes(compute(space)) for space in _spaces()]
    return {
        "numbers": [x.encode() for x in NUMBERS],
        "expressions": [bytes([i % 8]) + x.encode() for i, x in enumerate(EXPRESSIONS * 3)],
        "spec_toml": [x.encode() for x in SPECS],
        "spec_json": [json.dumps(tomllib.loads(x)).encode() for x in SPECS],
        "basis_file": [targets.text(x) for x in bases],
        "basis_bytes": bases,
    }


def _spaces() -> list[rc.Hom]:
    D4, SO3, C8, S3 = rc.dihedral(4), rc.SO(3), rc.cyclic(8), rc.symmetric(3)
    G = SO3 @ S3
    sign = rc.Rep(D4, discrete=[[[-1]], [[1]]], name="sign")
    return [
        D4.rep * D4.rep >> D4.rep * D4.rep,
        sign * D4.rep >> D4.rep + 2 * sign,
        SO3.rep.sym(2) >> SO3.rep.alt(2) + SO3.rep.sym(2),
        C8.rep >> C8.rep,
        rc.lift(SO3.rep, G) * rc.lift(S3.rep, G) >> rc.lift(SO3.rep, G),
        rc.regular(S3) >> rc.quotient(S3, rc.PermutationGroup(["(0 1)"], degree=3)),
        rc.tensors(SO3.rep, "ij=-ji") >> rc.irrep(SO3, "2"),
        rc.induced(rc.trivial(rc.cyclic(4)), D4) >> D4.rep.realify(),
    ]
