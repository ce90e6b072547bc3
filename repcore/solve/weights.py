"""Reduction ``weights``: generators that are diagonal, or can be made so, leave only entries between equal weights.

If rho_V(h) e_x = v_x e_x and rho_W(h) e_y = w_y e_y, equivariance under h reads (w_y - v_x) M[y, x] = 0, for group elements and
Lie elements alike. So an entry survives where y and x have the same eigenvalues under every such h, and those h need not be
looked at again. Nothing is eliminated: eigenvalues are compared as exact numbers.

Generators that commute and are diagonalisable over the field without being diagonal are made so by a change of basis, a
``Frame``. The system is solved there, and the solutions are taken back and brought to echelon form modulo each prime.

Source: weight spaces and root vectors as in Humphreys, Introduction to Lie Algebras and Representation Theory (1972), section 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import chain

import flint
import numpy as np
import numpy.typing as npt

from repcore.errors import NumberError
from repcore.exact.field import Field
from repcore.exact.matrix import Matrix, block_diag, from_coo, identity, inverse, kron, matrix
from repcore.exact.number import Number, number, zeta
from repcore.groups.span import coordinates_in_span
from repcore.reps.action import discrete_image, image, lie_image
from repcore.reps.powers import power_image
from repcore.reps.tree import Alt, Conjugate, Defining, Dual, Product, Rep, Sum, Sym, Trivial
from repcore.solve.integrate import is_complex_linear, opposites, weyl_element

__all__ = ["Frame", "eigenvalues", "equal_weights", "generating", "is_diagonal", "projectors", "weight_frame", "weights"]

# Bases of weight vectors come from exact elimination, which is for matrices of the size of a defining representation.
_LARGEST = 24

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def is_diagonal(a: Matrix) -> bool:
    """Whether every entry off the diagonal is zero."""
    return bool(np.array_equal(a.rows, a.cols))


def weights(diagonal: Sequence[Sequence[Matrix]]) -> tuple[Ints, ...]:
    """Labels of joint eigenvalues: one tuple of diagonal matrices for each generator, one array of labels for each space.

    Basis vectors, of one space or of two, have the same label if and only if every generator has the same eigenvalue on both.

    >>> from repcore.exact.matrix import matrix
    >>> [w.tolist() for w in weights([(matrix([[2, 0], [0, 0]]), matrix([[0]]))])]
    [[1, 0], [0]]
    """
    sizes = [a.shape[0] for a in diagonal[0]]
    label = np.zeros(sum(sizes), np.int64)
    for images in diagonal:
        ids: dict[Number, int] = {number(0): 0}
        eigenvalue = np.zeros(len(label), np.int64)
        top = 0
        for a, size in zip(images, sizes, strict=True):
            values, which = a._values  # pyright: ignore[reportPrivateUsage]
            names = np.array([ids.setdefault(x, len(ids)) for x in values], np.int64)
            if len(names):
                eigenvalue[top + a.rows] = names[which]
            top += size
        _, label = np.unique(label * len(ids) + eigenvalue, return_inverse=True)
    return tuple(np.split(label, np.cumsum(sizes)[:-1]))


def equal_weights(diagonal: Sequence[tuple[Matrix, Matrix]]) -> Bools:
    """Which entries of a (dim W, dim V) array stand between equal weights, row by row, for diagonal pairs (on W, on V)."""
    on_w, on_v = weights(diagonal)
    return (on_w[:, None] == on_v[None, :]).ravel()


# -- a basis of weight vectors -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates of V and W in which the generators ``diagonal`` act by diagonal matrices: M = on_w M' on_v^-1.

    Attributes:
        on_w, on_v: eigenvectors as columns.
        back_v: the inverse of ``on_v``.
        images: (on W, on V) in the new coordinates, of enough elements to replace the declared generators.
        discrete: how many of them are group elements; the rest are Lie elements.
        elements: matrices of the same elements in a basis of weight vectors of the defining representation, where both
            representations are built from it alone; else empty.
        diagonal: the declared generators that have become diagonal.
    """

    on_w: Matrix
    on_v: Matrix
    back_v: Matrix
    images: tuple[tuple[Matrix, Matrix], ...]
    discrete: int
    elements: tuple[Matrix, ...]
    diagonal: tuple[int, ...]


def weight_frame(v: Rep, w: Rep, images: Sequence[tuple[Matrix, Matrix]], field: Field) -> Frame | None:
    """Weight coordinates for Hom(V, W); None where nothing that is not diagonal yet becomes so, or group elements become dense.

    A commuting set of generators that are diagonalisable over ``field`` is chosen greedily, those that are diagonal already
    first, so nothing that is diagonal is lost. Their joint eigenvectors make a basis of the defining representation (of each
    representation given by matrices: its own), and the one on V and W follows from how they are built.

    In these coordinates a Lie element A falls into its weight components, A_a[i, j] = A[i, j] where weight i - weight j = a.
    They are polynomials in ad(h) applied to A, so a map commutes with h and A if and only if it commutes with h and all A_a.
    They replace A, and the basis vectors are scaled such that their entries become 1 where possible: for a split semisimple
    algebra these are root vectors, and ``integrate`` finds the Weyl group in them.
    """
    group = v.group
    leaves = _leaves(v) | _leaves(w)
    if any(leaf.dim > _LARGEST for leaf in leaves):
        return None
    shown = {leaf: [image(leaf, i) for i in range(len(images))] for leaf in leaves}
    bases, chosen = _eigenbases(shown, field, len(images))
    if all(all(map(is_diagonal, images[i])) for i in chosen):
        return None
    on_leaf = {leaf: _columns(parts, field) for leaf, parts in bases.items()}
    first = len(group.discrete)
    for leaf, t in on_leaf.items():
        back = inverse(t)
        # Group elements do not fall into components: one that has many entries here would be dense on V and W.
        if any((back @ g @ t).nnz > 2 * leaf.dim for g in shown[leaf][:first]):
            return None
    if not (_is_tensorial(v) and _is_tensorial(w)) or len(leaves) != 1:
        on_w, on_v = _on(w, on_leaf), _on(v, on_leaf)
        back_w, back_v = inverse(on_w), inverse(on_v)
        moved = tuple((back_w @ a @ on_w, back_v @ b @ on_v) for a, b in images)
        return Frame(on_w, on_v, back_v, moved, first, (), tuple(chosen))
    ((leaf, t),) = on_leaf.items()
    back = inverse(t)
    acting = [back @ a @ t for a in shown[leaf]]
    finite, algebra = acting[:first], acting[first:]
    if field.is_real or (is_complex_linear(v) and is_complex_linear(w)):
        algebra = _components(algebra, _shifts([(acting[i], i < first) for i in chosen]))
        # Weyl elements first: it is they that should have entries 1.
        reflections = [weyl_element(algebra[i], algebra[j]) for i, j in opposites(algebra).items()]
        scale = _scaling(t.shape[0], [*(g for g in reflections if g is not None), *algebra])
        unscale = inverse(scale)
        t = t @ scale
        finite = [unscale @ g @ scale for g in finite]
        algebra = list(dict.fromkeys(_monic(unscale @ a @ scale) for a in algebra))
    on_w, on_v = discrete_image(w, t), discrete_image(v, t)
    moved = [(discrete_image(w, g), discrete_image(v, g)) for g in finite]
    moved += [(lie_image(w, a), lie_image(v, a)) for a in algebra]
    back_v = discrete_image(v, inverse(t))
    return Frame(on_w, on_v, back_v, tuple(moved), first, (*finite, *algebra), tuple(chosen))


def _leaves(rep: Rep) -> set[Rep]:
    """The parts of an expression that have a basis of eigenvectors of their own."""
    match rep:
        case Trivial():
            return set()
        case Product():
            return {leaf for v in rep.factors for leaf in _leaves(v)}
        case Sum():
            return {leaf for _, v in rep.terms for leaf in _leaves(v)}
        case Dual() | Conjugate() | Sym() | Alt():
            return _leaves(rep.rep)
        case _:
            return {rep}


def _is_tensorial(rep: Rep) -> bool:
    """Whether the expression is a formula in the matrices of the defining representation."""
    return all(isinstance(leaf, Defining) for leaf in _leaves(rep))


def _on(rep: Rep, bases: dict[Rep, Matrix]) -> Matrix:
    """The change of basis of an expression from those of its leaves."""
    match rep:
        case Trivial():
            return identity(1)
        case Product():
            return reduce(kron, (_on(f, bases) for f in rep.factors))
        case Sum():
            return block_diag([kron(identity(m), _on(x, bases)) for m, x in rep.terms])
        case Dual():
            return inverse(_on(rep.rep, bases)).T
        case Conjugate():
            return _on(rep.rep, bases).conjugate()
        case Sym() | Alt():
            return power_image(_on(rep.rep, bases), rep.k, signed=isinstance(rep, Alt))
        case _:
            return bases[rep]


def _eigenbases(shown: dict[Rep, list[Matrix]], field: Field, count: int) -> tuple[dict[Rep, list[Matrix]], list[int]]:
    """For each leaf the projectors onto joint eigenspaces of a maximal commuting set of generators, and that set."""
    parts = {leaf: [identity(leaf.dim)] for leaf in shown}
    chosen: list[int] = []
    for i in sorted(range(count), key=lambda i: not all(is_diagonal(on[i]) for on in shown.values())):
        if not all(on[i] @ on[j] == on[j] @ on[i] for on in shown.values() for j in chosen):
            continue
        split = {leaf: projectors(on[i], field) for leaf, on in shown.items()}
        known = {leaf: p for leaf, p in split.items() if p is not None}
        if len(known) < len(split):
            continue
        for leaf, found in known.items():
            parts[leaf] = [r for p in parts[leaf] for q in found if not (r := p @ q).is_zero]
        chosen.append(i)
    return parts, chosen


def projectors(a: Matrix, field: Field) -> list[Matrix] | None:
    """The projectors onto the eigenspaces, P_k = prod_{l != k} (A - x_l) / (x_k - x_l); None if A is not diagonalisable.

    That is proved, not guessed: with the candidates x_1, ..., x_r of :func:`eigenvalues`, A is diagonalisable over the field if
    (A - x_1) ... (A - x_r) = 0. Cost: about r^2 products of matrices of this size.

    >>> from repcore.exact.field import QQ
    >>> projectors(matrix([[0, 1], [1, 0]]), QQ)
    [matrix([['1/2', '-1/2'], ['-1/2', '1/2']]), matrix([['1/2', '1/2'], ['1/2', '1/2']])]
    >>> projectors(matrix([[1, 1], [0, 1]]), QQ) is None
    True
    """
    found = eigenvalues(a, field)
    one = identity(a.shape[0])
    factors = [a - one * x for x in found]
    if not found or not reduce(lambda p, q: p @ q, factors).is_zero:
        return None
    out: list[Matrix] = []
    for x in found:
        p = one
        for other, y in zip(factors, found, strict=True):
            if y != x:
                p = (p @ other) * (1 / (x - y))
        if not p.is_zero:
            out.append(p)
    return out


def eigenvalues(a: Matrix, field: Field) -> list[Number]:
    """Those eigenvalues of A and of its conjugates in ``field`` that are rational, quadratic or roots of unity.

    They are the roots of the factors over Q of the characteristic polynomial, over an extension that of A as a matrix over Q.

    >>> from repcore.exact.field import QQ
    >>> [str(x) for x in eigenvalues(matrix([[0, 2], [1, 1]]), QQ)], eigenvalues(matrix([[0, -1], [1, 0]]), QQ)
    (['-1', '2'], [])
    """
    _, factors = _over_q(a.over(field)).charpoly().factor()
    roots = chain.from_iterable(_roots([Fraction(int(c.p), int(c.q)) for c in f.coeffs()], field) for f, _ in factors)
    return sorted({x for x in roots if x in field}, key=lambda x: (complex(x).real, complex(x).imag))


def _roots(f: list[Fraction], field: Field) -> list[Number]:
    """Roots of an irreducible polynomial, constant term first, as far as they are of the kinds above."""
    degree = len(f) - 1
    f = [c / f[-1] for c in f]
    if degree == 1:
        return [number(-f[0])]
    try:
        if degree == 2:
            root = number(f"sqrt({f[1] ** 2 - 4 * f[0]})")
            return [(root * s - f[1]) * Fraction(1, 2) for s in (1, -1)]
        # The roots of unity of a field have orders that divide twice its conductor.
        order = 2 * field.conductor
        return [x for x in (zeta(order, k) for k in range(order)) if not _value(f, x)]
    except NumberError:
        # The square root of a number whose conductor is out of reach.
        return []


def _value(f: list[Fraction], x: Number) -> Number:
    out = number(0)
    for c in reversed(f):
        out = out * x + c
    return out


def _over_q(a: Matrix) -> flint.fmpq_mat:
    """The matrix with every entry replaced by the matrix of multiplication with it."""
    n, d = a.shape[0], a.field.degree
    out = flint.fmpq_mat(n * d, n * d)
    table = a.field.table
    for r, c, coords in zip(a.rows.tolist(), a.cols.tolist(), a.nums.tolist(), strict=True):
        block = np.tensordot(np.array(coords, object), table.astype(object), 1)
        for i in range(d):
            for j in range(d):
                out[r * d + i, c * d + j] = flint.fmpq(int(block[j, i]), a.den)
    return out


def _columns(parts: Sequence[Matrix], field: Field) -> Matrix:
    """Eigenvectors as columns, from each projector the reduced echelon form of its column space."""
    return matrix([row for part in parts for row in _echelon_rows(part.T.over(field))]).T


def _echelon_rows(a: Matrix) -> list[list[Number]]:
    """The reduced row echelon form by schoolbook elimination; for matrices of the size of the defining representation."""
    table = [[number(x) for x in row] for row in a.tolist()]
    done: list[list[Number]] = []
    for j in range(a.shape[1]):
        pivot = next((row for row in table if row[j]), None)
        if pivot is None:
            continue
        table.remove(pivot)
        pivot = [x / pivot[j] for x in pivot]
        for rows in (table, done):
            for k, row in enumerate(rows):
                if row[j]:
                    rows[k] = [x - row[j] * y for x, y in zip(row, pivot, strict=True)]
        done.append(pivot)
    return done


def _shifts(chosen: Sequence[tuple[Matrix, bool]]) -> Ints:
    """(n, n) labels: which eigenvalue of ad(h), for group elements of Ad(h), the matrix E_ij has, jointly for all h."""
    n = chosen[0][0].shape[0]
    label = np.zeros((n, n), np.int64)
    for h, is_element in chosen:
        values = [h[i, i] for i in range(n)]
        ids: dict[Number, int] = {}
        table = [[ids.setdefault(x / y if is_element else x - y, len(ids)) for y in values] for x in values]
        _, flat = np.unique((label * n * n + np.array(table)).ravel(), return_inverse=True)
        label = flat.reshape(n, n)
    return label


def _components(algebra: Sequence[Matrix], shifts: Ints) -> list[Matrix]:
    """The weight components of all elements, with leading entry 1, each once."""
    out: dict[Matrix, None] = {}
    for a in algebra:
        of = shifts[a.rows, a.cols]
        for k in np.unique(of):
            inside = of == k
            out[_monic(from_coo(a.shape, a.field, a.rows[inside], a.cols[inside], a.nums[inside], a.den))] = None
    return list(out)


def _monic(a: Matrix) -> Matrix:
    """The multiple with leading entry 1."""
    if a.is_zero:
        return a
    return (a * (1 / a[int(a.rows[0]), int(a.cols[0])])).reduced()


def _scaling(n: int, wanted: Sequence[Matrix]) -> Matrix:
    """A diagonal D for which many entries of D^-1 A D are 1: along a spanning forest of the places that are not zero."""
    scale: list[Number] = [number(1)] * n
    tree = list(range(n))
    for a in wanted:
        for i, j, x in a.entries():
            if tree[i] == tree[j]:
                continue
            # Entry (i, j) becomes x d_j / d_i; multiply the tree of j.
            factor = scale[i] / (x * scale[j])
            for k in [k for k in range(n) if tree[k] == tree[j]]:
                scale[k] = scale[k] * factor
                tree[k] = tree[i]
    return matrix([[scale[i] if i == j else 0 for j in range(n)] for i in range(n)])


# -- raising operators -------------------------------------------------------------------------------------------------


def generating(lie: Sequence[Matrix]) -> tuple[int, ...]:
    """Which elements are not in the Lie algebra that those before them generate, exactly, over Q.

    A map that commutes with A and B commutes with [A, B], so in any representation the constraints of the others follow: for a
    split semisimple algebra the simple root vectors are enough. Cost: one exact elimination for each pair of elements.

    It is not part of the route: fewer equations save a few per cent after weights, while presolve finds less in them (SL(4),
    V^3 -> V^3, no orbits: 94 unknowns left instead of 46).

    >>> from repcore import SL, Sp
    >>> generating(SL(3).lie), len(Sp(6).lie), len(generating(Sp(6).lie))
    ((0, 1, 2, 4), 21, 7)
    """
    kept: list[int] = []
    span: list[Matrix] = []

    def adjoin(a: Matrix) -> bool:
        if coordinates_in_span(a, span) is not None:
            return False
        span.append(a)
        return True

    for i, a in enumerate(lie):
        if not adjoin(a):
            continue
        kept.append(i)
        done = 0
        # What the kept elements generate is spanned by their iterated brackets.
        while done < len(span):
            for j in kept:
                adjoin(lie[j] @ span[done] - span[done] @ lie[j])
            done += 1
    return tuple(kept)
