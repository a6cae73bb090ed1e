"""A few tiny models, and a server that holds them."""

import numpy as np
import pytest

from seqcast.forecaster.estimator import Forecaster
from seqcast.serve import ServerSettings, create_app
from seqcast.specs.columns import Columns
from seqcast.specs.network import NetworkSpec

from .clients import Client, panel

TINY = NetworkSpec(encoder_units=(4,), decoder_units=(4,), head="normal")
TRAINING = {"epochs": 1, "steps_per_epoch": 1}


@pytest.fixture(scope="session")
def forecasters():
    """Text ids; whole numbers as ids, with a known future, a static and a text column; stamps without a step."""
    options = {
        "preset": TINY,
        "training": TRAINING,
        "context_length": 14,
        "random_state": 0,
        "verbose": 0,
    }
    sales = Forecaster(7, level=(80, 95), **options).fit(panel(["a", "b", "c"]))
    covariates = {
        "price": lambda place: 1 + place % 3,
        "kind": lambda place: np.where(place % 2, "1", "2"),
    }
    shops = panel([3, 5], **covariates).rename(
        columns={"unique_id": "shop", "ds": "day", "y": "sold"}
    )
    shops["shop"] = shops["shop"].astype("int64")
    store = Forecaster(
        4,
        level=(80,),
        columns=Columns("shop", "day", "sold"),
        future_covariates=("price",),
        past_covariates=("kind",),
        **options,
    ).fit(shops)
    uneven = panel(["x"]).iloc[np.cumsum(1 + np.arange(20) % 3)]
    events = Forecaster(3, level=(80,), irregular=True, **options).fit(uneven)
    return {"sales": sales, "store": store, "events": events}


@pytest.fixture(scope="session")
def models(forecasters, tmp_path_factory):
    """Name and file of each model."""
    folder = tmp_path_factory.mktemp("models")
    for name, forecaster in forecasters.items():
        forecaster.save(folder / f"{name}.seqcast")
    return tuple((name, folder / f"{name}.seqcast") for name in forecasters)


@pytest.fixture(scope="session")
def client(models, serving):
    """A client of a server with all models."""
    with serving(
        models=models, max_rows=500, max_horizon=50, max_body=100_000, time_limit=300
    ) as client:
        yield client


@pytest.fixture(scope="session")
def serving(models):
    """Return a function that makes the client of a new server with the first model, for other settings than usual."""

    def client(*, ready=True, **settings):
        return Client(
            create_app(ServerSettings(**{"models": models[:1], "watch": 0, **settings})),
            ready=ready,
        )

    return client
