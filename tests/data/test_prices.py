import numpy as np
import pandas
import polars
import pytest

from seqcast.data.prices import price_windows
from seqcast.errors import DataError, SeqcastError, SpecError

WALK = 100.0 * np.exp(np.random.default_rng(0).normal(0, 0.02, (300, 2)).cumsum(axis=0))


def table(**changes):
    days = pandas.date_range("2020-01-01", periods=300).strftime("%d-%b-%y")
    columns = {"Date": list(days), "Open": list(WALK[:, 0]), "Close": list(WALK[:, 1]), "Volume": ["-"] * 300}
    return {name: column[::-1] for name, column in (columns | changes).items()}


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5])
@pytest.mark.parametrize(("past", "future"), [(40, 40), (10, 1), (1, 7)])
def test_no_training_window_reaches_into_a_test_target(past, future, fraction):
    train, test = price_windows(WALK, past=past, future=future, test_fraction=fraction)
    count = len(WALK) - past - future + 1
    assert train.start[-1] + past + future == test.start[0] + past
    assert test.start[-1] == count - 1
    assert len(test) == max(1, round(count * fraction))
    np.testing.assert_array_equal(train.start, np.arange(len(train)))
    np.testing.assert_array_equal(np.diff(test.start), 1)


def test_without_a_test_fraction_all_windows_train():
    train, test = price_windows(WALK, past=10, future=5, test_fraction=0)
    assert (len(train), len(test)) == (286, 0)
    assert test.past.shape == (0, 10, 2)


@pytest.mark.parametrize("normalise", ["instance", "last", "none"])
def test_against_a_plain_loop(normalise):
    for part in price_windows(WALK, past=6, future=3, normalise=normalise):
        assert part.past.dtype == np.float32
        for i, start in enumerate(part.start):
            window = WALK[start : start + 9]
            known = window[:6]
            expected = {
                "instance": (window - known.mean(axis=0)) / (2.5 * known.std(axis=0)),
                "last": window / known[-1] - 1,
                "none": window,
            }[normalise]
            np.testing.assert_allclose(part.past[i], expected[:6], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(part.future[i], expected[6:], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(part.prices(part.future)[:, 0], WALK[part.start + 6], rtol=1e-6)


def test_the_future_does_not_enter_the_normalisation():
    changed = WALK.copy()
    changed[6:9] *= 3
    one, other = (price_windows(rows, past=6, future=3, test_fraction=0)[0] for rows in (WALK, changed))
    np.testing.assert_array_equal(one.past[0], other.past[0])
    np.testing.assert_array_equal(one.loc[0], other.loc[0])


def test_a_flat_past_stays_finite():
    train, _ = price_windows(np.full(50, 0.1), past=7, future=3)
    assert np.abs(train.future).max() < 1e-6


def test_file_frame_and_array_agree_and_rows_are_put_in_order(tmp_path):
    file = tmp_path / "prices.csv"
    pandas.DataFrame(table()).to_csv(file, index=False)
    shuffled = pandas.DataFrame(table()).sample(frac=1.0, random_state=0)
    expected = price_windows(WALK[:, 1])[0].past
    for prices in (file, str(file), shuffled, polars.DataFrame(table())):
        np.testing.assert_allclose(price_windows(prices)[0].past, expected, atol=1e-5)
    both = price_windows(file, columns=["Open", "Close"])[0]
    np.testing.assert_allclose(both.past, price_windows(WALK)[0].past, atol=1e-5)


def test_an_array_may_be_a_list():
    assert price_windows(list(range(1, 301)))[0].past.shape[1:] == (40, 1)


def nan_at(row):
    rows = WALK.copy()
    rows[row, 1] = np.nan
    return rows


@pytest.mark.parametrize(
    ("prices", "options", "error", "message"),
    [
        (WALK, {"past": 0}, SpecError, r"past: expected a whole number >= 1, received 0"),
        (WALK, {"future": "a"}, SpecError, r"future: expected a whole number"),
        (WALK, {"normalise": "lost"}, SpecError, r"normalise: .*Did you mean 'last'\?"),
        (WALK, {"test_fraction": 1.0}, SpecError, r"test_fraction: expected a number in \[0, 0\.9\]"),
        (
            WALK,
            {"columns": "Close"},
            SpecError,
            r"columns: expected None with an array.*prices\[:, \[0, 3\]\]",
        ),
        (
            table(),
            {"columns": "close"},
            SpecError,
            r"columns: expected one of 'Date'.*Did you mean 'Close'\?",
        ),
        (table(), {"columns": []}, SpecError, r"columns: expected at least one column's name"),
        (table(), {"date": "Day"}, SpecError, r"date: expected one of .*received 'Day'"),
        (
            table(),
            {"columns": "Volume"},
            DataError,
            r"prices, column 'Volume': expected numbers, received .*'-'",
        ),
        (table(Date=["x"] * 300), {}, DataError, r"prices, column 'Date': expected dates in one format"),
        (table(Date=[None] * 300), {}, DataError, r"prices, column 'Date': expected a date in each row"),
        (
            table(Date=["2020-01-01"] * 300),
            {},
            DataError,
            r"'Date': expected each date once, received 2020-01-01",
        ),
        (
            nan_at(17),
            {},
            DataError,
            r"prices, row 17 in time order, column 1: expected finite numbers, received nan",
        ),
        (
            -WALK,
            {"normalise": "last"},
            DataError,
            r"row 0 in time order, column 0: expected positive numbers",
        ),
        (
            np.ones((3, 3, 3)),
            {},
            DataError,
            r"prices: expected an array \[R\] or \[R, F\], received the shape",
        ),
        (
            np.ones(119),
            {},
            DataError,
            r"prices: expected at least 129 rows with past=40, future=40.*received 119",
        ),
        (np.ones(79), {"test_fraction": 0}, DataError, r"prices: expected at least 80 rows.*received 79"),
        ("abc", {}, FileNotFoundError, r"abc"),
    ],
)
def test_wrong_inputs(prices, options, error, message):
    assert issubclass(error, (SeqcastError, FileNotFoundError))
    if isinstance(prices, dict):
        prices = pandas.DataFrame(prices)
    with pytest.raises(error, match=message):
        price_windows(prices, **options)


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.2, 0.9])
def test_the_number_of_rows_asked_for_is_the_smallest_that_suffices(fraction):
    with pytest.raises(DataError) as caught:
        price_windows(np.ones(3), past=4, future=6, test_fraction=fraction)
    rows = int(caught.value.expected.split()[2])
    assert len(price_windows(np.ones(rows), past=4, future=6, test_fraction=fraction)[0]) == 1
    with pytest.raises(DataError):
        price_windows(np.ones(rows - 1), past=4, future=6, test_fraction=fraction)
