"""LayerNorm, RMSNorm, BatchNorm: normalisation with statistics that the group does not change."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, layer_norm

import repcore as rc
from repcore import IncompatibleError
from repcore_torch.features import Constants, FieldTable, along, copies_mean, times, working
from repcore_torch.field_layer import FieldLayer

__all__ = ["BatchNorm", "LayerNorm", "RMSNorm"]


class _Norm(FieldLayer):
    """What the three have in common: a gain for each copy, a bias on the invariants."""

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(self, X: Any, axis: int, affine: bool, has_bias: bool, device: Any, dtype: torch.dtype | None) -> None:
        super().__init__(X, axis, device=device, dtype=dtype)
        self.affine = affine
        for name, size, wanted in (("weight", self._features.copies, affine), ("bias", self._features.invariants, has_bias)):
            has = affine and wanted and (size or name == "weight")
            value = nn.Parameter(torch.empty(size, device=device, dtype=dtype)) if has else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Gains of one, biases of zero."""
        if self.weight is not None:
            nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def extra_repr(self) -> str:
        """What ``repr`` shows: the representation, the sizes, the options."""
        return f"{super().extra_repr()}, eps={getattr(self, 'eps', None)}, affine={self.affine}"

    def _scale(self, y: Tensor, axis: int, constants: Constants) -> Tensor:
        """y with the gain of each copy, and the bias."""
        if self.weight is None:
            return y
        weight = along(self.weight.to(y.dtype).index_select(0, constants.owner), axis, y.ndim)
        if self.bias is None:
            return y * weight
        return torch.addcmul(along(self._features.shift(self.bias.to(y.dtype), constants), axis, y.ndim), y, weight)

    @torch.no_grad()
    def dense(self) -> dict[str, Tensor]:
        """Gain and bias, and running statistics, for each feature of X, by the names that torch's layers have."""
        constants = self._features.on(self._like.dtype, self._like.device)
        made: dict[str, Tensor] = {}
        for name, per_copy in (("weight", True), ("running_var", True), ("bias", False), ("running_mean", False)):
            value = getattr(self, name, None)
            if value is not None:
                made[name] = value.index_select(0, constants.owner) if per_copy else self._features.shift(value, constants)
        return made

    @torch.no_grad()
    def _take(self, weight: Tensor | None, bias: Tensor | None) -> None:
        """The means over each copy of gains (dim X,), the projection of biases (dim X,) onto the invariants."""
        for mine, theirs, read in (
            (self.weight, weight, copies_mean),
            (self.bias, bias, lambda values, features, constants: features.means(values, constants)),
        ):
            if mine is not None and theirs is not None:
                mine.requires_grad_(theirs.requires_grad)
                wide = theirs.detach().to(working(theirs, "from_plain"))
                mine.copy_(read(wide, self._features, self._features.on(wide.dtype, wide.device)))


class LayerNorm(_Norm):
    """Layer normalisation that commutes with X: the mean is taken along an invariant vector, one gain for each copy.

    With u the invariant vector nearest to (1, ..., 1), its projection onto the invariants of X::

        z = x - u <u, x> / <u, u>,        y = g z / sqrt(|z|^2 / dim X + eps) + b.

    Where the group permutes the features, u is the vector of ones: with equal gains and biases this is
    ``torch.nn.LayerNorm``. For scalars and irreps, u is one on each scalar and zero elsewhere. If X has no such u, nothing is
    subtracted. Learned are the gain g, one number for each copy of a summand, and b, an invariant vector: its coordinates belong
    to invariants of each copy whose entries have mean square 1, so that for a transitive permutation representation they are
    added to each feature of the copy.

    Args:
        X: an orthogonal, real representation.
        eps: added to the mean square.
        affine: learn ``weight``, (copies,), and ``bias``, (number of invariants,) if there are any, in the order of
            ``rc.fields(X)``.
        bias: False to learn no bias.
        axis: the axis of x that holds the features; 1 for images (B, dim X, H, W), where each pixel has its own statistics.
        device, dtype: of the parameters.

    Shapes: x (..., dim X) -> the same. Statistics are taken in float32 at least; y has the dtype of x. ``state_dict`` holds the
    digest of X, and loading parameters of another representation raises.

    Raises:
        IncompatibleError: X is not orthogonal or not real; an x of another size; a ``state_dict`` of another representation.

    Reference: J. L. Ba, J. R. Kiros and G. E. Hinton, Layer Normalization, 2016, for permutations the same.

    >>> import repcore as rc, torch
    >>> D4 = rc.dihedral(4)
    >>> norm = LayerNorm(3 * rc.regular(D4) + 2 * D4.rep)
    >>> norm.weight.shape, norm.bias.shape, norm(torch.randn(7, 28)).shape
    (torch.Size([5]), torch.Size([3]), torch.Size([7, 28]))
    """

    def __init__(
        self,
        X: Any,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        axis: int = -1,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(X, axis, affine, bias, device, dtype)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """y, of the shape and dtype of x."""
        axis, features = self._features.axis(x, self.axis), self._features
        work = working(x, "LayerNorm")
        constants, z = features.on(work, x.device), x.to(work)
        if features.is_uniform and axis == x.ndim - 1:
            weight = None if self.weight is None else self.weight.to(work).index_select(0, constants.owner)
            bias = None if self.bias is None else features.shift(self.bias.to(work), constants)
            return layer_norm(z, (features.dim,), weight, bias, self.eps).to(x.dtype)
        if features.has_mean:
            u = along(constants.mean, axis, x.ndim)
            z = torch.addcmul(z, (z * u).sum(axis, keepdim=True), u, value=-1 / features.mean_square)
        return self._scale(_over_rms(z, axis, self.eps), axis, constants).to(x.dtype)

    @property
    def is_plain(self) -> bool:
        """Whether ``torch.nn.LayerNorm`` with the parameters :meth:`dense` is the same function."""
        return self._features.is_uniform and self.axis == -1

    @classmethod
    def from_plain(cls, plain: nn.LayerNorm, X: Any, *, axis: int = -1) -> LayerNorm:
        """The layer with eps, the mean gain over each copy and the projected bias of a ``torch.nn.LayerNorm`` of dim X."""
        _check_plain(plain, nn.LayerNorm, "LayerNorm", X)
        like = plain.weight if plain.elementwise_affine else torch.empty(0)
        options = {"bias": plain.bias is not None, "axis": axis, "device": like.device, "dtype": like.dtype}
        new = cls(X, plain.eps, plain.elementwise_affine, **options)
        new._take(plain.weight, plain.bias)
        return new.train(plain.training)


class RMSNorm(_Norm):
    """Normalisation by the root of the mean square over all features: ``y = g x / sqrt(|x|^2 / dim X + eps)``.

    ``|x|`` does not change under an orthogonal representation, and one gain g for each copy of a summand commutes with X. With
    equal gains this is ``torch.nn.RMSNorm``.

    Args:
        X: an orthogonal, real representation.
        eps: added to the mean square; None for the machine epsilon of the dtype of x.
        affine: learn ``weight``, (copies,), in the order of ``rc.fields(X)``.
        axis: the axis of x that holds the features; 1 for images.
        device, dtype: of the parameters.

    Shapes: x (..., dim X) -> the same. The mean square is taken in float32 at least; y has the dtype of x.

    Raises:
        IncompatibleError: as :class:`LayerNorm`.

    Reference: B. Zhang and R. Sennrich, Root Mean Square Layer Normalization, 2019.

    >>> import repcore as rc, torch
    >>> norm = RMSNorm(rc.irreps_from("2x0e+1x1o", rc.O(3)), eps=0.0)
    >>> norm(torch.tensor([0.0, 0.0, 0.0, 3.0, 4.0])).detach().round(decimals=4)
    tensor([0.0000, 0.0000, 0.0000, 1.3416, 1.7889])
    """

    def __init__(
        self,
        X: Any,
        eps: float | None = 1e-5,
        affine: bool = True,
        *,
        axis: int = -1,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(X, axis, affine, False, device, dtype)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """y, of the shape and dtype of x."""
        axis, work = self._features.axis(x, self.axis), working(x, "RMSNorm")
        eps = torch.finfo(x.dtype).eps if self.eps is None else self.eps
        return self._scale(_over_rms(x.to(work), axis, eps), axis, self._features.on(work, x.device)).to(x.dtype)

    @classmethod
    def from_plain(cls, plain: nn.RMSNorm, X: Any, *, axis: int = -1) -> RMSNorm:
        """The layer with eps and the mean gain over each copy of a ``torch.nn.RMSNorm`` over dim X features."""
        _check_plain(plain, nn.RMSNorm, "RMSNorm", X)
        like = plain.weight if plain.elementwise_affine else torch.empty(0)
        new = cls(X, plain.eps, plain.elementwise_affine, axis=axis, device=like.device, dtype=like.dtype)
        new._take(plain.weight, None)
        return new.train(plain.training)


class BatchNorm(_Norm):
    """Batch normalisation that commutes with X: each copy of a summand has one mean, an invariant vector, and one variance.

    With E the mean over the batch and all axes but that of the features, and P the projector onto the invariants, a copy of a
    summand of dimension d becomes::

        mu = P E[x],    var = E |x - mu|^2 / d,    y = g (x - mu) / sqrt(var + eps) + b,

    with a gain g for each copy and an invariant vector b. For scalars this is ``torch.nn.BatchNorm``; for a transitive
    permutation representation it is that with one channel for each copy, the components counting as further places (the batch
    normalisation of group convolutions: Cohen and Welling, 2016), computed by torch. Without invariants there is no mean.

    In training, running statistics follow as in torch, ``momentum`` None for the average of all batches. The running variance is
    unbiased: with N numbers in a copy's statistics and t invariants it is N / (N - t) times that of the batch. In evaluation they
    take the place of mu and var.

    Args:
        X: an orthogonal, real representation.
        eps: added to the variance.
        momentum: the weight of the new batch in the running statistics.
        affine: learn ``weight``, (copies,), and ``bias``, (number of invariants,), in the order of ``rc.fields(X)``; in the
            coordinates of :class:`LayerNorm`.
        bias: False to learn no bias.
        track_running_stats: keep ``running_mean``, (number of invariants,), ``running_var``, (copies,), ``num_batches_tracked``.
        axis: the axis of x that holds the features.
        device, dtype: of the parameters.

    Shapes: x (B, dim X, ...) -> the same. Statistics are taken in float32 at least; y has the dtype of x.

    Raises:
        IncompatibleError: X is not orthogonal or not real; an x of another size, or in training with so few numbers that a copy
            is all mean; a ``state_dict`` of another representation.

    >>> import repcore as rc, torch
    >>> norm = BatchNorm(16 * rc.regular(rc.dihedral(4)))
    >>> norm(torch.randn(2, 128, 5, 5)).shape, norm.running_mean.shape, norm.running_var.shape
    (torch.Size([2, 128, 5, 5]), torch.Size([16]), torch.Size([16]))
    """

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        X: Any,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        axis: int = 1,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(X, axis, affine, bias, device, dtype)
        self.eps, self.momentum, self.track_running_stats = eps, momentum, track_running_stats
        self.replaces: type[nn.Module] | None = None
        kept = track_running_stats
        zeros, ones = (torch.zeros(self._features.invariants), torch.ones(self._features.copies))
        self.register_buffer("running_mean", zeros.to(self._like) if kept else None)
        self.register_buffer("running_var", ones.to(self._like) if kept else None)
        self.register_buffer("num_batches_tracked", torch.tensor(0, device=device) if kept else None)

    def reset_running_stats(self) -> None:
        """Forget what was seen: mean zero, variance one."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """y, of the shape and dtype of x; in training the running statistics take note of x."""
        features = self._features
        axis, work = features.axis(x, self.axis), working(x, "BatchNorm")
        if x.ndim < 2:
            raise IncompatibleError(f"x has shape {tuple(x.shape)}; BatchNorm needs a batch, (B, {features.dim}, ...)")
        factor = self._tracked()
        from_batch = self.training or self.running_mean is None
        constants = features.on(work, x.device)
        moved = x if axis == 1 else x.movedim(axis, 1)
        # (B, dim X, places): all axes but that of the batch and of the features are one.
        flat = moved.flatten(2) if moved.ndim > 2 else moved[..., None]
        parts = [
            self._native(p, field, from_batch, factor)
            if field.is_uniform
            else self._general(p.to(work), field, basis, from_batch, factor).to(x.dtype)
            for p, field, basis in zip(features.split(flat, 1, constants), features.fields, constants.bases, strict=True)
        ]
        y = features.join(parts, 1, constants, flat).reshape(moved.shape)
        return y if axis == 1 else y.movedim(1, axis)

    @classmethod
    def from_plain(cls, plain: nn.Module, X: Any, *, axis: int = 1) -> BatchNorm:
        """The layer with what a ``torch.nn.BatchNorm1d``, ``2d`` or ``3d`` over dim X channels has learned.

        Taken over are eps, momentum, the mean gain over each copy, the projections of bias and running mean onto the invariants,
        and the variance about that mean, mean(var_i + (mean_i - mu_i)^2) over the components i of a copy. ``replaces`` is the
        class of the layer, as which ``rct.fold`` writes it.
        """
        _check_plain(plain, nn.modules.batchnorm._BatchNorm, "BatchNorm", X)
        source = cast(nn.BatchNorm2d, plain)
        like = next((t for t in (*source.parameters(), *source.buffers())), torch.empty(0))
        options = {"bias": source.bias is not None, "axis": axis, "device": like.device, "dtype": like.dtype}
        new = cls(X, source.eps, source.momentum, source.affine, source.track_running_stats, **options)
        new.replaces = type(plain)
        new._take(source.weight, source.bias)
        if new.running_mean is not None and new.running_var is not None and new.num_batches_tracked is not None:
            if source.running_mean is None or source.running_var is None or source.num_batches_tracked is None:
                raise IncompatibleError("plain: it says that it tracks running statistics and has none")
            features, mean = new._features, source.running_mean.to(working(source.running_mean, "from_plain"))
            constants = features.on(mean.dtype, mean.device)
            means = features.means(mean, constants)
            spread = source.running_var.to(mean.dtype) + (mean - features.shift(means, constants)).square()
            new.running_mean.copy_(means)
            new.running_var.copy_(copies_mean(spread, features, constants))
            new.num_batches_tracked.copy_(source.num_batches_tracked)
        return new.train(plain.training)

    def extra_repr(self) -> str:
        """What ``repr`` shows: that of the other layers, momentum and whether statistics are kept."""
        return f"{super().extra_repr()}, momentum={self.momentum}, track_running_stats={self.track_running_stats}"

    def _tracked(self) -> float:
        """Count a batch; the weight that it has in the running statistics."""
        if not self.training or self.num_batches_tracked is None:
            return 0.0
        self.num_batches_tracked.add_(1)
        return 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum

    def _own(self, tensor: Tensor | None, field: FieldTable, *, per_copy: bool) -> Tensor | None:
        """The part of a tensor of copies, or of invariants, that belongs to a field."""
        if tensor is None:
            return None
        start, count = (field.copy, field.copies) if per_copy else (field.invariant, field.copies * field.invariants)
        return tensor if count == len(tensor) else tensor[start : start + count]

    def _native(self, x: Tensor, field: FieldTable, from_batch: bool, factor: float) -> Tensor:
        """A field of transitive permutation representations: torch's own, with the components among the places."""
        shape = x.shape
        if from_batch and shape[0] * field.dim * shape[-1] <= 1:
            raise IncompatibleError(_too_few(shape[0] * field.dim * shape[-1], field))
        kept = (self._own(self.running_mean, field, per_copy=False), self._own(self.running_var, field, per_copy=True))
        # torch keeps them for the backward pass, and other fields write to the same tensors.
        mean, var = kept if len(self._features.fields) == 1 else (None if t is None else t.clone() for t in kept)
        y = batch_norm(
            x.reshape(shape[0], field.copies, field.dim * shape[-1]),
            mean,
            var,
            self._own(self.weight, field, per_copy=True),
            self._own(self.bias, field, per_copy=False),
            from_batch,
            factor,
            self.eps,
        )
        if self.training:
            with torch.no_grad():
                for old, new in zip(kept, (mean, var), strict=True):
                    if old is not None and new is not None and old is not new:
                        old.copy_(new)
        return y.reshape(shape)

    def _general(self, x: Tensor, field: FieldTable, basis: Tensor, from_batch: bool, factor: float) -> Tensor:
        """Any other field, x (B, copies, dim, places)."""
        t, count = field.invariants, x.shape[0] * field.dim * x.shape[-1]
        if from_batch and count <= t:
            raise IncompatibleError(_too_few(count, field))
        running_mean = self._own(self.running_mean, field, per_copy=False)
        running_var = self._own(self.running_var, field, per_copy=True)
        if from_batch:
            mean = times(x.mean((0, 3)), basis, 1) / field.dim
        else:
            mean = cast(Tensor, running_mean).to(x.dtype).view(field.copies, t)
        if t:
            x = x - times(mean, basis.mT, 1)[:, :, None]
        var = x.square().mean((0, 2, 3)) if from_batch else cast(Tensor, running_var).to(x.dtype)
        if self.training and running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(mean.detach().flatten().to(running_mean.dtype), factor)
                running_var.lerp_((var.detach() * (count / (count - t))).to(running_var.dtype), factor)
        scale = (var + self.eps).rsqrt()
        weight, bias = self._own(self.weight, field, per_copy=True), self._own(self.bias, field, per_copy=False)
        y = x * (scale if weight is None else scale * weight.to(x.dtype))[:, None, None]
        if bias is None or not t:
            return y
        return y + times(bias.to(x.dtype).view(field.copies, t), basis.mT, 1)[:, :, None]


def _over_rms(z: Tensor, axis: int, eps: float) -> Tensor:
    return z * (z.square().mean(axis, keepdim=True) + eps).rsqrt()


def _too_few(count: int, field: FieldTable) -> str:
    return (
        f"x has {count} numbers for the statistics of a copy of dimension {field.dim} with {field.invariants} invariants, so "
        "that all of it is mean; in training give a larger batch"
    )


def _check_plain(plain: object, kind: type, name: str, X: Any) -> None:
    """Raise IncompatibleError unless ``plain`` is torch's layer of this kind over dim X features."""
    if not isinstance(plain, kind):
        raise IncompatibleError(f"plain: expected a torch.nn.{name} layer, got {type(plain).__name__}")
    if not isinstance(X, rc.Rep):
        raise IncompatibleError(f"X: expected a representation, got {type(X).__name__}; write from_plain(plain, X)")
    shape = getattr(plain, "normalized_shape", None) or (getattr(plain, "num_features", None),)
    if tuple(shape) != (X.dim,):
        raise IncompatibleError(f"plain: it normalises features of shape {tuple(shape)}, and X has dimension {X.dim}")
