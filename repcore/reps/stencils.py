"""Groups that do not send cells to cells, acting on a grid by finite differences: approximate, and marked so.

An infinitesimal motion q -> q + t (A q + b) moves an image by -(A q + b) . grad f. With central differences for the gradient and
0 outside of the grid that is a sparse rational matrix, a stencil. For a rotation it is antisymmetric, so that exp(t stencil) is
orthogonal; but it is no representation of the rotations: a whole turn, exp(2 pi stencil), is not the identity, and brackets of
several generators hold only as far as the image is smooth on the scale of cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from repcore.errors import RepresentationError
from repcore.exact.field import QQ
from repcore.exact.matrix import Matrix, from_coo, permutation_matrix, zeros
from repcore.groups.group import Group
from repcore.reps.cells import moved_cells, twice_centres
from repcore.reps.custom import Custom

__all__ = ["Stencils", "directions_of", "make_stencils"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Stencils(Custom):
    """The interpolated action on a grid; made by ``rc.grid(G, k, approximate=True)``. Not a representation: see there.

    Attributes:
        checked: says that it is approximate, and what is lost.
        asked: the call that made it.
    """

    asked: str = field(default="")

    def __init__(
        self, group: Group, discrete: Sequence[Matrix], lie: Sequence[Matrix], name: str, checked: str, asked: str
    ) -> None:
        found = {"group": group, "discrete": tuple(discrete), "lie": tuple(lie), "name": name, "checked": checked, "asked": asked}
        for key, value in found.items():
            object.__setattr__(self, key, value)

    def __repr__(self) -> str:
        return self.asked


def directions_of(images: Sequence[Matrix], many: int) -> tuple[int, bool]:
    """How many directions the matrices move, and whether they act on homogeneous columns (x, 1).

    They do if none of them changes the last coordinate and some of them translates.

    Args:
        images: of the discrete generators, then of the Lie generators.
        many: how many are discrete.
    """
    n = images[0].shape[0] if images else 0
    moves = False
    for i, m in enumerate(images):
        last = {(j, str(v)) for r, j, v in m.entries() if r == n - 1}
        if last != ({(n - 1, "1")} if i < many else set()):
            return n, False
        moves = moves or any(r < n - 1 and j == n - 1 for r, j, _ in m.entries())
    return (n - 1, True) if moves else (n, False)


def make_stencils(group: Group, images: Sequence[Matrix], sizes: tuple[int, ...], asked: str) -> Stencils:
    """The stencils of a group on a box.

    Args:
        group: the group.
        images: how its generators move space, of size len(sizes), or one more for homogeneous columns.
        sizes: of the box.
        asked: the call.

    Raises:
        RepresentationError: a discrete generator that does not send cells to cells, or translates.
    """
    many, n = len(group.discrete), len(sizes)
    discrete: list[Matrix] = []
    for i, g in enumerate(images[:many]):
        inner = _block(g, n)
        if g.shape[0] > n and any(r < n and j == n for r, j, _ in g.entries()):
            raise RepresentationError(
                f"group: generator {i} of the group is a discrete translation, which leaves the grid; declare translations by "
                "Lie generators"
            )
        discrete.append(permutation_matrix(moved_cells(inner, sizes, i)))
    at, slopes = twice_centres(sizes), [_slope(sizes, i) for i in range(n)]
    lie = [_stencil(a, at, slopes) for a in images[many:]]
    name = f"grid{'x'.join(map(str, sizes)) if len(set(sizes)) > 1 or n != 2 else sizes[0]}~"
    checked = (
        "approximate: central differences, 0 outside of the grid; exp(2 pi A) of a rotation is not 1, and relations between "
        "several generators hold for smooth images only"
    )
    return Stencils(group, discrete, lie, name, checked, asked)


def _block(g: Matrix, n: int) -> Matrix:
    inside = (g.rows < n) & (g.cols < n)
    return from_coo((n, n), g.field, g.rows[inside], g.cols[inside], g.nums[inside], g.den)


def _stencil(a: Matrix, at: Ints, slopes: Sequence[tuple[Ints, Ints, Ints]]) -> Matrix:
    """-(A q + b) . grad, with exact coefficients; ``at`` is twice q."""
    n, cells = at.shape
    out = zeros((cells, cells))
    for i, j, value in a.entries():
        if i >= n:
            continue
        rows, cols, signs = slopes[i]
        # Half of a central difference times half of twice a coordinate.
        factors = at[j, rows] * signs if j < n else 2 * signs
        out = out - from_coo((cells, cells), QQ, rows, cols, factors.astype(object).reshape(-1, 1), 4) * value
    return out


def _slope(sizes: tuple[int, ...], i: int) -> tuple[Ints, Ints, Ints]:
    """Twice the central difference along coordinate i, as rows, columns and signs; 0 outside of the grid."""
    n = len(sizes)
    axis = n - 1 - i
    index = np.arange(int(np.prod(sizes)), dtype=np.int64).reshape(sizes)
    low = np.take(index, np.arange(sizes[axis] - 1), axis).ravel()
    high = np.take(index, np.arange(1, sizes[axis]), axis).ravel()
    # y runs against the rows.
    sign = -1 if n > 1 and i == 1 else 1
    ones = np.full(low.size, sign, np.int64)
    return np.r_[low, high], np.r_[high, low], np.r_[ones, -ones]
