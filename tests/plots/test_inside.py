"""Pictures of the inside of networks and of repeated runs show what was given."""

import numpy as np
import pandas as pd
import pytest

from seqcast.errors import DataError
from seqcast.inspect import Sensitivity
from seqcast.plots import (
    attention_map,
    dot_chart,
    heat_map,
    probe_scores,
    repeated_runs,
    sensitivity_map,
    similar_windows,
    state_map,
    state_paths,
    unit_chart,
)

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


def test_all_panels_of_a_heat_map_have_one_scale():
    maps = {"a": np.eye(3), "b": 4 * np.eye(3)}
    figure = heat_map(maps, x=["l", "m", "n"], y=[1, 2, 3], xlabel="x", ylabel="y", value="v")
    images = [ax.images[0] for ax in figure.axes[:2]]
    assert [image.get_clim() for image in images] == [(0, 4), (0, 4)]
    np.testing.assert_array_equal(images[1].get_array(), maps["b"])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["l", "m", "n"]


def test_sensitivity_is_drawn_from_the_past_into_what_is_ahead():
    past, future = np.zeros((2, 3, 1, 4, 2)), np.zeros((2, 3, 1, 3, 1))
    past[:, 2, 0, 1, 0], future[:, 0, 0, 2, 0] = 2.0, 1.0
    figure = sensitivity_map(Sensitivity(past, future, ("y", "f"), ("f",), ("y",)).frame(), step_name="hour")
    y, f = (ax.images[0].get_array() for ax in figure.axes[:2])
    assert y.shape == (3, 4)
    assert y[2, 1] == 2.0
    assert f.shape == (3, 7)
    assert f[0, 6] == 1.0
    assert figure.axes[0].get_xlabel() == "hour that was read (0 is now)"


def test_attention_is_the_mean_over_windows():
    weights = np.random.default_rng(0).dirichlet(np.ones(4), size=(5, 3))
    image = attention_map(weights, segment=2).axes[0].images[0]
    np.testing.assert_allclose(image.get_array(), weights.mean(axis=0))
    ticks = [label.get_text() for label in attention_map(weights[0], segment=2).axes[0].get_xticklabels()]
    assert ticks == ["-6", "-4", "-2", "0"]


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
        lambda: state_map(POINTS[:, :1], {"x": np.zeros(12)}),
        lambda: state_map(POINTS, {}),
        lambda: state_map(POINTS, {"x": np.zeros(3)}),
        lambda: state_map(POINTS, {"x": np.array([str(k) for k in range(12)])}),
        lambda: state_paths(np.zeros((7, 3, 2))),
        lambda: state_paths(np.zeros((2, 3, 2)), np.zeros((3, 3, 2))),
        lambda: similar_windows(np.zeros((3, 4)), {}),
        lambda: similar_windows(np.zeros((3, 4)), {0: [3]}),
        lambda: heat_map({}, x=[1], y=[1], xlabel="", ylabel="", value=""),
        lambda: heat_map({"a": np.eye(2)}, x=[1], y=[1, 2], xlabel="", ylabel="", value=""),
        lambda: sensitivity_map(
            Sensitivity(np.zeros((1, 1, 1, 1, 1)), None, ("y",), (), ("y",)).frame(), features=["z"]
        ),
        lambda: unit_chart({}, ylabel=""),
        lambda: repeated_runs({}, xlabel="", ylabel=""),
        lambda: repeated_runs({"": {"a": ([1, 2], [1.0])}}, xlabel="", ylabel=""),
        lambda: dot_chart({}, xlabel=""),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw):
    with pytest.raises(DataError):
        draw()
