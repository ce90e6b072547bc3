"""Rows that are found by their content: by a table, by their digits, or by a combination that is checked."""

from __future__ import annotations

import numpy as np
import pytest

from repcore.groups.keys import Keys


@pytest.mark.parametrize(("bound", "length"), [(3, 4), (10, 15), (1000, 40)])
def test_each_row_is_found_and_no_other(bound: int, length: int) -> None:
    rng = np.random.default_rng(length)
    rows = np.unique(rng.integers(0, bound, (50, length)), axis=0)
    keys = Keys(rows, bound)
    order = rng.permutation(len(rows))
    assert keys.find(rows[order]).tolist() == order.tolist()
    known = {tuple(row) for row in rows.tolist()}
    others = rng.integers(0, bound, (200, length))
    expected = [rows.tolist().index(row) if tuple(row) in known else -1 for row in others.tolist()]
    assert keys.find(others).tolist() == expected


def test_equal_rows_cannot_be_told_apart() -> None:
    rows = np.full((2, 40), 999)
    with pytest.raises(ValueError, match="two of them are equal"):
        Keys(rows, 1000).find(rows)
