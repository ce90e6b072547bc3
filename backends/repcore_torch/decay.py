"""`EquivarianceDecay`: what is not equivariant decays in the step of the optimiser, beside the gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.lots import lengths
from repcore_torch.penalties import Penalty

__all__ = ["EquivarianceDecay"]

_MODES = ("decay", "proximal", "project")


class EquivarianceDecay:
    """After each step of an optimiser, shrink W - P W in the weights that rules mean.

    With eta the learning rate of the parameter, lambda the weight and R = W - P W of each map:

    ==============  ==================================================  ==================================================
    mode            W becomes                                           what it does
    ==============  ==================================================  ==================================================
    ``"decay"``     W - min(eta lambda, 1) R                            the ridge, as AdamW has it for the whole weight: the
                                                                        adaptive scale of Adam does not enter
    ``"proximal"``  P W + max(0, 1 - eta lambda / ||R||_F) R            the group lasso, solved exactly for this step: R
                                                                        becomes zero as a whole and stays there
    ``"project"``   P W                                                 strict; with ``every``, from time to time
    ==============  ==================================================  ==================================================

    A hook of the optimiser does it, so nothing changes in the training loop: schedulers change eta, and where ``GradScaler``
    leaves out a step nothing decays either. There is no term in the loss and nothing to differentiate. (Loshchilov and Hutter,
    2019, for decoupled decay; Parikh and Boyd, Proximal Algorithms, 6.5.1, for the threshold.)

    Args:
        optimizer: holds the weights that are to decay; those that are frozen are left alone.
        model: the model; or a :class:`Penalty`, of which the rules and weights are then taken.
        rules: as for :func:`symmetrize`; with a model only.
        symmetry: likewise.
        weight: lambda: a number, a function of the step, or a mapping, as for :class:`Penalty`; with a model only.
        mode: see above.
        every: act after each so many steps only; decay and threshold are then multiplied by it.
        biases: whether biases decay; with a model only.

    With a Penalty of several groups, ``"decay"`` subtracts the weighted sum of all R, and ``"proximal"`` acts group by group.

    Raises:
        IncompatibleError: as :class:`Penalty`; rules that are given twice, or not at all; an unknown mode; a weight that is not
            frozen and that the optimiser does not hold; ``"project"`` for several groups.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> layer = torch.nn.Linear(2, 2, bias=False)
    >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    >>> decay = EquivarianceDecay(optimizer, layer, {"weight": V >> V}, weight=1.0)
    >>> with torch.no_grad():
    ...     _ = layer.weight.copy_(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    >>> layer.weight.grad = torch.zeros(2, 2)
    >>> optimizer.step()
    >>> layer.weight.detach().tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        model: nn.Module | Penalty,
        rules: Any = None,
        *,
        symmetry: rc.Spec | rc.Group | None = None,
        weight: Any = 1.0,
        mode: Literal["decay", "proximal", "project"] = "decay",
        every: int = 1,
        biases: bool = True,
    ) -> None:
        if mode not in _MODES:
            raise IncompatibleError(f"mode is {mode!r}; choose one of {', '.join(map(repr, _MODES))}")
        if not isinstance(optimizer, Optimizer):
            raise IncompatibleError(f"optimizer: expected an optimiser of torch, got {type(optimizer).__name__}")
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise IncompatibleError(f"every: is {every!r}; give a whole number, at least 1")
        if isinstance(model, Penalty):
            if rules is not None:
                raise IncompatibleError("rules: a Penalty has rules already; give a model and rules, or a Penalty alone")
            self._penalty = model
        else:
            if rules is None:
                raise IncompatibleError("rules: say what the weights map, as for Penalty")
            self._penalty = Penalty(model, rules, symmetry=symmetry, weight=weight, biases=biases)
        if mode == "project" and len(self._penalty.terms) > 1:
            raise IncompatibleError("mode: 'project' takes one group; take the group that they generate together")
        self.optimizer, self.mode, self.every = optimizer, mode, every
        self._step = 0
        self._check()
        self._hook: Any = optimizer.register_step_post_hook(self._after)

    @property
    def step_count(self) -> int:
        """The number of steps so far."""
        return self._step

    def remove(self) -> None:
        """Take the hook off the optimiser."""
        self._hook.remove()

    def state_dict(self) -> dict[str, Any]:
        """The number of steps, to be saved beside the state of the optimiser."""
        return {"step": self._step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there.

        Raises:
            IncompatibleError: no such state.
        """
        step = state.get("step") if isinstance(state, Mapping) else None
        if isinstance(step, bool) or not isinstance(step, int) or step < 0:
            raise IncompatibleError("state: is no state of an EquivarianceDecay; give what its state_dict() returned")
        self._step = step

    def _groups(self) -> dict[int, dict[str, Any]]:
        """The group of each parameter, by identity."""
        return {id(p): group for group in self.optimizer.param_groups for p in group["params"]}

    def _check(self) -> None:
        groups = self._groups()
        held = [pair for number in range(len(self._penalty.terms)) for pair in self._penalty.weights(number)]
        for site, tensor in held:
            if tensor.requires_grad and id(tensor) not in groups:
                raise IncompatibleError(
                    f"optimizer: does not hold {site.path!r}, which the rules mean; give it the parameters of the model, or "
                    "freeze this one"
                )

    @torch.no_grad()
    def _after(self, *_: Any) -> None:
        step, self._step = self._step, self._step + 1
        if self._step % self.every:
            return
        groups = self._groups()
        terms = self._penalty.terms
        # Several groups decay at once, from where the weights are now; thresholds are taken one after the other.
        found = [self._moves(number, step, groups) for number in range(len(terms))] if self.mode == "decay" else None
        for number in range(len(terms)):
            for tensor, change in self._moves(number, step, groups) if found is None else found[number]:
                tensor.sub_(change)

    def _moves(self, number: int, step: int, groups: dict[int, dict[str, Any]]) -> list[tuple[Tensor, Tensor]]:
        """What is to be subtracted from each weight of a term."""
        term = self._penalty.terms[number]
        tensors = [tensor for _, tensor in self._penalty.weights(number)]
        outer, _ = term.weights(step, self.every)
        moves: list[tuple[Tensor, Tensor]] = []
        for lot in term.lots(tensors):
            mine = [tensors[i] for i in lot.numbers]
            held = [groups.get(id(t)) if t.requires_grad else None for t in mine]
            rates = [0.0 if g is None else float(g["lr"]) * outer[i] for g, i in zip(held, lot.numbers, strict=True)]
            found = lot.measure(mine)
            flat, wide = found.flat, found.wide
            if self.mode == "proximal":
                length = lengths(found.pieces)
                share = torch.tensor([rates[i] for i in lot.owner], dtype=length.dtype, device=lot.device) / length
                flat, wide = lot.scaled(flat, wide, torch.where(length > 0, share, 1).clamp(max=1))
            elif self.mode == "decay":
                shares = [min(rate, 1.0) for rate in rates]
                if len(set(shares)) == 1:
                    share = torch.tensor(shares[0], dtype=lot.one.dtype, device=lot.device)
                else:
                    share = torch.tensor([shares[i] for i in lot.owner], dtype=lot.one.dtype, device=lot.device)
                flat, wide = lot.scaled(flat, wide, share)
            changes = lot.written(flat, wide, [t.dtype for t in mine])
            moves += [(t, change) for t, change, g in zip(mine, changes, held, strict=True) if g is not None]
        return moves
