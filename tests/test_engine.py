"""The engine: gaps, streams, blocks of rows, threads, parts."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from seqcast import Engine, NetworkSpec, TrainingSpec, WindowSpec
from seqcast import engine as engine_module
from seqcast.data.windows import ArrayWindows
from seqcast.engine import BUCKETS
from seqcast.errors import NotFittedError, TrainingError

NETWORK = NetworkSpec(encoder_units=(6,), decoder_units=(5,))
TRAINING = TrainingSpec(epochs=2, batch_size=16)
PLAIN = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))
GAPPY = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,), observed=True)


def series(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    values = np.sin(np.arange(11) * 0.9 + rng.uniform(0, 6, (rows, 1)))[:, :, None]
    return values[:, :8], values[:, 8:]


def fitted(window=PLAIN, network=NETWORK, past=None, future=None, training=TRAINING):
    given = series()
    past, future = given[0] if past is None else past, given[1] if future is None else future
    engine = Engine(network, training, seed=3)
    windows = ArrayWindows(
        {"past": past}, future, batch_size=16, seed=1, observed=window.observed, teach=network.feeds_back
    )
    engine.fit(windows, window=window, verbose=0)
    return engine


def test_gaps_in_past_and_future_are_taken():
    past, future = series()
    rng = np.random.default_rng(1)
    past, future = past.copy(), future.copy()
    past[rng.random(past.shape) < 0.3] = np.nan
    future[rng.random(future.shape) < 0.3] = np.nan
    engine = fitted(GAPPY, past=past, future=future)
    assert np.isfinite(engine.predict({"past": past}, horizon=5)).all()


def test_what_lies_under_a_missing_target_does_not_matter():
    """A target that is missing is left out of loss and gradient, whatever the others are."""
    past, future = series()
    holes = future.copy()
    holes[::2, 1] = np.nan
    halves = fitted(GAPPY, past=past, future=holes).predict({"past": past}, horizon=3)
    assert np.isfinite(halves).all()
    everything = fitted(GAPPY, past=past, future=future).predict({"past": past}, horizon=3)
    assert np.abs(halves - everything).max() > 0


def test_padding_on_the_left_leaves_no_trace():
    past, _ = series()
    engine = fitted(GAPPY)
    padded = np.concatenate([np.full((40, 4, 1), np.nan), past], axis=1)
    np.testing.assert_allclose(
        engine.predict({"past": padded}, horizon=3), engine.predict({"past": past}, horizon=3), atol=1e-6
    )


@pytest.mark.parametrize("rows", [1, BUCKETS[0], BUCKETS[0] + 1, BUCKETS[1] + 1, 2 * BUCKETS[-1] + 3])
def test_blocks_of_any_size_give_what_the_network_gives(rows):
    engine = fitted()
    past = np.tile(series()[0], (rows // 40 + 1, 1, 1))[:rows].astype("float32")
    forecast = engine.predict({"past": past}, horizon=3)
    assert forecast.shape == (rows, 3, 1)
    np.testing.assert_allclose(forecast, np.asarray(engine.model(past)), atol=1e-6)


def test_decoding_states_is_predicting():
    engine = fitted()
    past, _ = series()
    states = engine.encode({"past": past})
    np.testing.assert_allclose(engine.decode(states, 7), engine.predict({"past": past}, horizon=7), atol=1e-6)
    some = engine.decode(states[10:15], 7)
    np.testing.assert_allclose(some, engine.predict({"past": past[10:15]}, horizon=7), atol=1e-6)


def test_threads_may_predict_at_once():
    engine = fitted()
    past, _ = series()
    horizons = [3, 4, 5, 3, 4, 5, 6, 3]
    expected = {horizon: fitted().predict({"past": past}, horizon=horizon) for horizon in set(horizons)}
    with ThreadPoolExecutor(4) as pool:
        forecasts = list(pool.map(lambda horizon: engine.predict({"past": past}, horizon=horizon), horizons))
    for horizon, forecast in zip(horizons, forecasts, strict=True):
        np.testing.assert_array_equal(forecast, expected[horizon])


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="compiled for JAX")
@pytest.mark.parametrize("decoder_input", ["zeros", "autoregressive"])
def test_a_program_serves_all_sizes_of_a_bucket(monkeypatch, decoder_input):
    """A function of JAX runs its Python once a program: so the programs are counted."""
    programs = []
    predict = engine_module._Functions.predict

    def counted(self, inputs, *, horizon):
        programs.append((inputs["past"].shape[0], horizon))
        return predict(self, inputs, horizon=horizon)

    monkeypatch.setattr(engine_module._Functions, "predict", counted)
    engine = fitted(network=dataclasses.replace(NETWORK, decoder_input=decoder_input))
    past = np.tile(series()[0], (20, 1, 1))
    for rows in (1, 2, 8, 1, 5, 9, 64, 40, 600, 300, 800):
        assert engine.predict({"past": past[:rows]}, horizon=4).shape == (rows, 4, 1)
    assert programs == [(1, 4), (8, 4), (64, 4), (128, 4)]
    engine.predict({"past": past[:3]}, horizon=5)
    assert programs[4:] == [(8, 5)]


def test_no_rows_are_no_forecasts():
    assert fitted().predict({"past": np.zeros((0, 8, 1))}, horizon=3).shape == (0, 3, 1)


def test_parts_are_json_and_arrays_and_hold_everything():
    engine = fitted(network=NetworkSpec(encoder_units=(6,), decoder_units=(5,), decoder_input="scheduled"))
    header, arrays = engine.to_parts()
    rebuilt = Engine.from_parts(json.loads(json.dumps(header)), arrays)
    past, _ = series()
    np.testing.assert_array_equal(rebuilt.predict({"past": past}, 5), engine.predict({"past": past}, 5))
    assert rebuilt.model.network.sampling_steps == engine.model.network.sampling_steps
    assert rebuilt.weight_count == engine.weight_count > 0
    unfitted = Engine.from_parts(*Engine(NETWORK, TRAINING, seed=0).to_parts())
    assert unfitted.model is None
    assert unfitted.weight_count == 0


def test_scheduled_sampling_ends_half_way_by_default():
    engine = fitted(network=NetworkSpec(encoder_units=(6,), decoder_units=(5,), decoder_input="scheduled"))
    steps = TRAINING.epochs * 3  # 40 windows in batches of at most 16
    assert engine.model.network.sampling_steps == steps // 2
    assert float(engine.model.decoder.steps_taught) == steps


def test_a_second_fit_is_as_good_as_the_first():
    past, future = series()
    engine = Engine(NETWORK, TRAINING, seed=3)
    windows = ArrayWindows({"past": past}, future, batch_size=16, seed=1)
    losses = [engine.fit(windows, window=PLAIN, verbose=0)["loss"] for _ in range(2)]
    assert losses[1][0] == pytest.approx(losses[0][0], rel=0.1)  # it starts anew


def test_diverging_training_is_an_error_and_not_a_model():
    past, future = series()
    wild = TrainingSpec(epochs=3, batch_size=16, optimizer="sgd", learning_rate=1e30, clip_norm=None)
    with pytest.raises(TrainingError, match=r"training, epoch \d: expected a finite loss"):
        fitted(past=past, future=future * 1e3, training=wild)


def test_nothing_is_predicted_before_fit():
    with pytest.raises(NotFittedError, match="Call fit first"):
        Engine(NETWORK, TRAINING, seed=0).predict({"past": np.zeros((1, 4, 1))}, horizon=2)
