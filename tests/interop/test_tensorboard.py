"""The TensorBoard log: what training recorded is what the files hold, and TensorBoard shows it."""

import pytest

from seqcast import Forecaster, Seq2SeqRegressor
from seqcast.data.datasets import load
from seqcast.errors import SpecError
from seqcast.interop.tensorboard import TensorBoard

from .conftest import FUTURE, OPTIONS, PAST, SMALL

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
make_ndarray = pytest.importorskip("tensorboard.util.tensor_util").make_ndarray


def events(folder):
    read = event_accumulator.EventAccumulator(str(folder))
    read.Reload()
    return read


def scalars(folder, tag):
    return {
        event.step: float(make_ndarray(event.tensor_proto)) for event in events(folder).Tensors(tag)
    }


def test_the_log_holds_what_training_recorded(tmp_path):
    model = Seq2SeqRegressor(**SMALL, epochs=3).fit(
        PAST, FUTURE, callbacks=[TensorBoard(tmp_path, 1)]
    )
    for run, name in (("train", "loss"), ("validation", "val_loss")):
        assert scalars(tmp_path / run, "epoch_loss") == pytest.approx(
            dict(enumerate(model.history_[name])), rel=1e-5
        )
    assert "epoch_learning_rate" in events(tmp_path / "train").Tags()["tensors"]
    assert list(scalars(tmp_path / "train", "step_loss")) == list(range(1, 7))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train", "validation"]


def test_each_network_has_a_folder_of_its_own(tmp_path):
    board = TensorBoard(tmp_path)
    forecaster = Forecaster(12, **OPTIONS, members=2).fit(load("elnino"), callbacks=[board])
    for network, history in zip(("network-1", "network-2"), forecaster.histories_, strict=True):
        expected = pytest.approx(dict(enumerate(history["loss"])), rel=1e-5)
        assert scalars(tmp_path / network / "train", "epoch_loss") == expected


def test_numbers_are_checked():
    with pytest.raises(SpecError, match="every_n_steps"):
        TensorBoard("nowhere", 0)
