"""One representation into irreducible copies: exact dimensions, float subspaces, and the argument between them.

Let A = End(V) be the commutant, of exact dimension c, closed under the adjoint of an invariant form. Coordinates are
orthonormal for the form. The steps:

1. *Guess.* A self-adjoint S in A with random coefficients has one eigenspace for each irreducible copy. For two copies and a
   random C in A the block B_j^H C B_1 is zero if they are inequivalent and a multiple of an isometry if they are equivalent:
   B_j times that isometry makes all copies of a kind act by the same matrices. The antisymmetric parts of B_1^H C B_1 span the
   imaginary part of the endomorphism algebra R, C or H.
2. *Even out.* The guess is only as good as the gaps of S. So it is replaced: with Lambda a diagonal matrix of small integers
   that tells the copies apart, S' = the Haar mean of U Lambda U^H is an *exact* element of A with even gaps. The mean is a
   conditional expectation and annihilates the error of U to first order. One Newton step then makes U diagonalise S'.
3. *Prove.* E = S' U - U Lambda is bounded with its rounding. By Weyl and Davis-Kahan V is the exact orthogonal sum of
   invariant subspaces E_j near to the spans of the B_j. Further exact elements of A are found near the star that sends the
   first copy of each kind to the others, and near the imaginary units J on the first copies. Nearly isometric, they are
   invertible: dim Hom(E_j, E_k) >= t for equivalent copies, where t - 1 antisymmetric units were found. So

       c = sum_jk dim Hom(E_j, E_k) >= sum over the kinds of m^2 t.

   Equality, between integers, proves all at once: the multiplicities, that different kinds are inequivalent, and that
   End(E_j) has dimension t. Its antisymmetric part has dimension t - 1, so that its symmetric part is the scalars: no
   invariant subspace is left in E_j, and the algebra is R, C or H as t = 1, 2 or 4. Over the complex numbers t = 1 throughout.
   Where the commutant is closed under the adjoint only up to rounding (coordinates of ``skew``), complete reducibility is known
   beforehand, S' is not self-adjoint to the last digit, and the argument is the same with these changes: eigenvalues of
   a nearly diagonal matrix lie near to its diagonal; and in the exact End(E_j), of dimension t, every combination of elements
   near 1, I, J, IJ is near to a multiple of an isometry, so it is a division algebra.
4. *Bound.* The residual of the block form for every g, in ``_bounded``.

Anything else tries another random element, and after a few raises; nothing is returned that was not proved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.decompose.draws import draw
from repcore.decompose.residue import UNIT, norm, residue
from repcore.decompose.span import Element, Span
from repcore.errors import SolveError

__all__ = ["Kind", "Split", "polar", "split"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# Random elements that are tried; the first has sufficed in every case seen.
_TRIES = 6
# Up to so many copies one element of A tells all of them apart; beyond, two do, as the digits of a label.
_COPIES = 16
# A proof needs residuals that are small against 1, not tiny; this leaves a wide margin for all constants of order 1.
_PROVES = 2.0**-10


@dataclass(frozen=True, eq=False)
class Kind:
    """The copies of one irreducible representation within a split.

    Attributes:
        columns: (m, n, d): the copies, orthonormal columns, acting by identical matrices.
        units: (t, d, d): the identity, and antisymmetric orthogonal matrices that span the endomorphism algebra with it.
    """

    columns: Array
    units: Array

    @property
    def multiplicity(self) -> int:
        """m, the number of copies."""
        return self.columns.shape[0]

    @property
    def dim(self) -> int:
        """d, the dimension of one copy."""
        return self.columns.shape[2]


@dataclass(frozen=True, eq=False)
class Split:
    """A representation as a sum of kinds, proved; ``residual`` bounds the defect of the block form, ``skew`` U^H U - 1."""

    kinds: tuple[Kind, ...]
    residual: float
    skew: float


def split(span: Span, name: str, *, is_complex: bool) -> Split:
    """Split a completely reducible representation, given its commutant in orthonormal coordinates.

    Args:
        span: End(V).
        name: for messages.
        is_complex: whether the scalars are complex.

    Raises:
        SolveError: no attempt could be proved; the message says how far float64 got.
    """
    n = span.shape[0]
    dtype = np.complex128 if is_complex or np.iscomplexobj(span.values) else np.float64
    if n == 0:
        return Split((), 0.0, 0.0)
    reason = ""
    for attempt in range(_TRIES):
        guess = _guess(span, f"{attempt}", is_complex=dtype is np.complex128)
        counted = sum(k.multiplicity**2 * len(k.units) for k in guess)
        dims = sum(k.multiplicity * k.dim for k in guess)
        if counted != span.count or dims != n:
            reason = f"a random element of the commutant, of dimension {span.count}, shows {counted} dimensions"
            continue
        found, worst = _improved(span, guess)
        if worst < _PROVES:
            return found
        reason = f"the largest residual is {worst:.1e}"
    raise SolveError(
        f"rep: the decomposition of {name} (dimension {n}) could not be proved in float64: {reason}; the invariant inner product "
        f"has condition number {span.domain.stretch**2:.1e}, choose a basis in which it is smaller"
    )


# -- 1. guess ------------------------------------------------------------------------------------------------------


def _guess(span: Span, label: str, *, is_complex: bool) -> tuple[Kind, ...]:
    """Eigenspaces of a random self-adjoint element, sorted into kinds; () if they do not make sense."""
    n = span.shape[0]
    first, *others = (_random(span, f"{label}-{i}", is_complex) for i in range(4))
    values, vectors = np.linalg.eigh(first + first.conj().T)
    largest = float(np.abs(values).max())
    # What degenerate eigenvalues differ by: rounding in S, which the coordinates magnify, and in the solver.
    same = 32 * n * UNIT * largest * span.domain.stretch**2
    edges = np.flatnonzero(np.diff(values) > same) + 1
    starts, stops = np.concatenate([[0], edges]), np.concatenate([edges, [n]])
    clusters = [vectors[:, a:b] for a, b in zip(starts, stops, strict=True)]
    # One random vector in every eigenspace is enough to see which blocks of C vanish.
    probe = draw(n, f"{label}-probe", is_complex=is_complex)
    probes = np.stack([b @ probe[a:e] / np.linalg.norm(probe[a:e]) for b, a, e in zip(clusters, starts, stops, strict=True)], 1)
    strength = np.zeros((len(clusters), len(clusters)))
    by_element: list[Array] = []
    for c in others:
        seen = np.abs(vectors.conj().T @ (c @ probes)) ** 2
        blocks = np.sqrt(np.add.reduceat(seen, starts, axis=0))
        by_element.append(blocks)
        strength = np.maximum(strength, blocks)
    # Blocks that vanish do so up to rounding over the smallest gap; the others are of the size of the elements.
    limit = 1e-5 * strength.max()
    families: list[list[int]] = []
    used = np.zeros(len(clusters), bool)
    for i, b in enumerate(clusters):
        if used[i]:
            continue
        members = [j for j in range(len(clusters)) if j == i or (strength[j, i] > limit and not used[j])]
        if any(clusters[j].shape[1] != b.shape[1] for j in members):
            return ()
        used[members] = True
        families.append(members)
    heads = [canonical_columns(clusters[members[0]]) for members in families]
    units = [np.eye(b.shape[1], dtype=b.dtype)[None] for b in heads] if is_complex else _units(heads, others, limit)
    kinds: list[Kind] = []
    for (i, *rest), head, found in zip(families, heads, units, strict=True):
        copies = [head]
        for j in rest:
            c = others[int(np.argmax([s[j, i] for s in by_element]))]
            copies.append(clusters[j] @ polar(clusters[j].conj().T @ (c @ head)))
        kinds.append(Kind(np.stack(copies), found))
    return tuple(kinds)


def _random(span: Span, label: str, is_complex: bool) -> Array:
    return span.combine(draw(span.count, label, is_complex=is_complex) / span.lengths).array


def polar(a: Array) -> Array:
    """The isometry nearest to a multiple of an isometry, by two Newton-Schulz steps."""
    d = a.shape[1]
    size = np.linalg.norm(a)
    q = a * (np.sqrt(d) / size) if size else a
    for _ in range(2):
        q = q @ (1.5 * np.eye(d) - 0.5 * (q.conj().T @ q))
    return q


def canonical_columns(b: Array) -> Array:
    """The basis of a column space that depends on the space alone, up to rounding.

    Going through the coordinates in order, a coordinate becomes a pivot if the unit vector of it has, after the pivots before it
    are taken away, a projection onto the space of squared length above 0.37/n (one always has d/n on average). In the
    result the pivot rows are lower triangular with a positive diagonal, which determines it.
    """
    n, d = b.shape
    threshold = 0.37 / n
    chosen = np.zeros((d, d), b.dtype)
    count = 0
    for row in b:
        left = row - (chosen[:count] @ row.conj()).conj() @ chosen[:count]
        if float(np.linalg.norm(left)) ** 2 > threshold:
            left = left - (chosen[:count] @ left.conj()).conj() @ chosen[:count]
            chosen[count] = left / np.linalg.norm(left)
            count += 1
            if count == d:
                break
    return b @ chosen.conj().T


def _units(heads: list[Array], others: list[Array], limit: float) -> list[Array]:
    """1 and the imaginary units of the endomorphism algebra of each irreducible copy, from antisymmetric elements.

    An element below ``limit`` is rounding.
    """
    odd = [c - c.T for c in others]
    # One vector of each copy shows whether there is a unit at all.
    vectors = np.zeros((len(heads[0]), len(heads)))
    for k, b in enumerate(heads):
        vectors[:, k] = b.sum(axis=1) / np.sqrt(b.shape[1])
    moved = [a @ vectors for a in odd]
    out: list[Array] = []
    for k, b in enumerate(heads):
        d = b.shape[1]
        units = [np.eye(d)]
        if d % 2 == 0 and max(float(np.linalg.norm(b.T @ v[:, k])) for v in moved) > limit:
            parts = sorted((b.T @ (a @ b) for a in odd), key=lambda a: -float(np.linalg.norm(a)))
            i = polar(parts[0])
            units.append(i)
            # What anticommutes with i: nothing in the complex case.
            rest = sorted(((a + i @ a @ i) / 2 for a in parts[1:]), key=lambda a: -float(np.linalg.norm(a)))
            if d % 4 == 0 and np.linalg.norm(rest[0]) > limit * np.sqrt(d):
                j = polar(rest[0])
                units += [j, i @ j]
        out.append(np.stack(units))
    return out


# -- 2. and 3. even out, prove -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Layout:
    """The columns of U by kinds and copies: kind k, copy j at columns starts[k] + j d ... + d."""

    kinds: tuple[Kind, ...]
    starts: tuple[int, ...]
    labels: Ints  # (digits, n): the number of the copy written in a base, each digit as an integer with gaps of 2
    base: int


def _layout(kinds: tuple[Kind, ...]) -> _Layout:
    sizes = [k.multiplicity * k.dim for k in kinds]
    copies = np.repeat(np.arange(sum(k.multiplicity for k in kinds)), [k.dim for k in kinds for _ in range(k.multiplicity)])
    largest = int(copies.max(initial=0))
    base = largest + 1 if largest < _COPIES else isqrt(largest) + 1
    digits: list[Ints] = []
    while largest:
        digits.append(2 * (copies % base) - min(base - 1, largest))
        copies, largest = copies // base, largest // base
    labels = np.array(digits, np.int64).reshape(len(digits), sum(sizes))
    return _Layout(kinds, tuple(np.cumsum([0, *sizes])[:-1].tolist()), labels, base)


def _whole(kinds: tuple[Kind, ...]) -> Array:
    n = kinds[0].columns.shape[1]
    return np.concatenate([k.columns.transpose(1, 0, 2).reshape(n, -1) for k in kinds], axis=1)


def _improved(span: Span, kinds: tuple[Kind, ...]) -> tuple[Split, float]:
    """One Newton step on exact elements with even gaps, then the bounds; also the largest residual that a proof rests on."""
    layout = _layout(kinds)
    u = _whole(kinds)
    exact = [_self_adjoint(span, (u * w) @ u.conj().T) for w in layout.labels]
    for _ in range(2):
        u, moved = _newton(u, [e.array for e in exact], layout.labels)
        # The step converges quadratically.
        if moved < np.sqrt(UNIT):
            break
    star = _star(span, u, layout)
    kinds = _realigned(kinds, layout, u, star)
    u = _whole(kinds)
    imaginary = _imaginary(span, u, kinds, layout)
    return _bounded(span, replace(layout, kinds=kinds), u, exact, star, imaginary)


def _self_adjoint(span: Span, target: Array) -> Element:
    found = span.combine(span.project(span, target))
    a = found.array
    if not span.domain.is_exact:
        return found
    # Exactly constant on orbits if `a` is; and otherwise one rounding more.
    rounding = found.rounding + (UNIT * norm(a) if found.rounding else 0.0)
    return Element((a + a.conj().T) / 2, rounding)


def _newton(u: Array, elements: list[Array], labels: Ints) -> tuple[Array, float]:
    """U (1 + X) with X_jk = sum_e (l_k - l_j) R_jk / sum_e (l_k - l_j)^2, R = U^H S U, then orthonormal again."""
    n = len(u)
    if elements:
        top, bottom = np.zeros((n, n), u.dtype), np.zeros((n, n))
        for s, w in zip(elements, labels, strict=True):
            away = (w[None, :] - w[:, None]).astype(np.float64)
            top += away * (u.conj().T @ (s @ u))
            bottom += away * away
        x = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
        moved = float(np.linalg.norm(x))
        u = u + u @ x
    else:
        moved = 0.0
    gram = u.conj().T @ u
    return u + u @ ((np.eye(n) - gram) / 2), moved


def _star(span: Span, u: Array, layout: _Layout) -> Element | None:
    """The element of A near to the sum of the maps from the first copy of a kind to the others; None without any."""
    if all(k.multiplicity == 1 for k in layout.kinds):
        return None
    heads: list[Array] = []
    others: list[Array] = []
    for k, start in zip(layout.kinds, layout.starts, strict=True):
        if k.multiplicity > 1:
            block = u[:, start : start + k.multiplicity * k.dim].reshape(len(u), k.multiplicity, k.dim)
            heads.append(block[:, 0])
            others.append(block[:, 1:].sum(axis=1))
    target = np.concatenate(others, axis=1) @ np.concatenate(heads, axis=1).conj().T
    return span.combine(span.project(span, target))


def _realigned(kinds: tuple[Kind, ...], layout: _Layout, u: Array, star: Element | None) -> tuple[Kind, ...]:
    out: list[Kind] = []
    for k, start in zip(kinds, layout.starts, strict=True):
        d = k.dim
        copies = [u[:, start + j * d : start + (j + 1) * d] for j in range(k.multiplicity)]
        if star is not None and k.multiplicity > 1:
            moved = star.array @ copies[0]
            copies[1:] = [b @ polar(b.conj().T @ moved) for b in copies[1:]]
        out.append(Kind(np.stack(copies), k.units))
    return tuple(out)


def _imaginary(span: Span, u: Array, kinds: tuple[Kind, ...], layout: _Layout) -> list[Element]:
    """Antisymmetric elements of A near to the imaginary units on the first copies, one for each number of a unit."""
    out: list[Element] = []
    for s in range(1, max(len(k.units) for k in kinds)):
        target = np.zeros_like(u)
        for k, start in zip(kinds, layout.starts, strict=True):
            if len(k.units) > s:
                head = u[:, start : start + k.dim]
                target += head @ k.units[s] @ head.T
        found = span.combine(span.project(span, target))
        a = found.array
        exact = span.domain.is_exact
        out.append(Element((a - a.T) / 2, found.rounding + UNIT * norm(a)) if exact else found)
    return out


# -- 4. bound ------------------------------------------------------------------------------------------------------


def _bounded(
    span: Span, layout: _Layout, u: Array, exact: list[Element], star: Element | None, imaginary: list[Element]
) -> tuple[Split, float]:
    """The residual of the block form for every g, from the residuals of a few exact elements of the commutant.

    With R = U^-1 rho(g) U and S U = U L + E for an S that commutes with rho(g), R L - L R = U^-1 E R - R U^-1 E. Off-diagonal
    blocks of R are therefore at most 2 |U^-1| |E|_F |R| over the gap in labels, which is 2. For the star M, the block of
    (R M - M R) from copy 1 to copy j is R_jj - R_11 plus off-diagonal blocks, at most sqrt(m) times their norm in all. The
    defect |rho(g) U - U D(g)| with D(g) = R_11 on every copy is at most |U| times the sum. |R| = 1 up to the defects of U and
    of the form; for a non-compact group the bound is relative to |rho(g)|.
    """
    n = len(u)
    # Only its size against 1 matters, so the rounding of the product is bounded a priori.
    skew = norm(u.conj().T @ u - np.eye(n)) + 2 * (n + 2) * UNIT * norm(u) ** 2
    if skew >= 0.5:
        return Split(layout.kinds, np.inf, skew), np.inf
    grow, back = np.sqrt(1 + skew), 1 / np.sqrt(1 - skew)
    symmetric = 2 * span.domain.defect
    total, squares, worst = 0.0, 0.0, skew
    for e, (s, w) in enumerate(zip(exact, layout.labels, strict=True)):
        error, off_label = _distance(s, u, [(u, w.astype(np.float64))], _every_copy(u, layout), grow)
        squares += error**2
        # The labels as one number: S = sum base^e S_e tells all copies apart with gaps of 2.
        total += layout.base**e * (error + off_label + symmetric * 2 * layout.base)
    aligned = 0.0
    if star is not None:
        targets = _star_targets(u, layout)
        aligned, off_label = _distance(star, u, [(t, np.ones(n)) for t, _ in targets], [c for _, cs in targets for c in cs], grow)
        worst = max(worst, aligned, off_label)
    for s, element in enumerate(imaginary, start=1):
        target, columns = _unit_target(u, layout, s)
        worst = max(worst, *_distance(element, u, [(target, np.ones(n))], columns, grow))
    # Labels and scalars that are off by less than _PROVES change gaps by as much.
    size = grow * back * (1 + span.domain.defect) ** 2 * (1 + 4 * _PROVES)
    off = back * np.sqrt(squares) * size
    deepest = max(k.multiplicity for k in layout.kinds)
    residual = grow * (off * (1 + np.sqrt(deepest)) + 2 * back * aligned * size)
    return Split(layout.kinds, float(residual), skew), max(total, worst)


_Columns = tuple[slice, Array]


def _distance(
    element: Element, u: Array, minus: list[tuple[Array, Array]], columns: list[_Columns], grow: float
) -> tuple[float, float]:
    """A bound on |S U - T|_F for the exact element S, and the largest number by which a scalar in T was adjusted.

    The eigenvalues of an exact element near to the wanted one are not the wanted ones to the last digit, and need not be:
    ``columns`` are places in T with what stands there, and each may be multiplied by a scalar near to 1.
    """
    found, error = residue(element.array, u, minus)
    error += 16 * UNIT * norm(found) + grow * element.rounding
    adjusted = 0.0
    for where, there in columns:
        scalar = np.vdot(there, found[:, where]) / there.shape[1]
        found[:, where] -= there * scalar
        adjusted = max(adjusted, float(abs(scalar)))
    return norm(found) + error, adjusted


def _every_copy(u: Array, layout: _Layout) -> list[_Columns]:
    out: list[_Columns] = []
    for k, start in zip(layout.kinds, layout.starts, strict=True):
        for at in range(start, start + k.multiplicity * k.dim, k.dim):
            out.append((slice(at, at + k.dim), u[:, at : at + k.dim]))
    return out


def _star_targets(u: Array, layout: _Layout) -> list[tuple[Array, list[_Columns]]]:
    """U M for the star M, as a sum: the columns of the first copies become those of copy j, for each j."""
    out: list[tuple[Array, list[_Columns]]] = []
    for j in range(1, max(k.multiplicity for k in layout.kinds)):
        target = np.zeros_like(u)
        columns: list[_Columns] = []
        for k, start in zip(layout.kinds, layout.starts, strict=True):
            if j < k.multiplicity:
                head, copy = slice(start, start + k.dim), u[:, start + j * k.dim : start + (j + 1) * k.dim]
                target[:, head] = copy
                columns.append((head, copy))
        out.append((target, columns))
    return out


def _unit_target(u: Array, layout: _Layout, s: int) -> tuple[Array, list[_Columns]]:
    """U K for the element K that is the imaginary unit number s on first copies and zero elsewhere."""
    target = np.zeros_like(u)
    columns: list[_Columns] = []
    for k, start in zip(layout.kinds, layout.starts, strict=True):
        if s < len(k.units):
            head = slice(start, start + k.dim)
            target[:, head] = u[:, head] @ k.units[s]
            columns.append((head, target[:, head].copy()))
    return target, columns
