"""Constraining a parameter to the equivariant maps: the layer learns ``basis.dim`` coefficients."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

import repcore as rc
from repcore import IncompatibleError, RepcoreWarning
from repcore_torch.digest import check_state
from repcore_torch.projector import Projector, as_matrix, projector_of, tensor_of
from repcore_torch.sharded import is_sharded

__all__ = ["Constraint", "attach", "constrain"]


class Constraint(nn.Module):
    """The parametrisation theta -> sum_a theta_a B_a, for ``torch.nn.utils.parametrize``.

    ``forward`` takes theta (..., dim) to a weight of the shape that was constrained, ``right_inverse`` takes a weight W to the
    coefficients of P W, so that assigning a weight projects it.

    Args:
        space: a space, a basis, a plan or a :class:`Projector`.
        view: how a weight of that shape is read as maps (..., dim Y, dim X), a ``repcore.View``.
        label: the space as a text, for reports.
        maps: the space ``X >> Y`` of the features that the layer takes and gives, where that is known.

    Attributes:
        spatial: how the group moves the axes of a kernel, where its rule says it; None: by its own matrices.
    """

    spatial: rc.Rep | None = None

    def __init__(self, space: Any, view: Any, label: str = "", maps: Any = None) -> None:
        super().__init__()
        self.projector = Projector(space)
        self.view = view
        self.label = label
        self.maps = maps

    def forward(self, theta: Tensor) -> Tensor:
        """theta (..., dim) -> the weight."""
        return self.view.write(self.projector.expand(theta))

    def right_inverse(self, W: Tensor) -> Tensor:
        """The weight -> theta (..., dim)."""
        return self.projector.coefficients(self.view.read(W))


def constrain(module: nn.Module, name: str, space: Any) -> nn.Module:
    """Keep ``module.name`` equivariant for good: learn its coefficients theta, weight = sum_a theta_a B_a.

    Starts from the projection of the current weight. The trained tensor is
    ``module.parametrizations.<name>.original``, of shape (..., dim), the same Parameter object as before; an optimiser
    made *after* the call is right without further thought. A bias (dim Y,) takes the space ``one >> Y``.

    The weight is formed each time ``module.<name>`` is read: once per forward of a Linear layer. Where it is read more
    often (recurrent cells, tied use, evaluation in a loop), wrap the code in
    ``with torch.nn.utils.parametrize.cached():``. ``torch.nn.utils.parametrize.remove_parametrizations(module, name)``
    leaves a plain dense weight, for inference at no cost. A Parameter that another module shares must be constrained
    before it is tied: the shared object becomes theta. A module that is to be sharded (``fully_shard``, ``distribute_tensor``) is
    constrained before.

    As torch has it, a constrained module is saved through its ``state_dict``, which holds theta and the digest of the space;
    ``deepcopy`` and ``pickle`` make modules of their own. Coefficients of another space are refused before the module is changed,
    and before any other one is if the model is guarded, see :func:`guard`.

    Args:
        module: the module that owns the parameter.
        name: its attribute name, e.g. ``"weight"``.
        space: a space, a basis, a plan or a :class:`Projector`.

    Returns:
        The module.

    Raises:
        IncompatibleError: no such tensor, one that is parametrised already, a shape that is not (..., dim Y, dim X),
            a complex space on a real tensor, a tensor that the module has under another name too, or one that is sharded. The
            module is then as it was.

    Warns:
        RepcoreWarning: the space has dimension 0, so that the tensor is zero from now on.

    >>> import repcore as rc, torch
    >>> V = rc.dihedral(4).rep
    >>> layer = constrain(torch.nn.Linear(2, 2, bias=False), "weight", V >> V)
    >>> [(name, tuple(p.shape)) for name, p in layer.named_parameters()]
    [('parametrizations.weight.original', (1,))]
    """
    projector = projector_of(space)
    tensor = tensor_of(module, name, projector.plan)
    others = [other for other, held in module.named_parameters(remove_duplicate=False) if held is tensor and other != name]
    if others:
        raise IncompatibleError(f"{name!r} is one tensor with {others[0]!r} of the same module: constrain first, and tie then")
    vector = as_matrix(tensor, projector.shape, repr(name)).shape != tensor.shape
    axes = "o" if vector else "b" * (tensor.ndim - 2) + "oi"
    view = rc.view_of(tensor.shape, axes, rows="o", cols="i")
    if projector.dim == 0:
        warnings.warn(
            f"the space of {name!r} has dimension 0: no map but zero is equivariant, so {name!r} is zero from now on",
            RepcoreWarning,
            stacklevel=2,
        )
    return attach(module, name, Constraint(projector, view))


def attach(module: nn.Module, name: str, constraint: nn.Module) -> nn.Module:
    """``register_parametrization`` for a constraint, with copies and checkpoints as they should be; returns the module.

    Raises:
        IncompatibleError: the parameter is a DTensor. The module is then as it was.
    """
    if is_sharded(getattr(module, name)):
        raise IncompatibleError(f"{name!r} is sharded already: constrain the module first, and shard it then")
    parametrize.register_parametrization(module, name, constraint)
    # A gradient of the weight says nothing of the coefficients, and has another shape.
    _chains(module)[name].original.grad = None
    _complete(type(module))
    return module


def _complete(kind: Any) -> None:
    """Mend the class that torch made for one parametrised module; it goes when the last parametrisation is removed."""
    if "_load_from_state_dict" in vars(kind):
        return
    base, copied = kind.__bases__[0], kind.__deepcopy__

    def deepcopied(self: Any, memo: dict[int, Any]) -> Any:
        # torch lets the copy share this class: to remove a parametrisation of the copy would break the original (torch 2.13).
        twin, own = copied(self, memo), type(self)
        # And the properties know the module that they were made for, by which torch caches weights.
        names = [name for name in _chains(twin) if name in vars(own)]
        members = {key: value for key, value in vars(own).items() if key not in names}
        twin.__class__ = type(own.__name__, own.__bases__, members)
        for name in names:
            parametrize._inject_property(twin, name)
        return twin

    def reduced(self: Any, protocol: Any) -> Any:
        # torch pickles no parametrised module, for its class is made on the spot; so it is made again. What else was derived
        # from that class is as little to be found by its name as torch has it.
        if type(self).__bases__ != kind.__bases__:
            return base.__reduce_ex__(self, protocol)
        return _restored, (base, tuple(_chains(self))), base.__getstate__(self)

    def loaded(self: Any, state_dict: Any, prefix: str, *rest: Any) -> None:
        # The other parameters of the module would be loaded before its parametrisations.
        check_state(self, state_dict, prefix)
        base._load_from_state_dict(self, state_dict, prefix, *rest)

    kind.__deepcopy__, kind.__reduce_ex__, kind._load_from_state_dict = deepcopied, reduced, loaded


def _restored(base: Any, names: tuple[str, ...]) -> Any:
    """A module with the class of one that is constrained, whose state pickle sets next."""
    module = base.__new__(base)
    parametrize._inject_new_class(module)
    for name in names:
        parametrize._inject_property(module, name)
    _complete(type(module))
    return module


def _chains(module: Any) -> Any:
    """The parametrisations of a module by the names of what they make."""
    return module.parametrizations
