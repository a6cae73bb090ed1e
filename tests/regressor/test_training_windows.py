"""Windows that a regressor is trained and validated on: arrays, batches, weights, and what is refused."""

import numpy as np
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.data.signals import random_sines
from seqcast.errors import DataError, SpecError
from seqcast.runtime import keras

SMALL = {"encoder_units": (6,), "epochs": 2, "batch_size": 32, "random_state": 0, "verbose": 0}


X, Y = np.ones((8, 6, 2)), np.ones((8, 3, 2))
NAN = X.copy()
NAN[3, 2, 1] = np.nan
INF = Y.copy()
INF[5, 0, 0] = -np.inf


class Stream(keras.utils.PyDataset):
    """Batches of sums of sines, other ones at each place."""

    def __init__(self, batches, size, seed):
        super().__init__()
        self.batches, self.size, self.seed = batches, size, seed

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
    with pytest.raises(SpecError, match="steps_per_epoch"):
        Seq2SeqRegressor(**SMALL).fit(generator())


def test_given_validation_is_used_and_not_trained_on(sines):
    past, future = sines
    held = random_sines(20, past=12, future=5, seed=9)
    model = Seq2SeqRegressor(**SMALL).fit(past, future, validation=held)
    error = np.mean(((model.predict(held[0]) - held[1]) / model.preparation_.scalers["y"].scale) ** 2)
    assert min(model.history_["val_loss"]) == pytest.approx(error, rel=1e-4)
    with pytest.raises(DataError, match="validation"):
        Seq2SeqRegressor(**SMALL).fit(past, future, validation=(held[0], held[1][:, :2]))
    with pytest.raises(DataError, match="validation"):
        Seq2SeqRegressor(**SMALL).fit(past, future, validation=held[0])


def test_a_number_of_windows_is_validated_on_as_that_share_of_them(sines):
    models = [
        Seq2SeqRegressor(**SMALL).fit(*sines, validation=24),
        Seq2SeqRegressor(**SMALL, validation_fraction=0.25).fit(*sines),
        Seq2SeqRegressor(**{**SMALL, "validation_fraction": 0.0}).fit(
            sines[0][:72], sines[1][:72], validation=(sines[0][72:], sines[1][72:])
        ),
    ]
    for other in models[1:]:
        assert other.history_.epochs == models[0].history_.epochs
        np.testing.assert_array_equal(other.predict(sines[0]), models[0].predict(sines[0]))
    assert "val_loss" in models[0].history_


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (96, "validation: expected fewer windows than X has, 96, received 96. Leave some to train on."),
        (0, "validation: expected a whole number >= 1, received 0."),
        (0.2, "validation: expected a number of windows, (X, y), (X, y, covariates), or a keras.utils.PyDataset"),
    ],
)
def test_numbers_that_leave_nothing_are_refused(sines, validation, message):
    model = Seq2SeqRegressor(**SMALL)
    with pytest.raises((DataError, SpecError)) as caught:
        model.fit(*sines, validation=validation)
    assert str(caught.value).startswith(message)
    assert not hasattr(model, "fitted_")


def test_batches_have_no_last_windows_to_validate_on():
    stream = Stream(3, 16, seed=1)
    with pytest.raises(DataError, match="validation: expected windows or batches of their own, for an X of batches"):
        Seq2SeqRegressor(**SMALL).fit(stream, validation=8)


def test_validation_of_another_form_is_refused_with_its_name(sines):
    flat, univariate, target = sines[0][:, :, 0], sines[0][:, :, :1], sines[1]
    model = Seq2SeqRegressor(**SMALL)
    with pytest.raises(DataError, match=r"validation: X: X has 3 features, but .* is expecting 12"):
        model.fit(flat, target, validation=(flat[:, :3], target))
    with pytest.raises(DataError, match=r"validation: X: expected .N, T, 1., as at fit, received 2 axes"):
        model.fit(univariate, target, validation=(flat, target))
    with pytest.raises(DataError, match=r"validation, covariates: .*received static"):
        model.fit(univariate, target, validation=(univariate, target, {"static": target[:, 0]}))
    with pytest.raises(DataError, match=r"validation, covariates: expected a dict"):
        model.fit(univariate, target, validation=(univariate, target, target[:, 0]))


def test_batches_are_validated_on_arrays_but_not_on_a_generator(sines):
    stream = Stream(2, 16, seed=1)
    held = random_sines(20, past=12, future=5, seed=9)
    assert "val_loss" in Seq2SeqRegressor(**SMALL).fit(stream, validation=held).history_
    # Keras would read an endless one for ever, and one that ends in the first epoch only.
    with pytest.raises(DataError, match=r"validation: .*received generator"):
        Seq2SeqRegressor(**SMALL).fit(stream, validation=(batch for batch in [held]))


@pytest.mark.parametrize("name", ["static_covariates", "future_covariates", "sample_weight"])
def test_arrays_beside_batches_are_refused(name):
    stream = Stream(2, 16, seed=1)
    for method in (Seq2SeqRegressor(**SMALL).fit, Seq2SeqRegressor(**SMALL).partial_fit):
        with pytest.raises(DataError, match=f"{name}: expected none, since the batches have their own"):
            method(stream, **{name: np.ones(32)})


def test_batches_with_other_inputs_than_the_first_ones_are_refused(sines):
    past, future = sines
    static = np.ones((96, 2))
    whole, options = ({"past": past, "static": static}, future), {**SMALL, "steps_per_epoch": 12}
    for wrong, message in (
        ({"past": past}, "received 'past': 1"),
        ({"past": past, "static": static[:, :1]}, "received 'past': 1, 'static': 1"),
        ({"past": past.repeat(2, axis=2), "static": static}, "received 'past': 2, 'static': 2"),
    ):
        batches = (whole if place < 11 else (wrong, future) for place in range(12))
        with pytest.raises(DataError, match=f"batch: expected features of 'past': 1, 'static': 2, {message}"):
            Seq2SeqRegressor(**options).fit(batches)


@pytest.mark.parametrize(
    ("weight", "message"), [(np.ones(3), "as many windows"), (-np.ones(96), "weights >= 0"), ([np.nan] * 96, "finite")]
)
def test_weights_of_a_batch_are_checked(sines, weight, message):
    with pytest.raises(DataError, match=f"batch, weight.*{message}"):
        Seq2SeqRegressor(**SMALL, steps_per_epoch=1).fit(iter([(*sines, weight)]))


def test_a_window_of_weight_zero_is_not_learnt_from(sines):
    past, future = (values.copy() for values in sines)
    weight = np.ones(96)
    weight[::3] = 0
    options = {**SMALL, "scale": "none", "validation_fraction": 0.0}
    first = Seq2SeqRegressor(**options).fit(past, future, sample_weight=weight).predict(past)
    future[::3] += 50
    second = Seq2SeqRegressor(**options).fit(past, future, sample_weight=weight).predict(past)
    np.testing.assert_allclose(first, second, atol=1e-6)


WRONG_DATA = [
    (NAN, Y, "X, window 3, step 2, feature 1: expected finite numbers, received NaN. Drop or fill it."),
    (X, INF, "y, window 5, step 0, feature 0: expected finite numbers, received -inf. Drop or fill it."),
    (X[:0], Y[:0], "X: expected at least one window, step and feature, received shape (0, 6, 2)."),
    (X[:, :0], Y, "X: expected at least one window, step and feature, received shape (8, 0, 2)."),
    (X, Y[:, :0], "y: expected at least one step, received shape (8, 0, 2). Give a future."),
    (X, Y[:5], "y: expected as many windows as X, 8, received 5. Give one entry a window."),
    (X, Y[..., None], "y: expected 1 axes or 2 axes or 3 axes, received 4 axes, shape (8, 3, 2, 1)."),
    (X[..., None], Y, "X: Found array with dim 4"),
    (X[0, 0], Y, "X: Expected 2D array, got 1D array instead"),
    ([[1, 2], [3]], [1, 2], "X: "),
    ([["a", "b"]], [1], "X: expected numbers in a regular array, received could not convert string to float"),
    (X, None, "Seq2SeqRegressor requires y to be passed, but the target y is None"),
]


@pytest.mark.parametrize(("past", "future", "message"), WRONG_DATA)
def test_wrong_data_are_refused_before_training(past, future, message):
    model = Seq2SeqRegressor(**SMALL)
    with pytest.raises(DataError) as caught:
        model.fit(past, future)
    assert str(caught.value).startswith(message)
    assert not hasattr(model, "engine_")


def test_data_that_a_distribution_does_not_have_are_refused(purchases):
    past, future = purchases
    counts = {**SMALL, "head": "negative_binomial", "scale": "none"}
    wrong = future.copy()
    wrong[3, 1] = 2.5
    message = "y, window 3, step 1, feature 0: expected whole numbers >= 0, received 2.5"
    for fit in (Seq2SeqRegressor.fit, Seq2SeqRegressor.partial_fit):
        model = Seq2SeqRegressor(**counts)
        with pytest.raises(DataError, match=message):
            fit(model, past, wrong)
        assert not hasattr(model, "engine_")
    with pytest.raises(DataError, match="validation: " + message):
        Seq2SeqRegressor(**counts).fit(past, future, validation=(past, wrong))
    batches = ((past, wrong) for _ in range(4))
    with pytest.raises(DataError, match=message):
        Seq2SeqRegressor(**counts, steps_per_epoch=2).fit(batches)
