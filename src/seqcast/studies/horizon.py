"""Beyond the horizon: ten times as far as was trained, by what the decoder reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqcast.studies.study import Results, Setting, Study, Trainings, spread
from seqcast.studies.tasks import TEST, TRAIN, mse_by_step, network, sine_windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRAINED, FAR = 15, 150
INPUTS = ("zeros", "position", "teacher", "scheduled", "autoregressive")


class Horizon(Study):
    """The error of each step up to ten times the trained horizon."""

    name = "horizon"
    title = "Beyond the horizon"
    question = (
        "What is the error of each step up to ten times the trained horizon, and where do decoders break down that "
        "read zeros, positions (block by block), true values in training, or their own outputs?"
    )

    def grid(self, quick: bool) -> list[Setting]:
        """Return a setting for each decoder input."""
        size = {"windows": 640, "epochs": 1} if quick else {"windows": 25_600, "epochs": 12}
        return [{"decoder_input": each, **size} for each in (("zeros", "position") if quick else INPUTS)]

    def run(self, setting: Setting, seed: int, trainings: Trainings) -> dict[str, Any]:
        """Train on 15 steps, forecast 150."""
        past, future, _ = sine_windows(setting["windows"], seed=TRAIN + seed, offset=(0.0, 0.0))
        model = trainings.fit(
            network(seed, epochs=setting["epochs"], decoder_input=setting["decoder_input"]), past, future
        )
        past, future, _ = sine_windows(5_000, future=FAR, seed=TEST + seed, offset=(0.0, 0.0))
        forecast = model.predict(past, FAR)
        return {"mse": mse_by_step(forecast, future), "variance": float(np.square(future).mean())}

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw the error by step."""
        from seqcast.plots import repeated_runs

        steps = np.arange(1, FAR + 1)
        curves: dict[str, Any] = {
            each: (steps, results.where(decoder_input=each).array("mse")) for each in results.settings("decoder_input")
        }
        curves["forecasting zero"] = (steps, np.full(FAR, results.array("variance").mean()))
        figure = repeated_runs(
            {"": curves},
            xlabel="step of the forecast",
            ylabel="mean squared error",
            title="Ten times the trained horizon, by what the decoder reads",
            guides={TRAINED: "trained horizon"},
            logy=True,
        )
        return {"": figure}

    def finding(self, results: Results) -> str:
        """Return the errors by step, and the step at which each is no better than zero."""
        variance = results.array("variance").mean()
        lines = []
        for each in results.settings("decoder_input"):
            mse = results.where(decoder_input=each).array("mse")
            steps = [spread(mse[:, step - 1]) for step in (1, TRAINED, 2 * TRAINED)]
            passed = [spread([_first(run, share * variance) for run in mse], 0) for share in (0.5, 1.0)]
            cells = " | ".join([each, *steps, *passed, spread(mse[:, -1] / variance, 2)])
            lines.append(f"| {cells} |")
        return (
            f"{results.seeds}; mean squared errors, in brackets the smallest and the largest; forecasting zero has "
            f"{variance:.3f}, the variance. A step that is never passed counts as {FAR + 1}.\n\n"
            f"| decoder reads | step 1 | step {TRAINED} | step {2 * TRAINED} | passes half of the variance at step | "
            f"passes the variance at step | step {FAR} over the variance |\n|---|---|---|---|---|---|---|\n"
            + "\n".join(lines)
        )


def _first(errors: Any, limit: float) -> int:
    """Return the first step whose error is above a limit; one more than all if there is none."""
    above = np.flatnonzero(np.asarray(errors) > limit)
    return int(above[0]) + 1 if len(above) else len(errors) + 1


STUDY = Horizon()
