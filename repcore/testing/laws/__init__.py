"""Laws: named plain functions in registries, one registry for each kind of thing.

============================  =========================================  ==============================
registry                      its laws take                              all of them at once
============================  =========================================  ==============================
:data:`for_group`             a group                                    :func:`check_group`
:data:`for_rep`               a representation                           :func:`check_rep`
:data:`for_basis`             a solved basis                             :func:`check_basis`
:data:`for_projector`         a plan and its space                       :func:`check_projector`
:data:`for_decomposition`     a decomposition                            :func:`check_decomposition`
:data:`for_store`             a store and a space                        :func:`check_store`
:data:`for_backend`           an executor of a plan, and the plan        :func:`check_backend`
============================  =========================================  ==============================

A law returns nothing and raises AssertionError, naming itself, its equation and a counterexample that can be pasted. Exact laws
compare exactly; the others have a bound that is derived from dtype and size. :func:`assert_equivariant` asks the same of any
function. No law needs hypothesis; what a test wants to parametrise over is a registry::

    @pytest.mark.parametrize("law", laws.for_rep.values(), ids=laws.for_rep)
    def test_my_representation(law):
        law(my_representation)

Packages that add layers, methods or backends register theirs with ``laws.for_backend.register`` and its like.
"""

from repcore.testing.laws.backend import Backend, check_backend, for_backend
from repcore.testing.laws.basis import check_basis, for_basis
from repcore.testing.laws.decomposition import Decomposition, check_decomposition, for_decomposition
from repcore.testing.laws.equivariant import assert_equivariant
from repcore.testing.laws.group import check_group, for_group
from repcore.testing.laws.projector import check_projector, for_projector
from repcore.testing.laws.registry import Law, Laws, broken
from repcore.testing.laws.rep import check_rep, for_rep
from repcore.testing.laws.store import check_store, for_store

__all__ = [
    "Backend",
    "Decomposition",
    "Law",
    "Laws",
    "assert_equivariant",
    "broken",
    "check_backend",
    "check_basis",
    "check_decomposition",
    "check_group",
    "check_projector",
    "check_rep",
    "check_store",
    "for_backend",
    "for_basis",
    "for_decomposition",
    "for_group",
    "for_projector",
    "for_rep",
    "for_store",
]
