"""The choice by evidence: shares of candidates by their losses on validation windows, and ensembles that have one."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from seqcast import Forecaster, NetworkSpec, TrainingSpec
from seqcast.data.series import InMemoryStore, SeriesScaler
from seqcast.data.windows import Origins, WindowReader
from seqcast.forecaster import words
from seqcast.forecaster.candidates.last_season import FittedLastSeason, naive_calibrations
from seqcast.forecaster.candidates.trained import FittedTrained
from seqcast.forecaster.candidates.zero_shot import FittedZeroShot
from seqcast.forecaster.choice import Choice, choose
from seqcast.forecaster.hold_out import HoldOut, count_cutoffs
from seqcast.intervals import Calibration, ForecastRequest
from seqcast.pretrained import load_pretrained
from seqcast.runtime import from_payload, to_payload
from seqcast.specs import EnsembleSpec, MemberSpec

from .panels import waves

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
@given(seed=st.integers(0, 999), cutoffs=st.integers(1, 200))
def test_shares_are_shares_and_losses_are_those_of_plain_loops(seed, cutoffs):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(4, 3, 2))
    forecasts = {
        name: rng.normal(size=(4, 3, 2, 3)) for name in ("seasonal_naive", "pretrained", "trained")
    }
    choice = choose(truth, forecasts, PROBABILITIES, cutoffs=cutoffs)
    assert sum(choice.shares.values()) == pytest.approx(1)
    assert min(choice.shares.values()) >= 0.05
    assert set(choice.shares) <= set(forecasts)
    for name, forecast in forecasts.items():
        assert choice.losses[name] == pytest.approx(loss_by_loops(truth, forecast, PROBABILITIES))
    blend = sum(share * forecasts[name] for name, share in choice.shares.items())
    assert choice.losses["blend"] == pytest.approx(loss_by_loops(truth, blend, PROBABILITIES))


def test_what_is_far_worse_has_no_share_however_few_the_cutoffs():
    truth = np.zeros((1, 2, 1))
    choice = choose(
        truth, forecasts_of(truth, pretrained=0.1, trained=9.0), PROBABILITIES, cutoffs=1
    )
    assert choice.shares == {"pretrained": 1.0}
    perfect = {"seasonal_naive": np.zeros((1, 2, 1, 3)), **forecasts_of(truth, pretrained=0.5)}
    assert choose(truth, perfect, PROBABILITIES, cutoffs=1).shares == {"seasonal_naive": 1.0}


def test_networks_that_are_as_good_share_alike_and_the_last_season_hardly():
    truth = np.zeros((5, 2, 1))
    # Errors to the same side: no mixture is better than another.
    forecasts = forecasts_of(truth, seasonal_naive=0.5, pretrained=0.5, trained=0.5)
    shares = choose(truth, forecasts, PROBABILITIES, cutoffs=0).shares
    assert shares["pretrained"] == pytest.approx(shares["trained"])
    assert shares.get("seasonal_naive", 0.0) < 0.1


def test_candidates_that_complement_each_other_share_and_the_more_cutoffs_the_less_the_others():
    truth = np.zeros((40, 2, 1))
    forecasts = forecasts_of(truth, pretrained=0.9, finetuned=1.0, trained=-1.0)
    shares = [
        choose(truth, forecasts, (0.5,) * 3, cutoffs=n).shares["trained"] for n in (0, 20, 2_000)
    ]
    assert shares == sorted(shares)
    assert shares[0] < 0.3  # the largest loss
    assert shares[-1] == pytest.approx(0.5, abs=0.03)  # errors cancel


def test_what_is_best_on_many_cutoffs_has_the_share_and_on_one_it_has_some():
    truth = np.zeros((200, 2, 1))
    forecasts = {
        name: truth[..., None] + np.full(3, error)
        for name, error in (("pretrained", 1.05), ("trained", 1.0))
    }
    few, many = (
        choose(truth, forecasts, (0.5,) * 3, cutoffs=n).shares["trained"] for n in (1, 500)
    )
    assert 0.5 < few < 0.7
    assert many > 0.95


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_windows_and_of_candidates_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(30, 3, 1))
    order = rng.permutation(30)
    forecasts = {
        name: rng.normal(size=(30, 3, 1, 3)) for name in ("seasonal_naive", "pretrained", "trained")
    }
    moved = {name: forecasts[name][order] for name in reversed(forecasts)}
    chosen = choose(truth, forecasts, PROBABILITIES, cutoffs=9)
    again = choose(truth[order], moved, PROBABILITIES, cutoffs=9)
    assert again.shares == pytest.approx(chosen.shares)


def test_missing_truths_do_not_count():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(6, 2, 1))
    forecasts = forecasts_of(
        truth, pretrained=rng.normal(size=(6, 2, 1, 1)), trained=rng.normal(size=(6, 2, 1, 1))
    )
    holes = np.concatenate([truth, np.full((3, 2, 1), np.nan)])
    longer = {
        name: np.concatenate([values, np.full((3, 2, 1, 3), 7.0)])
        for name, values in forecasts.items()
    }
    shares, expected = (
        choose(*each, PROBABILITIES, cutoffs=4).shares
        for each in ((holes, longer), (truth, forecasts))
    )
    assert shares == expected


def test_a_choice_in_words_and_in_files():
    choice = Choice(
        {"pretrained": 0.6, "trained": 0.4}, {"pretrained": 1.0, "trained": 2.0, "blend": 0.9}, 1
    )
    assert str(choice) == (
        "60% the pretrained network + 40% a network trained on this data (quantile loss on 1 validation window: "
        "together 0.9, the pretrained network 1, a network trained on this data 2)"
    )
    ahead = replace(choice, losses={**choice.losses, "blend": 1.5})
    assert str(ahead).endswith(
        "(quantile loss on 1 validation window: the pretrained network 1, together 1.5, a network trained on this "
        "data 2; that the pretrained network alone is ahead may be chance)"
    )
    assert from_payload(Choice, *to_payload(choice)) == choice
    assert set(words()) == {
        "seasonal_naive",
        "longer_seasonal_naive",
        "pretrained",
        "finetuned",
        "trained",
    }


def test_shares_follow_candidates_that_have_learned_since():
    choice = Choice({"pretrained": 0.6, "trained": 0.4})
    model = load_pretrained()
    trained = FittedTrained(())
    finetuned = FittedZeroShot(model, 7, is_trained=True)
    assert choice.among([finetuned, trained]).shares == {"finetuned": 0.6, "trained": 0.4}
    assert choice.among([FittedZeroShot(model, 7), trained]) == choice
    assert choice.among([FittedLastSeason(7), trained]).shares == {"trained": 1.0}
    both = Choice({"pretrained": 0.25, "finetuned": 0.25, "trained": 0.5})
    assert both.among([FittedZeroShot(model, 7), finetuned, trained]) == both
    assert both.among([finetuned, trained]).shares == {"finetuned": 0.5, "trained": 0.5}


WRONG = [
    {"shares": {}},
    {"shares": {"oracle": 1.0}},
    {"shares": {"trained": 0.5}},
    {"losses": {"x": 1.0}},
]


@pytest.mark.parametrize("changes", WRONG)
def test_what_is_no_choice_is_rejected(changes):
    with pytest.raises(ValueError, match=r"choice|shares"):
        from_payload(Choice, {**Choice({"trained": 1.0}).to_dict(), **changes}, {}).check()


# ---------------------------------------------------------------- hold-out windows


def hold_out(values, cutoffs=(8, 12), season_length=4):
    """Return the hold-out windows of series, at some numbers of known rows."""
    store = InMemoryStore.of(
        {f"s{place}": np.asarray(each)[:, None] for place, each in enumerate(values)}
    )
    count = len(store.ids)
    scaler = SeriesScaler.learn(store, store.lengths, "log")
    reader = WindowReader(store, None, scaler, context_length=8)
    origins = Origins.at_rows(np.repeat(np.arange(count), len(cutoffs)), np.tile(cutoffs, count), 4)
    return HoldOut(reader, origins, ForecastRequest(level=(80.0,)), season_length)


def season(size, level, seed=0):
    rng = np.random.default_rng(seed)
    return level + size * (np.tile([0.0, 3.0, 1.0, 2.0], 4) + rng.normal(size=16))


def test_losses_have_no_unit_and_each_series_counts_by_its_own_naive_error():
    naive = FittedLastSeason(4, (Calibration((80.0,), np.ones((4, 1)), np.ones(4), "point"),))
    small = hold_out([season(1, 50)])
    large = hold_out([season(1000, 50_000)])
    losses = [each.loss(each.forecast(naive)) for each in (small, large)]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)  # intervals are those of logarithms
    errors = np.abs(small.truth - small.forecast(naive)[..., 0]).mean()
    assert errors == pytest.approx(1.0, abs=0.4)  # that of the last season, in units of it


def test_series_that_do_not_change_do_not_count_unless_none_does():
    both = hold_out([season(1, 50), np.full(16, 3.0)])
    flat = hold_out([np.full(16, 3.0)])
    assert len(both) == 2
    assert len(flat) == 2
    assert np.isfinite(
        flat.loss(
            flat.forecast(FittedLastSeason(4, naive_calibrations(flat.reader, 4, 4, (80.0,))))
        )
    )


def test_windows_of_one_time_are_one_cutoff():
    one = hold_out([season(1, 50)] * 3, (12,))
    three = hold_out([season(1, 50)] * 3, (4, 8, 9, 12))
    assert count_cutoffs(one.origins, one.reader.lengths) == 1
    assert count_cutoffs(three.origins, three.reader.lengths) == 3


# ---------------------------------------------------------------- networks of different shapes


FRAME = waves("a", level=5.0, noise=0.0)


def member(units, context_length, **options):
    network = NetworkSpec(encoder_units=units, decoder_units=units, normalise="last", **options)
    return MemberSpec(
        network, TrainingSpec(epochs=1, steps_per_epoch=2, batch_size=8), context_length
    )


# The first and the last have the same length: only their places tell them from each other.
MEMBERS = (member((3,), 8), member((5,), 12), member((6,), 8))


@pytest.fixture(scope="module")
def fitted():
    return Forecaster(
        4, preset=EnsembleSpec(MEMBERS, alone=True), level=(), random_state=0, verbose=0
    ).fit(FRAME)


def test_each_network_is_what_its_member_says_and_the_forecast_is_their_median(fitted):
    for engine, each in zip(fitted.engines_, MEMBERS, strict=True):
        assert (engine.network, engine.training) == (each.network, each.training)
        assert engine.window.context_length == each.context_length
    assert fitted.choice_.shares == {"trained": 1.0}
    (trained,) = fitted.fitted_.candidates
    values = [
        replace(fitted.fitted_, candidates=(replace(trained, engines=(each,)),))
        for each in fitted.engines_
    ]
    alone = [fitted.with_fitted(value).predict()["seqcast"] for value in values]
    np.testing.assert_allclose(fitted.predict()["seqcast"], np.median(alone, axis=0), rtol=1e-6)


def test_files_refits_and_clones_keep_the_shapes(fitted, tmp_path):
    fitted.save(tmp_path / "model.seqcast")
    loaded = Forecaster.load(tmp_path / "model.seqcast")
    assert loaded.preset == fitted.preset
    pd.testing.assert_frame_equal(loaded.predict(), fitted.predict())
    assert clone(loaded).preset == fitted.preset
    again = clone(fitted).fit(FRAME).refit(FRAME)
    assert [engine.network for engine in again.engines_] == [
        engine.network for engine in fitted.engines_
    ]
    np.testing.assert_array_equal(again.predict()["seqcast"], fitted.predict()["seqcast"])


def test_members_have_the_share_of_their_judge(monkeypatch):
    quantiles = {"head": "quantile", "quantiles": (0.1, 0.5, 0.9)}
    members = [member((3,), 8, **quantiles), member((3,), 12, **quantiles)]
    proxy = member((5,), 8, **quantiles)
    asked = []

    def choose(hold_out, forecasts):
        asked.append(forecasts)
        share = 0.75 if len(asked) == 1 else 0.25
        losses = {"seasonal_naive": 0.5, "trained": 0.5, "blend": 0.5}
        return Choice({"seasonal_naive": 1 - share, "trained": share}, losses, 9)

    how = {"level": (80,), "random_state": 0, "verbose": 0, "irregular": True, "scale": "standard"}
    model = Forecaster(4, preset=EnsembleSpec(members, proxy=proxy), **how)
    with monkeypatch.context() as patch:
        patch.setattr("seqcast.forecaster.hold_out.HoldOut.choice", choose)
        model.fit(FRAME)
    members_forecast, proxys_forecast = (each["trained"] for each in asked)
    assert not np.array_equal(members_forecast, proxys_forecast)
    assert model.choice_.shares == {"seasonal_naive": 0.75, "trained": 0.25}
    assert [engine.network for engine in model.engines_] == [each.network for each in members]
    assert len(model.training_) == len(model.histories_) == 2
    # A refit takes the choice, and trains the members alone.
    again = clone(model).with_fitted(model.fitted_).refit(FRAME)
    assert again.choice_.shares == model.choice_.shares
    assert [engine.window.context_length for engine in again.engines_] == [8, 12]


OF_PROXY = [(0.9, 1.0, "proxy"), (0.84, 1.0, "proxy"), (0.8, 1.0, "own"), (1.5, 1.0, "proxy")]


@pytest.mark.parametrize(("own", "of_proxy", "expected"), OF_PROXY)
def test_only_members_that_are_better_by_far_stand_for_themselves(
    monkeypatch, own, of_proxy, expected
):
    choices = {
        "own": Choice({"trained": 1.0}, {"trained": own, "seasonal_naive": 2.0, "blend": own}, 9),
        "proxy": Choice(
            {"seasonal_naive": 1.0}, {"trained": of_proxy, "seasonal_naive": 0.7, "blend": 0.7}, 9
        ),
    }
    monkeypatch.setattr(HoldOut, "choice", lambda hold_out, forecasts: choices["proxy"])
    monkeypatch.setattr(HoldOut, "forecast", lambda hold_out, candidate: np.zeros(1))
    hold_out = HoldOut(None, None, ForecastRequest())
    assert hold_out.choice_of_picked(choices["own"], {}, "trained", proxy=None) is choices[expected]


def test_shares_add_up_to_a_hundred_as_they_are_printed():
    told = str(Choice({"trained": 0.534, "pretrained": 0.394, "seasonal_naive": 0.072}))
    assert sum(map(int, re.findall(r"(\d+)%", told))) == 100
