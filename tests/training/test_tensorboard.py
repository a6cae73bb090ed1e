"""The TensorBoard log: what training recorded is what the files hold."""

import sys

import pytest

from seqcast import Seq2SeqRegressor
from seqcast.data.signals import random_sines
from seqcast.errors import MissingPackageError
from seqcast.training.tensorboard import TensorBoard


def test_the_log_holds_what_training_recorded(tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    make_ndarray = pytest.importorskip("tensorboard.util.tensor_util").make_ndarray
    model = Seq2SeqRegressor(
        encoder_units=(4,), epochs=3, batch_size=32, random_state=0, verbose=0, callbacks=[TensorBoard(tmp_path)]
    )
    model.fit(*random_sines(64, past=8, future=3, seed=0))
    for run, name in (("train", "loss"), ("validation", "val_loss")):
        events = event_accumulator.EventAccumulator(str(tmp_path / run))
        events.Reload()
        logged = events.Tensors("epoch_loss")
        assert [event.step for event in logged] == [0, 1, 2]
        values = [float(make_ndarray(event.tensor_proto)) for event in logged]
        assert values == pytest.approx(model.history_[name], rel=1e-5)
    events = event_accumulator.EventAccumulator(str(tmp_path / "train"))
    events.Reload()
    assert "epoch_learning_rate" in events.Tags()["tensors"]


def test_without_the_package_the_line_that_installs_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'seqcast\[tensorboard\]'"):
        TensorBoard(tmp_path)
