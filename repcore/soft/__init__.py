"""Softness: filters between equivariant and free, as levels with gains, and bounds on the defect that hold for every g."""

from repcore.soft.bound import SoftBound
from repcore.soft.isotypic import make_isotypic
from repcore.soft.profile import Cutoff, Heat, Level, Tikhonov
from repcore.soft.soft import Soft, make_soft
from repcore.soft.spectral import Cells, SpectralBlock, SpectralPlan

__all__ = [
    "Cells",
    "Cutoff",
    "Heat",
    "Level",
    "Soft",
    "SoftBound",
    "SpectralBlock",
    "SpectralPlan",
    "Tikhonov",
    "make_isotypic",
    "make_soft",
]
