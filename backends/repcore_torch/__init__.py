"""repcore for PyTorch: project, constrain and penalise weights by the exact spaces of equivariant maps."""

from repcore_torch.constraint import Constraint, constrain
from repcore_torch.files import load, save
from repcore_torch.initial import init_
from repcore_torch.linear import Linear
from repcore_torch.penalty import penalty
from repcore_torch.projector import Projector, project, project_
from repcore_torch.spectral import SpectralState

__all__ = [
    "Constraint",
    "Linear",
    "Projector",
    "SpectralState",
    "constrain",
    "init_",
    "load",
    "penalty",
    "project",
    "project_",
    "save",
]
