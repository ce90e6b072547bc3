"""Eight devices of the CPU: the verbs of repcore_jax on sharded arrays, as JSON lines. Run by test_jax_sharding.py.

The number of devices is fixed when JAX starts, so this is a program of its own.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import repcore as rc
import repcore_jax as rcj

COLLECTIVE = re.compile(
    r"\b(all-reduce|all-gather|all-to-all|collective-permute|collective-broadcast|reduce-scatter)(?:-start)?\("
)

D4 = rc.dihedral(4)
R, V, S = rc.regular(D4), D4.rep, rc.SO(3).rep
KERNEL = (64, 128, 3, 3)
SPACES: dict[str, tuple[Any, str]] = {
    "orbit": (16 * R >> 8 * R, "orbit"),
    "factor": (8 * S**2 >> 8 * S**2, "factor"),
    "schur": (16 * R >> 8 * R, "schur"),
    "conv": ((16 * R) * rc.grid(D4, 3) >> 8 * R, "orbit"),
    # Copies of a sum: the copies of R are 0 to 8 and 12 to 20 of each period, and so on.
    "interleaved": (16 * (R + 2 * V + R) >> 8 * (R + V), "orbit"),
}
MESHES = {"rows": ((8,), ("a", None)), "cols": ((8,), (None, "a")), "both": ((4, 2), ("a", "b"))}


def mesh_of(shape: tuple[int, ...], kind: AxisType) -> Any:
    return jax.make_mesh(shape, ("a", "b")[: len(shape)], axis_types=(kind,) * len(shape))


def verbs(name: str, project: Any, theta: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """The verbs as functions of a weight, which is (out, in, k, k) for the convolution."""

    def view(W: Any) -> Any:
        return W.reshape(project.shape) if name == "conv" else W

    tx = optax.chain(optax.sgd(0.5), rcj.keep_equivariant({"kernel": project}))

    def update(W: Any) -> Any:
        params = {"kernel": view(W)}
        return tx.update({"kernel": 2 * view(W)}, tx.init(params), params)[0]["kernel"].reshape(W.shape)

    yield "project", lambda W: project(view(W)).reshape(W.shape)
    yield "gradient", jax.grad(lambda W: rcj.penalty(view(W), project, "fro2"))
    yield "update", update
    yield "penalty", lambda W: rcj.penalty(view(W), project, "fro2")
    yield "coefficients", lambda W: project.coefficients(view(W))
    yield "expand", lambda W: W + project.expand(theta).reshape(W.shape)


def weights(names: list[str], kinds: list[AxisType], layouts: list[str]) -> Iterator[dict[str, Any]]:
    for name in names:
        space, structure = SPACES[name]
        project = rcj.projector(rc.plan(space, structure=structure))
        rng = np.random.default_rng(0)
        shape = KERNEL if name == "conv" else project.shape
        W = rng.standard_normal(shape).astype(np.float32)
        theta = jnp.asarray(rng.standard_normal(project.dim), jnp.float32)
        for kind in kinds:
            for layout in layouts:
                sizes, axes = MESHES[layout]
                spec = PartitionSpec(*axes, *[None] * (len(shape) - 2))
                sharding = NamedSharding(mesh_of(sizes, kind), spec)
                for verb, run in verbs(name, project, theta):
                    if name == "conv" and kind == AxisType.Explicit:
                        continue  # There the caller, who reshapes the kernel, says how: jnp.reshape(out_sharding=...).
                    row = measured(run, W, sharding)
                    yield {"name": name, "kind": kind.name, "layout": layout, "verb": verb, "spec": str(spec), **row}


def measured(run: Callable[[Any], Any], W: Any, sharding: Any) -> dict[str, Any]:
    placed = jax.device_put(W, sharding)
    compiled = jax.jit(run).lower(placed).compile()
    found, plain = compiled(placed), np.asarray(jax.jit(run)(W))
    return {
        "collectives": COLLECTIVE.findall(compiled.as_text()),
        "same": bool(np.array_equal(found, plain)),
        "error": float(np.linalg.norm(np.asarray(found) - plain)),
        "size": float(np.linalg.norm(plain)),
        "found": str(PartitionSpec(*found.sharding.spec, *[None] * (found.ndim - len(found.sharding.spec)))),
        "first": str(found.sharding.spec[0]) if len(found.sharding.spec) else "None",
    }


def layers(kinds: list[AxisType]) -> Iterator[dict[str, Any]]:
    """rcj.linear on batches that are sharded."""
    for name, X, Y in (("regular", 16 * R, 8 * R), ("sums", 4 * (R + V + R), 3 * R + 2 * V), ("tensors", 4 * S**2, 4 * S**2 + S)):
        layer = rcj.linear(X, Y)
        params = jax.tree_util.tree_map(np.asarray, layer.init(jax.random.key(0)))
        for kind in kinds:
            mesh = mesh_of((4, 2), kind)
            for batch, axes in (((16,), (("a", "b"), None)), ((8, 6), ("a", "b", None))):
                x = np.random.default_rng(0).standard_normal((*batch, X.dim)).astype(np.float32)
                sharding = NamedSharding(mesh, PartitionSpec(*axes))
                row = measured(lambda x, params=params, run=layer.apply: run(params, x), x, sharding)
                yield {"name": name, "kind": kind.name, "layout": str(axes), "spec": str(PartitionSpec(*axes)), **row}


if __name__ == "__main__":
    names, layouts, kinds = (argument.split(",") for argument in sys.argv[1:])
    modes = [AxisType[kind] for kind in kinds]
    for line in layers(modes) if names == ["layers"] else weights(names, modes, layouts):
        sys.stdout.write(json.dumps(line) + "\n")
