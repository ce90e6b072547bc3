"""Permutation representations: on the points of a permutation group, on given points, on the cells of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from repcore.errors import RepresentationError
from repcore.exact.matrix import permutation_matrix, zeros
from repcore.groups.group import Group
from repcore.groups.permutations import parse_permutations
from repcore.reps.cells import box_of, moved_cells, spatial_of
from repcore.reps.custom import Custom
from repcore.reps.stencils import directions_of, make_stencils
from repcore.reps.tree import Rep, trivial

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


def grid(group: Group, k: int | Sequence[int], *, spatial: Rep | None = None, approximate: bool = False) -> Rep:
    """The action of a group of signed permutation matrices on a box of cells, as a permutation representation.

    The array has the axes (..., depth, row, column). A cell's centre has x along the columns, y up, against the rows, which are
    counted from the top, and z along the depth; further coordinates along further axes to the left. In the plane the cell (i, j)
    of a k x k array has x = j - (k - 1)/2, y = (k - 1)/2 - i. g sends the cell at q to the one at rho(g) q, with rho the spatial
    representation. Cells are numbered like ``image.reshape(-1)``, in the plane row by row, i * k + j.

    Args:
        group: the group.
        k: the number of cells in every direction, or the sizes in array order, such as ``(3, 5)`` for 3 rows and 5 columns.
        spatial: how the group moves space: a representation of the group, or of one of its factors, with one coordinate for each
            direction. By default ``group.rep``.
        approximate: take Lie generators that move space as well: rotations by every angle, scalings, translations and affine
            maps, as finite differences with exact rational entries, and 0 outside of the grid. Groups on homogeneous columns (x,
            1), such as ``SE(2)``, have one direction less than coordinates.

    *Approximate* actions are for soft filters (:func:`repcore.soften`), and are no representations, which their ``checked`` and
    ``repr`` say: on rough patterns a whole turn is as far from the identity as can be, at distance 2. Their strict space is a
    trap: it is what commutes with these matrices, and not with rotations. A rotation by finite differences leaves k patterns of a
    k x k grid alone, near radial functions where those are smooth; interpolated images at several angles share even less, one
    pixel or a constant. Where strict is wanted take ``rc.functions``, a space of functions on which rotations really act, or
    ``rc.kernels`` for convolutions.

    Raises:
        DeclarationError: sizes that are no integers >= 1, or not one for each direction.
        RepresentationError: a generator does not send cells to cells (a rotation by another angle than a quarter turn, a Lie
            generator, an exchange of directions with different sizes); ``spatial`` of another group.

    >>> from repcore import cyclic, octahedral
    >>> grid(cyclic(4), 2).matrix(0).tolist()
    [[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]]
    >>> grid(octahedral(), 3).dim, grid(cyclic(2), (3, 5)).dim
    (27, 15)
    >>> from repcore import SO
    >>> turn = grid(SO(2), 5, approximate=True)
    >>> turn, turn.checked[:11], turn.matrix(0).T == -turn.matrix(0)
    (grid(SO(2), 5, approximate=True), 'approximate', True)
    """
    rho = spatial_of(group, spatial)
    count = len(group.discrete)
    images = rho.matrices
    if approximate and any(not a.is_zero for a in images[count:]):
        directions, _ = directions_of(images, count)
        of = "" if spatial is None else f", spatial={spatial!r}"
        return make_stencils(group, images, box_of(k, directions), f"grid({group!r}, {k!r}{of}, approximate=True)")
    sizes = box_of(k, rho.dim)
    if any(not a.is_zero for a in images[count:]):
        raise RepresentationError(
            f"group: {group} has Lie generators that move space, such as rotations by every angle, and those do not send cells "
            "to cells; for them rc.kernels samples smooth kernels, and approximate=True finite differences, for soft filters"
        )
    moves = [permutation_matrix(moved_cells(g, sizes, i)) for i, g in enumerate(images[:count])]
    if not images:
        return prod(sizes) * trivial(group)
    square = len(sizes) == 2 and sizes[0] == sizes[1]
    name = f"grid{sizes[0] if square else 'x'.join(map(str, sizes))}"
    return Custom(group, moves, [zeros((prod(sizes), prod(sizes)))] * len(group.lie), name)
