"""The table of figures to reach, repcore beside EMLP 1.0.3, measured in one run; run with ``--help``.

EMLP gets an environment of its own, made by pip on the first run. Every case of the table is solved in a fresh process on each
side, one thread each, with nothing in any cache; imports and the declaration of the group are timed apart. EMLP gets its
compiled time as well: the same call again, with its cache of solutions emptied. Times are CPU seconds of the one thread, which
are the seconds of an idle machine; whether a figure is reached is told by the clock first. Where EMLP has no such group it is
given our matrices in floating point.

Then EMLP's own tests: for each of its groups one process a side solves the same instances in the same order.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import cases
import emlp_tests
from process import EMLP, REPCORE, answers

ROOT = Path(__file__).resolve().parents[3]

# EMLP declares neither six nor versions; these import on Python 3.11 and were measured with.
PINS = [
    "emlp==1.0.3",
    "six==1.17.0",
    "jax==0.10.2",
    "jaxlib==0.10.2",
    "numpy==2.4.6",
    "objax==1.8.0",
    "optax==0.2.8",
    "plum-dispatch==2.10.1",
    "scikit-learn==1.9.1",
    "scipy==1.17.1",
]

Answer = dict[str, Any]


def emlp_python(place: Path) -> str | None:
    """The interpreter of EMLP's environment, made if it is missing; None where it cannot be made."""
    python = place / "bin" / "python"
    stamp = place / "stamp"
    wanted = "\n".join(PINS)
    if stamp.exists() and stamp.read_text() == wanted:
        return str(python)
    print(f"making EMLP's environment in {place} ...", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=False)
    if made.returncode == 0:
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PINS]
        made = subprocess.run(install, check=False)
    if made.returncode:
        print("EMLP cannot be installed here: only repcore's column follows", flush=True)
        return None
    stamp.write_text(wanted)
    return str(python)


def _emlp_group(case: cases.Case) -> Any:
    if case.emlp is not None:
        return case.emlp
    group = case.group()
    if group.is_permutation:
        return {"name": case.name, "permutations": [g.cols.tolist() for g in group.discrete]}

    def tables(matrices: Any) -> list[Any]:
        dense = [m.to_numpy() for m in matrices]
        return [[m.real.tolist(), m.imag.tolist()] for m in dense]

    return {"name": case.name, "discrete": tables(group.discrete), "lie": tables(group.lie)}


def run_case(case: cases.Case, python: str | None, options: argparse.Namespace) -> dict[str, Any]:
    job = {"case": case.name, "again_below": 2.0}
    ours = _merged(answers(sys.executable, REPCORE, job, limit=options.our_limit, memory_mb=options.memory_mb))
    theirs: Answer = {"failed": "not installed"}
    if python is not None:
        # Twice a call that takes this long: compilation is no longer what it takes.
        job = {
            "group": _emlp_group(case),
            "spaces": [{"x": case.x, "y": case.y}],
            "again_below": min(10.0, options.limit / 2),
        }
        theirs = _merged(answers(python, EMLP, job, limit=options.limit, memory_mb=options.memory_mb))
    return {
        "case": case.name,
        "dim": case.dim,
        "target": case.target,
        "repcore": ours,
        "emlp": theirs,
        "load": os.getloadavg()[0],
    }


def _merged(lines: Any) -> Answer:
    out: Answer = {}
    for line in lines:
        out.update(line)
    return out


def run_tests(python: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """EMLP's own test instances, ``options.per_group`` a group, evenly spread over those up to ``options.size`` unknowns."""
    rows: list[dict[str, Any]] = []
    jobs: list[tuple[Any, list[dict[str, Any]]]] = [(spec, []) for spec in emlp_tests.NAMED]
    for spec, x, y in emlp_tests.MAPS:
        jobs.append((spec, [{"name": "maps", "x": x, "y": y}]))
    for order in ([("SO", 3), ("S", 5)], [("S", 5), ("SO", 3)]):
        jobs.append((order, [{"name": f"product group {i + 1}", "x": x, "y": y} for i, (x, y) in enumerate(emlp_tests.PRODUCTS)]))
    for spec, spaces in jobs[:: options.every]:
        rows += _run_group(spec, spaces, python, options)
    return rows


def _run_group(spec: Any, spaces: list[dict[str, Any]], python: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    factors = spec if isinstance(spec, list) else None
    ours: Any = spec
    if not spaces:
        about_job = {"group": spec, "spaces": [], "again_below": 0.0, "show": spec[0] in emlp_tests.SHOWN}
        about = next(answers(python, EMLP, about_job, limit=options.test_limit, memory_mb=options.memory_mb))
        if "failed" in about:
            return [{"group": list(spec), "instance": "declare", "repcore": {}, "emlp": about}]
        if "permutations" in about:
            ours = {"permutations": about["permutations"]}
            count = len(about["permutations"])
        else:
            group = emlp_tests.declared(spec)
            count = len(group.discrete) + len(group.lie)
        spaces = sampled(emlp_tests.instances(about["d"], count, about["orthogonal"]), options)
    job: dict[str, Any] = {"group": ours, "spaces": spaces, "again_below": 2.0}
    if factors:
        job["factors"] = factors
    us = list(answers(sys.executable, REPCORE, job, limit=options.our_limit, memory_mb=options.memory_mb))[1:]
    them: list[Answer] = []
    # A space that EMLP does not finish ends its process; the rest goes on in a fresh one.
    while len(them) < len(spaces):
        rest = {**job, "group": spec, "spaces": spaces[len(them) :]}
        found = list(answers(python, EMLP, rest, limit=options.test_limit, memory_mb=options.memory_mb))
        them += found[1:] or found
    rows: list[dict[str, Any]] = []
    for i, space in enumerate(spaces):
        row = {"group": spec, "instance": space["name"], "repcore": us[i] if i < len(us) else us[-1], "emlp": them[i]}
        if "dim" in row["emlp"] and row["emlp"]["dim"] != row["repcore"].get("dim"):
            check = {**job, "spaces": [space], "verify": True}
            row["verified"] = _merged(answers(sys.executable, REPCORE, check, limit=300, memory_mb=options.memory_mb)).get(
                "verified"
            )
        rows.append(row)
    name = " x ".join("".join(map(str, s)) for s in (factors or [spec]))
    finished = sum("dim" in row["emlp"] for row in rows)
    print(f"  {name:16s} {len(rows)} instances, EMLP finishes {finished}", flush=True)
    return rows


def sampled(spaces: list[dict[str, Any]], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Evenly spaced over what is small enough, the first and the last included; the sum and the product always."""
    small = [s for s in spaces if s["size"] <= options.size]
    tensors = [s for s in small if s["name"].startswith("T(")]
    others = [s for s in small if not s["name"].startswith("T(")]
    k = min(options.per_group, len(tensors))
    chosen = [tensors[i * (len(tensors) - 1) // max(1, k - 1)] for i in range(k)]
    return chosen + others


# -- printing ------------------------------------------------------------------------------------------------------


def seconds(x: float | None) -> str:
    return "" if x is None else f"{x:.3f}" if x < 1 else f"{x:.1f}"


def table(rows: list[dict[str, Any]]) -> str:
    head = ["case", "unknowns", "dim", "EMLP", "EMLP compiled", "repcore", "repcore, clock", "ratio", "to reach", "reached"]
    lines = [head]
    for row in rows:
        ours, theirs = row["repcore"], row["emlp"]
        first = ours.get("first")
        right = "" if theirs.get("dim") in (None, row["dim"]) else f" (dim {theirs['dim']}: wrong)"
        proved = ours.get("dim") == row["dim"] and ours.get("certificate") == "proved"
        wall = ours.get("wall")
        if first is None or wall is None or not proved:
            verdict = f"NO: {ours.get('failed', 'wrong or not proved')}"
        elif wall <= row["target"]:
            verdict = "yes"
        else:
            verdict = "by CPU time" if first <= row["target"] else "NO"
        lines.append(
            [
                row["case"],
                f"{ours.get('unknowns', 0):,}",
                str(ours.get("dim", "")),
                seconds(theirs["first"]) + right if "first" in theirs else failure(theirs.get("failed", "")),
                seconds(theirs.get("again")),
                seconds(first),
                seconds(wall),
                f"{theirs['first'] / first:,.0f}" if first and "first" in theirs else "",
                seconds(row["target"]),
                verdict,
            ]
        )
    return markdown(lines)


def failure(text: str) -> str:
    """Why EMLP gives no answer, short enough for a cell."""
    return "out of memory" if "out of memory" in text.lower() else text[:60].replace("|", "/")


def markdown(lines: list[list[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    numeric = [0 < i < len(widths) - 1 and i != 3 for i in range(len(widths))]

    def written(line: list[str]) -> str:
        cells = (c.rjust(w) if n else c.ljust(w) for c, w, n in zip(line, widths, numeric, strict=True))
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join(("-" * (w + 1) + ":") if n else "-" * (w + 2) for w, n in zip(widths, numeric, strict=True)) + "|"
    return "\n".join([written(lines[0]), rule, *map(written, lines[1:])])


def summary(rows: list[dict[str, Any]]) -> str:
    finished = [r for r in rows if "dim" in r["emlp"] and "dim" in r["repcore"]]
    if not finished:
        return "EMLP finished none of its test instances."

    def median(time: str) -> float:
        pairs = [(r["emlp"], r["repcore"]) for r in finished]
        return statistics.median(theirs[time] / ours[time] for theirs, ours in pairs if time in theirs and time in ours)

    out = [
        f"EMLP's own tests: {len(rows)} instances sampled, EMLP finishes {len(finished)}, repcore "
        f"{sum('dim' in r['repcore'] for r in rows)} (all certified: "
        f"{'yes' if all(r['repcore'].get('certificate') == 'proved' for r in rows) else 'NO'}).",
        f"Median of EMLP's time over repcore's: {median('first'):.0f} for the first call of each instance, "
        f"{median('again'):.2f} once EMLP has compiled it (each side's second call, nothing cached).",
        f"EMLP is the faster one in {sum(r['emlp']['first'] < r['repcore']['first'] for r in finished)} first calls and in "
        f"{sum(r['emlp'].get('again', 1e9) < r['repcore'].get('again', 0) for r in finished)} second calls.",
    ]
    wrong = [r for r in finished if r["emlp"]["dim"] != r["repcore"]["dim"]]
    out.append(f"Dimensions disagree in {len(wrong)}:" if wrong else "All dimensions agree.")
    for r in wrong:
        verdict = "; ".join(r.get("verified") or ["not verified"])
        out.append(f"- {_label(r)}: EMLP {r['emlp']['dim']}, repcore {r['repcore']['dim']}; {verdict}")
    failed = [r for r in rows if "dim" not in r["emlp"]]
    if failed:
        out.append("EMLP does not finish:")
        out += [f"- {_label(r)}: {r['emlp'].get('failed')}" for r in failed]
    return "\n".join(out)


def _label(row: dict[str, Any]) -> str:
    group = row["group"] if isinstance(row["group"][0], list | tuple) else [row["group"]]
    return " x ".join(f"{g[0]}({','.join(map(str, g[1:]))})" for g in group) + f" {row['instance']}"


def machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--limit", type=float, default=120, help="seconds that EMLP gets for a case of the table")
    parser.add_argument("--our-limit", type=float, default=300, help="seconds that repcore gets")
    parser.add_argument("--test-limit", type=float, default=20, help="seconds that EMLP gets for an instance of its tests")
    parser.add_argument("--per-group", type=int, default=5, help="instances T(p, q) of each of EMLP's test groups")
    parser.add_argument("--size", type=int, default=1300, help="largest number of unknowns of such an instance")
    parser.add_argument("--every", type=int, default=1, help="take only every n-th of EMLP's test groups")
    parser.add_argument("--memory-mb", type=float, default=8192, help="memory that a process may take")
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    parser.add_argument("--part", choices=["all", "table", "tests"], default="all", help="the table, EMLP's own tests, or both")
    parser.add_argument("--no-emlp", action="store_true", help="repcore's column alone")
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv-emlp", help="where EMLP is installed")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench", help="where the table and its JSON go")
    parser.add_argument("--page", type=Path, help="a further file for the table, to be included by a page")
    options = parser.parse_args()
    python = None if options.no_emlp else emlp_python(options.environment)
    about = {
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "load at start": os.getloadavg(),
        "limits": {"emlp": options.limit, "emlp tests": options.test_limit, "memory in MB": options.memory_mb},
        "pins": PINS,
    }
    rows = []
    for case in cases.CASES:
        if options.part != "tests" and options.only in case.name:
            rows.append(run_case(case, python, options))
            print(table(rows[-1:]).splitlines()[-1], flush=True)
    tests: list[dict[str, Any]] = []
    if python is not None and options.part != "table":
        print("EMLP's own tests", flush=True)
        tests = run_tests(python, options)
    about["load at end"] = os.getloadavg()
    imports = [[r[side]["import"] for r in rows if "import" in r[side]] for side in ("repcore", "emlp")]
    note = " ".join(
        f"{name} {statistics.median(x):.2f} s;" for name, x in zip(("repcore", "EMLP"), imports, strict=True) if x
    ).rstrip(";")
    loads = f"{min(r['load'] for r in rows):.1f} to {max(r['load'] for r in rows):.1f}" if rows else "unknown"
    room = f"EMLP had {options.limit:.0f} s and {options.memory_mb / 1024:.0f} GB a case"
    text = (
        f"{about['machine']}; {about['date']}; one thread a process; load average {loads} in the run. CPU seconds, and seconds "
        f"by the clock in one column. {room}. Import (median, not included): {note}.\n\n{table(rows)}\n"
    )
    if tests:
        text += f"\n{summary(tests)}\n"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "emlp.json").write_text(json.dumps({"about": about, "cases": rows, "tests": tests}, indent=1))
    (options.out / "emlp.txt").write_text(text)
    if options.page:
        options.page.write_text(text)
    print(f"\n{text}\nwritten: {options.out / 'emlp.json'}, {options.out / 'emlp.txt'}")


if __name__ == "__main__":
    main()
