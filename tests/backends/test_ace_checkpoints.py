"""Checkpoints of `ACE` chosen with the branch and without: each is what was evaluated, folded, exported and saved."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import repcore as rc
import repcore_torch as rct

D4 = rc.dihedral(4)
RULES = {"0": "V >> 2*regular", "2": "2*regular >> V"}
Kept = dict[bool, tuple[float, int, dict[str, Any]]]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2)).double()


def data() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(96, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return x, x * x.square().sum(1, keepdim=True).cos() + torch.tensor([0.5, 0.0], dtype=torch.float64)


def error_of(model: nn.Module) -> float:
    x, y = data()
    with torch.no_grad():
        return (model(x[64:]) - y[64:]).square().mean().item()


@pytest.fixture(scope="module")
def trained() -> tuple[nn.Sequential, rct.ACE, Kept]:
    """A short training on data whose symmetry is broken, which keeps the best weights of either kind."""
    x, y = data()
    model = network()
    ace = rct.ACE(model, RULES, symmetry=D4, every=2)
    optimizer = torch.optim.Adam(model.parameters(), 2e-2)
    kept: Kept = {}
    for step in range(40):
        optimizer.zero_grad()
        (model(x[:64]) - y[:64]).square().mean().backward()
        optimizer.step()
        ace.step(lambda: (model(x[64:]) - y[64:]).square().mean())
        for on in (True, False):
            with ace.branch(on):
                error = error_of(model)
            if on not in kept or error < kept[on][0]:
                kept[on] = error, step, copy.deepcopy(model.state_dict())
    return model, ace, kept


def test_either_kind_has_a_checkpoint_of_its_own(trained: tuple[nn.Sequential, rct.ACE, Kept]) -> None:
    _, _, kept = trained
    # Without the branch nothing can say where the wind blows to, and 0.5^2 / 2 is left, but for chance: 32 examples decide.
    assert kept[True][0] < kept[False][0] - 0.06


@pytest.mark.parametrize("on", [True, False])
def test_a_checkpoint_gives_the_error_that_it_was_chosen_by(trained: tuple[nn.Sequential, rct.ACE, Kept], on: bool) -> None:
    model, ace, kept = trained
    error, _, state = kept[on]
    model.load_state_dict(state)
    with ace.branch(on):
        assert error_of(model) == error
    folded = ace.fold(branch=on)
    assert error_of(folded) == error
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    x, _ = data()
    defect = (folded(x @ turn.T) - folded(x) @ turn.T).abs().max().item()
    assert (defect > 0.01) if on else (defect < 1e3 * torch.finfo(x.dtype).eps)


def test_a_fresh_model_takes_a_checkpoint_from_a_file(trained: tuple[nn.Sequential, rct.ACE, Kept], tmp_path: Path) -> None:
    _, _, kept = trained
    error, _, state = kept[False]
    torch.save(state, tmp_path / "best.pt")
    other = network()
    fresh = rct.ACE(other, RULES, symmetry=D4)
    other.load_state_dict(torch.load(tmp_path / "best.pt"))
    with fresh.branch(False):
        assert error_of(other) == error
    assert error_of(other) != error


@pytest.mark.parametrize("on", [True, False])
def test_what_is_folded_is_exported(trained: tuple[nn.Sequential, rct.ACE, Kept], on: bool) -> None:
    _, ace, _ = trained
    x, _ = data()
    folded = ace.fold(branch=on)
    program = torch.export.export(folded, (x,))
    assert [name for name, _ in program.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert torch.equal(program.module()(x), folded(x))
