"""The TensorBoard log: what training recorded is what the files hold, and TensorBoard shows it."""

import numpy as np
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
    return {event.step: float(make_ndarray(event.tensor_proto)) for event in events(folder).Tensors(tag)}


def test_the_log_holds_what_training_recorded(tmp_path):
    model = Seq2SeqRegressor(**SMALL, epochs=3).fit(PAST, FUTURE, callbacks=[TensorBoard(tmp_path, 1)])
    for run, name in (("train", "loss"), ("validation", "val_loss")):
        assert scalars(tmp_path / run, "epoch_loss") == pytest.approx(dict(enumerate(model.history_[name])), rel=1e-5)
    assert "epoch_learning_rate" in events(tmp_path / "train").Tags()["tensors"]
    assert list(scalars(tmp_path / "train", "step_loss")) == list(range(1, 7))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train", "validation"]


def test_pictures_of_forecasts_every_few_epochs(tmp_path):
    board = TensorBoard(tmp_path, images_every=2, windows=3)
    Seq2SeqRegressor(**SMALL, epochs=5).fit(PAST, FUTURE, callbacks=[board])
    pictures = events(tmp_path / "forecasts").Images("forecasts")
    assert [picture.step for picture in pictures] == [1, 3]
    for picture in pictures:
        assert picture.encoded_image_string.startswith(b"\x89PNG")
        size = np.frombuffer(picture.encoded_image_string[16:24], dtype=">u4")
        assert size.tolist() == [picture.width, picture.height]


def test_each_network_has_a_folder_of_its_own(tmp_path):
    board = TensorBoard(tmp_path, images_every=2)
    forecaster = Forecaster(12, **OPTIONS, members=2).fit(load("elnino"), callbacks=[board])
    for network, history in zip(("network-1", "network-2"), forecaster.histories_, strict=True):
        expected = pytest.approx(dict(enumerate(history["loss"])), rel=1e-5)
        assert scalars(tmp_path / network / "train", "epoch_loss") == expected
        assert len(events(tmp_path / network / "forecasts").Images("forecasts")) == 1


def test_pictures_of_a_fit_of_files(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "rows").mkdir()
    for name in ("north", "south"):
        load("elnino").assign(unique_id=name).to_parquet(tmp_path / "rows" / f"{name}.parquet", index=False)
    board = TensorBoard(tmp_path / "logs", images_every=2)
    Forecaster(12, **OPTIONS).fit(tmp_path / "rows", callbacks=[board])
    assert len(events(tmp_path / "logs" / "forecasts").Images("forecasts")) == 1


def test_what_is_refused():
    for options in ({"images_every": 0}, {"windows": 0}, {"every_n_steps": 0}):
        with pytest.raises(SpecError, match=next(iter(options))):
            TensorBoard("nowhere", **options)
    stream = iter([(PAST[:8], FUTURE[:8])] * 9)  # which has no windows to draw
    with pytest.raises(SpecError, match="images_every: expected arrays, a frame or validation to"):
        Seq2SeqRegressor(**SMALL, steps_per_epoch=1).fit(stream, callbacks=[TensorBoard("no", images_every=1)])
