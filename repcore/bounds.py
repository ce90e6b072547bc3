"""`NetworkBound`: how far a network can be from equivariant, layer by layer, beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["LayerBound", "NetworkBound"]


@dataclass(frozen=True)
class LayerBound:
    """One layer of the network.

    Attributes:
        path: its name.
        norm: a bound on ||T||, the operator norm of the layer; of one that is not linear, its Lipschitz constant there.
        distance: a bound on ||T - P T||, likewise; 0 for what commutes with the group.
        how: how the norm was found, see :func:`repcore_torch.network_bound`.
        before: a bound on the norm of what goes in.
        after: a bound on the Lipschitz constant of all that follows: the sum over all ways to the end of products of norms.
        share: what the layer adds to the bound.
        error: a bound on the error of what comes out of it, for every group element.
        measured: the largest error there that was seen; None where none was measured.
    """

    path: str
    norm: float
    distance: float
    how: str
    before: float
    after: float
    share: float
    error: float
    measured: float | None = None


@dataclass(frozen=True)
class NetworkBound:
    """||f(rho_X(g) x) - rho_Y(g) f(x)|| <= ``value`` for every g and the inputs that are stated. Print it, or ``plot()`` it.

    Attributes:
        value: the bound.
        radius: of the ball of inputs; or the largest norm of the inputs that were given.
        layers: where it comes from, a :class:`LayerBound` each; the shares add up to ``on_cells``.
        inputs: which x it holds for, in words.
        measured: the largest error that was seen; None where none was measured.
        sampled: names of the weights whose equivariant kernels are samples of functions. Where there are any, the layers are
            followed for those g that send cells to cells, and of all others it is only known that f(rho_X(g) x) and f(x) are no
            longer than the bound on the output, as long as rho_X(g) x is in the ball.
        on_cells: the bound for those g that send cells to cells; ``value`` where nothing is sampled.
    """

    value: float
    radius: float
    layers: tuple[LayerBound, ...]
    inputs: str
    measured: float | None = None
    sampled: tuple[str, ...] = ()
    on_cells: float = 0.0

    def __float__(self) -> float:
        return self.value

    def plot(self, ax: Any = None) -> Any:
        """The bound and the measured error after each layer; :func:`repcore.plot` of it."""
        from repcore.plot import plot

        return plot(self, ax)

    def __str__(self) -> str:
        heads = ("layer", "||T||", "||T - PT||", "input", "after", "adds", "error", "measured", "norm by")
        rows: list[tuple[str, ...]] = [heads]
        for x in self.layers:
            numbers = (f"{v:.3g}" for v in (x.norm, x.distance, x.before, x.after, x.share, x.error))
            rows.append((x.path, *numbers, "" if x.measured is None else f"{x.measured:.3g}", x.how))
        kept = [c for c in range(len(heads)) if any(row[c] for row in rows[1:])] or [0]
        table = [tuple(row[c] for c in kept) for row in rows]
        left = {0, len(kept) - 1}
        widths = [max(len(row[c]) for row in table) for c in range(len(kept))]
        lines = [
            "  ".join(t.ljust(w) if c in left else t.rjust(w) for c, (t, w) in enumerate(zip(r, widths, strict=True))).rstrip()
            for r in table
        ]
        seen = "" if self.measured is None else f"; measured {self.measured:.3g}"
        if not self.sampled:
            return "\n".join([*lines, f"at most {self.value:.3g} in exact arithmetic, for every g and {self.inputs}{seen}"])
        names = ", ".join(self.sampled[:4]) + (", ..." if len(self.sampled) > 4 else "")
        return "\n".join(
            [
                *lines,
                f"at most {self.on_cells:.3g} in exact arithmetic, for every g that sends cells to cells and {self.inputs}{seen}",
                f"at most {self.value:.3g} for every other g, which is twice the norm of the output: sampled kernels ({names}) "
                "commute with those up to a sampling error that no norm of a weight bounds",
            ]
        )

    __repr__ = __str__
