"""`ACE`: adaptive constrained equivariance: training decides layer by layer how much symmetry to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from math import isfinite, prod
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.utils import parametrize

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.branch import Branch, Layer, rows_of
from repcore_torch.constraint import attach
from repcore_torch.digest import guard
from repcore_torch.family import Family, moved_in, quicken
from repcore_torch.fold import fold
from repcore_torch.homotopy import Homotopy
from repcore_torch.slots import slots_of
from repcore_torch.surgery import features_of, moves_of, source_of

__all__ = ["ACE"]

_VERSION = 1
_KINDS = ("layer", "channel", "irrep", "shared")


class ACE:
    """Split each weight that rules mean into what is equivariant and the rest, and let a controller weigh the rest.

        W = E + gamma s N / ||N||_F,    E = sum_a theta_a B_a,    N = (I - P) M

    theta and M are learned by the optimiser, gamma by the controller. N is orthogonal to every equivariant map and its length is
    divided out, so that gamma has a meaning and cannot hide in M: with s = ||E||_F it is ||W - P W|| / ||P W||, and the mean
    over the group of the defect ||rho_Y(g) W - W rho_X(g)||_F^2 is exactly 2 (gamma s)^2. A weight and its bias are
    one layer: one gamma, norms over both. At gamma = 0 the output is that of the strict model, bit by bit.
    (Manolache, Chamon and Niepert, NeurIPS 2025, arXiv 2505.13631, with a free f_neq; here normalised.)

    The model is changed in place, and its weights are what they were: gamma begins at ||W - P W|| / s. Fresh models want
    :func:`init_` before, for N needs something to begin with. An optimiser made *after* is right. In anyone's loop:

        loss.backward(); optimizer.step(); ace.step(lambda: loss_of(model, held_out_batch))

    The function is called when gamma moves, once in ``every`` steps; its gradient is taken with respect to gamma alone.
    Examples that the optimiser does not see tell whether N has learned something or fitted noise. Without it, ``ace.step()``
    takes the mean of the gradients that the backward passes since have left; these are not unscaled where a GradScaler is in use.
    What ``torch.compile`` makes of the model trains alike and leaves gamma no gradients: there give ``step`` the model itself.

    Args:
        model: the model, or a layer.
        rules: as for :func:`symmetrize`; None where the model has :class:`Homotopy` modules alone, which take part in any case.
        symmetry: the spec or the group that gives texts their meaning.
        controller: a ``repcore.Controller``; by default ``repcore.Resilient`` with a dead zone.
        per: ``"layer"``: one gamma for each layer. ``"shared"``: one for all. ``"channel"``: one for each copy of a summand of
            the outputs, ``"irrep"``: for each isotypic component of the outputs; s is then divided by the root of their number,
            so that 2 s^2 times the mean square is the mean defect.
        scale: s: ``"equivariant"``, the norm ||E||_F of the layer (1 where no map but zero is equivariant); or a number.
        gamma: to begin with, in place of what the weights say.
        every: steps from one move of gamma to the next.
        steps: of the whole training; gamma does not move in the last part of it. None: until :meth:`freeze` is called.
        freeze: the last part, from 0 to 1.
        log_every: steps from one entry of ``history`` to the next.
        bounds: whether entries have the bounds of :meth:`bounds`, which take singular values.
        generator: for N where a weight is equivariant as it is.
        process_group: the processes over which gamma's gradient is averaged where ``torch.distributed`` is initialised, so that
            gamma moves alike in each; None: all of them. All must call :meth:`step`, with the model itself in the loss and not
            with its DistributedDataParallel.

    Raises:
        IncompatibleError: rules that do not fit, as :func:`symmetrize`; nothing to split; options that are not as above. The
            model is then as it was.

    Cost: small layers are formed together, once in a forward pass of the model. A step of a network of 19,000 weights takes 1.2
    times what it takes without at batch 1024, 1.55 times at 256; ``fold()`` costs what the strict model costs. A layer that is
    called by itself, outside of its model, forms its weights by itself.

    >>> import repcore as rc, torch
    >>> import repcore_torch as rct
    >>> V = rc.dihedral(4).rep
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False))
    >>> _ = rct.init_(model[0].weight, V >> V, complement=0.6)
    >>> ace = rct.ACE(model, {"0": V >> V})
    >>> {name: round(gamma.item(), 3) for name, gamma in ace.gamma.items()}
    {'0': 0.75}
    >>> with ace.branch(False):
    ...     strict = model[0].weight
    >>> bool((strict == ace.fold()[0].weight).all())
    True
    """

    def __init__(
        self,
        model: nn.Module,
        rules: Any = None,
        *,
        symmetry: rc.Spec | rc.Group | None = None,
        controller: rc.Controller | None = None,
        per: str = "layer",
        scale: str | float = "equivariant",
        gamma: float | None = None,
        every: int = 10,
        steps: int | None = None,
        freeze: float = 0.2,
        log_every: int = 25,
        bounds: bool = False,
        generator: torch.Generator | None = None,
        process_group: Any = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise IncompatibleError(f"model: expected a torch module, got {type(model).__name__}")
        if per not in _KINDS:
            raise IncompatibleError(f"per is {per!r}; choose one of {', '.join(map(repr, _KINDS))}")
        for name, count in (("every", every), ("log_every", log_every), ("steps", 1 if steps is None else steps)):
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise IncompatibleError(f"{name}: is {count!r}; give a whole number, at least 1")
        if not 0 <= freeze <= 1:
            raise IncompatibleError(f"freeze is {freeze!r}; give a part of the training, from 0 to 1")
        controller = rc.Resilient.default() if controller is None else controller
        if not isinstance(controller, rc.Controller):
            raise IncompatibleError(
                f"controller: is {type(controller).__name__}; give a repcore.Controller, such as rc.Resilient()"
            )
        if gamma is not None and (isinstance(gamma, bool) or not isfinite(gamma)):
            raise IncompatibleError(f"gamma is {gamma!r}; give a number, or None for what the weights say")
        self.model, self.controller, self.every, self.log_every = model, controller, every, log_every
        self._bounds, self._process_group = bounds, process_group
        self._until = None if steps is None else round(steps * (1 - freeze))
        homotopies = {name or "model": m for name, m in model.named_modules() if isinstance(m, Homotopy)}
        if moved := [name for name, m in homotopies.items() if any(m is other for other in moved_in(model))]:
            raise IncompatibleError(
                f"model: another ACE moves the Homotopy {moved[0]!r} already; go on with that one, or begin with ace.fold()"
            )
        found = () if rules is None else tuple(rc.resolve(rules, slots_of(model), symmetry))
        if not found and not homotopies:
            raise IncompatibleError(
                "rules: say what the weights map, or put a Homotopy into the model; there is nothing to split"
            )
        self.sites = rc.Sites(found, ())
        layers = _attached(model, found, per, _scale(scale), gamma, generator)
        self._family = Family(layers, homotopies, per == "shared")
        if gamma is not None:
            for homotopy in homotopies.values():
                homotopy.gamma.fill_(gamma)
        elif per == "shared":
            every_gamma = [b.gamma for layer in layers for b in layer.branches[:1]] + [h.gamma for h in homotopies.values()]
            self._family.set(torch.cat([g.to(every_gamma[0]) for g in every_gamma]).mean().reshape(1))
        self._state = controller.init(self._family.gammas())
        self._count, self._moves, self._since, self._frozen = 0, 0, 0, False
        self._last: Tensor | None = None
        self.history = rc.History()
        guard(model)
        model.register_forward_pre_hook(self._family.before)
        model.register_forward_hook(self._family.after, always_call=True)

    # ------------------------------------------------------------------------------------------------ training

    def step(self, loss: Callable[[], Tensor] | None = None) -> None:
        """After each step of the optimiser: move gamma where it is time to, and write down where it stands.

        Args:
            loss: evaluates the loss on examples that the optimiser does not see; called only where gamma moves.

        Raises:
            IncompatibleError: gamma has no gradient: the loss does not depend on the model, or there was no backward pass. The
                step is then not counted.
        """
        before = self._count, self._since, self._frozen
        self._count, self._since = self._count + 1, self._since + 1
        is_due = self._count % self.every == 0
        if self._until is not None and self._count > self._until:
            self._frozen = True
        if is_due and not self._frozen:
            try:
                self._move(loss)
            except BaseException:
                self._count, self._since, self._frozen = before
                raise
        if self._frozen:
            self._family.gradient = None
        if self._count % self.log_every == 0:
            self.history.append(self.moment())

    def freeze(self) -> None:
        """Leave gamma, the multipliers and the slack where they are from now on."""
        self._frozen = True

    def _move(self, loss: Callable[[], Tensor] | None) -> None:
        needs = not isinstance(self.controller, rc.Fixed | rc.Schedule)
        gradient = self._gradient(loss) if needs else None
        with torch.no_grad():
            gamma = self._family.gammas()
            gradient = torch.zeros_like(gamma) if gradient is None else self._averaged(gradient.to(gamma))
            new, self._state = self.controller.update(gamma, gradient, self._state, self._moves, torch)
            self._family.set(new)
        self._moves, self._since, self._last = self._moves + 1, 0, gradient
        self._family.gradient = None

    def _averaged(self, gradient: Tensor) -> Tensor:
        """The mean over all processes, so that gamma moves alike in each."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return gradient
        count = distributed.get_world_size(self._process_group)
        if count < 2:
            return gradient
        # A copy, for the gradient may be that of a graph; gloo knows no mean.
        found = gradient.clone()
        distributed.all_reduce(found, group=self._process_group)
        return found / count

    def _gradient(self, loss: Callable[[], Tensor] | None) -> Tensor:
        family = self._family
        if loss is None:
            if family.gradient is None:
                raise IncompatibleError(
                    "step: no backward pass has reached gamma since it moved; call step after loss.backward(), and with a loss "
                    "where the model is compiled"
                )
            return family.gradient / self._since
        kept, family.gradient, family.leaf = family.gradient, None, None
        try:
            with torch.enable_grad():
                value = loss()
            leaf = family.leaf
            if leaf is None or not isinstance(value, Tensor) or not value.requires_grad:
                raise IncompatibleError(
                    "loss: its value does not depend on the model; evaluate the model within, not what torch.compile made of it, "
                    "and return a scalar"
                )
            # The leaf of the last pass; hooks add up those of all passes.
            with family.only_gamma():
                torch.autograd.grad(value, leaf, allow_unused=True)
            found = family.gradient
        finally:
            family.gradient, family.leaf = kept, None
        if found is None:
            raise IncompatibleError("loss: its value does not depend on gamma; evaluate the model with its branch on")
        return found

    @property
    def step_count(self) -> int:
        """The number of steps so far."""
        return self._count

    # ---------------------------------------------------------------------------------------------- evaluation

    def branch(self, on: bool) -> AbstractContextManager[None]:
        """Within, the model is evaluated with its branch, or without: strict. To choose a checkpoint by either."""
        return self._family.switched(on)

    def fold(self, branch: bool = False) -> nn.Module:
        """A plain copy of the model with dense weights: the strict one, or with ``branch=True`` the one that was trained.

        See :func:`repcore_torch.fold`. It costs what the model costs without ACE.
        """
        with self._family.switched(branch):
            return fold(self.model)

    # ---------------------------------------------------------------------------------------------- inspection

    @property
    def gamma(self) -> dict[str, Tensor]:
        """The gammas of each layer, (k,)."""
        names, gammas = list(self._family.counts()), self._family.cut(self._family.gammas())
        return dict(zip(names, gammas, strict=True))

    @gamma.setter
    def gamma(self, value: float | Mapping[str, Any]) -> None:
        found = dict(self.gamma)
        values = value if isinstance(value, Mapping) else dict.fromkeys(found, value)
        if unknown := [name for name in values if name not in found]:
            raise IncompatibleError(f"gamma: there is no layer {unknown[0]!r}; there are {', '.join(map(repr, found))}")
        for name, each in values.items():
            found[name] = torch.as_tensor(each).to(found[name]).expand(found[name].shape)
        parts = list(found.values())
        self._family.set(parts[0] if self._family.shared else torch.cat(parts))

    def defects(self) -> dict[str, tuple[float, float]]:
        """Of each layer that rules split: sqrt(2) ||W - P W||_F, the exact mean of its defect, and ||W - P W|| / ||P W||."""
        out = {}
        for layer in self._family.layers:
            outside, inside = (x.item() for x in layer.defect())
            out[layer.name] = (2**0.5 * outside, outside / inside if inside else float("inf") if outside else 0.0)
        return out

    def residuals(self) -> dict[str, Tensor]:
        """How far the conditions of Karush, Kuhn and Tucker are from being met at the last move: name -> all gammas."""
        if self._last is None:
            return {}
        return self.controller.residuals(self._family.gammas(), self._last, self._state, torch)

    @torch.no_grad()
    def bounds(self) -> rc.BranchBounds:
        """:func:`repcore.branch_bounds` of the layers that rules split, in the order of the model; biases are left out.

        A convolution counts with the norm of its kernel on a patch times the root of the number of cells, which bounds it. The
        bounds are for chains of layers with equivariant functions of Lipschitz constant 1 between them.

        Cost: the largest singular value of two matrices a layer.
        """
        rows: list[tuple[float, float, float]] = []
        for layer in self._family.layers:
            inside, outside, squares, size = layer.parts()
            share = size / squares.sqrt()
            for branch, E, N, (module, _) in zip(layer.branches, inside, outside, layer.places, strict=True):
                if E.shape[-1] == 1 and not branch.is_map:
                    continue
                cells = prod(getattr(module, "kernel_size", ())) ** 0.5
                unit = branch.rows.turn(share.index_select(0, branch.index(share.device)).unsqueeze(-1) * N, back=True)
                norms = [cells * torch.linalg.matrix_norm(M.double(), 2).max().item() for M in (E, unit)]
                rows.append((norms[0], norms[1], branch.gamma.abs().max().item()))
        return rc.branch_bounds(*zip(*rows, strict=True)) if rows else rc.branch_bounds([0.0], [0.0], [0.0])

    def moment(self) -> rc.Moment:
        """Where everything stands, as plain numbers."""
        names = list(self._family.counts())

        def by_layer(vector: Tensor) -> dict[str, float]:
            return {n: part.abs().max().item() for n, part in zip(names, self._family.cut(vector), strict=True)}

        defects = self.defects()
        found = self.bounds() if self._bounds else None
        return rc.Moment(
            self._count,
            by_layer(self._family.gammas()),
            by_layer(self._state["multiplier"]) if "multiplier" in self._state else {},
            by_layer(self._state["slack"]) if "slack" in self._state else {},
            {name: mean for name, (mean, _) in defects.items()},
            {name: relative for name, (_, relative) in defects.items()},
            {name: value.max().item() for name, value in self.residuals().items()},
            None if found is None else found.dropping,
            None if found is None else found.equivariance,
        )

    # ------------------------------------------------------------------------------------------------ resuming

    def state_dict(self) -> dict[str, Any]:
        """The counts, the state of the controller and the history; gamma itself is in the ``state_dict`` of the model."""
        return {
            "version": _VERSION,
            "layers": self._family.counts(),
            "count": self._count,
            "moves": self._moves,
            "since": self._since,
            "frozen": self._frozen,
            "controller": {name: value.clone() for name, value in self._state.items()},
            "gradient": None if self._family.gradient is None else self._family.gradient.clone(),
            "last": None if self._last is None else self._last.clone(),
            "history": self.history.state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there: with the model's and the optimiser's states, the same trajectory.

        Raises:
            IncompatibleError: no such state, or one of other layers or of another controller. All is then as it was.
        """
        if not isinstance(state, Mapping) or state.get("version") != _VERSION:
            raise IncompatibleError("state: is no state of an ACE; give what its state_dict() returned")
        if state.get("layers") != self._family.counts():
            raise IncompatibleError(f"state: is that of the layers {state.get('layers')}, not {self._family.counts()}")
        held = state.get("controller")
        if not isinstance(held, Mapping) or held.keys() != self._state.keys():
            raise IncompatibleError(
                f"state: is not that of {self.controller!r}, whose state has {', '.join(self._state) or 'nothing'}"
            )
        numbers: list[Any] = [state.get(name) for name in ("count", "moves", "since")]
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in numbers):
            raise IncompatibleError("state: holds no counts of steps; give what state_dict() returned")
        like = self._family.gammas()
        for name, value in {**held, "gradient": state.get("gradient"), "last": state.get("last")}.items():
            if value is not None and (not isinstance(value, Tensor) or value.shape != like.shape):
                raise IncompatibleError(f"state: {name!r} is no tensor of shape {tuple(like.shape)}")
        history = rc.History.of_state(state.get("history", []))
        self._count, self._moves, self._since = numbers
        self._frozen = bool(state.get("frozen"))
        self._state = {name: value.to(like.device).clone() for name, value in held.items()}
        self._family.gradient, self._last = (
            None if value is None else value.to(like).clone() for value in (state.get("gradient"), state.get("last"))
        )
        self.history = history

    def __repr__(self) -> str:
        return f"<ACE of {len(self._family.counts())} layers, step {self._count}: {self.controller!r}>"


def _scale(scale: Any) -> float | None:
    if scale == "equivariant":
        return None
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < float("inf"):
        raise IncompatibleError(f"scale is {scale!r}; give 'equivariant' or a positive number")
    return float(scale)


def _attached(
    model: nn.Module,
    sites: tuple[rc.Site, ...],
    per: str,
    scale: float | None,
    gamma: float | None,
    generator: torch.Generator | None,
) -> list[Layer]:
    """Split the weights; all or nothing."""
    groups: dict[Any, list[tuple[rc.Site, nn.Module, str, Branch, Tensor]]] = {}
    for site in sites:
        owner, _, name = site.path.rpartition(".")
        module, view = model.get_submodule(owner), site.view
        tensor: Any = getattr(module, name)
        if site.plan is None or view is None:
            raise IncompatibleError(f"{site.path!r} has no space of maps, and cannot be split")
        if site.plan.is_complex and not tensor.is_complex():
            raise IncompatibleError(f"{site.path!r} is real and its space is complex: use V.realify(), or a complex weight")
        branch = Branch(source_of(site), view, site.label, features_of(site), rows_of(site, per), tensor)
        branch.spatial = moves_of(site)
        branch.is_map = "i" in (site.rule.letters or site.slot.axes)
        # Several spaces of outputs in one layer, as in attention, have rows of their own.
        space = site.space.codomain if per in ("channel", "irrep") and site.space is not None else None
        groups.setdefault((site.slot.owner, space), []).append((site, module, name, branch, tensor))
    owners = [owner for owner, _ in groups]
    undo: list[Callable[[], None]] = []
    layers: list[Layer] = []
    try:
        for number, ((owner, _), held) in enumerate(groups.items()):
            twin = owners[:number].count(owner)
            label = (owner or "model") + (f"[{twin}]" if twin else "")
            before = [tensor.detach().clone() for *_, tensor in held]
            for _, module, name, branch, tensor in held:
                undo.append(_undo(module, name, tensor))
                attach(module, name, branch)
                quicken(module, name)
            layer = Layer(label, [branch for *_, branch, _ in held], [(module, name) for _, module, name, _, _ in held], scale)
            _begin(layer, before, gamma, generator)
            layers.append(layer)
    except BaseException:
        for step in reversed(undo):
            step()
        raise
    return layers


def _undo(module: nn.Module, name: str, parameter: Any) -> Callable[[], None]:
    before = parameter.detach()

    def undo() -> None:
        if parametrize.is_parametrized(module, name):
            parametrize.remove_parametrizations(module, name)
        with torch.no_grad():
            parameter.set_(before)
        module._parameters[name] = parameter

    return undo


@torch.no_grad()
def _begin(layer: Layer, before: list[Tensor], gamma: float | None, generator: torch.Generator | None) -> None:
    """M and gamma, so that the weights are what they were; M as long as E, and drawn where a weight is equivariant."""
    size = layer.size()
    sizes = [branch.free.numel() for branch in layer.branches]
    whole = torch.stack([W.norm().to(size.dtype) for W in before]).norm()
    _, outside, squares, _ = layer.parts()
    rounding = torch.finfo(size.dtype).eps * max(sum(b.projector.shape) for b in layer.branches) * whole
    live = layer.live.to(size.device)
    held = live & squares.isfinite() & (squares.sqrt() > rounding)
    drawn = []
    for branch in layer.branches:
        free = branch.free
        draw = torch.randn(free.shape, dtype=free.dtype, device=free.device, generator=generator) / sum(sizes) ** 0.5
        draw = branch.view.read(draw)
        drawn.append(branch.rows.turn(draw - branch.projector(draw)))
    length = squares.where(held, 0).sum().sqrt()
    for branch, N, D in zip(layer.branches, outside, drawn, strict=True):
        mine = held[branch.index(size.device)].unsqueeze(-1)
        mixed = torch.where(mine, N / length.clamp(min=torch.finfo(size.dtype).tiny), D) * torch.where(size > 0, size, 1)
        branch.free.copy_(branch.view.write(branch.rows.turn(mixed, back=True).to(branch.free.dtype)))
        ratio = torch.where(held & (size > 0), squares.sqrt() * layer.count**0.5 / size, 0)
        branch.gamma.copy_(ratio if gamma is None else torch.full_like(ratio, gamma))
