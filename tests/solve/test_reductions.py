"""Each reduction on its own, against brute force."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import gcd, isqrt, prod
from types import SimpleNamespace
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import repcore as rc
from repcore.basis import compute
from repcore.exact.field import QQ, field_of
from repcore.exact.matrix import Matrix, identity, inverse, kron, matrix, monomial, permutation_matrix, zeros
from repcore.reps.action import lie_image
from repcore.solve import check
from repcore.solve.budget import Budget
from repcore.solve.check import is_echelon, orbits_are_invariant, solves_exactly
from repcore.solve.integrate import is_complex_linear, is_functorial, opposites, quarter_turn, quarter_turns, weyl_element
from repcore.solve.lift import _rational, lift
from repcore.solve.modular import prime_bound
from repcore.solve.nullspace import Kernel, kernel
from repcore.solve.orbits import monomial_action, orbits, roots_of_unity
from repcore.solve.presolve import System, presolve

P = 2**31 - 1

# -------------------------------------------------------------------------------------------------- presolve and nullspace


@st.composite
def systems(draw: st.DrawFn) -> tuple[System, list[list[int]]]:
    p = draw(st.sampled_from([P, 101, 2**20 - 3]))
    width = draw(st.integers(1, 7))
    dense = draw(
        st.lists(
            st.lists(st.sampled_from([0, 0, 0, 1, 1, -1, 2, 5, p - 3]), min_size=width, max_size=width),
            min_size=0,
            max_size=10,
        )
    )
    entries = [(r, c, v % p) for r, row in enumerate(dense) for c, v in enumerate(row) if v]
    # Entries at one place are added, in whatever order they come.
    entries += [(r, c, p - v) for r, c, v in entries[:1]] + entries[:1]
    order = draw(st.permutations(entries))
    rows, cols, values = (np.array([e[i] for e in order], np.int64) for i in range(3))
    return System(p, width, rows, cols, values), dense


def echelon_of_solutions(dense: list[list[int]], width: int, p: int) -> list[list[int]]:
    if not dense:
        return np.eye(width, dtype=int).tolist()
    columns, nullity = flint.nmod_mat(len(dense), width, [x % p for row in dense for x in row], p).nullspace()
    if not nullity:
        return []
    solutions = [[int(columns[i, j]) for i in range(width)] for j in range(nullity)]
    form, _ = flint.nmod_mat(nullity, width, [x for row in solutions for x in row], p).rref()
    return [[int(x) for x in row] for row in form.tolist()]


def as_dense(k: Kernel) -> list[list[int]]:
    out = np.zeros((k.dim, k.width), np.int64)
    out[k.rows, k.cols] = k.values
    return out.tolist()


@settings(max_examples=200)
@given(systems())
def test_kernel_is_the_echelon_form_of_the_solutions(data: tuple[System, list[list[int]]]) -> None:
    system, dense = data
    found = kernel(presolve(system))
    wanted = echelon_of_solutions(dense, system.width, system.p)
    assert as_dense(found) == wanted
    assert found.pivots.tolist() == [next(j for j, x in enumerate(row) if x) for row in wanted]
    assert found.dim == len(wanted)


def test_unknowns_that_are_done_are_told() -> None:
    """Three blocks of three unknowns, each with one equation that presolve leaves."""
    rows, cols = np.repeat(np.arange(6), 3), np.repeat(np.arange(9).reshape(3, 3), 2, axis=0).ravel()
    values = np.tile([1, 2, 3, 1, 5, 4], 3)
    told: list[Any] = []
    budget: Any = SimpleNamespace(admit=lambda *args: None, tell=lambda *args: told.append(args))
    found = kernel(presolve(System(997, 9, rows, cols, values)), budget)
    assert found.dim == 3
    assert [(name, done, total) for name, done, total, _ in told] == [("nullspace", done, 9) for done in (0, 3, 6)]


@settings(max_examples=100)
@given(systems())
def test_presolve_keeps_the_solutions(data: tuple[System, list[list[int]]]) -> None:
    """x[u] = ratio[u] x[rep[u]] holds for every solution, and what remains between representatives gives them all."""
    system, dense = data
    p = system.p
    pre = presolve(system)
    solutions = echelon_of_solutions(dense, system.width, p)
    for x in solutions:
        for u in range(system.width):
            rep = int(pre.rep[u])
            assert x[u] == (0 if rep < 0 else int(pre.ratio[u]) * x[rep] % p)
            assert rep <= u
    free = np.flatnonzero(pre.rep == np.arange(system.width))
    rest = np.zeros((int(pre.system.rows.max(initial=-1)) + 1, system.width), np.int64)
    np.add.at(rest, (pre.system.rows, pre.system.cols), pre.system.values)
    assert set(np.unique(pre.system.cols)) <= set(free.tolist())
    rank = flint.nmod_mat(rest.shape[0], system.width, rest.ravel().tolist(), p).rank() if rest.size else 0
    assert len(free) - rank == len(solutions)
    # Rows with one or two entries are gone.
    assert all(np.count_nonzero(row) not in (1, 2) for row in rest)


def test_presolve_on_chains_and_cycles() -> None:
    n = 1000
    rows = np.repeat(np.arange(n - 1), 2)
    cols = np.stack([np.arange(n - 1), np.arange(1, n)], axis=1).ravel()
    # x[i + 1] = 2 x[i]
    chain = System(P, n, rows, cols, np.tile([2, P - 1], n - 1))
    pre = presolve(chain)
    assert np.all(pre.rep == 0)
    assert pre.ratio.tolist() == [pow(2, i, P) for i in range(n)]
    # Closing the cycle with the right ratio keeps it, with another kills it.
    for last, dim in ((pow(2, -(n - 1), P), 1), (1, 0)):
        closed = replace(
            chain,
            rows=np.append(chain.rows, [n, n]),
            cols=np.append(chain.cols, [n - 1, 0]),
            values=np.append(chain.values, [last, P - 1]),
        )
        assert kernel(presolve(closed)).dim == dim


def test_many_more_rows_than_unknowns_are_compressed_without_loss() -> None:
    rng = np.random.default_rng(0)
    width, rank = 40, 33
    small = rng.integers(0, P, (rank, width))
    mixed = np.array(
        [
            [int(x) for x in row]
            for row in (
                flint.nmod_mat(600, rank, rng.integers(0, P, 600 * rank).tolist(), P)
                * flint.nmod_mat(rank, width, small.ravel().tolist(), P)
            ).tolist()
        ]
    )
    rows, cols = np.nonzero(mixed)
    found = kernel(presolve(System(P, width, rows, cols, mixed[rows, cols])))
    assert as_dense(found) == echelon_of_solutions(small.tolist(), width, P)


# ------------------------------------------------------------------------------------------------------------------ orbits

ROOTS = {1: "1", 2: "-1", 3: "zeta(3)", 4: "I", 6: "zeta(6)"}


@st.composite
def monomial_matrices(draw: st.DrawFn, n: int) -> Matrix:
    images = draw(st.permutations(range(n)))
    order = draw(st.sampled_from(list(ROOTS)))
    powers = [draw(st.integers(0, order - 1)) for _ in range(n)]
    return matrix([[f"({ROOTS[order]})**{powers[j]}" if images[j] == i else 0 for j in range(n)] for i in range(n)])


@settings(max_examples=80)
@given(data=st.data())
def test_orbits_are_the_solutions(oracles: Any, data: st.DataObject) -> None:
    m, n = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    pairs = [(data.draw(monomial_matrices(m)), data.draw(monomial_matrices(n))) for _ in range(data.draw(st.integers(0, 2)))]
    actions = [(monomial_action(a), monomial_action(b)) for a, b in pairs]
    known = [(a, b) for a, b in actions if a is not None and b is not None]
    assert len(known) == len(pairs)
    found = orbits((m, n), known)
    assert orbits_are_invariant((m, n), found, known)
    # The definition, densely: w M = M v.
    constraints = []
    for w, v in pairs:
        full = kron(w, identity(n)) - kron(identity(m), v.T)
        constraints += [{c: x for r2, c, x in full.entries() if r2 == r} for r in range(m * n)]
    wanted = oracles.nullspace(constraints, m * n)
    powers = roots_of_unity(found.m)
    elements = [{u: powers[found.exponents[u]] for u in range(m * n) if found.of[u] == k} for k in range(found.count)]
    assert elements == wanted


def test_monomial_action() -> None:
    found = monomial_action(matrix([[0, "-zeta(3)"], ["I", 0]]))
    assert found is not None
    assert found.images.tolist() == [1, 0]
    assert found.m == 12
    assert found.exponents.tolist() == [3, 10]
    plain = monomial_action(permutation_matrix([2, 0, 1]))
    assert plain is not None
    assert (plain.images.tolist(), plain.exponents.tolist(), plain.m) == ([2, 0, 1], [0, 0, 0], 1)
    for other in ([[2]], [["1 + I"]], [["(3 + 4*I)/5"]], [[1, 1], [0, 1]], [["sqrt(2)"]], [[0]]):
        assert monomial_action(matrix(other)) is None


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 8, 9, 12, 15, 24, 30, 45])
def test_every_root_of_unity_is_recognised(n: int) -> None:
    for k in range(n):
        found = monomial_action(matrix([[f"zeta({n})**{k}"]]))
        assert found is not None
        assert found.m == n // gcd(k, n)
        assert roots_of_unity(found.m)[found.exponents[0]] == rc.number(f"zeta({n})**{k}")


# --------------------------------------------------------------------------------------------------------------- integrate


def test_quarter_turns() -> None:
    for group in (rc.SO(2), rc.SO(3), rc.SO(5)):
        for a in group.lie:
            g = quarter_turn(a)
            assert g is not None
            assert g.T @ g == identity(group.dim)
            assert g @ g == identity(group.dim) + 2 * (a @ a)
            assert g @ a == a @ g
            assert g @ g @ g @ g == identity(group.dim)
    su2 = [quarter_turn(a * Fraction(1)) for a in rc.SU(2).lie]
    assert all(g is None or g @ inverse(g) == identity(2) for g in su2)
    # exp(pi/2 A) for A = diag(I, -I) is A itself.
    phase = quarter_turn(matrix([["I", 0], [0, "-I"]]))
    assert phase == matrix([["I", 0], [0, "-I"]])
    for other in (
        [[0, 1], [0, 0]],
        [[1, 0], [0, 1]],
        [[0, 0], [0, 0]],
        [[0, -2], [2, 0]],
        [[0, "-sqrt(2)/2", 0], ["sqrt(2)/2", 0, "-sqrt(2)/2"], [0, "sqrt(2)/2", 0]],
    ):
        assert quarter_turn(matrix(other)) is None


@settings(max_examples=30)
@given(st.lists(st.integers(-1, 1), min_size=6, max_size=6))
def test_quarter_turns_are_exponentials(entries: list[int]) -> None:
    from scipy.linalg import expm

    a, b, c, d, e, f = entries
    m = matrix([[0, a, b, c], [-a, 0, d, e], [-b, -d, 0, f], [-c, -e, -f, 0]])
    g = quarter_turn(m)
    if g is not None:
        exact = expm(np.pi / 2 * m.to_numpy())
        # Padé with scaling is backward stable: some hundred eps for matrices of this size and norm.
        assert np.abs(exact - g.to_numpy()).max() <= 500 * np.finfo(float).eps
        assert g.is_monomial


def test_functorial() -> None:
    G = rc.dihedral(4)
    V = G.rep
    for rep in (V, V * V.dual, V.sym(2).realify(), (V + rc.trivial(G)).alt(2), V.restrict(rc.cyclic(2))):
        assert is_functorial(rep)
    for rep in (rc.regular(G), V * rc.regular(G), rc.Rep(G, [[[1]], [[-1]]]) + V, rc.grid(G, 2).dual.sym(2)):
        assert not is_functorial(rep)


def test_complex_linear() -> None:
    """An element i a of the complexified algebra acts by i times the image of a, unless a conjugate stands somewhere."""
    V = rc.SU(2).rep
    for rep in (V, V * V.dual, V.sym(2).dual, (V + rc.trivial(rc.SU(2))).alt(2)):
        assert is_complex_linear(rep)
        a = rc.SU(2).lie[0]
        assert lie_image(rep, a * rc.number("I")) == lie_image(rep, a) * rc.number("I")
    for rep in (V.conj, V * V.conj, V + V.conj, V.conj.sym(2), V.conj.dual, (V * V.conj).alt(2), V.realify()):
        assert not is_complex_linear(rep)
    assert not is_complex_linear(rc.irrep(rc.SU(2), "1"))
    assert not is_complex_linear(rc.Rep(rc.SU(2), lie=V.matrices))


@pytest.mark.parametrize("group", [rc.SO(2), rc.SO(3), rc.SO(5), rc.O(4), rc.SE(3), rc.lorentz(), rc.SL(3), rc.SU(2)], ids=str)
def test_few_turns_and_few_generators_are_enough(group: Any) -> None:
    """By conjugation with the turns and the given elements the chosen generators give all, up to sign; so do the turns."""
    given = [g for g in group.discrete if g.is_monomial]
    turns, chosen = quarter_turns(group.lie, given, lambda g: True)
    assert chosen == sorted(set(chosen))
    reflections = [weyl_element(group.lie[i], group.lie[j]) for i, j in opposites(group.lie).items()]
    allowed = [g for g in (*map(quarter_turn, group.lie), *reflections) if g is not None]
    assert all(g in allowed for g in turns)
    known = [*given, *turns]
    assert {str(a.tolist()) for a in group.lie} <= conjugates([group.lie[i] for i in chosen], known)
    # Every quarter turn is conjugate to one that is kept, or to its inverse.
    reached = conjugates(turns, known) | conjugates([inverse(g) for g in turns], known)
    assert {str(g.tolist()) for g in allowed} <= reached


def conjugates(start: list[Matrix], elements: list[Matrix]) -> set[str]:
    """+-g A g^-1 for all products g of the elements."""
    left = [s * a for a in start for s in (1, -1)]
    reached = {str(a.tolist()) for a in left}
    while left:
        a = left.pop()
        for g in elements:
            b = g @ a @ inverse(g)
            if str(b.tolist()) not in reached:
                reached.add(str(b.tolist()))
                left.append(b)
    return reached


def test_rotations_need_one_lie_generator() -> None:
    for n in (3, 4, 5, 6, 12):
        turns, chosen = quarter_turns(rc.SO(n).lie, [], lambda g: True)
        assert chosen == [0]
        assert len(turns) <= n - 1


def test_turns_that_are_not_wanted_are_not_used() -> None:
    lie = rc.SO(4).lie
    assert quarter_turns(lie, [], lambda g: False) == ([], list(range(6)))
    # Repeated and opposite generators are one class even so.
    assert quarter_turns((*lie, *(-a for a in lie), *lie), [], lambda g: True)[1] == [0]


def test_generators_of_different_scale_are_not_one_class() -> None:
    a = rc.SO(3).lie[0]
    for other in (2 * a, a * Fraction(1, 2), a * rc.number("sqrt(2)"), a * (2**61 + 1), a * 2**64, a * Fraction(1, 2**61)):
        assert quarter_turns((a, other), [], lambda g: True)[1] == [0, 1]


# --------------------------------------------------------------------------------------------------------------------- lift


@st.composite
def echelons(draw: st.DrawFn) -> tuple[Any, Matrix, int]:
    theta, degree = draw(st.sampled_from([("1", 1), ("sqrt(2)", 2), ("I", 2), ("zeta(5)", 4), ("sqrt(2) + sqrt(3)", 4)]))
    size = draw(st.sampled_from([3, 10**6, 10**30]))
    part = st.builds(Fraction, st.integers(-size, size), st.integers(1, min(size, 10**6)))
    entry = st.lists(part, min_size=degree, max_size=degree).map(
        lambda cs: " + ".join(f"({c})*({theta})**{i}" for i, c in enumerate(cs))
    )
    free = draw(st.integers(0, 3))
    k = draw(st.integers(1, 2))
    rows = [[*(int(i == j) for j in range(k)), *(draw(st.one_of(st.just("0"), entry)) for _ in range(free))] for i in range(k)]
    return field_of([rc.number(theta)]), matrix(rows), size


@settings(max_examples=60)
@given(echelons())
def test_lift_undoes_reduction(data: tuple[Any, Matrix, int]) -> None:
    field, exact, _ = data
    wide = exact.over(field)
    kernels: list[list[Kernel]] = []
    for p in field.primes():
        if wide.den % p == 0:
            continue
        at: list[Kernel] = []
        for root in field.roots(p):
            values = wide.residues(p, root)
            live = values != 0
            pivots = np.arange(exact.shape[0])
            at.append(Kernel(p, exact.shape[1], pivots, wide.rows[live], wide.cols[live], values[live], 0))
        kernels.append(at)
        candidate = lift(field, kernels)
        if candidate is not None and candidate == exact:
            assert candidate.field == field
            break
        assert len(kernels) < 60, "not lifted"
    # A further prime does not change it.
    assert is_echelon(exact.over(field))


# -------------------------------------------------------------------------------------------------------------------- check


def test_exact_check_of_candidates() -> None:
    images = [(rc.SO(3).rep ** 2).matrix(0)]
    basis = rc.solve(rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2, store=None)
    flat = rc.matrix([[x for row in b.tolist() for x in row] for b in basis])
    pairs = [(m, m) for m in (rc.SO(3).rep ** 2).matrices]
    assert solves_exactly(flat, pairs, QQ)
    assert is_echelon(flat)
    assert not is_echelon(2 * flat)
    assert not is_echelon(matrix([[0, 1], [1, 0]]))
    assert not is_echelon(matrix([[1, 1], [0, 1]]))
    assert not is_echelon(matrix([[1, 0], [0, 0]]))
    assert is_echelon(matrix([[1, 0, "sqrt(2)"], [0, 1, "1/2"]]))
    for e in range(flat.nnz):
        nums = flat.nums.copy()
        nums[e, 0] += 1
        wrong = rc.matrix(flat.tolist()) - flat + Matrix(flat.shape, flat.field, flat.rows, flat.cols, nums, flat.den)
        assert not solves_exactly(wrong, pairs, QQ)
    assert images


@pytest.mark.parametrize("factor", [2**31 - 1, (2**31 - 1) * 2147483629, 2**200])
def test_exact_check_is_not_fooled_by_multiples_of_primes(factor: int) -> None:
    """A defect that vanishes modulo the primes that are tried first is still a defect."""
    wrong = matrix([[1, 0, 0, 1 + factor]])
    turn = monomial([1, 0], [1, 1])
    assert not solves_exactly(wrong, [(turn, turn)], QQ)
    assert solves_exactly(matrix([[1, 0, 0, 1]]), [(turn, turn)], QQ)
    scale = matrix([[1, 0], [0, 1 + factor]])
    assert not solves_exactly(matrix([[0, 1, 0, 0]]), [(scale, scale)], QQ)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("tried", [1, 2, 3])
def test_the_bound_of_the_exact_check_counts_terms_and_denominators(
    monkeypatch: pytest.MonkeyPatch, dense: bool, tried: int
) -> None:
    """A defect that is the product of the first primes, made from entries that are all much smaller."""
    monkeypatch.setattr(check, "_is_dense", lambda *args: dense)
    n, den = 8, 5
    primes = [p for p, _ in zip(QQ.primes(below=prime_bound(n) if dense else isqrt(2**62 // n)), range(tried), strict=False)]
    defect = prod(primes)
    share, rest = divmod(defect, n)
    entries = [share + (i < rest) for i in range(n)]
    ones, none = matrix([[1] * n]), matrix([[0]])
    # Modulo these primes the map (1, ..., 1): k -> k^n is equivariant.
    summed = matrix([entries, *([0] * n for _ in range(n - 1))])
    assert not solves_exactly(ones, [(summed, none)], QQ)
    assert not solves_exactly(ones, [(none, summed.T)], QQ)
    assert solves_exactly(ones, [(summed - matrix([[defect], *[[0]] * (n - 1)]) @ matrix([[1] + [0] * (n - 1)]), none)], QQ)
    # The same with the number hidden in the denominator of the other side.
    few = [x // den for x in entries]
    other = rc.number(sum(few) - Fraction(defect, den))
    assert not solves_exactly(ones, [(matrix([few] * n), matrix([[other]]))], QQ)
    assert not solves_exactly(ones, [(matrix([[other]]), matrix([few] * n).T)], QQ)
    assert solves_exactly(ones, [(matrix([few] * n), matrix([[sum(few)]]))], QQ)


def test_a_check_of_nothing_passes() -> None:
    assert solves_exactly(matrix([[1, 0, 0, 0]]), [], QQ)
    for zero in (zeros((2, 2)), zeros((40, 40))):
        assert solves_exactly(matrix([[1, *[0] * (zero.shape[0] ** 2 - 1)]]), [(zero, zero)], QQ)


@given(st.data())
def test_rational_reconstruction(data: st.DataObject) -> None:
    modulus = data.draw(st.sampled_from([101, 2147483629, 2147483629 * 2147483587]))
    bound = isqrt(modulus // 2)
    den = data.draw(st.integers(1, bound))
    num = data.draw(st.integers(-bound, bound).filter(lambda n: gcd(n, den) == 1))
    assert _rational(num * pow(den, -1, modulus) % modulus, modulus) == (num, den)


def test_what_is_no_small_fraction_is_not_reconstructed() -> None:
    # Of 0 .. 100 modulo 101, those that are n/d with |n|, d <= 7.
    small = {n * pow(d, -1, 101) % 101 for n in range(-7, 8) for d in range(1, 8)}
    assert {x for x in range(101) if _rational(x, 101) is not None} == small
    assert len(small) < 101


def test_residues_that_do_not_fit_together_are_not_lifted() -> None:
    at = np.arange(1)
    first, second = (Kernel(p, 3, np.array([k]), at, np.array([k]), at + 1, 0) for p, k in ((101, 0), (103, 1)))
    assert lift(QQ, [[first], [second]]) is None
    assert lift(QQ, [[first]]) == matrix([[1, 0, 0]])


def test_exact_check_over_a_number_field() -> None:
    field = field_of([rc.number("sqrt(2)")])
    p = next(field.primes())
    root = field.roots(p)[0]
    # sqrt(2) - root vanishes modulo p under one embedding, and is not zero.
    corner = rc.number("sqrt(2)") - root
    a = matrix([[0, corner], [0, 0]])
    assert not solves_exactly(matrix([[1, 0, 0, 0]]), [(a, a)], field)
    assert solves_exactly(matrix([[1, 0, 0, 1]]), [(a, a)], field)


def test_sheared_orbits_are_not_invariant() -> None:
    action = monomial_action(permutation_matrix([1, 2, 0]))
    assert action is not None
    found = orbits((3, 3), [(action, action)])
    assert orbits_are_invariant((3, 3), found, [(action, action)])
    of = found.of.copy()
    of[[0, 1]] = of[[1, 0]]
    assert not orbits_are_invariant((3, 3), replace(found, of=of), [(action, action)])
    signed = monomial_action(monomial([0, 1, 2], [-1, 1, 1]))
    assert signed is not None
    both = orbits((3, 3), [(action, action), (signed, signed)])
    exponents = both.exponents.copy()
    live = np.flatnonzero(both.of >= 0)
    exponents[live[-1]] += 1
    assert not orbits_are_invariant((3, 3), replace(both, exponents=exponents), [(action, action), (signed, signed)])


# ------------------------------------------------------------------------------------------------------------------- budget


def test_memory_limits_refuse_before_they_allocate() -> None:
    space = rc.SO(3).rep ** 8 >> rc.SO(3).rep ** 8
    with pytest.raises(rc.MemoryLimitError, match=r"memory_limit: V\*\*8 >> V\*\*8 would need about 4.2 GiB"):
        compute(space, Budget(memory_limit=2**30))
    small = rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2
    with pytest.raises(rc.MemoryLimitError, match="memory_limit"):
        compute(small, Budget(memory_limit=1000))
    assert compute(small, Budget(memory_limit=10**7)) == compute(small)


def test_workers_change_nothing() -> None:
    from concurrent.futures import ThreadPoolExecutor

    V = rc.dihedral(8).rep
    one = rc.trivial(V.group)
    for space in (V**3 >> V**3, V**2 + V + one >> V**2 + one):
        with ThreadPoolExecutor(2) as pool:
            shared = compute(space, Budget(executor=pool))
        alone = compute(space)
        assert shared.digest == alone.digest
        assert shared.certificate == alone.certificate
        assert [s.name for s in shared.steps] == [s.name for s in alone.steps]


def test_all_pairs_of_tiny_signed_permutations(oracles: Any) -> None:
    """Every pair of signed 2 x 2 permutations as one generator on V and W: 64 spaces by the definition."""
    signed = [monomial(images, signs) for images in ([0, 1], [1, 0]) for signs in product([1, -1], repeat=2)]
    for a, b in product(signed, signed):
        group = rc.Group([a])
        orders = [next(k for k in range(1, 5) if power(m, k).is_identity) for m in (a, b)]
        if orders[0] % orders[1]:
            continue
        W = rc.Rep(group, [b])
        oracles.check(group.rep >> W)
        oracles.check(W >> group.rep + W * W)


def power(m: Matrix, k: int) -> Matrix:
    out = identity(m.shape[0])
    for _ in range(k):
        out = out @ m
    return out
