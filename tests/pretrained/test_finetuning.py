"""Windows that a network is fine-tuned on: what it reads when it forecasts, and the covariates behind that."""

import numpy as np
import pytest

from seqcast.data import Season
from seqcast.data.series import InMemoryStore, SeriesScaler
from seqcast.data.windows import WindowReader
from seqcast.pretrained import CovariateSizes, seasonal_reader
from seqcast.pretrained.finetuning import SeasonalWindows
from seqcast.pretrained.seasonal_inputs import GAIN, add_covariates, seasonal_inputs


def windows_of(values, scale="standard", **options):
    store = InMemoryStore.of(dict(enumerate(values)))
    scaler = SeriesScaler.fit(store.values, store.ends, store.lengths, scale)
    reader = WindowReader(store, None, scaler, context_length=12)
    given = {"season": Season(4), "steps_forecast": 8, "batch_size": 64, **options}
    return SeasonalWindows(seasonal_reader(reader, covariates=False), 5, **given)


def series(targets=1):
    return [np.random.default_rng(place).normal(50, 5, (40, targets)) for place in range(2)]


@pytest.mark.parametrize("scale", ["none", "standard", "log"])
def test_a_window_is_read_in_its_own_units_however_series_are_scaled(scale):
    windows = windows_of(series(), scale)
    _, (inputs, y, _) = windows.counted(0)
    expected = seasonal_inputs(series()[0][:12, 0][None], np.array([4]), np.array([0]), 8)
    np.testing.assert_allclose(inputs["past"][:1], expected.inputs["past"], atol=1e-4)
    np.testing.assert_allclose(inputs["future"][:1], expected.inputs["future"], atol=1e-4)
    np.testing.assert_allclose(
        y[0, :5, 0], expected.scaled(series()[0][12:17, 0][None])[0], atol=1e-4
    )


def test_steps_beyond_the_horizon_do_not_count():
    _, (_, y, _) = windows_of(series()).counted(0)
    assert y.shape[1] == 8
    assert np.isnan(y[:, 5:]).all()
    assert np.isfinite(y[:, :5]).all()


def test_each_target_of_each_series_is_a_window_of_its_own():
    both = windows_of(series(targets=2))
    assert both.count == 2 * 2 * (40 - 12 - 5 + 1)
    _, (inputs, _, _) = both.counted(0)
    for target in range(2):
        _, (alone, _, _) = windows_of([rows[:, [target]] for rows in series(targets=2)]).counted(0)
        np.testing.assert_allclose(inputs["past"][target], alone["past"][0], atol=1e-4)


def test_a_short_series_begins_with_gaps():
    _, (inputs, _, weight) = windows_of([np.arange(9.0)[:, None]]).counted(0)
    assert inputs["past"].shape[1] == 12
    assert (inputs["past"][0, :8, 3] == 0).all()  # nothing is known there
    assert (weight > 0).all()


def by_number(windows):
    """Return the inputs and the targets of each window."""
    found = {}
    for batch in range(len(windows)):
        numbers, (inputs, y, _) = windows.counted(batch)
        found |= {
            number: [*(each[row] for each in inputs.values()), y[row]]
            for row, number in enumerate(numbers)
        }
    return found


@pytest.mark.parametrize("seed", [None, 3])
def test_few_windows_and_those_without_a_seed_are_read_once(monkeypatch, seed):
    expected = by_number(windows_of(series(), batch_size=16, seed=3, most_at_once=0))
    values = WindowReader.values
    reads = []
    monkeypatch.setattr(
        WindowReader, "values", lambda reader, *given: reads.append(1) or values(reader, *given)
    )
    at_once = {"most_at_once": 0} if seed is None else {}
    windows = windows_of(series(), batch_size=16, seed=seed, **at_once)
    for _ in range(2):
        found = by_number(windows)
        assert found.keys() == expected.keys()
        for number, arrays in found.items():
            for one, other in zip(arrays, expected[number], strict=True):
                np.testing.assert_allclose(one, other, atol=1e-5)
        windows.on_epoch_end()
    assert len(reads) == 1 < len(windows)


def test_batches_that_are_read_ahead_are_those_that_are_asked_for(monkeypatch):
    windows = windows_of(series(), batch_size=16, seed=3, most_at_once=0)
    gather = SeasonalWindows.gather
    for number in (0, 1, 2, 5, 4, 4, 5):
        inputs, y, weight = windows.batch(number)
        rows, counts = windows.order.batch(number)
        np.testing.assert_equal((inputs, y), windows.gather(rows)[:2])
        np.testing.assert_array_equal(weight > 0, counts)

    def failing(self, rows):
        if set(rows) == set(windows.order.batch(7)[0]):
            raise ValueError("unreadable")
        return gather(self, rows)

    # An error is raised with the batch that it is of.
    monkeypatch.setattr(SeasonalWindows, "gather", failing)
    windows.batch(6)
    with pytest.raises(ValueError, match="unreadable"):
        windows.batch(7)


# ---------------------------------------------------------------- covariates


def covariates():
    rng = np.random.default_rng(0)
    shapes = {"past": (2, 6, 3), "future": (2, 4, 2), "static": (2, 1)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def inputs(steps, horizon):
    return {
        "past": np.ones((2, steps, 5)),
        "future": np.ones((2, horizon, 4)),
        "static": np.ones((2, 3)),
    }


def reader(rows=20):
    rng = np.random.default_rng(1)
    store = InMemoryStore.of({"a": rng.normal(size=(rows, 1)), "b": rng.normal(size=(rows - 5, 1))})
    features = InMemoryStore.of(
        {"a": rng.normal(size=(rows, 2)), "b": rng.normal(size=(rows - 5, 2))}
    )
    names = {
        "past": ("y", "weather", "price"),
        "future": ("price",),
        "static": ("kind",),
        "y": ("y",),
    }
    scaler = SeriesScaler(np.array([[2.0], [3.0]]), np.array([[4.0], [5.0]]))
    return WindowReader(
        store, features, scaler, 8, future=1, static=np.array([[1.0], [2.0]]), names=names
    )


@pytest.mark.parametrize(("steps", "horizon"), [(4, 3), (6, 4), (9, 7)])
def test_they_stand_behind_in_as_many_steps_as_are_read(steps, horizon):
    now = covariates()
    found = add_covariates(inputs(steps, horizon), now)
    assert found["static"].shape == (2, 4)
    own, ahead = min(steps, 6), np.minimum(np.arange(horizon), 3)  # the last step goes on
    past = np.concatenate([np.zeros((2, steps - own, 3)), GAIN * now["past"][:, -own:]], axis=1)
    np.testing.assert_allclose(found["past"][:, :, 5:], past, rtol=1e-6)
    np.testing.assert_allclose(found["future"][:, :, 4:], GAIN * now["future"][:, ahead], rtol=1e-6)
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
        SeasonalWindows(seasonal_reader(source, covariates=each), 3, **sizes)
        for each in (False, True)
    )
    (inputs, y, _) = plain[0]
    (wider, same, _) = wide[0]
    np.testing.assert_array_equal(y, same)
    columns = wide.columns(wider, y)
    for name, more in (("past", 2), ("future", 1), ("static", 1)):
        np.testing.assert_array_equal(wider[name][..., :-more], inputs[name])
        assert columns[name][-more:] == source.names[name][-more:]
        assert len(columns[name]) == wider[name].shape[-1]
    assert CovariateSizes.of(source) == CovariateSizes(2, 1, 1)
    assert not CovariateSizes.of(seasonal_reader(source, covariates=False))
    # The window's own rows: the price of the first future step is the one after the last past step.
    window = np.array([0])
    series, stops = wide.locate(window)
    one = wide.gather(window)[0]
    row = int(source._first_rows[series[0]] + stops[0])
    np.testing.assert_allclose(
        one["future"][0, :3, -1], GAIN * source.features.values[row : row + 3, -1], rtol=1e-6
    )
    np.testing.assert_allclose(
        one["past"][0, -3:, -2:], GAIN * source.features.values[row - 3 : row], rtol=1e-6
    )
