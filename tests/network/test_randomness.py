"""Initial weights have the distributions of Glorot and Saxe; numbers of rows do not depend on the micro-batch."""

import keras
import numpy as np
import pytest

from seqcast.network.randomness import (
    GlorotUniform,
    Orthogonal,
    draw_rows,
    dropout_mask,
    rows_of_batch,
)

both = pytest.mark.parametrize("initializer", [GlorotUniform, Orthogonal])


def drawn(initializer, shape, seed=0, dtype=None):
    return keras.ops.convert_to_numpy(initializer(seed=seed)(shape, dtype=dtype))


@both
def test_the_seed_alone_decides(initializer):
    np.random.seed(1)
    first = drawn(initializer, (4, 6))
    np.random.seed(2)
    np.testing.assert_array_equal(drawn(initializer, (4, 6)), first)
    assert np.abs(drawn(initializer, (4, 6), seed=1) - first).min() > 0
    assert first.dtype == keras.config.floatx()
    assert drawn(initializer, (4, 6), dtype="float16").dtype == "float16"
    read = keras.initializers.deserialize(keras.initializers.serialize(initializer(seed=0)))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(read((4, 6))), first)


def test_glorot_s_range_and_variance():
    weights = drawn(GlorotUniform, (200, 300))
    limit = np.sqrt(6 / 500)
    assert 0.999 * limit < np.abs(weights).max() <= limit
    assert abs(weights.mean()) < 0.01 * limit
    np.testing.assert_allclose(weights.var(), limit**2 / 3, rtol=0.01)


@pytest.mark.parametrize("shape", [(5, 15), (15, 5), (6, 6), (1, 3)])
def test_rows_or_columns_are_orthonormal(shape):
    weights = drawn(Orthogonal, shape, seed=3).astype("float64")
    short = weights if shape[0] <= shape[1] else weights.T
    np.testing.assert_allclose(short @ short.T, np.eye(min(shape)), atol=1e-6)


def test_orthogonal_matrices_are_drawn_without_a_preferred_direction():
    """Without the signs of Mezzadri, section 5, the first entries of Q from a QR decomposition are mostly negative."""
    first = np.array([drawn(Orthogonal, (3, 3), seed=seed)[0, 0] for seed in range(400)])
    assert abs(first.mean()) < 0.1
    # A column is uniform on the sphere: each entry has variance 1 / n.
    np.testing.assert_allclose(first.var(), 1 / 3, rtol=0.15)


# ---------------------------------------------------------------- rows of a batch


def test_micro_batches_draw_what_the_batch_draws():
    whole = keras.ops.convert_to_numpy(
        dropout_mask(7, (3,), 0.5, keras.random.SeedGenerator(4), "float32")
    )
    drawn_rows = []
    for rows in ([0, 1, 2, 3], [4, 5, 6, 6]):  # the last one is filled up
        with rows_of_batch(7, keras.ops.convert_to_tensor(rows)):
            drawn_rows.append(dropout_mask(4, (3,), 0.5, keras.random.SeedGenerator(4), "float32"))
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(keras.ops.concatenate(drawn_rows))[:7], whole
    )


def test_rows_may_lie_along_another_axis():
    with rows_of_batch(5, keras.ops.convert_to_tensor([3, 1])):
        drawn = draw_rows(
            lambda rows: keras.ops.reshape(keras.ops.arange(2 * rows), (2, rows)), 2, axis=1
        )
    assert keras.ops.convert_to_numpy(drawn).tolist() == [[3, 1], [8, 6]]


def test_outside_of_a_micro_batch_the_rows_at_hand_are_drawn():
    with rows_of_batch(5, keras.ops.convert_to_tensor([0])):
        pass
    assert draw_rows(lambda rows: ("drawn", rows), 3) == ("drawn", 3)
