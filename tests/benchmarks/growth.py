"""How the cost of solving grows: one log-log plot of time over unknowns, a line for each class of groups; run with ``--help``.

The exponent of a class is fitted by least squares to its large end: the points that take at least four times as long as its
smallest space, and never fewer than two. Each time is the least of several runs in one process, nothing cached, after one small
solve of another group.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import repcore as rc

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Family:
    """A class of groups: spaces of growing size, made when their turn comes; no further one after ``stop`` seconds."""

    name: str
    spaces: Callable[[], Iterator[rc.Hom]]
    stop: float = 3.0

    @property
    def plain(self) -> str:
        """The name without the marks of its formulas."""
        return (
            self.name.replace("$", "")
            .replace("\\to", "->")
            .replace("\\", "")
            .replace("{", "")
            .replace("}", "")
            .replace("  ", " ")
        )


def _powers(group: rc.Group, ks: range) -> Iterator[rc.Hom]:
    V = group.rep
    return (V**k >> V**k for k in ks)


def _weyl() -> rc.Group:
    cartan = [[2, -1, 0, 0], [-1, 2, -1, 0], [0, -1, 2, -1], [0, 0, -1, 2]]
    reflections = []
    for i, row in enumerate(cartan):
        table = [[int(a == b) for b in range(4)] for a in range(4)]
        table[i] = [t - a for t, a in zip(table[i], row, strict=True)]
        reflections.append(table)
    return rc.Group(reflections)


FAMILIES = [
    Family("$SO(3)$:  $V^k \\to V^k$", lambda: _powers(rc.SO(3), range(2, 6)), stop=1),
    Family("Lorentz:  $V^k \\to V^k$", lambda: _powers(rc.lorentz(), range(1, 6))),
    Family("$SU(3)$:  $V^k \\to V^k$", lambda: _powers(rc.SU(3), range(1, 6))),
    Family(
        "$S_n$:  $V^2 \\to V^2$",
        lambda: (rc.symmetric(n).rep ** 2 >> rc.symmetric(n).rep ** 2 for n in (5, 7, 10, 14, 20, 28, 40)),
    ),
    Family("$S_n$:  regular to regular", lambda: (rc.regular(g) >> rc.regular(g) for g in map(rc.symmetric, (3, 4, 5, 6)))),
    Family("$D_{12}$ over $Q(\\sqrt{3})$:  $V^k \\to V^k$", lambda: _powers(rc.dihedral(12), range(1, 7))),
    Family("Weyl group $A_4$, dense:  $V^k \\to V^k$", lambda: _powers(_weyl(), range(1, 5)), stop=2),
]

DEGREES = (5, 7, 9, 11, 13, 17, 19, 23, 29, 31, 37, 41)
"""D_n for growing n: the space V^2 → V^2 stays, the field Q(cos 2π/n, sin 2π/n) grows."""


def timed(space: rc.Hom, repeat: int) -> float:
    """The least CPU time of several solves; a new space each, as a representation remembers its matrices."""
    best = math.inf
    for _ in range(repeat):
        start = time.process_time()
        rc.solve(space, store=None)
        best = min(best, time.process_time() - start)
        if best > 0.5:
            break
    return best


def measured(family: Family, repeat: int) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = []
    for space in family.spaces():
        try:
            took = timed(space, repeat)
        except rc.MemoryLimitError:
            break  # the end of what this class can do here
        points.append({"space": str(space), "unknowns": space.shape[0] * space.shape[1], "seconds": took})
        if took > family.stop:
            break
    return points


def exponent(points: list[dict[str, Any]], x: str = "unknowns") -> float:
    """The slope of log(seconds) over log(x) at the large end, by least squares."""
    used = [p for p in points if p["seconds"] >= 4 * points[0]["seconds"]]
    if len(used) < 2:
        used = points[-2:]
    xs, ys = [math.log(p[x]) for p in used], [math.log(p["seconds"]) for p in used]
    mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - mx) * (b - my) for a, b in zip(xs, ys, strict=True)) / sum((a - mx) ** 2 for a in xs)


def draw(families: dict[str, list[dict[str, Any]]], degrees: list[dict[str, Any]], path: Path, note: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), width_ratios=[3, 1.25], layout="constrained")
    markers = "osD^vPX"
    dashes = ["-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1))]
    # Dark to middle grey with a colour: told apart by marker and dash when printed in black and white.
    colours = ["#000000", "#1b4f8a", "#8c2d04", "#4d4d4d", "#2a6f2a", "#6a3d9a", "#a50f3c"]
    for (name, points), marker, dash, colour in zip(families.items(), markers, dashes, colours, strict=True):
        label = f"{name},  exponent {exponent(points):.1f}"
        x, y = [p["unknowns"] for p in points], [p["seconds"] for p in points]
        left.loglog(x, y, marker=marker, linestyle=dash, color=colour, markersize=5, linewidth=1.3, label=label)
    left.set(xlabel=r"unknowns, $\dim X \cdot \dim Y$", ylabel="CPU seconds, one thread, nothing cached")
    left.set_title("Over the size of the space", loc="left")
    left.legend(frameon=False, fontsize=8, loc="upper left")
    left.set_ylim(top=left.get_ylim()[1] * 30)  # room for the legend
    left.grid(which="major", color="0.88", linewidth=0.6)
    x, y = [p["degree"] for p in degrees], [p["seconds"] for p in degrees]
    right.loglog(x, y, "ko", markersize=5)
    slope = exponent(degrees, "degree")
    right.set(xlabel="degree of the field over $Q$", ylabel="CPU seconds")
    right.set_title(f"$D_n$:  $V^2 \\to V^2$, 16 unknowns\nexponent {slope:.1f}", loc="left")
    right.grid(which="major", color="0.88", linewidth=0.6)
    ticks = [2, 4, 8, 16, 32]
    right.set_xticks(ticks, [str(t) for t in ticks])
    right.minorticks_off()
    figure.supxlabel(note, fontsize=7, color="0.35", x=0.01, ha="left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeat", type=int, default=3, help="runs of each space, of which the fastest counts")
    parser.add_argument("--picture", type=Path, default=ROOT / "build" / "bench" / "growth.png")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench" / "growth.json")
    options = parser.parse_args()
    V = rc.SO(4).rep
    rc.solve(V**2 >> V**2, store=None)
    families: dict[str, list[dict[str, Any]]] = {}
    for family in FAMILIES:
        families[family.name] = measured(family, options.repeat)
        for p in families[family.name]:
            print(f"{family.plain:40s} {p['unknowns']:>9,} unknowns {p['seconds']:9.4f} s", flush=True)
        print(f"{family.plain:40s} exponent {exponent(families[family.name]):.2f}", flush=True)
    degrees: list[dict[str, Any]] = []
    for n in DEGREES:
        V = rc.dihedral(n).rep
        took = timed(V**2 >> V**2, options.repeat)
        degree = rc.solve(V >> V, store=None).field.degree
        degrees.append({"n": n, "degree": degree, "seconds": took})
        print(f"D_{n:<38d} {degree:>9} degree   {took:9.4f} s", flush=True)
        if took > 8:
            break
    print(f"{'D_n over the degree':40s} exponent {exponent(degrees, 'degree'):.2f}", flush=True)
    note = f"{datetime.date.today().isoformat()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"
    draw(families, degrees, options.picture, note)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"note": note, "families": families, "degrees": degrees}, indent=1))
    print(f"written: {options.picture}, {options.json}")


if __name__ == "__main__":
    main()
