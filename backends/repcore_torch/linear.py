"""Linear: an equivariant layer that applies its coefficients in the irrep basis and never forms the weight."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.functional import linear

import repcore as rc
from repcore import IncompatibleError, RepcoreWarning
from repcore_torch import maps
from repcore_torch.digest import Digested
from repcore_torch.projector import check_tensor
from repcore_torch.sharded import gathered
from repcore_torch.tables import FourierTable, LayerTable, PanelTable, Table, Tables, tables_of, working_dtype

__all__ = ["Linear", "run"]

# Rows of x that go through the buffers at a time, and the numbers that the buffers may hold in any case: they stay in the cache,
# and products of fewer rows would be slower than what that saves (measured at 64, 128 and 256 rows).
_PIECE = 128
_SMALL = 2**17


class Linear(Digested):
    """y = W x + b for the equivariant maps W: X -> Y and the invariant vectors b of Y, without forming W.

    By Schur's lemma, W in the irrep basis is one matrix for each irrep that X and Y share: the input is changed to that basis,
    multiplied irrep by irrep, and changed back. That takes a fraction of the operations of a dense layer of the same shape, for
    regular representations with many copies about (sum over irreps of d m^2 t) / n^2, and so many parameters fewer.

    Learned are ``coefficients``, one tensor (irreps, outputs, endomorphisms, inputs) for each group of irreps with equal sizes,
    and ``bias``, (number of invariants of Y,). Both are coordinates in orthonormal bases, so that optimisers see the geometry of
    dense weights; ``theta`` is all of the coefficients in the order of ``rc.plan(X >> Y, structure="schur")``. Where X or Y is
    not orthogonal (unitary), as with ``rc.irreps``, the bases are orthonormal for invariant inner products.

    Args:
        X: the representation of the input.
        Y: the representation of the output.
        bias: learn a bias on the trivial part of Y. If Y has no invariant vector there is none.
        device: where the parameters are made.
        dtype: their dtype, by default torch's default dtype; made complex where the space is.

    Shapes: x (..., dim X) -> y (..., dim Y).

    Works under autograd (to any order), ``torch.func``, ``deepcopy``, pickle and ``torch.compile``. Under autocast the products
    run in half precision, the changes of basis in the precision of their input. ``state_dict`` holds the digest of the space,
    and loading coefficients of another one raises.

    Raises:
        IncompatibleError: X and Y are not representations of one group; a wrong shape; a ``state_dict`` of another space.
        RepresentationError: X or Y is not completely reducible, so that it has no irrep basis.

    Warns:
        RepcoreWarning: the space has dimension 0 and there is no bias, so that the output is zero.

    >>> import repcore as rc, torch
    >>> G = rc.dihedral(4)
    >>> layer = Linear(16 * rc.regular(G), 32 * rc.regular(G))
    >>> layer(torch.ones(2, 128)).shape, layer.dim, 32 * 16 * 64
    (torch.Size([2, 256]), 4096, 32768)
    """

    bias: nn.Parameter | None
    _like: Tensor

    def __init__(self, X: rc.Rep, Y: rc.Rep, bias: bool = True, device: Any = None, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        for name, rep in (("X", X), ("Y", Y)):
            if not isinstance(rep, rc.Rep):
                raise IncompatibleError(f"{name}: expected a representation, got {type(rep).__name__}; write Linear(X, Y)")
        self._domain, self._codomain = X, Y
        self._tables: Tables = tables_of(rc.plan(X >> Y, structure="schur"))
        dtype = dtype or torch.get_default_dtype()
        dtype = working_dtype(dtype, True) if self.plan.is_complex else dtype
        groups = [g for g in self.plan.layer.groups if g.inputs]
        self.coefficients = nn.ParameterList(nn.Parameter(torch.empty(g.shape, device=device, dtype=dtype)) for g in groups)
        if bias and self.plan.layer.bias:
            self.bias = nn.Parameter(torch.empty(self.plan.layer.bias, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        # What the dtype and the device are where nothing is learned; it moves with the module.
        self.register_buffer("_like", torch.empty(0, device=device, dtype=dtype), persistent=False)
        self._prepare()
        self.reset_parameters()
        if not self.dim and self.bias is None:
            warnings.warn(
                f"{X} >> {Y} has dimension 0: no map but zero is equivariant, so the output is zero", RepcoreWarning, stacklevel=2
            )

    def reset_parameters(self, gain: float = 2**0.5) -> None:
        """Draw equivariant He coefficients, and a bias of zero.

        For an input of independent components of variance 1, each component of each irrep of Y (that X has too) gets variance
        gain^2, as each entry of y does from a dense layer with He's init, W_ij ~ N(0, gain^2 / dim X): with M channels of an
        irrep of dimension d in X and t endomorphisms, component p of an output channel is the sum over them of
        theta (E_s z)_p / sqrt(d), where E_s z has variance 1; so theta ~ N(0, gain^2 d / (t M)). (He et al., 2015.)

        Args:
            gain: sqrt(2) for ReLU-like nonlinearities, 1 for none; see ``torch.nn.init.calculate_gain``.
        """
        for weight in self.coefficients:
            d = next(g.dim for g, w in self._weights() if w is weight)
            nn.init.normal_(weight, 0, gain * (d / (weight.shape[2] * weight.shape[3])) ** 0.5)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @property
    def plan(self) -> Any:
        """The plan of X >> Y in irrep coordinates."""
        return self._tables.plan

    @property
    def domain(self) -> rc.Rep:
        """X."""
        return self._domain

    @property
    def codomain(self) -> rc.Rep:
        """Y."""
        return self._codomain

    @property
    def digest(self) -> str:
        """The name of the plan: equal for equal spaces in irrep coordinates."""
        return self.plan.digest

    @property
    def dim(self) -> int:
        """The number of coefficients, ``rc.solve(X >> Y).dim``."""
        return self.plan.dim

    @property
    def shape(self) -> tuple[int, int]:
        """(dim Y, dim X)."""
        return self.plan.shape

    @property
    def theta(self) -> Tensor:
        """All coefficients as one vector (dim,), in the order of the plan; gathered where they are sharded."""
        flat = [gathered(weight).flatten() for weight in self.coefficients]
        return torch.cat(flat) if flat else torch.zeros(0, dtype=self._kind[0], device=self._kind[1])

    @property
    def weight(self) -> Tensor:
        """The dense weight W (dim Y, dim X), formed anew at each access; differentiable."""
        theta = self.theta
        work = working_dtype(theta.dtype, self.plan.is_complex)
        return maps.expand(theta.to(work), self._tables.on(work, theta.device)).to(theta.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """y = W x + b, (..., dim X) -> (..., dim Y)."""
        check_tensor(x, "x")
        if x.ndim < 1 or x.shape[-1] != self.shape[1]:
            raise IncompatibleError(f"x has shape {tuple(x.shape)}; the layer needs (..., {self.shape[1]})")
        if self.plan.is_complex and not x.is_complex():
            x = x.to(working_dtype(x.dtype, True))
        weights = [w for _, w in self._weights()]
        # Not -1, which an x of no components leaves open.
        flat = x.reshape(x.shape[:-1].numel(), x.shape[-1])
        y = run(self._tables.on(x.dtype, x.device), self.plan.layer, weights, self.bias, flat)
        return y.reshape(*x.shape[:-1], y.shape[-1])

    @torch.no_grad()
    def assign(self, weight: Tensor, bias: Tensor | None = None) -> Linear:
        """Take the coefficients of the projections of a dense weight (dim Y, dim X) and bias (dim Y,); returns the layer.

        Raises:
            IncompatibleError: a shape that does not fit, or a bias where the layer has none.
            RepresentationError: X or Y is not orthogonal (unitary), so that there is no such projection.
        """
        if tuple(weight.shape) != self.shape:
            raise IncompatibleError(f"weight has shape {tuple(weight.shape)}; the layer needs {self.shape}")
        if bias is not None and (self.bias is None or tuple(bias.shape) != self.shape[:1]):
            has = f"the layer takes ({self.shape[0]},)" if self.bias is not None else "the layer has none"
            raise IncompatibleError(f"bias has shape {tuple(bias.shape)}; {has}")
        self.plan.check_orthonormal()
        work = working_dtype(weight.dtype, self.plan.is_complex)
        theta = maps.coefficients(weight.to(work), self._tables.on(work, weight.device))
        for group, parameter in self._weights():
            if parameter is not None:
                parameter.copy_(theta[group.start : group.start + group.size].view(group.shape))
        if self.bias is not None:
            self.bias.zero_()
            if bias is not None:
                self.bias.copy_(self._invariants(bias).conj() @ bias.to(self.bias.dtype))
        return self

    def to_linear(self) -> nn.Linear:
        """The same map as a plain ``torch.nn.Linear`` with a dense weight, for export; independent of this layer."""
        y, x = self.shape
        with torch.no_grad():
            weight = self.weight
            dense = nn.Linear(x, y, bias=self.bias is not None, device=weight.device, dtype=weight.dtype)
            dense.weight.copy_(weight)
            if self.bias is not None:
                dense.bias.copy_(self.bias @ self._invariants(self.bias))
        return dense

    def extra_repr(self) -> str:
        """What ``repr`` shows: the representations, the sizes, the bias and the beginning of the digest."""
        y, x = self.shape
        name = f"{self.domain} -> {self.codomain}, " if len(f"{self.domain}{self.codomain}") <= 60 else ""
        invariants = 0 if self.bias is None else len(self.bias)
        return f"{name}{x} -> {y}, dim={self.dim}, bias={invariants}, digest={self.plan.digest[:12]}"

    def _invariants(self, like: Tensor) -> Tensor:
        """An orthonormal basis of the invariants of Y, (number, dim Y)."""
        layer = self.plan.layer
        basis = layer.apply(np.zeros(layer.dim), np.zeros(self.shape[1]), np.eye(layer.bias))
        return torch.from_numpy(basis).to(like.device, torch.promote_types(like.dtype, self._kind[0]))

    @property
    def _kind(self) -> tuple[torch.dtype, torch.device]:
        """Dtype and device of the parameters."""
        for parameter in self.parameters():
            return parameter.dtype, parameter.device
        return self._like.dtype, self._like.device

    def _weights(self) -> list[tuple[Any, Any]]:
        """Each group of irreps with its coefficients; None for invariants of Y that X does not have."""
        own = iter(self.coefficients)
        return [(group, next(own) if group.inputs else None) for group in self.plan.layer.groups]

    def _prepare(self) -> None:
        """Have the constants ready where the parameters are, so that a compiled forward finds them."""
        for parameter in self.parameters():
            work = working_dtype(parameter.dtype, self.plan.is_complex)
            self._tables.on(parameter.dtype, parameter.device)
            self._tables.on(work, parameter.device)
            return

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Linear:
        super()._apply(fn, recurse)
        self._prepare()
        return self


def run(table: Table, layer: Any, weights: Sequence[Tensor | None], bias: Tensor | None, x: Tensor) -> Tensor:
    """y = W x + b for x (B, dim X), with the coefficients of each group of irreps in the order of the layer; -> (B, dim Y)."""
    constants: Any = table.layer
    groups = layer.groups
    if constants.fourier is not None and x.dtype in (torch.float32, torch.float64):
        return _run_fourier(constants, constants.fourier, groups, weights, bias, x)
    if constants.whole is not None and _is_plain(x):
        return _run_in_place(constants, constants.whole, groups, weights, bias, x)
    parts: list[list[Tensor]] = [[] for _ in groups]
    for panel in constants.inputs:
        _read(panel, x, groups, parts)
    products = [_multiply(group, z, w, bias, x) for group, z, w in zip(groups, parts, weights, strict=True)]
    return _write(constants, groups, products, x)


def _run_fourier(
    constants: LayerTable,
    fourier: FourierTable,
    groups: Any,
    weights: Sequence[Tensor | None],
    bias: Tensor | None,
    x: Tensor,
) -> Tensor:
    """The same through a real Fourier transform: one complex product a frequency."""
    dims = tuple(range(2, 2 + len(fourier.grid)))
    panel, m = constants.outputs[0], constants.inputs[0].copies
    x = x.view(len(x), m, -1)
    x = x if fourier.order is None else x.index_select(2, fourier.order)
    spectrum = torch.fft.rfftn(x.view(len(x), m, *fourier.grid), dim=dims, norm="ortho").flatten(2)
    pairs = [(g, w) for g, w in zip(groups, weights, strict=True) if w is not None]
    real = torch.cat([w[:, :, 0] / g.dim**0.5 for g, w in pairs])
    imaginary = torch.cat([w[:, :, 1] / g.dim**0.5 if g.dim == 2 else torch.zeros_like(w[:, :, 0]) for g, w in pairs])
    signed = imaginary.index_select(0, fourier.irreps) * fourier.signs[:, None, None]
    weight = torch.complex(real.index_select(0, fourier.irreps), signed)
    product = torch.bmm(spectrum.permute(2, 0, 1), weight.mT).permute(1, 2, 0)
    half = (*fourier.grid[:-1], fourier.grid[-1] // 2 + 1)
    y = torch.fft.irfftn(product.reshape(len(x), panel.copies, *half), s=fourier.grid, dim=dims, norm="ortho").flatten(2)
    y = y if fourier.inverse is None else y.index_select(2, fourier.inverse)
    return (y if bias is None else y + (bias * fourier.bias)[:, None]).flatten(1)


def _run_in_place(
    constants: LayerTable, whole: Tensor, groups: Any, weights: Sequence[Tensor | None], bias: Tensor | None, x: Tensor
) -> Tensor:
    """The same for one panel on each side, where nothing is to be differentiated: products read and write parts of two buffers.

    The batch goes through them piece by piece: fresh memory costs more than the changes of basis do.
    """
    incoming, outgoing = constants.inputs[0], constants.outputs[0]
    back: Any = outgoing.reads[0][0]
    held = outgoing.reads[0][1]
    where = incoming.where
    x = x[:, where] if isinstance(where, slice) else x.index_select(1, where)
    (rows, n), (rows_y, n_y) = whole.shape, back.shape
    m, m_y, size = incoming.copies, outgoing.copies, len(x)
    step = min(size, max(_PIECE, _SMALL // (rows * m + rows_y * m_y)))
    z, y, result = (x.new_empty(shape) for shape in ((step, rows * m), (step, rows_y * m_y), (size, m_y * n_y)))
    for first in range(0, size, max(step, 1)):
        piece = x[first : first + step]
        b = len(piece)
        torch.bmm(whole.expand(b, rows, n), piece.view(b, m, n).mT, out=z[:b].view(b, rows, m))
        at = 0
        for g, _ in held:
            at = _multiply_in_place(groups[g], weights[g], bias, z[:b], constants.starts.get(g, 0) * m, y[:b], at)
        out = result[first : first + step].view(b, m_y, n_y)
        torch.bmm(y[:b].view(b, rows_y, m_y).mT, back.expand(b, rows_y, n_y), out=out)
    return result


def _multiply_in_place(group: Any, weight: Tensor | None, bias: Tensor | None, z: Tensor, start: int, y: Tensor, at: int) -> int:
    """The products of one group, from the columns of z at ``start`` to those of y at ``at``; where the next ones go."""
    n, inner = group.outputs, group.endomorphisms * group.inputs
    for i in range(group.irreps):
        for p in range(group.dim):
            out = y[:, at : at + n]
            at += n
            if weight is None:
                out.zero_() if bias is None else out.copy_(bias.expand_as(out))
                continue
            # z lies component by component, then irrep by irrep.
            left = z.narrow(1, start + (p * group.irreps + i) * inner, inner)
            right = weight[i].view(n, inner).mT
            if group.biased and bias is not None:
                torch.addmm(bias, left, right, out=out)
            else:
                torch.mm(left, right, out=out)
    return at


def _is_plain(x: Tensor) -> bool:
    """Whether operations on x may write into given memory: nothing differentiates, maps, compiles or casts them."""
    return not (
        torch.is_grad_enabled()
        or x.device.type != "cpu"
        or type(x) is not Tensor
        or torch.is_autocast_enabled("cpu")
        or torch.compiler.is_compiling()
        or torch._C._functorch.peek_interpreter_stack() is not None  # pyright: ignore[reportAttributeAccessIssue]
        or forward_ad._current_level >= 0
    )


def _read(panel: PanelTable, x: Tensor, groups: Any, parts: list[list[Tensor]]) -> None:
    """Change one panel of x to the irrep basis: for each group g, parts[g] gets (B, d, irreps, t, channels)."""
    where = panel.where
    if not isinstance(where, slice):
        x = x.index_select(1, where)
    elif where.stop - where.start != x.shape[1]:
        x = x[:, where]
    for matrix, held in panel.reads:
        z = _to_irreps(x, matrix, panel.copies, panel.size)
        pieces = z.split([rows for _, rows in held], 1) if len(held) > 1 else (z,)
        for (g, rows), piece in zip(held, pieces, strict=True):
            d, k, t = groups[g].dim, groups[g].irreps, groups[g].endomorphisms
            parts[g].append(piece.reshape(len(x), d, k, t, rows // (d * k * t) * panel.copies))


def _multiply(group: Any, parts: list[Tensor], weight: Tensor | None, bias: Tensor | None, x: Tensor) -> list[Tensor]:
    """The products of one group of irreps: for each irrep (B, d, outputs)."""
    size, d, k, n = len(x), group.dim, group.irreps, group.outputs
    if weight is None:
        return [x.new_zeros(size, 1, n) if bias is None else bias.expand(size, 1, n)]
    z = parts[0] if len(parts) == 1 else torch.cat(parts, -1)
    # What is not needed any more makes room for what comes: the layer is bound by memory as much as by arithmetic.
    parts.clear()
    inner = group.endomorphisms * group.inputs
    if k == 1:
        y = linear(z.reshape(size * d, inner), weight.view(n, inner), bias if group.biased else None)
        return [y.view(size, d, n)]
    y = torch.bmm(z.reshape(size * d, k, inner).transpose(0, 1), weight.view(k, n, inner).mT)
    return [product.view(size, d, n) for product in y.unbind(0)]


def _write(constants: LayerTable, groups: Any, products: list[list[Tensor]], x: Tensor) -> Tensor:
    """Change the products to the basis of Y, (B, dim Y)."""
    size, panels = len(x), constants.outputs
    channels: list[list[int]] = [[] for _ in groups]
    for panel in panels:
        for g, rows in panel.reads[0][1]:
            channels[g].append(rows // (groups[g].dim * groups[g].irreps) * panel.copies)
    # Cut once, so that the derivative joins once.
    cuts = [
        [iter(p.split(sizes, -1)) if len(sizes) > 1 else iter((p,)) for p in product]
        for product, sizes in zip(products, channels, strict=True)
    ]
    products.clear()
    written: list[Tensor] = []
    for panel in panels:
        matrix, held = panel.reads[0]
        pieces = [next(cut).reshape(size, rows // groups[g].irreps, panel.copies) for g, rows in held for cut in cuts[g]]
        z = pieces[0] if len(pieces) == 1 else torch.cat(pieces, 1)
        del pieces
        written.append(_from_irreps(z, matrix, panel.copies, panel.size))
    if constants.order is not None:
        written.append(x.new_zeros(size, 1))
    if not written:
        return x.new_zeros(size, 0)
    y = written[0] if len(written) == 1 else torch.cat(written, -1)
    return y if constants.order is None else y.index_select(1, constants.order)


def _to_irreps(x: Tensor, matrix: Tensor | None, copies: int, size: int) -> Tensor:
    """(B, copies * size) -> (B, rows, copies)."""
    if matrix is None:
        return x.unsqueeze(1)
    if copies == 1:
        return _product(x, matrix.mT).unsqueeze(-1)
    return _product(matrix.expand(len(x), *matrix.shape), x.view(len(x), copies, size).mT)


def _from_irreps(z: Tensor, matrix: Tensor | None, copies: int, size: int) -> Tensor:
    """(B, rows, copies) -> (B, copies * size)."""
    if matrix is None:
        return z.squeeze(1)
    if copies == 1:
        return _product(z.squeeze(-1), matrix)
    # Copies are the long side of each small product, also of its derivative: it is the one that processors run along.
    return _product(matrix.mT.expand(len(z), *matrix.mT.shape), z).mT.reshape(len(z), copies * size)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """A change of basis in the precision of its argument, also under autocast."""
    dtype = torch.promote_types(a.dtype, b.dtype)
    if a.device.type == "meta":
        # There is no autocast for it.
        return torch.matmul(a.to(dtype), b.to(dtype))
    if torch.is_autocast_enabled(a.device.type) or a.dtype != b.dtype:
        with torch.autocast(a.device.type, enabled=False):
            return torch.matmul(a.to(dtype), b.to(dtype))
    return torch.matmul(a, b) if a.ndim == 2 else torch.bmm(a, b)
