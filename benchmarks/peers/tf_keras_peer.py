"""The post's network on tf_keras: the Keras 2 for which the post was written, on the newest TensorFlow.

    python benchmarks/peers/tf_keras_peer.py step
    python benchmarks/peers/tf_keras_peer.py learn --data train.npz --validation validation.npz

Tasks and options are those of common.py; `--variant layers` stacks GRU layers where the post stacks GRU cells.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tf_keras
from common import KerasPeer, main


class TfKerasPeer(KerasPeer):
    """The post's network on tf_keras."""

    keras = tf_keras

    def forecast(self, past: np.ndarray) -> np.ndarray:
        """Return forecasts by a traced function."""
        return self.tensorflow_forecast(past)


if __name__ == "__main__":
    main(TfKerasPeer, __doc__)
