"""Autoregressions as operators: they forecast what NumPy's do, also where a line is brought back into reach."""

import numpy as np
import pytest

from seqcast.export.autoregression import autoregressed as autoregressed_in
from seqcast.export.file import model_of
from seqcast.export.graph import Graph
from seqcast.export.known import Known
from seqcast.pretrained.autoregression import autoregressed
from seqcast.pretrained.simple_forecasts import CHECKS, FARTHEST

LENGTH, HORIZON = 80, 20


def forecasts(run_file, ways):
    """Return forecasts and those of the last steps, `[N, ., W]`, of windows that are written in some ways."""
    graph = Graph()
    past = graph.read("y", np.float64, ("rows", LENGTH, len(ways)))
    missing = graph("IsNaN", graph.cut(past, 2, 0, 1))
    values = graph("Where", missing, np.float64(0), past)
    said = autoregressed_in(graph, Known(values, graph("Not", missing)), LENGTH, HORIZON, len(ways))
    for way, each in enumerate(said):
        graph.write(f"forecasts {way}", each.forecasts, np.float64, ("rows", HORIZON, 1))
        for steps, check in each.checks.items():
            graph.write(f"{steps} {way}", check, np.float64, ("rows", steps, 1))
    return run_file(model_of(graph, {}).SerializeToString())(y=np.stack(ways, axis=2))


@pytest.mark.parametrize("leaves", [False, True])
def test_lines_go_on_as_ours_do(leaves, run_file):
    rng = np.random.default_rng(3)
    waves = np.sin(np.arange(LENGTH) / np.array([[2.0], [5.0], [9.0]])) + rng.normal(size=(3, LENGTH)) / 5
    waves[1, rng.random(LENGTH) < 0.1] = np.nan
    if leaves:
        waves[2] = np.minimum(1.2 ** (np.arange(LENGTH) - 70.0), FARTHEST)
    ways = [waves, 2 - 3 * waves]
    found = forecasts(run_file, ways)
    for way, values in enumerate(ways):
        ours = autoregressed(values, HORIZON)
        np.testing.assert_allclose(found[f"forecasts {way}"], ours.forecasts, atol=1e-8)
        for steps in CHECKS:
            known = ~np.isnan(ours.checks[steps])
            np.testing.assert_allclose(found[f"{steps} {way}"][known], ours.checks[steps][known], atol=1e-8)
        farthest = np.abs(ours.forecasts[2] - values[2].mean()).max()
        assert (farthest > FARTHEST - 1e-9) == leaves
