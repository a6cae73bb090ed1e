"""The script of a search makes the same forecaster."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from seqcast.forecaster.estimator import Forecaster
from seqcast.specs.network import NetworkSpec
from seqcast.specs.presets import EnsembleSpec, MemberSpec
from seqcast.specs.training import TrainingSpec
from seqcast.tune.script import searched_script


@pytest.mark.processes
def test_a_script_runs_on_a_file(found, frame, tmp_path):
    frame.to_csv(tmp_path / "data.csv", index=False)
    found.save_script(tmp_path / "fit_best.py")
    command = [sys.executable, "fit_best.py", "data.csv", "model.seqcast"]
    environment = {**os.environ, "SEQCAST_THREADS": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    made = Forecaster.load(tmp_path / "model.seqcast").predict()
    np.testing.assert_allclose(made["seqcast"], found.forecaster.predict()["seqcast"], rtol=1e-6)


def test_a_script_makes_the_same_forecasts(found, frame):
    names = {"__name__": "script"}
    exec(compile(found.script, "fit_best.py", "exec"), names)
    made = names["fit"](frame).predict()
    pd.testing.assert_frame_equal(made, found.forecaster.predict(), rtol=1e-6)
    options = names["make_forecaster"]().get_params(deep=False)
    ours = found.forecaster.get_params(deep=False)
    assert {name for name in ours if ours[name] != options[name]} <= {"verbose"}


def test_specs_that_hold_more_than_literals_are_written_too():
    network = NetworkSpec(regularizer={"kernel": "l2"}, normalise="last")
    training = TrainingSpec(optimizer={"class_name": "AdamW", "config": {"weight_decay": 0.1}})
    ensemble = EnsembleSpec((MemberSpec(network, training),))
    names = {"__name__": "script"}
    exec(searched_script({"horizon": 3, "preset": ensemble, "level": np.float64(80)}, 12.4), names)
    assert names["make_forecaster"]().preset == ensemble
    assert "fit(rows, time_limit=12)" in searched_script({"horizon": 3}, 12.4)
