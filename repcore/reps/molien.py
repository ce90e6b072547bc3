"""Molien series: how many invariant polynomials there are of each degree."""

from __future__ import annotations

from math import comb

import numpy as np

from repcore.errors import IncompatibleError
from repcore.groups.classes import classes
from repcore.groups.modulus import crt
from repcore.groups.permutations import whole
from repcore.reps.character import _moduli, character, power_sums  # pyright: ignore[reportPrivateUsage]
from repcore.reps.tree import Rep

__all__ = ["molien"]


def molien(rep: Rep, terms: int) -> tuple[int, ...]:
    """The first coefficients of the Molien series of a representation of a finite group, exactly.

        sum_k dim (Sym^k V)^G t^k = (1/#G) sum_g 1 / det(1 - t rho(g)),

    the numbers of linearly independent invariant polynomials of degree 0, 1, ..., terms - 1 on the dual of V (on V itself, where
    V is real).

    Cost: for k terms, k^2 products for each conjugacy class; no matrix is formed.

    Args:
        rep: V.
        terms: how many coefficients, at least 1.

    Raises:
        IncompatibleError: the group has a Lie part, or ``rep`` is no representation.
        GroupTooLargeError: the group cannot be listed.

    Reference: T. Molien, Ueber die Invarianten der linearen Substitutionsgruppen, 1897.

    >>> from repcore import icosahedral
    >>> molien(icosahedral(full=True).rep, 13)              # invariants of degrees 2, 6, 10
    (1, 0, 1, 0, 1, 0, 2, 0, 2, 0, 3, 0, 4)
    """
    terms = whole(terms, "terms: molien(rep, terms)")
    if terms < 1:
        raise IncompatibleError(f"terms: a series has at least one term, got {terms}")
    if isinstance(rep, Rep) and any(not a.is_zero for a in rep.group.lie):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(
            f"rep: {rep.group} has a Lie part, and the Molien series is a mean over a finite group; "
            "invariants(V.sym(k)).dim works for every group"
        )
    chi = character(rep)
    found, n = classes(rep.group), rep.dim
    moduli = list(_moduli(rep.group, comb(n + terms, terms)))
    rows: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
    for i, m in enumerate(moduli):
        powers = np.stack(power_sums(chi.residues(i), terms - 1, found, m.prime, signed=False))
        total = np.sum(powers * found.sizes % m.prime, axis=1) % m.prime
        rows.append(total * pow(found.table.order, -1, m.prime) % m.prime)
    return tuple(crt(rows, [m.prime for m in moduli]))
