"""What a forecaster's options become, the rules for what is not given, and which options are rejected."""

import numpy as np
import pandas as pd
import pytest

from seqcast import Engine, Forecaster, NetworkSpec, TrainingSpec
from seqcast.data.frames import read_frame
from seqcast.errors import SpecError
from seqcast.forecaster import FitOptions, Sizes, make_plan, named_network
from seqcast.forecaster.defaults import auto_preset, specs
from seqcast.intervals import level_quantiles
from seqcast.pretrained.finetuning import finetune_training
from seqcast.specs import EnsembleSpec, MemberSpec

from . import panels

LEVEL = (80.0, 95.0)
TINY = NetworkSpec(encoder_units=(8,), decoder_units=(8,), normalise="last")
QUANTILES = NetworkSpec(head="quantile", quantiles=level_quantiles(LEVEL), normalise="last")
COUNTS = NetworkSpec(head="negative_binomial", normalise="scale")
ENSEMBLE = EnsembleSpec([MemberSpec(TINY, TrainingSpec(epochs=1), context_length=8)])
FRAME = panels.waves("a", noise=1.0).assign(price=1.0)


def hourly(growing=True, below=0.0):
    t = np.arange(1200)
    level = np.exp(0.002 * t) if growing else 1.0
    y = 10 * level * (2 + np.sin(t * 2 * np.pi / 24)) - below
    return pd.DataFrame(
        {"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=1200, freq="h"), "y": y}
    )


def plan_of(df, horizon=24, **options):
    """Return what a fit would do with a frame, before anything is trained."""
    given = Forecaster(horizon, **options)
    return make_plan(read_frame(df, missing="fill"), FitOptions.resolve(given, 0, 1))


# ------------------------------------------------------------------ what is not given


SCALES = [
    ({}, hourly(), "log"),
    ({}, hourly(growing=False), "standard"),
    ({}, hourly(below=25.0), "standard"),  # below zero
    ({"point": "mean"}, hourly(), "log"),
    ({"point": "mean", "level": ()}, hourly(), "standard"),
    ({"preset": NetworkSpec(head="log_normal")}, hourly(), "mean"),
    ({"preset": COUNTS}, hourly().round({"y": 0}), "none"),
    ({"scale": "robust"}, hourly(), "robust"),
]


@pytest.mark.parametrize(("options", "df", "scale"), SCALES)
def test_scales_that_suit_the_data(options, df, scale):
    assert plan_of(df, **options).rows.series.scale == scale


CONTEXTS = [
    ({"preset": "segment"}, "h", 336),  # two weeks of days
    ({"preset": "segment"}, "D", 48),  # two horizons
    ({"preset": "segment", "season_length": 12}, "h", 48),  # the season is no day
    ({"preset": "classic"}, "h", 48),
    ({"preset": TINY}, "h", 48),
    ({"context_length": 50}, "h", 50),
]


@pytest.mark.parametrize(("options", "freq", "context"), CONTEXTS)
def test_two_weeks_of_hours_are_read_in_segments(options, freq, context):
    df = hourly().assign(ds=pd.date_range("2020-01-01", periods=1200, freq=freq))
    assert plan_of(df, **options).rows.series.context_length == context


WEEK = {"context_length": 28, "horizon": 7, "season_length": 7}
SEGMENTS = NetworkSpec(segment=7, decoder_input="position", normalise="instance")
TRAININGS = [
    # Small data take more steps of named networks; epochs of segments that are long are fewer.
    (Sizes(5000), "auto", None, {"batch_size": 100, "steps_per_epoch": 60, "early_stopping": 5}),
    (Sizes(10**7), "auto", None, {"steps_per_epoch": 200}),
    (Sizes(200, **WEEK), "auto", None, {"steps_per_epoch": 60}),
    (Sizes(200, **WEEK), "classic", None, {"steps_per_epoch": 60}),
    (
        Sizes(60_000, **WEEK),
        "auto",
        None,
        {"steps_per_epoch": 200, "epochs": 8, "early_stopping": 3},
    ),
    (
        Sizes(10**7, **WEEK),
        "auto",
        None,
        {"steps_per_epoch": 200, "epochs": 8, "early_stopping": 3},
    ),
    (
        Sizes(10**7, future=1, **WEEK),
        "auto",
        None,
        {"steps_per_epoch": 300, "epochs": 12, "early_stopping": 3},
    ),
    (Sizes(199_999, future=1, **WEEK), "auto", None, {"steps_per_epoch": 200, "epochs": 8}),
    (Sizes(20_000, **WEEK), "auto", None, {"epochs": 20, "early_stopping": 5}),
    (
        Sizes(60_000, **WEEK),
        "classic",
        None,
        {"epochs": TrainingSpec().epochs, "early_stopping": 5},
    ),
    # A spec keeps its own early stopping.
    (Sizes(100), NetworkSpec(), None, {"steps_per_epoch": 25}),
    (Sizes(2500), NetworkSpec(), None, {"steps_per_epoch": 40}),
    (
        Sizes(60_000, **WEEK),
        SEGMENTS,
        None,
        {name: getattr(TrainingSpec(), name) for name in ("epochs",)},
    ),
    # Lengths that are given hold.
    (Sizes(60_000, **WEEK), "auto", {"loss": "mae"}, {"epochs": 8, "early_stopping": 3}),
    (Sizes(60_000, **WEEK), "auto", {"epochs": 50}, {"epochs": 50, "early_stopping": 5}),
    (
        Sizes(60_000, **WEEK),
        "auto",
        {"early_stopping": None},
        {"epochs": 20, "early_stopping": None},
    ),
    (Sizes(60_000, **WEEK), "auto", {"batch_size": 16}, {"epochs": 20, "early_stopping": 5}),
    (Sizes(60_000, **WEEK), "auto", {"learning_rate": 1e-4}, {"epochs": 20, "early_stopping": 5}),
    (Sizes(60_000, **WEEK), "auto", TrainingSpec(epochs=30), {"epochs": 30, "early_stopping": 20}),
]


@pytest.mark.parametrize(("sizes", "preset", "training", "expected"), TRAININGS)
def test_a_training_suits_the_sizes_of_the_data(sizes, preset, training, expected):
    chosen = specs(preset, training, LEVEL, sizes)[1]
    assert {name: getattr(chosen, name) for name in expected} == expected


def test_a_fine_tuning_that_shares_the_data_with_another_network_is_half_as_long():
    shared = {"shares_data": True}
    for how, epochs, steps in (
        ({}, 6, 240),
        (shared, 3, 120),
        ({**shared, "covariates": True}, 6, 240),
    ):
        training = finetune_training(10**6, **how)
        assert (training.epochs, training.epochs * training.steps_per_epoch) == (epochs, steps)
    plan = plan_of(hourly(), effort="balanced")
    (job,) = (job for job in plan.by_place.values() if job.observers_only)
    assert job.training.epochs == 3


def test_auto_chooses_segments_where_a_season_can_be_cut():
    daily = Sizes(windows=500, context_length=168, horizon=24, season_length=24)
    chosen = named_network("auto", LEVEL, daily)
    assert (chosen.segment, chosen.decoding, chosen.quantiles) == (
        24,
        "parallel",
        level_quantiles(LEVEL),
    )
    # No season; a horizon, and a context, that only smaller segments fit.
    for sizes in (Sizes(5000, 168, 24, 1), Sizes(5000, 24, 3, 12), Sizes(5000, 12, 12, 12)):
        assert auto_preset(sizes) == "classic"
        assert named_network("auto", (), sizes).normalise == "last"


# ------------------------------------------------------------------ what is rejected


REJECTED = [
    ({"horizon": 0}, "horizon: expected a whole number >= 1"),
    ({"members": 0}, "members"),
    ({"context_length": 0}, "context_length"),
    ({"context_length": (7, 14)}, r"context_length: expected one length, or at most one a member"),
    ({"season_length": -1}, "season_length"),
    ({"season_length": 2**63}, "season_length: expected a whole number from 1 to 1000000000"),
    ({"verbose": "loud"}, "verbose: expected a whole number, received 'loud'"),
    ({"verbose": None}, "verbose: expected a whole number, received None"),
    ({"random_state": -1}, "random_state"),
    (
        {"training": "fast"},
        "training: expected a TrainingSpec, a dict of some of its fields, or None",
    ),
    ({"training": {"epoch": 3}}, "TrainingSpec field: expected one of.*Did you mean 'epochs'"),
    ({"columns": "y"}, "columns: expected a Columns"),
    ({"scale": "standart"}, "Did you mean 'standard'"),
    ({"missing": "drop"}, "missing: expected one of 'fill', 'raise'"),
    ({"weighting": "none"}, "weighting: expected one of 'windows', 'series'"),
    ({"combine": "max"}, "combine: expected one of"),
    ({"support": "count"}, "support: expected one of 'auto', 'real', 'non-negative', 'counts'"),
    ({"on_bad_series": "drop"}, "on_bad_series"),
    ({"calendar": "moon"}, "calendar: expected one of"),
    ({"irregular": 1}, "irregular: expected True or False"),
    ({"calibrate": 1}, "calibrate: expected True or False"),
    ({"irregular": True, "freq": "D"}, "freq: expected None, for irregular=True"),
    ({"freq": "nonsense"}, "freq"),
    ({"alias": "y"}, "alias: expected a name other than"),
    ({"alias": "a\ud800"}, "alias: expected whole characters"),
    ({"future_covariates": ("a\ud800",)}, "future_covariates: expected whole characters"),
    ({"static_covariates": ("unique_id",)}, "static_covariates: expected other columns than"),
    ({"level": (80, 120)}, "level: expected levels above 1 and below 100 per cent"),
    ({"preset": QUANTILES, "level": (80, 90)}, r"levels that it has: 80, 95, received 90"),
    ({"calibrate": True, "level": ()}, "level: expected a level to calibrate"),
    ({"point": "mode"}, "point: expected one of"),
    (
        {"point": "mean", "scale": "log1p", "level": ()},
        r"point: expected 'median' with scale='log1p'",
    ),
    (
        {"preset": QUANTILES, "training": {"loss": "mae"}},
        r"loss: expected None with head='quantile'",
    ),
    # Counts and positive data may be multiplied only.
    (
        {"preset": COUNTS, "scale": "standard"},
        r"scale: expected 'auto' or 'none'.*normalise='scale'",
    ),
    (
        {"preset": NetworkSpec(head="log_normal"), "scale": "log1p"},
        r"scale: expected 'auto' or 'none'",
    ),
    (
        {"preset": EnsembleSpec([MemberSpec(COUNTS, TrainingSpec())]), "scale": "standard"},
        "scale: expected 'auto'",
    ),
    # Presets that leave no choice.
    ({"preset": "pretrained", "members": 2}, "members: expected 1 with preset='pretrained'"),
    (
        {"preset": "pretrained", "training": {"epochs": 2}},
        "training: expected None with preset='pretrained'",
    ),
    ({"preset": "pretrained", "level": (50, 99)}, "level: expected levels up to 98, the widest"),
    (
        {"preset": "pretrained", "past_covariates": ["price"]},
        "preset: expected a network that has been trained .*, with past",
    ),
    (
        {"preset": ENSEMBLE, "level": 80},
        r"level: expected \(\) with an EnsembleSpec of networks that forecast a point",
    ),
    (
        {"preset": ENSEMBLE, "members": 2},
        "members: expected 1 with an EnsembleSpec, whose members have their own",
    ),
    (
        {"preset": ENSEMBLE, "context_length": 8},
        "context_length: expected None with an EnsembleSpec",
    ),
    (
        {"preset": ENSEMBLE, "level": (), "effort": "best"},
        "effort: expected 'auto' with a preset that is named",
    ),
    ({"effort": "much"}, "effort: expected"),
    (
        {"effort": "quick", "preset": "classic"},
        "effort: expected 'auto' with a preset that is named",
    ),
    (
        {"effort": "quick", "members": 2},
        "effort: expected 'balanced' or 'best' with training, members",
    ),
    (
        {"effort": "quick", "past_covariates": ("price",)},
        "effort: .* with training, members or past covariates",
    ),
    ({"effort": "quick", "irregular": True}, "effort: .*with irregular stamps"),
    ({"effort": "quick", "level": (99,)}, "effort: .*received 'quick', which trains nothing"),
]


@pytest.mark.parametrize(("options", "message"), REJECTED)
def test_options_are_rejected_before_training(options, message, monkeypatch):
    monkeypatch.setattr(Engine, "fit", None)
    with pytest.raises(SpecError, match=message):
        Forecaster(**{"horizon": 4, "verbose": 0, "level": LEVEL, **options}).fit(FRAME)


@pytest.mark.parametrize("refit", [0, -1, 1.5, "yes", None])
def test_refits_that_mean_nothing(refit):
    with pytest.raises(SpecError, match="refit: expected False, True or a whole number >= 1"):
        Forecaster(4, verbose=0).backtest(FRAME, refit=refit)
