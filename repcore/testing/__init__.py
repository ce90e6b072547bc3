"""The public test kit: strategies for hypothesis, and laws for pytest alone.

``laws`` says what is true of groups, representations, bases, plans, stores, backends and functions, and needs nothing but
repcore. The strategies (:func:`groups`, :func:`reps`, :func:`elements`, ...) draw what to check it on, and need hypothesis
(``pip install 'repcore[test]'``); they are loaded when they are first asked for. Where repcore is installed,
``hypothesis.strategies.from_type`` knows its types. A test of all representations of a group::

    from hypothesis import given
    from repcore.testing import laws, reps

    @given(reps(my_group))
    def test_my_group(V):
        laws.check_rep(V)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from repcore.testing import laws
from repcore.testing.element import Element

if TYPE_CHECKING:
    from repcore.testing.strategies import (
        elements,
        equivariant_maps,
        finite_matrix_groups,
        groups,
        homs,
        lie_groups,
        matrices,
        numbers,
        permutation_groups,
        reps,
        vectors,
    )

__all__ = [
    "Element",
    "elements",
    "equivariant_maps",
    "finite_matrix_groups",
    "groups",
    "homs",
    "laws",
    "lie_groups",
    "matrices",
    "numbers",
    "permutation_groups",
    "reps",
    "vectors",
]


def __getattr__(name: str) -> Any:
    # The strategies are looked up when they are asked for, so that the laws do not need hypothesis.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("repcore.testing.strategies"), name)


def __dir__() -> list[str]:
    return list(__all__)
