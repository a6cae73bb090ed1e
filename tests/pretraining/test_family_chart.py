"""The picture of families has a panel for each."""

import itertools

import numpy as np

from family_chart import family_chart
from synthetic import FAMILIES


def test_each_family_has_a_panel_of_three_lines():
    figure = family_chart(length=30, season_length=7, title="Families")
    assert [ax.get_title() for ax in figure.axes] == [name.replace("_", " ") for name in FAMILIES]
    for ax in figure.axes:
        heights = [line.get_ydata() for line in ax.get_lines()]
        assert len(heights) == 3
        # They do not overlap.
        assert all(upper.min() >= lower.max() for upper, lower in itertools.pairwise(heights))
        assert all(np.ptp(line) <= 1 + 1e-9 for line in heights)
