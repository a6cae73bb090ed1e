"""How many periods must a context show? And is it periods that count, or samples?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from seqcast.studies.oracle import SineFit
from seqcast.studies.study import Results, Setting, Study, Trainings, number, spread
from seqcast.studies.tasks import FREQUENCY, TEST, TRAIN, by_bin, network, sine_windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Periods of the slower sine within the context: the ends of the bins.
EDGES = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0])
MIDDLES = (EDGES[1:] + EDGES[:-1]) / 2
HORIZON = 15


class Periods(Study):
    """A frequency sweep within each context, contexts of several lengths, and a stretched clock."""

    name = "periods"
    title = "Periods in the context"
    question = (
        "How many periods of each sine must the context show, is it periods or samples that count, and where the post "
        "sees trouble at low frequencies, how much of it can nobody know from the window?"
    )

    def grid(self, quick: bool) -> list[Setting]:
        """Return contexts by noise; then the same periods with twice and four times as many samples."""
        size = (
            {"windows": 640, "epochs": 1, "fitted": 10} if quick else {"windows": 25_600, "epochs": 12, "fitted": 250}
        )
        contexts = (15,) if quick else (8, 15, 30, 60)
        swept = [
            {"context": context, "clock": 1, "noise": noise, **size}
            for context in contexts
            for noise in ((0.05,) if quick else (0.0, 0.05))
        ]
        stretched = (
            [] if quick else [{"context": 15 * clock, "clock": clock, "noise": 0.05, **size} for clock in (2, 4)]
        )
        return swept + stretched

    def run(self, setting: Setting, seed: int, trainings: Trainings) -> dict[str, Any]:
        """Train on all frequencies and score by the periods of the slower sine; fit the formula beside it.

        A clock of 2 samples every signal twice as densely, in the context and in the horizon: the same periods, twice
        the samples.
        """
        clock, context, noise = setting["clock"], setting["context"], setting["noise"]
        low, high = (frequency / clock for frequency in FREQUENCY)
        draw = partial(sine_windows, past=context, future=HORIZON * clock, noise=noise, frequency=(low, high))
        past, future, _ = draw(setting["windows"], seed=TRAIN + seed)
        model = trainings.fit(network(seed, epochs=setting["epochs"]), past, future)
        past, future, parameters = draw(2_000 if setting["fitted"] < 100 else 20_000, seed=TEST + seed)
        errors = np.square(model.predict(past) - future).mean(axis=(1, 2))
        periods = np.sort(parameters.frequency, axis=1) * context / 30
        subset = slice(0, setting["fitted"])
        # Squares of amplitudes between 0.1 and 1, spread over sine and cosine, are 0.185 on average.
        fit = SineFit(context, frequency=(low, high), penalty=noise**2 / 0.185)
        fitted = np.square(fit(past[subset, :, 0], future.shape[1]) - future[subset, :, 0]).mean(axis=1)
        return {
            "mse": float(errors.mean()),
            "by_slower": by_bin(errors, periods[:, 0], EDGES),
            "by_faster": by_bin(errors, periods[:, 1], EDGES),
            "variance": by_bin(np.var(future, axis=(1, 2)), periods[:, 0], EDGES),
            "fit_mse": float(fitted.mean()),
            "fit_median": float(np.median(fitted)),
            "fit_by_slower": by_bin(fitted, periods[subset, 0], EDGES),
            "network_on_fitted": float(errors[subset].mean()),
        }

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw the error by the periods of the slower sine: the contexts, and the stretched clocks."""
        from seqcast.plots import repeated_runs

        panels: dict[str, dict[str, tuple[Any, Any]]] = {}
        noises = results.settings("noise")
        for noise in noises:
            name = "no noise" if noise == 0 else f"noise of {noise} on the past"
            swept = results.where(clock=1, noise=noise)
            panels[name] = {
                f"{context} steps": _curve(swept.where(context=context), "by_slower")
                for context in swept.settings("context")
            }
        clocks = [results.where(clock=1, context=15, noise=0.05), *(results.where(clock=k) for k in (2, 4))]
        panels["the same periods, sampled more densely"] = {
            f"{rows.settings('context')[0]} steps": _curve(rows, "by_slower") for rows in clocks if len(rows)
        }
        main = repeated_runs(
            panels,
            xlabel="periods of the slower sine in the context",
            ylabel="mean squared error of the forecast",
            title="Error by the number of periods that the context shows",
            logy=True,
            columns=3,
        )
        against = {
            ("no noise" if noise == 0 else f"noise of {noise} on the past"): {
                "network": _curve(results.where(clock=1, context=15, noise=noise), "by_slower"),
                "fit of two sines": _curve(results.where(clock=1, context=15, noise=noise), "fit_by_slower"),
            }
            for noise in noises
        }
        fit = repeated_runs(
            against,
            xlabel="periods of the slower sine in the context",
            ylabel="mean squared error of the forecast",
            title="The network beside a fit of the formula, context of 15 steps",
            logy=True,
            lowest=1e-4,
        )
        return {"": main, "fit": fit}

    def finding(self, results: Results) -> str:
        """Return the errors by context and noise, and by periods in the context."""
        lines = []
        for noise in results.settings("noise"):
            for clock in results.where(noise=noise).settings("clock"):
                for context in results.where(noise=noise, clock=clock).settings("context"):
                    rows = results.where(noise=noise, clock=clock, context=context)
                    errors = " | ".join(spread(rows.array(key)) for key in ("mse", "network_on_fitted", "fit_mse"))
                    lines.append(f"| {noise:g} | {context} | {HORIZON * clock} | {errors} |")
        parts = [
            f"{results.seeds}; mean squared errors over all frequencies, in brackets the smallest and the largest "
            f"seed. The fit knows that there are two sines, their range and the level of noise; it is made for "
            f"{results.rows[0]['setting']['fitted']} windows a seed. With 30 or 60 steps of horizon every signal is "
            "sampled twice or four times as densely: the same periods in more samples.\n\n"
            "| noise on the past | context | horizon | network | network, windows of the fit | fit of two sines |\n"
            "|---|---|---|---|---|---|\n" + "\n".join(lines)
        ]
        for noise in results.settings("noise"):
            rows = results.where(clock=1, noise=noise, context=15)
            errors, fit = _mean(rows.array("by_slower")), _mean(rows.array("fit_by_slower"))
            variance = _mean(rows.array("variance"))
            lines = [
                f"| {EDGES[place]:g}-{EDGES[place + 1]:g} | {number(errors[place])} | {number(fit[place])} | "
                f"{variance[place]:.3f} |"
                for place in np.flatnonzero(np.isfinite(errors))
            ]
            parts.append(
                f"A context of 15 steps, noise {noise:g}, by periods of the slower sine in the context:\n\n"
                "| periods | network | fit | variance |\n|---|---|---|---|\n" + "\n".join(lines)
            )
        return "\n\n".join(parts)


def _mean(values: Any) -> Any:
    """Return the mean over seeds, NaN where none has a value."""
    finite = np.isfinite(values)
    return np.where(finite, values, 0.0).sum(axis=0) / np.where(finite.any(axis=0), finite.sum(axis=0), np.nan)


def _curve(rows: Results, key: str) -> tuple[Any, Any]:
    values = rows.array(key)
    finite = np.isfinite(values).all(axis=0)
    return MIDDLES[finite], values[:, finite]


STUDY = Periods()
