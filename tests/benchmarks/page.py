"""Measure everything and write the page of figures: ``make bench-page``, on a machine that has nothing else to do.

Each part is a program of its own that ``make bench`` runs too; this one keeps what they print, with the machine, the date and the
versions, as ``docs/_static/benchmarks.txt``, ``emlp.txt``, ``e3nn.txt`` and ``growth.png``, which the documentation includes.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from compare import machine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STATIC = ROOT / "docs" / "_static"
LIBRARIES = ("numpy", "scipy", "python-flint", "sympy", "torch", "jax", "e3nn")
FILES = {"test_solver.py": "Solving", "test_layers.py": "Layers and projections", "test_models.py": "Whole models"} | {
    "test_penalty.py": "Penalties",
    "test_soften.py": "Filters",
    "test_ace.py": "Adaptive constraints",
}


def versions() -> str:
    found: list[str] = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def figures(output: str) -> list[str]:
    """What the tests print, without what pytest does: dots, percentages, headings and the last line."""
    lines = (re.sub(r"^[.FEsx]+(?=\S|$)", "", line).rstrip() for line in output.splitlines())
    noise = re.compile(r"^(\s*\[ *\d+%\]|=+.*|\d+ (passed|failed|skipped|deselected).*|-+ .*)?$")
    return [line for line in (re.sub(r"\s+\[ *\d+%\]$", "", line) for line in lines) if not noise.match(line)]


def measured(name: str) -> str:
    """A section: a file of benchmarks, what it printed, and which of its limits were missed."""
    command = [sys.executable, "-m", "pytest", "-m", "bench", "-s", "-q", "-p", "no:cacheprovider", str(HERE / name)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    missed = re.findall(r"^FAILED \S+::(\S+)", done.stdout, re.MULTILINE)
    print(done.stdout, flush=True)
    text = "\n".join(figures(done.stdout.partition("= FAILURES =")[0]))
    return text + (f"\n\nlimits that were missed: {', '.join(missed)}" if missed else "\n\nall limits were kept")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--emlp-limit", type=float, default=120, help="seconds that EMLP gets for a case")
    parser.add_argument("--only-ours", action="store_true", help="leave the figures beside EMLP and e3nn as they are")
    options = parser.parse_args()
    today, load = datetime.date.today().isoformat(), os.getloadavg()[0]
    about = f"{machine()}; {today}; one thread; load {load:.1f} at the start.\n{versions()}."
    parts = [about]
    for name, title in FILES.items():
        if (HERE / name).exists():
            parts.append(f"{title}\n{'-' * len(title)}\n{measured(name)}")
    (STATIC / "benchmarks.txt").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    if not options.only_ours:
        peers = HERE / "peers"
        for command in (
            [HERE / "growth.py", "--picture", STATIC / "growth.png"],
            [peers / "irreps.py", "--page", STATIC / "e3nn.txt"],
            [peers / "compare.py", "--limit", options.emlp_limit, "--page", STATIC / "emlp.txt"],
        ):
            subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
