"""House rules that a reader of the source can check and a linter's exception could hide."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

MAX_LINES = 500
FOLDERS = ("repcore", "backends")
PRINTERS = ("repcore/cli.py", "repcore/cli/")
# Names that run, or unpickle, what a user or a file gave.
RUNNERS = {"eval", "exec", "compile", "sympify", "parse_expr", "__import__"}
RUNNER_ATTRIBUTES = {"sympify", "parse_expr"}
PICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def violations_of(name: str, text: str) -> Iterator[tuple[int, str]]:
    """Pairs of line and complaint for the file ``name``, a path from the root with forward slashes."""
    if (lines := len(text.splitlines())) > MAX_LINES:
        yield lines, f"{lines} lines: past {MAX_LINES} a file is two"
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Assert():
                yield node.lineno, "assert: raise an error of repcore/errors.py"
            case ast.Call(func=ast.Name(id=called)) if called in RUNNERS:
                yield node.lineno, f"{called}(): parse with the grammar of repcore/exact"
            case ast.Call(func=ast.Attribute(attr=called)) if called in RUNNER_ATTRIBUTES:
                yield node.lineno, f".{called}(): parse with the grammar of repcore/exact"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="builtins"), attr=called)) if called in RUNNERS:
                yield node.lineno, f"builtins.{called}(): parse with the grammar of repcore/exact"
            case ast.Call(func=ast.Name(id="print")) if not name.startswith(PRINTERS):
                yield node.lineno, "print() outside the command line"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="load")):
                yield node.lineno, "torch.load(): use safetensors"
            case ast.Call(keywords=keywords) if any(
                k.arg == "allow_pickle" and not (isinstance(k.value, ast.Constant) and k.value.value is False) for k in keywords
            ):
                yield node.lineno, "allow_pickle: use safetensors"
            case ast.Import(names=names) if found := PICKLERS & {alias.name.partition(".")[0] for alias in names}:
                yield node.lineno, f"import {', '.join(found)}: use safetensors or JSON"
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in PICKLERS:
                yield node.lineno, f"import {module}: use safetensors or JSON"
            case ast.ImportFrom(names=names) if found := RUNNERS & {alias.name for alias in names}:
                yield node.lineno, f"import {', '.join(found)}: parse with the grammar of repcore/exact"
            case _:
                pass


def test_the_source_keeps_the_house_rules(root: Path) -> None:
    files = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]
    assert root / "repcore" / "errors.py" in files
    found = [
        f"{name}:{line}: {complaint}"
        for path in files
        for name in [path.relative_to(root).as_posix()]
        for line, complaint in violations_of(name, path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("assert x", "assert"),
        ("y = eval('1')", "eval"),
        ("exec('1')", "exec"),
        ("import builtins\nbuiltins.eval('1')", "eval"),
        ("import sympy\nsympy.sympify('1')", "sympify"),
        ("from sympy import sympify", "sympify"),
        ("from sympy.parsing.sympy_parser import parse_expr", "parse_expr"),
        ("def f():\n    import pickle", "pickle"),
        ("from joblib import load", "joblib"),
        ("import torch\ntorch.load('x')", "torch.load"),
        ("import numpy as np\nnp.load('x', allow_pickle=True)", "allow_pickle"),
        ("print('x')", "print"),
        ("x = 0\n" * (MAX_LINES + 1), "lines"),
    ],
    ids=lambda value: value[:30].replace("\n", " ") if isinstance(value, str) else None,
)
def test_a_planted_violation_is_found(text: str, word: str) -> None:
    found = [complaint for _, complaint in violations_of("repcore/planted.py", text)]
    assert len(found) == 1
    assert word in found[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("repcore/cli.py", "print('x')"),
        ("repcore/cli/main.py", "print('x')"),
        ("backends/repcore_torch/ace.py", "model.eval()\nmodel.compile()\nre.compile('x')"),
        ("repcore/store/disk.py", "np.load('x', allow_pickle=False)\n" * MAX_LINES),
        ("repcore/exact/number.py", '"""Parsed without eval() or assert; see print()."""'),
    ],
)
def test_what_is_allowed_passes(name: str, text: str) -> None:
    assert list(violations_of(name, text)) == []
