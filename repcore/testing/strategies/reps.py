"""Strategies for representations and for spaces of maps."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

import repcore as rc
from repcore.testing.exact import inverse
from repcore.testing.strategies.arguments import as_strategy, count
from repcore.testing.strategies.groups import groups, unimodular

__all__ = ["homs", "reps"]

_Node = Callable[[st.DrawFn, rc.Rep, st.SearchStrategy[rc.Rep]], rc.Rep]
# Images in another basis are checked by the library against every relation, which for larger ones takes time.
_CHECKED = 4


def reps(
    group: rc.Group | st.SearchStrategy[rc.Group] | None = None, *, min_dim: int = 1, max_dim: int = 8, max_depth: int = 2
) -> st.SearchStrategy[rc.Rep]:
    """Representations as expressions; shrinks to the trivial one, ``trivial(G)``.

    Leaves are the trivial and the defining representation, cosets of finite groups, labelled irreps where the group has them, and
    images in another basis; nodes are sums, copies, products, powers, duals, conjugates and real forms.

    Args:
        group: the group, or a strategy for it; any of :func:`groups` if left out.
        min_dim: 0 to draw zero-dimensional representations as well.
        max_dim: the largest dimension.
        max_depth: how many operations are nested.

    Raises:
        InvalidArgument: an argument of another type, or limits that leave nothing.

    >>> from hypothesis import find
    >>> find(reps(rc.SL(2)), lambda V: V.dim >= 3)
    3 * trivial(SL(2))
    """
    least, most = count(min_dim, "min_dim", 0), count(max_dim, "max_dim", max(min_dim, 1))
    depth = count(max_depth, "max_depth", 0)
    drawn = groups() if group is None else as_strategy(group, "group", rc.Group)

    return _reps(drawn, least, most, depth)


def homs(
    group: rc.Group | st.SearchStrategy[rc.Group] | None = None, *, max_dim: int = 4, max_depth: int = 1
) -> st.SearchStrategy[rc.Hom]:
    """Spaces ``X >> Y``, X and Y from :func:`reps` of the same group; shrinks to ``trivial(G) >> trivial(G)``.

    Args:
        group: the group, or a strategy for it.
        max_dim: the largest dimension of X and of Y; the solver has max_dim^2 unknowns.
        max_depth: how many operations are nested in each.

    Raises:
        InvalidArgument: an argument of another type or out of range.

    >>> from hypothesis import find
    >>> find(homs(), lambda space: True)
    Hom(trivial(PermutationGroup([], degree=1)), trivial(PermutationGroup([], degree=1)))
    """
    most, depth = count(max_dim, "max_dim", 1), count(max_depth, "max_depth", 0)
    drawn = groups() if group is None else as_strategy(group, "group", rc.Group)

    def ends(of: rc.Group) -> st.SearchStrategy[rc.Hom]:
        end = reps(of, max_dim=most, max_depth=depth)
        return st.builds(rc.Hom, end, end)

    return drawn.flatmap(ends)


@st.composite
def _reps(draw: st.DrawFn, group: st.SearchStrategy[rc.Group], least: int, most: int, depth: int) -> rc.Rep:
    found = draw(_trees(draw(group), most, depth))
    return found if found.dim >= least else max(1, least) * rc.trivial(found.group)


@st.composite
def _trees(draw: st.DrawFn, group: rc.Group, most: int, depth: int) -> rc.Rep:
    """An expression; a strategy of its own at each level, so that hypothesis can put a part in the place of the whole."""
    node = draw(st.sampled_from([None, *_NODES])) if depth else None
    leaves = st.sampled_from([rep for make in _leaves(group) if (rep := make()).dim <= most])
    if node is None:
        return draw(leaves)
    rep = draw(_trees(group, most, depth - 1))
    made = node(draw, rep, leaves)
    return made if made.dim <= most else rep


def _leaves(group: rc.Group) -> list[Callable[[], rc.Rep]]:
    """Representations that no other of them makes, the simplest first."""
    found: list[Callable[[], rc.Rep]] = [lambda: rc.trivial(group), lambda: group.rep]
    if any(not a.is_zero for a in group.lie):
        found += [lambda label=label: rc.irrep(group, label) for label in _LABELS.get(repr(group), ())]
    else:
        found.append(lambda: rc.quotient(group, rc.Group(group.discrete[:1], dim=group.dim)))
        found.append(lambda: rc.regular(group))
    return found


_LABELS = {"SO(2)": ("1", "2"), "O(2)": ("0o", "2"), "SO(3)": ("1", "2"), "O(3)": ("0o", "1e"), "SU(2)": ("1/2", "1")}


def _changed_basis(draw: st.DrawFn, v: rc.Rep, _: st.SearchStrategy[rc.Rep]) -> rc.Rep:
    """S rho S^-1, declared by its images."""
    if not 2 <= v.dim <= _CHECKED or not v.group.generators:
        return v
    s = draw(unimodular(v.dim))
    back = inverse(s)
    if back is None or s.is_identity:
        return v
    images = [(s @ m @ back).reduced() for m in v.matrices]
    split = len(v.group.discrete)
    return rc.Rep(v.group, images[:split], images[split:])


def _power(draw: st.DrawFn, v: rc.Rep, _: st.SearchStrategy[rc.Rep]) -> rc.Rep:
    k = draw(st.integers(2, 3))
    return draw(st.sampled_from([v.sym, v.alt]))(k) if v.dim <= 4 else v


# A node of the expression tree: v is the representation below it, the strategy gives another one of the same group.
_NODES: list[_Node] = [
    lambda draw, v, leaves: draw(st.sampled_from([2, 3, 0])) * v,
    lambda draw, v, leaves: v.dual,
    lambda draw, v, leaves: v + draw(leaves),
    lambda draw, v, leaves: draw(leaves) * v,
    lambda draw, v, leaves: v.conj,
    _power,
    lambda draw, v, leaves: v.realify(),
    _changed_basis,
]
