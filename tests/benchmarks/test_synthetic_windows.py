"""Windows of synthetic series: batch `k` is always the same, and shows nothing of the future."""

import numpy as np

from seqcast.pretrained.seasonal_inputs import PAST
from synthetic_windows import SyntheticBatches, SyntheticWindows


def drawn(seed=0, **options):
    return SyntheticBatches(
        seed=seed, **{"horizons": (8, 12), "batch_size": 32, "context_lengths": (16, 32), **options}
    )


def windows(seed=0, steps=3, **options):
    return SyntheticWindows(drawn(seed), steps=steps, **options)


def test_a_batch_depends_on_its_number_alone():
    one, other = windows(), windows()
    other.position = 3
    for step in range(3):
        (inputs, *rest), (same, *same_rest) = one.batch(3 + step), other[step]
        for mine, theirs in zip((*inputs.values(), *rest), (*same.values(), *same_rest), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    shapes = {(inputs["past"].shape[1], y.shape[1]) for inputs, y, _ in map(one.batch, range(24))}
    assert shapes == {(16, 8), (16, 12), (32, 8), (32, 12)}
    assert (windows(1).batch(0)[1][:, :8] != one.batch(0)[1][:, :8]).any()
    moving, staying = windows(steps=2), windows(steps=2, repeated=True)
    for each in (moving, staying):
        np.testing.assert_array_equal(each[0][1], one.batch(0)[1])
        each.on_epoch_end()
    np.testing.assert_array_equal(staying[0][1], one.batch(0)[1])
    np.testing.assert_array_equal(moving[0][1], one.batch(2)[1])


def test_windows_know_different_numbers_of_values():
    known = {16: [], 32: []}
    for k in range(10):
        past = drawn(gaps=0.0).batch(k)[0]["past"][:, :, PAST.index("value is known")]
        known[past.shape[1]] += past.sum(axis=1).tolist()
    assert len(set(known[16])) > 8
    assert 6 <= min(known[16]) < 9
    assert (min(known[32]), max(known[32])) == (17, 32)  # with fewer the shorter context would do


def test_a_family_that_is_left_out_does_not_count():
    families = drawn(without="demand").windows(2)[2]
    assert set(families) > {"demand"}
    (_, y, all_alike), (_, same_y, weight) = drawn().batch(2), drawn(without="demand").batch(2)
    np.testing.assert_array_equal(same_y, y)
    assert (all_alike == 1).all()
    np.testing.assert_array_equal(weight, families != "demand")


def test_what_is_forecast_is_what_follows_in_the_same_units():
    source = drawn(gaps=0.0, borrowed=0.0)
    read, future, _ = source.windows(5)
    y = source.batch(5)[1][..., 0]
    near, tolerance = np.abs(y) < 19, 1e-3 * read.unit.max()
    np.testing.assert_allclose(read.in_units(y.astype(float))[near], future[near], rtol=1e-3, atol=tolerance)


def test_some_windows_have_the_errors_of_others_with_either_sign():
    borrowed = []
    for number in range(12):
        read, _, _ = drawn(batch_size=64, gaps=0.0).windows(number)
        own, found = (drawn(batch_size=64, gaps=0.0, borrowed=share).batch(number)[1][..., 0] for share in (0.0, 0.3))
        changed = (own != found).any(axis=1)
        assert not changed[np.isfinite(read.floor[:, 0])].any()
        assert all((np.abs(own) == np.abs(errors)).all(axis=1).any() for errors in found[changed])
        borrowed += changed.tolist()
    assert 0.2 < np.mean(borrowed) < 0.32
