"""Levels are per cent: a share such as 0.8 is refused wherever levels are given."""

import numpy as np
import pandas as pd
import pytest

import seqcast
from seqcast import Forecaster
from seqcast.errors import SpecError
from seqcast.evaluation.scores import evaluate, leaderboard
from seqcast.intervals.conformal import calibrate_points
from seqcast.intervals.levels import check_levels
from seqcast.intervals.request import ForecastRequest
from seqcast.tune import tune

DAYS = pd.date_range("2024-01-01", periods=60)
FRAME = pd.DataFrame({"unique_id": "a", "ds": DAYS, "y": np.sin(np.arange(60.0))})
HINT = r"level: expected levels above 1 and below 100 per cent.* Levels are per cent: 80, not 0\.8\."


@pytest.fixture(scope="module")
def forecaster():
    return Forecaster(3, preset="pretrained", verbose=0).fit(FRAME)


DOORS = {
    "the option": lambda model: Forecaster(3, level=0.8).fit(FRAME),
    "levels": lambda model: Forecaster(3, level=(0.8, 0.95)).fit(FRAME),
    "mixed": lambda model: Forecaster(3, level=[0.8, 95]).fit(FRAME),
    "forecast": lambda model: seqcast.forecast(FRAME, 3, level=0.8),
    "predict": lambda model: model.predict(level=[0.8]),
    "an array": lambda model: model.predict(level=np.array([0.8])),
    "anomalies": lambda model: model.anomalies(FRAME, level=0.8),
    "tune": lambda model: tune(FRAME, 3, trials=1, level=0.8),
    "evaluate": lambda model: evaluate(model.backtest(FRAME), level=0.8),
    "leaderboard": lambda model: leaderboard(model.backtest(FRAME), level=[0.8]),
    "calibration": lambda model: calibrate_points(np.zeros((9, 1)), np.zeros((9, 1)), level=0.8),
    "a request": lambda model: ForecastRequest(level=(0.8,)),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_a_share_is_refused_with_the_level_that_is_meant(door, forecaster):
    with pytest.raises(SpecError, match=HINT):
        door(forecaster)


@pytest.mark.parametrize("level", [1, 1.0, 0.5, (1, 80), 0.999])
def test_what_is_one_or_less_is_no_level(level):
    with pytest.raises(SpecError, match="level: expected levels above 1"):
        check_levels(level)


def test_narrow_levels_stay():
    assert check_levels((1.5, 2, 50)) == (1.5, 2.0, 50.0)
