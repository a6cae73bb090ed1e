"""Covariates move with the window that reads them, and stand behind what it reads of every series."""

import numpy as np
import pytest

from seqcast.data.series.scalers import SeriesScaler
from seqcast.data.series.store import InMemoryStore
from seqcast.data.windows.reader import WindowReader
from seqcast.pretrained.covariates import GAIN, CovariateSizes, SeasonalCovariates, without_features
from seqcast.pretrained.windows import SeasonalWindows


def covariates(rows=2, steps=6, horizon=4):
    rng = np.random.default_rng(0)
    return SeasonalCovariates(
        rng.normal(size=(rows, steps, 3)), rng.normal(size=(rows, horizon, 2)), rng.normal(size=(rows, 1))
    )


def reader(rows=20):
    rng = np.random.default_rng(1)
    store = InMemoryStore.of({"a": rng.normal(size=(rows, 1)), "b": rng.normal(size=(rows - 5, 1))})
    features = InMemoryStore.of({"a": rng.normal(size=(rows, 2)), "b": rng.normal(size=(rows - 5, 2))})
    names = {"past": ("y", "weather", "price"), "future": ("price",), "static": ("kind",), "y": ("y",)}
    scaler = SeriesScaler(np.array([[2.0], [3.0]]), np.array([[4.0], [5.0]]))
    return WindowReader(store, features, scaler, 8, future=1, static=np.array([[1.0], [2.0]]), names=names)


def test_a_later_window_has_the_future_in_its_past():
    now = covariates()
    later = now.after(3)
    assert later.past.shape == (2, 9, 3)
    np.testing.assert_array_equal(later.past[:, 6:, 1:], now.future[:, :3])
    np.testing.assert_array_equal(later.past[:, 6:, 0], np.repeat(now.past[:, -1:, 0], 3, axis=1))
    np.testing.assert_array_equal(later.future, now.future[:, 3:])
    assert now.after(0) is now


@pytest.mark.parametrize(("steps", "horizon"), [(4, 3), (6, 4), (9, 7)])
def test_they_stand_behind_in_as_many_steps_as_are_read(steps, horizon):
    now = covariates()
    inputs = {"past": np.ones((2, steps, 5)), "future": np.ones((2, horizon, 4)), "static": np.ones((2, 3))}
    found = now.beside(inputs)
    assert {name: values.shape for name, values in found.items()} == {
        "past": (2, steps, 8), "future": (2, horizon, 6), "static": (2, 4),
    }  # fmt: skip
    own = min(steps, 6)
    np.testing.assert_allclose(found["past"][:, -own:, 5:], now.past[:, -own:], rtol=1e-6)
    assert (found["past"][:, : steps - own, 5:] == 0).all()
    own = min(horizon, 4)
    np.testing.assert_allclose(found["future"][:, :own, 4:], now.future[:, :own], rtol=1e-6)
    if horizon > 4:
        np.testing.assert_allclose(
            found["future"][:, 4:, 4:], np.repeat(now.future[:, -1:], horizon - 4, axis=1), rtol=1e-6
        )
    assert all(values.dtype == np.float32 for values in found.values())


def test_windows_read_what_the_reader_has():
    source = reader()
    sizes = {"season_length": 3, "longer": 0, "steps_forecast": 4, "batch_size": 64, "seed": 0}
    plain, wide = (SeasonalWindows(source, 3, covariates=covariates, **sizes) for covariates in (False, True))
    (inputs, y, _), (wider, same, _) = plain[0], wide[0]
    np.testing.assert_array_equal(y, same)
    for name, more in (("past", 2), ("future", 1), ("static", 1)):
        np.testing.assert_array_equal(wider[name][..., :-more], inputs[name])
        assert wide.columns(wider, y)[name][-more:] == source.names[name][-more:]
        assert len(wide.columns(wider, y)[name]) == wider[name].shape[-1]
    assert CovariateSizes.of(source) == CovariateSizes(2, 1, 1)
    assert not CovariateSizes.of(without_features(source))
    # The window's own rows: the price of the first future step is the one after the last past step.
    window = np.array([0])
    series, stops = wide.locate(window)
    one = wide.gather(window)[0]
    row = int(source._first_rows[series[0]] + stops[0])
    np.testing.assert_allclose(one["future"][0, :3, -1], GAIN * source.features.values[row : row + 3, -1], rtol=1e-6)
    np.testing.assert_allclose(one["past"][0, -3:, -2:], GAIN * source.features.values[row - 3 : row], rtol=1e-6)
