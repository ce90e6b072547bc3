"""The choice of route, in one place: Hom(V, W) for one pair of summands, by a chain of exact reductions.

==========  ====================================================  ==============================================
reduction   taken when                                            cost seen (one core)
==========  ====================================================  ==============================================
split       always, before this module (``reps.atoms``)           free
bend        a cut of the tensor factors into outputs and inputs   free; S_5 standard 1 -> V^7 as V^3 -> V^4
            that halves the larger side
integrate   a Lie generator A with A^3 = -A and exp(pi/2 A)       SO(3), V^4 -> V^4: 6,561 unknowns to 274
            monomial, representations built from the defining one
orbits      a generator monomial on both sides, weights roots of  S_20, V^2 -> V^2 (160,000): 0.1 s
            unity
presolve    whatever constraints remain                           Lorentz, V^3 -> V^3 (4,096): 0.1 s
nullspace   unknowns that presolve leaves                         274 unknowns 0.03 s, 2,461 unknowns 4 s
spin        where it is predicted to be cheaper than nullspace:   S_5 standard V^3 -> V^4 (16,384): 0.8 s
            many unknowns, V and W of moderate dimension
==========  ====================================================  ==============================================

All of it but ``orbits`` works modulo a prime; ``lift`` returns to exact numbers and ``check`` proves them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from math import lcm

import numpy as np
import numpy.typing as npt

from repcore.errors import SolveError
from repcore.exact.field import Field, compositum
from repcore.exact.matrix import Matrix, from_coo, zeros
from repcore.exact.number import Number
from repcore.reps.action import discrete_image, image
from repcore.reps.tree import Rep
from repcore.solve.bend import bend
from repcore.solve.budget import Budget
from repcore.solve.certificate import Step
from repcore.solve.check import is_echelon, orbits_are_invariant, solves_exactly
from repcore.solve.integrate import is_functorial, quarter_turns
from repcore.solve.lift import lift
from repcore.solve.modular import Floats, prime_bound
from repcore.solve.nullspace import Kernel, kernel
from repcore.solve.orbits import Monomial, Orbits, monomial_action, orbits, roots_of_unity
from repcore.solve.presolve import System, presolve
from repcore.solve.spin import SPUN_UNKNOWNS, spin_kernel

__all__ = ["Reduced", "Solution", "reduce_block", "solve_block"]

Ints = npt.NDArray[np.int64]

# One 30-bit prime has sufficed in every case seen; this many do for entries of some 500 digits.
_PRIMES = 120

# Seconds predicted for the two ways to finish, fitted to the cases in tests/benchmarks; only their ratio matters. Spinning
# holds matrices of the size of V and W, so it is taken up to this dimension.
_SPUN = 1000


def _dense_cost(left: int) -> float:
    return 3e-10 * left**3


def _spin_cost(shape: tuple[int, int]) -> float:
    return 1e-4 * shape[0] * shape[1]


@dataclass(frozen=True, eq=False)
class Reduced:
    """A block after the exact reductions: what is left is an orbit basis and constraints between orbits.

    Attributes:
        field: the smallest field that holds the images.
        images: (rho_W, rho_V) for every declared generator, for the final check.
        pairs: monomial actions that made the orbits.
        rest: indices of the declared generators whose constraints still have to be imposed on the orbits.
    """

    shape: tuple[int, int]
    field: Field
    images: tuple[tuple[Matrix, Matrix], ...]
    pairs: tuple[tuple[Monomial, Monomial], ...]
    orbits: Orbits
    rest: tuple[int, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class Solution:
    """The canonical basis of one block: ``basis`` is (dim, dim W * dim V) in reduced row echelon form."""

    basis: Matrix
    completeness: str
    primes: tuple[int, ...]
    steps: tuple[Step, ...]


def reduce_block(v: Rep, w: Rep) -> Reduced:
    """The reductions that need no elimination: integrate and orbits."""
    group = v.group
    steps: list[Step] = []
    bent_v, bent_w = bend(v, w)
    if bent_v is not v:
        steps.append(Step("bend", v.dim * w.dim, v.dim * w.dim, f"as {bent_v} >> {bent_w}"))
        v, w = bent_v, bent_w
    shape = (w.dim, v.dim)
    unknowns = shape[0] * shape[1]
    images = tuple((image(w, i), image(v, i)) for i in range(len(group.generators)))
    field = compositum(*{m.field for pair in images for m in pair}) if images else zeros((1, 1)).field
    pairs: list[tuple[Monomial, Monomial]] = []
    rest: list[int] = []
    elements: list[Matrix] = []
    for i, g in enumerate(group.discrete):
        pair = _monomial_pair(*images[i])
        if pair is None:
            rest.append(i)
        else:
            pairs.append(pair)
            elements.append(g)
    acting: dict[Matrix, tuple[Monomial, Monomial]] = {}

    def usable(g: Matrix) -> bool:
        pair = _monomial_pair(discrete_image(w, g), discrete_image(v, g))
        if pair is not None:
            acting[g] = pair
        return pair is not None

    functorial = is_functorial(v) and is_functorial(w)
    turns, chosen = quarter_turns(group.lie, elements, usable if functorial else lambda g: False)
    pairs += [acting[g] for g in turns]
    first = len(group.discrete)
    zero = [all(m.is_zero for m in pair) for pair in images]
    rest += [first + i for i in chosen if not zero[first + i]]
    if turns:
        left = f"{len(group.lie)} Lie generators, {len(chosen)} up to conjugation"
        steps.append(Step("integrate", unknowns, unknowns, f"{len(turns)} exact elements of the group; {left}"))
    found = orbits(shape, pairs)
    if pairs:
        steps.append(Step("orbits", unknowns, found.count, f"{len(pairs)} monomial generators, weights of order {found.m}"))
    return Reduced(shape, field, images, tuple(pairs), found, tuple(rest), tuple(steps))


def solve_block(v: Rep, w: Rep, budget: Budget | None = None) -> Solution:
    """The canonical exact basis of Hom(V, W) for two summands, proved.

    Raises:
        MemoryLimitError: a step would need more memory than the budget allows; nothing has been allocated for it.
        SolveError: no candidate passed the exact check; nothing that is not proved is returned.
    """
    budget = budget or Budget()
    # Several arrays with one entry for each unknown are held at a time.
    budget.admit(
        48 * v.dim * w.dim, f"{v} >> {w} with {v.dim * w.dim} unknowns", "split the representations into smaller summands first"
    )
    reduced = reduce_block(v, w)
    if not reduced.orbits.count:
        return Solution(zeros((0, v.dim * w.dim)), "orbits" if reduced.pairs else "nullity", (), reduced.steps)
    if not reduced.rest:
        if not orbits_are_invariant(reduced.shape, reduced.orbits, reduced.pairs):
            raise SolveError(f"{v} >> {w}: the orbits are not invariant; this is a bug in repcore, please report it")
        basis = _spread(reduced, None)
        # Nothing is left to check where all generators are monomial; a Lie generator is only covered if it acts by zero.
        if solves_exactly(basis, reduced.images[len(v.group.discrete) :], reduced.field):
            return Solution(basis, "orbits", (), reduced.steps)
    # A shortcut that turned out wrong is repaired by imposing every declared generator.
    everything = tuple(range(len(reduced.images)))
    for rest in dict.fromkeys((reduced.rest or everything, everything)):
        budget.admit(100 * _entries(reduced, rest), f"the constraints of {v} >> {w}", "give fewer generators")
        solution = _eliminate(reduced, rest, budget)
        if solution is not None:
            return solution
    raise SolveError(
        f"{v} >> {w}: no exact basis with entries below {_PRIMES} primes could be certified; "
        "check that the generators are meant as written, or report the group"
    )


def _eliminate(reduced: Reduced, rest: tuple[int, ...], budget: Budget) -> Solution | None:
    """Presolve, and then either the nullspace of what is left or, if that is much, spinning the whole block."""
    field = reduced.field
    p = next(_usable(field, reduced, 2**31))
    left = len(np.unique(presolve(_constraints(reduced, rest, p, field.roots(p)[0])).system.cols))
    steps = (*reduced.steps, Step("presolve", reduced.orbits.count, left, f"modulo {p}, {field.degree} embeddings"))
    if max(reduced.shape) <= _SPUN and _spin_cost(reduced.shape) < _dense_cost(left):
        below = prime_bound(max(*reduced.shape, SPUN_UNKNOWNS))
        whole = replace(reduced, orbits=orbits(reduced.shape, ()))
        solution = _lifted(whole, partial(_spun, whole, budget.memory_limit), below, "spin", steps, budget, 1)
        if solution is not None:
            return solution
    # The dense block, FLINT's copy of it, and the list between them.
    budget.admit(60 * left * left, f"a dense block of {left} unknowns", "change to a basis in which the generators are sparse")
    # With every generator imposed there is no shortcut to blame, so only the primes can be bad.
    patience = _PRIMES if len(rest) == len(reduced.images) else 2
    return _lifted(reduced, partial(_eliminated, reduced, rest), 2**31, "nullspace", steps, budget, patience)


def _eliminated(reduced: Reduced, rest: tuple[int, ...], at: tuple[int, int]) -> Kernel | None:
    """The kernel at (prime, root of the field's modulus)."""
    return kernel(presolve(_constraints(reduced, rest, *at)))


def _spun(reduced: Reduced, memory_limit: int, at: tuple[int, int]) -> Kernel | None:
    """The same by spinning; None where it would need too many unknowns or too much memory."""
    on_w, on_v = ([_dense(pair[i].over(reduced.field), *at) for pair in reduced.images] for i in (0, 1))
    return spin_kernel(on_v, on_w, at[0], memory_limit)


def _lifted(
    reduced: Reduced,
    kernel_at: Callable[[tuple[int, int]], Kernel | None],
    below: int,
    name: str,
    steps: tuple[Step, ...],
    budget: Budget,
    patience: int,
) -> Solution | None:
    """Kernels modulo as many primes as it takes until the lifted basis passes the exact check.

    A candidate that one more prime does not change and that still fails is the basis of something too large: the primes were
    bad, or a shortcut or a random choice dropped a constraint. A prime with a smaller nullity settles the first; ``patience``
    such failures in a row are taken for the second, and None is returned.
    """
    field = reduced.field
    kernels: list[list[Kernel]] = []
    best: tuple[int, tuple[int, ...]] | None = None
    stable = 0
    last: Matrix | None = None
    for p in islice(_usable(field, reduced, below), _PRIMES):
        found = [k for k in budget.map(kernel_at, [(p, root) for root in field.roots(p)]) if k is not None]
        if len(found) < field.degree:
            return None
        # A bad prime shows in a larger nullity, or in leading entries that vanish and so move pivots to the right. Of two primes
        # that differ, the one with the smaller nullity and the earlier pivots is right.
        ranks = {(k.dim, tuple(k.pivots.tolist())) for k in found}
        rank = min(ranks)
        if best is not None and rank > best:
            continue
        if best is None or rank < best:
            best, kernels, stable, last = rank, [], 0, None
        if len(ranks) > 1:
            continue
        kernels.append(found)
        candidate = lift(field, kernels)
        if candidate is None:
            continue
        basis = _spread(reduced, candidate)
        if is_echelon(basis) and solves_exactly(basis, reduced.images, field):
            step = Step(name, steps[-1].after, candidate.shape[0], f"largest block {found[0].largest}")
            return Solution(basis, "nullity", tuple(k[0].p for k in kernels), (*steps, step))
        stable = stable + 1 if candidate == last else 0
        if stable >= patience:
            return None
        last = candidate
    return None


def _entries(reduced: Reduced, rest: tuple[int, ...]) -> int:
    m, n = reduced.shape
    return sum(reduced.images[i][0].nnz * n + reduced.images[i][1].nnz * m for i in rest)


def _usable(field: Field, reduced: Reduced, below: int) -> Iterator[int]:
    dens = {m.den for pair in reduced.images for m in pair}
    return (p for p in field.primes(below=below) if all(d % p for d in dens))


def _dense(a: Matrix, p: int, root: int) -> Floats:
    out = np.zeros(a.shape)
    out[a.rows, a.cols] = a.residues(p, root)
    return out


def _constraints(reduced: Reduced, rest: Sequence[int], p: int, root: int) -> System:
    """rho_W M - M rho_V = 0 (for discrete and Lie generators alike) modulo p, with orbits as unknowns.

    Row (y, x) of a generator reads sum_z W[y, z] M[z, x] - sum_z M[y, z] V[z, x] = 0.
    """
    m, n = reduced.shape
    found = reduced.orbits
    phases = np.array([_residue(z, reduced.field, p, root) for z in roots_of_unity(found.m)], np.int64)
    phase = phases[found.exponents]
    rows: list[Ints] = []
    cols: list[Ints] = []
    values: list[Ints] = []
    xs, ys = np.arange(n), np.arange(m)
    for k, i in enumerate(rest):
        on_w, on_v = (a.over(reduced.field) for a in reduced.images[i])
        top = k * m * n
        rows.append((top + on_w.rows[:, None] * n + xs).ravel())
        cols.append((on_w.cols[:, None] * n + xs).ravel())
        values.append(np.repeat(on_w.residues(p, root), n))
        rows.append((top + ys * n + on_v.cols[:, None]).ravel())
        cols.append((ys * n + on_v.rows[:, None]).ravel())
        values.append(np.repeat(-on_v.residues(p, root) % p, m))
    row, entry, value = np.concatenate(rows), np.concatenate(cols), np.concatenate(values)
    live = found.of[entry] >= 0
    row, entry, value = row[live], entry[live], value[live]
    return System(p, found.count, row, found.of[entry], value * phase[entry] % p)


def _residue(z: Number, field: Field, p: int, root: int) -> int:
    out = 0
    for i, c in enumerate(field.coordinates(z)):
        out += c.numerator * pow(c.denominator, -1, p) * pow(root, i, p)
    return out % p


def _spread(reduced: Reduced, on_orbits: Matrix | None) -> Matrix:
    """A basis on orbits as a basis on entries: M[u] = zeta^exponent[u] y[orbit of u].

    Orbits are numbered by their first entries, where the weight is 1, so the echelon form on orbits is the echelon form.
    """
    found, field = reduced.orbits, reduced.field
    live = np.flatnonzero(found.of >= 0)
    powers = [field.coordinates(z) for z in roots_of_unity(found.m)]
    den = lcm(*(c.denominator for row in powers for c in row))
    table = np.array([[int(c * den) for c in row] for row in powers], np.int64)
    size = reduced.shape[0] * reduced.shape[1]
    nums = table[found.exponents[live]]
    orbit_basis = from_coo((found.count, size), field, found.of[live], live, nums, den)
    return orbit_basis if on_orbits is None else on_orbits @ orbit_basis


def _monomial_pair(on_w: Matrix, on_v: Matrix) -> tuple[Monomial, Monomial] | None:
    a, b = monomial_action(on_w), monomial_action(on_v)
    return None if a is None or b is None else (a, b)
