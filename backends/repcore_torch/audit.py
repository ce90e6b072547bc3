"""`audit`: a forward pass that is watched: where does something between the layers break the symmetry?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils.weak import WeakTensorKeyDictionary

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.slots import constraint_of

__all__ = ["Audit", "Finding", "audit"]

# Functions of one component, by the last part of their names.
_ODD = {"tanh", "hardtanh", "sin", "asinh", "sinh", "atan", "erf", "softsign", "tanhshrink", "hardshrink", "softshrink", "sign"}
_ANY = {
    *("relu", "relu_", "relu6", "gelu", "silu", "sigmoid", "softplus", "elu", "elu_", "selu", "celu", "leaky_relu", "mish"),
    *("hardswish", "hardsigmoid", "logsigmoid", "threshold", "rrelu", "prelu", "abs", "exp", "log", "sqrt", "square", "cos"),
    *("clamp", "clamp_min", "clamp_max", "rsqrt", "reciprocal", "log1p", "expm1"),
}
_NORMS = {"layer_norm", "batch_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm"}
_DROPOUTS = {"dropout", "dropout_", "alpha_dropout", "feature_dropout"}
_POOLS = {f"{kind}_pool{n}d" for kind in ("max", "avg") for n in (1, 2, 3)} | {"lp_pool2d"}
_MAX_POOLS = {name for name in _POOLS if name.startswith("max")} | {f"adaptive_max_pool{n}d" for n in (1, 2, 3)}
_SAME_AXES = {f"adaptive_avg_pool{n}d" for n in (1, 2, 3)} | {
    "interpolate",
    "pad",
    "contiguous",
    "clone",
    "to",
    "float",
    "detach",
}
_SUMS = {"add", "sub", "__add__", "__sub__", "__radd__", "__iadd__", "__isub__", "add_", "sub_"}
_PRODUCTS = {"mul", "__mul__", "__rmul__", "__imul__", "mul_", "div", "__truediv__", "__itruediv__", "div_"}


@dataclass(frozen=True)
class Finding:
    """One place where a forward pass does what does not commute with the group.

    Attributes:
        place: the module in which it happens.
        operation: the function or layer.
        rep: the representation of the features there, as a text.
        problem: what is wrong, and the repair.
    """

    place: str
    operation: str
    rep: str
    problem: str


@dataclass(frozen=True)
class Audit:
    """What :func:`audit` found. True if it found nothing; print it.

    Attributes:
        findings: in the order of the forward pass, each place once.
        watched: the number of operations on features whose representation was known.
    """

    findings: tuple[Finding, ...]
    watched: int

    def __bool__(self) -> bool:
        return not self.findings

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        if not self.findings:
            return f"nothing found; {self.watched} operations on features of known representations were watched"
        return "\n".join(f"{f.place or 'the model'}: {f.operation} on {f.rep}: {f.problem}" for f in self.findings)

    __repr__ = __str__


@dataclass(frozen=True)
class _Tag:
    """Features of a representation along an axis, counted from the front."""

    rep: rc.Rep
    axis: int


def audit(  # noqa: D417 (inputs and keywords are described together)
    model: nn.Module, *inputs: Any, rep_in: rc.Rep | None = None, axis: int = 1, **keywords: Any
) -> Audit:
    """Run a symmetrised model once, and report what between its layers breaks the symmetry, with its place.

    Each constrained layer tells the representation of the features that it gives, and these are followed through the functions of
    torch. Reported are

    - a pointwise nonlinearity on features that the group does not permute (``rc.pointwise``), or dropout there in training;
    - max pooling, a plain norm or a product of features there;
    - a layer that takes features of another representation than it receives, a sum of features of two representations;
    - a convolution or pooling whose stride leaves cells over at one side: (cells + 2 padding - kernel) must be a multiple of the
      stride, which it is for sides 2^n + 1 and not for 2^n; an ``output_padding``, and the padding ``"same"`` of even kernels.

    Features are followed as far as that is certain: after a reshape that mixes axes, a product with a matrix or an attention they
    are unknown until the next constrained layer. That nothing was found is no proof, then; :func:`measure` measures the whole.

    Args:
        model: after :func:`symmetrize`; runs in ``eval`` mode without gradients, and is then as it was.
        inputs, keywords: what the model takes.
        rep_in: the representation of the first input's features, along ``axis``.
        axis: the axis of those features.

    Raises:
        IncompatibleError: the input has another number of features than ``rep_in``.

    >>> import repcore as rc, repcore_torch as rct, torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> _ = rct.symmetrize(model, {"0": "V >> 2*V", "2": "2*V >> V"}, symmetry=rc.dihedral(4))
    >>> [(f.place, f.operation, f.rep) for f in audit(model, torch.randn(3, 2))]
    [('1', 'relu', '2*V')]
    """
    watch = _Watch()
    training = {module: module.training for module in model.modules()}
    handles: list[Any] = []
    try:
        for path, module in model.named_modules():
            if "parametrizations" in path.split("."):
                continue
            handles.append(module.register_forward_pre_hook(watch.entering(path, module)))
            handles.append(module.register_forward_hook(watch.leaving(module), always_call=True))
        if rep_in is not None:
            first = next((x for x in inputs if isinstance(x, Tensor)), None)
            if first is None or first.ndim <= axis or first.shape[axis] != rep_in.dim:
                size = None if first is None else tuple(first.shape)
                raise IncompatibleError(
                    f"rep_in: {rep_in} has dimension {rep_in.dim}, and the input has shape {size}, axis {axis}"
                )
            watch.tags[first] = _Tag(rep_in, axis % first.ndim)
        model.eval()
        with torch.no_grad(), watch:
            model(*inputs, **keywords)
    finally:
        for handle in handles:
            handle.remove()
        for module, was in training.items():
            module.training = was
    return Audit(tuple(dict.fromkeys(watch.findings)), watch.watched)


class _Watch(TorchFunctionMode):
    """Follows tagged tensors through the functions of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Any = WeakTensorKeyDictionary()
        self.findings: list[Finding] = []
        self.watched = 0
        self.places: list[str] = []
        self.muted = 0

    def report(self, operation: str, rep: rc.Rep, problem: str) -> None:
        self.findings.append(Finding(self.places[-1] if self.places else "", operation, str(rep), problem))

    # -- layers ----------------------------------------------------------------------------------------------------

    def entering(self, path: str, module: nn.Module) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            self.places.append(path)
            known = _features_of(module)
            if known is None:
                return
            x = known[0]
            tag = self.tag(inputs[0] if inputs else None)
            if tag is not None and not self.muted:
                self.watched += 1
                if tag.rep != x:
                    self.report(_name(module), tag.rep, f"the layer takes {x}; make the two rules agree")
                self.strides(module, inputs[0])
            if not _is_plain(module):
                self.muted += 1  # an equivariant layer of repcore: what happens inside is its business

        return hook

    def leaving(self, module: nn.Module) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if self.places:
                self.places.pop()
            known = _features_of(module)
            if known is None:
                return
            if not _is_plain(module):
                self.muted -= 1
            if isinstance(output, Tensor) and not self.muted:
                axis = 1 if isinstance(module, _ConvNd) else getattr(module, "axis", -1)
                axis %= output.ndim
                if output.shape[axis] == known[1].dim:
                    self.tags[output] = _Tag(known[1], axis)

        return hook

    def strides(self, module: Any, x: Any) -> None:
        """A convolution that is a map between fields on a grid, and samples the grid unevenly."""
        if not isinstance(module, _ConvNd):
            return
        name, rep = _name(module), constraint_maps(module).domain
        if isinstance(module, _ConvTransposeNd):
            if any(module.output_padding):
                self.report(name, rep, f"output_padding {module.output_padding} adds cells at one side only; make it 0")
            return
        sizes = [d * (k - 1) + 1 for k, d in zip(module.kernel_size, module.dilation, strict=True)]
        if module.padding == "same":
            if any(size % 2 == 0 for size in sizes):
                self.report(name, rep, f"padding 'same' is uneven for a kernel over {sizes} cells; make them odd")
            return
        padding = (0,) * len(sizes) if isinstance(module.padding, str) else module.padding
        self.sampled(name, _Tag(rep, 1), x, sizes, module.stride, padding)

    def sampled(
        self, name: str, tag: _Tag, x: Tensor, size: Sequence[int], stride: Sequence[int], padding: Sequence[int]
    ) -> None:
        for n, k, s, p in zip(x.shape[-len(size) :], size, stride, padding, strict=True):
            if s > 1 and (n + 2 * p - k) % s:
                self.report(
                    name,
                    tag.rep,
                    f"{n} cells, kernel {k}, stride {s} and padding {p} leave {(n + 2 * p - k) % s} over at one side, so that "
                    f"turned inputs are sampled elsewhere; make the side a multiple of {s} plus {(k - 2 * p) % s}",
                )
                return

    # -- functions -------------------------------------------------------------------------------------------------

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tags = [] if self.muted else [tag for tag in map(self.tag, _tensors(args, kwargs)) if tag is not None]
        output = func(*args, **kwargs)
        if not tags:
            return output
        name = getattr(func, "__name__", "") or (resolve_name(func) or "").rpartition(".")[2]
        kept = self.followed(name, tags, args, kwargs, output)
        if kept is not None and isinstance(output, Tensor):
            self.tags[output] = kept
        return output

    def followed(self, name: str, tags: list[_Tag], args: Any, kwargs: Any, output: Any) -> _Tag | None:
        """What is known of the output of a function; problems are reported."""
        tag, x = tags[0], next(_tensors(args, kwargs))
        sort = rc.pointwise(tag.rep)
        shape = tuple(output.shape) if isinstance(output, Tensor) else ()
        self.watched += 1
        if name in _ANY or name in _ODD:
            if sort == "none" or (sort == "odd" and name not in _ODD):
                hint = "an odd function such as tanh keeps it, or " if sort == "odd" else ""
                self.report(
                    name, tag.rep, f"pointwise on features that the group does not permute; {hint}use Gate or NormNonlinearity"
                )
            return tag
        if name in _DROPOUTS:
            return tag
        if name in _NORMS:
            if problem := _norm_problem(name, tag.rep, args, kwargs):
                self.report(name, tag.rep, f"{problem}; give the norm a rule")
            return tag
        if name in _MAX_POOLS and sort != "any":
            self.report(
                name, tag.rep, "the largest of each component commutes with permutations only; pool by the mean, or a norm"
            )
        if name in _POOLS:
            self.pooled(name, tag, x, args, kwargs)
        if name in _POOLS | _MAX_POOLS | _SAME_AXES:
            return tag if len(shape) > tag.axis and shape[tag.axis] == tag.rep.dim else None
        if name in _SUMS or name in _PRODUCTS:
            return self.combined(name, tags, sort, shape)
        return _moved(name, tag, x, args, kwargs, shape)

    def pooled(self, name: str, tag: _Tag, x: Tensor, args: Any, kwargs: Any) -> None:
        directions = int(name[-2])
        given = dict(zip(("kernel_size", "stride", "padding"), args[1:4], strict=False)) | kwargs
        size = _each(given.get("kernel_size"), directions)
        stride = _each(given.get("stride"), directions) or size
        padding = _each(given.get("padding", 0), directions)
        if size and stride and padding and x.ndim > directions and not given.get("ceil_mode"):
            self.sampled(name, tag, x, size, stride, padding)

    def combined(self, name: str, tags: list[_Tag], sort: str, shape: tuple[int, ...]) -> _Tag | None:
        tag = tags[0]
        if len(tags) == 1:
            return tag if len(shape) > tag.axis and shape[tag.axis] == tag.rep.dim else None
        if len(shape) <= tag.axis or tags[1].axis != tag.axis:
            return None
        if tags[1].rep != tag.rep:
            both = {tags[0].rep.dim, tags[1].rep.dim}
            if both == {tag.rep.dim}:
                self.report(name, tag.rep, f"together with features of {tags[1].rep}; make the representations equal")
            return None
        if name in _PRODUCTS and sort != "any":
            self.report(name, tag.rep, "a product component by component; use Gate, or a tensor product")
        return tag

    def tag(self, value: Any) -> _Tag | None:
        return self.tags.get(value) if isinstance(value, Tensor) else None


def constraint_maps(module: nn.Module) -> Any:
    """X >> Y of a layer whose weight is constrained; None for others."""
    constraint = constraint_of(module, "weight")
    return None if constraint is None else constraint.maps


def _features_of(module: nn.Module) -> tuple[rc.Rep, rc.Rep] | None:
    """The representations of what a layer takes and gives, where it tells."""
    maps = constraint_maps(module)
    if maps is not None:
        return maps.domain, maps.codomain
    x, y = getattr(module, "domain", None), getattr(module, "codomain", None)
    return (x, y) if isinstance(x, rc.Rep) and isinstance(y, rc.Rep) else None


def _norm_problem(name: str, rep: rc.Rep, args: Any, kwargs: Any) -> str:
    """What is wrong with a plain norm on features; empty if nothing is."""
    fields: Any = rc.fields(rep)
    if name == "local_response_norm" or any(f.orbits is None for f in fields):
        return "a plain norm, and the group does not permute these features"
    if name == "batch_norm" and not all(f.is_trivial for f in fields):
        return "it keeps statistics of each feature by itself, also of those that the group permutes"
    orbits = [orbit for f in fields for orbit in _orbits(f)]
    if name == "group_norm":
        groups = args[1] if len(args) > 1 else kwargs["num_groups"]
        if any(len({i // (rep.dim // groups) for i in orbit}) > 1 for orbit in orbits):
            return f"each of its {groups} groups must hold whole fields"
    for value in (*args[1:], *kwargs.values()):
        if isinstance(value, Tensor) and value.shape == (rep.dim,) and any(len(set(value[list(o)].tolist())) > 1 for o in orbits):
            return "its parameters differ between features that the group permutes"
    return ""


def _orbits(field: Any) -> Iterator[set[int]]:
    """The features that the group takes to one another, in each copy."""
    for place in field.positions:
        yield from (set(place[field.orbits == k].tolist()) for k in set(field.orbits.tolist()))


def _tensors(args: Any, kwargs: Any) -> Iterator[Tensor]:
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from (v for v in value if isinstance(v, Tensor))


def _moved(name: str, tag: _Tag, x: Tensor, args: Any, kwargs: Any, shape: tuple[int, ...]) -> _Tag | None:
    """Where the features are after axes moved; None where that is not certain."""
    axis = tag.axis
    match name:
        case "transpose" | "swapaxes" | "transpose_" if len(args) == 3:
            a, b = args[1] % x.ndim, args[2] % x.ndim
            axis = b if axis == a else a if axis == b else axis
        case "permute" if len(args) > 1:
            order = args[1] if isinstance(args[1], tuple | list) else args[1:]
            axis = [k % x.ndim for k in order].index(axis)
        case "flatten" if (start := (args[1] if len(args) > 1 else kwargs.get("start_dim", 0)) % x.ndim) >= axis:
            # Axes behind the features become one with them only where they have one entry.
            if start == axis and shape[axis : axis + 1] != (tag.rep.dim,):
                return None
        case "mean" | "sum" | "amax" if (dims := kwargs.get("dim", args[1] if len(args) > 1 else None)) is not None:
            gone = {d % x.ndim for d in ((dims,) if isinstance(dims, int) else dims)}
            if axis in gone or (name == "amax" and rc.pointwise(tag.rep) != "any"):
                return None
            if len(shape) < x.ndim:
                axis -= sum(d < axis for d in gone)
        case "__getitem__" if isinstance(args[1], tuple) and all(isinstance(k, slice | int) for k in args[1]):
            index = args[1]
            if axis < len(index) and index[axis] != slice(None):
                return None
            axis -= sum(isinstance(k, int) for k in index[:axis])
        case _:
            return None
    return _Tag(tag.rep, axis) if len(shape) > axis and shape[axis] == tag.rep.dim else None


def _is_plain(module: Any) -> bool:
    """Whether it is a layer of torch with a constrained weight, not one of repcore."""
    return isinstance(module, (nn.Linear, _ConvNd, nn.Embedding))


def _name(module: nn.Module) -> str:
    # A parametrisation makes a class of its own, whose base is the layer.
    return type(module).__name__.removeprefix("Parametrized")


def _each(value: Any, directions: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * directions
    return tuple(value) if isinstance(value, tuple | list) and len(value) == directions else ()
