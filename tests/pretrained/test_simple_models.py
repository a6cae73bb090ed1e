"""Simple models of windows are what plain loops give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.pretrained.simple_models import checks_of, repeated

ROWS = 6
LENGTH = 40
HORIZON = 9
seeds = st.integers(0, 2**32 - 1)


def drawn(seed):
    """Return values that begin anywhere, with gaps, and their seasons."""
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.normal(size=(ROWS, LENGTH)), axis=1) + np.tile(
        rng.normal(size=(ROWS, 4)), LENGTH // 4
    )
    values[rng.random(values.shape) < 0.2] = np.nan
    values[np.arange(LENGTH) < rng.integers(0, LENGTH - 2, (ROWS, 1))] = np.nan
    return values, rng.choice([1, 4, 7, 15], ROWS)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_a_repeated_season_is_that_of_a_plain_loop(seed):
    values, season = drawn(seed)
    found = repeated(values, season, HORIZON, (0.5, 0.9))
    for row, m in enumerate(season):
        begun = np.flatnonzero(~np.isnan(values[row]))
        filled = [0.0] * LENGTH
        for t in range(LENGTH):
            filled[t] = values[row, t] if t in begun else filled[t - 1] if t else 0.0

        def on(end, steps, phi, y=filled, m=m):
            change = y[end - 1] - y[end - 1 - m]
            return [y[end - m + step % m] + phi ** (step + 1) * change for step in range(steps)]

        for place, phi in enumerate((0.5, 0.9)):
            np.testing.assert_allclose(
                found.forecasts[row, :, place], on(LENGTH, HORIZON, phi), 1e-6, 1e-6
            )
            for t in range(1, LENGTH):
                is_known = t > m and len(begun) and begun[0] <= t - m - 1
                expected = on(t, 1, phi)[0] if is_known else filled[t - 1]
                assert found.ahead[row, t, place] == pytest.approx(expected, 1e-6, 1e-6)
            for steps in checks_of(LENGTH):
                end = LENGTH - steps
                expected = (
                    on(end, steps, phi)
                    if end > m and len(begun) and begun[0] <= end - m - 1
                    else np.nan
                )
                np.testing.assert_allclose(found.checks[steps][row, :, place], expected, 1e-6, 1e-6)
