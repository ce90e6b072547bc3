"""`take_hooks`: what a user has hooked to a layer, on the one that takes its place."""

from __future__ import annotations

from torch import nn

__all__ = ["take_hooks"]

_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_is_full_backward_hook",
)


def take_hooks(new: nn.Module, old: nn.Module) -> None:
    """Give a layer the forward and backward hooks of another one.

    The tables themselves: a handle that was given for a hook holds its table, and still removes it.
    """
    for name in _HOOKS:
        setattr(new, name, getattr(old, name))
