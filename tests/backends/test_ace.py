"""`ACE` in PyTorch: strict at gamma 0 to the bit, exact defects, resuming, all or nothing, and gradients by other code."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import repcore as rc
import repcore_torch as rct
from repcore_torch import family
from repcore_torch.segments import Segments

D4 = rc.dihedral(4)
RULES = {"0": "V >> 2*regular", "2": "2*regular >> 2*regular", "4": "2*regular >> V"}


def network(seed: int = 0, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)
    return nn.Sequential(*layers).to(dtype)


def split(**options: Any) -> tuple[nn.Sequential, rct.ACE]:
    model = network(**{k: options.pop(k) for k in ("seed", "dtype") if k in options})
    return model, rct.ACE(model, RULES, symmetry=D4, **options)


def inputs(count: int = 7, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("per", ["layer", "channel", "irrep"])
def test_a_model_computes_what_it_did(per: str) -> None:
    model, ace = split(per=per)
    x = inputs()
    # Projecting and adding up what was taken apart: some roundings of numbers below 2, of at most 16 terms, over three layers.
    assert torch.allclose(model(x), network()(x), rtol=0, atol=3 * 64 * torch.finfo(x.dtype).eps)
    assert all(gamma.abs().max() > 0.1 for gamma in ace.gamma.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("per", ["layer", "channel", "irrep", "shared"])
def test_at_zero_the_output_is_strict_bit_by_bit(per: str, dtype: torch.dtype) -> None:
    model, ace = split(per=per, dtype=dtype)
    strict = rct.symmetrize(network(dtype=dtype), RULES, symmetry=D4)
    x = inputs(dtype=dtype)
    with ace.branch(False):
        off = model(x)
    assert not torch.equal(model(x), off)
    ace.gamma = 0.0
    assert torch.equal(model(x), off)
    assert torch.equal(strict(x), off)
    assert torch.equal(ace.fold()(x), off)
    # Layer by layer too, signs of zeros included.
    for one, other in zip((model[0], model[2], model[4]), (strict[0], strict[2], strict[4]), strict=True):
        assert torch.equal(one.weight, other.weight)
        assert torch.equal(torch.signbit(one.weight), torch.signbit(other.weight))


@pytest.mark.parametrize("per", ["layer", "channel", "irrep"])
def test_the_defect_of_a_layer_is_exact(per: str) -> None:
    model, ace = split(per=per)
    for (name, (mean, relative)), gamma in zip(ace.defects().items(), ace.gamma.values(), strict=True):
        layer = model.get_submodule(name)
        spaces = {0: ("V", "2*regular"), 2: ("2*regular", "2*regular"), 4: ("2*regular", "V")}[int(name)]
        reps = {"V": D4.rep, "2*regular": 2 * rc.regular(D4)}
        X, Y = (reps[s] for s in spaces)
        moves = list(rc.sample(D4, 200, seed=0))
        # The whole group, by its elements: all that occur among many random ones.
        elements = {g.act(D4.rep, np.eye(2)).round(6).tobytes(): g for g in moves}
        assert len(elements) == 8
        W, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        total = 0.0
        for g in elements.values():
            total += (_defect(g, X, Y, W) ** 2).sum() + ((g.act(Y, b[None])[0] - b) ** 2).sum()
        assert abs((total / 8) ** 0.5 - mean) < 1e-12 * max(mean, 1)
        share = (gamma.square().mean() ** 0.5).item()
        assert abs(relative - share) < 1e-12 * max(share, 1)


def _defect(g: Any, X: Any, Y: Any, W: Any) -> Any:
    left, right = g.act(Y, np.eye(Y.dim)).T, g.act(X, np.eye(X.dim)).T
    return left @ W - W @ right


@pytest.mark.parametrize("per", ["layer", "channel", "shared"])
@pytest.mark.parametrize("scale", ["equivariant", 0.7])
def test_gradients_in_closed_form_are_those_of_autograd(per: str, scale: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for fused in (True, False):
        model, ace = split(per=per, scale=scale)
        if not fused:
            monkeypatch.setattr(family, "fits", lambda layer: False)
        model(inputs()).square().sum().backward()
        gradient = ace._family.gradient
        assert gradient is not None
        found.append([gradient, *(p.grad for p in model.parameters())])
    for one, other in zip(*found, strict=True):
        size = max(1.0, float(other.abs().max())) if other.numel() else 1.0
        assert torch.allclose(one, other, rtol=0, atol=size * 1e3 * torch.finfo(one.dtype).eps)


@pytest.mark.parametrize("zeros", [("0",), ("0", "2", "4")], ids=["some", "all"])
def test_gradients_where_gamma_is_zero(zeros: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for fused in (True, False):
        model, ace = split()
        ace.gamma = dict.fromkeys(zeros, 0.0)
        if not fused:
            monkeypatch.setattr(family, "fits", lambda layer: False)
        model(inputs()).square().sum().backward()
        gradient = ace._family.gradient
        assert gradient is not None
        assert gradient.all()
        for name in zeros:
            assert not model.get_submodule(name).parametrizations.weight[0].free.grad.any()
        found.append([gradient, *(p.grad for p in model.parameters())])
    for one, other in zip(*found, strict=True):
        size = max(1.0, float(other.abs().max())) if other.numel() else 1.0
        assert torch.allclose(one, other, rtol=0, atol=size * 1e3 * torch.finfo(one.dtype).eps)


def test_segments_are_rows_of_one_length() -> None:
    shapes = [[(40, 30), (40,)], [(3, 5)], [(0,), (700,)]]
    lot = Segments(shapes, torch.float64, torch.device("cpu"))
    tensors = [torch.randn(shape, dtype=torch.float64) for each in shapes for shape in each]
    matrix = lot.joined(tensors)
    assert matrix.shape == (lot.rows, lot.width)
    assert all(torch.equal(a, b) for a, b in zip(lot.cut(matrix), tensors, strict=True))
    assert matrix.count_nonzero() == sum(t.numel() for t in tensors)
    assert matrix[-1, -1] == 0
    numbers = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    scaled = lot.cut(lot.spread(numbers) * matrix)
    # Powers of two do not round.
    assert all(torch.equal(a, n * b) for a, n, b in zip(scaled, [1, 1, 2, 4, 4], tensors, strict=True))
    totals = torch.stack([tensors[0].sum() + tensors[1].sum(), tensors[2].sum(), tensors[4].sum()])
    assert torch.allclose(lot.sums(matrix), totals, rtol=0, atol=1e4 * torch.finfo(totals.dtype).eps)


def test_an_error_in_the_loss_leaves_the_gradients_of_training() -> None:
    model, ace = split(every=1)
    model(inputs()).square().sum().backward()
    before = ace._family.gradient
    assert before is not None
    with pytest.raises(rc.IncompatibleError):
        ace.step(lambda: torch.zeros(()))
    assert ace._family.gradient is before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
def test_a_compiled_model_trains_alike() -> None:
    losses, gammas = [], []
    x = inputs(32)
    y = x @ torch.tensor([[0.0, 1.0], [1.0, 0.3]], dtype=x.dtype)
    for is_compiled in (False, True):
        model, ace = split(every=2)
        optimizer = torch.optim.SGD(model.parameters(), 1e-2)
        run: Any = torch.compile(model, fullgraph=True, backend="aot_eager") if is_compiled else model
        found = []
        for _ in range(10):
            optimizer.zero_grad()
            loss = (run(x[:24]) - y[:24]).square().mean()
            loss.backward()
            optimizer.step()
            ace.step(lambda m=model: (m(x[24:]) - y[24:]).square().mean())
            found.append(loss.item())
        losses.append(found)
        gammas.append(torch.cat(list(ace.gamma.values())))
    assert losses[0][-1] < losses[0][0]
    assert np.allclose(*losses, rtol=1e4 * torch.finfo(x.dtype).eps, atol=0)
    assert torch.allclose(*gammas, rtol=1e4 * torch.finfo(x.dtype).eps, atol=0)
    # It leaves gamma no gradients, and says so.
    with pytest.raises(rc.IncompatibleError, match="compile"):
        ace._gradient(lambda: run(x).square().mean())
    with pytest.raises(rc.IncompatibleError, match="compile"):
        ace._gradient(None)


@pytest.mark.parametrize("per", ["layer", "irrep"])
def test_derivatives_of_both_orders(per: str) -> None:
    torch.manual_seed(0)
    C2 = rc.cyclic(2)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    rct.ACE(model, {"0": "V >> 1 + regular", "2": "1 + regular >> 1"}, symmetry=C2, per=per)
    names, params = zip(*((n, p.detach().requires_grad_()) for n, p in model.named_parameters() if p.numel()), strict=True)

    def f(*values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, dict(zip(names, values, strict=True)), (inputs(2),)).square().sum()

    assert torch.autograd.gradcheck(f, params)
    assert torch.autograd.gradgradcheck(f, params)


def test_a_loss_with_gradients_of_gradients() -> None:
    model, _ = split()
    x = inputs(3).requires_grad_()
    slope = torch.autograd.grad(model(x).square().sum(), x, create_graph=True)[0]
    slope.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters() if p.numel())


def trained(steps: int, stop: int | None = None, **options: Any) -> tuple[list[float], nn.Module, rct.ACE]:
    """Losses of a training; with ``stop`` it goes on from states that were saved there, in new objects."""
    x, losses = inputs(32, torch.float32), []
    y = x @ torch.tensor([[0.0, 1.0], [1.0, 0.3]])

    def fresh() -> tuple[nn.Module, rct.ACE, torch.optim.Optimizer]:
        model, ace = split(dtype=torch.float32, every=3, log_every=5, **options)
        return model, ace, torch.optim.Adam(model.parameters(), 1e-2)

    model, ace, optimizer = fresh()
    for step in range(steps):
        if step == stop:
            states = copy.deepcopy([each.state_dict() for each in (model, ace, optimizer)])
            model, ace, optimizer = fresh()
            for each, state in zip((model, ace, optimizer), states, strict=True):
                each.load_state_dict(state)
        optimizer.zero_grad()
        loss = (model(x[:24]) - y[:24]).square().mean()
        loss.backward()
        optimizer.step()
        held_out = (lambda m=model: (m(x[24:]) - y[24:]).square().mean()) if options.get("seed", 0) == 0 else None
        ace.step(held_out)
        losses.append(loss.item())
    return losses, model, ace


@pytest.mark.parametrize("seed", [0, 1], ids=["held out", "training gradient"])
@pytest.mark.parametrize(
    "controller", [None, rc.Equality(rc.Stepper(0.1, "adam"), rc.Stepper(0.1, "adam")), rc.Resilient.paper(1.0, 0.1, 0.1)]
)
def test_a_resumed_run_follows_the_same_trajectory(seed: int, controller: Any) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        one, model, ace = trained(25, seed=seed, controller=controller)
        # 10 is no multiple of 3: gradients of steps since the last move count too.
        other, twin, resumed = trained(25, 10, seed=seed, controller=controller)
    finally:
        torch.set_num_threads(threads)
    assert one == other
    assert one[-1] < one[0]
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), twin.state_dict().values(), strict=True))
    assert ace.history.state() == resumed.history.state()
    assert [m.step for m in ace.history] == [5, 10, 15, 20, 25]


def test_gamma_stays_in_the_last_part_of_training() -> None:
    seen = []
    model, ace = split(every=1, steps=10, freeze=0.3, controller=rc.Proximal(0.01))
    for _ in range(10):
        model(inputs()).square().sum().backward()
        ace.step()
        seen.append(torch.cat(list(ace.gamma.values())))
    assert all(not torch.equal(a, b) for a, b in pairwise(seen[:7]))
    assert all(torch.equal(seen[6], later) for later in seen[7:])


def test_the_default_waits_for_the_rest_to_learn() -> None:
    seen = []
    model, ace = split(every=1)
    for _ in range(25):
        model(inputs()).square().sum().backward()
        ace.step()
        seen.append(torch.cat(list(ace.gamma.values())))
    assert all(torch.equal(seen[0], gamma) for gamma in seen[:20])
    assert not torch.equal(seen[19], seen[20])


def test_no_optimiser_holds_gamma() -> None:
    model, ace = split()
    assert not any(p is g for p in model.parameters() for g in model.buffers())
    before = {name: g.clone() for name, g in ace.gamma.items()}
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model(inputs()).square().sum().backward()
    optimizer.step()
    assert all(torch.equal(ace.gamma[name], g) for name, g in before.items())


def test_a_gradient_of_held_out_data_touches_nothing_else() -> None:
    model, ace = split(every=1)
    model(inputs()).square().sum().backward()
    before = [p.grad.clone() for p in model.parameters()]
    found = ace._gradient(lambda: model(inputs()).square().sum())
    assert torch.equal(found, ace._family.gradient)
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), before, strict=True))


def test_a_free_branch_has_a_gauge_and_a_normalised_one_has_not() -> None:
    x = inputs()
    free = rct.Homotopy(nn.Linear(2, 2).double(), nn.Linear(2, 2).double(), 0.5)
    before = free(x)
    with torch.no_grad():
        for p in free.neq.parameters():
            p.mul_(4)
        free.gamma.div_(4)
    # gamma is a quarter, and the function is the same: powers of two do not round.
    assert torch.equal(free(x), before)
    model, ace = split()
    before, defects = model(x), ace.defects()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("free"):
                p.mul_(4)
    assert torch.allclose(model(x), before, rtol=0, atol=1e3 * torch.finfo(x.dtype).eps)
    for name, (mean, _) in ace.defects().items():
        assert abs(mean - defects[name][0]) < 1e-12


def test_homotopies_take_part() -> None:
    model = nn.Sequential(rct.Homotopy(nn.Linear(2, 2), nn.Linear(2, 2), 0.5), nn.Linear(2, 2))
    ace = rct.ACE(model, controller=rc.Resilient(), every=1)
    x = inputs(dtype=torch.float32)
    model(x).square().sum().backward()
    ace.step()
    assert ace.gamma["0"].item() != 0.5
    with ace.branch(False):
        assert torch.equal(model(x), model[1](model[0].eq(x)))
    ace.gamma = 0.0
    assert torch.equal(model(x), model[1](model[0].eq(x)))
    assert not any(isinstance(m, rct.Homotopy) for m in ace.fold().modules())
    with pytest.raises(rc.IncompatibleError):
        rct.Homotopy(nn.Linear(2, 2), 3)


def test_gamma_of_a_homotopy_has_a_gradient_at_zero() -> None:
    model = rct.Homotopy(nn.Identity(), torch.square, 0.0)
    ace = rct.ACE(model, controller=rc.Proximal(0.0), every=1)
    # Signs of zeros too, and what overflows does not spoil it.
    for x in (torch.tensor([1e30]), torch.tensor([-0.0, 0.0, -2.0, 1.0])):
        y = model(x)
        assert torch.equal(y, x)
        assert torch.equal(torch.signbit(y), torch.signbit(x))
    y.sum().backward()
    ace.step()
    assert ace.gamma["model"].item() == pytest.approx(-0.1 * 5)


def test_folded_models_are_plain() -> None:
    model, ace = split()
    x = inputs()
    for folded, expected in ((ace.fold(branch=True), model(x)), (rct.fold(model), model(x))):
        assert [name for name, _ in folded.named_parameters()] == [name for name, _ in network().named_parameters()]
        assert torch.equal(folded(x), expected)
        assert not folded._forward_pre_hooks
        assert not folded._forward_hooks
        assert type(folded[0]) is nn.Linear
    # The original goes on as it was.
    assert torch.equal(model(x), expected)
    model(x).sum().backward()
    ace.step()


def test_a_copy_lives_its_own_life() -> None:
    model, ace = split()
    twin = copy.deepcopy(model)
    x = inputs()
    ace.gamma = 0.0
    assert not torch.equal(twin(x), model(x))
    assert torch.allclose(twin(x), network()(x), rtol=0, atol=3 * 64 * torch.finfo(x.dtype).eps)


def test_a_layer_that_is_called_by_itself_has_the_same_weight() -> None:
    model, _ = split()
    inside = []
    model[2].register_forward_hook(lambda m, *_: inside.append(m.weight))
    model(inputs())
    assert torch.allclose(model[2].weight, inside[0], rtol=0, atol=16 * torch.finfo(torch.float64).eps)
    assert model[2].parametrizations.weight[0].ready is None


def test_a_forward_pass_that_fails_leaves_no_weights_behind() -> None:
    model, ace = split()
    with pytest.raises(RuntimeError):
        model(torch.zeros(3, 5, dtype=torch.float64))
    ace.gamma = 0.0
    with ace.branch(False):
        off = model(inputs())
    assert torch.equal(model(inputs()), off)


def test_convolutions_and_views_of_other_shapes() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 2, 3))
    plain = copy.deepcopy(model)
    ace = rct.ACE(model, {"0": "1 >> 2*regular", "2": "2*regular >> V"}, symmetry=D4)
    x = torch.randn(2, 1, 7, 7)
    assert torch.allclose(model(x), plain(x), rtol=0, atol=300 * torch.finfo(torch.float32).eps)
    strict = ace.fold()
    turned = torch.rot90(strict(x), 1, (2, 3))
    assert (strict(torch.rot90(x, 1, (2, 3))) - turned).abs().max() > 1e-3
    assert ace.bounds().dropping > 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda m: rct.ACE(m, {"0": "V >> 3*regular"}, symmetry=D4),
        lambda m: rct.ACE(m, {"nothing": "V >> V"}, symmetry=D4),
        lambda m: rct.ACE(m, RULES, symmetry=D4, per="row"),
        lambda m: rct.ACE(m, RULES, symmetry=D4, scale=-1.0),
        lambda m: rct.ACE(m, RULES, symmetry=D4, every=0),
        lambda m: rct.ACE(m, RULES, symmetry=D4, freeze=2.0),
        lambda m: rct.ACE(m, RULES, symmetry=D4, gamma=float("nan")),
        lambda m: rct.ACE(m, RULES, symmetry=D4, controller=0.5),
        lambda m: rct.ACE(m),
        lambda m: rct.ACE("model", RULES),
    ],
)
def test_on_an_error_the_model_is_as_it_was(wrong: Callable[[nn.Module], Any]) -> None:
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(rc.RepcoreError):
        wrong(model)
    assert {n: v.tolist() for n, v in model.state_dict().items()} == {n: v.tolist() for n, v in before.items()}
    assert not model._forward_pre_hooks


def test_states_that_do_not_fit_are_refused() -> None:
    _, ace = split()
    good = ace.state_dict()
    other = rct.ACE(network(), RULES, symmetry=D4, controller=rc.Proximal())
    for state in ({}, {**good, "layers": {}}, {**good, "count": -1}, other.state_dict(), {**good, "gradient": torch.zeros(9)}):
        with pytest.raises(rc.IncompatibleError):
            ace.load_state_dict(state)
    assert str(ace.state_dict()) == str(good)
    with pytest.raises(rc.IncompatibleError):
        ace.gamma = {"1": 0.5}
    ace = split(every=1)[1]
    with pytest.raises(rc.IncompatibleError):
        ace.step()
    with pytest.raises(rc.IncompatibleError):
        ace.step(lambda: torch.zeros(()))


def test_bounds_count_layers_that_take_one_feature_and_leave_out_biases() -> None:
    torch.manual_seed(0)
    R = rc.regular(rc.cyclic(4))
    model = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 4)).double()
    ace = rct.ACE(model, {"0": rc.trivial(R.group) >> R, "2": R >> R})
    # Only the layer that takes one feature moves.
    ace.gamma = {"0": 1.0, "2": 0.0}
    x, strict = torch.tensor([[1.0], [-1.0]], dtype=torch.float64), ace.fold()
    with torch.no_grad():
        one, other = (torch.relu(x @ m[0].weight.T) @ m[2].weight.T for m in (model, strict))
    assert 0 < float((one - other).norm(dim=1).max()) <= ace.bounds().dropping
    ace.gamma = 0.0
    assert ace.bounds().dropping == 0


def test_a_step_that_raises_is_not_counted_and_one_homotopy_has_one_ace() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(rct.Homotopy(nn.Linear(4, 4), nn.Linear(4, 4)))
    ace = rct.ACE(model, every=2)
    ace.step()
    before = ace.state_dict()
    with pytest.raises(rc.IncompatibleError, match="no backward pass"):
        ace.step()
    after = ace.state_dict()
    assert {k: v for k, v in after.items() if k != "controller"} == {k: v for k, v in before.items() if k != "controller"}
    model(torch.randn(3, 4)).square().sum().backward()
    ace.step()
    assert ace.step_count == 2
    hooks = len(model._forward_hooks)
    with pytest.raises(rc.IncompatibleError, match="another ACE moves the Homotopy '0'"):
        rct.ACE(model)
    assert len(model._forward_hooks) == hooks
    rct.ACE(ace.fold(branch=True))
