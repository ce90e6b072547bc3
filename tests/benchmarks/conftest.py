"""What the benchmarks share: a function of a file, run in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """``fresh("measure", *arguments)``: what that function of the test's file returns, in a new process with an empty cache, on
    one thread."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # XLA has threads of its own.
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
        "REPCORE_CACHE": str(tmp_path / "cache"),
    }

    def call(name: str, *arguments: Any) -> Any:
        file = os.fspath(request.path)
        code = f"import json, runpy; f = runpy.run_path({file!r})[{name!r}]; print(json.dumps(f(*{arguments!r})))"
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    return call
