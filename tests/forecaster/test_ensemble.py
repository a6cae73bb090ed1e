"""A forecaster of networks of different shapes: what each is, how they forecast together, files, refits, refusals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from seqcast.forecaster.choice import Choice, HoldOut
from seqcast.forecaster.estimator import Forecaster
from seqcast.intervals.quantiles import ForecastRequest
from seqcast.specs.network import NetworkSpec
from seqcast.specs.presets import EnsembleSpec, MemberSpec
from seqcast.specs.training import TrainingSpec

QUICK = TrainingSpec(epochs=1, steps_per_epoch=2, batch_size=8)
SMALL = MemberSpec(NetworkSpec(encoder_units=(3,), decoder_units=(3,), normalise="last"), QUICK, context_length=8)
LARGE = MemberSpec(NetworkSpec(encoder_units=(5,), decoder_units=(4,), normalise="last"), QUICK, context_length=12)
# The same length as the first: only its place tells them apart.
WIDE = MemberSpec(NetworkSpec(encoder_units=(6,), decoder_units=(6,), normalise="last"), QUICK, context_length=8)


def frame(rows=60):
    days = pd.date_range("2024-01-01", periods=rows)
    return pd.DataFrame({"unique_id": "a", "ds": days, "y": 5.0 + np.sin(np.arange(rows) * 2 * np.pi / 7)})


@pytest.fixture(scope="module")
def fitted():
    ensemble = EnsembleSpec([SMALL, LARGE, WIDE], alone=True)
    return Forecaster(4, preset=ensemble, level=(), random_state=0, verbose=0).fit(frame())


def test_each_network_is_what_its_member_says(fitted):
    for engine, member in zip(fitted.engines_, (SMALL, LARGE, WIDE), strict=True):
        assert engine.network == member.network
        assert engine.training == member.training
        assert engine.window.context_length == member.context_length
    assert fitted.choice_.shares == {"trained": 1.0}


def test_the_forecast_is_their_median(fitted):
    """A network alone, with the seed of its place, forecasts what it forecasts among the others."""
    again, apart = clone(fitted).fit(frame()), []
    for engine in again.engines_:
        fitted_alone = again.fitted_
        (trained,) = fitted_alone.candidates
        alone = again.with_fitted(replace(fitted_alone, candidates=(replace(trained, engines=(engine,)),)))
        apart.append(alone.predict()["seqcast"].to_numpy())
    np.testing.assert_allclose(fitted.predict()["seqcast"], np.median(apart, axis=0), rtol=1e-6)


def test_files_refits_and_clones_keep_the_shapes(fitted, tmp_path):
    fitted.save(tmp_path / "model.seqcast")
    loaded = Forecaster.load(tmp_path / "model.seqcast")
    assert loaded.preset == fitted.preset
    pd.testing.assert_frame_equal(loaded.predict(), fitted.predict())
    assert clone(loaded).preset == fitted.preset
    again = clone(fitted).fit(frame()).refit(frame())
    assert [engine.network for engine in again.engines_] == [engine.network for engine in fitted.engines_]
    np.testing.assert_array_equal(again.predict()["seqcast"], fitted.predict()["seqcast"])


def test_members_have_the_share_of_their_judge(monkeypatch):
    quantiles = replace(SMALL.network, head="quantile", quantiles=(0.1, 0.5, 0.9))
    wide = replace(quantiles, encoder_units=(5,))
    members, judge = [replace(SMALL, network=quantiles), replace(LARGE, network=quantiles)], replace(WIDE, network=wide)
    asked = []

    def choose(hold_out, forecasts):
        asked.append(forecasts)
        share = 0.75 if len(asked) == 1 else 0.25
        losses = {"seasonal_naive": 0.5, "trained": 0.5, "blend": 0.5}
        return Choice({"seasonal_naive": 1 - share, "trained": share}, losses, 9)

    how = {"level": (80,), "random_state": 0, "verbose": 0, "point": "mean", "scale": "standard"}
    model = Forecaster(4, preset=EnsembleSpec(members, judge=judge), **how)
    with monkeypatch.context() as patch:
        patch.setattr("seqcast.forecaster.choice.HoldOut.choice", choose)
        model.fit(frame())
    members_forecast, judges_forecast = (each["trained"] for each in asked)
    assert not np.array_equal(members_forecast, judges_forecast)
    assert model.choice_.shares == {"seasonal_naive": 0.75, "trained": 0.25}
    assert [engine.network for engine in model.engines_] == [quantiles, quantiles]
    assert len(model.training_) == len(model.histories_) == 2
    # A refit takes the choice, and trains the members alone.
    again = clone(model).with_fitted(model.fitted_).refit(frame())
    assert again.choice_.shares == model.choice_.shares
    assert [engine.window.context_length for engine in again.engines_] == [8, 12]


@pytest.mark.parametrize(
    ("own", "judged", "expected"),
    [(0.9, 1.0, "judge"), (0.84, 1.0, "judge"), (0.8, 1.0, "own"), (1.5, 1.0, "judge")],
)
def test_only_members_that_are_better_by_far_stand_for_themselves(monkeypatch, own, judged, expected):
    choices = {
        "own": Choice({"trained": 1.0}, {"trained": own, "seasonal_naive": 2.0, "blend": own}, 9),
        "judge": Choice({"seasonal_naive": 1.0}, {"trained": judged, "seasonal_naive": 0.7, "blend": 0.7}, 9),
    }
    monkeypatch.setattr(HoldOut, "choice", lambda hold_out, forecasts: choices["judge"])
    monkeypatch.setattr(HoldOut, "forecast", lambda hold_out, candidate: np.zeros(1))
    hold_out = HoldOut(None, None, ForecastRequest())
    assert hold_out.judged(choices["own"], {}, "trained", judge=None) is choices[expected]
