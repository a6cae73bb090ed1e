"""What comes after a cutoff changes no forecast from it, whatever the preset; a planted leak shows that tests look."""

import os

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec
from seqcast.data.windows import WindowReader
from seqcast.forecaster.backtest import Backtest
from seqcast.specs import EnsembleSpec, MemberSpec, TrainingSpec

from . import panels

HORIZON = 4
ROWS = 70
ROUNDS = int(os.environ.get("SEQCAST_FUZZ_LEAKS", "1"))
QUICK = {"epochs": 1, "steps_per_epoch": 1, "batch_size": 16}
SMALL = NetworkSpec(encoder_units=(3,), decoder_units=(3,), normalise="last")
ROLES = panels.COVARIATES
FORECASTS = ["seqcast", "seasonal_naive", "last_value"]

# Options of a forecaster, by what they try.
WAYS = {
    "auto, quick": {"preset": "auto", "effort": "quick"},
    "auto": {"preset": "auto", "effort": "balanced", "training": QUICK},
    "pretrained": {"preset": "pretrained"},
    "pretrained, covariates": {"preset": "pretrained", **ROLES, "past_covariates": ()},
    "pretrained, calibrated": {"preset": "pretrained", "calibrate": True, "level": (50,)},
    "classic": {"preset": "classic", "training": QUICK, "context_length": 8},
    "segment": {"preset": "segment", "training": QUICK, "context_length": 8},
    "network": {"preset": SMALL, "training": QUICK, "context_length": 8},
    "network, covariates": {"preset": SMALL, "training": QUICK, "context_length": 8, **ROLES},
    "network, calibrated": {
        "preset": SMALL,
        "training": QUICK,
        "context_length": 8,
        "calibrate": True,
        "level": (50,),
    },
    "ensemble": {
        "preset": EnsembleSpec([MemberSpec(SMALL, TrainingSpec(**QUICK), context_length=8)] * 2),
        "level": (),
    },
}
# These train or calibrate for seconds.
SLOW = ("auto", "ensemble", "classic", "segment")


def forecaster(way, **changes):
    return Forecaster(HORIZON, **{"random_state": 0, "verbose": 0, **WAYS[way], **changes})


def wild(df, cutoff, rng):
    """Return a frame with other rows after a cutoff; what is known ahead, and static, stays as it is."""
    late = (df["ds"] > cutoff).to_numpy()
    changed = df.copy()
    for name in ("y", "rain"):
        changed[name] = df[name].where(~late, 1e4 * rng.normal(size=len(df)))
    missing = late & (rng.random(len(df)) < 0.2)
    return changed.assign(y=changed["y"].mask(missing))


def compare(first, second, cutoff, columns):
    """Check that the forecasts from cutoffs up to one are the same numbers, and that later ones are not."""
    keys = ["unique_id", "ds", "cutoff"]
    early = [table[table["cutoff"] <= cutoff].set_index(keys)[columns] for table in (first, second)]
    both = early[0].join(early[1], how="inner", lsuffix=" before", rsuffix=" after")
    assert len(both)
    for name in columns:
        np.testing.assert_array_equal(both[f"{name} before"], both[f"{name} after"], err_msg=name)


def check_backtest(way, refit, seed):
    rng = np.random.default_rng(seed)
    df = panels.panel("ab", rows=ROWS)
    model = forecaster(way)
    before = model.backtest(df, n_windows=3, refit=refit)
    columns = [name for name in before.columns if name.startswith("seqcast")] + FORECASTS[1:]
    cutoffs = np.sort(before["cutoff"].unique())
    cutoff = cutoffs[int(rng.integers(2))]
    after = model.backtest(wild(df, cutoff, rng), n_windows=3, refit=refit)
    compare(before, after, cutoff, columns)


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("way", [way for way in WAYS if way not in SLOW])
def test_later_rows_change_no_earlier_forecast(way, refit):
    for seed in range(ROUNDS):
        check_backtest(way, refit, seed)


@pytest.mark.processes
@pytest.mark.parametrize("way", SLOW)
def test_later_rows_change_no_earlier_forecast_of_what_trains_longer(way):
    for seed in range(ROUNDS):
        check_backtest(way, True, seed)


@pytest.mark.parametrize("way", ["auto, quick", "network"])
def test_later_rows_of_another_series_change_no_forecast_and_update_reads_its_own(way):
    df = panels.panel("ab", rows=ROWS)
    known = df[df["ds"] <= df["ds"].iloc[ROWS - 1 - HORIZON]]
    later = df[df["ds"] > known["ds"].max()]
    alone = forecaster(way).fit(known)
    expected = alone.predict()
    rows_of_b = later[later["unique_id"] == "b"]
    alone.update(rows_of_b)
    made = alone.predict()
    of_a = [table[table["unique_id"] == "a"].reset_index(drop=True) for table in (expected, made)]
    pd.testing.assert_frame_equal(*of_a, atol=1e-5)


def test_a_fit_that_reads_later_rows_is_found(monkeypatch):
    def peeking(backtest):
        stops = np.minimum(backtest.known + HORIZON, backtest.frame.source.lengths)
        return [backtest.frame.until(each) for each in stops[:: backtest.every]]

    monkeypatch.setattr(Backtest, "frames", property(peeking))
    with pytest.raises(AssertionError, match="seqcast"):
        check_backtest("network", True, 0)


@pytest.mark.parametrize(("way", "method"), [("network", "inputs"), ("pretrained", "values")])
def test_a_reader_that_reads_a_later_row_is_found(monkeypatch, way, method):
    read = getattr(WindowReader, method)

    def peeking(reader, series, stops, *others, **options):
        return read(
            reader, series, np.minimum(stops + 1, reader.lengths[series]), *others, **options
        )

    monkeypatch.setattr(WindowReader, method, peeking)
    with pytest.raises(AssertionError, match="seqcast"):
        check_backtest(way, False, 0)
