"""Weights that are sharded by copies: equal results, the sharding kept, and nothing sent between devices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("optax")

EPS = float(np.finfo(np.float32).eps)
# Sums of at most this many products an entry: the entries of a pair of copies (8 x 72 for the convolution), and those of the
# largest kernel for the penalty, which is one sum.
TERMS = {"penalty": 64 * 1152}
PAIR = 8 * 72


def run(*arguments: str) -> list[dict[str, Any]]:
    script = Path(__file__).with_name("jax_shards.py")
    done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows
    return rows


def check(row: dict[str, Any]) -> None:
    assert row["error"] <= 2 * TERMS.get(row["verb"], PAIR) * EPS * row["size"], row
    if row["verb"] == "penalty":
        # One sum over each sharded axis, and nothing else: its value is a scalar, on each device.
        assert row["collectives"] == ["all-reduce"] * (2 if row["layout"] == "both" else 1), row
        assert row["found"] == "P()", row
    elif row["verb"] == "coefficients":
        # One vector cannot be apart by copies of X, nor irrep by irrep by copies of Y.
        if row["layout"] == "rows" and row["name"] != "schur":
            assert (row["collectives"], row["found"]) == ([], "P('a',)"), row
        else:
            assert row["collectives"], row
    elif row["verb"] == "expand":
        assert row["found"] == row["spec"], row
        if row["name"] != "interleaved" or row["layout"] == "rows":
            assert row["collectives"] == [], row
    else:
        assert (row["collectives"], row["found"]) == ([], row["spec"]), row
        assert row["same"], row  # the same products, in the same order


@pytest.mark.parametrize("kind", ["Auto", pytest.param("Explicit", marks=pytest.mark.slow)])
def test_a_weight_of_copies_of_sums_is_projected_where_it_lies(kind: str) -> None:
    rows = run("interleaved", "both", kind)
    assert {row["verb"] for row in rows} == {"project", "gradient", "update", "penalty", "coefficients", "expand"}
    for row in rows:
        check(row)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["orbit", "factor", "schur", "conv", "interleaved"])
def test_each_structure_on_each_mesh(name: str) -> None:
    rows = run(name, "rows,cols,both", "Auto" if name == "conv" else "Auto,Explicit")
    assert len(rows) == 6 * 3 * (1 if name == "conv" else 2)
    for row in rows:
        check(row)


@pytest.mark.slow
def test_a_layer_on_a_sharded_batch_sends_nothing() -> None:
    rows = run("layers", "both", "Auto,Explicit")
    assert len(rows) == 12
    for row in rows:
        assert (row["collectives"], row["found"]) == ([], row["spec"]), row
        # Three products in a row, of at most 128 terms each.
        assert row["error"] <= 3 * 2 * 128 * EPS * row["size"], row
