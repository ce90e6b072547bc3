"""`Window`: where the windows of a convolution or a pooling lie on an image, and whether the group takes them to one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, gcd, prod
from typing import Any

import repcore as rc
from repcore_torch.flow import refuse

__all__ = ["Window", "check_window", "each"]


@dataclass(frozen=True)
class Window:
    """Sizes along each axis, in array order."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[int, ...]

    @property
    def overlap(self) -> int:
        """The number of windows that a cell lies in, at most: along an axis, of cells d q that are equal modulo s."""
        rows = zip(self.size, self.stride, self.dilation, strict=True)
        return prod(ceil(k * gcd(s, d) / s) for k, s, d in rows)

    @property
    def spans(self) -> tuple[int, ...]:
        """How many cells a window reaches over."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.size, self.dilation, strict=True))


def each(value: Any, directions: int) -> tuple[Any, ...]:
    """One value for each axis."""
    found = tuple(value) if isinstance(value, tuple | list) else (value,)
    return found * directions if len(found) == 1 else found


def check_window(
    window: Window, box: Sequence[int] | None, spatial: rc.Rep | None, where: str, *, transposed: bool = False
) -> None:
    """Refuse windows that some group element takes to places where there are none.

    Axes that the group takes to one another want equal strides, dilations and paddings. Where it reverses an axis, the windows
    must reach both ends of the padded axis alike: (cells + 2 padding - span) a multiple of the stride.

    Args:
        window: the sizes.
        box: of the image; None where it is not known.
        spatial: how the group moves the axes; None for any way.
        where: names the place, for errors.
        transposed: of a transposed convolution the windows are places of the output, and reach both ends always.

    Raises:
        IncompatibleError: they are taken elsewhere, or that is not known.
    """
    if box is not None and len(box) != len(window.size):
        raise refuse(where, f"windows of {len(window.size)} axes on images of {len(box)}: torch takes other axes for the cells")
    groups, reversed_axes = _moved(spatial, len(window.size))
    for name in ("stride", "dilation", "padding"):
        values = getattr(window, name)
        if any(len({values[a] for a in axes}) > 1 for axes in groups):
            raise refuse(where, f"{name} {values} differs between axes that the group exchanges; make them equal")
    for axis in () if transposed else sorted(reversed_axes):
        stride = window.stride[axis]
        if stride == 1:
            continue
        if box is None:
            raise refuse(where, f"whether stride {stride} meets both ends depends on the size; give shape=, or data")
        over = (box[axis] + 2 * window.padding[axis] - window.spans[axis]) % stride
        if over:
            raise refuse(
                where,
                f"{box[axis]} cells, a window of {window.spans[axis]}, stride {stride} and padding {window.padding[axis]} leave "
                f"{over} over at one side, so that moved inputs are sampled elsewhere and the layer is far from equivariant; "
                f"make the side a multiple of {stride} plus {(window.spans[axis] - 2 * window.padding[axis]) % stride}",
            )


def _moved(spatial: rc.Rep | None, directions: int) -> tuple[list[list[int]], set[int]]:
    """Axes that the group exchanges, and those that it reverses; in array order. Elements that leave the grid play no part."""
    everything = list(range(directions))
    if spatial is None or spatial.dim != directions:
        return [everything], set(everything)
    count = len(spatial.group.discrete)
    images = spatial.matrices
    if not all(map(_is_signed, images[:count])) or any(not a.is_zero for a in images[count:]):
        return [everything], set(everything)  # some of its elements are signed permutations: any, to be safe
    links: list[set[int]] = [{a} for a in everything]
    flips: set[int] = set()
    for m in images[:count]:
        for row, column, value in m.entries():
            a, b = directions - 1 - row, directions - 1 - column  # coordinate 0 runs along the last axis
            links[a] |= {b}
            links[b] |= {a}
            if str(value) == "-1":
                flips |= {a, b}
    groups: list[list[int]] = []
    for a in everything:
        if not any(a in g for g in groups):
            reached, edge = {a}, [a]
            while edge:
                new = links[edge.pop()] - reached
                reached |= new
                edge += new
            groups.append(sorted(reached))
    # What is exchanged with a reversed axis is reversed by some product.
    return groups, {a for g in groups if set(g) & flips for a in g}


def _is_signed(m: Any) -> bool:
    return m.is_monomial and all(str(value) in ("1", "-1") for _, _, value in m.entries())
