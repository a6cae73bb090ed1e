"""Files of fitted regressors bring the identical numbers back; what does not fit is rejected before it is built."""

import os
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
from sklearn.base import clone

from seqcast import Seq2SeqRegressor
from seqcast.errors import FileFormatError, SaveError, SpecError
from tests.rejections import rejected

SMALL = {"encoder_units": (6,), "epochs": 2, "batch_size": 32, "random_state": 0, "verbose": 0}


@pytest.fixture
def file(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.processes
def test_a_file_brings_the_identical_numbers_back_in_another_process_too(sines, tmp_path):
    past, future = sines
    static = np.random.default_rng(0).normal(size=(96, 2))
    model = Seq2SeqRegressor(
        **SMALL, loss=keras.losses.Huber(0.5), regularizer="l2", normalise="last", cell="lstm"
    )
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
    (tmp_path / "states.pickle").write_bytes(
        pickle.dumps(model.encode(past, static_covariates=static))
    )
    code = (
        "import pathlib, pickle, sys, numpy, seqcast\n"
        "inputs = numpy.load(sys.argv[1] + '/inputs.npz')\n"
        "model = seqcast.Seq2SeqRegressor.load(sys.argv[1] + '/model.seqcast')\n"
        "numpy.save(sys.argv[1] + '/out.npy', model.predict(inputs['past'], 9, static_covariates=inputs['static']))\n"
        "states = pickle.loads(pathlib.Path(sys.argv[1], 'states.pickle').read_bytes())\n"
        "numpy.save(sys.argv[1] + '/decoded.npy', model.decode(states, 9))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=os.environ.copy())
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    np.testing.assert_allclose(np.load(tmp_path / "decoded.npy"), expected, atol=1e-6)


def test_what_cannot_be_saved_is_named_before_training_and_rejected_at_save(sines, tmp_path):
    def loss(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    for fit in (Seq2SeqRegressor.fit, Seq2SeqRegressor.partial_fit):
        model = Seq2SeqRegressor(**SMALL, loss=loss)
        with pytest.warns(UserWarning, match="loss: cannot be written to a file") as warned:
            fit(model, *sines)
        assert warned[0].filename == __file__
        rejected(
            SpecError,
            "loss: expected options that can be written",
            model.save,
            tmp_path / "model.seqcast",
        )
    assert not list(tmp_path.iterdir())


def test_files_of_others_are_rejected(fitted, file):
    content = file.read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"unique_id,ds,y\n"):
        file.write_bytes(damaged)
        rejected(FileFormatError, "expected a model saved by seqcast", Seq2SeqRegressor.load, file)
    rejected(
        SaveError, "An older one is unchanged", fitted.save, file / "no" / "such" / "folder.seqcast"
    )


def in_header(change):
    return {"change_index": lambda index: change(index["header"])}


def of_units(*units):
    return in_header(
        lambda header: header["fitted"]["engine"]["built_network"].update(encoder_units=units)
    )


def array(name, values):
    return {"arrays": {f"fitted/{name}": lambda _: values}}


NOT_FINITE = [
    ("engine/weight/0", np.nan),
    ("engine/weight/1", -np.inf),
    ("preparation/scalers/y/loc", np.nan),
    ("preparation/scalers/past/scale", np.inf),
]
# What of a file is changed, and what the error says was received.
DAMAGES = [
    (in_header(lambda header: header["fitted"].pop("seed")), "seed"),
    (in_header(lambda header: header["fitted"].pop("preparation")), "preparation"),
    (in_header(lambda header: header["params"].update(dancing=True)), "dancing"),
    (in_header(lambda header: header["params"].pop("cell")), "cell"),
    (in_header(lambda header: header["fitted"]["preparation"].pop("y_axes")), "y_axes"),
    (in_header(lambda header: header["fitted"]["history"].update(epoch=3)), "epoch"),
    (of_units(7, 7), "weight"),
    (of_units(30_000), "but the network has (1, 90000)"),
    (
        array("engine/weight/1", np.zeros((8, 24), "f4")),
        "weight 1 of shape (8, 24) and type float32",
    ),
    (array("engine/weight/1", np.zeros((6, 18), "i4")), "weight 1 of shape (6, 18) and type int32"),
    (
        array("preparation/scalers/past/loc", np.zeros(6)),
        "scaling of 'past' of shape (6,), where it has 1 columns",
    ),
    *(
        ({"first": {f"fitted/{name}": value}}, "holds numbers that are not finite")
        for name, value in NOT_FINITE
    ),
]


@pytest.mark.parametrize(("change", "received"), DAMAGES)
def test_what_no_fit_has_written_is_rejected_before_it_takes_memory(
    file, rewrite_archive, memory_at_most, change, received
):
    rewrite_archive(file, **change)
    with memory_at_most(16 << 20), pytest.raises(FileFormatError) as caught:
        Seq2SeqRegressor.load(file)
    assert caught.value.where == str(file)
    assert received in caught.value.received


def test_a_horizon_that_none_is_trained_for_is_rejected(file, rewrite_archive):
    def lengthen(index):
        for part in ("engine", "preparation"):
            index["header"]["fitted"][part]["window"]["horizon"] = 10**9

    rewrite_archive(file, change_index=lengthen)
    rejected(
        SpecError,
        "horizon: expected at most 100,000 steps, received 1000000000",
        Seq2SeqRegressor.load,
        file,
    )


def test_a_verbose_that_would_fail_in_a_later_fit_is_rejected(file, rewrite_archive):
    rewrite_archive(file, **in_header(lambda header: header["params"].update(verbose=[])))
    rejected(SpecError, "verbose: expected a whole number, received ", Seq2SeqRegressor.load, file)
