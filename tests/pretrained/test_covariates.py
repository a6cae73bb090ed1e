"""Covariates move with the window that reads them, and stand behind what it reads of every series."""

import numpy as np
import pytest

from seqcast.data.series.scalers import SeriesScaler
from seqcast.data.series.store import InMemoryStore
from seqcast.data.synthetic import Season
from seqcast.data.windows.reader import WindowReader
from seqcast.pretrained.finetuning import SeasonalWindows
from seqcast.pretrained.seasonal_inputs import GAIN, CovariateSizes, add_covariates, seasonal_reader


def covariates():
    rng = np.random.default_rng(0)
    shapes = {"past": (2, 6, 3), "future": (2, 4, 2), "static": (2, 1)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def inputs(steps, horizon):
    return {"past": np.ones((2, steps, 5)), "future": np.ones((2, horizon, 4)), "static": np.ones((2, 3))}


def reader(rows=20):
    rng = np.random.default_rng(1)
    store = InMemoryStore.of({"a": rng.normal(size=(rows, 1)), "b": rng.normal(size=(rows - 5, 1))})
    features = InMemoryStore.of({"a": rng.normal(size=(rows, 2)), "b": rng.normal(size=(rows - 5, 2))})
    names = {"past": ("y", "weather", "price"), "future": ("price",), "static": ("kind",), "y": ("y",)}
    scaler = SeriesScaler(np.array([[2.0], [3.0]]), np.array([[4.0], [5.0]]))
    return WindowReader(store, features, scaler, 8, future=1, static=np.array([[1.0], [2.0]]), names=names)


@pytest.mark.parametrize(("steps", "horizon"), [(4, 3), (6, 4), (9, 7)])
def test_they_stand_behind_in_as_many_steps_as_are_read(steps, horizon):
    now = covariates()
    found = add_covariates(inputs(steps, horizon), now)
    assert {name: values.shape for name, values in found.items()} == {
        "past": (2, steps, 8), "future": (2, horizon, 6), "static": (2, 4),
    }  # fmt: skip
    own = min(steps, 6)
    np.testing.assert_allclose(found["past"][:, -own:, 5:], GAIN * now["past"][:, -own:], rtol=1e-6)
    assert (found["past"][:, : steps - own, 5:] == 0).all()
    own = min(horizon, 4)
    np.testing.assert_allclose(found["future"][:, :own, 4:], GAIN * now["future"][:, :own], rtol=1e-6)
    if horizon > 4:
        last = np.repeat(now["future"][:, -1:], horizon - 4, axis=1)
        np.testing.assert_allclose(found["future"][:, 4:, 4:], GAIN * last, rtol=1e-6)
    assert all(values.dtype == np.float32 for values in found.values())


def test_where_there_are_none_nothing_is_added():
    past = np.full((2, 4, 1), np.nan)
    found = add_covariates(inputs(3, 5), {"past": past})
    np.testing.assert_array_equal(found["past"][:, :, 5:], np.zeros((2, 3, 1)))
    assert (found["future"].shape, found["static"].shape) == ((2, 5, 4), (2, 3))


def test_windows_read_what_the_reader_has():
    source = reader()
    sizes = {"season": Season(3), "steps_forecast": 4, "batch_size": 64, "seed": 0}
    plain, wide = (
        SeasonalWindows(seasonal_reader(source, covariates=covariates), 3, **sizes) for covariates in (False, True)
    )
    (inputs, y, _), (wider, same, _) = plain[0], wide[0]
    np.testing.assert_array_equal(y, same)
    for name, more in (("past", 2), ("future", 1), ("static", 1)):
        np.testing.assert_array_equal(wider[name][..., :-more], inputs[name])
        assert wide.columns(wider, y)[name][-more:] == source.names[name][-more:]
        assert len(wide.columns(wider, y)[name]) == wider[name].shape[-1]
    assert CovariateSizes.of(source) == CovariateSizes(2, 1, 1)
    assert not CovariateSizes.of(seasonal_reader(source, covariates=False))
    # The window's own rows: the price of the first future step is the one after the last past step.
    window = np.array([0])
    series, stops = wide.locate(window)
    one = wide.gather(window)[0]
    row = int(source._first_rows[series[0]] + stops[0])
    np.testing.assert_allclose(one["future"][0, :3, -1], GAIN * source.features.values[row : row + 3, -1], rtol=1e-6)
    np.testing.assert_allclose(one["past"][0, -3:, -2:], GAIN * source.features.values[row - 3 : row], rtol=1e-6)
