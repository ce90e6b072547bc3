"""torch.func, checkpointed activations and optimisers: what training code does with parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

import repcore as rc

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.func import functional_call, grad, hessian, jacrev, stack_module_state, vmap  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

import repcore_torch as rct  # noqa: E402

G = rc.dihedral(4)
R, one = rc.regular(G), rc.trivial(G)
EPS = torch.finfo(torch.float64).eps
# Sums of this many products in a forward pass of the models below; a derivative has as many again.
TERMS = 16 + 24 + 2
# Forward mode, which a hessian uses, imports parts of torch that use its own deprecated torch.jit.script.
LOADS_SCRIPTS = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")


def constrained() -> Any:
    model = nn.Sequential(nn.Linear(16, 24), nn.Tanh(), nn.Linear(24, 8)).double()
    rct.constrain(model[0], "weight", 2 * R >> 3 * R)
    rct.constrain(model[0], "bias", one >> 3 * R)
    rct.constrain(model[2], "weight", rc.plan(3 * R >> R, structure="schur"))
    return model


def native() -> Any:
    return nn.Sequential(rct.Linear(2 * R, 3 * R, dtype=torch.float64), nn.Tanh(), rct.Linear(3 * R, R, dtype=torch.float64))


BUILDS = pytest.mark.parametrize("build", [constrained, native])


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def x() -> Any:
    return torch.randn(5, 16, dtype=torch.float64)


def close(left: Any, right: Any, factor: int = 1) -> bool:
    """Equal but for the order of sums; entries of all factors are of order one here, so lengths bound what is summed."""
    scale = right.norm() + right.numel() ** 0.5
    return bool((left - right).norm() <= factor * TERMS**2 * EPS * scale) and bool(right.abs().max() > 0)


def loss_of(model: Any, parameters: Any, x: Any) -> Any:
    return functional_call(model, parameters, (x,)).square().mean()


# --------------------------------------------------------------------------------------------------------- torch.func


@BUILDS
def test_an_ensemble_is_a_batch_of_coefficients(build: Callable[..., Any], x: Any) -> None:
    models = [build() for _ in range(3)]
    parameters, buffers = stack_module_state(models)
    base = copy.deepcopy(models[0]).to("meta")  # as torch's own tutorial has it: the skeleton has no data
    y = vmap(lambda p, b: functional_call(base, (p, b), (x,)))(parameters, buffers)
    assert y.shape == (3, 5, 8)
    assert all(close(y[i], model(x)) for i, model in enumerate(models))
    grads = vmap(grad(lambda p: loss_of(base, p, x)))(parameters)
    for i, model in enumerate(models):
        model.zero_grad()
        model(x).square().mean().backward()
        assert all(close(grads[name][i], p.grad) for name, p in model.named_parameters())


@BUILDS
def test_gradients_of_samples(build: Callable[..., Any], x: Any) -> None:
    model = build()
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    each = vmap(grad(lambda p, x: loss_of(model, p, x[None])), in_dims=(None, 0))(parameters, x)
    model(x).square().mean().backward()
    assert all(close(each[name].mean(0), p.grad) for name, p in model.named_parameters())


@BUILDS
def test_jacobians(build: Callable[..., Any], x: Any) -> None:
    model = build()
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    jacobian = jacrev(lambda p: functional_call(model, p, (x,)))(parameters)
    y = model(x)
    for a, b in ((0, 0), (4, 7)):
        rows = torch.autograd.grad(y[a, b], list(model.parameters()), retain_graph=True)
        for (name, _), row in zip(model.named_parameters(), rows, strict=True):
            assert (jacobian[name][a, b] - row).norm() <= TERMS**2 * EPS * (row.norm() + row.numel() ** 0.5)


@LOADS_SCRIPTS
@BUILDS
def test_hessians_agree_with_differentiating_twice(build: Callable[..., Any], x: Any) -> None:
    model = build()
    name, parameter = next(iter(model.named_parameters()))
    rest = {other: p.detach() for other, p in model.named_parameters() if other != name}
    H = hessian(lambda theta: loss_of(model, {**rest, name: theta}, x))(parameter.detach())
    n = parameter.numel()
    H = H.reshape(n, n)
    assert close(H, H.T)
    (first,) = torch.autograd.grad(model(x).square().mean(), parameter, create_graph=True)
    direction = torch.randn_like(parameter)
    (second,) = torch.autograd.grad((first * direction).sum(), parameter)
    assert close(H @ direction.flatten(), second.flatten(), 8)


def test_second_derivatives_of_a_penalty_on_a_constrained_weight() -> None:
    # The penalty of a larger group on the weights of a smaller one: fro2 is a quadratic form in theta, Q^T (1 - P) Q.
    small = rc.cyclic(4)
    layer = rct.constrain(nn.Linear(4, 4, bias=False).double(), "weight", rc.regular(small) >> rc.regular(small))
    larger = rct.Projector(rc.symmetric(4).rep >> rc.symmetric(4).rep)
    theta = layer.parametrizations.weight.original
    name = "parametrizations.weight.original"

    def size(theta: Any) -> Any:
        with torch.nn.utils.parametrize.cached():
            return rct.penalty(functional_call(Weight(layer), {f"layer.{name}": theta}, ()), larger, "fro2")

    H = jacrev(jacrev(size))(theta.detach())
    Q = layer.parametrizations.weight[0].projector.expand(torch.eye(len(theta), dtype=torch.float64))
    exact = torch.einsum("ayx,byx->ab", Q, Q - larger(Q))
    assert close(H, exact)
    (first,) = torch.autograd.grad(rct.penalty(layer.weight, larger, "fro2"), theta, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum() / 2, theta)
    assert close(second, exact @ exact @ theta.detach())


class Weight(nn.Module):
    """A module whose output is the weight of a layer."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self) -> Any:
        return self.layer.weight


# ----------------------------------------------------------------------------------------------------------- training


@BUILDS
@pytest.mark.parametrize("use_reentrant", [False, True])
def test_checkpointed_activations_give_equal_gradients(build: Callable[..., Any], x: Any, use_reentrant: bool) -> None:
    model = build()
    x.requires_grad_()
    wanted = [x, *model.parameters()]
    grads = []
    for run in (model, lambda x: checkpoint(model, x, use_reentrant=use_reentrant)):
        for tensor in wanted:
            tensor.grad = None
        run(x).square().mean().backward()
        grads.append([tensor.grad.clone() for tensor in wanted])
    assert all(torch.equal(p, q) for p, q in zip(*grads, strict=True))


@BUILDS
def test_gradients_are_clipped_by_the_norm_of_the_coefficients(build: Callable[..., Any], x: Any) -> None:
    model = build()
    model(x).square().sum().backward()
    length = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    found = nn.utils.clip_grad_norm_(model.parameters(), 0.25)
    assert abs(found - length) <= 1024 * EPS * length
    clipped = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    assert clipped <= 0.25 * (1 + 1024 * EPS)
    assert length > 1


@BUILDS
@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_optimisers_may_loop_batch_or_fuse(build: Callable[..., Any], kind: str, x: Any) -> None:
    start = build()
    results = []
    for more in ({"foreach": False}, {"foreach": True}, {"fused": True}):
        model = copy.deepcopy(start)
        optimiser = getattr(torch.optim, kind)(model.parameters(), lr=0.01, **more)
        for _ in range(2):
            optimiser.zero_grad()
            model(x).square().mean().backward()
            optimiser.step()
        results.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    before = torch.cat([p.detach().flatten() for p in start.parameters()])
    assert all(close(result, results[0], 8) for result in results[1:])
    assert not torch.equal(results[0], before)


def test_trained_weights_stay_in_the_space(x: Any) -> None:
    model = constrained()
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1, foreach=True)
    for _ in range(5):
        optimiser.zero_grad()
        (model(x) - 1).square().mean().backward()
        optimiser.step()
    gx, gy = (torch.tensor(rep.matrix(0).to_numpy(), dtype=torch.float64) for rep in (2 * R, 3 * R))
    W = model[0].weight.detach()
    # The group permutes: both sides are rearrangements of W.
    assert torch.equal(gy @ W, W @ gx)
