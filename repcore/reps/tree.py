"""Representations as expressions: what they are built from, and nothing about how generators act.

How a generator acts on each node is in ``action.py``; how a node falls into summands is in ``atoms.py``. A new node is a
class here and one function in each of those.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from math import comb, prod
from typing import TYPE_CHECKING, Any, Self, cast

from repcore.errors import IncompatibleError, RepresentationError
from repcore.exact.matrix import Matrix
from repcore.groups.group import Group

if TYPE_CHECKING:
    from repcore.decompose.gram import Orthonormal
    from repcore.reps.hom import Hom

__all__ = [
    "Alt",
    "Conjugate",
    "Defining",
    "Dual",
    "Product",
    "Realified",
    "Rep",
    "Restriction",
    "Sum",
    "Sym",
    "Trivial",
    "trivial",
    "wrapped",
]


class Rep:
    """A representation of a group, as an exact expression; immutable.

    Start from ``G.rep`` (defining), :func:`trivial`, :func:`regular`, :func:`quotient`, or declare the images of the
    generators: ``Rep(G, discrete=[...], lie=[...], name="U")``, which is checked to be a representation as far as it can
    be decided (see :class:`Custom`). Combine with

    ========================  =================================================================
    ``4 * V``, ``V + W``      direct sum; copies come before components
    ``V * W``, ``V ** 3``     tensor product, entry (i, j) of V (x) W at i * dim W + j
    ``V.dual``                g acts by the inverse transpose, a Lie element A by -A^T
    ``V.sym(k), V.alt(k)``    symmetric and exterior power, basis: sorted index tuples
    ``V.conj``                entrywise complex conjugate
    ``V.realify()``           the real representation of twice the dimension, (Re, Im) stacked
    ``V.restrict(H)``         the same space, seen by a subgroup
    ``V >> W``                the space of equivariant maps V -> W, see :class:`Hom`
    ========================  =================================================================

    Equality is by expression: same group (same generators in the same order), same normalised tree.

    >>> from repcore import dihedral, trivial
    >>> D4 = dihedral(4)
    >>> V, one = D4.rep, trivial(D4)
    >>> X = 4 * one + 2 * V
    >>> X.dim, str(X)
    (8, '4*1 + 2*V')
    >>> (V * V).matrix(0).tolist()
    [[0, 0, 0, 1], [0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0]]
    """

    group: Group

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Declare a representation by images (``Rep`` itself) or make a node (a subclass)."""
        # `Rep(G, discrete=..., lie=...)` declares a representation by images; the class is otherwise the common base.
        from repcore.reps.custom import Custom

        return cast(Self, object.__new__(Custom if cls is Rep else cls))

    # -- to be given by every node ---------------------------------------------------------------------------------

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        raise NotImplementedError

    @property
    def _tree(self) -> tuple[object, ...]:
        """The expression as nested tuples, from which equality and the digest are made."""
        raise NotImplementedError

    # -- reading ---------------------------------------------------------------------------------------------------

    def matrix(self, generator: int) -> Matrix:
        """The exact image of generator ``generator``, numbered as in ``group.generators`` (discrete first, then Lie)."""
        from repcore.reps.action import image

        return image(self, generator)

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """The exact images of all generators."""
        return tuple(self.matrix(i) for i in range(len(self.group.generators)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of group and expression, independent of the order of the group's generators."""
        return hashlib.sha256(repr((self.group.digest, self._tree)).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rep):
            return NotImplemented
        return self is other or (self.digest == other.digest and self.group == other.group)

    def __hash__(self) -> int:
        return hash(self.digest)

    # -- combining -------------------------------------------------------------------------------------------------

    def __add__(self, other: Rep) -> Rep:
        a, b = _same_group(self, other, "+")
        return _sum(a.group, (*_terms(a), *_terms(b)))

    def __mul__(self, other: Rep) -> Rep:
        if isinstance(other, int):
            return other * self
        a, b = _same_group(self, other, "*")
        return _product(a.group, (*_factors(a), *_factors(b)))

    def __rmul__(self, copies: int) -> Rep:
        if not isinstance(copies, int) or isinstance(copies, bool):
            return NotImplemented
        if copies < 0:
            raise RepresentationError(f"copies: a representation cannot be taken {copies} times; use a count >= 0")
        terms = _terms(self)
        if len(terms) == 1:
            return _sum(self.group, ((copies * terms[0][0], terms[0][1]),))
        return _sum(self.group, ((copies, self),))

    def __pow__(self, k: int) -> Rep:
        _check_power(k, "**")
        return _product(self.group, _factors(self) * k)

    @property
    def dual(self) -> Rep:
        """The dual representation: g acts by the inverse transpose."""
        return self if isinstance(self, Trivial) else Dual(self.group, self)

    @property
    def conj(self) -> Rep:
        """The complex conjugate representation."""
        return self if isinstance(self, Trivial) else Conjugate(self.group, self)

    def sym(self, k: int) -> Rep:
        """The k-th symmetric power, dimension C(n + k - 1, k).

        Basis: the monomials e_i1 ... e_ik with i1 <= ... <= ik in lexicographic order; g acts by
        g(e_i1 ... e_ik) = (g e_i1) ... (g e_ik), so that integer matrices stay integer.
        """
        _check_power(k, "sym")
        return trivial(self.group) if k == 0 else self if k == 1 else Sym(self.group, self, k)

    def alt(self, k: int) -> Rep:
        """The k-th exterior power, dimension C(n, k); basis e_i1 ^ ... ^ e_ik with i1 < ... < ik."""
        _check_power(k, "alt")
        return trivial(self.group) if k == 0 else self if k == 1 else Alt(self.group, self, k)

    def realify(self) -> Rep:
        """The real representation of twice the dimension: A + iB acts on (Re, Im) as [[A, -B], [B, A]]."""
        return Realified(self.group, self)

    def restrict(self, subgroup: Group) -> Rep:
        """The same space as a representation of a subgroup, whose generators are matrices of the same size as the group's.

        >>> from repcore import cyclic, dihedral
        >>> dihedral(4).rep.restrict(cyclic(2)).matrix(0).tolist()
        [[-1, 0], [0, -1]]
        """
        if subgroup.dim != self.group.dim:
            raise IncompatibleError(
                f"subgroup: its matrices have size {subgroup.dim}, those of {self.group} have size {self.group.dim}; "
                "give the subgroup by generators in the defining representation of the group"
            )
        return self if subgroup == self.group else Restriction(subgroup, self)

    def gram(self) -> Matrix:
        """The invariant Gram matrix, exactly; see :func:`repcore.gram`."""
        from repcore.store.decomposed import gram

        return gram(self)

    def orthogonalised(self) -> Orthonormal:
        """The representation in orthonormal coordinates; see :func:`repcore.orthogonalised`."""
        from repcore.store.decomposed import orthogonalised

        return orthogonalised(self)

    def __rshift__(self, other: Rep) -> Hom:
        """The space of equivariant maps self -> other."""
        from repcore.reps.hom import Hom

        return Hom(self, other)


@dataclass(frozen=True, eq=False, repr=False)
class Defining(Rep):
    """The representation in which the generators act as they were declared."""

    group: Group

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        return self.group.dim

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("defining",)

    def __str__(self) -> str:
        return "V"

    def __repr__(self) -> str:
        source = repr(self.group)
        return f"({source}).rep" if self.group.factors else f"{source}.rep"


@dataclass(frozen=True, eq=False, repr=False)
class Trivial(Rep):
    """The one-dimensional representation in which every g acts as 1 and every Lie element as 0."""

    group: Group

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        return 1

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("trivial",)

    def __str__(self) -> str:
        return "1"

    def __repr__(self) -> str:
        return f"trivial({self.group!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Sum(Rep):
    """A direct sum of terms (multiplicity, representation); adjacent equal terms are merged."""

    group: Group
    terms: tuple[tuple[int, Rep], ...]

    def __post_init__(self) -> None:
        merged: list[tuple[int, Rep]] = []
        for m, v in self.terms:
            if merged and merged[-1][1] == v:
                merged[-1] = (merged[-1][0] + m, v)
            elif m:
                merged.append((m, v))
        object.__setattr__(self, "terms", tuple(merged))

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        return sum(m * v.dim for m, v in self.terms)

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("sum", tuple((m, v._tree) for m, v in self.terms))

    def __str__(self) -> str:
        return " + ".join((f"{m}*" if m != 1 else "") + wrapped(v) for m, v in self.terms) or "0"

    def __repr__(self) -> str:
        if not self.terms:
            return f"0 * trivial({self.group!r})"
        return " + ".join(f"{m} * " + (f"({v!r})" if isinstance(v, Sum | Product) else repr(v)) for m, v in self.terms)


@dataclass(frozen=True, eq=False, repr=False)
class Product(Rep):
    """The tensor product of two or more factors; g acts by the Kronecker product, A by the Leibniz rule."""

    group: Group
    factors: tuple[Rep, ...]

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        return prod(v.dim for v in self.factors)

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("product", tuple(v._tree for v in self.factors))

    def __str__(self) -> str:
        return "*".join(f"{v}**{k}" if k > 1 else v for v, k in _runs(tuple(map(wrapped, self.factors))))

    def __repr__(self) -> str:
        shown = [f"({v!r})" if isinstance(v, Sum) or v.group.factors else repr(v) for v in self.factors]
        return " * ".join(f"{v} ** {k}" if k > 1 else v for v, k in _runs(tuple(shown)))


@dataclass(frozen=True, eq=False, repr=False)
class _Unary(Rep):
    group: Group
    rep: Rep

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        return self.rep.dim

    @property
    def _tree(self) -> tuple[object, ...]:
        return (type(self).__name__.lower(), self.rep._tree)

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}({self.rep})"

    def _inner(self) -> str:
        return f"({self.rep!r})"


class Dual(_Unary):
    """The dual of a representation."""

    @property
    def dual(self) -> Rep:
        """The representation itself."""
        return self.rep

    def __str__(self) -> str:
        return f"dual({self.rep})"

    def __repr__(self) -> str:
        return f"{self._inner()}.dual"


class Conjugate(_Unary):
    """The complex conjugate of a representation."""

    @property
    def conj(self) -> Rep:
        """The representation itself."""
        return self.rep

    def __str__(self) -> str:
        return f"conj({self.rep})"

    def __repr__(self) -> str:
        return f"{self._inner()}.conj"


class Realified(_Unary):
    """A complex representation as a real one of twice the dimension."""

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        return 2 * self.rep.dim

    def __str__(self) -> str:
        return f"realify({self.rep})"

    def __repr__(self) -> str:
        return f"{self._inner()}.realify()"


class Restriction(_Unary):
    """A representation of a larger group, seen by the subgroup ``group``."""

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("restriction", self.rep.digest)

    def __str__(self) -> str:
        return f"restrict({self.rep})"

    def __repr__(self) -> str:
        return f"{self._inner()}.restrict({self.group!r})"


@dataclass(frozen=True, eq=False, repr=False)
class _PowerNode(Rep):
    group: Group
    rep: Rep
    k: int

    @property
    def _tree(self) -> tuple[object, ...]:
        return (type(self).__name__.lower(), self.k, self.rep._tree)

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}({self.rep}, {self.k})"

    def __repr__(self) -> str:
        return f"({self.rep!r}).{type(self).__name__.lower()}({self.k})"


class Sym(_PowerNode):
    """The symmetric power Sym^k."""

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        return comb(self.rep.dim + self.k - 1, self.k) if self.rep.dim else 0


class Alt(_PowerNode):
    """The exterior power Alt^k."""

    @property
    def dim(self) -> int:
        """The dimension of the space."""
        return comb(self.rep.dim, self.k)


def trivial(group: Group) -> Rep:
    """The trivial representation of a group.

    >>> from repcore import cyclic
    >>> trivial(cyclic(3)).matrix(0).tolist()
    [[1]]
    """
    return Trivial(group)


def _same_group(a: Rep, b: Any, sign: str) -> tuple[Rep, Rep]:
    if not isinstance(b, Rep):
        raise IncompatibleError(f"{sign}: expected a representation, got {type(b).__name__}; write n * V for n copies")
    if a.group == b.group:
        return a, b
    from repcore.reps.lifted import lift

    if b.group in a.group.factors:
        return a, lift(b, a.group)
    if a.group in b.group.factors:
        return lift(a, b.group), b
    raise IncompatibleError(
        f"{sign}: representations of different groups, {a.group} and {b.group}; "
        "lift both to a product, lift(V, G @ H), or restrict both to a common subgroup, V.restrict(H)"
    )


def _terms(v: Rep) -> tuple[tuple[int, Rep], ...]:
    return v.terms if isinstance(v, Sum) else ((1, v),)


def _sum(group: Group, terms: tuple[tuple[int, Rep], ...]) -> Rep:
    """The normalised sum: one copy of one term is that term."""
    out = Sum(group, terms)
    return out.terms[0][1] if len(out.terms) == 1 and out.terms[0][0] == 1 else out


def _factors(v: Rep) -> tuple[Rep, ...]:
    return v.factors if isinstance(v, Product) else (v,)


def _product(group: Group, factors: tuple[Rep, ...]) -> Rep:
    factors = tuple(f for f in factors if not isinstance(f, Trivial))
    if not factors:
        return Trivial(group)
    return factors[0] if len(factors) == 1 else Product(group, factors)


def _check_power(k: object, where: str) -> None:
    if not isinstance(k, int) or isinstance(k, bool) or k < 0:
        raise RepresentationError(f"{where}: the power must be an integer >= 0, got {k!r}; for negative powers use V.dual")


def wrapped(v: Rep) -> str:
    """The expression, in parentheses if it is a sum."""
    return f"({v})" if isinstance(v, Sum) else str(v)


def _runs(items: tuple[str, ...]) -> list[tuple[str, int]]:
    out: list[tuple[str, int]] = []
    for x in items:
        if out and out[-1][0] == x:
            out[-1] = (x, out[-1][1] + 1)
        else:
            out.append((x, 1))
    return out
