"""From the rational model of a representation to its orthonormal convention, at the boundary to floating point.

Labelled irreducible representations (:class:`repcore.reps.irreps.Irrep`) are computed in an orthogonal basis with rational
matrices, and used in an orthonormal one: x_orthonormal = S x with S = diag(s), s_i^2 rational and positive. For any expression
S is what it would be if each label stood for its orthonormal matrices:

=================  ==============================
S of a sum         the S of the terms, in blocks
of V (x) W         S_V (x) S_W
of the dual        1 / S
of Sym^k, Alt^k,   products s_i1 ... s_ik
of index symmetry
everything else    1, or the S of what is inside
=================  ==============================

A map M: X -> Y becomes S_Y M S_X^-1. Representations without labelled parts have S = 1 and are not touched.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache, reduce, singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.reps.induced import Induced
from repcore.reps.irreps import Irrep
from repcore.reps.lifted import Lifted
from repcore.reps.powers import index_tuples
from repcore.reps.tensors import Tensors, tensor_maps
from repcore.reps.tree import Alt, Conjugate, Dual, Product, Realified, Rep, Restriction, Sum, Sym

__all__ = ["scale_squares", "scales", "to_orthonormal"]

Array = npt.NDArray[Any]


@lru_cache(maxsize=256)
def scale_squares(rep: Rep) -> Array | None:
    """s_i^2, exactly, as an array of Fractions of shape (dim,); None where all of them are 1."""
    found = _squares(rep)
    if found is None or all(s == 1 for s in found.tolist()):
        return None
    found.flags.writeable = False
    return found


@lru_cache(maxsize=256)
def scales(rep: Rep) -> npt.NDArray[np.float64]:
    """The diagonal of S, each entry the root of a rational number that was rounded once; shape (dim,).

    >>> from repcore import O, irrep
    >>> scales(irrep(O(3), "2e")).round(3).tolist()
    [1.0, 2.0, 1.732, 2.0, 1.0]
    """
    squares = scale_squares(rep)
    out = np.ones(rep.dim) if squares is None else np.sqrt(squares.astype(np.float64))
    out.flags.writeable = False
    return out


def to_orthonormal(maps: npt.ArrayLike, domain: Rep, codomain: Rep) -> Array:
    """S_Y M S_X^-1 for arrays M of shape (..., dim Y, dim X) in the rational model.

    The way back is division by ``scales(codomain)[:, None] / scales(domain)``.

    >>> from repcore import O, irrep
    >>> V = irrep(O(3), "2e")
    >>> turn = to_orthonormal(V.matrix(1).to_numpy(), V, V)
    >>> bool(abs(turn + turn.T).max() < 1e-15)
    True
    """
    return np.asarray(maps) * (scales(codomain)[:, None] / scales(domain))


@singledispatch
def _squares(rep: Rep) -> Array | None:
    return None


@_squares.register
def _(rep: Irrep) -> Array | None:
    return _fractions(rep.scales)


@_squares.register
def _(rep: Sum) -> Array | None:
    parts = [(m, v, scale_squares(v)) for m, v in rep.terms]
    if all(s is None for _, _, s in parts):
        return None
    return np.concatenate([np.tile(_ones(v) if s is None else s, m) for m, v, s in parts])


@_squares.register
def _(rep: Product) -> Array | None:
    parts = [(v, scale_squares(v)) for v in rep.factors]
    if all(s is None for _, s in parts):
        return None
    return reduce(lambda a, b: np.outer(a, b).ravel(), [_ones(v) if s is None else s for v, s in parts])


@_squares.register
def _(rep: Dual) -> Array | None:
    inner = scale_squares(rep.rep)
    return None if inner is None else 1 / inner


@_squares.register(Conjugate)
@_squares.register(Restriction)
@_squares.register(Lifted)
def _(rep: Conjugate | Restriction | Lifted) -> Array | None:
    inner = scale_squares(rep.rep)
    return None if inner is None else inner.copy()


@_squares.register
def _(rep: Realified) -> Array | None:
    inner = scale_squares(rep.rep)
    return None if inner is None else np.tile(inner, 2)


@_squares.register(Sym)
@_squares.register(Alt)
def _(rep: Sym | Alt) -> Array | None:
    inner = scale_squares(rep.rep)
    if inner is None:
        return None
    return np.prod(inner[index_tuples(rep.rep.dim, rep.k, signed=isinstance(rep, Alt))], axis=1)


@_squares.register
def _(rep: Tensors) -> Array | None:
    parts = [(v, scale_squares(v)) for v in rep.factors]
    if all(s is None for _, s in parts):
        return None
    maps = tensor_maps(rep)
    # The tuples of an orbit differ by exchanges of equal factors, so that any of them has the product.
    spread = maps.into.T
    first = spread.cols[np.searchsorted(spread.rows, np.arange(rep.dim))]
    at = np.unravel_index(first, maps.shape)
    return np.prod([(_ones(v) if s is None else s)[i] for (v, s), i in zip(parts, at, strict=True)], axis=0)


@_squares.register
def _(rep: Induced) -> Array | None:
    inner = scale_squares(rep.rep)
    return None if inner is None else np.tile(inner, rep.dim // rep.rep.dim)


def _fractions(values: tuple[Fraction, ...]) -> Array:
    out = np.empty(len(values), object)
    out[:] = values
    return out


def _ones(rep: Rep) -> Array:
    return _fractions((Fraction(1),) * rep.dim)
