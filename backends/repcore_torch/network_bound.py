"""`network_bound`: how far a chain of layers can be from equivariant, composed from its weights; no data, and nothing sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, inf, prod, sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.projector import projector_of
from repcore_torch.slots import constraint_of
from repcore_torch.surgery import sites

__all__ = ["LayerBound", "NetworkBound", "network_bound"]

# Lipschitz constants of what may stand between the layers; those of gelu and silu are the maxima of their slopes, rounded up.
_BETWEEN: dict[type[nn.Module], float] = {
    nn.Identity: 1.0, nn.Dropout: 1.0, nn.Dropout2d: 1.0, nn.Flatten: 1.0, nn.Unflatten: 1.0,
    nn.ReLU: 1.0, nn.ReLU6: 1.0, nn.LeakyReLU: 1.0, nn.ELU: 1.0, nn.Tanh: 1.0, nn.Softsign: 1.0, nn.Hardtanh: 1.0,
    nn.Softshrink: 1.0, nn.GELU: 1.13, nn.SiLU: 1.1, nn.AdaptiveAvgPool1d: 1.0, nn.AdaptiveAvgPool2d: 1.0, nn.AdaptiveAvgPool3d:
    1.0,
}  # fmt: skip


@dataclass(frozen=True)
class LayerBound:
    """One weight in the chain.

    Attributes:
        path: the name of the layer.
        norm: a bound on ||W||, the operator norm of the layer.
        distance: a bound on ||W - P W||, likewise.
        before: a bound on the norm of what goes in, for inputs of the radius.
        after: the product of the norms of the layers that follow.
        share: what the layer adds to the bound.
    """

    path: str
    norm: float
    distance: float
    before: float
    after: float
    share: float


@dataclass(frozen=True)
class NetworkBound:
    """sup ||f(rho_X(g) x) - rho_Y(g) f(x)|| <= ``value`` for every g and every x with ||x|| <= ``radius``. Print it.

    Attributes:
        value: the bound.
        radius: of the inputs.
        layers: where it comes from, a :class:`LayerBound` each.
        measured: the largest error seen, of the function given with ``measured=``; None without it.
    """

    value: float
    radius: float
    layers: tuple[LayerBound, ...]
    measured: float | None = None

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        rows = [("layer", "||W||", "||W - PW||", "input", "after", "adds")]
        rows += [(x.path, *(f"{v:.3g}" for v in (x.norm, x.distance, x.before, x.after, x.share))) for x in self.layers]
        widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
        lines = [
            "  ".join(t.ljust(w) if not c else t.rjust(w) for c, (t, w) in enumerate(zip(r, widths, strict=True))) for r in rows
        ]
        seen = "" if self.measured is None else f"; measured {self.measured:.3g}"
        return "\n".join([*lines, f"at most {self.value:.3g} for every g and all inputs up to norm {self.radius:.3g}{seen}"])

    __repr__ = __str__


@torch.no_grad()
def network_bound(
    model: nn.Sequential,
    rules: Any = None,
    *,
    radius: float = 1.0,
    symmetry: rc.Spec | rc.Group | None = None,
    lipschitz: Mapping[type, float] | None = None,
    measured: float | None = None,
) -> NetworkBound:
    """A bound on the equivariance error of a chain of layers, for every group element and every input of a ball.

    With each weight W_l beside its projection P W_l, and e the error, r the norm of features after l layers,

        e_l <= ||W_l|| e_(l-1) + 2 ||W_l - P W_l|| r_(l-1) + 2 ||b_l - P b_l||,        r_l <= ||W_l|| r_(l-1) + ||b_l||,

    which without biases is sum_l (prod_(j>l) ||W_j||) 2 ||W_l - P W_l|| (prod_(j<l) ||W_j||) ||x||. Norms are spectral; that of a
    convolution, as a map of whole fields, is at most that of its kernel read as a map of one cell's window, times the root of the
    number of windows that a cell lies in.

    Args:
        model: an ``nn.Sequential``, nested as you like, of linear layers, convolutions with zero padding, and what stands
            between: ReLU, tanh, GELU and their like, dropout, flattening, and adaptive pooling to one cell.
        rules: what the weights map, as for :func:`symmetrize`; left out, those weights that are constrained or softened. A weight
            without a rule is refused: nothing would be known of it.
        radius: ||x||.
        symmetry: what names in texts mean.
        lipschitz: Lipschitz constants of further layers by class. They must be equivariant and take zero to zero, which is for
            you to know: so must those above be, for the representation that they act on (ReLU wants permuted features).
        measured: an error that was measured for inputs of the radius, to be shown beside the bound.

    Only for representations that are orthogonal (unitary), as ``rho_X(g)`` must keep lengths.

    Returns:
        A :class:`NetworkBound`; ``float(bound)`` is its value.

    Raises:
        IncompatibleError: a model that is no chain, a layer that is not known, a weight without a rule, a representation that is
            not orthogonal.

    Cost: two singular value decompositions for each weight.

    >>> import repcore as rc, torch
    >>> R = rc.regular(rc.cyclic(4))
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 4))
    >>> bound = network_bound(model, {"*": R >> R})
    >>> x = torch.nn.functional.normalize(torch.randn(100, 4), dim=1)
    >>> error = (model(x.roll(1, 1)) - model(x).roll(1, 1)).norm(dim=1).max()
    >>> 0.1 < error.item() / bound.value < 1
    True
    """
    if not isinstance(model, nn.Sequential):
        raise IncompatibleError(f"model: expected an nn.Sequential, got {type(model).__name__}; branches have no chain rule here")
    if not (radius >= 0 and radius < inf):
        raise IncompatibleError(f"radius: is {radius!r}; give the largest norm of an input")
    known = {**_BETWEEN, **(lipschitz or {})}
    found = {site.path: site for site in sites(model)}
    if rules is not None:
        found |= {site.path: site for site in sites(model, rules, symmetry, method="project")}
    rows: list[tuple[str, float, float, float]] = []  # name, ||W||, what it adds itself, ||W - P W||
    reach, error = float(radius), 0.0
    inputs: list[float] = []
    for name, layer in _chain(model):
        if isinstance(layer, nn.Linear | _ConvNd):
            norm, distance = _norms(layer, name, "weight", found)
            grow = _windows(layer, name)
            norm, distance = grow * norm, grow * distance
            length, off = _norms(layer, name, "bias", found) if layer.bias is not None else (0.0, 0.0)
            if isinstance(layer, _ConvNd) and layer.bias is not None and (length or off):
                raise IncompatibleError(
                    f"{name!r}: a convolution with a bias adds it to every cell, so that the bound depends on their number; fold "
                    "the bias away, or leave it out (bias=False)"
                )
            inputs.append(reach)
            adds = 2 * distance * reach + 2 * off
            error, reach = norm * error + adds, norm * reach + length
            rows.append((name, norm, adds, distance))
        else:
            constant = next((c for kind, c in known.items() if type(layer) is kind), None)
            if constant is None or (hasattr(layer, "output_size") and set(_tuple(layer.output_size)) != {1}):
                kind = type(layer).__name__
                raise IncompatibleError(
                    f"{name!r} is a {kind}, of which no Lipschitz constant is known; give lipschitz={{{kind}: ...}} if it is "
                    "equivariant and takes zero to zero"
                )
            error, reach = constant * error, constant * reach
            if rows and constant != 1:
                last = rows[-1]
                rows[-1] = (last[0], constant * last[1], constant * last[2], last[3])
    after = [prod(row[1] for row in rows[k + 1 :]) for k in range(len(rows))]
    layers = tuple(
        LayerBound(path, norm, distance, r, later, later * adds)
        for (path, norm, adds, distance), r, later in zip(rows, inputs, after, strict=True)
    )
    # Norms are computed to rounding: of a singular value decomposition, n eps ||W|| for each layer.
    return NetworkBound(error * (1 + 1e-12), float(radius), layers, measured)


def _chain(model: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    out: list[tuple[str, nn.Module]] = []
    for name, child in model.named_children():
        path = f"{prefix}{name}"
        out += _chain(child, f"{path}.") if isinstance(child, nn.Sequential) else [(path, child)]
    return out


def _norms(layer: Any, owner: str, name: str, found: dict[str, rc.Site]) -> tuple[float, float]:
    """||W|| and ||W - P W||, spectral."""
    path = f"{owner}.{name}"
    site = found.get(path)
    if site is None or site.view is None:
        raise IncompatibleError(f"{path!r}: no rule says what it maps, so that nothing bounds its part of the error")
    if path.endswith("weight") and _is_sampled(layer, name, site):
        raise IncompatibleError(f"{path!r}: its kernels are sampled, and equivariant up to a sampling error that no norm bounds")
    held = constraint_of(layer, name)
    space = site.space or getattr(held, "maps", None) or getattr(site.rule.maps, "space", site.rule.maps)
    if isinstance(space, rc.Hom) and not rc.soften(space, keep=1).plan.growth.is_orthogonal:
        raise IncompatibleError(
            f"{path!r} maps {space}, which is not orthogonal: group elements change norms; use V.orthogonalised()"
        )
    weight: Tensor = getattr(layer, name)
    maps = site.view.read(weight).double()
    residual = maps - projector_of(site.plan)(maps)
    norms = [torch.linalg.matrix_norm(m.reshape(-1, *m.shape[-2:]), 2).max().item() for m in (maps, residual)]
    return norms[0], norms[1]


def _is_sampled(layer: Any, name: str, site: rc.Site) -> bool:
    """Whether the equivariant kernels are samples of functions: then they are equivariant up to an error of their own."""
    held = constraint_of(layer, name)
    source: Any = held.projector.source if held is not None else rc.space_of(site)
    return isinstance(layer, _ConvNd) and not isinstance(source, rc.Hom | rc.EquivariantBasis)


def _windows(layer: Any, name: str) -> float:
    """The root of the number of windows that a cell lies in, 1 for a linear layer."""
    if not isinstance(layer, _ConvNd):
        return 1.0
    if layer.padding_mode not in ("zeros", "circular") or isinstance(layer, _ConvTransposeNd) or layer.groups > 1:
        raise IncompatibleError(
            f"{name!r}: padding {layer.padding_mode!r}, groups or a transposed convolution; no bound is known"
        )
    return sqrt(prod(ceil(k / s) for k, s in zip(layer.kernel_size, layer.stride, strict=True)))


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)
