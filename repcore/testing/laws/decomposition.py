"""Laws of a decomposition into isotypic components."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from repcore import Matrix, Rep, invariants, solve, to_orthonormal
from repcore.testing.exact import eye
from repcore.testing.laws.registry import Laws, broken
from repcore.testing.laws.rounding import norm, unit

__all__ = ["check_decomposition", "for_decomposition"]

for_decomposition = Laws("decomposition")

Array = npt.NDArray[Any]


class _Irrep(Protocol):
    @property
    def dim(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def endomorphisms(self) -> Any: ...
    @property
    def is_trivial(self) -> bool: ...


class _Component(Protocol):
    @property
    def irrep(self) -> _Irrep: ...
    @property
    def multiplicity(self) -> int: ...
    @property
    def basis(self) -> Any: ...
    @property
    def projector(self) -> Matrix: ...


class Decomposition(Protocol):
    """What a decomposition offers: the representation, its components, U, and a proven bound on the residual."""

    @property
    def rep(self) -> Rep:
        """The representation that was decomposed."""
        ...

    @property
    def components(self) -> Sequence[_Component]:
        """The isotypic components."""
        ...

    @property
    def residual(self) -> float:
        """A proven bound on the spectral norm of rho(g) U - U (block form), for every g."""
        ...

    @property
    def is_complex(self) -> bool:
        """Whether the scalars are complex."""
        ...

    @property
    def is_orthogonal(self) -> bool:
        """Whether the columns are orthonormal; otherwise they are so for another invariant inner product."""
        ...


def check_decomposition(found: Decomposition) -> tuple[str, ...]:
    """Check every law of :data:`for_decomposition`; returns their names.

    Raises:
        AssertionError: a law does not hold; with its name and a counterexample.
    """
    return for_decomposition.check(found)


@for_decomposition.register
def dimensions_add_up(found: Decomposition) -> None:
    """dim V = sum of multiplicity x dimension of the irrep; each multiplicity is at least 1."""
    sizes = [(c.multiplicity, c.irrep.dim) for c in found.components]
    if sum(m * d for m, d in sizes) != found.rep.dim or any(m < 1 for m, _ in sizes):
        raise broken("dimensions_add_up", "dim V = sum m d", V=found.rep, dim=found.rep.dim, sizes=sizes)


@for_decomposition.register
def the_basis_is_orthonormal(found: Decomposition) -> None:
    """U^H U = 1 where the decomposition says that U is orthogonal; U is square and invertible always."""
    n, u = found.rep.dim, _basis(found)
    if u.shape != (n, n):
        raise broken("the_basis_is_orthonormal", "U is dim x dim", V=found.rep, shape=u.shape)
    defect, allowed = norm(u.conj().T @ u - np.eye(n)), _allowed(found, 1.0)
    if found.is_orthogonal and not defect <= allowed:
        raise broken("the_basis_is_orthonormal", "U^H U = 1", V=found.rep, defect=defect, bound=allowed)
    if n and not np.linalg.cond(u) * unit(np.float64) * n < 1:
        raise broken("the_basis_is_orthonormal", "U is invertible", V=found.rep, condition=float(np.linalg.cond(u)))


@for_decomposition.register
def images_are_block_scalar(found: Decomposition) -> None:
    """U^-1 rho(s) U is block diagonal, one and the same block for every copy of an irrep, for every generator s.

    Columns of a component are ordered copies before components: column (copy a, component p) is a dim + p. Labelled irreps are in
    their orthonormal convention.
    """
    u = _basis(found)
    for i, on_v in enumerate(_images(found.rep)):
        inside = _inside(u, on_v)
        expected, at = np.zeros_like(inside), 0
        for c in found.components:
            d, k = c.irrep.dim, c.multiplicity
            expected[at : at + k * d, at : at + k * d] = np.kron(np.eye(k), inside[at : at + d, at : at + d])
            at += k * d
        defect, allowed = norm(inside - expected), _allowed(found, norm(on_v))
        if not defect <= allowed:
            raise broken(
                "images_are_block_scalar", "U^-1 rho(s) U = blocks", V=found.rep, generator=i, defect=defect, bound=allowed
            )


@for_decomposition.register
def endomorphisms_commute_with_the_irrep(found: Decomposition) -> None:
    """E rho_c(s) = rho_c(s) E for the spanning matrices E of each commutant: 1, 2 or 4 of them, the first the identity.

    <E_s, E_t> = d delta_st, and all but the first are antisymmetric.
    """
    law = "endomorphisms_commute_with_the_irrep"
    counts = {"real": 1, "complex": 2, "quaternionic": 4}
    u, at = _basis(found), 0
    for number, c in enumerate(found.components):
        span, d = np.asarray(c.irrep.endomorphisms), c.irrep.dim
        wanted = 1 if found.is_complex else counts.get(c.irrep.type, 0)
        if span.shape != (wanted, d, d):
            raise broken(law, "E is t x d x d", V=found.rep, component=number, type=c.irrep.type, shape=span.shape)
        for i, on_v in enumerate(_images(found.rep)):
            inside = _inside(u, on_v)[at : at + d, at : at + d]
            defect, allowed = norm(span @ inside - inside @ span), _allowed(found, 4 * norm(on_v))
            if not defect <= allowed:
                raise broken(law, "E rho = rho E", V=found.rep, component=number, generator=i, defect=defect, bound=allowed)
        gram = np.einsum("aij,bij->ab", span.conj(), span)
        defect = norm(gram - d * np.eye(wanted)) + norm(span[0] - np.eye(d)) + norm(span[1:] + span[1:].swapaxes(1, 2))
        if not defect <= _allowed(found, 4.0 * d):
            raise broken(law, "<E_s, E_t> = d delta_st", V=found.rep, component=number, defect=defect)
        at += d * c.multiplicity


@for_decomposition.register
def the_commutant_is_as_large_as_counted(found: Decomposition) -> None:
    """dim End(V) = sum of m^2 t, t the number of spanning endomorphisms, exactly.

    A component that splits further, or two components of equivalent irreps, or an algebra that is too small would leave a
    larger commutant than the sum.
    """
    counted = sum(c.multiplicity**2 * len(c.irrep.endomorphisms) for c in found.components)
    commutant = solve(found.rep >> found.rep, store=None).dim
    if counted != commutant:
        raise broken(
            "the_commutant_is_as_large_as_counted", "dim End(V) = sum m^2 t", V=found.rep, commutant=commutant, counted=counted
        )


@for_decomposition.register
def trivial_components_are_the_invariants(found: Decomposition) -> None:
    """The number of invariants of V is the multiplicity of the irrep that calls itself trivial, exactly; it has dimension 1."""
    trivial = [c for c in found.components if c.irrep.is_trivial]
    counted, wanted = sum(c.multiplicity for c in trivial), invariants(found.rep, store=None).dim
    if counted != wanted or any(c.irrep.dim != 1 for c in trivial):
        raise broken("trivial_components_are_the_invariants", "dim V^G = m_1", V=found.rep, invariants=wanted, counted=counted)


@for_decomposition.register
def projectors_are_idempotent_and_sum_to_one(found: Decomposition) -> None:
    """P P = P, P rho(s) = rho(s) P, and the sum over the different P is 1, exactly.

    Components that the field of the representation does not tell apart share one projector.
    """
    law = "projectors_are_idempotent_and_sum_to_one"
    total, seen = eye(found.rep.dim) * 0, set[Matrix]()
    for i, c in enumerate(found.components):
        p = c.projector
        if p in seen:
            continue
        seen.add(p)
        total = total + p
        if p @ p != p:
            raise broken(law, "P P = P", V=found.rep, component=i, P=p)
        if any(p @ m != m @ p for m in found.rep.matrices):
            raise broken(law, "P rho(s) = rho(s) P", V=found.rep, component=i, P=p)
    if total.reduced() != eye(found.rep.dim):
        raise broken(law, "sum of P = 1", V=found.rep, total=total)


@for_decomposition.register
def projectors_fix_their_component(found: Decomposition) -> None:
    """P_c u = u for every column u of the basis of component c."""
    u, at = _basis(found), 0
    for i, c in enumerate(found.components):
        width = c.multiplicity * c.irrep.dim
        p = to_orthonormal(c.projector.to_numpy(), found.rep, found.rep)
        columns = u[:, at : at + width]
        defect, allowed = norm(p @ columns - columns), _allowed(found, norm(p) * norm(columns))
        if not defect <= allowed:
            raise broken("projectors_fix_their_component", "P u = u", V=found.rep, component=i, defect=defect, bound=allowed)
        at += width


def _images(rep: Rep) -> list[Array]:
    return [to_orthonormal(m.to_numpy(), rep, rep) for m in rep.matrices]


def _inside(u: Array, on_v: Array) -> Array:
    return np.linalg.solve(u, on_v @ u)


def _allowed(found: Decomposition, scale: float) -> float:
    """The residual that the decomposition proves, in Frobenius norm, and the rounding of products of three matrices.

    Both are relative to ``scale``, and solving with U multiplies them by its condition, which is 1 where U is orthogonal.
    """
    n = found.rep.dim
    u = _basis(found)
    condition = float(np.linalg.cond(u)) if n and not found.is_orthogonal else 1.0
    return (sqrt(n) * found.residual + 16 * n * n * unit(np.float64)) * max(scale, 1.0) * condition**2


def _basis(found: Decomposition) -> Array:
    parts = [_dense(c.basis) for c in found.components]
    return np.hstack(parts) if parts else np.zeros((found.rep.dim, 0))


def _dense(x: Any) -> Array:
    return np.asarray(x.toarray() if hasattr(x, "toarray") else x)
