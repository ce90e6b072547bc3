"""The choice of route, in one place: Hom(V, W) for one pair of summands, by a chain of exact reductions.

==========  ====================================================  ==============================================
reduction   taken when                                            cost seen (one core)
==========  ====================================================  ==============================================
split       always, before this module (``reps.atoms``)           free
bend        a cut of the tensor factors into outputs and inputs   free; S_5 standard 1 -> V^7 as V^3 -> V^4
            that halves the larger side
weights     a diagonal generator; or generators that commute and  Sp(4), V^4 -> V^4: 65,536 unknowns to 4,900;
            are diagonalisable over the field, where finishing    Sp(4) in a skew basis, V^3 -> V^3: 4,096 to
            without them is predicted to cost more                400 and to 55 by orbits, 0.07 s (spin: 0.37 s)
integrate   a Lie generator A with A^3 = -A and exp(pi/2 A)       SO(3), V^4 -> V^4: 6,561 unknowns to 274;
            monomial, or a pair of root vectors with a monomial   Sp(4), V^4 -> V^4: 4,900 to 630, 0.4 s
            Weyl element; from 20,000 unknowns on also A^3 = A    (2.8 s without both);
            with exp(i pi/2 A) monomial; representations built    Lorentz, V^4 -> V^4: 65,536 to 715, 0.5 s
            from the defining one                                 (1.2 s without the last)
orbits      a generator monomial on both sides, weights roots of  S_20, V^2 -> V^2 (160,000): 0.1 s
            unity
presolve    whatever constraints remain                           Lorentz, V^3 -> V^3 (187 orbits): 0.01 s
nullspace   unknowns that presolve leaves                         274 unknowns 0.03 s, 2,461 unknowns 4 s
spin        where it is predicted to be cheaper than nullspace:   S_5 standard V^3 -> V^4 (16,384): 0.8 s
            many unknowns, V and W of moderate dimension
==========  ====================================================  ==============================================

All of it but ``weights`` and ``orbits`` works modulo a prime; ``lift`` returns to exact numbers and ``check`` proves them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from math import lcm

import numpy as np
import numpy.typing as npt

from repcore.errors import SolveError
from repcore.exact.field import Field, compositum
from repcore.exact.matrix import Matrix, zeros
from repcore.exact.residues import dense_residues
from repcore.reps.action import discrete_image, image
from repcore.reps.tree import Rep
from repcore.solve.bend import bend
from repcore.solve.budget import Budget
from repcore.solve.certificate import Step
from repcore.solve.check import is_echelon, orbits_are_invariant, solves_exactly
from repcore.solve.integrate import imaginary_turn, is_complex_linear, is_functorial, quarter_turns
from repcore.solve.lift import lift
from repcore.solve.memory import answer_bytes, constraint_bytes, map_bytes, orbit_bytes
from repcore.solve.modular import echelon, prime_bound, times_mod
from repcore.solve.nullspace import Kernel, dense_seconds, kernel
from repcore.solve.orbits import Monomial, monomial_action, orbits
from repcore.solve.presolve import Presolved, presolve
from repcore.solve.reduced import Reduced, constraints, entries, phases, spread
from repcore.solve.spin import SPUN_UNKNOWNS, spin_kernel
from repcore.solve.weights import equal_weights, is_diagonal, weight_frame

__all__ = ["Solution", "reduce_block", "solve_block"]

Ints = npt.NDArray[np.int64]

# One 30-bit prime has sufficed in every case seen; this many do for entries of some 500 digits.
_PRIMES = 120

_SPLIT = "split the representations into smaller summands first"

# Seconds predicted for the two ways to finish, fitted to the cases in tests/benchmarks; only their ratio matters. Spinning
# holds matrices of the size of V and W, so it is taken up to this dimension.
_SPUN = 1000

# A basis of weight vectors is looked for where finishing without it is predicted to take more seconds than this.
_FRAMED = 0.05

# From so many unknowns on, exact elements of the complex group pay for their arithmetic with the imaginary unit.
_COMPLEXIFIED = 20_000


def _spin_cost(shape: tuple[int, int]) -> float:
    return 1e-4 * shape[0] * shape[1]


@dataclass(frozen=True, eq=False)
class Solution:
    """The canonical basis of one block: ``basis`` is (dim, dim W * dim V) in reduced row echelon form."""

    basis: Matrix
    completeness: str
    primes: tuple[int, ...]
    steps: tuple[Step, ...]


def reduce_block(v: Rep, w: Rep, budget: Budget | None = None) -> Reduced:
    """The reductions that need no elimination: weights, integrate and orbits, in the basis where they promise most."""
    group = v.group
    steps: list[Step] = []
    bent_v, bent_w = bend(v, w)
    if bent_v is not v:
        steps.append(Step("bend", v.dim * w.dim, v.dim * w.dim, f"as {bent_v} >> {bent_w}"))
        v, w = bent_v, bent_w
    images = tuple((image(w, i), image(v, i)) for i in range(len(group.generators)))
    field = compositum(*{m.field for pair in images for m in pair}) if images else zeros((1, 1)).field
    functorial = is_functorial(v) and is_functorial(w)
    budget = budget or Budget()
    plain = _reduced(v, w, field, images, len(group.discrete), group.generators, functorial, budget)
    plain = replace(plain, steps=(*steps, *plain.steps))
    if _cost(plain) < _FRAMED:
        return plain
    frame = weight_frame(v, w, images, field)
    if frame is None:
        return plain
    framed = _reduced(v, w, field, frame.images, frame.discrete, frame.elements, functorial, budget)
    # Its first step is always the one of the weights.
    first = replace(framed.steps[0], remark=f"{framed.steps[0].remark}, in a basis of weight vectors")
    framed = replace(framed, images=images, steps=(*steps, first, *framed.steps[1:]), frame=frame)
    return framed if _cost(framed) < _cost(plain) else plain


def _reduced(
    v: Rep,
    w: Rep,
    field: Field,
    images: tuple[tuple[Matrix, Matrix], ...],
    first: int,
    generators: tuple[Matrix, ...],
    functorial: bool,
    budget: Budget,
) -> Reduced:
    """Weights, integrate and orbits for generators with given images, the Lie ones from number ``first`` on.

    ``generators`` are the same elements in the defining representation, or nothing where that is not to be looked at.
    """
    shape = (w.dim, v.dim)
    unknowns = shape[0] * shape[1]
    steps: list[Step] = []
    pairs: list[tuple[Monomial, Monomial]] = []
    rest: list[int] = []
    monomial: list[int] = []
    diagonal: list[int] = []
    for i, pair in enumerate(images[:first]):
        action = _monomial_pair(*pair)
        if action is not None:
            pairs.append(action)
            monomial.append(i)
        elif all(map(is_diagonal, pair)):
            diagonal.append(i)
        else:
            rest.append(i)
    moving = [i for i in range(first, len(images)) if not all(m.is_zero for m in images[i])]
    diagonal += [i for i in moving if all(map(is_diagonal, images[i]))]
    alive = None
    if diagonal:
        alive = equal_weights([images[i] for i in diagonal])
        steps.append(
            Step(
                "weights",
                unknowns,
                int(np.count_nonzero(alive)),
                f"{len(diagonal)} diagonal generator{'s' * (len(diagonal) != 1)}",
            )
        )
    before = steps[-1].after if steps else unknowns
    chosen = moving
    if generators:
        acting: dict[Matrix, tuple[Monomial, Monomial]] = {}

        def usable(g: Matrix) -> bool:
            pair = _monomial_pair(discrete_image(w, g), discrete_image(v, g)) if functorial else None
            if pair is not None:
                acting[g] = pair
            return pair is not None

        lie = generators[first:]
        turns, classes = quarter_turns(lie, [generators[i] for i in monomial], usable)
        if unknowns >= _COMPLEXIFIED and is_complex_linear(v) and is_complex_linear(w):
            boosts = (imaginary_turn(lie[i]) for i in classes if first + i not in diagonal)
            turns = [*turns, *(g for g in boosts if g is not None and usable(g))]
        pairs += [acting[g] for g in turns]
        chosen = sorted({first + i for i in classes} & set(moving))
        if turns:
            left = f"{len(lie)} Lie generators, {len(classes)} up to conjugation"
            steps.append(Step("integrate", before, before, f"{len(turns)} exact elements of the group; {left}"))
    rest += [i for i in chosen if i not in diagonal]
    live = unknowns if alive is None else int(np.count_nonzero(alive))
    m = lcm(1, *(a.m for pair in pairs for a in pair))
    budget.admit(orbit_bytes(unknowns, live, m), f"the orbits of {live} unknowns, with weights of order {m},", _SPLIT)
    found = orbits(shape, pairs, alive)
    if pairs:
        steps.append(Step("orbits", before, found.count, f"{len(pairs)} monomial generators, weights of order {found.m}"))
    return Reduced(shape, field, images, images, tuple(pairs), found, tuple(rest), tuple(diagonal), tuple(steps))


def _cost(reduced: Reduced) -> float:
    """Seconds predicted for what follows, without the echelon form at the end, which every route has to make."""
    m, n = reduced.shape
    count, rest = reduced.orbits.count, reduced.rest
    if not count or not rest:
        solved = 0.0
    else:
        share = np.count_nonzero(reduced.orbits.of >= 0) / (m * n)
        # Presolve finds something where there are equations in one or two unknowns.
        shortest = min(
            int(np.bincount(a.rows, minlength=m).min() + np.bincount(b.cols, minlength=n).min())
            for a, b in (reduced.acting[i] for i in rest)
        )
        left = count if shortest * share > 3 else count // 2
        solved = dense_seconds(left)
        if reduced.frame is None and max(m, n) <= _SPUN:
            # Spinning grows with the number of generators; this is the least that was seen, which a frame has to beat.
            solved = min(solved, 0.02 + 6e-6 * (len(reduced.acting) + 2) * m * n)
        solved += 2e-7 * share * entries(reduced, rest)
    # The way back is two dense products for each element; a third of the orbits carry one, as a rule.
    return solved if reduced.frame is None else solved + 2e-10 * count * m * n * (m + n) + _FRAMED / 2


def solve_block(v: Rep, w: Rep, budget: Budget | None = None) -> Solution:
    """The canonical exact basis of Hom(V, W) for two summands, proved.

    Raises:
        MemoryLimitError: a step would need more memory than the budget allows; nothing has been allocated for it.
        SolveError: no candidate passed the exact check; nothing that is not proved is returned.
    """
    budget = budget or Budget()
    unknowns = v.dim * w.dim
    budget.tell("reduce")
    budget.admit(orbit_bytes(unknowns, unknowns), f"{v} >> {w} with {unknowns} unknowns", _SPLIT)
    reduced = reduce_block(v, w, budget)
    how = "orbits" if reduced.pairs else "weights"
    if not reduced.orbits.count:
        return Solution(zeros((0, v.dim * w.dim)), how, (), reduced.steps)
    if not reduced.rest and reduced.frame is None:
        if not orbits_are_invariant(reduced.shape, reduced.orbits, reduced.pairs):
            raise SolveError(f"{v} >> {w}: the orbits are not invariant; this is a bug in repcore, please report it")
        basis = spread(reduced, None)
        # Monomial generators need no further check. Diagonal ones and the Lie generators, which act by zero here, get one.
        unproved = [*reduced.diagonal, *range(len(v.group.discrete), len(reduced.images))]
        if solves_exactly(basis, [reduced.images[i] for i in dict.fromkeys(unproved)], reduced.field, budget):
            return Solution(basis, how, (), reduced.steps)
    # A shortcut that turned out wrong is repaired by imposing every declared generator.
    shortcuts = [(reduced, reduced.rest)] if reduced.rest or reduced.frame is not None else []
    whole = replace(reduced, frame=None, acting=reduced.images, orbits=orbits(reduced.shape, ())) if reduced.frame else reduced
    for attempt, rest in (*shortcuts, (whole, tuple(range(len(whole.acting))))):
        need = constraint_bytes(attempt.shape, attempt.orbits, [attempt.acting[i] for i in rest])
        budget.admit(need, f"the constraints of {v} >> {w}", "give fewer generators")
        solution = _eliminate(attempt, rest, budget)
        if solution is not None:
            return solution
    raise SolveError(
        f"{v} >> {w}: no exact basis with entries below {_PRIMES} primes could be certified; "
        "check that the generators are meant as written, or report the group"
    )


def _eliminate(reduced: Reduced, rest: tuple[int, ...], budget: Budget) -> Solution | None:
    """Presolve, and then either the nullspace of what is left or, if that is much, spinning the whole block."""
    field = reduced.field
    if reduced.frame is not None:
        return _from_frame(reduced, rest, budget)
    p = next(_usable(field, reduced, 2**31))
    at = (p, field.roots(p)[0])
    budget.tell("presolve")
    known = {at: presolve(constraints(reduced, rest, *at))}
    left = len(np.unique(known[at].system.cols))
    steps = (*reduced.steps, Step("presolve", reduced.orbits.count, left, f"modulo {p}, {field.degree} embeddings"))
    spins = max(reduced.shape) <= _SPUN and _spin_cost(reduced.shape) < dense_seconds(left)
    if spins or budget.executor is not None:
        known.clear()  # too large to hold while spinning, or to send to workers
    if spins:
        below = prime_bound(max(*reduced.shape, SPUN_UNKNOWNS))
        whole = replace(reduced, orbits=orbits(reduced.shape, ()))
        solution = _lifted(whole, partial(_spun, whole, budget.own), below, "spin", steps, budget, 1)
        if solution is not None:
            return solution
    # With every generator imposed there is no shortcut to blame, so only the primes can be bad.
    patience = _PRIMES if len(rest) == len(reduced.acting) else 2
    return _lifted(reduced, partial(_eliminated, reduced, rest, budget.own, known), 2**31, "nullspace", steps, budget, patience)


def _eliminated(
    reduced: Reduced, rest: tuple[int, ...], budget: Budget, known: dict[tuple[int, int], Presolved], at: tuple[int, int]
) -> Kernel | None:
    """The kernel at (prime, root of the field's modulus); ``known`` holds the system that was presolved to choose the route."""
    return kernel(known.pop(at, None) or presolve(constraints(reduced, rest, *at)), budget)


def _from_frame(reduced: Reduced, rest: tuple[int, ...], budget: Budget) -> Solution | None:
    """The nullspace in a basis of weight vectors, taken back to the declared basis modulo each prime."""
    below = prime_bound(max(*reduced.shape, reduced.orbits.count))
    declared = replace(reduced, orbits=orbits(reduced.shape, ()))
    back = partial(_returned, reduced, rest, budget.own)
    return _lifted(declared, back, below, "nullspace", reduced.steps, budget, 2)


def _returned(reduced: Reduced, rest: tuple[int, ...], budget: Budget, at: tuple[int, int]) -> Kernel | None:
    """The echelon form of all T_W M T_V^-1, M a solution in the basis of weight vectors; None if memory does not allow it."""
    p, root = at
    m, n = reduced.shape
    found, frame = reduced.orbits, reduced.frame
    inside = kernel(presolve(constraints(reduced, rest, p, root)), budget)
    if frame is None or not budget.fits(map_bytes(inside.dim, m, n)):
        return None
    on_orbits = np.zeros((inside.dim, found.count + 1))
    on_orbits[inside.rows, inside.cols] = inside.values
    # Entries that vanish have orbit number -1: the last column, which is zero.
    maps = np.mod(on_orbits[:, found.of] * phases(found, reduced.field, p, root), p).reshape(inside.dim, m, n)
    on_w, back_v = (dense_residues(a.over(reduced.field), p, root, np.float64) for a in (frame.on_w, frame.back_v))
    maps = times_mod(maps.reshape(-1, n), back_v, p).reshape(inside.dim, m, n)
    maps = times_mod(on_w, maps.transpose(1, 0, 2).reshape(m, -1), p).reshape(m, inside.dim, n).transpose(1, 0, 2)
    if not inside.dim:
        return Kernel(p, m * n, inside.pivots, inside.rows, inside.cols, inside.values, inside.largest)
    form, pivots = echelon(np.ascontiguousarray(maps).reshape(inside.dim, -1), p)
    rows, cols = np.nonzero(form)
    return Kernel(p, m * n, pivots, rows, cols, form[rows, cols].astype(np.int64), inside.largest)


def _spun(reduced: Reduced, budget: Budget, at: tuple[int, int]) -> Kernel | None:
    """The same by spinning; None where it would need too many unknowns or too much memory."""
    dense = partial(dense_residues, p=at[0], root=at[1], dtype=np.float64)
    on_w, on_v = ([dense(pair[i].over(reduced.field)) for pair in reduced.images] for i in (0, 1))
    return spin_kernel(on_v, on_w, at[0], budget)


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
        budget.tell(name)
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
        need = answer_bytes(reduced.orbits, found[0].cols, field.degree, len(kernels))
        budget.admit(need, f"the basis, {found[0].dim} elements,", "use fewer tensor factors, or split the representations")
        candidate = lift(field, kernels)
        if candidate is None:
            continue
        basis = spread(reduced, candidate)
        if is_echelon(basis) and solves_exactly(basis, reduced.images, field, budget):
            step = Step(name, steps[-1].after, candidate.shape[0], f"largest block {found[0].largest}")
            return Solution(basis, "nullity", tuple(k[0].p for k in kernels), (*steps, step))
        stable = stable + 1 if candidate == last else 0
        if stable >= patience:
            return None
        last = candidate
    return None


def _usable(field: Field, reduced: Reduced, below: int) -> Iterator[int]:
    dens = {m.den for pair in (*reduced.images, *reduced.acting) for m in pair}
    if reduced.frame is not None:
        dens |= {reduced.frame.on_w.den, reduced.frame.back_v.den}
    return (p for p in field.primes(below=below) if all(d % p for d in dens))


def _monomial_pair(on_w: Matrix, on_v: Matrix) -> tuple[Monomial, Monomial] | None:
    a, b = monomial_action(on_w), monomial_action(on_v)
    return None if a is None or b is None else (a, b)
