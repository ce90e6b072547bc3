"""The cells of a box in a space of any dimension: their centres, and how a signed permutation of the axes moves them."""

from __future__ import annotations

from math import prod
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from repcore.errors import DeclarationError, RepresentationError
from repcore.exact.matrix import Matrix
from repcore.groups.group import Group
from repcore.groups.permutations import whole
from repcore.reps.lifted import lift
from repcore.reps.tree import Rep

__all__ = ["box_of", "is_axis_permutation", "moved_cells", "spatial_of", "twice_centres"]

Ints = npt.NDArray[np.int64]

_CELLS = 2**31
_DIRECTIONS = 32


def box_of(k: object, directions: int, where: str = "k") -> tuple[int, ...]:
    """The sizes of a box in array order: an integer stands for the same size in every direction.

    Raises:
        DeclarationError: a size that is no integer >= 1, or a number of sizes that is not ``directions``; more than 32
            directions, or more than 2^31 cells.

    >>> box_of(3, 2), box_of((1, 3, 5), 3)
    ((3, 3), (1, 3, 5))
    """
    given = cast(tuple[Any, ...], tuple(k) if isinstance(k, tuple | list) else (k,))  # pyright: ignore[reportUnknownArgumentType]
    if not all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 1 for n in given):
        raise DeclarationError(f"{where}: a grid has k cells in each direction with integers k >= 1, got {k!r}")
    sizes = tuple(whole(n, where) for n in given)
    if directions > _DIRECTIONS:
        raise DeclarationError(
            f"{where}: a grid has at most {_DIRECTIONS} directions, the spatial representation has {directions}"
        )
    if not isinstance(k, tuple | list):
        sizes = sizes * directions
    elif len(sizes) != directions:
        raise DeclarationError(
            f"{where}: {len(sizes)} sizes {sizes} for {directions} directions; give one size for each coordinate of the "
            "spatial representation, in array order (..., depth, rows, columns), or one integer for all"
        )
    if prod(sizes) > _CELLS:
        raise DeclarationError(f"{where}: {k!r} in {directions} directions makes more than {_CELLS} cells; use a smaller grid")
    return sizes


def spatial_of(group: Group, spatial: Rep | None) -> Rep:
    """How the group moves space: ``spatial``, lifted to the group where it belongs to a factor, or the defining representation.

    Raises:
        RepresentationError: ``spatial`` is no representation, or one of another group.
    """
    if spatial is None:
        return group.rep
    if not isinstance(spatial, Rep):
        kind = type(spatial).__name__
        raise RepresentationError(f"spatial: expected a representation that says how {group} moves space, got {kind}")
    if spatial.group == group:
        return spatial
    if spatial.group in group.factors:
        return lift(spatial, group)
    raise RepresentationError(
        f"spatial: a representation of {spatial.group}, not of {group}; restrict it, V.restrict(G), or lift it to a product"
    )


def twice_centres(sizes: tuple[int, ...]) -> Ints:
    """Twice the centres of the cells, as integers: (directions, cells), coordinate i in row i, cells in the order of the array.

    Coordinate 0 (x) runs along the last axis, coordinate 1 (y) against the axis before it, since rows are counted from the top,
    and coordinate 2 (z) and all further ones along the axes before those. The origin is the middle of the box.

    >>> twice_centres((2, 2)).tolist()
    [[-1, 1, -1, 1], [1, 1, -1, -1]]
    """
    at = np.indices(sizes).reshape(len(sizes), -1)[::-1]
    out = 2 * at - (np.array(sizes[::-1], np.int64) - 1)[:, None]
    if len(sizes) > 1:
        out[1] *= -1
    return out


def is_axis_permutation(g: Matrix) -> bool:
    """Whether a matrix permutes the coordinates up to signs."""
    return g.is_monomial and g.is_integral and bool(np.all(np.abs(g.nums[:, 0]) == 1))


def moved_cells(g: Matrix, sizes: tuple[int, ...], i: int) -> list[int]:
    """The cell to which generator number ``i`` of the group, acting by g, sends each cell.

    Raises:
        RepresentationError: it sends cells to places where no cell is.
    """
    if not is_axis_permutation(g):
        raise RepresentationError(
            f"group: generator {i} of the group does not send grid cells to grid cells; only signed permutations of the axes "
            "do. In the plane those are quarter turns and the reflections in axes and diagonals: use cyclic(4), dihedral(4) or "
            "their subgroups, in space octahedral(); for all others rc.kernels samples smooth kernels"
        )
    extents = np.array(sizes[::-1], np.int64)
    unequal = np.flatnonzero(extents[g.rows] != extents[g.cols])
    if len(unequal):
        first = unequal[0]
        a, b = int(extents[g.cols[first]]), int(extents[g.rows[first]])
        raise RepresentationError(
            f"group: generator {i} of the group takes a direction of {a} cells to one of {b}, and so leaves the grid of "
            f"{' x '.join(map(str, sizes))} cells; take equal sizes in those directions, or a subgroup without this generator"
        )
    matrix = np.zeros(g.shape, np.int64)
    matrix[g.rows, g.cols] = g.nums[:, 0]
    places = matrix @ twice_centres(sizes)
    if len(sizes) > 1:
        places[1] *= -1
    at = (places + extents[:, None] - 1) // 2
    images: Ints = np.asarray(np.ravel_multi_index(tuple(at[::-1]), sizes), np.int64)
    return images.tolist()
