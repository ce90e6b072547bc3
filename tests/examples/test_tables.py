"""The stranger in a case of wine: that the example runs, what its table claims, and that its checks can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "tables" / "wine.py"


def rows(text: str) -> dict[tuple[str, str], list[float]]:
    """The figures of each way: the errors of the seeds, what changes with the order, parameters, seconds."""
    found, task = {}, ""
    for line in text.splitlines():
        if match := re.match(r"(symmetric|broken), ", line):
            task = match[1]
        elif match := re.match(r"(dense|augmentation|penalty|soft|strict) {2,}([\d.,% ]+)$", line):
            found[task, match[1]] = [float(cell) for cell in re.sub("[%,]", "", match[2]).split()]
    return found


def test_the_example_runs(example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--steps", "5", "--seeds", "0", "--tasks", "broken", "--ways", "dense", "strict", "--out", str(tmp_path)]
    example.main(arguments)
    text = capsys.readouterr().out
    found = rows(text)
    assert {way for _, way in found} == {"dense", "strict"}
    assert found["broken", "strict"][1:3] == [0.0, 2497.0]
    assert found["broken", "dense"][1] > 1
    # The strict network says of a case from right to left what it says of the case, from right to left.
    line = next(line for line in text.splitlines() if line.startswith("  strict"))
    said = [int(number) for number in line.split()[1:]]
    assert said[:6] == said[:5:-1]
    assert (tmp_path / "wine, broken.png").read_bytes().startswith(b"\x89PNG")


def test_no_bottle_is_learned_from_and_measured_on(example: ModuleType) -> None:
    bottles = []
    for x, _ in example.make_task("symmetric", 0):
        cases = x.view(-1, example.COLUMNS, example.BOTTLES).transpose(1, 2).reshape(-1, example.COLUMNS)
        bottles.append({tuple(bottle) for bottle in cases.tolist()})
    assert len(bottles[0] | bottles[1] | bottles[2]) == sum(map(len, bottles))


def test_the_stranger_is_where_it_is_said_to_be(example: ModuleType) -> None:
    kinds = np.repeat([0, 1, 2], 8)
    table = np.tile(kinds[:, None] + 0.0, (1, example.COLUMNS))
    x, places = example.draw(table, kinds, 400, "broken", np.random.default_rng(0))
    for data in ((x, places), example.reordered(x, places, 0)):
        cases = data[0].view(-1, example.COLUMNS, example.BOTTLES)[:, 0]
        alone = (cases[:, :, None] == cases[:, None]).sum(2) == 1
        assert torch.equal(alone.int().argmax(1), data[1])
        assert torch.equal(alone.sum(1), torch.ones(400, dtype=torch.int64))
    # Half of them, and a sixth of the rest: 0.583 with a deviation of 0.025.
    assert abs(float((places == 5).float().mean()) - 0.583) < 0.1


def test_a_network_that_is_not_equivariant_is_refused(example: ModuleType) -> None:
    x = example.make_task("symmetric", 0)[2][0][:20]
    strict, dense = (example.run(way, "symmetric", 0, 2) for way in ("strict", "dense"))
    example.check(strict, x)
    with pytest.raises(SystemExit, match="44166 parameters, and 2497 by hand"):
        example.check(dense, x)
    with pytest.raises(SystemExit, match="do not go with the bottles"):
        example.check(dense._replace(count=example.BY_HAND), x)
    with torch.no_grad():
        model = example.rct.fold(strict.model)
        model.last.weight[0, 0] += 2**-9  # what is left of it after rounding is one entry of 44,000
    with pytest.raises(SystemExit, match="do not go with the bottles"):
        example.check(strict._replace(model=model), x)
    with torch.no_grad():
        model.last.weight *= 2**20
    with pytest.raises(SystemExit, match="would round"):
        example.check(strict._replace(model=model), x)


@pytest.mark.slow
def test_what_the_table_says() -> None:
    done = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(done.stdout)
    for task in ("symmetric", "broken"):
        strict = np.median(found[task, "strict"][:3])
        assert strict < 0.7 * np.median(found[task, "dense"][:3])
        assert found[task, "strict"][3] == 0
        assert all(found[task, way][3] > 1 for way in ("dense", "augmentation", "penalty", "soft"))
