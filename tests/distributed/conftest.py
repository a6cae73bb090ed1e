"""A cluster of Ray's on this machine, which the tests share, and trainings that are small."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec, RayCluster


@pytest.fixture(scope="session")
def cluster():
    """Two workers of four CPUs, however many cores there are."""
    pytest.importorskip("ray")
    with RayCluster(workers=4):
        yield RayCluster(workers=2)


@pytest.fixture(scope="session")
def small_job():
    """The function that makes a training of `process.py`."""
    path = Path(__file__).with_name("process.py")
    spec = importlib.util.spec_from_file_location("seqcast_test_process", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.job


@pytest.fixture(scope="session")
def frame():
    """Three series of a season of seven days."""
    days = pd.date_range("2024-01-01", periods=120)
    generator = np.random.default_rng(0)
    return pd.concat(
        pd.DataFrame(
            {
                "unique_id": name,
                "ds": days,
                "y": 10 + place + np.sin(np.arange(120) * 2 * np.pi / 7) + 0.1 * generator.normal(size=120),
            }
        )
        for place, name in enumerate("abc")
    )


@pytest.fixture
def small_forecaster():
    """The function that makes a forecaster of a small network."""

    def make(training=None, **options):
        network = NetworkSpec(encoder_units=(4,), decoder_units=(4,), dropout=0.2)
        usual = {"epochs": 3, "batch_size": 64, "early_stopping": None}
        options = {"context_length": 14, "random_state": 0, "verbose": 0, **options}
        return Forecaster(7, preset=network, level=(), training={**usual, **(training or {})}, **options)

    return make
