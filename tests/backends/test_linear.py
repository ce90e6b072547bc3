"""What PyTorch and JAX ask of native layers beyond the laws in tests/conformance: modules, checkpoints, dtypes, transforms."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")

import repcore_torch as rct  # noqa: E402

D4 = rc.dihedral(4)
V, one, R = D4.rep, rc.trivial(D4), rc.regular(D4)
X, Y = 4 * one + 2 * V + 3 * R, 2 * R + V * V
LOADS_SCRIPTS = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def made(domain: Any = X, codomain: Any = Y, **options: Any) -> Any:
    layer = rct.Linear(domain, codomain, **{"dtype": torch.float64, **options})
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
    return layer


def allowed(layer: Any, x: Any) -> float:
    """Four changes of basis and products, sums of at most dim X + dim Y terms each, in the dtype of x."""
    size = sum(p.detach().norm().item() for p in layer.parameters())
    return 64 * sum(layer.shape) * torch.finfo(x.dtype).eps * max(size, 1) * max(x.detach().norm().item(), 1)


# ---------------------------------------------------------------------------------------------------------------- the module


def test_parameters_are_the_coefficients() -> None:
    layer = made()
    assert layer.dim == rc.solve(X >> Y).dim == sum(w.numel() for w in layer.coefficients)
    assert layer.bias.shape == (rc.invariants(Y).dim,)
    assert {name for name, _ in layer.named_parameters()} == {"bias", *(f"coefficients.{i}" for i in range(3))}
    assert torch.equal(layer.theta, torch.cat([w.flatten() for w in layer.coefficients]))
    assert layer.shape == (Y.dim, X.dim)
    assert (layer.domain, layer.codomain) == (X, Y)
    assert made(bias=False).bias is None
    assert made(2 * V, 3 * V).bias is None


def test_the_weight_is_the_expanded_plan() -> None:
    layer = made()
    wanted = layer.plan.expand(layer.theta.detach().numpy())
    assert np.abs(layer.weight.detach().numpy() - wanted).max() <= 64 * sum(layer.shape) * np.finfo(float).eps


def test_equivariance_on_all_elements() -> None:
    layer, x = made(), torch.randn(5, X.dim, dtype=torch.float64)
    matrices = [[torch.tensor(rep.matrix(i).to_numpy()) for rep in (X, Y)] for i in range(2)]
    turned_x, turned_y = x, layer(x)
    for gx, gy in (matrices[i] for i in (0, 1, 0, 0, 1, 1, 0)):
        turned_x, turned_y = turned_x @ gx.T, turned_y @ gy.T
        assert (layer(turned_x) - turned_y).norm() <= allowed(layer, x)


def test_to_linear_and_back() -> None:
    layer, x = made(), torch.randn(5, X.dim, dtype=torch.float64)
    dense = layer.to_linear()
    assert type(dense) is torch.nn.Linear
    assert not {id(p) for p in dense.parameters()} & {id(p) for p in layer.parameters()}
    assert (dense(x) - layer(x)).norm() <= allowed(layer, x)
    twin = made().assign(dense.weight, dense.bias)
    assert (twin(x) - layer(x)).norm() <= allowed(layer, x)
    assert made(bias=False).to_linear().bias is None
    # A weight that is not equivariant is projected.
    W = torch.randn(Y.dim, X.dim, dtype=torch.float64)
    assert (twin.assign(W).weight - rct.project(W, X >> Y)).norm() <= allowed(layer, W)
    assert torch.equal(twin.bias, torch.zeros_like(twin.bias))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rct.Linear(X >> Y, Y), r"X: expected a representation, got Hom; write Linear\(X, Y\)"),
        (lambda: rct.Linear(X, 3), "Y: expected a representation, got int"),
        (lambda: rct.Linear(X, rc.cyclic(4).rep), "group"),
        (lambda: made()(torch.zeros(3, Y.dim)), rf"x has shape \(3, {Y.dim}\); the layer needs \(..., {X.dim}\)"),
        (lambda: made()(np.zeros((3, X.dim))), "x: expected a tensor, got ndarray"),
        (lambda: made().assign(torch.zeros(2, 2)), r"weight has shape \(2, 2\)"),
        (lambda: made(bias=False).assign(torch.zeros(Y.dim, X.dim), torch.zeros(Y.dim)), "bias has shape .* the layer has none"),
    ],
)
def test_wrong_arguments_are_named(call: Any, words: str) -> None:
    with pytest.raises(rc.IncompatibleError, match=words):
        call()


def test_no_irrep_basis_is_said() -> None:
    with pytest.raises(rc.NotCompletelyReducibleError):
        rct.Linear(rc.affine(2).rep, rc.affine(2).rep)


def test_the_zero_space_is_said() -> None:
    with pytest.warns(rc.RepcoreWarning, match="dimension 0"):
        layer = rct.Linear(V, 2 * V * V, bias=False)
    assert torch.equal(layer(torch.randn(3, 2)), torch.zeros(3, 8))


def test_he_init_gives_each_irrep_of_y_the_variance_of_a_dense_layer() -> None:
    X, Y = 24 * one + 12 * V + 8 * R, 24 * one + 12 * V + 8 * R
    x = torch.randn(4096, X.dim)
    for gain in (2**0.5, 1.0):
        layer = rct.Linear(X, Y)
        layer.reset_parameters(gain)
        with torch.no_grad():
            variances = layer(x).var(0)
        # By summand: N = 4096 samples times the components. The coefficients are drawn once: a channel's variance is a chi-square
        # mean over its M >= 20 inputs, relative deviation sqrt(2 / M) / sqrt(channels) < 0.1; four of those.
        for part in variances.split([24, 24, 64]):
            assert abs(part.mean().item() / gain**2 - 1) < 0.4
        assert torch.equal(layer.bias, torch.zeros_like(layer.bias))


# --------------------------------------------------------------------------------------------------------------- checkpoints


def test_the_state_dict_is_the_coefficients_and_a_digest() -> None:
    layer, twin, x = made(), made(), torch.randn(3, X.dim, dtype=torch.float64)
    assert set(layer.state_dict()) == {"bias", "coefficients.0", "coefficients.1", "coefficients.2", "_extra_state"}
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    twin.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(twin(x), layer(x))


def test_a_checkpoint_of_another_space_is_refused() -> None:
    left, right = made(2 * V, 2 * V), made(2 * one, 2 * one, bias=False)
    assert left.coefficients[0].shape == right.coefficients[0].shape
    with pytest.raises(rc.IncompatibleError, match="saved with the space of digest"):
        left.load_state_dict(right.state_dict())


def test_copies_and_pickles() -> None:
    layer, x = made(), torch.randn(3, X.dim, dtype=torch.float64)
    twin = copy.deepcopy(layer)
    assert twin._tables is layer._tables
    assert torch.equal(pickle.loads(pickle.dumps(layer))(x), layer(x))  # noqa: S301  # our own bytes
    with torch.no_grad():
        twin.bias.add_(1)
    assert not torch.equal(twin(x), layer(x))


# --------------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("domain", "codomain"),
    [(X, Y), (3 * R, 2 * R), (R, 2 * R), (3 * one, 2 * R), (3 * (one + V), 2 * (V + one)), (V, 2 * one)],
    ids=["mixed", "copies", "one copy", "trivial", "alternating", "bias only"],
)
def test_inference_in_place_agrees_with_the_path_that_is_differentiated(domain: Any, codomain: Any) -> None:
    layer = made(domain, codomain)
    x = torch.randn(300, domain.dim, dtype=torch.float64)
    differentiated = layer(x).detach()
    with torch.no_grad():
        assert (layer(x) - differentiated).norm() <= allowed(layer, x)
        assert layer(x[:0]).shape == (0, codomain.dim)
        assert layer(x[0]).shape == (codomain.dim,)
        sliced = torch.randn(7, 2 * domain.dim, dtype=torch.float64)[:, ::2]
        assert (layer(sliced) - layer(sliced.contiguous())).norm() <= allowed(layer, sliced)
    with torch.inference_mode():
        assert (layer(x) - differentiated).norm() <= allowed(layer, x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_dtypes_are_kept(dtype: Any) -> None:
    layer = rct.Linear(3 * R, 2 * R, dtype=dtype)
    x = torch.randn(4, 24, dtype=dtype)
    y = layer(x)
    assert y.dtype == dtype
    exact = copy.deepcopy(layer).double()(x.double())
    assert (y.double() - exact).norm() <= allowed(layer, x)
    # The constants of a module that was moved are those of float64.
    moved = rct.Linear(3 * R, 2 * R, dtype=dtype).double()
    assert (moved(x.double()) - moved.to_linear()(x.double())).norm() <= allowed(moved, x.double())


def test_complex_spaces_have_complex_layers() -> None:
    U = rc.SU(2).rep
    layer = rct.Linear(U**2 + 2 * U, U**2 + U)
    assert {p.dtype for p in layer.parameters()} == {torch.complex64}
    assert layer(torch.randn(3, 8)).dtype == torch.complex64


def test_autocast_halves_the_products_only() -> None:
    layer, x = rct.Linear(3 * R, 2 * R), torch.randn(4, 24, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    y.float().sum().backward()
    exact = layer(x.detach())
    assert y.dtype in (torch.bfloat16, torch.float32)
    assert (y.float() - exact).norm() <= 64 * torch.finfo(torch.bfloat16).eps * exact.norm()
    assert x.grad.shape == x.shape


def test_training_lowers_the_loss_and_stays_equivariant() -> None:
    layer = made()
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.05)
    x, target = torch.randn(64, X.dim, dtype=torch.float64), torch.randn(64, Y.dim, dtype=torch.float64)
    losses = []
    for _ in range(5):
        optimiser.zero_grad()
        loss = (layer(x) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    W = layer.weight
    assert (rct.project(W, X >> Y) - W).norm() <= allowed(layer, W)


# ------------------------------------------------------------------------------------------------------------ transforms


@LOADS_SCRIPTS
def test_first_and_second_derivatives_and_forward_mode() -> None:
    small = made(one + 2 * V, V * V + one)
    names = [name for name, _ in small.named_parameters()]
    x = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    inputs = (x, *(p.detach().clone().requires_grad_() for p in small.parameters()))

    def f(x: Any, *parameters: Any) -> Any:
        return torch.func.functional_call(small, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(f, inputs, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(f, inputs)


@LOADS_SCRIPTS
def test_vmap_over_inputs_and_over_an_ensemble() -> None:
    layers = [made() for _ in range(3)]
    x = torch.randn(3, 4, X.dim, dtype=torch.float64)
    with torch.no_grad():
        mapped = torch.func.vmap(layers[0])(x)
    assert (mapped - layers[0](x)).norm() <= allowed(layers[0], x)
    parameters, buffers = torch.func.stack_module_state(layers)

    def call(parameters: Any, buffers: Any, x: Any) -> Any:
        return torch.func.functional_call(layers[0], (parameters, buffers), (x,))

    many = torch.func.vmap(call)(parameters, buffers, x)
    for i, layer in enumerate(layers):
        assert (many[i] - layer(x[i])).norm() <= allowed(layer, x)


@LOADS_SCRIPTS
def test_per_sample_gradients() -> None:
    layer, x = made(), torch.randn(3, X.dim, dtype=torch.float64)
    parameters = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(parameters: Any, x: Any) -> Any:
        return torch.func.functional_call(layer, parameters, (x[None],)).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    for i in range(3):
        layer.zero_grad()
        layer(x[i : i + 1]).square().sum().backward()
        for name, p in layer.named_parameters():
            assert (each[name][i] - p.grad).norm() <= allowed(layer, x) * 64 * max(p.grad.norm().item(), 1)


@pytest.mark.slow
@LOADS_SCRIPTS
def test_compiles_as_one_graph() -> None:
    layer, x = rct.Linear(3 * R, 2 * R), torch.randn(4, 24)
    torch.nn.init.normal_(layer.bias)
    compiled = torch.compile(layer, fullgraph=True)
    assert (compiled(x) - layer(x)).norm() <= allowed(layer, x)
    with torch.no_grad():
        assert (compiled(x) - layer(x)).norm() <= allowed(layer, x)


# -------------------------------------------------------------------------------------- the other verbs in irrep coordinates


def test_constraint_and_penalty_take_a_schur_plan() -> None:
    space = X >> Y
    plan = rc.plan(space, structure="schur")
    dense = torch.nn.Linear(X.dim, Y.dim, dtype=torch.float64)
    W = dense.weight.detach().clone()
    rct.constrain(dense, "weight", plan)
    assert (dense.weight - rct.project(W, space)).norm() <= 64 * sum(plan.shape) * torch.finfo(W.dtype).eps * W.norm()
    assert (rct.penalty(W, plan) - rct.penalty(W, space)).abs() <= 64 * sum(plan.shape) * torch.finfo(W.dtype).eps * W.norm()
    other = rct.constrain(torch.nn.Linear(X.dim, Y.dim, dtype=torch.float64), "weight", space)
    with pytest.raises(rc.IncompatibleError, match="saved with the space of digest"):
        other.load_state_dict(dense.state_dict())


@pytest.mark.parametrize("structure", ["orbit", "schur", "factor"])
@pytest.mark.parametrize("scattered", [False, True], ids=["side by side", "scattered"])
def test_a_large_weight_is_projected_in_pieces(structure: str, scattered: bool) -> None:
    space = 96 * R >> 90 * R if not scattered else 80 * (R + V) >> 90 * (V + R)
    plan = rc.plan(space, structure=structure)
    W = torch.randn(plan.shape, dtype=torch.float64)
    assert W.numel() > 2**19
    rounding = 64 * 8 * 16 * torch.finfo(W.dtype).eps
    found = rct.project(W, plan)
    # A stack of matrices goes the other way.
    assert (found - rct.project(W[None], plan)[0]).norm() <= rounding * W.norm()
    assert (found - torch.from_numpy(plan.project(W.numpy()))).norm() <= rounding * W.norm()
    turned = W.T.contiguous().T
    assert torch.equal(rct.project(turned, plan), found)


# ------------------------------------------------------------------------------------------------------------------- JAX


def test_jax_layers_are_static_values_and_pure_functions() -> None:
    jax = pytest.importorskip("jax")
    rcj = pytest.importorskip("repcore_jax")
    layer = rcj.linear(X, Y)
    assert layer == rcj.linear(X, Y)
    assert hash(layer) == hash(rcj.linear(X, Y))
    assert layer != rcj.linear(X, Y, bias=False)
    assert jax.tree.leaves(layer) == []
    params = layer.init(jax.random.key(0))
    assert [w.shape for w in params["coefficients"]] == [g.shape for g in layer.plan.layer.groups]
    assert layer.digest == rct.Linear(X, Y).plan.digest
    x = np.random.default_rng(0).standard_normal((3, X.dim)).astype(np.float32)
    y = jax.jit(lambda layer, params, x: layer.apply(params, x))(layer, params, x)
    size = 64 * sum(layer.shape) * np.finfo(np.float32).eps * np.linalg.norm(layer.theta(params)) * np.linalg.norm(x)
    assert np.linalg.norm(y - x @ layer.weight(params).T) <= size
    mapped = jax.vmap(layer.apply, in_axes=(None, 0))(params, x)
    assert np.linalg.norm(mapped - y) <= size
    tangent = jax.jvp(lambda x: layer.apply(params, x), (x,), (x,))[1]
    assert np.linalg.norm(tangent - y) <= size
    theta = layer.theta(params)
    assert np.array_equal(layer.theta(layer.params(theta)), theta)
    assert layer.apply(params, x[0]).shape == (Y.dim,)
    keys = jax.random.split(jax.random.key(1), 5)
    assert jax.vmap(layer.init)(keys)["coefficients"][0].shape[0] == 5


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda rcj, layer, p: rcj.linear(X >> Y, Y), r"X: expected a representation, got Hom; write linear\(X, Y\)"),
        (lambda rcj, layer, p: layer.apply(p, np.zeros((2, 3))), r"x has shape \(2, 3\)"),
        (lambda rcj, layer, p: layer.apply({"coefficients": p["coefficients"][:1]}, np.zeros(X.dim)), "see init"),
        (lambda rcj, layer, p: layer.params(np.zeros(3)), r"theta has shape \(3,\)"),
    ],
)
def test_jax_layers_name_wrong_arguments(call: Any, words: str) -> None:
    jax = pytest.importorskip("jax")
    rcj = pytest.importorskip("repcore_jax")
    layer = rcj.linear(X, Y)
    with pytest.raises(rc.IncompatibleError, match=words):
        call(rcj, layer, layer.init(jax.random.key(0)))


@pytest.mark.filterwarnings("ignore:.* has dimension 0:repcore.RepcoreWarning")
def test_a_layer_of_no_parameters_keeps_its_dtype() -> None:
    layer = rct.Linear(one, V, dtype=torch.float64)
    assert layer.theta.dtype == layer.weight.dtype == layer.to_linear().weight.dtype == torch.float64
    assert layer.float().weight.dtype == torch.float32
    assert list(layer.state_dict()) == ["_extra_state"]
    turn = rc.Group([[["zeta(3)"]]]).rep
    assert rct.Linear(turn, turn.dual, dtype=torch.float32).weight.dtype == torch.complex64


@pytest.mark.filterwarnings("ignore:.* has dimension 0:repcore.RepcoreWarning")
@pytest.mark.parametrize("shape", [(), (0,), (5,), (1, 5)])
def test_representations_of_dimension_zero(shape: tuple[int, ...]) -> None:
    jax = pytest.importorskip("jax")
    rcj = pytest.importorskip("repcore_jax")
    for domain, codomain in ((0 * V, one + V), (V, 0 * V), (0 * V, 0 * V)):
        x = np.ones((*shape, domain.dim), np.float32)
        assert made(domain, codomain, dtype=torch.float32)(torch.from_numpy(x)).shape == (*shape, codomain.dim)
        layer = rcj.linear(domain, codomain)
        assert layer.apply(layer.init(jax.random.key(0)), x).shape == (*shape, codomain.dim)


@pytest.mark.parametrize("spaces", [(X, Y), (V, 2 * V), (V * V, V * V), (2 * rc.regular(rc.cyclic(100)),) * 2])
def test_shapes_without_data(spaces: Any) -> None:
    layer = rct.Linear(*spaces, device="meta")
    y = layer(torch.empty(3, spaces[0].dim, device="meta"))
    assert (y.shape, y.device.type) == ((3, spaces[1].dim), "meta")


def test_irreps_of_a_finite_group_need_not_be_orthogonal() -> None:
    """Their exact matrices are not; the layers of both backends act in these coordinates all the same."""
    jax = pytest.importorskip("jax")
    import repcore_jax as rcj

    irreps = rc.irreps(rc.symmetric(5))
    X, Y = 3 * irreps[2] + irreps[4] + irreps[0], 2 * irreps[4] + 4 * irreps[2] + irreps[0]
    layer = rct.Linear(X, Y, dtype=torch.float64)
    assert layer.dim == rc.solve(X >> Y).dim == 3 * 4 + 2 + 1
    assert layer.bias is not None
    with torch.no_grad():
        layer.bias.fill_(0.5)
    x = torch.randn(7, X.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y, W = layer(x).detach(), layer.weight.detach()
    # A few units of the largest product, with the condition of the two bases.
    condition = float(np.prod([np.linalg.cond(rc.decompose(V).U) for V in (X, Y)]))
    largest = max(float(np.abs(V.matrix(i).to_numpy()).sum(0).max()) for V in (X, Y) for i in range(2))
    rounding = 100 * (X.dim + Y.dim) * 2.0**-52 * condition * largest * float(W.abs().max() * x.abs().max())
    plain = layer.to_linear()
    assert (y - plain(x)).abs().max() < rounding
    for i in range(2):
        on_x, on_y = (torch.tensor(V.matrix(i).to_numpy(), dtype=torch.float64) for V in (X, Y))
        assert (layer(x @ on_x.T) - y @ on_y.T).abs().max() < rounding
    with pytest.raises(rc.RepresentationError, match="haar_projector"):
        layer.assign(W)
    with pytest.raises(rc.RepresentationError, match="haar_projector"):
        rct.Projector(layer.plan)
    with pytest.raises(rc.RepresentationError, match="haar_projector"):
        rcj.projector(layer.plan)(W.numpy())
    with jax.enable_x64(True):
        twin = rcj.linear(X, Y)
        params = twin.params(layer.theta.detach().numpy(), layer.bias.detach().numpy())
        assert np.abs(np.asarray(twin.apply(params, x.numpy())) - y.numpy()).max() < rounding
