"""`fold`: a plain copy of a symmetrised model, at no cost at inference and with no trace of repcore."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from repcore_torch import fast_path
from repcore_torch.digest import unguard
from repcore_torch.family import forget, settle
from repcore_torch.hooks import take_hooks
from repcore_torch.linear import Linear
from repcore_torch.normalise import BatchNorm, LayerNorm, RMSNorm
from repcore_torch.slots import constraint_of

__all__ = ["fold"]


def fold(model: nn.Module) -> nn.Module:
    """A copy with dense weights in place of coefficients, and plain layers in place of repcore's where they do the same.

    For inference, ``torch.export``, ONNX and whoever has no repcore: outputs are equal to rounding, and a forward pass costs what
    the plain model costs. The copy is equivariant as it stands; training it further is free to break that.

    A constrained weight becomes a plain parameter, :class:`Linear` a ``torch.nn.Linear``, :class:`RMSNorm` a
    ``torch.nn.RMSNorm``, :class:`LayerNorm` a ``torch.nn.LayerNorm`` where the group permutes the features, and in ``eval`` mode
    a :class:`BatchNorm` the layer that it replaced. Others stay. A model that :class:`ACE` trains keeps what its branch does,
    if it is on; ``ace.fold()`` is without.

    >>> import repcore as rc, torch
    >>> from repcore_torch import symmetrize
    >>> V = rc.dihedral(4).rep
    >>> model = symmetrize(torch.nn.Sequential(torch.nn.Linear(2, 2)), {"0": V >> V})
    >>> [name for name, _ in fold(model).named_parameters()]
    ['0.weight', '0.bias']
    """
    copy = settle(unguard(deepcopy(model)))
    # Gradients of coefficients are none of the weights.
    copy.zero_grad(set_to_none=True)
    for module in list(copy.modules()):
        if not parametrize.is_parametrized(module):
            continue
        chains: Any = module.parametrizations
        for name in list(chains):
            if constraint_of(module, name) is not None:
                parametrize.remove_parametrizations(module, name)
    forget(copy)
    swaps: dict[int, nn.Module] = {}
    for module in list(copy.modules()):
        plain = _plain(module)
        if plain is not None:
            take_hooks(plain, module)
            swaps[id(module)] = plain.train(module.training)
    for parent in list(copy.modules()):
        for name, child in list(parent._modules.items()):
            if id(child) in swaps:
                setattr(parent, name, swaps[id(child)])
    fast_path.take_again(copy)
    return swaps.get(id(copy), copy)


def _plain(module: nn.Module) -> nn.Module | None:
    """The layer of torch that does the same, if there is one."""
    match module:
        case Linear():
            return module.to_linear()
        case LayerNorm() if module.is_plain:
            new = nn.LayerNorm(module.domain.dim, module.eps, module.affine)
        case RMSNorm() if module.axis == -1:
            new = nn.RMSNorm(module.domain.dim, module.eps, module.affine)
        case BatchNorm() if not module.training and module.track_running_stats and module.replaces is not None:
            new = module.replaces(module.domain.dim, module.eps, module.momentum, module.affine)
        case _:
            return None
    dense = module.dense()
    if "bias" not in dense:
        new.register_parameter("bias", None)
    for name, value in dense.items():
        # The tensors themselves: of the dtype and on the device of the layer.
        learned = getattr(module, name).requires_grad
        setattr(new, name, nn.Parameter(value, learned) if name in ("weight", "bias") else value)
    return new
