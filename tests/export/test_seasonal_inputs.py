"""What the pretrained network reads of raw windows: operators compute what NumPy does."""

import numpy as np
import pytest

from seqcast.export.file import model_of
from seqcast.export.graph import Graph
from seqcast.export.known import Known
from seqcast.export.seasonal_inputs import read_seasonal
from seqcast.pretrained.inputs import seasonal_inputs

LENGTH, HORIZON = 96, 16


def windows(season):
    """Return windows of many kinds, `[N, T]`, and with how many steps each is read."""
    rng = np.random.default_rng(season)
    y = 10 + 3 * np.sin(2 * np.pi * np.arange(LENGTH) / max(season, 2)) + rng.normal(size=(9, LENGTH))
    y[1] -= 20  # no logarithms
    y[2] = 5.0
    y[3] = np.exp(y[3] / 3)
    y[rng.random(y.shape) < 0.05] = np.nan
    y[4, :40] = np.nan
    y[5, :76] = np.nan
    y[6, :93] = np.nan
    y[7] = np.nan
    y[8] = rng.poisson(0.5, LENGTH)
    return y, np.array([96, 96, 96, 96, 64, 32, 16, 16, 96])


@pytest.mark.parametrize(("season", "longer"), [(1, 0), (7, 0), (12, 48), (24, 168), (60, 0), (200, 0)])
def test_it_reads_what_we_do(season, longer, run_file):
    y, contexts = windows(season)
    graph = Graph()
    past = graph.read("y", np.float64, ("rows", LENGTH))
    steps = graph.read("contexts", np.float64, ("rows", 1))
    known = graph("Not", graph("IsNaN", past))
    values = Known(graph("Where", known, past, np.float64(0)), known)
    read = read_seasonal(graph, values, steps, length=LENGTH, season=season, longer=longer, horizon=HORIZON)
    graph.write("past", read.past, np.float32, ("rows", LENGTH, 7))
    graph.write("future", read.future, np.float32, ("rows", HORIZON, 32))
    graph.write("static", read.static, np.float32, ("rows", 41))
    graph.write("base", read.base, np.float64, ("rows", HORIZON))
    graph.write("unit", read.unit, np.float64, ("rows", 1))
    found = run_file(model_of(graph, {}).SerializeToString())(y=y, contexts=contexts[:, None].astype(float))
    for row, context in enumerate(contexts):
        ours = seasonal_inputs(y[row : row + 1, -context:], np.array([season]), np.array([longer]), HORIZON)
        expected = {**ours.inputs, "base": ours.base, "unit": ours.unit}
        for name, values in expected.items():
            part = found[name][row : row + 1]
            part = part[:, -context:] if name == "past" else part
            np.testing.assert_allclose(part, values, rtol=1e-5, atol=1e-5, err_msg=f"{name} of window {row}")
