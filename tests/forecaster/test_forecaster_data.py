"""Data as it comes: high levels, dates in numbers, counts, gaps, steps that are too fine, bad series."""

import warnings

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec
from seqcast.data.windows import repeat_newest_season
from seqcast.errors import DataError, SeqcastWarning, SpecError
from seqcast.evaluation import evaluate
from tests.rejections import rejected

from . import panels

TINY = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last", head="normal")
VALUES = ["seqcast", "seqcast-lo-80", "seqcast-hi-80"]


def tiny(**options):
    training = {"epochs": 2, "batch_size": 64, "learning_rate": 0.01}
    settings = {
        "preset": TINY,
        "training": training,
        "context_length": 12,
        "calendar": "none",
        "level": 80,
    }
    return panels.tiny(**{**settings, **options})


def waves(rows=60, series=2, level=0.0, size=10.0):
    names = [f"s{place}" for place in range(series)]
    return panels.waves(names, rows, level=level, spacing=0.0, size=size, period=10.5, noise=1.0)


# ---------------------------------------------------------------- levels


@pytest.mark.parametrize("scale", ["standard", "robust", "minmax"])
def test_a_variation_is_forecast_alike_at_any_level(scale):
    plain = waves().round({"y": 0})  # whole numbers are exact at every level

    def forecast(level):
        model = tiny(scale=scale, support="real").fit(plain.assign(y=plain["y"] + level))
        return model.predict()[VALUES].to_numpy() - level

    expected = forecast(0.0)
    for level in (1e6, 1e11, 1e15) if scale == "standard" else (1e10,):
        tolerance = max(0.02, 2 * np.spacing(level) if level > 1e11 else 0)
        np.testing.assert_allclose(
            forecast(level), expected, rtol=0, atol=tolerance, err_msg=f"level {level}"
        )


# ---------------------------------------------------------------- stamps


def test_dates_in_whole_numbers_are_forecast_as_dates(tmp_path, capsys):
    df = waves().assign(ds=lambda rows: rows["ds"].dt.strftime("%Y%m%d").astype(int))
    forecaster = tiny(verbose=1).fit(df)
    assert "ds is read as times, in the format %Y%m%d" in capsys.readouterr().out
    expected = [20240301, 20240302, 20240303, 20240304]
    assert forecaster.freq_ == "D"
    assert forecaster.predict()["ds"].tolist() == expected * 2
    # One new row cannot tell its format; the one of the fit holds, also after the way to a file and
    # back.
    forecaster.save(tmp_path / "m")
    new = pd.DataFrame({"unique_id": ["s0"], "ds": [20240301], "y": [0.0]})
    loaded = Forecaster.load(tmp_path / "m")
    assert loaded.predict(df=new)["ds"].tolist() == [20240302, 20240303, 20240304, 20240305]
    assert forecaster.backtest(df)["cutoff"].unique().tolist() == [20240225]


def test_a_step_that_is_too_fine_is_rejected():
    with pytest.raises(
        DataError, match=r"freq: expected the step between the rows, 24 steps of 'h' or a multiple"
    ):
        tiny(freq="h").fit(waves())
    sparse = waves().iloc[np.unique(np.random.default_rng(0).integers(0, 60, 25))]
    with pytest.warns(SeqcastWarning, match=r"of the steps missing at freq 'D'"):
        tiny(freq="D").fit(sparse)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SeqcastWarning)
        tiny(freq="D").fit(waves())


# ---------------------------------------------------------------- support


@pytest.mark.parametrize("preset", [TINY, "auto"])
def test_forecasts_of_what_was_never_negative_are_not(preset):
    df = waves(level=4.0, size=12.0, rows=100)
    df["y"] = np.maximum(df["y"], 0.0)
    whole = df.round({"y": 0})
    options = {"preset": preset, "scale": "standard"}
    if preset == "auto":  # what is chosen is a blend, of which nothing is trained
        options |= {"effort": "quick", "training": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeqcastWarning)
        real = tiny(support="real", **options).fit(df)
        bounded = tiny(**options).fit(df)
        counts = tiny(support="counts", **options).fit(whole)
    assert bounded.series_state_.support == ("non-negative",)
    values = real.predict()[VALUES].to_numpy()
    # The pretrained network sees that zero is the lowest value.
    assert (values.min() < 0) == (preset is TINY)
    np.testing.assert_array_equal(bounded.predict()[VALUES].to_numpy(), np.maximum(values, 0))
    made = [counts.predict()[VALUES]]
    if preset is TINY:
        assert bounded.predict(samples=50)["seqcast"].min() == 0.0
        made += [counts.predict(samples=50)[["seqcast"]], counts.backtest(whole)[VALUES]]
    for frame in made:
        assert (frame.dtypes == "int64").all()
        assert (frame >= 0).all(axis=None)


def test_a_support_that_the_data_leave_is_rejected():
    df = waves()
    outside = r"y, row \d+ \(series 's0'\): expected values >= 0, for support='non-negative'"
    rejected(DataError, outside, tiny(support="non-negative").fit, df)
    with pytest.raises(
        DataError,
        match=r"y, row 0 \(series 's0'\): expected whole numbers >= 0, for support='counts'",
    ):
        tiny(support="counts").fit(df.assign(y=df["y"] + 100))
    assert tiny().fit(df).series_state_.support == ("real",)


# ---------------------------------------------------------------- gaps


def test_a_gap_in_the_last_season_is_filled_from_the_season_before():
    rng = np.random.default_rng(0)
    past = rng.normal(size=(4, 14, 2))
    past[0, 9, 0] = past[1, 7:, 1] = past[2, [3, 10], 0] = np.nan
    past[3, :, 0] = np.nan
    forecast = repeat_newest_season(past, season_length=7, horizon=10)
    for row, target in np.ndindex(4, 2):
        values = past[row, :, target]
        known = values[~np.isnan(values)]
        for step in range(10):
            phase = values[step % 7 :: 7]
            phase = phase[~np.isnan(phase)]
            expected = phase[-1] if len(phase) else known[-1] if len(known) else 0.0
            assert forecast[row, step, target] == expected


# ---------------------------------------------------------------- bad series, and rows with one
# stamp


def test_rows_with_one_stamp_are_settled_at_fit_and_after_it(tmp_path):
    df = waves()
    model = {"preset": "pretrained", "training": None}
    halves = pd.concat([df.assign(y=df["y"] - 7.0), df.assign(y=7.0)]).sort_values(
        ["unique_id", "ds"], kind="stable"
    )
    expected = tiny(**model).fit(df)
    forecaster = tiny(**model, on_duplicates="sum").fit(halves)
    np.testing.assert_allclose(
        forecaster.predict()["seqcast"], expected.predict()["seqcast"], rtol=1e-9
    )
    forecaster.save(tmp_path / "m")
    again = Forecaster.load(tmp_path / "m").predict(df=halves)
    np.testing.assert_allclose(again["seqcast"], expected.predict()["seqcast"], rtol=1e-9)
    rejected(
        DataError,
        r"the duplicate .* on_duplicates='first', last, mean or sum",
        tiny(**model).fit,
        halves,
    )
    rejected(
        SpecError,
        "on_duplicates: expected one of 'raise', 'first'",
        tiny(**model, on_duplicates="x").fit,
        df,
    )


def test_one_bad_series_does_not_stop_the_others(tmp_path, capsys):
    df = waves(series=4)
    df["y"] = df["y"].where(df["unique_id"] != "s1").where(df.index != 125, np.inf)
    with pytest.raises(DataError):
        tiny().fit(df)
    forecaster = tiny(on_bad_series="skip", verbose=1).fit(df)
    assert "skipped 2 of 4 series, in which something is wrong" in capsys.readouterr().out
    skipped = {name: str(error) for name, error in forecaster.skipped_series_.items()}
    assert skipped == {
        "s1": "y (series 's1'): expected at least one number, received none in 60 rows. "
        "Drop the series, or fill it in.",
        "s2": "y, row 125 (series 's2'): expected a finite number, received inf (1 such rows). "
        "Write NaN or null where a value is missing.",
    }
    good = tiny().fit(df[df["unique_id"].isin(["s0", "s3"])])
    pd.testing.assert_frame_equal(forecaster.predict(), good.predict())
    forecaster.save(tmp_path / "m")
    loaded = Forecaster.load(tmp_path / "m")
    assert {name: str(error) for name, error in loaded.skipped_series_.items()} == skipped
    with pytest.warns(
        SeqcastWarning, match=r"df: skipped 2 series; the first: y, row 125 \(series 's2'\)"
    ):
        loaded.predict(df=df)


def test_series_that_are_too_short_are_bad_ones_where_gaps_may_not_be():
    df = waves(series=3).drop(index=range(70, 120)).reset_index(drop=True)
    rejected(DataError, "context_length and horizon", tiny(missing="raise").fit, df)
    forecaster = tiny(on_bad_series="skip", missing="raise").fit(df)
    assert list(forecaster.skipped_series_) == ["s1"]
    assert forecaster.series_state_.ids == ("s0", "s2")


def test_a_context_beyond_the_data_is_said():
    message = r"context_length 100 and horizon 4 are more than the 60 rows of the longest"
    with pytest.warns(SeqcastWarning, match=message):
        tiny(context_length=100).fit(waves())


# ---------------------------------------------------------------- forms


def test_a_series_is_forecast_as_one():
    long = waves(series=1)
    expected = tiny().fit(long).predict()
    series = long.set_index("ds")["y"].rename("sales")
    forecaster = tiny().fit(series)
    forecast = forecaster.predict()
    assert forecaster.series_state_.ids == ("sales",)
    assert forecast.index.tolist() == expected["ds"].tolist()
    np.testing.assert_array_equal(forecast[VALUES], expected[VALUES])
    pd.testing.assert_frame_equal(
        forecaster.predict(df=series.iloc[-12:].rename("other")), forecast
    )
    periods = tiny().fit(series.to_period("D")).predict()
    assert isinstance(periods.index, pd.PeriodIndex)
    alone = long.drop(columns="unique_id")
    single = tiny().fit(alone)
    assert list(single.predict().columns) == ["ds", *VALUES]
    backtest = single.backtest(alone, n_windows=2)
    assert list(backtest.columns)[:4] == ["ds", "cutoff", "step", "y"]
    assert evaluate(backtest)["seqcast"].notna().all()


def test_a_description_says_what_fit_would_do_without_doing_it():
    df = waves()
    brief = {"epochs": 1, "steps_per_epoch": 1}
    forecaster = tiny(
        preset="auto", scale="auto", context_length=None, calendar="auto", training=brief
    )
    found = forecaster.describe(df)
    assert not hasattr(forecaster, "engines_")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeqcastWarning)
        forecaster.fit(df)
    length = forecaster.context_length_
    scale = forecaster.series_state_.scale
    expected = {
        "context": f"{length} steps",
        "scale": f"{scale} (chosen)",
        "support": "real (seen)",
    }
    assert {name: found.settings[name] for name in expected} == expected
    assert [facts.rows for facts in found.data.series] == [60, 60]
    text = str(found)
    assert text.startswith("2 series, 60 rows, 120 in all")
    assert f"context        {length} steps" in text
    assert found.to_dict()["fit"]["windows"] > 0


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("value", "row"), [(2.0**64 - 1, 3), (-(2.0**63), 30), (1e20, 59), (1.7e38, 30)]
)
def test_a_value_that_rounds_all_others_away_is_rejected_with_its_row(value, row):
    usual = waves()
    df = usual.assign(y=usual["y"].where(usual.index != row, value))
    words = rf"y, row {row} \(series 's0'\): expected a value so small that the usual ones .* not rounded away"
    model = Forecaster(4, preset="pretrained", verbose=0)
    rejected(DataError, words, model.fit, df)
    model.fit(usual)
    rejected(DataError, words, model.predict, df=df)


@pytest.mark.parametrize(
    "change", [lambda y: y * 1e20, lambda y: y.where(y.index % 9 > 0, 0.0) * 1e-18, lambda y: y]
)
def test_sizes_of_any_kind_are_no_outliers(change):
    """Neither large ones, nor rounding near zero beside what is usual."""
    df = waves()
    df["y"] = change(df["y"])
    df.loc[df.index % 7 == 0, "y"] *= 1e-30
    assert np.isfinite(
        Forecaster(4, preset="pretrained", verbose=0).fit(df).predict()["seqcast"]
    ).all()


@pytest.mark.parametrize("value", [1e151, -1e308])
def test_values_whose_squares_no_double_holds_are_rejected(value):
    df = waves()
    df.loc[7, "y"] = value
    rejected(
        DataError, r"y, row 7 \(series 's0'\): expected a number up to 1e\+150", tiny().fit, df
    )


@pytest.mark.parametrize(
    "options", [{}, {"preset": "pretrained"}, {"preset": "pretrained", "calibrate": True}]
)
@pytest.mark.parametrize("level", [1e12, 1e15])
def test_forecasts_at_a_high_level_are_those_of_the_swings(level, options):
    """Values near 1e15 are an eighth from one another; logarithms of them would be eight from one another."""
    days = pd.date_range("2024-01-01", periods=120)
    swings = np.round(3 * np.sin(2 * np.pi * np.arange(127) / 7) * 8) / 8
    df = pd.DataFrame({"unique_id": "a", "ds": days, "y": swings[:120] + level})
    forecast = Forecaster(7, verbose=0, level=(80,), **options).fit(df).predict()
    for column in ("seqcast", "seqcast-lo-80", "seqcast-hi-80"):
        np.testing.assert_allclose(
            forecast[column] - level, swings[120:], rtol=0, atol=1.5, err_msg=column
        )
