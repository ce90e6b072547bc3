"""The fast path of ``torch.nn.TransformerEncoderLayer``, which reads parameters of its norms past their ``forward``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

__all__ = ["leave", "take_again"]


def leave(model: nn.Module, norm: nn.Module) -> Callable[[], None]:
    """Have the encoder layers that hold a norm call its ``forward``, in evaluation too; returns what undoes it.

    In evaluation without gradients the layer of torch hands ``norm1.weight`` and all others to one fused operation, which knows
    nothing of a gain for each copy. It does not where a hook is attached; and an encoder that packs padded sequences for
    that operation must not, for only the operation takes packed ones.
    """
    undo: list[Callable[[], None]] = []
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoderLayer) and any(child is norm for child in module.children()):
            undo.append(module.register_forward_pre_hook(_calls_its_norms).remove)
        if isinstance(module, nn.TransformerEncoder) and any(inner is norm for inner in module.layers.modules()):
            packs: Any = getattr(module, "use_nested_tensor", False)
            module.use_nested_tensor = False
            undo.append(lambda module=module, packs=packs: setattr(module, "use_nested_tensor", packs))

    def undo_all() -> None:
        for step in reversed(undo):
            step()

    return undo_all


def take_again(model: nn.Module) -> None:
    """Undo :func:`leave` in the encoder layers whose norms are layers of torch."""
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoderLayer) and all(
            isinstance(norm, nn.LayerNorm) for norm in (module.norm1, module.norm2)
        ):
            for key in [key for key, hook in module._forward_pre_hooks.items() if hook is _calls_its_norms]:
                del module._forward_pre_hooks[key]


def _calls_its_norms(module: nn.Module, inputs: Any) -> None:
    """Changes nothing: that it is there is enough."""
