"""Bugs that representation code really has are planted one at a time, found by a law, and shrunk to an example of the book."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, settings
from hypothesis import strategies as st

import repcore as rc
from repcore import basis as basis_module
from repcore.exact.matrix import Matrix, block_diag, from_coo, identity, inverse, kron
from repcore.groups.group import Group
from repcore.reps import action
from repcore.reps.powers import power_image
from repcore.reps.tree import Alt, Conjugate, Dual, Product, Realified, Sum
from repcore.testing import groups, homs, laws, lie_groups, permutation_groups, reps

# derandomize: what an example shrinks to depends a little on where the search began. Its explanation would take most of the time.
SEARCH = settings(phases=[Phase.generate, Phase.shrink], derandomize=True, database=None, max_examples=300, deadline=None)

Subject = Any
Check = Callable[[Subject], object]


def smallest(strategy: st.SearchStrategy[Subject], check: Check) -> tuple[Subject, str]:
    """The example that hypothesis shrinks to, and the name of the law that it breaks."""

    def breaks(subject: Subject) -> bool:
        try:
            check(subject)
        except AssertionError:
            return True
        return False

    found = find(strategy, breaks, settings=SEARCH)
    with pytest.raises(AssertionError) as caught:
        check(found)
    message = str(caught.value)
    assert "from repcore import *" in message
    return found, message.split()[1]


# ------------------------------------------------------------------------------------- how a generator acts on a node

Verb = Callable[[Any, Matrix], Matrix]


def discrete(rep: rc.Rep, g: Matrix) -> Matrix:
    return action.discrete_image(rep, g)


def lie(rep: rc.Rep, a: Matrix) -> Matrix:
    return action.lie_image(rep, a)


def swapped_copies(rep: Sum, g: Matrix) -> Matrix:
    """Components before copies: entry (copy a, component p) at p m + a."""
    return block_diag([kron(discrete(v, g), identity(m)) for m, v in rep.terms])


def factors_swapped(rep: Product, g: Matrix) -> Matrix:
    out = discrete(rep.factors[0], g)
    for factor in rep.factors[1:]:
        out = kron(discrete(factor, g), out)
    return out


def one_factor_transposed(rep: Product, g: Matrix) -> Matrix:
    out = discrete(rep.factors[0], g)
    for factor in rep.factors[1:]:
        out = kron(out, discrete(factor, g).T)
    return out


def one_term_of_leibniz(rep: Product, a: Matrix) -> Matrix:
    rest = identity(rep.dim // rep.factors[0].dim)
    return kron(lie(rep.factors[0], a), rest)


def without_signs(rep: Alt, g: Matrix) -> Matrix:
    """Every minor with the sign of its entries lost: |det|, as happens when index pairs are sorted and the parity is not kept."""
    honest = power_image(discrete(rep.rep, g), rep.k, signed=True)
    return from_coo(honest.shape, honest.field, honest.rows, honest.cols, np.abs(honest.nums), honest.den)


FINITE = groups(kinds=["permutation", "finite"], max_dim=3)
LIE = lie_groups(max_dim=3)

# bug: the verb, the node, what is planted, the groups that are searched, the law that finds it, and the smallest pairs (dimension
# of the representation, order of the group or dimension of its algebra) that the bug can be seen on.
NODES: dict[str, tuple[Any, type[rc.Rep], Verb, Any, str, set[tuple[int, int]]]] = {
    # g^-1 is not g: an element of order 3, as a root of unity, as a turn of the plane or on three points; or a matrix that is
    # not orthogonal: a reflection along a line that is not perpendicular to its mirror.
    "dual without inverse": (
        action.discrete_image,
        Dual,
        lambda rep, g: discrete(rep.rep, g).T,
        FINITE,
        "the_dual_pairing_is_invariant",
        {(1, 3), (2, 2), (2, 3), (3, 3)},
    ),
    "dual without transpose": (
        action.discrete_image,
        Dual,
        lambda rep, g: inverse(discrete(rep.rep, g)),
        FINITE,
        "the_dual_pairing_is_invariant",
        {(2, 2), (2, 3), (3, 3)},
    ),
    "dual of the algebra without the sign": (
        action.lie_image,
        Dual,
        lambda rep, a: lie(rep.rep, a).T,
        LIE,
        "the_dual_pairing_is_invariant",
        {(1, 1)},
    ),
    "transposed Kronecker product": (
        action.discrete_image,
        Product,
        one_factor_transposed,
        FINITE,
        "products_are_kronecker",
        {(2, 2), (2, 3), (3, 3)},
    ),
    "Kronecker product the other way round": (
        action.discrete_image,
        Product,
        factors_swapped,
        FINITE,
        "products_are_kronecker",
        {(2, 2), (2, 3), (3, 3)},
    ),
    "product rule with one term": (action.lie_image, Product, one_term_of_leibniz, LIE, "products_are_kronecker", {(1, 1)}),
    "conjugate forgotten": (
        action.discrete_image,
        Conjugate,
        lambda rep, g: discrete(rep.rep, g),
        FINITE,
        "the_conjugate_is_conjugated",
        {(1, 3)},
    ),
    # The determinant of a transposition, or of a reflection.
    "sign of the exterior power lost": (
        action.discrete_image,
        Alt,
        without_signs,
        FINITE,
        "powers_act_on_sorted_tuples",
        {(2, 2)},
    ),
    "sign of the imaginary part lost": (
        action.discrete_image,
        Realified,
        lambda rep, g: action._realified(discrete(rep.rep, g)).T,
        FINITE,
        "the_real_form_is_real_and_imaginary_part",
        {(1, 3), (2, 2), (2, 3), (3, 3)},
    ),
    # Two copies of a plane: entry (a, p) stands at 2 a + p. The law puts the defining representation twice beside any other.
    "components before copies": (
        action.discrete_image,
        Sum,
        swapped_copies,
        FINITE,
        "sums_are_block_diagonal",
        {(1, 2)},
    ),
}


@pytest.fixture
def plant() -> Iterator[Callable[[Any, type[rc.Rep], Verb], None]]:
    undo: list[tuple[Any, type[rc.Rep], Verb]] = []

    def swap(verb: Any, node: type[rc.Rep], wrong: Verb) -> None:
        undo.append((verb, node, verb.dispatch(node)))
        verb.register(node, wrong)
        action.image.cache_clear()

    yield swap
    for verb, node, honest in undo:
        verb.register(node, honest)
    action.image.cache_clear()


def size(group: rc.Group) -> int:
    return len(group.lie) if group.lie else rc.order(group)


@pytest.mark.parametrize("bug", NODES)
def test_a_wrong_node_is_found_and_shrunk(bug: str, plant: Callable[..., None]) -> None:
    verb, node, wrong, of, law, minimal = NODES[bug]
    plant(verb, node, wrong)
    found, broken = smallest(reps(of, max_dim=4, max_depth=1), laws.check_rep)
    assert broken == law
    assert (found.dim, size(found.group)) in minimal, repr(found)


@pytest.mark.parametrize("bug", NODES)
def test_without_the_bug_its_law_holds(bug: str) -> None:
    *_, law, _ = NODES[bug]
    for group in (rc.dihedral(3), rc.Group([[["zeta(3)", 0], [0, 1]], [[0, 1], [1, 0]]]), rc.O(3), rc.U(2)):
        laws.for_rep[law](group.rep)


# --------------------------------------------------------------------------------------------------- images that lie


class Images(rc.Rep):
    """A user's node that skips every check: any images of the generators."""

    def __init__(self, group: rc.Group, images: list[Matrix]) -> None:
        self.group, self._images = group, images

    @property
    def dim(self) -> int:
        return self._images[0].shape[0]

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("images", tuple(m.digest for m in self._images))

    def matrix(self, generator: int) -> Matrix:
        return self._images[generator]

    def __repr__(self) -> str:
        return f"Images({self.group!r}, {self._images!r})"


@action.discrete_image.register
def _(rep: Images, g: Matrix) -> Matrix:
    return rep.matrix(rep.group.generators.index(g))


@action.lie_image.register
def _(rep: Images, a: Matrix) -> Matrix:
    return rep.matrix(rep.group.generators.index(a))


@st.composite
def with_a_dropped_generator(draw: st.DrawFn, of: st.SearchStrategy[rc.Group]) -> rc.Rep:
    """The defining representation, with one generator acting as the identity (a Lie generator as zero)."""
    group = draw(of.filter(lambda g: g.generators))
    dropped = draw(st.integers(0, len(group.generators) - 1))
    zero = [identity(group.dim), identity(group.dim) - identity(group.dim)]
    is_lie = dropped >= len(group.discrete)
    return Images(group, [zero[is_lie] if i == dropped else m for i, m in enumerate(group.generators)])


def test_a_dropped_generator_breaks_a_relation() -> None:
    found, law = smallest(with_a_dropped_generator(permutation_groups()), laws.for_rep["relations_hold"])
    assert law == "relations_hold"
    # With one generator, or one point, no relation is left to break: two points, two generators, and s = t.
    assert (found.dim, len(found.group.generators), rc.order(found.group)) == (2, 2, 2), repr(found)


def test_a_dropped_lie_generator_breaks_a_bracket() -> None:
    found, law = smallest(with_a_dropped_generator(LIE), laws.for_rep["brackets_go_to_brackets"])
    assert law == "brackets_go_to_brackets"
    # The smallest algebra that is not commutative has dimension 2: scalings and translations of the line.
    assert (found.dim, len(found.group.lie)) == (2, 2), repr(found)


@st.composite
def reflected_lie_groups(draw: st.DrawFn) -> rc.Group:
    """A Lie group with a discrete generator that nobody has checked against its algebra."""
    group = draw(lie_groups(max_dim=3))
    entries = st.lists(st.sampled_from([0, 1, -1]), min_size=group.dim, max_size=group.dim)
    rows = draw(st.lists(entries, min_size=group.dim, max_size=group.dim))
    try:
        return rc.Group([rows], group.lie)
    except rc.DeclarationError:  # singular
        return group


def test_a_generator_that_moves_the_algebra_is_found() -> None:
    found, law = smallest(reflected_lie_groups(), laws.check_group)
    assert law == "discrete_generators_keep_the_lie_algebra"
    # A flow of the plane, and a matrix that turns it into another one.
    assert (found.dim, len(found.lie), len(found.discrete)) == (2, 1, 1), repr(found)


# ------------------------------------------------------------------------------------------------------ the solver

SPACES = homs(groups(max_dim=2, max_order=8), max_dim=3)


def test_a_solver_that_forgets_the_first_generator_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = basis_module.solve_block

    def forgetful(v: rc.Rep, w: rc.Rep, budget: Any = None) -> Any:
        part = Group(v.group.discrete[1:], v.group.lie, dim=v.group.dim)
        return honest(v.restrict(part), w.restrict(part), budget)

    monkeypatch.setattr(basis_module, "solve_block", forgetful)
    found, law = smallest(SPACES, laws.check_basis)
    assert law == "elements_are_equivariant"
    # From the trivial representation to the sign, to a root of unity, or to two points: more maps are offered than there are.
    assert (found.shape, size(found.group)) in {((1, 1), 2), ((1, 1), 3), ((2, 1), 2), ((1, 2), 2)}, repr(found)


def test_a_solver_that_loses_the_last_map_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = basis_module.solve_block

    def lossy(*args: Any) -> Any:
        solution = honest(*args)
        k, basis = solution.basis.shape[0], solution.basis
        keep = basis.rows < k - 1
        shape = (max(k - 1, 0), basis.shape[1])
        short = from_coo(shape, basis.field, basis.rows[keep], basis.cols[keep], basis.nums[keep], basis.den)
        return replace(solution, basis=short)

    monkeypatch.setattr(basis_module, "solve_block", lossy)
    found, law = smallest(SPACES, laws.check_basis)
    assert law == "the_dimension_is_the_inner_product_of_characters"
    assert found == rc.trivial(found.group) >> rc.trivial(found.group)
    assert not found.group.generators


def test_a_basis_that_is_not_normalised_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = basis_module.solve_block
    monkeypatch.setattr(
        basis_module, "solve_block", lambda *args: replace(solution := honest(*args), basis=solution.basis * Fraction(1, 2))
    )
    found, law = smallest(SPACES, laws.check_basis)
    assert law == "elements_are_in_echelon_form"
    assert found.shape == (1, 1)
    assert not found.group.generators


# ----------------------------------------------------------------------------------------------------------- floats


def test_a_projector_that_keeps_the_trace_alone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the reals the maps of an irrep to itself are R, C or H: one that averages the diagonal loses the rest."""

    def trace_only(plan: rc.Plan, W: np.ndarray) -> np.ndarray:
        n = plan.shape[0]
        return np.trace(W, axis1=-2, axis2=-1)[..., None, None] * np.eye(n) / n

    def check(group: rc.Group) -> None:
        laws.check_projector(group.rep >> group.rep)

    irreducible = [rc.dihedral(3), rc.cyclic(3), rc.dihedral(4), rc.cyclic(4), rc.tetrahedral(), rc.cyclic(5), rc.SO(2)]
    monkeypatch.setattr(rc.Plan, "project", trace_only)
    found, law = smallest(st.sampled_from(irreducible), check)
    assert law == "project_fixes_the_space"
    assert found == rc.cyclic(3)  # the smallest group with a real irrep of complex type
    laws.for_projector["project_fixes_the_space"](
        rc.plan(rc.dihedral(3).rep >> rc.dihedral(3).rep), rc.dihedral(3).rep >> rc.dihedral(3).rep
    )


def test_a_pointwise_nonlinearity_is_found() -> None:
    def check(rep: rc.Rep) -> None:
        laws.assert_equivariant(lambda x: np.maximum(x, 0), rep, rep, samples=2)

    found, law = smallest(reps(groups(max_dim=2, max_order=8), max_dim=3, max_depth=1).filter(real), check)
    assert law == "assert_equivariant"
    # ReLU commutes with permutations and with positive factors; the sign is the smallest thing that it breaks.
    assert (found.dim, size(found.group)) == (1, 2), repr(found)


def test_a_layer_with_components_before_copies_is_found() -> None:
    """The weight of 2 V -> 2 V, expanded copies first in theta and components first in the layer."""

    def check(rep: rc.Rep) -> None:
        mix = np.array([[1.0, 2.0], [3.0, 4.0]])
        W = np.kron(np.eye(rep.dim), mix)  # right: np.kron(mix, np.eye(rep.dim))
        laws.assert_equivariant(lambda x: x @ W.T, 2 * rep, 2 * rep, samples=2)

    found, law = smallest(reps(FINITE, max_dim=3, max_depth=1).filter(real), check)
    assert law == "assert_equivariant"
    assert (found.dim, size(found.group)) == (2, 2), repr(found)


def real(rep: rc.Rep) -> bool:
    return all(m.field.is_real for m in rep.matrices)


class Wrong:
    """The NumPy executor with one mistake."""

    def __init__(self, plan: rc.Plan, mistake: str) -> None:
        self.plan, self.mistake = plan, mistake

    def coefficients(self, W: np.ndarray) -> np.ndarray:
        if self.mistake == "conjugated":
            return self.plan.coefficients(W.conj()).conj()
        theta = self.plan.coefficients(W)
        return theta[..., ::-1] if self.mistake == "reordered" else theta

    def expand(self, theta: np.ndarray) -> np.ndarray:
        W = self.plan.expand(theta)
        return W * (1 + 1e-9) if self.mistake == "not normalised" else W

    def project(self, W: np.ndarray) -> np.ndarray:
        if self.mistake == "in single precision":
            return self.plan.project(W.astype(np.complex64 if self.plan.is_complex else np.float32)).astype(W.dtype)
        return self.expand(self.coefficients(W))


# An order 3 root of unity in skew coordinates: its maps have complex entries, so that forgetting to conjugate is seen.
TURNS = st.sampled_from([[["zeta(3)"]], [["zeta(3)", "zeta(3) - 1"], [0, 1]], [["zeta(3)", "I"], [0, 1]]]).map(
    lambda turn: rc.Group([turn])
)


@pytest.mark.parametrize("mistake", ["conjugated", "reordered", "not normalised", "in single precision"])
def test_a_wrong_backend_is_found(mistake: str) -> None:
    def check(space: rc.Hom) -> None:
        laws.check_backend(Wrong(rc.plan(space), mistake), space)

    of = TURNS if mistake == "conjugated" else groups(max_dim=2, max_order=8)
    found, _ = smallest(homs(of, max_dim=2), check)
    dim = rc.solve(found, store=None).dim
    # One map will do; two are needed to exchange them, and one that is not real to conjugate it.
    assert dim == (2 if mistake == "reordered" else 1), repr(found)
    assert rc.plan(found).is_complex == (mistake == "conjugated")
