"""`solve_many`: many spaces at once, each distinct one solved once, by the workers of any executor."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, as_completed
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast, overload

from repcore import errors
from repcore.basis import EquivariantBasis, compute
from repcore.errors import IncompatibleError, MemoryLimitError, RepcoreError, SolveError, StoreError
from repcore.exact.grammar import shorten
from repcore.reps.hom import FORMAT, Hom
from repcore.solve.budget import Budget, check_budget, physical_memory
from repcore.solve.progress import Progress, Report, check_progress, reporting
from repcore.store.cached import DEFAULT, StoreLike, as_basis_of, find, keep, opened, solve
from repcore.store.canonical import canonical
from repcore.store.disk import Store
from repcore.store.encode import decode_space, encode_space
from repcore.store.fields import LARGEST, take_dict, take_int, take_text, unique
from repcore.store.files import basis_from_bytes, basis_to_bytes

__all__ = ["solve_many", "solved_task"]

K = TypeVar("K")

Answer = tuple[str, bytes]

# The errors that a worker may name.
_KINDS = {kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RepcoreError)}

# By digest: what to call a space in messages, and the space.
Named = dict[str, tuple[str, Hom]]


@overload
def solve_many(
    spaces: Mapping[K, Hom],
    executor: Executor | None = None,
    *,
    store: StoreLike = DEFAULT,
    memory_limit: int | None = None,
    progress: bool | Report | None = None,
) -> dict[K, EquivariantBasis]: ...
@overload
def solve_many(
    spaces: Sequence[Hom],
    executor: Executor | None = None,
    *,
    store: StoreLike = DEFAULT,
    memory_limit: int | None = None,
    progress: bool | Report | None = None,
) -> tuple[EquivariantBasis, ...]: ...
def solve_many(
    spaces: Mapping[Any, Hom] | Sequence[Hom],
    executor: Executor | None = None,
    *,
    store: StoreLike = DEFAULT,
    memory_limit: int | None = None,
    progress: bool | Report | None = None,
) -> dict[Any, EquivariantBasis] | tuple[EquivariantBasis, ...]:
    """The bases of many spaces, each equal to that of :func:`solve`; equal spaces are solved once.

    What is known, in this process or in the store, is looked up; the rest goes to the workers, one space a task, and comes back
    in whatever order they finish. Each basis is stored as it comes, by this process: workers need neither the store nor
    a common disk, only repcore. They are sent the declaration of a space and answer with the bytes of its basis file, so
    what comes back does not depend on who solved it; ``basis.steps`` is then empty, as for what is read from a file.

    Args:
        spaces: a list of spaces, which is answered by a tuple in its order, or a mapping such as ``spec.maps``, which
            is answered by a dict with its keys.
        executor: any ``concurrent.futures.Executor``: a pool of processes or threads, ``client.get_executor()`` of dask.
            None solves one after another in this process. A space that cannot be declared as data, because somebody
            else's class of representation is in it, is solved in this process, too.
        store: as for :func:`solve`; None looks nothing up and keeps nothing.
        memory_limit: as for :func:`solve`, for each worker; by default the memory of the machine that it is on.
        progress: as for :func:`solve`. With an executor it tells how many spaces are done, as the stage ``"spaces"``.

    Raises:
        IncompatibleError: something else than spaces or an executor is given.
        MemoryLimitError: a space needs more memory than allowed, or a worker has run out of it.
        SolveError: a space could not be certified, or a worker was lost.

    An error names the space that it is about. The rest is then cancelled, and so it is on Ctrl-C; what was solved before stays in
    the store, so a second call goes on from there. Tasks that have begun are not killed: their pool waits for them.

    >>> import repcore as rc
    >>> V = rc.SO(3).rep
    >>> [basis.dim for basis in rc.solve_many([V * V >> V, V >> V, V * V >> V])]
    [1, 1, 1]
    >>> rc.solve_many({"cross": V * V >> V})["cross"].dim
    1
    """
    listed = _listed(spaces)
    check_progress(progress)
    check_budget(memory_limit, executor)
    if executor is not None and not isinstance(executor, Executor):
        repair = "write client.get_executor()" if hasattr(executor, "get_executor") else "write ProcessPoolExecutor(4)"
        raise IncompatibleError(f"executor: expected a concurrent.futures.Executor, got {type(executor).__name__}; {repair}")
    place = opened(store)
    named: Named = {}
    for name, space in listed:
        named.setdefault(space.digest, (name, space))
    if executor is None:
        solved: dict[str, EquivariantBasis] = {}
        for digest, (name, space) in named.items():
            with _naming(name):
                solved[digest] = solve(space, store=place, memory_limit=memory_limit, progress=progress)
    else:
        solved = _shared(named, executor, place, memory_limit, progress)
    bases = tuple(as_basis_of(space, solved[space.digest]) for _, space in listed)
    return dict(zip(spaces, bases, strict=True)) if isinstance(spaces, Mapping) else bases


def solved_task(task: bytes) -> Answer:
    """What a worker does, with plain data in and out.

    Args:
        task: the declaration of a space, as this module writes it.

    Returns:
        ``("", the bytes of its basis file)``, or the name of an error of ``repcore.errors`` and its message. Executors differ in
        which exceptions they can carry from one machine to another.
    """
    try:
        return "", _solved(task)
    except RepcoreError as error:
        return type(error).__name__, str(error).encode()
    except MemoryError:
        return MemoryLimitError.__name__, b"its worker ran out of memory; give memory_limit=, or fewer workers a machine"


def _solved(task: bytes) -> bytes:
    table = take_dict(json.loads(task, object_pairs_hook=unique), "task", "format", "space", "declaration", "memory_limit")
    if table["format"] != FORMAT:
        raise StoreError(f"the worker's repcore writes {FORMAT}, {table['format']!r} was asked for; install the same version")
    space = decode_space(table["declaration"], "task: declaration")
    if space.digest != take_text(table["space"], "task: space"):
        raise StoreError("the worker's repcore reads the declaration as another space; install the same version")
    limit = table["memory_limit"]
    budget = Budget(physical_memory() if limit is None else take_int(limit, "task: memory_limit"))
    return basis_to_bytes(compute(space, budget))


def _task(space: Hom, memory_limit: int | None) -> bytes:
    """A space as plain data; the canonical form, which is what ``rc.solve`` solves."""
    form = canonical(space)
    limit = None if memory_limit is None else min(int(memory_limit), LARGEST)
    table = {"format": FORMAT, "space": form.digest, "declaration": encode_space(form), "memory_limit": limit}
    return json.dumps(table, separators=(",", ":")).encode()


def _shared(
    named: Named, executor: Executor, place: Store | None, memory_limit: int | None, progress: bool | Report | None
) -> dict[str, EquivariantBasis]:
    """The bases by digest: looked up, sent to the workers, or, where that is impossible, solved here."""
    solved: dict[str, EquivariantBasis] = {}
    tasks: dict[str, bytes] = {}
    here: list[str] = []
    for digest, (_, space) in named.items():
        known = find(space, store=place)
        if known is not None:
            solved[digest] = known
            continue
        try:
            tasks[digest] = _task(space, memory_limit)
        except StoreError:
            # A node of somebody else's: its class need not exist where the workers are.
            here.append(digest)
    if tasks:
        with reporting(progress, f"{len(named)} spaces") as report:
            futures: dict[Future[Answer], str] = {}
            try:
                _submit(executor, tasks, futures)
                for future in as_completed(list(futures)):
                    if report is not None:
                        report(Progress("spaces", done=len(tasks) - len(futures), total=len(tasks)))
                    # Forgotten before it is asked: what failed is not asked twice.
                    digest = futures.pop(future)
                    solved[digest] = _received(future, named[digest], place)
            except BaseException as error:
                _cancel(futures, named, place, sweep=isinstance(error, RepcoreError))
                raise
    for digest in here:
        name, space = named[digest]
        with _naming(name):
            solved[digest] = solve(space, store=place, memory_limit=memory_limit, progress=progress)
    return solved


def _submit(executor: Executor, tasks: dict[str, bytes], futures: dict[Future[Answer], str]) -> None:
    """Hand all tasks out. In ``futures``, so that those handed out before an error can be cancelled."""
    for digest, task in tasks.items():
        try:
            futures[executor.submit(solved_task, task)] = digest
        except BrokenExecutor:
            # A worker was lost already: the futures that were made before say for which space.
            if futures:
                return
            raise SolveError("executor: it has lost a worker before, and takes no work; give another") from None
        except RuntimeError as error:
            raise IncompatibleError(f"executor: takes no work: {error}; give one that is not shut down") from error


def _received(future: Future[Answer], of: tuple[str, Hom], place: Store | None) -> EquivariantBasis:
    """The basis that a worker has sent, stored."""
    name, space = of
    with _naming(name):
        try:
            kind, data = future.result()
        except (BrokenExecutor, CancelledError) as error:
            raise SolveError(
                f"its worker was lost, or its task cancelled ({type(error).__name__}: {error}); what was solved is kept"
            ) from error
        except Exception as error:
            # Nothing that a task does by itself: no repcore where the worker is, say, or an answer that it cannot send.
            raise SolveError(f"its worker failed with {type(error).__name__}: {error}") from error
        if kind:
            raise _KINDS.get(kind, SolveError)(data.decode())
        basis = basis_from_bytes(data, space=space, where="what its worker sent")
    keep(basis, place)
    return basis


def _cancel(futures: dict[Future[Answer], str], named: Named, place: Store | None, *, sweep: bool) -> None:
    """Let go of what has not begun; ``sweep`` keeps what has come back meanwhile."""
    for future in futures:
        future.cancel()
    for future, digest in futures.items():
        if sweep and future.done() and not future.cancelled():
            with suppress(RepcoreError):
                _received(future, named[digest], place)


@contextmanager
def _naming(name: str) -> Generator[None]:
    """Begin the message of an error with the name of the space that it is about."""
    try:
        yield
    except RepcoreError as error:
        error.args = (f"{name}: {error}", *error.args[1:])
        raise


def _listed(spaces: object) -> list[tuple[str, Hom]]:
    """The spaces, and what messages call each of them."""
    pairs: list[tuple[object, object]]
    if isinstance(spaces, Mapping):
        pairs = list(cast(Mapping[object, object], spaces).items())
    elif isinstance(spaces, Sequence) and not isinstance(spaces, str | bytes):
        pairs = list(enumerate(cast(Sequence[object], spaces)))
    else:
        raise IncompatibleError(
            f"spaces: expected a list of spaces, or a mapping of names to spaces, got {type(spaces).__name__}; write [X >> Y]"
        )
    out: list[tuple[str, Hom]] = []
    for key, value in pairs:
        name = f"spaces[{key!r}]"
        if not isinstance(value, Hom):
            raise IncompatibleError(f"{name}: expected a space of equivariant maps, got {type(value).__name__}; write X >> Y")
        out.append((f"{name}, {shorten(str(value), 100)}", value))
    return out
