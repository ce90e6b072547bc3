"""A history as lines: what gamma and its controller did over training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from repcore.adaptive.history import History, Moment
from repcore.errors import IncompatibleError
from repcore.plot.canvas import new_axes
from repcore.plot.verb import plot

__all__ = ["plot_history"]

_STYLES = ("-", "--", ":", "-.")


@plot.register
def plot_history(history: History, ax: Any = None, *, most: int = 12) -> Any:
    """What ACE did in training: gamma, lambda, the slack, and the exact mean defect of each layer, over the steps.

    Scales are linear from 0, for gamma can be exactly 0. Where the history has the bounds, a fifth picture shows them. Layers
    differ in dashes, and in shade where there are more than four.

    Args:
        history: of ``rct.ACE`` or ``rcj.ace``.
        ax: a sequence of axes of matplotlib, one for each picture; by default those of a new figure.
        most: how many layers, at most: those of the largest |gamma| at the end, in the order of the model.

    Returns:
        The list of axes, from top to bottom.

    Raises:
        IncompatibleError: a history without a moment, axes that are too few, ``most`` that is not positive. ImportError:
            matplotlib is not installed.
    """
    if not isinstance(history, History):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"history: expected a History of ACE, got {type(history).__name__}")
    moments = list(history)
    if not moments:
        raise IncompatibleError("history: has no moment yet; train for some steps first (see log_every)")
    if most < 1:
        raise IncompatibleError(f"most: expected a number of layers >= 1, got {most!r}")
    last = moments[-1].gamma
    largest = set(sorted(last, key=lambda name: -last[name])[:most])

    def each(read: Callable[[Moment], dict[str, float]]) -> list[dict[str, float]]:
        return [{name: value for name, value in read(m).items() if name in largest} for m in moments]

    rows = [
        ("|gamma|", each(lambda m: m.gamma)),
        ("multiplier", each(lambda m: m.multiplier)),
        ("slack", each(lambda m: m.slack)),
        ("mean defect", each(lambda m: m.defect)),
    ]
    bounds = [
        {"dropping": m.dropping, "equivariance": m.equivariance}
        for m in moments
        if m.dropping is not None and m.equivariance is not None
    ]
    if len(bounds) == len(moments):
        rows.append(("bound, |x| = 1", bounds))
    rows = [(label, values) for label, values in rows if any(values)]
    axes = new_axes(7, 1.2 + 1.7 * len(rows), len(rows)) if ax is None else list(ax)
    if len(axes) < len(rows):
        raise IncompatibleError(f"ax: {len(axes)} for {len(rows)} pictures; give one for each")
    steps = [m.step for m in moments]
    for each_ax, (label, values) in zip(axes, rows, strict=False):
        for k, name in enumerate(values[0]):
            heights = [v[name] for v in values]
            grey = str(0.6 * (k // len(_STYLES) % 3) / 2)
            each_ax.plot(steps, heights, _STYLES[k % len(_STYLES)], color=grey, linewidth=1.4, label=name)
        each_ax.set_ylabel(label)
        each_ax.set_ylim(bottom=0)
        each_ax.grid(color="0.88", linewidth=0.6)
        each_ax.set_axisbelow(True)
    axes[len(rows) - 1].set_xlabel("step")
    whole, drawn = len(last), len(largest)
    layers = f"{whole} layers" if drawn == whole else f"the {drawn} of {whole} layers with the largest |gamma|"
    title = f"Training with ACE: {len(moments)} moments up to step {steps[-1]}, {layers}"
    above = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.01), "alignment": "left"}
    axes[0].legend(ncols=4, frameon=False, fontsize="small", title=title, **above)
    if rows[-1][0].startswith("bound"):
        axes[len(rows) - 1].set_yscale("log" if all(v > 0 for each in rows[-1][1] for v in each.values()) else "linear")
        axes[len(rows) - 1].legend(frameon=False, fontsize="small")
    return axes
