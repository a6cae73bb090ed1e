"""TensorBoard without TensorFlow: curves, and pictures of forecasts.

Keras's own `keras.callbacks.TensorBoard` writes through TensorFlow whatever the backend is, so it works only where
TensorFlow is installed. This one needs the small `tensorboard` package alone.
"""

from __future__ import annotations

import io
import os
import time
from typing import Any, Self

import numpy as np

from seqcast.data.windows import NamedWindows, Windows
from seqcast.errors import SpecError
from seqcast.runtime import require, to_numpy
from seqcast.specs import check_int
from seqcast.training import Observer, Record

__all__ = ["TensorBoard"]

_DOTS_PER_INCH = 100


class TensorBoard(Observer):
    """Write losses, metrics and learning rate for TensorBoard, and pictures if `images_every` is given.

    Training goes to the run `train`, validation to `validation`, with the tags `epoch_loss`, `epoch_learning_rate` and
    so on, as Keras's callback has them, so that both can be compared; records of steps have tags such as `step_loss`.
    Of several networks each has a folder of its own, `network-1/train`.

    Pictures show validation windows, or where there are none those trained on: past, truth and forecast of the first
    target, as the network reads them, which is scaled where the estimator scales. They go to the run `forecasts`.

    Args:
        log_dir: Folder for the logs: `tensorboard --logdir LOG_DIR`.
        every_n_steps: Steps from one record to the next within epochs; `None` records epochs only.
        images_every: Epochs from one picture to the next; `None` draws none.
        windows: Windows in a picture.

    Raises:
        MissingPackageError: `tensorboard` is not installed.
        SpecError: A number is no whole one above 0.

    Example:
        >>> callbacks = [TensorBoard("runs/tensorboard", images_every=5)]  # for `fit`
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "runs/tensorboard",
        every_n_steps: int | None = None,
        *,
        images_every: int | None = None,
        windows: int = 4,
    ) -> None:
        super().__init__(every_n_steps)
        self.log_dir = os.fspath(log_dir)
        self.images_every = None if images_every is None else check_int("images_every", images_every)
        self.windows = check_int("windows", windows)
        require("tensorboard.summary", extra="tensorboard")
        self._writers: dict[str, Any] = {}
        self._watched: NamedWindows | None = None

    def for_network(self, network: str) -> Self:
        """Return the callback of one of several networks, which writes to a folder of its own.

        Args:
            network: The network's name.
        """
        other = super().for_network(network)
        other.log_dir, other._writers = os.path.join(self.log_dir, network), {}
        return other

    def watch(self, windows: Any, validation: Any, *, step: int = 0, seconds: float = 0.0) -> None:
        """Choose the windows of pictures.

        Args:
            windows: Batches to train on, if known.
            validation: Batches to validate on, or `None`.
            step: Training steps that were over before.
            seconds: Seconds that they took.

        Raises:
            SpecError: There are none: batches come from a stream, and nothing is validated.
        """
        super().watch(windows, validation, step=step, seconds=seconds)
        if self.images_every is None:
            return
        self._watched = next((each for each in (validation, windows) if isinstance(each, Windows)), None)
        if self._watched is None and isinstance(validation, NamedWindows):
            self._watched = validation
        if self._watched is None:
            raise SpecError(
                "images_every",
                expected="arrays, a frame or validation to take windows from",
                received="a training that gives none",
                hint="Give validation, or leave it out.",
            )

    def record(self, record: Record) -> None:
        """Write the numbers, and a picture if it is its turn.

        Args:
            record: The numbers of an epoch or step.
        """
        step = record.epoch - 1 if record.event == "epoch" else record.step
        for name, value in {**record.values, "learning_rate": record.learning_rate}.items():
            run = "validation" if name.startswith("val_") else "train"
            tag = f"{record.event}_{name.removeprefix('val_')}"
            self._writer(run).add_scalar(tag, value, step=step)
        if record.event == "epoch":
            if self.images_every and record.epoch % self.images_every == 0 and self._watched is not None:
                self._add_picture(self._watched, step)
            for writer in self._writers.values():
                writer.flush()

    def close(self) -> None:
        """Close the files; also called when training was interrupted."""
        for writer in self._writers.values():
            writer.close()
        self._writers, self._watched = {}, None
        super().close()

    def _writer(self, run: str) -> Any:
        if run not in self._writers:
            folder = os.path.join(self.log_dir, run)
            if run == "forecasts":  # the public writer has no pictures
                files = require("tensorboard.summary.writer.event_file_writer", extra="tensorboard")
                self._writers[run] = files.EventFileWriter(folder)
            else:
                self._writers[run] = require("tensorboard.summary", extra="tensorboard").Writer(folder)
        return self._writers[run]

    def _add_picture(self, watched: NamedWindows, step: int) -> None:
        """Write the picture of an epoch."""
        from seqcast.plots import forecast_panels

        numbers, (inputs, y, _) = watched.counted(0)
        # Those that follow one another look alike.
        some = np.unique(np.linspace(0, len(numbers) - 1, self.windows).astype(int))
        inputs = {name: values[some] for name, values in inputs.items() if name != "target"}
        forecast = to_numpy(self.model.decoder.head.point(self.model(inputs, training=False)))
        target = self.model.window.target_features[0] if self.model.window.target_features else 0
        titles = [str(name) for name in watched.series(numbers[some])] or None
        past, truth = inputs["past"][..., target], y[some][..., 0].reshape(len(forecast), -1)
        figure = forecast_panels(past, truth, forecast[..., 0], titles=titles, columns=4)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=_DOTS_PER_INCH)
        width, height = (round(size * _DOTS_PER_INCH) for size in figure.get_size_inches())
        event = require("tensorboard.compat.proto.event_pb2", extra="tensorboard").Event(
            wall_time=time.time(), step=step
        )
        picture = event.summary.value.add(tag="forecasts").image
        picture.height, picture.width, picture.colorspace = height, width, 4
        picture.encoded_image_string = file.getvalue()
        self._writer("forecasts").add_event(event)
