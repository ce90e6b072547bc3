"""The Lie algebra of a compact group with an invariant inner product, and its generators in floating point.

The inner product is <A, B> = Re tr(A^H B) / 2 in the defining representation, for which the usual rotations E_ij - E_ji are
orthonormal. Group elements keep it, so that the Casimir operator, the sum of A_a A_a over an orthonormal basis, commutes with all
of them and depends on the Lie algebra alone, not on the generators that span it or whose brackets do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.reps.scales import scales
from repcore.reps.tree import Rep

__all__ = ["EPS", "Algebra", "images", "make_algebra", "spanned"]

Array = npt.NDArray[Any]

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Algebra:
    """An orthonormal basis of the Lie algebra in terms of the generators.

    Attributes:
        words: element k is generator j for (j, -1), and the bracket of generator j with element i < k for (j, i).
        mix: (rank, words) the orthonormal elements as combinations of those.
    """

    words: tuple[tuple[int, int], ...]
    mix: Array

    def act(self, generators: Sequence[Array]) -> Array:
        """The orthonormal elements, (rank, d, d), in a representation, from the images of the Lie generators."""
        found: list[Array] = []
        for j, i in self.words:
            a = generators[j]
            found.append(a if i < 0 else a @ found[i] - found[i] @ a)
        if not found:
            return np.zeros((0, *generators[0].shape)) if generators else np.zeros((0, 0, 0))
        return np.tensordot(self.mix, np.stack(found), 1)


def make_algebra(carriers: Sequence[Array], *, close: bool = True) -> Algebra:
    """The algebra that antisymmetric (anti-Hermitian) matrices generate; or, without ``close``, the span of any matrices.

    A bracket belongs to the span of what is there if what is left after projection is below the rounding error of all that was
    computed on the way.
    """
    words: list[tuple[int, int]] = []
    kept: list[Array] = []
    rows: list[Array] = []

    def add(a: Array, word: tuple[int, int], scale: float) -> None:
        flat = _flat(a)
        rest = flat
        for _ in range(2):
            for r in rows:
                rest = rest - (r @ rest) * r
        if np.linalg.norm(rest) > 64 * EPS * len(a) ** 1.5 * scale:
            rows.append(rest / np.linalg.norm(rest))
            kept.append(a)
            words.append(word)

    for j, a in enumerate(carriers):
        add(a, (j, -1), float(np.linalg.norm(a)))
    first, i = len(kept), 0
    while close and i < len(kept):
        for j, _ in words[:first]:
            a = carriers[j]
            size = 2 * float(np.linalg.norm(a)) * float(np.linalg.norm(kept[i]))
            add(a @ kept[i] - kept[i] @ a, (j, i), size)
        i += 1
    if not kept:
        return Algebra((), np.zeros((0, 0)))
    flat = np.stack([_flat(a) for a in kept])
    return Algebra(tuple(words), np.linalg.inv(np.linalg.cholesky(flat @ flat.T / 2)))


def images(rep: Rep) -> list[Any]:
    """The images of the generators as sparse arrays, in the coordinates of ``EquivariantBasis.to_numpy``."""
    from scipy.sparse import csr_array

    s = scales(rep)
    return [csr_array((m.values() * (s[m.rows] / s[m.cols]), (m.rows, m.cols)), shape=m.shape) for m in rep.matrices]


def spanned(a: Array) -> float:
    """The spectral norm of a small array; 0 for one without entries."""
    return float(np.linalg.norm(a, 2)) if a.size else 0.0


def _flat(a: Array) -> Array:
    """A matrix as a real vector, whose products are Re tr(A^H B)."""
    return np.concatenate([np.real(a).ravel(), np.imag(a).ravel()])
