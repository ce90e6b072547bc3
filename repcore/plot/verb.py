"""`plot`: one verb for every picture; what is drawn depends on what is given."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from repcore.errors import IncompatibleError
from repcore.reps.tree import Rep

__all__ = ["plot"]


@singledispatch
def plot(thing: Any, ax: Any = None, **options: Any) -> Any:
    """Draw something with matplotlib; ``plot(thing).figure.savefig("picture.png")`` writes it, a notebook shows it.

    ================================  =====================================================================================
    thing                             picture
    ================================  =====================================================================================
    ``EquivariantBasis``, ``Hom``     the elements as tiles, a cell an entry; ``most=16`` of them. A ``Hom`` is solved first
    ``Decomposition``                 a group element as a matrix, before and after the change of basis: a block for each copy
    ``Soft``                          the levels of the maps by their distance from equivariant, with the gains and the threshold
    ``SoftnessCurve``                 accuracy and equivariance error over softness, with the bound
    ``NetworkBound``                  the bound after each layer, with the error measured there; ``most=40`` layers
    ``Report``                        the relative defect of each weight, and the error without it; ``most=40`` weights
    ``History``                       gamma, multipliers, slack and defects over training, a picture each; ``most=12`` layers
    ================================  =====================================================================================

    Pictures are readable in black and white: what is negative is lighter than what is positive and has a bar, lines differ in
    dashes and markers. The title says what is drawn, and how much of it where that is not all.

    A type of yours joins with ``@rc.plot.register(Mine)`` over a function of the thing and of ``ax``.

    Args:
        thing: what to draw.
        ax: the axes of matplotlib to draw on; by default those of a new figure. For a ``History`` a sequence, one a picture.
        **options: see the table.

    Returns:
        The axes; for a ``History`` the list of them, from top to bottom.

    Raises:
        IncompatibleError: a type that has no picture.
        ImportError: matplotlib is not installed; ``pip install 'repcore[plot]'``.

    With axes of your own::

        figure, (left, right) = matplotlib.pyplot.subplots(1, 2, layout="constrained")
        rc.plot(rc.solve(V * V >> V), left)
        rc.plot(rc.soften(V * V >> V, cutoff=1.0), right)
        figure.savefig("both.svg")
    """
    kinds = sorted(kind.__name__ for kind in plot.registry if kind is not object)
    repair = f"it draws {', '.join(kinds)}"
    if isinstance(thing, Rep):
        repair = "write rc.plot(rc.decompose(V)), or rc.plot(V >> W) for its equivariant maps"
    raise IncompatibleError(f"thing: there is no picture of {_kind(thing)}; {repair}")


def _kind(thing: object) -> str:
    name = type(thing).__name__
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"
