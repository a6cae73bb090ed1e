"""Tables of numbers as colours show the numbers."""

import numpy as np
import pytest

from seqcast.errors import DataError
from seqcast.inspect import Sensitivity
from seqcast.plots import attention_map, heat_map, sensitivity_map


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


@pytest.mark.parametrize(
    "draw",
    [
        lambda: heat_map({}, x=[1], y=[1], xlabel="", ylabel="", value=""),
        lambda: heat_map({"a": np.eye(2)}, x=[1], y=[1, 2], xlabel="", ylabel="", value=""),
        lambda: sensitivity_map(
            Sensitivity(np.zeros((1, 1, 1, 1, 1)), None, ("y",), (), ("y",)).frame(), features=["z"]
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw):
    with pytest.raises(DataError):
        draw()
