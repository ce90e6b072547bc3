"""`Growth`: how far group elements move maps, level by level, as the numbers that bounds on the defect are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Growth"]

Floats = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Growth:
    """What is known of the action; made with a :class:`SpectralPlan`.

    Attributes:
        is_orthogonal: whether X and Y are orthogonal (unitary), so that the group acts on maps by isometries.
        invariant: whether group elements keep every level.
        has_lie: whether the group has a Lie generator that is not zero.
        has_discrete: whether it has a discrete one that is not the identity.
        lie: (levels,) the largest eigenvalue of the Lie part of Delta on each level.
        steps: (levels,) the largest ||rho(s) - 1||_2 of a discrete generator s on each level.
        farthest: sup_g ||rho(g) - 1||_2 over all maps: 2, or less for finite groups of odd exponent.
        longest: the number of letters with which every element of a finite group can be written; None where there is none.
        rates: for Y and X a bound on the logarithmic norm of sum_a t_a A_a over unit vectors t; 0 where orthogonal.
        factors: for Y and X the largest norm of a discrete generator or its inverse.
    """

    is_orthogonal: bool
    invariant: bool
    has_lie: bool
    has_discrete: bool
    lie: Floats
    steps: Floats
    farthest: float = 2.0
    longest: int | None = None
    rates: tuple[float, float] = (0.0, 0.0)
    factors: tuple[float, float] = (1.0, 1.0)

    def chords(self, reach: float | None, word: int) -> Floats:
        """(levels,) for orthogonal X and Y that keep the levels: a bound on ||rho(g) - 1||_2 on each of them.

        For g = s_1 ... s_k exp(A), k <= word and |A| <= reach; for all g where ``reach`` is None. On a level A has eigenvalues
        i theta with |theta| <= |A| sqrt(lie), and |exp(i theta) - 1| = 2 |sin(theta / 2)|.
        """
        zero = np.arange(len(self.lie)) == 0
        if not self.invariant:
            out = np.full(len(self.lie), self.farthest)
        elif reach is None:
            out = np.full(len(self.lie), self.farthest)
            if self.longest is not None:
                out = np.minimum(out, self.longest * self.steps)
        else:
            arcs = 2 * np.sin(np.minimum(np.sqrt(self.lie) * reach, np.pi) / 2)
            out = np.minimum(arcs + word * self.steps, self.farthest)
        return np.where(zero, 0.0, out)
