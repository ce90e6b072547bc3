"""A decomposition as block matrices: one group element, in the given coordinates and in those of the decomposition."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.decompose.decomposition import Decomposition
from repcore.exact.grammar import shorten
from repcore.groups.group import Group
from repcore.plot.canvas import library
from repcore.plot.tiles import Place, Tile, draw_tiles, reduction
from repcore.plot.verb import plot
from repcore.word import Letter, Word

__all__ = ["plot_decomposition"]

Array = npt.NDArray[Any]

_LABEL = 0.13  # inches, the height of a line of text
_ROOM = 1.5  # inches for labels, to the right


@plot.register
def plot_decomposition(found: Decomposition, ax: Any = None) -> Any:
    """rho(g) and U^-1 rho(g) U side by side, for one element g: the second has a block for each copy of an irreducible.

    Thick lines are around isotypic components, thin ones around copies; the blocks of copies of one irreducible are equal. g is
    the product of the discrete generators and the exponential of the sum of the others. Of complex matrices the moduli are drawn.
    What is no more than the rounding of the change of basis, whose residual is proved, is drawn as zero.

    Args:
        found: of :func:`repcore.decompose`.
        ax: the axes of matplotlib to draw on; by default those of a new figure.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.

    Cost: three products of n x n arrays.
    """
    rep, n = found.rep, found.rep.dim
    g = _element(rep.group)
    given = g.act(rep, np.eye(n)).T  # rows are moved: those of the identity become the columns of rho(g)
    blocks = found.U_inverse @ given @ found.U
    # U^-1 rho(g) U - D(g) has norm |U^-1| times the residual, and three products of n terms are rounded.
    noise = _norm(found.U_inverse) * _norm(found.U) * (found.residual + 4 * n * np.finfo(float).eps) * max(_norm(given), 1.0)
    tiles = [_tile("in the given coordinates", given, noise), _tile("in those of the decomposition", blocks, noise)]
    down, across = reduction((n, n), 2, ax, 2)
    ax, places = draw_tiles(tiles, (n, n), ax, together=2, right=_ROOM)
    inches = _inches(ax, places)
    unlabelled = _outline(ax, found, places[1], inches)
    lines = [f"{shorten(str(found), 90)}, over {shorten(str(rep.group), 30)}"]
    lines.append(f"{'the moduli of ' if found.is_complex else ''}one element: g = {shorten(str(g), 60)}")
    if (down, across) != (1, 1):
        lines.append(f"a cell shows the largest of {down} x {across} entries")
    if unlabelled:
        lines.append(f"{unlabelled} of {len(found)} components are too small for a label")
    ax.set_title("\n".join(lines), loc="left", fontsize="medium")
    ax.set_xlabel(f"columns: {shorten(str(rep), 50)}, dimension {n}", fontsize="small")
    ax.set_ylabel(f"rows: {shorten(str(rep), 24)}, dimension {n}", fontsize="small")
    return ax


def _element(group: Group) -> Word:
    finite, count = len(group.discrete), len(group.generators)
    letters: list[Letter] = [((i, 1),) for i in range(finite)]
    if count > finite:
        letters.append(tuple((i, 1.0) for i in range(finite, count)))
    return Word(group, letters)


def _norm(matrix: Array) -> float:
    return float(np.linalg.norm(matrix, 2)) if matrix.size else 0.0


def _tile(title: str, matrix: Array, noise: float) -> Tile:
    real = np.abs(matrix) if np.iscomplexobj(matrix) else matrix
    rows, cols = np.nonzero(np.abs(real) > noise)
    return Tile(title, rows, cols, np.asarray(real[rows, cols], np.float64))


def _inches(ax: Any, places: list[Place]) -> float:
    """Inches of a unit of the axes, for the figure is not laid out yet: from its size, and what the tiles take of it."""
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    window = ax.get_window_extent()
    return min(window.width / abs(right - left), window.height / abs(top - bottom)) / ax.figure.dpi if places else 0.0


def _outline(ax: Any, found: Decomposition, place: Place, inches: float) -> int:
    """Lines around components and copies, and what each component is; how many had no room for that."""
    library()
    import matplotlib.patches as patches

    start, without = 0, 0
    for component in found:
        d, size = component.irrep.dim, component.dim
        for copy in range(component.multiplicity):
            at = (place.x + (start + copy * d) * place.width, place.y + (start + copy * d) * place.height)
            ax.add_patch(patches.Rectangle(at, d * place.width, d * place.height, fill=False, edgecolor="0.35", linewidth=0.6))
        at = (place.x + start * place.width, place.y + start * place.height)
        ax.add_patch(patches.Rectangle(at, size * place.width, size * place.height, fill=False, edgecolor="black", linewidth=1.6))
        if size * place.height * inches >= _LABEL:
            middle = place.y + (start + size / 2) * place.height
            ax.text(place.x + (found.rep.dim + 0.5) * place.width, middle, _label(component), va="center", fontsize="small")
        else:
            without += 1
        start += size
    return without


def _label(component: Any) -> str:
    irrep = component.irrep
    kind = "trivial" if irrep.is_trivial else f"dim {irrep.dim}, {irrep.type}"
    return f"{component.multiplicity} x {kind}"
