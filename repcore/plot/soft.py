"""A filter between equivariant and free: its levels, gains and threshold."""

from __future__ import annotations

from typing import Any

import numpy as np

from repcore.exact.grammar import shorten
from repcore.plot.canvas import new_axes
from repcore.plot.verb import plot
from repcore.soft.soft import Soft

__all__ = ["plot_soft"]


@plot.register
def plot_soft(soft: Soft, ax: Any = None) -> Any:
    """The levels of all maps X -> Y by their distance b from equivariant, each a line as high as its dimension.

    Solid lines with a dot are levels that are kept, whole or in part; thin dashed ones with a ring are taken out. Diamonds on
    the right axis are the gains; a vertical line is the threshold, the last level that is not taken out, if one is. The axis of
    the dimensions is logarithmic.

    Args:
        soft: of :func:`repcore.soften`.
        ax: the axes of matplotlib to draw on; by default those of a new figure.

    Returns:
        The axes of the dimensions.

    Raises:
        ImportError: matplotlib is not installed.
    """
    if ax is None:
        (ax,) = new_axes(7.2, 4.2)
    plan = soft.plan
    sizes, kept = plan.multiplicities, soft.gains != 0
    some = sizes > 0  # level 0 is there also where the only equivariant map is 0
    lines: list[Any] = []
    looks = (
        (kept & some, "level that is kept", {"color": "black", "linewidth": 2.2}, {"marker": "o", "color": "black"}),
        (
            ~kept & some,
            "level that is taken out",
            {"color": "0.45", "linewidth": 1.0, "linestyle": "--"},
            {"marker": "o", "markerfacecolor": "white", "color": "0.45"},
        ),
    )
    for chosen, name, line, dot in looks:
        if chosen.any():
            ax.vlines(plan.values[chosen], 0.5, sizes[chosen], **line)
            lines += ax.plot(plan.values[chosen], sizes[chosen], linestyle="", label=name, **dot)
    if not kept.all():
        lines.append(ax.axvline(soft.cutoff, color="black", linestyle=":", linewidth=1.4, label=f"threshold, {soft.cutoff:.4g}"))
    right = ax.twinx()
    look = {"linestyle": "", "marker": "D", "markersize": 6, "markerfacecolor": "white", "color": "black"}
    lines += right.plot(plan.values, soft.gains, label="gain (right axis)", **look)
    low, high = min(0.0, float(soft.gains.min())), max(1.0, float(soft.gains.max()))
    right.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    right.set_ylabel("gain")
    ax.set_yscale("log")
    ax.set_ylim(0.5, 2 * float(sizes.max(initial=1)))
    margin = 0.05 * max(float(plan.values.max(initial=0)), 1.0)
    ax.set_xlim(-margin, float(plan.values.max(initial=0)) + margin)
    ax.set_xlabel("b, the distance of a level from equivariant (0: equivariant)")
    ax.set_ylabel("dimension of the level")
    ax.grid(color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)
    size, levels = int(np.sum(sizes)), len(plan)
    title = [
        f"{shorten(str(soft.space), 60)} over {shorten(str(soft.space.group), 30)}: {size} maps in {levels} levels",
        f"asked: {soft.asked}; softness {soft.softness:.3g}",
    ]
    above = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.01), "alignment": "left"}
    ax.legend(handles=lines, ncols=2, frameon=False, fontsize="small", title="\n".join(title), **above)
    return ax
