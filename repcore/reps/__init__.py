"""Representations: an expression tree, and how generators act on it."""
