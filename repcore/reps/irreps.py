"""Irreducible representations by label: SO(3) and O(3) in the convention of e3nn, SO(2), O(2) and SU(2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import permutations
from math import comb

import numpy as np

from repcore.errors import RepresentationError
from repcore.exact.field import QQ
from repcore.exact.grammar import shorten
from repcore.exact.matrix import Matrix, from_coo, identity, monomial, zeros
from repcore.exact.number import Number, number
from repcore.groups.group import Group
from repcore.groups.named import SO, SU, O
from repcore.reps.harmonics import harmonic_derivative, harmonic_image, harmonic_squares
from repcore.reps.powers import power_derivative, power_image
from repcore.reps.tree import Rep, trivial

__all__ = ["Irrep", "irrep", "irrep_derivative", "irrep_image", "irreps_from"]

_SUPPORTED = "SO(3), O(3), SO(2), O(2), SU(2)"

# What a label looks like, and how to say it.
_LABELS = {
    "O(3)": (r"(?P<degree>\d{1,3})(?P<parity>[eo])", 'a degree l and a parity, "0e", "1o", "2e", ...'),
    "SO(3)": (r"(?P<degree>\d{1,3})", 'a degree l without a parity, "0", "1", "2", ...'),
    "SO(2)": (r"(?P<degree>\d{1,3})", 'a frequency m, "0", "1", "2", ...'),
    "O(2)": (r"(?P<degree>0)(?P<parity>[eo])|(?P<frequency>0*[1-9]\d{0,2})", '"0e", "0o" (determinant), or a frequency m >= 1'),
    "SU(2)": (r"(?P<degree>\d{1,3})(?P<half>/2)?", 'a spin, "0", "1/2", "1", "3/2", ...'),
}


@dataclass(frozen=True, eq=False, repr=False)
class Irrep(Rep):
    """An irreducible representation, named by its label; made by :func:`irrep`, which says what the labels are.

    Generators act by rational matrices (Gaussian rationals for SU(2)) in a basis that is orthogonal, but not orthonormal:
    the *rational model*. With S = diag(s), s_i^2 = ``scales[i]``, the orthonormal convention acts by

        rho_orthonormal(g) = S rho(g) S^-1,    x_orthonormal = S x.

    Exact matrices (``V.matrix(i)``, ``basis[i]``, ``basis.to_sympy()``) are in the rational model. Floating point arrays
    (``basis.to_numpy()``, ``basis.to_scipy()``, ``rc.plan(...)``, and so the torch and JAX adapters) are in the orthonormal
    convention, which for SO(3) and O(3) is e3nn's; ``to_orthonormal`` in ``repcore.reps.scales`` converts anything else.

    Attributes:
        group: the group.
        label: the label, in its shortest form.
        degree: l for SO(3) and O(3), m for SO(2) and O(2), 2j for SU(2).
        parity: -1 for an odd label ("1o", and the determinant "0o" of O(2)), else 1.
        scales: the squares s_i^2 as Fractions.
    """

    group: Group
    label: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", _label(self.family, *_parsed(self.family, self.label, "label")))

    @cached_property
    def family(self) -> str:
        """Which of the supported groups this is, for example "O(3)"."""
        return _family(self.group)

    @cached_property
    def _degree_and_parity(self) -> tuple[int, int]:
        return _parsed(self.family, self.label, "label")

    @property
    def degree(self) -> int:
        """l for SO(3) and O(3), m for SO(2) and O(2), 2j for SU(2)."""
        return self._degree_and_parity[0]

    @property
    def parity(self) -> int:
        """-1 for an odd label, else 1."""
        return self._degree_and_parity[1]

    @property
    def dim(self) -> int:
        """The dimension of the space: 2l + 1, 2j + 1; 2 for a frequency m >= 1."""
        if self.family in ("SO(2)", "O(2)"):
            return 2 if self.degree else 1
        return self.degree + 1 if self.family == "SU(2)" else 2 * self.degree + 1

    @property
    def scales(self) -> tuple[Fraction, ...]:
        """s_i^2, the squares of the factors between the rational model and the orthonormal convention.

        SO(3), O(3): binomial(2l, l + m), half of it for m = 0. SU(2): 1 / binomial(2j, k), k = j - m. SO(2), O(2): 1.

        >>> from repcore import O, irrep
        >>> [int(s) for s in irrep(O(3), "2e").scales]
        [1, 4, 3, 4, 1]
        """
        if self.family in ("SO(2)", "O(2)"):
            return (Fraction(1),) * self.dim
        if self.family == "SU(2)":
            return tuple(Fraction(1, comb(self.degree, k)) for k in range(self.dim))
        return harmonic_squares(self.degree)

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("irrep", self.label)

    def __str__(self) -> str:
        return f"irrep({self.label})"

    def __repr__(self) -> str:
        return f"irrep({self.group!r}, {self.label!r})"


def irrep(group: Group, label: str) -> Rep:
    """An irreducible representation of a group, by its label.

    ========  ===========================  ==================================================================================
    group     labels                       what it is
    ========  ===========================  ==================================================================================
    O(3)      "0e", "0o", "1o", "2e", ...  degree l and parity under x -> -x, dimension 2l + 1, real; the basis of e3nn:
                                           harmonics about the polar axis y, order m = -l .. l, which is (x, y, z) for l = 1
    SO(3)     "0", "1", "2", ...           the same without parity
    SO(2)     "0", "1", "2", ...           frequency m: the turn by m times the angle, real, of dimension 2 for m >= 1
    O(2)      "0e", "0o", "1", "2", ...    trivial, determinant, frequency m: the same on (Re z^m, Im z^m), z = x + i y
    SU(2)     "0", "1/2", "1", ...         spin j, complex of dimension 2j + 1: ``|j, m>`` with m = j .. -j and Condon and
                                           Shortley's phases; "1/2" is the defining one; ``.realify()`` is its real form
    ========  ===========================  ==================================================================================

    The trivial label gives ``trivial(group)`` itself. Exact matrices are rational, in a basis that differs by the known
    positive factors :attr:`Irrep.scales` from the orthonormal one; floats are in the orthonormal one, see :class:`Irrep`.

    Raises:
        RepresentationError: a group that is none of these (recognised by its generators), or a label it does not have.

    >>> import repcore as rc
    >>> V = rc.irrep(rc.O(3), "1o")
    >>> V.dim, rc.solve(V * V >> rc.irrep(rc.O(3), "2e"), store=None).dim
    (3, 1)
    >>> rc.irrep(rc.SO(2), "3").matrix(0).tolist()
    [[0, -3], [3, 0]]
    """
    family = _family(group)
    degree, parity = _parsed(family, label, "label")
    if degree == 0 and parity == 1:
        return trivial(group)
    return Irrep(group, _label(family, degree, parity))


def irreps_from(text: str, group: Group) -> Rep:
    """A direct sum of irreducible representations written as e3nn writes it: ``"2x0e + 1x1o"``; a bare label is one copy.

    The layout is e3nn's: terms in the order of the text, copies before components within a term (``mul_ir``).

    Raises:
        RepresentationError: the text breaks this form, with the position; or see :func:`irrep`.

    >>> import repcore as rc
    >>> X = rc.irreps_from("2x0e + 1x1o", rc.O(3))
    >>> X.dim, str(X)
    (5, '2*1 + irrep(1o)')
    """
    _family(group)
    if not isinstance(text, str):
        raise RepresentationError(f'text: expected irreps as a text such as "2x0e+1x1o", got {type(text).__name__}')
    out = 0 * trivial(group)
    position = 0
    for term in text.split("+"):
        start = position + len(term) - len(term.lstrip())
        where = f"text: cannot read {shorten(text)!r}: at position {start}"
        match = re.fullmatch(r"(?:(\d+)\s*x\s*)?([^\sx]+)", term.strip(), re.ASCII)
        if match is None:
            raise RepresentationError(
                f'{where}, expected "copies x label" or "label", got {shorten(term.strip())!r}; write for example "2x0e + 1o"'
            )
        copies, label = match.groups()
        if copies and len(copies) > 9:
            raise RepresentationError(f"{where}, more than 10**9 - 1 copies")
        try:
            out = out + int(copies or 1) * irrep(group, label)
        except RepresentationError as error:
            raise RepresentationError(f"{where}, {error}") from None
        position += len(term) + 1
    return out


# -- how elements act ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def irrep_image(rep: Irrep, g: Matrix) -> Matrix:
    """rho(g) in the rational model, for a matrix g of the defining representation, over any field.

    SO(3), O(3): by the action on harmonic polynomials, c(g x) = D(g) c(x), times det(g) where the parity is not (-1)^l.
    SO(2), O(2): on (Re z^m, Im z^m). SU(2): Sym^2j of the defining representation, in the basis of monomials.

    Raises:
        RepresentationError: g is no element of the group.
    """
    if rep.family == "SU(2)":
        if not (g @ g.conjugate().T).is_identity or _determinant(g) != 1:
            raise RepresentationError(_no_element(rep))
        return power_image(g, rep.degree, signed=False) if rep.degree else identity(1)
    if not (g @ g.T).is_identity:
        raise RepresentationError(_no_element(rep))
    sign = _determinant(g)
    if sign != 1 and rep.family in ("SO(2)", "SO(3)"):
        raise RepresentationError(_no_element(rep))
    if rep.family in ("SO(3)", "O(3)"):
        natural = rep.family == "SO(3)" or rep.parity == (-1) ** rep.degree
        image = harmonic_image(rep.degree, g)
        return image if natural else image * sign
    if rep.degree == 0:
        return identity(1) * (sign if rep.parity == -1 else 1)
    # A reflection is a rotation times diag(1, -1), which acts by diag(1, -1) whatever the frequency.
    flip = identity(2) if sign == 1 else monomial([0, 1], [1, -1])
    turn, out = g @ flip, identity(2)
    for _ in range(rep.degree):
        out = out @ turn
    return (out @ flip).reduced()


def irrep_derivative(rep: Irrep, a: Matrix) -> Matrix:
    """d rho(a) in the rational model, for a matrix a of the Lie algebra in the defining representation.

    Raises:
        RepresentationError: a is not antisymmetric, or for SU(2) not antihermitian of trace zero.
    """
    star = a.conjugate().T if rep.family == "SU(2)" else a.T
    if star != -a or (rep.family == "SU(2)" and a[0, 0] != -a[1, 1]):
        raise RepresentationError(f"a: this matrix is not in the Lie algebra of {rep.family}, so its action on {rep} is unknown")
    if rep.family == "SU(2)":
        return power_derivative(a, rep.degree, signed=False) if rep.degree else zeros((1, 1))
    if rep.family in ("SO(3)", "O(3)"):
        return harmonic_derivative(rep.degree, a)
    if rep.degree == 0:
        return zeros((1, 1))
    turn = from_coo((2, 2), QQ, [0, 1], [1, 0], np.array([[-rep.degree], [rep.degree]]), 1)
    return turn * a[1, 0]


# -- labels --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _families() -> dict[str, str]:
    """The digests of the supported groups; a digest does not depend on the order of generators."""
    return {G.digest: G.name for G in (SO(3), O(3), SO(2), O(2), SU(2))}


def _family(group: object) -> str:
    if not isinstance(group, Group):
        raise RepresentationError(f"group: expected a group, one of {_SUPPORTED}; got {type(group).__name__}")
    found = _families().get(group.digest)
    if found is None:
        raise RepresentationError(
            f"group: irreducible representations have labels for {_SUPPORTED}, recognised by their generators; not for "
            f"{shorten(str(group))}; take irrep(...).restrict({shorten(str(group))}) for a subgroup, lift(...) for a product"
        )
    return found


def _parsed(family: str, label: object, where: str) -> tuple[int, int]:
    """(degree, parity) of a label."""
    pattern, words = _LABELS[family]
    match = re.fullmatch(pattern, label, re.ASCII) if isinstance(label, str) else None
    problem = "" if match else "this is no such label"
    parts = match.groupdict() if match else {}
    degree = int(parts.get("degree") or parts.get("frequency") or 0)
    if family == "SU(2)":
        if parts.get("half") and degree % 2 == 0:
            problem = f"write {degree // 2} for {label}"
        degree *= 1 if parts.get("half") else 2
    if isinstance(label, int) and re.fullmatch(pattern, str(label), re.ASCII):
        problem = f'labels are text, write "{label}"'
    if family == "SO(3)" and isinstance(label, str) and label.endswith(("e", "o")):
        problem = "SO(3) knows no parity, O(3) does"
    if problem:
        raise RepresentationError(f"{where}: a label of {family} is {words}; got {shorten(repr(label))}: {problem}")
    return degree, -1 if parts.get("parity") == "o" else 1


def _label(family: str, degree: int, parity: int) -> str:
    if family == "O(3)" or (family == "O(2)" and degree == 0):
        return f"{degree}{'e' if parity == 1 else 'o'}"
    return str(Fraction(degree, 2)) if family == "SU(2)" else str(degree)


# -- parts ---------------------------------------------------------------------------------------------------------


def _no_element(rep: Irrep) -> str:
    return f"g: this matrix is not an element of {rep.family}, so it does not act on {rep}"


def _determinant(g: Matrix) -> Number:
    """Leibniz's formula; sizes 2 and 3."""
    total = number(0)
    for order in permutations(range(g.shape[0])):
        inversions = sum(a > b for i, a in enumerate(order) for b in order[i + 1 :])
        term = number(-1 if inversions % 2 else 1)
        for i, j in enumerate(order):
            term = term * g[i, j]
        total = total + term
    return total
