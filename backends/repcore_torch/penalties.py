"""`Penalty`: the penalty on what is not equivariant in all weights of a model, at almost no cost a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch._compile import _disable_dynamo
from torch.autograd import Function
from torch.nn.parameter import is_lazy

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.penalised import Term
from repcore_torch.slots import slots_of

__all__ = ["Penalty"]

_VERSION = 1


class Penalty:
    """Over the weights W of a model, sum of weight * N(W - P W) + equivariant * N(P W): a term of the loss.

    P projects each weight onto the equivariant maps that its rule says, over the whole group and exactly; N is one of the norms
    of :func:`penalty`, taken of each map. The rules are resolved here, before anything is touched; the model keeps its plain
    weights, which can be trained, saved and exported as ever. (Berndt and Stuehmer, arXiv 2601.05028.)

    ``loss = task(model(x), y) + penalty()``

    Small weights are projected together, and the gradient is written down in closed form, weight * (W - P W) / ||W - P W|| for
    ``"fro"``: a call takes a few dozen operations, whatever the number of layers.

    Args:
        model: its parameters are read at each call, so it may be moved, cast or loaded in between.
        rules: as for :func:`symmetrize`; or a sequence of pairs (rules, weight), one for each of several groups.
        symmetry: the spec or the group that gives texts their meaning.
        norm: as for :func:`penalty`, or ``"auto"``, see below.
        weight: lambda_perp: a number; a function of the step, such as :class:`Ramp`; or a mapping from patterns to one of these,
            of which the first that means a weight counts (``"**"`` at the end means all others).
        equivariant: lambda_G, likewise: the weight of the norm of what is equivariant.
        relative: divide N(W - P W) by N(W), so that training cannot lower it by shrinking one layer and growing the next.
        reduction: ``"mean"``: per entry, see :func:`penalty`. The layers are summed in any case.
        every: measure at each so many calls only; the calls between return zero.
        scaled: multiply by ``every`` then, so that the mean over the calls is that of ``every=1``.
        biases: whether biases count, which are invariant vectors where they are equivariant.
        steps: of power iteration, for ``"spectral"``: one suits weights that move little in a step.
        revise: for ``"auto"``: measurements from one choice to the next.

    A call with gradients on counts as a step, so call it once a step. Under ``torch.no_grad()`` it gives the whole value,
    uncounted.

    ``"spectral"`` keeps the singular vectors from step to step; :meth:`estimates` says how good its values are. ``"auto"`` takes
    for each weight ``"spectral"`` where the residual R has a stable rank ||R||_F^2 / ||R||_2^2 of at most 2, so that a single
    direction holds at least half of it, else ``"fro"``; the value of a layer then jumps by at most sqrt(2) when the choice
    changes. Bias vectors have one singular value, and both norms are the same.

    Frozen weights count without a gradient. A weight that several layers share counts once. Arithmetic is at least float32, also
    under autocast. Second derivatives as for :func:`penalty`. ``torch.compile`` leaves a gap in the graph here.

    Raises:
        IncompatibleError: rules that do not fit, as :func:`symmetrize`; a negative weight; an unknown norm; shared weights whose
            rules differ; ``every``, ``steps`` or ``revise`` below 1. SpecError: a text that cannot be read.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False))
    >>> with torch.no_grad():
    ...     _ = model[0].weight.copy_(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    >>> penalty = Penalty(model, {"0": V >> V}, weight=0.5)
    >>> penalty().backward()
    >>> round(penalty().item(), 5), model[0].weight.grad.round(decimals=5).tolist()
    (2.0, [[0.0, 1.0], [1.0, 0.0]])
    """

    def __init__(
        self,
        model: nn.Module,
        rules: Any,
        *,
        symmetry: rc.Spec | rc.Group | None = None,
        norm: str | tuple[float, float] = "fro2",
        weight: Any = 1.0,
        equivariant: Any = 0.0,
        relative: bool = False,
        reduction: str = "none",
        every: int = 1,
        scaled: bool = True,
        biases: bool = True,
        steps: int = 1,
        revise: int = 100,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise IncompatibleError(f"model: expected a torch module, got {type(model).__name__}")
        for name, count in (("every", every), ("steps", steps), ("revise", revise)):
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise IncompatibleError(f"{name}: is {count!r}; give a whole number, at least 1")
        self._model = model
        self._terms = [
            Term(_resolved(model, each, symmetry, biases), norm, weight, equivariant, share, relative, reduction, steps, revise)
            for each, share in _pairs(rules)
        ]
        # Where each parameter stands, so that reading it takes no search.
        self._places = [[_place(model, site.path) for site in term.sites] for term in self._terms]
        self.every, self.scaled = every, scaled
        self._step = 0

    @property
    def sites(self) -> rc.Sites | tuple[rc.Sites, ...]:
        """The weights that are penalised, a :class:`repcore.Sites`; one for each group where there are several. Print it."""
        found = tuple(term.sites for term in self._terms)
        return found[0] if len(found) == 1 else found

    @property
    def terms(self) -> tuple[Term, ...]:
        """One for each group; for :class:`EquivarianceDecay`."""
        return tuple(self._terms)

    def weights(self, number: int = 0) -> list[tuple[rc.Site, Tensor]]:
        """The penalised weights of a group, as they are now, with their sites."""
        return list(zip(self._terms[number].sites, self._tensors(number), strict=True))

    @property
    def step_count(self) -> int:
        """The number of steps so far."""
        return self._step

    @_disable_dynamo
    def __call__(self) -> Tensor:
        """The value, a scalar; zero on the steps between those that ``every`` says."""
        step, counted = self._step, torch.is_grad_enabled()
        if counted:
            self._step += 1
        if counted and step % self.every:
            first = self._tensors(0)[0]
            return torch.zeros((), device=first.device, dtype=torch.promote_types(first.dtype, torch.float32).to_real())
        factor = self.every if counted and self.scaled else 1
        total: Any = None
        for number, term in enumerate(self._terms):
            tensors = self._tensors(number)
            if counted:
                term.begin()
            if term.is_fused(tensors):
                for lot in term.lots(tensors):
                    value = _Value.apply(term, lot, step, factor, counted, *(tensors[i] for i in lot.numbers))
                    total = value if total is None else total + value.to(total.device)
            else:
                for value in term.plain(tensors, step, factor, counted).values():
                    total = value if total is None else total + value.to(total.device)
        return total

    @torch.no_grad()
    def parts(self) -> dict[str, Tensor]:
        """What each weight adds to the value at the present step, whatever ``every`` says: path -> scalar."""
        found: dict[str, Tensor] = {}
        for number, term in enumerate(self._terms):
            for path, value in term.plain(self._tensors(number), self._step, 1, False).items():
                found[path] = found[path] + value if path in found else value
        return found

    def report(self) -> rc.LayerReports:
        """Each weight beside its projection: norms, the exact mean of the defect, bounds on its worst case. Print it.

        Cost: one projection of each weight in float64; a singular value decomposition of each that is not large.
        """
        probes = []
        for number, term in enumerate(self._terms):
            for site, tensor in zip(term.sites, self._tensors(number), strict=True):
                unit = torch.finfo(tensor.dtype).eps
                wide = tensor.detach().to("cpu", torch.promote_types(tensor.dtype, torch.float64))
                probes.append(rc.probe(site, wide.numpy(), unit))
        return rc.layer_reports([p for p in probes if p is not None])

    @torch.no_grad()
    def estimates(self) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
        """Of the weights whose norm is spectral: its value, and the ``error`` and ``upper`` bound of :class:`SpectralState`."""
        found: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        for number, term in enumerate(self._terms):
            found |= term.estimates(self._tensors(number))
        return found

    @torch.no_grad()
    def project_(self) -> nn.Module:
        """Replace each weight by its projection, in place, and return the model: strictly equivariant from here on.

        Raises:
            IncompatibleError: a penalty for several groups. The nearest weight for all of them is that of the group which they
                generate together; make a penalty, or a call of :func:`symmetrize`, with this group.
        """
        if len(self._terms) > 1:
            raise IncompatibleError(
                "rules: are those of several groups, and one projection after the other is none onto what they have in common; "
                "take the group that they generate together"
            )
        (term,), tensors = self._terms, self._tensors(0)
        for site, projector, tensor in zip(term.sites, term.projectors, tensors, strict=True):
            view: Any = site.view
            tensor.copy_(view.write(projector(view.read(tensor))))
        return self._model

    def state_dict(self) -> dict[str, Any]:
        """The step, the singular vectors and choices of norms, and the digests of the spaces: tensors and plain values."""
        return {"version": _VERSION, "step": self._step, "terms": [term.state() for term in self._terms]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there.

        Raises:
            IncompatibleError: no such state, or one of other weights or spaces. The penalty is then as it was.
        """
        if not isinstance(state, Mapping) or state.get("version") != _VERSION or not isinstance(state.get("terms"), list):
            raise IncompatibleError("state: is no state of a Penalty; give what its state_dict() returned")
        step, terms = state.get("step"), state["terms"]
        if isinstance(step, bool) or not isinstance(step, int) or step < 0:
            raise IncompatibleError(f"state: the step is {step!r}; give a whole number, at least 0")
        if len(terms) != len(self._terms):
            raise IncompatibleError(f"state: is that of {len(terms)} groups, and this penalty has {len(self._terms)}")
        for term, each in zip(self._terms, terms, strict=True):
            term.check(each)
        for term, each in zip(self._terms, terms, strict=True):
            term.load(each)
        self._step = step

    def __repr__(self) -> str:
        return f"<Penalty {self._terms[0].norm!r} on {sum(len(t.sites) for t in self._terms)} weights, step {self._step}>"

    def _tensors(self, number: int) -> list[Tensor]:
        return [module._parameters[name] for module, name in self._places[number]]  # pyright: ignore[reportReturnType]


class _Value(Function):
    """The value of a lot; its gradient is computed on the way, as it is known then."""

    @staticmethod
    def forward(ctx: Any, term: Term, lot: Any, step: int, factor: float, counted: bool, *tensors: Tensor) -> Tensor:
        wanted = any(ctx.needs_input_grad)
        value, ctx.gradient = term.evaluate(lot, tensors, step, factor, counted, wanted)
        ctx.term, ctx.lot, ctx.step, ctx.factor = term, lot, step, factor
        ctx.dtypes = [t.dtype for t in tensors]
        ctx.save_for_backward(*tensors)
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        needed = ctx.needs_input_grad[5:]
        if torch.is_grad_enabled():
            # A second derivative is wanted: the same value by differentiable operations.
            tensors = ctx.saved_tensors
            everything: list[Any] = [None] * len(ctx.term.sites)
            for i, t in zip(ctx.lot.numbers, tensors, strict=True):
                everything[i] = t
            value = torch.stack(list(ctx.term.plain(everything, ctx.step, ctx.factor, False).values())).sum()
            live = [t for t, n in zip(tensors, needed, strict=True) if n]
            found = iter(torch.autograd.grad(value, live, grad, create_graph=True, allow_unused=True))
            return None, None, None, None, None, *(next(found) if n else None for n in needed)
        flat, wide, numbers = ctx.gradient
        found = ctx.lot.written(*ctx.lot.scaled(flat, wide, numbers * grad), ctx.dtypes)
        return None, None, None, None, None, *(g if n else None for g, n in zip(found, needed, strict=True))


def _pairs(rules: Any) -> list[tuple[Any, float]]:
    if not isinstance(rules, list | tuple):
        return [(rules, 1.0)]
    pairs = [pair for pair in rules if isinstance(pair, tuple) and len(pair) == 2]
    if not pairs or len(pairs) < len(rules):
        raise IncompatibleError("rules: a sequence must hold pairs (rules, weight), one for each group, and at least one")
    for _, share in pairs:
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < float("inf"):
            raise IncompatibleError(f"rules: a pair has the weight {share!r}; give a number >= 0")
    return [(each, float(share)) for each, share in pairs]


def _resolved(model: nn.Module, rules: Any, symmetry: Any, biases: bool) -> rc.Sites:
    found = rc.resolve(rules, slots_of(model, shared=True), symmetry)
    seen: dict[int, rc.Site] = {}
    kept: list[rc.Site] = []
    for site in found:
        module, name = _place(model, site.path)
        tensor: Any = module._parameters[name]
        if site.plan is not None and site.plan.is_complex and not is_lazy(tensor) and not tensor.is_complex():
            raise IncompatibleError(
                f"{site.path!r} is real ({tensor.dtype}) and its space is complex: use the realified representations "
                "(V.realify()), or a complex weight"
            )
        first = seen.setdefault(id(tensor), site)
        if first is not site:
            if (first.plan, first.view) != (site.plan, site.view):
                raise IncompatibleError(
                    f"rules: {first.path!r} and {site.path!r} are one tensor, and their rules say different maps; untie them"
                )
            continue
        if biases or site.slot.role not in ("bias", "shift"):
            kept.append(site)
    if not kept:
        raise IncompatibleError("rules: mean biases only, and biases=False leaves these out")
    paths = {site.path for site in kept}
    others = tuple(site.slot for site in found if site.path not in paths)
    return rc.Sites(tuple(kept), (*found.free, *others))


def _place(model: nn.Module, path: str) -> tuple[nn.Module, str]:
    owner, _, name = path.rpartition(".")
    return model.get_submodule(owner), name
