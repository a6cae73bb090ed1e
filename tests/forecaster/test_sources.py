"""Rows that are read piece by piece train, forecast and evaluate as the same rows in memory do."""

import json
import tempfile

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast import Forecaster, NetworkSpec
from seqcast.errors import DataError, SaveError, SpecError
from seqcast.forecaster.reading import Memory
from seqcast.specs import CheckpointSpec

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.filterwarnings("ignore:.*all windows are padded")

TINY = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last", head="quantile")
BRIEF = {"epochs": 1, "steps_per_epoch": 3}
OPTIONS = {"preset": TINY, "training": BRIEF, "random_state": 0, "verbose": 0, "level": 80}
SERIES = 12
PIECE = 200


def series(number, rows):
    rng = np.random.default_rng(number)
    hours = np.arange(rows)
    columns = {
        "unique_id": f"s{number:02}",
        "ds": pd.date_range("2024-01-01", periods=rows, freq="h"),
        "y": 5 + number + np.sin(hours * np.pi / 12) + rng.normal(scale=0.1, size=rows),
        "price": rng.normal(size=rows),
        "shop": ["north", "south", "west"][number % 3],
    }
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def frame():
    """Return series of differing lengths, with missing values and missing rows."""
    frame = pd.concat([series(number, 60 + number) for number in range(SERIES)], ignore_index=True)
    frame.loc[5:9, "y"] = np.nan
    return frame.drop(index=[100, 101]).reset_index(drop=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, frame):
    """Return a folder of files, in which series go on from file to file."""
    path = tmp_path_factory.mktemp("rows")
    for number, first in enumerate(range(0, len(frame), 250)):
        frame.iloc[first : first + 250].to_parquet(path / f"{number}.parquet", index=False)
    return path


@pytest.fixture(scope="module", autouse=True)
def small_pieces():
    """Read so few rows at a time that there are several pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Memory, "piece_rows", lambda self, columns: PIECE)
        yield


@pytest.fixture(scope="module")
def both(small_pieces, folder, frame):
    """Return a forecaster that was fitted to files, and one that was fitted to the same frame."""
    options = {
        **OPTIONS,
        "static_covariates": ["shop"],
        "future_covariates": ["price"],
        "calibrate": True,
    }
    return Forecaster(4, **options).fit(folder, memory_limit="64 MiB"), Forecaster(
        4, **options
    ).fit(frame)


@pytest.fixture(scope="module")
def known(frame):
    """Return the covariates of the four steps after each series."""
    last = frame.groupby("unique_id")["ds"].max()
    stamps = [pd.date_range(stamp, periods=5, freq="h")[1:] for stamp in last]
    return pd.DataFrame(
        {"unique_id": np.repeat(last.index, 4), "ds": np.concatenate(stamps), "price": 0.5}
    )


def test_the_same_statistics(both):
    streamed, in_memory = (model.series_state_ for model in both)
    assert streamed.ids == in_memory.ids
    for name in ("loc", "scale"):
        np.testing.assert_allclose(
            getattr(streamed.scaler, name), getattr(in_memory.scaler, name), rtol=1e-12
        )
    ours = streamed.builder
    theirs = in_memory.builder
    assert ours.static == theirs.static
    assert ours.calendar == theirs.calendar
    np.testing.assert_allclose(
        ours.row_features(streamed.frame),
        theirs.row_features(in_memory.frame),
        rtol=1e-6,
        atol=1e-6,
    )
    np.testing.assert_array_equal(streamed.frame.source.values, in_memory.frame.source.values)
    assert (streamed.trained_until == in_memory.trained_until).all()
    for name in ("context_length", "observed", "scale", "support", "last_seen", "frequency"):
        assert getattr(streamed, name) == getattr(in_memory, name)
    assert both[0].short_series_ == both[1].short_series_


def test_a_fit_is_repeated_with_the_same_bits_and_leaves_no_rows(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    first, second = (Forecaster(4, **OPTIONS).fit(folder) for _ in range(2))
    pd.testing.assert_frame_equal(first.predict(), second.predict())
    assert list(tmp_path.iterdir()) == []
    assert first.fitted_.frame is None


def test_a_forecast_of_a_source_is_that_of_the_frame(both, folder, frame, known, tmp_path):
    model = both[0]
    at_once = model.predict(df=frame, future=known)
    pd.testing.assert_frame_equal(model.predict(df=folder, future=known), at_once, rtol=1e-6)
    for df, expected in ((folder, at_once), (frame, at_once), (None, model.predict(future=known))):
        path = model.predict(df=df, future=known, output=tmp_path / type(df).__name__)
        assert path == tmp_path / type(df).__name__
        pd.testing.assert_frame_equal(pd.read_parquet(path), expected, rtol=1e-6)


def test_an_interrupted_forecast_goes_on_and_writes_each_output_file_once(
    both, folder, known, tmp_path
):
    def forecast():
        both[0].predict(df=folder, future=known, output=tmp_path)
        files = {path: path.stat().st_mtime_ns for path in sorted(tmp_path.glob("*.parquet"))}
        return pd.read_parquet(tmp_path), files

    whole, files = forecast()
    assert len(files) > 2
    for path in list(files)[2:]:
        path.unlink()
    again, later = forecast()
    pd.testing.assert_frame_equal(again, whole)
    assert list(later) == list(files)
    assert [later[path] == files[path] for path in files][:3] == [True, True, False]
    assert json.loads((tmp_path / "_seqcast.json").read_text())["files"] == len(files)


def test_another_job_does_not_write_into_the_folder(both, folder, known, tmp_path):
    model = both[0]
    path = tmp_path / "out"
    model.predict(df=folder, future=known, output=path)
    with pytest.raises(SaveError, match="received one of a job with another future, horizon"):
        model.predict(2, df=folder, future=known.groupby("unique_id").head(2), output=path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(SaveError, match="expected an empty folder, received one that holds files"):
        model.predict(df=folder, future=known, output=tmp_path / "other")


def test_a_forecaster_that_has_read_on_has_another_job(frame, tmp_path):
    model = Forecaster(4, **OPTIONS).fit(frame[frame["ds"] < "2024-01-03"])
    days = frame["ds"] < "2024-01-03 04:00"
    model.predict(output=tmp_path)
    assert model.predict(output=tmp_path) == tmp_path
    model.update(frame[days & (frame["ds"] >= "2024-01-03")])
    with pytest.raises(SaveError, match="received one of a job with another forecaster"):
        model.predict(output=tmp_path)


@pytest.mark.parametrize("align", ["time", "series"])
def test_a_backtest_of_a_source_has_the_rows_of_that_of_the_frame(folder, frame, tmp_path, align):
    model = Forecaster(4, **OPTIONS)
    keys = ["unique_id", "ds", "cutoff", "step", "y", "seasonal_naive", "last_value"]
    expected = model.backtest(frame, n_windows=2, align=align)
    found = model.backtest(folder, n_windows=2, align=align)
    pd.testing.assert_frame_equal(found[keys], expected[keys])
    path = model.backtest(folder, n_windows=2, align=align, output=tmp_path / "out")
    pd.testing.assert_frame_equal(pd.read_parquet(path), found)


def test_a_backtest_without_training(folder, frame):
    model = Forecaster(4, **OPTIONS).fit(frame[frame["ds"] < "2024-01-03"])
    expected = model.backtest(frame, n_windows=2, refit="never")
    pd.testing.assert_frame_equal(
        model.backtest(folder, n_windows=2, refit="never"), expected, rtol=1e-6
    )


def test_presets_choose_on_a_source_as_on_the_frame(folder, frame):
    streamed, in_memory = (
        Forecaster(4, effort="quick", verbose=0).fit(df) for df in (folder, frame)
    )
    assert streamed.choice_.shares == pytest.approx(in_memory.choice_.shares, rel=1e-6)
    pd.testing.assert_frame_equal(streamed.predict(), in_memory.predict(), rtol=1e-6)


def test_memory_limits_what_is_remembered(folder):
    model = Forecaster(4, effort="quick", verbose=0).fit(folder, memory_limit=16 << 20)
    assert model.context_length_ == 2048

    class Many:
        schema = model.series_state_.schema
        covariates = model.series_state_.frame.covariates
        source = range(100)

    assert Memory(1 << 14).rows_remembered(Many()) == 1
    assert Memory(16 << 20).rows_remembered(Many()) > 1024


def test_polars_comes_back_as_polars(frame):
    lazy = pl.from_pandas(frame).lazy()
    model = Forecaster(4, **OPTIONS).fit(lazy)
    forecast = model.predict(df=lazy)
    assert isinstance(model.predict(), pl.DataFrame)
    assert isinstance(forecast, pl.DataFrame)
    assert len(forecast) == 4 * SERIES


def test_a_text_file_is_read_at_once(frame, tmp_path):
    frame.to_csv(tmp_path / "rows.csv", index=False)
    streamed = Forecaster(4, **OPTIONS).fit(tmp_path / "rows.csv")
    pd.testing.assert_frame_equal(streamed.predict(), Forecaster(4, **OPTIONS).fit(frame).predict())


# ---------------------------------------------------------------- what is wrong


def faulty(tmp_path, wrong):
    """Write a frame to two files, of which the second begins with row 500."""
    for number, rows in enumerate((wrong.iloc[:500], wrong.iloc[500:])):
        rows.to_parquet(tmp_path / f"{number}.parquet", index=False)
    return tmp_path


WRONG_VALUES = [
    ("y", lambda before: np.inf, {}),
    ("y", lambda before: -3.0, {"scale": "log1p"}),
    ("y", lambda before: -3.0, {"support": "non-negative"}),
    ("ds", lambda before: before - pd.Timedelta("1h"), {}),
    ("ds", lambda before: before + pd.Timedelta("10min"), {}),
    ("shop", lambda before: "east", {}),
]


@pytest.mark.parametrize(("column", "value", "options"), WRONG_VALUES)
def test_errors_name_file_and_row(tmp_path, frame, column, value, options):
    model = Forecaster(4, static_covariates=["shop"], **options, **OPTIONS)
    wrong = frame.copy()
    wrong.loc[600, column] = value(wrong.loc[600, column])
    with pytest.raises(DataError) as caught:
        model.fit(faulty(tmp_path, wrong))
    assert f"{tmp_path}/1.parquet, column '{column}', row 101 " in str(caught.value)
    assert caught.value.path == f"{tmp_path}/1.parquet"
    assert not model.__sklearn_is_fitted__()


def test_bad_series_are_skipped(tmp_path, frame):
    wrong = frame.assign(y=frame["y"].where(frame["unique_id"] != "s03"))
    wrong.loc[600, "y"] = np.inf
    path = faulty(tmp_path, wrong)
    model = Forecaster(4, on_bad_series="skip", **OPTIONS)
    with pytest.warns(UserWarning, match="skipped 1 series"):
        model.fit(path)
    bad = frame["unique_id"][600]
    assert set(model.skipped_series_) == {"s03", bad}
    assert "1.parquet, column 'y', row 101" in str(model.skipped_series_[bad])
    assert len(model.predict()) == 4 * (SERIES - 2)


def test_what_is_no_frame_is_rejected_as_ever(both, frame, tmp_path):
    with pytest.raises(
        DataError, match=r"df: expected a pandas or Polars data frame, received builtins\.dict"
    ):
        both[0].predict(df={"y": [1.0]}, output=tmp_path / "a")
    for output in (None, tmp_path / "b"):
        with pytest.raises(
            DataError,
            match=r"future: expected a pandas or Polars data frame, received builtins\.int",
        ):
            both[0].predict(df=frame, future=3, output=output)


WRONG_OPTIONS = [
    ({"validation": pd.DataFrame()}, "validation: expected None"),
    ({"mask": pd.DataFrame()}, "mask: expected None"),
    *(
        ({"memory_limit": limit}, "memory_limit: expected")
        for limit in ("1 parsec", "1 MiB", -1, True)
    ),
]


@pytest.mark.parametrize(("fit", "message"), WRONG_OPTIONS)
def test_options_that_a_source_does_not_go_with_are_rejected(folder, fit, message):
    with pytest.raises(SpecError, match=message):
        Forecaster(4, **OPTIONS).fit(folder, **fit)


def test_other_options_of_sources_are_rejected(folder, frame):
    with pytest.raises(SpecError, match="memory_limit: expected None where df is read at once"):
        Forecaster(4, **OPTIONS).fit(frame, memory_limit="1 GiB")
    with pytest.raises(DataError, match="df: expected a column 'prize', received the columns"):
        Forecaster(4, future_covariates=["prize"], **OPTIONS).fit(folder)


def test_a_fit_of_a_source_goes_on_from_its_checkpoint(folder, tmp_path):
    model = Forecaster(4, **{**OPTIONS, "training": {"epochs": 3, "steps_per_epoch": 3}})
    expected = model.fit(folder, checkpoint=CheckpointSpec(tmp_path, keep=9)).predict()
    *_, last = sorted(tmp_path.glob("*/*.checkpoint"))
    last.unlink()
    pd.testing.assert_frame_equal(
        model.fit(folder, checkpoint=tmp_path, resume=True).predict(), expected
    )
