"""Scores and p-values are those of other libraries: scikit-learn's losses, SciPy's distributions."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics
from utilsforecast import losses

from seqcast.evaluation import dm_test, evaluate
from seqcast.forecaster.choice import pinball
from seqcast.intervals import Dependence
from seqcast.intervals.conformal import calibrate_points
from seqcast.intervals.dependence import variance_of_sum

RNG = np.random.default_rng(11)
Y = RNG.gamma(2.0, size=200) + 0.5
MODEL = Y * RNG.normal(1.0, 0.2, size=200)
LOWER = MODEL - 0.4
UPPER = MODEL + 0.3
TABLE = pd.DataFrame({"unique_id": "a", "ds": np.arange(1, 201), "cutoff": 0, "y": Y, "m": MODEL})
TABLE = TABLE.assign(**{"m-lo-80": LOWER, "m-hi-80": UPPER})

POINT = {
    "mae": metrics.mean_absolute_error,
    "mse": metrics.mean_squared_error,
    "rmse": metrics.root_mean_squared_error,
    "mape": metrics.mean_absolute_percentage_error,
}


def score(name, column="m"):
    table = evaluate(TABLE, name.split("_q0")[0].split("_level")[0], models=["m"])
    return table.set_index("metric")[column][name]


@pytest.mark.parametrize("name", POINT)
def test_point_scores_are_scikit_learns(name):
    assert score(name) == pytest.approx(POINT[name](Y, MODEL), rel=1e-12)


def test_symmetric_percentages_are_utilsforecasts():
    assert score("smape") == pytest.approx(losses.smape(TABLE, models=["m"])["m"].mean(), rel=1e-12)


def test_quantile_scores_are_scikit_learns():
    expected = [
        metrics.mean_pinball_loss(Y, bound, alpha=p) for bound, p in ((LOWER, 0.1), (UPPER, 0.9))
    ]
    assert [score("quantile_loss_q0.1"), score("quantile_loss_q0.9")] == pytest.approx(
        expected, rel=1e-12
    )
    assert score("mqloss") == pytest.approx(np.mean(expected), rel=1e-12)
    # The quantile loss by which candidates are compared.
    ours = pinball(Y, np.stack([LOWER, UPPER], axis=-1), (0.1, 0.9))
    np.testing.assert_allclose(ours.mean(axis=0), expected, rtol=1e-12)


def test_coverage_is_the_share_inside():
    assert score("coverage_level80") == pytest.approx(np.mean((LOWER <= Y) & (Y <= UPPER)))


@pytest.mark.parametrize("side", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("count", [5, 40])
def test_diebold_mariano_at_one_step_is_students_test(side, count):
    """With the correction for small samples, and `h = 1`, it is the t-test of one sample."""
    differences = np.random.default_rng(count).normal(0.3, size=count)
    expected = stats.ttest_1samp(differences, 0.0, alternative=side)
    assert dm_test(differences, alternative=side) == pytest.approx(
        (expected.statistic, expected.pvalue), rel=1e-9
    )


@pytest.mark.parametrize("count", [19, 50, 99])
def test_widths_are_numpys_order_statistics(count):
    """The `⌈(n + 1) p⌉`-th of the absolute errors, which NumPy's inverted distribution of `n + 1` values has too."""
    errors = np.abs(np.random.default_rng(count).normal(size=count))
    calibration = calibrate_points(errors[:, None], np.zeros((count, 1)), level=(50, 80, 95))
    with_infinity = np.append(errors, np.inf)
    expected = np.quantile(with_infinity, [0.5, 0.8, 0.95], method="inverted_cdf")
    np.testing.assert_allclose(calibration.widths[0], expected)


@pytest.mark.parametrize(("shared", "persistence"), [(0.0, 0.7), (0.3, 0.5), (0.8, 0.0)])
def test_scores_of_paths_are_scipys_multivariate_normal(shared, persistence):
    steps = np.arange(5)
    lags = np.abs(steps[:, None] - steps)
    covariance = shared + (1 - shared) * persistence**lags
    drawn = Dependence(shared, persistence).scores(np.random.default_rng(0), (40_000, 5))
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.03)
    # Distances from the centre under these covariances are chi-squared: all moments fit, not only
    # the second.
    distances = np.einsum("ni,ij,nj->n", drawn, np.linalg.inv(covariance), drawn)
    assert stats.kstest(distances, stats.chi2(5).cdf).pvalue > 1e-3
    likelihoods = stats.multivariate_normal(np.zeros(5), covariance).logpdf(drawn)
    assert likelihoods.mean() == pytest.approx(
        -stats.multivariate_normal(np.zeros(5), covariance).entropy(), abs=0.05
    )
    assert variance_of_sum(np.array(shared), np.array(persistence), 5) == pytest.approx(
        covariance.sum()
    )
    # The copula of a Gaussian has the rank correlation 6/π asin(ρ/2), whatever the quantiles of its
    # steps.
    spearman = stats.spearmanr(np.exp(drawn[:, 0]), drawn[:, 1] ** 3).statistic
    assert spearman == pytest.approx(6 / np.pi * np.arcsin(covariance[0, 1] / 2), abs=0.02)
