"""Whole models made equivariant by rules: ResNet, a vision transformer, flax and Equinox; before, in and after training."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")

import repcore_torch as rct  # noqa: E402

MODELS = runpy.run_path(str(Path(__file__).with_name("models.py")))

# What is promised of whole models in float32. Rounding alone is some 1e-7 here: outputs are sums of 10^2 to 10^4 products
# a layer, whose errors, 6e-8 each, are of random sign.
PROMISED = 1e-5

D4, C4 = rc.dihedral(4), rc.cyclic(4)
# Elements that are no generator, as products of generators from left to right.
WORDS = {"D4": (D4, [(0, 0), (0, 1), (1, 0, 0), (0, 0, 0)]), "C4": (C4, [(0, 0), (0, 0, 0)])}


def image_of(rep: rc.Rep, word: Sequence[int]) -> np.ndarray:
    """The matrix of a product of generators."""
    product = np.eye(rep.dim)
    for generator in word:
        product = product @ np.real(rep.matrix(generator).to_numpy())
    return product


def moved(x: np.ndarray, g: np.ndarray, axes: tuple[int, int] = (-2, -1)) -> np.ndarray:
    """Images turned by a matrix of the plane, x to the right and y up: pixel q goes to g q. No part of repcore is used."""
    square = np.moveaxis(x, axes, (-2, -1))
    side = square.shape[-1]
    row, column = np.divmod(np.arange(side * side), side)
    # Twice the coordinates, which are integers.
    at = g @ np.stack([2 * column - (side - 1), (side - 1) - 2 * row])
    to = np.rint((side - 1 - at[1]) / 2 * side + (at[0] + side - 1) / 2).astype(int)
    out = np.empty_like(square).reshape(*square.shape[:-2], -1)
    out[..., to] = square.reshape(out.shape)
    return np.moveaxis(out.reshape(square.shape), (-2, -1), axes)


def relative(a: Any, b: Any) -> float:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def spread(y: Any) -> float:
    """How much outputs depend on the image: their distance from the mean over the batch, relative to their size."""
    y = np.asarray(y, np.float64)
    return float(np.linalg.norm(y - y.mean(0)) / np.linalg.norm(y))


def call(model: Any, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        y = model(torch.tensor(x))
    return getattr(y, "logits", y).numpy()


def worst(f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, name: str, axes: tuple[int, int] = (-2, -1)) -> float:
    """The largest relative change of an output that should be invariant."""
    group, words = WORDS[name]
    y = f(x)
    return max(relative(f(moved(x, image_of(group.rep, word), axes)), y) for word in words)


def train(model: Any, x: np.ndarray, classes: int, steps: int) -> None:
    """Some steps on half the batch at a time, so that running statistics and weights are those of no initialisation."""
    optimiser = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9)
    model.train()
    labels = torch.arange(len(x)) % classes
    for step in range(steps):
        half = torch.arange(len(x)) % 2 == step % 2
        y = model(torch.tensor(x)[half])
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(getattr(y, "logits", y), labels[half]).backward()
        optimiser.step()


def disturb(model: Any) -> None:
    """Norms that look trained."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.LayerNorm):
            with torch.no_grad():
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.1)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.05, 0.2)


def images(side: int, count: int = 4, seed: int = 0) -> np.ndarray:
    """Nine patches of colour, and noise: unlike pure noise, images differ after pooling."""
    random = np.random.default_rng(seed)
    patch = np.arange(side) * 3 // side
    coarse = random.standard_normal((count, 3, 3, 3))[:, :, patch][:, :, :, patch]
    return (coarse + 0.5 * random.standard_normal((count, 3, side, side))).astype(np.float32)


def layers(model: Any) -> list[tuple[str, type]]:
    return [(name, type(module)) for name, module in model.named_modules()]


def check_fold(model: Any, plain: Any, x: np.ndarray) -> None:
    """The folded model is the plain model with other numbers: the same layers, the same names, and the same outputs as before."""
    model.eval()
    folded = rct.fold(model)
    assert layers(folded) == layers(plain)
    state, wanted = folded.state_dict(), plain.state_dict()
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in wanted.items()}
    plain.load_state_dict(state)
    assert relative(call(folded, x), call(model, x)) < PROMISED
    assert np.array_equal(call(plain.eval(), x), call(folded, x))


# -- ResNet ------------------------------------------------------------------------------------------------------------

SMALL = (16, 16, 32, 32)


def resnet(widths: Sequence[int], classes: int) -> Any:
    torch.manual_seed(0)
    model = MODELS["ResNet"](widths, depth=2, classes=classes)
    disturb(model)
    return model.eval()


@pytest.mark.parametrize("name", ["D4", "C4"])
@pytest.mark.parametrize(
    ("widths", "classes", "side", "steps"),
    [(SMALL, 10, 33, 12), pytest.param((64, 128, 256, 512), 1000, 129, 12, marks=pytest.mark.slow)],
    ids=["small", "ResNet-18"],
)
def test_resnet(name: str, widths: Sequence[int], classes: int, side: int, steps: int) -> None:
    group = WORDS[name][0]
    model, x = resnet(widths, classes), images(side)
    assert worst(lambda x: call(model, x), x, name) > 1e-2  # before; so the check can fail
    rules = MODELS["resnet_rules"](widths, rc.order(group), classes)

    before = {k: v.clone() for k, v in model.state_dict().items()}
    table = rct.symmetrize(model, rules, symmetry=group, dry_run=True)
    assert not table.free
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    kernels = [site for site in table if site.after is not None and site.slot.role == "weight"]
    assert all(site.after * rc.order(group) == site.before for site in kernels)  # the group acts freely on every space

    rct.symmetrize(model, rules, symmetry=group)
    assert worst(lambda x: call(model, x), x, name) < PROMISED
    train(model, x, classes, steps)
    for training in (True, False):
        model.train(training)
        assert spread(call(model, x)) > 0.01
        assert worst(lambda x: call(model, x), x, name) < PROMISED
    check_fold(model, resnet(widths, classes), x)


@pytest.mark.parametrize("name", ["D4", "C4"])
def test_features_of_a_resnet_are_fields(name: str) -> None:
    group, words = WORDS[name]
    model, x = resnet(SMALL, 10), images(65)
    rct.symmetrize(model, MODELS["resnet_rules"](SMALL, rc.order(group), 10), symmetry=group)
    train(model, x, 10, 12)
    model.eval()
    X = SMALL[-1] // rc.order(group) * rc.regular(group)
    with torch.no_grad():
        h = model.features(torch.tensor(x)).numpy()
        assert h.shape[-2:] == (3, 3)
        for word in words:
            g = image_of(group.rep, word)
            wanted = np.einsum("ab,nbij->naij", image_of(X, word), moved(h, g))
            assert relative(model.features(torch.tensor(moved(x, g))).numpy(), wanted) < PROMISED
            assert relative(h, wanted) > 1e-2


def test_strides_of_two_keep_the_symmetry_on_odd_grids_only() -> None:
    model = rct.symmetrize(resnet(SMALL, 10), MODELS["resnet_rules"](SMALL, 8, 10), symmetry=D4)
    errors = {side: worst(lambda x: call(model, x), images(side), "D4") for side in (32, 33, 64, 65)}
    assert max(errors[33], errors[65]) < PROMISED
    assert min(errors[32], errors[64]) > 1e-3


def test_a_name_that_is_nearly_right_is_told() -> None:
    model = resnet(SMALL, 10)
    before = layers(model)
    rules = MODELS["resnet_rules"](SMALL, 8, 10) | {"layers1.*.conv1": "2*regular >> 2*regular"}
    with pytest.raises(rc.IncompatibleError, match=r"'layers1.*' means no weight of the model.*layer1"):
        rct.symmetrize(model, rules, symmetry=D4)
    with pytest.raises(rc.IncompatibleError, match=r"conv1\.weight.*maps 3 to 16.*maps 3 to 24"):
        rct.symmetrize(model, {"conv1": "3*1 >> 3*regular"}, symmetry=D4)
    assert layers(model) == before


@pytest.mark.parametrize("piece", [1, 2000, 2**18])
def test_weights_formed_in_pieces_are_those_formed_at_once(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repcore_torch.maps._PIECE", piece)
    R = rc.regular(D4)
    for space in (rc.kernels(3 * R >> 5 * R, 3), rc.kernels(2 * rc.trivial(D4) >> 3 * R, 5), 4 * R >> rc.trivial(D4)):
        projector = rct.Projector(space)
        W, theta = torch.randn(projector.shape), torch.nn.Parameter(torch.randn(projector.dim))
        # A batch of one goes another way.
        assert torch.equal(projector.expand(theta), projector.expand(theta[None])[0])
        assert torch.allclose(projector.coefficients(W), projector.coefficients(W[None])[0], rtol=0, atol=1e-5)
        projector.expand(theta).backward(W)
        assert torch.equal(theta.grad, projector.coefficients(W))


# -- a vision transformer ----------------------------------------------------------------------------------------------


def transformer(**sizes: int) -> Any:
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = MODELS["vit"](**sizes)
    disturb(model)
    # The library starts everything at nearly zero; what is trained is not.
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                module.weight.mul_(5)
        model.vit.embeddings.cls_token.normal_(0, 0.3)
        model.vit.embeddings.position_embeddings.normal_(0, 0.3)
    return model.eval()


@pytest.mark.parametrize("name", ["D4", "C4"])
@pytest.mark.parametrize(
    "sizes",
    [
        {"image": 32, "patch": 4, "hidden": 48, "heads": 3, "layers": 2, "classes": 10},
        pytest.param(
            {"image": 224, "patch": 16, "hidden": 192, "heads": 3, "layers": 12, "classes": 1000}, marks=pytest.mark.slow
        ),
    ],
    ids=["small", "ViT-Tiny"],
)
def test_vision_transformer(name: str, sizes: dict[str, int]) -> None:
    group, words = WORDS[name]
    model, x = transformer(**sizes), images(sizes["image"])
    assert worst(lambda x: call(model, x), x, name) > 1e-2
    rules = MODELS["vit_rules"](model, rc.order(group))
    assert not rct.symmetrize(model, rules, symmetry=group, dry_run=True).free
    rct.symmetrize(model, rules, symmetry=group)
    assert worst(lambda x: call(model, x), x, name) < PROMISED
    train(model, x, sizes["classes"], 4)
    for training in (True, False):
        model.train(training)
        assert spread(call(model, x)) > 0.01
        assert worst(lambda x: call(model, x), x, name) < PROMISED

    # Tokens: the first is of the class, the others are moved like the patches; each has features of X.
    X = sizes["hidden"] // rc.order(group) * rc.regular(group)
    tokens = rc.trivial(group) + rc.grid(group, sizes["image"] // sizes["patch"])
    with torch.no_grad():
        h = model.vit(torch.tensor(x)).last_hidden_state.numpy()
        for word in words:
            wanted = image_of(tokens, word) @ h @ image_of(X, word).T
            found = model.vit(torch.tensor(moved(x, image_of(group.rep, word)))).last_hidden_state.numpy()
            assert relative(found, wanted) < PROMISED
            assert relative(h, wanted) > 1e-2
    check_fold(model, transformer(**sizes), x)


def test_heads_must_hold_whole_fields() -> None:
    model = transformer(image=16, patch=8, hidden=48, heads=4, layers=1, classes=3)
    rules = MODELS["vit_rules"](model, 8)
    with pytest.raises(rc.IncompatibleError, match=r"heads: .*is not written as 4 copies"):
        rct.symmetrize(model, rules, symmetry=D4)


def test_encoder_layers_of_torch() -> None:
    # In evaluation torch reads the parameters of norms past their forward; see fast_path.py.
    torch.manual_seed(0)
    plain = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(32, 2, 64, 0.0, "gelu", batch_first=True), 2)
    model = rct.symmetrize(
        deepcopy(plain),
        {
            "**.self_attn": "4*regular >> 4*regular",
            "**.linear1": "4*regular >> 8*regular",
            "**.linear2": "8*regular >> 4*regular",
            "**.norm?": "4*regular",
        },
        symmetry=D4,
    ).eval()
    x, turn = torch.randn(3, 5, 32), torch.tensor(image_of(4 * rc.regular(D4), (0, 1)), dtype=torch.float32)
    hidden = torch.tensor([[False] * 5, [False] * 4 + [True], [False] * 2 + [True] * 3])
    learning = model(x)
    with torch.no_grad():
        y = model(x)
        assert relative(y, learning.detach()) < PROMISED
        assert relative(model(x @ turn.T), y @ turn.T) < PROMISED
        masked = model(x, src_key_padding_mask=hidden)
        folded = rct.fold(model)
        assert layers(folded) == layers(plain)
        assert not any(module._forward_pre_hooks for module in folded.modules())  # so that its fast path is taken
        assert relative(folded(x), y) < PROMISED
        assert relative(folded(x, src_key_padding_mask=hidden)[~hidden], masked[~hidden]) < PROMISED
    # A surgery that fails leaves no trace.
    with pytest.raises(rc.IncompatibleError):
        rct.symmetrize(plain, {"**.norm?": "4*regular", "**.linear1": "4*regular >> 4*regular"}, symmetry=D4)
    assert not any(module._forward_pre_hooks for module in plain.modules())
    assert plain.use_nested_tensor


# -- JAX ---------------------------------------------------------------------------------------------------------------


def grown(params: Any) -> Any:
    """Weights four times as large, so that features outweigh biases once the weights are projected."""
    jax = pytest.importorskip("jax")
    return jax.tree.map(lambda leaf: 4 * leaf if leaf.ndim > 1 and leaf.size > 64 else leaf, params)


def check_jax(params: Any, apply: Callable[[Any, Any], Any], rules: Any, x: np.ndarray, axes: tuple[int, int]) -> None:
    """Projected, then two steps of Adam with ``keep_equivariant`` and two on coefficients; invariant after each."""
    jax = pytest.importorskip("jax")
    optax = pytest.importorskip("optax")
    import repcore_jax as rcj

    run, params = jax.jit(apply), grown(params)

    def error(params: Any) -> float:
        return worst(lambda x: np.asarray(run(params, x)), x, "D4", axes)

    assert error(params) > 1e-2
    symmetry = rcj.symmetry_of(params, rules, symmetry=D4)
    assert not symmetry.sites.free
    start = jax.jit(lambda params: rcj.symmetrize(params, rules, symmetry=D4))(params)
    assert error(start) < PROMISED
    labels = np.arange(len(x)) % 3

    def loss(params: Any) -> Any:
        return optax.softmax_cross_entropy_with_integer_labels(apply(params, x), labels).mean()

    for tx, held, expand in (
        (optax.chain(optax.adam(0.01), symmetry.keep_equivariant()), start, lambda held: held),
        (optax.adam(0.01), jax.jit(symmetry.coefficients)(start), jax.jit(symmetry.expand)),
    ):
        state, begin = tx.init(held), jax.jit(loss)(expand(held))

        @jax.jit
        def step(held: Any, state: Any, tx: Any = tx, expand: Any = expand) -> Any:
            updates, state = tx.update(jax.grad(lambda held: loss(expand(held)))(held), state, held)
            return optax.apply_updates(held, updates), state

        for _ in range(2):
            held, state = step(held, state)
        weights = expand(held)
        assert jax.jit(loss)(weights) < begin
        assert error(weights) < PROMISED
        assert spread(run(weights, x)) > 0.01


@pytest.mark.slow
def test_flax_linen() -> None:
    jax = pytest.importorskip("jax")
    nn = pytest.importorskip("flax.linen")

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            x = nn.relu(nn.Conv(16, (3, 3), name="lift")(x))
            x = nn.relu(nn.Conv(32, (3, 3), strides=2, padding=1)(x))
            x = x.reshape(len(x), -1, 32)
            tokens = self.param("positions", nn.initializers.normal(0.3), (1, x.shape[1], 32))
            x = x + nn.MultiHeadDotProductAttention(num_heads=2)(nn.LayerNorm()(x + tokens))
            return nn.Dense(3)(x.mean(1))

    x = np.moveaxis(images(9, 6), 1, -1)
    params = jax.jit(Net().init)(jax.random.key(0), x)
    rules = {
        "params/lift": "3*1 >> 2*regular",
        "params/Conv_0": "2*regular >> 4*regular",
        "params/positions": "grid(5) >> 4*regular",
        "params/MultiHeadDotProductAttention_0/*": "4*regular >> 4*regular",
        "params/LayerNorm_0": "4*regular",
        "params/Dense_0": "4*regular >> 3*1",
    }
    check_jax(params, Net().apply, rules, x, (1, 2))


@pytest.mark.slow
def test_flax_nnx() -> None:
    pytest.importorskip("jax")
    nnx = pytest.importorskip("flax.nnx")

    class Net(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.lift = nnx.Conv(3, 16, (3, 3), rngs=rngs)
            self.norm = nnx.LayerNorm(16, rngs=rngs)
            self.attention = nnx.MultiHeadAttention(2, 16, decode=False, rngs=rngs)
            self.head = nnx.Linear(16, 3, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            x = nnx.relu(self.lift(x))
            x = x.reshape(len(x), -1, 16)
            x = x + self.attention(self.norm(x))
            return self.head(x.mean(1))

    graph, params, rest = nnx.split(Net(nnx.Rngs(0)), nnx.Param, ...)
    rules = {
        "lift": "3*1 >> 2*regular",
        "norm": "2*regular",
        "attention/*": "2*regular >> 2*regular",
        "head": "2*regular >> 3*1",
    }
    x = np.moveaxis(images(7, 6), 1, -1)
    check_jax(params, lambda params, x: nnx.merge(graph, params, rest)(x), rules, x, (1, 2))


@pytest.mark.slow
def test_equinox() -> None:
    jax = pytest.importorskip("jax")
    eqx = pytest.importorskip("equinox")

    class Net(eqx.Module):
        lift: Any
        conv: Any
        mix: Any
        head: Any

        def __init__(self, key: Any) -> None:
            keys = jax.random.split(key, 4)
            self.lift = eqx.nn.Conv2d(3, 16, 3, padding=1, key=keys[0])
            self.conv = eqx.nn.Conv2d(16, 16, 3, stride=2, padding=1, key=keys[1])
            self.mix = eqx.nn.MLP(16, 16, 32, 1, key=keys[2])
            self.head = eqx.nn.Linear(16, 3, key=keys[3])

        def __call__(self, x: Any) -> Any:
            x = jax.nn.relu(self.conv(jax.nn.relu(self.lift(x))))
            x = jax.vmap(self.mix)(x.reshape(16, -1).T)
            return self.head(x.mean(0))

    params, rest = eqx.partition(Net(jax.random.key(0)), eqx.is_inexact_array)
    rules = {
        "lift": "3*1 >> 2*regular",
        "conv": "2*regular >> 2*regular",
        "mix/layers/0": "2*regular >> 4*regular",
        "mix/layers/1": "4*regular >> 2*regular",
        "head": "2*regular >> 3*1",
    }
    check_jax(params, lambda params, x: jax.vmap(eqx.combine(params, rest))(x), rules, images(9, 6), (-2, -1))
