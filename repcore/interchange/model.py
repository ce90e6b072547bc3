"""`ModelFile`: the weights of a model, dense ones and those that are given by coefficients; `Coefficients`: one of these."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.errors import IncompatibleError, MemoryLimitError
from repcore.interchange.symmetry import Declared, declare
from repcore.plan import Plan
from repcore.reps.hom import Hom
from repcore.rules.view import View
from repcore.solve.budget import physical_memory, size_text
from repcore.spec import Spec, Table

__all__ = ["OWN", "Coefficients", "ModelFile"]

Array = npt.NDArray[Any]

OWN = "repcore/"
"""How the names of the tensors begin that are no weights; no weight may have such a name."""


@dataclass(frozen=True, eq=False)
class Coefficients:
    """One weight by its coefficients: W = view.write(sum_a theta_a B_a), with the orthonormal basis B of a plan.

    Attributes:
        theta: ``(*batch, dim)``, the coefficients.
        plan: their basis, factored. That of a file is what the file says, which a digest cannot show; so it has a name of its own
            and equals no plan that was solved.
        view: how the weight is read as maps ``(*batch, dim Y, dim X)``.
        space: the space of the maps; of a kernel, that of its features; None if it is not known.
        label: the space, as text for people.
        digest: the name of the plan; that of ``plan`` by default.
        coordinates: what theta means, ``"canonical"`` or ``"irrep"``; those of ``plan`` by default.

    Raises:
        IncompatibleError: the shapes do not fit each other.

    >>> import numpy as np, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> view = rc.view_of((2, 2), "oi", rows="o", cols="i")
    >>> rc.Coefficients(np.array([3.0]), rc.plan(V >> V), view).dense().round(3)
    array([[2.121, 0.   ],
           [0.   , 2.121]])
    """

    theta: Array
    plan: Plan
    view: View
    space: Hom | None = None
    label: str = ""
    digest: str = ""
    coordinates: str = ""

    def __post_init__(self) -> None:
        wanted = (*self.view.batch, self.plan.dim)
        if self.theta.shape != wanted:
            raise IncompatibleError(f"theta: has shape {self.theta.shape}, expected (*batch, dim) = {wanted}")
        if (self.view.rows, self.view.cols) != self.plan.shape:
            raise IncompatibleError(
                f"view: reads maps of shape {(self.view.rows, self.view.cols)}, those of the plan have shape {self.plan.shape}"
            )
        object.__setattr__(self, "digest", self.digest or self.plan.digest)
        object.__setattr__(self, "coordinates", self.coordinates or self.plan.coordinates)
        object.__setattr__(self, "label", self.label or str(self.space or f"plan {self.digest[:12]}"))

    def dense(self) -> Array:
        """The weight, of the shape of the view, in the dtype of theta; complex where the plan is."""
        found = self.view.write(self.plan.expand(self.theta))
        # As the adapters: arithmetic in single precision at least, one rounding at the end.
        return found if np.iscomplexobj(found) and not np.iscomplexobj(self.theta) else found.astype(self.theta.dtype)


class ModelFile(Mapping[str, Array]):
    """What one file says of a model: a mapping from the names of weights to dense arrays, made when they are asked for.

    :func:`repcore.load` reads one, :func:`repcore.dump` writes one; ``repcore_torch.save`` and ``repcore_jax.save`` make one of a
    model. Immutable.

    Args:
        weights: weights by their coefficients.
        tensors: all others, and buffers.
        layers: digests of the representations of layers that have no maps, such as norms.
        bfloat16: the names of weights and tensors in that dtype, which NumPy does not have: float32 stands for it.
        separator: of the parts of names.

    Raises:
        IncompatibleError: a name that stands twice or cannot be stored.

    >>> import numpy as np, repcore as rc
    >>> V = rc.dihedral(4).rep
    >>> weight = rc.Coefficients(np.ones(1), rc.plan(V >> V), rc.view_of((2, 2), "oi", rows="o", cols="i"), V >> V)
    >>> file = rc.ModelFile({"fc.weight": weight}, {"fc.bias": np.zeros(2)})
    >>> file
    ModelFile(1 by coefficients, 1 dense; 3 numbers for 6)
    >>> sorted(file), file.spaces["fc.weight"]
    (['fc.bias', 'fc.weight'], Hom(dihedral(4).rep, dihedral(4).rep))
    """

    def __init__(
        self,
        weights: Mapping[str, Coefficients],
        tensors: Mapping[str, Array] | None = None,
        layers: Mapping[str, str] | None = None,
        *,
        bfloat16: Collection[str] = (),
        separator: str = ".",
        declared: Declared | None = None,
    ) -> None:
        tensors = tensors or {}
        for name in (*weights, *tensors):
            if not isinstance(name, str) or name.startswith(OWN) or name in ("", "__metadata__"):
                raise IncompatibleError(
                    f"name: {name!r} cannot name a weight in a file; take a text that does not begin with {OWN!r}"
                )
        twice = sorted(set(weights) & set(tensors))
        if twice:
            raise IncompatibleError(f"tensors: {twice[0]!r} is given by coefficients already")
        self._weights, self._tensors, self._layers = Table(weights), Table(tensors), Table(layers)
        self._bfloat16 = frozenset(bfloat16)
        self._separator = separator
        self._declared = declared

    @property
    def weights(self) -> Mapping[str, Coefficients]:
        """The weights that are given by coefficients."""
        return self._weights

    @property
    def tensors(self) -> Mapping[str, Array]:
        """All other weights, and buffers; float32 where they are bfloat16."""
        return self._tensors

    @property
    def layers(self) -> Mapping[str, str]:
        """Digests of the representations of layers that have no maps, such as norms."""
        return self._layers

    @property
    def bfloat16(self) -> frozenset[str]:
        """The names of what is bfloat16; here it is float32."""
        return self._bfloat16

    @property
    def separator(self) -> str:
        """What parts of names are separated by."""
        return self._separator

    @property
    def coefficients(self) -> dict[str, Array]:
        """theta of each weight that is given by coefficients, ``(*batch, dim)``."""
        return {name: w.theta for name, w in self._weights.items()}

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the plan of each weight that is given by coefficients."""
        return {name: w.digest for name, w in self._weights.items()}

    @cached_property
    def declared(self) -> Declared:
        """The spaces of the weights as a file declares them."""
        return self._declared or declare({name: w.space for name, w in self._weights.items()})

    @property
    def specs(self) -> tuple[Spec, ...]:
        """What declares the symmetry: one spec for each group, with the spaces of the weights as its maps.

        Raises:
            StoreError: the declarations in a file are damaged.
        """
        return self.declared.specs

    @property
    def spaces(self) -> dict[str, Hom | None]:
        """The space of each weight that is given by coefficients: of a kernel, that of its features; None if it is not known."""
        if self._declared is not None:
            return {name: self._declared.spaces.get(name) for name in self._weights}
        return {name: w.space for name, w in self._weights.items()}

    def dense(self) -> dict[str, Array]:
        """All weights and tensors, dense, by name.

        Raises:
            MemoryLimitError: they would take more than half of the memory of this machine.
        """
        self._admit(self._weights.values(), "this model")
        return {name: self[name] for name in self}

    def named(self, separator: str) -> ModelFile:
        """The same with another separator of the parts of names.

        Raises:
            IncompatibleError: two names would become one.
        """
        if separator == self._separator:
            return self

        def new(name: str) -> str:
            return name.replace(self._separator, separator)

        old = [*self._weights, *self._tensors]
        seen: dict[str, str] = {}
        for name in old:
            if seen.setdefault(new(name), name) != name:
                raise IncompatibleError(f"separator: {seen[new(name)]!r} and {name!r} would both be called {new(name)!r}")
        declared = self._declared
        if declared is not None:
            declared = replace(declared, names={new(n): i for n, i in declared.names.items()})
        return ModelFile(
            {new(n): w for n, w in self._weights.items()},
            {new(n): t for n, t in self._tensors.items()},
            {new(n): d for n, d in self._layers.items()},
            bfloat16=frozenset(map(new, self._bfloat16)),
            separator=separator,
            declared=declared,
        )

    def __getitem__(self, name: str) -> Array:
        """The dense weight; bfloat16 comes as float32 of the same values."""
        found = self._weights.get(name)
        if found is None:
            return self._tensors[name]
        self._admit([found], repr(name))
        return to_bfloat16(found.dense()) if name in self._bfloat16 else found.dense()

    def __iter__(self) -> Iterator[str]:
        yield from sorted([*self._weights, *self._tensors])

    def __len__(self) -> int:
        return len(self._weights) + len(self._tensors)

    def __repr__(self) -> str:
        plain = sum(t.size for t in self._tensors.values())
        held = plain + sum(w.theta.size for w in self._weights.values())
        meant = plain + sum(prod(w.view.shape) for w in self._weights.values())
        return f"ModelFile({len(self._weights)} by coefficients, {len(self._tensors)} dense; {held} numbers for {meant})"

    def _admit(self, weights: Collection[Coefficients], what: str) -> None:
        # A few numbers in a file can mean a weight of any size.
        need = sum(prod(w.view.shape) * max(w.theta.itemsize, 8 if w.plan.is_complex else 4) for w in weights)
        if 2 * need > physical_memory():
            raise MemoryLimitError(
                f"{what} takes {size_text(need)} when it is dense, more than half of the memory of this machine; use its "
                "coefficients"
            )


def to_bfloat16(values: Array) -> Array:
    """float32 rounded to values that bfloat16 has, to nearest and even, as float32."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    # The bits of a NaN could be carried into those of another number.
    return np.where(np.isnan(values), np.float32(np.nan), rounded.view(np.float32))
