"""Laws of a representation: relations of the group go over to the images, and constructions are what the books say."""

from __future__ import annotations

from collections.abc import Iterator

from repcore import Matrix, Rep, number
from repcore.testing.exact import Entries, block_sum, entries_of, exterior_power, eye, kronecker
from repcore.testing.laws.registry import Laws, broken
from repcore.testing.laws.words import algebra, arrows, combination, conjugate

__all__ = ["check_rep", "for_rep"]

for_rep = Laws("representation")

# Above this dimension the products and powers of a representation are not compared with their definition.
_SMALL = 24


def check_rep(rep: Rep) -> tuple[str, ...]:
    """Check every law of :data:`for_rep`; returns their names.

    Raises:
        AssertionError: a law does not hold; with its name and a counterexample that can be pasted.

    >>> import repcore as rc
    >>> from repcore.testing import laws
    >>> "relations_hold" in laws.check_rep(rc.dihedral(3).rep ** 2)
    True
    """
    return for_rep.check(rep)


@for_rep.register
def images_have_the_dimension(rep: Rep) -> None:
    """rho(s) is a dim x dim matrix for every generator s, discrete first."""
    count = len(rep.group.generators)
    if len(rep.matrices) != count or any(m.shape != (rep.dim, rep.dim) for m in rep.matrices):
        raise broken(
            "images_have_the_dimension", "rho(s) is dim x dim", V=rep, dim=rep.dim, shapes=[m.shape for m in rep.matrices]
        )


@for_rep.register
def relations_hold(rep: Rep) -> None:
    """g = h implies rho(g) = rho(h), for words g and h in the discrete generators; rho(1) = 1.

    Words are multiplied in the defining representation, shortest first, until 200 elements are known. For a finite group of at
    most 200 elements this proves that rho is a homomorphism. Cost: 200 x generators x products of matrices.
    """
    for arrow in arrows(rep.group, [rep]):
        if arrow.before != arrow.after:
            raise broken(
                "relations_hold",
                "g = h implies rho(g) = rho(h)",
                V=rep,
                g=arrow.known,
                h=arrow.found,
                rho_g=arrow.before[0],
                rho_h=arrow.after[0],
            )


@for_rep.register
def brackets_go_to_brackets(rep: Rep) -> None:
    """d rho([A, B]) = [d rho(A), d rho(B)], and d rho is linear over the reals.

    Brackets are added to the Lie generators until they span a Lie algebra; wherever a bracket is a combination of others, its
    image must be that of theirs. Cost: (dimension of the algebra)^2 products and eliminations.
    """
    lie = rep.group.lie
    if not lie:
        return
    _, wrong = algebra(rep.group, rep.matrices[-len(lie) :])
    if wrong is not None:
        a, combined, image = wrong
        raise broken(
            "brackets_go_to_brackets",
            "d rho([A, B]) = [d rho(A), d rho(B)]",
            V=rep,
            A_bracket_B=a,
            image_of_bracket=combined,
            bracket_of_images=image,
        )


@for_rep.register
def discrete_and_lie_images_agree(rep: Rep) -> None:
    """rho(g) d rho(A) rho(g)^-1 = d rho(g A g^-1), for every discrete generator g and Lie generator A."""
    group = rep.group
    if not group.lie or not group.discrete:
        return
    images = rep.matrices[-len(group.lie) :]
    span, _ = algebra(group, images)
    for g, on_g in zip(group.discrete, rep.matrices, strict=False):
        for a, on_a in zip(group.lie, images, strict=True):
            moved = conjugate(g, a)
            expected = None if moved is None else combination(span, moved, on_a)
            if expected is not None and on_g @ on_a != expected @ on_g:
                raise broken(
                    "discrete_and_lie_images_agree",
                    "rho(g) d rho(A) rho(g)^-1 = d rho(g A g^-1)",
                    V=rep,
                    g=g,
                    A=a,
                    rho_g=on_g,
                    d_rho_A=on_a,
                    d_rho_of_moved=expected,
                )


@for_rep.register
def the_dual_pairing_is_invariant(rep: Rep) -> None:
    """<g phi, g v> = <phi, v>: rho*(g)^T rho(g) = 1 and d rho*(A)^T + d rho(A) = 0."""
    dual = rep.dual
    for i, m, is_lie in _images(rep):
        star = dual.matrix(i)
        if (is_lie and not (star.T + m).is_zero) or (not is_lie and star.T @ m != eye(rep.dim)):
            raise broken("the_dual_pairing_is_invariant", "<g phi, g v> = <phi, v>", V=rep, generator=i, rho=m, rho_star=star)


@for_rep.register
def the_conjugate_is_conjugated(rep: Rep) -> None:
    """rho-bar(g)[i, j] = conjugate of rho(g)[i, j], for Lie elements as well."""
    for i, m, _ in _images(rep):
        bar = rep.conj.matrix(i)
        expected = {at: v.conjugate() for at, v in entries_of(m).items()}
        _same("the_conjugate_is_conjugated", "V.conj.matrix(i) = conjugate of V.matrix(i)", rep, i, bar, expected)


@for_rep.register
def the_real_form_is_real_and_imaginary_part(rep: Rep) -> None:
    """A + iB acts on (Re v, Im v) by [[A, -B], [B, A]]."""
    n = rep.dim
    real = rep.realify()
    for i, m, _ in _images(rep):
        expected: Entries = {}
        for (r, c), v in entries_of(m).items():
            re, im = (v + v.conjugate()) * number("1/2"), (v - v.conjugate()) * number("-I/2")
            parts = {(r, c): re, (r + n, c + n): re, (r + n, c): im, (r, c + n): -im}
            expected |= {at: x for at, x in parts.items() if x}
        _same("the_real_form_is_real_and_imaginary_part", "[[A, -B], [B, A]]", rep, i, real.matrix(i), expected)


@for_rep.register
def sums_are_block_diagonal(rep: Rep) -> None:
    """(V + 2 D)(s) = diag(V(s), D(s), D(s)) and (2 V)(s) = diag(V(s), V(s)), D the defining representation.

    Copies come before components: entry (copy a, component p) stands at a dim + p.
    """
    other = rep.group.rep
    for i, m, _ in _images(rep):
        v, d = (entries_of(m), rep.dim), (entries_of(other.matrix(i)), other.dim)
        _same("sums_are_block_diagonal", "(2*V).matrix(i) = diag(V, V)", rep, i, (2 * rep).matrix(i), block_sum([v, v]))
        both = (rep + 2 * other).matrix(i)
        _same("sums_are_block_diagonal", "(V + 2*D).matrix(i) = diag(V, D, D)", rep, i, both, block_sum([v, d, d]))


@for_rep.register
def products_are_kronecker(rep: Rep) -> None:
    """(V (x) D)(g) = V(g) (x) D(g) and (V (x) D)(A) = V(A) (x) 1 + 1 (x) D(A), D the defining representation.

    Entry (i, j) of V (x) D stands at i dim D + j. Up to dimension 24 of V.
    """
    other = rep.group.rep
    if rep.dim > _SMALL:
        return
    for i, m, is_lie in _images(rep):
        d = other.matrix(i)
        if is_lie:
            left = kronecker(entries_of(m), entries_of(eye(other.dim)), d.shape)
            expected = _added(left, kronecker(entries_of(eye(rep.dim)), entries_of(d), d.shape))
        else:
            expected = kronecker(entries_of(m), entries_of(d), d.shape)
        _same("products_are_kronecker", "(V*D).matrix(i) = V (x) D", rep, i, (rep * other).matrix(i), expected)


@for_rep.register
def powers_act_on_sorted_tuples(rep: Rep) -> None:
    """g(e_i e_j) = (g e_i)(g e_j) on Sym^2, and likewise with the sign of the sorting on Alt^2; also cubes up to dimension 3.

    Basis: index tuples i <= j, or i < j, in lexicographic order. Lie elements act by the product rule. Up to dimension 24.
    """
    if rep.dim > _SMALL:
        return
    for k in (2, 3) if rep.dim <= 3 else (2,):
        for name, power, signed in (("sym", rep.sym(k), False), ("alt", rep.alt(k), True)):
            for i, m, is_lie in _images(rep):
                expected = exterior_power(entries_of(m), rep.dim, k, signed=signed, derivative=is_lie)
                equation = f"V.{name}({k}).matrix(i) is the product on sorted tuples"
                _same("powers_act_on_sorted_tuples", equation, rep, i, power.matrix(i), expected)


def _images(rep: Rep) -> Iterator[tuple[int, Matrix, bool]]:
    """(number, image, whether it is a Lie generator) of each generator."""
    return ((i, m, i >= len(rep.group.discrete)) for i, m in enumerate(rep.matrices))


def _added(a: Entries, b: Entries) -> Entries:
    out = {at: a.get(at, number(0)) + b.get(at, number(0)) for at in a | b}
    return {at: v for at, v in out.items() if v}


def _same(law: str, equation: str, rep: Rep, i: int, found: Matrix, expected: Entries) -> None:
    entries = entries_of(found)
    if entries != expected:
        at = min(at for at in entries | expected if entries.get(at) != expected.get(at))
        raise broken(
            law,
            equation,
            V=rep,
            generator=i,
            entry=at,
            found=entries.get(at, number(0)),
            expected=expected.get(at, number(0)),
        )
