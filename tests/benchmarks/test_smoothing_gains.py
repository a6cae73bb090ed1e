"""The gains of smoothings are chosen by what they err on windows before the test parts."""

import sys

import numpy as np
import pytest
from zero_shot_tasks import Task

import smoothing_gains

KEEPS, WALKS = (0.02, 0.0, 0.02, 0.9), (0.95, 0.0, 0.02, 0.9)


def task(values, horizon=4):
    return Task("made up", list(values), horizon, 1, 1, "D")


@pytest.fixture
def walks():
    return [task(np.random.default_rng(seed).normal(size=(6, 60)).cumsum(axis=1)) for seed in (0, 1)]


def test_a_ratio_is_the_error_of_the_mean_over_that_of_the_last_value(walks):
    own = smoothing_gains.smoothings(walks, [KEEPS, WALKS])
    assert own.forecasts.shape == (12, 4, 4)
    assert own.errors.shape == (12, 4)
    # Walks are not all positive: smoothings of logarithms are those of values, and the mean of both is either.
    each = [np.abs(window.truth - window.seasonal_naive()) for window in walks]
    scales = [[np.abs(np.diff(past)).mean() for past in window.past] for window in walks]
    naive = np.mean(np.concatenate(each) / np.concatenate(scales)[:, None])
    assert own.naive == pytest.approx(naive)
    error = np.abs(own.truth - own.forecasts[:, :, 1]).mean()
    assert own.ratio([1]) == pytest.approx(error / naive, rel=1e-5)


def test_walks_are_smoothed_little_and_levels_much(walks, monkeypatch, capsys):
    noise = [task(100 + np.random.default_rng(seed).normal(size=(6, 60))) for seed in (2, 3)]
    monkeypatch.setattr(smoothing_gains, "POOL", [KEEPS, WALKS])
    monkeypatch.setattr(smoothing_gains, "TASKS", ["one"])
    monkeypatch.setattr(sys, "argv", ["smoothing_gains.py", "--data", "nowhere", "--most", "1"])
    for windows, best in ((walks, WALKS), (noise, KEEPS)):
        monkeypatch.setattr(smoothing_gains, "validation_windows", lambda folder, name, windows=windows: windows)
        smoothing_gains.main()
        assert capsys.readouterr().out.splitlines()[-1].endswith(str([best]))
