"""Windows of synthetic series: batch `k` is always the same, and tells nothing of the future."""

import numpy as np
import pytest

from seqcast import Engine, NetworkSpec, TrainingSpec, WindowSpec
from seqcast.pretrained.inputs import FUTURE, PAST, STATIC
from synthetic_windows import SyntheticBatches, SyntheticWindows

SIZES = {"horizons": (8, 12), "batch_size": 32, "context_lengths": (16, 32)}


def drawn(seed=0, **options):
    return SyntheticBatches(seed=seed, **{**SIZES, **options})


def windows(seed=0, steps=3, **options):
    return SyntheticWindows(drawn(seed), steps=steps, **options)


def test_a_batch_depends_on_its_number_alone():
    one, other = windows(), windows()
    other.position = 3
    for step in range(3):
        (inputs, y, weight), (same, same_y, same_weight) = one.batch(3 + step), other[step]
        for name in inputs:
            np.testing.assert_array_equal(inputs[name], same[name])
        np.testing.assert_array_equal(y, same_y)
        np.testing.assert_array_equal(weight, same_weight)
    shapes = {(inputs["past"].shape[1], y.shape[1]) for inputs, y, _ in map(one.batch, range(24))}
    assert shapes == {(16, 8), (16, 12), (32, 8), (32, 12)}
    assert (windows(1).batch(0)[1][:, :8] != one.batch(0)[1][:, :8]).any()
    one.on_epoch_end()
    np.testing.assert_array_equal(one[0][1], one.batch(3)[1])


def test_windows_know_different_numbers_of_values():
    known = {16: [], 32: []}
    for k in range(10):
        past = drawn(gaps=0.0).batch(k)[0]["past"][:, :, PAST.index("value is known")]
        known[past.shape[1]] += past.sum(axis=1).tolist()
    assert len(set(known[16])) > 8
    assert 6 <= min(known[16]) < 9
    assert len(set(known[32])) > 8
    assert min(known[32]) == 17  # with fewer the shorter context would do
    assert max(known[32]) == 32


def test_a_family_that_is_left_out_does_not_count():
    usual, without = drawn(), drawn(without="demand")
    families = without.windows(2)[2]
    assert set(families) > {"demand"}
    (inputs, y, all_alike), (same, same_y, weight) = usual.batch(2), without.batch(2)
    np.testing.assert_array_equal(same["past"], inputs["past"])
    np.testing.assert_array_equal(same_y, y)
    assert (all_alike == 1).all()
    np.testing.assert_array_equal(weight, families != "demand")


def test_what_is_forecast_is_what_follows_in_the_same_units():
    source = drawn(gaps=0.0, borrowed=0.0)
    read, future, _ = source.windows(5)
    y = source.batch(5)[1][..., 0]
    near = np.abs(y) < 19
    np.testing.assert_allclose(
        read.in_units(y.astype(float))[near], future[near], rtol=1e-3, atol=1e-3 * read.unit.max()
    )


def test_some_windows_have_the_errors_of_others_with_either_sign():
    borrowed = []
    for number in range(12):
        read, _, _ = drawn(batch_size=64, gaps=0.0).windows(number)
        own, found = (drawn(batch_size=64, gaps=0.0, borrowed=share).batch(number)[1][..., 0] for share in (0.0, 0.3))
        changed = (own != found).any(axis=1)
        assert not changed[np.isfinite(read.floor[:, 0])].any()
        for errors in found[changed]:
            assert (np.abs(own) == np.abs(errors)).all(axis=1).any()
        borrowed += changed.tolist()
        assert set(np.sign((own * found).sum(axis=1)[~changed])) <= {0.0, 1.0}
    assert 0.2 < np.mean(borrowed) < 0.32


def test_smooth_and_rough_windows_count_alike():
    """In its own unit, the future of a smooth window is not much nearer to its base than that of a rough one."""
    sizes, roughness = [], []
    for number in range(20):
        (read, *_), (_, y, weight) = drawn(gaps=0.0).windows(number), drawn(gaps=0.0).batch(number)
        sizes.append(np.abs(y).mean(axis=(1, 2)))
        roughness.append(read.inputs["static"][:, STATIC.index("spread against steps of a season")])
        assert (weight == 1).all()
    size, rough = np.concatenate(sizes), np.concatenate(roughness)
    smooth = rough <= np.quantile(rough, 0.25)
    # The spread of the smoothest quarter is many times that of its steps; its distances are not.
    assert np.median(rough[smooth]) < np.median(rough[~smooth]) - 0.5
    assert 0.2 < np.median(size[smooth]) / np.median(size[~smooth]) < 5


@pytest.mark.filterwarnings("error")
def test_a_network_learns_from_them():
    network = NetworkSpec(encoder_units=(8,), decoder_units=(8,), segment=4, head="quantile", quantiles=(0.1, 0.5, 0.9))
    window = WindowSpec(horizon=12, features=len(PAST), targets=1, static=len(STATIC), future=len(FUTURE))
    engine = Engine(network, TrainingSpec(epochs=12, early_stopping=None), seed=0)
    unseen = windows(seed=1, steps=8, repeated=True)
    history = engine.fit(windows(steps=8), window=window, validation=unseen, verbose=0)
    assert min(history["val_loss"]) < 0.97 * history["val_loss"][0]


def test_a_validation_has_the_same_batches_each_epoch():
    moving, staying = (windows(seed=3, steps=2, repeated=repeated) for repeated in (False, True))
    first = moving[0][1].copy()
    for each in (moving, staying):
        np.testing.assert_array_equal(each[0][1], first)
        each.on_epoch_end()
    np.testing.assert_array_equal(staying[0][1], first)
    assert not np.array_equal(moving[0][1], first)


@pytest.mark.parametrize(("length", "absent"), [(16, {24, 48, 52, 96}), (1024, {4, 12, 52})])
def test_seasons_are_those_that_a_context_holds(length, absent):
    seasons = {drawn(batch_size=1).drawn(k, length, 8).season.length for k in range(60)}
    assert not seasons & absent
    assert {1, 7} <= seasons


def test_other_processes_read_the_same_batches():
    here, elsewhere = windows(steps=2), windows(steps=2, processes=1)
    for _ in range(2):
        for step in range(2):
            np.testing.assert_array_equal(elsewhere[step][1], here[step][1])
        here.on_epoch_end()
        elsewhere.on_epoch_end()
