"""Pictures, with matplotlib (``pip install 'repcore[plot]'``), which is imported when one is drawn."""

from repcore.plot.basis import plot_basis, plot_space
from repcore.plot.bound import plot_bound
from repcore.plot.curve import plot_softness
from repcore.plot.decomposition import plot_decomposition
from repcore.plot.history import plot_history
from repcore.plot.report import plot_report
from repcore.plot.soft import plot_soft
from repcore.plot.verb import plot

__all__ = [
    "plot",
    "plot_basis",
    "plot_bound",
    "plot_decomposition",
    "plot_history",
    "plot_report",
    "plot_soft",
    "plot_softness",
    "plot_space",
]
