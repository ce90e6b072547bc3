"""Plans: a space of equivariant maps as frozen arrays that any backend executes, and the NumPy reference executor."""

from repcore.plan.cost import Choice, choose
from repcore.plan.fourier import Fourier
from repcore.plan.layer import IrrepGroup, Layer, Panel
from repcore.plan.plan import Block, Plan, make_plan
from repcore.plan.schur import make_schur_plan
from repcore.plan.structures import Factor, Orbit, Schur

__all__ = [
    "Block",
    "Choice",
    "Factor",
    "Fourier",
    "IrrepGroup",
    "Layer",
    "Orbit",
    "Panel",
    "Plan",
    "Schur",
    "choose",
    "make_plan",
    "make_schur_plan",
]
