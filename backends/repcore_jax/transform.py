"""keep_equivariant: hard projection as the last link of a chain of optax transformations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from repcore import IncompatibleError
from repcore_jax.projector import Projector, as_matrix, projector, working_dtype

__all__ = ["keep_equivariant"]

_LAYOUTS = ("out_in", "in_out")


def keep_equivariant(spaces: Mapping[str, Any], *, layout: str = "out_in") -> Any:
    """Updates u -> P (p + u) - p: after ``optax.apply_updates`` each named parameter lies in its space.

    Put it last in a chain, so that it sees the step that will be taken: the new parameter is the point of the space that
    is nearest to the one the optimiser wanted. A parameter that does not start in the space is in it after one step.
    "In" means to rounding: p + (P (p + u) - p) is computed in the dtype of p.

    Args:
        spaces: path of a parameter -> its space (or basis, plan, projector). A path joins the keys of the pytree with
            ``/``, e.g. ``"dense/kernel"`` or ``"params/layers/0/kernel"``. The ``/value`` at the end that variables of flax.nnx
            and boxed parameters of flax.linen have in some trees and not in others may be given or left out.
        layout: ``"out_in"``: parameters are (..., dim Y, dim X); ``"in_out"``: they are (..., dim X, dim Y), as the kernels of
            flax are. A bias (dim Y,) takes the space ``one >> Y`` in both.

    Returns:
        An ``optax.GradientTransformation`` without state.

    Raises:
        ImportError: optax is not installed.
        IncompatibleError: an unknown layout, a path given twice; in ``init`` and ``update``, a path that the parameters do not
            have, a shape that does not fit, or a complex space on a real parameter.
        ValueError: in ``update``, no ``params`` were given.

    >>> import jax.numpy as jnp, optax, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> params = {"dense": {"kernel": jnp.array([[1.0, 2.0], [3.0, 5.0]])}}
    >>> tx = optax.chain(optax.sgd(0.1), keep_equivariant({"dense/kernel": V >> V}, layout="in_out"))
    >>> updates, _ = tx.update({"dense": {"kernel": jnp.zeros((2, 2))}}, tx.init(params), params)
    >>> optax.apply_updates(params, updates)["dense"]["kernel"].round(5).tolist()
    [[3.0, 0.0], [0.0, 3.0]]
    """
    try:
        import optax
    except ImportError as error:
        raise ImportError("keep_equivariant needs optax: pip install optax (or repcore[jax])") from error
    if layout not in _LAYOUTS:
        raise IncompatibleError(f"layout is {layout!r}; choose one of {', '.join(map(repr, _LAYOUTS))}")
    projectors = {_name(path): projector(space) for path, space in spaces.items()}
    if len(projectors) < len(spaces):
        raise IncompatibleError(f"spaces names a parameter twice, with and without /value: {', '.join(map(repr, spaces))}")

    def check(params: Any) -> None:
        leaves = {_path(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params)}
        for name, project in projectors.items():
            if name not in leaves:
                raise IncompatibleError(
                    f"spaces names {name!r}, which the parameters do not have; they have: {', '.join(leaves)}"
                )
            _checked(leaves[name], name, project, layout)

    def init(params: Any) -> Any:
        check(params)
        return optax.EmptyState()

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        if params is None:
            raise ValueError("keep_equivariant projects params + updates: call update(updates, state, params)")
        check(params)

        def move(path: Any, step: Array, param: Array) -> Array:
            name = _path(path)
            return _move(step, param, name, projectors[name], layout) if name in projectors else step

        return jax.tree_util.tree_map_with_path(move, updates, params), state

    return optax.GradientTransformation(init, update)


def _move(step: Array, param: Array, name: str, project: Projector, layout: str) -> Array:
    work = working_dtype(jnp.asarray(param).dtype, False)
    matrix = _checked(param, name, project, layout)
    wanted = matrix.astype(work) + _turned(jnp.asarray(step).astype(work), layout).reshape(matrix.shape)
    change = project(wanted) - matrix.astype(work)
    return (change.reshape(param.shape) if param.ndim < 2 else _turned(change, layout)).astype(step.dtype)


def _checked(param: Array, name: str, project: Projector, layout: str) -> Array:
    """The parameter as (..., dim Y, dim X)."""
    param = jnp.asarray(param)
    if project.plan.is_complex and not jnp.issubdtype(param.dtype, jnp.complexfloating):
        raise IncompatibleError(
            f"{name!r} is real ({param.dtype}) and the space is complex: use the realified representations "
            "(V.realify()), or a complex parameter"
        )
    note = ", transposed by layout='in_out'," if layout == "in_out" else ""
    matrix = _turned(param, layout)
    if layout == "out_in" and matrix.shape[-2:] == project.shape[::-1] != project.shape:
        raise IncompatibleError(
            f"{name!r} has shape {matrix.shape}, the transpose of a map of this space, (dim Y, dim X) = {project.shape}; "
            "kernels of flax are stored so, say layout='in_out'"
        )
    return as_matrix(matrix, project.shape, f"{name!r}{note}")


def _turned(array: Array, layout: str) -> Array:
    return array.swapaxes(-2, -1) if layout == "in_out" and array.ndim >= 2 else array


def _path(path: Any) -> str:
    return _name(jax.tree_util.keystr(path, simple=True, separator="/"))


def _name(path: str) -> str:
    # The leaves x and x/value are never in one tree, since x is a leaf.
    return path.removesuffix("/value")
