"""Files whose rows Ray's workers learn from, forecast and judge: the same as here, each part written once."""

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from seqcast.data.frames.sources import file_groups, open_source
from seqcast.errors import DataError, SaveError, SpecError
from tests.rejections import rejected

pytest.importorskip("pyarrow")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="collectives of JAX"),
]
FILES = 5


def write(folder, series=20, rows=90):
    """Write series to files; the third goes on in the second file."""
    days = pd.date_range("2024-01-01", periods=rows)
    noise = np.random.default_rng(0).normal(scale=0.1, size=(series, rows))
    values = 10 + np.arange(series)[:, None] + np.sin(np.arange(rows) * 0.9) + noise
    ids = np.repeat([f"s{place:02}" for place in range(series)], rows)
    frame = pd.DataFrame({"unique_id": ids, "ds": np.tile(days, series), "y": values.ravel()})
    folder.mkdir(exist_ok=True)
    ends = [
        2 * rows + rows // 2,
        *(series * rows * place // FILES for place in range(2, FILES)),
        series * rows,
    ]
    for number, (start, stop) in enumerate(itertools.pairwise([0, *ends])):
        frame.iloc[start:stop].to_parquet(folder / f"{number}.parquet", index=False)
    return frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "in"
    write(path)
    return path


@pytest.fixture(scope="module")
def frame(folder):
    return pd.read_parquet(folder)


def test_files_are_grouped_by_whole_series(folder, tmp_path):
    groups = file_groups(open_source(folder), "unique_id")
    assert [[Path(path).stem for path in group] for group in groups] == [
        ["0", "1"],
        ["2"],
        ["3"],
        ["4"],
    ]
    pd.read_parquet(folder).iloc[:0].to_parquet(tmp_path / "empty.parquet", index=False)
    assert len(file_groups(open_source(tmp_path), "unique_id")) == 1


def test_workers_that_share_a_training_read_their_shards(
    cluster, folder, small_forecaster, monkeypatch
):
    from seqcast.forecaster.reading import Memory

    monkeypatch.setattr(Memory, "piece_rows", lambda self, columns: 300)
    alone = small_forecaster({"micro_batches": 4, "steps_per_epoch": 6}).fit(folder)
    together = small_forecaster({"steps_per_epoch": 6}).fit(folder, on=cluster)
    assert alone.series_state_.ids == together.series_state_.ids
    np.testing.assert_array_equal(alone.series_state_.scaler.loc, together.series_state_.scaler.loc)
    ours, theirs = (each.history_["val_loss"][-1] for each in (together, alone))
    assert ours == pytest.approx(theirs, rel=0.01)
    for one, other in zip(together.engine_.weights, alone.engine_.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_forecasts_of_files_are_those_of_this_process(
    cluster, folder, frame, small_forecaster, tmp_path
):
    model = small_forecaster().fit(frame)
    path = model.predict(df=folder, output=tmp_path / "out", on=cluster)
    expected = model.predict(df=frame)
    pd.testing.assert_frame_equal(pd.read_parquet(path), expected, rtol=1e-5)
    micro_batches = sorted(path.glob("*.parquet"))
    assert len(micro_batches) == 4
    assert json.loads((path / "_seqcast.json").read_text())["files"] == 4
    # What is missing is written again, and nothing else.
    times = {part: part.stat().st_mtime_ns for part in micro_batches[1:]}
    micro_batches[0].unlink()
    model.predict(df=folder, output=path, on=cluster)
    assert {part: part.stat().st_mtime_ns for part in micro_batches[1:]} == times
    pd.testing.assert_frame_equal(pd.read_parquet(path), expected, rtol=1e-5)
    # Parts of this process are pieces, not files: its job is another one.
    rejected(
        SaveError, "received one of a job with another files", model.predict, df=folder, output=path
    )


def test_a_backtest_of_files_is_that_of_this_process(
    cluster, folder, small_forecaster, tmp_path, monkeypatch
):
    from seqcast.forecaster.reading import Memory

    monkeypatch.setattr(Memory, "piece_rows", lambda self, columns: 300)
    model = small_forecaster().fit(pd.read_parquet(folder).query("ds < '2024-02-20'"))
    path = model.backtest(folder, n_windows=2, refit="never", output=tmp_path / "out", on=cluster)
    expected = model.backtest(folder, n_windows=2, refit="never")
    pd.testing.assert_frame_equal(pd.read_parquet(path), expected, rtol=1e-5)
    assert len(list(path.glob("*.parquet"))) > 2


def test_what_is_wrong_in_a_worker_is_told_here(cluster, frame, small_forecaster, tmp_path):
    (tmp_path / "in").mkdir()
    wrong = frame.copy()
    wrong.loc[3, "y"] = np.inf
    wrong.to_parquet(tmp_path / "in" / "a.parquet", index=False)
    model = small_forecaster().fit(frame)
    with pytest.raises(DataError, match=r"a\.parquet, column 'y', row 4 \(series 's00'\)"):
        model.predict(df=tmp_path / "in", output=tmp_path / "out", on=cluster)
    rejected(
        SpecError,
        "output: expected a folder with on",
        model.predict,
        df=tmp_path / "in",
        on=cluster,
    )
    for df in (None, frame, pytest.importorskip("polars").from_pandas(frame).lazy()):
        rejected(
            SpecError,
            "on: expected Parquet files",
            model.predict,
            df=df,
            output=tmp_path / "memory",
            on=cluster,
        )


def test_a_killed_job_goes_on_and_writes_each_part_once(tmp_path, small_forecaster):
    folder = tmp_path / "in"
    out = tmp_path / "out"
    frame = write(folder, series=200)
    model = small_forecaster().fit(frame)
    model.save(tmp_path / "m.seqcast")
    for number in range(12):  # more files, so that the job lasts
        frame.assign(unique_id=frame["unique_id"] + f"-{number}").to_parquet(
            folder / f"x{number:02}.parquet"
        )
    command = [
        sys.executable,
        "-c",
        "from seqcast.cli.start import main; main()",
        "predict",
        tmp_path / "m.seqcast",
    ]
    command += [folder, "-o", out, "--ray", "local", "--workers", "2"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    job = subprocess.Popen([*map(str, command)], **quiet)
    until = time.monotonic() + 180
    while len(list(out.glob("*.parquet"))) < 3 and job.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(job.pid, 9)
    job.wait()
    before = {part: part.stat().st_mtime_ns for part in out.glob("*.parquet")}
    assert 3 <= len(before) < 16
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {part: part.stat().st_mtime_ns for part in before} == before
    written = pd.read_parquet(out)
    assert len(written) == 7 * 200 * 13
    assert not written.duplicated(["unique_id", "ds"]).any()
    assert f"Wrote {out}, 16 Parquet files" in done.stdout
