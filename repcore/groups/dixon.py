"""The irreducible characters of a finite group modulo a prime, after Burnside, Dixon and Schneider.

With class sums K_j K_r = sum_s a_jrs K_s, a character chi gives w(K_j) = |C_j| chi(g_j) / chi(1), and w is a common right
eigenvector of the matrices (a_jrs)_rs. Modulo a prime p = 1 modulo the exponent, p not a divisor of the group's order, the centre
of the group ring is a sum of fields F_p; its characters are the residues of the w, and there are as many as classes.

One matrix does: A = sum_j c_j (a_jrs)_rs with random c_j. Where A has as many different eigenvalues as there are classes, each
eigenvector is one w, whatever the c_j were. That is checked, and together with d^2 = |G| / sum_s w_s w_s' / |C_s| (s' the class
of inverses), an integer below p, it proves the table: no answer rests on chance, only the time until it is found.

References: J. D. Dixon, High speed computation of group characters, Numer. Math. 10 (1967); G. Schneider, Dixon's character
table algorithm revisited, J. Symbolic Comput. 9 (1990). Here one element of the centre splits everything at once, by a Krylov
matrix, so that nothing but dense linear algebra modulo p is left.
"""

from __future__ import annotations

from math import isqrt

import flint
import numpy as np
import numpy.typing as npt

from repcore.errors import GroupTooLargeError, SolveError
from repcore.groups.classes import Classes
from repcore.groups.linear import linear_characters
from repcore.groups.modulus import Modulus

__all__ = ["CLASSES", "irreducible_residues"]

Ints = npt.NDArray[np.int64]

# A table is a square array of this size at most.
CLASSES = 3_000


def irreducible_residues(classes: Classes, m: Modulus) -> Ints:
    """The irreducible characters as residues, (count, count), rows in no particular order.

    Cost: for k classes, k |G| products of elements and k^3 operations modulo p. Abelian groups: k^2.

    Raises:
        GroupTooLargeError: more than 3,000 classes.
    """
    k = classes.count
    if k > CLASSES:
        raise GroupTooLargeError(
            f"group: {classes.group} has {k:,} conjugacy classes, and a character table is computed for at most {CLASSES:,}; "
            "characters of single representations (character, hom_dimension) do not need it"
        )
    if k == classes.table.order:
        _, values = linear_characters(classes.table, np.array(classes.table.generators, np.int64), m.order)
        return m.roots(m.order)[values[:, classes.representatives]]
    for attempt in range(40):
        # A few small classes often tell all characters apart; if not, take more of them.
        share = 64 >> min(2 * attempt, 6)
        w = _central_characters(classes, m, np.random.default_rng(attempt), share)
        if w is not None:
            return _normalised(classes, m, w)
    raise SolveError(f"group: the centre of the group ring of {classes.group} was not split by 40 random elements")


def _central_characters(classes: Classes, m: Modulus, rng: np.random.Generator, share: int) -> Ints | None:
    """The w as columns, with first entry 1; None where the random element does not tell them apart."""
    k, p = classes.count, m.prime
    a = _element(classes, m, rng, share)
    halves = np.concatenate([a >> 16, a & 0xFFFF]).astype(np.float64)
    start = rng.integers(0, p, k)
    krylov = np.empty((k + 1, k), np.int64)
    krylov[0] = start
    for i in range(k):
        v = krylov[i]
        parts = (halves @ np.stack([v >> 16, v & 0xFFFF], axis=1).astype(np.float64)).astype(np.int64) % p
        high, low = parts[:k], parts[k:]
        middle = (high[:, 1] + low[:, 0]) % p
        krylov[i + 1] = (high[:, 0] * (2**32 % p) + (middle << 16) + low[:, 1]) % p
    basis = krylov[:k].T
    try:
        relation = flint.nmod_mat(k, k, basis.ravel().tolist(), p).solve(flint.nmod_mat(k, 1, krylov[k].tolist(), p))
    except ZeroDivisionError:
        return None
    coefficients = [-int(c) % p for c in relation.entries()]
    found = flint.nmod_poly([*coefficients, 1], p).roots()
    if len(found) != k:
        return None
    values = np.array(sorted(int(root) for root, _ in found), np.int64)
    # f(x) / (x - value) for every eigenvalue at once, by Horner: it kills every eigenvector but one.
    quotient = np.empty((k, k), np.int64)
    quotient[k - 1] = 1
    for i in range(k - 1, 0, -1):
        quotient[i - 1] = (coefficients[i] + values * quotient[i]) % p
    w = m.times(basis, quotient)
    if not np.array_equal(m.times(a, w), w * values % p) or np.any(w[0] == 0):
        return None
    return w * np.array([pow(int(x), -1, p) for x in w[0]], np.int64) % p


def _element(classes: Classes, m: Modulus, rng: np.random.Generator, share: int) -> Ints:
    """A = sum_j c_j (a_jrs)_rs over random c_j, for the smallest classes that hold a part 1/share of the group.

    a_jrs counts the x in C_j with x^-1 z in C_r, z in C_s fixed.
    """
    table, k = classes.table, classes.count
    if table.order * k < 2_000_000:
        share = 1
    ranks = np.argsort(classes.sizes, kind="stable")
    taken = ranks[: int(np.searchsorted(np.cumsum(classes.sizes[ranks]), table.order // share)) + 1]
    weights = np.zeros(k, np.int64)
    weights[taken] = rng.integers(1, m.prime, len(taken))
    # y = x^-1 runs over the inverse classes.
    members = np.flatnonzero(np.isin(classes.of, classes.inverse[taken]))
    weight = weights[classes.inverse[classes.of[members]]].astype(np.float64)
    out = np.empty((k, k), np.int64)
    for s, z in enumerate(classes.representatives.tolist()):
        there = classes.of[table.products(members, np.array(z))]
        # Below 2^31 * 200,000 < 2^53: the sums are exact.
        out[:, s] = np.bincount(there, weight, k).astype(np.int64) % m.prime
    return out


def _normalised(classes: Classes, m: Modulus, w: Ints) -> Ints:
    """Characters, as rows, from the columns w: chi(s) = d w(s) / |C_s|."""
    p, order = m.prime, classes.table.order
    inverses = np.array([pow(int(n), -1, p) for n in classes.sizes], np.int64)
    scaled = w * inverses[:, None] % p
    norms = m.times((w[classes.inverse].T * scaled.T % p), np.ones((classes.count, 1), np.int64)).ravel()
    squares = [order * pow(int(n), -1, p) % p for n in norms]
    degrees = np.array([isqrt(d) for d in squares], np.int64)
    characters = scaled.T * degrees[:, None] % p
    if [int(d) ** 2 for d in degrees] != squares or int(np.sum(degrees**2)) != order:
        raise SolveError(f"group: the degrees of the characters of {classes.group} do not add up; this is a defect, report it")
    return characters
