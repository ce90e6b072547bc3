"""Files that a release wrote are read for ever, and written again to the byte: see docs/reference/stability.md.

The files in ``released/`` are never renewed. Where one of these tests fails, the change needs a new format name, and a reader of
the old one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import repcore as rc

FOLDER = Path(__file__).parent / "released"
D4, C6 = rc.dihedral(4), rc.Group(discrete=[[["1/2", "-sqrt(3)/2"], ["sqrt(3)/2", "1/2"]]], name="C6")
SPACES = {
    "so3": rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2,  # elimination over the rational numbers
    "c6": 3 * rc.trivial(C6) + 2 * C6.rep >> C6.rep**2,  # a number field, and several summands
    "d4": rc.regular(D4) + D4.rep >> rc.regular(D4),  # orbits
    "c3": rc.cyclic(3).rep * rc.cyclic(3).rep.conj >> rc.cyclic(3).rep,
    "zero": D4.rep >> D4.rep**2,
}


@pytest.mark.parametrize("name", SPACES)
def test_a_released_basis_is_read_and_written_to_the_byte(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"0.1-{name}.safetensors"
    basis = rc.load(path)
    assert basis == rc.solve(SPACES[name], store=None)
    rc.dump(rc.solve(SPACES[name], store=None), tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_a_released_model_means_the_weights_it_did(tmp_path: Path) -> None:
    path = FOLDER / "0.1-model.safetensors"
    model = rc.load(path)
    rc.dump(model, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    plan = rc.plan(D4.rep * D4.rep >> rc.regular(D4))
    theta = np.arange(plan.dim, dtype=np.float64)
    assert np.array_equal(model.coefficients["fc.weight"], theta)
    weight = model["fc.weight"]
    bound = 8 * plan.dim * np.finfo(np.float64).eps * np.abs(theta).sum()  # the last digits of square roots are the machine's
    assert np.abs(weight - plan.expand(theta)).max() <= bound
