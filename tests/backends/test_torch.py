"""What PyTorch asks of an adapter beyond the laws: modules, checkpoints, dtypes, transforms, the compiler."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")

from torch.nn.utils import parametrize  # noqa: E402

import repcore_torch as rct  # noqa: E402

D4 = rc.dihedral(4)
V, one = D4.rep, rc.trivial(D4)
X, Y = 4 * one + 2 * V, V * V + 3 * one
EPS = torch.finfo(torch.float32).eps
# Forward mode and the compiler import parts of torch that use its own deprecated torch.jit.script.
LOADS_SCRIPTS = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def space() -> rc.Hom:
    return X >> Y


@pytest.fixture
def layer() -> Any:
    return torch.nn.Linear(X.dim, Y.dim)


def contents(module: Any) -> dict[str, Any]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


# ------------------------------------------------------------------------------------------------ constrain


def test_constrain_learns_dim_coefficients_from_the_projection(space: rc.Hom, layer: Any) -> None:
    before = layer.weight.detach().clone()
    assert rct.constrain(layer, "weight", space) is layer
    theta = layer.parametrizations.weight.original
    assert isinstance(theta, torch.nn.Parameter)
    assert theta.shape == (rc.solve(space).dim,)
    assert torch.equal(layer.weight, rct.Projector(space).expand(rct.Projector(space).coefficients(before)))


def test_training_stays_in_the_space(space: rc.Hom, layer: Any) -> None:
    rct.constrain(layer, "weight", space)
    rct.constrain(layer, "bias", one >> Y)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.1)
    x, target = torch.randn(32, X.dim), torch.randn(32, Y.dim)
    losses = []
    for _ in range(5):
        optimiser.zero_grad()
        loss = (layer(x) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    # Both generators: y(g x) = g y(x), on integer matrices, so only the products of the layer round.
    for i in range(2):
        gx, gy = (torch.tensor(rep.matrix(i).to_numpy(), dtype=torch.float32) for rep in (X, Y))
        allowed = 4 * (X.dim + 2) * EPS * (layer.weight.norm() * x.norm() + layer.bias.norm() * 32)
        assert (layer(x @ gx.T) - layer(x) @ gy.T).norm() <= allowed


def test_a_bias_is_constrained_as_a_vector(layer: Any) -> None:
    rct.constrain(layer, "bias", one >> Y)
    assert layer.bias.shape == (Y.dim,)
    assert layer.parametrizations.bias.original.shape == (4,)  # V * V holds one invariant, 3 * one hold three


def test_a_stack_of_weights_has_a_stack_of_coefficients(space: rc.Hom) -> None:
    module = torch.nn.Module()
    module.experts = torch.nn.Parameter(torch.randn(5, Y.dim, X.dim))
    rct.constrain(module, "experts", space)
    assert module.parametrizations.experts.original.shape == (5, rc.solve(space).dim)
    assert module.experts.shape == (5, Y.dim, X.dim)


def test_a_transposed_weight_is_read_like_its_copy() -> None:
    V = rc.dihedral(4).rep
    projector = rct.Projector(4 * V >> 4 * V)  # one orbit block of several copies: the fused route
    W = torch.randn(8, 8).T
    assert torch.equal(projector.coefficients(W), projector.coefficients(W.contiguous()))
    assert torch.equal(projector(W), projector(W.contiguous()))


def test_a_second_constraint_is_refused(space: rc.Hom, layer: Any) -> None:
    rct.constrain(layer, "weight", space)
    before = contents(layer)
    with pytest.raises(rc.IncompatibleError, match=r"'weight' of .*Linear is parametrised already"):
        rct.constrain(layer, "weight", space)
    assert same(contents(layer), before)
    assert len(layer.parametrizations.weight) == 1
    with pytest.raises(rc.IncompatibleError, match="parametrised already"):
        rct.project_(layer, "weight", space)


@pytest.mark.parametrize("verb", [rct.constrain, rct.project_])
@pytest.mark.parametrize(
    ("name", "choose", "words"),
    [
        ("weight", lambda: Y >> X, r"'weight' has shape \(7, 8\).*\(dim Y, dim X\) = \(8, 7\)"),
        ("bias", lambda: X >> Y, r"'bias' has shape \(7,\).*\(7, 8\)"),
        ("wieght", lambda: X >> Y, "no parameter or buffer 'wieght'; it has: weight, bias"),
        ("weight", lambda: complex_plan((7, 8)), "'weight' is real .* and the space is complex"),
    ],
)
def test_a_call_that_fails_leaves_the_module_alone(verb: Any, layer: Any, name: str, choose: Any, words: str) -> None:
    before, kind, weight = contents(layer), type(layer), layer.weight
    with pytest.raises(rc.IncompatibleError, match=words):
        verb(layer, name, choose())
    assert same(contents(layer), before)
    assert type(layer) is kind
    assert layer.weight is weight
    assert not parametrize.is_parametrized(layer)


def complex_plan(shape: tuple[int, int]) -> rc.Plan:
    block = rc.Block(np.array([[0]]), np.array([[0]]), np.array([[[0]]]), rc.Factor(np.array([[1j]])))
    return rc.Plan(shape, 1, (block,), "c0ffee", True)


def test_a_lazy_module_is_refused(space: rc.Hom) -> None:
    with pytest.raises(rc.IncompatibleError, match="no shape yet"):
        rct.constrain(torch.nn.LazyLinear(Y.dim), "weight", space)


def test_the_zero_space_is_said(layer: Any) -> None:
    layer = torch.nn.Linear(2, 1)
    with pytest.warns(rc.RepcoreWarning, match="dimension 0"):
        rct.constrain(layer, "weight", V >> one)
    assert torch.equal(layer.weight, torch.zeros(1, 2))
    layer(torch.randn(3, 2)).sum().backward()


def test_the_weight_is_formed_once_a_forward_and_once_when_cached(space: rc.Hom, layer: Any) -> None:
    rct.constrain(layer, "weight", space)
    calls = []
    layer.parametrizations.weight[0].register_forward_hook(lambda *_: calls.append(1))
    layer(torch.randn(2, X.dim))
    assert len(calls) == 1
    with parametrize.cached():
        for _ in range(3):
            layer(torch.randn(2, X.dim))
    assert len(calls) == 2


def test_assigning_a_weight_projects_it(space: rc.Hom, layer: Any) -> None:
    rct.constrain(layer, "weight", space)
    W = torch.randn(Y.dim, X.dim)
    layer.weight = W
    assert (layer.weight - rct.project(W, space)).norm() <= 4 * (Y.dim * X.dim) * EPS * W.norm()


def test_removing_the_constraint_leaves_the_dense_weight(space: rc.Hom, layer: Any) -> None:
    rct.constrain(layer, "weight", space)
    W = layer.weight.detach().clone()
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is torch.nn.Linear
    assert torch.equal(layer.weight, W)


def test_a_deep_copy_is_independent_and_shares_the_constants(space: rc.Hom, layer: Any) -> None:
    rct.constrain(layer, "weight", space)
    twin = copy.deepcopy(layer)
    left, right = layer.parametrizations.weight[0].projector, twin.parametrizations.weight[0].projector
    assert left is not right
    assert left.tables is right.tables
    with torch.no_grad():
        twin.parametrizations.weight.original.add_(1)
    assert not torch.equal(twin.weight, layer.weight)
    assert torch.equal(layer.weight, layer.weight)


# -------------------------------------------------------------------------------------------------- project_


def test_project_in_place_keeps_the_parameter(space: rc.Hom, layer: Any) -> None:
    W, weight, pointer = layer.weight.detach().clone(), layer.weight, layer.weight.data_ptr()
    assert rct.project_(layer, "weight", space) is layer
    assert layer.weight is weight
    assert layer.weight.data_ptr() == pointer
    assert layer.weight.requires_grad
    assert torch.equal(layer.weight, rct.project(W, space))


# ----------------------------------------------------------------------------------------------- state_dict


def test_the_state_dict_is_the_coefficients_and_a_digest(space: rc.Hom, layer: Any) -> None:
    projector = rct.Projector(space)
    assert list(projector.state_dict()) == ["_extra_state"]
    assert bytes(projector.state_dict()["_extra_state"].tolist()).decode() == projector.digest
    assert list(projector.parameters()) == list(projector.buffers()) == []
    rct.constrain(layer, "weight", space)
    assert set(layer.state_dict()) == {
        "bias",
        "parametrizations.weight.original",
        "parametrizations.weight.0.projector._extra_state",
    }


def test_a_checkpoint_comes_back_through_weights_only(space: rc.Hom, layer: Any) -> None:
    twin = rct.constrain(torch.nn.Linear(X.dim, Y.dim), "weight", space)
    rct.constrain(layer, "weight", space)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    twin.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(twin.weight, layer.weight)


def test_a_checkpoint_of_another_space_is_refused_by_name() -> None:
    # Both spaces have dimension 4: without the digest the coefficients would load without a word.
    left, right = (rct.constrain(torch.nn.Linear(4, 4), "weight", S >> S) for S in (2 * V, V * V))
    digests = [module.parametrizations.weight[0].projector.digest for module in (left, right)]
    assert left.parametrizations.weight.original.shape == right.parametrizations.weight.original.shape
    with pytest.raises(rc.IncompatibleError, match=f"{digests[1]}.*{digests[0]}"):
        left.load_state_dict(right.state_dict())


# --------------------------------------------------------------------------------------------------- dtypes


def test_a_round_trip_through_float32_loses_no_digit(space: rc.Hom) -> None:
    projector = rct.Projector(space)
    W = torch.randn(Y.dim, X.dim, dtype=torch.float64)
    before = projector(W)
    after = projector.to(torch.float32).to(torch.float64)(W)
    assert torch.equal(after, before)
    assert torch.equal(projector.half().double()(W), before)
    # What a cast of the cast would give: the constants 1/sqrt(8) in float32 are off by more than float64 can be.
    cast = projector(W.float()).double()
    assert (cast - before).norm() > 64 * torch.finfo(torch.float64).eps * W.norm()


def test_moving_a_module_prepares_its_constants() -> None:
    projector = rct.Projector(real_plan("0a")).to(torch.float64)
    ready = projector.tables.ready
    assert (torch.float64, torch.device("cpu")) in ready
    projector(torch.randn(1, 2, dtype=torch.float64))
    assert projector.tables.ready == ready


def real_plan(digest: str) -> rc.Plan:
    """A plan that shares its constants with no other test: they are kept by digest."""
    structure = rc.Orbit(np.array([0, 0]), np.array([0.6, 0.8]), 1)
    return rc.Plan((1, 2), 1, (rc.Block(np.array([[0]]), np.array([[0, 1]]), np.array([[[0]]]), structure),), digest, False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_rounds_once_at_the_end(space: rc.Hom, dtype: Any) -> None:
    W = torch.randn(Y.dim, X.dim).to(dtype)
    exact = rct.project(W.double(), space)
    result = rct.project(W, space)
    assert result.dtype == dtype
    # One rounding of each entry to half precision; the float32 arithmetic adds far less than the second half of eps.
    assert bool(((result.double() - exact).abs() <= torch.finfo(dtype).eps * exact.abs().max()).all())
    theta = rct.Projector(space).coefficients(W)
    assert theta.dtype == rct.Projector(space).expand(theta).dtype == dtype
    assert rct.penalty(W, space).dtype == torch.float32


def test_autocast_does_not_reach_the_projector() -> None:
    space = rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2  # a factor block: a matrix product, which autocast would round
    W = torch.randn(9, 9)
    with torch.autocast("cpu", torch.bfloat16):
        inside = rct.project(W, space)
    assert torch.equal(inside, rct.project(W, space))


def test_a_real_weight_in_a_complex_space_becomes_complex() -> None:
    W = torch.randn(7, 8, requires_grad=True)
    result = rct.project(W, complex_plan((7, 8)))
    assert result.dtype == torch.complex64
    assert torch.autograd.grad(result.real.sum(), W)[0].dtype == torch.float32


def test_an_integer_weight_is_refused(space: rc.Hom) -> None:
    with pytest.raises(rc.IncompatibleError, match=r"torch.int64.*W.float\(\)"):
        rct.project(torch.ones(Y.dim, X.dim, dtype=torch.int64), space)


@pytest.mark.parametrize("call", [rct.project, rct.penalty, lambda W, space: rct.Projector(space).coefficients(W)])
def test_an_array_in_the_place_of_a_tensor_is_refused(space: rc.Hom, call: Any) -> None:
    with pytest.raises(rc.IncompatibleError, match="W: expected a tensor, got ndarray; "):
        call(np.ones((Y.dim, X.dim)), space)


def test_constants_first_needed_in_inference_mode_serve_autograd() -> None:
    projector = rct.Projector(real_plan("0b"))
    W = torch.randn(1, 2, dtype=torch.complex128)
    with torch.inference_mode():
        projector(W)
    assert not any(block.values.is_inference() for block in projector.tables.on(W.dtype, W.device).blocks)


# ----------------------------------------------------------------------------------- autograd and torch.func


@pytest.mark.parametrize("verb", ["__call__", "coefficients", "expand", "fro", "fro2", "relative"])
def test_first_and_second_derivatives(verb: str) -> None:
    group = rc.SO(3)
    space = rc.trivial(group) + group.rep >> group.rep**2 + group.rep  # orbit and factor blocks
    projector = rct.Projector(space)
    shape = (projector.dim,) if verb == "expand" else projector.shape
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)

    def f(x: Any) -> Any:
        match verb:
            case "fro" | "fro2":
                return rct.penalty(x, projector, verb)
            case "relative":
                return rct.penalty(x, projector, relative=True)
            case _:
                return getattr(projector, verb)(x)

    assert torch.autograd.gradcheck(f, x, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(f, x)


def test_the_hessian_of_fro2_is_the_complement_of_the_projector(space: rc.Hom) -> None:
    W = torch.randn(Y.dim, X.dim, dtype=torch.float64)
    hessian = torch.func.jacrev(torch.func.jacrev(lambda W: rct.penalty(W, space, "fro2")))(W)
    units = torch.eye(W.numel(), dtype=torch.float64).reshape(-1, *W.shape)
    complement = (units - rct.project(units, space)).reshape(*W.shape, *W.shape)
    assert torch.equal(hessian, complement)


def test_vmap_is_a_batch(space: rc.Hom) -> None:
    W = torch.randn(Y.dim, 3, X.dim)
    assert torch.equal(torch.vmap(rct.Projector(space), in_dims=1)(W), rct.project(W.movedim(1, 0), space))
    grads = torch.vmap(torch.func.grad(lambda W: rct.penalty(W, space, "fro2")))(W.movedim(1, 0))
    assert torch.equal(grads, W.movedim(1, 0) - rct.project(W.movedim(1, 0), space))


@LOADS_SCRIPTS
@pytest.mark.parametrize("verb", ["__call__", "coefficients", "expand"])
def test_forward_mode(space: rc.Hom, verb: str) -> None:
    projector = rct.Projector(space)
    x, dx = torch.randn(2, projector.dim) if verb == "expand" else torch.randn(2, *projector.shape)
    run = getattr(projector, verb)
    _, tangent = torch.func.jvp(run, (x,), (dx,))
    assert torch.equal(tangent, run(dx))
    cube = torch.func.jacfwd(torch.func.jacfwd(lambda x: run(x).pow(3).sum()))(x)
    assert (cube - torch.func.jacrev(torch.func.jacrev(lambda x: run(x).pow(3).sum()))(x)).norm() <= 8 * 56 * EPS * cube.norm()


@LOADS_SCRIPTS
def test_forward_mode_through_the_penalty_raises_and_is_not_wrong(space: rc.Hom) -> None:
    W, dW = torch.randn(2, Y.dim, X.dim)
    with pytest.raises(RuntimeError, match="jvp"):
        torch.func.jvp(lambda W: rct.penalty(W, space), (W,), (dW,))


def test_constants_first_needed_under_torch_func_do_not_outlive_it() -> None:
    projector = rct.Projector(real_plan("0c"))
    W = torch.randn(1, 2, dtype=torch.complex128)
    torch.func.grad(lambda W: projector(W).real.sum())(W)
    assert (W.dtype, W.device) not in projector.tables.ready
    projector(W)
    assert (W.dtype, W.device) in projector.tables.ready


# ------------------------------------------------------------------------------------ compiler and exporter


@LOADS_SCRIPTS
def test_compile_without_a_graph_break(space: rc.Hom, layer: Any) -> None:
    rct.constrain(layer, "weight", space)
    projector = rct.Projector(space)
    W = torch.randn(Y.dim, X.dim, requires_grad=True)
    x = torch.randn(3, X.dim)

    def step(W: Any, x: Any) -> Any:
        return layer(x).square().sum() + projector(W).square().sum() + rct.penalty(W, projector, "fro2")

    eager = step(W, x)
    compiled = torch.compile(step, fullgraph=True)(W, x)
    grads = [torch.autograd.grad(loss, [W, layer.parametrizations.weight.original]) for loss in (eager, compiled)]
    # Sums of squares over at most 7 * 8 entries of products of at most 7 * 8 terms, in another order.
    allowed = 8 * (Y.dim * X.dim) * EPS
    assert abs(compiled - eager) <= allowed * abs(eager)
    for left, right in zip(*grads, strict=True):
        assert (left - right).norm() <= allowed * left.norm()


@LOADS_SCRIPTS
def test_a_space_within_a_compiled_function_breaks_the_graph(space: rc.Hom) -> None:
    W = torch.randn(Y.dim, X.dim)
    compiled = torch.compile(lambda W: rct.project(W, space), backend="eager")
    assert torch.equal(compiled(W), rct.project(W, space))
    with pytest.raises(torch._dynamo.exc.Unsupported, match="_uncompiled"):
        torch.compile(lambda W: rct.project(W, space), backend="eager", fullgraph=True)(W)


def test_export(space: rc.Hom, layer: Any) -> None:
    rct.constrain(layer, "weight", space)
    x = torch.randn(3, X.dim)
    exported = torch.export.export(layer, (x,)).module()
    assert (exported(x) - layer(x)).norm() <= 8 * (Y.dim * X.dim) * EPS * layer(x).norm()


# -------------------------------------------------------------------------------------------- files, names


def test_save_and_load(space: rc.Hom, tmp_path: Path) -> None:
    path = tmp_path / "basis.safetensors"
    rct.save(rct.Projector(space), path)
    back = rct.load(path)
    W = torch.randn(Y.dim, X.dim, dtype=torch.float64)
    assert back.digest == rct.Projector(space).digest
    assert torch.equal(back(W), rct.project(W, space))
    rct.save(back, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_a_bare_plan_cannot_be_saved(space: rc.Hom, tmp_path: Path) -> None:
    with pytest.raises(rc.IncompatibleError, match="made of a plan"):
        rct.save(rct.Projector(rc.plan(space)), tmp_path / "basis.safetensors")
    with pytest.raises(rc.IncompatibleError, match=r"\.safetensors"):
        rct.save(rct.Projector(space), tmp_path / "basis.toml")
    assert list(tmp_path.iterdir()) == []


def test_a_projector_of_anything(space: rc.Hom) -> None:
    W = torch.randn(Y.dim, X.dim)
    projectors = [rct.Projector(source) for source in (space, rc.solve(space), rc.plan(space), rct.Projector(space))]
    assert all(torch.equal(projector(W), projectors[0](W)) for projector in projectors)
    assert len({projector.tables for projector in projectors}) == 1
    assert repr(projectors[0]).startswith(f"Projector(dim={projectors[0].dim}, shape=({Y.dim}, {X.dim}), digest=")
