"""seqcast itself, through its public `Seq2SeqRegressor`, beside the peers.

    python benchmarks/peers/seqcast_peer.py step

It trains as the post does: Adam at a constant rate, no clipping, no scaling. The task `learn` has
its defaults instead, but for batch, learning rate and epochs. Tasks and options are those of
common.py.
"""

import numpy as np
from common import Peer, main

POST = {
    "optimizer": "adam",
    "learning_rate_schedule": "constant",
    "clip_norm": "none",
    "scale": "none",
}


class SeqcastPeer(Peer):
    """The network of `Seq2SeqRegressor`."""

    def __init__(self, arguments):
        from seqcast import Seq2SeqRegressor

        given = {"encoder_units": (arguments.width,) * arguments.depth, "cell": arguments.cell}
        given |= {} if arguments.task == "learn" else POST
        given |= {"batch_size": arguments.batch, "learning_rate": arguments.learning_rate}
        self.model = Seq2SeqRegressor(
            **given, validation_fraction=0.0, random_state=arguments.seed, verbose=0
        )
        self.horizon = arguments.horizon

    def train(self, past, future, epochs, after_epoch):
        """Train with `fit`."""
        from keras.callbacks import LambdaCallback

        callback = LambdaCallback(on_epoch_end=lambda _, logs: after_epoch(logs["loss"]))
        self.model.set_params(epochs=epochs).fit(past, future, callbacks=[callback])

    def forecast(self, past):
        """Return what the public `predict` does; a network that is only timed is trained on a few windows first."""
        if not hasattr(self.model, "engine_"):
            some = (
                np.random.default_rng(0)
                .normal(size=(8, past.shape[1] + self.horizon, 1))
                .astype("float32")
            )
            self.model.set_params(epochs=1).fit(some[:, : past.shape[1]], some[:, past.shape[1] :])
        return self.model.predict(past)


if __name__ == "__main__":
    main(SeqcastPeer, __doc__)
