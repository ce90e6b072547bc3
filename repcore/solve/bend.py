"""Reduction ``bend``: Hom(X (x) A, Y) = Hom(X, Y (x) A*), to whichever cut makes the larger side smaller.

A map is a tensor whose indices are those of Y and then those of X. Where the list of factors is cut into outputs and inputs
does not change the tensor nor the order of its entries, it only dualises the factors that cross over. So the canonical basis
is the same array for every cut, and the cheapest cut may be solved.
"""

from __future__ import annotations

from math import prod

from repcore.reps.tree import Product, Rep, trivial

__all__ = ["bend"]


def bend(v: Rep, w: Rep) -> tuple[Rep, Rep]:
    """(V', W') with Hom(V', W') = Hom(V, W) entry by entry, larger side at most half as large; (V, W) if there is none.

    >>> from repcore import SO, trivial
    >>> V = SO(3).rep
    >>> [str(x) for x in bend(trivial(V.group), V ** 6)]
    ['dual(V)**3', 'V**3']
    """
    outputs, inputs = _factors(w), _factors(v)
    # As a tensor the inputs appear dualised.
    sizes = [f.dim for f in (*outputs, *inputs)]
    cuts = range(len(sizes) + 1)
    best = min(cuts, key=lambda c: (max(prod(sizes[:c]), prod(sizes[c:])), abs(c - len(outputs))))
    if 2 * max(prod(sizes[:best]), prod(sizes[best:])) > max(v.dim, w.dim):
        return v, w
    crossing_in, crossing_out = outputs[best:], inputs[: max(0, best - len(outputs))]
    kept_out, kept_in = outputs[:best], inputs[len(crossing_out) :]
    return (
        _product(v, [*(f.dual for f in crossing_in), *kept_in]),
        _product(w, [*kept_out, *(f.dual for f in crossing_out)]),
    )


def _factors(rep: Rep) -> tuple[Rep, ...]:
    return rep.factors if isinstance(rep, Product) else (rep,)


def _product(like: Rep, factors: list[Rep]) -> Rep:
    out = trivial(like.group)
    for f in factors:
        out = out * f
    return out
