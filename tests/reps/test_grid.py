"""Grids in any number of directions, with any sizes, and under any spatial representation."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import repcore as rc


def images(rep: rc.Rep, picture: np.ndarray) -> list[np.ndarray]:
    return [(m.to_numpy().astype(int) @ picture.ravel()).reshape(picture.shape) for m in rep.matrices]


def test_a_line_is_turned_around() -> None:
    flip = rc.Group([[[-1]]])
    line = np.arange(5)
    (turned,) = images(rc.grid(flip, 5), line)
    assert np.array_equal(turned, line[::-1])
    (same,) = images(rc.grid(flip, (5,)), line)
    assert np.array_equal(same, turned)


def test_a_half_turn_keeps_an_oblong() -> None:
    picture = np.arange(15).reshape(3, 5)
    (turned,) = images(rc.grid(rc.cyclic(2), (3, 5)), picture)
    assert np.array_equal(turned, np.rot90(picture, 2))


@pytest.mark.parametrize("k", [2, 3])
def test_quarter_turns_of_a_volume(k: int) -> None:
    """About z, the depth: counter-clockwise in each slice, as in the plane. About x: y goes to z, z to -y."""
    about_z = rc.Group([[[0, -1, 0], [1, 0, 0], [0, 0, 1]]])
    about_x = rc.Group([[[1, 0, 0], [0, 0, -1], [0, 1, 0]]])
    volume = np.arange(k**3).reshape(k, k, k)
    (turned,) = images(rc.grid(about_z, k), volume)
    assert np.array_equal(turned, np.rot90(volume, axes=(1, 2)))
    (tipped,) = images(rc.grid(about_x, k), volume)
    # What lies at the top (row 0, y = 1) goes to the back (the last depth, z = 1).
    assert np.array_equal(tipped[-1, 0], volume[0, 0])
    assert np.array_equal(tipped, np.rot90(volume, axes=(0, 1)))


@pytest.mark.parametrize(
    ("group", "sizes"),
    [
        (rc.octahedral(full=True), (3, 3, 3)),
        (rc.tetrahedral(), (2, 2, 2)),
        (rc.hyperoctahedral(3), (4, 4, 4)),
        (rc.hyperoctahedral(4), (2, 2, 2, 2)),
        (rc.symmetric(3), (3, 3, 3)),
        (rc.Group([[[-1, 0, 0], [0, 0, 1], [0, 1, 0]]]), (3, 3, 2)),
        (rc.Group([[[-1]]]), (4,)),
    ],
    ids=str,
)
def test_cells_move_with_their_centres(group: rc.Group, sizes: tuple[int, ...]) -> None:
    """By the definition: column along x, row against y, depth and further axes along their coordinates."""
    centres = []
    for at in itertools.product(*map(range, sizes)):
        q = [i - (k - 1) / 2 for i, k in zip(at, sizes, strict=True)][::-1]
        if len(q) > 1:
            q[1] = -q[1]
        centres.append(q)
    P = rc.grid(group, sizes)
    assert rc.grid(group, list(sizes)) == P
    for g, shown in zip(group.discrete, P.matrices, strict=True):
        assert shown.is_permutation
        for cell, q in enumerate(centres):
            image = int(np.flatnonzero(shown.to_numpy()[:, cell])[0])
            assert np.array_equal(g.to_numpy() @ q, centres[image])


def test_one_integer_means_all_directions() -> None:
    assert rc.grid(rc.octahedral(), 3) == rc.grid(rc.octahedral(), (3, 3, 3))
    assert rc.grid(rc.cyclic(4), 3) == rc.grid(rc.cyclic(4), (3, 3)) == rc.grid(rc.cyclic(4), np.int64(3))


@pytest.mark.parametrize(
    ("k", "name"), [(3, "grid3"), ((3, 3), "grid3"), ((3, 5), "grid3x5"), (np.int64(4), "grid4"), ([2, 2], "grid2")]
)
def test_names(k: Any, name: str) -> None:
    assert str(rc.grid(rc.cyclic(2), k)) == name


def test_the_spatial_representation() -> None:
    C4, S3 = rc.cyclic(4), rc.symmetric(3)
    G = C4 @ S3
    P = rc.grid(G, 3, spatial=C4.rep)
    assert P.matrix(0) == rc.grid(C4, 3).matrix(0)
    assert all(m.is_identity for m in P.matrices[1:])
    assert rc.grid(G, 3, spatial=rc.lift(C4.rep, G)) == P

    # Z_4 as permutations of four points, which turn the plane by quarters.
    Z4 = rc.PermutationGroup([[1, 2, 3, 0]])
    turn = rc.Rep(Z4, discrete=[[[0, -1], [1, 0]]])
    assert rc.grid(Z4, 5, spatial=turn).matrix(0) == rc.grid(C4, 5).matrix(0)

    # A Lie group beside it that leaves space alone.
    H = C4 @ rc.SO(3)
    Q = rc.grid(H, 2, spatial=C4.rep)
    assert Q.matrix(0) == rc.grid(C4, 2).matrix(0)
    assert all(m.is_zero for m in Q.matrices[1:])


def test_a_group_without_generators_leaves_every_cell() -> None:
    G = rc.Group(dim=2)
    assert rc.grid(G, (2, 3)) == 6 * rc.trivial(G)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rc.grid(rc.dihedral(4), (3, 5)), ["generator 0", "3 cells to one of 5", "3 x 5", "equal sizes"]),
        (lambda: rc.grid(rc.cyclic(8), 3), ["generator 0", "quarter turns", "rc.kernels"]),
        (lambda: rc.grid(rc.SO(2), 3), ["SO(2)", "Lie generators", "rc.kernels"]),
        (lambda: rc.grid(rc.cyclic(4), 3, spatial=rc.cyclic(2).rep), ["spatial", "C2", "C4"]),
        (lambda: rc.grid(rc.cyclic(4), 3, spatial=3), ["spatial", "int"]),
        (lambda: rc.grid(rc.cyclic(4), (3,)), ["k: 1 sizes (3,) for 2 directions"]),
    ],
)
def test_mistakes_are_named_with_their_repair(call: Any, words: list[str]) -> None:
    with pytest.raises(rc.RepcoreError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_a_reflection_of_an_oblong_leaves_only_the_other_generator_out() -> None:
    """Every generator is looked at by itself: the reflections keep 3 x 5 cells, the quarter turn does not."""
    flips = rc.Group([[[1, 0], [0, -1]], [[-1, 0], [0, 1]]])
    picture = np.arange(15).reshape(3, 5)
    down, side = images(rc.grid(flips, (3, 5)), picture)
    assert np.array_equal(down, np.flipud(picture))
    assert np.array_equal(side, np.fliplr(picture))
