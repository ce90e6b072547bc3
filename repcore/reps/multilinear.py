"""Equivariant multilinear maps: a space of linear maps from a tensor product, and the axes of its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from operator import mul
from string import ascii_lowercase
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep

__all__ = ["Multilinear", "multilinear"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, repr=False)
class Multilinear:
    """Maps f: X_1 x ... x X_k -> Y, linear in each argument, with f(g x_1, ..., g x_k) = g f(x_1, ..., x_k).

    Attributes:
        inputs: X_1, ..., X_k.
        output: Y.
    """

    inputs: tuple[Rep, ...]
    output: Rep

    @property
    def space(self) -> Hom:
        """The same maps as ``X_1 * ... * X_k >> Y``, which ``solve``, ``plan`` and the backends take."""
        return Hom(reduce(mul, self.inputs), self.output)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(dim Y, dim X_1, ..., dim X_k)``: the axes of one map."""
        return (self.output.dim, *(v.dim for v in self.inputs))

    def reshape(self, weights: npt.ArrayLike) -> Array:
        """Weights (..., dim Y, dim X_1 * ... * dim X_k) with an axis for each argument: (..., dim Y, dim X_1, ..., dim X_k).

        The same entries in the same order; ``weights.reshape(-1, *space.shape)`` goes back.

        Raises:
            IncompatibleError: the last two axes have another shape.
        """
        array = np.asarray(weights)
        flat = (self.shape[0], prod(self.shape[1:]))
        if array.shape[-2:] != flat:
            raise IncompatibleError(f"weights: expected an array of shape (..., {flat[0]}, {flat[1]}), got {array.shape}")
        return array.reshape(*array.shape[:-2], *self.shape)

    def apply(self, weight: npt.ArrayLike, *inputs: npt.ArrayLike) -> Array:
        """The value y[a] = sum weight[a, i, j, ...] x_1[i] x_2[j] ... of one map.

        Args:
            weight: (dim Y, dim X_1 * ... * dim X_k), or with an axis for each argument.
            inputs: an array (..., dim X_i) for each argument, batch axes broadcast.

        Returns:
            (..., dim Y).

        Raises:
            IncompatibleError: another number of inputs, or a shape that does not fit.
        """
        array = np.asarray(weight)
        kernel = array if array.shape == self.shape else self.reshape(array)
        if kernel.shape != self.shape:
            raise IncompatibleError(f"weight: expected one map of shape {self.shape}, got {array.shape}")
        arrays = [np.asarray(x) for x in inputs]
        if [x.shape[-1:] for x in arrays] != [(n,) for n in self.shape[1:]]:
            raise IncompatibleError(
                f"inputs: expected {len(self.inputs)} arrays with last axes {self.shape[1:]}, "
                f"got {len(arrays)} of shapes {[x.shape for x in arrays]}"
            )
        # One argument after another, so that the product of the inputs is never formed. The last axis of the kernel is summed.
        out = kernel
        for i, x in enumerate(reversed(arrays)):
            axes = ascii_lowercase[: len(arrays) - i]
            batch = "..." if i else ""
            out = np.einsum(f"{batch}{axes}z,...z->...{axes}", out, x)
        return out

    def __str__(self) -> str:
        return f"{' x '.join(map(str, self.inputs))} -> {self.output}"

    def __repr__(self) -> str:
        return f"multilinear([{', '.join(map(repr, self.inputs))}], {self.output!r})"


def multilinear(inputs: Sequence[Rep], output: Rep) -> Multilinear:
    """The equivariant multilinear maps X_1 x ... x X_k -> Y.

    They are the linear maps X_1 (x) ... (x) X_k -> Y, entry (i_1, ..., i_k) of the tensor product in row-major order, so a weight
    (dim Y, dim X_1 * ... * dim X_k) is an array (dim Y, dim X_1, ..., dim X_k) by ``reshape`` alone. For symmetric maps take
    ``V.sym(k) >> Y``, for alternating ones ``V.alt(k) >> Y``, in general ``tensors(V, formula) >> Y``.

    Args:
        inputs: X_1, ..., X_k, at least one.
        output: Y.

    Raises:
        IncompatibleError: no inputs, something that is no representation, or representations of different groups.

    >>> import numpy as np
    >>> from repcore import SO, solve
    >>> V = SO(3).rep
    >>> maps = multilinear([V, V], V)
    >>> basis = solve(maps.space, store=None)
    >>> cross = maps.reshape(basis.to_numpy())[0]
    >>> cross.shape, maps.apply(cross, [1, 0, 0], [0, 1, 0]).tolist()
    ((3, 3, 3), [0.0, 0.0, 1.0])
    """
    if isinstance(inputs, Rep) or not isinstance(inputs, Sequence) or not inputs:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"inputs: expected a list of representations, at least one, got {inputs!r:.60}; write [X1, X2]")
    for i, v in enumerate((*inputs, output)):
        if not isinstance(v, Rep):  # pyright: ignore[reportUnnecessaryIsInstance]
            where = f"inputs[{i}]" if i < len(inputs) else "output"
            raise IncompatibleError(f"{where}: expected a representation, got {type(v).__name__}")
    out = Multilinear(tuple(inputs), output)
    # Representations of different groups are refused here, and not where the space is first used.
    _ = out.space
    return out
