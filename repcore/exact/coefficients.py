"""Arrays of integer coefficients: int64 where the result fits, Python integers where it would not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from repcore.exact.field import Field

__all__ = ["coalesce", "largest", "narrowed", "products", "times", "widened"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

# Products of two int64 numbers are formed only below this bound; above it the arrays hold Python integers.
SAFE = 2**62


def coalesce(keys: Ints, nums: Array) -> tuple[Ints, Array]:
    """Sort by key and add the rows of ``nums`` that share one."""
    if len(keys) == 0 or bool(np.all(keys[1:] > keys[:-1])):
        return keys, nums
    order = np.argsort(keys, kind="stable")
    keys, nums = keys[order], nums[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    if len(starts) == len(keys):
        return keys, nums
    longest = int(np.diff(np.append(starts, len(keys))).max())
    return keys[starts], np.add.reduceat(widened(nums, longest), starts, axis=0)


def largest(nums: Array) -> int:
    """The largest absolute value; 0 for an empty array."""
    if nums.size == 0:
        return 0
    return max(abs(int(nums.max())), abs(int(nums.min())))


def widened(nums: Array, factor: int) -> Array:
    """The same integers in a type that holds ``factor`` times their size."""
    if nums.dtype != object and max(largest(nums), 1) * factor >= SAFE:
        return nums.astype(object)
    return nums


def narrowed(nums: Array) -> Array:
    """The one form of an array: int64 where every entry is below ``SAFE``, Python integers otherwise."""
    fits = largest(nums) < SAFE
    return nums if fits is (nums.dtype == np.int64) else nums.astype(np.int64 if fits else object)


def times(nums: Array, factor: int) -> Array:
    """Every entry times an integer."""
    return nums if factor == 1 else narrowed(widened(nums, factor) * factor)


def products(a: Array, b: Array, field: Field, repeat: int) -> Array:
    """Row by row products of field elements; ``repeat`` of them may be added up later without overflow."""
    d, table = field.degree, field.table
    # The table is a view of 2 d - 1 rows, all of which stand in its first and last plane.
    growth = max(repeat, 1) * (1 if d == 1 else d * d * max(largest(table[0]), largest(table[-1]), 1))
    if a.dtype == object or b.dtype == object or largest(a) * max(largest(b), 1) * growth >= SAFE:
        a, b = a.astype(object), b.astype(object)
    if d == 1:
        return a * b
    # A product of polynomials in theta, in the columns that occur, then theta^s = sum_k table[i, s - i, k] theta^k.
    powers = np.zeros((2 * d - 1, len(a)), a.dtype)
    right = [(j, b[:, j]) for j in np.flatnonzero(np.any(b != 0, axis=0)).tolist()]
    for i in np.flatnonzero(np.any(a != 0, axis=0)).tolist():
        left = a[:, i]
        for j, column in right:
            powers[i + j] += left * column
    out = np.zeros((len(a), d), a.dtype)
    for s in np.flatnonzero(np.any(powers != 0, axis=1)).tolist():
        i = min(s, d - 1)
        for k in np.flatnonzero(table[i, s - i]).tolist():
            out[:, k] += powers[s] * int(table[i, s - i, k])
    return out
