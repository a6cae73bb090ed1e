"""Tasks are cut as they should be, and their scores are those of plain loops."""

import itertools

import numpy as np
import pandas as pd
import pytest
from zero_shot_tasks import (
    Task,
    forecast_column,
    geometric_means,
    mean_scores,
    read_windows,
    shown_scores,
)

from tests.rejections import rejected

PROBABILITIES = [place / 10 for place in range(1, 10)]


def make_task(*, lengths=(30, 41, 26), horizon=5, season=4, gaps=False, **further):
    random = np.random.default_rng(0)
    series = [
        10 * (place + 1) + random.normal(size=length).cumsum()
        for place, length in enumerate(lengths)
    ]
    if gaps:
        series[0][[3, 11, -2]] = np.nan
    return Task("made up", series, horizon, season, season, "D", **further)


def make_deciles(task, seed=1):
    random = np.random.default_rng(seed)
    noise = random.normal(size=(len(task.series), task.horizon, 9))
    return np.sort(np.nan_to_num(task.truth)[:, :, None] + noise)


def plain_scores(task, deciles):
    """Compute MASE, WQL and SQL by loops, as fev defines them: over what is known, steps of all series alike."""
    errors = []
    scaled = []
    losses = [[] for _ in PROBABILITIES]
    magnitudes = []
    for values, quantiles in zip(task.series, deciles, strict=True):
        past = values[: -task.horizon]
        truth = values[-task.horizon :]
        m = task.protocol_season
        differences = [abs(past[t] - past[t - m]) for t in range(m, len(past))]
        differences = [one for one in differences if not np.isnan(one)]
        scale = sum(differences) / len(differences)
        for y, row in zip(truth, quantiles, strict=True):
            if np.isnan(y):
                continue
            own = [
                2 * (q * (y - p) if y > p else (1 - q) * (p - y))
                for q, p in zip(PROBABILITIES, row, strict=True)
            ]
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
    windows = task.windows(3)
    before = task.held_back(3).windows(3)[-1]
    assert [window.later for window in windows] == [0, 5, 10]
    np.testing.assert_array_equal(windows[-1].series[1], task.series[1])
    for one, after in itertools.pairwise(
        [before, *windows]
    ):  # what is held back ends where the first window begins
        for values, past in zip(one.series, after.past, strict=True):
            np.testing.assert_array_equal(values, past)


def test_deciles_are_in_the_order_of_series_steps_and_probabilities():
    task = make_task(names=("c", "a", "b"))
    expected = make_deciles(task)
    columns = [forecast_column(each) for each in PROBABILITIES]
    keys = pd.MultiIndex.from_product([task.ids, range(5)], names=["unique_id", "ds"]).to_frame(
        index=False
    )
    frame = pd.concat([keys, pd.DataFrame(expected.reshape(15, 9), columns=columns)], axis=1)
    np.testing.assert_array_equal(task.deciles(frame.sample(frac=1.0, random_state=0)), expected)


def test_means_over_windows_and_over_tasks():
    windows = make_task().windows(3)
    deciles = [make_deciles(window, seed=seed) for seed, window in enumerate(windows)]
    found = mean_scores(windows, deciles)
    expected = np.mean([plain_scores(*pair) for pair in zip(windows, deciles, strict=True)], axis=0)
    np.testing.assert_allclose([found["mase"], found["wql"], found["sql"]], expected)
    assert shown_scores("ETTh", found)[1] == found["wql"]
    assert shown_scores("ETT_1H", found)[1] == found["sql"]
    scores = {"a": (1.0, 2.0), "b": (4.0, 2.0)}
    naive = {"a": (2.0, 2.0), "b": (2.0, 4.0)}
    assert geometric_means(scores, naive) == pytest.approx((1.0, 0.5**0.5))


def test_files_that_are_not_those_of_the_protocol_are_rejected(tmp_path):
    (tmp_path / "ETT-small").mkdir()
    (tmp_path / "ETT-small" / "ETTh1.csv").write_text("date,a\n1,2\n")
    rejected(SystemExit, "sha256 differs", read_windows, tmp_path, "ETTh")
    rejected(SystemExit, "there is no", read_windows, tmp_path, "nn5")
