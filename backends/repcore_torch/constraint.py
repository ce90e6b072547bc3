"""Constraining a parameter to the equivariant maps: the layer learns ``basis.dim`` coefficients."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from repcore import RepcoreWarning
from repcore_torch.projector import Projector, as_matrix, projector_of, tensor_of

__all__ = ["Constraint", "constrain"]


class Constraint(nn.Module):
    """The parametrisation theta -> sum_a theta_a B_a, for ``torch.nn.utils.parametrize``.

    ``forward`` takes theta (..., dim) to a weight of the shape that was constrained, (..., dim Y, dim X) or (dim Y,);
    ``right_inverse`` takes a weight W to the coefficients of P W, so that assigning a weight projects it.
    """

    def __init__(self, space: Any, *, vector: bool = False) -> None:
        super().__init__()
        self.projector = Projector(space)
        self.vector = vector

    def forward(self, theta: Tensor) -> Tensor:
        """theta (..., dim) -> the weight."""
        W = self.projector.expand(theta)
        return W[..., 0] if self.vector else W

    def right_inverse(self, W: Tensor) -> Tensor:
        """The weight -> theta (..., dim)."""
        return self.projector.coefficients(W)


def constrain(module: nn.Module, name: str, space: Any) -> nn.Module:
    """Keep ``module.name`` equivariant for good: learn its coefficients theta, weight = sum_a theta_a B_a.

    Starts from the projection of the current weight. The trained tensor is
    ``module.parametrizations.<name>.original``, of shape (..., dim), the same Parameter object as before; an optimiser
    made *after* the call is right without further thought. A bias (dim Y,) takes the space ``one >> Y``.

    The weight is formed each time ``module.<name>`` is read: once per forward of a Linear layer. Where it is read more
    often (recurrent cells, tied use, evaluation in a loop), wrap the code in
    ``with torch.nn.utils.parametrize.cached():``. ``torch.nn.utils.parametrize.remove_parametrizations(module, name)``
    leaves a plain dense weight, for inference at no cost. A Parameter that another module shares must be constrained
    before it is tied: the shared object becomes theta.

    Args:
        module: the module that owns the parameter.
        name: its attribute name, e.g. ``"weight"``.
        space: a space, a basis, a plan or a :class:`Projector`.

    Returns:
        The module.

    Raises:
        IncompatibleError: no such tensor, one that is parametrised already, a shape that is not (..., dim Y, dim X), or
            a complex space on a real tensor. The module is then as it was.

    Warns:
        RepcoreWarning: the space has dimension 0, so that the tensor is zero from now on.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> layer = constrain(torch.nn.Linear(2, 2, bias=False), "weight", V >> V)
    >>> [(name, tuple(p.shape)) for name, p in layer.named_parameters()]
    [('parametrizations.weight.original', (1,))]
    """
    projector = projector_of(space)
    tensor = tensor_of(module, name, projector)
    vector = as_matrix(tensor, projector.shape, repr(name)).shape != tensor.shape
    if projector.dim == 0:
        warnings.warn(
            f"the space of {name!r} has dimension 0: no map but zero is equivariant, so {name!r} is zero from now on",
            RepcoreWarning,
            stacklevel=2,
        )
    return parametrize.register_parametrization(module, name, Constraint(projector, vector=vector))
