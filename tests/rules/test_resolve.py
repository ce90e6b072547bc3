"""Rules to sites: what each kind of layer makes of a space, and what is refused."""

import re

import numpy as np
import pytest

import repcore as rc

D4 = rc.dihedral(4)
V, ONE, R = D4.rep, rc.trivial(D4), rc.regular(D4)
Z2 = rc.cyclic(2)


def slot(path, shape, axes, **more):
    owner, _, last = path.rpartition(".")
    given = {"role": "bias" if last == "bias" else "weight", "kind": "linear"} | more
    return rc.Slot(path, owner, shape=shape, axes=tuple(axes), **given)


def site(rule, *slots, **more):
    return rc.resolve({"l": rule}, slots, D4, **more)


def test_a_layer_with_its_bias():
    found = site("V >> 2*regular", slot("l.weight", (16, 2), "oi"), slot("l.bias", (16,), "o"), slot("m.weight", (3, 3), "oi"))
    assert [(s.path, s.plan, s.before, s.after) for s in found] == [
        ("l.weight", rc.plan(V >> 2 * R), 32, 4),
        ("l.bias", rc.plan(ONE >> 2 * R), 16, 2),
    ]
    assert [s.path for s in found.free] == ["m.weight"]
    assert found["l.bias"] is found[1]
    assert "48 parameters become 6" in str(found)
    assert "9 in 1 weights stay free: m.weight" in str(found)


@pytest.mark.parametrize("rule", ["V >> V", V >> V, rc.Rule("V >> V"), "layer"])
def test_texts_spaces_rules_and_names_of_maps_say_the_same(rule):
    spec = rc.Spec(D4, maps={"layer": V >> V})
    (found,) = rc.resolve({"l": rule}, [slot("l.weight", (2, 2), "oi")], spec)
    assert found.plan == rc.plan(V >> V)


def test_a_solved_basis_and_a_plan_are_spaces_too():
    for maps in (rc.solve(V >> V), rc.plan(V >> V)):
        (found,) = site(maps, slot("l.weight", (2, 2), "oi"))
        assert found.plan == rc.plan(V >> V)


def test_a_convolution_is_a_map_between_fields_on_its_kernel():
    (found,) = site("2*V >> 3*regular", slot("l.weight", (24, 4, 3, 3), "oiss", kind="conv"))
    assert found.plan == rc.plan(2 * V * rc.grid(D4, 3) >> 3 * R)


def test_a_convolution_of_one_cell_is_a_matrix():
    (found,) = site("2*V >> 3*regular", slot("l.weight", (24, 4, 1, 1), "oiss", kind="conv"))
    assert found.plan == rc.plan(2 * V >> 3 * R)


def test_a_space_on_the_whole_kernel_is_taken_as_it_is():
    space = 2 * V * rc.grid(D4, 3) >> 3 * R
    (found,) = site(space, slot("l.weight", (24, 4, 3, 3), "oiss", kind="conv"))
    assert found.plan == rc.plan(space)


def test_a_kernel_with_other_axes_wants_to_know_how_the_group_acts_on_them():
    P = rc.PermutationGroup(["(0 1)", "(2 3)"])
    one = rc.trivial(P)
    where = [slot("l.weight", (2, 1, 3), "ois", kind="conv")]
    flip = rc.Rep(P, discrete=[[[-1]], [[1]]], name="flip")
    both = rc.permutation(P, ["(0 1)", [0, 1]])
    with pytest.raises(rc.IncompatibleError, match=re.escape("Rule(space, spatial=...)")):
        rc.resolve({"l": one >> both}, where, P)
    (found,) = rc.resolve({"l": rc.Rule(one >> both, spatial=flip)}, where, P)
    kernel = found.view.write(found.plan.project(found.view.read(np.arange(6.0).reshape(2, 1, 3))))
    assert np.allclose(kernel[0, 0], kernel[1, 0, ::-1], atol=1e-15)


def test_groups_that_do_not_mix():
    conv = slot("l.weight", (16, 8, 3, 3), "oiss", kind="conv", groups=2)
    for rule in ("2*regular >> 2*regular", "regular >> regular"):
        (found,) = site(rule, conv)
        assert found.plan == rc.plan(R * rc.grid(D4, 3) >> R)
        assert found.view.batch == (2,)


def test_groups_that_cut_through_a_field_are_refused():
    with pytest.raises(rc.IncompatibleError, match="not written as 4 copies"):
        site("2*regular >> 2*regular", slot("l.weight", (16, 4, 3, 3), "oiss", kind="conv", groups=4))


def test_a_kernel_for_each_feature_turns_with_the_features():
    (found,) = site("regular >> regular", slot("l.weight", (8, 1, 3, 3), "oiss", kind="conv", groups=8))
    kernels = found.view.write(found.plan.project(found.view.read(np.random.default_rng(0).normal(size=(8, 1, 3, 3)))))
    cells = rc.grid(D4, 3)
    for k in range(2):
        moved = R.matrix(k).to_numpy() @ kernels.reshape(8, 9) @ cells.matrix(k).to_numpy().T
        assert np.allclose(moved, kernels.reshape(8, 9), atol=1e-14)
    assert found.after == 9


def test_a_kernel_for_each_feature_wants_permuted_features():
    with pytest.raises(rc.IncompatibleError, match="does not permute"):
        site("4*V >> 4*V", slot("l.weight", (8, 1, 3, 3), "oiss", kind="conv", groups=8))


def test_groups_are_told_by_the_rule_where_the_weight_does_not_tell():
    (found,) = site("2*regular >> 2*regular", slot("l.weight", (3, 3, 8, 16), "ssio", kind="conv", groups=0))
    assert (found.view.batch, found.plan) == ((2,), rc.plan(R * rc.grid(D4, 3) >> R))


def test_tokens():
    table = slot("l.weight", (9, 16), "io", kind="embedding")
    (moved,) = site("grid(3) >> 2*regular", table)
    assert moved.plan == rc.plan(rc.grid(D4, 3) >> 2 * R)
    (fixed,) = site("2*regular", table)
    assert (fixed.plan, fixed.view.batch) == (rc.plan(ONE >> 2 * R), (9,))


def test_an_attention_with_heads():
    packed = slot("l.in_proj", (48, 16), "oi", kind="attention", stack=3, heads=2)
    out = slot("l.out", (16, 16), "oi", kind="attention", role="out", heads=2)
    found = site(rc.Rule("2*regular >> 2*regular", inner="2*(4*V)"), packed, out)
    assert found[0].plan == rc.plan(2 * R >> 2 * (4 * V))
    assert found[0].view.batch == (3,)
    assert found[1].plan == rc.plan(2 * (4 * V) >> 2 * R)
    with pytest.raises(rc.IncompatibleError, match="not written as 2 copies"):
        site("regular + 4*V >> regular + 4*V", packed)
    with pytest.raises(rc.IncompatibleError, match="not written as 3 copies"):
        site(rc.Rule("V >> 2*regular", heads=3), slot("l.weight", (16, 2), "oi"))


def test_heads_want_an_inner_product():
    skew = rc.Rep(Z2, discrete=[[[1, 1], [0, -1]]], name="skew")
    with pytest.raises(rc.IncompatibleError, match="not orthogonal"):
        rc.resolve({"l": rc.Rule(skew >> 2 * skew, heads=2)}, [slot("l.weight", (4, 2), "oi")])


def test_norms_are_replaced_or_projected_or_refused():
    scale = slot("l.weight", (8,), "o", kind="layer_norm", role="scale")
    (kept,) = site("regular", scale)
    assert kept.plan == rc.plan(ONE >> R)
    (replaced,) = site("regular >> regular", scale, replaced=("layer_norm",))
    assert (replaced.plan, replaced.rep, replaced.after) == (None, R, None)
    with pytest.raises(rc.IncompatibleError, match="does not permute the features"):
        site("4*V", scale)
    with pytest.raises(rc.IncompatibleError, match="8 features"):
        site("V", scale, replaced=("layer_norm",))
    with pytest.raises(rc.IncompatibleError, match="a norm keeps its features"):
        site("V >> regular", scale)


@pytest.mark.parametrize(
    ("shape", "rule", "batch"),
    [
        ((1, 1, 8), "1 >> regular", (1, 1)),
        ((8,), "regular", ()),
        ((1, 9, 8), "grid(3) >> regular", (1,)),
        ((8, 9), "grid(3) >> regular", ()),
    ],
)
def test_a_tensor_is_read_in_the_one_way_that_fits(shape, rule, batch):
    (found,) = site(rule, slot("l.token", shape, "", kind="tensor"))
    assert (found.view.batch, found.view.rows) == (batch, 8)


def test_a_table_of_vectors_that_looks_like_a_linear_layer_is_told_by_its_axes():
    table = slot("l.weight", (5, 8), "oi")
    with pytest.raises(rc.IncompatibleError, match=r"or Rule.X, axes='b o'. if it is a table of vectors"):
        site(R, table)
    (found,) = site(rc.Rule(R, axes="b o"), table)
    assert (found.view.batch, found.plan.shape, found.after) == ((5,), (8, 1), 5)


def test_a_tensor_that_could_be_read_in_two_ways_is_refused():
    square = slot("l.w", (8, 8), "", kind="tensor")
    with pytest.raises(rc.IncompatibleError, match="two ways"):
        site("regular >> regular", square)
    (found,) = site(rc.Rule("regular >> regular", axes="i o"), square)
    assert not found.view.is_plain
    with pytest.raises(rc.IncompatibleError, match="no axes of the sizes"):
        site("V >> regular", square)


def test_a_bias_of_an_unknown_layer_is_an_invariant():
    found = site("V >> regular", slot("l.w", (8, 2), "", kind="tensor"), slot("l.bias", (8,), "", kind="tensor"))
    assert [s.plan for s in found] == [rc.plan(V >> R), rc.plan(ONE >> R)]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"m": V >> V}, "'m' means no weight"),
        ({"l": V >> V, "l.weight": V >> V}, "both mean 'l.weight'"),
        ({"l": V >> R}, "maps 2 to 2 features; V >> regular maps 2 to 8"),
        ({"l": V}, "write X >> Y"),
        ({"l": 3}, "expected a space X >> Y"),
        ({"l": rc.Rule(V >> V, axes="ois")}, "names 3 axes"),
        ({3: V >> V}, "neither a pattern of names nor a class"),
        ({}, "there are none"),
        ([V >> V], "expected a mapping"),
        ("symmetry.toml", "got str; rc.load(path) reads the spec of a file"),
        ({"l": rc.plan(V >> V), "b": V >> V}, "'b' means no weight"),
    ],
)
def test_refused(rules, message):
    with pytest.raises(rc.IncompatibleError, match=re.escape(message)):
        rc.resolve(rules, [slot("l.weight", (2, 2), "oi")])


def test_the_direction_is_not_guessed():
    with pytest.raises(rc.IncompatibleError, match="turned round"):
        site("regular >> V", slot("l.weight", (8, 2), "oi"))


def test_a_text_wants_a_symmetry():
    with pytest.raises(rc.SpecError, match=re.escape("symmetry=rc.load(")):
        rc.resolve({"l": "V >> V"}, [slot("l.weight", (2, 2), "oi")])
    with pytest.raises(rc.SpecError, match="unknown"):
        site("V >> W", slot("l.weight", (2, 2), "oi"))
    with pytest.raises(rc.IncompatibleError, match="symmetry"):
        rc.resolve({"l": "V >> V"}, [slot("l.weight", (2, 2), "oi")], "D4")


def test_a_weight_that_cannot_be_taken_says_why():
    with pytest.raises(rc.IncompatibleError, match=re.escape("'l.weight', which is made of cheese")):
        site("V >> V", slot("l.weight", (2, 2), "oi", blocked="is made of cheese"))


def test_a_complex_plan_for_the_bias_says_what_to_do():
    with pytest.raises(rc.IncompatibleError, match="does not tell the representation"):
        site(rc.plan(V >> V), slot("l.weight", (2, 2), "oi"), slot("l.bias", (2,), "o"))


@pytest.mark.parametrize("options", [{"heads": 0}, {"axes": "xy"}, {"maps": 3}])
def test_rules_are_checked_when_they_are_made(options):
    with pytest.raises(rc.IncompatibleError):
        rc.Rule(**({"maps": "V >> V"} | options))


FILE = """
[group]
builtin = "dihedral(4)"

[reps]
X = "2*regular"

[maps]
layer = "V >> X"

[rules]
"stem" = "layer"
"blocks.*.conv" = { maps = "X >> X", spatial = "V" }
"head" = { maps = "X >> 10*1", axes = "i o" }
"""


def test_a_pattern_with_dots_that_is_not_quoted_is_said(tmp_path):
    path = tmp_path / "symmetry.toml"
    path.write_text('[group]\nbuiltin = "dihedral(4)"\n[rules]\nlayer.0 = "V >> V"\n')
    with pytest.raises(rc.SpecError, match=re.escape('a pattern with dots is quoted, "layer.0" = ...')):
        rc.load(path)


def test_a_file_with_rules(tmp_path):
    path = tmp_path / "symmetry.toml"
    path.write_text(FILE)
    spec = rc.load(path)
    slots = [
        slot("stem.weight", (16, 2), "oi"),
        slot("blocks.0.conv.weight", (16, 16, 3, 3), "oiss", kind="conv"),
        slot("head.weight", (16, 10), "oi"),
    ]
    found = rc.resolve(spec, slots)
    assert [s.plan.shape for s in found] == [(16, 2), (16, 144), (10, 16)]
    rc.dump(spec, tmp_path / "copy.json")
    assert rc.load(tmp_path / "copy.json") == spec
    rc.dump(spec, tmp_path / "copy.toml")
    assert rc.load(tmp_path / "copy.toml").rules == spec.rules
    assert hash(spec) == hash(rc.load(tmp_path / "copy.toml"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"a" = "X >> Z"', "the name 'Z' is unknown"),
        ('"a" = { maps = "X >> X", head = 3 }', "did you mean 'heads'"),
        ('"a" = { maps = "X >> X", heads = "3" }', "expected a whole number"),
        ('"a" = { heads = 3 }', "does not say what the weights map"),
        ('"a" = 3', "expected a text"),
        ('"a" = { maps = "X >> X", spatial = "Q" }', "the name 'Q' is unknown"),
    ],
)
def test_a_mistake_in_a_rule_is_found_when_the_file_is_loaded(tmp_path, line, message):
    path = tmp_path / "symmetry.toml"
    path.write_text(FILE + line)
    with pytest.raises(rc.SpecError, match=re.escape(message)):
        rc.load(path)


SO2 = rc.SO(2)
PATCH = slot("l.weight", (5, 3, 6, 6), "oiss", kind="conv")


@pytest.mark.parametrize("rule", ["3*functions(6) >> 5*1", "(1 + 2*1) * functions( 6 , band = 0.8 ) >> 5*1", "maps", "rule"])
def test_a_patch_embedding_is_maps_of_functions_on_the_patch(rule):
    one = rc.trivial(SO2)
    maps = 3 * rc.functions(SO2, 6) >> 5 * one
    given = {"maps": maps, "rule": rc.Rule(maps)}.get(rule, rule)
    found = rc.resolve({"l": given}, [PATCH, slot("l.bias", (5,), "o", kind="conv")], SO2)
    assert [(s.plan, s.after) for s in found] == [
        (rc.plan(maps), 3 * 5 * rc.plan(rc.functions(SO2, 6) >> one).dim),
        (rc.plan(one >> 5 * one), 5),
    ]
    assert [rc.space_of(s) for s in found] == [maps, one >> 5 * one]


def test_position_embeddings_are_maps_of_functions_on_the_tokens():
    table = slot("l", (1, 50, 4), "", kind="tensor")
    (found,) = rc.resolve({"l": "functions(7, band=0.7, tokens=1) >> 4*1"}, [table], SO2)
    maps = rc.space_of(found)
    assert maps == (rc.functions(SO2, 7, band=0.7, tokens=1) >> 4 * rc.trivial(SO2))
    w = np.random.default_rng(0).standard_normal((1, 50, 4))
    done = found.view.write(found.plan.project(found.view.read(w)))
    assert np.array_equal(done[:, 0], w[:, 0])
    cells = done[0, 1:].reshape(7, 7, 4)
    assert np.abs(np.rot90(cells) - cells).max() < 1e-13


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        ("functions(6) >> 5*1", rc.IncompatibleError, "108 to 5 features"),
        ("3*functions(5) >> 5*1", rc.IncompatibleError, "108 to 5 features"),
        ("3*functions() >> 5*1", rc.SpecError, "begins with no size"),
        ("3*functions(6, 7) >> 5*1", rc.SpecError, "'7' is no option"),
        ("3*functions(6, band=0.5, band=0.5) >> 5*1", rc.SpecError, "stands twice"),
        ("3*functions(6, band=two) >> 5*1", rc.SpecError, "is no option"),
        ("3*functions(6, degree=9) >> 5*1", rc.SpecError, "degree: expected"),
        ("3*functions(6, tokens=1) >> 5*1", rc.SpecError, "tokens stand before"),
        ("Q*functions(6) >> 5*1", rc.SpecError, "left of >>"),
        ("3*functions(6) >> 5*Q", rc.SpecError, "right of >>"),
        ("functions(6)*3 >> 5*1", rc.SpecError, "left of >>"),
    ],
)
def test_maps_of_functions_that_do_not_fit_or_read(rule, error, message):
    with pytest.raises(error, match=message):
        rc.resolve({"l": rule}, [PATCH], SO2)
    if error is rc.SpecError:
        return
    assert rc.Spec(SO2, rules={"l": rule}).rules["l"] == rule


def test_a_file_with_maps_of_functions(tmp_path):
    path = tmp_path / "vit.toml"
    path.write_text('[group]\nbuiltin = "SO(2)"\n[rules]\n"l" = "3*functions(6) >> 5*1"\n')
    spec = rc.load(path)
    assert rc.resolve(spec, [PATCH])[0].plan == rc.plan(3 * rc.functions(SO2, 6) >> 5 * rc.trivial(SO2))
    path.write_text(path.read_text().replace("(6)", "(6, band=7)"))
    with pytest.raises(rc.SpecError, match="band: expected a share"):
        rc.load(path)
