"""What native layers and projections cost, as ratios within one run: one thread, batch 256, float32. `make bench` runs this.

Times are processor time of the thread, medians of interleaved runs, so that other load on the machine does not enter. A new case
is one line in ``LAYERS``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

import repcore as rc

pytestmark = pytest.mark.bench

BATCH = 256

# name, copies, at most this part of the dense layer's time: torch forward, torch both ways, JAX forward, JAX both ways.
LAYERS = [
    ("D4", 128, 0.5, 0.5, 0.5, 0.5),
    ("D4", 512, 0.3, 0.3, 0.3, 0.3),
    ("C8", 128, 0.5, 0.5, 0.7, 0.5),
    ("C8", 512, 0.35, 0.35, 0.4, 0.4),
    ("S4", 32, 0.55, 0.55, 0.55, 0.45),
    ("S4", 128, 0.25, 0.25, 0.3, 0.3),
    ("SO(3)", 128, 0.5, 0.5, 0.65, 0.6),
    ("SO(3)", 512, 0.3, 0.3, 0.3, 0.3),
]


def summand(name: str) -> Any:
    if name == "SO(3)":
        zero, one, two = (rc.irrep(rc.SO(3), str(degree)) for degree in range(3))
        return zero + one + two
    return rc.regular({"D4": rc.dihedral(4), "C8": rc.cyclic(8), "S4": rc.symmetric(4)}[name])


def medians(*calls: Callable[[], Any], runs: int) -> list[float]:
    times: list[list[float]] = [[] for _ in calls]
    for i in range(runs + 2):
        for call, mine in zip(calls, times, strict=True):
            start = time.process_time()
            call()
            if i >= 2:
                mine.append(time.process_time() - start)
    return [statistics.median(mine) for mine in times]


def measure_torch(name: str, copies: int) -> list[float]:
    import torch

    import repcore_torch as rct

    torch.set_num_threads(1)
    X = copies * summand(name)
    layer, dense = rct.Linear(X, X), torch.nn.Linear(X.dim, X.dim)
    x, g = torch.randn(2, BATCH, X.dim)
    leaf = x.clone().requires_grad_()

    def forward(module: Any) -> Callable[[], Any]:
        def call() -> None:
            with torch.no_grad():
                module(x)

        return call

    def both(module: Any) -> Callable[[], Any]:
        def call() -> None:
            module(leaf).backward(g)
            module.zero_grad()
            leaf.grad = None

        return call

    runs = 31 if X.dim < 2048 else 7
    return [*medians(forward(layer), forward(dense), runs=runs), *medians(both(layer), both(dense), runs=runs)]


def measure_jax(name: str, copies: int) -> list[float]:
    import jax

    import repcore_jax as rcj

    X = copies * summand(name)
    layer = rcj.linear(X, X)
    params = layer.init(jax.random.key(0))
    plain = (layer.weight(params), layer.dense_bias(params))
    x, g = jax.random.normal(jax.random.key(1), (2, BATCH, X.dim))

    def dense(params: Any, x: Any) -> Any:
        return x @ params[0].T + params[1]

    def forward(f: Any, params: Any) -> Callable[[], Any]:
        compiled = jax.jit(f)
        return lambda: jax.block_until_ready(compiled(params, x))

    def both(f: Any, params: Any) -> Callable[[], Any]:
        compiled = jax.jit(jax.value_and_grad(lambda params, x: (f(params, x) * g).sum(), argnums=(0, 1)))
        return lambda: jax.block_until_ready(compiled(params, x))

    runs = 31 if X.dim < 2048 else 7
    calls = [(forward(layer.apply, params), forward(dense, plain)), (both(layer.apply, params), both(dense, plain))]
    return [value for pair in calls for value in medians(*pair, runs=runs)]


def measure_projections(name: str, copies: int) -> list[float]:
    import torch

    import repcore_torch as rct

    torch.set_num_threads(1)
    space = (lambda X: X >> X)(copies * summand(name))
    orbit, schur = (rct.Projector(rc.plan(space, structure=s)) for s in ("orbit", "schur"))
    W = torch.randn(orbit.shape)
    (block,) = schur.plan.blocks
    (n, rows), (m, cols) = block.rows.shape, block.cols.shape
    u, v = (torch.tensor(side, dtype=torch.float32) for side in (block.structure.rows, block.structure.cols))

    def changes() -> Any:
        turned = torch.matmul(u.mT, W.view(n, rows, m * cols))
        return turned.reshape(-1, cols) @ v

    return medians(lambda: orbit(W), lambda: W.clone(), lambda: schur(W), changes, runs=15)


@pytest.mark.parametrize(
    ("framework", "name", "copies", "forward", "both"),
    [
        (framework, name, copies, *limits[at : at + 2])
        for at, framework in ((0, "torch"), (2, "jax"))
        for name, copies, *limits in LAYERS
    ],
)
def test_layers_against_dense_ones(
    fresh: Callable[..., Any], framework: str, name: str, copies: int, forward: float, both: float
) -> None:
    a, b, c, d = fresh(f"measure_{framework}", name, copies)
    line = f"{framework} {name} c = {copies}: forward {a * 1e3:.2f} / {b * 1e3:.2f} ms = {a / b:.2f} of dense"
    print(f"\n{line}, both ways {c * 1e3:.2f} / {d * 1e3:.2f} ms = {c / d:.2f}")
    assert a / b <= forward
    assert c / d <= both


@pytest.mark.parametrize(("name", "copies"), [("D4", 128), ("D4", 512), ("S4", 32)])
def test_projections(fresh: Callable[..., Any], name: str, copies: int) -> None:
    orbit, copy, schur, changes = fresh("measure_projections", name, copies)
    print(
        f"\n{name} c = {copies}: orbit {orbit * 1e3:.2f} ms = {orbit / copy:.1f} copies of {copy * 1e3:.2f} ms, "
        f"schur {schur * 1e3:.2f} ms = {schur / changes:.1f} of the two changes of basis"
    )
    assert schur <= 3 * changes
    assert orbit <= schur
    if 8 * copies >= 4096:
        # 64 MiB, as large as the caches or larger: what a weight of 4 MiB costs that lies in a cache is printed, not bounded.
        assert orbit <= 4 * copy
