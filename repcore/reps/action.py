"""How an element acts on each kind of representation.

Two verbs, dispatched on the node: ``discrete_image(V, g)`` for a matrix g of the defining representation and
``lie_image(V, a)`` for an element a of the Lie algebra. Everything is exact and sparse.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache, singledispatch

import numpy as np

from repcore.errors import RepresentationError
from repcore.exact.field import QQ
from repcore.exact.matrix import Matrix, block_diag, from_coo, identity, inverse, kron, permutation_matrix, zeros
from repcore.exact.number import number
from repcore.groups.finite import elements
from repcore.groups.span import combine, coordinates_in_span
from repcore.reps.cosets import Quotient, cosets
from repcore.reps.custom import Custom
from repcore.reps.irreps import Irrep, irrep_derivative, irrep_image
from repcore.reps.lifted import Lifted
from repcore.reps.powers import power_derivative, power_image
from repcore.reps.tree import (
    Alt,
    Conjugate,
    Defining,
    Dual,
    Product,
    Realified,
    Rep,
    Restriction,
    Sum,
    Sym,
    Trivial,
)

__all__ = ["discrete_image", "image", "lie_image"]


@lru_cache(maxsize=4096)
def image(rep: Rep, generator: int) -> Matrix:
    """The exact image of generator number ``generator`` (discrete generators first)."""
    generators = rep.group.generators
    if not -len(generators) <= generator < len(generators):
        raise IndexError(f"generator {generator} of a group with {len(generators)} generators")
    generator %= len(generators)
    verb = discrete_image if generator < len(rep.group.discrete) else lie_image
    return verb(rep, generators[generator])


@singledispatch
def discrete_image(rep: Rep, g: Matrix) -> Matrix:
    """rho(g), for an invertible matrix g of the defining representation of the group."""
    raise TypeError(f"no rule how a group element acts on {type(rep).__name__}")


@singledispatch
def lie_image(rep: Rep, a: Matrix) -> Matrix:
    """d rho(a), for a matrix a of the Lie algebra in the defining representation."""
    raise TypeError(f"no rule how a Lie algebra element acts on {type(rep).__name__}")


@discrete_image.register
def _(rep: Defining, g: Matrix) -> Matrix:
    return g


@lie_image.register
def _(rep: Defining, a: Matrix) -> Matrix:
    return a


@discrete_image.register
def _(rep: Trivial, g: Matrix) -> Matrix:
    return identity(1)


@lie_image.register
def _(rep: Trivial, a: Matrix) -> Matrix:
    return zeros((1, 1))


@discrete_image.register
def _(rep: Sum, g: Matrix) -> Matrix:
    return _on_terms(rep, lambda v: discrete_image(v, g))


@lie_image.register
def _(rep: Sum, a: Matrix) -> Matrix:
    return _on_terms(rep, lambda v: lie_image(v, a))


@discrete_image.register
def _(rep: Product, g: Matrix) -> Matrix:
    return _tensor([discrete_image(v, g) for v in rep.factors])


@lie_image.register
def _(rep: Product, a: Matrix) -> Matrix:
    return _leibniz([lie_image(v, a) for v in rep.factors])


@discrete_image.register
def _(rep: Dual, g: Matrix) -> Matrix:
    return inverse(discrete_image(rep.rep, g)).T


@lie_image.register
def _(rep: Dual, a: Matrix) -> Matrix:
    return -lie_image(rep.rep, a).T


@discrete_image.register
def _(rep: Conjugate, g: Matrix) -> Matrix:
    return discrete_image(rep.rep, g).conjugate()


@lie_image.register
def _(rep: Conjugate, a: Matrix) -> Matrix:
    return lie_image(rep.rep, a).conjugate()


@discrete_image.register
def _(rep: Realified, g: Matrix) -> Matrix:
    return _realified(discrete_image(rep.rep, g))


@lie_image.register
def _(rep: Realified, a: Matrix) -> Matrix:
    return _realified(lie_image(rep.rep, a))


@discrete_image.register
def _(rep: Restriction, g: Matrix) -> Matrix:
    return discrete_image(rep.rep, g)


@lie_image.register
def _(rep: Restriction, a: Matrix) -> Matrix:
    return lie_image(rep.rep, a)


@discrete_image.register
def _(rep: Lifted, g: Matrix) -> Matrix:
    return discrete_image(rep.rep, _factor_block(rep, g))


@lie_image.register
def _(rep: Lifted, a: Matrix) -> Matrix:
    return lie_image(rep.rep, _factor_block(rep, a))


@discrete_image.register
def _(rep: Sym, g: Matrix) -> Matrix:
    return power_image(discrete_image(rep.rep, g), rep.k, signed=False)


@lie_image.register
def _(rep: Sym, a: Matrix) -> Matrix:
    return power_derivative(lie_image(rep.rep, a), rep.k, signed=False)


@discrete_image.register
def _(rep: Alt, g: Matrix) -> Matrix:
    return power_image(discrete_image(rep.rep, g), rep.k, signed=True)


@lie_image.register
def _(rep: Alt, a: Matrix) -> Matrix:
    return power_derivative(lie_image(rep.rep, a), rep.k, signed=True)


@discrete_image.register
def _(rep: Quotient, g: Matrix) -> Matrix:
    table = elements(rep.group)
    e = table.find(g)
    if e is None:
        raise RepresentationError(f"g: this matrix is not an element of {rep.group}, so it does not act on {rep}")
    return permutation_matrix(cosets(rep.group, rep.subgroup).action(e))


@lie_image.register
def _(rep: Quotient, a: Matrix) -> Matrix:
    # Only a zero Lie generator can belong to a finite group.
    return zeros((rep.dim, rep.dim))


@discrete_image.register
def _(rep: Custom, g: Matrix) -> Matrix:
    for given, shown in zip(rep.group.discrete, rep.discrete, strict=True):
        if given == g:
            return shown
    out = identity(rep.dim)
    if g.is_identity:
        return out
    # Not a generator: write it as a word in them, which needs the elements of a finite group.
    table = elements(rep.group)
    e = table.find(g)
    if e is None:
        raise RepresentationError(f"g: this matrix is not an element of {rep.group}, so it does not act on {rep}")
    for letter in table.word(e):
        out = out @ rep.discrete[letter]
    return out


@lie_image.register
def _(rep: Custom, a: Matrix) -> Matrix:
    weights = coordinates_in_span(a, rep.group.lie)
    if weights is None:
        raise RepresentationError(
            f"a: this matrix is not a rational combination of the Lie generators of {rep.group}, "
            f"so its action on {rep} is unknown"
        )
    return combine(weights, rep.lie, (rep.dim, rep.dim))


@discrete_image.register
def _(rep: Irrep, g: Matrix) -> Matrix:
    return irrep_image(rep, g)


@lie_image.register
def _(rep: Irrep, a: Matrix) -> Matrix:
    return irrep_derivative(rep, a)


# -- building blocks -----------------------------------------------------------------------------------------------


def _on_terms(rep: Sum, act: Callable[[Rep], Matrix]) -> Matrix:
    return block_diag([kron(identity(m), act(v)) for m, v in rep.terms])


def _tensor(factors: list[Matrix]) -> Matrix:
    out = factors[0]
    for f in factors[1:]:
        out = kron(out, f)
    return out


def _leibniz(factors: list[Matrix]) -> Matrix:
    """sum_k 1 (x) ... (x) a_k (x) ... (x) 1."""
    out = factors[0]
    for f in factors[1:]:
        out = kron(out, identity(f.shape[0])) + kron(identity(out.shape[0]), f)
    return out


def _realified(m: Matrix) -> Matrix:
    re = (m + m.conjugate()) * Fraction(1, 2)
    im = (m - m.conjugate()) * (number(1) / number("2*I"))
    rotation = from_coo((2, 2), QQ, [0, 1], [1, 0], np.array([[-1], [1]]), 1)
    return (kron(identity(2), re) + kron(rotation, im)).reduced()


def _factor_block(rep: Lifted, g: Matrix) -> Matrix:
    """The block of a block diagonal matrix that belongs to one factor of the product."""
    factors = rep.group.factors
    top = sum(f.dim for f in factors[: rep.factor])
    n = factors[rep.factor].dim
    inside = (g.rows >= top) & (g.rows < top + n)
    return from_coo((n, n), g.field, g.rows[inside] - top, g.cols[inside] - top, g.nums[inside], g.den).reduced()
