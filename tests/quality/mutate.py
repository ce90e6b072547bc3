"""Mutation testing of ``solve/`` and ``reps/``: of small faults planted at random in the code, how many do the tests find?

mutmut makes the mutants. Its own runner leaves decorated functions alone (here: every registered case of every verb), runs all
mutants of a file, and tests each with the code beside the original. So the sample is drawn and run here: every place and
operator is equally likely, a mutant replaces the file in a copy of the tree, and the tests that reach the mutated statement
run on it, quick ones first, until one fails. ``make mutate`` does the lot; by hand, from the project root:

    python tests/quality/mutate.py reach            # which test reaches which line (ten minutes)
    python tests/quality/mutate.py reach tests/x.py # the same of new tests, added
    python tests/quality/mutate.py run --sample 320 --seed 0
    python tests/quality/mutate.py run --again      # the survivors of that run once more, after a change of the tests
    python tests/quality/mutate.py show             # the table and the survivors
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

AREAS = ("solve", "reps")
# Tests of the backends and of the packaging see solve/ and reps/ only through what the others test directly.
FOLDERS = ("solve", "reps", "groups", "core", "decompose", "spec", "store", "testing", "books")
DECLARED = "tests/core/test_values.py"  # of what runs at import
COPIED = ("repcore", "backends", "tests", "pyproject.toml")
# Imported once, before the fork of each test run: nothing of ours, and nothing in which pytest rewrites assertions.
PRELOADED = ("flint", "networkx", "numpy", "safetensors", "scipy.sparse.csgraph", "scipy.sparse.linalg", "sympy")
QUICK = 4.0  # seconds of tests in the first round
MEMORY = 6 << 30  # a mutant may well ask for all there is
KILLED = ("failed", "timeout")

Lines = dict[int, list[str]]


@dataclass(frozen=True)
class Mutant:
    """One change of one file: ``number`` counts the candidates of all files in order; ``last`` is the last line it touches."""

    number: int
    file: str
    line: int
    last: int
    operator: str
    change: str


def candidates(file: Path) -> Iterator[tuple[str, int, Callable[[], str]]]:
    """Operator, line and mutated text (when called) of every possible mutant of a file."""
    # Here, since pytest imports this file for its doctests where nobody installed them.
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider
    from mutmut.mutation.mutators import mutation_operators

    wrapper = MetadataWrapper(cst.parse_module(file.read_text(encoding="utf-8")))
    places = wrapper.resolve(PositionProvider)
    left: list[Any] = [wrapper.module]
    while left:
        node = left.pop()
        match node:
            # Text that is not run: annotations, docstrings, lists of names.
            case cst.Annotation() | cst.Import() | cst.ImportFrom() | cst.Expr(value=cst.SimpleString()):
                continue
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value="__all__"))]):
                continue
            case _:
                left += reversed(node.children)
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                name, line = operator.__name__.removeprefix("operator_"), places[node].start.line
                for new in operator(node):
                    yield name, line, lambda old=node, new=new: wrapper.module.deep_replace(old, new).code


def draw(root: Path, size: int, seed: int) -> tuple[int, dict[Mutant, str]]:
    """The number of candidates, and a random sample of mutants that compile and differ, with their text."""
    pool = [
        (str(file.relative_to(root)), *found)
        for area in AREAS
        for file in sorted((root / "repcore" / area).glob("*.py"))
        for found in candidates(file)
    ]
    order = random.Random(seed).sample(range(len(pool)), len(pool))  # noqa: S311 (a sample, no secret)
    out: dict[Mutant, str] = {}
    for number in order:
        file, operator, line, mutate = pool[number]
        original, text = (root / file).read_text(encoding="utf-8"), mutate()
        try:
            same = ast.dump(ast.parse(text)) == ast.dump(ast.parse(original))
        except SyntaxError:
            continue
        if same:
            continue
        change = [x for x in difflib.unified_diff(original.splitlines(), text.splitlines(), n=0, lineterm="") if x[0] in "+-"][2:]
        last = line + max(0, sum(x[0] == "-" for x in change) - 1)
        out[Mutant(number, file, line, last, operator, "\n".join(change))] = text
        if len(out) == size:
            break
    return len(pool), out


def statement(text: str, line: int) -> tuple[range, bool]:
    """The lines of the innermost statement around a line (of a compound one its head), and whether it is in a function."""
    best, inside = range(line, line + 1), False
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, (ast.stmt, ast.match_case, ast.ExceptHandler)):
            continue
        first = node.lineno if isinstance(node, (ast.stmt, ast.ExceptHandler)) else node.pattern.lineno
        end = node.end_lineno if isinstance(node, (ast.stmt, ast.ExceptHandler)) else node.body[-1].end_lineno
        if not first <= line <= (end or first):
            continue
        body = getattr(node, "body", None)
        head = body[0].lineno - 1 if body else end
        if isinstance(node, (ast.FunctionDef, ast.Lambda)) and line >= (body or [node])[0].lineno:
            inside = True
        best = range(first, max(first, line, head or first) + 1)
    return best, inside


class _Durations:
    """A plugin of pytest: seconds by test, and which failed."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome == "failed":
            self.failed.add(report.nodeid)
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration


def reach(out: Path, tests: list[str]) -> int:
    """Run the tests once, and write down which reaches which line, and how long it takes; given tests are added."""
    os.environ["COVERAGE_FILE"] = str(out / "reach.coverage")
    durations = _Durations()
    cover = ["--cov=repcore", "--cov-branch", "--cov-context=test", "--cov-report=", *(["--cov-append"] if tests else [])]
    code = pytest.main(["-q", *_QUIET, *cover, *(tests or [f"tests/{name}" for name in FOLDERS])], plugins=[durations])
    path = out / "seconds.json"
    known = json.loads(path.read_text(encoding="utf-8")) if tests else {}
    path.write_text(
        json.dumps(known | {t: x for t, x in durations.seconds.items() if t not in durations.failed}), encoding="utf-8"
    )
    return int(code)


_QUIET = ("-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0")


def reached_by(root: Path, out: Path) -> tuple[dict[str, Lines], dict[str, float]]:
    """For each file, the tests that reach each line; and the seconds of each test that passed through ``reach``."""
    from coverage import CoverageData

    data = CoverageData(str(out / "reach.coverage"))
    data.read()
    found: dict[str, Lines] = {}
    for path in data.measured_files():
        if "/repcore/" in path:
            name = "repcore/" + path.rsplit("/repcore/", 1)[1]
            by_line = data.contexts_by_lineno(path).items()
            found[name] = {line: sorted({c.rsplit("|", 1)[0] for c in contexts if c}) for line, contexts in by_line}
    seconds = json.loads((out / "seconds.json").read_text(encoding="utf-8"))
    return found, seconds


def rounds(mutant: Mutant, text: str, lines: Lines, seconds: dict[str, float], long: float) -> list[list[str]]:
    """The tests for a mutant: a few, then the quick ones of its area, then all that reach it, each round within its seconds."""
    where, inside = statement(text, mutant.line)
    chosen = {t for line in range(where.start, max(where.stop, mutant.last + 1)) for t in lines.get(line, ())}
    if not chosen and not inside:  # runs at import: what reaches the file will show it
        chosen = {t for tests in lines.values() for t in tests} | {t for t in seconds if t.startswith(DECLARED)}
    area = "tests/" + mutant.file.split("/")[1]
    order = sorted((t for t in chosen if t in seconds and t.startswith("tests/")), key=lambda t: (seconds[t], t))
    near = [t for t in order if t.startswith(area)]
    # Most mutants die of any test, so the first are those of one file: it takes a second to collect the tests of many.
    one = Counter(t.split("::")[0] for t in near).most_common(1)
    out: list[list[str]] = []
    for limit, wanted in ((QUICK / 8, [t for t in near if t.split("::")[0] == one[0][0]]), (QUICK, near), (long, order)):
        spent, now = 0.0, []
        for t in wanted:
            spent += seconds[t] + 0.005
            if spent > limit and now:
                break
            if not any(t in before for before in out):
                now.append(t)
        out.append(now)
    return [tests for tests in out if tests]


def verdict(tree: Path, tests: list[str], limit: float, log: Path) -> str:
    """Run tests in the tree, in a forked process: ``passed``, ``failed`` or ``timeout``."""
    child = os.fork()
    if not child:
        os.setsid()
        sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.chdir(tree)
        sys.path[:0] = [str(tree), str(tree / "backends")]
        os.environ["PYTHONPATH"] = f"{tree}:{tree / 'backends'}"
        code = 1
        try:
            code = int(pytest.main(["-x", "-q", *_QUIET, "--no-header", "--tb=short", *tests]))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return "passed" if os.waitstatus_to_exitcode(status) == 0 else "failed"
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def run(root: Path, out: Path, mutants: dict[Mutant, str], long: float) -> Iterator[tuple[Mutant, str]]:
    """The fate of each mutant: ``failed`` or ``timeout`` (killed), ``passed`` (survived) or ``unreached``."""
    lines, seconds = reached_by(root, out)
    for name in PRELOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="repcore-mutants-") as name:
        tree = Path(name)
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(tree / ".hypothesis")
        for part in COPIED:
            source = root / part
            if source.is_dir():
                shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, tree / part)
        plan = {m: rounds(m, (tree / m.file).read_text("utf-8"), lines.get(m.file, {}), seconds, long) for m in mutants}
        # Without a mutant they must pass, or their failure would say nothing. Bytecode of this run serves the others.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        sys.dont_write_bytecode = False
        first = sorted({t for tests in plan.values() for t in (tests[0] if tests else [])[:25]})
        if verdict(tree, first, 600, out / "last.log") != "passed":
            raise SystemExit(f"the tests fail without a mutant: see {out / 'last.log'}")
        # None may be left of a mutant.
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.dont_write_bytecode = True
        for mutant, text in mutants.items():
            target = tree / mutant.file
            original, written = target.read_text(encoding="utf-8"), target.stat().st_mtime
            target.write_text(text, encoding="utf-8")
            os.utime(target, (written + 100, written + 100))  # or the bytecode of the original would pass for it
            fate = "unreached"
            for tests in plan[mutant]:
                limit = 30 + 8 * sum(seconds[t] for t in tests)
                fate = verdict(tree, tests, limit, out / "last.log")
                if fate in KILLED:
                    break
            target.write_text(original, encoding="utf-8")
            os.utime(target, (written, written))
            yield mutant, fate


def interval(killed: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share."""
    z, p = 1.96, killed / total
    middle, half = p + z * z / (2 * total), z * sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return (middle - half) / (1 + z * z / total), (middle + half) / (1 + z * z / total)


def report(out: Path) -> str:
    """The tables by file and by operator, the score, and the survivors with their change."""
    results = json.loads((out / "mutants.json").read_text(encoding="utf-8"))
    fates = {m["number"]: (m, fate) for m, fate in results["mutants"]}
    lines: list[str] = []
    for key in ("file", "operator"):
        counts: dict[str, Counter[str]] = {}
        for m, fate in fates.values():
            counts.setdefault(m[key], Counter())[fate] += 1
        lines.append(f"{key:34} mutants killed timeout survived unreached")
        for name, c in sorted(counts.items()):
            lines.append(f"{name:34} {c.total():7} {c['failed']:6} {c['timeout']:7} {c['passed']:8} {c['unreached']:9}")
        lines.append("")
    killed, total = sum(fate in KILLED for _, fate in fates.values()), len(fates)
    low, high = interval(killed, total)
    lines.append(f"{killed} of {total} killed: {killed / total:.1%} (95 %: {low:.1%} to {high:.1%})")
    lines.append(f"drawn from {results['candidates']} possible mutants, seed {results['seed']}")
    for m, fate in fates.values():
        if fate not in KILLED:
            lines += ["", f"#{m['number']} {m['file']}:{m['line']} {m['operator']} ({fate})", m["change"]]
    return "\n".join(lines)


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description="mutation testing of solve/ and reps/")
    parser.add_argument("command", choices=("reach", "run", "show"))
    parser.add_argument("tests", nargs="*", help="with reach: only these, added to what is known")
    parser.add_argument("--sample", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=45.0, help="of tests that a survivor has passed, as measured by reach")
    parser.add_argument("--only", type=int, nargs="*", default=(), help="of those, only the ones with these numbers")
    parser.add_argument("--again", action="store_true", help="only what survived the last run")
    parser.add_argument("--out", type=Path, default=Path("build/mutation"))
    args = parser.parse_args()
    root, out = Path.cwd(), args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if args.command == "reach":
        return reach(out, args.tests)
    if args.command == "run":
        path = out / "mutants.json"
        count, mutants = draw(root, args.sample, args.seed)
        fates: dict[int, tuple[Any, str]] = {}
        if path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))
            if (before["seed"], before["candidates"]) == (args.seed, count):
                fates = {m["number"]: (m, fate) for m, fate in before["mutants"]}
        skip = {n for n, (_, fate) in fates.items() if fate in KILLED or not args.again}
        todo = {m: x for m, x in mutants.items() if m.number not in skip and (not args.only or m.number in args.only)}
        for mutant, fate in run(root, out, todo, args.seconds):
            fates[mutant.number] = (asdict(mutant), fate)
            result = {"seed": args.seed, "candidates": count, "mutants": list(fates.values())}
            path.write_text(json.dumps(result, indent=1), encoding="utf-8")
            sys.stdout.write(f"{len(fates):4} {fate:9} {mutant.file}:{mutant.line} {mutant.operator}\n")
            sys.stdout.flush()
    sys.stdout.write(report(out) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
