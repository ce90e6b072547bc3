"""repcore for JAX: executes the plans that the core emits."""
