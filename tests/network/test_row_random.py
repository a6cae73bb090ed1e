"""Random numbers of rows do not depend on how a batch is divided."""

import keras
import numpy as np

from seqcast.network.row_random import draw_rows, dropped_rows, part_of


def test_parts_draw_what_the_whole_draws():
    whole = keras.ops.convert_to_numpy(dropped_rows(7, (3,), 0.5, keras.random.SeedGenerator(4), "float32"))
    parts = []
    for rows in ([0, 1, 2, 3], [4, 5, 6, 6]):  # the last one is filled up
        with part_of(7, keras.ops.convert_to_tensor(rows)):
            parts.append(dropped_rows(4, (3,), 0.5, keras.random.SeedGenerator(4), "float32"))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(keras.ops.concatenate(parts))[:7], whole)


def test_rows_may_lie_along_another_axis():
    with part_of(5, keras.ops.convert_to_tensor([3, 1])):
        drawn = draw_rows(lambda rows: keras.ops.reshape(keras.ops.arange(2 * rows), (2, rows)), 2, axis=1)
    assert keras.ops.convert_to_numpy(drawn).tolist() == [[3, 1], [8, 6]]


def test_outside_of_a_part_the_rows_at_hand_are_drawn():
    with part_of(5, keras.ops.convert_to_tensor([0])):
        pass
    assert draw_rows(lambda rows: ("drawn", rows), 3) == ("drawn", 3)
