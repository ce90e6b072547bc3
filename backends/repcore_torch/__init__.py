"""repcore for PyTorch: project, constrain and penalise weights by the exact spaces of equivariant maps."""

from repcore_torch.audit import Audit, Finding, audit
from repcore_torch.baselines import Moves, Residual, augment, operator_penalty, residual, sampled_penalty
from repcore_torch.constraint import Constraint, constrain
from repcore_torch.decay import EquivarianceDecay
from repcore_torch.digest import guard
from repcore_torch.files import load, save
from repcore_torch.fold import fold
from repcore_torch.initial import init_
from repcore_torch.linear import Linear
from repcore_torch.measure import measure
from repcore_torch.nonlinear import Gate, NormNonlinearity
from repcore_torch.normalise import BatchNorm, LayerNorm, RMSNorm
from repcore_torch.penalties import Penalty
from repcore_torch.penalty import penalty
from repcore_torch.pool import InvariantPool
from repcore_torch.projector import Projector, project, project_
from repcore_torch.schedules import Ramp
from repcore_torch.spectral import SpectralState
from repcore_torch.surgery import sites, symmetrize

__all__ = [
    "Audit",
    "BatchNorm",
    "Constraint",
    "EquivarianceDecay",
    "Finding",
    "Gate",
    "InvariantPool",
    "LayerNorm",
    "Linear",
    "Moves",
    "NormNonlinearity",
    "Penalty",
    "Projector",
    "RMSNorm",
    "Ramp",
    "Residual",
    "SpectralState",
    "audit",
    "augment",
    "constrain",
    "fold",
    "guard",
    "init_",
    "load",
    "measure",
    "operator_penalty",
    "penalty",
    "project",
    "project_",
    "residual",
    "sampled_penalty",
    "save",
    "sites",
    "symmetrize",
]
