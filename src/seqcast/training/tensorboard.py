"""TensorBoard without TensorFlow.

Keras's own `keras.callbacks.TensorBoard` writes through TensorFlow whatever the backend is, so it works only where
TensorFlow is installed. This one needs the small `tensorboard` package alone.
"""

from __future__ import annotations

import os
from typing import Any

from seqcast.runtime.backend import keras
from seqcast.runtime.optional import require

__all__ = ["TensorBoard"]


class TensorBoard(keras.callbacks.Callback):
    """Write each epoch's losses, metrics and learning rate for TensorBoard.

    Training goes to the run `train`, validation to `validation`, with the tags `epoch_loss`, `epoch_learning_rate` and
    so on, as Keras's callback has them, so that both can be compared.

    Args:
        log_dir: Folder for the logs: `tensorboard --logdir LOG_DIR`.

    Raises:
        MissingPackageError: `tensorboard` is not installed.

    Example:
        >>> from seqcast import Seq2SeqRegressor
        >>> model = Seq2SeqRegressor(callbacks=[TensorBoard("runs/tensorboard")])
    """

    def __init__(self, log_dir: str | os.PathLike[str] = "runs/tensorboard") -> None:
        super().__init__()
        self.log_dir = os.fspath(log_dir)
        self._writer_class = require("tensorboard.summary", extra="tensorboard").Writer
        self._writers: dict[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the epoch's numbers."""
        for name, value in (logs or {}).items():
            run = "validation" if name.startswith("val_") else "train"
            self._add(run, f"epoch_{name.removeprefix('val_')}", float(value), epoch)
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self._add("train", "epoch_learning_rate", rate, epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Close the files."""
        self.close()

    def close(self) -> None:
        """Close the files; also called when training was interrupted."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _add(self, run: str, tag: str, value: float, step: int) -> None:
        if run not in self._writers:
            self._writers[run] = self._writer_class(os.path.join(self.log_dir, run))
        self._writers[run].add_scalar(tag, value, step=step)
