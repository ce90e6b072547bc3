"""Tensors with index symmetry as a representation: the node, how the group acts on it, its place in the tensor product."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce, singledispatch
from itertools import accumulate
from math import factorial, lcm, prod
from operator import mul

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError, MemoryLimitError, RepresentationError
from repcore.exact.field import QQ
from repcore.exact.grammar import shorten
from repcore.exact.matrix import Matrix, from_coo, identity, kron, zeros
from repcore.groups.group import Group
from repcore.reps.action import discrete_image, lie_image
from repcore.reps.formula import Formula, parse_formula
from repcore.reps.lifted import lift
from repcore.reps.tree import Alt, Product, Rep, Sym

__all__ = ["TensorMaps", "Tensors", "tensor_maps", "tensors"]

Ints = npt.NDArray[np.int64]
_Moves = tuple[tuple[int, tuple[int, ...]], ...]

# Entries of the whole tensor product: their orbits are listed.
_ENTRIES = 2**24


@dataclass(frozen=True, eq=False, repr=False)
class Tensors(Rep):
    """Tensors of V_1 (x) ... (x) V_k with an index symmetry; made by :func:`tensors`.

    Attributes:
        factors: V_1, ..., V_k.
        formula: the symmetry, in its canonical form.
    """

    group: Group
    factors: tuple[Rep, ...]
    formula: str

    @property
    def dim(self) -> int:
        """The number of independent components, by counting the tuples that each index permutation fixes."""
        return _formula(self.formula).count(_dims(self))

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("tensors", self.formula, tuple(v._tree for v in self.factors))

    def __str__(self) -> str:
        return f"tensors({self._shown(str)}, {self.formula})"

    def __repr__(self) -> str:
        return f"tensors({self._shown(repr)}, {self.formula!r})"

    def _shown(self, show: Callable[[Rep], str]) -> str:
        if len(set(self.factors)) == 1:
            return show(self.factors[0])
        # Letters of the canonical formula stand in the order of the axes.
        pairs = zip(self.formula, self.factors, strict=False)
        return "{" + ", ".join(f"{letter!r}: {show(v)}" for letter, v in pairs) + "}"


def tensors(reps: Rep | Mapping[str, Rep], formula: str) -> Rep:
    """The tensors that obey an index symmetry, as a representation.

    Args:
        reps: the representation of every index, or a mapping from each index to its representation. Representations of
            factors of a direct product are lifted to it.
        formula: equations between components, ``"ijk=jik"`` for T[i, j, k] = T[j, i, k]; a term may have a sign. The axes are
            those of the first term.

    The index permutations of the formula, with their signs, group the index tuples into orbits. An orbit on which the
    signs clash carries no component; each other one carries one, named by its least tuple t, and the basis is in the order
    of these tuples. As with ``V.sym(k)`` and ``V.alt(k)`` the basis element of t is the class of e_t1 (x) ... (x) e_tk in the
    tensor product modulo the relations e_t = sign e_(t q), on which g acts by g (x) ... (x) g; integer matrices stay integer.
    :func:`tensor_maps` leads to the tensors themselves and back. So the formulas that exchange neighbouring indices in all ways
    give these powers, equal as expressions:

    >>> from repcore import SO
    >>> V = SO(3).rep
    >>> tensors(V, "ij=ji") == V.sym(2), tensors(V, "ij=-ji") == V.alt(2), tensors(V, "ijkl=jikl=ijlk") == V.sym(2) ** 2
    (True, True, True)

    The elasticity tensor has 21 components, and two in an isotropic material:

    >>> from repcore import solve, trivial
    >>> C = tensors(V, "ijkl=jikl=ijlk=klij")
    >>> C.dim, solve(trivial(SO(3)) >> C, store=None).dim
    (21, 2)

    A formula that contradicts itself leaves the zero tensor: exchanging two of three indices cannot have the sign + for one
    pair and - for another.

    >>> tensors(V, "ijk=jik=-ikj").dim
    0

    Raises:
        RepresentationError: a formula that cannot be read, with the position; indices and ``reps`` that do not match; a term
            that puts an index where one of another representation stands; more than 40,320 index permutations.
        IncompatibleError: representations of different groups.
        MemoryLimitError: when it acts, if the tensor product has more than 2**24 entries.

    Cost of an image: the dimension times the number of tensor entries.
    """
    read = parse_formula(formula)
    factors = _common_group(_by_index(reps, read.letters))
    for _, q, position in read.moves:
        for a, b in enumerate(q):
            if factors[a] != factors[b]:
                raise RepresentationError(
                    f"formula: {shorten(formula)!r} at position {position + a} puts index {read.letters[b]!r}, "
                    f"of {shorten(str(factors[b]))}, where {read.letters[a]!r}, of {shorten(str(factors[a]))}, stands; "
                    "only indices of one representation can be exchanged"
                )
    powers = _as_powers(factors, read)
    return powers if powers is not None else Tensors(factors[0].group, factors, read.canonical)


@dataclass(frozen=True)
class TensorMaps:
    """Between the coordinates of a space of tensors and the tensors themselves; made by :func:`tensor_maps`.

    Attributes:
        shape: the axes of a tensor.
        into: exact (entries, dim): coordinates to the tensor, entries in row-major order, with its symmetry.
        onto: exact (dim, entries): any tensor to the coordinates of its symmetric part.

    Both are equivariant; ``onto @ into`` is the identity, and ``into @ onto`` the projector onto the tensors with the symmetry
    (the mean over the signed index permutations).
    """

    shape: tuple[int, ...]
    into: Matrix
    onto: Matrix


@singledispatch
def tensor_maps(rep: Rep) -> TensorMaps:
    """The equivariant maps between ``tensors(...)``, ``V.sym(k)`` or ``V.alt(k)`` and the tensors that they stand for.

    A product takes the maps of its factors; any other representation is its own space of tensors with one axis.

    Raises:
        MemoryLimitError: the tensor product has more than 2**24 entries.

    >>> from repcore import cyclic
    >>> maps = tensor_maps(cyclic(4).rep.sym(2))       # coordinates of e_0 e_0, e_0 e_1, e_1 e_1
    >>> maps.shape, maps.into.tolist()
    ((2, 2), [[1, 0, 0], [0, Fraction(1, 2), 0], [0, Fraction(1, 2), 0], [0, 0, 1]])
    >>> (maps.onto @ maps.into).is_identity
    True
    """
    return TensorMaps((rep.dim,), identity(rep.dim), identity(rep.dim))


@tensor_maps.register
def _(rep: Tensors) -> TensorMaps:
    shape = _dims(rep)
    _, onto, into = _maps(shape, _moves(rep))
    return TensorMaps(shape, into, onto)


@tensor_maps.register(Sym)
@tensor_maps.register(Alt)
def _(rep: Sym | Alt) -> TensorMaps:
    shape = (rep.rep.dim,) * rep.k
    sign = 1 if isinstance(rep, Sym) else -1
    exchanges = [(*range(a), a + 1, a, *range(a + 2, rep.k)) for a in range(rep.k - 1)]
    _, onto, into = _maps(shape, tuple((sign, q) for q in exchanges))
    return TensorMaps(shape, into, onto)


@tensor_maps.register
def _(rep: Product) -> TensorMaps:
    parts = [tensor_maps(v) for v in rep.factors]
    shape = tuple(n for p in parts for n in p.shape)
    return TensorMaps(shape, reduce(kron, (p.into for p in parts)), reduce(kron, (p.onto for p in parts)))


@discrete_image.register
def _(rep: Tensors, g: Matrix) -> Matrix:
    dims = _dims(rep)
    pick, onto, _ = _maps(dims, _moves(rep))
    out = pick
    # One axis after another: the whole matrix of the tensor product is never formed.
    for axis, v in enumerate(rep.factors):
        out = _on_axis(dims, axis, discrete_image(v, g)) @ out
    return (onto @ out).reduced()


@lie_image.register
def _(rep: Tensors, a: Matrix) -> Matrix:
    dims = _dims(rep)
    pick, onto, _ = _maps(dims, _moves(rep))
    parts = (onto @ (_on_axis(dims, axis, lie_image(v, a)) @ pick) for axis, v in enumerate(rep.factors))
    return reduce(Matrix.__add__, parts, zeros((rep.dim, rep.dim))).reduced()


# -- building blocks -----------------------------------------------------------------------------------------------


def _by_index(reps: Rep | Mapping[str, Rep], letters: str) -> list[Rep]:
    if isinstance(reps, Rep):
        return [reps] * len(letters)
    if not isinstance(reps, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # users pass what they have
        raise IncompatibleError(
            f"reps: expected a representation, or a mapping from each index to one such as {{'i': V, 'j': W}}, got {reps!r:.60}"
        )
    for letter, v in reps.items():
        if letter not in letters or len(letter) != 1:
            raise RepresentationError(f"reps: the index {letter!r} is not in the formula, whose indices are {letters!r}")
        if not isinstance(v, Rep):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise IncompatibleError(f"reps[{letter!r}]: expected a representation, got {type(v).__name__}")
    for letter in letters:
        if letter not in reps:
            raise RepresentationError(f"reps: the index {letter!r} of the formula has no representation; add {letter!r}: V")
    return [reps[letter] for letter in letters]


def _common_group(reps: list[Rep]) -> tuple[Rep, ...]:
    group = max((v.group for v in reps), key=lambda g: len(g.factors))
    return tuple(lift(v, group) for v in reps)


def _as_powers(factors: tuple[Rep, ...], formula: Formula) -> Rep | None:
    """The product of symmetric and exterior powers that a formula is; None if it is something else.

    It is one when each orbit of index positions is a stretch, and all permutations within the stretches are there: the least
    tuple of an orbit is then made of the least tuples of the stretches, so that the order of the basis is the same.
    """
    signs = formula.signs
    if signs is None:
        return None
    k = len(factors)
    reach = [max(q[a] for q in signs) for a in range(k)]
    stops = list(accumulate(reach, max))
    starts = [a for a in range(k) if a == 0 or stops[a - 1] < a]
    stretches = [range(a, b) for a, b in zip(starts, [*starts[1:], k], strict=True)]
    if len(signs) != prod(factorial(len(s)) for s in stretches):
        return None
    powers: list[Rep] = []
    for s in stretches:
        v, n = factors[s.start], len(s)
        exchange = (*range(s.start), s.start + 1, s.start, *range(s.start + 2, k))
        powers.append(v if n == 1 else v.sym(n) if signs[exchange] > 0 else v.alt(n))
    return reduce(mul, powers)


def _dims(rep: Tensors) -> tuple[int, ...]:
    return tuple(v.dim for v in rep.factors)


def _moves(rep: Tensors) -> _Moves:
    return tuple((sign, q) for sign, q, _ in _formula(rep.formula).moves)


@lru_cache(maxsize=256)
def _formula(text: str) -> Formula:
    return parse_formula(text)


def _on_axis(dims: tuple[int, ...], axis: int, m: Matrix) -> Matrix:
    """1 (x) ... (x) m (x) ... (x) 1."""
    return kron(identity(prod(dims[:axis])), kron(m, identity(prod(dims[axis + 1 :]))))


@lru_cache(maxsize=64)
def _maps(shape: tuple[int, ...], moves: _Moves) -> tuple[Matrix, Matrix, Matrix]:
    """``pick`` (entries, dim) takes the least tuple of each orbit, ``onto`` sorts a tuple with its sign, ``into`` spreads evenly.

    A graph on two nodes for each tuple, e_t and -e_t, has an edge for each relation; an orbit whose two nodes are joined
    carries nothing.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    size = prod(shape)
    if size > _ENTRIES:
        raise MemoryLimitError(
            f"tensors: the tensor product of shape {shape} has {size} entries, and this symmetry is found by listing them, "
            f"up to {_ENTRIES}; use fewer indices"
        )
    flat = np.arange(size, dtype=np.int64)
    labels = np.arange(2 * size, dtype=np.int64)
    if size and moves:
        cube = flat.reshape(shape)
        pairs = [(2 * np.transpose(cube, np.argsort(q)).ravel(), int(sign < 0)) for sign, q in moves]
        ends = np.concatenate([np.stack([to + flip, to + 1 - flip], axis=1).ravel() for to, flip in pairs])
        tails = np.tile(labels, len(pairs))
        graph = csr_array((np.ones(len(tails), np.int8), (tails, ends)), shape=(2 * size, 2 * size))
        labels = connected_components(graph, directed=False)[1].astype(np.int64)
    plus, minus = labels[0::2], labels[1::2]
    live = flat[plus != minus]
    # An orbit has two components, that of e_t and that of -e_t.
    _, first, place = np.unique(np.minimum(plus, minus)[live], return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(first), np.int64)
    rank[order] = np.arange(len(first))
    least, of = live[first[order]], rank[place]
    signs = np.where(plus[live] == plus[least[of]], 1, -1)
    count = len(least)
    pick = from_coo((size, count), QQ, least, np.arange(count), np.ones((count, 1), np.int64), 1)
    onto = from_coo((count, size), QQ, of, live, signs.reshape(-1, 1), 1)
    lengths = np.bincount(of, minlength=count)
    den = lcm(*set(lengths.tolist())) if count else 1
    into = from_coo((size, count), QQ, live, of, (signs * (den // lengths[of])).reshape(-1, 1), den)
    return pick, onto, into
