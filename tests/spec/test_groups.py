"""The table [group]: every way to say which group, and what is said when none is."""

from __future__ import annotations

from typing import Any

import pytest

import repcore as rc
from repcore.spec.reading import read

BUILTINS: dict[str, rc.Group] = {
    "GL(2)": rc.GL(2),
    "O(3)": rc.O(3),
    "SL(3)": rc.SL(3),
    "SO(3)": rc.SO(3),
    "SU(2)": rc.SU(2),
    "Sp(4)": rc.Sp(4),
    "U(2)": rc.U(2),
    "affine(2)": rc.affine(2),
    "alternating(4)": rc.alternating(4),
    "E(2)": rc.E(2),
    "SE(3)": rc.SE(3),
    "translations(2)": rc.translations(2),
    "hyperoctahedral(3)": rc.hyperoctahedral(3),
    "scaling(2)": rc.scaling(2),
    "symmetric(5)": rc.symmetric(5),
    "cyclic(6)": rc.cyclic(6),
    "dihedral(4)": rc.dihedral(4),
    "quaternion": rc.quaternion(),
    "quaternion()": rc.quaternion(),
    "quaternion(16)": rc.quaternion(16),
    "icosahedral": rc.icosahedral(),
    "icosahedral(full)": rc.icosahedral(full=True),
    "lorentz()": rc.lorentz(),
    "lorentz(full=True)": rc.lorentz(full=True),
    "octahedral": rc.octahedral(),
    "octahedral(full)": rc.octahedral(full=True),
    "tetrahedral()": rc.tetrahedral(),
    "tetrahedral( full = true )": rc.tetrahedral(full=True),
}
ROTATION = [[0, -1], [1, 0]]
FLIP = [[1, 0], [0, -1]]


def group(table: object) -> rc.Group:
    return read({"group": table}, "a.toml").group


@pytest.mark.parametrize("text", BUILTINS)
def test_builtin(text: str) -> None:
    found = group({"builtin": text})
    assert found == BUILTINS[text]
    assert str(found) == str(BUILTINS[text])
    assert repr(found) == repr(BUILTINS[text])


def test_every_named_group_of_the_package_is_a_builtin() -> None:
    from repcore.groups import named
    from repcore.spec.groups import _BUILTINS

    made = {n for n, f in vars(named).items() if callable(f) and not n.startswith("_") and f.__module__ == named.__name__}
    public = made & set(rc.__all__)
    assert public == set(_BUILTINS)
    assert {t.partition("(")[0] for t in BUILTINS} == public


def test_a_builtin_takes_a_label_and_the_right_size() -> None:
    found = group({"builtin": "SO(3)", "name": "turns", "dim": 3})
    assert found == rc.SO(3)
    assert str(found) == "turns"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"permutations": ["(0 1 2)", [1, 0, 2]]}, rc.PermutationGroup([[1, 2, 0], [1, 0, 2]])),
        ({"permutations": ["(0 1)(2 3)"]}, rc.PermutationGroup([[1, 0, 3, 2]])),
        ({"permutations": ["(0 1)"], "dim": 4}, rc.PermutationGroup(["(0 1)"], degree=4)),
        ({"permutations": [], "dim": 3}, rc.PermutationGroup([], degree=3)),
        ({"discrete": [ROTATION, FLIP]}, rc.dihedral(4)),
        ({"discrete": [[["0", "-1"], ["2/2", 0]], FLIP]}, rc.dihedral(4)),
        ({"lie": [ROTATION]}, rc.SO(2)),
        ({"discrete": [FLIP], "lie": [ROTATION]}, rc.Group([FLIP], [ROTATION])),
        ({"discrete": [[["cos(2*pi/3)", "-sin(2*pi/3)"], ["sqrt(3)/2", "-1/2"]]]}, rc.cyclic(3)),
        ({"discrete": [[["zeta(8)"]]]}, rc.Group([[["zeta(8)"]]])),
        ({"dim": 4}, rc.Group(dim=4)),
        ({"product": ["SO(3)"]}, rc.SO(3)),
        ({"product": ["SO(3)", {"permutations": ["(0 1)"]}]}, rc.direct_product(rc.SO(3), rc.PermutationGroup(["(0 1)"]))),
        ({"product": ["SO(3)", {"lie": [ROTATION]}], "name": "both"}, rc.SO(3) @ rc.SO(2)),
        ({"product": [{"product": ["SO(3)", "cyclic(2)"]}, "SO(2)"]}, rc.direct_product(rc.SO(3), rc.cyclic(2), rc.SO(2))),
    ],
    ids=str,
)
def test_generators(table: dict[str, Any], expected: rc.Group) -> None:
    found = group(table)
    assert found == expected
    assert found.dim == expected.dim
    if "name" in table:
        assert str(found) == table["name"]


def test_a_product_keeps_its_factors() -> None:
    found = group({"product": ["octahedral(full)", {"permutations": ["(0 1 2)", "(0 1)"], "name": "three"}]})
    assert [str(f) for f in found.factors] == ["Oh", "three"]
    assert found.factors == (rc.octahedral(full=True), rc.PermutationGroup(["(0 1 2)", "(0 1)"]))


def test_cycles_and_images_count_from_zero_and_agree() -> None:
    # (0 1 2): 0 -> 1 -> 2 -> 0; the column of a point has its one in the row of its image.
    (by_cycle,) = group({"permutations": ["(0 1 2)"]}).discrete
    (by_images,) = group({"permutations": [[1, 2, 0]]}).discrete
    assert by_cycle == by_images
    assert by_cycle.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


ONE = [[1, 0], [0, 1]]
MISTAKES: list[tuple[Any, list[str]]] = [
    (3, ["a.toml: group: expected a table"]),
    ([{"builtin": "SO(3)"}], ["a.toml: group: expected a table", "a list"]),
    ({}, ["a.toml: group: does not say which group", "builtin", "dim = n"]),
    ({"builtn": "SO(3)"}, ["a.toml: group: the key 'builtn' is unknown; did you mean 'builtin'?"]),
    ({"builtin": "SO(3)", "discrete": []}, ["a.toml: group: has both builtin and discrete", "keep one"]),
    ({"permutations": [], "product": []}, ["a.toml: group: has both permutations and product"]),
    ({"dim": True}, ["a.toml: group.dim: expected an integer from 1", "got True"]),
    ({"dim": 2.0}, ["a.toml: group.dim: expected an integer from 1", "got 2.0"]),
    ({"dim": 0}, ["a.toml: group.dim:", "got 0"]),
    ({"dim": 100_001}, ["a.toml: group.dim:", "to 100000"]),
    ({"builtin": "SO(3)", "dim": 4}, ["a.toml: group.dim: is 4, but builtin gives matrices of size 3", "leave dim out"]),
    ({"builtin": "SO(3)", "name": 3}, ["a.toml: group.name: expected a text", "got 3"]),
    ({"builtin": "SO(3)", "name": "two\nlines"}, ["a.toml: group.name: expected a text of one line"]),
    ({"builtin": "SO(3)", "name": "\x1b[31mred"}, ["a.toml: group.name:", "cannot be printed"]),
    ({"builtin": "SO(3)", "name": "\ud800"}, ["a.toml: group.name:", "cannot be printed"]),
    ({"builtin": 3}, ["a.toml: group.builtin: expected a text", "got 3"]),
    ({"builtin": ["SO(3)"]}, ["a.toml: group.builtin: expected a text", "got a list"]),
    ({"builtin": "dihedrel(4)"}, ["a.toml: group.builtin: no group is called 'dihedrel'; did you mean 'dihedral'"]),
    ({"builtin": "D4"}, ["a.toml: group.builtin: no group is called 'D4'; did you mean 'dihedral(4)'?"]),
    ({"builtin": "named"}, ["a.toml: group.builtin: no group is called 'named'"]),
    ({"builtin": "__import__(1)"}, ["a.toml: group.builtin: no group is called '__import__'"]),
    ({"builtin": "__import__('os')"}, ["a.toml: group.builtin: cannot read", "position 11"]),
    ({"builtin": "SO(3) + SO(3)"}, ["a.toml: group.builtin:", "is not the name of a group"]),
    ({"builtin": "SO"}, ["a.toml: group.builtin: SO takes one integer, as in \"SO(4)\"; got 'SO'"]),
    ({"builtin": "SO(-3)"}, ["a.toml: group.builtin: SO takes one integer"]),
    ({"builtin": "SO(3.0)"}, ["a.toml: group.builtin: SO takes one integer"]),
    ({"builtin": "SO(2, 3)"}, ["a.toml: group.builtin: SO takes one integer"]),
    ({"builtin": "SO(0)"}, ["a.toml: group.builtin:", "n >= 2", "got 0"]),
    ({"builtin": "SO(65)"}, ["a.toml: group.builtin:", "up to n = 64", "in Python"]),
    ({"builtin": "symmetric(1000000)"}, ["a.toml: group.builtin:", "up to n = 10000"]),
    ({"builtin": "lorentz(half)"}, ['a.toml: group.builtin: write "lorentz" or "lorentz(full)", not \'lorentz(half)\'']),
    ({"builtin": "octahedral(3)"}, ['a.toml: group.builtin: write "octahedral"']),
    ({"discrete": ROTATION}, ["a.toml: group: discrete[0]"]),
    ({"discrete": 3}, ["a.toml: group.discrete: expected a list, got 3"]),
    ({"discrete": {"a": 1}}, ["a.toml: group.discrete: expected a list, got a table"]),
    ({"lie": "SO(3)"}, ["a.toml: group.lie: expected a list"]),
    ({"discrete": [], "lie": []}, ["a.toml: group: discrete, lie:", "dim"]),
    ({"discrete": [ONE, [[1, 0], [0, "1 +"]]]}, ["a.toml: group: discrete[1][1][1]: cannot read '1 +': at position 3"]),
    ({"discrete": [ONE, [[1, 0, 0.5], [0, 1, 0], [0, 0, 1]]]}, ["a.toml: group: discrete[1][0][2]:", 'write the string "1/2"']),
    ({"lie": [[[0, float("nan")], [0, 0]]]}, ["a.toml: group: lie[0][0][1]: nan is no number"]),
    ({"lie": [[[0, 0], [float("inf"), 0]]]}, ["a.toml: group: lie[0][1][0]: inf is no number"]),
    ({"lie": [[[0, 0], ["nan", 0]]]}, ["a.toml: group: lie[0][1][0]:", "'nan' is unknown"]),
    ({"lie": [[[0, 0], ["1/0", 0]]]}, ["a.toml: group: lie[0][1][0]:", "1/0"]),
    ({"lie": [[[0, 0], [True, 0]]]}, ["a.toml: group: lie[0][1][0]:", "True"]),
    ({"lie": [[[0, None], [0, 0]]]}, ["a.toml: group: lie[0][0][1]:"]),
    ({"lie": [[[0, [1]], [0, 0]]]}, ["a.toml: group: lie[0][0][1]"]),
    ({"lie": [[["__import__", 0], [0, 0]]]}, ["a.toml: group: lie[0][0][0]:", "'__import__' is unknown"]),
    ({"lie": [[["squrt(2)", 0], [0, 0]]]}, ["a.toml: group: lie[0][0][0]:", "squrt", "sqrt"]),
    ({"discrete": [ONE, [[1, 0], [0]]]}, ["a.toml: group: discrete[1][1]: this row has 1 entries and row 0 has 2"]),
    ({"discrete": [ONE, [[1, 0, 0], [0, 1, 0]]]}, ["a.toml: group: discrete[1]:"]),
    ({"discrete": [ONE, [[1, 2], [2, 4]]]}, ["a.toml: group: discrete[1]:"]),
    ({"discrete": [ONE, [[1]]]}, ["a.toml: group: discrete[1]:"]),
    ({"discrete": [ONE], "dim": 3}, ["a.toml: group: ", "dim"]),
    ({"discrete": [[["9" * 201]]]}, ["a.toml: group: discrete[0][0][0]:", "more than 200 digits"]),
    ({"discrete": [[[16**4000]]]}, ["a.toml: group.discrete[0][0][0]: the integer has more than 1000 digits"]),
    ({"discrete": [[["x" * 10**6]]]}, ["a.toml: group: discrete[0][0][0]:", "1000000 characters"]),
    ({"permutations": ["(0 1"]}, ["a.toml: group.permutations:", "[0]: '(0 1' is not a product of cycles"]),
    ({"permutations": ["(0 1)", "(0 1)(1 2)"]}, ["a.toml: group.permutations:", "[1]: point 1 stands twice"]),
    ({"permutations": [[0, 1], [0, 0]]}, ["a.toml: group.permutations:", "[1]:", "counted from 0"]),
    ({"permutations": [[1, 2]]}, ["a.toml: group.permutations:", "counted from 0"]),
    ({"permutations": [["a", 0]]}, ["a.toml: group.permutations[0][0]: points are", "'a'"]),
    ({"permutations": [[1.0, 0]]}, ["a.toml: group.permutations[0][0]: points are", "1.0"]),
    ({"permutations": [[True, False]]}, ["a.toml: group.permutations[0][0]: points are", "True"]),
    ({"permutations": ["(0 1)", 5]}, ["a.toml: group.permutations[1]: expected cycles", "got 5"]),
    ({"permutations": "(0 1)"}, ["a.toml: group.permutations: expected a list, got '(0 1)'"]),
    ({"permutations": []}, ["a.toml: group.permutations:", "degree"]),
    ({"permutations": ["(0 1 4)"], "dim": 3}, ["a.toml: group.permutations:", "4"]),
    ({"permutations": ["(0 99999999999999999999)"]}, ["a.toml: group.permutations:", "up to 100000 points"]),
    ({"product": []}, ["a.toml: group.product: a product has factors"]),
    ({"product": "SO(3)"}, ["a.toml: group.product: expected a list"]),
    ({"product": ["SO(3)", 3]}, ["a.toml: group.product[1]: expected a table, got 3"]),
    ({"product": ["SO(3)", "dihedral(x)"]}, ["a.toml: group.product[1]: dihedral takes one integer"]),
    ({"product": ["SO(3)", {"discrete": [[[1, 0, 0.5]]]}]}, ["a.toml: group.product[1]: discrete[0][0][2]:", '"1/2"']),
    ({"product": ["SO(3)", {"buitin": "SO(3)"}]}, ["a.toml: group.product[1]: the key 'buitin'", "'builtin'"]),
    ({"product": ["symmetric(10000)"] * 11}, ["a.toml: group.product:", "larger than 100000"]),
]


@pytest.mark.parametrize(("table", "parts"), MISTAKES, ids=[f"{i}" for i in range(len(MISTAKES))])
def test_a_mistake_is_named_with_its_place(table: object, parts: list[str]) -> None:
    with pytest.raises(rc.SpecError) as caught:
        group(table)
    message = str(caught.value)
    assert message.startswith(parts[0])
    for part in parts:
        assert part in message
    assert "\n" not in message
    assert len(message) < 400


def test_products_are_not_nested_without_end() -> None:
    table: dict[str, Any] = {"builtin": "cyclic(2)"}
    for _ in range(12):
        table = {"product": [table]}
    with pytest.raises(
        rc.SpecError, match=r"^a\.toml: group\.product\[0\].*nested too deeply; a product of products is one product"
    ):
        group(table)
