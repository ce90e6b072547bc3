"""`measure`: how equivariant a function of parameters is, end to end on data and weight by weight over the whole group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import repcore as rc
from repcore import IncompatibleError
from repcore_jax.slots import leaves_of
from repcore_jax.surgery import Symmetry, symmetry_of

__all__ = ["measure"]


def measure(
    f: Callable[[Any, Any], Any],
    params: Any,
    rep_in: rc.Rep,
    rep_out: rc.Rep,
    data: Any,
    rules: Any = None,
    *,
    symmetry: rc.Spec | rc.Group | None = None,
    samples: int = 64,
    seed: int = 0,
    reach: float = 1.0,
    attribute: bool = True,
    batch_size: int = 1024,
) -> rc.Report:
    """How equivariant f(params, .) is: f(rho_X(g) x) against rho_Y(g) f(x), and each weight W against its projection P W.

    End to end, on the data and on random elements g, with a standard error; then weight by weight, over the whole group and not
    sampled. A weight that is not equivariant is replaced by its projection alone, and the error measured again with the same g
    and data: ``report.culprit`` is the one whose projection lowers it most, and ``report.projected`` is what is left with all of
    them replaced, which comes from what is between them.

    Args:
        f: ``f(params, x)`` takes a batch like ``data`` and returns an array (n, ...), such as ``model.apply``; pass it jitted.
        params: any pytree; it is not changed.
        rep_in: X, of one row of the data.
        rep_out: Y, of one row of the output; ``trivial(G)`` for an invariant model, ``10 * trivial(G)`` for ten scores.
        data: an array (N, ...), each row a vector of X when it is flattened: images (N, H, W, C) for
            ``rc.grid(G, (H, W)) * Y`` with dim Y = C. In the dtype that f takes.
        rules: what the weights map, as for :func:`symmetry_of`, or such a :class:`Symmetry`. Left out, no weights are measured.
        symmetry: what names in texts mean.
        samples: elements; a finite group of at most so many is taken whole.
        seed: of the elements.
        reach: of the elements of a group that is not compact, see ``repcore.sample``.
        attribute: whether to replace weights by their projections one by one.
        batch_size: rows in one call of f. All batches but the last have this size, so that f is compiled at most twice.

    Returns:
        A frozen ``repcore.Report``; print it, ``plot()`` it, or take ``to_dict()``.

    Raises:
        IncompatibleError, SpecError: as ``repcore.measure`` and :func:`symmetry_of`.

    Cost: (samples + 2) calls of f on the data, and (samples + 1) more for each weight that is not equivariant.

    >>> import numpy as np, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> params, x = {"dense": {"kernel": np.array([[1.0, 2.0], [3.0, 5.0]])}}, np.eye(2)
    >>> report = measure(lambda p, x: x @ p["dense"]["kernel"], params, V, V, x, {"dense": V >> V})
    >>> report.culprit.path, round(report.culprit.without, 6)
    ('dense/kernel', 0.0)
    """
    if not callable(f):
        raise IncompatibleError(f"f: expected a function of parameters and a batch, got {type(f).__name__}")
    try:
        array = jnp.asarray(data)
    except (TypeError, ValueError) as error:
        raise IncompatibleError(f"data: no numbers, but {type(data).__name__}; give an array (N, ...): {error}") from None
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        raise IncompatibleError(f"data: has dtype {array.dtype}; moved vectors are not whole, so give floating point or complex")
    made = rules if rules is None or isinstance(rules, Symmetry) else symmetry_of(params, rules, symmetry=symmetry)
    sites = [] if made is None else list(made.sites)
    views = {site.path: site.view for site in sites}
    leaves = {path: jnp.asarray(leaf) if path in views else leaf for path, leaf in leaves_of(params)}

    def call(these: Any) -> Callable[[Any], Any]:
        return lambda x: _array(f(these, jnp.asarray(x, array.dtype)))

    def replaced(maps: Mapping[str, Any]) -> Callable[[Any], Any]:
        weights: dict[str, Any] = {}
        for path, m in maps.items():
            view: Any = views[path]
            weights[path] = jnp.asarray(view.write(m), leaves[path].dtype)
        values, structure = jax.tree_util.tree_flatten(params)
        these = [weights.get(path, v) for path, v in zip(leaves, values, strict=True)]
        return call(jax.tree_util.tree_unflatten(structure, these))

    probes = [rc.probe(site, _array(leaves[site.path]), float(jnp.finfo(leaves[site.path].dtype).eps)) for site in sites]
    report = rc.measure(
        call(params),
        rep_in,
        rep_out,
        _array(array),
        samples=samples,
        seed=seed,
        reach=reach,
        batch_size=batch_size,
        unit=float(jnp.finfo(array.dtype).eps),
        probes=[p for p in probes if p is not None],
        replaced=replaced if attribute else None,
        unmeasured=[site.path for site, p in zip(sites, probes, strict=True) if p is None],
    )
    return replace(report, dtype=str(array.dtype))


def _array(x: Any) -> Any:
    """As an array of NumPy; shorter dtypes than float32 become that, without loss."""
    found = jnp.asarray(x)
    short = jnp.issubdtype(found.dtype, jnp.floating) and jnp.finfo(found.dtype).bits < 32
    return np.asarray(found.astype(jnp.float32) if short else found)
