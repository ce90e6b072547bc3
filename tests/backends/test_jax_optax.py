"""keep_equivariant in the company of other transformations, and through checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

import repcore_jax as rcj  # noqa: E402

D4 = rc.dihedral(4)
R, one = rc.regular(D4), rc.trivial(D4)
KERNEL, BIAS = rcj.projector(2 * R >> R), rcj.projector(one >> R)
SPACES = {"dense/kernel": KERNEL, "dense/bias": BIAS}
EPS = float(np.finfo(np.float32).eps)
ALLOWED = 4 * 8 * 16 * EPS


def start() -> Any:
    rng = np.random.default_rng(0)
    kernel, head = (jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in ((8, 16), (1, 8)))
    return {"dense": {"kernel": kernel, "bias": jnp.zeros(8)}, "head": {"kernel": head}}


def loss(params: Any) -> Any:
    x = jnp.asarray(np.random.default_rng(1).standard_normal((32, 16)), jnp.float32)
    hidden = jnp.tanh(x @ params["dense"]["kernel"].T + params["dense"]["bias"])
    return ((hidden @ params["head"]["kernel"].T - x[:, :1]) ** 2).mean()


def step_of(tx: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
    @jax.jit
    def step(params: Any, state: Any) -> tuple[Any, Any]:
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    return step


def train(tx: Any, steps: int = 4) -> tuple[Any, Any]:
    params, step = start(), step_of(tx)
    state = tx.init(params)
    for _ in range(steps):
        params, state = step(params, state)
    return params, state


def kept(params: Any) -> bool:
    pairs = [(params["dense"]["kernel"], KERNEL), (params["dense"]["bias"], BIAS)]
    return all(bool(jnp.linalg.norm(leaf - project(leaf)) <= ALLOWED * jnp.linalg.norm(leaf)) for leaf, project in pairs)


def dense_only(params: Any) -> Any:
    return {"dense": {"kernel": True, "bias": True}, "head": {"kernel": False}} if params is not None else None


LABELS = {"dense": {"kernel": "even", "bias": "even"}, "head": {"kernel": "free"}}
CHAINS = {
    "last link": lambda: optax.chain(optax.adam(0.05), rcj.keep_equivariant(SPACES)),
    "weight decay": lambda: optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(0.05), rcj.keep_equivariant(SPACES)),
    "masked": lambda: optax.chain(optax.adam(0.05), optax.masked(rcj.keep_equivariant(SPACES), dense_only)),
    "by label": lambda: optax.multi_transform(
        {"even": optax.chain(optax.adam(0.05), rcj.keep_equivariant(SPACES)), "free": optax.sgd(0.1)}, LABELS
    ),
    "several steps": lambda: optax.MultiSteps(optax.chain(optax.adam(0.05), rcj.keep_equivariant(SPACES)), every_k_schedule=2),
}


@pytest.mark.parametrize("make", CHAINS.values(), ids=CHAINS)
def test_the_weights_stay_in_their_spaces(make: Callable[[], Any]) -> None:
    before = start()
    params, _ = train(make())
    assert not kept(before)
    assert kept(params)
    assert loss(params) < loss(before)
    assert not jnp.array_equal(params["head"]["kernel"], before["head"]["kernel"])


def test_between_two_steps_of_several_nothing_moves() -> None:
    tx = CHAINS["several steps"]()
    params, _ = train(tx, steps=1)
    assert all(bool(jnp.array_equal(a, b)) for a, b in zip(*map(jax.tree_util.tree_leaves, (params, start())), strict=True))


def test_a_parameter_that_is_missing_in_an_update_is_no_silent_miss() -> None:
    tx = rcj.keep_equivariant(SPACES)
    state = tx.init(start())
    rest = {"head": start()["head"]}
    with pytest.raises(rc.IncompatibleError, match=r"'dense/kernel'.*head/kernel"):
        tx.update(rest, state, rest)
    with pytest.raises(rc.IncompatibleError, match="twice"):
        rcj.keep_equivariant({"w": KERNEL, "w/value": KERNEL})


@pytest.mark.parametrize("make", [CHAINS["last link"], CHAINS["several steps"]], ids=["last link", "several steps"])
def test_an_orbax_checkpoint_goes_on_where_it_stopped(make: Callable[[], Any], tmp_path: Path) -> None:
    ocp = pytest.importorskip("orbax.checkpoint")
    tx = make()
    params, state = train(tx)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "step", {"params": params, "state": state})
        checkpointer.wait_until_finished()
        empty = jax.eval_shape(lambda: {"params": start(), "state": tx.init(start())})
        back = checkpointer.restore(tmp_path / "step", empty)
    assert equal(back, {"params": params, "state": state})
    assert equal(step_of(tx)(back["params"], back["state"]), step_of(tx)(params, state))


def test_a_safetensors_checkpoint_goes_on_where_it_stopped(tmp_path: Path) -> None:
    files = pytest.importorskip("safetensors.flax")
    tx = CHAINS["last link"]()
    whole = train(tx)
    leaves = jax.tree_util.tree_leaves_with_path(whole)
    files.save_file({jax.tree_util.keystr(path): leaf for path, leaf in leaves}, str(tmp_path / "step.safetensors"))
    found = files.load_file(str(tmp_path / "step.safetensors"))
    empty = jax.eval_shape(lambda: (start(), tx.init(start())))
    back = jax.tree_util.tree_map_with_path(lambda path, _: found[jax.tree_util.keystr(path)], empty)
    assert equal(back, whole)
    assert equal(step_of(tx)(*back), step_of(tx)(*whole))


def equal(left: Any, right: Any) -> bool:
    same = jax.tree_util.tree_structure(left) == jax.tree_util.tree_structure(right)
    pairs = zip(jax.tree_util.tree_leaves(left), jax.tree_util.tree_leaves(right), strict=True)
    return same and all(a.dtype == b.dtype and bool(jnp.array_equal(a, b)) for a, b in pairs)
