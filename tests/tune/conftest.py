"""Small frames, and searches over two learning rates of a network of three units, whose programs are compiled once."""

import numpy as np
import pandas as pd
import pytest

from seqcast.specs.network import NetworkSpec
from seqcast.tune import tune

TINY = NetworkSpec(encoder_units=(3,), decoder_units=(3,), normalise="last")
QUICK = {"epochs": 2, "steps_per_epoch": 2, "batch_size": 16}
SPACE = {"learning_rate": [0.01, 0.001]}


def waves(rows=60, series=2, seed=0):
    random = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=rows)
    tables = [
        pd.DataFrame(
            {
                "unique_id": f"s{k}",
                "ds": days,
                "y": 5.0 + k + np.sin(np.arange(rows) * 2 * np.pi / 7),
            }
        )
        for k in range(series)
    ]
    frame = pd.concat(tables, ignore_index=True)
    frame["y"] += 0.3 * random.normal(size=len(frame))
    return frame


@pytest.fixture(scope="session")
def frame():
    return waves()


@pytest.fixture(scope="session")
def search():
    """Return a function that searches in this process, with some arguments changed."""

    def run(df, **changes):
        usual = {
            "preset": TINY,
            "training": QUICK,
            "level": (),
            "space": SPACE,
            "trials": 3,
            "context_length": 8,
        }
        usual |= {"workers": 1, "ensemble": 1, "random_state": 0, "verbose": 0, "pruner": "none"}
        return tune(df, 4, **{**usual, **changes})

    return run


@pytest.fixture(scope="session")
def found(search, frame):
    """A search of four trials and an ensemble of two."""
    return search(frame, trials=4, ensemble=2)
