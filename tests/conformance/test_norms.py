"""The norms of the penalty, its parts and groups, over the backends that differentiate: against NumPy and differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import repcore as rc

INF = float("inf")
EPS = float(np.finfo(np.float64).eps)
NORMS: dict[str, Any] = {
    "fro": "fro",
    "fro2": "fro2",
    "spectral": "spectral",
    "nuclear": "nuclear",
    "inf": "inf",
    "(1, 1)": (1, 1),
    "(2, 1)": (2, 1),
    "(3, 1.5)": (3, 1.5),
    "(1, inf)": (1, INF),
    "(inf, 2)": (INF, 2),
}


def of_quaternions() -> Any:
    (four,) = [V for V in rc.irreps(rc.quaternion()) if V.dim == 4]
    return 2 * four >> rc.regular(rc.quaternion())


def of_a_product() -> Any:
    G = rc.cyclic(4) @ rc.dihedral(3)
    return 2 * G.rep >> G.rep + rc.trivial(G)


SPACES: dict[str, Callable[[], Any]] = {
    "C4": lambda: 2 * rc.cyclic(4).rep >> 3 * rc.cyclic(4).rep,
    "D4": lambda: 2 * rc.dihedral(4).rep >> rc.dihedral(4).rep ** 2 + rc.dihedral(4).rep,
    "SO(2)": lambda: 2 * rc.SO(2).rep >> rc.SO(2).rep ** 2,
    "SO(3)": lambda: rc.SO(3).rep >> rc.SO(3).rep ** 2,
    "S5": lambda: rc.symmetric(5).rep >> 2 * rc.symmetric(5).rep,
    "Q8": of_quaternions,
    "C4 x D3": of_a_product,
    "bias": lambda: rc.trivial(rc.dihedral(4)) >> rc.trivial(rc.dihedral(4)) + 2 * rc.dihedral(4).rep,
    "complex": lambda: (lambda V: 2 * V >> V * V + V)(rc.Group(discrete=[[["I", 0], [0, "-I"]]]).rep),
}


def value(M: np.ndarray, norm: Any) -> float:
    """The norm by NumPy."""
    match norm:
        case "fro":
            return float(np.linalg.norm(M))
        case "fro2":
            return float(np.linalg.norm(M)) ** 2 / 2
        case "spectral":
            return float(np.linalg.norm(M, 2))
        case "nuclear":
            return float(np.linalg.svd(M, compute_uv=False).sum())
        case "inf":
            return float(np.abs(M).max())
        case (p, q):
            return float(np.linalg.norm([np.linalg.norm(column, p) for column in M.T], q))
    raise AssertionError(norm)


def draw(space: Any, *batch: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    W = rng.standard_normal((*batch, *space.shape))
    return W + 1j * rng.standard_normal(W.shape) if rc.plan(space).is_complex else W


def slack(W: np.ndarray) -> float:
    """The error of a projection, a singular value decomposition and a sum, each some dim eps; and norms up to sqrt(N) ||W||."""
    return 64 * sum(W.shape[-2:]) ** 2 * EPS * (1 + float(np.linalg.norm(W)) ** 2)


# Each norm on two spaces, and two norms on each space: a gradient is a compilation in JAX.
@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in SPACES for kind in NORMS if name in ("D4", "complex") or kind in ("fro", "spectral")],
)
def test_values_are_those_of_numpy_and_gradients_those_of_differences(differentiable: Any, name: str, kind: str) -> None:
    made, norm = SPACES[name](), NORMS[kind]
    plan = rc.plan(made)
    W = draw(made, 2)
    values, grad = differentiable.penalty(plan, W, norm, False, equivariant=0.5)

    def exact(w: np.ndarray) -> float:
        inside = plan.project(w)
        return value(w - inside, norm) + 0.5 * value(inside, norm)

    assert np.abs(values - [exact(w) for w in W]).max() <= slack(W)
    # Central differences along random lines. Random weights are away from the kinks. With third derivatives up to c N / |W|^2 the
    # truncation is about c h^2, rounding N eps / h: h = eps^(1/3) leaves both below 1e3 eps^(2/3).
    h = EPS ** (1 / 3)
    rng = np.random.default_rng(4)
    for w, g in zip(W, grad, strict=True):
        for _ in range(3):
            d = rng.standard_normal(w.shape) + (1j * rng.standard_normal(w.shape) if np.iscomplexobj(w) else 0)
            d /= np.linalg.norm(d)
            slope = (exact(w + h * d) - exact(w - h * d)) / (2 * h)
            assert abs(slope - np.sum((g.conj() * d).real)) <= 1e3 * EPS ** (2 / 3) * (1 + exact(w))


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
@pytest.mark.parametrize("relative", [False, True])
def test_at_zero_and_in_the_space_nothing_is_nan(differentiable: Any, norm: Any, relative: bool) -> None:
    space = SPACES["SO(3)"]()
    W = np.stack([np.zeros(space.shape), np.eye(9, 3)])
    W[1] = rc.plan(space).project(W[1])
    values, grad = differentiable.penalty(space, W, norm, relative, equivariant=1.0)
    assert values[0] == 0
    assert not grad[0].any()
    assert np.isfinite(values).all()
    assert np.isfinite(grad).all()


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_relative_is_the_quotient_of_the_norms_and_does_not_see_scale(differentiable: Any, norm: Any) -> None:
    space = SPACES["D4"]()
    W = draw(space, 2)
    values, grad = differentiable.penalty(space, W, norm, True, equivariant=0.25)
    plan, whole = rc.plan(space), [2 * value(w, norm) if norm == "fro2" else value(w, norm) for w in W]
    parts = [value(w - plan.project(w), norm) + 0.25 * value(plan.project(w), norm) for w in W]
    assert np.abs(values - np.divide(parts, whole)).max() <= slack(W)
    assert np.abs(np.sum(grad * W, axis=(-2, -1))).max() <= slack(W)


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_the_mean_of_a_matrix_of_equal_entries_is_their_size(differentiable: Any, norm: Any) -> None:
    # The mirror x -> -x of a line: no map to the trivial representation is equivariant, so that R = W.
    G = rc.Group(discrete=[[[-1]]])
    space = 5 * G.rep >> 3 * rc.trivial(G)
    values, _ = differentiable.penalty(space, np.full((1, 3, 5), -2.0), norm, False, reduction="mean")
    assert abs(values[0] - 2) <= 64 * EPS


def test_several_groups_add_up_with_their_weights(differentiable: Any) -> None:
    turn = rc.cyclic(4).rep
    mirror = rc.Group(discrete=[[[1, 0], [0, -1]]]).rep
    spaces = [3 * V >> 2 * V for V in (turn, mirror)]
    W = draw(spaces[0], 2)
    for norm in ("fro", "nuclear"):
        both, grad = differentiable.penalty([(spaces[0], 2.0), (spaces[1], 0.5)], W, norm, False, equivariant=0.1)
        one, grad_one = differentiable.penalty(spaces[0], W, norm, False, equivariant=0.1)
        two, grad_two = differentiable.penalty(spaces[1], W, norm, False, equivariant=0.1)
        assert np.abs(both - 2 * one - 0.5 * two).max() <= slack(W)
        assert np.abs(grad - 2 * grad_one - 0.5 * grad_two).max() <= slack(W)


def test_a_bias_is_a_vector(differentiable: Any) -> None:
    space = SPACES["bias"]()
    b = draw(space)[:, 0]
    for norm in ("fro2", "spectral", (2, 1)):
        found, grad = differentiable.penalty(space, b, norm, False)
        whole, wide = differentiable.penalty(space, b[None, :, None], norm, False)
        assert abs(found - whole[0]) <= slack(b[:, None])
        assert np.abs(grad - wide[0, :, 0]).max() <= slack(b[:, None])
    assert abs(differentiable.penalty(space, b, "spectral", False)[0] - np.linalg.norm(b[1:])) <= slack(b[:, None])


def test_the_penalty_is_the_defect(differentiable: Any) -> None:
    space = SPACES["Q8"]()
    W = draw(space, 1)
    found = rc.defect(W[0], space)
    for norm, expected in (("fro", found.distance), ("spectral", found.spectral)):
        values, _ = differentiable.penalty(space, W, norm, False)
        assert abs(values[0] - expected) <= slack(W)
    values, _ = differentiable.penalty(space, W, "fro", True)
    assert abs(values[0] - found.relative) <= slack(W)


@pytest.mark.parametrize("relative", [False, True])
def test_a_warm_start_follows_a_weight_that_moves(differentiable: Any, relative: bool) -> None:
    space = 8 * rc.dihedral(4).rep >> 6 * rc.dihedral(4).rep
    plan, rng = rc.plan(space), np.random.default_rng(0)
    W, step = rng.standard_normal(space.shape), rng.standard_normal(space.shape)
    # 40 steps of 0.2 %, then the weight stands still for 60: the vectors converge.
    weights = [W + 0.002 * min(k, 40) * step for k in range(100)]
    found = differentiable.warm(space, weights, relative=relative, equivariant=0.5)
    for w, (value_, _, error, upper) in zip(weights, found, strict=True):
        parts = [w - plan.project(w), plan.project(w), w][: 2 + relative]
        exact = np.array([np.linalg.norm(part, 2) for part in parts])
        assert (exact <= upper + slack(w)).all()
        measured = value_ * (exact[2] if relative else 1)
        assert measured <= exact[0] + 0.5 * exact[1] + (error[2] * value_ if relative else 0) + slack(w)
    value_, grad, error, _ = found[-1]
    sharp, sharp_grad = differentiable.penalty(space, weights[-1][None], "spectral", relative, equivariant=0.5)
    assert abs(value_ - sharp[0]) <= 3 * error.sum() + slack(W)
    assert error.max() <= 1e-2 * np.linalg.norm(W, 2)
    # The vector is off by about the root of the relative error of the value.
    assert np.linalg.norm(grad - sharp_grad[0]) <= 4 * error.max() ** 0.5


def test_a_state_of_another_weight_is_refused(differentiable: Any) -> None:
    V = rc.dihedral(4).rep
    with pytest.raises(rc.IncompatibleError, match=r"state: holds vectors of shape"):
        differentiable.warm(V >> V, [np.ones((2, 2)), np.ones((3, 2, 2))])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"equivariant": -1.0}, "equivariant is -1.0"),
        ({"reduction": "max"}, "'max'.*'none', 'mean'"),
        ({"reduction": "mean", "relative": True}, "choose one"),
        ({"state": object()}, "norm='spectral'"),
        ({"space": []}, "at least one"),
        ({"space": [(1, 2, 3)]}, "pairs"),
        ({"space": "negative"}, "weight -2"),
        ({"norm": (0.5, 2)}, "p, q"),
        ({"norm": (1, float("nan"))}, "p, q"),
    ],
)
def test_what_means_nothing_is_refused(differentiable: Any, options: dict[str, Any], message: str) -> None:
    V = rc.dihedral(4).rep
    options = {"norm": "fro", "relative": False, "space": V >> V} | options
    space = options.pop("space")
    with pytest.raises(rc.IncompatibleError, match=message):
        differentiable.penalty([(V >> V, -2)] if space == "negative" else space, np.ones((2, 2)), **options)


def test_a_second_derivative_of_a_norm_with_kinks_raises_and_is_not_wrong(differentiable: Any) -> None:
    space = SPACES["C4"]()
    with pytest.raises(rc.IncompatibleError, match="differentiable once"):
        differentiable.second(space, draw(space), "nuclear")
    assert differentiable.second(space, draw(space), "fro2").any()


@pytest.mark.parametrize("mode", ["he", "glorot"])
@pytest.mark.parametrize("name", ["C4", "Q8", "SO(3)", "D4"])
def test_the_initial_weight_has_the_stated_share_of_complement(differentiable: Any, name: str, mode: str) -> None:
    space = SPACES[name]()
    plan = rc.plan(space)
    for share in (0.0, 0.1, 1.0):
        drawn = differentiable.init(space, share, mode=mode)
        size = np.linalg.norm(drawn, axis=(-2, -1))
        rest = np.linalg.norm(drawn - plan.project(drawn), axis=(-2, -1))
        assert np.abs(rest / size - share).max() <= 64 * sum(space.shape) * EPS
        assert np.ptp(size) > 0  # each of a batch is a draw of its own


def test_the_initial_weight_keeps_variances(differentiable: Any) -> None:
    # Each irrep of Y has output components of variance gain^2 for independent inputs of variance 1; the mean over many channels.
    R = rc.regular(rc.dihedral(4))
    space = 12 * R >> 10 * R
    for complement in (0.0, 0.5):
        drawn = differentiable.init(space, complement, gain=3.0)
        variance = (drawn**2).sum(-1).mean()
        # 8 draws of about 80 outputs, each a sum over 12 m channels: a relative standard deviation below 2 percent; 5 of them.
        assert abs(variance / 9 - 1) <= 0.1


def test_the_initial_weight_of_a_space_that_is_everything_or_nothing(differentiable: Any) -> None:
    G = rc.Group(discrete=[[[-1]]])
    one, V = rc.trivial(G), G.rep
    everything, nothing = differentiable.init(2 * one >> 3 * one, 0.3), differentiable.init(2 * one >> 3 * V, 0.3)
    assert everything.any()
    assert np.isfinite(everything).all()
    # 0.3 of a dense draw of gain sqrt(2): sqrt(2) sqrt(3 rows).
    assert np.abs(np.linalg.norm(nothing, axis=(-2, -1)) - 0.3 * 6**0.5).max() <= 64 * EPS


def test_a_share_or_a_mode_that_means_nothing_is_refused(differentiable: Any) -> None:
    space = SPACES["C4"]()
    with pytest.raises(rc.IncompatibleError, match=r"complement is 1\.5"):
        differentiable.init(space, 1.5)
    with pytest.raises(rc.IncompatibleError, match="'he', 'glorot'"):
        differentiable.init(space, 0.1, mode="xavier")
