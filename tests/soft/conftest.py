"""What the tests of softness have in common: spaces by name, and the constraint written out as one dense matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import repcore as rc

Array = npt.NDArray[Any]


def product_rep() -> rc.Rep:
    G = rc.SO(2) @ rc.symmetric(3)
    turn, points = (rc.lift(f.rep, G) for f in G.factors)
    return turn * points


COMPACT: dict[str, Callable[[], rc.Rep]] = {
    "C3": lambda: rc.regular(rc.cyclic(3)),
    "C4": lambda: rc.grid(rc.cyclic(4), 3),
    "D4": lambda: rc.dihedral(4).rep ** 2,
    "S4": lambda: rc.symmetric(4).rep + rc.trivial(rc.symmetric(4)),
    "Q8": lambda: rc.quaternion().rep,
    "SO(2)": lambda: rc.SO(2).rep ** 2 + rc.SO(2).rep,
    "O(2)": lambda: rc.O(2).rep ** 2,
    "SO(3)": lambda: rc.SO(3).rep ** 2,
    "O(3)": lambda: rc.irreps_from("1x0o+1x1o+1x1e+1x2e", rc.O(3)),
    "O(5)": lambda: rc.O(5).rep + rc.trivial(rc.O(5)),
    "SU(2)": lambda: rc.SU(2).rep ** 2,
    "U(2)": lambda: rc.U(2).rep.realify(),
    "SO(2) x S3": product_rep,
}


@pytest.fixture(params=COMPACT)
def compact(request: pytest.FixtureRequest) -> rc.Hom:
    """X >> X for an orthogonal or unitary X."""
    X = COMPACT[request.param]()
    return X >> X


def images(rep: rc.Rep) -> list[Array]:
    """The images of the generators, in the coordinates of weights."""
    return [np.asarray(rc.to_orthonormal(m.to_numpy(), rep, rep)) for m in rep.matrices]


def constraint(space: rc.Hom, scale: float = 1.0) -> Array:
    """The stacked constraint on row-major vectors, (generators dim Y dim X, dim Y dim X), for generators divided by ``scale``."""
    n, m = space.shape
    pairs = zip(images(space.codomain), images(space.domain), strict=True)
    return np.concatenate([np.kron(a, np.eye(m)) - np.kron(np.eye(n), b.T) for a, b in pairs]) / scale


def random_map(space: rc.Hom, seed: int = 0) -> Array:
    """A random map, complex where the space is."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal(space.shape)
    is_complex = any(not m.field.is_real for x in (space.domain, space.codomain) for m in x.matrices)
    return w + 1j * rng.standard_normal(space.shape) if is_complex else w


def element(g: rc.Word, rep: rc.Rep) -> Array:
    """The matrix of a group element."""
    return g.act(rep, np.eye(rep.dim)).T


def rounding(w: Array) -> float:
    """What some hundred operations on the entries of w may round off: the bound of a product of matrices, times the norm."""
    return 256 * w.shape[-1] * float(np.finfo(w.dtype).eps) * float(np.linalg.norm(w))
