"""`Family`: all layers that one ACE splits; forms their weights once a forward pass, the small ones all together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from repcore_torch import sharded
from repcore_torch.branch import Branch, Layer
from repcore_torch.homotopy import Homotopy
from repcore_torch.together import Together, fits

__all__ = ["Family", "forget", "moved_in", "quicken", "settle"]

_READY = "_ready_"


class Family:
    """Layers and homotopies, the hooks of the model that has them, and what a backward pass found for gamma.

    Args:
        layers: of weights.
        homotopies: by name.
        shared: whether all have one gamma.
    """

    def __init__(self, layers: Sequence[Layer], homotopies: dict[str, Homotopy], shared: bool) -> None:
        self.layers, self.homotopies, self.shared = list(layers), dict(homotopies), shared
        self.on = True
        self.gradient: Tensor | None = None
        self.leaf: Tensor | None = None
        # The pass that is under way, if it is one of the model that the hooks are on.
        self._depth = 0
        self._together: tuple[Any, list[tuple[list[int], Together]]] | None = None
        for layer in self.layers:
            for branch in layer.branches:
                branch.family = self

    # ------------------------------------------------------------------------------------------------- gamma

    def counts(self) -> dict[str, int]:
        """The number of gammas of each layer."""
        return {layer.name: layer.count for layer in self.layers} | dict.fromkeys(self.homotopies, 1)

    def gammas(self) -> Tensor:
        """All gammas as one vector, or the one that is shared."""
        # Where torch keeps buffers, for its own way to them takes a microsecond each.
        held: list[Any] = [layer.branches[0]._buffers["gamma"] for layer in self.layers]
        held += [h._buffers["gamma"] for h in self.homotopies.values()]
        if self.shared:
            return held[0].detach().clone()
        like = held[0]
        if any(g.device != like.device or g.dtype != like.dtype for g in held):
            held = [g.to(like.device, like.dtype) for g in held]
        return torch.cat(held)

    @torch.no_grad()
    def set(self, gamma: Tensor) -> None:
        """Write them where they belong."""
        start = 0
        for name, count in self.counts().items():
            mine = gamma if self.shared else gamma[start : start + count]
            start += count
            for buffer in self._buffers(name):
                buffer.copy_(mine)

    def _buffers(self, name: str) -> list[Tensor]:
        layer = next((layer for layer in self.layers if layer.name == name), None)
        return [self.homotopies[name].gamma] if layer is None else [branch.gamma for branch in layer.branches]

    def cut(self, gamma: Tensor) -> list[Tensor]:
        """The gammas of each layer and homotopy."""
        counts = list(self.counts().values())
        return [gamma] * len(counts) if self.shared else list(gamma.split(counts))

    def live(self) -> Tensor:
        """The gammas as a leaf, whose gradient is added to ``gradient`` in each backward pass."""
        leaf = self.gammas()
        # Transformations of functions and the compiler allow for no leaf: there is no gradient for gamma then.
        if torch.compiler.is_compiling():
            return leaf
        if torch.is_grad_enabled() and not torch._C._are_functorch_transforms_active():
            leaf.requires_grad_()
            leaf.register_hook(self._collect)
            self.leaf = leaf
        return leaf

    @contextmanager
    def only_gamma(self) -> Iterator[None]:
        """Backward passes within are for gamma alone: they leave out the gradients of all parameters."""
        lots = [] if self._together is None else [lot for _, lot in self._together[1]]
        for lot in lots:
            lot.only_gamma = True
        try:
            yield
        finally:
            for lot in lots:
                lot.only_gamma = False

    def _collect(self, gradient: Tensor) -> None:
        found = gradient.detach()
        self.gradient = found.clone() if self.gradient is None else self.gradient + found

    # ----------------------------------------------------------------------------------------------- weights

    def before(self, module: nn.Module, *_: Any) -> None:
        """Hook of the model, before it runs: the weights of this pass."""
        self._depth += 1
        if self._depth > 1 or not self.on or torch.compiler.is_compiling():
            return
        gamma = self.live()
        # Who needs the gammas of each layer: homotopies, and layers that are formed by themselves.
        lots = self._lots()
        is_split = bool(self.homotopies) or sum(len(numbers) for numbers, _ in lots) < len(self.layers)
        each = self.cut(gamma) if is_split else []
        for branches, weights in self._all(gamma, each, lots):
            for branch, weight in zip(branches, weights, strict=True):
                branch.ready = weight
        for layer in self.layers:
            for branch, (module, name) in zip(layer.branches, layer.places, strict=True):
                module.__dict__[_READY + name] = branch.ready
        for homotopy, mine in zip(self.homotopies.values(), each[len(self.layers) :], strict=True):
            homotopy.live = mine.to(homotopy.gamma.device, homotopy.gamma.dtype)

    def after(self, module: nn.Module, *_: Any) -> None:
        """Hook of the model, after it ran, or failed."""
        self._depth = max(self._depth - 1, 0)
        if self._depth:
            return
        for layer in self.layers:
            for branch, (module, name) in zip(layer.branches, layer.places, strict=True):
                branch.ready = module.__dict__[_READY + name] = None
        for homotopy in self.homotopies.values():
            homotopy.live = None

    def weight_of(self, branch: Branch) -> Tensor:
        """A weight that is looked at outside of a pass of the model."""
        number = next(i for i, layer in enumerate(self.layers) if branch in layer.branches)
        layer = self.layers[number]
        found = layer.weights(self.cut(self.live())[number])
        return found[layer.branches.index(branch)].to(branch.free.dtype)

    @contextmanager
    def switched(self, on: bool) -> Iterator[None]:
        """All branches on, or off."""
        before = self.on
        self._switch(on)
        try:
            yield
        finally:
            self._switch(before)

    def _switch(self, on: bool) -> None:
        self.on = on
        for homotopy in self.homotopies.values():
            homotopy.on = on

    def _all(
        self, gamma: Tensor, each: Sequence[Tensor], lots: Sequence[tuple[list[int], Together]]
    ) -> Iterator[tuple[list[Branch], Sequence[Tensor]]]:
        rest = set(range(len(self.layers)))
        for numbers, lot in lots:
            rest.difference_update(numbers)
            yield lot.branches, lot.weights(gamma)
        for i in sorted(rest):
            layer = self.layers[i]
            yield layer.branches, [w.to(b.free.dtype) for w, b in zip(layer.weights(each[i]), layer.branches, strict=True)]

    def _lots(self) -> list[tuple[list[int], Together]]:
        """The layers that are formed together, by dtype and device."""
        if torch._C._are_functorch_transforms_active():
            return []
        every: list[Any] = [branch._parameters["free"] for layer in self.layers for branch in layer.branches]
        key = [(t.dtype, t.device, sharded.is_sharded(t)) for t in every]
        if self._together is None or self._together[0] != key:
            groups: dict[Any, list[int]] = {}
            for i, layer in enumerate(self.layers):
                if fits(layer):
                    free = layer.branches[0].free
                    groups.setdefault((free.dtype, free.device), []).append(i)
            starts = [0]
            for count in self.counts().values():
                starts.append(starts[-1] + (0 if self.shared else count))
            total = self.layers[0].count if self.shared else starts[-1]
            made = [
                (group, Together([self.layers[i] for i in group], [starts[i] for i in group], total)) for group in groups.values()
            ]
            self._together = (key, made)
        return self._together[1]


def quicken(module: nn.Module, name: str) -> None:
    """Let a look at a weight find the one of the pass that is under way first: the way through torch takes 20 microseconds."""
    slow, key = getattr(type(module), name), _READY + name

    def found(self: nn.Module) -> Any:
        ready = self.__dict__.get(key)
        return slow.fget(self) if ready is None else ready

    setattr(type(module), name, property(found, slow.fset))


def moved_in(model: nn.Module) -> list[Homotopy]:
    """The homotopies of all families that have hooks in a model."""
    hooks = [hook for module in model.modules() for hook in module._forward_pre_hooks.values()]
    families = [family for hook in hooks if isinstance(family := getattr(hook, "__self__", None), Family)]
    return [homotopy for family in families for homotopy in family.homotopies.values()]


def settle(model: nn.Module) -> nn.Module:
    """Take the hooks of a family off a model, with its weights formed as they are and switched off homotopies strict."""
    families: dict[int, Family] = {}
    for module in model.modules():
        for hooks in (module._forward_pre_hooks, module._forward_hooks):
            for key, hook in list(hooks.items()):
                family = getattr(hook, "__self__", None)
                if isinstance(family, Family):
                    families[id(family)] = family
                    del hooks[key]
                    module._forward_hooks_always_called.pop(key, None)
    for family in families.values():
        with torch.no_grad():
            family.before(model)
        for homotopy in family.homotopies.values():
            homotopy.live = None
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, Homotopy) and not child.on and isinstance(child.eq, nn.Module):
                setattr(parent, name, child.eq)
    return model


def forget(model: nn.Module) -> None:
    """What :func:`settle` has left for the removal of the parametrisations."""
    for module in model.modules():
        for key in [key for key in vars(module) if key.startswith(_READY)]:
            del module.__dict__[key]
