"""Graphs: automorphisms and hidden links; that the examples run, what they claim, and that their checks can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import repcore as rc

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "graphs"
ROW = re.compile(r"^(common friends|dense|augmentation|penalty|soft|strict) {2,}([\d.]+)  ([\d.]+)  ([\d.]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def graphs(loaded: Callable[[Path], ModuleType]) -> ModuleType:
    return loaded(FOLDER / "automorphisms.py")


@pytest.fixture(scope="module")
def links(loaded: Callable[[Path], ModuleType]) -> ModuleType:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    return loaded(FOLDER / "links.py")


def test_the_automorphisms_run(graphs: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graphs.main(["--graphs", "Petersen", "Frucht", "--seeds", "0", "--out", str(tmp_path)])
    text = capsys.readouterr().out
    assert re.search(r"^Petersen +10 +120 +4 +3 +15 ", text, re.MULTILINE)
    assert re.search(r"^Frucht +12 +1 +0 +144 +1728 ", text, re.MULTILINE)
    assert (tmp_path / "graphs.png").read_bytes().startswith(b"\x89PNG")
    written = rc.load(tmp_path / "Petersen.toml")
    assert rc.order(written.group) == 120
    assert rc.solve(written.maps["layer"]).dim == 3


def test_the_maps_of_petersens_graph_are_its_polynomials(graphs: ModuleType) -> None:
    found = graphs.symmetry_of(graphs.GRAPHS["Petersen"](), "Petersen")
    A = np.diag(np.diagonal(graphs.laplacian(found.graph))) - graphs.laplacian(found.graph)
    basis = graphs.check("Petersen", found)[0].to_numpy().reshape(3, 100)
    powers = np.array([np.eye(10), A, A @ A]).reshape(3, 100)
    assert np.linalg.matrix_rank(np.concatenate([basis, powers])) == 3


def test_too_few_generators_and_a_wrong_count_are_refused(graphs: ModuleType) -> None:
    found = graphs.symmetry_of(graphs.GRAPHS["cube"](), "cube")
    graphs.check("cube", found)
    turn = [2, 3, 0, 1, 6, 7, 4, 5]
    with pytest.raises(SystemExit, match="generate 2 elements, and there are 48"):
        graphs.check("cube", replace(found, group=rc.PermutationGroup([turn])))
    with pytest.raises(SystemExit, match="Burnside counts 64"):
        graphs.check("cube", replace(found, listed=np.repeat(found.listed[:1], 48, 0)))
    with pytest.raises(SystemExit, match="Laplacian does not commute"):
        graphs.check("cube", replace(found, graph=graphs.GRAPHS["karate club"]().subgraph(range(8))))


def test_a_fit_within_the_space_stays_there(graphs: ModuleType) -> None:
    found = graphs.symmetry_of(graphs.GRAPHS["cube"](), "cube")
    basis = graphs.check("cube", found)[0]
    Q = basis.to_numpy(orthonormal=True).reshape(basis.dim, -1)
    X, Y = np.random.default_rng(0).normal(size=(2, 8, 4))
    W = graphs.fit(X, Y, Q, "strict", 0.1, 0.0)
    # A sum of four products for each entry.
    assert np.abs(rc.plan(basis).project(W) - W).max() < 16 * np.finfo(float).eps * np.abs(W).max()
    near, far = (np.linalg.norm(graphs.fit(X, Y, Q, "penalty", 0.1, weight) - W) for weight in (1e6, 1.0))
    assert near < 1e-3 * far


def test_the_links_run(links: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "COUNT", 20)
    links.main(["--steps", "2", "--seeds", "0", "--ways", "dense", "strict"])
    text = capsys.readouterr().out
    assert "V**2 >> V**2: 64 x 64, 15 maps, proved; by hand 15" in text
    assert "sym(V, 2) >> sym(V, 2): 36 x 36, 9 maps, proved; by hand 9" in text
    assert re.search(r"^dense .* 114,660 ", text, re.MULTILINE)
    assert re.search(r"^strict .* 826 ", text, re.MULTILINE)


def test_the_pair_that_is_asked_for_is_hidden_and_follows_the_order(links: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(links, "COUNT", 40)
    data = links.make_task(0)[0]
    order = np.random.default_rng(0).permutation(links.PEOPLE)
    assert torch.equal(links.friends(data), links.friends(links.reordered(data, order)))
    for questions in (data, links.reordered(data, order)):
        asked = questions.seen.view(-1, 2, 36).gather(2, questions.asked[:, None, None].expand(-1, 2, 1))
        assert not asked.any()
    seen = data.seen.view(-1, 2, 36)
    assert not (seen[:, 0] * seen[:, 1]).any()
    assert int(data.meet.sum()) == 20


def test_a_network_that_is_not_equivariant_is_refused(links: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(links, "COUNT", 20)
    data = links.make_task(0)[2]
    strict, dense = (links.run(way, 0, 1).model for way in ("strict", "dense"))
    links.check(strict, data)
    with pytest.raises(SystemExit, match="do not go with the people"):
        links.check(dense, data)
    with torch.no_grad():
        dense.last.weight *= 2**30
    with pytest.raises(SystemExit, match="would round"):
        links.check(dense, data)
    monkeypatch.setattr(links, "product", lambda *_, **__: [(0, 0, 0, 0)])
    with pytest.raises(SystemExit, match="and 1 by hand"):
        links.check_counts()


@pytest.mark.slow
def test_what_the_tables_say() -> None:
    done = [
        subprocess.run([sys.executable, str(FOLDER / name)], capture_output=True, text=True, encoding="utf-8", check=False)
        for name in ("automorphisms.py", "links.py")
    ]
    assert all(run.returncode == 0 for run in done), [run.stderr for run in done]
    heat = {
        name: line.split()[-3:]
        for line in done[0].stdout.splitlines()
        for name in ("karate", "Petersen", "Frucht")
        if name in line
    }
    assert float(heat["Petersen"][0]) > 5 * float(heat["Petersen"][2])
    assert float(heat["karate"][0]) > float(heat["karate"][2])
    assert heat["Frucht"][0] == heat["Frucht"][2]
    area = {way: np.median([float(x) for x in cells]) for way, *cells in ROW.findall(done[1].stdout)}
    assert len(area) == 6
    assert area["strict"] > area["dense"] + 15
    assert abs(area["strict"] - area["common friends"]) < 8  # a network of eight people does about what counting does
