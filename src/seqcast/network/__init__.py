"""The network: encoder, bridge, decoder, attention and head, as Keras layers and one Keras model.

Importing this package registers its classes with Keras, after which `keras.saving.load_model` knows them.
"""

from seqcast.network.attention import AdditiveAttention, DotAttention, MultiHeadAttention
from seqcast.network.bridge import Bridge
from seqcast.network.cells import GRUCell, LSTMCell, SimpleRNNCell
from seqcast.network.decoder import Decoder
from seqcast.network.encoder import Encoder
from seqcast.network.heads import ObservedLoss, PointHead
from seqcast.network.presets import PRESETS, Preset, preset
from seqcast.network.recurrent import RecurrentStack
from seqcast.network.seq2seq import Seq2Seq, load_network
from seqcast.network.states import States

__all__ = [
    "PRESETS",
    "AdditiveAttention",
    "Bridge",
    "Decoder",
    "DotAttention",
    "Encoder",
    "GRUCell",
    "LSTMCell",
    "MultiHeadAttention",
    "ObservedLoss",
    "PointHead",
    "Preset",
    "RecurrentStack",
    "Seq2Seq",
    "SimpleRNNCell",
    "States",
    "load_network",
    "preset",
]
