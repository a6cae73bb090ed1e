"""Pictures of repeated runs show all runs."""

import numpy as np
import pytest

from seqcast.errors import DataError
from seqcast.plots import dot_chart, repeated_runs


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_runs_are_drawn_as_their_mean_and_their_ends():
    y = np.array([[1.0, 2.0, 4.0], [3.0, 2.0, 8.0]])
    panels = {"a": {"one": ([1, 10, 100], y)}, "b": {"one": ([1, 2, 3], y[0]), "two": ([1, 2, 3], y)}}
    figure = repeated_runs(panels, xlabel="x", ylabel="error", logx=True, logy=True, guides={2: "here"})
    first, second = figure.axes
    np.testing.assert_array_equal(first.lines[0].get_ydata(), [2.0, 2.0, 6.0])
    band = first.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (1.0, 8.0)
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[1] > 8.0
    # A curve has the same colour in each panel.
    assert first.lines[0].get_color() == second.lines[0].get_color() != second.lines[1].get_color()
    assert legend(figure) == ["one", "smallest to largest run", "here", "two"]
    figure.canvas.draw()


def test_dots_are_sorted_by_their_mean():
    figure = dot_chart({"bad": [3.0, 5.0], "good": [1.0, 1.5]}, xlabel="error", logx=True, runs="a seed")
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["bad", "good"]
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [3.0, 5.0])
    assert legend(figure) == ["a seed", "mean"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: repeated_runs({}, xlabel="", ylabel=""),
        lambda: repeated_runs({"": {"a": ([1, 2], [1.0])}}, xlabel="", ylabel=""),
        lambda: dot_chart({}, xlabel=""),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw):
    with pytest.raises(DataError):
        draw()
