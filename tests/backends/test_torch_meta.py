"""Devices and dtypes: construction without memory (meta), moves, half precision, autocast."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

import repcore as rc

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import repcore_torch as rct  # noqa: E402

G = rc.dihedral(4)
V, R, one = G.rep, rc.regular(G), rc.trivial(G)
SPACES = {
    "orbit": 2 * R >> 3 * R,
    "factor": rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2,
    "schur": rc.plan(2 * R >> 3 * R, structure="schur"),
    "several": 4 * one + 2 * V >> V * V + 3 * one,
}
HALVES = [torch.float16, torch.bfloat16]


def constrained(device: Any = None) -> Any:
    model = nn.Sequential(nn.Linear(16, 24, device=device), nn.ReLU(), nn.Linear(24, 8, device=device))
    rct.constrain(model[0], "weight", 2 * R >> 3 * R)
    rct.constrain(model[0], "bias", one >> 3 * R)
    rct.constrain(model[2], "weight", rc.plan(3 * R >> R, structure="schur"))
    return model


def native(device: Any = None) -> Any:
    return nn.Sequential(rct.Linear(2 * R, 3 * R, device=device), nn.ReLU(), rct.Linear(3 * R, R, device=device))


BUILDS = pytest.mark.parametrize("build", [constrained, native])


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def places(model: Any) -> set[Any]:
    return {(p.device.type, p.dtype) for p in model.parameters()}


# -------------------------------------------------------------------------------------------------------------- meta


@BUILDS
@pytest.mark.parametrize("way", ["context", "argument", "moved"])
def test_built_on_meta_and_loaded_is_built_directly(build: Callable[..., Any], way: str) -> None:
    direct, x = build(), torch.randn(5, 16)
    match way:
        case "context":
            with torch.device("meta"):
                model = build()
        case "argument":
            model = build("meta")
        case _:
            model = build().to("meta")
    assert places(model) == {("meta", torch.float32)}
    assert model(x.to("meta")).shape == (5, 8)
    assert model(x.to("meta")).device.type == "meta"
    assert {name: p.shape for name, p in model.named_parameters()} == {n: p.shape for n, p in direct.named_parameters()}
    model.to_empty(device="cpu").load_state_dict(direct.state_dict())
    assert torch.equal(model(x), direct(x))


@BUILDS
def test_a_checkpoint_is_assigned_to_meta(build: Callable[..., Any]) -> None:
    direct, model, x = build(), build("meta"), torch.randn(5, 16)
    model.load_state_dict(direct.state_dict(), assign=True)
    assert torch.equal(model(x), direct(x))
    assert torch.equal(model.to(torch.float64)(x.double()), direct.to(torch.float64)(x.double()))


@BUILDS
def test_a_copy_on_meta_is_on_meta(build: Callable[..., Any]) -> None:
    model = copy.deepcopy(build("meta"))
    assert places(model) == {("meta", torch.float32)}
    model(torch.empty(3, 16, device="meta")).sum().backward()
    assert all(p.grad.device.type == "meta" and p.grad.shape == p.shape for p in model.parameters())


@BUILDS
def test_meta_elsewhere_does_not_disturb_a_model_that_has_data(build: Callable[..., Any]) -> None:
    # Constants are shared by digest: those of the one on meta must not be asked to go where its model goes.
    without, model, x = build("meta"), build(), torch.randn(5, 16)
    without(x.to("meta"))
    expected = model(x)
    assert torch.equal(model.to("cpu")(x), expected)
    assert model.double().to("cpu").float()(x).shape == (5, 8)


@pytest.mark.parametrize("name", SPACES)
def test_every_verb_has_shapes_on_meta(name: str) -> None:
    projector = rct.Projector(SPACES[name])
    W = torch.empty(2, *projector.shape, device="meta", requires_grad=True)
    assert projector(W).shape == W.shape
    theta = projector.coefficients(W)
    assert theta.shape == (2, projector.dim)
    assert projector.expand(theta).shape == W.shape
    values = [projector(W).sum(), *(rct.penalty(W, projector, norm).sum() for norm in ("fro", "fro2", "nuclear", (2, 1)))]
    for value in values:
        (grad,) = torch.autograd.grad(value, W)
        assert (value.device.type, grad.device.type, grad.shape) == ("meta", "meta", W.shape)


def test_the_dense_weight_of_a_native_layer_on_meta() -> None:
    layer = rct.Linear(2 * R, 3 * R, device="meta")
    assert (layer.weight.device.type, layer.weight.shape) == ("meta", (24, 16))


# ------------------------------------------------------------------------------------------------------------- moves


@BUILDS
@pytest.mark.parametrize("dtype", [*HALVES, torch.float64])
def test_a_model_takes_the_dtype_it_is_given(build: Callable[..., Any], dtype: Any) -> None:
    model, x = build().to("cpu", dtype), torch.randn(5, 16).to(dtype)
    assert places(model) == {("cpu", dtype)}
    y = model(x)
    assert y.dtype == dtype
    y.sum().backward()
    assert all(p.grad.dtype == dtype and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("dtype", HALVES)
def test_a_weight_of_half_precision_is_formed_in_single(dtype: Any) -> None:
    layer = constrained()[0]
    theta = layer.parametrizations.weight.original.detach().to(dtype)
    exact = layer.parametrizations.weight[0].double()(theta.double())
    weight = layer.to(dtype).weight
    assert weight.dtype == dtype
    # An entry is a coefficient times a constant: one rounding in single and one at the end.
    allowed = torch.finfo(dtype).eps / 2 + 2 * torch.finfo(torch.float32).eps
    assert bool(((weight.double() - exact).abs() <= allowed * exact.abs() + torch.finfo(dtype).smallest_normal).all())


@BUILDS
def test_a_device_that_is_not_there_leaves_the_model(build: Callable[..., Any]) -> None:
    missing = next(d for d in ("cuda:99", "xpu:99", "mtia:99") if not _is_there(d))
    model, x = build(), torch.randn(5, 16)
    before, expected = list(model.parameters()), model(x)
    with pytest.raises((RuntimeError, AssertionError)) as dense:
        nn.Linear(2, 2).to(missing)
    with pytest.raises(type(dense.value)) as said:
        model.to(missing)
    assert str(said.value) == str(dense.value)  # what torch says of its own layers
    assert all(p is q for p, q in zip(model.parameters(), before, strict=True))
    assert places(model) == {("cpu", torch.float32)}
    assert torch.equal(model(x), expected)


def _is_there(device: str) -> bool:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        return False
    return True


@BUILDS
def test_what_has_no_data_cannot_move(build: Callable[..., Any]) -> None:
    model = build("meta")
    with pytest.raises(NotImplementedError, match="to_empty"):
        model.to("cpu")
    assert places(model) == {("meta", torch.float32)}


@BUILDS
def test_moves_that_swap_tensors(build: Callable[..., Any]) -> None:
    model, x = build(), torch.randn(5, 16).double()
    expected = copy.deepcopy(model).double()(x)
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        assert torch.equal(model.double()(x), expected)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


# ---------------------------------------------------------------------------------------------------------- autocast


@pytest.mark.parametrize("dtype", HALVES)
@BUILDS
def test_autocast_trains(build: Callable[..., Any], dtype: Any) -> None:
    model, x = build(), torch.randn(5, 16)
    with torch.autocast("cpu", dtype):
        y = model(x)
        loss = y.float().square().mean()
    loss.backward()
    # A native layer goes back from the irreps in the precision of its constants.
    assert y.dtype == (dtype if build is constrained else torch.float32)
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() and p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("name", SPACES)
def test_under_autocast_the_weight_is_formed_in_single_and_used_in_half(name: str) -> None:
    projector = rct.Projector(SPACES[name])
    rows, cols = projector.shape
    layer = rct.constrain(nn.Linear(cols, rows, bias=False), "weight", projector)
    weight, x = layer.weight, torch.randn(5, cols)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.weight, weight)
        assert layer.weight.dtype == torch.float32
        assert torch.equal(layer(x), nn.functional.linear(x, weight))
        assert layer(x).dtype == torch.bfloat16


def test_under_autocast_a_convolution_uses_its_weight() -> None:
    model = rct.symmetrize(nn.Sequential(nn.Conv2d(8, 16, 3)), {"0": R >> 2 * R})
    x = torch.randn(2, 8, 5, 5)
    with torch.autocast("cpu", torch.bfloat16):
        y = model(x)
        plain = nn.functional.conv2d(x, model[0].weight, model[0].bias)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, plain)
    y.float().sum().backward()
    assert all(p.grad.dtype == torch.float32 for p in model.parameters())


def test_a_scaled_loss_takes_a_step() -> None:
    model = constrained()
    before = [p.detach().clone() for p in model.parameters()]
    scaler, optimiser = torch.amp.GradScaler("cpu", init_scale=8.0), torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.autocast("cpu", torch.float16):
        loss = model(torch.randn(5, 16)).float().square().mean()
    scaler.scale(loss).backward()
    scaler.step(optimiser)
    scaler.update()
    assert not any(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
