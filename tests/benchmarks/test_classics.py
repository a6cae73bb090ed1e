"""Single series: which rows are known at each cutoff, and the errors against plain loops."""

import hashlib
import json
import sys

import classics
import numpy as np
import pandas as pd
import pytest
import yardsticks
from yardsticks import CLASSICS, read_classic

from seqcast.data.datasets import describe, load, names


@pytest.mark.parametrize("name", names())
def test_shipped_series_are_read_with_their_season_and_step(name, tmp_path):
    competition = read_classic(tmp_path, name)
    values = np.concatenate([competition.train[name], competition.test[name]])
    np.testing.assert_array_equal(values, load(name)["y"])
    assert competition.season == describe(name).season_length
    assert describe(name).frequency.startswith(competition.freq)


def test_cutoffs_are_a_horizon_apart(tmp_path):
    parts = read_classic(tmp_path, "lynx").cutoffs(4)
    y = load("lynx")["y"].to_numpy()
    for place, part in enumerate(parts):
        stop = len(y) - (4 - place) * 8
        np.testing.assert_array_equal(part.train["lynx"], y[:stop])
        np.testing.assert_array_equal(part.test["lynx"], y[stop : stop + 8])


def plain_mase(y, horizon, season, forecast):
    """Compute the mean over four cutoffs by loops."""
    scores = []
    for place in range(4):
        stop = len(y) - (4 - place) * horizon
        scale = sum(abs(y[t] - y[t - season]) for t in range(season, stop)) / (stop - season)
        errors = [abs(y[stop + step] - forecast(y[:stop], step)) for step in range(horizon)]
        scores.append(sum(errors) / horizon / scale)
    return sum(scores) / 4


@pytest.mark.parametrize(("name", "horizon", "season"), [("lynx", 8, 1), ("elnino", 12, 12), ("co2", 52, 52)])
def test_the_naive_error_is_that_of_plain_loops(name, horizon, season, tmp_path):
    y = load(name)["y"].to_numpy()
    expected = plain_mase(y, horizon, season, lambda past, step: past[-season + step % season])
    assert classics.naive_mase(tmp_path, name) == pytest.approx(expected)


def test_each_cutoff_has_a_forecaster_of_its_own_that_sees_what_is_known(tmp_path, monkeypatch):
    fitted = []

    class Last:
        """Repeats the last value."""

        def fit(self, df):
            self.df = df
            fitted.append(df)
            return self

        def predict(self):
            stamps = pd.date_range(self.df["ds"].max(), periods=9, freq="YS")[1:]
            return pd.DataFrame({"unique_id": "lynx", "ds": stamps, "seqcast": self.df["y"].iloc[-1]})

    monkeypatch.setattr(classics, "forecaster", lambda *given: Last())
    monkeypatch.setattr(classics, "record", lambda scores, seconds, models: {**scores, "models": len(models)})
    found = classics.measure(tmp_path, "lynx", "quick", 0)
    y = load("lynx")["y"].to_numpy()
    assert found["mase"] == pytest.approx(plain_mase(y, 8, 1, lambda past, step: past[-1]))
    assert found["models"] == len(found["mase_by_cutoff"]) == 4
    assert [len(df) for df in fitted] == [len(y) - 32, len(y) - 24, len(y) - 16, len(y) - 8]


def test_files_of_the_folder_are_checked(tmp_path, monkeypatch):
    path = tmp_path / "classics" / "ausbeer.csv"
    path.parent.mkdir()
    pd.DataFrame({"Y": np.arange(60.0), "date": 0}).to_csv(path, index=False)
    with pytest.raises(SystemExit, match="sha256 differs"):
        read_classic(tmp_path, "ausbeer")
    monkeypatch.setitem(yardsticks.SHA256, "classics/ausbeer.csv", hashlib.sha256(path.read_bytes()).hexdigest())
    competition = read_classic(tmp_path, "ausbeer")
    np.testing.assert_array_equal(competition.test["ausbeer"], np.arange(52.0, 60.0))
    with pytest.raises(SystemExit, match="there is no"):
        read_classic(tmp_path, "air_passengers")


def test_ours_and_others_stand_in_one_table(tmp_path, monkeypatch, capsys):
    asked = []

    def peer(folder, name, method, *further):
        asked.append((name, method, further))
        return {"mase": 0.8, "whole_s": 4.0, "version": "1"}

    monkeypatch.setattr(classics, "run_peer", peer)
    monkeypatch.setattr(classics, "check_peers", lambda: None)
    monkeypatch.setattr("methods.first_run", lambda command: {"mase": 0.5, "seconds": 9.0})
    monkeypatch.setattr("methods.code", lambda files: "code")
    monkeypatch.setattr(classics, "code", lambda files: "code")
    arguments = ["data", "--out", str(tmp_path), "--series", "lynx", "sunspots"]
    arguments += ["--method", "pretrained", "statsforecast-AutoETS"]
    monkeypatch.setattr(sys, "argv", ["classics.py", *arguments])
    for _ in range(2):
        classics.main()
    assert [(name, further) for name, _, further in asked] == [
        ("lynx", ("--cutoffs", "4")),
        ("sunspots", ("--cutoffs", "4")),
    ]
    naive = classics.naive_mase(tmp_path, "lynx")
    shown = capsys.readouterr().out
    assert f"| lynx | 8 | 1 | 0.500 | 0.800 | {naive:.3f} |" in shown
    assert "| lynx | 9 | 4 |" in shown
    records = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    assert len(records) == 4
    assert {record["cutoffs"] for record in records} == {4}


def test_series_have_horizons_that_four_cutoffs_fit_into(tmp_path):
    for name in names():
        _, _, horizon, season, _ = CLASSICS[name]
        assert len(load(name)) - 4 * horizon > 2 * max(season, horizon)
