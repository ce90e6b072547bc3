"""`Report`: how equivariant a model is, end to end and layer by layer; the same for every framework."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from repcore.defect import Bracket
from repcore.sample import Samples
from repcore.word import Word

__all__ = ["LayerReport", "LayerReports", "Report"]


@dataclass(frozen=True)
class LayerReport:
    """One weight W of a model beside its projection P W onto the equivariant maps; nothing here is sampled.

    For orthogonal (unitary) representations of a compact group, D(g) = rho_Y(g) W - W rho_X(g) has E_g ||D(g)||_F^2 =
    2 ||W - P W||_F^2, see :class:`repcore.Defect`. Norms of a weight that holds several maps are over all of them.

    Attributes:
        path: the name of the weight in the model.
        space: what it maps, as text.
        shape: of the weight, read as maps ``(*batch, dim Y, dim X)``.
        norm: ||W||_F.
        equivariant: ||P W||_F.
        distance: ||W - P W||_F.
        mean: sqrt(2) ||W - P W||_F, the root mean square of ||D(g)||_F over the whole group; None where the group does not act on
            both sides by orthogonal (unitary) matrices, or that is not known: there only a distance of zero has a meaning.
        worst: bounds on sup_g ||D(g)||_F; None likewise.
        worst_spectral: bounds on sup_g ||D(g)||_2, of the worst of several maps; None likewise, and for large maps.
        rounding: a distance that the rounding of an equivariant weight may have, (dim X + dim Y + 4) u ||W||.
        without: the relative error of the model, end to end, with this weight alone replaced by P W; None if that was not
            measured, or the model is then zero.
        approximate: in which sense P W is equivariant only approximately, see :attr:`repcore.Plan.approximate`; empty where it is
            exactly so.
    """

    path: str
    space: str
    shape: tuple[int, ...]
    norm: float
    equivariant: float
    distance: float
    mean: float | None
    worst: Bracket | None
    worst_spectral: Bracket | None
    rounding: float
    without: float | None = None
    approximate: str = ""

    @property
    def relative(self) -> float:
        """||W - P W||_F / ||W||_F, between 0 and 1; 0 for W = 0."""
        return self.distance / self.norm if self.norm else 0.0

    @property
    def is_equivariant(self) -> bool:
        """Whether the distance is no more than rounding."""
        return self.distance <= self.rounding


@dataclass(frozen=True)
class LayerReports:
    """The weights of a model beside their projections, in its order; a sequence of :class:`LayerReport`. Print it."""

    layers: tuple[LayerReport, ...]

    def __iter__(self) -> Iterator[LayerReport]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, path: str) -> LayerReport:
        """The layer of a path."""
        found = next((x for x in self.layers if x.path == path), None)
        if found is None:
            raise KeyError(f"no layer {path!r} was measured; there are {', '.join(x.path for x in self.layers) or 'none'}")
        return found

    def __str__(self) -> str:
        return "\n".join(line.rstrip() for line in _table(self.layers))

    __repr__ = __str__


@dataclass(frozen=True)
class Report:
    """How equivariant a model is; made by :func:`repcore.measure` and by the ``measure`` of each adapter. Print it.

    With e(g, x) = ||f(rho_X(g) x) - rho_Y(g) f(x)|| / r, where r is the root mean square of ||f(x)|| over the data:

    Attributes:
        rep_in, rep_out: X and Y, as text.
        samples: the elements g.
        seed: with which they were drawn.
        rows: how many x there are in the data.
        dtype: of the data.
        scale: r.
        error: the root mean square of e(g, x) over the elements and the data.
        standard_error: of ``error`` as an estimate of the mean over the group, for these data: 0 if every element was taken.
        error_of_products: the same mean over the elements that are neither the identity nor a single generator; None if there are
            none. No layer was built from such elements.
        worst: the largest e(g, x).
        worst_element: its g.
        worst_row: its x, a row of the data.
        rounding: root mean square of ||f(x') - f(x)|| / r, where each entry of x' is off by one rounding: an error of that
            size cannot be told from rounding.
        layers: the weights, in the order of the model.
        projected: the error with every weight of ``layers`` replaced by its projection: what the rest of the model is to blame
            for. None if that was not measured.
        unmeasured: weights that a rule means and that have no space of their own: those of norms.
    """

    rep_in: str
    rep_out: str
    samples: Samples
    seed: int
    rows: int
    dtype: str
    scale: float
    error: float
    standard_error: float
    error_of_products: float | None
    worst: float
    worst_element: Word
    worst_row: int
    rounding: float
    layers: tuple[LayerReport, ...] = ()
    projected: float | None = None
    unmeasured: tuple[str, ...] = ()

    @property
    def culprit(self) -> LayerReport | None:
        """The layer whose projection alone lowers the error most; None if none lowers it, or that was not measured."""
        found = [x for x in self.layers if x.without is not None and x.without < self.error]
        return min(found, key=lambda x: x.without or 0.0, default=None)

    def __getitem__(self, path: str) -> LayerReport:
        """The layer of a path."""
        found = next((x for x in self.layers if x.path == path), None)
        if found is None:
            raise KeyError(f"no layer {path!r} was measured; there are {', '.join(x.path for x in self.layers) or 'none'}")
        return found

    def to_dict(self) -> Mapping[str, Any]:
        """All of it as plain data, which ``json.dumps`` takes; numbers that were not measured are None."""
        layers = [
            asdict(x) | {"shape": list(x.shape), "relative": x.relative, "equivariant_to_rounding": x.is_equivariant}
            for x in self.layers
        ]
        plain = {k: v for k, v in vars(self).items() if k not in ("samples", "worst_element", "layers")}
        samples = {
            "group": str(self.samples.group),
            "count": len(self.samples),
            "how": self.samples.how,
            "is_exhaustive": self.samples.is_exhaustive,
            "identities": self.samples.identities,
            "products": self.samples.products,
        }
        letters = [[list(pair) for pair in letter] for letter in self.worst_element.letters]
        culprit = self.culprit
        return plain | {
            "unmeasured": list(self.unmeasured),
            "samples": samples,
            "worst_element": {"text": str(self.worst_element), "letters": letters},
            "layers": layers,
            "culprit": None if culprit is None else culprit.path,
        }

    def plot(self, ax: Any = None) -> Any:
        """Bars of the relative defect of each layer, and of the error without it; :func:`repcore.plot` of it."""
        from repcore.plot import plot

        return plot(self, ax)

    def __str__(self) -> str:
        lines = [
            f"f: {self.rep_in} -> {self.rep_out}",
            f"{self.samples}; {self.rows} rows of {self.dtype}, seed {self.seed}",
            "",
            f"error          {_short(self.error)}{_plus_minus(self)}   root mean square of |f(gx) - g f(x)| / |f(x)|",
        ]
        if self.error_of_products is not None and self.samples.products < len(self.samples):
            lines.append(f"  of products  {_short(self.error_of_products)}   over the elements that are no single generator")
        lines += [
            f"  worst        {_short(self.worst)}   row {self.worst_row}, g = {_cut(str(self.worst_element))}",
            f"  rounding     {_short(self.rounding)}   one rounding of x moves f by that much",
        ]
        if self.projected is not None:
            lines.append(f"  projected    {_short(self.projected)}   with all of the layers below projected")
        if self.layers:
            lines += ["", *_table(self.layers)]
        if self.unmeasured:
            lines += ["", f"not measured, as they belong to norms: {', '.join(self.unmeasured)}"]
        for text in dict.fromkeys(x.approximate for x in self.layers if x.approximate):
            names = ", ".join(x.path for x in self.layers if x.approximate == text)
            lines += ["", f"{_cut(names, 60)}: |W-PW| is from kernels {text}"]
        culprit = self.culprit
        if culprit is not None and culprit.without is not None:
            fall = f"{_short(self.error)} falls to {_short(culprit.without)}"
            lines += ["", f"most of it comes from {culprit.path}: with this weight projected {fall}"]
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__


def _table(layers: tuple[LayerReport, ...]) -> list[str]:
    heads = ("layer", "maps", "|W|", "|PW|", "|W-PW|/|W|", "rms defect", "worst defect", "error without")
    rows: list[tuple[str, ...]] = [heads]
    for x in layers:
        worst = "" if x.worst is None else f"{_short(x.worst.lower)} ... {_short(x.worst.upper)}"
        mean, without = ("" if v is None else _short(v) for v in (x.mean, x.without))
        relative = "rounding" if x.is_equivariant else _short(x.relative)
        rows.append((x.path, _cut(x.space, 40), _short(x.norm), _short(x.equivariant), relative, mean, worst, without))
    # A column that nothing stands in, such as errors that were not measured, is left out.
    kept = [c for c in range(len(heads)) if c < 2 or any(row[c] for row in rows[1:])]
    rows = [tuple(row[c] for c in kept) for row in rows]
    widths = [max(len(row[c]) for row in rows) for c in range(len(kept))]
    return ["  ".join(v.ljust(w) if c < 2 else v.rjust(w) for c, (v, w) in enumerate(zip(r, widths, strict=True))) for r in rows]


def _plus_minus(report: Report) -> str:
    return " (exact)" if report.samples.is_exhaustive else f" +- {report.standard_error:.1g}"


def _short(value: float) -> str:
    return f"{value:.3g}"


def _cut(text: str, most: int = 90) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
