"""Tensors with an index symmetry, against the definition and against the tables of crystal physics."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from itertools import permutations, product
from math import comb, prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.exact.matrix import Matrix, identity, inverse, kron, zeros
from repcore.reps import tensors as module
from repcore.reps.action import discrete_image, lie_image
from repcore.reps.formula import parse_formula
from repcore.reps.tensors import Tensors
from repcore.store.encode import decode_rep, encode_rep

FORMULAS = [
    "i",
    "ij",
    "ij=ji",
    "ij=-ji",
    "-ij=ji",
    "ijk=jik",
    "ijk=kji",
    "ijk=-kji",
    "ijk=jki",
    "ijk=jik=kji",
    "ijk=-jik=-kji",
    "ijk=jik=-ikj",
    "ij=ji=-ji",
    "ijkl=jilk",
    "ijkl=-klij",
    "ijkl=jikl=-ijlk",
    "ijkl=-jikl=-ijlk=klij",
    "ijkl=jikl=ijlk=klij",
    "ijkl=-jkli",
    "ijkl=jikl=ijlk=-klij",
]


def terms(formula: str) -> list[tuple[int, str]]:
    """The formula as anyone reads it, by other code than the parser's."""
    return [(-1 if t.startswith("-") else 1, t.lstrip("-")) for t in formula.split("=")]


def obeys(tensor: np.ndarray[Any, Any], formula: str) -> bool:
    """Whether sign * T[...] is the same for all terms, by einsum on the index letters themselves."""
    (first, letters), *others = terms(formula)
    # Component [i, j, k] of the array with axes `word` is T at the indices in the order of `word`.
    return all(
        np.array_equal(first * tensor, sign * np.einsum(f"{letters}->{''.join(letters[word.index(x)] for x in letters)}", tensor))
        for sign, word in others
    )


def tuples_that_survive(n: int, formula: str) -> list[tuple[int, ...]]:
    """The least tuples of the orbits without a clash, by walking over single tuples."""
    (first, letters), *others = terms(formula)
    survivors = []
    seen: set[tuple[int, ...]] = set()
    for start in product(range(n), repeat=len(letters)):
        if start in seen:
            continue
        weight, stack, clash = {start: 1}, [start], False
        while stack:
            t = stack.pop()
            value = dict(zip(letters, t, strict=True))
            for sign, word in others:
                u = tuple(value[x] for x in word)
                w = weight[t] * first * sign
                if weight.setdefault(u, w) != w:
                    clash = True
                if u not in seen:
                    seen.add(u)
                    stack.append(u)
        seen.add(start)
        if not clash:
            survivors.append(start)
    return survivors


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("formula", FORMULAS)
def test_space_is_the_definition(formula: str, n: int) -> None:
    rep = rc.tensors(rc.symmetric(n).rep if n > 1 else rc.Group(dim=1).rep, formula)
    maps = rc.tensor_maps(rep)
    k = len(terms(formula)[0][1])
    assert maps.shape == (n,) * k
    least = tuples_that_survive(n, formula)
    assert rep.dim == len(least)
    assert maps.into.shape == (n**k, rep.dim)
    into = maps.into.to_numpy().reshape(*maps.shape, rep.dim)
    for i, t in enumerate(least):
        column = into[..., i]
        assert obeys(column, formula)
        # The basis is numbered by the least tuples, which stand first.
        assert tuple(np.argwhere(column)[0].tolist()) == t
        assert column[t] > 0
    assert (maps.onto @ maps.into).is_identity
    projector = maps.into @ maps.onto
    assert projector == projector.T
    assert projector @ projector == projector


def test_obeys_can_fail() -> None:
    T = np.arange(8).reshape(2, 2, 2)
    assert obeys(T, "ijk")
    assert not obeys(T, "ijk=jik")
    assert obeys(T + T.transpose(1, 0, 2), "ijk=jik")
    assert not obeys(T + T.transpose(1, 0, 2), "ijk=kji")
    assert obeys(T - T.transpose(2, 1, 0), "ijk=-kji")


GROUPS: list[Any] = [
    rc.symmetric(3),
    rc.dihedral(3),
    rc.quaternion(),
    rc.Group([[["sqrt(2)/2", "-sqrt(2)/2"], ["sqrt(2)/2", "sqrt(2)/2"]]]),
    rc.Group([[[1, 2], [0, -1]]]),
    rc.SO(3),
    rc.O(2),
    rc.SL(2),
    rc.affine(1),
    rc.U(2),
]


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("formula", FORMULAS)
def test_group_acts_as_on_the_tensor_product(group: Any, formula: str) -> None:
    V = group.rep
    k = len(terms(formula)[0][1])
    rep = rc.tensors(V, formula)
    maps = rc.tensor_maps(rep)
    whole = V**k
    for shown, on_tensors in zip(rep.matrices, whole.matrices, strict=True):
        assert on_tensors @ maps.into == maps.into @ shown
        assert maps.onto @ on_tensors == shown @ maps.onto


@pytest.mark.parametrize("formula", [f for f in FORMULAS if len(terms(f)[0][1]) > 2])
def test_laws_of_a_representation(formula: str) -> None:
    for group in (rc.dihedral(3), rc.Group([[[1, 2], [0, -1]], [["1/2", 0], [0, 3]]])):
        rep = rc.tensors(group.rep, formula)
        g, h = group.discrete
        assert discrete_image(rep, g @ h) == discrete_image(rep, g) @ discrete_image(rep, h)
        assert discrete_image(rep, inverse(g)) == inverse(discrete_image(rep, g))
        assert discrete_image(rep, identity(2)) == identity(rep.dim)
    rep = rc.tensors(rc.SL(2).rep, formula)
    for a, b in permutations(rc.SL(2).lie, 2):
        x, y = lie_image(rep, a), lie_image(rep, b)
        assert lie_image(rep, a @ b - b @ a) == x @ y - y @ x
    assert lie_image(rep, zeros((2, 2))) == zeros((rep.dim, rep.dim))


@pytest.mark.parametrize("group", GROUPS[:6], ids=str)
@pytest.mark.parametrize("k", [2, 3, 4])
def test_full_symmetries_are_the_powers(group: Any, k: int) -> None:
    V = group.rep
    letters = "ijkl"[:k]
    exchange, turn = letters[1] + letters[0] + letters[2:], letters[1:] + letters[0]
    even = "" if k % 2 else "-"
    symmetric, alternating = f"{letters}={exchange}={turn}", f"{letters}=-{exchange}={even}{turn}"
    assert rc.tensors(V, symmetric) == V.sym(k)
    assert rc.tensors(V, alternating) == V.alt(k)
    # The node itself, which is not used for these formulas, has the same matrices.
    for formula, power in ((symmetric, V.sym(k)), (alternating, V.alt(k))):
        node = Tensors(group, (V,) * k, formula)
        assert node.dim == power.dim
        assert node.matrices == power.matrices


def test_stretches_are_products_of_powers() -> None:
    V = rc.dihedral(3).rep
    W = V.sym(2)
    assert rc.tensors(V, "ij") == V**2
    assert rc.tensors(V, "i") == V
    assert rc.tensors(V, "ijk=jik") == V.sym(2) * V
    assert rc.tensors(V, "ijk=-ikj") == V * V.alt(2)
    assert rc.tensors(V, "ijklm=jiklm=-ijlkm=-ijkml") == V.sym(2) * V.alt(3)
    assert rc.tensors({"a": V, "b": V, "x": W}, "abx=-bax") == V.alt(2) * W
    for formula, power in (("ijk=jik", V.sym(2) * V), ("ijk=-ikj", V * V.alt(2))):
        assert Tensors(V.group, (V,) * 3, formula).matrices == power.matrices
    assert rc.tensor_maps(V.sym(2) * W.sym(2)).shape == (2, 2, 3, 3)
    # A symmetric group of positions that are no neighbours is another thing.
    assert isinstance(rc.tensors(V, "ijk=kji"), Tensors)
    assert isinstance(rc.tensors(V, "ijkl=jilk"), Tensors)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_curvature(n: int) -> None:
    """Symmetric matrices on bivectors; the Bianchi identity takes away the totally antisymmetric part."""
    V = rc.symmetric(n).rep
    pairs = comb(n, 2)
    rep = rc.tensors(V, "ijkl=-jikl=-ijlk=klij")
    assert rep.dim == pairs * (pairs + 1) // 2
    assert rep.dim - V.alt(4).dim == n**2 * (n**2 - 1) // 12


def test_bianchi_by_schur() -> None:
    """Without the identity the curvature of GL(4) is two irreps, one of them the volume forms."""
    V = rc.GL(4).rep
    rep = rc.tensors(V, "ijkl=-jikl=-ijlk=klij")
    assert rc.solve(rep >> rep, store=None).dim == 2
    assert rc.solve(rep >> V.alt(4), store=None).dim == 1
    # Under SO(4): scalar, traceless Ricci, two halves of Weyl, and the volume form once more a scalar.
    S = rc.SO(4).rep
    rep = rc.tensors(S, "ijkl=-jikl=-ijlk=klij")
    assert rc.invariants(rep, store=None).dim == 2


# ------------------------------------------------------------------------------------------------- crystals (Nye, 1957)

C3 = [["-1/2", "-sqrt(3)/2", 0], ["sqrt(3)/2", "-1/2", 0], [0, 0, 1]]
C4 = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
C6 = [["1/2", "-sqrt(3)/2", 0], ["sqrt(3)/2", "1/2", 0], [0, 0, 1]]
C2Z = [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]
C2X = [[1, 0, 0], [0, -1, 0], [0, 0, -1]]
MX = [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]
MZ = [[1, 0, 0], [0, 1, 0], [0, 0, -1]]
S4 = [[0, 1, 0], [-1, 0, 0], [0, 0, -1]]
CUBE = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
DIAGONAL = [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
ROUND_Z = [[0, -1, 0], [1, 0, 0], [0, 0, 0]]

CLASSES: dict[str, Any] = {
    "1": rc.Group(dim=3),
    "2": rc.Group([C2Z]),
    "m": rc.Group([MZ]),
    "222": rc.Group([C2Z, C2X]),
    "mm2": rc.Group([C2Z, MX]),
    "4": rc.Group([C4]),
    "-4": rc.Group([S4]),
    "422": rc.Group([C4, C2X]),
    "4mm": rc.Group([C4, MX]),
    "-42m": rc.Group([S4, C2X]),
    "3": rc.Group([C3]),
    "32": rc.Group([C3, C2X]),
    "3m": rc.Group([C3, MX]),
    "6": rc.Group([C6]),
    "-6": rc.Group([C3, MZ]),
    "622": rc.Group([C6, C2X]),
    "6mm": rc.Group([C6, MX]),
    "-6m2": rc.Group([C3, MZ, MX]),
    "23": rc.Group([C2Z, CUBE]),
    "432": rc.Group([C4, CUBE]),
    "-43m": rc.Group([S4, CUBE, DIAGONAL]),
    "-1": rc.Group([[[-1, 0, 0], [0, -1, 0], [0, 0, -1]]]),
    "SO(2) about z": rc.Group(lie=[ROUND_Z]),
    "SO(3)": rc.SO(3),
    "O(3)": rc.O(3),
}

# Independent constants of each class.
TABLES: dict[str, tuple[str, dict[str, int]]] = {
    "elastic stiffness": (
        "ijkl=jikl=ijlk=klij",
        {
            "1": 21,
            "-1": 21,
            "2": 13,
            "m": 13,
            "222": 9,
            "mm2": 9,
            "4": 7,
            "-4": 7,
            "422": 6,
            "4mm": 6,
            "-42m": 6,
            "3": 7,
            "32": 6,
            "3m": 6,
            "6": 5,
            "-6": 5,
            "622": 5,
            "6mm": 5,
            "-6m2": 5,
            "SO(2) about z": 5,
            "23": 3,
            "432": 3,
            "-43m": 3,
            "SO(3)": 2,
            "O(3)": 2,
        },
    ),
    "piezoelectric moduli": (
        "ijk=ikj",
        {
            "1": 18,
            "-1": 0,
            "2": 8,
            "m": 10,
            "222": 3,
            "mm2": 5,
            "4": 4,
            "-4": 4,
            "422": 1,
            "4mm": 3,
            "-42m": 2,
            "3": 6,
            "32": 2,
            "3m": 4,
            "6": 4,
            "-6": 2,
            "622": 1,
            "6mm": 3,
            "-6m2": 1,
            "23": 1,
            "432": 0,
            "-43m": 1,
            "SO(3)": 0,
        },
    ),
    "photoelastic constants": (
        "ijkl=jikl=ijlk",
        {"1": 36, "2": 20, "222": 12, "4": 10, "422": 7, "3": 12, "32": 8, "6": 8, "622": 6, "23": 4, "432": 3, "SO(3)": 2},
    ),
    "third-order elastic constants": (
        "ijklmn=jiklmn=klijmn=klmnij",
        {"1": 56, "2": 32, "222": 20, "4": 16, "422": 12, "3": 20, "32": 14, "6": 12, "622": 10, "23": 8, "432": 6, "SO(3)": 3},
    ),
    "dielectric constants": ("ij=ji", {"1": 6, "2": 4, "222": 3, "4": 2, "3": 2, "6": 2, "23": 1, "SO(3)": 1}),
}


@pytest.mark.parametrize(("name", "cls"), [(name, cls) for name, (_, table) in TABLES.items() for cls in table])
def test_number_of_constants_of_a_crystal(name: str, cls: str) -> None:
    formula, table = TABLES[name]
    basis = rc.invariants(rc.tensors(CLASSES[cls].rep, formula), store=None)
    assert basis.dim == table[cls]
    assert basis.certificate.status == "proved"


def test_isotropic_stiffness_is_that_of_lame() -> None:
    rep = rc.tensors(rc.SO(3).rep, "ijkl=jikl=ijlk=klij")
    into = rc.tensor_maps(rep).into.to_numpy()
    one = np.eye(3)
    trace = np.einsum("ij,kl->ijkl", one, one)
    shear = np.einsum("ik,jl->ijkl", one, one) + np.einsum("il,jk->ijkl", one, one)
    found = np.stack([(into @ b.to_numpy()).ravel() for b in rc.invariants(rep, store=None)])
    both = np.stack([trace.ravel(), shear.ravel()])
    assert np.linalg.matrix_rank(found) == 2
    assert np.linalg.matrix_rank(np.concatenate([found, both])) == 2


# --------------------------------------------------------------------------------------------------- mixed tensors


def test_indices_of_different_representations() -> None:
    G = rc.dihedral(3)
    V, W = G.rep, G.rep.sym(2)
    rep = rc.tensors({"i": V, "j": W, "k": V}, "ijk=-kji")
    assert rep.dim == 1 * W.dim
    maps = rc.tensor_maps(rep)
    assert maps.shape == (2, 3, 2)
    for shown, on_tensors in zip(rep.matrices, (V * W * V).matrices, strict=True):
        assert on_tensors @ maps.into == maps.into @ shown
    # Axes are those of the first term, whatever the order of the mapping.
    assert rc.tensors({"k": V, "j": W, "i": V}, "ijk=-kji") == rep
    assert rc.tensors({"j": W, "i": V, "k": V}, "kji=-ijk") == rep
    assert repr(rep).startswith("tensors({'i': ")
    swapped = rc.tensors({"a": V, "b": W, "c": V, "d": W}, "abcd=cdab")
    assert swapped.dim == 6 * 7 // 2


def test_exterior_square_of_an_outer_product() -> None:
    """Sym2(V (x) W) = Sym2 V (x) Sym2 W + Alt2 V (x) Alt2 W over G x H."""
    G, H = rc.dihedral(3), rc.symmetric(3)
    GH = G @ H
    V, W = rc.lift(G.rep, GH), rc.lift(H.rep, GH)
    pair = rc.tensors({"i": V, "j": W, "k": V, "l": W}, "ijkl=klij")
    split = V.sym(2) * W.sym(2) + V.alt(2) * W.alt(2)
    assert pair.dim == split.dim == 21
    for X in (split, pair, (V * W).sym(2)):
        assert rc.solve(pair >> X, store=None).dim == rc.solve(split >> split, store=None).dim
    assert pair.matrices == (V * W).sym(2).matrices


def test_representations_of_factors_are_lifted() -> None:
    G, H = rc.dihedral(3), rc.SO(2)
    GH = G @ H
    mixed = rc.tensors({"i": G.rep, "j": rc.lift(H.rep, GH), "k": G.rep}, "ijk=kji")
    assert mixed.group == GH
    assert mixed.dim == 3 * 2
    assert mixed == rc.tensors({"i": rc.lift(G.rep, GH), "j": rc.lift(H.rep, GH), "k": rc.lift(G.rep, GH)}, "ijk=kji")
    up = rc.lift(rc.tensors(G.rep, "ijk=kji"), GH)
    assert up.dim == 6
    down = rc.tensors(G.rep, "ijk=kji").restrict(rc.cyclic(3))
    assert rc.verify(rc.solve(down >> down, store=None))


PAIRS: list[tuple[Any, Any]] = [
    (rc.dihedral(4), rc.symmetric(3)),
    (rc.cyclic(3), rc.quaternion()),
    (rc.SO(3), rc.dihedral(3)),
    (rc.SO(3), rc.SL(2)),
    (rc.SL(2), rc.SO(2)),
]


@pytest.mark.parametrize(("G", "H"), PAIRS, ids=str)
def test_hom_over_a_direct_product_is_the_product_of_homs(G: Any, H: Any) -> None:
    GH = G @ H
    pairs_g = [(G.rep, G.rep), (G.rep.sym(2), G.rep**2), (rc.tensors(G.rep, "ijk=kji"), G.rep)]
    pairs_h = [(H.rep, H.rep), (H.rep**2, rc.trivial(H)), (rc.tensors(H.rep, "ijk=-kji"), H.rep + rc.trivial(H))]
    for (a, b), (c, d) in product(pairs_g, pairs_h):
        outer = rc.lift(a, GH) * rc.lift(c, GH) >> rc.lift(b, GH) * rc.lift(d, GH)
        expected = rc.solve(a >> b, store=None).dim * rc.solve(c >> d, store=None).dim
        assert rc.solve(outer, store=None).dim == expected


# --------------------------------------------------------------------------------------------------- values and errors


@pytest.mark.parametrize(
    "same",
    [
        ("ijk=jki", "ijk=kij", "abc=bca=cab", "  xyz = yzx", "jki=kij", "-ijk=-jki", "ijk=+jki"),
        ("ijk=jik=-ikj", "ij k=-ijk".replace(" ", ""), "ijk=-jki"),
        ("ijkl=-jikl=-ijlk=klij", "ijkl=-jikl=klij", "abcd=-bacd=cdab=-abdc"),
        ("ijkl=jikl=ijlk=klij", "ijkl=klij=ijlk"),
        ("ijk=-jik", " ijk = - jik ", "+ ijk =-  jik", "+ijk= -jik"),
    ],
)
def test_formulas_that_say_the_same_are_equal(same: tuple[str, ...]) -> None:
    V = rc.dihedral(4).rep
    reps = [rc.tensors(V, f) for f in same]
    assert len({r.digest for r in reps}) == 1
    assert all(r == reps[0] for r in reps)
    assert len({repr(r) for r in reps}) == 1


def test_formulas_that_differ_are_different() -> None:
    V = rc.dihedral(4).rep
    reps = {rc.tensors(V, f).digest for f in FORMULAS}
    # -ij=ji is ij=-ji, and nothing else coincides: the two contradictory ones have different numbers of indices.
    assert len(reps) == len(FORMULAS) - 1


CASES: Iterable[Any] = [
    rc.tensors(rc.dihedral(4).rep, "ijkl=-jilk"),
    rc.tensors(rc.SO(3).rep + rc.trivial(rc.SO(3)), "ijk=kji"),
    rc.tensors({"i": rc.SO(3).rep, "j": rc.SO(3).rep.alt(2), "k": rc.SO(3).rep}, "ijk=-kji"),
    rc.tensors(rc.U(2).rep.conj, "ijk=jik=-ikj"),
    2 * rc.tensors(rc.dihedral(3).rep, "ijk=jki").dual,
]


@pytest.mark.parametrize("rep", CASES, ids=str)
def test_values(rep: Any, tmp_path: Path) -> None:
    back = eval(repr(rep), dict(vars(rc)))  # noqa: S307  # our own repr
    assert back == rep
    assert repr(back) == repr(rep)
    assert back.matrices == rep.matrices
    assert pickle.loads(pickle.dumps(rep)) == rep  # noqa: S301  # made a line ago
    space = rep >> rep
    basis = rc.solve(space, store=tmp_path / "store")
    assert rc.verify(basis)
    rc.dump(basis, tmp_path / "basis.safetensors")
    loaded = rc.load(tmp_path / "basis.safetensors")
    assert isinstance(loaded, rc.EquivariantBasis)
    assert loaded == basis
    assert loaded.space.digest == space.digest


@pytest.mark.parametrize("formula", ["", "ij=ji", "ijk=iik", "ijk=kj", "=", "i" * 2000, "iji=jii", "ijk=kji=" * 50])
def test_damaged_stored_forms_are_refused(formula: str) -> None:
    V = rc.dihedral(4).rep
    data = encode_rep(rc.tensors(V, "ijk=kji"))
    assert decode_rep(data, V.group, "file") == rc.tensors(V, "ijk=kji")
    with pytest.raises(rc.StoreError, match="file"):
        decode_rep(data | {"formula": formula}, V.group, "file")


@pytest.mark.parametrize(
    ("formula", "position", "words"),
    [
        ("", 0, "indices must stand here"),
        ("ij=", 3, "indices must stand here"),
        ("=ij", 0, "indices must stand here"),
        ("ij==ji", 3, "indices must stand here"),
        ("ij=-", 4, "indices must stand here"),
        ("ii=ii", 1, "stands twice"),
        ("ij=jj", 4, "stands twice"),
        ("ij=jk", 4, "'k' is not in the first term"),
        ("ijk=ji", 6, "'k' of the first term is missing"),
        ("ij=ji=", 6, "indices must stand here"),
        ("i1=1i", 1, "no index"),
        ("ij=j*i", 4, "no index"),
        ("ij=--ji", 4, "no index"),
        ("i j=ji", 1, "no index"),
        ("ij->ji", 2, "no index"),
        ("ié=éi", 1, "no index"),
        ("abcdefghijklmnopqrstuvwxyzA", 0, "more than 26"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_position(formula: str, position: int, words: str) -> None:
    with pytest.raises(rc.RepresentationError, match=rf"formula: cannot read .*at position {position}, .*{words}"):
        rc.tensors(rc.dihedral(4).rep, formula)


def test_what_does_not_fit_is_refused() -> None:
    V, W = rc.dihedral(4).rep, rc.dihedral(4).rep.sym(2)
    call: Any = rc.tensors
    with pytest.raises(rc.RepresentationError, match=r"position 4 puts index 'j', of sym\(V, 2\), where 'i', of V"):
        rc.tensors({"i": V, "j": W, "k": V}, "ijk=jik")
    with pytest.raises(rc.RepresentationError, match=r"index 'k' of the formula has no representation"):
        rc.tensors({"i": V, "j": V}, "ijk=jik")
    with pytest.raises(rc.RepresentationError, match=r"index 'l' is not in the formula"):
        rc.tensors({"i": V, "j": V, "l": V}, "ij")
    with pytest.raises(rc.IncompatibleError, match=r"reps\['j'\]: expected a representation"):
        call({"i": V, "j": 3}, "ij")
    with pytest.raises(rc.IncompatibleError, match="expected a representation, or a mapping"):
        call([V, V], "ij=ji")
    with pytest.raises(rc.IncompatibleError, match="expected a text"):
        call(V, [1, 0])
    with pytest.raises(rc.IncompatibleError, match="is no factor of"):
        rc.tensors({"i": V, "j": rc.symmetric(3).rep}, "ij")
    with pytest.raises(rc.RepresentationError, match="more than 1000"):
        rc.tensors(V, "ij=ji=" * 200 + "ij")
    with pytest.raises(rc.RepresentationError, match="more than 40320 permutations"):
        rc.tensors(V, "abcdefghi=bacdefghi=bcdefghia")
    with pytest.raises(rc.MemoryLimitError, match="fewer indices"):
        rc.tensors(rc.symmetric(100).rep, "ijkl=lkji").matrix(0)
    # The dimension needs no list.
    assert rc.tensors(rc.symmetric(100).rep, "ijkl=lkji").dim == (100**4 + 100**2) // 2


def test_canonical_formulas_read_back() -> None:
    for text in FORMULAS:
        formula = parse_formula(text)
        again = parse_formula(formula.canonical)
        assert again.canonical == formula.canonical
        assert again.signs == formula.signs
        for n in (1, 2, 4):
            assert formula.count((n,) * len(formula.letters)) == len(tuples_that_survive(n, text))
        assert formula.count((0,) * len(formula.letters)) == 0


def test_spaces_without_vectors() -> None:
    zero = 0 * rc.dihedral(4).rep
    rep = Tensors(zero.group, (zero,) * 3, "ijk=kji")
    assert rep.dim == 0
    assert rep.matrix(0).shape == (0, 0)
    none = rc.tensors(rc.SO(3).rep, "ij=ji=-ji")
    assert none.dim == 0
    assert rc.tensor_maps(none).into.shape == (9, 0)
    assert rc.solve(none >> rc.SO(3).rep, store=None).dim == 0


def test_dimension_of_the_domain_of_any_mixture() -> None:
    V, W = rc.dihedral(3).rep, rc.regular(rc.dihedral(3))
    for reps in ({"i": V, "j": W, "k": V, "l": W}, {"i": W, "j": V, "k": W, "l": V}):
        rep: Any = rc.tensors(reps, "ijkl=-klij")
        assert rep.dim == comb(prod((V.dim, W.dim)), 2)
        assert rep.matrices[0].shape == (rep.dim, rep.dim)


def test_these_laws_find_planted_bugs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost sign and a wrong axis each break a law."""
    honest = module._maps  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(module, "_maps", lambda shape, moves: honest(shape, tuple((1, q) for _, q in moves)))
    with pytest.raises(AssertionError):
        test_space_is_the_definition("ijk=-kji", 3)
    monkeypatch.undo()

    def swapped(dims: tuple[int, ...], axis: int, m: Matrix) -> Matrix:
        return kron(kron(identity(prod(dims[axis + 1 :])), m), identity(prod(dims[:axis])))

    G = rc.dihedral(3)
    g, W = G.discrete[0], rc.regular(G)
    rep = rc.tensors({"i": G.rep, "j": W, "k": G.rep, "l": W}, "ijkl=kjil")
    onto, whole = rc.tensor_maps(rep).onto, discrete_image(G.rep * W * G.rep * W, g)
    assert discrete_image(rep, g) @ onto == onto @ whole
    monkeypatch.setattr(module, "_on_axis", swapped)
    assert discrete_image(rep, g) @ onto != onto @ whole
