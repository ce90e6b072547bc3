"""A model as a graph of its layers and the functions between them, and what flows through it for given inputs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, fx, nn

from repcore import IncompatibleError

__all__ = ["ROOT", "Memory", "Watched", "graph_of", "is_hooked", "layer_of", "path_of"]

# The model is a child of the root that is traced, so that a model which is one layer is a layer of the graph.
ROOT = "model"


class _Root(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.add_module(ROOT, model)

    def forward(self, x: Tensor) -> Any:
        return self.get_submodule(ROOT)(x)


class _Tracer(fx.Tracer):
    """Looks into the modules of the user, and not into those of torch and of repcore, nor into those that are named."""

    def __init__(self, leaves: Collection[Any]) -> None:
        super().__init__()
        self.leaves = leaves

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        # A parametrisation makes a class of its own, whose base is the layer.
        kinds = [c for c in type(m).__mro__ if not c.__name__.startswith("Parametrized")]
        if any(kind in self.leaves for kind in kinds) or path_of(module_qualified_name) in self.leaves:
            return True
        home = kinds[0].__module__
        return home.startswith(("torch.nn.", "repcore_torch.")) and not isinstance(m, nn.Sequential)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        # Those of ACE form weights once a pass. Here each weight is read by itself.
        hooks = _hooks_of(m)
        return super().call_module(m, m.forward if hooks and not is_hooked(m) else forward, args, kwargs)


def _hooks_of(m: nn.Module) -> list[Any]:
    return [*m._forward_pre_hooks.values(), *m._forward_hooks.values()]


def is_hooked(m: nn.Module) -> bool:
    """Whether somebody else's hooks, or a forward of its own in place of that of its class, may change what a module gives."""
    return "forward" in vars(m) or any(not getattr(hook, "__module__", "").startswith("repcore_torch.") for hook in _hooks_of(m))


class Memory:
    """Which node a node has become, where later ones wrote over it.

    Nodes may lie in one place: then who writes over one of them changes the others, in a way that is only known for the one.
    """

    def __init__(self) -> None:
        self._home: dict[str, str] = {}
        self._now: dict[str, str | None] = {}

    def read(self, name: str) -> str | None:
        """The node that holds what a reader finds there; None where that is not known."""
        return self._now.get(name, name)

    def place(self, name: str, source: str) -> None:
        """A node that may lie where another one does."""
        self._home[name] = self._home.get(source, source)

    def write(self, name: str, source: str) -> None:
        """A node that wrote over another one, and lies there."""
        self.place(name, source)
        home, over = self._home[name], self.read(source)
        for other in [home, *(key for key, held in self._home.items() if held == home)]:
            self._now[other] = name if self.read(other) == over else None
        self._now[name] = name


def graph_of(model: nn.Module, leaves: Collection[Any]) -> tuple[nn.Module, fx.Graph]:
    """The root and the graph of a model, which is run with a symbol in place of an input.

    Args:
        model: takes one tensor and returns one.
        leaves: classes and paths of modules that are not looked into.

    Raises:
        IncompatibleError: it cannot be traced: it branches on values, or takes several inputs.
    """
    root = _Root(model)
    try:
        graph = _Tracer(leaves).trace(root)
    except Exception as error:  # whatever a forward makes of a symbol
        raise IncompatibleError(
            f"model: torch.fx cannot follow its forward: {error}. Put what branches on values into a module of its own, and say "
            "lipschitz={ThatModule: ...}; a model of several inputs into one that takes them as one tensor"
        ) from error
    return root, graph


def path_of(target: Any) -> str:
    """The name in the model of what the graph calls."""
    return str(target).removeprefix(ROOT).removeprefix(".")


def layer_of(root: nn.Module, target: Any) -> Any:
    """The module, or the tensor, of a name in the graph."""
    owner, _, name = str(target).rpartition(".")
    holder = root.get_submodule(owner)
    return getattr(holder, name)


class Watched(fx.Interpreter):
    """Runs the graph, and keeps what each node gives.

    Attributes:
        found: the value of each node of the graph that is a tensor.
    """

    def __init__(self, root: nn.Module, graph: fx.Graph) -> None:
        super().__init__(fx.GraphModule(root, graph), garbage_collect_values=False)
        self.found: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        """The value of a node, which is kept."""
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.found[n.name] = value.detach().clone()  # what follows may write to it in place
        return value

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """What each node gives for x."""
        self.found = {}
        with torch.no_grad():
            self.run(x)
        return self.found
