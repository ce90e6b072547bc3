"""`Explanation`: the route that a space takes through the solver, as a table."""

from __future__ import annotations

from dataclasses import dataclass

from repcore.exact.grammar import shorten
from repcore.plan import Choice, choose
from repcore.reps.atoms import atoms
from repcore.reps.hom import Hom
from repcore.solve.certificate import Step
from repcore.solve.chain import reduce_block
from repcore.solve.reduced import Reduced

__all__ = ["BlockExplanation", "Explanation", "explain_space"]


@dataclass(frozen=True)
class BlockExplanation:
    """One pair of distinct summands.

    Attributes:
        pair: the summands, ``"V >> W"``.
        copies: (of W in Y, of V in X).
        unknowns: dim W * dim V.
        steps: the reductions that need no elimination.
        left: the unknowns that they leave.
        route: ``"free"``, ``"weights"``, ``"orbits"`` or ``"elimination"``.
        why: the route in words.
    """

    pair: str
    copies: tuple[int, int]
    unknowns: int
    steps: tuple[Step, ...]
    left: int
    route: str
    why: str


@dataclass(frozen=True)
class Explanation:
    """How a space will be solved; ``print`` it, or read the fields.

    Attributes:
        title: the space, its group and its size.
        blocks: one for each pair of distinct summands; the sizes are after each reduction.
        cached: the file that holds the answer already, or None.
        dim: the dimension, where it is known without solving: in the file.
        plan: the structure that ``rc.plan`` will take, and why.
    """

    title: str
    blocks: tuple[BlockExplanation, ...]
    cached: str | None = None
    dim: int | None = None
    plan: Choice | None = None

    def __str__(self) -> str:
        unknowns = sum(b.unknowns for b in self.blocks)
        pairs = f"{len(self.blocks)} pair{'s' * (len(self.blocks) != 1)}"
        lines = [self.title, f"split: {pairs} of distinct summands, {unknowns} unknowns"]
        if self.plan is not None:
            lines.append(f"plan: {self.plan}")
        rows = [row for b in self.blocks for row in _rows(b)]
        if rows:
            lines += ["", *_columns([("pair", "copies", "step", "unknowns", "remark"), *rows]), ""]
        lines += [f"{b.pair}: {b.why}" for b in self.blocks]
        if self.cached is not None:
            lines += ["", f"cached: the basis, of dimension {self.dim}, will be read from {self.cached}"]
        return "\n".join(lines)


def explain_space(space: Hom, cached: str | None = None, dim: int | None = None) -> Explanation:
    """The explanation of a space; carries out the reductions that need no elimination, and no other."""
    rows, cols = space.shape
    title = f"{space} over {shorten(str(space.group))}: maps of shape {rows} x {cols}, {rows * cols} unknowns"
    blocks: list[BlockExplanation] = []
    for w in atoms(space.codomain):
        for v in atoms(space.domain):
            reduced = reduce_block(v.rep, w.rep)
            route, why = _route(reduced)
            copies = (len(w.positions), len(v.positions))
            unknowns = w.rep.dim * v.rep.dim
            left = reduced.orbits.count
            blocks.append(BlockExplanation(f"{v.rep} >> {w.rep}", copies, unknowns, reduced.steps, left, route, why))
    return Explanation(title, tuple(blocks), cached, dim, choose(space))


def _route(reduced: Reduced) -> tuple[str, str]:
    count, rest = reduced.orbits.count, len(reduced.rest)
    framed = "in a basis of weight vectors, " if reduced.frame is not None else ""
    if not reduced.pairs and not reduced.diagonal and not rest:
        return "free", f"no generator moves anything, every map is equivariant: the dimension is {count}"
    how = "orbits" if reduced.pairs else "weights"
    if not count:
        carrier = "orbit carries a map" if reduced.pairs else "weight of one side is one of the other"
        return how, f"{framed}solved by {how}: no {carrier}, the dimension is 0"
    if not rest and not framed:
        kinds = ["permutes the basis up to phases"] * bool(reduced.pairs) + ["is diagonal"] * bool(reduced.diagonal)
        return how, f"solved by {how}: every generator {' or '.join(kinds)}, the dimension is {count}"
    subjects = [_counted(len(reduced.diagonal), "diagonal generator")] if reduced.diagonal else []
    subjects += [f"{_counted(len(reduced.pairs), 'monomial element')} of the group"] if reduced.pairs else []
    verb = "leaves" if len(reduced.diagonal) + len(reduced.pairs) == 1 else "leave"
    unknowns = _counted(count, "unknown")
    left = f"{' and '.join(subjects)} {verb} {unknowns}" if subjects else f"{_NONE}, which leaves {unknowns}"
    under = f" under {_counted(rest, 'more generator')}" if rest else ""
    eliminated = "a nullspace modulo primes, taken back" if framed else "a nullspace or spin modulo primes"
    return "elimination", f"{framed}{left}{under}: presolve, then {eliminated}, lifted and checked exactly"


_NONE = "no generator permutes the basis up to phases"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _rows(b: BlockExplanation) -> list[tuple[str, str, str, str, str]]:
    copies = f"{b.copies[0]} x {b.copies[1]}"
    steps = [(s.name, f"{s.before} -> {s.after}", s.remark) for s in b.steps]
    if b.route == "elimination":
        steps.append(("presolve, nullspace or spin", f"{b.left} -> ?", "when it is solved"))
    steps = steps or [("none", str(b.unknowns), "")]
    return [(b.pair if i == 0 else "", copies if i == 0 else "", *step) for i, step in enumerate(steps)]


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
