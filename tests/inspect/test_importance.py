"""Covariates that forecasts rest on are told from those that say nothing, on windows that were not trained on."""

import os

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster
from seqcast.errors import DataError, SpecError
from seqcast.inspect import covariate_importance
from seqcast.specs.network import NetworkSpec

# `make importance` tries twenty.
SEEDS = int(os.environ.get("SEQCAST_IMPORTANCE_SEEDS", "1"))
TELLING = ("one", "two")
SILENT = ("three", "four", "five")


def planted(seed, rows=500):
    """Return a series of which two covariates explain a fifth of the variance each, and three none."""
    rng = np.random.default_rng(seed)
    covariates = {name: rng.normal(size=rows) for name in (*TELLING, *SILENT)}
    noise = rng.normal(size=rows)
    y = covariates["one"] - covariates["two"] + np.sqrt(3.0) * noise
    return pd.DataFrame(
        {"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=rows), "y": y, **covariates}
    )


def fitted(df):
    network = NetworkSpec(encoder_units=(8,), decoder_units=(8,))
    training = {"epochs": 15, "batch_size": 32, "learning_rate": 0.02, "validation_fraction": 0.2}
    options = {
        "context_length": 4,
        "preset": network,
        "training": training,
        "calendar": "none",
        "scale": "standard",
    }
    forecaster = Forecaster(
        2, **options, level=(), future_covariates=(*TELLING, *SILENT), random_state=0, verbose=0
    )
    return forecaster.fit(df)


@pytest.fixture(scope="module")
def forecaster():
    return fitted(planted(0))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_telling_ones_come_first(seed, forecaster):
    found = (forecaster if seed == 0 else fitted(planted(seed))).covariate_importance(seed=seed)
    assert set(found["covariate"][:2]) == set(TELLING)
    assert (found["importance"][:2] > found["spread"][:2]).all()
    assert found["importance"][:2].min() > 2 * found["importance"][2:].abs().max()
    np.testing.assert_allclose(found["share"], found["importance"] / found["error"])


def test_it_is_the_growth_of_the_error(forecaster):
    windows = forecaster.model_inputs(step_size=3)
    found = covariate_importance(windows, metric="rmse", repeats=1, seed=4).set_index("covariate")
    forecast = windows.engine.predict(windows.inputs, windows.horizon)
    error = np.sqrt(np.mean((forecast - windows.truth) ** 2))
    order = np.random.default_rng(4).permutation(len(windows))
    changed = {name: values.copy() for name, values in windows.inputs.items()}
    for name, place in (("past", 2), ("future", 1)):
        changed[name][..., place] = changed[name][order][..., place]
    grown = np.sqrt(
        np.mean((windows.engine.predict(changed, windows.horizon) - windows.truth) ** 2)
    )
    assert found.loc["two", "importance"] == pytest.approx(grown - error, abs=1e-6)
    assert found.loc["two", "spread"] == 0
    assert (found["error"] - error).abs().max() < 1e-6


def test_windows_that_were_trained_on_do_not_count(forecaster):
    df = planted(0)
    newer = planted(1, rows=40).assign(
        ds=pd.date_range(df["ds"].iloc[-1] + pd.Timedelta("1D"), periods=40)
    )
    assert set(forecaster.covariate_importance(newer)["covariate"][:2]) == set(TELLING)
    with pytest.raises(
        DataError, match="expected two windows or more that were not trained on, received 0"
    ):
        forecaster.covariate_importance(df[:400])  # a fifth of the rows are validation rows
    with pytest.raises(DataError, match="expected two windows or more, received 1"):
        covariate_importance(forecaster.model_inputs(step_size=1)[:1])
    with pytest.raises(DataError, match="expected windows whose truth is known"):
        covariate_importance(forecaster.model_inputs(future=newer))
    pd.testing.assert_frame_equal(
        forecaster.covariate_importance(df), forecaster.covariate_importance()
    )
    with pytest.raises(SpecError, match="metric: expected one of 'mae', 'mse', 'rmse'"):
        forecaster.covariate_importance(metric="mape")
