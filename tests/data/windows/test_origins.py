import numpy as np
import pytest

from seqcast.data.series.scalers import SeriesScaler
from seqcast.data.series.store import InMemoryStore
from seqcast.data.windows.origins import cutoffs, repeat_season, training_windows, validation_starts
from seqcast.data.windows.reader import SeriesWindows, WindowReader
from seqcast.errors import DataError, SpecError
from seqcast.forecaster.defaults import context_rule
from tests.rejections import rejected


def reader_of(series, context_length):
    store = InMemoryStore.of({name: values[:, None] for name, values in series.items()})
    unscaled = SeriesScaler(np.zeros((len(series), 1)), np.ones((len(series), 1)))
    return WindowReader(store, None, unscaled, context_length)


@pytest.mark.parametrize("shortest", [2, 7, 30, 48, 500])
@pytest.mark.parametrize("horizon", [1, 6])
@pytest.mark.parametrize("season", [1, 12, 52])
def test_context_rule_leaves_every_series_a_window(shortest, horizon, season):
    context = context_rule(shortest, horizon, season)
    assert context >= 1
    if shortest > horizon:
        assert context + horizon <= shortest
    if shortest == 500:
        assert context == max(2 * season, 24)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5])
def test_validation_targets_start_after_training_targets(fraction):
    lengths = np.array([100, 60, 16, 15])
    sizes = {"context_length": 10, "horizon": 5}
    starts = validation_starts(lengths, fraction=fraction, **sizes)
    reader = reader_of({name: np.arange(n) + 1000.0 * name for name, n in enumerate(lengths)}, 10)
    train = SeriesWindows(reader, 5, stops=starts, batch_size=500)
    valid = SeriesWindows(reader, 5, first_target=starts, batch_size=500)
    trained = set(train[0][1].ravel())
    assert len({value // 1000 for value in trained}) == 4  # every series trains
    if fraction == 0:
        assert valid.count == 0
    else:
        assert not trained & set(valid[0][1].ravel())
        assert (lengths - starts)[:1] == max(5, fraction * 100)
        assert starts[3] == 15  # too short to be divided
        assert validation_starts(
            np.array([5]), context_length=4, horizon=1, fraction=fraction
        ).tolist() == [5]


def test_very_many_validation_windows_are_cut_down():
    reader = reader_of({name: np.arange(100.0) for name in range(5)}, 4)
    starts = np.full(5, 60)
    _, valid = training_windows(reader, starts, 2, batch_size=8, most_validation=10)
    assert valid.count == 10
    assert set(valid[0][1].ravel()) == {97.0, 98.0, 99.0}


def test_cutoffs():
    assert cutoffs(10, 3).tolist() == [7]
    assert cutoffs(10, 3, n_windows=3, step_size=1).tolist() == [5, 6, 7]
    rejected(DataError, "n_windows: expected cutoffs inside", cutoffs, 10, 3, n_windows=4)
    rejected(SpecError, "step_size", cutoffs, 10, 3, step_size=0)


def test_repeat_season_is_the_plain_loop():
    rng = np.random.default_rng(0)
    values = rng.normal(size=30)
    starts = np.array([0, 20])
    stops = np.array([20, 3])
    made = repeat_season(values, starts, stops, season_length=4, horizon=9)
    for row, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        known = list(values[start : start + stop])
        for step in range(9):
            lag = 4 if stop >= 4 else 1
            known.append(known[-lag])
            assert made[row, step] == known[-1]
