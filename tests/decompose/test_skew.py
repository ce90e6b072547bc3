"""Groups that are not compact, in skewed bases: no invariant form, no set closed under transposing, and completely reducible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import repcore as rc

Check = Callable[..., rc.Decomposition]


def skewed(group: rc.Group, change: list[list[int]]) -> rc.Group:
    p = rc.matrix(change)
    back = rc.matrix(np.array(p.to_sympy().inv().tolist(), dtype=object))
    return rc.Group(discrete=[p @ g @ back for g in group.discrete], lie=[p @ a @ back for a in group.lie])


FOUR = [[1, 1, 0, 0], [0, 1, 2, 0], [0, 0, 1, 1], [1, 0, 0, 1]]
LORENTZ = skewed(rc.lorentz(), FOUR)
FULL = skewed(rc.lorentz(full=True), FOUR)
SP4 = skewed(rc.Sp(4), FOUR)
DIAGONAL = rc.Group(discrete=[[[2, 1], [0, 3]]])
SPIRAL = rc.Group(discrete=[[[1, -5], [1, 3]]])

CASES = {
    "Lorentz": (LORENTZ.rep**2, [(1, 1, "real"), (1, 6, "complex"), (1, 9, "real")]),
    "Lorentz, Alt": (LORENTZ.rep.alt(2), [(1, 6, "complex")]),
    "full Lorentz": (FULL.rep**2, [(1, 1, "real"), (1, 6, "real"), (1, 9, "real")]),
    "Sp(4)": (SP4.rep**2, [(1, 1, "real"), (1, 5, "real"), (1, 10, "real")]),
    "two eigenvalues": (DIAGONAL.rep**3, [(1, 1, "real"), (1, 1, "real"), (3, 1, "real"), (3, 1, "real")]),
    "a sum": (DIAGONAL.rep**2 + DIAGONAL.rep, [(1, 1, "real")] * 4 + [(2, 1, "real")]),
    "a spiral": (SPIRAL.rep**3, [(1, 2, "complex"), (3, 2, "complex")]),
}


@pytest.mark.parametrize("name", CASES)
def test_decompositions(name: str, check: Check) -> None:
    rep, expected = CASES[name]
    found = check(rep)
    assert sorted((c.multiplicity, c.irrep.dim, c.irrep.type) for c in found) == expected
    assert not found.is_orthogonal
    assert found.residual < 1e-7


def test_exact_projectors_do_not_need_a_form() -> None:
    rep = LORENTZ.rep**2
    projectors = [c.projector for c in rc.decompose(rep)]
    assert all(p @ p == p and all(p @ m == m @ p for m in rep.matrices) for p in projectors)
    assert (projectors[0] + projectors[1] + projectors[2]).is_identity


def test_there_is_no_gram_matrix() -> None:
    with pytest.raises(rc.RepresentationError, match="no inner product is known"):
        rc.gram(LORENTZ.rep)
    with pytest.raises(rc.RepresentationError, match="not compact"):
        rc.gram(rc.lorentz().rep)
