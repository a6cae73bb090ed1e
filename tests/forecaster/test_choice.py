"""The choice by evidence: shares of candidates by their losses on validation windows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.forecaster.candidates import words
from seqcast.forecaster.candidates.last_season import FittedLastSeason
from seqcast.forecaster.candidates.trained import FittedTrained
from seqcast.forecaster.candidates.zero_shot import FittedZeroShot
from seqcast.forecaster.choice import Choice, choose
from seqcast.pretrained import load_pretrained
from seqcast.runtime.payload import from_parts, to_parts

PROBABILITIES = (0.5, 0.1, 0.9)


def forecasts_of(truth, **errors):
    """Return forecasts whose quantiles lie around the truth, moved by an error each."""
    around = np.array([0.0, -1.0, 1.0])
    return {name: truth[..., None] + around + np.asarray(error) for name, error in errors.items()}


def loss_by_loops(truth, forecast, probabilities):
    total = 0.0
    for y, quantiles in zip(truth.ravel(), forecast.reshape(-1, len(probabilities)), strict=True):
        for q, p in zip(quantiles, probabilities, strict=True):
            total += p * (y - q) if y >= q else (1 - p) * (q - y)
    return total / truth.size / len(probabilities)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), windows=st.integers(1, 200))
def test_shares_are_shares_and_losses_are_those_of_plain_loops(seed, windows):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(4, 3, 2))
    forecasts = {name: rng.normal(size=(4, 3, 2, 3)) for name in ("seasonal_naive", "pretrained", "trained")}
    choice = choose(truth, forecasts, PROBABILITIES, windows=windows)
    assert sum(choice.shares.values()) == pytest.approx(1)
    assert min(choice.shares.values()) >= 0.05
    for name, forecast in forecasts.items():
        assert choice.losses[name] == pytest.approx(loss_by_loops(truth, forecast, PROBABILITIES))
    blend = sum(share * forecasts[name] for name, share in choice.shares.items())
    assert choice.losses["blend"] == pytest.approx(loss_by_loops(truth, blend, PROBABILITIES))


def test_what_is_far_worse_has_no_share_however_few_the_windows():
    truth = np.zeros((1, 2, 1))
    choice = choose(truth, forecasts_of(truth, pretrained=0.1, trained=9.0), PROBABILITIES, windows=1)
    assert choice.shares == {"pretrained": 1.0}
    perfect = {"seasonal_naive": np.zeros((1, 2, 1, 3)), **forecasts_of(truth, pretrained=0.5)}
    assert choose(truth, perfect, PROBABILITIES, windows=1).shares == {"seasonal_naive": 1.0}


def test_networks_that_are_as_good_share_alike_and_the_last_season_hardly():
    truth = np.zeros((5, 2, 1))
    # Errors to the same side: no mixture is better than another.
    forecasts = forecasts_of(truth, seasonal_naive=0.5, pretrained=0.5, trained=0.5)
    shares = choose(truth, forecasts, PROBABILITIES, windows=0).shares
    assert shares["pretrained"] == pytest.approx(shares["trained"])
    assert shares.get("seasonal_naive", 0.0) < 0.1


def test_missing_truths_do_not_count():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(6, 2, 1))
    forecasts = forecasts_of(truth, pretrained=rng.normal(size=(6, 2, 1, 1)), trained=rng.normal(size=(6, 2, 1, 1)))
    holes = np.concatenate([truth, np.full((3, 2, 1), np.nan)])
    longer = {name: np.concatenate([values, np.full((3, 2, 1, 3), 7.0)]) for name, values in forecasts.items()}
    assert (
        choose(holes, longer, PROBABILITIES, windows=4).shares
        == choose(truth, forecasts, PROBABILITIES, windows=4).shares
    )


def test_a_choice_is_told_and_kept():
    choice = Choice({"pretrained": 0.6, "trained": 0.4}, {"pretrained": 1.0, "trained": 2.0, "blend": 0.9}, 1)
    assert str(choice) == (
        "60% the pretrained network + 40% a network trained on this data (quantile loss on 1 validation window: "
        "together 0.9, the pretrained network 1, a network trained on this data 2)"
    )
    assert from_parts(Choice, *to_parts(choice)) == choice
    assert set(words()) == {"seasonal_naive", "pretrained", "finetuned", "trained"}


def test_shares_follow_candidates_that_have_learnt_since():
    choice, model = Choice({"pretrained": 0.6, "trained": 0.4}), load_pretrained()
    trained = FittedTrained(())
    assert choice.among([FittedZeroShot(model, 7, is_finetuned=True), trained]).shares == {
        "finetuned": 0.6,
        "trained": 0.4,
    }
    assert choice.among([FittedZeroShot(model, 7), trained]) == choice
    assert choice.among([FittedLastSeason(7), trained]).shares == {"trained": 1.0}


@pytest.mark.parametrize(
    "changes", [{"shares": {}}, {"shares": {"oracle": 1.0}}, {"shares": {"trained": 0.5}}, {"losses": {"x": 1.0}}]
)
def test_what_is_no_choice_is_refused(changes):
    with pytest.raises(ValueError, match=r"choice|shares"):
        from_parts(Choice, {**Choice.only("trained").to_dict(), **changes}, {}).check()
