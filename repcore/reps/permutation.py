"""Permutation representations: on the points of a permutation group, on given points, on the cells of a grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from repcore.errors import DeclarationError, RepresentationError
from repcore.exact.matrix import Matrix, permutation_matrix
from repcore.groups.group import Group
from repcore.groups.permutations import parse_permutations
from repcore.reps.custom import Custom
from repcore.reps.tree import Rep

__all__ = ["grid", "permutation"]


def permutation(group: Group, images: Sequence[Sequence[int] | str] | None = None, *, name: str = "") -> Rep:
    """A representation of a group by permutations of points.

    Args:
        group: the group.
        images: how each discrete generator permutes the points, as lists of images or cycles. Left out for a permutation
            group, which then acts on its own points.
        name: a label.

    Raises:
        RepresentationError: ``images`` left out for a group that is not given by permutations, Lie generators present, or
            images that break a relation of the group.

    >>> from repcore import cyclic, symmetric
    >>> permutation(symmetric(4)).dim
    4
    >>> permutation(cyclic(4), ["(0 1 2 3)"]).checked
    'proved'
    """
    if images is None:
        if not group.is_permutation:
            raise RepresentationError(
                f"images: {group} is not given by permutations; say how each generator permutes the points, "
                "or use regular(G) or quotient(G, H)"
            )
        return group.rep
    if any(not a.is_zero for a in group.lie):
        raise RepresentationError(f"group: {group} is connected in part, so it permutes no finite set of points non-trivially")
    moves = parse_permutations(images, None, "images")
    width = len(moves[0]) if moves else 0
    zero = [[[0] * width] * width for _ in group.lie]
    return Custom(group, [permutation_matrix(p) for p in moves], zero, name or "points")


def grid(group: Group, k: int) -> Rep:
    """The action of a group of 2 x 2 signed permutation matrices on a k x k array of cells, as a permutation representation.

    Cell (i, j), row i from the top, has centre x = j - (k - 1)/2, y = (k - 1)/2 - i; g sends the cell at (x, y) to the one at
    g (x, y). Cells are numbered row by row, i * k + j, like ``image.reshape(-1)``.

    Raises:
        RepresentationError: a generator does not send cells to cells (a rotation by another angle than a quarter turn, or a
            Lie generator).

    >>> from repcore import cyclic
    >>> grid(cyclic(4), 2).matrix(0).tolist()
    [[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]]
    """
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise DeclarationError(f"k: a grid has k x k cells with an integer k >= 1, got {k!r}")
    if group.dim != 2:
        raise RepresentationError(f"group: a grid wants a group of 2 x 2 matrices, {group} has dimension {group.dim}")
    if any(not a.is_zero for a in group.lie):
        raise RepresentationError(f"group: {group} contains rotations by every angle, and those do not send cells to cells")
    return permutation(group, [_moved_cells(g, k, i) for i, g in enumerate(group.discrete)], name=f"grid{k}")


def _moved_cells(g: Matrix, k: int, i: int) -> list[int]:
    if not (g.is_monomial and g.is_integral and bool(np.all(np.abs(g.nums[:, 0]) == 1))):
        raise RepresentationError(
            f"group: generator {i} of the group does not send grid cells to grid cells; only quarter turns and the "
            "reflections in axes and diagonals do, use cyclic(4), dihedral(4) or their subgroups"
        )
    matrix = np.zeros((2, 2), np.int64)
    matrix[g.rows, g.cols] = g.nums[:, 0]
    row, col = np.divmod(np.arange(k * k), k)
    # Twice the centres, so that they are integers.
    x, y = 2 * col - (k - 1), (k - 1) - 2 * row
    u, v = matrix @ np.stack([x, y])
    return (((k - 1 - v) // 2) * k + (u + k - 1) // 2).tolist()
