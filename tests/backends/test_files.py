"""A basis written by one framework and read by the other is the same basis, bit by bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc

pytest.importorskip("torch")
pytest.importorskip("jax")

import repcore_jax as rcj
import repcore_torch as rct

SPACES = {
    "orbits": lambda: rc.dihedral(4).rep ** 2 >> 2 * rc.dihedral(4).rep ** 2,
    "factors": lambda: rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2,
    "complex": lambda: rc.Group(discrete=[[["I", 0], [0, "-I"]]]).rep >> rc.Group(discrete=[[["I", 0], [0, "-I"]]]).rep,
}


def arrays(plan: rc.Plan) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for block in plan.blocks:
        structure: Any = block.structure
        inner = [structure.q] if isinstance(structure, rc.Factor) else [structure.ids, structure.values]
        found += [block.rows, block.cols, block.order, *inner]
    return found


@pytest.mark.parametrize("name", SPACES)
def test_torch_and_jax_read_each_other(name: str, tmp_path: Path) -> None:
    space = SPACES[name]()
    rct.save(rct.Projector(space), tmp_path / "torch.safetensors")
    rcj.save(rcj.projector(space), tmp_path / "jax.safetensors")
    assert (tmp_path / "torch.safetensors").read_bytes() == (tmp_path / "jax.safetensors").read_bytes()
    left, right = rcj.load(tmp_path / "torch.safetensors"), rct.load(tmp_path / "jax.safetensors")
    fresh = rc.plan(space)
    assert left.plan == right.plan == fresh
    for a, b, c in zip(arrays(left.plan), arrays(right.plan), arrays(fresh), strict=True):
        assert a.dtype == b.dtype == c.dtype
        assert a.tobytes() == b.tobytes() == c.tobytes()
