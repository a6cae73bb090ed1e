"""A static vector: does it help when windows belong to hidden groups, and when does it hurt?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from seqcast.data import SineParameters
from seqcast.studies.study import Results, Setting, Study, Trainings, spread
from seqcast.studies.tasks import FREQUENCY, TEST, TRAIN, network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = npt.NDArray[Any]
GROUPS, HORIZON, NOISE = 16, 15, 0.1
CONTEXTS = (4, 8, 16, 32)
STATIC = ("none", "the group", "a random group")


class Static(Study):
    """Groups that differ in their frequencies, with and without a static vector that says which."""

    name = "static"
    title = "A static vector"
    question = "Does a static vector help when series belong to hidden groups, and when does it hurt?"

    def grid(self, quick: bool) -> list[Setting]:
        """Return the kinds of static vector, by the context's length and the number of training windows."""
        if quick:
            return [{"static": each, "context": 8, "windows": 400, "steps": 20} for each in STATIC[:2]]
        return [
            {"static": each, "context": context, "windows": windows, "steps": 1_500}
            for windows in (500, 10_000)
            for context in CONTEXTS
            for each in STATIC
        ]

    def run(self, setting: Setting, seed: int, trainings: Trainings) -> dict[str, Any]:
        """Train with or without the vector, score on new windows of the same groups."""
        context = setting["context"]
        past, future, group = grouped(setting["windows"], context, TRAIN + seed)
        test, truth, test_group = grouped(10_000, context, TEST + seed)
        random = np.random.default_rng([seed, 7])
        if setting["static"] == "a random group":
            group, test_group = random.permutation(group), random.permutation(test_group)
        one_hot = np.eye(GROUPS)
        static, test_static = (None, None) if setting["static"] == "none" else (one_hot[group], one_hot[test_group])
        epochs = 10
        model = network(seed, epochs=epochs, learning_rate=0.01, steps_per_epoch=setting["steps"] // epochs)
        trainings.fit(model, past, future, static_covariates=static)
        return {
            "mse": float(np.square(model.predict(test, static_covariates=test_static) - truth).mean()),
            "training": float(np.square(model.predict(past, static_covariates=static) - future).mean()),
        }

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw the error by the context's length."""
        from seqcast.plots import repeated_runs

        panels = {}
        for windows in results.settings("windows"):
            chosen = results.where(windows=windows)
            panels[f"{windows:,} training windows"] = {
                f"told: {each}": chosen.where(static=each).curve("context", "mse") for each in chosen.settings("static")
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
        """Return the errors by windows, context and static vector."""
        lines = []
        for windows in results.settings("windows"):
            for context in results.settings("context"):
                chosen = results.where(windows=windows, context=context)
                errors = [spread(chosen.where(static=each).array("mse")) for each in chosen.settings("static")]
                lines.append(f"| {windows:,} | {context} | {' | '.join(errors)} |")
        names = " | ".join(f"told: {each}" for each in results.settings("static"))
        rule = "|---" * (2 + len(results.settings("static"))) + "|"
        return (
            f"{results.seeds}; mean squared error on 10,000 test windows, in brackets the smallest and the "
            f"largest.\n\n| training windows | context | {names} |\n{rule}\n" + "\n".join(lines)
        )


def grouped(n: int, context: int, seed: int) -> tuple[Array, Array, Array]:
    """Draw windows whose two frequencies are those of one of 16 groups; noise of 0.1 on the past.

    Returns:
        The past, `[N, T, 1]`, the future, `[N, H, 1]`, and the group, `[N]`.
    """
    frequencies = np.random.default_rng(5).uniform(*FREQUENCY, size=(GROUPS, 2))
    random = np.random.default_rng(seed)
    group = random.integers(GROUPS, size=n)
    parameters = SineParameters(
        random.uniform(0.1, 1.0, size=(n, 2)),
        frequencies[group],
        random.uniform(0.0, 2 * np.pi, size=(n, 2)),
        np.zeros((n, 2)),
    )
    values = parameters.values(np.arange(context + HORIZON))[:, :, None].astype(np.float32)
    past = values[:, :context] + random.normal(scale=NOISE, size=(n, context, 1)).astype(np.float32)
    return past, values[:, context:], group


STUDY = Static()
