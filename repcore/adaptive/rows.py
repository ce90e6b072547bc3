"""Which rows of a map share a gamma. For authors of adapters."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError
from repcore.plan import Plan
from repcore.rules.site import Site
from repcore.store.decomposed import decompose
from repcore.store.features import fields

__all__ = ["gamma_rows", "live_rows"]

Array = npt.NDArray[Any]

KINDS = ("layer", "channel", "irrep", "shared")


def gamma_rows(site: Site, per: str) -> tuple[Array, int, Array | None]:
    """Which gamma each row of a weight takes, their number, and the basis of the rows. For authors of adapters.

    Rows of ``basis^H W`` are meant, of W where there is none. An equivariant map of the outputs scales rows in this way: with
    the same gamma on each copy of a summand, or on each isotypic component, gamma (W - P W) has no equivariant part.

    Args:
        site: the weight.
        per: ``"layer"`` or ``"shared"``: one gamma; ``"channel"``: one for each copy of a summand of the outputs; ``"irrep"``:
            one for each isotypic component of the outputs.

    Raises:
        IncompatibleError: an unknown kind, outputs that are not known as a representation, or are not orthogonal.

    >>> import repcore as rc
    >>> C4 = rc.cyclic(4)
    >>> (site,) = rc.resolve({"a": "V >> 2*1 + V"}, [rc.Slot("a", "", "weight", "linear", (4, 2), ("o", "i"))], C4)
    >>> gamma_rows(site, "channel")[0].tolist(), gamma_rows(site, "irrep")[0].tolist()
    ([0, 1, 2, 2], [0, 0, 1, 1])
    """
    if per not in KINDS:
        raise IncompatibleError(f"per is {per!r}; choose one of {', '.join(map(repr, KINDS))}")
    rows = 0 if site.view is None else site.view.rows
    if per in ("layer", "shared"):
        return np.zeros(rows, np.int64), 1, None
    Y = None if site.space is None else site.space.codomain
    if Y is None or Y.dim != rows:
        raise IncompatibleError(f"per={per!r}: the outputs of {site.path!r} are not known as a representation; take per='layer'")
    if per == "channel":
        index, count = np.zeros(rows, np.int64), 0
        for field in fields(Y):
            index[field.positions] = np.arange(count, count + field.copies)[:, None]
            count += field.copies
        return index, count, None
    found = decompose(Y)
    if not found.is_orthogonal:
        raise IncompatibleError(f"per='irrep': the outputs of {site.path!r} are not orthogonal; take per='layer'")
    turned = np.concatenate([np.full(c.dim, k) for k, c in enumerate(found)])
    basis = np.concatenate([c.basis.toarray() if hasattr(c.basis, "toarray") else c.basis for c in found], 1)
    weight = np.stack([(abs(basis[:, turned == k]) ** 2).sum(1) for k in range(len(found))])
    # A row that lies in one component as a whole, to rounding, needs no change of basis.
    if (weight.max(0) > 1 - 8 * rows * np.finfo(float).eps).all():
        return weight.argmax(0), len(found), None
    return turned, len(found), basis


def live_rows(plan: Plan, index: Array, count: int, basis: Array | None) -> npt.NDArray[np.bool_]:
    """Which gammas have anything that is not equivariant: a random matrix has a residual there, far above rounding."""
    if plan.dim == plan.shape[0] * plan.shape[1]:
        return np.zeros(count, bool)
    if count == 1:
        return np.ones(1, bool)
    draw = np.random.default_rng(0).standard_normal(plan.shape)
    rest = draw - np.asarray(plan.project(draw))
    if basis is not None:
        rest = basis.conj().T @ rest
    squares = np.zeros(count)
    np.add.at(squares, index, (abs(rest) ** 2).sum(1))
    return squares > (sum(plan.shape) * np.finfo(float).eps) ** 2 * draw.size
