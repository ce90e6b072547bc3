"""Solves spaces with EMLP, in EMLP's own environment: a job on stdin, one line of JSON an answer on stdout.

The group's construction and EMLP's import are reported apart. ``first`` is the first call, with JAX's compilation; ``again`` is
the same call with EMLP's cache of solutions emptied and everything compiled; both are CPU seconds of the process, ``wall`` is
the clock at the first call. Nothing here imports repcore.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any

os.environ.setdefault("TQDM_DISABLE", "1")  # its progress bar fails on today's JAX
start = time.perf_counter()
import emlp.groups  # noqa: E402 (the import is timed)
import jax  # noqa: E402
import numpy as np  # noqa: E402
from emlp.reps import Rep, T  # noqa: E402
from emlp.reps.linear_operators import LazyPerm  # noqa: E402

imported = time.perf_counter() - start


class Declared(emlp.groups.Group):
    """The group that these generators declare."""

    def __init__(self, spec: dict[str, Any]) -> None:
        if "permutations" in spec:
            self.discrete_generators = [LazyPerm(np.array(p)) for p in spec["permutations"]]
            self.is_permutation = True
        else:
            for name, kind in (("discrete", "discrete_generators"), ("lie", "lie_algebra")):
                if spec[name]:
                    real, imaginary = np.array(spec[name]).swapaxes(0, 1)
                    setattr(self, kind, real + 1j * imaginary if imaginary.any() else real)
        super().__init__(spec["name"])


def group_of(spec: Any) -> Any:
    if isinstance(spec, dict):
        return Declared(spec)
    return getattr(emlp.groups, spec[0])(*spec[1:])


def rep_of(groups: list[Any], terms: list[Any]) -> Any:
    """A sum of tensors; with several groups a term is [count, p, q], or [count, (p, q) of each factor]."""
    out = None
    for count, *powers in terms:
        if isinstance(powers[0], int):
            term = T(*powers)(groups[0])
        else:
            term = None
            for group, (p, q) in zip(groups, powers, strict=True):
                if p + q:
                    part = T(p, q)(group)
                    term = part if term is None else term * part
            if term is None:
                term = T(0)(groups[0])
        term = count * term if count > 1 else term
        out = term if out is None else out + term
    return out


def solved(space: Any) -> tuple[int, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    basis = space.equivariant_basis()
    # JAX answers before it has computed.
    jax.block_until_ready([x for x in (basis, *Rep.solcache.values()) if isinstance(x, jax.Array)])
    return int(basis.shape[-1]), time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    job = json.load(sys.stdin)
    start = time.perf_counter()
    groups = [group_of(g) for g in job.get("factors") or [job["group"]]]
    about: dict[str, Any] = {"import": imported, "declare": time.perf_counter() - start}
    if job.get("show"):
        # Row i of a permutation matrix has its 1 in column perm[i].
        dense = [np.asarray(h @ np.eye(groups[0].d)) for h in groups[0].discrete_generators]
        about["permutations"] = [m.argmax(1).tolist() for m in dense]
    about["orthogonal"] = bool(groups[0].is_orthogonal)
    about["d"] = int(groups[0].d)
    print(json.dumps(about), flush=True)
    for given in job["spaces"]:
        answer: dict[str, Any] = {}
        Rep.solcache.clear()
        try:
            x, y = rep_of(groups, given["x"]), rep_of(groups, given["y"])
            trivial = [t[0] for t in given["x"]] == [1] and not any(np.ravel(given["x"][0][1:]))
            space = y if trivial else x >> y
            answer["dim"], answer["wall"], answer["first"] = solved(space)
            if answer["first"] < job["again_below"]:
                Rep.solcache.clear()
                answer["again"] = solved(space)[2]
        except Exception as error:  # whatever it raises is the result
            answer["failed"] = f"{type(error).__name__}: {error}".split("\n")[0][:120]
        answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(answer), flush=True)


main()
