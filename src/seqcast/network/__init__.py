"""The network: encoder, bridge, decoder, attention and head, as Keras layers and one Keras model.

Importing this package registers its classes with Keras, after which `keras.saving.load_model` knows
them.

In reading order: `cells`, `recurrent` (layers over time; `jax_loops` on JAX), `randomness` (seeds,
initial weights, masks), `dense`, `normalise`, `segment` (tokens and blocks), `attention`,
`encoder`, `likelihoods`, `losses`, `loss_tracker`, `distributions`, `heads`, `decode_inputs`,
`decoder`, `seq2seq`; `plain_keras` (weights from and to Keras's own layers), `rates`,
`jax_train_step` and `jax_training` (training steps on JAX), `trace` (states and gates of every
layer).

Stability: stable.
"""

import lazy_loader

from seqcast.network.seq2seq import Seq2Seq as Seq2Seq

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = [
    "DISTRIBUTIONS",
    "HEADS",
    "AdditiveAttention",
    "Bridge",
    "Decoder",
    "Distribution",
    "DotAttention",
    "Encoder",
    "GRUCell",
    "LSTMCell",
    "MultiHeadAttention",
    "NegativeLogLikelihood",
    "ObservedLoss",
    "Parametric",
    "PinballLoss",
    "PointHead",
    "RecurrentStack",
    "Sampled",
    "SegmentEmbedding",
    "Seq2Seq",
    "SimpleRNNCell",
    "States",
    "distribution_of",
    "from_keras",
    "load_network",
    "to_keras",
]
