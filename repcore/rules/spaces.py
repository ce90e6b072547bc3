"""`space_of`: the space of maps that a weight is read as, for what needs representations and not only a plan."""

from __future__ import annotations

from math import prod

from repcore.errors import RepcoreError
from repcore.reps.cells import spatial_of
from repcore.reps.function_maps import FunctionMaps
from repcore.reps.hom import Hom
from repcore.reps.permutation import grid
from repcore.reps.tree import Rep
from repcore.rules.site import Site
from repcore.store.cached import plan

__all__ = ["space_of"]


def space_of(site: Site) -> Hom | FunctionMaps | None:
    """The space X >> Y whose plan is that of a site: of an exact kernel X * grid >> Y. For authors of adapters.

    Returns:
        The space, or maps from images where the rule says such; None where there is none: for sampled kernels, where only a plan
        was given, and for norms that are replaced.

    >>> import repcore as rc
    >>> C4 = rc.cyclic(4)
    >>> slots = [rc.Slot("conv.weight", "conv", "weight", "conv", (4, 1, 3, 3), ("o", "i", "s", "s"))]
    >>> [str(space_of(site)) for site in rc.resolve({"conv": "1 >> regular"}, slots, C4)]
    ['grid3 >> regular']
    """
    if site.plan is None:
        return None
    maps = getattr(site.rule.maps, "space", site.rule.maps)
    for space in (maps, site.space):
        if isinstance(space, Hom | FunctionMaps) and space.shape == site.plan.shape and plan(space) == site.plan:
            return space
    space = site.space
    size = tuple(n for n, axis in zip(site.slot.shape, site.rule.letters or site.slot.axes, strict=True) if axis == "s")
    if space is None or not size or space.shape[1] * prod(size) != site.plan.shape[1]:
        return None
    spatial = site.rule.spatial if isinstance(site.rule.spatial, Rep) else None
    try:
        cells = grid(space.group, size, spatial=spatial_of(space.group, spatial))
    except RepcoreError:
        return None
    whole = space.domain * cells >> space.codomain
    return whole if plan(whole) == site.plan else None
