"""The laws of native layers, over the backends that have them: they are the dense layer, and so are their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import repcore as rc

norm = np.linalg.norm


def degrees(*numbers: int) -> Any:
    first, *rest = (rc.irrep(rc.SO(3), str(n)) for n in numbers)
    return sum(rest, first)


def parts(group: Any) -> tuple[Any, Any, Any]:
    return group.rep, rc.trivial(group), rc.regular(group)


def mixed() -> Any:
    V, one, R = parts(rc.dihedral(4))
    return 4 * one + 2 * V + 3 * R >> V * V + 3 * one + 2 * R


SPACES: dict[str, Callable[[], Any]] = {
    "D4, copies": lambda: 5 * rc.regular(rc.dihedral(4)) >> 3 * rc.regular(rc.dihedral(4)),
    "D4, mixed": mixed,
    "D4, gathered": lambda: (lambda v, one, r: (one + v) * (v + one) >> (v + one) * (one + v) + r)(*parts(rc.dihedral(4))),
    "D4, bias only": lambda: rc.dihedral(4).rep >> 3 * rc.trivial(rc.dihedral(4)),
    "D4, from nothing": lambda: 0 * rc.dihedral(4).rep >> rc.dihedral(4).rep + 2 * rc.trivial(rc.dihedral(4)),
    "D4, to nothing": lambda: rc.dihedral(4).rep >> 0 * rc.dihedral(4).rep,
    "D4, nothing at all": lambda: (lambda v: 0 * v >> 0 * v)(rc.dihedral(4).rep),
    "C8, complex type": lambda: 2 * rc.regular(rc.cyclic(8)) >> 3 * rc.regular(rc.cyclic(8)),
    "C100, transform": lambda: 2 * rc.regular(rc.cyclic(100)) >> rc.regular(rc.cyclic(100)),
    "C10 x C10, transform": lambda: (lambda r: r >> 2 * r)(rc.regular(rc.cyclic(10) @ rc.cyclic(10))),
    "Q8, quaternionic type": lambda: 2 * rc.regular(rc.quaternion()) >> 3 * rc.regular(rc.quaternion()),
    "S4, regular": lambda: 2 * rc.regular(rc.symmetric(4)) >> rc.regular(rc.symmetric(4)),
    "SO(3), 0 + 1 + 2": lambda: 3 * degrees(0, 1, 2) >> 2 * degrees(0, 1, 2),
    "SO(3), no invariant": lambda: 2 * rc.SO(3).rep >> degrees(1, 2),
    "SO(3), zero": lambda: 2 * rc.SO(3).rep >> degrees(2, 3),
    "SU(2), complex": lambda: rc.SU(2).rep ** 2 + 2 * rc.SU(2).rep >> rc.SU(2).rep ** 2 + rc.SU(2).rep,
}


@pytest.mark.filterwarnings("ignore:.* has dimension 0:repcore.RepcoreWarning")
@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", SPACES)
def test_the_layer_is_the_dense_layer_with_its_derivatives(differentiable: Any, name: str, precision: str) -> None:
    space = SPACES[name]()
    plan = rc.plan(space, structure="schur")
    dtype = np.result_type(precision, np.complex64) if plan.is_complex else np.dtype(precision)
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        real = rng.standard_normal(shape)
        return (real + 1j * rng.standard_normal(shape) if plan.is_complex else real).astype(dtype)

    theta, bias, x, g = draw(plan.dim), draw(plan.layer.bias), draw(2, 3, plan.shape[1]), draw(2, 3, plan.shape[0])
    y, (of_theta, of_bias, of_x) = differentiable.layer(space, theta, bias, x, g)
    basis = plan.expand(np.eye(plan.dim))
    invariants = plan.layer.apply(np.zeros(plan.dim), np.zeros(plan.shape[1]), np.eye(plan.layer.bias))
    W = np.einsum("ayx,a->yx", basis, theta)
    exact = [
        x @ W.T + bias @ invariants,
        np.einsum("ayx,bcy,bcx->a", basis.conj(), g, x.conj()),
        np.einsum("jy,bcy->j", invariants.conj(), g),
        g @ W.conj(),
    ]
    # Changes of basis and products are sums of at most dim X + dim Y terms, three of them after each other; the transform has
    # fewer. || |A| |B| ||_F <= sqrt(dim) || A || || B ||_F for each.
    size = sum(plan.shape)
    allowed = 8 * (4 if plan.is_complex else 1) * size * np.sqrt(size) * float(np.finfo(dtype).eps)
    scales = [norm(theta) * norm(x) + 3 * norm(bias), norm(g) * norm(x), norm(g), norm(g) * norm(theta)]
    for found, wanted, scale in zip([y, of_theta, of_bias, of_x], exact, scales, strict=True):
        assert found.shape == wanted.shape
        assert norm(found - wanted) <= allowed * scale
    assert y.dtype == dtype


def test_both_backends_draw_the_same_variances() -> None:
    rct, rcj = pytest.importorskip("repcore_torch"), pytest.importorskip("repcore_jax")
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    torch.manual_seed(0)
    R = rc.regular(rc.dihedral(4))
    layer, other = rct.Linear(40 * R, 40 * R), rcj.linear(40 * R, 40 * R)
    drawn = other.init(jax.random.key(0))["coefficients"]
    for group, mine, theirs in zip(layer.plan.layer.groups, layer.coefficients, drawn, strict=True):
        wanted = 2 * group.dim / (group.endomorphisms * group.inputs)
        # The variance of n draws is off by sqrt(2 / n), n >= 1600: five of those.
        for variance in (mine.detach().numpy().var(), np.asarray(theirs).var()):
            assert abs(variance / wanted - 1) <= 5 * np.sqrt(2 / group.size)
