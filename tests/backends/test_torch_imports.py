"""`import repcore_torch` costs little more than `import torch`. Asked of a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("torch")

HEAVY = (
    "jax",
    "matplotlib",
    "networkx",
    "scipy.sparse.csgraph",
    "sympy",
    "torch._dynamo",
    "torch._inductor",
    "torch.distributed.checkpoint",
    "torch.distributed.fsdp",
    "torch.distributed.tensor",
    "torch.onnx",
)


WORK = """
import repcore as rc
R = rc.regular(rc.dihedral(4))
layer = repcore_torch.constrain(torch.nn.Linear(8, 8), "weight", R >> R)
layer(torch.ones(2, 8)).sum().backward()
repcore_torch.penalty(torch.ones(8, 8), R >> R)
"""


def loaded_by(first: str, *steps: str) -> list[set[str]]:
    """The heavy modules that a fresh interpreter has after each step, less those that it had after the first."""
    show = "print(*set(sys.modules) - before)"
    program = "\n".join([first, "import sys", "before = set(sys.modules)", *(f"{step}\n{show}" for step in steps)])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [set(HEAVY).intersection(line.split()) for line in done.stdout.splitlines()]


def test_the_import_is_light_and_so_is_work_with_plain_tensors() -> None:
    imported, worked = loaded_by("import torch", "import repcore_torch", WORK)
    assert imported == set()
    # What solves spaces may load what it needs.
    assert not {name for name in worked if name.startswith(("torch", "jax", "matplotlib"))}


def test_the_check_can_fail() -> None:
    assert loaded_by("", "import json", "import networkx")[1] >= {"networkx"}
