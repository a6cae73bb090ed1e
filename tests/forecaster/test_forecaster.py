"""A forecaster of frames: its forecasts, what does not change them, new rows, backtests."""

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest

import seqcast
from seqcast import Forecaster
from seqcast.errors import DataError, SpecError
from seqcast.evaluation import evaluate
from seqcast.tables import Dialect
from tests.rejections import rejected

from . import panels
from .panels import COVARIATES, panel, tiny, waves

ROWS = waves("abc")


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(ROWS)


# ------------------------------------------------------------------ shape and stamps


def test_forecast_frame(fitted):
    made = fitted.predict()
    assert list(made.columns) == ["unique_id", "ds", "seqcast"]
    assert list(made["unique_id"]) == ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    assert list(made["ds"][:4]) == list(pd.date_range("2024-03-01", periods=4))
    assert np.isfinite(made["seqcast"]).all()
    assert "val_loss" in fitted.history_
    assert (fitted.freq_, fitted.season_length_, fitted.context_length_) == ("D", 7, 8)


def test_a_shorter_forecast_is_the_beginning_of_a_longer_one(fitted):
    long = fitted.predict(horizon=11)
    for horizon in (1, 4, 7):
        short = fitted.predict(horizon=horizon)
        kept = long.groupby("unique_id").head(horizon).reset_index(drop=True)
        pd.testing.assert_frame_equal(short, kept, atol=1e-6)


def test_logarithms_have_positive_forecasts_and_read_what_is_negative():
    model = tiny(scale="log").fit(ROWS.assign(y=ROWS["y"].abs()))
    made = model.predict(df=ROWS.assign(y=-ROWS["y"].abs()))["seqcast"]
    assert np.isfinite(made).all()
    assert (made >= 0).all()
    with pytest.raises(DataError, match=r"expected values >= 0, for scale='log', received"):
        tiny(scale="log").fit(ROWS.assign(y=ROWS["y"] - 5))


# ------------------------------------------------------------------ invariants


def test_order_of_rows_and_series_does_not_matter(fitted):
    mixed = ROWS.sample(frac=1, random_state=1).sort_values("ds", kind="stable")
    pd.testing.assert_frame_equal(tiny().fit(mixed).predict(), fitted.predict())
    some = fitted.predict(df=mixed[mixed["unique_id"] != "b"])
    whole = fitted.predict(df=ROWS)
    kept = whole[whole["unique_id"] != "b"].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, kept, atol=1e-6)


def test_polars_in_polars_out(fitted):
    df = pl.from_pandas(ROWS)
    model = tiny().fit(df)
    pd.testing.assert_frame_equal(model.predict().to_pandas(), fitted.predict(), check_dtype=False)
    for frame in (model.predict(), fitted.predict(df=df), tiny().backtest(df)):
        assert isinstance(frame, pl.DataFrame)


def test_scaling_and_shifting_series_scales_and_shifts_forecasts(fitted):
    factor = {"a": 3.0, "b": 0.01, "c": 1e6}
    shift = {"a": -7.0, "b": 5.0, "c": 1e7}
    moved = ROWS.assign(y=ROWS["y"] * ROWS["unique_id"].map(factor) + ROWS["unique_id"].map(shift))
    one = fitted.predict()
    two = tiny().fit(moved).predict()
    back = (two["seqcast"] - two["unique_id"].map(shift)) / two["unique_id"].map(factor)
    assert back.to_numpy() == pytest.approx(one["seqcast"].to_numpy(), abs=1e-4)


@pytest.mark.parametrize("align", ["time", "series"])
def test_no_leak(align):
    """Whatever comes after a cutoff changes nothing before it, but for what is known ahead."""
    df = panel(rows=60)
    rng = np.random.default_rng(5)
    names = ["seqcast", "seasonal_naive", "last_value"]
    made = tiny(**COVARIATES).backtest(df, n_windows=3, align=align)
    for known in sorted(made["cutoff"].unique())[:2]:
        wild = {
            name: df[name].where(df["ds"] <= known, 1e5 * rng.normal(size=len(df)))
            for name in ("y", "rain")
        }
        again = tiny(**COVARIATES).backtest(df.assign(**wild), n_windows=3, align=align)
        before = made["cutoff"] <= known
        np.testing.assert_array_equal(made[before][names], again[before][names])
        assert not np.allclose(made[~before]["seqcast"], again[~before]["seqcast"])


def test_statistics_come_from_training_rows_only(fitted):
    # Ten per cent of 60 rows are for validation.
    rows = ROWS[ROWS["unique_id"] == "a"]["y"].to_numpy()[:54]
    fitted.predict(df=ROWS.assign(y=ROWS["y"] * 100))
    assert fitted.series_state_.scaler.loc[0] == pytest.approx(rows.mean())
    assert fitted.series_state_.scaler.scale[0] == pytest.approx(rows.std())


# ------------------------------------------------------------------ new rows


def test_new_rows_of_known_series_join_the_old_ones(fitted):
    full = waves("abc", rows=66)
    whole = fitted.predict(df=full)
    fresh = fitted.predict(df=full[full["ds"] >= "2024-03-01"])
    pd.testing.assert_frame_equal(fresh, whole)
    assert str(fresh["ds"][0].date()) == "2024-03-07"
    assert not np.allclose(fresh["seqcast"], fitted.predict()["seqcast"])


def test_unknown_series_are_scaled_by_their_own_rows(fitted):
    known = waves("a")
    new = known.assign(unique_id="z", y=known["y"] * 1000 + 5)
    made = fitted.predict(df=pd.concat([known, new]))
    assert list(made["unique_id"].unique()) == ["a", "z"]
    z = made[made["unique_id"] == "z"].reset_index(drop=True)
    pd.testing.assert_frame_equal(fitted.predict(df=new), z)
    doubled = fitted.predict(df=pd.concat([known, new.assign(y=new["y"] * 2.0)]))[
        "seqcast"
    ].to_numpy()
    assert doubled[:4] == pytest.approx(made["seqcast"][:4].to_numpy(), abs=1e-6)
    assert doubled[4:] == pytest.approx(2 * z["seqcast"].to_numpy(), rel=1e-4)


WRONG_ROWS = [
    (
        lambda df: df[df["ds"].between("2024-01-20", "2024-01-24")],
        r"series 'a'.*at least 8 rows.*or rows.*2024-03-01",
    ),
    (
        lambda df: df.assign(unique_id=df["unique_id"] + "x")[df["ds"] >= "2024-02-25"],
        "series 'ax'.*at least 8",
    ),
    (
        lambda df: df.assign(unique_id=df["unique_id"].map(ord)),
        "unique_id: expected ids of type (str|object)",
    ),
    (
        lambda df: df.assign(ds=df["ds"].map(pd.Timestamp.toordinal)),
        "freq: expected a whole number",
    ),
    (
        lambda df: df.assign(ds=df["ds"].dt.tz_localize("UTC")),
        "ds: expected time stamps without a zone",
    ),
    (lambda df: df[::2], "ds, row 1 .*expected 2024-01-02"),
    (lambda df: df.drop(columns="y"), "expected a column 'y'"),
]


@pytest.fixture(scope="module")
def strict():
    return tiny(missing="raise").fit(ROWS)


@pytest.mark.parametrize(("change", "message"), WRONG_ROWS)
def test_wrong_new_rows(strict, change, message):
    rejected((DataError, SpecError), message, strict.predict, df=change(ROWS))


def test_short_series_are_named(monkeypatch):
    monkeypatch.setattr("seqcast.engine.engine.Engine.fit", lambda *_, **__: pytest.fail("trained"))
    df = pd.concat([ROWS, waves("s", rows=11)])
    rejected(
        DataError,
        r"series 's'\): expected at least 8 \+ 4 rows.*received 11 rows",
        tiny(missing="raise").fit,
        df,
    )
    late = df.assign(ds=df["ds"] + pd.Timedelta(days=49) * (df["unique_id"] == "s"))
    rejected(DataError, "up to the first cutoff", tiny(missing="raise").backtest, late, n_windows=4)


# ------------------------------------------------------------------ backtest


def test_backtest_table():
    model = tiny(alias="gru")
    made = model.backtest(ROWS, n_windows=2, step_size=3)
    assert not hasattr(model, "engine_")
    assert list(made.columns) == [
        "unique_id",
        "ds",
        "cutoff",
        "step",
        "y",
        "gru",
        "seasonal_naive",
        "last_value",
    ]
    assert len(made) == 3 * 2 * 4
    assert ((made["ds"] - made["cutoff"]).dt.days == np.tile([1, 2, 3, 4], 6)).all()
    values = ROWS.set_index(["unique_id", "ds"])["y"]
    for row in made.itertuples():
        assert row.y == values[row.unique_id, row.ds]
        assert row.last_value == values[row.unique_id, row.cutoff]
        assert row.seasonal_naive == values[row.unique_id, row.ds - pd.Timedelta(days=7)]
    first = made["cutoff"].min()
    trained = tiny(alias="gru").fit(ROWS[ROWS["ds"] <= first]).predict()
    np.testing.assert_array_equal(trained["gru"], made[made["cutoff"] == first]["gru"])


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def test_a_missing_truth_changes_no_step_of_a_backtest(convert):
    days = ROWS["ds"].dt.day
    gaps = ROWS.assign(y=ROWS["y"].where(days % 5 != 0))[days % 7 != 0].reset_index(drop=True)
    made = Forecaster(4, preset="pretrained", freq="D", verbose=0).backtest(
        convert(gaps), n_windows=2
    )
    made = made if isinstance(made, pd.DataFrame) else made.to_pandas()
    days_ahead = (made["ds"] - made["cutoff"]).dt.days
    assert made["step"].tolist() == days_ahead.tolist()
    assert len(made) < 3 * 2 * 4
    assert evaluate(made, "mae", by="step")["step"].tolist() == sorted(set(days_ahead))


def test_backtest_of_series_that_end_at_different_times():
    early = ROWS[
        (ROWS["unique_id"] != "a") | (ROWS["ds"] < "2024-02-27")
    ]  # two of the last four days are missing
    in_time = tiny().backtest(early, n_windows=2)
    assert in_time.groupby("unique_id").size().to_dict() == {"a": 5, "b": 8, "c": 8}
    assert set(in_time["cutoff"].dt.day) == {21, 25}
    own = tiny().backtest(early, n_windows=2, align="series")
    assert own.groupby("unique_id").size().to_dict() == {"a": 8, "b": 8, "c": 8}
    rejected(SpecError, "align", tiny().backtest, ROWS, align="ends")
    rejected(DataError, "n_windows", tiny().backtest, ROWS, n_windows=20)


def test_refits_are_fresh_clones_at_the_cutoffs():
    df = waves()
    once, always, second = (
        tiny().backtest(df, n_windows=3, refit=refit) for refit in (False, True, 2)
    )
    cutoffs = sorted(once["cutoff"].unique())

    def at(table, place):
        return table[table["cutoff"] == cutoffs[place]]["seqcast"].to_numpy()

    trained_at = [(once, (0, 0, 0)), (always, (0, 1, 2)), (second, (0, 0, 2))]
    for (one, ours), (two, theirs) in itertools.combinations(trained_at, 2):
        for place in range(3):
            same = np.array_equal(at(one, place), at(two, place))
            assert same == (ours[place] == theirs[place])
    last = tiny().fit(df[df["ds"] <= cutoffs[2]]).predict()
    np.testing.assert_array_equal(at(always, 2), last["seqcast"])


def test_an_interrupted_training_leaves_what_there_is(monkeypatch):
    def interrupt(self, *_, window, **__):
        self.build(window, steps=1)
        raise KeyboardInterrupt

    monkeypatch.setattr("seqcast.engine.engine.Engine.fit", interrupt)
    model = tiny()
    with pytest.raises(KeyboardInterrupt):
        model.fit(ROWS)
    assert model.history_.interrupted
    assert len(model.predict()) == 12


# ---------------------------------------------------------------- seqcast.forecast


AHEAD = 6
WEEK = 7


def sales():
    return panels.waves("a", 90, level=20.0, size=5.0, noise=1.0).drop(columns="unique_id")


@pytest.fixture(scope="module")
def ahead():
    return seqcast.forecast(sales(), AHEAD, verbose=0)


def test_a_frame_is_forecast_as_a_forecaster_does_it(ahead):
    model = seqcast.Forecaster(AHEAD, verbose=0).fit(sales())
    pd.testing.assert_frame_equal(ahead, model.predict())
    assert len(ahead) == AHEAD


def test_a_file_and_an_array_give_the_same_numbers(ahead, tmp_path):
    sales().to_csv(tmp_path / "sales.csv", index=False)
    from_file = seqcast.forecast(tmp_path / "sales.csv", AHEAD, verbose=0)
    np.testing.assert_allclose(from_file["seqcast"], ahead["seqcast"], rtol=1e-5)
    from_array = seqcast.forecast(sales()["y"].to_numpy(), AHEAD, season_length=WEEK, verbose=0)
    np.testing.assert_allclose(from_array["seqcast"], ahead["seqcast"], rtol=1e-5)
    assert from_array["ds"].tolist() == list(range(91, 91 + AHEAD))


def test_a_file_is_read_in_the_dialect_that_its_error_names(ahead, tmp_path):
    path = tmp_path / "sales.csv"
    marked = sales().astype({"y": object})
    marked.loc[5, "y"] = "out"
    marked.to_csv(path, index=False)
    names = r"read them as missing: dialect=Dialect\(missing_values=\('out',\)\)"
    rejected(DataError, names, seqcast.forecast, path, AHEAD)
    known = seqcast.forecast(path, AHEAD, dialect=Dialect(missing_values=("out",)), verbose=0)
    np.testing.assert_allclose(known["seqcast"], ahead["seqcast"], rtol=0.05)
    rejected(
        SpecError, "dialect: expected None", seqcast.forecast, sales(), AHEAD, dialect=Dialect()
    )


def test_rows_of_an_array_are_series():
    y = sales()["y"].to_numpy()
    two = seqcast.forecast(np.stack([y, 10 * y]), AHEAD, season_length=WEEK, verbose=0)
    assert two["unique_id"].tolist() == [0] * AHEAD + [1] * AHEAD
    np.testing.assert_allclose(two["seqcast"][AHEAD:], 10 * two["seqcast"][:AHEAD], rtol=1e-2)


def test_it_says_in_one_line_what_was_chosen_and_why(capsys):
    seqcast.forecast(sales(), AHEAD)
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("seqcast: 1 series with a step of 'D' and a season of 7, forecast with")
    assert "validation windows" in line


@pytest.mark.parametrize("data", [[], [[[1.0]]], ["a", "b"]])
def test_what_is_no_series_is_rejected(data):
    rejected(DataError, "data: expected", seqcast.forecast, data, AHEAD)


def test_a_future_that_is_missing_is_seen_before_the_training():
    frame = sales().assign(price=1.0)
    with pytest.raises(DataError, match="future: expected a frame of the steps ahead"):
        seqcast.forecast(frame, AHEAD, future_covariates=["price"], effort="balanced")
    rejected(DataError, "future: expected no rows", seqcast.forecast, frame, AHEAD, future=frame)
