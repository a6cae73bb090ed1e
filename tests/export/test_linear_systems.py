"""Linear systems as operators have NumPy's solutions."""

import numpy as np
import pytest

from seqcast.export.file import model_of
from seqcast.export.graph import Graph, solved, solved_triangular


def test_symmetric_positive_systems(run_file):
    rng = np.random.default_rng(0)
    half = rng.normal(size=(5, 12, 12))
    matrix, side = half @ half.transpose(0, 2, 1) + 0.1 * np.eye(12), rng.normal(size=(5, 12, 1))
    graph = Graph()
    names = [graph.read(name, np.float64, ("rows", 12, n)) for name, n in (("matrix", 12), ("side", 1))]
    graph.write("solution", solved(graph, *names, 12), np.float64, ("rows", 12))
    found = run_file(model_of(graph, {}).SerializeToString())(matrix=matrix, side=side)["solution"]
    np.testing.assert_allclose(found, np.linalg.solve(matrix, side)[:, :, 0], rtol=1e-8)


@pytest.mark.parametrize("size", [2, 7, 8, 9, 12])
def test_triangular_systems(size, run_file):
    rng = np.random.default_rng(size)
    matrix = np.tril(rng.normal(size=(3, 4, size, size)), -1)
    sides = [rng.normal(size=(3, 4, size, 2)), rng.normal(size=(3, 1, size, 1))]
    graph = Graph()
    names = [graph.read(f"input {place}", np.float64, x.shape) for place, x in enumerate((matrix, *sides))]
    for place, x in enumerate(solved_triangular(graph, names[0], names[1:], size)):
        graph.write(f"solution {place}", x, np.float64, (3, "blocks", size, sides[place].shape[3]))
    session = run_file(model_of(graph, {}).SerializeToString())
    found = session(**{f"input {place}": x for place, x in enumerate((matrix, *sides))})
    for place, side in enumerate(sides):
        np.testing.assert_allclose(found[f"solution {place}"], np.linalg.solve(np.eye(size) - matrix, side), rtol=1e-9)
