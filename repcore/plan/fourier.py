"""`Fourier`: the irrep basis of the regular representation of an abelian group, as a discrete Fourier transform.

The characters of Z_n1 x ... x Z_nr are the frequencies of a transform over a grid, and a real irrep of dimension 2 is a pair of
opposite frequencies: its product is one complex product. The transform takes O(n log n) where the change of basis takes n^2; it
wins from about n = 96 on (see ``FROM``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.reps.tree import Rep

__all__ = ["FROM", "Fourier", "find_fourier"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# The least n that goes through the transform. Measured with repcore_torch.Linear, one thread, batch 256, float32, forward and
# both ways in ms, transform against matrices: n = 16, 64 copies: 3.1, 7.2 against 1.7, 4.4; n = 32, 32 copies: 2.8, 5.8 against
# 2.0, 4.5; n = 64, 16 copies: 2.3, 5.1 against 2.9, 5.6, but 64 copies: 17, 27 against 9.7, 25; n = 128, 16 copies: 5.5, 11
# against 8.6, 18.
FROM = 96


@dataclass(frozen=True, eq=False)
class Fourier:
    """How a layer between copies of one regular representation of an abelian group runs through a real transform over a grid.

    With x read as ``(copies, *grid)`` in the given order and F its orthonormal ``rfftn``, the layer is, frequency by frequency,
    F_y = W F_x with W = (theta_0 + i sign theta_1) / sqrt(d), for theta (outputs, inputs) of the irrep and its endomorphisms.

    Attributes:
        grid: (n1, ..., nr), of product n.
        order: (n,) the component of the summand at each place of the grid, row-major.
        irreps: (frequencies,) for each frequency of ``rfftn``, row-major, the irrep, counted through all groups.
        signs: (frequencies,) 1, -1, or 0 where the irrep has dimension 1.
        bias: 1 or -1; a bias b of the invariants adds bias * b / sqrt(n) to all components of its copy.
    """

    grid: tuple[int, ...]
    order: Ints
    irreps: Ints
    signs: Ints
    bias: int


def find_fourier(rep: Rep, bases: list[Array], endomorphisms: list[Array]) -> Fourier | None:
    """The transform that is the irrep basis of a representation; None if it is too small for that to pay, or something else.

    Args:
        rep: a distinct summand.
        bases: for each of its irreps, in the order of the layer, the orthonormal columns (n, d).
        endomorphisms: the endomorphisms (t, d, d) of each.
    """
    n = rep.dim
    if n < FROM or sum(u.shape[1] for u in bases) != n:
        return None
    if any(u.shape[1] != len(e) or u.shape[1] > 2 or np.iscomplexobj(u) for u, e in zip(bases, endomorphisms, strict=True)):
        return None
    found = _grid(rep)
    if found is None:
        return None
    grid, order = found
    at: dict[tuple[int, ...], tuple[int, int]] = {}
    bias = 1
    for i, (u, e) in enumerate(zip(bases, endomorphisms, strict=True)):
        # zeta = z_0 + i z_1 is one Fourier coefficient up to a constant factor, and E_1 multiplies it by i or -i.
        v = (u[:, 0] if len(e) == 1 else u[:, 0] + 1j * u[:, 1])[order]
        spectrum = np.fft.ifftn(v.reshape(grid), norm="ortho")
        k = tuple(int(p) for p in np.unravel_index(int(np.argmax(np.abs(spectrum))), grid))
        peak = spectrum[k]
        spectrum[k] = 0
        # The columns and the transform are both within n eps of orthonormal ones.
        if np.linalg.norm(spectrum) > 64 * n * np.finfo(np.float64).eps:
            return None
        sign = 0 if len(e) == 1 else int(np.sign(e[1, 1, 0]))
        at[tuple(-p % size for p, size in zip(k, grid, strict=True))] = (i, -sign)
        at[k] = (i, sign)
        if not any(k):
            bias = int(np.sign(peak.real))
    half = np.indices((*grid[:-1], grid[-1] // 2 + 1)).reshape(len(grid), -1).T.tolist()
    if any(tuple(k) not in at for k in half):
        return None
    pairs = np.array([at[tuple(k)] for k in half], np.int64)
    irreps, signs = pairs[:, 0].copy(), pairs[:, 1].copy()
    for array in (order, irreps, signs):
        array.flags.writeable = False
    return Fourier(grid, order, irreps, signs, bias)


def _grid(rep: Rep) -> tuple[tuple[int, ...], Ints] | None:
    """Generators that act as the steps of a grid: (n1, ..., nr) and the component at each place of it."""
    places = np.zeros(1, np.int64)
    grid: list[int] = []
    for m in rep.matrices:
        if not m.is_permutation:
            return None
        step = np.empty(rep.dim, np.int64)
        step[m.cols] = m.rows
        if step[0] in places:
            continue
        rows = [places]
        while (following := step[rows[-1]])[0] != 0:
            if len(rows) * len(places) > rep.dim or following[0] in places:
                return None
            rows.append(following)
        grid.append(len(rows))
        places = np.stack(rows, axis=-1).ravel()
    if len(places) != rep.dim or len(np.unique(places)) != rep.dim or not grid:
        return None
    return tuple(grid), places
