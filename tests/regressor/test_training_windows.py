"""Windows that a regressor is trained and validated on: arrays, batches, weights, and what is rejected."""

import numpy as np
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.data import random_sines
from seqcast.errors import DataError, SpecError
from seqcast.runtime import keras
from tests.rejections import rejected

SMALL = {"encoder_units": (6,), "epochs": 2, "batch_size": 32, "random_state": 0, "verbose": 0}
X = np.ones((8, 6, 2))
Y = np.ones((8, 3, 2))
NAN = X.copy()
NAN[3, 2, 1] = np.nan
INF = Y.copy()
INF[5, 0, 0] = -np.inf


class Stream(keras.utils.PyDataset):
    """Batches of sums of sines, other ones at each place."""

    def __init__(self, batches, size, seed):
        super().__init__()
        self.batches = batches
        self.size = size
        self.seed = seed

    def __len__(self):
        return self.batches

    def __getitem__(self, index):
        past, future = random_sines(self.size, past=12, future=5, seed=1000 * self.seed + index)
        return {"past": past}, future


def test_batches_from_a_dataset_and_from_a_generator(sines):
    model = Seq2SeqRegressor(**SMALL).fit(Stream(3, 16, seed=1), validation=Stream(1, 32, seed=2))
    assert "val_loss" in model.history_
    assert model.predict(sines[0]).shape == (96, 5, 1)

    def generator():
        rng = np.random.default_rng(0)
        while True:
            index = rng.integers(0, 96, 16)
            yield sines[0][index], sines[1][index]

    options = {**SMALL, "decoder_input": "teacher"}
    taught = Seq2SeqRegressor(**options, steps_per_epoch=4).fit(generator())
    assert np.isfinite(taught.predict(sines[0])).all()
    rejected(SpecError, "steps_per_epoch", Seq2SeqRegressor(**SMALL).fit, generator())


class Unsized(keras.utils.PyDataset):
    """Batches of `num_batches` alone, which remember the numbers that were read."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches
        self.read = []

    @property
    def num_batches(self):
        return self.batches

    def __getitem__(self, index):
        self.read.append(index)
        return random_sines(16, past=12, future=5, seed=index)


class Unknown(keras.utils.PyDataset):
    """Batches that say neither length nor number."""

    def __getitem__(self, index):
        return random_sines(16, past=12, future=5, seed=index)


class EpochsOf(keras.callbacks.Callback):
    """The number of batches of each epoch."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.append(0)

    def on_train_batch_end(self, batch, logs=None):
        self.batches[-1] += 1


PASSES = [
    (3, None, [0, 1, 2] * 2),
    (3, 2, [0, 1, 2, 0]),
    (2, 3, [0, 1, 0, 1, 0, 1]),
    (None, 2, [0, 1, 2, 3]),
]


@pytest.mark.parametrize(("batches", "steps", "read"), PASSES)
def test_an_epoch_of_a_dataset_has_its_steps_and_continues_where_the_last_one_ended(
    batches, steps, read
):
    stream = Unsized(batches)
    epochs = EpochsOf()
    model = Seq2SeqRegressor(**SMALL, steps_per_epoch=steps).fit(stream, callbacks=[epochs])
    assert epochs.batches == [steps or batches] * 2
    # The first batches are also read to learn the scaling, and one or two by Keras before it
    # begins.
    assert stream.read[-len(read) :] == read
    stream.read.clear()
    model.partial_fit(stream)
    assert stream.read[-(steps or batches) :] == read[: steps or batches]


def test_a_length_of_a_dataset_does_not_overrule_the_steps_of_an_epoch():
    epochs = EpochsOf()
    Seq2SeqRegressor(**SMALL, steps_per_epoch=5).fit(Stream(3, 16, seed=1), callbacks=[epochs])
    assert epochs.batches == [5, 5]


def test_a_dataset_that_is_validated_on_is_read_whole_after_each_epoch():
    held = Unsized(3)
    Seq2SeqRegressor(**SMALL, steps_per_epoch=2).fit(Stream(3, 16, seed=1), validation=held)
    assert held.read[-6:] == [0, 1, 2] * 2


@pytest.mark.parametrize("stream", [Unsized(None), Unknown()], ids=["endless", "unknown"])
def test_a_dataset_without_an_end_needs_steps(stream, tmp_path):
    model = Seq2SeqRegressor(**SMALL)
    message = "steps_per_epoch: expected a whole number for a generator, or a PyDataset without num_batches"
    rejected(SpecError, message, model.fit, stream)
    rejected(SpecError, message, model.partial_fit, stream)
    rejected(
        DataError, "validation: expected .* that has an end", model.fit, X, Y, validation=stream
    )
    assert model.set_params(steps_per_epoch=1).fit(stream).predict(np.zeros((1, 12, 1))).shape == (
        1,
        5,
        1,
    )
    rejected(
        SpecError,
        "checkpoint: expected None with batches",
        model.fit,
        stream,
        checkpoint=tmp_path / "c",
    )


@pytest.mark.parametrize("count", [2.5, "3", -1])
def test_an_impossible_number_of_batches_is_rejected(count):
    rejected(
        SpecError,
        "num_batches: expected a whole number >= 0",
        Seq2SeqRegressor(**SMALL).fit,
        Unsized(count),
    )


def test_given_validation_is_used_and_not_trained_on(sines):
    held = random_sines(20, past=12, future=5, seed=9)
    model = Seq2SeqRegressor(**SMALL).fit(*sines, validation=held)
    error = np.mean(
        ((model.predict(held[0]) - held[1]) / model.preparation_.scalers["y"].scale) ** 2
    )
    assert min(model.history_["val_loss"]) == pytest.approx(error, rel=1e-4)
    assert (
        "val_loss" in Seq2SeqRegressor(**SMALL).fit(Stream(2, 16, seed=1), validation=held).history_
    )


def test_a_number_of_windows_is_validated_on_as_that_share_of_them(sines):
    (past, future) = sines
    none = {**SMALL, "validation_fraction": 0.0}
    model = Seq2SeqRegressor(**SMALL).fit(*sines, validation=24)
    assert "val_loss" in model.history_
    for other in (
        Seq2SeqRegressor(**SMALL, validation_fraction=0.25).fit(*sines),
        Seq2SeqRegressor(**none).fit(past[:72], future[:72], validation=(past[72:], future[72:])),
    ):
        assert other.history_.epochs == model.history_.epochs
        np.testing.assert_array_equal(other.predict(past), model.predict(past))


OTHER_FORMS = [
    (
        "windows",
        96,
        r"validation: expected fewer windows than X has, 96, received 96\. Leave some to train on",
    ),
    ("windows", 0, r"validation: expected a whole number >= 1, received 0"),
    (
        "windows",
        0.2,
        r"validation: expected a number of windows, \(X, y\), \(X, y, covariates\), or a keras",
    ),
    ("windows", lambda X, y: X, "validation"),
    ("windows", lambda X, y: (X, y[:, :2]), "validation"),
    (
        "windows",
        lambda X, y: (X[:, :, 0], y),
        r"validation: X: expected .N, T, 1., as at fit, received 2 axes",
    ),
    (
        "windows",
        lambda X, y: (X, y, {"static": y[:, 0]}),
        "validation, covariates: .*received static",
    ),
    ("windows", lambda X, y: (X, y, y[:, 0]), "validation, covariates: expected a dict"),
    (
        "table",
        lambda X, y: (X[:, :3], y),
        r"validation: X: X has 3 features, but .* is expecting 12",
    ),
    ("stream", 8, "validation: expected windows or batches of their own, for an X of batches"),
    # Keras would read an endless one for ever, and one that ends in the first epoch only.
    ("stream", lambda X, y: (batch for batch in [(X, y)]), r"validation: .*received generator"),
]


@pytest.mark.parametrize(("X", "validation", "message"), OTHER_FORMS)
def test_validation_of_another_form_is_rejected(sines, X, validation, message):
    past = sines[0][:, :, 0] if X == "table" else sines[0]
    given = (Stream(3, 16, seed=1),) if X == "stream" else (past, sines[1])
    model = Seq2SeqRegressor(**SMALL)
    with pytest.raises((DataError, SpecError), match=message):
        model.fit(
            *given, validation=validation(past, sines[1]) if callable(validation) else validation
        )
    assert not hasattr(model, "fitted_")


@pytest.mark.parametrize("name", ["static_covariates", "future_covariates", "sample_weight"])
def test_arrays_next_to_batches_are_rejected(name):
    for method in (Seq2SeqRegressor(**SMALL).fit, Seq2SeqRegressor(**SMALL).partial_fit):
        with pytest.raises(
            DataError, match=f"{name}: expected none, since the batches have their own"
        ):
            method(Stream(2, 16, seed=1), **{name: np.ones(32)})


FEATURES = [(1, 0, ""), (1, 1, ", 'static': 1"), (2, 2, ", 'static': 2")]


@pytest.mark.parametrize(("features", "static", "received"), FEATURES)
def test_batches_with_other_inputs_than_the_first_ones_are_rejected(
    sines, features, static, received
):
    past, future = sines
    whole = {"past": past, "static": np.ones((96, 2))}
    wrong = {"past": past.repeat(features, axis=2), "static": np.ones((96, static))}
    wrong = wrong if static else {"past": past}
    batches = ((whole if place < 11 else wrong, future) for place in range(12))
    received = f"'past': {features}" + f", 'static': {static}" * (static > 0)
    message = f"batch: expected features of 'past': 1, 'static': 2, received {received}"
    rejected(DataError, message, Seq2SeqRegressor(**SMALL, steps_per_epoch=12).fit, batches)


WEIGHTS = [
    (np.ones(3), "as many windows"),
    (-np.ones(96), "weights >= 0"),
    ([np.nan] * 96, "finite"),
]


@pytest.mark.parametrize(("weight", "message"), WEIGHTS)
def test_weights_of_a_batch_are_checked(sines, weight, message):
    with pytest.raises(DataError, match=f"batch, weight.*{message}"):
        Seq2SeqRegressor(**SMALL, steps_per_epoch=1).fit(iter([(*sines, weight)]))


def test_a_window_of_weight_zero_is_not_learned_from(sines):
    past, future = (values.copy() for values in sines)
    weight = np.ones(96)
    weight[::3] = 0
    options = {**SMALL, "scale": "none", "validation_fraction": 0.0}
    first = Seq2SeqRegressor(**options).fit(past, future, sample_weight=weight).predict(past)
    future[::3] += 50
    second = Seq2SeqRegressor(**options).fit(past, future, sample_weight=weight).predict(past)
    np.testing.assert_allclose(first, second, atol=1e-6)


WRONG_DATA = [
    (
        NAN,
        Y,
        "X, window 3, step 2, feature 1: expected finite numbers, received NaN. Drop or fill it.",
    ),
    (
        X,
        INF,
        "y, window 5, step 0, feature 0: expected finite numbers, received -inf. Drop or fill it.",
    ),
    (X[:0], Y[:0], "X: expected at least one window, step and feature, received shape (0, 6, 2)."),
    (X[:, :0], Y, "X: expected at least one window, step and feature, received shape (8, 0, 2)."),
    (X, Y[:, :0], "y: expected at least one step, received shape (8, 0, 2). Give a future."),
    (X, Y[:5], "y: expected as many windows as X, 8, received 5. Give one entry a window."),
    (
        X,
        Y[..., None],
        "y: expected 1 axes or 2 axes or 3 axes, received 4 axes, shape (8, 3, 2, 1).",
    ),
    (X[..., None], Y, "X: Found array with dim 4"),
    (X[0, 0], Y, "X: Expected 2D array, got 1D array instead"),
    ([[1, 2], [3]], [1, 2], "X: "),
    (
        [["a", "b"]],
        [1],
        "X: expected numbers in a regular array, received could not convert string to float",
    ),
    (X, None, "Seq2SeqRegressor requires y to be passed, but the target y is None"),
]


@pytest.mark.parametrize(("past", "future", "message"), WRONG_DATA)
def test_wrong_data_are_rejected_before_training(past, future, message):
    model = Seq2SeqRegressor(**SMALL)
    with pytest.raises(DataError) as caught:
        model.fit(past, future)
    assert str(caught.value).startswith(message)
    assert not hasattr(model, "engine_")


def test_data_that_a_distribution_does_not_have_are_rejected(purchases):
    past, future = purchases
    counts = {**SMALL, "head": "negative_binomial", "scale": "none"}
    wrong = future.copy()
    wrong[3, 1] = 2.5
    message = "y, window 3, step 1, feature 0: expected whole numbers >= 0, received 2.5"
    for fit in (Seq2SeqRegressor.fit, Seq2SeqRegressor.partial_fit):
        model = Seq2SeqRegressor(**counts)
        rejected(DataError, message, fit, model, past, wrong)
        assert not hasattr(model, "engine_")
    rejected(
        DataError,
        "validation: " + message,
        Seq2SeqRegressor(**counts).fit,
        past,
        future,
        validation=(past, wrong),
    )
    batches = ((past, wrong) for _ in range(4))
    rejected(DataError, message, Seq2SeqRegressor(**counts, steps_per_epoch=2).fit, batches)
