"""A forecaster's file is compared with its own specs before a network is built."""

import dataclasses
import time

import keras
import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec, TrainingSpec
from seqcast.errors import FileFormatError, SpecError

MIB = 1 << 20


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    days = pd.date_range("2024-01-01", periods=40)
    frame = pd.concat(
        pd.DataFrame({"unique_id": name, "ds": days, "y": np.sin(np.arange(40.0) + place)})
        for place, name in enumerate("ab")
    )
    model = Forecaster(
        3,
        context_length=6,
        preset=NetworkSpec(encoder_units=(4,), decoder_units=(4,)),
        training=TrainingSpec(epochs=1, steps_per_epoch=1),
        random_state=0,
        verbose=0,
    )
    path = tmp_path_factory.mktemp("saved") / "model"
    model.fit(frame).save(path)
    return path


@pytest.fixture
def file(saved, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(saved.read_bytes())
    Forecaster.load(path)  # imports and compiles what a load needs
    return path


def refused(path, received):
    began = time.process_time()
    with pytest.raises(FileFormatError) as caught:
        Forecaster.load(path)
    assert time.process_time() - began < 20  # it would take minutes
    assert caught.value.where == str(path)
    assert received in caught.value.received


@pytest.mark.parametrize(
    ("arrays", "received"),
    [
        ({"candidates/0/engines/0/weight/1": (8, 24)}, "weight 1 of shape (8, 24) and type float32"),
        ({"series/static": (2, 5)}, "'static' of shape (2, 5), where 2 series have (2, 0)"),
        ({"series/scaler/loc": (4, 1)}, "'loc' of shape (4, 1), where 2 series have (2, 1)"),
        ({"series/values": (12, 3)}, "'values' of shape (12, 3), where 2 series have (12, 1)"),
        ({"series/values": (20, 1), "series/stamps": (20,)}, "20 rows of 2 series, of which a context has 6"),
        ({"series/last_seen": (4,)}, "'last_seen' of shape (4,)"),
    ],
)
def test_arrays_of_other_shapes_than_the_header_needs_are_refused(file, rewrite_archive, arrays, received):
    changes = {name: lambda values, shape=shape: np.zeros(shape, values.dtype) for name, shape in arrays.items()}
    rewrite_archive(file, arrays=changes)
    refused(file, received)


@pytest.mark.parametrize(
    ("part", "changes", "received"),
    [
        ("built_network", {"encoder_units": [30_000]}, "where the network has (3, 90000)"),
        ("built_network", {"encoder_units": [4] * 200_000}, "200001 layers and"),
        ("built_network", {"segment": 2}, "where the network has (6, 4)"),
        ("window", {"features": 10**9}, "1000000003 columns, where there are"),
    ],
)
def test_a_network_larger_than_its_weights_is_not_built(file, rewrite_archive, memory_at_most, part, changes, received):
    rewrite_archive(
        file, change_index=lambda index: index["header"]["candidates"][0]["parts"]["engines"][0][part].update(changes)
    )
    with memory_at_most(64 * MIB):
        refused(file, received)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("candidates/0/engines/0/weight/0", np.nan),
        ("candidates/0/engines/0/weight/1", np.inf),
        ("candidates/0/engines/0/weight/2", -2e15),
        ("series/scaler/loc", np.nan),
        ("series/scaler/loc", 1e308),
        ("series/scaler/scale", np.inf),
        ("series/scaler/scale", -1.0),
        ("series/values", -np.inf),
    ],
)
def test_numbers_that_no_fit_leaves_are_refused(file, rewrite_archive, name, value):
    rewrite_archive(file, first={name: value})
    with pytest.raises(FileFormatError, match=r"not finite, or beyond|which no training leaves|that no scaling has"):
        Forecaster.load(file)


def test_a_value_may_be_missing_in_a_file(file, rewrite_archive):
    rewrite_archive(file, first={"series/values": np.nan})
    assert np.isfinite(Forecaster.load(file).predict()["seqcast"]).all()


@pytest.mark.parametrize(
    ("part", "name", "steps"), [("options", "horizon", 10**9), ("series", "context_length", 10**9)]
)
def test_steps_that_would_fill_the_memory_are_refused(file, rewrite_archive, part, name, steps):
    rewrite_archive(file, change_index=lambda index: index["header"][part].update({name: steps}))
    with pytest.raises(SpecError, match="at most 5,000,000 steps, for 2 series with 12 rows, received 1,000,000,000"):
        Forecaster.load(file)


def test_what_was_fitted_and_saved_is_loaded(tmp_path):
    """Many short series and many steps fit into a file, and what does not is refused when it is saved."""
    rows = pd.DataFrame({"unique_id": np.repeat(np.arange(101), 8), "ds": np.tile(np.arange(8), 101), "y": 1.0})
    model = Forecaster(1500, preset="pretrained", season_length=1, verbose=0).fit(rows)
    model.save(tmp_path / "m.seqcast")
    assert Forecaster.load(tmp_path / "m.seqcast").horizon == 1500
    model.horizon = 10**6
    with pytest.raises(SpecError, match="horizon, context_length: expected at most 99,009 steps, for 101 series"):
        model.save(tmp_path / "other.seqcast")


def test_a_network_of_a_horizon_that_none_is_trained_for_is_refused(file, rewrite_archive):
    rewrite_archive(
        file,
        change_index=lambda index: index["header"]["candidates"][0]["parts"]["engines"][0]["window"].update(
            horizon=10**9
        ),
    )
    with pytest.raises(SpecError, match="horizon: expected at most 100,000 steps, received 1000000000"):
        Forecaster.load(file)


@pytest.mark.parametrize("name", ["shares", "losses"])
def test_numbers_of_the_header_are_finite(file, rewrite_archive, name):
    rewrite_archive(file, change_index=lambda index: index["header"]["choice"][name].update(trained=float("nan")))
    refused(file, f"choice.{name}.trained is nan, where a finite number is expected")


def test_each_network_has_its_training(file):
    model = Forecaster.load(file)
    fitted = model.fitted_
    (trained,) = fitted.candidates
    more = dataclasses.replace(trained, trainings=model.training_ * 3)
    model.with_fitted(dataclasses.replace(fitted, candidates=(more,))).save(file)
    with pytest.raises(FileFormatError, match=r"trained networks with .*'trainings': 3"):
        Forecaster.load(file)


@pytest.mark.parametrize(
    ("part", "changes", "received"),
    [
        ("series", {"context_length": "6"}, "series.context_length is 'str', where int is expected"),
        ("series", {"support": []}, "features of other columns than the frame has"),
        ("series", {"freq": None}, "features of other columns than the frame has"),
        ("series", {"fill": False}, "0 calibrations of 1 targets"),
        ("options", {"another": 1}, "options another"),
        ("candidates", {0: {"key": "oracle"}}, "header.candidates[0]: 'oracle', which there is not"),
        ("candidates", {0: {"parts": {}}}, "engines"),
    ],
)
def test_headers_that_do_not_fit_are_refused_when_they_are_loaded(file, rewrite_archive, part, changes, received):
    def change(index):
        for key, value in changes.items():
            if isinstance(value, dict):
                index["header"][part][key].update(value)
            else:
                index["header"][part][key] = value

    rewrite_archive(file, change_index=change)
    with pytest.raises((FileFormatError, SpecError)) as caught:
        Forecaster.load(file)
    assert received in str(caught.value)


def test_a_limit_is_raised_by_an_argument(file):
    with pytest.raises(FileFormatError, match=r"expected at most 0.001 MB, received .* allow more: max_size='8GB'"):
        Forecaster.load(file, max_size=1000)
    Forecaster.load(file, max_size="10 MB")
    with pytest.raises(SpecError, match="max_size: expected a size"):
        Forecaster.load(file, max_size="much")


@keras.saving.register_keras_serializable(package="tests")
def absolute(y, forecast):
    return keras.ops.mean(keras.ops.abs(y - forecast), axis=-1)


def test_some_fields_of_a_training_may_hold_functions_and_objects(tmp_path):
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=40), "y": np.sin(np.arange(40.0))})
    training = {"loss": absolute, "optimizer": keras.optimizers.Adam(0.02), "epochs": 1, "steps_per_epoch": 1}
    options = {"context_length": 6, "level": (), "random_state": 0, "verbose": 0}
    model = Forecaster(3, preset=NetworkSpec(encoder_units=(4,), decoder_units=(4,)), training=training, **options)
    model.fit(frame).save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    assert loaded.training.keys() == training.keys()
    assert TrainingSpec(**loaded.training).to_dict() == TrainingSpec(**training).to_dict()
    np.testing.assert_array_equal(loaded.refit(frame).predict()["seqcast"], model.refit(frame).predict()["seqcast"])
