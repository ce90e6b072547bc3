"""The instances that EMLP's own tests solve, rebuilt: they are not in its wheel.

Its repository (mfinzi/equivariant-MLP, ``tests/equivariance_tests.py`` and ``tests/product_groups_tests.py``) solves 42 groups
on T(p, q) with p + q <= 10 as far as its size filter lets it, one sum of tensors for all groups, one product for the groups of
dimension below 5, seven spaces of maps, and four sums over SO(3) x S_5 in both orders of the factors. Its two bilinear tests
solve nothing that these do not, its test of 256 random channels differs from run to run; both are left out.
"""

from __future__ import annotations

from typing import Any

import repcore as rc

NAMED: list[tuple[Any, ...]] = [
    *[(kind, n) for kind in ("SO", "O", "SU", "U", "SL", "GL") for n in (2, 3, 4)],
    *[(kind, n) for kind in ("C", "D") for n in (2, 3, 4, 8)],
    *[(kind, n) for kind in ("S", "Z") for n in (2, 4, 6)],
    ("SO11p",),
    ("SO13p",),
    ("SO13",),
    ("O13",),
    ("Sp", 1),
    ("Sp", 3),
    ("RubiksCube",),
    ("Cube",),
    ("ZksZnxZn", 2, 2),
    ("ZksZnxZn", 4, 4),
]

SHOWN = {"RubiksCube", "Cube", "ZksZnxZn"}
"""Groups whose generators are asked of EMLP: for its own moves of the cube the answer has to be right as well."""

_INVARIANTS = [[1, 0, 0]]

SUM = [[5, 0, 0], [5, 1, 0], [1, 0, 1], [5, 0, 2], [1, 1, 1], [1, 2, 0]]
PRODUCT = [[1, 3, 2]]

MAPS: list[tuple[tuple[Any, ...], Any, Any]] = [
    (("SO", 3), [[1, 1, 0], [2, 0, 0]], [[2, 1, 0], [1, 2, 0], [2, 0, 0]]),
    (("SO", 3), [[5, 0, 0], [5, 1, 0]], [[3, 0, 0], [1, 2, 0], [2, 1, 0]]),
    (("SO", 3), [[5, 0, 0], [5, 1, 0]], [[2, 0, 0], [3, 1, 0], [1, 2, 0]]),
    (("SO", 4), [[1, 1, 0], [2, 2, 0]], [[1, 0, 0], [1, 3, 0]]),
    (
        ("SO13p",),
        [[1, 2, 0], [4, 1, 0], [1, 0, 1]],
        [[10, 0, 0], [3, 1, 0], [3, 0, 1], [1, 0, 2], [1, 2, 0], [1, 1, 1]],
    ),
    # (V + 2 V^2) (V* + V)* + V*
    (("Sp", 2), [[1, 2, 0], [1, 1, 1], [2, 3, 0], [2, 2, 1], [1, 0, 1]], [[3, 0, 0], [1, 1, 0], [1, 1, 1]]),
    (
        ("SU", 3),
        [[1, 2, 0], [1, 1, 1], [1, 0, 0], [2, 0, 1]],
        [[1, 1, 1], [1, 1, 0], [1, 0, 1], [1, 0, 0], [1, 2, 0], [1, 0, 2]],
    ),
]

_ONE = [1, (0, 0), (0, 0)]

PRODUCTS: list[tuple[Any, Any]] = [
    ([_ONE], [[1, (2, 0), (1, 0)]]),
    ([_ONE], [[1, (2, 0), (1, 0)], [2, (0, 0), (2, 0)], [1, (1, 0), (0, 0)], [1, (0, 0), (1, 0)]]),
    ([_ONE, [2, (1, 0), (0, 0)], [1, (2, 0), (0, 0)]], [_ONE, [1, (0, 0), (1, 0)]]),
    (
        [[1, (0, 0), (2, 0)], [3, (0, 0), (0, 0)], [1, (0, 0), (1, 0)], [2, (2, 0), (1, 0)]],
        [[1, (1, 0), (0, 0)], [1, (2, 0), (0, 0)], [1, (1, 0), (1, 0)], _ONE, [1, (2, 0), (1, 0)]],
    ),
]


def instances(d: int, constraints: int, orthogonal: bool) -> list[dict[str, Any]]:
    """The spaces that its tests solve for one group of matrices d x d, smallest first; the sum and the product at the end."""
    tensors = [
        (p, q) for p in range(11) for q in range(11 - p) if constraints * d ** (3 * (p + q)) <= 1e11 and not (orthogonal and q)
    ]
    tensors.sort(key=lambda t: (t[0] + t[1], t))
    spaces = [{"name": f"T({p},{q})", "x": _INVARIANTS, "y": [[1, p, q]], "size": d ** (p + q)} for p, q in tensors]
    spaces.append({"name": "sum", "x": _INVARIANTS, "y": SUM, "size": d * d})
    if d < 5:
        spaces.append({"name": "product", "x": _INVARIANTS, "y": PRODUCT, "size": d**5})
    return spaces


def declared(spec: Any) -> rc.Group:
    """The same group for repcore; ``spec`` is EMLP's name with its arguments, or permutations, or a list of factors."""
    if isinstance(spec, dict):
        return rc.PermutationGroup(spec["permutations"])
    if isinstance(spec[0], list | tuple):
        return rc.direct_product(*map(declared, spec))
    name, *args = spec
    if name in ("SO", "O", "SU", "U", "SL"):
        return getattr(rc, name)(*args)
    if name == "GL":
        return rc.Group(lie=rc.GL(*args).lie)  # EMLP's is the connected component
    if name == "Sp":
        return rc.Sp(2 * args[0])
    if name == "S":
        return rc.symmetric(*args)
    if name == "C":
        return rc.cyclic(*args)
    if name == "D":
        return rc.dihedral(*args)
    if name == "Z":
        return rc.PermutationGroup([[*range(1, args[0]), 0]])
    if name == "SO11p":
        return rc.Group(lie=[[[0, 1], [1, 0]]])
    minus = [[-int(i == j) for j in range(4)] for i in range(4)]
    time = [[(-1 if i == 0 else 1) * int(i == j) for j in range(4)] for i in range(4)]
    extra = {"SO13p": [], "SO13": [minus], "O13": [minus, time]}[name]
    return rc.Group(discrete=extra, lie=rc.lorentz().lie)


def product_hom(group: rc.Group, space: dict[str, Any]) -> rc.Hom:
    """X >> Y over a direct product; a term is [count, (p, q) of each factor]."""

    def rep(terms: list[Any]) -> rc.Rep:
        out: rc.Rep | None = None
        for count, *powers in terms:
            term = rc.trivial(group)
            for i, (p, q) in enumerate(powers):
                V = rc.lift(group.factors[i].rep, group, factor=i)
                term = term * V**p if p else term
                term = term * V.dual**q if q else term
            out = count * term if out is None else out + count * term
        if out is None:
            raise ValueError("terms: a sum needs a term")
        return out

    return rep(space["x"]) >> rep(space["y"])
