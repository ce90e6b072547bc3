"""What PyTorch and JAX ask of normalisation, nonlinearities and pooling beyond the laws in tests/conformance."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")

import repcore_torch as rct  # noqa: E402

D4 = rc.dihedral(4)
V, one, R = D4.rep, rc.trivial(D4), rc.regular(D4)
S4 = rc.symmetric(4).rep
X = 2 * one + 3 * V + 2 * R
LOADS_SCRIPTS = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
LAYERS = [rct.LayerNorm, rct.RMSNorm, rct.BatchNorm, rct.NormNonlinearity, rct.Gate, rct.InvariantPool]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def close(a: Any, b: Any, terms: int) -> bool:
    """Sums of so many terms, some ten after each other, in the dtype of a."""
    eps = torch.finfo(a.dtype).eps
    return bool((a - b).norm() <= 20 * (terms + 16) * eps * (b.norm() + len(b.flatten()) ** 0.5))


def spread(values: Any, rep: Any) -> Any:
    """Numbers of copies as numbers of features."""
    out = torch.zeros(rep.dim, dtype=values.dtype)
    start = 0
    for f in rc.fields(rep):
        out[torch.tensor(f.positions)] = values[start : start + f.copies, None].expand(-1, f.dim)
        start += f.copies
    return out


# ------------------------------------------------------------------------------------------------------- torch's own layers


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rep", [7 * one, 3 * R, S4, S4**2, 2 * S4 + S4**2 + rc.trivial(rc.symmetric(4))], ids=str)
def test_layer_norm_is_torchs_on_permutation_representations(rep: Any, dtype: Any) -> None:
    x = torch.randn(6, rep.dim, dtype=dtype) + 1
    ours, theirs = rct.LayerNorm(rep, dtype=dtype), torch.nn.LayerNorm(rep.dim, dtype=dtype)
    assert torch.equal(ours(x), theirs(x))
    torch.nn.init.constant_(ours.weight, 1.7)
    torch.nn.init.constant_(theirs.weight, 1.7)
    assert torch.equal(ours(x), theirs(x))
    torch.nn.init.constant_(theirs.bias, 0.3)
    assert close(rct.LayerNorm.from_plain(theirs, rep)(x), theirs(x), rep.dim)
    images = rct.LayerNorm(rep, dtype=dtype, axis=1)
    assert close(images(x[..., None, None])[..., 0, 0], rct.LayerNorm(rep, dtype=dtype)(x), rep.dim)


def test_rms_norm_is_torchs() -> None:
    x = torch.randn(6, X.dim)
    for eps in (None, 1e-3):
        theirs = torch.nn.RMSNorm(X.dim, eps)
        torch.nn.init.constant_(theirs.weight, 0.4)
        assert close(rct.RMSNorm.from_plain(theirs, X)(x), theirs(x), X.dim)


def test_batch_norm_is_torchs_on_scalars() -> None:
    rep, x = 5 * one, [torch.randn(4, 5, 3, 2) * 2 + 1 for _ in range(3)]
    theirs, ours = torch.nn.BatchNorm2d(5, momentum=0.3), rct.BatchNorm(rep, momentum=0.3)
    for batch in x:
        assert torch.equal(ours(batch), theirs(batch))
    assert torch.equal(ours.running_mean, theirs.running_mean)
    assert torch.equal(ours.running_var, theirs.running_var)
    assert torch.equal(ours.eval()(x[0]), theirs.eval()(x[0]))
    assert int(ours.num_batches_tracked) == 3
    ours.reset_running_stats()
    assert (ours.running_mean == 0).all()
    assert (ours.running_var == 1).all()
    assert int(ours.num_batches_tracked) == 0


def test_batch_norm_of_a_regular_representation_is_that_of_its_copies() -> None:
    rep, x = 3 * R, torch.randn(4, 24, 5, 5) + 1
    theirs, ours = torch.nn.BatchNorm1d(3, momentum=None), rct.BatchNorm(rep, momentum=None)
    torch.nn.init.normal_(theirs.weight)
    torch.nn.init.normal_(theirs.bias)
    ours.load_state_dict(ours.state_dict() | theirs.state_dict())
    for _ in range(2):
        assert torch.equal(ours(x), theirs(x.reshape(4, 3, 200)).reshape(x.shape))
    assert torch.equal(ours.running_var, theirs.running_var)


@pytest.mark.parametrize("rep", [3 * R, X, S4**2, rc.irreps_from("2x0e+3x1o", rc.O(3))], ids=str)
def test_batch_norm_takes_over_what_torchs_has_learned(rep: Any) -> None:
    plain = torch.nn.BatchNorm1d(rep.dim, eps=1e-3, momentum=0.2, dtype=torch.float64)
    data = torch.randn(50, rep.dim, dtype=torch.float64) + 2
    plain(data)
    torch.nn.init.normal_(plain.weight)
    torch.nn.init.normal_(plain.bias)
    ours = rct.BatchNorm.from_plain(plain.eval(), rep)
    assert (ours.eps, ours.momentum, ours.training, int(ours.num_batches_tracked)) == (1e-3, 0.2, False, 1)
    gains = [plain.weight[torch.tensor(f.positions)].mean(1) for f in rc.fields(rep)]
    assert close(ours.weight, torch.cat(gains), rep.dim)
    solved = torch.tensor(rc.invariants(rep).to_numpy(np.float64, orthonormal=True)[:, :, 0])
    zero = torch.zeros(1, rep.dim, dtype=torch.float64)
    P = solved.mT @ solved
    mean = P @ plain.running_mean
    var = plain.running_var + (plain.running_mean - mean).square()
    var = torch.cat([var[torch.tensor(f.positions)].mean(1) for f in rc.fields(rep)])
    assert close(ours.running_var, var, rep.dim)
    wanted = (zero - mean) * spread(ours.weight.detach() / (var + 1e-3).sqrt(), rep) + P @ plain.bias
    assert close(ours(zero), wanted, rep.dim)


@pytest.mark.parametrize("options", [{"affine": False}, {"track_running_stats": False}, {"affine": False, "momentum": None}])
def test_batch_norm_options_of_torch(options: Any) -> None:
    plain = torch.nn.BatchNorm1d(5, **options)
    ours = rct.BatchNorm.from_plain(plain, 5 * one)
    general = rct.BatchNorm(rc.irreps_from("5x1o", rc.O(3)), **options)
    assert general(torch.randn(4, 15)).shape == (4, 15)
    for _ in range(2):
        x = torch.randn(6, 5)
        assert torch.equal(ours(x), plain(x))
    assert torch.equal(ours.eval()(x), plain.eval()(x))
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in plain.named_parameters()]


def test_torchs_layers_that_do_not_fit() -> None:
    with pytest.raises(rc.IncompatibleError, match=r"plain: expected a torch.nn.LayerNorm layer, got BatchNorm1d"):
        rct.LayerNorm.from_plain(torch.nn.BatchNorm1d(8), R)
    with pytest.raises(rc.IncompatibleError, match=r"plain: it normalises features of shape \(9,\), and X has dimension 8"):
        rct.BatchNorm.from_plain(torch.nn.BatchNorm1d(9), R)
    with pytest.raises(rc.IncompatibleError, match=r"shape \(2, 4\)"):
        rct.RMSNorm.from_plain(torch.nn.RMSNorm((2, 4)), R)
    with pytest.raises(rc.IncompatibleError, match=r"X: expected a representation"):
        rct.LayerNorm.from_plain(torch.nn.LayerNorm(8), D4)


# ------------------------------------------------------------------------------------------------------------- as modules


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_a_module_is_copied_pickled_and_saved(kind: Any) -> None:
    layer = kind(X)
    for p in layer.parameters():
        torch.nn.init.normal_(p)
    x = torch.randn(4, layer.domain.dim)
    y = layer.eval()(x)
    assert y.shape == (4, layer.codomain.dim)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301 - what was just written
        assert torch.equal(other(x), y)
        assert {id(p) for p in other.parameters()}.isdisjoint({id(p) for p in layer.parameters()})
    fresh = kind(X).eval()
    assert fresh.load_state_dict(layer.state_dict()).missing_keys == []
    assert torch.equal(fresh(x), y)
    assert not [
        name for name, _ in layer.named_buffers() if "running" not in name and name != "num_batches_tracked" and name != "_like"
    ]
    assert "copies=7" in repr(layer)


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_parameters_of_another_representation_are_refused(kind: Any) -> None:
    # As many copies, invariants and features.
    layer, other = kind(2 * one + 3 * V + 2 * R), kind(2 * R + 2 * one + 3 * V)
    before = [p.clone() for p in other.parameters()]
    with pytest.raises(rc.IncompatibleError, match="digest"):
        other.load_state_dict(layer.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(before, other.parameters(), strict=True))


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_dtypes_and_devices(kind: Any) -> None:
    layer = kind(X).eval()
    x = torch.randn(4, layer.domain.dim, dtype=torch.float64)
    wide = copy.deepcopy(layer).double()(x)
    assert wide.dtype == torch.float64
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        y = copy.deepcopy(layer).to(dtype)(x.to(dtype))
        assert y.dtype == dtype
        # The argument rounded, some ten roundings, the result rounded.
        assert (y.double() - wide).norm() <= 64 * torch.finfo(dtype).eps * (wide.norm() + x.norm())
    # Back and forth loses no digit of the constants.
    assert torch.equal(copy.deepcopy(layer).half().double()(x), wide)
    assert kind(X).to("meta")(torch.empty(4, x.shape[1], device="meta")).shape == wide.shape


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_statistics_are_not_rounded_under_autocast(kind: Any) -> None:
    rep = V * V + 2 * R + S4_like()
    layer = kind(rep)
    x = torch.randn(4, layer.domain.dim)
    y = copy.deepcopy(layer)(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(copy.deepcopy(layer)(x), y)
        half = copy.deepcopy(layer)(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert (half.float() - y).norm() <= 64 * torch.finfo(torch.bfloat16).eps * (y.norm() + x.norm())


def S4_like() -> Any:
    return rc.permutation(D4, ["(0 1 2 3)", "(0 2)"]) ** 2


@LOADS_SCRIPTS
@pytest.mark.parametrize("kind", [k for k in LAYERS if k is not rct.BatchNorm], ids=lambda kind: kind.__name__)
def test_transforms(kind: Any) -> None:
    layer = kind(X, dtype=torch.float64) if kind not in (rct.Gate, rct.InvariantPool) else kind(X).double()
    x = torch.randn(3, layer.domain.dim, dtype=torch.float64)
    assert close(torch.func.vmap(layer)(x), layer(x), X.dim)
    dense = torch.func.jacrev(layer)(x[0])
    assert close(torch.func.jacfwd(layer)(x[0]), dense, X.dim)
    assert torch.autograd.gradcheck(layer, x.requires_grad_())
    state = dict(layer.named_parameters())
    grads = torch.func.grad(lambda state: torch.func.functional_call(layer, state, (x,)).square().sum())(state)
    assert set(grads) == set(state)


def test_batch_norm_gradients() -> None:
    layer = rct.BatchNorm(X + V * V, dtype=torch.float64)
    x = torch.randn(3, X.dim + 4, 2, dtype=torch.float64, requires_grad=True)
    first, second = layer(x), layer.eval()(x)
    assert torch.autograd.grad((first + second).square().sum(), x)[0].isfinite().all()
    layer.train()
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


def test_batch_norm_works_for_channels_last_memory_and_sequences() -> None:
    layer = rct.BatchNorm(X)
    x = torch.randn(2, X.dim, 3, 4)
    y = layer(x)
    assert close(layer(x.to(memory_format=torch.channels_last)), y, X.dim)
    assert close(rct.BatchNorm(X, axis=-1)(x.movedim(1, -1)), y.movedim(1, -1), X.dim)


@LOADS_SCRIPTS
@pytest.mark.slow
def test_compiles_as_one_graph() -> None:
    model = torch.nn.Sequential(rct.LayerNorm(X), rct.NormNonlinearity(X), rct.BatchNorm(X), rct.RMSNorm(X), rct.InvariantPool(X))
    x = torch.randn(4, X.dim)
    compiled = torch.compile(copy.deepcopy(model), fullgraph=True)
    assert close(compiled(x), model(x), X.dim)
    gate = rct.Gate(X)
    x = torch.randn(4, gate.domain.dim)
    assert close(torch.compile(gate, fullgraph=True)(x), gate(x), X.dim)


def test_gate_layout() -> None:
    gate = rct.Gate(X, torch.sigmoid, scalars=torch.relu)
    assert gate.gates == 5
    assert gate.domain == 5 * one + X
    x = torch.randn(gate.domain.dim)
    y = gate(x)
    assert torch.equal(y[:2], x[5:7].relu())
    assert torch.equal(y[2:4], x[7:9] * x[0].sigmoid())
    assert torch.equal(y[-8:], x[-8:] * x[4].sigmoid())


# -------------------------------------------------------------------------------------------------------------------- JAX


def test_jax_objects_are_static_and_equal_by_value() -> None:
    jax, rcj = pytest.importorskip("jax"), pytest.importorskip("repcore_jax")
    makers = [
        rcj.layer_norm,
        rcj.rms_norm,
        rcj.batch_norm,
        rcj.norm_nonlinearity,
        rcj.gate,
        rcj.invariant_pool,
    ]
    for make in makers:
        layer, same, other = make(X), make(2 * one + 3 * V + 2 * R), make(X + V)
        assert layer == same
        assert hash(layer) == hash(same)
        assert layer != other
        assert jax.tree_util.tree_leaves(layer) == []
        assert str(X) in repr(layer)
    assert rcj.layer_norm(X) != rcj.rms_norm(X)
    assert rcj.layer_norm(X) != rcj.layer_norm(X, eps=1e-3)
    norm, x = rcj.layer_norm(X), np.ones((3, X.dim), np.float32)
    run = jax.jit(lambda layer, params, x: layer.apply(params, x))
    assert run(norm, norm.init(), x).shape == x.shape
    pool = rcj.invariant_pool(X, "norm")
    assert np.array_equal(pool(x), pool.apply(pool.init(), x))
    assert pool.domain == X
    assert pool.codomain.dim == pool(x).shape[1]
    assert jax.vmap(pool)(x).shape == (3, pool.codomain.dim)


def test_jax_keeps_dtypes_and_computes_in_float32() -> None:
    jax, rcj = pytest.importorskip("jax"), pytest.importorskip("repcore_jax")
    x = np.random.default_rng(0).standard_normal((4, X.dim)).astype(np.float32)
    half = jax.numpy.asarray(x, "bfloat16")
    for make in (rcj.layer_norm, rcj.rms_norm, rcj.norm_nonlinearity):
        layer = make(X)
        y, wide = layer.apply(layer.init(), half), layer.apply(layer.init(), half.astype("float32"))
        assert y.dtype == half.dtype
        assert np.array_equal(y, wide.astype("bfloat16"))
    norm = rcj.batch_norm(X)
    y, state = norm.apply(norm.init(), norm.init_state(), half)
    assert (y.dtype, state["mean"].dtype, state["var"].dtype) == (half.dtype, x.dtype, x.dtype)


def test_jax_refuses_parameters_of_another_size() -> None:
    rcj = pytest.importorskip("repcore_jax")
    x = np.ones((4, X.dim), np.float32)
    norm = rcj.layer_norm(X)
    with pytest.raises(rc.IncompatibleError, match=r"params has shapes .*'weight': \(8,\).*see init"):
        norm.apply(rcj.layer_norm(X + V).init(), x)
    batch = rcj.batch_norm(X)
    with pytest.raises(rc.IncompatibleError, match="see init"):
        batch.apply(batch.init(), rcj.batch_norm(X + V).init_state(), x)


def test_jax_statistics_carry_no_gradient() -> None:
    jax, rcj = pytest.importorskip("jax"), pytest.importorskip("repcore_jax")
    norm = rcj.batch_norm(X)
    x = np.random.default_rng(0).standard_normal((4, X.dim)).astype(np.float32)
    grad = jax.grad(lambda x: norm.apply(norm.init(), norm.init_state(), x)[1]["var"].sum())(x)
    assert not np.asarray(grad).any()
