"""Studies of generalisation: numbers of windows and of sines, groups with a static vector."""

from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from seqcast.data import SineParameters
from seqcast.errors import counted
from seqcast.plots import repeated_runs
from seqcast.runtime import Array
from study_base import (
    FREQUENCY,
    Results,
    Run,
    Setting,
    Study,
    markdown,
    plain_sines,
    spread,
)


class Learning(Study):
    """Error on training and test windows, by their number and by gradient steps."""

    title = "Learning curves"
    question = (
        "What do more training windows and more passes bring, and when does the network overfit?"
    )
    # With batches of 128 the larger number of steps sees a million windows once.
    settings = tuple(
        {"windows": windows, "steps": steps}
        for steps in (1_000, 8_000)
        for windows in (1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000)
    )
    size: ClassVar[Setting] = {"epochs": 10}
    quick_size: ClassVar[Setting] = {"steps": 30}

    def measure(self, run: Run) -> dict[str, Any]:
        """Train for the setting's steps; score on training windows and on new ones.

        Args:
            run: The setting and the seed; it trains.
        """
        past, future, _ = plain_sines(run.setting["windows"], seed=run.train_seed)
        steps = run.setting["steps"] // run.setting["epochs"]
        model = run.fit(past, future, steps_per_epoch=steps)

        test, truth, _ = plain_sines(20_000, seed=run.test_seed)
        scored = slice(0, 20_000)
        return {
            "training": float(np.square(model.predict(past[scored]) - future[scored]).mean()),
            "test": float(np.square(model.predict(test) - truth).mean()),
        }

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw training and test error by the number of windows.

        Args:
            results: All results.
        """
        panels = {
            f"{steps:,} gradient steps": {
                f"{key} windows": rows.curve("windows", key) for key in ("training", "test")
            }
            for steps, rows in results.by("steps").items()
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
        """Return the errors by number of windows and steps.

        Args:
            results: All results.
        """
        lines = []
        for (steps, windows), rows in results.by("steps", "windows").items():
            errors = [spread(rows.array(name)) for name in ("training", "test")]
            lines.append([f"{steps:,}", f"{windows:,}", f"{128 * steps / windows:.3g}", *errors])
        header = [
            "gradient steps",
            "training windows",
            "passes",
            "their error",
            "test windows' error",
        ]
        return f"{results.seeds}; mean squared error.\n\n" + markdown(header, lines)


# Numbers of sines in a signal.
COUNTS = (1, 2, 3, 4)
# A training on signals of each of these numbers.
MIXED = "1 to 4"


class Sines(Study):
    """Trained on one number of sines, tested on each."""

    title = "Three sines from two"
    question = (
        "What does a network that was trained on sums of two sines make of one, three or four, and "
        "the other way round?"
    )
    settings = tuple({"sines": count, "context": 30} for count in (*COUNTS, MIXED))

    def measure(self, run: Run) -> dict[str, Any]:
        """Train, and score on each number of sines, relative to the variance of the future.

        Args:
            run: The setting and the seed; it trains.
        """
        counts = COUNTS if run.setting["sines"] == MIXED else (run.setting["sines"],)

        # All counts share the windows of the setting.
        share = run.setting["windows"] // len(counts)
        sizes = {"past": run.setting["context"], "future": 15}
        drawn = [
            plain_sines(share, seed=run.train_seed, num_signals=count, **sizes)[:2]
            for count in counts
        ]
        model = run.fit(*(np.concatenate(arrays) for arrays in zip(*drawn, strict=True)))

        errors = []
        for count in COUNTS:
            past, future, _ = plain_sines(5_000, seed=run.test_seed, num_signals=count, **sizes)
            error = np.square(model.predict(past) - future).mean()
            errors.append(float(error / np.square(future).mean()))
        return {"relative": errors}

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw the error by the number of sines in the test, a line a training.

        Args:
            results: All results.
        """
        curves = {
            f"trained on {_sines_text(count)}": (COUNTS, rows.array("relative"))
            for count, rows in results.by("sines").items()
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
        """Return the errors by trained and tested number of sines.

        Args:
            results: All results.
        """
        lines = [
            [_sines_text(n), *map(spread, rows.array("relative").T)]
            for n, rows in results.by("sines").items()
        ]
        header = ["trained on", "tested on 1", "on 2", "on 3", "on 4"]
        return (
            f"{results.seeds}; mean squared error over the signal's variance, so that 1 is as good "
            f"as forecasting zero.\n\n{markdown(header, lines)}"
        )


def _sines_text(count: Any) -> str:
    if count == MIXED:
        return "one to four sines"
    return counted(count, "sine")


# Groups of series; those of a group share their two frequencies.
GROUPS = 16
# Steps of the future.
HORIZON = 15
# Standard deviation of the noise on the past.
NOISE = 0.1


class Static(Study):
    """Groups that differ in their frequencies, with and without a static vector that says which."""

    title = "A static vector"
    question = (
        "Does a static vector help when series belong to hidden groups, and when does it hurt?"
    )
    settings = tuple(
        {"static": each, "context": context, "windows": windows}
        for windows in (500, 10_000)
        for context in (4, 8, 16, 32)
        for each in ("none", "the group", "a random group")
    )
    size: ClassVar[Setting] = {"steps": 1_500, "epochs": 10}
    quick_size: ClassVar[Setting] = {"steps": 20}

    def measure(self, run: Run) -> dict[str, Any]:
        """Train with or without the vector, score on new windows of the same groups.

        Args:
            run: The setting and the seed; it trains.
        """
        past, future, group = grouped(
            run.setting["windows"], run.setting["context"], run.train_seed
        )
        test, truth, test_group = grouped(10_000, run.setting["context"], run.test_seed)

        if run.setting["static"] == "a random group":
            random = np.random.default_rng([run.seed, 7])
            group = random.permutation(group)
            test_group = random.permutation(test_group)
        static = None
        test_static = None
        if run.setting["static"] != "none":
            one_hot = np.eye(GROUPS)
            static = one_hot[group]
            test_static = one_hot[test_group]

        steps = run.setting["steps"] // run.setting["epochs"]
        model = run.fit(
            past, future, static_covariates=static, learning_rate=0.01, steps_per_epoch=steps
        )
        forecast = model.predict(test, static_covariates=test_static)
        return {"mse": float(np.square(forecast - truth).mean())}

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw the error by the context's length.

        Args:
            results: All results.
        """
        panels = {
            f"{windows:,} training windows": {
                f"static vector: {each}": rows.curve("context", "mse")
                for each, rows in chosen.by("static").items()
            }
            for windows, chosen in results.by("windows").items()
        }
        figure = repeated_runs(
            panels,
            xlabel="steps of the context",
            ylabel="mean squared error",
            title=f"{GROUPS} groups with frequencies of their own",
            logx=True,
            logy=True,
        )
        return {"": figure}

    def finding(self, results: Results) -> str:
        """Return the errors by windows, context and static vector.

        Args:
            results: All results.
        """
        lines = []
        for (windows, context), rows in results.by("windows", "context").items():
            errors = [spread(each.array("mse")) for each in rows.by("static").values()]
            lines.append([f"{windows:,}", str(context), *errors])
        header = [
            "training windows",
            "context",
            *(f"static vector: {each}" for each in results.by("static")),
        ]
        return f"{results.seeds}; mean squared error on 10,000 test windows.\n\n" + markdown(
            header, lines
        )


def grouped(n: int, context: int, seed: int) -> tuple[Array, Array, Array]:
    """Draw windows whose two frequencies are those of one of 16 groups; noise of 0.1 on the past.

    Args:
        n: Number of windows.
        context: Steps of the past.
        seed: The seed.

    Returns:
        The past, `[N, T, 1]`, the future, `[N, H, 1]`, and the group, `[N]`.
    """
    frequencies = np.random.default_rng(5).uniform(*FREQUENCY, size=(GROUPS, 2))
    random = np.random.default_rng(seed)
    group = random.integers(GROUPS, size=n)
    amplitude = random.uniform(0.1, 1.0, size=(n, 2))
    phase = random.uniform(0.0, 2 * np.pi, size=(n, 2))
    parameters = SineParameters(amplitude, frequencies[group], phase, np.zeros((n, 2)))
    values = parameters.values(np.arange(context + HORIZON))[:, :, None].astype(np.float32)
    past = values[:, :context] + random.normal(scale=NOISE, size=(n, context, 1)).astype(np.float32)
    return past, values[:, context:], group
