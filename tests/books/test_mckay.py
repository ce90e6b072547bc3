"""McKay's correspondence: finite subgroups of SL(2, C), affine Dynkin diagrams, Klein's singularities."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pytest
from sympy import Matrix as Integers

import repcore as rc


def cyclic(n: int) -> Any:
    return rc.Group([[[f"zeta({n})", 0], [0, f"zeta({n})**{n - 1}"]]])


def dicyclic(n: int) -> Any:
    """Order 4 n."""
    return rc.Group([[[f"zeta({2 * n})", 0], [0, f"zeta({2 * n})**{2 * n - 1}"]], [[0, 1], [-1, 0]]])


# Unit quaternions a + b i + c j + d k as matrices [[a + b i, c + d i], [-c + d i, a - b i]].
I4: Any = [["I", 0], [0, "-I"]]
OMEGA: Any = [["(1 + I)/2", "(1 + I)/2"], ["(-1 + I)/2", "(1 - I)/2"]]
EIGHTH: Any = [["zeta(8)", 0], [0, "zeta(8)**7"]]
TENTH: Any = [["(1 + sqrt(5))/4 + (sqrt(5) - 1)/4*I", "1/2"], ["-1/2", "(1 + sqrt(5))/4 - (sqrt(5) - 1)/4*I"]]


def tetrahedral() -> Any:
    return rc.Group([I4, OMEGA])


def octahedral() -> Any:
    return rc.Group([EIGHTH, OMEGA])


def icosahedral() -> Any:
    return rc.Group([OMEGA, TENTH])


def realified(make: Callable[[], Any]) -> Any:
    """The same group on R^4: left multiplication on the quaternions."""
    return rc.Group(list(make().rep.realify().matrices))


# -- affine diagrams, drawn here -------------------------------------------------------------------------------------------


def star(*arms: int) -> nx.Graph:
    """Lines of these lengths from node 0."""
    out = nx.Graph()
    out.add_node(0)
    for arm, length in enumerate(arms):
        nx.add_path(out, [0, *((arm, i) for i in range(length))])
    return out


def affine_a(n: int) -> nx.Graph:
    """A cycle of n + 1 nodes; two nodes and a double edge for n = 1."""
    if n == 1:
        out = nx.Graph()
        out.add_edge(0, 1, weight=2)
        return out
    return nx.cycle_graph(n + 1)


def affine_d(n: int) -> nx.Graph:
    """A line of n - 3 nodes with two more at each end."""
    out = nx.path_graph(n - 3)
    out.add_edges_from([(0, "a"), (0, "b"), (n - 4, "c"), (n - 4, "d")])
    return out


def marks(diagram: nx.Graph) -> dict[Any, int]:
    """The null vector of 2 - A with coprime positive entries, here the kernel of an integer matrix (SymPy)."""
    nodes = list(diagram)
    a = nx.to_numpy_array(diagram, nodelist=nodes, dtype=int)
    (null,) = Integers((2 * np.eye(len(nodes), dtype=int) - a).tolist()).nullspace()
    least = min(abs(x) for x in null)
    return {v: int(x / least) for v, x in zip(nodes, null, strict=True)}


# Name, group, order, diagram, marks as in Bourbaki's plates, Klein's degrees of x, y, z and of their relation, Coxeter number.
DIAGRAMS: list[tuple[str, Callable[[], Any], int, nx.Graph, list[int], list[int], int]] = [
    *((f"A{n - 1}", lambda n=n: cyclic(n), n, affine_a(n - 1), [1] * n, [2, n, n, 2 * n], n) for n in (2, 3, 4, 5, 6, 9, 12)),
    *(
        (
            f"D{n + 2}",
            lambda n=n: dicyclic(n),
            4 * n,
            affine_d(n + 2),
            [1] * 4 + [2] * (n - 1),
            [4, 2 * n, 2 * n + 2, 4 * n + 4],
            2 * n + 2,
        )
        for n in (2, 3, 4, 5, 6, 9)
    ),
    ("E6", tetrahedral, 24, star(2, 2, 2), [1, 1, 1, 2, 2, 2, 3], [6, 8, 12, 24], 12),
    ("E7", octahedral, 48, star(1, 3, 3), [1, 1, 2, 2, 2, 3, 3, 4], [8, 12, 18, 36], 18),
    ("E8", icosahedral, 120, star(1, 2, 5), [1, 2, 2, 3, 3, 4, 4, 5, 6], [12, 20, 30, 60], 30),
]


def tensor_matrix(group: Any, rep: Any) -> Any:
    """How often chi_j stands in chi_i chi_V."""
    table = rc.character_table(group)
    chi = rc.character(rep).residues()
    found = table.inner_products(table.residues * chi % table.modulus.prime)
    return np.asarray(found, dtype=int)


def mckay(group: Any, rep: Any) -> nx.Graph:
    """One node for each irreducible with its degree; edges weighted by how often they meet in the tensor product."""
    a = tensor_matrix(group, rep)
    assert np.array_equal(a, a.T)
    out = nx.from_numpy_array(a)
    nx.set_node_attributes(out, dict(enumerate(rc.character_table(group).degrees)), "degree")
    return out


def same(one: nx.Graph, other: nx.Graph) -> bool:
    """Isomorphic, degrees onto marks and multiplicities onto bonds."""
    return nx.is_isomorphic(
        one,
        other,
        node_match=lambda a, b: a["degree"] == b["degree"],
        edge_match=lambda a, b: a.get("weight", 1) == b.get("weight", 1),
    )


every_group = pytest.mark.parametrize(
    ("make", "order", "diagram", "labels", "klein", "coxeter"), [d[1:] for d in DIAGRAMS], ids=[d[0] for d in DIAGRAMS]
)


@every_group
def test_graphs_are_affine_diagrams_and_degrees_are_marks(
    make: Callable[[], Any], order: int, diagram: nx.Graph, labels: list[int], klein: list[int], coxeter: int
) -> None:
    group = make()
    graph = mckay(group, group.rep)
    assert rc.order(group) == order == sum(x * x for x in labels)
    drawn = diagram.copy()
    nx.set_node_attributes(drawn, marks(diagram), "degree")
    assert sorted(rc.character_table(group).degrees) == sorted(marks(diagram).values()) == labels
    assert same(graph, drawn)
    # Coxeter's number is the sum of the marks. The node that makes the diagram affine is the trivial representation.
    assert sum(labels) == coxeter
    finite = graph.copy()
    finite.remove_node(0)
    assert all(same(finite, drawn.subgraph(set(drawn) - {v}).copy()) for v, x in drawn.nodes(data="degree") if x == 1)
    # Its Cartan matrix is positive definite, with the number of linear characters for determinant: the centre of the Lie group.
    cartan = Integers((2 * np.eye(len(finite), dtype=int) - nx.to_numpy_array(finite, dtype=int)).tolist())
    assert cartan.is_positive_definite
    assert cartan.det() == labels.count(1)


@every_group
def test_columns_of_the_character_table_are_eigenvectors(
    make: Callable[[], Any], order: int, diagram: nx.Graph, labels: list[int], klein: list[int], coxeter: int
) -> None:
    """A column(g) = chi_V(g) column(g), so that 2 - chi_V are the eigenvalues of the affine Cartan matrix (McKay, Steinberg)."""
    group = make()
    table, chi = rc.character_table(group), rc.character(group.rep)
    a = tensor_matrix(group, group.rep)
    for j in range(len(table)):
        column = np.array(table.column(j), dtype=object)
        assert np.array_equal(a.astype(object) @ column, column * chi[j])
        assert (chi[j] == 2) == (j == 0)


@every_group
def test_klein_invariants(
    make: Callable[[], Any], order: int, diagram: nx.Graph, labels: list[int], klein: list[int], coxeter: int
) -> None:
    """C[u, v]^G is generated by x, y, z with one relation, whose degrees are Klein's: the rational double points."""
    out = [1] + [0] * 79
    if klein[3] < 80:
        out[klein[3]] -= 1
    for d in klein[:3]:
        for k in range(d, 80):
            out[k] += out[k - d]
    assert list(rc.molien(make().rep, 80)) == out


@pytest.mark.parametrize(
    ("make", "a", "coxeter"),
    [
        *((lambda n=n: dicyclic(n), 4, 2 * n + 2) for n in (2, 3, 4, 5)),
        (tetrahedral, 6, 12),
        (octahedral, 8, 18),
        (icosahedral, 12, 30),
    ],
    ids=["D4", "D5", "D6", "D7", "E6", "E7", "E8"],
)
def test_kostant_generating_functions(make: Callable[[], Any], a: int, coxeter: int) -> None:
    """sum_k <chi_i, Sym^k V> t^k = z_i(t) / ((1 - t^a)(1 - t^b)), a + b = h + 2, a b = 2 |G|, with z_0 = 1 + t^h and z_i a sum of
    2 chi_i(1) powers of t between 1 and h - 1, the same read from either end (Kostant 1984)."""
    group = make()
    table, b = rc.character_table(group), coxeter + 2 - a
    assert a * b == 2 * rc.order(group)
    terms = coxeter + a + b + 2
    rows = np.array([rc.character(group.rep.sym(k)).multiplicities for k in range(terms)], dtype=int).T
    # The terms from h + 1 on vanish: so the product with the denominator is a polynomial, as far as it is seen.
    for d in (a, b):
        rows = rows - np.concatenate([np.zeros((len(rows), d), int), rows[:, : terms - d]], axis=1)
    assert not rows[:, coxeter + 1 :].any()
    z = rows[:, : coxeter + 1]
    assert z[0].tolist() == [1] + [0] * (coxeter - 1) + [1]
    assert (z >= 0).all()
    assert z.sum(axis=1).tolist() == [2 * d for d in table.degrees]
    assert np.array_equal(z, z[:, ::-1])
    assert not z[1:, [0, -1]].any()


def test_kostant_polynomials_of_e8() -> None:
    """V itself has z = t + t^11 + t^19 + t^29, and 2 |G| = 240 is the number of roots."""
    group = icosahedral()
    table = rc.character_table(group)
    mine = rc.character(group.rep).multiplicities.index(1)
    found = [rc.character(group.rep.sym(k)).multiplicities[mine] for k in range(60)]
    book = [int(k in (1, 11, 19, 29)) for k in range(60)]
    for d in (12, 20):
        for k in range(d, 60):
            book[k] += book[k - d]
    assert found == book
    assert 2 * sum(d * d for d in table.degrees) == 240


@pytest.mark.parametrize(
    ("make", "drawn"),
    [(tetrahedral, star(2, 2, 2)), (octahedral, star(1, 3, 3)), (icosahedral, star(1, 2, 5))],
    ids=["E6", "E7", "E8"],
)
def test_the_same_on_real_quaternions(make: Callable[[], Any], drawn: nx.Graph) -> None:
    """On R^4 the character is twice that of V: every bond doubled. The abstract group is the same."""
    group = realified(make)
    assert group.dim == 4
    assert rc.hom_dimension(group.rep, group.rep) == 4
    a = tensor_matrix(group, group.rep)
    assert not (a % 2).any()
    graph = nx.from_numpy_array(a // 2)
    assert nx.is_isomorphic(graph, drawn)
    assert sorted(rc.character_table(group).degrees) == sorted(marks(drawn).values())
    # In one irreducible of quaternionic type, that R^4 is.
    (row,) = [i for i, m in enumerate(rc.character(group.rep).multiplicities) if m]
    assert rc.character(group.rep).multiplicities[row] == 2
    assert rc.character_table(group).indicators[row] == -1


@pytest.mark.parametrize("m", range(2, 8))
def test_named_quaternion_groups_give_affine_d(m: int) -> None:
    group = rc.quaternion(4 * m)
    a = tensor_matrix(group, group.rep)
    assert nx.is_isomorphic(nx.from_numpy_array(a // 2), affine_d(m + 2))
    assert sorted(rc.character_table(group).degrees) == sorted(marks(affine_d(m + 2)).values())


def test_bonds_alternate_between_real_and_quaternionic() -> None:
    """-1 is in all these groups: each bond joins a representation of the rotation group to one that is not; and the indicators
    are those of the books."""
    books = {"E6": (tetrahedral, 12, [1, 3]), "E7": (octahedral, 24, [1, 1, 2, 3, 3]), "E8": (icosahedral, 60, [1, 3, 3, 4, 5])}
    for make, rotations, degrees in books.values():
        group = make()
        table = rc.character_table(group)
        graph = mckay(group, group.rep)
        sides = nx.bipartite.color(graph)
        even = [i for i in graph if sides[i] == sides[0]]
        assert sum(table.degrees[i] ** 2 for i in even) == rotations
        assert sorted(table.degrees[i] for i in even if table.indicators[i] == 1) == degrees
        assert all(table.indicators[i] <= 0 for i in graph if sides[i] != sides[0])
        assert all(table.indicators[i] >= 0 for i in even)


def test_restriction_folds_affine_e6_into_affine_f4() -> None:
    """Slodowy: the irreducibles of the binary octahedral group restricted to the tetrahedral one, tensored with V: a line of five
    nodes from the trivial one, whose third bond is double in one direction."""
    large = octahedral()
    small = rc.Group([OMEGA, rc.matrix(EIGHTH) @ rc.matrix(EIGHTH)])
    assert rc.order(small) == 24
    table, upper = rc.character_table(small), rc.character_table(large)
    assert 0 not in upper.indicators
    # Real irreducibles of quaternionic type hold their character twice.
    restricted = [
        np.array(rc.character(U.restrict(small)).multiplicities) // (1 if r.type == "real" else 2)
        for U, r in zip(rc.irreps(large), upper.real, strict=True)
    ]
    kinds = sorted({tuple(x.tolist()) for x in restricted}, reverse=True)
    assert sorted(sum(m * d for m, d in zip(kind, table.degrees, strict=True)) for kind in kinds) == [1, 2, 2, 3, 4]
    tensor = tensor_matrix(small, small.rep)
    basis = np.array(kinds)
    # The kinds share no constituent, so that coefficients are read off at one constituent of each.
    at = [int(np.flatnonzero(kind)[0]) for kind in kinds]
    folded = (basis @ tensor)[:, at]
    assert np.array_equal(folded @ basis, basis @ tensor)
    line = nx.from_numpy_array(np.minimum(folded, folded.T))
    assert nx.is_isomorphic(line, nx.path_graph(5))
    path = [kinds.index(tuple(int(i == 0) for i in range(len(table))))]
    while fresh := [v for v in line[path[-1]] if v not in path]:
        path += fresh
    assert [(int(folded[i, j]), int(folded[j, i])) for i, j in pairwise(path)] == [(1, 1), (1, 1), (1, 2), (1, 1)]
