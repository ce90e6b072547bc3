"""`Layer`: how an equivariant linear layer runs in the irrep basis, as arrays that any backend executes; NumPy reference.

By Schur's lemma an equivariant map mixes the copies of one irrep, and nothing else. So a layer y = W x + b is

    change of basis of x,   one product for each irrep,   change of basis to y,

and W is never formed. With c copies of a summand of dimension n the changes of basis cost O(c n^2), and the products O(c^2 times
the sum of t d m^2) over the irreps with dimension d, multiplicity m and t endomorphisms, against O(c^2 n^2) for the dense layer:
for the regular representation of D4, 12 c^2 against 64 c^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.plan.fourier import Fourier

__all__ = ["IrrepGroup", "Layer", "Panel"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Panel:
    """Equal copies of one summand, or of a sum of summands that lie side by side: what one change of basis reads or writes.

    Attributes:
        positions: (m, n) component i of copy c in the vector.
        changes: for each irrep group of the layer a matrix (rows, n). In a panel of X the rows are (p, irrep, s, a):
            component p of E_s U^H x / sqrt(d) for copy a of the irrep. In a panel of Y they are (p, irrep, a), and y is the
            sum of rows times components.
        multiplicities: for each irrep group the number of copies a in one copy of the summand.
    """

    positions: Ints
    changes: tuple[Array, ...]
    multiplicities: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class IrrepGroup:
    """Irreps of equal sizes, executed as one batched product.

    Its coefficients are ``theta[start : start + size]`` as an array (irreps, outputs, endomorphisms, inputs). Channels are
    ordered by summand, then copy of the irrep in the summand, then copy of the summand.

    Attributes:
        dim: the dimension d of each irrep.
        irreps: how many.
        endomorphisms: t = 1, 2 or 4.
        outputs: channels of each irrep in Y.
        inputs: channels of each irrep in X; 0 for invariants of Y that X has none of.
        start: the first coefficient.
        biased: whether this is the trivial representation, whose outputs take a bias.
    """

    dim: int
    irreps: int
    endomorphisms: int
    outputs: int
    inputs: int
    start: int
    biased: bool

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(irreps, outputs, endomorphisms, inputs), the shape of its coefficients."""
        return (self.irreps, self.outputs, self.endomorphisms, self.inputs)

    @property
    def size(self) -> int:
        """The number of its coefficients."""
        return self.irreps * self.outputs * self.endomorphisms * self.inputs


@dataclass(frozen=True, eq=False)
class Layer:
    """An equivariant layer X -> Y in the irrep basis; made by ``rc.plan(X >> Y, structure="schur")``, as its ``layer``.

    Attributes:
        shape: (dim Y, dim X).
        dim: the number of coefficients theta.
        bias: the number of invariants of Y, which is the length of a bias: coefficients on an orthonormal basis of them.
        inputs: panels of X.
        outputs: panels of Y.
        groups: the irreps that X and Y share, and the invariants of Y.
        order: (dim Y,) where each entry of y stands in the outputs of the panels put one after the other, with a zero at the
            end for what is in no panel; None if they are y.
        is_complex: whether the coefficients are.
        fourier: the transform that does the changes of basis of large abelian groups faster, for backends to use; or None.
    """

    shape: tuple[int, int]
    dim: int
    bias: int
    inputs: tuple[Panel, ...]
    outputs: tuple[Panel, ...]
    groups: tuple[IrrepGroup, ...]
    order: Ints | None
    is_complex: bool
    fourier: Fourier | None = None

    def apply(self, theta: Array, x: Array, bias: Array | None = None) -> Array:
        """y = (sum_i theta_i B_i) x + sum_j bias_j I_j without forming the weight, in the dtype of theta and x together.

        I_j is an orthonormal basis of the invariants of Y. Shapes: theta (..., dim), x (..., dim X), bias (..., number of
        invariants); leading axes broadcast; -> (..., dim Y).
        """
        dtype = np.result_type(theta, x, np.complex64) if self.is_complex else np.result_type(theta, x)
        lead = np.broadcast_shapes(theta.shape[:-1], x.shape[:-1], () if bias is None else bias.shape[:-1])
        products = [_product(self, g, theta, x, bias, lead, dtype) for g in range(len(self.groups))]
        y = np.zeros((*lead, self.shape[0]), dtype)
        starts = [0] * len(self.groups)
        for panel in self.outputs:
            m, n = panel.positions.shape
            total = np.zeros((*lead, m, n), dtype)
            for g, (group, change, a) in enumerate(zip(self.groups, panel.changes, panel.multiplicities, strict=True)):
                if a:
                    mine = products[g][..., starts[g] : starts[g] + a * m].reshape(*lead, group.dim * group.irreps * a, m)
                    total += mine.swapaxes(-2, -1) @ change.astype(dtype)
                    starts[g] += a * m
            y[..., panel.positions] = total
        return y


def _product(
    layer: Layer, g: int, theta: Array, x: Array, bias: Array | None, lead: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    """The outputs of one irrep group, (..., d, irreps, outputs)."""
    group = layer.groups[g]
    k, n, t, m = group.shape
    out = np.zeros((*lead, group.dim, k, n), dtype)
    if m:
        parts = [
            (panel.changes[g].astype(dtype) @ x[..., panel.positions].swapaxes(-2, -1)).reshape(
                *x.shape[:-1], group.dim, k, t, panel.multiplicities[g] * len(panel.positions)
            )
            for panel in layer.inputs
            if panel.multiplicities[g]
        ]
        z = np.concatenate(parts, -1).reshape(*x.shape[:-1], group.dim, k, t * m).swapaxes(-3, -2)
        w = theta[..., group.start : group.start + group.size].reshape(*theta.shape[:-1], k, n, t * m)
        out += (z @ w.swapaxes(-2, -1)).swapaxes(-3, -2)
    if group.biased and bias is not None:
        out += bias[..., None, None, :]
    return out
