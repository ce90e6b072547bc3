"""A report as bars: the defect of each weight beside the error of the model without it."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor as floor_of
from math import log10
from typing import Any

from repcore.errors import IncompatibleError
from repcore.exact.grammar import shorten
from repcore.plot.canvas import new_axes
from repcore.plot.verb import plot
from repcore.report import Report

__all__ = ["plot_report"]

_LEAST = 1e-17  # what is drawn for an error of exactly zero, on a logarithmic axis


@plot.register
def plot_report(report: Report, ax: Any = None, *, most: int = 40) -> Any:
    """Horizontal bars, a layer a line: its relative defect, and the relative error of the whole model without that defect.

    The lines across are the error of the model as it is, and the least that rounding allows. Readable in black and white: bars
    differ in shade and hatching, lines in dashes.

    Args:
        report: of :func:`repcore.measure` or an adapter.
        ax: the axes of matplotlib to draw on; by default those of a new figure, as high as the layers need.
        most: how many layers, at most: those of the largest relative defect, in the order of the model.

    Returns:
        The axes; ``ax.figure.savefig("report.png")`` writes them.

    Raises:
        IncompatibleError: ``most`` is not positive. ImportError: matplotlib is not installed.
    """
    if not isinstance(report, Report):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"report: expected a Report of rc.measure, got {type(report).__name__}")
    if most < 1:
        raise IncompatibleError(f"most: expected a number of layers >= 1, got {most!r}")
    chosen = sorted(range(len(report.layers)), key=lambda k: -report.layers[k].relative)[:most]
    layers = [report.layers[k] for k in sorted(chosen)]
    if ax is None:
        (ax,) = new_axes(8, 2.4 + 0.45 * max(len(layers), 1))
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
    title = f"Equivariance under {report.samples.group}, {shorten(report.rep_in, 40)} to {shorten(report.rep_out, 40)}"
    if len(layers) < len(report.layers):
        title += f"\nthe {len(layers)} of {len(report.layers)} weights with the largest relative defect"
    above = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.01), "alignment": "left"}
    ax.legend(ncols=2, frameon=False, fontsize="small", title=title, **above)
    return ax


def _exponent(value: float) -> int:
    return floor_of(log10(value))
