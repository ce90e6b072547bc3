"""repcore for JAX: project and penalise weights by the exact spaces of equivariant maps, with pure functions."""

from repcore_jax.files import load, save
from repcore_jax.initial import init
from repcore_jax.linear import Linear, linear
from repcore_jax.penalty import penalty, spectral_state
from repcore_jax.projector import Projector, projector
from repcore_jax.spectral import SpectralState
from repcore_jax.transform import keep_equivariant

__all__ = [
    "Linear",
    "Projector",
    "SpectralState",
    "init",
    "keep_equivariant",
    "linear",
    "load",
    "penalty",
    "projector",
    "save",
    "spectral_state",
]
