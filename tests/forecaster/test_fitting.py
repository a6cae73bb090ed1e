"""How many networks a fit trains, and how much they read."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster
from seqcast.engine.jobs import DivergedJobsError
from seqcast.errors import SeqcastWarning, TrainingError
from seqcast.forecaster import fitting, options
from seqcast.forecaster.candidates.last_season import FallbackWarning

H, CONTEXT = 4, 12
BRIEF = {"epochs": 1, "steps_per_epoch": 8, "learning_rate": 0.01}


def waves(rows=120, series=2, early=0.0):
    """Return noisy weeks; the rows before the last context may be moved."""
    rng = np.random.default_rng(3)
    parts = []
    for place in range(series):
        y = 20 + 3 * np.sin(2 * np.pi * np.arange(rows) / 7 + place) + 3 * rng.normal(size=rows)
        y[:-CONTEXT] += early
        parts.append(pd.DataFrame({"unique_id": f"s{place}", "ds": pd.date_range("2024-01-01", periods=rows), "y": y}))
    return pd.concat(parts, ignore_index=True)


def best(**changes):
    """Return a forecaster whose candidates are the last season and trained networks, for the level of 99."""
    given = {"preset": "auto", "effort": "best", "level": (80, 99), "training": BRIEF, "random_state": 1}
    return Forecaster(H, **{**given, **changes})


def told(text):
    """Return the number of networks and the loss of each line about them."""
    found = re.findall(r"seqcast: (\d+) networks, quantile loss (\S+)", text)
    return [int(count) for count, _ in found], [float(loss) for _, loss in found]


@pytest.fixture
def one_by_one(monkeypatch):
    """Networks are added one by one, to at most two."""
    monkeypatch.setattr(options, "NETWORKS_A_ROUND", 1)
    monkeypatch.setattr(options, "MOST_MEMBERS", 2)


def test_best_trains_three_more_networks_while_they_help(capsys):
    forecaster = best().fit(waves())
    counts, losses = told(capsys.readouterr().err)
    assert counts == [3, 6, 9, 12][: len(counts)]
    helped = [after < before * (1 - fitting.LEAST_GAIN) for before, after in itertools.pairwise(losses)]
    assert all(helped[:-1])
    assert len(helped) >= 1
    assert len(counts) == 4 or not helped[-1]
    kept = forecaster.choice_.losses["blend"]
    assert kept == pytest.approx(min(losses), rel=1e-3)
    assert len(forecaster.engines_) == counts[int(np.argmin(losses))]


@pytest.mark.usefixtures("one_by_one")
def test_what_follows_a_fit_has_as_many_networks(monkeypatch):
    monkeypatch.setattr(fitting, "LEAST_GAIN", -9.0)
    forecaster = best(verbose=0).fit(waves())
    assert len(forecaster.engines_) in (1, 2)
    count = len(forecaster.engines_)
    assert len(forecaster.refit(waves()).engines_) == count
    assert len(forecaster.fit(waves(), warm_start=True).engines_) == count


@pytest.mark.parametrize(("gain", "most", "counts"), [(-9.0, 5, [2, 4, 5]), (0.9, 9, [2, 4])])
def test_networks_are_added_up_to_the_most_or_until_some_are_no_gain(capsys, monkeypatch, gain, most, counts):
    monkeypatch.setattr(fitting, "LEAST_GAIN", gain)
    monkeypatch.setattr(options, "NETWORKS_A_ROUND", 1)
    monkeypatch.setattr(options, "MOST_MEMBERS", most)
    best(members=2).fit(waves())
    assert told(capsys.readouterr().err)[0] == counts


def in_the_second_round(monkeypatch, name, error, module=fitting):
    """Let a function of a module fail when it is called for the second time."""
    calls, function = [], getattr(module, name)

    def failing(*arguments, **options):
        calls.append(name)
        if len(calls) == 2:
            raise error
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, failing)


@pytest.mark.usefixtures("one_by_one")
def test_a_further_network_that_diverges_is_left_out(monkeypatch):
    error = TrainingError("loss", expected="a number", received="nan", hint="Train slower.")
    in_the_second_round(monkeypatch, "run_jobs", DivergedJobsError(error, {}))
    with pytest.warns(SeqcastWarning, match="the last networks were left out, since one of them diverged"):
        forecaster = best(verbose=0).fit(waves())
    assert len(forecaster.engines_) == 1
    assert np.isfinite(forecaster.predict()["seqcast"]).all()


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("name", ["_train", "_chosen"])
def test_an_interruption_keeps_what_was_chosen_before(monkeypatch, name):
    in_the_second_round(monkeypatch, name, KeyboardInterrupt())
    forecaster = best(verbose=0)
    with pytest.raises(KeyboardInterrupt):
        forecaster.fit(waves())
    assert len(forecaster.engines_) == 1
    assert forecaster.choice_.losses


def test_validation_rows_without_a_value_are_none():
    frame = waves()
    frame.loc[frame.groupby("unique_id").cumcount() >= 100, "y"] = np.nan
    with pytest.warns(FallbackWarning, match="there are no validation rows to judge a network by"):
        forecaster = best(effort="balanced", verbose=0).fit(frame)
    assert forecaster.choice_.shares == {"seasonal_naive": 1.0}
    assert np.isfinite(forecaster.predict()["seqcast"]).all()
    # The pretrained network needs no such rows.
    quick = Forecaster(H, effort="quick", random_state=0, verbose=0).fit(frame)
    assert quick.choice_.shares == {"pretrained": 1.0}


def test_a_limited_time_is_shared_by_the_first_three(capsys):
    forecaster = best().fit(waves(), time_limit=4)
    assert told(capsys.readouterr().err)[0] == [3]
    assert len(forecaster.engines_) == 3


@pytest.mark.usefixtures("one_by_one")
def test_a_backtest_adds_networks_at_each_of_its_trainings(capsys):
    table = best().backtest(waves(), n_windows=2, refit=True)
    assert told(capsys.readouterr().err)[0] == [1, 2, 1, 2]
    assert len(table) == 2 * 2 * H


@pytest.mark.parametrize("effort", ["quick", "balanced"])
def test_no_candidate_reads_more_than_the_context_that_is_given(effort):
    training = None if effort == "quick" else {"epochs": 1, "steps_per_epoch": 2}
    given = {"context_length": CONTEXT, "effort": effort, "training": training, "scale": "none", "level": (80,)}
    forecaster = Forecaster(H, random_state=0, verbose=0, **given).fit(waves())
    assert {"pretrained", "finetuned"} & set(forecaster.choice_.shares)
    assert forecaster.context_length_ == CONTEXT
    one, other = (forecaster.predict(df=waves(early=early)) for early in (0.0, 50.0))
    pd.testing.assert_frame_equal(one, other)
