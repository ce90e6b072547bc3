"""SpectralState: singular vectors that are kept from step to step, so that the spectral norm costs two products a step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from repcore import IncompatibleError
from repcore_torch.norms import Pair, square

__all__ = ["SpectralState"]

_VECTORS = "vectors"


class SpectralState(nn.Module):
    """The largest singular value of a weight that changes slowly, by power iteration from the vector of the last step.

    One step with the kept unit vector v of a matrix M is

        s u = M v,    t v' = M^H u        (u, v' of length 1),        t = Re <u v'^H, M>,

    and t <= ||M||_2 is the value, u v'^H the subgradient, v' what is kept. Pass one state for each weight to
    :func:`repcore_torch.penalty` with ``norm="spectral"``; it is filled at the first call, from a fixed vector. Each call with
    gradients on or off takes ``steps`` steps. Vectors are buffers, so that a run that is resumed from a ``state_dict`` goes on
    as it would have.

    With b = ||M^H u - s v|| and c^2 = ||M||_F^2 - t^2,

        some singular value of M lies within ``error`` = t - s + b / sqrt(2) of the value,
        ||M||_2 <= ``upper``,    upper^2 = (||M||_F^2 + sqrt(||M||_F^4 - 4 s^2 c^2)) / 2.

    The first is a Hermitian residual bound (Parlett, The Symmetric Eigenvalue Problem, 4.5) and small after a few steps; that the
    singular value is the largest is certain only as far as ``upper`` says, which is sharp where one singular value dominates.

    Args:
        steps: steps a call. One is enough where the weight moves little between calls.
        start: steps at the first call.

    Attributes:
        vectors: (parts, ..., dim X), one for each matrix that is measured: W - P W and, as asked for, P W, and W.
        value, error, upper: (parts, ...), of the last call.

    Updates itself in place, so that ``torch.func.vmap`` and ``grad`` do not take it: there, leave it out, or use JAX's.

    >>> import torch
    >>> state = SpectralState()
    >>> value, _ = state(torch.tensor([[[3.0, 0.0], [4.0, 5.0]]]))
    >>> round(value.item() ** 2, 3), bool(state.error < 1e-5)
    (45.0, True)
    """

    vectors: Tensor
    value: Tensor
    error: Tensor
    upper: Tensor

    def __init__(self, steps: int = 1, start: int = 32) -> None:
        super().__init__()
        for name, count in (("steps", steps), ("start", start)):
            if count < 1:
                raise IncompatibleError(f"{name}: is {count}; at least one step is needed")
        self.steps, self.start = steps, start
        for name in (_VECTORS, "value", "error", "upper"):
            self.register_buffer(name, torch.empty(0), persistent=name == _VECTORS)

    @torch.no_grad()
    def forward(self, M: Tensor) -> Pair:
        """The value (parts, ...) and the subgradient of each matrix (parts, ..., dim Y, dim X)."""
        shape = (*M.shape[:-2], M.shape[-1])
        steps = self.steps
        if not self.vectors.numel():
            self.vectors, steps = _first(M), max(self.start, self.steps)
        elif tuple(self.vectors.shape) != shape:
            raise IncompatibleError(
                f"state: holds vectors of shape {tuple(self.vectors.shape)}, this call needs {shape}; take one state for each "
                "weight, and the same relative and equivariant at each call"
            )
        v = self.vectors.to(M.device, M.dtype)[..., None]
        for _ in range(steps - 1):
            t, new = _unit(M.mH @ (M @ v))
            v = torch.where(t > 0, new, v)
        s, u = _unit(M @ v)
        w = M.mH @ u
        t, new = _unit(w)
        residual = torch.linalg.vector_norm(w - s * v, dim=(-2, -1))
        self.vectors = torch.where(t > 0, new, v)[..., 0]
        s, t, size = s[..., 0, 0], t[..., 0, 0], square(M)
        rest = (size - t * t).clamp(min=0)
        self.upper = ((size + (size * size - 4 * s * s * rest).clamp(min=0).sqrt()) / 2).sqrt()
        self.value, self.error = t, t - s + residual / 2**0.5
        return t, u * new.mH

    def extra_repr(self) -> str:
        """What ``repr`` shows: the steps and the shape of the vectors."""
        return f"steps={self.steps}, start={self.start}, vectors={tuple(self.vectors.shape)}"

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # The shape of the vectors is known from the first call on only.
        stored = state_dict.get(prefix + _VECTORS)
        if stored is not None:
            self.vectors = torch.empty_like(stored, device=self.vectors.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _unit(x: Tensor) -> Pair:
    """The length of each column and the column of length 1; 0 for the zero column."""
    size = torch.linalg.vector_norm(x, dim=-2, keepdim=True)
    return size, torch.where(size > 0, x / torch.where(size > 0, size, 1), 0)


def _first(M: Tensor) -> Tensor:
    """A fixed unit vector in general position: the same in each run, and no user's random numbers are drawn.

    Its entries are the fractional parts of k times the golden ratio, centred and off every pattern of few values.
    """
    n = M.shape[-1]
    v = (torch.arange(1, n + 1, dtype=torch.float64, device=M.device) * 0.6180339887498949).frac() - 0.4142135623730951
    return (v / v.norm()).to(M.dtype).expand(*M.shape[:-2], n).clone()
