"""The symmetries that a graph has by itself, and what knowing them is worth: the karate club, Petersen, Heawood, ...

    python examples/graphs/automorphisms.py                  # the table: some twenty seconds
    python examples/graphs/automorphisms.py --out pictures   # also a picture, and the karate club's symmetry as a file

An automorphism exchanges nodes so that neighbours stay neighbours: in the karate club five members know nobody but the two
leaders, and the graph does not tell them apart. Networkx lists all automorphisms; a few that generate the others are declared.
Pairs of nodes that some automorphism exchanges are one orbit, and a matrix commutes with the group if it has one number for each
orbit. For Petersen's graph these are 3 for 100 entries: two nodes are equal, adjacent or neither.

The independent count is Burnside's: the number of orbits of pairs is the mean over *all* automorphisms of (fixed nodes)^2; that
of triples, maps V*V >> V, the mean of (fixed nodes)^3. The solver sees the generators only.

What it is worth: heat spreads along the links, y = exp(-L) x + noise, L the Laplacian of the graph, and the matrix exp(-L) is to
be found from half as many pairs (x, y) as there are nodes. Of the links nothing is known but the automorphisms. All ways are
least squares with a small ridge, |Y - W X|^2 + ridge |W|^2:

    dense      any W
    penalty    + weight |W - P W|^2, P the projection onto the equivariant maps
    strict     W = P W

Ridge and weight are chosen by examples of their own. The error is |W - exp(-L)| / |exp(-L)| in the Frobenius norm. Where
there are few automorphisms, as in the karate club, little is gained, and nothing where there are none.

What is checked, and ends the run if it fails: the generators generate as many elements as networkx lists, the maps are proved and
as many as Burnside counts, and L commutes with the generators, in integers.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import networkx as nx
import numpy as np
from networkx.algorithms.isomorphism import GraphMatcher
from scipy.linalg import expm

import repcore as rc

GRAPHS: dict[str, Callable[[], nx.Graph]] = {
    "karate club": nx.karate_club_graph,
    "Florentine families": nx.florentine_families_graph,
    "Petersen": nx.petersen_graph,
    "cube": nx.cubical_graph,
    "dodecahedron": nx.dodecahedral_graph,
    "Heawood": nx.heawood_graph,
    "Desargues": nx.desargues_graph,
    "Frucht": nx.frucht_graph,
}
NOISE = 0.05
WAYS = ("dense", "penalty", "strict")
RIDGES, WEIGHTS = (0.001, 0.01, 0.1, 1.0), (0.1, 1.0, 10.0, 100.0)


@dataclass(frozen=True)
class Symmetry:
    """A graph, its automorphism group by generators, and all automorphisms, one a row, (order, nodes)."""

    graph: nx.Graph
    group: rc.Group
    listed: np.ndarray

    @property
    def fixed(self) -> list[int]:
        """How many nodes each automorphism leaves where they are; exact integers, whatever their powers."""
        return [int(n) for n in (self.listed == np.arange(self.listed.shape[1])).sum(1)]

    def burnside(self, k: int) -> int:
        """The number of orbits of k-tuples of nodes: the mean of (fixed nodes)^k."""
        return sum(n**k for n in self.fixed) // len(self.listed)


def symmetry_of(graph: nx.Graph, name: str) -> Symmetry:
    """The automorphism group of a graph, by few generators."""
    graph = nx.convert_node_labels_to_integers(graph)
    n = len(graph)
    listed = np.array([[image[i] for i in range(n)] for image in GraphMatcher(graph, graph).isomorphisms_iter()])
    chosen: list[list[int]] = []
    group = rc.PermutationGroup([], name, degree=n)
    # Those that move few nodes first: they read well in a file.
    for images in sorted(listed.tolist(), key=lambda images: sum(i != j for i, j in enumerate(images))):
        if (size := rc.order(group)) == len(listed):
            break
        larger = rc.PermutationGroup([*chosen, images], name, degree=n)
        if rc.order(larger) > size:
            chosen, group = [*chosen, images], larger
    return Symmetry(graph, group, listed)


def check(name: str, found: Symmetry) -> tuple[rc.EquivariantBasis, int]:
    """The maps V >> V and the number of maps V*V >> V, after all checks."""
    V = found.group.rep
    if rc.order(found.group) != len(found.listed):
        raise SystemExit(f"{name}: the generators generate {rc.order(found.group)} elements, and there are {len(found.listed)}")
    pairs, triples = rc.solve(V >> V), rc.solve(V * V >> V)
    for basis, counted in ((pairs, found.burnside(2)), (triples, found.burnside(3))):
        if basis.dim != counted or basis.certificate.status != "proved":
            raise SystemExit(f"{name}: {basis}, and Burnside counts {counted}")
    L = laplacian(found.graph)
    if any(not np.array_equal(g.to_numpy() @ L, L @ g.to_numpy()) for g in V.matrices):
        raise SystemExit(f"{name}: the Laplacian does not commute with what was declared")
    return pairs, triples.dim


def laplacian(graph: nx.Graph) -> np.ndarray:
    """Degrees less links, in integers."""
    return nx.laplacian_matrix(graph, weight=None).toarray().astype(np.int64)


def fit(X: np.ndarray, Y: np.ndarray, Q: np.ndarray, way: str, ridge: float, weight: float) -> np.ndarray:
    """The W of a way; the rows of Q are an orthonormal basis of the equivariant maps, (dim, n * n)."""
    n = len(X)
    A, b = np.kron(np.eye(n), X @ X.T) + ridge * np.eye(n * n), (Y @ X.T).ravel()
    if way == "strict":
        return (np.linalg.solve(Q @ A @ Q.T, Q @ b) @ Q).reshape(n, n)
    if way == "penalty":
        A += weight * (np.eye(n * n) - Q.T @ Q)
    return np.linalg.solve(A, b).reshape(n, n)


def learn(truth: np.ndarray, Q: np.ndarray, way: str, seed: int) -> float:
    """The relative error of a way, with ridge and weight chosen by examples of their own."""
    n = len(truth)
    random = np.random.default_rng(seed)
    parts = []
    for count in (n // 2, n):
        X = random.normal(size=(n, count))
        parts.append((X, truth @ X + NOISE * random.normal(size=X.shape)))
    (X, Y), (chosen_x, chosen_y) = parts
    fits = [fit(X, Y, Q, way, ridge, weight) for ridge in RIDGES for weight in (WEIGHTS if way == "penalty" else (0.0,))]
    best = min(fits, key=lambda W: float(np.sum((chosen_y - W @ chosen_x) ** 2)))
    return float(np.linalg.norm(best - truth) / np.linalg.norm(truth))


def draw(shown: dict[str, tuple[Symmetry, rc.EquivariantBasis]], path: Path) -> None:
    """Graphs with a colour for each orbit of nodes, and matrices with a colour for each orbit of pairs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * len(shown), 6), layout="constrained")
    axes = figure.subplots(2, len(shown), squeeze=False)
    for (above, below), (name, (found, basis)) in zip(axes.T, shown.items(), strict=True):
        # Each basis map is 1 on its orbit and 0 elsewhere, and the diagonal shows the orbits of nodes.
        orbits = basis.to_numpy().argmax(0)
        nodes = np.unique(orbits.diagonal(), return_inverse=True)[1]
        place = nx.kamada_kawai_layout(found.graph)
        nx.draw_networkx(
            found.graph, place, ax=above, node_color=nodes, cmap="tab20", node_size=60, with_labels=False, edge_color="silver"
        )
        above.set_title(f"{name}: {len(found.listed)} automorphisms", fontsize=9)
        colours = np.random.default_rng(0).permutation(basis.dim)
        below.imshow(colours[orbits], cmap="nipy_spectral" if basis.dim > 20 else "tab20")
        below.set_title(f"{basis.dim} orbits of {orbits.size} pairs", fontsize=9)
        above.set_axis_off()
        below.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, and print the table."""
    parser = argparse.ArgumentParser(description="Automorphisms of graphs as symmetries of maps; see the top of this file.")
    parser.add_argument("--graphs", nargs="+", choices=GRAPHS, default=list(GRAPHS), metavar="NAME", help=", ".join(GRAPHS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, help="a folder for graphs.png, and for the symmetry of each graph as a file")
    given = parser.parse_args(arguments)
    print(f"heat: relative errors, medians of seeds {', '.join(map(str, given.seeds))}")
    columns = ("nodes", "automorphisms", "generators", "V >> V", "V*V >> V", *WAYS)
    print(f"{'graph':20}" + "".join(f"{name:>{max(len(name), 6) + 2}}" for name in columns))
    shown = {}
    for name in given.graphs:
        found = symmetry_of(GRAPHS[name](), name)
        pairs, triples = check(name, found)
        truth = expm(-laplacian(found.graph).astype(float))
        Q = pairs.to_numpy(orthonormal=True).reshape(pairs.dim, -1)
        errors = [f"{np.median([learn(truth, Q, way, seed) for seed in given.seeds]):.3f}" for way in WAYS]
        counts = (len(truth), len(found.listed), len(found.group.rep.matrices), pairs.dim, triples)
        cells = zip(columns, (*map(str, counts), *errors), strict=True)
        print(f"{name:20}" + "".join(f"{cell:>{max(len(column), 6) + 2}}" for column, cell in cells), flush=True)
        shown[name] = found, pairs
    print("every number of maps is the one that Burnside's lemma counts from all automorphisms")
    if given.out is not None:
        draw({name: shown[name] for name in list(shown)[:4]}, given.out / "graphs.png")
        for name, (found, _) in shown.items():
            rc.dump(
                rc.Spec(found.group, {"nodes": found.group.rep}, {"layer": found.group.rep >> found.group.rep}),
                given.out / f"{name}.toml",
            )
        print(f"wrote {given.out / 'graphs.png'} and {len(shown)} files for `repcore solve`")


if __name__ == "__main__":
    main()
