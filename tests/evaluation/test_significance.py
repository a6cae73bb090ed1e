"""The Diebold-Mariano test: against plain loops, a published value, and its size where there is nothing to find."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

from seqcast.errors import DataError, SpecError
from seqcast.evaluation import diebold_mariano, dm_test
from tests.rejections import rejections


def plain(differences, horizon):
    """Compute statistic and two-sided p-value by loops, as R's `forecast::dm.test` does."""
    count = len(differences)
    centred = differences - np.mean(differences)
    total = 0.0
    for lag in range(horizon):
        covariance = sum(centred[i] * centred[i - lag] for i in range(lag, count)) / count
        total += covariance if lag == 0 else 2 * covariance
    correction = math.sqrt((count + 1 - 2 * horizon + (horizon / count) * (horizon - 1)) / count)
    statistic = np.mean(differences) / math.sqrt(total / count) * correction
    return statistic, 2 * stats.t.cdf(-abs(statistic), df=count - 1)


def moving_average(random, shape, order):
    """Draw what the errors of forecasts `order` steps ahead look like: correlated over `order - 1` steps."""
    noise = random.normal(size=(*shape[:-1], shape[-1] + order - 1))
    return sum(noise[..., lag : lag + shape[-1]] for lag in range(order))


# ---------------------------------------------------------------- the test itself


@pytest.mark.parametrize("horizon", [1, 2, 3, 6])
@pytest.mark.parametrize("count", [12, 40])
def test_agrees_with_plain_loops(horizon, count):
    differences = moving_average(np.random.default_rng(horizon), (count,), horizon) + 0.5
    np.testing.assert_allclose(
        dm_test(differences, horizon), plain(differences, horizon), rtol=1e-10
    )


def test_agrees_with_a_published_value():
    """From the tests of the package dieboldmariano 1.1: errors 0…5 and 0, 2, 3, 3, 5, 6, squared loss."""
    differences = np.arange(6) ** 2 - np.array([0, 2, 3, 3, 5, 6]) ** 2
    statistic, p_value = dm_test(differences)
    assert statistic == pytest.approx(-2.4905, abs=5e-5)
    assert p_value == pytest.approx(0.05513, abs=5e-6)


@pytest.mark.parametrize("size", [1e-200, 1e-12, 1e12, 1e200])
def test_has_no_unit_and_changes_sign_with_the_models(size):
    differences = np.random.default_rng(1).normal(0.3, size=20)
    statistic, p_value = dm_test(differences, 2)
    np.testing.assert_allclose(dm_test(differences * size, 2), (statistic, p_value), rtol=1e-9)
    np.testing.assert_allclose(dm_test(-differences, 2), (-statistic, p_value), rtol=1e-12)
    less, greater = (dm_test(differences, 2, alternative=name)[1] for name in ("less", "greater"))
    assert less + greater == pytest.approx(1)
    assert p_value == pytest.approx(2 * min(less, greater))


def test_negative_variance_falls_back_on_weights():
    differences = np.tile([1.0, -1.2], 10) + 0.01 * np.arange(20)
    centred = differences - differences.mean()
    first, second = (centred[lag:] @ centred[: 20 - lag] / 20 for lag in (0, 1))
    assert first + 2 * second < 0
    expected = (
        differences.mean() / math.sqrt((first + second) / 20) * math.sqrt((20 + 1 - 4 + 0.1) / 20)
    )
    assert dm_test(differences, 2)[0] == pytest.approx(expected)


def test_extremes():
    assert dm_test(np.zeros(5)) == (0.0, 1.0)
    assert dm_test(np.zeros(5), alternative="less") == (0.0, 0.5)
    assert dm_test(np.full(5, 0.1)) == (math.inf, 0.0)
    assert dm_test(np.full(5, -0.1), alternative="less") == (-math.inf, 0.0)
    assert dm_test(np.full(5, -0.1), alternative="greater") == (-math.inf, 1.0)
    assert np.isnan(dm_test([1.0])).all()
    assert np.isnan(dm_test([1.0, 2.0, 3.0], 3)).all()
    assert np.isfinite(dm_test([1.0, 2.0, 4.0, 3.0], 3)).all()


# ---------------------------------------------------------------- on backtests


def rolling(count=30, horizon=3, step_size=1, series=1, seed=0, kind="pandas"):
    """Return a backtest with errors of their own for `a`, `b` and `c`; `b` is the best."""
    random = np.random.default_rng(seed)
    names, cutoffs, steps = (each.ravel() for each in np.indices((series, count, horizon)))
    cutoffs *= step_size
    keys = {
        "unique_id": [f"s{name}" for name in names],
        "ds": cutoffs + steps + 1,
        "cutoff": cutoffs,
        "y": 0.0,
    }
    errors = {
        model: spread * random.normal(size=len(names))
        for model, spread in (("a", 2), ("b", 1), ("c", 2))
    }
    df = pd.DataFrame({**keys, **errors})
    return pl.from_pandas(df) if kind == "polars" else df


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_each_pair_at_each_step_and_over_all(kind):
    df = rolling(kind=kind)
    made = diebold_mariano(df)
    assert type(made) is type(df)
    assert list(made.columns) == ["model_a", "model_b", "step", "statistic", "p_value", "n"]
    pairs = list(zip(made["model_a"], made["model_b"], made["step"], strict=True))
    assert pairs == [(one, two, step) for one, two in ("ab", "ac", "bc") for step in (1, 2, 3, 0)]
    assert set(made["n"]) == {30}
    plain_frame = rolling()
    losses = {name: plain_frame[name].abs().to_numpy().reshape(30, 3) for name in "ab"}
    differences = losses["a"] - losses["b"]
    for place, step in enumerate((1, 2, 3)):
        expected = plain(
            differences[:, place], step
        )  # made at each step, so `step` of them overlap
        np.testing.assert_allclose(
            (made["statistic"][place], made["p_value"][place]), expected, rtol=1e-9
        )
    np.testing.assert_allclose(
        made["statistic"][3], plain(differences.mean(axis=1), 3)[0], rtol=1e-9
    )
    assert made["statistic"][0] > 0 > made["statistic"][8]
    few = diebold_mariano(rolling(count=3, kind=kind), models=["a", "b"])
    assert np.isfinite(np.asarray(few["statistic"])).tolist() == [True, True, False, False]


HORIZONS = [(1, [1, 2, 3, 4, 4]), (2, [1, 1, 2, 2, 2]), (4, [1] * 5), (9, [1] * 5)]


@pytest.mark.parametrize(("step_size", "horizons"), HORIZONS)
def test_forecasts_that_do_not_overlap_are_independent(step_size, horizons):
    df = rolling(horizon=4, step_size=step_size)
    made = diebold_mariano(df, models=["a", "b"], loss="squared")
    losses = [df[name].to_numpy().reshape(30, 4) ** 2 for name in "ab"]
    differences = losses[0] - losses[1]
    columns = [*differences.T, differences.mean(axis=1)]
    expected = [dm_test(column, horizon) for column, horizon in zip(columns, horizons, strict=True)]
    np.testing.assert_allclose(made[["statistic", "p_value"]], expected, rtol=1e-9)


def test_over_series():
    df = rolling(count=2, series=12)
    made = diebold_mariano(df, models=["a", "b"], over="series")
    assert set(made["n"]) == {12}
    assert made["step"].tolist() == [1, 2, 3, 0]
    losses = {name: df[name].abs().to_numpy().reshape(12, 6) for name in "ab"}
    size = (losses["a"] + losses["b"]).mean(axis=1) / 2
    differences = (losses["a"] - losses["b"]).mean(axis=1) / size
    np.testing.assert_allclose(made["statistic"][3], plain(differences, 1)[0], rtol=1e-9)


def test_no_series_weighs_more_for_its_size_and_rows_have_no_order():
    df = rolling(series=3)
    large = df.copy()
    large.loc[large["unique_id"] == "s1", ["y", "a", "b", "c"]] *= 1e6
    for over in ("cutoffs", "series"):
        expected = diebold_mariano(df, over=over)
        pd.testing.assert_frame_equal(
            diebold_mariano(large.sample(frac=1, random_state=0), over=over), expected
        )


def test_baseline_loss_and_side():
    df = rolling()
    made = diebold_mariano(df, baseline="b")
    assert made[["model_a", "model_b"]].drop_duplicates().to_numpy().tolist() == [
        ["a", "b"],
        ["c", "b"],
    ]
    asymmetric = diebold_mariano(
        df, baseline="b", loss=lambda truth, forecast: np.maximum(forecast - truth, 0)
    )
    assert not np.allclose(asymmetric["statistic"], made["statistic"])
    one = diebold_mariano(df, baseline="b", alternative="greater")
    np.testing.assert_allclose(one["p_value"], made["p_value"] / 2)


def test_missing_truth_is_left_out():
    df = rolling(count=20)
    df.loc[df["cutoff"] == 4, "y"] = np.nan
    made = diebold_mariano(df)
    assert set(made["n"]) == {19}
    df.loc[(df["ds"] - df["cutoff"] == 3) & (df["cutoff"] > 4), "y"] = np.nan
    made = diebold_mariano(df)
    assert made["n"].tolist()[:4] == [19, 19, 4, 19]
    assert np.isfinite(made["statistic"]).all()


WRONG = {
    "one model": (
        lambda: diebold_mariano(rolling(), models=["a"]),
        SpecError,
        "models: expected at least two models",
    ),
    "baseline": (
        lambda: diebold_mariano(rolling(), baseline="d"),
        SpecError,
        "baseline: expected one of 'a', 'b'",
    ),
    "loss": (
        lambda: diebold_mariano(rolling(), loss="absolut"),
        SpecError,
        "Did you mean 'absolute'",
    ),
    "over": (
        lambda: diebold_mariano(rolling(), over="cutoff"),
        SpecError,
        "Did you mean 'cutoffs'",
    ),
    "side": (
        lambda: diebold_mariano(rolling(), alternative="lesser"),
        SpecError,
        "Did you mean 'less'",
    ),
    "cutoff": (
        lambda: diebold_mariano(rolling().drop(columns="cutoff")),
        DataError,
        "one row a|a column 'cutoff'",
    ),
    "few": (
        lambda: diebold_mariano(rolling(count=1)),
        DataError,
        "df: expected more cutoffs: at least 2.*received 1",
    ),
    "few series": (
        lambda: diebold_mariano(rolling(), over="series"),
        DataError,
        "df: expected more series",
    ),
    "function": (
        lambda: diebold_mariano(rolling(), loss=lambda y, f: 0.0),
        DataError,
        "loss of 'a': expected a fini",
    ),
    "infinite": (
        lambda: diebold_mariano(rolling().assign(a=np.inf)),
        DataError,
        "loss of 'a'.*not finite",
    ),
    "differences": (
        lambda: dm_test([1.0, np.nan, 2.0]),
        DataError,
        "differences, 1: expected finite numbers",
    ),
    "horizon": (lambda: dm_test([1.0, 2.0], 0), SpecError, "horizon"),
    "axes": (lambda: dm_test([[1.0, 2.0]]), DataError, "differences: expected 1 axes"),
}
test_wrong_calls = rejections(WRONG)
