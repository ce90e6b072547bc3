"""repcore for PyTorch: project, constrain and penalise weights by the exact spaces of equivariant maps."""

from repcore_torch.ace import ACE
from repcore_torch.audit import Audit, Finding, audit
from repcore_torch.baselines import Moves, Residual, augment, operator_penalty, residual, sampled_penalty
from repcore_torch.constraint import Constraint, constrain
from repcore_torch.decay import EquivarianceDecay
from repcore_torch.digest import guard
from repcore_torch.files import load, save
from repcore_torch.fold import fold
from repcore_torch.homotopy import Homotopy
from repcore_torch.initial import init_
from repcore_torch.linear import Linear
from repcore_torch.measure import measure
from repcore_torch.network_bound import bound_over_softness, network_bound
from repcore_torch.nonlinear import Gate, NormNonlinearity
from repcore_torch.normalise import BatchNorm, LayerNorm, RMSNorm
from repcore_torch.penalties import Penalty
from repcore_torch.penalty import penalty
from repcore_torch.pool import InvariantPool
from repcore_torch.projector import Projector, project, project_
from repcore_torch.schedules import Ramp
from repcore_torch.softened import set_softness, soften, softenings
from repcore_torch.softening import Softening
from repcore_torch.softness import Adaptive, Plateau, SoftnessSchedule, weight_defect
from repcore_torch.spectral import SpectralState
from repcore_torch.surgery import sites, symmetrize

__all__ = [
    "ACE",
    "Adaptive",
    "Audit",
    "BatchNorm",
    "Constraint",
    "EquivarianceDecay",
    "Finding",
    "Gate",
    "Homotopy",
    "InvariantPool",
    "LayerNorm",
    "Linear",
    "Moves",
    "NormNonlinearity",
    "Penalty",
    "Plateau",
    "Projector",
    "RMSNorm",
    "Ramp",
    "Residual",
    "Softening",
    "SoftnessSchedule",
    "SpectralState",
    "audit",
    "augment",
    "bound_over_softness",
    "constrain",
    "fold",
    "guard",
    "init_",
    "load",
    "measure",
    "network_bound",
    "operator_penalty",
    "penalty",
    "project",
    "project_",
    "residual",
    "sampled_penalty",
    "save",
    "set_softness",
    "sites",
    "soften",
    "softenings",
    "symmetrize",
    "weight_defect",
]
