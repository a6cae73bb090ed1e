"""sktime's forecaster forecasts what `Forecaster` does."""

import warnings

import numpy as np
import pandas as pd
import pytest

from seqcast import Columns, Forecaster, NetworkSpec
from seqcast.errors import DataError, SpecError
from tests.rejections import rejected

pytest.importorskip("sktime")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of sktime's own imports
    from sktime.forecasting.base import ForecastingHorizon

    from seqcast.interop.sktime import SeqcastForecaster

SIZE = {"encoder_units": (3,), "decoder_units": (3,), "normalise": "last"}
NORMAL = NetworkSpec(**SIZE, head="normal")
QUANTILES = NetworkSpec(**SIZE, head="quantile", quantiles=(0.05, 0.1, 0.5, 0.9, 0.95))
OPTIONS = {
    "context_length": 8,
    "preset": NORMAL,
    "training": {"epochs": 1, "steps_per_epoch": 4},
    "random_state": 0,
}


# ---------------------------------------------------------------- the same as the forecaster


def panel(lengths=(40, 43, 38), targets=1, covariates=0, seed=0):
    """Return series that end on the same day, in an order of their own."""
    random = np.random.default_rng(seed)
    tables = {}
    for name, length in zip(("c", "a", "b"), lengths, strict=True):
        days = pd.date_range(end="2024-04-30", periods=length, name="day")
        values = {f"sold{place}": 10 + random.normal(size=length) for place in range(targets)}
        values |= {f"price{place}": random.normal(size=length) for place in range(covariates)}
        tables[name] = pd.DataFrame(values, days)
    return pd.concat(tables, names=["shop"])


def long(frame):
    return frame.reset_index().rename(columns={"shop": "unique_id", "day": "ds"})


def split(frame, steps=5):
    """Return the frame but for the last steps of each series, and these."""
    ahead = frame.groupby(level=0, sort=False).tail(steps)
    return frame.drop(ahead.index), ahead


def like(frame, forecast, column="seqcast"):
    """Return a column of a forecast in the order of a frame's index."""
    return forecast.set_index(["unique_id", "ds"])[column].loc[list(frame.index)].to_numpy()


@pytest.fixture(scope="module")
def fitted():
    """Return an adapter and a forecaster that were fitted on the same panel."""
    y = panel()
    ours = Forecaster(5, columns=Columns(y="sold0"), level=(80, 90), verbose=0, **OPTIONS).fit(
        long(y)
    )
    return SeqcastForecaster(level=(80, 90), **OPTIONS).fit(y, fh=range(1, 6)), ours


def test_panels_are_forecast_by_one_network(fitted):
    theirs, ours = fitted
    made = theirs.predict()
    assert list(made.columns) == ["sold0"]
    assert made.index.names == ["shop", "day"]
    assert made.index.get_level_values(0).unique().tolist() == ["c", "a", "b"]
    np.testing.assert_array_equal(made["sold0"], like(made, ours.predict()))


@pytest.mark.parametrize("fh", [[2, 4], [9]])
def test_any_horizon(fitted, fh):
    theirs, ours = fitted
    made = theirs.predict(fh=fh)
    assert len(made) == 3 * len(fh)
    np.testing.assert_array_equal(made["sold0"], like(made, ours.predict(max(fh))))
    days = pd.date_range("2024-05-01", periods=9)[[step - 1 for step in fh]]
    at_days = ForecastingHorizon(days, is_relative=False, freq="D")
    pd.testing.assert_frame_equal(theirs.predict(fh=at_days), made)


def test_stamps_without_a_step_are_rejected(fitted, monkeypatch):
    monkeypatch.setattr(Forecaster, "freq_", None)
    rejected(SpecError, "freq: expected a step, received irregular stamps", fitted[0].predict, [1])


def test_intervals_are_the_columns(fitted):
    theirs, ours = fitted
    made = theirs.predict_interval(fh=[1, 3], coverage=[0.8, 0.95])
    forecast = ours.predict(3, level=(80, 95))
    for coverage, level in ((0.8, 80), (0.95, 95)):
        for side, short in (("lower", "lo"), ("upper", "hi")):
            column = made["sold0", coverage, side]
            np.testing.assert_allclose(
                column, like(made, forecast, f"seqcast-{short}-{level}"), rtol=1e-6
            )


def test_quantiles_between_trained_ones_are_those_of_the_network():
    """A series' scale moves and stretches all of them alike, so places between two trained ones can be compared."""
    alpha = [0.001, 0.02, 0.05, 0.07, 0.3, 0.5, 0.62, 0.9, 0.93, 0.95, 0.999]
    options = {**OPTIONS, "preset": QUANTILES, "scale": "standard"}
    theirs = SeqcastForecaster(**options, level=(80, 90)).fit(panel(), fh=[1, 2])
    inputs = theirs.forecaster_.model_inputs()
    ours = inputs.engine.quantiles(inputs.inputs, 2, alpha)[:, :, 0].reshape(-1, len(alpha))

    def places(quantiles):
        low, high = (quantiles[:, alpha.index(each), None] for each in (0.05, 0.95))
        return (quantiles - low) / (high - low)

    quantiles = theirs.predict_quantiles(alpha=alpha)["sold0"].loc[["a", "b", "c"]].to_numpy()
    np.testing.assert_allclose(places(quantiles), places(ours), atol=1e-4)


def test_the_middle_quantile_is_the_median_whatever_the_point():
    spec = NetworkSpec(**{**SIZE, "normalise": "none"}, head="log_normal")
    options = {**OPTIONS, "preset": spec, "scale": "mean"}
    mean = SeqcastForecaster(point="mean", **options).fit(panel(), fh=[1])
    median = SeqcastForecaster(**options).fit(panel(), fh=[1])
    np.testing.assert_allclose(
        mean.predict_quantiles(alpha=[0.5]).to_numpy(), median.predict().to_numpy(), rtol=1e-6
    )
    assert (mean.predict().to_numpy() > median.predict().to_numpy()).all()


def test_several_columns_are_several_targets():
    y = panel(targets=2)
    theirs = SeqcastForecaster(**OPTIONS).fit(y, fh=[1, 2])
    columns = Columns(y=["sold0", "sold1"])
    ours = Forecaster(2, columns=columns, verbose=0, **OPTIONS).fit(long(y)).predict()
    made = theirs.predict()
    for name in columns.targets:
        np.testing.assert_array_equal(made[name], like(made, ours[ours["target"] == name]))
    pd.testing.assert_frame_equal(theirs.predict(fh=[2]), made[1::2])
    assert made.columns.tolist() == ["sold0", "sold1"]
    assert theirs.predict_interval(coverage=0.8).columns.get_level_values(0).unique().tolist() == [
        "sold0",
        "sold1",
    ]


# ---------------------------------------------------------------- covariates


@pytest.fixture(scope="module")
def with_covariates():
    frame = panel(covariates=2)
    past, ahead = split(frame)
    theirs = SeqcastForecaster(past_covariates=["price1"], **OPTIONS)
    return theirs.fit(past[["sold0"]], past[["price0", "price1"]], fh=range(1, 6)), past, ahead


def test_covariates_are_passed_on(with_covariates):
    theirs, past, ahead = with_covariates
    roles = {"past_covariates": ["price1"], "future_covariates": ["price0"]}
    ours = Forecaster(5, columns=Columns(y="sold0"), verbose=0, **roles, **OPTIONS).fit(long(past))
    made = theirs.predict(X=ahead[["price0"]])
    np.testing.assert_array_equal(made["sold0"], like(made, ours.predict(future=long(ahead))))
    assert not np.allclose(made, theirs.predict(X=ahead[["price0"]] + 1))


def test_only_steps_that_are_not_asked_for_may_be_absent(with_covariates):
    theirs, _, ahead = with_covariates
    known = ahead[["price0"]]
    days = known.index.get_level_values(1)
    made = theirs.predict(fh=[1, 4], X=known[days.isin(days[[0, 3]])])
    filled = known["price0"].where(days.isin(days[[0, 3]])).groupby(level=0, sort=False).ffill()
    np.testing.assert_allclose(made, theirs.predict(fh=[1, 4], X=filled.to_frame()), rtol=1e-6)
    with pytest.raises(
        DataError, match=r"future \(series 'a'\): expected a row for each of the 5 steps ahead"
    ):
        theirs.predict(fh=[1, 5], X=known.groupby(level=0).head(4))


def test_text_and_static_columns():
    frame = panel()
    region = frame.index.get_level_values(0).map({"a": "north", "b": "south", "c": "north"})
    past, ahead = split(frame.assign(region=region, promoted=np.arange(len(frame)) % 2 == 0))
    theirs = SeqcastForecaster(static_covariates=["region"], **OPTIONS)
    theirs.fit(past[["sold0"]], past[["region", "promoted"]], fh=range(1, 6))
    assert theirs.forecaster_.static_covariates == ("region",)
    assert len(theirs.predict(X=ahead[["promoted"]])) == 15


# ---------------------------------------------------------------- index and horizon


@pytest.mark.parametrize("freq", ["Y", "M", "Q-DEC", "W-SUN", "D", "h", "min"])
def test_periods_come_out_as_they_went_in(freq):
    y = pd.Series(
        np.sin(np.arange(40.0)), pd.period_range("2001-01-01", periods=40, freq=freq), name="wave"
    )
    made = SeqcastForecaster(**OPTIONS).fit(y, fh=[1, 3]).predict()
    assert made.name == "wave"
    assert made.index.dtype == y.index.dtype
    assert made.index.tolist() == [y.index[-1] + 1, y.index[-1] + 3]


def test_numbers_gaps_and_zones():
    values = np.sin(np.arange(40.0))
    counted = (
        SeqcastForecaster(**OPTIONS)
        .fit(pd.Series(values, pd.RangeIndex(5, 45)), fh=[1, 3])
        .predict()
    )
    assert counted.index.tolist() == [45, 47]
    zoned = pd.Series(values, pd.date_range("2024-03-01", periods=40, freq="h", tz="Europe/Berlin"))
    zoned.iloc[[3, 20]] = np.nan
    made = SeqcastForecaster(**OPTIONS).fit(zoned, fh=[2]).predict()
    assert made.index.tolist() == [zoned.index[-1] + pd.Timedelta(hours=2)]
    assert np.isfinite(made).all()


def test_series_that_end_at_different_times():
    y = panel()
    shorter = y.drop(y.loc[["a"]].index[-3:])
    made = SeqcastForecaster(**OPTIONS).fit(shorter, fh=[1, 2]).predict()
    ends = (
        made.groupby(level=0)["sold0"].apply(lambda rows: str(rows.index[-1][1].date())).to_dict()
    )
    assert ends == {"a": "2024-04-29", "b": "2024-05-02", "c": "2024-05-02"}
    day = ForecastingHorizon(pd.DatetimeIndex(["2024-05-02"]), is_relative=False, freq="D")
    stamps = SeqcastForecaster(**OPTIONS).fit(shorter, fh=day).predict()
    assert {str(day.date()) for day in stamps.index.get_level_values(1)} == {"2024-05-02"}


HORIZONS = [({}, [1, 7], 7), ({"horizon": 3}, [1, 7], 3), ({}, None, 10), ({"horizon": 4}, None, 4)]


@pytest.mark.parametrize(("options", "fh", "horizon"), HORIZONS)
def test_trained_horizon(options, fh, horizon):
    forecaster = SeqcastForecaster(**options, **OPTIONS).fit(panel(), fh=fh)
    assert forecaster.forecaster_.horizon == horizon


# ---------------------------------------------------------------- going on


def test_update_without_training_is_update_and_with_training_finetune():
    past, ahead = split(panel())
    for train in (False, True):
        theirs = SeqcastForecaster(**OPTIONS).fit(past, fh=[1, 2])
        ours = Forecaster(2, columns=Columns(y="sold0"), verbose=0, **OPTIONS).fit(long(past))
        ours = ours.finetune(long(ahead)) if train else ours.update(long(ahead))
        # Rows that are known already do not count.
        newer = ahead if train else pd.concat([past.groupby(level=0).tail(2), ahead])
        made = theirs.update(newer, update_params=train).predict()
        assert str(made.index[0][1].date()) == "2024-05-01"
        np.testing.assert_array_equal(made["sold0"], like(made, ours.predict()))


def test_forecasts_go_on_from_older_rows_and_of_new_series():
    y = panel()
    past, ahead = split(y)
    theirs = SeqcastForecaster(**OPTIONS).fit(y, fh=[1, 2])
    made = theirs.update(past, update_params=False).predict()
    assert made.index.get_level_values(1)[0] == ahead.index.get_level_values(1)[0]
    forecaster = theirs.forecaster_
    np.testing.assert_array_equal(made["sold0"], like(made, forecaster.predict(df=long(past))))
    some = SeqcastForecaster(**OPTIONS).fit(y.loc[["c", "a"]], fh=[1])
    new = some.update(y.loc[["b"]], update_params=False).predict()
    assert new.index.get_level_values(0).tolist() == ["c", "a", "b"]
    again = theirs.update(ahead, update_params=False).predict()
    np.testing.assert_array_equal(again["sold0"], like(again, forecaster.predict()))


# ---------------------------------------------------------------- tags, options, errors


ABLE = [
    ({}, True),
    ({"level": ()}, False),
    ({"level": (), "preset": NORMAL}, True),
    ({"level": (), "preset": QUANTILES}, False),
    ({"preset": NetworkSpec(**SIZE)}, False),
    ({"preset": NetworkSpec(**SIZE), "calibrate": True}, True),
]


@pytest.mark.parametrize(("options", "able"), ABLE)
def test_intervals_are_promised_where_there_are_some(options, able):
    assert SeqcastForecaster(**options).get_tag("capability:pred_int") is able


def test_options_are_those_of_the_forecaster():
    theirs = SeqcastForecaster().get_params()
    ours = Forecaster(1).get_params(deep=False)
    left_out = {
        "columns",
        "future_covariates",
        "irregular",
        "alias",
        "on_bad_series",
        "on_duplicates",
    }
    assert set(theirs) == set(ours) - left_out
    other = {name for name in theirs if theirs[name] != ours[name]}
    assert other == {"horizon", "level", "verbose"}


def test_the_past_and_missing_values_are_rejected_where_they_should_be():
    y = panel()
    rejected(NotImplementedError, "in-sample", SeqcastForecaster(**OPTIONS).fit, y, fh=[-1, 1])
    y.iloc[7] = np.nan
    rejected(
        ValueError,
        "cannot handle missing data",
        SeqcastForecaster(missing="raise", **OPTIONS).fit,
        y,
        fh=[1],
    )
