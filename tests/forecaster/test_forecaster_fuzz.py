"""Random frames: a finite forecast with the right stamps, or an error of ours that names the fault."""

import os

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqcast import NetworkSpec, TrainingSpec
from seqcast.errors import SeqcastError

from . import panels

HORIZON = 3
PREDICTED = int(os.environ.get("SEQCAST_FUZZ", "200"))
FITTED = max(20, PREDICTED // 50)  # a training takes as long as fifty forecasts
QUIETLY = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-9, 9).map(float)
# What is done to a row of a frame. Frames with a fault are rejected; those that are only odd may be
# forecast.
FAULTS = {
    "duplicate": lambda df, row: pd.concat([df, df.iloc[[row]]]),
    "unsorted": lambda df, row: df[::-1],
    "text": lambda df, row: df.astype({"y": str}),
    "infinite": lambda df, row: df.assign(y=df["y"].where(df.index != row, np.inf)),
    "null id": lambda df, row: df.assign(unique_id=df["unique_id"].where(df.index != row)),
    "null ds": lambda df, row: df.assign(ds=df["ds"].where(df.index != row)),
}
ODDITIES = {
    "none": lambda df, row: df,
    "all missing": lambda df, row: df.assign(y=np.nan),
    "constant": lambda df, row: df.assign(y=7.0),
    "tiny": lambda df, row: df.assign(y=df["y"] * 1e-30),
    "huge": lambda df, row: df.assign(y=df["y"] * 1e30),
}
REJECTIONS = (
    "at least one number",
    "at least 1 + 3 rows",
    "frequency can be read",
    "are not rounded away",
)
QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)
SIZES = {"encoder_units": (3,), "decoder_units": (3,)}
NETWORK = NetworkSpec(**SIZES, normalise="last", head="quantile", quantiles=QUANTILES)
BOUNDS = ["seqcast-lo-95", "seqcast-lo-80", "seqcast", "seqcast-hi-80", "seqcast-hi-95"]


def tiny(**options):
    training = TrainingSpec(epochs=1, batch_size=16, steps_per_epoch=1)
    return panels.tiny(HORIZON, context_length=5, preset=NETWORK, training=training, **options)


def fit(*, gaps=False, **options):
    df = panels.waves(rows=40, size=0.0, noise=1.0, spacing=0.0)
    return tiny(**options).fit(df.drop(index=[7, 20]) if gaps else df)


@pytest.fixture(scope="module")
def models():
    return [fit(), fit(gaps=True, scale="robust"), fit(calendar="none", scale="minmax")]


@st.composite
def frames(draw, longest=500):
    """Series of days with gaps, of names known and new, with what is wrong or odd about them."""
    tables = []
    for name in draw(st.lists(st.sampled_from("abxyz"), min_size=1, max_size=3, unique=True)):
        length = draw(st.integers(1, 40) | st.integers(1, longest))
        start = pd.Timestamp("2024-01-01") + pd.Timedelta(days=draw(st.integers(0, 80)))
        y = np.resize(draw(st.lists(NUMBERS, min_size=1, max_size=9)), length).astype(float)
        y[draw(st.lists(st.integers(0, length - 1), max_size=3))] = np.nan
        kept = np.ones(length, dtype=bool)
        kept[draw(st.lists(st.integers(0, length - 1), max_size=5))] = False
        kept[0] = True
        days = pd.date_range(start, periods=length)
        tables.append(pd.DataFrame({"unique_id": name, "ds": days, "y": y})[kept])
    df = pd.concat(tables, ignore_index=True)
    what = draw(st.sampled_from([*FAULTS]) | st.sampled_from([*ODDITIES]))
    row = draw(st.integers(0, len(df) - 1))
    return {**FAULTS, **ODDITIES}[what](df, row), what


def outcome(call, *arguments):
    """Return the result or the error of ours."""
    try:
        return call(*arguments), None
    except SeqcastError as error:
        return None, error


def check(forecast, error, df, what, horizon):
    """See that the error is due, or that the forecast is whole."""
    if error is not None:
        assert error.expected
        assert error.received
        assert error.hint
        assert what in FAULTS or any(text in str(error) for text in REJECTIONS)
        if "rounded away" in str(error):
            assert df["y"].abs().max() > 2**52
        return
    single = df.groupby("unique_id").size().max() == 1
    assert what not in FAULTS or (what == "unsorted" and single)
    last = df.groupby("unique_id")["ds"].max()
    assert forecast["unique_id"].tolist() == np.repeat(last.index, horizon).tolist()
    expected = [
        last[name] + pd.Timedelta(days=step + 1) for name in last.index for step in range(horizon)
    ]
    assert forecast["ds"].tolist() == expected
    assert np.isfinite(forecast[BOUNDS]).all(axis=None)
    assert (np.diff(forecast[BOUNDS].to_numpy(), axis=1) >= 0).all()


@settings(max_examples=PREDICTED, **QUIETLY)
@given(made=frames(), polars=st.booleans(), which=st.integers(0, 2), horizon=st.integers(1, 5))
def test_forecasts_from_rows_or_errors_of_ours(models, made, polars, which, horizon):
    df, what = made
    forecast, error = outcome(models[which].predict, horizon, pl.from_pandas(df) if polars else df)
    if error is None:
        assert isinstance(forecast, pl.DataFrame if polars else pd.DataFrame)
        forecast = forecast.to_pandas() if polars else forecast
    check(forecast, error, df, what, horizon)


@pytest.mark.filterwarnings("ignore:context_length .* are more than:seqcast.errors.SeqcastWarning")
@pytest.mark.filterwarnings("ignore:.* of the steps missing:seqcast.errors.SeqcastWarning")
@settings(max_examples=FITTED, **QUIETLY)
@given(made=frames(longest=100), scale=st.sampled_from(["standard", "robust", "minmax", "mean"]))
def test_fits_or_errors_of_ours(made, scale):
    df, what = made
    model, error = outcome(tiny(scale=scale, freq="D").fit, df)
    check(None if error else model.predict(), error, df, what, HORIZON)
