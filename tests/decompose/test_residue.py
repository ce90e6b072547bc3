"""The bound on rounding bounds: against exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from repcore.decompose.draws import draw
from repcore.decompose.residue import residue


def exact(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([[Fraction(x) for x in row] for row in a]) @ np.array([[Fraction(x) for x in row] for row in b])


@pytest.mark.parametrize("size", [1, 2, 7, 20])
@pytest.mark.parametrize("spread", [1, 2**40])
def test_the_error_is_within_the_bound(size: int, spread: int) -> None:
    rng = np.random.default_rng(size)
    a, b = (rng.normal(size=(size, size)) * rng.choice([1, 1 / spread], (size, size)) for _ in range(2))
    target, weights = rng.normal(size=(size, size)), rng.integers(-9, 9, size).astype(float)
    found, bound = residue(a, b, [(target, weights), (a @ b, np.ones(size))])
    true = exact(a, b) - exact(a @ b, np.eye(size)) - exact(target, np.diag(weights))
    error = float(sum((Fraction(x) - y) ** 2 for x, y in zip(found.ravel(), true.ravel(), strict=True))) ** 0.5
    assert error <= bound
    # And it is a sharp bound: a few units in the last place, not in size.
    assert bound <= 64 * 2.0**-53 * (np.linalg.norm(a) * np.linalg.norm(b) + np.linalg.norm(target * weights))


def test_a_residual_of_rounding_is_seen_as_it_is() -> None:
    """A B minus the float product: what is left is the rounding of the product, found to several digits."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30, 30))
    product = a @ b
    found, bound = residue(a, b, [(product, np.ones(30))])
    true = (exact(a, b) - exact(product, np.eye(30))).astype(float)
    assert bound > 0
    assert np.linalg.norm(found - true) <= bound < 2.0**-40
    assert np.linalg.norm(found - true) < 0.1 * np.linalg.norm(true)


def test_complex_products() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6)) for _ in range(2))
    found, bound = residue(a, b, [(a @ b, np.ones(6))])
    assert np.linalg.norm(found) < 2.0**-45
    assert bound < 2.0**-45
    shifted, _ = residue(a, b, [(a @ b + 1j, np.ones(6))])
    assert np.abs(shifted + 1j).max() < 2.0**-45


def test_draws_are_what_they_were() -> None:
    """Pinned: another stream is another basis for everyone."""
    assert draw(2, "0-0").tolist() == draw(4, "0-0")[:2].tolist()
    assert [round(x, 6) for x in draw(2, "pinned").tolist()] == PINNED
    assert draw(3, "x", is_complex=True).dtype == np.complex128


PINNED = [0.653839, 0.993524]
