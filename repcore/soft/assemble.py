"""From raw levels, one for each small piece of the problem, to a `SpectralPlan`: equal ones become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.errors import SolveError
from repcore.reps.hom import Hom
from repcore.soft.growth import Growth
from repcore.soft.spectral import Cells, SpectralBlock, SpectralPlan

__all__ = ["Raw", "assemble"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]


@dataclass
class Raw:
    """Levels before equal ones are joined: number k has the value ``values[k]`` with an error below ``errors[k]``.

    Attributes:
        values: singular values; exactly 0 for equivariant maps, and only for them.
        errors: bounds on their rounding.
        lie: the eigenvalue of the Lie part.
        steps: the largest ||rho(s) - 1|| of a discrete generator.
    """

    values: list[float] = field(default_factory=list[float])
    errors: list[float] = field(default_factory=list[float])
    lie: list[float] = field(default_factory=list[float])
    steps: list[float] = field(default_factory=list[float])

    def add(self, value: float, error: float, lie: float, step: float) -> int:
        """The number of a new one."""
        self.values.append(value)
        self.errors.append(error)
        self.lie.append(lie)
        self.steps.append(step)
        return len(self.values) - 1


def assemble(
    space: Hom, raw: Raw, blocks: Sequence[SpectralBlock], construction: str, growth: Growth, *, is_complex: bool
) -> SpectralPlan:
    """The plan of blocks whose ids are numbers of raw levels; ``growth`` gets its arrays here.

    Values that are nearer to each other than their errors allow to tell are one level. That keeps filters equivariant: a level
    that is two exact ones is still a sum of whole eigenspaces.
    """
    values, errors = np.array([0.0, *raw.values]), np.array([0.0, *raw.errors])
    order = np.argsort(values, kind="stable")
    sorted_values, sorted_errors = values[order], errors[order]
    apart = np.diff(sorted_values) > sorted_errors[1:] + sorted_errors[:-1]
    label = np.empty(len(values), np.int64)
    label[order] = np.concatenate([[0], np.cumsum(apart)])
    if bool(np.any((label == 0) & (values > 0))):
        near = float(values[(label == 0) & (values > 0)].min())
        raise SolveError(
            f"space: a level of {space} has the value {near:.1e}, which float64 cannot tell from 0; choose better conditioned "
            "bases of the representations"
        )
    merged = label[1:]
    count = int(label.max()) + 1
    totals = np.zeros(count, np.int64)
    done: list[SpectralBlock] = []
    for b in blocks:
        ids = np.where(b.ids >= 0, merged[b.ids] if len(merged) else 0, -1)
        kept: list[Cells] = []
        for c in b.cells:
            mine = merged[c.ids]
            uniform = np.all(mine == mine[:, :1], axis=1)
            if len(mine) == len(c.at):
                flat = ids.reshape(-1)
                flat[c.at[uniform]] = mine[uniform, :1, None]
                live = ~uniform
                if live.any():
                    q = c.q if len(c.q) == 1 else c.q[live]
                    kept.append(Cells(_frozen(c.at[live]), _frozen(q), _frozen(mine[live])))
            else:
                kept.append(Cells(_frozen(c.at), _frozen(c.q), _frozen(mine)))
        copies = len(b.rows) * len(b.cols)
        totals += copies * np.bincount(ids[ids >= 0], minlength=count)
        for c in kept:
            totals += copies * c.at.shape[1] * np.bincount(c.ids.ravel(), minlength=count)
        done.append(replace(b, ids=_frozen(ids), cells=tuple(kept)))
    if int(totals.sum()) != space.shape[0] * space.shape[1]:
        raise SolveError(f"space: the levels of {space} do not add up to all maps; this is a bug in repcore, please report it")
    found = np.zeros((4, count))
    weights = np.bincount(merged, minlength=count)
    if len(merged):
        found[0] = np.bincount(merged, raw.values, count) / np.maximum(weights, 1)
        np.maximum.at(found[1], merged, np.abs(np.array(raw.values) - found[0][merged]) + np.array(raw.errors))
        np.maximum.at(found[2], merged, np.maximum(raw.lie, 0))
        np.maximum.at(found[3], merged, raw.steps)
    found[:, 0] = 0
    # Raw levels that no map belongs to are none.
    live = (totals > 0) | (np.arange(count) == 0)
    if not live.all():
        number = np.cumsum(live) - 1
        done = [_renumbered(b, number) for b in done]
    growth = replace(growth, lie=_frozen(found[2][live]), steps=_frozen(found[3][live]))
    return SpectralPlan(
        space.shape,
        _frozen(found[0][live]),
        _frozen(found[1][live]),
        _frozen(totals[live]),
        tuple(done),
        construction,
        growth,
        space.digest,
        is_complex,
    )


def _renumbered(b: SpectralBlock, number: Ints) -> SpectralBlock:
    cells = tuple(replace(c, ids=_frozen(number[c.ids])) for c in b.cells)
    return replace(b, ids=_frozen(np.where(b.ids >= 0, number[b.ids], -1)), cells=cells)


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array
