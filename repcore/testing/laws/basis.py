"""Laws of a solved space: every element is a solution, none is missing, and the form is the canonical one."""

from __future__ import annotations

from collections.abc import Sequence

from repcore import EquivariantBasis, Group, Hom, Matrix, Number, Rep, number, solve, verify
from repcore.testing.exact import entries_of, trace
from repcore.testing.laws.registry import Laws, broken
from repcore.testing.laws.words import arrows, is_finite

__all__ = ["check_basis", "for_basis"]

for_basis = Laws("basis")


def check_basis(basis: EquivariantBasis | Hom) -> tuple[str, ...]:
    """Check every law of :data:`for_basis` on a basis, or on the basis of a space; returns their names.

    Meant for spaces of small representations: elements are expanded over multiplicities and multiplied out.

    Raises:
        AssertionError: a law does not hold; with its name and a counterexample that can be pasted.

    >>> import repcore as rc
    >>> from repcore.testing import laws
    >>> V = rc.dihedral(4).rep
    >>> "elements_are_equivariant" in laws.check_basis(V >> V * V * V)
    True
    """
    return for_basis.check(solve(basis, store=None) if isinstance(basis, Hom) else basis)


@for_basis.register
def elements_are_equivariant(basis: EquivariantBasis) -> None:
    """rho_Y(s) B = B rho_X(s), exactly, for every generator s and every element B."""
    x, y = basis.space.domain, basis.space.codomain
    pairs = list(zip(y.matrices, x.matrices, strict=True))
    for number_of, b in enumerate(basis):
        for i, (on_y, on_x) in enumerate(pairs):
            if on_y @ b != b @ on_x:
                raise broken(
                    "elements_are_equivariant", "rho_Y(s) B = B rho_X(s)", space=basis.space, element=number_of, B=b, generator=i
                )


@for_basis.register
def elements_are_in_echelon_form(basis: EquivariantBasis) -> None:
    """In row-major order each element starts with a 1 where all others are 0, and starts later than the one before.

    This is the reduced row echelon form, the only one of its kind in a given space; so the elements are independent.
    """
    tables = [entries_of(b) for b in basis]
    starts = [min(t, default=(-1, -1)) for t in tables]
    for a, start in enumerate(starts):
        alone = all(start not in t for c, t in enumerate(tables) if c != a)
        later = a == 0 or start > starts[a - 1]
        if tables[a].get(start) != number(1) or not alone or not later:
            raise broken(
                "elements_are_in_echelon_form",
                "B starts with a 1 where all others are 0",
                space=basis.space,
                element=a,
                B=basis[a],
            )


@for_basis.register
def the_dimension_is_the_inner_product_of_characters(basis: EquivariantBasis) -> None:
    """dim Hom_G(X, Y) = 1/|G| sum over g of conj(tr rho_X(g)) tr rho_Y(g), for groups of at most 200 elements."""
    space = basis.space
    count = is_finite(space.group)
    if count is None:
        return
    total = number(0)
    for arrow in arrows(space.group, (space.domain, space.codomain)):
        if arrow.is_new:
            x, y = (trace(m) for m in arrow.after)
            total = total + x.conjugate() * y
    if total / count != number(basis.dim):
        raise broken(
            "the_dimension_is_the_inner_product_of_characters",
            "dim Hom(X, Y) = <chi_X, chi_Y>",
            space=space,
            dim=basis.dim,
            inner_product=_plain(total / count),
        )


@for_basis.register
def verification_agrees(basis: EquivariantBasis) -> None:
    """rc.verify(basis) is true: soundness, echelon form and dimension, found again by other code than the solver's."""
    found = verify(basis)
    if not found:
        raise broken("verification_agrees", "verify(basis)", space=basis.space, notes=found.notes)


@for_basis.register
def the_certificate_is_a_proof(basis: EquivariantBasis) -> None:
    """basis.certificate.status = "proved"."""
    if basis.certificate.status != "proved":
        raise broken("the_certificate_is_a_proof", "status = 'proved'", space=basis.space, certificate=str(basis.certificate))


@for_basis.register
def other_generators_give_the_same_basis(basis: EquivariantBasis) -> None:
    """basis(s_1, ..., s_k) = basis(s_k, ..., s_1, s_1 s_k): reversed generators, and a redundant one.

    Both representations are declared anew by their images, so that the solver sees two plain matrices.
    """
    space = basis.space
    x, y = space.domain, space.codomain
    if not space.group.generators or not x.dim or not y.dim:
        return
    group = _other(space.group, space.group.discrete, space.group.lie)
    again = solve(_declared(group, x) >> _declared(group, y), store=None)
    if list(again) != list(basis):
        raise broken(
            "other_generators_give_the_same_basis",
            "the basis does not depend on the generators",
            space=space,
            basis=list(basis),
            generators=group,
            again=list(again),
        )


def _reordered(discrete: Sequence[Matrix], lie: Sequence[Matrix]) -> tuple[list[Matrix], list[Matrix]]:
    product = [discrete[0] @ discrete[-1]] if discrete else []
    return [*reversed(discrete), *product], list(reversed(lie))


def _other(group: Group, discrete: Sequence[Matrix], lie: Sequence[Matrix]) -> Group:
    finite, algebra = _reordered(discrete, lie)
    return Group(finite, algebra, dim=group.dim)


def _declared(group: Group, rep: Rep) -> Rep:
    count = len(rep.group.discrete)
    finite, algebra = _reordered(rep.matrices[:count], rep.matrices[count:])
    return Rep(group, finite, algebra)


def _plain(x: Number) -> object:
    return x.as_fraction() if x.is_rational else x
