"""Pictures of states show what was given."""

import numpy as np
import pandas as pd
import pytest

from seqcast.errors import DataError
from seqcast.plots import probe_scores, similar_windows, state_map, state_paths, unit_chart

POINTS = np.random.default_rng(0).normal(size=(12, 2))


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_states_are_coloured_by_their_property():
    numbers, groups = np.arange(12.0), np.array(["even", "odd"] * 6)
    figure = state_map(POINTS, {"frequency": numbers, "kind": groups, "hour": numbers}, circular=["hour"], columns=2)
    first, second, third = figure.axes[:3]
    np.testing.assert_array_equal(first.collections[0].get_offsets(), POINTS)
    np.testing.assert_array_equal(first.collections[0].get_array(), numbers)
    np.testing.assert_array_equal(second.collections[1].get_offsets(), POINTS[1::2])
    assert first.collections[0].get_cmap().name != third.collections[0].get_cmap().name
    assert legend(figure) == ["even", "odd"]
    figure.canvas.draw()


def test_paths_go_on_where_the_past_ends():
    read, written = np.random.default_rng(1).normal(size=(2, 2, 5, 2))
    figure = state_paths(read, written, names=["a", "b"], explained=[0.5, 0.25])
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    np.testing.assert_array_equal(lines["b, read"].get_xydata(), read[1])
    np.testing.assert_array_equal(lines["b, written"].get_xydata(), [read[1, -1], *written[1]])
    assert figure.axes[0].get_ylabel() == "second component (25 % of variance)"


def test_similar_windows_lie_over_each_other():
    windows = np.arange(20.0).reshape(5, 4)
    figure = similar_windows(windows, {0: [3, 1], 4: [2]}, names=["a", "b", "c", "d", "e$"])
    drawn = [{line.get_label(): line.get_ydata().tolist() for line in ax.lines} for ax in figure.axes]
    assert drawn[0] == {
        "the window": windows[0].tolist(),
        "nearest 1": windows[3].tolist(),
        "nearest 2": windows[1].tolist(),
    }
    assert drawn[1] == {"the window": windows[4].tolist(), "nearest 1": windows[2].tolist()}
    assert figure.axes[1].get_title(loc="left") == r"e\$; nearest: c"
    assert figure.axes[0].lines[0].get_xdata().tolist() == [-3, -2, -1, 0]


def test_probes_stand_beside_their_control():
    rows = [
        {"property": name, "probe": kind, "r2": r2, "r2_low": r2 - 0.1, "r2_high": r2 + 0.1, "r2_permuted": -0.5}
        for name, r2 in (("frequency", 0.9), ("phase", 0.2))
        for kind in ("linear", "small network")
    ]
    figure = probe_scores(pd.DataFrame(rows))
    ax = figure.axes[0]
    drawn = {line.get_label(): line.get_xdata() for line in ax.lines}
    np.testing.assert_allclose(drawn["linear probe"], [0.2, 0.9])
    np.testing.assert_allclose(drawn["linear probe, values permuted"], [-0.2, -0.2])  # cut at the edge
    assert [label.get_text() for label in ax.get_yticklabels()] == ["phase", "frequency"]


def test_units_are_sorted():
    figure = unit_chart({"layer 1": [1.0, 3.0, 2.0], "layer 2": [5.0]}, ylabel="memory [steps]", guide_at=2.0)
    assert [[bar.get_height() for bar in ax.patches] for ax in figure.axes] == [[3.0, 2.0, 1.0], [5.0]]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: state_map(POINTS[:, :1], {"x": np.zeros(12)}),
        lambda: state_map(POINTS, {}),
        lambda: state_map(POINTS, {"x": np.zeros(3)}),
        lambda: state_map(POINTS, {"x": np.array([str(k) for k in range(12)])}),
        lambda: state_paths(np.zeros((7, 3, 2))),
        lambda: state_paths(np.zeros((2, 3, 2)), np.zeros((3, 3, 2))),
        lambda: similar_windows(np.zeros((3, 4)), {}),
        lambda: similar_windows(np.zeros((3, 4)), {0: [3]}),
        lambda: unit_chart({}, ylabel=""),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw):
    with pytest.raises(DataError):
        draw()
