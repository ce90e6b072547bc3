"""Fuzz what repcore reads: numbers, expressions, declarative files, basis files.

    python tests/quality/fuzz/run.py                      every target, ten minutes together
    python tests/quality/fuzz/run.py numbers --seconds 60
    python tests/quality/fuzz/run.py --replay FILE numbers

With atheris (``pip install atheris``), coverage guides the search; without it, or with ``--engine random``, inputs are
mutated at random, the same for the same ``--seed``. An input that raises anything else than an error of repcore, or takes
longer than ``--slow`` seconds, is written to ``--crashes`` and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

NAMES = ("numbers", "expressions", "spec_toml", "spec_json", "basis_file", "basis_bytes")


def main() -> int:
    """Run the targets one after the other, each in a process of its own; 1 if one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--seconds", type=float, default=600.0, help="for all targets together (default 600)")
    parser.add_argument("--runs", type=int, default=0, help="stop each target after so many inputs (engine random)")
    parser.add_argument("--engine", choices=("atheris", "random"), default="atheris" if _has_atheris() else "random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slow", type=int, default=20, help="seconds that one input may take (default 20)")
    parser.add_argument("--crashes", type=Path, default=Path(tempfile.gettempdir()) / "repcore-fuzz-crashes")
    parser.add_argument("--replay", type=Path, help="run one input once")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    chosen = given.targets or list(NAMES)
    if unknown := [n for n in chosen if n not in NAMES]:
        parser.error(f"there is no target {unknown[0]!r}; known are {', '.join(NAMES)}")
    given.crashes.mkdir(parents=True, exist_ok=True)
    if given.replay is not None:
        return _replay(given, chosen)
    if given.inside:
        return (_guided if given.engine == "atheris" else _random)(given, chosen[0])
    share = given.seconds / len(chosen)
    failed: list[str] = []
    for name in chosen:
        options = [f"--seconds={share}", f"--runs={given.runs}", f"--engine={given.engine}", f"--seed={given.seed}"]
        options += [f"--slow={given.slow}", f"--crashes={given.crashes}", "--inside"]
        with tempfile.TemporaryDirectory(prefix="repcore-fuzz-", ignore_cleanup_errors=True) as own:
            environment = os.environ | {"TMPDIR": own, "OMP_NUM_THREADS": "1"}
            done = subprocess.run([sys.executable, __file__, name, *options], check=False, env=environment)
        print(f"{name}: {'no crash' if done.returncode == 0 else 'FAILED'}", flush=True)  # noqa: T201 (a program)
        failed += [name] * (done.returncode != 0)
    return 1 if failed else 0


def _has_atheris() -> bool:
    return importlib.util.find_spec("atheris") is not None


def _replay(given: argparse.Namespace, chosen: list[str]) -> int:
    import targets

    targets.prepare()
    for name in chosen:
        taken = targets.TARGETS[name](given.replay.read_bytes())
        print(f"{name}: {'taken' if taken else 'refused'}")  # noqa: T201 (a program)
    return 0


def _guided(given: argparse.Namespace, name: str) -> int:
    import atheris  # pyright: ignore[reportMissingImports]  # no part of the test environment

    with atheris.instrument_imports(include=["repcore", "tomllib"]):
        import targets
    import mutate
    import seeds

    targets.prepare()
    own = seeds.seeds()[name]
    with tempfile.TemporaryDirectory(prefix="repcore-corpus-", ignore_cleanup_errors=True) as corpus:
        for i, data in enumerate(own):
            (Path(corpus) / f"seed{i}").write_bytes(data)

        def change(data: bytes, limit: int, seed: int) -> bytes:
            # libFuzzer's own changes half of the time: it knows what comparisons look for.
            rng = random.Random(seed)  # noqa: S311 (no secret)
            if rng.random() < 0.5:
                return atheris.Mutate(data, len(data))
            return mutate.mutated(data, rng, seeds.WORDS, own, limit)

        target = targets.TARGETS[name]

        def once(data: bytes) -> None:
            target(data)

        options = [
            f"-max_total_time={max(1, int(given.seconds))}",
            f"-timeout={given.slow}",
            f"-artifact_prefix={given.crashes}/{name}-",
        ]
        options += [f"-seed={given.seed}", "-rss_limit_mb=4096", "-max_len=20000", "-print_final_stats=1", "-verbosity=1", corpus]
        atheris.Setup([sys.argv[0], *options], once, custom_mutator=change)
        atheris.Fuzz()  # ends the process
    return 0


def _random(given: argparse.Namespace, name: str) -> int:
    import mutate
    import seeds
    import targets

    targets.prepare()
    rng = random.Random(f"{given.seed} {name}")  # noqa: S311 (no secret)
    pool = list(seeds.seeds()[name])
    own = len(pool)
    end = time.monotonic() + given.seconds
    runs = taken = bad = 0
    longest = 0.0
    while time.monotonic() < end and (not given.runs or runs < given.runs):
        data = pool[runs] if runs < own else mutate.mutated(rng.choice(pool), rng, seeds.WORDS, pool)
        start = time.perf_counter()
        problem = ""
        accepted = False
        try:
            accepted = targets.TARGETS[name](data)
        except Exception:
            problem = traceback.format_exc()
        needed = time.perf_counter() - start
        longest = max(longest, needed)
        if needed > given.slow:
            problem += f"\n{needed:.1f} s for one input"
        if problem:
            bad += 1
            path = given.crashes / f"{name}-{os.getpid()}-{runs}"
            path.write_bytes(data)
            print(f"{problem}\nthe input is in {path}", file=sys.stderr)  # noqa: T201 (a program)
        if accepted:
            taken += 1
            # What is taken leads further than what is refused; some of it is kept to go on from.
            if len(pool) < own + 200:
                pool.append(data)
            elif rng.random() < 0.05:
                pool[rng.randrange(own, len(pool))] = data
        runs += 1
    print(f"{name}: {runs} inputs, {taken} taken, longest {longest:.2f} s, {bad} bad", flush=True)  # noqa: T201 (a program)
    return 1 if bad or (runs > own and not taken) else 0


if __name__ == "__main__":
    sys.exit(main())
