"""Tasks are cut as they should be, and their scores are those of plain loops."""

import hashlib
import itertools
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
import yardsticks
from zero_shot_tasks import (
    ROLLING,
    TASKS,
    Task,
    geometric_means,
    mean_scores,
    naive_scores,
    read_windows,
    shown_scores,
    validation_scores,
    validation_windows,
)

PROBABILITIES = [place / 10 for place in range(1, 10)]


def make_task(*, lengths=(30, 41, 26), horizon=5, season=4, gaps=False, seed=0, **further):
    random = np.random.default_rng(seed)
    series = [10 * (place + 1) + random.normal(size=length).cumsum() for place, length in enumerate(lengths)]
    if gaps:
        series[0][[3, 11, -2]] = np.nan
    return Task("made up", series, horizon, season, season, "D", **further)


def make_deciles(task, seed=1):
    random = np.random.default_rng(seed)
    return np.sort(
        np.stack([row[:, None] + random.normal(size=(task.horizon, 9)) for row in np.nan_to_num(task.truth)])
    )


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


@pytest.mark.parametrize("gaps", [False, True])
def test_scores_are_those_of_plain_loops(gaps):
    task = make_task(gaps=gaps)
    deciles = make_deciles(task)
    found = (*task.scores(deciles), task.scaled_quantile_loss(deciles))
    np.testing.assert_allclose(found, plain_scores(task, deciles))


def test_a_series_that_never_changes_has_no_scaled_error():
    task = make_task()
    task.series[1][:] = 7.0
    deciles = make_deciles(task)
    found = (*task.scores(deciles), task.scaled_quantile_loss(deciles))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, plain_scores(task, deciles))


def test_the_right_deciles_lose_less_than_others():
    levels = np.array([NormalDist().inv_cdf(q) for q in PROBABILITIES])
    random = np.random.default_rng(0)
    task = Task("noise", list(random.normal(size=(4, 3000))), 2000, 1, 1, "D")
    right = np.broadcast_to(levels, (4, 2000, 9))
    best = task.scores(right)[1], task.scaled_quantile_loss(right)
    for other in (right * 1.3, right * 0.7, right + 0.3):
        assert task.scores(other)[1] > best[0]
        assert task.scaled_quantile_loss(other) > best[1]


def test_windows_are_a_horizon_apart_and_end_with_the_series():
    task = make_task()
    windows = task.windows(3)
    assert [window.later for window in windows] == [0, 5, 10]
    for place, window in enumerate(windows):
        for whole, values in zip(task.series, window.series, strict=True):
            np.testing.assert_array_equal(values, whole[: len(whole) - (2 - place) * task.horizon])
    for before, after in itertools.pairwise(windows):
        for one, other in zip(before.series, after.past, strict=True):
            np.testing.assert_array_equal(one, other)


def test_what_is_held_back_ends_where_the_first_test_window_begins():
    task = make_task()
    before = task.held_back(3).windows(3)[-1]
    for one, other in zip(before.series, task.windows(3)[0].past, strict=True):
        np.testing.assert_array_equal(one, other)


def test_frames_of_later_windows_go_on_after_those_of_the_first():
    first, second = (window.frame() for window in make_task().windows(2))
    assert first.groupby("unique_id")["ds"].max().nunique() == 1
    assert first["ds"].max() == pd.Timestamp("2020-01-01")
    assert second["ds"].max() == pd.Timestamp("2020-01-06")
    rows = first.merge(second, on=["unique_id", "ds"], how="left", suffixes=("", "_later"))
    np.testing.assert_array_equal(rows["y"], rows["y_later"])
    assert len(second) == len(first) + 5 * 3


@pytest.mark.parametrize("freq", ["h", "MS", "QS", "YS", "W-SAT"])
def test_frames_keep_to_their_step(freq):
    task = make_task(lengths=(30,))
    window = Task("a", task.series, 5, 4, 4, freq).windows(2)[1]
    stamps = window.frame()["ds"]
    assert len(stamps) == 25
    assert (stamps.to_numpy() == pd.date_range(stamps[0], periods=25, freq=freq).to_numpy()).all()


def test_the_naive_forecast_repeats_the_last_season():
    task = make_task(gaps=True)
    deciles = task.naive_deciles()
    for values, quantiles in zip(task.past, deciles, strict=True):
        filled = pd.Series(values).ffill().to_numpy()
        for step in range(task.horizon):
            assert (quantiles[step] == filled[-4 + step % 4]).all()
    np.testing.assert_allclose(naive_scores(task), plain_scores(task, deciles)[:2])


def test_intervals_of_the_naive_forecast_widen_with_the_seasons():
    task = make_task(lengths=(1100, 1200), horizon=10, spread=True)
    deciles = task.naive_deciles()
    for values, quantiles in zip(task.past, deciles, strict=True):
        latest = values[-1000:]
        squares = [(latest[t] - latest[t - 4]) ** 2 for t in range(4, 1000)]
        deviation = (sum(squares) / len(squares)) ** 0.5
        for step in range(10):
            for place, q in enumerate(PROBABILITIES):
                width = NormalDist().inv_cdf(q) * deviation * (step // 4 + 1) ** 0.5
                assert quantiles[step, place] == pytest.approx(values[-4 + step % 4] + width)


def test_scores_of_several_windows_are_means():
    windows = make_task().windows(3)
    deciles = [make_deciles(window, seed=seed) for seed, window in enumerate(windows)]
    expected = np.mean([plain_scores(*pair) for pair in zip(windows, deciles, strict=True)], axis=0)
    found = mean_scores(windows, deciles)
    np.testing.assert_allclose([found["mase"], found["wql"], found["sql"]], expected)
    assert shown_scores("ETTh", found) == (found["mase"], found["wql"])
    assert shown_scores("ETT_1H", found) == (found["mase"], found["sql"])


def test_geometric_means_are_of_ratios():
    scores, naive = {"a": (1.0, 2.0), "b": (4.0, 2.0)}, {"a": (2.0, 2.0), "b": (2.0, 4.0)}
    assert geometric_means(scores, naive) == pytest.approx((1.0, 0.5**0.5))
    assert geometric_means({"a": (1.0,)}, {"a": (2.0,)}) == pytest.approx((0.5,))


def test_twenty_windows_of_both_files_are_read(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    (tmp_path / "ETT-small").mkdir()
    for name in ("ETTh1", "ETTh2"):
        rows = {column: random.normal(size=40 * 168 + 100).round(3) for column in "abcdefg"}
        path = tmp_path / "ETT-small" / f"{name}.csv"
        pd.DataFrame({"date": range(40 * 168 + 100), **rows}).to_csv(path, index=False)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setitem(yardsticks.SHA256, f"ETT-small/{name}.csv", digest)
    test, held_back = (read_windows(tmp_path, "ETT_1H", held_back=held) for held in (False, True))
    assert len(test) == len(held_back) == 20
    assert test[0].truth.shape == (14, 168)
    assert {len(values) for values in held_back[0].past} == {100}
    assert {len(values) for values in held_back[-1].series} == {len(values) for values in test[0].past}
    (one,) = read_windows(tmp_path, "ETTh")
    assert one.horizon == 24
    assert not set(TASKS) & set(ROLLING)
    path.write_text("date,a\n1,2\n")
    with pytest.raises(SystemExit, match="sha256 differs"):
        read_windows(tmp_path, "ETTh")


def test_validation_windows_end_before_the_test_part(monkeypatch):
    task = make_task(lengths=(30, 41, 19), horizon=5, season=4)
    monkeypatch.setattr("zero_shot_tasks.read_task", lambda folder, name: task)
    windows = validation_windows(None, "made up")
    assert len(windows) == 2
    assert len(validation_windows(None, "ETTh")) == 10
    for number, window in enumerate(windows, start=1):
        for mine, whole in zip(window.series, task.series, strict=False):
            np.testing.assert_array_equal(mine, whole[: len(whole) - 5 * number])
    # Of 19 values, 9 and 4 are known before them: the second has no season and four differences.
    assert [len(window.series) for window in windows] == [3, 2]
    means = [naive_scores(window) for window in windows]
    np.testing.assert_allclose(validation_scores(windows, Task.naive_deciles), np.mean(means, axis=0))
