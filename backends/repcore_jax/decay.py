"""`equivariance_decay`: what is not equivariant decays in the step of the optimiser, as the last link of a chain of optax."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

import repcore as rc
from repcore import IncompatibleError
from repcore_jax.projector import working_dtype
from repcore_jax.slots import leaves_of
from repcore_jax.surgery import Symmetry

__all__ = ["equivariance_decay"]

_MODES = ("decay", "proximal", "project")


class _State(NamedTuple):
    step: Array


def equivariance_decay(
    symmetry: Symmetry, weight: Any = 1.0, mode: str = "decay", *, learning_rate: Any = 1.0, every: int = 1, biases: bool = True
) -> Any:
    """Shrink W - P W in each weight that the rules mean, after the step that the chain before takes.

    With eta the learning rate, lambda the weight and R = W - P W of each map of the weight W that the chain arrives at:

    ==============  ==================================================  ==================================================
    mode            W becomes                                           what it does
    ==============  ==================================================  ==================================================
    ``"decay"``     W - min(eta lambda, 1) R                            the ridge: the adaptive scale of Adam does not
                                                                        enter
    ``"proximal"``  P W + max(0, 1 - eta lambda / ||R||_F) R            the group lasso, solved exactly for this step: R
                                                                        becomes zero as a whole and stays there
    ``"project"``   P W                                                 strict; with ``every``, from time to time
    ==============  ==================================================  ==================================================

    Put it last in a chain. It does not see the learning rate of the links before it, so say it here too, or leave it at 1 and let
    ``weight`` be the product. (Loshchilov and Hutter, 2019; Parikh and Boyd, Proximal Algorithms, 6.5.1.)

    Args:
        symmetry: what the weights map, made by :func:`symmetry_of`.
        weight: lambda: a number, a schedule, or a mapping from patterns, as for :func:`regulariser`.
        mode: see above.
        learning_rate: eta: a number or a schedule.
        every: act at each so many steps only; decay and threshold are then multiplied by it.
        biases: whether biases decay.

    Returns:
        An ``optax.GradientTransformation`` whose state is the number of the step.

    Raises:
        ImportError: optax is not installed.
        IncompatibleError: an unknown mode, a negative weight or rate, ``every`` below 1; in ``init`` and ``update``, parameters
            that do not fit. ValueError: in ``update``, no ``params`` were given.

    >>> import jax.numpy as jnp, optax, repcore as rc
    >>> from repcore_jax import symmetry_of
    >>> V = rc.dihedral(4).rep
    >>> params = {"dense": {"kernel": jnp.array([[1.0, 2.0], [2.0, 1.0]])}}
    >>> tx = optax.chain(optax.sgd(0.5), equivariance_decay(symmetry_of(params, {"dense": V >> V}), learning_rate=0.5))
    >>> updates, _ = tx.update({"dense": {"kernel": jnp.zeros((2, 2))}}, tx.init(params), params)
    >>> optax.apply_updates(params, updates)["dense"]["kernel"].round(5).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    try:
        import optax
    except ImportError as error:
        raise ImportError("equivariance_decay needs optax: pip install optax (or repcore[jax])") from error
    if mode not in _MODES:
        raise IncompatibleError(f"mode is {mode!r}; choose one of {', '.join(map(repr, _MODES))}")
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise IncompatibleError(f"every: is {every!r}; give a whole number, at least 1")
    pairs = [(site, P) for site, P in symmetry.projectors if biases or site.slot.role not in ("bias", "shift")]
    sites = [site for site, _ in pairs]
    weights = rc.site_weights(weight, sites, "weight")
    (rate,) = rc.site_weights(learning_rate, sites[:1], "learning_rate") or (1.0,)

    def init(params: Any) -> _State:
        symmetry.check(params)
        return _State(jnp.zeros((), jnp.int32))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, _State]:
        if params is None:
            raise ValueError("equivariance_decay moves params + updates: call update(updates, state, params)")
        leaves, steps = dict(leaves_of(params)), dict(leaves_of(updates))
        eta = rate(state.step) if callable(rate) else rate
        moved: dict[str, Any] = {}
        for (site, P), w in zip(pairs, weights, strict=True):
            p, u = symmetry.checked(site, leaves.get(site.path)), jnp.asarray(steps[site.path])
            work = working_dtype(p.dtype, False)
            W = site.view.read(p.astype(work) + u.astype(work))
            amount = eta * (w(state.step) if callable(w) else w) * every
            change = site.view.write(_shrunk(W - P(W), amount, mode))
            if every > 1:
                change = jnp.where((state.step + 1) % every == 0, change, 0)
            moved[site.path] = (u.astype(work) - change).astype(u.dtype)
        names = [name for name, _ in leaves_of(updates)]
        values, structure = jax.tree_util.tree_flatten(updates)
        out = jax.tree_util.tree_unflatten(structure, [moved.get(n, v) for n, v in zip(names, values, strict=True)])
        return out, _State(state.step + 1)

    return optax.GradientTransformation(init, update)


def _shrunk(R: Array, amount: Any, mode: str) -> Array:
    """What is subtracted."""
    if mode == "project":
        return R
    if mode == "decay":
        return jnp.minimum(amount, 1.0).astype(R.real.dtype) * R
    length = jnp.sqrt((R.conj() * R).real.sum((-2, -1), keepdims=True))
    share = jnp.where(length > 0, amount / jnp.where(length > 0, length, 1), 1)
    return jnp.minimum(share, 1.0).astype(R.real.dtype) * R
