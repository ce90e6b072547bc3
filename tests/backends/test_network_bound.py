"""The bound of a network: never below what is seen, zero for strict ones, near the truth for one layer, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")
rct = pytest.importorskip("repcore_torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from repcore_torch.operator_norm import kernel_norm, padding_norm  # noqa: E402

C4, D4, Z3 = rc.cyclic(4), rc.dihedral(4), rc.symmetric(3)
EPS = float(np.finfo(np.float64).eps)


class Residual(nn.Module):
    """Convolutions with biases, a batch norm, a residual block, a stride, the mean over cells, a head."""

    def __init__(self, norm: Callable[[int], Any] = nn.BatchNorm2d, mode: str = "zeros") -> None:
        super().__init__()
        self.stem, self.n0 = nn.Conv2d(2, 8, 3, padding=1, padding_mode=mode), norm(8)
        self.a, self.n1 = nn.Conv2d(8, 8, 3, padding=2, dilation=2, bias=False), norm(8)
        self.b = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.down = nn.Conv2d(8, 16, 3, padding=1, stride=2)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Any) -> Any:
        x = functional.relu(self.n0(self.stem(x)))
        x = functional.gelu(x + 0.5 * self.b(torch.relu(self.n1(self.a(x)))))
        x = functional.max_pool2d(torch.relu(self.down(x)), 3, 2)
        return self.head(x.mean(dim=(-2, -1)))


RESIDUAL = {
    "stem": "2*1 >> 8/4*regular",
    "a": "8/4*regular >> 8/4*regular",
    "b": "8/4*regular >> 8/4*regular",
    "down": "8/4*regular >> 16/4*regular",
    "head": "16/4*regular >> 3*1",
}


class Deep(nn.Module):
    """A field that is pooled, lined up and read by a linear map of all cells; a transposed convolution on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(1, 4, 3, stride=2, padding=1)
        self.pool = nn.AvgPool2d(3, 2)
        self.mix = nn.Conv2d(8, 4, 1)
        self.read = nn.Linear(4 * 9, 4)

    def forward(self, x: Any) -> Any:
        x = self.up(x)
        x = self.pool(torch.cat([torch.tanh(x), x], 1))
        return self.read(self.mix(x).flatten(1)) / 2


class Places(nn.Module):
    """The same linear layers in each of several places, with norms, a position that is learned, the mean over places."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.norm, self.two = nn.Linear(8, 16), nn.LayerNorm(16), nn.Linear(16, 8)
        self.start = nn.Parameter(torch.randn(1, 5, 8))

    def forward(self, x: Any) -> Any:
        x = x + self.start
        return x.mean(1) - self.two(self.norm(functional.silu(self.one(x)))).mean(1)


def residual(norm: Any = nn.BatchNorm2d, mode: str = "zeros") -> tuple[Any, Any, Any, tuple[int, ...]]:
    rules = {k: v.replace("8/4", "2").replace("16/4", "4") for k, v in RESIDUAL.items()}
    return Residual(norm, mode), rules, C4, (2, 13, 13)


def own_layers() -> tuple[Any, Any, Any, tuple[int, ...]]:
    """Layers of repcore under rotations, around linear layers of torch."""
    G = rc.SO(3)
    one, V = rc.trivial(G), G.rep
    X = 3 * one + 4 * V
    gate = rct.Gate(X, scalars=torch.tanh)
    model = nn.Sequential(
        nn.Linear(9, gate.domain.dim), gate, rct.LayerNorm(X), rct.Linear(X, X), rct.NormNonlinearity(X), rct.RMSNorm(X),
        nn.Linear(X.dim, X.dim), rct.InvariantPool(X), nn.Linear(7, 2),
    )  # fmt: skip
    with torch.no_grad():
        model[4].bias.uniform_(-0.5, 0.0)
    rules = {"0": 3 * V >> gate.domain, "6": X >> X, "8": 7 * one >> 2 * one}
    return model, rules, None, (9,)


def places() -> tuple[Any, Any, Any, tuple[int, ...]]:
    R = rc.regular(D4)
    return Places(), {"one": R >> 2 * R, "two": 2 * R >> R, "start": R}, None, (5, 8)


def deep() -> tuple[Any, Any, Any, tuple[int, ...]]:
    rules = {"up": "1 >> regular", "mix": "2*regular >> regular", "read": "(regular*grid(3)) >> regular"}
    return Deep(), rules, C4, (1, 4, 4)


def chain() -> tuple[Any, Any, Any, tuple[int, ...]]:
    R = rc.regular(Z3)
    model = nn.Sequential(nn.Linear(6, 12), nn.LeakyReLU(0.2), nn.Sequential(nn.Linear(12, 12), nn.Sigmoid()), nn.Linear(12, 6))
    return model, {"0": R >> 2 * R, "2.0": 2 * R >> 2 * R, "3": 2 * R >> R}, None, (6,)


CASES: dict[str, Callable[[], tuple[Any, Any, Any, tuple[int, ...]]]] = {
    "residual, batch norm": residual,
    "residual, group norm": lambda: residual(lambda n: nn.GroupNorm(n // 4, n)),
    "residual, instance norm": lambda: residual(nn.InstanceNorm2d),
    "residual, reflect": lambda: residual(mode="reflect"),
    "residual, circular": lambda: residual(mode="circular"),
    "layers of repcore": own_layers,
    "places": places,
    "all cells": deep,
    "chain": chain,
}


def made(name: str, seed: int) -> tuple[Any, Any, Any, Any]:
    """The model in double precision with random weights and statistics, its rules, its symmetry, data."""
    torch.manual_seed(seed)
    model, rules, symmetry, shape = CASES[name]()
    model = model.double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.2, 2)
    return model, rules, symmetry, torch.randn(5, *shape, dtype=torch.float64)


def check(bound: Any) -> None:
    """Measured errors are below the bound after each layer, and what layers add is the bound."""
    for row in bound.layers:
        # The forward pass rounds: a few products of some hundred terms each.
        assert row.measured is not None
        assert row.measured <= row.error + 1e4 * EPS * max(row.before * row.norm, 1.0), row
    assert bound.measured <= bound.value + 1e-11
    assert sum(row.share for row in bound.layers) == pytest.approx(bound.value, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_what_is_seen_never_exceeds_the_bound_after_any_layer(name: str, seed: int) -> None:
    model, rules, symmetry, x = made(name, seed)
    tight = rct.network_bound(model, rules, symmetry=symmetry, data=x, seed=seed)
    radius = float(x.flatten(1).norm(dim=1).max())
    ball = rct.network_bound(model, rules, symmetry=symmetry, data=x, radius=radius)
    alone = rct.network_bound(model, rules, symmetry=symmetry, shape=x.shape[1:], radius=radius)
    for bound in (tight, ball):
        check(bound)
        assert bound.measured > 1e-6
    assert tight.value <= ball.value * (1 + 1e-12)
    assert alone.value == pytest.approx(ball.value, rel=1e-12)
    assert alone.measured is None


@pytest.mark.parametrize("name", ["residual, reflect", "all cells", "chain"])
def test_the_bound_falls_with_the_softness_and_is_rounding_for_strict_weights(name: str) -> None:
    model, rules, symmetry, x = made(name, 7)
    if name == "residual, reflect":
        # Norms of the features take no filter: those of the first model are made equivariant.
        for norm in (model.n0, model.n1):
            for each in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
                each.copy_(each.reshape(2, 4).mean(1).repeat_interleave(4))
    rct.soften(model, rules, symmetry=symmetry, softness=1.0)
    found = []
    for softness in (0.0, 0.3, 1.0):
        rct.set_softness(model, softness)
        bound = rct.network_bound(model, data=x)
        check(bound)
        found.append(bound.value)
    # Of a strict weight W - P W is rounding: of two changes of basis of at most 100 entries, in Frobenius norm.
    strict = rct.network_bound(rct.set_softness(model, 0.0), data=x)
    scale = sum(row.after * row.before * row.norm for row in strict.layers) + 100
    assert found[0] <= 1e3 * EPS * scale
    assert found[0] < 1e-9 < found[1] < found[2]


@pytest.mark.parametrize("seed", range(4))
def test_for_one_linear_layer_the_bound_is_within_a_factor_of_two(seed: int) -> None:
    torch.manual_seed(seed)
    X = rc.regular(D4) + 2 * D4.rep
    layer = nn.Linear(X.dim, X.dim, bias=False).double()
    bound = rct.network_bound(layer, {"*": X >> X})
    W = layer.weight.detach().numpy()
    worst = 0.0
    for g in rc.sample(D4, 8):
        rho = g.act(X, np.eye(X.dim)).T
        worst = max(worst, float(np.linalg.norm(rho @ W - W @ rho, 2)))
    # ||W - P W|| is a mean of g W g^-1 - W, so that some D(g) is as large; the bound is twice that.
    assert worst <= bound.value * (1 + 1e-12)
    assert bound.value <= 2 * worst


CONVOLUTIONS = [
    # kernel, stride, dilation, padding, cells, groups
    ((3, 3), (1, 1), (1, 1), (1, 1), (7, 6), 1),
    ((3, 3), (2, 2), (1, 1), (1, 1), (9, 7), 2),
    ((5, 3), (1, 2), (2, 1), (4, 1), (9, 9), 1),
    ((2, 2), (2, 2), (1, 1), (0, 0), (8, 8), 1),
    ((4, 3), (2, 4), (3, 2), (2, 0), (12, 11), 1),
    ((1, 1), (3, 3), (1, 1), (0, 0), (7, 7), 2),
    ((3,), (1,), (2,), (2,), (11,), 1),
]


@pytest.mark.parametrize(("size", "stride", "dilation", "padding", "cells", "groups"), CONVOLUTIONS)
def test_the_norm_of_a_convolution_is_above_that_of_its_matrix_and_not_far(
    size: Any, stride: Any, dilation: Any, padding: Any, cells: Any, groups: int
) -> None:
    torch.manual_seed(0)
    W = torch.randn(4 * groups, 3, *size, dtype=torch.float64)
    units = torch.eye(3 * groups * int(np.prod(cells)), dtype=torch.float64).reshape(-1, 3 * groups, *cells)
    convolve = functional.conv2d if len(size) == 2 else functional.conv1d
    columns = convolve(units, W, stride=stride, dilation=dilation, padding=padding, groups=groups)
    true = float(torch.linalg.matrix_norm(columns.flatten(1).T, 2))
    found, how = kernel_norm(W.unflatten(0, (groups, 4)), stride, dilation)
    assert true <= found <= 1.35 * true, how


def test_the_three_norms_of_a_convolution_and_the_one_of_padding() -> None:
    torch.manual_seed(0)
    # Positive taps of one channel: the sum of taps is the norm, and the symbol is largest at frequency 0.
    ones = torch.ones(1, 1, 1, 3, 3, dtype=torch.float64)
    assert kernel_norm(ones, (1, 1), (1, 1)) == (pytest.approx(9, rel=1e-12), "Young")
    # One tap: a shift.
    shift = torch.zeros(1, 2, 2, 3, 3, dtype=torch.float64)
    shift[0, :, :, 0, 2] = 2 * torch.eye(2)
    assert kernel_norm(shift, (1, 1), (1, 1))[0] == pytest.approx(2, rel=1e-12)
    assert kernel_norm(torch.zeros_like(shift), (1, 1), (1, 1)) == (0.0, "zero")
    # Too large for the symbol: the window.
    large = torch.randn(1, 600, 600, 3, dtype=torch.float64)
    assert kernel_norm(large, (1,), (1,))[1] in ("window", "Young", "Fourier")
    for mode, expected in (("replicate", 3 * 3), ("reflect", 2 * 2), ("circular", 2 * 2)):
        units = torch.eye(36, dtype=torch.float64).reshape(-1, 1, 6, 6)
        matrix = functional.pad(units, (2, 2, 2, 2), mode=mode).flatten(1)
        assert padding_norm(mode, (6, 6), (2, 2)) == pytest.approx(sqrt(expected))
        assert float(torch.linalg.matrix_norm(matrix, 2)) == pytest.approx(sqrt(expected))


def test_a_model_that_is_one_layer_and_models_that_are_constrained_or_trained_by_ace() -> None:
    R = rc.regular(C4)
    x = torch.randn(20, 4, dtype=torch.float64)
    layer = rct.symmetrize(nn.Linear(4, 4).double(), {"*": R >> R})
    assert rct.network_bound(layer, data=x).value < 1e-13
    assert rct.network_bound(rct.Linear(R, R, dtype=torch.float64), data=x).value == 0
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)).double()
    model.train()
    ace = rct.ACE(model, {"*": R >> R}, steps=10, gamma=0.3)
    bound = rct.network_bound(model, data=x)
    check(bound)
    assert bound.measured > 0.01
    assert model.training
    assert rct.network_bound(ace.fold(), {"*": R >> R}, data=x).value < 1e-13


def test_sampled_kernels_are_followed_for_what_sends_cells_to_cells_and_say_so() -> None:
    torch.manual_seed(3)
    G = rc.SO(2)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 5, padding=2), rct.NormNonlinearity(2 * rc.irrep(G, "1"), axis=1), nn.Conv2d(4, 1, 5)
    ).double()
    rules = {"0": rc.trivial(G) >> 2 * rc.irrep(G, "1"), "2": 2 * rc.irrep(G, "1") >> rc.trivial(G)}
    x = torch.randn(3, 1, 9, 9, dtype=torch.float64)
    bound = rct.network_bound(model, rules, data=x)
    with torch.no_grad():
        worst = max(
            float((model(x.rot90(k, (2, 3))) - model(x).rot90(k, (2, 3))).flatten(1).norm(dim=1).max()) for k in (1, 2, 3)
        )
    assert 0 < worst <= bound.on_cells < bound.value
    assert bound.sampled == ("0.weight", "2.weight")
    assert "sends cells to cells" in str(bound)
    assert "sampling error" in str(bound)
    assert rct.sites(model, rules)["0.weight"].plan.approximate.startswith("sampled on 5 x 5 cells")
    assert not rc.plan(G.rep >> G.rep).approximate
    cells = [rc.grid(C4, n) for n in (9, 5)]
    plain = nn.Sequential(model[0], nn.Conv2d(4, 1, 5).double())
    report = rct.measure(plain, *cells, x, {"0": rules["0"], "1": rules["2"]})
    assert "0.weight, 1.weight: |W-PW| is from kernels sampled on 5 x 5 cells" in str(report)
    assert "on 5 x 5, sampled" in str(rct.sites(model, rules))
    strict = rct.symmetrize(model, rules)
    assert rct.network_bound(strict, data=x).on_cells < 1e-11


def test_kernels_of_functions_have_levels_by_frequency_and_a_bound() -> None:
    torch.manual_seed(5)
    G = rc.SO(2)
    V, one = rc.irrep(G, "1"), rc.trivial(G)
    functions = rc.functions(G, 5)
    model = nn.Sequential(nn.Conv2d(1, 4, 5, padding=2), rct.NormNonlinearity(2 * V, axis=1)).double()
    rct.soften(model, {"0": functions >> 2 * V}, softness=0.5)
    levels = dict(rct.softenings(model))["0.weight"].levels
    assert levels.values[:4].tolist() == pytest.approx([0, 1, 2, 3], abs=1e-6)
    x = torch.randn(3, 1, 9, 9, dtype=torch.float64)
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    found = []
    for softness in (0.0, 0.3, 1.0):
        bound = rct.network_bound(rct.set_softness(model, softness), data=x)
        with torch.no_grad():
            moved = model(x).unflatten(1, (2, 2)).rot90(1, (3, 4))
            moved = torch.einsum("ij,bcjhw->bcihw", turn, moved).flatten(1, 2)
            error = float((model(x.rot90(1, (2, 3))) - moved).flatten(1).norm(dim=1).max())
        assert error <= bound.on_cells + 1e-11
        assert bound.on_cells <= bound.value
        found.append((error, bound.on_cells))
    assert found[0][1] < 1e-11 < found[1][1] < found[2][1]
    assert found[1][0] > 0.01
    assert one.dim == 1


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_of_random_groups(seed: int) -> None:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    group = [C4, D4, Z3, rc.cyclic(5)][seed % 4]
    R = rc.regular(group)
    copies = rng.integers(1, 4, rng.integers(2, 6)).tolist()
    layers: list[Any] = []
    rules: dict[str, Any] = {}
    for a, b in pairwise(copies):
        rules[str(len(layers))] = a * R >> b * R
        layers += [
            nn.Linear(a * R.dim, b * R.dim, bias=bool(rng.integers(2))),
            [nn.ReLU, nn.GELU, nn.Sigmoid, nn.ELU][rng.integers(4)](),
        ]
        if rng.integers(2):
            layers.append(nn.LayerNorm(b * R.dim))
    model = nn.Sequential(*layers).double()
    rct.soften(model, rules, softness=float(rng.uniform(0, 1)))
    x = torch.randn(30, copies[0] * R.dim, dtype=torch.float64) * 10 ** rng.uniform(-1, 1)
    check(rct.network_bound(model, data=x))
    check(rct.network_bound(model, data=x, radius=float(x.norm(dim=1).max())))


REFUSED: dict[str, tuple[Callable[[], Any], dict[str, Any], str]] = {
    "no rule": (lambda: nn.Sequential(nn.Linear(4, 4)), {"rules": None}, "no rule"),
    "other features": (
        lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)),
        {"rules": {"0": "regular >> regular", "1": "4*1 >> regular"}, "symmetry": C4},
        r"takes 4\*1 and is given regular",
    ),
    "relu on vectors": (
        lambda: nn.Sequential(nn.Linear(2, 2), nn.ReLU()),
        {"rules": {"0": "V >> V"}, "symmetry": C4},
        "relu on features of V.*Gate",
    ),
    "softmax": (lambda: nn.Sequential(nn.Linear(4, 4), nn.Softmax(1)), {}, r"Softmax.*lipschitz=\{Softmax"),
    "attention": (lambda: nn.Sequential(nn.Linear(4, 4), nn.TransformerEncoderLayer(4, 1)), {}, "products of.*rct.measure"),
    "a function": (lambda: Functional(torch.exp), {}, "exp.*Lipschitz"),
    "a product": (lambda: Functional(lambda y: y * y), {}, "mul.*Lipschitz"),
    "a part": (lambda: Functional(lambda y: y[:, :2]), {}, "getitem.*Lipschitz"),
    "two inputs": (lambda: TwoInputs(), {}, "takes them as one tensor"),
    "branches": (lambda: Functional(lambda y: y if y.sum() > 0 else -y), {}, "cannot follow"),
    "batch statistics": (
        lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False)), {}, "statistics from the batch",
    ),
    "not orthogonal": (
        lambda: nn.Sequential(nn.Linear(4, 4)), {"rules": {"0": rc.lorentz().rep >> rc.lorentz().rep}}, "orthogonalised",
    ),
    "radius": (lambda: nn.Sequential(nn.Linear(4, 4)), {"radius": -1.0}, "radius"),
    "data outside": (lambda: nn.Sequential(nn.Linear(4, 4)), {"radius": 0.1, "data": torch.ones(1, 4)}, "outside"),
    "lipschitz": (lambda: nn.Sequential(nn.Linear(4, 4)), {"lipschitz": {nn.ReLU: "one"}}, "lipschitz"),
}  # fmt: skip


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Any, y: Any) -> Any:
        return self.layer(x) + y


class Functional(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.layer, self.function = nn.Linear(4, 4), function

    def forward(self, x: Any) -> Any:
        return self.function(self.layer(x))


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rule_is_refused_with_the_repair(name: str) -> None:
    build, options, message = REFUSED[name]
    R = rc.regular(C4)
    model = build()
    rules = options.get("rules", {"0" if isinstance(model, nn.Sequential) else "layer": R >> R})
    with pytest.raises(rc.IncompatibleError, match=message):
        rct.network_bound(model, rules, **{k: v for k, v in options.items() if k != "rules"})


OPTIONS: dict[str, Callable[[Any], Any]] = {
    "a factor of a sum": lambda y: torch.add(y, y, alpha=10.0),
    "a factor of a difference": lambda y: torch.sub(y, y, alpha=-10.0),
    "a factor of a number": lambda y: torch.add(y, 3.0, alpha=-2.0) - 1,
    "names": lambda y: torch.cat(tensors=[torch.add(input=y, other=y), y], dim=-1),
    "random slopes": lambda y: functional.rrelu(y, 3.0, 5.0),
    "leaky": lambda y: functional.leaky_relu(y, -3.0, True),
    "clamped": lambda y: torch.clamp(y, 1.0, max=2.0),
    "celu": lambda y: functional.celu(y, 0.1),
    "gelu": lambda y: functional.gelu(50 * y, approximate="tanh"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_functions_are_in_the_bound(name: str) -> None:
    torch.manual_seed(3)
    R = rc.regular(C4)
    model, x = Functional(OPTIONS[name]).double(), torch.randn(50, 4, dtype=torch.float64)
    for radius in (None, float(x.norm(dim=1).max())):
        bound = rct.network_bound(model, {"layer": R >> R}, data=x, radius=radius)
        check(bound)
        with torch.no_grad():
            lengths = model(x).norm(dim=1)
        # The bound on the error of what comes out is at most twice the bound on its norm, so that it must be half of that.
        assert bound.measured > 0.02 * float(lengths.max()) or name in ("a factor of a number", "clamped")


WRITTEN: dict[str, Callable[[Any], Any]] = {
    "a factor": lambda y: (y.mul_(10.0), y)[1],
    "twice": lambda y: (y.mul_(10.0), y.add_(y), y)[2],
    "a function": lambda y: (functional.selu(5 * y, inplace=True), functional.selu(y, inplace=True), y)[2],
    "a skip": lambda y: functional.silu(y, inplace=True) + y,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_over_is_what_is_read_later(name: str) -> None:
    torch.manual_seed(3)
    R = rc.regular(C4)
    model, x = Functional(WRITTEN[name]).double(), 5 * torch.randn(50, 4, dtype=torch.float64)
    turn = quarter_turn()
    bound = rct.network_bound(model, {"layer": R >> R}, data=x)
    with torch.no_grad():
        error = float((model(x[:, turn]) - model(x)[:, turn]).norm(dim=1).max())
    assert 0 < error <= bound.measured * (1 + 1e-12) <= bound.value


HIDDEN: dict[str, tuple[Callable[[Any], Any], str]] = {
    "the mean over the batch": (lambda y: y + y.mean(), "over the axes None"),
    "a view that is written over": (lambda y: (y.flatten(1).mul_(9.0), y)[1], "write it out of place"),
    "what jumps": (lambda y: torch.div(y, 0.01, rounding_mode="floor"), "div.*Lipschitz"),
    "a negative alpha": (lambda y: functional.celu(y, -0.5), "celu.*Lipschitz"),
    "slopes that are drawn": (lambda y: functional.rrelu(y, training=True), "rrelu.*Lipschitz"),
    "features as a limit": (lambda y: torch.clamp(y, min=y), "clamp.*Lipschitz"),
    "an argument too many": (lambda y: functional.relu(torch.mean(y, -1, True, dtype=None)), "over the axes -1"),
    "rows of the batch": (lambda y: y.reshape(-1, 4).reshape(2, -1), "to another shape"),
    "rows of the batch, counted": (lambda y: y.reshape(y.size(1), -1), "gives shape"),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_functions_that_mix_inputs_or_have_no_slope_are_refused(name: str) -> None:
    function, message = HIDDEN[name]
    R = rc.regular(C4)
    for data in (None, torch.randn(2, 4), torch.randn(6, 4)):
        with pytest.raises(rc.IncompatibleError, match=message):
            rct.network_bound(Functional(function), {"layer": R >> R}, data=data)


def test_complex_features_hooks_and_forwards_that_are_not_of_the_class_are_refused() -> None:
    R = rc.regular(C4)
    model = nn.Sequential(nn.Linear(4, 4, dtype=torch.complex128), nn.Tanh())
    with pytest.raises(rc.IncompatibleError, match="tanh of complex numbers"):
        rct.network_bound(model, {"0": R >> R})
    model = nn.Sequential(nn.Linear(4, 4))
    handle = model[0].register_forward_hook(lambda module, args, output: 10 * output)
    with pytest.raises(rc.IncompatibleError, match="forward hook"):
        rct.network_bound(model, {"0": R >> R})
    handle.remove()
    assert rct.network_bound(model, {"0": R >> R}).value > 0
    model[0].forward = lambda x: 10 * x
    with pytest.raises(rc.IncompatibleError, match="forward hook"):
        rct.network_bound(model, {"0": R >> R})


def test_a_position_is_added_to_as_many_places_as_it_has_and_not_to_more() -> None:
    R = rc.regular(D4)
    rules = {"one": R >> 2 * R, "two": 2 * R >> R, "start": R}
    x = torch.randn(4, 5, 8, dtype=torch.float64)
    for shape in ((5, 8), (1, 5, 8)):
        model = Places().double()
        model.start = nn.Parameter(torch.randn(shape, dtype=torch.float64))
        check(rct.network_bound(model, rules, data=x))
    for shape in ((8,), (1, 1, 8)):
        model.start = nn.Parameter(torch.randn(shape, dtype=torch.float64))
        with pytest.raises(rc.IncompatibleError, match=r"adds features.*must be equal"):
            rct.network_bound(model, rules, data=x)
    model.start = nn.Parameter(torch.randn(8, 8, dtype=torch.float64))
    with pytest.raises(rc.IncompatibleError, match="takes it for a map"):
        rct.network_bound(model, {**rules, "start": rc.Rule(R >> R, axes="o i")}, data=torch.randn(4, 8, 8, dtype=torch.float64))


def test_one_cell_is_not_added_to_many_that_nobody_counted() -> None:
    model = Functional(lambda y: y + functional.max_pool2d(y, 7)).double()
    model.layer = nn.Conv2d(1, 4, 3, padding=1, bias=False).double()
    with pytest.raises(rc.IncompatibleError, match="give shape="):
        rct.network_bound(model, {"layer": "1 >> regular"}, symmetry=C4)
    with pytest.raises(rc.IncompatibleError, match="must be equal"):
        rct.network_bound(model, {"layer": "1 >> regular"}, symmetry=C4, shape=(1, 7, 7))
    model.function = lambda y: y.mean((2, 3))
    with pytest.raises(rc.IncompatibleError, match="give shape="):
        rct.network_bound(model, {"layer": "1 >> regular"}, symmetry=C4)
    for divisor in (lambda y: functional.avg_pool2d(y, 3, 1, 1, False, True, 1), lambda y: functional.avg_pool2d(y, y.shape[-1])):
        model.function = divisor
        with pytest.raises(rc.IncompatibleError, match=r"weights of their own|Lipschitz"):
            rct.network_bound(model, {"layer": "1 >> regular"}, symmetry=C4, shape=(1, 7, 7))


def test_pooling_of_more_axes_than_an_image_has_would_pool_features() -> None:
    C2 = rc.cyclic(2)
    one = rc.trivial(C2)
    rules = {"0": rc.Rule(one >> rc.regular(C2), spatial=one)}
    for pool in (nn.AvgPool2d(3, 1, 1), nn.MaxPool2d(3, 1, 1), nn.AdaptiveAvgPool2d(1)):
        model = nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), pool)
        with pytest.raises(rc.IncompatibleError, match="other axes"):
            rct.network_bound(model, rules, shape=(1, 8))


@pytest.mark.parametrize("method", ["constrain", "project", "soften", "ace"])
def test_cells_that_the_group_leaves_alone_are_left_alone_where_errors_are_measured(method: str) -> None:
    torch.manual_seed(0)
    one, R = rc.trivial(C4), rc.regular(C4)
    rules = {"0": rc.Rule(one >> R, spatial=2 * one), "2": rc.Rule(R >> R, spatial=2 * one)}
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, (3, 2), stride=(1, 2))).double()
    if method == "soften":
        rct.soften(model, rules, softness=0.0)
    elif method == "ace":
        rct.ACE(model, rules, gamma=0.0)
    else:
        rct.symmetrize(model, rules, method=method)
    bound = rct.network_bound(model, rules if method == "project" else None, data=torch.randn(3, 1, 7, 7, dtype=torch.float64))
    assert bound.value < 1e-11
    assert bound.measured < 1e-11


def test_two_rules_that_move_the_cells_in_two_ways_are_refused() -> None:
    one, R = rc.trivial(C4), rc.regular(C4)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3))
    still, moved = rc.Rule(one >> R, spatial=2 * one), R >> R
    with pytest.raises(rc.IncompatibleError, match="moves the cells"):
        rct.network_bound(model, {"0": still, "1": moved}, shape=(1, 9, 9))


CONV = {"0": "1 >> regular"}


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [
        (lambda: nn.Conv2d(1, 4, 3, stride=2), {"shape": (1, 8, 8)}, "1 over at one side.*multiple of 2 plus 1"),
        (lambda: nn.Conv2d(1, 4, 3, stride=2), {}, "shape="),
        (lambda: nn.Conv2d(1, 4, 3), {}, "how many cells"),
        (lambda: nn.Conv2d(1, 4, 3, stride=(1, 2)), {"shape": (1, 9, 9)}, "stride"),
        (lambda: nn.Conv2d(1, 4, 3, padding=(0, 1)), {"shape": (1, 9, 9)}, "padding"),
        (lambda: nn.Conv2d(1, 4, 4, padding="same"), {}, "uneven"),
        (lambda: nn.ConvTranspose2d(1, 4, 3, stride=2, output_padding=1), {"shape": (1, 9, 9)}, "output_padding"),
        (lambda: nn.Conv2d(1, 4, 3), {"shape": (2, 9, 9)}, "do not hold 1 features"),
    ],
)
def test_convolutions_that_are_not_equivariant_on_finite_images_are_refused(layer: Any, options: Any, message: str) -> None:
    with pytest.raises(rc.IncompatibleError, match=message):
        rct.network_bound(nn.Sequential(layer()), CONV, symmetry=C4, **options)


def test_a_group_that_moves_no_cells_allows_any_stride_and_padding() -> None:
    one = rc.trivial(C4)
    rules = {"0": rc.Rule(2 * one >> rc.regular(C4), spatial=2 * one)}
    model = nn.Sequential(nn.Conv2d(2, 4, 3, stride=(1, 2), padding=(0, 1)))
    assert rct.network_bound(model, rules, shape=(2, 8, 8)).value > 0


def test_what_the_user_says_of_a_layer_is_taken() -> None:
    R = rc.regular(C4)
    torch.manual_seed(0)
    linear = nn.Linear(4, 4, bias=False)
    rules = {"0": R >> R}
    alone = rct.network_bound(nn.Sequential(linear), rules).value
    softmax = nn.Sequential(linear, nn.Softplus())
    assert rct.network_bound(softmax, rules, lipschitz={nn.Softplus: 3.0}).value == pytest.approx(3 * alone)
    assert rct.network_bound(softmax, rules, lipschitz={"1": 2.0}).value == pytest.approx(2 * alone)
    twice = Functional(lambda y: functional.relu(input=y + y))
    twice.layer = linear
    assert rct.network_bound(twice, {"layer": R >> R}).value == pytest.approx(2 * alone)
    joined = Functional(lambda y: torch.cat([y, y], -1))
    joined.layer = linear
    assert rct.network_bound(joined, {"layer": R >> R}).value == pytest.approx(sqrt(2) * alone)
    model = Functional(torch.exp)
    model.layer = linear
    assert rct.network_bound(model, {"layer": R >> R}, lipschitz={torch.exp: 0.5}).value == pytest.approx(0.5 * alone)


def test_the_curve_over_softness_bounds_what_it_shows_and_leaves_the_model() -> None:
    model, rules, _, x = made("chain", 1)
    rct.soften(model, rules, softness=0.4)
    before = model[0].weight.detach().clone()
    curve = rct.bound_over_softness(model, (0.0, 0.5, 1.0), data=x)
    assert torch.equal(model[0].weight, before)
    assert [p.softness for p in curve.points] == [0.0, 0.5, 1.0]
    assert all(p.bound is not None and p.error <= p.bound + 1e-12 for p in curve.points)
    assert all(p.accuracy is None for p in curve.points)
    assert "accuracy" not in str(curve)
    assert "bound" in str(curve)
    assert curve.best.softness == 0.0
    with pytest.raises(rc.IncompatibleError, match="data"):
        rct.bound_over_softness(model)


def test_the_table_and_the_pictures() -> None:
    pytest.importorskip("matplotlib").use("agg")
    import matplotlib.pyplot as plt

    model, rules, symmetry, x = made("residual, batch norm", 0)
    bound = rct.network_bound(model, rules, symmetry=symmetry, data=x)
    text = str(bound)
    assert [line.split()[0] for line in text.splitlines()[:8]] == ["layer", "stem", "n0", "a", "n1", "b", "down", "head"]
    assert "these 5 inputs" in text
    assert f"measured {bound.measured:.3g}" in text
    assert float(bound) == bound.value
    with pytest.raises(rc.IncompatibleError, match="most"):
        rc.plot(bound, most=0)
    ax = bound.plot()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["stem", "n0", "a", "n1", "b", "down", "head"]
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["bound after the layer", "measured", "share in the last bound"]
    plt.close(ax.figure)
    rct.soften(model, rules, symmetry=symmetry, softness=1.0)
    ax = rct.bound_over_softness(model, (0.2, 0.8), data=x).plot()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["equivariance error", "its bound"]
    plt.close(ax.figure)


# ------------------------------------------------------------------------------------- softness of convolutions


def softened_convolutions(**options: Any) -> tuple[Any, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1)).double()
    rct.soften(model, {"0": "1 >> regular", "2": "regular >> regular"}, symmetry=C4, **options)
    return model, torch.randn(3, 1, 7, 7, dtype=torch.float64)


def test_schedules_turn_convolutions_and_folding_keeps_what_they_do() -> None:
    model, x = softened_convolutions(softness=1.0)
    schedule = rct.SoftnessSchedule(model, rct.Ramp(1.0, 0.0, 4))
    errors = []
    for _ in range(4):
        schedule.step()
        plain = rct.fold(model)
        assert torch.equal(plain(x), model(x))
        assert not any("parametrizations" in name for name, _ in plain.named_modules())
        errors.append(rct.network_bound(model, data=x).value)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-12


def test_learned_gains_of_convolutions_train_and_fold() -> None:
    model, x = softened_convolutions(softness=0.5, learnable=True)
    gains = [p for name, p in model.named_parameters() if name.endswith("raw")]
    assert len(gains) == 4  # two weights and two biases
    before = [s.softness for name, s in rct.softenings(model) if name.endswith("weight")]
    optimiser = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(20):
        optimiser.zero_grad()
        (model(x.rot90(1, (2, 3))) - model(x).rot90(1, (2, 3))[:, quarter_turn()]).square().mean().backward()
        optimiser.step()
    after = [s.softness for name, s in rct.softenings(model) if name.endswith("weight")]
    assert all(b < a for a, b in zip(before, after, strict=True))
    assert torch.equal(rct.fold(model)(x), model(x))
    check(rct.network_bound(model, data=x))


def quarter_turn() -> list[int]:
    """Where a quarter turn takes the features of the regular representation."""
    (g,) = [g for g in rc.sample(C4, 4) if str(g) == "g0"]
    return g.act(rc.regular(C4), np.arange(4.0)).astype(int).tolist()


def test_an_input_that_is_sought_out_does_not_exceed_the_bound_of_the_ball_either() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1)).double()
    rules = {"0": "1 >> regular", "2": "regular >> regular"}
    bound = rct.network_bound(model, rules, symmetry=C4, shape=(1, 6, 6), radius=3.0)
    turned = quarter_turn()
    x = torch.randn(8, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    sought = []
    for _ in range(60):
        scaled = 3.0 * x / x.flatten(1).norm(dim=1)[:, None, None, None]
        off = model(scaled.rot90(1, (2, 3))) - model(scaled).rot90(1, (2, 3))[:, turned]
        errors = off.flatten(1).norm(dim=1)
        sought.append(float(errors.detach().max()))
        (step,) = torch.autograd.grad(errors.sum(), x)
        x = (x + 0.5 * x.norm() / step.norm() * step).detach().requires_grad_()
    assert sought[-1] > 1.2 * sought[0]
    assert 0.1 * bound.value < max(sought) <= bound.value


def test_complex_representations_and_a_model_that_changes_tensors_in_place() -> None:
    torch.manual_seed(0)
    V = 2 * rc.SU(2).rep
    layer = nn.Linear(4, 4, dtype=torch.complex128)
    check(rct.network_bound(layer, {"*": V >> V}, data=torch.randn(5, 4, dtype=torch.complex128)))
    R = rc.regular(C4)
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True), nn.Linear(4, 4)).double()
    bound = rct.network_bound(model, {"*": R >> R}, data=torch.randn(9, 4, dtype=torch.float64))
    check(bound)
    # What came out of the first layer is longer than what was left of it.
    assert bound.layers[1].before < bound.layers[0].norm * bound.layers[0].before + 1
