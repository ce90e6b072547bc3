"""`verify` is a second opinion: it passes what is right and finds every error that is planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.basis import EquivariantBasis
from repcore.exact.matrix import Matrix, from_coo

SPACES: dict[str, Callable[[], Any]] = {
    "S4": lambda: (lambda v: v**2 >> v)(rc.symmetric(4).rep),
    "B2 signed": lambda: (lambda v: v**2 >> v**2)(rc.hyperoctahedral(2).rep),
    "D5": lambda: (lambda v: v**2 >> v**2)(rc.dihedral(5).rep),
    "SO(3)": lambda: (lambda v: v**2 >> v**2)(rc.SO(3).rep),
    "O(2) copies": lambda: (lambda v, one: 2 * one + 3 * v >> 2 * v + one)(rc.O(2).rep, rc.trivial(rc.O(2))),
    "SU(2)": lambda: (lambda v: v**2 >> v * v.conj)(rc.SU(2).rep),
    "affine": lambda: (lambda v: v**2 >> v)(rc.affine(2).rep),
    "icosahedral": lambda: (lambda v: v**2 >> v**2)(rc.icosahedral().rep),
}


def altered(basis: EquivariantBasis, change: Callable[[Matrix], Matrix]) -> EquivariantBasis:
    """The same basis with another first block."""
    first = basis.blocks[0]
    matrix = change(first.basis)
    order = first.order if matrix.shape[0] == first.basis.shape[0] else first.order[:, :, : matrix.shape[0]]
    return replace(basis, blocks=(replace(first, basis=matrix, order=order), *basis.blocks[1:]))


def rows(m: Matrix, chosen: list[int]) -> Matrix:
    pick = rc.matrix([[int(c == r) for c in range(m.shape[0])] for r in chosen])
    return pick @ m


def wrong_entry(m: Matrix) -> Matrix:
    nums = m.nums.copy()
    nums[-1, 0] += m.den
    return from_coo(m.shape, m.field, m.rows, m.cols, nums, m.den)


def wrong_place(m: Matrix) -> Matrix:
    """The last entry one column to the side."""
    cols = m.cols.copy()
    cols[-1] += 1 if cols[-1] + 1 < m.shape[1] else -1
    return from_coo(m.shape, m.field, m.rows, cols, m.nums, m.den)


def wrong_sign(m: Matrix) -> Matrix:
    nums = m.nums.copy()
    nums[-1] *= -1
    return from_coo(m.shape, m.field, m.rows, m.cols, nums, m.den)


def scaled(m: Matrix) -> Matrix:
    return m * 2


def last_element_scaled(m: Matrix) -> Matrix:
    k = m.shape[0]
    return rc.matrix([[(-1 if i == k - 1 else 1) if i == j else 0 for j in range(k)] for i in range(k)]) @ m


def swapped(m: Matrix) -> Matrix:
    return rows(m, [1, 0, *range(2, m.shape[0])])


def not_reduced(m: Matrix) -> Matrix:
    k = m.shape[0]
    return rc.matrix([[int(i == j) + int((i, j) == (0, k - 1)) for j in range(k)] for i in range(k)]) @ m


def repeated(m: Matrix) -> Matrix:
    return rows(m, [0, 0, *range(2, m.shape[0])])


def missing(m: Matrix) -> Matrix:
    return rows(m, list(range(m.shape[0] - 1)))


def zeroed(m: Matrix) -> Matrix:
    k = m.shape[0]
    return rc.matrix([[int(i == j and i < k - 1) for j in range(k)] for i in range(k)]) @ m


# the change, how many elements it needs, and which of the three answers must be False
ERRORS: list[tuple[Callable[[Matrix], Matrix], int, str]] = [
    (wrong_entry, 1, "sound"),
    (wrong_place, 1, "sound"),
    (wrong_sign, 1, "sound"),
    (scaled, 1, "canonical"),
    (last_element_scaled, 1, "canonical"),
    (swapped, 2, "canonical"),
    (not_reduced, 2, "canonical"),
    (repeated, 2, "canonical"),
    (zeroed, 2, "canonical"),
    (missing, 2, "complete"),
]


@pytest.mark.parametrize("name", SPACES)
def test_right_bases_pass(name: str) -> None:
    found = rc.verify(rc.solve(SPACES[name](), store=None))
    assert found
    assert (found.sound, found.canonical, found.complete) == (True, True, True)
    assert str(found).startswith("verified\n")


# The first blocks of all spaces but one have two elements and more.
PLANTED = [(name, *row) for name in SPACES for row in ERRORS if row[1] == 1 or name != "O(2) copies"]


@pytest.mark.parametrize(
    ("name", "change", "needs", "answer"), PLANTED, ids=[f"{name}-{row[0].__name__}" for name, *row in PLANTED]
)
def test_planted_errors_are_found(name: str, change: Callable[[Matrix], Matrix], needs: int, answer: str) -> None:
    basis = rc.solve(SPACES[name](), store=None)
    assert basis.blocks[0].basis.shape[0] >= needs
    wrong = altered(basis, change)
    found = rc.verify(wrong)
    assert not found
    assert getattr(found, answer) is False
    assert str(found).startswith("NOT verified\n")
    assert wrong.certificate.status == "proved"  # the certificate alone would not have told


@pytest.mark.parametrize("name", SPACES)
def test_a_missing_block_is_found(name: str) -> None:
    basis = rc.solve(SPACES[name](), store=None)
    found = rc.verify(replace(basis, blocks=basis.blocks[1:]))
    assert not found


def test_a_foreign_block_is_found() -> None:
    V = rc.SO(3).rep
    basis, other = rc.solve(V >> V, store=None), rc.solve(V**2 >> V, store=None)
    found = rc.verify(replace(basis, blocks=(*basis.blocks, *other.blocks)))
    assert not found
    assert any("no pair of summands" in note for note in found.notes)


def test_a_basis_of_another_space_is_found() -> None:
    V = rc.SO(3).rep
    square = rc.solve(V**2 >> V**2, store=None)
    # The same shapes under another group, where fewer and where more maps exist.
    for group in (rc.SL(3), rc.octahedral(), rc.scaling(3)):
        W = group.rep
        assert not rc.verify(replace(square, space=W**2 >> W**2))
    # O(3) has the same answer in even order.
    assert rc.verify(replace(square, space=rc.O(3).rep ** 2 >> rc.O(3).rep ** 2))


@pytest.mark.parametrize("seed", range(3))
def test_a_wrong_order_is_found(seed: int) -> None:
    basis = rc.solve(SPACES["O(2) copies"](), store=None)
    first = basis.blocks[0]
    order = np.random.default_rng(seed).permutation(first.order.ravel()).reshape(first.order.shape)
    if np.array_equal(order, first.order):
        order = order[::-1]
    found = rc.verify(replace(basis, blocks=(replace(first, order=order), *basis.blocks[1:])))
    assert found.canonical is False
    assert any("order" in note for note in found.notes)


def test_what_is_too_large_to_count_is_said() -> None:
    basis = rc.solve(rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2, store=None)
    found = rc.verify(basis, count_limit=80)
    assert found
    assert found.complete is None
    assert any("more than count_limit = 80" in note for note in found.notes)
    assert rc.verify(basis, count_limit=81).complete is True
    # One block too large does not hide another that is wrong.
    space = rc.SO(3).rep ** 2 + rc.trivial(rc.SO(3)) >> rc.trivial(rc.SO(3))
    both = rc.solve(space, store=None)
    wrong = replace(both, blocks=tuple(b for b in both.blocks if b.cols.shape[1] != 1))
    assert rc.verify(wrong, count_limit=5).complete is False


def test_permutation_spaces_are_counted_at_any_size() -> None:
    basis = rc.solve(rc.symmetric(30).rep ** 2 >> rc.symmetric(30).rep, store=None)
    found = rc.verify(basis, count_limit=10)
    assert found.complete is True
    assert any("walking" in note for note in found.notes)


def test_large_bases_of_permutations_with_a_merged_orbit_are_found() -> None:
    basis = rc.solve(rc.symmetric(12).rep ** 2 >> rc.symmetric(12).rep, store=None)

    def merged(m: Matrix) -> Matrix:
        k = m.shape[0]
        return rc.matrix([[int(i == j or (i, j) == (k - 2, k - 1)) for j in range(k)] for i in range(k - 1)]) @ m

    found = rc.verify(altered(basis, merged))
    assert (found.sound, found.complete) == (True, False)


def test_verify_uses_no_code_of_the_solver() -> None:
    import ast
    import inspect

    from repcore import verify as module

    source = inspect.getsource(inspect.getmodule(module) or module)
    imported = {
        node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) and node.module is not None
    }
    assert imported
    assert not any(name.startswith("repcore.solve") for name in imported)


def test_what_is_no_basis_is_named() -> None:
    V = rc.dihedral(4).rep
    with pytest.raises(rc.IncompatibleError, match=r"basis: expected a solved basis, got Hom; write verify\(solve"):
        rc.verify(V >> V)  # type: ignore[arg-type]
