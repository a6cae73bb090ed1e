"""TensorBoard without TensorFlow: curves of losses, metrics and learning rate.

Keras's own `keras.callbacks.TensorBoard` writes through TensorFlow on every backend, so it works
only where TensorFlow is installed. This one needs the small `tensorboard` package alone.
"""

import os
from typing import Any, Self

from seqcast.runtime import require
from seqcast.training import Observer, Record

__all__ = ["TensorBoard"]


class TensorBoard(Observer):
    """Write losses, metrics and learning rate for TensorBoard.

    Training goes to the run `train`, validation to `validation`. Tags are those of Keras's
    callback, such as `epoch_loss` and `epoch_learning_rate`, so that both can be compared. Records
    of steps have tags such as `step_loss`. Of several networks each has a folder of its own,
    `network-1/train`.

    Args:
        log_dir: Folder for the logs: `tensorboard --logdir LOG_DIR`.
        every_n_steps: Steps from one record to the next within epochs; `None` records epochs only.

    Raises:
        MissingPackageError: `tensorboard` is not installed.
        SpecError: `every_n_steps` is no whole number above 0.

    Example:
        >>> callbacks = [TensorBoard("runs/tensorboard", every_n_steps=10)]  # for `fit`
    """

    def __init__(
        self, log_dir: str | os.PathLike[str] = "runs/tensorboard", every_n_steps: int | None = None
    ) -> None:
        super().__init__(every_n_steps)
        self.log_dir = os.fspath(log_dir)
        require("tensorboard.summary", extra="tensorboard")
        self._writers: dict[str, Any] = {}

    def for_network(self, network: str) -> Self:
        """Return the callback of one of several networks, which writes to a folder of its own."""
        other = super().for_network(network)
        other.log_dir = os.path.join(self.log_dir, network)
        other._writers = {}
        return other

    def record(self, record: Record) -> None:
        """Write the numbers of an epoch or step."""
        step = record.epoch - 1 if record.event == "epoch" else record.step
        for name, value in {**record.values, "learning_rate": record.learning_rate}.items():
            run = "validation" if name.startswith("val_") else "train"
            tag = f"{record.event}_{name.removeprefix('val_')}"
            self._writer(run).add_scalar(tag, value, step=step)

        if record.event == "epoch":
            for writer in self._writers.values():
                writer.flush()

    def _writer(self, run: str) -> Any:
        """Return the open file of a run."""
        if run not in self._writers:
            summary = require("tensorboard.summary", extra="tensorboard")
            self._writers[run] = summary.Writer(os.path.join(self.log_dir, run))
        return self._writers[run]

    def close(self) -> None:
        """Close the files; also called when training was interrupted."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}
        super().close()
