"""`Homotopy`: a module between two, f_eq + gamma f_neq."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repcore import IncompatibleError

__all__ = ["Homotopy", "added", "blended"]


class Homotopy(nn.Module):
    """f_eq(x) + gamma f_neq(x), of any two modules or functions whose outputs have one shape.

    gamma is a buffer: no optimiser moves it. :class:`ACE` finds the homotopies of a model and lets its controller decide; without
    it gamma is what it is set to. For gamma = 0 the output is that of f_eq, bitwise.

    A free f_neq fixes gamma only up to a factor that can move into f_neq: gamma says how much symmetry is left in units of f_neq.
    The weights that :class:`ACE` splits by rules are normalised instead.

    Args:
        eq: f_eq.
        neq: f_neq, called with the same arguments.
        gamma: to begin with.

    Raises:
        IncompatibleError: something that cannot be called.

    >>> import torch
    >>> layer = Homotopy(torch.nn.Identity(), torch.square, gamma=0.5)
    >>> layer(torch.tensor([2.0, 3.0]))
    tensor([4.0000, 7.5000])
    """

    gamma: Tensor

    def __init__(self, eq: Any, neq: Any, gamma: float = 1.0) -> None:
        super().__init__()
        for name, f in (("eq", eq), ("neq", neq)):
            if not callable(f):
                raise IncompatibleError(f"{name}: is {type(f).__name__}, which cannot be called; give a module or a function")
        self.eq, self.neq = eq, neq
        self.register_buffer("gamma", torch.tensor([float(gamma)]))
        # Whether the branch is evaluated, and the gamma of a forward pass of a model that ACE trains.
        self.on = True
        self.live: Tensor | None = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """f_eq + gamma f_neq of the arguments."""
        strict = self.eq(*args, **kwargs)
        gamma = self.gamma if self.live is None else self.live
        if not self.on or (not gamma.requires_grad and gamma.device.type == "cpu" and not gamma.any()):
            return strict
        return blended(strict, gamma[0], self.neq(*args, **kwargs))

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"gamma={self.gamma.item():.3g}"


def blended(strict: Tensor, gamma: Tensor, other: Tensor) -> Tensor:
    """strict + gamma other, and strict itself where gamma is 0, with the gradient of the former."""
    return added(strict, gamma * other, gamma == 0)


def added(strict: Tensor, more: Tensor, is_zero: Tensor) -> Tensor:
    """strict + more, and strict itself where ``is_zero`` says that more is 0, with the gradient of the former.

    -0 adds nothing, where 0 would turn -0 into 0; and -(x - x) is -0.
    """
    nothing = -(more.detach() - more)
    # What overflows, times 0, is no number.
    nothing = torch.where(nothing == 0, nothing, -0.0)
    return strict + torch.where(is_zero, nothing, more)
