"""A pretrained network reads any unit, any length, and writes any horizon."""

import hashlib
from importlib import resources

import numpy as np
import pytest

from seqcast import Engine, NetworkSpec, TrainingSpec
from seqcast.errors import FileFormatError
from seqcast.pretrained import (
    SHA256,
    CovariateSizes,
    PretrainedNetwork,
    ZeroShotWindows,
    load_pretrained,
    training_log,
)
from tests.rejections import rejected

PROBABILITIES = (0.1, 0.5, 0.9)
QUANTILES = {"head": "quantile", "quantiles": (0.01, 0.1, 0.5, 0.9, 0.99)}
SPEC = NetworkSpec(encoder_units=(6,), decoder_units=(5,), segment=4, **QUANTILES)


@pytest.fixture(scope="module")
def network():
    engine = Engine(SPEC, TrainingSpec(), seed=0)
    engine.build(PretrainedNetwork.window(8), steps=1)
    return PretrainedNetwork(engine, "test", (8, 16))


class Unread:
    """An array in a file, of a shape that no weight has, which must not be read."""

    shape = (10**9, 10**9)
    dtype = np.dtype(np.float16)

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("it was unpacked before its shape was compared")


def series(rows=5, length=14, seed=0):
    return np.cumsum(np.random.default_rng(seed).normal(size=(rows, length)), axis=1)


def forecast(
    network, past, horizon=8, probabilities=PROBABILITIES, season=4, longer=8, covariates=None
):
    ones = np.ones(len(past), int)
    return network.forecast(
        ZeroShotWindows(past, season * ones, longer * ones, covariates or {}),
        horizon,
        probabilities,
    )


def test_quantiles_do_not_cross(network):
    quantiles = forecast(
        network, series(), horizon=21, probabilities=(0.001, 0.1, 0.2, 0.5, 0.7, 0.999)
    )
    assert quantiles.shape == (5, 21, 6)
    assert (np.diff(quantiles, axis=2) >= 0).all()


def test_forecasts_follow_a_change_of_units(network):
    below = series() - 50
    above = np.exp(0.3 * series())
    np.testing.assert_allclose(
        forecast(network, 70 * above), 70 * forecast(network, above), rtol=1e-3
    )
    # Levels matter to what is positive alone, whose logarithms are smoothed too.
    moved = 7 * forecast(network, below) - 100
    np.testing.assert_allclose(forecast(network, 7 * below - 100), moved, rtol=2e-2, atol=0.1)


def test_a_forecast_does_not_depend_on_its_company_or_on_missing_values_before_the_first(network):
    past = series()
    alone = forecast(network, past[:1])
    np.testing.assert_allclose(forecast(network, past)[:1], alone, rtol=1e-4, atol=1e-4)
    padded = np.concatenate([np.full((1, 30), np.nan), past[:1]], axis=1)
    np.testing.assert_allclose(forecast(network, padded), alone, rtol=1e-4, atol=1e-4)
    mixed = np.concatenate([padded, series(2, 44, seed=1)])
    np.testing.assert_allclose(forecast(network, mixed)[:1], alone, rtol=1e-4, atol=1e-4)


def test_many_windows_are_forecast_in_parts_of_any_number_that_do_not_mix(network):
    past = series(1100, 10)
    past[::3, :4] = np.nan  # they are read with the shorter context
    together = forecast(network, past, horizon=12)
    for rows in (slice(0, 70), slice(500, 560), slice(1099, 1100)):
        np.testing.assert_allclose(
            together[rows], forecast(network, past[rows], horizon=12), rtol=1e-4, atol=1e-4
        )


def test_only_the_longest_context_is_read(network):
    past = series(length=40)
    np.testing.assert_array_equal(forecast(network, past), forecast(network, past[:, -16:]))


def test_it_writes_any_horizon_and_short_ones_begin_longer_ones(network):
    past = series(length=16)
    long = forecast(network, past, horizon=41)
    for horizon in (3, 8, 30):
        np.testing.assert_allclose(
            forecast(network, past, horizon=horizon), long[:, :horizon], rtol=1e-5
        )
    assert np.isfinite(forecast(network, past, horizon=1500)).all()


@pytest.mark.parametrize("values", [[np.nan] * 6, [4.0] * 6, [np.nan] * 5 + [1e12]])
def test_there_is_always_a_forecast(network, values):
    quantiles = forecast(network, np.array([values]), season=1, longer=0)
    assert np.isfinite(quantiles).all()


def test_a_file_brings_it_back_in_half_precision(network, tmp_path):
    network.save(tmp_path / "net.seqcast", {"steps": 3})
    loaded = PretrainedNetwork.load(tmp_path / "net.seqcast")
    assert (loaded.version, loaded.context_lengths, loaded.horizon) == ("test", (8, 16), 8)
    for ours, theirs in zip(network.engine.weights, loaded.engine.weights, strict=True):
        np.testing.assert_array_equal(ours.astype(np.float16).astype(np.float32), theirs)
    np.testing.assert_allclose(
        forecast(loaded, series()), forecast(network, series()), rtol=0.02, atol=0.02
    )
    header, arrays = network.to_payload()
    rejected(
        ValueError,
        "weight 0 of shape",
        PretrainedNetwork.from_payload,
        header,
        {**arrays, "weight/0": Unread()},
    )
    (tmp_path / "other.seqcast").write_bytes(b"something else")
    with pytest.raises(FileFormatError):
        PretrainedNetwork.load(tmp_path / "other.seqcast")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_rejected(network, tmp_path, rewrite_archive, value):
    network.save(tmp_path / "net.seqcast", {})
    rewrite_archive(tmp_path / "net.seqcast", first={"weight/3": value})
    rejected(
        FileFormatError,
        "holds numbers that are not finite",
        PretrainedNetwork.load,
        tmp_path / "net.seqcast",
    )


def test_the_file_that_comes_along_is_the_one_that_is_named():
    """Its digest, its size, its log, and that half precision is all it has."""
    path = resources.files("seqcast.pretrained") / "weights.seqcast"
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256
    assert len(content) <= 8 * 2**20
    network = load_pretrained()
    log = training_log()
    assert sum(weight.size for weight in network.engine.weights) <= 4_000_000
    assert network.version == "3"
    assert NetworkSpec.from_dict(log["network"]) == network.engine.network
    assert len(log["epochs"]["loss"]) == log["training"]["epochs"]
    for weight in network.engine.weights:
        np.testing.assert_array_equal(weight, weight.astype(np.float16).astype(weight.dtype))


@pytest.mark.parametrize(
    "sizes", [CovariateSizes(3, 2, 4), CovariateSizes(past=1), CovariateSizes(static=8)]
)
def test_inputs_for_covariates_begin_at_nothing(network, sizes, tmp_path):
    rng = np.random.default_rng(0)
    past = series()
    wider = network.with_covariates(sizes)
    shapes = {
        "past": (5, 14, sizes.past),
        "future": (5, 21, sizes.future),
        "static": (5, sizes.static),
    }
    covariates = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    found = forecast(wider, past, 21, covariates=covariates)
    np.testing.assert_allclose(found, forecast(network, past, 21), rtol=1e-4, atol=1e-4)
    assert wider.with_covariates(sizes) is wider
    rejected(ValueError, "not CovariateSizes", wider.with_covariates, CovariateSizes(7, 7, 7))
    # Every one of them counts once its weights are others.
    moved = wider.with_weights(
        [weight + 0.1 * (weight == 0) for weight in wider.engine.weights], "test"
    )
    expected = forecast(moved, past, 21, covariates=covariates)
    for name in shapes:
        if getattr(sizes, name):
            other = {**covariates, name: -covariates[name]}
            assert np.abs(forecast(moved, past, 21, covariates=other) - expected).max() > 1e-3
    moved.save(tmp_path / "wider.seqcast", {})
    loaded = PretrainedNetwork.load(tmp_path / "wider.seqcast")
    assert loaded.covariates == sizes
    np.testing.assert_array_equal(forecast(loaded, past, 21, covariates=covariates), expected)


def test_far_beyond_a_short_past_forecasts_stay_near_it():
    y = 10 + 3 * np.sin(2 * np.pi * np.arange(18) / 24)
    windows = ZeroShotWindows(y[None], np.array([24]), np.array([0]))
    found = load_pretrained().forecast(windows, 240, (0.5,))[0, :, 0]
    assert np.abs(found - 10).max() < 4 * np.abs(y - 10).max()


@pytest.mark.parametrize("season", [1, 12])
def test_a_trend_goes_on(season):
    steps = np.arange(620)
    rng = np.random.default_rng(0)
    y = 100 + 2.0 * steps + (5 * np.sin(2 * np.pi * steps / 12) if season > 1 else 0)
    known = y[None, :120] + rng.normal(size=120)
    windows = ZeroShotWindows(known, np.array([season]), np.array([0]))
    found = load_pretrained().forecast(windows, 500, (0.5,))[0, :, 0]
    for later in (slice(64, 192), slice(192, None)):  # as far as it was trained to, and farther
        assert np.abs(found[later] - y[120:][later]).mean() < 0.05 * (y[-1] - y[120])
