"""Readings: both estimators hand on what their networks read, and what the windows are called."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor
from seqcast.data import random_sines
from seqcast.errors import DataError, NotFittedError, SpecError
from tests.rejections import rejected

PAST, FUTURE = random_sines(96, past=12, future=4, seed=1)


@pytest.fixture(scope="module")
def regressor():
    return Seq2SeqRegressor(encoder_units=6, epochs=1, random_state=0, verbose=0).fit(PAST, FUTURE)


def series(kind="pandas"):
    stamps = pd.date_range("2024-01-01", periods=80, freq="h")
    wave = np.sin(np.arange(80) * 2 * np.pi / 24)
    price = np.arange(80.0) % 5
    tables = [
        pd.DataFrame(
            {
                "unique_id": name,
                "ds": stamps,
                "y": i * (10 + wave),
                "price": price,
                "shop": f"shop {name}",
            }
        )
        for i, name in enumerate("ab", 1)
    ]
    frame = pd.concat(tables, ignore_index=True)
    return frame if kind == "pandas" else pl.from_pandas(frame)


def forecaster(**options):
    given = {
        "context_length": 24,
        "future_covariates": ("price",),
        "static_covariates": ("shop",),
        "random_state": 0,
    }
    given |= {
        "calendar": ("hour_of_day",),
        "training": {"epochs": 1, "steps_per_epoch": 2},
        "verbose": 0,
    }
    network = NetworkSpec(encoder_units=(6,), decoder_units=(6,))
    return Forecaster(4, preset=network, **{**given, **options}).fit(series())


@pytest.fixture(scope="module")
def fitted():
    return forecaster()


def test_a_regressors_reading_is_what_it_predicts_from(regressor):
    model_inputs = regressor.model_inputs(PAST[:7], FUTURE[:7])
    scaled = model_inputs.engine.predict(model_inputs.inputs, model_inputs.horizon)
    in_units = regressor.preparation_.in_units(scaled)
    np.testing.assert_allclose(in_units, regressor.predict(PAST[:7]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        regressor.preparation_.scalers["y"].inverse(model_inputs.truth), FUTURE[:7], atol=1e-5
    )
    assert (model_inputs.features, model_inputs.targets, model_inputs.known_future) == (
        ("x0",),
        ("y0",),
        (),
    )
    # Its rows are windows with their labels.
    some = model_inputs[[5, 1]]
    assert some.labels.frame(np.array([0, 1]), {}).window.tolist() == [5, 1]
    np.testing.assert_array_equal(some.inputs["past"], model_inputs.inputs["past"][[5, 1]])
    np.testing.assert_array_equal(some.truth, model_inputs.truth[[5, 1]])
    assert [len(some), len(model_inputs[-1]), len(model_inputs[np.arange(7) > 4])] == [2, 1, 2]


def test_the_horizon_is_that_of_the_truth_unless_it_is_said(regressor):
    assert regressor.model_inputs(PAST[:2]).horizon == 4
    assert regressor.model_inputs(PAST[:2], FUTURE[:2, :3]).horizon == 3
    assert regressor.model_inputs(PAST[:2], horizon=9).horizon == 9
    rejected(
        DataError,
        r"y: expected shape \[N, 2, 1\]",
        regressor.model_inputs,
        PAST[:2],
        FUTURE[:2],
        horizon=2,
    )
    rejected(DataError, "as many windows as X", regressor.model_inputs, PAST[:2], FUTURE[:3])
    with pytest.raises(NotFittedError):
        Seq2SeqRegressor().model_inputs(PAST)


def test_a_forecasters_reading_ahead_is_what_it_predicts_from(fitted):
    future = series().groupby("unique_id").tail(1)[["unique_id", "ds", "price"]]
    future = pd.concat(
        [future.assign(ds=future["ds"] + pd.Timedelta(hours=h), price=h) for h in range(1, 5)]
    )
    model_inputs = fitted.model_inputs(future=future)
    forecast = fitted.predict(future=future)
    in_units = fitted.series_state_.scaler.inverse(
        model_inputs.engine.predict(model_inputs.inputs, 4)
    )
    np.testing.assert_allclose(in_units.ravel(), forecast["seqcast"], rtol=1e-5)
    assert model_inputs.truth is None
    assert model_inputs.features == ("y", "price", "hour_of_day (sin)", "hour_of_day (cos)")
    assert model_inputs.known_future == model_inputs.features[1:]
    assert model_inputs.inputs["past"].shape == (2, 24, 4)
    assert model_inputs.inputs["static"].shape[0] == 2
    labels = model_inputs.labels.frame(np.array([1, 0]), {"x": np.zeros(2)})
    assert labels.columns.tolist() == ["unique_id", "cutoff", "x"]
    assert labels["unique_id"].tolist() == ["b", "a"]
    assert (labels["cutoff"] == pd.Timestamp("2024-01-04 07:00")).all()


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_readings_every_few_rows_know_the_truth(kind, fitted):
    model_inputs = fitted.model_inputs(series(kind), step_size=10)
    places = np.arange(len(model_inputs))
    frame = model_inputs.labels.frame(
        places, {"truth": model_inputs.truth[:, 0, 0]}, near=np.zeros_like(places)
    )
    assert isinstance(frame, pd.DataFrame if kind == "pandas" else pl.DataFrame)
    assert list(frame.columns) == ["unique_id", "cutoff", "near_cutoff", "near_unique_id", "truth"]
    rows = frame if kind == "pandas" else frame.to_pandas()
    data = series()
    for place, row in enumerate(rows.itertuples()):
        own = data[(data["unique_id"] == row.unique_id) & (data["ds"] > row.cutoff)][
            "y"
        ].to_numpy()[:4]
        known = fitted.series_state_.scaler.take(np.array(["ab".index(row.unique_id)]))
        np.testing.assert_allclose(
            known.inverse(model_inputs.truth[place][None])[0, :, 0], own, rtol=1e-5
        )
    assert rows["cutoff"].diff().dropna().abs().min() == pd.Timedelta(hours=10)


def test_an_ensembles_members_are_read_one_by_one():
    model = forecaster(
        context_length=(24, 12), future_covariates=(), static_covariates=(), members=2
    )
    lengths = [model.model_inputs(step_size=20, member=k).inputs["past"].shape[1] for k in (1, 2)]
    assert lengths == [24, 12]
    rejected(SpecError, "member: expected 1 to 2", model.model_inputs, member=3)


def test_what_cannot_be_read_is_rejected(fitted, tmp_path):
    rejected(SpecError, "None with step_size", fitted.model_inputs, step_size=4, future=series())
    with pytest.raises(NotFittedError):
        Forecaster(4).model_inputs()
    fitted.save(tmp_path / "model.seqcast")
    rejected(
        NotFittedError,
        "Files hold no rows",
        Forecaster.load(tmp_path / "model.seqcast").model_inputs,
        step_size=4,
    )
    rejected(DataError, "future", fitted.model_inputs)
