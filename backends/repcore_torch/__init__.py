"""repcore for PyTorch: project, constrain and penalise weights by the exact spaces of equivariant maps."""

from repcore_torch.constraint import Constraint, constrain
from repcore_torch.files import load, save
from repcore_torch.linear import Linear
from repcore_torch.penalty import penalty
from repcore_torch.projector import Projector, project, project_

__all__ = [
    "Constraint",
    "Linear",
    "Projector",
    "constrain",
    "load",
    "penalty",
    "project",
    "project_",
    "save",
]
