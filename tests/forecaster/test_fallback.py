"""The network that repeats the last season, its intervals, and when a forecaster falls back on it."""

import copy
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast import Forecaster, NetworkSpec, TrainingSpec
from seqcast.data.series import InMemoryStore, SeriesScaler
from seqcast.data.windows import Origins, WindowReader
from seqcast.errors import DataError, SpecError
from seqcast.forecaster import FallbackWarning, estimator
from seqcast.forecaster.blend import Blend
from seqcast.forecaster.candidates.last_season import FittedLastSeason, naive_calibrations
from seqcast.intervals import ForecastRequest
from tests.rejections import rejected

from . import panels

ONE_STEP = {"epochs": 1, "steps_per_epoch": 1, "learning_rate": 1e-9}
BOUNDS = ["seqcast-lo-99", "seqcast-lo-80", "seqcast", "seqcast-hi-80", "seqcast-hi-99"]


def seasonal(rows=140, series=2):
    """Return series of which the next week is the last one, each day moved by itself: nothing else tells more of it."""
    rng = np.random.default_rng(5)
    tables = []
    for place in range(series):
        y = (
            place
            + (rng.normal(size=7) * 3 + 0.3 * np.cumsum(rng.normal(size=(200, 7)), axis=0)).ravel()[
                :rows
            ]
        )
        days = pd.date_range("2024-01-01", periods=rows)
        tables.append(pd.DataFrame({"unique_id": f"s{place}", "ds": days, "y": y}))
    return pd.concat(tables, ignore_index=True)


def untrained(**options):
    """Return a forecaster whose candidates are the last season and a network that has learned nothing.

    The pretrained network, which would have a share, does not go so far as a level of 99.
    """
    return Forecaster(
        7, **{"training": ONE_STEP, "level": (80, 99), "random_state": 0, "verbose": 0, **options}
    )


@pytest.fixture(scope="module")
def fallen():
    because = r"repeat the last season of 7, because on the validation rows it erred least"
    with pytest.warns(FallbackWarning, match=because):
        return untrained().fit(seasonal())


def reader_of(values, **options):
    """Return the unscaled reader of series that are lists of rows, `[rows, D]` each."""
    store = InMemoryStore.of(
        {place: np.asarray(rows, dtype=float) for place, rows in enumerate(values)}
    )
    unscaled = SeriesScaler(
        np.zeros((len(values), store.width)), np.ones((len(values), store.width))
    )
    return WindowReader(store, None, unscaled, **options)


@pytest.mark.parametrize(("season", "context"), [(4, 9), (1, 9), (4, 3)])
@pytest.mark.parametrize("horizon", [3, 11])
def test_it_repeats_the_last_season_or_the_last_value(season, context, horizon):
    rows = np.random.default_rng(0).normal(size=(5, context, 2))
    m = season if season <= context else 1
    if m > 1:  # of a phase whose last value is missing, the one before
        rows[0, -2, 0] = np.nan
    origins = Origins.at_rows(np.arange(5), np.full(5, context), horizon)
    reader = reader_of(rows, context_length=context)
    forecast = Blend([FittedLastSeason(season)], [1.0]).forecast(reader, origins, ForecastRequest())
    expected = np.stack([rows[:, context - m + t % m] for t in range(horizon)], axis=1)
    before = rows[0, -2 - m, 0]
    np.testing.assert_allclose(
        forecast[..., 0], np.where(np.isnan(expected), before, expected), atol=1e-5
    )


LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(LENGTHS, st.integers(1, 4), st.integers(1, 9), st.integers(0, 99))
def test_intervals_are_those_of_plain_loops(lengths, season, horizon, seed):
    rng = np.random.default_rng(seed)
    known = []
    series = [
        np.where(rng.random(length) < 0.1, np.nan, rng.normal(size=length)) for length in lengths
    ]
    for own in series:
        known += [abs(own[t] - own[t - season]) for t in range(season, len(own))]
    known = [each for each in known if not np.isnan(each)]
    reader = reader_of([own[:, None] for own in series], context_length=1)
    options = {"season_length": season, "horizon": horizon, "level": (50, 90)}
    if not known:
        rejected(
            DataError,
            f"a value and another one {season} steps before it",
            naive_calibrations,
            reader,
            **options,
        )
        return
    (made,) = naive_calibrations(reader, **options)
    for step in range(horizon):
        expected = np.quantile(known, [0.5, 0.9]) * np.sqrt(step // season + 1)
        np.testing.assert_allclose(made.widths[step], expected)


def test_a_network_that_is_worse_is_not_used(fallen):
    forecast = fallen.predict(16)
    for name, own in seasonal().groupby("unique_id"):
        week = own["y"].to_numpy()[-7:]
        mine = forecast[forecast["unique_id"] == name]
        np.testing.assert_allclose(mine["seqcast"], np.tile(week, 3)[:16], rtol=1e-5)
    bounds = forecast[BOUNDS].to_numpy()
    assert (np.diff(bounds, axis=1) > 0).all()
    width = (forecast["seqcast-hi-80"] - forecast["seqcast-lo-80"]).to_numpy()[:16]
    assert width[0] == pytest.approx(width[6], rel=1e-3)
    assert width[13] == pytest.approx(
        width[0] * np.sqrt(2), rel=1e-3
    )  # past the horizon as a random walk's
    assert "val_loss" in fallen.history_  # of the network that was tried


def test_it_is_saved_and_updated_like_any_other(fallen, tmp_path):
    fallen.save(tmp_path / "file.seqcast")
    loaded = Forecaster.load(tmp_path / "file.seqcast")
    pd.testing.assert_frame_equal(loaded.predict(), fallen.predict())
    later = seasonal(147).groupby("unique_id").tail(7)
    loaded.update(later)
    np.testing.assert_allclose(loaded.predict()["seqcast"], later["y"], rtol=1e-5)
    refitted = loaded.refit(
        seasonal(rows=120)
    )  # the choice stays: nothing is compared, nothing is said
    assert refitted.engines_ == ()
    np.testing.assert_allclose(
        refitted.predict()["seqcast"][:7], seasonal(rows=120)["y"][113:120], rtol=1e-5
    )


def test_what_needs_a_network_is_rejected(fallen):
    for word, rows in (
        ("finetune", (seasonal(),)),
        ("encode", ()),
        ("attention", ()),
        ("model_inputs", ()),
    ):
        with pytest.raises(
            SpecError,
            match="received one that repeats the last season, because no network was better",
        ):
            getattr(fallen, word)(*rows)
    paths, forecast = (
        fallen.predict(samples=200),
        fallen.predict(level=80),
    )  # its intervals say how paths spread
    inside = paths.groupby(["unique_id", "ds"])["seqcast"].quantile([0.1, 0.9]).unstack()
    width = (forecast["seqcast-hi-80"] - forecast["seqcast-lo-80"]).to_numpy()
    np.testing.assert_allclose((inside[0.9] - inside[0.1]).to_numpy(), width, rtol=0.3)


def test_a_warm_start_after_it_begins_from_scratch(fallen):
    model = copy.deepcopy(fallen).set_params(preset="classic")
    assert len(model.fit(seasonal(), warm_start=True).engines_) == 1


def test_backtests_fall_back_too():
    with pytest.warns(FallbackWarning):
        table = untrained().backtest(seasonal(), n_windows=2)
    np.testing.assert_allclose(table["seqcast"], table["seasonal_naive"], rtol=1e-5)


@pytest.mark.tools
def test_a_report_of_it_can_be_written(fallen, tmp_path):
    with pytest.warns(FallbackWarning):
        fallen.report(tmp_path / "page.html", n_windows=1)
    assert "the last season (quantile loss on" in (tmp_path / "page.html").read_text()


def test_too_few_rows_to_judge_a_network_by():
    df = seasonal(rows=12, series=1)
    with pytest.warns(
        FallbackWarning,
        match="there are no validation rows to evaluate a network on: give at least 21",
    ):
        forecast = untrained(season_length=2).fit(df).predict()
    np.testing.assert_allclose(
        forecast["seqcast"], np.tile(df["y"].to_numpy()[-2:], 4)[:7], rtol=1e-5
    )


class Rejecting(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise AssertionError("a network is trained")


@pytest.mark.parametrize("level", [80, (80, 99)])
@pytest.mark.filterwarnings("ignore::seqcast.forecaster.candidates.last_season.FallbackWarning")
def test_nothing_is_trained_that_nothing_could_judge(level):
    model = untrained(effort="balanced", level=level).fit(
        seasonal(rows=17), callbacks=[Rejecting()]
    )
    assert model.engines_ == ()
    assert len(model.predict()) == 14
    with pytest.raises(AssertionError, match="a network is trained"):
        untrained(effort="balanced", level=level).fit(seasonal(rows=40), callbacks=[Rejecting()])


@pytest.mark.parametrize("limit", [{"time_limit": "1 min"}, {"checkpoint": "states"}, {}])
def test_a_backtest_trains_where_a_fit_does(tmp_path, monkeypatch, limit):
    def fits_at(_, options, *__):
        raise ArithmeticError(options.decided(280).effort)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimator, "fits_at", fits_at)
    effort = "balanced" if limit else "quick"
    rejected(ArithmeticError, effort, Forecaster(7, random_state=0).backtest, seasonal(), **limit)


UNVALIDATED = {**ONE_STEP, "validation_fraction": 0}
WITHOUT = [
    {"preset": "segment"},
    {"preset": NetworkSpec(normalise="last")},
    {"training": UNVALIDATED},
]


@pytest.mark.parametrize("options", WITHOUT)
def test_what_is_named_is_used(options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = untrained(**options).fit(seasonal())
    assert len(model.engines_) == 1


def unknown_metric(y, forecast):
    """Return a number for each window; Keras has it not by name."""
    return keras.ops.mean(forecast, axis=-1)


@pytest.mark.parametrize("given", [dict, TrainingSpec])
def test_a_function_that_no_file_can_hold_is_rejected_where_no_network_is_left(given, tmp_path):
    with pytest.warns(FallbackWarning):
        model = untrained(training=given(**ONE_STEP, metrics=[unknown_metric])).fit(seasonal())
    assert model.engines_ == ()
    with pytest.raises(
        SpecError, match="training or preset: expected options that can be written to a file"
    ):
        model.save(tmp_path / "model")


def test_networks_that_are_better_are_used():
    df = panels.waves("a", 280, noise=1.0)  # naive doubles the noise
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = untrained(training={"epochs": 8}).fit(df)
    assert model.engines_
    assert model.choice_.shares.get("seasonal_naive", 0) < 0.2
    assert model.choice_.losses["blend"] < 0.85 * model.choice_.losses["seasonal_naive"]
