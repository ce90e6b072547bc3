"""repcore: a declared symmetry, solved exactly into its equivariant maps.

    declare  ->  solve  ->  plan  ->  execute

Declare a group by exact generators (:class:`Group`, :func:`PermutationGroup`, or by name), write representations as
expressions (``4 * one + V * V.dual``), solve ``X >> Y`` with :func:`solve`, and hand the answer to NumPy, PyTorch
(``repcore_torch``) or JAX (``repcore_jax``) as a :func:`plan`.
"""

from repcore.adaptive.bounds import BranchBounds, branch_bounds
from repcore.adaptive.controllers import (
    AugmentedLagrangian,
    Controller,
    Equality,
    Fixed,
    Inequality,
    Proximal,
    Resilient,
    Schedule,
)
from repcore.adaptive.history import History, Moment
from repcore.adaptive.rows import gamma_rows, live_rows
from repcore.adaptive.stepper import Stepper
from repcore.basis import EquivariantBasis
from repcore.bounds import LayerBound, NetworkBound
from repcore.curve import SoftnessCurve, SoftnessPoint, softness_curve
from repcore.decompose.decomposition import Component, Decomposition, Irrep
from repcore.decompose.gram import Orthonormal
from repcore.decompose.haar import HaarProjector
from repcore.defect import Bracket, Defect, Energy
from repcore.errors import (
    DeclarationError,
    GroupTooLargeError,
    IncompatibleError,
    MemoryLimitError,
    NotCompletelyReducibleError,
    NumberError,
    RepcoreError,
    RepcoreWarning,
    RepresentationError,
    SolveError,
    SpecError,
    StoreError,
)
from repcore.exact.field import Field
from repcore.exact.matrix import Matrix, matrix
from repcore.exact.number import Number, number
from repcore.groups.characters import CharacterTable, RationalCharacter, RealCharacter, character_table
from repcore.groups.classes import Classes
from repcore.groups.finite import order
from repcore.groups.group import Group, PermutationGroup, direct_product
from repcore.groups.named import (
    GL,
    SE,
    SL,
    SO,
    SU,
    E,
    O,
    Sp,
    U,
    affine,
    alternating,
    cyclic,
    dihedral,
    hyperoctahedral,
    icosahedral,
    lorentz,
    octahedral,
    quaternion,
    scaling,
    symmetric,
    tetrahedral,
    translations,
)
from repcore.interchange import Coefficients, ModelFile, dump, load
from repcore.measure import Probe, layer_reports, measure, probe
from repcore.plan import Block, Choice, Factor, Fourier, IrrepGroup, Layer, Orbit, Panel, Plan, Schur
from repcore.plot import plot
from repcore.report import LayerReport, LayerReports, Report
from repcore.reps.affine import AffineMaps, affine_maps
from repcore.reps.character import Character, character, hom_dimension
from repcore.reps.cosets import quotient, regular
from repcore.reps.features import FeatureField, pointwise
from repcore.reps.function_maps import FunctionMaps
from repcore.reps.functions import FunctionSpace, functions
from repcore.reps.hom import Hom
from repcore.reps.induced import induced
from repcore.reps.irreps import irrep, irreps_from
from repcore.reps.lifted import lift
from repcore.reps.molien import molien
from repcore.reps.multilinear import Multilinear, multilinear
from repcore.reps.permutation import grid, permutation
from repcore.reps.real_irreps import irreps
from repcore.reps.scales import to_orthonormal
from repcore.reps.tensors import TensorMaps, tensor_maps, tensors
from repcore.reps.tree import Rep, trivial
from repcore.rules.resolve import resolve
from repcore.rules.rule import Rule
from repcore.rules.site import Site, Sites
from repcore.rules.slot import Slot
from repcore.rules.spaces import space_of
from repcore.rules.view import View, view_of
from repcore.rules.weights import site_weights
from repcore.sample import Samples, sample
from repcore.soft import Cells, Cutoff, Heat, Level, Soft, SoftBound, SpectralBlock, SpectralPlan, Tikhonov
from repcore.soft.dial import gains_at
from repcore.solve.certificate import Certificate, Step
from repcore.solve.progress import Progress
from repcore.spec import Spec
from repcore.store.cached import explain, invariants, plan, solve
from repcore.store.decomposed import decompose, decompose_together, gram, haar_projector, orthogonalised
from repcore.store.disk import Store
from repcore.store.features import fields
from repcore.store.kernels import kernels
from repcore.store.many import solve_many
from repcore.store.measured import defect
from repcore.store.softened import soften
from repcore.verify import Verification, verify
from repcore.word import Word

__version__ = "0.1.0"

__all__ = [
    "GL",
    "SE",
    "SL",
    "SO",
    "SU",
    "AffineMaps",
    "AugmentedLagrangian",
    "Block",
    "Bracket",
    "BranchBounds",
    "Cells",
    "Certificate",
    "Character",
    "CharacterTable",
    "Choice",
    "Classes",
    "Coefficients",
    "Component",
    "Controller",
    "Cutoff",
    "DeclarationError",
    "Decomposition",
    "Defect",
    "E",
    "Energy",
    "Equality",
    "EquivariantBasis",
    "Factor",
    "FeatureField",
    "Field",
    "Fixed",
    "Fourier",
    "FunctionMaps",
    "FunctionSpace",
    "Group",
    "GroupTooLargeError",
    "HaarProjector",
    "Heat",
    "History",
    "Hom",
    "IncompatibleError",
    "Inequality",
    "Irrep",
    "IrrepGroup",
    "Layer",
    "LayerBound",
    "LayerReport",
    "LayerReports",
    "Level",
    "Matrix",
    "MemoryLimitError",
    "ModelFile",
    "Moment",
    "Multilinear",
    "NetworkBound",
    "NotCompletelyReducibleError",
    "Number",
    "NumberError",
    "O",
    "Orbit",
    "Orthonormal",
    "Panel",
    "PermutationGroup",
    "Plan",
    "Probe",
    "Progress",
    "Proximal",
    "RationalCharacter",
    "RealCharacter",
    "Rep",
    "RepcoreError",
    "RepcoreWarning",
    "Report",
    "RepresentationError",
    "Resilient",
    "Rule",
    "Samples",
    "Schedule",
    "Schur",
    "Site",
    "Sites",
    "Slot",
    "Soft",
    "SoftBound",
    "SoftnessCurve",
    "SoftnessPoint",
    "SolveError",
    "Sp",
    "Spec",
    "SpecError",
    "SpectralBlock",
    "SpectralPlan",
    "Step",
    "Stepper",
    "Store",
    "StoreError",
    "TensorMaps",
    "Tikhonov",
    "U",
    "Verification",
    "View",
    "Word",
    "__version__",
    "affine",
    "affine_maps",
    "alternating",
    "branch_bounds",
    "character",
    "character_table",
    "cyclic",
    "decompose",
    "decompose_together",
    "defect",
    "dihedral",
    "direct_product",
    "dump",
    "explain",
    "fields",
    "functions",
    "gains_at",
    "gamma_rows",
    "gram",
    "grid",
    "haar_projector",
    "hom_dimension",
    "hyperoctahedral",
    "icosahedral",
    "induced",
    "invariants",
    "irrep",
    "irreps",
    "irreps_from",
    "kernels",
    "layer_reports",
    "lift",
    "live_rows",
    "load",
    "lorentz",
    "matrix",
    "measure",
    "molien",
    "multilinear",
    "number",
    "octahedral",
    "order",
    "orthogonalised",
    "permutation",
    "plan",
    "plot",
    "pointwise",
    "probe",
    "quaternion",
    "quotient",
    "regular",
    "resolve",
    "sample",
    "scaling",
    "site_weights",
    "soften",
    "softness_curve",
    "solve",
    "solve_many",
    "space_of",
    "symmetric",
    "tensor_maps",
    "tensors",
    "tetrahedral",
    "to_orthonormal",
    "translations",
    "trivial",
    "verify",
    "view_of",
]
