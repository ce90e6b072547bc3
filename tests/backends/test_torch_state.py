"""State of constrained and native modules: checkpoints, copies, pickles. Nothing is ever half loaded."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import repcore as rc

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn  # noqa: E402

import repcore_torch as rct  # noqa: E402

D4, C8 = rc.dihedral(4), rc.cyclic(8)
R, V, one = rc.regular(D4), D4.rep, rc.trivial(D4)


def constrained(group: rc.Group = D4) -> Any:
    regular = rc.regular(group)
    model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 8))
    rct.constrain(model[0], "bias", rc.trivial(group) >> regular)
    rct.constrain(model[2], "weight", regular >> regular)
    return model


def native(group: rc.Group = D4) -> Any:
    regular = rc.regular(group)
    return nn.Sequential(nn.Linear(16, 8), nn.ReLU(), rct.Linear(regular, regular))


def nested(group: rc.Group = D4) -> Any:
    return nn.ModuleDict({"stem": nn.Linear(3, 16), "body": nn.ModuleList([constrained(group), native(group)])})


def contents(module: Any) -> dict[str, Any]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


# ----------------------------------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("build", [constrained, native, nested])
def test_the_state_is_coefficients_and_digests(build: Callable[..., Any]) -> None:
    model = build()
    names = {name for name, _ in model.named_parameters()}
    digests = {name for name in model.state_dict() if name.endswith("._extra_state")}
    assert set(model.state_dict()) == names | digests
    assert digests
    # Neither weights nor bases: what is learned, and 64 bytes for each digest.
    assert all(model.state_dict()[name].dtype == torch.uint8 for name in digests)
    assert all(model.state_dict()[name].shape == (64,) for name in digests)


@pytest.mark.parametrize("build", [constrained, native, nested])
@pytest.mark.parametrize("assign", [False, True])
def test_a_checkpoint_comes_back_bit_by_bit(build: Callable[..., Any], assign: bool) -> None:
    model, other = build(), rct.guard(build())
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    assert not same(contents(model), contents(other))
    other.load_state_dict(torch.load(file, weights_only=True), assign=assign)
    assert same(contents(model), contents(other))


@pytest.mark.parametrize("build", [constrained, native, nested])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("assign", [False, True])
def test_a_guarded_model_refuses_another_space_before_anything_changes(
    build: Callable[..., Any], strict: bool, assign: bool
) -> None:
    model, other = rct.guard(build()), build(C8)
    before, parameters = contents(model), list(model.parameters())
    with pytest.raises(rc.IncompatibleError, match=r"^\S+: the state_dict was saved with the space of digest"):
        model.load_state_dict(other.state_dict(), strict=strict, assign=assign)
    assert same(contents(model), before)
    assert all(p is q for p, q in zip(model.parameters(), parameters, strict=True))


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [("weight", R >> R, rc.regular(C8) >> rc.regular(C8)), ("bias", one >> 4 * one + 2 * V, one >> 2 * V + 4 * one)],
)
def test_a_constrained_layer_refuses_before_its_other_parameter_is_loaded(name: str, left: Any, right: Any) -> None:
    layer, other = (rct.constrain(nn.Linear(8, 8), name, space) for space in (left, right))
    before = contents(layer)
    with pytest.raises(rc.IncompatibleError, match="digest"):
        layer.load_state_dict(other.state_dict())
    assert same(contents(layer), before)


def test_a_native_layer_refuses_before_its_bias_is_loaded() -> None:
    layer, other = rct.Linear(R, R), rct.Linear(rc.regular(C8), rc.regular(C8))
    nn.init.ones_(other.bias)
    before = contents(layer)
    with pytest.raises(rc.IncompatibleError, match="digest"):
        layer.load_state_dict(other.state_dict())
    assert same(contents(layer), before)


def test_without_a_guard_layers_in_front_are_loaded_as_torch_does() -> None:
    # What guard is for: this test says that it is needed.
    model = nn.Sequential(nn.Linear(2, 2), constrained())
    other = nn.Sequential(nn.Linear(2, 2), constrained(C8))
    with pytest.raises(rc.IncompatibleError, match="digest"):
        model.load_state_dict(other.state_dict())
    assert torch.equal(model[0].weight, other[0].weight)


def test_symmetrised_models_are_guarded_and_folded_ones_are_plain() -> None:
    def build(group: rc.Group) -> Any:
        return rct.symmetrize(nn.Sequential(nn.Linear(2, 2), nn.Linear(8, 8)), {"1": rc.regular(group) >> rc.regular(group)})

    model, other = build(D4), build(C8)
    before = contents(model)
    with pytest.raises(rc.IncompatibleError, match=r"^1\.parametrizations\.weight\.0\.projector: "):
        model.load_state_dict(other.state_dict())
    assert same(contents(model), before)
    plain = rct.fold(model)
    pickled = pickle.dumps(plain)
    assert b"repcore" not in pickled
    assert same(contents(model), before)
    assert torch.equal(model[1].weight, plain[1].weight)
    assert same(contents(pickle.loads(pickled)), contents(plain))  # noqa: S301  # made a line ago


def test_guarding_twice_is_guarding_once_and_copies_are_guarded() -> None:
    model = rct.guard(rct.guard(nn.Sequential(nn.Linear(2, 2), native())))
    assert len(model._load_state_dict_pre_hooks) == 1
    twin, other = copy.deepcopy(model), nn.Sequential(nn.Linear(2, 2), native(C8))
    before = contents(twin)
    with pytest.raises(rc.IncompatibleError, match="digest"):
        twin.load_state_dict(other.state_dict())
    assert same(contents(twin), before)


@pytest.mark.parametrize(
    "state", [torch.zeros(64), "0a", torch.zeros(2, 2, dtype=torch.uint8), torch.empty(64, dtype=torch.uint8, device="meta")]
)
def test_what_is_no_digest_is_said(state: Any) -> None:
    model = rct.guard(native())
    before = contents(model)
    with pytest.raises(rc.IncompatibleError, match=r"^2: the state_dict holds no digest there but a "):
        model.load_state_dict({**model.state_dict(), "2._extra_state": state})
    assert same(contents(model), before)


def test_a_missing_digest_is_a_missing_key() -> None:
    model = rct.guard(native())
    state = model.state_dict()
    del state["2._extra_state"]
    with pytest.raises(RuntimeError, match=r"Missing key.*2\._extra_state"):
        model.load_state_dict(state)


# ------------------------------------------------------------------------------------------------ copies and pickles


@pytest.mark.parametrize("build", [constrained, native, nested])
def test_pickles(build: Any) -> None:
    model = build()
    for back in (pickle.loads(pickle.dumps(model)), torch_round_trip(model), pickle.loads(pickle.dumps(copy.deepcopy(model)))):  # noqa: S301
        assert same(contents(back), contents(model))
        assert [type(m).__name__ for m in back.modules()] == [type(m).__name__ for m in model.modules()]


def test_a_constrained_module_from_a_pickle_is_one_of_its_own() -> None:
    model, x = constrained(), torch.ones(16)
    before = model(x)
    back = pickle.loads(pickle.dumps(model))  # noqa: S301  # made a line ago
    assert torch.equal(back(x), before)
    with pytest.raises(rc.IncompatibleError, match="digest"):
        back.load_state_dict(constrained(C8).state_dict())
    parametrize.remove_parametrizations(back[2], "weight")
    assert type(back[2]) is nn.Linear
    with torch.no_grad():
        back[2].weight.zero_()
    assert torch.equal(model(x), before)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])  # noqa: S301
def test_the_cache_of_parametrisations_knows_copies_apart(copied: Any) -> None:
    model = constrained()
    twins = [model, copied(model), copied(copied(model))]
    with torch.no_grad():
        for shift, twin in enumerate(twins):
            twin[2].parametrizations.weight.original.add_(shift)
    plain = [twin(torch.ones(16)) for twin in twins]
    with parametrize.cached():
        cached = [twin(torch.ones(16)) for twin in twins]
    assert all(torch.equal(a, b) for a, b in zip(plain, cached, strict=True))
    assert not torch.equal(plain[0], plain[1])


def test_the_gradient_of_a_weight_is_none_of_its_coefficients() -> None:
    layer = nn.Linear(8, 8)
    layer(torch.ones(8)).sum().backward()
    rct.constrain(layer, "weight", R >> R)
    assert layer.parametrizations.weight.original.grad is None
    layer(torch.ones(8)).sum().backward()
    folded = rct.fold(layer)
    assert all(p.grad is None for p in folded.parameters())
    assert layer.parametrizations.weight.original.grad.shape == (8,)


def torch_round_trip(model: Any) -> Any:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_removing_the_constraint_of_a_copy_leaves_the_original(device: str) -> None:
    # torch 2.13 lets the copies of a parametrised module share a class, and removes the property from that class.
    model = constrained().to(device)
    twin = copy.deepcopy(model)
    third = copy.deepcopy(twin)
    assert type(twin[2]).__name__ == "ParametrizedLinear"
    assert parametrize.type_before_parametrizations(twin[2]) is nn.Linear
    weight = twin[2].weight
    parametrize.remove_parametrizations(twin[2], "weight")
    parametrize.remove_parametrizations(twin[0], "bias")
    assert type(twin[2]) is type(twin[0]) is nn.Linear
    for kept in (model, third):
        assert parametrize.is_parametrized(kept[2], "weight")
        assert kept(torch.ones(16, device=device)).shape == (8,)
    if device == "cpu":
        assert torch.equal(twin[2].weight, weight)
        assert torch.equal(twin(torch.ones(16)), model(torch.ones(16)))


def test_a_second_constraint_on_a_copy_leaves_the_original() -> None:
    layer = rct.constrain(nn.Linear(8, 8), "weight", R >> R)
    twin = rct.constrain(copy.deepcopy(layer), "bias", rc.trivial(D4) >> R)
    assert not parametrize.is_parametrized(layer, "bias")
    assert isinstance(layer.bias, nn.Parameter)
    assert parametrize.is_parametrized(twin, "bias")
    assert layer(torch.ones(8)).shape == twin(torch.ones(8)).shape


def test_a_class_with_a_copy_of_its_own_keeps_it() -> None:
    class Counted(nn.Linear):
        copies = 0

        def __deepcopy__(self, memo: dict[int, Any]) -> Any:
            Counted.copies += 1
            twin = self.__new__(type(self))
            memo[id(self)] = twin
            twin.__dict__ = copy.deepcopy(self.__dict__, memo)
            return twin

    layer = rct.constrain(Counted(8, 8), "weight", R >> R)
    twin = copy.deepcopy(layer)
    parametrize.remove_parametrizations(twin, "weight")
    assert Counted.copies == 1
    assert type(twin) is Counted
    assert layer.weight.shape == (8, 8)


@pytest.mark.parametrize("build", [constrained, native])
def test_averaged_models(build: Callable[..., Any]) -> None:
    model = build()
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    average.update_parameters(model)
    first = [p.detach().clone() for p in model.parameters()]
    with torch.no_grad():
        for p in model.parameters():
            p.add_(2)
    average.update_parameters(model)
    for p, q in zip(average.parameters(), first, strict=True):
        # lerp(q, q + 2, 1/2): two roundings, of numbers of at most this size.
        assert (p - (q + 1)).abs().max() <= 2 * torch.finfo(p.dtype).eps * (q.abs().max() + 2)
    assert not torch.equal(average(torch.ones(16)), model(torch.ones(16)))


# ------------------------------------------------------------------------------------------------------------ tying


def test_a_tensor_under_two_names_of_a_module_is_refused() -> None:
    layer = nn.Linear(8, 8)
    layer.twin = layer.weight
    before = layer.weight.detach().clone()
    with pytest.raises(rc.IncompatibleError, match=r"'weight' is one tensor with 'twin'.*tie then"):
        rct.constrain(layer, "weight", R >> R)
    assert torch.equal(layer.weight, before)
    assert layer.twin is layer.weight


def test_tied_after_constraining_layers_share_theta() -> None:
    left, right = (rct.constrain(nn.Linear(8, 8, bias=False), "weight", R >> R) for _ in range(2))
    right.parametrizations.weight.original = left.parametrizations.weight.original
    assert torch.equal(left.weight, right.weight)
    assert len(list(nn.ModuleList([left, right]).parameters())) == 1


def test_tied_before_the_other_layer_fails_aloud() -> None:
    left, right = nn.Linear(8, 8), nn.Linear(8, 8)
    right.weight = left.weight
    rct.constrain(left, "weight", R >> R)
    with pytest.raises(RuntimeError, match="must be a matrix"):
        right(torch.ones(3, 8))


# ----------------------------------------------------------------------------------------------------------- caching


def test_the_weight_is_formed_once_where_it_is_cached_and_trains() -> None:
    layer = rct.constrain(nn.Linear(8, 8, bias=False), "weight", R >> R)
    calls: list[int] = []
    layer.parametrizations.weight[0].register_forward_hook(lambda *_: calls.append(1))
    x = torch.randn(3, 8)
    plain = layer(layer(x)).sum()
    expected = torch.autograd.grad(plain, list(layer.parameters()))
    assert len(calls) == 2
    with parametrize.cached():
        cached = layer(layer(x)).sum()
    assert len(calls) == 3
    found = torch.autograd.grad(cached, list(layer.parameters()))
    # One adjoint of a sum instead of a sum of two: 64 terms each.
    allowed = 4 * 64 * torch.finfo(x.dtype).eps
    assert (found[0] - expected[0]).norm() <= allowed * sum(g.abs().sum() for g in expected)
    with torch.no_grad():
        layer.parametrizations.weight.original.zero_()
    assert not layer.weight.any()  # nothing is kept when the block ends
