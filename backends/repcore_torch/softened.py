"""`soften`: weights between strict and free; of one parameter, or of a whole model by rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.constraint import attach
from repcore_torch.digest import guard
from repcore_torch.levels import Levels, levels_of
from repcore_torch.projector import as_matrix, tensor_of
from repcore_torch.softening import Softening
from repcore_torch.surgery import features_of, moves_of, sites

__all__ = ["set_softness", "soften", "softenings"]

_STARTS = ("keep", "rescale")
_CHOICES = ("softness", "cutoff", "keep", "gain")


def soften(
    module: nn.Module,
    what: Any,
    space: Any = None,
    *,
    symmetry: rc.Spec | rc.Group | None = None,
    softness: Any = None,
    cutoff: Any = None,
    keep: Any = None,
    gain: Any = None,
    profile: str = "heat",
    learnable: bool = False,
    start: str = "keep",
    construction: str = "auto",
) -> nn.Module:
    """Put weights between strict and free, in place: the weight is F W = sum_l gain_l P_l W, and W is what is learned.

    ``soften(layer, "weight", space, ...)`` softens one parameter, ``soften(model, rules, ...)`` all that rules mean, every kind
    of layer that :func:`symmetrize` knows. No parameter is added, W keeps its shape and its values, and an optimiser made before
    the call goes on. At softness 1 the model is bit by bit what it was; at 0 each weight is P W.

    All maps X -> Y are a sum of levels, level 0 the equivariant ones, the others the further from equivariant the larger
    their singular value; see ``repcore.soften``. Exactly one of the following says what their gains are:

    Args:
        module: a layer or a model; changed in place.
        what: the name of a parameter; or rules, as for :func:`symmetrize`.
        space: with a name: a space, its basis, a ``repcore.Soft``, whose gains are taken if none are given here; or a plan, which
            has two levels, the equivariant maps and all others. Kernels that are sampled (rotations by every angle) are such
            plans.
        symmetry: what names in the texts of rules mean.
        softness: the mean gain of all that is not equivariant, 0 to 1, in the form that ``profile`` says; :func:`set_softness`
            moves it later on.
        cutoff: gain 1 up to this singular value, 0 above.
        keep: the share of the complement that is kept, rounded down to whole levels.
        gain: a function of a ``repcore.Level``, such as ``repcore.Heat(0.5)``; with a name also one number for each level.
        profile: ``"heat"``, ``"tikhonov"``, ``"cutoff"`` or ``"blend"``, see ``repcore.gains_at``.
        learnable: learn the gains with the weights, each as a sigmoid; the equivariant maps keep gain 1. They are parameters of
            the module: make the optimiser afterwards.
        start: ``"keep"``: W as it is, so that F W is the nearest thing to what the weight has learned. ``"rescale"``: W times
            ||W|| / ||F W||, so that F W is as long as W was: little of an ordinary weight is near equivariant, and a filter near
            strict lets hardly any signal through a deep network. Biases and norms are kept.
        construction: of the levels, see ``repcore.soften``.

    With rules, ``softness``, ``cutoff``, ``keep`` and ``gain`` can be mappings from patterns to values; the first that means a
    weight counts, and ``"**"`` at the end means all others.

    Returns:
        The module. ``fold(module)`` is a plain copy, with the filter folded into the weights.

    The filter runs each time the weight is read, once a forward for most layers; ``torch.nn.utils.parametrize.cached()`` around
    a step makes it once a step where a weight is read more often.

    Raises:
        IncompatibleError: not exactly one choice, a value out of range, rules or shapes that do not fit, a weight that is
            parametrised already; a rule for a batch norm, whose statistics no filter reaches. The module is then as it was.
        SpecError: a text that cannot be read.

    Cost: the levels of each distinct space, kept in the process; then two changes of basis for each weight and forward.

    Source: Rahman et al., Tunable soft equivariance (CVPR 2026).

    >>> import repcore as rc, torch
    >>> layer = torch.nn.Linear(3, 3, bias=False)
    >>> layer.weight.data = torch.diag(torch.tensor([1.0, 2.0, 6.0]))
    >>> V = rc.SO(3).rep
    >>> layer = soften(layer, "weight", V >> V, softness=0.5, profile="blend")
    >>> layer.weight.diagonal().detach().numpy().round(5).tolist()
    [2.0, 2.5, 4.5]
    >>> layer = set_softness(layer, 1.0)
    >>> layer.weight.diagonal().tolist()
    [1.0, 2.0, 6.0]
    """
    if not isinstance(module, nn.Module):
        raise IncompatibleError(f"module: expected a torch module, got {type(module).__name__}")
    if start not in _STARTS:
        raise IncompatibleError(f"start is {start!r}; choose one of {', '.join(map(repr, _STARTS))}")
    choice = {"softness": softness, "cutoff": cutoff, "keep": keep, "gain": gain}
    if isinstance(what, str):
        if space is None:
            raise IncompatibleError(f"space: is missing; write soften(module, {what!r}, X >> Y, softness=...)")
        if symmetry is not None:
            raise IncompatibleError("symmetry: is for texts in rules; with the name of a parameter give the space itself")
        _one(module, what, space, choice, profile, learnable, construction)
        if start == "rescale":
            _rescale(module, what)
        return module
    if space is not None:
        raise IncompatibleError("space: goes with the name of a parameter; rules say the space of each weight themselves")
    made = _all(module, what, symmetry, choice, profile, learnable, construction)
    for layer, name, role in made if start == "rescale" else ():
        if role in ("weight", "out"):
            _rescale(layer, name)
    return guard(module)


def softenings(model: nn.Module) -> Iterator[tuple[str, Softening]]:
    """The softened weights of a model: the name of each, and its filter."""
    for owner, module in model.named_modules():
        if not parametrize.is_parametrized(module):
            continue
        chains: Any = module.parametrizations
        for name, chain in chains.items():
            for each in chain:
                if isinstance(each, Softening):
                    yield f"{owner}.{name}" if owner else name, each


def set_softness(model: nn.Module, softness: float) -> nn.Module:
    """Turn the dial: the softness of every softened weight of a model whose gains are not learned, in place.

    The levels stay; only the gains change, and with ``torch.compile`` nothing is compiled again (but for softness 1, where there
    is no filter at all). Optimisers and their states are not touched.

    Raises:
        IncompatibleError: nothing is softened, or all gains are learned; a softness outside [0, 1]. The model is then as it was.
    """
    found = [s for _, s in softenings(model) if not s.is_learned]
    if not found:
        raise IncompatibleError("model: has no softened weight whose gains can be set; call soften(model, ...) first")
    gains = [rc.gains_at(s.levels.values, s.levels.multiplicities, softness, s.profile) for s in found]
    for each, values in zip(found, gains, strict=True):
        each.set_gains(values)
    return model


def gains_of(levels: Levels, choice: Mapping[str, Any], profile: str) -> np.ndarray:
    """The gains that were asked for.

    Raises:
        IncompatibleError: not exactly one choice; a value out of range; levels without a measure where one is needed.
    """
    given = {name: value for name, value in choice.items() if value is not None}
    if len(given) != 1:
        raise IncompatibleError(
            f"{', '.join(_CHOICES)}: give exactly one, got {' and '.join(given) or 'none'}; softness=0 is strict, 1 free"
        )
    ((name, value),) = given.items()
    # An unknown profile must not wait for the first turn of the dial.
    plain: Any = rc.gains_at(levels.values, levels.multiplicities, value if name == "softness" else 1.0, profile)
    if name == "softness":
        return plain
    if levels.plan is not None:
        made = rc.Soft(levels.source, levels.plan, levels.values, "")
        gains = rc.soften(made, **{name: value}).gains
    elif name == "keep" and 0 <= value <= 1:
        gains = rc.gains_at(levels.values, levels.multiplicities, value, "cutoff")
    elif name == "cutoff" and value == 0:
        gains = np.array([1.0, 0.0])
    else:
        raise IncompatibleError(
            f"{name}: here only the equivariant maps are known, not how far others are from them (sampled kernels, or a plan); "
            "give softness= with a value between 0 and 1; a rule rc.functions(G, size) >> Y for kernels has levels by frequency"
        )
    if not ((gains >= 0) & (gains <= 1)).all():
        raise IncompatibleError(f"{name}: gives gains {gains.tolist()}; a softened weight takes gains between 0 and 1")
    return gains


def _one(
    module: nn.Module, name: str, space: Any, choice: dict[str, Any], profile: str, learnable: bool, construction: str
) -> None:
    levels = levels_of(space, construction)
    if isinstance(space, rc.Soft) and all(value is None for value in choice.values()):
        choice = {"gain": space.gains}
    gains = gains_of(levels, choice, profile)
    # Not the projector: making one solves the space, which for large images the levels did without.
    tensor = tensor_of(module, name, levels)
    others = [other for other, held in module.named_parameters(remove_duplicate=False) if held is tensor and other != name]
    if others:
        raise IncompatibleError(f"{name!r} is one tensor with {others[0]!r} of the same module: soften first, and tie then")
    vector = as_matrix(tensor, levels.shape, repr(name)).shape != tensor.shape
    axes = "o" if vector else "b" * (tensor.ndim - 2) + "oi"
    view = rc.view_of(tensor.shape, axes, rows="o", cols="i")
    maps = levels.source if isinstance(levels.source, rc.Hom) else None
    attach(module, name, Softening(levels, gains, view, learnable=learnable, profile=profile, maps=maps))


def _all(
    model: nn.Module,
    rules: Any,
    symmetry: Any,
    choice: dict[str, Any],
    profile: str,
    learnable: bool,
    construction: str,
) -> list[tuple[nn.Module, str, str]]:
    found = sites(model, rules, symmetry, method="project")
    for site in found:
        if site.slot.kind == "batch_norm":
            raise IncompatibleError(
                f"rules: {site.path!r} belongs to a batch norm, whose running statistics no filter reaches; fuse it into the "
                "layer before it (torch.nn.utils.fusion.fuse_conv_bn_eval), or make it equivariant with symmetrize first"
            )
    given = [name for name, value in choice.items() if value is not None]
    each = {name: rc.site_weights(choice[name], found, name) for name in given}
    made: list[tuple[nn.Module, str, Softening]] = []
    for k, site in enumerate(found):
        owner, _, name = site.path.rpartition(".")
        module = model.get_submodule(owner)
        levels = levels_of(rc.space_of(site) or site.plan, construction)
        try:
            tensor: Any = getattr(module, name)
            if levels.is_complex and not tensor.is_complex():
                raise IncompatibleError("it is real and its space is complex: use the realified representations (V.realify())")
            gains = gains_of(levels, {other: values[k] for other, values in each.items()}, profile)
        except IncompatibleError as error:
            raise IncompatibleError(f"{site.path!r}: {error}") from None
        softening = Softening(
            levels, gains, site.view, learnable=learnable, profile=profile, label=site.label, maps=features_of(site)
        )
        softening.spatial = moves_of(site)
        made.append((module, name, softening.to(tensor.device)))
    undo: list[Callable[[], Any]] = []
    try:
        for module, name, softening in made:
            attach(module, name, softening)
            undo.append(lambda m=module, n=name: parametrize.remove_parametrizations(m, n, leave_parametrized=False))
    except BaseException:
        for step in reversed(undo):
            step()
        raise
    return [(module, name, site.slot.role) for (module, name, _), site in zip(made, found, strict=True)]


@torch.no_grad()
def _rescale(module: nn.Module, name: str) -> None:
    """Give the filtered weight the length that the weight had."""
    chains: Any = module.parametrizations
    free = chains[name].original
    length = getattr(module, name).norm()
    # What is below rounding of the free weight is zero, and has no direction to keep.
    if length > torch.finfo(free.dtype).eps * free.numel() ** 0.5 * free.norm():
        free.mul_(free.norm() / length)
