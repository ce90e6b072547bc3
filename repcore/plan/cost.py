"""`choose`: which structure a plan takes by itself, from predicted costs of projecting one weight.

=========  ===============================================  ==================================================
structure  taken for                                        predicted seconds for one pair of copies, N = dim W dim V
=========  ===============================================  ==================================================
orbit      every generator permutes the basis up to factors 4e-9 N
factor     everything else, while it is small               1.5e-10 N k + 2e-9 N, but the basis must be solved for
schur      completely reducible representations, large      1.5e-10 N (dim W + dim V) + 2e-9 N
=========  ===============================================  ==================================================

The seconds are those of one core (AVX-512, float32, 2026), where a product runs at some 1.5e-10 s a multiplication and a pass
over memory at 2e-9 s an entry; only their ratios matter. The dimension k of Hom(V, W) is not known before it is solved for, and
k <= N is all that can be said. So:

1. where all pairs of summands are monomial: orbit;
2. where no pair that is not monomial has more than ``LARGE`` = 4096 entries: factor, and orbit for the monomial pairs. Up to that
   size the dense (N, k) array is small and its orthonormalisation, N k^2 products, takes little;
3. else, if X and Y are completely reducible and orthogonal: schur, whose cost and memory do not depend on k. Decomposing solves
   V >> V for each summand, which costs what solving X >> Y costs, and no dense (N, k) array is made. (SO(3), V^5 -> V^5: that
   array has 59,049 x 603 entries, 285 MB; the two changes of basis 0.9 MB);
4. else: factor.

The choice depends on the space alone, never on the machine, since it fixes the coordinates of theta: see ``Plan.coordinates``.
"""

from __future__ import annotations

from dataclasses import dataclass

from repcore.reps.atoms import atoms
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep

__all__ = ["LARGE", "Choice", "choose"]

LARGE = 4096

_PRODUCT = 1.5e-10
_PASS = 2e-9
_MEAN = 4e-9


@dataclass(frozen=True)
class Choice:
    """The structure that a plan will take by itself, with the reason.

    Attributes:
        structure: ``"orbit"``, ``"factor"`` or ``"schur"``; schur gives way to factor where X or Y is not completely reducible.
        why: the reason, in words, with the predicted cost of projecting one weight.
    """

    structure: str
    why: str

    def __str__(self) -> str:
        return f"{self.structure}, {self.why}"


def choose(space: Hom) -> Choice:
    """The structure of ``rc.plan(space)``, by the table above; nothing is solved or decomposed."""
    cols, rows = (
        [(a.rep.dim, len(a.positions), is_monomial(a.rep)) for a in atoms(side)] for side in (space.domain, space.codomain)
    )
    pairs = [(w * v, n * m, w + v, on_w and on_v) for w, n, on_w in rows for v, m, on_v in cols]
    mean = sum(_MEAN * size * copies for size, copies, _, monomial in pairs if monomial)
    rest = [(size, copies, sides) for size, copies, sides, monomial in pairs if not monomial]
    if not rest:
        return Choice("orbit", f"every generator permutes the basis up to factors; projecting takes {_seconds(mean)}")
    largest = max(size for size, _, _ in rest)
    if largest > LARGE:
        cost = sum((_PRODUCT * sides + _PASS) * size * copies for size, copies, sides, _ in pairs)
        return Choice(
            "schur",
            f"a pair of summands that is not monomial has {largest} entries, more than {LARGE}; projecting takes "
            f"{_seconds(cost)}; factor, if X or Y turns out not to be completely reducible",
        )
    most = mean + sum((_PRODUCT * size + _PASS) * size * copies for size, copies, _ in rest)
    return Choice(
        "factor",
        f"pairs of summands that are not monomial have at most {largest} entries; projecting takes at most {_seconds(most)}",
    )


def is_monomial(rep: Rep) -> bool:
    """Whether every generator permutes the basis up to factors, so that the maps of the representation have disjoint supports."""
    first = len(rep.group.discrete)
    images = rep.matrices
    return all(m.is_monomial for m in images[:first]) and all(m.is_zero for m in images[first:])


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"about {value / size:.1f} {unit}"
    return f"about {max(value * 1e6, 0.1):.1f} us"
