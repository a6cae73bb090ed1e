"""Smoothing a block of steps at a time forecasts what smoothing step by step does."""

import numpy as np
import pytest

from seqcast.export.file import model_of
from seqcast.export.graph import Graph
from seqcast.export.known import Known
from seqcast.export.smoothing import smoothed as smoothed_in
from seqcast.pretrained.smoothing import smoothed

HORIZON = 19
GAINS = ((0.3, 0.0, 0.4, 0.9), (0.9, 0.2, 0.1, 1.0), (0.05, 0.01, 0.7, 0.95))


def windows(length, season):
    rng = np.random.default_rng([length, season])
    y = np.sin(2 * np.pi * np.arange(length) / season) + rng.normal(size=(5, length)) / 3
    y[1, rng.random(length) < 0.2] = np.nan
    y[2, : length // 3] = np.nan
    y[3, :-1] = np.nan
    y[4] = np.nan
    return y


SEASONS = (1, 2, 3, 7, 8, 9, 15, 16, 17)


# Windows that do not hold two seasons are smoothed without one.
@pytest.mark.parametrize(
    ("length", "season"), [(length, season) for length in (17, 33, 96) for season in SEASONS if 2 * season <= length]
)
def test_each_season_and_length(length, season, run_file):
    first = windows(length, season)
    ways = [first, 1 - 2 * first]
    graph = Graph()
    past = graph.read("y", np.float64, ("rows", length, 2))
    mask = graph("Not", graph("IsNaN", graph.cut(past, 2, 0, 1)))
    values = Known(graph("Where", mask, past, np.float64(0)), mask)
    count = graph.total(graph.cast(graph.squeeze(mask, 2), np.float64), 1, keep=True)
    used = graph("GreaterOrEqual", count, np.float64(2 * season))
    whole = np.arange(length)[::-1][None, :, None] < length // season * season
    sizes = {"length": length, "season": season, "horizon": HORIZON, "ways": 2}
    said = smoothed_in(graph, values, used, graph.value(whole), GAINS, **sizes)
    for way, each in enumerate(said):
        for name, part in {"forecasts": each.forecasts, "ahead": each.ahead, **each.checks}.items():
            graph.write(f"{name} {way}", part, np.float64, ("rows", "steps", len(GAINS)))
    found = run_file(model_of(graph, {}).SerializeToString())(y=np.stack(ways, axis=2))
    for way, y in enumerate(ways):
        ours = smoothed(y, np.full(5, season), HORIZON, GAINS)
        checks = {steps: part for steps, part in ours.checks.items() if steps < length}
        for name, part in {"forecasts": ours.forecasts, "ahead": ours.ahead, **checks}.items():
            known = ~np.isnan(part)
            np.testing.assert_allclose(found[f"{name} {way}"][known], part[known], atol=1e-9, err_msg=f"{name}, {way}")
