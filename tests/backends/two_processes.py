"""What test_torch_distributed.py asks of two processes that talk through gloo: ``python two_processes.py RANK FOLDER [CASE...]``.

Each case is a function that runs on both ranks and asserts; what became of it is written to FOLDER/RANK.json.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint import FileSystemReader, FileSystemWriter, load, save
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.debug import CommDebugMode
from torch.nn.parallel import DistributedDataParallel

import repcore as rc
import repcore_torch as rct

G = rc.dihedral(4)
V, R, one = G.rep, rc.regular(G), rc.trivial(G)
EPS = torch.finfo(torch.float64).eps
CASES: dict[str, Callable[..., None]] = {}


def case(run: Callable[..., None]) -> Callable[..., None]:
    CASES[run.__name__] = run
    return run


def constrained(group: Any = G, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    R, one = rc.regular(group), rc.trivial(group)
    model = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 8)).double()
    rct.constrain(model[0], "weight", 2 * R >> 3 * R)
    rct.constrain(model[0], "bias", one >> 3 * R)
    rct.constrain(model[2], "weight", 3 * R >> R)
    return model


def native() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(rct.Linear(2 * R, 3 * R, dtype=torch.float64), nn.ReLU(), rct.Linear(3 * R, R, dtype=torch.float64))


MODELS = {"constrained": constrained, "native": native}


def batch(size: int = 8) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(size, 16, dtype=torch.float64)


def loss_of(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return model(x).square().mean()


def sharded(model: nn.Module, mesh: Any, **more: Any) -> nn.Module:
    for layer in (model[0], model[2]):
        fully_shard(layer, mesh=mesh, **more)
    return fully_shard(model, mesh=mesh, **more)


def full(tensor: Any) -> torch.Tensor:
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach()


def check_gradients(model: nn.Module, reference: nn.Module, rank: int) -> None:
    """Gradients of halves of a batch, averaged, against those of the batch in one process."""
    x = batch()
    loss_of(model, x[rank * 4 : (rank + 1) * 4]).backward()
    loss_of(reference, x).backward()
    # A sum of 8 terms, each of which is made of products with 16, 24, 24 and 8 terms, in another order: at most twice that many
    # roundings, relative to the lengths of what is summed.
    lengths = [torch.zeros((), dtype=torch.float64) for _ in reference.parameters()]
    for sample in x:
        terms = torch.autograd.grad(loss_of(reference, sample[None]), list(reference.parameters()))
        lengths = [length + term.norm() / len(x) for length, term in zip(lengths, terms, strict=True)]
    pairs = zip(model.parameters(), reference.parameters(), lengths, strict=True)
    for p, q, length in pairs:
        assert q.grad is not None
        assert q.grad.norm() > 0
        assert (full(p.grad) - q.grad).norm() <= 2 * (8 + 16 + 24 + 24 + 8) * EPS * length


@case
def ddp_of_a_constrained_model(mesh: Any, rank: int, folder: Path) -> None:
    check_gradients(DistributedDataParallel(constrained(seed=rank)), constrained(seed=0), rank)  # rank 0 gives its parameters


@case
def ddp_of_a_native_model(mesh: Any, rank: int, folder: Path) -> None:
    check_gradients(DistributedDataParallel(native()), native(), rank)


@case
def ddp_of_a_model_whose_gamma_moves(mesh: Any, rank: int, folder: Path) -> None:
    def built() -> tuple[nn.Module, rct.ACE]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 8)).double()
        return model, rct.ACE(
            model, {"0": 2 * R >> 3 * R, "2": 3 * R >> R}, controller=rc.Proximal(0.0, rc.Stepper(0.01)), every=2
        )

    (inner, ace), (whole, reference) = built(), built()
    spread = DistributedDataParallel(inner)
    mine = batch()[4 * rank : 4 * rank + 4]
    start, held_out = torch.cat(list(ace.gamma.values())), [False, False, True, True]
    gammas = []
    for hold in held_out:
        loss_of(spread, mine).backward()
        ace.step((lambda: loss_of(inner, mine)) if hold else None)
        # The reference averages two gradients that are equal, which does not round.
        loss_of(whole, batch()).backward()
        reference.step((lambda: loss_of(whole, batch())) if hold else None)
        gammas.append(torch.cat(list(ace.gamma.values())))
    expected = torch.cat(list(reference.gamma.values()))
    assert (gammas[-1] - expected).abs().max() <= 1e3 * EPS * expected.abs().max()
    assert not torch.equal(gammas[1], start)
    assert not torch.equal(gammas[3], gammas[1])
    seen: list[Any] = [None, None]
    dist.all_gather_object(seen, gammas[-1].tolist())
    assert seen[0] == seen[1]
    # What each rank would have done by itself is something else.
    alone = [None, None]
    dist.all_gather_object(alone, ace._gradient(lambda: loss_of(inner, mine)).tolist())
    assert alone[0] != alone[1]


@case
def fsdp_gradients_of_a_constrained_model(mesh: Any, rank: int, folder: Path) -> None:
    check_gradients(sharded(constrained(), mesh), constrained(), rank)


@case
def fsdp_gradients_of_a_native_model(mesh: Any, rank: int, folder: Path) -> None:
    check_gradients(sharded(native(), mesh), native(), rank)


def fsdp_steps(build: Callable[..., nn.Module], mesh: Any) -> None:
    """Both ranks have one batch: the mean of two equal gradients is that gradient, so everything agrees bit by bit."""
    model, reference = sharded(build(), mesh), build()
    assert all(isinstance(p, DTensor) for p in model.parameters())
    optimisers = [torch.optim.AdamW(m.parameters(), lr=0.1) for m in (model, reference)]
    for _ in range(2):
        losses = [loss_of(m, batch()) for m in (model, reference)]
        assert torch.equal(*losses)
        for loss, optimiser in zip(losses, optimisers, strict=True):
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
    for p, q in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.equal(full(p), q)
    # A weight can be read outside of a forward pass as well; it is gathered then.
    weights = [m[0].weight for m in (model, reference)]
    assert torch.equal(full(weights[0]), weights[1])


@case
def fsdp_steps_of_a_constrained_model(mesh: Any, rank: int, folder: Path) -> None:
    fsdp_steps(constrained, mesh)


@case
def fsdp_steps_of_a_native_model(mesh: Any, rank: int, folder: Path) -> None:
    fsdp_steps(native, mesh)


@case
def fsdp_in_mixed_precision(mesh: Any, rank: int, folder: Path) -> None:
    model = sharded(constrained().float(), mesh, mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16))
    plain = constrained().to(torch.bfloat16)
    x = batch().bfloat16()
    y = model(x)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, plain(x))


@case
def fsdp_from_meta(mesh: Any, rank: int, folder: Path) -> None:
    with torch.device("meta"):
        model = sharded(constrained(), mesh)
    model.to_empty(device="cpu")
    set_model_state_dict(model, constrained().state_dict(), options=StateDictOptions(full_state_dict=True))
    assert torch.equal(model(batch()), constrained()(batch()))


@case
def sharding_comes_after_constraining(mesh: Any, rank: int, folder: Path) -> None:
    layer = fully_shard(nn.Linear(8, 8), mesh=mesh)
    before = full(layer.weight).clone()
    with pytest.raises(rc.IncompatibleError, match="sharded already"):
        rct.constrain(layer, "weight", R >> R)
    assert isinstance(layer.weight, DTensor)
    assert torch.equal(full(layer.weight), before)
    # What moves no parameter works all the same.
    rct.project_(layer, "weight", R >> R)
    assert layer.weight.placements == (Shard(0),)
    assert torch.equal(full(layer.weight), rct.project(before, R >> R))


@case
def a_distributed_checkpoint(mesh: Any, rank: int, folder: Path) -> None:
    model = sharded(constrained(), mesh)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1)
    loss_of(model, batch()).backward()
    optimiser.step()
    weights, moments = get_state_dict(model, optimiser)
    save({"model": weights, "optimiser": moments}, storage_writer=FileSystemWriter(folder / "dcp"), no_dist=False)
    other = sharded(constrained(seed=5), mesh)
    second = torch.optim.AdamW(other.parameters(), lr=0.1)
    weights, moments = get_state_dict(other, second)
    load({"model": weights, "optimiser": moments}, storage_reader=FileSystemReader(folder / "dcp"))
    set_state_dict(other, second, model_state_dict=weights, optim_state_dict=moments)
    assert torch.equal(model(batch()), other(batch()))


@case
def a_full_checkpoint_of_another_space_is_refused_before_anything_changes(mesh: Any, rank: int, folder: Path) -> None:
    model = rct.guard(sharded(constrained(), mesh))
    other = constrained(rc.cyclic(8))
    before = [full(p).clone() for p in model.parameters()]
    # The same names, and the same shapes but for the coefficients; the digests differ.
    with pytest.raises(rc.IncompatibleError, match="was saved with the space of digest"):
        set_model_state_dict(model, other.state_dict(), options=StateDictOptions(full_state_dict=True))
    assert all(torch.equal(full(p), q) for p, q in zip(model.parameters(), before, strict=True))
    state = get_model_state_dict(model)
    assert sum(name.endswith("_extra_state") for name in state) == 3


# ------------------------------------------------------------------------------------------------------------------- DTensor

# Copies of summands of several sizes: blocks that lie apart, and shards that hold some of each.
SPACES = {
    "one block": (4 * R >> 6 * R, torch.float64),
    "schur": (rc.plan(4 * R >> 6 * R, structure="schur"), torch.float64),
    "factor": (4 * rc.SO(3).rep ** 2 >> 2 * rc.SO(3).rep ** 2, torch.float64),
    "several blocks": (2 * (R + one + V) >> 4 * (V + one), torch.float64),
    "float32": (4 * R >> 6 * R, torch.float32),
    "bfloat16": (4 * R >> 6 * R, torch.bfloat16),
}


def weight_of(projector: rct.Projector, dtype: torch.dtype, *leading: int) -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn(*leading, *projector.shape, dtype=torch.float64).to(dtype)


def agree(left: torch.Tensor, right: torch.Tensor, like: torch.Tensor) -> bool:
    """Equal to rounding: half a copy is projected by the same products as the whole, perhaps in another order."""
    wide = torch.finfo(torch.promote_types(like.dtype, torch.float32)).eps
    last = torch.finfo(like.dtype).eps
    return bool((left - right).double().norm() <= (8 * like.numel() * wide + last * (last > wide)) * like.double().norm())


@case
def shards_of_whole_copies_are_projected_where_they_are(mesh: Any, rank: int, folder: Path) -> None:
    for name, (space, dtype) in SPACES.items():
        projector = rct.Projector(space)
        W = weight_of(projector, dtype, 2)
        expected = projector(W)
        for placement in (Shard(0), Shard(1), Shard(-1), Replicate()):
            D = distribute_tensor(W, mesh, [placement])
            with CommDebugMode() as comms:
                found = projector(D)
                local = found.to_local()
            assert comms.get_total_counts() == 0, (name, placement)
            assert found.placements == D.placements
            assert local.shape == D.to_local().shape
            assert found.dtype == dtype
            assert agree(found.full_tensor(), expected, W), (name, placement)


@case
def a_sum_that_is_outstanding_stays_so(mesh: Any, rank: int, folder: Path) -> None:
    projector = rct.Projector(4 * R >> 6 * R)
    W = weight_of(projector, torch.float64)
    D = DTensor.from_local(W * (rank + 1), mesh, [Partial()])
    with CommDebugMode() as comms:
        found = projector(D)
    assert comms.get_total_counts() == 0
    assert found.placements == (Partial(),)
    assert agree(found.full_tensor(), projector(3 * W), 3 * W)


@case
def a_maximum_is_not_linear(mesh: Any, rank: int, folder: Path) -> None:
    projector = rct.Projector(4 * R >> 6 * R)
    W = weight_of(projector, torch.float64)
    D = DTensor.from_local(W * (2 * rank - 1), mesh, [Partial("max")])
    assert agree(projector(D).full_tensor(), projector(W.abs()), W)


@case
def shards_that_cut_a_copy_are_gathered(mesh: Any, rank: int, folder: Path) -> None:
    for space, placement in ((R >> 3 * R, Shard(0)), (3 * R >> R, Shard(1)), (R + 3 * one >> R, Shard(1))):
        projector = rct.Projector(space)
        W = weight_of(projector, torch.float64)
        D = distribute_tensor(W, mesh, [placement])
        with CommDebugMode() as comms:
            found = projector(D)
        assert comms.get_total_counts() == 1
        assert found.placements == D.placements
        assert torch.equal(found.full_tensor(), projector(W))


@case
def shards_may_differ_in_size(mesh: Any, rank: int, folder: Path) -> None:
    # 3 copies of a line and one of a plane: rank 0 has the lines, rank 1 the plane. And a second rank with nothing.
    for space, rows in ((2 * R >> 3 * one + V, (3, 2)), (2 * R >> one, (1, 0))):
        projector = rct.Projector(space)
        W = weight_of(projector, torch.float64)
        D = distribute_tensor(W, mesh, [Shard(0)])
        assert D.to_local().shape[0] == rows[rank]
        with CommDebugMode() as comms:
            found = projector(D)
        assert comms.get_total_counts() == 0
        assert agree(found.full_tensor(), projector(W), W)


@case
def coefficients_and_expand(mesh: Any, rank: int, folder: Path) -> None:
    for name, (space, dtype) in SPACES.items():
        projector = rct.Projector(space)
        W = weight_of(projector, dtype)
        theta = projector.coefficients(W)
        for placement in (Shard(0), Shard(1), Replicate()):
            D = distribute_tensor(W, mesh, [placement])
            with CommDebugMode() as comms:
                found = projector.coefficients(D)
            assert comms.get_total_counts() == 0, name
            assert agree(found.full_tensor(), theta, W), (name, placement)
        for placement in (Shard(0), Replicate()):
            found = projector.expand(distribute_tensor(theta, mesh, [placement]))
            assert found.placements == (Replicate(),)
            assert torch.equal(found.to_local(), projector.expand(theta))


@case
def gradients_of_any_order(mesh: Any, rank: int, folder: Path) -> None:
    for space, _ in (SPACES["one block"], SPACES["several blocks"], SPACES["factor"]):
        projector = rct.Projector(space)
        W = weight_of(projector, torch.float64)
        for placement in (Shard(0), Shard(1), Replicate()):
            for run in (projector, projector.coefficients):
                gradients = []
                for x in (W.clone().requires_grad_(), distribute_tensor(W, mesh, [placement]).requires_grad_()):
                    (first,) = torch.autograd.grad(run(x).pow(3).sum(), x, create_graph=True)
                    (second,) = torch.autograd.grad(first.square().sum(), x)
                    gradients.append((first, second))
                for plain, split in zip(*gradients, strict=True):
                    assert split.placements == (placement,)
                    assert (split.full_tensor() - plain).norm() <= 64 * W.numel() * EPS * plain.norm()


@case
def penalties_of_shards(mesh: Any, rank: int, folder: Path) -> None:
    projector = rct.Projector(4 * R >> 6 * R)
    W = weight_of(projector, torch.float64)
    for norm in ("fro", "fro2"):
        x, D = W.clone().requires_grad_(), distribute_tensor(W, mesh, [Shard(0)]).requires_grad_()
        plain, split = (rct.penalty(tensor, projector, norm) for tensor in (x, D))
        assert abs(split.full_tensor() - plain) <= 8 * W.numel() * EPS * plain
        plain.backward()
        split.backward()
        assert D.grad.placements == (Shard(0),)
        assert (D.grad.full_tensor() - x.grad).norm() <= 8 * W.numel() * EPS * x.grad.norm()


@case
def a_compiled_projection_of_shards(mesh: Any, rank: int, folder: Path) -> None:
    projector = rct.Projector(4 * R >> 6 * R)
    W = weight_of(projector, torch.float64)
    D = distribute_tensor(W, mesh, [Shard(0)]).requires_grad_()
    projector(D)  # once before: the table of the shard is made then
    loss = torch.compile(lambda D: projector(D).pow(2).sum(), fullgraph=True, backend="aot_eager")(D)
    loss.backward()
    expected = projector(W)
    assert abs(loss.full_tensor() - expected.square().sum()) <= 8 * W.numel() * EPS * expected.square().sum()
    assert D.grad.placements == (Shard(0),)
    assert agree(D.grad.full_tensor(), 2 * expected, 2 * W)


@case
def two_mesh_dims(mesh: Any, rank: int, folder: Path) -> None:
    square = init_device_mesh("cpu", (2, 1))
    projector = rct.Projector(4 * R >> 6 * R)
    W = weight_of(projector, torch.float64)
    for placements, count in (((Shard(0), Shard(1)), 0), ((Replicate(), Shard(0)), 0), ((Shard(0), Shard(0)), None)):
        D = distribute_tensor(W, square, placements)
        with CommDebugMode() as comms:
            found = projector(D)
        assert count is None or comms.get_total_counts() == count
        assert found.placements == placements
        assert agree(found.full_tensor(), projector(W), W)


def main(rank: int, folder: Path, names: list[str]) -> None:
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    mesh = init_device_mesh("cpu", (2,))
    found: dict[str, str] = {}
    for name in names or CASES:
        try:
            CASES[name](mesh, rank, folder)
            found[name] = ""
        except Exception:
            found[name] = traceback.format_exc()
        try:
            # A rank that failed has left the other waiting, or is ahead of it: begin the next case together, or not at all.
            verdicts: list[Any] = [None, None]
            dist.all_gather_object(verdicts, found[name] == "")
        except Exception:
            break
        if verdicts[0] != verdicts[1]:
            break
    (folder / f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
