"""`measure`: how equivariant a model is, end to end on data and weight by weight over the whole group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.slots import constraint_of
from repcore_torch.surgery import read_map, sites

__all__ = ["measure"]


def measure(
    model: nn.Module,
    rep_in: rc.Rep,
    rep_out: rc.Rep,
    data: Any,
    rules: Any = None,
    *,
    symmetry: rc.Spec | rc.Group | None = None,
    samples: int = 64,
    seed: int = 0,
    reach: float = 1.0,
    attribute: bool = True,
    batch_size: int = 1024,
) -> rc.Report:
    """How equivariant a model is: f(rho_X(g) x) against rho_Y(g) f(x), and each weight W against its projection P W.

    End to end, on the data and on random elements g, with a standard error; then weight by weight, over the whole group and not
    sampled. A weight that is not equivariant is replaced by its projection alone, and the error measured again with the same g
    and data: ``report.culprit`` is the one whose projection lowers it most, and ``report.projected`` is what is left with all of
    them replaced, which comes from what is between them.

    The model runs in ``eval`` mode without gradients, on its own device, and is afterwards as it was, also after an error.

    Args:
        model: takes a batch like ``data`` and returns a tensor (n, ...).
        rep_in: X, of one row of the data.
        rep_out: Y, of one row of the output; ``trivial(G)`` for an invariant model, ``10 * trivial(G)`` for ten scores.
        data: a tensor or an array (N, ...), each row a vector of X when it is flattened: images (N, C, H, W) for
            ``C * rc.grid(G, (H, W))``. In the dtype that the model takes.
        rules: what the weights map, as for :func:`symmetrize`; the model need not be symmetrised. Left out, the weights are those
            that are constrained already.
        symmetry: what names in texts mean, as for :func:`symmetrize`.
        samples: elements; a finite group of at most so many is taken whole.
        seed: of the elements.
        reach: of the elements of a group that is not compact, see ``repcore.sample``.
        attribute: whether to replace weights by their projections one by one.
        batch_size: rows in one call of the model.

    Returns:
        A frozen ``repcore.Report``; print it, ``plot()`` it, or take ``to_dict()``.

    Raises:
        IncompatibleError, SpecError: as ``repcore.measure`` and :func:`symmetrize`; a model that returns no tensor.

    Cost: (samples + 2) forward passes of the data, and (samples + 1) more for each weight that is not equivariant.

    >>> import repcore as rc, torch
    >>> _ = torch.manual_seed(0)
    >>> V = rc.dihedral(4).rep
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False))
    >>> report = measure(model, V, V, torch.randn(100, 2), {"0": V >> V})
    >>> report.culprit.path, report.error > 0.1, report.culprit.without < 1e-6
    ('0.weight', True, True)
    """
    if not isinstance(model, nn.Module):
        raise IncompatibleError(f"model: expected a torch module, got {type(model).__name__}")
    try:
        tensor = data.detach() if isinstance(data, Tensor) else torch.as_tensor(np.asarray(data))
    except (TypeError, ValueError) as error:
        raise IncompatibleError(f"data: no numbers, but {type(data).__name__}; give a tensor (N, ...): {error}") from None
    parameter = next(model.parameters(), None)
    device = tensor.device if parameter is None else parameter.device
    dtype = tensor.dtype
    if not (dtype.is_floating_point or dtype.is_complex):
        raise IncompatibleError(f"data: has dtype {dtype}; moved vectors are not whole, so give floating point or complex")

    def call(function: Callable[[Tensor], Any]) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            found = function(torch.as_tensor(x).to(device=device, dtype=dtype))
            if not isinstance(found, Tensor):
                raise IncompatibleError(f"model: returned {type(found).__name__}; a tensor is needed; wrap the model")
            return _array(found)

        return run

    def replaced(maps: Mapping[str, Any]) -> Callable[[Any], Any]:
        weights = {path: _weight(model, views[path], path, m) for path, m in maps.items()}

        def forward(x: Tensor) -> Any:
            with _formed(model, weights) as others:
                return torch.func.functional_call(model, others, (x,))

        return call(forward)

    with _evaluated(model):
        found = _sites(model, rules, symmetry)
        views = {site.path: site.view for site in found}
        probes = [_probe(model, site) for site in found]
        kept = [p for p in probes if p is not None]
        report = rc.measure(
            call(model),
            rep_in,
            rep_out,
            _array(tensor),
            samples=samples,
            seed=seed,
            reach=reach,
            batch_size=batch_size,
            unit=torch.finfo(dtype).eps,
            probes=kept,
            replaced=replaced if attribute else None,
            unmeasured=[site.path for site, p in zip(found, probes, strict=True) if p is None],
        )
    return replace(report, dtype=str(dtype).removeprefix("torch."))


def _sites(model: nn.Module, rules: Any, symmetry: Any) -> list[rc.Site]:
    """The weights that are constrained, and those that rules mean."""
    return [*sites(model), *(() if rules is None else sites(model, rules, symmetry))]


def _probe(model: nn.Module, site: rc.Site) -> rc.Probe | None:
    if site.view is None:
        return None
    owner, _, name = site.path.rpartition(".")
    constraint = constraint_of(model.get_submodule(owner), name)
    tensor = site.view.write(read_map(model, site))
    return rc.probe(site, _array(tensor), torch.finfo(tensor.dtype).eps, constraint and constraint.projector.source)


def _weight(model: nn.Module, view: Any, path: str, maps: Any) -> Tensor:
    owner, _, name = path.rpartition(".")
    like: Any = getattr(model.get_submodule(owner), name)
    return torch.as_tensor(view.write(maps)).to(device=like.device, dtype=like.dtype)


@contextmanager
def _formed(model: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Parametrised weights read as those given; the others are returned.

    ``functional_call`` would assign them, and an assignment goes through ``right_inverse`` into the stored parameter: a filtered
    weight would be put back in the place of the free one. So the property of the layer's own class is exchanged for a while.
    """
    others: dict[str, Tensor] = {}
    before: list[tuple[Any, str, property]] = []
    try:
        for path, weight in weights.items():
            owner, _, name = path.rpartition(".")
            module = model.get_submodule(owner)
            if parametrize.is_parametrized(module, name):
                kind = type(module)
                before.append((kind, name, kind.__dict__[name]))
                setattr(kind, name, _read_as(module, weight, kind.__dict__[name]))
            else:
                others[path] = weight
        yield others
    finally:
        for kind, name, formed in reversed(before):
            setattr(kind, name, formed)


def _read_as(module: nn.Module, weight: Tensor, formed: Any) -> property:
    # Copies of a parametrised layer share its class.
    return property(lambda self: weight if self is module else formed.fget(self), formed.fset)


def _array(tensor: Tensor) -> Any:
    """As an array; dtypes that NumPy does not have become float32, without loss."""
    short = tensor.is_floating_point() and torch.finfo(tensor.dtype).bits < 32
    return tensor.detach().resolve_conj().resolve_neg().to(device="cpu", dtype=torch.float32 if short else None).numpy()


@contextmanager
def _evaluated(model: nn.Module) -> Iterator[None]:
    """In eval mode and without gradients; each module gets back its own mode."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode
