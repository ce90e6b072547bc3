"""The adapters on an accelerator: the same numbers as on the CPU, within a bound from dtype and size. `make test-gpu` runs it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")

pytestmark = pytest.mark.gpu

SPACES = {
    "orbit": lambda: (lambda g: 8 * rc.regular(g) >> 4 * rc.regular(g))(rc.dihedral(4)),
    "factor": lambda: (lambda v: 3 * v**2 >> 2 * v**2)(rc.SO(3).rep),
}


def bound(weight: np.ndarray, eps: float) -> float:
    """An inner product of N terms errs by at most N eps |a| |b|; projecting makes two of them for each entry."""
    return 4 * weight.size * eps * float(np.linalg.norm(weight))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator that torch can use")
@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch_projects_and_differentiates_as_on_the_cpu(name: str, dtype: str) -> None:
    import repcore_torch as rct

    space = SPACES[name]()
    weight = np.random.default_rng(0).standard_normal(space.shape)
    exact = rc.plan(space).project(weight)
    w = torch.tensor(weight, dtype=getattr(torch, dtype), device="cuda", requires_grad=True)
    projected = rct.Projector(space).to("cuda")(w)
    limit = bound(weight, float(np.finfo(dtype).eps))
    assert projected.device.type == "cuda"
    assert np.abs(projected.detach().cpu().double().numpy() - exact).max() <= limit
    (gradient,) = torch.autograd.grad(rct.penalty(w, space, norm="fro2"), w)
    assert np.abs(gradient.cpu().double().numpy() - (weight - exact)).max() <= limit


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator that torch can use")
@pytest.mark.parametrize("training", [True, False])
def test_native_layers_compute_as_on_the_cpu(training: bool) -> None:
    import repcore_torch as rct

    R = rc.regular(rc.dihedral(4))
    layer = rct.Linear(8 * R, 4 * R, dtype=torch.float64)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(16, 64, dtype=torch.float64)
    exact = layer(x).detach()
    limit = 64 * sum(layer.shape) * float(np.finfo(np.float64).eps) * float(x.norm() * layer.weight.norm() + exact.norm())
    with torch.set_grad_enabled(training):
        found = layer.to("cuda")(x.to("cuda"))
    assert found.device.type == "cuda"
    assert float((found.detach().cpu() - exact).norm()) <= limit


@pytest.fixture
def jax_gpu() -> Iterator[object]:
    try:
        devices = jax.devices("gpu")
    except RuntimeError:
        pytest.skip("needs an accelerator that jax can use")
    with jax.default_device(devices[0]):
        yield devices[0]


@pytest.mark.parametrize("name", SPACES)
def test_jax_projects_as_on_the_cpu(name: str, jax_gpu: object) -> None:
    import repcore_jax as rcj

    space = SPACES[name]()
    weight = np.random.default_rng(0).standard_normal(space.shape).astype(np.float32)
    projected = jax.jit(rcj.projector(space))(jax.numpy.asarray(weight))
    # Products on an accelerator may run in a type of 10 bits of mantissa; ask for float32.
    assert np.abs(np.asarray(projected) - rc.plan(space).project(weight)).max() <= bound(weight, 2.0**-10)
