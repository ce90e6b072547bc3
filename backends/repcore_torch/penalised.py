"""`Term`: the weights that one group means, with their norms and weights in the loss, and what is kept from step to step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

import repcore as rc
from repcore import IncompatibleError
from repcore_torch import maps, sharded
from repcore_torch.lots import Lot, Measured, Stack, iterate, lengths, mix_, stacks, start
from repcore_torch.norms import dual_of, square
from repcore_torch.penalty import combined, measured
from repcore_torch.projector import projector_of
from repcore_torch.spectral import SpectralState
from repcore_torch.tables import working_dtype

__all__ = ["Gradient", "Term"]

_REDUCTIONS = ("none", "mean")
_FIRST = 32  # steps of power iteration from vectors that know nothing


class Gradient(NamedTuple):
    """In the places of the weights, small and wide ones, to be multiplied by the numbers of their maps, or by one for all."""

    flat: Tensor
    wide: list[Tensor]
    numbers: Tensor


class _Weights(NamedTuple):
    """lambda_perp and lambda_G of each map, and lambda_perp where it is the same for all."""

    outer: Tensor
    inner: Tensor
    same: float | None


class Term:
    """The sum over the weights of one group, see :class:`repcore_torch.Penalty`."""

    def __init__(
        self,
        sites: rc.Sites,
        norm: Any,
        weight: Any,
        equivariant: Any,
        share: float,
        relative: bool,
        reduction: str,
        steps: int,
        revise: int,
    ) -> None:
        if norm not in ("fro", "fro2", "auto"):
            dual_of(norm)
        if reduction not in _REDUCTIONS:
            raise IncompatibleError(f"reduction is {reduction!r}; choose one of {', '.join(map(repr, _REDUCTIONS))}")
        if relative and reduction == "mean":
            raise IncompatibleError("relative=True and reduction='mean' both divide by the size of the weight; choose one")
        self.sites, self.norm, self.relative, self.reduction = sites, norm, relative, reduction
        self.projectors = [projector_of(site.plan) for site in sites]
        self.share, self.steps, self.revise = share, steps, revise
        self._outer = rc.site_weights(weight, sites, "weight")
        self._inner = rc.site_weights(equivariant, sites, "equivariant")
        self.scheduled = any(callable(w) for w in (*self._outer, *self._inner))
        self.both = any(callable(w) or w for w in self._inner)
        # The norm of each weight, and the measurements since it was chosen; singular vectors (parts, maps, dim X) by site.
        self.norms: list[Any] = ["fro" if norm == "auto" else norm for _ in sites]
        self._age, self._revising = 0, False
        self._vectors: dict[int, Tensor] = {}
        self._lots: tuple[Any, list[Lot]] | None = None
        self._stacks: dict[Lot, tuple[list[Stack], list[Tensor], dict[int, Tensor]]] = {}
        self._weights: dict[Any, _Weights] = {}
        self._masks: dict[Any, Tensor] = {}

    # ------------------------------------------------------------------------------------------- weights of the loss

    def weights(self, step: int, factor: float) -> tuple[list[float], list[float]]:
        """lambda_perp and lambda_G of each site at a step."""
        scale = self.share * factor
        outer, inner = ([scale * (w(step) if callable(w) else w) for w in each] for each in (self._outer, self._inner))
        return outer, inner

    def _per_map(self, lot: Lot, step: int, factor: float) -> _Weights:
        """The same for each map of a lot, on its device; divided by the norm of ones where a mean is asked for."""
        # Without a schedule nothing has to be computed to know that nothing changed.
        outer, inner = self.weights(step, factor) if self.scheduled else ([], [])
        key = (id(lot), factor, tuple(outer), tuple(inner))
        found = self._weights.get(key)
        if found is None:
            outer, inner = self.weights(step, factor)
            ones = lot.ones(self.norm if self.norm != "auto" else "fro") if self.reduction == "mean" else [1.0] * len(lot.owner)
            rows = [[each[lot.numbers[i]] / one for i, one in zip(lot.owner, ones, strict=True)] for each in (outer, inner)]
            both = torch.tensor(rows, dtype=lot.dtype.to_real(), device=lot.device)
            found = _Weights(both[0], both[1], rows[0][0] if len(set(rows[0])) == 1 else None)
            # Of a schedule the last value is all that is worth keeping.
            self._weights = {k: v for k, v in self._weights.items() if k[0] != id(lot)} | {key: found}
        return found

    # ----------------------------------------------------------------------------------------------- fused evaluation

    def is_fused(self, tensors: Sequence[Tensor]) -> bool:
        """Whether values and gradients are computed for all weights together."""
        spectral = self.norm in ("spectral", "auto") and not (self.both or self.relative)
        return (self.norm in ("fro", "fro2") or spectral) and not any(sharded.is_sharded(t) for t in tensors)

    def lots(self, tensors: Sequence[Tensor]) -> list[Lot]:
        """The lots of the weights as they are now."""
        key = [(t.dtype, t.device) for t in tensors]
        if self._lots is None or self._lots[0] != key:
            groups: dict[Any, list[int]] = {}
            for i, (dtype, device) in enumerate(key):
                groups.setdefault((working_dtype(dtype, self.projectors[i].plan.is_complex), device), []).append(i)
            self._keep()
            sites = self.sites
            made = [
                Lot(group, [sites[i].view for i in group], [self.projectors[i] for i in group], dtype, device)
                for (dtype, device), group in groups.items()
            ]
            self._lots, self._stacks, self._weights, self._masks = (key, made), {}, {}, {}
        return self._lots[1]

    def evaluate(
        self, lot: Lot, tensors: Sequence[Tensor], step: int, factor: float, counted: bool, wanted: bool
    ) -> tuple[Tensor, Gradient | None]:
        """The value of a lot and, if it is wanted, the gradient in the places of its weights."""
        if lot.device.type != "meta" and torch.is_autocast_enabled(lot.device.type):
            # Autocast would round to half precision.
            with torch.autocast(lot.device.type, enabled=False):
                return self.evaluate(lot, tensors, step, factor, counted, wanted)
        outer, inner, same = self._per_map(lot, step, factor)
        keep = self.both or self.relative
        found = lot.measure(tensors, keep)
        if self._revising and counted:
            each: list[list[Tensor]] = [[] for _ in lot.numbers]
            for k, piece in enumerate(found.pieces):
                each[lot.owner[k]].append(piece.view(lot.shapes[k]))
            if self._revise(lot.numbers, each):
                self._keep()
                self._stacks.pop(lot, None)
        if self.norm == "fro2" and not keep and same is not None:
            # One number for all: no map is looked at by itself.
            total = square(found.flat[None])
            for R in found.wide:
                total = total + square(R).sum()
            return total * (same / 2), Gradient(found.flat, found.wide, outer[0]) if wanted else None
        a = lengths(found.pieces)
        if keep:
            inside = found.inside()
            p = lengths(inside)
            value, alpha, beta = _with_inside(a, p, outer, inner, self.norm == "fro2", self.relative)
            if wanted:
                mix_(found.pieces, alpha, inside, beta)
            return value, Gradient(found.flat, found.wide, lot.one) if wanted else None
        if self.norm == "fro2":
            return torch.dot(outer, a * a) / 2, Gradient(found.flat, found.wide, outer) if wanted else None
        # Where ||R||^2 underflows, R / ||R|| is cut short; R = 0 gives 0.
        alpha = outer / a.clamp(min=torch.finfo(a.dtype).tiny ** 0.5)
        chosen = self._chosen(lot)
        if not chosen:
            return torch.dot(outer, a), Gradient(found.flat, found.wide, alpha) if wanted else None
        return self._spectral(lot, found, chosen, a, outer, alpha, counted, wanted)

    def _chosen(self, lot: Lot) -> list[int]:
        """The maps whose norm is spectral; of vectors it is the Frobenius norm."""
        if "spectral" not in self.norms:
            return []
        return [k for k, i in enumerate(lot.owner) if self.norms[lot.numbers[i]] == "spectral" and min(lot.shapes[k]) > 1]

    def _spectral(
        self, lot: Lot, found: Measured, chosen: list[int], a: Tensor, outer: Tensor, alpha: Tensor, counted: bool, wanted: bool
    ) -> tuple[Tensor, Gradient | None]:
        flat, wide = found.flat, found.wide
        near, vectors, far = self._stacked(lot, chosen)
        values = a.clone()
        G = torch.zeros_like(flat)
        for j, stack in enumerate(near):
            M = stack.read(flat)
            fresh = not vectors[j].numel()
            v = start(M) if fresh else vectors[j]
            t, u, new = iterate(M, v, max(self.steps, _FIRST) if fresh else self.steps)
            if counted or fresh:
                vectors[j] = new
            where = stack.index
            values.index_copy_(0, where, t)
            stack.add(G, (outer.index_select(0, where)[:, None, None] * u) * new.mH)
        far_G: list[Tensor] = []
        first = len(lot.sizes) - 1
        for i, R in enumerate(wide, start=lot.small):
            n = lot.counts[i]
            here = slice(first, first + n)
            first += n
            if self.norms[lot.numbers[i]] != "spectral" or min(R.shape[-2:]) < 2:
                far_G.append(torch.zeros_like(R))
                continue
            old = far.get(i)
            t, u, new = iterate(R, start(R) if old is None else old, self.steps if old is not None else max(self.steps, _FIRST))
            if counted or old is None:
                far[i] = new
            values[here] = t
            far_G.append((outer[here][:, None, None] * u) * new.mH)
        if not wanted:
            return torch.dot(outer, values), None
        G, far_G = lot.complement(G, far_G)
        if len(chosen) < len(lot.owner):
            flat, wide = lot.scaled(flat, wide, alpha * self._mask(lot, chosen, alpha))
            G, far_G = G.add_(flat), [g.add_(R) for R, g in zip(wide, far_G, strict=True)]
        return torch.dot(outer, values), Gradient(G, far_G, lot.one)

    def _mask(self, lot: Lot, chosen: list[int], like: Tensor) -> Tensor:
        """0 at the maps whose norm is spectral, 1 at the others."""
        key = (lot, tuple(chosen))
        if key not in self._masks:
            mask = torch.ones_like(like)
            mask[chosen] = 0
            self._masks = {key: mask}
        return self._masks[key]

    def _stacked(self, lot: Lot, chosen: list[int]) -> tuple[list[Stack], list[Tensor], dict[int, Tensor]]:
        """The stacks of the small maps, the vectors of each stack, and those of the wide weights."""
        if lot not in self._stacks:
            near = stacks(lot, [k for k in chosen if k < len(lot.sizes) - 1])
            vectors = [self._padded(lot, stack) for stack in near]
            far = {
                i: self._vectors[s][0].to(lot.device, lot.dtype).unsqueeze(-1)
                for i, s in enumerate(lot.numbers)
                if i >= lot.small and s in self._vectors
            }
            self._stacks[lot] = near, vectors, far
        return self._stacks[lot]

    def _padded(self, lot: Lot, stack: Stack) -> Tensor:
        """The kept vectors of a stack; empty where one of them is not known."""
        columns = []
        for k in stack.chosen:
            site = lot.owner[k]
            kept = self._vectors.get(lot.numbers[site])
            if kept is None:
                return torch.empty(0, dtype=lot.dtype, device=lot.device)
            v = kept[0, k - lot.owner.index(site)].to(lot.device, lot.dtype)
            columns.append(torch.nn.functional.pad(v, (0, stack.place.shape[2] - len(v))))
        return torch.stack(columns).unsqueeze(-1)

    def _keep(self) -> None:
        """Take the vectors out of the stacks."""
        for lot, (near, vectors, far) in self._stacks.items():
            rows: dict[int, dict[int, Tensor]] = {}
            for stack, v in zip(near, vectors, strict=True):
                for j, k in enumerate(stack.chosen if v.numel() else []):
                    rows.setdefault(lot.owner[k], {})[k] = v[j, : lot.shapes[k][1], 0]
            for i, found in rows.items():
                self._vectors[lot.numbers[i]] = torch.stack([found[k] for k in sorted(found)])[None].clone()
            for i, v in far.items():
                self._vectors[lot.numbers[i]] = v[None, ..., 0].clone()

    def begin(self) -> None:
        """A measurement begins that counts."""
        self._revising = self.norm == "auto" and self._age % self.revise == 0
        self._age += 1

    def _revise(self, numbers: Sequence[int], maps_of: Sequence[list[Tensor]]) -> bool:
        """Choose the norm of weights by the stable ranks of their residuals; whether a choice changed."""
        before = list(self.norms)
        for i, matrices in zip(numbers, maps_of, strict=True):
            rank = 0.0
            for M in matrices:
                size, top = float(M.norm()), float(iterate(M[None], start(M[None]), _FIRST)[0])
                # Of several maps in one weight the one that is spread most counts.
                rank = max(rank, (size / top) ** 2 if top > 0 else 0.0)
            self.norms[i] = "spectral" if 0 < rank <= 2 else "fro"
        return self.norms != before

    # ----------------------------------------------------------------------------------------------- one after the other

    def plain(self, tensors: Sequence[Tensor | None], step: int, factor: float, counted: bool) -> dict[str, Tensor]:
        """The value of each weight by itself, by operations that can be differentiated; for any norm."""
        outer, inner = self.weights(step, factor)
        found: dict[str, Tensor] = {}
        self._keep()
        if self._revising and counted:
            self._revise_plain(tensors)
        for i, (site, projector, W) in enumerate(zip(self.sites, self.projectors, tensors, strict=True)):
            if W is None:
                continue
            view: Any = site.view
            state = self._state(i) if self.norms[i] == "spectral" else None
            values, scale = measured(view.read(W), projector, self.norms[i], self.both, self.relative, state)
            if state is not None and counted:
                self._vectors[i] = state.vectors.reshape(state.vectors.shape[0], -1, state.vectors.shape[-1])
            weights = [outer[i], inner[i]] if self.both else [outer[i]]
            found[site.path] = combined(weights, values, scale, self.norms[i], self.reduction, projector.shape).sum()
        return found

    @torch.no_grad()
    def _revise_plain(self, tensors: Sequence[Tensor | None]) -> None:
        each: list[list[Tensor]] = []
        for site, P, W in zip(self.sites, self.projectors, tensors, strict=True):
            view: Any = site.view
            each.append([] if W is None else list(view.read(W - view.write(P(view.read(W)))).reshape(-1, *P.shape).unbind(0)))
        self._revise(range(len(each)), each)

    def _state(self, i: int) -> SpectralState:
        state = SpectralState(self.steps, max(self.steps, _FIRST))
        kept = self._vectors.get(i)
        if kept is not None:
            view: Any = self.sites[i].view
            state.vectors = kept.reshape(kept.shape[0], *view.batch, kept.shape[-1])
        return state

    def estimates(self, tensors: Sequence[Tensor]) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
        """Value, error and upper bound of the residual of each weight whose norm is spectral."""
        self._keep()
        found: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        for i, (site, projector, W) in enumerate(zip(self.sites, self.projectors, tensors, strict=True)):
            if self.norms[i] != "spectral":
                continue
            view: Any = site.view
            M = view.read(W.detach())
            M = M.to(working_dtype(M.dtype, projector.plan.is_complex))
            state = self._state(i)
            state.vectors = state.vectors[:1]
            state((M - maps.project(M, projector.tables.on(M.dtype, M.device)))[None])
            found[site.path] = state.value[0], state.error[0], state.upper[0]
        return found

    # ----------------------------------------------------------------------------------------------------------- state

    def state(self) -> dict[str, Any]:
        """What is kept, and what it belongs to."""
        self._keep()
        return {
            "digests": {site.path: P.digest for site, P in zip(self.sites, self.projectors, strict=True)},
            "norms": {site.path: norm for site, norm in zip(self.sites, self.norms, strict=True)} if self.norm == "auto" else {},
            "age": self._age,
            "vectors": {self.sites[i].path: v.clone() for i, v in self._vectors.items()},
        }

    def check(self, state: Any) -> None:
        """Raise IncompatibleError if the state is not that of such a term."""
        if not isinstance(state, Mapping) or {"digests", "norms", "age", "vectors"} - state.keys():
            raise IncompatibleError("state: is no state of a Penalty; give what its state_dict() returned")
        mine = {site.path: P.digest for site, P in zip(self.sites, self.projectors, strict=True)}
        theirs = dict(state["digests"])
        for path in mine.keys() | theirs.keys():
            if mine.get(path) != theirs.get(path):
                raise IncompatibleError(
                    f"state: {path!r} has the space of digest {theirs.get(path)} there, and {mine.get(path)} here; build the "
                    "penalty with the rules with which it was saved"
                )
        for path, norm in state["norms"].items():
            if path not in mine or norm not in ("fro", "spectral"):
                raise IncompatibleError(f"state: norms: {norm!r} for {path!r} is none that norm='auto' chooses")
        for path, v in state["vectors"].items():
            wanted = next(((P, s) for P, s in zip(self.projectors, self.sites, strict=True) if s.path == path), None)
            if wanted is None or not isinstance(v, Tensor) or v.ndim != 3 or v.shape[-1] != wanted[0].shape[1]:
                raise IncompatibleError(f"state: vectors: what is kept for {path!r} does not fit it")

    def load(self, state: Any) -> None:
        """Go on from a state that was checked."""
        numbers = {site.path: i for i, site in enumerate(self.sites)}
        self._lots, self._stacks, self._age = None, {}, int(state["age"])
        self._vectors = {numbers[path]: v.detach().clone() for path, v in state["vectors"].items()}
        for path, norm in state["norms"].items():
            self.norms[numbers[path]] = norm


def _with_inside(a: Tensor, p: Tensor, outer: Tensor, mu: Tensor, squares: bool, relative: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The value, and alpha and beta of the gradient alpha R + beta P W of each map, for a = ||R|| and p = ||P W||."""
    if squares:
        each, alpha, beta = (outer * a * a + mu * p * p) / 2, outer, mu
    else:
        each, alpha, beta = outer * a + mu * p, torch.where(a > 0, outer / a, 0), torch.where(p > 0, mu / p, 0)
    if not relative:
        return each.sum(), alpha, beta
    # R and P W are orthogonal, so that ||W||^2 is the sum; f / n^k has the gradient f' / n^k - k f / n^(k + 2) W.
    n2 = a * a + p * p
    live = n2 > 0
    n2 = torch.where(live, n2, 1)
    power = n2 if squares else n2.sqrt()
    each = torch.where(live, each / power, 0)
    pull = (2 if squares else 1) * each / n2
    return each.sum(), torch.where(live, alpha / power - pull, 0), torch.where(live, beta / power - pull, 0)
