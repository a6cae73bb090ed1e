"""The network: encoder, bridge, decoder, attention and head, as Keras layers and one Keras model.

Importing this package registers its classes with Keras, after which `keras.saving.load_model` knows them.

In reading order: `cells`, `recurrent` (layers over time; `jax_recurrences` and `jax_loops` on JAX), `normalise`,
`segment`, `attention`, `encoder`, `bridge`, `residual`, `decode_inputs`, `decode_loops`, `head`, `distribution_heads`,
`heads`, `likelihoods`, `losses`, `decoder`, `blocks`, `seq2seq`, `plain_keras` (weights from and to Keras's own
layers); `jax_train_step` and `jax_steps` (training steps on JAX), `row_random`, `init`, `scan`; `draws`,
`distributions` and `predictive` (what can be asked of a forecast), `trace` (what each layer did).

Stability: stable.
"""

from seqcast.network.attention import NO_SCORE as NO_SCORE
from seqcast.network.attention import AdditiveAttention as AdditiveAttention
from seqcast.network.attention import Attention as Attention
from seqcast.network.attention import DotAttention as DotAttention
from seqcast.network.attention import MultiHeadAttention as MultiHeadAttention
from seqcast.network.blocks import later_blocks as later_blocks
from seqcast.network.blocks import write_in_blocks as write_in_blocks
from seqcast.network.bridge import Bridge as Bridge
from seqcast.network.cells import CELLS as CELLS
from seqcast.network.cells import Cell as Cell
from seqcast.network.cells import GRUCell as GRUCell
from seqcast.network.cells import LSTMCell as LSTMCell
from seqcast.network.cells import SimpleRNNCell as SimpleRNNCell
from seqcast.network.decoder import Decoder as Decoder
from seqcast.network.distribution_heads import LARGEST_LOGARITHM as LARGEST_LOGARITHM
from seqcast.network.distribution_heads import SMALLEST_SCALE as SMALLEST_SCALE
from seqcast.network.distributions import DISTRIBUTIONS as DISTRIBUTIONS
from seqcast.network.distributions import Distribution as Distribution
from seqcast.network.distributions import Quantiles as Quantiles
from seqcast.network.distributions import distribution_of as distribution_of
from seqcast.network.distributions import quantile_weights as quantile_weights
from seqcast.network.draws import uniforms as uniforms
from seqcast.network.encoder import Encoder as Encoder
from seqcast.network.encoder import States as States
from seqcast.network.head import Head as Head
from seqcast.network.heads import HEADS as HEADS
from seqcast.network.heads import PointHead as PointHead
from seqcast.network.init import child_seeds as child_seeds
from seqcast.network.init import fresh_seed as fresh_seed
from seqcast.network.losses import EXPLODED as EXPLODED
from seqcast.network.losses import LARGEST_WEIGHT as LARGEST_WEIGHT
from seqcast.network.losses import HeadLoss as HeadLoss
from seqcast.network.losses import NegativeLogLikelihood as NegativeLogLikelihood
from seqcast.network.losses import ObservedLoss as ObservedLoss
from seqcast.network.losses import PinballLoss as PinballLoss
from seqcast.network.normalise import LEAST_MEAN as LEAST_MEAN
from seqcast.network.normalise import LEAST_VARIANCE as LEAST_VARIANCE
from seqcast.network.normalise import InstanceNormaliser as InstanceNormaliser
from seqcast.network.normalise import Normaliser as Normaliser
from seqcast.network.plain_keras import from_keras as from_keras
from seqcast.network.plain_keras import to_keras as to_keras
from seqcast.network.predictive import Parametric as Parametric
from seqcast.network.predictive import Sampled as Sampled
from seqcast.network.recurrent import RecurrentStack as RecurrentStack
from seqcast.network.scan import scan as scan
from seqcast.network.segment import SegmentEmbedding as SegmentEmbedding
from seqcast.network.segment import token_count as token_count
from seqcast.network.seq2seq import Seq2Seq as Seq2Seq
from seqcast.network.seq2seq import load_network as load_network
from seqcast.network.seq2seq import weight_shapes as weight_shapes
from seqcast.network.trace import trace_decoder as trace_decoder
from seqcast.network.trace import trace_encoder as trace_encoder
from seqcast.specs import PRESETS, Preset, preset, segment_rule

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
