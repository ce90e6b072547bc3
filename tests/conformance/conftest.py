"""What the conformance laws run over: the cases, the backends, and the bound that rounding allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Protocol

import numpy as np
import pytest

import repcore as rc

# ---------------------------------------------------------------------------------------------------- cases


@dataclass(frozen=True)
class Case:
    """A plan and, by other code than a backend's, its orthonormal basis (dim, dim Y, dim X) in the order of theta."""

    plan: rc.Plan
    basis: np.ndarray
    dtype: Any = np.float64  # of the arguments: complex where the plan is


def solved(space: rc.Hom) -> Case:
    basis = rc.solve(space)
    return Case(rc.plan(basis), basis.to_numpy(np.float64, orthonormal=True))


def schur(space: rc.Hom) -> Case:
    """The plan in irrep coordinates, and its basis written down element by element: U_Y (e_a e_b^T (x) E_s / sqrt(d)) U_X^H."""
    plan = rc.plan(space, structure="schur")
    basis = np.zeros((plan.dim, *plan.shape), complex if plan.is_complex else float)
    for block in plan.blocks:
        u, v = block.structure.rows, block.structure.cols
        elements, at_y, at_x = [], 0, 0
        for m_y, m_x, d, endomorphisms in block.structure.parts:
            for a in range(m_y):
                for b in range(m_x):
                    for e in endomorphisms:
                        left, right = u[:, at_y + a * d : at_y + (a + 1) * d], v[:, at_x + b * d : at_x + (b + 1) * d]
                        elements.append(left @ e @ right.conj().T / np.sqrt(d))
            at_y, at_x = at_y + m_y * d, at_x + m_x * d
        for n, ys in enumerate(block.rows):
            for m, xs in enumerate(block.cols):
                for k, element in enumerate(elements):
                    basis[block.order[n, m, k]][np.ix_(ys, xs)] = element
    return Case(plan, basis)


def assembled(digest: str, shape: tuple[int, int], parts: list[tuple[Any, Any, Any]], is_complex: bool = False) -> Case:
    """A plan of (rows, cols, structure) with a scrambled order of theta, and its basis written down entry by entry."""
    rng = np.random.default_rng(len(digest))
    sizes = [len(rows) * len(cols) * structure.dim for rows, cols, structure in parts]
    orders = np.split(rng.permutation(sum(sizes)), np.cumsum(sizes)[:-1]) if sizes else []
    blocks = []
    basis = np.zeros((sum(sizes), *shape), complex if is_complex else float)
    for (rows, cols, structure), flat in zip(parts, orders, strict=True):
        order = flat.reshape(len(rows), len(cols), structure.dim)
        blocks.append(rc.Block(np.array(rows), np.array(cols), order, structure))
        for n, ys in enumerate(rows):
            for m, xs in enumerate(cols):
                for u, (y, x) in enumerate((y, x) for y in ys for x in xs):
                    if isinstance(structure, rc.Factor):
                        basis[order[n, m], y, x] = structure.q[u]
                    elif structure.ids[u] >= 0:
                        basis[order[n, m, structure.ids[u]], y, x] = structure.values[u]
    return Case(rc.Plan(shape, sum(sizes), tuple(blocks), digest, is_complex), basis)


def factor(size: int, k: int, is_complex: bool = False) -> rc.Factor:
    rng = np.random.default_rng(size)
    raw = rng.standard_normal((size, k)) + (1j * rng.standard_normal((size, k)) if is_complex else 0)
    return rc.Factor(np.linalg.qr(raw)[0])


def orbit(ids: list[int], is_complex: bool = False) -> rc.Orbit:
    rng = np.random.default_rng(len(ids))
    index, k = np.array(ids), max(ids) + 1
    values = rng.standard_normal(len(ids)) + (1j * rng.standard_normal(len(ids)) if is_complex else 0)
    values[index < 0] = 0
    for a in range(k):
        values[index == a] /= np.linalg.norm(values[index == a])
    return rc.Orbit(index, values, k)


def several(digest: str, is_complex: bool = False, scatter: bool = False) -> Case:
    """Y = 3 A + 2 B, X = 2 A + 4 B with dim A = 2, dim B = 3: a factor and an orbit block for B -> A and B -> B, one for
    A -> A, none for A -> B. With ``scatter`` the copies do not lie side by side.
    """
    rng = np.random.default_rng(7)
    y, x = (rng.permutation(size) if scatter else np.arange(size) for size in (12, 16))
    a_y, b_y, a_x, b_x = y[:6].reshape(3, 2), y[6:].reshape(2, 3), x[:4].reshape(2, 2), x[4:].reshape(4, 3)
    parts = [
        (a_y.tolist(), a_x.tolist(), factor(4, 2, is_complex)),
        (b_y.tolist(), b_x.tolist(), orbit([0, 1, 2, 1, -1, 0, 2, 0, -1], is_complex)),
        (a_y.tolist(), b_x.tolist(), factor(6, 1, is_complex)),
    ]
    return assembled(digest, (12, 16), parts, is_complex)


def sampled(plan: rc.Plan) -> Case:
    """A plan of convolution kernels, which has no exact basis: that of its blocks, written down copy by copy."""
    basis = np.zeros((plan.dim, *plan.shape))
    for block in plan.blocks:
        for n, ys in enumerate(block.rows):
            for m, xs in enumerate(block.cols):
                tile = block.structure.q.T.reshape(-1, len(ys), len(xs))
                basis[block.order[n, m][:, None, None], ys[:, None], xs] = tile
    return Case(plan, basis)


def steerable() -> rc.Plan:
    G = rc.O(2)
    one, V, W = rc.trivial(G), rc.irrep(G, "1"), rc.irrep(G, "2")
    return rc.kernels(2 * one + V >> 2 * V + W, 3)


def copies(group: rc.Group) -> rc.Hom:
    V, one = group.rep, rc.trivial(group)
    return 4 * one + 2 * V >> V * V + 3 * one + 2 * V


def degrees() -> Any:
    return rc.irrep(rc.SO(3), "0") + rc.irrep(rc.SO(3), "1") + rc.irrep(rc.SO(3), "2")


def complex_group() -> rc.Group:
    return rc.Group(discrete=[[["I", 0], [0, "-I"]]], name="i")


CASES: dict[str, Callable[[], Case]] = {
    "several blocks": lambda: several("c0"),
    "several blocks, scattered": lambda: several("c01", scatter=True),
    "several blocks, complex": lambda: several("c02f", is_complex=True, scatter=True),
    "one orbit block": lambda: assembled("c03f0", (6, 9), [([[0, 1], [2, 3], [4, 5]], [[*range(9)]], orbit([0, 1, 2] * 6))]),
    "one factor block": lambda: assembled("c04f00", (6, 4), [([[0, 1, 2], [3, 4, 5]], [[0, 1], [2, 3]], factor(6, 4))]),
    "one entry": lambda: assembled("c05f000", (1, 1), [([[0]], [[0]], orbit([0]))]),
    "no block": lambda: assembled("c06f0000", (2, 3), []),
    "D4, copies": lambda: solved(copies(rc.dihedral(4))),
    "D4, zero": lambda: solved(rc.dihedral(4).rep >> rc.trivial(rc.dihedral(4))),
    "D4, bias": lambda: solved(rc.trivial(rc.dihedral(4)) >> copies(rc.dihedral(4)).codomain),
    "C4, complex type": lambda: solved(2 * rc.cyclic(4).rep >> 3 * rc.cyclic(4).rep),
    "SO(3), tensors": lambda: solved(rc.SO(3).rep ** 2 >> rc.SO(3).rep ** 2 + rc.SO(3).rep),
    "S4, regular": lambda: solved(rc.regular(rc.symmetric(4)) >> rc.regular(rc.symmetric(4))),
    "affine, not orthogonal": lambda: solved(rc.affine(2).rep >> rc.affine(2).rep ** 2),
    "Schur, D4, copies": lambda: schur(copies(rc.dihedral(4))),
    "Schur, D4, regular": lambda: schur(3 * rc.regular(rc.dihedral(4)) >> 2 * rc.regular(rc.dihedral(4))),
    "Schur, D4, zero": lambda: schur(rc.dihedral(4).rep >> rc.trivial(rc.dihedral(4))),
    "Schur, C8, complex type": lambda: schur(2 * rc.regular(rc.cyclic(8)) >> rc.regular(rc.cyclic(8))),
    "Schur, Q8, quaternionic type": lambda: schur(rc.regular(rc.quaternion()) >> 2 * rc.regular(rc.quaternion())),
    "Schur, SO(3), alternating": lambda: schur(3 * degrees() >> 2 * degrees() + rc.SO(3).rep ** 2),
    "Schur, complex": lambda: schur(rc.SU(2).rep ** 2 + 2 * rc.SU(2).rep >> rc.SU(2).rep ** 3 + rc.SU(2).rep),
    "kernels, exact": lambda: solved(2 * rc.cyclic(4).rep * rc.grid(rc.cyclic(4), 3) >> rc.cyclic(4).rep),
    "kernels, sampled": lambda: sampled(steerable()),
    "complex field": lambda: solved(2 * complex_group().rep >> complex_group().rep ** 2 + complex_group().rep),
}


# Every case in double precision; in single precision one for each structure and kind of layout.
INSTANCES = [
    *((name, "float64") for name in CASES),
    ("several blocks, scattered", "float32"),
    ("several blocks, complex", "float32"),
    ("D4, copies", "float32"),
    ("SO(3), tensors", "float32"),
    ("S4, regular", "float32"),
    ("Schur, D4, copies", "float32"),
]


@pytest.fixture(params=INSTANCES, ids=lambda instance: ", ".join(instance))
def case(request: pytest.FixtureRequest) -> Case:
    name, precision = request.param
    found = build(name)
    return replace(found, dtype=np.result_type(precision, np.complex64) if found.plan.is_complex else np.dtype(precision))


@cache
def build(name: str) -> Case:
    return CASES[name]()


# ------------------------------------------------------------------------------------------------- backends


class Backend(Protocol):
    """The verbs of a plan on NumPy arrays, computed by one framework."""

    def project(self, plan: rc.Plan, W: np.ndarray) -> np.ndarray: ...
    def coefficients(self, plan: rc.Plan, W: np.ndarray) -> np.ndarray: ...
    def expand(self, plan: rc.Plan, theta: np.ndarray) -> np.ndarray: ...
    def apply(self, plan: rc.Plan, theta: np.ndarray, x: np.ndarray) -> np.ndarray: ...


class NumPy:
    def project(self, plan: rc.Plan, W: np.ndarray) -> np.ndarray:
        return plan.project(W)

    def coefficients(self, plan: rc.Plan, W: np.ndarray) -> np.ndarray:
        return plan.coefficients(W)

    def expand(self, plan: rc.Plan, theta: np.ndarray) -> np.ndarray:
        return plan.expand(theta)

    def apply(self, plan: rc.Plan, theta: np.ndarray, x: np.ndarray) -> np.ndarray:
        return plan.apply(theta, x)


class Torch:
    def __init__(self) -> None:
        self.torch = pytest.importorskip("torch")
        self.rct = pytest.importorskip("repcore_torch")

    def project(self, plan: rc.Plan, W: np.ndarray) -> np.ndarray:
        return self.rct.project(self.torch.tensor(W), plan).numpy()

    def coefficients(self, plan: rc.Plan, W: np.ndarray) -> np.ndarray:
        return self.rct.Projector(plan).coefficients(self.torch.tensor(W)).numpy()

    def expand(self, plan: rc.Plan, theta: np.ndarray) -> np.ndarray:
        return self.rct.Projector(plan).expand(self.torch.tensor(theta)).numpy()

    def apply(self, plan: rc.Plan, theta: np.ndarray, x: np.ndarray) -> np.ndarray:
        return self.rct.Projector(plan).matvec(self.torch.tensor(theta), self.torch.tensor(x)).numpy()

    def layer(self, space: rc.Hom, *arrays: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """y for (theta, bias, x), and the gradients of Re <g, y> in all of them, for (theta, bias, x, g)."""
        *leaves, g = (self.torch.tensor(a) for a in arrays)
        theta, bias, x = (leaf.requires_grad_() for leaf in leaves)
        layer = self.rct.Linear(space.domain, space.codomain, dtype=theta.dtype)
        groups = [group for group in layer.plan.layer.groups if group.inputs]
        named = {
            f"coefficients.{i}": theta[group.start : group.start + group.size].view(group.shape) for i, group in enumerate(groups)
        } | ({} if layer.bias is None else {"bias": bias})
        y = self.torch.func.functional_call(layer, named, (x,))
        if not y.requires_grad:  # the zero map
            y = y + 0 * x.sum()
        found = self.torch.autograd.grad((g.conj() * y).real.sum(), (theta, bias, x), allow_unused=True, materialize_grads=True)
        return y.detach().numpy(), [f.numpy() for f in found]

    def penalty(self, space: Any, W: np.ndarray, norm: Any, relative: bool, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        """The values of a stack of matrices, and the gradient of their sum: d f / d Re W + i d f / d Im W."""
        leaf = self.torch.tensor(W, requires_grad=True)
        values = self.rct.penalty(leaf, space, norm, relative=relative, **options)
        values.sum().backward()
        return values.detach().numpy(), leaf.grad.numpy()

    def warm(self, space: Any, weights: list[np.ndarray], **options: Any) -> list[tuple[np.ndarray, ...]]:
        """The spectral penalty at each of several weights with one state: value, gradient, error and upper bound."""
        state, found = self.rct.SpectralState(), []
        for W in weights:
            leaf = self.torch.tensor(W, requires_grad=True)
            value = self.rct.penalty(leaf, space, "spectral", state=state, **options)
            value.sum().backward()
            found.append((value.detach().numpy(), leaf.grad.numpy(), state.error.numpy(), state.upper.numpy()))
        return found

    def second(self, space: Any, W: np.ndarray, norm: Any) -> np.ndarray:
        """The gradient of the squared length of the gradient."""
        leaf = self.torch.tensor(W, requires_grad=True)
        (first,) = self.torch.autograd.grad(self.rct.penalty(leaf, space, norm), leaf, create_graph=True)
        return self.torch.autograd.grad((first * first).sum(), leaf)[0].numpy()

    def init(self, space: Any, complement: float, **options: Any) -> np.ndarray:
        """Eight draws of an initial weight."""
        weight = self.torch.empty(8, *space.shape, dtype=self.torch.float64)
        generator = self.torch.Generator().manual_seed(0)
        return self.rct.init_(weight, space, complement, generator=generator, **options).numpy()


class Jax:
    def __init__(self) -> None:
        self.jax = pytest.importorskip("jax")
        self.rcj = pytest.importorskip("repcore_jax")

    def project(self, plan: rc.Plan, W: np.ndarray) -> np.ndarray:
        return self.run(self.rcj.Projector.__call__, plan, W)

    def coefficients(self, plan: rc.Plan, W: np.ndarray) -> np.ndarray:
        return self.run(self.rcj.Projector.coefficients, plan, W)

    def expand(self, plan: rc.Plan, theta: np.ndarray) -> np.ndarray:
        return self.run(self.rcj.Projector.expand, plan, theta)

    def apply(self, plan: rc.Plan, theta: np.ndarray, x: np.ndarray) -> np.ndarray:
        return self.run(self.rcj.Projector.matvec, plan, theta, x)

    def run(self, verb: Callable[..., Any], plan: rc.Plan, *arrays: np.ndarray) -> np.ndarray:
        with self.jax.enable_x64(True):
            # Compiled as a whole: operation by operation, each new shape is a dozen compilations.
            return np.asarray(self.jax.jit(verb)(self.rcj.projector(plan), *arrays))

    def layer(self, space: rc.Hom, *arrays: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """y for (theta, bias, x), and the gradients of Re <g, y> in all of them, for (theta, bias, x, g)."""
        layer = self.rcj.linear(space.domain, space.codomain)

        def total(theta: Any, bias: Any, x: Any, g: Any) -> Any:
            y = layer.apply(layer.params(theta, bias), x)
            return (g.conj() * y).real.sum(), y

        with self.jax.enable_x64(True):
            arguments = [self.jax.numpy.asarray(a) for a in arrays]
            found, y = self.jax.jit(self.jax.grad(total, argnums=(0, 1, 2), has_aux=True))(*arguments)
            return np.asarray(y), [np.asarray(f).conj() for f in found]

    def penalty(self, space: Any, W: np.ndarray, norm: Any, relative: bool, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        """The values of a stack of matrices, and the gradient of their sum: d f / d Re W + i d f / d Im W."""

        def total(W: Any) -> Any:
            values = self.rcj.penalty(W, space, norm, relative=relative, **options)
            return values.sum(), values

        with self.jax.enable_x64(True):
            grad, values = self.jax.jit(self.jax.grad(total, has_aux=True))(self.jax.numpy.asarray(W))
            return np.asarray(values), np.asarray(grad).conj()

    def warm(self, space: Any, weights: list[np.ndarray], **options: Any) -> list[tuple[np.ndarray, ...]]:
        """The spectral penalty at each of several weights with one state: value, gradient, error and upper bound."""

        def total(W: Any, state: Any) -> Any:
            values, state = self.rcj.penalty(W, space, "spectral", state=state, **options)
            return values.sum(), (values, state)

        found = []
        with self.jax.enable_x64(True):
            state = self.rcj.spectral_state(weights[0], space, **options)
            run = self.jax.jit(self.jax.grad(total, has_aux=True))
            for W in weights:
                grad, (values, state) = run(self.jax.numpy.asarray(W), state)
                found.append((*map(np.asarray, (values, grad)), *map(np.asarray, (state.error, state.upper))))
        return found

    def second(self, space: Any, W: np.ndarray, norm: Any) -> np.ndarray:
        """The gradient of the squared length of the gradient."""
        first = self.jax.grad(lambda W: self.rcj.penalty(W, space, norm))
        with self.jax.enable_x64(True):
            return np.asarray(self.jax.grad(lambda W: (first(W) ** 2).sum())(self.jax.numpy.asarray(W)))

    def init(self, space: Any, complement: float, **options: Any) -> np.ndarray:
        """Eight draws of an initial weight."""
        with self.jax.enable_x64(True):
            keys = self.jax.random.split(self.jax.random.key(0), 8)
            return np.asarray(self.jax.vmap(lambda key: self.rcj.init(key, space, complement, **options))(keys))


BACKENDS: dict[str, Callable[[], Backend]] = {"numpy": NumPy, "torch": Torch, "jax": Jax}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]()


@pytest.fixture(params=[name for name in BACKENDS if name != "numpy"])
def differentiable(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]()


# ----------------------------------------------------------------------------------------------- the bound


def gamma(n: int, dtype: np.dtype) -> float:
    """Higham's n u / (1 - n u): the relative error of n successive roundings. Four times that for complex products."""
    u = float(np.finfo(dtype).eps) / 2
    return (4 if dtype.kind == "c" else 1) * n * u / (1 - n * u)


def rounding(plan: rc.Plan, dtype: np.dtype) -> float:
    """b with ||computed - exact||_F <= b ||argument||_F for ``coefficients``, ``expand`` and ``project`` in ``dtype``.

    Take one block and one pair of copies: Q (N, k) and w (N,).

    - c = Q^H w: a coefficient is a sum of N products of constants that are cast once, so
      |dc| <= gamma(N + 2) |Q|^T |w|, and || |Q| ||_2 <= ||Q||_F = sqrt(k): ||dc|| <= sqrt(k) gamma(N + 2) ||w||.
    - Q c: likewise ||dW|| <= sqrt(k) gamma(k + 2) ||c||, and ||c|| <= ||w||. ``project`` has both errors.
    - The constants: a thin Householder Q in float64 is off by ||dQ||_F <= sqrt(k) gamma(c N k) with a small integer c
      (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 19.3; c = 4 here). It enters twice in Q Q^H.

    A Schur block multiplies by U_Y^H (sums of dY terms) and by T (sums of d dX), and back by sums of mX t and of r terms, each
    with |dz| <= gamma(terms + 2) |A| |z| and || |A| ||_2 <= ||A||_F <= sqrt(dY), sqrt(dX). The columns of U are orthonormal to
    16 n eps (tests/core/test_schur.py), which enters four times.

    Blocks and copies touch disjoint entries, so their squares add and the worst block bounds the whole.
    """
    worst = 0.0
    for block in plan.blocks:
        rows, cols = block.rows.shape[1], block.cols.shape[1]
        if isinstance(block.structure, rc.Schur):
            parts = block.structure.parts
            inner = max(d * cols for *_, d, _ in parts) + max(m * len(e) for _, m, _, e in parts)
            executed = 2 * float(np.sqrt(rows * cols)) * gamma(2 * rows + inner + 4, dtype)
            constants = 4 * 16 * (rows + cols) * float(np.finfo(np.float64).eps) * float(np.sqrt(rows + cols))
            worst = max(worst, executed + constants)
            continue
        size, k = rows * cols, block.structure.dim
        executed = gamma(size + 2, dtype) + gamma(k + 2, dtype)
        constants = 2 * gamma(4 * size * k, np.dtype(np.complex128 if plan.is_complex else np.float64))
        worst = max(worst, float(np.sqrt(k)) * (executed + constants))
    return worst


@pytest.fixture
def b(case: Case) -> float:
    return rounding(case.plan, case.dtype)


@pytest.fixture
def draw(case: Case) -> Callable[..., np.ndarray]:
    """Standard normal arrays of the case's dtype, the same in each run."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        real = rng.standard_normal(shape)
        return (real + 1j * rng.standard_normal(shape) if case.dtype.kind == "c" else real).astype(case.dtype)

    return normal
