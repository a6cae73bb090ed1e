import seqcast.specs as _specs

from .attention import NO_SCORE as NO_SCORE
from .attention import AdditiveAttention as AdditiveAttention
from .attention import Attention as Attention
from .attention import DotAttention as DotAttention
from .attention import MultiHeadAttention as MultiHeadAttention
from .cells import CELLS as CELLS
from .cells import Cell as Cell
from .cells import GRUCell as GRUCell
from .cells import LSTMCell as LSTMCell
from .cells import SimpleRNNCell as SimpleRNNCell
from .decoder import Decoder as Decoder
from .decoder import decode_paths as decode_paths
from .dense import Bridge as Bridge
from .dense import SegmentEmbedding as SegmentEmbedding
from .distributions import DISTRIBUTIONS as DISTRIBUTIONS
from .distributions import Distribution as Distribution
from .distributions import Parametric as Parametric
from .distributions import Quantiles as Quantiles
from .distributions import Sampled as Sampled
from .distributions import distribution_of as distribution_of
from .distributions import quantile_weights as quantile_weights
from .encoder import Encoder as Encoder
from .encoder import States as States
from .heads import HEADS as HEADS
from .heads import LARGEST_LOGARITHM as LARGEST_LOGARITHM
from .heads import SMALLEST_SCALE as SMALLEST_SCALE
from .heads import Head as Head
from .heads import PointHead as PointHead
from .jax_training import StepPrograms as StepPrograms
from .likelihoods import uniforms as uniforms
from .losses import EXPLODED as EXPLODED
from .losses import LARGEST_WEIGHT as LARGEST_WEIGHT
from .losses import HeadLoss as HeadLoss
from .losses import NegativeLogLikelihood as NegativeLogLikelihood
from .losses import ObservedLoss as ObservedLoss
from .losses import PinballLoss as PinballLoss
from .normalise import LEAST_MEAN as LEAST_MEAN
from .normalise import LEAST_VARIANCE as LEAST_VARIANCE
from .normalise import InstanceNormaliser as InstanceNormaliser
from .normalise import Normaliser as Normaliser
from .plain_keras import from_keras as from_keras
from .plain_keras import to_keras as to_keras
from .randomness import child_seeds as child_seeds
from .randomness import fresh_seed as fresh_seed
from .rates import WarmCosine as WarmCosine
from .recurrent import RecurrentStack as RecurrentStack
from .recurrent import scan as scan
from .segment import later_blocks as later_blocks
from .segment import token_count as token_count
from .segment import write_in_blocks as write_in_blocks
from .seq2seq import Seq2Seq as Seq2Seq
from .seq2seq import load_network as load_network
from .seq2seq import weight_shapes as weight_shapes
from .trace import trace_decoder as trace_decoder
from .trace import trace_encoder as trace_encoder

PRESETS = _specs.PRESETS
Preset = _specs.Preset
preset = _specs.preset
segment_rule = _specs.segment_rule
