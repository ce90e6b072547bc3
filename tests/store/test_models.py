"""The model file: what it keeps, that it is the same each time, that NumPy alone reads it, and that no file can do harm."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors

import repcore as rc
from repcore.interchange import model as models
from repcore.interchange.reading import model_from_bytes, read_model
from repcore.interchange.writing import model_to_bytes
from repcore.reps.tree import Dual
from repcore.store.atomic import TEMPORARY

D4, SO3 = rc.dihedral(4), rc.SO(3)
V, R, S = D4.rep, rc.regular(D4), SO3.rep
U = rc.Group(discrete=[[["I", 0], [0, "-I"]]]).rep


def weight(space: rc.Hom, view: rc.View, dtype: str = "float32", seed: int = 0, plan: Any = None) -> rc.Coefficients:
    rng = np.random.default_rng(seed)
    plan = rc.plan(space) if plan is None else plan
    theta = rng.normal(size=(*view.batch, plan.dim))
    if dtype.startswith("complex"):
        theta = theta + 1j * rng.normal(size=theta.shape)
    return rc.Coefficients(theta.astype(dtype), plan, view, space)


def matrix(space: rc.Hom) -> rc.View:
    return rc.view_of(space.shape, "oi", rows="o", cols="i")


def model() -> rc.ModelFile:
    """A weight of each structure, each kind of view and each kind of number; other tensors."""
    schur = 3 * V + V * V >> 2 * V * V
    tall = rc.Group([[["1/2", "3/4"], ["-1", "1/2"]]]).rep
    weights = {
        "orbit": weight(2 * V + R >> 3 * R, matrix(2 * V + R >> 3 * R)),
        "double": weight(V * V >> V * V, matrix(V * V >> V * V), "float64"),
        "half": weight(V * V >> V * V, matrix(V * V >> V * V), "float16"),
        "factor": weight(S**2 >> 2 * S**2, matrix(S**2 >> 2 * S**2)),
        "schur": weight(schur, matrix(schur), plan=rc.plan(schur, structure="schur")),
        "skew": weight(2 * tall >> tall, matrix(2 * tall >> tall), "float64", plan=rc.plan(2 * tall >> tall, structure="schur")),
        "complex": weight(U * U >> U * U, matrix(U * U >> U * U), "complex64"),
        "complex.double": weight(U >> U, matrix(U >> U), "complex128"),
        "conv": weight(2 * V >> R, rc.view_of((8, 4, 3, 3), "oiss", rows="o", cols="is"), plan=rc.kernels(2 * V >> R, 3)),
        "conv.last": weight(2 * V >> R, rc.view_of((3, 3, 4, 8), "ssio", rows="o", cols="is"), plan=rc.kernels(2 * V >> R, 3)),
        "batch": weight(V >> R, rc.view_of((2, 3, 8, 2), "bcoi", rows="o", cols="i")),
        "packed": weight(R >> R, rc.view_of((24, 8), "oi", rows="o", cols="i", parts=3)),
        "nothing": weight(rc.trivial(D4) >> V, rc.view_of((2,), "o", rows="o", cols="i")),
    }
    tensors = {
        "free": np.arange(6, dtype=np.float32).reshape(2, 3),
        "count": np.array(7),
        "mask": np.array([[0.0, -np.inf], [np.nan, 1.0]]),
        "on": np.array([True, False, True]),
        "empty": np.zeros((0, 3), np.float16),
        "phase": np.array([1 + 2j, -3j], np.complex64),
        "scalar": np.array(2 - 1j),
        "words": np.array([2**64 - 1], np.uint64),
        "brain": np.array([1.5, -2.0, np.inf], np.float32),
    }
    return rc.ModelFile(weights, tensors, {"norm": R.digest}, bfloat16={"brain"})


def split(data: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    return json.loads(header.pop("__metadata__")["repcore"]), header, data[8 + size :]


def join(document: dict[str, Any], header: dict[str, Any], buffer: bytes) -> bytes:
    """A file with a right checksum, whatever is in it."""

    def text(x: object) -> str:
        return json.dumps(x, sort_keys=True, separators=(",", ":"))

    rest = {k: v for k, v in document.items() if k != "checksum"}
    checksum = hashlib.sha256(text(rest).encode() + buffer).hexdigest()
    whole = text(header | {"__metadata__": {"repcore": text(rest | {"checksum": checksum})}}).encode()
    return struct.pack("<Q", len(whole)) + whole + buffer


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# -- what it keeps -----------------------------------------------------------------------------------------------------


def test_a_file_keeps_everything(tmp_path: Path) -> None:
    made = model()
    rc.dump(made, tmp_path / "m.safetensors")
    found = rc.load(tmp_path / "m.safetensors")
    assert isinstance(found, rc.ModelFile)
    assert list(found) == list(made)
    assert all(same(found[name], made[name]) for name in made)
    assert all(same(found.coefficients[name], w.theta) for name, w in made.weights.items())
    assert found.digests == {name: w.plan.digest for name, w in made.weights.items()}
    assert {n: (w.view, w.label, w.coordinates) for n, w in found.weights.items()} == {
        n: (w.view, w.label, w.coordinates) for n, w in made.weights.items()
    }
    assert (dict(found.layers), found.bfloat16, found.separator) == (dict(made.layers), made.bfloat16, made.separator)
    assert repr(found) == repr(made)


def test_dense_weights_are_those_of_the_plans() -> None:
    found = model_from_bytes(model_to_bytes(model()))
    for name, w in model().weights.items():
        wide = w.view.write(w.plan.expand(w.theta))
        assert same(found[name], wide.astype(w.theta.dtype)), name
        assert found[name].shape == w.view.shape


def test_the_file_tells_the_symmetry() -> None:
    made = model()
    found = model_from_bytes(model_to_bytes(made))
    assert {n: s and s.digest for n, s in found.spaces.items()} == {n: s and s.digest for n, s in made.spaces.items()}
    spaces = {space.digest: space for space in made.spaces.values() if space is not None}
    assert {m.digest for spec in found.specs for m in spec.maps.values()} == set(spaces)
    groups = {frozenset(g.digest for g in space.group.generators) for space in spaces.values()}
    assert {frozenset(g.digest for g in spec.group.generators) for spec in found.specs} == groups
    assert len(found.specs) == len(groups) == 4
    # The plans solved from nothing but the file are the plans of the model.
    assert rc.plan(found.spaces["factor"]).digest == made.digests["factor"]  # pyright: ignore[reportArgumentType]


def test_a_plan_without_a_space() -> None:
    plan = rc.kernels(rc.SO(2).rep >> rc.SO(2).rep, 5)
    view = rc.view_of((2, 2, 5, 5), "oiss", rows="o", cols="is")
    made = rc.ModelFile({"w": rc.Coefficients(np.ones(plan.dim), plan, view, label="V >> V on 5 x 5")})
    found = model_from_bytes(model_to_bytes(made))
    assert (found.spaces, found.specs, found.weights["w"].label) == ({"w": None}, (), "V >> V on 5 x 5")
    assert same(found["w"], made["w"])


class _Twisted(Dual):
    """A subclass of a node that means something else than its parent; no file can say it."""

    @property
    def _tree(self) -> tuple[object, ...]:
        return ("twisted", self.rep.digest)


def test_a_space_that_no_file_can_say_keeps_its_text() -> None:
    space = _Twisted(D4, V) >> V
    view = matrix(V >> V)
    weights = {
        "a": rc.Coefficients(np.ones(1, np.float32), rc.plan(V >> V), view, space),
        "b": rc.Coefficients(np.ones(1, np.float32), rc.plan(V >> V), view, V >> V),
    }
    data = model_to_bytes(rc.ModelFile(weights))
    entries = split(data)[0]["spaces"]
    assert [(e["digest"], e["declaration"]) for e in entries] == [(space.digest, None), ((V >> V).digest, 0)]
    assert entries[0]["text"] == str(space)
    found = model_from_bytes(data)
    assert (found.spaces["a"], str(found.spaces["b"])) == (None, "V >> V")
    assert same(found["a"], found["b"])


def test_equal_plans_are_stored_once() -> None:
    document, header, _ = split(model_to_bytes(model()))
    assert document["weights"]["double"]["plan"] == document["weights"]["half"]["plan"]
    assert len({p["digest"] for p in document["plans"]}) == len(document["plans"])
    assert sum(name.startswith("repcore/theta/") for name in header) == len(model().weights)


def test_the_plan_of_a_file_is_not_taken_for_a_solved_one() -> None:
    made = model()
    found = model_from_bytes(model_to_bytes(made))
    for name, w in found.weights.items():
        assert w.plan != made.weights[name].plan
        assert w.plan.digest.startswith("unverified-")


def test_names_with_another_separator() -> None:
    found = model_from_bytes(model_to_bytes(model()))
    other = found.named("/")
    assert {name.replace(".", "/") for name in found} == set(other)
    assert same(other["conv/last"], found["conv.last"])
    assert other.named("/") is other
    assert model_to_bytes(other.named(".")) == model_to_bytes(found)
    clash = rc.ModelFile({}, {"a.b/c": np.zeros(1), "a/b/c": np.zeros(1)})
    with pytest.raises(rc.IncompatibleError, match="would both be called"):
        clash.named("/")


def test_bfloat16_rounds_to_nearest_even() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.random.default_rng(0).normal(size=10_000).astype(np.float32)
    ties = [0x3F808000, 0x3F818000, 0x3F808001, 0x7F7FFFFF, 0x80000000, 0x7F800000, 0x7FFFFFFF]
    bits = np.array(ties, np.uint32).view(np.float32)
    for given in (values, bits):
        expected = given.astype(ml_dtypes.bfloat16).astype(np.float32)
        found = models.to_bfloat16(given)
        assert np.array_equal(found, expected, equal_nan=True)
        assert np.array_equal(np.signbit(found[~np.isnan(found)]), np.signbit(expected[~np.isnan(expected)]))


def test_a_bfloat16_weight_is_rounded_once() -> None:
    theta = models.to_bfloat16(np.float32([0.7]))
    made = rc.ModelFile({"w": rc.Coefficients(theta, rc.plan(V >> V), matrix(V >> V), V >> V)}, bfloat16={"w"})
    found = model_from_bytes(model_to_bytes(made))
    assert same(found["w"], models.to_bfloat16(rc.plan(V >> V).expand(theta)))
    assert same(found["w"], made["w"])
    with pytest.raises(rc.IncompatibleError, match="values that bfloat16 does not have"):
        model_to_bytes(rc.ModelFile({}, {"x": np.float32([0.7])}, bfloat16={"x"}))


@pytest.mark.parametrize(
    ("weights", "tensors", "words"),
    [
        ({}, {"": np.zeros(1)}, "cannot name a weight"),
        ({}, {"__metadata__": np.zeros(1)}, "cannot name a weight"),
        ({}, {"repcore/x": np.zeros(1)}, "cannot name a weight"),
        ({"a": weight(V >> V, matrix(V >> V))}, {"a": np.zeros(1)}, "given by coefficients already"),
    ],
)
def test_names_that_cannot_be_stored(weights: Any, tensors: Any, words: str) -> None:
    with pytest.raises(rc.IncompatibleError, match=words):
        rc.ModelFile(weights, tensors)


def test_coefficients_that_do_not_fit() -> None:
    with pytest.raises(rc.IncompatibleError, match="theta: has shape"):
        rc.Coefficients(np.zeros(2), rc.plan(V >> V), matrix(V >> V))
    with pytest.raises(rc.IncompatibleError, match="view: reads maps of shape"):
        rc.Coefficients(np.zeros(1), rc.plan(V >> V), matrix(V >> 2 * V))
    with pytest.raises(rc.IncompatibleError, match="which a model file does not hold"):
        model_to_bytes(rc.ModelFile({}, {"x": np.array(["text"])}))


def test_only_files_of_the_right_suffix(tmp_path: Path) -> None:
    with pytest.raises(rc.IncompatibleError, match=r"ends in \.safetensors"):
        rc.dump(model(), tmp_path / "m.toml")
    with pytest.raises(rc.IncompatibleError, match="expected a path"):
        rc.dump(model(), 3)  # pyright: ignore[reportArgumentType]
    assert not list(tmp_path.glob("m.*"))


def test_the_bias_of_a_layer_in_irrep_coordinates() -> None:
    """The plan of the bias, against the layer itself; two summands with invariants, several copies of each."""
    one = rc.trivial(D4)
    for y in (2 * R, 3 * (one + V) + 2 * V * V, 2 * one + R + 2 * V * V):
        plan = rc.plan(R >> y, structure="schur")
        assert plan.layer is not None
        assert plan.bias is not None
        given = np.random.default_rng(1).normal(size=(4, plan.layer.bias))
        expected = plan.layer.apply(np.zeros(plan.dim), np.zeros(8), given)
        # Each entry is a sum of products with orthonormal columns.
        bound = 2 * plan.layer.bias * np.finfo(float).eps * np.linalg.norm(given)
        assert np.abs(plan.bias.expand(given)[..., 0] - expected).max() <= bound
        assert plan.bias.digest not in (plan.digest, rc.plan(R >> 3 * y, structure="schur").bias)
    assert rc.plan(V >> V).bias is None
    assert rc.plan(V >> V, structure="schur").bias is None


# -- the same each time ------------------------------------------------------------------------------------------------


def test_the_bytes_are_a_function_of_the_model() -> None:
    made = model()
    data = model_to_bytes(made)
    assert model_to_bytes(model()) == data
    assert model_to_bytes(model_from_bytes(data)) == data
    turned = rc.ModelFile(
        dict(reversed(list(made.weights.items()))),
        dict(reversed(list(made.tensors.items()))),
        made.layers,
        bfloat16=made.bfloat16,
    )
    assert model_to_bytes(turned) == data


SHUFFLED = """
import hashlib, sys
import numpy as np, repcore as rc
turn, flip = [[0, -1], [1, 0]], [[1, 0], [0, -1]]
G = rc.Group([turn, flip], name="mine") if sys.argv[1] == "0" else rc.Group([flip, turn, flip])
view = rc.view_of((4, 2), "oi", rows="o", cols="i")
rc.dump(rc.ModelFile({"w": rc.Coefficients(np.arange(2.0), rc.plan(G.rep >> 2 * G.rep), view, G.rep >> 2 * G.rep)}), sys.argv[2])
print(hashlib.sha256(open(sys.argv[2], "rb").read()).hexdigest())
"""


def test_the_bytes_do_not_depend_on_names_and_the_order_of_generators(tmp_path: Path) -> None:
    found: set[str] = set()
    for seed in "01":
        command = [sys.executable, "-c", SHUFFLED, seed, str(tmp_path / "m.safetensors")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONHASHSEED": seed})
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1


def small() -> bytes:
    """A model whose bases are square roots and quotients of integers: alike on every machine."""
    plan = rc.plan(V * V >> R)
    theta = np.arange(plan.dim, dtype=np.float32)
    kernel = rc.kernels(2 * rc.trivial(D4) >> R, 3)
    view = rc.view_of((8, 2, 3, 3), "oiss", rows="o", cols="is")
    weights = {
        "fc.weight": rc.Coefficients(theta, plan, matrix(V * V >> R), V * V >> R),
        "conv.weight": rc.Coefficients(np.arange(kernel.dim, dtype=np.float64), kernel, view, 2 * rc.trivial(D4) >> R),
    }
    tensors = {"fc.bias": np.arange(3, dtype=np.float32), "steps": np.array(7), "z": np.array([1j], np.complex64)}
    return model_to_bytes(rc.ModelFile(weights, tensors, {"norm": R.digest}))


GOLDEN = "6abfd44ff2799f5424031c3da87298a1d033e5b470f8d6fc6d6fc3c0ff3e59c8"


def test_the_bytes_of_a_small_model_are_pinned() -> None:
    """A change of this digest is a change of the format: it needs a new version, and a reader of the old one."""
    assert hashlib.sha256(small()).hexdigest() == GOLDEN


def test_safetensors_reads_it(tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(model_to_bytes(model()))
    with safetensors.safe_open(tmp_path / "m.safetensors", "numpy") as file:
        assert list(file.metadata()) == ["repcore"]
        assert np.array_equal(file.get_tensor("free"), model().tensors["free"])
        assert np.array_equal(file.get_tensor("repcore/theta/batch"), model().coefficients["batch"])
        assert file.get_slice("brain").get_dtype() == "BF16"


# -- without repcore ---------------------------------------------------------------------------------------------------

WITHOUT = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("repcore", "repcore_torch", "repcore_jax", "torch", "jax", "scipy", "safetensors"):
            raise ImportError(f"{name} is not here")
sys.meta_path.insert(0, Blocker())
exec(compile(open(sys.argv[1]).read(), "reader", "exec"))
weights = read_model(sys.argv[2])
np.savez(sys.argv[3], **weights)
try:
    import repcore
except ImportError:
    print("alone", *sorted(m for m in sys.modules if m.startswith("repcore")))
"""
CELL = re.compile(r"```(?:\{code-cell\} )?python3?\n(.*?)```", re.DOTALL)


def readers(root: Path) -> list[str]:
    """The reader as the pages of the documentation have it."""
    found: list[str] = []
    for page in ("reference/file-format.md", "how-to/read-a-basis-file-without-repcore.md"):
        cells = [c for c in CELL.findall((root / "docs" / page).read_text(encoding="utf-8")) if "def read_model" in c]
        assert len(cells) == 1, page
        found.append(cells[0].split("\nweights = ")[0].rstrip())
    return found


def test_the_pages_have_one_reader(pytestconfig: pytest.Config) -> None:
    one, other = readers(pytestconfig.rootpath)
    assert one == other


def test_numpy_alone_reads_it(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """The code of the documentation, in a process that has no repcore, against the weights of the model."""
    made = model()
    rc.dump(made, tmp_path / "m.safetensors")
    (tmp_path / "reader.py").write_text(readers(pytestconfig.rootpath)[0])
    arguments = [str(tmp_path / name) for name in ("reader.py", "m.safetensors", "out.npz")]
    command = [sys.executable, "-I", "-c", WITHOUT, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["alone"]), done.stderr
    with np.load(tmp_path / "out.npz") as found:
        assert set(found) == set(made)
        for name, expected in made.tensors.items():
            assert same(found[name], expected), name
        for name, w in made.weights.items():
            got = found[name]
            assert got.dtype == made[name].dtype
            if w.theta.dtype == np.float64 and isinstance(w.plan.blocks[0].structure, rc.Orbit):
                assert same(got, made[name]), name
                continue
            # The model multiplies in its own precision by bases rounded to it: sums of at most N products with columns whose
            # norm is that of the bases (1 where they are orthonormal), then one rounding.
            terms = sum(w.plan.shape) + w.plan.dim
            columns = [x for b in w.plan.blocks for x in _factors(b.structure)]
            size = np.prod([max(np.linalg.norm(x, 2), 1) for x in columns]) * np.linalg.norm(w.theta)
            assert np.abs(got.astype(complex) - made[name]).max(initial=0) <= terms * np.finfo(w.theta.dtype).eps * size, name


def _factors(structure: Any) -> list[np.ndarray]:
    return [structure.rows, structure.cols] if isinstance(structure, rc.Schur) else []


# -- damaged, foreign, newer -------------------------------------------------------------------------------------------


def test_every_truncation_is_found() -> None:
    data = small()
    for end in [*range(64), *range(64, len(data), 97), len(data) - 1]:
        with pytest.raises(rc.StoreError):
            model_from_bytes(data[:end])
    with pytest.raises(rc.StoreError, match="checksum does not match"):
        model_from_bytes(data + b"x")


def test_every_flipped_bit_is_found() -> None:
    data = small()
    for i in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[i] ^= 1 << (i % 8)
        with pytest.raises(rc.StoreError):
            model_from_bytes(bytes(damaged))


def test_a_newer_format_says_so(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(small().replace(b"repcore-model-1", b"repcore-model-2"))
    for read in (rc.load, read_model):
        with pytest.raises(rc.StoreError, match="written by a newer repcore, in format repcore-model-2"):
            read(path)


@pytest.mark.parametrize("value", ["repcore-model-0", "repcore-model-x", "repcore-basis-1", "other", "", None, 3])
def test_another_format_is_refused(value: object) -> None:
    document, header, buffer = split(small())
    with pytest.raises(rc.StoreError, match="format"):
        model_from_bytes(join(document | {"format": value}, header, buffer))


def test_a_missing_file_a_directory_and_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "directory.safetensors").mkdir()
    for name in ("none", "directory", "pipe"):
        with pytest.raises(rc.StoreError):
            rc.load(tmp_path / f"{name}.safetensors")


def cut(document: dict[str, Any], header: dict[str, Any], buffer: bytes, name: str) -> bytes:
    """The file without a tensor, the rest moved together."""
    start, stop = header.pop(name)["data_offsets"]
    for entry in header.values():
        entry["data_offsets"] = [x - (stop - start) * (x >= stop) for x in entry["data_offsets"]]
    return join(document, header, buffer[:start] + buffer[stop:])


def test_every_missing_tensor_is_found() -> None:
    _, header, _ = split(small())
    for name in header:
        document, header, buffer = split(small())
        with pytest.raises(rc.StoreError, match=r"missing|does not fit"):
            model_from_bytes(cut(document, header, buffer, name))
    document, header, buffer = split(small())
    del document["tensors"]["steps"]
    assert "steps" not in model_from_bytes(cut(document, header, buffer, "steps"))
    document, header, buffer = split(small())
    del document["tensors"]["steps"]
    with pytest.raises(rc.StoreError, match="'steps' belongs to no weight"):
        model_from_bytes(join(document, header, buffer))


def edit_tensor(name: str, **fields: object) -> bytes:
    document, header, buffer = split(small())
    header[name] |= fields
    return join(document, header, buffer)


def edit(*keys: Any, to: object) -> bytes:
    document, header, buffer = split(small())
    table: Any = document
    for key in keys[:-1]:
        table = table[key]
    table[keys[-1]] = to
    return join(document, header, buffer)


def edit_numbers(name: str, value: float) -> bytes:
    document, header, buffer = split(small())
    start, stop = header[name]["data_offsets"]
    kind = "<i8" if header[name]["dtype"] == "I64" else "<f8"
    changed = np.frombuffer(buffer[start:stop], kind).copy()
    changed[:2] = value
    return join(document, header, buffer[:start] + changed.tobytes() + buffer[stop:])


BIG = 2**42
ROWS, ORDER, IDS, VALUES = (f"repcore/plan/0/0/{name}" for name in ("rows", "order", "ids", "values"))
VIEW = ("weights", "fc.weight", "view")
HOSTILE = {
    "terabytes in a shape": lambda: edit_tensor(ROWS, shape=[BIG, 2]),
    "terabytes in offsets": lambda: edit_tensor(ROWS, shape=[BIG, 2], data_offsets=[0, BIG * 16]),
    "a shape that overflows": lambda: edit_tensor(ROWS, shape=[2**61, 8]),
    "a negative shape": lambda: edit_tensor(ROWS, shape=[-1, -8]),
    "forty axes": lambda: edit_tensor(ROWS, shape=[1] * 40),
    "overlap": lambda: edit_tensor(ROWS, data_offsets=[0, 16]),
    "another dtype": lambda: edit_tensor(ROWS, dtype="F64"),
    "a dtype of no such file": lambda: edit_tensor(ROWS, dtype="F8_E4M3"),
    "a dtype that is a list": lambda: edit_tensor(ROWS, dtype=[]),
    "integers for coefficients": lambda: edit_tensor("repcore/theta/conv.weight", dtype="I64"),
    "half of the axes": lambda: edit_tensor(ORDER, shape=[8]),
    "positions out of range": lambda: edit_numbers(ROWS, BIG),
    "negative positions": lambda: edit_numbers(ROWS, -1),
    "positions that come twice": lambda: edit_numbers(ROWS, 0),
    "coefficients out of range": lambda: edit_numbers(ORDER, BIG),
    "coefficients that come twice": lambda: edit_numbers(ORDER, 0),
    "elements out of range": lambda: edit_numbers(IDS, BIG),
    "elements below -1": lambda: edit_numbers(IDS, -2),
    "values that are no numbers": lambda: edit_numbers(VALUES, np.nan),
    "infinite values": lambda: edit_numbers(VALUES, np.inf),
    "an unknown structure": lambda: edit("plans", 0, "blocks", 0, "structure", to="__import__"),
    "a structure that is none": lambda: edit("plans", 0, "blocks", 0, "structure", to=["orbit"]),
    "another structure": lambda: edit("plans", 0, "blocks", 0, "structure", to="factor"),
    "no parts": lambda: edit("plans", 0, "blocks", 0, "structure", to="schur"),
    "many blocks": lambda: edit("plans", 0, "blocks", to=[{"structure": "orbit"}] * 100_000),
    "no blocks": lambda: edit("plans", 0, "blocks", to=[]),
    "no plans": lambda: edit("plans", to=[]),
    "a plan that is none": lambda: edit("weights", "fc.weight", "plan", to=99),
    "a negative plan": lambda: edit("weights", "fc.weight", "plan", to=-1),
    "a space that is none": lambda: edit("weights", "fc.weight", "space", to=99),
    "a declaration that is none": lambda: edit("spaces", 0, "declaration", to=99),
    "a huge dimension": lambda: edit("plans", 0, "dim", to=BIG),
    "a huge shape of maps": lambda: edit("plans", 0, "shape", to=[2**61, 2**61]),
    "another shape of maps": lambda: edit("plans", 0, "shape", to=[8, 9]),
    "complex numbers that are text": lambda: edit("plans", 0, "complex", to="yes"),
    "complex numbers that are real": lambda: edit("plans", 0, "complex", to=True),
    "a tensor of pairs that is none": lambda: edit("tensors", "steps", "dtype", to="complex64"),
    "pairs that are said to be real": lambda: edit("tensors", "z", "dtype", to="float32"),
    "a tensor of another shape": lambda: edit("tensors", "fc.bias", "shape", to=[3, 1]),
    "a tensor that is not there": lambda: edit("tensors", "other", to={"dtype": "float32", "shape": [1]}),
    "a tensor of ours": lambda: edit("tensors", ROWS, to={"dtype": "int64", "shape": [1, 4]}),
    "a weight without a name": lambda: edit("weights", "", to={}),
    "another dtype of a weight": lambda: edit("weights", "fc.weight", "dtype", to="float64"),
    "a weight of complex numbers": lambda: edit("weights", "fc.weight", "dtype", to="complex64"),
    "a view of other sizes": lambda: edit(*VIEW, "shape", to=[8, 5]),
    "a view of terabytes": lambda: edit(*VIEW, "shape", to=[BIG, BIG]),
    "a view with an axis twice": lambda: edit(*VIEW, "order", to=[0, 0]),
    "a view with an axis too many": lambda: edit(*VIEW, "order", to=[0, 1, 2]),
    "a view of a thousand axes": lambda: edit(*VIEW, "split", to=[1] * 1000),
    "a view with other rows": lambda: edit(*VIEW, "rows", to=4),
    "a batch of other sizes": lambda: edit(*VIEW, "batch", to=[2]),
    "a separator of no length": lambda: edit("separator", to=""),
    "layers of numbers": lambda: edit("layers", to={"a": 1}),
    "weights that are a list": lambda: edit("weights", to=[]),
    "declarations that are text": lambda: edit("declarations", to=["import os"]),
    "a header of 2**63 bytes": lambda: struct.pack("<Q", 2**63) + small()[8:],
    "brackets": lambda: struct.pack("<Q", 200_000) + b"[" * 200_000,
    "not JSON": lambda: struct.pack("<Q", 4) + b"\xff\xfe\x00{",
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused(case: str) -> None:
    with pytest.raises(rc.StoreError):
        model_from_bytes(HOSTILE[case]())


def test_the_check_of_hostile_files_can_fail() -> None:
    assert model_from_bytes(join(*split(small())))["fc.weight"].shape == (8, 4)


def test_a_declaration_of_another_space_is_refused() -> None:
    for data in (
        edit("declarations", 0, "group", to={"builtin": "cyclic(4)"}),
        edit("declarations", 0, "group", to={"builtin": "__import__('os')"}),
        edit("declarations", 0, "maps", to={}),
        edit("spaces", 0, "digest", to="0" * 64),
    ):
        found = model_from_bytes(data)
        assert found["fc.weight"].shape == (8, 4)  # weights do not need it
        with pytest.raises(rc.StoreError, match="declaration of the symmetry"):
            _ = found.specs


def test_a_weight_that_does_not_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few numbers in a file can mean a weight of any size."""
    found = model_from_bytes(small())
    monkeypatch.setattr(models, "physical_memory", lambda: 2 * 8 * 8 * 2 * 9)
    assert found["fc.weight"].shape == (8, 4)
    with pytest.raises(rc.MemoryLimitError, match="this model takes"):
        found.dense()
    monkeypatch.setattr(models, "physical_memory", lambda: 200)
    with pytest.raises(rc.MemoryLimitError, match=r"'conv\.weight' takes"):
        _ = found["conv.weight"]


# -- faults ------------------------------------------------------------------------------------------------------------


def test_a_write_that_stops_after_any_number_of_bytes(tmp_path: Path) -> None:
    """A limit of the kernel every 500 bytes: the file is what it was before, and nothing else is there."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"what was there before")
    made, size = model_from_bytes(small()), len(small())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (*range(0, size, 500), size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(rc.StoreError, match="File too large"):
                rc.dump(made, path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [p.name for p in tmp_path.iterdir() if p.suffix or p.name.startswith(TEMPORARY)] == ["m.safetensors"]
        assert path.read_bytes() == b"what was there before"
    rc.dump(made, path)
    assert path.read_bytes() == small()


KILLED = """
import os, random, signal, sys, time
import repcore as rc
made, path, rng = rc.load(sys.argv[1]), sys.argv[2], random.Random(3)
for _ in range(40):
    child = os.fork()
    if child == 0:
        while True:
            rc.dump(made, path)
    time.sleep(0.005 + rng.random() * 0.03)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if os.path.exists(path):
        assert open(path, "rb").read() == open(sys.argv[1], "rb").read()
rc.dump(made, path)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
def test_a_killed_writer_leaves_the_whole_file_or_none(tmp_path: Path) -> None:
    (tmp_path / "good.safetensors").write_bytes(small())
    command = [sys.executable, "-c", KILLED, str(tmp_path / "good.safetensors"), str(tmp_path / "m.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "m.safetensors").read_bytes() == small()
