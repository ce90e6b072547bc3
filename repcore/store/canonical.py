"""One way to declare a space among all those that mean the same: generators sorted, without repetition and labels.

Equal content must give equal files, so what is stored is this form, whoever asked for the space and however they wrote it.
"""

from __future__ import annotations

from functools import lru_cache, singledispatch
from typing import Any

from repcore.errors import StoreError
from repcore.exact.matrix import Matrix
from repcore.groups.group import Group, PermutationGroup, direct_product
from repcore.reps.cosets import Quotient
from repcore.reps.custom import Custom
from repcore.reps.hom import Hom
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

__all__ = ["canonical", "canonical_group"]


def canonical(space: Hom) -> Hom:
    """The same space, its group's generators sorted by digest, each once, and no names.

    Spaces with equal digests have equal canonical forms, down to the order of the generators. Cost: sorting the generators.

    Raises:
        StoreError: a node of the expression has no stored form, or equal generators were given different images.

    >>> from repcore import Group
    >>> a, b = [[0, -1], [1, 0]], [[1, 0], [0, -1]]
    >>> V, W = Group([a, b, a], name="mine").rep, Group([b, a]).rep
    >>> repr(canonical(V >> V)) == repr(canonical(W >> W))
    True
    """
    group = canonical_group(space.group)
    return Hom(_canonical(space.domain, group), _canonical(space.codomain, group))


@lru_cache(maxsize=64)
def canonical_group(group: Group) -> Group:
    """The same group with its generators sorted by digest, each once, and no name."""
    if group.factors:
        return direct_product(*map(canonical_group, group.factors))
    discrete, lie = _sorted(group.discrete), _sorted(group.lie)
    if group.is_permutation:
        return PermutationGroup([g.T.cols.tolist() for g in discrete], degree=group.dim)
    return Group(discrete, lie, dim=group.dim)


def _sorted(matrices: tuple[Matrix, ...]) -> list[Matrix]:
    return list({m.digest: m for m in sorted(matrices, key=lambda m: m.digest)}.values())


def _canonical(rep: Rep, group: Group) -> Rep:
    """The same representation over the sorted group."""
    out = _rewritten(rep, group)
    if out.digest != rep.digest:
        # A subclass of a node falls under the rule of that node, which knows nothing of what it adds.
        raise StoreError(_REFUSED.format(rep, type(rep).__name__))
    return out


_REFUSED = "{}: a {} has no stored form; solve spaces of it with store=None"


def _node(rep: Rep) -> Any:
    """The node that a representation is, or whose subclass it is of."""
    return next(kind for kind in type(rep).__mro__ if kind in _rewritten.registry)


@singledispatch
def _rewritten(rep: Rep, group: Group) -> Rep:
    raise StoreError(_REFUSED.format(rep, type(rep).__name__))


@_rewritten.register
def _(rep: Defining, group: Group) -> Rep:
    return Defining(group)


@_rewritten.register
def _(rep: Trivial, group: Group) -> Rep:
    return Trivial(group)


@_rewritten.register
def _(rep: Irrep, group: Group) -> Rep:
    return Irrep(group, rep.label)


@_rewritten.register
def _(rep: Sum, group: Group) -> Rep:
    return Sum(group, tuple((m, _canonical(v, group)) for m, v in rep.terms))


@_rewritten.register
def _(rep: Product, group: Group) -> Rep:
    return Product(group, tuple(_canonical(v, group) for v in rep.factors))


@_rewritten.register(Dual)
@_rewritten.register(Conjugate)
@_rewritten.register(Realified)
def _(rep: Dual | Conjugate | Realified, group: Group) -> Rep:
    return _node(rep)(group, _canonical(rep.rep, group))


@_rewritten.register(Sym)
@_rewritten.register(Alt)
def _(rep: Sym | Alt, group: Group) -> Rep:
    return _node(rep)(group, _canonical(rep.rep, group), rep.k)


@_rewritten.register
def _(rep: Restriction, group: Group) -> Rep:
    return Restriction(group, _canonical(rep.rep, canonical_group(rep.rep.group)))


@_rewritten.register
def _(rep: Lifted, group: Group) -> Rep:
    return Lifted(group, _canonical(rep.rep, group.factors[rep.factor]), rep.factor)


@_rewritten.register
def _(rep: Quotient, group: Group) -> Rep:
    return Quotient(group, canonical_group(rep.subgroup))


@_rewritten.register
def _(rep: Induced, group: Group) -> Rep:
    return Induced(group, _canonical(rep.rep, canonical_group(rep.rep.group)))


@_rewritten.register
def _(rep: Tensors, group: Group) -> Rep:
    return Tensors(group, tuple(_canonical(v, group) for v in rep.factors), rep.formula)


@_rewritten.register
def _(rep: Custom, group: Group) -> Rep:
    discrete = _images(rep, rep.group.discrete, rep.discrete, group.discrete)
    lie = _images(rep, rep.group.lie, rep.lie, group.lie)
    # Built without its constructor, which would check once more that the images make a representation.
    out: Custom = object.__new__(Custom)
    fields = {"group": group, "discrete": discrete, "lie": lie, "name": "", "checked": rep.checked}
    for key, value in fields.items():
        object.__setattr__(out, key, value)
    return out


def _images(
    rep: Custom, generators: tuple[Matrix, ...], images: tuple[Matrix, ...], wanted: tuple[Matrix, ...]
) -> tuple[Matrix, ...]:
    """The images of ``wanted``, a rearrangement of ``generators``."""
    found: dict[str, Matrix] = {}
    for g, m in zip(generators, images, strict=True):
        if found.setdefault(g.digest, m) != m:
            raise StoreError(f"{rep}: a generator that is listed twice has two different images; list it once")
    return tuple(found[g.digest] for g in wanted)
