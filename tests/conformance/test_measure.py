"""Measuring a model: the same figures from every framework, and the broken layer named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import repcore as rc

UNIT = float(np.finfo(float).eps)
Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Net:
    """y = W2 phi(W1 x + b): the spaces of its layers, and a phi that is equivariant on the hidden features."""

    X: rc.Rep
    H: rc.Rep
    Y: rc.Rep
    pointwise: bool

    @property
    def rules(self) -> dict[str, rc.Hom]:
        return {"first": self.X >> self.H, "second": self.H >> self.Y}

    def strict(self) -> Weights:
        rng = np.random.default_rng(0)

        def draw(space: rc.Hom) -> np.ndarray:
            return rc.plan(space).project(rng.standard_normal(space.shape))

        one = rc.trivial(self.X.group)
        return {"first": draw(self.X >> self.H), "bias": draw(one >> self.H)[:, 0], "second": draw(self.H >> self.Y)}

    def broken(self, name: str, size: float) -> Weights:
        weights = self.strict()
        return weights | {name: weights[name] + size * np.random.default_rng(1).standard_normal(weights[name].shape)}

    def data(self, rows: int = 20) -> np.ndarray:
        return np.random.default_rng(2).standard_normal((rows, self.X.dim))

    def rounding(self, weights: Weights, report: rc.Report) -> float:
        """What the error of a strict net may be.

        f is a chain of some (dim X + dim H + dim Y) rounded operations on numbers of the size of its intermediate results, of
        which phi squares one at most; moving a vector is one such chain for each letter, longer by the norm of its exponent.
        """
        norm = np.linalg.norm
        inner = norm(weights["first"]) * norm(self.data(), axis=1).max() + norm(weights["bias"])
        outer = norm(weights["second"]) * (inner if self.pointwise else 2 * inner**2)
        letters = sum(1 + sum(abs(a) for _, a in letter) for letter in report.worst_element.letters) + 16
        return 8 * UNIT * letters * (self.X.dim + self.H.dim + self.Y.dim) * outer / report.scale


def net(name: str) -> Net:
    match name:
        case "D4":
            V, R = rc.dihedral(4).rep, rc.regular(rc.dihedral(4))
            return Net(2 * V, 3 * R, V, pointwise=True)
        case "S4":
            V, one = rc.symmetric(4).rep, rc.trivial(rc.symmetric(4))
            return Net(V, 4 * V + 2 * one, V, pointwise=True)
        case _:
            V, one = rc.SO(3).rep, rc.trivial(rc.SO(3))
            return Net(2 * V, 4 * V + 2 * one, V + one, pointwise=False)


class Torch:
    layers = ("first.weight", "first.bias", "second.weight")

    def __init__(self) -> None:
        self.torch = pytest.importorskip("torch")
        self.rct = pytest.importorskip("repcore_torch")

    def model(self, n: Net, weights: Weights) -> Any:
        torch = self.torch

        class Model(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first = torch.nn.Linear(n.X.dim, n.H.dim, dtype=torch.float64)
                self.second = torch.nn.Linear(n.H.dim, n.Y.dim, bias=False, dtype=torch.float64)

            def forward(self, x: Any) -> Any:
                h = self.first(x)
                return self.second(torch.relu(h) if n.pointwise else h * h.norm(dim=-1, keepdim=True))

        found = Model()
        pairs = [(found.first.weight, "first"), (found.first.bias, "bias"), (found.second.weight, "second")]
        with torch.no_grad():
            for tensor, name in pairs:
                tensor.copy_(torch.tensor(weights[name]))
        return found

    def measure(self, n: Net, weights: Weights, data: Any, **options: Any) -> rc.Report:
        X, Y = options.pop("X", n.X), options.pop("Y", n.Y)
        return self.rct.measure(self.model(n, weights), X, Y, data, options.pop("rules", n.rules), **options)


class Jax:
    layers = ("first/kernel", "first/bias", "second/kernel")

    def __init__(self) -> None:
        self.jax = pytest.importorskip("jax")
        self.rcj = pytest.importorskip("repcore_jax")

    def measure(self, n: Net, weights: Weights, data: Any, **options: Any) -> rc.Report:
        jnp = self.jax.numpy

        def f(params: Any, x: Any) -> Any:
            h = x @ params["first"]["kernel"] + params["first"]["bias"]
            h = jnp.maximum(h, 0) if n.pointwise else h * jnp.linalg.norm(h, axis=-1, keepdims=True)
            return h @ params["second"]["kernel"]

        X, Y = options.pop("X", n.X), options.pop("Y", n.Y)
        with self.jax.enable_x64(True):
            first = {"kernel": jnp.asarray(weights["first"].T), "bias": jnp.asarray(weights["bias"])}
            params = {"first": first, "second": {"kernel": jnp.asarray(weights["second"].T)}}
            return self.rcj.measure(self.jax.jit(f), params, X, Y, data, options.pop("rules", n.rules), **options)


@pytest.fixture(params=[Torch, Jax], ids=["torch", "jax"])
def backend(request: pytest.FixtureRequest) -> Any:
    return request.param()


each = pytest.mark.parametrize("name", ["D4", "S4", "SO(3)"])


@each
def test_a_strict_model_has_an_error_of_rounding(backend: Any, name: str) -> None:
    n = net(name)
    report = backend.measure(n, n.strict(), n.data(), samples=20)
    allowed = n.rounding(n.strict(), report)
    assert report.error <= report.worst <= allowed
    assert report.rounding <= allowed < 1e-9
    assert [x.is_equivariant for x in report.layers] == [True] * 3
    assert (report.culprit, report.projected) == (None, None)


@each
@pytest.mark.parametrize("which", [0, 2])
def test_the_broken_layer_is_named(backend: Any, name: str, which: int) -> None:
    n = net(name)
    weights = n.broken(("first", "bias", "second")[which], 0.1)
    report = backend.measure(n, weights, n.data(), samples=20)
    broken = report[backend.layers[which]]
    assert report.error > 1e-3
    assert report.culprit == broken
    assert [x.path for x in report.layers if not x.is_equivariant] == [broken.path]
    assert broken.without is not None
    assert broken.without <= n.rounding(weights, report)
    assert report.projected == broken.without
    assert f"most of it comes from {broken.path}" in str(report)


def test_two_broken_layers_are_weighed_against_each_other(backend: Any) -> None:
    n = net("D4")
    weights = n.broken("first", 0.3) | {"second": n.broken("second", 0.003)["second"]}
    report = backend.measure(n, weights, n.data())
    first, second = (report[backend.layers[k]] for k in (0, 2))
    assert report.culprit == first
    assert report.projected < first.without < second.without <= report.error * 1.1
    assert all(x.without is None for x in backend.measure(n, weights, n.data(), attribute=False).layers)


@pytest.mark.parametrize("name", ["D4", "S4"])
def test_the_mean_defect_of_a_layer_is_that_over_all_elements(backend: Any, name: str) -> None:
    n = net(name)
    W = n.broken("first", 1.0)["first"]
    layer = backend.measure(n, n.broken("first", 1.0), n.data(), attribute=False)[backend.layers[0]]
    gaps = [g.act(n.H, W.T).T - W @ g.act(n.X, np.eye(n.X.dim)).T for g in rc.sample(n.X.group, 24)]
    sizes = [float(np.linalg.norm(gap)) for gap in gaps]
    rounding = 64 * UNIT * sum(W.shape) * float(np.linalg.norm(W))
    assert abs(layer.mean - np.sqrt(np.mean(np.square(sizes)))) <= rounding
    assert layer.worst.lower - rounding <= max(sizes) <= layer.worst.upper + rounding
    spectral = max(float(np.linalg.norm(gap, 2)) for gap in gaps)
    assert layer.worst_spectral.lower - rounding <= spectral <= layer.worst_spectral.upper + rounding


def test_frameworks_agree() -> None:
    n = net("SO(3)")
    weights = n.broken("first", 0.1)
    found = [b.measure(n, weights, n.data(), samples=5).to_dict() for b in (Torch(), Jax())]
    for a, b in zip(found[0]["layers"], sorted(found[1]["layers"], key=lambda x: x["path"] != "first/kernel"), strict=True):
        assert abs(a["norm"] - b["norm"]) <= 64 * UNIT * a["norm"] or a["path"] == "first.bias"
    # Conditioning: an error of size 0.1 is computed from values of size 1, by chains of some hundred roundings.
    assert abs(found[0]["error"] - found[1]["error"]) <= 1000 * UNIT
    assert found[0]["samples"] == found[1]["samples"]


def test_on_an_orthonormal_basis_the_error_is_the_mean_defect(backend: Any) -> None:
    # mean over the basis of |D(g) e_i|^2 is ||D(g)||^2 / dim X.
    V = rc.dihedral(4).rep
    W = np.random.default_rng(0).standard_normal((6, 6))

    def f(x: Any) -> Any:
        return x @ W.T

    report = rc.measure(f, 3 * V, 3 * V, np.eye(6))
    assert report.samples.is_exhaustive
    assert abs(report.error * report.scale * np.sqrt(6) - rc.defect(W, 3 * V, 3 * V).mean) <= 1000 * UNIT * np.linalg.norm(W)


def test_the_standard_error_shrinks_and_covers(backend: Any) -> None:
    n = net("SO(3)")
    few, many = (
        backend.measure(n, n.broken("first", 0.3), n.data(4), samples=count, seed=count, attribute=False) for count in (40, 640)
    )
    # sqrt(640 / 40) = 4; a spread estimated from 40 samples is off by some 11 % for normal ones, here by a factor of 2 at most.
    assert 2 <= few.standard_error / many.standard_error <= 8
    assert abs(few.error - many.error) <= 5 * few.standard_error
    assert not many.samples.is_exhaustive


@each
def test_the_wrong_representation_is_seen(backend: Any, name: str) -> None:
    n = net(name)
    wrong = n.Y.dim * rc.trivial(n.X.group)
    assert backend.measure(n, n.strict(), n.data(), samples=20, Y=wrong).error > 0.1


REFUSED: dict[str, tuple[Callable[[Net], dict[str, Any]], Any, str]] = {
    "data of another size": (lambda n: {}, np.ones((3, 5)), "5 entries"),
    "data of integers": (lambda n: {}, np.ones((3, 4), int), "floating point"),
    "no rows": (lambda n: {}, np.ones((0, 4)), "at least one row"),
    "data not finite": (lambda n: {}, np.full((3, 4), np.nan), "not finite"),
    "another group": (lambda n: {"Y": rc.cyclic(4).rep}, np.ones((3, 4)), "different groups"),
    "rep_out of another size": (lambda n: {"Y": 3 * n.Y}, np.ones((3, 4)), "6 entries a row"),
    "values not finite": (lambda n: {}, np.full((3, 4), 1e308), "values that are not finite"),
    "a rule that means nothing": (lambda n: {"rules": {"third": n.X >> n.H}}, np.ones((3, 4)), "means no weight"),
    "no samples": (lambda n: {"samples": 0}, np.ones((3, 4)), "samples"),
    "no batch": (lambda n: {"batch_size": 0}, np.ones((3, 4)), "batch_size"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(backend: Any, case: str) -> None:
    n = net("D4")
    options, data, message = REFUSED[case]
    with pytest.raises(rc.IncompatibleError, match=message):
        backend.measure(n, {k: 10 * v for k, v in n.strict().items()}, data, **options(n))


def test_a_function_that_is_zero_has_no_relative_error() -> None:
    V = rc.dihedral(4).rep
    with pytest.raises(rc.IncompatibleError, match="zero on all of the data"):
        rc.measure(lambda x: 0 * x, V, V, np.eye(2))


def test_a_torch_model_is_left_as_it_was() -> None:
    made, n = Torch(), net("D4")
    torch, rct = made.torch, made.rct
    model = torch.nn.Sequential(made.model(n, n.broken("first", 0.1)), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(2))
    model = model.double().train()
    model[1].eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    rules = {f"0.{k}": v for k, v in n.rules.items()}
    # A batch norm in eval mode with fresh statistics does nothing but divide by sqrt(1 + eps).
    report = rct.measure(model, n.X, n.Y, torch.tensor(n.data()), rules)
    assert report.culprit is not None
    with pytest.raises(rc.IncompatibleError):
        rct.measure(model, n.X, 3 * n.Y, n.data(), rules)
    assert [m.training for m in model.modules()] == [True, True, True, True, False, True]
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


@pytest.mark.parametrize("how", ["symmetrize", "soften", "ACE"])
def test_measuring_does_not_write_into_the_parameters_that_weights_are_formed_from(how: str) -> None:
    made, n = Torch(), net("D4")
    torch, rct = made.torch, made.rct
    model = made.model(n, n.broken("first", 0.1))
    match how:
        case "symmetrize":
            rct.symmetrize(model, n.rules)
        case "soften":
            rct.soften(model, n.rules, softness=0.3)
        case _:
            for gamma in rct.ACE(model, n.rules).gamma.values():
                gamma.data.fill_(0.5)
    before = {k: v.clone() for k, v in model.state_dict().items() if torch.is_tensor(v)}
    places = [p.data_ptr() for p in model.parameters()]
    report = rct.measure(model, n.X, n.Y, n.data())
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in before.items())
    assert [p.data_ptr() for p in model.parameters()] == places
    assert rct.measure(model, n.X, n.Y, n.data()) == report
    if how != "symmetrize":
        assert report.projected < 1e-9 < report.error  # the weights were replaced nevertheless


def test_a_constrained_model_needs_no_rules() -> None:
    made, n = Torch(), net("D4")
    model = made.rct.symmetrize(made.model(n, n.broken("first", 0.1)), n.rules)
    report = made.rct.measure(model, n.X, n.Y, n.data())
    assert [x.path for x in report.layers] == ["first.weight", "first.bias", "second.weight"]
    assert all(x.is_equivariant for x in report.layers)
    assert report.error <= n.rounding(n.strict(), report) * 10  # the drawn weights are of the same size, not the same


def test_half_precision_is_measured_in_half_precision() -> None:
    made, n = Torch(), net("D4")
    torch = made.torch
    model = made.model(n, n.strict()).to(torch.bfloat16)
    report = made.rct.measure(model, n.X, n.Y, torch.tensor(n.data()).to(torch.bfloat16), n.rules)
    assert all(x.is_equivariant for x in report.layers)
    assert report.dtype == "bfloat16"
    assert report.error < 2.0**-4  # signed permutations of few terms: it may well be zero
    assert 2.0**-12 < report.rounding < 2.0**-4


def test_an_image_model_is_read_channels_first() -> None:
    torch, rct = pytest.importorskip("torch"), pytest.importorskip("repcore_torch")
    torch.manual_seed(0)
    G = rc.dihedral(4)
    R, one = rc.regular(G), rc.trivial(G)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(16, 5),
    ).double()
    rules = {"0": 3 * one >> 2 * R, "4": 2 * R >> 5 * one}
    image = 3 * rc.grid(G, (7, 7))
    report = rct.measure(model, image, 5 * one, torch.randn(6, 3, 7, 7, dtype=torch.float64), rules, batch_size=4)
    assert report["0.weight"].shape == (16, 27)
    assert report["0.weight"].mean is not None
    # All of the layers projected: sums of 27 and 49 and 16 terms, each rounded.
    assert report.projected <= 100 * 27 * UNIT < 1e-3 < report.error


def test_norms_are_listed_and_not_measured() -> None:
    torch, rct = pytest.importorskip("torch"), pytest.importorskip("repcore_torch")
    R = rc.regular(rc.dihedral(4))
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.LayerNorm(8)).double()
    report = rct.measure(model, R, R, torch.randn(3, 8, dtype=torch.float64), {"0": R >> R, "1": R})
    assert report.unmeasured == ("1.weight", "1.bias")
    assert "not measured" in str(report)
