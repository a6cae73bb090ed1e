"""Small models of the tests of other tools, and the windows that they learn from."""

from seqcast import NetworkSpec
from seqcast.data.signals import random_sines

TINY = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last")
BRIEF = {"epochs": 2, "steps_per_epoch": 3}
OPTIONS = {"preset": TINY, "training": BRIEF, "level": (), "random_state": 0, "verbose": 0}
SMALL = {"encoder_units": (4,), "batch_size": 32, "random_state": 0, "verbose": 0}
PAST, FUTURE = random_sines(64, past=8, future=3, seed=0)
