"""Series with few rows or none, which borrow from series like them."""

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster
from seqcast.errors import DataError

H = 7
ROWS = 91


def articles(count=16, seed=0, level=lambda kind: 100.0 if kind == "dear" else 10.0, start=0):
    """Return daily sales of articles of two kinds, whose promotions add a half."""
    tables = []
    for place in range(start, start + count):
        rng = np.random.default_rng([seed, place])
        days = pd.date_range("2025-01-06", periods=ROWS)
        kind = "dear" if place % 2 else "cheap"
        promotion = rng.random(ROWS) < 0.2
        week = 1 + 0.4 * np.sin(2 * np.pi * np.arange(ROWS) / 7)
        y = (
            level(kind)
            * rng.uniform(0.8, 1.25)
            * week
            * (1 + 0.5 * promotion)
            * rng.normal(1, 0.1, ROWS)
        )
        columns = {"kind": kind, "promotion": promotion}
        tables.append(
            pd.DataFrame(
                {"unique_id": f"{place:02d}", "ds": days, "y": np.maximum(y, 0), **columns}
            )
        )
    return pd.concat(tables, ignore_index=True)


def known(frame):
    return frame[frame["ds"] < frame["ds"].unique()[-H]]


def ahead(frame):
    return frame[frame["ds"] >= frame["ds"].unique()[-H]]


@pytest.fixture(scope="module")
def fitted():
    options = {
        "static_covariates": ["kind"],
        "future_covariates": ["promotion"],
        "random_state": 0,
        "verbose": 0,
    }
    return Forecaster(H, preset="pretrained", **options).fit(known(articles()))


NEW = articles(4, start=20)
NAMES = NEW.groupby("unique_id", as_index=False)[["kind"]].first()


def first_rows(count):
    """Return the last known rows of the new articles; of none their static covariates."""
    return known(NEW).groupby("unique_id").tail(count) if count else NAMES


def test_scenarios_and_paths_have_the_intervals_of_predict(fitted):
    rows = first_rows(1)
    future = ahead(NEW)
    forecast = fitted.predict(df=rows, future=future)
    columns = [name for name in forecast if name.startswith("seqcast")]
    scenario = fitted.scenarios({"as planned": future}, df=rows)
    np.testing.assert_allclose(scenario[columns], forecast[columns])
    paths = fitted.predict(df=rows, future=future, samples=2_000).groupby(["unique_id", "ds"])[
        "seqcast"
    ]
    upper = forecast.set_index(["unique_id", "ds"])["seqcast-hi-80"]
    np.testing.assert_allclose(paths.quantile(0.9), upper, rtol=0.15)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_new_articles_have_level_season_promotions_and_intervals(fitted, count):
    forecast = fitted.predict(df=first_rows(count), future=ahead(NEW))
    truth = ahead(NEW)["y"].to_numpy()
    assert np.abs(np.log(forecast["seqcast"] / truth)).mean() < 0.35
    inside = (forecast["seqcast-lo-95"] <= truth) & (truth <= forecast["seqcast-hi-95"])
    assert inside.mean() > 0.8
    assert (forecast["seqcast-hi-95"] - forecast["seqcast-hi-80"]).min() > 0
    moved = [
        fitted.predict(df=first_rows(count), future=ahead(NEW).assign(promotion=each))[
            "seqcast"
        ].sum()
        for each in (True, False)
    ]
    assert 1.2 < moved[0] / moved[1] < 1.8


def test_own_rows_narrow_the_intervals_and_draw_the_level(fitted):
    far = first_rows(3).assign(y=lambda frame: 3 * frame["y"])
    forecasts = [
        fitted.predict(df=df, future=ahead(NEW))
        for df in (NAMES, first_rows(1), first_rows(3), far)
    ]
    widths = [np.log(each["seqcast-hi-80"] / each["seqcast-lo-80"]).mean() for each in forecasts]
    assert widths[0] > widths[1] > widths[2]
    levels = [each["seqcast"].mean() for each in forecasts]
    assert 1.5 * levels[2] < levels[3] < 3 * levels[2]


def test_states_of_new_articles_are_those_of_the_rows_that_they_borrow(fitted):
    others = Forecaster(**fitted.get_params()).fit(known(articles(seed=1)))
    states = [
        each.encode(NAMES).set_index("unique_id").drop(columns="ds") for each in (fitted, others)
    ]
    assert states[0].index.tolist() == NAMES["unique_id"].tolist()
    assert np.isfinite(states).all()
    assert np.abs(states[0] - states[1]).max(axis=None) > 0.01


def test_inputs_of_networks_are_labelled_by_own_rows(fitted):
    labels = fitted.model_inputs(df=first_rows(3), future=ahead(NEW)).labels
    assert labels.ids.tolist() == NAMES["unique_id"].tolist()
    assert (labels.cutoffs == known(NEW)["ds"].max()).all()


def test_zeros_are_below_the_others_and_still_follow_promotions(fitted):
    zeros = first_rows(3).assign(y=0.0)
    none, every = (
        fitted.predict(df=zeros, future=ahead(NEW).assign(promotion=each)) for each in (False, True)
    )
    usual = fitted.predict(df=first_rows(3), future=ahead(NEW))
    assert none["seqcast"].mean() < 0.5 * usual["seqcast"].mean()
    assert every["seqcast"].sum() > 1.1 * none["seqcast"].sum() > 0


def test_each_new_series_is_forecast_as_if_alone_and_for_any_owner(fitted):
    together = fitted.predict(df=first_rows(1), future=ahead(NEW))
    alone = fitted.predict(
        df=first_rows(1)[lambda frame: frame["unique_id"] == "21"], future=ahead(NEW)
    )
    of_one = together[together["unique_id"] == "21"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, of_one, rtol=1e-4)
    owners = np.zeros(len(NAMES), dtype=int)
    future = ahead(NEW)
    served, _ = fitted.fitted_.for_owners(
        first_rows(1), owners, future=future, future_owners=np.zeros(len(future), dtype=int)
    )
    pd.testing.assert_frame_equal(served, together, rtol=1e-4)


def test_a_short_series_of_the_fit_borrows_too(fitted):
    frame = known(pd.concat([articles(), NEW]))
    last = frame["ds"].max()
    rows = frame[(frame["unique_id"] < "20") | (frame["ds"] == last)]
    options = {
        "static_covariates": ["kind"],
        "future_covariates": ["promotion"],
        "random_state": 0,
        "verbose": 0,
    }
    forecaster = Forecaster(H, preset="pretrained", **options).fit(rows)
    forecast = forecaster.predict(future=ahead(pd.concat([articles(), NEW])))
    new = forecast[forecast["unique_id"] >= "20"].reset_index(drop=True)
    expected = fitted.predict(df=first_rows(1), future=ahead(NEW))
    np.testing.assert_allclose(new["seqcast"], expected["seqcast"], rtol=0.3)


def test_levels_that_may_be_negative_differ_by_distances():
    frame = pd.concat([articles(), NEW])
    frame["y"] -= 60.0
    options = {
        "static_covariates": ["kind"],
        "random_state": 0,
        "verbose": 0,
        "preset": "pretrained",
    }
    forecaster = Forecaster(H, **options).fit(
        known(frame[frame["unique_id"] < "20"]).drop(columns="promotion")
    )
    forecast = forecaster.predict(df=NAMES)
    truth = ahead(frame[frame["unique_id"] >= "20"])["y"].to_numpy()
    assert (
        np.abs(forecast["seqcast"] - truth).mean() < 0.7 * np.abs(truth - frame["y"].mean()).mean()
    )
    assert (forecast["seqcast-lo-80"] <= truth).mean() > 0.7


def test_without_series_to_borrow_from_rows_are_needed():
    few = known(articles(2)).drop(columns=["kind", "promotion"])
    forecaster = Forecaster(H, preset="pretrained", random_state=0, verbose=0).fit(few)
    with pytest.raises(DataError, match="expected a column 'ds'"):
        forecaster.predict(df=pd.DataFrame({"unique_id": ["new"]}))
    many = known(articles(4)).drop(columns=["kind", "promotion"])
    forecaster = Forecaster(H, preset="pretrained", random_state=0, verbose=0).fit(many)
    assert forecaster.predict(df=pd.DataFrame({"unique_id": ["new"]}))["seqcast"].notna().all()
    empty = pd.DataFrame({"unique_id": "new", "ds": [pd.Timestamp("2035-01-01")], "y": [np.nan]})
    with pytest.raises(DataError, match="other series with rows up to its first one"):
        forecaster.predict(df=empty)
