"""Scores agree with utilsforecast's and with plain NumPy, for both kinds of frame, by every key."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from utilsforecast import losses
from utilsforecast.evaluation import evaluate as utils_evaluate

from seqcast.errors import DataError, SpecError
from seqcast.evaluation import METRICS, count_steps, evaluate, leaderboard
from seqcast.evaluation.backtest_frames import Backtest
from seqcast.evaluation.scores import Scorer, naive_scale
from seqcast.specs.columns import Columns
from tests.rejections import rejected, rejections

MODELS = ["good", "seasonal_naive"]
POINT = [name for name, metric in METRICS.items() if metric.of == "point"]
KINDS = ["pandas", "polars"]
# Below 0.2.12 it groups by series alone, and lacks two losses.
needs_newer = pytest.mark.skipif(
    not hasattr(losses, "nd"), reason="utilsforecast of autogluon.timeseries"
)


def value(frame, metric, model="good"):
    frame = frame if isinstance(frame, pd.DataFrame) else frame.to_pandas()
    (found,) = frame.loc[frame["metric"] == metric, model]
    return found


# ---------------------------------------------------------------- against utilsforecast and NumPy


@needs_newer
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", POINT)
def test_point_metrics_are_utilsforecasts(make_backtest, metric, kind):
    history, backtest = make_backtest(kind=kind)
    made = evaluate(
        backtest, [metric], train_df=history, season_length=7, by=["unique_id", "cutoff"]
    )
    assert type(made) is type(backtest)
    scaled = {"seasonality": 7, "train_df": history} if metric in ("mase", "msse", "rmsse") else {}
    expected = getattr(losses, metric)(backtest, models=MODELS, **scaled)
    if kind == "polars":
        made = made.to_pandas()
        expected = expected.to_pandas()
    both = made.merge(expected, on=["unique_id", "cutoff"], suffixes=("", "_expected"))
    assert len(both) == len(made) == 6
    np.testing.assert_allclose(
        both[MODELS], both[[f"{model}_expected" for model in MODELS]], rtol=1e-9
    )


@pytest.mark.parametrize("metric", ["nd", "winkler_score"])
def test_a_loss_that_an_older_utilsforecast_lacks_is_named(make_backtest, monkeypatch, metric):
    monkeypatch.delattr(losses, metric, raising=False)
    _, backtest = make_backtest()
    words = (
        f"metrics: expected a loss of the installed utilsforecast, received {metric}. pip install"
    )
    rejected(SpecError, words, evaluate, backtest, [metric])
    assert len(evaluate(backtest, ["mae"])) == 1


@needs_newer
@pytest.mark.parametrize("kind", KINDS)
def test_interval_metrics_are_utilsforecasts(make_backtest, kind):
    _, backtest = make_backtest(kind=kind)
    names = ["coverage", "winkler_score", "quantile_loss", "mqloss", "scaled_crps"]
    made = evaluate(backtest, names, models=["good"], by="unique_id")
    functions = [getattr(losses, name) for name in names]
    expected = utils_evaluate(backtest, functions, models=["good"], level=[80, 95])
    if kind == "polars":
        made = made.to_pandas()
        expected = expected.to_pandas()
    # utilsforecast writes quantiles in full: 0.09999999999999998.
    expected["metric"] = [
        f"{name[: name.index('_q0')]}_q{float(name.split('_q')[-1]):g}" if "_q0" in name else name
        for name in expected["metric"]
    ]
    expected = expected.groupby(["unique_id", "metric"])["good"].mean()
    found = made.set_index(["unique_id", "metric"])["good"]
    assert set(found.index) == set(expected.index)
    np.testing.assert_allclose(found[expected.index], expected, rtol=1e-9)


def test_scaled_interval_metrics(make_backtest):
    history, backtest = make_backtest(series=1, cutoffs=1)
    scaled = evaluate(
        backtest, ["scaled_mqloss", "scaled_quantile_loss"], train_df=history, season_length=7
    )
    plain = evaluate(backtest, ["mqloss", "quantile_loss"])
    known = history["y"].to_numpy()[:56]
    unit = np.abs(known[7:] - known[:-7]).mean()
    np.testing.assert_allclose(scaled["good"], plain["good"] / unit)


def plain_scale(history, row, season_length, scale):
    """The definition in a plain loop: over the rows up to the cutoff whose value and last season's are both known."""
    rows = history[(history["unique_id"] == row["unique_id"]) & (history["ds"] <= row["cutoff"])]
    known = rows.sort_values("ds")["y"]
    pairs = zip(known[season_length:], known[:-season_length], strict=True)
    errors = [abs(later - earlier) for later, earlier in pairs if not np.isnan(later - earlier)]
    if not errors or max(errors) == 0:
        return np.nan
    return np.mean(errors) if scale == "mase" else np.sqrt(np.mean(np.square(errors)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", ["mase", "rmsse"])
def test_scales_of_gaps_flat_and_short_series(make_backtest, scale, kind):
    history, backtest = make_backtest(series=5, cutoffs=4)
    history.loc[::7, "y"] = np.nan
    history.loc[history["unique_id"] == "s01", "y"] = 3.0
    history = history[
        (history["unique_id"] != "s02") | (history["ds"] >= "2024-02-25")
    ]  # five rows: no season
    history = history[
        (history["unique_id"] != "s03") | (history["ds"] >= "2024-02-20")
    ]  # no row up to two cutoffs
    history = history.sample(frac=1, random_state=0)
    expected = [plain_scale(history, row, 7, scale) for _, row in backtest.iterrows()]
    if kind == "polars":
        history = pl.from_pandas(history)
        backtest = pl.from_pandas(backtest)
    made = naive_scale(Backtest(backtest), history, 7, scale)
    assert 0 < np.isnan(made).sum() < len(made)
    np.testing.assert_allclose(made, expected, rtol=1e-12)
    # Series without a scale have no score, and are left out of the mean.
    options = {"train_df": history, "season_length": 7}
    alone = np.asarray(evaluate(backtest, scale, by="unique_id", **options)["good"], dtype=float)
    assert np.isnan(alone).any()
    assert evaluate(backtest, scale, **options)["good"][0] == pytest.approx(np.nanmean(alone))


def test_average_is_over_steps_then_cutoffs_then_series():
    df = pd.DataFrame(
        {"unique_id": list("aaab"), "cutoff": [0, 0, 1, 0], "ds": [1, 2, 2, 1], "y": 0.0}
    )
    df = df.assign(model=[1.0, 3.0, 4.0, 7.0])
    assert value(evaluate(df, "mae"), "mae", "model") == ((1 + 3) / 2 + 4) / 2 / 2 + 7 / 2
    assert value(evaluate(df, "rmse"), "rmse", "model") == pytest.approx(
        (np.sqrt(5) + 4) / 2 / 2 + 7 / 2
    )


def test_by_step_a_root_is_taken_over_cutoffs():
    df = pd.DataFrame({"unique_id": "a", "cutoff": [0, 0, 1, 1], "ds": [1, 2, 2, 3], "y": 0.0})
    df = df.assign(model=[3.0, 1.0, 4.0, 1.0])
    made = evaluate(df, ["rmse"], by="step")
    assert made["step"].tolist() == [1, 2]
    np.testing.assert_allclose(made["model"], [np.sqrt((9 + 16) / 2), 1.0])
    train = pd.DataFrame({"unique_id": "a", "ds": [-2, -1, 0, 1], "y": [0.0, 1.0, 2.0, 5.0]})
    made = evaluate(df, ["rmsse"], train_df=train, season_length=1, by="step")
    units = [1.0, (1 + 1 + 9) / 3]
    np.testing.assert_allclose(
        made["model"], [np.sqrt((9 / units[0] + 16 / units[1]) / 2), np.sqrt((1 + 3 / 11) / 2)]
    )


KEYS = [((), 1), ("unique_id", 2), (("cutoff",), 3), ("step", 4), (("step", "unique_id"), 8)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("by", "rows"), KEYS)
def test_rows_by_key(make_backtest, by, rows, kind):
    _, backtest = make_backtest(kind=kind)
    made = evaluate(backtest, ["mae", "coverage"], by=by)
    keys = [by] if isinstance(by, str) else list(by)
    assert list(made.columns) == [*keys, "metric", *MODELS]
    assert len(made) == 3 * rows
    for key in keys:
        assert key == "step" or made[key].dtype == backtest[key].dtype


def test_order_of_rows_and_names_do_not_matter(make_backtest):
    history, backtest = make_backtest(gaps=True)
    expected = evaluate(backtest, train_df=history)
    mixed = backtest.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        evaluate(mixed, train_df=history.sample(frac=1, random_state=1)), expected
    )
    names = {"unique_id": "shop", "ds": "day", "y": "sales"}
    columns = Columns("shop", "day", "sales")
    renamed = evaluate(
        backtest.rename(columns=names), train_df=history.rename(columns=names), columns=columns
    )
    pd.testing.assert_frame_equal(renamed, expected)
    assert (
        "shop"
        in evaluate(backtest.rename(columns=names), "mae", by="shop", columns=columns).columns
    )


@pytest.mark.parametrize("kind", KINDS)
def test_missing_truth_is_left_out(make_backtest, kind):
    history, backtest = make_backtest(gaps=True, kind=kind)
    known = backtest.dropna() if kind == "pandas" else backtest.filter(pl.col("y").is_not_nan())
    if kind == "polars":
        backtest = backtest.with_columns(pl.col("y").fill_nan(None))
    for by in ((), "unique_id", "cutoff"):
        left = evaluate(backtest, train_df=history, by=by)
        right = evaluate(known, train_df=history, by=by)
        assert left.equals(right)


def test_steps_count_rows_without_truth():
    df = pd.DataFrame(
        {
            "unique_id": "a",
            "cutoff": 0,
            "ds": [1, 2, 3],
            "y": [0.0, np.nan, 0.0],
            "model": [1.0, 2, 3],
        }
    )
    for frame in (df, df.drop(index=1), count_steps(df.drop(index=1), 1)):
        assert evaluate(frame, "mae", by="step")["step"].tolist() == [1, 3]


def test_targets_are_series_of_their_own():
    df = pd.DataFrame(
        {"unique_id": "a", "target": ["p", "p", "q", "q"], "ds": [1, 2, 1, 2], "y": 0.0}
    )
    df = df.assign(model=[1.0, 1.0, 5.0, 5.0])
    assert evaluate(df, "mae")["model"].item() == 3.0
    assert evaluate(df, "mae", by="target")["model"].tolist() == [1.0, 5.0]
    train = pd.DataFrame(
        {"unique_id": "a", "target": list("ppqq"), "ds": [-1, 0, -1, 0], "y": [0.0, 1.0, 0.0, 10.0]}
    )
    made = evaluate(df, "mase", train_df=train, season_length=1, by="target")
    assert made["model"].tolist() == [1.0, 0.5]


def test_values_may_be_called_target(make_backtest):
    history, backtest = make_backtest()
    renamed = {"y": "target"}
    columns = Columns(y="target")
    past = history.rename(columns=renamed)
    windows = backtest.rename(columns=renamed)
    found = evaluate(windows, train_df=past, columns=columns)
    pd.testing.assert_frame_equal(found, evaluate(backtest, train_df=history))
    ranked = leaderboard(windows, train_df=past, columns=columns)
    pd.testing.assert_frame_equal(ranked, leaderboard(backtest, train_df=history))


def test_metrics_of_one_name_are_rejected(make_backtest):
    _, backtest = make_backtest()
    message = (
        "metrics: expected different names, received 'mae' twice. Give each function a __name__"
    )
    rejected(SpecError, message, evaluate, backtest, ["mae", "rmse", "mae"])


def test_what_is_asked_for_by_default(make_backtest):
    history, backtest = make_backtest()
    assert list(evaluate(backtest[["unique_id", "ds", "cutoff", "y", "good"]])["metric"]) == [
        "mae",
        "rmse",
        "smape",
    ]
    made = evaluate(backtest, train_df=history)
    assert list(made["metric"])[3:] == [
        "mase",
        "scaled_crps",
        "coverage_level80",
        "coverage_level95",
    ]
    assert made["seasonal_naive"].isna().tolist() == [False] * 4 + [True] * 3  # it has no intervals
    irregular = history.iloc[[0, 1, 5, 6, 20]]
    part = backtest[backtest["unique_id"] == "s00"]
    assert "mase" not in list(evaluate(part, train_df=irregular)["metric"])
    # The season is that of the frequency.
    season = [
        evaluate(backtest, ["mase"], train_df=history, season_length=length)
        for length in (None, 7, 1)
    ]
    assert value(season[0], "mase") == value(season[1], "mase") != value(season[2], "mase")


@needs_newer
@pytest.mark.parametrize("by", ["unique_id", "step"])
def test_windows_whose_truth_is_all_zero_have_no_score_over_its_size(make_backtest, by):
    _, backtest = make_backtest()
    names = ["nd", "scaled_crps", "mae"]
    whole = evaluate(backtest, names, by=by)
    first_steps = backtest.groupby(["unique_id", "cutoff"]).cumcount() == 0
    quiet = backtest["unique_id"] == "s00" if by == "unique_id" else first_steps
    zeros = evaluate(backtest.assign(y=backtest["y"].where(~quiet, 0.0)), names, by=by)
    first = zeros[by] == zeros[by].iloc[0]
    assert zeros.loc[first & (zeros["metric"] != "mae"), "good"].isna().all()
    assert zeros.loc[first & (zeros["metric"] == "mae"), "good"].notna().all()
    pd.testing.assert_frame_equal(zeros[~first], whole[~first])


@needs_newer
@pytest.mark.parametrize("size", [1e-12, 1e12])
def test_scaled_scores_have_no_unit(make_backtest, size):
    history, backtest = make_backtest()
    numbers = [name for name in backtest.columns if name not in ("unique_id", "ds", "cutoff")]
    names = ["mase", "rmsse", "smape", "nd", "scaled_crps"]
    made = evaluate(
        backtest.assign(**backtest[numbers] * size),
        names,
        train_df=history.assign(y=history["y"] * size),
    )
    expected = evaluate(backtest, names, train_df=history)
    np.testing.assert_allclose(made[MODELS], expected[MODELS], rtol=1e-3 if size < 1 else 1e-9)


def test_levels_are_matched_as_numbers(make_backtest):
    _, backtest = make_backtest()
    renamed = backtest.rename(columns=lambda name: name.replace("-80", "-80.0"))
    pd.testing.assert_frame_equal(evaluate(renamed, "coverage"), evaluate(backtest, "coverage"))
    assert list(evaluate(backtest, "coverage", level=95)["metric"]) == ["coverage_level95"]
    half = backtest.rename(columns=lambda name: name.replace("-80", "-99.5"))
    assert list(evaluate(half, ["coverage"], level=[99.5])["metric"]) == ["coverage_level99.5"]


def test_functions(make_backtest):
    _, backtest = make_backtest()
    pd.testing.assert_frame_equal(evaluate(backtest, [losses.mae]), evaluate(backtest, ["mae"]))


def test_many_zones_and_kinds_of_keys(make_backtest):
    history, backtest = make_backtest()
    for zone in ("America/New_York", "Europe/Berlin"):
        zoned = backtest.assign(
            **{name: backtest[name].dt.tz_localize(zone) for name in ("ds", "cutoff")}
        )
        past = history.assign(ds=history["ds"].dt.tz_localize(zone))
        for df, train in ((zoned, past), map(pl.from_pandas, (zoned, past))):
            made = evaluate(df, ["mase"], train_df=train, by="cutoff")
            assert list(made["good"]) == list(
                evaluate(backtest, ["mase"], train_df=history, by="cutoff")["good"]
            )
            assert made["cutoff"].dtype == df["cutoff"].dtype
    named = backtest.assign(unique_id=backtest["unique_id"].astype("category"))
    assert evaluate(named, "mae", by="unique_id")["unique_id"].dtype == "category"
    dates = pl.from_pandas(backtest).with_columns(pl.col("ds", "cutoff").cast(pl.Date))
    assert evaluate(dates, "mae", by="cutoff")["cutoff"].dtype == pl.Date
    for kind in ("date", "datetime64[ns]", object):
        change = (
            (lambda stamps: stamps.dt.date)
            if kind == "date"
            else (lambda stamps, kind=kind: stamps.astype(kind))
        )
        other = backtest.assign(**{name: change(backtest[name]) for name in ("ds", "cutoff")})
        scores = [evaluate(df, "mae", by="cutoff")["good"] for df in (other, backtest)]
        pd.testing.assert_series_equal(*scores)


def test_infinite_forecasts_are_infinitely_wrong(make_backtest):
    _, backtest = make_backtest()
    backtest.loc[3, "good"] = np.inf
    assert value(evaluate(backtest, ["mae"]), "mae") == np.inf


# ---------------------------------------------------------------- leaderboards


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_comes_first(make_backtest, kind):
    history, backtest = make_backtest(series=5, kind=kind, gaps=True)
    made = leaderboard(backtest, train_df=history)
    assert type(made) is type(backtest)
    assert list(made.columns) == [
        "model", "mae", "rmse", "smape", "mase", "scaled_crps", "coverage_level80", "coverage_level95",
        "relative_mae", "series", "points",
    ]  # fmt: skip
    assert list(made["model"]) == ["good", "seasonal_naive"]
    assert made["mae"][0] < made["mae"][1]
    assert list(made["series"]) == [5, 5]
    assert list(made["points"]) == [48, 48]
    scores = evaluate(backtest, train_df=history)
    for place, metric in enumerate(scores["metric"]):
        assert made[metric][0] == scores["good"][place]


def test_relative_scores_are_geometric_means_over_series():
    df = pd.DataFrame({"unique_id": list("abcd"), "ds": 1, "y": 0.0})
    df = df.assign(naive=[1.0, 100.0, 0.0, 0.0], model=[2.0, 50.0, 0.0, 3.0])
    made = leaderboard(df, ["mae"], baseline="naive")
    relative = dict(zip(made["model"], made["relative_mae"], strict=True))
    assert relative["naive"] == 1.0
    assert relative["model"] == pytest.approx(
        (2 * 0.5 * 1 * 100) ** 0.25
    )  # a zero over a zero is one; at most 100
    scaled = df.assign(**{name: df[name] * [1, 1000, 1, 1] for name in ("naive", "model")})
    again = leaderboard(scaled, ["mae"], baseline="naive").set_index("model")["relative_mae"]
    assert again["model"] == pytest.approx(relative["model"])


def test_what_ranks():
    df = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": 0.0, "steady": 2.0, "wild": [0.0, 3.0]})
    assert list(leaderboard(df, ["mae", "mse"])["model"]) == ["wild", "steady"]
    made = leaderboard(df, ["mae", "mse"], sort_by="mse", baseline="steady")
    assert list(made["model"]) == ["steady", "wild"]
    assert list(made.columns) == ["model", "mae", "mse", "relative_mse", "series", "points"]
    assert "relative_mae" not in leaderboard(df, ["mae"]).columns


def test_a_model_without_a_score_comes_last(make_backtest):
    _, backtest = make_backtest()
    made = leaderboard(
        backtest[[*backtest.columns[:4], "seasonal_naive", *backtest.columns[4:-1]]],
        ["scaled_crps"],
    )
    assert list(made["model"]) == ["good", "seasonal_naive"]
    assert np.isnan(made["scaled_crps"][1])
    assert np.isnan(made["relative_scaled_crps"]).all()


# ---------------------------------------------------------------- what is rejected

PLAIN = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [1.0, 2.0], "model": [1.0, 2.0]})
TRAIN = pd.DataFrame({"unique_id": "a", "ds": [-1, 0], "y": [1.0, 2.0]})


def mase(season_length=1, **changes):
    return lambda: evaluate(
        PLAIN, ["mase"], train_df=TRAIN.assign(**changes), season_length=season_length
    )


WRONG = {
    "metric": (
        lambda: evaluate(PLAIN, ["maee"]),
        SpecError,
        "metrics: expected one of 'bias', .*Did you mean 'mae'",
    ),
    "no metric": (lambda: evaluate(PLAIN, []), SpecError, "metrics: expected at least one"),
    "no train": (
        lambda: evaluate(PLAIN, ["mase"]),
        DataError,
        "train_df: expected the training rows, which 'mase'",
    ),
    "no model": (
        lambda: evaluate(PLAIN.drop(columns="model")),
        DataError,
        "df: expected a column of forecasts",
    ),
    "model": (lambda: evaluate(PLAIN, models=["modle"]), SpecError, "Did you mean 'model'"),
    "key": (
        lambda: evaluate(PLAIN, by="cutof"),
        SpecError,
        "by: expected one of 'unique_id', 'step'",
    ),
    "levels": (
        lambda: evaluate(PLAIN, ["coverage"]),
        DataError,
        "df: expected intervals.*model-lo-80",
    ),
    "level": (
        lambda: evaluate(PLAIN, level=90),
        SpecError,
        "level: expected no level, since 'model' has no intervals",
    ),
    "truth": (
        lambda: evaluate(PLAIN.assign(y=np.nan)),
        DataError,
        "df: expected rows whose truth is known",
    ),
    "stamps": (
        lambda: evaluate(PLAIN.assign(ds="1"), by="step"),
        DataError,
        "df, ds: expected time stamps",
    ),
    "series": (
        mase(unique_id="b"),
        DataError,
        "train_df: expected rows of each series, such as 'a'",
    ),
    "constant": (
        mase(y=1.0),
        DataError,
        "train_df: expected rows before the cutoff that change over season_length=1",
    ),
    "season": (mase(season_length=0), SpecError, "season_length"),
    "baseline": (
        lambda: leaderboard(PLAIN, baseline="modle"),
        SpecError,
        "baseline: .*Did you mean 'model'",
    ),
    "score": (
        lambda: leaderboard(PLAIN, sort_by="mea"),
        SpecError,
        "sort_by: .*Did you mean 'mae'",
    ),
    "bias": (
        lambda: leaderboard(PLAIN, ["bias"]),
        SpecError,
        "sort_by: expected a score of which less is better",
    ),
}
test_wrong_calls = rejections(WRONG)


def test_missing_forecast_names_the_row_of_the_frame(make_backtest):
    _, backtest = make_backtest(gaps=True)
    backtest.loc[7, "good"] = np.nan
    with pytest.raises(DataError, match="df, good, row 7"):
        Scorer(backtest, ["mae"])


def test_a_missing_column_is_told_with_those_of_the_users_frame():
    rows = pd.DataFrame({"ds": [1, 2], "value": [1.0, 2.0], "model": [1.0, 4.0]})
    rejected(
        DataError,
        r"expected a column 'y', received the columns 'ds', 'value', 'model'\. Name",
        evaluate,
        rows,
    )
