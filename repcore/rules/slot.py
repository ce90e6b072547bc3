"""`Slot`: one weight of a model, before any rule: where it is, and how its axes are laid out."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Slot"]


@dataclass(frozen=True)
class Slot:
    """One weight of a model, as an adapter found it.

    Attributes:
        path: its name in the model, ``"layer1.0.conv.weight"`` or ``"params/Dense_0/kernel"``.
        owner: the name of the layer that has it; the empty text for the model itself.
        role: ``"weight"`` or ``"bias"``; of a norm ``"scale"`` or ``"shift"``.
        kind: of the layer: ``"linear"``, ``"conv"``, ``"embedding"``, ``"attention"``, ``"layer_norm"``, ``"rms_norm"``,
            ``"batch_norm"``, ``"norm"`` for one of these; ``"tensor"`` for a weight that no known layer has.
        shape: of the weight.
        axes: a letter for each axis: ``o`` out, ``i`` in, ``s`` cells of a kernel, ``b`` a batch of maps. Empty where that is not
            known.
        groups: parts of the features that do not mix (grouped convolutions); they lie along the axis ``grouped``. 0 where the
            weight does not tell: then as many as the rule has times the inputs of the weight.
        grouped: ``"o"``, or ``"i"`` for transposed convolutions.
        stack: maps that lie one behind the other along ``o``, such as query, key and value.
        heads: of an attention; 0 otherwise.
        type: the class of the layer, for rules by type.
        blocked: why no rule may take it; empty otherwise.
    """

    path: str
    owner: str
    role: str
    kind: str
    shape: tuple[int, ...]
    axes: tuple[str, ...] = ()
    groups: int = 1
    grouped: str = "o"
    stack: int = 1
    heads: int = 0
    type: type | None = None
    blocked: str = ""
