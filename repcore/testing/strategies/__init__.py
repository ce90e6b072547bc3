"""Strategies of hypothesis for groups, representations, elements, spaces, vectors and maps. Needs hypothesis."""

from importlib import import_module

try:
    import_module("hypothesis")
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "the strategies of repcore.testing need hypothesis: pip install 'repcore[test]'; repcore.testing.laws works without",
        name="hypothesis",
    ) from error

from repcore.testing.strategies.elements import elements, equivariant_maps, matrices, numbers, registered, vectors
from repcore.testing.strategies.groups import finite_matrix_groups, groups, lie_groups, permutation_groups
from repcore.testing.strategies.reps import homs, reps

__all__ = [
    "elements",
    "equivariant_maps",
    "finite_matrix_groups",
    "groups",
    "homs",
    "lie_groups",
    "matrices",
    "numbers",
    "permutation_groups",
    "registered",
    "reps",
    "vectors",
]
