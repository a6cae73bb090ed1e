"""The objective: its equation in plain NumPy, and that nothing of the future reaches a forecast or a training."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from seqcast.errors import DataError
from seqcast.forecaster.arguments import ForecasterArguments
from seqcast.forecaster.estimator import Forecaster
from seqcast.forecaster.options import ReadOptions
from seqcast.forecaster.reading import read_rows
from seqcast.tune.objective import USUAL_LIMITS, Objective, TrialLimits
from tests.rejections import rejected

from .conftest import QUICK, TINY, waves

WINDOWS = 2
HORIZON = 4


def objective(frame, limits=USUAL_LIMITS, **changes):
    options = Forecaster(
        HORIZON, preset=TINY, training=QUICK, level=(), context_length=8
    ).get_params(deep=False)
    options |= changes
    how = {"n_windows": WINDOWS, "step_size": None}
    arguments = ForecasterArguments(**options)
    rows = read_rows(ReadOptions.of(arguments), frame)
    return Objective.of(rows, arguments, 0, **how, limits=limits)


def test_the_loss_is_that_of_the_equation():
    frame = waves()
    frame.loc[57, "y"] = np.nan
    own = objective(frame)
    forecast, probabilities = own.forecast(own.fit(own.untuned))
    assert probabilities == (0.5,)
    losses = []
    values = frame.pivot(index="unique_id", columns="ds", values="y").to_numpy()
    for place, (series, stop) in enumerate(zip(own.origins.series, own.origins.stops, strict=True)):
        first = values[series, : 60 - WINDOWS * HORIZON]
        scale = np.nanmean(np.abs(first[7:] - first[:-7]))
        error = np.abs(values[series, stop : stop + HORIZON] - forecast[place, :, 0, 0])
        losses.append(np.nanmean(error) / scale)
    assert own.loss_of(forecast, probabilities) == pytest.approx(np.mean(losses), rel=1e-6)
    larger = objective(frame.assign(y=1000.0 * frame["y"]))
    assert larger.loss_of(1000.0 * forecast, probabilities) == pytest.approx(
        np.mean(losses), rel=1e-6
    )
    rejected(DataError, "2 windows of 4 steps", objective, waves(rows=8))


def test_the_future_reaches_neither_training_nor_forecasts():
    """What comes after an origin may be anything: the forecast from it, and the network, stay as they are."""
    frame = waves()
    own = objective(frame)
    state = own.fit(own.untuned)
    forecast, _ = own.forecast(state)
    days = np.sort(frame["ds"].unique())
    for window in range(WINDOWS):
        first = days[60 - (WINDOWS - window) * HORIZON]
        changed = frame.assign(
            y=frame["y"].where(frame["ds"] < first, 1e4 + 77.0 * np.arange(len(frame)))
        )
        other = objective(changed)
        other_state = other.fit(other.untuned)
        for ours, theirs in zip(
            state.networks[0].weights, other_state.networks[0].weights, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
        known = own.origins.cutoff <= window
        np.testing.assert_array_equal(other.forecast(other_state)[0][known], forecast[known])
    assert not np.array_equal(other.frame.targets, own.frame.targets)


def test_series_that_do_not_change_or_begin_late_are_left_out():
    frame = waves()
    flat = pd.DataFrame({"unique_id": "flat", "ds": frame["ds"].iloc[:60], "y": 3.0})
    late = pd.DataFrame({"unique_id": "late", "ds": frame["ds"].iloc[54:60], "y": np.arange(6.0)})
    own = objective(pd.concat([frame, flat, late], ignore_index=True))
    assert np.isfinite(own.score(own.untuned))
    only = objective(flat)
    rejected(DataError, "of series that change before it", only.score, only.untuned)


def test_of_many_windows_and_series_a_trial_learns_from_some():
    """The untuned training reads 2 epochs of 2 steps of 16 windows; its setting stays whole."""
    few = TrialLimits(windows=32, series=2)
    own = objective(waves(series=5), few)
    assert (own.frame.source.ids, own.share) == (("s0", "s3"), 0.5)
    assert [len(history) for history in own.fit(own.untuned).histories] == [1]
    assert own.untuned.training.epochs == 2
    assert np.isfinite(own.score(own.untuned))
    own = objective(waves(series=5), replace(few, least_steps=1))
    (training,) = own.fit(own.untuned).trainings
    assert (training.epochs, training.steps_per_epoch) == (2, 1)
