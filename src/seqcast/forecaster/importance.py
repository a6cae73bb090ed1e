"""Importance of covariates to a fitted forecaster, on windows that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqcast.data.frames.long_frame import LongFrame
from seqcast.data.frames.stamps import in_zone_of
from seqcast.engine.inputs import ModelInputs, SeriesLabels
from seqcast.errors import DataError, SpecError
from seqcast.forecaster.fallback import refuse_without_network
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.state import FittedState

__all__ = ["check_trained", "mean_importance", "window_step"]

# Windows that covariates are judged by, spread evenly over all that there are: more would take longer and hardly say
# more.
MOST_WINDOWS = 1000


def check_trained(state: FittedState) -> None:
    """Refuse to judge covariates of a forecaster without a network that was trained on its data alone.

    Raises:
        SpecError: There is none.
    """
    if state.engines:
        return
    if state.pretrained is None:
        refuse_without_network("covariate_importance")
    raise SpecError(
        "covariate_importance",
        expected="a network that was trained on this data alone",
        received="the pretrained network",
        hint="Name a preset, such as preset='segment', to have its network in any case.",
    )


def window_step(series: SeriesState, frame: LongFrame) -> int:
    """Return the steps between windows, so that enough but not many more come after the rows that were trained on.

    Args:
        series: The fitted series.
        frame: The series to judge by, checked.
    """
    untrained = int(np.count_nonzero(~series.trained_rows(frame)))
    return max(1, untrained // (2 * MOST_WINDOWS))


def mean_importance(
    series: SeriesState, members: Sequence[ModelInputs], *, metric: str, repeats: int, seed: int
) -> Any:
    """Return the importance of covariates, the mean of an ensemble's networks.

    Args:
        series: The fitted series, which know up to where they were trained on.
        members: Windows of each network.
        metric: As for `seqcast.inspect.covariate_importance`, as is the rest.
        repeats: Number of permutations.
        seed: Seed of the permutations.

    Raises:
        DataError: There are no covariates, or fewer than two windows that were not trained on.
    """
    import pandas as pd

    from seqcast.inspect import covariate_importance

    tables = []
    for windows in members:
        untrained = _after_training(series, windows)
        if len(untrained) < 2:
            raise DataError(
                option="df",
                expected="two windows or more that were not trained on",
                received=str(len(untrained)),
                hint="Give newer rows, or fit with a larger validation_fraction.",
            )
        chosen = untrained[np.unique(np.linspace(0, len(untrained) - 1, MOST_WINDOWS).astype(int))]
        tables.append(covariate_importance(windows[chosen], metric=metric, repeats=repeats, seed=seed))
    mean = pd.concat(tables).groupby("covariate", as_index=False, sort=False).mean()
    return mean.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _after_training(series: SeriesState, windows: ModelInputs) -> Any:
    """Return the numbers of the windows whose targets come after the rows that were trained on."""
    labels = windows.labels
    assert isinstance(labels, SeriesLabels)
    until = in_zone_of(series.trained_until_of(tuple(labels.ids.tolist())), labels.cutoffs)
    return np.flatnonzero(~np.asarray(labels.cutoffs < until))
