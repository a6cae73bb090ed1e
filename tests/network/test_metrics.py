"""Keras's metrics are those of the targets that are there, for every head, step and backend."""

import functools

import keras
import numpy as np
import pytest

from seqcast import Engine, NetworkSpec, TrainingSpec, WindowSpec
from seqcast.data.windows.batches import ArrayWindows
from seqcast.network import Seq2Seq

WINDOW = WindowSpec(horizon=3, features=2, targets=2, target_features=(0, 1), observed=True)
on_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX divides batches")


@functools.cache
def data():
    rng = np.random.default_rng(0)
    values = rng.gamma(5.0, size=(24, 11, 2)) + 1.0
    past = values[:, :8]
    future = values[:, 8:].copy()
    future[rng.random(future.shape) < 0.3] = np.nan
    future[5] = np.nan  # a window without any
    future[7, :, 1] = np.nan
    return past, future


def windows(weight=None, rows=slice(None), batch_size=24):
    past, future = (array[rows] for array in data())
    weight = None if weight is None else weight[rows]
    return ArrayWindows(
        {"past": past, "observed": np.ones_like(past)}, future, weight, batch_size=batch_size
    )


def engine_of(head="point", micro_batches=None, metrics=("mae",)):
    network = NetworkSpec(encoder_units=(4,), decoder_units=(3,), head=head, normalise="scale")
    recipe = {
        "epochs": 1,
        "optimizer": "sgd",
        "learning_rate": 1e-30,
        "learning_rate_schedule": "constant",
    }
    return Engine(
        network, TrainingSpec(**recipe, micro_batches=micro_batches, metrics=metrics), seed=0
    )


def errors_of(engine):
    """Return the errors of points; the weights hardly move, so a step's metrics are those of the network after it."""
    past = data()[0].astype("float32")
    parameters = engine.model.decode(
        engine.model.encode({"past": past, "observed": np.ones_like(past)}), 3
    )
    return np.abs(
        keras.ops.convert_to_numpy(engine.model.decoder.head.point(parameters)) - data()[1]
    )


HEADS = [
    ("point", 1),
    pytest.param("point", 3, marks=on_jax),
    ("quantile", 1),
    pytest.param("student_t", 3, marks=on_jax),
    ("negative_binomial", 1),
    pytest.param("log_normal", 3, marks=on_jax),
]


@pytest.mark.parametrize(("head", "micro_batches"), HEADS)
def test_metrics_leave_missing_targets_out(head, micro_batches):
    engine = engine_of(
        head, micro_batches, ("mae", keras.metrics.RootMeanSquaredError(name="rmse"))
    )
    history = engine.fit(windows(), window=WINDOW, validation=windows(rows=slice(0, 9)), verbose=0)
    errors = errors_of(engine)
    for prefix, rows in (("", slice(None)), ("val_", slice(0, 9))):
        np.testing.assert_allclose(history[f"{prefix}mae"], [np.nanmean(errors[rows])], rtol=1e-4)
        np.testing.assert_allclose(
            history[f"{prefix}rmse"], [np.sqrt(np.nanmean(errors[rows] ** 2))], rtol=1e-4
        )


@pytest.mark.parametrize("micro_batches", [1, pytest.param(2, marks=on_jax)])
def test_metrics_are_weighted_as_the_windows_are(micro_batches):
    weight = np.random.default_rng(1).uniform(0.0, 2.0, 24)
    engine = engine_of(micro_batches=micro_batches)
    # Batches of 8, of which the padding and the weights' own scale must not count.
    history = engine.fit(windows(weight, slice(0, 23), batch_size=8), window=WINDOW, verbose=0)
    errors = errors_of(engine)[:23]
    weights = np.broadcast_to(weight[:23, None, None], errors.shape)[~np.isnan(errors)]
    np.testing.assert_allclose(
        history["mae"], [np.average(errors[~np.isnan(errors)], weights=weights)], rtol=1e-4
    )


def test_a_function_of_ones_own_measures_each_target():
    shapes = []

    def relative(y_true, y_pred):
        shapes.append((tuple(y_true.shape[1:]), tuple(y_pred.shape[1:])))
        return keras.ops.abs(y_true - y_pred)[..., 0] / keras.ops.abs(y_true)[..., 0]

    engine = engine_of(metrics=(relative,))
    history = engine.fit(windows(), window=WINDOW, verbose=0)
    errors = errors_of(engine) / data()[1]
    np.testing.assert_allclose(history["relative"], [np.nanmean(errors)], rtol=1e-4)
    assert set(shapes) == {((3, 2, 1), (3, 2, 1))}


def squared_error(engine, weight):
    """Return the weighted mean of the squared errors over the observed targets, in plain NumPy."""
    errors = errors_of(engine)
    weights = np.broadcast_to(weight[:, None, None], errors.shape)[~np.isnan(errors)]
    return np.average(errors[~np.isnan(errors)] ** 2, weights=weights)


@pytest.fixture(params=["own loop", "loop of Keras"])
def loop(request, monkeypatch):
    """Train by the compiled steps of the backend, or by those of Keras."""
    if request.param == "loop of Keras":
        monkeypatch.setattr(Seq2Seq, "compiles_for_jax", False)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize(("batch_size", "metrics"), [(5, ()), (8, ("mae",))])
def test_losses_are_those_of_all_rows_for_any_batch_size(batch_size, metrics):
    """Rows without weight, windows without targets and the padding of the last batch count for nothing."""
    weight = np.random.default_rng(2).uniform(0.0, 2.0, 24) ** 3
    weight[8:16] = 0.0  # a whole batch
    engine = engine_of(metrics=metrics)
    batches = windows(weight, batch_size=batch_size)
    history = engine.fit(
        batches, window=WINDOW, validation=windows(weight, batch_size=batch_size), verbose=0
    )
    expected = squared_error(engine, weight)
    np.testing.assert_allclose(
        [history["loss"], history["val_loss"]], np.full((2, 1), expected), rtol=1e-5
    )


@pytest.mark.parametrize("head", ["quantile", "student_t"])
def test_the_loss_of_each_head_does_not_depend_on_the_batch_size(head):
    weight = np.random.default_rng(3).uniform(0.0, 2.0, 24)
    losses = []
    for batch_size in (7, 24):
        validation = windows(weight, batch_size=batch_size)
        history = engine_of(head).fit(windows(), window=WINDOW, validation=validation, verbose=0)
        losses.append(history["val_loss"][0])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_a_last_batch_of_one_row_counts_as_one_row():
    past = np.zeros((9, 8, 2))
    future = np.zeros((9, 3, 2))
    future[8] = 10.0  # by batches it would weigh as much as the other eight rows

    def batches():
        return ArrayWindows({"past": past, "observed": np.ones_like(past)}, future, batch_size=8)

    engine = engine_of(metrics=())
    history = engine.fit(batches(), window=WINDOW, validation=batches(), verbose=0)
    assert history["val_loss"][0] == pytest.approx(
        np.mean((engine.predict({"past": past}, 3) - future) ** 2), rel=1e-4
    )
