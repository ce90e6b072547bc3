"""Laws of a backend: whatever executes a plan agrees with the plan's own NumPy executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from repcore import Hom, Plan, plan
from repcore.testing.laws.arrays import Array, converter, to_numpy
from repcore.testing.laws.registry import Laws, broken
from repcore.testing.laws.rounding import norm, of_a_verb, unit

__all__ = ["Backend", "check_backend", "for_backend"]

for_backend = Laws("backend")


class Backend(Protocol):
    """What a backend offers: the verbs of one plan, on arrays of its framework with leading batch axes."""

    def project(self, weight: Any, /) -> Any:
        """P W: (..., dim Y, dim X) to the same."""
        ...

    def coefficients(self, weight: Any, /) -> Any:
        """<B_a, W>: (..., dim Y, dim X) to (..., dim)."""
        ...

    def expand(self, theta: Any, /) -> Any:
        """sum_a theta_a B_a: (..., dim) to (..., dim Y, dim X)."""
        ...


def check_backend(backend: Backend, made: Plan | Hom, *, dtype: Any = None, like: Any = None) -> tuple[str, ...]:
    """Check every law of :data:`for_backend` on an object with ``project``, ``coefficients`` and ``expand``; returns their names.

    Args:
        backend: the executor of the plan.
        made: the plan, or a space that is planned here.
        dtype: of the weights; that of ``like``, or float64.
        like: an array of the backend's framework, dtype and device; NumPy if left out.

    Raises:
        AssertionError: a law does not hold; with its name, the defect and the bound.

    >>> import repcore as rc
    >>> from repcore.testing import laws
    >>> V = rc.dihedral(4).rep
    >>> reference = rc.plan(V >> V * V * V)
    >>> laws.check_backend(reference, reference)
    ('project_agrees', 'coefficients_agree', 'expand_agrees', 'the_dtype_is_kept')
    """
    return for_backend.check(backend, plan(made), dtype=dtype, like=like)


@for_backend.register
def project_agrees(backend: Backend, made: Plan, *, dtype: Any = None, like: Any = None) -> None:
    """project(W) = P W, as NumPy computes it in float64."""
    _agrees("project_agrees", backend.project, made, made.project, made.shape, dtype, like)


@for_backend.register
def coefficients_agree(backend: Backend, made: Plan, *, dtype: Any = None, like: Any = None) -> None:
    """coefficients(W)_a = <B_a, W>, as NumPy computes it in float64."""
    _agrees("coefficients_agree", backend.coefficients, made, made.coefficients, made.shape, dtype, like)


@for_backend.register
def expand_agrees(backend: Backend, made: Plan, *, dtype: Any = None, like: Any = None) -> None:
    """expand(theta) = sum_a theta_a B_a, as NumPy computes it in float64."""
    _agrees("expand_agrees", backend.expand, made, made.expand, (made.dim,), dtype, like)


@for_backend.register
def the_dtype_is_kept(backend: Backend, made: Plan, *, dtype: Any = None, like: Any = None) -> None:
    """dtype(project(W)) = dtype(W), complex where the plan is."""
    give = converter(backend, like, dtype)
    w = give(_draw(made, made.shape))
    kept = backend.project(w).dtype
    if kept != w.dtype:
        raise broken("the_dtype_is_kept", "project(W).dtype == W.dtype", given=str(w.dtype), found=str(kept))


def _agrees(
    law: str,
    verb: Callable[[Any], Any],
    made: Plan,
    reference: Callable[[npt.ArrayLike], Array],
    shape: tuple[int, ...],
    dtype: Any,
    like: Any,
) -> None:
    give = converter(verb, like, dtype)
    given = give(_draw(made, (2, 3, *shape)))
    seen = to_numpy(given)
    found, expected = to_numpy(verb(given)), reference(seen.astype(np.complex128 if made.is_complex else np.float64))
    if found.shape != expected.shape:
        raise broken(law, "shapes agree", found=found.shape, expected=expected.shape)
    # Both sides round: the backend in the dtype, the reference in float64.
    allowed = (of_a_verb(made, seen.dtype) + of_a_verb(made, np.float64) + unit(seen.dtype)) * norm(seen)
    defect = norm(found - expected)
    if not defect <= allowed:
        raise broken(law, "backend(x) = reference(x)", shape=made.shape, dim=made.dim, defect=defect, bound=allowed)


def _draw(made: Plan, shape: tuple[int, ...]) -> Array:
    rng = np.random.default_rng(0)
    real = rng.standard_normal(shape)
    return real + 1j * rng.standard_normal(shape) if made.is_complex else real
