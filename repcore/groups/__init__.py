"""Groups: declared by generators, or by name."""
