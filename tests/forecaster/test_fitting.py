"""How many networks a fit trains, and how much they read."""

import re

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster
from seqcast.engine import DivergedJobsError
from seqcast.errors import SeqcastWarning, TrainingError
from seqcast.forecaster import FallbackWarning
from seqcast.forecaster.fitting import LEAST_GAIN
from seqcast.forecaster.options import MOST_MEMBERS, NETWORKS_A_ROUND
from seqcast.forecaster.selection import Selection
from seqcast.forecaster.training_run import TrainingRun

from . import panels

H = 4
CONTEXT = 12
BRIEF = {"epochs": 1, "steps_per_epoch": 8, "learning_rate": 0.01}


def waves(early=0.0):
    """Return noisy weeks; the rows before the last context may be moved."""
    frame = panels.waves(rows=120, level=20.0, spacing=0.0, size=3.0, noise=3.0)
    return frame.assign(
        y=frame["y"] + early * (frame.groupby("unique_id").cumcount(ascending=False) >= CONTEXT)
    )


def best(**changes):
    """Return a forecaster whose candidates are the last season and trained networks, for the level of 99."""
    given = {
        "preset": "auto",
        "effort": "best",
        "level": (80, 99),
        "training": BRIEF,
        "random_state": 1,
    }
    return Forecaster(H, **{**given, **changes})


def printed(text):
    """Return the number of networks and the loss of each line about them."""
    found = re.findall(r"seqcast: (\d+) networks, quantile loss (\S+)", text)
    return [int(count) for count, _ in found], [float(loss) for _, loss in found]


def test_networks_are_added_until_some_are_no_gain_and_later_trainings_have_as_many(capsys):
    forecaster = best(members=5).fit(waves())
    counts, losses = printed(capsys.readouterr().err)
    assert counts == [5, 10, MOST_MEMBERS][: len(counts)]
    assert len(counts) > 1

    gains = 1 - np.divide(losses[1:], losses[:-1])
    assert (gains[:-1] >= LEAST_GAIN - 1e-3).all()
    assert counts[-1] == MOST_MEMBERS or gains[-1] <= LEAST_GAIN + 1e-3

    count = counts[int(np.argmin(losses))]
    assert forecaster.choice_.losses["blend"] == pytest.approx(min(losses), rel=1e-3)
    assert len(forecaster.engines_) == count
    assert len(forecaster.refit(waves()).engines_) == count


def in_the_second_round(monkeypatch, owner, name, error):
    """Let a method fail when it is called for the second time."""
    calls = []
    function = getattr(owner, name)

    def failing(*arguments, **options):
        calls.append(name)
        if len(calls) == 2:
            raise error
        return function(*arguments, **options)

    monkeypatch.setattr(owner, name, failing)


def test_a_later_network_that_diverges_is_left_out(monkeypatch):
    error = TrainingError("loss", expected="a number", received="nan", hint="Train slower.")
    in_the_second_round(monkeypatch, TrainingRun, "run_jobs", DivergedJobsError(error, {}))
    with pytest.warns(
        SeqcastWarning, match="the last networks were left out, since one of them diverged"
    ):
        forecaster = best(verbose=0).fit(waves())
    assert len(forecaster.engines_) == NETWORKS_A_ROUND
    assert np.isfinite(forecaster.predict()["seqcast"]).all()


@pytest.mark.parametrize(("owner", "name"), [(TrainingRun, "run_jobs"), (Selection, "fitted")])
def test_an_interruption_keeps_what_was_chosen_before(monkeypatch, owner, name):
    in_the_second_round(monkeypatch, owner, name, KeyboardInterrupt())
    forecaster = best(verbose=0)
    with pytest.raises(KeyboardInterrupt):
        forecaster.fit(waves())
    assert len(forecaster.engines_) == NETWORKS_A_ROUND
    assert forecaster.choice_.losses


def test_validation_rows_without_a_value_are_none():
    frame = waves()
    frame.loc[frame.groupby("unique_id").cumcount() >= 100, "y"] = np.nan
    with pytest.warns(
        FallbackWarning, match="there are no validation rows to evaluate a network on"
    ):
        forecaster = best(effort="balanced", verbose=0).fit(frame)
    assert forecaster.choice_.shares == {"seasonal_naive": 1.0}
    assert np.isfinite(forecaster.predict()["seqcast"]).all()
    # The pretrained network needs no such rows.
    quick = Forecaster(H, effort="quick", random_state=0, verbose=0).fit(frame)
    assert quick.choice_.shares == {"pretrained": 1.0}


@pytest.mark.filterwarnings("ignore::seqcast.forecaster.candidates.last_season.FallbackWarning")
def test_a_limited_time_is_shared_by_the_first_three(capsys):
    forecaster = best().fit(waves(), time_limit=3)
    # On a busy machine they may be too bad to be used.
    used = [3] if "trained" in forecaster.choice_.shares else []
    assert printed(capsys.readouterr().err)[0] == used
    assert len(forecaster.histories_) >= sum(used)


def test_a_backtest_adds_networks_at_each_of_its_trainings(capsys):
    table = best().backtest(waves(), n_windows=2, refit=True)
    counts, _ = printed(capsys.readouterr().err)
    assert counts.count(NETWORKS_A_ROUND) == counts.count(2 * NETWORKS_A_ROUND) == 2
    assert len(table) == 2 * 2 * H


@pytest.mark.parametrize("effort", ["quick", "balanced"])
def test_no_candidate_reads_more_than_the_context_that_is_given(effort):
    training = None if effort == "quick" else {"epochs": 1, "steps_per_epoch": 2}
    given = {
        "context_length": CONTEXT,
        "effort": effort,
        "training": training,
        "scale": "none",
        "level": (80,),
    }
    forecaster = Forecaster(H, random_state=0, verbose=0, **given).fit(waves())
    assert {"pretrained", "finetuned"} & set(forecaster.choice_.shares)
    assert forecaster.context_length_ == CONTEXT
    one, other = (forecaster.predict(df=waves(early=early)) for early in (0.0, 50.0))
    pd.testing.assert_frame_equal(one, other)


def test_both_versions_of_the_pretrained_network_share_and_later_trainings_keep_what_they_have(
    tmp_path,
):
    few = {"epochs": 1, "steps_per_epoch": 2}
    how = {
        "context_length": CONTEXT,
        "training": few,
        "scale": "none",
        "level": (80,),
        "random_state": 0,
        "verbose": 0,
    }
    forecaster = Forecaster(H, effort="balanced", **how).fit(waves())
    shares = forecaster.choice_.shares
    assert {"pretrained", "finetuned"} <= set(
        shares
    )  # two steps change little, so their losses are alike
    forecaster.save(tmp_path / "model.seqcast")
    loaded = Forecaster.load(tmp_path / "model.seqcast")
    pd.testing.assert_frame_equal(loaded.predict(), forecaster.predict())
    assert forecaster.refit(waves()).choice_.shares == shares
    pd.testing.assert_frame_equal(loaded.predict(), forecaster.predict())
    after = forecaster.finetune(waves(), training=few).choice_.shares
    together = shares["pretrained"] + shares["finetuned"]
    assert after.get("pretrained", 0) + after.get("finetuned", 0) == pytest.approx(together)
    assert not {"pretrained", "finetuned"} <= set(after)
