"""Dense residues of a matrix, entry by entry."""

from __future__ import annotations

import numpy as np
import pytest

import repcore as rc
from repcore.exact.residues import dense_residues


@pytest.mark.parametrize("dtype", [np.int64, np.float64, object])
def test_an_entry_is_its_value_at_the_root(dtype: type) -> None:
    a = rc.matrix([["sqrt(2)/3", 0, 5], [0, "-1 - sqrt(2)", "1/7"]])
    p = next(a.field.primes(below=2**20))
    for root in a.field.roots(p):
        found = dense_residues(a, p, root, dtype)
        assert found.dtype == dtype
        assert found.shape == a.shape
        for i in range(2):
            for j in range(3):
                coordinates = a.field.coordinates(a[i, j])
                value = sum(c.numerator * pow(c.denominator, -1, p) * pow(root, k, p) for k, c in enumerate(coordinates))
                assert found[i, j] == value % p


def test_a_prime_of_the_denominator_is_refused() -> None:
    with pytest.raises(ZeroDivisionError):
        dense_residues(rc.matrix([["1/7"]]), 7, 1)
