"""The signals that studies share."""

import numpy as np
import pytest

from seqcast.studies.tasks import TEST, TRAIN, sine_windows


def test_test_windows_are_never_training_windows():
    drawn = [sine_windows(50, seed=start + seed)[0] for start in (TRAIN, TEST) for seed in range(5)]
    assert len(np.unique(np.concatenate(drawn), axis=0)) == 500


def test_noise_is_on_the_past_alone():
    clean, noisy = (sine_windows(2_000, seed=3, noise=level) for level in (0.0, 0.2))
    np.testing.assert_array_equal(clean[1], noisy[1])
    assert np.std(noisy[0] - clean[0]) == pytest.approx(0.2, rel=0.05)
