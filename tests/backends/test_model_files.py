"""A model in one file: the same weights in NumPy, torch and JAX, and the same coefficients back, or nothing at all."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import repcore as rc

pytest.importorskip("torch")
pytest.importorskip("jax")

import jax
import torch
from torch import nn

import repcore_jax as rcj
import repcore_torch as rct

D4 = rc.dihedral(4)
V, R, one = D4.rep, rc.regular(D4), rc.trivial(D4)
S = rc.SO(3).rep
RULES = {
    "conv": "3*1 >> 2*regular",
    "turned": "2*regular >> 2*V",
    "norm": "2*regular",
    "attention": rc.Rule("4*V >> 4*V"),
    "tokens": "regular",
    "fc": "2*regular >> V*V",
    "factor": 2 * S >> S + S * S,
}


class Model(nn.Module):
    """Convolutions, a norm, an attention, an embedding, a constrained, a native and a free layer; buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3)
        self.turned = nn.ConvTranspose2d(16, 4, 2, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.attention = nn.MultiheadAttention(8, 2)
        self.tokens = nn.Embedding(5, 8)
        self.fc = nn.Linear(16, 4)
        self.factor = nn.Linear(6, 12)
        self.native = rct.Linear(3 * one + V, 2 * R)
        self.free = nn.Linear(16, 2)
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
        self.register_buffer("hidden", torch.ones(3), persistent=False)

    def forward(self, x: Any) -> Any:
        y = self.norm(self.conv(x)).relu()
        return self.turned(y).mean(), self.fc(y.mean((-2, -1))), self.free(self.native(torch.ones(1, 5))) + self.mask.exp()


def build(seed: int = 0, dtype: Any = torch.float32, rules: Any = RULES) -> nn.Module:
    torch.manual_seed(seed)
    return rct.symmetrize(Model().to(dtype), rules, symmetry=D4)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    model, path = build(), tmp_path_factory.mktemp("models") / "m.safetensors"
    with torch.no_grad():
        model.native.bias.normal_()
    rct.save(model, path)
    return model, path


def dense(model: nn.Module) -> dict[str, np.ndarray]:
    """Every weight as the model computes with it."""
    names = [
        *("conv.weight", "conv.bias", "turned.weight", "tokens.weight", "fc.weight", "fc.bias", "factor.weight", "factor.bias"),
        *("attention.in_proj_weight", "attention.in_proj_bias", "attention.out_proj.weight", "attention.out_proj.bias"),
    ]
    found = {name: getattr(model.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in names}
    plain = model.native.to_linear()
    found |= {"native.weight": plain.weight, "native.bias": plain.bias, "free.weight": model.free.weight, "mask": model.mask}
    return {name: w.detach().float().numpy() for name, w in found.items()}


def close(a: np.ndarray, b: np.ndarray, dtype: type = np.float32) -> bool:
    """Sums of at most N products with orthonormal columns, in two orders."""
    size = np.linalg.norm(np.nan_to_num(b, posinf=0, neginf=0))
    return np.array_equal(a, b) or bool(np.abs(a - b).max() <= 4 * sum(b.shape) * np.finfo(dtype).eps * max(size, 1))


def states(model: nn.Module) -> dict[str, Any]:
    return {name: t.clone() for name, t in model.state_dict().items()}


def equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# -- torch -------------------------------------------------------------------------------------------------------------


def test_dense_weights_are_those_of_the_model(saved: tuple[nn.Module, Path]) -> None:
    model, path = saved
    found = rct.load(path)
    expected = dense(model)
    assert expected.keys() <= found.keys()
    assert all(close(found[name].numpy(), w) for name, w in expected.items())
    # Orbits are one product an entry: the same bits.
    for name in ("conv.weight", "conv.bias", "fc.weight", "tokens.weight"):
        assert np.array_equal(found[name].numpy(), expected[name]), name
    assert "hidden" not in found
    assert not any("parametrizations" in name or "extra_state" in name for name in found)


def test_a_plain_model_takes_them(tmp_path: Path) -> None:
    """A state_dict without a trace of repcore, for the model as it was before."""
    model = build()
    model(torch.randn(7, 3, 5, 5))  # statistics of its own
    with torch.no_grad():
        for parameter in model.norm.parameters():
            parameter.normal_()
    rct.save(model, tmp_path / "m.safetensors")
    plain = Model()
    plain.native = nn.Linear(5, 16)
    plain.load_state_dict(rct.load(tmp_path / "m.safetensors"))
    x = torch.randn(2, 3, 5, 5)
    for a, b in zip(plain.eval()(x), model.eval()(x), strict=True):
        assert close(a.detach().numpy(), b.detach().numpy())


@pytest.mark.parametrize("X", ["2*V + 3*1 + V", "regular + 2*V*V"])
def test_norms_are_dense_as_they_say(X: str, tmp_path: Path) -> None:
    """Several fields, out of order, with and without invariants: each feature has the gain of its copy."""
    rep = {"2*V + 3*1 + V": 2 * V + 3 * one + V, "regular + 2*V*V": R + 2 * V * V}[X]
    for layer in (rct.BatchNorm(rep), rct.LayerNorm(rep), rct.RMSNorm(rep)):
        with torch.no_grad():
            for tensor in (*layer.parameters(), *layer.buffers()):
                if tensor.is_floating_point():
                    tensor.normal_()
        rct.save(layer, tmp_path / "m.safetensors")
        found = rct.load(tmp_path / "m.safetensors")
        expected = layer.dense()
        assert expected.keys() == found.keys() - {"num_batches_tracked"}
        for name, tensor in expected.items():
            assert close(found[name].numpy(), tensor.numpy()), name
        other = type(layer)(rep)
        assert equal(states(rct.load(tmp_path / "m.safetensors", other)), states(layer))


def test_a_model_comes_back(saved: tuple[nn.Module, Path]) -> None:
    model, path = saved
    other = build(seed=1)
    parameters = list(other.parameters())
    assert not equal(states(other), states(model))
    assert rct.load(path, other) is other
    assert equal(states(other), states(model))
    assert all(a is b for a, b in zip(other.parameters(), parameters, strict=True))  # optimisers go on


def test_the_bytes_are_a_function_of_the_model(saved: tuple[nn.Module, Path], tmp_path: Path) -> None:
    model, path = saved
    rct.save(rct.load(path, build(seed=2)), tmp_path / "again.safetensors")
    rct.save(copy.deepcopy(model), tmp_path / "copy.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "copy.safetensors").read_bytes() == path.read_bytes()


def test_the_file_tells_the_symmetry(saved: tuple[nn.Module, Path]) -> None:
    model, path = saved
    found = rc.load(path)
    assert isinstance(found, rc.ModelFile)
    spaces = {name: space and str(space) for name, space in found.spaces.items()}
    assert spaces["conv.weight"] == "3*1 >> 2*regular"
    assert spaces["conv.bias"] == "1 >> 2*regular"
    assert spaces["native.bias"] == "1 >> 2*regular"
    assert len(found.specs) == 2
    assert found.digests["native.weight"] == model.native.plan.digest
    assert dict(found.layers) == {"norm": (2 * R).digest}


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_dtypes(dtype: Any, tmp_path: Path) -> None:
    model = build(dtype=dtype, rules={k: r for k, r in RULES.items() if k in ("conv", "fc")})
    rct.save(model, tmp_path / "m.safetensors")
    found = rct.load(tmp_path / "m.safetensors")
    assert all(t.dtype in (dtype, torch.int64) for t in found.values())
    assert torch.equal(found["conv.weight"], model.conv.weight)
    assert torch.equal(found["free.weight"], model.free.weight)
    other = build(seed=1, dtype=dtype, rules={k: r for k, r in RULES.items() if k in ("conv", "fc")})
    assert equal(states(rct.load(tmp_path / "m.safetensors", other)), states(model))


def test_complex_weights(tmp_path: Path) -> None:
    U = rc.Group(discrete=[[["I", 0], [0, "-I"]]]).rep
    torch.manual_seed(0)
    layer = nn.Linear(2, 4, dtype=torch.complex64)
    rct.constrain(layer, "weight", U >> 2 * U)
    rct.save(layer, tmp_path / "m.safetensors")
    found = rct.load(tmp_path / "m.safetensors")
    assert torch.equal(found["bias"], layer.bias)
    assert found["weight"].dtype == torch.complex64
    assert close(found["weight"].numpy().view(np.float32), layer.weight.detach().numpy().view(np.float32))
    other = rct.constrain(nn.Linear(2, 4, dtype=torch.complex64), "weight", U >> 2 * U)
    assert equal(states(rct.load(tmp_path / "m.safetensors", other)), states(layer))


def test_values_that_are_not_finite_are_kept(tmp_path: Path) -> None:
    model = build(rules={"fc": RULES["fc"]})
    with torch.no_grad():
        model.fc.parametrizations.weight.original[0] = torch.nan
    rct.save(model, tmp_path / "m.safetensors")
    found = rct.load(tmp_path / "m.safetensors")
    assert found["fc.weight"].isnan().any()
    assert found["mask"].tolist() == [0.0, -np.inf]


def _other(**rules: Any) -> Callable[[], nn.Module]:
    return lambda: build(seed=3, rules={**RULES, **rules})


def _without(name: str) -> Callable[[], nn.Module]:
    return lambda: build(seed=3, rules={k: r for k, r in RULES.items() if k != name})


def _changed(change: Callable[[nn.Module], Any]) -> Callable[[], nn.Module]:
    def made() -> nn.Module:
        model = build(seed=3)
        change(model)
        return model

    return made


MISFITS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "another space": (_other(fc="2*regular >> 2*V"), "'fc.weight' has the space of digest"),
    "the same sizes in another order": (_other(conv="3*1 >> regular + 8*1"), "digest"),
    "a weight that is not constrained": (
        _without("fc"),
        "the file has coefficients for 'fc.bias', 'fc.weight'",
    ),
    "a norm that is plain": (_without("norm"), "norm"),
    "a plain model": (Model, "symmetrise the model by the same rules"),
    "a layer more": (_changed(lambda m: m.add_module("more", nn.Linear(2, 2))), "the model has tensors for 'more.bias'"),
    "a layer less": (
        _changed(lambda m: setattr(m, "free", nn.Identity())),
        "the file has tensors for 'free.bias'",
    ),
    "another size": (_changed(lambda m: setattr(m, "free", nn.Linear(16, 3))), "'free.weight' has shape"),
    "another dtype": (_changed(lambda m: m.double()), r"has dtype torch\.float64, and the file has float32"),
    "another norm": (_changed(lambda m: setattr(m, "norm", rct.BatchNorm(16 * one, axis=1))), "layer 'norm' is of another repr"),
    "no memory": (_changed(lambda m: m.to("meta")), "has no memory"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_model_that_does_not_fit_is_refused_and_left_alone(case: str, saved: tuple[nn.Module, Path]) -> None:
    make, words = MISFITS[case]
    model = make()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with pytest.raises(rc.IncompatibleError, match=words):
        rct.load(saved[1], model)
    assert case == "no memory" or equal(states(model), before)


def test_another_view_of_the_same_maps_is_refused(tmp_path: Path) -> None:
    """One digest, but rows of three maps that lie one behind the other, or among each other."""

    def made(axes: str) -> nn.Module:
        model = nn.Module()
        model.w = nn.Parameter(torch.randn(2, 2, 2))
        return rct.symmetrize(model, {"w": rc.Rule(V >> V, axes=axes)})

    rct.save(made("b o i"), tmp_path / "m.safetensors")
    with pytest.raises(rc.IncompatibleError, match="read as maps in another way"):
        rct.load(tmp_path / "m.safetensors", made("o b i"))


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"

    class Extra(nn.Linear):
        def get_extra_state(self) -> Any:
            return {"a": 1}

    stacked = rct.constrain(nn.Linear(2, 2), "weight", V >> V)
    nn.utils.parametrize.register_parametrization(stacked, "weight", nn.Identity())
    cases: list[tuple[Any, str]] = [
        (Extra(2, 2), "extra state of a layer that is none of repcore"),
        (stacked, "other parametrisations beside its constraint"),
        (nn.LazyLinear(2), "has no values yet"),
        (nn.Linear(2, 2, device="meta"), "has no values yet"),
        (3, "expected a model or a Projector"),
    ]
    for model, words in cases:
        with pytest.raises(rc.IncompatibleError, match=words):
            rct.save(model, path)
    with pytest.raises(rc.IncompatibleError, match=r"ends in \.safetensors"):
        rct.save(nn.Linear(2, 2), tmp_path / "m.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_basis_file_is_no_model(tmp_path: Path) -> None:
    rct.save(rct.Projector(V >> V), tmp_path / "b.safetensors")
    assert isinstance(rct.load(tmp_path / "b.safetensors"), rct.Projector)
    with pytest.raises(rc.IncompatibleError, match="no model can be loaded"):
        rct.load(tmp_path / "b.safetensors", nn.Linear(2, 2))
    with pytest.raises(rc.IncompatibleError, match="holds no parameters"):
        rcj.load(tmp_path / "b.safetensors", {})


def test_tied_weights_come_back(tmp_path: Path) -> None:
    """One native layer in two places: both names are in the file."""

    def made(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        layer = rct.Linear(R, R)
        return nn.Sequential(layer, nn.ReLU(), layer)

    rct.save(made(0), tmp_path / "m.safetensors")
    assert {"0.weight", "2.weight", "0.bias", "2.bias"} == set(rct.load(tmp_path / "m.safetensors"))
    assert equal(states(rct.load(tmp_path / "m.safetensors", made(1))), states(made(0)))


# -- jax ---------------------------------------------------------------------------------------------------------------


def test_jax_reads_what_torch_wrote(saved: tuple[nn.Module, Path]) -> None:
    _, path = saved
    ours, theirs, core = rcj.load(path), rct.load(path), rc.load(path)
    assert isinstance(core, rc.ModelFile)
    assert {name.replace(".", "/") for name in theirs} == set(ours)
    for name, tensor in theirs.items():
        assert np.array_equal(ours[name.replace(".", "/")], tensor.numpy()), name
        assert np.array_equal(core[name], tensor.numpy()), name


def params(dtype: Any = np.float32) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    shapes = {"Conv_0": (3, 3, 3, 16), "Dense_0": (16, 4), "Free": (4, 3)}
    layers = {
        n: {"kernel": rng.normal(size=s).astype(dtype), "bias": rng.normal(size=s[-1]).astype(dtype)} for n, s in shapes.items()
    }
    return {"params": jax.tree.map(jax.numpy.asarray, layers)}


def symmetry(given: Any) -> Any:
    return rcj.symmetry_of(given, {"params/Conv_0": "3*1 >> 2*regular", "params/Dense_0": "2*regular >> V*V"}, symmetry=D4)


def test_torch_reads_what_jax_wrote(tmp_path: Path) -> None:
    given = params()
    sym = symmetry(given)
    rcj.save(sym, given, tmp_path / "m.safetensors")
    found = rct.load(tmp_path / "m.safetensors")
    projected = sym.project(given)
    for layer, leaves in projected["params"].items():
        for name, leaf in leaves.items():
            assert close(found[f"params.{layer}.{name}"].numpy(), np.asarray(leaf)), (layer, name)
    assert np.array_equal(found["params.Free.kernel"].numpy(), given["params"]["Free"]["kernel"])
    core = rc.load(tmp_path / "m.safetensors")
    assert isinstance(core, rc.ModelFile)
    assert str(core.spaces["params/Conv_0/kernel"]) == "3*1 >> 2*regular"


def test_dense_weights_and_coefficients_make_one_file(tmp_path: Path) -> None:
    """The coefficients that NumPy finds and those of JAX agree to rounding; given, they are kept bit by bit."""
    given = params()
    sym = symmetry(given)
    thetas = sym.coefficients(given)
    rcj.save(sym, given, tmp_path / "a.safetensors")
    rcj.save(sym.sites, thetas, tmp_path / "b.safetensors")
    a, b = rc.load(tmp_path / "a.safetensors"), rc.load(tmp_path / "b.safetensors")
    assert isinstance(a, rc.ModelFile)
    assert isinstance(b, rc.ModelFile)
    assert a.digests == b.digests
    for name, theta in b.coefficients.items():
        layer, leaf = name.split("/")[1:]
        assert np.array_equal(theta, thetas["params"][layer][leaf])
        assert close(a.coefficients[name], theta)


def test_a_pytree_comes_back(tmp_path: Path) -> None:
    given = params()
    sym = symmetry(given)
    projected = sym.project(given)
    rcj.save(sym, projected, tmp_path / "m.safetensors")
    found = rcj.load(tmp_path / "m.safetensors", like=jax.eval_shape(lambda: given))
    assert jax.tree.structure(found) == jax.tree.structure(given)
    assert all(
        close(np.asarray(a), np.asarray(b)) for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(projected), strict=True)
    )
    short = {"params": {k: v for k, v in given["params"].items() if k != "Free"}}
    other = jax.tree.map(lambda x: x[..., :2], given)
    for like, words in (
        (short, "only the file has 'params/Free/bias'"),
        (other, "has shape"),
        (params("float16"), "has dtype float16"),
    ):
        with pytest.raises(rc.IncompatibleError, match=words):
            rcj.load(tmp_path / "m.safetensors", like=like)


def test_bfloat16_in_jax(tmp_path: Path) -> None:
    given = jax.tree.map(lambda x: x.astype("bfloat16"), params())
    sym = symmetry(given)
    rcj.save(sym, given, tmp_path / "m.safetensors")
    found = rcj.load(tmp_path / "m.safetensors", like=given)
    assert all(leaf.dtype == "bfloat16" for leaf in jax.tree.leaves(found))
    assert np.array_equal(found["params"]["Free"]["kernel"], given["params"]["Free"]["kernel"])
    theirs = rct.load(tmp_path / "m.safetensors")["params.Conv_0.kernel"]
    assert theirs.dtype == torch.bfloat16
    assert np.array_equal(theirs.float().numpy(), np.asarray(found["params"]["Conv_0"]["kernel"]).astype(np.float32))


def test_what_jax_cannot_save(tmp_path: Path) -> None:
    given = params()
    sym = symmetry(given)
    path = tmp_path / "m.safetensors"
    with pytest.raises(rc.IncompatibleError, match="there is no 'params/Conv_0/bias'"):
        rcj.save(sym, {"params": {"Dense_0": given["params"]["Dense_0"]}}, path)
    with pytest.raises(rc.IncompatibleError, match="expected the weight"):
        rcj.save(sym, jax.tree.map(lambda x: x[None], given), path)
    with pytest.raises(rc.IncompatibleError, match=r"ends in \.safetensors"):
        rcj.save(sym, given, tmp_path / "m.npz")
    with pytest.raises(rc.IncompatibleError, match="path: is missing"):
        rcj.save(sym, given)
    assert list(tmp_path.iterdir()) == []


READER = re.compile(
    r"\{code-cell\} python3\n(import json\nimport numpy as np\nfrom safetensors.*?\n    return weights\n)", re.DOTALL
)
ALONE = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("repcore", "repcore_torch", "repcore_jax", "torch", "jax", "scipy"):
            raise ImportError(f"{name} is not here")
sys.meta_path.insert(0, Blocker())
exec(compile(open(sys.argv[1]).read(), "reader", "exec"))
np.savez(sys.argv[3], **read_weights(sys.argv[2]))
"""


def test_twenty_lines_of_numpy_read_the_weights_of_a_model(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """The code of the documentation, in a process that has no repcore."""
    page = pytestconfig.rootpath / "docs" / "how-to" / "read-a-basis-file-without-repcore.md"
    (reader,) = READER.findall(page.read_text(encoding="utf-8"))
    assert len([line for line in reader.splitlines() if line.strip() and not line.startswith(("import", "from"))]) <= 20
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Conv2d(16, 16, 3, groups=2), nn.Conv2d(16, 6, 1))
    rct.symmetrize(model, {"0": "3*1 >> 2*regular", "2": "2*regular >> 2*regular", "3": "2*regular >> V*V + V"}, symmetry=D4)
    rct.save(model, tmp_path / "m.safetensors")
    (tmp_path / "reader.py").write_text(reader)
    arguments = [str(tmp_path / name) for name in ("reader.py", "m.safetensors", "out.npz")]
    subprocess.run([sys.executable, "-I", "-c", ALONE, *arguments], check=True)
    with np.load(tmp_path / "out.npz") as found:
        assert set(found) == set(rct.fold(model).state_dict())
        for name, wanted in rct.fold(model).state_dict().items():
            # Coefficients and bases have length one at most per entry: one product and one rounding each, of float32.
            assert np.abs(found[name] - wanted.numpy()).max() <= 4 * np.finfo(np.float32).eps * np.abs(wanted.numpy()).max(), name
