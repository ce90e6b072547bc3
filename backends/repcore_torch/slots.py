"""The weights of a model, as slots that rules can mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

import repcore as rc
from repcore_torch.constraint import Constraint
from repcore_torch.linear import Linear
from repcore_torch.nonlinear import Gate, NormNonlinearity
from repcore_torch.normalise import BatchNorm, LayerNorm, RMSNorm
from repcore_torch.pool import InvariantPool
from repcore_torch.softening import Softening

__all__ = ["bare_norms", "constraint_of", "slots_of"]

# Layers that are equivariant by construction: their parameters are coefficients, which no rule means.
_OWN = (Linear, LayerNorm, RMSNorm, BatchNorm, NormNonlinearity, Gate, InvariantPool)


def slots_of(model: nn.Module, *, shared: bool = False) -> list[rc.Slot]:
    """Every parameter of a model, in its order, with the axes of the layers that are known.

    A weight that no rule may take says why: it is constrained or parametrised already, shared with another layer (unless
    ``shared`` allows for that), of a dtype that has no projection, or without a shape as yet.
    """
    slots: list[rc.Slot] = []
    sharers: dict[int, list[str]] = {}
    attention = {
        f"{name}.out_proj".lstrip("."): name for name, m in model.named_modules() if isinstance(m, nn.MultiheadAttention)
    }
    for path, module in model.named_modules():
        if "parametrizations" in path.split("."):
            continue
        for name, tensor in _weights(module):
            sharers.setdefault(id(tensor), []).append(f"{path}.{name}" if path else name)
    own = [path for path, module in model.named_modules() if isinstance(module, _OWN)]
    for path, module in model.named_modules():
        if "parametrizations" in path.split("."):
            continue
        inside = any(path == other or path.startswith(f"{other}.") or not other for other in own)
        for name, tensor in _weights(module):
            full = f"{path}.{name}" if path else name
            blocked = "belongs to a layer that is equivariant by construction" if inside else _blocked(module, name, tensor)
            others = [other for other in sharers[id(tensor)] if other != full]
            if others and not blocked and not shared:
                blocked = f"is one tensor with {', '.join(map(repr, others))}; untie them before"
            slots.append(_slot(module, path, name, full, tensor, blocked, attention.get(path)))
    return slots


def bare_norms(model: nn.Module) -> list[rc.Slot]:
    """The norms of a model that have no parameters, as slots by the name of the layer: a rule may replace them."""
    slots: list[rc.Slot] = []
    for path, module in model.named_modules():
        if isinstance(module, nn.LayerNorm | nn.RMSNorm | _BatchNorm) and next(_weights(module), None) is None:
            size = (module.num_features,) if isinstance(module, _BatchNorm) else tuple(module.normalized_shape)
            axes = ("o",) * len(size)
            slots.append(rc.Slot(path, path, "scale", _norm(module), size, axes, type=type(module), blocked=_special(module)))
    return slots


def constraint_of(module: nn.Module, name: str) -> Constraint | Softening | None:
    """The constraint or the filter of a parameter, if it has one."""
    if not parametrize.is_parametrized(module, name):
        return None
    chains: Any = module.parametrizations
    return next((c for c in chains[name] if isinstance(c, Constraint | Softening)), None)


def _weights(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """The parameters of a module itself, parametrised ones by what they were before."""
    for name, tensor in module.named_parameters(recurse=False, remove_duplicate=False):
        yield name, tensor
    if parametrize.is_parametrized(module):
        chains: Any = module.parametrizations
        for name, chain in chains.items():
            yield name, getattr(chain, "original", None)


def _blocked(module: nn.Module, name: str, tensor: Any) -> str:
    if constraint_of(module, name) is not None:
        return (
            "is symmetrised already; fold the model, or begin with a fresh one, to symmetrise it by other rules; to measure it, "
            "leave the rules out"
        )
    if parametrize.is_parametrized(module, name):
        return "is parametrised already; a second parametrisation would stack silently"
    if isinstance(module, nn.RNNBase):
        return "belongs to a recurrent layer that keeps its weights in one buffer; use cells, such as nn.LSTMCell"
    if isinstance(module, nn.Embedding | nn.EmbeddingBag) and (module.max_norm is not None or module.sparse):
        return "belongs to an embedding with max_norm or sparse gradients, which want the table itself; make it without"
    if special := _special(module):
        return special
    if is_lazy(tensor):
        return "has no shape yet; run the lazy module once before"
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return f"has dtype {tensor.dtype}; only floating point and complex weights have projections"
    return ""


def _slot(module: nn.Module, path: str, name: str, full: str, tensor: Any, blocked: str, attention: str | None) -> rc.Slot:
    constraint = constraint_of(module, name)
    shape = constraint.view.shape if constraint is not None else () if is_lazy(tensor) or tensor is None else tuple(tensor.shape)

    def slot(role: str, kind: str, axes: Any = (), **more: Any) -> rc.Slot:
        more.setdefault("type", type(module))
        return rc.Slot(full, more.pop("owner", path), role, kind, shape, tuple(axes), blocked=blocked, **more)

    is_bias = name.startswith("bias")
    match module:
        case nn.MultiheadAttention() if name in ("in_proj_weight", "in_proj_bias"):
            role, axes = ("bias", "o") if name == "in_proj_bias" else ("weight", "oi")
            return slot(role, "attention", axes, stack=3, heads=module.num_heads)
        case nn.MultiheadAttention() if name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
            return slot("weight", "attention", "oi", heads=module.num_heads)
        case nn.MultiheadAttention() if name in ("bias_k", "bias_v"):
            return slot("bias", "attention", "bbo", heads=module.num_heads)
        case nn.Linear() if attention is not None:
            # The last step of an attention is part of it: a rule for all Linear layers does not mean it.
            role, axes = ("bias", "o") if is_bias else ("out", "oi")
            return slot(role, "attention", axes, owner=attention, type=nn.MultiheadAttention)
        case nn.Linear() if name in ("weight", "bias"):
            return slot("bias" if is_bias else "weight", "linear", "o" if is_bias else "oi")
        case nn.RNNCellBase():
            gates = module.weight_hh.shape[0] // module.hidden_size
            return slot("bias" if is_bias else "weight", "linear", "o" if is_bias else "oi", stack=gates)
        case _ConvNd() if name in ("weight", "bias"):
            turned = isinstance(module, _ConvTransposeNd)
            axes = "o" if is_bias else ("io" if turned else "oi") + "s" * len(module.kernel_size)
            return slot("bias" if is_bias else "weight", "conv", axes, groups=module.groups, grouped="i" if turned else "o")
        case nn.Embedding():
            return slot("weight", "embedding", "io")
        case _BatchNorm() | _InstanceNorm() | nn.GroupNorm() | nn.LayerNorm() | nn.RMSNorm():
            groups = module.num_groups if isinstance(module, nn.GroupNorm) else 1
            return slot("shift" if is_bias else "scale", _norm(module), "o" * len(shape), groups=groups)
        case _ if type(module).__name__ == "Conv1D" and hasattr(module, "nf"):
            # A linear layer of GPT-2 in transformers: its weight is (in, out).
            return slot("bias" if is_bias else "weight", "linear", "o" if is_bias else "io")
        case _:
            return slot("bias" if is_bias else "weight", "tensor")


def _norm(module: nn.Module) -> str:
    """The kind of a norm; one with a forward of its own is not to be replaced, and a norm like any other."""
    match module:
        case _BatchNorm():
            return "batch_norm"
        case nn.LayerNorm() if type(module).forward is nn.LayerNorm.forward:
            return "layer_norm"
        case nn.RMSNorm() if type(module).forward is nn.RMSNorm.forward:
            return "rms_norm"
        case _:
            return "norm"


def _special(module: nn.Module) -> str:
    """Why a norm with statistics of each feature cannot be taken; empty if it can."""
    name = type(module).__name__
    if isinstance(module, _BatchNorm) and type(module).forward not in (_BatchNorm.forward, nn.SyncBatchNorm.forward):
        return f"belongs to a layer of the class {name}, which does more than normalise: put rct.BatchNorm(X) and the rest there"
    if isinstance(module, _InstanceNorm) and module.track_running_stats:
        return f"belongs to a layer of the class {name} that keeps statistics of each feature; put rct.BatchNorm(X) in its place"
    return ""
