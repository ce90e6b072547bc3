"""The penalty beside conformance: transforms, compilation, states that are saved, schedules, memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")
rct = pytest.importorskip("repcore_torch")
jax = pytest.importorskip("jax")
rcj = pytest.importorskip("repcore_jax")

EPS = float(np.finfo(np.float64).eps)
OTHERS = ["spectral", "nuclear", "inf", (2, 1)]


@pytest.fixture(scope="module")
def space() -> Any:
    V = rc.dihedral(4).rep
    return 3 * V + rc.trivial(V.group) >> 2 * V


def draw(space: Any, *batch: int) -> Any:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*batch, *space.shape, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("norm", OTHERS, ids=str)
def test_functional_transforms_agree_with_autograd(space: Any, norm: Any) -> None:
    W = draw(space, 4)
    leaf = W.clone().requires_grad_()
    rct.penalty(leaf, space, norm, relative=True, equivariant=0.5).sum().backward()
    one = torch.func.grad(lambda w: rct.penalty(w, space, norm, relative=True, equivariant=0.5))
    turned = torch.vmap(one, in_dims=1, out_dims=1)(W.movedim(0, 1)).movedim(1, 0)
    for found in (torch.stack([one(w) for w in W]), torch.vmap(one)(W), turned):
        assert (found - leaf.grad).abs().max() <= 256 * sum(space.shape) * EPS


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own, of forward mode
@pytest.mark.parametrize("norm", OTHERS, ids=str)
def test_forward_mode_and_second_derivatives_raise(space: Any, norm: Any) -> None:
    W = draw(space)
    with pytest.raises(RuntimeError, match=r"(?s)forward|jvp"):
        torch.func.jvp(lambda w: rct.penalty(w, space, norm), (W,), (W,))
    with pytest.raises(rc.IncompatibleError, match="differentiable once"):
        torch.func.jacrev(torch.func.grad(lambda w: rct.penalty(w, space, norm)))(W)
    with pytest.raises(rc.IncompatibleError, match="differentiable once"):
        jax.hessian(lambda w: rcj.penalty(w, space, norm))(W.numpy())


def test_fro_with_the_equivariant_part_has_second_derivatives(space: Any) -> None:
    # ||R||^2 / 2 + c ||P W||^2 / 2 has the Hessian (I - P) + c P.
    W, n = draw(space), space.shape[0] * space.shape[1]
    P = torch.stack([rct.project(e, space).flatten() for e in torch.eye(n, dtype=W.dtype).view(n, *space.shape)])
    hessian = torch.func.jacrev(torch.func.grad(lambda w: rct.penalty(w, space, "fro2", equivariant=0.25)))(W).view(n, n)
    assert (hessian - (torch.eye(n) - 0.75 * P)).abs().max() <= 64 * n * EPS
    with jax.enable_x64(True):
        other = np.asarray(jax.hessian(lambda w: rcj.penalty(w, space, "fro2", equivariant=0.25))(W.numpy())).reshape(n, n)
    assert np.abs(other - hessian.numpy()).max() <= 64 * n * EPS


def test_weights_may_be_tensors_that_are_scheduled_or_learned(space: Any) -> None:
    W = draw(space)
    part = torch.tensor(0.5, dtype=W.dtype, requires_grad=True)
    found = rct.penalty(W, [(space, part)], "fro2", equivariant=part)
    found.backward()
    outside, inside = rct.penalty(W, space, "fro2"), rct.project(W, space).square().sum() / 2
    assert abs(part.grad - (outside + 2 * part.detach() * inside)) <= 64 * W.numel() * EPS * W.norm() ** 2
    with jax.enable_x64(True):
        other = jax.jit(lambda w, c: rcj.penalty(w, [(space, c)], "fro2", equivariant=c))(W.numpy(), 0.5)
    assert abs(float(other) - found.item()) <= 64 * W.numel() * EPS * W.norm() ** 2


def test_a_resumed_run_goes_on_as_it_would_have(space: Any) -> None:
    def steps(W: Any, state: Any, count: int) -> list[float]:
        found = []
        for k in range(count):
            found.append(rct.penalty(W + 0.01 * k, space, "spectral", state=state).item())
        return found

    W, state = draw(space), rct.SpectralState(start=2)
    steps(W, state, 3)
    copy = rct.SpectralState()
    copy.load_state_dict(state.state_dict())
    assert list(state.state_dict()) == ["vectors"]
    assert steps(W, copy, 3) == steps(W, state, 3)


def test_a_state_survives_a_weight_that_is_zero(space: Any) -> None:
    W, state = draw(space), rct.SpectralState()
    zero = torch.zeros_like(W, requires_grad=True)
    value = rct.penalty(zero, space, "spectral", state=state)
    value.backward()
    assert value == 0
    assert not zero.grad.any()
    for _ in range(60):
        value = rct.penalty(W, space, "spectral", state=state)
    assert abs(value - rct.penalty(W, space, "spectral")) <= state.error.item() + 64 * sum(space.shape) * EPS * W.norm()


def test_compiled_in_one_graph(space: Any) -> None:
    W = draw(space).float()
    projector = rct.Projector(space).float()

    def loss(w: Any) -> Any:
        return sum(rct.penalty(w, projector, norm, equivariant=0.5) for norm in ("fro", "spectral", (2, 1)))

    leaf, twin = W.clone().requires_grad_(), W.clone().requires_grad_()
    loss(leaf).backward()
    torch.compile(loss, fullgraph=True, backend="aot_eager")(twin).backward()
    assert (leaf.grad - twin.grad).abs().max() <= 64 * sum(space.shape) * float(torch.finfo(W.dtype).eps)


def test_halves_are_measured_in_single_precision(space: Any) -> None:
    for norm in ("fro", *OTHERS):
        assert rct.penalty(draw(space).bfloat16(), space, norm).dtype == torch.float32


# 51 copies of 0 + 1 + 2 of SO(3), to 51: (459 * 459) entries and 51 * 51 * 3 maps, a dense Q of 6.6 GB in float32.
MEMORY = {
    "torch": """
import torch, repcore_torch as rct
torch.set_num_threads(1)
W = torch.ones(space.shape, requires_grad=True)
small = rc.cyclic(4).rep >> rc.cyclic(4).rep
rct.penalty(torch.ones(small.shape, requires_grad=True), small).backward()
start = peak()
for norm, state in (("fro", None), ("fro2", None), ("spectral", rct.SpectralState())):
    rct.penalty(W, space, norm, state=state).backward()
""",
    "jax": """
import jax, jax.numpy as jnp, repcore_jax as rcj
W = jnp.ones(space.shape)
def run(W, space):
    for norm in ("fro", "fro2"):
        jax.jit(jax.grad(lambda w: rcj.penalty(w, space, norm)))(W).block_until_ready()
    state = rcj.spectral_state(W, space)
    jax.jit(jax.grad(lambda w: rcj.penalty(w, space, "spectral", state=state)[0]))(W).block_until_ready()
X = zero + one + two
run(jnp.ones((9, 9)), X >> X)
start = peak()
run(W, space)
""",
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("framework", MEMORY)
def test_a_layer_whose_dense_projector_has_six_gigabytes_takes_two_hundred_megabytes(framework: str, tmp_path: Path) -> None:
    # What the framework and its compiler take is not the penalty's: the peak is counted from calls of a single copy on.
    code = f"""
from pathlib import Path
import repcore as rc
def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
zero, one, two = (rc.irrep(rc.SO(3), str(degree)) for degree in range(3))
X = 51 * (zero + one + two)
space = X >> X
plan = rc.plan(space)
dense = 4 * plan.dim * plan.shape[0] * plan.shape[1]
{MEMORY[framework]}
print(dense, peak() - start)
"""
    environment = os.environ | {"REPCORE_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    dense, taken = map(float, done.stdout.split())
    assert dense > 6e9
    assert taken < 200
