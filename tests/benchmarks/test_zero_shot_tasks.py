"""Tasks are cut as they should be, and their scores are those of plain loops."""

import hashlib
import itertools

import numpy as np
import pandas as pd
import pytest
import zero_shot_tasks
from zero_shot_tasks import (
    ROLLING,
    TASKS,
    Task,
    geometric_means,
    mean_scores,
    naive_scores,
    read_named,
    read_windows,
    shown_scores,
    windows_before,
)

import public_data
from seqcast.data.datasets import describe, load, names

PROBABILITIES = [place / 10 for place in range(1, 10)]


def make_task(*, lengths=(30, 41, 26), horizon=5, season=4, gaps=False, **further):
    random = np.random.default_rng(0)
    series = [10 * (place + 1) + random.normal(size=length).cumsum() for place, length in enumerate(lengths)]
    if gaps:
        series[0][[3, 11, -2]] = np.nan
    return Task("made up", series, horizon, season, season, "D", **further)


def make_deciles(task, seed=1):
    random = np.random.default_rng(seed)
    noise = random.normal(size=(len(task.series), task.horizon, 9))
    return np.sort(np.nan_to_num(task.truth)[:, :, None] + noise)


def plain_scores(task, deciles):
    """Compute MASE, WQL and SQL by loops, as fev defines them: over what is known, steps of all series alike."""
    errors, scaled, losses, magnitudes = [], [], [[] for _ in PROBABILITIES], []
    for values, quantiles in zip(task.series, deciles, strict=True):
        past, truth, m = values[: -task.horizon], values[-task.horizon :], task.protocol_season
        differences = [abs(past[t] - past[t - m]) for t in range(m, len(past))]
        differences = [one for one in differences if not np.isnan(one)]
        scale = sum(differences) / len(differences)
        for y, row in zip(truth, quantiles, strict=True):
            if np.isnan(y):
                continue
            own = [2 * (q * (y - p) if y > p else (1 - q) * (p - y)) for q, p in zip(PROBABILITIES, row, strict=True)]
            magnitudes.append(abs(y))
            for place, loss in enumerate(own):
                losses[place].append(loss)
            if scale > 0:
                errors.append(abs(y - row[4]) / scale)
                scaled.append(sum(own) / 9 / scale)
    wql = [sum(own) / sum(magnitudes) for own in losses]
    return sum(errors) / len(errors), sum(wql) / 9, sum(scaled) / len(scaled)


@pytest.mark.parametrize(("gaps", "constant"), [(False, False), (True, False), (False, True)])
def test_scores_are_those_of_plain_loops(gaps, constant):
    task = make_task(gaps=gaps)
    if constant:  # no seasonal error to scale by
        task.series[1][:] = 7.0
    deciles = make_deciles(task)
    found = (*task.scores(deciles), task.scaled_quantile_loss(deciles))
    np.testing.assert_allclose(found, plain_scores(task, deciles))


def test_windows_are_a_horizon_apart_and_end_with_the_series():
    task = make_task()
    windows, before = task.windows(3), task.held_back(3).windows(3)[-1]
    assert [window.later for window in windows] == [0, 5, 10]
    np.testing.assert_array_equal(windows[-1].series[1], task.series[1])
    for one, after in itertools.pairwise([before, *windows]):  # what is held back ends where the first window begins
        for values, past in zip(one.series, after.past, strict=True):
            np.testing.assert_array_equal(values, past)


@pytest.mark.parametrize("freq", ["D", "h", "MS", "QS", "YS", "W-SAT"])
def test_frames_of_later_windows_continue_those_of_the_first(freq):
    task = Task("a", make_task().series, 5, 4, 4, freq, names=("x", "y", "z"))
    first, second = (window.frame() for window in task.windows(2))
    assert first.groupby("unique_id")["ds"].max().nunique() == 1
    rows = first.merge(second, on=["unique_id", "ds"], how="left", suffixes=("", "_later"))
    np.testing.assert_array_equal(rows["y"], rows["y_later"])
    assert len(second) == len(first) + 5 * 3
    stamps = second[second["unique_id"] == "y"]["ds"]
    assert list(stamps) == list(pd.date_range(stamps.iloc[0], periods=36, freq=freq))


def test_deciles_are_in_the_order_of_series_steps_and_probabilities():
    task = make_task(names=("c", "a", "b"))
    expected = make_deciles(task)
    columns = [zero_shot_tasks.forecast_column(each) for each in PROBABILITIES]
    assert columns[0] == "seqcast-lo-80"
    assert columns[4:6] == ["seqcast", "seqcast-hi-20"]
    keys = pd.MultiIndex.from_product([task.ids, range(5)], names=["unique_id", "ds"]).to_frame(index=False)
    frame = pd.concat([keys, pd.DataFrame(expected.reshape(15, 9), columns=columns)], axis=1)
    np.testing.assert_array_equal(task.deciles(frame.sample(frac=1.0, random_state=0)), expected)


def test_the_naive_forecast_repeats_the_last_season():
    task = make_task(gaps=True)
    deciles = task.naive_deciles()
    for values, quantiles in zip(task.past, deciles, strict=True):
        filled = pd.Series(values).ffill().to_numpy()
        assert (quantiles == filled[-4 + np.arange(5) % 4][:, None]).all()
    found = naive_scores([task])
    np.testing.assert_allclose([found["mase"], found["wql"], found["sql"]], plain_scores(task, deciles))


def test_means_over_windows_and_over_tasks():
    windows = make_task().windows(3)
    deciles = [make_deciles(window, seed=seed) for seed, window in enumerate(windows)]
    found = mean_scores(windows, deciles)
    expected = np.mean([plain_scores(*pair) for pair in zip(windows, deciles, strict=True)], axis=0)
    np.testing.assert_allclose([found["mase"], found["wql"], found["sql"]], expected)
    assert shown_scores("ETTh", found)[1] == found["wql"]
    assert shown_scores("ETT_1H", found)[1] == found["sql"]
    scores, naive = {"a": (1.0, 2.0), "b": (4.0, 2.0)}, {"a": (2.0, 2.0), "b": (2.0, 4.0)}
    assert geometric_means(scores, naive) == pytest.approx((1.0, 0.5**0.5))


def test_twenty_windows_of_both_files_are_read(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    (tmp_path / "ETT-small").mkdir()
    for name in ("ETTh1", "ETTh2"):
        rows = {column: random.normal(size=40 * 168 + 100).round(3) for column in "abcdefg"}
        path = tmp_path / "ETT-small" / f"{name}.csv"
        pd.DataFrame({"date": range(40 * 168 + 100), **rows}).to_csv(path, index=False)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setitem(public_data.SHA256, f"ETT-small/{name}.csv", digest)
    test, held_back = (read_windows(tmp_path, "ETT_1H", held_back=held) for held in (False, True))
    assert len(test) == len(held_back) == 20
    assert test[0].truth.shape == (14, 168)
    assert {len(values) for values in held_back[0].past} == {100}
    assert read_windows(tmp_path, "ETTh")[0].horizon == 24
    assert not set(TASKS) & set(ROLLING)
    path.write_text("date,a\n1,2\n")
    with pytest.raises(SystemExit, match="sha256 differs"):
        read_windows(tmp_path, "ETTh")
    with pytest.raises(SystemExit, match="there is no"):
        read_windows(tmp_path, "nn5")


def test_windows_before_the_test_part_leave_short_series_out():
    task = make_task(lengths=(30, 41, 19), horizon=5, season=4)
    windows = windows_before(task, 2)
    for number, window in enumerate(windows, start=1):
        for mine, whole in zip(window.series, task.series, strict=False):
            np.testing.assert_array_equal(mine, whole[: len(whole) - 5 * number])
    # Of 19 values, 9 and 4 are known before them: the second has no season and four differences.
    assert [len(window.series) for window in windows] == [3, 2]


@pytest.mark.parametrize("name", names())
def test_shipped_series_are_read_with_their_season_and_step(name, tmp_path):
    task = read_named(tmp_path, name)
    np.testing.assert_array_equal(task.series[0], load(name)["y"])
    assert (task.ids, task.season) == ([name], describe(name).season_length)
    assert describe(name).frequency.startswith(task.freq)
    assert len(task.series[0]) - 4 * task.horizon > 2 * max(task.season, task.horizon)  # four cutoffs fit in
