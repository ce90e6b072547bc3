"""Invariant Hermitian forms, exactly: what makes a representation completely reducible, and how it is known.

For a representation of a compact group there is a positive definite G with rho(g)^H G rho(g) = G; the orthogonal complement of
an invariant subspace is then invariant. The groups SL, GL, Sp(2n, R), SO(p, q) and scalings have none, but the *set* of their
matrices is closed under transposing, which serves as well: if U is invariant, so is its complement, since <g x, u> = <x, g^T u>.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce, singledispatch

import flint
import numpy as np

from repcore.basis import EquivariantBasis
from repcore.decompose.residue import UNIT
from repcore.errors import MemoryLimitError, RepresentationError
from repcore.exact.field import QQ, Field, compositum
from repcore.exact.matrix import Matrix, block_diag, from_coo, identity, inverse, kron, matrix
from repcore.exact.number import Number, number
from repcore.groups.span import coordinates_in_span
from repcore.reps.hom import Hom
from repcore.reps.induced import Induced
from repcore.reps.irreps import Irrep
from repcore.reps.lifted import Lifted
from repcore.reps.scales import scale_squares
from repcore.reps.tensors import Tensors, tensor_maps
from repcore.reps.tree import Alt, Conjugate, Dual, Product, Realified, Rep, Restriction, Sum, Sym

__all__ = [
    "Form",
    "Solver",
    "adjoint",
    "diagonal",
    "haar_mean_form",
    "invariant_form",
    "is_positive",
    "solved",
    "trace_of_product",
]

Solver = Callable[[Hom], EquivariantBasis]

# Above this dimension a form is only built from the forms of the parts of an expression.
_PAIRED = 128


@dataclass(frozen=True, eq=False)
class Form:
    """A positive definite Hermitian form by its exact Gram matrix G.

    Attributes:
        gram: G, (n, n), with G^H = G.
        is_compact: rho(g)^H G rho(g) = G for every g. Otherwise the set of images is closed under A -> G^-1 A^H G.
    """

    gram: Matrix
    is_compact: bool


def invariant_form(rep: Rep, solve: Solver) -> Form | None:
    """A form that makes invariant complements, proved exactly on the images of the generators; None if none was found.

    First the standard form, then the one that the expression suggests (products of forms for tensor products, and so on), at
    last the Haar mean of the standard form, for which two spaces of maps are solved. A form that the images keep is preferred
    to one under which their set is closed.
    """
    squares = scale_squares(rep)
    standard = identity(rep.dim) if squares is None else diagonal(squares.tolist())
    first = _proved(rep, standard)
    if first is not None and first.is_compact:
        return first
    guess = _suggested(rep, solve)
    if guess is not None and guess != standard:
        second = _proved(rep, guess)
        first = second if second is not None and (first is None or second.is_compact) else first
    if first is not None or rep.dim > _PAIRED:
        return first
    mean = haar_mean_form(rep, solve)
    return None if mean is None else _proved(rep, mean)


def haar_mean_form(rep: Rep, solve: Solver) -> Matrix | None:
    """The mean of rho(g)^H rho(g) over a compact group, exactly; None where the group has no such mean on this space.

    With N_i a basis of the invariant sesquilinear forms, Hom(V, V^*) for the conjugate dual, and M_j one of Hom(V^*, V), the mean
    G = sum_i a_i N_i satisfies tr(M_j G) = tr(M_j), because M_j G and its mean have the same trace.
    """
    other = (rep if _field(rep).is_real else rep.conj).dual
    forms, duals = list(solve(rep >> other)), list(solve(other >> rep))
    if not forms or len(forms) != len(duals):
        return None
    pairs = [[trace_of_product(m, n) for n in forms] for m in duals]
    weights = solved(pairs, [_trace(m) for m in duals])
    if weights is None:
        return None
    gram = reduce(Matrix.__add__, (n * w for n, w in zip(forms, weights, strict=True)))
    return gram.reduced() if is_positive(gram) else None


def is_positive(gram: Matrix) -> bool:
    """Whether a Hermitian matrix is positive definite, proved.

    The Cholesky factorisation in float64 of G - c 1 succeeds only if G - c 1 is positive up to its own rounding, which is below
    (n + 2) u trace(G) (Rump, BIT 46, 2006); with c twice that, success is a proof. Where the least eigenvalue is so near to zero
    that float64 does not say, a rational matrix is decided by its leading minors.

    Raises:
        RepresentationError: float64 does not say, and the entries are not rational.
    """
    if gram.T.conjugate() != gram:
        return False
    dense = gram.to_numpy()
    diagonal = np.real(np.diagonal(dense))
    if float(diagonal.min(initial=1.0)) <= 0:
        return False
    # Powers of two on both sides round nothing.
    powers = np.exp2(-np.round(np.log2(np.sqrt(diagonal))))
    dense = dense * powers[:, None] * powers[None, :]
    n = len(dense)
    shift = 4 * (n + 8) * UNIT * float(np.trace(dense).real)
    try:
        np.linalg.cholesky(dense - shift * np.eye(n))
    except np.linalg.LinAlgError:
        if float(np.linalg.eigvalsh(dense)[0]) < -2 * shift:
            return False
        if gram.field != QQ:
            raise RepresentationError(
                f"rep: an invariant inner product in dimension {n} has a condition number past 1e14, so that float64 proves "
                "nothing; choose a basis nearer to an orthonormal one"
            ) from None
        exact = np.zeros((n, n), object)
        exact[gram.rows, gram.cols] = gram.nums[:, 0]
        minors = (flint.fmpz_mat(k, k, [int(x) for x in exact[:k, :k].ravel()]).det() for k in range(1, n + 1))
        return all(m > 0 for m in minors)
    return True


def adjoint(a: Matrix, gram: Matrix, back: Matrix) -> Matrix:
    """G^-1 A^H G, with ``back`` the inverse of G."""
    flipped = a.T.conjugate()
    return flipped if gram.is_identity else back @ flipped @ gram


def trace_of_product(a: Matrix, b: Matrix) -> Number:
    """tr(A B), exactly, from the entries where A and B^T are both non-zero."""
    out = number(0)
    other = {(c, r): v for r, c, v in b.entries()}
    for r, c, v in a.entries():
        w = other.get((r, c))
        if w is not None:
            out = out + v * w
    return out


def _trace(a: Matrix) -> Number:
    out = number(0)
    for r, c, v in a.entries():
        if r == c:
            out = out + v
    return out


def _field(rep: Rep) -> Field:
    return compositum(*{m.field for m in rep.matrices}) if rep.group.generators else QQ


def solved(table: list[list[Number]], right: list[Number]) -> list[Number] | None:
    """The solution of a square system; None if it is singular."""
    n = len(right)
    flat = [v for row in table for v in row]
    try:
        back = inverse(_matrix_of((n, n), flat))
    except ZeroDivisionError:
        return None
    found = back @ _matrix_of((n, 1), right)
    out = [number(0)] * n
    for r, _, v in found.entries():
        out[r] = v
    return out


def _matrix_of(shape: tuple[int, int], values: Sequence[Number]) -> Matrix:
    return matrix([list(values[i * shape[1] : (i + 1) * shape[1]]) for i in range(shape[0])])


def _proved(rep: Rep, gram: Matrix) -> Form | None:
    """The form, if it is positive and the images of the generators keep it, or are closed under its adjoint."""
    if not gram.is_identity and not is_positive(gram):
        return None
    images = rep.matrices
    count = len(rep.group.discrete)
    finite, algebra = images[:count], images[count:]
    back = gram if gram.is_identity else inverse(gram)
    turned = [adjoint(a, gram, back) for a in images]
    compact = all((t @ a).is_identity for a, t in zip(finite, turned[:count], strict=True))
    compact = compact and all((t + a).is_zero for a, t in zip(algebra, turned[count:], strict=True))
    if compact:
        return Form(gram, True)
    for a, t in zip(finite, turned[:count], strict=True):
        # The adjoint of a generator is a generator or the inverse of one.
        if not ((t @ a).is_identity or t == a or any(t == b or (t @ b).is_identity for b in finite)):
            return None
    return Form(gram, False) if all(coordinates_in_span(t, algebra) is not None for t in turned[count:]) else None


# -- the form that an expression suggests --------------------------------------------------------------------------


@singledispatch
def _suggested(rep: Rep, solve: Solver) -> Matrix | None:
    return identity(rep.dim)


@_suggested.register
def _(rep: Irrep, solve: Solver) -> Matrix | None:
    return diagonal(rep.scales)


@_suggested.register
def _(rep: Sum, solve: Solver) -> Matrix | None:
    parts = [_part(v, solve) for _, v in rep.terms]
    known = [p for p in parts if p is not None]
    if len(known) < len(parts):
        return None
    return block_diag([kron(identity(m), p) for (m, _), p in zip(rep.terms, known, strict=True)])


@_suggested.register
def _(rep: Product, solve: Solver) -> Matrix | None:
    return _product(rep.factors, solve)


@_suggested.register
def _(rep: Dual, solve: Solver) -> Matrix | None:
    inner = _part(rep.rep, solve)
    return inner if inner is None or inner.is_identity else inverse(inner).T


@_suggested.register
def _(rep: Conjugate, solve: Solver) -> Matrix | None:
    inner = _part(rep.rep, solve)
    return None if inner is None else inner.conjugate()


@_suggested.register(Restriction)
@_suggested.register(Lifted)
def _(rep: Restriction | Lifted, solve: Solver) -> Matrix | None:
    return _part(rep.rep, solve)


@_suggested.register
def _(rep: Realified, solve: Solver) -> Matrix | None:
    inner = _part(rep.rep, solve)
    if inner is None:
        return None
    re = (inner + inner.conjugate()) * Fraction(1, 2)
    im = (inner - inner.conjugate()) * (number(1) / number("2*I"))
    turn = from_coo((2, 2), QQ, [0, 1], [1, 0], np.array([[-1], [1]]), 1)
    return (kron(identity(2), re) + kron(turn, im)).reduced()


@_suggested.register
def _(rep: Induced, solve: Solver) -> Matrix | None:
    inner = _part(rep.rep, solve)
    return None if inner is None else kron(identity(rep.dim // rep.rep.dim), inner)


@_suggested.register(Sym)
@_suggested.register(Alt)
@_suggested.register(Tensors)
def _(rep: Sym | Alt | Tensors, solve: Solver) -> Matrix | None:
    factors = rep.factors if isinstance(rep, Tensors) else (rep.rep,) * rep.k
    outer = _product(factors, solve)
    if outer is None:
        return None
    try:
        into = tensor_maps(rep).into
    except MemoryLimitError:
        return None
    return (into.T @ (outer @ into)).reduced()


def _part(rep: Rep, solve: Solver) -> Matrix | None:
    """The form of a part of an expression."""
    found = invariant_form(rep, solve)
    return None if found is None else found.gram


def _product(factors: Sequence[Rep], solve: Solver) -> Matrix | None:
    distinct = {v: _part(v, solve) for v in dict.fromkeys(factors)}
    parts = [distinct[v] for v in factors]
    known = [p for p in parts if p is not None]
    return reduce(kron, known) if len(known) == len(parts) else None


def diagonal(values: Sequence[Fraction]) -> Matrix:
    """The diagonal matrix of rational numbers."""
    n = len(values)
    den = int(np.lcm.reduce([v.denominator for v in values])) if n else 1
    nums = np.array([int(v * den) for v in values], object).reshape(n, 1)
    return from_coo((n, n), QQ, np.arange(n), np.arange(n), nums, den)
