"""Backtests are read or rejected by the place of what is wrong, their steps counted, and other forecasts joined."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.errors import DataError, SpecError, compose_place
from seqcast.evaluation import count_steps, evaluate, join_forecasts
from seqcast.evaluation.backtest_frames import Backtest
from seqcast.evaluation.forecast_frames import FrameRows
from seqcast.specs.columns import Columns
from tests.rejections import rejected


def cross_validation(backtest, seed=0):
    """Make a frame as statsforecast's `cross_validation` writes it, with a model and its intervals."""
    random = np.random.default_rng(seed)
    frame = backtest[["unique_id", "ds", "cutoff", "y"]].copy()
    frame["AutoETS"] = frame["y"] + random.normal(size=len(frame))
    frame["AutoETS-lo-90"], frame["AutoETS-hi-90"] = frame["AutoETS"] - 1.6, frame["AutoETS"] + 1.6
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


# ---------------------------------------------------------------- reading


def test_keys_are_no_models():
    df = pd.DataFrame(
        {"unique_id": "a", "ds": [1], "cutoff": 0, "step": 1, "target": "p", "y": 1.0, "model": 1}
    )
    assert Backtest(df).models == ["model"]
    assert Backtest(df.assign(text="x", price=2.0), models=["model"]).models == ["model"]


def test_nullable_and_integer_columns():
    df = pd.DataFrame(
        {
            "unique_id": [1, 1],
            "ds": [1, 2],
            "y": pd.array([1, None], dtype="Int64"),
            "model": [1, 2],
        }
    )
    assert Backtest(df).truth.tolist() == [1.0]
    assert Backtest(
        pl.DataFrame({"unique_id": [1, 1], "ds": [1, 2], "y": [1, None], "model": [1, 2]})
    ).truth == [1.0]


# ---------------------------------------------------------------- steps


COUNTED = [
    ([3, 7], 1, 2, [1, 3]),
    (["2024-02-29", "2024-05-31"], "2024-01-31", "ME", [1, 4]),
    (["2024-01-08", "2024-01-10"], "2024-01-05", "B", [1, 3]),
    (["2024-01-01 01:00", "2024-01-02 00:00"], "2024-01-01 00:00", "h", [1, 24]),
    (["2024-01-01 01:00", "2024-01-02 00:00"], "2024-01-01 00:00", "1h", [1, 24]),
]


@pytest.mark.parametrize(("stamps", "cutoff", "freq", "steps"), COUNTED)
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_count_steps(stamps, cutoff, freq, steps, kind):
    if isinstance(cutoff, str):
        stamps = pd.to_datetime(stamps)
        cutoff = pd.Timestamp(cutoff)
    df = pd.DataFrame({"unique_id": "a", "ds": stamps, "cutoff": cutoff, "y": 0.0, "model": 0.0})
    df = pl.from_pandas(df) if kind == "polars" else df
    made = count_steps(df, freq)
    assert type(made) is type(df)
    assert list(made["step"]) == steps
    assert list(made.columns) == [*df.columns, "step"]


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
@pytest.mark.parametrize("freq", ["h", "D"])
def test_steps_across_a_change_of_the_clock(convert, freq):
    stamps = pd.date_range("2024-10-27", periods=6, freq=freq, tz="Europe/Berlin")
    df = pd.DataFrame(
        {"unique_id": "a", "ds": stamps[1:], "cutoff": stamps[0], "y": 0.0, "model": 0.0}
    )
    assert list(count_steps(convert(df), freq)["step"]) == [1, 2, 3, 4, 5]


FREQUENCIES = ["D", "W-SAT", "ME", "h", "B", 3]


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
@pytest.mark.parametrize("freq", FREQUENCIES)
def test_steps_do_not_depend_on_missing_rows(convert, freq):
    stamps = (
        pd.Index(range(0, 90, freq))
        if freq == 3
        else pd.date_range("2024-01-01", periods=30, freq=freq)
    )
    windows = [
        pd.DataFrame(
            {
                "unique_id": name,
                "ds": stamps[end : end + 6],
                "cutoff": stamps[end - 1],
                "step": range(1, 7),
            }
        )
        for name, end in (("a", 12), ("a", 18), ("b", 20))
    ]
    whole = pd.concat(windows, ignore_index=True).assign(y=0.0, model=0.0)
    kept = whole[np.random.default_rng(0).random(len(whole)) > 0.4]
    counted = FrameRows("df", convert(kept.drop(columns="step").reset_index(drop=True))).steps
    assert counted.tolist() == kept["step"].tolist()


def test_without_a_cutoff_the_first_row_of_a_window_is_step_1():
    df = pd.DataFrame({"unique_id": list("aabb"), "ds": [4, 8, 2, 4], "y": 0.0, "model": 0.0})
    assert FrameRows("df", df).steps.tolist() == [1, 3, 1, 2]
    alone = pd.DataFrame(
        {"unique_id": list("ab"), "ds": pd.to_datetime(["2024-01-05", "2024-03-01"]), "model": 0.0}
    )
    assert FrameRows("df", alone).steps.tolist() == [1, 1]


IRREGULAR = pd.Timestamp("2024-01-01") + pd.to_timedelta([0, 100, 1_707, 9_001, 9_013], unit="min")


def test_irregular_stamps_need_a_column_of_steps():
    df = pd.DataFrame(
        {"unique_id": "a", "ds": IRREGULAR[1:], "cutoff": IRREGULAR[0], "y": 0.0, "model": 1.0}
    )
    assert evaluate(df, "mae")["model"].tolist() == [1.0]  # no step is needed
    message = (
        "df, ds, row 0: expected a column 'step', "
        "or stamps some steps of one frequency after the cutoff.*count_steps"
    )
    rejected(DataError, message, evaluate, df, "mae", by="step")
    assert evaluate(df.assign(step=[1, 2, 3, 4]), "mae", by="step")["step"].tolist() == [1, 2, 3, 4]


# ---------------------------------------------------------------- joining


@pytest.mark.parametrize("ours", ["pandas", "polars"])
@pytest.mark.parametrize("theirs", ["pandas", "polars"])
def test_statsforecasts_frames_are_joined(make_backtest, ours, theirs):
    _, plain = make_backtest()
    other = cross_validation(plain)
    df = pl.from_pandas(plain) if ours == "polars" else plain
    made = join_forecasts(df, pl.from_pandas(other) if theirs == "polars" else other)
    assert type(made) is type(df)
    assert list(made.columns) == [*df.columns, "AutoETS", "AutoETS-lo-90", "AutoETS-hi-90"]
    expected = plain.merge(other.drop(columns="y"), on=["unique_id", "ds", "cutoff"], how="left")
    for name in ("AutoETS", "AutoETS-lo-90", "good"):
        np.testing.assert_array_equal(np.asarray(made[name]), expected[name])
    assert "AutoETS" in evaluate(made, ["mae", "coverage"]).columns


def test_other_stamps_and_rows_and_fewer_columns(make_backtest):
    _, df = make_backtest()
    other = cross_validation(df)
    expected = join_forecasts(df, other)
    same = {
        "nanoseconds": other.assign(ds=other["ds"].astype("datetime64[ns]")),
        "days": pl.from_pandas(other).with_columns(pl.col("ds", "cutoff").cast(pl.Date)),
        "more rows": pd.concat(
            [other, other[other["unique_id"] == "s00"].assign(unique_id="else")]
        ),
        "single precision": other.astype({"y": "float32"}),
        "gaps": other.assign(y=np.where(np.arange(len(df)) % 2, other["y"], np.nan)),
    }
    for each in same.values():
        pd.testing.assert_frame_equal(join_forecasts(df, each), expected)
    made = join_forecasts(df, other.drop(columns="y").assign(Theta=1.0), models=["Theta"])
    assert list(made.columns) == [*df.columns, "Theta"]


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_rows_that_the_other_lacks_may_be_dropped(make_backtest, kind):
    _, df = make_backtest()
    df.index = df.index[::-1]
    other = cross_validation(df)
    first = df.groupby(["unique_id", "cutoff"])["ds"].transform("min")
    lacking = other.merge(df.assign(first=first)[["unique_id", "ds", "cutoff", "first"]])
    lacking = lacking[lacking["ds"] > lacking["first"]].drop(columns="first")
    df = pl.from_pandas(df) if kind == "polars" else df
    with pytest.raises(
        DataError,
        match=r"other: expected a row for each row of df, such as row 0 .* none for 6 of 24",
    ):
        join_forecasts(df, lacking)
    made = join_forecasts(df, lacking, missing="drop")
    assert len(made) == 18
    assert list(evaluate(made, "mae", by="step")["step"]) == [
        2,
        3,
        4,
    ]  # still those of the whole forecast


def test_names_of_ones_own_and_targets(make_backtest):
    _, df = make_backtest()
    other = cross_validation(df)
    names = {"unique_id": "shop", "ds": "day", "y": "sales"}
    renamed = (each.rename(columns=names) for each in (df, other))
    made = join_forecasts(*renamed, columns=Columns("shop", "day", "sales"))
    assert made["AutoETS"].notna().all()
    both = pd.concat([df.assign(target="p"), df.assign(target="q")])
    theirs = pd.concat([other.assign(target="p"), other.assign(target="q", AutoETS=-1.0)])
    assert (join_forecasts(both, theirs).query("target == 'q'")["AutoETS"] == -1).all()
    with pytest.raises(DataError, match="other: expected a column 'target'"):
        join_forecasts(both, other)


# ---------------------------------------------------------------- what is rejected

PLAIN = pd.DataFrame({"unique_id": "a", "ds": [1, 2], "y": [1.0, 2.0], "model": [1.0, 2.0]})
STEPS = PLAIN.assign(ds=[3, 4], cutoff=1)
NOON = pd.Timestamp("2024-03-30 12:00")
DAY = pd.Timedelta("1D")


def read(df=PLAIN, **columns):
    return lambda _: Backtest(df.assign(**columns))


def steps(freq, df=STEPS, **columns):
    return lambda _: count_steps(df.assign(**columns), freq)


def joined(change=lambda other: other, **options):
    """Return a call that changes another model's forecasts and joins them."""
    return lambda df: join_forecasts(df, change(cross_validation(df)), **options)


WRONG = {
    "no column": (lambda _: FrameRows("df", PLAIN).need("cutoff"), DataError, "^df: expected a column 'cutoff'.*Add"),
    "no value": (lambda _: Backtest(PLAIN, Columns(y="x")), DataError, r"^df: .*with columns=Columns\(y=\.\.\.\)"),
    "null stamp": (read(ds=[pd.NaT, NOON]), DataError, "df, ds, row 0: expected a time stamp"),
    "float stamps": (read(ds=[0.5, 1.5]), DataError, "df, ds: .*whole numbers"),
    "text": (read(y=["1", "2"]), DataError, r"df, y: .*astype\(float\)"),
    "null id": (read(unique_id=["a", None]), DataError, "df, unique_id, row 1: expected a name"),
    "infinite": (read(y=[0.0, np.inf]), DataError, "df, y, row 1: .*finite"),
    "no forecast": (read(model=[0.0, np.nan]), DataError, "df, model, row 1: expected a forecast"),
    "same rows": (read(ds=1), DataError, "df, row 1: .*the same as in row 0"),
    "columns twice": (read(pd.concat([PLAIN, PLAIN[["y"]]], axis=1)), DataError, "^df: expected column names that dif"),
    "step": (lambda _: FrameRows("df", PLAIN.assign(step=[1, 0])).steps, DataError, "df, step, row 1: .*from 1"),
    "off the grid": (steps(2), DataError, "df, ds, row 1: expected a stamp some steps of 2 after the cutoff 1"),
    "before the cutoff": (steps(1, ds=[1, 2]), DataError, "df, ds, row 0"),
    "no cutoff to count from": (steps(1, STEPS.drop(columns="cutoff")), DataError, "expected a column 'cutoff'"),
    "freq": (steps("D"), SpecError, "freq"),
    "no cutoff": (joined(lambda other: other.drop(columns="cutoff")), DataError, "other: expected a column 'cutoff'"),
    "twice": (joined(lambda other: pd.concat([other, other])), DataError, "other, row 24: expected one row a"),
    "truth": (joined(lambda other: other.assign(y=other["y"] + 1)), DataError, "other, y, row .*same truth"),
    "there": (joined(lambda other: other.rename(columns={"AutoETS": "good"})), SpecError, "models: .*'good'"),
    "model": (joined(models=["AutoETs"]), SpecError, "Did you mean 'AutoETS'"),
    "missing": (joined(missing="dorp"), SpecError, "Did you mean 'drop'"),
    "nothing": (joined(lambda other: other[["unique_id", "ds", "cutoff", "y"]]), DataError, "of forecasts"),
    "cutoffs": (joined(lambda other: other.assign(cutoff=other["cutoff"] + DAY), missing="drop"), DataError,
                "other: expected a row for each row of df.*none for 24 of 24.*same cutoffs"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_calls(make_backtest, call, error, message):
    with pytest.raises(error, match=message) as caught:
        call(make_backtest()[1])
    if error is DataError:  # where it is, is said by fields too
        place = {
            name: getattr(caught.value, name) for name in ("option", "column", "row", "series")
        }
        assert caught.value.where in (compose_place(**place), "other")
