"""`measure`: how equivariant a function is, on data and random group elements, and which of its weights is to blame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.basis import EquivariantBasis
from repcore.defect import Bracket, is_orthogonal
from repcore.defect import measure as measured
from repcore.errors import IncompatibleError, RepcoreError
from repcore.plan import Plan
from repcore.report import LayerReport, LayerReports, Report
from repcore.reps.hom import Hom
from repcore.reps.permutation import grid
from repcore.reps.tree import Rep
from repcore.rules.site import Site
from repcore.sample import sample

__all__ = ["Probe", "layer_reports", "measure", "probe"]

Array = npt.NDArray[Any]
Function = Callable[[Array], Any]

_SVD = 2**31  # rows * cols * min(rows, cols) of a map up to which its spectral norm is cheap: about a second


@dataclass(frozen=True, eq=False)
class Probe:
    """A weight that :func:`measure` looks at.

    Attributes:
        path: its name.
        space: what it maps, as text.
        plan: that projects it.
        maps: the weight as maps ``(*batch, dim Y, dim X)``, float64 or complex128.
        unit: the unit roundoff of the dtype that the weight has in the model.
        is_orthogonal: whether the group acts by orthogonal (unitary) matrices on both sides; None where that is not known.
    """

    path: str
    space: str
    plan: Plan
    maps: Array
    unit: float
    is_orthogonal: bool | None = None


def probe(site: Site, weight: npt.ArrayLike, unit: float, source: Any = None) -> Probe | None:
    """What :func:`measure` wants of a weight; None for one that has no space of its own. For authors of adapters.

    Args:
        site: what the weight maps.
        weight: its tensor, as an array.
        unit: the unit roundoff of its dtype in the model.
        source: the space, basis or plan, where that is known better than from the rule of the site.
    """
    if site.plan is None or site.view is None:
        return None
    tensor = np.asarray(weight)
    wide = tensor.astype(np.result_type(tensor.dtype, np.float64), copy=False)
    return Probe(site.path, site.label, site.plan, site.view.read(wide), unit, _acts_orthogonally(site, source))


def layer_reports(probes: Sequence[Probe]) -> LayerReports:
    """Weights beside their projections, without a function that they are part of. For authors of adapters.

    Raises:
        IncompatibleError: a weight with entries that are not finite.

    Cost: one projection a weight, in float64.

    >>> import numpy as np, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> found = layer_reports([Probe("0", "V >> V", rc.plan(V >> V), np.array([[1.0, 2.0], [2.0, 1.0]]), 1e-16, True)])
    >>> round(found["0"].distance, 3), found["0"].relative < 1
    (2.828, True)
    """
    return LayerReports(tuple(_layers(probes)[0]))


def measure(
    f: Function,
    rep_in: Rep,
    rep_out: Rep,
    data: npt.ArrayLike,
    *,
    samples: int = 64,
    seed: int = 0,
    reach: float = 1.0,
    batch_size: int = 1024,
    unit: float | None = None,
    probes: Sequence[Probe] = (),
    replaced: Callable[[Mapping[str, Array]], Function] | None = None,
    unmeasured: Sequence[str] = (),
) -> Report:
    """How far a function of arrays is from f(rho_X(g) x) = rho_Y(g) f(x), on data and random elements g.

    For models of PyTorch and JAX take ``repcore_torch.measure`` and ``repcore_jax.measure``, which measure the weights as well.

    The error is sampled over g, with the standard error that this brings; the layers are not sampled, their means are over the
    whole group. Elements are those of :func:`repcore.sample`: of a small group all of them, otherwise products of generators that
    no layer was built from. Every g is taken with every row of the data. Vectors are moved in float64 and then rounded to the
    dtype of the data.

    Args:
        f: takes an array (n, ...) like the data, and returns one (n, ...) whose entries are a vector of Y for each row. It is
            deterministic.
        rep_in: X.
        rep_out: Y; ``trivial(G)`` for an invariant function, ``10 * trivial(G)`` for the scores of ten classes.
        data: (N, ...), each row a vector of X: images (N, C, H, W) for ``C * rc.grid(G, (H, W))``, channels first; or
            (N, H, W, C) for ``rc.grid(G, (H, W)) * Y`` with dim Y = C. Floating point or complex.
        samples: elements; a finite group of at most so many is taken whole.
        seed: of the elements.
        reach: of the elements of a group that is not compact, see :func:`repcore.sample`.
        batch_size: rows in one call of f.
        unit: the unit roundoff of what f computes in, if that is not the dtype of the data.
        probes: weights of f, for its layers; made by adapters.
        replaced: takes projected maps by path, and gives f with these in the place of its weights; for ``LayerReport.without``.
        unmeasured: names for ``Report.unmeasured``.

    Returns:
        A frozen :class:`Report`.

    Raises:
        IncompatibleError: representations of different groups; data or values of f of another size, without rows, not finite, or
            of a dtype that cannot hold moved vectors; f that is zero on all of the data.

    Cost: (samples + 2) calls of f on the data; with ``replaced`` (samples + 1) more for each weight that is not equivariant,
    and memory for the values of each of these on the data. One projection a weight, in float64.

    >>> import numpy as np, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> measure(lambda x: x * np.linalg.norm(x, axis=-1, keepdims=True), V, V, x).error < 1e-15
    True
    >>> print(measure(lambda x: x + [0.1, 0.0], V, V, x).samples)
    8 elements of D4, all 8 elements: identity 1, single generators 2, products 5
    """
    flat, shape, dtype = _checked(rep_in, rep_out, data, f)
    for name, count in (("samples", samples), ("batch_size", batch_size)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise IncompatibleError(f"{name}: expected an integer >= 1, got {count!r}")
    elements = sample(rep_in.group, samples, seed=seed, reach=reach)
    layers, better = _layers(probes)
    variants = list(_variants(f, layers, better, replaced))
    run = _Runner(rep_out, shape, dtype, batch_size)
    values = [run(g, flat) for g in variants]
    scales = [_size(v) for v in values]
    if not scales[0]:
        raise IncompatibleError("f: is zero on all of the data, so that a relative error means nothing; give other data")
    squares, worst = np.zeros((len(variants), len(elements))), (-1.0, elements[0], 0)
    for k, g in enumerate(elements):
        moved = g.act(rep_in, flat)
        if moved.dtype.kind == "c" and dtype.kind != "c":
            raise IncompatibleError(
                f"data: are real ({dtype}) and rep_in = {rep_in} is complex; give complex data, or take the realified "
                "representations (V.realify())"
            )
        for v, (function, value) in enumerate(zip(variants, values, strict=True)):
            gap = np.sum(np.abs(run(function, moved) - g.act(rep_out, value)) ** 2, axis=-1)
            squares[v, k] = gap.mean()
            if v == 0 and gap.max() > worst[0]:
                worst = (float(gap.max()), g, int(gap.argmax()))
    errors = [sqrt(float(s.mean())) / r if r else None for s, r in zip(squares, scales, strict=True)]
    products = squares[0, [g.is_product for g in elements]]
    error, rest = errors[0] or 0.0, errors[1:]
    return Report(
        rep_in=str(rep_in),
        rep_out=str(rep_out),
        samples=elements,
        seed=seed,
        rows=len(flat),
        dtype=str(dtype),
        scale=scales[0],
        error=error,
        standard_error=0.0 if elements.is_exhaustive else _standard_error(squares[0]) / scales[0],
        error_of_products=sqrt(float(products.mean())) / scales[0] if len(products) else None,
        worst=sqrt(worst[0]) / scales[0],
        worst_element=worst[1],
        worst_row=worst[2],
        rounding=_rounding(run, f, flat, values[0], float(np.finfo(dtype).eps) if unit is None else unit, seed) / scales[0],
        layers=_attributed(layers, better, rest),
        projected=rest[-1] if rest else None,
        unmeasured=tuple(unmeasured),
    )


# ------------------------------------------------------------------------------------------------------ end to end


@dataclass(frozen=True)
class _Runner:
    """Calls a function on rows of vectors, batch by batch, and checks what it gives."""

    rep: Rep
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    batch_size: int

    def __call__(self, f: Function, flat: Array) -> Array:
        """(N, dim X) -> (N, dim Y), in double precision."""
        rows = flat.astype(self.dtype, copy=False).reshape(len(flat), *self.shape)
        parts = [self._one(f, rows[k : k + self.batch_size]) for k in range(0, len(rows), self.batch_size)]
        return np.concatenate(parts)

    def _one(self, f: Function, rows: Array) -> Array:
        found = np.asarray(f(rows))
        if found.dtype.kind not in "fciub":
            raise IncompatibleError(f"f: returned an array of dtype {found.dtype}; an array of numbers is needed")
        if not found.ndim or len(found) != len(rows) or found.size != len(rows) * self.rep.dim:
            raise IncompatibleError(
                f"f: returned an array of shape {found.shape} for {len(rows)} rows; (n, ...) with {self.rep.dim} entries a row "
                f"is needed, the dimension of rep_out = {self.rep}"
            )
        if not np.isfinite(found).all():
            raise IncompatibleError(
                "f: returned values that are not finite, for which there is no error; scale the data or mend f"
            )
        return found.reshape(len(rows), -1).astype(np.result_type(found.dtype, np.float64), copy=False)


def _checked(rep_in: Rep, rep_out: Rep, data: npt.ArrayLike, f: Function) -> tuple[Array, tuple[int, ...], np.dtype[Any]]:
    """The data as vectors (N, dim X) in double precision, the shape of a row, and their dtype."""
    if not callable(f):
        raise IncompatibleError(f"f: expected a function, got {type(f).__name__}")
    for name, rep in (("rep_in", rep_in), ("rep_out", rep_out)):
        if not isinstance(rep, Rep):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise IncompatibleError(f"{name}: expected a representation, got {type(rep).__name__}")
    if rep_in.group != rep_out.group:
        raise IncompatibleError(f"rep_in, rep_out: representations of different groups, {rep_in.group} and {rep_out.group}")
    x = np.asarray(data)
    if x.dtype.kind not in "fc":
        raise IncompatibleError(f"data: has dtype {x.dtype}; moved vectors are not whole, so give floating point or complex")
    if x.ndim < 2 or not len(x):
        raise IncompatibleError(f"data: has shape {x.shape}; give (N, ...) with at least one row")
    if prod(x.shape[1:]) != rep_in.dim or not rep_in.dim:
        raise IncompatibleError(
            f"data: a row of shape {x.shape[1:]} has {prod(x.shape[1:])} entries, and rep_in = {rep_in} has dimension "
            f"{rep_in.dim}; for images the representation is C * rc.grid(G, (H, W)), with channels first"
        )
    if not np.isfinite(x).all():
        raise IncompatibleError("data: has entries that are not finite")
    wide = x.reshape(len(x), -1).astype(np.result_type(x.dtype, np.float64), copy=False)
    return wide, x.shape[1:], x.dtype


def _size(values: Array) -> float:
    """The root mean square of the norms of the rows."""
    return float(np.linalg.norm(values)) / sqrt(len(values))


def _standard_error(squares: Array) -> float:
    """Of the root of a mean of squares, one for each element: the delta method; infinite for a single element."""
    if len(squares) < 2:
        return float("inf")
    root = sqrt(float(squares.mean()))
    return float(squares.std(ddof=1)) / (2 * root * sqrt(len(squares))) if root else 0.0


def _rounding(run: _Runner, f: Function, flat: Array, values: Array, unit: float, seed: int) -> float:
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=flat.shape)
    return _size(run(f, flat * (1 + unit * signs)) - values)


# ------------------------------------------------------------------------------------------------- layer by layer


def _layers(probes: Sequence[Probe]) -> tuple[list[LayerReport], dict[str, Array]]:
    """The report of each weight, and the projections of those that are not equivariant."""
    layers: list[LayerReport] = []
    better: dict[str, Array] = {}
    for p in probes:
        if not np.isfinite(p.maps).all():
            raise IncompatibleError(f"model: {p.path!r} has entries that are not finite")
        projected = p.plan.project(p.maps)
        layers.append(_layer(p, projected))
        if not layers[-1].is_equivariant:
            better[p.path] = projected
    return layers, better


def _layer(p: Probe, projected: Array) -> LayerReport:
    norm, distance = float(np.linalg.norm(p.maps)), float(np.linalg.norm(p.maps - projected))
    rows, cols = p.plan.shape
    worst_spectral = None
    if p.is_orthogonal and rows * cols * min(rows, cols) * max(1, prod(p.maps.shape[:-2])) <= _SVD:
        pairs = zip(p.maps.reshape(-1, rows, cols), projected.reshape(-1, rows, cols), strict=True)
        found = [measured(w, w_projected).worst_spectral for w, w_projected in pairs]
        worst_spectral = Bracket(max((b.lower for b in found), default=0.0), max((b.upper for b in found), default=0.0))
    return LayerReport(
        path=p.path,
        space=p.space,
        shape=tuple(p.maps.shape),
        norm=norm,
        equivariant=float(np.linalg.norm(projected)),
        distance=distance,
        mean=sqrt(2) * distance if p.is_orthogonal else None,
        worst=Bracket(sqrt(2) * distance, 2 * distance) if p.is_orthogonal else None,
        worst_spectral=worst_spectral,
        rounding=(rows + cols + 4) * p.unit * norm,
        approximate=p.plan.approximate,
    )


def _variants(
    f: Function,
    layers: Sequence[LayerReport],
    better: Mapping[str, Array],
    replaced: Callable[[Mapping[str, Array]], Function] | None,
) -> Iterator[Function]:
    """f, then f with each weight projected that is not equivariant, then f with all of them projected."""
    yield f
    if replaced is not None and better:
        for x in layers:
            if x.path in better:
                yield replaced({x.path: better[x.path]})
        yield replaced(better)


def _attributed(
    layers: Sequence[LayerReport], better: Mapping[str, Array], errors: Sequence[float | None]
) -> tuple[LayerReport, ...]:
    if not errors:
        return tuple(layers)
    left = dict(zip(better, errors, strict=False))  # the last error is that of all together
    return tuple(replace(x, without=left.get(x.path)) for x in layers)


def _acts_orthogonally(site: Site, source: Any) -> bool | None:
    maps = source if source is not None else site.rule.maps
    space = maps.space if isinstance(maps, EquivariantBasis) else maps
    if isinstance(space, Hom):
        reps = [space.domain, space.codomain]
    elif isinstance(space, Rep):
        reps = [space]
    else:
        return None
    if isinstance(site.rule.inner, Rep):
        reps.append(site.rule.inner)
    if not all(is_orthogonal(v) for v in reps):
        return False
    size = tuple(n for n, axis in zip(site.slot.shape, site.slot.axes, strict=False) if axis == "s")
    if prod(size) <= 1 or site.plan is None or (isinstance(space, Hom) and space.shape == site.plan.shape):
        return True
    try:
        # Where the group moves cells of the kernel to cells it permutes them; otherwise it does not act on kernels at all.
        grid(reps[0].group, size, spatial=site.rule.spatial if isinstance(site.rule.spatial, Rep) else None)
    except RepcoreError:
        return None
    return True
