"""Hom(V, W) by a chain of exact reductions: split, orbits, integrate, presolve, nullspace, lift, check."""
