"""The digest of a plan as the extra state of a module: coefficients of one space never load into another."""

from __future__ import annotations

import torch
from torch import Tensor

from repcore import IncompatibleError

__all__ = ["as_bytes", "check_bytes"]


def as_bytes(digest: str) -> Tensor:
    """The digest as bytes. A tensor, so that safetensors takes it."""
    return torch.tensor(list(digest.encode()), dtype=torch.uint8, device="cpu")


def check_bytes(state: Tensor, digest: str) -> None:
    """Raise IncompatibleError if the bytes are not those of the digest."""
    stored = bytes(state.tolist()).decode(errors="replace")
    if stored != digest:
        raise IncompatibleError(
            f"the state_dict was saved with the space of digest {stored}, this module has the space of digest "
            f"{digest}: its coefficients mean other maps. Build the module with the space it was saved with"
        )
