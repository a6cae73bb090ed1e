"""Windows of series for a network that is told their season: the same as it reads when it forecasts."""

import numpy as np
import pytest

from seqcast.data.series.scalers import SeriesScaler
from seqcast.data.series.store import InMemoryStore
from seqcast.data.synthetic import Season
from seqcast.data.windows.reader import WindowReader
from seqcast.pretrained.finetuning import SeasonalWindows
from seqcast.pretrained.seasonal_inputs import seasonal_inputs, seasonal_reader


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
    np.testing.assert_allclose(y[0, :5, 0], expected.scaled(series()[0][12:17, 0][None])[0], atol=1e-4)


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
        (alone,) = (windows_of([rows[:, target : target + 1] for rows in series(targets=2)]).counted(0)[1][0],)
        np.testing.assert_allclose(inputs["past"][target], alone["past"][0], atol=1e-4)


def test_a_short_series_begins_with_gaps():
    _, (inputs, _, weight) = windows_of([np.arange(9.0)[:, None]]).counted(0)
    assert inputs["past"].shape[1] == 12
    assert (inputs["past"][0, :8, 3] == 0).all()  # nothing is known there
    assert (weight > 0).all()


def test_batches_without_a_seed_are_the_same_in_every_epoch_and_read_once(monkeypatch):
    kept, reads = windows_of(series(), batch_size=16), []
    monkeypatch.setattr(kept, "gather", lambda numbers: reads.append(numbers) or SeasonalWindows.gather(kept, numbers))
    assert len(kept) > 1
    for _ in range(2):
        for number in range(len(kept)):
            expected = SeasonalWindows.gather(kept, kept.order.batch(number)[0])
            np.testing.assert_equal(kept[number][:2], expected[:2])
        kept.on_epoch_end()
    assert len(reads) == len(kept)


def test_batches_that_are_read_ahead_are_those_that_are_asked_for():
    windows = windows_of(series(), batch_size=16, seed=3)
    for number in (0, 1, 2, 5, 4, 4, 5):
        inputs, y, weight = windows.batch(number)
        rows, counts = windows.order.batch(number)
        expected, truth, _ = windows.gather(rows)
        np.testing.assert_equal((inputs, y), (expected, truth))
        np.testing.assert_array_equal(weight > 0, counts)


def test_what_goes_wrong_with_a_batch_that_is_read_ahead_is_raised_when_it_is_asked_for(monkeypatch):
    windows = windows_of(series(), batch_size=16, seed=3)
    gather = SeasonalWindows.gather

    def failing(self, rows):
        if set(rows) == set(windows.order.batch(1)[0]):
            raise ValueError("unreadable")
        return gather(self, rows)

    monkeypatch.setattr(SeasonalWindows, "gather", failing)
    windows.batch(0)
    with pytest.raises(ValueError, match="unreadable"):
        windows.batch(1)
