"""Relations of a group, found by multiplying generators until a product repeats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repcore import Group, Matrix, Rep
from repcore.testing.element import Element
from repcore.testing.exact import Span, eye, inverse

__all__ = ["LIMIT", "Arrow", "algebra", "arrows", "combination", "conjugate", "is_finite"]

# Elements that are visited; a finite group up to this order is visited whole.
LIMIT = 200


@dataclass(frozen=True)
class Arrow:
    """An arrow h -> h s of the Cayley graph of the discrete generators s.

    Attributes:
        known: the word by which its end was reached first; ``found`` itself if that is now.
        found: the word h s.
        before: rho(known) for each of the representations, each with its first matrix that was seen.
        after: rho(h) rho(s).
    """

    known: Element
    found: Element
    before: tuple[Matrix, ...]
    after: tuple[Matrix, ...]

    @property
    def is_new(self) -> bool:
        """Whether this arrow reaches its end for the first time."""
        return self.known is self.found


def arrows(group: Group, reps: Sequence[Rep], limit: int = LIMIT) -> Iterator[Arrow]:
    """The arrows of the Cayley graph, breadth first from the identity, whose own arrow comes first.

    An arrow that is not new is a relation: the words ``known`` and ``found`` are equal in the group. All relations of a finite
    group of at most ``limit`` elements follow from those listed. Cost: elements x generators x products of matrices.
    """
    one = Element(group)
    start = tuple(eye(v.dim) for v in reps)
    yield Arrow(one, one, start, start)
    seen: dict[Matrix, tuple[Element, tuple[Matrix, ...]]] = {eye(group.dim): (one, start)}
    queue = [eye(group.dim)]
    while queue:
        place = queue.pop(0)
        word, images = seen[place]
        for i, s in enumerate(group.discrete):
            end = (place @ s).reduced()
            found = word @ Element(group, [(i, 1)])
            after = tuple((m @ v.matrix(i)).reduced() for m, v in zip(images, reps, strict=True))
            if end in seen:
                known, before = seen[end]
                yield Arrow(known, found, before, after)
            elif len(seen) < limit:
                seen[end] = (found, after)
                queue.append(end)
                yield Arrow(found, found, after, after)


def is_finite(group: Group, limit: int = LIMIT) -> int | None:
    """The number of elements if it is at most ``limit``; None for more, and for a group with a Lie part."""
    if any(not a.is_zero for a in group.lie):
        return None
    count = sum(arrow.is_new for arrow in arrows(group, (), limit + 1))
    return count if count <= limit else None


def algebra(group: Group, images: Sequence[Matrix]) -> tuple[Span[Matrix], tuple[Matrix, Matrix, Matrix] | None]:
    """The Lie algebra that ``group.lie`` generates, each spanning matrix with its image, and the first contradiction.

    Brackets of spanning matrices are added, with the brackets of their images, until none is new. A contradiction is (a, the
    image that a has as a combination of the spanning matrices, the image that it should have).
    """
    span: Span[Matrix] = Span()
    queue = list(zip(group.lie, images, strict=True))
    while queue:
        a, image = queue.pop(0)
        if span.add(a, image):
            for b, other in span.vectors[:-1]:
                queue.append((a @ b - b @ a, image @ other - other @ image))
            continue
        combined = combination(span, a, image)
        if combined is not None and combined != image:
            return span, (a, combined, image)
    return span, None


def combination(span: Span[Matrix], a: Matrix, like: Matrix) -> Matrix | None:
    """The image of ``a`` as a combination of the spanning matrices; None if it is none."""
    weights = span.coordinates(a)
    if weights is None:
        return None
    out = like - like
    for w, (_, image) in zip(weights, span.vectors, strict=True):
        out = out + image * w
    return out.reduced()


def conjugate(g: Matrix, a: Matrix) -> Matrix | None:
    """g a g^-1; None if g is singular."""
    back = inverse(g)
    return None if back is None else (g @ a @ back).reduced()
