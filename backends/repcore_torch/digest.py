"""The digest of a plan as the extra state of a module: coefficients of one space never load into another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from repcore import IncompatibleError

__all__ = ["Digested", "as_bytes", "check_bytes", "check_state", "guard", "unguard"]

_KEY = "_extra_state"


class Digested(nn.Module):
    """A module whose parameters mean something only together with what its ``digest`` names; abstract.

    The digest stands in the ``state_dict``, and ``load_state_dict`` compares it before it changes a parameter of this module or
    of one within it.
    """

    @property
    def digest(self) -> str:
        """The name of what the parameters are coefficients of."""
        raise NotImplementedError

    def get_extra_state(self) -> Tensor:
        """The digest as bytes."""
        return as_bytes(self.digest)

    def set_extra_state(self, state: Tensor) -> None:
        """Called by ``load_state_dict``: raises IncompatibleError if the digest is not that of this module."""
        self.check(state)

    def check(self, state: Any, where: str = "") -> None:
        """Raise IncompatibleError if a stored digest is not that of this module; ``where`` is its key in the state_dict."""
        check_bytes(state, self.digest, where)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        check_state(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def as_bytes(digest: str) -> Tensor:
    """The digest as bytes. A tensor, so that safetensors takes it."""
    return torch.tensor(list(digest.encode()), dtype=torch.uint8, device="cpu")


def check_bytes(state: Any, digest: str, where: str = "") -> None:
    """Raise IncompatibleError if the bytes are not those of the digest; ``where`` is the key in the state_dict."""
    prefix = f"{where}: " if where else ""
    if not isinstance(state, Tensor) or state.dtype != torch.uint8 or state.ndim != 1 or state.device.type == "meta":
        raise IncompatibleError(f"{prefix}the state_dict holds no digest there but {_kind(state)}; it was not saved by repcore")
    stored = bytes(state.tolist()).decode(errors="replace")
    if stored != digest:
        raise IncompatibleError(
            f"{prefix}the state_dict was saved with the space of digest {stored}, this module has the space of digest "
            f"{digest}: its coefficients mean other maps. Build the module with the space it was saved with"
        )


def check_state(model: nn.Module, state_dict: Mapping[str, Any], prefix: str = "") -> None:
    """Compare every digest in a ``state_dict`` with that of its module; changes nothing.

    A digest that the state_dict lacks is left to ``load_state_dict``, which reports missing keys.

    Args:
        model: a module with constrained or native layers anywhere in it.
        state_dict: what would be loaded.
        prefix: before the names of the model in the state_dict.

    Raises:
        IncompatibleError: a digest is another one; names its key.
    """
    for name, module in model.named_modules():
        if isinstance(module, Digested):
            key = f"{prefix}{name}.{_KEY}" if name else prefix + _KEY
            if key in state_dict:
                module.check(state_dict[key], key.removesuffix("." + _KEY))


def guard(model: nn.Module) -> nn.Module:
    """Have ``load_state_dict`` of a model compare all digests before it changes anything; returns the model.

    PyTorch loads module after module. A layer of repcore refuses coefficients of another space before anything of that layer is
    changed; but only the model as a whole can refuse before the layers in front of it are loaded. It travels with ``deepcopy``.

    >>> import repcore as rc, torch
    >>> import repcore_torch as rct
    >>> def model(group):
    ...     return rct.guard(torch.nn.Sequential(torch.nn.Linear(4, 4), rct.Linear(rc.regular(group), rc.regular(group))))
    >>> one, other = model(rc.cyclic(4)), model(rc.symmetric(2) @ rc.symmetric(2))
    >>> before = one[0].weight.clone()
    >>> try:
    ...     one.load_state_dict(other.state_dict())
    ... except rc.IncompatibleError as error:
    ...     print(str(error)[:50])
    1: the state_dict was saved with the space of dige
    >>> torch.equal(one[0].weight, before)
    True
    """
    if not _guards(model):
        model.register_load_state_dict_pre_hook(_check)
    return model


def unguard(model: nn.Module) -> nn.Module:
    """Undo :func:`guard` in a model and all its modules, so that nothing of repcore is left in it; returns the model."""
    for module in model.modules():
        for key in _guards(module):
            del module._load_state_dict_pre_hooks[key]
    return model


def _guards(module: nn.Module) -> list[int]:
    return [key for key, hook in module._load_state_dict_pre_hooks.items() if getattr(hook, "hook", None) is _check]


def _check(module: nn.Module, state_dict: Any, prefix: str, *_: Any) -> None:
    check_state(module, state_dict, prefix)


def _kind(state: Any) -> str:
    if isinstance(state, Tensor):
        return f"a tensor of shape {tuple(state.shape)}, {state.dtype}, on {state.device}"
    return f"a {type(state).__name__}"
