"""NormNonlinearity, Gate: nonlinear functions that commute with a representation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.features import along, working
from repcore_torch.field_layer import FieldLayer

__all__ = ["Gate", "NormNonlinearity", "length"]

Function = Callable[[Tensor], Tensor]


class NormNonlinearity(FieldLayer):
    """A function of the length of each copy: ``y = f(|x| + b) x / |x|``; y = f(x + b) where the group permutes the components.

    The length of a copy of an orthogonal summand does not change under the group, so scaling the copy by a function of it
    commutes. Where the generators permute the components of a copy (scalars, regular and other permutation representations), f
    acts on each component. One learned bias b for each copy of a summand, zero at first: with ReLU, which leaves lengths as they
    are, other copies are then passed on until a bias becomes negative.

    Values and gradients are finite wherever those of f are: at x = 0 the result is 0 with gradient 0. There the function has no
    limit unless f(b) = 0. A copy counts as zero if the sum of its squares is below tiny / eps of the dtype, so that neither the
    squares lose digits nor the gradient, through quotients of size ``f / |x|^2``, overflows.

    Args:
        X: an orthogonal, real representation.
        function: f, a function of each entry of a tensor.
        bias: learn ``bias``, (copies,), in the order of ``rc.fields(X)``.
        axis: the axis of x that holds the features; 1 for images (B, dim X, H, W).
        device, dtype: of the bias.

    Shapes: x (..., dim X) -> the same. Computed in float32 at least; y has the dtype of x. ``state_dict`` holds the digest of X.

    Raises:
        IncompatibleError: X is not orthogonal or not real, ``function`` cannot be called; an x of another size; a ``state_dict``
            of another representation.

    Reference: D. E. Worrall et al., Harmonic Networks, 2017; Weiler and Cesa, 2019, where it is the norm nonlinearity.

    >>> import repcore as rc, torch
    >>> act = NormNonlinearity(rc.SO(2).rep, torch.tanh, bias=False)
    >>> act(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).norm(dim=-1).tolist() == [torch.tanh(torch.tensor(5.0)).item(), 0.0]
    True
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        X: Any,
        function: Function = torch.relu,
        bias: bool = True,
        *,
        axis: int = -1,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(X, axis, device=device, dtype=dtype)
        check_function(function, "function")
        self.function = function
        size = self._features.copies
        self.register_parameter("bias", nn.Parameter(torch.zeros(size, device=device, dtype=dtype)) if bias else None)

    def reset_parameters(self) -> None:
        """Biases of zero."""
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """y, of the shape and dtype of x."""
        features = self._features
        axis, work = features.axis(x, self.axis), working(x, "NormNonlinearity")
        constants = features.on(work, x.device)
        parts: list[Tensor] = []
        for field, part in zip(features.fields, features.split(x.to(work), axis, constants), strict=True):
            bias = None
            if self.bias is not None:
                own = self.bias[field.copy : field.copy + field.copies].to(work)
                bias = along(own[:, None], axis, part.ndim)
            parts.append(_act(part, bias, self.function, axis + 1, field.is_permutation))
        return features.join(parts, axis, constants, x).to(x.dtype)

    def extra_repr(self) -> str:
        """What ``repr`` shows: the representation, the sizes, the function."""
        return f"{super().extra_repr()}, bias={self.bias is not None}, function={name_of(self.function)}"


class Gate(FieldLayer):
    """Each copy times a function of a scalar of its own: y_c = f(s_c) x_c. Scalars of X pass through a function instead.

    The layer before has to make the scalars: the domain is ``gates * one + X``, one scalar s_c for each copy of a summand that is
    not trivial, in the order of ``rc.fields(X)``, and then X in its own layout; the codomain is X. e3nn has the same function
    with its scalars before the gates. X may be any real representation, orthogonal or not.

    Args:
        X: a real representation.
        function: f, a function of each entry of a tensor.
        scalars: the function of the scalars of X, by default the identity.
        axis: the axis of the features; 1 for images.

    Shapes: (..., gates + dim X) -> (..., dim X). Computed in float32 at least; the result has the dtype of the argument. There
    are no parameters; ``state_dict`` holds the digest of X.

    Raises:
        IncompatibleError: X is not real, a function cannot be called; an argument of another size; a ``state_dict`` of another
            representation.

    Reference: M. Weiler et al., 3D Steerable CNNs, 2018.

    >>> import repcore as rc, torch
    >>> gate = Gate(rc.irreps_from("2x0e+3x1o", rc.O(3)), scalars=torch.relu)
    >>> str(gate.domain), gate(torch.randn(5, gate.domain.dim)).shape
    ('5*1 + 3*irrep(1o)', torch.Size([5, 11]))
    """

    def __init__(self, X: Any, function: Function = torch.sigmoid, scalars: Function | None = None, *, axis: int = -1) -> None:
        super().__init__(X, axis, orthogonal=False)
        check_function(function, "function")
        if scalars is not None:
            check_function(scalars, "scalars")
        self.function, self.scalars = function, scalars
        self.gates = sum(field.copies for field in self._features.fields if not field.is_trivial)
        self._domain = self.gates * rc.trivial(X.group) + X

    @property
    def domain(self) -> rc.Rep:
        """``gates * one + X``."""
        return self._domain

    def forward(self, x: Tensor) -> Tensor:
        """y (..., dim X) from the gates and features, (..., gates + dim X)."""
        features, size = self._features, self.gates + self._features.dim
        if not -x.ndim <= self.axis < x.ndim or x.shape[self.axis] != size:
            raise IncompatibleError(
                f"x has shape {tuple(x.shape)}; Gate needs {self.gates} gates and {features.dim} features, {size} in all, along "
                f"axis {self.axis}; see Gate.domain"
            )
        axis, work = self.axis % x.ndim, working(x, "Gate")
        gates, rest = x.to(work).split([self.gates, features.dim], axis)
        gates = self.function(gates).unsqueeze(axis + 1)
        constants = features.on(work, x.device)
        parts: list[Tensor] = []
        start = 0
        for field, part in zip(features.fields, features.split(rest, axis, constants), strict=True):
            if field.is_trivial:
                parts.append(part if self.scalars is None else self.scalars(part))
            else:
                parts.append(part * gates.narrow(axis, start, field.copies))
                start += field.copies
        return features.join(parts, axis, constants, rest).to(x.dtype)

    def extra_repr(self) -> str:
        """What ``repr`` shows: the representation, the sizes, the number of gates, the functions."""
        scalars = "" if self.scalars is None else f", scalars={name_of(self.scalars)}"
        return f"{super().extra_repr()}, gates={self.gates}, function={name_of(self.function)}{scalars}"


def length(x: Tensor, axis: int, whole: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """|x| along an axis, which is kept, with gradient 0 at 0; and where it counts as zero, see :class:`NormNonlinearity`.

    Where x is what is left of ``whole`` after the subtraction of its invariant part, it counts as zero up to the rounding of
    that, 2 d eps of its length.
    """
    square = x.square().sum(axis, keepdim=True)
    kind = torch.finfo(x.dtype)
    is_zero = square < kind.tiny / kind.eps
    if whole is not None:
        is_zero = is_zero | (square <= (2 * x.shape[axis] * kind.eps) ** 2 * whole.square().sum(axis, keepdim=True))
    # Both branches are differentiated: the root must not see a zero.
    return torch.where(is_zero, 0, torch.where(is_zero, 1, square).sqrt()), is_zero


def _act(x: Tensor, bias: Tensor | None, function: Function, axis: int, is_permutation: bool) -> Tensor:
    if is_permutation:
        return function(x if bias is None else x + bias)
    size, is_zero = length(x, axis)
    factor = function(size if bias is None else size + bias) / torch.where(is_zero, 1, size)
    return x * torch.where(is_zero, 0, factor)


def check_function(function: object, name: str) -> None:
    """Raise IncompatibleError unless the argument can be called."""
    if not callable(function):
        raise IncompatibleError(f"{name}: expected a function of a tensor, got {type(function).__name__}; give e.g. torch.relu")


def name_of(function: Any) -> str:
    """The name of a function or module."""
    return getattr(function, "__name__", type(function).__name__)
