"""What functions of torch do with a :class:`Flow`: sums, functions of one component, pooling, reshapes; by their names."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from math import hypot, prod, sqrt
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.fx.node import map_arg
from torch.nn import functional

import repcore as rc
from repcore_torch.flow import Flow, Step, cells_of, on_grid, refuse
from repcore_torch.geometry import Window, check_window, each

__all__ = ["as_function", "function_step", "is_alias", "is_in_place", "name_of_call", "slope_of"]


class Slope(NamedTuple):
    """A function of one component: its Lipschitz constant, |f(0)|, and whether f(-x) = -f(x)."""

    lipschitz: float
    at_zero: float = 0.0
    is_odd: bool = False


# Where the constant is no round number it is the maximum of the slope, rounded up.
_SLOPES = {
    **dict.fromkeys(("relu", "relu_", "relu6", "abs"), Slope(1.0)),
    **dict.fromkeys(("tanh", "sin", "atan", "asinh", "softsign", "tanhshrink", "softshrink", "neg"), Slope(1.0, 0.0, True)),
    "erf": Slope(1.13, 0.0, True), "gelu": Slope(1.13), "silu": Slope(1.1), "mish": Slope(1.09), "selu": Slope(1.76),
    "hardswish": Slope(1.5), "sigmoid": Slope(0.25, 0.5), "hardsigmoid": Slope(1 / 6, 0.5), "cos": Slope(1.0, 1.0),
    "logsigmoid": Slope(1.0, 0.6932),
}  # fmt: skip

_MODULES: dict[type[nn.Module], str] = {
    nn.ReLU: "relu", nn.ReLU6: "relu6", nn.Tanh: "tanh", nn.Softsign: "softsign", nn.Tanhshrink: "tanhshrink",
    nn.Softshrink: "softshrink", nn.GELU: "gelu", nn.SiLU: "silu", nn.Mish: "mish", nn.SELU: "selu", nn.CELU: "celu",
    nn.Hardswish: "hardswish", nn.Sigmoid: "sigmoid", nn.Hardsigmoid: "hardsigmoid", nn.LogSigmoid: "logsigmoid",
    nn.LeakyReLU: "leaky_relu", nn.ELU: "elu", nn.Hardtanh: "hardtanh", nn.RReLU: "rrelu", nn.Identity: "identity",
    nn.Dropout: "identity", nn.Dropout1d: "identity", nn.Dropout2d: "identity", nn.Dropout3d: "identity",
    nn.AlphaDropout: "identity", nn.FeatureAlphaDropout: "identity", nn.Flatten: "flatten",
    nn.AvgPool1d: "avg_pool1d", nn.AvgPool2d: "avg_pool2d", nn.AvgPool3d: "avg_pool3d",
    nn.MaxPool1d: "max_pool1d", nn.MaxPool2d: "max_pool2d", nn.MaxPool3d: "max_pool3d",
    nn.AdaptiveAvgPool1d: "adaptive_avg_pool1d", nn.AdaptiveAvgPool2d: "adaptive_avg_pool2d",
    nn.AdaptiveAvgPool3d: "adaptive_avg_pool3d", nn.AdaptiveMaxPool1d: "adaptive_max_pool1d",
    nn.AdaptiveMaxPool2d: "adaptive_max_pool2d", nn.AdaptiveMaxPool3d: "adaptive_max_pool3d",
}  # fmt: skip
_OPTIONS = (
    *("negative_slope", "alpha", "min_val", "max_val", "start_dim", "end_dim", "kernel_size", "stride", "padding", "dilation"),
    *("ceil_mode", "count_include_pad", "divisor_override", "output_size", "lower", "upper"),
)

# The names of arguments after the first, where they may be given by position.
_POSITIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("relu", "relu6", "selu", "silu", "mish", "hardswish", "hardsigmoid"), ("inplace",)),
    **dict.fromkeys(("celu", "elu"), ("alpha", "inplace")), "leaky_relu": ("negative_slope", "inplace"),
    "rrelu": ("lower", "upper", "training", "inplace"), "hardtanh": ("min_val", "max_val", "inplace"),
    **dict.fromkeys(("clamp", "clip"), ("min", "max")), "clamp_min": ("min",), "softshrink": ("lambd",),
    "flatten": ("start_dim", "end_dim"), "cat": ("dim",), "concat": ("dim",),
    **dict.fromkeys(("mean", "sum", "amax"), ("dim", "keepdim")),
    **dict.fromkeys([f"avg_pool{n}d" for n in (1, 2, 3)],
                    ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")),
    **dict.fromkeys([f"max_pool{n}d" for n in (1, 2, 3)], ("kernel_size", "stride", "padding", "dilation", "ceil_mode")),
    **dict.fromkeys([f"adaptive_{k}_pool{n}d" for k in ("avg", "max") for n in (1, 2, 3)], ("output_size",)),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"),
                    ("p", "training", "inplace")),
}  # fmt: skip

_IDENTITIES = {"identity", "contiguous", "clone", "detach"}
_DROPOUTS = {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"}
_RESHAPES = {"flatten", "view", "reshape"}
_ADD, _SUB, _MUL, _DIV = {"add", "iadd", "add_"}, {"sub", "isub", "sub_"}, {"mul", "imul", "mul_"}, {"truediv", "div", "div_"}


def name_of_call(target: Any) -> str:
    """The name of a method or of a function of torch; empty for any other function."""
    if isinstance(target, str):
        return target
    name = getattr(target, "__name__", "")
    return name if any(getattr(home, name, None) is target for home in (torch, functional, operator)) else ""


def as_function(layer: nn.Module) -> tuple[str, dict[str, Any]] | None:
    """The function that a module without parameters is, with its options; None for other modules."""
    name = _MODULES.get(type(layer))
    return None if name is None else (name, {key: getattr(layer, key) for key in _OPTIONS if hasattr(layer, key)})


def is_alias(name: str) -> bool:
    """Whether what a function gives may lie where its argument lies."""
    return name in (_IDENTITIES - {"clone"}) | _DROPOUTS | _RESHAPES


def is_in_place(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a function writes over its first argument."""
    options = dict(zip(_POSITIONS.get(name, ()), args[1:], strict=False)) | dict(kwargs)
    return name.endswith("_") or name in ("iadd", "isub", "imul", "itruediv") or bool(options.get("inplace"))


def slope_of(name: str, options: Mapping[str, Any]) -> Slope | None:
    """What is known of a function of one component; None if it is none."""
    match name:
        case "leaky_relu" | "leaky_relu_":
            return Slope(max(1.0, abs(options.get("negative_slope", 0.01))))
        case "elu" | "elu_":
            return Slope(max(1.0, abs(options.get("alpha", 1.0))))
        case "celu" | "celu_":
            # e^(x / alpha) grows without bound for alpha < 0.
            return Slope(1.0) if options.get("alpha", 1.0) > 0 else None
        case "rrelu":
            # In evaluation its slope is the mean of the two; in training it is drawn.
            drawn = abs(options.get("lower", 1 / 8) + options.get("upper", 1 / 3)) / 2
            return None if options.get("training") else Slope(max(1.0, drawn))
        case "hardtanh" | "hardtanh_":
            return _clamped(options.get("min_val", -1.0), options.get("max_val", 1.0))
        case "clamp" | "clip":
            return _clamped(options.get("min"), options.get("max"))
        case "clamp_min":
            return _clamped(options.get("min"), None)
        case _:
            return _SLOPES.get(name)


def function_step(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], where: str, spatial: Any) -> Step | None:
    """The step of a function; None if it has no rule.

    Args:
        name: of the function or method.
        args: with flows in place of tensors.
        kwargs: likewise.
        where: names the place, for errors.
        spatial: a function from a number of directions to how the group moves the axes of images; None where that is not known.

    Raises:
        IncompatibleError: the function does not commute with the group, or that is not known.
    """
    kwargs = dict(kwargs)
    args = [*args, *(kwargs.pop(key) for key in ("input", "tensors", "other") if key in kwargs)]
    if "out" in kwargs or not args:
        return None
    if name in _ADD | _SUB:
        return _sum(args, kwargs, where)
    if name in _MUL | _DIV:
        # Other options round, and what is rounded jumps.
        return None if kwargs or len(args) != 2 else _scaled(name, args)
    names = _POSITIONS.get(name, ())
    if len(args) - 1 > len(names) and name not in _RESHAPES:
        return None
    options = dict(zip(names, args[1:], strict=False)) | kwargs
    unknown: list[Any] = []
    map_arg(tuple(options.values()), unknown.append)
    if unknown or any(isinstance(value, Flow) for value in options.values()):
        return None
    if name in ("cat", "concat"):
        return _joined(args[0], options.get("dim", 0), where)
    if not isinstance(args[0], Flow):
        return None
    x = args[0]
    if name in _IDENTITIES or (name in _DROPOUTS and not options.get("training", True)):
        return Step((1.0,), 0.0, x.norm, x.rep, x.axis, x.shape)
    slope = slope_of(name, options)
    if slope is not None:
        return _pointwise(x, slope, name, where)
    if name.startswith(("avg_pool", "max_pool")):
        return _pooled(x, name, options, where, spatial)
    if name.startswith("adaptive_"):
        return _adaptive(x, name, options, where, spatial)
    if name in ("mean", "sum", "amax"):
        return _over_cells(x, name, options, where)
    if name in _RESHAPES:
        return _flat(x, name, args, options, where, spatial)
    return None


def _sum(args: Sequence[Any], options: Mapping[str, Any], where: str) -> Step | None:
    factor = options.get("alpha", 1)
    if len(args) != 2 or options.keys() - {"alpha"} or not isinstance(factor, int | float):
        return None
    first, second = args
    factor = abs(factor)
    if not (isinstance(first, Flow) and isinstance(second, Flow)):
        x, number = (first, second) if isinstance(first, Flow) else (second, first)
        if not isinstance(number, int | float) or rc.pointwise(x.rep) != "any":
            raise refuse(where, f"adds {number!r} to features of {x.rep}, of which it is not known that the group keeps it")
        # The factor is that of the second.
        gain, number = (1.0, factor * abs(number)) if x is first else (float(factor), abs(number))
        length = number * sqrt(x.rep.dim * cells_of(x, where)) if number else 0.0
        return Step((gain,), 0.0, gain * x.norm + length, x.rep, x.axis, x.shape)
    x, y = first, second
    if x.rep != y.rep or x.axis != y.axis or x.shape != y.shape:
        raise refuse(where, f"adds features of {x.rep} and {y.rep}, shapes {x.shape} and {y.shape}; they must be equal")
    if x.shape is None:
        # One cell would be added to each of many.
        raise refuse(where, "the sum depends on the cells being equally many; give shape=(channels, rows, columns), or data")
    return Step((1.0, float(factor)), 0.0, x.norm + factor * y.norm, x.rep, x.axis, x.shape)


def _scaled(name: str, args: Sequence[Any]) -> Step | None:
    flows = [a for a in args if isinstance(a, Flow)]
    number = next((a for a in args if isinstance(a, int | float)), None)
    if len(flows) != 1 or number is None or (name in _DIV and (args[0] is not flows[0] or not number)):
        return None
    x, factor = flows[0], abs(1 / number if name in _DIV else number)
    return Step((factor,), 0.0, factor * x.norm, x.rep, x.axis, x.shape)


def _joined(flows: Any, dim: int, where: str) -> Step | None:
    if not isinstance(flows, tuple | list) or not flows or not all(isinstance(x, Flow) for x in flows):
        return None
    x: Flow = flows[0]
    ndim = None if x.shape is None else len(x.shape) + 1
    axis = dim if ndim is None or dim < 0 else dim - ndim if x.axis == -1 else dim
    if any(y.axis != x.axis for y in flows) or axis != x.axis:
        raise refuse(where, f"joins tensors along axis {dim}; only features can be joined, along axis {x.axis}")
    rep = sum((y.rep for y in flows[1:]), x.rep)
    error = hypot(*(y.error for y in flows))
    # The root of the sum of squares of errors, written as a sum.
    gains = tuple(y.error / error if error else 1.0 for y in flows)
    return Step(gains, 0.0, hypot(*(y.norm for y in flows)), rep, x.axis)


def _pointwise(x: Flow, slope: Slope, name: str, where: str) -> Step:
    kind = rc.pointwise(x.rep)
    if kind == "none" or (kind == "odd" and not slope.is_odd):
        raise refuse(
            where,
            f"{name} on features of {x.rep}, which the group does not permute, is not equivariant; use Gate or NormNonlinearity",
        )
    start = slope.at_zero * sqrt(x.rep.dim * cells_of(x, where)) if slope.at_zero else 0.0
    return Step((slope.lipschitz,), 0.0, slope.lipschitz * x.norm + start, x.rep, x.axis, x.shape)


def _pooled(x: Flow, name: str, options: Mapping[str, Any], where: str, spatial: Any) -> Step:
    n = int(name[-2])
    size = each(options.get("kernel_size"), n)
    stride = each(options.get("stride"), n) if options.get("stride") not in (None, (), []) else size
    padding, dilation = each(options.get("padding", 0), n), each(options.get("dilation", 1), n)
    if x.axis != 1:
        raise refuse(where, f"{name} on features of {x.rep} that lie on no image")
    _check_directions(x, n, name, where)
    if options.get("ceil_mode"):
        raise refuse(where, "ceil_mode=True pools other windows at one side only; set ceil_mode=False, and pad evenly")
    is_max = name.startswith("max")
    if is_max and rc.pointwise(x.rep) != "any":
        raise refuse(where, f"max pooling of features of {x.rep}, which the group does not permute; pool by the mean")
    if not is_max and (options.get("divisor_override") or (any(padding) and not options.get("count_include_pad", True))):
        raise refuse(
            where, "the means at the border have weights of their own; set count_include_pad=True and no divisor_override"
        )
    window = Window(size, stride, dilation, padding)
    check_window(window, x.box, spatial(n), where)
    # A cell lies in so many windows; a mean of k cells divides by k, and its norm in a window is 1 / sqrt(k).
    factor = sqrt(window.overlap if is_max else window.overlap / prod(size))
    return Step((factor,), 0.0, factor * x.norm, x.rep, 1)


def _adaptive(x: Flow, name: str, options: Mapping[str, Any], where: str, spatial: Any) -> Step:
    n = int(name[-2])
    output = each(options["output_size"], n)
    if x.axis != 1:
        raise refuse(where, f"{name} on features of {x.rep} that lie on no image")
    _check_directions(x, n, name, where)
    if set(output) == {1}:
        options = {"dim": tuple(range(-n, 0)), "keepdim": True}
        return _over_cells(x, "mean" if "avg" in name else "amax", options, where, all_cells=True)
    if x.box is None or any(m is None or a % m for a, m in zip(x.box, output, strict=True)):
        raise refuse(where, f"pools {x.box} cells to {output}; windows are only even where the one is a multiple of the other")
    size = tuple(a // m for a, m in zip(x.box, output, strict=True))
    return _pooled(x, name.removeprefix("adaptive_"), {"kernel_size": size}, where, spatial)


def _check_directions(x: Flow, directions: int, name: str, where: str) -> None:
    """Refuse pooling of more axes than an image has, for torch then pools the features as well."""
    if x.box is not None and len(x.box) != directions:
        raise refuse(where, f"{name} of images of {len(x.box)} axes pools other axes than those of the cells")


def _over_cells(x: Flow, name: str, options: Mapping[str, Any], where: str, *, all_cells: bool = False) -> Step:
    dims = options.get("dim")
    places = None if x.shape is None else len(x.shape) - 1
    given = (dims,) if isinstance(dims, int) else tuple(dims or ())
    if places is None and not all_cells:
        raise refuse(where, f"whether the axes {dims} are all cells depends on the shape; give shape=, or data")
    # Without axes it is over the batch too.
    is_whole = all_cells
    if places is not None and given:
        wanted = set(range(2, places + 2)) if x.axis == 1 else set(range(1, places + 1))
        is_whole = is_whole or {d % (places + 2) for d in given} == wanted
    if not is_whole:
        raise refuse(
            where, f"{name} over the axes {dims} of features of {x.rep}; only over all cells is it known to be equivariant"
        )
    if name == "amax" and rc.pointwise(x.rep) != "any":
        raise refuse(where, f"the maximum of features of {x.rep}, which the group does not permute; take the mean")
    count = x.cells
    if name == "sum":
        factor = sqrt(cells_of(x, where))
    else:
        factor = 1.0 if name == "amax" or not count else 1 / sqrt(count)
    kept = bool(options.get("keepdim", False))
    shape = (x.rep.dim, *(1 for _ in given)) if kept else (x.rep.dim,)
    return Step((factor,), 0.0, factor * x.norm, x.rep, 1 if kept and x.axis == 1 else -1, shape)


def _flat(x: Flow, name: str, args: Sequence[Any], options: Mapping[str, Any], where: str, spatial: Any) -> Step:
    if name == "flatten":
        fits = options.get("start_dim", 0) == 1 and options.get("end_dim", -1) == -1
    else:
        tail = args[1] if len(args) == 2 and isinstance(args[1], tuple | list) else args[1:]
        known = None if x.shape is None else prod(x.shape)
        # A number of inputs that is written down is not that of another batch.
        fits = len(tail) == 2 and (tail[0] == -1 or not isinstance(tail[0], int)) and tail[1] in (-1, known)
    if not fits:
        raise refuse(where, f"{name} of features of {x.rep} to another shape than (batch, all of them)")
    if x.shape is not None and len(x.shape) == 1:
        return Step((1.0,), 0.0, x.norm, x.rep, -1, x.shape)
    count = cells_of(x, where)
    if count == 1:
        return Step((1.0,), 0.0, x.norm, x.rep, -1, (x.rep.dim,))
    rep = on_grid(x.rep, x.box or (), spatial(len(x.box or ()))) if x.axis == 1 else None
    if rep is None:
        raise refuse(
            where, f"lines up {count} vectors of {x.rep}, and how the group moves them is not known; take the mean first"
        )
    return Step((1.0,), 0.0, x.norm, rep, -1, (rep.dim,))


def _clamped(low: float | None, high: float | None) -> Slope:
    start = min(max(0.0, low if low is not None else 0.0), high if high is not None else max(0.0, low or 0.0))
    return Slope(1.0, abs(start), low is not None and high is not None and low == -high)
