"""Noise on the past: the network beside a fit of the formula that made the signal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from seqcast.data import noisy_past
from seqcast.studies.oracle import SineFit
from seqcast.studies.study import Results, Setting, Study, Trainings, spread
from seqcast.studies.tasks import TEST, TRAIN, network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVELS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
STEPS = 30
# Mean square of an amplitude over its cosine and sine, of Chevalier's ranges.
PRIOR = 0.23


class Noise(Study):
    """Chevalier's third exercise at several levels of noise."""

    name = "noise"
    title = "Noise on the past"
    question = (
        "In Chevalier's denoising exercise, how does the network compare with a fit of two sines by someone who knows "
        "the formula, and from what level of noise on does which of them win?"
    )

    def grid(self, quick: bool) -> list[Setting]:
        """Return the levels of noise."""
        size = (
            {"windows": 640, "epochs": 1, "fitted": 10} if quick else {"windows": 51_200, "epochs": 15, "fitted": 250}
        )
        return [{"noise": level, **size} for level in ((0.1, 0.4) if quick else LEVELS)]

    def run(self, setting: Setting, seed: int, trainings: Trainings) -> dict[str, Any]:
        """Train at the level of noise; forecast the clean future; fit the formula to the same windows."""
        level, count = setting["noise"], setting["fitted"]
        draw = partial(noisy_past, past=STEPS, future=STEPS, noise=level)
        past, future = draw(setting["windows"], seed=TRAIN + seed)
        model = trainings.fit(network(seed, epochs=setting["epochs"], learning_rate=0.01), past, future)
        past, future = draw(max(count, 5_000), seed=TEST + seed)
        errors = np.square(model.predict(past) - future).mean(axis=(1, 2))
        outcome = {
            "variance": float(np.square(future).mean()),
            "mse": float(errors.mean()),
            "network_on_fitted": float(errors[:count].mean()),
            "network_median": float(np.median(errors[:count])),
        }
        for name, penalty in (("fit", 0.0), ("penalised", level**2 / PRIOR)):
            fit = SineFit(STEPS, frequency=(0.05, 8.5), penalty=penalty, offset=False)
            fitted = np.square(fit(past[:count, :, 0], STEPS) - future[:count, :, 0]).mean(axis=1)
            outcome[name], outcome[f"{name}_median"] = float(fitted.mean()), float(np.median(fitted))
        return outcome

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw errors by the level of noise: mean over windows, and the median window."""
        from seqcast.plots import repeated_runs

        names = {"network": "network", "fit": "least-squares fit", "penalised": "fit that knows the level of noise"}
        keys = {
            "mean over windows": {"network": "network_on_fitted", "fit": "fit", "penalised": "penalised"},
            "the median window": {name: f"{name}_median" for name in names},
        }
        panels = {
            name: {names[each]: results.curve("noise", key) for each, key in by_model.items()}
            for name, by_model in keys.items()
        }
        figure = repeated_runs(
            panels,
            xlabel="standard deviation of the noise on the past",
            ylabel="mean squared error of the clean future",
            title="A network, and a fit of the formula that made the signal",
            logy=True,
            lowest=1e-4,
        )
        return {"": figure}

    def finding(self, results: Results) -> str:
        """Return the errors of network and fits by level of noise."""
        lines = []
        for level in results.settings("noise"):
            rows = results.where(noise=level)
            errors = " | ".join(
                f"{spread(rows.array(mean))}; {spread(rows.array(median))}"
                for mean, median in (
                    ("network_on_fitted", "network_median"),
                    ("fit", "fit_median"),
                    ("penalised", "penalised_median"),
                )
            )
            lines.append(f"| {level:g} | {errors} |")
        return (
            f"{results.seeds}; mean squared error of the clean future over windows, and that of the median "
            f"window; in brackets the smallest and the largest seed. The signal's variance is "
            f"{results.array('variance').mean():.3f}.\n\n| noise | network | least-squares fit | fit that knows the "
            "level of noise |\n|---|---|---|---|\n" + "\n".join(lines)
        )


STUDY = Noise()
