"""What the pretrained network continues and what its state holds, for docs/pretrained.md.

    python pretraining/pretrained_page.py  # two minutes; writes into the page and docs/images/

The signals are made up here, by other means than those that the network has learned from. Nothing
is trained.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

import numpy as np
import pandas as pd

from family_chart import family_chart
from harness import DOCS, machine, small_picture, table, write_section
from seqcast import Forecaster, inspect
from seqcast.plots import forecast_fans, probe_scores, save_figure

# Known steps of a signal.
LENGTH = 448
# Steps to forecast.
HORIZON = 64
# Draws of each signal.
DRAWS = 40
# All steps of a signal.
STEPS = np.arange(LENGTH + HORIZON)


def sine(rng, period):
    """Return a sine of a random phase."""
    return np.sin(2 * np.pi * (STEPS / period + rng.random()))


def chaos(rng):
    """Return the logistic map, whose next value is a parabola of the last one."""
    values = [rng.uniform(0.2, 0.8)]
    while len(values) < len(STEPS):
        values.append(3.9 * values[-1] * (1 - values[-1]))
    return np.array(values)


def week(rng):
    """Return seven random levels, again and again, with noise of a third of their deviation."""
    return np.resize(rng.normal(size=7), len(STEPS)) + rng.normal(0, 0.33, len(STEPS))


# Each with the season that the network gets; 1 is none.
SIGNALS = {
    "a sine, its period given": (24, lambda rng: sine(rng, 24)),
    "a sine, no season given": (1, lambda rng: sine(rng, 24)),
    "two sines, one period given": (
        24,
        lambda rng: sine(rng, 24) + 0.7 * sine(rng, rng.uniform(30, 60)),
    ),
    "two sines, no season given": (
        1,
        lambda rng: sine(rng, 24) + 0.7 * sine(rng, rng.uniform(30, 60)),
    ),
    "a season of 37 steps": (37, lambda rng: np.resize(rng.normal(size=37), len(STEPS))),
    "a season that grows by a tenth": (12, lambda rng: 1.1 ** (STEPS / 12) * (3 + sine(rng, 12))),
    "a week with noise": (7, week),
    "a straight line with noise": (
        1,
        lambda rng: rng.normal() * STEPS / 20 + rng.normal(size=len(STEPS)),
    ),
    "a season after a shift of level": (
        12,
        lambda rng: sine(rng, 12) + 4.0 * (LENGTH - rng.integers(15, 40) < STEPS),
    ),
    "a tone that rises": (
        1,
        lambda rng: np.sin(2 * np.pi * (rng.random() + STEPS / 60 + (STEPS / 260) ** 2)),
    ),
    "a random walk": (1, lambda rng: np.cumsum(rng.normal(size=len(STEPS)))),
    "chaos: the logistic map": (1, chaos),
}


def forecast_signals():
    """Return a table of scores, and rows and forecasts of the first draw of each signal."""
    lines = []
    shown = []
    forecasts = []
    for name, (season, draw) in SIGNALS.items():
        draws = np.stack([draw(np.random.default_rng([7, number])) for number in range(DRAWS)])
        ids = np.repeat([f"{number:02d}" for number in range(DRAWS)], len(STEPS))
        frame = pd.DataFrame({"unique_id": ids, "ds": np.tile(STEPS, DRAWS), "y": draws.ravel()})
        model = Forecaster(
            HORIZON, preset="pretrained", season_length=season, freq=1, level=(80,), verbose=0
        )
        found = model.backtest(frame, n_windows=1)

        naive = "seasonal_naive" if season > 1 else "last_value"
        errors = [np.abs(found[column] - found["y"]).mean() for column in ("seqcast", naive)]
        inside = found["y"].between(found["seqcast-lo-80"], found["seqcast-hi-80"]).mean()
        spread = np.std(draws[:, -HORIZON:] - draws[:, -HORIZON:].mean(axis=1, keepdims=True))
        is_exact = errors[1] < 1e-9 * spread
        score = "the last season is exact" if is_exact else f"{errors[0] / errors[1]:.2f}"
        lines.append(
            [
                name,
                season if season > 1 else "none",
                f"{errors[0] / spread:.2f}",
                score,
                f"{inside:.0%}",
            ]
        )
        shown.append(frame[frame["unique_id"] == "00"].assign(unique_id=name))
        forecasts.append(found[found["unique_id"] == "00"].assign(unique_id=name))

    head = [
        "signal",
        "given season",
        "error / deviation",
        "error / error of the last season or value",
        "in 80 %",
    ]
    return table(head, lines), pd.concat(shown), pd.concat(forecasts)


def probe_state():
    """Return how well the causes of a series can be read from the state after it."""
    rng = np.random.default_rng(11)
    count = 1_200
    length = 120
    season = 12

    steps = np.arange(length)
    phase = rng.integers(0, season, count)
    slope = rng.normal(0, 0.02, count)
    noise = np.exp(rng.uniform(np.log(0.05), np.log(1.0), count))
    size = np.exp(rng.uniform(-1, 1, count))
    shift = rng.normal(0, 2.0, count)
    jump = rng.integers(length // 4, length - 12, count)
    swing = size[:, None] * np.sin(2 * np.pi * (steps + phase[:, None]) / season)
    values = swing + slope[:, None] * steps + shift[:, None] * (steps >= jump[:, None])
    values += noise[:, None] * rng.normal(size=values.shape)

    # What the network reads has the window's own unit, so properties have it too.
    unit = np.abs(values - values.mean(axis=1, keepdims=True)).mean(axis=1)
    ids = np.repeat([f"{number:04d}" for number in range(count)], length)
    frame = pd.DataFrame({"unique_id": ids, "ds": np.tile(steps, count), "y": values.ravel()})
    model = Forecaster(season, preset="pretrained", season_length=season, freq=1, verbose=0).fit(
        frame
    )
    inputs = model.model_inputs()
    # States are in the order of the properties.
    assert list(inputs.labels.ids) == list(ids[::length])
    states = inspect.states(inputs)

    properties = {
        "place in the season": inspect.circular(2 * np.pi * phase / season),
        "logarithm of the size of the season": np.log(size / unit),
        "slope": slope / unit,
        "logarithm of the noise": np.log(noise / unit),
        "shift of the level": shift / unit,
        "last value": (values[:, -1] - values[:, -season:].mean(axis=1)) / unit,
        "first value": (values[:, 0] - values[:, -season:].mean(axis=1)) / unit,
    }
    return inspect.probe(states, properties, probes=["linear"], seed=0)


def main():
    """Ask, draw and write."""
    scores, shown, forecasts = forecast_signals()
    figure = forecast_fans(
        shown, forecasts, last=128, ylabel="value", title="Signals that it never saw, continued"
    )
    figures = {
        "pretrained_signals": figure,
        "pretrained_states": probe_scores(probe_state()),
        "families": family_chart(seed=2),
    }

    for name, each in figures.items():
        path = DOCS / "images" / f"{name}.png"
        save_figure(each, path, dpi=110)
        path.write_bytes(small_picture(path.read_bytes()))
    write_section("signals", f"{scores}\n\n{machine()}.", "pretrained.md")


if __name__ == "__main__":
    main()
