"""Three sines from two: what does a network trained on so many sines make of more, or of fewer?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqcast.studies.study import Results, Setting, Study, Trainings, spread
from seqcast.studies.tasks import TEST, TRAIN, network, sine_windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COUNTS = (1, 2, 3, 4)
MIXED = "1 to 4"


class Sines(Study):
    """Trained on one number of sines, tested on each."""

    name = "sines"
    title = "Three sines from two"
    question = (
        "What does a network that was trained on sums of two sines make of one, three or four, and the other way round?"
    )

    def grid(self, quick: bool) -> list[Setting]:
        """Return each number of sines to train on, and all of them mixed."""
        size = {"windows": 640, "epochs": 1} if quick else {"windows": 25_600, "epochs": 12}
        trained: tuple[Any, ...] = (1, 2) if quick else (*COUNTS, MIXED)
        return [{"sines": count, "context": 30, **size} for count in trained]

    def run(self, setting: Setting, seed: int, trainings: Trainings) -> dict[str, Any]:
        """Train, and score on each number of sines, relative to the variance of the future."""
        sizes = {"past": setting["context"], "future": 15, "offset": (0.0, 0.0)}
        counts = COUNTS if setting["sines"] == MIXED else (setting["sines"],)
        share = setting["windows"] // len(counts)
        drawn = [sine_windows(share, seed=TRAIN + seed, num_signals=count, **sizes)[:2] for count in counts]
        past, future = (np.concatenate(arrays) for arrays in zip(*drawn, strict=True))
        model = trainings.fit(network(seed, epochs=setting["epochs"]), past, future)
        errors = []
        for count in COUNTS:
            past, future, _ = sine_windows(5_000, seed=TEST + seed, num_signals=count, **sizes)
            errors.append(float(np.square(model.predict(past) - future).mean() / np.square(future).mean()))
        return {"relative": errors}

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw the error by the number of sines in the test, a line a training."""
        from seqcast.plots import repeated_runs

        curves = {
            f"trained on {_sines_text(count)}": (COUNTS, results.where(sines=count).array("relative"))
            for count in results.settings("sines")
        }
        figure = repeated_runs(
            {"": curves},
            xlabel="sines in the test signal",
            ylabel="mean squared error / variance of the signal",
            title="Trained on some sines, tested on others",
            logy=True,
        )
        return {"": figure}

    def finding(self, results: Results) -> str:
        """Return the errors by trained and tested number of sines."""
        lines = []
        for count in results.settings("sines"):
            errors = results.where(sines=count).array("relative")
            cells = " | ".join(spread(errors[:, place]) for place in range(len(COUNTS)))
            lines.append(f"| {_sines_text(count)} | {cells} |")
        return (
            f"{results.seeds}; mean squared error over the signal's variance, so that 1 is as good as forecasting "
            f"zero; in brackets the smallest and the largest.\n\n| trained on | tested on 1 | on 2 | on 3 | on 4 |\n"
            "|---|---|---|---|---|\n" + "\n".join(lines)
        )


def _sines_text(count: Any) -> str:
    if count == MIXED:
        return "one to four sines"
    return f"{count} sine{'s' * (count > 1)}"


STUDY = Sines()
