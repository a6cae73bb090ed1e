"""Rows that are read piece by piece teach, forecast and are judged as the same rows in memory are."""

import json
import tempfile

import numpy as np
import pandas as pd
import pytest

from seqcast.errors import DataError, SaveError, SpecError
from seqcast.forecaster.estimator import Forecaster
from seqcast.forecaster.reading import Memory
from seqcast.specs.network import NetworkSpec
from seqcast.training.checkpoints import Checkpoints

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.filterwarnings("ignore:.*all windows are padded")

TINY = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last", head="quantile")
OPTIONS = {
    "preset": TINY,
    "training": {"epochs": 1, "steps_per_epoch": 3},
    "random_state": 0,
    "verbose": 0,
    "level": 80,
}
SERIES, PIECE = 12, 200


def series(number, rows=60):
    rng = np.random.default_rng(number)
    hours = np.arange(rows)
    return pd.DataFrame(
        {
            "unique_id": f"s{number:02}",
            "ds": pd.date_range("2024-01-01", periods=rows, freq="h"),
            "y": 5 + number + np.sin(hours * np.pi / 12) + rng.normal(scale=0.1, size=rows),
            "price": rng.normal(size=rows),
            "shop": ["north", "south", "west"][number % 3],
        }
    )


def whole():
    """Return series of differing lengths, with missing values and missing rows."""
    frame = pd.concat([series(number, 60 + number) for number in range(SERIES)], ignore_index=True)
    frame.loc[5:9, "y"] = np.nan
    return frame.drop(index=[100, 101]).reset_index(drop=True)


@pytest.fixture(scope="module")
def frame():
    return whole()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, frame):
    """Return a folder of files, in which series go on from file to file."""
    path = tmp_path_factory.mktemp("rows")
    for number, first in enumerate(range(0, len(frame), 250)):
        frame.iloc[first : first + 250].to_parquet(path / f"{number}.parquet", index=False)
    return path


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Read so few rows at a time that there are several pieces."""
    monkeypatch.setattr(Memory, "piece_rows", lambda self, columns: PIECE)


@pytest.fixture(scope="module")
def both(folder, frame):
    """Return a forecaster that was fitted to files, and one that was fitted to the same frame."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Memory, "piece_rows", lambda self, columns: PIECE)
        options = {**OPTIONS, "static_covariates": ["shop"], "future_covariates": ["price"], "calibrate": True}
        streamed = Forecaster(4, **options).fit(folder, memory_limit="64 MiB")
    return streamed, Forecaster(4, **options).fit(frame)


def future(frame, steps=4):
    last = frame.groupby("unique_id")["ds"].max()
    rows = [
        pd.DataFrame({"unique_id": name, "ds": pd.date_range(stamp, periods=steps + 1, freq="h")[1:], "price": 0.5})
        for name, stamp in last.items()
    ]
    return pd.concat(rows, ignore_index=True)


def test_the_same_statistics(both):
    streamed, in_memory = (model.series_state_ for model in both)
    assert streamed.ids == in_memory.ids
    for name in ("loc", "scale"):
        np.testing.assert_allclose(getattr(streamed.scaler, name), getattr(in_memory.scaler, name), rtol=1e-12)
    ours, theirs = streamed.builder, in_memory.builder
    assert ours.static == theirs.static
    assert ours.calendar == theirs.calendar
    np.testing.assert_allclose(
        ours.row_features(streamed.frame), theirs.row_features(in_memory.frame), rtol=1e-6, atol=1e-6
    )
    np.testing.assert_array_equal(streamed.frame.source.values, in_memory.frame.source.values)
    assert (streamed.trained_until == in_memory.trained_until).all()
    for name in ("context_length", "observed", "scale", "support", "last_seen", "frequency"):
        assert getattr(streamed, name) == getattr(in_memory, name)
    assert both[0].short_series_ == both[1].short_series_


def test_forecasts_of_both_are_alike(both, frame):
    ours, theirs = (model.predict(future=future(frame)) for model in both)
    pd.testing.assert_frame_equal(ours[["unique_id", "ds"]], theirs[["unique_id", "ds"]])
    spread = frame.groupby("unique_id")["y"].std().mean()
    assert np.abs(ours["seqcast"] - theirs["seqcast"]).mean() < spread


def test_a_fit_is_repeated_with_the_same_bits(folder, frame):
    first, second = (Forecaster(4, **OPTIONS).fit(folder) for _ in range(2))
    pd.testing.assert_frame_equal(first.predict(), second.predict())


def test_the_rows_are_removed_and_not_remembered(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    model = Forecaster(4, **OPTIONS).fit(folder)
    assert list(tmp_path.iterdir()) == []
    assert model.fitted_.frame is None


def test_a_forecast_of_a_source_is_that_of_the_frame(both, folder, frame, tmp_path):
    model, known = both[0], future(frame)
    at_once = model.predict(df=frame, future=known)
    pd.testing.assert_frame_equal(model.predict(df=folder, future=known), at_once, rtol=1e-6)
    path = model.predict(df=folder, future=known, output=tmp_path / "out")
    assert path == tmp_path / "out"
    assert len(list(path.glob("*.parquet"))) > 2
    pd.testing.assert_frame_equal(pd.read_parquet(path), at_once, rtol=1e-6)


def test_remembered_rows_and_frames_are_written_too(both, frame, tmp_path):
    model, known = both[0], future(frame)
    for place, df in enumerate((None, frame)):
        path = model.predict(df=df, future=known, output=tmp_path / str(place))
        pd.testing.assert_frame_equal(pd.read_parquet(path), model.predict(df=df, future=known))


def test_an_interrupted_forecast_goes_on_and_writes_each_part_once(both, folder, frame, tmp_path):
    model, known, path = both[0], future(frame), tmp_path / "out"
    model.predict(df=folder, future=known, output=path)
    whole_result = pd.read_parquet(path)
    parts = sorted(path.glob("*.parquet"))
    kept = {part: part.stat().st_mtime_ns for part in parts[:2]}
    for part in parts[2:]:
        part.unlink()
    model.predict(df=folder, future=known, output=path)
    assert sorted(path.glob("*.parquet")) == parts
    assert {part: part.stat().st_mtime_ns for part in parts[:2]} == kept
    pd.testing.assert_frame_equal(pd.read_parquet(path), whole_result)
    assert json.loads((path / "_seqcast.json").read_text())["parts"] == len(parts)


def test_another_job_does_not_write_into_the_folder(both, folder, frame, tmp_path):
    model, path = both[0], tmp_path / "out"
    model.predict(df=folder, future=future(frame), output=path)
    with pytest.raises(SaveError, match="received one of a job with another future, horizon"):
        model.predict(2, df=folder, future=future(frame, 2), output=path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(SaveError, match="expected an empty folder, received one that holds files"):
        model.predict(df=folder, future=future(frame), output=tmp_path / "other")


@pytest.mark.parametrize("align", ["time", "series"])
def test_a_backtest_of_a_source_has_the_rows_of_that_of_the_frame(folder, frame, tmp_path, align):
    model, keys = Forecaster(4, **OPTIONS), ["unique_id", "ds", "cutoff", "y", "seasonal_naive", "last_value"]
    expected = model.backtest(frame, n_windows=2, align=align)
    found = model.backtest(folder, n_windows=2, align=align)
    pd.testing.assert_frame_equal(found[keys], expected[keys])
    path = model.backtest(folder, n_windows=2, align=align, output=tmp_path / "out")
    pd.testing.assert_frame_equal(pd.read_parquet(path), found)


def test_a_backtest_without_training(both, folder, frame, tmp_path):
    model = Forecaster(4, **OPTIONS).fit(frame[frame["ds"] < "2024-01-03"])
    expected = model.backtest(frame, n_windows=2, refit="never")
    pd.testing.assert_frame_equal(model.backtest(folder, n_windows=2, refit="never"), expected, rtol=1e-6)


def test_presets_choose_on_a_source_as_on_the_frame(folder, frame):
    streamed, in_memory = (Forecaster(4, effort="quick", verbose=0).fit(df) for df in (folder, frame))
    assert streamed.choice_.shares == pytest.approx(in_memory.choice_.shares, rel=1e-6)
    pd.testing.assert_frame_equal(streamed.predict(), in_memory.predict(), rtol=1e-6)


def test_memory_limits_what_is_remembered(folder):
    limit = 16 << 20
    memory = Memory(limit)
    model = Forecaster(4, effort="quick", verbose=0).fit(folder, memory_limit=limit)
    assert model.context_length_ == 2048
    few = Memory(1 << 14)

    class Many:
        schema, covariates, source = model.series_state_.schema, model.series_state_.frame.covariates, range(100)

    assert few.rows_remembered(Many()) == 1
    assert memory.rows_remembered(Many()) > 1024


def test_polars_comes_back_as_polars(frame):
    polars = pytest.importorskip("polars")
    lazy = polars.from_pandas(frame).lazy()
    model = Forecaster(4, **OPTIONS).fit(lazy)
    forecast = model.predict(df=lazy)
    assert isinstance(model.predict(), polars.DataFrame)
    assert isinstance(forecast, polars.DataFrame)
    assert len(forecast) == 4 * SERIES


def test_a_text_file_is_read_at_once(frame, tmp_path):
    frame.to_csv(tmp_path / "rows.csv", index=False)
    streamed = Forecaster(4, **OPTIONS).fit(tmp_path / "rows.csv")
    pd.testing.assert_frame_equal(streamed.predict(), Forecaster(4, **OPTIONS).fit(frame).predict())


# ---------------------------------------------------------------- what is wrong


def faulty(tmp_path, frame, change):
    """Write a frame with a fault in its last third to two files."""
    wrong = frame.copy()
    change(wrong)
    for number, part in enumerate((wrong.iloc[:500], wrong.iloc[500:])):
        part.to_parquet(tmp_path / f"{number}.parquet", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.__setitem__("y", frame["y"].where(frame.index != 600, np.inf)), "column 'y', row 101 "),
        (
            lambda frame: frame.__setitem__("ds", frame["ds"].where(frame.index != 600, frame["ds"].shift())),
            "column 'ds', row 101 ",
        ),
        (
            lambda frame: frame.__setitem__(
                "ds", frame["ds"].where(frame.index != 600, frame["ds"] + pd.Timedelta("10min"))
            ),
            "column 'ds', row 101 ",
        ),
        (
            lambda frame: frame.__setitem__("shop", frame["shop"].where(frame.index != 600, "east")),
            "column 'shop', row 101 ",
        ),
    ],
)
def test_errors_name_file_and_row(tmp_path, frame, change, message):
    model = Forecaster(4, static_covariates=["shop"], **OPTIONS)
    with pytest.raises(DataError) as caught:
        model.fit(faulty(tmp_path, frame, change))
    assert f"{tmp_path}/1.parquet, {message}" in str(caught.value)
    assert caught.value.path == f"{tmp_path}/1.parquet"
    assert not model.__sklearn_is_fitted__()


def test_a_negative_value_is_named_by_file_and_row(tmp_path, frame):
    path = faulty(tmp_path, frame, lambda wrong: wrong.__setitem__("y", wrong["y"].where(wrong.index != 600, -3.0)))
    for options in ({"scale": "log1p"}, {"support": "non-negative"}):
        with pytest.raises(DataError, match=r"1\.parquet, column 'y', row 101 "):
            Forecaster(4, **options, **OPTIONS).fit(path)


def test_bad_series_are_skipped(tmp_path, frame):
    def change(wrong):
        wrong.loc[wrong["unique_id"] == "s03", "y"] = np.nan
        wrong.loc[600, "y"] = np.inf

    path = faulty(tmp_path, frame, change)
    model = Forecaster(4, on_bad_series="skip", **OPTIONS)
    with pytest.warns(UserWarning, match="skipped 1 series"):
        model.fit(path)
    bad = frame["unique_id"][600]
    assert set(model.skipped_series_) == {"s03", bad}
    assert "1.parquet, column 'y', row 101" in str(model.skipped_series_[bad])
    assert len(model.predict()) == 4 * (SERIES - 2)


def test_what_is_no_frame_is_told_as_ever(both, frame, tmp_path):
    with pytest.raises(DataError, match=r"df: expected a pandas or Polars data frame, received builtins\.dict"):
        both[0].predict(df={"y": [1.0]}, output=tmp_path / "a")
    for output in (None, tmp_path / "b"):
        with pytest.raises(DataError, match=r"future: expected a pandas or Polars data frame, received builtins\.int"):
            both[0].predict(df=frame, future=3, output=output)


@pytest.mark.parametrize("option", ["validation", "mask"])
def test_frames_beside_a_source_are_refused(folder, frame, option):
    with pytest.raises(SpecError, match=f"{option}: expected None"):
        Forecaster(4, **OPTIONS).fit(folder, **{option: frame.tail(5)})


def test_a_limit_without_a_source_is_refused(frame):
    with pytest.raises(SpecError, match="memory_limit: expected None where df is read at once"):
        Forecaster(4, **OPTIONS).fit(frame, memory_limit="1 GiB")


@pytest.mark.parametrize("limit", ["1 parsec", "1 MiB", -1, True])
def test_a_limit_that_is_none_is_refused(folder, limit):
    with pytest.raises(SpecError, match="memory_limit: expected"):
        Forecaster(4, **OPTIONS).fit(folder, memory_limit=limit)


def test_a_column_that_is_not_there_is_refused(folder):
    with pytest.raises(DataError, match="df: expected a column 'prize', received the columns"):
        Forecaster(4, future_covariates=["prize"], **OPTIONS).fit(folder)


def test_a_fit_of_a_source_goes_on_from_its_checkpoint(folder, tmp_path, monkeypatch):
    options = {**OPTIONS, "training": {"epochs": 3, "steps_per_epoch": 3}}
    expected = Forecaster(4, **options).fit(folder).predict()
    write = Checkpoints.write

    def dying(self, state, *rest, **more):
        write(self, state, *rest, **more)
        raise RuntimeError("the end")

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "write", dying)
        with pytest.raises(RuntimeError, match="the end"):
            Forecaster(4, **options).fit(folder, checkpoint=tmp_path / "run")
    resumed = Forecaster(4, **options).fit(folder, checkpoint=tmp_path / "run", resume=True)
    pd.testing.assert_frame_equal(resumed.predict(), expected)


# ---------------------------------------------------------------- frames in shards


def test_a_sharded_frame_has_what_a_frame_has(folder, frame, tmp_path):
    from seqcast.data.frames.sharded import Scratch, ShardedFrame
    from seqcast.data.frames.sources import open_source
    from seqcast.data.frames.table import read_frame
    from seqcast.data.series.store import ArrayCache
    from seqcast.forecaster.options import RowOptions
    from seqcast.forecaster.reading import SourceRows

    options = RowOptions.of(Forecaster(4, **OPTIONS).get_params(deep=False))
    scratch = Scratch(tmp_path, ArrayCache(1 << 20))
    sharded = ShardedFrame.of(scratch, SourceRows(options, open_source(folder), Memory.of(None)).pieces())
    long = read_frame(frame, missing="fill")
    assert len(sharded.shards) > 2
    assert sharded.source.ids == long.source.ids
    np.testing.assert_array_equal(sharded.source.lengths, long.source.lengths)
    assert (sharded.first_stamps == long.first_stamps).all()
    assert (sharded.last_stamps == long.last_stamps).all()
    assert (sharded.latest_stamp == long.latest_stamp).all()
    stops = long.source.lengths // 2
    np.testing.assert_array_equal(sharded.count_observed(stops), long.count_observed(stops))
    rows = np.arange(int(long.source.ends[-1]))
    np.testing.assert_array_equal(sharded.target_store.read(rows), long.target_store.read(rows))
    assert not sharded.target_store.complete
    for ours, theirs in ((sharded.tail(7), long.tail(7)), (sharded.until(stops).tail(100), long.until(stops))):
        np.testing.assert_array_equal(ours.source.values, theirs.source.values)
        assert (ours.stamps == theirs.stamps).all()
    kept, rest = sharded.without({"s04": DataError("x")})
    assert kept.sum() == SERIES - 1
    assert "s04" in rest.skipped
    assert rest.source.ids == tuple(name for name in long.source.ids if name != "s04")
