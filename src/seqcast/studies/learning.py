"""Learning curves: when does more data stop to pay, and when does a network overfit?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqcast.studies.study import Results, Setting, Study, Trainings, spread
from seqcast.studies.tasks import TEST, TRAIN, network, sine_windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WINDOWS = (1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000)
# With batches of 128 the larger sees a million windows once.
STEPS = (1_000, 8_000)


class Learning(Study):
    """Error on training and test windows, by their number and by gradient steps."""

    name = "learning"
    title = "Learning curves"
    question = "What do more training windows and more passes bring, and when does the network overfit?"

    def grid(self, quick: bool) -> list[Setting]:
        """Return numbers of windows by gradient steps."""
        if quick:
            return [{"windows": windows, "steps": 30} for windows in (200, 2_000)]
        return [{"windows": windows, "steps": steps} for steps in STEPS for windows in WINDOWS]

    def run(self, setting: Setting, seed: int, trainings: Trainings) -> dict[str, Any]:
        """Train for the setting's steps; score on training windows and on new ones."""
        past, future, _ = sine_windows(setting["windows"], seed=TRAIN + seed, offset=(0.0, 0.0))
        model = trainings.fit(network(seed, epochs=10, steps_per_epoch=setting["steps"] // 10), past, future)
        test, truth, _ = sine_windows(20_000, seed=TEST + seed, offset=(0.0, 0.0))
        scored = slice(0, 20_000)
        return {
            "training": float(np.square(model.predict(past[scored]) - future[scored]).mean()),
            "test": float(np.square(model.predict(test) - truth).mean()),
        }

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw training and test error by the number of windows."""
        from seqcast.plots import repeated_runs

        panels = {}
        for steps in results.settings("steps"):
            chosen = results.where(steps=steps)
            panels[f"{steps:,} gradient steps"] = {
                f"{name} windows": chosen.curve("windows", name) for name in ("training", "test")
            }
        figure = repeated_runs(
            panels,
            xlabel="training windows",
            ylabel="mean squared error",
            title="What more training windows bring",
            logx=True,
            logy=True,
        )
        return {"": figure}

    def finding(self, results: Results) -> str:
        """Return the errors by number of windows and steps."""
        lines = []
        for steps in results.settings("steps"):
            for windows in results.settings("windows"):
                chosen = results.where(steps=steps, windows=windows)
                training, test = chosen.array("training"), chosen.array("test")
                passes = 128 * steps / windows
                lines.append(
                    f"| {steps:,} | {windows:,} | {passes:.3g} | {spread(training)} | {spread(test)} | "
                    f"{np.mean(test) / np.mean(training):.2f} |"
                )
        return (
            f"{results.seeds}; mean squared error, in brackets the smallest and the largest.\n\n"
            "| gradient steps | training windows | passes | training windows' error | test windows' error | test / "
            "training |\n|---|---|---|---|---|---|\n" + "\n".join(lines)
        )


STUDY = Learning()
