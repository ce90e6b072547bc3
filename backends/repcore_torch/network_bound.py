"""`network_bound`: how far a network can be from equivariant, composed from its weights, for every element of the group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.flow import longest
from repcore_torch.softened import set_softness, softenings
from repcore_torch.walk import Walk, measured_errors

__all__ = ["bound_over_softness", "network_bound"]


@torch.no_grad()
def network_bound(
    model: nn.Module,
    rules: Any = None,
    *,
    radius: float | None = None,
    data: Any = None,
    shape: Iterable[int] | None = None,
    symmetry: rc.Spec | rc.Group | None = None,
    rep_in: rc.Rep | None = None,
    lipschitz: Mapping[Any, float] | None = None,
    measured: float | None = None,
    samples: int = 32,
    seed: int = 0,
) -> rc.NetworkBound:
    """A bound on the equivariance error of a network, for every group element; and the error that is seen, layer by layer.

    The model is traced with ``torch.fx``, and two numbers follow its features h through the graph: r with ||h(x)|| <= r, and e
    with ||h(rho_X(g) x) - rho(g) h(x)|| <= e for every g. With P T the projection of a linear map T onto the equivariant ones,

        T h + b:     e <= ||T|| e' + 2 ||T - P T|| r' + 2 ||b - P b||,        r <= ||T|| r' + ||b||,
        h_1 + h_2:   e <= e_1 + e_2,                                          r <= r_1 + r_2,
        phi(h):      e <= L e',                                               r <= L r' + ||phi(0)||,

    phi of Lipschitz constant L and equivariant. For a chain of layers without biases that is
    sum_l (prod_(j>l) ||T_j||) 2 ||T_l - P T_l|| (prod_(j<l) ||T_j||) ||x||. Every rule is a theorem; what has no rule is refused.

    ===========================  ================================================================================================
    layer                        rule
    ===========================  ================================================================================================
    Linear, rct.Linear           spectral norm; the bias in each place
    convolutions of any kind     norm on all fields of Z^D, the least of three bounds: of Young (sum over cells of spectral
                                 norms), of one window, of the symbol at finitely many frequencies (within 2 % an axis)
    BatchNorm, in evaluation     a factor and a shift for each feature
    LayerNorm, GroupNorm, ...    Lipschitz: 1 / sqrt(eps) for a ball; far less for ``data``, whose features are known
    ReLU, GELU, tanh, ...        by their slopes, where the group permutes the features
    pooling, mean over cells     as convolutions with equal weights; maxima by the number of windows of a cell
    Gate, NormNonlinearity       by their slopes in the ball that the features lie in; InvariantPool: 1
    sums, factors, cat           as above
    ===========================  ================================================================================================

    A convolution or a pooling of stride s is equivariant only if its windows meet both ends of the padded image; others are
    refused, and so are ceil_mode, output_padding, and uneven padding. What is written over in place is read so later.
    Layers with hooks that may change what they give are refused, and sums and means of images whose sizes are not known.

    Args:
        model: takes one tensor (B, ...) and returns one. Seen in ``eval`` mode.
        rules: what the weights map, as for :func:`symmetrize`; left out, those weights that are constrained or softened. A linear
            layer without a rule is refused. Norms need no rule.
        radius: for all inputs with ||x|| <= radius; 1 by default.
        data: (N, ...) inputs. The bound is then for these inputs and every g, and is tighter: r is what is measured. With
            ``radius`` as well it is for the ball, and data are only measured. They must have ||x|| <= radius.
        shape: of one input, such as (1, 28, 28), where the number of cells plays a part and there are no data. Without it inputs
            of a linear layer are vectors.
        symmetry: what names in texts mean.
        rep_in: what acts on the features of the input; by default what the first layer takes.
        lipschitz: Lipschitz constants of what has no rule, by class, name of a layer or function. It must be equivariant, take
            zero to zero and keep the kind of its features, which is for you to know. Modules are then not looked into.
        measured: an error that you have measured, to be shown instead.
        samples: with data: how many elements are tried; a finite group of at most so many is taken whole.
        seed: of the elements.

    Returns:
        A ``repcore.NetworkBound``: print it, ``plot()`` it; ``float(bound)`` is its value. Where kernels are sampled (rotations
        by every angle) it says for which g the layers are followed.

    Only for representations that are orthogonal (unitary), as ``rho_X(g)`` must keep lengths. The numbers are computed in double
    precision; the bound is one of exact arithmetic, and rounding in the model itself is not in it: that of a strict network of
    float32 weights is some eps times the product of norms.

    Raises:
        IncompatibleError: a model that cannot be traced, what has no rule, a weight without a rule, features of another
            representation than the next layer takes, a representation that is not orthogonal; data outside of the ball.

    Cost: two singular value decompositions for each linear layer; for convolutions some hundred of the size of one cell, or none
    where that would take long; with data, one forward pass for each element.

    >>> import repcore as rc, torch
    >>> R = rc.regular(rc.cyclic(4))
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 4))
    >>> bound = network_bound(model, {"*": R >> R}, data=torch.randn(100, 4))
    >>> 0.1 < bound.measured / bound.value < 1
    True
    """
    if not isinstance(model, nn.Module):
        raise IncompatibleError(f"model: expected a torch module, got {type(model).__name__}")
    if radius is not None and not 0 <= radius < inf:
        raise IncompatibleError(f"radius: is {radius!r}; give the largest norm of an input")
    for key, value in (lipschitz or {}).items():
        if not isinstance(value, int | float) or not 0 <= value < inf:
            raise IncompatibleError(f"lipschitz[{key!r}]: is {value!r}; give a number that is not negative")
    with _evaluated(model):
        walk = Walk(model, rules, symmetry, rep_in, lipschitz or {})
        inputs = None if data is None else _inputs(model, data)
        first = walk.first(tuple(inputs.shape[1:]) if inputs is not None else None if shape is None else tuple(shape))
        largest = 0.0 if inputs is None else longest(inputs)
        if radius is not None and largest > radius * (1 + 4 * torch.finfo(torch.float32).eps):
            raise IncompatibleError(f"data: has an input of norm {largest:.4g}, outside of the ball of radius {radius:g}")
        tight = inputs is not None and radius is None
        size = largest if tight else 1.0 if radius is None else float(radius)
        seen = walk.watched(first, inputs)
        ball = walk.follow(replace(first, norm=size), seen, None)
        done = walk.follow(replace(first, norm=size), seen, ball.flows) if tight else ball
        errors = {} if inputs is None else measured_errors(walk, done, inputs, seen, samples, seed)
    sampled = tuple(
        site.path for site in walk.found.values() if getattr(site.plan, "approximate", "") and "bias" not in site.path
    )
    rows = tuple(replace(row, measured=errors.get(name)) for name, row in done.rows.items())
    value = done.output.error
    return rc.NetworkBound(
        2 * ball.output.norm if sampled else value,
        size,
        rows,
        f"these {len(inputs)} inputs" if tight and inputs is not None else f"all inputs up to norm {size:.3g}",
        errors.get(done.last) if measured is None else measured,
        sampled,
        value,
    )


def bound_over_softness(
    model: nn.Module, softness: Iterable[float] = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0), rules: Any = None, **options: Any
) -> rc.SoftnessCurve:
    """The measured error and its bound as the dial of a softened model is turned; the model is afterwards as it was.

    Args:
        model: with softened weights whose gains are not learned.
        softness: where to look.
        rules: as for :func:`network_bound`.
        **options: all others of :func:`network_bound`; ``data`` is needed.

    Returns:
        A ``repcore.SoftnessCurve`` without accuracies: print it, or ``plot()`` it.

    Raises:
        IncompatibleError: as :func:`network_bound` and :func:`set_softness`; no data.

    >>> import repcore as rc, torch
    >>> from repcore_torch import soften
    >>> R = rc.regular(rc.cyclic(4))
    >>> _ = torch.manual_seed(0)
    >>> model = soften(torch.nn.Sequential(torch.nn.Linear(4, 4)), {"*": R >> R}, softness=0.5)
    >>> curve = bound_over_softness(model, (0.5, 1.0), data=torch.randn(20, 4))
    >>> all(0 < point.error < point.bound for point in curve.points)
    True
    """
    if options.get("data") is None:
        raise IncompatibleError("data: are needed, as the error is measured on them; network_bound(model) is the bound alone")
    soft = [each for _, each in softenings(model) if not each.is_learned]
    before = [each.gains.clone() for each in soft]
    runs: list[tuple[float, float, None, float]] = []
    try:
        for value in softness:
            set_softness(model, value)
            found = network_bound(model, rules, **options)
            runs.append((float(value), found.measured or 0.0, None, found.on_cells))
    finally:
        for each, gains in zip(soft, before, strict=True):
            each.set_gains(gains.cpu().numpy())
    return rc.softness_curve(runs, title="largest error measured, and its bound")


def _inputs(model: nn.Module, data: Any) -> Tensor:
    like = next((p for p in model.parameters() if p.is_floating_point() or p.is_complex()), torch.zeros(0))
    try:
        tensor = data.detach() if isinstance(data, Tensor) else torch.as_tensor(np.asarray(data))
    except (TypeError, ValueError) as error:
        raise IncompatibleError(f"data: is no array of numbers: {error}; give a tensor (N, ...)") from None
    if tensor.ndim < 2 or not len(tensor):
        raise IncompatibleError(f"data: has shape {tuple(tensor.shape)}; give inputs (N, ...) with N >= 1")
    return tensor.to(like)


@contextmanager
def _evaluated(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode
