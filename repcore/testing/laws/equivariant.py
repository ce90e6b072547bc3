"""Equivariance of any function, linear or not, of NumPy, torch or JAX, within a bound that rounding allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import factorial, sqrt
from typing import Any

import numpy as np

from repcore import IncompatibleError, Rep, to_orthonormal
from repcore.testing.element import Element
from repcore.testing.laws.arrays import Array, converter, to_numpy
from repcore.testing.laws.registry import broken
from repcore.testing.laws.rounding import norm, unit

__all__ = ["assert_equivariant"]

# Points and order of the difference table of the noise estimate; directions of the Lipschitz estimate.
_POINTS, _ORDER, _DIRECTIONS = 7, 4, 3
# Dense layers as wide as X and Y that the default number of operations stands for.
_LAYERS = 16


def assert_equivariant(
    f: Callable[[Any], Any],
    X: Rep,
    Y: Rep,
    *,
    samples: int = 8,
    seed: int = 0,
    dtype: Any = None,
    like: Any = None,
    batch: tuple[int, ...] = (),
    operations: int | None = None,
) -> None:
    """Assert that f(rho_X(g) x) = rho_Y(g) f(x), for every generator g and some random products of generators.

    f takes an array of shape ``(*batch, dim X)`` and returns one of shape ``(*batch, dim Y)``; it need not be linear. A Lie
    generator A acts by exp(t A) with the t of :class:`Element`. Labelled irreps are in their orthonormal convention, as in plans
    and layers.

    The bound on the norm of f(x') - rho_Y(g) f(x) with x' = rho_X(g) x, where u is the unit roundoff of the coarser of the dtypes
    of argument and result, and all norms are Euclidean over the whole batch::

        c u (L' |rho_X| |x| + |f(x')| + |rho_Y| (L |x| + |f(x)|)) + 8 (n' + |rho_Y| n)

    - c is the number of ``operations``: the argument, the constants inside f and every intermediate result are rounded, and a
      chain of c rounded operations is off by c u relative to the size of what it carries.
    - L and L' are the Lipschitz constants of f around x and x', estimated as sqrt(dim) times the largest of some difference
      quotients ``|f(x + h d) - f(x)| / |h d|`` with random directions d and h = sqrt(u): on average the square of the quotient is
      the squared Frobenius norm of the Jacobian over dim, and that norm bounds the spectral one. They carry the rounding of
      rho_X(g) x through f.
    - n and n' are the computational noise of f at x and x': the standard deviation of its rounding errors, read off the fourth
      differences of f at seven points a few u apart, where a smooth function has none (More and Wild, Estimating Computational
      Noise, SIAM J. Sci. Comput. 33, 2011). They cover chains inside f that are longer than ``operations``; 8 is for the
      tail, since a Gaussian error exceeds 8 standard deviations once in 10^15.

    Args:
        f: the function. It must give the same result when it is called twice: switch dropout off first.
        X: the representation on the argument.
        Y: the representation on the result; ``trivial(G)`` for an invariant function.
        samples: random products of two to four generators, beside every single generator.
        seed: of products and arguments.
        dtype: of the argument; that of ``like``, of the parameters of f if it is a module of torch, or float64. Say so if f works
            in a shorter dtype than it returns: rounding to a coarser grid looks constant from nearby.
        like: an array of the framework, dtype and device that f wants. Left out, NumPy arrays are passed, which functions of
            JAX take, and tensors to modules of torch.
        batch: leading axes of the argument.
        operations: c; by default 16 (dim X + dim Y + 4), sixteen dense layers as wide as X and Y.

    Raises:
        AssertionError: a defect above the bound. The message has g as a word in the generators and x, both as code; single
            generators and unit vectors are tried first, so that the counterexample is small.
        IncompatibleError: representations of different groups, a result of another shape, a function that is not
            deterministic, or a dtype in which the bound is as large as what it bounds.

    Cost: about 20 calls of f for each g.

    >>> import numpy as np, repcore as rc
    >>> from repcore.testing import laws
    >>> V = rc.SO(3).rep
    >>> laws.assert_equivariant(lambda x: x * np.sum(x * x), V, V)
    >>> laws.assert_equivariant(lambda x: np.maximum(x, 0), V, V)
    Traceback (most recent call last):
        ...
    AssertionError: law assert_equivariant is broken: f(rho_X(g) x) = rho_Y(g) f(x)
        from repcore import *; from repcore.testing import Element
        X = SO(3).rep
        Y = SO(3).rep
        g = Element(SO(3), [(0, 1)])
        x = array([1., 0., 0.])
        ...
    """
    if not callable(f):
        raise IncompatibleError(f"f: expected a function, got {type(f).__name__}; write assert_equivariant(f, X, Y)")
    for name, rep in (("X", X), ("Y", Y)):
        if not isinstance(rep, Rep):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise IncompatibleError(
                f"{name}: expected a representation, got {type(rep).__name__}; write assert_equivariant(f, X, Y)"
            )
    if X.group != Y.group:
        raise IncompatibleError(f"X, Y: representations of different groups, {X.group} and {Y.group}")
    if samples < 0:
        raise IncompatibleError(f"samples: a count >= 0, got {samples}")
    count = _LAYERS * (X.dim + Y.dim + 4) if operations is None else operations
    rng = np.random.default_rng(seed)
    function = _Function(f, converter(f, like, dtype), (*batch, Y.dim), count, rng)
    is_complex = any(not m.field.is_real for m in X.matrices)
    for g in _elements(X, samples, rng):
        on_x, on_y = (to_orthonormal(g.array(v), v, v) for v in (X, Y))
        x = rng.standard_normal((*batch, X.dim)) + (1j * rng.standard_normal((*batch, X.dim)) if is_complex else 0)
        if function.test(x, on_x, on_y).holds:
            continue
        for simple in (*_units(X.dim, batch), x):
            found = function.test(simple, on_x, on_y)
            if not found.holds:
                raise broken(
                    "assert_equivariant",
                    "f(rho_X(g) x) = rho_Y(g) f(x)",
                    X=X,
                    Y=Y,
                    g=g,
                    x=simple,
                    defect=found.defect,
                    bound=found.bound,
                    size_of_f=found.size,
                    bound_from=found.terms,
                )


@dataclass(frozen=True)
class _Found:
    """The outcome for one g and one x."""

    defect: float
    bound: float
    size: float
    terms: dict[str, float]

    @property
    def holds(self) -> bool:
        """False for a defect that is not a number, too."""
        return self.defect <= self.bound


@dataclass(frozen=True)
class _Function:
    """f between NumPy arrays, and what is known of its accuracy."""

    f: Callable[[Any], Any]
    give: Callable[[Array], Any]
    shape: tuple[int, ...]
    operations: int
    rng: np.random.Generator

    def __call__(self, x: Array) -> tuple[Array, float]:
        """f(x) in double precision, and the unit roundoff of its dtypes."""
        given = self.give(x)
        found = to_numpy(self.f(given))
        if found.shape != self.shape:
            raise IncompatibleError(f"f: returned an array of shape {found.shape}, expected (*batch, dim Y) = {self.shape}")
        u = max(unit(to_numpy(given).dtype), unit(found.dtype))
        u = max(u, 2.0**-8) if "bfloat16" in str(getattr(given, "dtype", "")) else u
        return found.astype(np.complex128 if np.iscomplexobj(found) else np.float64), u

    def test(self, x: Array, on_x: Array, on_y: Array) -> _Found:
        x = to_numpy(self.give(x)).astype(x.dtype)  # what f sees; the rest is done in double precision
        moved = x @ on_x.T
        value, u = self(x)
        repeated = norm(self(x)[0] - value)
        if repeated > self.operations * u * (norm(x) + norm(value)):
            raise IncompatibleError(
                f"f: two calls with the same argument differ by {repeated:.1e}; switch off what is random (dropout: f.eval())"
            )
        again, _ = self(moved)
        defect = norm(again - value @ on_y.T)
        size_x, size_y = (float(np.linalg.norm(m, 2)) if m.size else 0.0 for m in (on_x, on_y))
        slope, noise = self.lipschitz(x, value, u), self.noise(x, u)
        slope_there, noise_there = self.lipschitz(moved, again, u), self.noise(moved, u)
        scale = slope_there * size_x * norm(x) + norm(again) + size_y * (slope * norm(x) + norm(value))
        rounding = self.operations * u * scale
        measured = 8 * (noise_there + size_y * noise)
        terms = {"u": u, "operations": float(self.operations), "scale": scale, "noise": measured}
        if rounding + measured > scale / 8:
            raise IncompatibleError(
                f"dtype: with unit roundoff {u:.1e} and {self.operations} operations the bound is as large as the values; "
                "use a longer dtype, or give the number of operations"
            )
        return _Found(defect, rounding + measured, norm(value), {k: float(f"{v:.3g}") for k, v in terms.items()})

    def lipschitz(self, x: Array, value: Array, u: float) -> float:
        """sqrt(dim) times the largest difference quotient over some directions."""
        if not x.size:
            return 0.0
        h = sqrt(u) * max(norm(x), 1.0) / sqrt(x.size)
        found = 0.0
        for _ in range(_DIRECTIONS):
            moved = x + h * self._direction(x)
            step = norm(to_numpy(self.give(moved)).astype(moved.dtype) - x)
            if step:
                found = max(found, norm(self(moved)[0] - value) / step)
        return sqrt(x.size) * found

    def noise(self, x: Array, u: float) -> float:
        """The standard deviation of the rounding errors of f around x, as the norm over all entries."""
        if not x.size:
            return 0.0
        d = self._direction(x) * (4 * u * max(norm(x), u) / sqrt(x.size))
        table = np.stack([self(x + k * d)[0] for k in range(_POINTS)])
        differences = np.diff(table, _ORDER, axis=0)
        gamma = factorial(_ORDER) ** 2 / factorial(2 * _ORDER)
        return sqrt(gamma * norm(differences) ** 2 / len(differences))

    def _direction(self, x: Array) -> Array:
        real = self.rng.standard_normal(x.shape)
        return real + 1j * self.rng.standard_normal(x.shape) if np.iscomplexobj(x) else real


def _elements(rep: Rep, samples: int, rng: np.random.Generator) -> Iterator[Element]:
    """Every generator alone, then random words of two to four letters."""
    group = rep.group
    count = len(group.generators)
    for i in range(count):
        yield Element(group, [(i, 1)])
    for _ in range(samples if count else 0):
        letters = rng.integers(count, size=int(rng.integers(2, 5)))
        yield Element(group, [(int(i), int(rng.choice([-1, 1]))) for i in letters])


def _units(n: int, batch: tuple[int, ...]) -> Iterator[Array]:
    """Unit vectors, the same one along the whole batch."""
    for i in range(n):
        yield np.broadcast_to(np.eye(n)[i], (*batch, n)).copy()
