"""A small reading that the examples of this package share."""

from __future__ import annotations

from seqcast.data.signals import random_sines
from seqcast.regressor import Seq2SeqRegressor

__all__ = ["reading"]

_past, _future = random_sines(256, past=15, future=5, seed=1)
_model = Seq2SeqRegressor(
    encoder_units=(8, 6), decoder_units=(8, 6), attention="dot", epochs=1, random_state=0, verbose=0
)
reading = _model.fit(_past, _future).reading(_past[:32], _future[:32])
