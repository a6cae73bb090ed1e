"""Files of fitted regressors bring the identical numbers back; what does not fit is refused before it is built."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from sklearn.base import clone

from seqcast import Seq2SeqRegressor
from seqcast.errors import DataError, FileFormatError, SaveError, SpecError

SMALL = {"encoder_units": (6,), "epochs": 2, "batch_size": 32, "random_state": 0, "verbose": 0}


@pytest.fixture
def file(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    return tmp_path / "model"


def refused(path, received):
    with pytest.raises(FileFormatError) as caught:
        Seq2SeqRegressor.load(path)
    assert caught.value.where == str(path)
    assert received in caught.value.received


@pytest.mark.processes
def test_a_file_brings_the_identical_numbers_back_in_another_process_too(sines, tmp_path):
    past, future = sines
    static = np.random.default_rng(0).normal(size=(96, 2))
    model = Seq2SeqRegressor(**SMALL, loss=keras.losses.Huber(0.5), regularizer="l2", normalise="last", cell="lstm")
    model.fit(past, future, static_covariates=static)
    expected = model.predict(past, 9, static_covariates=static)
    path = tmp_path / "model.seqcast"
    model.save(path)
    loaded = Seq2SeqRegressor.load(path)
    np.testing.assert_array_equal(loaded.predict(past, 9, static_covariates=static), expected)
    assert loaded.history_ == model.history_
    assert loaded.get_params()["cell"] == "lstm"
    clone(loaded).fit(past, future, static_covariates=static)  # its options are complete
    np.savez(tmp_path / "inputs.npz", past=past, static=static)
    code = (
        "import sys, numpy, seqcast\n"
        "inputs = numpy.load(sys.argv[1] + '/inputs.npz')\n"
        "model = seqcast.Seq2SeqRegressor.load(sys.argv[1] + '/model.seqcast')\n"
        "numpy.save(sys.argv[1] + '/out.npy', model.predict(inputs['past'], 9, static_covariates=inputs['static']))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=os.environ.copy())
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_what_cannot_be_saved_is_named_before_training_and_refused_at_save(sines, tmp_path):
    def loss(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    for fit in (Seq2SeqRegressor.fit, Seq2SeqRegressor.partial_fit):
        model = Seq2SeqRegressor(**SMALL, loss=loss)
        with pytest.warns(UserWarning, match="loss: cannot be written to a file") as warned:
            fit(model, *sines)
        assert warned[0].filename == __file__
        with pytest.raises(SpecError, match="loss: expected options that can be written"):
            model.save(tmp_path / "model.seqcast")
    assert not list(tmp_path.iterdir())


def test_files_of_others_are_refused(fitted, tmp_path):
    path = tmp_path / "model.seqcast"
    fitted.save(path)
    content = path.read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"unique_id,ds,y\n"):
        path.write_bytes(damaged)
        with pytest.raises(FileFormatError, match="expected a model saved by seqcast"):
            Seq2SeqRegressor.load(path)
    with pytest.raises(SaveError, match="Nothing was written"):
        fitted.save(tmp_path / "no" / "such" / "folder.seqcast")


def test_the_header_of_a_file_is_plain_json(fitted, tmp_path):
    fitted.save(tmp_path / "model.seqcast")
    with safe_open(tmp_path / "model.seqcast", framework="np") as file:
        content = json.loads(file.metadata()["seqcast"])["content"]
    assert content["kind"] == "Seq2SeqRegressor"
    assert content["header"]["params"]["encoder_units"] == [6]


PARTS = [
    ("seed", lambda header: header["fitted"].pop("seed")),
    ("preparation", lambda header: header["fitted"].pop("preparation")),
    ("dancing", lambda header: header["params"].update(dancing=True)),
    ("cell", lambda header: header["params"].pop("cell")),
    ("y_axes", lambda header: header["fitted"]["preparation"].pop("y_axes")),
    ("weight", lambda header: header["fitted"]["engine"]["built_network"].update(encoder_units=[7, 7])),
    ("epoch", lambda header: header["fitted"]["history"].update(epoch=3)),
]


@pytest.mark.parametrize(("name", "change"), PARTS)
def test_a_file_whose_parts_do_not_fit_together_is_refused(file, rewrite_archive, name, change):
    rewrite_archive(file, change_index=lambda index: change(index["header"]))
    refused(file, name)


def test_a_frames_columns_come_back(sines, tmp_path):
    past = pd.DataFrame(sines[0][:, :, 0], columns=[f"t{place}" for place in range(12)])
    model = Seq2SeqRegressor(**{**SMALL, "epochs": 1}).fit(past, sines[1])
    model.save(tmp_path / "model.seqcast")
    loaded = Seq2SeqRegressor.load(tmp_path / "model.seqcast")
    assert list(loaded.feature_names_in_) == list(past.columns)
    assert loaded.n_features_in_ == 12
    np.testing.assert_array_equal(loaded.predict(past), model.predict(past))
    with pytest.raises(DataError, match="feature names should match"):
        loaded.predict(past.rename(columns={"t0": "now"}))


@pytest.mark.parametrize(
    ("name", "values", "received"),
    [
        ("engine/weight/1", np.zeros((8, 24), "f4"), "weight 1 of shape (8, 24) and type float32"),
        ("engine/weight/1", np.zeros((6, 18), "i4"), "weight 1 of shape (6, 18) and type int32"),
        ("preparation/scalers/past/loc", np.zeros(6), "scaling of 'past' of shape (6,), where it has 1 columns"),
    ],
)
def test_arrays_of_other_shapes_or_types_are_refused(file, rewrite_archive, name, values, received):
    rewrite_archive(file, arrays={f"fitted/{name}": lambda _: values})
    refused(file, received)


def test_a_network_larger_than_its_weights_is_not_built(file, rewrite_archive, memory_at_most):
    def enlarge(index):
        index["header"]["fitted"]["engine"]["built_network"]["encoder_units"] = [30_000]

    rewrite_archive(file, change_index=enlarge)
    with memory_at_most(3 << 20):
        refused(file, "where the network has (1, 90000)")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fitted/engine/weight/0", np.nan),
        ("fitted/engine/weight/1", -np.inf),
        ("fitted/preparation/scalers/y/loc", np.nan),
        ("fitted/preparation/scalers/past/scale", np.inf),
    ],
)
def test_numbers_that_are_not_finite_are_refused(file, rewrite_archive, name, value):
    rewrite_archive(file, first={name: value})
    refused(file, "holds numbers that are not finite")


def test_a_horizon_that_none_is_trained_for_is_refused(file, rewrite_archive):
    def lengthen(index):
        for part in ("engine", "preparation"):
            index["header"]["fitted"][part]["window"]["horizon"] = 10**9

    rewrite_archive(file, change_index=lengthen)
    with pytest.raises(SpecError, match="horizon: expected at most 100,000 steps, received 1000000000"):
        Seq2SeqRegressor.load(file)
