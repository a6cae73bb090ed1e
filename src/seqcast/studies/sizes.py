"""Sizes: encoder and decoder, depth and width, attention, at an equal number of weights."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from seqcast.baselines import ManyToOneRegressor
from seqcast.network import weight_shapes
from seqcast.specs import NetworkSpec, TrainingSpec, WindowSpec
from seqcast.studies.study import Results, Setting, Study, Trainings, spread
from seqcast.studies.tasks import TEST, TRAIN, mse_by_step, network, sine_windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Weights of the post's network without the input kernel that a decoder fed with zeros never uses.
WEIGHTS = 23_031
MANY_TO_ONE = "many-to-one"
# Depth of the encoder and of the decoder, and the decoder's width over the encoder's.
SHAPES = ((1, 1, 1.0), (1, 2, 1.0), (2, 1, 1.0), (2, 2, 1.0), (3, 3, 1.0), (2, 2, 0.5), (2, 2, 2.0))


class Sizes(Study):
    """Networks of as many weights as the post's."""

    name = "sizes"
    title = "Sizes"
    question = (
        "With as many weights as the post's network has: deep or wide, a larger encoder or a larger decoder, joined as "
        "they are or by a bridge, with attention or without, and against a many-to-one network?"
    )

    def grid(self, quick: bool) -> list[Setting]:
        """Return shapes without attention; the post's with attention; the many-to-one network."""
        size = {"windows": 640, "epochs": 1} if quick else {"windows": 25_600, "epochs": 12}
        shapes = [{"shape": list(shape), "attention": "none", **size} for shape in (SHAPES[:1] if quick else SHAPES)]
        if quick:
            return [*shapes, {"shape": MANY_TO_ONE, "attention": "none", **size}]
        attending = [{"shape": [2, 2, 1.0], "attention": each, **size} for each in ("dot", "additive")]
        return [*shapes, *attending, {"shape": MANY_TO_ONE, "attention": "none", **size}]

    def run(self, setting: Setting, seed: int, trainings: Trainings) -> dict[str, Any]:
        """Find the width, train, score."""
        past, future, _ = sine_windows(setting["windows"], seed=TRAIN + seed, offset=(0.0, 0.0))
        test, truth, _ = sine_windows(10_000, seed=TEST + seed, offset=(0.0, 0.0))
        if setting["shape"] == MANY_TO_ONE:
            training = TrainingSpec(epochs=setting["epochs"], batch_size=128, learning_rate=0.02)
            width = _fitting(_many_to_one_weights)
            many_to_one = ManyToOneRegressor((width, width), training=training, random_state=seed, verbose=0)
            mse = mse_by_step(many_to_one.fit(past, future).predict(test, 15), truth)
            return {"mse": mse, "units": [[width, width], []], "weights": _many_to_one_weights(width)}
        units = _units(setting)
        options = {"encoder_units": units[0], "decoder_units": units[1], "attention": setting["attention"]}
        model = trainings.fit(network(seed, epochs=setting["epochs"], **options), past, future)
        mse = mse_by_step(model.predict(test), truth)
        return {"mse": mse, "units": [list(part) for part in units], "weights": model.engine_.weight_count}

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw each network's error, all seeds."""
        from seqcast.plots import dot_chart

        rows = {
            _network_text(row["setting"], row["units"], row["weights"]): _same(results, row).array("mse").mean(axis=1)
            for row in results.where()
        }
        figure = dot_chart(
            rows, xlabel="mean squared error, 15 steps", title=f"Networks of about {WEIGHTS:,} weights", logx=True
        )
        return {"": figure}

    def finding(self, results: Results) -> str:
        """Return the errors of each network."""
        errors: dict[str, str] = {}
        for row in results:
            mse = _same(results, row).array("mse")
            errors[_network_text(row["setting"], row["units"], row["weights"])] = (
                f"{spread(mse.mean(axis=1))} (step 1 {np.mean(mse[:, 0]):.4f}, step 15 {np.mean(mse[:, -1]):.4f})"
            )
        listed = "\n".join(f"| {name} | {error} |" for name, error in errors.items())
        return (
            f"{results.seeds}; mean squared error over 15 steps, in brackets the smallest and the largest seed, "
            f"and of the first and the last step. Where widths or depths differ, a bridge of dense layers carries the "
            f"state over.\n\n| network | error |\n|---|---|\n{listed}"
        )


def _many_to_one_weights(width: int) -> int:
    """Return the weights of two GRU layers of a width and a dense layer."""
    return 3 * width * (1 + width + 2) + 3 * width * (width + width + 2) + width + 1


def _fitting(count: Callable[[int], int]) -> int:
    """Return the width with the number of weights nearest to the post's."""
    widths = range(4, 120)
    place = bisect.bisect_left(widths, WEIGHTS, key=count)
    return min(widths[max(0, place - 1) : place + 1], key=lambda width: abs(count(width) - WEIGHTS))


def _units(setting: Setting) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return widths of all layers such that there are as many weights as in the post's network."""
    encoder, decoder, ratio = setting["shape"]

    def units(width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (width,) * int(encoder), (max(1, round(ratio * width)),) * int(decoder)

    def weights(width: int) -> int:
        encoder_units, decoder_units = units(width)
        spec = NetworkSpec(encoder_units=encoder_units, decoder_units=decoder_units, attention=setting["attention"])
        return sum(map(math.prod, weight_shapes(WindowSpec(horizon=15, features=1, targets=1), spec)))

    return units(_fitting(weights))


def _network_text(setting: Setting, units: list[list[int]], weights: int) -> str:
    encoder, decoder = (" + ".join(map(str, part)) for part in units)
    if setting["shape"] == MANY_TO_ONE:
        return f"many-to-one {encoder} ({weights:,} weights)"
    attending = "" if setting["attention"] == "none" else f", {setting['attention']} attention"
    return f"encoder {encoder}, decoder {decoder}{attending} ({weights:,})"


def _same(results: Results, row: dict[str, Any]) -> Results:
    return results.where(**row["setting"])


STUDY = Sizes()
