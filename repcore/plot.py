"""Pictures, with matplotlib (``pip install 'repcore[plot]'``), which is imported when one is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor as floor_of
from math import log10
from typing import Any

from repcore.adaptive.history import History
from repcore.curve import SoftnessCurve
from repcore.errors import IncompatibleError
from repcore.report import Report

__all__ = ["plot_history", "plot_report"]

_LEAST = 1e-17  # what is drawn for an error of exactly zero, on a logarithmic axis


def plot_report(report: Report, ax: Any = None) -> Any:
    """Horizontal bars, a layer a line: its relative defect, and the relative error of the whole model without that defect.

    The lines across are the error of the model as it is, and the least that rounding allows. Readable in black and white: bars
    differ in shade and hatching, lines in dashes.

    Args:
        report: of :func:`repcore.measure` or an adapter.
        ax: the axes of matplotlib to draw on; by default those of a new figure, as high as the layers need.

    Returns:
        The axes; ``ax.figure.savefig("report.png")`` writes them.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    if not isinstance(report, Report):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"report: expected a Report of rc.measure, got {type(report).__name__}")
    layers = report.layers
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(8, 2.4 + 0.45 * max(len(layers), 1)), layout="constrained")
    broken = [(k, x.relative) for k, x in enumerate(layers) if not x.is_equivariant]
    rest = [(k, x.without) for k, x in enumerate(layers) if x.without is not None]
    ends = [max(v, _LEAST) for v in (report.error, report.rounding, *(v for _, v in (*broken, *rest)))]
    floor, top = 10.0 ** (_exponent(min(ends)) - 1), 10.0 ** (_exponent(max(ends)) + 1)

    def bars(values: Sequence[tuple[int, float]], shift: float, label: str, **look: Any) -> None:
        widths = [max(v, _LEAST) - floor for _, v in values]
        ax.barh([k + shift for k, _ in values], widths, 0.36, floor, edgecolor="black", linewidth=0.8, label=label, **look)

    if broken:
        bars(broken, -0.19, "relative defect of the weight, |W - PW| / |W|", color="0.35")
    if rest:
        bars(rest, 0.19, "error of the model with this weight projected", color="0.92", hatch="///")
    for k, x in enumerate(layers):
        if x.is_equivariant:
            ax.text(
                floor * 1.3, k, "equivariant, to rounding", va="center", fontsize="small", style="italic", backgroundcolor="white"
            )
    ax.axvline(max(report.error, _LEAST), color="black", linewidth=1.8, label=f"error of the model, {report.error:.2g}")
    ax.axvline(max(report.rounding, _LEAST), color="black", linestyle=":", label=f"rounding of the data, {report.rounding:.2g}")
    ax.set_xscale("log")
    ax.set_xlim(floor, top)
    ax.set_yticks(range(len(layers)), [x.path for x in layers])
    ax.set_ylim(max(len(layers), 1) - 0.4, -0.6)
    ax.set_xlabel("relative error")
    ax.set_ylabel("weight")
    ax.grid(axis="x", color="0.85", linewidth=0.6)
    ax.set_axisbelow(True)
    title = f"Equivariance under {report.samples.group}, {report.rep_in} to {report.rep_out}"
    above = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.01), "alignment": "left"}
    ax.legend(ncols=2, frameon=False, fontsize="small", title=title, **above)
    return ax


def plot_history(history: History, axes: Any = None) -> Any:
    """What ACE did in training: gamma, lambda, the slack, and the exact mean defect of each layer, over the steps.

    Scales are linear from 0, for gamma can be exactly 0. Where the history has the bounds, a fifth picture shows them.

    Args:
        history: of ``rct.ACE`` or ``rcj.ace``.
        axes: a sequence of axes of matplotlib, one for each picture; by default those of a new figure.

    Returns:
        The axes, from top to bottom.

    Raises:
        IncompatibleError: a history without a moment, or axes that are too few. ModuleNotFoundError: matplotlib is not installed.
    """
    moments = list(history)
    if not moments:
        raise IncompatibleError("history: has no moment yet; train for some steps first (see log_every)")
    rows: list[tuple[str, list[dict[str, float]]]] = [
        ("|gamma|", [m.gamma for m in moments]),
        ("multiplier", [m.multiplier for m in moments]),
        ("slack", [m.slack for m in moments]),
        ("mean defect", [m.defect for m in moments]),
    ]
    bounds = [{"dropping": m.dropping, "equivariance": m.equivariance} for m in moments if m.dropping is not None]
    if len(bounds) == len(moments):
        rows.append(("bound, |x| = 1", bounds))  # pyright: ignore[reportArgumentType]
    rows = [(label, values) for label, values in rows if any(values)]
    if axes is None:
        import matplotlib.pyplot as plt

        _, grid = plt.subplots(len(rows), 1, figsize=(7, 1.2 + 1.7 * len(rows)), sharex=True, squeeze=False, layout="constrained")
        axes = list(grid[:, 0])
    axes = list(axes)
    if len(axes) < len(rows):
        raise IncompatibleError(f"axes: {len(axes)} for {len(rows)} pictures; give one for each")
    steps = [m.step for m in moments]
    styles = ("-", "--", ":", "-.")
    for ax, (label, values) in zip(axes, rows, strict=False):
        for k, name in enumerate(values[0]):
            heights = [v[name] for v in values]
            grey = str(0.6 * (k // len(styles) % 3) / 2)
            ax.plot(steps, heights, styles[k % len(styles)], color=grey, linewidth=1.4, label=name)
        ax.set_ylabel(label)
        ax.set_ylim(bottom=0)
        ax.grid(color="0.88", linewidth=0.6)
        ax.set_axisbelow(True)
    axes[len(rows) - 1].set_xlabel("step")
    axes[0].legend(ncols=4, frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0.0, 1.01))
    if rows[-1][0].startswith("bound"):
        axes[len(rows) - 1].set_yscale("log" if all(v > 0 for each in rows[-1][1] for v in each.values()) else "linear")
        axes[len(rows) - 1].legend(frameon=False, fontsize="small")
    return axes


def plot_softness(curve: SoftnessCurve, ax: Any = None) -> Any:
    """Accuracy over softness on the left axis, the equivariance error and its bound on the right one, logarithmic.

    Readable in black and white: accuracy is a solid line with dots, the error dashed with squares, the bound dotted with
    triangles. Bars are standard deviations over runs. An error of exactly zero is drawn at 1e-17.

    Args:
        curve: of :func:`repcore.softness_curve`.
        ax: the axes of matplotlib to draw on; by default those of a new figure.

    Returns:
        The axes of the accuracy; ``ax.figure.savefig("softness.png")`` writes them.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    if not isinstance(curve, SoftnessCurve):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"curve: expected a SoftnessCurve of rc.softness_curve, got {type(curve).__name__}")
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
    points = curve.points
    at = [p.softness for p in points]
    bars = {"capsize": 3, "linewidth": 1.4, "elinewidth": 0.8}
    lines = [ax.errorbar(at, [p.accuracy for p in points], [p.accuracy_spread for p in points], fmt="o-", color="black", **bars)]
    names = ["accuracy"]
    right = ax.twinx()
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
    ax.set_ylabel("accuracy")
    ax.set_xlim(-0.03, 1.03)
    ax.grid(axis="x", color="0.88", linewidth=0.6)
    ax.legend(
        lines, names, frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0.0, 1.01), ncols=3, title=curve.title
    )
    return ax


def _exponent(value: float) -> int:
    return floor_of(log10(value))
