"""Windows of hidden groups."""

import numpy as np

from seqcast.studies.static import GROUPS, grouped


def test_groups_have_frequencies_of_their_own():
    past, future, group = grouped(300, 40, 1)
    assert past.shape == (300, 40, 1)
    assert future.shape == (300, 15, 1)
    assert set(group) <= set(range(GROUPS))
    # Two windows of a group are sums of the same four waves.
    steps = np.arange(40, 55)
    for own in range(3):
        chosen = future[group == own][:, :, 0]
        frequencies = np.random.default_rng(5).uniform(0.1, 10.0, size=(GROUPS, 2))[own]
        angles = 2 * np.pi * np.outer(steps, frequencies) / 30
        waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
        left = chosen.T - waves @ np.linalg.lstsq(waves, chosen.T, rcond=None)[0]
        assert np.abs(left).max() < 1e-5
