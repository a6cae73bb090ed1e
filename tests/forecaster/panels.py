"""Panels and small forecasters that several test modules share."""

import numpy as np
import pandas as pd

from seqcast import Forecaster, NetworkSpec

TINY = NetworkSpec(encoder_units=(6,), decoder_units=(6,), normalise="last")
COVARIATES = {
    "static_covariates": ("region",),
    "past_covariates": ("rain",),
    "future_covariates": ("price", "promo"),
}


def tiny(horizon=4, **options):
    """Return a forecaster whose network trains in a moment, with other options where they are given."""
    given = {"preset": TINY, "training": {"epochs": 1, "batch_size": 64}, "context_length": 8}
    return Forecaster(horizon, **{**given, "random_state": 0, "verbose": 0, **options})


def waves(
    names="ab",
    rows=60,
    *,
    start="2024-01-01",
    level=0.0,
    spacing=10.0,
    size=1.0,
    period=7,
    noise=0.1,
    seed=0,
):
    """Return series of noisy waves, each `spacing` above the one before; more rows begin with the same ones."""
    tables = []
    steps = np.arange(rows)
    for place, name in enumerate(names):
        errors = np.random.default_rng([seed, place]).normal(size=rows)
        y = (
            level
            + spacing * place
            + size * np.sin(2 * np.pi * steps / period + place)
            + noise * errors
        )
        tables.append(
            pd.DataFrame({"unique_id": name, "ds": pd.date_range(start, periods=rows), "y": y})
        )
    return pd.concat(tables, ignore_index=True)


def panel(names="abc", rows=50, freq="D", start="2024-01-01"):
    """Return series with covariates of every kind, of which the price moves them."""
    tables = []
    for place, name in enumerate(names):
        rng = np.random.default_rng([3, place])
        price = rng.normal(size=rows).round(2)
        columns = {
            "unique_id": name,
            "ds": pd.date_range(start, periods=rows, freq=freq),
            "y": 10 * place + price + np.sin(np.arange(rows) / 2),
            "region": "north" if place % 2 else "south",
            "rain": rng.normal(size=rows),
            "price": price,
            "promo": np.where(np.arange(rows) % 3 == 0, "big", "none"),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)
