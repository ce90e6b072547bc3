"""solve, invariants, plan: what is looked up is what would be computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.basis import compute
from repcore.reps.action import discrete_image
from repcore.store import cached, disk
from repcore.store.canonical import canonical
from repcore.store.disk import Store

D4 = rc.dihedral(4)
V = D4.rep


def test_solve_equals_compute(space: rc.Hom, forgetful: Callable[[], None]) -> None:
    basis = compute(space)
    assert rc.solve(space, store=None) == basis
    assert rc.solve(space) == basis
    assert rc.solve(space).space is space
    forgetful()
    stored = rc.solve(space)
    assert (stored, stored.certificate, stored.steps) == (basis, basis.certificate, ())
    assert stored.space is space


def test_without_a_store_nothing_is_looked_up_or_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rc.solve(V >> V)
    monkeypatch.setattr(Store, "get", lambda *_: pytest.fail("looked up"))
    monkeypatch.setattr(Store, "put", lambda *_: pytest.fail("kept"))
    assert rc.solve(V >> V, store=None).steps
    assert rc.solve(V >> 2 * V, store=None).dim == 2


def test_a_store_may_be_given_as_a_path(tmp_path: Path) -> None:
    rc.solve(V >> V, store=tmp_path / "a")
    rc.solve(V >> V, store=str(tmp_path / "b"))
    rc.solve(V >> V, store=Store(tmp_path / "c"))
    assert [len(Store(tmp_path / x).entries()) for x in "abc"] == [1, 1, 1]
    assert not (tmp_path / "cache").exists()


def test_the_second_time_is_not_solved(monkeypatch: pytest.MonkeyPatch, forgetful: Callable[[], None]) -> None:
    first = rc.solve(V >> V)
    monkeypatch.setattr(cached, "compute", lambda _: pytest.fail("solved again"))
    assert rc.solve(V >> V) == first
    forgetful()
    assert rc.solve(V >> V) == first


def test_in_one_process_the_file_is_read_once(monkeypatch: pytest.MonkeyPatch, forgetful: Callable[[], None]) -> None:
    rc.solve(V >> V)
    forgetful()
    reads: list[object] = []
    real = disk.read_basis
    monkeypatch.setattr(disk, "read_basis", lambda *a, **k: reads.append(a) or real(*a, **k))
    for _ in range(3):
        rc.solve(V >> V)
    assert len(reads) == 1


def test_generators_in_another_order_find_the_same_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = D4.discrete
    H = rc.Group([b, a, b], name="other").rep
    first = rc.solve(V * V >> V * V)
    monkeypatch.setattr(cached, "compute", lambda _: pytest.fail("solved again"))
    space = H * H >> H * H
    found = rc.solve(space)
    assert found == first
    assert found.space is space
    assert found.digest == first.digest


def test_the_certificate_does_not_depend_on_the_order_of_generators() -> None:
    G = rc.O(3)
    H = rc.Group(G.discrete, [*reversed(G.lie), *G.lie])
    a, b = (rc.solve(x.rep**3 >> x.rep**2, store=None) for x in (G, H))
    assert (a, a.certificate, a.steps) == (b, b.certificate, b.steps)


def test_invariants() -> None:
    # Bell numbers: set partitions of k points.
    P = rc.symmetric(5).rep
    assert [rc.invariants(P**k).dim for k in (1, 2, 3, 4)] == [1, 2, 5, 15]
    assert rc.invariants(V * V).shape == (4, 1)


def test_plan_takes_a_space_a_basis_and_a_plan() -> None:
    basis = rc.solve(V * V >> V * V)
    plan = rc.plan(basis)
    assert rc.plan(plan) is plan
    assert rc.plan(V * V >> V * V) is plan
    assert plan.digest == basis.digest
    W = np.arange(16.0).reshape(4, 4)
    expected = np.tensordot(
        np.tensordot(basis.to_numpy(orthonormal=True), W, ((1, 2), (0, 1))), basis.to_numpy(orthonormal=True), 1
    )
    # 16 entries, each a sum of 8 products of numbers below 16: a few units in the last place of 16 * 16.
    assert np.abs(plan.project(W) - expected).max() < 16 * 8 * 256 * np.finfo(float).eps


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rc.solve(V), ["space: expected a space", "a Defining", "V >> V"]),
        (lambda: rc.solve(rc.solve(V >> V)), ["an EquivariantBasis", "solved already"]),
        (lambda: rc.solve("V >> V"), ["a str", "X >> Y"]),
        (lambda: rc.solve(V >> V, store=3), ["store: expected", "an int"]),
        (lambda: rc.explain(None), ["a NoneType"]),
        (lambda: rc.invariants(V >> V), ["rep: expected a representation", "a Hom"]),
        (lambda: rc.plan(V), ["x: expected a space", "a Defining"]),
        (lambda: rc.plan(np.eye(2)), ["a ndarray"]),
    ],
)
def test_a_wrong_argument_is_named(call: Callable[[], object], words: list[str]) -> None:
    with pytest.raises(rc.IncompatibleError) as caught:
        call()
    assert [w for w in words if w not in str(caught.value)] == []


def test_a_node_without_stored_form_is_solved_all_the_same() -> None:
    class Twice(rc.Rep):  # a node that somebody else has added
        group = D4

        @property
        def dim(self) -> int:
            return 2

        @property
        def _tree(self) -> tuple[object, ...]:
            return ("twice",)

    discrete_image.register(Twice, lambda rep, g: g)
    own = Twice()
    with pytest.raises(rc.StoreError, match="no stored form"):
        Store().put(compute(own >> own))
    with pytest.warns(rc.RepcoreWarning, match="no stored form"):
        assert rc.solve(own >> own).dim == 1


def test_canonical_forms_of_equal_spaces_are_equal(space: rc.Hom) -> None:
    form = canonical(space)
    assert form.digest == space.digest
    assert canonical(form) == form
    assert repr(canonical(form)) == repr(form)
    assert compute(form) == compute(space)


def test_equal_generators_with_different_images_are_not_stored() -> None:
    shear = [[1, 1], [0, 1]]
    G = rc.Group([shear])
    twice = rc.Group([shear, shear])
    one, two = rc.matrix([[1]]), rc.matrix([[2]])
    U = rc.Rep(twice, discrete=[one, one])
    object.__setattr__(U, "discrete", (one, two))
    with pytest.raises(rc.StoreError, match="listed twice"):
        canonical(U >> U)
    assert canonical(rc.Rep(twice, discrete=[one, one]) >> twice.rep).group == G


def test_the_memo_is_bounded() -> None:
    from repcore.store.memo import Memo

    memo: Memo[str] = Memo(100)
    for i in range(20):
        memo.put(i, str(i), 10)
    assert [memo.get(i) for i in (0, 9, 10, 19)] == [None, None, "10", "19"]
    memo.put("large", "x", 101)
    assert memo.get("large") is None
    memo.put(19, "again", 100)
    assert [memo.get(i) for i in (18, 19)] == [None, "again"]


# -- explain -----------------------------------------------------------------------------------------------------------


def test_explain_says_the_route_without_solving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "compute", lambda _: pytest.fail("solved"))
    orbits = rc.explain(rc.symmetric(5).rep ** 2 >> rc.symmetric(5).rep)
    assert [b.route for b in orbits.blocks] == ["orbits"]
    assert "125 -> 5" in str(orbits)
    assert "the dimension is 5" in str(orbits)
    SO3 = rc.SO(3).rep
    turned = rc.explain(SO3**4 >> SO3**4)
    assert [b.route for b in turned.blocks] == ["elimination"]
    assert "6561 -> 274" in str(turned)
    assert "nullspace" in str(turned)
    boosts = str(rc.explain(rc.scaling(2).rep >> rc.scaling(2).rep + rc.trivial(rc.scaling(2))))
    assert "every generator is diagonal, the dimension is 4" in boosts
    free = rc.Group(dim=3).rep
    assert "every map is equivariant: the dimension is 9" in str(rc.explain(free >> free))


def test_explain_lists_each_pair_once() -> None:
    found = rc.explain(4 * rc.trivial(D4) + 2 * V >> V * V + V)
    assert [(b.pair, b.copies) for b in found.blocks] == [
        ("1 >> V**2", (1, 4)),
        ("V >> V**2", (1, 2)),
        ("1 >> V", (1, 4)),
        ("V >> V", (1, 2)),
    ]
    assert "4 pairs of distinct summands" in str(found)


def test_explain_says_what_is_cached() -> None:
    space = V * V >> V * V
    assert rc.explain(space).cached is None
    rc.solve(space)
    found = rc.explain(space)
    assert found.dim == 4
    assert found.cached == str(Store().file_of(space))
    assert f"of dimension 4, will be read from {found.cached}" in str(found)
    assert rc.explain(space, store=None).cached is None
    Store().file_of(space).write_bytes(b"")
    assert rc.explain(space).cached is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory_limit": "2 GB"}, "memory_limit: expected a number of bytes, an integer >= 0, got '2 GB'"),
        ({"memory_limit": -1}, "memory_limit: .* got -1"),
        ({"memory_limit": True}, "memory_limit: .* got True"),
        ({"executor": 4}, r"executor: expected a concurrent.futures.Executor, got int; write ProcessPoolExecutor\(4\)"),
    ],
)
def test_limits_are_checked_before_the_cache_answers(options: Any, words: str) -> None:
    rc.solve(V >> V)
    with pytest.raises(rc.IncompatibleError, match=words):
        rc.solve(V >> V, **options)


def test_spaces_of_other_maps_name_their_space() -> None:
    for maps in (rc.multilinear([V, V], V), rc.affine_maps(V, V)):
        with pytest.raises(rc.IncompatibleError, match=r"its maps are those of its \.space"):
            rc.solve(maps)  # type: ignore[arg-type]
        assert rc.solve(maps.space).certificate.status == "proved"
