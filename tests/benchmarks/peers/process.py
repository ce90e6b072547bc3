"""One worker process: a job in, answers out, ended when an answer takes too long or needs too much memory."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, TextIO

HERE = Path(__file__).resolve().parent
REPCORE = HERE / "repcore_worker.py"
EMLP = HERE / "emlp_worker.py"

# One thread a process, for both sides.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "TQDM_DISABLE": "1",
}
_STARTUP = 120.0


def answers(python: str, script: Path, job: dict[str, Any], *, limit: float, memory_mb: float) -> Iterator[dict[str, Any]]:
    """What a worker prints, line by line; ends with ``{"failed": ...}`` when it is stopped or dies.

    ``limit`` is in CPU seconds, so that other work on the machine takes nothing away from a worker; it holds for each answer,
    not for the start. ``memory_mb`` holds for the resident memory of the process.
    """
    with subprocess.Popen(
        [python, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **_ENVIRONMENT},
    ) as process:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise RuntimeError("a worker without pipes")
        lines: Queue[str | None] = Queue()
        errors: list[str] = []
        Thread(target=_forward, args=(process.stdout, lines), daemon=True).start()
        Thread(target=errors.extend, args=(process.stderr,), daemon=True).start()
        try:
            process.stdin.write(json.dumps(job))
            process.stdin.close()
            allowed = _STARTUP
            expected = 1 + len(job.get("spaces", [None]))
            while expected:
                line = _next(lines, process.pid, allowed, memory_mb)
                if isinstance(line, dict):
                    yield line
                    return
                if line is None:
                    process.wait()
                    last = errors[-1].strip()[:120] if errors else ""
                    yield {"failed": f"the process ended with status {process.returncode} {last}".strip()}
                    return
                expected -= 1
                # A second run comes only after one shorter than again_below.
                allowed = max(limit, 2 * job["again_below"])
                yield json.loads(line)
        finally:
            process.kill()


def _forward(stream: TextIO, lines: Queue[str | None]) -> None:
    for line in stream:
        if line.startswith("{"):
            lines.put(line)
    lines.put(None)


def _next(lines: Queue[str | None], pid: int, allowed: float, memory_mb: float) -> str | dict[str, Any] | None:
    # A worker that sleeps spends no CPU time: the clock on the wall ends that.
    end, start = time.monotonic() + 10 * allowed, _cpu_seconds(pid)
    while time.monotonic() < end and _cpu_seconds(pid) - start < allowed:
        try:
            return lines.get(timeout=0.2)
        except Empty:
            if _resident_mb(pid) > memory_mb:
                return {"failed": f"more than {memory_mb / 1024:.0f} GB of memory"}
    return {"failed": f"not in {allowed:.0f} s"}


def _cpu_seconds(pid: int) -> float:
    try:
        # After the name, which may hold anything, in parentheses: fields 3 and on; 14 and 15 are user and system ticks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
