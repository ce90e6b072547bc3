"""torch.compile and torch.export of constrained and native models."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest

import repcore as rc

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

import repcore_torch as rct  # noqa: E402

G = rc.dihedral(4)
R, one = rc.regular(G), rc.trivial(G)
EPS = torch.finfo(torch.float32).eps
# The compiler imports parts of torch that use its own deprecated torch.jit.script.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")


class Net(nn.Module):
    """A convolution, whose weight is read through a view, and two linear layers."""

    def __init__(self, native: bool = False) -> None:
        super().__init__()
        self.conv, self.hidden = nn.Conv2d(8, 16, 3, padding=1), nn.Linear(16, 24)
        self.head = rct.Linear(3 * R, R) if native else nn.Linear(24, 8)

    def forward(self, x: Any) -> Any:
        return self.head(self.hidden(self.conv(x).relu().mean((-1, -2))).relu())


def constrained() -> Any:
    return rct.symmetrize(Net(), {"conv": R >> 2 * R, "hidden": 2 * R >> 3 * R, "head": 3 * R >> R})


def native() -> Any:
    return rct.symmetrize(Net(native=True), {"conv": R >> 2 * R, "hidden": 2 * R >> 3 * R})


def dense(model: Any) -> Any:
    """A copy with plain weights, by torch's own verb."""
    model = copy.deepcopy(model)
    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):
                parametrize.remove_parametrizations(module, name)
    return model


BUILDS = pytest.mark.parametrize("build", [constrained, native])


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def x() -> Any:
    return torch.randn(3, 8, 6, 6)


def allowed(expected: Any) -> float:
    """For sums of 8 * 9, 36, 16 and 24 products in another order, of numbers of order one."""
    return 2 * (8 * 9 + 36 + 16 + 24) * EPS * float(expected.detach().norm() + expected.numel() ** 0.5)


def check(compiled: Callable[..., Any], model: Any, x: Any) -> None:
    found = []
    for run in (compiled, model):
        y = run(x)
        found.append((y, *torch.autograd.grad(y.square().mean(), list(model.parameters()))))
    for left, right in zip(*found, strict=True):
        assert left.shape == right.shape
        assert (left - right).norm() <= allowed(right)
        assert right.any()


@BUILDS
def test_one_graph_forward_and_backward(build: Callable[..., Any], x: Any) -> None:
    model = build()
    check(torch.compile(model, fullgraph=True, backend="eager"), model, x)


@pytest.mark.slow
def test_compiled_to_machine_code(x: Any) -> None:
    model = native()  # it has constrained layers too
    check(torch.compile(model, fullgraph=True), model, x)


def test_one_graph_in_half_precision(x: Any) -> None:
    model = constrained()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(compiled(x), model(x))


def test_a_compiled_model_follows_its_coefficients(x: Any) -> None:
    model = constrained()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    first = compiled(x)
    with torch.no_grad():
        model.hidden.parametrizations.weight.original.mul_(2)
    assert not torch.equal(compiled(x), first)
    assert torch.equal(compiled(x), model(x))


@BUILDS
@pytest.mark.parametrize("strict", [False, True])
def test_an_exported_program_has_the_coefficients_as_parameters(build: Callable[..., Any], strict: bool, x: Any) -> None:
    model = build()
    program = torch.export.export(model, (x,), strict=strict)
    assert set(program.graph_signature.parameters) == {name for name, _ in model.named_parameters()}
    assert (program.module()(x) - model(x)).norm() <= allowed(model(x))


def test_an_exported_program_takes_any_batch_and_comes_back_from_a_file(x: Any) -> None:
    model = constrained()
    program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    back = torch.export.load(file).module()
    more = torch.randn(7, 8, 6, 6)
    assert (back(more) - model(more)).norm() <= allowed(model(more))


def test_a_copy_without_parametrisations_exports_dense_weights(x: Any) -> None:
    model = constrained()
    plain = dense(model)
    program = torch.export.export(plain, (x,))
    names = {"conv.weight", "conv.bias", "hidden.weight", "hidden.bias", "head.weight", "head.bias"}
    assert set(program.graph_signature.parameters) == names
    assert not program.constants
    # The same weights through the same operations, and the model itself is as it was.
    assert torch.equal(program.module()(x), plain(x))
    assert torch.equal(plain(x), model(x))
    assert parametrize.is_parametrized(model.conv, "weight")
    assert torch.equal(rct.fold(model)(x), plain(x))
