"""A bound of a network: what follows from the weights, and what was seen, layer by layer."""

from __future__ import annotations

from typing import Any

from repcore.bounds import NetworkBound
from repcore.errors import IncompatibleError
from repcore.plot.canvas import new_axes
from repcore.plot.verb import plot

__all__ = ["plot_bound"]

_LEAST = 1e-17  # what is drawn for an error of exactly zero, on a logarithmic axis


@plot.register
def plot_bound(bound: NetworkBound, ax: Any = None, *, most: int = 40) -> Any:
    """The bound on the error after each layer, and the error that was measured there, on a logarithmic axis.

    Readable in black and white: the bound is dotted with triangles, the measured error dashed with squares. Bars are what each
    layer adds to the bound of the output.

    Args:
        bound: of :func:`repcore_torch.network_bound`.
        ax: the axes of matplotlib to draw on; by default those of a new figure.
        most: layers that are drawn; of more, the last.

    Returns:
        The axes; ``ax.figure.savefig("bound.png")`` writes them.

    Raises:
        IncompatibleError: no bound, or one without layers; ``most`` is not positive. ImportError: matplotlib is not installed.
    """
    if not isinstance(bound, NetworkBound) or not bound.layers:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"bound: expected a NetworkBound with layers, got {type(bound).__name__}")
    if most < 1:
        raise IncompatibleError(f"most: expected a number of layers >= 1, got {most!r}")
    layers = bound.layers[-most:]
    if ax is None:
        (ax,) = new_axes(max(6.4, 1.6 + 0.5 * len(layers)), 4)
    at = list(range(len(layers)))
    shares = [max(x.share, _LEAST) for x in layers]
    errors = [max(x.error, _LEAST) for x in layers]
    seen = [(k, max(x.measured, _LEAST)) for k, x in enumerate(layers) if x.measured is not None]
    floor = 0.3 * min([*(v for v in shares if v > _LEAST), *errors, *(v for _, v in seen)])
    bars = ax.bar(at, [max(v - floor, 0.0) for v in shares], 0.6, floor, color="0.9", edgecolor="0.5", linewidth=0.8)
    lines: list[Any] = [*ax.plot(at, errors, "^:", color="black"), bars]
    names = ["bound after the layer", "share in the last bound"]
    if seen:
        lines[1:1] = ax.plot([k for k, _ in seen], [v for _, v in seen], "s--", color="0.45")
        names.insert(1, "measured")
    ax.set_yscale("log")
    ax.set_ylim(bottom=floor)
    ax.set_xticks(at, [x.path for x in layers], rotation=45, ha="right")
    ax.set_ylabel("equivariance error")
    ax.grid(axis="y", color="0.88", linewidth=0.6)
    ax.set_axisbelow(True)
    cut = "" if len(layers) == len(bound.layers) else f", the last {len(layers)} of {len(bound.layers)} layers"
    where = "g that send cells to cells" if bound.sampled else "every g"
    title = f"Equivariance error for {where} and {bound.inputs}{cut}"
    above = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.01), "alignment": "left"}
    ax.legend(lines, names, frameon=False, fontsize="small", ncols=3, title=title, **above)
    return ax
