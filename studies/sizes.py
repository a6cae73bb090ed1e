"""The study of sizes: depth, width and attention at an equal number of weights."""

import bisect
import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from seqcast.baselines import ManyToOneRegressor
from seqcast.network import weight_shapes
from seqcast.plots import dot_chart
from seqcast.specs import NetworkSpec, TrainingSpec, WindowSpec
from study_base import (
    Results,
    Run,
    Setting,
    Study,
    markdown,
    mse_by_step,
    plain_sines,
    spread,
)

# Weights of the post's network without the input kernel that a decoder fed with zeros never uses.
WEIGHTS = 23_031
# Layers of the encoder and of the decoder, the decoder's width over the encoder's, and the
# attention. Without a decoder it is the many-to-one network.
SHAPES = (
    (1, 1, 1.0, "none"),
    (1, 2, 1.0, "none"),
    (2, 1, 1.0, "none"),
    (2, 2, 1.0, "none"),
    (3, 3, 1.0, "none"),
    (2, 2, 0.5, "none"),
    (2, 2, 2.0, "none"),
    (2, 2, 1.0, "dot"),
    (2, 2, 1.0, "additive"),
    (2, 0, 1.0, "none"),
)


class Sizes(Study):
    """Networks of as many weights as the post's."""

    title = "Sizes"
    question = (
        "With as many weights as the post's network has: deep or wide, a larger encoder or a "
        "larger decoder, joined as they are or by a bridge, with attention or without, and against "
        "a many-to-one network?"
    )
    settings = tuple(
        dict(zip(("encoder_layers", "decoder_layers", "ratio", "attention"), shape, strict=True))
        for shape in SHAPES
    )
    quick = slice(0, None, 9)

    def measure(self, run: Run) -> dict[str, Any]:
        """Find the width, train, score.

        Args:
            run: The setting and the seed; it trains.
        """
        past, future, _ = plain_sines(run.setting["windows"], seed=run.train_seed)
        test, truth, _ = plain_sines(10_000, seed=run.test_seed)
        encoder, decoder = units_of(run.setting)
        attention = run.setting["attention"]

        if decoder:
            model = run.fit(
                past, future, encoder_units=encoder, decoder_units=decoder, attention=attention
            )
            forecast = model.predict(test)
            text = f"encoder {_sum(encoder)}, decoder {_sum(decoder)}"
            if attention != "none":
                text += f", {attention} attention"
        else:
            training = TrainingSpec(
                epochs=run.setting["epochs"], batch_size=128, learning_rate=0.02
            )
            many_to_one = ManyToOneRegressor(
                encoder, training=training, random_state=run.seed, verbose=0
            )
            forecast = many_to_one.fit(past, future).predict(test, 15)
            text = f"many-to-one {_sum(encoder)}"

        weights = weights_of(run.setting, encoder, decoder)
        return {"mse": mse_by_step(forecast, truth), "network": f"{text} ({weights:,})"}

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw each network's error, all seeds.

        Args:
            results: All results.
        """
        errors = {name: mse.mean(axis=1) for name, mse in _by_network(results).items()}
        title = f"Networks of about {WEIGHTS:,} weights"
        return {
            "": dot_chart(errors, xlabel="mean squared error, 15 steps", title=title, logx=True)
        }

    def finding(self, results: Results) -> str:
        """Return the errors of each network.

        Args:
            results: All results.
        """
        lines = [
            [
                name,
                spread(mse.mean(axis=1)),
                f"{np.mean(mse[:, 0]):.4f}",
                f"{np.mean(mse[:, -1]):.4f}",
            ]
            for name, mse in _by_network(results).items()
        ]
        return (
            f"{results.seeds}; mean squared error over 15 steps, of the first and of the last. "
            "Where widths or depths differ, a bridge of dense layers carries the state over. In "
            "brackets the number of weights.\n\n"
            + markdown(["network", "error", "step 1", "step 15"], lines)
        )


def _by_network(results: Results) -> dict[str, Any]:
    """Return the errors of each network by its name, `[seeds, H]`."""
    errors: dict[str, Any] = {}
    for row in results.rows:
        errors.setdefault(row["network"], []).append(row["mse"])
    return {name: np.array(mse) for name, mse in errors.items()}


def _sum(units: tuple[int, ...]) -> str:
    return " + ".join(map(str, units))


def weights_of(setting: Setting, encoder: tuple[int, ...], decoder: tuple[int, ...]) -> int:
    """Return the number of weights of a network.

    Args:
        setting: The setting, with its attention.
        encoder: Width of each layer of the encoder.
        decoder: Width of each layer of the decoder; none is the many-to-one network, of two layers
            and a dense one.
    """
    if not decoder:
        width = encoder[0]
        return 3 * width * (1 + width + 2) + 3 * width * (width + width + 2) + width + 1
    spec = NetworkSpec(encoder_units=encoder, decoder_units=decoder, attention=setting["attention"])
    return sum(map(math.prod, weight_shapes(WindowSpec(horizon=15, features=1, targets=1), spec)))


def units_of(setting: Setting) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the widths of all layers with about the number of weights of the post's network.

    Args:
        setting: The setting, with the layers and the ratio of widths.
    """

    def units(width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        narrow = max(1, round(setting["ratio"] * width))
        return (width,) * setting["encoder_layers"], (narrow,) * setting["decoder_layers"]

    def weights(width: int) -> int:
        return weights_of(setting, *units(width))

    widths = range(4, 120)
    place = bisect.bisect_left(widths, WEIGHTS, key=weights)
    return units(
        min(widths[max(0, place - 1) : place + 1], key=lambda width: abs(weights(width) - WEIGHTS))
    )
