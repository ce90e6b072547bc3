"""The canonical form is a file format: these digests may change only together with ``repcore.reps.hom.FORMAT``.

A stored basis is found by the digest of its space, so a change of the canonical order of anything (elements of a group, cosets,
monomials, unknowns) that leaves the space's digest as it was would make caches and files lie. This test notices it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import repcore as rc
from repcore.reps.hom import FORMAT

GOLDEN: dict[str, tuple[Callable[[], rc.Hom], int, str, str]] = {
    "D4: V*V >> V*V": (
        lambda: rc.dihedral(4).rep ** 2 >> rc.dihedral(4).rep ** 2,
        4,
        "fa99ff01a1ba343b",
        "f965ac832da51059",
    ),
    "C8: 2*V + 1 >> V": (
        lambda: 2 * rc.cyclic(8).rep + rc.trivial(rc.cyclic(8)) >> rc.cyclic(8).rep,
        4,
        "068230de990f8f81",
        "bbf5085080810f78",
    ),
    "SO(3): V**3 >> V**2": (
        lambda: rc.SO(3).rep ** 3 >> rc.SO(3).rep ** 2,
        6,
        "07b590b0e39226b3",
        "53d3771f443b34fb",
    ),
    "S4: V**2 >> V**2": (
        lambda: rc.symmetric(4).rep ** 2 >> rc.symmetric(4).rep ** 2,
        15,
        "b13b285baab08705",
        "84b91b6153795892",
    ),
    "D6: regular >> regular": (
        lambda: rc.regular(rc.dihedral(6)) >> rc.regular(rc.dihedral(6)),
        12,
        "dffb3aa5b4647b76",
        "f3e0e7a442ff29f9",
    ),
    "I: V**2 >> V.sym(2)": (
        lambda: rc.icosahedral().rep ** 2 >> rc.icosahedral().rep.sym(2),
        2,
        "99865f4fb1163edd",
        "d7a003394c14b448",
    ),
    "SU(2): V >> V": (
        lambda: rc.SU(2).rep >> rc.SU(2).rep,
        1,
        "8bae5a40f81b5b49",
        "9455e1e278a1935f",
    ),
    "Sp(4): V**2 >> V**2": (
        lambda: rc.Sp(4).rep ** 2 >> rc.Sp(4).rep ** 2,
        3,
        "6e4b0d3ca4b5ef1c",
        "fba7fe3af49cc41b",
    ),
    "Aff(2): V**2 >> V": (
        lambda: rc.affine(2).rep ** 2 >> rc.affine(2).rep,
        2,
        "aeffd87d686dbc60",
        "49b6fb7a37360d39",
    ),
    "O(3): 1o*2e >> 1o+3o": (
        lambda: rc.irrep(rc.O(3), "1o") * rc.irrep(rc.O(3), "2e") >> rc.irreps_from("1o+3o", rc.O(3)),
        2,
        "1e06b89896902837",
        "3b32c63f7d219de5",
    ),
    "D4: grid 4 >> regular": (
        lambda: rc.grid(rc.dihedral(4), 4) >> rc.regular(rc.dihedral(4)),
        16,
        "cf2b471177822753",
        "0959965be2073bf9",
    ),
}


def test_the_format_these_digests_belong_to() -> None:
    assert FORMAT == "repcore-basis-1"


@pytest.mark.parametrize("name", GOLDEN)
def test_digests_are_pinned(name: str) -> None:
    make, dim, space_digest, basis_digest = GOLDEN[name]
    basis = rc.solve(make(), store=None)
    assert basis.dim == dim
    assert basis.space.digest[:16] == space_digest
    assert basis.digest[:16] == basis_digest


def test_the_order_of_group_elements_is_pinned() -> None:
    regular = rc.regular(rc.dihedral(4))
    assert [regular.matrix(i).T.cols.tolist() for i in (0, 1)] == [[3, 2, 6, 7, 0, 1, 5, 4], [1, 0, 4, 5, 2, 3, 7, 6]]
