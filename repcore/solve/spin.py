"""Reduction ``spin``: Hom(V, W) for representations by dense matrices, without dim V * dim W unknowns.

A homomorphism is determined by the images of module generators. Take a random element a of the algebra that the images
generate, and a factor f of its characteristic polynomial on V: for v in ker f(a|V), phi(v) must lie in ker f(a|W). Spin v under
the generators until it spans a submodule, carrying phi(v) along as a linear function of its few unknown coordinates; add seeds
until V is spanned. Every relation between the spun vectors is an equation on the unknowns. Only an associative algebra is
used, so groups, Lie algebras and modules that do not decompose are treated alike.

Source: the homomorphism algorithm of the MeatAxe, Lux and Szoke, Computing homomorphism spaces between modules over finite
dimensional algebras, Experimental Mathematics 12 (2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.solve.budget import Budget
from repcore.solve.memory import map_bytes, spin_bytes
from repcore.solve.modular import Floats, echelon, from_flint, inverse_mod, times_mod, to_flint
from repcore.solve.nullspace import Kernel

__all__ = ["SPUN_UNKNOWNS", "spin_kernel"]

Ints = npt.NDArray[np.int64]

# With more unknown coordinates than this, sums of products of residues would not be exact in float64.
SPUN_UNKNOWNS = 2048


@dataclass(frozen=True, eq=False)
class _Seed:
    """A module generator v of V, and a basis of the subspace of W in which its image must lie, as columns (m, q)."""

    vector: Floats
    images: Floats


@dataclass(frozen=True, eq=False)
class _Spun:
    """A basis of V: row k is generators[letter[k]] applied to row parent[k], or a seed where letter[k] is -1."""

    rows: Floats
    parent: list[int]
    letter: list[int]
    seed: list[int]
    seeds: list[_Seed]


def spin_kernel(on_v: Sequence[Floats], on_w: Sequence[Floats], p: int, budget: Budget | None = None) -> Kernel | None:
    """The echelon form of Hom(V, W) modulo p, from the images of the generators (discrete and Lie alike) modulo p.

    Returns None if more than ``SPUN_UNKNOWNS`` coordinates, or more memory than the budget allows, would be needed. Random
    choices can only make the nullity too large, which the exact check of the lifted basis finds out.
    Cost: about g n m (n + m + q) for g generators and q unknown coordinates, and one echelon form of the answer.
    """
    n, m = on_v[0].shape[0], on_w[0].shape[0]
    rng = np.random.default_rng([n, m, p])
    budget = budget or Budget()
    if not budget.fits(spin_bytes(m, n, len(on_v), 0)):
        return None
    spun = _spin(on_v, on_w, p, rng, budget)
    starts = np.cumsum([0, *(s.images.shape[1] for s in spun.seeds)])
    q = int(starts[-1])
    if q > SPUN_UNKNOWNS or not budget.fits(spin_bytes(m, n, len(on_v), q)):
        return None
    carried = _carry(spun, on_w, p)
    back = inverse_mod(spun.rows, p)
    unknowns = _relations(spun, carried, back, on_v, on_w, starts, p, rng) if q else np.zeros((0, 0))
    dim = unknowns.shape[1]
    if not dim:
        none = np.zeros(0, np.int64)
        return Kernel(p, m * n, none, none, none, none, q)
    if not budget.fits(spin_bytes(m, n, len(on_v), q) // 2 + map_bytes(dim, m, n)):
        return None
    # phi(s_k) as columns (m, dim) for every basis vector, then in the standard basis: M[y, x] = sum_k phi_k[y] back[x, k].
    shown = np.empty((dim, m, n))
    for k, s in enumerate(spun.seed):
        shown[:, :, k] = times_mod(carried[k], unknowns[starts[s] : starts[s + 1]], p).T
    maps = times_mod(shown.reshape(dim * m, n), np.ascontiguousarray(back.T), p).reshape(dim, m * n)
    form, pivots = echelon(maps, p)
    rows, cols = np.nonzero(form)
    return Kernel(p, m * n, pivots, rows, cols, form[rows, cols].astype(np.int64), q)


def _spin(on_v: Sequence[Floats], on_w: Sequence[Floats], p: int, rng: np.random.Generator, budget: Budget) -> _Spun:
    n = on_v[0].shape[0]
    spun = _Spun(np.zeros((n, n)), [], [], [], [])
    reduced = np.zeros((n, n))  # the span of spun.rows, in reduced echelon form
    pivots: list[int] = []

    def add(vector: Floats, parent: int, letter: int, seed: int) -> bool:
        k = len(pivots)
        rest = (vector - times_mod(vector[None, pivots], reduced[:k], p)[0]) % p if k else vector
        support = np.flatnonzero(rest)
        if not len(support):
            return False
        j = int(support[0])
        rest = rest * pow(int(rest[j]), -1, p) % p
        column = reduced[:k, j].copy()
        hit = np.flatnonzero(column)
        reduced[hit] = (reduced[hit] - column[hit, None] * rest) % p
        reduced[k] = rest
        spun.rows[k] = vector
        pivots.append(j)
        spun.parent.append(parent)
        spun.letter.append(letter)
        spun.seed.append(seed)
        return True

    for candidate in _seeds(on_v, on_w, p, rng):
        head = len(pivots)
        if head == n:
            break
        if not add(candidate.vector, -1, -1, len(spun.seeds)):
            continue
        spun.seeds.append(candidate)
        while head < len(pivots) < n:
            budget.tell("spin", len(pivots), n)
            for g, x in enumerate(on_v):
                add(times_mod(x, spun.rows[head][:, None], p)[:, 0], head, g, len(spun.seeds) - 1)
            head += 1
    return spun


def _seeds(on_v: Sequence[Floats], on_w: Sequence[Floats], p: int, rng: np.random.Generator) -> Any:
    """Candidates for module generators, the cheapest first; at the end unit vectors, whose images may lie anywhere in W."""
    n, m = on_v[0].shape[0], on_w[0].shape[0]
    known: list[tuple[Floats, Floats, list[Any]]] = []
    # An irreducible part costs the degree of the factor, so linear factors of several elements come before quadratic ones.
    for degree in (1, 2, 3):
        for trial in range(5):
            if trial == len(known):
                a_v, a_w = _algebra_element(on_v, on_w, p, rng)
                _, factors = to_flint(a_v, p).charpoly().factor()
                known.append((a_v, a_w, sorted((f for f, _ in factors), key=str)))
            a_v, a_w, found = known[trial]
            for f in found:
                if f.degree() != degree:
                    continue
                coefficients = [int(c) for c in f.coeffs()]
                inside_v, inside_w = (_null_columns(_polynomial(coefficients, a, p), p) for a in (a_v, a_w))
                for vector in inside_v.T:
                    yield _Seed(vector.copy(), inside_w)
    for j in range(n):
        yield _Seed(np.eye(n)[j], np.eye(m))


def _algebra_element(on_v: Sequence[Floats], on_w: Sequence[Floats], p: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The same random element of the algebra on both sides: a sum of random combinations and of products of them."""
    weights = [[rng.integers(1, p, len(on_v)).astype(float) for _ in range(4)] for _ in range(2)]

    def build(images: Sequence[Floats]) -> Floats:
        total = np.zeros_like(images[0])
        for row in weights:
            word = np.eye(images[0].shape[0])
            for w in row:
                letter = np.zeros_like(word)
                for c, x in zip(w, images, strict=True):
                    letter = (letter + c * x) % p
                word = times_mod(word, letter, p)
                total = (total + word) % p
        return total

    return build(on_v), build(on_w)


def _polynomial(coefficients: list[int], a: Floats, p: int) -> Floats:
    """f(a), by Horner's rule."""
    one = np.eye(a.shape[0])
    out = coefficients[-1] * one
    for c in reversed(coefficients[:-1]):
        out = (times_mod(out, a, p) + c * one) % p
    return out


def _null_columns(a: Floats, p: int) -> Floats:
    """A basis of the kernel, as columns."""
    columns, nullity = to_flint(a, p).nullspace()
    return np.ascontiguousarray(from_flint(columns)[:, :nullity])


def _carry(spun: _Spun, on_w: Sequence[Floats], p: int) -> list[Floats]:
    """phi(s_k) as a linear function of the unknown coordinates of its seed: (m, q_seed) for each basis vector."""
    out: list[Floats] = []
    for parent, letter, seed in zip(spun.parent, spun.letter, spun.seed, strict=True):
        out.append(spun.seeds[seed].images if letter < 0 else times_mod(on_w[letter], out[parent], p))
    return out


def _relations(
    spun: _Spun,
    carried: list[Floats],
    back: Floats,
    on_v: Sequence[Floats],
    on_w: Sequence[Floats],
    starts: Ints,
    p: int,
    rng: np.random.Generator,
) -> Floats:
    """The unknowns that satisfy phi(x s_j) = y phi(s_j) for all generators and basis vectors, as columns.

    Random combinations of the relations are imposed, somewhat more equations than unknowns.
    """
    m, q = on_w[0].shape[0], int(starts[-1])
    # Row j holds the coordinates of x s_j in the spun basis.
    coordinates = [times_mod(times_mod(spun.rows, np.ascontiguousarray(x.T), p), back, p) for x in on_v]
    members = [np.flatnonzero(np.array(spun.seed) == s) for s in range(len(spun.seeds))]
    equations: list[Floats] = []
    for _ in range(ceil((q + 20) / m) + 1):
        system = np.zeros((m, q))
        weights = rng.integers(1, p, (len(on_v), len(carried))).astype(float)
        mixed = sum((times_mod(w[None], c, p) for w, c in zip(weights, coordinates, strict=True)), np.zeros((1, len(carried))))
        mixed = mixed[0] % p
        for s, inside in enumerate(members):
            stacked = np.stack([carried[k] for k in inside]).reshape(len(inside), -1)
            width = starts[s + 1] - starts[s]
            part = -times_mod(mixed[None, inside], stacked, p).reshape(m, width)
            for y, w in zip(on_w, weights, strict=True):
                part = part + times_mod(y, times_mod(w[None, inside], stacked, p).reshape(m, width), p)
            system[:, starts[s] : starts[s + 1]] = part % p
        equations.append(system)
    return _null_columns(np.concatenate(equations), p)
