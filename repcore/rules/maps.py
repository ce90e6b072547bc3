"""What each kind of layer makes of a rule: the space of its weight, and the view that reads the weight as maps of it."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

from repcore.basis import EquivariantBasis
from repcore.defect import is_orthogonal
from repcore.errors import IncompatibleError
from repcore.plan import Plan
from repcore.reps.features import pointwise
from repcore.reps.function_maps import FunctionMaps
from repcore.reps.hom import Hom
from repcore.reps.tree import Rep, Sum, trivial
from repcore.rules.rule import Rule
from repcore.rules.slot import Slot
from repcore.rules.view import View, view_of
from repcore.store.cached import plan
from repcore.store.kernels import kernels

__all__ = ["Reading", "read_slot"]

NORMS = ("batch_norm", "layer_norm", "rms_norm", "norm")


class Reading(NamedTuple):
    """The plan and the view of a weight, the space as a text, of a norm its representation, and the space where it is known."""

    plan: Plan | None
    view: View | None
    label: str
    rep: Rep | None = None
    space: Hom | None = None


def read_slot(slot: Slot, rule: Rule, replaced: frozenset[str]) -> Reading:
    """What the weight of a slot is by a rule.

    Args:
        slot: the weight.
        rule: with its texts read.
        replaced: kinds of layers that the adapter replaces.

    Raises:
        IncompatibleError: the shape does not fit, or an option is missing; the message says what would.
    """
    if slot.kind in NORMS and isinstance(rule.maps, Rep | Hom):
        return _norm(slot, rule, slot.kind in replaced)
    if slot.kind == "embedding" and isinstance(rule.maps, Rep):
        return _reading(
            slot, _invariants(rule.maps), view_of(slot.shape, _axes(slot, rule, "io").replace("i", "b"), rows="o", cols="")
        )
    if slot.kind == "tensor" or not slot.axes or (isinstance(rule.maps, Rep) and rule.letters and slot.role != "bias"):
        return _tensor(slot, rule)
    if isinstance(rule.maps, Rep) and slot.role == "bias":
        rule = replace(rule, maps=_invariants(rule.maps))
    if isinstance(rule.maps, Rep):
        raise IncompatibleError(
            f"the rule says the representation {rule.maps}; a {slot.kind} layer maps one to another: write X >> Y, or "
            "Rule(X, axes='b o') if it is a table of vectors"
        )
    if slot.role == "bias":
        return _bias(slot, rule)
    if slot.kind == "attention":
        return _attention(slot, rule)
    if slot.kind == "conv" or "s" in slot.axes:
        return _conv(slot, rule)
    return _linear(slot, rule)


def _linear(slot: Slot, rule: Rule) -> Reading:
    axes, space = _axes(slot, rule), _hom(rule)
    heads = rule.heads or slot.heads
    if heads and space is not None:
        _check_split(space.domain if axes.count("i") > 1 else space.codomain, heads)
    return _reading(slot, rule.maps, view_of(slot.shape, axes, rows="o", cols="i", parts=slot.stack))


def _bias(slot: Slot, rule: Rule) -> Reading:
    space = _hom(rule)
    if space is None:
        raise IncompatibleError(
            "the rule is a plan, which does not tell the representation that comes out; give X >> Y, or name the weight and the "
            "bias in rules of their own"
        )
    view = view_of(slot.shape, _axes(slot, rule), rows="o", cols="")
    out = _inner(slot, rule, space)
    parts, left = divmod(view.rows, max(out.dim, 1))
    if left or (parts > 1 and parts not in (slot.groups, slot.stack)):
        raise IncompatibleError(f"it has {view.rows} entries, and {out} has dimension {out.dim}")
    return _reading(slot, _invariants(out), view_of(slot.shape, _axes(slot, rule), rows="o", cols="", parts=parts))


def _attention(slot: Slot, rule: Rule) -> Reading:
    """Query, key and value, packed or apart, X -> inner; or what leads out, inner -> Y."""
    space = _hom(rule)
    if space is None:
        raise IncompatibleError("the rule is a plan; an attention wants X >> Y, whose representations its heads are checked by")
    inner = _resolved(rule.inner) or space.codomain
    _check_split(inner, rule.heads or max(slot.heads, 1))
    maps = inner >> space.codomain if slot.role == "out" else space.domain >> inner
    return _reading(slot, maps, view_of(slot.shape, _axes(slot, rule), rows="o", cols="i", parts=slot.stack))


def _inner(slot: Slot, rule: Rule, space: Hom) -> Rep:
    """The representation that a bias lies in."""
    inner = _resolved(rule.inner)
    # Those of queries, keys and values are packed; those that stand for one more key and value have batches of size one.
    is_inner = slot.kind == "attention" and (slot.stack > 1 or "b" in slot.axes)
    return inner if inner is not None and is_inner else space.codomain


def _resolved(value: Rep | str | None) -> Rep | None:
    """A representation of a rule whose texts have been read."""
    return value if isinstance(value, Rep) else None


def _conv(slot: Slot, rule: Rule) -> Reading:
    axes = _axes(slot, rule)
    size = tuple(n for n, axis in zip(slot.shape, axes, strict=True) if axis == "s")
    cells = prod(size)
    groups = slot.groups or _groups(slot, rule, axes, cells)
    view = view_of(slot.shape, axes, rows="o", cols="is", parts=groups, split=slot.grouped)
    if _shape(rule.maps) == (view.rows, view.cols) and cells > 1:
        return _reading(slot, rule.maps, view)  # X is the fields on the whole kernel, X * grid, or functions on it
    space = _hom(rule)
    if space is None or isinstance(rule.maps, FunctionMaps):
        raise _misfit(slot, rule.maps, (view.rows, view.cols))
    if groups > 1 and space.shape == (groups * view.rows, groups * view.cols // cells):
        if space.shape[0] == space.shape[1] == groups and space.domain == space.codomain:
            return _depthwise(slot, rule, space.domain, axes, size)
        space = _part(space.domain, groups) >> _part(space.codomain, groups)
    if space.shape != (view.rows, view.cols // cells):
        raise _misfit(slot, space, (view.rows, view.cols // cells), groups)
    if cells == 1:
        return _reading(slot, space, view)
    found = kernels(space, size, spatial=_spatial(rule, space, len(size)), degree=rule.degree, rings=rule.rings)
    return _reading(slot, found, view, label=f"{space} on {_times(size)}{', sampled' if found.approximate else ''}", space=space)


def _groups(slot: Slot, rule: Rule, axes: str, cells: int) -> int:
    """The groups of a convolution whose weight does not tell: what the inputs of the space are of those of the weight."""
    rows, cols = _shape(rule.maps)
    view = view_of(slot.shape, axes, rows="o", cols="is")
    groups, left = divmod(cols * cells, view.cols)
    return groups if groups > 1 and not left and rows == view.rows and cols * cells != view.cols * cells else 1


def _depthwise(slot: Slot, rule: Rule, x: Rep, axes: str, size: tuple[int, ...]) -> Reading:
    """One kernel for each feature, and a group that permutes the features: an invariant vector of X * grid."""
    if pointwise(x) != "any":
        raise IncompatibleError(
            f"each feature has a kernel of its own, and {x} does not permute the features: no such layer is equivariant but a "
            "multiple of one kernel for each field; use groups that hold whole fields"
        )
    one = trivial(x.group)
    found = kernels(x >> one, size, spatial=_spatial(rule, x >> one, len(size)), degree=rule.degree, rings=rule.rings)
    # The same orbits, read as a column: the kernel of a feature is one row of the map X * grid -> 1.
    view = view_of(slot.shape, axes.replace("o", "i"), rows="", cols="is")
    return _reading(slot, found, view, label=f"{x} >> 1 on {_times(size)}, a kernel a feature", space=x >> one)


def _norm(slot: Slot, rule: Rule, replaced: bool) -> Reading:
    x = rule.maps
    if isinstance(x, Hom):
        if x.domain != x.codomain:
            raise IncompatibleError(f"the rule says {x}; a norm keeps its features: give X, or X >> X")
        x = x.domain
    if not isinstance(x, Rep):
        raise IncompatibleError("a norm wants the representation X of its features")
    if prod(slot.shape) != x.dim:
        raise IncompatibleError(f"it has {prod(slot.shape)} features, and {x} has dimension {x.dim}")
    if replaced and len(slot.shape) != 1:
        raise IncompatibleError(
            f"it normalises over {len(slot.shape)} axes, {_times(slot.shape)}, and the form for {x} over one; flatten them first"
        )
    if replaced:
        return Reading(None, None, str(x), x)
    if pointwise(x) != "any":
        raise IncompatibleError(
            f"a plain {slot.kind} on {x} is not equivariant, whatever its parameters are: {x} does not permute the features. Use "
            "the layer_norm, rms_norm or batch_norm of repcore on it"
        )
    if 1 < slot.groups < x.dim:
        _part(x, slot.groups)  # each group has statistics of its own
    return _reading(slot, _invariants(x), view_of(slot.shape, _axes(slot, rule), rows="o", cols=""))


def _tensor(slot: Slot, rule: Rule) -> Reading:
    """A weight of no known layer: the last axes are read as the space says, where that is one way only."""
    maps = _invariants(rule.maps) if isinstance(rule.maps, Rep) else rule.maps
    rows, cols = _shape(maps)
    if slot.role == "bias" and slot.shape == (rows,) and cols != 1 and isinstance(maps, Hom):
        maps, cols = _invariants(maps.codomain), 1
    letters = rule.letters or slot.axes
    if letters:
        return _reading(slot, maps, view_of(slot.shape, _axes(slot, rule), rows="o", cols="i"))
    ways = [
        tail for tail, wanted in (("oi", (rows, cols)), ("io", (cols, rows))) if slot.shape[-2:] == wanted and len(slot.shape) > 1
    ]
    if cols == 1 and slot.shape[-1:] == (rows,):
        ways = ["o"]
    if len(ways) != 1:
        problem = "could be read in two ways" if ways else f"has no axes of the sizes {rows} and {cols}"
        raise IncompatibleError(
            f"it has shape {slot.shape} and {problem} as a map of {_text(maps)}, shape ({rows}, {cols}); say what its axes are "
            'with Rule(space, axes="b i o"): o out, i in, b a batch of maps'
        )
    axes = "b" * (len(slot.shape) - len(ways[0])) + ways[0]
    return _reading(slot, maps, view_of(slot.shape, axes, rows="o", cols="i"))


def _reading(slot: Slot, maps: Any, view: View, label: str = "", space: Hom | None = None) -> Reading:
    if _shape(maps) != (view.rows, view.cols):
        raise _misfit(slot, maps, (view.rows, view.cols))
    found = plan(maps)
    found.check_orthonormal()
    return Reading(found, view, label or _text(maps), None, space or _space(maps))


def _axes(slot: Slot, rule: Rule, default: str = "") -> str:
    letters = rule.letters or slot.axes or tuple(default)
    if len(letters) != len(slot.shape):
        if rule.letters and slot.role == "bias":
            return "".join(slot.axes)  # the axes in a rule for a layer are those of its weight
        raise IncompatibleError(f"axes: {' '.join(letters)!r} names {len(letters)} axes, and the weight has shape {slot.shape}")
    return "".join(letters)


def _hom(rule: Rule) -> Hom | None:
    return _space(rule.maps)


def _space(maps: Any) -> Hom | None:
    if isinstance(maps, FunctionMaps):
        return maps.features
    return maps if isinstance(maps, Hom) else maps.space if isinstance(maps, EquivariantBasis) else None


def _shape(maps: Any) -> tuple[int, int]:
    return maps.shape


def _text(maps: Any) -> str:
    if isinstance(maps, EquivariantBasis):
        return str(maps.space)
    return f"plan {maps.digest[:12]}" if isinstance(maps, Plan) else str(maps)


def _invariants(x: Rep) -> Hom:
    return trivial(x.group) >> x


def _spatial(rule: Rule, space: Hom, directions: int) -> Rep:
    if rule.spatial is None and space.group.dim != directions:
        raise IncompatibleError(
            f"its kernel has {directions} axes, and {space.group} consists of matrices of size {space.group.dim}: say how the "
            "group acts on the axes, Rule(space, spatial=...)"
        )
    found = rule.spatial or space.group.rep
    if not isinstance(found, Rep) or found.dim != directions:
        raise IncompatibleError(
            f"spatial: {found} has dimension {getattr(found, 'dim', '?')}, and the kernel has {directions} axes"
        )
    return found


def _part(x: Rep, parts: int) -> Rep:
    """The representation of which x is so many copies."""
    if isinstance(x, Sum) and len(x.terms) == 1 and x.terms[0][0] % parts == 0:
        copies, rep = x.terms[0]
        return copies // parts * rep
    raise IncompatibleError(
        f"its features fall into {parts} groups that do not mix, and {x} is not written as {parts} copies of one representation; "
        f"write {parts}*(...), or the space of one group"
    )


def _check_split(x: Rep, heads: int) -> None:
    try:
        part = _part(x, heads)
    except IncompatibleError:
        raise IncompatibleError(
            f"heads: {x} is not written as {heads} copies of one representation, one for each head; give the features within the "
            f"heads as inner={heads}*(...)"
        ) from None
    if not is_orthogonal(part):
        raise IncompatibleError(
            f"heads: {part} is not orthogonal, so that the score of a query and a key is not invariant; take an orthogonal one"
        )


def _misfit(slot: Slot, maps: Any, wanted: tuple[int, int], groups: int = 1) -> IncompatibleError:
    rows, cols = _shape(maps)
    each = f" in each of {groups} groups" if groups > 1 else ""
    hint = (
        "; is it turned round, Y >> X, or are the axes others than supposed (Rule(..., axes=))?" if (cols, rows) == wanted else ""
    )
    return IncompatibleError(
        f"it has shape {slot.shape} and maps {wanted[1]} to {wanted[0]} features{each}; {_text(maps)} maps {cols} to {rows}{hint}"
    )


def _times(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))
