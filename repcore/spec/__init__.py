"""The declarative file: a symmetry, its representations and maps, as TOML or JSON.

A file has these tables, the last two where they are wanted::

    [group]                                # exactly one way to say which:
    builtin = "SO(3)"                      #   a named group: "dihedral(4)", "lorentz(full)", "quaternion()", ...
    # permutations = ["(0 1 2 3)", [1, 0, 2, 3]]      0-based cycles, or lists of images
    # discrete = [[[0, -1], [1, 0]], [[1, 0], [0, "-1"]]]   and / or   lie = [...]
    # product = ["SO(3)", { permutations = ["(0 1)"] }]
    name = "mine"                          # optional: a label
    # dim = 4                              # optional: the size of the matrices, or the number of points

    [reps]                                 # in any order; V is the defining representation, 1 the trivial one
    X = "4*1 + 2*V"                        # + * ** and copies, as in Python
    Y = "V*V + dual(V) + sym(V, 2) + U"    # dual conj realify sym alt regular permutation grid lift trivial
    U = { discrete = [[[-1]], [[1]]] }     # images of the generators; or permutations = [...]
    P = { grid = 8 }                       # the cells of an 8 x 8 image; { quotient = [generators] }: cosets
    B = { grid = [3, 5], spatial = "V" }   # sizes in array order; spatial: how the group moves them, V if left out
    F = { factor = 0, lie = [...] }        # images of the generators of factor 0 of a product; lift(V, 0) is its own V
    R = { restrict = "V*V", of = { builtin = "SO(3)" } }     # a representation of a larger group, seen by this one
    C = { tensors = "ijkl=jikl=ijlk=klij", of = "V" }        # an index symmetry; of = { i = "V", j = "W", ... } for each index
    I = { induced = "W + 1", of = { builtin = "cyclic(4)" }, reps = { W = { discrete = [[["I"]]] } } }     # from a subgroup

    [maps]
    layer1 = "X >> Y"

    [rules]                                # which weights of a model map what: repcore_torch.symmetrize(model, spec)
    "encoder.*.linear" = "X >> Y"          # a pattern of names = a space, or the name of a map
    "stem.conv" = { maps = "3*1 >> X", spatial = "V" }      # with the options of repcore.Rule

Entries of matrices follow the grammar of exact numbers: ``1``, ``"1/2"``, ``"sqrt(2)/2"``. Names that begin with an
underscore can be used by others but are no part of ``Spec.reps``. What stands in ``restrict`` and ``induced`` is an expression
over the group ``of``, with names of its own in ``reps``. Nothing in a file is ever executed.
"""

from repcore.spec.files import dump, load
from repcore.spec.spec import Spec
from repcore.spec.table import Table

__all__ = ["Spec", "Table", "dump", "load"]
