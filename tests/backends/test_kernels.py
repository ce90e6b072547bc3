"""Convolutions whose weights are projected onto plans of kernels: PyTorch and JAX, against rotating the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import repcore as rc

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
rct = pytest.importorskip("repcore_torch")
rcj = pytest.importorskip("repcore_jax")


def by_torch(plan: rc.Plan, weight: np.ndarray, image: np.ndarray) -> np.ndarray:
    out = len(weight)
    kernel = rct.Projector(plan)(torch.tensor(weight.reshape(out, -1))).reshape(weight.shape)
    conv = torch.nn.functional.conv2d if image.ndim == 3 else torch.nn.functional.conv3d
    return conv(torch.tensor(image)[None], kernel)[0].numpy()


def by_jax(plan: rc.Plan, weight: np.ndarray, image: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        kernel = rcj.projector(plan)(jax.numpy.asarray(weight.reshape(len(weight), -1))).reshape(weight.shape)
        axes = ("NCHW", "OIHW", "NCHW") if image.ndim == 3 else ("NCDHW", "OIDHW", "NCDHW")
        steps = (1,) * (image.ndim - 1)
        return np.asarray(jax.lax.conv_general_dilated(image[None], kernel, steps, "VALID", dimension_numbers=axes)[0])


CASES: dict[str, tuple[Callable[[], rc.Hom], int, int]] = {
    "C4, regular": (lambda: 2 * rc.regular(rc.cyclic(4)) >> rc.cyclic(4).rep, 3, 2),
    "SO(2), harmonics": (lambda: 2 * rc.trivial(rc.SO(2)) + rc.SO(2).rep >> 2 * rc.irrep(rc.SO(2), "1"), 5, 2),
    "SO(3), harmonics": (lambda: rc.trivial(rc.SO(3)) + rc.irrep(rc.SO(3), "1") >> rc.irrep(rc.SO(3), "2"), 3, 3),
}


@pytest.mark.parametrize("convolve", [by_torch, by_jax])
@pytest.mark.parametrize("case", CASES)
def test_convolution_commutes_with_quarter_turns(case: str, convolve: Callable[..., Any]) -> None:
    build, k, directions = CASES[case]
    space = build()
    plan = rc.kernels(space, k)
    rng = np.random.default_rng(0)
    (out, into), side = space.shape, k + 4
    weight = rng.standard_normal((out, into, *(k,) * directions))
    image = rng.standard_normal((into, *(side,) * directions))

    # A quarter turn of the plane, in space about z: the last two axes are rows and columns.
    if space.group == rc.cyclic(4):
        x, y = (v.matrix(0).to_numpy() for v in (space.domain, space.codomain))
    else:
        if directions == 2:
            turn = rc.cyclic(4)
        else:
            turn = rc.Group([[[0, -1, 0], [1, 0, 0], [0, 0, 1]]])
        x, y = (rc.to_orthonormal(v.restrict(turn).matrix(0).to_numpy(), v, v) for v in (space.domain, space.codomain))

    def moved(matrix: np.ndarray, field: np.ndarray) -> np.ndarray:
        return np.einsum("ab,b...->a...", matrix, np.rot90(field, axes=(-2, -1)))

    after = moved(y, convolve(plan, weight, image))
    before = convolve(plan, weight, moved(x, image))
    size = weight[0].size
    # Each output is a sum of `size` products, and the kernel comes out of a projection of as many entries.
    bound = 4 * size**1.5 * float(np.finfo(float).eps) * np.linalg.norm(weight) * np.abs(image).max()
    assert np.linalg.norm(after) > 1
    assert np.abs(after - before).max() <= bound
    assert np.linalg.norm(after - convolve(plan, weight, image)) > 1  # the turn is one
