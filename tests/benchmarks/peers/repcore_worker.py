"""Solves spaces with repcore in a process of its own: a job on stdin, one line of JSON an answer on stdout.

``first`` and ``again`` are CPU seconds of this one thread, ``wall`` is the clock at the first call. The time for importing
repcore, and for declaring the group, is reported apart. What repcore imports while it solves for the first time counts as
solving.
"""

from __future__ import annotations

import json
import resource
import sys
import time

start = time.perf_counter()
import repcore as rc  # noqa: E402 (the import is timed)

imported = time.perf_counter() - start

import cases  # noqa: E402
import emlp_tests  # noqa: E402


def timed(space: rc.Hom) -> tuple[rc.EquivariantBasis, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    basis = rc.solve(space, store=None)
    return basis, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    job = json.load(sys.stdin)
    start = time.perf_counter()
    if "case" in job:
        case = next(c for c in cases.CASES if c.name == job["case"])
        group, spaces = case.group(), [{"x": case.x, "y": case.y}]
    else:
        group, spaces = emlp_tests.declared(job["group"]), job["spaces"]
    declared = time.perf_counter() - start
    print(json.dumps({"import": imported, "declare": declared}), flush=True)
    for space in spaces:
        if "factors" in job:
            hom = emlp_tests.product_hom(group, space)
        else:
            hom = cases.rep(group, space["x"]) >> cases.rep(group, space["y"])
        try:
            basis, wall, cpu = timed(hom)
        except rc.RepcoreError as error:
            print(json.dumps({"failed": f"{type(error).__name__}: {error}"[:160]}), flush=True)
            continue
        answer = {
            "dim": basis.dim,
            "unknowns": hom.shape[0] * hom.shape[1],
            "certificate": basis.certificate.status,
            "first": cpu,
            "wall": wall,
            "route": [f"{s.name} {s.before}>{s.after}" for s in basis.steps[-4:]],
        }
        if cpu < job["again_below"]:
            answer["again"] = timed(hom)[2]
        if job.get("verify"):
            answer["verified"] = str(rc.verify(basis, count_limit=2500)).splitlines()
        answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(answer), flush=True)


main()
