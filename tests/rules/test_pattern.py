"""Patterns of names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import repcore as rc
from repcore.rules.pattern import matches, near_misses


class Base:
    pass


class Layer(Base):
    pass


def slot(path, **more):
    owner, _, role = path.replace("/", ".").rpartition(".")
    return rc.Slot(path, path[: len(owner)], "weight" if role == "weight" else "bias", "linear", (4, 4), **more)


@pytest.mark.parametrize(
    ("key", "path", "meant"),
    [
        ("fc", "fc.weight", True),
        ("fc.weight", "fc.weight", True),
        ("fc.weight", "fc.bias", False),
        ("fc", "fc1.weight", False),
        ("fc?", "fc1.weight", True),
        ("fc[12]", "fc2.weight", True),
        ("fc[!12]", "fc2.weight", False),
        ("fc[^2]", "fc2.weight", True),
        ("layers.*.fc", "layers.10.fc.weight", True),
        ("layers.*.fc", "layers.10.mlp.fc.weight", False),
        ("layers.**.fc", "layers.10.mlp.fc.weight", True),
        ("layers.**.fc", "layers.fc.weight", True),
        ("**", "a.b.c.weight", True),
        ("**.weight", "a.weight", True),
        ("*", "a.b.weight", False),
        ("layers/*/fc", "layers.0.fc.weight", True),
        ("layers.*.fc", "layers/0/fc/kernel", True),
        ("f+c", "f+c.weight", True),
        ("f.c", "fxc.weight", False),
    ],
)
def test_what_a_pattern_means(key, path, meant):
    assert matches(key, slot(path)) == meant


def test_classes_and_their_names():
    found = slot("fc.weight", type=Layer)
    assert [matches(key, found) for key in (Layer, Base, int, "type:Layer", "type:Base", "type:int")] == [1, 1, 0, 1, 1, 0]
    assert not matches(Layer, slot("fc.weight"))


@given(st.lists(st.text("abc-+*?[]()|^$\\", min_size=1, max_size=5), min_size=1, max_size=4))
def test_every_text_is_a_pattern_or_refused_and_a_plain_one_means_itself(parts):
    path = ".".join(parts)
    try:
        met = matches(path, rc.Slot(f"{path}.weight", path, "weight", "linear", ()))
    except rc.IncompatibleError:
        raise AssertionError("a text of whole parts is a pattern") from None
    if not set(path) & set("*?["):
        assert met


@pytest.mark.parametrize("key", ["", "a..b", ".a", "a."])
def test_empty_parts_are_refused(key):
    with pytest.raises(rc.IncompatibleError, match=re.escape("is no pattern")):
        matches(key, slot("fc.weight"))


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("layer1.conv", "close to it are 'layer1.conv1'"),
        ("layer1", "it holds other layers: write 'layer1.**'"),
        ("head", "close to it are 'deep.down.head'"),
        ("Layer", "write 'type:Layer'"),
        (int, "of the types Layer"),
        ("xyz", "the model has 'layer1.conv1', 'deep.down.head'"),
    ],
)
def test_near_misses(key, hint):
    slots = [slot("layer1.conv1.weight", type=Layer), slot("deep.down.head.weight", type=Layer)]
    assert hint in near_misses(key, slots)
