"""Surgery on pytrees of JAX: whole sets of parameters by rules, as pure functions."""

import re

import numpy as np
import pytest

import repcore as rc

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402  (the import that is to be skipped stands before)
import optax  # noqa: E402

import repcore_jax as rcj  # noqa: E402

D4 = rc.dihedral(4)
V, ONE, R = D4.rep, rc.trivial(D4), rc.regular(D4)
EPS = float(jnp.finfo(jnp.float32).eps)


def params(seed=0):
    random = np.random.default_rng(seed)

    def draw(*shape):
        return jnp.asarray(random.normal(size=shape), jnp.float32)

    return {
        "Conv_0": {"kernel": draw(3, 3, 1, 16), "bias": draw(16)},
        "Dense_0": {"kernel": draw(16, 2), "bias": draw(2)},
        "free": [draw(3), draw(4)],
    }


RULES = {"Conv_0": "1 >> 2*regular", "Dense_0": "2*regular >> V"}


def apply(p, x):
    """Images (B, 9, 9, 1) to a vector, as flax would compute it."""
    y = jax.lax.conv_general_dilated(x, p["Conv_0"]["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return jax.nn.relu(y + p["Conv_0"]["bias"]).mean((1, 2)) @ p["Dense_0"]["kernel"] + p["Dense_0"]["bias"]


def error(p, seed=1):
    """The largest relative error of equivariance under the elements of D4."""
    x = jnp.asarray(np.random.default_rng(seed).normal(size=(4, 9, 9, 1)), jnp.float32)
    y, worst = apply(p, x), 0.0
    assert float(jnp.linalg.norm(y - y[::-1])) > 1e-2 * float(jnp.linalg.norm(y))
    turn, flip = (np.asarray(V.matrix(k).to_numpy(), np.float32) for k in range(2))
    for k in range(1, 8):
        g = np.linalg.matrix_power(turn, k % 4) @ (flip if k > 3 else np.eye(2, dtype=np.float32))
        moved = jnp.rot90(x[:, ::-1] if k > 3 else x, k % 4, (1, 2))
        worst = max(worst, float(jnp.linalg.norm(apply(p, moved) - y @ g.T) / jnp.linalg.norm(y)))
    return worst


ROUNDING = 9 * 81 * EPS


def test_projected_parameters_are_equivariant():
    p = params()
    assert error(p) > 0.1
    projected = rcj.symmetrize(p, RULES, symmetry=D4)
    assert jax.tree.structure(projected) == jax.tree.structure(p)
    assert error(projected) < ROUNDING
    assert all(a is b for a, b in zip(projected["free"], p["free"], strict=True))


def test_fresh_parameters_keep_their_lengths():
    p = params()
    made = rcj.symmetrize(p, RULES, symmetry=D4, start="rescale")
    assert error(made) < ROUNDING
    for name in ("Conv_0", "Dense_0"):
        a, b = (float(jnp.linalg.norm(t[name]["kernel"])) for t in (p, made))
        assert abs(a - b) <= 50 * EPS * a
    with pytest.raises(rc.IncompatibleError, match="start is 'he'"):
        rcj.symmetrize(p, RULES, symmetry=D4, start="he")


def test_coefficients_and_weights_are_two_ways_to_say_the_same():
    p, found = params(), rcj.symmetry_of(params(), RULES, symmetry=D4)
    thetas = found.coefficients(p)
    assert thetas["Conv_0"]["kernel"].shape == (found.sites["Conv_0/kernel"].plan.dim,)
    for a, b in zip(jax.tree.leaves(found.expand(thetas)), jax.tree.leaves(found.project(p)), strict=True):
        assert float(jnp.abs(a - b).max()) <= 50 * EPS * float(jnp.linalg.norm(b))
    assert found.sites["Conv_0/kernel"].plan == rc.plan(ONE * rc.grid(D4, 3) >> 2 * R)


def train(found, p, tx, loss_of, steps=5):
    x = jnp.asarray(np.random.default_rng(2).normal(size=(8, 9, 9, 1)), jnp.float32)
    state = tx.init(p)

    @jax.jit
    def step(p, state):
        gradient = jax.grad(lambda p: (loss_of(p, x) ** 2).mean())(p)
        updates, state = tx.update(gradient, state, p)
        return optax.apply_updates(p, updates), state

    for _ in range(steps):
        p, state = step(p, state)
    return p


def test_training_by_coefficients_and_by_projection_stays_equivariant():
    p, found = params(), rcj.symmetry_of(params(), RULES, symmetry=D4)
    kept = train(found, found.project(p), optax.chain(optax.adam(1e-2), found.keep_equivariant()), apply)
    learned = train(found, found.coefficients(p), optax.adam(1e-2), lambda t, x: apply(found.expand(t), x))
    assert error(kept) < ROUNDING
    assert error(found.expand(learned)) < ROUNDING
    assert error(train(found, found.project(p), optax.adam(1e-2), apply)) > ROUNDING


def test_both_ways_follow_one_trajectory_under_sgd():
    p, found = params(), rcj.symmetry_of(params(), RULES, symmetry=D4)
    kept = train(found, found.project(p), optax.chain(optax.sgd(1e-2), found.keep_equivariant()), apply)
    learned = found.expand(train(found, found.coefficients(p), optax.sgd(1e-2), lambda t, x: apply(found.expand(t), x)))
    for a, b in zip(jax.tree.leaves(kept), jax.tree.leaves(learned), strict=True):
        assert float(jnp.abs(a - b).max()) <= 2000 * EPS * float(jnp.linalg.norm(b))


def test_the_penalty_of_a_model_is_the_sum_over_its_weights():
    p, found = params(), rcj.symmetry_of(params(), RULES, symmetry=D4)
    value, slope = jax.value_and_grad(found.penalty)(p)
    projected = found.project(p)
    wanted = jax.tree.map(lambda a, b: a - b, p, projected)
    total = sum(float((leaf**2).sum()) / 2 for leaf in jax.tree.leaves(wanted))
    assert abs(float(value) - total) <= 100 * EPS * total
    for a, b in zip(jax.tree.leaves(slope), jax.tree.leaves(wanted), strict=True):
        assert float(jnp.abs(a - b).max()) <= 100 * EPS * max(float(jnp.linalg.norm(b)), 1)


def test_shapes_are_enough_for_a_dry_run():
    shapes = jax.eval_shape(params)
    table = rcj.symmetrize(shapes, RULES, symmetry=D4, dry_run=True)
    assert next((s.path, s.before, s.after) for s in table) == ("Conv_0/bias", 16, 2)
    assert "stay free: free/0, free/1" in str(table)


def test_a_symmetry_is_static_and_hashable():
    a, b = (rcj.symmetry_of(params(seed), RULES, symmetry=D4) for seed in range(2))
    assert a == b
    assert hash(a) == hash(b)
    assert jax.tree.leaves(a) == []
    assert a != rcj.symmetry_of(params(), {"Dense_0": "2*regular >> V"}, symmetry=D4)
    assert jax.jit(lambda s, p: s.project(p))(a, params())["free"][0].shape == (3,)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"Dens_0": "2*regular >> V"}, "close to it are 'Dense_0'"),
        ({"Dense_0/kernel": "V >> 2*regular"}, "turned round"),
        ({"Dense_0": "2*regular >> V", "Dense_0/bias": "V"}, "both mean 'Dense_0/bias'"),
        ({"Dense": "V"}, "close to it are 'Dense_0'"),
        ({"free/0": "V"}, "no axes of the sizes"),
    ],
)
def test_refused(rules, message):
    with pytest.raises(rc.IncompatibleError, match=re.escape(message)):
        rcj.symmetrize(params(), rules, symmetry=D4)


def test_other_parameters_are_refused():
    found = rcj.symmetry_of(params(), RULES, symmetry=D4)
    with pytest.raises(rc.IncompatibleError, match=re.escape("there is no 'Conv_0/bias'")):
        found.project({"Dense_0": params()["Dense_0"]})
    with pytest.raises(rc.IncompatibleError, match=re.escape("a weight of shape (16,) is needed")):
        found.project(found.coefficients(params()))
    with pytest.raises(rc.IncompatibleError, match=re.escape("coefficients of shape (2,) is needed")):
        found.expand(params())


def test_a_complex_space_on_a_real_weight_is_refused():
    U = rc.Rep(D4, discrete=[[["I", 0], [0, "-I"]], [[0, 1], [1, 0]]], name="U")
    with pytest.raises(rc.IncompatibleError, match="realify"):
        rcj.symmetrize({"w": np.ones((2, 2), np.float32)}, {"w": rc.Rule(U >> U, axes="o i")})


def test_a_zero_space_is_said():
    with pytest.warns(rc.RepcoreWarning, match=re.escape("'a/kernel', V >> 1, has dimension 0")):
        found = rcj.symmetrize({"a": {"kernel": np.ones((2, 1), np.float32)}}, {"a": V >> ONE})
    assert not found["a"]["kernel"].any()


def test_running_statistics_are_means_over_the_features_that_are_permuted():
    layer = {"mean": np.arange(8, dtype=np.float32), "var": np.arange(8, dtype=np.float32)}
    found = rcj.symmetrize({"batch_stats": {"norm": layer}, "params": {"norm": {"scale": layer["mean"]}}}, {"*/norm": R})
    for leaf in jax.tree.leaves(found):
        assert np.abs(leaf - 3.5).max() < 64 * EPS


def test_names_of_the_frameworks():
    shapes = {
        "Dense_0/kernel": (2, 8),
        "Dense_0/bias": (8,),
        "Conv_0/kernel": (3, 3, 8, 8),
        "attn/query/kernel": (16, 2, 8),
        "attn/key/kernel": (16, 2, 8),
        "attn/value/kernel": (16, 2, 8),
        "attn/query/bias": (2, 8),
        "attn/out/kernel": (2, 8, 16),
        "Embed_0/embedding": (9, 8),
        "LayerNorm_0/scale": (8,),
        "LayerNorm_0/bias": (8,),
        "eqx/weight": (8, 2),
        "eqx/bias": (8,),
        "eqxconv/weight": (8, 2, 3, 3),
        "eqxconv/bias": (8, 1, 1),
        "eqxnorm/weight": (8,),
        "eqxnorm/bias": (8,),
        "step": (),
    }
    tree = {}
    for path, shape in shapes.items():
        node = tree
        *parts, last = path.split("/")
        for part in parts:
            node = node.setdefault(part, {})
        node[last] = jnp.ones(shape)
    tree["count"] = jnp.ones((), jnp.int32)
    rules = {
        "Dense_0": "V >> regular",
        "Conv_0": "regular >> regular",
        "attn/*": "2*regular >> 2*regular",
        "Embed_0": "grid(3) >> regular",
        "*[Nn]orm*": "regular",
        "eqx": "V >> regular",
        "eqxconv": "V >> regular",
    }
    found = rcj.symmetry_of(tree, rules, symmetry=D4)
    assert {s.path: s.view.batch for s in found.sites if s.view.batch} == {"eqxconv/bias": (1, 1)}
    assert {s.path for s in found.sites} == set(shapes) - {"step"}
    assert [slot.path for slot in found.sites.free] == ["step"]
    assert found.sites["attn/out/kernel"].plan == rc.plan(2 * R >> 2 * R)
    out = jax.tree.map(jnp.shape, found.project(tree))
    assert out == jax.tree.map(jnp.shape, tree)
    with pytest.raises(rc.IncompatibleError, match="not written as 2 copies"):
        rcj.symmetry_of(tree, {"attn/query": "16*1 >> regular + 4*V"}, symmetry=D4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_dtypes_are_kept(dtype):
    p = jax.tree.map(lambda x: x.astype(dtype), params())
    found = rcj.symmetry_of(p, RULES, symmetry=D4)
    for tree in (found.project(p), found.project(p, start="rescale"), found.coefficients(p), found.expand(found.coefficients(p))):
        assert {leaf.dtype.name for leaf in jax.tree.leaves(tree)} == {dtype}
