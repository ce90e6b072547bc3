"""`Walk`: norms and errors of features, followed through the graph of a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import hypot, prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg
from torch.nn.modules.conv import _ConvNd

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.flow import Flow, Row, Step, longest, on_grid, refuse, wide
from repcore_torch.flow_functions import as_function, function_step, is_alias, is_in_place, name_of_call, slope_of
from repcore_torch.flow_layers import features_of_weight, is_norm, layer_step, least_length, unknown_weight
from repcore_torch.projector import projector_of
from repcore_torch.slots import constraint_of
from repcore_torch.surgery import sites
from repcore_torch.traced import Memory, Watched, graph_of, is_hooked, layer_of, path_of

__all__ = ["Done", "Walk", "measured_errors"]


class Done:
    """The flows of the nodes, the rows of the table, the last node."""

    def __init__(self, flows: dict[str, Flow], rows: dict[str, rc.LayerBound], last: str) -> None:
        self.flows, self.rows, self.last = flows, rows, last

    @property
    def output(self) -> Flow:
        """What comes out."""
        return self.flows[self.last]


class Walk:
    """A traced model with what its weights map."""

    def __init__(
        self, model: nn.Module, rules: Any, symmetry: Any, rep_in: rc.Rep | None, lipschitz: Mapping[Any, float]
    ) -> None:
        found = list(sites(model)) + ([] if rules is None else list(sites(model, rules, symmetry, method="project")))
        self.found = {site.path: site for site in found}
        self.model, self.rep_in, self.lipschitz, self.has_rules = model, rep_in, lipschitz, rules is not None
        self.root, self.graph = graph_of(model, list(lipschitz))
        self.input = next(n.name for n in self.graph.nodes if n.op == "placeholder")
        self.space: rc.Rep | None = next((space for site in found if (space := self._moves(site)) is not None), None)
        # Functions of one component, such as tanh, have poles where that is complex.
        self.is_complex = any(p.is_complex() for p in model.parameters())
        for site in found:
            self._check(site)

    def _check(self, site: rc.Site) -> None:
        owner = self.model.get_submodule(site.path.rpartition(".")[0])
        if isinstance(owner, _ConvNd) and site.path.endswith("weight") and self.space is not None:
            moves = self._moves(site) or self.space.group.rep
            if moves != self.space:
                raise refuse(
                    repr(site.path), f"its rule moves the cells by {moves}, another one by {self.space}; they must be equal"
                )
        for rep in features_of_weight(owner, site) if site.path.endswith("weight") else ():
            if rep is not None and not all(f.is_orthogonal for f in rc.fields(rep)):
                raise refuse(
                    repr(site.path),
                    f"maps {site.label}, which is not orthogonal: group elements change norms; a compact group can be "
                    "declared in orthonormal coordinates, to which V.orthogonalised().change leads",
                )

    def _moves(self, site: rc.Site) -> rc.Rep | None:
        """How the rule of a kernel, or the constraint that came of it, says that the group moves the cells."""
        owner, _, name = site.path.rpartition(".")
        held = constraint_of(self.model.get_submodule(owner), name)
        found = getattr(held, "spatial", None) or site.rule.spatial
        return found if isinstance(found, rc.Rep) else None

    def spatial(self, directions: int) -> rc.Rep | None:
        """How the group moves the axes of images; None where the rules do not say."""
        if self.space is not None:
            return self.space if self.space.dim == directions else None
        group = (
            self.rep_in.group if self.rep_in is not None else next((s.space.group for s in self.found.values() if s.space), None)
        )
        return group.rep if self.has_rules and group is not None and group.dim == directions else None

    def first(self, shape: tuple[int, ...] | None) -> Flow:
        """The flow of the input, of norm 0 as yet."""
        node = next(n for n in self.graph.nodes if n.op == "placeholder")
        rep, axis = self.rep_in, None
        for user in _walk_users(node):
            layer = layer_of(self.root, user.target) if user.op == "call_module" else None
            site = self.found.get(f"{path_of(user.target)}.weight".lstrip(".")) if layer is not None else None
            told = features_of_weight(layer, site)[0] if site is not None else getattr(layer, "domain", None)
            if isinstance(layer, nn.Linear | _ConvNd) and site is None:
                raise unknown_weight(f"{path_of(user.target)}.weight".lstrip("."))
            if told is None:
                continue
            spots = len(getattr(layer, "kernel_size", ()))
            axis = 1 if spots else getattr(layer, "axis", -1)
            if rep is None:
                cells = prod(layer.kernel_size) if spots else 1  # pyright: ignore
                whole = spots and told.dim == layer.in_channels * cells and cells > 1  # pyright: ignore
                rep = None if whole else told
            break
        if rep is None:
            raise IncompatibleError(
                "rep_in: what acts on the input is not known, as no layer with a rule takes it; say what one cell of it holds"
            )
        if axis is None:
            axis = -1 if shape is None or len(shape) == 1 or shape[0] != rep.dim else 1
        if shape is None and axis == -1:
            shape = (rep.dim,)
        if shape is not None and shape[0 if axis == 1 else -1] != rep.dim:
            raise IncompatibleError(f"shape: inputs of shape {shape} do not hold {rep.dim} features of {rep} along axis {axis}")
        return Flow(0.0, 0.0, rep, axis, shape)

    def watched(self, first: Flow, inputs: Tensor | None) -> dict[str, Tensor] | None:
        """What each node gives: for the inputs, or for one of zeros, whose shapes are the same; None without a shape."""
        if inputs is None and first.shape is None:
            return None
        if inputs is None:
            like = next((p for p in self.model.parameters() if p.is_floating_point() or p.is_complex()), torch.zeros(0))
            inputs = like.new_zeros((2, *(first.shape or ())))  # norms of a batch want two rows
        try:
            return Watched(self.root, self.graph)(inputs)
        except (RuntimeError, ValueError) as error:
            raise IncompatibleError(f"shape: the model does not take inputs of shape {tuple(inputs.shape)}: {error}") from error

    def follow(self, first: Flow, seen: dict[str, Tensor] | None, ball: dict[str, Flow] | None) -> Done:
        """Norms and errors from the input to the output.

        Args:
            first: the input.
            seen: what each node gave, for shapes.
            ball: the flows for the whole ball. Given, norms are those of what was seen, and the bound is for these inputs.
        """
        flows: dict[str, Flow] = {}
        steps: dict[str, tuple[list[str], Step]] = {}
        memory = Memory()
        last = ""
        for node in self.graph.nodes:
            if node.op == "placeholder":
                flows[node.name] = first
                continue
            if node.op == "output":
                last = getattr(node.args[0], "name", "")
                if last not in flows:
                    raise IncompatibleError("model: must return one tensor of features; wrap it in a module that does")
                last = _read(memory, last, "the output")
                continue
            current = {n.name: _read(memory, n.name, node.name) for n in _inputs_of(node) if n.name in flows}
            sources = [current[n.name] for n in _inputs_of(node) if n.name in flows]
            if not sources and not _is_constant(node):
                continue  # sizes and the like
            least = self._least(node, seen, sources) if ball is not None else 0.0
            step = self._step(node, {name: flows[now] for name, now in current.items()}, least)
            if step is None:
                continue
            if sources:
                self._remember(memory, node, sources[0])
            value = None if seen is None or not sources else seen.get(node.name)
            norm = step.norm
            if value is not None and seen is not None:
                self._check_shape(node, step, tuple(value.shape), len(seen[self.input]))
            if ball is not None and value is not None:
                norm = min(norm, longest(value))
            error = sum(g * flows[name].error for g, name in zip(step.gains, sources, strict=True)) + step.adds
            # h(gx) and rho(g) h(x) are no longer than the norms: of gx too, which is in the ball.
            cap = norm + (norm if ball is None else ball[node.name].norm)
            if error > cap:
                step = replace(step, gains=tuple(g * cap / error for g in step.gains), adds=step.adds * cap / error)
                error = cap
            shape = step.shape if value is None else tuple(value.shape[1:])
            flows[node.name] = Flow(norm, error, step.rep, step.axis, shape)
            steps[node.name] = (sources, step)
        return Done(flows, self._rows(flows, steps, last), last)

    def _check_shape(self, node: fx.Node, step: Step, shape: tuple[int, ...], batch: int) -> None:
        """Refuse what mixes inputs, and features that are not where they are taken to be."""
        if len(shape) < 2 or shape[0] != batch or shape[step.axis] != step.rep.dim:
            raise refuse(
                node.name,
                f"gives shape {shape} for {batch} inputs, and {step.rep.dim} features along axis {step.axis} were expected",
            )

    def _remember(self, memory: Memory, node: fx.Node, source: str) -> None:
        """Whether a node lies where its first input does, or wrote over it."""
        layer = layer_of(self.root, node.target) if node.op == "call_module" else None
        name = name_of_call(node.target) if layer is None else (as_function(layer) or ("",))[0]
        if getattr(layer, "inplace", False) or (layer is None and is_in_place(name, node.args, node.kwargs)):
            memory.write(node.name, source)
        elif is_alias(name) or self._given(node, path_of(node.target), layer) is not None:
            memory.place(node.name, source)

    def _rows(self, flows: dict[str, Flow], steps: dict[str, tuple[list[str], Step]], last: str) -> dict[str, rc.LayerBound]:
        """The table, with what follows each layer: the gains of all ways to the output, summed backward."""
        after = dict.fromkeys(flows, 0.0)
        after[last] = 1.0
        for name, (sources, step) in reversed(steps.items()):
            for source, gain in zip(sources, step.gains, strict=True):
                after[source] += gain * after[name]
        rows: dict[str, rc.LayerBound] = {}
        nodes = {node.name: node for node in self.graph.nodes}
        for name, (sources, step) in steps.items():
            row = step.row or (Row(step.gains[0] if step.gains else 0.0, 0.0, "") if step.adds else None)
            if row is not None:
                path = path_of(nodes[name].target) or "model"
                before = flows[sources[0]].norm if sources else 0.0
                numbers = (row.norm, row.distance, row.how, before, after[name], after[name] * step.adds, flows[name].error)
                rows[name] = rc.LayerBound(path, *numbers)
        return rows

    def _least(self, node: fx.Node, seen: dict[str, Tensor] | None, sources: list[str]) -> float:
        layer = layer_of(self.root, node.target) if node.op == "call_module" else None
        if seen is None or not isinstance(layer, nn.Module) or not is_norm(layer):
            return 0.0
        return least_length(layer, seen[sources[0]])

    def _step(self, node: fx.Node, flows: dict[str, Flow], least: float) -> Step | None:
        path = path_of(node.target)
        where = repr(path) if node.op == "call_module" else f"{getattr(node.target, '__name__', node.target)} ({node.name})"
        if _is_constant(node):
            return self._constant(node)

        def as_flow(n: fx.Node) -> Any:
            return flows.get(n.name, n)

        args = map_arg(node.args, as_flow)
        kwargs = map_arg(node.kwargs, as_flow)
        sources = [flows[n.name] for n in _inputs_of(node) if n.name in flows]
        x = sources[0]
        layer = layer_of(self.root, node.target) if node.op == "call_module" else None
        given = self._given(node, path, layer)
        if layer is not None and given is None and is_hooked(layer):
            raise refuse(
                where, "has a forward hook, which may change what it gives; remove it, or say lipschitz={...} of the layer"
            )
        known = (name_of_call(node.target), {}) if layer is None else as_function(layer)
        if self.is_complex and given is None and known and known[0] not in ("abs", "neg") and slope_of(known[0], {}) is not None:
            raise refuse(where, f"{known[0]} of complex numbers has no Lipschitz constant; use NormNonlinearity")
        if given is not None:
            norm = given * hypot(*(source.norm for source in sources))
            return Step((given,) * len(sources), 0.0, norm, x.rep, x.axis, None, Row(given, 0.0, "given"))
        if layer is not None:
            if known is not None:
                step = function_step(known[0], (x,), known[1], where, self.spatial)
            else:
                site = self.found.get(f"{path}.weight".lstrip("."))
                step = layer_step(layer, path, x, site, least, self.spatial)
            kind = type(layer).__name__.removeprefix("Parametrized")
        else:
            kind = getattr(node.target, "__name__", str(node.target))
            if kind in ("size", "dim", "getattr"):
                return None
            step = function_step(name_of_call(node.target), args, kwargs, where, self.spatial)
        if step is None or len(step.gains) != len(sources):
            raise IncompatibleError(
                f"{where} is a {kind}, of which no Lipschitz constant is known; give lipschitz={{{kind}: ...}} if it is "
                "equivariant and takes zero to zero"
            )
        return step

    def _given(self, node: fx.Node, path: str, layer: Any) -> float | None:
        keys = [path, *type(layer).__mro__] if layer is not None else [node.target]
        return next((float(self.lipschitz[key]) for key in keys if key in self.lipschitz), None)

    def _constant(self, node: fx.Node) -> Step:
        """A parameter that the model adds, such as a position: of norm ||c||, and error at most 2 ||c - P c||."""
        path = path_of(node.target).replace("parametrizations.", "")
        site = self.found.get(path)
        maps = None if site is None else getattr(site.rule.maps, "space", site.rule.maps)
        held = None if site is None else constraint_of(self.model.get_submodule(path.rpartition(".")[0]), path.rpartition(".")[2])
        maps = getattr(held, "projector", None) and held.projector.source if isinstance(maps, rc.Plan) else maps  # pyright: ignore
        rep = maps.codomain if isinstance(maps, rc.Hom) else maps if isinstance(maps, rc.Rep) else None
        if isinstance(maps, rc.Hom) and maps.domain != rc.trivial(maps.group):
            raise refuse(
                repr(path), f"is added to features, and its rule takes it for a map {maps}; give the representation alone"
            )
        if site is None or site.view is None or rep is None:
            raise unknown_weight(path)
        tensor = wide(layer_of(self.model, path))
        value = site.view.read(tensor)
        distance = float((value - projector_of(site.plan)(value)).norm())
        shape = tuple(tensor.shape[1:]) if tensor.ndim > 1 and tensor.shape[0] == 1 else tuple(tensor.shape)
        return Step((), 2 * distance, float(value.norm()), rep, -1, shape, Row(float(value.norm()), distance, "constant"))


def measured_errors(
    walk: Walk, done: Done, inputs: Tensor, seen: dict[str, Tensor] | None, samples: int, seed: int
) -> dict[str, float]:
    """The largest error after each layer, for elements g and the data; nothing where g does not send cells to cells."""
    if seen is None:
        return {}
    names = [*done.rows, done.last]
    group = done.output.rep.group
    acts: dict[str, rc.Rep | None] = {}
    for name in {*names, walk.input}:
        box = done.flows[name].box or ()
        acts[name] = on_grid(done.flows[name].rep, box, walk.spatial(len(box)))
    start = acts[walk.input]
    if start is None:
        return {}
    known = {name: rep for name in names if (rep := acts[name]) is not None}
    worst = dict.fromkeys(known, 0.0)
    machine = Watched(walk.root, walk.graph)
    for g in rc.sample(group, samples, seed=seed):
        moved = machine(_act(g, start, inputs, done.flows[walk.input].axis))
        for name, rep in known.items():
            off = moved[name] - _act(g, rep, seen[name], done.flows[name].axis)
            worst[name] = max(worst[name], longest(off))
    return worst


def _act(g: Any, rep: rc.Rep, x: Tensor, axis: int) -> Tensor:
    """rho(g) x for images, all of whose features and cells are one vector, or for features along the last axis."""
    flat = x.flatten(1) if axis == 1 else x
    found = g.act(rep, wide(flat).numpy())
    return torch.as_tensor(np.ascontiguousarray(found)).to(x).reshape(x.shape)


def _walk_users(node: fx.Node) -> Iterable[fx.Node]:
    """The nodes that an input reaches, nearest first, up to a layer."""
    edge, met = list(node.users), set(node.users)
    while edge:
        found = edge.pop(0)
        yield found
        edge += [n for n in found.users if n not in met]
        met |= set(found.users)


def _inputs_of(node: fx.Node) -> list[fx.Node]:
    """The nodes that a node reads, in order, each as often as it is read."""
    found: list[fx.Node] = []
    map_arg((node.args, node.kwargs), found.append)
    return found


def _read(memory: Memory, name: str, reader: str) -> str:
    """The node that holds what is read where another one was."""
    found = memory.read(name)
    if found is None:
        raise refuse(reader, f"reads {name}, which may lie where a later function wrote in place; write it out of place")
    return found


def _is_constant(node: fx.Node) -> bool:
    return node.op == "get_attr" or (node.op == "call_module" and "parametrizations" in str(node.target).split("."))
