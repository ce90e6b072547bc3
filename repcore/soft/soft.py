"""`Soft`: a filter on the maps X -> Y between strict and free, with its levels and its bound."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.defect import as_map
from repcore.errors import IncompatibleError
from repcore.reps.function_maps import FunctionMaps
from repcore.reps.hom import Hom
from repcore.soft.bound import SoftBound, make_bound
from repcore.soft.profile import Cutoff, Heat, Level, Tikhonov
from repcore.soft.spectral import SpectralPlan
from repcore.soft.tangent import Tangent, tangent

__all__ = ["Soft", "make_soft"]

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Soft:
    """F M = sum_l gain_l P_l M on the maps X -> Y; made by :func:`repcore.soften`, compared and hashed by its digest.

    Attributes:
        space: ``X >> Y``, or maps from images, :class:`FunctionMaps`.
        plan: the levels, which do not depend on the gains.
        gains: (levels,) read-only.
        asked: what was asked for, in words.
    """

    space: Hom | FunctionMaps
    plan: SpectralPlan
    gains: Floats
    asked: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Soft):
            return NotImplemented
        return self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the plan's digest and the gains to ten digits, so that rounding on another machine makes no other filter."""
        gains = [f"{g:.10e}" for g in self.gains.tolist()]
        return hashlib.sha256(repr(("repcore-soft-1", self.plan.digest, gains)).encode()).hexdigest()

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels with their gains, by value; the first are the equivariant maps, also where there are none."""
        plan = self.plan
        rows = zip(plan.values.tolist(), plan.multiplicities.tolist(), plan.errors.tolist(), self.gains.tolist(), strict=True)
        return tuple(Level(*row) for row in rows)

    @property
    def spectrum(self) -> Array:
        """A structured array, a row a level: value, multiplicity, gain, and share, the softness if it is the last one kept."""
        plan = self.plan
        out = np.zeros(len(plan), [("value", "f8"), ("multiplicity", "i8"), ("gain", "f8"), ("share", "f8")])
        out["value"], out["multiplicity"], out["gain"], out["share"] = plan.values, plan.multiplicities, self.gains, plan.shares
        return out

    @property
    def is_strict(self) -> bool:
        """Whether F is the projector onto the equivariant maps."""
        return bool(self.gains[0] == 1 and np.all(self.gains[1:] == 0))

    @property
    def is_idempotent(self) -> bool:
        """Whether F F = F: all gains are 0 or 1. Otherwise filter stored free parameters, never the result once more."""
        return bool(np.all((self.gains == 0) | (self.gains == 1)))

    @property
    def softness(self) -> float:
        """How much of the complement of the equivariant maps is kept, the mean of gain over its dimensions: 0 strict, 1 free."""
        m = self.plan.multiplicities[1:]
        return float(np.abs(self.gains[1:]) @ m / m.sum()) if m.sum() else 1.0

    @property
    def cutoff(self) -> float:
        """The value of the last level that is not taken out: the threshold b of a hard filter that keeps the same ones."""
        return float(self.plan.values[np.flatnonzero(self.gains).max(initial=0)])

    def project(self, weight: npt.ArrayLike) -> Array:
        """F W: (..., dim Y, dim X) -> (..., dim Y, dim X).

        With gains strictly between 0 and 1 it is not idempotent: twice is another filter, with the gains squared.
        """
        return self.plan.project(weight, self.gains)

    def energies(self, weight: npt.ArrayLike) -> Floats:
        """||P_l W||_F^2 for each level, of W as it is: (..., dim Y, dim X) -> (..., levels)."""
        return self.plan.energies(weight)

    def bound(
        self, weight: npt.ArrayLike, *, reach: float | None = None, word: int | None = None, filtered: bool = True
    ) -> SoftBound:
        """A bound on sup_g ||rho_Y(g) M - M rho_X(g)||_F for M = F W, sharpened to what W has in each level.

        Where X and Y are orthogonal (unitary) the group keeps each level and acts by isometries, so that

            ||D(g)||_F^2 = sum_l ||g M_l - M_l||_F^2 <= sum_l c_l^2 ||M_l||_F^2,

        with c_l <= 2 for every g: never more than 2 ||M - P M||_F, and less for finite groups whose words are short or whose
        elements have odd order. For a connected group c_l = 2 is the smallest number that serves for all g, so that its diameter
        plays no part. In a ball c_l = 2 sin(min(pi, b_l r) / 2) <= b_l r, r the reach, and more for each letter; and the bound is
        at most r ||A_Y M - M A_X||_F for the worst A of norm 1.
        For other groups see ``docs/explanation/softness``; they need a range. Of maps from images the elements act on images by
        ``functions.act``, and a remainder has no ``mean``.

        Args:
            weight: W, one map (dim Y, dim X).
            reach: only for g = exp(A) of norm(A) <= reach, norm(A)^2 = tr(A^H A) / 2 in the defining representation: for
                rotations the angle, in rank r the root of the sum of squares of r angles. None for every g.
            word: only for products of at most so many discrete generators or inverses, times exp(A) as above.
            filtered: bound F W; False bounds W itself.

        Raises:
            IncompatibleError: another shape; a group that is not compact without a range.
        """
        w = as_map(weight, self.plan.shape)
        energies = self.plan.energies(w)
        if filtered:
            energies = energies * np.abs(self.gains) ** 2

        def of_map() -> Tangent:
            return tangent(self.space, self.project(w) if filtered else w)

        found = make_bound(energies, self.plan.growth, of_map, reach, word)
        if isinstance(self.space, FunctionMaps) and self.space.functions.dim < self.space.functions.cells and energies[-1]:
            # A map of the remainder may be invariant without being strict.
            return replace(found, mean=None)
        return found

    def explain(self) -> str:
        """The levels as a table, with what was asked for, what was made of it, and whether there are equivariant maps at all."""
        plan = self.plan
        lines = [
            f"{self.space} over {self.space.group}: {plan.size} maps in {len(plan)} levels, construction {plan.construction}",
            f"asked: {self.asked}; softness {self.softness:.4g}, threshold {self.cutoff:.4g}",
        ]
        if isinstance(self.space, FunctionMaps) and len(plan) > 1:
            lines.append("the last level is the remainder: what of an image is no function of the space")
        if not plan.strict:
            lines.append("there is no equivariant map but 0: strict means zero")
        lines += ["", "level  value     maps      gain      softness if kept up to here"]
        for k, level in enumerate(self.levels):
            lines.append(f"{k:<5}  {level.value:<8.5g}  {level.multiplicity:<8}  {level.gain:<8.4g}  {plan.shares[k]:.4g}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Soft {self.space}: {self.asked}, {len(self.plan)} levels, softness {self.softness:.4g}>"


def make_soft(
    space: Hom | FunctionMaps,
    plan: SpectralPlan,
    cutoff: float | None,
    keep: float | None,
    gain: Callable[[Level], float] | Sequence[float] | npt.NDArray[Any] | None,
) -> Soft:
    """The filter on given levels.

    Raises:
        IncompatibleError: not exactly one of the three; a share outside [0, 1]; gains that are not one finite number a level.
    """
    given = [name for name, value in (("cutoff", cutoff), ("keep", keep), ("gain", gain)) if value is not None]
    if len(given) != 1:
        raise IncompatibleError(
            f"cutoff, keep, gain: give exactly one, got {' and '.join(given) or 'none'}; soften(space, cutoff=0) is strict"
        )
    if keep is not None:
        if not 0 <= keep <= 1:
            raise IncompatibleError(f"keep: expected a share between 0 (strict) and 1 (free), got {keep!r}")
        last = plan.level_at(keep)
        gains = (np.arange(len(plan)) <= last).astype(np.float64)
        share = float(plan.shares[last])
        asked = f"keep {keep:.4g}" + ("" if share == keep else f", which is {share:.4g} in whole levels")
    elif cutoff is not None:
        gains = _evaluated(plan, Cutoff(cutoff))
        asked = f"cutoff {cutoff:.4g}"
    elif callable(gain):
        gains = _evaluated(plan, gain)
        asked = repr(gain) if isinstance(gain, Cutoff | Heat | Tikhonov) else "a profile"
    else:
        gains, asked = np.array(gain, np.float64), "gains"
    if gains.shape != plan.values.shape or not np.isfinite(gains).all():
        raise IncompatibleError(
            f"gain: expected one finite number for each of {len(plan)} levels, got an array of shape {gains.shape}"
            + ("" if np.isfinite(gains).all() else " with entries that are not finite")
        )
    gains.flags.writeable = False
    return Soft(space, plan, gains, asked)


def _evaluated(plan: SpectralPlan, profile: Callable[[Level], float]) -> Floats:
    rows = zip(plan.values.tolist(), plan.multiplicities.tolist(), plan.errors.tolist(), strict=True)
    return np.array([float(profile(Level(*row))) for row in rows], np.float64)
