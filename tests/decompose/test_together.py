"""Schur's lemma: in aligned bases every equivariant map is block scalar."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import repcore as rc

Check = Callable[..., rc.Decomposition]

D4, O3, S4, SO2, Q8, SU2 = rc.dihedral(4), rc.O(3), rc.symmetric(4), rc.SO(2), rc.quaternion(), rc.SU(2)

PAIRS = {
    "SO(3)": (rc.SO(3).rep ** 2, rc.SO(3).rep + rc.SO(3).rep.sym(2) + rc.trivial(rc.SO(3))),
    "permutations": (S4.rep**2, rc.regular(S4) + S4.rep),
    "complex type": (SO2.rep**3 + SO2.rep, SO2.rep**3),
    "quaternionic type": (rc.regular(Q8), Q8.rep**2 + Q8.rep),
    "over C": (SU2.rep**3, SU2.rep + SU2.rep.sym(3)),
    "labelled": (rc.irreps_from("2x0e+3x1o+1x2e", O3), rc.irrep(O3, "1o") * rc.irrep(O3, "2e")),
    "not orthogonal": (rc.symmetric(3).rep.sym(2), rc.symmetric(3).rep + rc.trivial(rc.symmetric(3))),
    "noncompact": (rc.lorentz().rep ** 2, rc.lorentz().rep.alt(2) + rc.trivial(rc.lorentz())),
    "real and complex parts": (SU2.rep.conj * SU2.rep, 2 * rc.trivial(SU2) + SU2.rep.sym(2)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_every_map_is_block_scalar(name: str, check: Check) -> None:
    V, W = PAIRS[name]
    first, second = rc.decompose_together((V, W))
    check(V, first)
    check(W, second)
    parts = [(a, b) for a in first for b in second if a.irrep is b.irrep]
    basis = rc.solve(V >> W)
    t = {a.irrep: len(a.irrep.endomorphisms) for a, _ in parts}
    assert basis.dim == sum(a.multiplicity * b.multiplicity * t[a.irrep] for a, b in parts)
    for m in basis.to_numpy(orthonormal=True):
        left = m.copy()
        for a, b in parts:
            d = a.irrep.dim
            x, y = (_dense(c) for c in (a.basis, b.dual_basis))
            block = (y.conj().T @ m @ x).reshape(b.multiplicity, d, a.multiplicity, d)
            units = a.irrep.endomorphisms
            scalars = np.einsum("spq,bpaq->bas", units.conj(), block) / d
            assert np.abs(np.einsum("bas,spq->bpaq", scalars, units) - block).max() < 1e-11
            left = left - _dense(b.basis) @ (y.conj().T @ m @ x) @ _dense(a.dual_basis).conj().T
        assert np.abs(left).max() < 1e-11


def test_the_bug_that_once_was() -> None:
    """Irreducibles that are missing in a piece must not be found there by rounding."""
    V, one, R = D4.rep, rc.trivial(D4), rc.regular(D4)
    found = rc.decompose_together([V * R, R, V, V * V, one])
    assert [len(d) for d in found] == [5, 5, 1, 4, 1]
    assert found[0][0].irrep is found[4][0].irrep is found[1][0].irrep
    assert {c.irrep for c in found[3]} == {c.irrep for c in found[1] if c.irrep.dim == 1}


def test_irreps_decomposed_together_are_one_object() -> None:
    V = rc.SO(3).rep
    square, vector, one = rc.decompose_together((V * V, V, rc.trivial(rc.SO(3))))
    assert square[0].irrep is one[0].irrep
    assert square[1].irrep is vector[0].irrep
    assert rc.decompose(V)[0].irrep is not vector[0].irrep


def test_sums_are_sparse_and_never_expanded() -> None:
    """2,000 copies: the basis has as many entries as the pieces together."""
    V = rc.SO(3).rep
    found = rc.decompose(2000 * V)
    assert [(c.multiplicity, c.irrep.dim) for c in found] == [(2000, 3)]
    assert found[0].basis.nnz <= 2000 * 9
    assert found[0].basis.shape == (6000, 6000)


def test_the_basis_is_the_same_in_another_process() -> None:
    """Same bytes on one platform; no seed, no hash order."""
    import hashlib
    import subprocess
    import sys

    code = (
        "import hashlib, repcore as rc\n"
        "d = rc.decompose(rc.symmetric(4).rep ** 3)\n"
        "print(hashlib.sha256(d.U.tobytes()).hexdigest())"
    )
    here = hashlib.sha256(rc.decompose(rc.symmetric(4).rep ** 3).U.tobytes()).hexdigest()
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_first_copies_follow_the_pivot_rule() -> None:
    """Rows at the pivots are lower triangular with a positive diagonal, so that the basis is a function of the subspace."""
    for c in rc.decompose(S4.rep**2):
        d = c.irrep.dim
        if c.multiplicity > 1:
            continue
        b = _dense(c.basis)[:, :d]
        b = b[np.abs(b).max(axis=1) > 0]  # the coordinates of its orbit
        count = 0
        for row in b:
            if count < d and abs(row[count]) > np.sqrt(0.37 / len(b)):
                assert row[count] > 0
                assert np.abs(row[count + 1 :]).max(initial=0) < 1e-12
                count += 1
        assert count == d


def _dense(b: object) -> np.ndarray:
    return b.toarray() if hasattr(b, "toarray") else np.asarray(b)


def test_one_representation_is_no_list_of_them() -> None:
    V = rc.dihedral(4).rep
    with pytest.raises(rc.IncompatibleError, match=r"reps: expected a list of representations, got Defining; write \[V, W\]"):
        rc.decompose_together(V)  # type: ignore[arg-type]
