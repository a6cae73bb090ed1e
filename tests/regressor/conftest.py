"""What the tests of the regressor share."""

import numpy as np
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.data import random_sines

SMALL = {"encoder_units": (6,), "epochs": 2, "batch_size": 32, "random_state": 0, "verbose": 0}


@pytest.fixture(scope="session")
def sines():
    return random_sines(96, past=12, future=5, seed=1)


@pytest.fixture(scope="session")
def fitted(sines):
    return Seq2SeqRegressor(**SMALL).fit(*sines)


@pytest.fixture(scope="session")
def purchases():
    counts = np.random.default_rng(0).poisson(5.0, size=(96, 17, 1)).astype(float)
    return counts[:, :12], counts[:, 12:]
