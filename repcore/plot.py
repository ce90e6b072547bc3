"""Pictures, with matplotlib (``pip install 'repcore[plot]'``), which is imported when one is drawn."""

from __future__ import annotations

from typing import Any

from repcore.errors import IncompatibleError
from repcore.report import LayerReport, Report

__all__ = ["plot_report"]

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

        _, ax = plt.subplots(figsize=(8, 2.2 + 0.45 * max(len(layers), 1)), layout="constrained")
    places = range(len(layers))
    shown = [max(v, _LEAST) for v in (report.error, report.rounding)]
    values = [max(_drawn(x), _LEAST) for x in layers]
    left = [None if x.without is None else max(x.without, _LEAST) for x in layers]
    least = min([*shown, *values, *(v for v in left if v is not None)])
    floor = 10.0 ** (_exponent(least) - 1)
    own = {"height": 0.36, "edgecolor": "black", "linewidth": 0.8, "left": floor}
    ax.barh(
        [k - 0.19 for k in places], [v - floor for v in values], color="0.35", label="its relative defect |W - PW| / |W|", **own
    )
    rest = [(k, v) for k, v in zip(places, left, strict=True) if v is not None]
    if rest:
        label = "error of the model with this weight projected"
        ax.barh([k + 0.19 for k, _ in rest], [v - floor for _, v in rest], color="0.9", hatch="///", label=label, **own)
    ax.axvline(shown[0], color="black", linewidth=1.6, label=f"error of the model, {report.error:.2g}")
    ax.axvline(shown[1], color="black", linewidth=1.2, linestyle=":", label=f"rounding of the data, {report.rounding:.2g}")
    ax.set_xscale("log")
    ax.set_xlim(floor, 10.0 ** (_exponent(max([*shown, *values, *(v for _, v in rest)])) + 1))
    ax.set_yticks(list(places), [x.path for x in layers])
    ax.set_ylim(max(len(layers), 1) - 0.4, -0.6)
    ax.set_xlabel("relative error (dimensionless)")
    ax.set_ylabel("weight")
    ax.set_title(f"Equivariance under {report.samples.group}: {report.rep_in} to {report.rep_out}", fontsize="medium")
    ax.grid(axis="x", color="0.85", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.62 / (0.35 + 0.16 * max(len(layers), 1)) - 0.06),
        ncols=2,
        frameon=False,
        fontsize="small",
    )
    return ax


def _drawn(layer: LayerReport) -> float:
    return layer.relative


def _exponent(value: float) -> int:
    from math import floor, log10

    return floor(log10(value))
