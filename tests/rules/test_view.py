"""Views: reading a tensor as maps moves entries and loses none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import repcore as rc

CASES = {
    "linear": ((5, 3), "oi", "o", "i", 1, "o"),
    "kernel of flax": ((3, 5), "io", "o", "i", 1, "o"),
    "convolution": ((6, 4, 3, 3), "oiss", "o", "is", 1, "o"),
    "convolution of flax": ((3, 3, 4, 6), "ssio", "o", "is", 1, "o"),
    "grouped": ((6, 2, 3), "ois", "o", "is", 3, "o"),
    "transposed, grouped": ((6, 2, 3), "ios", "o", "is", 3, "i"),
    "heads": ((8, 2, 3), "ioo", "o", "i", 1, "o"),
    "positions": ((1, 9, 4), "bio", "o", "i", 1, "o"),
    "bias": ((6,), "o", "o", "", 1, "o"),
    "a kernel a feature": ((8, 1, 3, 3), "iiss", "", "is", 1, "o"),
}


def made(case):
    shape, axes, rows, cols, parts, split = CASES[case]
    return rc.view_of(shape, axes, rows=rows, cols=cols, parts=parts, split=split)


@pytest.mark.parametrize("case", CASES)
def test_reading_and_writing_are_inverse(case):
    view = made(case)
    tensor = np.arange(np.prod(view.shape)).reshape(view.shape)
    matrix = view.read(tensor)
    assert matrix.shape == (*view.batch, view.rows, view.cols)
    assert sorted(matrix.ravel()) == sorted(tensor.ravel())
    assert (view.write(matrix) == tensor).all()


def test_a_convolution_is_read_features_before_cells():
    tensor = np.random.default_rng(0).normal(size=(6, 4, 3, 3))
    view = rc.view_of(tensor.shape, "oiss", rows="o", cols="is")
    assert view.is_plain
    for o, i, s, t in np.ndindex(tensor.shape):
        assert view.read(tensor)[o, i * 9 + s * 3 + t] == tensor[o, i, s, t]


def test_parts_of_a_transposed_convolution_lie_along_the_inputs():
    tensor = np.random.default_rng(0).normal(size=(6, 2, 3))
    matrices = made("transposed, grouped").read(tensor)
    assert matrices.shape == (3, 2, 6)
    for g in range(3):
        assert (matrices[g] == tensor[2 * g : 2 * g + 2].transpose(1, 0, 2).reshape(2, 6)).all()


@given(st.data())
def test_any_order_of_axes(data):
    letters = data.draw(
        st.lists(st.sampled_from("ois"), min_size=1, max_size=5).map(lambda x: [*x, "b"]).flatmap(st.permutations)
    )
    shape = data.draw(st.tuples(*[st.integers(1, 4) for _ in letters]))
    view = rc.view_of(shape, letters, rows="o", cols="is")
    tensor = np.arange(np.prod(shape)).reshape(shape)
    assert (view.write(view.read(tensor)) == tensor).all()


@pytest.mark.parametrize("case", CASES)
def test_torch_and_jax_read_as_numpy(case):
    torch = pytest.importorskip("torch")
    jnp = pytest.importorskip("jax.numpy")
    view = made(case)
    tensor = np.arange(np.prod(view.shape), dtype=np.float32).reshape(view.shape)
    wanted = view.read(tensor)
    assert (view.read(torch.from_numpy(tensor)).numpy() == wanted).all()
    assert (np.asarray(view.read(jnp.asarray(tensor))) == wanted).all()
    assert (view.write(view.read(torch.from_numpy(tensor))).numpy() == tensor).all()
