"""The post's network on Keras 3, whose backend KERAS_BACKEND chooses: jax (if it is unset) or tensorflow.

    KERAS_BACKEND=jax python benchmarks/peers/keras_peer.py step
    KERAS_BACKEND=tensorflow python benchmarks/peers/keras_peer.py latency --variant layers

Tasks and options are those of common.py; `--variant layers` stacks GRU layers where the post stacks GRU cells.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from common import KerasPeer, main


class TensorFlowPeer(KerasPeer):
    """The post's network on Keras 3 and TensorFlow."""

    keras = keras

    def forecast(self, past: np.ndarray) -> np.ndarray:
        """Return forecasts by a traced function."""
        return self.tensorflow_forecast(past)


class JaxPeer(KerasPeer):
    """The post's network on Keras 3 and JAX."""

    keras = keras

    def __init__(self, arguments: argparse.Namespace) -> None:
        import jax

        super().__init__(arguments)
        self.compiled = jax.jit(lambda *states_and_past: self.model.stateless_call(*states_and_past)[0])

    def forecast(self, past: np.ndarray) -> np.ndarray:
        """Return forecasts by a compiled function of the weights, which `fit` holds back until they are asked for."""
        self.model.jax_state_sync()
        trainable = [variable.value for variable in self.model.trainable_variables]
        others = [variable.value for variable in self.model.non_trainable_variables]
        return np.asarray(self.compiled(trainable, others, past))


if __name__ == "__main__":
    main({"jax": JaxPeer, "tensorflow": TensorFlowPeer}[keras.backend.backend()], __doc__)
