"""`solve`, `plan`, `invariants`: answers that are looked up before they are computed."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from typing import Final

from repcore.basis import EquivariantBasis, compute
from repcore.decompose.together import decompose_reps
from repcore.errors import IncompatibleError, RepcoreWarning, RepresentationError, StoreError
from repcore.plan import Factor, Orbit, Plan, Schur, choose, make_plan, make_schur_plan
from repcore.plan.functions import make_function_plan
from repcore.reps.function_maps import FunctionMaps
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep, trivial
from repcore.solve.budget import Budget, check_budget, physical_memory
from repcore.solve.progress import Report, check_progress, reporting
from repcore.store.canonical import canonical
from repcore.store.disk import Store
from repcore.store.explain import Explanation, explain_space
from repcore.store.files import read_summary
from repcore.store.memo import Memo

__all__ = ["DEFAULT", "StoreLike", "as_basis_of", "explain", "find", "invariants", "keep", "opened", "plan", "solve"]


class _Default(Enum):
    DEFAULT = "DEFAULT"

    def __repr__(self) -> str:
        return self.value


DEFAULT: Final = _Default.DEFAULT
"""``store=DEFAULT``: the store that the environment names, see :class:`Store`."""

StoreLike = Store | str | os.PathLike[str] | _Default | None

# Bytes of exact bases, and of plans, that this process keeps at hand.
_BASES: Memo[EquivariantBasis] = Memo(256 * 2**20)
_PLANS: Memo[Plan] = Memo(256 * 2**20)

_STRUCTURES = ("auto", "orbit", "factor", "schur")


def solve(
    space: Hom,
    *,
    store: StoreLike = DEFAULT,
    memory_limit: int | None = None,
    executor: Executor | None = None,
    progress: bool | Report | None = None,
) -> EquivariantBasis:
    """The canonical exact basis of a space of equivariant maps, with its certificate.

    Looked up in this process, in the store and in its shared layer, in this order, by the digest of the space; solved
    and stored if it is nowhere. What comes back does not depend on where it was found, except that ``basis.steps`` is
    empty for what was read from a file. A cache that is damaged, full or read-only costs a :class:`RepcoreWarning`, never
    the answer.

    Args:
        space: ``X >> Y``.
        store: a :class:`Store`, or the path of its directory; None solves from scratch and stores nothing.
        memory_limit: bytes; a step that is estimated to need more is refused before it allocates. By default the memory of the
            machine. The estimates count what the solve adds to the process, and were fitted to measured peaks: they lie above
            them, by a factor of three at most as a rule, see ``repcore.solve.memory``.
        executor: any ``concurrent.futures.Executor`` that shares independent blocks, and embeddings of a number field, among
            its workers; a pool of processes serves best. The answer is the same, and each worker has the limit for itself.
        progress: None writes a line on stderr that says what is being done, if stderr is a terminal or belongs to a notebook
            and the solve takes longer than two seconds; the line is gone when it returns. False never writes, True also where
            stderr is no terminal. A function is called with a :class:`Progress` at every stage; what it raises ends the solve.

    Raises:
        IncompatibleError: ``space`` is no space, or ``memory_limit``, ``executor`` or ``progress`` is nothing of the above.
        MemoryLimitError: a step would need more memory than allowed; the message says how much.
        SolveError: a block could not be certified.

    >>> import repcore as rc
    >>> V = rc.SO(3).rep
    >>> rc.solve(V * V >> V).dim                   # the cross product
    1
    """
    space = _checked(space)
    check_progress(progress)
    check_budget(memory_limit, executor)
    found = find(space, store=store)
    if found is not None:
        return found
    with reporting(progress, space) as report:
        limit = physical_memory() if memory_limit is None else memory_limit
        basis = as_basis_of(space, compute(_declared(space), Budget(limit, executor, report)))
    keep(basis, opened(store))
    return basis


def keep(basis: EquivariantBasis, store: Store | None) -> None:
    """Store a basis that was solved, and remember it in this process; a store that cannot be written to costs a warning."""
    if store is None:
        return
    try:
        store.put(basis)
    except StoreError as error:
        warnings.warn(f"cache: {error}; the answer is not kept", RepcoreWarning, stacklevel=3)
    _BASES.put((store, basis.space.digest), basis, _basis_bytes(basis))


def find(space: Hom, *, store: StoreLike = DEFAULT) -> EquivariantBasis | None:
    """The basis of a space if it is known already, in this process or in the store; None otherwise."""
    space = _checked(space)
    resolved = opened(store)
    if resolved is None:
        return None
    known = _BASES.get((resolved, space.digest))
    if known is not None:
        return as_basis_of(space, known)
    stored = resolved.get(space)
    if stored is not None:
        _BASES.put((resolved, space.digest), stored, _basis_bytes(stored))
    return stored


def invariants(rep: Rep, *, store: StoreLike = DEFAULT) -> EquivariantBasis:
    """The basis of the invariant vectors of a representation, Hom(1, Y), as maps of shape (dim Y, 1).

    Raises:
        IncompatibleError: ``rep`` is no representation.

    >>> import repcore as rc
    >>> V = rc.symmetric(4).rep
    >>> rc.invariants(V ** 3).dim                  # set partitions of 3 points: the Bell number B(3)
    5
    """
    if not isinstance(rep, Rep):
        raise IncompatibleError(f"rep: expected a representation, got {_kind(rep)}; write invariants(Y), or solve(X >> Y)")
    return solve(trivial(rep.group) >> rep, store=store)


def plan(x: Hom | FunctionMaps | EquivariantBasis | Plan, structure: str = "auto") -> Plan:
    """The plan of a space: frozen arrays that project, expand and apply, in NumPy or in any backend.

    Args:
        x: a space, which is solved or looked up; maps from images, ``rc.functions(...) >> Y``, whose strict maps the plan holds
            in factor blocks; a basis; or a plan, which is returned as it is.
        structure: ``"orbit"`` and ``"factor"`` have coefficients in canonical coordinates, those of the solved basis: orbit asks
            that every block is made of orbits, factor makes all of them dense. ``"schur"`` has coefficients in irrep coordinates
            and a native layer, and asks that X and Y are completely reducible; it projects if they are orthogonal, too.
            ``"auto"`` chooses by predicted cost, as ``rc.explain`` says: canonical coordinates unless a pair of summands is
            large.

    Raises:
        IncompatibleError: ``x`` is none of these, or a plan of another structure than asked for; an unknown structure.
        RepresentationError: a structure that the space does not have: orbit where a generator does not permute the basis, schur
            where X or Y is not completely reducible.

    >>> import repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> rc.plan(V >> V).project([[1.0, 2.0], [3.0, 5.0]]).round(12).tolist()
    [[3.0, 0.0], [0.0, 3.0]]
    >>> rc.plan(V >> V, structure="schur").coordinates
    'irrep'
    """
    if structure not in _STRUCTURES:
        raise IncompatibleError(f"structure is {structure!r}; choose one of {', '.join(map(repr, _STRUCTURES))}")
    if isinstance(x, Plan):
        if structure != "auto" and (x.coordinates == "irrep") != (structure == "schur"):
            raise IncompatibleError(f"x: a plan in {x.coordinates} coordinates, and structure={structure!r}; give the space")
        return x
    if isinstance(x, FunctionMaps):
        return _on_cells(x, structure)
    if not isinstance(x, Hom | EquivariantBasis):
        raise IncompatibleError(f"x: expected a space X >> Y, a basis or a plan, got {_kind(x)}")
    space = x if isinstance(x, Hom) else x.space
    if structure == "schur":
        return _schur(space)
    if structure == "auto" and choose(space).structure == "schur":
        # Not completely reducible, or not orthogonal: the choice that explain announces for this case.
        with suppress(RepresentationError):
            found = _schur(space)
            if found.is_orthonormal:
                return found
    basis = x if isinstance(x, EquivariantBasis) else solve(x)
    known = _PLANS.get((basis.digest, structure == "factor"))
    if known is None:
        known = make_plan(basis, dense=structure == "factor")
        _PLANS.put((basis.digest, structure == "factor"), known, _plan_bytes(known))
    if structure == "orbit" and not all(isinstance(b.structure, Orbit) for b in known.blocks):
        raise RepresentationError(
            f"structure: {space} has maps whose supports overlap, since not every generator permutes the bases up to phases; use "
            'structure="auto", which takes orbits where it can'
        )
    return known


def _on_cells(maps: FunctionMaps, structure: str) -> Plan:
    if structure not in ("auto", "factor"):
        raise RepresentationError(f'structure: maps from images have factor plans, not {structure!r}; use structure="auto"')
    known = _PLANS.get(maps.digest)
    if known is None:
        known = make_function_plan(maps, solve)
        _PLANS.put(maps.digest, known, _plan_bytes(known))
    return known


def _schur(space: Hom) -> Plan:
    known = _PLANS.get((space.digest, "schur"))
    if known is None:
        known = make_schur_plan(_declared(space), lambda reps: decompose_reps(reps, solve))
        _PLANS.put((space.digest, "schur"), known, _plan_bytes(known))
    return known


def explain(space: Hom, *, store: StoreLike = DEFAULT) -> Explanation:
    """How a space will be solved: the summands, the reductions with the unknowns they leave, the route and why.

    Print it. Nothing is solved: the reductions that need no elimination are carried out, the rest is announced.

    Raises:
        IncompatibleError: ``space`` is no space.

    >>> import repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> print(rc.explain(V * V >> V + V, store=None))
    V**2 >> 2*V over D4: maps of shape 4 x 4, 16 unknowns
    split: 1 pair of distinct summands, 8 unknowns
    plan: orbit, every generator permutes the basis up to factors; projecting takes about 0.1 us
    <BLANKLINE>
    pair       copies  step    unknowns  remark
    V**2 >> V  2 x 1   orbits  8 -> 0    2 monomial generators, weights of order 2
    <BLANKLINE>
    V**2 >> V: solved by orbits: no orbit carries a map, the dimension is 0
    """
    space = _checked(space)
    resolved = opened(store)
    place = None if resolved is None else resolved.find(space)
    if place is None:
        return explain_space(space)
    try:
        return explain_space(space, os.fspath(place), read_summary(place).dim)
    except StoreError:
        # Damaged: solve will say so, and solve again.
        return explain_space(space)


def _declared(space: Hom) -> Hom:
    """The canonical form, so that nothing, not even the certificate, depends on the order in which generators were written."""
    try:
        return canonical(space)
    except StoreError:
        # A node of somebody else's: it can be solved, not stored.
        return space


def _checked(space: object) -> Hom:
    if isinstance(space, Hom):
        return space
    repair = "write X >> Y for two representations X and Y"
    if isinstance(space, Rep):
        repair = "for one representation V write V >> V, or invariants(V)"
    if isinstance(space, EquivariantBasis):
        repair = "this one is solved already, its space is basis.space"
    elif isinstance(space, FunctionMaps):
        repair = "its maps of coefficients are .coefficients, and rc.plan and rc.soften take it as it is"
    elif isinstance(getattr(space, "space", None), Hom):
        repair = "its maps are those of its .space"
    raise IncompatibleError(f"space: expected a space of equivariant maps, got {_kind(space)}; {repair}")


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOaeio' else 'a'} {name}"


def opened(store: StoreLike) -> Store | None:
    """The store that an argument ``store=`` means; None where nothing is to be kept.

    Raises:
        IncompatibleError: it is none of what names a store.
    """
    if store is None or isinstance(store, Store):
        return store
    if isinstance(store, _Default):
        try:
            return Store()
        except StoreError as error:
            warnings.warn(f"cache: {error}", RepcoreWarning, stacklevel=3)
            return None
    if not isinstance(store, str | os.PathLike):
        raise IncompatibleError(f"store: expected a Store, a path or None, got {_kind(store)}; write rc.Store(path)")
    return Store(store)


def as_basis_of(space: Hom, basis: EquivariantBasis) -> EquivariantBasis:
    """The same basis, with the very object that was asked for as its space."""
    if basis.space is space:
        return basis
    out = replace(basis, space=space)
    # Known already, and it costs a pass over all entries to compute again.
    object.__setattr__(out, "digest", basis.digest)
    return out


def _basis_bytes(basis: EquivariantBasis) -> int:
    return sum(
        array.nbytes for b in basis.blocks for array in (b.rows, b.cols, b.order, b.basis.rows, b.basis.cols, b.basis.nums)
    )


def _plan_bytes(made: Plan) -> int:
    total = 0
    for b in made.blocks:
        total += sum(a.nbytes for a in (b.rows, b.cols, b.order))
        match b.structure:
            case Orbit(ids, values):
                total += ids.nbytes + values.nbytes
            case Factor(q):
                total += q.nbytes
            case Schur() as s:
                # The same columns again in the coordinates of the panels of the layer.
                total += 3 * (s.rows.nbytes + s.cols.nbytes)
    return total
