"""Parameters as flax.linen, flax.nnx and Equinox hold them: projected, penalised, kept equivariant."""

from __future__ import annotations

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
EPS = float(np.finfo(np.float32).eps)
ALLOWED = 4 * 8 * 16 * EPS


def kept(leaf: Any, project: Any) -> bool:
    return bool(jnp.linalg.norm(leaf - project(leaf)) <= ALLOWED * jnp.linalg.norm(leaf))


def paths(tree: Any) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape for path, leaf in leaves}


def data() -> tuple[Any, Any]:
    x = np.random.default_rng(0).standard_normal((32, 16)).astype(np.float32)
    return x, jnp.sin(x[:, :8])


def penalised(kernel: Any, bias: Any) -> Any:
    return rcj.penalty(kernel, KERNEL, "fro2") + rcj.penalty(bias, BIAS, "fro2")


def test_flax_linen() -> None:
    nn = pytest.importorskip("flax.linen")
    x, y = data()
    model = nn.Sequential([nn.Dense(8), nn.relu])
    variables = model.init(jax.random.key(0), x)
    assert paths(variables) == {"params/layers_0/bias": (8,), "params/layers_0/kernel": (16, 8)}
    spaces = {"params/layers_0/kernel": KERNEL, "params/layers_0/bias": BIAS}
    tx = optax.chain(optax.adam(0.05), rcj.keep_equivariant(spaces, layout="in_out"))

    @jax.jit
    def step(variables: Any, state: Any) -> Any:
        def loss(variables: Any) -> Any:
            dense = variables["params"]["layers_0"]
            return ((model.apply(variables, x) - y) ** 2).mean() + penalised(dense["kernel"].T, dense["bias"])

        value, grads = jax.value_and_grad(loss)(variables)
        updates, state = tx.update(grads, state, variables)
        return optax.apply_updates(variables, updates), state, value

    state, values = tx.init(variables), []
    for _ in range(3):
        variables, state, value = step(variables, state)
        values.append(float(value))
    dense = variables["params"]["layers_0"]
    assert kept(dense["kernel"].T, KERNEL)
    assert kept(dense["bias"], BIAS)
    assert values[-1] < values[0]


def test_a_boxed_parameter_of_linen() -> None:
    nn = pytest.importorskip("flax.linen")
    init = nn.with_partitioning(nn.initializers.lecun_normal(), (None, "model"))
    boxed = nn.Dense(8, kernel_init=init).init(jax.random.key(0), jnp.ones((1, 16)))
    assert paths(boxed) == {"params/bias": (8,), "params/kernel/value": (16, 8)}
    tx = rcj.keep_equivariant({"params/kernel": KERNEL}, layout="in_out")
    updates, _ = tx.update(jax.tree_util.tree_map(jnp.ones_like, boxed), tx.init(boxed), boxed)
    assert kept(optax.apply_updates(boxed, updates)["params"]["kernel"].value.T, KERNEL)


@pytest.mark.parametrize("names", [("kernel", "bias"), ("kernel/value", "bias/value")], ids=["bare", "value"])
def test_flax_nnx(names: tuple[str, str]) -> None:
    nnx = pytest.importorskip("flax.nnx")
    x, y = data()
    model = nnx.Linear(16, 8, rngs=nnx.Rngs(0))
    assert paths(nnx.state(model, nnx.Param)) == {"bias/value": (8,), "kernel/value": (16, 8)}
    spaces = dict(zip(names, (KERNEL, BIAS), strict=True))
    # The optimiser calls init with variables, at kernel/value, and update with bare arrays, at kernel.
    optimizer = nnx.Optimizer(model, optax.chain(optax.adam(0.05), rcj.keep_equivariant(spaces, layout="in_out")), wrt=nnx.Param)

    @nnx.jit
    def step(model: Any, optimizer: Any) -> Any:
        def loss(model: Any) -> Any:
            return ((model(x) - y) ** 2).mean() + penalised(model.kernel[...].T, model.bias[...])

        value, grads = nnx.value_and_grad(loss)(model)
        optimizer.update(model, grads)
        return value

    values = [float(step(model, optimizer)) for _ in range(3)]
    assert values[-1] < values[0]
    assert kept(model.kernel[...].T, KERNEL)
    assert kept(model.bias[...], BIAS)
    graph, state = nnx.split(model)
    merged = nnx.merge(graph, jax.tree_util.tree_map(lambda leaf: leaf, state))
    assert jnp.array_equal(merged(x), model(x))


def test_equinox() -> None:
    eqx = pytest.importorskip("equinox")
    x, y = data()
    model = eqx.nn.MLP(16, 8, 8, 1, key=jax.random.key(0))
    params, static = eqx.partition(model, eqx.is_array)
    assert paths(params)["layers/0/weight"] == (8, 16)
    # A weight of equinox is (out, in), as a map is; this one starts in the space.
    params = eqx.tree_at(lambda model: model.layers[0].weight, params, replace_fn=KERNEL)
    spaces = {"layers/0/weight": KERNEL, "layers/0/bias": BIAS}
    tx = optax.chain(optax.adam(0.05), rcj.keep_equivariant(spaces))

    @jax.jit
    def step(params: Any, state: Any) -> Any:
        def loss(params: Any) -> Any:
            first = params.layers[0]
            return ((jax.vmap(eqx.combine(params, static))(x) - y) ** 2).mean() + penalised(first.weight, first.bias)

        value, grads = jax.value_and_grad(loss)(params)
        updates, state = tx.update(grads, state, params)
        return eqx.apply_updates(params, updates), state, value

    state, values = tx.init(params), []
    for _ in range(3):
        params, state, value = step(params, state)
        values.append(float(value))
    assert values[-1] < values[0]
    assert kept(params.layers[0].weight, KERNEL)
    assert kept(params.layers[0].bias, BIAS)
    assert not kept(params.layers[1].weight @ jnp.eye(8, 16), KERNEL)
