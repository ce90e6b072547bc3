"""What a model holds: coefficients with what they mean, other tensors, digests; for saving it and setting it again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.linear import Linear
from repcore_torch.normalise import BatchNorm, LayerNorm, RMSNorm
from repcore_torch.slots import constraint_of
from repcore_torch.softening import Softening

__all__ = ["Contents", "Held", "contents_of"]

_EXTRA = "_extra_state"


class Held(NamedTuple):
    """The coefficients of one weight in a model: ``parts``, one behind the other, are theta (*batch, dim)."""

    plan: Any
    view: Any
    space: Any
    label: str
    parts: tuple[Tensor, ...]

    @property
    def theta(self) -> tuple[int, ...]:
        """The shape of theta."""
        return (*self.view.batch, self.plan.dim)


class Contents(NamedTuple):
    """All that a model holds: coefficients, other tensors, and the digests of layers that have no maps."""

    weights: dict[str, Held]
    tensors: dict[str, Tensor]
    layers: dict[str, str]


def contents_of(model: nn.Module) -> Contents:
    """What a model holds, as its names are without repcore; tensors are those of the model itself.

    Raises:
        IncompatibleError: a constraint with other parametrisations upon it, or a layer with an extra state that is no digest.
    """
    weights: dict[str, Held] = {}
    own: list[str] = []  # prefixes of what these weights have in the state_dict
    for path, module in model.named_modules(remove_duplicate=False):
        start = f"{path}." if path else ""
        if isinstance(module, Linear):
            weights |= {start + name: held for name, held in _of_linear(module)}
            own += [f"{start}coefficients.", f"{start}bias", f"{start}{_EXTRA}"]
        if isinstance(module, BatchNorm | LayerNorm | RMSNorm):
            made = {start + name: held for name, held in _of_norm(module)}
            weights |= made
            own += made
        if parametrize.is_parametrized(module):
            chains: Any = module.parametrizations
            for name, chain in chains.items():
                constraint = constraint_of(module, name)
                if constraint is None:
                    continue
                if isinstance(constraint, Softening):
                    raise IncompatibleError(
                        f"model: {start + name!r} is softened, and files hold equivariant or plain weights; save fold(model), or "
                        "the state_dict, which holds the softness as well"
                    )
                if len(chain) > 1:
                    raise IncompatibleError(
                        f"model: {start + name!r} has other parametrisations beside its constraint, which no file holds; take "
                        "them off"
                    )
                plan, source = constraint.projector.plan, constraint.projector.source
                space = source if isinstance(source, rc.Hom) else getattr(source, "space", constraint.maps)
                space = space if isinstance(space, rc.Hom) else None
                weights[start + name] = Held(plan, constraint.view, space, constraint.label, (chain.original,))
                own.append(f"{start}parametrizations.{name}.")
    tensors: dict[str, Tensor] = {}
    layers: dict[str, str] = {}
    taken = tuple(own)
    for name, value in model.state_dict(keep_vars=True).items():
        if name.startswith(taken):
            continue
        owner, _, last = name.rpartition(".")
        if last == _EXTRA:
            layers[owner] = _digest(value, name)
        else:
            tensors[name] = value
    return Contents(weights, tensors, layers)


def _of_linear(layer: Linear) -> Iterator[tuple[str, Held]]:
    """Weight and bias of a native layer, as a plain layer would have them."""
    plan, space = layer.plan, layer.domain >> layer.codomain
    rows, cols = plan.shape
    view = rc.view_of((rows, cols), "oi", rows="o", cols="i")
    yield "weight", Held(plan, view, space, str(space), tuple(layer.coefficients))
    if layer.bias is not None:
        one = rc.trivial(space.group) >> layer.codomain
        yield "bias", Held(plan.bias, _vector(rows), one, str(one), (layer.bias,))


def _of_norm(layer: BatchNorm | LayerNorm | RMSNorm) -> Iterator[tuple[str, Held]]:
    """Gains and variances for each copy, biases and means on invariants, as a plain layer has them for each feature."""
    space = rc.trivial(layer.domain.group) >> layer.domain
    for name, per_copy in (("weight", True), ("running_var", True), ("bias", False), ("running_mean", False)):
        value = getattr(layer, name, None)
        if value is not None:
            yield name, Held(_norm_plan(layer, per_copy), _vector(layer.domain.dim), space, str(space), (value,))


def _norm_plan(layer: BatchNorm | LayerNorm | RMSNorm, per_copy: bool) -> rc.Plan:
    """How a norm spreads its numbers over the features; its columns are not of norm 1, and nothing is projected by it."""
    features = layer._features
    constants = features.on(torch.float64, torch.device("cpu"))
    order = np.arange(features.dim) if constants.order is None else constants.order.numpy()
    blocks: list[rc.Block] = []
    start = 0
    for field, basis in zip(features.fields, constants.bases, strict=True):
        rows = order[start : start + field.size].reshape(field.copies, field.dim)
        start += field.size
        copies, inner = np.arange(field.copies)[:, None, None], np.arange(field.invariants)
        where = field.copy + copies if per_copy else field.invariant + copies * field.invariants + inner
        ones = rc.Orbit(np.zeros(field.dim, np.int64), np.ones(field.dim), 1)
        blocks.append(rc.Block(rows, np.zeros((1, 1), np.int64), where, ones if per_copy else rc.Factor(basis.numpy())))
    kind = "per copy" if per_copy else "per invariant"
    digest = hashlib.sha256(repr((kind, features.rep.digest)).encode()).hexdigest()
    count = features.copies if per_copy else features.invariants
    return rc.Plan((features.dim, 1), count, tuple(blocks), digest, False, None, False)


def _vector(size: int) -> rc.View:
    return rc.view_of((size,), "o", rows="o", cols="i")


def _digest(value: Any, name: str) -> str:
    text = bytes(value.tolist()).decode(errors="replace") if isinstance(value, Tensor) and value.dtype == torch.uint8 else ""
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise IncompatibleError(f"model: {name!r} is the extra state of a layer that is none of repcore, which no file holds")
    return text
