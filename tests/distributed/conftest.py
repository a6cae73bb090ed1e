"""A cluster of Ray's on this machine, which the tests share, and trainings that are small."""

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec, RayCluster

from .process import job


@pytest.fixture(scope="session")
def cluster():
    """Two workers of four CPUs, however many cores there are."""
    pytest.importorskip("ray")
    with RayCluster(workers=4):
        yield RayCluster(workers=2)


@pytest.fixture(scope="session")
def small_job():
    """The function that makes a training of `process.py`."""
    return job


@pytest.fixture(scope="session")
def frame():
    """Three series of a season of seven days."""
    noise = 0.1 * np.random.default_rng(0).normal(size=(3, 120))
    values = 10 + np.arange(3)[:, None] + np.sin(np.arange(120) * 2 * np.pi / 7) + noise
    days = np.tile(pd.date_range("2024-01-01", periods=120), 3)
    return pd.DataFrame({"unique_id": np.repeat(list("abc"), 120), "ds": days, "y": values.ravel()})


@pytest.fixture
def small_forecaster():
    """The function that makes a forecaster of a small network."""

    def make(training=None, **options):
        network = NetworkSpec(encoder_units=(4,), decoder_units=(4,), dropout=0.2)
        usual = {"epochs": 3, "batch_size": 64, "early_stopping": None}
        options = {"context_length": 14, "random_state": 0, "verbose": 0, **options}
        return Forecaster(
            7, preset=network, level=(), training={**usual, **(training or {})}, **options
        )

    return make
