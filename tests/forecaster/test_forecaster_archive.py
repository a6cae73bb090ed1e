"""A forecaster's file is compared with its own specs before a network is built."""

import functools
import operator
import time

import keras
import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec, TrainingSpec
from seqcast.errors import FileFormatError, SpecError

from .panels import tiny, waves

SMALL = {"preset": NetworkSpec(encoder_units=(4,), decoder_units=(4,)), "context_length": 6}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model"
    tiny(3, **SMALL, training=TrainingSpec(epochs=1, steps_per_epoch=1)).fit(waves(rows=40)).save(
        path
    )
    Forecaster.load(path)  # imports and compiles what a load needs
    return path


@pytest.fixture
def file(saved, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(saved.read_bytes())
    return path


def in_header(*way, **changes):
    """Return a change of some entries of the header, which a way leads to."""
    return {
        "change_index": lambda index: functools.reduce(
            operator.getitem, way, index["header"]
        ).update(changes)
    }


def three_trainings(index):
    payload = index["header"]["candidates"][0]["payload"]
    payload["trainings"] = payload["trainings"] * 3


def shaped(shapes):
    """Return a change of the shapes of arrays."""
    return {
        "arrays": {
            name: lambda old, shape=shape: np.zeros(shape, old.dtype)
            for name, shape in shapes.items()
        }
    }


ENGINE = ("candidates", 0, "payload", "engines", 0)
BUILT = (*ENGINE, "built_network")
WEIGHT = "candidates/0/engines/0/weight"
LONG = "at most 5,000,000 steps, for 2 series with 12 rows, received 1,000,000,000"
NOT_FINITE = "holds numbers that are not finite, or beyond"
NO_NUMBERS = [
    (f"{WEIGHT}/0", np.nan, NOT_FINITE),
    (f"{WEIGHT}/1", np.inf, NOT_FINITE),
    (f"{WEIGHT}/2", -2e15, "which no training returns"),
    ("series/scaler/loc", np.nan, NOT_FINITE),
    ("series/scaler/loc", 1e308, NOT_FINITE),
    ("series/scaler/scale", np.inf, NOT_FINITE),
    ("series/scaler/scale", -1.0, "that no scaling has"),
    ("series/values", -np.inf, NOT_FINITE),
]
# What of a file is changed, and what the error says was received.
DAMAGES = [
    # Arrays of other shapes than the header needs.
    (shaped({f"{WEIGHT}/1": (8, 24)}), "weight 1 of shape (8, 24) and type float32"),
    ({"arrays": {f"{WEIGHT}/0": lambda weight: weight[:, :-1]}}, "weight 0 of shape"),
    (shaped({"series/static": (2, 5)}), "'static' of shape (2, 5), where 2 series have (2, 0)"),
    (shaped({"series/scaler/loc": (4, 1)}), "'loc' of shape (4, 1), where 2 series have (2, 1)"),
    (shaped({"series/values": (12, 3)}), "'values' of shape (12, 3), where 2 series have (12, 1)"),
    (
        shaped({"series/values": (20, 1), "series/stamps": (20,)}),
        "20 rows of 2 series, of which a context has 6",
    ),
    (shaped({"series/last_seen": (4,)}), "'last_seen' of shape (4,)"),
    ({"arrays": {"series/ids": lambda ids: ids[:-1]}}, "whose fields do not fit together"),
    ({"arrays": {"series/ends": lambda ends: ends[::-1]}}, "whose fields do not fit together"),
    # Networks larger than their weights.
    (in_header(*BUILT, encoder_units=[30_000]), "but the network has (3, 90000)"),
    (in_header(*BUILT, encoder_units=[4] * 200_000), "200001 layers and"),
    (in_header(*BUILT, segment=2), "but the network has (6, 4)"),
    (in_header(*ENGINE, "window", features=10**9), "1000000003 columns, but only"),
    # Steps that would fill the memory.
    (in_header("options", horizon=10**9), LONG),
    (in_header("series", context_length=10**9), LONG),
    (
        in_header(*ENGINE, "window", horizon=10**9),
        "horizon: expected at most 100,000 steps, received 1000000000",
    ),
    # Numbers that no fit leaves.
    *(({"first": {name: value}}, received) for name, value, received in NO_NUMBERS),
    (
        in_header("choice", "shares", trained=np.nan),
        "choice.shares.trained is nan, where a finite number is expected",
    ),
    (
        in_header("choice", "losses", trained=np.nan),
        "choice.losses.trained is nan, where a finite number is expected",
    ),
    # Headers that do not fit.
    (
        in_header("series", context_length="6"),
        "series.context_length is 'str', where int is expected",
    ),
    (in_header("series", support=[]), "features of other columns than the frame has"),
    (in_header("series", freq=None), "features of other columns than the frame has"),
    (in_header("series", fill=False), "0 calibrations of 1 targets"),
    (in_header("options", another=1), "options another"),
    (in_header("candidates", 0, key="oracle"), "header.candidates[0]: 'oracle', which is unknown"),
    (in_header("candidates", 0, payload={}), "engines"),
    ({"change_index": three_trainings}, "'trainings': 3"),
    # What would fail only in a forecast.
    (in_header("options", verbose=[]), "verbose: expected a whole number, received []"),
    (in_header("options", verbose=None), "verbose: expected a whole number, received None"),
    (
        in_header("options", season_length=2**63),
        "season_length: expected a whole number from 1 to 1000000000",
    ),
    (in_header(season_length=2**63), "season_length: expected a whole number from 1 to 1000000000"),
    (in_header("options", alias="\ud800"), "surrogates not allowed"),
    # Time zones that are names of files, which pandas would open.
    (in_header("series", "schema", zone="x" * 10_000), "which is unknown"),
    (
        in_header("series", "schema", zone="dateutil//etc/hostname"),
        "'dateutil//etc/hostname', which is unknown",
    ),
]


@pytest.mark.parametrize(("change", "received"), DAMAGES)
def test_what_no_fit_has_written_is_rejected(
    file, rewrite_archive, memory_at_most, change, received
):
    """In no time, and without the memory that it asks for."""
    rewrite_archive(file, **change)
    began = time.process_time()
    with memory_at_most(64 << 20), pytest.raises((FileFormatError, SpecError)) as caught:
        Forecaster.load(file)
    assert time.process_time() - began < 20  # it would take minutes
    assert received in str(caught.value)
    if isinstance(caught.value, FileFormatError):
        assert caught.value.where == str(file)


def test_a_value_may_be_missing_in_a_file(file, rewrite_archive):
    rewrite_archive(file, first={"series/values": np.nan})
    assert np.isfinite(Forecaster.load(file).predict()["seqcast"]).all()


def test_what_was_fitted_and_saved_is_loaded(tmp_path):
    """Many short series and many steps fit into a file, and what does not is rejected when it is saved."""
    rows = pd.DataFrame(
        {"unique_id": np.repeat(np.arange(101), 8), "ds": np.tile(np.arange(8), 101), "y": 1.0}
    )
    model = Forecaster(1500, preset="pretrained", season_length=1, verbose=0).fit(rows)
    model.save(tmp_path / "m.seqcast")
    assert Forecaster.load(tmp_path / "m.seqcast").horizon == 1500
    model.horizon = 10**6
    with pytest.raises(
        SpecError, match="horizon, context_length: expected at most 99,009 steps, for 101 series"
    ):
        model.save(tmp_path / "other.seqcast")


@pytest.mark.parametrize("segment", [1, 10**9, 2**31 - 1])
def test_a_pretrained_network_writes_segments_of_the_length_that_its_weights_have(
    tmp_path, rewrite_archive, segment
):
    path = tmp_path / "model"
    model = Forecaster(3, preset="pretrained", season_length=7, verbose=0).fit(waves(rows=40))
    model.save(path)
    engine = ("candidates", 0, "payload", "model", "payload", "engine")
    rewrite_archive(path, **in_header(*engine, "network", segment=segment))
    pd.testing.assert_frame_equal(Forecaster.load(path).predict(), model.predict())
    rewrite_archive(path, **in_header(*engine, "built_network", segment=segment))
    with pytest.raises(
        (FileFormatError, SpecError), match=r"the network has|segment: expected at most the horizon"
    ):
        Forecaster.load(path)


def test_a_limit_is_raised_by_an_argument(file):
    with pytest.raises(
        FileFormatError, match=r"expected at most 0.001 MB, received .* allow more: max_size='8GB'"
    ):
        Forecaster.load(file, max_size=1000)
    Forecaster.load(file, max_size="10 MB")
    with pytest.raises(SpecError, match="max_size: expected a size"):
        Forecaster.load(file, max_size="much")


@keras.saving.register_keras_serializable(package="tests")
def absolute(y, forecast):
    return keras.ops.mean(keras.ops.abs(y - forecast), axis=-1)


def test_some_fields_of_a_training_may_hold_functions_and_objects(tmp_path):
    frame = waves("a", rows=40)
    training = {
        "loss": absolute,
        "optimizer": keras.optimizers.Adam(0.02),
        "epochs": 1,
        "steps_per_epoch": 1,
    }
    model = tiny(3, **SMALL, level=(), training=training).fit(frame)
    model.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    assert loaded.training.keys() == training.keys()
    assert TrainingSpec(**loaded.training).to_dict() == TrainingSpec(**training).to_dict()
    pd.testing.assert_frame_equal(loaded.refit(frame).predict(), model.refit(frame).predict())


def test_intervals_that_are_wider_than_any_number_are_rejected(tmp_path, rewrite_archive):
    path = tmp_path / "model"
    Forecaster(2, preset="pretrained", calibrate=True, level=(80,), verbose=0).fit(
        waves(rows=200)
    ).save(path)
    rewrite_archive(path, arrays={"calibrations/0/usual": lambda usual: usual + 1e125})
    with pytest.raises(
        (FileFormatError, SpecError), match="widths of intervals that no forecast has"
    ):
        Forecaster.load(path)
