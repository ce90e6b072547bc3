"""The kit beside hypothesis, and without it. Asked of fresh interpreters, since this one has loaded everything."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import find
from hypothesis import strategies as st

import repcore as rc


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("kind", [rc.Group, rc.Rep, rc.Hom, rc.Matrix, rc.Number], ids=lambda kind: kind.__name__)
def test_from_type_knows_the_types(kind: type) -> None:
    assert isinstance(find(st.from_type(kind), lambda value: True), kind)


def test_from_type_fills_arguments() -> None:
    def dimension(V: rc.Rep) -> int:
        return V.dim

    assert find(st.builds(dimension), lambda n: n > 1) == 2


def test_hypothesis_does_not_load_repcore() -> None:
    seen = run("import hypothesis, sys; print('repcore' in sys.modules, 'repcore_hypothesis' in sys.modules)")
    assert seen == "False True"


ORDERS = [
    "import hypothesis; import repcore as rc",
    "import repcore as rc; import hypothesis",
    "import hypothesis, repcore.basis; import repcore as rc",
]


@pytest.mark.parametrize("order", ORDERS)
def test_types_are_registered_in_either_order(order: str) -> None:
    program = f"""
{order}
import sys
print('repcore.testing' in sys.modules)
from hypothesis import find, strategies as st
print(find(st.from_type(rc.Group), lambda G: True))
print(type(rc.__spec__.loader).__name__, 'exec_module' in vars(rc.__spec__.loader))
print(sum(type(f).__name__ == '_AfterImport' for f in sys.meta_path))
"""
    assert run(program).splitlines() == ["False", str(rc.PermutationGroup([], degree=1)), "SourceFileLoader False", "0"]


def test_the_laws_do_not_load_hypothesis() -> None:
    program = "import repcore.testing as t, sys; print('hypothesis' in sys.modules); t.groups; print('hypothesis' in sys.modules)"
    assert run(program).split() == ["False", "True"]


def test_laws_work_without_hypothesis() -> None:
    program = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('hypothesis', 'pytest'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Absent())
import repcore as rc
from repcore.testing import Element, laws
print(len(laws.check_rep(rc.dihedral(4).rep)) > 5)
laws.assert_equivariant(lambda x: x, rc.SO(3).rep, rc.SO(3).rep)
try:
    from repcore.testing import groups
except ImportError as error:
    print(type(error).__name__, error)
"""
    first, message = run(program).splitlines()
    assert first == "True"
    assert message.startswith(
        "ModuleNotFoundError the strategies of repcore.testing need hypothesis: pip install 'repcore[test]'"
    )
