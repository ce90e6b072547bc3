"""Representations declared by images: right ones are proved, wrong ones are refused with the relation they break."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.exact.matrix import identity, kron
from repcore.reps.action import discrete_image, lie_image
from repcore.reps.check import _power

A = [[0, -1], [1, 0]]
E, F, H = [[0, 1], [0, 0]], [[0, 0], [1, 0]], [[1, 0], [0, -1]]

RIGHT: list[tuple[Any, dict[str, Any]]] = [
    (rc.cyclic(4), {"discrete": [[[-1]]]}),
    (rc.cyclic(4), {"discrete": [[["I"]]]}),
    (rc.cyclic(12), {"discrete": [[["zeta(12)", 0], [0, "zeta(4)"]]]}),
    (rc.symmetric(3), {"discrete": [[[-1]], [[1]]]}),
    (rc.symmetric(3), {"discrete": [[[-1, 1], [0, 1]], [[0, -1], [1, -1]]]}),
    (rc.dihedral(3), {"discrete": [[[0, 0, 1], [1, 0, 0], [0, 1, 0]], [[1, 0, 0], [0, 0, 1], [0, 1, 0]]]}),
    (rc.quaternion(), {"discrete": [[["I", 0], [0, "-I"]], [[0, -1], [1, 0]]]}),
    (rc.Group([A, A]), {"discrete": [[[-1]], [[-1]]]}),
    (rc.cyclic(2) @ rc.cyclic(3), {"discrete": [[[-1]], [["zeta(3)"]]]}),
    (
        rc.Group(lie=[E, F, H]),
        {"lie": [[[0, 2, 0], [0, 0, 1], [0, 0, 0]], [[0, 0, 0], [1, 0, 0], [0, 2, 0]], [[2, 0, 0], [0, 0, 0], [0, 0, -2]]]},
    ),
    (rc.SO(3), {"lie": [[[0]], [[0]], [[0]]]}),
    (rc.Group(lie=[E, F, H, E]), {"lie": [E, F, H, E]}),
    (rc.Group(lie=[A, [[0, -2], [2, 0]]]), {"lie": [[[0, -3], [3, 0]], [[0, -6], [6, 0]]]}),
    (rc.scaling(2), {"lie": [[[5]]]}),
]


@pytest.mark.parametrize(("group", "images"), RIGHT, ids=[f"{g}: {i}"[:60] for g, i in RIGHT])
def test_right_images_are_proved(group: Any, images: dict[str, Any]) -> None:
    rep = rc.Rep(group, **images)
    assert rep.checked == "proved"
    for m, given in zip(rep.matrices, [*images.get("discrete", []), *images.get("lie", [])], strict=True):
        assert m == rc.matrix(given)


WRONG: list[tuple[str, Any, dict[str, Any], str]] = [
    ("order", rc.cyclic(4), {"discrete": [[["zeta(3)"]]]}, "discrete"),
    ("infinite order", rc.cyclic(4), {"discrete": [[[1, 1], [0, 1]]]}, "discrete"),
    ("scaled", rc.cyclic(4), {"discrete": [[[0, -2], [2, 0]]]}, "discrete"),
    ("product of two", rc.dihedral(4), {"discrete": [[["I"]], [[1]]]}, "discrete"),
    ("three generators", rc.symmetric(4), {"discrete": [[[1]], [[-1]]]}, "discrete"),
    ("commute", rc.cyclic(2) @ rc.cyclic(2), {"discrete": [[[1, 0], [0, -1]], [[0, 1], [1, 0]]]}, "discrete"),
    ("equal generators", rc.Group([A, A]), {"discrete": [[[1]], [[-1]]]}, "discrete"),
    ("identity", rc.Group([identity(2)]), {"discrete": [[[-1]]]}, "discrete"),
    ("transposed", rc.quaternion(), {"discrete": [g.T for g in rc.octahedral().discrete]}, "discrete"),
    ("large group, order", rc.symmetric(12), {"discrete": [[["zeta(5)"]], [[1]]]}, "discrete"),
    ("large group, product", rc.symmetric(9), {"discrete": [[[-1]], [[-1]]]}, "discrete"),
    ("bracket", rc.SO(3), {"lie": [[[1]], [[0]], [[0]]]}, "lie"),
    ("bracket sign", rc.SO(3), {"lie": [a.T for a in rc.SO(3).lie]}, "lie"),
    ("bracket scale", rc.SL(2), {"lie": [a * 2 for a in rc.SL(2).lie]}, "lie"),
    ("swapped", rc.SL(2), {"lie": [H, F, E]}, "lie"),
    ("repeated", rc.Group(lie=[A, A]), {"lie": [A, [[0, -2], [2, 0]]]}, "lie"),
    ("multiple", rc.Group(lie=[A, [[0, -2], [2, 0]]]), {"lie": [A, [[0, -5], [5, 0]]]}, "lie"),
    ("zero", rc.Group(lie=[[[0, 0], [0, 0]]]), {"lie": [[[1]]]}, "lie"),
    ("reflection", rc.O(2), {"discrete": [[[1]]], "lie": [[[1]]]}, "discrete"),
    ("reflection of a plane", rc.O(2), {"discrete": [identity(2)], "lie": [A]}, "discrete"),
    ("count", rc.dihedral(4), {"discrete": [[[1]]]}, "discrete: 1 images for 2 generators"),
    ("count of lie", rc.O(2), {"discrete": [[[1]]]}, "lie: 0 images for 1 generators"),
    ("none", rc.dihedral(4), {}, "discrete: 0 images for 2"),
    ("sizes", rc.dihedral(4), {"discrete": [[[1]], identity(2)]}, r"discrete\[1\]"),
    ("not square", rc.cyclic(4), {"discrete": [[[1, 0]]]}, r"discrete\[0\]"),
    ("singular", rc.cyclic(4), {"discrete": [[[1, 1], [1, 1]]]}, r"discrete\[0\].*singular"),
    ("singular zero", rc.cyclic(4), {"discrete": [[[0]]]}, r"discrete\[0\].*singular"),
    ("no generators", rc.Group(dim=2), {}, "no generators"),
]


@pytest.mark.parametrize(("group", "images", "place"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_images_are_refused(group: Any, images: dict[str, Any], place: str) -> None:
    with pytest.raises(rc.RepresentationError, match=place):
        rc.Rep(group, **images)


def test_transposing_a_commutative_image_is_allowed() -> None:
    assert rc.Rep(rc.cyclic(4), [rc.cyclic(4).discrete[0].T]).checked == "proved"


@pytest.mark.parametrize(
    ("images", "error", "place"),
    [
        ({"discrete": [[[0.5]]]}, rc.NumberError, r"discrete\[0\]\[0\]\[0\]"),
        ({"discrete": [[[float("nan")]]]}, rc.NumberError, r"discrete\[0\]\[0\]\[0\]"),
        ({"discrete": [[[1, 2], [3]]]}, rc.DeclarationError, r"discrete\[0\]\[1\]"),
        ({"discrete": [[1]]}, rc.DeclarationError, r"discrete\[0\]"),
        ({"discrete": ["x"]}, rc.DeclarationError, r"discrete\[0\]"),
    ],
)
def test_images_follow_the_grammar_of_numbers(images: dict[str, Any], error: type[Exception], place: str) -> None:
    with pytest.raises(error, match=place):
        rc.Rep(rc.cyclic(4), **images)


def test_what_cannot_be_decided_is_said() -> None:
    big = rc.Rep(rc.symmetric(12), discrete=[[[-1]], [[-1]]])
    assert big.checked != "proved"
    assert big.checked.startswith("unchecked: relations")
    shear = rc.Group([[[1, 1], [0, 1]]])
    assert rc.Rep(shear, [[[2]]]).checked.startswith("unchecked")
    # One rotation generator and its conjugate do not span so(3): their bracket leaves the span.
    two = rc.Group(lie=rc.SO(3).lie[:2])
    assert rc.Rep(two, lie=rc.SO(3).lie[:2]).checked.startswith("unchecked: some brackets")


def test_discrete_elements_of_the_identity_component_are_not_called_proved() -> None:
    # A = exp(pi/2 A) acts as exp of the image, which is 1; -1 is no representation.
    group = rc.Group(discrete=[A], lie=[A])
    try:
        rep = rc.Rep(group, discrete=[[[-1]]], lie=[[[0]]])
    except rc.RepresentationError:
        return
    assert rep.checked != "proved"


def test_spinors_are_representations_of_the_algebra() -> None:
    # [lie_0, lie_1] of SO(3) as Pauli matrices over 2i, in the order of the generators.
    paulis = {
        "x": rc.matrix([[0, 1], [1, 0]]),
        "y": rc.matrix([[0, "-I"], ["I", 0]]),
        "z": rc.matrix([[1, 0], [0, -1]]),
    }
    half = rc.number("1/(2*I)")
    # generators turn (0, 1), (0, 2), (1, 2): z, -y, x.
    spin = rc.Rep(rc.SO(3), lie=[paulis["z"] * half, paulis["y"] * -half, paulis["x"] * half], name="1/2")
    assert spin.dim == 2
    assert rc.solve(spin * spin >> rc.SO(3).rep, store=None).dim == 1
    assert rc.solve(spin >> spin, store=None).dim == 1


def test_images_of_other_elements() -> None:
    sign = rc.Rep(rc.symmetric(4), discrete=[[[-1]], [[-1]]])
    for g in rc.alternating(4).discrete:
        assert discrete_image(sign, g).tolist() == [[1]]
    assert discrete_image(sign, rc.PermutationGroup(["(2 3)"]).discrete[0]).tolist() == [[-1]]
    with pytest.raises(rc.RepresentationError, match="not an element"):
        discrete_image(sign, -identity(4))
    spin3 = rc.Rep(rc.SO(2), lie=[[[0, -3], [3, 0]]])
    assert lie_image(spin3, rc.SO(2).lie[0] * 5).tolist() == [[0, -15], [15, 0]]
    with pytest.raises(rc.RepresentationError, match="rational combination"):
        lie_image(spin3, identity(2))


def test_label_and_digest() -> None:
    one = rc.Rep(rc.dihedral(4), [[[-1]], [[1]]], name="a")
    two = rc.Rep(rc.dihedral(4), [np.array([[-1]]), [["1"]]], name="b")
    assert str(one) == "a"
    assert one == two
    assert one.digest == two.digest
    s, t = rc.dihedral(4).discrete
    swapped = rc.Rep(rc.Group([t, s]), [[[1]], [[-1]]])
    assert swapped.digest == one.digest
    assert swapped != one
    assert rc.Rep(rc.dihedral(4), [[[1]], [[-1]]]).digest != one.digest


def test_declared_defining_representation_solves_like_the_defining_one() -> None:
    G = rc.octahedral()
    U = rc.Rep(G, G.discrete)
    V = G.rep
    for x, y in ((U, V), (V * V, U * U), (V * V * V, U)):
        assert rc.solve(x >> y, store=None).dim == rc.solve(U * 0 + x >> y, store=None).dim
    assert list(rc.solve(U * U >> U, store=None)) == list(rc.solve(V * V >> V, store=None))
    L = rc.O(3)
    W = rc.Rep(L, L.discrete, L.lie)
    assert list(rc.solve(W * W >> W * W, store=None)) == list(rc.solve(L.rep**2 >> L.rep**2, store=None))
    assert kron(W.matrix(0), W.matrix(0)) == (W * W).matrix(0)


def test_powers_of_a_matrix() -> None:
    turn = rc.matrix([[0, -1], [1, -1]])
    assert [_power(turn, k) for k in (1, 2, 3, 4)] == [turn, turn @ turn, identity(2), turn]
    with pytest.raises(ValueError, match="must be positive"):
        _power(turn, 0)
