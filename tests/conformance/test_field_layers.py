"""The laws of layers that act on each copy of a summand, over both backends: normalisation, nonlinearities, pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import repcore as rc
from repcore.testing import laws

norm = np.linalg.norm

# ---------------------------------------------------------------------------------------------------------------- the frames

TORCH_NAMES = {
    "layer_norm": "LayerNorm",
    "rms_norm": "RMSNorm",
    "batch_norm": "BatchNorm",
    "norm_nonlinearity": "NormNonlinearity",
    "gate": "Gate",
    "invariant_pool": "InvariantPool",
}
SHAPES = {  # of the parameters, and of the state, for numbers of copies and of invariants
    "layer_norm": {"weight": 0, "bias": 1},
    "rms_norm": {"weight": 0},
    "batch_norm": {"weight": 0, "bias": 1},
    "norm_nonlinearity": {"bias": 0},
    "gate": {},
    "invariant_pool": {},
}


def sizes(X: Any) -> tuple[int, int]:
    found = rc.fields(X)
    return sum(f.copies for f in found), sum(f.copies * f.invariants.shape[1] for f in found)


def drawn(kind: str, X: Any, seed: int = 1) -> dict[str, np.ndarray]:
    """Parameters, the same for both backends."""
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(sizes(X)[at]) for name, at in SHAPES[kind].items() if at == 0 or sizes(X)[1]}


class Torch:
    """A layer of ``repcore_torch`` as a function of NumPy arrays."""

    def __init__(self) -> None:
        self.torch = pytest.importorskip("torch")
        self.rct = pytest.importorskip("repcore_torch")

    def layer(self, kind: str, X: Any, params: Any, **options: Any) -> Any:
        made = getattr(self.rct, TORCH_NAMES[kind])(X, **options).double()
        with self.torch.no_grad():
            for name, value in params.items():
                getattr(made, name).copy_(self.torch.tensor(value))
        return made

    def function(self, kind: str, X: Any, params: Any, **options: Any) -> Callable[[np.ndarray], np.ndarray]:
        made = self.layer(kind, X, params, **self.named(options))
        return lambda x: made(self.torch.tensor(x)).detach().numpy()

    def gradient(self, kind: str, X: Any, params: Any, x: np.ndarray, g: np.ndarray, **options: Any) -> np.ndarray:
        """The gradient of <g, y> in x."""
        leaf = self.torch.tensor(x, requires_grad=True)
        y = self.layer(kind, X, params, **self.named(options)).to(leaf.dtype)(leaf)
        (y * self.torch.tensor(g)).sum().backward()
        return leaf.grad.numpy()

    def running(self, X: Any, batches: list[np.ndarray], **options: Any) -> tuple[np.ndarray, ...]:
        """y of the last batch, in evaluation, after training on all; mean, variance and count."""
        made = self.layer("batch_norm", X, {}, **options)
        for x in batches:
            made(self.torch.tensor(x))
        y = made.eval()(self.torch.tensor(batches[-1]))
        return tuple(t.detach().numpy() for t in (y, made.running_mean, made.running_var, made.num_batches_tracked))

    def named(self, options: dict[str, Any]) -> dict[str, Any]:
        functions = {"relu": self.torch.relu, "tanh": self.torch.tanh, "sigmoid": self.torch.sigmoid, "cos": self.torch.cos}
        return {k: functions.get(v, v) if k in ("function", "scalars") else v for k, v in options.items()}


class Jax:
    """The same of ``repcore_jax``."""

    def __init__(self) -> None:
        self.jax = pytest.importorskip("jax")
        self.rcj = pytest.importorskip("repcore_jax")

    def pure(self, kind: str, X: Any, params: Any, **options: Any) -> Callable[[Any], Any]:
        layer = getattr(self.rcj, kind)(X, **self.named(options))
        if kind == "batch_norm":
            return lambda x: layer.apply(params, layer.init_state(x.dtype), x)[0]
        return lambda x: layer.apply(params, x)

    def function(self, kind: str, X: Any, params: Any, **options: Any) -> Callable[[np.ndarray], np.ndarray]:
        run = self.jax.jit(self.pure(kind, X, params, **options))

        def call(x: np.ndarray) -> np.ndarray:
            with self.jax.enable_x64(True):
                return np.asarray(run(x))

        return call

    def gradient(self, kind: str, X: Any, params: Any, x: np.ndarray, g: np.ndarray, **options: Any) -> np.ndarray:
        with self.jax.enable_x64(True):
            run = self.pure(kind, X, params, **options)
            return np.asarray(self.jax.jit(self.jax.grad(lambda x: (run(x) * g).sum()))(x))

    def running(self, X: Any, batches: list[np.ndarray], **options: Any) -> tuple[np.ndarray, ...]:
        layer = self.rcj.batch_norm(X, **options)
        with self.jax.enable_x64(True):
            params, state = layer.init(dtype=float), layer.init_state(float)
            for x in batches:
                _, state = layer.apply(params, state, x)
            y, same = layer.apply(params, state, batches[-1], train=False)
            assert same is state
            return tuple(np.asarray(a) for a in (y, state["mean"], state["var"], state["count"]))

    def named(self, options: dict[str, Any]) -> dict[str, Any]:
        nn, jnp = self.jax.nn, self.jax.numpy
        functions = {"relu": nn.relu, "tanh": jnp.tanh, "sigmoid": nn.sigmoid, "cos": jnp.cos}
        return {k: functions.get(v, v) if k in ("function", "scalars") else v for k, v in options.items()}


@pytest.fixture(params=[Torch, Jax], ids=["torch", "jax"])
def layers(request: pytest.FixtureRequest) -> Any:
    return request.param()


# ----------------------------------------------------------------------------------------------------------------- the cases

D4 = rc.dihedral(4)
V, one, R = D4.rep, rc.trivial(D4), rc.regular(D4)

REPS: dict[str, Callable[[], Any]] = {
    "D4, regular and vector": lambda: 3 * R + 2 * V + 2 * one,
    "D4, scattered": lambda: (V + one) * (V + one) + R + V + one,
    "C4": lambda: (lambda g: 2 * g.rep + rc.regular(g))(rc.cyclic(4)),
    "O(3), irreps": lambda: rc.irreps_from("2x0e+3x1o+1x0o+1x2e", rc.O(3)),
    "S4, points and pairs": lambda: (lambda v: 2 * v + v**2)(rc.symmetric(4).rep),
    "signed permutations": lambda: (lambda g: 2 * g.rep + g.rep**2 + rc.trivial(g))(rc.hyperoctahedral(3)),
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "layer_norm": ("layer_norm", {}),
    "rms_norm": ("rms_norm", {}),
    "batch_norm": ("batch_norm", {}),
    "norm_nonlinearity, tanh": ("norm_nonlinearity", {"function": "tanh"}),
    "norm_nonlinearity, relu": ("norm_nonlinearity", {"function": "relu"}),
    "gate": ("gate", {"function": "sigmoid", "scalars": "cos"}),
    "mean": ("invariant_pool", {"how": "mean"}),
    "max": ("invariant_pool", {"how": "max"}),
    "norm": ("invariant_pool", {"how": "norm"}),
}


def ends(kind: str, X: Any, how: str = "mean") -> tuple[Any, Any]:
    """Domain and codomain, by other code than the layers'."""
    unit = rc.trivial(X.group)
    if kind == "gate":
        return sum(f.copies for f in rc.fields(X) if not f.is_trivial) * unit + X, X
    if kind == "invariant_pool":
        counts = 0
        for f in rc.fields(X):
            t = f.invariants.shape[1]
            counts += f.copies * (t if f.is_permutation and how != "norm" else t + (t < f.dim))
        return X, counts * unit
    return X, X


# ------------------------------------------------------------------------------------------------------------ equivariance


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REPS)
def test_it_is_equivariant(layers: Any, name: str, kind: str) -> None:
    verb, options = KINDS[kind]
    X = REPS[name]()
    domain, codomain = ends(verb, X, options.get("how", ""))
    f = layers.function(verb, X, drawn(verb, X), **options)
    laws.assert_equivariant(f, domain, codomain, samples=2, batch=(5,))


def plain_layer_norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def plain_batch_norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)


@pytest.mark.parametrize(
    ("f", "rep"),
    [
        (plain_layer_norm, lambda: 3 * rc.dihedral(4).rep),
        (plain_layer_norm, lambda: 3 * rc.SO(3).rep),
        (plain_batch_norm, lambda: 2 * rc.SO(3).rep),
        (lambda x: np.maximum(x, 0), lambda: rc.dihedral(4).rep),
        (lambda x: np.maximum(x, 0), lambda: rc.irreps_from("2x0o", rc.O(3))),
        (np.tanh, lambda: rc.SO(3).rep),
    ],
)
def test_the_check_finds_layers_that_are_not(f: Any, rep: Any) -> None:
    with pytest.raises(AssertionError, match="assert_equivariant is broken"):
        laws.assert_equivariant(f, rep(), rep(), samples=2, batch=(5,))


# ------------------------------------------------------------------------------------------------------------- the formulas


def rms(x: np.ndarray, axis: Any, eps: float = 1e-5) -> np.ndarray:
    return np.sqrt((x * x).mean(axis, keepdims=True) + eps)


def reference(kind: str, X: Any, params: Any, x: np.ndarray, **options: Any) -> np.ndarray:
    """The definitions, copy by copy."""
    found = rc.fields(X)
    y = np.zeros((len(x), X.dim))
    pooled: list[np.ndarray] = []
    if kind in ("layer_norm", "rms_norm"):
        solved = rc.invariants(X).to_numpy(np.float64, orthonormal=True)[:, :, 0]
        u = solved.T @ solved.sum(1)
        if kind == "layer_norm" and norm(u) > 1e-6:
            x = x - np.outer(x @ u, u) / (u @ u)
        x = x / rms(x, -1)
    functions = {
        "relu": lambda t: np.maximum(t, 0),
        "tanh": np.tanh,
        "cos": np.cos,
        "sigmoid": lambda t: 1 / (1 + np.exp(-t)),
    }
    gates, x = (x[:, : -X.dim], x[:, -X.dim :]) if kind == "gate" else (x, x)
    copy = invariant = gate = 0
    for f in found:
        q, (d, t) = f.invariants, f.invariants.shape
        for at in f.positions:
            z = x[:, at]
            shift = np.zeros(d)
            if "bias" in params and kind in ("layer_norm", "batch_norm"):
                shift = q @ params["bias"][invariant : invariant + t] * np.sqrt(d)
            if kind in ("layer_norm", "rms_norm"):
                y[:, at] = z * params["weight"][copy] + shift
            elif kind == "batch_norm":
                z = z - q @ q.T @ z.mean(0)
                y[:, at] = z / rms(z, None)[0] * params["weight"][copy] + shift
            elif kind == "norm_nonlinearity":
                b, act = params["bias"][copy], functions[options["function"]]
                size = norm(z, axis=1, keepdims=True)
                y[:, at] = act(z + b) if f.is_permutation else act(size + b) * z / size
            elif kind == "gate":
                y[:, at] = functions["cos"](z) if f.is_trivial else z * functions["sigmoid"](gates[:, gate : gate + 1])
                gate += not f.is_trivial
            elif f.is_permutation and options["how"] != "norm":
                reduce = np.max if options["how"] == "max" else np.mean
                pooled += [reduce(z[:, f.orbits == o], axis=1) for o in range(t)]
            else:
                pooled += list((z @ q).T)
                pooled += [norm(z - z @ q @ q.T, axis=1)] if t < d else []
            copy, invariant = copy + 1, invariant + t
    return np.stack(pooled, 1) if kind == "invariant_pool" else y


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*REPS, "scalars", "nothing"])
def test_it_is_what_its_formula_says(layers: Any, name: str, kind: str) -> None:
    verb, options = KINDS[kind]
    X = (REPS | {"scalars": lambda: 5 * one, "nothing": lambda: 0 * V})[name]()
    domain, codomain = ends(verb, X, options.get("how", ""))
    params = drawn(verb, X)
    x = np.random.default_rng(0).standard_normal((5, domain.dim))
    found = layers.function(verb, X, params, **options)(x)
    assert found.shape == (5, codomain.dim)
    if not X.dim:
        return
    wanted = reference(verb, X, params, x, **options)
    # Sums of at most 5 dim X terms, some ten of them after each other on either side, with gains and biases; quotients by lengths
    # of order one.
    size = max((norm(p) for p in params.values()), default=1.0)
    allowed = 20 * (5 * domain.dim + 16) * float(np.finfo(float).eps) * (norm(wanted) + (1 + size) * norm(x))
    assert norm(found - wanted) <= allowed


@pytest.mark.parametrize("momentum", [0.3, None])
@pytest.mark.parametrize("name", ["D4, scattered", "O(3), irreps", "S4, points and pairs"])
def test_running_statistics(layers: Any, name: str, momentum: Any) -> None:
    X, rng = REPS[name](), np.random.default_rng(0)
    batches = [rng.standard_normal((4, X.dim, 3)) + 1 for _ in range(3)]
    y, mean, var, count = layers.running(X, batches, momentum=momentum)
    means, variances = np.zeros(mean.shape), np.ones(var.shape)
    for k, x in enumerate(batches):
        factor = 1 / (k + 1) if momentum is None else momentum
        of_mean, of_var = [], []
        for f in rc.fields(X):
            q, (d, t) = f.invariants, f.invariants.shape
            for at in f.positions:
                z = x[:, at]
                m = z.mean((0, 2)) @ q
                centred = z - (q @ m)[:, None]
                of_mean += list(m / np.sqrt(d))
                of_var.append((centred**2).sum() / (z.size - t))
        means += factor * (np.array(of_mean) - means)
        variances += factor * (np.array(of_var) - variances)
    allowed = 50 * batches[0].size * float(np.finfo(float).eps)
    assert int(count) == 3
    assert norm(mean - means) <= allowed * (1 + norm(means))
    assert norm(var - variances) <= allowed * norm(variances)
    copy = invariant = 0
    for f in rc.fields(X):
        q, (d, t) = f.invariants, f.invariants.shape
        for at in f.positions:
            mu = q @ means[invariant : invariant + t] * np.sqrt(d)
            wanted = (batches[-1][:, at] - mu[:, None]) / np.sqrt(variances[copy] + 1e-5)
            assert norm(y[:, at] - wanted) <= allowed * (1 + norm(wanted))
            copy, invariant = copy + 1, invariant + t


@pytest.mark.parametrize("kind", KINDS)
def test_the_features_may_lie_along_another_axis(layers: Any, kind: str) -> None:
    verb, options = KINDS[kind]
    X = REPS["D4, scattered"]()
    dim = ends(verb, X)[0].dim
    x = np.random.default_rng(0).standard_normal((2, dim, 3, 2))
    first = layers.function(verb, X, drawn(verb, X), axis=1, **options)(x)
    last = layers.function(verb, X, drawn(verb, X), axis=-1, **options)(np.moveaxis(x, 1, -1))
    allowed = 20 * (12 * dim + 16) * float(np.finfo(float).eps) * (norm(last) + norm(x))
    assert norm(np.moveaxis(first, 1, -1) - last) <= allowed


# ---------------------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_at_zero_are_finite(layers: Any, kind: str, dtype: str) -> None:
    verb, options = KINDS[kind]
    X = 2 * V + R + one + V * V
    domain, codomain = ends(verb, X, options.get("how", ""))
    params = {name: np.full(value.shape, 0.5, dtype) for name, value in drawn(verb, X).items()}
    tiny = float(np.finfo(dtype).tiny)
    g = np.random.default_rng(0).standard_normal((4, codomain.dim)).astype(dtype)
    # All of it zero, one copy zero, all so small that squares vanish, and just large enough that they do not.
    x = np.random.default_rng(1).standard_normal((4, domain.dim)).astype(dtype)
    x[0] = 0
    x[1, -X.dim : -X.dim + 2] = 0
    x[2] *= tiny**0.9
    x[3] *= (tiny / float(np.finfo(dtype).eps)) ** 0.5
    found = layers.gradient(verb, X, params, x, g, **options)
    assert np.isfinite(found).all()
    if kind.startswith("norm_nonlinearity"):
        assert not found[0, :4].any()
        assert not found[1, :2].any()
        assert found[1, 2:4].all()
    if kind == "norm":
        assert not found[1, :2].any()
        assert found[1, 2:4].all()


def test_the_gradient_of_a_maximum_is_shared(layers: Any) -> None:
    X = rc.symmetric(4).rep ** 2
    x = np.zeros((1, 16))
    x[0, [0, 5, 1]] = 2
    found = layers.gradient("invariant_pool", X, {}, x, np.ones((1, 2)), how="max")
    wanted = np.zeros((1, 16))
    wanted[0, [0, 5]], wanted[0, 1] = 0.5, 1
    assert np.array_equal(found, wanted)


def test_the_length_of_what_is_only_rounding_has_no_gradient(layers: Any) -> None:
    X = rc.symmetric(4).rep ** 2
    x = np.where(np.eye(4).ravel() > 0, 0.1, 0.7)[None]
    g = np.array([[0.0, 0.0, 1.0]])
    assert not layers.gradient("invariant_pool", X, {}, x, g, how="norm").any()
    assert layers.gradient("invariant_pool", X, {}, x + np.arange(16) / 100, g, how="norm").any()


# ------------------------------------------------------------------------------------------------------------------- errors

BAD = [
    ("layer_norm", lambda: D4, {}, "X: expected a representation, got Group"),
    ("layer_norm", lambda: rc.scaling(2).rep, {}, "X: V is not orthogonal.*rc.orthogonalised"),
    ("rms_norm", lambda: rc.SU(2).rep, {}, "X: V is complex.*X.realify"),
    ("gate", lambda: rc.SU(2).rep, {}, "X: V is complex"),
    ("batch_norm", lambda: V, {"axis": 1.5}, "axis is 1.5"),
    ("layer_norm", lambda: V, {"axis": True}, "axis is True"),
    ("norm_nonlinearity", lambda: V, {"function": 3}, "function: expected a function of a"),
    ("gate", lambda: V, {"scalars": 3}, "scalars: expected a function of a"),
    ("invariant_pool", lambda: V, {"how": "sum"}, "how is 'sum'; choose one of 'mean', 'max', 'norm'"),
]


@pytest.mark.parametrize(("kind", "X", "options", "message"), BAD)
def test_what_cannot_be_made(layers: Any, kind: str, X: Any, options: Any, message: str) -> None:
    with pytest.raises(rc.IncompatibleError, match=message):
        layers.function(kind, X(), {}, **options)(np.zeros((2, 2)))


@pytest.mark.parametrize("kind", TORCH_NAMES)
def test_an_x_that_does_not_fit(layers: Any, kind: str) -> None:
    X = 2 * V + one
    f = layers.function(kind, X, drawn(kind, X))
    for x, message in [
        (np.zeros((4, 9)), r"x has shape \(4, 9\)"),
        (np.zeros(()), r"x has shape \(\)"),
        (np.zeros((2, ends(kind, X)[0].dim), int), "dtype"),
        (np.zeros((2, ends(kind, X)[0].dim), complex), "real features"),
    ]:
        with pytest.raises(rc.IncompatibleError, match=message):
            f(x)


def test_a_gate_of_what_is_not_orthogonal(layers: Any) -> None:
    X = 2 * rc.scaling(2).rep
    x = np.arange(6.0)[None]
    y = layers.function("gate", X, {}, function="cos")(x)
    eps = float(np.finfo(float).eps)
    assert np.abs(y - np.array([[2.0, 3.0, 4.0, 5.0]]) * np.cos([0, 0, 1, 1])).max() <= 8 * eps * 5


def test_a_batch_that_is_all_mean(layers: Any) -> None:
    f = layers.function("batch_norm", 3 * one, drawn("batch_norm", 3 * one))
    with pytest.raises(rc.IncompatibleError, match=r"x has 1 numbers .* give a larger batch"):
        f(np.zeros((1, 3)))
    with pytest.raises(rc.IncompatibleError, match="needs a batch"):
        layers.function("batch_norm", 3 * one, drawn("batch_norm", 3 * one), axis=0)(np.zeros(3))
