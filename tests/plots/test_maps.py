"""Tables of numbers as colours, and states by two components, show the numbers."""

import numpy as np
import pytest

from seqcast.errors import DataError
from seqcast.inspect import Sensitivity
from seqcast.plots import attention_map, heat_map, sensitivity_map, state_map, state_paths

ONE = Sensitivity(np.zeros((1, 1, 1, 1, 1)), None, ("y",), (), ("y",))
POINTS = np.random.default_rng(0).normal(size=(12, 2))


def test_all_panels_of_a_heat_map_have_one_scale():
    maps = {"a": np.eye(3), "b": 4 * np.eye(3)}
    figure = heat_map(maps, x=["l", "m", "n"], y=[1, 2, 3], xlabel="x", ylabel="y", value="v")
    images = [ax.images[0] for ax in figure.axes[:2]]
    assert [image.get_clim() for image in images] == [(0, 4), (0, 4)]
    np.testing.assert_array_equal(images[1].get_array(), maps["b"])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["l", "m", "n"]


def test_sensitivity_is_drawn_from_the_past_into_what_is_ahead():
    past = np.zeros((2, 3, 1, 4, 2))
    future = np.zeros((2, 3, 1, 3, 1))
    past[:, 2, 0, 1, 0] = 2.0
    future[:, 0, 0, 2, 0] = 1.0
    figure = sensitivity_map(
        Sensitivity(past, future, ("y", "f"), ("f",), ("y",)).frame(), step_name="hour"
    )
    y, f = (ax.images[0].get_array() for ax in figure.axes[:2])
    assert (y.shape, f.shape) == ((3, 4), (3, 7))
    assert (y[2, 1], f[0, 6]) == (2.0, 1.0)
    assert figure.axes[0].get_xlabel() == "hour that was read (0 is now)"


def test_attention_is_the_mean_over_windows():
    weights = np.random.default_rng(0).dirichlet(np.ones(4), size=(5, 3))
    image = attention_map(weights, segment=2).axes[0].images[0]
    np.testing.assert_allclose(image.get_array(), weights.mean(axis=0))
    ticks = [
        label.get_text() for label in attention_map(weights[0], segment=2).axes[0].get_xticklabels()
    ]
    assert ticks == ["-6", "-4", "-2", "0"]


def test_states_are_coloured_by_their_property(legend):
    numbers = np.arange(12.0)
    groups = np.array(["even", "odd"] * 6)
    figure = state_map(
        POINTS,
        {"frequency": numbers, "kind": groups, "hour": numbers},
        circular=["hour"],
        columns=2,
    )
    first, second, third = figure.axes[:3]
    np.testing.assert_array_equal(first.collections[0].get_offsets(), POINTS)
    np.testing.assert_array_equal(first.collections[0].get_array(), numbers)
    np.testing.assert_array_equal(second.collections[1].get_offsets(), POINTS[1::2])
    assert first.collections[0].get_cmap().name != third.collections[0].get_cmap().name
    assert legend(figure) == ["even", "odd"]
    figure.canvas.draw()


def test_paths_go_on_where_the_past_ends(lines):
    read, written = np.random.default_rng(1).normal(size=(2, 2, 5, 2))
    figure = state_paths(read, written, names=["a", "b"], explained=[0.5, 0.25])
    drawn = lines(figure.axes[0])
    np.testing.assert_array_equal(drawn["b, read"].get_xydata(), read[1])
    np.testing.assert_array_equal(drawn["b, written"].get_xydata(), [read[1, -1], *written[1]])
    assert figure.axes[0].get_ylabel() == "second component (25 % of variance)"


UNDRAWABLE = [
    lambda: heat_map({}, x=[1], y=[1], xlabel="", ylabel="", value=""),
    lambda: heat_map({"a": np.eye(2)}, x=[1], y=[1, 2], xlabel="", ylabel="", value=""),
    lambda: sensitivity_map(ONE.frame(), features=["z"]),
    lambda: state_map(POINTS[:, :1], {"x": np.zeros(12)}),
    lambda: state_map(POINTS, {}),
    lambda: state_map(POINTS, {"x": np.zeros(3)}),
    lambda: state_map(POINTS, {"x": np.array([str(k) for k in range(12)])}),
    lambda: state_paths(np.zeros((7, 3, 2))),
    lambda: state_paths(np.zeros((2, 3, 2)), np.zeros((3, 3, 2))),
]


@pytest.mark.parametrize("draw", UNDRAWABLE)
def test_what_cannot_be_drawn_is_rejected(draw):
    with pytest.raises(DataError):
        draw()
