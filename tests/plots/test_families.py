"""The picture of the families shows each of them, three times."""

import itertools

import numpy as np

from seqcast.data.synthetic import FAMILIES
from seqcast.plots import family_chart


def test_each_family_has_a_panel_of_three_lines():
    figure = family_chart(length=30, season_length=7, title="Families")
    assert [ax.get_title() for ax in figure.axes] == [name.replace("_", " ") for name in FAMILIES]
    for ax in figure.axes:
        heights = [line.get_ydata() for line in ax.get_lines()]
        assert len(heights) == 3
        # They do not overlap.
        assert all(upper.min() >= lower.max() for upper, lower in itertools.pairwise(heights))
        assert all(np.ptp(line) <= 1 + 1e-9 for line in heights)
    assert figure.axes[-1].get_xlabel() == "step, of 7 a season"
