"""A basis as tiles: one for each element, a cell for each entry."""

from __future__ import annotations

from typing import Any

import numpy as np

from repcore.basis import EquivariantBasis
from repcore.errors import IncompatibleError
from repcore.exact.grammar import shorten
from repcore.exact.matrix import Matrix
from repcore.plot.tiles import Place, Tile, draw_tiles, reduction
from repcore.plot.verb import plot
from repcore.reps.hom import Hom
from repcore.reps.scales import scale_squares, scales
from repcore.reps.tree import Rep, Sum
from repcore.store.cached import solve

__all__ = ["plot_basis", "plot_space"]

_LINES = 40  # lines between summands, at most


@plot.register
def plot_space(space: Hom, ax: Any = None, *, most: int = 16) -> Any:
    """The basis of a space, which is solved first; see :func:`plot_basis`."""
    return plot_basis(solve(space), ax, most=most)


@plot.register
def plot_basis(basis: EquivariantBasis, ax: Any = None, *, most: int = 16) -> Any:
    """The first elements of a basis as tiles, in canonical order: row i, column j of a tile is what x_j adds to y_i.

    Where cells are large enough the exact entries are written in them; lines part the summands of X and Y. Where an element
    is complex, each has its imaginary part beside the real one. Coordinates are those of ``basis.to_numpy``.

    Args:
        basis: what to draw.
        ax: the axes of matplotlib to draw on; by default those of a new figure.
        most: how many elements, at most.

    Returns:
        The axes.

    Raises:
        IncompatibleError: ``most`` is not positive. ImportError: matplotlib is not installed.

    Cost: one pass over the drawn elements; matrices that are too large for their tile are never made dense.
    """
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"most: expected a number of elements >= 1, got {most!r}")
    space, count = basis.space, min(basis.dim, most)
    elements = [basis[k] for k in range(count)]
    parts = ("Re ", "Im ") if any(bool(np.imag(element.values()).any()) for element in elements) else ("",)
    tiles = [tile for k, element in enumerate(elements) for tile in _tiles(basis, k, element, parts)]
    shown = tiles or [Tile("0", np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    down, across = reduction(basis.shape, len(shown), ax, len(parts))
    ax, places = draw_tiles(shown, basis.shape, ax, together=len(parts))
    for place in places:
        for axis, rep in enumerate((space.codomain, space.domain)):
            _part(ax, rep, axis, place, basis.shape)
    lines = [f"{shorten(str(space), 70)} over {shorten(str(space.group), 30)}", _how_many(basis.dim, count)]
    if (down, across) != (1, 1):
        lines.append(f"a cell shows the largest of {down} x {across} entries")
    ax.set_title("\n".join(lines), loc="left", fontsize="medium")
    ax.set_xlabel(f"columns: {shorten(str(space.domain), 50)}, dimension {basis.shape[1]}", fontsize="small")
    ax.set_ylabel(f"rows: {shorten(str(space.codomain), 24)}, dimension {basis.shape[0]}", fontsize="small")
    return ax


def _how_many(dim: int, count: int) -> str:
    if dim == 0:
        return "the only equivariant map is 0"
    if dim == 1:
        return "one equivariant map, and its multiples"
    return f"all {dim} elements of the basis" if count == dim else f"the first {count} of {dim} elements of the basis"


def _tiles(basis: EquivariantBasis, k: int, element: Matrix, parts: tuple[str, ...]) -> list[Tile]:
    values = element.values()
    x, y = basis.space.domain, basis.space.codomain
    if scale_squares(x) is None and scale_squares(y) is None:
        texts = [str(value) for _, _, value in element.entries()] if len(parts) == 1 else []
    else:
        values = values * (scales(y)[element.rows] / scales(x)[element.cols])
        texts = [f"{v:.3g}" for v in values] if len(parts) == 1 else []
    out: list[Tile] = []
    for part in parts:
        real = np.asarray(np.imag(values) if part == "Im " else np.real(values), np.float64)
        some = real != 0
        written = texts or [f"{v:.3g}" for v in real]
        kept = [text for text, keep in zip(written, some.tolist(), strict=True) if keep]
        out.append(Tile(f"{part}$B_{{{k + 1}}}$", element.rows[some], element.cols[some], real[some], kept))
    return out


def _part(ax: Any, rep: Rep, axis: int, place: Place, shape: tuple[int, int]) -> None:
    """Thin lines between the summands of a representation, if there are few."""
    if not isinstance(rep, Sum) or sum(copies for copies, _ in rep.terms) > _LINES:
        return
    look = {"color": "0.35", "linewidth": 0.6, "linestyle": (0, (4, 2))}
    xs = (place.x, place.x + shape[1] * place.width)
    ys = (place.y, place.y + shape[0] * place.height)
    for end in np.cumsum([v.dim for copies, v in rep.terms for _ in range(copies)])[:-1].tolist():
        if axis == 0:
            ax.plot(xs, [place.y + end * place.height] * 2, **look)
        else:
            ax.plot([place.x + end * place.width] * 2, ys, **look)
