"""Laws of a store: what is put is found, unchanged."""

from __future__ import annotations

from repcore import Hom, Store, solve
from repcore.testing.laws.registry import Laws, broken

__all__ = ["check_store", "for_store"]

for_store = Laws("store")


def check_store(store: Store, space: Hom) -> tuple[str, ...]:
    """Check every law of :data:`for_store` with the basis of a space, which the store then holds; returns their names.

    Raises:
        AssertionError: a law does not hold; with its name and a counterexample that can be pasted.

    >>> import tempfile, repcore as rc
    >>> from repcore.testing import laws
    >>> V = rc.dihedral(4).rep
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     "what_is_put_is_found" in laws.check_store(rc.Store(folder), V >> V)
    True
    """
    return for_store.check(store, space)


@for_store.register
def what_is_put_is_found(store: Store, space: Hom) -> None:
    """get(space) = basis after put(basis): every element, the field, the certificate."""
    basis = solve(space, store=None)
    store.put(basis)
    back = store.get(space)
    if (
        back is None
        or back != basis
        or list(back) != list(basis)
        or back.field != basis.field
        or back.certificate != basis.certificate
    ):
        raise broken("what_is_put_is_found", "store.get(space) == basis", store=store, space=space, found=back)


@for_store.register
def digests_are_stable(store: Store, space: Hom) -> None:
    """digest(get(space)) = digest(solve(space)), and solving twice gives the same."""
    first, second = solve(space, store=None), solve(space, store=None)
    store.put(first)
    back = store.get(space)
    found = [first.digest, second.digest, None if back is None else back.digest]
    if len(set(found)) != 1:
        raise broken("digests_are_stable", "digest(get(space)) = digest(solve(space))", store=store, space=space, digests=found)


@for_store.register
def putting_twice_changes_nothing(store: Store, space: Hom) -> None:
    """put(put(basis)) = put(basis): the same file with the same bytes, and no other entry."""
    basis = solve(space, store=None)
    path = store.put(basis)
    before, count = path.read_bytes(), len(store.entries())
    again = store.put(basis)
    if again != path or again.read_bytes() != before or len(store.entries()) != count:
        raise broken("putting_twice_changes_nothing", "put(basis); put(basis)", store=store, space=space, files=(path, again))
