"""What layers do with a :class:`Flow`: linear maps and convolutions by their weights, norms, and the layers of repcore."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import hypot, prod, sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.instancenorm import _InstanceNorm

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.flow import Flow, Row, Step, cells_of, constant, invariant_part, on_grid, refuse, wide
from repcore_torch.flow_functions import Slope, slope_of
from repcore_torch.geometry import Window, check_window
from repcore_torch.linear import Linear
from repcore_torch.nonlinear import Gate, NormNonlinearity, name_of
from repcore_torch.normalise import BatchNorm, LayerNorm, RMSNorm
from repcore_torch.operator_norm import kernel_norm, matrix_norm, padding_norm
from repcore_torch.pool import InvariantPool
from repcore_torch.projector import projector_of
from repcore_torch.slots import constraint_of

__all__ = ["features_of_weight", "is_norm", "layer_step", "least_length", "unknown_weight"]

# How large the values of a gate can be.
_SUPREMA = {"sigmoid": 1.0, "tanh": 1.0, "softsign": 1.0, "hardsigmoid": 1.0, "hardtanh": 1.0, "relu6": 6.0}


def layer_step(
    layer: nn.Module, path: str, x: Flow, site: rc.Site | None, least: float, spatial: Callable[[int], Any]
) -> Step | None:
    """The step of a layer; None if it has no rule.

    Args:
        layer: the module.
        path: its name.
        x: what goes in.
        site: its weight and what that maps; None if no rule says it.
        least: of a norm, the least length that it divides by, over the inputs that the bound is for; 0 where that is not known.
        spatial: from a number of directions to how the group moves the axes; None for any way.

    Raises:
        IncompatibleError: the layer does not commute with the group however it is projected, or what it maps is not known.
    """
    where = repr(path)
    match layer:
        case _ConvNd():
            return _convolution(layer, where, x, _known(site, path), spatial)
        case nn.Linear():
            return _linear(layer, where, x, _known(site, path))
        case Linear():
            _check_axis(x, -1, layer.domain, where)
            norm = matrix_norm(wide(layer.weight))
            bias = 0.0
            if layer.bias is not None:
                dense = layer.to_linear().bias
                bias = float(wide(dense).norm()) * sqrt(cells_of(x, where))
            return Step((norm,), 0.0, norm * x.norm + bias, layer.codomain, -1, _last(x, layer.codomain), Row(norm, 0.0, "exact"))
        case _BatchNorm() | BatchNorm():
            return _batch_norm(layer, where, x)
        case nn.LayerNorm() | nn.RMSNorm() | nn.GroupNorm() | _InstanceNorm() | LayerNorm() | RMSNorm():
            return _normalised(layer, where, x, least)
        case NormNonlinearity():
            return _by_norm(layer, where, x)
        case Gate():
            return _gated(layer, where, x)
        case nn.MultiheadAttention() | nn.TransformerEncoderLayer() | nn.TransformerDecoderLayer() | nn.TransformerEncoder():
            raise refuse(
                where,
                "products of features have no Lipschitz constant but on a ball, where it says nothing; measure the whole with "
                f"rct.measure, or give lipschitz={{{where}: ...}}",
            )
        case InvariantPool():
            _check_axis(x, layer.axis, layer.domain, where)
            shape = None if x.shape is None else (layer.codomain.dim, *x.shape[1:]) if x.axis == 1 else _last(x, layer.codomain)
            return Step((1.0,), 0.0, x.norm, layer.codomain, x.axis, shape)
        case _:
            return None


def features_of_weight(layer: Any, site: rc.Site) -> tuple[rc.Rep | None, rc.Rep | None]:
    """The representations of what a layer takes and gives, as far as its rule tells.

    The first is X, or X * grid where the rule of a convolution is written so, or None.
    """
    held = constraint_of(layer, "weight")
    maps = getattr(held, "maps", None) or _hom(site.rule.maps) or (held and _hom(held.projector.source)) or site.space
    if maps is None:
        return None, None
    copies = 1
    if isinstance(layer, _ConvNd) and layer.groups > 1 and maps.codomain.dim * layer.groups == layer.out_channels:
        copies = layer.groups
    return (maps.domain, maps.codomain) if copies == 1 else (copies * maps.domain, copies * maps.codomain)


def is_norm(layer: nn.Module) -> bool:
    """Whether it divides by a length that it measures."""
    return isinstance(layer, nn.LayerNorm | nn.RMSNorm | nn.GroupNorm | _InstanceNorm | LayerNorm | RMSNorm)


@torch.no_grad()
def least_length(layer: Any, x: Tensor) -> float:
    """The least length that a norm divides by, over the rows and places of a batch."""
    v = wide(x)
    match layer:
        case nn.GroupNorm() | _InstanceNorm():
            groups = layer.num_groups if isinstance(layer, nn.GroupNorm) else x.shape[1]
            parts = v.reshape(x.shape[0], groups, -1)
            lengths = (parts - parts.mean(-1, keepdim=True)).norm(dim=-1)
        case nn.LayerNorm():
            lengths = (v - v.mean(-1, keepdim=True)).norm(dim=-1)
        case LayerNorm():
            axis, features = layer.axis % x.ndim, layer._features
            if features.has_mean:
                u = features.on(torch.float64, v.device).mean
                along = v.movedim(axis, -1)
                v = (along - (along @ u)[..., None] * u / features.mean_square).movedim(-1, axis)
            lengths = v.norm(dim=axis)
        case _:
            lengths = v.norm(dim=getattr(layer, "axis", -1))
    return float(lengths.min()) if lengths.numel() else 0.0


# -- linear maps ---------------------------------------------------------------------------------------------------


def _known(site: rc.Site | None, path: str) -> rc.Site:
    if site is None or site.view is None:
        raise unknown_weight(f"{path}.weight" if path else "weight")
    return site


def unknown_weight(path: str) -> IncompatibleError:
    """The error for a weight without a rule."""
    return refuse(repr(path), "no rule says what it maps, so that nothing bounds its part of the error; give it one in rules")


def _residual(layer: Any, site: rc.Site) -> tuple[Tensor, Tensor]:
    """W and W - P W in double precision, of the shape of the weight."""
    view: Any = site.view
    W = wide(getattr(layer, site.path.rpartition(".")[2]))
    maps = view.read(W)
    return W, view.write(maps - projector_of(site.plan)(maps))


def _linear(layer: nn.Linear, where: str, x: Flow, site: rc.Site) -> Step:
    domain, codomain = features_of_weight(layer, site)
    _check_axis(x, -1, _told(domain, where), where)
    out = _told(codomain, where)
    W, rest = _residual(layer, site)
    norm, distance = matrix_norm(W), matrix_norm(rest)
    length, off = constant(_bias(layer), out, x, where)
    adds = 2 * distance * x.norm + off
    return Step((norm,), adds, norm * x.norm + length, out, -1, _last(x, out), Row(norm, distance, "exact"))


def _convolution(layer: Any, where: str, x: Flow, site: rc.Site, spatial: Callable[[int], Any]) -> Step:
    n = len(layer.kernel_size)
    transposed = isinstance(layer, _ConvTransposeNd)
    domain, codomain = features_of_weight(layer, site)
    out, rep = _told(codomain, where), _told(domain, where)
    on_cells = rep != x.rep and rep.dim == x.rep.dim * prod(layer.kernel_size)
    if on_cells and on_grid(x.rep, layer.kernel_size, spatial(n)) == rep:
        rep = x.rep
    _check_axis(x, 1, rep, where)
    window = Window(layer.kernel_size, layer.stride, layer.dilation, _padding(layer, where))
    if transposed and any(layer.output_padding):
        raise refuse(where, f"output_padding {layer.output_padding} adds cells at one side only; make it 0")
    check_window(window, x.box, spatial(n), where, transposed=transposed)
    W, rest = _residual(layer, site)
    (norm, how), (distance, _) = (_kernel(layer, K, transposed) for K in (W, rest))
    repeated = _repeated(layer, window, x, where)
    # The bias is added to each cell that comes out.
    length, off = 0.0, 0.0
    bias = _bias(layer)
    if bias is not None and bool(bias.any()):
        if x.box is None:
            cells_of(x, where)
        cells = prod(_sizes(layer, window, x.box or ()))
        length, off = (v * sqrt(cells) for v in constant(bias, out, Flow(0.0, 0.0, out, -1, (out.dim,)), where))
    norm, distance = repeated * norm, repeated * distance
    adds = 2 * distance * x.norm + off
    return Step((norm,), adds, norm * x.norm + length, out, 1, None, Row(norm, distance, how))


def _kernel(layer: Any, W: Tensor, transposed: bool) -> tuple[float, str]:
    # A transposed convolution is the adjoint of a convolution, and as long.
    groups = layer.groups
    K = W.unflatten(0, (groups, W.shape[0] // groups))
    return kernel_norm(K, layer.stride, layer.dilation)


def _padding(layer: Any, where: str) -> tuple[int, ...]:
    if layer.padding == "valid":
        return (0,) * len(layer.kernel_size)
    if layer.padding != "same":
        return tuple(layer.padding)
    spans = [d * (k - 1) for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    if any(span % 2 for span in spans):
        raise refuse(where, f"padding 'same' is uneven for a kernel of {layer.kernel_size} cells; make them odd")
    return tuple(span // 2 for span in spans)


def _repeated(layer: Any, window: Window, x: Flow, where: str) -> float:
    """The norm of the padding."""
    mode = layer.padding_mode
    whole = all(2 * p == span - 1 for p, span in zip(window.padding, window.spans, strict=True)) and set(window.stride) == {1}
    if mode == "zeros" or not any(window.padding) or (mode == "circular" and whole):
        return 1.0
    if x.box is None:
        raise refuse(where, f"how often padding {mode!r} repeats a cell depends on the size; give shape=, or data")
    return padding_norm(mode, x.box, window.padding)


def _sizes(layer: Any, window: Window, box: tuple[int, ...]) -> tuple[int, ...]:
    rows = zip(box, window.spans, window.stride, window.padding, strict=True)
    if isinstance(layer, _ConvTransposeNd):
        return tuple((n - 1) * s - 2 * p + span for n, span, s, p in rows)
    return tuple((n + 2 * p - span) // s + 1 for n, span, s, p in rows)


def _bias(layer: Any) -> Any:
    return None if layer.bias is None else layer.bias.detach()


def _told(rep: rc.Rep | None, where: str) -> rc.Rep:
    if rep is None:
        raise refuse(where, "its rule is a plan, which does not tell the representations; give X >> Y")
    return rep


def _check_axis(x: Flow, axis: int, rep: rc.Rep, where: str) -> None:
    """Refuse features of another representation than a layer takes, or along another axis."""
    if x.rep != rep:
        raise refuse(where, f"takes {rep} and is given {x.rep}; make the two rules agree")
    vectors = x.shape is not None and len(x.shape) == 1
    if axis != x.axis and not vectors:
        raise refuse(where, f"takes features along axis {axis}, and those that it is given lie along axis {x.axis}")


def _last(x: Flow, rep: rc.Rep) -> tuple[int, ...] | None:
    return None if x.shape is None else (*x.shape[:-1], rep.dim)


def _hom(maps: Any) -> rc.Hom | None:
    found = maps.features if isinstance(maps, rc.FunctionMaps) else getattr(maps, "space", maps)
    return found if isinstance(found, rc.Hom) else None


# -- norms ---------------------------------------------------------------------------------------------------------


def _batch_norm(layer: Any, where: str, x: Flow) -> Step:
    """In evaluation a fixed factor and shift for each feature: y_c = a_c x_c + b_c."""
    own = isinstance(layer, BatchNorm)
    values: Mapping[str, Any] = (
        layer.dense() if own else {k: getattr(layer, k) for k in ("weight", "bias", "running_mean", "running_var")}
    )
    if values.get("running_var") is None:
        raise refuse(where, "takes its statistics from the batch; set track_running_stats=True, or give lipschitz=")
    _check_axis(x, getattr(layer, "axis", 1), getattr(layer, "domain", x.rep), where)
    if not own and rc.pointwise(x.rep) != "any":
        raise refuse(where, f"a plain batch norm on {x.rep}, which the group does not permute; put rct.BatchNorm(X) there")
    var, mean = wide(values["running_var"]), values.get("running_mean")
    a = (var + layer.eps).rsqrt()
    if values.get("weight") is not None:
        a = a * wide(values["weight"])
    b = torch.zeros_like(a) if mean is None else -a * wide(mean)
    if values.get("bias") is not None:
        b = b + wide(values["bias"])
    norm, distance = (float(a.abs().max()), 0.0) if own else _diagonal(a, x.rep)
    length, off = constant(b, x.rep, x, where)
    adds = 2 * distance * x.norm + (0.0 if own else off)
    return Step((norm,), adds, norm * x.norm + length, x.rep, x.axis, x.shape, Row(norm, distance, "exact"))


def _diagonal(a: Tensor, rep: rc.Rep) -> tuple[float, float]:
    """The norms of diag(a) and of what is not equivariant of it, for a group that permutes the features."""
    v, fixed = invariant_part(a, rep)
    return float(v.abs().max()), float((v - fixed).abs().max())


def _normalised(layer: Any, where: str, x: Flow, least: float) -> Step:
    """y = a sqrt(d) z / sqrt(|z|^2 + d eps) + b in each of several parts of d numbers, z = x, or x less its mean.

    With z~ = (z, sqrt(d eps)) that is sqrt(d) times the beginning of z~ / |z~|, and for any two vectors
    |u / |u| - v / |v|| <= 2 |u - v| / (|u| + |v|) (Dunkl and Williams 1964).
    """
    own = isinstance(layer, LayerNorm | RMSNorm)
    by_channels = isinstance(layer, nn.GroupNorm | _InstanceNorm)
    if own:
        _check_axis(x, layer.axis, layer.domain, where)
    elif rc.pointwise(x.rep) != "any":
        raise refuse(where, f"a plain norm on {x.rep}, which the group does not permute; put rct.LayerNorm(X) there")
    if isinstance(layer, _InstanceNorm) and layer.track_running_stats:
        raise refuse(where, "keeps statistics of each feature; put rct.BatchNorm(X) in its place")
    if by_channels:
        _check_axis(x, 1, x.rep, where)
        groups = layer.num_groups if isinstance(layer, nn.GroupNorm) else x.rep.dim
        if not _keeps_parts(x.rep, x.rep.dim // groups):
            raise refuse(where, f"each of its {groups} groups must hold whole fields of {x.rep}")
        parts, size = groups, x.rep.dim // groups * cells_of(x, where)
    else:
        if not own and (x.axis != -1 or tuple(layer.normalized_shape) != (x.rep.dim,)):
            raise refuse(where, f"normalises over {layer.normalized_shape}; only over the features, {(x.rep.dim,)}, is it known")
        parts, size = cells_of(x, where), x.rep.dim
    eps = torch.finfo(torch.float64).eps if layer.eps is None else layer.eps
    most = sqrt(parts * size)
    floor = size * eps
    slope = 2 * sqrt(size) / (hypot(least, sqrt(floor)) + hypot(max(0.0, least - x.error), sqrt(floor)))
    # Two outputs before gain and bias are no further apart than twice their length.
    slope = min(slope, 2 * most / x.error) if x.error else slope
    values = layer.dense() if own else {"weight": getattr(layer, "weight", None), "bias": getattr(layer, "bias", None)}
    gain = values.get("weight")
    a = torch.ones(x.rep.dim, dtype=torch.float64) if gain is None else wide(gain)
    norm, distance = (float(a.abs().max()), 0.0) if own else _diagonal(a, x.rep)
    length, off = constant(values.get("bias"), x.rep, x, where)
    adds = 2 * distance * most + (0.0 if own else off)
    row = Row(norm * slope, distance, "Lipschitz")
    return Step((norm * slope,), adds, norm * most + length, x.rep, x.axis, x.shape, row)


def _keeps_parts(rep: rc.Rep, size: int) -> bool:
    """Whether each generator, which permutes the features, takes parts of so many features in a row to parts."""
    for m in rep.matrices[: len(rep.group.discrete)]:
        image: dict[int, int] = {}
        if any(image.setdefault(int(c) // size, int(r) // size) != int(r) // size for r, c in zip(m.rows, m.cols, strict=True)):
            return False
    return True


# -- nonlinear layers of repcore -----------------------------------------------------------------------------------


def _function(function: Any, where: str) -> tuple[str, Slope]:
    name = name_of(function)
    slope = slope_of(name, {}) if function in (getattr(torch, name, None), getattr(nn.functional, name, None)) else None
    if slope is None:
        raise refuse(where, f"the slope of its function {name} is not known; give lipschitz={{{where}: ...}}")
    return name, slope


def _by_norm(layer: NormNonlinearity, where: str, x: Flow) -> Step:
    """f(|x| + b) x / |x| has slopes f' and f(|x| + b) / |x|, the latter at most that of f where f(b) = 0."""
    _check_axis(x, layer.axis, layer.domain, where)
    _, slope = _function(layer.function, where)
    features, length = layer._features, 0.0
    bias = torch.zeros(features.copies) if layer.bias is None else layer.bias.detach()
    start = layer.function(wide(bias))
    for field in features.fields:
        own = start[field.copy : field.copy + field.copies]
        if bool(own.any()):
            if not field.is_permutation:
                raise refuse(
                    where, "its function is not zero at some bias, so that it jumps at 0; a ReLU wants biases of at most 0"
                )
            length += field.dim * float(own.square().sum())
    shift = sqrt(length * cells_of(x, where)) if length else 0.0
    return Step((slope.lipschitz,), 0.0, slope.lipschitz * x.norm + shift, x.rep, x.axis, x.shape)


def _gated(layer: Gate, where: str, x: Flow) -> Step:
    """A copy v with its scalar s: the derivative of f(s) v has norm at most sqrt(F^2 + L^2 |v|^2), F the largest |f| there."""
    _check_axis(x, layer.axis, layer.domain, where)
    name, slope = _function(layer.function, where)
    # Both features that are compared, and all between them.
    reach = x.norm + x.error
    largest = min(slope.at_zero + slope.lipschitz * reach, _SUPREMA.get(name, float("inf")))
    scalars, shift = 1.0, 0.0
    if layer.scalars is not None:
        _, known = _function(layer.scalars, where)
        scalars = known.lipschitz
        count = sum(f.copies for f in layer._features.fields if f.is_trivial)
        shift = known.at_zero * sqrt(count * cells_of(x, where)) if known.at_zero else 0.0
    gain = max(hypot(largest, slope.lipschitz * reach), scalars)
    norm = max(largest, scalars) * x.norm + shift
    shape = _last(x, layer.codomain) if x.axis == -1 else None
    return Step((gain,), 0.0, norm, layer.codomain, x.axis, shape, Row(gain, 0.0, "Lipschitz"))
