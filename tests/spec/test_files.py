"""`load` and `dump`: files come back equal, and no file can do anything but be refused."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import repcore as rc
from repcore.spec.reading import read

ALL = """
[group]
product = ["octahedral(full)", { permutations = ["(0 1 2)", "(0 1)"], name = "three bodies" }]

[reps]
place = "lift(V, 0)"
body = "lift(V, 1)"
parity = { factor = 0, discrete = [[[1]], [[1]], [[-1]]] }
stiffness = { factor = 0, tensors = "ijkl=jikl=ijlk=klij", of = "V" }
mixed = { tensors = "ijk=kji", of = { i = "place", j = "parity*sign", k = "place" } }
sign = { factor = 1, discrete = [[[1]], [[-1]]], name = "sgn" }
faces = { factor = 0, quotient = [[[0, -1, 0], [1, 0, 0], [0, 0, 1]]] }
strain = { restrict = "sym(V, 2)", of = { builtin = "GL(6)" } }
_state = "place*body"
inputs = "4*1 + _state + sym(place, 2)*sign"
outputs = "1 + dual(place) + alt(_state, 2) + parity"

[maps]
"layer.weight" = "inputs >> outputs"
pool = "lift(regular, 1)*faces >> 1"
empty = "0 >> place"
"""


def specs() -> dict[str, rc.Spec]:
    D4, C8, SO3, S3 = rc.dihedral(4), rc.cyclic(8), rc.SO(3), rc.symmetric(3)
    own = rc.Group([[["1/2", "3/4"], ["-1", "1/2"]]], name="tall")
    mixed = rc.Group([[[1, 0], [0, -1]]], [[[0, -1], [1, 0]]])
    V, one = D4.rep, rc.trivial(D4)
    sign = rc.Rep(D4, discrete=[[[-1]], [[1]]], name="sign")
    return {
        "expressions": rc.Spec(
            D4,
            {"X": 4 * one + 2 * V, "Y": (one + V) * V + V.dual, "Z": V.sym(2) + V.alt(2) + V.conj + V.realify(), "N": 0 * V},
            {"a": V >> V * V, "b.c": (2 * V) ** 2 >> one, "d": 2 * one * V >> V + V * V * V},
        ),
        "images": rc.Spec(D4, {"U": sign, "W": sign * V, "R": rc.regular(D4), "G": rc.grid(D4, 3)}, {"m": sign >> V * sign}),
        "irrational": rc.Spec(C8, {"X": C8.rep, "Q": rc.quotient(C8, rc.Group(dim=2))}, {"m": C8.rep >> C8.rep}),
        "labels": rc.Spec(SO3, {"X": rc.irreps_from("2x0 + 1x2", SO3)}, {"m": rc.irrep(SO3, "2") >> SO3.rep**2}),
        "points": rc.Spec(S3, {"P": rc.permutation(S3), "H": rc.quotient(S3, rc.PermutationGroup(["(0 1)"], degree=3))}),
        "own": rc.Spec(own, {"X": own.rep}, {"m": own.rep >> own.rep.dual}),
        "mixed": rc.Spec(mixed, {"X": mixed.rep}),
        "nothing": rc.Spec(rc.Group(dim=3)),
        "larger": rc.Spec(D4, {"X": rc.GL(2).rep.sym(2).restrict(D4)}),
        "all": read(_toml(ALL), "all.toml"),
    }


def _toml(text: str) -> Any:
    import tomllib

    return tomllib.loads(text)


@pytest.mark.parametrize("suffix", [".toml", ".json"])
@pytest.mark.parametrize("name", specs())
def test_round_trip(name: str, suffix: str, tmp_path: Path) -> None:
    spec = specs()[name]
    path = tmp_path / f"a{suffix}"
    rc.dump(spec, path)
    found = rc.load(path)
    assert isinstance(found, rc.Spec)
    assert found == spec
    assert hash(found) == hash(spec)
    assert list(found.reps) == [n for n in found.reps if n in spec.reps] == list(spec.reps)
    assert list(found.maps) == list(spec.maps)
    assert repr(found.group) == repr(spec.group)
    assert [s.digest for s in found.maps.values()] == [s.digest for s in spec.maps.values()]
    # What was read is written as the same text: a second round changes nothing.
    again = tmp_path / f"b{suffix}"
    rc.dump(found, again)
    assert again.read_bytes() == path.read_bytes()
    assert sorted(os.listdir(tmp_path)) == [f"a{suffix}", f"b{suffix}"]


@pytest.mark.parametrize("builtin", ["SO(3)", "lorentz(full)", "octahedral()", "quaternion()", "E(2)", "hyperoctahedral(3)"])
def test_named_groups_are_written_by_name(builtin: str, tmp_path: Path) -> None:
    spec = read({"group": {"builtin": builtin}}, "a")
    rc.dump(spec, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["group"] == {"builtin": builtin}


def test_toml_and_json_mean_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(ALL)
    (tmp_path / "a.json").write_text(json.dumps(_toml(ALL)))
    assert rc.load(tmp_path / "a.toml") == rc.load(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("name", "data", "part"),
    [
        ("a.toml", b"[group\n", "is not well-formed TOML: "),
        ("a.toml", b"[group]\n[group]\n", "is not well-formed TOML: "),
        ("a.toml", b"", "there is no table [group]"),
        ("a.toml", b"\xff\xfe", "is not UTF-8 at byte 0"),
        ("a.toml", b"a = " + b"[" * 10**5, "is nested too deeply"),
        ("a.toml", b"[group]\ndim." + b".".join([b"a"] * 3000) + b" = 1", "is nested deeper than"),
        ("a.toml", b"[group]\ndim = 0x" + b"f" * 10**5, "a.toml: group.dim: the integer has more than 1000 digits"),
        ("a.toml", b"[group]\ndim = " + b"9" * 10**4, "is not well-formed TOML"),
        ("a.toml", b"[group]\nlie = [[[nan]]]", "a.toml: group: lie[0][0][0]: nan is no number"),
        ("a.toml", b"[group]\nlie = [[[2020-01-01]]]", "a.toml: group: lie[0][0][0]:"),
        ("a.toml", b"[group]\ndim = 2020-01-01", "a.toml: group.dim: expected an integer"),
        ("a.json", b"{", "is not well-formed JSON: "),
        ("a.json", b"[]", "expected a table, got a list"),
        ("a.json", b"null", "expected a table"),
        ("a.json", b'{"group": {"dim": 1, "dim": 2}}', "the key 'dim' stands twice"),
        ("a.json", b"[" * 10**5, "is nested too deeply"),
        ("a.json", b'{"group": {"dim": ' + b"9" * 10**4 + b"}}", "is not well-formed JSON"),
        ("a.json", b'{"group": {"lie": [[[NaN]]]}}', "a.json: group: lie[0][0][0]: nan is no number"),
        ("a.json", b'{"group": {"lie": [[[1e999]]]}}', "a.json: group: lie[0][0][0]: inf is no number"),
        ("a.json", b'{"group": {"name": "\\ud800", "dim": 1}}', "a.json: group.name: the text '\\ud800'"),
        ("a.json", b'{"group": ' + b'{"a":' * 90 + b"1" + b"}" * 91, "is nested deeper than 64"),
        ("a.yaml", b"group: 1", "ends in '.yaml'; a spec ends in .toml or .json"),
        ("a", b"", "ends in ''"),
    ],
)
def test_what_is_no_file_is_refused(name: str, data: bytes, part: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    start = time.perf_counter()
    with pytest.raises(rc.SpecError) as caught:
        rc.load(path)
    assert part in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - start < 10


def test_paths(tmp_path: Path) -> None:
    with pytest.raises(rc.SpecError, match="cannot be read: No such file"):
        rc.load(tmp_path / "no.toml")
    (tmp_path / "d.toml").mkdir()
    with pytest.raises(rc.SpecError, match="is no regular file"):
        rc.load(tmp_path / "d.toml")
    with pytest.raises(rc.SpecError, match="cannot be read"):
        rc.load("a\0.toml")
    with (tmp_path / "big.toml").open("wb") as stream:
        stream.truncate(16 * 2**20 + 1)
    with pytest.raises(rc.SpecError, match="has 16777217 bytes, more than 16777216"):
        rc.load(tmp_path / "big.toml")
    with pytest.raises(rc.IncompatibleError, match="path: expected a path, got int"):
        rc.load(3)  # pyright: ignore[reportArgumentType]
    (tmp_path / "bom.TOML").write_bytes(b"\xef\xbb\xbf[group]\ndim = 2\n")
    assert rc.load(tmp_path / "bom.TOML") == rc.Spec(rc.Group(dim=2))


def test_dump_refuses_before_it_writes(tmp_path: Path) -> None:
    spec = rc.Spec(rc.Group(dim=2))
    with pytest.raises(rc.IncompatibleError, match=r"ends in \.toml or \.json"):
        rc.dump(spec, tmp_path / "a.safetensors")
    with pytest.raises(rc.IncompatibleError, match="expected a Spec or an EquivariantBasis, got dict"):
        rc.dump({}, tmp_path / "a.toml")  # pyright: ignore[reportArgumentType]
    with pytest.raises(rc.SpecError, match="one line"):
        rc.dump(rc.Spec(rc.Group(dim=2, name="two\nlines")), tmp_path / "a.toml")
    with pytest.raises(rc.StoreError, match="cannot be written"):
        rc.dump(spec, tmp_path / "none" / "a.toml")
    assert os.listdir(tmp_path) == []


def test_a_spec_checks_what_it_is_given() -> None:
    G = rc.dihedral(4)
    with pytest.raises(rc.SpecError, match="begin with _"):
        rc.Spec(G, {"_x": G.rep})
    with pytest.raises(rc.SpecError, match="name V has a meaning"):
        rc.Spec(G, {"V": G.rep})
    with pytest.raises(rc.SpecError, match="becomes the name of a file"):
        rc.Spec(G, maps={"../a": G.rep >> G.rep})
    with pytest.raises(rc.IncompatibleError, match="reps"):
        rc.Spec(G, {"X": rc.SO(2).rep})
    with pytest.raises(rc.IncompatibleError, match="maps"):
        rc.Spec(G, maps={"m": rc.SO(2).rep >> rc.SO(2).rep})
    with pytest.raises(rc.IncompatibleError, match="group: expected a Group, got str"):
        rc.Spec("SO(3)")  # pyright: ignore[reportArgumentType]


# -- anything at all ---------------------------------------------------------------------------------------------------

WORDS = [
    "V",
    "1",
    "V*V",
    "X",
    "Y >> X",
    "sym(V, 2)",
    "dihedral(4)",
    "SO(3)",
    "(0 1)",
    "1/2",
    "sqrt(2)",
    "1x1",
    "lift(V, 0)",
    "ij=-ji",
]
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    st.sampled_from([*WORDS, "__import__", "regular", "V**V", "", "\x1b[0m", "\ud800", "(((", "x" * 2000]),
    st.text(max_size=8),
)
MATRICES = st.lists(st.lists(st.lists(st.one_of(st.integers(-1, 1), ATOMS), max_size=2), max_size=2), max_size=2)
VALUES = st.recursive(
    ATOMS | MATRICES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["builtin", "of", "a"]), inner, max_size=2),
    max_leaves=6,
)
GROUP_KEYS = ["builtin", "permutations", "discrete", "lie", "product", "name", "dim"]
IMAGES = ["permutations", "discrete", "lie", "grid", "irreps", "quotient"]
REP_KEYS = [*IMAGES, "tensors", "restrict", "induced", "of", "reps", "factor", "name"]
GROUPS = st.one_of(
    st.dictionaries(st.sampled_from(GROUP_KEYS), VALUES, max_size=2),
    st.sampled_from(["SO(2)", "dihedral(4)", "symmetric(3)", "O(3)"]).map(lambda b: {"builtin": b}),
    st.just({"product": ["SO(2)", "cyclic(2)"]}),
    VALUES,
)
NAMES = st.sampled_from(["X", "Y", "_z", "V", "a b", "m.1"]) | st.text(max_size=3)
TABLES = st.dictionaries(st.sampled_from(REP_KEYS), VALUES | st.integers(0, 2), max_size=3)
INNER = st.dictionaries(NAMES, st.sampled_from(WORDS) | TABLES | VALUES, max_size=2)
RELATED = st.one_of(
    st.fixed_dictionaries(
        {"tensors": st.sampled_from(WORDS) | st.text("ijk=-", max_size=9), "of": st.sampled_from(WORDS) | INNER}
    ),
    st.fixed_dictionaries({"restrict": st.sampled_from(WORDS), "of": GROUPS}, optional={"reps": INNER}),
    st.fixed_dictionaries({"induced": st.sampled_from(WORDS), "of": GROUPS}, optional={"reps": INNER}),
)
REPS = st.dictionaries(NAMES, st.sampled_from(WORDS) | TABLES | RELATED | VALUES, max_size=3)
MAPS = st.dictionaries(NAMES, st.sampled_from(["V >> V", "X >> V", "Y>>1", ">>"]) | VALUES, max_size=2)
DOCUMENTS = st.one_of(
    st.fixed_dictionaries({"group": GROUPS}, optional={"reps": REPS | VALUES, "maps": MAPS | VALUES}),
    VALUES,
    st.dictionaries(st.text(max_size=4), VALUES, max_size=2),
)


@settings(max_examples=400)
@given(DOCUMENTS)
def test_any_data_is_read_or_refused(document: Any) -> None:
    try:
        message = f"a.toml: {type(read(document, 'a.toml')).__name__}"
    except rc.SpecError as error:
        message = str(error)
    assert message.startswith("a.toml: ")
    assert message.isprintable()


@settings(max_examples=100)
@given(
    st.binary(max_size=40) | st.text(max_size=40).map(lambda t: t.encode("utf-8", "replace")), st.sampled_from(["toml", "json"])
)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"bytes.{suffix}"
    path.write_bytes(data)
    with pytest.raises(rc.SpecError):
        rc.load(path)


def _deep(depth: int, table: bool) -> Any:
    data: Any = 1
    for _ in range(depth):
        data = {"a": data} if table else [data]
    return data


@pytest.mark.parametrize("table", [False, True], ids=["lists", "tables"])
@pytest.mark.parametrize("depth", [5, 60, 900, 10**5])
def test_deep_data_anywhere(depth: int, table: bool) -> None:
    data = _deep(depth, table)
    documents = [data, {"group": data}, *({"group": {k: v}} for k in GROUP_KEYS for v in (data, [data]))]
    group = {"builtin": "dihedral(4)"}
    documents += [{"group": group, "reps": data}, {"group": group, "maps": data}, {"group": group, "maps": {"m": data}}]
    documents += [{"group": group, "reps": {"X": {k: v}}} for k in REP_KEYS for v in (data, [data])]
    documents += [{"group": group, "reps": {"X": {"tensors": "ij=ji", "of": v}}} for v in (data, [data], {"i": data})]
    documents += [
        {"group": group, "reps": {"X": {k: "V", "of": group, "reps": v}}}
        for k in ("restrict", "induced")
        for v in (data, [data], {"Y": data})
    ]
    for document in documents:
        with pytest.raises(rc.SpecError, match=r"^a\.toml: "):
            read(document, "a.toml")


@pytest.mark.parametrize("key", GROUP_KEYS)
def test_long_texts_and_integers_anywhere(key: str) -> None:
    for value in ("x" * 10**6, "(" * 10**6, "(0 1)" * 10**5, "9" * 10**6, 16**5000, -(16**5000), [16**5000], [["x" * 10**6]]):
        with pytest.raises(rc.SpecError, match=r"^a\.toml: group") as caught:
            read({"group": {key: value}}, "a.toml")
        assert len(str(caught.value)) < 400
