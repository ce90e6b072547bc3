"""Characters of expressions: traces at all classes of a finite group, without forming the matrices of the expression.

``values(rep, frame, m)`` dispatches on the node. It gives the traces as residues modulo the prime of m, which determine the
character as long as the dimension is below the prime; larger representations take more primes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, singledispatch
from itertools import count, groupby
from math import lcm

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError
from repcore.exact.matrix import Matrix
from repcore.exact.number import ZERO, Number
from repcore.groups.characters import CharacterTable, character_table, modulus_of, number_of_spectrum
from repcore.groups.classes import Classes, classes
from repcore.groups.finite import elements
from repcore.groups.group import Group
from repcore.groups.modulus import Modulus, crt, modulus, times_modulo
from repcore.reps.action import _factor_block, discrete_image  # pyright: ignore[reportPrivateUsage]
from repcore.reps.cosets import Quotient
from repcore.reps.custom import Custom
from repcore.reps.formula import parse_formula
from repcore.reps.induced import Induced
from repcore.reps.irreps import Irrep
from repcore.reps.lifted import Lifted
from repcore.reps.tensors import Tensors
from repcore.reps.tree import (
    Alt,
    Conjugate,
    Defining,
    Dual,
    Product,
    Realified,
    Rep,
    Restriction,
    Sum,
    Sym,
    Trivial,
)

__all__ = ["Character", "character", "hom_dimension", "power_sums"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Character:
    """The character of a representation of a finite group: its trace at each conjugacy class, exactly; see :func:`character`.

    ``chi[j]`` is the value at class j, ``chi.values`` are all of them, ``chi.inner(psi)`` is the inner product, and ``==``
    compares exactly: representations of one group have equal characters if and only if they are isomorphic.

    Attributes:
        rep: the representation.
        classes: the conjugacy classes, in their canonical order.
    """

    rep: Rep
    classes: Classes

    @property
    def dim(self) -> int:
        """The value at the identity."""
        return self.rep.dim

    def __len__(self) -> int:
        return self.classes.count

    def residues(self, index: int = 0) -> Ints:
        """(count,) the values modulo prime number ``index`` of the group, see :class:`repcore.groups.modulus.Modulus`."""
        return _residues(self.rep, index)

    def spectrum(self, j: int) -> tuple[int, ...]:
        """How often zeta_o^k, k = 0 .. o - 1, is an eigenvalue of an element of class j, o its order."""
        at = self.classes.powers(j)
        moduli = list(_moduli(self.rep.group, self.dim))
        found = [m.spectra(self.residues(i)[at]) for i, m in enumerate(moduli)]
        return tuple(crt(found, [m.prime for m in moduli]))

    def __getitem__(self, j: int) -> Number:
        return number_of_spectrum(self.spectrum(range(len(self))[j]))

    @cached_property
    def values(self) -> tuple[Number, ...]:
        """The exact values, class by class."""
        return tuple(self[j] for j in range(len(self)))

    def inner(self, other: Character) -> int:
        """<chi, psi> = (1/#G) sum_g chi(g^-1) psi(g) = dim Hom(V, W)."""
        if self.rep.group != other.rep.group:
            raise IncompatibleError(f"other: a character of {other.rep.group}, this is one of {self.rep.group}")
        moduli = list(_moduli(self.rep.group, self.dim * other.dim))
        found: list[Ints] = []
        for i, m in enumerate(moduli):
            terms = self.residues(i)[self.classes.inverse] * other.residues(i) % m.prime * self.classes.sizes % m.prime
            total = int(np.sum(terms)) * pow(self.classes.table.order, -1, m.prime)
            found.append(np.array([total % m.prime], np.int64))
        return crt(found, [m.prime for m in moduli])[0]

    @cached_property
    def multiplicities(self) -> tuple[int, ...]:
        """How often each irreducible complex character is contained, row by row of ``character_table(group)``."""
        table = character_table(self.rep.group)
        moduli = list(_moduli(self.rep.group, self.dim))
        inverse = self.classes.inverse
        found = [_weigh(table, i, m, self.residues(i)[inverse]) for i, m in enumerate(moduli)]
        return tuple(crt(found, [m.prime for m in moduli]))

    @property
    def is_irreducible(self) -> bool:
        """Whether <chi, chi> = 1: irreducible over the complex numbers."""
        return self.inner(self) == 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Character):
            return NotImplemented
        if self.rep.group != other.rep.group or self.dim != other.dim:
            return False
        moduli = enumerate(_moduli(self.rep.group, self.dim))
        return all(np.array_equal(self.residues(i), other.residues(i)) for i, _ in moduli)

    def __hash__(self) -> int:
        return hash((self.rep.group, self.residues().tobytes()))

    def __str__(self) -> str:
        return "  ".join(f"{name}: {x}" for name, x in zip(self.classes.names, self.values, strict=True))


def character(rep: Rep) -> Character:
    """The character of a representation of a finite group, as an exact class function.

    Sums and products by values, duals and conjugates by inverse classes, symmetric and exterior powers of any degree by
    Newton's identities on the power maps, permutation, quotient and induced representations by counting; declared matrices are
    multiplied once for each class, modulo a prime. The matrices of an expression are never formed.

    Raises:
        GroupTooLargeError: the group is infinite, or has more than 200,000 elements.

    >>> from repcore import symmetric
    >>> V = symmetric(4).rep
    >>> print(character(V))
    1a: 4  2a: 0  2b: 2  3a: 1  4a: 0
    >>> character(V ** 20).multiplicities[0]                # orbits on 20-tuples of 4 points: a number of Stirling's
    45813246635
    >>> character(V) == character(V.dual)
    True
    """
    if not isinstance(rep, Rep):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"rep: expected a representation, got {type(rep).__name__}; use G.rep for a group's own")
    return Character(rep, classes(rep.group))


def hom_dimension(domain: Rep, codomain: Rep) -> int:
    """dim Hom(V, W) of representations of a finite group, exactly, as the inner product of their characters.

    Equal to ``solve(V >> W).dim``, at the cost of a sum over the classes instead of a solution.

    Raises:
        IncompatibleError: representations of different groups, or of a group with a Lie part.
        GroupTooLargeError: more than 200,000 elements.

    >>> from repcore import icosahedral
    >>> V = icosahedral().rep
    >>> hom_dimension(V ** 4, V ** 6), hom_dimension(V.sym(60), V.alt(3))
    (1009, 40)
    """
    space = domain >> codomain
    if any(not a.is_zero for a in space.group.lie):
        raise IncompatibleError(
            f"domain: {space.group} has a Lie part, and inner products of characters are taken over finite groups; "
            "solve(V >> W).dim works for every group"
        )
    return character(space.domain).inner(character(space.codomain))


# -- traces at the classes ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Frame:
    """Where a node is evaluated: at the representatives of some classes, seen as elements of ``group``.

    ``group`` is the group of the classes, a larger one (within a restriction), or a factor of it (within a lift).
    """

    classes: Classes
    group: Group
    factors: tuple[Lifted, ...] = ()

    @cached_property
    def matrices(self) -> tuple[Matrix, ...]:
        """The representatives in the defining representation of ``group``."""
        found = [self.classes.table.matrix(e) for e in self.classes.representatives.tolist()]
        for lifted in self.factors:
            found = [_factor_block(lifted, g) for g in found]
        return tuple(found)

    @cached_property
    def numbers(self) -> Ints:
        """The representatives as elements of ``group``, by number."""
        if not self.factors and self.group == self.classes.group:
            return self.classes.representatives
        table = elements(self.group)
        found = [table.find(g) for g in self.matrices]
        if any(e is None for e in found):
            raise IncompatibleError(f"group: {self.classes.group} is no subgroup of {self.group}")
        return np.array(found, np.int64)


@lru_cache(maxsize=1024)
def _residues(rep: Rep, index: int) -> Ints:
    found = classes(rep.group)
    out = values(rep, Frame(found, rep.group), _modulus(rep.group, index))
    out.flags.writeable = False
    return out


def _modulus(group: Group, index: int) -> Modulus:
    """The modulus of the character table, for index 0, and others of the same order."""
    return modulus_of(classes(group), index)


def _moduli(group: Group, bound: int) -> Iterator[Modulus]:
    """As many as tell integers from 0 to ``bound`` apart, at least one."""
    whole, index = 1, 0
    while whole <= max(bound, 1):
        m = _modulus(group, index)
        yield m
        whole, index = whole * m.prime, index + 1


def _weigh(table: CharacterTable, index: int, m: Modulus, conjugate: Ints) -> Ints:
    rows = table.residues if index == 0 else _rows_modulo(table, m)
    weighted = conjugate * table.classes.sizes % m.prime
    return m.times(rows, weighted[:, None]).ravel() * pow(table.classes.table.order, -1, m.prime) % m.prime


@lru_cache(maxsize=16)
def _rows_modulo(table: CharacterTable, m: Modulus) -> Ints:
    columns = [m.times(table.spectra(j), m.roots(int(o))[:, None]) for j, o in enumerate(table.classes.orders)]
    return np.concatenate(columns, axis=1)


@singledispatch
def values(rep: Rep, frame: Frame, m: Modulus) -> Ints:
    """(count,) the trace of ``rep`` at each representative of the frame, as residues.

    A node without a rule of its own has its exact matrix formed at each representative.
    """
    return np.array([m.number(_trace(discrete_image(rep, g))) for g in frame.matrices], np.int64)


@values.register
def _(rep: Trivial, frame: Frame, m: Modulus) -> Ints:
    return np.ones(frame.classes.count, np.int64)


@values.register
def _(rep: Defining, frame: Frame, m: Modulus) -> Ints:
    table = frame.classes.table
    if frame.factors or frame.group.dim != table.group.dim or m.order % table.points.field.conductor:
        return np.array([m.number(_trace(g)) for g in frame.matrices], np.int64)
    moved = table.images[frame.classes.representatives[:, None], table.frame]
    return np.sum(m.matrix(table.points)[np.arange(table.group.dim), moved], axis=1) % m.prime


@values.register
def _(rep: Sum, frame: Frame, m: Modulus) -> Ints:
    total = np.zeros(frame.classes.count, np.int64)
    for copies, v in rep.terms:
        total = (total + copies % m.prime * values(v, frame, m)) % m.prime
    return total


@values.register
def _(rep: Product, frame: Frame, m: Modulus) -> Ints:
    out = np.ones(frame.classes.count, np.int64)
    for v, run in groupby(rep.factors):
        once = values(v, frame, m)
        for _ in run:
            out = out * once % m.prime
    return out


@values.register
def _(rep: Dual, frame: Frame, m: Modulus) -> Ints:
    return values(rep.rep, frame, m)[frame.classes.inverse]


@values.register
def _(rep: Conjugate, frame: Frame, m: Modulus) -> Ints:
    # Eigenvalues are roots of unity, so the conjugate of a trace is that of the inverse.
    return values(rep.rep, frame, m)[frame.classes.inverse]


@values.register
def _(rep: Realified, frame: Frame, m: Modulus) -> Ints:
    found = values(rep.rep, frame, m)
    return (found + found[frame.classes.inverse]) % m.prime


@values.register
def _(rep: Restriction, frame: Frame, m: Modulus) -> Ints:
    return values(rep.rep, replace(frame, group=rep.rep.group), m)


@values.register
def _(rep: Lifted, frame: Frame, m: Modulus) -> Ints:
    return values(rep.rep, replace(frame, group=rep.rep.group, factors=(*frame.factors, rep)), m)


@values.register
def _(rep: Sym, frame: Frame, m: Modulus) -> Ints:
    return power_sums(values(rep.rep, frame, m), rep.k, frame.classes, m.prime, signed=False)[rep.k]


@values.register
def _(rep: Alt, frame: Frame, m: Modulus) -> Ints:
    return power_sums(values(rep.rep, frame, m), rep.k, frame.classes, m.prime, signed=True)[rep.k]


@values.register
def _(rep: Quotient, frame: Frame, m: Modulus) -> Ints:
    # The cosets x H that g fixes: |C(g)| |H and the class of g| / |H|.
    whole = classes(rep.group)
    steps = [whole.table.find(h) for h in rep.subgroup.discrete]
    members = whole.table.generated(np.array([e for e in steps if e is not None], np.int64))
    met = np.bincount(whole.of[members], minlength=whole.count)
    return (whole.centralizers * met // len(members) % m.prime)[whole.of[frame.numbers]]


@values.register
def _(rep: Induced, frame: Frame, m: Modulus) -> Ints:
    # Frobenius: chi(g) = |C(g)| / |H| times the sum of the character of W over H and the class of g.
    whole, part = classes(rep.group), classes(rep.rep.group)
    onto = [whole.table.find(part.table.matrix(e)) for e in part.representatives.tolist()]
    inner = values(rep.rep, Frame(part, rep.rep.group), m) * part.sizes % m.prime
    sums = np.zeros(whole.count, np.int64)
    for e, x in zip(onto, inner.tolist(), strict=True):
        if e is not None:
            sums[whole.of[e]] = (sums[whole.of[e]] + x) % m.prime
    found = sums * (whole.centralizers % m.prime) % m.prime * pow(part.table.order, -1, m.prime) % m.prime
    return found[whole.of[frame.numbers]]


@values.register
def _(rep: Custom, frame: Frame, m: Modulus) -> Ints:
    if any(m.order % a.field.conductor or a.den % m.prime == 0 for a in rep.discrete):
        return _transported(_by_words(rep, frame, fine := _fitting(rep, m.order)), fine, frame.classes, m)
    return _by_words(rep, frame, m)


def _by_words(rep: Custom, frame: Frame, m: Modulus) -> Ints:
    """The traces of words in the images of the generators, modulo a prime that splits the fields of the images."""
    table = elements(rep.group)
    letters = [m.matrix(a) for a in rep.discrete]
    known: dict[int, Ints] = {0: np.eye(rep.dim, dtype=np.int64)}
    for e in frame.numbers.tolist():
        path: list[int] = []
        while e not in known:
            path.append(e)
            e = int(table.parents[e])
        for x in reversed(path):
            known[x] = times_modulo(letters[int(table.letters[x])], known[int(table.parents[x])], m.prime)
    return np.array([int(np.trace(known[e])) % m.prime for e in frame.numbers.tolist()], np.int64)


def _fitting(rep: Custom, order: int) -> Modulus:
    """A modulus for roots of unity of some order that takes the images of the generators as well."""
    whole = lcm(order, *(a.field.conductor for a in rep.discrete))
    return next(m for i in count() if all(a.den % (m := modulus(whole, i)).prime for a in rep.discrete))


def _transported(found: Ints, fine: Modulus, over: Classes, m: Modulus) -> Ints:
    """The same character modulo another prime, by the multiplicities of the eigenvalues at each class."""
    spectra = (fine.spectra(found[over.powers(j)]) for j in range(over.count))
    return np.array([int(m.times(x[None], m.roots(len(x))[:, None])[0, 0]) for x in spectra], np.int64)


@values.register
def _(rep: Irrep, frame: Frame, m: Modulus) -> Ints:
    p, found = m.prime, frame.classes
    base = np.array([m.number(_trace(g)) for g in frame.matrices], np.int64)
    sums = power_sums(base, max(rep.degree, 2), found, p, signed=False)
    if rep.family == "SU(2)":
        return sums[rep.degree]
    determinant = power_sums(base, rep.group.dim, found, p, signed=True)[rep.group.dim]
    if rep.family in ("SO(3)", "O(3)"):
        harmonic = (sums[rep.degree] - (sums[rep.degree - 2] if rep.degree >= 2 else 0)) % p
        natural = rep.family == "SO(3)" or rep.parity == (-1) ** rep.degree
        return harmonic if natural else harmonic * determinant % p
    if rep.degree == 0:
        return determinant if rep.parity == -1 else np.ones(found.count, np.int64)
    # Rotations turn by a multiple of their angle; reflections have trace 0.
    return np.where(determinant == 1, base[found.power(rep.degree)], 0)


@values.register
def _(rep: Tensors, frame: Frame, m: Modulus) -> Ints:
    # The mean over the signed permutations of the indices; a cycle of length c of copies of V contributes chi_V(g^c).
    moves = parse_formula(rep.formula).signs or {}
    base = [values(v, frame, m) for v in rep.factors]
    total = np.zeros(frame.classes.count, np.int64)
    for places, sign in moves.items():
        term = np.full(frame.classes.count, sign, np.int64)
        for cycle in _cycles(places):
            term = term * base[cycle[0]][frame.classes.power(len(cycle))] % m.prime
        total = (total + term) % m.prime
    return total * pow(len(moves), -1, m.prime) % m.prime if moves else total


def power_sums(base: Ints, k: int, found: Classes, p: int, *, signed: bool) -> list[Ints]:
    """The characters of Sym^0 V .. Sym^k V, or of Alt^0 V .. Alt^k V where ``signed``, from that of V, as residues.

    Newton's identities: j h_j = sum_i p_i h_(j-i) with the power sums p_i(g) = chi(g^i), with alternating signs for Alt.
    """
    powers = [base[found.power(i)] * ((-1) ** (i - 1) if signed else 1) % p for i in range(1, k + 1)]
    out = [np.ones(found.count, np.int64)]
    for j in range(1, k + 1):
        total = np.zeros(found.count, np.int64)
        for i in range(1, j + 1):
            total = (total + powers[i - 1] * out[j - i]) % p
        out.append(total * pow(j, -1, p) % p)
    return out


def _cycles(images: tuple[int, ...]) -> list[list[int]]:
    out: list[list[int]] = []
    seen: set[int] = set()
    for start in range(len(images)):
        cycle: list[int] = []
        x = start
        while x not in seen:
            seen.add(x)
            cycle.append(x)
            x = images[x]
        if cycle:
            out.append(cycle)
    return out


def _trace(a: Matrix) -> Number:
    return sum((x for i, j, x in a.entries() if i == j), ZERO)
