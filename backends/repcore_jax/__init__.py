"""repcore for JAX: project and penalise weights by the exact spaces of equivariant maps, with pure functions."""

from repcore_jax.ace import ACE, ACEState, ace
from repcore_jax.decay import equivariance_decay
from repcore_jax.files import load, save
from repcore_jax.initial import init
from repcore_jax.linear import Linear, linear
from repcore_jax.measure import measure
from repcore_jax.nonlinear import Gate, NormNonlinearity, gate, norm_nonlinearity
from repcore_jax.normalise import BatchNorm, LayerNorm, batch_norm, layer_norm, rms_norm
from repcore_jax.penalty import penalty, spectral_state
from repcore_jax.pool import InvariantPool, invariant_pool
from repcore_jax.projector import Projector, projector
from repcore_jax.regulariser import Regulariser, RegulariserState, regulariser
from repcore_jax.soften import SoftProjector, SoftSymmetry, soft_projector, soften
from repcore_jax.spectral import SpectralState
from repcore_jax.surgery import Symmetry, symmetrize, symmetry_of
from repcore_jax.transform import keep_equivariant

__all__ = [
    "ACE",
    "ACEState",
    "BatchNorm",
    "Gate",
    "InvariantPool",
    "LayerNorm",
    "Linear",
    "NormNonlinearity",
    "Projector",
    "Regulariser",
    "RegulariserState",
    "SoftProjector",
    "SoftSymmetry",
    "SpectralState",
    "Symmetry",
    "ace",
    "batch_norm",
    "equivariance_decay",
    "gate",
    "init",
    "invariant_pool",
    "keep_equivariant",
    "layer_norm",
    "linear",
    "load",
    "measure",
    "norm_nonlinearity",
    "penalty",
    "projector",
    "regulariser",
    "rms_norm",
    "save",
    "soft_projector",
    "soften",
    "spectral_state",
    "symmetrize",
    "symmetry_of",
]
