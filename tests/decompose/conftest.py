"""What a decomposition has to be, by other code than the library's: dense floats, and class functions of finite groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import repcore as rc

# repcore.reps.scales is the boundary between exact matrices and floats.
from repcore.reps.scales import to_orthonormal


def floats(rep: rc.Rep, i: int) -> np.ndarray[Any, Any]:
    """The image of generator i in the coordinates of U."""
    return to_orthonormal(rep.matrix(i).to_numpy(), rep, rep)


def words(rep: rc.Rep, count: int = 12) -> Iterator[tuple[np.ndarray[Any, Any], float]]:
    """Random elements of the group, and what the rounding in them is relative to.

    An element is a product of discrete generators and of exponentials of Lie generators; rounding is relative to the product of
    the norms of the factors.
    """
    from scipy.linalg import expm

    rng = np.random.default_rng(5)
    n_discrete = len(rep.group.discrete)
    images = [floats(rep, i) for i in range(len(rep.group.generators))]
    for _ in range(count):
        g = np.eye(rep.dim, dtype=np.result_type(np.float64, *images))
        size = 1.0
        for i in rng.integers(0, max(1, len(images)), 6 if images else 0):
            factor = images[i] if i < n_discrete else expm(rng.normal() / 2 * images[i])
            size *= np.linalg.norm(factor, 2)
            g = g @ factor
        yield g, size


def block_form(found: rc.Decomposition, g: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """D(g): the matrix of the first copy of each component, repeated."""
    r = found.U_inverse @ g @ found.U
    out = np.zeros_like(r)
    start = 0
    for c in found:
        d = c.irrep.dim
        for a in range(c.multiplicity):
            at = start + a * d
            out[at : at + d, at : at + d] = r[start : start + d, start : start + d]
        start += c.dim
    return out


def checked(rep: rc.Rep, found: rc.Decomposition | None = None) -> rc.Decomposition:
    """The laws that every decomposition obeys; returns it."""
    found = found or rc.decompose(rep)
    n = rep.dim
    assert sum(c.dim for c in found) == n
    assert found.dim_commutant == rc.solve(rep >> rep).dim
    u, back = found.U, found.U_inverse
    assert u.shape == (n, n)
    room = 64 * n * 2.0**-53
    scale = np.linalg.norm(u, 2) * np.linalg.norm(back, 2)
    assert np.abs(back @ u - np.eye(n)).max() < room * scale
    if found.is_orthogonal:
        assert np.abs(back - u.conj().T).max() == 0
    for g, size in words(rep):
        # What computing g and the product below rounds on its own, on top of what is proved.
        allowed = found.residual * max(1.0, np.linalg.norm(g, 2)) + room * size * scale
        assert np.linalg.norm(g @ u - u @ block_form(found, g), 2) <= allowed
    for c in found:
        check_endomorphisms(c)
    return found


def check_endomorphisms(c: rc.Component) -> None:
    """1, and antisymmetric orthogonal matrices with the relations of C or H."""
    d, e = c.irrep.dim, c.irrep.endomorphisms
    room = 64 * d * 2.0**-53
    t = len(e)
    assert np.array_equal(e[0], np.eye(d))
    for i in range(t):
        for j in range(t):
            product = e[i].conj().T @ e[j]
            assert abs(np.trace(product) / d - (i == j)) < room
            if i and j:
                expected = -2 * np.eye(d) * (i == j)
                assert np.abs(e[i] @ e[j] + e[j] @ e[i] - expected).max() < room


Check = Callable[..., rc.Decomposition]


@pytest.fixture
def check() -> Check:
    """``check(V)`` decomposes V, checks the laws by independent code and returns the decomposition."""
    return checked
