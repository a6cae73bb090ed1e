"""Studies of identifiability: the network against a fit of the formula, by periods and noise."""

import itertools
from functools import partial
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from seqcast.data import noisy_past
from seqcast.plots import repeated_runs
from seqcast.runtime import Array
from study_base import (
    FREQUENCY,
    Results,
    Run,
    Setting,
    Study,
    markdown,
    sine_windows,
    spread,
)

# Periods of the slower sine within the context: the ends of the bins.
EDGES = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0])
# Their middles, at which errors are drawn.
MIDDLES = (EDGES[1:] + EDGES[:-1]) / 2
# Steps of the future, at the usual clock.
HORIZON = 15


class Periods(Study):
    """A frequency sweep within each context, contexts of several lengths, and a stretched clock.

    A clock of 2 samples every signal twice as densely, in the context and in the horizon: the same
    periods, twice the samples.
    """

    title = "Periods in the context"
    question = (
        "How many periods of each sine must the context show, is it periods or samples that count, "
        "and where the post sees trouble at low frequencies, how much of it can nobody know from "
        "the window?"
    )
    settings = (
        *(
            {"noise": noise, "context": context, "clock": 1}
            for noise in (0.0, 0.05)
            for context in (8, 15, 30, 60)
        ),
        *({"noise": 0.05, "context": HORIZON * clock, "clock": clock} for clock in (2, 4)),
    )
    size: ClassVar[Setting] = {"windows": 25_600, "epochs": 12, "fitted": 250, "tested": 20_000}
    quick = slice(5, 6)
    quick_size: ClassVar[Setting] = {"windows": 640, "epochs": 1, "fitted": 10, "tested": 2_000}

    def measure(self, run: Run) -> dict[str, Any]:
        """Train on all frequencies and score by the periods of the slower sine; fit the formula.

        Args:
            run: The setting and the seed; it trains.
        """
        clock = run.setting["clock"]
        context = run.setting["context"]
        noise = run.setting["noise"]
        frequency = (FREQUENCY[0] / clock, FREQUENCY[1] / clock)
        draw = partial(
            sine_windows, past=context, future=HORIZON * clock, noise=noise, frequency=frequency
        )

        model = run.train(draw)
        past, future, parameters = draw(run.setting["tested"], seed=run.test_seed)
        errors = np.square(model.predict(past) - future).mean(axis=(1, 2))
        periods = np.sort(parameters.frequency, axis=1)[:, 0] * context / 30

        subset = slice(0, run.setting["fitted"])
        # Squares of amplitudes between 0.1 and 1, spread over sine and cosine, are 0.185 on
        # average.
        fit = SineFit(context, frequency=frequency, penalty=noise**2 / 0.185)
        continued = fit(past[subset, :, 0], future.shape[1])
        fitted = np.square(continued - future[subset, :, 0]).mean(axis=1)
        return {
            "mse": float(errors.mean()),
            "by_slower": by_bin(errors, periods),
            "fit_mse": float(fitted.mean()),
            "fit_by_slower": by_bin(fitted, periods[subset]),
            "network_on_fitted": float(errors[subset].mean()),
        }

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw the error by the periods of the slower sine: contexts, stretched clocks, the fit.

        Args:
            results: All results.
        """
        contexts = {}
        fits = {}
        names = {"network": "by_slower", "fit of two sines": "fit_by_slower"}
        for noise, rows in results.by("noise").items():
            panel = "no noise" if noise == 0 else f"noise of {noise} on the past"
            swept = rows.where(clock=1)
            contexts[panel] = {
                f"{context} steps": _curve(each, "by_slower")
                for context, each in swept.by("context").items()
            }
            fits[panel] = {
                name: _curve(swept.where(context=15), key) for name, key in names.items()
            }
        contexts["the same periods, sampled more densely"] = {
            f"{HORIZON * clock} steps": _curve(
                rows.where(context=HORIZON * clock, noise=0.05), "by_slower"
            )
            for clock, rows in results.by("clock").items()
        }

        xlabel = "periods of the slower sine in the context"
        ylabel = "mean squared error of the forecast"
        main = repeated_runs(
            contexts,
            xlabel=xlabel,
            ylabel=ylabel,
            title="Error by the number of periods that the context shows",
            logy=True,
            columns=3,
        )
        fit = repeated_runs(
            fits,
            xlabel=xlabel,
            ylabel=ylabel,
            title="The network and a fit of the formula, context of 15 steps",
            logy=True,
            lowest=1e-4,
        )
        return {"": main, "fit": fit}

    def finding(self, results: Results) -> str:
        """Return the errors by context and noise.

        Args:
            results: All results.
        """
        lines = []
        for (noise, clock, context), rows in results.by("noise", "clock", "context").items():
            errors = [spread(rows.array(key)) for key in ("mse", "network_on_fitted", "fit_mse")]
            lines.append([f"{noise:g}", str(context), str(HORIZON * clock), *errors])
        header = [
            "noise on the past",
            "context",
            "horizon",
            "network",
            "network, windows of the fit",
            "fit of two sines",
        ]
        return (
            f"{results.seeds}; mean squared errors over all frequencies. The fit knows the number "
            "of sines, their range and the level of noise; it has "
            f"{results.rows[0]['setting']['fitted']} windows a seed. With 30 or 60 steps of "
            "horizon signals are sampled twice or four times as "
            f"densely.\n\n{markdown(header, lines)}"
        )


def by_bin(values: Any, periods: Any) -> list[float | None]:
    """Return the mean of values within the bins of `EDGES`, `None` of an empty one.

    Args:
        values: Numbers, `[N]`.
        periods: Periods of each, `[N]`.

    Example:
        >>> by_bin(np.array([1.0, 3.0, 5.0]), np.array([0.1, 0.2, 0.3]))[:3]
        [2.0, 5.0, None]
    """
    from scipy.stats import binned_statistic

    means = binned_statistic(periods, values, "mean", EDGES).statistic
    return [None if np.isnan(mean) else float(mean) for mean in means]


def _curve(rows: Results, key: str) -> tuple[Any, Any]:
    values = rows.array(key)
    finite = np.isfinite(values).all(axis=0)
    return MIDDLES[finite], values[:, finite]


# Steps of the past and of the future of Chevalier's exercise.
STEPS = 30
# Mean square of an amplitude over its cosine and sine, of Chevalier's ranges.
PRIOR = 0.23
# What is compared, in words, by the names of the outcomes.
MODELS = {
    "network": "network",
    "fit": "least-squares fit",
    "penalised": "fit that knows the level of noise",
}


class Noise(Study):
    """Chevalier's third exercise at several levels of noise."""

    title = "Noise on the past"
    question = (
        "In Chevalier's denoising exercise, how does the network compare with a fit of two sines "
        "by someone who knows the formula, and from what level of noise on does which of them win?"
    )
    settings = tuple({"noise": level} for level in (0.0, 0.05, 0.1, 0.2, 0.4, 0.8))
    size: ClassVar[Setting] = {"windows": 51_200, "epochs": 15, "fitted": 250}
    quick = slice(2, 5, 2)
    quick_size: ClassVar[Setting] = {"windows": 640, "epochs": 1, "fitted": 10}

    def measure(self, run: Run) -> dict[str, Any]:
        """Train with the noise, forecast the clean future, fit the formula to the same windows.

        Args:
            run: The setting and the seed; it trains.
        """
        level = run.setting["noise"]
        count = run.setting["fitted"]
        draw = partial(noisy_past, past=STEPS, future=STEPS, noise=level)
        model = run.train(draw, learning_rate=0.01)
        past, future = draw(5_000, seed=run.test_seed)
        errors = {"network": np.square(model.predict(past) - future).mean(axis=(1, 2))[:count]}
        for name, penalty in (("fit", 0.0), ("penalised", level**2 / PRIOR)):
            fit = SineFit(STEPS, frequency=(0.05, 8.5), penalty=penalty, offset=False)
            continued = fit(past[:count, :, 0], STEPS)
            errors[name] = np.square(continued - future[:count, :, 0]).mean(axis=1)

        means = {name: float(values.mean()) for name, values in errors.items()}
        medians = {f"{name}_median": float(np.median(values)) for name, values in errors.items()}
        return {"variance": float(np.square(future).mean()), **means, **medians}

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw errors by the level of noise: mean over windows, and the median window.

        Args:
            results: All results.
        """
        panels = {
            panel: {text: results.curve("noise", name + ending) for name, text in MODELS.items()}
            for panel, ending in (("mean over windows", ""), ("the median window", "_median"))
        }
        figure = repeated_runs(
            panels,
            xlabel="standard deviation of the noise on the past",
            ylabel="mean squared error of the clean future",
            title="A network, and a fit of the signal's formula",
            logy=True,
            lowest=1e-4,
        )
        return {"": figure}

    def finding(self, results: Results) -> str:
        """Return the errors of network and fits by level of noise.

        Args:
            results: All results.
        """
        lines = []
        for level, rows in results.by("noise").items():
            errors = [
                f"{spread(rows.array(name))}; {spread(rows.array(f'{name}_median'))}"
                for name in MODELS
            ]
            lines.append([f"{level:g}", *errors])
        return (
            f"{results.seeds}; mean squared error of the clean future over windows, and that of "
            "the median window. The signal's variance is "
            f"{results.array('variance').mean():.3f}.\n\n"
            + markdown(["noise", *MODELS.values()], lines)
        )


# Frequencies of the grid.
GRID = 48
# Pairs of them that are refined.
STARTS = 4


class SineFit:
    r"""Fit two sines to each window by least squares, and continue them.

    .. math:: x(t) = c + \sum_k a_k \cos(2π f_k t / 30) + b_k \sin(2π f_k t / 30)

    It knows that a window is a sum of two sines, and extrapolates. Where even that fails, the
    window does not determine its future, and no network can do better. The frequencies are
    searched: all pairs of a grid first, then from the best few by Levenberg-Marquardt. For given
    frequencies the other numbers are the solution of linear least squares (variable projection).

    Args:
        past: Steps of the past, `T`.
        frequency: Range in which frequencies are searched, in turns per 30 steps.
        penalty: Weight of the squared amplitudes in the sum with the squared errors: 0 is least
            squares; the noise's variance over the amplitudes' own is the most likely fit under a
            normal prior.
        offset: Whether there is a constant `c`.

    Example:
        >>> t = np.arange(25)
        >>> turns = 2 * np.pi * t / 30
        >>> signal = 0.3 + np.sin(4.0 * turns) + 0.5 * np.cos(7.5 * turns)
        >>> forecast = SineFit(15)(signal[None, :15], 10)
        >>> bool(np.abs(forecast[0] - signal[15:]).max() < 1e-4)
        True

    Source: Golub and Pereyra 1973, The differentiation of pseudo-inverses and nonlinear least
        squares problems whose variables separate.
    """

    def __init__(
        self,
        past: int,
        *,
        frequency: tuple[float, float] = (0.1, 10.0),
        penalty: float = 0.0,
        offset: bool = True,
    ) -> None:
        self.past = past
        self.range = frequency
        self.penalty = penalty
        self.offset = offset
        # The grid is geometric for low frequencies, and linear for high ones.
        line = np.concatenate(
            [np.geomspace(*frequency, GRID // 2), np.linspace(*frequency, GRID - GRID // 2)]
        )
        self.pairs = np.array(list(itertools.combinations(np.unique(line.round(6)), 2)))
        bases = [self._basis(pair, np.arange(past)) for pair in self.pairs]
        self._solve = np.stack([basis @ self._inverse(basis) for basis in bases])

    def __call__(self, windows: Array, horizon: int) -> Array:
        """Return the continuation of windows, `[N, H]` of `[N, T]`."""
        from scipy.optimize import least_squares

        values = np.asarray(windows, dtype=np.float64)
        squared_errors = np.stack(
            [np.square(values - values @ solve.T).sum(axis=1) for solve in self._solve], axis=1
        )
        best = np.argsort(squared_errors, axis=1)[:, :STARTS]

        bounds = (0.5 * self.range[0], 1.1 * self.range[1])
        forecasts = np.empty((len(values), horizon))
        for row, window in enumerate(values):
            fits = [
                least_squares(self._residuals, self.pairs[place], args=(window,), bounds=bounds)
                for place in best[row]
            ]
            frequencies = min(fits, key=lambda fit: float(fit.cost)).x
            weights = self._inverse(self._basis(frequencies, np.arange(self.past))) @ window
            ahead = np.arange(self.past, self.past + horizon)
            forecasts[row] = self._basis(frequencies, ahead) @ weights
        return forecasts

    def _basis(self, frequencies: Array, steps: Array) -> Array:
        # Counted from the middle of the past, where a low frequency's cosine is least like the
        # constant's twin.
        angles = 2 * np.pi * np.outer(steps - (self.past - 1) / 2, frequencies) / 30
        constant = np.ones((len(steps), int(self.offset)))
        return np.concatenate([constant, np.cos(angles), np.sin(angles)], axis=1)

    def _inverse(self, basis: Array) -> Array:
        if not self.penalty:
            return np.linalg.pinv(basis, rcond=1e-9)
        return np.linalg.solve(basis.T @ basis + self.penalty * np.eye(basis.shape[1]), basis.T)

    def _residuals(self, frequencies: Array, window: Array) -> Array:
        basis = self._basis(frequencies, np.arange(self.past))
        weights = self._inverse(basis) @ window
        residuals = window - basis @ weights
        if not self.penalty:
            return residuals
        return np.concatenate([residuals, np.sqrt(self.penalty) * weights])
