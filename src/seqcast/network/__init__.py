"""The network: encoder, bridge, decoder, attention and head, as Keras layers and one Keras model.

Importing this package registers its classes with Keras, after which `keras.saving.load_model` knows them.

In reading order: `cells`, `recurrent` (layers over time; `jax_recurrences` and `jax_loops` on JAX), `normalise`,
`segment`, `attention`, `encoder`, `states`, `bridge`, `residual`, `scheduled_sampling`, `decode_inputs`,
`decode_loops`, `head`, `distribution_heads`, `heads`, `likelihoods`, `losses`, `decoder`, `blocks`,
`prediction_models`, `seq2seq`, `plain_keras` (weights from and to Keras's own layers);
`jax_train_step` and `jax_steps` (training steps on JAX), `row_random`, `init`, `scan`; `draws`, `distributions` and
`predictive` (what can be asked of a forecast), `trace` (what each layer did).

Stability: stable.
"""

from seqcast.network.attention import AdditiveAttention, DotAttention, MultiHeadAttention
from seqcast.network.bridge import Bridge
from seqcast.network.cells import GRUCell, LSTMCell, SimpleRNNCell
from seqcast.network.decoder import Decoder
from seqcast.network.distribution import Distribution
from seqcast.network.distributions import DISTRIBUTIONS, distribution_of
from seqcast.network.encoder import Encoder
from seqcast.network.heads import HEADS, PointHead
from seqcast.network.losses import NegativeLogLikelihood, ObservedLoss, PinballLoss
from seqcast.network.plain_keras import from_keras, to_keras
from seqcast.network.predictive import Parametric, Sampled
from seqcast.network.recurrent import RecurrentStack
from seqcast.network.segment import SegmentEmbedding
from seqcast.network.seq2seq import Seq2Seq, load_network
from seqcast.network.states import States
from seqcast.specs.presets import PRESETS, Preset, preset, segment_rule

__all__ = [
    "DISTRIBUTIONS",
    "HEADS",
    "PRESETS",
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
    "Preset",
    "RecurrentStack",
    "Sampled",
    "SegmentEmbedding",
    "Seq2Seq",
    "SimpleRNNCell",
    "States",
    "distribution_of",
    "from_keras",
    "load_network",
    "preset",
    "segment_rule",
    "to_keras",
]
