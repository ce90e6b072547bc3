"""`symmetrize`: surgery on a whole model by rules; `sites`: what it would do, or has done."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

import repcore as rc
from repcore import IncompatibleError, RepcoreWarning
from repcore_torch import fast_path
from repcore_torch.constraint import Constraint, attach
from repcore_torch.digest import guard
from repcore_torch.hooks import take_hooks
from repcore_torch.normalise import BatchNorm, LayerNorm, RMSNorm
from repcore_torch.projector import Projector
from repcore_torch.slots import bare_norms, constraint_of, slots_of

__all__ = ["read_map", "sites", "source_of", "symmetrize"]

_METHODS = ("constrain", "project")
_STARTS = ("project", "rescale")
_NORMS: dict[str, Any] = {"batch_norm": BatchNorm, "layer_norm": LayerNorm, "rms_norm": RMSNorm}

Method = Literal["constrain", "project"]
Start = Literal["project", "rescale"]
Symmetry = rc.Spec | rc.Group | None


@overload
def symmetrize(
    model: nn.Module,
    rules: Any,
    *,
    symmetry: Symmetry = None,
    method: Method = "constrain",
    start: Start = "project",
    dry_run: Literal[True],
) -> rc.Sites: ...
@overload
def symmetrize(
    model: nn.Module,
    rules: Any,
    *,
    symmetry: Symmetry = None,
    method: Method = "constrain",
    start: Start = "project",
    dry_run: Literal[False] = False,
) -> nn.Module: ...
def symmetrize(
    model: nn.Module,
    rules: Any,
    *,
    symmetry: Symmetry = None,
    method: Method = "constrain",
    start: Start = "project",
    dry_run: bool = False,
) -> nn.Module | rc.Sites:
    """Make the layers of a model equivariant, in place: rules say which, and what they map.

    A rule is a pattern of names or a class, and what the layers that it means map, ``X >> Y``. Each weight is read as a map of
    that space, its bias as an invariant vector of Y, and replaced by its projection; from then on only coefficients are learned.

    ======================  ==========================  =============================================================
    layer                   rule                        weight, as a map
    ======================  ==========================  =============================================================
    Linear                  ``X >> Y``                  (out, in)
    Conv, transposed Conv   ``X >> Y``: of one cell     of X * grid >> Y, exactly where the group moves cells to cells,
                                                        else by sampled kernels (:func:`repcore.kernels`)
    grouped Conv            ``g*A >> g*B``; ``A >> B``  one map for each group; one kernel a feature for groups that
                                                        permute features
    Embedding               ``T >> X``; X               row t is the image of token t; tokens that no element moves
    MultiheadAttention      ``X >> Y``, ``inner=H``     query, key, value X >> H and the last step H >> Y, head by head
    LayerNorm, RMSNorm      X                           replaced by :class:`LayerNorm`, :class:`RMSNorm`
    BatchNorm               X                           replaced by :class:`BatchNorm`, statistics shared within a field
    any tensor              ``1 >> X``, ``grid >> X``   class tokens, position embeddings; axes by ``rc.Rule(axes=)``
    ======================  ==========================  =============================================================

    What is between the layers is the user's: a pointwise nonlinearity keeps the symmetry of features that the group permutes
    (``rc.pointwise(X)``), others want :class:`Gate` or :class:`NormNonlinearity`; :func:`audit` finds those in a forward pass.

    Args:
        model: the model, or a layer; changed in place.
        rules: a mapping from patterns such as ``"layers.*.mlp"`` or classes such as ``nn.Conv2d`` to spaces, texts of spaces,
            bases, plans, representations, or :class:`repcore.Rule` with options. Or a ``repcore.Spec`` with ``[rules]``. ``*``
            stands for a part of a name, ``**`` for any number of them.
        symmetry: the spec or the group that gives texts their meaning.
        method: ``"constrain"``: learn coefficients (:func:`constrain`). ``"project"``: project once, and leave plain weights.
        start: where the coefficients begin. ``"project"``: at those of P W, which keeps what a trained weight has learned.
            ``"rescale"``: at P W ||W|| / ||P W||, for fresh models: nearly nothing of a random weight is equivariant, and its
            projection alone would let hardly any signal through. Biases are projected.
        dry_run: change nothing, and return the table of what would be done; print it.

    Returns:
        The model; for a dry run :class:`repcore.Sites`.

    An optimiser made *after* the call is right without further thought. ``fold(model)`` gives back a plain model.

    Raises:
        IncompatibleError: a rule that means nothing, with near misses; two rules for one weight; a shape or a dtype that does not
            fit; a weight that is symmetrised already. SpecError: a text that cannot be read. The model is then as it was.

    Warns:
        RepcoreWarning: a weight whose space has dimension 0, so that the layer is zero.

    Cost: one solve for each distinct space, cached; one projection for each weight.

    >>> import repcore as rc, torch
    >>> D4 = rc.dihedral(4)
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    >>> rules = {"0": "V >> 2*regular", "2": "2*regular >> V"}
    >>> symmetrize(model, rules, symmetry=D4, dry_run=True)
    weight    shape   layer   rule  maps            before  after
    0.weight  16 x 2  linear  0     V >> 2*regular      32      4
    0.bias    16      linear  0     1 >> 2*regular      16      2
    2.weight  2 x 16  linear  2     2*regular >> V      32      4
    2.bias    2       linear  2     1 >> V               2      0
    82 parameters become 10
    >>> model = symmetrize(model, rules, symmetry=D4)
    >>> x, turn = torch.randn(5, 2), torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    >>> torch.allclose(model(x @ turn.T), model(x) @ turn.T, atol=1e-6)
    True
    """
    if not isinstance(model, nn.Module):
        raise IncompatibleError(f"model: expected a torch module, got {type(model).__name__}")
    if method not in _METHODS:
        raise IncompatibleError(f"method is {method!r}; choose one of {', '.join(map(repr, _METHODS))}")
    if start not in _STARTS:
        raise IncompatibleError(f"start is {start!r}; choose one of {', '.join(map(repr, _STARTS))}")
    found = sites(model, rules, symmetry, method=method)
    if not dry_run:
        _carry_out(model, found, method, start == "rescale")
        if method == "constrain":
            guard(model)
    return found if dry_run else model


def sites(model: nn.Module, rules: Any = None, symmetry: Symmetry = None, *, method: Method = "constrain") -> rc.Sites:
    """The weights that rules mean, with plans and views; without rules, those that are constrained already.

    Raises:
        IncompatibleError, SpecError: as :func:`symmetrize`.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> layer = symmetrize(torch.nn.Linear(2, 2), {torch.nn.Linear: V >> V})
    >>> [(site.path, site.after) for site in sites(layer)]
    [('weight', 1), ('bias', 0)]
    """
    slots = slots_of(model)
    if rules is not None:
        if method != "constrain":
            return rc.resolve(rules, slots, symmetry)
        # Norms without parameters have nothing to project, and are replaced all the same.
        bare = bare_norms(model)
        found = rc.resolve(rules, [*slots, *bare], symmetry, replaced=_NORMS)
        return rc.Sites(found.sites, tuple(slot for slot in found.free if slot not in bare))
    made: list[rc.Site] = []
    for slot in slots:
        constraint = constraint_of(*_place(model, slot.path))
        if constraint is not None:
            plan, source = constraint.projector.plan, constraint.projector.source
            label = constraint.label or str(getattr(source, "space", source))
            made.append(rc.Site(slot, slot.path, rc.Rule(plan), plan, constraint.view, label))
    taken = {site.path for site in made}
    return rc.Sites(tuple(made), tuple(slot for slot in slots if slot.path not in taken))


def read_map(model: nn.Module, site: rc.Site) -> Tensor:
    """The weight of a site as maps (..., dim Y, dim X); differentiable."""
    module, name = _place(model, site.path)
    if site.view is None:
        raise IncompatibleError(f"{site.path!r} belongs to a {site.slot.kind}, which is replaced and has no space of maps")
    return site.view.read(getattr(module, name))


def _place(model: nn.Module, path: str) -> tuple[nn.Module, str]:
    owner, _, name = path.rpartition(".")
    return model.get_submodule(owner), name


def _carry_out(model: nn.Module, found: rc.Sites, method: Method, rescale: bool) -> None:
    """Do what the sites say, all or nothing."""
    norms = {site.slot.owner: site for site in found if site.plan is None}
    weights = [(site, *_place(model, site.path), Projector(source_of(site))) for site in found if site.plan is not None]
    for site, module, name, projector in weights:
        if projector.plan.is_complex and not getattr(module, name).is_complex():
            raise IncompatibleError(
                f"{site.path!r} is real ({getattr(module, name).dtype}) and its space is complex: use the realified "
                "representations (V.realify()), or a complex weight"
            )
    layers = [(owner, _NORMS[site.slot.kind].from_plain(_norm(model, owner), site.rep)) for owner, site in norms.items()]
    # Before anything is changed: a caller may turn warnings into errors.
    for site, _, _, projector in weights:
        if projector.dim == 0 and site.slot.role != "bias" and site.before:
            warnings.warn(
                f"the space of {site.path!r}, {site.label}, has dimension 0: no map but zero is equivariant, so it becomes zero",
                RepcoreWarning,
                stacklevel=3,
            )
    undo: list[Callable[[], None]] = []
    try:
        for site, module, name, projector in weights:
            length = getattr(module, name).detach().norm() if rescale else None
            carry_out = _constrain if method == "constrain" else _project
            undo.append(carry_out(module, name, projector, site))
            if length is not None and site.slot.role != "bias":
                _rescale(module, name, length)
        if method == "project":
            undo += [_average(model, site) for site in found if site.slot.kind == "batch_norm" and site.slot.role == "scale"]
        for owner, layer in layers:
            undo.append(_replace(model, owner, layer))
    except BaseException:
        for step in reversed(undo):
            step()
        raise


def source_of(site: rc.Site) -> Any:
    """What the projector of a site is made of: the space where it is known, for then its basis can be saved; else the plan."""
    plan = site.plan
    for maps in (site.rule.maps, site.space):
        if (
            isinstance(maps, rc.EquivariantBasis | rc.Hom)
            and plan is not None
            and maps.shape == plan.shape
            and rc.plan(maps) == plan
        ):
            return maps
    return plan


def features_of(site: rc.Site) -> rc.Hom | None:
    """X >> Y of the layer that a weight belongs to, for its weight only."""
    maps = getattr(site.rule.maps, "space", site.rule.maps)
    return maps if isinstance(maps, rc.Hom) and site.slot.role == "weight" and site.slot.kind != "attention" else None


def moves_of(site: rc.Site) -> rc.Rep | None:
    """How the group moves the axes of a kernel, where the rule of the site says it."""
    return site.rule.spatial if isinstance(site.rule.spatial, rc.Rep) else None


def _constrain(module: nn.Module, name: str, projector: Projector, site: rc.Site) -> Callable[[], None]:
    parameter: Any = getattr(module, name)
    before, gradient = parameter.detach(), parameter.grad
    order = list(module._parameters)

    def undo() -> None:
        if parametrize.is_parametrized(module, name):
            parametrize.remove_parametrizations(module, name)
        with torch.no_grad():
            parameter.set_(before)
        parameter.grad = gradient
        # An optimiser knows parameters by their order.
        held = {**module._parameters, name: parameter}
        module._parameters.clear()
        module._parameters.update({key: held[key] for key in order})

    try:
        constraint = Constraint(projector, site.view, site.label, features_of(site))
        constraint.spatial = moves_of(site)
        attach(module, name, constraint)
    except BaseException:
        undo()
        raise
    return undo


@torch.no_grad()
def _project(module: nn.Module, name: str, projector: Projector, site: rc.Site) -> Callable[[], None]:
    tensor: Any = getattr(module, name)
    view: Any = site.view
    before = tensor.detach().clone()
    tensor.copy_(view.write(projector(view.read(before))))

    def undo() -> None:
        with torch.no_grad():
            tensor.copy_(before)

    return undo


@torch.no_grad()
def _rescale(module: nn.Module, name: str, length: Tensor) -> None:
    """Give the projection of a weight the length that the weight had."""
    chains: Any = getattr(module, "parametrizations", {})
    # The basis is orthonormal, so that coefficients are as long as their weight.
    tensor = chains[name].original if name in chains else getattr(module, name)
    now = tensor.norm()
    if now > 0:
        tensor.mul_(length / now)


@torch.no_grad()
def _average(model: nn.Module, site: rc.Site) -> Callable[[], None]:
    """The running statistics of a plain batch norm, averaged over the features that the group permutes."""
    module: Any = model.get_submodule(site.slot.owner)
    if not isinstance(module, _BatchNorm) or module.running_mean is None or module.running_var is None:
        return lambda: None
    projector = Projector(site.plan)
    kept = [(t, t.clone()) for t in (module.running_mean, module.running_var)]
    for tensor, before in kept:
        tensor.copy_(projector(before))

    def undo() -> None:
        for tensor, before in kept:
            tensor.copy_(before)

    return undo


def _norm(model: nn.Module, owner: str) -> Any:
    if not owner:
        raise IncompatibleError(
            "model: is a norm itself, which cannot be replaced within nothing; use the from_plain of its class"
        )
    return model.get_submodule(owner)


def _replace(model: nn.Module, owner: str, layer: nn.Module) -> Callable[[], None]:
    """Put a layer where another one is, wherever the model has it."""
    old = model.get_submodule(owner)
    layer.train(old.training)
    take_hooks(layer, old)
    # Not named_children, which leaves out a layer that a parent has under a second name.
    places = [(parent, name) for parent in model.modules() for name, child in parent._modules.items() if child is old]
    for parent, name in places:
        setattr(parent, name, layer)
    take_again = fast_path.leave(model, layer)

    def undo() -> None:
        take_again()
        for parent, name in places:
            setattr(parent, name, old)

    return undo
