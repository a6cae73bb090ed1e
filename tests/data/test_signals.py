import itertools
import random

import numpy as np
import pytest

from seqcast.data.signals import noisy_past, random_sines, sine_parameters
from seqcast.errors import SpecError

SIGNALS = {
    "random_sines": random_sines,
    "random_sines_noise": lambda n, **options: random_sines(n, noise=0.2, **options),
    "noisy_past": noisy_past,
}


@pytest.fixture(params=SIGNALS.values(), ids=SIGNALS.keys())
def make(request):
    return request.param


def test_shapes_and_type(make):
    past, future = make(7, past=12, future=5, seed=1)
    assert past.shape == (7, 12, 1)
    assert future.shape == (7, 5, 1)
    assert past.dtype == future.dtype == np.float32
    assert make(1, seed=1, dtype="float64")[0].dtype == np.float64


def test_a_seed_decides_and_nothing_else(make):
    """A `SeedSequence` is a seed and stays as it was; global generators are left alone."""
    before = random.getstate(), repr(np.random.get_state())
    sequence = np.random.SeedSequence(9, spawn_key=(2,))
    for seed in (3, sequence):
        for first, second in zip(make(5, seed=seed), make(5, seed=seed), strict=True):
            np.testing.assert_array_equal(first, second)
    drawn = [make(5, seed=seed)[0].tolist() for seed in (3, 4, 9, sequence, None, None)]
    assert all(one != other for one, other in itertools.combinations(drawn, 2))
    assert sequence.n_children_spawned == 0
    assert (random.getstate(), repr(np.random.get_state())) == before


def test_a_longer_future_and_more_windows_extend_the_same_signals(make):
    past, future = make(6, past=15, future=15, seed=5)
    longer_past, longer_future = make(9, past=15, future=20, seed=5)
    np.testing.assert_array_equal(past, longer_past[:6])
    np.testing.assert_array_equal(future, longer_future[:6, :15])
    # Time runs on from the past.
    short = make(4, past=10, future=20, seed=5)
    long = make(4, past=20, future=10, seed=5)
    np.testing.assert_array_equal(short[1][:, 10:], long[1])


def test_against_a_plain_loop():
    drawn = sine_parameters(3, num_signals=3, seed=8)
    past, future = random_sines(3, past=4, future=2, num_signals=3, seed=8, dtype="float64")
    names = ("amplitude", "frequency", "phase", "offset")
    for i, window in enumerate(np.concatenate([past, future], axis=1)[:, :, 0]):
        sines = list(zip(*(getattr(drawn, name)[i] for name in names), strict=True))
        for t, value in enumerate(window):
            expected = sum(
                a * np.sin(2 * np.pi * f * t / 30 + phase) + offset for a, f, phase, offset in sines
            )
            assert value == pytest.approx(expected, abs=1e-12)


def test_parameters_are_uniform_in_their_ranges():
    drawn = sine_parameters(20_000, seed=4)
    ranges = {
        "amplitude": (0.1, 1.0),
        "frequency": (0.1, 10.0),
        "phase": (0.0, 2 * np.pi),
        "offset": (-0.5, 0.5),
    }
    columns = []
    for name, (low, high) in ranges.items():
        values = getattr(drawn, name)
        assert values.shape == (20_000, 2)
        assert low <= values.min() < values.max() <= high
        quarters = np.quantile((values - low) / (high - low), [0.25, 0.5, 0.75], axis=0)
        np.testing.assert_allclose(quarters.T, [[0.25, 0.5, 0.75]] * 2, atol=0.02)
        columns.append(values)
    correlation = np.corrcoef(np.concatenate(columns, axis=1), rowvar=False)
    assert np.abs(correlation - np.eye(8)).max() < 0.03


def test_noise_is_on_the_past_only_and_has_its_size():
    clean = random_sines(3000, seed=7, dtype="float64")
    noisy = random_sines(3000, noise=0.3, seed=7, dtype="float64")
    np.testing.assert_array_equal(clean[1], noisy[1])
    assert (noisy[0] - clean[0]).std() == pytest.approx(0.3, rel=0.02)
    assert abs((noisy[0] - clean[0]).mean()) < 0.01


def test_each_noisy_past_has_a_level_of_its_own():
    noisy = noisy_past(500, past=400, future=1, seed=7, dtype="float64")[0]
    clean = noisy_past(500, past=400, future=1, noise=0.0, seed=7, dtype="float64")[0]
    levels = (noisy - clean).std(axis=(1, 2))
    assert 0.08 < levels.min() < 0.12
    assert 0.23 < levels.max() < 0.28


WRONG = [
    ({"past": 1.5}, r"past: expected a whole number >= 1, received 1\.5"),
    ({"num_signals": True}, r"num_signals: expected a whole number"),
    (
        {"amplitude": (1.0, 0.1)},
        r"amplitude: expected \(low, high\) with low <= high, or one such pair for each",
    ),
    ({"frequency": 3.0}, r"frequency: expected \(low, high\).*received 3\.0"),
    ({"frequency": ((0, 1), (0, 1), (0, 1))}, r"frequency: .*each of 2 sines"),
    ({"phase": ("a", "b")}, r"phase: expected \(low, high\)"),
    ({"offset": (0.0, float("inf"))}, r"offset: .*Give two finite numbers"),
    ({"noise": -0.1}, r"noise: expected a number in \[0, inf\], received -0\.1"),
    ({"noise": (0.2, 0.1)}, r"noise: expected \(low, high\) with low <= high,"),
    ({"seed": -1}, r"seed: expected a whole number >= 0, received -1"),
    ({"dtype": "nothing"}, r"dtype: expected a floating type, received 'nothing'"),
    ({"dtype": "int32"}, r"dtype: expected a floating type, received 'int32'"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_wrong_inputs(options, message):
    with pytest.raises(SpecError, match=message):
        random_sines(**{"n": 2, "seed": 0, **options})
