"""Files of fitted regressors."""

import json
import os
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from seqcast import Seq2SeqRegressor
from seqcast.errors import DataError, FileFormatError, SaveError, SpecError

SMALL = {"encoder_units": (6,), "epochs": 2, "batch_size": 32, "random_state": 0, "verbose": 0}


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
    with zipfile.ZipFile(tmp_path / "model.seqcast") as archive:
        index = json.loads(archive.read("seqcast.json"))
    assert index["kind"] == "Seq2SeqRegressor"
    assert index["header"]["params"]["encoder_units"] == [6]


PARTS = [
    ("seed", lambda header: header["fitted"].pop("seed")),
    ("dancing", lambda header: header["params"].update(dancing=True)),
    ("cell", lambda header: header["params"].pop("cell")),
    ("y_axes", lambda header: header["fitted"]["preparation"].pop("y_axes")),
    ("weight", lambda header: header["fitted"]["engine"]["built_network"].update(encoder_units=[7, 7])),
    ("epoch", lambda header: header["fitted"]["history"].update(epoch=3)),
]


@pytest.mark.parametrize(("name", "change"), PARTS)
def test_a_file_whose_parts_do_not_fit_together_is_refused(fitted, tmp_path, name, change):
    fitted.save(tmp_path / "model.seqcast")
    with zipfile.ZipFile(tmp_path / "model.seqcast") as archive:
        files = {item: archive.read(item) for item in archive.namelist()}
    index = json.loads(files["seqcast.json"])
    change(index["header"])
    with zipfile.ZipFile(tmp_path / "changed.seqcast", "w") as archive:
        for item, content in {**files, "seqcast.json": json.dumps(index)}.items():
            archive.writestr(item, content)
    with pytest.raises(FileFormatError, match=f"a model saved by seqcast, received .*{name}"):
        Seq2SeqRegressor.load(tmp_path / "changed.seqcast")


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
