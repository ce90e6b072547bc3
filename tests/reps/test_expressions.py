"""The algebra of expressions: normal forms, groups that must fit, slips that are refused."""

from __future__ import annotations

from typing import Any

import pytest

import repcore as rc

D4 = rc.dihedral(4)
C3 = rc.cyclic(3)
S3 = rc.symmetric(3)
V, ONE = D4.rep, rc.trivial(D4)
BOTH = D4 @ C3


def test_texts() -> None:
    assert str(4 * ONE + 2 * V) == "4*1 + 2*V"
    assert str(V * V * (V + ONE)) == "V**2*(V + 1)"
    assert str(V.dual.sym(2)) == "sym(dual(V), 2)"
    assert str((V + ONE).alt(2) >> V.conj.realify()) == "alt(V + 1, 2) >> realify(conj(V))"
    assert str(rc.lift(V, BOTH) * rc.lift(C3.rep, BOTH)) == "V@0*V@1"
    assert str(0 * V) == "0"
    assert str(V.restrict(rc.cyclic(2))) == "restrict(V)"
    assert str(rc.regular(D4)) == "regular"
    assert str(rc.quotient(D4, rc.cyclic(2))) == "quotient(C2)"


def test_normal_forms() -> None:
    assert V + 0 * V == V
    assert 0 * V + V == V
    assert 0 * V == 0 * ONE
    assert V + V + ONE == 2 * V + ONE
    assert (V + ONE) + V == V + (ONE + V)
    assert (V * V) * V == V * (V * V) == V**3
    assert V * ONE * V == V**2
    assert ONE**5 == ONE
    assert ONE.dual == ONE.conj == ONE
    assert V * 2 == 2 * V
    assert 2 * (V + ONE) != 2 * V + 2 * ONE
    assert V + ONE != ONE + V
    assert V.dual != V
    assert V.restrict(D4) == V
    assert V.dual.dual is V
    assert hash(V + V) == hash(2 * V)


def test_powers_and_copies_that_are_refused() -> None:
    for bad in (-1, 1.0, "2", None, True):
        with pytest.raises((rc.RepresentationError, TypeError)):
            V**bad
        with pytest.raises(rc.RepresentationError, match="sym"):
            V.sym(bad)  # type: ignore[arg-type]
        with pytest.raises(rc.RepresentationError, match="alt"):
            V.alt(bad)  # type: ignore[arg-type]
    with pytest.raises(rc.RepresentationError, match="-2 times"):
        -2 * V
    for bad in (1.5, "2", None, True):
        with pytest.raises((TypeError, rc.RepcoreError)):
            bad * V


@pytest.mark.parametrize("other", [3, "V", None, D4])
def test_sums_want_representations(other: Any) -> None:
    for verb in (lambda: V + other, lambda: V >> other):
        with pytest.raises((rc.IncompatibleError, TypeError)):
            verb()


def test_representations_of_different_groups_do_not_mix() -> None:
    W = C3.rep
    for verb in (lambda: V + W, lambda: V * W, lambda: V >> W):
        with pytest.raises(rc.IncompatibleError, match=r"different groups, D4 and C3.*lift"):
            verb()
    # Equal generators make one group, whatever the name.
    assert (V + rc.Group(D4.discrete, name="mine").rep) == 2 * V


def test_lift() -> None:
    up = rc.lift(V, BOTH)
    assert up.group == BOTH
    assert rc.lift(ONE, BOTH) == rc.trivial(BOTH)
    assert rc.lift(up, BOTH) is up
    # A representation of a factor lifts by itself beside one of the product.
    assert up + V == 2 * up
    assert V * up == up * up
    assert (C3.rep >> rc.lift(C3.rep, BOTH)).group == BOTH
    twice = C3 @ C3
    with pytest.raises(rc.IncompatibleError, match="factor=i"):
        rc.lift(C3.rep, twice)
    assert rc.lift(C3.rep, twice, factor=0) != rc.lift(C3.rep, twice, factor=1)
    with pytest.raises(rc.IncompatibleError, match="no factor"):
        rc.lift(rc.cyclic(5).rep, BOTH)
    with pytest.raises(rc.IncompatibleError):
        rc.lift(V, BOTH, factor=1)
    with pytest.raises(rc.IncompatibleError):
        rc.lift(V, D4 @ D4, factor=2)


def test_lifted_through_a_nested_product() -> None:
    three = BOTH @ rc.symmetric(3)
    assert three.factors == (D4, C3, rc.symmetric(3))
    assert rc.lift(V, three).dim == 2
    both_up = rc.lift(V, three) * rc.lift(C3.rep, three)
    assert both_up.matrix(0) == (rc.lift(V, BOTH) * rc.lift(C3.rep, BOTH)).matrix(0)


def test_restrict() -> None:
    sub = rc.cyclic(2)
    assert V.restrict(sub).group == sub
    assert V.restrict(sub).matrix(0).tolist() == [[-1, 0], [0, -1]]
    with pytest.raises(rc.IncompatibleError, match="size 3"):
        V.restrict(rc.SO(3))
    # The space of maps can only grow.
    for x, y in ((V, V), (V**2, V**2), (V**2, ONE)):
        small = rc.solve(x >> y, store=None).dim
        assert rc.solve(x.restrict(sub) >> y.restrict(sub), store=None).dim >= small
    assert rc.solve(V.restrict(sub) >> V.restrict(sub), store=None).dim == 4


def test_hom() -> None:
    space = V >> 2 * V
    assert space == rc.Hom(V, 2 * V)
    assert space.shape == (4, 2)
    assert space.group == D4
    assert hash(space) == hash(rc.Hom(V, 2 * V))
    assert space != (2 * V >> V)
    assert space != "V >> 2*V"
    assert eval(repr(space), dict(vars(rc))) == space  # noqa: S307  # our own repr
    assert space.digest != (2 * V >> V).digest
    s, t = D4.discrete
    other = rc.Group([t, s, s]).rep
    assert (other >> 2 * other).digest == space.digest
    assert (other >> 2 * other) != space


def test_digests_depend_on_the_group() -> None:
    assert rc.trivial(D4).digest != rc.trivial(C3).digest
    assert rc.cyclic(4).rep.digest != D4.rep.digest
    assert len({x.digest for x in (V, ONE, 2 * V, V * V, V.dual, V.conj, V.realify(), V.sym(2), V.alt(2), V.sym(3))}) == 10


# One expression for each kind of node. Digests name cached bases and stored files: they change only with a new format.
PINNED = {
    "trivial": (lambda: rc.trivial(S3), "78e86a01ccd0f6dc"),
    "defining": (lambda: S3.rep, "dd296c317e943648"),
    "sum": (lambda: 2 * S3.rep + rc.trivial(S3), "3e245978d581ba42"),
    "product": (lambda: S3.rep**2, "a6a42699514bdf59"),
    "dual": (lambda: rc.SL(2).rep.dual, "53361c497d405cc8"),
    "conjugate": (lambda: rc.SU(2).rep.conj, "c1341d88357f33c6"),
    "symmetric power": (lambda: S3.rep.sym(2), "e928ec25df69daf4"),
    "alternating power": (lambda: S3.rep.alt(2), "9a37a37ff8a75b55"),
    "realified": (lambda: rc.SU(2).rep.realify(), "1cf0f870aefcacc5"),
    "given by matrices": (lambda: rc.Rep(S3, [[[-1]], [[1]]], name="sign"), "e4dcae87b6aa69fd"),
    "regular": (lambda: rc.regular(S3), "dfecde962dd756f6"),
    "quotient": (lambda: rc.quotient(D4, rc.cyclic(4)), "009f76fb886da5c7"),
    "points": (lambda: rc.permutation(rc.cyclic(4), ["(0 1 2 3)(4 5)"]), "3a3e66017b49c3b8"),
    "restriction": (lambda: V.restrict(rc.cyclic(4)), "18bc7b9d9515ea4b"),
    "lifted": (lambda: rc.lift(V, D4 @ S3), "1ba2d838c4279aef"),
    "induced": (lambda: rc.induced(rc.cyclic(4).rep, D4), "2e48ce61382df664"),
    "irrep": (lambda: rc.irrep(rc.SO(3), "2"), "2c6ff0fbaacd276e"),
    "tensors": (lambda: rc.tensors(S3.rep, "ijk=jik=-ikj"), "46d254d5c98b19e1"),
}


@pytest.mark.parametrize("name", PINNED)
def test_digests_of_representations_are_pinned(name: str) -> None:
    make, digest = PINNED[name]
    assert make().digest[:16] == digest
