"""How training decides how much symmetry to keep: controllers, bounds and records, as arithmetic of any arrays."""
