"""A curve of softness: accuracy and equivariance error, from strict to free."""

from __future__ import annotations

from typing import Any

from repcore.curve import SoftnessCurve
from repcore.errors import IncompatibleError
from repcore.plot.canvas import new_axes
from repcore.plot.verb import plot

__all__ = ["plot_softness"]

_LEAST = 1e-17  # what is drawn for an error of exactly zero, on a logarithmic axis


@plot.register
def plot_softness(curve: SoftnessCurve, ax: Any = None) -> Any:
    """Accuracy over softness on the left axis, the equivariance error and its bound on the right one, logarithmic.

    Without accuracies there is one axis.

    Readable in black and white: accuracy is a solid line with dots, the error dashed with squares, the bound dotted with
    triangles. Bars are standard deviations over runs. An error of exactly zero is drawn at 1e-17.

    Args:
        curve: of :func:`repcore.softness_curve`.
        ax: the axes of matplotlib to draw on; by default those of a new figure.

    Returns:
        The axes of the accuracy, or the only ones; ``ax.figure.savefig("softness.png")`` writes them.

    Raises:
        IncompatibleError: no curve. ImportError: matplotlib is not installed.
    """
    if not isinstance(curve, SoftnessCurve):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"curve: expected a SoftnessCurve of rc.softness_curve, got {type(curve).__name__}")
    if ax is None:
        (ax,) = new_axes(6.4, 4)
    points = curve.points
    at = [p.softness for p in points]
    bars = {"capsize": 3, "linewidth": 1.4, "elinewidth": 0.8}
    lines: list[Any] = []
    names: list[str] = []
    graded = [(p.softness, p.accuracy, p.accuracy_spread) for p in points if p.accuracy is not None]
    if graded:
        lines.append(ax.errorbar(*zip(*graded, strict=True), fmt="o-", color="black", **bars))
        names.append("accuracy")
        ax.set_ylabel("accuracy")
    right = ax.twinx() if graded else ax
    errors = [max(p.error, _LEAST) for p in points]
    # A bar that would reach below zero has no lower end on a logarithmic axis.
    spreads = [[min(p.error_spread, 0.9 * e) for p, e in zip(points, errors, strict=True)], [p.error_spread for p in points]]
    lines.append(right.errorbar(at, errors, spreads, fmt="s--", color="0.45", **bars))
    names.append("equivariance error")
    bounds = [(p.softness, max(p.bound, _LEAST)) for p in points if p.bound is not None]
    if bounds:
        lines += right.plot([s for s, _ in bounds], [b for _, b in bounds], "^:", color="0.6")
        names.append("its bound")
    right.set_yscale("log")
    right.set_ylabel("equivariance error")
    ax.set_xlabel("softness: 0 strict, 1 free")
    ax.set_xlim(-0.03, 1.03)
    ax.grid(axis="x", color="0.88", linewidth=0.6)
    runs = sum(p.runs for p in points)
    title = f"{curve.title or 'Accuracy and equivariance'}: {len(points)} softnesses, {runs} runs"
    above = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.01), "alignment": "left"}
    ax.legend(lines, names, frameon=False, fontsize="small", ncols=3, title=title, **above)
    return ax
