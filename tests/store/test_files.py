"""The basis file: what it keeps, that it is the same for everybody, and that no file can do harm."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

import repcore as rc
from repcore.basis import EquivariantBasis, assemble, compute
from repcore.exact.matrix import from_coo
from repcore.solve.certificate import Certificate
from repcore.store.encode import decode_group, decode_rep, encode_group
from repcore.store.files import basis_from_bytes, basis_to_bytes, read_basis, read_summary, write_basis


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


def a_file() -> bytes:
    V = rc.dihedral(4).rep
    return basis_to_bytes(compute(V * V >> V * V))


# -- what it keeps -----------------------------------------------------------------------------------------------------


def test_a_file_keeps_everything(space: rc.Hom, tmp_path: Path) -> None:
    basis = compute(space)
    write_basis(basis, tmp_path / "b.safetensors")
    found = read_basis(tmp_path / "b.safetensors")
    assert found == basis
    assert found.space.digest == space.digest
    assert (found.dim, found.shape, found.field, found.certificate) == (
        basis.dim,
        basis.shape,
        basis.field,
        basis.certificate,
    )
    assert list(found) == list(basis)
    assert basis_to_bytes(found) == basis_to_bytes(basis)


def test_the_space_that_is_asked_for_comes_back(space: rc.Hom) -> None:
    assert basis_from_bytes(basis_to_bytes(compute(space)), space=space).space is space


def test_safetensors_reads_it(space: rc.Hom, tmp_path: Path) -> None:
    basis = compute(space)
    path = tmp_path / "b.safetensors"
    write_basis(basis, path)
    with safetensors.safe_open(path, "numpy") as file:
        assert list(file.metadata()) == ["repcore"]
    arrays = safetensors.numpy.load_file(path)
    assert len(arrays) == 5 * len(basis.blocks)
    for i, b in enumerate(basis.blocks):
        assert np.array_equal(arrays[f"{i}.rows"], b.rows)
        assert np.array_equal(arrays[f"{i}.place"], b.basis.cols)


def test_the_summary_is_read_from_the_header(tmp_path: Path) -> None:
    space = rc.cyclic(8).rep >> rc.cyclic(8).rep
    basis = compute(space)
    data = basis_to_bytes(basis)
    (tmp_path / "b.safetensors").write_bytes(data)
    found = read_summary(tmp_path / "b.safetensors")
    assert (found.space, found.dim, found.shape) == ("V >> V", 2, (2, 2))
    assert (found.field, found.status) == ("QQ<sqrt(2)>", "proved")
    assert (found.space_digest, found.basis_digest) == (space.digest, basis.digest)


def test_numbers_beyond_a_machine_word() -> None:
    space = rc.trivial(rc.Group(dim=1)) >> 2 * rc.trivial(rc.Group(dim=1))
    nums = np.array([[7**80], [3**90]], object)
    one = from_coo((1, 2), compute(space).field, np.zeros(2, int), np.arange(2), nums, 11**50)
    rows, cols = np.arange(2).reshape(1, 2), np.zeros((1, 1), int)
    basis = assemble(space, one.field, [(rows, cols, one)], Certificate("proved", ("nullity",), (101,)))
    data = basis_to_bytes(basis)
    found = basis_from_bytes(data)
    assert found == basis
    assert found[0] == basis[0]
    assert found[0][1, 0] == rc.number(3**90) / 11**50
    assert safetensors.numpy.load(data)["0.nums"].dtype == np.uint8


# -- the same for everybody --------------------------------------------------------------------------------------------

SHUFFLED = """
import hashlib, random, sys
import repcore as rc
random.seed(int(sys.argv[1]))

def shuffled(items):
    items = [*items, *random.sample(list(items), min(1, len(items)))]
    random.shuffle(items)
    return items

def group(G):
    if G.factors:
        return rc.direct_product(*map(group, G.factors))
    return rc.Group(shuffled(G.discrete), shuffled(G.lie), name=random.choice(["", "a", "b"]), dim=G.dim)

def images(G, H, maps):
    of = {g.digest: m for g, m in zip(G.discrete, maps)}
    return [of[h.digest] for h in H.discrete]

def sha(space):
    path = f"{sys.argv[2]}/{sys.argv[1]}.safetensors"
    rc.dump(rc.solve(space, store=None), path)
    print(hashlib.sha256(open(path, "rb").read()).hexdigest())

D4, B3, P = rc.dihedral(4), rc.hyperoctahedral(3), rc.symmetric(5)
D, B, S, R, C, L = map(group, (D4, B3, P, rc.SO(3), rc.cyclic(8), rc.lorentz(full=True)))
sign = rc.Rep(D, discrete=images(D4, D, [[[-1]], [[1]]]), name=random.choice(["", "u"]))
sha(D.rep + 2 * sign >> D.rep * sign)
sha(rc.regular(D) >> rc.quotient(D, group(rc.Group([D4.discrete[1], (D4.discrete[0] @ D4.discrete[0])]))))
sha(B.rep ** 2 >> B.rep ** 2)
sha(S.rep ** 2 >> S.rep.alt(2))
sha(R.rep ** 2 >> R.rep ** 2 + R.rep)
sha(C.rep ** 2 >> C.rep.dual)
sha(L.rep ** 2 >> L.rep ** 2)
G = group(rc.SO(3) @ rc.symmetric(3))
sha(rc.lift(G.factors[0].rep, G) * rc.lift(G.factors[1].rep, G) >> G.rep)
O = group(rc.octahedral())
sha(R.rep.sym(2).restrict(O) >> O.rep.sym(2))
"""


def test_the_bytes_do_not_depend_on_the_order_of_generators(tmp_path: Path) -> None:
    found: list[str] = []
    for seed in range(4):
        command = [sys.executable, "-c", SHUFFLED, str(seed), str(tmp_path)]
        env = os.environ | {"PYTHONHASHSEED": str(seed), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout)
    assert len(found[0].split()) == 9
    assert len(set(found[0].split())) == 9
    assert set(found) == {found[0]}


def test_nothing_of_the_route_is_in_the_file() -> None:
    V = rc.SO(3).rep
    basis = compute(V * V >> V)
    assert basis.steps
    without = EquivariantBasis(basis.space, basis.field, basis.blocks, basis.certificate)
    assert basis_to_bytes(basis) == basis_to_bytes(without)


# -- damaged, foreign, newer -------------------------------------------------------------------------------------------


def test_every_truncation_is_found() -> None:
    data = a_file()
    for end in [*range(64), *range(64, len(data), 97), len(data) - 1]:
        with pytest.raises(rc.StoreError):
            basis_from_bytes(data[:end])
    with pytest.raises(rc.StoreError, match="checksum does not match"):
        basis_from_bytes(data + b"x")


def test_every_flipped_bit_is_found() -> None:
    data = a_file()
    for i in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[i] ^= 1 << (i % 8)
        with pytest.raises(rc.StoreError):
            basis_from_bytes(bytes(damaged))


def test_a_newer_format_says_so(tmp_path: Path) -> None:
    path = tmp_path / "b.safetensors"
    path.write_bytes(a_file().replace(b"repcore-basis-1", b"repcore-basis-2"))
    with pytest.raises(rc.StoreError, match="written by a newer repcore"):
        read_basis(path)


@pytest.mark.parametrize("value", ["repcore-basis-0", "repcore-basis-x", "other", "", None, 3, "repcore-basis-9999999999"])
def test_another_format_is_refused(value: object) -> None:
    document, header, buffer = split(a_file())
    with pytest.raises(rc.StoreError, match="format"):
        basis_from_bytes(join(document | {"format": value}, header, buffer))


def test_a_file_of_another_program_is_refused() -> None:
    with pytest.raises(rc.StoreError, match="no basis file of repcore"):
        basis_from_bytes(safetensors.numpy.save({"weight": np.zeros(3)}))


def test_the_basis_of_another_space_is_refused() -> None:
    V = rc.dihedral(4).rep
    with pytest.raises(rc.StoreError, match="another space"):
        basis_from_bytes(a_file(), space=V >> V)


def test_a_missing_file_a_directory_and_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    for path in (tmp_path / "none", tmp_path, tmp_path / "pipe.safetensors", "/dev/zero", "a\0b"):
        with pytest.raises(rc.StoreError):
            read_basis(path)
        with pytest.raises(rc.StoreError):
            read_summary(path)


def test_a_sparse_file_of_a_terabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    with open(path, "wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(rc.StoreError, match="at most"):
        read_basis(path)


# -- hostile -----------------------------------------------------------------------------------------------------------


def edit_tensor(name: str, **fields: object) -> bytes:
    document, header, buffer = split(a_file())
    header[name] |= fields
    return join(document, header, buffer)


def edit_document(**fields: object) -> bytes:
    document, header, buffer = split(a_file())
    return join(document | fields, header, buffer)


def edit_declaration(**fields: object) -> bytes:
    document, header, buffer = split(a_file())
    return join(document | {"declaration": document["declaration"] | fields}, header, buffer)


def nested(depth: int) -> object:
    rep: dict[str, object] = {"node": "defining"}
    for _ in range(depth):
        rep = {"node": "dual", "rep": rep}
    return rep


def many_copies() -> bytes:
    """Position arrays of a megabyte that would make an order array of 80 GB."""
    n = 100_000
    one = rc.trivial(rc.Group(dim=1))
    document, header, _ = split(basis_to_bytes(compute(one >> one)))
    V = {"node": "sum", "terms": [[n, {"node": "trivial"}]]}
    rows = np.arange(n, dtype="<i8").tobytes()
    rest = [np.array([x], "<i8").tobytes() for x in (0, 0, 1)]
    start, header = 0, {}
    for name, data, shape in zip(
        ("rows", "cols", "element", "place", "nums"), [rows, rows, *rest], [[n, 1], [n, 1], [1], [1], [1, 1]], strict=True
    ):
        header[f"0.{name}"] = {"dtype": "I64", "shape": shape, "data_offsets": [start, start + len(data)]}
        start += len(data)
    space = n * one >> n * one
    document |= {"shape": [n, n], "dim": n * n, "space_digest": space.digest}
    document["declaration"] |= {"domain": V, "codomain": V}
    return join(document, header, rows + rows + b"".join(rest))


BIG = 2**42
HOSTILE = {
    "terabytes in a shape": lambda: edit_tensor("0.rows", shape=[BIG, 2]),
    "terabytes in offsets": lambda: edit_tensor("0.rows", shape=[BIG, 2], data_offsets=[0, BIG * 16]),
    "a shape that overflows": lambda: edit_tensor("0.rows", shape=[2**61, 8]),
    "a negative shape": lambda: edit_tensor("0.rows", shape=[-1, -8]),
    "an empty shape": lambda: edit_tensor("0.rows", shape=[0, 2**61]),
    "three axes": lambda: edit_tensor("0.rows", shape=[1, 2, 1]),
    "negative offsets": lambda: edit_tensor("0.rows", data_offsets=[-16, 0]),
    "overlap": lambda: edit_tensor("0.cols", data_offsets=[0, 16]),
    "another dtype": lambda: edit_tensor("0.rows", dtype="F64"),
    "offsets that are no list": lambda: edit_tensor("0.rows", data_offsets="0"),
    "huge dimension": lambda: edit_document(dim=BIG),
    "negative dimension": lambda: edit_document(dim=-1),
    "huge shape of maps": lambda: edit_document(shape=[BIG, BIG]),
    "a block of another size": lambda: edit_document(blocks=[{"den": "1", "shape": [BIG, BIG]}]),
    "no blocks": lambda: edit_document(blocks=[]),
    "a million blocks": lambda: edit_document(blocks=[{"den": "1", "shape": [1, 1]}] * 1_000_000),
    "a denominator of zero": lambda: edit_document(blocks=[{"den": "0", "shape": [8, 16]}]),
    "a huge denominator": lambda: edit_document(blocks=[{"den": "9" * 100_000, "shape": [8, 16]}]),
    "a field of huge conductor": lambda: edit_document(field={"conductor": 10**9, "fixed": [1]}),
    "no field": lambda: edit_document(field={"conductor": 8, "fixed": [1, 2]}),
    "another field": lambda: edit_document(field={"conductor": 4, "fixed": [1]}),
    "a certificate of numbers": lambda: edit_document(certificate={"status": 1, "completeness": [], "primes": []}),
    "deep nesting": lambda: edit_declaration(domain=nested(500)),
    "an unknown node": lambda: edit_declaration(domain={"node": "__import__"}),
    "a path for a node": lambda: edit_declaration(domain={"node": "../../etc/passwd"}),
    "a huge power": lambda: edit_declaration(domain={"node": "sym", "k": 10**15, "rep": {"node": "defining"}}),
    "a huge sum": lambda: edit_declaration(domain={"node": "sum", "terms": [[2**61, nested(0)]] * 9}),
    "a tower of powers": lambda: edit_declaration(
        domain={"node": "sym", "k": 999, "rep": {"node": "sym", "k": 999, "rep": {"node": "sym", "k": 999, "rep": nested(0)}}}
    ),
    "no group": lambda: edit_declaration(group={"dim": 2, "discrete": [{"shape": [2, 2], "entries": []}]}),
    "a huge matrix": lambda: edit_declaration(group={"dim": 2, "lie": [{"shape": [BIG, BIG], "entries": []}]}),
    "an entry out of range": lambda: edit_declaration(group={"dim": 2, "lie": [{"shape": [2, 2], "entries": [[5, 0, "1"]]}]}),
    "a negative entry": lambda: edit_declaration(group={"dim": 2, "lie": [{"shape": [2, 2], "entries": [[0, -1, "1"]]}]}),
    "an exponent that hangs": lambda: edit_declaration(
        group={"dim": 1, "lie": [{"shape": [1, 1], "entries": [[0, 0, [1, ["1e999999999"]]]]}]}
    ),
    "code for a number": lambda: edit_declaration(
        group={"dim": 1, "lie": [{"shape": [1, 1], "entries": [[0, 0, "__import__('os')"]]}]}
    ),
    "another group": lambda: edit_declaration(group={"dim": 2, "lie": []}),
    "a header of 2**63 bytes": lambda: struct.pack("<Q", 2**63) + a_file()[8:],
    "brackets": lambda: struct.pack("<Q", 200_000) + b"[" * 200_000,
    "many copies": many_copies,
    "not JSON": lambda: struct.pack("<Q", 4) + b"\xff\xfe\x00{",
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused(case: str) -> None:
    with pytest.raises(rc.StoreError):
        basis_from_bytes(HOSTILE[case]())


@pytest.mark.parametrize(
    ("name", "value"), [("rows", 2**40), ("rows", -1), ("place", -1), ("element", 99), ("place", 0), ("nums", 2)]
)
def test_a_hostile_index_is_refused(name: str, value: int) -> None:
    # The digest of the basis would match as well, for all that the reader knows.
    document, header, buffer = split(a_file())
    start, stop = header[f"0.{name}"]["data_offsets"]
    changed = np.frombuffer(buffer[start:stop], "<i8").copy()
    changed[:2] = value
    damaged = join(document, header, buffer[:start] + changed.tobytes() + buffer[stop:])
    with pytest.raises(rc.StoreError) as caught:
        basis_from_bytes(damaged)
    assert ("digest" in str(caught.value)) == (name == "nums")


def test_the_check_of_hostile_files_can_fail() -> None:
    assert basis_from_bytes(edit_document()).dim == 4
    assert basis_from_bytes(edit_declaration()).dim == 4


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"node": "product", "factors": [{"node": "defining"}] * 1001}, "more than 1000 factors"),
        ({"node": "restriction", "group": encode_group(rc.cyclic(3)), "rep": {"node": "defining"}}, "matrices of another size"),
        ({"node": "later"}, "written by a newer repcore"),
    ],
)
def test_trees_that_no_program_wrote_are_refused(node: dict[str, Any], words: str) -> None:
    with pytest.raises(rc.StoreError, match=words):
        decode_rep(node, rc.SO(3), "space")


def test_products_that_no_program_wrote_are_refused() -> None:
    with pytest.raises(rc.StoreError, match=r"space\.factors: a product has at least one factor"):
        decode_group({"factors": []}, "space")
    nested = encode_group(rc.cyclic(2))
    for _ in range(101):
        nested = {"factors": [nested]}
    with pytest.raises(rc.StoreError, match="nested deeper than 100"):
        decode_group(nested, "space")
