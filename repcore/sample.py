"""`sample`: random elements of a group, as words in its generators, near the Haar measure where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod, sqrt

import numpy as np

from repcore.defect import is_orthogonal
from repcore.errors import GroupTooLargeError, IncompatibleError, RepcoreError
from repcore.groups.finite import Elements, elements
from repcore.groups.group import Group
from repcore.store.decomposed import gram
from repcore.word import Letter, Word

__all__ = ["Samples", "sample"]

# Factors of a word of a compact Lie group, and the spread of the angle of each; see the docstring of `sample`.
_FACTORS, _SPREAD = 8, sqrt(3)
# A walk in a discrete group whose elements are not listed: letters, and the largest power of each.
_WALK, _POWER = 32, 16
# The same where products grow without bound.
_SHORT = 3

_Draw = Callable[[], list[Letter]]


@dataclass(frozen=True)
class Samples:
    """Elements of a group, as words; iterate over it.

    Attributes:
        group: the group.
        words: the elements.
        how: how they were drawn, in words.
        is_exhaustive: every element of the group, once: a mean over them is exact.
    """

    group: Group
    words: tuple[Word, ...]
    how: str
    is_exhaustive: bool = False

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[Word]:
        return iter(self.words)

    def __getitem__(self, i: int) -> Word:
        return self.words[i]

    @property
    def identities(self) -> int:
        """How many are the identity."""
        return sum(g.is_identity for g in self.words)

    @property
    def products(self) -> int:
        """How many are neither the identity nor a single generator."""
        return sum(g.is_product for g in self.words)

    def __str__(self) -> str:
        singles = len(self) - self.identities - self.products
        counts = f"identity {self.identities}, single generators {singles}, products {self.products}"
        return f"{len(self)} elements of {self.group}, {self.how}: {counts}"


def sample(group: Group, count: int = 64, *, seed: int = 0, reach: float = 1.0) -> Samples:
    """Random elements of a group.

    ============================  ==================================================================================
    group                         elements
    ============================  ==================================================================================
    finite, order <= ``count``    every element once, so that means over them are exact
    finite                        uniform, with replacement: words of the shortest length (up to 200,000 elements)
    compact, with a Lie part      nearly Haar: eight factors exp(sum c_i A_i), each c_i normal with standard deviation
                                  sqrt(3) over the spectral radius of A_i; before them a uniform element of the group
                                  that the discrete generators generate
    not compact                   the same for those Lie generators that are antisymmetric; then one factor
                                  exp(sum c_i A_i) of the others, of Frobenius norm at most ``reach``: a bounded piece,
                                  in which no mean is one over the group
    discrete, larger or infinite  words of 32 random letters with powers up to 16, which is not uniform; of 3 letters and
                                  powers 1 and -1 where the group is not compact
    ============================  ==================================================================================

    A direct product is sampled factor by factor. Of eight factors: the distribution of one is invariant under conjugation for
    SO(3) with the usual generators, so that its Fourier coefficient on the irrep of degree l is a number, the mean of chi_l over
    2 l + 1. That is at most 0.04 in modulus for every l >= 1, and coefficients of independent factors multiply. For U(1) it is
    exp(-3 m^2 / 2) for a factor. Bases that generate the Lie algebra without spanning it mix less.

    Args:
        group: the group.
        count: how many.
        seed: of the generator of random numbers; the same elements on every machine with one release of NumPy.
        reach: see above, for groups that are not compact.

    Returns:
        A frozen :class:`Samples`, whose elements are :class:`Word`.

    Raises:
        IncompatibleError: no group, a count that is no positive integer, a reach that is not positive.

    Cost: finite groups are listed once; whether others are compact is decided exactly.

    >>> import repcore as rc
    >>> print(sample(rc.dihedral(4)))
    8 elements of D4, all 8 elements: identity 1, single generators 2, products 5
    >>> print(sample(rc.SO(3), 2).how)
    nearly Haar
    """
    if not isinstance(group, Group):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"group: expected a group, got {type(group).__name__}")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise IncompatibleError(f"count: expected an integer >= 1, got {count!r}")
    if not reach > 0:
        raise IncompatibleError(f"reach: expected a positive number, got {reach!r}")
    table = _listed(group) if not _lie(group) else None
    if table is not None and table.order <= count:
        words = tuple(Word(group, _spelled(table.word(e))) for e in range(table.order))
        return Samples(group, words, f"all {table.order} elements", is_exhaustive=True)
    rng = np.random.default_rng(seed)
    draws: list[_Draw] = []
    kinds: list[str] = []
    orders: list[int] = []
    for factor, numbers in _factors(group):
        draw, how, order = _sampler(factor, rng, reach)
        draws.append(lambda draw=draw, numbers=numbers: [tuple((numbers[i], a) for i, a in x) for x in draw()])
        if order:
            orders.append(order)
        else:
            kinds.append(how)
    found = tuple(Word(group, [letter for draw in draws for letter in draw()]) for _ in range(count))
    uniform = [f"uniform over the {prod(orders)} elements{' of the finite factors' if kinds else ''}"] if orders else []
    return Samples(group, found, "; ".join(dict.fromkeys([*kinds, *uniform])))


def _factors(group: Group) -> Iterator[tuple[Group, list[int]]]:
    """The factors of a product, and what number each of their generators has in the product: discrete ones first."""
    parts = group.factors or (group,)
    finite, lie = 0, len(group.discrete)
    for f in parts:
        n, m = len(f.discrete), len(f.lie)
        yield f, [*range(finite, finite + n), *range(lie, lie + m)]
        finite, lie = finite + n, lie + m


def _sampler(group: Group, rng: np.random.Generator, reach: float) -> tuple[_Draw, str, int]:
    """How to draw an element, that in words, and of how many it is one where it is uniform; else 0."""
    lie = _lie(group)
    table = _listed(Group(discrete=group.discrete, dim=group.dim) if lie else group) if group.discrete else None
    if not lie and (table is not None or not group.discrete):
        return (lambda: _uniform(table, rng)), "uniform", table.order if table else 1
    compact = _is_compact(group)
    turns = lie if compact else [i for i in lie if _is_antisymmetric(group, i)]
    rest = [i for i in lie if i not in turns]
    spreads = [_SPREAD / _radius(group, i) for i in turns]

    def draw() -> list[Letter]:
        letters = _walk(group, rng, compact) if table is None and group.discrete else _uniform(table, rng)
        for _ in range(_FACTORS if turns else 0):
            amounts = rng.standard_normal(len(turns)) * spreads
            letters.append(tuple(zip(turns, amounts.tolist(), strict=True)))
        if rest:
            letters.append(_bounded(group, rest, rng, reach))
        return letters

    if table is None and group.discrete:
        return draw, f"words of {_WALK if compact else _SHORT} letters, not uniform", 0
    return draw, "nearly Haar" if compact else f"a bounded piece, of norm {reach:g}", 0


def _uniform(table: Elements | None, rng: np.random.Generator) -> list[Letter]:
    return [] if table is None else _spelled(table.word(int(rng.integers(table.order))))


def _walk(group: Group, rng: np.random.Generator, compact: bool) -> list[Letter]:
    count = len(group.discrete)
    if compact:
        return [((int(rng.integers(count)), int(rng.integers(1, _POWER + 1))),) for _ in range(_WALK)]
    return [((int(rng.integers(count)), int(rng.choice([-1, 1]))),) for _ in range(int(rng.integers(1, _SHORT + 1)))]


def _bounded(group: Group, lie: list[int], rng: np.random.Generator, reach: float) -> Letter:
    """A direction, and a length up to the reach, as in a ball of as many dimensions."""
    amounts = rng.standard_normal(len(lie))
    total = sum(a * group.generators[i].to_numpy() for a, i in zip(amounts, lie, strict=True))
    length = reach * rng.random() ** (1 / len(lie)) / float(np.linalg.norm(total))
    return tuple(zip(lie, (amounts * length).tolist(), strict=True))


def _spelled(word: tuple[int, ...]) -> list[Letter]:
    """Letters from generators, with powers in the place of repetitions."""
    out: list[Letter] = []
    for i in word:
        if out and out[-1][0][0] == i:
            out[-1] = ((i, out[-1][0][1] + 1),)
        else:
            out.append(((i, 1),))
    return out


def _listed(group: Group) -> Elements | None:
    try:
        return elements(group)
    except GroupTooLargeError:
        return None


def _lie(group: Group) -> list[int]:
    """The numbers of the Lie generators that are not zero."""
    first = len(group.discrete)
    return [first + k for k, a in enumerate(group.lie) if not a.is_zero]


def _is_compact(group: Group) -> bool:
    if is_orthogonal(group.rep):
        return True
    try:
        gram(group.rep)
    except RepcoreError:
        return False
    return True


def _is_antisymmetric(group: Group, i: int) -> bool:
    a = group.generators[i]
    return a.T.conjugate() == -a


def _radius(group: Group, i: int) -> float:
    return float(np.abs(np.linalg.eigvals(group.generators[i].to_numpy())).max())
