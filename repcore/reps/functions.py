"""Functions on the cells of a grid on which a group acts exactly, although it does not send cells to cells."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from math import pi, prod
from operator import add
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from repcore.errors import DeclarationError, IncompatibleError, RepresentationError
from repcore.groups.group import Group
from repcore.groups.named import SO, O
from repcore.reps.cells import box_of, twice_centres
from repcore.reps.disc import angular, radial, wave_numbers
from repcore.reps.function_maps import FunctionMaps
from repcore.reps.hom import Hom
from repcore.reps.irreps import irrep
from repcore.reps.powers import index_tuples
from repcore.reps.stencils import directions_of
from repcore.reps.tree import Rep, trivial

__all__ = ["FunctionSpace", "functions"]

Floats = npt.NDArray[np.float64]

# Part of the digest: the functions, their order and how they are made orthonormal.
FORMAT = "repcore-functions-1"

# The share of the wave numbers that cells resolve which is taken by default: errors of sampling near 0.02, see `functions`.
_BAND = 0.8


@dataclass(frozen=True, eq=False, repr=False)
class FunctionSpace:
    """Functions on a box of cells, with values in a representation, on which a group acts exactly; made by :func:`functions`.

    A function is f = sum_i c_i f_i, its coefficients c are vectors of :attr:`rep`, and g takes f to q -> g f(g^-1 q), which is a
    function of the space again. An image is what a function is at the centres of cells: x = ``samples @ c``.

    Attributes:
        group: the group, which acts on places by its own matrices.
        sizes: of the box, in array order.
        band: of harmonic functions, the highest wave number as a share of pi a cell; None for polynomials.
        degree: of polynomials, the highest; None for harmonic functions.
        values: the representation in which functions have their values, such as ``3 * trivial(G)`` for three channels.
        tokens: how many numbers stand before the cells that no element moves, such as the row of a class token.
    """

    group: Group
    sizes: tuple[int, ...]
    band: float | None
    degree: int | None
    values: Rep
    tokens: int = 0

    # -- the representation ----------------------------------------------------------------------------------------

    @cached_property
    def scalars(self) -> Rep:
        """The exact representation on the coefficients of functions with values in numbers."""
        if self.degree is not None:
            dual = self.group.rep.dual
            if self._is_homogeneous:
                # A polynomial of (q, 1) that is homogeneous of degree d is any polynomial of q of degree d or less.
                return dual.sym(self.degree)
            return reduce(add, (dual.sym(k) for k in range(self.degree + 1)))
        return reduce(add, (len(waves) * self._harmonics(d) for d, waves in enumerate(self._waves)))

    @property
    def rep(self) -> Rep:
        """The exact representation on coefficients: that of the values times that of the functions, dim = components x functions.

        Labelled harmonics (:func:`irrep`) are in their orthonormal convention. Tokens come first.
        """
        found = self.values * self.scalars
        return self.tokens * trivial(found.group) + found if self.tokens else found

    @property
    def size(self) -> int:
        """The number of entries of an image: tokens, and components times cells."""
        return self.tokens + self.values.dim * self.cells

    @property
    def cells(self) -> int:
        """The number of cells."""
        return prod(self.sizes)

    @property
    def dim(self) -> int:
        """The number of functions f_i."""
        return self.scalars.dim

    def maps(self, codomain: Rep) -> FunctionMaps:
        """The linear maps from images to Y, shape (dim Y, components x cells); also written ``functions >> Y``."""
        return FunctionMaps(self, Hom(self.rep, codomain).codomain)

    def __rshift__(self, codomain: Rep) -> FunctionMaps:
        return self.maps(codomain)

    def of(self, values: Rep) -> FunctionSpace:
        """The same functions with values in a representation of the group, or of a product that the group is a factor of.

        Raises:
            IncompatibleError: no representation, or one of another group; values other than numbers beside tokens.
        """
        if not isinstance(values, Rep):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise IncompatibleError(f"values: expected a representation, got {type(values).__name__}")
        values * self.scalars  # pyright: ignore[reportUnusedExpression]  # refuses other groups
        if self.tokens and values != trivial(values.group):
            raise IncompatibleError(f"values: tokens stand before functions with values in numbers, not in {values}")
        return replace(self, values=values)

    def __rmul__(self, copies: int) -> FunctionSpace:
        return self.of(copies * self.values)

    # -- the sampling ----------------------------------------------------------------------------------------------

    @cached_property
    def samples(self) -> Floats:
        """(cells, dim), read-only: column i is f_i at the centres of the cells, as an image that is read row by row.

        Polynomials as they are. Harmonic functions are orthonormal in the mean over all rotations, and on the cells nearly so:
        the columns are those orthonormal ones that are nearest to the exact values V = ``at(centres)``, the polar factor
        V (V^T V)^(-1/2), which differs from V by :attr:`error` in the spectral norm. So exchanges of cells that belong to
        the group (quarter turns) act on the samples exactly as the representation does, and every other element acts on images by
        the orthogonal matrix :meth:`act`.
        """
        exact = self.at(self._centres)
        if self.degree is not None:
            return _frozen(exact)
        u, _, vt = np.linalg.svd(exact, full_matrices=False)
        return _frozen(u @ vt)

    @cached_property
    def analysis(self) -> Floats:
        """(dim, cells), read-only: the pseudo-inverse of :attr:`samples`: an image to its nearest function."""
        if self.degree is None:
            return _frozen(np.ascontiguousarray(self.samples.T))
        q, r = np.linalg.qr(self.samples)
        return _frozen(np.linalg.solve(r, q.T))

    @cached_property
    def basis(self) -> Floats:
        """(cells, cells), read-only, orthogonal: the first ``dim`` columns span the samples, the others the rest."""
        q, r = np.linalg.qr(self.samples, mode="complete")
        q *= np.where(np.arange(self.cells) < self.dim, np.sign(np.pad(np.diag(r), (0, self.cells - self.dim))), 1.0)
        if self.degree is None:
            q[:, : self.dim] = self.samples
        return _frozen(q)

    @cached_property
    def change(self) -> Floats:
        """(dim, dim), read-only: coefficients to coordinates in :attr:`basis`, ``samples == basis[:, :dim] @ change``."""
        return _frozen(np.eye(self.dim) if self.degree is None else self.basis[:, : self.dim].T @ self.samples)

    @cached_property
    def _singular(self) -> Floats:
        exact = self.at(self._centres)
        if self.degree is not None:
            exact = exact / np.linalg.norm(exact, axis=0)
        return np.asarray(np.linalg.svd(exact, compute_uv=False), np.float64)

    @cached_property
    def sampling_error(self) -> float:
        """The error of sampling: the spectral norm of the exact values at the cells minus :attr:`samples`; 0 for polynomials.

        For an orthogonal group, an equivariant M and its weight W = M @ analysis, the image x of a function with coefficients c,
        and the image x_g of the same function moved by g::

            |W x_g - rho_Y(g) W x|  <=  2 sampling_error |W|_2 |c|        since W samples rho(g) = rho_Y(g) W samples.
        """
        return float(np.abs(self._singular - 1).max()) if self.degree is None else 0.0

    @cached_property
    def condition(self) -> float:
        """The largest singular value of the exact values at the cells over the smallest; of polynomials, columns scaled to 1."""
        return float(self._singular[0] / self._singular[-1])

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Of the shape of the box: the cells at which some function is not 0. A disc or ball for harmonic functions."""
        if self.degree is not None:
            return np.ones(self.sizes, bool)
        return np.asarray(np.sum(self._centres**2, axis=0) < self._radius**2).reshape(self.sizes)

    def at(self, points: npt.ArrayLike) -> Floats:
        """The values of all f_i at places in cells as units, (directions, points) -> (points, dim).

        They are known at every place, so that an image is moved exactly: its function at g^-1 q. The origin is the middle of the
        box, x runs along the columns, y up, z along the depth, as for :func:`grid`.

        Raises:
            IncompatibleError: another number of coordinates.
        """
        q = np.asarray(points, np.float64)
        if q.ndim != 2 or len(q) != len(self.sizes):
            raise IncompatibleError(f"points: have shape {q.shape}, expected ({len(self.sizes)}, points)")
        if self.degree is not None:
            if self._is_homogeneous:
                return _monomials(np.concatenate([q, np.ones((1, q.shape[1]))]), self.degree)
            return np.concatenate([_monomials(q, k) for k in range(self.degree + 1)], axis=1)
        columns: list[Floats] = []
        for d, profile in enumerate(self._profiles):
            part = self._radial(d, np.sqrt(np.sum(q**2, axis=0))) @ profile
            harmonics = angular(d, q)
            columns.append((part[:, :, None] * harmonics[:, None, :]).reshape(len(part), -1))
        return np.concatenate(columns, axis=1)

    def act(self, matrix: npt.ArrayLike) -> Floats:
        """How a group element moves images of numbers, (cells, cells): samples @ D @ analysis, and the identity on the rest.

        Args:
            matrix: (dim, dim) its matrix in :attr:`scalars`, in orthonormal coordinates: for an element of :func:`sample`
                ``g.act(f.scalars, np.eye(f.dim)).T``.

        Orthogonal where D is, and a representation of the group, which turning images with interpolation is not.
        """
        d = np.asarray(matrix)
        if d.shape != (self.dim, self.dim):
            raise IncompatibleError(f"matrix: has shape {d.shape}, expected {(self.dim, self.dim)}")
        return np.eye(self.cells) + self.samples @ (d - np.eye(self.dim)) @ self.analysis

    # -- what it is ------------------------------------------------------------------------------------------------

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the group, the box, the functions and the representation of the values."""
        content = (FORMAT, self.group.digest, self.sizes, self.band, self.degree, self.values.digest, self.tokens)
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FunctionSpace):
            return NotImplemented
        return self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def explain(self) -> str:
        """The functions by degree, what the cells see of them, and what of the cells they see."""
        box = " x ".join(map(str, self.sizes))
        if self.degree is not None:
            lines = [f"polynomials of degree {self.degree} or less on {box} cells under {self.group}"]
        else:
            kind = "circular harmonics" if len(self.sizes) == 2 else "spherical harmonics"
            lines = [f"{kind} times Bessel functions on {box} cells under {self.group}, up to {self.band:g} pi a cell"]
            many = [f"{d}: {len(waves)}" for d, waves in enumerate(self._waves)]
            lines.append(f"radial profiles by degree: {', '.join(many)}")
        inside = int(self.mask.sum())
        disc = f", {inside} of them within the boundary" if inside < self.cells else ""
        lines.append(
            f"{self.dim} functions on {self.cells} cells{disc}; {self.cells - self.dim} dimensions of images are not reached"
        )
        lines.append(f"error of sampling {self.sampling_error:.2g}, condition {self.condition:.3g}")
        return "\n".join(lines)

    def __str__(self) -> str:
        what = f"degree {self.degree}" if self.degree is not None else f"band {self.band:g}"
        name = f"functions({'x'.join(map(str, self.sizes))}, {what})" + (f" + {self.tokens} tokens" if self.tokens else "")
        return name if self.values == trivial(self.values.group) else f"({self.values})*{name}"

    def __repr__(self) -> str:
        what = f"degree={self.degree}" if self.degree is not None else f"band={self.band!r}"
        tokens = f", tokens={self.tokens}" if self.tokens else ""
        plain = f"functions({self.group!r}, {self.sizes!r}, {what}{tokens})"
        return plain if self.values == trivial(self.group) else f"{plain}.of({self.values!r})"

    # -- parts -----------------------------------------------------------------------------------------------------

    @property
    def _is_homogeneous(self) -> bool:
        return self.group.dim > len(self.sizes)

    @property
    def _centres(self) -> Floats:
        return twice_centres(self.sizes) / 2

    @property
    def _radius(self) -> float:
        return min(self.sizes) / 2

    @cached_property
    def _waves(self) -> tuple[tuple[float, ...], ...]:
        """By degree: the wave numbers, times the radius."""
        return wave_numbers(len(self.sizes), float(cast(float, self.band)) * pi * self._radius)

    def _radial(self, degree: int, radii: Floats) -> Floats:
        return radial(len(self.sizes), degree, self._waves[degree], radii / self._radius)

    @cached_property
    def _profiles(self) -> tuple[Floats, ...]:
        """By degree: combinations of Bessel functions, symmetric, that make the functions orthonormal in the mean over rotations.

        The squares of the harmonics of a degree sum to their number, so that this mean sums products of profiles over cells.
        """
        out: list[Floats] = []
        radii = np.sqrt(np.sum(self._centres**2, axis=0))
        for d in range(len(self._waves)):
            values = self._radial(d, radii)
            gram = values.T @ values
            found, turn = np.linalg.eigh(gram)
            if found[0] <= np.sqrt(np.finfo(np.float64).eps) * found[-1]:
                raise DeclarationError(
                    f"band: {self.band:g} is too much for {' x '.join(map(str, self.sizes))} cells, which do not tell functions "
                    f"of degree {d} apart; take less"
                )
            out.append(turn / np.sqrt(found) @ turn.T)
        return tuple(out)

    def _harmonics(self, degree: int) -> Rep:
        if not degree:
            return trivial(self.group)
        n = len(self.sizes)
        if self.group in (SO(n), O(n)):
            return irrep(self.group, _label(n, degree, self.group == O(n)))
        return irrep(O(n), _label(n, degree, True)).restrict(self.group)


def functions(
    group: Group,
    size: int | Sequence[int],
    *,
    band: float | None = None,
    degree: int | None = None,
    values: Rep | None = None,
    tokens: int = 0,
) -> FunctionSpace:
    """A space of functions on a box of cells on which the group acts exactly, and their samples: inputs for equivariant patches.

    A group that does not send cells to cells (rotations by every angle, scalings, shears, translations) has no action on images:
    interpolated turns are no representation (``rc.grid(G, k, approximate=True)``). But it acts on functions of the place,
    (g f)(q) = f(g^-1 q), and there are spaces of functions of finite dimension that it keeps:

    ============  ==========================================  ===========================================================
    functions     for                                         what they are
    ============  ==========================================  ===========================================================
    ``band=``     groups of orthogonal 2 x 2 or 3 x 3          harmonics of degree m times Bessel functions of the radius, on
                  matrices: SO(2), O(2), C_n, SO(3), ...        the disc or ball in the box; zero outside
    ``degree=``   any group of matrices, also on homogeneous   all polynomials of the coordinates of that degree or less
                  columns: scalings, GL(2), SE(2), affine
    ============  ==========================================  ===========================================================

    The representation is exact, and solved exactly: strict maps of SO(2) to invariants see the functions of frequency 0, one for
    each radial profile. What is approximate is how cells see the functions: harmonic ones have an error of sampling that is
    stated, :attr:`FunctionSpace.sampling_error`, and polynomials none. On 16 x 16 cells, with the band at 0.5, 0.7,
    0.8, 0.9, it is 0.002, 0.008, 0.02, 0.04 for 34, 67, 92, 117 functions; it depends little on the size.

    The weight of a patch embedding is W = M @ analysis + remainder, M a map of coefficients, and the remainder what no
    function sees: detail beyond the band, and corners outside of the disc. See :class:`FunctionMaps`; ``rc.soften`` and
    ``rc.plan`` take such maps, and so do the rules of both backends.

    Args:
        group: acts on places by its own matrices, on homogeneous columns (q, 1) where it translates.
        size: cells in every direction, or the sizes in array order, as for :func:`grid`.
        band: the highest wave number, as a share of pi a cell, which is one period in two cells. By default 0.8, for groups of
            orthogonal matrices.
        degree: the highest degree. By default a quarter of the smallest size, for all other groups.
        values: the representation in which the functions have their values; one trivial by default. ``3 * functions(G, 16)`` has
            three channels.
        tokens: how many numbers stand before the cells that no element moves. ``functions(G, 14, tokens=1) >> Y`` is for a table
            of position embeddings whose first row belongs to a class token.

    Raises:
        DeclarationError: a size, band, degree or number of tokens out of range, or both a band and a degree.
        RepresentationError: ``band`` for a group of other matrices; complex matrices.
        IncompatibleError: ``values`` of another group.

    Cost: a singular value decomposition of a (cells, dim) array.

    >>> import numpy as np, repcore as rc
    >>> G = rc.SO(2)
    >>> f = rc.functions(G, 16)
    >>> print(rc.functions(G, 8).explain())
    circular harmonics times Bessel functions on 8 x 8 cells under SO(2), up to 0.8 pi a cell
    radial profiles by degree: 0: 3, 1: 2, 2: 2, 3: 2, 4: 1, 5: 1, 6: 1
    21 functions on 64 cells, 52 of them within the boundary; 43 dimensions of images are not reached
    error of sampling 0.028, condition 1.05
    >>> maps = 3 * f >> 768 * rc.trivial(G)            # a patch embedding of a ViT
    >>> maps.shape, rc.solve(maps.coefficients).dim, rc.solve(maps.coefficients).certificate.status
    ((768, 768), 13824, 'proved')
    >>> rc.functions(rc.affine(2), 16, degree=3).dim
    10
    """
    if not isinstance(group, Group):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RepresentationError(f"group: expected a group, got {type(group).__name__}")
    images, many = group.rep.matrices, len(group.discrete)
    if any(not m.field.is_real for m in images):
        raise RepresentationError(f"group: {group} is complex, and space is real")
    if band is not None and degree is not None:
        raise DeclarationError("band, degree: give one of them; band for harmonic functions, degree for polynomials")
    directions, _ = directions_of(images, many)
    sizes = box_of(size, directions, "size")
    orthogonal = directions in (2, 3) and directions == group.dim and _is_orthogonal(group)
    if band is not None and not orthogonal:
        raise RepresentationError(
            f"band: harmonic functions are for groups of orthogonal matrices in two or three dimensions, and {group} is none; "
            "give degree= for polynomials"
        )
    if band is None and degree is None:
        band, degree = (_BAND, None) if orthogonal else (None, max(min(sizes) // 4, 1))
    if degree is not None:
        given = cast(Any, degree)
        if not isinstance(given, int | np.integer) or isinstance(given, bool) or not 0 <= degree < min(sizes):
            raise DeclarationError(
                f"degree: expected an integer from 0 to {min(sizes) - 1}, below the smallest size, from which on cells do not "
                f"tell polynomials apart; got {degree!r}"
            )
        degree = int(degree)
    if band is not None:
        if not isinstance(cast(Any, band), int | float | np.number) or isinstance(band, bool) or not 0 < band <= 1:
            raise DeclarationError(f"band: expected a share of pi a cell, above 0 and at most 1, got {band!r}")
        band = float(band)
        if not wave_numbers(directions, band * pi * min(sizes) / 2):
            raise DeclarationError(f"band: {band:g} leaves no function on {' x '.join(map(str, sizes))} cells; take more")
    if not isinstance(cast(Any, tokens), int | np.integer) or isinstance(tokens, bool) or tokens < 0:
        raise DeclarationError(f"tokens: expected an integer >= 0, got {tokens!r}")
    plain = FunctionSpace(group, sizes, band, degree, trivial(group), int(tokens))
    return plain if values is None else plain.of(values)


def _is_orthogonal(group: Group) -> bool:
    return all((g.T @ g).is_identity for g in group.discrete) and all((a + a.T).is_zero for a in group.lie)


def _monomials(q: Floats, degree: int) -> Floats:
    """The monomials of a degree at places (coordinates, points), (points, number), in the order of ``V.sym(degree)``."""
    if not degree:
        return np.ones((q.shape[1], 1))
    return np.prod(q[index_tuples(len(q), degree, signed=False)], axis=1).T


def _label(n: int, degree: int, parity: bool) -> str:
    return f"{degree}{'eo'[degree % 2]}" if n == 3 and parity else str(degree)


def _frozen(array: Floats) -> Floats:
    array.flags.writeable = False
    return array
