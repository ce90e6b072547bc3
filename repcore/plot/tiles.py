"""Matrices side by side, as tiles of shaded cells that tell signs apart without colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.plot.canvas import library, new_axes

__all__ = ["Place", "Tile", "draw_tiles", "reduction", "shades"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Red, green and blue at the smallest and at the largest modulus. Zero is white, negative entries are lighter than all positive
# ones: the bands do not meet in lightness either, so that a grey copy says the same.
_NEGATIVE = ((1.0, 0.92, 0.78), (0.95, 0.63, 0.25))
_POSITIVE = ((0.42, 0.56, 0.76), (0.03, 0.10, 0.30))

_DOTS = 72  # the cells that an inch may hold: at 100 dots each has one at least
_TALL = 4.0  # the longest side of a tile over its shortest
_WIDE = 1.2  # of a picture: width over height
_WIDTH = 8.4  # inches, of all tiles of a new figure
_HEIGHT = 7.5  # likewise
_CELL = 0.5  # inches, the largest cell
_TITLE = 0.21  # inches, for the title above a tile
_GAP = 0.28  # inches between tiles
_TEXTS = 600  # more texts than that are a grey mass


@dataclass(frozen=True, eq=False)
class Tile:
    """A real matrix by its entries other than zero.

    Attributes:
        title: what stands above it.
        rows, cols: (nnz,) places.
        values: (nnz,) entries.
        texts: (nnz,) what is written in the cells, where there is room.
    """

    title: str
    rows: Ints
    cols: Ints
    values: Floats
    texts: Sequence[str] = ()


@dataclass(frozen=True)
class Place:
    """Where a tile is, in the coordinates of the axes: its upper left corner, and the size of a cell."""

    x: float
    y: float
    width: float
    height: float


def shades(values: Floats, largest: float) -> Floats:
    """(n,) -> (n, 3): the colour of entries, by sign and by modulus relative to the largest."""
    depth = np.minimum(np.abs(values) / largest, 1.0)[:, None] if largest else np.zeros((len(values), 1))
    low, high = (np.where(values[:, None] < 0, np.array(_NEGATIVE[i]), np.array(_POSITIVE[i])) for i in (0, 1))
    return np.where(values[:, None] == 0, 1.0, low + (high - low) * depth)


@dataclass(frozen=True)
class _Sheet:
    """How tiles are laid out, in units of the longer side of a tile."""

    columns: int
    rows: int
    box: tuple[float, float]
    inches: float

    @property
    def gap(self) -> float:
        return _GAP / self.inches

    @property
    def step(self) -> tuple[float, float]:
        return self.box[0] + self.gap, self.box[1] + self.gap + _TITLE / self.inches

    @property
    def extent(self) -> tuple[float, float]:
        return self.columns * self.step[0] - self.gap, self.rows * self.step[1] - self.gap


def _sheet(count: int, shape: tuple[int, int], ax: Any, together: int) -> _Sheet:
    m, n = shape
    box = (max(min(1.0, n / m), 1 / _TALL), max(min(1.0, m / n), 1 / _TALL))
    best: _Sheet | None = None
    for columns in range(together, count + 1, together):
        rows = ceil(count / columns)
        if ax is None:
            width, height, most = _WIDTH, _HEIGHT, min(_CELL * max(m, n), 4.5)
        else:
            window = ax.get_window_extent()
            width, height, most = window.width / ax.figure.dpi, window.height / ax.figure.dpi, inf
        across, down = (width - columns * _GAP) / (columns * box[0]), (height - rows * (_GAP + _TITLE)) / (rows * box[1])
        inches = min(across, down, most)
        if inches <= 0.05:
            continue
        sheet = _Sheet(columns, rows, box, inches)
        if best is None or _badness(sheet, count, ax) < _badness(best, count, ax):
            best = sheet
    return best or _Sheet(together, ceil(count / together), box, 0.1)


def _badness(sheet: _Sheet, count: int, ax: Any) -> float:
    """Axes that are given: the largest tiles. A figure of our own: the shape of a page, and no row that is half empty."""
    if ax is not None:
        return -sheet.inches
    width, height = sheet.extent
    return abs(float(np.log(width / height / _WIDE))) + (sheet.columns * sheet.rows - count) / count


def draw_tiles(
    tiles: Sequence[Tile], shape: tuple[int, int], ax: Any, *, together: int = 1, right: float = 0.0
) -> tuple[Any, list[Place]]:
    """Draw matrices of one shape, and a legend of their shades.

    A tile has no more cells than dots; where a matrix has more entries, a cell shows the one of largest modulus in its square.

    Args:
        tiles: the matrices.
        shape: of each.
        ax: the axes; None for those of a new figure.
        together: how many tiles in a row are not to be parted.
        right: inches that are kept free to the right of the last column.

    Returns:
        The axes, and the place of each tile on them.
    """
    m, n = shape
    sheet = _sheet(len(tiles), shape, ax, together)
    if ax is None:
        width, height = (e * sheet.inches for e in sheet.extent)
        (ax,) = new_axes(max(width + right + 1.9, 6.0), max(height + 1.3, 2.6))
    patches: Any = _patches()
    cell = (sheet.box[0] / n, sheet.box[1] / m)
    largest = max((float(np.abs(t.values).max(initial=0.0)) for t in tiles), default=0.0)
    places: list[Place] = []
    for k, tile in enumerate(tiles):
        row, column = divmod(k, sheet.columns)
        place = Place(column * sheet.step[0], row * sheet.step[1], *cell)
        places.append(place)
        _draw(ax, tile, shape, place, sheet, largest)
        frame = {"fill": False, "edgecolor": "0.35", "linewidth": 0.8}
        ax.add_patch(patches.Rectangle((place.x, place.y), *sheet.box, **frame))
        ax.text(place.x, place.y - 0.03 / sheet.inches, tile.title, fontsize="small", va="bottom")
    _mark(ax, tiles, places, cell, sheet.inches)
    # Limits first: equal aspect then shrinks the box of the axes, not what is in it.
    ax.set_xlim(-0.04 / sheet.inches, sheet.extent[0] + (0.04 + right) / sheet.inches)
    ax.set_ylim(sheet.extent[1] + 0.04 / sheet.inches, -_TITLE / sheet.inches)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_frame_on(False)
    _legend(ax, tiles, largest)
    return ax, places


def reduction(shape: tuple[int, int], count: int, ax: Any, together: int = 1) -> tuple[int, int]:
    """How many rows and columns of a matrix one cell stands for; (1, 1) where all are drawn."""
    return _factors(shape, _sheet(count, shape, ax, together))


def _factors(shape: tuple[int, int], sheet: _Sheet) -> tuple[int, int]:
    down, across = (max(1, ceil(size / (side * sheet.inches * _DOTS))) for size, side in zip(shape, sheet.box[::-1], strict=True))
    return down, across


def _draw(ax: Any, tile: Tile, shape: tuple[int, int], place: Place, sheet: _Sheet, largest: float) -> None:
    down, across = _factors(shape, sheet)
    picture = np.ones((ceil(shape[0] / down), ceil(shape[1] / across), 3))
    order = np.argsort(np.abs(tile.values), kind="stable")  # what comes last is what is seen
    picture[tile.rows[order] // down, tile.cols[order] // across] = shades(tile.values[order], largest)
    right = place.x + picture.shape[1] * across * place.width
    bottom = place.y + picture.shape[0] * down * place.height
    image = ax.imshow(picture, extent=(place.x, right, bottom, place.y), interpolation="nearest", aspect="auto")
    # The last row and column of cells may stand for fewer entries than the others.
    image.set_clip_path(_patches().Rectangle((place.x, place.y), *sheet.box, transform=ax.transData))


def _mark(ax: Any, tiles: Sequence[Tile], places: Sequence[Place], cell: tuple[float, float], inches: float) -> None:
    """Write the entries into their cells, or a bar into those of negative ones, where there is room."""
    width, height = (side * inches * 72 for side in cell)  # points
    longest = max((len(text) for t in tiles for text in t.texts), default=0)
    size = min(9.0, 0.7 * height, 0.9 * width / (0.62 * max(longest, 1)))
    if longest and size >= 5 and sum(len(t.texts) for t in tiles) <= _TEXTS:
        for tile, place in zip(tiles, places, strict=True):
            for row, col, value, text in zip(tile.rows, tile.cols, tile.values, tile.texts, strict=True):
                at = (place.x + (col + 0.5) * cell[0], place.y + (row + 0.5) * cell[1])
                ink = "black" if value < 0 else "white"
                ax.text(*at, text, ha="center", va="center", color=ink, fontsize=size)
        return
    side = min(width, height)
    if side >= 3:
        xs = [p.x + (t.cols[t.values < 0] + 0.5) * cell[0] for t, p in zip(tiles, places, strict=True)]
        ys = [p.y + (t.rows[t.values < 0] + 0.5) * cell[1] for t, p in zip(tiles, places, strict=True)]
        bars = {"marker": "_", "s": (0.6 * min(side, 14)) ** 2, "color": "black", "linewidth": max(0.5, 0.06 * min(side, 14))}
        ax.scatter(np.concatenate(xs), np.concatenate(ys), **bars)


def _legend(ax: Any, tiles: Sequence[Tile], largest: float) -> None:
    """The shades: each value if there are few, else the ends of the scale."""
    values = np.unique(np.concatenate([np.zeros(1), *(t.values for t in tiles)]))
    # Equal numbers on different ways are equal to rounding only.
    names = {f"{v:.3g}" for v in values}
    if len(names) <= 7:
        shown = {name: float(name) for name in names}
    else:
        ends = [largest, largest / 2, 0.0, *([-largest / 2, -largest] if values[0] < 0 else [])]
        shown = {f"{v:.3g}": v for v in ends}
    patches, lines = _patches(), _lines()
    handles: list[Any] = []
    for name, value in sorted(shown.items(), key=lambda pair: -pair[1]):
        colour = shades(np.array([value]), largest)[0]
        patch = patches.Patch(facecolor=colour, edgecolor="0.35", label=name)
        bar = lines.Line2D([], [], marker="_", markersize=9, color="black", linestyle="", label=name)
        handles.append((patch, bar) if value < 0 else patch)
    labels = sorted(shown, key=lambda name: -shown[name])
    frame = {"frameon": False, "fontsize": "small", "title_fontsize": "small", "loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    ax.legend(handles, labels, title="entry", **frame)


def _patches() -> Any:
    library()
    import matplotlib.patches as patches

    return patches


def _lines() -> Any:
    library()
    import matplotlib.lines as lines

    return lines
