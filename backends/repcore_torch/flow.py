"""`Flow`: what is known of the features at a place of a network, and `Step`, what a layer makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import torch
from torch import Tensor

import repcore as rc
from repcore import IncompatibleError, RepresentationError
from repcore_torch.projector import projector_of

__all__ = ["Flow", "Row", "Step", "cells_of", "constant", "invariant_part", "longest", "on_grid", "refuse", "wide"]


@dataclass(frozen=True)
class Flow:
    """Features h(x), where ||h(x)|| <= ``norm`` and ||h(rho_X(g) x) - rho(g) h(x)|| <= ``error`` for every g.

    Attributes:
        norm: over all inputs that the bound is for.
        error: likewise.
        rep: what acts along the axis of the features.
        axis: 1 for images (B, dim, *cells), whose cells the group moves as well; -1 for (B, *places, dim).
        shape: without the batch; None where it is not known.
    """

    norm: float
    error: float
    rep: rc.Rep
    axis: int
    shape: tuple[int, ...] | None

    @property
    def cells(self) -> int | None:
        """How many vectors of the representation there are; None where that is not known."""
        return None if self.shape is None else prod(self.shape) // max(self.rep.dim, 1)

    @property
    def box(self) -> tuple[int, ...] | None:
        """The sizes of the image; () for features that lie on no image."""
        if self.axis == -1:
            return ()
        return None if self.shape is None else self.shape[1:]


@dataclass(frozen=True)
class Row:
    """What the table says of a layer."""

    norm: float
    distance: float
    how: str


@dataclass(frozen=True)
class Step:
    """The output of a layer with inputs h_1, h_2, ...: error <= sum_k gains_k error_k + adds.

    Attributes:
        gains: Lipschitz constants, one for each input.
        adds: what the layer adds to the error by itself.
        norm: a bound on the norm of the output.
        rep, axis, shape: as in :class:`Flow`; a shape only where it is known without running the model.
        row: what the table says, None for what needs no line.
    """

    gains: tuple[float, ...]
    adds: float
    norm: float
    rep: rc.Rep
    axis: int
    shape: tuple[int, ...] | None = None
    row: Row | None = None


def wide(x: Tensor) -> Tensor:
    """In double precision, real or complex, on the CPU."""
    return x.detach().to(device="cpu", dtype=torch.promote_types(x.dtype, torch.float64))


def longest(x: Tensor) -> float:
    """The largest norm of a row (B, ...)."""
    return float(wide(x).flatten(1).norm(dim=1).max())


def refuse(where: str, why: str) -> IncompatibleError:
    """The error for a place of a network."""
    return IncompatibleError(f"{where}: {why}")


def cells_of(flow: Flow, where: str) -> int:
    """How many vectors of the representation there are.

    Raises:
        IncompatibleError: that is not known.
    """
    if flow.cells is None:
        raise refuse(where, "the bound depends on how many cells there are; give shape=(channels, rows, columns), or data")
    return flow.cells


def on_grid(rep: rc.Rep, box: Sequence[int], spatial: rc.Rep | None = None) -> rc.Rep | None:
    """What acts on whole images, rep * grid; None where the group does not send the cells of the box to cells."""
    if not box:
        return rep
    try:
        return rep * rc.grid(rep.group, tuple(box), spatial=spatial)
    except (rc.DeclarationError, RepresentationError):
        return None


@torch.no_grad()
def invariant_part(vector: Tensor, rep: rc.Rep) -> tuple[Tensor, Tensor]:
    """A vector (dim,) in double precision, and its projection onto the invariant ones."""
    v = wide(vector)
    return v, projector_of(rc.trivial(rep.group) >> rep)(v)


def constant(vector: Any, rep: rc.Rep, flow: Flow, where: str) -> tuple[float, float]:
    """What adding a vector to each cell adds to the norm of the features, and to the error.

    ||b - rho(g) b|| = ||(b - P b) - rho(g)(b - P b)|| <= 2 ||b - P b||, in each cell.
    """
    if vector is None or not bool(vector.any()):
        return 0.0, 0.0
    v, fixed = invariant_part(vector, rep)
    root = sqrt(cells_of(flow, where))
    return root * float(v.norm()), 2 * root * float((v - fixed).norm())
