"""Induced representations of finite groups, against their definition and by Frobenius reciprocity."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.exact.matrix import Matrix, block_diag, from_coo, identity, inverse, kron, zeros
from repcore.groups.finite import Elements, elements
from repcore.reps.action import discrete_image
from repcore.reps.atoms import atoms

S3, S4, D4, D6 = rc.symmetric(3), rc.symmetric(4), rc.dihedral(4), rc.dihedral(6)
A4, Q8, O24 = rc.alternating(4), rc.quaternion(), rc.octahedral()
POINT = rc.PermutationGroup(["(0 1)", "(0 1 2)"], degree=4)  # the stabiliser of point 3
TURN = rc.PermutationGroup(["(0 1 2)"], degree=4)
FOUR = rc.PermutationGroup(["(0 1)(2 3)", "(0 2)(1 3)"])
MIRROR = rc.Group([[[1, 0], [0, -1]]])
SQUARE = rc.Group([D4.discrete[0] @ D4.discrete[0]])  # the half turn
QUARTER = rc.Group([[[0, -1, 0], [1, 0, 0], [0, 0, 1]]])
HALF = rc.Group([g @ g for g in Q8.discrete])


def character(group: Any, *values: Any) -> Any:
    return rc.Rep(group, [[[v]] for v in values], name="chi")


# A subgroup H of G and a representation W of H.
CASES: dict[str, tuple[Any, Any]] = {
    "sign of a mirror to D4": (D4, character(MIRROR, -1)),
    "half turn to D4": (D4, SQUARE.rep),
    "rotations to D4, character i": (D4, character(rc.cyclic(4), "I")),
    "rotations to D4, real pair": (D4, rc.cyclic(4).rep),
    "restricted to a mirror": (D6, D6.rep.restrict(MIRROR)),
    "C3 to D6, character": (D6, character(rc.cyclic(3), "zeta(3)")),
    "D3 to D6": (D6, rc.dihedral(3).rep),
    "D2 to D6, products": (D6, rc.dihedral(2).rep * rc.dihedral(2).rep + rc.dihedral(2).rep),
    "C6 to D6, sum": (D6, 2 * rc.cyclic(6).rep + 3 * rc.trivial(rc.cyclic(6)) + rc.cyclic(6).rep),
    "sign of S3 to S4": (S4, character(POINT, -1, 1)),
    "points of S3 to S4": (S4, POINT.rep),
    "cosets of S3 to S4": (S4, rc.quotient(POINT, TURN)),
    "regular of A4 to S4": (S4, rc.regular(A4)),
    "A4 to S4, exterior power": (S4, A4.rep.alt(2)),
    "C3 to A4, character": (A4, character(TURN, "zeta(3)")),
    "four-group to S4": (S4, character(FOUR, 1, -1)),
    "trivial subgroup": (S3, 2 * rc.trivial(rc.Group(dim=3)) + rc.Group(dim=3).rep),
    "centre of Q8": (Q8, character(HALF, *(-1 for _ in HALF.discrete))),
    "centre of Q8, itself": (Q8, HALF.rep),
    "quarter turn to octahedral": (O24, character(QUARTER, "I")),
    "tetrahedral to octahedral": (O24, rc.tetrahedral().rep.dual.conj),
    "realified": (A4, character(TURN, "zeta(3)").realify()),
    "index symmetry": (S4, rc.tensors(POINT.rep, "ijk=jki").restrict(TURN)),
    "induced twice": (D6, rc.induced(character(SQUARE, -1), rc.dihedral(2))),
    "a factor of a product": (S3 @ D4, rc.lift(S3.rep, S3 @ rc.cyclic(4))),
}


@lru_cache(maxsize=64)
def members(group: Any) -> tuple[Matrix, ...]:
    """The elements in their canonical order."""
    table = elements(group)
    out = []
    for e in range(table.order):
        m = identity(group.dim)
        for letter in table.word(e):
            m = m @ group.discrete[letter]
        out.append(m)
    return tuple(out)


def name_of(m: Matrix) -> str:
    return str(m.tolist())


def trace(m: Matrix) -> Any:
    return sum((m[i, i] for i in range(m.shape[0])), rc.number(0))


@pytest.mark.parametrize("case", CASES)
def test_action_is_the_definition(case: str) -> None:
    """g (r_c (x) w) = r_d (x) h w, with cosets as sets of matrices and h = r_d^-1 g r_c by multiplication."""
    group, W = CASES[case]
    X = rc.induced(W, group)
    inside = {name_of(h) for h in members(W.group)}
    least: list[Matrix] = []
    for g in members(group):
        if not any(name_of(inverse(r) @ g) in inside for r in least):
            least.append(g)
    assert X.dim == len(least) * W.dim == len(members(group)) // len(inside) * W.dim
    for g in group.discrete:
        shown = zeros((X.dim, X.dim))
        for c, r in enumerate(least):
            d, h = next((d, inverse(s) @ g @ r) for d, s in enumerate(least) if name_of(inverse(s) @ g @ r) in inside)
            block = discrete_image(W, h.reduced())
            rows, cols = block.rows + d * W.dim, block.cols + c * W.dim
            shown = shown + from_coo(shown.shape, block.field, rows, cols, block.nums, block.den)
        assert discrete_image(X, g) == shown


@pytest.mark.parametrize("case", CASES)
def test_homomorphism(case: str) -> None:
    group, W = CASES[case]
    X = rc.induced(W, group)
    rng = random.Random(1)  # noqa: S311  # samples, no secrets
    all_of_them = members(group)
    images = {name_of(g): discrete_image(X, g) for g in all_of_them}
    pairs = list(product(all_of_them, repeat=2))
    for g, h in pairs if len(pairs) <= 64 else rng.sample(pairs, 40):
        assert images[name_of(g @ h)] == images[name_of(g)] @ images[name_of(h)]
    assert images[name_of(identity(group.dim))].is_identity
    assert X.matrices == tuple(images[name_of(g)] for g in group.discrete)


@pytest.mark.parametrize("case", CASES)
def test_frobenius_reciprocity(case: str) -> None:
    group, W = CASES[case]
    H, X = W.group, rc.induced(W, group)
    for V in (rc.trivial(group), group.rep, group.rep.sym(2) + group.rep.dual, rc.regular(group)):
        if V.dim * X.dim > 1500:
            continue
        below = V.restrict(H)
        assert rc.solve(X >> V, store=None).dim == rc.solve(W >> below, store=None).dim
        assert rc.solve(V >> X, store=None).dim == rc.solve(below >> W, store=None).dim


@pytest.mark.parametrize("case", CASES)
def test_character_formula(case: str) -> None:
    """chi(g) = 1/|H| sum over x of psi(x^-1 g x) where that lies in H."""
    group, W = CASES[case]
    X = rc.induced(W, group)
    inside = {name_of(h): trace(discrete_image(W, h)) for h in members(W.group)}
    for g in members(group)[:: max(1, len(members(group)) // 5)]:
        conjugates = [name_of(inverse(x) @ g @ x) for x in members(group)]
        total = sum((inside[c] for c in conjugates if c in inside), rc.number(0))
        assert trace(discrete_image(X, g)) * len(inside) == total


SUBGROUPS: list[tuple[Any, Any]] = [
    (D4, MIRROR),
    (D6, rc.cyclic(6)),
    (D6, rc.dihedral(3)),
    (S4, POINT),
    (S4, A4),
    (S4, TURN),
    (Q8, HALF),
    (O24, QUARTER),
    (S3, rc.Group(dim=3)),
]


@pytest.mark.parametrize(("group", "subgroup"), SUBGROUPS, ids=[f"{g} / {h}" for g, h in SUBGROUPS])
def test_inducing_the_trivial_representation_gives_the_cosets(group: Any, subgroup: Any) -> None:
    one = rc.trivial(subgroup)
    X, Y = rc.induced(one, group), rc.quotient(group, subgroup)
    assert X == Y
    assert X.matrices == Y.matrices
    # The node itself, which is not used here, has the same matrices; so have several copies, cosets before components.
    if subgroup.discrete:
        declared = rc.Rep(subgroup, [[[1]] for _ in subgroup.discrete])
        assert rc.induced(declared, group).matrices == Y.matrices
    tripled = rc.induced(3 * one, group)
    assert tripled.matrices == tuple(kron(m, identity(3)) for m in Y.matrices)
    assert [a.rep for a in atoms(tripled)] == [Y]


@pytest.mark.parametrize(("group", "subgroup"), SUBGROUPS, ids=[f"{g} / {h}" for g, h in SUBGROUPS])
def test_projection_formula(group: Any, subgroup: Any) -> None:
    """Ind(W (x) Res V) = Ind(W) (x) V: the same character."""
    V = group.rep
    W = subgroup.rep
    left = rc.induced(W * V.restrict(subgroup), group)
    right = rc.induced(W, group) * V
    assert left.dim == right.dim
    for g in members(group):
        assert trace(discrete_image(left, g)) == trace(discrete_image(right, g))


CHAINS: list[tuple[Any, Any, Any]] = [
    (D6, rc.dihedral(3), character(rc.cyclic(3), "zeta(3)")),
    (D6, rc.cyclic(6), SQUARE.rep),
    (S4, A4, character(TURN, "zeta(3)")),
    (S4, A4, FOUR.rep),
    (S4, POINT, TURN.rep),
    (O24, rc.tetrahedral(), rc.Group([rc.tetrahedral().discrete[0]]).rep),
]


@pytest.mark.parametrize(("group", "middle", "W"), CHAINS, ids=str)
def test_inducing_in_stages(group: Any, middle: Any, W: Any) -> None:
    at_once, staged = rc.induced(W, group), rc.induced(rc.induced(W, middle), group)
    assert at_once.dim == staged.dim
    for g in members(group):
        assert trace(discrete_image(at_once, g)) == trace(discrete_image(staged, g))
    dims = {rc.solve(x >> y, store=None).dim for x in (at_once, staged) for y in (at_once, staged)}
    assert len(dims) == 1


def test_irreducible_by_mackey() -> None:
    """Known irreps: the pair of D4 from i, the quaternions from i, the triplets of S4 from a point group."""
    X = rc.induced(character(rc.cyclic(4), "I"), D4)
    assert rc.solve(X >> X, store=None).dim == 1
    i = rc.Group([Q8.discrete[0]])
    Y = rc.induced(character(i, "I"), Q8)
    assert Y.dim == 2
    assert rc.solve(Y >> Y, store=None).dim == 1
    # Ind of the sign of S3 is sign + standard (x) sign: two irreps.
    Z = rc.induced(character(POINT, -1, 1), S4)
    assert rc.solve(Z >> Z, store=None).dim == 2


@pytest.mark.parametrize("seed", range(4))
def test_generators_do_not_matter(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  # samples, no secrets
    g, h = S4.discrete
    r, s = POINT.discrete
    W = rc.Rep(POINT, [r, s])
    X = rc.induced(W, S4)
    space = X >> S4.rep
    basis = rc.solve(space, store=None)

    # The same generators in another order, some of them twice: the same space and the same basis.
    order = [g, h, g]
    rng.shuffle(order)
    other_group = rc.Group(order, name="other")
    order = [r, s, s]
    rng.shuffle(order)
    other = rc.induced(rc.Rep(rc.Group(order), order), other_group)
    assert other.digest == X.digest
    assert rc.solve(other >> other_group.rep, store=None).digest == basis.digest

    # Other generators of the same groups: the same matrices for each element.
    words = [g @ h, h, h @ h @ g]
    rng.shuffle(words)
    inner = [r @ s, s @ s, r]
    rng.shuffle(inner)
    other = rc.induced(rc.Rep(rc.Group(inner), inner), rc.Group(words))
    for x in members(S4):
        assert discrete_image(other, x) == discrete_image(X, x)
    assert rc.solve(other >> other.group.rep, store=None).digest == basis.digest


@pytest.mark.parametrize("case", CASES)
def test_values(case: str, tmp_path: Path) -> None:
    group, W = CASES[case]
    X = rc.induced(W, group)
    back = eval(repr(X), dict(vars(rc)))  # noqa: S307  # our own repr
    assert back == X
    assert repr(back) == repr(X)
    assert back.matrices == X.matrices
    assert pickle.loads(pickle.dumps(X)) == X  # noqa: S301  # made a line ago
    space = X >> group.rep
    basis = rc.solve(space, store=tmp_path / "store")
    assert rc.verify(basis)
    assert basis.digest == rc.solve(space, store=None).digest
    rc.dump(basis, tmp_path / "basis.safetensors")
    loaded = rc.load(tmp_path / "basis.safetensors")
    assert isinstance(loaded, rc.EquivariantBasis)
    assert loaded == basis
    assert loaded.space.digest == space.digest


@pytest.mark.parametrize("case", CASES)
def test_atoms_reconstruct_the_matrix(case: str) -> None:
    group, W = CASES[case]
    X = rc.induced(W, group)
    found = atoms(X)
    places = np.concatenate([a.positions.ravel() for a in found])
    assert sorted(places.tolist()) == list(range(X.dim))
    for i in range(len(group.discrete)):
        total = zeros((X.dim, X.dim))
        for atom in found:
            assert np.all(np.diff(atom.positions, axis=1) > 0)
            block = atom.rep.matrix(i)
            for p in atom.positions:
                total = total + from_coo(total.shape, block.field, p[block.rows], p[block.cols], block.nums, block.den)
        assert total == X.matrix(i)


def test_the_whole_group_gives_the_representation_itself() -> None:
    assert rc.induced(S4.rep, S4) == S4.rep
    # Other generators of the same group: one coset, whose representative is the identity.
    other = rc.Group([S4.discrete[1], S4.discrete[0] @ S4.discrete[1]])
    X = rc.induced(other.rep * other.rep, S4)
    assert X.matrices == (S4.rep**2).matrices


def test_frobenius_over_a_product() -> None:
    G = D4 @ S3
    H = rc.cyclic(4) @ S3
    W = rc.lift(character(rc.cyclic(4), "I"), H) * rc.lift(S3.rep, H)
    X = rc.induced(W, G)
    outer = rc.lift(rc.induced(character(rc.cyclic(4), "I"), D4), G) * rc.lift(S3.rep, G)
    assert X.dim == outer.dim == 6
    assert X.matrices == outer.matrices
    assert rc.solve(X >> outer, store=None).dim == 2  # S3 on points is 1 + an irrep


def test_a_monomial_representation_is_solved_by_orbits() -> None:
    X = rc.induced(character(POINT, -1, 1), S4)
    assert all(m.is_monomial for m in X.matrices)
    assert rc.solve(X >> X, store=None).certificate.completeness == ("orbits",)


ERRORS: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "swapped": (lambda: rc.induced(D4, MIRROR.rep), rc.IncompatibleError, "W first"),  # type: ignore[arg-type]
    "no group": (lambda: rc.induced(D4.rep, 3), rc.IncompatibleError, "group: expected"),  # type: ignore[arg-type]
    "no subgroup": (lambda: rc.induced(rc.cyclic(3).rep, D4), rc.RepresentationError, "not an element"),
    "another size": (lambda: rc.induced(O24.rep, D4), rc.RepresentationError, "size"),
    "from above": (lambda: rc.induced(S4.rep, A4), rc.RepresentationError, "not an element"),
    "infinite": (lambda: rc.induced(rc.cyclic(4).rep, rc.SO(2)), rc.GroupTooLargeError, "infinite"),
    "Lie subgroup": (lambda: rc.induced(rc.SO(2).rep, D4), rc.RepresentationError, "Lie generators"),
    "foreign element": (
        lambda: discrete_image(rc.induced(MIRROR.rep, D4), D6.discrete[0]),
        rc.RepresentationError,
        "not an element",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_does_not_fit_is_refused(case: str) -> None:
    call, error, words = ERRORS[case]
    with pytest.raises(error, match=words):
        call()


def test_these_laws_find_a_wrong_representative(monkeypatch: pytest.MonkeyPatch) -> None:
    """h^-1 for h breaks the definition."""
    honest = Elements.matrix
    monkeypatch.setattr(Elements, "matrix", lambda table, e: honest(table, int(table.inverses[e])))
    with pytest.raises(AssertionError):
        test_action_is_the_definition("rotations to D4, character i")


def test_layout() -> None:
    """Cosets come before components."""
    W = MIRROR.rep
    X = rc.induced(W, D4)
    g = D4.discrete[0]
    blocks = X.matrix(0).to_numpy().reshape(4, 2, 4, 2)
    occupied = np.abs(blocks).sum(axis=(1, 3)) > 0
    assert np.array_equal(occupied, rc.quotient(D4, MIRROR).matrix(0).to_numpy() > 0)
    assert discrete_image(X, g @ g @ g @ g) == block_diag([identity(2)] * 4)
