"""seqcast itself, through its public `Seq2SeqRegressor`, beside the peers.

    python benchmarks/peers/seqcast_peer.py step
    python benchmarks/peers/seqcast_peer.py learn --recipe ours --learning-rate 0.02 --batch 128 --epochs 3

`--recipe post` trains as the post does (Adam at a constant rate, no clipping, no scaling); `--recipe ours` leaves
everything but batch, learning rate and epochs to seqcast's defaults. Tasks and other options are those of common.py.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import numpy as np
from common import AfterEpoch, Peer, main

POST = {"optimizer": "adam", "learning_rate_schedule": "constant", "clip_norm": "none", "scale": "none"}


class SeqcastPeer(Peer):
    """The network of `Seq2SeqRegressor`."""

    # What a fit has learnt is published when it ends.
    forecasts_while_training = False

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the choice of the recipe."""
        parser.add_argument("--recipe", choices=["post", "ours"], default="post")

    def __init__(self, arguments: argparse.Namespace) -> None:
        if arguments.threads:
            os.environ["SEQCAST_THREADS"] = str(arguments.threads)
        from seqcast import Seq2SeqRegressor

        widths = (arguments.width,) * arguments.depth
        self.options: dict[str, Any] = {"encoder_units": widths, "cell": arguments.cell, "batch_size": arguments.batch}
        self.options["learning_rate"] = arguments.learning_rate
        if arguments.recipe == "post":
            self.options |= POST
        self.model = Seq2SeqRegressor(**self.options, validation_fraction=0.0, random_state=arguments.seed, verbose=0)
        self.horizon = arguments.horizon

    def train(self, past: np.ndarray, future: np.ndarray, epochs: int, after_epoch: AfterEpoch) -> None:
        """Train with `fit`."""
        from keras.callbacks import LambdaCallback

        callback = LambdaCallback(on_epoch_end=lambda _, logs: after_epoch(logs["loss"]))
        model, callbacks = self.model.set_params(epochs=epochs), [callback]
        if "callbacks" in model.get_params():  # in commits before c439a50, which speed_between.py times
            model.set_params(callbacks=callbacks).fit(past, future)
        else:
            model.fit(past, future, callbacks=callbacks)

    def forecast(self, past: np.ndarray) -> np.ndarray:
        """Return what the public `predict` does; a network that is only timed is trained on a few windows first."""
        if not hasattr(self.model, "engine_"):
            some = np.random.default_rng(0).normal(size=(8, past.shape[1] + self.horizon, 1)).astype("float32")
            self.model.set_params(epochs=1).fit(some[:, : past.shape[1]], some[:, past.shape[1] :])
        return self.model.predict(past)

    def predict(self, past: np.ndarray) -> np.ndarray:
        """Return the same: there is no other way."""
        return self.forecast(past)


if __name__ == "__main__":
    main(SeqcastPeer, __doc__)
