"""The post's network on Keras 3 or tf_keras, which KERAS_BACKEND chooses: jax (if it is unset), tensorflow, tf_keras.

    KERAS_BACKEND=jax python benchmarks/peers/keras_peer.py step
    KERAS_BACKEND=tf_keras python benchmarks/peers/keras_peer.py latency

tf_keras is the Keras 2 for which the post was written, on the newest TensorFlow. Tasks and options
are those of common.py.
"""

import functools
import importlib
import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from common import Peer, main

BACKEND = os.environ["KERAS_BACKEND"]
if BACKEND == "tf_keras":
    # TensorFlow imports Keras 3, which has no backend of that name.
    os.environ["KERAS_BACKEND"] = "tensorflow"
keras = importlib.import_module("tf_keras" if BACKEND == "tf_keras" else "keras")


class KerasPeer(Peer):
    """The post's network under the layers and the `fit` of Keras 2 or Keras 3."""

    def __init__(self, arguments):
        self.batch = arguments.batch
        keras.utils.set_random_seed(arguments.seed)
        self.model = encoder_decoder(arguments)
        self.model.compile(optimizer=keras.optimizers.Adam(arguments.learning_rate), loss="mse")
        if BACKEND == "jax":
            import jax

            self.compiled = jax.jit(
                lambda *states_and_past: self.model.stateless_call(*states_and_past)[0]
            )

    def train(self, past, future, epochs, after_epoch):
        """Train with `model.fit` on arrays."""
        callback = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda _, logs: after_epoch(logs["loss"])
        )
        given = {
            "batch_size": self.batch,
            "epochs": epochs,
            "shuffle": True,
            "verbose": 0,
            "callbacks": [callback],
        }
        self.model.fit(past, future, **given)

    def forecast(self, past):
        """Return forecasts by a compiled function of the weights, or by a traced one on TensorFlow."""
        if BACKEND != "jax":
            return self.traced(len(past) == 1, past.shape[1:])(past).numpy()
        self.model.jax_state_sync()  # `fit` holds the weights back until someone asks for them
        trainable = [variable.value for variable in self.model.trainable_variables]
        others = [variable.value for variable in self.model.non_trainable_variables]
        return np.asarray(self.compiled(trainable, others, past))

    @functools.cache  # noqa: B019
    def traced(self, alone, shape):
        """Return a traced function; XLA makes one window five times as fast, many windows slower."""
        import tensorflow as tf

        call = functools.partial(self.model, training=False)
        return tf.function(
            call, input_signature=[tf.TensorSpec([None, *shape], tf.float32)], jit_compile=alone
        )


def encoder_decoder(arguments):
    """Return the post's network: stacked cells; the decoder starts from the encoder's states and reads zeros."""
    layers = keras.layers
    cell = getattr(keras.layers, f"{arguments.cell.upper()}Cell")
    widths = [arguments.width] * arguments.depth
    past = keras.Input((arguments.context, 1))
    zeros = layers.RepeatVector(arguments.horizon)(past[:, 0] * 0.0)
    _, *states = layers.RNN([cell(width) for width in widths], return_state=True)(past)
    decoded = layers.RNN([cell(width) for width in widths], return_sequences=True)(
        zeros, initial_state=states
    )
    return keras.Model(past, layers.Dense(1)(decoded))


if __name__ == "__main__":
    main(KerasPeer, __doc__)
