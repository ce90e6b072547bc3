"""`Softening`: a weight between strict and free, as a parametrisation that filters a stored free parameter."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.digest import Digested, check_bytes
from repcore_torch.levels import Levels
from repcore_torch.projector import Projector

__all__ = ["Softening"]

# Where learned gains begin instead of 0 and 1, at which a sigmoid has no slope.
_LEAST = 0.02


class Softening(Digested):
    """The parametrisation W -> F W = sum_l gain_l P_l W; made by :func:`soften`.

    ``torch.nn.utils.parametrize`` keeps the free parameter W as ``module.parametrizations.<name>.original`` and never the
    filtered
    one in its place: F F is another filter unless all gains are 0 or 1. With all gains 1 it returns W itself.

    ``state_dict`` holds the digest of the levels and the gains, as text, and loading refuses others: a checkpoint that was
    trained at one softness is another function at another one. Learned gains are a parameter, ``raw``, and loaded as such.

    Args:
        levels: of the space, see :func:`repcore_torch.levels.levels_of`.
        gains: (levels,) between 0 and 1, the first of them 1 if the gains are learned.
        view: how a weight of that shape is read as maps (..., dim Y, dim X), a ``repcore.View``.
        learnable: learn the gains of all levels but the equivariant maps, as a sigmoid of ``raw``. Gains of 0 and 1 begin at 0.02
            and 0.98, where the sigmoid has a slope.
        profile: what a softness means, see ``repcore.gains_at``.
        label: the space as a text, for reports.
        maps: the space ``X >> Y`` of the features that the layer takes and gives, where that is known.

    Attributes:
        spatial: how the group moves the axes of a kernel, where its rule says it; None: by its own matrices.
    """

    spatial: rc.Rep | None = None

    def __init__(
        self,
        levels: Levels,
        gains: Any,
        view: Any,
        *,
        learnable: bool = False,
        profile: str = "heat",
        label: str = "",
        maps: Any = None,
    ) -> None:
        super().__init__()
        self.levels, self.view, self.profile, self.label, self.maps = levels, view, profile, label, maps
        self._values = _checked(gains, len(levels.values))
        if learnable:
            start = torch.tensor(self._values[1:]).clamp(_LEAST, 1 - _LEAST)
            self.raw = nn.Parameter(torch.logit(start).to(torch.get_default_dtype()))
        else:
            self.raw = None
            self.register_buffer("_gains", torch.tensor(self._values), persistent=False)

    @property
    def is_learned(self) -> bool:
        """Whether the gains are learned."""
        return self.raw is not None

    @property
    def projector(self) -> Projector:
        """The projector onto the equivariant maps."""
        return self.levels.projector

    @property
    def gains(self) -> Tensor:
        """(levels,); differentiable where they are learned."""
        if self.raw is None:
            return self._gains
        return torch.cat([torch.ones_like(self.raw[:1]) if len(self.raw) else self.raw.new_ones(1), torch.sigmoid(self.raw)])

    @property
    def softness(self) -> float:
        """The mean gain over all maps that are not equivariant: 0 strict, 1 free."""
        gains = self._values if self.raw is None else self.gains.detach().cpu().double().numpy()
        m = self.levels.multiplicities[1:]
        return float(gains[1:] @ m / m.sum()) if m.sum() else 1.0

    def set_gains(self, gains: Any) -> None:
        """Other gains, (levels,), in place: nothing is solved, decomposed or allocated anew, and a compiled forward stays valid.

        Raises:
            IncompatibleError: not one number for each level, between 0 and 1; learned gains.
        """
        if self.raw is not None:
            raise IncompatibleError("gains: are learned; change them with their optimiser, or soften without learnable=True")
        self._values = _checked(gains, len(self.levels.values))
        with torch.no_grad():
            self._gains.copy_(torch.tensor(self._values))

    def set_softness(self, softness: float) -> None:
        """The gains of the profile that have this softness; see :meth:`set_gains`.

        Raises:
            IncompatibleError: a number outside [0, 1]; learned gains.
        """
        self.set_gains(rc.gains_at(self.levels.values, self.levels.multiplicities, softness, self.profile))

    def forward(self, W: Tensor) -> Tensor:
        """F W, of the shape of W."""
        if self.raw is None and bool((self._values == 1).all()):
            return W
        return self.view.write(self.levels.filtered(self.view.read(W), self.gains))

    def right_inverse(self, W: Tensor) -> Tensor:
        """A weight that is assigned becomes the free parameter."""
        return W

    @property
    def digest(self) -> str:
        """The digest of the levels, the softness, and a digest of the gains to ten digits."""
        if self.raw is not None:
            return f"{self.levels.digest}, learned gains"
        gains = repr([f"{g:.10e}" for g in self._values.tolist()])
        return f"{self.levels.digest}, softness {self.softness:.6g}, gains {hashlib.sha256(gains.encode()).hexdigest()[:16]}"

    def check(self, state: Any, where: str = "") -> None:
        """Raise IncompatibleError if a stored digest is not that of this filter."""
        try:
            check_bytes(state, self.digest, where)
        except IncompatibleError as error:
            if "was saved with" not in str(error):
                raise
            stored = bytes(state.tolist()).decode(errors="replace")
            same = stored.partition(",")[0] == self.levels.digest
            repair = (
                "the weights are those of another softness; set it with set_softness, or begin with the gains of that run"
                if same
                else "the weights belong to a filter of another space; build the module with the space it was saved with"
            )
            prefix = f"{where}: " if where else ""
            raise IncompatibleError(
                f"{prefix}the state_dict was saved with {stored}, this module has {self.digest}: {repair}"
            ) from None

    def extra_repr(self) -> str:
        """What ``repr`` shows: the sizes and the softness."""
        learned = ", learned" if self.is_learned else ""
        return f"levels={len(self.levels.values)}, shape={self.levels.shape}, softness={self.softness:.4g}{learned}"

    def _apply(self, fn: Any, recurse: bool = True) -> Softening:
        super()._apply(fn, recurse)
        if self.raw is None:
            # Gains stay float64, whatever the module is cast to: a schedule must not add up roundings.
            self._gains = torch.tensor(self._values).to(self._gains.device)
        return self


def _checked(gains: Any, levels: int) -> np.ndarray:
    array = np.array(gains, np.float64)
    if array.shape != (levels,) or not ((array >= 0) & (array <= 1)).all():
        raise IncompatibleError(f"gains: expected {levels} numbers between 0 and 1, one for each level, got {gains!r}")
    return array
